// dlm sweep as its user sees it: the same bits as runs one by one, one compilation of what is the same, failures that end one run only, kills and going on.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { curvesSvg } from "../../compiler/cli/runs/curves-svg.ts";
import { cellsOf, gridOption, seedsOption } from "../../compiler/cli/runs/grid.ts";
import { csvLine, Recorder, type MetricRow } from "../../compiler/cli/runs/metrics.ts";
import { bestOf, heatLines, heatSvg, pointLines, pointsOf, type CellOutcome } from "../../compiler/cli/runs/outcome.ts";
import { compile } from "../../compiler/compile.ts";
import type { Kernels } from "../../runtime/api.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";
import { events, program, type Event } from "./program.ts";

const { folder, dlm, put, bytes, failing, faulty } = program();
const text = `const rate = 0.1
const width = 4
data d { rows: 48
  field x: f32[3] = normal[3]
  holdout test = 0.25 }
model net(x: f32[B, 3]) -> f32[B, 1] = x |> Linear(width, act: tanh) |> Dropout(0.1) |> Linear(1)
train fit on d(batch: 12, seed: 7) {
  minimize mean((net(x) - 1)^2) by adam(lr: rate)
  metric error = mean(abs(net(x) - 1))
  steps: 40
}
`;
const sweepsIn = (where: string): string[] => readdirSync(join(folder, where)).map((name) => join(where, name));
const cellsIn = (sweep: string): string[] =>
  readdirSync(join(folder, sweep), { withFileTypes: true })
    .filter((e) => e.isDirectory())
    .map((e) => join(sweep, e.name))
    .sort();
