// Kernels on a device against the direct evaluation of their specifications, under the schedule that is chosen and under others of the space.
import { beforeAll, describe, expect, test } from "vitest";
import { enumerate } from "../../compiler/schedule/space.ts";
import { plainSchedule } from "../../compiler/schedule/schedule.ts";
import { nestOf } from "../../compiler/schedule/nest.ts";
import { targets, type Target } from "../../compiler/kernel/target.ts";
import { overSources } from "./reference.ts";
import {
  argmaxRows,
  cases,
  convWeight,
  crossEntropy,
  dynamicPairs,
  elementwise,
  layerNorm,
  prefixSums,
  rowSums,
  softmax,
  softmaxGradient,
} from "./cases.ts";
import { cheapest } from "../../compiler/schedule/choose.ts";
import { splitReduction } from "../../compiler/schedule/split.ts";
import { check, generator } from "./check.ts";
import type { TestDevice } from "./device.ts";
import { openDevice } from "./open.ts";

let on: TestDevice;
let own: Target; // of the device that the tests run on
beforeAll(async () => {
  on = await openDevice();
  own = Object.values(targets).find((t) => t.lanes === on.lanes && t.lanes > 0) ?? targets["software"]!;
  expect(on.name).not.toBe("");
});
describe.each(["own", "software", "discrete", "integrated"])("the schedule chosen for target %s", (name) => {
  test.each(cases.map((c) => [c.name, c] as const))(
    "%s",
    async (_, c) => void (await check(on, c, { target: name === "own" ? own : targets[name]! })),
  );
});
const drawn = Number(process.env["SCHEDULES"] ?? 2); // schedules of each kernel
describe("schedules drawn from the space", () => {
  test.each(cases.map((c, i) => [c.name, c, i] as const))("%s", async (_, c, i) => {
    const next = generator(1000 + i + Number(process.env["SEED"] ?? 0));
    for (const target of [own, targets["discrete"]!]) {
      const space = enumerate(nestOf(overSources(c.spec)), target);
      for (let k = 0; k < drawn; k++)
        await check(on, c, { target, schedule: space[Math.floor(next() * space.length)]!.schedule });
    }
  });
});
describe("several rows in a workgroup, whose lanes sum up each", () => {
  const sizes = [
    [2, 33],
    [3, 8],
    [7, 65],
    [130, 24],
  ] as const;
  const kinds = [softmax, softmaxGradient, layerNorm, crossEntropy, rowSums, argmaxRows, prefixSums];
  test.each(kinds.flatMap((make) => sizes.map(([m, n]) => make(m, n))).map((c) => [c.name, c] as const))(
    "%s",
    async (_, c) => {
      const target = targets["integrated"]!;
      const space = enumerate(nestOf(overSources(c.spec)), target).map((x) => x.schedule);
      const lanes = new Map(space.filter((s) => s.threads.length === 2 && !s.joined).map((s) => [s.threads[1]![1], s]));
      expect(lanes.size).toBeGreaterThan(0);
      for (const schedule of lanes.values()) await check(on, c, { target, schedule });
    },
  );
});
test("more workgroups than one dimension of a launch has", async () => {
  const long = elementwise([600_001]);
  await check(on, long, { target: own, schedule: { ...plainSchedule, flat: true, threads: [["flat", 8]] } });
  const rows = dynamicPairs(70_001);
  await check(on, rows, { target: own, schedule: { ...plainSchedule, threads: [["j", 2]] } });
  await check(on, rows, { target: own });
});

describe("parts of few steps of the first reduced axis", () => {
  const target = targets["discrete"]!;
  const gradients = [convWeight(5, 9, 3, 7), convWeight(6, 8, 8, 16), convWeight(7, 6, 1, 5)];
  test.each(gradients.flatMap((c) => [1, 2, 3].map((chunk) => [c.name, chunk, c] as const)))(
    "%s in parts of %i",
    async (_, chunk, c) => {
      const { parts } = splitReduction(overSources(c.spec), chunk);
      const { schedule } = cheapest(nestOf(parts), target)!;
      await check(on, c, { target, schedule: { ...schedule, split: chunk } });
    },
  );
});
