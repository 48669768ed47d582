// Rows of a data set by number, where only the run knows how many there are: the host checks that there are enough.
import { describe, expect, test } from "vitest";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { errorsOf } from "./values.ts";
import { trained, type Trained } from "./trained.ts";

const data = `data d {
  field x: f32[2] = host("x")
  field y: i32 in 3..20 = host("y")
}
model net(x: f32[B, 2]) -> f32[B] = x |> Linear(1) |> squeeze(-1)
`;
/** x[i] = [i, 10 i], y[i] = 3 + i */
const rows = (n: number): Record<string, readonly number[]> => ({
  x: Array.from({ length: n }, (_, i) => [i, 10 * i]).flat(),
  y: Array.from({ length: n }, (_, i) => 3 + i),
});
const block = (lines: string): string => `train fit on d(batch: 2, shuffle: false) {
  minimize mse(net(x), f32(y)) by sgd(lr: 0)
  ${lines}
  steps: 2
}
`;
const run = (n: number, exported: string, lines = ""): Promise<Trained> =>
  trained(`${data}${block(lines)}export fn f() = ${exported}\n`, rows(n));

describe("the numbers, with as few rows as will do", () => {
  test.each<[string, number, number[]]>([
    ["d.x[0..2]", 2, [0, 0, 1, 10]],
    ["d.x[3]", 4, [3, 30]],
    ["d.x[-3]", 3, [0, 0]],
    ["d.x[-3]", 5, [2, 20]],
    ["d.x[1..-1]", 3, [1, 10]],
    ["d.x[-2..6]", 6, [4, 40, 5, 50]],
    ["d.y[2..4]", 4, [5, 6]],
    ["(2 * d.x)[1, 1]", 2, [20]],
    ["d.x[2 * 3 - 1, 0]", 6, [5]],
    ["for i in 0..3: d.x[2 * i, 1]", 5, [0, 20, 40]],
    ["for i in 0..2: d.x[4 - 3 * i, 0]", 5, [4, 1]],
    ["d.x[[3, 1]]", 4, [3, 30, 1, 10]],
    ["d.x[d.y[0..2] - 3]", 17, [0, 0, 1, 10]], // whatever the field may say
    ["sum over i in 0..4: d.x[i, 0]", 4, [6]],
    ["for i in 0..20: f32(i == d.y[1])", 2, Array.from({ length: 20 }, (_, i) => Number(i === 4))],
    ["(for k in 0..20: 2 * k)[d.y[1]]", 2, [8]], // what is guarded keeps the range of its field
  ])("%s of %i rows", async (e, n, want) => {
    expect((await run(n, e)).results["f"]).toEqual(want);
  });
});
test("in a train block and in the first value of a state", async () => {
  const { held, curves } = await run(
    5,
    "fit.first",
    "state first: f32[2, 2] = d.x[1..3]\n  metric m = sum(d.x[-3..-1] - first)\n  metric part = sum(d.x[1] * sum(x, axis: 0))",
  );
  expect(held["fit.first"]).toEqual([1, 10, 2, 20]);
  expect(curves["m"]).toEqual([22, 22]);
  expect(curves["part"]).toEqual([101, 505]);
});
test("derivatives pass to what is read, and nothing else", async () => {
  const { results } = await run(4, "grad(sum(net(d.x[1..3])), wrt: net.linear.w)");
  expect(results["f"]).toEqual([3, 30]);
});
test.each<[string, number, number]>([
  ["d.x[0..2]", 1, 2],
  ["d.x[3]", 3, 4],
  ["d.x[-3]", 2, 3],
  ["d.x[-6..9]", 7, 9],
  ["d.x[0..2] + d.x[4]", 4, 5],
  ["for i in 0..3: d.x[2 * i, 1]", 4, 5],
])("%s of %i rows is told before anything runs", async (e, n, least) => {
  const found = await run(n, e).catch((error: unknown) => error);
  expect(found).toBeInstanceOf(RuntimeProblem);
  expect(String(found)).toContain(`d has ${n} row${n === 1 ? "" : "s"} to train on, and test.dlm:11 needs ${least}`);
});
test("an index without bounds is still an error of the text", () => {
  expect(errorsOf(`${data}export fn f(i: i32) = d.x[i]\n`)).toEqual(["DLM2009"]);
  expect(errorsOf(`${data}export fn f(x: f32[B, 2]) = d.x[0..B]\n`)).toEqual(["DLM2009"]);
});
