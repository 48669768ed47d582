// Plans replayed on a device: training, evaluation, exports, checkpoints, and what is said when something does not fit.
import { describe, expect, test } from "vitest";
import { checkDevice } from "../../runtime/check.ts";
import { load, RuntimeProblem } from "../../runtime/index.ts";
import type { LoadOptions, Model, Plan, ProgressEvent, TrainEvent, TrainOptions } from "../../runtime/index.ts";
import { freshDevice, testDevice } from "../device.ts";
import { linePlan, linePoints } from "./plans.ts";

const points = linePoints(40);
const open = async (plan: Plan, options: Partial<LoadOptions> = {}): Promise<Model> =>
  load(plan, { device: (await testDevice()).device, host: points, ...options });
const problem = async (run: () => Promise<unknown>): Promise<string> => {
  try {
    await run();
  } catch (error) {
    if (error instanceof RuntimeProblem) return error.message;
    throw error;
  }
  throw new Error("no problem was reported");
};
/** Every row of the ring, by column. */
async function curves(
  model: Model,
  options: TrainOptions = {},
): Promise<{ events: TrainEvent[]; columns: Record<string, number[]> }> {
  const events: TrainEvent[] = [];
  await model.train("fit", { ...options, onProgress: (e) => events.push(e) });
  const columns: Record<string, number[]> = {};
  for (const e of events)
    if (e.kind === "progress")
      for (const [name, values] of Object.entries(e.curves)) (columns[name] ??= []).push(...values);
  return { events, columns };
}
const bits = async (model: Model): Promise<string> =>
  JSON.stringify(await model.parameters({ all: true }), (_, v: unknown) =>
    ArrayBuffer.isView(v) ? [...new Uint8Array(v.buffer, v.byteOffset, v.byteLength)] : v,
  );

