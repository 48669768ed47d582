// A trained model outlives its device: what was kept is taken up by the next one, whenever the first is lost, and by the next run. One that is only used is
// loaded again. What is not kept is not pretended.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import type { CheckpointStore, TrainerEvent } from "../../runtime/api.ts";
import { host as inNode } from "../../runtime/host.ts";
import type { SharedStore } from "../../runtime/kept.ts";
import { createTrainer, type Host, type Trainer } from "../../runtime/lasting.ts";
import { openDevice } from "../../runtime/node.ts";
import type { Plan } from "../../runtime/plan.ts";
import { freshDevice } from "../device.ts";
import { made } from "../model.ts";
import { lose as deviceLost } from "../observed.ts";

const text = `data d { rows: 8
  field x: f32[2] = uniform(-1, 1)[2]
  holdout test = 0.25 }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(4, act: tanh) |> Linear(1)
train first on d(batch: 2, seed: 1) {
  minimize mean((net(x) - 1)^2) by adam(lr: 1e-2)
  steps: 40
  checkpoint: every 5 steps
}
train second on d(batch: 2, seed: 1) {
  minimize mean((net(x) + 1)^2) by adam(lr: 1e-2)
  steps: 20
  checkpoint: every 5 steps
}
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)`;
const { plan } = made(text);
const x = [
  [1, 2],
  [0.5, -1],
];
const folder = mkdtempSync(join(tmpdir(), "dlm-lasting-"));
const devices: Awaited<ReturnType<typeof freshDevice>>[] = [];
const losses: boolean[] = [];
let opens = 0;
let closes = 0;
const host: Host = {
  ...inNode,
  open: async () => {
    opens++;
    const opened = await freshDevice();
    const gone = losses.length;
    losses.push(false);
    deviceLost(opened.device, () => losses[gone]!);
    devices.push(opened);
    // the driver under a device that is only said to be lost still works on it, and takes the process with it if it is destroyed then
    return { ...opened, close: () => void closes++ };
  },
};
/** At the next call. */
const lose = (): void => void (losses[losses.length - 1] = true);
afterEach(() => {
  const counts = [opens, closes];
  opens = closes = 0; // whatever is found
  expect(counts[1]).toBe(counts[0]);
});
afterAll(async () => {
  for (const { device, close } of devices) {
    await device.queue.onSubmittedWorkDone();
    close();
  }
  rmSync(folder, { recursive: true, force: true });
}, 300_000);

/** In memory; every checkpoint that was ever written. */
function memory(failing = false): CheckpointStore & { readonly written: Uint8Array[] } {
  const written: Uint8Array[] = [];
  return {
    written,
    read: async () => written.at(-1),
    write: async (bytes) => {
      if (failing) throw new Error("the disk is full");
      written.push(bytes);
    },
    remove: async () => void written.splice(0),
  };
}
const trainer = (of: Plan = plan): Trainer => createTrainer(of, { url: undefined }, host);
async function outcome(
  options: Parameters<Trainer["train"]>[0],
): Promise<readonly [y: readonly number[], steps: readonly number[]]> {
  const { model } = await trainer().train(options);
  const { predict } = await model.run("predict", { x });
  const result = [[...predict!.data], [model.step("first"), model.step("second")]] as const;
  await model.close();
  return result;
}
const whole = await outcome({});
opens = closes = 0;

