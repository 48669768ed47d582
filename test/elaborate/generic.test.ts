// Functions, layers and models that nothing applies: refused where they fit for no caller or confuse two dims, let pass where numbers are needed.
import { describe, expect, test } from "vitest";
import { Scope } from "../../compiler/elaborate/context.ts";
import { declareItems } from "../../compiler/elaborate/declarations.ts";
import { newInterpreter } from "../../compiler/elaborate/interpreter.ts";
import { checkUnapplied } from "../../compiler/elaborate/unused.ts";
import { analyse } from "../../compiler/front.ts";
import { Compilation, within } from "../../compiler/graph/compilation.ts";
import { libraryFiles } from "../../compiler/std/library.ts";
import { parse } from "../../grammar/parser.ts";

const told = (text: string): string[] => analyse(text).diagnostics.map((d) => `${d.code} ${d.message}`);

test.each(libraryFiles.map((f) => [f.name, f.text]))("nothing is said of the declarations of %s", (_, text) => {
  expect(told(text)).toEqual([]);
});
test.each([
  "fn scaled(x: f32[B, D], y: f32[D]) = x * y",
  "layer Head(heads: int)(x: f32[B, T, D]) -> f32[B, T, D] =\n  reshape[B, T, D](reshape[B, T, heads, D // heads](x))",
  "layer Half(out: int)(x: f32[B, H, W, C]) = x |> Conv2d(out, k: 3, pad: 1) |> BatchNorm() |> MaxPool2d(2)",
  "layer Deep(n: int, width: int)(x: f32[B, D]) = x |> Linear(width) |> stack n of Linear(width)",
  "layer Choice(wide: bool)(x: f32[B, D]) = if wide then x |> Linear(9) else x",
  "fn untyped(x, y) = x + y",
  "fn applied(f: fn, x: f32[B]) = f(x) + 1",
  "fn pick(x: f32[N, K], i: i32[N] in 0..K) = for n: x[n, i[n]]",
  "layer Twice(act: fn)(x: f32[B, D]) = x |> Linear(D) |> Linear(D)",
])("%s", (text) => expect(told(text)).toEqual([]));