describe("training", () => {
  test("fits the line, reports every step once, and measures the holdout exactly", async () => {
    const model = await open(linePlan());
    expect(model.data["points"]).toEqual({ rows: 40, splits: { train: 30, test: 10 }, classes: {} });
    expect(model.cost.trains["fit"]).toEqual({ dispatchesPerStep: 2, window: 8 });
    const { events, columns } = await curves(model);
    expect(columns["loss"]).toHaveLength(60);
    expect(columns["loss"]![59]!).toBeLessThan(0.1);
    // 30 rows in batches of 4: the epoch turns where the stream passes a multiple of 30
    expect(columns["epoch"]).toEqual(Array.from({ length: 60 }, (_, i) => Math.floor((i * 4) / 30)));
    // measured before the first step (the block reads test.loss) and at the end of each epoch
    const due = Array.from(
      { length: 60 },
      (_, i) => i === 0 || Math.floor((i * 4) / 30) > Math.floor(((i - 1) * 4) / 30),
    );
    expect(columns["measured"]).toEqual(due.map(Number));
    const evaluations = events.filter((e) => e.kind === "evaluation");
    expect(evaluations.map((e) => e.step)).toEqual([...due.flatMap((d, i) => (d ? [i] : [])), 60]);
    expect(columns["last"]![0]).toBe(evaluations[0]!.values["loss"]);
    const progress = events.filter((e): e is ProgressEvent => e.kind === "progress");
    expect(progress[progress.length - 1]).toMatchObject({ step: 60, steps: 60, epoch: 7, epochs: 8 });
    // by hand, over all rows: the splits partition them
    const { "line.w": w, "line.b": b } = await model.parameters();
    const loss = async (split: string): Promise<number> => (await model.evaluate("fit", split))["loss"] as number;
    const by = points.x.reduce((sum, x, i) => sum + (w!.data[0]! * x + b!.data[0]! - points.y[i]!) ** 2, 0);
    expect((await loss("train")) * 30 + (await loss("test")) * 10).toBeCloseTo(by, 5);
    expect(((await model.evaluate("fit", "test"))["more"] as { data: Float32Array }).data[0]).toBe(10);
    expect(await problem(() => model.evaluate("fit", "valid"))).toBe("fit has no split valid; there are train, test");
    model.close();
  });
  test("the same seed gives the same bits, another seed others, whatever the window", async () => {
    const run = async (window: number, seed?: number): Promise<string> => {
      const model = await open(linePlan({ window }), seed === undefined ? {} : { seed });
      await model.train();
      const result = await bits(model);
      model.close();
      return result;
    };
    const first = await run(8);
    expect(await run(8)).toBe(first);
    expect(await run(3)).toBe(first);
    expect(await run(8, 3)).toBe(first);
    expect(await run(8, 4)).not.toBe(first);
  });
  test("interrupted anywhere and resumed elsewhere: the same bits and the same losses", async () => {
    const plan = linePlan({ train: { stop: { metric: "test.loss", patience: 50, mode: "min" } } });
    const whole = await open(plan);
    const expected = (await curves(whole)).columns;
    const end = await bits(whole);
    whole.close();
    for (const stopAfter of [0, 1, 8, 15, 16, 37, 59]) {
      const first = await open(plan);
      const before = (await curves(first, { stopAfter })).columns;
      expect(first.step()).toBe(stopAfter);
      const bytes = await first.checkpoint();
      first.close();
      const second = await open(plan, { seed: 99 }); // the checkpoint's seed counts
      await second.restore(bytes);
      const after = (await curves(second)).columns;
      for (const name of Object.keys(expected))
        expect([...(before[name] ?? []), ...after[name]!]).toEqual(expected[name]);
      expect(await bits(second)).toBe(end);
      second.close();
    }
  });
  test("a pause by signal leaves a state to go on from; a checkpoint may be taken while it trains", async () => {
    const plan = linePlan({ train: { steps: 400 } });
    const whole = await open(plan);
    await whole.train();
    const end = await bits(whole);
    whole.close();
    const model = await open(plan);
    const stop = new AbortController();
    let during: Promise<Uint8Array> | undefined;
    const result = await model.train("fit", {
      signal: stop.signal,
      onProgress: (e) => {
        if (e.kind === "progress" && e.step > 100) during ??= model.checkpoint();
        if (e.kind === "progress" && e.step > 200) stop.abort();
      },
    });
    expect(result.reason).toBe("paused");
    await model.restore(await during!);
    expect(model.step()).toBeGreaterThan(100);
    const [first, second] = await Promise.all([model.train(), problem(() => model.train())]);
    expect(first.reason).toBe("finished");
    expect(second).toBe("training fit is still going on");
    expect(await bits(model)).toBe(end);
    model.close();
  });
  test("the early stop, the best weights, weights to begin with", async () => {
    const saved = new Map<string, Uint8Array>();
    const files = {
      write: async (path: string, bytes: Uint8Array) => void saved.set(path, bytes),
      read: async (path: string) => saved.get(path) ?? Promise.reject(new Error("it is not there")),
    };
    // a rate of 0 after the first steps: nothing gets better
    const model = await open(
      linePlan({
        train: {
          steps: 5000,
          evaluateEvery: 7,
          stop: { metric: "test.loss", patience: 3, mode: "max" },
          save: { metric: "test.loss", mode: "max", path: "best.safetensors" },
        },
      }),
      files,
    );
    const result = await model.train();
    expect(result).toMatchObject({ reason: "stalled", step: 28 });
    expect(result.saved?.path).toBe("best.safetensors");
    expect((await model.train()).reason).toBe("stalled");
    const after = await open(linePlan({ train: { load: [{ path: "best.safetensors" }], steps: 1 } }), files);
    await after.train("fit", { stopAfter: 0 });
    await model.loadWeights(saved.get("best.safetensors")!);
    expect(await after.parameters()).toEqual(await model.parameters());
    model.close();
    after.close();
    const lost = await open(linePlan({ train: { load: [{ path: "other.safetensors" }] } }), files);
    expect(await problem(() => lost.train())).toBe(
      "cannot read other.safetensors, which fit begins with: it is not there",
    );
    lost.close();
  });
  test("steps, epochs, resetting; training without a holdout measures its own rows", async () => {
    const model = await open(
      linePlan({ dataset: { holdouts: [] }, train: { scalars: linePlan().trains[0]!.scalars.slice(0, 4) } }),
    );
    const first = await model.train("fit", { epochs: 3 });
    expect(first).toMatchObject({ reason: "finished", step: 30, steps: 30 });
    expect(Object.keys(first.measured)).toEqual(["train"]);
    const end = await bits(model);
    expect((await model.train("fit", { epochs: 3 })).step).toBe(30);
    await model.reset();
    expect(model.step("fit")).toBe(0);
    await model.train("fit", { steps: 30 });
    expect(await bits(model)).toBe(end);
    expect(await problem(() => model.train("fit", { epochs: 0 }))).toBe(
      "epochs must be a whole number, 1 or more, not 0",
    );
    expect(await problem(() => model.train("other"))).toBe("the model has no train block other; it has fit");
    model.close();
  });
  test("in order when it is not shuffled; a batch larger than the data", async () => {
    const model = await open(
      linePlan({
        batch: 16,
        dataset: { holdouts: [] },
        train: { shuffle: false, steps: 3, scalars: linePlan().trains[0]!.scalars.slice(0, 4) },
      }),
      { host: { x: [1, 1, 1, 1, 1], y: [0, 2, 0, 2, 0] } },
    );
    const { columns } = await curves(model);
    // slope s0 and bias 0 against rows 0 2 0 2 0 0 2 0 2 0 ...: sixteen of them hold the first row once more
    const s0 = Math.fround(((3 * 7919) % 1000) / 1000);
    expect(columns["loss"]![0]).toBeCloseTo((10 * s0 ** 2 + 6 * (s0 - 2) ** 2) / 16, 5);
    model.close();
  });
  test("bytes stay bytes; data that do not fit are streamed to the same bits", async () => {
    const host = linePoints(40, true);
    const plan = linePlan({
      x: { storage: "u8" },
      train: { evaluate: undefined as never, scalars: linePlan().trains[0]!.scalars.slice(0, 4) },
    });
    const { evaluate: _, ...rest } = plan.trains[0]!;
    const bytes = await open({ ...plan, trains: [rest] }, { host });
    await bytes.train();
    expect((await bytes.parameters())["line.w"]!.data[0]).toBeGreaterThan(1);
    bytes.close();
    const [resident, streamed] = await Promise.all([
      open(linePlan(), { host: linePoints(20) }),
      open(linePlan(), { host: linePoints(20), residentBytes: 64 }),
    ]); // fewer rows than a window has
    const [a, b] = [await resident.train(), await streamed.train()];
    expect(await bits(streamed)).toBe(await bits(resident));
    expect(b.measured).toEqual(a.measured);
    resident.close();
    streamed.close();
    expect(await problem(() => open(linePlan({ dataset: { streamable: false } }), { residentBytes: 64 }))).toContain(
      "cannot be streamed, for the model uses row numbers",
    );
  });
  test("a loss that is no number ends in words", async () => {
    const model = await open(linePlan(), { host: { x: points.x.map((x) => x * 1e20), y: points.y } });
    expect(await problem(() => model.train())).toMatch(/^the loss of fit is (Infinity|NaN) at step 0, the first: /);
    model.close();
  });
  test("nothing is allocated after the first step", async () => {
    const { device } = await testDevice();
    const model = await open(linePlan({ train: { steps: 400 } }));
    await model.train("fit", { stopAfter: 40 });
    const { bytes } = model.cost;
    const created: string[] = [];
    const createBuffer = device.createBuffer.bind(device);
    device.createBuffer = (d) => (created.push(d.label ?? ""), createBuffer(d));
    await model.train();
    device.createBuffer = createBuffer;
    expect(created).toEqual([]);
    expect(model.cost.bytes).toBe(bytes);
    model.close();
  });
});

