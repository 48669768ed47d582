// Rules of loads and nodes on minimal sources: what is left of them, as formulas.
import { expect, test } from "vitest";
import { printGraph } from "../../compiler/graph/print.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import { programOf } from "../graph/programs.ts";
import { checkSimplify, drawn } from "./compare.ts";

/** The formulas of an export after simplification, without its inputs; the rules that must have applied. */
function check(source: string, ...applied: string[]): string {
  const { program } = programOf(`export fn ${source}`).exports[0]!;
  const { program: simple, fired } = checkSimplify(program, drawn(program));
  expect([...fired.keys()]).toEqual(expect.arrayContaining(applied));
  return printGraph(simple)
    .split("\n")
    .filter((line) => !/^(input|parameter|output)|^$/.test(line))
    .join("\n");
}
test("slices, transposes and expansions are read in place", () => {
  expect(check("f(x: f32[4, 6], w: f32[4, 3]) = transpose(x)[1..4] @ w", "load-of-view")).toMatchInlineSnapshot(
    `"%0[i, j]: f32[3, 3] = sum(k < 4) w[k, j] * x[k, i + 1]"`,
  );
  expect(check("f(x: f32[3, 4]) = sum(expand[2, 3, 4](x) * 2, axis: 0)", "broadcast-of-smaller"))
    .toMatchInlineSnapshot(`
    "%0[i, j]: f32[3, 4] = x[i, j] * 2
    %1[i, j]: f32[3, 4] = %0[i, j] * 2"
  `);
  expect(check("f(x: f32[5]) = for i in 0..5: (roll(x, 2)[i] ?? 0) + x[i]")).toMatchInlineSnapshot(`
    "%0[i]: f32[5] = x[(i + 3) mod 5]
    %1[i]: f32[5] = x[i] + %0[i]"
  `);
});
test("masks and iotas are written where they are read", () => {
  expect(check("f(x: f32[4, 4]) = where(causal_mask(4), x, 0)", "load-of-formula")).toMatchInlineSnapshot(
    `"%0[i, j]: f32[4, 4] = select(i >= j, x[i, j], 0)"`,
  );
  expect(check("f(x: f32[4]) = x * f32(for i in 0..4: 2 * i)", "load-of-formula")).toMatchInlineSnapshot(
    `"%0[i]: f32[4] = x[i] * to_f32(2 * i)"`,
  );
});
test("data that is known is computed", () => {
  expect(check("f(x: f32[3]) = x * softmax(f32([1, 2, 3]))", "constant-node")).toMatchInlineSnapshot(`
    "constant const: f32[3] = [0.09003057330846786, 0.2447284758090973, 0.6652409434318542]
    %0[i]: f32[3] = x[i] * const[i]"
  `);
  expect(check("f(x: f32[3]) = x * sum(f32([1, 2, 3]))", "constant-node")).toMatchInlineSnapshot(
    `"%0[i]: f32[3] = x[i] * 6"`,
  );
});
test("a one-hot that is summed is a read, and a read of data differentiates to a scatter", () => {
  expect(check("f(w: f32[4, 3], y: i32[5] in 0..4) = one_hot(y, 4) @ w", "one-term-of-a-sum")).toMatchInlineSnapshot(
    `"%0[i, j]: f32[5, 3] = w[y[i], j]"`,
  );
  expect(check("f(w: f32[4, 3], y: i32[5] in 0..4) = grad(sum((one_hot(y, 4) @ w)^2), wrt: w)")).toMatchInlineSnapshot(`
    "%0[i, j]: f32[5, 3] = w[y[i], j]
    %1[i, j]: f32[5, 3] = %0[i, j] * 2
    %2[i, j]: f32[5, 4] = select(y[i] == j, 1, 0)
    d_w[i, j]: f32[4, 3] = sum(k < 5) %2[k, i] * %1[k, j]"
  `);
});
test("a sum that only a sum reads is part of it; guards shrink axes", () => {
  expect(
    check("f(x: f32[3, 4], w: f32[3, 4]) = sum(for i: sum over j: x[i, j] * w[i, j])", "sum-of-sum"),
  ).toMatchInlineSnapshot(`"%0: f32 = sum(k < 3, u < 4) x[k, u] * w[k, u]"`);
  expect(check("f(x: f32[9]) = sum over i in 0..9: where(i >= 2 and i < 6, x[i], 0)")).toMatchInlineSnapshot(
    `"%0: f32 = sum(k < 4) x[k + 2]"`,
  );
});
test("the gradient of cross entropy is the softmax minus the one-hot", () => {
  expect(check("f(z: f32[5, 3], y: i32[5] in 0..3) = grad(cross_entropy(z, y), wrt: z)")).toMatchInlineSnapshot(`
    "%0[i]: f32[5] = max(k < 3) z[i, k]
    z'1[i, j]: f32[5, 3] = z[i, j] - %0[i]
    %1[i, j]: f32[5, 3] = exp(z'1[i, j])
    %2[i]: f32[5] = sum(k < 3) %1[i, k]
    %3[i]: f32[5] = 0.2 / %2[i]
    d_lp[i, j]: f32[5, 3] = select(y[i] == j, -0.2, 0)
    d_z[i, j]: f32[5, 3] = d_lp[i, j] + %1[i, j] * %3[i]"
  `);
});
test("the two gradients of a strided convolution stay contractions", () => {
  const layer = "for b, i in 0..5, o: sum over k, c: (x[b, 2 * i + k - 1, c] ?? 0) * w[k, c, o]";
  expect(check(`f(x: f32[2, 9, 3], w: f32[3, 3, 4], h: f32[2, 5, 4]) = grad(sum((${layer}) * h), wrt: (x, w))`))
    .toMatchInlineSnapshot(`
      "d_x[i, j, l]: f32[2, 9, 3] = sum(k < 4, u < 2) (w[2 * u + (j + 1) mod 2, l, k] ?? 0) * (h[i, -u + floor((j + 1) / 2), k] ?? 0)
      d_w[i, j, l]: f32[3, 3, 4] = sum(k < 2, u < 5) (x[k, i + 2 * u - 1, j] ?? 0) * h[k, u, l]"
    `);
});
test("deviations from a mean sum up to nothing; other differences do not", () => {
  expect(
    check("f(x: f32[3, 4]) = sum(x - mean(x, axis: -1, keep: true), axis: -1)", "sum-of-deviations"),
  ).toMatchInlineSnapshot(`"%0[i]: f32[3] = 0"`);
  expect(
    check("f(x: f32[3, 4]) = sum(x - mean(x, axis: 0, keep: true), axis: 0)", "sum-of-deviations"),
  ).toMatchInlineSnapshot(`"%0[i]: f32[4] = 0"`);
  // of other numbers, over another axis, another factor
  expect(check("f(x: f32[3, 4], y: f32[3, 4]) = sum(y - mean(x, axis: -1, keep: true), axis: -1)"))
    .toMatchInlineSnapshot(`
    "%0[i]: f32[3] = sum(k < 4) x[i, k]
    %1[i, 0]: f32[3, 1] = %0[i] * 0.25
    %2[i, j]: f32[3, 4] = y[i, j] - %1[i, 0]
    %3[i]: f32[3] = sum(k < 4) %2[i, k]"
  `);
  expect(check("f(x: f32[4, 4]) = sum(x - mean(x, axis: 0, keep: true), axis: 1)")).toMatchInlineSnapshot(`
    "%0[i]: f32[4] = sum(k < 4) x[k, i]
    %1[0, j]: f32[1, 4] = %0[j] * 0.25
    %2[i, j]: f32[4, 4] = x[i, j] - %1[0, j]
    %3[i]: f32[4] = sum(k < 4) %2[i, k]"
  `);
  expect(check("f(x: f32[3, 4]) = sum(x - sum(x, axis: -1, keep: true) * 0.3, axis: -1)")).toMatchInlineSnapshot(`
    "%0[i]: f32[3] = sum(k < 4) x[i, k]
    %1[i, 0]: f32[3, 1] = %0[i] * 0.3
    %2[i, j]: f32[3, 4] = x[i, j] - %1[i, 0]
    %3[i]: f32[3] = sum(k < 4) %2[i, k]"
  `);
});
test("a sum does not wait for another that only scales it", () => {
  expect(check("f(a: f32[3, 4], b: f32[3, 4]) = sum(softmax(a) * b, axis: -1)", "sum-of-terms")).toMatchInlineSnapshot(`
    "%0[i]: f32[3] = max(k < 4) a[i, k]
    %1[i, j]: f32[3, 4] = a[i, j] - %0[i]
    e[i, j]: f32[3, 4] = exp(%1[i, j])
    %2[i]: f32[3] = sum(k < 4) e[i, k]
    %3[i]: f32[3] = sum(k < 4) b[i, k] * e[i, k]
    %4[i]: f32[3] = %3[i] / %2[i]"
  `);
  expect(
    check(
      "f(a: f32[3, 4], b: f32[3, 4]) = sum(sum(b, axis: -1, keep: true) * a - b / max(a, axis: -1, keep: true), axis: -1)",
      "sum-of-terms",
    ),
  ).toMatchInlineSnapshot(`
    "%0[i]: f32[3] = max(k < 4) a[i, k]
    %1[i]: f32[3] = sum(k < 4) b[i, k]
    %2[i]: f32[3] = sum(k < 4) a[i, k]
    %3[i]: f32[3] = %1[i] * %2[i] - %1[i] / %0[i]"
  `);
  // the gradient of a layer norm as in the books: the row's sums of g dy and of g dy (x - m), one after the other no more
  expect(
    check(
      `f(x: f32[3, 4], g: f32[4], dy: f32[3, 4]) -> f32[3, 4] {
    let m = mean(x, axis: -1, keep: true)
    let y = (x - m) / sqrt(mean((x - m)^2, axis: -1, keep: true) + 1e-5) * g
    return grad(sum(y * dy), wrt: x)
  }`,
      "sum-of-terms",
    ),
  ).toMatchInlineSnapshot(`
    "%0[i]: f32[3] = sum(k < 4) x[i, k]
    m[i, 0]: f32[3, 1] = %0[i] * 0.25
    %1[i, j]: f32[3, 4] = x[i, j] - m[i, 0]
    %2[i, j]: f32[3, 4] = %1[i, j] * %1[i, j]
    %3[i]: f32[3] = sum(k < 4) %2[i, k]
    %4[i, 0]: f32[3, 1] = %3[i] * 0.25
    %5[i, 0]: f32[3, 1] = %4[i, 0] + 0.00001
    %6[i, 0]: f32[3, 1] = sqrt(%5[i, 0])
    %7[i, j]: f32[3, 4] = g[j] * dy[i, j]
    %8[i]: f32[3] = sum(k < 4) %7[i, k]
    d_m[i]: f32[3] = %8[i] / %6[i, 0]
    %9[i]: f32[3] = d_m[i] * -0.25
    %10[i]: f32[3] = sum(k < 4) %1[i, k] * %7[i, k]
    %11[i]: f32[3] = %10[i] / %6[i, 0]
    %12[i, 0]: f32[3, 1] = -(%11[i] / %6[i, 0])
    %13[i, 0]: f32[3, 1] = 0.5 / %6[i, 0] * %12[i, 0]
    %14[i]: f32[3] = %13[i, 0] * 0.25
    %15[i, j]: f32[3, 4] = 1 / %6[i, 0] * %7[i, j] + %1[i, j] * %14[i] * 2
    d_x[i, j]: f32[3, 4] = %15[i, j] + %9[i]"
  `);
  // it would wait all the same
  expect(check("f(a: f32[3, 4], b: f32[3]) = for i: sum over k: b[i] * a[i, k] + a[i, k]^2")).toMatchInlineSnapshot(
    `"%0[i]: f32[3] = sum(k < 4) b[i] * a[i, k] + a[i, k] * a[i, k]"`,
  );
});
test("long chains of products and sums are no deep recursion", () => {
  const chain = Array.from(
    { length: 3000 },
    (_, i) => `  let x${i + 1} = x${i} * sum(x${i}, axis: -1, keep: true)`,
  ).join("\n");
  const { program } = programOf(`export fn f(x0: f32[2, 3]) -> f32[2] {\n${chain}\n  return sum(x3000, axis: -1)\n}`)
    .exports[0]!;
  expect(simplify(program).outputs).toHaveLength(1);
});
