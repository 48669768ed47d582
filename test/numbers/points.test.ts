// Points that belong to more than one function: reductions of nothing, normalisation of constant rows, products with zeros, stable formulas as books write
// them, Newton's method from 0; by the evaluator and on the device, against closed forms.
import { describe, expect, test } from "vitest";
import { expectValues, valuesOf } from "./values.ts";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const xs = [0, 1e-3, -1e-3, 2, -2, 30, -30];
const [low, high] = [-3.4028234663852886e38, 3.4028234663852886e38];

/** Value, slope and second derivative of a function of x, elementwise; z is 0. */
const orders = (
  f: string,
  n: number,
): string => `export fn f(x: f32[${n}], w: f32[${n}], z: f32) -> (f32[${n}], f32[${n}], f32[${n}]) {
  let y = ${f}
  let g = grad(sum(y) + z * sum(x), wrt: x)
  return (y, g, grad(sum(g) + z * sum(x), wrt: x))
}`;

describe("softplus as books write it is as smooth as softplus: its kinks cancel", () => {
  const w = 0.25;
  // formula, sign of the argument, what is added: c x
  const formulas: readonly (readonly [string, 1 | -1 | 2, number])[] = [
    ["log1p(exp(x))", 1, 0],
    ["log(1 + exp(x))", 1, 0],
    ["log(exp(x) + 1)", 1, 0],
    ["max(x, 0) + log1p(exp(-abs(x)))", 1, 0],
    ["log1p(exp(-abs(x))) + max(0, x)", 1, 0],
    ["max(x, 0) + log(1 + exp(-abs(x)))", 1, 0],
    ["relu(x) + log1p(exp(-abs(x)))", 1, 0],
    ["clamp(x, 0) + log1p(exp(-abs(x)))", 1, 0],
    ["where(x > 0, x, 0) + log1p(exp(-abs(x)))", 1, 0],
    ["where(x >= 0, x, 0) + log1p(exp(-abs(x)))", 1, 0],
    ["where(x < 0, 0, x) + log1p(exp(-abs(x)))", 1, 0],
    ["max(x, 0) - x * w + log1p(exp(-abs(x)))", 1, -w],
    ["relu(x) - x * w + log1p(exp(-abs(x)))", 1, -w],
    ["clamp(x, 0) - x * w + log1p(exp(-abs(x)))", 1, -w],
    ["log1p(exp(-abs(x))) + (max(x, 0) - w * x)", 1, -w],
    ["log1p(exp(-abs(x))) - min(x, 0)", -1, 0],
    ["log1p(exp(-abs(x))) + max(-x, 0)", -1, 0],
    ["(1 - w) * x + log1p(exp(-abs(x))) + relu(-x)", -1, 1 - w],
    ["(1 - w) * x + (log1p(exp(-abs(x))) + max(-x, 0))", -1, 1 - w],
    ["log1p(exp(-abs(x))) + 0.5 * abs(x)", 1, -0.5],
    ["log1p(exp(-abs(x))) + (x + abs(x)) / 2", 1, 0],
    ["0.5 * (max(2 * x, 0) + log1p(exp(-abs(2 * x)))) - x", 2, 0],
    ["0.5 * max(2 * x, 0) + 0.5 * log1p(exp(-2 * abs(x))) - x", 2, 0],
    ["max(x, 0) + log1p(exp(-2 * abs(x))) / 2 - x", 2, 0],
    ["(abs(x) + log1p(exp(-2 * abs(x))) - x) / 2", 2, 0],
  ];
  test.each(formulas)("%s", async (f, sign, c) => {
    const s = (x: number): number => sigmoid(sign * x);
    // softplus(2 x) / 2 - x
    const twice = [
      xs.map((x) => softplus(-2 * x) / 2),
      xs.map((x) => -sigmoid(-2 * x)),
      xs.map((x) => 2 * sigmoid(2 * x) * sigmoid(-2 * x)),
    ];
    const want =
      sign === 2
        ? twice
        : [xs.map((x) => softplus(sign * x) + c * x), xs.map((x) => sign * s(x) + c), xs.map((x) => s(x) * (1 - s(x)))];
    await expectValues(orders(f, xs.length), { x: xs, w: xs.map(() => w), z: 0 }, want, 2e-6);
    // turned over, and with a weight
    await expectValues(
      orders(`-(${f})`, xs.length),
      { x: xs, w: xs.map(() => w), z: 0 },
      want.map((row) => row.map((v) => -v)),
      2e-6,
    );
    await expectValues(
      orders(`w * (${f})`, xs.length),
      { x: xs, w: xs.map(() => w), z: 0 },
      want.map((row) => row.map((v) => w * v)),
      2e-6,
    );
  });
  test("log sigmoid", async () => {
    const want = [xs.map((x) => -softplus(-x)), xs.map((x) => sigmoid(-x)), xs.map((x) => -sigmoid(x) * sigmoid(-x))];
    for (const f of [
      "min(x, 0) - log1p(exp(-abs(x)))",
      "-log(1 + exp(-x))",
      "log(sigmoid(x))",
      "log(1 / (1 + exp(-x)))",
    ])
      await expectValues(orders(f, xs.length), { x: xs, w: xs, z: 0 }, want, 2e-6);
  });
  test.each([
    "max(x, w) + log1p(exp(-abs(x - w)))",
    "max(w, x) + log1p(exp(-abs(w - x)))",
    "log(exp(x) + exp(w))",
    "logsumexp([x, w], axis: 0)",
    "w + softplus(x - w)",
  ])("log(exp(x) + exp(w)): %s", async (f) => {
    for (const w of [0, 0.5, -2]) {
      const all = [...xs, w];
      const want = [
        all.map((x) => w + softplus(x - w)),
        all.map((x) => sigmoid(x - w)),
        all.map((x) => sigmoid(x - w) * sigmoid(w - x)),
      ];
      await expectValues(orders(f, all.length), { x: all, w: all.map(() => w), z: 0 }, want, 4e-6);
    }
  });
});
test("Newton's method on a logistic regression from 0", async () => {
  const rows = [
    [-2, 0],
    [-1, 0],
    [-0.5, 1],
    [0.3, 0],
    [1, 1],
    [2.5, 1],
  ] as const;
  let want = 0;
  for (let k = 0; k < 8; k++)
    want -=
      rows.reduce((a, [x, y]) => a + (sigmoid(want * x) - y) * x, 0) /
      rows.reduce((a, [x]) => a + sigmoid(want * x) * sigmoid(-want * x) * x * x, 0);
  for (const loss of [
    "bce_with_logits(v * x, y)",
    "-mean(y * log_sigmoid(v * x) + (1 - y) * log_sigmoid(-v * x))",
    "mean(max(v * x, 0) - v * x * y + log1p(exp(-abs(v * x))))",
    "mean(logaddexp(0 * x, v * x) - y * v * x)",
  ])
    await expectValues(
      `export fn f(x: f32[6], y: f32[6]) -> f32 = fold (k in 0..8; v = 0.0) {
  let g = grad(${loss}, wrt: v)
  next v = v - g / grad(g, wrt: v)
}`,
      { x: rows.map(([x]) => x), y: rows.map(([, y]) => y) },
      [want],
      1e-5,
    );
});
test("reductions of nothing are finite", async () => {
  for (const [word, want] of [
    ["sum", 0],
    ["mean", 0],
    ["prod", 1],
    ["max", low],
    ["min", high],
    ["amax", low],
    ["amin", high],
    ["logsumexp", low],
  ] as const) {
    await expectValues(
      `export fn f(x: f32[3]) -> f32[2] = for i in 0..2: ${word} over j in 0..0: x[j] * 1.0`,
      { x: [1, 2, 3] },
      [want, want],
    );
    // bounds that depend on the row: none, one, two
    const some = {
      sum: [0, 1, 3],
      mean: [0, 1, 1.5],
      prod: [1, 1, 2],
      max: [low, 1, 2],
      min: [high, 1, 1],
      amax: [low, 1, 2],
      amin: [high, 1, 1],
      logsumexp: [low, 1, 1 + softplus(1)],
    }[word];
    await expectValues(
      `export fn f(x: f32[3]) -> f32[3] = for i in 0..3: ${word} over j in 0..i: x[j]`,
      { x: [1, 2, 3] },
      some,
    );
    const slopes = {
      sum: [2, 1, 0],
      mean: [1.5, 0.5, 0],
      prod: [3, 1, 0],
      max: [1, 1, 0],
      min: [2, 0, 0],
      amax: [1, 1, 0],
      amin: [2, 0, 0],
      logsumexp: [1 + sigmoid(-1), sigmoid(1), 0],
    }[word];
    await expectValues(
      `export fn f(x: f32[3]) -> f32[3] = grad(sum(for i in 0..3: ${word} over j in 0..i: x[j]), wrt: x)`,
      { x: [1, 2, 3] },
      slopes,
    );
  }
});
test("normalisation of constant rows: 0, and slopes of no mean", async () => {
  const x = [
    [3, 3, 3],
    [0, 0, 0],
  ];
  const eps = 1e-5;
  // slope of y_0 at equal elements: (1 - 1/3) / sqrt(eps) by x_0, -1/3 / sqrt(eps) by the others
  const [own, other] = [2 / 3 / Math.sqrt(eps), -1 / 3 / Math.sqrt(eps)];
  await expectValues(
    `model net(x: f32[2, 3]) = x |> LayerNorm(affine: false)\nexport fn f(x: f32[2, 3]) -> (f32[2, 3], f32[2, 3]) = (net(x), grad(sum(net(x)[:, 0]), wrt: x))`,
    { x },
    [
      [
        [0, 0, 0],
        [0, 0, 0],
      ],
      [
        [own, other, other],
        [own, other, other],
      ],
    ],
    2e-5,
  );
});
test("products with one zero, several and none: value, slope and second derivative", async () => {
  const text = `export fn f(x: f32[4, 3]) -> (f32[4], f32[4, 3], f32[4, 3]) {
  let y = prod(x, axis: -1)
  let g = grad(sum(y), wrt: x)
  return (y, g, grad(sum(g), wrt: x))
}`;
  const x = [
    [2, 3, 4],
    [0, 3, 4],
    [0, 0, 4],
    [0, 0, 0],
  ];
  await expectValues(text, { x }, [
    [24, 0, 0, 0],
    x.map(([a, b, c]) => [b! * c!, a! * c!, a! * b!]),
    x.map(([a, b, c]) => [b! + c!, a! + c!, a! + b!]),
  ]);
  await expectValues(
    "export fn f(x: f32[4, 3]) -> (f32[4, 3], f32[4, 3]) = (cumprod(x), grad(sum(cumprod(x)), wrt: x))",
    { x },
    [
      x.map(([a, b, c]) => [a!, a! * b!, a! * b! * c!]),
      x.map(([a, b, c]) => [1 + b! + b! * c!, a! + a! * c!, a! * b!]),
    ],
  );
});
test("softmax and its relatives of equal and of extreme values, and cross-entropy of a probability of 0", async () => {
  const x = [
    [0, 0],
    [3e38, 3e38],
    [-3e38, 3e38],
    [1e30, 0],
  ];
  await expectValues("export fn f(x: f32[4, 2]) -> f32[4, 2] = softmax(x)", { x }, [
    [0.5, 0.5],
    [0.5, 0.5],
    [0, 1],
    [1, 0],
  ]);
  await expectValues("export fn f(x: f32[4, 2]) -> f32[4] = logsumexp(x, axis: -1)", { x }, [
    Math.LN2,
    3e38,
    3e38,
    1e30,
  ]);
  await expectValues(
    "export fn f(x: f32[2, 2]) -> (f32[2], f32[2, 2]) = (cross_entropy(x, [0, 1], reduce: each), grad(cross_entropy(x, [0, 1], reduce: total), wrt: x))",
    {
      x: [
        [-1e30, 0],
        [200, 0],
      ],
    },
    [
      [1e30, 200],
      [
        [-1, 1],
        [1, -1],
      ],
    ],
  );
});
test("ties of reductions: max to the first, amax shared", async () => {
  const x = [
    [1, 2, 2],
    [3, 3, 3],
  ];
  await expectValues(
    "export fn f(x: f32[2, 3]) -> (f32[2, 3], f32[2, 3]) = (grad(sum(max(x, axis: -1)), wrt: x), grad(sum(amax(x, axis: -1)), wrt: x))",
    { x },
    [
      [
        [0, 1, 0],
        [1, 0, 0],
      ],
      [
        [0, 0.5, 0.5],
        [1 / 3, 1 / 3, 1 / 3],
      ],
    ],
  );
});
test("powers of the ends of f32, of negative bases and of huge exponents", async () => {
  const pairs = [
    [0, 0, 1],
    [0, 3, 0],
    [0, -1, high],
    [-2, 3, -8],
    [-2, -2, 0.25],
    [-1, 16777217, 1],
    [-1, 1e30, 1],
    [2, 128, high],
    [2, -200, 0],
    [0.5, -200, high],
    [3e38, 1, 3e38],
    [3e38, 0.5, Math.sqrt(3e38)],
    [1, 3e38, 1],
    [1.0000001, 5e8, Math.fround(1.0000001) ** 5e8],
  ] as const;
  const got = await valuesOf(
    `export fn f(x: f32[${pairs.length}], y: f32[${pairs.length}]) -> f32[${pairs.length}] = x^y`,
    { x: pairs.map((p) => p[0]), y: pairs.map((p) => p[1]) },
  );
  pairs.forEach(([x, y, want], i) =>
    expect(Math.abs(got.device[0]![i]! - want), `${x}^${y} is ${got.device[0]![i]}`).toBeLessThanOrEqual(
      1e-6 * Math.abs(want),
    ),
  );
});
