// A model is tuned for its device: other kernels, the same training. What is remembered is of one plan on one device; what a damaged plan has is refused.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { LoadOptions, Model, TunedKernel, Tuning } from "../../runtime/api.ts";
import { load } from "../../runtime/index.ts";
import { dispatchesOf, type Alternatives, type Command, type Plan } from "../../runtime/plan.ts";
import { tuner } from "../../runtime/tune.ts";
import { testDevice } from "../device.ts";
import { made } from "../model.ts";
import { slowed } from "../slowed.ts";

const examples = join(import.meta.dirname, "../../examples");
const planOf = (name: string, target = "software"): Plan =>
  made(readFileSync(join(examples, name), "utf8"), { name, target, alternatives: {} }).plan;
async function open<T>(plan: Plan, use: (model: Model) => Promise<T>, options: Partial<LoadOptions> = {}): Promise<T> {
  const { device } = await testDevice();
  const read = async (path: string): Promise<Uint8Array> => readFileSync(join(examples, dirname(plan.name), path));
  const model = await load(plan, { device, read, ...options }, tuner);
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}
/** What is known of a plan on this device when nothing was measured. */
const unmeasured = (plan: Plan): Promise<Tuning> => open(plan, async (m) => (await m.tune({ milliseconds: 0 })).tuning);
const stepOf = (plan: Plan): readonly Command[] => plan.trains[0]!.step.commands;
const withStep = (plan: Plan, commands: readonly Command[]): Plan => ({
  ...plan,
  trains: plan.trains.map((t) => ({ ...t, step: { ...t.step, commands } })),
});
/** With other alternatives at the first dispatch that has some. */
function changed(plan: Plan, change: (a: Alternatives) => Alternatives): Plan {
  let done = false;
  return withStep(
    plan,
    stepOf(plan).map((c) => {
      if (done || c.kind !== "dispatch" || !c.alternatives) return c;
      done = true;
      return { ...c, alternatives: change(c.alternatives) };
    }),
  );
}

test("in the middle of training nothing else changes, and what is faster is taken", { timeout: 300_000 }, async () => {
  const plan = slowed(planOf("digits.dlm"));
  const whole = await open(plan, async (m) => {
    await m.train("fit", { stopAfter: 12 });
    return m.checkpoint();
  });
  const tuned = await open(plan, async (m) => {
    await m.train("fit", { stopAfter: 5 });
    const before = await m.checkpoint();
    const launches = m.cost.trains["fit"]!.dispatchesPerStep;
    const seen: string[] = [];
    let result = await m.tune({ milliseconds: 4000, onProgress: ({ kernel }) => seen.push(kernel) });
    expect(Buffer.from(await m.checkpoint()).equals(before)).toBe(true);
    expect(m.step()).toBe(5);
    expect(seen).toEqual(result.kernels.map((k) => k.kernel));
    // of the others nobody knows
    const clear = (): readonly TunedKernel[] => result.kernels.filter((k) => k.schedules[1] === "once");
    for (let n = 0; n < 10 && clear().some((k) => !k.taken); n++) result = await m.tune({ milliseconds: 4000 }); // other programs take their time, too
    expect(clear().map((k) => k.taken)).toEqual(clear().map(() => 1));
    expect(clear().length).toBeGreaterThan(1);
    for (const { why, microseconds } of clear())
      if (why === "faster") expect(microseconds[1]!).toBeLessThan(0.9 * microseconds[0]!);
    expect(m.cost.trains["fit"]!.dispatchesPerStep).toBeLessThan(launches - 5);
    await m.train("fit", { stopAfter: 7 });
    return { checkpoint: await m.checkpoint(), result };
  });
  const ofOnes = tuned.result.kernels.filter((k) => k.taken && k.schedules[k.taken] !== "once");
  if (!ofOnes.length) expect(Buffer.from(tuned.checkpoint).equals(whole)).toBe(true);
  // the next time, and in another process: to the same bits again
  const { tuning } = JSON.parse(JSON.stringify(tuned.result)) as { readonly tuning: Tuning };
  await open(
    plan,
    async (m) => {
      const launches = dispatchesOf(stepOf(m.plan as Plan)).length;
      expect(launches).toBeLessThan(dispatchesOf(stepOf(plan)).length - 5);
      await m.train("fit", { stopAfter: 12 });
      if (!ofOnes.length) expect(Buffer.from(await m.checkpoint()).equals(whole)).toBe(true);
    },
    { tuning },
  );
});
test("a fresh model, one that is measured twice, and no time at all", { timeout: 120_000 }, async () => {
  const plan = planOf("digits.dlm");
  const fresh = await open(plan, (m) => m.checkpoint());
  await open(plan, async (m) => {
    const none = await m.tune({ milliseconds: 0 });
    expect(new Set(none.kernels.map((k) => k.why))).toEqual(new Set(["late"]));
    expect(none.tuning.taken.every((n) => n === 0)).toBe(true);
    const began = performance.now();
    const { seconds } = await m.tune({ milliseconds: 700 });
    expect(seconds).toBeLessThan((performance.now() - began) / 1000 + 0.1);
    expect(Buffer.from(await m.checkpoint()).equals(fresh)).toBe(true);
    expect(m.step()).toBe(0);
    // the model may be used meanwhile, and has what it makes for that afterwards
    const x = [Array.from({ length: 64 }, (_, i) => i / 64)];
    const tuning = m.tune({ milliseconds: 500 });
    await m.run("predict", { x });
    await expect(m.train("fit", { stopAfter: 1 })).rejects.toThrow("tuning is still going on");
    await tuning;
    const { predict } = await m.run("predict", { x });
    await m.train("fit", { stopAfter: 1 });
    expect((await m.run("predict", { x }))["predict"]!.data).not.toEqual(predict!.data);
  });
});
/** Of every block's first steps. */
const losses = async (plan: Plan, tuning?: Tuning): Promise<readonly number[]> =>
  open(
    plan,
    async (m) => {
      const list: number[] = [];
      for (const t of m.trains)
        await m.train(t, { stopAfter: 2, onProgress: (e) => e.kind === "progress" && list.push(e.loss) });
      return list;
    },
    tuning ? { tuning } : {},
  );
