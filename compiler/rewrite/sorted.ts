// Sums by places that are data, in sorted order: the updates are sorted once by where they go (stably, so that the order of every sum is fixed), and each
// place sums its stretch of them. Everything is an ordinary node: ranks within blocks by comparison and among blocks by binary search, a search for the ends
// of every stretch, a sum under two bounds, which is a loop over the stretch alone. In: a placed sum. Out: the node that takes its place.
import { compute, elementCount, indicesOf } from "../graph/node.ts";
import {
  and,
  boolean,
  equal,
  equalZero,
  floorDiv,
  iadd,
  imul,
  integer,
  isub,
  less,
  linear,
  load,
  modulo,
  mul,
  nonNegative,
  not,
  or,
  select,
  substitute,
  toF32,
  variable,
} from "../graph/scalar.ts";
import type { Integer, Node, Scalar, Variable } from "../graph/types.ts";
import type { Meta } from "../graph/shape.ts";
import type { PlacedSum } from "./places.ts";

const count = (axes: readonly Variable[]): number => elementCount(axes.map((v) => v.extent));
const nothing = (value: Scalar): Scalar | number => (value.dtype === "i32" ? integer(0) : 0);
/** The same sum with every place looking at all updates. */
export function searchedSum(s: PlacedSum, meta: Meta): Node {
  const hits = s.places.map(({ axis: v, at, reach }) => {
    const apart = isub(v.extent === 1 ? integer(0) : v, at);
    return reach ? and(nonNegative(apart), nonNegative(isub(reach, apart))) : equalZero(apart);
  });
  const body = select(and(s.counts, ...hits), s.value, nothing(s.value));
  return compute(s.output, { op: "sum", over: [...s.along, ...s.over] }, body, meta);
}
/** Of the numbers of an axis at which updates may begin: reach more than it has, the first -reach. */
const widthOf = ({ axis: v, reach }: PlacedSum["places"][number]): number => (v.extent as number) + reach;
/** Of what is summed over how many places. */
export const sizesOf = (s: PlacedSum): { readonly updates: number; readonly places: number } => ({
  updates: count(s.along),
  places: s.places.reduce((n, p) => n * widthOf(p), 1),
});
/** Numbers of a sort are below this, so that differences of them are i32. */
const most = 2 ** 30;
const rowMajor = (parts: readonly (readonly [Integer, number])[]): Integer =>
  parts.reduce<Integer>(
    (sum, [e, n]) =>
      linear([
        [sum, n],
        [e, 1],
      ]),
    integer(0),
  );
/** Axes of what this is row-major of. */
function partsOf(e: Integer, axes: readonly Variable[]): Map<Scalar, Scalar> {
  const result = new Map<Scalar, Scalar>();
  let step = 1;
  for (const v of [...axes].reverse()) {
    const quotient = step === 1 ? e : floorDiv(e, step);
    result.set(v, v === axes[0] ? quotient : modulo(quotient, v.extent as number));
    step *= v.extent as number;
  }
  return result;
}

/** Updates in the order of their places. */
interface Order {
  readonly elements: Node; // [batch.., updates]
  readonly before: (element: Integer, place: Integer) => Scalar; // does it go to a place before this one?
  readonly place: (element: Integer) => Integer; // that it goes to; one behind the last: nowhere
  readonly update: (element: Integer) => Integer; // its number
}
/** Where the updates go as one number each, or the updates themselves with where they go beside them. */
interface Elements extends Omit<Order, "elements"> {
  readonly axes: readonly Variable[]; // the batch's
  readonly row: readonly Integer[]; // over them
  readonly at: (e: Integer) => Integer; // of an update
  readonly first: (a: Integer, b: Integer) => Scalar; // does a come before b? Equal places are in the order of the updates
  readonly last: number; // the largest element
}
function elementsOf(s: PlacedSum, meta: Meta): Elements {
  const { updates, places } = sizesOf(s);
  const axes = s.batch.map((v) => variable(v.extent, "b"));
  const row = indicesOf(axes);
  // where each goes, `places` where nowhere
  const u = variable(updates, "u");
  const own = new Map<Scalar, Scalar>([
    ...partsOf(u, s.along),
    ...s.batch.map((v, i) => [v as Scalar, row[i]!] as const),
  ]);
  const inside = s.places.map((p) => and(nonNegative(iadd(p.at, p.reach)), less(p.at, p.axis.extent as number)));
  const given = rowMajor(s.places.map((p) => [iadd(p.at, p.reach), widthOf(p)]));
  const place = substitute(select(and(s.counts, ...inside), given, integer(places)), own) as Integer;
  const made = (body: Integer, high: number): ((e: Integer) => Integer) => {
    const node = compute([...axes, u], undefined, body, { ...meta, label: "places", range: { low: 0, high } });
    return (e) => load(node, [...row, e], most) as Integer;
  };
  if (places * updates + updates < most) {
    // one comparison tells the order, and all are different
    const last = (places + 1) * updates - 1;
    const at = made(
      linear([
        [place, updates],
        [u, 1],
      ]),
      last,
    );
    const before = (e: Integer, p: Integer): Scalar => less(e, imul(p, updates));
    return {
      axes,
      row,
      at,
      last,
      first: less,
      before,
      place: (e) => floorDiv(e, updates),
      update: (e) => modulo(e, updates),
    };
  }
  const at = made(place, places);
  return {
    ...{ axes, row, last: updates - 1, at: (e) => e, update: (e) => e },
    first: (a, b) => or(less(at(a), at(b)), and(equal(at(a), at(b)), less(a, b))),
    before: (e, p) => less(at(e), p),
    place: at,
  };
}

