// Sums whose places are data, in sorted order: the same values as with every place searching all updates, on the evaluator for all of them and on the device
// where the price chooses; and what a step costs then.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { targetOf } from "../../compiler/cli/device.ts";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { sortSums } from "../../compiler/programs/sorted.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import { programOf } from "../graph/programs.ts";
import { testDevice } from "../device.ts";
import { made, withModel } from "../model.ts";
import { stagesOf } from "../plans/check.ts";
import { drawn } from "../rewrite/compare.ts";

/** How many sums are sorted, where all are that can be; the values are compared with those of the text as it stands. */
function checkSorted(text: string, seed = 1): number {
  let count = 0;
  for (const e of programOf(text).exports) {
    const values = drawn(e.program, seed);
    const before = evaluate(e.program, values).outputs;
    const program = sortSums(simplify(e.program), {
      mayBe: () => true,
      is: () => ++count > 0,
    });
    verify(program);
    const after = evaluate(program, values).outputs;
    for (const [name, want] of before) {
      const got = after.get(name)!;
      const scale = want.reduce((m, v) => Math.max(m, Math.abs(v)), 1);
      want.forEach((v, i) =>
        expect(Math.abs(v - got[i]!), `${e.name} ${name}[${i}]: ${v}, sorted ${got[i]}`).toBeLessThanOrEqual(
          1e-9 * scale,
        ),
      );
    }
  }
  return count;
}

