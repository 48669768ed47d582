// Sums whose places are data: y[.., place(u), ..] += value(u), as a push form says it or as a sum under an equality of an output axis with data (a one-hot,
// a histogram, the transpose of a gather). In: a node. Out: its places and what is added, or undefined.
import { indicesOf, loadsIn } from "../graph/node.ts";
import {
  and,
  conjuncts,
  constantOf,
  holdsLoad,
  iadd,
  imul,
  integer,
  isCall,
  isGuarded,
  isub,
  inRange,
  inRangeAlone,
  isLiteral,
  linear,
  literal,
  mul,
  neg,
  select,
  substitute,
  termsOf,
  variable,
  axis,
} from "../graph/scalar.ts";
import type { Compute, Integer, Node, Scalar, Scatter, Variable } from "../graph/types.ts";
import { look } from "./rule.ts";

/** An output axis that data fixes: an update is added where 0 <= axis - at <= reach. */
interface Place {
  readonly axis: Variable;
  readonly at: Integer;
  readonly reach: number; // 0, but for the last
}
export interface PlacedSum {
  readonly output: readonly Variable[]; // the node's axes
  readonly places: readonly Place[]; // in the order of the axes
  readonly along: readonly Variable[]; // what the places change with ...
  readonly over: readonly Variable[]; // ... and what is summed at each place
  readonly batch: readonly Variable[]; // output axes that the places change with
  readonly counts: Scalar; // which updates count at all, seen with the places
  readonly value: Scalar; // under the guards that are left
}

/** Sums over run-time sizes are left: their updates have no fixed number. */
export function placedSum(x: Node): PlacedSum | undefined {
  if (x.shape.some((n) => typeof n !== "number")) return undefined;
  const found = x.kind === "scatter" ? ofScatter(x) : x.kind === "compute" ? ofSum(x) : undefined;
  return found && arranged(found);
}
interface Found {
  readonly output: readonly Variable[];
  readonly over: readonly Variable[];
  readonly places: readonly Place[];
  readonly guards: readonly Scalar[];
  readonly value: Scalar;
}
/** An axis that is an index by itself is the output's. */
function ofScatter(x: Scatter): Found | undefined {
  if (x.over.some((n) => typeof n !== "number")) return undefined;
  const output = x.shape.map((n) => variable(n, "i"));
  const at = indicesOf(output);
  const map = new Map<Scalar, Scalar>();
  const isOwn = x.indices.map((e, i) => {
    const own = e.kind === "variable" && e.position !== undefined && !map.has(e) && e.extent === x.shape[i];
    if (own) map.set(e, at[i]!);
    return own;
  });
  const all = x.over.map((n, i) => axis(i, n)).filter((v) => !map.has(v) && v.extent !== 1);
  const over = all.map((v) => variable(v.extent, "u"));
  all.forEach((v, i) => map.set(v, over[i]!));
  const go = <T extends Scalar>(e: T): T => substitute(e, map) as T;
  const places = x.indices.flatMap((e, i): Place[] => (isOwn[i] ? [] : [{ axis: output[i]!, at: go(e), reach: 0 }]));
  const value = go(x.value);
  const [guards, then] = isGuarded(value) ? [conjuncts(value.condition), value.then] : [[], value];
  return { output, over, places, guards, value: then };
}
function ofSum(x: Compute): Found | undefined {
  if (x.reduction?.op !== "sum" || x.dtype === "bool" || x.reduction.extents.some((n) => typeof n !== "number"))
    return undefined;
  const output = x.shape.map((n, i) => axis(i, n));
  const over = x.reduction.extents.map((n, i) => axis(x.shape.length + i, n));
  const opened = openGuard(
    x.body,
    (c) => placeOf(c, output, over) !== undefined || boundOf(c, output, over) !== undefined,
  );
  if (!opened) return undefined;
  const places: Place[] = [];
  const guards: Scalar[] = [];
  const isNew = (place: Place): boolean =>
    !places.some((p) => p.axis === place.axis || place.at.variables.has(p.axis) || p.at.variables.has(place.axis));
  for (const c of opened.guards) {
    const place = placeOf(c, output, over);
    if (place && isNew(place)) places.push(place);
    else guards.push(c);
  }
  const window = windowIn(guards, output, over);
  if (window && isNew(window) && places.every((p) => p.axis.position! < window.axis.position!)) places.push(window);
  places.sort((a, b) => a.axis.position! - b.axis.position!);
  return { output, over, places, guards, value: opened.value };
}
/** Two bounds of an axis, so far apart. */
function windowIn(
  guards: readonly Scalar[],
  output: readonly Variable[],
  over: readonly Variable[],
): Place | undefined {
  for (const a of guards)
    for (const b of guards) {
      const [low, high] = [boundOf(a, output, over), boundOf(b, output, over)];
      if (!low || !high || low.k !== 1 || high.k !== -1 || low.axis !== high.axis) continue;
      const reach = constantOf(iadd(low.operand, high.operand));
      if (reach !== undefined && reach >= 0 && reach <= longestReach)
        return { axis: low.axis, at: isub(low.axis, low.operand), reach };
    }
  return undefined;
}
const longestReach = 64;
/** +-axis + data >= 0 */
function boundOf(
  c: Scalar,
  output: readonly Variable[],
  over: readonly Variable[],
): { readonly axis: Variable; readonly k: number; readonly operand: Integer } | undefined {
  if (c.kind !== "non_negative" || !holdsLoad(c.operand)) return undefined;
  const own = termsOf(c.operand).filter(([atom]) => output.includes(atom as Variable));
  const [first, k] = own[0] ?? [];
  if (own.length !== 1 || Math.abs(k!) !== 1) return undefined;
  const axis = first as Variable;
  const data = isub(c.operand, imul(axis, k!));
  const isData = !data.variables.has(axis) && over.some((v) => data.variables.has(v));
  return isData ? { axis, k: k!, operand: c.operand } : undefined;
}
/** axis == at, where `at` is data of the sum and axis an output axis. */
function placeOf(c: Scalar, output: readonly Variable[], over: readonly Variable[]): Place | undefined {
  if (c.kind !== "equal_zero" || !holdsLoad(c.operand)) return undefined;
  for (const [atom, k] of termsOf(c.operand)) {
    if (Math.abs(k) !== 1 || !output.includes(atom as Variable)) continue;
    const at = linear([
      [c.operand, -k],
      [atom, 1],
    ]);
    if (!at.variables.has(atom as Variable) && over.some((v) => at.variables.has(v)) && holdsLoad(at))
      return { axis: atom as Variable, at, reach: 0 };
  }
  return undefined;
}
const isZero = (e: Scalar): boolean => isLiteral(e, 0) || constantOf(e) === 0;
/** The body as a value under guards, of which one is wanted: through products and pointwise nodes, such as one-hots. */
function openGuard(
  e: Scalar,
  isWanted: (condition: Scalar) => boolean,
  depth = 8,
): { readonly guards: readonly Scalar[]; readonly value: Scalar } | undefined {
  if (!depth) return undefined;
  const wanted = (c: Scalar): boolean => conjuncts(c).some(isWanted);
  const below = (x: Scalar): ReturnType<typeof openGuard> => openGuard(x, isWanted, depth - 1);
  if (isGuarded(e)) {
    if (wanted(e.condition)) {
      const inner = below(e.then);
      return { guards: [...conjuncts(e.condition), ...(inner?.guards ?? [])], value: inner?.value ?? e.then };
    }
    const inner = below(e.then);
    return inner && { guards: [...conjuncts(e.condition), ...inner.guards], value: inner.value };
  }
  if (e.kind === "load" && e.outside && isZero(e.outside)) {
    const inside = inRange(e.tensor, e.indices);
    if (wanted(inside)) return { guards: conjuncts(inside), value: e };
  }
  if (isCall(e, "bool_to_i32") && wanted(e.operands[0]!))
    return { guards: conjuncts(e.operands[0]!), value: integer(1) };
  if (isCall(e, "bool_to_f32") && wanted(e.operands[0]!))
    return { guards: conjuncts(e.operands[0]!), value: literal(1) };
  if (isCall(e, "neg")) {
    const inner = below(e.operands[0]!);
    return inner && { guards: inner.guards, value: neg(inner.value) };
  }
  if (isCall(e, "mul")) {
    const [a, b] = e.operands as [Scalar, Scalar];
    const [p, q] = [below(a), below(b)];
    if (!p && !q) return undefined;
    return { guards: [...(p?.guards ?? []), ...(q?.guards ?? [])], value: mul(p?.value ?? a, q?.value ?? b) };
  }
  const behind = look(e);
  return behind === e ? undefined : below(behind);
}

