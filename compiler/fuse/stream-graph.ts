// A program made ready for streams: what keeps a softmax from being computed in tiles has another form. In: a simplified program. Out: the same values by
// other sums.
//   a single element of the scores, of an index that is data, is a contraction of its own;
//   a sum over all axes of the scores is a sum of what a fold gives for each row;
//   sum k: p(i, k) * (sum d: a(i, d) * b(k, d)) is sum d: a(i, d) * o(i, d), where o(i, d) = sum k: p(i, k) * b(k, d) is there already.
import { compute, loadsIn, ownAxes, rootsOf, sameShape, topological } from "../graph/node.ts";
import { mapProgram, rebuildNode, rebuildNodes } from "../graph/rebuild.ts";
import {
  axis,
  div,
  inRange,
  isCall,
  isTrue,
  literal,
  load,
  mul,
  select,
  substitute,
  variable,
} from "../graph/scalar.ts";
import type { Compute, GraphProgram, Integer, Load, Node, Scalar, Variable } from "../graph/types.ts";
import type { Target } from "../kernel/target.ts";
import { freshAxes, ontoAxes, type StreamAxes } from "./merge-streams.ts";
import { circlesIn, foldOf, inlining, usersIn, wideLoads, type Circle, type Fold, type Users } from "./streams.ts";
import { isWide } from "./worth.ts";

export function readyForStreams(program: GraphProgram, target: Target): GraphProgram {
  const roots = rootsOf(program);
  const order = topological(roots);
  if (!order.some((x) => x.kind === "compute" && x.reduction?.op === "max")) return program;
  const users = usersIn(order);
  const replaced = new Map<Node, Node>();
  for (const circle of circlesIn(order, users, new Set(roots)))
    if ([...circle.contractions].every((x) => !x.scans.size) && isWide(circle.contractions, target))
      change(circle, users, replaced);
  if (!replaced.size) return program;
  const swap = rebuildNodes((x, over) => {
    const to = replaced.get(x);
    if (to) return over.node(to);
    return x.kind === "result" || over.moves(x) ? rebuildNode(x, over) : x;
  });
  return mapProgram(program, swap);
}
function change(circle: Circle, users: Users, replaced: Map<Node, Node>): void {
  const inlined = inlining(circle.wide);
  for (const x of circle.picks) {
    const to = picked(x, inlined(x.body), circle);
    if (to) replaced.set(x, to);
  }
  const bodies = new Map([...circle.reductions].map((x) => [x, inlined(x.body)] as const));
  const folds = [...bodies].flatMap(([x, body]) => foldOf(x, body, circle.contractions) ?? []);
  for (const [x, body] of bodies) {
    const to = byRows(x, body, circle, bodies);
    if (to) replaced.set(x, to);
  }
  for (const fold of folds) {
    const to = replaced.has(fold.node) ? undefined : throughResult(fold, bodies, folds, circle, users);
    if (to) replaced.set(fold.node, to);
  }
}

// ---- single elements

function picked(x: Compute, body: Scalar, { contractions }: Circle): Node | undefined {
  const { output } = ownAxes(x);
  const memo = new Map<Load, Scalar>();
  const value = substitute(body, new Map(), (l, indices, outside) => {
    const from = l.tensor;
    if (outside || from.kind !== "compute" || !contractions.has(from)) return undefined;
    const at = load(from, indices) as Load;
    const known = memo.get(at);
    if (known) return known;
    const over = from.reduction!.extents.map((n) => variable(n, "k"));
    const map = new Map(
      [...from.shape, ...from.reduction!.extents].map(
        (n, i) => [axis(i, n) as Scalar, [...indices, ...over][i]!] as const,
      ),
    );
    const term = substitute(substitute(from.body, map), new Map(), (inner, where, beyond) =>
      beyond || inner.dtype !== "f32" || isTrue(inRange(inner.tensor, where))
        ? undefined
        : load(inner.tensor, where, 0),
    );
    const own = load(compute(output, { op: "sum", over }, term, { span: from.span }), axesAt(output));
    memo.set(at, own);
    return own;
  });
  return compute(output, undefined, value, { span: x.span, label: x.label });
}
const axesAt = (output: readonly Variable[]): (Integer | number)[] => output.map((v) => (v.extent === 1 ? 0 : v));

// ---- sums over all

