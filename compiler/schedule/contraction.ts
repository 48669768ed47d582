// Contractions: sums of products of two operands over axes that both have. In: a nest. Out: the same nest as a product of matrices, where the output
// axes of each operand are one axis, and so are the reduced ones; and the parts of its sums that a workgroup may bring into its own memory.
import { flatAddress, flatNest, joinAxes, named, type Nest } from "./nest.ts";
import type { Schedule } from "./schedule.ts";
import { integer, literal, operandsOf, scalarOrder, substitute, termsOf } from "../graph/scalar.ts";
import type { Integer, Load, Scalar, Variable } from "../graph/types.ts";
import { mostI32 } from "../scalar/range.ts";

/** What is read in the sum and depends on `k` and at most one of the other two axes. */
export interface Operand {
  readonly value: Scalar;
  readonly along: Variable | undefined; // m or n
  readonly fast: Variable; // the axis along which its loads walk memory step by step
  readonly isWide: boolean; // ... four neighbours at once
  readonly loads: number;
}
/** How a chunk of an operand lies in workgroup memory: row after row, the last of which may end beyond what is brought. */
export interface StagedLayout {
  readonly isAlongK: boolean; // a row is a stretch of the reduced axis, else of the operand's output axis
  readonly length: number; // of a row that is brought, elements
  readonly quads: number; // ... in fours
  readonly rows: number;
  readonly width: 1 | 4; // elements that are read at once
  readonly rowStride: number; // from a row to the next, in what is read at once
  readonly fourRowStride: number; // of four rows together, where they have padding of their own; 0: none
}
/** An operand's output axis, of which each of `threads` invocations has `tile` elements, `run` of them neighbours. */
export interface Along {
  readonly tile: number;
  readonly threads: number;
  readonly run: number;
}
/** `along`: none: a single row or element. */
export function stagedLayout(
  isAlongK: boolean,
  chunk: number,
  along: Along | undefined,
  padded: boolean,
): StagedLayout {
  const span = along ? along.threads * along.tile : 1;
  const [length, rows] = isAlongK ? [chunk, span] : [span, chunk];
  const quads = Math.ceil(length / 4);
  // rows that are read at once begin in different banks: those of one invocation, or every fourth where it has four neighbours
  const isInFours = isAlongK && along !== undefined && along.run === 4 && along.threads > 1;
  const padding = padded && isAlongK && rows > 1 ? 1 : 0;
  const row = quads + (isInFours || quads % 2 ? 0 : padding);
  const isWide = isAlongK || (along !== undefined && along.run % 4 === 0);
  return {
    isAlongK,
    length,
    quads,
    rows,
    width: isWide ? 4 : 1,
    rowStride: isWide ? row : 4 * quads,
    fourRowStride: isInFours ? 4 * row + padding : 0,
  };
}
export const alongOf = (name: string, tile: number, threads: number, quads: readonly string[]): Along => ({
  tile,
  threads,
  run: threads === 1 ? tile : quads.includes(name) ? 4 : 1,
});
/** Elements of its memory, or fours of them. */
export const sizeOfBox = ({ rows, rowStride, fourRowStride }: StagedLayout): number =>
  fourRowStride ? Math.ceil(rows / 4) * fourRowStride : rows * rowStride;
/** Steps of the reduced axis that a workgroup brings at a time, from few to many. */
export const stagedChunks = [8, 16, 32] as const;
/** Steps of a chunk that a tile of m and n writes out, at most: what these read from workgroup memory is on its way together. */
export const stepsAtOnce = (rm: number, rn: number): number =>
  [16, 8].find((steps) => rm * rn * steps <= 256 && (rm + rn) * steps <= 128) ?? 4;
export interface Contraction {
  readonly nest: Nest; // its last two output axes are m and n, its only reduced one is k
  readonly m: Variable;
  readonly n: Variable; // stored step by step, where one of the two is
  readonly k: Variable;
  readonly operands: readonly Operand[];
  readonly vanishes: boolean; // where all operands are 0 the sums do not grow
}

