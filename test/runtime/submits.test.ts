// Long lists of commands reach the device in pieces: no driver holds a loop of a hundred thousand rounds at once, no watchdog finds a submit too long.
import { expect, test } from "vitest";
import { targets } from "../../compiler/kernel/target.ts";
import { load } from "../../runtime/index.ts";
import { Encoding, type RecordedDispatch } from "../../runtime/recording.ts";
import { testDevice } from "../device.ts";
import { made } from "../model.ts";
import { observe } from "../observed.ts";

const software = targets["software"]!;
test("a loop of 5,000 rounds is several submits, with the numbers of one", async () => {
  const { plan } = made(
    "export fn f(x: f32[4]) -> (f32[4], f32) = fold (t in 0..5000; s = x, last = 0.0) { next s = s * 0.5 + softmax(s + f32(t)) * x\n next last = f32(t) }",
    { target: { ...software, ns: { ...software.ns, barrier: 1e9 } } }, // else all rounds are one launch
  );
  const { device } = await testDevice();
  const dispatches: number[] = [0]; // of each submit
  const end = observe(device, (call) => {
    if (call === "pass.dispatchWorkgroups") dispatches[0]!++;
    if (call === "queue.submit") dispatches.unshift(0);
    return undefined;
  });
  const model = await load(plan, { device });
  try {
    const x = [1, 2, 3, 4];
    const results = Object.values(await model.run("f", { x })).map((r) => Array.from(r.data as ArrayLike<number>));
    let s = x;
    for (let t = 0; t < 5000; t++) {
      const e = s.map((v) => Math.exp(v - Math.max(...s)));
      const sum = e.reduce((a, b) => a + b, 0);
      s = s.map((v, i) => v * 0.5 + (e[i]! / sum) * x[i]!);
    }
    results[0]!.forEach((v, i) => expect(v).toBeCloseTo(s[i]!, 4));
    expect(results[1]).toEqual([4999]);
    expect(dispatches.filter((n) => n > 0).length).toBeGreaterThan(4);
    expect(Math.max(...dispatches)).toBeLessThanOrEqual(1024);
  } finally {
    model.close();
    end();
  }
});
test("what takes long by the estimate is cut by it, less on a device that has shown to be faster", () => {
  const submitsOf = (pace: number): number => {
    let submits = 0;
    const pass = { setPipeline() {}, setBindGroup() {}, dispatchWorkgroups() {}, end() {} };
    const encoder = { beginComputePass: () => pass, finish: () => ({}) };
    const device = { createCommandEncoder: () => encoder, queue: { submit: () => submits++ } } as unknown as GPUDevice; // what an encoding asks of it
    const encoding = new Encoding(device, "long", pace);
    const item = { kind: "dispatch", group: {}, steps: [], x: 1, y: 1, seconds: 0.1 } as unknown as RecordedDispatch;
    for (let k = 0; k < 40; k++) encoding.dispatch(item, []);
    encoding.submit();
    return submits;
  };
  expect([submitsOf(1), submitsOf(0.1), submitsOf(0.01)]).toEqual([20, 2, 1]);
});
