// A loss that is no number: the step, the first kernel that made such a number, its line; the model is as its last snapshot.
import { expect, test } from "vitest";
import { load, type Snapshot } from "../../runtime/index.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { testDevice } from "../device.ts";
import { made } from "../model.ts";

const data = `data d { rows: 64
  field x: f32[4] = uniform(0.5, 1)[4] }
model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(64, act: tanh) |> Linear(1)
`;
const discrete = targets["discrete"]!;
const free = { ...discrete, launchNs: 0 }; // no kernels are one launch
test.each([
  [
    "a root of what falls below 0, where each kernel is a launch",
    `${data}train fit on d(batch: 32, seed: 1) {
  let out = net(x) - 0.02 * f32(step)
  minimize mean(sqrt(out + 0.9)) by adam(lr: 1e-3)
  steps: 200 }`,
    /^the loss of fit is NaN at step 19; the first number that is not finite is NaN, element \d+ of \w+ of the kernel net_linear2_forward \(.*test\.dlm:6.*\): a smaller learning rate/,
    4,
    free,
  ],
  [
    "a root of what falls below 0",
    `${data}train fit on d(batch: 32, seed: 1) {
  let out = net(x) - 0.02 * f32(step)
  minimize mean(sqrt(out + 0.9)) by adam(lr: 1e-3)
  steps: 200 }`,
    /^the loss of fit is NaN at step 19; the first number that is not finite is NaN, element \d+ of \w+ of the kernel \w+ \(.*test\.dlm:6.*\): a smaller learning rate/,
  ],
  [
    "behind the end of a ring of losses, far from the last snapshot",
    `${data}train fit on d(batch: 32, seed: 1) {
  minimize mean(sqrt(tanh(net(x)) * 0.25 + 1300.5 - f32(step))) by adam(lr: 1e-3)
  steps: 2000 }`,
    /^the loss of fit is NaN at step 1301; the first number that is not finite is NaN, element \d+ of \w+ of the kernel \w+ \(.*test\.dlm:5.*\): a smaller/,
    900,
  ],
  [
    "parameters that leave f32",
    `${data}train fit on d(batch: 32, seed: 1) { minimize mean(net(x)^2) by sgd(lr: 1e30)
  steps: 40 }`,
    /^the loss of fit is (NaN|Infinity) at step \d; the first number that is not finite is (NaN|-?Infinity), element \d+ of \w+ of the kernel \w+ \(.*test\.dlm:\d.*\): a smaller/,
  ],
  [
    "in the first step, before any snapshot: from where the run began",
    `${data}train fit on d(batch: 32, seed: 1) {
  minimize mean(sqrt(tanh(net(x)) - 1.5)) by adam(lr: 1e-3)
  steps: 2000 }`,
    /^the loss of fit is NaN at step 0, the first; the first number that is not finite is NaN, element \d+ of \w+ of the kernel \w+ \(.*test\.dlm:5.*\): a smaller/,
    1000,
  ],
] as const)("%s", async (_, text, message, steps = 4, target = discrete) => {
  const { plan } = made(text, { target });
  const model = await load(plan, { device: (await testDevice()).device });
  const taken: Snapshot[] = [];
  const before = await model.checkpoint();
  try {
    const run = model.train("fit", { snapshots: { steps, seconds: 1000, take: (s) => void taken.push(s) } });
    await expect(run).rejects.toThrow(message);
    expect(await model.checkpoint()).toEqual(taken.at(-1)?.bytes ?? before);
  } finally {
    model.close();
  }
});

test("a step in one launch: nothing is told, and the model is as it was, so that other kernels of it can look", async () => {
  const text = `${data}train fit on d(batch: 4, seed: 1) {
  let out = tanh(net(x))
  minimize mean(sqrt(out * 0.25 + 5.5 - f32(step))) by sgd(lr: 1e-3)
  steps: 2000 }`.replace("Linear(64", "Linear(4");
  const { device } = await testDevice();
  const [whole, apart] = await Promise.all(
    [targets["software"]!, { ...targets["software"]!, apart: true as const }].map((target) =>
      load(made(text, { target }).plan, { device }),
    ),
  );
  let newest: Uint8Array | undefined;
  const snapshots = { seconds: 1000, take: (s: Snapshot) => void (newest = s.bytes) };
  try {
    await expect(whole!.train("fit", { snapshots })).rejects.toThrow(/^the loss of fit is NaN at step \d: a smaller/);
    const after = await whole!.checkpoint();
    expect(after).toEqual(newest);
    await apart!.restore(after);
    await expect(apart!.train("fit", { snapshots })).rejects.toMatchObject({
      step: expect.any(Number),
      made: { value: NaN, lines: expect.arrayContaining(["test.dlm:6"]) },
    });
  } finally {
    whole!.close();
    apart!.close();
  }
});
