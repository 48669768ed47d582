// Data sets on the device: columns uploaded once, or streamed where they do not fit; rows of the splits. The rows of other data that are a
// holdout lie behind the own ones in the same columns, so that one program measures every split.
import { movesOf, splitRows } from "./batches.ts";
import { checkData, dataLimit, megabytes } from "./check.ts";
import type { Moves } from "./batches.ts";
import { fieldOf } from "./columns.ts";
import type { LoadedColumn, Sources } from "./columns.ts";
import { loadDataset } from "./loaders.ts";
import type { Machine } from "./machine.ts";
import { dataRead } from "./plan.ts";
import type { Plan, PlanColumn, PlanDataset } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";
import { bytesOf, product } from "./tensor.ts";

export interface HostDataset {
  readonly plan: PlanDataset;
  readonly rows: number; // of its own
  readonly allRows: number; // with those of other data behind them
  readonly columns: readonly {
    readonly plan: PlanColumn;
    readonly values: LoadedColumn["values"];
    readonly length: number;
    readonly classes?: readonly string[];
  }[];
  readonly moves: Moves; // of windows of text; 1 else
  readonly others: Readonly<Record<string, readonly [from: number, to: number]>>;
  /** Rows that fit into the columns' buffers at a time; absent when all lie there. */
  readonly streamed?: { readonly rows: number; readonly stride: number };
}
export type Splits = ReadonlyMap<string, Int32Array>;

