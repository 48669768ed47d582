// Long sums: the bound that docs/language.md states, for lengths up to 2^25, along any axis, under any schedule. Expected values are sums in f64.
import { beforeAll, describe, expect, test } from "vitest";
import { dim, equal, integer, linear, mul, select } from "../../compiler/graph/scalar.ts";
import type { Extent, Integer, Source } from "../../compiler/graph/types.ts";
import type { KernelSpec } from "../../compiler/kernel/kernel.ts";
import { lowerKernel } from "../../compiler/lower/lower.ts";
import { nestOf } from "../../compiler/schedule/nest.ts";
import { plainSchedule, type Schedule } from "../../compiler/schedule/schedule.ts";
import { enumerate } from "../../compiler/schedule/space.ts";
import { targets, type Target } from "../../compiler/kernel/target.ts";
import { generator, layoutFor } from "../schedule/check.ts";
import { prepare, runOnce, type TestDevice } from "../schedule/device.ts";
import { openDevice } from "../schedule/open.ts";
import { at, SpecBuilder, tensor } from "../schedule/spec.ts";
import { onDevice, ownTarget } from "./long.ts";

const bound = 2 ** -13; // of the sum of the magnitudes: what is promised
const usual = 1e-5; // what is met by far

let on: TestDevice;
let own: Target;
beforeAll(async () => {
  on = await openDevice();
  own = targets[await ownTarget()]!;
});

/** Terms of many kinds. Equal terms are the worst for a single accumulator: all roundings go one way. */
const kinds: Readonly<Record<string, (next: () => number) => number>> = {
  equal: () => 0.1,
  "far from 0": (next) => 1000 + next(),
  signed: (next) => next() - 0.5,
  "of all sizes": (next) => 2 ** (20 * next() - 10),
};
interface Sum {
  readonly spec: KernelSpec;
  readonly x: Source;
  readonly y: Source;
  /** The terms of result r: positions of x. */
  readonly terms: (r: number, see: (position: number) => void) => void;
  readonly results: number;
  readonly squares?: boolean;
  readonly more?: ReadonlyMap<Source, ArrayLike<number>>;
}
const all = (n: number, open = false): Sum => {
  const x = tensor("x", [open ? dim("N") : n]);
  const y = tensor("y", [1]);
  const s = new SpecBuilder("all", []);
  s.store(
    y,
    s.sum(x.shape, (k) => at(x, k!)),
    [integer(0)],
  );
  return {
    spec: s.done(),
    x,
    y,
    results: 1,
    terms: (_, see) => {
      for (let k = 0; k < n; k++) see(k);
    },
  };
};
const rows = (n: number, m = 3, open = false): Sum => {
  const length: Extent = open ? dim("N") : n;
  const x = tensor("x", [m, length]);
  const y = tensor("y", [m]);
  const s = new SpecBuilder("rows", [m]);
  s.store(
    y,
    s.sum([length], (k) => at(x, s.i[0]!, k!)),
  );
  return {
    spec: s.done(),
    x,
    y,
    results: m,
    terms: (r, see) => {
      for (let k = 0; k < n; k++) see(r * n + k);
    },
  };
};
const columns = (n: number, m = 8, open = false): Sum => {
  const length: Extent = open ? dim("N") : n;
  const x = tensor("x", [length, m]);
  const y = tensor("y", [m]);
  const s = new SpecBuilder("columns", [m]);
  s.store(
    y,
    s.sum([length], (k) => mul(at(x, k!, s.i[0]!), at(x, k!, s.i[0]!))),
  );
  return {
    spec: s.done(),
    x,
    y,
    results: m,
    squares: true,
    terms: (r, see) => {
      for (let k = 0; k < n; k++) see(k * m + r);
    },
  };
};
const pixels = (b: number, h: number, w: number, c = 4): Sum => {
  const x = tensor("x", [b, h, w, c]);
  const y = tensor("y", [c]);
  const s = new SpecBuilder("pixels", [c]);
  s.store(
    y,
    s.sum([b, h, w], (bi, i, j) => at(x, bi!, i!, j!, s.i[0]!)),
  );
  return {
    spec: s.done(),
    x,
    y,
    results: c,
    terms: (r, see) => {
      for (let k = 0; k < b * h * w; k++) see(k * c + r);
    },
  };
};
/** Gradients of an embedding: half of all rows go to one cell. */
const scattered = (n: number, cells = 3): Sum => {
  const x = tensor("x", [n]);
  const index = tensor("index", [n], "i32", { low: 0, high: cells - 1 });
  const y = tensor("y", [cells]);
  const s = new SpecBuilder("scattered", [cells]);
  s.store(
    y,
    s.sum([n], (k) => select(equal(at(index, k!) as never, s.i[0]!), at(x, k!), 0)),
  );
  const to = Int32Array.from({ length: n }, (_, k) => (k % 2 ? 0 : k % cells));
  return {
    spec: s.done(),
    x,
    y,
    results: cells,
    more: new Map([[index, to]]),
    terms: (r, see) => {
      for (let k = 0; k < n; k++) if (to[k] === r) see(k);
    },
  };
};
/** Convolutions of many channels. */
const windows = (channels: number): Sum => {
  const [length, out, taps, apart] = [16, 32, 3, 2]; // neighbouring taps are no longer row
  const x = tensor("x", [1, length + apart * (taps - 1), channels]);
  const w = tensor("w", [taps, channels, out]);
  const y = tensor("y", [1, length, out]);
  const s = new SpecBuilder("windows", [1, length, out]);
  const [, i, o] = s.i as [Integer, Integer, Integer];
  const sum = s.sum([taps, channels], (u, c) => {
    const index = linear([
      [i, 1],
      [u!, apart],
    ]);
    return mul(at(x, 0, index, c!), at(w, u!, c!, o));
  });
  s.store(y, sum);
  return {
    spec: s.done(),
    x,
    y,
    results: length * out,
    more: new Map([[w, new Float32Array(taps * channels * out).fill(1)]]),
    terms: (r, see) => {
      for (let u = 0; u < taps; u++)
        for (let k = 0; k < channels; k++) see((Math.floor(r / out) + apart * u) * channels + k);
    },
  };
};

