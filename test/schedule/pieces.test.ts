// Tensors made of equal stretches: every stretch is computed by the kernel where it fits and lands in its place, on a device as in the evaluator.
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { dispatchesOf } from "../../runtime/plan.ts";
import { differences } from "./exported.ts";

const lstm = `{
  let (i, f, g) = split(h @ w, 3, axis: -1)
  let c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
  next h = tanh(c1), c = c1
  yield c1
}`;
/** [name, source, launches] */
const programs: readonly (readonly [string, string, number])[] = [
  [
    "concat of formulas, read by a product",
    `export fn f(a: f32[6, 8], b: f32[6, 8], w: f32[16, 5]) -> f32[6, 5] = concat([exp(a) * b, a - sin(b)], axis: -1) @ w`,
    2,
  ],
  [
    "along the first axis",
    `export fn f(a: f32[6, 8], b: f32[6, 8], w: f32[8, 5]) -> f32[12, 5] = concat([exp(a) * b, a - b], axis: 0) @ w`,
    2,
  ],
  [
    "a piece that is read by itself too",
    `export fn f(a: f32[6, 8], b: f32[6, 8], w: f32[16, 5]) -> (f32[6, 5], f32[6]) {
  let p = exp(a) * sin(b) / (1 + a * a)
  return (concat([p, cos(a) * sin(b)], axis: -1) @ w, sum(p * p, axis: 1))
}`,
    3,
  ],
  [
    "a piece that is read under another shape too",
    `export fn f(a: f32[6, 8], b: f32[6, 8], w: f32[16, 5], v: f32[48, 3]) -> (f32[6, 5], f32[3]) {
  let p = softmax(a)
  return (concat([p, exp(b)], axis: -1) @ w, rearrange(p, \`i j -> (i j)\`) @ v)
}`,
    4,
  ],
  [
    "pieces that are inputs",
    `export fn f(a: f32[6, 8], b: f32[6, 8], w: f32[16, 5]) -> f32[6, 5] = concat([a, b], axis: -1) @ w`,
    2,
  ],
  [
    "stretches of different lengths",
    `export fn f(a: f32[6, 8], b: f32[6, 4], w: f32[12, 5]) -> f32[6, 5] = concat([exp(a), sin(b)], axis: -1) @ w`,
    2,
  ],
  [
    "a result as it is",
    `export fn f(a: f32[6, 8], b: f32[6, 8]) -> f32[6, 32] = concat([exp(a), softmax(b), a * b, softmax(a)], axis: -1)`,
    2,
  ],
  [
    "a piece that is a result, and made of pieces",
    `export fn f(a: f32[6, 8]) -> (f32[6, 16], f32[6, 32]) {
  let p = concat([exp(a), -2 * a], axis: -1)
  return (p, concat([p, 2 * p], axis: -1))
}`,
    2,
  ],
  [
    "the same piece twice",
    `export fn f(a: f32[6, 8], w: f32[16, 5]) -> f32[6, 5] {
  let p = exp(a) / (1 + a * a)
  return concat([p, p], axis: -1) @ w
}`,
    2,
  ],
  [
    "axes in another order, joined",
    `export fn f(a: f32[6, 8], b: f32[6, 4, 8], w: f32[48, 5]) -> f32[4, 5] = rearrange(softmax(b) * exp(b), \`i j k -> j (i k)\`) @ w`,
    2,
  ],
  [
    "axes split apart",
    `export fn f(a: f32[6, 24], w: f32[8, 5]) -> f32[3, 6, 5] = rearrange(softmax(a), \`i (h k) -> h i k\`, h: 3) @ w`,
    2,
  ],
  [
    "a transpose is read where it lies",
    `export fn f(a: f32[6, 8], w: f32[6, 5]) -> f32[8, 5] = transpose(softmax(a)) @ w`,
    2,
  ],
  [
    "attention: the gradients of queries, keys and values fall into place",
    `fn attend(x: f32[2, 5, 24]) -> f32[] {
  let qkv = rearrange(x, \`b t (three h d) -> three b h t d\`, three: 3, h: 2)
  let score = einsum(\`b h i d, b h j d -> b h i j\`, qkv[0], qkv[1])
  let o = einsum(\`b h i j, b h j d -> b h i d\`, softmax(score), qkv[2])
  return sum(rearrange(o, \`b h t d -> b t (h d)\`)^2)
}
export fn g(x: f32[2, 5, 24], w: f32[24, 24]) -> (f32[24, 24], f32[2, 5, 24]) = grad(attend(x @ w), wrt: (w, x))`,
    11,
  ],
  [
    "padding is no stretch",
    `export fn f(a: f32[6, 8], w: f32[10, 3]) -> f32[6, 3] = (for i in 0..6, j in 0..10: exp(a)[i, j - 1] ?? 0) @ w`,
    2,
  ],
  [
    "the gradient of split",
    `fn f(x: f32[6, 24]) -> f32[] {
  let (p, q, r) = split(x, 3, axis: -1)
  return sum(sin(p) * q + exp(r) * p)
}
export fn g(w: f32[24, 24], x: f32[6, 24]) -> f32[24, 24] = grad(f(x @ w), wrt: w)`,
    3,
  ],
  [
    "the gradient of gates in a loop",
    `fn run(w: f32[8, 24], x: f32[6, 8]) -> f32[5, 6, 8] = scan (t in 0..5; h = x, c = x * x) ${lstm}
export fn g(w: f32[8, 24], x: f32[6, 8]) -> (f32[8, 24], f32[6, 8]) = grad(sum(run(w, x)^2), wrt: (w, x))`,
    3, // the loops are launches of their own
  ],
];
test.each(programs)("%s", async (_, text, kernels) => {
  const { plan, program, diagnostics } = compile(text, { name: "pieces.dlm" });
  if (!plan || !program) throw new Error(renderDiagnostics(diagnostics));
  for (const d of await differences(plan, program)) expect(d).toBeLessThan(1e-5);
  const commands = plan.exports[0]!.program.commands;
  const launches = commands.reduce(
    (sum, c) => sum + (c.kind === "loop" ? c.count * dispatchesOf(c.body).length : c.kind === "dispatch" ? 1 : 0),
    0,
  );
  expect(launches).toBe(kernels);
});
