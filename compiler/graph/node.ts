// Constructors of nodes: the only way to make one. `compute` applies the simplifications of a sum (unused axes, factors that leave it,
// support, compression), so a derivative comes out as the plain contraction that it is. A constructor may return another node than asked for.
import { InternalError } from "../../grammar/diagnostic.ts";
import {
  and,
  asExtent,
  axis,
  boolean,
  conjuncts,
  constantOf,
  constantPart,
  div,
  extentInteger,
  extentKey,
  iadd,
  imul,
  inRange,
  inRangeAlone,
  integer,
  intern,
  internAmong,
  interval,
  isCall,
  isContracted,
  isGuard,
  isInteger,
  literal,
  load,
  mul,
  nextId,
  operandsOf,
  provedNonNegative,
  reachOf,
  scalarOrder,
  select,
  setReach,
  substitute,
  termsOf,
  toF32,
  unionScans,
  variable,
  visit,
} from "./scalar.ts";
import { placeNow, type Place } from "./origin.ts";
import { isI32, leastI32, mostI32 } from "../scalar/range.ts";
import type {
  Compute,
  DType,
  Integer,
  Load,
  Node,
  Range,
  ReductionOp,
  Reshape,
  Result,
  Scalar,
  Scan,
  ScanSet,
  Scatter,
  Shape,
  Source,
  Variable,
} from "./types.ts";

/** Optional simplifications; property tests switch them off. */
export const options = { factor: true, support: true, compress: true, outside: true };
export function withOptions<T>(changed: Partial<typeof options>, f: () => T): T {
  const before = { ...options };
  Object.assign(options, changed);
  try {
    return f();
  } finally {
    Object.assign(options, before);
  }
}

export interface Meta {
  readonly span?: Place | undefined;
  readonly label?: string | undefined;
  readonly range?: Range | undefined;
}
const metaOf = (meta: Meta): { span?: Place; label?: string } => ({
  ...(meta.span ? { span: placeNow(meta.span) } : {}),
  ...(meta.label ? { label: meta.label } : {}),
});

const shapeKey = (shape: Shape): string => shape.map(extentKey).join(",");
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, d) => n === b[d]);
export function elementCount(shape: Shape): number {
  return shape.reduce<number>((product, n) => product * (typeof n === "number" ? n : NaN), 1);
}

// ---------------------------------------------------------------- sources

export function source(
  of: { role: Source["role"]; path: string; shape: Shape; dtype: DType; data?: readonly number[]; scan?: Scan } & Meta,
): Source {
  return {
    kind: "source",
    role: of.role,
    path: of.path,
    shape: of.shape,
    dtype: of.dtype,
    id: nextId(),
    scans: of.scan ? new Set([of.scan]) : unionScans([]),
    ...(of.range ? { range: of.range } : {}),
    ...(of.data ? { data: of.data } : {}),
    ...metaOf(of),
  };
}
/** A tensor of known values. */
export function constant(shape: readonly number[], data: readonly number[], dtype: DType = "f32"): Source {
  if (data.length !== shape.reduce((a, b) => a * b, 1)) throw new InternalError("constant: shape and data differ");
  return intern(`K${dtype}${shape.join(",")}|${data.join(",")}`, (id) => {
    const range = dtype === "i32" && data.length ? { range: { low: Math.min(...data), high: Math.max(...data) } } : {};
    return { kind: "source", role: "constant", path: "", shape, dtype, data, id, scans: unionScans([]), ...range };
  });
}

// ---------------------------------------------------------------- compute

export interface ReductionOver {
  readonly op: ReductionOp;
  readonly over: readonly Variable[];
  readonly ties?: "share" | "first";
}
const dependsOn = (x: Scalar, variables: readonly Variable[]): boolean => variables.some((v) => x.variables.has(v));
const product = (xs: readonly Scalar[]): Scalar => xs.reduce<Scalar>((a, b) => mul(a, b), literal(1));
const multiplier = (v: Variable): Scalar => (typeof v.extent === "number" ? literal(v.extent) : toF32(v.extent));