function expectNear(other: readonly number[], right: readonly number[]): void {
  expect(other.length).toBe(right.length);
  for (const [i, x] of other.entries())
    expect(Math.abs(x - right[i]!)).toBeLessThan(2e-4 * Math.max(1, Math.abs(right[i]!)));
}
describe("any alternative computes the same", () => {
  test.each(["digits.dlm", "digits_cnn.dlm", "gan_ring.dlm", "energy/energy_regression.dlm"])(
    "of %s",
    { timeout: 300_000 },
    async (name) => {
      const ways = { software: [(i: number) => 1 + (i % 3), (i: number) => 3 - (i % 3)], discrete: [() => 1] };
      for (const [target, all] of Object.entries(ways)) {
        const plan = planOf(name, target);
        const tuning = await unmeasured(plan);
        expect(tuning.taken.length).toBeGreaterThan(0);
        const right = await losses(plan);
        for (const way of all) {
          const other = await losses(plan, { ...tuning, taken: tuning.taken.map((_, i) => way(i)) });
          expectNear(other, right);
        }
      }
    },
  );
});
describe("kernels of one launch may be launches", { timeout: 300_000 }, () => {
  const each = { ways: 0, kernels: 1000, share: 0 }; // of chains alone
  const chainsIn = (plan: Plan): readonly Alternatives[] =>
    plan.trains
      .flatMap((t) => dispatchesOf(t.step.commands))
      .flatMap((d) => (d.alternatives?.schedule.startsWith("one launch of") ? [d.alternatives] : []));
  test.each([
    ["digits.dlm", "discrete"],
    ["transfer/multi_task.dlm", "integrated"],
    ["representation/mixture_of_experts.dlm", "discrete"],
    ["depth/deep_linear.dlm", "integrated"],
  ])("of %s for %s", async (name, target) => {
    const text = readFileSync(join(examples, name), "utf8");
    const { plan } = made(text, { name, target, alternatives: each });
    const chains = chainsIn(plan);
    expect(chains.length).toBeGreaterThan(0);
    for (const { schedule, ways } of chains) {
      const count = Number(/^one launch of (\d+) kernels$/.exec(schedule)?.[1]);
      expect(ways.map((w) => w.schedule)).toEqual([`a launch for each of ${count} kernels`]);
      expect(ways[0]!.dispatches.length).toBeGreaterThanOrEqual(count); // one that is in parts is two
    }
    const tuning = await unmeasured(plan);
    const [one, many] = [await losses(plan), await losses(plan, { ...tuning, taken: tuning.taken.map(() => 1) })];
    expectNear(many, one);
    // what was measured is compiled so
    const found = Object.fromEntries(chains.map((c) => [c.key, c.ways[0]!.schedule]));
    const tuned = made(text, { name, target, tuned: () => found });
    expect(tuned.tuned).toEqual(new Set(Object.keys(found)));
    expect(chainsIn(made(text, { name, target, tuned: () => found, alternatives: each }).plan)).toEqual([]);
    const labelsOf = (p: Plan): readonly string[] => dispatchesOf(stepOf(p)).map((d) => d.label);
    const replaced = stepOf(plan).flatMap((c): readonly string[] => {
      if (c.kind !== "dispatch") return [];
      const { schedule, ways } = c.alternatives ?? { schedule: "", ways: [] };
      return schedule.startsWith("one launch of") ? ways[0]!.dispatches.map((d) => d.label) : [c.label];
    });
    expect(labelsOf(tuned.plan)).toEqual(replaced);
  });
});
test("what kernels of one launch make is compared with what their launches make", { timeout: 300_000 }, async () => {
  const plan = made(readFileSync(join(examples, "digits.dlm"), "utf8"), {
    ...{ name: "digits.dlm", target: "discrete", alternatives: { ways: 0 } },
  }).plan;
  const { kernels } = await open(plan, (m) => m.tune({ milliseconds: 60_000 }));
  expect(kernels.map((k) => k.kernel)).toEqual(
    expect.arrayContaining([expect.stringMatching(/_rows$/), expect.stringMatching(/_beside$/)]),
  );
  for (const { kernel, schedules, microseconds } of kernels) {
    expect(schedules).toEqual([
      expect.stringMatching(/^one launch of \d+ kernels$/),
      expect.stringMatching(/^a launch for each of/),
    ]);
    expect(microseconds[1], kernel).toBeLessThan(Infinity); // what makes other numbers has no time
  }
});
test("within loops, of few rounds and of many", { timeout: 120_000 }, async () => {
  const plain = slowed(planOf("digits.dlm"));
  for (const count of [2, 1500]) {
    const stepBuffer = plain.buffers.length;
    let at = -1;
    const looped = stepOf(plain).map((c, i, list): Command => {
      const { parts, ways } = (c.kind === "dispatch" && c.alternatives) || { parts: 0, ways: [] };
      if (at >= 0 || ways[0]?.schedule !== "once") return c;
      at = i;
      const body = list.slice(i - parts, i + 1); // computes the same again
      return { kind: "loop", count, reverse: false, stepBuffer, body };
    });
    const steps = { label: "steps", role: "steps", bytes: 256 * count } as const;
    const plan = { ...withStep(plain, looped), buffers: [...plain.buffers, steps] };
    const loss = (tuning?: Tuning): Promise<number> =>
      open(plan, async (m) => (await m.train("fit", { stopAfter: 1 })).loss, tuning ? { tuning } : {});
    const { tuning, kernels } = await open(plan, (m) => m.tune({ milliseconds: 1500 }));
    expect(kernels.length).toBe(tuning.taken.length);
    expect(await loss({ ...tuning, taken: tuning.taken.map(() => 1) })).toBeCloseTo(await loss(), 4);
  }
});
test("what gives other numbers is not taken, however fast it is; nor what the device refuses", async () => {
  const plan = slowed(planOf("digits.dlm"));
  const wrong = changed(plan, (a) => {
    const [own] = a.ways[0]!.dispatches;
    const [, ...less] = [own!, own!];
    const half = less.map((d) => ({ ...d, workgroups: [1, 1] as const }));
    const module = plan.modules.length;
    return {
      ...a,
      ways: [
        { schedule: "some of it", dispatches: half },
        { schedule: "no kernel", dispatches: [{ ...own!, module }] },
      ],
    };
  });
  const broken = { ...wrong, modules: [...plan.modules, { name: "broken", code: "@compute fn main() { oh }" }] };
  await open(broken, async (m) => {
    const measured = async (): Promise<TunedKernel> =>
      (await m.tune({ milliseconds: 4000 })).kernels.find((k) => k.schedules.includes("no kernel"))!;
    let first = await measured();
    for (let n = 0; n < 10 && first.why === "late"; n++) first = await measured(); // other programs take their time, too
    expect(first).toMatchObject({ taken: 0, microseconds: [expect.any(Number), Infinity, Infinity] });
    expect(["best", "noisy"]).toContain(first.why);
  });
});
test("what was measured of another plan or device, and what is no measurement, is passed over", async () => {
  const plan = slowed(planOf("digits.dlm"));
  const tuning = await unmeasured(plan);
  const all = tuning.taken.map(() => 1);
  const launches = (given: unknown): Promise<number> =>
    open(plan, async (m) => m.cost.trains["fit"]!.dispatchesPerStep, { tuning: given as Tuning });
  const plain = await launches(undefined);
  expect(await launches({ ...tuning, taken: all })).toBeLessThan(plain);
  for (const other of [
    { ...tuning, taken: all, device: "another" },
    { ...tuning, taken: all, plan: "0123456789abcdef" },
    { ...tuning, taken: "all" },
    { ...tuning, taken: tuning.taken.map(() => 99) },
    { ...tuning, taken: [-1, 0.5, NaN, null] },
    { ...tuning, taken: [] },
    {},
    null,
  ])
    expect([other, await launches(other)]).toEqual([other, plain]);
});
test("damaged alternatives are refused with their place, before anything is made", async () => {
  const plan = planOf("digits.dlm");
  const { device } = await testDevice();
  const first = dispatchesOf(stepOf(plan)).find((d) => d.alternatives)!;
  const fault = async (change: (a: Alternatives) => unknown): Promise<string> =>
    load(
      changed(plan, (a) => change(a) as Alternatives),
      { device },
      tuner,
    ).then(
      () => "loaded",
      (error: Error) => `${error.name}: ${error.message}`,
    );
  const at = /^RuntimeProblem: the plan is damaged at trains\[0\]\.step\.commands\[\d+\]\.alternatives/;
  const inStep = `RuntimeProblem: the plan is damaged at fit.step, ${first.label}`;
  const wayOf = (a: Alternatives, more: object): unknown => ({
    ...a,
    ways: [{ ...a.ways[0]!, dispatches: a.ways[0]!.dispatches.map((d) => ({ ...d, ...more })) }],
  });
  expect(await fault(() => 7)).toMatch(at);
  expect(await fault((a) => ({ ...a, key: 7 }))).toMatch(at);
  expect(await fault((a) => ({ ...a, parts: -1 }))).toMatch(at);
  expect(await fault((a) => ({ ...a, ways: {} }))).toMatch(at);
  expect(await fault((a) => ({ ...a, ways: [{ schedule: "x" }] }))).toMatch(at);
  expect(await fault((a) => wayOf(a, { kind: "copy" }))).toMatch(at);
  expect(await fault((a) => ({ ...a, parts: 1000 }))).toBe(inStep);
  const inWay = `${inStep}, ${first.label}`;
  expect(await fault((a) => wayOf(a, { module: 9999 }))).toBe(inWay);
  expect(await fault((a) => wayOf(a, { bindings: [{ ...first.bindings[0]!, buffer: 9999 }] }))).toBe(inWay);
  expect(await fault((a) => wayOf(a, { bindings: [{ ...first.bindings[0]!, bytes: 2 ** 30 }] }))).toBe(inWay);
});
test("without a tuner it says what is missing", async () => {
  const { device } = await testDevice();
  const read = async (path: string): Promise<Uint8Array> => readFileSync(join(examples, path));
  const model = await load(planOf("digits.dlm"), { device, read });
  await expect(model.tune()).rejects.toThrow("it was compiled without --alternatives");
  await model.close();
});
