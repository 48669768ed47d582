// Random index patterns: gradients of first and second order against finite differences, and every optional step of `solve` and of the Compute
// constructor on and off: values do not change. All graphs are sound, before and after simplification, which changes no value either.
import { expect, test } from "vitest";
import { evaluateNodes } from "../../compiler/evaluate/evaluate.ts";
import { gradient } from "../../compiler/grad/grad.ts";
import { allOptions, Compilation, within } from "../../compiler/graph/compilation.ts";
import { compute, zeros } from "../../compiler/graph/node.ts";
import { add, load } from "../../compiler/graph/scalar.ts";
import type { GraphProgram, Node, Source } from "../../compiler/graph/types.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import { numbers, weighted } from "../grad/check.ts";
import { pattern, type Pattern } from "./patterns.ts";
import { cases, firstSeed, random } from "./random.ts";

const size = (x: Node): number => (x.shape as number[]).reduce((a, b) => a * b, 1);
const programOf = (name: string, nodes: readonly Node[], inputs: readonly Source[]): GraphProgram => ({
  name,
  inputs,
  dims: [],
  outputs: nodes.map((node, i) => ({ name: `y${i}`, node })),
  updates: [],
});

/** The loss, its gradient, a weighted sum of that, and its gradient. */
function derivatives(
  p: Pattern,
  second: boolean,
): { loss: Node; first: Node[]; along: Node | undefined; second: Node[] } {
  const loss = weighted(p.node);
  const present = (nodes: readonly (Node | undefined)[]): Node[] =>
    nodes.map((g, i) => g ?? zeros(p.sources[i]!.shape));
  const gradients = gradient(loss, p.sources);
  const first = present(gradients);
  if (gradients.every((g) => !g)) return { loss, first, along: undefined, second: [] };
  const along = first
    .map((g, i) => weighted(g, 31 + i))
    .reduce((a, b) => compute([], undefined, add(load(a, []), load(b, []))));
  return { loss, first, along, second: second ? present(gradient(along, p.sources)) : [] };
}
/** <gradient, direction> against a central difference of f. */
function compare(
  what: string,
  f: Node,
  gradients: readonly Float64Array[],
  sources: readonly Source[],
  values: ReadonlyMap<Source, number[]>,
): void {
  const directions = sources.map((x, i) => numbers(size(x), 101 + i));
  let along = 0;
  gradients.forEach((g, i) => g.forEach((v, k) => (along += v * directions[i]![k]!)));
  const h = 3e-5;
  const shifted = (sign: number): number =>
    evaluateNodes(
      [f],
      new Map(sources.map((x, i) => [x, values.get(x)!.map((v, k) => v + sign * h * directions[i]![k]!)])),
    )[0]![0]!;
  const difference = (shifted(1) - shifted(-1)) / (2 * h);
  expect(Math.abs(along - difference), `${what}: ${along} against ${difference}`).toBeLessThanOrEqual(
    2e-5 * (1 + Math.abs(difference)),
  );
}
function same(what: string, a: readonly Float64Array[], b: readonly Float64Array[], tolerance = 1e-8): void {
  expect(b.length, what).toBe(a.length);
  a.forEach((x, i) => {
    const scale = x.reduce((m, v) => Math.max(m, Math.abs(v)), 1);
    x.forEach(
      (v, k) =>
        Math.abs(v - b[i]![k]!) <= tolerance * scale ||
        expect.fail(`${what}: result ${i}, element ${k} is ${b[i]![k]} instead of ${v}`),
    );
  });
}
function check(seed: number): void {
  const p = within(new Compilation(), () => pattern(seed));
  if (!p.sources.length) return;
  const values = new Map(p.sources.map((x, i) => [x, numbers(size(x), 1000 + 7 * seed + i)]));
  const second = p.smooth && seed % 3 !== 0; // most of the time is here
  const reference = within(p.node.compilation, () => {
    const d = derivatives(p, second);
    const nodes = [p.node, ...d.first, ...d.second];
    const program = programOf(`pattern ${seed}`, nodes, p.sources);
    verify(program);
    const expected = evaluateNodes(nodes, values);
    const [first, last] = [expected.slice(1, 1 + d.first.length), expected.slice(1 + d.first.length)];
    compare("first order", d.loss, first, p.sources, values);
    if (d.along && second) compare("second order", d.along, last, p.sources, values);
    // simplified
    const folding = seed % 2 === 0; // folded constants are rounded to f32
    const simple = simplify(program, { without: folding ? [] : ["constant-node"] });
    verify(simple);
    same(
      "simplified",
      expected,
      evaluateNodes(
        simple.outputs.map((o) => o.node),
        values,
      ),
      folding ? 1e-6 : 1e-8,
    );
    return expected;
  });
  // one or all of the optional steps off
  const r = random(seed + 500_000);
  const steps = Object.keys(allOptions);
  const off = r.chance(0.3) ? steps : [r.pick(steps)];
  within(new Compilation(Object.fromEntries(off.map((k) => [k, false]))), () => {
    const q = pattern(seed);
    const own = new Map(q.sources.map((x, i) => [x, values.get(p.sources[i]!)!]));
    const e = derivatives(q, second);
    const others = [q.node, ...e.first, ...e.second];
    verify(programOf(`pattern ${seed} without ${off.join(", ")}`, others, q.sources));
    same(`without ${off.join(", ")}`, reference, evaluateNodes(others, own));
  });
}

const perTest = 125;
test.each(Array.from({ length: Math.ceil(cases(1500) / perTest) }, (_, i) => firstSeed + i * perTest))(
  "patterns from %i",
  (from) => {
    const failures: string[] = [];
    for (let seed = from; seed < from + perTest && failures.length < 5; seed++)
      try {
        check(seed);
      } catch (error) {
        failures.push(`pattern ${seed}: ${(error as Error).message.split("\n").slice(0, 3).join(" | ")}`);
      }
    expect(failures).toEqual([]);
  },
);