const known = new WeakMap<Nest, { readonly found: Contraction | undefined }>();
export function contractionOf(nest: Nest): Contraction | undefined {
  let memo = known.get(nest);
  if (!memo) {
    memo = { found: find(nest) };
    known.set(nest, memo);
    if (memo.found) known.set(memo.found.nest, memo);
  }
  return memo.found;
}
/** The nest that a schedule of this one is of. */
export const scheduledNest = (nest: Nest, { flat, joined }: Pick<Schedule, "flat" | "joined">): Nest =>
  flat ? flatNest(nest) : joined ? contractionOf(nest)!.nest : nest;

function find(nest: Nest): Contraction | undefined {
  const [group, ...more] = nest.groups;
  if (!group || more.length || group.some((s) => s.op !== "sum") || nest.spec.stores.some((s) => s.over.length))
    return undefined;
  const { over } = group[0]!;
  const parts = partition(
    nest.spec.axes,
    over,
    group.map((s) => s.value),
  );
  if (!parts) return undefined;
  const isStored = (v: Variable): boolean =>
    nest.spec.stores.some((s) =>
      termsOf(flatAddress(s.target.shape, s.indices) ?? integer(0)).some(([atom, c]) => atom === v && c === 1),
    );
  const [one, other] = parts.sides;
  const [first, second] = one.some(isStored) ? [other, one] : [one, other];
  const reduced = innermostLast(
    over,
    group.map((s) => s.value),
  );
  if (!canJoin(first) || !canJoin(second) || !canJoin(reduced)) return undefined;
  const ordered = {
    ...nest.spec,
    axes: [...parts.both, ...first, ...second],
    stages: nest.spec.stages.map((s) => ({ ...s, over: reduced })),
  };
  const joint = named([first, second, reduced].reduce(joinAxes, ordered));
  const { axes, stages } = joint.spec;
  const [m, n] = axes.slice(-2) as [Variable, Variable];
  const [k] = stages[0]!.over as readonly [Variable];
  const values = stages.map((s) => s.value);
  const operands = operandsIn(values, m, n, k);
  if (!operands) return undefined;
  const none = new Map<Scalar, Scalar>(
    operands.map(({ value }) => [value, value.dtype === "i32" ? integer(0) : literal(0)]),
  );
  return {
    nest: joint,
    m,
    n,
    k,
    operands,
    vanishes: values.every((v) => {
      const rest = substitute(v, none);
      return rest.kind === "literal" && rest.value === 0;
    }),
  };
}

interface Partition {
  readonly both: readonly Variable[];
  readonly sides: readonly [readonly Variable[], readonly Variable[]];
}
/** The output axes by the loads that depend on them: two sets that no load has in common, the largest ones, and the others. */
function partition(
  axes: readonly Variable[],
  over: readonly Variable[],
  values: readonly Scalar[],
): Partition | undefined {
  const loads = loadsIn(values).filter((e) => over.some((v) => e.variables.has(v)));
  const byLoads = new Map<string, Variable[]>();
  for (const a of axes) {
    const key = loads.map((e) => Number(e.variables.has(a))).join("");
    byLoads.set(key, [...(byLoads.get(key) ?? []), a]);
  }
  const classes = [...byLoads].filter(([key]) => key.includes("1"));
  const size = (list: readonly Variable[]): number =>
    list.reduce((n, a) => n * (typeof a.extent === "number" ? a.extent : 64), 1);
  let best: readonly [readonly Variable[], readonly Variable[]] | undefined;
  classes.forEach(([key, list], i) => {
    for (const [otherKey, others] of classes.slice(i + 1)) {
      if ([...key].some((x, l) => x === "1" && otherKey[l] === "1")) continue;
      if (!best || size(list) * size(others) > size(best[0]) * size(best[1])) best = [list, others];
    }
  });
  return best && { both: axes.filter((a) => !best!.some((side) => side.includes(a))), sides: best };
}
/** Loads that are not part of the indices of others. */
export const loadsIn = (roots: readonly Scalar[]): Load[] =>
  scalarOrder(roots, (e) => (e.kind === "load" ? [] : operandsOf(e))).filter((e) => e.kind === "load");