// Right where they are applied, so nothing is said of them where they are not.
test.each([
  ["fn grey(x: f32[H, W, C]) -> f32[H, W] = sum(x * [0.3, 0.6, 0.1], axis: -1)", "f(x: f32[8, 8, 3]) = grey(x)"],
  ["fn moved(x: f32[B, D]) = x - [1.0, 2.0]", "f(x: f32[4, 2]) = moved(x)"],
  ["fn scaled(x: f32[B, 2], g: f32[B, K]) = x * g", "f(x: f32[4, 2], g: f32[4, 2]) = scaled(x, g)"],
  ["fn joined(x: f32[B, D], y: f32[B, 3]) = concat([x, y], axis: 0)", "f(x: f32[4, 3]) = joined(x, x)"],
  ["fn twice(x: f32[B, D], w: f32[E, K]) = concat([x, x], axis: 1) @ w", "f(x: f32[4, 2], w: f32[4, 3]) = twice(x, w)"],
  ["fn halves(x: f32[B, D]) {\n  let (a, b) = split(x, 2, axis: 1)\n  return a * b\n}", "f(x: f32[4, 6]) = halves(x)"],
  ["fn image(x: f32[N, D]) = reshape[N, 28, 28, 1](x)", "f(x: f32[4, 784]) = image(x)"],
  ["fn flat(x: f32[N, H, W]) = reshape[N, H * W](x)", "f(x: f32[4, 6, 6]) = flat(x)"],
  ["fn turned(x: f32[B, C]) = einsum(`b c, c k -> b k`, x, [[1.0, 2.0], [3.0, 4.0]])", "f(x: f32[4, 2]) = turned(x)"],
  ["fn patches(x: f32[B, H, C]) = rearrange(x, `b (h p) c -> b h (p c)`, p: 4)", "f(x: f32[2, 8, 3]) = patches(x)"],
  ["fn column(x: f32[B, D]) -> f32[B] = squeeze(x, 1)", "f(x: f32[4, 1]) = column(x)"],
  ["fn product(a: f32[B, D], w: f32[4, K]) = a @ w", "f(a: f32[4, 4], w: f32[4, 2]) = product(a, w)"],
  ["fn three(x: f32[B, D]) -> f32[B, 3] = x", "f(x: f32[4, 3]) = three(x)"],
  ["fn start(x: f32[B, T]) -> f32[B, 10] = x[:, 0..10]", "f(x: f32[4, 17]) = start(x)"],
  ["fn changes(x: f32[T, D]) -> f32[1, D] = x[1..T] - x[0..T - 1]", "f(x: f32[2, 5]) = changes(x)"],
  ["fn weighed(x: f32[...S], w: f32[D]) = x * w", "f(x: f32[4, 5], w: f32[5]) = weighed(x, w)"],
  ["fn added(x: f32[...S], y: f32[B, D]) -> f32[B, D] = x + y", "f(x: f32[4, 5]) = added(x, x)"],
  ["fn cube(x: f32[...S]) -> f32[H, W, C] = x", "f(x: f32[4, 5, 3]) = cube(x)"],
  ["fn alone(x: f32[...S]) -> f32 = x", "f(x: f32[4]) = alone(sum(x))"],
  ["fn mapped(g: fn, x: f32[B, D]) = g(g(x)) + [1.0, 2.0]", "f(x: f32[4, 2]) = mapped(|y| y * 2, x)"],
  ["fn hot(i: i32[B] in 0..10) -> f32[B, K] = for b, k in 0..10: f32(i[b] == k)", "f(i: i32[4] in 0..10) = hot(i)"],
  ["fn up2(x: f32[B, N]) = reshape[B, 2 * N](expand[B, N, 2](unsqueeze(x, -1)))", "f(x: f32[4, 8]) = up2(x)"],
  [
    "fn woven(x: f32[B, N], y: f32[B, N]) = reshape[B, 2 * N](transpose([x, y], axes: [1, 2, 0]))",
    "f(x: f32[4, 8]) = woven(x, x)",
  ],
  ["fn tiled(x: f32[B, N]) = reshape[B, 3 * N](expand[B, 3, N](unsqueeze(x, 1)))", "f(x: f32[4, 8]) = tiled(x)"],
  [
    "fn columns(x: f32[B, T, C]) = reshape[B, T - 2, 3 * C](for b, t in 0..T - 2, j in 0..3, c: x[b, t + j, c])",
    "f(x: f32[4, 8, 2]) = columns(x)",
  ],
  ["fn paired(x: f32[B, 2 * N], y: f32[N]) = reshape[B, 2, N](x) + y", "f(x: f32[4, 8], y: f32[4]) = paired(x, y)"],
  ["fn wrapped(x: f32[B, D]) = for b, i in 0..D: x[b, i % (D - 4)]", "f(x: f32[4, 8]) = wrapped(x)"],
  ["fn noisy(x: f32[B, D]) = normal[B, D] + x", "f(x: f32[4, 8]) = noisy(x)"],
  ["fn one(x: f32[B, D]) = expand[B, 1](x)", "f(x: f32[4, 1]) = one(x)"],
  // defaults are one value of many
  [
    "fn centred(x: f32[B, D], keep: bool = false) = x - mean(x, axis: 1, keep: keep)",
    "f(x: f32[4, 8]) = centred(x, keep: true)",
  ],
  [
    "fn pooled(x: f32[B, T, D], axis: int = 0) -> f32[B, D] = mean(x, axis: axis)",
    "f(x: f32[4, 8, 2]) = pooled(x, axis: 1)",
  ],
  ["fn halved(x: f32[B, D], n: int = -1) = split(x, n, axis: 1)[0]", "f(x: f32[4, 8]) = halved(x, 2)"],
  [
    "fn lossy(p: f32[B, D], y: f32[B, D], reduce: fn = each) -> f32 = reduce((p - y)^2)",
    "f(p: f32[4, 8], y: f32[4, 8]) = lossy(p, y, mean)",
  ],
  ["fn scaled(x: f32[B, D], m = true) = x * m", "f(x: f32[4, 8]) = scaled(x, 2)"],
  ["fn kept(x: f32[B], p: f32) = if p > 0.7 then x else x + true", "f(x: f32[4]) = kept(x, 0.9)"],
  ["fn kept(x: f32[B], p: f32 = 0.1) = if p == 0.3 then x else x + true", "f(x: f32[4]) = kept(x, 0.3)"],
  ["fn none(x: f32[B], n: int) = if n >= 1 then x + true else x", "f(x: f32[4]) = none(x, 0)"],
  ["fn longer(x: f32[B, 1], n: int) = reshape[B, n + 1](x)", "f(x: f32[4, 1]) = longer(x, 0)"],
  ["fn trained(x: f32[B, D]) = if training then x else x + true", undefined],
  // any number of axes, and not as many for every name
  ["fn video(x: f32[...S]) -> f32[B, T, H, W, C] = x", "f(x: f32[2, 3, 4, 5, 6]) = video(x)"],
  ["fn turned(x: f32[...S]) = rearrange(x, `a b c d e -> e d c b a`)", "f(x: f32[2, 3, 4, 5, 6]) = turned(x)"],
  ["fn like(x: f32[...S], y: f32[...R]) -> f32[...R] = sum(x, axis: 0)", "f(x: f32[2, 3], y: f32[3]) = like(x, y)"],
  ["fn paired(x: f32[...S], y: f32[...R]) = for i, j: x[i, j] * y[i, j]", "f(x: f32[2, 3]) = paired(x, x)"],
  ["fn beside(x: f32[...S], y: f32[...R]) -> f32[...S, ...R] = x", undefined],
  [
    "fn loss(p: f32[B, K], y: i32[B] in 0..10) = cross_entropy(p, y)",
    "f(p: f32[4, 10], y: i32[4] in 0..10) = loss(p, y)",
  ],
  [
    "fn summed(x: f32[T, D], h: f32[2]) = fold (v in x; s = h) { next s = s + v }",
    "f(x: f32[9, 2], h: f32[2]) = summed(x, h)",
  ],
])("%s", (declaration, use) => {
  if (use !== undefined) expect(told(`${declaration}\nexport fn ${use}\n`)).toEqual([]);
  expect(told(declaration)).toEqual([]);
});
test.each([
  ["layer L(width: int)(x: f32[B, D]) = x + (x |> Linear(width))", "L(5)", "5"],
  ["layer L(deep: int = 2)(x: f32[B, D]) = x + (x |> stack deep of Linear(D)) * [1.0, 2.0]", "L()", "2"],
  ["layer L(out: int)(x: f32[B, H, W, C]) = x + (x |> Conv2d(out, k: 3, pad: 1))", "L(2)", "8, 8, 2"],
  [
    "layer L(heads: int = 4)(x: f32[B, T, D]) {\n  let q = reshape[B, T, heads, D // heads](x |> Linear(D))\n" +
      "  return reshape[B, T, 8](einsum(`b t h d, b u h d, b u h e -> b t h e`, q, q, q))\n}",
    "L()",
    "3, 8",
  ],
  [
    "layer L(pad: int = 0)(x: f32[B, H, W, C]) -> f32[B, H, W, C] = x |> Conv2d(C, k: 3, pad: pad)",
    "L(pad: 1)",
    "8, 8, 2",
  ],
  ["layer L(pad: int)(x: f32[B, H, W, C]) -> f32[B, H, W, C] = x |> Conv2d(C, k: 1, pad: pad)", "L(0)", "8, 8, 2"],
  ["layer L(mult: int = 4)(x: f32[B, D]) -> f32[B, D] = x |> Linear(mult * D)", "L(mult: 1)", "8"],
  ["layer L(out: int = 10)(x: f32[B, D]) -> f32[B] = squeeze(x |> Linear(out), 1)", "L(out: 1)", "8"],
  [
    "layer L(residual: bool = true)(x: f32[B, D]) =\n  if residual then x + (x |> Linear(2 * D)) else x |> Linear(2 * D)",
    "L(residual: false)",
    "8",
  ],
  // one layer in another of its kind, as a value
  ["layer L(inner: fn = relu)(x: f32[B, D]) = x + inner(x)", "L(|y| y |> L(|z| z |> L(tanh)))", "8"],
  ["layer L()(x: f32[B, T, D]) {\n  param p: f32[64, D] ~ normal(0, 0.02)\n  return x + p\n}", "L()", "64, 8"],
])("%s", (declaration, layer, shape) => {
  const use = `model net(x: f32[B, ${shape}]) = x |> ${layer}\nexport fn f(x: f32[4, ${shape}]) = net(x)\n`;
  expect(told(`${declaration}\n${use}`)).toEqual([]);
  expect(told(declaration)).toEqual([]);
});
test.each([
  ["fn f(x: f32[B, D], w: f32[E, E]) = x @ w", "DLM2004 shapes do not fit: [B, D] @ [E, E]"],
  ["fn f(x: f32[B, D]) = x + concat([x, x], axis: 1)", "DLM2004 shapes do not fit: [B, D] with [B, 2 * D]"],
  ["fn f(x: f32[B, D]) = x * [0.3, 0.6, 0.1] + [1.0, 2.0]", undefined], // the first line may fit, what is behind it is not known
  ["fn f(x: f32[B, 2]) = x * [0.3, 0.6, 0.1]", "DLM2004 shapes do not fit: [3] with [B, 2]"],
  ["fn f(x: f32[B]) = reshape[B, 2](x)", "DLM2003 shapes do not fit: reshape wants [B, 2] but receives [B]"],
  ["fn f(x: f32[B, 6]) = expand[B, 1](x)", "DLM2003 shapes do not fit: expand wants 1 in axis 1 but receives 6"],
  [
    "fn f(x: f32[...S]) -> f32[...S] = concat([x, [x]])",
    "DLM2003 shapes do not fit: concat wants f32[S0, S1] (axis 0 may differ) but receives f32[1, S0, S1]",
  ],
  [
    "layer L(out: int)(x: f32[B, D]) -> f32[B, out] = x",
    "DLM2003 shapes do not fit: the result of L wants f32[B, out] but receives f32[B, D]",
  ],
  ["fn f(t: (f32[B, D], f32[E])) {\n  let (a, b) = t\n  return a + b\n}", "DLM2004 shapes do not fit: [E] with [B, D]"],
])("%s is told of", (text, message) => {
  expect(told(text)).toEqual(message ? [message] : []);
});
// The exception: what the signature names apart is meant to be two, even where a caller's sizes make them one.
test.each([
  ["fn f(x: f32[A, B]) = x @ x", "g(x: f32[4, 4]) = f(x)", "DLM2004 shapes do not fit: [A, B] @ [A, B]"],
  [
    "fn f(x: f32[B, D], n: int) -> f32[B, n] = x",
    "g(x: f32[4, 3]) = f(x, 3)",
    "DLM2003 shapes do not fit: the result of f wants f32[B, n] but receives f32[B, D]",
  ],
])("%s is told of, though it has callers that it fits", (declaration, use, message) => {
  expect(told(`${declaration}\nexport fn ${use}\n`)).toEqual([]);
  expect(told(declaration)).toEqual([message]);
});
// not in the signature as an axis: a number that may come out as it should
test("fn f(x: f32[B, D], n: int) = x + zeros[B, n] is let pass", () =>
  expect(told("fn f(x: f32[B, D], n: int) = x + zeros[B, n]")).toEqual([]));
