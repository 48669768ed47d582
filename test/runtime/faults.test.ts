// A device of which one call fails, whichever it is: words, no hang, and what was kept goes on to the same bits.
import { afterAll, expect, test } from "vitest";
import { load, type Snapshot } from "../../runtime/index.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { testDevice } from "../device.ts";
import { made } from "../model.ts";
import { observe } from "../observed.ts";

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
test("every call of the device fails once", { timeout: 300_000 }, async () => {
  const { device } = await testDevice();
  const calls: string[] = [];
  const stop = observe(device, (call) => void calls.push(call) as undefined);
  const whole = await trained(device);
  stop();
  expect(whole.error).toBeUndefined();
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const atStep = new Map(whole.snapshots.map((s) => [s.step, text(s.bytes)]));
  // of calls of one kind in a row, the first and the last
  const tried = calls.flatMap((call, i) => (call !== calls[i - 1] || call !== calls[i + 1] ? [i] : []));
  const wrong: string[] = [];
  for (const n of tried) {
    let at = 0;
    const failing = observe(device, (call) =>
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
    const { snapshots, error } = await trained(device).finally(failing);
    const where = `call ${n}, ${calls[n]}`;
    if (!(error instanceof Error)) wrong.push(`${where}: no error`);
    else if (!(error instanceof RuntimeProblem)) wrong.push(`${where}: ${error.name}: ${error.message}`);
    for (const s of snapshots) if (text(s.bytes) !== atStep.get(s.step)) wrong.push(`${where}: step ${s.step} differs`);
    const last = snapshots.at(-1);
    if (!last || n % 5) continue;
    const resumed = await trained(device, last.bytes);
    if (!resumed.end || text(resumed.end) !== text(whole.end!)) wrong.push(`${where}: going on differs`);
  }
  expect(wrong).toEqual([]);
  expect(faults).toEqual([]);
  expect(tried.length).toBeGreaterThan(100);
});
