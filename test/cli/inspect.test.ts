// dlm inspect, gradcheck, check, and the compiler as a library.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { checkGradients, compile, renderDiagnostics, targets, type Plan } from "../../compiler/index.ts";
import { partsOf, phases } from "../../compiler/pipeline.ts";
import type { Part } from "../../compiler/print/part.ts";
import { stages } from "../../compiler/cli/options.ts";
import { checkPlan } from "../../runtime/check.ts";
import { events, program } from "./program.ts";

const { dlm, put } = program();
const examples = join(import.meta.dirname, "../../examples");
const source = `data table {
  field x: f32[2] = [[0, 0], [0, 1], [1, 0], [1, 1]]
  field y: f32[1] = [[0], [1], [1], [0]]
}
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(8, act: tanh) |> Linear(1)
train fit on table(batch: all, seed: 3) {
  minimize mse(net(x), y) by sgd(lr: 0.5, momentum: 0.9)
  steps: 100
}
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)`;
beforeAll(() => void put("net.dlm", source));

test("every stage as text and as JSON", () => {
  const result = compile(source, { name: "net.dlm", rows: { table: 4 } });
  const parts = (stage: string): readonly Part[] => partsOf(stage, { ...result, plan: result.plan! });
  const stage = (name: string, only = /./): string =>
    parts(name)
      .filter((p) => only.test(p.name))
      .map((p) => `# ${p.name}\n${p.text()}`)
      .join("\n");
  for (const name of Object.keys(stages))
    for (const p of parts(name)) expect(JSON.parse(JSON.stringify(p.json()))).toBeTruthy();
  expect(stage("ast")).toContain("  items: model net\n    params: x\n");
  const all = stage("program");
  expect(all).toContain("parameters (33 numbers)\n  net.linear.w   f32[2, 8]  ~ ");
  expect(all).toContain(
    "train fit on table\n  batch 4, 100 steps, seed 3\n  fit.minimize1 updates net.linear.w, net.linear.b, net.linear2.w, net.linear2.b\n",
  );
  expect(all).toContain("export predict(x: f32[B, 2]) -> f32[B, 1]");
  expect(stage("forward")).toMatch(
    /^# fit\n[^]*\[i, j\]: f32\[4, 8\] = sum\(k < 2\) x\[i, k\] \* net\.linear\.w\[k, j\]\n[^]*\n# predict\n/,
  );
  expect(stage("backward")).toContain("d fit.minimize1 / d net.linear.w = ");
  expect(stage("backward")).toContain("net.linear[i, j]: f32[4, 8] = tanh(net.linear.y[i, j] + net.linear.b[j])\n");
  expect(stage("simplified", /fit\.step/)).toContain("update ");
  expect(stage("fused", /predict/)).toMatch(/for i < .*\n( {7}.*\n)+ {5}reads .*; writes /);
  expect(stage("schedule", /predict/)).toMatch(/wg {2}threads /);
  expect(stage("wgsl")).toMatch(/@compute @workgroup_size\(\d+\)/);
  expect(stage("plan")).toMatch(
    /^# plan\nnet\.dlm for software devices, compiled by dlm .*\nneeds .*\n\nbuffers \(\d+\)\n/,
  );
  expect(stage("memory")).toContain("# fit.evaluate.rows\n");
});
test("one part by name, JSON and DOT on the command line", async () => {
  const [text, json, dot] = await Promise.all([
    dlm(["inspect", "net.dlm", "--stage", "fused", "--only", "predict"]),
    dlm(["inspect", "net.dlm", "--stage", "plan", "--json"]),
    dlm(["inspect", "net.dlm", "--stage", "forward", "--dot", "--only", "fit"]),
  ]);
  expect(text).toMatchObject({ status: 0, err: "", out: expect.stringMatching(/^# predict\n {2}0 {2}/) as string });
  checkPlan(JSON.parse(json.out) as Plan);
  expect(dot.out).toMatch(/^digraph \{\n[^]*\n\}\n$/);
});

test("compile --time: what each phase took, as text and as JSON", async () => {
  const [text, json] = await Promise.all([
    dlm(["compile", "net.dlm", "-o", "timed", "--time"]),
    dlm(["compile", "net.dlm", "-o", "timed-json", "--time", "--json"]),
  ]);
  expect(text.out).toMatch(/\n {2}parse +\d+ ms\n {2}elaborate +\d+ ms\n[^]*\n {2}share +\d+ ms\n/);
  expect(events(json.out)[0]).toMatchObject({ kind: "compiled", phases: phases.map(({ name }) => ({ name })) });
});

test("gradcheck: a table, every parameter and input; a tolerance that nothing meets gives status 1", async () => {
  const { status, out } = await dlm(["gradcheck", "net.dlm"]);
  expect(status).toBe(0);
  for (const name of ["net.linear.w", "net.linear2.b", "table.x", "table.y"])
    expect(out).toMatch(new RegExp(`\\n {2}${name} +-?[\\d.e-]+ +-?[\\d.e-]+ +\\S+ ✓ \\[`));
  expect(out).toContain("6 derivatives agree with central differences in f64");
  const strict = await dlm(["gradcheck", "net.dlm", "--tolerance", "1e-30", "--json"]);
  expect(strict.status).toBe(1);
  expect(events(strict.out).at(-1)).toMatchObject({ kind: "done", checks: 6, failed: 6 });
});
test("what is stopped is held: derivatives of adversarial training and of two objectives agree", () => {
  for (const name of ["adversarial_digits.dlm", "gan_ring.dlm"]) {
    const { program: found } = compile(readFileSync(join(examples, name), "utf8"), { name, set: { batch: "3" } });
    const checks = [...checkGradients(found!, { directions: 1 })];
    expect(checks.filter((c) => !(c.error < 1e-5))).toEqual([]);
    expect(checks.length).toBeGreaterThan(4);
  }
});

test("check: sound files with what they are made of; diagnostics with their place, also as JSON", async () => {
  put("wrong.dlm", "model net(x: f32[B, 2]) -> f32[B, 3] = x |> Lineer(1)\n");
  const { status, out, err } = await dlm(["check", "net.dlm", "wrong.dlm"]);
  expect(status).toBe(1);
  expect(out).toMatch(
    /^✓ net\.dlm {2}33 parameters · \d+ kernels · fit: \d+ dispatch(es)? a step · exports predict\n$/,
  );
  expect(err).toContain("wrong.dlm:1:45  DLM2001");
  expect(err).toContain("did you mean `Linear`?");
  const json = events((await dlm(["check", "wrong.dlm", "--json"])).out);
  expect(json).toEqual([
    expect.objectContaining({
      kind: "diagnostic",
      code: "DLM2001",
      severity: "error",
      file: "wrong.dlm",
      line: 1,
      column: 45,
      endLine: 1,
      endColumn: 51,
    }),
    { kind: "checked", file: "wrong.dlm", sound: false, errors: 1, warnings: 0, hints: 0, missing: [] },
  ]);
  put(
    "all.dlm",
    `data d {
  field x: f32[1] = csv("absent.csv", columns: 0..1) }
model net(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(1)
train fit on d(batch: all) { minimize mean(net(x)^2) by sgd(lr: 0.1)
  steps: 1 }`,
  );
  const absent = await dlm(["check", "all.dlm"]);
  expect(absent).toMatchObject({
    status: 0,
    err: expect.stringContaining(
      "all.dlm: checked with batches of 2 for `batch: all`: cannot read absent.csv",
    ) as string,
  });
});

test("every command has a help with examples; the version is the package's", async () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as {
    version: string;
  };
  expect((await dlm(["--version"])).out).toBe(`${version}\n`);
  const { out } = await dlm(["--help"]);
  const commands = [...out.matchAll(/^ {2}(\w+) (?:\[options\] )?[<[]/gm)].map((m) => m[1]!);
  expect(commands).toEqual(
    expect.arrayContaining(["train", "eval", "run", "compile", "inspect", "gradcheck", "check", "fmt", "explain"]),
  );
  for (const command of commands.filter((c) => c !== "help"))
    expect((await dlm([command, "--help"])).out).toMatch(/\nExamples:\n {2}npx dlm /);
});

test("the library: text to plan and diagnostics, for any target", () => {
  const small =
    "model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)\nexport fn f(x: f32[B, 2]) -> f32[B, 1] = net(x)\n";
  for (const target of Object.keys(targets)) {
    const { plan, diagnostics } = compile(small, { name: "small.dlm", target });
    expect(diagnostics).toEqual([]);
    expect(plan).toMatchObject({ name: "small.dlm", target, exports: [{ name: "f" }] });
  }
  const wrong = compile(small.replace("Linear", "Lineer"));
  expect(wrong.plan).toBeUndefined();
  expect(renderDiagnostics(wrong.diagnostics)).toContain("did you mean `Linear`?");
  expect(() => compile(small, { target: "none" })).toThrow("there is no target none");
  expect(
    compile('import "f.dlm"\nexport fn g(x: f32[B]) -> f32[B] = f(x)', {
      imports: (path) => (path === "f.dlm" ? "fn f(x: f32[...S]) -> f32[...S] = 2 * x" : undefined),
    }).diagnostics,
  ).toEqual([]);
});