/** A sum that has no rows as one of what is summed for each row: by a fold that is there, or by one that is made. */
function byRows(
  x: Compute,
  body: Scalar,
  { contractions }: Circle,
  bodies: ReadonlyMap<Compute, Scalar>,
): Node | undefined {
  const { output, over } = ownAxes(x);
  if (x.reduction!.op !== "sum" || over.length < 2) return undefined;
  const walked = new Set(wideLoads(body, contractions).flatMap((l) => [...l.variables]));
  const rows = output.filter((v) => walked.has(v)).reduce((n, v) => n * (v.extent as number), 1);
  const serial = over.reduce((n, v) => n * (v.extent as number), 1);
  const largest = Math.max(...over.map((v) => v.extent as number));
  if (over.some((v) => !walked.has(v) || typeof v.extent !== "number") || rows * largest >= serial) return undefined;
  for (const [y, other] of bodies) {
    const at = y === x ? undefined : placeIn(y, other, x, body);
    if (at) return compute(output, { op: "sum", over: at.over }, load(y, at.indices), { span: x.span, label: x.label });
  }
  const [stream, ...others] = [...over].sort((a, b) => (a.extent as number) - (b.extent as number)).reverse();
  const inner = compute([...output, ...others], { op: "sum", over: [stream!] }, body, { span: x.span });
  return compute(output, { op: "sum", over: others }, load(inner, axesAt([...output, ...others])), {
    span: x.span,
    label: x.label,
  });
}
/** Where y sums one axis of what x sums more of: its indices as axes of x. */
function placeIn(
  y: Compute,
  theirs: Scalar,
  x: Compute,
  body: Scalar,
): { readonly indices: readonly (Integer | number)[]; readonly over: readonly Variable[] } | undefined {
  const mine = ownAxes(x);
  const own = ownAxes(y);
  if (y.reduction!.op !== "sum" || own.over.length !== 1) return undefined;
  for (const stream of mine.over) {
    if (stream.extent !== own.over[0]!.extent) continue;
    const rest = mine.over.filter((v) => v !== stream);
    const from = own.output.filter((v) => v.extent !== 1);
    for (const onto of matches(from, [...mine.output.filter((v) => v.extent !== 1), ...rest])) {
      const map = new Map<Scalar, Scalar>([[own.over[0]!, stream], ...from.map((v, i) => [v, onto[i]!] as const)]);
      if (substitute(theirs, map) === body)
        return { indices: own.output.map((v) => (v.extent === 1 ? 0 : (map.get(v) as Integer))), over: rest };
    }
  }
  return undefined;
}
/** Every order of `onto` that has the extents of `from`. */
function matches(from: readonly Variable[], onto: readonly Variable[]): readonly (readonly Variable[])[] {
  if (from.length !== onto.length) return [];
  const [first, ...rest] = from;
  if (!first) return [[]];
  return onto
    .filter((v) => v.extent === first.extent)
    .flatMap((v) =>
      matches(
        rest,
        onto.filter((other) => other !== v),
      ).map((tail) => [v, ...tail]),
    );
}

// ---- sums that a result has already

interface Factor {
  readonly of: Scalar;
  readonly isBelow: boolean; // it divides
}
function factorsOf(e: Scalar, isBelow = false): Factor[] {
  if (isCall(e, "mul")) return e.operands.flatMap((x) => factorsOf(x, isBelow));
  if (isCall(e, "div")) return [...factorsOf(e.operands[0]!, isBelow), ...factorsOf(e.operands[1]!, !isBelow)];
  if (isCall(e, "neg")) return [{ of: literal(-1), isBelow: false }, ...factorsOf(e.operands[0]!, isBelow)];
  if (e.kind === "select" && e.otherwise.kind === "literal" && e.otherwise.value === 0 && !isBelow) {
    const holds = { of: select(e.condition, 1, 0), isBelow };
    return [holds, ...factorsOf(e.then).filter((f) => f.of !== holds.of)];
  }
  return e.kind === "literal" && e.value === 1 ? [] : [{ of: e, isBelow }];
}
const productOf = (factors: readonly Factor[]): Scalar =>
  factors.reduce<Scalar>((p, f) => (f.isBelow ? div(p, f.of) : mul(p, f.of)), literal(1));
