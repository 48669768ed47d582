// dlm train, eval, run as their user sees them: real files, exit statuses, events, and weights bit for bit.
import { cpSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { events, program, type Outcome } from "./program.ts";

const { folder, dlm, put, bytes } = program();
const examples = join(import.meta.dirname, "../../examples");
let trained: Outcome;
beforeAll(async () => {
  mkdirSync(join(folder, "data"));
  for (const name of ["iris.dlm", "xor.dlm", "data/iris.csv"]) cpSync(join(examples, name), join(folder, name));
  trained = await dlm(["train", "iris.dlm", "--json"]);
});

test("--json: one event a line, from start to done; nothing on standard error; the process ends by itself", () => {
  expect(trained).toMatchObject({ status: 0, err: "" });
  const list = events(trained.out);
  expect(list[0]).toMatchObject({
    kind: "start",
    model: "iris.dlm",
    device: { class: "embedded" },
    plan: { parameters: 131, trains: { fit: { dispatchesPerStep: expect.any(Number) as number } } },
    data: { iris: { rows: 150, splits: { train: 120, test: 30 } } },
  });
  expect(list.find((e) => e.kind === "progress")).toMatchObject({
    train: "fit",
    epochs: 60,
    steps: 240,
    loss: expect.any(Number) as number,
    metrics: { acc: expect.any(Number) as number },
    stepsPerSecond: expect.any(Number) as number,
  });
  expect(list.filter((e) => e.kind === "evaluation")).toHaveLength(60);
  expect(list.at(-2)).toEqual({
    kind: "saved",
    path: "iris.safetensors",
    bytes: bytes("iris.safetensors").length,
    what: "checkpoint",
  });
  expect(list.at(-1)).toMatchObject({
    kind: "done",
    train: "fit",
    reason: "finished",
    step: 240,
    steps: 240,
    measured: { test: { table: { shape: [3, 3] } } },
    wallSeconds: expect.any(Number) as number,
    results: { fit: { step: 240 } },
  });
  expect((list.at(-1) as unknown as { measured: { test: { acc: number } } }).measured.test.acc).toBeGreaterThan(0.8);
});

test("as text: device, data and plan, lines of progress, the last evaluation, where things lie", async () => {
  const { status, out, err } = await dlm(["train", "iris.dlm", "--epochs", "12", "--save", "deep/run.safetensors"]);
  expect({ status, err }).toEqual({ status: 0, err: "" });
  expect(out).toMatch(
    /^iris\.dlm on SwiftShader.*\n {2}iris: 150 rows \(train 120, test 30\)\n {2}131 parameters · \d+ kernels · \d+ dispatch(es)? a step · .* on the device · compiled in /,
  );
  expect(out).toMatch(/\nstep +\d+ {2}test: loss \d\.\d+ {2}acc \d\.\d+\n/);
  expect(out).toMatch(
    /\n48 steps in .* \(.* steps\/s\)\n {2}loss {3}1\.\d+ [▁-█]+ 0\.\d+\n {2}test {3}loss 0\.\d+ {2}acc [01]\.\d+ {2}\(30 rows\)\n {2}table: i32\[3, 3\]\n/,
  );
  expect(out).toContain("deep/run.safetensors");
  expect(out).toContain("dlm eval iris.dlm --weights deep/run.safetensors");
  expect(existsSync(join(folder, "deep/run.safetensors"))).toBe(true);
  expect(out).not.toContain("\x1b");
});

test("paused and resumed gives the same bits as a run that was not interrupted", async () => {
  const paused = await dlm(["train", "iris.dlm", "--stop-after", "101", "--save", "half.safetensors"]);
  expect(paused).toMatchObject({ status: 0, err: "" });
  expect(paused.out).toContain("paused at step 101 of 240");
  expect(paused.out).toContain("dlm train iris.dlm --save half.safetensors --resume half.safetensors");
  expect(
    (await dlm(["train", "iris.dlm", "--resume", "half.safetensors", "--save", "resumed.safetensors"])).status,
  ).toBe(0);
  expect(bytes("resumed.safetensors").equals(bytes("iris.safetensors"))).toBe(true);
  const again = await dlm(["train", "iris.dlm", "--resume", "resumed.safetensors", "--no-save"]);
  expect(again).toMatchObject({ status: 0, out: expect.stringContaining("all 240 steps were done before") as string });
});

test("Ctrl-C: a checkpoint, the way to go on, status 130; going on gives the same bits", async () => {
  let sent = false;
  // steps without an end: a fast machine is not done before the signal comes
  const run = ["train", "iris.dlm", "--steps", "100000000", "--save", "stopped.safetensors"];
  const interrupted = await dlm(run, {
    onOutput: (text, kill) => {
      if (sent || !/step +\d+ {2}test/.test(text)) return;
      sent = true;
      kill("SIGINT");
    },
  });
  expect(interrupted).toMatchObject({
    status: 130,
    err: "stopping at the next step; Ctrl-C once more stops at once\n",
  });
  const step = Number(/paused at step (\d+) of 100000000/.exec(interrupted.out)![1]);
  expect(interrupted.out).toContain(`dlm ${run.join(" ")} --resume stopped.safetensors`);
  const to = (steps: number, save: string): string[] => [...run.slice(0, -1), save, "--stop-after", String(steps)];
  const [resumed, whole] = await Promise.all([
    dlm([...to(50, "resumed.safetensors"), "--resume", "stopped.safetensors"]),
    dlm(to(step + 50, "uninterrupted.safetensors")),
  ]);
  expect([resumed.status, whole.status]).toEqual([0, 0]);
  expect(bytes("resumed.safetensors").equals(bytes("uninterrupted.safetensors"))).toBe(true);
});

test("eval measures what training measured, from a checkpoint or from weights; one split or all", async () => {
  const measured = (events(trained.out).at(-1) as unknown as { measured: Record<string, Record<string, number>> })
    .measured["test"];
  const all = events((await dlm(["eval", "iris.dlm", "--weights", "iris.safetensors", "--json"])).out);
  expect(all.map((e) => e["split"])).toEqual(["train", "test"]);
  expect(all[1]).toMatchObject({ kind: "evaluation", train: "fit", step: 240, rows: 30, values: measured });
  const text = await dlm(["eval", "iris.dlm", "--weights", "iris.safetensors", "--split", "test"]);
  expect(text).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^test {3}loss 0\.\d+ {2}acc .*\(30 rows\)\n {2}table: i32\[3, 3\]\n/) as string,
  });
});

