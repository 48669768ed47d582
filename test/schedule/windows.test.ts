// Sums over windows in workgroup memory: what has windows, and kernels of all kinds of them against the direct evaluation.
import "../graph/by-hand.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { lessEqual, linear, mul, select } from "../../compiler/graph/scalar.ts";
import type { Integer, Scalar } from "../../compiler/graph/types.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { nestOf } from "../../compiler/schedule/nest.ts";
import { enumerate } from "../../compiler/schedule/space.ts";
import { windowsOf } from "../../compiler/schedule/windows.ts";
import { conv, convInput, convWeight, product, relu, type Case } from "./cases.ts";
import { check, generator } from "./check.ts";
import type { TestDevice } from "./device.ts";
import { openDevice } from "./open.ts";
import { overSources } from "./reference.ts";
import { at, atOr, SpecBuilder, tensor } from "./spec.ts";

interface Kind {
  readonly rows: number; // of a batch
  readonly sizes: readonly number[]; // of the output, along each axis of windows
  readonly taps: readonly number[];
  readonly step: number; // of the output axis
  readonly by: number; // of the reduced one
  readonly pad: number;
  readonly guarded: boolean; // beyond the tensor it is 0
  readonly channels: number;
  readonly out: number;
  readonly through: boolean; // a function of what is read
  readonly transposed: boolean; // weights lie by their channels
}
/** y[b, .., o] = sum(u.., c) f(x[b, step * y + by * u - pad, .., c]) w[u.., c, o] */
function windowed(kind: Kind): Case {
  const { rows, sizes, taps, step, by, pad, guarded, channels, out } = kind;
  const lengths = sizes.map((n, d) => (n - 1) * step + Math.abs(by) * (taps[d]! - 1) + 1);
  const x = tensor("x", [rows, ...lengths.map((n) => (guarded ? Math.max(2, n - 2 * pad) : n)), channels]);
  const w = tensor("w", kind.transposed ? [...taps, out, channels] : [...taps, channels, out]);
  const y = tensor("y", [rows, ...sizes, out]);
  const s = new SpecBuilder("windows", [rows, ...sizes, out]);
  const axes = s.i as Integer[];
  const o = axes.at(-1)!;
  const sum = s.sum([...taps, channels], (...over) => {
    const c = over.at(-1)!;
    const places = sizes.map((_, d) =>
      linear(
        [
          [axes[d + 1]!, step],
          [over[d]!, by],
        ],
        (by < 0 ? -by * (taps[d]! - 1) : 0) - (guarded ? pad : 0),
      ),
    );
    const read: Scalar = guarded ? atOr(x, 0, axes[0]!, ...places, c) : at(x, axes[0]!, ...places, c);
    const weights = kind.transposed ? [...over.slice(0, -1), o, c] : [...over, o];
    return mul(kind.through ? relu(read) : read, at(w, ...weights));
  });
  s.store(y, sum);
  const text = `${rows}x${sizes.join("x")} ${taps.join("x")} ${step}/${by} ${channels}->${out}`;
  return {
    name: `windows ${text}${guarded ? ` within ${pad}` : ""}${kind.through ? " relu" : ""}`,
    spec: s.done(),
    flops: 0,
  };
}
function drawn(seed: number): Kind {
  const next = generator(7000 + seed);
  for (let k = 0; k < 5; k++) next();
  const of = <T>(...list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const rank = of(1, 2, 2, 3);
  const [step, by] = of([1, 1], [1, -1], [2, 1], [1, 2], [1, -2], [3, 1], [2, -1]) as [number, number];
  const size = { 1: [16, 30, 33, 64], 2: [4, 7, 8, 14, 15], 3: [3, 4, 6] }[rank]!;
  return {
    rows: of(1, 2, 3, 8),
    sizes: Array.from({ length: rank }, () => of(...size)),
    taps: Array.from({ length: rank }, () => (rank === 1 ? of(2, 3, 5, 9) : rank === 2 ? of(2, 3, 3, 5) : of(2, 3))),
    ...{ step, by },
    pad: of(0, 1, 2),
    guarded: of(true, true, false),
    channels: of(8, 12, 16, 24, 32),
    out: of(16, 24, 32, 48),
    through: of(true, false, false),
    transposed: of(true, false),
  };
}
const inWindows = (c: Case, target: string) =>
  enumerate(nestOf(overSources(c.spec)), targets[target]!)
    .map((x) => x.schedule)
    .filter((s) => !s.joined && Object.keys(s.staged).length);

let on: TestDevice;
beforeAll(async () => {
  on = await openDevice();
});
describe("drawn", () => {
  const count = Number(process.env["SCHEDULES"] ?? 1) * 24;
  test.each(Array.from({ length: count }, (_, seed) => [windowed(drawn(seed)), seed] as const))(
    "$name",
    async (c, seed) => {
      const space = inWindows(c, seed % 2 ? "discrete" : "integrated");
      const next = generator(seed);
      for (let k = 0; k < Math.min(3, space.length); k++)
        await check(on, c, { target: targets["discrete"]!, schedule: space[Math.floor(next() * space.length)]! });
    },
  );
  test("most have such schedules", () => {
    const some = Array.from({ length: count }, (_, seed) => inWindows(windowed(drawn(seed)), "integrated").length > 0);
    expect(some.filter(Boolean).length).toBeGreaterThan(count / 2);
  });
  test("a condition on an axis alone, which is asked at each step", async () => {
    const [x, w, y] = [tensor("x", [4, 34, 16]), tensor("w", [3, 16, 32]), tensor("y", [4, 32, 32])];
    const s = new SpecBuilder("masked", [4, 32, 32]);
    const [b, i, o] = s.i as [Integer, Integer, Integer];
    const sum = s.sum([3, 16], (u, c) => {
      const index = linear([
        [i, 1],
        [u!, 1],
      ]);
      return mul(select(lessEqual(i, linear([[u!, 2]], 10)), at(x, b, index, c!), 0), at(w, u!, c!, o));
    });
    s.store(y, sum);
    const c: Case = { name: "masked", spec: s.done() };
    const space = inWindows(c, "discrete");
    expect(space.length).toBeGreaterThan(0);
    for (const schedule of space.slice(0, 4)) await check(on, c, { target: targets["discrete"]!, schedule });
  });
});
describe("what has windows", () => {
  const found = (c: Case) => windowsOf(nestOf(overSources(c.spec)));
  const counts = (c: Case): unknown =>
    found(c)?.operands.map((o) =>
      o.coordinates.flatMap(({ out, step, over, by }) => (out && over ? [[step, by]] : [])),
    );
  test.each([
    [
      "a convolution",
      conv(4, 14, 32, 64),
      [
        [
          [1, 1],
          [1, 1],
        ],
        [],
      ],
    ],
    [
      "with a step",
      conv(4, 14, 32, 64, 3, 2),
      [
        [
          [2, 1],
          [2, 1],
        ],
        [],
      ],
    ],
    [
      "its gradient by the input",
      convInput(4, 14, 32, 64),
      [
        [
          [1, -1],
          [1, -1],
        ],
        [],
      ],
    ],
  ] as const)("%s", (_, c, expected) => {
    const own = counts(c) as unknown[][];
    expect([...own].sort((a, b) => b.length - a.length)).toEqual(expected);
  });
  test.each([
    ["a product", product("NN", 64, 64, 64)],
    ["a single channel", conv(4, 14, 1, 32)],
    ["channels that are no fours", conv(4, 14, 6, 32)],
    ["a gradient by the weights, whose windows are its results", convWeight(4, 14, 32, 64)],
  ])("not %s", (_, c) => expect(found(c)).toBeUndefined());
});
