// Checks every invariant of types.ts on a graph program; what fails is a bug of dlm, so it throws an InternalError that names the node.
// Linear in the graph: every node and every distinct scalar is looked at once; only loads that need a guard look at the scalars around them.
import { InternalError } from "../../grammar/diagnostic.ts";
import { remembered } from "./compilation.ts";
import { inputs, rootsOf, sameShape, topological, withinProgram } from "./node.ts";
import { printNode, scalarText, shapeText, type Names } from "./print.ts";
import {
  axis,
  bottomUp,
  conjuncts,
  extentInteger,
  greatestCommonDivisor,
  iadd,
  imul,
  inRange,
  integer,
  interval,
  isGuard,
  isTrue,
  isub,
  linear,
  load,
  nonNegative,
  not,
  operandsOf,
  positiveModulo,
  provedNonNegative,
  saidBy,
  scalarOrder,
  termsOf,
  unionScans,
  type Interval,
} from "./scalar.ts";
import type {
  Compute,
  Dim,
  Extent,
  GraphProgram,
  Integer,
  Load,
  Node,
  Result,
  Scalar,
  Scan,
  Scatter,
  Shape,
  Source,
  Variable,
} from "./types.ts";

export const verify = (program: GraphProgram): void => withinProgram(program, () => check(program));
function check(program: GraphProgram): void {
  const roots = rootsOf(program);
  const order = topological(roots);
  const state: Checked = {
    scalars: new Set(),
    needsGuard: new Set(),
    scans: new Set(),
    dims: new Set(program.dims),
    inputs: new Set<Node>(program.inputs),
    done: new Set(),
    program: program.name,
  };
  for (const source of program.inputs) at(source, state, () => checkSource(source, state));
  for (const node of order) {
    at(node, state, () => {
      for (const x of inputs(node))
        if (!state.done.has(x) && x !== node) fail(`reads ${nameOf(x)}, which depends on it`);
      checkNode(node, state);
    });
    state.done.add(node);
  }
  for (const node of roots)
    at(
      node,
      state,
      () => node.scans.size === 0 || fail("is a result of the program but belongs to the body of a scan"),
    );
  const names = new Set<string>();
  for (const o of program.outputs)
    at(o.node, state, () => (names.has(o.name) ? fail(`is a second output called ${o.name}`) : names.add(o.name)));
  const targets = new Set<Source>();
  for (const { target, value, at: places } of program.updates)
    at(value, state, () => {
      if (target.role !== "parameter" && target.role !== "state")
        fail(`updates ${target.path}, which is no parameter or state but ${target.role}`);
      if (targets.has(target)) fail(`updates ${target.path} a second time`);
      targets.add(target);
      if (value.dtype !== target.dtype || (!places && !sameShape(value.shape, target.shape)))
        fail(`updates ${target.path}: ${target.dtype}${shapeText(target.shape)}`);
      if (places) checkPlaces(places, target, value, state);
    });
}

interface Checked {
  readonly scalars: Set<Scalar>; // whose own form is checked
  readonly needsGuard: Set<Scalar>; // with a load below that a guard must protect
  readonly scans: Set<Scan>;
  readonly dims: ReadonlySet<Dim>;
  readonly inputs: ReadonlySet<Node>;
  readonly done: Set<Node>;
  readonly program: string;
}
class Broken extends Error {}
const fail = (text: string): never => {
  throw new Broken(text);
};
const nameOf = (node: Node): string => (node.kind === "source" ? node.path || "const" : (node.label ?? node.kind));
const names: Names = { node: nameOf, step: () => "t" };
const text = (e: Scalar): string => scalarText(e, names, (p) => `a${p}`).text;
function at(node: Node, state: Checked, check: () => unknown): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    throw new InternalError(
      `${state.program}: ${nameOf(node)} ${error.message}\n  ${printNode(node, names).join("\n  ").slice(0, 2000)}`,
    );
  }
}
const sameSet = <T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean =>
  a.size === b.size && [...a].every((x) => b.has(x));

// ---------------------------------------------------------------- nodes

