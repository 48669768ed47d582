// Data: files, literals and the host's arrays to columns. In: a dataset of the plan and a way to read files. Out: for every column its values
// as the device holds them, all of one number of rows, every value of its dtype and in its declared range.
import type { Value } from "./api.ts";
import type { Loader, PlanColumn, PlanDataset } from "./plan.ts";
import { listed, messageOf, RuntimeProblem } from "./problem.ts";
import { flatten, product, shapeText } from "./tensor.ts";

export interface LoadedColumn {
  readonly values: Float32Array | Int32Array | Uint8Array; // u8 storage: Uint8Array, four to a word as they lie
  readonly rows: number;
  readonly classes?: readonly string[]; // what class or character numbers stand for
}
export interface Sources {
  readonly read: ((path: string) => Promise<Uint8Array>) | undefined;
  readonly host: Readonly<Record<string, Value>>;
  readonly files: Map<string, Promise<unknown>>; // parsed files, by loader and path: read once
}

/** `known`: classes that an earlier column of the same field fixed, for data that stand behind it as a holdout. */
export async function loadColumn(column: PlanColumn, sources: Sources, known?: readonly string[]): Promise<LoadedColumn> {
  const loader = column.loader;
  switch (loader.kind) {
    case "csv": return csvColumn(column, loader, await parsed(column, "csv", loader.path, sources, (b) => parseCsv(textOf(b), loader.path)), known); // prettier-ignore
    case "npy": return arrayColumn(column, await parsed(column, "npy", loader.path, sources, (b) => parseNpy(b, loader.path)), loader.path); // prettier-ignore
    case "idx": return arrayColumn(column, await parsed(column, "idx", loader.path, sources, (b) => parseIdx(b, loader.path)), loader.path); // prettier-ignore
    case "chars": return charsColumn(column, loader, await parsed(column, "chars", loader.path, sources, (b) => Array.from(textOf(b))), known); // prettier-ignore
    case "tokens": case "token_count": return tokenColumn(column, loader, await parsed(column, "lines", loader.path, sources, textOf)); // prettier-ignore
    case "host": return hostColumn(column, loader.name, sources.host); // prettier-ignore
    case "inline": return store(column, loader.values.length, (i) => loader.values[i]!, (i) => `value ${i + 1} of the list`); // prettier-ignore
    default: throw new RuntimeProblem(`${of(column)}: this runtime knows no loader \`${String((loader satisfies never as Loader).kind)}\``); // prettier-ignore
  } // prettier-ignore
}

/** All columns of a dataset, checked to have the same number of rows. */
export async function loadDataset(dataset: PlanDataset, sources: Sources, classesOf?: (field: string) => readonly string[] | undefined): Promise<{ readonly rows: number; readonly columns: ReadonlyMap<string, LoadedColumn> }> {
  const columns = new Map<string, LoadedColumn>();
  for (const column of dataset.columns) columns.set(column.name, await loadColumn(column, sources, classesOf?.(fieldOf(column))));
  const first = dataset.columns[0];
  const rows = first ? columns.get(first.name)!.rows : dataset.rows;
  if (rows === undefined) throw new RuntimeProblem(`the data ${dataset.name} have no columns and no number of rows`);
  for (const c of dataset.columns) {
    const n = columns.get(c.name)!.rows;
    if (n !== rows) throw new RuntimeProblem(`${of(c)} has ${n} rows, but ${of(first!)} has ${rows}: the fields of one data block need one value each for every row`);
  }
  if (dataset.rows !== undefined && rows !== dataset.rows) throw new RuntimeProblem(`the data ${dataset.name} declare rows: ${dataset.rows}, but ${of(first!)} has ${rows}`);
  if (rows < 1) throw new RuntimeProblem(`the data ${dataset.name} have no rows${first ? ` (${of(first)})` : ""}`);
  return { rows, columns };
}
/** "x.1" of "digits.x.1": what columns of data with the same fields share. */
export const fieldOf = (column: PlanColumn): string => column.name.slice(column.name.indexOf(".") + 1);
const of = (column: PlanColumn): string => {
  const path = "path" in column.loader ? ` = ${column.loader.kind}("${column.loader.path}")` : "";
  return `the field ${column.name}${path} (${column.place})`;
};