test.each([0, 1, 6, 23, 39, 44])("the device is lost at step %i of all: trained to the same bits", async (at) => {
  const events: TrainerEvent[] = [];
  let left = at;
  let isLost = false;
  const reached = await outcome({
    keep: memory(),
    onEvent: (event) => events.push(event),
    onProgress: (event) => {
      const done = event.kind === "progress" ? event.step + (event.train === "second" ? 40 : 0) : 0;
      if (done < left || isLost) return;
      [isLost, left] = [true, Infinity];
      lose();
    },
  });
  expect(reached).toEqual(whole);
  expect(opens).toBe(2);
  const lost = events.filter((event) => event.kind === "lost");
  expect(lost).toMatchObject([
    { reason: "lost", resuming: true, message: expect.stringMatching(/^the device is lost/) as string },
  ]);
  const after = events.slice(events.findIndex((event) => event.kind === "lost"));
  const kept = events.slice(0, -after.length).findLast((event) => event.kind === "kept");
  const resumed = after.find((event) => event.kind === "resumed");
  expect(resumed === undefined).toBe(kept === undefined);
  if (kept) expect(resumed!.steps[kept.train]).toBe(kept.step);
});
test("each device has the kernels of its class; another that takes over has its own", async () => {
  const others = Object.fromEntries(
    ["integrated", "discrete"].map((target) => [target, async () => made(text, { target }).plan]),
  );
  const names = [{ vendor: "nvidia" }, { vendor: "apple" }, { vendor: "google", architecture: "swiftshader" }];
  const events: TrainerEvent[] = [];
  const found: Host = {
    ...host,
    open: async (choose) => {
      const opened = await host.open(choose);
      return {
        ...opened,
        facts: { ...opened.facts, class: "browser", fallback: false, name: "", architecture: "", ...names[opens - 1] },
      };
    },
  };
  const { load } = createTrainer(plan, { url: undefined }, found, others);
  const model = await load({ keep: memory(), onEvent: (event) => events.push(event) });
  const seen = new Set([model.plan.target]);
  await model.train("first", {
    onProgress: (event) => {
      seen.add(model.plan.target);
      if (event.kind === "progress" && event.step >= (opens === 1 ? 10 : 25) && opens < 3) lose();
    },
  });
  expect([...seen]).toEqual(["discrete", "integrated", "software"]);
  expect(events.filter(({ kind }) => kind === "resumed")).toHaveLength(2);
  expect(model.step("first")).toBe(40);
  const { predict } = await model.run("predict", { x });
  await model.close();
  const alone = await trainer().load();
  await alone.train("first");
  const reference = await alone.run("predict", { x });
  await alone.close();
  predict!.data.forEach((value, i) => expect(value).toBeCloseTo(reference["predict"]!.data[i]!, 4));
  const asked = await createTrainer(plan, { url: undefined }, host, others).load({ target: "discrete" });
  expect(asked.plan.target).toBe("discrete");
  await asked.close();
  await expect(trainer().load({ target: "toString" })).rejects.toThrow(/was not compiled for toString devices/);
});
test("lost over and over: it goes on while it gets further, and gives up where it does not", async () => {
  const at = [7, 12, 17, 22, 27];
  const reached = await outcome({
    keep: memory(),
    onProgress: (event) => {
      if (event.kind !== "progress" || event.train !== "first" || event.step < (at[0] ?? Infinity)) return;
      at.shift();
      lose();
    },
  });
  expect([reached, opens]).toEqual([whole, 6]);
  const events: TrainerEvent[] = [];
  await expect(
    trainer().train({
      keep: memory(),
      onEvent: (event) => events.push(event),
      onProgress: lose,
    }),
  ).rejects.toMatchObject({ name: "RuntimeProblem", reason: "lost" });
  expect(events.filter((event) => event.kind === "lost").length).toBe(4);
});
test("what is kept nowhere is lost, and said so by event, promise and property", async () => {
  const events: TrainerEvent[] = [];
  const model = await trainer().load({ onEvent: (event) => events.push(event) });
  const { lost } = model;
  const training = model.train("first", { onProgress: lose });
  await expect(training).rejects.toMatchObject({ reason: "lost" });
  expect(await lost).toMatchObject({ name: "RuntimeProblem", reason: "lost" });
  expect(events).toMatchObject([{ kind: "lost", resuming: false }]);
  await expect(model.run("predict", { x })).rejects.toMatchObject({ reason: "lost" });
  await model.close();
  await expect(model.run("predict", { x })).rejects.toThrow("this model is closed");
});

test("a paused run goes on in the next one, in a file of its own; reset forgets it", async () => {
  const path = join(folder, "run.safetensors");
  const first = await trainer().load({ keep: path });
  expect((await first.train("first", { stopAfter: 17 })).reason).toBe("paused");
  await first.close();
  const events: TrainerEvent[] = [];
  const next = await trainer().load({ keep: path, onEvent: (event) => events.push(event) });
  expect(events).toEqual([{ kind: "resumed", steps: { first: 17, second: 0 }, changed: false }]);
  expect(next.step("first")).toBe(17);
  await next.close();
  expect(await outcome({ keep: path })).toEqual(whole);
  expect(await outcome({ keep: path })).toEqual(whole); // nothing is left to be done
  const last = await trainer().load({ keep: path });
  await last.reset();
  expect(last.step("first")).toBe(0);
  await last.close();
  expect(() => readFileSync(path)).toThrow("ENOENT");
});
test("stopAfter counts the steps of the call, losses or not", async () => {
  const model = await trainer().load({ keep: memory() });
  await model.train("first", { stopAfter: 3 });
  let isLost = false;
  const { step, reason } = await model.train("first", {
    stopAfter: 14,
    onProgress: (event) => {
      if (event.kind !== "progress" || event.step < 12 || isLost) return;
      isLost = true;
      lose();
    },
  });
  expect([step, reason, opens]).toEqual([17, "paused", 2]);
  await model.close();
});
test("what cannot be written, or taken up, is told and not in the way", async () => {
  const events: TrainerEvent[] = [];
  expect(await outcome({ keep: memory(true), onEvent: (event) => events.push(event) })).toEqual(whole);
  expect(new Set(events.map((event) => event.kind))).toEqual(new Set(["not kept"]));
  const other = memory();
  other.written.push(new Uint8Array(20));
  const told: TrainerEvent[] = [];
  expect(await outcome({ keep: other, onEvent: (event) => told.push(event) })).toEqual(whole);
  expect(told[0]).toMatchObject({
    kind: "not kept",
    message: expect.stringMatching(/^what was kept is passed over: /) as string,
  });
});

