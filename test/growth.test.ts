// Compiling takes work that grows as the program does: of twice the depth at most 2.3 times as much. Counted, not timed.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compile } from "../compiler/compile.ts";
import { analyse } from "../compiler/front.ts";
import { renderDiagnostics } from "../grammar/render.ts";
import { workOf } from "./work.ts";

const fn = (body: string): string => `export fn g(x: f32[4, 4]) -> f32[4, 4] {\n${body}\n}\n`;
const chain = (n: number, step: (before: string, k: number) => string): string =>
  ["  let a0 = x", ...Array.from({ length: n }, (_, k) => `  let a${k + 1} = ${step(`a${k}`, k)}`)].join("\n");
const trained = (layers: string): string => `model net(x: f32[B, 8]) -> f32[B, 8] = x |> ${layers}
data d { rows: 32
  field x: f32[8] = uniform(0, 1)[8] }
train fit on d(batch: 8) { minimize mean(net(x)^2) by adam(lr: 1e-3)
  steps: 10 }`;
/** One row a step: the gradients of the positions are made of those of all layers element by element. */
const residual = (
  layers: string,
): string => `model net(ids: i32[B, 6] in 0..40) -> f32[B, 6, 8] = ids |> Embedding(40, 8) |> Position() |> ${layers}
layer Position()(x: f32[B, T, D]) -> f32[B, T, D] { param p: f32[T, D] ~ normal(0, 0.02)
  return x + p }
layer Block()(x: f32[B, T, D]) -> f32[B, T, D] = x + (x |> LayerNorm() |> Linear(D, act: tanh))
data d { rows: 32
  field ids: i32[6] in 0..40 = randint(0, 40)[6] }
train fit on d(batch: 1) { minimize mean(net(ids)^2) by adam(lr: 1e-3)
  steps: 10 }`;
const numbered = (n: number, line: (k: number) => string): string =>
  Array.from({ length: n }, (_, k) => line(k + 1)).join("\n");
const gate = "(|h| h * h + sigmoid(h) * h)";
const kinds: Readonly<Record<string, (n: number) => string>> = {
  "a stack of functions": (n) => fn(`  return x |> stack ${n} of ${gate}`),
  "its gradient": (n) => fn(`  return grad(sum(x |> stack ${n} of ${gate}), wrt: x)`),
  "a second derivative": (n) =>
    fn(`  let l = sum(x |> stack ${n} of ${gate})\n  return grad(sum(grad(l, wrt: x) ^ 2), wrt: x)`),
  "conditions below conditions": (n) => fn(`  return grad(sum(x |> stack ${n} of relu), wrt: x)`),
  "a loop whose step is a stack": (n) => fn(`  return fold (t in 0..3; h = x) { next h = h |> stack ${n} of relu }`),
  "the gradient of such a loop": (n) =>
    fn(`  let s = fold (t in 0..3; h = x) { next h = h |> stack ${n} of relu }\n  return grad(sum(s), wrt: x)`),
  "rows of rows": (n) => fn(`  return grad(sum(x |> stack ${n} of softmax), wrt: x)`),
  lets: (n) => fn(`${chain(4 * n, (a) => `tanh(${a}) * 0.5 + ${a}`)}\n  return a${4 * n}`),
  "lets that read far above": (n) =>
    fn(`${chain(2 * n, (a, k) => `tanh(${a}) + a${Math.floor(k / 2)}`)}\n  return a${2 * n}`),
  "products of matrices, one of them read by all": (n) =>
    fn(`${chain(n, (a) => `tanh(${a} @ x)`)}\n  return grad(sum(a${n}), wrt: x)`),
  sums: (n) => fn(`${chain(n, (a) => `${a} - mean(${a})`)}\n  return a${n}`),
  exports: (n) => numbered(n, (k) => `export fn f${k}(x: f32[B, 4]) -> f32[B, 4] = softmax(x * ${k})`),
  "functions of functions": (n) =>
    `fn f0(x: f32[4]) = tanh(x)\n${numbered(n, (k) => `fn f${k}(x: f32[4]) = tanh(f${k - 1}(x))`)}\nexport fn g(x: f32[4]) = f${n}(x)`,
  "layers that are trained": (n) => trained(Array.from({ length: n }, () => "Linear(8, act: tanh)").join(" |> ")),
  "a stack of residual layers over an embedding that are trained": (n) => residual(`stack ${n / 4} of Block()`),
  "a stack of layers that are trained": (n) => trained(`stack ${n} of Linear(8, act: tanh)`),
};
const compiled = (text: string): void => {
  const { plan, diagnostics } = compile(text, { name: "m.dlm" });
  if (!plan) throw new Error(diagnostics[0]?.message);
};
test.each(Object.entries(kinds))(
  "%s",
  (_, text) => {
    compiled(text(4)); // what is made once is not counted
    const [once, twice] = [128, 256].map((n) => workOf(() => compiled(text(n))));
    expect(twice! / once!).toBeLessThan(2.3);
  },
  300_000,
);
test("thousands of unknown names are all told, the first with what is meant", () => {
  const text = (n: number): string => numbered(n, (k) => `export fn f${k}(x: f32[4]) = x + g${k}`);
  const all = analyse(text(300)).diagnostics;
  expect(all.map((d) => d.code)).toEqual(all.map(() => "DLM2001"));
  expect(all.length).toBe(300);
  expect(all[0]!.hint).toBe("did you mean `f1`?");
  const [once, twice] = [800, 1600].map((n) => workOf(() => analyse(text(n))));
  expect(twice! / once!).toBeLessThan(2.3);
  expect(renderDiagnostics(all).endsWith("\n\n300 errors; the first 100 are shown")).toBe(true);
});
test.each(["a stack of functions", "its gradient", "a second derivative", "lets", "sums"])(
  "deeper than the passes that recurse can go: %s",
  (kind) => compiled(kinds[kind]!(1000)),
  300_000,
);
test.each(["software", "discrete", "integrated"])("equal layers have the same kernels for %s devices", (target) => {
  const text = readFileSync(new URL("../bench/models/w3.dlm", import.meta.url), "utf8");
  const [few, many] = [4, 7].map((layers) => {
    const { plan } = compile(text, { name: "w3.dlm", target, set: { layers: String(layers) } });
    return plan!.modules.length;
  });
  expect(many).toBeLessThanOrEqual(few!);
});