describe("exports", () => {
  test("run-time sizes follow from the inputs, in any form", async () => {
    const model = await open(linePlan());
    const { "line.w": w } = await model.parameters();
    const expected = (n: number, scale = 1): number[] =>
      Array.from({ length: n }, (_, i) => Math.fround(scale * Math.fround(w!.data[0]! * (i + 1))));
    const y = await model.run("predict", { x: [[1], [2], [3]] });
    expect(y["predict"]).toMatchObject({ dtype: "f32", shape: [3, 1] });
    expect([...y["predict"]!.data]).toEqual(expected(3));
    expect([...(await model.run("predict", { x: Float32Array.of(1, 2), scale: 2 }))["predict"]!.data]).toEqual(
      expected(2, 2),
    );
    const many = { data: Float32Array.from({ length: 5000 }, (_, i) => i + 1), shape: [5000, 1] };
    const [large, small] = await Promise.all([model.run("predict", { x: many }), model.run("predict", { x: [[1]] })]);
    expect([...large["predict"]!.data]).toEqual(expected(5000));
    expect([...small["predict"]!.data]).toEqual(expected(1));
    // the loop goes from its last step to its first
    expect((await model.run("digits", { start: 7 }))["digits"]).toEqual({
      dtype: "i32",
      shape: [],
      data: Int32Array.of(7210),
    });
    model.close();
  });
  test("what does not fit the types is said with both shapes", async () => {
    const model = await open(linePlan());
    const wrong = (inputs: Record<string, never>, name = "predict"): Promise<string> =>
      problem(() => model.run(name, inputs));
    const give = (x: unknown): Record<string, never> => x as Record<string, never>;
    expect(await wrong(give({ x: [[1, 2]] }))).toBe("predict: x is f32[1, 2], and f32[B, 1] is wanted");
    expect(await wrong(give({ x: [1, 2] }))).toBe("predict: x is f32[2], and f32[B, 1] is wanted");
    expect(await wrong(give({ x: [[1], [2, 3]] }))).toContain("differ in length: 1 and 2");
    expect(await wrong(give({}))).toBe("predict lacks its input x: predict(x: f32[B, 1], scale: f32 = 1)");
    expect(await wrong(give({ x: [[1]], y: 2 }))).toBe("predict has no input y: predict(x: f32[B, 1], scale: f32 = 1)");
    expect(await wrong(give({ x: [] }))).toContain("f32[0]");
    expect(await wrong(give({ x: new Float32Array(0) }))).toContain("B is 0");
    expect(await wrong(give({ x: new Float32Array(100001) }))).toContain("at most 100000");
    expect(await wrong(give({ start: 10 }), "digits")).toBe(
      "digits: value 0 of start is 10; a whole number in 0..10 is wanted",
    );
    expect(await wrong(give({ start: 1.5 }), "digits")).toContain("is 1.5");
    expect(await wrong(give({ start: "7" }), "digits")).toContain("give a number");
    expect(await wrong(give({}), "other")).toBe("the model has no export other; it has predict, digits");
    model.close();
  });
  test("an export may run while the model trains", async () => {
    const model = await open(linePlan({ train: { steps: 300 } }));
    const seen: Promise<number>[] = [];
    await model.train("fit", {
      onProgress: (e) =>
        void (
          e.kind === "progress" && seen.push(model.run("predict", { x: [[0]] }).then((y) => y["predict"]!.data[0]!))
        ),
    });
    const values = await Promise.all(seen);
    expect(values[values.length - 1]).toBeCloseTo(-1, 1);
    const alone = await open(linePlan({ train: { steps: 300 } }));
    await alone.train();
    expect(await bits(model)).toBe(await bits(alone));
    model.close();
    alone.close();
  });
});