function checkNode(node: Node, state: Checked): void {
  checkShape(node.shape, state);
  switch (node.kind) {
    case "source":
      return checkSource(node, state);
    case "reshape": {
      if (node.operand.kind === "reshape") fail("is a reshape of a reshape");
      if (node.dtype !== node.operand.dtype) fail(`has another dtype than ${nameOf(node.operand)}`);
      if (!sameCount(node.shape, node.operand.shape))
        fail(`has another number of elements than ${shapeText(node.operand.shape)}`);
      if (!sameSet(node.scans, node.operand.scans)) fail("belongs to other scans than its operand");
      return;
    }
    case "compute":
      return checkCompute(node, state);
    case "scatter":
      return checkScatter(node, state);
    case "result":
      return checkResult(node, state);
    default:
      return node satisfies never;
  }
}
function checkShape(shape: Shape, state: Checked): void {
  for (const n of shape) {
    if (typeof n === "number") {
      if (!Number.isInteger(n) || n < 0) fail(`has an axis of ${n}`);
    } else if (n.kind === "affine") {
      if (!n.terms.length) fail("has a constant extent that is not a number");
      for (const [atom, k] of n.terms) {
        if (atom.kind !== "dim") fail("has an extent that is not affine in dims");
        if (!Number.isInteger(k)) fail("has an extent with a fractional coefficient");
        if (!state.dims.has(atom as Dim))
          fail(`has an extent of ${(atom as Dim).name}, which is no dim of the program`);
      }
    } else if (n.kind !== "dim") fail("has an extent that is no number, dim or affine form");
    else if (!state.dims.has(n)) fail(`has the axis ${n.name}, which is no dim of the program`);
  }
}
/** Products of extents are polynomials in the dims: equal at a few points far apart means equal. */
function sameCount(a: Shape, b: Shape): boolean {
  const value = (n: Extent, x: number): number =>
    typeof n === "number"
      ? n
      : n.kind === "dim"
        ? x + (n.id % 7)
        : n.terms.reduce((sum, [atom, k]) => sum + k * value(atom as Extent, x), n.constant);
  return [13, 101, 997].every(
    (x) => a.reduce<number>((p, n) => p * value(n, x), 1) === b.reduce<number>((p, n) => p * value(n, x), 1),
  );
}
function checkSource(node: Source, state: Checked): void {
  if (node.role === "carry") {
    if (node.scans.size !== 1) fail("is a carry of no scan, or of several");
    return;
  }
  if (node.scans.size) fail("is a source inside a scan");
  if (node.role === "constant") {
    if (!node.data) fail("is a constant without data");
    const count = node.shape.reduce<number>((p, n) => p * (n as number), 1);
    if (node.data!.length !== count) fail(`has ${node.data!.length} values instead of ${count}`);
    if (node.dtype !== "f32" && node.data!.some((x) => !Number.isInteger(x)))
      fail(`has a value that is no ${node.dtype}`);
  } else if (!state.inputs.has(node)) fail("is read but no input of the program");
}
function checkCompute(node: Compute, state: Checked): void {
  const { reduction, body } = node;
  if (reduction) {
    checkShape(reduction.extents, state);
    if (!reduction.extents.length) fail("reduces over no axis");
    if (reduction.extents.includes(1)) fail("reduces over an axis of 1");
    if (body.dtype === "bool") fail(`has the ${reduction.op} of a bool`);
    if (reduction.op === "prod" && body.dtype !== "f32") fail("is a product of integers");
  }
  const dtype = reduction?.op === "argmax" || reduction?.op === "argmin" ? "i32" : body.dtype;
  if (node.dtype !== dtype) fail(`is declared ${node.dtype} but computes ${dtype}`);
  checkScalars([body], canonicalAxes([...node.shape, ...(reduction?.extents ?? [])]), state);
  if (!sameSet(node.scans, body.scans)) fail("belongs to other scans than its body");
}
function checkScatter(node: Scatter, state: Checked): void {
  checkShape(node.over, state);
  if (node.indices.length !== node.shape.length)
    fail(`has ${node.indices.length} indices for rank ${node.shape.length}`);
  if (node.value.dtype !== node.dtype || node.dtype === "bool") fail("scatters values of another dtype");
  for (const e of node.indices) if (e.dtype !== "i32") fail("is scattered at an index that is no integer");
  const axes = canonicalAxes(node.over);
  for (const v of axes)
    if (!node.indices.some((e) => e.variables.has(v))) fail("has an axis that its indices do not mention");
  checkScalars([...node.indices, node.value], axes, state, isGuard(node.value) ? conjuncts(node.value.condition) : []);
  if (!sameSet(node.scans, unionScans([node.value.scans, ...node.indices.map((e) => e.scans)])))
    fail("belongs to other scans than its scalars");
}
/** That no two are the same is the evaluator's to see. */
function checkPlaces(places: readonly Integer[], target: Source, value: Node, state: Checked): void {
  if (places.length !== target.shape.length) fail(`goes to ${places.length} indices of ${target.path}`);
  const axes = canonicalAxes(value.shape);
  for (const v of axes)
    if (!places.some((e) => e.variables.has(v))) fail("has an axis that the places of its update do not mention");
  checkScalars(places, axes, state);
}
const canonicalAxes = (shape: Shape): ReadonlySet<Variable> =>
  new Set(shape.map((n, i) => axis(i, n)).filter((v) => v.extent !== 1));

