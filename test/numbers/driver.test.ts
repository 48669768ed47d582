// Valid programs end in numbers, nearly valid ones in a diagnostic: never in an internal error or in a message of the driver.
import { describe, expect, test } from "vitest";
import { expectAccepted, outcomeOf } from "../accepted.ts";
import { expectValues } from "./values.ts";

// [2, 3] and [2, 3, 2], with ties
const x = [
  [1, 7, 3],
  [7, 2, 7],
];
const z = [
  [
    [1, 2],
    [9, 3],
    [4, 9],
  ],
  [
    [9, 0],
    [5, 5],
    [6, 1],
  ],
];
const x6 = x.flat();
const one = (at: number, n = 6): number[] => Array.from({ length: n }, (_, i) => Number(i === at));
describe("order statistics over several run-time axes", () => {
  const [least, most, ties] = [0, 1, 3]; // positions; 7 stands three times
  const table: [string, number[]][] = [
    ["grad(min(x), wrt: x)", one(least)],
    ["grad(max(x), wrt: x)", one(most)],
    ["grad(max(x)^3, wrt: x)", one(most).map((v) => v * 3 * 49)],
    ["grad(amax(x), wrt: x)", x6.map((v) => Number(v === 7) / ties)],
    ["grad(amin(x), wrt: x)", one(least)],
    ["grad(sum(grad(max(x)^3, wrt: x)^2), wrt: x)", one(most).map((v) => v * 2 * 147 * 6 * 7)],
    ["grad(sum(max(x, axis: 0)^2), wrt: x)", [0, 14, 0, 14, 0, 14]],
    ["grad(sum(max(x, axis: 1)^2), wrt: x)", [0, 14, 0, 14, 0, 0]],
    ["grad(max(x) - min(x), wrt: x)", [-1, 1, 0, 0, 0, 0]],
    ["grad(max(-x * x), wrt: x)", [-2, 0, 0, 0, 0, 0]],
  ];
  for (const type of ["f32[B, T]", "f32[B, 3]", "f32[2, T]", "f32[2, 3]"])
    test.each(table)(`%s of ${type}`, (e, want) => expectValues(`export fn f(x: ${type}) = ${e}`, { x }, want));
  const places: [string, number[]][] = [
    ["argmax(x)", [1]],
    ["argmin(x)", [0]],
    ["argmax(-x)", [0]],
    ["argmax(x * x - 14 * x)", [0]],
    ["argmin(x * x - 14 * x)", [1]],
    ["max(x)", [7]],
    ["prod(x)", [7 * 7 * 7 * 6]],
    ["mean(x)", [27 / 6]],
    ["any(x > 6)", [1]],
    ["all(x > 1)", [0]],
    ["logsumexp(x)", [Math.log(x6.reduce((s, v) => s + Math.exp(v), 0))]],
  ];
  for (const type of ["f32[B, T]", "f32[B, 3]", "f32[2, T]"])
    test.each(places)(`%s of ${type}`, (e, want) => expectValues(`export fn f(x: ${type}) = ${e}`, { x }, want));
  // a last place that only the run knows
  test.each(["f32[B, T, U]", "f32[B, 3, U]", "f32[B, T, 2]", "f32[2, T, U]"])("places in %s", (type) =>
    expectValues(`export fn f(x: ${type}) = (argmax(x), argmin(x), argmax(x - 2 * x * x))`, { x: z }, [2, 7, 7]),
  );
  test.each(["f32[B, T, U]", "f32[B, 3, U]", "f32[B, T, 2]"])("gradients in %s", (type) =>
    expectValues(
      `export fn f(x: ${type}) = grad(max(x)^2 + min(x), wrt: x)`,
      { x: z },
      one(2, 12).map((v, i) => v * 18 + Number(i === 7)),
    ),
  );
  test.each([[[0, 2]], [[0, 1]], [[1, 2]]])("gradient over axes %s", (over) => {
    const best = new Map<string, { v: number; i: number }>();
    z.flat(2).forEach((v, i) => {
      const at = [Math.floor(i / 6), Math.floor(i / 2) % 3, i % 2];
      const key = at.filter((_, d) => !over.includes(d)).join();
      if (!best.has(key) || v > best.get(key)!.v) best.set(key, { v, i });
    });
    const want = new Array<number>(12).fill(0);
    for (const { v, i } of best.values()) want[i] = 2 * v;
    return expectValues(
      `export fn f(x: f32[B, T, U]) = grad(sum(max(x, axis: [${over.join(", ")}])^2), wrt: x)`,
      { x: z },
      want,
    );
  });
});