// ---------------------------------------------------------------- values

/** The checked values of a column: whole numbers where the dtype wants them, and the declared range. */
function store(column: PlanColumn, count: number, valueAt: (i: number) => number, whereOf: (i: number) => string): LoadedColumn {
  const { storage, range } = column;
  const size = product(column.shape);
  if (count % size) throw new RuntimeProblem(`${of(column)}: ${count} values are no whole number of rows of ${shapeText(storage, column.shape)}`);
  const values = storage === "f32" ? new Float32Array(count) : storage === "u8" ? new Uint8Array(count) : new Int32Array(count);
  const [low, end] = range ?? (storage === "u8" ? [0, 256] : storage === "bool" ? [0, 2] : storage === "i32" ? [-2147483648, 2147483648] : [-Infinity, Infinity]);
  const whole = storage !== "f32";
  for (let i = 0; i < count; i++) {
    const x = valueAt(i);
    if (!(x >= low && (x < end || (end === Infinity && x === Infinity))) || (whole && !Number.isInteger(x))) {
      const want = Number.isNaN(x) || (whole && !Number.isInteger(x) && x >= low && x < end) ? `no ${whole ? "whole " : ""}number` : `outside of ${low}..${end}, which ${range ? "the field declares" : "its type allows"}`;
      throw new RuntimeProblem(`${whereOf(i)}: ${x} is ${want}, in ${of(column)}`);
    }
    values[i] = x;
  }
  return { values, rows: count / size };
}
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes); // drops a byte order mark

async function parsed<T>(column: PlanColumn, how: string, path: string, sources: Sources, parse: (bytes: Uint8Array) => T): Promise<T> {
  const key = `${how}:${path}`;
  let found = sources.files.get(key) as Promise<T> | undefined;
  if (!found) sources.files.set(key, (found = file(column, path, sources).then(parse)));
  return found;
}
async function file(column: PlanColumn, path: string, sources: Sources): Promise<Uint8Array> {
  if (!sources.read) throw new RuntimeProblem(`${of(column)} is read from a file; load() needs \`read\``);
  let bytes: Uint8Array;
  try {
    bytes = await sources.read(path);
  } catch (error) {
    throw error instanceof RuntimeProblem ? error : new RuntimeProblem(`cannot read ${path}, for ${of(column)}: ${messageOf(error)}`);
  }
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (error) {
    throw new RuntimeProblem(`${path} is a damaged gzip file (${messageOf(error)}), for ${of(column)}`);
  }
}

// ---------------------------------------------------------------- csv

interface Csv {
  readonly records: readonly (readonly string[])[];
  readonly lines: readonly number[]; // where each record begins, from 1
}
/** RFC 4180: quoted cells may hold commas, line ends and doubled quotes; empty lines are skipped. */
export function parseCsv(text: string, path: string): Csv {
  const records: string[][] = [];
  const lines: number[] = [];
  let record: string[] = [];
  let line = 1;
  let start = 1;
  const finish = (): void => {
    if (record.length > 1 || record[0] !== "") {
      records.push(record);
      lines.push(start);
    }
    record = [];
  };
  for (let i = 0; i < text.length; ) {
    if (!record.length) start = line;
    if (text[i] === '"') {
      let cell = "";
      const opened = line;
      for (i++; ; ) {
        const close = text.indexOf('"', i);
        if (close < 0) throw new RuntimeProblem(`${path}, line ${opened}: a quoted cell is not closed`);
        const part = text.slice(i, close);
        for (const c of part) if (c === "\n") line++;
        cell += part;
        i = close + 1;
        if (text[i] !== '"') break;
        cell += '"';
        i++;
      }
      if (i < text.length && !",\r\n".includes(text[i]!)) throw new RuntimeProblem(`${path}, line ${line}: text follows a closing quote`);
      record.push(cell);
    } else {
      let end = i;
      for (let c = text.charCodeAt(end); end < text.length && c !== 44 && c !== 10 && c !== 13; c = text.charCodeAt(end)) end++;
      record.push(text.slice(i, end));
      i = end;
    }
    if (text[i] === ",") {
      if (++i === text.length) record.push("");
      else if (text[i] === "\n" || text[i] === "\r") record.push("");
      else continue;
    }
    if (i < text.length) {
      if (text[i] === "\r") i++;
      if (text[i] === "\n") i++;
      line++;
    }
    finish();
  }
  return { records, lines };
}
const numberOf = (cell: string): number => (cell.trim() === "" ? NaN : Number(cell));

