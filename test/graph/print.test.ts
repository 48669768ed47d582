// Formulas as people read them: brackets stand where arithmetic needs them, so that the text, read as JavaScript, has the formula's value.
import fc from "fast-check";
import { expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { compute, source } from "../../compiler/graph/node.ts";
import { scalarText } from "../../compiler/graph/print.ts";
import * as s from "../../compiler/graph/scalar.ts";
import type { GraphProgram, Integer, Scalar } from "../../compiler/graph/types.ts";
import { functions } from "../../compiler/scalar/table.ts";
import { cases } from "../fuzz/random.ts";
import "./by-hand.ts";

const x = source({ role: "input", path: "x", shape: [], dtype: "f32" });
const axes = [s.variable(7, "i"), s.variable(5, "j")];
const integers = fc.letrec<{ of: Integer }>((tie) => ({
  of: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Integer>(...axes, s.integer(1), s.integer(3)),
    fc.tuple(tie("of"), tie("of")).map(([a, b]) => s.iadd(a, b)),
    fc.tuple(tie("of"), tie("of")).map(([a, b]) => s.isub(a, b)),
    fc.tuple(tie("of"), fc.integer({ min: -3, max: 4 })).map(([a, k]) => s.imul(a, k)),
    fc.tuple(tie("of"), fc.integer({ min: 2, max: 5 })).map(([a, k]) => s.floorDiv(a, k)),
    fc.tuple(tie("of"), fc.integer({ min: 2, max: 5 })).map(([a, k]) => s.modulo(a, k)),
  ),
})).of;
const conditions = fc
  .tuple(integers, integers, integers, integers, fc.nat(5))
  .map(
    ([a, b, c, d, k]) =>
      [
        s.less(a, b),
        s.lessEqual(a, b),
        s.equal(a, b),
        s.not(s.less(a, b)),
        s.and(s.less(a, b), s.equal(c, d)),
        s.not(s.and(s.less(a, b), s.lessEqual(c, d))),
      ][k]!,
  );
const numbers = fc.letrec<{ of: Scalar }>((tie) => ({
  of: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom<Scalar>(s.load(x, []), s.literal(2), s.literal(-0.5), s.literal(1e-9)),
    integers.map((e) => s.call("to_f32", e)),
    fc
      .tuple(tie("of"), tie("of"), fc.constantFrom("add", "sub", "mul", "div"))
      .map(([a, b, name]) => s.call(name, a, b)),
    tie("of").map((a) => s.neg(a)),
    tie("of").map((a) => s.call("exp", a)),
    fc.tuple(conditions, tie("of"), tie("of")).map(([c, a, b]) => s.select(c, a, b)),
  ),
})).of;

const textOf = (e: Scalar): ReturnType<typeof scalarText> =>
  scalarText(e, { node: () => "x", step: () => "t" }, (k) => "ij"[k]!);
/** The text as JavaScript. */
function valueOf(e: Scalar, at: { readonly i: number; readonly j: number }): number {
  const { lets, text } = textOf(e);
  const javaScript = (t: string): string =>
    t
      .replaceAll("floor(", "Math.floor(")
      .replaceAll(" and ", " && ")
      .replaceAll("not ", "!")
      .replaceAll(" mod ", " % ");
  const code = [...lets.map((l) => `const ${javaScript(l)};`), `return Number(${javaScript(text)});`].join("\n");
  const known = {
    ...Object.fromEntries([...functions.values()].map((f) => [f.name, f.evaluate])),
    ...at,
    x: 0.75,
    inf: 3.4028234663852886e38,
    select: (c: boolean, a: number, b: number): number => (c ? a : b),
  };
  return new Function(...Object.keys(known), code)(...Object.values(known)) as number;
}
const isModuloOfNegative = (e: Scalar): boolean =>
  s.scalarOrder([e]).some((y) => y.kind === "modulo" && (y.operand.interval?.low ?? -1) < 0); // JavaScript's % is another
test("the text of a formula has its value", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        numbers,
        conditions.map((c) => s.select(c, s.literal(1), s.literal(0))),
      ),
      (e) => {
        fc.pre(!isModuloOfNegative(e));
        const program: GraphProgram = {
          name: "p",
          inputs: [x],
          dims: [],
          outputs: [{ name: "y", node: compute(axes, undefined, e) }],
          updates: [],
        };
        const [out] = evaluate(program, new Map([[x, [0.75]]])).outputs.values();
        for (let i = 0; i < 7; i++)
          for (let j = 0; j < 5; j++) {
            const want = out![i * 5 + j]!;
            if (!Number.isFinite(want) || Math.abs(want) > 1e30) continue;
            const error = Math.abs(valueOf(e, { i, j }) - want);
            expect(error, `${textOf(e).text} at ${i}, ${j}`).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(want)));
          }
      },
    ),
    { numRuns: cases(300) },
  );
});
