// What schedules cost on GPUs, in counts: waits, lanes whose addresses lie apart, conflicts, partial sums; and what is chosen for kernels as models
// have them, on every class.
import "../graph/by-hand.ts";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { within } from "../../compiler/graph/compilation.ts";
import { targets, type Target } from "../../compiler/kernel/target.ts";
import { analyse } from "../../compiler/schedule/access.ts";
import { contractionOf } from "../../compiler/schedule/contraction.ts";
import { bytesOf, spread } from "../../compiler/schedule/gpu.ts";
import { bankCycles, type Count } from "../../compiler/schedule/gpu-count.ts";
import { estimate, nestOf } from "../../compiler/schedule/nest.ts";
import { kernelsIn } from "../../compiler/schedule/rows.ts";
import { countOnGpu, priceOf } from "../../compiler/schedule/price.ts";
import { plainSchedule, printSchedule, type Schedule } from "../../compiler/schedule/schedule.ts";
import { cheapest, choose } from "../../compiler/schedule/choose.ts";
import { splitReduction, stepsOfPart } from "../../compiler/schedule/split.ts";
import {
  causalValues,
  channelSums,
  columnSums,
  conv,
  convInput,
  convWeight,
  layerNorm,
  product,
  rowSums,
  scores,
  softmax,
  sumOfSquares,
  type Case,
} from "./cases.ts";
import { overSources } from "./reference.ts";

const classes = Object.values(targets).filter((t) => t.gpu);
const nest = (c: Case) => nestOf(overSources(c.spec));
const on = (schedule: Partial<Schedule>): Schedule => ({ ...plainSchedule, together: "workgroup", ...schedule });
const [wide, large] = [product("NN", 1024, 1024, 1024), product("NN", 2048, 2048, 2048)];

test("lanes that meet in a bank of workgroup memory come one after the other", () => {
  const gpu = classes[0]!.gpu!;
  const cycles = (stride: number, width = 1, lanes = 32): number => bankCycles([[0, lanes, stride]], width, gpu);
  expect([0, 1, 33].map((stride) => cycles(stride))).toEqual([1, 1, 1]); // the same word; neighbours; a padded column
  expect([2, 4, 16, 32].map((stride) => cycles(stride))).toEqual([2, 4, 16, 32]);
  expect(cycles(4, 4)).toBe(4); // fours in a row: eight lanes a cycle
  expect([16, 20, 64, 68].map((stride) => cycles(stride, 4))).toEqual([16, 4, 32, 4]); // columns of fours, without padding and with
  expect(
    bankCycles(
      [
        [0, 8, 0],
        [1, 4, 1],
      ],
      1,
      gpu,
    ),
  ).toBe(1);
});
test("there are classes of GPUs", () => expect(classes.map((t) => t.name)).toEqual(["discrete", "integrated"]));

describe.each(classes)("the price for $name devices", (target: Target) => {
  const count = (c: Case, schedule: Partial<Schedule>): Count => countOnGpu(nest(c), on(schedule), target).count;
  const price = (c: Case, schedule: Partial<Schedule>): number => priceOf(nest(c), on(schedule), target).ns;
  const some: Count = {
    ...count(wide, { threads: [["j", 64]] }),
    issue: 1e4,
    serial: 1e4,
    cache: 1e3,
    banks: 1e3,
    bytes: 1e5,
    registers: 64,
    workgroupMemory: 4096,
  };
  const cycles = (change: Partial<Count>, bytes = 1e7): number =>
    spread({ ...some, ...change }, { workgroup: 64, groups: 1000 }, target, bytes).cycles;

  test("rises with all that a SIMD group does and holds", () => {
    const least = cycles({});
    expect(cycles({ issue: 2e4 })).toBeGreaterThan(least);
    expect(cycles({ serial: 4e5 })).toBeGreaterThan(least); // waits
    expect(cycles({ banks: 4e3 })).toBeGreaterThan(least); // conflicts
    expect(cycles({ cache: 4e3 })).toBeGreaterThan(least); // lanes apart
    expect(cycles({ bytes: 1e6 })).toBeGreaterThan(least);
    expect(cycles({}, 1e8)).toBeGreaterThan(least);
    for (const held of [{ registers: 250 }, { workgroupMemory: 32768 }])
      expect(cycles({ serial: 4e5, ...held })).toBeGreaterThan(cycles({ serial: 4e5 })); // fewer groups hide less
  });
  test("counts a product's multiply-adds, and loads that all lanes share apart", () => {
    const c = count(wide, { threads: [["j", 64]], tile: { i: 4 } });
    expect(c.multiplyAdds).toBe(4 * 1024);
    expect(c.loads).toBe(1024);
    expect(c.uniform).toBe(4 * 1024);
    expect(c.waits).toBe(1024);
  });
  test("of lanes that read a column costs more than of lanes that read a row", () =>
    expect(price(wide, { threads: [["i", 64]] })).toBeGreaterThan(2 * price(wide, { threads: [["j", 64]] })));
  test("of several loads for one wait is less than of a wait for each", () => {
    const [single, four] = [
      count(wide, { threads: [["j", 64]] }),
      count(wide, { threads: [["j", 64]], tile: { k: 4 } }),
    ];
    expect(four.waits).toBe(single.waits / 4);
    expect(price(wide, { threads: [["j", 64]], tile: { k: 4 } })).toBeLessThan(price(wide, { threads: [["j", 64]] }));
  });
  test("counts the memory of partial sums", () => {
    const whole = nest(wide);
    const { parts } = splitReduction(whole.spec, 64);
    expect(bytesOf(analyse(nestOf(parts)))).toBe(4 * (2 + 16) * 1024 * 1024);
    expect(bytesOf(analyse(whole))).toBe(4 * 3 * 1024 * 1024);
  });
});