function checkResult(node: Result, state: Checked): void {
  const { scan, of } = node;
  if (!state.scans.has(scan)) {
    state.scans.add(scan);
    checkScan(scan, state);
  }
  const like = of.kind === "stack" ? of.node : scan.carries[of.carry]?.incoming;
  if (!like) return fail("reads a carry that its scan does not have");
  const shape = of.kind === "final" ? like.shape : [of.kind === "stack" ? scan.count : scan.count + 1, ...like.shape];
  if (!sameShape(node.shape, shape) || node.dtype !== like.dtype) fail(`is not ${like.dtype}${shapeText(shape)}`);
  if (of.kind === "stack") {
    if (!of.node.scans.has(scan)) fail(`stacks ${nameOf(of.node)}, which does not belong to the scan`);
    for (const s of of.node.scans)
      if (s !== scan && !scan.scans.has(s) && !node.scans.has(s)) fail("stacks a node of another scan");
  }
  if (node.scans.has(scan)) fail("is a result inside of its own scan");
}
function checkScan(scan: Scan, state: Checked): void {
  if (!Number.isInteger(scan.count) || scan.count < 1) fail(`has a scan of ${scan.count} steps`);
  if (scan.step.extent !== scan.count || !scan.step.scans.has(scan) || scan.step.scans.size !== 1)
    fail("has a scan whose step is not its own");
  for (const { initial, incoming, next } of scan.carries) {
    if (incoming.role !== "carry" || !incoming.scans.has(scan))
      fail(`has a carry ${incoming.path} that is not its scan's own`);
    for (const x of [initial, next])
      if (x.dtype !== incoming.dtype || !sameShape(x.shape, incoming.shape))
        fail(`has a carry ${incoming.path} whose types differ`);
    for (const x of [initial, next])
      if (!contains(incoming, x)) fail(`has a carry ${incoming.path} whose values may leave its declared range`);
    if (initial.scans.has(scan)) fail(`has a carry ${incoming.path} whose initial value lies inside the scan`);
    for (const x of [initial, next])
      for (const s of x.scans)
        if (s !== scan && !scan.scans.has(s)) fail(`has a carry ${incoming.path} that belongs to another scan`);
  }
  if (scan.scans.has(scan)) fail("has a scan inside itself");
  checkShape(
    scan.carries.flatMap((c) => c.incoming.shape),
    state,
  );
}

/** Every value of x lies in the range that the carry declares. */
function contains(carry: Source, x: Node): boolean {
  if (carry.dtype !== "i32" || !carry.range) return true;
  const element = load(
    x,
    x.shape.map(() => 0),
  ) as Integer; // stands for any element: a load is bounded by its tensor's range
  return (
    (carry.range.low === -Infinity || provedNonNegative(iadd(element, -carry.range.low))) &&
    (carry.range.high === Infinity || provedNonNegative(isub(asExtentInteger(carry.range.high), element)))
  );
}
const asExtentInteger = (high: NonNullable<Source["range"]>["high"]): Integer =>
  typeof high === "number" ? integer(high) : high;