export function compute(
  output: readonly Variable[],
  reduction: ReductionOver | undefined,
  body: Scalar,
  meta: Meta = {},
): Node {
  const unit = [...output, ...(reduction?.over ?? [])].filter((v) => v.extent === 1);
  if (unit.length) body = substitute(body, new Map(unit.map((v) => [v, integer(0)])));
  // nothing to compute, or nothing to compute it from: no load is left
  if (output.some((v) => v.extent === 0)) return finish(output, undefined, nothing(reduction?.op, body.dtype, 0), meta);
  if (reduction?.over.some((v) => v.extent === 0))
    return finish(output, undefined, nothing(reduction.op, body.dtype, emptyValues[reduction.op]), meta);
  let over = (reduction?.over ?? []).filter((v) => v.extent !== 1);
  let op = reduction?.op;
  if (op === "sum") {
    if (body.dtype === "bool") throw new InternalError("sum of bool");
    body = summand(body);
    const spread = sumOfMasks(output, over, body, meta);
    if (spread) return spread;
    if (constantOf(body) === 0 || (body.kind === "literal" && body.value === 0)) over = [];
    const unused = over.filter((v) => !body.variables.has(v));
    for (const v of unused) body = body.dtype === "i32" ? mul(body, extentInteger(v.extent)) : mul(body, multiplier(v));
    over = over.filter((v) => body.variables.has(v));
    if (!over.length) op = undefined;
    else if (body.dtype === "f32" && options.factor) {
      const factored = factor(output, over, body, meta);
      if (factored) return factored;
    }
  } else if (op === "max" || op === "min") {
    over = over.filter((v) => body.variables.has(v));
    if (!over.length) op = undefined;
    else if (reduction!.ties !== "first" && body.dtype === "f32" && !isExact(body))
      body = materialised([...output, ...over], body, meta);
  } else if (op === "prod") {
    if (!over.length) op = undefined;
  } else if ((op === "argmax" || op === "argmin") && !over.length) {
    op = undefined;
    body = integer(0);
  }
  if (options.outside && (op === "sum" || op === undefined) && isGuard(body)) body = asOutside(body);
  return finish(output, op && { op, over, ties: reduction!.ties ?? "share" }, body, meta);
}

const emptyValues: Readonly<Record<ReductionOp, number>> = {
  sum: 0,
  prod: 1,
  max: -Infinity,
  min: Infinity,
  argmax: 0,
  argmin: 0,
};
function nothing(op: ReductionOp | undefined, dtype: DType, value: number): Scalar {
  if (op === "argmax" || op === "argmin") return integer(0);
  if (dtype === "bool") return boolean(value > 0);
  return dtype === "i32" ? integer(Math.min(mostI32, Math.max(leastI32, value))) : literal(value);
}
/** A product under a sum stands as it is: contractions are no arithmetic on masks. */
function summand(body: Scalar): Scalar {
  if (isGuard(body)) return select(body.condition, summand(body.then), 0);
  if (!isCall(body, "keep_finite")) return body;
  const [of] = body.operands as [Scalar];
  return isContracted(of) ? of : body;
}
/** A sum that masks may take out of range: its terms are made small enough that all of them together are not, and the sum is limited. */
function sumOfMasks(
  output: readonly Variable[],
  over: readonly Variable[],
  body: Scalar,
  meta: Meta,
): Node | undefined {
  const { up, down } = reachOf(body);
  if (!over.length || !(up > 0 || down > 0) || body.dtype !== "f32" || body.kind === "literal" || isContracted(body))
    return undefined;
  const terms = 2 ** Math.ceil(Math.log2(termCount(over)));
  if (Math.max(up, down) * terms <= 2 ** 128) return undefined;
  const used = output.filter((v) => v.extent !== 1 && body.variables.has(v));
  const sum = compute(used, { op: "sum", over }, mul(body, 1 / terms));
  return compute(output, undefined, mul(load(sum, used), terms), meta);
}
/** At most so many. */
const termCount = (over: readonly Variable[]): number =>
  Math.max(
    1,
    over.reduce((n, v) => n * (typeof v.extent === "number" ? v.extent : 2 ** 31), 1),
  );
/** Does every window hold an element, whatever lies outside? Then what is outside is never the extremum where that matters. */
function meetsTensor(body: Scalar, over: readonly Variable[]): boolean {
  if (body.kind !== "load" || !body.outside) return false;
  const fixed = new Map<Scalar, Scalar>();
  return body.indices.every((e, d) => {
    const n = body.tensor.shape[d]!;
    const own = over.filter((v) => e.variables.has(v));
    const [v] = own;
    const inside = (x: Integer): boolean =>
      provedNonNegative(x) && provedNonNegative(iadd(extentInteger(n), -1, imul(x, -1)));
    if (inside(e)) return true;
    if (!v || own.length > 1 || typeof v.extent !== "number" || fixed.has(v)) return false;
    for (let k = 0; k < Math.min(v.extent, 32); k++) {
      fixed.set(v, integer(k));
      if (inside(substitute(e, fixed) as Integer)) return true;
    }
    return false;
  });
}
/** What masks make of a node's elements. */
function reachOfNode(
  op: ReductionOp | undefined,
  over: readonly Variable[],
  body: Scalar,
): { up: number; down: number } {
  const own = reachOf(body);
  const none = { up: 0, down: 0 };
  if (op === undefined) return own;
  if (op === "sum") {
    return isContracted(body) ? none : { up: own.up * termCount(over), down: own.down * termCount(over) };
  }
  if (op !== "max" && op !== "min") return none;
  return meetsTensor(body, over) && body.kind === "load" ? reachOf(body.tensor) : own;
}

