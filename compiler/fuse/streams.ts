// Streams: tensors that are never whole in memory. A softmax between two contractions needs its scores only a tile at a time: what reduces them (a fold)
// computes them anew where it reads them. In: the nodes of a program. Out: which tensors are computed in their readers (`wide`), and how each fold
// runs over them: `row`, the axis that workgroups take tiles of; `stream`, the reduced axis that they walk.
import { inputs, loadsIn, topological } from "../graph/node.ts";
import {
  axis,
  inRange,
  isCall,
  load,
  mul,
  substitute,
  neg,
  scalarOrder,
  select,
  sub,
  add,
  div,
  literal,
  operandsOf,
} from "../graph/scalar.ts";
import type { Compute, Load, Node, Scalar, Variable } from "../graph/types.ts";
import { Inliner, isContraction, sizeOf } from "./storage.ts";

/** A reduction over wide tensors. Its scalars are over its own axes. */
export interface Fold {
  readonly node: Compute;
  readonly op: "sum" | "max";
  readonly grid: readonly Variable[]; // axes that workgroups take one element of; one of a run-time size comes first
  readonly row: Variable;
  readonly extras: readonly Variable[]; // axes of the result that no wide tensor has
  readonly serial: readonly Variable[]; // reduced axes that are walked one element after the other
  readonly stream: Variable;
  readonly wide: Scalar; // what is summed is wide * rest; wide has none of `extras`
  readonly rest: Scalar | undefined;
}
export interface Streams {
  readonly wide: ReadonlySet<Node>;
  readonly folds: ReadonlyMap<Node, Fold>;
}
/** Tensors of a softmax with what reads them: all or none of them are wide. */
export interface Family {
  readonly contractions: readonly Compute[];
  readonly wide: ReadonlySet<Node>;
  readonly folds: readonly Fold[];
}

/** `kept`: what has to be in memory. */
export function findStreams(
  order: readonly Node[],
  kept: ReadonlySet<Node>,
  isWorth: (family: Family) => boolean,
): Streams {
  const users = usersIn(order);
  const wide = new Set<Node>();
  const folds = new Map<Node, Fold>();
  for (const circle of circlesIn(order, users, kept)) {
    const family = familyOf(circle, users, kept);
    if (!family || !isWorth(family)) continue;
    for (const x of family.wide) wide.add(x);
    for (const fold of family.folds) folds.set(fold.node, fold);
  }
  return { wide, folds };
}
export type Users = ReadonlyMap<Node, readonly Node[]>;
export function usersIn(order: readonly Node[]): Users {
  const users = new Map<Node, Node[]>();
  for (const x of order) for (const y of inputs(x)) users.get(y)?.push(x) ?? users.set(y, [x]);
  return users;
}
/** Of sizes that are known, but for one. */
const isKnown = (x: Node): boolean => x.shape.filter((n) => typeof n !== "number").length <= 1;
const isWideContraction = (x: Node): x is Compute =>
  x.kind === "compute" && x.dtype === "f32" && isContraction(x) && isKnown(x) && !loadsIn(x).some((l) => l.outside);

// ---- families

