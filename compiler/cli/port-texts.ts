// Texts on the command line, where an export reads or gives numbers of characters or words as the model's data have them.
// In: a plan, its data files, what was typed. Out: numbers for inputs; texts of results, with what they go on with.
import type { DataFiles, Tensor, Value } from "../../runtime/api.ts";
import { loadColumn } from "../../runtime/loaders.ts";
import type { Loader, Plan, PlanColumn, PlanExport, PlanPort } from "../../runtime/plan.ts";
import { portText } from "../print/text.ts";
import { readUnits, textOfUnits } from "./page/words.ts";
import { UserError } from "./problem.ts";

type TextLoader = Extract<Loader, { readonly kind: "windows" | "lines" }>;
type TextColumn = PlanColumn & { readonly loader: TextLoader };
/** `"one "`, or `["one ", "two "]` for rows. */
export type Typed = readonly string[];
export function typedText(value: string): Typed | undefined {
  if (!/^\s*(\[\s*)?"/.test(value)) return undefined;
  try {
    const read: unknown = JSON.parse(value);
    const all: readonly unknown[] = Array.isArray(read) ? read : [read];
    return all.every((x) => typeof x === "string") ? all : undefined;
  } catch {
    throw new UserError(`${value} is no text in double quotes`);
  }
}
const isText = (c: PlanColumn): c is TextColumn =>
  (c.loader.kind === "windows" || c.loader.kind === "lines") && c.loader.unit !== "number";
/** The column whose units have the numbers of a port. */
function columnOf(plan: Plan, port: PlanPort): TextColumn | undefined {
  if (port.dtype !== "i32" || !port.range || !port.shape.length) return undefined;
  const range = port.range.join();
  return plan.datasets
    .flatMap((d) => d.columns)
    .filter(isText)
    .find((c) => c.range?.join() === range);
}

export class PortTexts {
  readonly #plan: Plan;
  readonly #files: DataFiles;
  readonly #columns = new Map<TextColumn, ReturnType<typeof loadColumn>>();
  readonly #typed = new Map<string, Typed>(); // by input

  constructor(plan: Plan, files: DataFiles) {
    this.#plan = plan;
    this.#files = files;
  }
  #load(column: TextColumn): ReturnType<typeof loadColumn> {
    const loading = this.#columns.get(column) ?? loadColumn(column, { ...this.#files, host: {}, files: new Map() });
    this.#columns.set(column, loading);
    return loading;
  }
  /** Its numbers. What is shorter than the model reads has the beginning of the data before it, or zeros behind it where rows are lines; `note` is told. */
  async input(port: PlanPort, typed: Typed, note: (text: string) => void): Promise<Value> {
    const column = columnOf(this.#plan, port);
    if (!column)
      throw new UserError(`--input ${port.name}: it is ${portText(port)}, and no text of the data has such numbers`);
    const { loader, range } = column;
    const { classes, values } = await this.#load(column);
    const rows = typed.map((text) => {
      const { units, skipped } = readUnits(text, loader.unit, classes, range!);
      if (skipped.length)
        throw new UserError(
          `--input ${port.name}: ${loader.path} has no ${skipped.map((x) => JSON.stringify(x)).join(", ")}`,
        );
      return units;
    });
    this.#typed.set(port.name, typed);
    const isRunning = loader.kind === "windows";
    const fixed = port.shape.at(-1);
    const length = typeof fixed === "number" ? fixed : Math.max(...rows.map((row) => row.length));
    if (rows.some((row) => row.length < length))
      note(
        `${port.name} has ${length} ${loader.unit}s: ${isRunning ? `before what is shorter stands the beginning of ${loader.path}` : "what is shorter is filled up"}`,
      );
    return rows.map((row) => {
      const missing = Math.max(0, length - row.length);
      if (!isRunning) return [...row.slice(0, length), ...new Array<number>(missing).fill(0)];
      return [...Array.from(values.slice(0, missing)), ...row.slice(-length)];
    });
  }
  /** A text for each row of a result, and what was typed that it goes on with; undefined where it is none, or the data are not there. */
  async output(
    x: PlanExport,
    port: PlanPort,
    tensor: Tensor,
  ): Promise<readonly { readonly text: string; readonly after?: string }[] | undefined> {
    const column = columnOf(this.#plan, port);
    const classes = column && (await this.#load(column).catch(() => undefined))?.classes;
    if (!column || !classes) return undefined;
    const sizes = port.shape.map((size) => JSON.stringify(size));
    const axis = sizes.findIndex((size) =>
      x.inputs.some((p) => typeof p.shape[0] === "object" && JSON.stringify(p.shape[0]) === size),
    );
    const before = x.inputs.find((p) => this.#typed.has(p.name) && columnOf(this.#plan, p) === column);
    const goesOn = column.loader.kind === "windows" && before && before.shape.at(-1) !== port.shape[axis === 0 ? 1 : 0];
    return rowsOf(tensor, axis).map((row, i) => {
      const after = goesOn ? this.#typed.get(before.name)![i] : undefined;
      return { text: textOfUnits(row, column.loader.unit, classes), ...(after === undefined ? {} : { after }) };
    });
  }
}
/** What lies along the last axis, or along the other one than that of the rows. */
function rowsOf({ shape, data }: Tensor, axis: number): readonly (readonly number[])[] {
  if (shape.length === 2 && axis === 1) {
    const [length, rows] = [shape[0]!, shape[1]!];
    return Array.from({ length: rows }, (_, b) => Array.from({ length }, (_, k) => data[k * rows + b]!));
  }
  const length = shape.at(-1)!;
  return Array.from({ length: length ? data.length / length : 0 }, (_, r) =>
    Array.from(data.slice(r * length, (r + 1) * length)),
  );
}