test("another seed's checkpoint brings its own holdout", async () => {
  const run = await dlm(["train", "iris.dlm", "--seed", "9", "--epochs", "5", "--save", "nine.safetensors", "--json"]);
  const done = events(run.out).at(-1) as unknown as { measured: Record<string, unknown> };
  const [again] = events(
    (await dlm(["eval", "iris.dlm", "--weights", "nine.safetensors", "--split", "test", "--json"])).out,
  );
  expect(again).toMatchObject({ values: done.measured["test"] });
});

test("run: inputs as literals, npy, csv and json, results as text and in every kind of file", async () => {
  const use = (...more: string[]): Promise<Outcome> =>
    dlm(["run", "iris.dlm", "predict", "--weights", "iris.safetensors", ...more]);
  const rows = "[[5.1,3.5,1.4,0.2],[6.2,2.9,4.3,1.3]]";
  const literal = await use("--input", `x=${rows}`, "--json");
  const [result] = events(literal.out) as unknown as [
    { outputs: { predict: { shape: number[]; values: number[][] } } },
  ];
  expect(result.outputs.predict.shape).toEqual([2, 3]);
  expect(result.outputs.predict.values.map((row) => Math.round(row.reduce((a, b) => a + b, 0) * 1e5) / 1e5)).toEqual([
    1, 1,
  ]);
  put("x.csv", "a,b,c,d\n5.1,3.5,1.4,0.2\n6.2,2.9,4.3,1.3\n");
  put("x.json", `{ "x": ${rows} }`);
  await Promise.all(
    ["y.npy", "y.csv", "y.json", "y.safetensors"].map(async (name) =>
      expect(await use("--input", name === "y.csv" ? "x=x.json" : "x=x.csv", "--output", name)).toEqual({
        status: 0,
        err: "",
        out: `${name}  predict: f32[2, 3]\n`,
      }),
    ),
  );
  expect(JSON.parse(bytes("y.json").toString())).toEqual({
    predict: result.outputs.predict.values.map((row) => row.map((x) => expect.closeTo(x, 5) as number)),
  });
  expect(
    bytes("y.csv")
      .toString()
      .trim()
      .split("\n")
      .map((line) => line.split(",").map(Number)),
  ).toEqual((JSON.parse(bytes("y.json").toString()) as { predict: number[][] }).predict);
  expect(readSafetensors(bytes("y.safetensors")).tensors.get("predict")).toMatchObject({ dtype: "F32", shape: [2, 3] });
  // what one export leaves, another takes: 3 columns are no input of 4
  const wrong = await use("--input", "x=y.npy");
  expect(wrong).toEqual({ status: 1, out: "", err: "dlm: predict: x is f32[2, 3], and f32[B, 4] is wanted\n" });
  const text = await use("--input", "x=x.csv");
  expect(text.out).toMatch(/^predict: f32\[2, 3\]\n( {4}| {2})[\d.e-]+ +[\d.e-]+ +[\d.e-]+\n/);
});

