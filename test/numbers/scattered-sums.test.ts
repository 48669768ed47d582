// A gradient that is scattered to places that data name, where the place turns out to be the same for a whole axis: what meets there is summed first, in the
// graph as it is made and in the simplified one, where a place that mentioned the axis may do so no longer.
import { expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import { programOf } from "../graph/programs.ts";
import { expectValues } from "./values.ts";

const repeated =
  "let v = for i in 0..3: sum over k in 0..3: (m[0] ?? 10) * 0.1\n  let y = for i in 0..3: b[i] * (a[i32(v[i] * 9) + 1] ?? v[i])";
const text = `export fn g(a: f32[4], b: f32[3]) {\n  let m = mean(a, axis: 0, keep: true)\n  ${repeated}\n  return grad(sum(y), wrt: a)\n}\n`;
test("one place for an axis", async () => {
  const { program } = programOf(text).exports[0]!;
  verify(program);
  const simple = simplify(program);
  verify(simple);
  const values = new Map(program.inputs.map((x) => [x, x.path === "a" ? [0.1, 0.5, 0.2, 0.8] : [1, 2, 3]]));
  // v = 0.3 * 0.4 = 0.12, so all three read a[2], with weights 1 + 2 + 3
  expect([...evaluate(simple, values).outputs.values()][0]).toEqual(Float64Array.of(0, 0, 6, 0));
  await expectValues(text, { a: [0.1, 0.5, 0.2, 0.8], b: [1, 2, 3] }, [0, 0, 6, 0]);
});
test.each([
  ["i32(s)", 2.5, [0, 0, 6, 0]],
  ["i32(s) + i // 3", 2.5, [0, 0, 6, 0]],
  ["i32(s) - 1", 9, [0, 0, 0, 0]],
])("a[%s]", async (place, s, want) => {
  await expectValues(
    `export fn g(a: f32[4], b: f32[3], s: f32) = grad(sum(for i in 0..3: b[i] * (a[${place}] ?? 0)), wrt: a)`,
    { a: [1, 2, 3, 4], b: [1, 2, 3], s },
    want,
  );
});
