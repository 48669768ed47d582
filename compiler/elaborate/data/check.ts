// What the host checks when the data are there, what it shows of them, and what is checked of data held out by name.
import { compute, indicesOf, source } from "../../graph/node.ts";
import { and, dim, iadd, less, lessEqual, load, select } from "../../graph/scalar.ts";
import type { Dim, Integer, Source } from "../../graph/types.ts";
import * as errors from "../errors.ts";
import type { FieldCheck, FieldView } from "../program.ts";
import { program } from "../programs.ts";
import { axesOf } from "../tensors.ts";
import type { DatasetState, HoldoutState } from "./dataset.ts";
import { measuredField, overAllRows, writtenFormula } from "./rows.ts";

/** Data held out by name has the fields of the data it is held out from. */
export function checkHoldout(d: DatasetState, h: HoldoutState, datasets: ReadonlyMap<string, DatasetState>): void {
  const other = h.dataset === undefined ? undefined : datasets.get(h.dataset);
  if (!other || h.dataset === d.public.name) {
    if (other) throw errors.holdoutOfItself(h.span, h.name);
    return;
  }
  for (const f of d.fields) {
    const found = other.fields.find((x) => x.name === f.name)?.public;
    const want = errors.typeText(f.public.dtype, f.public.shape);
    if (!found) throw errors.holdoutField(h.span, h.name, d.public.name, h.dataset, f.name);
    if (errors.typeText(found.dtype, found.shape) !== want)
      throw errors.shapeMismatch(
        h.span,
        `the field ${f.name} of ${h.dataset}`,
        want,
        errors.typeText(found.dtype, found.shape),
      );
  }
}
/** The data that are a holdout of d under their own name. */
const heldOutData = (d: DatasetState, datasets: ReadonlyMap<string, DatasetState>): DatasetState[] =>
  d.public.holdouts
    .flatMap((h) => (h.dataset === undefined ? [] : (datasets.get(h.dataset) ?? [])))
    .filter((x) => x !== d);
/** Looks for computed fields outside of their declared range, in all rows of d and of the data behind its holdouts. */
export function fieldCheck(d: DatasetState, datasets: ReadonlyMap<string, DatasetState>): FieldCheck | undefined {
  const others = heldOutData(d, datasets);
  const fields = d.fields.flatMap((f) => {
    const same = others.flatMap((x) => x.fields.filter((y) => y.name === f.name));
    const [unproved] = [f, ...same].flatMap((x) => x.unproved ?? []);
    const { range } = f.public;
    if (!unproved || !range || typeof range.high !== "number") return [];
    return [{ name: f.name, field: f, range: [range.low, range.high + 1] as const, span: unproved.span }];
  });
  if (!fields.length) return undefined;
  const name = `data.${d.public.name}.check`;
  const rows = dim("rows");
  const last = iadd(rows, -1);
  const index = rowNumbers(name, d);
  const outputs = fields.flatMap((f) => {
    const values = overAllRows(f.field, d, datasets, rows, (b) => load(index, [b]) as Integer, writtenFormula);
    const axes = axesOf(values.shape);
    const value = load(values, indicesOf(axes)) as Integer;
    const inside = and(lessEqual(f.range[0], value), less(value, f.range[1]));
    // the first place that is outside, else the last one
    const at = compute([], { op: "min", over: axes, ties: "first" }, select(inside, last, axes[0]!), {
      range: { low: 0, high: last as Dim },
      label: `${f.name}_place`,
    });
    const there = overAllRows(
      f.field,
      d,
      datasets,
      1,
      () => load(index, [load(at, []) as Integer]) as Integer,
      writtenFormula,
    );
    return [
      { name: `${f.name}.place`, node: at },
      { name: f.name, node: there },
    ];
  });
  return {
    index,
    fields: fields.map(({ name: field, range, span }) => ({ name: field, range, span })),
    program: program(name, outputs, []),
  };
}
/** i32 [rows]: rows of d by their numbers. */
const rowNumbers = (path: string, d: DatasetState): Source =>
  source({ role: "input", path, shape: [dim("rows")], dtype: "i32", range: d.row.range, label: "index" });
/** The fields of any rows of d and of the data behind its holdouts, as a train block sees them. */
export function fieldView(d: DatasetState, datasets: ReadonlyMap<string, DatasetState>): FieldView | undefined {
  if (!d.fields.length) return undefined;
  const name = `data.${d.public.name}.view`;
  const index = rowNumbers(name, d);
  const outputs = d.fields.map((f) => ({ name: f.name, node: measuredField(f, d, datasets, index) }));
  return { index, program: program(name, outputs, []) };
}
