// Data: files, literals and the host's arrays to columns. In: a dataset of the plan and a way to read files. Out: for every column its values
// as the device holds them, all of one number of rows, every value of its dtype and in its declared range.
import type { Value } from "./api.ts";
import { parseIdx, parseNpy } from "./arrays.ts";
import type { ArrayFile } from "./arrays.ts";
import { columnText, fieldOf, once, parsed, store } from "./columns.ts";
import type { LoadedColumn, Sources } from "./columns.ts";
import { hasHeader, holdsWords, isMissing, noNumber, numberOf, parseCsv } from "./csv.ts";
import type { ReadColumn, Table } from "./csv.ts";
import type { Loader, PlanColumn, PlanDataset } from "./plan.ts";
import { listed, RuntimeProblem } from "./problem.ts";
import { imageColumn } from "./pictures.ts";
import { lineColumn, numberedText, windowColumn } from "./texts.ts";
import { flatten, givenAs, placeIn, product, shapeText } from "./tensor.ts";

/** `known`: classes that an earlier column of the same field fixed, for data that stand behind it as a holdout; `peers`: the columns of its data set. */
export async function loadColumn(
  column: PlanColumn,
  sources: Sources,
  known?: readonly string[],
  peers: readonly PlanColumn[] = [column],
): Promise<LoadedColumn> {
  const loader = column.loader;
  switch (loader.kind) {
    case "csv": {
      const { delimiter, header } = dialect(loader.path, peers);
      const how = `csv${delimiter ?? ""}`;
      const table = await parsed(column, how, loader.path, sources, (b) => parseCsv(b, loader.path, delimiter));
      // every column that the data set reads of this file says the same of its first row
      const read = readOf(loader.path, peers, table);
      return csvColumn(
        column,
        loader,
        table,
        known,
        header ??
          (table.rows
            ? await once(sources, `${how}:${loader.path}:${JSON.stringify(read)}`, async () => hasHeader(table, read))
            : false),
        header !== undefined,
      );
    }
    case "npy":
      return arrayColumn(
        column,
        await parsed(column, "npy", loader.path, sources, (b) => parseNpy(b, loader.path)),
        loader.path,
      );
    case "idx":
      return arrayColumn(
        column,
        await parsed(column, "idx", loader.path, sources, (b) => parseIdx(b, loader.path)),
        loader.path,
      );
    case "windows":
      return windowColumn(
        column,
        loader,
        await parsed(column, loader.unit, loader.path, sources, (b) => numberedText(b, loader.path, loader.unit)),
        known,
      );
    case "lines":
    case "line_lengths":
      return lineColumn(column, loader, await parsed(column, "bytes", loader.path, sources, (b) => b), known);
    case "images":
    case "image_class":
      return imageColumn({ ...column, loader }, sources, known);
    case "host":
      return hostColumn(column, loader.name, sources.host);
    case "inline":
      return store(
        column,
        loader.values.length,
        (i) => loader.values[i]!,
        (i) => `value ${i + 1} of the list`,
      );
    default:
      throw new RuntimeProblem(
        `${columnText(column)}: this runtime knows no loader \`${String((loader satisfies never as Loader).kind)}\``,
      );
  }
}