// What is wrong whatever the sizes are, as the same text is told where it is applied to `given`.
describe.each([
  ["mean(x, axis: 2)", "DLM2007 this has no axis 2: there are 2 axes, 0 to 1"],
  ["x[0, 0, 0]", "DLM2007 this index has 3 entries for 2 axes"],
  ["-(x > 0)", "DLM2006 a number is needed here, this is bool[B, D]"],
  ["x and x", "DLM2006 true or false is needed here, this is f32"],
  ["relu(x, x)", "DLM2007 relu takes 1 argument, 2 are given"],
  ["relu(y: x)", "DLM2001 there is no parameter `y` of relu"],
  ["x.foo", "DLM2006 an instance or data is needed here, this is f32[B, D]"],
  ["x(3)", "DLM2006 a function is needed here, this is f32[B, D]"],
])("%s", (formula, message) => {
  const texts = ["fn m", "layer m()", "model m"].map((head) => `${head}(x: f32[B, D]) = ${formula}`);
  test.each(texts)("%s", (text) => expect(told(text)).toEqual([message]));
});
test.each([
  [
    "model other(x: f32[B, D]) -> f32[B, 3] = x |> Linear(4)",
    "DLM2003 shapes do not fit: the result of other wants f32[B, 3] but receives f32[B, 4]",
  ],
  [
    "model other(x: f32[B, D]) -> f32[B] = x |> Linear(1)",
    "DLM2003 shapes do not fit: the result of other wants f32[B] but receives f32[B, 1]",
  ],
  ["fn f(x: f32[B, T, 3 * D]) = x", "DLM2016 the dim D is not bound"],
  ["layer f()(x: f32[B, T, 3 * D]) = x", "DLM2016 the dim D is not bound"],
  ["model f(x: f32[B, T, 3 * D]) = x", "DLM2016 the dim D is not bound"],
  ["fn f(x: f32[B]) {\n  let a = x\n  let a = x\n  return a\n}", "DLM2002 `a` is bound twice"],
  ["fn f(x: f32[B]) = x |> Linear(4)", "DLM2014 an instance of Linear cannot stand in a fn"],
  ["fn rec(x: f32[A]) = rec(x)", "DLM2013 `rec` reaches itself"],
  ["fn f(x: f32[B, D], p: f32 = 0.1, n: int = 2) = p * (x + true)", "DLM2005 f32 does not combine with bool"],
])("%s is told of", (text, message) => expect(told(text)).toEqual([message]));
test.each([
  "|> flatten |> Linear(10)",
  "|> split(2, axis: 1) |> |a, b| a * b",
  "|> |y| normal[B, D, 3] + y",
  "|> categorical",
  "|> |y| rearrange(y, `b t d -> b (t d)`)",
  "|> std",
  "|> |y| y * size(y)",
  "|> |y| for b, i in 0..D, j: y[b, i % (D - 4), j]",
])("a limit of run-time sizes is no fault of a model: x %s", (rest) => {
  for (const head of ["model m", "layer m()"]) expect(told(`${head}(x: f32[B, D, 3]) = x ${rest}`)).toEqual([]);
});
describe("what reaches itself, applied or not", () => {
  const use = "export fn f(x: f32[4, 3]) = m(x)\n";
  test.each([
    ["model m(x: f32[B, 3]) = m(x)\n", "m(x)"],
    ["model m(x: f32[B, 3]) = other(x)\nmodel other(x: f32[B, 3]) = m(x)\n", "m(x)"],
    ["layer R()(x: f32[B, 3]) = x |> R()\nmodel m(x: f32[B, 3]) = x |> R()\n", "x |> R()"],
    [
      "layer R()(x: f32[B, 3]) = x |> S()\nlayer S()(x: f32[B, 3]) = x |> R()\nmodel m(x: f32[B, 3]) = x |> R()\n",
      "x |> R()",
    ],
  ])("%s", (text, call) => {
    for (const whole of [text, text + use]) {
      const { diagnostics } = analyse(whole);
      expect(diagnostics.map((d) => d.code)).toContain("DLM2013");
      expect(diagnostics.filter((d) => d.code !== "DLM2013")).toEqual([]);
      expect(diagnostics.map((d) => whole.slice(d.span.start, d.span.end))).toContain(call);
    }
  });
});
test.each([false, true])("a chain of functions is walked once (each applies the next: %s)", (turned) => {
  const calls = (first: string, n: number): number => {
    const lines = [first, ...Array.from({ length: n }, (_, i) => `fn f${i + 1}(x: f32[A]) = f${i}(x) + 1`)];
    const { file } = parse({ name: "x.dlm", text: (turned ? lines.toReversed() : lines).join("\n") });
    return within(new Compilation(), () => {
      const self = newInterpreter([]);
      const scope = new Scope();
      declareItems(self, file.items, scope, {}, (f) => f());
      checkUnapplied(self, file, scope, false);
      return self.work.calls;
    });
  };
  for (const first of ["x * 2", "x + true", "reshape[28](x)"])
    expect(calls(`fn f0(x: f32[B]) = ${first}`, 100), first).toBeLessThan(210);
});
test("a fault is told once, where it stands", () => {
  const chain = "fn a(x: f32[B]) = x + true\nfn b(y: f32[C]) = a(y)\nfn c(z: f32[K]) = b(z)";
  expect(told(chain)).toEqual(["DLM2005 f32 does not combine with bool"]);
});
test("models that nothing applies are checked by the same rule", () => {
  const grey = "model grey(x: f32[H, W, C]) = sum(x * [0.3, 0.6, 0.1], axis: -1)";
  expect(told(`${grey}\nexport fn f(x: f32[8, 8, 3]) = grey(x)`)).toEqual([]);
  expect(told(grey)).toEqual([]);
  const plus = "model plus(x: f32[B, D], y: f32[B, E]) = x + y";
  expect(told(`${plus}\nexport fn f(x: f32[4, 2]) = plus(x, x)`)).toEqual([]); // though it has no parameters
  expect(told(plus)).toEqual(["DLM2004 shapes do not fit: [B, D] with [B, E]"]);
});
test("layers within are checked too, at the line that uses them", () => {
  const text =
    "layer Inner(k: int)(x: f32[B, D]) -> f32[B, k] = x |> Linear(k)\nlayer Outer()(x: f32[B, D]) = x + (x |> Inner(D + 1))\n";
  expect(told(text)).toEqual(["DLM2004 shapes do not fit: [B, D] with [B, D + 1]"]);
});
