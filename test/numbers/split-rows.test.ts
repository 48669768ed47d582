// A metric over a split is computed in parts, as if the split were one batch: the number of a row, draws and the number of rows are those of the whole.
import { expect, test } from "vitest";
import { made, withModel } from "../model.ts";

const n = 3000;
async function measured(lines: string): Promise<Readonly<Record<string, number>>> {
  const text = `data d {
  field x: f32 = host("x")
}
train fit on d(batch: 4, shuffle: false) {
  state seen: f32 = 0.0
  next seen = seen + sum(x)
  ${lines}
  steps: 1
}
`;
  const result = made(text);
  expect(result.plan.trains[0]!.evaluate!.chunk).toBeLessThan(n / 2);
  const host = { x: Float32Array.from({ length: n }, (_, i) => i) };
  const found = await withModel(result, (model) => model.evaluate("fit", "train"), { host });
  return Object.fromEntries(Object.entries(found).map(([name, v]) => [name, Number(v)]));
}
test("numbers of rows, in formulas, conditions and loops", async () => {
  const got = await measured(`let z = for b: f32(b) - x[b]
  metric off = sum(abs(z))
  metric off_squared = sum((for b: f32(b % 7) - x[b] % 7)^2)
  metric early = sum(for b: where(b < 10, x[b], 0.0))
  let walked = scan (k in 0..3; h = 0.0 * x) {
    next h = for b: h[b] + f32(b + k) - x[b]
    yield h
  }
  metric steps = sum(walked) / ${n}
  metric share = sum(x / f32(batch))
  let mid = mean(for b in 0..batch: f32(b))
  metric spread = sum(abs(x - mid))`);
  expect(got["off"]).toBe(0);
  expect(got["off_squared"]).toBe(0);
  expect(got["early"]).toBe(45);
  expect(got["steps"]).toBeCloseTo(0 + 1 + 0 + 0, 4); // h is 0, 0, 1 when it is yielded
  expect(got["share"]).toBeCloseTo((n - 1) / 2, 1);
  expect(got["spread"]! / ((n * n) / 4)).toBeCloseTo(1, 5);
});
test("draws: another one for every row, the same wherever it is read", async () => {
  const got = await measured(`let u = normal[batch]
  let v = normal[2, batch]
  metric alone = sum(u)
  metric beside = sum(for b: u[b] + 0.0 * x[b])
  metric across = sum(v[1, :])
  metric across_beside = sum(for b: v[1, b] + 0.0 * x[b])
  let noisy = x + 10 * uniform[batch]
  metric noise = mean(noisy - x)`);
  expect(got["beside"]).toBeCloseTo(got["alone"]!, 2);
  expect(got["across_beside"]).toBeCloseTo(got["across"]!, 2);
  expect(Math.abs(got["noise"]! - 5)).toBeLessThan((5 * 10) / Math.sqrt(12 * n));
});
