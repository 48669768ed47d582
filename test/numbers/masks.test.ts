// Masks: `inf` is the largest finite number, and arithmetic on it stays finite. Whatever PyTorch answers with a number is a number here, forward and
// backward; a row that is masked throughout, NaN there, is uniform here.
import { describe, expect, test } from "vitest";
import { expectValues, valuesOf, valuesOfAll, type Values } from "./values.ts";

const M = 3.4028234663852886e38;
const sum = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);
function softmax(x: readonly number[]): number[] {
  const top = Math.max(...x);
  const e = x.map((v) => (top === -Infinity ? 1 : Math.exp(v - top)));
  return e.map((v) => v / sum(e));
}
function expectFinite({ evaluator, device }: Values, text: string): void {
  for (const [who, got] of [
    ["evaluator", evaluator],
    ["device", device],
  ] as const)
    for (const v of got.flat()) expect(Number.isFinite(v) && Math.abs(v) <= M, `${who}: ${v} of\n${text}`).toBe(true);
}
/** Every result of every export. */
const finite = async (text: string, inputs: Parameters<typeof valuesOf>[1]): Promise<void> => {
  for (const values of Object.values(await valuesOfAll(text, inputs))) expectFinite(values, text);
};

const x = [
  [0.5, -1, 2, 0.25],
  [1, 2, 3, 4],
  [-3, 0, 0.5, 1],
  [2, 2, -1, 0],
];
const a = [
  [1, 1, 0, 1],
  [0, 0, 1, 1],
  [0, 0, 0, 0],
  [1, 1, 1, 1],
];
const b = [
  [1, 0, 1, 1],
  [1, 1, 0, 0],
  [0, 1, 0, 0],
  [1, 1, 1, 1],
];
const both = x.map((row, i) => row.map((v, j) => (a[i]![j]! && b[i]![j]! ? v : -Infinity)));
const head = "export fn f(x: f32[B, N], a: i32[B, N] in 0..2, b: i32[B, N] in 0..2) -> f32[B, N]";
const masks = "where(a == 1, 0, -inf) + where(b == 1, 0, -inf)";
/** Scores under two masks; where both are false the sum of them is meant. */
const scores: readonly (readonly [name: string, text: string, scale: number])[] = [
  ["added one after the other", `x + where(a == 1, 0, -inf) + where(b == 1, 0, -inf)`, 1],
  ["the masks first", `x + (${masks})`, 1],
  ["subtracted", "x - where(a == 1, 0, inf) - where(b == 1, 0, inf)", 1],
  ["chosen, then added", "where(a == 1, x, -inf) + where(b == 1, 0, -inf)", 1],
  ["three", `x + ${masks} + where(b == 1, 0, -inf)`, 1],
  ["as a factor", "x + f32(1 - a) * -inf + f32(1 - b) * -inf", 1],
  ["divided by a temperature", `(x + ${masks}) / 0.5`, 2],
  ["times a number", `2 * (x + ${masks})`, 2],
  ["times a number of run time", `exp(sum(x) * 0 + log(2.0)) * (x + ${masks})`, 2],
  ["by a number of run time", `(x + ${masks}) / exp(sum(x) * 0 - log(2.0))`, 2],
  ["by one of two numbers", `(x + ${masks}) / where(sum(x) * 0 == 0, 0.5, 0.25)`, 2],
  ["by a number between 0 and 1", `(x + ${masks}) / sigmoid(sum(x) * 0)`, 2],
  ["the mean of two", "0.5 * (where(a == 1, x, -inf) + where(b == 1, x, -inf))", 1],
  ["the mean of two, divided", "(where(a == 1, x, -inf) + where(b == 1, x, -inf)) / 2", 1],
  ["the smaller of two", "min(where(a == 1, x, -inf), where(b == 1, x, -inf))", 1],
  ["twice the same", `x + where(a == 1, 0, -inf) + where(b == 1, 0, -inf) + where(a == 1, 0, -inf)`, 1],
];
describe.each(scores)("%s", (_, text, scale) => {
  const z = both.map((row) => row.map((v) => scale * v));
  const p = z.map(softmax);
  test("softmax, its logarithm, logsumexp", async () => {
    await expectValues(`${head} = softmax(${text})`, { x, a, b }, p);
    await expectValues(`${head} = exp(log_softmax(${text}))`, { x, a, b }, p);
    const sums = `logsumexp(${text}, axis: 1, keep: true)`; // of a row masked throughout it is a mask: nothing is left of its length
    await expectValues(`${head} = where(${sums} < -1e30, 0.25, exp(${text} - ${sums}))`, { x, a, b }, p);
    await expectValues(
      `${head} = softmax(softmax(${text}) @ ones[size(x, axis: 1), size(x, axis: 1)])`
        .replace(/size\(x, axis: 1\)/g, "4")
        .replaceAll("N]", "4]"),
      { x, a, b },
      p.map((row) => row.map(() => 0.25)),
    );
  });
  test("gradients", async () => {
    // d/dx of sum c softmax(z): p (c - sum p c) dz/dx, where dz/dx stands; nothing passes where x is not chosen
    const { evaluator, device } = await valuesOf(
      `${head} = grad(sum(softmax(${text}) * for i in 0..4, j in 0..4: f32(j + 1)), wrt: x)`.replaceAll(
        "[B, N]",
        "[4, 4]",
      ),
      { x, a, b },
    );
    p.forEach((row, i) => {
      if (both[i]!.every((v) => v === -Infinity)) return;
      const mean = sum(row.map((v, j) => v * (j + 1)));
      row.forEach((v, j) => {
        for (const got of [evaluator[0]!, device[0]!])
          expect(got[4 * i + j]).toBeCloseTo(scale * v * (j + 1 - mean), 4);
      });
    });
    await finite(
      `${head} = grad(sum(log_softmax(${text})[:, 0]) + sum(logsumexp(${text}, axis: 1)), wrt: x)`.replaceAll(
        "[B, N]",
        "[4, 4]",
      ),
      { x, a, b },
    );
  });
  test("every value is finite", async () => {
    await finite(
      `${head} = ${text}
${head.replace(" f(", " twice(")} = (${text}) + (${text})
export fn reduced(x: f32[4, 4], a: i32[4, 4] in 0..2, b: i32[4, 4] in 0..2) -> (f32, f32, f32, f32[4], f32[4], f32) {
  let z = ${text}
  return (sum(z), mean(z), max(z), sum(z, axis: 0), logsumexp(z, axis: 1), cross_entropy(z, for i in 0..4: 1))
}`,
      { x, a, b },
    );
  });
});
test("arithmetic on inf", async () => {
  const table: readonly (readonly [string, number])[] = [
    ["inf + inf", M],
    ["-inf - inf", -M],
    ["-inf * 0.5", -M / 2],
    ["inf * 2", M],
    ["-inf * 3", -M],
    ["inf * inf", M],
    ["-inf / 0.25", -M],
    ["inf - inf", 0],
    ["1 / inf", 1 / M],
    ["inf / inf", 1],
    ["-(inf + inf)", -M],
    ["abs(-inf) + inf", M],
  ];
  for (const [text, want] of table) {
    await expectValues(`export fn f(x: f32[2]) -> f32[2] = x * 0 + (${text})`, { x: [1, 2] }, [want, want], 1e-6);
    const run = text.replaceAll("inf", "m"); // known at run time only
    await expectValues(
      `export fn f(x: f32[2]) -> f32[2] {\n let m = where(x > 0, inf, 0)\n return ${run}\n}`,
      { x: [1, 2] },
      [want, want],
      1e-6,
    );
  }
  await expectValues("export fn f(x: f32[2]) -> f32[2] = x / inf", { x: [3e38, 1] }, [3e38 / M, 0], 1e-6);
});
test("sums of masks, however many", async () => {
  await expectValues("export fn f(x: f32[3]) -> f32 = sum(where(x < 3, -inf, x))", { x: [1, 2, 3] }, -M, 1e-6);
  await expectValues(
    "export fn f(x: f32[3]) -> f32 = sum(where(x < 2, -inf, where(x < 3, inf, x)))",
    { x: [1, 2, 3] },
    0,
    4,
  );
  await expectValues("export fn f(x: f32[N]) -> f32 = sum(where(x < 3, -inf, x))", { x: [1, 2, 3, 1, 1, 1] }, -M, 1e-6);
  await expectValues(
    "export fn f(x: f32[N]) -> f32[N] = softmax(-inf * sum(where(x < 3, 1.0, 0.0)) + x)",
    { x: [0, 0] },
    [0.5, 0.5],
  );
  await expectValues(
    "export fn f(x: f32[3]) -> f32 = fold (v in x; s = 0.0) { next s = s + where(v < 3, -inf, v) }",
    { x: [1, 2, 3] },
    -M,
    1e-6,
  );
  await expectValues(
    "export fn f(x: f32[3]) -> f32[3] = softmax(scan (v in x; s = 0.0) { next s = s + where(v < 3, -inf, v)  yield s + where(v < 3, -inf, 0) })",
    { x: [1, 2, 2] },
    [1 / 3, 1 / 3, 1 / 3],
  );
});
describe("sums of products with masks", () => {
  const inputs = {
    x: x.slice(0, 3),
    w: x.map((row) => row.slice(0, 2)),
    y: a.slice(0, 3).map((row) => row.map((v) => v / 3)),
  };
  const head = "(x: f32[3, 4], w: f32[4, 2], y: f32[3, 4])";
  const mask = "let m = for i in 0..3, j in 0..4: where(x[i, j] > 0, x[i, j], -inf)";
  const products = [
    "m @ w",
    "transpose(m) @ y",
    "m @ transpose(m)",
    "m @ (2 * transpose(m) - 1)",
    "for i in 0..3, k in 0..3: sum over j in 0..4: (m[i, j] - m[k, j])^2",
    "for i in 0..3, k in 0..3: sum over j in 0..4: (m[i, j] - max(m[k, j], -20))^2",
    "for i in 0..3: sum over j in 0..4: m[i, j] * y[i, j]",
    "for i in 0..3: sum over j in 0..i + 1: m[i, j] * x[i, j]",
    "sum(y * log_softmax(m), axis: 1)",
    "[sum(m^2), 1]",
    "[mse(m, y), 1]",
    "[std(m), 1]",
  ];
  // what follows sees numbers: a slope of 0 times what a mask has made of a sum is 0
  const after = { itself: "p", "a bounded function": "tanh(0.5 * p)", "a share": "softmax(p)" };
  test.each(products.flatMap((p) => Object.entries(after).map(([name, f]) => [p, name, f] as const)))(
    "%s, then %s",
    async (p, _, f) => {
      const text = `fn loss${head} -> f32 {
  ${mask}
  let p = ${p}
  return sum(${f})
}
export fn value${head} -> f32 = loss(x, w, y)
export fn slope${head} -> f32[3, 4] = grad(loss(x, w, y), wrt: x)
export fn second${head} -> f32[3, 4] = grad(sum(tanh(grad(loss(x, w, y), wrt: x))), wrt: x)
`;
      for (const [name, values] of Object.entries(await valuesOfAll(text, inputs))) {
        expectFinite(values, `${name} of\n${text}`);
        const { evaluator, device } = values;
        evaluator[0]!.forEach((want, i) => {
          const got = device[0]![i]!;
          if (Math.abs(want) > 1e30) expect(got * Math.sign(want), `${name} of\n${text}`).toBeGreaterThan(1e30);
          else
            expect(Math.abs(got - want), `${name}: ${got}, not ${want} of\n${text}`).toBeLessThan(
              1e-4 * (1 + Math.abs(want)),
            );
        });
      }
    },
  );
});
test.each(["f32[4]", "f32[N]"])("sums at positions that are data, of masks in %s", async (type) => {
  const text = `export fn f(t: f32[3], ids: i32[N] in 0..3, x: ${type}) -> (f32[3], f32[3], f32[3]) {
  let m = where(x > 0, -inf, x)
  let d = grad(sum(t[ids] * m), wrt: t)
  let b = grad(sum(t[ids] * where(x > 0, inf, x)), wrt: t)
  return (d, d + b, tanh(d / 1e38) - softmax(d + d))
}
`.replace("[N]", type.slice(3));
  const inputs = { t: [1, 2, 3], ids: [0, 0, 0, 1], x: [1, 2, -1, -1] };
  await finite(text, inputs);
  await expectValues(
    text,
    inputs,
    [-M, -1, 0, 0, -2, 0, Math.tanh(-M / 1e38), -Math.exp(-2), -1].map((v, i, all) => {
      const total = 1 + Math.exp(-2);
      return i < 7 ? v : all[i]! / total;
    }),
  );
});
test("masks that an earlier program has made come in as numbers", async () => {
  await expectValues(
    "export fn f(x: f32[3], m: f32[3]) -> f32[3] = softmax(x + m + where(x < 9, -inf, 0))",
    { x: [1, 2, 3], m: [-M, -M, -M] },
    [1 / 3, 1 / 3, 1 / 3],
  );
  await expectValues("export fn f(x: f32[3]) -> f32[3] = softmax(x + where(x < 9, -inf, 0))", { x: [-M, -M, -M] }, [
    1 / 3,
    1 / 3,
    1 / 3,
  ]);
});
test("empty windows and empty ranges, then arithmetic", async () => {
  await expectValues(
    "export fn f(x: f32[4]) -> f32[6] = softmax((for i in 0..6: max over k in 0..2: x[i + k - 3] ?? -inf) * 2 + (for i in 0..6: -inf))",
    { x: [1, 2, 3, 4] },
    Array(6).fill(1 / 6) as number[],
  );
  await expectValues(
    "export fn f(x: f32[B, 3], n: i32[B] in 0..4) -> f32[B] = 2 * (for b: max over t in 0..n[b]: x[b, t])",
    {
      x: [
        [1, 2, 3],
        [4, 5, 6],
      ],
      n: [0, 2],
    },
    [-M, 10],
    1e-6,
  );
  await expectValues(
    "export fn f(x: f32[B, 3], n: i32[B] in 0..4) -> f32[B] = for b: 2 * min over t in 0..n[b]: x[b, t]",
    {
      x: [
        [1, 2, 3],
        [4, 5, 6],
      ],
      n: [0, 2],
    },
    [M, 8],
    1e-6,
  );
});
test("attention with a causal mask and padding, rows masked throughout included", async () => {
  const text = `fn attend(q: f32[T, D], k: f32[T, D], v: f32[T, D], keep: i32[T] in 0..2) -> f32[T, D] {
  let score = (q @ transpose(k)) / sqrt(D)
  let causal = for i in 0..T, j in 0..T: where(j <= i, 0.0, -inf)
  let padding = for j: where(keep[j] == 1, 0.0, -inf)
  return softmax(score + causal + padding) @ v
}
export fn f(q: f32[3, 2], k: f32[3, 2], v: f32[3, 2], keep: i32[3] in 0..2) -> f32[3, 2] = attend(q, k, v, keep)
export fn g(q: f32[3, 2], k: f32[3, 2], v: f32[3, 2], keep: i32[3] in 0..2) -> (f32[3, 2], f32[3, 2], f32[3, 2]) = grad(sum(attend(q, k, v, keep)^2), wrt: (q, k, v))
`;
  const q = [
    [1, 0.5],
    [0.25, -1],
    [2, 1],
  ];
  const k = [
    [0.5, 1],
    [1, -1],
    [0, 2],
  ];
  const v = [
    [1, 2],
    [3, 4],
    [5, 7],
  ];
  for (const keep of [
    [1, 1, 1],
    [0, 1, 1],
    [0, 0, 1],
    [0, 0, 0],
  ]) {
    const want = q.map((row, i) => {
      const s = k.map((key, j) =>
        j <= i && keep[j] ? (row[0]! * key[0]! + row[1]! * key[1]!) / Math.SQRT2 : -Infinity,
      );
      const p = softmax(s);
      return [0, 1].map((d) => sum(p.map((w, j) => w * v[j]![d]!)));
    });
    const inputs = { q, k, v, keep };
    // a row that sees nothing weighs all alike, or all that one of its masks lets through: a number in any case
    const { f, g } = await valuesOfAll(text, inputs);
    for (const got of [f!.evaluator[0]!, f!.device[0]!])
      want.flat().forEach((w, at) => {
        const i = Math.floor(at / 2);
        if (keep.slice(0, i + 1).some((m) => m)) expect(got[at]).toBeCloseTo(w, 4);
        else expect(Number.isFinite(got[at])).toBe(true);
      });
    expectFinite(g!, text);
  }
});
test("pooling that is padded is no mask: what follows has no limits put in", async () => {
  const { compile } = await import("../../compiler/compile.ts");
  const text =
    "model net(x: f32[B, 9, 9, 3]) -> f32[B, 10] = x |> Conv2d(8, pad: 1) |> MaxPool2d(3, stride: 2, pad: 1) |> BatchNorm() |> Conv2d(8) |> flatten |> Linear(10)\nexport fn f(x: f32[B, 9, 9, 3]) -> f32[B, 10] = softmax(net(x))";
  const { plan, diagnostics } = compile(text, { name: "test.dlm" });
  expect(plan, diagnostics.map((d) => d.message).join()).toBeDefined();
  expect(plan!.modules.map((m) => m.code).join("\n")).not.toContain("dlm_keep_finite");
});