/** Without what a clock says. */
const results = (sweep: string): string[][] =>
  readFileSync(join(folder, sweep, "results.csv"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split(",").filter((_, i) => i !== line.split(",").length - 3));

const attempted = (isDone: () => boolean): boolean => {
  try {
    return isDone();
  } catch {
    return false; // not there yet
  }
};

let whole: string; // a sweep that was not interrupted
let told: readonly Event[];
const args = ["sweep", "m.dlm", "--grid", "rate=0.1,0.3", "--grid", "width=4,6", "--seeds", "2"];
beforeAll(async () => {
  put("m.dlm", text);
  const { status, out, err } = await dlm([...args, "--runs", "whole", "--json"]);
  expect([status, err]).toEqual([0, ""]);
  told = events(out);
  whole = sweepsIn("whole")[0]!;
}, 300_000);

test("every combination with every seed, a folder each, as events", () => {
  expect(told[0]).toMatchObject({ kind: "sweep", path: whole, runs: 8, seeds: [7, 8], grid: { rate: ["0.1", "0.3"] } });
  expect(told.slice(1, -1).map((e) => [e.kind, e["set"], e["seed"], e["state"]])).toEqual(
    ["0.1", "0.3"].flatMap((rate) =>
      ["4", "6"].flatMap((width) => [7, 8].map((seed) => ["run", { rate, width }, seed, "finished"])),
    ),
  );
  expect(cellsIn(whole).map((path) => path.slice(whole.length + 1))).toEqual(
    ["0.1", "0.3"].flatMap((rate, r) =>
      ["4", "6"].flatMap((width, w) =>
        [7, 8].map((seed, s) => `${4 * r + 2 * w + s + 1}-rate=${rate},width=${width},seed=${seed}`),
      ),
    ),
  );
  const done = told.at(-1)!;
  expect(done).toMatchObject({ kind: "done", runs: 8, of: 8, failed: 0, goal: { metric: "loss", mode: "min" } });
  const points = done["points"] as { means: { loss: number } }[];
  const best = done["best"] as { means: { loss: number } };
  expect(best.means.loss).toBe(Math.min(...points.map((p) => p.means.loss)));
  expect(results(whole)).toHaveLength(9);
});
test("the same bits as dlm train with these values and this seed", async () => {
  const set = ["--set", "rate=0.3", "--set", "width=6", "--seed", "8"];
  expect((await dlm(["train", "m.dlm", ...set, "--save", "single.safetensors", "--no-run"])).status).toBe(0);
  const cell = cellsIn(whole).find((path) => path.endsWith("rate=0.3,width=6,seed=8"))!;
  expect(bytes(`${cell}/checkpoint.safetensors`).equals(bytes("single.safetensors"))).toBe(true);
});
test("as text: a line each, means and deviations, a heat map; --by another metric", async () => {
  const run = ["--by", "error", "--mode", "min", "--svg", "heat.svg", "--runs", "text"];
  const { status, out, err } = await dlm([...args, "--steps", "5", ...run]);
  expect([status, err]).toEqual([0, ""]);
  expect(out).toMatch(/\n1\/8 {2}rate=0\.1 width=4 seed=7 {2}loss \d\.\d+ {2}error \d\.\d+ {2}\d+\.\d s\n/);
  expect(out).toMatch(
    /\nrate +width +runs +loss +error\n( 0\.[13] +[46] +2 +\d\.\d+ ± \d\.\d+ +\d\.\d+ ± \d\.\d+( +best)?\n){4}/,
  );
  expect(out).toMatch(/\nerror the least is best\nrate \\ width +4 +6\n( +0\.[13]( +\d\.\d+ [░▒▓█]{2}){2}\n){2}/);
  expect(bytes("heat.svg").toString()).toMatch(/^<svg [\s\S]*error, the least is best[\s\S]*<\/svg>\n$/);
  expect((await dlm(["runs", "--runs", "text"])).out).toMatch(/-m-sweep +finished +8 of 8 runs\n/);
  expect((await dlm(["runs", sweepsIn("text")[0]!])).out.trimEnd().split("\n")).toHaveLength(9);
  expect((await dlm(["compare", sweepsIn("text")[0]!])).status).toBe(0);
});

test("killed at some moment: going on gives what an uninterrupted sweep gives, and does nothing twice", async () => {
  let n = 0;
  const { status } = await dlm([...args, "--runs", "killed", "--json", "--checkpoint", "5"], {
    onOutput: (out, kill) => {
      if (out.includes('"seed":8') && !n++) setTimeout(() => kill("SIGKILL"), 100 + Math.random() * 300);
    },
  });
  expect(status).toBe(null);
  const [killed] = sweepsIn("killed");
  const before = cellsIn(killed!).map((path) => readdirSync(join(folder, path)).includes("report.json"));
  const [first] = cellsIn(killed!);
  const stamp = bytes(`${first}/report.json`).toString();
  const listed = await dlm(["runs", "--runs", "killed"]);
  expect(listed.out).toMatch(/-m-sweep +unfinished +\d of 8 runs\n/);
  const again = await dlm(["sweep", "--resume", "m-sweep", "--runs", "killed", "--json"]);
  expect([again.status, again.err]).toEqual([0, ""]);
  expect(before.filter(Boolean).length).toBeGreaterThanOrEqual(2);
  expect(bytes(`${first}/report.json`).toString()).toBe(stamp); // not done twice
  expect(results(killed!)).toEqual(results(whole));
  expect(cellsIn(killed!).map((p) => p.split("/").at(-1))).toEqual(cellsIn(whole).map((p) => p.split("/").at(-1)));
  for (const [i, path] of cellsIn(killed!).entries()) {
    const other = cellsIn(whole)[i]!;
    expect(bytes(`${path}/checkpoint.safetensors`).equals(bytes(`${other}/checkpoint.safetensors`)), path).toBe(true);
    const rowsOf = (p: string): unknown[] =>
      readFileSync(join(folder, p, "metrics.jsonl"), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => ({ ...(JSON.parse(line) as object), seconds: 0 }));
    expect(rowsOf(path), path).toEqual(rowsOf(other));
  }
}, 300_000);
describe("rows of a run that goes on from its checkpoint are those of one that was not interrupted", () => {
  const length = ["--set", "rate=0.1", "--seeds", "1", "--steps", "6000", "--json"];
  const args = ["sweep", "long.dlm", ...length, "--checkpoint"];
  const rowsIn = (runs: string): object[] =>
    bytes(join(cellsIn(sweepsIn(runs)[0]!)[0]!, "metrics.jsonl"))
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => ({ ...(JSON.parse(line) as object), seconds: 0 }));
  let uninterrupted: object[];
  beforeAll(async () => {
    put("long.dlm", text.replace("holdout test = 0.25", "")); // an evaluation ends a row
    expect((await dlm([...args, "off", "--runs", "long"])).status).toBe(0);
    uninterrupted = rowsIn("long");
  }, 300_000);
  const cellOf = (runs: string): string => join(folder, cellsIn(sweepsIn(runs)[0]!)[0]!);
  const isThere = (runs: string, file: string) => (): boolean => readdirSync(cellOf(runs)).includes(file);
  const checkpoint = "checkpoint.safetensors";
  /** A run that the signal ends once this file is there. */
  const ended = async (
    runs: string,
    steps: number,
    signal: NodeJS.Signals,
    file = checkpoint,
  ): Promise<number | null> => {
    let isWatching = false;
    const { status } = await dlm([...args, String(steps), "--runs", runs], {
      onOutput: (_, kill) => {
        if (isWatching) return;
        isWatching = true;
        void (async () => {
          while (!attempted(isThere(runs, file))) await wait(1);
          kill(signal);
        })();
      },
    });
    return status;
  };
  const goneOn = async (runs: string): Promise<string> => {
    const { status, err } = await dlm(["sweep", "--resume", sweepsIn(runs)[0]!, "--json"]);
    expect(status).toBe(0);
    return err;
  };
  // rows are of single steps, then of 2, 4, 8: a checkpoint within one; killed before a second of rows is written
  test.each([
    ["SIGKILL", 5, null],
    ["SIGKILL", 1001, null],
    ["SIGKILL", 2003, null],
    ["SIGINT", 4099, 130],
  ] as const)(
    "%s at a checkpoint of every %i steps",
    async (signal, steps, ends) => {
      const runs = `row-${signal}-${steps}`;
      expect(await ended(runs, steps, signal)).toBe(ends);
      expect(await goneOn(runs)).toBe("");
      expect(rowsIn(runs)).toEqual(uninterrupted);
      expect(isThere(runs, "stretches.json")()).toBe(false);
    },
    300_000,
  );
  test.each(["cut", "a folder"])(
    "the newest checkpoint is %s: from the one before it",
    async (what) => {
      const runs = `elder ${what}`;
      expect(await ended(runs, 1501, "SIGKILL", `${checkpoint}.1`)).toBe(null);
      const newest = join(cellOf(runs), checkpoint);
      if (what === "cut") writeFileSync(newest, readFileSync(newest).subarray(0, 100));
      else {
        rmSync(newest);
        mkdirSync(newest);
      }
      expect(await goneOn(runs)).toMatch(/checkpoint\.safetensors.*; the one before it is taken/);
      expect(rowsIn(runs)).toEqual(uninterrupted);
    },
    300_000,
  );
  test.each([
    "",
    "null",
    "[]",
    '[{"train":"fit","step":1501,"count":0,"sums":{"loss":1,"error":1}}]',
    '[{"train":"fit","step":1501,"count":1e9,"sums":{"loss":1,"error":1}}]',
    '[{"train":"fit","step":1501,"count":1,"sums":{"loss":"abc","error":1}}]',
    '[{"train":"fit","step":1501,"count":1,"sums":{"loss":1,"error":1,"extra":5}}]',
  ])(
    "what stretches.json says makes no sense: %s",
    async (text) => {
      const runs = "senseless";
      rmSync(join(folder, runs), { recursive: true, force: true });
      expect(await ended(runs, 1501, "SIGKILL")).toBe(null);
      if (isThere(runs, `${checkpoint}.1`)()) return; // it went on for long
      writeFileSync(join(cellOf(runs), "stretches.json"), text);
      expect(await goneOn(runs)).toMatch(
        /of fit, what steps 1501 to 1501 measured is lost: the next row is without them/,
      );
      const [own, other] = [rowsIn(runs), uninterrupted].map((rows) =>
        rows.filter((row) => (row as MetricRow).step !== 1502),
      );
      expect(own).toEqual(other);
    },
    300_000,
  );
});
test("Ctrl-C: the run that goes on is kept in its middle, the way to go on is told, the status is 130", async () => {
  const long = ["sweep", "m.dlm", "--grid", "rate=0.1,0.3", "--steps", "3000", "--runs", "stopped", "--json"];
  let isWatching = false;
  const stopped = await dlm(long, {
    onOutput: (_, kill) => {
      if (isWatching) return;
      isWatching = true;
      void (async () => {
        const isUnderWay = (): boolean =>
          cellsIn(sweepsIn("stopped")[0]!).some((cell) => bytes(`${cell}/metrics.jsonl`).length > 0);
        while (!attempted(isUnderWay)) await wait(20);
        kill("SIGINT");
      })();
    },
  });
  const [path] = sweepsIn("stopped");
  expect(stopped.status).toBe(130);
  expect(stopped.err).toContain(`${path} holds everything so far. To go on:\n  npx dlm sweep --resume ${path}\n`);
  const again = await dlm(["sweep", "--resume", path!, "--json"]);
  expect(again.status).toBe(0);
  expect(
    (await dlm(["train", "m.dlm", "--steps", "3000", "--seed", "7", "--save", "long.safetensors", "--no-run"])).status,
  ).toBe(0);
  expect(bytes(`${cellsIn(path!)[0]}/checkpoint.safetensors`).equals(bytes("long.safetensors"))).toBe(true);
}, 300_000);
test("a changed model, or other values than it began with, are refused", async () => {
  put("changed.dlm", text);
  await dlm(["sweep", "changed.dlm", "--seeds", "2", "--steps", "2", "--runs", "changed"]);
  put("changed.dlm", text.replace("tanh", "relu"));
  const [path] = sweepsIn("changed");
  expect(await dlm(["sweep", "--resume", path!])).toMatchObject({
    status: 1,
    err: expect.stringContaining("changed.dlm was changed since the sweep began") as string,
  });
  expect((await dlm(["sweep", "m.dlm", "--resume", path!])).status).toBe(2);
  expect((await dlm(["sweep", "--resume", path!, "--seeds", "9"])).status).toBe(2);
  writeFileSync(join(folder, path!, "sweep.json"), '{"kind": "sweep"}');
  expect((await dlm(["sweep", "--resume", path!])).err).toContain("cannot be read");
});