/** `all` without `some`, or undefined where one of these is not among them. */
function without(all: readonly Factor[], some: readonly Factor[]): Factor[] | undefined {
  const left = [...all];
  for (const f of some) {
    const i = left.findIndex((g) => g.of === f.of && g.isBelow === f.isBelow);
    if (i < 0) return undefined;
    left.splice(i, 1);
  }
  return left;
}
function throughResult(
  fold: Fold,
  bodies: ReadonlyMap<Compute, Scalar>,
  folds: readonly Fold[],
  { contractions }: Circle,
  users: Users,
): Node | undefined {
  if (fold.op !== "sum" || fold.extras.length || fold.serial.length) return undefined;
  const axes = freshAxes(fold);
  const own = factorsOf(substitute(bodies.get(fold.node)!, ontoAxes(fold, axes)));
  for (const f of own) {
    const l = f.of;
    if (f.isBelow || l.kind !== "load" || l.tensor.kind !== "compute" || !contractions.has(l.tensor)) continue;
    const inner = l.tensor;
    const over = inner.reduction!.extents.map((n) => variable(n, "d"));
    const map = new Map(
      [...inner.shape, ...inner.reduction!.extents].map(
        (n, i) => [axis(i, n) as Scalar, [...l.indices, ...over][i]!] as const,
      ),
    );
    const parts = factorsOf(substitute(inner.body, map));
    const others = own.filter((g) => g !== f);
    const ofStream = (g: Factor): boolean => g.of.variables.has(axes.stream);
    const wanted = [...others.filter(ofStream), ...parts.filter(ofStream)];
    const outside = others.filter((g) => !ofStream(g));
    for (const result of folds) {
      const at = resultAt(result, wanted, over, axes, bodies);
      if (!at) continue;
      const read = finished(result, at, outside, users);
      const value = mul(productOf(parts.filter((g) => !ofStream(g))), read.value);
      return inOwnAxes(fold, axes, over, value, read.left);
    }
  }
  return undefined;
}
/** The indices of a fold whose body has just these factors. */
function resultAt(
  result: Fold,
  wanted: readonly Factor[],
  over: readonly Variable[],
  axes: StreamAxes,
  bodies: ReadonlyMap<Compute, Scalar>,
): (Integer | number)[] | undefined {
  const { node, op, extras } = result;
  const alike = (a: readonly Variable[], b: readonly Variable[]): boolean =>
    sameShape(
      a.map((v) => v.extent),
      b.map((v) => v.extent),
    );
  if (op !== "sum" || !alike(extras, over) || result.serial.length) return undefined;
  if (!alike([...result.grid, result.row, result.stream], [...axes.grid, axes.row, axes.stream])) return undefined;
  const map = ontoAxes(result, axes);
  extras.forEach((v, i) => map.set(v, over[i]!));
  const left = without(factorsOf(substitute(bodies.get(node)!, map)), wanted);
  return left?.length === 0 ? node.shape.map((n, i) => (n === 1 ? 0 : (map.get(axis(i, n)) as Integer))) : undefined;
}
/** The result, or what a node makes of it that has some of these factors in it already. */
function finished(
  { node }: Fold,
  at: readonly (Integer | number)[],
  factors: readonly Factor[],
  users: Users,
): { readonly value: Scalar; readonly left: readonly Factor[] } {
  for (const u of users.get(node) ?? []) {
    if (u.kind !== "compute" || u.reduction || !sameShape(u.shape, node.shape)) continue;
    if (
      !loadsIn(u).every(
        (l) => l.tensor !== node || l.indices.every((e, i) => node.shape[i] === 1 || e === axis(i, node.shape[i]!)),
      )
    )
      continue;
    const map = new Map(
      u.shape.map((n, i) => [axis(i, n) as Scalar, (n === 1 ? literal(0) : at[i]) as Scalar] as const),
    );
    const own = factorsOf(
      substitute(u.body, new Map([...map].filter(([v]) => v.kind === "variable" && v.extent !== 1))),
    );
    const result = own.find((f) => !f.isBelow && f.of.kind === "load" && f.of.tensor === node);
    const left =
      result &&
      without(
        factors,
        own.filter((f) => f !== result),
      );
    if (left) return { value: load(u, at), left };
  }
  return { value: load(node, at), left: factors };
}
/** factors * (sum over `over`: value), as a node with the axes of the fold. */
function inOwnAxes(
  fold: Fold,
  axes: StreamAxes,
  over: readonly Variable[],
  value: Scalar,
  factors: readonly Factor[],
): Node {
  const back = new Map<Scalar, Scalar>([...ontoAxes(fold, axes)].map(([from, to]) => [to, from]));
  const { output } = ownAxes(fold.node);
  const sum = compute(output, { op: "sum", over }, substitute(value, back), { span: fold.node.span });
  return compute(output, undefined, mul(substitute(productOf(factors), back), load(sum, axesAt(output))), {
    span: fold.node.span,
    label: fold.node.label,
  });
}