/**
 * Where ties share, the gradient compares elements with the extremum: both must be the same bits, and a product or a sum computed twice need not
 * round alike. Such a body is a tensor of its own.
 */
function materialised(axes: readonly Variable[], body: Scalar, meta: Meta): Scalar {
  const used = axes.filter((v) => v.extent !== 1 && body.variables.has(v));
  return load(compute(used, undefined, body, meta), used);
}
/** A load, under functions that do not round. */
function isExact(body: Scalar): boolean {
  const exact = (x: Scalar): boolean =>
    x.dtype !== "f32" ||
    x.kind === "load" ||
    x.kind === "literal" ||
    x.kind === "select" ||
    (x.kind === "call" && x.fn.exact === true);
  return scalarOrder([body], (x) => (x.kind === "load" || x.dtype !== "f32" ? [] : operandsOf(x))).every(exact);
}

function finish(
  output: readonly Variable[],
  reduction: { op: ReductionOp; over: readonly Variable[]; ties: "share" | "first" } | undefined,
  body: Scalar,
  meta: Meta,
): Node {
  const over = reduction?.over ?? [];
  const isPlaced = (v: Variable, i: number): boolean => (v.extent === 1 ? !body.variables.has(v) : v.position === i);
  const placed =
    output.every(isPlaced) && over.every((v, i) => isPlaced(v, output.length + i))
      ? body
      : substitute(body, canonicalAxes(output, over));
  const shape = output.map((v) => v.extent);
  if (!reduction && placed.kind === "load" && !placed.outside && sameShape(placed.tensor.shape, shape)) {
    const identity = placed.indices.every((e, d) => (shape[d] === 1 ? constantOf(e) === 0 : e === axis(d, shape[d]!)));
    if (identity) return placed.tensor;
  }
  const extents = over.map((v) => v.extent);
  const same = (x: Compute): boolean =>
    sameShape(x.shape, shape) &&
    x.reduction?.op === reduction?.op &&
    x.reduction?.ties === reduction?.ties &&
    (!reduction || sameShape(x.reduction!.extents, extents));
  const made = internAmong<Compute>(placed, same, (id) => {
    const index = reduction?.op === "argmax" || reduction?.op === "argmin";
    const dtype: DType = index ? "i32" : placed.dtype;
    const range =
      meta.range ?? (dtype === "i32" ? integerRange(reduction && { op: reduction.op, extents }, placed) : undefined);
    const made: { -readonly [K in keyof Compute]: Compute[K] } = {
      kind: "compute",
      shape,
      dtype,
      body: placed,
      id,
      scans: placed.scans,
    };
    if (meta.span) made.span = placeNow(meta.span);
    if (meta.label) made.label = meta.label;
    if (reduction) made.reduction = { op: reduction.op, extents, ties: reduction.ties };
    if (range) made.range = range;
    return made;
  });
  if (made.dtype === "f32") setReach(made, reachOfNode(reduction?.op, over, body));
  return made;
}
function canonicalAxes(output: readonly Variable[], over: readonly Variable[]): Map<Scalar, Scalar> {
  return new Map([...output, ...over].map((v, i) => [v, v.extent === 1 ? integer(0) : axis(i, v.extent)]));
}
function integerRange(reduction: { op: ReductionOp; extents: Shape } | undefined, body: Scalar): Range | undefined {
  if (reduction && (reduction.op === "argmax" || reduction.op === "argmin")) {
    const [n] = reduction.extents;
    if (reduction.extents.length === 1 && typeof n === "object") return { low: 0, high: asExtent(iadd(n, -1)) };
    const count = elementCount(reduction.extents);
    return { low: 0, high: Number.isNaN(count) ? Infinity : count - 1 };
  }
  if (!isInteger(body)) return undefined;
  const { low, high } = interval(body);
  if (low === leastI32 && high === mostI32) return { low: -Infinity, high: Infinity };
  if (!reduction || reduction.op === "max" || reduction.op === "min") {
    if (!reduction && !Number.isFinite(high)) {
      const bound = symbolicBound(body);
      if (bound !== undefined) return { low, high: bound };
    }
    return { low, high };
  }
  if (reduction.op === "sum") {
    const count = elementCount(reduction.extents);
    const sum = { low: Math.min(low * count, low), high: Math.max(high * count, high) };
    return isI32(sum.low) && isI32(sum.high) ? sum : undefined; // else it may wrap, or nobody knows
  }
  return undefined;
}
/** The bound of a bare variable or load of run-time range. */
function symbolicBound(e: Integer): Exclude<Range["high"], number> | undefined {
  if (e.kind === "variable" && typeof e.extent !== "number") {
    const bound = asExtent(iadd(e.extent, -1));
    return typeof bound === "number" ? undefined : bound;
  }
  if (e.kind === "load" && !e.outside && e.tensor.range && typeof e.tensor.range.high !== "number")
    return e.tensor.range.high;
  return undefined;
}