// ---------------------------------------------------------------- scalars

function checkScalars(
  roots: readonly Scalar[],
  axes: ReadonlySet<Variable>,
  state: Checked,
  holds: readonly Scalar[] = [],
): void {
  for (const root of roots)
    for (const v of root.variables) {
      if (v.position === undefined) fail(`has the fresh variable ${v.name}`);
      if (!axes.has(v))
        fail(
          `mentions the axis ${v.position} of extent ${typeof v.extent === "number" ? v.extent : "?"}, which it does not have`,
        );
    }
  const { needsGuard } = state;
  const unproved: Load[] = [];
  for (const e of scalarOrder(roots, (x) => (state.scalars.has(x) && !needsGuard.has(x) ? [] : operandsOf(x)))) {
    if (!state.scalars.has(e)) {
      state.scalars.add(e);
      checkScalar(e, state);
    }
    if (e.kind === "load" && !e.outside && !isTrue(inRange(e.tensor, e.indices))) {
      unproved.push(e);
      needsGuard.add(e);
    } else if (operandsOf(e).some((x) => needsGuard.has(x))) needsGuard.add(e);
  }
  if (unproved.length) checkGuards(roots, unproved, holds);
}
function checkScalar(e: Scalar, state: Checked): void {
  const integers = (xs: readonly Scalar[]): void => {
    for (const x of xs) if (x.dtype !== "i32") fail(`has ${text(e)}, of a ${x.dtype} where an integer is needed`);
  };
  switch (e.kind) {
    case "literal":
      if (e.dtype === "i32") fail("has an i32 literal");
      return; // may be no number: sqrt(-1) of a program is none, and constructors make no other
    case "dim":
      if (!state.dims.has(e)) fail(`mentions ${e.name}, which is no dim of the program`);
      return;
    case "variable":
      if (e.position === undefined && !e.scans.size) fail(`has the fresh variable ${e.name}`);
      return;
    case "affine": {
      integers(e.terms.map(([atom]) => atom));
      if (!Number.isInteger(e.constant) || e.terms.some(([, k]) => !Number.isInteger(k) || k === 0))
        fail(`has ${text(e)}, whose coefficients are no integers`);
      if (e.terms.some(([atom]) => atom.kind === "affine")) fail(`has ${text(e)}, an affine form of an affine form`);
      for (let i = 1; i < e.terms.length; i++)
        if (e.terms[i - 1]![0].id >= e.terms[i]![0].id) fail(`has ${text(e)}, whose terms are not in order`);
      if (e.constant === 0 && e.terms.length === 1 && e.terms[0]![1] === 1)
        fail(`has ${text(e)}, an atom written as an affine form`);
      return;
    }
    case "floor_div":
    case "modulo":
      integers([e.operand]);
      if (!Number.isInteger(e.divisor) || e.divisor < 2) fail(`has ${text(e)}, whose divisor is below 2`);
      return;
    case "non_negative":
    case "equal_zero":
      return integers([e.operand]);
    case "and":
      if (
        e.operands.length < 2 ||
        e.operands.some((x) => x.dtype !== "bool" || x.kind === "and" || x.kind === "literal")
      )
        fail(`has ${text(e)}, which is no normal conjunction`);
      return;
    case "not":
      if (e.operand.dtype !== "bool") fail(`has the negation of a ${e.operand.dtype}`);
      return;
    case "call": {
      if (e.operands.length !== e.fn.operands.length)
        fail(`has ${text(e)}, with ${e.operands.length} operands instead of ${e.fn.operands.length}`);
      let number: Scalar | undefined;
      e.operands.forEach((x, i) => {
        const wanted = e.fn.operands[i]!;
        if (wanted === "number") {
          if (x.dtype === "bool" || (number && number.dtype !== x.dtype))
            fail(`has ${text(e)}, whose operands do not fit`);
          number = x;
        } else if (x.dtype !== wanted) fail(`has ${text(e)}, with a ${x.dtype} for a ${wanted}`);
      });
      const dtype = e.fn.result === "same" ? number!.dtype : e.fn.result;
      if (dtype !== e.dtype) fail(`has ${text(e)}, declared ${e.dtype} but ${dtype}`);
      return;
    }
    case "select":
      if (e.condition.dtype !== "bool") fail(`has ${text(e)}, whose condition is a ${e.condition.dtype}`);
      if (e.then.dtype !== e.dtype || e.otherwise.dtype !== e.dtype) fail(`has ${text(e)}, whose arms differ in dtype`);
      return;
    case "load":
      integers(e.indices);
      if (e.indices.length !== e.tensor.shape.length)
        fail(`has ${text(e)}, with ${e.indices.length} indices for rank ${e.tensor.shape.length}`);
      if (e.dtype !== e.tensor.dtype || (e.outside && e.outside.dtype !== e.dtype))
        fail(`has ${text(e)}, whose dtypes differ`);
      for (const s of e.tensor.scans) if (!e.scans.has(s)) fail(`has ${text(e)}, which hides a scan`);
      return;
    case "random":
      integers([e.seed, e.step, ...e.indices]);
      if (e.indices.length !== e.extents.length)
        fail(`has ${text(e)}, with ${e.indices.length} indices for ${e.extents.length} extents`);
      if (!Number.isInteger(e.site) || e.site < 0 || e.site > 0xffffffff) fail(`has ${text(e)}, whose site is no u32`);
      return;
    case "local":
      return fail(`has the local ${e.name}, which only kernels have`);
    default:
      return e satisfies never;
  }
}

