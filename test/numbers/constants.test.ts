// Constant expressions: WGSL makes one without a value of its type an error of the shader, so the compiler leaves none to the driver. Infinities
// are the language's `inf`, the largest finite number; what is no number stays none.
import { describe, expect, test } from "vitest";
import { expectAccepted, outcomeOf } from "../accepted.ts";
import { expectValues, valuesOf } from "./values.ts";

const x = [-2, 0, 0.5, 3];
const inf = 3.4028234663852886e38;
describe("constants of f32 in every place", () => {
  const odd = [
    "1e39",
    "-1e39",
    "1e-50",
    "3.4028235e38",
    "-3.4028235e38",
    "-0.0",
    "1e38 * 10",
    "log(0)",
    "log(0.0)",
    "sqrt(-1)",
    "exp(1000)",
    "exp(-1000)",
    "-exp(1000)",
    "inf",
    "-inf",
    "inf * 2",
    "inf - inf",
    "(-8)^0.5",
    "0^-1",
    "1e30^2",
    "tan(1.5707963267948966)",
    "lgamma(0)",
    "acos(2)",
    "i32(1e39)",
    "i32(-1e39)",
    "f32(i32(3000000000.0))",
    "1 / 3",
    "1e-45",
    "1.17549435e-38",
    "2^127",
    "2^-149",
    "16777217",
    "0.1 + 0.2",
  ];
  const places = [
    "x + K",
    "x * f32(K)",
    "x / max(f32(K), 1)",
    "f32(K) / (x * 0.0)",
    "where(x > 0, f32(K), x)",
    "max(x, f32(K))",
    "x^f32(K)",
    "exp(x * f32(K))",
    "sqrt(f32(K)) + x",
    "f32(K) * f32(K) * x",
    "tanh(f32(K)) + x",
    "f32(K) / f32(K + 1) + x",
    "clamp(x, -f32(K), f32(K))",
    "grad(sum(x^2 * f32(K)), wrt: x)",
    "grad(sum(where(x < f32(K), x^2 / f32(K), x)), wrt: x)",
    "sum(x * f32(K))",
    "floor(f32(K)) + round(f32(K)) + x",
    "x < f32(K)",
    "for i in 0..4: (x[i - 1] ?? f32(K))",
  ];
  test.each(places)("%s", { timeout: 300_000 }, async (place) => {
    const exports = odd.map((k, i) => `export fn f${i}(x: f32[4]) = ${place.replaceAll(/\bK\b/g, `(${k})`)}`);
    for (const text of exports) expect((await outcomeOf(text)).refused, text).toEqual([]);
  });
});
describe("values", () => {
  const table: [string, number[]][] = [
    ["x * 0 + exp(1000)", [inf, inf, inf, inf]],
    ["x * 0 + log(0.0)", [-inf, -inf, -inf, -inf]],
    ["where(x > 1, 1e38 * 10, 1.0)", [1, 1, 1, inf]],
    ["x + 1e-50", x],
    ["max(x, -1e39)", x],
    ["clamp(x, -inf, inf)", x],
    ["x * 1e39 * 0", [0, 0, 0, 0]],
    ["min(x, 3.4028235e38)", x],
  ];
  test.each(table)("%s", async (e, want) =>
    expect([...(await valuesOf(`export fn f(x: f32[4]) = ${e}`, { x })).device.flat()]).toEqual(want),
  );
  test("what is no number is none on the device either", async () => {
    for (const e of ["x + sqrt(-1)", "x + (-8)^0.5"])
      expect((await valuesOf(`export fn f(x: f32[4]) = ${e}`, { x })).device.flat().every(Number.isNaN), e).toBe(true);
  });
  test("only where it is taken", () => expectValues("export fn f(x: f32[4]) = where(x > 5, sqrt(-1), x)", { x }, x));
});
describe("hyper-parameters at their ends", () => {
  const [p, y] = [
    [-2, 0, 0.5, 3],
    [1, 0, 0.5, 1],
  ];
  const draws = { x, seed: 1 };
  test("Dropout(1.0) gives zeros", () =>
    expectValues(
      "model net(x: f32[B]) = x |> Dropout(1.0, always: true)\nexport fn f(x: f32[B], seed: i32) = net(x)",
      draws,
      [0, 0, 0, 0],
    ));
  test("and no gradient", () =>
    expectValues(
      "model net(x: f32[B]) = x |> Dropout(1.0, always: true)\nexport fn f(x: f32[B], seed: i32) = grad(sum(net(x)), wrt: x)",
      draws,
      [0, 0, 0, 0],
    ));
  test("Dropout(0) gives all", () =>
    expectValues(
      "model net(x: f32[B]) = x |> Dropout(0, always: true)\nexport fn f(x: f32[B], seed: i32) = net(x)",
      draws,
      x,
    ));
  test("smooth_l1 of beta 0 is l1", () =>
    expectValues(
      "export fn f(p: f32[4], y: f32[4]) = (smooth_l1(p, y, beta: 0) - l1(p, y), smooth_l1(p, y, beta: 0))",
      { p, y },
      [0, 1.25],
    ));
  test("its gradient", () =>
    expectValues(
      "export fn f(p: f32[4], y: f32[4]) = grad(smooth_l1(p, y, beta: 0), wrt: p)",
      { p, y },
      [-0.25, 0, 0, 0.25],
    ));
  test("huber of delta 0 is 0", () =>
    expectValues("export fn f(p: f32[4], y: f32[4]) = huber(p, y, delta: 0)", { p, y }, 0));
  test("celu of alpha 0 is relu", () =>
    expectValues("export fn f(x: f32[4]) = celu(x, alpha: 0)", { x }, [0, 0, 0.5, 3]));
});
describe("whole numbers at the ends of i32", () => {
  const ends = ["2147483647", "-2147483648", "2147483648", "4294967296", "3000000000", "-2147483649", "0", "-1", "1"];
  const uses = [
    "x + K",
    "x - K",
    "x * K",
    "K - x",
    "where(x > 3, K, x)",
    "x == K",
    "x < K",
    "x >= K",
    "max(x, K)",
    "x // 7 + K",
    "(x + K) // 2",
    "(x + K) % 5",
    "abs(x) + K",
  ];
  test.each(uses)("%s", { timeout: 300_000 }, async (use) => {
    for (const k of ends) {
      const text = `export fn f(x: i32[4]) = ${use.replaceAll(/\bK\b/g, `(${k})`)}`;
      expect((await outcomeOf(text)).refused, text).toEqual([]);
    }
  });
  test.each(["x // 2147483647", "x % 2147483647", "x // -3", "x % -2147483648"])("%s", (e) =>
    expectAccepted(`export fn f(x: i32[4] in -100..100) = ${e}`),
  );
});
