// Every rule of scalars by itself, on an instance made from its pattern: it applies, gives the same value (exact rules the same bits, for every kind of
// float), and is never worse by the measure unless it says why.
import { describe, expect, test } from "vitest";
import { evaluateNodes } from "../../compiler/evaluate/evaluate.ts";
import { compute, source } from "../../compiler/graph/node.ts";
import { call, literal, load, select, visit } from "../../compiler/graph/scalar.ts";
import type { DType, Scalar, Source } from "../../compiler/graph/types.ts";
import { match, type Pattern } from "../../compiler/rewrite/rule.ts";
import { rules } from "../../compiler/rewrite/simplify.ts";
import { fn } from "../../compiler/scalar/table.ts";
import { numbers } from "../grad/check.ts";
import "../graph/by-hand.ts";

const named = [...rules.scalars, ...rules.procedures, ...rules.nodes];
test("names are unique, and what is not exact says why training can bear it", () => {
  expect(new Set(named.map((r) => r.name)).size).toBe(named.length);
  for (const r of named) expect(r.exact || (r.why ?? "") !== "", r.name).toBe(true);
});

/** A scalar that the pattern describes, over sources made up for its names. */
function instance(pattern: Pattern, sources: Map<string, Source>, dtype: DType = "f32"): Scalar {
  switch (pattern.kind) {
    case "any": {
      const known =
        sources.get(pattern.name) ??
        source({
          role: "input",
          path: pattern.name,
          shape: [],
          dtype,
          ...(dtype === "i32" ? { range: { low: -9, high: 9 } } : {}),
        });
      sources.set(pattern.name, known);
      return load(known, []);
    }
    case "number":
      return literal(pattern.value ?? (pattern.name === "a" ? 1.5 : 0.75));
    case "call":
      return call(
        pattern.fn,
        ...pattern.operands.map((p, i) =>
          instance(p, sources, fn(pattern.fn).operands[i] === "number" ? "f32" : (fn(pattern.fn).operands[i] as DType)),
        ),
      );
    case "select":
      return select(
        instance(pattern.condition, sources, "bool"),
        instance(pattern.then, sources),
        instance(pattern.otherwise, sources),
      );
    case "through":
    case "where":
      return instance(pattern.of, sources, dtype);
    default:
      return pattern satisfies never;
  }
}
function costOf(e: Scalar): number {
  let cost = 0;
  visit(e, (x) => {
    cost +=
      x.kind === "call"
        ? { alu: 1, div: 4, fn: 8 }[x.fn.cost]
        : x.kind === "select" || x.kind === "and" || x.kind === "not"
          ? 1
          : 0;
  });
  return cost;
}
const special = [0, -0, 1, -1, 0.5, -2.5, 3e38, 1e-40, Infinity, -Infinity, NaN];
describe.each(rules.scalars.map((r) => [r.name, r] as const))("%s", (name, rule) => {
  const sources = new Map<string, Source>();
  let e = instance(rule.match, sources);
  if (name === "sigmoid-times-exp") {
    const x = load(source({ role: "input", path: "x", shape: [], dtype: "f32" }), []);
    e = call("mul", call("sigmoid", x), call("exp", call("neg", x)));
    visit(e, (y) => y.kind === "load" && sources.set("x", y.tensor as Source));
  }
  const bound = match(rule.match, e);
  test("applies to what the constructors make of its pattern", () =>
    expect(bound, `${name} does not match`).toBeDefined());
  if (!bound) return;
  const to = rule.replace(bound);
  test("gives the same value", () => {
    expect(to.dtype).toBe(e.dtype);
    const given = [...new Set(sources.values())];
    const [a, b] = [compute([], undefined, e), compute([], undefined, to)];
    const at = (values: readonly number[]): [number, number] => {
      const map = new Map(
        given.map((s, i) => [
          s,
          [
            s.dtype === "f32"
              ? values[i]!
              : s.dtype === "i32"
                ? Math.round(values[i]! * 4) || 0
                : Number(values[i]! > 0),
          ],
        ]),
      );
      const [x, y] = evaluateNodes([a, b], map);
      return [x![0]!, y![0]!];
    };
    for (let k = 0; k < 20; k++) {
      const [x, y] = at(numbers(given.length, 300 + k).map((v) => v + 1.25)); // in the domain of log and sqrt
      expect(Math.abs(x - y)).toBeLessThanOrEqual(1e-9 * (1 + Math.abs(x)));
    }
    if (rule.exact)
      for (const v of special)
        for (const w of special) {
          const values = given.map((s, i) =>
            s.dtype === "f32" ? [v, w][i % 2]! : Number.isFinite(v) ? Math.sign(v) : 1,
          );
          const [x, y] = at(values);
          expect(Object.is(x, y), `${name} at ${values.join(", ")}: ${x} became ${y}`).toBe(true);
        }
  });
  test("is never worse", () =>
    void (rule.worse ?? expect(costOf(to), `${name}: ${costOf(e)} to ${costOf(to)}`).toBeLessThanOrEqual(costOf(e))));
});