describe("what cannot work is said before anything is made", () => {
  const broken = (change: (plan: Plan & Record<string, any>) => void): Plan => {
    const plan = JSON.parse(JSON.stringify(linePlan())) as Plan;
    change(plan);
    return plan;
  };
  test.each<[string, (plan: any) => void, string]>([
    [
      "another version",
      (p) => (p.version = 7),
      "the plan has version 7, and this runtime replays version 1: compile the model with the same version of dlm",
    ],
    ["no plan", (p) => delete p.version, "this is no plan of dlm: it has no version"],
    ["a part is missing", (p) => delete p.trains[0].step, "the plan is damaged at trains[0].step"],
    [
      "no such buffer",
      (p) => (p.trains[0].step.commands[0].bindings[0].buffer = 99),
      "the plan is damaged at fit.step, loss_gradient",
    ],
    [
      "beyond a buffer",
      (p) => (p.trains[0].step.commands[0].bindings[0].bytes = 1024),
      "the plan is damaged at fit.step, loss_gradient",
    ],
    [
      "read and written",
      (p) => (p.trains[0].step.commands[1].bindings[0].buffer = 0),
      "the plan is damaged at fit.step, sgd",
    ],
    ["a role", (p) => (p.buffers[0].role = "thing"), "the plan is damaged at buffers[0].role"],
    [
      "a size",
      (p) => (p.exports[0].program.commands[0].bindings[1].bytes = -4),
      "the plan is damaged at exports[0].program.commands[0].bindings[1].bytes",
    ],
    [
      "a limit",
      (p) => (p.requires.limits.maxStorageBuffersPerShaderStage = 1000),
      "the kernels need maxStorageBuffersPerShaderStage of 1000, and this device has ",
    ],
    [
      "a feature",
      (p) => p.requires.features.push("no-such-feature"),
      "the kernels need no-such-feature, and this device was made without: ",
    ],
    ["too large", (p) => (p.buffers[7].bytes = 2 ** 50), "gradient takes 1.05e+6 GB (line.dlm:5): this device allows "],
    [
      "WGSL",
      (p) => (p.modules.find((m: any) => m.name === "sgd").code = "fn main() { nonsense }"),
      "the module sgd.wgsl: ",
    ],
    [
      "an entry point",
      (p) => (p.trains[0].step.commands[1].entry = "start"),
      "the device does not accept the kernel sgd (line.dlm:5): ",
    ],
    ["no code", (p) => delete p.modules[0].code, "the plan does not carry the module "],
  ])("%s", async (_, change, message) => {
    const plan = broken(change);
    const said = await problem(async () => {
      const model = await open(plan);
      try {
        await model.train();
      } finally {
        model.close();
      }
    });
    expect(said.startsWith(message) || said).toBe(true);
  });
  test("kernels for subgroups of one size run on devices whose subgroups always have it", async () => {
    const { device } = await testDevice();
    const plan = linePlan();
    const on = (subgroupMinSize: number, subgroupMaxSize: number): GPUDevice =>
      new Proxy(device, {
        get: (d, key) =>
          key === "adapterInfo" ? { subgroupMinSize, subgroupMaxSize } : (Reflect.get(d, key, d) as unknown),
      });
    const check = (least: number, most: number): Promise<string> =>
      problem(async () => checkDevice({ ...plan, requires: { ...plan.requires, subgroupSize: 8 } }, on(least, most)));
    expect(await check(4, 4)).toContain("made for subgroups of 8 lanes, and this device has 4:");
    expect(await check(4, 32)).toContain("made for subgroups of 8 lanes, and this device has 4 to 32:");
    expect(await check(8, 32)).toContain("has 8 to 32:");
    expect(() => checkDevice({ ...plan, requires: { ...plan.requires, subgroupSize: 8 } }, on(8, 8))).not.toThrow();
  });
  test("seeds and holdouts", async () => {
    expect(await problem(() => open(linePlan(), { seed: 1.5 }))).toContain("not 1.5");
    expect(
      await problem(() =>
        open(linePlan({ dataset: { holdouts: [{ name: "test", fraction: 0.001, place: "line.dlm:4" }] } })),
      ),
    ).toBe("line.dlm:4: holdout test = 0.001 of 40 rows leaves none in it");
  });
  test("a fault in the data is told when no kernel is being compiled any more", async () => {
    const opened = await freshDevice();
    const create = opened.device.createComputePipelineAsync.bind(opened.device);
    let [begun, done] = [0, 0];
    opened.device.createComputePipelineAsync = async (of) => {
      begun++;
      return create(of).finally(() => done++);
    };
    const said = await problem(() => load(linePlan(), { device: opened.device }));
    expect({ said, done }).toMatchObject({
      said: expect.stringContaining("is fed by the program") as string,
      done: begun,
    });
    expect(begun).toBeGreaterThan(0);
    opened.close();
  });
  test("modules are asked for by name, identical ones once", async () => {
    const plan = linePlan();
    const asked: string[] = [];
    const model = await open(
      { ...plan, modules: plan.modules.map(({ name }) => ({ name })) },
      { code: async (name) => (asked.push(name), plan.modules.find((m) => m.name === name)!.code!) },
    );
    await model.train("fit", { stopAfter: 1 });
    expect(new Set(asked)).toContain("sgd");
    model.close();
  });
});

