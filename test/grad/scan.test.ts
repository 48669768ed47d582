// The derivative of loops, written in the language: recurrent layers, both directions, loops in loops, look-ups in the body, unrolled descent.
// First and second order against central differences; the gradients simplify to the same values.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { gradient } from "../../compiler/grad/grad.ts";
import type { GraphProgram, Source } from "../../compiler/graph/types.ts";
import { checkGradient, numbers, weighted } from "./check.ts";
import { programOf } from "../graph/programs.ts";
import { checkSimplify } from "../rewrite/compare.ts";

const size = (x: Source): number => (x.shape as number[]).reduce((a, b) => a * b, 1);
function check(text: string, orders = 2): GraphProgram {
  const { program } = programOf(text).exports.at(-1)!;
  const values = new Map(
    program.inputs.map((x, i) => [
      x,
      numbers(size(x), 60 + i).map((v) =>
        x.dtype === "i32" ? Math.floor(((v + 1) / 2) * ((x.range!.high as number) + 1)) : v,
      ),
    ]),
  );
  const wrt = program.inputs.filter((x) => x.dtype === "f32");
  const root = program.outputs[0]!.node;
  checkGradient(root, wrt, orders, values);
  const f = root.shape.length ? weighted(root) : root;
  const gradients = gradient(f, wrt).filter((g) => g !== undefined);
  checkSimplify(
    {
      name: "gradient",
      inputs: program.inputs,
      dims: [],
      outputs: gradients.map((node, i) => ({ name: `g${i}`, node })),
      updates: [],
    },
    values,
  );
  return program;
}
const lstm = readFileSync(new URL("../../examples/lstm_chars.dlm", import.meta.url), "utf8").match(
  /layer LSTM[\s\S]*?\n}\n/,
)![0];
test("LSTM, forwards, backwards and in both directions", () => {
  check(`${lstm}model net(x: f32[2, 4, 3]) = x |> LSTM(3)\nexport fn f(x: f32[2, 4, 3]) = net(x)`);
  check(
    `${lstm}model net(x: f32[2, 4, 3]) = flip(flip(x, axis: 1) |> LSTM(3), axis: 1)\nexport fn f(x: f32[2, 4, 3]) = net(x)`,
  );
  check(
    `${lstm}layer Both(n: int)(x: f32[B, T, I]) {\n  let ahead = LSTM(n)\n  let back = LSTM(n)\n  return concat([ahead(x), flip(back(flip(x, axis: 1)), axis: 1)], axis: -1)\n}\nmodel net(x: f32[2, 3, 2]) = x |> stack 2 of Both(2)\nexport fn f(x: f32[2, 3, 2]) = net(x)`,
  );
});
test("a loop in a loop, the inner one over a slice of the outer", () => {
  check(`export fn f(x: f32[3, 4], w: f32[2]) = fold (row in x along 0; h = 0.1) {
    next h = fold (v in row along 0; g = h) { next g = tanh(w[0] * g + w[1] * v) }
  }`);
  check(`export fn f(x: f32[3, 4], w: f32[2]) = scan (row in x along 0; h = 0.1) {
    let inner = scan (v in row along 0; g = h) {
      let n = sin(w[0] * g + w[1] * v * h)
      next g = n
      yield n * w[0]
    }
    next h = sum(inner)
    yield inner
  }`);
});
test("look-ups in the body: at data, at an argmax of the carry, out of range", () => {
  check(`export fn f(table: f32[5, 2], ids: i32[4] in 0..5) = scan (i in ids along 0; h = zeros[2]) {
    let n = tanh(h + table[i])
    next h = n
    yield n
  }`);
  check(`export fn f(table: f32[3, 3], h0: f32[3]) = fold (k in 0..3; h = h0) {
    let i = argmax(h, axis: 0)
    next h = 0.5 * h + (for j: sin(table[i, j]))
  }`);
  check(`export fn f(x: f32[4], ids: i32[3] in 0..7) = scan (i in ids along 0; s = 0.0) {
    let n = s * 0.5 + (x[i - 1] ?? 0.25)^2
    next s = n
    yield n
  }`);
});
test("unrolled descent, and a learner that learns a learner", () => {
  check("export fn f(a: f32[3], y: f32[3]) = descend(|v| sum(sin(v * a)^2), y, iters: 3, lr: 0.2)");
  check(`model net(x: f32[3, 1]) = x |> Linear(3, act: tanh) |> Linear(1)
export fn maml(x: f32[3, 1], y: f32[3, 1], q: f32[3, 1], z: f32[3, 1]) {
  let fast = net - 0.1 * grad(mse(net(x), y), wrt: net)
  return mse(fast(q), z)
}`);
});
test("connectionist temporal classification by a fold over the trellis", () => {
  check(`export fn f(lp: f32[4, 3]) {
    let a0 = for s in 0..3: where(s < 2, lp[0, s], -5.0)
    let a = fold (t in 1..4; a = a0) {
      next a = for s in 0..3: logaddexp(a[s], a[s - 1] ?? -5.0) + lp[t, s]
    }
    return logaddexp(a[2], a[1])
  }`);
});
test("a maximum in the body gives the gradient of the winner", () => {
  const p = check(
    "export fn f(x: f32[3, 4]) = fold (row in x along 0; h = 0.5) {\n  next h = 0.3 * h + max(row, axis: 0)\n}",
    1,
  );
  expect(p.outputs.length).toBe(1);
});