describe("nearly valid programs", () => {
  const net = (layer: string, type = "f32[B, 6, 5, 4]"): string =>
    `model net(x: ${type}) = x |> ${layer}\nexport fn f(x: ${type}) = net(x)\nexport fn g(x: ${type}) = grad(sum(net(x)^2), wrt: x)`;
  const odd = ["0", "1", "-1", "2", "7", "0.5", "1e39", "inf", "1e-30", "true", "[1, 2]", "[]"];
  const layers = [
    "Linear(K)",
    "Dropout(K, always: true)",
    "LayerNorm(eps: K)",
    "RMSNorm(eps: K)",
    "BatchNorm(momentum: K, eps: K)",
    "Conv2d(K)",
    "Conv2d(2, k: K)",
    "Conv2d(2, stride: K)",
    "Conv2d(2, pad: K)",
    "Conv2d(2, dilate: K)",
    "Conv2d(4, groups: K)",
    "MaxPool2d(K)",
    "MaxPool2d(2, stride: K)",
    "MaxPool2d(2, pad: K)",
    "AvgPool2d(K)",
    "AvgPool2d(2, pad: K, count_include_pad: false)",
    "AvgPool2d(2, stride: K, ceil_mode: true)",
    "stack K of relu",
    "split(K)",
    "softmax(K)",
    "flip(K)",
    "roll(K)",
    "unsqueeze(K)",
    "squeeze(K)",
  ];
  test.each(layers)("%s", { timeout: 300_000 }, async (layer) => {
    for (const k of odd) {
      const text = net(layer.replaceAll("K", k));
      expect((await outcomeOf(text)).refused, text).toEqual([]);
    }
  });
  const functions = [
    "smooth_l1(x, y, beta: K)",
    "huber(x, y, delta: K)",
    "bce_with_logits(x, y, K)",
    "elu(x, K)",
    "celu(x, K)",
    "softplus(x, K, K)",
    "leaky_relu(x, K)",
    "hardtanh(x, K, K)",
    "hardshrink(x, K)",
    "softshrink(x, K)",
    "norm(x, p: K)",
    "var(x, correction: K)",
    "std(x, axis: 0, correction: K)",
    "l2_normalize(x, eps: K)",
    "clamp(x, K, 2)",
    "x^K",
    "K^x",
    "x % K",
    "x // K",
    "x / K",
    "top_k(x, K)",
    "tril(x, K)",
    "lerp(x, y, K)",
    "logaddexp(x, K)",
    "x[K..3]",
    "x[0..K]",
    "x[:, K..K]",
    "zeros[K] + x[0, 0]",
    "for i in 0..K: x[0, 0]",
    "sum over i in K..3: x[i, 0] ?? 1",
    "scan (k in 0..K; h = x) { next h = h * 0.5\n yield h }",
    "expand[K, 3, 4](x)",
    "reshape[K, 12](x)",
  ];
  test.each(functions)("%s", { timeout: 300_000 }, async (f) => {
    for (const k of odd) {
      const e = f.replaceAll(/\bK\b/g, k.startsWith("-") ? `(${k})` : k);
      const text = `export fn f(x: f32[3, 4], y: f32[3, 4]) = ${e}\n${f.startsWith("zeros") || f.startsWith("scan") ? "" : `export fn g(x: f32[3, 4], y: f32[3, 4]) = grad(sum((${e}) * 1.5), wrt: x)`}`;
      expect((await outcomeOf(text)).refused, text).toEqual([]);
    }
  });
});