describe("checkpoints", () => {
  test("tampered, cut off or foreign files are refused, and change nothing", async () => {
    const model = await open(linePlan());
    await model.train("fit", { stopAfter: 10 });
    const good = await model.checkpoint();
    const before = await bits(model);
    const text = (change: (header: Record<string, any>) => void): Uint8Array => {
      const length = Number(new DataView(good.buffer).getBigUint64(0, true));
      const header = JSON.parse(new TextDecoder().decode(good.subarray(8, 8 + length))) as Record<string, any>;
      change(header);
      const head = new TextEncoder().encode(JSON.stringify(header));
      const out = new Uint8Array(8 + head.length + good.length - 8 - length);
      new DataView(out.buffer).setBigUint64(0, BigInt(head.length), true);
      out.set(head, 8);
      out.set(good.subarray(8 + length), 8 + head.length);
      return out;
    };
    const progress = (change: (p: any) => void): Uint8Array =>
      text((h) =>
        ((p) => (change(p), (h["__metadata__"].progress = JSON.stringify(p))))(JSON.parse(h["__metadata__"].progress)),
      );
    const cases: [Uint8Array, string][] = [
      [good.subarray(0, 5), "it has 5 bytes"],
      [good.subarray(0, 40), "it may have been cut off"],
      [good.subarray(0, good.length - 2), "it may have been cut off"],
      [new Uint8Array([...good, 0]), "belong to no tensor"],
      [good.map((b, i) => (i === 9 ? 0 : b)), "its header is no JSON"],
      [text((h) => (h["line.w"].shape = [2])), "does not take"],
      [text((h) => (h["line.w"].dtype = "I32")), "line.w is F32[1] in this model and I32[1] in the file"],
      [text((h) => (h["line.w"].dtype = "X9")), "has the dtype X9"],
      [text((h) => (h["line.w"].data_offsets = [-4, 0])), "no proper place"],
      [text((h) => ((h["line.v"] = h["line.w"]), delete h["line.w"])), "it lacks line.w"],
      [text((h) => delete h["__metadata__"]), "not how far training was"],
      [text((h) => (h["__metadata__"].progress = "{")), "its record of progress is no JSON"],
      [progress((p) => delete p.trains.fit), "it does not say how far fit was"],
      [progress((p) => (p.trains.fit.step = 11)), "at step 11 by its record and at 10 by its counter"],
      [progress((p) => (p.rows.points = 50)), "it was made with 50 rows of points, and there are 40 now"],
      [await model.checkpoint({ weights: true }), "this file holds weights only"],
    ];
    for (const [bytes, message] of cases) expect(await problem(() => model.restore(bytes))).toContain(message);
    expect(await bits(model)).toBe(before);
    expect(model.step()).toBe(10);
    // random edits never end in anything but a problem
    for (let i = 0; i < 300; i++) {
      const bytes = good.slice(0, i % 3 ? good.length : good.length - (i % 50));
      bytes[(i * 7919) % Math.min(bytes.length, 700)] = (i * 104729) % 256;
      await model.restore(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(RuntimeProblem));
    }
    model.close();
  });
  test("weights by path, with and without their prefix", async () => {
    const [a, b] = [await open(linePlan()), await open(linePlan(), { seed: 8 })];
    await a.train();
    const weights = await a.checkpoint({ weights: true });
    expect(await b.loadWeights(weights, "line")).toEqual(["line.w", "line.b"]);
    expect(await b.parameters()).toEqual(await a.parameters());
    expect(await problem(() => b.loadWeights(weights, "net"))).toContain("the model has no parameters under net");
    a.close();
    b.close();
  });
});

