// Data: files, literals and the host's arrays to columns. In: a dataset of the plan and a way to read files. Out: for every column its values
// as the device holds them, all of one number of rows, every value of its dtype and in its declared range.
import type { Value } from "./api.ts";
import { hasHeader, holdsWords, isMissing, linesOf, noNumber, numberOf, parseCsv, textPieces } from "./csv.ts";
import type { ReadColumn, Table } from "./csv.ts";
import type { Loader, PlanColumn, PlanDataset } from "./plan.ts";
import { listed, messageOf, RuntimeProblem } from "./problem.ts";
import { tooLong, usualMostBytes } from "./files.ts";
import { flatten, notOfF32, placeIn, product, shapeText } from "./tensor.ts";

export interface LoadedColumn {
  readonly values: Float32Array | Int32Array | Uint8Array; // u8 storage: Uint8Array, four to a word as they lie
  readonly rows: number;
  readonly classes?: readonly string[]; // what class or character numbers stand for
  readonly dropped?: ReadonlySet<number>; // rows without a value, which the whole data set is to leave out
}
export interface Sources {
  readonly read: ((path: string) => Promise<Uint8Array>) | undefined;
  readonly host: Readonly<Record<string, Value>>;
  readonly files: Map<string, Promise<unknown>>; // parsed files, by loader and path: read once
  readonly mostBytes?: number; // of a file after decompression; default 2^31
}

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
    case "chars":
      return charsColumn(
        column,
        loader,
        await parsed(column, "chars", loader.path, sources, (b) => codePoints(b, loader.path)),
        known,
      );
    case "tokens":
    case "token_count":
      return tokenColumn(column, loader, await parsed(column, "bytes", loader.path, sources, (b) => b));
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
        `${of(column)}: this runtime knows no loader \`${String((loader satisfies never as Loader).kind)}\``,
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
        `${of(c)} has ${n} rows, but ${of(first!)} has ${rows}: the fields of one data block need one value each for every row`,
      );
  }
  const dropped = new Set([...columns.values()].flatMap((c) => [...(c.dropped ?? [])]));
  if (dropped.size) return withoutRows(dataset, { rows, columns }, dropped);
  if (dataset.rows !== undefined && rows !== dataset.rows)
    throw new RuntimeProblem(`the data ${dataset.name} declare rows: ${dataset.rows}, but ${of(first!)} has ${rows}`);
  if (rows < 1) throw new RuntimeProblem(`the data ${dataset.name} have no rows${first ? ` (${of(first)})` : ""}`);
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
/** "x.1" of "digits.x.1": what columns of data with the same fields share. */
export const fieldOf = (column: PlanColumn): string => column.name.slice(column.name.indexOf(".") + 1);
const of = (column: PlanColumn): string => {
  const path = "path" in column.loader ? ` = ${column.loader.kind}("${column.loader.path}")` : "";
  return `the field ${column.name}${path} (${column.place})`;
};

// ---------------------------------------------------------------- values

/** The checked values of a column: whole numbers where the dtype wants them, and the declared range. */
function store(
  column: PlanColumn,
  count: number,
  valueAt: (i: number) => number,
  whereOf: (i: number) => string,
): LoadedColumn {
  const { storage, range } = column;
  const size = product(column.shape);
  if (count % size)
    throw new RuntimeProblem(
      `${of(column)}: ${count} values are no whole number of rows of ${shapeText(storage, column.shape)}`,
    );
  const values =
    storage === "f32" ? new Float32Array(count) : storage === "u8" ? new Uint8Array(count) : new Int32Array(count);
  const [low, end] =
    range ??
    (storage === "u8"
      ? [0, 256]
      : storage === "bool"
        ? [0, 2]
        : storage === "i32"
          ? [-2147483648, 2147483648]
          : [-Infinity, Infinity]);
  const whole = storage !== "f32";
  for (let i = 0; i < count; i++) {
    const x = valueAt(i);
    if (!(x >= low && x < end && (whole ? Number.isInteger(x) : Number.isFinite(Math.fround(x))))) {
      const outside = `outside of ${low}..${end}, which ${range ? "the field declares" : "its type allows"}`;
      const wrong =
        Number.isFinite(x) && whole ? (x >= low && x < end ? "no whole number" : outside) : (notOfF32(x) ?? outside);
      throw new RuntimeProblem(`${whereOf(i)}: ${x} is ${wrong}, in ${of(column)}`);
    }
    values[i] = x;
  }
  return { values, rows: count / size };
}

