// A whole number that a loop carries wraps like any other: its range is anything as soon as a step may leave i32, and nothing is folded by a narrower one.
import { expect, test } from "vitest";
import { verify } from "../../compiler/graph/verify.ts";
import { programOf } from "../graph/programs.ts";
import { expectValues } from "./values.ts";

const x = [2_000_000_000, -7, 41];
const steps: readonly [string, (h: number, x: number) => number][] = [
  ["h * 48271 + x", (h, v) => (Math.imul(h, 48271) + v) | 0],
  ["h * (-3) + x", (h, v) => (Math.imul(h, -3) + v) | 0],
  ["h + x", (h, v) => (h + v) | 0],
  ["h - x", (h, v) => (h - v) | 0],
  ["h * h + x", (h, v) => (Math.imul(h, h) + v) | 0],
  ["max(h * 31 + x, -5)", (h, v) => Math.max((Math.imul(h, 31) + v) | 0, -5)],
  ["(h * 31 + x) % 97", (h, v) => ((w) => w - 97 * Math.floor(w / 97))((Math.imul(h, 31) + v) | 0)],
];
test.each(steps)("next h = %s", async (step, value) => {
  const text = `export fn f(x: i32[3]) {\n  let h = fold (v in x along 0; h = -1) {\n    next h = ${step.replace(/\bx\b/g, "v")}\n  }\n  return (h, min(h, 7), max(h, -1681), h % 10, h < 0)\n}\n`;
  verify(programOf(text).exports[0]!.program);
  const h = x.reduce(value, -1);
  await expectValues(
    text,
    { x },
    [h, Math.min(h, 7), Math.max(h, -1681), h - 10 * Math.floor(h / 10), Number(h < 0)],
    0,
  );
  expect(h).toBe(h | 0);
});