/**
 * Factors and guards that do not depend on the reduced axes leave the sum, and what is left falls into independent sums, each over
 * the output axes it uses, on the part of them that is not guarded away (support), and through the atoms it uses (compression).
 * A factor leaves its guard only where it stays defined: a bare load takes `?? 0`, anything else must be provably in range.
 */
function factor(output: readonly Variable[], over: readonly Variable[], body: Scalar, meta: Meta): Node | undefined {
  const guards = isGuard(body) ? conjuncts(body.condition) : [];
  const factors: Scalar[] = [];
  const split = (x: Scalar): void => {
    if (isCall(x, "mul")) x.operands.forEach(split);
    else if (isCall(x, "neg")) {
      factors.push(literal(-1));
      split(x.operands[0]!);
    } else if (isCall(x, "div") && x.operands[1]!.kind !== "literal" && !dependsOn(x.operands[1]!, over)) {
      split(x.operands[0]!);
      factors.push(div(1, x.operands[1]!));
    } else factors.push(x);
  };
  split(isGuard(body) ? body.then : body);
  const plainGuards = guards.filter((g) => !dependsOn(g, over));
  // a condition whose loads only guards of the sum protect reads 0 beyond: the sum is 0 there
  const outerGuards = plainGuards.map((g) =>
    provableUnder(g, new Set(plainGuards))
      ? g
      : substitute(g, new Map(), (l, indices, outside) => load(l.tensor, indices, outside ?? 0)),
  );
  const innerGuards = guards.filter((g) => dependsOn(g, over));
  const inner = factors.filter((x) => dependsOn(x, over));
  const safe = (x: Scalar): boolean => (x.kind === "load" && x.indices.every(inRangeAlone)) || inRangeAlone(x); // stays defined without a guard, with ?? 0
  const outer: Scalar[] = [];
  const kept: Scalar[] = []; // would be undefined without a guard of the sum
  const scale = factors.reduce((c, x) => (x.kind === "literal" ? c * x.value : c), 1);
  const shrinks = Math.abs(scale) < 1; // a sum of what it makes small may leave the range of f32 without it
  for (const x of factors) {
    if (shrinks && x.kind === "literal") continue;
    if (dependsOn(x, over) || (x.kind === "literal" && x.value === 1)) continue;
    (innerGuards.length && !safe(x) ? kept : outer).push(x);
  }
  // groups of factors and guards that share reduction axes
  const leader = new Map<Variable, Variable>(over.map((v) => [v, v]));
  const find = (v: Variable): Variable => (leader.get(v) === v ? v : find(leader.get(v)!));
  const items = [...inner.map((x) => ({ x, guard: false })), ...innerGuards.map((x) => ({ x, guard: true }))];
  for (const { x } of items) {
    const [first, ...rest] = over.filter((v) => x.variables.has(v));
    for (const v of rest) leader.set(find(v), find(first!));
  }
  // a factor that would be undefined without guards of other groups keeps all of them
  const around = (x: Scalar): ReadonlySet<Scalar> => {
    const own = find(over.find((v) => x.variables.has(v))!);
    return new Set([...plainGuards, ...innerGuards.filter((g) => find(over.find((v) => g.variables.has(v))!) === own)]);
  };
  const opened = outerGuards.some((g, i) => g !== plainGuards[i]);
  const bound =
    guards.length > 0 &&
    items.some(({ x, guard }) => !(guard ? inRangeAlone(x) : safe(x)) && (opened || !provableUnder(x, around(x))));
  if (kept.length || bound) for (const v of over.slice(1)) leader.set(find(v), find(over[0]!));
  const groups = new Map<Variable, typeof items>();
  for (const item of items) {
    const group = find(over.find((v) => item.x.variables.has(v))!);
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group)!.push(item);
  }
  if (kept.length) [...groups.values()][0]!.push(...kept.map((x) => ({ x, guard: false })));
  const narrower = (): boolean =>
    output.some((v) => {
      if (typeof v.extent !== "number" || v.extent === 1 || !body.variables.has(v)) return false;
      const atom = options.compress ? onlyThrough(body, v) : undefined;
      if (!atom) return false;
      const { low, high } = interval(atom);
      return high - low + 1 < v.extent;
    });
  if (!(groups.size > 1 || ((outer.length > 0 || outerGuards.length > 0) && items.length > 0) || narrower()))
    return undefined;

  const guarded = guards.length > 0;
  const total = (x: Scalar): Scalar => (guarded && x.kind === "load" && !x.outside ? load(x.tensor, x.indices, 0) : x);
  let result = product(outer.map(total));
  const [first] = groups.keys();
  for (const [group, members] of groups) {
    const axes = over.filter((v) => find(v) === group);
    const unsafe = guarded && members.some((m) => (m.guard ? !inRangeAlone(m.x) : !safe(m.x))); // keeps a copy of the outer guards
    const kin = new Set([...plainGuards, ...members.filter((m) => m.guard).map((m) => m.x)]);
    const own = members.filter((m) => !m.guard).map((m) => (unsafe && provableUnder(m.x, kin) ? m.x : total(m.x)));
    // beside one factor, so that kernels multiply what they load, not every product
    const value = product(shrinks && group === first ? [...own.slice(0, 1), literal(scale), ...own.slice(1)] : own);
    const condition = and(...members.filter((m) => m.guard).map((m) => m.x), ...(unsafe ? plainGuards : []));
    let innerBody = select(condition, value, 0);
    let variables = output.filter((v) => v.extent !== 1 && innerBody.variables.has(v));
    let indices: Integer[] = [...variables];
    if (options.support && guarded)
      variables = variables.map((v, i) => {
        if (typeof v.extent !== "number") return v;
        const [low, high] = constantBounds(outerGuards, v);
        if ((low === 0 && high === v.extent - 1) || high < low) return v;
        const w = variable(high - low + 1, v.name);
        innerBody = substitute(innerBody, new Map([[v, iadd(w, low)]]));
        indices[i] = iadd(indices[i]!, -low);
        return w;
      });
    if (options.compress)
      variables = variables.map((v, i) => {
        if (typeof v.extent !== "number") return v;
        const atom = onlyThrough(innerBody, v);
        if (!atom) return v;
        const { low, high } = interval(atom);
        if (!Number.isFinite(high - low) || high - low + 1 >= v.extent) return v;
        const w = variable(high - low + 1, v.name);
        innerBody = substitute(innerBody, new Map<Scalar, Scalar>([[atom, iadd(w, low)]]));
        indices[i] = iadd(substitute(atom, new Map([[v, indices[i]!]])) as Integer, -low);
        return w;
      });
    const sum = unsafe
      ? finishSum(variables, axes, innerBody, meta)
      : compute(variables, { op: "sum", over: axes }, innerBody, meta);
    result = mul(result, load(sum, indices, guarded ? 0 : undefined));
  }
  return compute(output, undefined, select(and(...outerGuards), result, 0), meta);
}
const finishSum = (output: readonly Variable[], over: readonly Variable[], body: Scalar, meta: Meta): Node =>
  finish(output, { op: "sum", over: over.filter((v) => v.extent !== 1), ties: "share" }, body, meta);

