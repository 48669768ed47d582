// The constructor of Compute. It applies the simplifications of a sum (unused axes, factors that leave it, support, compression), so a derivative
// comes out as the plain contraction that it is. It may return another node than asked for.
import { InternalError } from "../../grammar/diagnostic.ts";
import { leastI32, mostI32 } from "../scalar/range.ts";
import { div, mul, select, toF32 } from "./arithmetic.ts";
import { working } from "./compilation.ts";
import { and, constantBounds, inRange, inRangeAlone } from "./conditions.ts";
import { finish, termCount } from "./finish.ts";
import { conjuncts, constantOf, interval, isCall, isGuard } from "./forms.ts";
import { extentInteger, iadd, integer } from "./integers.ts";
import { boolean, literal, variable } from "./leaves.ts";
import { load } from "./loads.ts";
import { reachOf } from "./masks.ts";
import type { Meta } from "./shape.ts";
import { substitute } from "./substitute.ts";
import type { DType, Integer, Node, ReductionOp, Scalar, Variable } from "./types.ts";
import { operandsOf, scalarOrder, visit } from "./walk.ts";

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
  const unit = [...body.variables].filter((v) => v.extent === 1 && (output.includes(v) || reduction?.over.includes(v)));
  if (unit.length) body = substitute(body, new Map(unit.map((v) => [v, integer(0)])));
  // nothing to compute, or nothing to compute it from: no load is left
  if (output.some((v) => v.extent === 0)) return finish(output, undefined, nothing(reduction?.op, body.dtype, 0), meta);
  if (reduction?.over.some((v) => v.extent === 0))
    return finish(output, undefined, nothing(reduction.op, body.dtype, emptyValues[reduction.op]), meta);
  if (!reduction) return finish(output, undefined, working().options.outside ? asOutside(body) : body, meta);
  let over = reduction.over.filter((v) => v.extent !== 1);
  let op: ReductionOp | undefined = reduction.op;
  if (op === "sum") {
    if (body.dtype === "bool") throw new InternalError("sum of bool");
    const spread = sumOfMasks(output, over, body, meta);
    if (spread) return spread;
    if (constantOf(body) === 0 || (body.kind === "literal" && body.value === 0)) over = [];
    const unused = over.filter((v) => !body.variables.has(v));
    for (const v of unused) body = body.dtype === "i32" ? mul(body, extentInteger(v.extent)) : mul(body, multiplier(v));
    over = over.filter((v) => body.variables.has(v));
    if (!over.length) op = undefined;
    else if (body.dtype === "f32" && working().options.factor) {
      const factored = factor(output, over, body, meta);
      if (factored) return factored;
    }
  } else if (op === "max" || op === "min") {
    over = over.filter((v) => body.variables.has(v));
    if (!over.length) op = undefined;
    else if (reduction.ties !== "first" && body.dtype === "f32" && !isExact(body))
      body = materialised([...output, ...over], body, meta);
  } else if (op === "prod") {
    if (!over.length) op = undefined;
  } else if ((op === "argmax" || op === "argmin") && !over.length) {
    op = undefined;
    body = integer(0);
  }
  if (working().options.outside && (op === "sum" || op === undefined) && isGuard(body)) body = asOutside(body);
  return finish(output, op && { op, over, ties: reduction.ties ?? "share" }, body, meta);
}

