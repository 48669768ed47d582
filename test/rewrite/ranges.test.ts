// What is declared of the values of an index stays known when rules replace the node that was declared.
import { expect, test } from "vitest";
import { compute, source } from "../../compiler/graph/node.ts";
import { call, load, mul, variable } from "../../compiler/graph/scalar.ts";
import type { Integer, Node } from "../../compiler/graph/types.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import "../graph/by-hand.ts";

const i = source({ role: "input", path: "i", shape: [6], dtype: "i32", range: { low: -50, high: 50 } });
const table = source({ role: "input", path: "table", shape: [4], dtype: "f32" });
const k = variable(6, "k");
const looked = (at: Node): Node => compute([k], undefined, load(table, [load(at, [k]) as Integer]));
const square = mul(load(i, [k]), load(i, [k]));

test.each([
  ["by another formula", square],
  ["by a tensor that is given", load(i, [k])],
])("%s", (_, plain) => {
  const declared = compute([k], undefined, call("to_i32", call("to_f32", plain)), {
    range: { low: 0, high: 3 },
  });
  const program = {
    name: "p",
    inputs: [i, table],
    dims: [],
    outputs: [
      { name: "plain", node: compute([k], undefined, plain) },
      { name: "looked", node: looked(declared) },
    ],
    updates: [],
  };
  verify(program);
  const simple = simplify(program);
  verify(simple);
  expect(simple.outputs[0]!.node.range?.high).not.toBe(3); // nothing is written to what stood already
});