// ---------------------------------------------------------------- ranges under guards

/**
 * What holds around a scalar: a set of conditions for every way from a root to it. A way through `select(c, a, b)` adds c or not c; in a
 * conjunction an operand guards those whose loads are nested deeper. The ways to one load are few; beyond a limit only what is common to all of them counts.
 */
function guardsAround(
  roots: readonly Scalar[],
  wanted: ReadonlySet<Scalar>,
  holds: readonly Scalar[] = [],
): Map<Scalar, readonly ReadonlySet<Scalar>[]> {
  const order = scalarOrder(roots);
  const leads = new Set<Scalar>();
  for (const e of order) if (wanted.has(e) || operandsOf(e).some((x) => leads.has(x))) leads.add(e);
  const ways = new Map<Scalar, ReadonlySet<Scalar>[]>();
  for (const root of roots) ways.set(root, [new Set(root.dtype === "i32" ? holds : [])]);
  const keyOf = (way: ReadonlySet<Scalar>): string =>
    [...way]
      .map((c) => c.id)
      .sort((a, b) => a - b)
      .join(",");
  const pass = (to: Scalar, from: readonly ReadonlySet<Scalar>[], more: readonly Scalar[]): void => {
    if (!leads.has(to)) return;
    const known = new Map((ways.get(to) ?? []).map((way) => [keyOf(way), way]));
    for (const way of from) {
      const longer = more.length ? new Set([...way, ...more]) : way;
      known.set(keyOf(longer), longer);
    }
    let list = [...known.values()];
    if (list.length > 64) list = [list.reduce((a, b) => new Set([...a].filter((c) => b.has(c))))];
    ways.set(to, list);
  };
  for (let i = order.length - 1; i >= 0; i--) {
    const e = order[i]!;
    const from = ways.get(e);
    if (!from || !leads.has(e)) continue;
    if (e.kind === "select") {
      pass(e.condition, from, []);
      pass(e.then, from, conjuncts(e.condition));
      pass(e.otherwise, from, conjuncts(not(e.condition)));
    } else if (e.kind === "and") {
      for (const x of e.operands) {
        const depth = loadDepth(x);
        pass(x, from, depth ? e.operands.filter((y) => loadDepth(y) < depth) : []);
      }
    } else for (const x of operandsOf(e)) pass(x, from, []);
  }
  return ways;
}
const depthsOf = remembered<Scalar, number>();
/** How deep loads are nested in a scalar: 0 for none, 2 for a[b[i]]. */
function loadDepth(e: Scalar): number {
  const depths = depthsOf();
  const deepest = (x: Scalar): number => operandsOf(x).reduce((most, y) => Math.max(most, depths.get(y)!), 0);
  return bottomUp(e, depths, (x) => deepest(x) + Number(x.kind === "load"));
}
function checkGuards(roots: readonly Scalar[], loads: readonly Load[], holds: readonly Scalar[]): void {
  const ways = guardsAround(roots, new Set(loads), holds);
  for (const l of loads)
    for (const way of ways.get(l) ?? [])
      for (const [d, index] of l.indices.entries())
        for (const bound of [index, iadd(extentInteger(l.tensor.shape[d]!), -1, imul(index, -1))])
          if (!provedNonNegative(bound) && !implied(bound, way))
            fail(
              `has ${text(l)}, which may be out of range: ${text(nonNegative(bound))} is not proved by ${[...way].map(text).join(" and ") || "any guard"}`,
            );
}
const implied = (e: Integer, way: ReadonlySet<Scalar>): boolean =>
  impliedBy(e, way, 1) || (byEnumeration(e, way) ?? impliedBy(e, way));