function once<T>({ files }: Sources, key: string, make: () => Promise<T>): Promise<T> {
  let found = files.get(key) as Promise<T> | undefined;
  if (!found) files.set(key, (found = make()));
  return found;
}
const parsed = <T>(
  column: PlanColumn,
  how: string,
  path: string,
  sources: Sources,
  parse: (bytes: Uint8Array) => T,
): Promise<T> => once(sources, `${how}:${path}`, () => file(column, path, sources).then(parse));
async function file(column: PlanColumn, path: string, sources: Sources): Promise<Uint8Array> {
  if (!sources.read) throw new RuntimeProblem(`${of(column)} is read from a file; load() needs \`read\``);
  let bytes: Uint8Array;
  try {
    bytes = await sources.read(path);
  } catch (error) {
    throw error instanceof RuntimeProblem
      ? error
      : new RuntimeProblem(`cannot read ${path}, for ${of(column)}: ${messageOf(error)}`);
  }
  const most = sources.mostBytes ?? usualMostBytes;
  if (bytes.length > most) throw new RuntimeProblem(`${path}: ${tooLong(bytes.length, most)}, for ${of(column)}`);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await decompressed(bytes, most, path);
  } catch (error) {
    throw error instanceof RuntimeProblem
      ? new RuntimeProblem(`${error.message}, for ${of(column)}`)
      : new RuntimeProblem(`${path} is a damaged gzip file (${messageOf(error)}), for ${of(column)}`);
  }
}
/** A small file may unpack to a huge one: what is more than `most`, or than the array that its header declares, is not unpacked. */
async function decompressed(bytes: Uint8Array, most: number, path: string): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip"));
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  let wanted: number | undefined;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    if (parts.length === 1) wanted = declaredBytes(value, path);
    const limit = Math.min(most, wanted ?? most);
    if (length <= limit) continue;
    await reader.cancel();
    throw new RuntimeProblem(
      limit === most
        ? `${path} unpacks to more than the limit of ${most.toLocaleString("en")} bytes`
        : `${path} unpacks to more than the ${limit.toLocaleString("en")} bytes that its header declares`,
    );
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
/** Of an npy or idx file, by its first bytes; undefined for anything else. What is wrong with the header is told where the file is parsed. */
function declaredBytes(head: Uint8Array, path: string): number | undefined {
  const isNpy = head[0] === 0x93;
  const isIdx = !head[0] && !head[1] && (head[3] ?? 0) > 0;
  if (!isNpy && !isIdx) return undefined;
  try {
    return (isNpy ? npyHeader(head, path) : idxHeader(head, path)).end;
  } catch {
    return undefined;
  }
}

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
  if (!table.rows) throw new RuntimeProblem(`${path} is empty, for ${of(column)}`);
  const names = Array.from({ length: table.width }, (_, c) => table.cell(0, c).trim());
  const wanted = wantedOf(loader);
  const columns = wanted.map((c) => {
    const found = typeof c === "number" ? [c] : names.flatMap((name, i) => (name === c ? [i] : []));
    if (found.length > 1)
      throw new RuntimeProblem(
        `${path} has ${found.length} columns ${JSON.stringify(c)} (${found.join(", ")}), for ${of(column)}: name one by its number`,
      );
    const at = found[0];
    if (at === undefined)
      throw new RuntimeProblem(
        `${path} has no column ${JSON.stringify(c)}, for ${of(column)}; its first line names ${listed(names)}`,
      );
    if (at >= table.width)
      throw new RuntimeProblem(
        `${path} has ${table.width} column${table.width === 1 ? "" : "s"}, and column ${at} (from 0) is wanted by ${of(column)}`,
      );
    return at;
  });
  const size = product(column.shape);
  if (columns.length !== size)
    throw new RuntimeProblem(
      `${of(column)}: ${columns.length} columns do not fill ${shapeText(column.storage, column.shape)}, which takes ${size}`,
    );
  if (header === undefined)
    throw new RuntimeProblem(
      `${path}, line ${table.line(0)} (${listed(names)}) may name the columns or be a row: write header: true or header: false in csv(...), for ${of(column)}`,
    );
  const base = Number(header);
  const rows = table.rows - base;
  if (!rows) throw new RuntimeProblem(`${path} has no rows below its header (${listed(names)}), for ${of(column)}`);
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
        `${where(i)}: ${noNumber(cell)}, in ${of(column)}${absent ? ": missing: 0 or missing: drop in csv(...) says what to do" : !header && i < size && !declared ? "; if this line names the columns, write header: true in csv(...)" : ""}`,
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
            `${where(i)}: ${noNumber(cell)}, and missing: ${missing} would be a class, in ${of(column)}: write missing: drop`,
          );
        instead(i, cell);
      } else if (!Number.isNaN(numberOf(cell)))
        throw new RuntimeProblem(`${where(i)}: ${cell} is a number among words, in ${of(column)}`);
      else if (meansNumber.test(cell))
        throw new RuntimeProblem(`${where(i)}: ${noNumber(cell)}, and it is no name of a class, in ${of(column)}`);
      else found.add(cell);
    }
    const classes = known ?? [...found].sort();
    const numbers = new Map(classes.map((name, i) => [name, i]));
    if (column.range && classes.length > column.range[1])
      throw new RuntimeProblem(
        `${path} has ${classes.length} classes (${listed(classes)}), and ${of(column)} allows numbers below ${column.range[1]}`,
      );
    const classAt = (i: number): number => {
      const cell = cellAt(i).trim();
      const n = isMissing(cell) ? (column.range?.[0] ?? 0) : numbers.get(cell);
      if (n === undefined)
        throw new RuntimeProblem(
          `${where(i)}: the class ${JSON.stringify(cell)} does not occur in the data before, for ${of(column)}`,
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

interface ArrayFile {
  readonly shape: readonly number[]; // rows first
  readonly data: ArrayLike<number>;
}
function arrayColumn(column: PlanColumn, array: ArrayFile, path: string): LoadedColumn {
  const [rows, ...shape] = array.shape;
  const same =
    column.loader.kind === "npy"
      ? shape.length === column.shape.length && shape.every((n, d) => n === column.shape[d])
      : product(shape) === product(column.shape);
  if (rows === undefined || !same)
    throw new RuntimeProblem(
      `${path} holds ${rows ?? "no"} rows of shape [${shape.join(", ")}], and ${of(column)} wants rows of shape [${column.shape.join(", ")}]`,
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
      `${path} does not hold bytes, though its name says so (ubyte): give it another name, for ${of(column)}`,
    );
  return store(
    column,
    array.data.length,
    (i) => array.data[i]!,
    (i) => `${path}, ${placeIn(array.shape, i)}`,
  );
}
const elementTypes: Readonly<Record<string, string>> = { u: "Uint", i: "Int", f: "Float" };
/** What follows a header: exactly the numbers of this shape and element type, of either order of bytes. */
function elements(
  bytes: Uint8Array,
  { start, shape, type, little }: ArrayHeader,
  bad: (what: string) => RuntimeProblem,
): ArrayLike<number> {
  const count = product(shape);
  const width = Number(type.slice(1));
  if (bytes.length - start !== count * width)
    throw bad(
      `its shape [${shape.join(", ")}] takes ${count * width} bytes, and ${bytes.length - start} follow; it may have been cut off`,
    );
  if (type === "u1") return bytes.subarray(start);
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, count * width);
  const name = `get${width === 8 && type[0] !== "f" ? "Big" : ""}${elementTypes[type[0]!]}${8 * width}`;
  const read = (view as unknown as Readonly<Record<string, (at: number, little: boolean) => number | bigint>>)[
    name
  ]!.bind(view); // getFloat32 and its like
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) out[i] = Number(read(i * width, little));
  return out;
}
const archive = (bytes: Uint8Array): string =>
  bytes[0] === 0x50 && bytes[1] === 0x4b
    ? "it is a zip archive (npz?); save each array in a file of its own"
    : "it does not begin as one";
