// The folder of a run, as its user finds it: what is in it, where it lies, that nothing which befalls it ends a training; and dlm runs and dlm compare.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { fileHead, scalarsEvent } from "../../compiler/cli/runs/events-file.ts";
import { letterOf } from "../../compiler/cli/runs/curves-text.ts";
import { newFolder, plainName } from "../../compiler/cli/runs/folder.ts";
import { lineDifferences } from "../../compiler/cli/runs/differences.ts";
import { Recorder, type MetricRow } from "../../compiler/cli/runs/metrics.ts";
import { tableLines } from "../../compiler/cli/runs/table.ts";
import { readEvents, slowCrc32c } from "./events-file.ts";
import { events, program, type Outcome } from "./program.ts";

const { folder, dlm, put, bytes, failing } = program();
const examples = join(import.meta.dirname, "../../examples");
const runsIn = (where: string): string[] =>
  existsSync(join(folder, where)) ? readdirSync(join(folder, where)).sort() : [];
const onlyRun = (where: string): string => {
  const names = runsIn(where);
  expect(names).toHaveLength(1);
  return join(where, names[0]!);
};
const json = (...parts: string[]): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, ...parts), "utf8")) as Record<string, unknown>;
const lines = (...parts: string[]): Record<string, unknown>[] =>
  readFileSync(join(folder, ...parts), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

let trained: Outcome;
let run: string;
beforeAll(async () => {
  mkdirSync(join(folder, "data"));
  for (const name of ["iris.dlm", "data/iris.csv"]) cpSync(join(examples, name), join(folder, name));
  trained = await dlm([
    "train",
    "iris.dlm",
    "--epochs",
    "20",
    "--set",
    "batch=24",
    "--seed",
    "5",
    "--tensorboard",
    "--json",
  ]);
  run = onlyRun("runs");
}, 300_000);

test("settings, seed, versions, device, data; written before the first step", () => {
  expect(trained).toMatchObject({ status: 0, err: "" });
  expect(run).toMatch(/^runs\/\d{4}-\d\d-\d\d-\d{6}-iris$/);
  expect(json(run, "run.json")).toMatchObject({
    kind: "run",
    model: "iris.dlm",
    command: ["train", "iris.dlm", "--epochs", "20", "--set", "batch=24", "--seed", "5", "--tensorboard", "--json"],
    settings: {
      set: { batch: "24" },
      seed: 5,
      trains: { fit: { batch: 24, accumulate: 1, seed: 5, epochs: 20 } },
    },
    versions: { dlm: expect.any(String) as string, node: process.version },
    device: { class: "embedded" },
    plan: { parameters: 131 },
    rows: { iris: { train: 120, test: 30 } },
    resumed: null,
  });
  expect(readFileSync(join(folder, run, "model.dlm"), "utf8")).toBe(bytes("iris.dlm").toString());
  expect(events(trained.out)[0]).toMatchObject({ kind: "start", run });
});
test("metrics: a row a step and an evaluation each epoch, the same in both files and in the report", () => {
  const rows = lines(run, "metrics.jsonl") as unknown as {
    step: number;
    split?: string;
    values: Record<string, number>;
  }[];
  const batches = rows.filter((row) => row.split === undefined);
  expect(batches.map((row) => row.step)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  const measured = rows.filter((row) => row.split === "test");
  expect(measured.map((row) => row.step)).toEqual(Array.from({ length: 20 }, (_, i) => 5 * (i + 1)));
  const [head, ...table] = readFileSync(join(folder, run, "metrics.csv"), "utf8")
    .trimEnd()
    .split("\n");
  expect(head).toBe("train,step,epoch,split,seconds,loss,acc");
  expect(table.map((line) => line.split(",").map((cell) => (/^[\d.e-]+$/.test(cell) ? Number(cell) : cell)))).toEqual(
    rows.map((row) => {
      const { train, step, epoch = "", split = "", seconds, values } = row as unknown as Record<string, string>;
      const { loss, acc } = values as unknown as Record<string, number>;
      return [train, step, epoch, split, seconds, loss, acc];
    }),
  );
  // every loss that --json tells
  const told = events(trained.out).flatMap((e) => (e.kind === "progress" ? (e["losses"] as number[]) : []));
  expect(batches.map((row) => row.values["loss"])).toEqual(told);
  const done = events(trained.out).at(-1)!;
  expect(json(run, "report.json")).toMatchObject({
    kind: "report",
    status: "finished",
    results: { fit: { step: 100, measured: done["measured"] } },
  });
  const last = measured.at(-1)!.values;
  const { test: split } = done["measured"] as { test: Record<string, number> };
  expect(last["loss"]).toBeCloseTo(split["loss"]!, 6);
  expect(last).not.toHaveProperty("table"); // a confusion table is no number
});
test("the checkpoint is that of --save, and stays when the next run replaces that", async () => {
  const own = bytes(join(run, "checkpoint.safetensors"));
  expect(own.equals(bytes("iris.safetensors"))).toBe(true);
  expect((await dlm(["train", "iris.dlm", "--epochs", "1", "--no-run"])).status).toBe(0);
  expect(bytes("iris.safetensors").equals(own)).toBe(false);
  expect(bytes(join(run, "checkpoint.safetensors")).equals(own)).toBe(true);
  const again = await dlm([
    "train",
    "iris.dlm",
    "--resume",
    join(run, "checkpoint.safetensors"),
    "--set",
    "batch=24",
    "--epochs",
    "21",
    "--seed",
    "5",
    "--runs",
    "resumed",
    "--save",
    "r.safetensors",
  ]);
  expect(again.status).toBe(0);
  expect(json(onlyRun("resumed"), "run.json")).toMatchObject({ resumed: { step: 100 } });
});
test("elders are kept as beside --save", async () => {
  await dlm([
    "train",
    "iris.dlm",
    "--epochs",
    "10",
    "--checkpoint",
    "2epochs",
    "--save",
    "e.safetensors",
    "--runs",
    "elders",
  ]);
  const own = onlyRun("elders");
  for (const age of ["", ".1", ".2"])
    expect(bytes(`e.safetensors${age}`).equals(bytes(`${own}/checkpoint.safetensors${age}`))).toBe(true);
  expect(readdirSync(join(folder, own)).filter((name) => name.startsWith("checkpoint"))).toHaveLength(3);
});

test("event files as an independent reader has them", () => {
  expect(slowCrc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  expect(slowCrc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  const name = readdirSync(join(folder, run)).find((file) => file.includes("tfevents"))!;
  const [head, ...list] = readEvents(bytes(join(run, name)));
  expect(head).toMatchObject({ fileVersion: "brain.Event:2", step: 0 });
  const rows = lines(run, "metrics.jsonl") as unknown as {
    step: number;
    split?: string;
    values: Record<string, number>;
  }[];
  expect(list.map(({ step, values }) => ({ step, values }))).toEqual(
    rows.map(({ step, split = "batch", values }) => ({
      step,
      values: Object.fromEntries(
        Object.entries(values).map(([metric, x]) => [`fit/${split}/${metric}`, Math.fround(x)]),
      ),
    })),
  );
  expect(list.every(({ wallTime }) => Math.abs(wallTime - Date.now() / 1000) < 3600)).toBe(true);
});
test("event files: large steps, numbers that are none, names of any letters", () => {
  const values = { "a/ü": NaN, b: -Infinity, c: Math.fround(1e-40), d: 3 };
  for (const step of [0, 1, 127, 128, 2 ** 31, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER])
    expect(readEvents(scalarsEvent(1e9 + 0.5, step, values))).toEqual([
      { wallTime: 1e9 + 0.5, step, fileVersion: "", values },
    ]);
  expect(readEvents(fileHead(3))).toHaveLength(1);
});

test("--no-run and --no-save leave none; --runs says where, and where no folder can be is told before training", async () => {
  const before = runsIn("runs");
  for (const flags of [["--no-run"], ["--no-save"]])
    expect((await dlm(["train", "iris.dlm", "--epochs", "1", ...flags])).status).toBe(0);
  expect(runsIn("runs")).toEqual(before);
  expect((await dlm(["train", "iris.dlm", "--epochs", "1", "--no-save", "--runs", "a/b c"])).status).toBe(0);
  expect(readdirSync(join(folder, onlyRun("a/b c")))).not.toContain("checkpoint.safetensors");
  put("occupied", "");
  const wrong = await dlm(["train", "iris.dlm", "--epochs", "1", "--runs", "occupied"]);
  expect(wrong).toMatchObject({
    status: 1,
    err: "dlm: cannot make a run folder in occupied: a part of the path is not a folder\n",
  });
  for (const flags of [
    ["--no-run", "--runs", "x"],
    ["--no-run", "--tensorboard"],
  ])
    expect(await dlm(["train", "iris.dlm", ...flags])).toMatchObject({ status: 2, out: "" });
});
test("where the usual folder cannot be made, training goes on and that is told", async () => {
  mkdirSync(join(folder, "elsewhere"));
  put("elsewhere/runs", "a file");
  const { status, err } = await dlm(["train", "../iris.dlm", "--epochs", "1"], { cwd: "elsewhere" });
  expect([status, err]).toEqual([
    0,
    "cannot make a run folder in runs: a part of the path is not a folder; training goes on\n",
  ]);
});
test("runs that begin in the same second have folders of their own", async () => {
  const all = await Promise.all(
    [1, 2, 3].map((n) =>
      dlm(["train", "iris.dlm", "--epochs", "1", "--runs", "together", "--save", `t${n}`, "--json"]),
    ),
  );
  const named = all.map(({ out }) => events(out)[0]!["run"]);
  expect(new Set(named).size).toBe(3);
  expect(runsIn("together")).toHaveLength(3);
  const parent = join(folder, "numbered");
  const made = Array.from({ length: 12 }, () => newFolder(parent, "2026-11-29-104512-m"));
  expect(new Set(made).size).toBe(12);
  expect(made.slice(0, 3).map((path) => path.slice(parent.length + 1))).toEqual([
    "2026-11-29-104512-m",
    "2026-11-29-104512-m-2",
    "2026-11-29-104512-m-3",
  ]);
});
test.each([
  ["my model (1).dlm", "my-model-1"],
  ["-x.dlm", "x"],
  ["größe 模型.dlm", "größe-模型"],
  ["..dlm.dlm", "dlm"],
  ["a\nb'$`.dlm", "a-b"],
  [`${"long".repeat(60)}.dlm`, "long".repeat(15)],
  ["💾.dlm", "model"],
])("a model called %j", async (name, expected) => {
  const where = `odd-${expected.slice(0, 8)}`;
  put(name, bytes("iris.dlm"));
  const { status, err } = await dlm([
    "train",
    `./${name}`,
    "--epochs",
    "1",
    "--runs",
    where,
    "--save",
    "odd.safetensors",
  ]);
  expect([status, err]).toEqual([0, ""]);
  expect(onlyRun(where)).toMatch(/\d{6}-/);
  expect(
    onlyRun(where)
      .slice(where.length + 1)
      .replace(/^[\d-]{18}/, ""),
  ).toBe(expected);
  expect(plainName(name.replace(/\.dlm$/, ""))).toBe(expected);
  const compared = await dlm(["compare", join(onlyRun(where)), run]);
  expect(compared).toMatchObject({ status: 0, err: "" });
});

test("a file system that fails in the folder of a run: training ends as if nothing had been; what has a name is whole", async () => {
  const args = [
    "train",
    "iris.dlm",
    "--steps",
    "8",
    "--checkpoint",
    "3",
    "--save",
    "kept.safetensors",
    "--tensorboard",
  ];
  const run = async (where: string, env: Record<string, string>): Promise<Outcome> => {
    mkdirSync(join(folder, where, "data"), { recursive: true });
    for (const name of ["iris.dlm", "data/iris.csv"]) cpSync(join(folder, name), join(folder, where, name));
    return dlm(args, { cwd: where, env: { NODE_OPTIONS: `--import=${failing}`, ...env } });
  };
  const log = join(folder, "failing.log");
  expect(await run("good", { DLM_FAIL_LOG: log })).toMatchObject({ status: 0, err: "" });
  const operations = readFileSync(log, "utf8").trimEnd().split("\n");
  const own = operations.flatMap((line, at) => (/ \S*runs\//.test(` ${line}`) ? [{ line, at }] : []));
  const writing = own.filter(({ line }) => /^(mkdir|open|write|rename|link|fsync|ftruncate|close)Sync/.test(line));
  expect(writing.length).toBeGreaterThan(40);
  const every = process.env["DLM_FAULTS"] ? 1 : Math.ceil(writing.length / 10);
  const whole = bytes("good/kept.safetensors");
  const rowsIn = (path: string): number => readFileSync(path, "utf8").trimEnd().split("\n").length;
  const rows = rowsIn(join(folder, onlyRun("good/runs"), "metrics.jsonl"));
  const tried = writing.filter(({ line }, n) => n % every === 0 || /^(open|write)Sync \S*metrics\.jsonl/.test(line));
  const isOfRows = (line: string): boolean => /Sync \S*(metrics\.|tfevents)/.test(line);
  let timed = 0;
  for (const [i, { at, line }] of tried.entries()) {
    const where = `fails-${at}`;
    const ownLog = join(folder, `${where}.log`);
    const { status, err } = await run(where, {
      DLM_FAIL: `${["ENOSPC", "EIO", "EACCES"][i % 3]} ${line}`,
      DLM_FAIL_LOG: ownLog,
    });
    expect([status, line], err).toEqual([0, line]);
    // how often rows are written depends on the time
    if (!/ 0$/.test(line) && isOfRows(line)) timed++;
    else expect(readFileSync(ownLog, "utf8").split("\n")).toContain(line);
    expect(err === "" || /^cannot [^\n]*; training goes on\n$/.test(err), `${line}: ${err}`).toBe(true);
    expect(bytes(`${where}/kept.safetensors`).equals(whole), line).toBe(true);
    const [made] = runsIn(`${where}/runs`);
    if (made === undefined) continue;
    const at_ = join(where, "runs", made);
    for (const name of readdirSync(join(folder, at_))) {
      if (name.endsWith(".json")) expect(json(at_, name)["kind"], line).toBe(name === "run.json" ? "run" : "report");
      if (name === "checkpoint.safetensors") expect(bytes(join(at_, name)).equals(whole), line).toBe(true);
    }
    // what could not be written was written later
    const path = join(folder, at_, "metrics.jsonl");
    if (/^(open|write)Sync \S*metrics\.jsonl/.test(line)) expect([line, rowsIn(path)]).toEqual([line, rows]);
    const { out } = await dlm(["runs", "--runs", `${where}/runs`, "--json"]);
    for (const e of out ? events(out) : []) expect(e.kind).toBe("run");
  }
  expect(tried.length - timed).toBeGreaterThan(5);
}, 300_000);
test("killed: what it measured until then is read, and `dlm runs` says so", async () => {
  const { status } = await dlm(
    ["train", "iris.dlm", "--steps", "100000000", "--runs", "killed", "--save", "k.safetensors"],
    {
      onOutput: (text, kill) => {
        if (/step +\d+ {2}test/.test(text)) setTimeout(() => kill("SIGKILL"), 1500);
      },
    },
  );
  expect(status).toBe(null);
  const at = join(onlyRun("killed"), "metrics.jsonl");
  writeFileSync(join(folder, at), `${readFileSync(join(folder, at), "utf8")}{"train":"fit","st`); // as a kill may leave it
  const [found] = events((await dlm(["runs", "--runs", "killed", "--json"])).out);
  expect(found).toMatchObject({
    kind: "run",
    state: "killed",
    split: "test",
    values: { loss: expect.any(Number) as number },
  });
  expect(found!["step"]).toBeGreaterThan(0);
});
test("a loss that is no number is in the record", async () => {
  put(
    "explodes.dlm",
    `model m(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(1, bias: false)
data d { rows: 8
  field x: f32[1] = uniform(1, 2)[1] }
train fit on d(batch: 8) { minimize mean(m(x)^2) by sgd(lr: 1e9)
  steps: 40 }`,
  );
  expect((await dlm(["train", "explodes.dlm", "--runs", "nan"])).status).toBe(1);
  const own = onlyRun("nan");
  expect(json(own, "report.json")).toMatchObject({
    status: "diverged",
    error: expect.stringContaining("the loss of fit is") as string,
  });
  expect(statSync(join(folder, own, "checkpoint.safetensors")).size).toBeGreaterThan(0);
  expect(readFileSync(join(folder, own, "curves.svg"), "utf8")).not.toMatch(/NaN|Infinity/);
});

test("dlm runs: a table, one a line as JSON; nothing there is told", async () => {
  const { status, out } = await dlm(["runs"]);
  expect(status).toBe(0);
  expect(out).toMatch(/^run +state +steps +time +settings +last measured\n/);
  expect(out).toMatch(
    new RegExp(
      `\n${run.slice(5)} +finished +100 +00:0\\d +batch=24 epochs=20 seed=5 +test: loss 0\\.\\d+ {2}acc [01]\\.\\d+\n`,
    ),
  );
  expect(await dlm(["runs", "--runs", "nowhere"])).toEqual({
    status: 0,
    err: "",
    out: "there are no runs in nowhere: dlm train leaves them there\n",
  });
  mkdirSync(join(folder, "strange/broken"), { recursive: true });
  put("strange/broken/run.json", '{"kind": "run"');
  put("strange/file", "");
  expect((await dlm(["runs", "--runs", "strange"])).out).toMatch(/\nbroken +unreadable +it cannot be read\n/);
  const listed = events((await dlm(["runs", "--runs", "strange", "--json"])).out);
  const broken = {
    kind: "run",
    path: "strange/broken",
    name: "broken",
    state: "unreadable",
    error: "it cannot be read",
  };
  expect(listed).toEqual([broken]);
});
test("dlm compare: settings, lines of the models, curves on the terminal and as a picture", async () => {
  put("wide.dlm", bytes("iris.dlm").toString().replace("Linear(16", "Linear(32"));
  await dlm([
    "train",
    "wide.dlm",
    "--epochs",
    "20",
    "--seed",
    "5",
    "--set",
    "batch=24",
    "--set",
    "epochs=20",
    "--runs",
    "runs",
  ]);
  const wide = runsIn("runs").find((name) => name.endsWith("-wide"))!;
  const { status, out, err } = await dlm(["compare", run, "-wide".slice(1), "--svg", "both.svg"]);
  expect([status, err]).toEqual([0, ""]);
  expect(out).toContain(`A  ${run.slice(5)}  finished`);
  expect(out).toMatch(/\nplan\.parameters +131 +259\n/);
  expect(out).toMatch(/\nmodel +iris\.dlm +wide\.dlm\n/);
  expect(out).not.toMatch(/\nfit\.seed/);
  expect(out).toContain(
    "\n-   x |> Standardise(iris.x) |> Linear(16, act: tanh) |> Linear(3)\n+   x |> Standardise(iris.x) |> Linear(32",
  );
  expect(out).toMatch(/\nloss of test, by step\n( {2} *[\d.]* [┤│][AB* ]*\n){14} +└[─┬]+\n +0 .*100\n/);
  const svg = bytes("both.svg").toString();
  expect(svg.match(/<path class="split/g)!.length).toBeGreaterThanOrEqual(4); // two runs, loss and acc
  expect(svg).toContain(`>${wide}</text>`);
  const [compared] = events((await dlm(["compare", run, wide, "--json"])).out);
  expect(compared).toMatchObject({ kind: "comparison", settings: { "plan.parameters": ["131", "259"] } });
});
test("an imported file that was changed is a difference", async () => {
  put("part.dlm", "fn twice(x: f32[B, 4]) -> f32[B, 4] = 2 * x\n");
  const text = bytes("iris.dlm").toString();
  put("whole.dlm", `import "part.dlm"\n${text.replace("x |> Standardise", "x |> twice |> Standardise")}`);
  const own = ["train", "whole.dlm", "--epochs", "1", "--runs", "imports"];
  expect((await dlm(own)).status).toBe(0);
  put("part.dlm", "fn twice(x: f32[B, 4]) -> f32[B, 4] = x + x\n");
  expect((await dlm(own)).status).toBe(0);
  const [a, b] = runsIn("imports").map((name) => join("imports", name));
  expect(json(a!, "run.json")["imports"]).toEqual({ "part.dlm": expect.stringMatching(/^[0-9a-f]{64}$/) as string });
  const { out, err } = await dlm(["compare", a!, b!]);
  expect(out, err).toMatch(/\nimport part\.dlm +[0-9a-f]{12} +[0-9a-f]{12}\n/);
});
test("dlm compare: many runs have names of their own, what a folder has lost is told and not made up", async () => {
  expect(new Set(Array.from({ length: 200 }, (_, i) => letterOf(i))).size).toBe(200);
  const copies = Array.from({ length: 54 }, (_, i) => `many/${i}-copy`);
  for (const copy of copies) cpSync(join(folder, run), join(folder, copy), { recursive: true });
  const all = await dlm(["compare", ...copies]);
  expect([all.status, all.err]).toEqual([0, ""]);
  expect(all.out).toMatch(/^A {3}0-copy {2}finished [\s\S]*\nz {3}51-copy [\s\S]*\n54 {2}53-copy /);

  const [bare, other] = copies;
  rmSync(join(folder, bare!, "model.dlm"));
  rmSync(join(folder, bare!, "metrics.jsonl"));
  const { status, out } = await dlm(["compare", bare!, other!]);
  expect(status).toBe(0);
  expect(out).toContain(`the text of the model is not kept in ${bare}\n`);
  expect(out).not.toMatch(/^[+-] | $/m);
  expect(tableLines([{ title: "a" }, { title: "b" }], [["x\ny\tz", "1"]])).toEqual(["a      b", "x y z  1"]);
});
test("dlm compare says what it cannot find", async () => {
  const of = async (...args: string[]): Promise<string> => {
    const { status, err, out } = await dlm(["compare", ...args]);
    expect([status, out]).toEqual([args.includes("--metric") ? 2 : 1, ""]);
    return err;
  };
  expect(await of("nothing", run)).toContain("there is no run nothing in runs; `npx dlm runs` lists them");
  expect(await of("nothing", run, "--runs", "many")).toContain("`npx dlm runs --runs many` lists them");
  expect(await of(run)).toContain("only one run is named");
  expect(await of("copy", run, "--runs", "many")).toContain("copy is a part of 54 names");
  expect(await of(run, run, "--metric", "los")).toContain(
    "no run has the metric los; there are loss, acc; did you mean loss?",
  );
});
test("rows of long runs: each of the first thousand steps, then means of stretches that double, whatever the windows of the device", () => {
  const steps = 20_000;
  const recorded = (window: number): readonly MetricRow[] => {
    const recorder = new Recorder((_, step) => Math.floor(step / 100));
    for (let from = 0; from < steps; from += window) {
      const count = Math.min(window, steps - from);
      const curves = { loss: Float32Array.from({ length: count }, (_, i) => from + i + 1) };
      const step = from + count;
      const rest = { epoch: 0, loss: 0, metrics: {}, stepsPerSecond: 1, secondsLeft: 1 };
      recorder.event({ kind: "progress", train: "fit", step, steps, curves, ...rest });
    }
    recorder.end();
    return recorder.rows;
  };
  const rows = recorded(64);
  const timeless = (all: readonly MetricRow[]): object[] => all.map((row) => ({ ...row, seconds: 0 }));
  expect(timeless(recorded(37))).toEqual(timeless(rows));
  expect(rows.map(({ epoch }) => epoch)).toEqual(rows.map(({ step }) => Math.floor((step - 1) / 100)));
  expect([rows.length, rows[999]!.step, rows[1000]!.step, rows.at(-1)!.step]).toEqual([
    1000 + 500 * 4 + 125,
    1000,
    1002,
    steps,
  ]);
  for (const [i, { step, values }] of rows.entries())
    expect(values["loss"]).toBeCloseTo(((rows[i - 1]?.step ?? 0) + 1 + step) / 2, 1);
});
test("lines that are different", () => {
  expect(lineDifferences("a\nb\nc", "a\nx\nc\nd")).toEqual(["- b", "+ x", "+ d"]);
  expect(lineDifferences("", "")).toEqual([]);
  expect(lineDifferences("a\nb", "b\na")).toHaveLength(2);
});

test("what a newer dlm kept is said to be of one; --epochs and --steps are settings", async () => {
  put("k.dlm", readFileSync(join(import.meta.dirname, "../../examples/xor.dlm"), "utf8"));
  for (const steps of ["3", "4"])
    expect((await dlm(["train", "k.dlm", "--steps", steps, "--runs", "kinds", "--no-save"])).status).toBe(0);
  const [older, newer] = readdirSync(join(folder, "kinds")).map((name) => join("kinds", name));
  expect((await dlm(["runs", "--runs", "kinds"])).out).toMatch(/ +steps=3 +[\s\S]* +steps=4 +/);
  const record = json(newer!, "run.json");
  expect(record["format"]).toBe(1);
  put(join(newer!, "run.json"), JSON.stringify({ ...record, format: 2 }));
  const why = "is of a newer dlm: format 2, and this one reads 1";
  expect((await dlm(["runs", "--runs", "kinds"])).out).toContain(`it ${why}`);
  expect((await dlm(["compare", older!, newer!])).err).toBe(`dlm: the run ${newer} ${why}\n`);
  const { format: _, ...without } = record; // as it was kept before formats had a number
  put(join(newer!, "run.json"), JSON.stringify(without));
  expect((await dlm(["compare", older!, newer!])).status).toBe(0);
}, 300_000);
