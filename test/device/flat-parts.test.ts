// Flat buffers of parameters, gradients and moments are cut where a device binds no longer ones: the same training, in as few buffers as that allows.
import { describe, expect, test } from "vitest";
import { targets } from "../../compiler/kernel/target.ts";
import { testDevice } from "../device.ts";
import { compareTraining } from "./training.ts";

const data = "data d { rows: 16 field x: f32[6] = normal[6] field y: f32[3] = [x[0] * x[1], sin(x[2]), x[3]] }\n";
const model =
  "model net(x: f32[B, 6]) -> f32[B, 3] = x |> Linear(32, act: tanh) |> Linear(20, act: tanh) |> Linear(3)\n";
const train = (by: string): string =>
  `${data}${model}train fit on d(batch: 8, shuffle: false) { minimize mse(net(x), y)${by.includes("l2") ? " + 1e-2 * l2(net)" : ""} by ${by.replace(" l2", "")} steps: 6 }`;
const largest = 4 * 32 * 20; // bytes of one tensor

describe.each([256, 1024, 2900, 4096, 2 ** 27])("of at most %i bytes", (binding) => {
  test.each([
    "sgd(lr: 0.1)",
    "sgd(lr: 0.1, momentum: 0.9) l2",
    "clip_norm(0.3) >> adamw(lr: 1e-2, decay: 0.1)", // the norm is a sum over all buffers
  ])("%s", async (by) => {
    const { device } = await testDevice();
    // a target whose steps are many launches, so that slices may be bound by themselves
    const target = { ...targets["software"]!, binding, together: [] };
    const plan = await compareTraining(train(by), device, { steps: 6, target });
    const whole = await compareTraining(train(by), device, { steps: 6, target: { ...target, binding: Infinity } });
    const sizes = (of: typeof plan): number[] =>
      of.buffers.flatMap((b) => (/\.parameters\d*$/.test(b.label) ? [b.bytes as number] : []));
    for (const size of sizes(plan)) expect(size).toBeLessThanOrEqual(Math.max(binding, largest));
    const [all] = sizes(whole);
    expect(sizes(plan).length).toBeGreaterThanOrEqual(Math.ceil(all! / Math.max(binding, largest)));
    if (binding >= all!) expect(sizes(plan)).toEqual(sizes(whole));
  });
});
