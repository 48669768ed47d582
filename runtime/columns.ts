// Columns: values of a file or of the host, checked against what a field declares, and the bytes of files, unpacked within limits.
import type { Picture, Value } from "./api.ts";
import { declaredBytes } from "./arrays.ts";
import { loaderName } from "./plan.ts";
import type { PlanColumn } from "./plan.ts";
import { messageOf, RuntimeProblem, tooLong, usualMostBytes } from "./problem.ts";
import { notOfF32, product, shapeText } from "./tensor.ts";

export interface LoadedColumn {
  readonly values: Float32Array | Int32Array | Uint8Array; // u8 storage: Uint8Array, four to a word as they lie
  readonly rows: number;
  readonly classes?: readonly string[]; // what class or character numbers stand for
  readonly dropped?: ReadonlySet<number>; // rows without a value, which the whole data set is to leave out
}
export interface Sources {
  readonly read: ((path: string) => Promise<Uint8Array>) | undefined;
  readonly list?: ((folder: string) => Promise<readonly string[]>) | undefined;
  readonly picture?: ((bytes: Uint8Array) => Promise<Picture>) | undefined;
  readonly host: Readonly<Record<string, Value>>;
  readonly files: Map<string, Promise<unknown>>; // parsed files, by loader and path: read once
  readonly mostBytes?: number; // of a file after decompression; default 2^31
}

/** "x.1" of "digits.x.1": what columns of data with the same fields share. */
export const fieldOf = (column: PlanColumn): string => column.name.slice(column.name.indexOf(".") + 1);
/** For messages: the field, its file, its place. */
export const columnText = (column: PlanColumn): string => {
  const path = "path" in column.loader ? ` = ${loaderName(column.loader)}("${column.loader.path}")` : "";
  return `the field ${column.name}${path} (${column.place})`;
};

/** The checked values of a column: whole numbers where the dtype wants them, and the declared range. */
export function store(
  column: PlanColumn,
  count: number,
  valueAt: (i: number) => number,
  whereOf: (i: number) => string,
): LoadedColumn {
  const { storage, range } = column;
  const size = product(column.shape);
  if (count % size)
    throw new RuntimeProblem(
      `${columnText(column)}: ${count} values are no whole number of rows of ${shapeText(storage, column.shape)}`,
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
      throw new RuntimeProblem(`${whereOf(i)}: ${x} is ${wrong}, in ${columnText(column)}`);
    }
    values[i] = x;
  }
  return { values, rows: count / size };
}

export function once<T>({ files }: Sources, key: string, make: () => Promise<T>): Promise<T> {
  let found = files.get(key) as Promise<T> | undefined;
  if (!found) files.set(key, (found = make()));
  return found;
}
export const parsed = <T>(
  column: PlanColumn,
  how: string,
  path: string,
  sources: Sources,
  parse: (bytes: Uint8Array) => T,
): Promise<T> => once(sources, `${how}:${path}`, () => readFile(column, path, sources).then(parse));
export async function readFile(column: PlanColumn, path: string, sources: Sources): Promise<Uint8Array> {
  if (!sources.read) throw new RuntimeProblem(`${columnText(column)} is read from a file; load() needs \`read\``);
  let bytes: Uint8Array;
  try {
    bytes = await sources.read(path);
  } catch (error) {
    throw error instanceof RuntimeProblem
      ? error
      : new RuntimeProblem(`cannot read ${path}, for ${columnText(column)}: ${messageOf(error)}`);
  }
  const most = sources.mostBytes ?? usualMostBytes;
  if (bytes.length > most)
    throw new RuntimeProblem(`${path}: ${tooLong(bytes.length, most)}, for ${columnText(column)}`);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await decompressed(bytes, most, path);
  } catch (error) {
    throw error instanceof RuntimeProblem
      ? new RuntimeProblem(`${error.message}, for ${columnText(column)}`)
      : new RuntimeProblem(`${path} is a damaged gzip file (${messageOf(error)}), for ${columnText(column)}`);
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