/** All columns of a dataset, checked to have the same number of rows. */
export async function loadDataset(
  dataset: PlanDataset,
  sources: Sources,
  classesOf?: (field: string) => readonly string[] | undefined,
): Promise<{ readonly rows: number; readonly columns: ReadonlyMap<string, LoadedColumn> }> {
  const columns = new Map<string, LoadedColumn>();
  for (const column of dataset.columns)
    columns.set(column.name, await loadColumn(column, sources, classesOf?.(fieldOf(column)), dataset.columns));
  const first = dataset.columns[0];
  const rows = first ? columns.get(first.name)!.rows : dataset.rows;
  if (rows === undefined) throw new RuntimeProblem(`the data ${dataset.name} have no columns and no number of rows`);
  for (const c of dataset.columns) {
    const n = columns.get(c.name)!.rows;
    if (n !== rows)
      throw new RuntimeProblem(
        `${columnText(c)} has ${n} rows, but ${columnText(first!)} has ${rows}: the fields of one data block need one value each for every row`,
      );
  }
  const dropped = new Set([...columns.values()].flatMap((c) => [...(c.dropped ?? [])]));
  if (dropped.size) return withoutRows(dataset, { rows, columns }, dropped);
  if (dataset.rows !== undefined && rows !== dataset.rows)
    throw new RuntimeProblem(
      `the data ${dataset.name} declare rows: ${dataset.rows}, but ${columnText(first!)} has ${rows}`,
    );
  if (rows < 1)
    throw new RuntimeProblem(`the data ${dataset.name} have no rows${first ? ` (${columnText(first)})` : ""}`);
  return { rows, columns };
}
/** Rows without a value are left out of every column, so that what stands side by side stays so. */
function withoutRows(
  dataset: PlanDataset,
  { rows, columns }: { readonly rows: number; readonly columns: ReadonlyMap<string, LoadedColumn> },
  dropped: ReadonlySet<number>,
): { readonly rows: number; readonly columns: ReadonlyMap<string, LoadedColumn> } {
  const left = rows - dropped.size;
  if (dataset.windowed || dataset.rows !== undefined)
    throw new RuntimeProblem(
      `the data ${dataset.name} cannot leave out rows (missing: drop): ${dataset.windowed ? "they hold windows of text" : `they declare rows: ${dataset.rows}`}`,
    );
  if (!left) throw new RuntimeProblem(`the data ${dataset.name} have no rows: in every one a value is missing`);
  const kept = (c: LoadedColumn): LoadedColumn => {
    const width = c.values.length / rows;
    const values = new (c.values.constructor as new (n: number) => LoadedColumn["values"])(left * width);
    for (let r = 0, to = 0; r < rows; r++)
      if (!dropped.has(r)) values.set(c.values.subarray(r * width, (r + 1) * width), width * to++);
    return { values, rows: left, ...(c.classes ? { classes: c.classes } : {}) };
  };
  return { rows: left, columns: new Map([...columns].map(([name, c]) => [name, kept(c)])) };
}
/** Numbers as other programs write them: no names of classes. */
const meansNumber = /^[-+\u2212]?(0x[\da-f]+|inf(inity)?|\p{Nd}[\p{Nd}_]*([.,]\p{Nd}+)?)$/iu;
// ---------------------------------------------------------------- csv

type CsvLoader = Extract<Loader, { kind: "csv" }>;
type CsvColumn = PlanColumn & { readonly loader: CsvLoader };
const csvOf = (path: string, columns: readonly PlanColumn[]): readonly CsvColumn[] =>
  columns.filter((c): c is CsvColumn => c.loader.kind === "csv" && c.loader.path === path);
const wantedOf = ({ columns }: CsvLoader): readonly (number | string)[] =>
  "from" in columns ? Array.from({ length: columns.to - columns.from }, (_, i) => columns.from + i) : columns;
/** How a file is to be read: what one column of a data set declares holds for all. */
function dialect(
  path: string,
  peers: readonly PlanColumn[],
): { readonly delimiter?: string | undefined; readonly header?: boolean | undefined } {
  const loaders = csvOf(path, peers).map((c) => c.loader);
  const one = <T>(name: string, given: readonly (T | undefined)[]): T | undefined => {
    const [first, second] = new Set(given.filter((v) => v !== undefined));
    if (second !== undefined)
      throw new RuntimeProblem(`${path} is read with ${name}: ${String(first)} and with ${name}: ${String(second)}`);
    return first;
  };
  return {
    delimiter: one(
      "delimiter",
      loaders.map((l) => l.delimiter),
    ),
    header: one(
      "header",
      loaders.map((l) => l.header ?? (wantedOf(l).some((c) => typeof c === "string") || undefined)),
    ),
  };
}
const readOf = (path: string, peers: readonly PlanColumn[], { width }: Table): ReadColumn[] =>
  csvOf(path, peers).flatMap(({ loader, storage, range }) =>
    wantedOf(loader).flatMap((column) =>
      typeof column === "number" && column < width ? [{ column, storage, range }] : [],
    ),
  );
