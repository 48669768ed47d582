// Axis patterns: rearrange and einsum.
import type { AxisPattern, PatternAxis } from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { compute, indicesOf, reshape } from "../../graph/node.ts";
import { extentText, shapeText } from "../../graph/print.ts";
import { iadd, imul, integer, load, mul, variable } from "../../graph/scalar.ts";
import type { Extent, Integer, Node, Scalar, Shape, Variable } from "../../graph/types.ts";
import type { Argument } from "../context.ts";
import {
  axisOfNoInput,
  droppedAxis,
  groupInEinsum,
  mixedTypes,
  namelessOutput,
  needed,
  noPattern,
  notCompiledYet,
  noTensor,
  notWhole,
  patternOperands,
  repeatedAxis,
  repeatedRest,
  severalPatternInputs,
  shapeMismatch,
  unequalAxis,
  unknownExtent,
  unknownExtents,
} from "../errors.ts";
import { broadcastShape, sizeFrom } from "../tensors.ts";
import { asTensor, integerOf, kindText, tensor } from "../values.ts";
import type { Builtins } from "./call.ts";

export const patterns: Builtins = {
  einsum: {
    summary: "`` einsum(`b i, i o -> b o`, x, w) ``: sums of products; axes by name",
    apply: ({ at, positional, span }) => {
      const pattern = at(0).value;
      if (pattern.kind !== "pattern") throw needed(at(0).span, "pattern", kindText(pattern));
      const operands = positional.slice(1).map((a) => asTensor(a.value, a.span));
      return tensor(einsum(operands, pattern.pattern, at(0).span, span));
    },
  },
  rearrange: {
    summary:
      "`` rearrange(x, `b (h w) -> b h w`, h: 2) ``: axes taken apart, joined and reordered. Changes the shape only.",
    apply: ({ name, positional, named, span }) => {
      const pattern = positional.find((a) => a.value.kind === "pattern");
      if (!pattern || pattern.value.kind !== "pattern") throw noPattern(span, name);
      const x = positional.find((a) => a !== pattern);
      if (!x) throw noTensor(span, name);
      return tensor(rearrange(asTensor(x.value, x.span), pattern.value.pattern, named, pattern.span));
    },
  },
};

