// What only clears or copies memory takes no kernel: the plan says so, and the results are the same.
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import type { Command } from "../../runtime/plan.ts";
import { testDevice } from "../device.ts";

const kinds = (list: readonly Command[]): string[] =>
  list
    .flatMap((c) => (c.kind === "loop" ? kinds(c.body) : c.kind === "copy" ? [c.from ? "copy" : "clear"] : ["kernel"]))
    .sort();
const compiled = (text: string) => {
  const { plan, diagnostics } = compile(text, { name: "moves.dlm" });
  if (!plan) throw new Error(renderDiagnostics(diagnostics));
  return plan;
};
const a = Array.from({ length: 24 }, (_, i) => i + 1);

test.each([
  ["zeros", "f32[3, 4] = zeros[3, 4]", ["clear"], Array<number>(12).fill(0)],
  ["an input as it is", "f32[4, 6] = a", [], a],
  ["one row", "f32[6] = a[2]", ["copy"], a.slice(12, 18)],
  ["rows after one another", "f32[2, 6] = a[1..3]", ["copy"], a.slice(6, 18)],
  ["another shape", "f32[24] = rearrange(a, `i j -> (i j)`)", [], a],
  ["a column", "f32[4] = a[:, 1]", ["kernel"], [2, 8, 14, 20]],
  [
    "the transpose",
    "f32[6, 4] = transpose(a)",
    ["kernel"],
    Array.from({ length: 24 }, (_, i) => a[(i % 4) * 6 + Math.floor(i / 4)]!),
  ],
  ["one number everywhere", "f32[5] = ones[5]", ["kernel"], [1, 1, 1, 1, 1]],
] as const)("%s", async (_, result, expected, values) => {
  const { device } = await testDevice();
  const plan = compiled(`export fn f(a: f32[4, 6]) -> ${result}`);
  expect(kinds(plan.exports[0]!.program.commands)).toEqual(expected);
  const model = await load(plan, { device });
  try {
    const got = await model.run("f", { a: { shape: [4, 6], data: a } });
    expect([...got[plan.exports[0]!.outputs[0]!.name]!.data]).toEqual(values);
    // what lay there before is overwritten
    expect([
      ...(await model.run("f", { a: { shape: [4, 6], data: a } }))[plan.exports[0]!.outputs[0]!.name]!.data,
    ]).toEqual(values);
  } finally {
    model.close();
  }
});
test("moments begin as zeros without a kernel", () => {
  const plan = compiled(`data d { rows: 32 field x: f32[4] = normal[4] field y: f32[2] = normal[2] }
model net(x: f32[B, 4]) -> f32[B, 2] = x |> Linear(2)
train fit on d(batch: 8) { minimize mse(net(x), y) by adam(lr: 1e-2) steps: 3 }`);
  expect(kinds(plan.trains[0]!.init.commands)).toContain("clear");
});