describe("the device's life", () => {
  test("a lost device ends whatever waits, in words", async () => {
    const opened = await freshDevice();
    const model = await load(linePlan({ train: { steps: 100000 } }), { device: opened.device, host: points });
    let lost = false;
    const said = await problem(() =>
      model.train("fit", {
        onProgress: () => {
          if (!lost) opened.device.destroy();
          lost = true;
        },
      }),
    );
    expect(said).toMatch(/^the device is lost|^the device gave up/);
    expect(await problem(() => model.run("predict", { x: [[1]] }))).toContain("the device is lost");
    opened.close();
  });
  test("a closed model says so", async () => {
    const model = await open(linePlan());
    const running = problem(() => model.train("fit", { steps: 1000000 }));
    await new Promise((done) => setTimeout(done, 30));
    model.close();
    expect(await running).toBe("this model is closed");
    expect(await problem(() => model.train())).toBe("this model is closed");
    expect(await problem(() => model.checkpoint())).toBe("this model is closed");
  });
  test("what the device refuses is told in the plan's names", async () => {
    const { device } = await testDevice();
    const model = await open(linePlan());
    const training = problem(() => model.train("fit", { steps: 1000000 }));
    await new Promise((done) => setTimeout(done, 20));
    device.createBuffer({ label: "too strange", size: 16, usage: 1 | 128 });
    expect(await training).toContain("the device refuses what the plan asks for");
    model.close();
  });
});