const cases: readonly (readonly [name: string, sums: number, text: string])[] = [
  [
    "a gather's gradient",
    1,
    "export fn f(t: f32[9, 4], i: i32[20] in 0..9, w: f32[20, 4]) = grad(sum(t[i] * w), wrt: t)",
  ],
  [
    "of two axes of updates",
    1,
    "export fn f(t: f32[9, 4], i: i32[5, 6] in 0..9, w: f32[5, 6, 4]) = grad(sum(t[i] * w), wrt: t)",
  ],
  [
    "a long one, in blocks",
    1,
    "export fn f(t: f32[7, 3], i: i32[300] in 0..7, w: f32[300, 3]) = grad(sum(t[i] * w), wrt: t)",
  ],
  [
    "in blocks of blocks that are not full",
    1,
    "export fn f(t: f32[500], i: i32[517] in 0..500, w: f32[517]) = grad(sum(t[i] * w), wrt: t)",
  ],
  [
    "a table of one row",
    1,
    "export fn f(t: f32[2, 4], i: i32[20] in 0..2, w: f32[20, 4]) = grad(sum(t[i] * w), wrt: t)",
  ],
  [
    "indices that leave the table",
    1,
    "export fn f(t: f32[5, 4], i: i32[30] in 0..12, w: f32[30, 4]) = grad(sum((for k, d: t[i[k] - 3, d] ?? 0) * w), wrt: t)",
  ],
  [
    "another value outside",
    1,
    "export fn f(t: f32[5], i: i32[30] in 0..12, w: f32[30]) = grad(sum((for k: (t[i[k] - 3] ?? w[k]) * w[k])), wrt: t)",
  ],
  [
    "several axes of indices",
    1,
    "export fn f(t: f32[4, 5, 3], i: i32[20] in 0..4, j: i32[20] in 0..5, w: f32[20, 3]) = grad(sum((for k, d: t[i[k], j[k], d]) * w), wrt: t)",
  ],
  [
    "an axis between them",
    1,
    "export fn f(t: f32[4, 3, 5], i: i32[20] in 0..4, j: i32[20] in 0..5, w: f32[20, 3]) = grad(sum((for k, d: t[i[k], d, j[k]]) * w), wrt: t)",
  ],
  [
    "a window behind the index",
    1,
    "export fn f(t: f32[30], i: i32[20] in 0..28, w: f32[20, 3]) = grad(sum((for k, d in 0..3: t[i[k] + d]) * w), wrt: t)",
  ],
  [
    "a gather in every row",
    1,
    "export fn f(t: f32[6, 7], i: i32[6, 9] in 0..7, w: f32[6, 9]) = grad(sum((for b, k: t[b, i[b, k]]) * w), wrt: t)",
  ],
  [
    "a padding index",
    1,
    "export fn f(t: f32[9, 4], i: i32[20] in 0..9, w: f32[20, 4]) = grad(sum((for k, d: where(i[k] == 3, 0, t[i[k], d])) * w), wrt: t)",
  ],
  [
    "bags of their own lengths",
    1,
    "export fn f(t: f32[9, 4], i: i32[5, 6] in 0..9, n: i32[5] in 0..7, w: f32[5, 4]) = grad(sum((for b, d: sum over l in 0..n[b]: t[i[b, l], d]) * w), wrt: t)",
  ],
  [
    "an index of an index",
    1,
    "export fn f(t: f32[9], i: i32[20] in 0..9, j: i32[30] in 0..20, w: f32[30]) = grad(sum((for k: t[i[j[k]]]) * w), wrt: t)",
  ],
  [
    "a product with a one-hot",
    1,
    "export fn f(x: f32[40, 3], y: i32[40] in 0..6) = for c in 0..6, d: sum over n: one_hot(y, 6)[n, c] * x[n, d]",
  ],
  [
    "a product of two sums and a one-hot",
    1,
    "export fn f(x: f32[40, 3, 5], y: i32[40] in 0..6) = for c in 0..6, d: sum over n, k: where(y[n] == c, x[n, d, k] * x[n, 0, k], 0)",
  ],
  [
    "a place that is known under another guard alone",
    1,
    "export fn f(k: i32[40] in -3..12, t: i32[8] in 0..9, v: f32[40]) = for i in 0..9: sum over u: where(k[u] >= 0 and k[u] < 8, where((t[k[u]] ?? 7) == i, v[u], 0), 0)",
  ],
  [
    "a guard that is known under another one alone",
    1,
    "export fn f(k: i32[40] in -3..12, t: i32[8] in 0..9, p: i32[40] in 0..6, v: f32[40]) = for i in 0..6: sum over u: where(k[u] >= 0 and k[u] < 8, where((t[k[u]] ?? 7) > 3 and p[u] == i, v[u], 0), 0)",
  ],
  [
    "a value that is known under a guard alone",
    1,
    "export fn f(k: i32[40] in -3..12, t: f32[8], p: i32[40] in 0..6, v: f32[40]) = for i in 0..6: sum over u: where(k[u] >= 0 and k[u] < 8 and p[u] == i, (t[k[u]] ?? 9) * v[u], 0)",
  ],
  [
    "places far outside on both sides",
    1,
    "export fn f(k: i32[40] in -70..70, v: f32[40]) = for i in 0..5: sum over u: where(k[u] == i, v[u], 0)",
  ],
  ["counts", 1, "export fn f(i: i32[50] in 0..9) = bincount(i, 9)"],
  ["a table of counts", 1, "export fn f(g: i32[50] in 0..5, y: i32[50] in 0..5) = confusion(g, y, 5)"],
  ["counts as f32", 1, "export fn f(i: i32[50] in 0..9) = for c in 0..9: sum over n: f32(i[n] == c) * 0.5"],
  [
    "integers",
    1,
    "export fn f(i: i32[50] in 0..9, v: i32[50] in 0..100) = for c in 0..9: sum over n: where(i[n] == c, v[n], 0)",
  ],
  ["rows that are added", 1, "export fn f(x: f32[9, 4], i: i32[20] in 0..9, a: f32[20, 4]) = scatter_add(x, i, a)"],
  [
    "the axis in the value, too",
    1,
    "export fn f(i: i32[20] in 0..9, a: f32[20, 9]) = for c in 0..9: sum over k: where(i[k] == c, a[k, c] * f32(c), 0)",
  ],
  [
    "under a condition of the axis",
    1,
    "export fn f(i: i32[20] in 0..9, a: f32[20]) = for c in 0..9: sum over k: where(i[k] == c and k > c, a[k], 0)",
  ],
  [
    "a shifted axis",
    1,
    "export fn f(i: i32[20] in 0..9, a: f32[20]) = for c in 0..9: sum over k: where(i[k] == c + 2, a[k], 0)",
  ],
  [
    "second derivatives",
    1,
    "export fn f(t: f32[9, 4], i: i32[20] in 0..9) = grad(sum(grad(sum(t[i] * t[i] * t[i]), wrt: t) * t), wrt: t)",
  ],
  [
    "in a loop, at places that change",
    1,
    "export fn f(t: f32[9], i: i32[6, 20] in 0..9, w: f32[20]) = fold (s in 0..6; y = t) { next y = y + (for c in 0..9: sum over k: where(i[s, k] == c, w[k] * y[c], 0)) }",
  ],
  [
    "in a loop, at places that do not",
    1,
    "export fn f(t: f32[9], i: i32[20] in 0..9, w: f32[20]) = fold (s in 0..6; y = t) { next y = 0.5 * y + (for c in 0..9: sum over k: where(i[k] == c, w[k] * y[c], 0)) }",
  ],
  [
    "places that a loop computes",
    1,
    "export fn f(t: f32[9, 4], w: f32[20, 4]) = grad(sum(t[for k in 0..20: (k * 7) % 9] * w), wrt: t)".replace(
      "(k * 7) % 9",
      "i32(w[k, 0] * w[k, 0] * 1e6) % 9",
    ),
  ],
  [
    "equal updates in their order",
    1,
    "export fn f(t: f32[3], i: i32[64] in 0..1, w: f32[64]) = for c in 0..3: sum over k: where(i[k] == c, w[k], 0)",
  ],
];
describe("on the evaluator", () => {
  test.each(cases)("%s", (_, sums, text) => {
    for (const seed of [1, 2]) expect(checkSorted(text, seed)).toBeGreaterThanOrEqual(sums);
  });
  test("sums that have no places are left", () => {
    expect(checkSorted("export fn f(x: f32[9, 4], w: f32[4, 5]) = x @ w")).toBe(0);
    expect(checkSorted("export fn f(x: f32[9], i: i32[9] in 0..3) = for k: x[i[k]]")).toBe(0);
  });
  test("more places than fit in an integer with the updates", () => {
    const text =
      "export fn f(t: f32[60000000], i: i32[300] in 0..60000000, w: f32[300]) = sum(grad(sum(t[i] * w), wrt: t)[0..4])";
    const { program } = programOf(text).exports[0]!;
    verify(sortSums(simplify(program), { mayBe: () => true, is: () => true }));
  });
  test("random gathers and sums at random places", () => {
    let count = 0;
    fc.assert(
      fc.property(
        programText,
        fc.integer({ min: 1, max: 1000 }),
        (text, seed) => void (count += checkSorted(text, seed)),
      ),
      { numRuns: 60, seed: 15 },
    );
    expect(count).toBeGreaterThan(40);
  });
});