/** What computes with contractions element by element, what reduces that, and what looks at single elements. */
export interface Circle {
  readonly contractions: ReadonlySet<Compute>;
  readonly wide: ReadonlySet<Node>;
  readonly reductions: ReadonlySet<Compute>;
  readonly picks: ReadonlySet<Compute>;
}
/** The softmaxes of a program: where a maximum is taken. */
export function circlesIn(order: readonly Node[], users: Users, kept: ReadonlySet<Node>): readonly Circle[] {
  const reaches = nearMaxima(order, users, kept).flatMap((x) => reachOf(x, users, kept) ?? []);
  const union = <T>(parts: readonly Circle[], of: (c: Circle) => ReadonlySet<T>): Set<T> =>
    new Set(parts.flatMap((p) => [...of(p)]));
  return connected(reaches).flatMap((parts) => {
    const circle: Circle = {
      contractions: union(parts, (p) => p.contractions),
      wide: union(parts, (p) => p.wide),
      reductions: union(parts, (p) => p.reductions),
      picks: union(parts, (p) => p.picks),
    };
    return [...circle.reductions].some((x) => x.reduction!.op === "max") ? [circle] : [];
  });
}
function reachOf(contraction: Compute, users: Users, kept: ReadonlySet<Node>): Circle | undefined {
  const wide = new Set<Node>([contraction]);
  const reductions = new Set<Compute>();
  const picks = new Set<Compute>();
  for (const x of wide)
    for (const u of users.get(x) ?? []) {
      const role = roleOf(u, x, kept);
      if (!role) return undefined;
      if (role === "reduction") reductions.add(u as Compute);
      else if (role === "wide") wide.add(u);
      else picks.add(u as Compute);
    }
  return reductions.size ? { contractions: new Set([contraction]), wide, reductions, picks } : undefined;
}
/** What a user of x is to it, if x may be wide with such a user. */
function roleOf(u: Node, x: Node, kept: ReadonlySet<Node>): "reduction" | "wide" | "pick" | undefined {
  if (u.kind !== "compute" || u.scans.size !== x.scans.size) return undefined;
  if (u.reduction) return u.reduction.op === "sum" || u.reduction.op === "max" ? "reduction" : undefined;
  if (isKnown(u) && readsWhole(u, x) && !kept.has(u)) return "wide";
  return isKnown(u) && sizeOf(u.shape) * 2 <= sizeOf(x.shape) ? "pick" : undefined;
}
const isMaximum = (x: Node): boolean => x.kind === "compute" && x.reduction?.op === "max";
/** The contractions that share what is wide with a maximum, directly or through others: what the others reach, as a residual sum, may go on through all layers. */
function nearMaxima(order: readonly Node[], users: Users, kept: ReadonlySet<Node>): readonly Compute[] {
  if (!order.some(isMaximum)) return [];
  const wideUsers = new Map<Node, readonly Node[]>();
  const open = new Set<Node>(); // what reaches a user that it must not have
  const look = (x: Node): readonly Node[] => {
    const own: Node[] = [];
    for (const u of users.get(x) ?? []) {
      const role = roleOf(u, x, kept);
      if (!role) open.add(x);
      else if (role === "wide") own.push(u);
    }
    wideUsers.set(x, own);
    return own;
  };
  const all = order.filter(isWideContraction).filter((x) => !kept.has(x));
  for (const x of topological(all, undefined, look)) if (wideUsers.get(x)!.some((u) => open.has(u))) open.add(x);
  const closed = all.filter((x) => !open.has(x));
  const neighbours = new Map<Node, Node[]>();
  const near = new Set<Node>();
  for (const x of topological(closed, undefined, (y) => wideUsers.get(y)!)) {
    const own = wideUsers.get(x)!;
    neighbours.set(x, [...own]);
    for (const u of own) neighbours.get(u)!.push(x);
    if (users.get(x)?.some(isMaximum)) near.add(x);
  }
  for (const x of near) for (const y of neighbours.get(x)!) near.add(y);
  return closed.filter((x) => near.has(x));
}
/** Is every element of u made of one of x, and the other way round? */
const readsWhole = (u: Compute, x: Node): boolean =>
  sizeOf(u.shape) === sizeOf(x.shape) &&
  loadsIn(u).every(
    (l) =>
      l.tensor !== x ||
      (!l.outside &&
        l.indices.every((e, d) => x.shape[d] === 1 || e.kind === "variable") &&
        new Set(l.indices.filter((e) => e.kind === "variable")).size === x.shape.filter((n) => n !== 1).length),
  );
