// Functions and layers that nothing applies: refused where they fit for no caller or confuse two dims, let pass where numbers are needed.
import { expect, test } from "vitest";
import { analyse } from "../../compiler/front.ts";
import { libraryFiles } from "../../compiler/std/library.ts";

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
  [
    "fn loss(p: f32[B, K], y: i32[B] in 0..10) = cross_entropy(p, y)",
    "f(p: f32[4, 10], y: i32[4] in 0..10) = loss(p, y)",
  ],
  [
    "fn summed(x: f32[T, D], h: f32[2]) = fold (v in x; s = h) { next s = s + v }",
    "f(x: f32[9, 2], h: f32[2]) = summed(x, h)",
  ],
])("%s", (declaration, use) => {
  expect(told(`${declaration}\nexport fn ${use}\n`)).toEqual([]);
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