/** The answer by trying every value of the variables, data counting as one of them; undefined where there are too many. */
function byEnumeration(e: Integer, conditions: ReadonlySet<Scalar>, limit = 1 << 16): boolean | undefined {
  const usable = [...conditions].filter(
    (c) =>
      c.kind === "non_negative" ||
      c.kind === "equal_zero" ||
      (c.kind === "not" && (c.operand.kind === "equal_zero" || c.operand.kind === "non_negative")),
  );
  // conditions that share something with e, or with such conditions
  const leaves = new Set(leavesOf(e));
  const related = new Set<Scalar>();
  for (let again = true; again;) {
    again = false;
    for (const c of usable) {
      if (related.has(c) || !leavesOf(c).some((v) => leaves.has(v))) continue;
      related.add(c);
      for (const v of leavesOf(c)) leaves.add(v);
      again = true;
    }
  }
  const axes = [...leaves].map((v) => ({ v, ...interval(v) }));
  if (!(axes.reduce((n, { low, high }) => n * (high - low + 1), 1) <= limit)) return undefined;
  const order = scalarOrder([e, ...related], (x) => (isLeaf(x) ? [] : operandsOf(x)));
  const slot = new Map(order.map((x, i) => [x, i]));
  const values = new Float64Array(order.length);
  const at = (x: Scalar): number => values[slot.get(x)!]!;
  const operations = order.map((x) => (isLeaf(x) ? undefined : integerOperation(x, slot, values)));
  for (const { v, low } of axes) values[slot.get(v)!] = low;
  for (;;) {
    for (let i = 0; i < operations.length; i++) {
      const run = operations[i];
      if (run) values[i] = run();
    }
    if (at(e) < 0 && [...related].every((c) => at(c) === 1)) return false;
    let k = 0;
    for (; k < axes.length; k++) {
      const { v, low, high } = axes[k]!;
      const next = at(v) + 1;
      values[slot.get(v)!] = next > high ? low : next;
      if (next <= high) break;
    }
    if (k === axes.length) return true;
  }
}
const isLeaf = (x: Scalar): x is Integer =>
  x.dtype === "i32" && x.kind !== "affine" && x.kind !== "floor_div" && x.kind !== "modulo";