test("a place that cannot be read is told as one that keeps nothing", async () => {
  const denied = (): Promise<never> => Promise.reject(new Error("the browser keeps no checkpoint: denied"));
  const told: TrainerEvent[] = [];
  const keep = { read: denied, write: denied, remove: denied };
  expect(await outcome({ keep, onEvent: (event) => told.push(event) })).toEqual(whole);
  expect(told[0]).toEqual({ kind: "not kept", message: "the browser keeps no checkpoint: denied" });
});

test("a model that is used: from weights, on the next device, and trained after all", async () => {
  const { model: source } = await trainer().train();
  const weights = await source.checkpoint({ weights: true });
  await source.close();
  const events: TrainerEvent[] = [];
  const model = await trainer().load({ weights, onEvent: (event) => events.push(event) });
  const predicted = async (): Promise<readonly number[]> => [...(await model.run("predict", { x }))["predict"]!.data];
  expect(await predicted()).toEqual(whole[0]);
  const { modules } = model.cost;
  lose();
  expect(await predicted()).toEqual(whole[0]);
  expect(events).toMatchObject([{ kind: "lost", resuming: true }]);
  expect([model.trains, model.step("first"), model.data]).toEqual([["first", "second"], 0, {}]);
  const { loss } = (await model.evaluate("first", "test")) as { readonly loss: number };
  expect(loss).toBeGreaterThan(0);
  expect(model.cost.modules).toBeGreaterThan(modules);
  expect(Object.keys(model.data)).toEqual(["d"]);
  expect(await predicted()).toEqual(whole[0]);
  expect((await model.train("first", { steps: 2 })).step).toBe(2);
  expect(await predicted()).not.toEqual(whole[0]);
  await model.close();
  await expect(trainer().load({ weights, keep: memory() })).rejects.toThrow("give one of them");
});
test("weights as readFile and fetch give them; what is neither bytes nor a place is said to be none", async () => {
  const { model: source } = await trainer().train();
  const bytes = await source.checkpoint({ weights: true });
  const expected = (await source.run("predict", { x }))["predict"]!.data;
  await source.close();
  const buffer = bytes.slice().buffer;
  for (const weights of [bytes, Buffer.from(bytes), buffer]) {
    const model = await trainer().load({ weights });
    expect((await model.run("predict", { x }))["predict"]!.data).toEqual(expected);
    await model.close();
  }
  const model = await trainer().load();
  await model.loadWeights(buffer);
  expect((await model.run("predict", { x }))["predict"]!.data).toEqual(expected);
  await model.close();
  const none = [new Blob([buffer]), true, 5, [1, 2]] as readonly unknown[];
  for (const weights of none as readonly Uint8Array[])
    await expect(trainer().load({ weights })).rejects.toThrow("as its bytes: a Uint8Array or an ArrayBuffer");
});
test("other weights in a model that is used outlive its device as well", async () => {
  const [a, b] = [await trainer().load(), await trainer().load({ seed: 5 })];
  const [first, second] = [await a.checkpoint({ weights: true }), await b.checkpoint({ weights: true })];
  await a.close();
  await b.close();
  const model = await trainer().load({ weights: first });
  await model.loadWeights(second);
  const before = (await model.run("predict", { x }))["predict"]!.data;
  lose();
  expect((await model.run("predict", { x }))["predict"]!.data).toEqual(before);
  await model.close();
});

