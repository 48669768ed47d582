// Integer carries of a loop: their range is one that every step stays in, so an index made of them is proved for all steps.
import { expect, test } from "vitest";
import { analyse } from "../../compiler/front.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { programOf, programsOf } from "./programs.ts";

const sums = (next: string): string =>
  `export fn f(x: f32[4]) -> f32 = fold (k in 0..6; s = 0.0, i = 0) { next i = ${next}, s = s + x[i] }.0`;
const body = (next: string): string =>
  sums(next).replace("= fold", "{\n  let (s, i) = fold").replace(" }.0", " }\n  return s\n}");
test("a carry that may leave the tensor is an error", () => {
  expect(analyse(body("i + 2")).diagnostics.map((d) => d.code)).toEqual(["DLM2009"]);
  expect(analyse(body("i - 1")).diagnostics.map((d) => d.code)).toEqual(["DLM2009"]);
});
test.each(["(i + 3) % 4", "min(i + 1, 3)", "where(s > 1, 3, i)", "argmax(x, axis: 0)"])("%s stays in it", (next) => {
  for (const p of programsOf(programOf(body(next)))) verify(p);
});