const emptyValues: Readonly<Record<ReductionOp, number>> = {
  sum: 0,
  prod: 1,
  max: -Infinity,
  min: Infinity,
  argmax: 0,
  argmin: 0,
};
export function nothing(op: ReductionOp | undefined, dtype: DType, value: number): Scalar {
  if (op === "argmax" || op === "argmin") return integer(0);
  if (dtype === "bool") return boolean(value > 0);
  return dtype === "i32" ? integer(Math.min(mostI32, Math.max(leastI32, value))) : literal(value);
}
/** A sum that masks may take out of range: its terms are made small enough that all of them together are not, and the sum is limited. */
function sumOfMasks(
  output: readonly Variable[],
  over: readonly Variable[],
  body: Scalar,
  meta: Meta,
): Node | undefined {
  const { up, down } = reachOf(body);
  if (!over.length || !(up > 0 || down > 0) || body.dtype !== "f32" || body.kind === "literal") return undefined;
  const terms = 2 ** Math.ceil(Math.log2(termCount(over)));
  if (Math.max(up, down) * terms <= 2 ** 128) return undefined;
  const used = output.filter((v) => v.extent !== 1 && body.variables.has(v));
  const sum = compute(used, { op: "sum", over }, mul(body, 1 / terms));
  return compute(output, undefined, mul(load(sum, used), terms), meta);
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

/**
 * Factors and guards that do not depend on the reduced axes leave the sum, and what is left falls into independent sums, each over
 * the output axes it uses, on the part of them that is not guarded away (support), and through the atoms it uses (compression).
 * A factor leaves its guard only where it stays defined: a bare load takes `?? 0`, anything else must be provably in range.
 */
function factor(output: readonly Variable[], over: readonly Variable[], body: Scalar, meta: Meta): Node | undefined {
  const guards = isGuard(body) ? conjuncts(body.condition) : [];
  const factors = factorsOf(isGuard(body) ? body.then : body, over);
  const plainGuards = guards.filter((g) => !dependsOn(g, over));
  // a condition whose loads only guards of the sum protect reads 0 beyond: the sum is 0 there
  const outerGuards = plainGuards.map((g) =>
    provableUnder(g, new Set(plainGuards))
      ? g
      : substitute(g, new Map(), (l, indices, outside) => load(l.tensor, indices, outside ?? 0)),
  );
  const innerGuards = guards.filter((g) => dependsOn(g, over));
  const inner = factors.filter((x) => dependsOn(x, over));
  const outer: Scalar[] = [];
  const kept: Scalar[] = []; // would be undefined without a guard of the sum
  const scale = factors.reduce((c, x) => (x.kind === "literal" ? c * x.value : c), 1);
  const shrinks = Math.abs(scale) < 1; // a sum of what it makes small may leave the range of f32 without it
  for (const x of factors) {
    if (shrinks && x.kind === "literal") continue;
    if (dependsOn(x, over) || (x.kind === "literal" && x.value === 1)) continue;
    (innerGuards.length && !isSafe(x) ? kept : outer).push(x);
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
    items.some(({ x, guard }) => !(guard ? inRangeAlone(x) : isSafe(x)) && (opened || !provableUnder(x, around(x))));
  if (kept.length || bound) for (const v of over.slice(1)) leader.set(find(v), find(over[0]!));
  const groups = new Map<Variable, typeof items>();
  for (const item of items) {
    const group = find(over.find((v) => item.x.variables.has(v))!);
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group)!.push(item);
  }
  if (kept.length) [...groups.values()][0]!.push(...kept.map((x) => ({ x, guard: false })));
  if (!(
    groups.size > 1 ||
    ((outer.length > 0 || outerGuards.length > 0) && items.length > 0) ||
    output.some((v) => isNarrower(body, v))
  ))
    return undefined;

  const guarded = guards.length > 0;
  const total = (x: Scalar): Scalar => (guarded && x.kind === "load" && !x.outside ? load(x.tensor, x.indices, 0) : x);
  let result = product(outer.map(total));
  const [first] = groups.keys();
  for (const [group, members] of groups) {
    const axes = over.filter((v) => find(v) === group);
    const unsafe = guarded && members.some((m) => (m.guard ? !inRangeAlone(m.x) : !isSafe(m.x))); // keeps a copy of the outer guards
    const kin = new Set([...plainGuards, ...members.filter((m) => m.guard).map((m) => m.x)]);
    const own = members.filter((m) => !m.guard).map((m) => (unsafe && provableUnder(m.x, kin) ? m.x : total(m.x)));
    // beside one factor, so that kernels multiply what they load, not every product
    const value = product(shrinks && group === first ? [...own.slice(0, 1), literal(scale), ...own.slice(1)] : own);
    const condition = and(...members.filter((m) => m.guard).map((m) => m.x), ...(unsafe ? plainGuards : []));
    const part = partOf(output, guarded ? outerGuards : [], select(condition, value, 0));
    const sum = unsafe
      ? finishSum(part.variables, axes, part.body, meta)
      : compute(part.variables, { op: "sum", over: axes }, part.body, meta);
    result = mul(result, load(sum, part.indices, guarded ? 0 : undefined));
  }
  return compute(output, undefined, select(and(...outerGuards), result, 0), meta);
}
/** Signs and reciprocals that do not depend on the reduced axes count as factors. */
function factorsOf(body: Scalar, over: readonly Variable[]): Scalar[] {
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
  split(body);
  return factors;
}
/** Does it stay defined without a guard, a bare load with `?? 0`? */
const isSafe = (x: Scalar): boolean => (x.kind === "load" && x.indices.every(inRangeAlone)) || inRangeAlone(x);
/** Does the body see v only through an atom of fewer values? */
function isNarrower(body: Scalar, v: Variable): boolean {
  if (typeof v.extent !== "number" || v.extent === 1 || !body.variables.has(v)) return false;
  const atom = working().options.compress ? onlyThrough(body, v) : undefined;
  if (!atom) return false;
  const { low, high } = interval(atom);
  return high - low + 1 < v.extent;
}
/** What a sum of this body is computed over: of the output axes that it uses, the part that `guards` leave, and atoms in place of axes. */
function partOf(
  output: readonly Variable[],
  guards: readonly Scalar[],
  body: Scalar,
): { variables: readonly Variable[]; indices: readonly Integer[]; body: Scalar } {
  let variables = output.filter((v) => v.extent !== 1 && body.variables.has(v));
  const indices: Integer[] = [...variables];
  if (working().options.support && guards.length)
    variables = variables.map((v, i) => {
      if (typeof v.extent !== "number") return v;
      const [low, high] = constantBounds(guards, v);
      if ((low === 0 && high === v.extent - 1) || high < low) return v;
      const w = variable(high - low + 1, v.name);
      body = substitute(body, new Map([[v, iadd(w, low)]]));
      indices[i] = iadd(indices[i]!, -low);
      return w;
    });
  if (working().options.compress)
    variables = variables.map((v, i) => {
      if (typeof v.extent !== "number") return v;
      const atom = onlyThrough(body, v);
      if (!atom) return v;
      const { low, high } = interval(atom);
      if (!Number.isFinite(high - low) || high - low + 1 >= v.extent) return v;
      const w = variable(high - low + 1, v.name);
      body = substitute(body, new Map<Scalar, Scalar>([[atom, iadd(w, low)]]));
      indices[i] = iadd(substitute(atom, new Map([[v, indices[i]!]])) as Integer, -low);
      return w;
    });
  return { variables, indices, body };
}
const finishSum = (output: readonly Variable[], over: readonly Variable[], body: Scalar, meta: Meta): Node =>
  finish(output, { op: "sum", over: over.filter((v) => v.extent !== 1), ties: "share" }, body, meta);
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