/** Those that share what is wide. */
function connected(reaches: readonly Circle[]): readonly (readonly Circle[])[] {
  const setOf = new Map<Node, Circle[]>();
  const sets = new Set<Circle[]>();
  for (const r of reaches) {
    const met = new Set([...r.wide].flatMap((x) => (setOf.has(x) ? [setOf.get(x)!] : [])));
    const own = [...[...met].flat(), r];
    for (const m of met) sets.delete(m);
    sets.add(own);
    for (const part of own) for (const x of part.wide) setOf.set(x, own);
  }
  return [...sets];
}
function familyOf(circle: Circle, users: Users, kept: ReadonlySet<Node>): Family | undefined {
  const { contractions, reductions, picks } = circle;
  if (picks.size) return undefined;
  const wide = new Set(circle.wide);
  addExpansions(wide, reductions, users, kept);
  const folds: Fold[] = [];
  const inlined = inlining(wide);
  for (const x of reductions) {
    const fold = foldOf(x, inlined(x.body), contractions);
    if (!fold) return undefined;
    folds.push(fold);
  }
  return { contractions: [...contractions], wide, folds };
}
/** With what is wide written out, but for contractions: a load that may lie outside of one becomes a choice. */
export function inlining(wide: ReadonlySet<Node>): (e: Scalar) => Scalar {
  const inliner = new Inliner({ has: (x) => !wide.has(x) });
  return (e) =>
    substitute(inliner.scalar(e), new Map(), (l, indices, outside) =>
      outside && wide.has(l.tensor) ? select(inRange(l.tensor, indices), load(l.tensor, indices), outside) : undefined,
    );
}
/** Masks, biases and draws that are larger than what they are made of, and that nothing else reads. */
function addExpansions(wide: Set<Node>, folds: ReadonlySet<Node>, users: Users, kept: ReadonlySet<Node>): void {
  const isInside = (x: Node): boolean => wide.has(x) || folds.has(x);
  for (const x of [...wide, ...folds]) {
    const queue = [...inputs(x)];
    for (const y of queue) {
      if (y.kind !== "compute" || y.reduction || wide.has(y) || kept.has(y) || !isKnown(y)) continue;
      const from = new Set(inputs(y)).size ? inputs(y).reduce((n, z) => n + sizeOf(z.shape), 0) : 0;
      if (sizeOf(y.shape) < 2 * from || !(users.get(y) ?? []).every(isInside)) continue;
      wide.add(y);
      queue.push(...inputs(y));
    }
  }
}

// ---- folds

export function foldOf(node: Compute, body: Scalar, contractions: ReadonlySet<Node>): Fold | undefined {
  const { op, extents } = node.reduction!;
  const walked = new Set<Variable>();
  const loads = wideLoads(body, contractions);
  if (!loads.length || loads.some((l) => l.outside) || !isKnown(node) || node.dtype !== "f32") return undefined;
  for (const l of loads) for (const v of l.variables) walked.add(v);
  const output = node.shape.flatMap((n, i) => (n === 1 ? [] : [axis(i, n)]));
  const over = extents.map((n, i) => axis(node.shape.length + i, n));
  if (over.some((v) => !walked.has(v))) return undefined;
  const row = largest(output.filter((v) => walked.has(v)));
  const stream = largest(over);
  if (!row || !stream) return undefined;
  const extras = output.filter((v) => !walked.has(v));
  const serial = over.filter((v) => v !== stream);
  if ([...extras, ...serial].some((v) => !isNumber(v))) return undefined;
  const parts = factor(body, new Set(extras), contractions);
  if (!parts?.wide || (op === "max" && extras.length)) return undefined;
  return {
    node,
    op: op === "max" ? "max" : "sum",
    grid: output.filter((v) => walked.has(v) && v !== row).sort((a, b) => Number(isNumber(a)) - Number(isNumber(b))),
    row,
    extras,
    serial,
    stream,
    wide: parts.wide,
    rest: parts.rest,
  };
}
const largest = (list: readonly Variable[]): Variable | undefined =>
  list.filter(isNumber).sort((a, b) => (b.extent as number) - (a.extent as number))[0];
