// Functions and layers that nothing applies: refused where their own dims do not fit, let pass where numbers are needed.
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

test("a layer that is applied is checked where it is", () => {
  const layer = "layer RGB()(x: f32[H, W, C]) -> f32[H, W, C] = x * [0.3, 0.6, 0.1]\n";
  expect(told(`${layer}model net(x: f32[8, 8, 3]) = x |> RGB()\nexport fn f(x: f32[8, 8, 3]) = net(x)\n`)).toEqual([]);
  expect(told(layer)).toEqual(["DLM2004 shapes do not fit: [3] with [H, W, C]"]);
});
test("layers within are checked too, at the line that uses them", () => {
  const text =
    "layer Inner(k: int)(x: f32[B, D]) -> f32[B, k] = x |> Linear(k)\nlayer Outer()(x: f32[B, D]) = x + (x |> Inner(7))\n";
  expect(told(text)).toEqual(["DLM2004 shapes do not fit: [B, D] with [B, 7]"]);
});