/** What the header of an array file says, and where its elements lie. */
interface ArrayHeader {
  readonly shape: readonly number[];
  readonly type: string; // "f4", "u1", ...
  readonly little: boolean; // byte order
  readonly start: number; // byte of the first element
  readonly end: number; // byte behind the last one
}
const ending = (header: Omit<ArrayHeader, "end">): ArrayHeader => ({
  ...header,
  end: header.start + product(header.shape) * Number(header.type.slice(1)),
});
const noNpy =
  (path: string) =>
  (what: string): RuntimeProblem =>
    new RuntimeProblem(`${path} is no npy file that can be read: ${what}`);
function npyHeader(bytes: Uint8Array, path: string): ArrayHeader & { readonly columnMajor: boolean } {
  const bad = noNpy(path);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY" || bytes[0] !== 0x93)
    throw bad(archive(bytes));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw bad(`it has version ${version}, and 1, 2 and 3 are known`);
  const start = version > 1 ? 12 + view.getUint32(8, true) : 10 + view.getUint16(8, true);
  if (start > bytes.length) throw bad("it ends within its header");
  const header = new TextDecoder().decode(bytes.subarray(version > 1 ? 12 : 10, start));
  const descr = /'descr':\s*('[^']*'|\[.*?\](?=\s*,\s*'(?:fortran_order|shape)'|\s*,?\s*\}))/s.exec(header)?.[1];
  const dims = /'shape':\s*\(([\d,\s]*)\)/.exec(header);
  const fortran = /'fortran_order':\s*(True|False)/.exec(header);
  if (!descr || !dims || !fortran) throw bad("its header is not understood");
  const [, order, kind, width] = /^'([<>|=]?)([biuf])([1248])'$/.exec(descr) ?? [];
  const type = `${kind === "b" ? "u" : kind}${width}`;
  if (!/^(u[1248]|i[1248]|f[48])$/.test(type) || (kind === "b" && width !== "1"))
    throw bad(`its elements are ${descr.replaceAll("'", "")}; save it as float32 or int32`);
  const shape = dims[1]!
    .split(",")
    .map((n) => n.trim())
    .filter((n) => n)
    .map(Number);
  return { ...ending({ shape, type, little: order !== ">", start }), columnMajor: fortran[1] === "True" };
}
export function parseNpy(bytes: Uint8Array, path: string): ArrayFile {
  const header = npyHeader(bytes, path);
  const { shape } = header;
  const data = elements(bytes, header, noNpy(path));
  return { shape, data: header.columnMajor && shape.length > 1 ? rowMajor(shape, data) : data };
}
/** Of what lies column by column, the first index fastest. */
function rowMajor(shape: readonly number[], data: ArrayLike<number>): ArrayLike<number> {
  const out = new Float64Array(data.length);
  const strides = shape.map((_, d) => product(shape.slice(0, d)));
  const index = shape.map(() => 0);
  for (let i = 0, from = 0; i < out.length; i++) {
    out[i] = data[from]!;
    for (let d = shape.length - 1; d >= 0; d--) {
      from += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      from -= strides[d]! * shape[d]!;
      index[d] = 0;
    }
  }
  return out;
}
const noIdx =
  (path: string) =>
  (what: string): RuntimeProblem =>
    new RuntimeProblem(`${path} is no idx file that can be read: ${what}`);
