// TensorBoard's event files. In: scalars with a tag, a step and a time.   Out: bytes: records of a length, its check, an `Event` of tensorflow/core/util/event.proto
// and its check, both masked CRC-32C (tensorflow/core/lib/io/record_writer.h).

/** By the polynomial of Castagnoli, reflected (RFC 3720). */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let c = byte;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c;
});
function crc32c(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = table[(c ^ byte) & 0xff]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
/** Of bytes that hold checks themselves, checks are turned by 15 bits and moved. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

function record(event: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + event.length + 4);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(event.length), true);
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(event, 12);
  view.setUint32(12 + event.length, masked(crc32c(event)), true);
  return bytes;
}

// ---- protocol buffers: a field is its number and kind, then its value

type Piece = readonly number[] | Uint8Array;
const joined = (pieces: readonly Piece[]): Uint8Array => Uint8Array.from(pieces.flatMap((p) => [...p]));
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}
const lengthDelimited = (field: number, bytes: Uint8Array): Uint8Array =>
  joined([[(field << 3) | 2], varint(bytes.length), bytes]);
const text = (field: number, value: string): Uint8Array => lengthDelimited(field, new TextEncoder().encode(value));
function double(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = (field << 3) | 1;
  new DataView(bytes.buffer).setFloat64(1, value, true);
  return bytes;
}
function float(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = (field << 3) | 5;
  new DataView(bytes.buffer).setFloat32(1, value, true);
  return bytes;
}

/** What a file begins with. Times are in seconds since 1970. */
export const fileHead = (time: number): Uint8Array => record(joined([double(1, time), text(3, "brain.Event:2")]));
/** Scalars of one step, by tag. */
export function scalarsEvent(time: number, step: number, scalars: Readonly<Record<string, number>>): Uint8Array {
  const values = Object.entries(scalars).map(([tag, value]) =>
    lengthDelimited(1, joined([text(1, tag), float(2, value)])),
  );
  return record(joined([double(1, time), [2 << 3], varint(step), lengthDelimited(5, joined(values))]));
}
/** As TensorBoard finds it: it looks for names with `tfevents` in them. */
export const eventsFileName = (seconds: number, host: string, process: number): string =>
  `events.out.tfevents.${Math.floor(seconds)}.${host.replace(/[^\w-]/g, "-")}.${process}.0`;