/** Bounds of v by conditions of v alone, within its extent. */
export function constantBounds(conditions: readonly Scalar[], v: Variable): [low: number, high: number] {
  let low = 0;
  let high = (v.extent as number) - 1;
  for (const c of conditions) {
    if (c.kind !== "non_negative") continue;
    const terms = termsOf(c.operand);
    if (terms.length !== 1 || terms[0]![0] !== v) continue;
    const k = terms[0]![1];
    if (k > 0) low = Math.max(low, Math.ceil(-constantPart(c.operand) / k));
    else high = Math.min(high, Math.floor(constantPart(c.operand) / -k));
  }
  return [low, high];
}
/** The one floor or mod atom through which alone the body sees v, or undefined. */
function onlyThrough(body: Scalar, v: Variable): Integer | undefined {
  let atom: Integer | undefined;
  const seen = new Set<Scalar>();
  const stack: Scalar[] = [body];
  while (stack.length) {
    const x = stack.pop()!;
    if (seen.has(x) || !x.variables.has(v)) continue;
    seen.add(x);
    if (x === v) return undefined;
    if ((x.kind === "floor_div" || x.kind === "modulo") && x.variables.size === 1) {
      if (atom && atom !== x) return undefined;
      atom = x;
    } else stack.push(...operandsOf(x));
  }
  return atom;
}
/**
 * Where the whole range of a bare factor is a guard, `select(range, x[f] * w, 0)` is written `(x[f] ?? 0) * w`, provided that every
 * other load stays provable without the guard.
 */
