// `for` and reducers over bodies that are whole tensors; extents that a declared type says; shapes as lists. On the device and the evaluator.
import { describe, expect, test } from "vitest";
import { errorsOf, expectValues, valuesOf, type Rows } from "./values.ts";

const grid = (...shape: readonly number[]): Rows => {
  let n = 0;
  const fill = (rest: readonly number[]): Rows =>
    rest.length ? Array.from({ length: rest[0]! }, () => fill(rest.slice(1))) : Math.sin(++n) * 2;
  return fill(shape);
};
/** The two exports of a text agree, element by element. */
async function same(text: string, inputs: Readonly<Record<string, Rows>>): Promise<void> {
  const own = await valuesOf(text, inputs, "f");
  const want = await valuesOf(text, inputs, "g");
  for (const got of [own.device, own.evaluator]) {
    expect(got[0]!.length).toBe(want.evaluator[0]!.length);
    got[0]!.forEach((x, i) => expect(x).toBeCloseTo(want.evaluator[0]![i]!, 4));
  }
}
const z = "z: f32[3, B, 4]";
const cases: readonly [what: string, inputs: string, own: string, written: string, more?: string][] = [
  [
    "a loss for each of several outputs",
    `${z}, y: i32[B] in 0..4`,
    "sum over k in 0..3: cross_entropy(z[k], y)",
    "cross_entropy(z[0], y) + cross_entropy(z[1], y) + cross_entropy(z[2], y)",
  ],
  [
    "their mean",
    `${z}, y: i32[B] in 0..4`,
    "mean over k: cross_entropy(z[k], y)",
    "(cross_entropy(z[0], y) + cross_entropy(z[1], y) + cross_entropy(z[2], y)) / 3",
  ],
  ["one below the other", z, "for k: softmax(z[k])", "softmax(z)"],
  ["tensors summed up", z, "sum over k in 0..3: tanh(z[k])", "tanh(z[0]) + tanh(z[1]) + tanh(z[2])"],
  ["the largest of tensors", z, "max over k: z[k]", "max(z, axis: 0)"],
  ["its place", z, "f32(argmax over k: z[k])", "f32(argmax(z, axis: 0))"],
  ["part of the rounds", z, "sum over k in 1..3: z[k] * k", "z[1] + 2 * z[2]"],
  ["several indices", z, "for k, b: l2_normalize(z[k, b])", "l2_normalize(z)"],
  [
    "an index that no axis has",
    z,
    "for k in 0..2, m in 0..2: z[k] + z[m]",
    "[[z[0] + z[0], z[0] + z[1]], [z[1] + z[0], z[1] + z[1]]]",
  ],
  ["one element of an axis", z, "for k in 1..2: softmax(z[k])", "softmax(z[1..2])"],
  [
    "bounds by other indices",
    "x: f32[4, 3]",
    "for i in 0..4: sum over j in 0..i + 1: softmax(x[j])",
    "for i in 0..4, c: sum over j in 0..i + 1: s[j, c]",
    "softmax(x)",
  ],
  [
    "bounds by data",
    "x: f32[4, 3], n: i32 in 0..5",
    "sum over j in 0..n: softmax(x[j])",
    "for c: sum over j in 0..n: s[j, c]",
    "softmax(x)",
  ],
  ["a for in a for", "x: f32[3], y: f32[B]", "for i: for j: x[i] * y[j]", "for i, j: x[i] * y[j]"],
  ["in a function that a for calls", "x: f32[3]", "for i: powers(x[i])", "for i, k in 0..4: x[i]^k"],
  ["a reducer of such", "x: f32[3]", "sum over i: powers(x[i])", "for k in 0..4: sum over i: x[i]^k"],
  ["a list at the index", z, "for k in 0..2: [softmax(z[0]), tanh(z[1])][k]", "[softmax(z[0]), tanh(z[1])]"],
  [
    "a choice by the index",
    z,
    "for k in 0..2: if k == 0 then softmax(z[0]) else tanh(z[1])",
    "[softmax(z[0]), tanh(z[1])]",
  ],
  ["slices by the index", "x: f32[6]", "for k in 0..3: x[2 * k..2 * k + 2]", "reshape[3, 2](x)"],
  ["loops in it", z, "for k: fold (i in 0..3; h = z[k]) { next h = tanh(h) }", "tanh(tanh(tanh(z)))"],
  [
    "loops over run-time rows",
    "x: f32[3, B]",
    "for k: fold (i in 0..2; h = x[k]) { next h = sin(h) + i }",
    "sin(sin(x)) + 1",
  ],
  ["gradients in it", "x: f32[3, 4]", "for k: grad(sum(x[k]^3), wrt: x)[k]", "3 * x^2"],
  [
    "gradients of look-ups in it",
    "x: f32[3, 4], i: i32[3, 2] in 0..4",
    "for k: grad(sum(x[k][i[k]]^2), wrt: x)",
    "for k, r, c: where(r == k, 2 * x[r, c] * (sum over m: f32(i[k, m] == c)), 0)",
  ],
  ["matrix products", "a: f32[B, 2, 3], w: f32[B, 3, 4]", "for b: a[b] @ w[b]", "a @ w"],
];
describe("bodies that are tensors", () => {
  test.each(cases)("%s", async (_, inputs, own, written, more) => {
    const sizes: Readonly<Record<string, number>> = { B: 2 };
    const given = Object.fromEntries(
      inputs.split(/, (?=\w+:)/).map((p): [string, Rows] => {
        const [, name, dtype, dims = "", end] = /^(\w+): (\w+)(?:\[(.*?)\])?(?: in 0\.\.(\d))?$/.exec(p)!;
        const shape = dims ? dims.split(", ").map((d) => sizes[d] ?? Number(d)) : [];
        const whole = (x: Rows): Rows =>
          typeof x === "number" ? Math.abs(Math.round(x * 7)) % Number(end) : x.map(whole);
        return [name!, dtype === "i32" ? whole(grid(...shape)) : grid(...shape)];
      }),
    );
    const body = more ? ` {\n  let s = ${more}\n  return ${written}\n}` : ` = ${written}`;
    await same(
      `fn powers(x: f32) = for k in 0..4: x^k\nexport fn f(${inputs}) = ${own}\nexport fn g(${inputs})${body}`,
      given,
    );
  });
  test("draws: one for every index, also of nested ones; what is drawn outside is one", async () => {
    const text = `export fn f() -> f32[2, 3, 4] = for i in 0..2: for k in 0..3: uniform[4]
export fn g() -> f32[2, 3, 4] {
  let u = uniform[4]
  return for i in 0..2: for k in 0..3: u + 0 * uniform[4]
}`;
    const { device, evaluator } = await valuesOf(text, { seed: 3 }, "f");
    expect(new Set(device[0]!.map((x) => x.toFixed(6))).size).toBe(24);
    expect(new Set(evaluator[0]!.map((x) => x.toFixed(6))).size).toBe(24);
    const once = await valuesOf(text, { seed: 3 }, "g");
    expect(new Set(once.device[0]!.map((x) => x.toFixed(6))).size).toBe(4);
  });
  test("draws over run-time rows", async () => {
    const { device } = await valuesOf("export fn f(x: f32[B, 2]) = for k in 0..5: x + normal[B, 2]", {
      x: [
        [0, 0],
        [0, 0],
        [0, 0],
      ],
      seed: 1,
    });
    expect(new Set(device[0]!.map((x) => x.toFixed(6))).size).toBe(30);
  });
  test("a layer's weights are the same for all, and its state is written for each", async () => {
    await same(
      `model net(x: f32[B, 3]) -> f32[B, 2] = x |> Linear(4, act: tanh) |> Linear(2)
export fn f(x: f32[3, B, 3]) = for k: net(x[k])
export fn g(x: f32[3, B, 3]) = [net(x[0]), net(x[1]), net(x[2])]`,
      { x: grid(3, 2, 3) },
    );
  });
  test("per-sample gradients", async () => {
    await same(
      `model net(x: f32[B, 3]) -> f32[B, 1] = x |> Linear(4, act: tanh) |> Linear(1)
export fn f(x: f32[B, 3]) = for b in 0..2: norm(grad(sum(net(x[b..b + 1])^2), wrt: net))
export fn g(x: f32[B, 3]) = [norm(grad(sum(net(x[0..1])^2), wrt: net)), norm(grad(sum(net(x[1..2])^2), wrt: net))]`
        .replaceAll("B, 3]", "2, 3]")
        .replace("x: f32[2, 3]) -> f32[B, 1]", "x: f32[B, 3]) -> f32[B, 1]"),
      { x: grid(2, 3) },
    );
  });
  test("what cannot be", () => {
    expect(errorsOf("export fn f(x: f32[B, 4]) = for b: x[b] @ x")).toEqual(["DLM2004"]);
    expect(errorsOf("export fn f(x: f32[3, 4]) -> f32[3] = for b: x[b]")).toEqual(["DLM2003"]);
    expect(errorsOf("export fn f(x: f32[B, 4]) = for b: fold (i in 0..3; h = x[b]) { next h = tanh(h) }")).toEqual([
      "DLM2901",
    ]);
  });
});
describe("extents by the declared type", () => {
  const ident = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  test.each([
    ["an export's result", "export fn f() -> f32[3, 3] = for i, j: f32(i == j)"],
    ["in brackets", "export fn f() -> f32[3, 3] = (for i, j: f32(i == j))"],
    ["a function's", "fn ident(n: int) -> f32[n, n] {\n  return for i, j: f32(i == j)\n}\nexport fn f() = ident(3)"],
    [
      "of the dims of its inputs",
      "fn ident(x: f32[B, N]) -> f32[N, N] = for i, j: f32(i == j)\nexport fn f() = ident(zeros[2, 3])",
    ],
    ["a let's", "export fn f() -> f32[3, 3] {\n  let m: f32[3, 3] = for i, j: f32(i == j)\n  return m\n}"],
    ["by use and by type", "export fn f() -> f32[3, 3] {\n  let o = ones[3]\n  return for i, j: o[j] * f32(i == j)\n}"],
    [
      "with the rest",
      "fn cube(x: f32[...S]) -> f32[3, ...S] = for i, ...: x[...] * f32(i)\nexport fn f() = cube(ones[3, 3])[1] * (for i in 0..3, j in 0..3: f32(i == j))",
    ],
  ])("%s", (_, text) => expectValues(text, {}, ident));
  test("a field's", async () => {
    await expectValues(
      "data d {\n  rows: 3\n  field x: f32[3] = for j: f32(j == row)\n}\nexport fn f() -> f32[3] = for j: 2.0 * j",
      {},
      [0, 2, 4],
    );
    expect(errorsOf("data d {\n  rows: 3\n  field x: f32[3] = for j: f32(j == row)\n}")).toEqual([]);
  });
  test("a parameter's, a state's and its next value's", async () => {
    await expectValues(
      `layer Diagonal()(x: f32[B, D]) -> f32[B, D] {
  param w: f32[D, D] ~ for i, j: where(i == j, 2.0, 0.0)
  return x @ w
}
model net(x: f32[B, 3]) -> f32[B, 3] = x |> Diagonal()
export fn f() -> f32[1, 3] = net([[1.0, 2.0, 3.0]])`,
      {},
      [2, 4, 6],
    );
    expect(
      errorsOf(
        "train t {\n  state s: f32[2, 3] = for i, j: f32(i + j)\n  next s = for i, j: 0.5 * f32(i * j)\n  steps: 3\n}",
      ),
    ).toEqual([]);
  });
  test("no other", () => {
    expect(errorsOf("export fn f() -> f32[3] = sum(for i, j: f32(i == j), axis: 0)")).toEqual(["DLM2007"]);
    expect(errorsOf("export fn f() -> f32[3] = for i, j: f32(i == j)")).toEqual(["DLM2007"]);
  });
});
describe("shapes as lists", () => {
  test.each([
    [
      "zeros[...shape]",
      "fn make(shape: int[M]) = zeros[...shape] + 1\nexport fn f() = make([2, 3])",
      [1, 1, 1, 1, 1, 1],
    ],
    ["among others", "fn make(shape: int[M]) = ones[2, ...shape, 1]\nexport fn f() = make([3])", [1, 1, 1, 1, 1, 1]],
    [
      "in a type",
      "layer L(shape: int[M])(x: f32[B, 2]) -> f32[B, 2] {\n  param w: f32[...shape] ~ ones\n  return x * sum(w)\n}\nmodel net(x: f32[B, 2]) -> f32[B, 2] = x |> L([2, 3])\nexport fn f() = net([[1.0, 2.0]])",
      [6, 12],
    ],
    [
      "in an init",
      "init halves() = 0.5 * ones[...shape]\nlayer L()(x: f32[B, D]) -> f32[B, 3] {\n  param w: f32[D, 3] ~ halves\n  return x @ w\n}\nmodel net(x: f32[B, 2]) -> f32[B, 3] = x |> L()\nexport fn f() = net([[1.0, 1.0]])",
      [1, 1, 1],
    ],
  ])("%s", (_, text, want) => expectValues(text, {}, want));
  test("draws", async () => {
    const { device } = await valuesOf(
      "fn noise(shape: int[M]) = uniform[...shape]\nexport fn f() -> f32[2, 3] = noise([2, 3])",
      { seed: 1 },
    );
    expect(new Set(device[0]).size).toBe(6);
  });
});