const onDevice: readonly (readonly [name: string, text: string])[] = [
  [
    "rows, some of them outside",
    "export fn f(t: f32[20000, 4], i: i32[600] in 0..25000, w: f32[600, 4]) = grad(sum((for k, d: t[i[k], d] ?? 0) * w), wrt: t)",
  ],
  [
    "most in few rows of a batch",
    "export fn f(t: f32[2, 40000, 2], i: i32[2, 1500] in 0..20, w: f32[2, 1500, 2]) = grad(sum((for b, k, d: t[b, i[b, k] * i[b, k], d]) * w), wrt: t)",
  ],
  [
    "integers and counts",
    "export fn f(i: i32[1000] in 0..20000, v: i32[1000] in 0..99) = (for c in 0..20000: sum over n: where(i[n] == c, v[n], 0), bincount(i, 20000))",
  ],
  [
    "in a loop",
    "export fn f(t: f32[30000], i: i32[3, 700] in 0..30000, w: f32[700]) = fold (s in 0..3; y = t) { next y = y - grad(sum(for k in 0..700: y[i[s, k]] * y[i[s, k]] * w[k]), wrt: y) }",
  ],
];
describe("on the device", () => {
  test.each(onDevice)("%s", async (_, text) => {
    const { facts } = await testDevice();
    const target = targetOf(facts);
    const model = made(text, { target });
    expect(stagesOf(text, { target })("fused")).toContain("starts");
    for (const e of model.program.exports) {
      const values = drawn(e.program, 3);
      const want = evaluate(e.program, values).outputs;
      const inputs = e.inputs.map((x) => [
        x.name,
        { shape: x.source.shape as readonly number[], data: values.get(x.source)! },
      ]);
      const runs = await withModel(model, async (m) => [
        await m.run(e.name, Object.fromEntries(inputs)),
        await m.run(e.name, Object.fromEntries(inputs)),
      ]);
      for (const [name, expected] of want) {
        const [got, again] = runs.map((r) => Array.from(r[name]!.data, Number));
        expect(again).toEqual(got);
        const scale = expected.reduce((m, v) => Math.max(m, Math.abs(v)), 1);
        expected.forEach((v, k) => expect(Math.abs(v - got![k]!), `${name}[${k}]`).toBeLessThanOrEqual(1e-5 * scale));
      }
    }
  });
});