/** Ranks by comparison within blocks, then by binary search in all blocks; from ranks to the order they are searched the same way. */
function orderOf(s: PlacedSum, meta: Meta): Order {
  const { updates } = sizesOf(s);
  const { axes, row, at, first, last, ...rest } = elementsOf(s, meta);
  const block = blockOf(updates);
  const g = variable(updates, "g");
  const summed = (over: Variable, body: Integer, label: string, high: number): Node =>
    compute([...axes, g], { op: "sum", over: [over] }, body, { ...meta, label, range: { low: 0, high } });
  const read = (x: Node, e: Integer, outside: number): Integer => load(x, [...row, e], outside) as Integer;
  const when = (condition: Scalar, then: Integer): Integer => select(condition, then, integer(0)) as Integer;
  // each block by itself
  const k = variable(block, "k");
  const start = block === updates ? integer(0) : imul(floorDiv(g, block), block);
  const other = iadd(start, k);
  const isUpdate = less(other, updates);
  const rank = summed(k, when(and(isUpdate, first(at(other), at(g))), integer(1)), "rank", block - 1);
  const sorted = summed(k, when(equal(read(rank, other, -1), isub(g, start)), at(other)), "order", last);
  if (block === updates) return { elements: sorted, ...rest };
  // how many of a block, which begins there, hold
  const countOf = (from: Integer, holds: (e: Integer) => Scalar): Integer => {
    let found: Integer = integer(0);
    for (let step = block / 2; step >= 1; step /= 2) {
      const e = iadd(from, found, step - 1);
      found = select(and(less(e, updates), holds(e)), iadd(found, step), found) as Integer;
    }
    const e = iadd(from, found);
    return select(and(less(e, updates), holds(e)), iadd(found, 1), found) as Integer;
  };
  const b = variable(Math.ceil(updates / block), "b");
  const from = imul(b, block);
  const own = read(sorted, g, most);
  const ahead = countOf(from, (e) => first(read(sorted, e, most), own));
  const ranks = summed(b, ahead, "rank", updates - 1);
  const there = iadd(
    from,
    countOf(from, (e) => less(read(ranks, e, most), g)),
  );
  const isIn = and(less(there, iadd(from, block)), equal(read(ranks, there, -1), g));
  return { elements: summed(b, when(isIn, read(sorted, there, most)), "order", last), ...rest };
}
/** So many updates are ranked by comparing all of them. */
const blockOf = (updates: number): number =>
  updates <= shortOrder ? updates : 2 ** Math.round(Math.log2(2 * Math.sqrt(updates)));
const shortOrder = 256;

/** How many elements come before a place. */
function startOf(p: Integer, s: PlacedSum, { elements, before }: Order, row: readonly Integer[]): Integer {
  const { updates } = sizesOf(s);
  let found: Integer = integer(0);
  for (let step = 2 ** Math.floor(Math.log2(updates)); step >= 1; step /= 2) {
    const at = iadd(found, step - 1);
    const e = load(elements, [...row, at], most) as Integer;
    found = select(and(less(at, updates), before(e, p)), iadd(found, step), found) as Integer;
  }
  return found;
}
/** ... every place, and one behind them. */
function startsOf(s: PlacedSum, order: Order, meta: Meta): Node {
  const { updates, places } = sizesOf(s);
  const axes = s.batch.map((v) => variable(v.extent, "b"));
  const p = variable(places + 1, "p");
  const found = startOf(p, s, order, indicesOf(axes));
  return compute([...axes, p], undefined, found, { ...meta, label: "starts", range: { low: 0, high: updates } });
}

