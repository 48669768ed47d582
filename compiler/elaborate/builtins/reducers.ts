// Reductions as functions: sum(x, axis: 1).
import { toF32 } from "../../graph/scalar.ts";
import { elementCount } from "../../graph/node.ts";
import type { Value } from "../context.ts";
import { operate, withParameters } from "../expression/operators.ts";
import { needed } from "../errors.ts";
import { reducer, reduceNode } from "../tensors.ts";
import { asScalarValue, asTensor, isBundle, isPlain, kindText, knownBool, number, scalar, tensor } from "../values.ts";
import { axisList, type Builtin, type Builtins, type Call } from "./call.ts";

const row = (summary: string): Builtin => ({
  summary,
  takes: [1, 1, ["axis", "keep"]],
  axisByName: true,
  apply: reduced,
});
export const reducers: Builtins = {
  sum: row("`sum(x)`: the sum"),
  prod: row("`prod(x)`: the product"),
  mean: row("`mean(x)`: the mean"),
  max: { ...row("`max(x)`: the largest; the gradient is that of the first of them"), pairwise: true },
  min: { ...row("`min(x)`: the smallest; the gradient is that of the first of them"), pairwise: true },
  amax: row("`amax(x)`: the largest; the gradient is shared by all that are"),
  amin: row("`amin(x)`: the smallest; the gradient is shared by all that are"),
  any: row("`any(x)`: does one hold?"),
  all: row("`all(x)`: do all hold?"),
  argmax: row("`argmax(x)`: the place of the first largest"),
  argmin: row("`argmin(x)`: the place of the first smallest"),
  logsumexp: row("`logsumexp(x)`: log(sum(exp(x))) without overflow"),
};
function reduced({ name, at, named, span, ctx }: Call): Value {
  const x = at(0);
  const keepGiven = named.get("keep");
  const keep = keepGiven ? knownBool(keepGiven.value) : false;
  if (keep === undefined) throw needed(keepGiven!.span, "truth", kindText(keepGiven!.value));
  const v = withParameters(x.value.kind === "lazy" ? x.value.force() : x.value, x.span, ctx);
  const axis = named.get("axis");
  if (isBundle(v) && v.values?.size && !axis && !keep && (name === "sum" || name === "mean")) {
    // all elements of all parameters, tensor by tensor
    const parts = [...v.values.values()];
    const sums = parts.map((y) =>
      tensor(
        reduceNode(
          "sum",
          y,
          y.shape.map((_, d) => d),
          false,
          span,
        ),
      ),
    );
    const sum = sums.reduce((a, b) => operate("+", a, b, [span, span], span));
    const count = parts.reduce((n, y) => n + elementCount(y.shape), 0);
    return name === "sum" ? sum : operate("/", sum, number(count), [span, span], span);
  }
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
