// Sums over windows, as convolutions are: an operand sees an output axis and a reduced one only as a sum of multiples of both. In: a nest. Out: its
// operands by such coordinates, of which a workgroup may bring what all of its windows see into its own memory, each element once.
import { greatestCommonDivisor, linear, operandsOf, substitute, termsOf } from "../graph/scalar.ts";
import type { Scalar, Variable } from "../graph/types.ts";
import { alongOf, loadsIn, reads, sizeOfBox, type Along, type StagedLayout } from "./contraction.ts";
import { threadsAlong, type Schedule } from "./schedule.ts";
import type { Nest } from "./nest.ts";

/** One variable, or an output axis and a reduced one: step * out + by * over, one of the factors being 1, or -1 of the reduced axis. */
export interface Coordinate {
  readonly out?: Variable;
  readonly step: number; // at least 1; 0 without `out`
  readonly over?: Variable;
  readonly by: number; // 0 without `over`
}
export interface WindowOperand {
  readonly value: Scalar;
  readonly k: Variable; // as of the windows
  readonly fast: Variable; // k, or an output axis: loads walk memory step by step along it
  readonly coordinates: readonly Coordinate[]; // what else it depends on
  readonly isWide: boolean; // four neighbours along `fast` are one load
  readonly loads: number;
}
export interface Windows {
  readonly operands: readonly WindowOperand[];
  readonly k: Variable; // the reduced axis that no window has, chunk by chunk of which the operands are brought
  readonly along: readonly Variable[]; // output axes of windows
  readonly across: readonly Variable[]; // reduced axes of windows
}
/** The stretch from the first to the last element that so many of the output axis see, with all of the reduced one. */
export const countOf = ({ out, step, over, by }: Coordinate, span: number): number =>
  1 + (out ? step * (span - 1) : 0) + (over ? Math.abs(by) * ((over.extent as number) - 1) : 0);

/** How a chunk of an operand lies in workgroup memory: a row for each element of its coordinates, the last of them fastest. */
export function windowLayout(
  { fast, coordinates, k }: WindowOperand,
  chunk: number,
  padded: boolean,
  alongOf: (v: Variable) => Along,
): { readonly layout: StagedLayout; readonly coordinates: readonly Counted[] } {
  const spanOf = (v: Variable): number => alongOf(v).tile * alongOf(v).threads;
  const counted: Counted[] = [];
  let rows = 1;
  for (const of of [...coordinates].reverse()) {
    const count = of.over === k ? chunk : countOf(of, of.out ? spanOf(of.out) : 1);
    counted.unshift({ of, count, apart: rows });
    rows *= count;
  }
  const isAlongK = fast === k;
  const { run = 1 } = isAlongK ? {} : alongOf(fast);
  const length = isAlongK ? chunk : spanOf(fast);
  const quads = Math.ceil(length / 4);
  const width = isAlongK || run % 4 === 0 ? 4 : 1;
  const row = quads + (padded && isAlongK && quads % 2 === 0 ? 1 : 0);
  const rowStride = width === 4 ? row : 4 * quads;
  return { layout: { isAlongK, length, quads, rows, width, rowStride, fourRowStride: 0 }, coordinates: counted };
}
/** Of workgroup memory. */
export function bytesOfWindows(nest: Nest, { operands, k }: Windows, s: Schedule): number {
  const chunk = s.staged[nest.nameOf.get(k)!]!;
  const of = (v: Variable): Along => {
    const name = nest.nameOf.get(v)!;
    return alongOf(name, s.tile[name] ?? 1, threadsAlong(s, name), s.quads);
  };
  return operands.reduce((sum, operand) => {
    const { layout } = windowLayout(operand, chunk, s.padded, of);
    return sum + 4 * layout.width * sizeOfBox(layout);
  }, 0);
}
export interface Counted {
  readonly of: Coordinate;
  readonly count: number;
  readonly apart: number; // rows from one element to the next
}

const known = new WeakMap<Nest, { readonly found: Windows | undefined }>();
export function windowsOf(nest: Nest): Windows | undefined {
  let memo = known.get(nest);
  if (!memo) known.set(nest, (memo = { found: find(nest) }));
  return memo.found;
}
const mostTaps = 64; // elements of a window

