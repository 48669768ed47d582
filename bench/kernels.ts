// Single kernels on the device at hand, under the schedules that the price chooses: GFLOP/s or GB/s beside the best figures of hand-written
// kernels on this class of machine (lavapipe and SwiftShader, 2 cores). No tuning, no peers; bench/run.mjs measures whole workloads.
//   npx esbuild bench/kernels.ts --bundle --platform=node --format=esm --packages=external --outfile=out/kernels.mjs && node out/kernels.mjs [--only REGEXP] [--rounds N] [--wgsl]
import { create, globals } from "webgpu";
import { lowerKernel } from "../compiler/lower/lower.ts";
import { printModule } from "../compiler/wgsl/print.ts";
import { printSchedule } from "../compiler/schedule/schedule.ts";
import { targets, type Target } from "../compiler/kernel/target.ts";
import * as cases from "../test/schedule/cases.ts";
import type { Case } from "../test/schedule/cases.ts";
import { layoutFor, randomValues } from "../test/schedule/check.ts";
import { finished, prepare, type Prepared, type TestDevice } from "../test/schedule/device.ts";
import { sourcesOf } from "../test/schedule/reference.ts";

Object.assign(globalThis, globals);
const {
  product,
  conv,
  convInput,
  convWeight,
  scores,
  causalValues,
  softmax,
  layerNorm,
  rowSums,
  columnSums,
  sumOfSquares,
  elementwise,
  gelu,
  adam,
  pool,
  poolGradient,
  channelSums,
} = cases;

/** [kernel, best known figure on lavapipe, on SwiftShader]; NaN where none was measured by hand. */
const lavapipe: readonly (readonly [Case, number])[] = [
  [product("NN", 128, 512, 784), 23.1],
  [product("NN", 128, 512, 784, true), 23.1],
  [product("TN", 512, 784, 128), 20.9],
  [product("NT", 128, 784, 512), 15.6],
  [product("NN", 768, 512, 128), 25.5],
  [product("NN", 768, 65, 128), 13.5],
  [product("NN", 128, 10, 512), NaN],
  [product("NN", 512, 512, 512), 33.9],
  [conv(64, 28, 1, 32), 14],
  [convWeight(64, 28, 1, 32), 10],
  [conv(64, 14, 32, 64), 48],
  [convInput(64, 14, 32, 64), 52],
  [convWeight(64, 14, 32, 64), 51],
  [scores(12, 4, 64, 32), NaN],
  [causalValues(12, 4, 64, 32), NaN],
  [softmax(4096, 1024), 4.1],
  [softmax(768, 128), 3.8],
  [layerNorm(4096, 1024), 4.8],
  [rowSums(4096, 1024), 11.4],
  [rowSums(768, 128), 2.5],
  [columnSums(4096, 1024), 7.5],
  [columnSums(768, 128), 2.3],
  [channelSums(64, 14, 64), NaN],
  [sumOfSquares(670_080), 8.1],
  [elementwise([4_194_304]), 12],
  [gelu(4_194_304), NaN],
  [adam(670_080), 8.5],
  [pool(64, 28, 32), NaN],
  [poolGradient(64, 28, 32), NaN],
];
const swiftshader: readonly (readonly [Case, number])[] = [
  [product("NN", 256, 256, 256), 4.1],
  [product("NN", 128, 512, 784), NaN],
  [product("TN", 256, 392, 128), 4.4],
  [product("NT", 128, 392, 256), 3.7],
  [conv(16, 28, 1, 32), 1.75],
  [convWeight(16, 28, 1, 32), 0.58],
  [conv(16, 14, 32, 64), 3.1],
  [convInput(16, 14, 32, 64), 3.9],
  [convWeight(16, 14, 32, 64), 4.2],
  [softmax(768, 128), NaN],
  [layerNorm(768, 128), NaN],
  [rowSums(4096, 1024), NaN],
  [columnSums(4096, 1024), NaN],
  [sumOfSquares(670_080), NaN],
  [elementwise([1_048_576]), 4.3],
  [gelu(1_048_576), NaN],
  [adam(670_080), 3.1],
];

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};
const gpu = create([]);
const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error("no WebGPU adapter");
const subgroups = adapter.features.has("subgroups");
const limit = (name: "maxStorageBufferBindingSize" | "maxBufferSize"): number => adapter.limits[name];
const device = await adapter.requestDevice({
  requiredFeatures: subgroups ? ["subgroups"] : [],
  requiredLimits: {
    maxStorageBufferBindingSize: limit("maxStorageBufferBindingSize"),
    maxBufferSize: limit("maxBufferSize"),
  },
});
const { subgroupMinSize, subgroupMaxSize, device: name } = adapter.info;
const lanes = subgroups && subgroupMinSize === subgroupMaxSize ? (subgroupMinSize ?? 0) : 0;
const on: TestDevice = { device, name, lanes };
const target: Target =
  targets[option("target") ?? (lanes === 8 ? "lavapipe" : lanes === 4 ? "swiftshader" : "discrete")]!;

