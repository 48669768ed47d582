// Functions below the library: what index notation cannot say or what takes shapes, patterns and functions apart.
import type { AxisPattern, PatternAxis } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import { compute, elementCount, indicesOf, reshape } from "../graph/node.ts";
import { extentText, shapeText } from "../graph/print.ts";
import {
  add,
  call,
  constantOf,
  extentInteger,
  imul,
  integer,
  interval,
  iadd,
  literal,
  load,
  mul,
  neg,
  random,
  toF32,
  variable,
} from "../graph/scalar.ts";
import type { Extent, Integer, Node, Scalar, Shape, Variable } from "../graph/types.ts";
import { leastI32, mostI32 } from "../scalar/range.ts";
import { namedFunctions } from "../scalar/table.ts";
import {
  argumentsDoNotFit,
  misplaced,
  mixedTypes,
  most,
  notWhole,
  shapeMismatch,
  tooMany,
  typeText,
  unknownName,
  unsupported,
  wrongKind,
} from "./errors.ts";
import { hashSite } from "./draws.ts";
import {
  bracketShape,
  elementwiseValues,
  knownBool,
  parameterOf,
  parametersOf,
  stopGradient,
  type Argument,
  type Context,
  type Interpreter,
} from "./interpreter.ts";
import {
  axesOf,
  broadcastShape,
  cast,
  concat,
  expand,
  filled,
  flip,
  matmul,
  reduceNode,
  reducer,
  sizeFrom,
  slice,
  someElements,
  transpose,
} from "./tensors.ts";
import {
  asScalarValue,
  asTensor,
  int,
  integerOf,
  isPlain,
  kindText,
  number,
  scalar,
  tensor,
  type Callable,
  type Distribution,
  type Value,
} from "./values.ts";

const reducers = ["sum", "prod", "mean", "max", "min", "amax", "amin", "any", "all", "argmax", "argmin", "logsumexp"];
const distributions = ["uniform", "normal", "bernoulli", "randint"];
const loaders = ["csv", "npy", "idx", "chars", "tokens", "token_count", "host"];
const others = [
  "where",
  "concat",
  "split",
  "flip",
  "transpose",
  "squeeze",
  "unsqueeze",
  "size",
  "rank",
  "len",
  "window_room",
  "einsum",
  "rearrange",
  "matmul",
  "f32",
  "i32",
  "bool",
  "stop",
  "frozen",
  "grad",
  "categorical",
  "stalled",
  "best",
  "from",
];
export const builtinNames: ReadonlySet<string> = new Set([...reducers, ...distributions, ...others, ...loaders]);
/** Functions of the language that are not compiled yet. */
export const laterNames: ReadonlySet<string> = new Set(["svdvals", "eigvals", "histogram", "sort", "fft"]);
/** Names that take a shape in brackets. */
export const shapedNames: ReadonlySet<string> = new Set(["zeros", "ones", "expand", "reshape", "normal", "uniform"]);

