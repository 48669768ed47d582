// Rows that are made: every one lies where its formula says, classes come in equal parts, and draws of one row belong together.
import { expect, test } from "vitest";
import type { Tensor } from "../../runtime/api.ts";
import { made, withModel } from "../model.ts";

const rows = 4000;
const fields = `
  let (m, mk) = moons(noise: 0)
  field moon: f32[3] = concat([m, [f32(mk)]], axis: 0)
  let (c, ck) = circles(noise: 0, factor: 0.25)
  field circle: f32[3] = concat([c, [f32(ck)]], axis: 0)
  let (s, sk) = spirals(3, turns: 0.5, noise: 0)
  field spiral: f32[3] = concat([s, [f32(sk)]], axis: 0)
  let (b, bk) = blobs(5, radius: 2, spread: 0.25)
  field blob: f32[3] = concat([b, [f32(bk)]], axis: 0)
  let (t, tk) = checkerboard(3)
  field tile: f32[3] = concat([t, [f32(tk)]], axis: 0)
  let (x, y) = sine_wave(low: 0, high: 2, amplitude: 3, frequency: 2, phase: 1, noise: 0)
  field wave: f32[2] = [x, y]
  let (q, a) = committee_teacher(5, hidden: 2, noise: 0.01)
  field taught: f32[6] = concat([q, [a]], axis: 0)
  let item = randint(0, 8)[]
  field properties: f32[16] = concat([[f32(item)], tree_properties(item, 3)], axis: 0)`;
const names = ["moon", "circle", "spiral", "blob", "tile", "wave", "taught", "properties"];

async function columns(): Promise<Record<string, number[][]>> {
  const model = made(`
    data d {
      rows: ${rows}${fields}
    }
    model net(x: f32[B]) -> f32[B] {
      param w: f32 ~ zeros
      return x - w
    }
    train fit on d(batch: 1000) {
      minimize mean(net(wave[:, 0])^2) by sgd()
      ${names.map((name) => `metric all_${name} = 1 * ${name}`).join("\n      ")}
      steps: 4
    }`);
  return withModel(model, async (m) => {
    const measured = await m.evaluate("fit", "train");
    return Object.fromEntries(
      names.map((name) => {
        const { data, shape } = measured[`all_${name}`] as Tensor;
        return [name, Array.from({ length: rows }, (_, i) => [...data.slice(i * shape[1]!, (i + 1) * shape[1]!)])];
      }),
    );
  });
}
const shares = (list: readonly number[][], at = 2): number[] =>
  list.reduce<number[]>((n, row) => ((n[row[at]!] = (n[row[at]!] ?? 0) + 1 / rows), n), []);

test("points lie where their class puts them", async () => {
  const made = await columns();
  for (const [x, y, k] of made["moon"] as [number, number, number][]) {
    const [dx, dy] = k ? [x - 1, 0.5 - y] : [x, y];
    expect(Math.hypot(dx, dy)).toBeCloseTo(1, 5);
    expect(dy).toBeGreaterThanOrEqual(-1e-6);
  }
  for (const [x, y, k] of made["circle"] as [number, number, number][])
    expect(Math.hypot(x, y)).toBeCloseTo(k ? 0.25 : 1, 5);
  for (const [x, y, k] of made["spiral"] as [number, number, number][]) {
    const radius = Math.hypot(x, y);
    const angle = 2 * Math.PI * (0.5 * radius + k / 3);
    expect(Math.hypot(x - radius * Math.cos(angle), y - radius * Math.sin(angle))).toBeLessThan(1e-5);
  }
  let squares = 0;
  for (const [x, y, k] of made["blob"] as [number, number, number][]) {
    const angle = (2 * Math.PI * k) / 5;
    squares += (x - 2 * Math.cos(angle)) ** 2 + (y - 2 * Math.sin(angle)) ** 2;
  }
  expect(Math.sqrt(squares / (2 * rows))).toBeCloseTo(0.25, 1);
  for (const [x, y, k] of made["tile"] as [number, number, number][]) {
    const cell = (v: number): number => Math.floor((v + 1) * 1.5);
    const edge = [x, y].some((v) => Math.abs(((v + 1) * 1.5) % 1) < 1e-5);
    if (!edge) expect(k).toBe((cell(x) + cell(y)) % 2);
  }
  // erf by its integral (Simpson)
  const erf = (z: number): number => {
    const n = 200;
    const f = (t: number): number => Math.exp(-t * t);
    const inner = Array.from({ length: n - 1 }, (_, k) => (k % 2 ? 2 : 4) * f((z * (k + 1)) / n));
    return ((2 / Math.sqrt(Math.PI)) * z * inner.reduce((a, b) => a + b, f(0) + f(z))) / (3 * n);
  };
  const noise = (made["taught"] ?? []).map((row) => row[5]! - erf(row[0]! / Math.SQRT2) - erf(row[1]! / Math.SQRT2));
  expect(Math.sqrt(noise.reduce((a, e) => a + e * e, 0) / rows)).toBeCloseTo(0.01, 3);
  for (let k = 0; k < 5; k++)
    expect((made["taught"] ?? []).reduce((a, row) => a + row[k]! ** 2, 0) / rows).toBeCloseTo(1, 0);
  for (const [x, y] of made["wave"] as [number, number][]) {
    expect(x >= 0 && x <= 2).toBe(true);
    expect(y).toBeCloseTo(3 * Math.sin(2 * x + 1), 4);
  }
  for (const [name, classes] of [
    ["moon", 2],
    ["circle", 2],
    ["spiral", 3],
    ["blob", 5],
  ] as const) {
    const found = shares(made[name]!);
    expect(found).toHaveLength(classes);
    for (const share of found) expect(Math.abs(share - 1 / classes)).toBeLessThan(0.04);
  }
});
test("properties of a tree: the nodes above a leaf, root first", async () => {
  const made = await columns();
  for (const [item, ...properties] of made["properties"] as [number, ...number[]][]) {
    const above = [0, 1 + (item >> 2), 3 + (item >> 1), 7 + item];
    expect(properties.flatMap((p, i) => (p ? [i] : []))).toEqual(above);
  }
  expect(shares(made["properties"]!, 0)).toHaveLength(8);
});
test("class_weights: every class weighs the same, one that does not occur nothing", async () => {
  const model = made(`export fn weights(y: i32[N] in 0..4) -> f32[4] = class_weights(y, 4)`);
  const [result] = Object.values(await withModel(model, (m) => m.run("weights", { y: [0, 0, 0, 2, 2, 3] })));
  expect([...result!.data]).toEqual([0.5, 0, 0.75, 1.5]);
});