const canJoin = (axes: readonly Variable[]): boolean =>
  axes.slice(1).every((v) => typeof v.extent === "number") &&
  axes.reduce((n, v) => n * (typeof v.extent === "number" ? v.extent : 1), 1) <= mostI32;
/** A run-time axis first, and last the one along which most loads walk memory step by step. */
function innermostLast(over: readonly Variable[], values: readonly Scalar[]): readonly Variable[] {
  const loads = loadsIn(values);
  const walks = (v: Variable): number =>
    loads.filter((e) => quadOf(flatAddress(e.tensor.shape, e.indices), v).step === 1).length;
  const rank = (v: Variable): number => (typeof v.extent === "number" ? walks(v) : -1);
  return [...over].sort((a, b) => rank(a) - rank(b));
}

// ---------------------------------------------------------------- operands

/** The largest parts of the values that a workgroup may hold: undefined where a load depends on both m and n. */
function operandsIn(values: readonly Scalar[], m: Variable, n: Variable, k: Variable): Operand[] | undefined {
  const found = new Set<Scalar>();
  const stack = [...values];
  while (stack.length) {
    const e = stack.pop()!;
    if (!e.variables.has(k) || found.has(e)) continue;
    const mixed = e.variables.has(m) && e.variables.has(n);
    if (e.kind === "load" && mixed) return undefined;
    if (!mixed && e.dtype !== "bool" && loadsIn([e]).length) found.add(e);
    else if (e.kind !== "load") stack.push(...operandsOf(e));
  }
  return [...found].reverse().map((value): Operand => {
    const along = [m, n].find((v) => value.variables.has(v));
    const [alongK, alongOut] = [reads(value, k, k), along && reads(value, along, k)];
    const isOut = alongOut !== undefined && alongOut.score >= alongK.score;
    const { isWide, loads } = isOut ? alongOut : alongK;
    return { value, along, fast: isOut ? along! : k, isWide, loads };
  });
}
/** What reads along an axis of those loads of a value that depend on `k`. */
export interface Reading {
  readonly score: number; // the more, the more of them walk memory step by step
  readonly isWide: boolean; // ... four neighbours at once
  readonly loads: number;
}
export function reads(value: Scalar, along: Variable, k: Variable): Reading {
  const loads = loadsIn([value]).filter((e) => e.variables.has(k));
  const score = loads.reduce((sum, e) => {
    const { step, isEven } = quadOf(flatAddress(e.tensor.shape, e.indices), along);
    return sum + (step === 1 ? (isEven ? 3 : 2) : step === 0 ? 1 : 0);
  }, 0);
  return { score, isWide: score === 3 * loads.length, loads: loads.length };
}

/** An integer at four neighbours along an axis, from a multiple of four on: how far apart they are, and whether the first is a multiple of four. */
interface Quad {
  readonly step: number; // NaN: irregular
  readonly isEven: boolean;
}
function quadOf(e: Integer | undefined, v: Variable): Quad {
  if (!e) return { step: NaN, isEven: false };
  if (e === v) return { step: 1, isEven: true };
  switch (e.kind) {
    case "affine": {
      const parts = e.terms.map(([atom, c]) => ({ ...quadOf(atom, v), c }));
      return {
        step: parts.reduce((sum, { step, c }) => sum + step * c, 0),
        isEven: e.constant % 4 === 0 && parts.every(({ isEven, c }) => isEven || c % 4 === 0),
      };
    }
    case "floor_div":
    case "modulo": {
      const { step, isEven } = quadOf(e.operand, v);
      if (step === 0) return { step, isEven: e.kind === "modulo" && isEven && e.divisor % 4 === 0 };
      if (step !== 1 || !isEven || e.divisor % 4) return { step: NaN, isEven: false };
      return e.kind === "modulo" ? { step, isEven } : { step: 0, isEven: false };
    }
    default:
      return { step: e.variables.has(v) ? NaN : 0, isEven: false };
  }
}
