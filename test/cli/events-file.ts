// An independent reader of TensorBoard's event files: protobufjs by the published fields, checks computed bit by bit.
import protobuf from "protobufjs";

const { root } = protobuf.parse(`syntax = "proto3";
message Summary { message Value { string node_name = 7; string tag = 1; float simple_value = 2; } repeated Value value = 1; }
message Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }`);
const type = root.lookupType("Event");

/** CRC-32C, a bit at a time, as RFC 3720 defines it: the remainder by x^32 + x^28 + x^27 + ..., bits reflected. */
export function slowCrc32c(bytes: Uint8Array): number {
  let remainder = 0xffffffffn;
  for (const byte of bytes)
    for (let bit = 0; bit < 8; bit++) {
      const lowest = (remainder ^ BigInt((byte >> bit) & 1)) & 1n;
      remainder >>= 1n;
      if (lowest) remainder ^= 0x82f63b78n;
    }
  return Number(remainder ^ 0xffffffffn);
}
const masked = (bytes: Uint8Array): number => {
  const crc = BigInt(slowCrc32c(bytes));
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
};
export interface ReadEvent {
  readonly wallTime: number;
  readonly step: number;
  readonly fileVersion: string;
  readonly values: Readonly<Record<string, number>>;
}
export function readEvents(bytes: Uint8Array): readonly ReadEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: ReadEvent[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    if (view.getUint32(at + 8, true) !== masked(bytes.subarray(at, at + 8))) throw new Error(`length at ${at}`);
    const event = bytes.subarray(at + 12, at + 12 + length);
    if (view.getUint32(at + 12 + length, true) !== masked(event)) throw new Error(`event at ${at}`);
    const read = type.toObject(type.decode(event), { longs: Number, defaults: true }) as {
      wallTime: number;
      step: number;
      fileVersion: string;
      summary: { value: { tag: string; simpleValue: number }[] } | null;
    };
    const { wallTime, step, fileVersion, summary } = read;
    const values = Object.fromEntries((summary?.value ?? []).map(({ tag, simpleValue }) => [tag, simpleValue]));
    events.push({ wallTime, step, fileVersion, values });
    at += 16 + length;
  }
  return events;
}
