// Arrays in files of NumPy (npy) and of MNIST (idx). In: bytes.   Out: their shape and numbers; whatever does not fit the header is an error.
import { RuntimeProblem } from "./problem.ts";
import { product } from "./tensor.ts";

export interface ArrayFile {
  readonly shape: readonly number[]; // rows first
  readonly data: ArrayLike<number>;
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
/** A whole file with the rows that these first bytes of an npy or idx file hold; undefined for anything else, and where not one is whole. */
export function beginning(head: Uint8Array, path: string): Uint8Array | undefined {
  if (head[0] !== 0x93 && (head[0] || head[1] || !head[3])) return undefined;
  const header = head[0] === 0x93 ? npyHeader(head, path) : idxHeader(head, path);
  const [rows = 0, ...shape] = header.shape;
  const row = product(shape) * Number(header.type.slice(1));
  const held = Math.min(rows, Math.floor((head.length - header.start) / row));
  if (!(held > 0)) return undefined;
  const bytes = head.slice(0, header.start + held * row);
  if (head[0] !== 0x93) {
    new DataView(bytes.buffer).setUint32(4, held);
    return bytes;
  }
  // a shorter number takes fewer characters, and the header's length is fixed
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, header.start));
  const shorter = text
    .replace(/('shape':\s*\(\s*)\d+/, `$1${held}`)
    .replace(/'fortran_order':\s*True/, "'fortran_order': False"); // of a sample the order says nothing
  const padded = shorter.trimEnd().padEnd(header.start - 1) + "\n";
  for (let i = 0; i < header.start; i++) bytes[i] = padded.charCodeAt(i);
  return bytes;
}
/** Of an npy or idx file, by its first bytes; undefined for anything else. What is wrong with the header is told where the file is parsed. */
export function declaredBytes(head: Uint8Array, path: string): number | undefined {
  const isNpy = head[0] === 0x93;
  const isIdx = !head[0] && !head[1] && (head[3] ?? 0) > 0;
  if (!isNpy && !isIdx) return undefined;
  try {
    return (isNpy ? npyHeader(head, path) : idxHeader(head, path)).end;
  } catch {
    return undefined;
  }
}
