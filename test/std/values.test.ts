// Library declarations without reference cases against formulas written out here: values, and slopes at kinks and zeros.
import { describe, expect, test } from "vitest";
import { numbers } from "../grad/check.ts";
import { result, trained } from "./results.ts";

const near = (got: readonly number[], want: readonly number[], digits = 6): void => {
  expect(got.length).toBe(want.length);
  want.forEach((w, i) => expect(got[i]!, `element ${i}`).toBeCloseTo(w, digits));
};
const sum = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);
const mean = (x: readonly number[]): number => sum(x) / x.length;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const vector = (...x: number[]): readonly [string, number[]] => [`f32[${x.length}]`, x];

describe("units", () => {
  const at = [-2, -0.5, 0, 0.5, 2];
  const x = { x: vector(...at) };
  test.each<[string, number[]]>([
    ["threshold(x, 0.1, 20)", [20, 20, 20, 0.5, 2]],
    ["threshold_unit(x)", [0, 0, 1, 1, 1]],
    ["threshold_unit(x, 0.6)", [0, 0, 0, 0, 1]],
    ["prelu(x, 0.1)", [-0.2, -0.05, 0, 0.5, 2]],
    ["rrelu(x)", [-2, -0.5, 0, 0.5, 2].map((v) => (v > 0 ? v : (v * (1 / 8 + 1 / 3)) / 2))],
    ["straight_through_sign(x)", [-1, -1, 0, 1, 1]],
    ["straight_through_step(x)", [0, 0, 1, 1, 1]],
    ["glu(concat([x, x]))", at.map((v) => v * sigmoid(v))],
    ["reglu(concat([x, x]))", at.map((v) => v * Math.max(v, 0))],
    ["swiglu(concat([x, x]))", at.map((v) => v * v * sigmoid(v))],
    ["one_hot_of_largest(x)", [0, 0, 0, 0, 1]],
  ])("%s", (call, want) => near(result(`= ${call}`, x), want));
  test.each<[string, number[]]>([
    ["threshold(x, 0.5, 20)", [0, 0, 0, 0, 1]], // 0 at the threshold
    ["threshold_unit(x) + 0 * x", [0, 0, 0, 0, 0]],
    ["prelu(x, 0.1)", [0.1, 0.1, 0.1, 1, 1]], // the slope at 0 is that of the negative side
    ["straight_through_sign(x)", [1, 1, 1, 1, 1]],
    ["straight_through_sign(x, 0.5)", [0, 1, 1, 1, 0]],
    ["straight_through_step(x, 1)", [0, 1, 1, 1, 0]],
    ["straight_through(round(x), x^2)", [-4, -1, 0, 1, 4]],
  ])("slope of %s", (call, want) => near(result(`= grad(sum(${call}), wrt: x)`, x), want));
  test("a slope of prelu gets the sum of what is negative", () => {
    const layer = "model net(x: f32[B, 2]) {\n  let unit = PReLU(2)\n  return unit(x)\n}\n";
    const values = { x: ["f32[2, 2]", [-1, 2, -3, -4]] } as const;
    near(result("= prelu(x, [0.25, 0.5])", values), [-0.25, 2, -0.75, -2]);
    const text = `${layer}train fit {\n  minimize sum(net([[-1.0, 2], [-3, -4]])) by sgd(lr: 1)\n  steps: 1\n}\n`;
    near(trained(text, 1)("net.unit.w")[0]!, [0.25 + 4, 0.25 + 4]);
  });
  test("rrelu draws a slope for every element in training", () => {
    const text = `model net() -> f32[500] {\n  param x: f32[500] ~ -1.0\n  return x\n}\ntrain fit {\n  state seen: f32[500] = 0\n  let y = rrelu(net(), 0.1, 0.3)\n  next seen = y\n  minimize sum(y) by sgd(lr: 0)\n  steps: 1\n}\n`;
    const y = trained(text, 1)("fit.seen")[0]!;
    expect(Math.max(...y)).toBeLessThanOrEqual(-0.1);
    expect(Math.min(...y)).toBeGreaterThanOrEqual(-0.3);
    expect(mean(y)).toBeCloseTo(-0.2, 1);
    expect(new Set(y).size).toBeGreaterThan(450);
  });
  test("gumbel_softmax draws a class as often as it is probable, hard ones exactly", () => {
    const p = [0.5, 0.3, 0.2];
    const hard = result("= sum(gumbel_softmax(log(expand[4000, 3](p)), hard: true), axis: 0)", { p: vector(...p) });
    expect(sum(hard)).toBe(4000);
    p.forEach((v, i) => expect(hard[i]! / 4000).toBeCloseTo(v, 1));
    const soft = result("= sum(gumbel_softmax(x, tau: 0.5, axis: 0), axis: 0)", { x: ["f32[3, 2]", numbers(6)] });
    near(soft, [1, 1]);
  });
});
describe("norms of any order", () => {
  const rows = [3, -4, 0, 1, 1, -2];
  const x = { x: ["f32[2, 3]", rows] } as const;
  test.each<[string, number[]]>([
    ["0", [2, 3]],
    ["0.5", [(Math.sqrt(3) + 2) ** 2, (2 + Math.SQRT2) ** 2]],
    ["1", [7, 4]],
    ["2", [5, Math.sqrt(6)]],
    ["3", [91 ** (1 / 3), 10 ** (1 / 3)]],
    ["inf", [4, 2]],
    ["-inf", [0, 1]],
    ["-1", [0, 1 / 2.5]], // a zero makes it 0
    ["-2", [0, 2.25 ** -0.5]],
  ])("p: %s", (p, want) => near(result(`= norm(x, axis: 1, p: ${p})`, x), want));
  test.each<[string, number[]]>([
    ["0", [0, 0, 0, 0, 0, 0]],
    ["-inf", [0, 0, 0, 0.5, 0.5, 0]],
    ["-1", [0, 0, 0, 0.16, 0.16, -0.04]],
  ])("slope of p: %s", (p, want) =>
    near(result(`= grad(sum(norm(x, axis: 1, p: ${p})) + 0 * sum(floor(x)), wrt: x)`, x), want),
  );
});
describe("losses", () => {
  const s = [-1, 0, 0.5, 1, 2];
  const given = { s: vector(...s), y: vector(1, -1, 1, 1, -1) };
  const t = given.y[1];
  test.each<[string, number[]]>([
    ["hinge(s, y, reduce: each)", s.map((v, i) => Math.max(0, 1 - t[i]! * v))],
    ["squared_hinge(s, y, reduce: each)", s.map((v, i) => Math.max(0, 1 - t[i]! * v) ** 2)],
    ["hinge_embedding(s, y, reduce: each)", s.map((v, i) => (t[i]! > 0 ? v : Math.max(0, 1 - v)))],
    ["soft_margin(s, y, reduce: each)", s.map((v, i) => Math.log1p(Math.exp(-t[i]! * v)))],
    ["quantile(s, y, 0.9, reduce: each)", s.map((v, i) => Math.max(0.9 * (t[i]! - v), -0.1 * (t[i]! - v)))],
    ["log_cosh(s, y, reduce: each)", s.map((v, i) => Math.log(Math.cosh(v - t[i]!)))],
    ["perceptron_loss(s, f32(y > 0), reduce: each)", [1, 0, 0, 0, 2]],
    ["activity_penalty(s, l1: 1, l2: 2)", [(4.5 + 2 * 6.25) / 5]],
    ["kl_div(s, max(y, 0), reduce: each)", s.map((v, i) => (t[i]! > 0 ? -v : 0))], // 0 log 0 is 0
    ["batch_mean(s)", [0.5]],
  ])("%s", (call, want) => near(result(`= ${call}`, given), want));
  test.each<[string, number[]]>([
    ["hinge(s, y, reduce: total)", [-1, 1, -1, 0, 1]], // 0 at the margin
    ["squared_hinge(s, y, reduce: total)", [-4, 2, -1, 0, 6]],
    ["perceptron_loss(s, f32(y > 0), reduce: total)", [-1, 1, 0, 0, 1]], // answer - y; z = 0 answers 1
    ["log_cosh(s, s, reduce: total) + log_cosh(s, y, reduce: total)", s.map((v, i) => Math.tanh(v - t[i]!))],
    ["contrastive(abs(s), max(y, 0), margin: 2, reduce: total)", [-1, 0, 0.5, 1, 0]],
    ["hinge_embedding(s, -y, reduce: total)", [-1, 1, -1, -1, 1]], // that of what is inside at the margin
    ["margin_ranking(s, stop(s), y, reduce: total)", t.map((v) => -v)],
  ])("slope of %s", (call, want) => near(result(`= grad(${call}, wrt: s)`, given), want));
  test("slopes at the margins of distances and angles are those of what is inside", () => {
    const [near1, far] = [
      [1, 1],
      [-2, 1],
    ];
    const given = { a: ["f32[1, 2]", [0, 1]], p: ["f32[1, 2]", near1], n: ["f32[1, 2]", far] } as const;
    near(result("= grad(triplet_margin(a, p, n, margin: 1, p: 1, eps: 0), wrt: a)", given), [-2, 0]);
    const right = { a: ["f32[1, 2]", [1, 0]], b: ["f32[1, 2]", [0, 2]], y: vector(-1) } as const;
    near(result("= grad(cosine_embedding(a, b, y), wrt: a)", right), [0, 1]);
  });
  test("multilabel margin and Dice", () => {
    const z = [0.1, 0.2, 0.4, 0.8];
    const want = (1 - (0.1 - 0.2) + (1 - (0.1 - 0.4)) + (1 - (0.8 - 0.2)) + (1 - (0.8 - 0.4))) / 4;
    near(result("= multilabel_margin(z, y)", { z: vector(...z), y: vector(1, 0, 0, 1) }), [want]);
    const [p, y] = [
      [0.5, 1, 0, 0.25],
      [1, 1, 0, 0],
    ];
    near(result("= dice(p, y, reduce: each)", { p: ["f32[2, 2]", p], y: ["f32[2, 2]", y] }), [
      1 - (2 * 1.5 + 1) / (1.5 + 2 + 1),
      1 - 1 / 1.25,
    ]);
  });
  test("focal losses, by their definitions", () => {
    const z = [2, -1, 0.5];
    const y = [1, 0, 0];
    const want = z.map((v, i) => {
      const p = y[i] ? sigmoid(v) : 1 - sigmoid(v);
      return (y[i] ? 0.25 : 0.75) * (1 - p) ** 1.5 * -Math.log(p);
    });
    near(result("= focal(z, y, 1.5, 0.25, each)", { z: vector(...z), y: vector(...y) }), want);
    const e = z.map(Math.exp);
    const p = e[1]! / sum(e);
    near(result("= focal_cross_entropy(z, [1])", { z: ["f32[1, 3]", z] }), [(1 - p) ** 2 * -Math.log(p)]);
  });
  test("InfoNCE and NT-Xent, by their definitions", () => {
    const [n, d] = [3, 4];
    const [a, b] = [numbers(n * d, 1), numbers(n * d, 2)];
    const unit = (x: readonly number[], i: number): number[] => {
      const row = x.slice(i * d, (i + 1) * d);
      const size = Math.hypot(...row);
      return row.map((v) => v / size);
    };
    const dot = (x: readonly number[], y: readonly number[]): number => sum(x.map((v, i) => v * y[i]!));
    const rows = { a: [`f32[${n}, ${d}]`, a], b: [`f32[${n}, ${d}]`, b] } as const;
    const u = [a, b].flatMap((x) => Array.from({ length: n }, (_, i) => unit(x, i)));
    const pick = (from: number[][], to: number[][]): number =>
      mean(from.map((x, i) => Math.log(sum(to.map((y) => Math.exp(dot(x, y) / 0.1)))) - dot(x, to[i]!) / 0.1));
    const [p, q] = [u.slice(0, n), u.slice(n)];
    near(result("= info_nce(a, b, tau: 0.1)", rows), [pick(p, q)]);
    near(result("= info_nce(a, b, tau: 0.1, both: true)", rows), [(pick(p, q) + pick(q, p)) / 2]);
    const want = u.map((x, i) => {
      const others = u.filter((_, j) => j !== i);
      return Math.log(sum(others.map((y) => Math.exp(dot(x, y) / 0.5)))) - dot(x, u[(i + n) % (2 * n)]!) / 0.5;
    });
    near(result("= nt_xent(a, b)", rows), [mean(want)]);
  });
  test("CTC is the sum over all paths that collapse to the target", () => {
    const [frames, k] = [4, 3];
    const z = numbers(frames * k, 3);
    const logP = (t: number, c: number): number =>
      z[t * k + c]! - Math.log(sum([0, 1, 2].map((j) => Math.exp(z[t * k + j]!))));
    const collapsed = (path: readonly number[], blank: number): string =>
      path.filter((c, i) => c !== blank && c !== path[i - 1]).join("");
    for (const [target, length, blank] of [
      [[1, 2], 4, 0],
      [[1, 1], 4, 0], // a repeated symbol needs a blank between
      [[2], 3, 0],
      [[], 2, 0],
      [[0, 1], 4, 2],
    ] as const) {
      let p = 0;
      for (let code = 0; code < k ** length; code++) {
        const path = Array.from({ length }, (_, t) => Math.floor(code / k ** t) % k);
        if (collapsed(path, blank) === target.join("")) p += Math.exp(sum(path.map((c, t) => logP(t, c))));
      }
      const y = [...target, 0, 0].slice(0, 2);
      const call = `= ctc_loss(log_softmax(z), y, [${length}], [${target.length}], blank: ${blank})`;
      near(result(call, { z: [`f32[${frames}, 1, ${k}]`, z], y: ["i32[1, 2] in 0..3", y] }), [-Math.log(p)]);
    }
    const tooLong = (rest: string): number[] =>
      result(`= ctc_loss(log_softmax(z), [[1, 1]], [2], [2]${rest})`, { z: [`f32[${frames}, 1, ${k}]`, z] });
    expect(tooLong("")[0]).toBeGreaterThan(3e38);
    expect(tooLong(", zero_infinity: true")).toEqual([0]);
  });
  test("penalties", () => {
    near(result("= orthogonality(w)", { w: ["f32[2, 2]", [0.6, 0.8, -0.8, 0.6]] }), [0]);
    near(result("= orthogonality(w)", { w: ["f32[1, 2]", [1, 1]] }), [1]);
    near(result("= class_weights(y, 3)", { y: ["i32[4] in 0..3", [0, 1, 1, 1]] }), [4 / 3, 4 / 9, 0]);
    const h = [0.1, 0.2];
    near(result("= sparsity(h)", { h: ["f32[2, 1]", h] }), [
      0.05 * Math.log(0.05 / 0.15) + 0.95 * Math.log(0.95 / 0.85),
    ]);
  });
});
describe("metrics", () => {
  test.each([20, 600])("areas under curves of %i rows are those of all pairs, ties half", (n) => {
    const score = numbers(n, 5).map((x) => Math.round(8 * x) / 8);
    const y = numbers(n, 9).map((x, i) => (x + score[i]! > 0 ? 1 : 0));
    const given = { s: vector(...score), y: vector(...y) };
    const [pos, neg] = [1, 0].map((c) => score.filter((_, i) => y[i] === c));
    const pairs = sum(pos!.map((a) => sum(neg!.map((b) => (a > b ? 1 : a === b ? 0.5 : 0)))));
    near(result("= auroc(s, y)", given), [pairs / (pos!.length * neg!.length)]);
    const at = (x: readonly number[], v: number): number => x.filter((w) => w >= v).length;
    near(result("= average_precision(s, y)", given), [mean(pos!.map((v) => at(pos!, v) / at(score, v)))]);
    near(result("= auroc(s, 0 * y)", given), [0]);
  });
  test("of counts of classes", () => {
    const [g, y] = [
      [0, 1, 2, 2, 1, 0, 2],
      [0, 1, 1, 2, 0, 0, 2],
    ];
    const given = { g: ["i32[7] in 0..4", g], y: ["i32[7] in 0..4", y] } as const;
    const of = (call: string): number => result(`= ${call}`, given)[0]!;
    const m = (t: number, p: number): number => y.filter((v, i) => v === t && g[i] === p).length;
    const k = [0, 1, 2];
    const row = k.map((t) => sum(k.map((p) => m(t, p))));
    const column = k.map((p) => sum(k.map((t) => m(t, p))));
    const hits = sum(k.map((c) => m(c, c)));
    const products = sum(k.map((c) => row[c]! * column[c]!));
    expect(of("matthews(g, y, 4)")).toBeCloseTo(
      (hits * 7 - products) / Math.sqrt((49 - sum(row.map((v) => v * v))) * (49 - sum(column.map((v) => v * v)))),
      9,
    );
    expect(of("cohen_kappa(g, y, 4)")).toBeCloseTo((hits / 7 - products / 49) / (1 - products / 49), 9);
    expect(of("balanced_accuracy(g, y, 4)")).toBeCloseTo(mean(k.map((c) => m(c, c) / row[c]!)), 9); // class 3 never occurs
    expect(of("jaccard(g, y, 4)")).toBeCloseTo(sum(k.map((c) => m(c, c) / (row[c]! + column[c]! - m(c, c)))) / 4, 9);
    expect(of("f_beta(g, y, 4, 2, positive_class)")).toBeCloseTo((5 * m(1, 1)) / (4 * row[1]! + column[1]!), 9);
    expect(of("matthews(0 * g, y, 4)")).toBe(0);
    expect(of("cohen_kappa(0 * g, 0 * y, 4)")).toBe(0);
  });
  test("of regression and ranks", () => {
    const [p, y] = [
      [1, 2, 4, 3],
      [1, 2, 3, 5],
    ];
    const given = { p: vector(...p), y: vector(...y) };
    const centred = (x: readonly number[]): number[] => x.map((v) => v - mean(x));
    const square = (x: readonly number[]): number => sum(x.map((v) => v * v));
    const e = y.map((v, i) => v - p[i]!);
    near(result("= explained_variance(p, y)", given), [1 - square(centred(e)) / square(centred(y))]);
    const constant = { p: vector(1, 2, 4), y: vector(3, 3, 3) };
    for (const metric of ["r2", "explained_variance"]) {
      near(result(`= ${metric}(p, y)`, constant), [0]);
      near(result(`= ${metric}(y, y)`, constant), [1]);
    }
    near(result("= explained_variance(y + 1, y)", constant), [1]);
    near(result("= mape(p, y)", given), [mean([0, 0, 1 / 3, 2 / 5])]);
    const correlation = (a: number[], b: number[]): number =>
      sum(centred(a).map((v, i) => v * centred(b)[i]!)) / Math.sqrt(square(centred(a)) * square(centred(b)));
    near(result("= pearson(p, y)", given), [correlation(p, y)]);
    near(result("= spearman(p, y)", given), [correlation([0, 1, 3, 2], [0, 1, 2, 3])]);
    near(result("= spearman(x, x)", { x: vector(1, 1, 2) }), [1]);
  });
  test("of probabilities and places", () => {
    const p = [0.9, 0.1, 0.6, 0.4, 0.3, 0.7];
    const given = { p: ["f32[3, 2]", p] } as const;
    near(result("= calibration_error(p, [0, 1, 1], bins: 10)", given), [
      (Math.abs(1 - 0.9) + Math.abs(0 - 0.6) + Math.abs(1 - 0.7)) / 3,
    ]);
    near(result("= calibration_error(p, [0, 1, 1], bins: 1)", given), [Math.abs(2 - 2.2) / 3]);
    near(result("= brier(p, [0, 1, 1])", given), [(2 * 0.01 + 2 * 0.36 + 2 * 0.09) / 3]);
    near(result("= mean_reciprocal_rank(p, [0, 1, 1])", given), [(1 + 0.5 + 1) / 3]);
    near(result("= top_k_accuracy(x, [2], 2)", { x: ["f32[1, 3]", [1, 1, 1]] }), [0]); // equal logits: lower classes first
    near(result("= exact_match([[1, 2], [1, 3]], [[1, 2], [1, 2]])"), [0.5]);
    near(result("= binary_accuracy(p, [[1.0, 0], [1, 1], [0, 1]], 0.5)", given), [5 / 6]);
  });
});