/** Kernels of bench W1 to W3 and squares, forward and both gradients; long reductions. */
const chosen: readonly Case[] = [
  ...[512, 1024].flatMap((n) => (["NN", "TN", "NT"] as const).map((kind) => product(kind, n, n, n))),
  large,
  product("NN", 128, 512, 784, true),
  product("TN", 784, 512, 128),
  product("NT", 128, 784, 512),
  product("NN", 128, 10, 512),
  product("TN", 512, 10, 128),
  product("NN", 768, 512, 128),
  product("TN", 128, 512, 768),
  product("NT", 768, 128, 512),
  product("NN", 768, 65, 128),
  product("NN", 100, 300, 200),
  product("TN", 67, 129, 10007),
  scores(12, 4, 64, 32),
  causalValues(12, 4, 64, 32),
  conv(64, 28, 1, 32),
  conv(64, 14, 32, 64),
  convInput(64, 14, 32, 64),
  convWeight(64, 28, 1, 32),
  convWeight(64, 14, 32, 64),
  softmax(4096, 1024),
  layerNorm(768, 128),
  rowSums(4096, 1024),
  columnSums(4096, 1024),
  channelSums(64, 14, 64),
  sumOfSquares(670_080),
];
describe.each(classes)("the schedule chosen for $name devices", (target: Target) => {
  test.each(chosen.map((c) => [c.name, c] as const))("of %s", (_, c) => {
    const whole = nest(c);
    const { schedule } = choose(whole, target);
    const n = schedule.split ? nestOf(splitReduction(whole.spec, schedule.split).parts) : whole;
    const placed = schedule.joined ? contractionOf(n)!.nest : n;
    const own = { ...schedule, split: 0 };
    const { count, resident } = countOnGpu(placed, own, target);
    const { groups } = priceOf(placed, own, target);
    const text = printSchedule(schedule);
    expect(resident, text).toBeGreaterThanOrEqual(4);
    expect(count.registers, text).toBeLessThanOrEqual(200);
    expect(count.workgroupMemory, text).toBeLessThanOrEqual(target.workgroupMemory);
    // the device has something to do wherever there are results enough
    const results = whole.spec.axes.reduce((all, v) => all * (v.extent as number), 1);
    if (results >= target.cores * target.simd) expect(groups, text).toBeGreaterThanOrEqual(target.cores / 2);
    if (schedule.split) {
      const moved = bytesOf(analyse(whole));
      const partial = 2 * (bytesOf(analyse(n)) - moved + 4 * results);
      expect(partial / (moved + partial), text).toBeLessThanOrEqual(0.5); // of one kernel; of all together less, see below
    }
  });
  test.each(
    [
      convWeight(64, 14, 32, 64),
      convWeight(64, 28, 1, 32),
      convWeight(17, 13, 24, 48),
      convWeight(5, 9, 3, 7),
      product("TN", 288, 64, 12_544),
      product("TN", 100, 60, 20_000),
      product("TN", 33, 7, 4096),
      product("TN", 512, 512, 512),
      columnSums(4096, 1024),
      channelSums(64, 14, 64),
      sumOfSquares(670_080),
    ].map((c) => [c.name, c] as const),
  )("no number of parts is much cheaper than what is chosen: %s", (_, c) => {
    const whole = nest(c);
    const { total } = choose(whole, target);
    const { axes, stages } = whole.spec;
    const results = axes.reduce((n, v) => n * (v.extent as number), stages.length);
    const n = stages[0]!.over[0]!.extent as number;
    for (const count of [2, 4, 8, 16, 32, 64, 128]) {
      const chunk = stepsOfPart(n, count);
      if (
        chunk < (stages[0]!.over.length > 1 ? 1 : 2) ||
        2 * chunk > n ||
        8 * results * count > bytesOf(analyse(whole))
      )
        continue;
      const { parts, whole: sum } = splitReduction(whole.spec, chunk);
      const [first, second] = [cheapest(nestOf(parts), target), cheapest(nestOf(sum), target)];
      // more parts than fill a GPU with large tiles are up to a fifth cheaper by price, and were none by the counts of a compiler
      expect(total, `${count} parts`).toBeLessThanOrEqual(1.25 * (first!.total + second!.total));
    }
  });
  test.each(["w2", "w3", "w7", "w10"])(
    "partial sums are at most a quarter of what a step of bench %s moves",
    (name) => {
      const { programs } = compile(readFileSync(`bench/models/${name}.dlm`, "utf8"), { name: `${name}.dlm`, target });
      const { kernels } = programs.find((p) => p.name === "fit.step")!;
      const specs = kernels.steps.flatMap((s) => kernelsIn([s])).map((k) => k.spec);
      const moved = within(specs[0]!.stores[0]!.target.compilation, () =>
        specs.map((spec) => {
          const whole = nestOf(spec);
          const bytes = bytesOf(analyse(whole));
          const { split } = choose(whole, target).schedule;
          if (!split) return { bytes, partial: 0 };
          const { parts } = splitReduction(whole.spec, split);
          return { bytes, partial: 2 * 4 * parts.axes.reduce((n, v) => n * estimate(v.extent), parts.stores.length) };
        }),
      );
      const sum = (of: "bytes" | "partial"): number => moved.reduce((n, m) => n + m[of], 0);
      expect(sum("partial")).toBeLessThanOrEqual(0.25 * (sum("bytes") + sum("partial")));
    },
  );
});