function csvColumn(column: PlanColumn, loader: Extract<Loader, { kind: "csv" }>, csv: Csv, known: readonly string[] | undefined): LoadedColumn {
  const { records, lines } = csv;
  const first = records[0];
  if (!first) throw new RuntimeProblem(`${loader.path} is empty, for ${of(column)}`);
  const wanted: readonly (number | string)[] = "from" in loader.columns ? Array.from({ length: loader.columns.to - loader.columns.from }, (_, i) => (loader.columns as { from: number }).from + i) : loader.columns;
  const byName = wanted.some((c) => typeof c === "string");
  // a header: asked for by name, or a cell that is no number above numbers
  const header = byName || (records.length > 1 && first.some((cell, c) => Number.isNaN(numberOf(cell)) && records.slice(1, 20).every((r) => !Number.isNaN(numberOf(r[c] ?? "")))));
  const names = first.map((cell) => cell.trim());
  const columns = wanted.map((c) => {
    if (typeof c === "number") return c;
    const i = names.indexOf(c);
    if (i < 0) throw new RuntimeProblem(`${loader.path} has no column ${JSON.stringify(c)}, for ${of(column)}; its first line names ${listed(names)}`); // prettier-ignore
    return i;
  });
  const size = product(column.shape);
  if (columns.length !== size) throw new RuntimeProblem(`${of(column)}: ${columns.length} columns do not fill ${shapeText(column.storage, column.shape)}, which takes ${size}`);
  const base = header ? 1 : 0;
  const count = (records.length - base) * size;
  const where = (i: number): string => {
    const c = columns[i % size]!;
    return `${loader.path}, line ${lines[base + Math.floor(i / size)]}, column ${header ? JSON.stringify(names[c] ?? c) : c}`;
  };
  const cellAt = (i: number): string => {
    const record = records[base + Math.floor(i / size)]!;
    const c = columns[i % size]!;
    const cell = record[c];
    if (cell === undefined) throw new RuntimeProblem(`${loader.path}, line ${lines[base + Math.floor(i / size)]} has ${record.length} cell${record.length === 1 ? "" : "s"}, and column ${header && names[c] !== undefined ? JSON.stringify(names[c]) : c} (from 0) is wanted by ${of(column)}`); // prettier-ignore
    return cell;
  };
  // words in a column of whole numbers are classes
  if ((column.storage === "i32" || column.storage === "u8") && count > 0 && (known || (cellAt(0).trim() !== "" && Number.isNaN(numberOf(cellAt(0)))))) {
    const cells = Array.from({ length: count }, (_, i) => cellAt(i).trim());
    const classes = known ?? [...new Set(cells)].sort();
    const numbers = new Map(classes.map((name, i) => [name, i]));
    const unknown = cells.findIndex((cell) => !numbers.has(cell));
    if (unknown >= 0) throw new RuntimeProblem(`${where(unknown)}: the class ${JSON.stringify(cells[unknown])} does not occur in the data before, for ${of(column)}`);
    if (column.range && classes.length > column.range[1]) throw new RuntimeProblem(`${loader.path} has ${classes.length} classes (${listed(classes)}), and ${of(column)} allows numbers below ${column.range[1]}`); // prettier-ignore
    return { ...store(column, count, (i) => numbers.get(cells[i]!)!, where), classes };
  }
  return store(
    column,
    count,
    (i) => {
      const cell = cellAt(i);
      const x = column.storage === "bool" && /^\s*(true|false)\s*$/i.test(cell) ? Number(/t/i.test(cell)) : numberOf(cell);
      if (Number.isNaN(x)) throw new RuntimeProblem(`${where(i)}: ${JSON.stringify(cell)} is no number, in ${of(column)}`);
      return x;
    },
    where,
  );
}

