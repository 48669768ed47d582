// shaders/INDEX.md: every kernel with its purpose, shapes, bindings and cost, in the order of dispatch.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { targets, type Target } from "../../compiler/kernel/target.ts";
import { artifactTexts } from "../../compiler/cli/artifact-texts.ts";
import { indexText } from "../../compiler/print/shaders.ts";
import { dispatchesOf, type Command } from "../../runtime/plan.ts";

const text = readFileSync(join(import.meta.dirname, "../../examples/iris.dlm"), "utf8");
const { plan, programs } = compile(text, { name: "iris.dlm", target: "discrete" });
const index = indexText(plan!, programs);
const section = (name: string): string => index.split(/^## /m).find((s) => s.startsWith(`${name}:`)) ?? "";

test("the step's dispatches in their order, each with a link to its file", () => {
  const dispatched = (list: readonly Command[]): string[] =>
    list.flatMap((c) =>
      c.kind === "loop" ? dispatched(c.body) : c.kind === "copy" ? [] : [plan!.modules[c.module]!.name],
    );
  const { step } = plan!.trains[0]!;
  expect([...section("fit.step").matchAll(/\]\(([\w]+)\.wgsl\)/g)].map((m) => m[1])).toEqual(dispatched(step.commands));
});
test("every file is linked", () => {
  for (const { name } of plan!.modules) expect(index).toContain(`(${name}.wgsl)`);
});
test("purpose, shapes, bindings, cost", () => {
  const row = section("predict")
    .split("\n")
    .find((line) => line.includes(" | [B, "))!;
  expect(row).toMatch(
    /^\| \d+ \| \[\w+\]\(\w+\.wgsl\) \| [^|]*std\/layer\.dlm:\d+[^|]* \| \[B(, \d+)?\][^|]* \| @\d+ [^|]+ \| @\d+ [^|]+ \| [^|]* wg \|$/,
  );
  expect(index).toContain("net.linear (Linear), gradient of w");
});
test.each([targets["software"]!, { ...targets["discrete"]!, launchNs: 0 }])(
  "the cost is the arithmetic of the formulas, whether a size is known or not: $name",
  (target) => {
    const source = `data d { field x: f32[64] = host()  field y: i32 in 0..10 = host()  holdout valid = 0.5 }
model net(x: f32[B, 64]) -> f32[B, 10] = x |> Linear(128, bias: false) |> Linear(10)
train fit on d(batch: 64) { minimize cross_entropy(net(x), y) by adamw(lr: 1e-3)  steps: 1 }
export fn logits(x: f32[B, 64]) -> f32[B, 10] = net(x)`;
    const own = compile(source, { name: "d.dlm", target });
    const costs = indexText(own.plan!, own.programs)
      .split("\n")
      .flatMap((line) => {
        const [, name] = /\[(\w+?)(?:_\d+)?\]/.exec(line) ?? [];
        const [, cost] = /([^|]*) flops/.exec(line) ?? [];
        return name && cost ? [`${name}: ${cost.trim()}`] : [];
      });
    const [rows, elements] = [64, 64 * 128 + 128 * 10 + 10];
    const of = (name: string): string[] => costs.filter((c) => c.startsWith(`${name}:`));
    // a product and an addition for each term of a sum; the bias
    expect(of("net_linear_forward")).toEqual([
      `net_linear_forward: ${(rows * 2 * 64 * 128).toLocaleString("en")}`,
      `net_linear_forward: ${2 * 64 * 128} * rows`,
      `net_linear_forward: ${2 * 64 * 128} * B`,
    ]);
    expect(of("net_linear2_forward")).toContain(`net_linear2_forward: ${2 * 128 * 10 + 10} * B`);
    // all that is done for each class of each row, and for each row: max, exp and their sum, and more
    const [loss] = of("cross_entropy_backward").map((c) => Number(c.replace(/.*: |,/g, "")));
    expect(loss).toBeGreaterThan(5 * rows * 10);
    expect(loss).toBeLessThan(12 * rows * 10);
    const [update] = of("fit_minimize1_update").map((c) => Number(c.replace(/.*: |,/g, "")));
    expect(update).toBeGreaterThan(10 * elements);
    expect(update).toBeLessThan(30 * elements);
  },
);
test("buffers of one label are told apart, bytes bear their unit, and names mean nothing else", () => {
  const source = `data d { field x: f32[6] = host() }
model net(x: f32[B, 6]) -> f32[B, 6] = x |> Linear(6, act: tanh) |> Linear(6)
train fit on d(batch: 8) { minimize mean((net(x) - x)^2) by adamw(lr: 1e-3)  steps: 1 }
export fn f(x: f32[B, 6]) -> f32[B, 6] = net(x)`;
  const own = compile(source, { name: "a_*b*[c]<d>.dlm" });
  const shown = indexText(own.plan!, own.programs);
  expect(shown.split("\n")[0]).toBe("# Kernels of a\\_\\*b\\*\\[c\\]\\<d\\>.dlm, for software devices");
  const buffers = own.plan!.buffers.map((b) => b.label);
  for (const [, label] of shown.matchAll(/@\d+ ([^|]*?)(?: \+ \d+ B)?, [^|<]+(?: \||<br>)/g))
    expect([label, buffers.filter((b) => b === label).length]).toEqual([
      label,
      / \(buffer \d+\)$/.test(label!) ? 0 : 1,
    ]);
  const sizes = [...shown.matchAll(/@\d+ [^|]*?, ([^|<]+?)(?: \||<br>)/g)].map(([, size]) => size);
  expect(sizes.length).toBeGreaterThan(10);
  for (const size of sizes) expect(size).toMatch(/ (B|kB|MB|bytes)$/);
});
test("it is an artifact", () => {
  const texts = artifactTexts(
    [plan!],
    "./",
    { node: "", runtime: "", tuner: "", page: { html: "", css: "", mjs: "", svg: "", js: "" }, types: "" },
    { index: () => index },
  );
  expect(texts.get("shaders/INDEX.md")).toBe(index);
});
test("what launches of several kernels do is counted for all of their workgroups", () => {
  for (const name of ["digits.dlm", "gan_ring.dlm", "digits_cnn.dlm", "attention/copy.dlm"]) {
    const source = readFileSync(join(import.meta.dirname, "../../examples", name), "utf8");
    const all = (target: Target): number =>
      compile(source, { name, target }).plan!.trains.reduce(
        (n, t) => n + dispatchesOf(t.step.commands).reduce((m, d) => m + (d.flops as number), 0),
        0,
      );
    for (const target of [targets["discrete"]!, targets["integrated"]!]) {
      const apart = all({ ...target, launchNs: 0 });
      // reductions in parts add these up
      expect(Math.abs(all(target) / apart - 1), `${name}, ${target.name}`).toBeLessThan(0.05);
    }
  }
});
