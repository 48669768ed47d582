// Sums over the terms that their own conditions leave. Of several in a kernel every one runs over its own terms, wherever the loops before it ended; a sum in
// chunks begins with a whole one.
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { enter } from "../../compiler/graph/compilation.ts";
import { nestOf } from "../../compiler/schedule/nest.ts";
import { enumerate } from "../../compiler/schedule/space.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { check } from "../schedule/check.ts";
import { openDevice } from "../schedule/open.ts";
import { overSources } from "../schedule/reference.ts";
import { ownTarget } from "./long.ts";
import { valuesOf } from "./values.ts";

const n = 5;
const data = (seed: number): number[][] =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => ((seed * (3 * i + 5 * j + 1)) % 17) / 4 - 2));
const [x, w, y] = [data(7), data(11), data(13).map((row) => row.slice(1))];
/** What the terms of a sum over k of element [i, j] are: the program's condition, and the same here. */
const conditions: Readonly<Record<string, (i: number, j: number, k: number) => boolean>> = {
  "k >= j": (i, j, k) => k >= j,
  "k > j": (i, j, k) => k > j,
  "k <= j": (i, j, k) => k <= j,
  "k < j": (i, j, k) => k < j,
  "k + j < 4": (i, j, k) => k + j < 4,
  "k + j >= 4": (i, j, k) => k + j >= 4,
  "k >= 2 * j - 3": (i, j, k) => k >= 2 * j - 3,
  "k < 2 * j": (i, j, k) => k < 2 * j,
  "k >= i and k <= j": (i, j, k) => k >= i && k <= j,
  "k >= j and k <= i + j": (i, j, k) => k >= j && k <= i + j,
  "k >= i - j and k < 4": (i, j, k) => k >= i - j && k < 4,
};
const first = {
  "two terms": ["sum over k in 0..2: w[i, k] * f32(j - k)", (i, j) => w[i]![0]! * j + w[i]![1]! * (j - 1)],
  "a window": [
    "sum over k in 0..3: w[i, j + k - 1] ?? 0.5",
    (i, j) => [-1, 0, 1].reduce((s, d) => s + (w[i]![j + d] ?? 0.5), 0),
  ],
  "the largest of a window": [
    "max over k in 0..3: w[i, j + k - 1] ?? -9",
    (i, j) => Math.max(...[-1, 0, 1].map((d) => w[i]![j + d] ?? -9)),
  ],
  "a product": ["sum over k in 0..5: w[i, k] * w[k, j]", (i, j) => w.reduce((s, row, k) => s + w[i]![k]! * row[j]!, 0)],
} as const satisfies Record<string, readonly [text: string, value: (i: number, j: number) => number]>;

/** Derivatives, since these keep the order of their axes: sum over k of where(condition, x[i, k], 0). A kernel of three sums is what follows. */
const textOf = (text: string, condition: string): string => {
  const sum = (of: string, terms: number): string =>
    `grad(sum(${of} * (for i in 0..5, k in 0..${terms}: sum over j in 0..5: where(${condition}, p[i, j], 0))), wrt: p)`;
  return `export fn f(x: f32[5, 5], y: f32[5, 4], w: f32[5, 5], p: f32[5, 5]) {
  let one = for i in 0..5, j in 0..5: ${text}
  return one + 10 * ${sum("x", 5)} + 100 * ${sum("y", 4)}
}
`;
};
describe.each(Object.entries(first))("after %s", (_, [text, value]) => {
  test.each(Object.entries(conditions))("a sum where %s", async (condition, holds) => {
    const source = textOf(text, condition);
    const { evaluator, device } = await valuesOf(source, { x, y, w, p: x });
    for (const [who, got] of [
      ["evaluator", evaluator[0]!],
      ["device", device[0]!],
    ] as const)
      got.forEach((v, at) => {
        const [i, j] = [Math.floor(at / n), at % n];
        const sum = (terms: readonly number[]): number =>
          terms.reduce((s, term, k) => s + (holds(i, j, k) ? term : 0), 0);
        expect(v, `${who}: element ${at} of ${source}`).toBeCloseTo(
          value(i, j) + 10 * sum(x[i]!) + 100 * sum(y[i]!),
          3,
        );
      });
  });
  test.each(Object.keys(conditions))("under schedules with a tile, a sum where %s", async (condition) => {
    const on = await openDevice();
    const { program, programs } = compile(textOf(text, condition));
    enter(program!.compilation); // whose nodes are rebuilt below
    for (const target of [targets[await ownTarget()]!, targets["discrete"]!])
      for (const step of programs[0]!.kernels.steps) {
        if (step.kind !== "kernel") throw new Error("sums are kernels");
        const tiled = enumerate(nestOf(overSources(step.spec)), target).filter(({ schedule }) =>
          Object.values(schedule.tile).some((size) => size > 1),
        );
        for (let at = 0; at < tiled.length; at += Math.ceil(tiled.length / 3))
          await check(on, { name: condition, spec: step.spec }, { target, schedule: tiled[at]!.schedule });
      }
  });
});
test.each(["k >= g", "k > 2 * g", "k + g >= 9", "k <= g", "k >= g and k < 30 - g", "k >= 3 * g or k < g"])(
  "products in chunks where %s",
  async (condition) => {
    const on = await openDevice();
    const text = `export fn f(a: f32[5, 16, 32], b: f32[5, 32, 16]) =
  for g in 0..5, i in 0..16, j in 0..16: sum over k in 0..32: where(${condition}, a[g, i, k] * b[g, k, j], 0)
`;
    const target = targets["discrete"]!;
    const { program, programs } = compile(text, { target });
    enter(program!.compilation); // whose nodes are rebuilt below
    const [step] = programs[0]!.kernels.steps;
    if (step?.kind !== "kernel") throw new Error("a product is a kernel");
    const inChunks = enumerate(nestOf(overSources(step.spec)), target).filter(
      ({ schedule }) => Object.keys(schedule.staged).length,
    );
    expect(inChunks.length).toBeGreaterThan(0);
    for (let at = 0; at < inChunks.length; at += Math.ceil(inChunks.length / 4))
      await check(on, { name: condition, spec: step.spec }, { target, schedule: inChunks[at]!.schedule });
  },
);
