// Schedules on the device at hand: products under the schedules that the price chooses, in GFLOP/s and as a share of a peak, and for some kernels many
// schedules of a target, as they are priced and as they run. What it prints last is a table for calibrating that target; it is written as JSON too.
//   npx esbuild bench/sweep.ts --bundle --platform=node --format=esm --packages=external --outfile=out/sweep.mjs
//   node out/sweep.mjs [--device gpu|system|NAME] [--target discrete] [--products 512,1024] [--peak GFLOPS] [--most N] [--only REGEXP] [--seconds N] [--out FILE]
import { writeFileSync } from "node:fs";
import { targets } from "../compiler/kernel/target.ts";
import { lowerKernel } from "../compiler/lower/lower.ts";
import { nestOf } from "../compiler/schedule/nest.ts";
import { printSchedule, type Schedule } from "../compiler/schedule/schedule.ts";
import { rank, type Choice } from "../compiler/schedule/choose.ts";
import { cachedDriver } from "../runtime/embedded.ts";
import { openDevice } from "../runtime/node.ts";
import {
  conv,
  convInput,
  convWeight,
  layerNorm,
  product,
  rowSums,
  softmax,
  type Case,
} from "../test/schedule/cases.ts";
import { layoutFor, randomValues } from "../test/schedule/check.ts";
import { finished, prepare, type TestDevice } from "../test/schedule/device.ts";
import { sourcesOf } from "../test/schedule/reference.ts";

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};
const until = performance.now() + 1000 * Number(option("seconds") ?? 1e6);
const target = targets[option("target") ?? "discrete"]!;
const peak = Number(option("peak") || NaN);
const most = Number(option("most") ?? 40);
const only = new RegExp(option("only") ?? ".");
const sizes = (option("products") ?? "512,1024,2048,4096").split(",").filter(Boolean).map(Number);
const opened = await openDevice(option("device") ?? "gpu", cachedDriver);
const { device, facts } = opened;
const on: TestDevice = { device, name: facts.name, lanes: 0 };

/** Least ms of a few runs, each of so many launches that the clock can see them. */
async function timed(tried: Case, schedule?: Schedule): Promise<number> {
  const values = randomValues(sourcesOf(tried.spec), tried.dims ?? {});
  const layout = layoutFor((s) => s.dtype);
  const lowered = lowerKernel(tried.spec, layout, target, schedule ? { schedule } : {});
  const prepared = await prepare(on, lowered, values);
  const run = async (repeats: number): Promise<number> => {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < repeats; i++) prepared.encode(pass);
    pass.end();
    device.queue.submit([encoder.finish()]);
    await finished(on);
    return (performance.now() - start) / repeats;
  };
  try {
    await run(1);
    const once = await run(1);
    const repeats = Math.max(1, Math.min(200, Math.ceil(8 / once)));
    let least = Infinity;
    for (let i = 0; i < 3 && performance.now() < until; i++) least = Math.min(least, await run(repeats));
    return Math.min(least, once);
  } finally {
    prepared.destroy();
  }
}
const figure = (x: number): string => (Number.isFinite(x) ? String(Number(x.toPrecision(3))) : "-");
const line = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
const rate = ({ flops, moved }: Case, ms: number): string =>
  flops ? `${figure(flops / ms / 1e6)} GFLOP/s` : moved ? `${figure(moved / ms / 1e6)} GB/s` : "";

console.log(`${facts.name}, target ${target.name}\n`);
const results: object[] = [];
const save = (): void => {
  const file = option("out");
  if (file) writeFileSync(file, JSON.stringify({ device: facts.name, target: target.name, results }, undefined, 1));
};