test("batch: all is told the number of rows that the data have; other values of constants and settings", async () => {
  put("line.csv", Array.from({ length: 37 }, (_, i) => `${i / 37},${(3 * i) / 37 - 1}`).join("\n"));
  put(
    "line.dlm",
    `const rate = 0.1
data points {
  field x: f32[1] = csv("line.csv", columns: 0..1)
  field y: f32[1] = csv("line.csv", columns: 1..2)
  holdout test = 0.25
}
model line(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(1)
train fit on points(batch: all) { minimize mse(line(x), y) by sgd(lr: rate)
  steps: 20 }`,
  );
  const whole = events((await dlm(["train", "line.dlm", "--json", "--no-save"])).out);
  expect(whole[0]).toMatchObject({ data: { points: { splits: { train: 28, test: 9 } } } });
  expect(whole.at(-1)).toMatchObject({ kind: "done", step: 20 });
  const other = events(
    (
      await dlm([
        "train",
        "line.dlm",
        "--json",
        "--no-save",
        "--set",
        "rate=0.3",
        "--set",
        "steps=40",
        "--set",
        "batch=7",
      ])
    ).out,
  );
  expect(other.at(-1)).toMatchObject({ step: 40 });
  expect(other.at(-1)!["loss"]).toBeLessThan(whole.at(-1)!["loss"] as number);
  mkdirSync(join(folder, "elsewhere"));
  cpSync(join(folder, "line.csv"), join(folder, "elsewhere/line.csv"));
  cpSync(join(folder, "line.dlm"), join(folder, "deep/line.dlm"));
  expect((await dlm(["train", "deep/line.dlm", "--data", "elsewhere", "--no-save"])).status).toBe(0);
});

test("--out: weights, and everything that dlm compile writes", async () => {
  const { status, out } = await dlm(["train", "xor.dlm", "--out", "xor-out"]);
  expect(status).toBe(0);
  expect(readdirSync(join(folder, "xor-out")).sort()).toEqual([
    "index.html",
    "page.css",
    "page.js",
    "page.mjs",
    "page.svg",
    "plan.discrete.json",
    "plan.integrated.json",
    "plan.json",
    "shaders",
    "trainer.d.mts",
    "trainer.d.ts",
    "trainer.mjs",
    "weights.safetensors",
    "xor.safetensors",
  ]);
  expect(out).toContain("xor-out/shaders/*.wgsl");
  expect(existsSync(join(folder, "xor.safetensors"))).toBe(false);
  await dlm(["compile", "xor.dlm", "-o", "xor-compiled"]);
  expect(bytes("xor-out/plan.json").equals(bytes("xor-compiled/plan.json"))).toBe(true);
  const noPage = await dlm(["compile", "xor.dlm", "-o", "xor-bare", "--no-page", "--json"]);
  expect(readdirSync(join(folder, "xor-bare")).filter((name) => /^(?:index|page)\./.test(name))).toEqual([]);
  expect(events(noPage.out)[0]).toMatchObject({
    kind: "compiled",
    model: "xor.dlm",
    targets: ["software", "integrated", "discrete"],
  });
  const used = await dlm([
    "run",
    "xor.dlm",
    "predict",
    "--weights",
    "xor-out/weights.safetensors",
    "--input",
    "x=[[0,1],[1,1]]",
    "--json",
  ]);
  const [{ outputs }] = events(used.out) as unknown as [{ outputs: { predict: { values: [[number], [number]] } } }];
  expect(outputs.predict.values.map(([p]) => Math.round(p))).toEqual([1, 0]);
});