function csvColumn(
  column: PlanColumn,
  loader: CsvLoader,
  table: Table,
  known: readonly string[] | undefined,
  header: boolean | undefined,
  declared: boolean,
): LoadedColumn {
  const { path, missing } = loader;
  if (!table.rows) throw new RuntimeProblem(`${path} is empty, for ${columnText(column)}`);
  const names = Array.from({ length: table.width }, (_, c) => table.cell(0, c).trim());
  const wanted = wantedOf(loader);
  const columns = wanted.map((c) => {
    const found = typeof c === "number" ? [c] : names.flatMap((name, i) => (name === c ? [i] : []));
    if (found.length > 1)
      throw new RuntimeProblem(
        `${path} has ${found.length} columns ${JSON.stringify(c)} (${found.join(", ")}), for ${columnText(column)}: name one by its number`,
      );
    const at = found[0];
    if (at === undefined)
      throw new RuntimeProblem(
        `${path} has no column ${JSON.stringify(c)}, for ${columnText(column)}; its first line names ${listed(names)}`,
      );
    if (at >= table.width)
      throw new RuntimeProblem(
        `${path} has ${table.width} column${table.width === 1 ? "" : "s"}, and column ${at} (from 0) is wanted by ${columnText(column)}`,
      );
    return at;
  });
  const size = product(column.shape);
  if (columns.length !== size)
    throw new RuntimeProblem(
      `${columnText(column)}: ${columns.length} columns do not fill ${shapeText(column.storage, column.shape)}, which takes ${size}`,
    );
  if (header === undefined)
    throw new RuntimeProblem(
      `${path}, line ${table.line(0)} (${listed(names)}) may name the columns or be a row: write header: true or header: false in csv(...), for ${columnText(column)}`,
    );
  const base = Number(header);
  const rows = table.rows - base;
  if (!rows)
    throw new RuntimeProblem(`${path} has no rows below its header (${listed(names)}), for ${columnText(column)}`);
  const count = rows * size;
  const where = (i: number): string => {
    const c = columns[i % size]!;
    return `${path}, line ${table.line(base + Math.floor(i / size))}, column ${header && names[c] ? JSON.stringify(names[c]) : c}`;
  };
  const cellAt = (i: number): string => table.cell(base + Math.floor(i / size), columns[i % size]!);
  const dropped = new Set<number>();
  /** What stands for a cell without a number. */
  const instead = (i: number, cell: string): number => {
    const absent = isMissing(cell);
    if (absent && typeof missing === "number") return missing;
    if (!absent || missing === undefined)
      throw new RuntimeProblem(
        `${where(i)}: ${noNumber(cell)}, in ${columnText(column)}${absent ? ": missing: 0 or missing: drop in csv(...) says what to do" : !header && i < size && !declared ? "; if this line names the columns, write header: true in csv(...)" : ""}`,
      );
    dropped.add(Math.floor(i / size));
    return column.range?.[0] ?? 0;
  };
  const done = (loaded: LoadedColumn): LoadedColumn => (dropped.size ? { ...loaded, dropped } : loaded);
  // words in a column of whole numbers are classes
  if (known ?? columns.some((c) => holdsWords(table, { column: c, storage: column.storage }, base))) {
    const found = new Set<string>();
    for (let i = 0; i < count; i++) {
      const cell = cellAt(i).trim();
      if (isMissing(cell)) {
        if (typeof missing === "number")
          throw new RuntimeProblem(
            `${where(i)}: ${noNumber(cell)}, and missing: ${missing} would be a class, in ${columnText(column)}: write missing: drop`,
          );
        instead(i, cell);
      } else if (!Number.isNaN(numberOf(cell)))
        throw new RuntimeProblem(`${where(i)}: ${cell} is a number among words, in ${columnText(column)}`);
      else if (meansNumber.test(cell))
        throw new RuntimeProblem(
          `${where(i)}: ${noNumber(cell)}, and it is no name of a class, in ${columnText(column)}`,
        );
      else found.add(cell);
    }
    const classes = known ?? [...found].sort();
    const numbers = new Map(classes.map((name, i) => [name, i]));
    if (column.range && classes.length > column.range[1])
      throw new RuntimeProblem(
        `${path} has ${classes.length} classes (${listed(classes)}), and ${columnText(column)} allows numbers below ${column.range[1]}`,
      );
    const classAt = (i: number): number => {
      const cell = cellAt(i).trim();
      const n = isMissing(cell) ? (column.range?.[0] ?? 0) : numbers.get(cell);
      if (n === undefined)
        throw new RuntimeProblem(
          `${where(i)}: the class ${JSON.stringify(cell)} does not occur in the data before, for ${columnText(column)}`,
        );
      return n;
    };
    return done({ ...store(column, count, classAt, where), classes });
  }
  const valueAt = (i: number): number => {
    const cell = cellAt(i);
    const x = numberOf(cell, column.storage);
    return Number.isNaN(x) ? instead(i, cell) : x;
  };
  return done(store(column, count, valueAt, where));
}

