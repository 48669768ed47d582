// Reductions as functions: sum(x, axis: 1).
import { toF32 } from "../../graph/scalar.ts";
import type { Value } from "../context.ts";
import { needed } from "../errors.ts";
import { reducer, reduceNode } from "../tensors.ts";
import { asScalarValue, asTensor, isPlain, kindText, knownBool, number, scalar, tensor } from "../values.ts";
import { axisList, type Builtin, type Builtins, type Call } from "./call.ts";

const row: Builtin = { takes: [1, 1, ["axis", "keep"]], axisByName: true, apply: reduced };
export const reducers: Builtins = {
  sum: row,
  prod: row,
  mean: row,
  max: { ...row, isOfTwoToo: true },
  min: { ...row, isOfTwoToo: true },
  amax: row,
  amin: row,
  any: row,
  all: row,
  argmax: row,
  argmin: row,
  logsumexp: row,
};
function reduced({ name, at, named, span }: Call): Value {
  const x = at(0);
  const keepGiven = named.get("keep");
  const keep = keepGiven ? knownBool(keepGiven.value) : false;
  if (keep === undefined) throw needed(keepGiven!.span, "truth", kindText(keepGiven!.value));
  const v = x.value.kind === "lazy" ? x.value.force() : x.value;
  const axis = named.get("axis");
  // an element, or a number: there is nothing to reduce
  if (v.kind === "scalar" || isPlain(v)) {
    if (axis) axisList(axis.value, 0, axis.span);
    const s = asScalarValue(v, x.span, isPlain(v) ? "f32" : undefined);
    if (name === "mean" || name === "logsumexp") return scalar(toF32(s));
    if (name === "argmax" || name === "argmin") return number(0);
    const { body } = reducer(name, s, x.span); // is it a bool where it must be one?
    return scalar(name === "any" || name === "all" ? s : body);
  }
  const node = asTensor(v, x.span);
  const axes = axis ? axisList(axis.value, node.shape.length, span) : node.shape.map((_, d) => d);
  return tensor(reduceNode(name, node, axes, keep, span));
}
