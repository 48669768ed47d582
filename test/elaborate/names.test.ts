// Names that stand for nothing are told of once, in declarations that nothing uses too; what binds a name does.
import { expect, test } from "vitest";
import { analyse } from "../../compiler/front.ts";

const told = (text: string): string[] =>
  analyse(text).diagnostics.map(
    (d) =>
      `${d.code} ${d.span.file.text.slice(d.span.start, d.span.end)}${d.hint?.startsWith("did") ? `, ${d.hint}` : ""}`,
  );

test.each([
  ["fn f(x: f32[B]) = x + lenght", ["DLM2001 lenght"]],
  ["fn f(width: f32[B]) = widht", ["DLM2001 widht, did you mean `width`?"]],
  ["fn f(x: f32[B, ...S]) = x + S", ["DLM2001 S"]], // `...S` is no value
  ["fn f(x: f32[B, D]) {\n  let (_, b) = split(x, 2, axis: 1)\n  return _ + b\n}", ["DLM2001 _"]],
  ["fn f(x: f32[B, 4]) = for b: x[b, i] + (sum over i: x[b, i])", ["DLM2001 i"]], // bound behind the colon only
  ["fn f(x: f32[B]) = (|v| v)(v)", ["DLM2001 v"]],
  ["fn f(x: f32[B]) = fold (k in 0..c; c = c) { next c = c + k }", ["DLM2001 c", "DLM2001 c"]],
  ["fn f(x: f32[B]) {\n  let a = b\n  let b = x\n  return a\n}", ["DLM2001 b"]],
  // sizes, in the words that elaboration has for them
  ["fn f(x: f32[n]) = x", ["DLM2016 n"]],
  ["layer L()(x: f32[B, D]) {\n  param w: f32[D, K] ~ normal(0, 1)\n  return x @ w\n}", ["DLM2016 K"]],
  [
    "layer L()(x: f32[B, D]) {\n  param w: f32[D, k] ~ normal(0, 1)\n  return x @ w\n}\n" +
      "model net(x: f32[B, 3]) = x |> L()\nexport fn f(x: f32[2, 3]) = net(x)",
    ["DLM2016 k"], // once, though elaboration finds it too
  ],
])("%s", (text, expected) => expect(told(text)).toEqual(expected));

test.each([
  "fn hot(i: i32[B] in 0..n, n: int) = for b, k in 0..n: f32(i[b] == k)",
  "fn same(x: f32[B, ...S]) = reshape[B, ...S](x)",
  "fn later(x: i32[B] in 0..K, y: f32[K]) = for b: y[x[b]]",
  "layer L(width: int)(x: f32[B, D]) {\n  param w: f32[D, width] ~ normal(0, 1)\n  let h: f32[B, width] = x @ w\n  return h\n}",
])("%s is right", (text) => expect(told(text)).toEqual([]));

const data = 'data d {\n  field x: f32[4] = npy("x.npy")\n  holdout valid = 0.2\n  rows: 100\n}\n';
const net = "model net(x: f32[B, 4]) = x |> Linear(1)\n";
const block = (on: string, more: string): string =>
  `${data}${net}train t on ${on}(batch: 4) {\n  epochs: 3\n  metric acc = mean(net(x))\n  ${more}\n  minimize mean(net(x)^2) by sgd(lr: 0.1)\n}\n`;
test("train blocks: fields behind `on`, and measured values in the settings that name them", () => {
  expect(told(block("d", "stop: stalled(min: valid.acc, patience: 3)"))).toEqual([]);
  expect(told(block("d", "let z = y"))).toEqual(["DLM2001 y"]);
  expect(told(block("d", "let z = acc"))).toEqual(["DLM2001 acc"]); // is measured, and no value here
  expect(told(block("e", "let z = y"))).toEqual(["DLM2001 e"]); // what its fields are is not known
});