const leavesOf = (e: Scalar): Integer[] => scalarOrder([e], (x) => (isLeaf(x) ? [] : operandsOf(x))).filter(isLeaf);
function integerOperation(x: Scalar, slot: ReadonlyMap<Scalar, number>, values: Float64Array): () => number {
  const of = (y: Scalar): number => slot.get(y)!;
  switch (x.kind) {
    case "affine": {
      const terms = x.terms.map(([atom, k]) => [of(atom), k] as const);
      return () => {
        let sum = x.constant;
        for (const [i, k] of terms) sum += k * values[i]!;
        return sum;
      };
    }
    case "floor_div": {
      const i = of(x.operand);
      return () => Math.floor(values[i]! / x.divisor);
    }
    case "modulo": {
      const i = of(x.operand);
      return () => positiveModulo(values[i]!, x.divisor);
    }
    case "non_negative": {
      const i = of(x.operand);
      return () => Number(values[i]! >= 0);
    }
    case "equal_zero": {
      const i = of(x.operand);
      return () => Number(values[i] === 0);
    }
    case "and": {
      const all = x.operands.map(of);
      return () => Number(all.every((i) => values[i] === 1));
    }
    case "not": {
      const i = of(x.operand);
      return () => 1 - values[i]!;
    }
    default:
      throw new InternalError(`verify: ${x.kind} is no integer`);
  }
}
/** Bounds of an integer where the conditions hold: each condition bounds each of its atoms, given the others. */
export function intervalUnder(e: Integer, conditions: ReadonlySet<Scalar>): Interval {
  const bounds = new Map<Scalar, Interval>();
  const go = (x: Integer): Interval => {
    const own = bounds.get(x);
    if (own || (x.kind !== "affine" && x.kind !== "floor_div")) return own ?? interval(x);
    if (x.kind === "floor_div") {
      const a = go(x.operand);
      return { low: Math.floor(a.low / x.divisor), high: Math.floor(a.high / x.divisor) };
    }
    let low = x.constant;
    let high = x.constant;
    for (const [atom, k] of x.terms) {
      const a = go(atom);
      low += k * (k > 0 ? a.low : a.high);
      high += k * (k > 0 ? a.high : a.low);
    }
    return { low, high };
  };
  for (let again = true, round = 0; again && round < 4; round++) {
    again = false;
    for (const c of conditions) {
      const said = saidBy(c);
      if (!said) continue;
      for (const [atom, k] of termsOf(said.form)) {
        const others = go(
          linear([
            [said.form, 1],
            [atom, -k],
          ]),
        ); // k atom + others >= 0
        const known = go(atom);
        const least = -others.high / k;
        const most = said.isZero ? -others.low / k : NaN;
        const [a, b] = k > 0 ? [least, most] : [most, least];
        const low = Number.isNaN(a) ? known.low : Math.max(known.low, Math.ceil(a));
        const high = Number.isNaN(b) ? known.high : Math.min(known.high, Math.floor(b));
        if (low <= known.low && high >= known.high) continue;
        bounds.set(atom, { low, high });
        again = true;
      }
    }
  }
  return go(e);
}
/** Is e >= 0 wherever the conditions hold? Bounds are added up, weighted so that an atom of e goes; a floor is opened: floor(x / m) <= r is x <= m r + m - 1. */
export function impliedBy(e: Integer, conditions: ReadonlySet<Scalar>, depth = 3): boolean {
  if (provedNonNegative(e) || intervalUnder(e, conditions).low >= 0) return true;
  if (depth === 0) return false;
  const facts: Integer[] = [];
  for (const c of conditions) {
    const said = saidBy(c);
    if (said) facts.push(said.form, ...(said.isZero ? [imul(said.form, -1)] : []));
  }
  const terms = termsOf(e);
  for (const [atom, k] of terms) {
    if (atom.kind !== "floor_div" || Math.abs(k) !== 1) continue;
    const rest = linear([
      [e, -k],
      [atom, 1],
    ]); // e = k (floor(x / m) - rest)
    const x = linear(
      [
        [atom.operand, k],
        [rest, -k * atom.divisor],
      ],
      k > 0 ? 0 : atom.divisor - 1,
    );
    if (impliedBy(x, conditions, depth - 1)) return true;
  }
  for (const f of facts)
    for (const [atom, k] of termsOf(f)) {
      const own = terms.find(([x]) => x === atom)?.[1];
      if (own === undefined || own * k <= 0) continue;
      const g = greatestCommonDivisor(own, k);
      // e >= 0 follows from f >= 0 and (|k| e - |own| f) / g >= 0
      const rest = linear([
        [e, Math.abs(k) / g],
        [f, -Math.abs(own) / g],
      ]);
      const smaller = new Set(
        [...conditions].filter((c) => {
          const form = saidBy(c)?.form;
          return !form || (form !== f && imul(form, -1) !== f);
        }),
      );
      if (impliedBy(rest, smaller, depth - 1)) return true;
    }
  return false;
}