/** Only data sets that some program or holdout uses are read. */
export async function readData(plan: Plan, sources: Sources): Promise<Omit<HostDataset, "streamed">[]> {
  const result: Omit<HostDataset, "streamed">[] = [];
  for (const d of dataRead(plan)) {
    const own = await loadDataset(d, sources);
    const parts = [own];
    const others: Record<string, readonly [number, number]> = {};
    let allRows = own.rows;
    const moves = movesOf(d.columns);
    const { window } = moves;
    for (const h of d.holdouts) {
      if (h.dataset === undefined) continue;
      const other = plan.datasets.find((x) => x.name === h.dataset)!;
      const more = await loadDataset(other, sources, (field) =>
        d.columns.map((c) => (fieldOf(c) === field ? own.columns.get(c.name)!.classes : undefined)).find((c) => c),
      );
      for (const c of d.columns) {
        const twin = other.columns.find((x) => fieldOf(x) === fieldOf(c));
        if (!twin || twin.storage !== c.storage || twin.shape.join() !== c.shape.join())
          throw new RuntimeProblem(
            `${h.place}: the data ${other.name} do not have the field ${fieldOf(c)} of ${d.name} (${c.place})`,
          );
      }
      // of text the windows over the seam belong to neither
      const from = parts.length && window > 1 ? allRows + window - 1 : allRows;
      others[other.name] = [from, from + more.rows];
      allRows = from + more.rows;
      for (const c of d.columns)
        checkRange(
          c,
          other.columns.find((x) => fieldOf(x) === fieldOf(c))!,
          more.columns.get(other.columns.find((x) => fieldOf(x) === fieldOf(c))!.name)!.values,
        );
      parts.push({
        rows: more.rows,
        columns: new Map(
          d.columns.map((c) => [c.name, more.columns.get(other.columns.find((x) => fieldOf(x) === fieldOf(c))!.name)!]),
        ),
      });
    }
    const columns = d.columns.map((c) => {
      const pieces = parts.map((p) => p.columns.get(c.name)!);
      const values = pieces.length === 1 ? pieces[0]!.values : join(pieces.map((p) => p.values));
      return { plan: c, values, length: values.length, ...(pieces[0]!.classes ? { classes: pieces[0]!.classes } : {}) };
    });
    result.push({ plan: d, rows: own.rows, allRows, columns, moves, others });
  }
  return result;
}
export function join<T extends Float32Array | Int32Array | Uint8Array>(pieces: readonly T[]): T {
  const out = new (pieces[0]!.constructor as new (n: number) => T)(pieces.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const p of pieces) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** Where the columns lie: whole where they fit, else room for the rows of one submit. */
export function placeData(
  data: Omit<HostDataset, "streamed">,
  plan: Plan,
  device: GPUDevice,
  residentBytes: number,
): HostDataset {
  const sum = data.columns.reduce((bytes, c) => bytes + c.values.byteLength, 0);
  const { name, streamable, training } = data.plan;
  if (sum <= residentBytes && data.columns.every((c) => c.values.byteLength <= dataLimit(device))) return data;
  const why =
    !streamable || training
      ? `the model uses row numbers or whole columns: draws in \`data\`, \`rows\`, or ${name}.x outside of training`
      : data.moves.window > 1 &&
          data.columns.some((c) => c.plan.loader.kind !== "windows" || c.plan.loader.window !== data.moves.window)
        ? "windows of text and other fields lie side by side"
        : undefined;
  if (why)
    throw new RuntimeProblem(
      `the data ${name} take ${megabytes(sum)}, more than ${residentBytes < Infinity ? `the ${megabytes(residentBytes)} allowed` : "the device holds"}, and cannot be streamed, for ${why}`,
    );
  const rows = Math.max(
    ...plan.trains
      .filter((t) => t.dataset === name)
      .map((t) => Math.max(t.window * t.batch * t.accumulate, t.evaluate?.chunk ?? 0)),
  );
  const streamed = { rows, stride: data.moves.window };
  for (const c of data.columns) checkData(device, `${c.plan.name} of one submit`, rowBytes(c.plan) * streamed.rows);
  return { ...data, streamed };
}
const rowBytes = (column: PlanColumn): number =>
  (column.storage === "u8" ? 1 : 4) * (column.loader.kind === "windows" ? column.loader.window : product(column.shape));

/** The dims that the data give to every program. */
export function dataDims(data: readonly HostDataset[], splits: ReadonlyMap<string, Splits>): Record<string, number> {
  const dims: Record<string, number> = {};
  for (const d of data) {
    const { length } = splits.get(d.plan.name)!.get("train")!;
    const least = d.plan.least;
    if (least && length < least.rows)
      throw new RuntimeProblem(
        `${d.plan.name} has ${length} row${length === 1 ? "" : "s"} to train on, and ${least.place} needs ${least.rows}`,
      );
    dims[`rows.${d.plan.name}`] = d.streamed?.rows ?? d.allRows;
    dims[`training.${d.plan.name}`] = length;
    for (const c of d.columns)
      if (c.plan.loader.kind === "windows")
        dims[`characters.${c.plan.name}`] = d.streamed ? d.streamed.rows * d.moves.window : c.length;
  }
  return dims;
}
/** Gives the data without the values that the device has now. */
export async function uploadData(data: readonly HostDataset[], machine: Machine): Promise<HostDataset[]> {
  const sizes = new Map<number, number>();
  for (const d of data)
    for (const c of d.columns)
      sizes.set(c.plan.buffer, d.streamed ? rowBytes(c.plan) * d.streamed.rows : c.values.byteLength);
  await machine.allocate(sizes);
  for (const d of data)
    if (!d.streamed)
      for (const c of d.columns)
        for (let at = 0; at < c.values.byteLength; at += uploadPiece)
          machine.write(c.plan.buffer, at, bytesOf(c.values).subarray(at, at + uploadPiece));
  return data.map((d) =>
    d.streamed ? d : { ...d, columns: d.columns.map((c) => ({ ...c, values: new Uint8Array(0) })) },
  );
}
const uploadPiece = 1 << 24;

export const splitsOf = (d: Omit<HostDataset, "streamed">, seed: number): Splits =>
  splitRows(d.plan, d.rows, seed, d.moves, d.others);

/** Of streamed data: copies these rows to the device; they are numbered by their places from then on. */
export function streamRows(data: HostDataset, rows: Int32Array, machine: Machine): Int32Array<ArrayBuffer> {
  if (!data.streamed) return rows as Int32Array<ArrayBuffer>;
  for (const c of data.columns) {
    const width = c.plan.loader.kind === "windows" ? c.plan.loader.window : product(c.plan.shape);
    const step = c.plan.loader.kind === "windows" ? 1 : width;
    const out = new (c.values.constructor as new (n: number) => Int32Array<ArrayBuffer>)(rows.length * width);
    rows.forEach((r, i) => out.set(c.values.subarray(r * step, r * step + width), i * width));
    machine.write(c.plan.buffer, 0, out);
  }
  return Int32Array.from(rows, (_, i) => i * data.streamed!.stride);
}

/** Values of other data that lie behind a column's own: in its range, not only in their own. */
function checkRange(column: PlanColumn, from: PlanColumn, values: LoadedColumn["values"]): void {
  const [low, end] = column.range ?? [-Infinity, Infinity];
  if (from.range && from.range[0] >= low && from.range[1] <= end) return;
  const bad = values.findIndex((x) => !(x >= low && x < end));
  if (bad >= 0 && column.range)
    throw new RuntimeProblem(
      `row ${Math.floor(bad / product(column.shape))} of ${from.name} (${from.place}) has ${values[bad]}, outside of ${low}..${end}, which ${column.name} (${column.place}) declares`,
    );
}