/** Which axes are sorted, which are summed at every place, which guards go with the places. */
function arranged({ output, over, places, guards, value }: Found): PlacedSum | undefined {
  if (!places.length) return undefined;
  const keyed = (v: Variable): boolean => places.some((p) => p.at.variables.has(v));
  const along = over.filter((v) => v.extent !== 1 && keyed(v));
  const rest = over.filter((v) => v.extent !== 1 && !keyed(v));
  const fixed = new Set(places.map((p) => p.axis));
  const batch = output.filter((v) => keyed(v));
  if (!along.length || batch.some((v) => fixed.has(v))) return undefined;
  const seen = new Set<Variable>([...along, ...batch]);
  const early = guards.filter((c) => [...c.variables].every((v) => seen.has(v) || v.scans.size > 0));
  const isSafe = places.every((p) => inRangeAlone(p.at));
  if (!isSafe && early.length < guards.length) return undefined; // a guard that stays behind may be a place's own
  const late = inRangeAlone(value) ? guards.filter((c) => !early.includes(c)) : guards;
  return {
    output,
    places,
    along,
    over: rest,
    batch,
    counts: and(...early),
    value: late.length ? select(and(...late), value, value.dtype === "i32" ? integer(0) : 0) : value,
  };
}
/** Does it read anything at a place that is data, or compare an axis with data? A quick look. */
export const mayBePlaced = (x: Node): boolean =>
  x.kind === "scatter" || (x.kind === "compute" && x.reduction?.op === "sum" && loadsIn(x).length > 0);