/** The axes of a pattern: those of its input, extents that are given or follow, and what `...` stands for. */
interface Axes {
  readonly variables: Map<string, Variable>;
  readonly known: Map<string, Extent>;
  readonly rest: readonly Variable[];
}
/** Axes of a pattern against a tensor: names with extents; unknown ones of a group follow from the rest. */
function rearrange(x: Node, pattern: AxisPattern, named: ReadonlyMap<string, Argument>, span: Span): Node {
  const [input] = pattern.inputs;
  if (!input || pattern.inputs.length !== 1) throw severalPatternInputs(span);
  const known = new Map<string, Extent>();
  for (const [name, a] of named) {
    const v = integerOf(a.value);
    if (v) known.set(name, sizeFrom(v, a.span));
  }
  const axes: Axes = { variables: new Map(), known, rest: restOf(x, input, span) };
  const at = readInput(x, input, axes, span);
  const output = placeOutput(pattern.output, axes, span);
  for (const name of axes.variables.keys()) if (!output.used.has(name)) throw droppedAxis(span, name);
  return reshape(compute(output.variables, undefined, load(x, at), { span }), output.shape, { span });
}
/** The axes that `...` of an input stands for. */
function restOf(x: Node, input: readonly PatternAxis[], span: Span): Variable[] {
  const rest = input.findIndex((a) => a.kind === "rest");
  const count = rest >= 0 ? x.shape.length - (input.length - 1) : 0;
  if (count < 0 || (rest < 0 && input.length !== x.shape.length))
    throw shapeMismatch(
      span,
      "the pattern",
      rest < 0 ? `${input.length} axes` : `${input.length - 1} axes or more`,
      shapeText(x.shape),
    );
  if (input.filter((a) => a.kind === "rest").length > 1) throw repeatedRest(span, "rearrange");
  return Array.from({ length: count }, (_, i) => variable(x.shape[rest + i]!, "r"));
}
/** Makes a variable for every axis of the input. Returns the indices at which x is read. */
function readInput(x: Node, input: readonly PatternAxis[], axes: Axes, span: Span): Integer[] {
  const { variables, known, rest } = axes;
  const declare = (name: string, n: Extent): Integer => {
    if (variables.has(name)) throw repeatedAxis(span, "rearrange", name, "input");
    if (known.has(name) && known.get(name) !== n) throw unequalAxis(span, `the axis ${name}`, known.get(name)!, n);
    const v = variable(n, name);
    variables.set(name, v);
    return n === 1 ? integer(0) : v;
  };
  const at: Integer[] = [];
  for (const part of input) {
    if (part.kind === "rest") {
      at.push(...indicesOf(rest));
      continue;
    }
    const n = x.shape[at.length]!;
    if (part.kind === "one") {
      if (n !== 1) throw unequalAxis(span, "an axis written 1", 1, n);
      at.push(integer(0));
    } else if (part.kind === "axis") at.push(declare(part.name, n));
    else {
      let position: Integer = integer(0);
      for (const { name, extent } of groupOf(part, n, known, span))
        position = iadd(imul(position, extent), name === "1" ? 0 : declare(name, extent));
      at.push(position);
    }
  }
  return at;
}
/** The axes that a group takes an axis of n elements apart into; the extent of one of them may follow from the others. */
function groupOf(
  group: Extract<PatternAxis, { kind: "group" }>,
  n: Extent,
  known: Map<string, Extent>,
  span: Span,
): { name: string; extent: number }[] {
  const names = group.axes.map((a) => (a.kind === "axis" ? a.name : "1"));
  const unknown = names.filter((m) => m !== "1" && !known.has(m));
  if (unknown.length > 1) throw unknownExtents(span, unknown);
  const product = names.filter((m) => known.has(m)).reduce((p, m) => p * Number(known.get(m)), 1);
  if (typeof n !== "number" || (product ? n % product : n || unknown.length))
    throw notWhole(span, `${extentText(n)} / ${product}`);
  if (unknown.length) known.set(unknown[0]!, n / product);
  else if (product !== n) throw unequalAxis(span, "the pattern", product, n);
  return names.map((name) => ({ name, extent: name === "1" ? 1 : (known.get(name) as number) }));
}
/** The variables of the output in order, and its shape, in which groups are one axis. */
function placeOutput(
  output: readonly PatternAxis[],
  { variables, known, rest }: Axes,
  span: Span,
): { variables: Variable[]; shape: Extent[]; used: Set<string> } {
  const placed: Variable[] = [];
  const shape: Extent[] = [];
  const used = new Set<string>();
  const add = (v: Variable): void => {
    placed.push(v);
    shape.push(v.extent);
  };
  const place = (part: PatternAxis): void => {
    if (part.kind === "rest") rest.forEach(add);
    else if (part.kind === "one") add(variable(1));
    else if (part.kind === "axis") {
      const extent = known.get(part.name);
      const v = variables.get(part.name) ?? (extent !== undefined ? variable(extent, part.name) : undefined);
      if (!v) throw unknownExtent(span, part.name);
      if (used.has(part.name)) throw repeatedAxis(span, "rearrange", part.name, "output");
      used.add(part.name);
      add(v);
    } else {
      const before = shape.length;
      part.axes.forEach(place);
      shape.push(merged(shape.splice(before), span));
    }
  };
  output.forEach(place);
  return { variables: placed, shape, used };
}
/** The extent of a group of axes as one. */
function merged(extents: readonly Extent[], span: Span): Extent {
  const several = extents.filter((n) => n !== 1);
  if (several.length === 1) return several[0]!;
  return several.reduce<number>((p, n) => {
    if (typeof n !== "number") throw notCompiledYet(span, "groupOfRunTimeAxes");
    return p * n;
  }, 1);
}
function einsum(operands: readonly Node[], pattern: AxisPattern, patternSpan: Span, span: Span): Node {
  if (pattern.inputs.length !== operands.length) throw patternOperands(span, pattern.inputs.length, operands.length);
  for (const x of operands)
    if (x.dtype === "bool" || x.dtype !== operands[0]!.dtype) throw mixedTypes(span, operands[0]!.dtype, x.dtype);
  const named = new Map<string, Variable>();
  // `...` stands for the longest of them, aligned at the right; an axis of 1 stretches
  const rests = operands.map((x, k): Shape => {
    const input = pattern.inputs[k]!;
    const at = input.findIndex((a) => a.kind === "rest");
    return at < 0 ? [] : x.shape.slice(at, Math.max(at, x.shape.length - (input.length - 1 - at)));
  });
  const rest = broadcastShape(
    rests,
    operands.map(() => patternSpan),
    patternSpan,
  ).map((n) => variable(n, "r"));
  const loads = operands.map((x, k): Scalar => {
    const input = pattern.inputs[k]!;
    const at: Integer[] = [];
    const restCount = x.shape.length - input.filter((a) => a.kind !== "rest").length;
    if (input.filter((a) => a.kind === "rest").length > 1) throw repeatedRest(patternSpan, "einsum");
    if (restCount < 0 || (restCount > 0 && !input.some((a) => a.kind === "rest")))
      throw shapeMismatch(patternSpan, "einsum's pattern", `${input.length} axes`, shapeText(x.shape));
    for (const part of input) {
      const n = x.shape[at.length];
      if (part.kind === "rest") {
        at.push(
          ...indicesOf(rest)
            .slice(rest.length - restCount)
            .map((e, i) => (rests[k]![i] === 1 ? integer(0) : e)),
        );
      } else if (part.kind === "one") {
        if (n !== 1) throw unequalAxis(patternSpan, "an axis written 1", 1, n!);
        at.push(integer(0));
      } else if (part.kind === "group") throw groupInEinsum(patternSpan);
      else {
        let v = named.get(part.name);
        if (!v) named.set(part.name, (v = variable(n!, part.name)));
        else if (v.extent !== n) throw unequalAxis(patternSpan, `the axis ${part.name}`, v.extent, n!);
        at.push(n === 1 ? integer(0) : v);
      }
    }
    return load(x, at);
  });
  const output: Variable[] = [];
  for (const part of pattern.output) {
    if (part.kind === "rest") output.push(...rest);
    else if (part.kind === "axis") {
      const v = named.get(part.name);
      if (!v) throw axisOfNoInput(patternSpan, part.name);
      if (output.includes(v)) throw repeatedAxis(patternSpan, "einsum", part.name, "output");
      output.push(v);
    } else throw namelessOutput(patternSpan);
  }
  const over = [...named.values(), ...rest].filter((v) => !output.includes(v));
  const body = loads.reduce((a, b) => mul(a, b));
  return compute(output, over.length ? { op: "sum", over } : undefined, body, { span });
}