function find(nest: Nest): Windows | undefined {
  const [group, ...more] = nest.groups;
  const { axes, stores } = nest.spec;
  if (!group || more.length || group.some((s) => s.op !== "sum") || stores.some((s) => s.over.length)) return undefined;
  const { over } = group[0]!;
  if (over.length < 2 || over.some((v) => typeof v.extent !== "number")) return undefined;
  const values = operandsIn(
    group.map((s) => s.value),
    axes,
    over,
  );
  const placed = values.map((value) => ({ value, coordinates: coordinatesOf(value, axes, over) }));
  const all = placed.flatMap((x) => x.coordinates);
  const pairs = all.filter((c) => c.out && c.over);
  const along = axes.filter((v) => pairs.some((c) => c.out === v));
  const across = over.filter((v) => pairs.some((c) => c.over === v));
  if (!pairs.length || values.length < 2 || along.some((v) => typeof v.extent !== "number")) return undefined;
  if (across.reduce((n, v) => n * (v.extent as number), 1) > mostTaps) return undefined;
  const [k, ...others] = over.filter((v) => !across.includes(v));
  if (!k || others.length || (k.extent as number) % 4 || !values.every((e) => e.variables.has(k))) return undefined;
  const operands = placed.map(({ value, coordinates }): WindowOperand => {
    const free = coordinates.flatMap(({ out, over: reduced }) =>
      out && !reduced && !along.includes(out) ? [out] : [],
    );
    const best = [k, ...free]
      .map((fast) => ({ fast, own: reads(value, fast, k) }))
      .reduce((x, y) => (y.own.score >= x.own.score && typeof y.fast.extent === "number" ? y : x));
    return {
      ...{ value, k },
      fast: best.fast,
      coordinates: coordinates.filter((c) => (c.out ?? c.over) !== best.fast || (c.out && c.over)),
      isWide: best.own.isWide,
      loads: best.own.loads,
    };
  });
  return { operands, k, along, across };
}

/** The largest parts of the values whose loads depend on the same output axes. */
function operandsIn(values: readonly Scalar[], axes: readonly Variable[], over: readonly Variable[]): Scalar[] {
  const found = new Set<Scalar>();
  const isReduced = (e: Scalar): boolean => over.some((v) => e.variables.has(v));
  const stack = [...values];
  while (stack.length) {
    const e = stack.pop()!;
    if (!isReduced(e) || found.has(e)) continue;
    const kinds = new Set(
      loadsIn([e])
        .filter(isReduced)
        .map((x) =>
          axes
            .filter((a) => x.variables.has(a))
            .map((a) => a.id)
            .join(),
        ),
    );
    if (kinds.size === 1 && e.dtype !== "bool") found.add(e);
    else if (e.kind !== "load") stack.push(...operandsOf(e));
  }
  return [...found].reverse();
}
/** By windows as far as there are any, each axis once. */
function coordinatesOf(value: Scalar, axes: readonly Variable[], over: readonly Variable[]): Coordinate[] {
  const free = new Set(over.filter((v) => value.variables.has(v)));
  const outs = axes
    .filter((v) => value.variables.has(v))
    .map((out): Coordinate => {
      for (const reduced of free) {
        const window = windowOf(value, out, reduced);
        if (!window) continue;
        free.delete(reduced);
        return window;
      }
      return { out, step: 1, by: 0 };
    });
  return [...outs, ...[...free].map((reduced): Coordinate => ({ step: 0, over: reduced, by: 1 }))];
}
function windowOf(value: Scalar, out: Variable, over: Variable): Coordinate | undefined {
  for (const { indices } of loadsIn([value]))
    for (const index of indices) {
      const factor = (v: Variable): number => termsOf(index).find(([atom]) => atom === v)?.[1] ?? 0;
      const [a, b] = [factor(out), factor(over)];
      if (!a || !b) continue;
      const common = Math.sign(a) * greatestCommonDivisor(Math.abs(a), Math.abs(b));
      const [step, by] = [a / common, b / common];
      if (step !== 1 && Math.abs(by) !== 1) return undefined;
      const moved = new Map<Scalar, Scalar>([
        [out, linear([[out, 1]], by)],
        [over, linear([[over, 1]], -step)],
      ]);
      // the factors have no divisor in common: all pairs of the same sum are steps of (by, -step) apart
      return substitute(value, moved) === value ? { out, step, over, by } : undefined;
    }
  return undefined;
}