test("a loss that is no number ends one run; the others go on, and it is no best one", async () => {
  const run = ["sweep", "m.dlm", "--grid", "rate=0.1,1e30", "--seeds", "2", "--runs", "nan"];
  put("sgd.dlm", text.replace("adam", "sgd"));
  const { status, out } = await dlm([...run.map((a) => (a === "m.dlm" ? "sgd.dlm" : a)), "--json"]);
  expect(status).toBe(0);
  const list = events(out);
  expect(list.slice(1, -1).map((e) => e["state"])).toEqual(["finished", "finished", "diverged", "diverged"]);
  expect(list[3]!["error"]).toContain("the loss of fit is");
  expect(list.at(-1)).toMatchObject({ failed: 2, best: { set: { rate: "0.1" } } });
  const all = await dlm(["sweep", "sgd.dlm", "--grid", "rate=1e30,1e31", "--runs", "all-nan"]);
  expect(all.status).toBe(1);
  expect(all.out).toMatch(/ 1 of 1 diverged\n/);
});
test("values with which the model does not compile together end one run", async () => {
  put(
    "both.dlm",
    `const a = 2\nconst b = 3\n${text.replace("Linear(width", "Linear(where(a + b > 7, -1, 4)").replace("where(a + b > 7, -1, 4)", "12 / (8 - a - b)")}`,
  );
  const { status, out, err } = await dlm([
    "sweep",
    "both.dlm",
    "--grid",
    "a=2,4",
    "--grid",
    "b=2,4",
    "--steps",
    "3",
    "--runs",
    "both",
    "--json",
  ]);
  const states = events(out).flatMap((e) => (e.kind === "run" ? [e["state"]] : []));
  expect([status, states], err).toEqual([0, ["finished", "finished", "finished", "failed"]]);
});
test.each([
  [["--grid", "rate"], "It is written name=value,value"],
  [["--grid", "rate="], "It is written name=value,value"],
  [["--grid", "rate=1,,2"], "A value of rate is empty."],
  [["--grid", "rate=1,1"], "1 stands twice among the values of rate."],
  [["--grid", "rate=1", "--grid", "rate=2"], "rate has its values already: 1."],
  [["--grid", "1x=1"], "It is written name=value,value"],
  [["--grid", "rat=1,2"], "A value that varies is a const: write `const rat = 1` and use `rat`"],
  [["--grid", "rate=1,abc"], "abc"],
  [["--grid", "steps=0,5"], "steps"],
  [["--seeds", "0"], "It is how many"],
  [["--seeds", "x"], "It is how many"],
  [["--seeds", "1,1"], "A seed stands twice."],
  [["--seeds", "99999999999"], "It is how many"],
  [[], "nothing to vary"],
  [["--grid", "rate=1,2", "--set", "rate=3"], "rate has a value by --set and several by --grid"],
  [["--seeds", "2", "--mode", "best"], "min, max"],
  [["--grid", "steps=1,2", "--steps", "3"], "steps has a value by --steps and several by --grid"],
])("%j: status 2, and what is wrong", async (wrong, expected) => {
  const { status, out, err } = await dlm(["sweep", "m.dlm", ...wrong, "--runs", "wrong"]);
  expect([status, out]).toEqual([2, ""]);
  expect(err).toContain(expected);
});
test("a run that cannot begin leaves no folder, and a sweep of which none can leaves none either", async () => {
  const limits = {
    NODE_OPTIONS: `--import ${pathToFileURL(faulty).href}`,
    DLM_LIMITS: JSON.stringify({ maxBufferSize: 2 ** 20, maxStorageBufferBindingSize: 2 ** 20 }),
  };
  const some = await dlm(["sweep", "m.dlm", "--grid", "batch=12,400000", "--steps", "3", "--runs", "some"], {
    env: limits,
  });
  expect(some.status, some.err).toBe(0);
  const [sweep] = sweepsIn("some");
  expect(cellsIn(sweep!).length).toBe(1);
  expect((await dlm(["runs", "--runs", "some"])).out).toMatch(/ finished +1 of 1 runs/);
  const none = await dlm(["sweep", "m.dlm", "--grid", "batch=400000,500000", "--steps", "3", "--runs", "none"], {
    env: limits,
  });
  expect([none.status, sweepsIn("none")]).toEqual([1, []]);
  const one = await dlm(["sweep", "m.dlm", "--set", "batch=400000", "--seeds", "1", "--steps", "3", "--runs", "none"], {
    env: limits,
  });
  expect([one.status, sweepsIn("none")]).toEqual([1, []]);
});
test("of seeds alone none is best", async () => {
  const { out } = await dlm(["sweep", "m.dlm", "--seeds", "2", "--steps", "3", "--runs", "seeds"]);
  expect(out).toMatch(/\n *runs +loss +error\n +2 +\S+ ± \S+ +\S+ ± \S+\n/);
  expect(out).not.toContain("best\n");
});
test("what no run can do without ends a sweep after the second", async () => {
  cpSync(join(import.meta.dirname, "../../examples/mnist_mlp.dlm"), join(folder, "mnist_mlp.dlm"));
  const { status, out, err } = await dlm(["sweep", "mnist_mlp.dlm", "--seeds", "5", "--runs", "missing", "--json"]);
  expect([status, events(out).filter((e) => e.kind === "run").length]).toEqual([1, 2]);
  expect(err).toMatch(/^dlm: cannot read data\/mnist[\s\S]*npx dlm fetch mnist gets it.*; no other run is tried\n$/);
});
test("a metric that nothing measures is told before anything runs", async () => {
  const { status, out, err } = await dlm([...args, "--by", "eror", "--runs", "unknown"]);
  expect([status, out]).toEqual([2, ""]);
  expect(err).toContain("--by eror: m.dlm measures no such thing; there are loss, error; did you mean error?");
  expect(() => sweepsIn("unknown")).toThrow("ENOENT");
});
test("too many runs, no model, no train block", async () => {
  const many = Array.from({ length: 200 }, (_, i) => i + 1).join();
  expect(() => cellsOf({ a: many.split(","), b: many.split(",") }, [1])).toThrow("40000 runs are too many");
  expect(await dlm(["sweep"])).toMatchObject({ status: 2, out: "" });
  expect((await dlm(["sweep", "gone.dlm", "--seeds", "2"])).status).toBe(1);
  put("none.dlm", "export fn f(x: f32[B]) -> f32[B] = 2 * x\n");
  expect((await dlm(["sweep", "none.dlm", "--seeds", "2"])).err).toContain("has no train block");
});
test("what a model saves lies with the run, where its other blocks find it", async () => {
  put(
    "two.dlm",
    `const rate = 0.1
data d { rows: 24
  field x: f32[2] = uniform[2] }
model body(x: f32[B, 2]) -> f32[B, 3] = x |> Linear(3, act: tanh)
model head(h: f32[B, 3]) -> f32[B, 1] = h |> Linear(1)
train first on d(batch: 8, seed: 2) { minimize mean((head(body(x)) - 1)^2) by adam(lr: rate)
  epochs: 3
  save: "kept/first.safetensors" }
train second on d(batch: 8, seed: 2) { minimize mean((head(frozen(body)(x)) - 2)^2) by sgd(lr: rate)
  load: from("kept/first.safetensors", into: body)
  steps: 5 }`,
  );
  const { status, err } = await dlm(["sweep", "two.dlm", "--grid", "rate=0.1,0.2", "--runs", "saves"]);
  expect([status, err]).toEqual([0, ""]);
  const saved = cellsIn(sweepsIn("saves")[0]!).map((path) => bytes(`${path}/saved-kept-first.safetensors`));
  expect(saved).toHaveLength(2);
  expect(saved[0]!.equals(saved[1]!)).toBe(false);
  expect(readdirSync(folder)).not.toContain("kept");
  // interrupted between the blocks
  const [path] = sweepsIn("saves");
  const [cell] = cellsIn(path!);
  const whole = bytes(`${cell}/checkpoint.safetensors`);
  rmSync(join(folder, cell!, "report.json"));
  await dlm([
    "train",
    "two.dlm",
    "--set",
    "rate=0.1",
    "--seed",
    "2",
    "--train",
    "first",
    "--save",
    "half.safetensors",
    "--no-run",
  ]);
  cpSync(join(folder, "half.safetensors"), join(folder, cell!, "checkpoint.safetensors"));
  rmSync(join(folder, "kept"), { recursive: true });
  const again = await dlm(["sweep", "--resume", path!]);
  expect([again.status, again.err]).toEqual([0, ""]);
  expect(bytes(`${cell}/checkpoint.safetensors`).equals(whole)).toBe(true);
});
test("a disk that takes nothing more: runs go on, and that is told", async () => {
  mkdirSync(join(folder, "full"));
  cpSync(join(folder, "m.dlm"), join(folder, "full/m.dlm"));
  const run = ["sweep", "m.dlm", "--seeds", "2", "--steps", "4", "--json"];
  const log = join(folder, "full.log");
  const env = { NODE_OPTIONS: `--import=${failing}` };
  const good = await dlm(run, { cwd: "full", env: { ...env, DLM_FAIL_LOG: log } });
  expect(good.status).toBe(0);
  const operations = readFileSync(log, "utf8").trimEnd().split("\n");
  const begun = operations.findLastIndex((line) => /^renameSync .*sweep\.json/.test(line)) + 3; // it is on the disk
  const writes = operations.flatMap((line, at) =>
    at > begun && /^(mkdir|open|write|rename|fsync)Sync .*sweep\//.test(line) ? [at] : [],
  );
  expect(writes.length).toBeGreaterThan(20);
  let met = 0;
  const tried = writes.filter((_, i) => i % Math.ceil(writes.length / 6) === 0);
  for (const at of tried) {
    const ownLog = join(folder, `full-${at}.log`);
    const own = { ...env, DLM_FAIL: `ENOSPC ${operations[at]}`, DLM_FAIL_LOG: ownLog };
    const { status, out, err } = await dlm(run, { cwd: "full", env: own });
    if (readFileSync(ownLog, "utf8").split("\n").includes(operations[at]!)) met++;
    expect([status, operations[at]], err).toEqual([0, operations[at]]);
    const states = events(out).flatMap((e) => (e.kind === "run" ? [e["state"]] : []));
    expect([states, operations[at]], err).toEqual([["finished", "finished"], operations[at]]);
  }
  expect(met).toBeGreaterThan(tried.length / 2); // how often rows are written depends on the time
}, 300_000);