test("what is asked for at once, or while the model is closed, leaves no device open", async () => {
  const { model: source } = await trainer().train({ stopAfter: 1 });
  const weights = await source.checkpoint({ weights: true });
  await source.close();
  const model = await trainer().load({ weights });
  const [measured, again] = await Promise.all([model.evaluate("first", "test"), model.evaluate("first", "test")]);
  expect(measured).toEqual(again);
  await model.close();
  expect([opens, closes]).toEqual([3, 3]);
  const late = await trainer().load({ weights });
  const measuring = late.evaluate("first", "test");
  await late.close();
  await expect(measuring).rejects.toThrow("this model is closed");
});
test("a trainer that is closed closes what it is still loading", async () => {
  const { load, close } = trainer();
  const loading = load();
  close();
  const model = await loading;
  await expect(model.run("predict", { x })).rejects.toThrow("this model is closed");
});
test("what is taken up before the place is one's own is taken up again then, and done with before anything else is", async () => {
  const source = memory();
  const { model: other } = await trainer().train({ keep: source, stopAfter: 12 });
  await other.close();
  const [early] = source.written;
  const last = source.written.at(-1)!;
  let grant = (): void => {};
  let [reads, held] = [0, Promise.resolve()];
  const events: TrainerEvent[] = [];
  const keep: SharedStore = {
    ...source,
    // the other page writes its last checkpoint and is closed while this one reads
    read: async () => {
      if (reads++) await held;
      else grant();
      return reads === 1 ? early : last;
    },
    claim: () => ({ granted: new Promise<void>((resolve) => (grant = resolve)), release: () => {} }),
  };
  let go = (): void => {};
  held = new Promise<void>((resolve) => (go = resolve));
  const model = await trainer().load({ keep, onEvent: (event) => events.push(event) });
  const reset = model.reset();
  setTimeout(go, 50);
  await reset;
  const steps = events.flatMap((event) => (event.kind === "resumed" ? [event.steps["first"]] : []));
  expect([steps, model.step("first")]).toEqual([[1, 12], 0]);
  await model.close();
});

test("what is asked for while another device takes over waits until it has what was kept", async () => {
  const source = memory();
  let reads = 0;
  let asked: Promise<number> | undefined;
  const model = await trainer().load({
    keep: {
      ...source,
      read: async () => {
        if (++reads === 2) asked = model.run("predict", { x }).then(() => model.step("first"));
        await new Promise((resolve) => setTimeout(resolve, 300));
        return source.read();
      },
    },
  });
  const { step } = await model.train("first", {
    onProgress: (event) => void (event.kind === "progress" && event.step >= 12 && opens === 1 && lose()),
  });
  expect([step, opens, reads]).toEqual([40, 2, 2]);
  expect(await asked).toBeGreaterThanOrEqual(10);
  await model.close();
});
test("a device without memory is one that is lost", async () => {
  const events: TrainerEvent[] = [];
  let isFull = false;
  const reached = await outcome({
    keep: memory(),
    onEvent: (event) => events.push(event),
    onProgress: (event) => {
      if (event.kind !== "progress" || event.step < 12 || isFull) return;
      isFull = true;
      class GPUOutOfMemoryError extends Error {}
      const error = new GPUOutOfMemoryError("allocation of 4 GB failed");
      devices.at(-1)!.device.dispatchEvent(Object.assign(new Event("uncapturederror"), { error }));
    },
  });
  expect(reached).toEqual(whole);
  expect(events.filter((event) => event.kind === "lost")).toEqual([
    {
      kind: "lost",
      reason: "memory",
      message: "the device has no memory left: allocation of 4 GB failed",
      resuming: true,
    },
  ]);
});
test("what was held out when weights were trained is held out when they are measured", async () => {
  const { model: source } = await trainer().train({ seed: 6 });
  const measured = await source.evaluate("first", "test");
  const files = [await source.checkpoint({ weights: true }), await source.checkpoint()];
  await source.close();
  for (const weights of files) {
    const model = await trainer().load({ weights });
    expect(await model.evaluate("first", "test")).toEqual(measured);
    await model.close();
  }
});
test("a host that has WebGPU by itself is asked for its device", async () => {
  const closed: string[] = [];
  const adapter = (isFallbackAdapter: boolean): object => ({
    limits: {},
    features: new Set(),
    info: { vendor: "", architecture: "", description: "own", device: "", isFallbackAdapter },
    requestDevice: async () => ({ queue: { onSubmittedWorkDone: async () => {} }, destroy: () => closed.push("own") }),
  });
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  try {
    for (const [isSoftware, choice, found] of [
      [false, "auto", "gpu"],
      [false, "gpu", "gpu"],
      [true, "auto", "system"],
      [true, "system", "system"],
    ] as const) {
      const navigator = { gpu: { requestAdapter: async () => adapter(isSoftware) } };
      Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
      const { facts, close } = await openDevice(choice);
      expect([facts.name, facts.class]).toEqual(["own", found]);
      close();
    }
  } finally {
    if (before) Object.defineProperty(globalThis, "navigator", before);
    else Reflect.deleteProperty(globalThis, "navigator");
  }
  expect(closed).toHaveLength(4);
});