/** The largest error of a result, as a share of the sum of its terms' magnitudes. */
async function errorOf(sum: Sum, target: Target, kind: string, n: number, schedule?: Schedule): Promise<number> {
  const next = generator(7);
  for (let k = 0; k < 8; k++) next();
  let size = 0;
  for (let r = 0; r < sum.results; r++) sum.terms(r, (p) => (size = Math.max(size, p + 1)));
  const data = Float32Array.from({ length: size }, () => kinds[kind]!(next));
  const lowered = lowerKernel(
    sum.spec,
    layoutFor((s) => s.dtype),
    target,
    schedule ? { schedule } : {},
  );
  const prepared = await prepare(
    on,
    lowered,
    new Map<Source, ArrayLike<number>>([[sum.x, data], ...(sum.more ?? [])]),
    { dims: { N: n } },
  );
  try {
    await runOnce(on, prepared);
    const got = await prepared.read(sum.y);
    let worst = 0;
    for (let r = 0; r < sum.results; r++) {
      let [want, magnitude] = [0, 0];
      sum.terms(r, (p) => {
        const v = sum.squares ? data[p]! * data[p]! : data[p]!;
        want += v;
        magnitude += Math.abs(v);
      });
      worst = Math.max(worst, Math.abs(got[r]! - want) / magnitude);
    }
    return worst;
  } finally {
    prepared.destroy();
  }
}
const shapes: Readonly<Record<string, (n: number) => Sum>> = {
  all,
  rows,
  columns,
  scattered,
  pixels: (n) => pixels(Math.ceil(n / 4096), 64, 64),
  "narrow pixels": (n) => pixels(3, Math.ceil(n / 27), 9),
  windows: (n) => windows(4 * Math.ceil(n / 12)),
  "all, open": (n) => all(n, true),
  "rows, open": (n) => rows(n, 3, true),
  "columns, open": (n) => columns(n, 8, true),
};
describe.each(["software", "own", "discrete"])("the chosen schedule for %s", (name) => {
  test.each(Object.keys(shapes))("%s", async (shape) => {
    const target = name === "own" ? own : targets[name]!;
    for (const n of [1000, 8192, 70_001])
      for (const kind of n > 8192 ? Object.keys(kinds) : ["equal"]) {
        const error = await errorOf(shapes[shape]!(n), target, kind, n);
        expect(error, `${n} terms, ${kind}`).toBeLessThan(Math.min(bound, n > 1024 ? usual : 1));
      }
  });
});
describe("schedules drawn from the space", () => {
  test.each(Object.keys(shapes))(
    "%s",
    async (shape) => {
      const next = generator(31);
      for (const target of [own, targets["discrete"]!]) {
        const n = 40_000 + Math.floor(next() * 3000);
        const sum = shapes[shape]!(n);
        const space = [plainSchedule, ...enumerate(nestOf(sum.spec), target).map((c) => c.schedule)];
        for (let k = 0; k < 4; k++) {
          const schedule = space[k ? Math.floor(next() * space.length) : 0]!;
          const error = await errorOf(sum, target, "equal", n, schedule);
          expect(error, JSON.stringify(schedule)).toBeLessThan(usual);
        }
      }
    },
    300_000,
  );
});
test("windows whose operands lie in workgroup memory, chunk by chunk", async () => {
  const sum = windows(4096);
  const target = targets["discrete"]!;
  const space = enumerate(nestOf(sum.spec), target).filter(
    ({ schedule: s }) => !s.joined && Object.keys(s.staged).length,
  );
  expect(space.length).toBeGreaterThan(0);
  for (const { schedule } of space.filter((_, i) => i % Math.ceil(space.length / 3) === 0))
    expect(await errorOf(sum, target, "equal", 3 * 4096, schedule), JSON.stringify(schedule)).toBeLessThan(usual);
});
test("2^25 terms, of a length that the compiler knows or not", async () => {
  const n = 2 ** 25;
  const data = new Float32Array(n).fill(0.1);
  for (const { spec, x, y } of [all(n), all(n, true)]) {
    const prepared = await prepare(
      on,
      lowerKernel(
        spec,
        layoutFor((s) => s.dtype),
        own,
      ),
      new Map([[x, data]]),
      { dims: { N: n } },
    );
    await runOnce(on, prepared);
    expect(Math.abs((await prepared.read(y))[0]! / (n * data[0]!) - 1)).toBeLessThan(usual);
    prepared.destroy();
  }
}, 300_000);

