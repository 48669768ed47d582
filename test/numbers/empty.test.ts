// Tensors of no elements, by slices, ranges, loops and sizes: values as PyTorch and NumPy have them, or an error in the user's words.
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";
import { errorsOf, expectValues, valuesOf, type Rows } from "./values.ts";

const lowest = -3.4028234663852886e38;
const x = [1, 2, 3, 4];
const m = [
  [1, 2, 3, 4],
  [5, 6, 7, 8],
];

describe("a text without elements has no numbers", () => {
  test.each([
    "x[2..2]",
    "x[3..1]",
    "x[4..4]",
    "x[0..0] + 1",
    "zeros[0]",
    "zeros[3, 0]",
    "for i in 0..-3: x[0]",
    "for i in 0..0: x[i]",
    "for i in 0..2, j in 3..3: x[i]",
    "scan (i in 0..0; h = 0.0) { next h = h + 1\n yield h }",
    "scan (i in 0..-4; h = x) { next h = h + 1\n yield h }",
    "concat([x[0..0], x[1..1]])",
    "softmax(x[1..1])",
    "x[0..0] * x[4..4]",
    "eye(0)",
    "cumsum(x[0..0])",
    "reshape[0, 3](x[0..0])",
    "flip(x[0..0])",
    "for i in 0..0: sum over j: x[j]",
  ])("%s", (e) => expectValues(`export fn f(x: f32[4]) = ${e}`, { x }, []));
  test("columns of a matrix", () => expectValues("export fn f(x: f32[B, 4]) = x[:, 1..1]", { x: m }, []));
  test("as an input", () => expectValues("export fn f(x: f32[0]) = x * 2", { x: [] }, []));
});
describe("reductions of nothing", () => {
  const table: [string, Rows][] = [
    ["sum(x[2..2])", 0],
    ["prod(x[2..2])", 1],
    ["mean(x[2..2])", 0],
    ["max(x[2..2])", lowest],
    ["amin(x[2..2])", -lowest],
    ["any(x[2..2] > 0)", 0],
    ["all(x[2..2] > 0)", 1],
    ["logsumexp(x[2..2])", lowest],
    ["sum(x[3..1])", 0],
    ["sum over i in 3..1: x[0]", 0],
    ["mean over i in 0..0: x[i]", 0],
    ["max over i in 0..0: x[i]", lowest],
    ["prod over i in 2..0: x[i]", 1],
    ["any over i in 0..0: x[i] > 0", 0],
    ["all over i in 0..0: x[i] > 0", 1],
    ["sum(i32(x[2..2]))", 0],
    ["sum(x[0..0]^2) + sum(x)", 10],
    ["sum(softmax(x[0..0]))", 0],
    ["sum(x[2..2] > 0)", 0],
    ["mean(zeros[0, 4], axis: 0)", [0, 0, 0, 0]],
    ["max(zeros[0, 2], axis: 0)", [lowest, lowest]],
    ["zeros[2, 0] @ zeros[0, 3]", [0, 0, 0, 0, 0, 0]],
    ["concat([x[0..0], x])", x],
    ["concat([x[0..2], x[2..2], x[2..4]])", x],
    ["concat([x, x[4..4]])", x],
    ["grad(sum(x[2..2]) + sum(x^2), wrt: x)", [2, 4, 6, 8]],
    ["fold (i in 0..0; h = 5.0) { next h = h + 1 }", 5],
    ["fold (i in 0..-2; h = x) { next h = h + 1 }", x],
    ["x |> stack 0 of relu", x],
  ];
  test.each(table)("%s", (e, want) => expectValues(`export fn f(x: f32[4]) = ${e}`, { x }, want));
  test("a place in nothing is an error", () => {
    for (const e of [
      "argmax(x[2..2])",
      "argmin over i in 0..0: x[i]",
      "argmax(zeros[3, 0], axis: 1)",
      "categorical(zeros[3, 0])",
    ])
      expect(errorsOf(`export fn f(x: f32[4]) = ${e}`), e).toEqual(["DLM2006"]);
    expect(errorsOf("export fn f(x: f32[4]) = argmax(zeros[0, 3], axis: 1)")).toEqual([]);
  });
});
test("more of the largest elements than there are is an error", () => {
  expect(errorsOf("export fn f(x: f32[4]) = top_k(x, 5)")).toEqual(["DLM2006"]);
  return expectValues("export fn f(x: f32[4]) = top_k(x, 4)", { x }, [4, 3, 2, 1]);
});
test("a window of padding alone has the mean 0", () => {
  const pool = "AvgPool2d(1, pad: 1, count_include_pad: false)";
  const text = `model net(x: f32[1, 1, 1, 1]) = x |> ${pool}\nexport fn f(x: f32[1, 1, 1, 1]) = net(x)`;
  return expectValues(text, { x: [[[[7]]]] } as never, [0, 0, 0, 0, 7, 0, 0, 0, 0]);
});
describe("sizes that depend on the run", () => {
  const run = (e: string, b: number[]): Promise<number[]> =>
    valuesOf(`export fn f(x: f32[B]) = ${e}`, { x: b }).then((v) => [...v.device.flat()]);
  test("one element less", async () => {
    expect(await run("x[1..B]", [5])).toEqual([]);
    expect(await run("x[1..B]", [5, 6])).toEqual([6]);
    expect(await run("sum(x[1..B])", [5])).toEqual([0]);
    expect(await run("mean(x[1..B])", [5])).toEqual([0]);
    expect(await run("max(x[1..B])", [5])).toEqual([lowest]);
    expect(await run("any(x[1..B] > 0)", [5])).toEqual([0]);
    expect(await run("concat([x[1..B], x[0..1]])", [5])).toEqual([5]);
    expect(await run("cumsum(x[1..B])", [5])).toEqual([]);
    expect(await run("softmax(x[1..B])", [5])).toEqual([]);
    expect(await run("x[1..B] * sum(x[1..B])", [5])).toEqual([]);
  });
  test("below 0: an error that names the formula and the sizes", async () => {
    await expect(run("x[3..B]", [5, 6])).rejects.toThrow(
      "f: a size of B - 3 comes out as -1 where B is 2; it must be at least 0",
    );
    expect(await run("x[3..B]", [5, 6, 7])).toEqual([]);
    expect(await run("x[3..B]", [5, 6, 7, 8])).toEqual([8]);
  });
  test("no formula of sums", () => {
    for (const e of ["for i in 0..B // 2: x[2 * i]", "reshape[B * B](x)"])
      expect(errorsOf(`export fn f(x: f32[B]) = ${e}`), e).toEqual(["DLM2017"]);
  });
});
test("what a model keeps has elements", () => {
  const text = (layer: string): string => `model net(x: f32[B, 8]) = x |> ${layer}\nexport fn f(x: f32[B, 8]) = net(x)`;
  for (const layer of ["Linear(0)", "Linear(-1)", "Linear(4) |> Linear(0) |> Linear(2)"])
    expect(errorsOf(text(layer)), layer).toContain("DLM2006");
});
describe("windows that do not fit", () => {
  const message = (layer: string): string => {
    const { diagnostics } = compile(
      `model net(x: f32[B, 8, 6, 4]) = x |> ${layer}\nexport fn f(x: f32[B, 8, 6, 4]) = net(x)`,
    );
    return diagnostics.map((d) => d.message).join("; ");
  };
  test.each([
    ["Conv2d(4, k: 9)", "a window of 9 does not fit into the 8 elements that it moves over"],
    ["Conv2d(4, k: [3, 7])", "a window of 7 does not fit into the 6 elements that it moves over"],
    ["Conv2d(4, k: 3, dilate: 4)", "a window of 9 does not fit into the 8 elements that it moves over"],
    ["MaxPool2d(7)", "a window of 7 does not fit into the 6 elements that it moves over"],
    ["AvgPool2d(9, ceil_mode: true)", "a window of 9 does not fit into the 8 elements that it moves over"],
    ["Conv2d(4, k: 11, pad: 1)", "a window of 11 does not fit into the 8 elements, padded to 10, that it moves over"],
    ["Conv2d(4, k: 0)", "Conv2d's k may be 0, but must lie in 1..inf"],
    ["Conv2d(4, k: [3, 0])", "Conv2d's k may be 0, but must lie in 1..inf"],
    ["ConvTranspose2d(4, k: [-1, 3])", "ConvTranspose2d's k may be -1, but must lie in 1..inf"],
    ["MaxPool2d([2, 0])", "a window of 1 or more is needed here, this is 0"],
    ["MaxPool2d(2, stride: 0)", "a stride of 1 or more is needed here, this is 0"],
    ["Conv2d(4, dilate: 0)", "a dilation of 1 or more is needed here, this is 0"],
    ["AvgPool2d(2, pad: -1)", "a padding of 0 or more is needed here, this is -1"],
  ])("%s", (layer, want) => expect(message(layer)).toBe(want));
  test.each(["Conv2d(4, k: [8, 6])", "MaxPool2d([8, 6])", "Conv2d(4, k: 8, pad: 1)", "Conv2d(4, stride: 100)"])(
    "%s fits",
    (layer) => expect(message(layer)).toBe(""),
  );
});
test("empty lists", () => {
  for (const e of [
    "concat([])",
    "[]",
    "x + []",
    "sum([])",
    "einsum(`i -> i`)",
    "x[[]]",
    "max(x, [])",
    "split(x, [])",
    "split(x, [-1, 5])",
    "split(x, [0.5, 3.5])",
    "split(x, 0)",
  ])
    expect(errorsOf(`export fn f(x: f32[4]) = ${e}`), e).toHaveLength(1);
});
test("inputs without elements", async () => {
  const { plan } = compile("export fn f(x: f32[B, 0]) = x @ zeros[0, 2]");
  const model = await load(plan!, { device: (await testDevice()).device });
  try {
    const [y] = Object.values(await model.run("f", { x: { shape: [3, 0], data: [] } }));
    expect([...y!.data] as number[]).toEqual([0, 0, 0, 0, 0, 0]);
    await expect(model.run("f", { x: [] })).rejects.toThrow("x");
  } finally {
    model.close();
  }
});