// ---------------------------------------------------------------- npy, idx, host

function arrayColumn(column: PlanColumn, array: ArrayFile, path: string): LoadedColumn {
  const [rows, ...shape] = array.shape;
  const same =
    column.loader.kind === "npy"
      ? shape.length === column.shape.length && shape.every((n, d) => n === column.shape[d])
      : product(shape) === product(column.shape);
  if (rows === undefined || !same)
    throw new RuntimeProblem(
      `${path} holds ${rows ?? "no"} rows of shape [${shape.join(", ")}], and ${columnText(column)} wants rows of shape [${column.shape.join(", ")}]`,
    );
  // bytes as they are
  if (
    column.storage === "u8" &&
    array.data instanceof Uint8Array &&
    (!column.range || (column.range[0] <= 0 && column.range[1] >= 256))
  )
    return { values: array.data, rows };
  if (column.storage === "u8" && !column.range && !(array.data instanceof Uint8Array))
    throw new RuntimeProblem(
      `${path} does not hold bytes, though its name says so (ubyte): give it another name, for ${columnText(column)}`,
    );
  return store(
    column,
    array.data.length,
    (i) => array.data[i]!,
    (i) => `${path}, ${placeIn(array.shape, i)}`,
  );
}
function hostColumn(column: PlanColumn, name: string, host: Readonly<Record<string, Value>>): LoadedColumn {
  const value = givenAs(host, column.name) ?? givenAs(host, name);
  if (value === undefined)
    throw new RuntimeProblem(
      `${columnText(column)} is fed by the program: give load() { host: { ${name}: ... } }, rows of ${shapeText(column.storage, column.shape)}`,
    );
  const flat = flatten(value, `host.${name}`);
  const [, ...shape] = flat.shape ?? [0, ...column.shape];
  if (flat.shape && (!flat.shape.length || product(shape) !== product(column.shape)))
    throw new RuntimeProblem(
      `host.${name} has the shape [${flat.shape.join(", ")}], and ${columnText(column)} wants [rows${column.shape.map((n) => `, ${n}`).join("")}]`,
    );
  return store(
    column,
    flat.data.length,
    (i) => flat.data[i]!,
    (i) => `host.${name}, ${placeIn([flat.data.length, ...column.shape], i)}`,
  );
}