if (sizes.length) {
  console.log(line(["product", "ms", "GFLOP/s", ...(peak ? ["of the peak"] : []), "schedule"]));
  console.log(line(["---", "---:", "---:", ...(peak ? ["---:"] : []), "---"]));
}
for (const n of sizes) {
  if (performance.now() > until) break;
  const tried = product("NN", n, n, n);
  const ms = await timed(tried);
  const gflops = (2 * n ** 3) / ms / 1e6;
  const lowered = lowerKernel(
    tried.spec,
    layoutFor((s) => s.dtype),
    target,
  );
  const schedule = [...(lowered.before ?? []), lowered].map((k) => printSchedule(k.schedule)).join(", then ");
  const share = peak ? [`${Math.round((100 * gflops) / peak)} %`] : [];
  console.log(line([`${n} squares`, figure(ms), figure(gflops), ...share, schedule]));
  results.push({ product: n, ms, gflops, schedule });
  save();
}

/** Of all schedules by their price: the first ones, and others evenly down to ten times the best. */
function chosen(ranked: readonly Choice[]): Choice[] {
  const near = ranked.filter((c) => c.total < 10 * ranked[0]!.total);
  const first = Math.ceil(most / 3);
  const rest = near.slice(first);
  const step = Math.max(1, rest.length / (most - first));
  return [
    ...near.slice(0, first),
    ...Array.from({ length: most - first }, (_, i) => rest[Math.floor(i * step)]).filter((c) => c !== undefined),
  ];
}
const ranksOf = (values: readonly number[]): number[] => {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const ranks: number[] = [];
  order.forEach((i, r) => (ranks[i] = r));
  return ranks;
};
/** Spearman's: 1 where the price orders schedules as the device does. */
function correlation(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranksOf(a), ranksOf(b)];
  const n = a.length;
  return 1 - (6 * x.reduce((sum, r, i) => sum + (r - y[i]!) ** 2, 0)) / (n * (n * n - 1));
}
const kernels: readonly Case[] = [
  product("NN", 1024, 1024, 1024),
  product("NN", 128, 512, 784, true),
  product("TN", 512, 784, 128),
  product("NT", 128, 784, 512),
  product("NN", 768, 512, 128),
  conv(64, 14, 32, 64),
  convInput(64, 14, 32, 64),
  convWeight(64, 14, 32, 64),
  softmax(4096, 1024),
  layerNorm(4096, 1024),
  rowSums(4096, 1024),
];
for (const [i, tried] of kernels.entries()) {
  if (!only.test(tried.name) || performance.now() > until) continue;
  const stop = performance.now() + (until - performance.now()) / (kernels.length - i); // a fair share of what is left
  const measured: { choice: Choice; ms: number }[] = [];
  const failed: string[] = [];
  for (const choice of chosen(rank(nestOf(tried.spec), target))) {
    if (measured.length && performance.now() > stop) break;
    try {
      measured.push({ choice, ms: await timed(tried, choice.schedule) });
    } catch (error) {
      failed.push(`${printSchedule(choice.schedule)}: ${String(error).split("\n")[0]}`);
    }
  }
  if (!measured.length) continue;
  const picked = measured[0]!;
  const byTime = [...measured].sort((a, b) => a.ms - b.ms);
  const best = byTime[0]!;
  const agreement = correlation(
    measured.map((m) => m.choice.total),
    measured.map((m) => m.ms),
  );
  console.log(
    `\n${tried.name}: ${measured.length} schedules, order as priced ${figure(agreement)}; the chosen takes ${figure(picked.ms / best.ms)} times the best\n`,
  );
  console.log(line(["schedule", "priced, ms", "run, ms", "rate"]));
  console.log(line(["---", "---:", "---:", "---:"]));
  for (const { choice, ms } of new Set([picked, ...byTime.slice(0, 5)]))
    console.log(
      line([
        `${printSchedule(choice.schedule)}${choice === picked.choice ? " (chosen)" : ""}`,
        figure(choice.total / 1e6),
        figure(ms),
        rate(tried, ms),
      ]),
    );
  for (const f of failed) console.log(`failed: ${f}`);
  results.push({
    kernel: tried.name,
    correlation: agreement,
    schedules: measured.map(({ choice, ms }) => ({ schedule: choice.schedule, priced: choice.total / 1e6, ms })),
    failed,
  });
  save();
}
opened.close();
process.exit(0);
