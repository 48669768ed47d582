// One kernel, lowered, run on the device and compared with the direct evaluation of its specification.
import type { Extent, Source } from "../../compiler/graph/types.ts";
import { within } from "../../compiler/graph/compilation.ts";
import { baseOf } from "../../compiler/graph/node.ts";
import { extentValue, sizeOfShape, type Dims } from "../../compiler/evaluate/evaluate.ts";
import { printModule } from "../../compiler/wgsl/print.ts";
import { lowerKernel, type LoweredKernel } from "../../compiler/lower/lower.ts";
import type { Layout } from "../../compiler/kernel/layout.ts";
import type { Schedule } from "../../compiler/schedule/schedule.ts";
import type { Target } from "../../compiler/kernel/target.ts";
import type { DType } from "../../runtime/plan.ts";
import type { Case } from "./cases.ts";
import { compilationOf, evaluateSpec, overSources, sourcesOf } from "./reference.ts";
import { prepare, runOnce, type TestDevice } from "./device.ts";

export const generator = (seed: number) => {
  let x = seed >>> 0;
  return (): number => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return x / 4294967296;
  };
};
const free = (extent: Extent, dims: Dims): boolean =>
  typeof extent !== "number" &&
  (extent.kind === "dim" ? !(extent.name in dims) : extent.terms.some(([atom]) => free(atom as Extent, dims)));
/** Values as f32 holds them: f32 in [-1, 1), i32 in their range, bool. No NaN: a device reads it as 0. */
export function randomValues(sources: readonly Source[], dims: Dims, seed = 1): Map<Source, Float64Array> {
  const next = generator(seed);
  for (let k = 0; k < 8; k++) next();
  return new Map(
    sources.map((s) => {
      // a range without an end, or with a dim for its end that no shape of the case has, has a few numbers from the other one
      const end = s.range === undefined || free(s.range.high, dims) ? 5 : extentValue(s.range.high, dims);
      const low = Number.isFinite(s.range?.low) ? s.range!.low : Math.min(-5, end - 10);
      const high = Number.isFinite(end) ? end : Math.max(5, low + 10);
      const draw = (): number =>
        s.dtype === "f32"
          ? Math.fround(2 * next() - 1)
          : s.dtype === "bool"
            ? Number(next() < 0.5)
            : low + Math.floor(next() * (high - low + 1));
      return [s, Float64Array.from({ length: sizeOfShape(s.shape, dims) }, draw)];
    }),
  );
}
export interface CheckOptions {
  readonly target: Target;
  readonly schedule?: Schedule;
  readonly seed?: number;
  readonly tolerance?: number;
}
export const layoutFor = (storage: (s: Source) => DType | "u8"): Layout => ({
  storageOf: (node) => storage(node as Source),
  nameOf: (node) => (node as Source).path || "t",
});
const reference = new WeakMap<
  Case,
  { values: Map<Source, Float64Array>; expected: Map<Source, Float64Array>; spec: Case["spec"] }
>();

export async function check(on: TestDevice, tried: Case, options: CheckOptions): Promise<LoweredKernel> {
  const dims = tried.dims ?? {};
  let known = reference.get(tried);
  if (!known) {
    const spec = overSources(tried.spec);
    const values = randomValues(sourcesOf(spec), dims, options.seed);
    reference.set(tried, (known = { spec, values, expected: evaluateSpec(spec, values, dims) }));
  }
  const { spec, values, expected } = known;
  const storage = (s: Source): DType | "u8" => (tried.bytes?.includes(s.path) ? "u8" : s.dtype);
  const lowered = within(compilationOf(spec), () =>
    lowerKernel(spec, layoutFor(storage), options.target, options.schedule ? { schedule: options.schedule } : {}),
  );
  const prepared = await prepare(on, lowered, values, { dims, storage });
  await runOnce(on, prepared);
  const tolerance = options.tolerance ?? 1e-4;
  try {
    for (const s of spec.stores) {
      const source = baseOf(s.target) as Source;
      const got = await prepared.read(source);
      const want = expected.get(source)!;
      let scale = 1;
      for (const x of want) scale = Math.max(scale, Math.abs(x));
      for (let p = 0; p < want.length; p++) {
        const error = Math.abs(got[p]! - want[p]!);
        if (!(error <= tolerance * (source.dtype === "f32" ? scale : 0)))
          throw new Error(
            `${tried.name}: ${source.path}[${p}] is ${got[p]} instead of ${want[p]}\nschedule ${JSON.stringify(lowered.schedule)}\n${[...(lowered.before ?? []), lowered].map((k) => printModule(k.module)).join("\n")}`,
          );
      }
    }
  } finally {
    prepared.destroy();
  }
  return lowered;
}
