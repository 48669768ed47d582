// A device of which one call fails, or that is lost there, whichever it is: words, no hang, and what was kept goes on to the same bits.
import { afterAll, expect, test } from "vitest";
import { load, type Snapshot } from "../../runtime/index.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { testDevice } from "../device.ts";
import { made } from "../model.ts";
import { lose, observe } from "../observed.ts";

const { plan } = made(`model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(4, act: tanh) |> Linear(1)
data d { rows: 8
  field x: f32[2] = uniform(-1, 1)[2]
  holdout test = 0.25 }
train fit on d(batch: 2, seed: 1) { minimize mean((net(x) - 1)^2) by adam(lr: 1e-2)
  metric size = mean(net(x)^2)
  evaluate: 3
  steps: 7 }`);
const faults: Error[] = [];
const onRejection = (error: unknown): void => void faults.push(error as Error);
process.on("unhandledRejection", onRejection);
afterAll(() => void process.off("unhandledRejection", onRejection));

interface Kept {
  readonly snapshots: readonly Snapshot[];
  readonly end: Uint8Array | undefined;
  readonly error: unknown;
}
async function trained(device: GPUDevice, from?: Uint8Array): Promise<Kept> {
  const snapshots: Snapshot[] = [];
  let model;
  try {
    model = await load(plan, { device });
    if (from) await model.restore(from);
    const take = (s: Snapshot): void => void snapshots.push(s);
    await model.train("fit", { snapshots: { steps: 1, take } });
    return { snapshots, end: await model.checkpoint(), error: undefined };
  } catch (error) {
    return { snapshots, end: undefined, error };
  } finally {
    model?.close();
  }
}
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
/** The run that nothing disturbs, and the calls that it makes. */
async function undisturbed(device: GPUDevice): Promise<{ readonly calls: readonly string[]; readonly whole: Kept }> {
  const calls: string[] = [];
  const stop = observe(device, (call) => void calls.push(call) as undefined);
  const whole = await trained(device).finally(stop);
  expect(whole.error).toBeUndefined();
  return { calls, whole };
}
/** `disturb` at each call in turn: words, what was kept is what it would have been, and goes on to the same bits. */
async function expectKept(disturb: (device: GPUDevice, n: number) => () => void): Promise<readonly string[]> {
  const { device } = await testDevice();
  const { calls, whole } = await undisturbed(device);
  const atStep = new Map(whole.snapshots.map((s) => [s.step, text(s.bytes)]));
  const wrong: string[] = [];
  const messages = new Set<string>();
  const lasts = new Map<number, Uint8Array>();
  for (const [n, call] of calls.entries()) {
    const undo = disturb(device, n);
    const { snapshots, end, error } = await trained(device).finally(undo);
    const where = `call ${n}, ${call}`;
    if (end && n === calls.length - 1 && text(end) === text(whole.end!)) continue; // all was read before
    if (!(error instanceof Error)) wrong.push(`${where}: no error`);
    else if (!(error instanceof RuntimeProblem)) wrong.push(`${where}: ${error.name}: ${error.message}`);
    else messages.add(error.message);
    for (const s of snapshots) if (text(s.bytes) !== atStep.get(s.step)) wrong.push(`${where}: step ${s.step} differs`);
    const last = snapshots.at(-1);
    if (last) lasts.set(last.step, last.bytes);
  }
  for (const [step, bytes] of lasts) {
    const resumed = await trained(device, bytes);
    if (!resumed.end || text(resumed.end) !== text(whole.end!)) wrong.push(`going on from step ${step} differs`);
  }
  expect(wrong).toEqual([]);
  expect(faults).toEqual([]);
  expect([...lasts.keys()].sort()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(calls.length).toBeGreaterThan(300);
  return [...messages];
}
test("every call of the device fails once", { timeout: 300_000 }, async () => {
  await expectKept((device, n) => {
    let at = 0;
    return observe(device, (call) =>
      at++ === n
        ? {
            instead: () => {
              const error = new Error("the driver says no");
              if (call.endsWith("Async")) return Promise.reject(error);
              throw error;
            },
          }
        : undefined,
    );
  });
});
test("the device is lost at every call", { timeout: 300_000 }, async () => {
  const messages = await expectKept((device, n) => {
    let at = 0;
    return lose(device, () => at++ === n);
  });
  expect(messages).toEqual([
    "the device is lost (the driver was reset): what was not saved is gone; load the model anew and restore its last checkpoint",
  ]);
});