test("names that WGSL has taken", { timeout: 300_000 }, async () => {
  for (const name of [
    "main",
    "group",
    "vec4f",
    "f32x",
    "array",
    "i",
    "local_index",
    "lane_index",
    "dot",
    "select",
    "bitcast",
    "atomicAdd",
    "textureLoad",
    "workgroupBarrier",
    "subgroupAdd",
    "round",
    "x_",
    "_x",
    "var_",
    "enable",
    "requires",
    "loop_",
    "override_",
    "ptr",
    "dlm_log",
    "at",
    "values",
    "numbers",
    "tile",
    "zero",
    "a".repeat(300),
    "unpack4x8snorm",
    "mat4x4f",
    "quantizeToF16",
    "sign",
    "packed",
    "f16",
    "pow",
    "modf",
    "frexp",
    "ldexp",
    "firstLeadingBit",
    "dpdx",
    "position",
    "vertex_index",
    "function",
    "private",
  ]) {
    const text = `fn own_${name.slice(0, 5)}(${name}: f32[3]) = max(${name}) * ${name}\nexport fn f(${name}: f32[3], y: f32[B]) = own_${name.slice(0, 5)}(softmax(${name})) * sum(y)`;
    const { errors, refused } = await outcomeOf(text);
    expect(refused, text).toEqual([]);
    if (!name.startsWith("_") && name !== "round" && name !== "select")
      expect(
        errors.filter((c) => c !== "DLM1003" && c !== "DLM1004" && c !== "DLM2001"),
        text,
      ).toEqual([]);
  }
});
test("exports over several run-time axes are accepted", () =>
  expectAccepted("export fn f(x: f32[B, T]) = (argmax(x), grad(max(x), wrt: x), grad(min(x)^2, wrt: x))", "discrete"));
test("dims and tensors whose names differ in little", async () => {
  await expectValues("export fn f(x: f32[AB, Ab]) = sum(x) * AB + 100 * Ab", { x }, [27 * 2 + 300]);
  await expectValues(
    "export fn f(x: f32[A_B, AB_]) = for i, j: x[i, j] * A_B + AB_",
    { x },
    x6.map((v) => 2 * v + 3),
  );
  await expectValues(
    "export fn f(dim_b: f32[B], dlm_log: f32[B]) = log(dim_b) * B + dlm_log",
    { dim_b: [1, 1], dlm_log: [2, 3] },
    [2, 3],
  );
  await expectValues(
    "export fn f(group: f32[B], local_index: f32[B], lane_index: f32[B]) = group * 100 + local_index * 10 + lane_index",
    { group: [1, 2], local_index: [3, 4], lane_index: [5, 6] },
    [135, 246],
  );
});

describe("patterns that do not fit", () => {
  const given = "export fn f(x: f32[3, 2], y: f32[2], s: f32, b: bool[2], i: i32[2]) = ";
  test.each([
    "rearrange(`a ... -> ... a`, s)",
    "rearrange(`a a -> a`, x)",
    "rearrange(`a b -> a a`, x)",
    "rearrange(`a 1 -> a`, x)",
    "rearrange(`a b -> b a`, x, a: 5)",
    "rearrange(`(a b) c -> a b c`, x, a: 0)",
    "rearrange(`... a ... -> a`, x)",
    "einsum(`a, ... -> ... a`, i, x)",
    "einsum(`a, a -> a`, b, y)",
    "einsum(`a -> a`, b)",
    "einsum(`a 1 -> a`, x)",
    "einsum(`a b -> a a`, x)",
    "einsum(`... a, ... -> ...`, x, x)",
    "einsum(`a b c -> a`, x)",
  ])("%s", async (e) => expect((await outcomeOf(given + e)).errors, e).toHaveLength(1));
  test("`...` of several lengths", () =>
    expectValues(
      "export fn f(x: f32[3, 2], y: f32[2]) = einsum(`... a, a -> ...`, x, y)",
      {
        x: [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        y: [1, 10],
      },
      [21, 43, 65],
    ));
  test("the shorter one first", () =>
    expectValues(
      "export fn f(x: f32[3, 2], y: f32[2]) = einsum(`a, ... a -> ...`, y, x)",
      {
        x: [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        y: [1, 10],
      },
      [21, 43, 65],
    ));
  test("logsumexp of whole numbers and of truths", async () => {
    await expectValues("export fn f(i: i32[2]) = logsumexp(i)", { i: [1, 2] }, Math.log(Math.E + Math.E ** 2));
    await expectValues("export fn f(i: i32[2]) = logsumexp(i > 1)", { i: [1, 2] }, Math.log(1 + Math.E));
    await expectValues(
      "export fn f(i: i32[2]) = logsumexp over k: i[k]",
      { i: [1, 2] },
      Math.log(Math.E + Math.E ** 2),
    );
    await expectValues(
      "export fn f(x: f32[B]) = logsumexp over k in 1..B: k",
      { x: [0, 0, 0] },
      Math.log(Math.E + Math.E ** 2),
    );
  });
});
