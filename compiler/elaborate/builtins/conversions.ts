// Functions of any value: the choice of elements, conversions of dtype, what passes no gradient, sizes.
import type { Span } from "../../../grammar/diagnostic.ts";
import { elementCount } from "../../graph/node.ts";
import { extentText } from "../../graph/print.ts";
import { call as callScalar, constantOf, extentInteger, iadd, imul, interval } from "../../graph/scalar.ts";
import type { Extent, Integer, Shape } from "../../graph/types.ts";
import { leastI32, mostI32 } from "../../scalar/range.ts";
import type { Value } from "../context.ts";
import { knownTooLate, needed, notCompiledYet, tooSmall, windowArguments, windowTooLarge } from "../errors.ts";
import { parameterOf, parametersOf } from "../expression/instances.ts";
import { elementwiseValues } from "../expression/operators.ts";
import { cast, sizeFrom, stopGradient } from "../tensors.ts";
import {
  asTensor,
  int,
  integerOf,
  isCallable,
  isPlain,
  kindText,
  knownBool,
  number,
  scalar,
  tensor,
} from "../values.ts";
import { axisList, type Builtin, type Builtins, type Call } from "./call.ts";

const convert = (summary: string): Builtin => ({
  summary,
  takes: [1, 1, []],
  apply: ({ name, at, node, span }) => {
    const v = at(0).value;
    if (v.kind !== "scalar" && !isPlain(v) && v.kind !== "bool")
      return tensor(cast(node(0), name as "f32" | "i32" | "bool", span));
    if (name === "f32" && v.kind === "number") return number(v.value, false);
    if (name === "i32" && v.kind === "number")
      return number(Math.min(mostI32, Math.max(leastI32, Math.trunc(v.value))), true);
    return elementwiseValues(name, [v], [span], span);
  },
});
export const conversions: Builtins = {
  where: {
    summary: "`where(condition, a, b)`: a where the condition holds, else b",
    takes: [3, 3, []],
    apply: ({ at, span }) => {
      const [c, a, b] = [at(0), at(1), at(2)];
      const known = knownBool(c.value);
      if (known !== undefined && isPlain(a.value) && isPlain(b.value)) return known ? a.value : b.value;
      return elementwiseValues("where", [c.value, a.value, b.value], [c.span, a.span, b.span], span, 1);
    },
  },
  f32: convert("`f32(x)`: as f32; 1 where true, else 0"),
  i32: convert("`i32(x)`: as i32, cut towards 0; 1 where true, else 0"),
  bool: convert("`bool(x)`: true where x is not 0"),
  stop: {
    summary: "`stop(x)`: x, also a tuple or the parameters of a layer, without gradient",
    takes: [1, 1, []],
    apply: stop,
  },
  frozen: {
    summary: "`frozen(layer)`: a layer or model whose parameters are not trained",
    takes: [1, 1, []],
    apply: ({ at }) => {
      const v = at(0).value;
      if (v.kind !== "instance") throw needed(at(0).span, "instance", kindText(v));
      return { ...v, frozen: true };
    },
  },
  size: {
    summary:
      "`size(x, axis: 0)`: the extent of an axis, the product of those of a list of axes, or the number of elements",
    takes: [1, 2, ["axis"]],
    apply: ({ at, node, option, span }) => {
      const v = at(0).value;
      if (v.kind === "scalar" || isPlain(v)) return number(1);
      const { shape } = node(0);
      const axis = option("axis", 1);
      return sizeOf(axis ? axisList(axis, shape.length, span).map((d) => shape[d]!) : shape, span);
    },
  },
  rank: {
    summary: "`rank(x)`: the number of axes",
    takes: [1, 1, []],
    apply: ({ at, node }) => number(at(0).value.kind === "scalar" || isPlain(at(0).value) ? 0 : node(0).shape.length),
  },
  is_same: {
    summary:
      "`is_same(a, b)`: whether both are one value, known at compile time: an argument that was not given and its default",
    takes: [2, 2, []],
    apply: ({ node }) => ({ kind: "bool", value: node(0) === node(1) }),
  },
  is_known: {
    summary: "`is_known(n)`: is the whole number known at compile time? Sizes of run-time axes are not",
    takes: [1, 1, []],
    apply: ({ at }) => ({ kind: "bool", value: at(0).value.kind === "number" }),
  },
  len: {
    summary: "`len(x)`: the number of elements of a list or tuple, the extent of the first axis of a tensor",
    takes: [1, 1, []],
    apply: ({ at, node }) => {
      const v = at(0).value;
      if (v.kind === "list" || v.kind === "tuple") return number(v.elements.length);
      return int(extentInteger(node(0).shape[0] ?? 1));
    },
  },
  callable: {
    summary: "`callable(v)`: whether v is a function, a layer's instance or an initialiser, known at compile time",
    takes: [1, 1, []],
    apply: ({ at }) => ({ kind: "bool", value: isCallable(at(0).value) }),
  },
  window_room: {
    summary:
      "`window_room(n, k, stride, pad, dilate)`: how far a window moves, `n + 2 pad - dilate (k - 1) - 1`; an error where it does not fit",
    takes: [5, 5, []],
    apply: windowRoom,
  },
};
function stop({ at, node, span, ctx }: Call): Value {
  const v = at(0).value;
  switch (v.kind) {
    case "scalar":
      return scalar(v.scalar.dtype === "f32" ? callScalar("stop", v.scalar) : v.scalar);
    case "tuple":
      return { kind: "tuple", elements: v.elements.map((x) => tensor(stopGradient(asTensor(x, span)))) };
    case "instance":
    case "gradient": {
      const parameters = parametersOf(v.instance, ctx, at(0).span);
      return { ...v, values: new Map(parameters.map((p) => [p, stopGradient(parameterOf(v, p, ctx))])) };
    }
    default:
      return isPlain(v) ? v : tensor(stopGradient(node(0)));
  }
}
function sizeOf(shape: Shape, span: Span): Value {
  const count = elementCount(shape);
  if (!Number.isNaN(count)) return number(count);
  const numbers = shape.filter((n): n is number => typeof n === "number").reduce((a, b) => a * b, 1);
  const symbols = shape.filter((n): n is Exclude<Extent, number> => typeof n !== "number");
  if (symbols.length === 1) return int(imul(symbols[0]!, numbers));
  throw notCompiledYet(span, "sizeOfRunTimeAxes");
}
/** How far a window of k, its elements `dilate` apart, can move over n with `pad` on both sides: n + 2 pad - dilate (k - 1) - 1. */
function windowRoom({ args, span }: Call): Value {
  const [n, k, stride, pad, dilate] = args.map((a) => integerOf(a.value));
  if (!n || !k || !stride || !pad || !dilate) throw windowArguments(span);
  const least = (what: string, e: Integer, bound: number): number => {
    const value = constantOf(e);
    if (value === undefined) throw knownTooLate(span, what);
    if (value < bound) throw tooSmall(span, what, bound, value);
    return value;
  };
  const taken = least("a dilation", dilate, 1) * (least("a window", k, 1) - 1) + 1;
  least("a stride", stride, 1);
  const padding = least("a padding", pad, 0);
  const room = iadd(n, 2 * padding - taken);
  if (interval(room).high >= 0) return int(room);
  throw windowTooLarge(
    span,
    taken,
    extentText(sizeFrom(n, span)),
    padding ? extentText(sizeFrom(iadd(n, 2 * padding), span)) : undefined,
  );
}
