// Kernels of equal layers as one launch: fewer launches, and the training of the f64 evaluator.
import { describe, expect, test } from "vitest";
import type { Plan } from "../../runtime/plan.ts";
import { testDevice } from "../device.ts";
import { compareTraining } from "../device/training.ts";
import { made } from "../model.ts";
import { stagesOf } from "../plans/check.ts";

const data = (width: number): string =>
  `data points { rows: 64 field x: f32[${width}] = normal[${width}] field y: f32[${width}] = normal[${width}] }\n`;
const fit = (by: string): string =>
  `train fit on points(batch: 32, seed: 1, shuffle: false) { minimize mse(net(x), y) by ${by} steps: 10 }`;
const models: readonly (readonly [name: string, most: number, text: string])[] = [
  [
    "equal layers",
    22,
    `${data(64)}model net(x: f32[B, 64]) -> f32[B, 64] = x |> stack 8 of Linear(64, act: tanh)\n${fit("adam(lr: 1e-3)")}`,
  ],
  [
    "equal layers between others, clipped",
    26,
    `${data(48)}model net(x: f32[B, 48]) -> f32[B, 48] = x |> Linear(80, act: tanh) |> stack 5 of Linear(80, act: tanh) |> Linear(48)\n${fit("clip_norm(1) >> adamw(lr: 1e-3)")}`,
  ],
  [
    "layers of which every second is equal, with rows that do not fill a slice",
    34,
    `${data(50)}layer Pair()(x: f32[B, N]) -> f32[B, N] = x + (x |> Linear(70, act: tanh) |> Linear(N))\nmodel net(x: f32[B, 50]) -> f32[B, 50] = x |> stack 4 of Pair()\n${fit("sgd(lr: 0.05, momentum: 0.9)")}`,
  ],
  [
    "kinds of layers that alternate, of one formula: each kind by itself",
    46,
    `${data(48)}layer Block()(x: f32[B, N]) -> f32[B, N] { let h = x + (x |> LayerNorm() |> Linear(N, act: tanh))\n return h + (h |> LayerNorm() |> Linear(2 * N, act: tanh) |> Linear(N)) }\nmodel net(x: f32[B, 48]) -> f32[B, 48] = x |> stack 3 of Block() |> LayerNorm()\n${fit("adam(lr: 1e-3)")}`,
  ],
  [
    "nets beside one another",
    22,
    `${data(64)}model net(x: f32[B, 64]) -> f32[B, 64] { let a = x |> Linear(96, act: tanh) |> Linear(64)\n let b = x |> Linear(96, act: tanh) |> Linear(64)\n let c = x |> Linear(96, act: tanh) |> Linear(64)\n return a + b * c }\n${fit("adam(lr: 1e-3)")}`,
  ],
];
const launches = (plan: Plan): number => {
  const count = (list: Plan["trains"][number]["step"]["commands"]): number =>
    list.reduce((n, c) => n + (c.kind === "dispatch" ? 1 : c.kind === "loop" ? c.count * count(c.body) : 0), 0);
  return count(plan.trains[0]!.step.commands);
};
describe("on the device", () => {
  test.each(models)("%s", async (_, most, text) => {
    const { device } = await testDevice();
    const plan = await compareTraining(text, device, { steps: 3 });
    expect(launches(plan)).toBeLessThanOrEqual(most);
  });
});
test("layers that wait for one another stay launches of their own", () => {
  const text = `${data(64)}model net(x: f32[B, 64]) -> f32[B, 64] = x |> stack 8 of Linear(64, act: tanh)\nexport fn f(x: f32[32, 64]) = net(x)`;
  expect(stagesOf(text)("wgsl")).not.toContain("more of this formula");
});
test("64 layers of width 64 with Adam: at most 140 launches a step", () => {
  const text = `${data(64)}model net(x: f32[B, 64]) -> f32[B, 64] = x |> stack 64 of Linear(64, act: tanh)\n${fit("adam(lr: 1e-4)")}`;
  expect(launches(made(text).plan)).toBeLessThanOrEqual(140);
});