/** One to three axes of updates, one to three of a tensor, places that are data, affine in them, shifted, outside, in windows; values of any of these. */
const programText = fc
  .record({
    updates: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 3 }),
    tensor: fc.array(
      fc.record({ n: fc.integer({ min: 1, max: 6 }), of: fc.constantFrom("data", "shifted", "own", "sum", "window") }),
      { minLength: 1, maxLength: 3 },
    ),
    guard: fc.constantFrom("", "pad", "order", "length"),
    value: fc.constantFrom("w", "square", "constant", "axis"),
    form: fc.constantFrom("gradient", "second", "sum", "integer"),
  })
  .map(({ updates, tensor, guard, value, form }) => {
    const u = updates.map((n, a) => ({ name: "abc"[a]!, n }));
    const ids = u.map((v) => v.name).join(", ");
    const shape = u.map((v) => v.n).join(", ");
    const p = tensor.map((t, a) => ({ ...t, name: "pqr"[a]!, read: `i${a}[${ids}]` }));
    const at = p.map((t): string => {
      const first = u[0]!;
      if (t.of === "own" && first.n <= t.n) return first.name;
      if (t.of === "shifted") return `${t.read} - 1`;
      if (t.of === "sum") return `${t.read} + ${first.name}`;
      if (t.of === "window") return `${t.read} - ${u.at(-1)!.name}`;
      return t.read;
    });
    const inputs = p.map((t, a) => `i${a}: i32[${shape}] in 0..${t.n + 1}`).join(", ");
    const where = {
      "": "true",
      pad: `i0[${ids}] != 1`,
      order: `${u.at(-1)!.name} <= ${u[0]!.name}`,
      length: `${u.at(-1)!.name} < i0[${ids}]`,
    }[guard];
    const axes = u.map((v) => `${v.name} in 0..${v.n}`).join(", ");
    const signature = `t: f32[${p.map((t) => t.n).join(", ")}], w: f32[${shape}], v: i32[${shape}] in 0..9, ${inputs}`;
    const read = `(t[${at.join(", ")}] ?? 0)`;
    const one = {
      w: `w[${ids}]`,
      square: `w[${ids}] * ${read}`,
      constant: "2",
      axis: `w[${ids}] * f32(${u[0]!.name})`,
    }[value];
    if (form === "gradient" || form === "second") {
      const loss = (power: string): string => `sum(for ${axes}: where(${where}, ${power} * ${one}, 0))`;
      const first = `grad(${loss(form === "second" ? `${read} * ${read}` : read)}, wrt: t)`;
      return `export fn f(${signature}) = ${form === "second" ? `grad(sum(${first} * ${first}), wrt: t)` : first}`;
    }
    const hits = p.map((t, a) => `${t.name} == ${at[a]}`).join(" and ");
    const what =
      form === "integer" ? `v[${ids}]` : value === "square" ? `w[${ids}] * t[${p.map((t) => t.name).join(", ")}]` : one;
    return `export fn f(${signature}) = for ${p.map((t) => `${t.name} in 0..${t.n}`).join(", ")}: sum over ${axes}: where(${hits} and ${where}, ${what}, 0)`;
  });