test("a device that is lost ends no run: it goes on, on a new one, to the same bits", async () => {
  put("lost.dlm", text.replace("steps: 40", "steps: 40\n  checkpoint: every 1 step"));
  const run = ["sweep", "lost.dlm", "--seeds", "2", "--json"];
  const env = { NODE_OPTIONS: `--import ${pathToFileURL(faulty).href}` };
  const list = join(folder, "calls.txt");
  expect((await dlm([...run, "--runs", "kept"], { env: { ...env, DLM_CALLS: list } })).status).toBe(0);
  const calls = readFileSync(list, "utf8").trim().split("\n").length;
  const { status, err } = await dlm([...run, "--runs", "lost"], {
    env: { ...env, DLM_LOST_AT: String(Math.round(0.8 * calls)) },
  });
  expect([status, err]).toEqual([0, "the device was lost: the run goes on, on a new one\n"]);
  const [one, other] = [cellsIn(sweepsIn("kept")[0]!), cellsIn(sweepsIn("lost")[0]!)];
  for (const [i, path] of one.entries())
    expect(bytes(`${path}/checkpoint.safetensors`).equals(bytes(`${other[i]}/checkpoint.safetensors`)), path).toBe(
      true,
    );
  expect(results(sweepsIn("lost")[0]!)).toEqual(results(sweepsIn("kept")[0]!));
}, 300_000);
test("kernels that are the same are compiled once, and give the same bits", async () => {
  const { device } = await testDevice();
  const planOf = (rate: string) => compile(text, { name: "m.dlm", set: { rate } }).plan!;
  const kernels: Kernels = new Map();
  const train = async (rate: string, shared?: Kernels): Promise<Uint8Array> => {
    const model = await load(planOf(rate), { device, ...(shared ? { kernels: shared } : {}) });
    await model.train("fit");
    const bytes = await model.checkpoint();
    model.close();
    return bytes;
  };
  const first = await train("0.1", kernels);
  const count = kernels.size;
  expect(count).toBeGreaterThan(3);
  await train("0.1", kernels); // another seed or the same values
  expect(kernels.size).toBe(count);
  const second = await train("0.3", kernels);
  expect(kernels.size - count).toBeLessThan(count / 2);
  expect(Buffer.from(first).equals(await train("0.1"))).toBe(true);
  expect(Buffer.from(second).equals(await train("0.3"))).toBe(true);
});

