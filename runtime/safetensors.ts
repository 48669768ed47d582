// The safetensors format: u64 length of the header, header in JSON, then the tensors' bytes without gaps. A file from anywhere is checked
// whole before anything of it is used.
import type { FileBytes } from "./api.ts";
import { RuntimeProblem } from "./problem.ts";
import { product } from "./tensor.ts";

export interface StoredTensor {
  readonly dtype: StoredType; // dlm itself writes F32, I32 and BOOL
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}
export interface StoredFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}
export type StoredType = keyof typeof itemBytes;
const itemBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;
const isType = (name: unknown): name is StoredType => typeof name === "string" && Object.hasOwn(itemBytes, name);

/** Numbers of 16 bits, F16 or BF16, as F32, which holds every one of them; other tensors as they are. */
export function widened(tensor: StoredTensor): StoredTensor {
  const { dtype } = tensor;
  if (dtype !== "F16" && dtype !== "BF16") return tensor;
  const halves = new Uint16Array(tensor.bytes.slice().buffer);
  const floats =
    dtype === "F16"
      ? Float32Array.from(halves, fromHalf)
      : new Float32Array(Uint32Array.from(halves, (h) => (h << 16) >>> 0).buffer);
  return { ...tensor, dtype: "F32", bytes: new Uint8Array(floats.buffer) };
}
/** IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction. */
function fromHalf(h: number): number {
  const [sign, exponent, fraction] = [h >> 15 ? -1 : 1, (h >> 10) & 31, h & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

export function writeSafetensors(file: StoredFile): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = Object.keys(file.metadata).length ? { __metadata__: file.metadata } : {};
  let end = 0;
  // four-byte tensors first: each stays aligned
  const entries = [...file.tensors].sort(
    ([a, x], [b, y]) => itemBytes[y.dtype] - itemBytes[x.dtype] || (a < b ? -1 : 1),
  );
  for (const [name, t] of entries)
    header[name] = { dtype: t.dtype, shape: t.shape, data_offsets: [end, (end += t.bytes.length)] };
  let text = JSON.stringify(header);
  const encoder = new TextEncoder();
  text += " ".repeat((8 - (encoder.encode(text).length % 8)) % 8);
  const head = encoder.encode(text);
  const out = new Uint8Array(8 + head.length + end);
  new DataView(out.buffer).setBigUint64(0, BigInt(head.length), true);
  out.set(head, 8);
  let at = 8 + head.length;
  for (const [, t] of entries) {
    out.set(t.bytes, at);
    at += t.bytes.length;
  }
  return out;
}

export function readSafetensors(file: FileBytes): StoredFile {
  if (!ArrayBuffer.isView(file) && Object.prototype.toString.call(file) !== "[object ArrayBuffer]")
    throw new RuntimeProblem("a safetensors file is given as its bytes: a Uint8Array or an ArrayBuffer");
  const bytes = ArrayBuffer.isView(file)
    ? new Uint8Array(file.buffer, file.byteOffset, file.byteLength) // `slice` of a Buffer copies nothing
    : new Uint8Array(file);
  const bad = (what: string): RuntimeProblem => new RuntimeProblem(`this is no sound safetensors file: ${what}`);
  if (bytes.length < 8) throw bad(`it has ${bytes.length} bytes`);
  if (/^\s*<(!doctype|html)\b/i.test(new TextDecoder().decode(bytes.subarray(0, 100))))
    throw bad("it is a web page, as some servers answer with for what they do not have");
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(bytes.length - 8))
    throw bad(`its header should take ${length} bytes and the file has ${bytes.length}; it may have been cut off`);
  const start = 8 + Number(length);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start)));
  } catch {
    throw bad("its header is no JSON");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw bad("its header is no JSON object");
  const metadata: Record<string, string> = {};
  const found: { name: string; from: number; to: number; tensor: StoredTensor }[] = [];
  const whole = (x: unknown): x is number => typeof x === "number" && Number.isSafeInteger(x) && x >= 0;
  for (const [name, value] of Object.entries(header as Record<string, unknown>)) {
    if (typeof value !== "object" || value === null) throw bad(`the entry ${name} is no object`);
    if (name === "__metadata__") {
      for (const [key, text] of Object.entries(value)) if (typeof text === "string") metadata[key] = text;
      continue;
    }
    const { dtype, shape, data_offsets: range } = value as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
    if (!isType(dtype)) throw bad(`the tensor ${name} has the dtype ${String(dtype)}`);
    if (!Array.isArray(shape) || !shape.every(whole)) throw bad(`the tensor ${name} has no proper shape`);
    const [from, to] = (Array.isArray(range) ? range : []) as unknown[];
    if (!whole(from) || !whole(to) || to < from) throw bad(`the tensor ${name} has no proper place`);
    if (to - from !== product(shape as number[]) * itemBytes[dtype])
      throw bad(`the tensor ${name} of ${dtype}[${shape.join(", ")}] does not take ${to - from} bytes`);
    if (start + to > bytes.length)
      throw bad(
        `the tensor ${name} ends at byte ${start + to} and the file has ${bytes.length}; it may have been cut off`,
      );
    found.push({
      name,
      from,
      to,
      tensor: {
        dtype,
        shape: shape as number[],
        bytes: bytes.subarray(start + from, start + to),
      },
    });
  }
  found.sort((a, b) => a.from - b.from || a.to - b.to);
  let end = 0;
  for (const f of found) {
    if (f.from !== end) throw bad(`the tensor ${f.name} begins at ${f.from}, not where the one before ends, ${end}`);
    end = f.to;
  }
  if (start + end !== bytes.length) throw bad(`${bytes.length - start - end} bytes at its end belong to no tensor`);
  return { tensors: new Map(found.map((f) => [f.name, f.tensor])), metadata };
}