function asOutside(body: Scalar): Scalar {
  if (!isGuard(body)) return body;
  const guards = new Set(conjuncts(body.condition));
  const factors: Scalar[] = [];
  const split = (x: Scalar): void => {
    if (isCall(x, "mul")) x.operands.forEach(split);
    else factors.push(x);
  };
  split(body.then);
  let changed = false;
  const opened = factors.map((x) => {
    if (x.kind !== "load" || x.outside || x.dtype !== "f32") return x;
    const range = conjuncts(inRange(x.tensor, x.indices));
    if (!range.length || !range.every((g) => guards.has(g))) return x;
    for (const g of range) guards.delete(g);
    changed = true;
    return load(x.tensor, x.indices, 0);
  });
  if (!changed) return body;
  // what the guards that went still protected must stand without them
  const rest = and(...guards);
  const standing = [...opened, rest].every((x) => provableUnder(x, new Set(conjuncts(rest))));
  return standing ? select(rest, product(opened), 0) : body;
}
function provableUnder(x: Scalar, guards: ReadonlySet<Scalar>): boolean {
  let ok = true;
  visit(x, (y) => {
    if (y.kind === "load" && !y.outside && !conjuncts(inRange(y.tensor, y.indices)).every((g) => guards.has(g)))
      ok = false;
  });
  return ok;
}

/** The node with another body over its own axes; canonical variables serve as loop variables. */
export function withBody(node: Compute, body: Scalar): Node {
  const axes = [...node.shape, ...(node.reduction?.extents ?? [])].map((n, i) => axis(i, n));
  const rank = node.shape.length;
  return compute(
    axes.slice(0, rank),
    node.reduction && { op: node.reduction.op, over: axes.slice(rank), ties: node.reduction.ties },
    body,
    { span: node.span, label: node.label, range: node.range },
  );
}
/** A node's body over fresh variables; axes of extent 1 are the constant 0 in it, their variables are unused. */
export function instantiate(node: Compute): { output: Variable[]; over: Variable[]; body: Scalar } {
  const output = node.shape.map((n) => variable(n, "i"));
  const over = (node.reduction?.extents ?? []).map((n) => variable(n, "k"));
  const map = new Map<Scalar, Scalar>();
  output.forEach((v, i) => map.set(axis(i, v.extent), v));
  over.forEach((v, i) => map.set(axis(output.length + i, v.extent), v));
  return { output, over, body: substitute(node.body, map) };
}
/** The node's own loop variables: canonical, which serve as well as fresh ones. */
export function ownAxes(node: Compute): { output: Variable[]; over: Variable[] } {
  const axes = [...node.shape, ...(node.reduction?.extents ?? [])].map((n, i) => axis(i, n));
  return { output: axes.slice(0, node.shape.length), over: axes.slice(node.shape.length) };
}
/** Variables as indices: an axis of one element is read at 0. */
export const indicesOf = (variables: readonly Variable[]): Integer[] =>
  variables.map((v) => (v.extent === 1 ? integer(0) : v));
/** The body of an unreduced node at these indices. */
export function bodyAt(node: Compute, indices: readonly Integer[]): Scalar {
  return substitute(
    node.body,
    new Map(node.shape.map((n, i) => [axis(i, n), n === 1 ? integer(0) : indices[i]!] as const)),
  );
}

// ---------------------------------------------------------------- the other kinds