test("grids: values with commas in them, seeds that are named", () => {
  expect(gridOption("a = [1, 2], [3] ,x")).toEqual({ a: ["[1, 2]", "[3]", "x"] });
  expect(seedsOption("3")).toBe(3);
  expect(seedsOption("3,-1")).toEqual([3, -1]);
  expect(cellsOf({ a: ["1", "2"], b: ["x"] }, [5, 6]).map((c) => [c.values, c.seed, c.point])).toEqual([
    [{ a: "1", b: "x" }, 5, 0],
    [{ a: "1", b: "x" }, 6, 0],
    [{ a: "2", b: "x" }, 5, 1],
    [{ a: "2", b: "x" }, 6, 1],
  ]);
});
test("means, deviations, the best, the heat map: of one, two and three names, with what failed", () => {
  const grid = { a: ["1", "2"], b: ["x", "y"], c: ["p", "q", "r"] };
  const outcomes = cellsOf(grid, [1, 2]).map((cell, i): CellOutcome => {
    const isBad = cell.values["b"] === "y" && cell.values["c"] === "q";
    return { cell, state: isBad ? "diverged" : "finished", values: isBad ? {} : { loss: 10 - i }, seconds: 1 };
  });
  const points = pointsOf(outcomes);
  expect(points).toHaveLength(12);
  expect(points[0]).toMatchObject({ means: { loss: 9.5 }, deviations: { loss: Math.SQRT1_2 }, runs: 2, seconds: 2 });
  expect(bestOf(points, { metric: "loss", mode: "min" })!.values).toEqual({ a: "2", b: "y", c: "r" });
  expect(bestOf(points, { metric: "loss", mode: "max" })!.values).toEqual({ a: "1", b: "x", c: "p" });
  expect(bestOf(points, { metric: "none", mode: "max" })).toBeUndefined();
  expect(
    heatLines(points, grid, { metric: "loss", mode: "min" }).map((line) => line.replace(/ +/g, " ").trim()),
  ).toEqual([
    "a b \\ c p q r",
    "1 x 9.5000 ░░ 7.5000 ░░ 5.5000 ░░",
    "1 y 3.5000 ▒▒ diverged -0.5000 ▒▒",
    "2 x -2.5000 ▓▓ -4.5000 ▓▓ -6.5000 ▓▓",
    "2 y -8.5000 ██ diverged -12.5000 ██",
  ]);
  expect(pointLines(points, grid, points[11]).at(-1)).toMatch(/^2 {2}y {2}r +2 +-12\.5000 ± 0\.7071 {2}best$/);
  for (const part of [grid, { a: ["1", "2"] }, {}])
    expect(heatSvg(pointsOf(outcomes), part, { metric: "loss", mode: "min" }).svg).not.toMatch(
      /NaN|undefined|Infinity/,
    );
});
test("without a device, nothing is left of a sweep", async () => {
  const { status, err } = await dlm([...args, "--device", "no such device", "--runs", "deviceless"]);
  expect([status, sweepsIn("deviceless")]).toEqual([2, []]);
  expect(err).toContain("no such device");
});
test("names that every object of JavaScript has are names as others are", () => {
  expect(gridOption("constructor=1,2", gridOption("toString=3"))).toEqual({ toString: ["3"], constructor: ["1", "2"] });
  const rows: MetricRow[] = [];
  const recorder = new Recorder(
    () => 0,
    (row) => rows.push(row),
  );
  const curves = { loss: new Float32Array([1, 2]), constructor: new Float32Array([3, 5]) };
  const event = { step: 1002, steps: 2000, epoch: 0, loss: 2, metrics: {}, stepsPerSecond: 1, secondsLeft: 1 };
  recorder.event({ kind: "progress", train: "fit", ...event, curves });
  expect(rows.map(({ values }) => values)).toEqual([{ loss: 1.5, constructor: 4 }]);
  expect(csvLine({ train: "fit", step: 1, seconds: 0, values: { loss: 1 } }, ["loss", "toString"])).toBe(
    "fit,1,,,0,1,\n",
  );
});
test("the picture of many long runs", () => {
  const rows = Array.from({ length: 3000 }, (_, step): MetricRow => ({
    train: "fit",
    step,
    seconds: 0,
    values: { loss: 1 },
  }));
  expect(curvesSvg(Array.from({ length: 60 }, (_, i) => ({ name: String(i), rows })))).toContain("</svg>");
});
test("consts and metrics that bear the names of columns, or one another's: no two columns are called the same", async () => {
  put(
    "names.dlm",
    `const seconds = 0.1
const runs = 4
const error = 2
data d { rows: 8
  field x: f32[2] = uniform(0, 1)[2] }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(runs) |> Linear(1)
train fit on d(batch: 4, seed: 7) {
  minimize error * mean((net(x) - 1)^2) by adam(lr: seconds)
  metric error = mean(abs(net(x) - 1))
  metric metric_error = mean(net(x))
  metric set_seconds = mean(net(x)^2)
  metric seed = mean(x)
  steps: 3
}
`,
  );
  const grid = ["seconds=0.1,0.2", "runs=4", "error=1,2"].flatMap((values) => ["--grid", values]);
  const { status, out, err } = await dlm(["sweep", "names.dlm", ...grid, "--runs", "names"]);
  expect([status, err]).toEqual([0, ""]);
  const sweep = sweepsIn("names")[0]!;
  const [head, ...lines] = readFileSync(join(folder, sweep, "results.csv"), "utf8")
    .trimEnd()
    .split("\n");
  const fixed = ["seed", "state", "seconds"];
  const metrics = ["loss", "metric_metric_error", "metric_error", "metric_set_seconds", "metric_seed"];
  expect(head).toBe(["set_seconds", "runs", "error", ...fixed, ...metrics].join());
  expect(lines.map((line) => line.split(",").slice(0, 4).join())).toEqual(
    ["0.1", "0.2"].flatMap((rate) => ["1", "2"].map((error) => `${rate},4,${error},7`)),
  );
  expect(out).toMatch(/\nseconds +set_runs +error +runs +loss +metric_metric_error +metric_error +set_seconds +seed\n/);
  const table = readFileSync(join(folder, cellsIn(sweep)[0]!, "metrics.csv"), "utf8")
    .split("\n")[0]!
    .split(",");
  expect(new Set(table).size).toBe(table.length);
});