test("train blocks one after another, or one by name; what one saves, another loads", async () => {
  put(
    "two.dlm",
    `data d { rows: 24
  field x: f32[2] = uniform[2] }
model body(x: f32[B, 2]) -> f32[B, 3] = x |> Linear(3, act: tanh)
model head(h: f32[B, 3]) -> f32[B, 1] = h |> Linear(1)
train first on d(batch: 8, seed: 2) { minimize mean((head(body(x)) - 1)^2) by adam(lr: 0.01)
  epochs: 3
  save: "first.safetensors" }
train second on d(batch: 8, seed: 2) { minimize mean((head(frozen(body)(x)) - 2)^2) by sgd(lr: 0.01)
  load: from("first.safetensors", into: body)
  steps: 5 }`,
  );
  const both = events((await dlm(["train", "two.dlm", "--json", "--no-save"])).out);
  expect(both.filter((e) => e.kind === "saved")).toEqual([
    { kind: "saved", train: "first", step: 9, path: "first.safetensors" },
  ]);
  expect(both.at(-1)).toMatchObject({
    kind: "done",
    train: "second",
    step: 5,
    results: { first: { step: 9 }, second: { step: 5 } },
  });
  const one = events((await dlm(["train", "two.dlm", "--json", "--no-save", "--train", "second"])).out);
  expect(Object.keys(one.at(-1)!["results"] as object)).toEqual(["second"]);
});

test("profile: every kernel of a step, with its share of the time and of what the device can do", async () => {
  const { status, out } = await dlm(["profile", "iris.dlm", "--json"]);
  expect(status).toBe(0);
  const [facts] = events(out) as unknown as [
    {
      kind: string;
      stepMicroseconds: number;
      method: string;
      limits: { gflops: number; gigabytes: number };
      kernels: {
        kernel: string;
        share: number;
        microseconds: number;
        bytes: number;
        runs: number;
        lines: string[];
        ofLimit: number;
      }[];
    },
  ];
  expect(facts).toMatchObject({
    kind: "profile",
    train: "fit",
    method: expect.stringMatching(/^(timestamps|repetition|training)$/) as string,
  });
  expect(facts.kernels.reduce((n, k) => n + k.share, 0)).toBeCloseTo(1);
  for (const k of facts.kernels) expect(k.microseconds > 0 && k.bytes > 0 && k.ofLimit < 3).toBe(true);
  if (facts.method !== "training")
    expect(facts.kernels.some((k) => k.lines.some((line) => line.startsWith("iris.dlm:")))).toBe(true);
  expect(Math.min(facts.limits.gflops, facts.limits.gigabytes, facts.stepMicroseconds)).toBeGreaterThan(0.1);
  const text = await dlm(["profile", "iris.dlm"]);
  expect(text.out).toMatch(
    /\n {2}a step of fit: .* in training \(.* steps\/s\), of \d+ dispatch(es)? that takes? .*\n {2}.*; this device does .* GFLOP\/s and .* GB\/s\n\n share .*kernel .*from\n/,
  );
});

test("profile: fields that a program feeds get random rows in their ranges, and that is said", async () => {
  put(
    "fed.dlm",
    `data fed {
  field x: f32[8] = host("pixels")
  field y: i32 in 3..10 = host("class")
  holdout test = 0.25
}
model net(x: f32[B, 8]) -> f32[B, 10] = x |> Linear(10)
train fit on fed(batch: 16) { minimize cross_entropy(net(x), y) by sgd(lr: 0.1)
  epochs: 3 }`,
  );
  const { status, out } = await dlm(["profile", "fed.dlm"]);
  expect(status).toBe(0);
  expect(out).toContain("\n  fed.x, fed.y: random rows, since a program feeds them\n");
  expect(events((await dlm(["profile", "fed.dlm", "--json"])).out)[0]).toMatchObject({
    kind: "profile",
    invented: ["fed.x", "fed.y"],
  });
});