export function reshape(node: Node, shape: Shape, meta: Meta = {}): Node {
  const base = node.kind === "reshape" ? node.operand : node;
  if (sameShape(base.shape, shape)) return base;
  const made = intern<Reshape>(`H${base.id}:${shapeKey(shape)}`, (id) => ({
    kind: "reshape",
    operand: base,
    shape,
    dtype: base.dtype,
    id,
    scans: base.scans,
    ...(base.range ? { range: base.range } : {}),
    ...metaOf(meta),
  }));
  setReach(made, reachOf(base));
  return made;
}
/** y = 0; y[indices] += value for all of `over`. */
export function scatter(
  shape: Shape,
  over: readonly Variable[],
  indices: readonly Integer[],
  value: Scalar,
  meta: Meta = {},
): Node {
  const mentioned = new Set(indices.flatMap((e) => [...e.variables]));
  const inner = over.filter((v) => v.extent !== 1 && !mentioned.has(v));
  if (inner.length) {
    // summed first, under the guards that the indices may need
    const outer = over.filter((v) => v.extent !== 1 && mentioned.has(v));
    const guards = isGuard(value)
      ? conjuncts(value.condition).filter((g) => !inner.some((v) => g.variables.has(v)))
      : [];
    const sum = load(compute(outer, { op: "sum", over: inner }, value, meta), outer);
    return scatter(shape, outer, indices, guards.length ? select(and(...guards), sum, 0) : sum, meta);
  }
  const canonical = new Map<Scalar, Scalar>(over.map((v, i) => [v, v.extent === 1 ? integer(0) : axis(i, v.extent)]));
  const placed = substitute(value, canonical);
  if (placed.kind === "literal" && placed.value === 0)
    return compute(
      shape.map((n) => variable(n)),
      undefined,
      placed,
      meta,
    );
  const at = indices.map((e) => substitute(e, canonical) as Integer);
  const extents = over.map((v) => v.extent);
  return intern<Scatter>(
    `T${shapeKey(shape)}|${shapeKey(extents)}|${at.map((e) => e.id).join(",")}|${placed.id}`,
    (id) => ({
      kind: "scatter",
      shape,
      over: extents,
      indices: at,
      value: placed,
      dtype: placed.dtype,
      id,
      scans: unionScans([placed.scans, ...at.map((e) => e.scans)]),
      ...metaOf(meta),
    }),
  );
}

/**
 * A loop. `build` gets the step variable and the incoming carries and returns the outgoing ones, in order. `ranges`: of the integer carries, at every
 * step; default: those of the initial values.
 */
export function scan(
  of: {
    count: number;
    initial: readonly Node[];
    names?: readonly string[];
    ranges?: readonly (Range | undefined)[];
    reverse?: boolean;
    span?: Place | undefined;
  },
  build: (step: Variable, incoming: readonly Source[]) => readonly Node[],
): Scan {
  const made = {
    kind: "scan",
    id: nextId(),
    count: of.count,
    reverse: of.reverse ?? false,
    carries: [],
    scans: unionScans([]),
    ...(of.span ? { span: placeNow(of.span) } : {}),
  } as unknown as { -readonly [K in keyof Scan]: Scan[K] };
  made.step = variable(of.count, "t", { scan: made });
  const incoming = of.initial.map((x, i) =>
    source({
      role: "carry",
      path: of.names?.[i] ?? `carry${i}`,
      shape: x.shape,
      dtype: x.dtype,
      range: x.dtype === "i32" ? (of.ranges ? of.ranges[i] : x.range) : undefined,
      scan: made,
    }),
  );
  incoming.forEach((x, i) => setReach(x, reachOf(of.initial[i]!)));
  const next = build(made.step, incoming);
  next.forEach((x, i) => {
    if (!sameShape(x.shape, of.initial[i]!.shape) || x.dtype !== of.initial[i]!.dtype)
      throw new InternalError("scan: a carry changes its type");
  });
  made.carries = of.initial.map((initial, i) => ({ initial, incoming: incoming[i]!, next: next[i]! }));
  made.scans = withoutScan(
    [...of.initial, ...next].map((x) => x.scans),
    made,
  );
  return made;
}
const withoutScan = (sets: readonly ScanSet[], own: Scan): ScanSet => {
  const all = unionScans(sets);
  return all.has(own) ? new Set([...all].filter((s) => s !== own)) : all;
};
function result(scanned: Scan, of: Result["of"], key: string, shape: Shape, like: Node): Result {
  const scans = of.kind === "stack" ? withoutScan([scanned.scans, of.node.scans], scanned) : scanned.scans;
  const made = intern<Result>(`P${scanned.id},${key}`, (id) => ({
    kind: "result",
    scan: scanned,
    of,
    shape,
    dtype: like.dtype,
    id,
    scans,
    ...(like.range ? { range: like.range } : {}),
    ...metaOf(like),
  }));
  setReach(made, reachOf(like));
  return made;
}
export const finalOf = (s: Scan, carry: number): Node =>
  s.count === 0
    ? s.carries[carry]!.initial
    : result(s, { kind: "final", carry }, `f${carry}`, s.carries[carry]!.next.shape, s.carries[carry]!.next);