test("reductions of a run-time length in exports: means, counts, extremes, whole numbers, gradients", async () => {
  const n = 100_001;
  const x = Float32Array.from({ length: n }, (_, i) => 0.1 + (i === 77_777 ? 5 : 0));
  const k = Int32Array.from({ length: n }, (_, i) => (i % 7) + 12_345);
  const got = await onDevice(
    `
export fn total(x: f32[N]) -> f32 = sum(x)
export fn average(x: f32[N]) -> f32 = mean(x)
export fn share(x: f32[N]) -> f32 = mean(x > 1)
export fn count(x: f32[N]) -> i32 = sum(x < 1)
export fn whole(k: i32[N]) -> i32 = sum(k)
export fn most(x: f32[N]) -> f32 = max(x)
export fn least(k: i32[N]) -> i32 = min(k)
export fn place(x: f32[N]) -> i32 = argmax(x)
export fn spread(x: f32[N]) -> f32 = std(x)
export fn soft(x: f32[N]) -> f32 = sum(softmax(x))
export fn lse(x: f32[N]) -> f32 = logsumexp(x)
export fn size(x: f32[N]) -> f32 = norm(x)
export fn classes(k: i32[N] in 12345..12352) -> f32[7] = for c in 0..7: sum over i: where(k[i] - 12345 == c, 1.0, 0.0)
export fn slope(x: f32[N], w: f32) -> f32 = grad(mean(x * w), wrt: w)
`,
    { w: 2, x: { data: x, shape: [n] }, k: { data: k, shape: [n] } },
    await ownTarget(),
  );
  const sum = x.reduce((s, v) => s + v, 0);
  const mean = sum / n;
  const near = (name: string, want: number, tolerance = 3e-6): void =>
    expect(Math.abs(got[name]![0]! / want - 1), `${name}: ${got[name]![0]} for ${want}`).toBeLessThan(tolerance);
  near("total", sum);
  near("average", mean);
  near("share", 1 / n);
  near("count", n - 1, 1e-12);
  near(
    "whole",
    k.reduce((s, v) => (s + v) | 0, 0),
    1e-12,
  );
  near("most", Math.fround(5.1), 1e-12);
  near("least", 12_345, 1e-12);
  near("place", 77_777, 1e-12);
  near("spread", Math.sqrt(x.reduce((s, v) => s + (v - mean) ** 2, 0) / (n - 1)));
  near("soft", 1, 1e-5);
  near("lse", Math.log(x.reduce((s, v) => s + Math.exp(v), 0)));
  near("size", Math.sqrt(x.reduce((s, v) => s + v * v, 0)));
  for (let c = 0; c < 7; c++) expect(got["classes"]![c]).toBe(k.filter((v) => v - 12_345 === c).length);
  near("slope", mean);
}, 300_000);