interface Given {
  readonly positional: readonly Argument[];
  readonly named: ReadonlyMap<string, Argument>;
}
export function applyBuiltin(
  self: Interpreter,
  name: string,
  args: readonly Argument[],
  span: Span,
  ctx: Context,
  shaped?: Extract<Callable, { kind: "shaped" }>,
): Value {
  const given: Given = {
    positional: args.filter((a) => a.name === undefined),
    named: new Map(args.flatMap((a) => (a.name === undefined ? [] : [[a.name, a] as const]))),
  };
  const at = (i: number, own?: string): Argument => {
    const found = given.positional[i] ?? (own ? given.named.get(own) : undefined);
    if (!found) throw argumentsDoNotFit(span, name, `needs ${i + 1} argument${i ? "s" : ""}, ${args.length} are given`);
    return found;
  };
  const node = (i: number, own?: string): Node => asTensor(at(i, own).value, at(i, own).span);
  const option = (own: string, i?: number): Value | undefined =>
    (given.named.get(own) ?? (i !== undefined ? given.positional[i] : undefined))?.value;
  if (shaped) return applyShaped(self, shaped, node(0), span, ctx);
  const { positional } = given;
  checkArguments(name, given, args.length, span);
  if (distributions.includes(name)) return distribution(name, positional, given, span);
  if (loaders.includes(name)) return loader(name, given, span);
  if (reducers.includes(name) && !((name === "max" || name === "min") && positional.length === 2))
    return reduceCall(name, at(0), given, span);
  if (namedFunctions.has(name) && name !== "stop") {
    const row = namedFunctions.get(name)!;
    if (positional.length !== row.operands.length)
      throw argumentsDoNotFit(
        span,
        name,
        `takes ${row.operands.length} argument${row.operands.length === 1 ? "" : "s"}, ${positional.length} are given`,
      );
    const values = positional.map((a) => (a.value.kind === "lazy" ? a.value.force() : a.value));
    if (values.every((v) => v.kind === "number")) {
      const result = row.evaluate(...values.map((v) => (v as { value: number }).value));
      const whole = row.operands[0] === "number" && values.every((v) => (v as { whole: boolean }).whole);
      if (Number.isFinite(result))
        return number(
          result,
          whole || ((name === "floor" || name === "ceil" || name === "round") && Number.isInteger(result)),
        );
    }
    // functions of whole numbers give whole numbers, which take the type of what they meet
    if (row.operands[0] === "number" && values.every((v) => v.kind === "int" || (v.kind === "number" && v.whole))) {
      const result = call(row, ...values.map((v) => integerOf(v)!));
      if (result.dtype === "i32") return int(result as Integer);
    }
    return elementwiseValues(
      name,
      values.map((v) => (row.operands[0] === "f32" && v.kind === "int" ? scalarOfInt(v, span) : v)),
      positional.map((a) => a.span),
      span,
    );
  }
  switch (name) {
    case "where": {
      const [c, a, b] = [at(0), at(1), at(2)];
      const known = knownBool(c.value);
      if (known !== undefined && isPlain(a.value) && isPlain(b.value)) return known ? a.value : b.value;
      return elementwiseValues("where", [c.value, a.value, b.value], [c.span, a.span, b.span], span, 1);
    }
    case "f32":
    case "i32":
    case "bool": {
      const v = at(0).value;
      if (v.kind === "scalar" || isPlain(v) || v.kind === "bool") {
        if (name === "f32" && v.kind === "number") return number(v.value, false);
        if (name === "i32" && v.kind === "number")
          return number(Math.min(mostI32, Math.max(leastI32, Math.trunc(v.value))), true);
        return elementwiseValues(name, [v], [span], span);
      }
      return tensor(cast(node(0), name, span));
    }
    case "stop": {
      const v = at(0).value;
      if (v.kind === "scalar") return scalar(v.scalar.dtype === "f32" ? call("stop", v.scalar) : v.scalar);
      if (v.kind === "tuple")
        return { kind: "tuple", elements: v.elements.map((x) => tensor(stopGradient(asTensor(x, span)))) };
      if (v.kind === "instance" || v.kind === "gradient")
        return {
          ...v,
          values: new Map(
            parametersOf(self, v.instance, at(0).span).map((p) => [p, stopGradient(parameterOf(v, p, ctx))]),
          ),
        };
      return isPlain(v) ? v : tensor(stopGradient(node(0)));
    }
    case "frozen": {
      const v = at(0).value;
      if (v.kind !== "instance") throw wrongKind(at(0).span, "an instance", kindText(v));
      return { ...v, frozen: true };
    }
    case "size": {
      const v = at(0).value;
      if (v.kind === "scalar" || isPlain(v)) return number(1);
      const x = node(0);
      const axis = option("axis", 1);
      if (axis) return int(extentInteger(x.shape[axisNumber(axis, x.shape.length, span)]!));
      return sizeValue(x.shape, span);
    }
    case "window_room":
      return windowRoom(
        args.map((a) => a.value),
        span,
      );
    case "rank":
      return number(at(0).value.kind === "scalar" || isPlain(at(0).value) ? 0 : node(0).shape.length);
    case "len": {
      const v = at(0).value;
      if (v.kind === "list" || v.kind === "tuple") return number(v.elements.length);
      return int(extentInteger(node(0).shape[0] ?? 1));
    }
    case "matmul":
      return tensor(matmul(node(0), node(1), [at(0).span, at(1).span], span));
    case "transpose": {
      const x = node(0);
      const given_ = option("axes", 1);
      const order = given_
        ? axisList(given_, x.shape.length, span)
        : x.shape
            .map((_, d) => d)
            .map((d, _, all) =>
              all.length < 2 ? d : d === all.length - 1 ? all.length - 2 : d === all.length - 2 ? all.length - 1 : d,
            );
      if (new Set(order).size !== x.shape.length)
        throw argumentsDoNotFit(span, name, `needs each of the ${x.shape.length} axes once in \`axes\``);
      return tensor(transpose(x, order, span));
    }
    case "flip": {
      const x = node(0);
      const axes = axisList(option("axis", 1) ?? number(0), x.shape.length, span);
      return tensor(axes.reduce((y, d) => flip(y, d, span), x));
    }
    case "concat": {
      const list = at(0).value;
      if (list.kind !== "list" && list.kind !== "tuple")
        throw wrongKind(at(0).span, "a list of tensors", kindText(list));
      const nodes = list.elements.map((v) => asTensor(v, at(0).span));
      if (!nodes.length) throw wrongKind(at(0).span, "a list of one tensor or more", "an empty list");
      const axis = axisNumber(option("axis", 1) ?? number(0), nodes[0]!.shape.length, span);
      for (const x of nodes)
        if (
          x.dtype !== nodes[0]!.dtype ||
          x.shape.length !== nodes[0]!.shape.length ||
          x.shape.some((n, d) => d !== axis && n !== nodes[0]!.shape[d])
        )
          throw shapeMismatch(
            at(0).span,
            "concat",
            `${typeText(nodes[0]!.dtype, nodes[0]!.shape)} (axis ${axis} may differ)`,
            typeText(x.dtype, x.shape),
          );
      return tensor(concat(nodes, axis, span));
    }
    case "split": {
      const x = node(0);
      const count = at(1).value;
      const axis = axisNumber(option("axis", 2) ?? number(0), x.shape.length, span);
      const n = x.shape[axis]!;
      if (typeof n !== "number") throw wrongKind(span, "an axis of known extent", extentText(n));
      let sizes: number[];
      if (count.kind === "list") {
        for (const v of count.elements)
          if (v.kind !== "number" || !Number.isInteger(v.value) || v.value < 0)
            throw wrongKind(at(1).span, "a list of whole sizes, 0 or more", `one with ${kindText(v)}`);
        sizes = count.elements.map((v) => (v as { value: number }).value);
      } else if (count.kind === "number") {
        if (!Number.isInteger(count.value) || count.value < 1)
          throw wrongKind(at(1).span, "a whole number, 1 or more", kindText(count));
        if (count.value > most)
          throw tooMany(at(1).span, "the parts of `split`", count.value, most, "index the tensor instead");
        if (n % count.value) throw notWhole(at(1).span, `${n} / ${count.value}`);
        sizes = Array.from({ length: count.value }, () => n / count.value);
      } else throw wrongKind(at(1).span, "a count or a list of sizes", kindText(count));
      if (sizes.reduce((a, b) => a + b, 0) !== n)
        throw argumentsDoNotFit(
          span,
          name,
          `is given sizes that add up to ${sizes.reduce((a, b) => a + b, 0)}; the axis has ${n}`,
        );
      let start = 0;
      return {
        kind: "tuple",
        elements: sizes.map((s) => {
          const part = tensor(slice(x, axis, integer(start), s, span));
          start += s;
          return part;
        }),
      };
    }
    case "squeeze": {
      const x = node(0);
      const given_ = option("axis", 1);
      const axes = given_ ? axisList(given_, x.shape.length, span) : x.shape.flatMap((n, d) => (n === 1 ? [d] : []));
      for (const d of axes)
        if (x.shape[d] !== 1)
          throw shapeMismatch(
            span,
            "squeeze",
            `an axis of extent 1`,
            `${shapeText(x.shape)}, whose axis ${d} has ${extentText(x.shape[d]!)}`,
          );
      return tensor(
        reshape(
          x,
          x.shape.filter((_, d) => !axes.includes(d)),
          { span },
        ),
      );
    }
    case "unsqueeze": {
      const x = node(0);
      const d = axisNumber(option("axis", 1) ?? number(0), x.shape.length + 1, span);
      return tensor(reshape(x, [...x.shape.slice(0, d), 1, ...x.shape.slice(d)], { span }));
    }
    case "rearrange": {
      const pattern = positional.find((a) => a.value.kind === "pattern");
      if (!pattern || pattern.value.kind !== "pattern")
        throw argumentsDoNotFit(span, name, "needs an axis pattern", "rearrange(x, `b t (h d) -> b h t d`, h: 4)");
      const x = positional.find((a) => a !== pattern);
      if (!x) throw argumentsDoNotFit(span, name, "needs a tensor");
      return tensor(rearrange(asTensor(x.value, x.span), pattern.value.pattern, given.named, pattern.span));
    }
    case "einsum": {
      const pattern = at(0).value;
      if (pattern.kind !== "pattern") throw wrongKind(at(0).span, "an axis pattern", kindText(pattern));
      return tensor(
        einsum(
          positional.slice(1).map((a) => asTensor(a.value, a.span)),
          pattern.pattern,
          at(0).span,
          span,
        ),
      );
    }
    case "categorical": {
      if (ctx.element) throw misplaced(span, "a draw", "inside `for`", "draw the whole tensor above");
      // Gumbel: argmax(logits - log(-log(u)))
      const logits = node(0);
      if (logits.dtype !== "f32" || !logits.shape.length)
        throw wrongKind(at(0).span, "f32 with a last axis of logits", typeText(logits.dtype, logits.shape));
      someElements(name, logits.shape.slice(-1), span);
      const axes = axesOf(logits.shape);
      const rounds = ctx.rounds.map((r) => ({ e: r.step as Integer, n: r.count }));
      const inner = logits.shape.map((n, i) => (typeof n === "number" ? n : i === 0 && !rounds.length ? 1 : NaN));
      if (inner.some(Number.isNaN)) {
        // a run-time batch inside a loop: the batch comes first in the position
        const order = [0, ...axes.map((_, i) => i).slice(1)];
        const at_ = [axes[order[0]!]!, ...rounds.map((r) => r.e), ...axes.slice(1)];
        const extents = [
          1,
          ...rounds.map((r) => r.n),
          ...logits.shape.slice(1).map((n) => (typeof n === "number" ? n : NaN)),
        ];
        if (extents.some(Number.isNaN)) throw unsupported(span, "categorical over several run-time axes");
        return tensor(gumbel(logits, axes, at_, extents, ctx, span));
      }
      return tensor(
        gumbel(
          logits,
          axes,
          [...rounds.map((r) => r.e), ...indicesOf(axes)],
          [...rounds.map((r) => r.n), ...inner],
          ctx,
          span,
        ),
      );
    }
    case "stalled":
    case "best":
    case "from":
      throw argumentsDoNotFit(span, name, "belongs to the settings of a train block");
    default:
      throw unsupported(span, `\`${name}\``);
  }
}
/** What each takes besides tensors and functions of the scalar table: [fewest, most by position, names]. Whatever else is given is an error. */
const takes: Readonly<Record<string, readonly [number, number, readonly string[]]>> = {
  ...Object.fromEntries(reducers.map((r) => [r, [1, 1, ["axis", "keep"]] as const])),
  uniform: [0, 2, ["lo", "hi"]],
  normal: [0, 2, ["mean", "std"]],
  bernoulli: [0, 1, ["p"]],
  randint: [0, 2, ["lo", "hi"]],
  csv: [0, 1, ["path", "column", "columns", "header", "missing", "delimiter"]],
  npy: [0, 1, ["path"]],
  idx: [0, 1, ["path"]],
  chars: [0, 1, ["path", "window"]],
  tokens: [0, 1, ["path", "pad"]],
  token_count: [0, 1, ["path", "pad"]],
  host: [0, 1, []],
  where: [3, 3, []],
  f32: [1, 1, []],
  i32: [1, 1, []],
  bool: [1, 1, []],
  stop: [1, 1, []],
  frozen: [1, 1, []],
  size: [1, 2, ["axis"]],
  rank: [1, 1, []],
  window_room: [5, 5, []],
  len: [1, 1, []],
  matmul: [2, 2, []],
  transpose: [1, 2, ["axes"]],
  flip: [1, 2, ["axis"]],
  concat: [1, 2, ["axis"]],
  split: [2, 3, ["axis"]],
  squeeze: [1, 2, ["axis"]],
  unsqueeze: [1, 2, ["axis"]],
  categorical: [1, 1, []],
};
function checkArguments(name: string, { positional, named }: Given, count: number, span: Span): void {
  const row = takes[name] ?? (namedFunctions.has(name) ? ([0, Infinity, []] as const) : undefined);
  if (!row) return;
  const [fewest, most, names] = row;
  const pairwise = (name === "max" || name === "min") && positional.length === 2;
  for (const [own, a] of named)
    if (!names.includes(own) || pairwise)
      throw unknownName(a.nameSpan ?? a.span, own, pairwise ? [] : names, { kind: "argument", place: `of ${name}` });
  if (positional.length <= most || pairwise) {
    if (positional.length < fewest && count < fewest)
      throw argumentsDoNotFit(
        span,
        name,
        `needs ${fewest} argument${fewest === 1 ? "" : "s"}, ${count} ${count === 1 ? "is" : "are"} given`,
      );
    return;
  }
  const extra = positional[most]!.span;
  if (reducers.includes(name))
    throw argumentsDoNotFit(
      extra,
      name,
      "takes its axis by name",
      undefined,
      `write ${name}(x, axis: ${extra.file.text.slice(extra.start, extra.end)})`,
    );
  throw argumentsDoNotFit(
    extra,
    name,
    `takes ${most} argument${most === 1 ? "" : "s"}, ${positional.length} are given`,
  );
}
const scalarOfInt = (v: Extract<Value, { kind: "int" }>, span: Span): Value => scalar(asScalarValue(v, span, "f32"));
function gumbel(
  logits: Node,
  axes: readonly Variable[],
  at: readonly Integer[],
  extents: readonly number[],
  ctx: Context,
  span: Span,
): Node {
  const u = random({
    distribution: "uniform",
    site: hashSite(`${ctx.draws.path}!${ctx.draws.count++}`),
    seed: load(ctx.seed, []),
    step: ctx.step,
    indices: at,
    extents,
  });
  // log(u) by log1p: u near 1 makes the largest of them, and there drivers' logarithms have few digits; u - 1 is exact
  const noise = neg(call("log", neg(call("log1p", add(call("max", u, literal(2 ** -24)), -1)))));
  const body = add(load(logits, indicesOf(axes)), noise);
  const noisy = compute(axes, undefined, body, { span });
  const own = axesOf(logits.shape);
  return compute(own.slice(0, -1), { op: "argmax", over: own.slice(-1) }, load(noisy, indicesOf(own)), { span });
}
function sizeValue(shape: Shape, span: Span): Value {
  const count = elementCount(shape);
  if (!Number.isNaN(count)) return number(count);
  const numbers = shape.filter((n): n is number => typeof n === "number").reduce((a, b) => a * b, 1);
  const symbols = shape.filter((n): n is Exclude<Extent, number> => typeof n !== "number");
  if (symbols.length === 1) return int(imul(symbols[0]!, numbers));
  throw unsupported(span, "the size of a tensor with several run-time axes");
}
export function axisNumber(v: Value, rank: number, span: Span): number {
  const n = v.kind === "number" ? v.value : undefined;
  if (n === undefined || !Number.isInteger(n)) throw wrongKind(span, "an axis number", kindText(v));
  const d = n < 0 ? n + rank : n;
  if (d < 0 || d >= rank)
    throw argumentsDoNotFit(
      span,
      "this",
      `has no axis ${n}: there ${rank === 0 ? "are no axes" : rank === 1 ? "is one axis, 0" : `are ${rank} axes, 0 to ${rank - 1}`}`,
    );
  return d;
}
export function axisList(v: Value, rank: number, span: Span): number[] {
  if (v.kind === "list" || v.kind === "tuple") return v.elements.map((x) => axisNumber(x, rank, span));
  if (v.kind === "range") {
    const low = constantOf(v.low);
    let end = constantOf(v.end);
    if (low === undefined || end === undefined) throw wrongKind(span, "axes known at compile time", kindText(v));
    if (end < 0) end += rank;
    if (low < 0 || end > rank)
      throw argumentsDoNotFit(
        span,
        "this",
        `has no axes ${low}..${end}: there ${rank === 0 ? "are no axes" : rank === 1 ? "is one axis, 0" : `are ${rank} axes, 0 to ${rank - 1}`}`,
      );
    return Array.from({ length: Math.max(0, end - low) }, (_, i) => low + i);
  }
  return [axisNumber(v, rank, span)];
}
function reduceCall(name: string, x: Argument, given: Given, span: Span): Value {
  const keepGiven = given.named.get("keep");
  const keep = keepGiven ? knownBool(keepGiven.value) : false;
  if (keep === undefined) throw wrongKind(keepGiven!.span, "true or false", kindText(keepGiven!.value));
  const v = x.value.kind === "lazy" ? x.value.force() : x.value;
  // an element, or a number: there is nothing to reduce
  if (v.kind === "scalar" || isPlain(v)) {
    const axis = given.named.get("axis");
    if (axis) axisList(axis.value, 0, axis.span);
    const s = asScalarValue(v, x.span, isPlain(v) ? "f32" : undefined);
    if (name === "mean" || name === "logsumexp") return scalar(toF32(s));
    if (name === "any" || name === "all") reducer(name, s, x.span); // is it a bool?
    return name === "argmax" || name === "argmin"
      ? number(0)
      : scalar(name === "any" || name === "all" ? s : reducer(name, s, span).body);
  }
  const node = asTensor(v, x.span);
  const axis = given.named.get("axis")?.value;
  const axes = axis ? axisList(axis, node.shape.length, span) : node.shape.map((_, d) => d);
  if ((name === "argmax" || name === "argmin") && axes.length > 1 && axis === undefined && node.shape.length > 1)
    return tensor(reduceNode(name, node, axes, keep, span));
  return tensor(reduceNode(name, node, axes, keep, span));
}
/** How far a window of k, its elements `dilate` apart, can move over n with `pad` on both sides: n + 2 pad - dilate (k - 1) - 1. */
function windowRoom(values: readonly Value[], span: Span): Value {
  const [n, k, stride, pad, dilate] = values.map(integerOf);
  if (!n || !k || !stride || !pad || !dilate)
    throw wrongKind(span, "window_room(n, k, stride, pad, dilate) of whole numbers", "something else");
  const least = (what: string, e: Integer, bound: number): number => {
    const value = constantOf(e);
    if (value === undefined) throw wrongKind(span, `${what} known at compile time`, "a value of the run");
    if (value < bound) throw wrongKind(span, `${what} of ${bound} or more`, String(value));
    return value;
  };
  const taken = least("a dilation", dilate, 1) * (least("a window", k, 1) - 1) + 1;
  least("a stride", stride, 1);
  const padding = least("a padding", pad, 0);
  const room = iadd(n, 2 * padding - taken);
  if (interval(room).high >= 0) return int(room);
  const elements = `the ${extentText(sizeFrom(n, span))} elements${padding ? `, padded to ${extentText(sizeFrom(iadd(n, 2 * padding), span))},` : ""}`;
  throw argumentsDoNotFit(
    span,
    `a window of ${taken}`,
    `does not fit into ${elements} that it moves over`,
    undefined,
    "take a smaller window, or pad more",
  );
}
function distribution(name: string, positional: readonly Argument[], given: Given, span: Span): Value {
  const names: Record<string, [string, string]> = {
    uniform: ["lo", "hi"],
    normal: ["mean", "std"],
    bernoulli: ["p", ""],
    randint: ["lo", "hi"],
  };
  const [first, second] = names[name]!;
  const a = positional[0]?.value ?? given.named.get(first)?.value;
  const b = positional[1]?.value ?? given.named.get(second)?.value;
  if (name === "bernoulli" && !a) throw argumentsDoNotFit(span, name, "needs a probability");
  if (name === "randint" && (!a || !b)) throw argumentsDoNotFit(span, name, "needs two bounds", "randint(lo, hi)");
  const result: Distribution = {
    kind: "distribution",
    base: name as Distribution["base"],
    a: a ?? number(0, false),
    b: b ?? number(1, false),
    scale: number(1, false),
    offset: number(0, false),
  };
  return result;
}
function loader(name: string, given: Given, span: Span): Value {
  const text = (i: number, own: string): string => {
    const v = (given.positional[i] ?? given.named.get(own))?.value;
    if (v?.kind !== "string") throw wrongKind(span, `${name}(${own}: "...")`, v ? kindText(v) : "nothing");
    return v.value;
  };
  const whole = (own: string): number => {
    const v = given.named.get(own)?.value;
    if (v?.kind !== "number") throw argumentsDoNotFit(span, name, `needs ${own}: a whole number`);
    return v.value;
  };
  const column = (v: Value): number | string => {
    if (v.kind === "string" || (v.kind === "number" && Number.isInteger(v.value) && v.value >= 0)) return v.value;
    throw wrongKind(span, "a column's name, or its number from 0", kindText(v));
  };
  switch (name) {
    case "csv": {
      const path = text(0, "path");
      const option = (own: string): Value | undefined => given.named.get(own)?.value;
      const [one, many] = [option("column"), option("columns")];
      const ends = many?.kind === "range" ? ([constantOf(many.low), constantOf(many.end)] as const) : [];
      const columns = one
        ? [column(one)]
        : many?.kind === "list"
          ? many.elements.map(column)
          : ends[0] !== undefined && ends[1] !== undefined && ends[0] >= 0 && ends[0] < ends[1]
            ? { from: ends[0], to: ends[1] }
            : undefined;
      if (columns === undefined || (one && many))
        throw argumentsDoNotFit(
          span,
          "csv",
          one ? "takes one of column: and columns:" : "needs column: or columns:",
          'csv("file.csv", columns: 0..4) or csv("file.csv", column: "label")',
        );
      const [header, missing, delimiter] = [option("header"), option("missing"), option("delimiter")];
      const named = header ? knownBool(header) : undefined;
      if (header && named === undefined) throw wrongKind(span, "header: true or header: false", kindText(header));
      if (named === false && Array.isArray(columns) && columns.some((c) => typeof c === "string"))
        throw argumentsDoNotFit(span, "csv", "has no header to find a name in: give the column's number");
      const instead =
        missing?.kind === "number"
          ? missing.value
          : missing?.kind === "string" && missing.value === "drop"
            ? "drop"
            : undefined;
      if (missing && instead === undefined) throw wrongKind(span, "missing: drop, or a number", kindText(missing));
      const separator = delimiter?.kind === "string" ? (delimiter.value === "tab" ? "\t" : delimiter.value) : undefined;
      if (delimiter && (separator?.length !== 1 || /["\r\n]/.test(separator)))
        throw wrongKind(span, 'delimiter: ",", ";", "tab" or another character', kindText(delimiter));
      return {
        kind: "loader",
        loader: {
          kind: "csv",
          path,
          columns,
          ...(named === undefined ? {} : { header: named }),
          ...(separator === undefined ? {} : { delimiter: separator }),
          ...(instead === undefined ? {} : { missing: instead }),
        },
        span,
      };
    }
    case "npy":
      return { kind: "loader", loader: { kind: "npy", path: text(0, "path") }, span };
    case "idx":
      return { kind: "loader", loader: { kind: "idx", path: text(0, "path") }, span };
    case "chars":
      return { kind: "loader", loader: { kind: "chars", path: text(0, "path"), window: whole("window") }, span };
    case "tokens":
      return { kind: "loader", loader: { kind: "tokens", path: text(0, "path"), pad: whole("pad") }, span };
    case "token_count":
      return { kind: "loader", loader: { kind: "token_count", path: text(0, "path"), pad: whole("pad") }, span };
    default:
      return {
        kind: "loader",
        loader: {
          kind: "host",
          name: given.positional[0]?.value.kind === "string" ? given.positional[0].value.value : "",
        },
        span,
      };
  }
}
function applyShaped(
  self: Interpreter,
  f: Extract<Callable, { kind: "shaped" }>,
  x: Node,
  span: Span,
  ctx: Context,
): Value {
  const shape = bracketShape(self, f.dims, f.scope, ctx);
  if (f.name === "expand") return tensor(expand(x, shape, span));
  if (f.name === "reshape") {
    const product = (s: Shape): string => {
      const symbols = s
        .filter((n) => typeof n !== "number")
        .map((n) => extentText(n))
        .sort();
      return `${s.filter((n): n is number => typeof n === "number").reduce((a, b) => a * b, 1)} ${symbols.join(" ")}`;
    };
    if (product(shape) !== product(x.shape))
      throw shapeMismatch(span, "reshape", shapeText(shape), shapeText(x.shape), {
        notes: ["both must have the same number of elements"],
      });
    return tensor(reshape(x, shape, { span }));
  }
  return tensor(filled(shape, literal(f.name === "ones" ? 1 : 0), span));
}

/** Axes of a pattern against a tensor: names with extents; unknown ones of a group follow from the rest. */
function rearrange(x: Node, pattern: AxisPattern, named: ReadonlyMap<string, Argument>, span: Span): Node {
  const [input] = pattern.inputs;
  if (!input || pattern.inputs.length !== 1)
    throw argumentsDoNotFit(span, "rearrange", "takes a pattern with one input");
  const known = new Map<string, Extent>();
  for (const [name, a] of named) {
    const v = integerOf(a.value);
    if (v) known.set(name, sizeFrom(v, a.span));
  }
  const positions = new Map<string, Integer>();
  const variables = new Map<string, Variable>();
  const rest = input.findIndex((a) => a.kind === "rest");
  const restCount = rest >= 0 ? x.shape.length - (input.length - 1) : 0;
  if (restCount < 0 || (rest < 0 && input.length !== x.shape.length))
    throw shapeMismatch(
      span,
      "the pattern",
      rest < 0 ? `${input.length} axes` : `${input.length - 1} axes or more`,
      shapeText(x.shape),
    );
  if (input.filter((a) => a.kind === "rest").length > 1)
    throw argumentsDoNotFit(span, "the pattern", "has more than one `...` in its input");
  const restVariables = Array.from({ length: restCount }, (_, i) => variable(x.shape[rest + i]!, "r"));
  const axisExtent = new Map<string, Extent>();
  const at: Integer[] = [];
  const declare = (name: string, n: Extent): Integer => {
    if (variables.has(name)) throw argumentsDoNotFit(span, "the pattern", `has ${name} twice in its input`);
    if (known.has(name) && known.get(name) !== n)
      throw shapeMismatch(span, `the axis ${name}`, extentText(known.get(name)!), extentText(n));
    axisExtent.set(name, n);
    const v = variable(n, name);
    variables.set(name, v);
    const e = n === 1 ? integer(0) : v;
    positions.set(name, e);
    return e;
  };
  let d = 0;
  for (const part of input) {
    if (part.kind === "rest") {
      at.push(...indicesOf(restVariables));
      d += restCount;
      continue;
    }
    const n = x.shape[d++]!;
    if (part.kind === "one") {
      if (n !== 1) throw shapeMismatch(span, "an axis written 1", "1", extentText(n));
      at.push(integer(0));
    } else if (part.kind === "axis") at.push(declare(part.name, n));
    else if (part.kind === "group") {
      const names = part.axes.map((a) => (a.kind === "axis" ? a.name : "1"));
      const unknown = names.filter((m) => m !== "1" && !known.has(m));
      if (unknown.length > 1)
        throw argumentsDoNotFit(
          span,
          "rearrange",
          `cannot tell the extents of ${unknown.join(" and ")} apart`,
          undefined,
          `give all but one of them: rearrange(x, ..., ${unknown[0]}: n)`,
        );
      const product = names.filter((m) => known.has(m)).reduce((p, m) => p * Number(known.get(m)), 1);
      if (typeof n !== "number" || (product ? n % product : n || unknown.length))
        throw notWhole(span, `${extentText(n)} / ${product}`);
      if (unknown.length) known.set(unknown[0]!, n / product);
      else if (product !== n) throw shapeMismatch(span, "the pattern", String(product), extentText(n));
      let position: Integer = integer(0);
      for (const m of names) {
        const extent = m === "1" ? 1 : (known.get(m) as number);
        position = iadd(imul(position, extent), m === "1" ? 0 : declare(m, extent));
      }
      at.push(position);
    }
  }
  const output: { variables: Variable[]; extents: Extent[] } = { variables: [], extents: [] };
  const shape: Extent[] = [];
  const used = new Set<string>();
  const place = (part: PatternAxis): void => {
    if (part.kind === "rest") {
      output.variables.push(...restVariables);
      shape.push(...restVariables.map((v) => v.extent));
    } else if (part.kind === "axis") {
      const v =
        variables.get(part.name) ?? (known.has(part.name) ? variable(known.get(part.name)!, part.name) : undefined);
      if (!v)
        throw argumentsDoNotFit(
          span,
          "rearrange",
          `does not know the extent of ${part.name}, which is not in the input`,
          undefined,
          `give it: rearrange(x, ..., ${part.name}: n)`,
        );
      if (used.has(part.name)) throw argumentsDoNotFit(span, "the pattern", `has ${part.name} twice in its output`);
      used.add(part.name);
      output.variables.push(v);
      shape.push(v.extent);
    } else if (part.kind === "one") {
      output.variables.push(variable(1));
      shape.push(1);
    } else {
      const before = shape.length;
      part.axes.forEach(place);
      const merged = shape.splice(before);
      const count = merged.reduce<Extent>(
        (p, n) => (typeof p === "number" && typeof n === "number" ? p * n : p === 1 ? n : n === 1 ? p : NaN),
        1,
      );
      if (typeof count === "number" && Number.isNaN(count))
        throw unsupported(span, "a group with several run-time axes");
      shape.push(count);
    }
  };
  pattern.output.forEach(place);
  for (const name of variables.keys())
    if (!used.has(name))
      throw argumentsDoNotFit(
        span,
        "rearrange",
        `would drop ${name}, which is missing on the right`,
        undefined,
        `to sum over it, use einsum or sum(..., axis: n)`,
      );
  return reshape(compute(output.variables, undefined, load(x, at), { span }), shape, { span });
}
function einsum(operands: readonly Node[], pattern: AxisPattern, patternSpan: Span, span: Span): Node {
  if (pattern.inputs.length !== operands.length)
    throw argumentsDoNotFit(
      span,
      "einsum",
      `has a pattern of ${pattern.inputs.length} inputs, ${operands.length} ${operands.length === 1 ? "is" : "are"} given`,
    );
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
    if (input.filter((a) => a.kind === "rest").length > 1)
      throw argumentsDoNotFit(patternSpan, "einsum", "has more than one `...` in an input");
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
        if (n !== 1) throw shapeMismatch(patternSpan, "an axis written 1", "1", extentText(n!));
        at.push(integer(0));
      } else if (part.kind === "group")
        throw argumentsDoNotFit(patternSpan, "einsum", "takes no groups; use rearrange before");
      else {
        let v = named.get(part.name);
        if (!v) named.set(part.name, (v = variable(n!, part.name)));
        else if (v.extent !== n)
          throw shapeMismatch(patternSpan, `the axis ${part.name}`, extentText(v.extent), extentText(n!));
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
      if (!v) throw argumentsDoNotFit(patternSpan, "einsum", `has ${part.name} in its output but in no input`);
      if (output.includes(v)) throw argumentsDoNotFit(patternSpan, "einsum", `has ${part.name} twice in its output`);
      output.push(v);
    } else throw argumentsDoNotFit(patternSpan, "einsum", "takes names only in its output");
  }
  const over = [...named.values(), ...rest].filter((v) => !output.includes(v));
  const body = loads.reduce((a, b) => mul(a, b));
  return compute(output, over.length ? { op: "sum", over } : undefined, body, { span });
}