export const historyOf = (s: Scan, carry: number): Node =>
  s.count === 0
    ? reshape(s.carries[carry]!.initial, [1, ...s.carries[carry]!.initial.shape])
    : result(
        s,
        { kind: "history", carry },
        `h${carry}`,
        [s.count + 1, ...s.carries[carry]!.next.shape],
        s.carries[carry]!.incoming,
      );
/** A node of the body at every step, stacked on a new first axis. */
export function stackOf(s: Scan, node: Node): Node {
  const shape = [s.count, ...node.shape];
  if (s.count === 0)
    return compute(
      shape.map((n) => variable(n)),
      undefined,
      nothing(undefined, node.dtype, 0),
      metaOf(node),
    );
  const carry = s.carries.findIndex((c) => c.incoming === node);
  if (carry >= 0) {
    const output = shape.map((n) => variable(n));
    return compute(
      output,
      undefined,
      load(historyOf(s, carry), [s.reverse ? iadd(output[0]!, 1) : output[0]!, ...output.slice(1)]),
    );
  }
  if (!node.scans.has(s)) {
    const output = shape.map((n) => variable(n));
    return compute(output, undefined, load(node, output.slice(1)));
  }
  return result(s, { kind: "stack", node }, `s${node.id}`, shape, node);
}

// ---------------------------------------------------------------- walks

const inputCache = new WeakMap<Node, readonly Node[]>();
/** The tensors that a node reads. For a Result: what the whole scan reads, its body included. */
export function inputs(node: Node): readonly Node[] {
  let found = inputCache.get(node);
  if (!found) inputCache.set(node, (found = findInputs(node)));
  return found;
}
function findInputs(node: Node): readonly Node[] {
  switch (node.kind) {
    case "source":
      return [];
    case "reshape":
      return [node.operand];
    case "compute":
    case "scatter":
      return [...new Set(loadsIn(node).map((l) => l.tensor))];
    case "result": {
      const own = node.of.kind === "stack" ? [node.of.node] : [];
      return [...new Set([...node.scan.carries.flatMap((c) => [c.initial, c.next]), ...own])];
    }
    default:
      return node satisfies never;
  }
}
const loadCache = new WeakMap<Node, readonly Load[]>();
/** The distinct loads of a node's scalars. */
export function loadsIn(node: Node): readonly Load[] {
  let found = loadCache.get(node);
  if (!found)
    loadCache.set(
      node,
      (found =
        node.kind === "compute"
          ? loadsOf([node.body])
          : node.kind === "scatter"
            ? loadsOf([...node.indices, node.value])
            : []),
    );
  return found;
}
function loadsOf(roots: readonly Scalar[]): Load[] {
  const found: Load[] = [];
  const seen = new Set<Scalar>();
  for (const root of roots)
    visit(
      root,
      (x) => {
        if (x.kind === "load") found.push(x);
      },
      seen,
    );
  return found;
}
/** Distinct tensors loaded by these scalars. */
export const tensorsOf = (roots: readonly Scalar[]): Node[] => [...new Set(loadsOf(roots).map((l) => l.tensor))];
/** Inputs before users; `stop` does not look below a node. */
export function topological(
  roots: readonly Node[],
  stop: (node: Node) => boolean = () => false,
  inputsOf: (node: Node) => readonly Node[] = inputs,
): Node[] {
  const done = new Set<Node>();
  const order: Node[] = [];
  const stack: { node: Node; next: number; inputs: readonly Node[] }[] = [];
  const push = (node: Node): void => {
    if (done.has(node)) return;
    done.add(node);
    stack.push({ node, next: 0, inputs: stop(node) ? [] : inputsOf(node) });
  };
  for (const root of roots) {
    push(root);
    while (stack.length) {
      const top = stack[stack.length - 1]!;
      if (top.next < top.inputs.length) push(top.inputs[top.next++]!);
      else {
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order;
}
/** The node read by whatever reads a chain of reshapes. */
export function baseOf(node: Node): Node {
  while (node.kind === "reshape") node = node.operand;
  return node;
}
