// Formulas as they stand in books, on values where they overflow or cancel: after simplification they and their gradients are finite and right.
import { expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { simplifyWithReport } from "../../compiler/rewrite/simplify.ts";
import { programOf } from "../graph/programs.ts";

/** Value and gradient of sum(e) at x, by the simplified program. */
function at(e: string, x: readonly number[]): { value: number[]; slope: number[]; fired: string[] } {
  const text = `export fn f(x: f32[${x.length}]) = ${e}\nexport fn g(x: f32[${x.length}]) = grad(sum(${e}), wrt: x)\n`;
  const fired: string[] = [];
  const [value, slope] = programOf(text).exports.map((p) => {
    const simple = simplifyWithReport(p.program);
    verify(simple.program);
    fired.push(...simple.fired.keys());
    return [...[...evaluate(simple.program, new Map([[p.inputs[0]!.source, x]])).outputs.values()][0]!];
  });
  return { value: value!, slope: slope!, fired };
}
const close = (got: readonly number[], wanted: readonly number[]): void =>
  got.forEach((v, i) => expect(Math.abs(v - wanted[i]!)).toBeLessThanOrEqual(1e-9 * (1 + Math.abs(wanted[i]!))));

test("softplus, log(1 + exp(x))", () => {
  const { value, slope } = at("log(1 + exp(x))", [-800, 0, 800]);
  close(value, [0, Math.log(2), 800]);
  close(slope, [0, 0.5, 1]);
});
test("sigmoid, 1 / (1 + exp(-x)) and exp(x) / (1 + exp(x))", () => {
  for (const e of ["1 / (1 + exp(-x))", "exp(x) / (1 + exp(x))"]) {
    const { value, slope } = at(e, [-800, 0, 800]);
    close(value, [0, 0.5, 1]);
    close(slope, [0, 0.25, 0]);
  }
});
test("log(softmax(x))", () => {
  const x = [0, -900, -2000];
  const { value, slope, fired } = at("log(softmax(x))", x);
  close(value, x);
  close(slope, [1 - 3, 1, 1]);
  expect(fired).toContain("log-of-softmax");
});
test("log(1 + x), exp(x) - 1 near 0", () => {
  close(at("log(1 + x)", [1e-18]).value, [1e-18]);
  expect(at("log(1 + x)", [1e-18]).value[0]).toBeGreaterThan(0);
  expect(at("exp(x) - 1", [1e-18]).value[0]).toBeGreaterThan(0);
});
test("exp and log undo each other; powers are products", () => {
  close(at("log(exp(x))", [900]).value, [900]);
  close(at("exp(log(x))", [0.3]).slope, [1]);
  close(at("x / sqrt(x) * sqrt(x)", [0.3]).value, [0.3]);
});
test("with only exact rules the formulas stay as they are", () => {
  const p = programOf("export fn f(x: f32[2]) = log(1 + exp(x))").exports[0]!;
  const { program } = simplifyWithReport(p.program, { inexact: false });
  expect([...evaluate(program, new Map([[p.inputs[0]!.source, [0, 800]]])).outputs.values()][0]![1]).toBe(
    Math.log(Number.MAX_VALUE),
  ); // the exponential overflows
});
