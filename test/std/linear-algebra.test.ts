// Sorting, counting and linear algebra against matrices that are put together from what is to be found, and against naive sums.
import { describe, expect, test } from "vitest";
import { numbers } from "../grad/check.ts";
import { result, results } from "./results.ts";

const near = (got: readonly number[], want: readonly number[], digits = 8): void => {
  expect(got.length).toBe(want.length);
  want.forEach((w, i) => expect(got[i]!, `element ${i}`).toBeCloseTo(w, digits));
};
/** Numbers with ties. */
const tied = (n: number, seed: number): number[] => numbers(n, seed).map((x) => Math.round(x * 8) / 8);
const orderOf = (x: readonly number[], sign = 1): number[] =>
  x.map((_, i) => i).sort((a, b) => sign * (x[a]! - x[b]!) || a - b);

describe("sorting", () => {
  // up to 512 elements all pairs are compared, beyond runs are merged
  test.each([1, 2, 7, 600])("of %i elements", (n) => {
    const x = tied(n, n);
    const given = { x: [`f32[${n}]`, x] } as const;
    const up = orderOf(x);
    const down = orderOf(x, -1);
    expect(result("= argsort(x)", given)).toEqual(up);
    expect(result("= argsort(x, descending: true)", given)).toEqual(down);
    expect(result("= sort(x)", given)).toEqual(up.map((i) => x[i]));
    const k = Math.min(3, n);
    expect(result(`= top_k(x, ${k})`, given)).toEqual(down.slice(0, k).map((i) => x[i]));
    expect(result(`= arg_top_k(x, ${k})`, given)).toEqual(down.slice(0, k));
    expect(result("= median(x)", given)).toEqual([x[up[Math.floor((n - 1) / 2)]!]]);
  });
  test("by merging, of any length, in rows", () => {
    for (const n of [1, 2, 65, 130]) {
      const x = tied(2 * n, n);
      const want = [orderOf(x.slice(0, n)), orderOf(x.slice(n))].flat();
      expect(result("= merged_order(x)", { x: [`f32[2, ${n}]`, x] })).toEqual(want);
    }
  });
  test("along the first axis", () => {
    expect(result("= sort(x, axis: 0)", { x: ["f32[3, 2]", [3, 1, 1, 2, 2, 0]] })).toEqual([1, 0, 2, 1, 3, 2]);
    expect(result("= top_k(x, 2, axis: 0)", { x: ["f32[3, 2]", [3, 1, 1, 2, 2, 0]] })).toEqual([3, 2, 2, 1]);
  });
  test("the gradient goes where the element was", () => {
    const x = [3, 1, 2];
    expect(result("= grad(sum(sort(x) * [1.0, 10, 100]), wrt: x)", { x: ["f32[3]", x] })).toEqual([100, 1, 10]);
    expect(result("= grad(median(x), wrt: x)", { x: ["f32[3]", x] })).toEqual([0, 0, 1]);
  });
  test("a search gives how many are below, or at most that", () => {
    for (const n of [1, 5, 8]) {
      const s = tied(n, 3).sort((a, b) => a - b);
      const v = [...s, -2, 2, 0.01];
      const given = { s: [`f32[${n}]`, s], v: [`f32[${v.length}]`, v] } as const;
      expect(result("= searchsorted(s, v)", given)).toEqual(v.map((x) => s.filter((y) => y < x).length));
      expect(result("= searchsorted(s, v, right: true)", given)).toEqual(v.map((x) => s.filter((y) => y <= x).length));
    }
  });
  test("counts", () => {
    const x = [-1, -0.5, 0, 0.49, 0.5, 1, 1.01, -3];
    expect(result("= histogram(x, 4, -1, 1)", { x: ["f32[8]", x] })).toEqual([1, 1, 2, 2]);
    expect(result("= bincount(i, 4)", { i: ["i32[5] in 0..4", [1, 3, 3, 0, 1]] })).toEqual([1, 2, 0, 2]);
  });
  test("a running sum, also a long one", () => {
    for (const n of [1, 5, 1500]) {
      const x = numbers(n, 2);
      let s = 0;
      near(
        result("= cumsum(x)", { x: [`f32[${n}]`, x] }),
        x.map((v) => (s += v)),
      );
    }
    expect(result("= cumsum(x, axis: 0)", { x: ["f32[2, 2]", [1, 2, 3, 4]] })).toEqual([1, 2, 4, 6]);
  });
});