interface Measured {
  readonly tried: Case;
  readonly best: number;
  readonly schedule: string;
  readonly prepared: Prepared;
  readonly lowerMs: number;
  readonly firstMs: number; // CPU time of pipeline and first run: the driver's compilation
  readonly repeats: number;
  readonly wall: number[];
  readonly cpu: number[]; // CPU time over the two cores: what a quiet machine would take, more or less, when others are at work on this one
}
const cpuTime = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
async function once(p: Prepared, repeats: number): Promise<{ wall: number; cpu: number }> {
  const [wall, cpu] = [performance.now(), cpuTime()];
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (let i = 0; i < repeats; i++) p.encode(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
  await finished(on);
  return { wall: (performance.now() - wall) / repeats, cpu: (cpuTime() - cpu) / repeats / 2 };
}
const only = new RegExp(option("only") ?? ".");
const list: Measured[] = [];
for (const [tried, best] of lanes === 4 ? swiftshader : lavapipe) {
  if (!only.test(tried.name)) continue;
  const values = randomValues(sourcesOf(tried.spec), tried.dims ?? {});
  const started = performance.now();
  const lowered = lowerKernel(
    tried.spec,
    layoutFor((s) => s.dtype),
    target,
  );
  const lowerMs = performance.now() - started;
  if (process.argv.includes("--wgsl"))
    console.log([...(lowered.before ?? []), lowered].map((k) => printModule(k.module)).join("\n"));
  const before = cpuTime();
  const prepared = await prepare(on, lowered, values);
  await once(prepared, 1);
  const firstMs = cpuTime() - before;
  const { wall } = await once(prepared, 1);
  list.push({
    tried,
    best,
    schedule: [...(lowered.before ?? []), lowered].map((k) => printSchedule(k.schedule)).join(" | "),
    prepared,
    lowerMs,
    firstMs,
    repeats: Math.max(1, Math.ceil(6 / wall)),
    wall: [],
    cpu: [],
  });
}
for (let round = 0; round < Number(option("rounds") ?? 9); round++)
  for (const m of list) {
    const { wall, cpu } = await once(m.prepared, m.repeats);
    m.wall.push(wall);
    m.cpu.push(cpu);
  }
const least = (xs: readonly number[]): number => Math.min(...xs);
const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[xs.length >> 1]!;
console.log(
  `${name}, target ${target.name}: least (median); cpu: by CPU time of two cores, least; share: of the best figure known`,
);
for (const m of list) {
  const per = (ms: number): number => (m.tried.flops ?? m.tried.moved ?? 0) / ms / 1e6;
  const share = Number.isNaN(m.best) ? "" : `${Math.round((100 * per(least(m.cpu))) / m.best)} % of ${m.best}`;
  console.log(
    [
      m.tried.name.padEnd(32),
      `${per(least(m.wall)).toFixed(1)} (${per(median(m.wall)).toFixed(1)})`.padStart(14),
      `cpu ${per(least(m.cpu)).toFixed(1)}`.padStart(10),
      m.tried.flops ? "GFLOP/s" : "GB/s   ",
      share.padStart(14),
      `first ${m.firstMs.toFixed(0)} ms`.padStart(13),
      `lowered in ${m.lowerMs.toFixed(0)} ms`,
      m.schedule,
    ].join("  "),
  );
}
process.exit(0);