const isNumber = (v: Variable): boolean => typeof v.extent === "number";
/** The loads of contractions in it, each once. */
export const wideLoads = (e: Scalar, contractions: ReadonlySet<Node>): Load[] =>
  [...scalarOrder([e])].filter((x): x is Load => x.kind === "load" && contractions.has(x.tensor));

/** e = wide * rest, where `wide` has none of these variables. */
interface Factors {
  readonly wide?: Scalar;
  readonly rest?: Scalar;
}
function factor(e: Scalar, extras: ReadonlySet<Variable>, contractions: ReadonlySet<Node>): Factors | undefined {
  const has = (x: Scalar): boolean => [...x.variables].some((v) => extras.has(v));
  const product = (a: Scalar | undefined, b: Scalar | undefined): Scalar | undefined => (a && b ? mul(a, b) : (a ?? b));
  const go = (x: Scalar): Factors | undefined => {
    if (!has(x)) return { wide: x };
    if (!wideLoads(x, contractions).length) return { rest: x };
    if (isCall(x, "mul")) {
      const [a, b] = x.operands.map(go);
      if (!a || !b) return undefined;
      return both(product(a.wide, b.wide), product(a.rest, b.rest));
    }
    if (isCall(x, "neg")) {
      const a = go(x.operands[0]!);
      return a && both(neg(a.wide ?? literal(1)), a.rest);
    }
    if (isCall(x, "div") && !has(x.operands[1]!)) {
      const a = go(x.operands[0]!);
      return a && both(div(a.wide ?? literal(1), x.operands[1]!), a.rest);
    }
    if (x.kind === "select" && isZero(x.otherwise)) {
      const a = go(x.then);
      if (!a) return undefined;
      return has(x.condition)
        ? wideLoads(x.condition, contractions).length
          ? undefined
          : both(a.wide, select(x.condition, a.rest ?? literal(1), 0))
        : both(select(x.condition, a.wide ?? literal(1), 0), a.rest);
    }
    if (isCall(x, "add") || isCall(x, "sub")) {
      const [a, b] = x.operands.map(go);
      if (!a?.wide || !b?.wide || a.rest !== b.rest) return undefined;
      return both((isCall(x, "add") ? add : sub)(a.wide, b.wide), a.rest);
    }
    return undefined;
  };
  return go(e);
}
const both = (wide: Scalar | undefined, rest: Scalar | undefined): Factors => ({
  ...(wide ? { wide } : {}),
  ...(rest ? { rest } : {}),
});
const isZero = (e: Scalar): boolean => e.kind === "literal" && e.value === 0;

// ---- sums that follow a maximum as it grows

/**
 * Is e, as a function of `most`, a multiple of exp(-most)? Then what has been summed under a smaller maximum is right under a larger one after a
 * multiplication.
 */
export function followsMaximum(e: Scalar, most: Scalar): boolean {
  const known = new Map<Scalar, boolean>();
  const holds = (x: Scalar): boolean => {
    if (x === most) return true;
    let found = known.get(x);
    if (found === undefined) known.set(x, (found = operandsOf(x).some(holds)));
    return found;
  };
  const go = (x: Scalar): boolean => {
    if (isCall(x, "mul")) {
      const [a, b] = x.operands as [Scalar, Scalar];
      return holds(a) ? !holds(b) && go(a) : go(b);
    }
    if (isCall(x, "neg")) return go(x.operands[0]!);
    if (isCall(x, "div") || isCall(x, "div_rounded")) return !holds(x.operands[1]!) && go(x.operands[0]!);
    if (x.kind === "select") return !holds(x.condition) && isZero(x.otherwise) && go(x.then);
    if (!isCall(x, "exp")) return false;
    const [a] = x.operands as [Scalar];
    return isCall(a, "sub") && a.operands[1] === most && !holds(a.operands[0]!);
  };
  return holds(e) && go(e);
}