// ---------------------------------------------------------------- npy, idx, host

interface ArrayFile {
  readonly shape: readonly number[]; // rows first
  readonly data: ArrayLike<number>;
}
function arrayColumn(column: PlanColumn, array: ArrayFile, path: string): LoadedColumn {
  const [rows, ...shape] = array.shape;
  const same = column.loader.kind === "npy" ? shape.length === column.shape.length && shape.every((n, d) => n === column.shape[d]) : product(shape) === product(column.shape);
  if (rows === undefined || !same) throw new RuntimeProblem(`${path} holds ${rows ?? "no"} rows of shape [${shape.join(", ")}], and ${of(column)} wants rows of shape [${column.shape.join(", ")}]`);
  // bytes as they are
  if (column.storage === "u8" && array.data instanceof Uint8Array && (!column.range || (column.range[0] <= 0 && column.range[1] >= 256))) return { values: array.data, rows };
  const size = product(column.shape);
  return store(column, array.data.length, (i) => array.data[i]!, (i) => `${path}, row ${Math.floor(i / size)}`); // prettier-ignore
}
/** Numbers of an element type from unaligned bytes of either order. */
function numbersFrom(bytes: Uint8Array, at: number, count: number, type: string, little: boolean): ArrayLike<number> {
  if (type === "u1") return bytes.subarray(at, at + count);
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  const width = Number(type.slice(1));
  const kind = { f: "Float", i: "Int", u: "Uint" }[type[0] as "f" | "i" | "u"];
  const name = `get${width === 8 && kind !== "Float" ? "Big" : ""}${kind}${8 * width}`;
  const read = (view as unknown as Readonly<Record<string, (at: number, little: boolean) => number | bigint>>)[name]!.bind(view); // getFloat32 and its like
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) out[i] = Number(read(i * width, little));
  return out;
}
export function parseNpy(bytes: Uint8Array, path: string): ArrayFile {
  const bad = (what: string): RuntimeProblem => new RuntimeProblem(`${path} is no npy file that can be read: ${what}`);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY" || bytes[0] !== 0x93) throw bad("it does not begin as one");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! >= 2;
  const start = (wide ? 12 + view.getUint32(8, true) : 10 + view.getUint16(8, true));
  const header = textOf(bytes.subarray(wide ? 12 : 10, start));
  const descr = /'descr':\s*'([<>|=])([a-z])(\d)'/.exec(header);
  const dims = /'shape':\s*\(([\d,\s]*)\)/.exec(header);
  if (!descr || !dims || start > bytes.length) throw bad("its header is not understood");
  const type = (descr[2] === "b" ? "u" : descr[2]!) + descr[3]!;
  if (!/^(u[1248]|i[1248]|f[48])$/.test(type)) throw bad(`its elements are ${descr[1]}${descr[2]}${descr[3]}; save it as float32 or int32`);
  if (/'fortran_order':\s*True/.test(header)) throw bad("it is stored column by column; save numpy.ascontiguousarray of it");
  const shape = dims[1]!.split(",").map((n) => n.trim()).filter((n) => n).map(Number); // prettier-ignore
  const count = product(shape);
  const width = Number(type.slice(1));
  if (bytes.length - start !== count * width) throw bad(`its shape [${shape.join(", ")}] takes ${count * width} bytes, and ${bytes.length - start} follow`);
  return { shape, data: numbersFrom(bytes, start, count, type, descr[1] !== ">") };
}
export function parseIdx(bytes: Uint8Array, path: string): ArrayFile {
  const bad = (what: string): RuntimeProblem => new RuntimeProblem(`${path} is no idx file that can be read: ${what}`);
  const type = { 0x08: "u1", 0x09: "i1", 0x0b: "i2", 0x0c: "i4", 0x0d: "f4", 0x0e: "f8" }[bytes[2] ?? 0];
  const rank = bytes[3] ?? 0;
  if (bytes.length < 4 || bytes[0] || bytes[1] || !type || !rank) throw bad("it does not begin as one");
  const start = 4 + 4 * rank;
  if (bytes.length < start) throw bad("it ends within its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, d) => view.getUint32(4 + 4 * d));
  const count = product(shape);
  const width = Number(type.slice(1));
  if (bytes.length - start !== count * width) throw bad(`its shape [${shape.join(", ")}] takes ${count * width} bytes, and ${bytes.length - start} follow; it may have been cut off`);
  return { shape, data: numbersFrom(bytes, start, count, type, false) };
}
function hostColumn(column: PlanColumn, name: string, host: Readonly<Record<string, Value>>): LoadedColumn {
  const value = host[column.name] ?? host[name];
  if (value === undefined) throw new RuntimeProblem(`${of(column)} is fed by the program: give load() { host: { ${name}: ... } }, rows of ${shapeText(column.storage, column.shape)}`);
  const flat = flatten(value, `host.${name}`);
  const [, ...shape] = flat.shape ?? [0, ...column.shape];
  if (flat.shape && (!flat.shape.length || (product(shape) !== product(column.shape)))) throw new RuntimeProblem(`host.${name} has the shape [${flat.shape.join(", ")}], and ${of(column)} wants [rows${column.shape.map((n) => `, ${n}`).join("")}]`); // prettier-ignore
  const size = product(column.shape);
  return store(column, flat.data.length, (i) => flat.data[i]!, (i) => `host.${name}, row ${Math.floor(i / size)}`); // prettier-ignore
}

// ---------------------------------------------------------------- text

function charsColumn(column: PlanColumn, loader: Extract<Loader, { kind: "chars" }>, characters: readonly string[], known: readonly string[] | undefined): LoadedColumn {
  const rows = characters.length - loader.window + 1;
  if (rows < 1) throw new RuntimeProblem(`${loader.path} has ${characters.length} characters, and ${of(column)} wants windows of ${loader.window}`);
  const classes = known ?? [...new Set(characters)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  if (column.range && classes.length > column.range[1]) throw new RuntimeProblem(`${loader.path} has ${classes.length} different characters, and ${of(column)} allows numbers below ${column.range[1]}`);
  const ids = new Map(classes.map((c, i) => [c, i]));
  const whole = store({ ...column, shape: [] }, characters.length, (i) => {
    const id = ids.get(characters[i]!);
    if (id === undefined) throw new RuntimeProblem(`${loader.path}: the character ${JSON.stringify(characters[i])} does not occur in the text before, for ${of(column)}`);
    return id;
  }, (i) => `${loader.path}, character ${i}`); // prettier-ignore
  return { values: whole.values, rows, classes };
}
function tokenColumn(column: PlanColumn, loader: Extract<Loader, { kind: "tokens" | "token_count" }>, text: string): LoadedColumn {
  const lines = text.replace(/\r?\n$/, "").split(/\r?\n/).map((line) => line.trim().split(/\s+/).filter((t) => t)); // prettier-ignore
  const long = lines.findIndex((tokens) => tokens.length > loader.pad);
  if (long >= 0) throw new RuntimeProblem(`${loader.path}, line ${long + 1} has ${lines[long]!.length} tokens, and ${of(column)} pads to ${loader.pad}`);
  if (loader.kind === "token_count") return store(column, lines.length, (i) => lines[i]!.length, (i) => `${loader.path}, line ${i + 1}, number of tokens`); // prettier-ignore
  const size = product(column.shape);
  if (size !== loader.pad) throw new RuntimeProblem(`${of(column)}: ${loader.pad} tokens do not fill ${shapeText(column.storage, column.shape)}`);
  return store(
    column,
    lines.length * size,
    (i) => {
      const token = lines[Math.floor(i / size)]![i % size] ?? "0"; // filled up with 0
      if (!/^[+-]?\d+$/.test(token)) throw new RuntimeProblem(`${loader.path}, line ${Math.floor(i / size) + 1}: ${JSON.stringify(token)} is no whole number, for ${of(column)}`);
      return Number(token);
    },
    (i) => `${loader.path}, line ${Math.floor(i / size) + 1}, token ${(i % size) + 1}`,
  );
}
