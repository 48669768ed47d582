// Every row of the table of scalar functions: types, derivative against central differences, values within the documented domain, its helpers on devices.
import { describe, expect, test } from "vitest";
import { evaluateNodes } from "../../compiler/evaluate/evaluate.ts";
import { gradient } from "../../compiler/grad/grad.ts";
import { compute, source } from "../../compiler/graph/node.ts";
import { call, load } from "../../compiler/graph/scalar.ts";
import type { DType, Node, Scalar, Source } from "../../compiler/graph/types.ts";
import { verify } from "../../compiler/graph/verify.ts";
import type { ScalarFunction } from "../../compiler/scalar/functions.ts";
import { functions, namedFunctions } from "../../compiler/scalar/table.ts";
import { f32, name } from "../../compiler/kernel/expr.ts";
import { callOf } from "../../compiler/lower/values.ts";
import { prelude } from "../../compiler/wgsl/prelude.ts";
import { printExpr } from "../../compiler/wgsl/print.ts";
import { numbers } from "../grad/check.ts";
import "../graph/by-hand.ts";

const rows = [...functions.values()];
const draw = ([low, high]: readonly [number, number], count: number, seed: number): number[] =>
  numbers(count, seed).map((x) => low + ((x + 1) / 2) * (high - low));
const operandTypes = (row: ScalarFunction, number: DType): DType[] =>
  row.operands.map((t) => (t === "number" ? number : t));
const sourcesOf = (row: ScalarFunction, number: DType): Source[] =>
  operandTypes(row, number).map((dtype, i) =>
    source({
      role: "input",
      path: `x${i}`,
      shape: [],
      dtype,
      ...(dtype === "i32" ? { range: { low: -9, high: 9 } } : {}),
    }),
  );

describe.each(rows.map((row) => [row.name, row] as const))("%s", (_, row) => {
  test("its operands and its result have the declared types", () => {
    expect(row.sample.length).toBe(row.operands.length);
    expect(row.summary).not.toBe("");
    for (const number of row.operands.includes("number") ? (["f32", "i32"] as const) : (["f32"] as const)) {
      const inputs = sourcesOf(row, number);
      const e = call(row, ...inputs.map((x) => load(x, [])));
      expect(e.dtype).toBe(row.result === "same" ? number : row.result);
      verify({
        name: row.name,
        inputs,
        dims: [],
        outputs: [{ name: "y", node: compute([], undefined, e) }],
        updates: [],
      });
    }
    expect(row.result === "same" || row.operands.length > 0).toBe(true);
  });
  test("its value exists all over the sampled domain, and has its type", () => {
    const points = row.sample.map((range, i) => draw(range, 64, 5 + i));
    for (let k = 0; k < 64; k++) {
      const xs = points.map((p, i) =>
        row.operands[i] === "i32" ? Math.round(p[k]!) : row.operands[i] === "bool" ? Math.round(p[k]!) : p[k]!,
      );
      const y = row.evaluate(...xs);
      expect(Number.isFinite(y), `${row.name}(${xs.join(", ")})`).toBe(true);
      if (row.result === "i32" || row.result === "bool") expect(Number.isInteger(y)).toBe(true);
      if (row.commutative) expect(row.evaluate(...[...xs].reverse())).toBe(y);
    }
  });
  if (row.least)
    test("it is nowhere below the least that it states", () => {
      const points = row.sample.map((range, i) => draw(range, 64, 23 + i));
      for (let k = 0; k < 64; k++)
        for (const same of [false, true]) {
          const xs = points.map((p) => (same ? points[0]! : p)[k]!);
          for (const [below, above] of [
            [0, 0],
            [0.4, 3],
            [Infinity, Infinity],
          ]) {
            const bounds = xs.map((x) => ({ low: x - below!, high: x + above! }));
            const where = `${row.name}(${xs.join(", ")})`;
            expect(row.evaluate(...xs), where).toBeGreaterThanOrEqual(row.least!(bounds, same) - 1e-12);
          }
        }
    });
  test("the helpers of its WGSL exist and are named in it", () => {
    const operands = row.operands.map((d, i) => name(`x${i}`, { element: d === "number" ? "f32" : d, width: 1 }));
    const text = row.wgsl === "operand" ? "x0" : printExpr(callOf(row.wgsl, operands, f32));
    row.operands.forEach((_, i) => expect(text).toContain(`x${i}`));
    for (const helper of row.helpers ?? []) {
      expect(Object.keys(prelude)).toContain(helper);
      expect(text).toContain(`${helper}(`);
    }
    for (const [used] of text.matchAll(/dlm_\w+/g)) expect(row.helpers).toContain(used);
  });
  if (operandTypes(row, "f32").includes("f32") && row.result !== "bool" && row.result !== "i32" && row.name !== "stop")
    test("its derivative agrees with central differences", () => {
      const inputs = sourcesOf(row, "f32");
      const node: Node = compute([], undefined, call(row, ...inputs.map((x): Scalar => load(x, []))));
      if (row.derivative === "none") return void expect(() => gradient(node, inputs)).toThrow(row.name);
      const gradients = gradient(node, inputs);
      const points = row.sample.map((range, i) => draw(range, 24, 17 + i));
      for (let k = 0; k < 24; k++) {
        const at = points.map((p) => p[k]!);
        const values = new Map(inputs.map((x, i) => [x, [at[i]!]]));
        at.forEach((x, i) => {
          const h = 1e-5 * (1 + Math.abs(x));
          const shifted = (sign: number): number => row.evaluate(...at.map((v, j) => (j === i ? v + sign * h : v)));
          const difference = (shifted(1) - shifted(-1)) / (2 * h);
          // where a step lies between the two points (floor, round) or a kink (min, max) there is nothing to compare
          if (
            row.derivative === "zero"
              ? shifted(1) !== shifted(-1)
              : Math.abs(shifted(1) + shifted(-1) - 2 * row.evaluate(...at)) > 1e-7 * (1 + Math.abs(difference))
          )
            return;
          const g = gradients[i];
          const symbolic = g ? evaluateNodes([g], values)[0]![0]! : 0;
          expect(
            Math.abs(symbolic - difference),
            `d ${row.name}(${at.join(", ")}) by operand ${i}: ${symbolic} against ${difference}`,
          ).toBeLessThanOrEqual(2e-6 * (1 + Math.abs(difference)));
        });
      }
    });
});
test("stop is the identity without derivative, comparisons and casts pass nothing on", () => {
  const x = source({ role: "input", path: "x", shape: [], dtype: "f32" });
  for (const name of rows.filter((r) => r.derivative === "zero" && r.operands[0] === "f32").map((r) => r.name)) {
    const e = call(name, ...functions.get(name)!.operands.map(() => load(x, [])));
    if (e.dtype === "f32") expect(gradient(compute([], undefined, e), [x])[0], name).toBe(undefined);
  }
  expect(evaluateNodes([compute([], undefined, call("stop", load(x, [])))], new Map([[x, [2.5]]]))[0]![0]).toBe(2.5);
});
test.each(["log", "log2", "log10", "log1p"])("%s at its pole is what a device gives", (name) => {
  const { evaluate } = namedFunctions.get(name)!;
  expect(evaluate(name === "log1p" ? -1 : 0)).toBe(-3.4028234663852886e38);
  expect(evaluate(-2)).toBeNaN();
});