export interface SortedSum {
  readonly node: Node;
  readonly order: Node; // of the updates: one for all sums at the same places
}
/** The sum, every place's terms in the order of the updates. */
export function sortedSum(s: PlacedSum, meta: Meta): SortedSum | undefined {
  const { updates, places } = sizesOf(s);
  if (places >= most || updates >= most || updates < 2) return undefined;
  const place = meta.span ? { span: meta.span } : {};
  const order = orderOf(s, place);
  const made = (node: Node): SortedSum => ({ node, order: order.elements });
  const starts = startsOf(s, order, place);
  const at = rowMajor(s.places.map((p) => [p.axis.extent === 1 ? integer(0) : p.axis, widthOf(p)]));
  const row = indicesOf(s.batch);
  const from = load(starts, [...row, at]) as Integer;
  const to = load(starts, [...row, iadd(at, 1 + s.places.at(-1)!.reach)]) as Integer;
  if (!s.over.length && (s.value.kind === "literal" || (s.value.kind === "affine" && !s.value.terms.length))) {
    // so many times the same
    const times = isub(to, from);
    const total = s.value.kind === "affine" ? imul(times, s.value.constant) : mul(toF32(times), s.value);
    return made(compute(s.output, undefined, total, meta));
  }
  const { over, body } = stretchOf(s, order, row, from, to);
  return made(compute(s.output, { op: "sum", over }, body, meta));
}
/** The sum of the elements of the order from one on to another; `more`: what stands for axes of the value, and when it does. */
function stretchOf(
  s: PlacedSum,
  order: Order,
  row: readonly Integer[],
  from: Integer,
  to: Integer,
  more: { readonly axes: ReadonlyMap<Scalar, Scalar>; readonly when: Scalar } = {
    axes: new Map(),
    when: boolean(true),
  },
): { readonly over: readonly Variable[]; readonly body: Scalar } {
  const j = variable(sizesOf(s).updates, "j");
  const update = order.update(load(order.elements, [...row, j]) as Integer);
  const value = substitute(s.value, new Map([...partsOf(update, s.along), ...more.axes]));
  const inside = and(more.when, nonNegative(isub(j, from)), less(j, to));
  return { over: [...s.over, j], body: select(inside, value, nothing(value)) };
}

/** A sum at the places alone that something is added to: element n of the updates in order has that of its place, where it is the first which goes there. */
export interface TouchedSum extends SortedSum {
  readonly at: (own: readonly Integer[]) => readonly Integer[]; // an element of the node in the sum; outside of it where n is not the first
}
export function touchedSum(s: PlacedSum, meta: Meta): TouchedSum | undefined {
  const { updates, places } = sizesOf(s);
  if (places >= most || updates >= most || updates < 2 || s.places.at(-1)!.reach) return undefined;
  const place = meta.span ? { span: meta.span } : {};
  const order = orderOf(s, place);
  const [rows, ends] = firstsOf(s, order, place);
  const fixed = s.places.map((p) => p.axis);
  const n = variable(updates, "n");
  const output = s.output.flatMap((v) => (v === fixed[0] ? [n] : fixed.includes(v) ? [] : [v]));
  // of an element: its batch and its number among the updates, where each axis of the sum is
  const numberOf = (own: readonly Integer[]): readonly Integer[] =>
    [...s.batch, n].map((v) => (v.extent === 1 ? integer(0) : own[output.indexOf(v)]!));
  const at = (own: readonly Integer[]): readonly Integer[] => {
    const parts = partsOf(load(rows, numberOf(own)) as Integer, fixed);
    return s.output.map((v) => (parts.get(v) as Integer | undefined) ?? own[output.indexOf(v)]!);
  };
  const own = indicesOf(output);
  const seesPlaces = fixed.some((v) => s.value.variables.has(v));
  const { over, body } = stretchOf(s, order, indicesOf(s.batch), n, load(ends, numberOf(own)) as Integer, {
    axes: new Map(at(own).map((e, i) => [s.output[i]!, e])),
    when: seesPlaces ? nonNegative(load(rows, numberOf(own)) as Integer) : boolean(true),
  });
  return { node: compute(output, { op: "sum", over }, body, meta), order: order.elements, at };
}
/** Of each element of the order, where it is the first that goes to its place: this place, and where those end that go there. Else -1 and 0. */
function firstsOf(s: PlacedSum, order: Order, meta: Meta): readonly [places: Node, ends: Node] {
  const { updates, places } = sizesOf(s);
  const axes = s.batch.map((v) => variable(v.extent, "b"));
  const row = indicesOf(axes);
  const n = variable(updates, "n");
  const own = order.place(load(order.elements, [...row, n]) as Integer);
  const before = order.place(load(order.elements, [...row, isub(n, integer(1))], -1) as Integer);
  const isFirst = and(less(own, places), not(equal(own, before)));
  const range = { low: -1, high: places - 1 };
  const rows = compute([...axes, n], undefined, select(isFirst, own, integer(-1)), { ...meta, label: "rows", range });
  const at = load(rows, [...row, n]) as Integer;
  const end = select(nonNegative(at), startOf(iadd(at, 1), s, order, row), integer(0));
  return [rows, compute([...axes, n], undefined, end, { ...meta, label: "ends", range: { low: 0, high: updates } })];
}
