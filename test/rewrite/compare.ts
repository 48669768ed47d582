// A graph program and what simplification makes of it must compute the same, and both must be sound.
import { expect } from "vitest";
import { evaluate, type Values } from "../../compiler/evaluate/evaluate.ts";
import { topological } from "../../compiler/graph/node.ts";
import type { GraphProgram, Node, Source } from "../../compiler/graph/types.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { simplifyWithReport, type Simplified, type SimplifyOptions } from "../../compiler/rewrite/simplify.ts";
import { numbers } from "../grad/check.ts";

export const nodesOf = (p: GraphProgram): Node[] =>
  topological([...p.outputs.map((o) => o.node), ...p.updates.map((u) => u.value)]).filter((x) => x.kind !== "source");
/** Drawn values for every source with a known shape. */
export function drawn(p: GraphProgram, seed = 1, dims: Readonly<Record<string, number>> = {}): Map<Source, number[]> {
  const values = new Map<Source, number[]>();
  for (const x of p.inputs) {
    const size = x.shape.reduce<number>(
      (n, e) =>
        n *
        (typeof e === "number"
          ? e
          : e.kind === "dim"
            ? dims[e.name]!
            : e.terms.reduce((sum, [d, k]) => sum + k * dims[(d as { name: string }).name]!, e.constant)),
      1,
    );
    const low = x.range?.low ?? 0;
    const high = typeof x.range?.high === "number" ? Math.min(x.range.high, 1e4) : low + 3;
    values.set(
      x,
      numbers(size, seed + values.size).map((v) =>
        x.dtype === "f32"
          ? v
          : Math.max(
              Math.max(low, -1e4),
              Math.min(high, Math.max(low, -1e4) + Math.floor(((v + 1) / 2) * (high - Math.max(low, -1e4) + 1))),
            ),
      ),
    );
  }
  return values;
}
export function checkSimplify(
  p: GraphProgram,
  values: Values,
  options: SimplifyOptions = {},
  dims: Readonly<Record<string, number>> = {},
): Simplified {
  verify(p);
  const simplified = simplifyWithReport(p, options);
  verify(simplified.program);
  // a node that a smaller one replaces may stay as a read of it; a sum of terms becomes a sum of each, and what puts them together
  const more =
    2 * (simplified.fired.get("broadcast-of-smaller") ?? 0) + 4 * (simplified.fired.get("sum-of-terms") ?? 0);
  expect(nodesOf(simplified.program).length).toBeLessThanOrEqual(nodesOf(p).length + more);
  const before = evaluate(p, values, dims);
  const after = evaluate(simplified.program, values, dims);
  const same = (name: string, a: Float64Array, b: Float64Array): void => {
    expect(b.length).toBe(a.length);
    const scale = a.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 1);
    // where the formula as written has no value (0 / 0), a stable one may have
    a.forEach(
      (v, i) =>
        Number.isNaN(v) ||
        v === b[i] ||
        expect(Math.abs(v - b[i]!), `${name}[${i}]: ${v} became ${b[i]}`).toBeLessThanOrEqual(1e-6 * scale),
    );
  };
  for (const [name, a] of before.outputs) same(name, a, after.outputs.get(name)!);
  for (const [target, a] of before.updates) same(target.path, a, after.updates.get(target)!);
  return simplified;
}
