// A device with less than the model takes: what is too large, for which lines, and what it allows. What it can do in pieces is done in pieces.
import { expect, test } from "vitest";
import { checkDevice } from "../../runtime/check.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";
import { made } from "../model.ts";

const wide = made(`model net(x: f32[B, 64]) -> f32[B, 10] = x |> Linear(20000) |> Linear(5000) |> Linear(10)
data d { rows: 64
  field x: f32[64] = uniform(1, 2)[64] }
train fit on d(batch: 64) { minimize mean(net(x)^2) by adam(lr: 1e-3)
  steps: 4 }`).plan;
/** The device, which says that it has less. */
const smaller = (device: GPUDevice, less: Readonly<Record<string, number>>): GPUDevice => {
  const all: Record<string, unknown> = {};
  for (const name in device.limits) all[name] = (device.limits as unknown as Record<string, unknown>)[name];
  return new Proxy(device, {
    get: (of, key) => {
      if (key === "limits") return { ...all, ...less };
      const value = Reflect.get(of, key, of) as unknown;
      return typeof value === "function" ? (value.bind(of) as unknown) : value;
    },
  });
};
test.each([
  ["maxStorageBufferBindingSize", 2 ** 27],
  ["maxBufferSize", 2 ** 28],
])("%s: the tensors, their lines, what the device allows", async (name, bytes) => {
  const { device } = await testDevice();
  expect(() => checkDevice(wide, smaller(device, { [name]: bytes }))).toThrow(
    new RegExp(
      `^\\S.* takes \\d+ MB \\(test\\.dlm:1.*\\).*: this device allows \\d+ MB in one piece \\(${name}\\); make the model smaller$`,
    ),
  );
});
test("a checkpoint of more than one buffer's bytes", async () => {
  const { plan } = made(`model net(x: f32[B, 4]) -> f32[B, 3] = x |> Linear(64) |> Linear(80) |> Linear(3)
data d { rows: 8
  field x: f32[4] = uniform(1, 2)[4] }
train fit on d(batch: 4) { minimize mean(net(x)^2) by adam(lr: 1e-3)
  steps: 2 }`);
  const { device } = await testDevice();
  const limits: Record<string, number> = {}; // less as soon as the model is there
  const model = await load(plan, { device: smaller(device, limits) });
  try {
    await model.train("fit");
    const whole = await model.checkpoint();
    limits["maxBufferSize"] = 1000;
    expect(whole.length).toBeGreaterThan(50_000);
    expect(await model.checkpoint()).toEqual(whole);
  } finally {
    model.close();
  }
});
