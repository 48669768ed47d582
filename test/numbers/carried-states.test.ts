// States of the rows of a batch: in an evaluation they begin anew and go from batch to batch, as in training. So truncated back-propagation through time
// is measured as it is trained. Values by plain arithmetic.
import { expect, test } from "vitest";
import { made, withModel } from "../model.ts";
import { expectNear } from "./trained.ts";
import { errorsOf } from "./values.ts";

const rows = 10;
const x = Array.from({ length: rows }, (_, r) => Math.sin(r + 1));
/** The leaky sums of `streams` interleaved sequences, row by row; the first state of each is `begin`. */
function leaky(streams: number, begin: number): number[] {
  const h = new Array<number>(streams).fill(begin);
  return x.map((v, r) => (h[r % streams] = 0.5 * h[r % streams]! + v));
}
const data = `data d {\n  rows: ${rows}\n  field x: f32 = sin(f32(row) + 1.0)\n}\n`;
const measured = async (text: string): Promise<Record<string, number>> =>
  withModel(made(text), async (model) => {
    await model.train("t");
    return (await model.evaluate("t", "train")) as Record<string, number>;
  });
const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;

test.each([
  ["of a train block", 2, ""],
  ["of a batch of one", 1, ""],
  ["of a batch that leaves a smaller last one", 4, ""],
])("a state %s", async (_, batch) => {
  const got = await measured(`${data}train t on d(batch: ${batch}, shuffle: false) {
  state h: f32[batch] = 2.0 * ones[batch]
  let now = 0.5 * h + x
  metric m = mean(now)
  metric s = mean(now^2)
  next h = now
  steps: 3
}`);
  const want = leaky(batch, 2);
  expectNear([got["m"]!, got["s"]!], [mean(want), mean(want.map((v) => v * v))], "over all rows");
});
test("a state of a layer, by the rows of its input", async () => {
  const got = await measured(`${data}layer Leaky()(x: f32[B]) -> f32[B] {
  param w: f32[] ~ 0.5
  state h: f32[B] = zeros[B]
  let now = w * h + x
  next h = now
  return now
}
model net(x: f32[B]) -> f32[B] = x |> Leaky()
train t on d(batch: 2, shuffle: false) {
  let y = net(x)
  minimize mse(y, 0) wrt net by sgd(lr: 0.0)
  metric m = mean(y)
  steps: 4
}`);
  const want = leaky(2, 0);
  expectNear([got["m"]!, got["loss"]!], [mean(want), mean(want.map((v) => v * v))], "over all rows");
});
test("a recurrent network, its back-propagation cut between batches", async () => {
  const got = await measured(`data d {
  rows: 12
  field xs: f32[4, 1] = for t, i: sin(f32(4 * (row // 2) + t) + 3.0 * f32(row % 2))
}
train t on d(batch: 2, shuffle: false) {
  state h = zeros[batch, 1]
  let ys = scan (v in xs along 1; s = h) {
    next s = tanh(0.9 * s + v)
    yield s
  }
  let end = fold (v in xs along 1; s = h) { next s = tanh(0.9 * s + v) }
  metric m = mean(ys)
  next h = end
  steps: 1
}`);
  const h = [0, 0];
  const all: number[] = [];
  for (let row = 0; row < 12; row++)
    for (let t = 0; t < 4; t++) {
      all.push(h[row % 2]!);
      h[row % 2] = Math.tanh(0.9 * h[row % 2]! + Math.sin(4 * Math.floor(row / 2) + t + 3 * (row % 2)));
    }
  expectNear([got["m"]!], [mean(all)], "over all rows");
});
test("a state that is no row's stays what training left", async () => {
  const got = await measured(`${data}train t on d(batch: 2, shuffle: false) {
  state seen = 0.0
  metric m = seen + 0 * mean(x)
  next seen = seen + 1
  steps: 5
}`);
  expect(got["m"]).toBe(5);
});
test("rows that read one another's state", () => {
  expect(
    errorsOf(`${data}train t on d(batch: 2, shuffle: false) {
  state h: f32[batch] = zeros[batch]
  metric m = mean(h + x)
  next h = x + mean(h)
  steps: 3
}`),
  ).toEqual(["DLM2901"]);
});
