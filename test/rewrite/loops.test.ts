// Work leaves loops: what the step alone decides is made before them, what only their results need behind them.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { GraphProgram, Node } from "../../compiler/graph/types.ts";
import { programOf } from "../graph/programs.ts";
import { checkSimplify, drawn, nodesOf } from "./compare.ts";

const reductions = (p: GraphProgram, inside: boolean): number =>
  nodesOf(p).filter((x: Node) => x.kind === "compute" && x.reduction && x.scans.size > 0 === inside).length;
const stacks = (p: GraphProgram): number =>
  nodesOf(p).filter((x) => x.kind === "result" && x.of.kind === "stack").length;
const exported = (text: string): GraphProgram => programOf(text).exports[0]!.program;

test("an input projection is one product before the loop, an output projection one behind it", () => {
  const p = exported(`export fn f(xs: f32[5, 3], wx: f32[3, 4], wh: f32[4, 4], wo: f32[4, 2]) -> f32[5, 2] =
    scan (x in xs along 0; h = zeros[4]) {
      let n = tanh((for j: sum over i: x[i] * wx[i, j]) + (for j: sum over i: h[i] * wh[i, j]))
      next h = n
      yield for j: sum over i: n[i] * wo[i, j]
    }`);
  expect(reductions(p, true)).toBe(3);
  const { program, fired } = checkSimplify(p, drawn(p));
  expect(fired.get("reduction-before-loop")).toBe(1);
  expect(fired.get("stack-behind-loop")).toBe(1);
  expect(reductions(program, true)).toBe(1);
  expect(stacks(program)).toBe(0); // the history of h is enough
});
test("a stack of a next value, of a carry, and of what the step alone decides", () => {
  for (const [text, rule] of [
    ["n", "stack-of-carry"],
    ["x * 2", "stack-before-loop"],
    ["n * x", "stack-behind-loop"],
  ] as const)
    for (const backwards of [false, true]) {
      const xs = backwards ? "flip(xs, axis: 0)" : "xs";
      const p = exported(
        `export fn f(xs: f32[5, 3]) -> f32[5, 3] = scan (x in ${xs} along 0; h = ones[3]) {\n  let n = sin(h + x)\n  next h = n\n  yield ${text}\n}`,
      );
      const { program, fired } = checkSimplify(p, drawn(p));
      expect(fired.get(rule)).toBe(1);
      expect(stacks(program)).toBe(0);
    }
});
test("what a stack shares with the carries stays in the loop", () => {
  const p = exported(
    "export fn f(xs: f32[5, 3], w: f32[3, 3]) -> f32[5, 3] = scan (x in xs along 0; h = ones[3]) {\n  let n = for j: sum over i: h[i] * w[i, j]\n  next h = tanh(n + x)\n  yield n * x\n}",
  );
  const { program } = checkSimplify(p, drawn(p));
  expect(stacks(program)).toBe(1);
  expect(reductions(program, false)).toBe(0);
});
test("an LSTM: one product in the loop each way, the others outside", () => {
  const { step } = programOf(
    readFileSync(new URL("../../examples/lstm_chars.dlm", import.meta.url), "utf8")
      .replaceAll("128", "8")
      .replaceAll("batch: 32", "batch: 2"),
  ).trains[0]!;
  const values = drawn(step, 3, { "rows.text": 40 });
  const { program } = checkSimplify(step, values, {}, { "rows.text": 40 });
  expect(reductions(program, true)).toBe(2);
});
