// Fields over many rows: of training, of any split, of data that is held out.
import type { Span } from "../../../grammar/diagnostic.ts";
import { compute, indicesOf } from "../../graph/node.ts";
import { and, call as callScalar, iadd, integer, isub, load, nonNegative, select } from "../../graph/scalar.ts";
import type { Extent, Integer, Node, Range, Source } from "../../graph/types.ts";
import * as errors from "../errors.ts";
import { axesOf } from "../tensors.ts";
import { overRows, overSources } from "../vmap.ts";
import type { DatasetState, FieldState } from "./dataset.ts";

/** Between the ends of a range: what the host has checked, another kernel may round otherwise. */
export function clamped(node: Node, [low, end]: readonly [number, number]): Node {
  const axes = axesOf(node.shape);
  return compute(
    axes,
    undefined,
    callScalar("max", integer(low), callScalar("min", integer(end - 1), load(node, indicesOf(axes)))),
  );
}
/** The formula as it is written: in its declared range only where that is proved. */
export const writtenFormula = (f: FieldState): Node => f.unproved?.formula ?? f.formula;
/** `digits.x` outside of training: the column over all rows of the dataset. */
export function wholeColumn(d: DatasetState, name: string, span: Span): Node {
  const field = d.fields.find((f) => f.name === name);
  if (!field && d.broken.includes(name)) throw new errors.Quiet();
  if (!field)
    throw errors.unknownName(
      span,
      name,
      d.fields.map((f) => f.name),
      { kind: "field", place: `in ${d.public.name}` },
    );
  const index = d.public.training;
  const node = overRows(field.formula, d.row, index.shape[0]!, (b) => load(index, [b]) as Integer);
  return withRange(node, field.public.range);
}
/** The node with a declared range (checked where the data enter), or with its own as far as that is narrower: loads of it may rely on that already. */
export function withRange(node: Node, range: Range | undefined): Node {
  if (range && node.dtype === "i32" && node.kind === "compute")
    (node as { range?: Range }).range = node.range ? inBoth(range, node.range) : range;
  return node;
}
const inBoth = (a: Range, b: Range): Range => ({
  low: Math.max(a.low, b.low),
  high: typeof a.high === "number" && typeof b.high === "number" ? Math.min(a.high, b.high) : a.high,
});
/**
 * A field over rows of any split. Rows of other data that are a holdout are numbered behind the own ones. Where both data compute the field alike, the
 * columns of the other lie behind the own ones too, and the own formula reads them; where not, each formula is taken for its rows.
 */
export function measuredField(
  f: FieldState,
  data: DatasetState,
  datasets: ReadonlyMap<string, DatasetState>,
  index: Source,
): Node {
  const node = overAllRows(
    f,
    data,
    datasets,
    index.shape[0]!,
    (b) => load(index, [b]) as Integer,
    (x) => (x === f ? f.formula : writtenFormula(x)),
  );
  const { range } = f.public;
  const [least, most] = [range?.low ?? -Infinity, range?.high ?? Infinity];
  // what the host has checked to lie in the range of f, others' formulas too
  const proved =
    !range ||
    typeof most !== "number" ||
    !node.range ||
    (node.range.low >= least && typeof node.range.high === "number" && node.range.high <= most);
  return proved ? node : clamped(node, [least, most + 1]);
}
/** The field over rows that `at` numbers, by `formulaOf` each of the data. */
export function overAllRows(
  f: FieldState,
  data: DatasetState,
  datasets: ReadonlyMap<string, DatasetState>,
  rows: Extent,
  at: (b: Integer) => Integer,
  formulaOf: (x: FieldState) => Node,
): Node {
  let node = overRows(formulaOf(f), data.row, rows, at);
  let from = data.public.rowCount; // where the rows of the next data begin
  for (const h of data.public.holdouts) {
    const other = h.dataset === undefined ? undefined : datasets.get(h.dataset);
    const own = other?.fields.find((x) => x.name === f.name);
    if (!other || !own || other === data) continue;
    const count = other.public.rowCount;
    const known = from !== undefined && count !== undefined;
    if (!isSameFormula(own, other, f, data, rows, at, known)) {
      if (!known) throw errors.holdoutFormula(h.span, h.name, f.name, data.public.name);
      if (!isWithin(own.public.range, f.public.range))
        throw errors.holdoutRange(h.span, h.name, f.name, data.public.name);
      const [first, last] = [from!, count! - 1];
      const place = (b: Integer): Integer =>
        callScalar("max", integer(0), callScalar("min", iadd(at(b), -first), integer(last))) as Integer;
      const theirs = overRows(formulaOf(own), other.row, rows, place);
      const axes = axesOf(node.shape);
      const here = indicesOf(axes);
      const row = at(here[0]!);
      const inside = and(nonNegative(iadd(row, -first)), nonNegative(isub(integer(first + last), row)));
      node = compute(axes, undefined, select(inside, load(theirs, here), load(node, here)), { label: f.name });
    }
    from = known ? from! + count! : undefined;
  }
  return node;
}
/** Do both data compute the field alike, each from its own columns? Draws must be the same ones only where the rows of both are numbered. */
function isSameFormula(
  own: FieldState,
  other: DatasetState,
  f: FieldState,
  data: DatasetState,
  rows: Extent,
  at: (b: Integer) => Integer,
  draws: boolean,
): boolean {
  const twins = [...other.columns.values()].flatMap((c): [Node, Node][] => {
    const twin = data.columns.get(`${data.public.name}${c.name.slice(other.public.name.length)}`);
    return twin ? [[c.source, twin.source]] : [];
  });
  const theirs = overRows(writtenFormula(own), other.row, rows, at);
  const mine = overRows(writtenFormula(f), data.row, rows, at);
  return overSources(theirs, new Map(twins), draws) === overSources(mine, new Map(), draws);
}
function isWithin(got: Range | undefined, want: Range | undefined): boolean {
  if (!want) return true;
  return (
    got !== undefined &&
    got.low >= want.low &&
    typeof got.high === "number" &&
    typeof want.high === "number" &&
    got.high <= want.high
  );
}