type Matrix = readonly (readonly number[])[];
const product = (a: Matrix, b: Matrix): number[][] =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((s, v, k) => s + v * b[k]![j]!, 0)));
const transpose = (a: Matrix): number[][] => a[0]!.map((_, j) => a.map((row) => row[j]!));
/** Orthogonal: a product of reflections. */
function orthogonal(n: number, seed: number): Matrix {
  let q: Matrix = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
  for (let r = 0; r < n; r++) {
    const v = numbers(n, seed + r);
    const size = v.reduce((s, x) => s + x * x, 0);
    q = product(
      q,
      v.map((a, i) => v.map((b, j) => (i === j ? 1 : 0) - (2 * a * b) / size)),
    );
  }
  return q;
}
const diagonal = (m: number, n: number, s: readonly number[]): Matrix =>
  Array.from({ length: m }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? s[i]! : 0)));

describe("singular values", () => {
  test.each([
    [3, 3, [3, 2, 0.5]],
    [5, 3, [2, 1, 1e-3]],
    [2, 4, [5, 5]], // equal ones
    [4, 4, [1, 1, 0, 0]], // of a matrix of rank 2
    [1, 1, [4]],
    [1, 5, [4]],
    [7, 6, [9, 8, 7, 1, 0.1, 0.01]],
  ] as const)("of %i by %i", (m, n, s) => {
    const x = product(product(orthogonal(m, 3), diagonal(m, n, s)), transpose(orthogonal(n, 8)));
    near(result("= svdvals(x)", { x: [`f32[${m}, ${n}]`, x.flat()] }), [...s]);
    expect(result("= spectral_norm(x)", { x: [`f32[${m}, ${n}]`, x.flat()] })[0]).toBeCloseTo(s[0]!, 8);
  });
  test("their slopes are the products of the singular vectors, and at zeros 0", () => {
    const [u, v] = [orthogonal(4, 3), orthogonal(3, 8)];
    const x = product(product(u, diagonal(4, 3, [3, 2, 0.5])), transpose(v));
    for (const k of [0, 1, 2])
      near(
        result(`= grad(svdvals(x)[${k}], wrt: x)`, { x: ["f32[4, 3]", x.flat()] }),
        u.flatMap((row) => v.map((other) => row[k]! * other[k]!)),
      );
    near(result("= grad(sum(svdvals(x)), wrt: x)", { x: ["f32[2, 2]", [0, 0, 0, 0]] }), [0, 0, 0, 0]);
  });
});
describe("eigenvalues", () => {
  test.each([[[1, -2, 0.5]], [[2, -2]], [[1, 1, 1, 4]], [[0, 0, 3]], [[7]], [[5, 4, -3, 2, -1e-3]]])("%j", (values) => {
    const n = values.length;
    const q = orthogonal(n, 4);
    const x = product(product(q, diagonal(n, n, values)), transpose(q));
    near(
      result("= eigvalsh(x)", { x: [`f32[${n}, ${n}]`, x.flat()] }),
      [...values].sort((a, b) => a - b),
    );
    const [found, vectors] = results("= eigh(x)", { x: [`f32[${n}, ${n}]`, x.flat()] });
    const v = Array.from({ length: n }, (_, i) => vectors!.slice(i * n, (i + 1) * n));
    near(
      product(x, v).flat(),
      v.flatMap((row) => row.map((e, j) => e * found![j]!)),
    );
    near(product(transpose(v), v).flat(), diagonal(n, n, Array<number>(n).fill(1)).flat());
  });
  test.each([
    ["a turn, times 2", [0, -2, 2, 0], 2],
    ["nilpotent", [0, 1, 0, 0], 0],
    ["zero", [0, 0, 0, 0], 0],
    ["a triangle", [-3, 5, 0, 2], 3],
    ["symmetric", [0, 1, 1, 0], 1],
  ])("spectral radius: %s", (_, x, want) => {
    expect(result("= spectral_radius(x)", { x: ["f32[2, 2]", x] })[0]).toBeCloseTo(want, 3);
  });
});
describe("systems", () => {
  const x = [0, 2, 1, 1, 1, 0, 3, 0, 1]; // its first pivot is 0
  test("are solved, with exchanges of rows", () => {
    const b = [5, 3, 6];
    near(
      result("= solve(x, b)", { x: ["f32[3, 3]", x], b: ["f32[3]", b] }),
      [1, 2, 1].map((_, i) => solved(x, b)[i]!),
    );
    near(result("= x @ inv(x)", { x: ["f32[3, 3]", x] }), [1, 0, 0, 0, 1, 0, 0, 0, 1]);
    near(result("= det(x)", { x: ["f32[3, 3]", x] }), [determinant(x)]);
    near(results("= slogdet(x)", { x: ["f32[3, 3]", x] }).flat(), [
      Math.sign(determinant(x)),
      Math.log(Math.abs(determinant(x))),
    ]);
  });
  test("the slope of the determinant is its cofactors", () => {
    const got = result("= grad(det(x), wrt: x)", { x: ["f32[3, 3]", x] });
    const inverse = result("= inv(x)", { x: ["f32[3, 3]", x] });
    near(
      got,
      [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => determinant(x) * inverse[j * 3 + i]!)),
    );
  });
  test("Cholesky", () => {
    near(result("= cholesky(x)", { x: ["f32[2, 2]", [4, 2, 2, 10]] }), [2, 0, 1, 3]);
  });
  test("least squares", () => {
    const rows = { x: ["f32[4, 2]", [1, 0, 1, 1, 1, 2, 1, 3]], y: ["f32[4]", [1, 3, 5, 7]] } as const;
    near(result("= lstsq(x, y)", rows), [1, 2]);
  });
  test("powers", () => {
    expect(result("= matrix_power(x, 3)", { x: ["f32[2, 2]", [1, 1, 0, 2]] })).toEqual([1, 7, 0, 8]);
    expect(result("= matrix_power(x, 0)", { x: ["f32[2, 2]", [1, 1, 0, 2]] })).toEqual([1, 0, 0, 1]);
  });
});
function determinant(x: readonly number[]): number {
  const [a, b, c, d, e, f, g, h, i] = x as [number, number, number, number, number, number, number, number, number];
  return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
}
/** Cramer's rule. */
const solved = (x: readonly number[], b: readonly number[]): number[] =>
  [0, 1, 2].map((k) => determinant(x.map((v, i) => (i % 3 === k ? b[Math.floor(i / 3)]! : v))) / determinant(x));

describe("Fourier", () => {
  test.each([1, 2, 3, 6, 8, 32])("of %i numbers", (n) => {
    const [re, im] = [numbers(n, 1), numbers(n, 2)];
    const given = { re: [`f32[${n}]`, re], im: [`f32[${n}]`, im] } as const;
    const want = [0, 1].map((part) =>
      Array.from({ length: n }, (_, k) =>
        re.reduce((s, a, i) => {
          const t = (-2 * Math.PI * i * k) / n;
          const b = im[i]!;
          return s + (part ? a * Math.sin(t) + b * Math.cos(t) : a * Math.cos(t) - b * Math.sin(t));
        }, 0),
      ),
    );
    const got = results("= fft(re, im)", given);
    near(got[0]!, want[0]!);
    near(got[1]!, want[1]!);
    const back = results("{\n  let (a, b) = fft(re, im)\n  return ifft(a, b)\n}", given);
    near(back[0]!, re);
    near(back[1]!, im);
  });
});