function idxHeader(bytes: Uint8Array, path: string): ArrayHeader {
  const bad = noIdx(path);
  const rank = bytes[3] ?? 0;
  if (bytes.length < 4 || bytes[0] || bytes[1] || !rank) throw bad(archive(bytes));
  const type = { 0x08: "u1", 0x09: "i1", 0x0b: "i2", 0x0c: "i4", 0x0d: "f4", 0x0e: "f8" }[bytes[2]!];
  if (!type) throw bad(`it has no known type of elements (${bytes[2]})`);
  const start = 4 + 4 * rank;
  if (bytes.length < start) throw bad("it ends within its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, d) => view.getUint32(4 + 4 * d));
  return ending({ shape, type, little: false, start });
}
export function parseIdx(bytes: Uint8Array, path: string): ArrayFile {
  const header = idxHeader(bytes, path);
  return { shape: header.shape, data: elements(bytes, header, noIdx(path)) };
}
function hostColumn(column: PlanColumn, name: string, host: Readonly<Record<string, Value>>): LoadedColumn {
  const value = host[column.name] ?? host[name];
  if (value === undefined)
    throw new RuntimeProblem(
      `${of(column)} is fed by the program: give load() { host: { ${name}: ... } }, rows of ${shapeText(column.storage, column.shape)}`,
    );
  const flat = flatten(value, `host.${name}`);
  const [, ...shape] = flat.shape ?? [0, ...column.shape];
  if (flat.shape && (!flat.shape.length || product(shape) !== product(column.shape)))
    throw new RuntimeProblem(
      `host.${name} has the shape [${flat.shape.join(", ")}], and ${of(column)} wants [rows${column.shape.map((n) => `, ${n}`).join("")}]`,
    );
  return store(
    column,
    flat.data.length,
    (i) => flat.data[i]!,
    (i) => `host.${name}, ${placeIn([flat.data.length, ...column.shape], i)}`,
  );
}

// ---------------------------------------------------------------- text

function charsColumn(
  column: PlanColumn,
  loader: Extract<Loader, { kind: "chars" }>,
  characters: Uint32Array, // code points
  known: readonly string[] | undefined,
): LoadedColumn {
  const rows = characters.length - loader.window + 1;
  if (rows < 1)
    throw new RuntimeProblem(
      `${loader.path} has ${characters.length} characters, and ${of(column)} wants windows of ${loader.window}`,
    );
  const classes = known ?? [...new Set(characters)].sort((a, b) => a - b).map((c) => String.fromCodePoint(c));
  if (column.range && classes.length > column.range[1])
    throw new RuntimeProblem(
      `${loader.path} has ${classes.length} different characters, and ${of(column)} allows numbers below ${column.range[1]}`,
    );
  const ids = new Map(classes.map((c, i) => [c.codePointAt(0)!, i]));
  const whole = store(
    { ...column, shape: [] },
    characters.length,
    (i) => {
      const id = ids.get(characters[i]!);
      if (id === undefined)
        throw new RuntimeProblem(
          `${loader.path}: the character ${JSON.stringify(String.fromCodePoint(characters[i]!))} does not occur in the text before, for ${of(column)}`,
        );
      return id;
    },
    (i) => `${loader.path}, character ${i}`,
  );
  return { values: whole.values, rows, classes };
}
function codePoints(bytes: Uint8Array, path: string): Uint32Array {
  let count = 0;
  for (const piece of textPieces(bytes, path)) for (const _ of piece) count++; // a character may be two units
  const found = new Uint32Array(count);
  let at = 0;
  for (const piece of textPieces(bytes, path)) for (const c of piece) found[at++] = c.codePointAt(0)!;
  return found;
}
function tokenColumn(
  column: PlanColumn,
  loader: Extract<Loader, { kind: "tokens" | "token_count" }>,
  bytes: Uint8Array,
): LoadedColumn {
  const { path, pad } = loader;
  if (!bytes.length) throw new RuntimeProblem(`${path} is empty, for ${of(column)}`);
  const size = product(column.shape);
  if (loader.kind === "tokens" && size !== pad)
    throw new RuntimeProblem(`${of(column)}: ${pad} tokens do not fill ${shapeText(column.storage, column.shape)}`);
  let rows = 0;
  for (const _ of linesOf(bytes, path)) rows++;
  const counts = new Int32Array(rows);
  const ids = new Float64Array(loader.kind === "tokens" ? rows * pad : 0); // filled up with 0
  let row = 0;
  for (const line of linesOf(bytes, path)) {
    const tokens = line.split(/\s+/).filter((t) => t);
    if (tokens.length > pad)
      throw new RuntimeProblem(
        `${path}, line ${row + 1} has ${tokens.length} tokens, and ${of(column)} pads to ${pad}`,
      );
    counts[row] = tokens.length;
    if (loader.kind === "tokens")
      tokens.forEach((token, i) => {
        if (!/^[+-]?\d+$/.test(token))
          throw new RuntimeProblem(
            `${path}, line ${row + 1}: ${JSON.stringify(token)} is no whole number, for ${of(column)}`,
          );
        ids[row * pad + i] = Number(token);
      });
    row++;
  }
  if (loader.kind === "token_count")
    return store(
      column,
      rows,
      (i) => counts[i]!,
      (i) => `${path}, line ${i + 1}, number of tokens`,
    );
  return store(
    column,
    rows * size,
    (i) => ids[i]!,
    (i) => `${path}, line ${Math.floor(i / size) + 1}, token ${(i % size) + 1}`,
  );
}
