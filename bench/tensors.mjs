// Tensors that every side reads: one seeded generator, and files in the safetensors format (8 bytes of header length, JSON header, bytes).

/** Uniform values in -1..1, by name: the same for every side, whatever the order of generation. Mulberry32. */
export function uniform(name, count) {
  let state = 0x9e3779b9;
  for (const c of name) state = Math.imul(state ^ c.codePointAt(0), 0x01000193);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    values[i] = ((t ^ (t >>> 14)) >>> 0) / 2147483648 - 1;
  }
  return values;
}

export const elementCount = (shape) => shape.reduce((a, b) => a * b, 1);

/** Tensors ({name: {dtype: "f32" | "i32", shape, values}}) to the bytes of a safetensors file. */
export function toSafetensors(tensors) {
  let offset = 0;
  const header = {};
  for (const [name, t] of Object.entries(tensors)) {
    header[name] = {
      dtype: t.dtype === "f32" ? "F32" : "I32",
      shape: t.shape,
      data_offsets: [offset, offset + t.values.byteLength],
    };
    offset += t.values.byteLength;
  }
  let text = JSON.stringify(header);
  text += " ".repeat((8 - (text.length % 8)) % 8); // the data begin at a multiple of 8
  const bytes = new Uint8Array(8 + text.length + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(new TextEncoder().encode(text), 8);
  let at = 8 + text.length;
  for (const t of Object.values(tensors)) {
    bytes.set(new Uint8Array(t.values.buffer, t.values.byteOffset, t.values.byteLength), at);
    at += t.values.byteLength;
  }
  return bytes;
}

export function fromSafetensors(bytes) {
  const copy = new Uint8Array(bytes); // its own buffer, so that the views are aligned
  const length = Number(new DataView(copy.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(copy.subarray(8, 8 + length)));
  return Object.fromEntries(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        const Kind = dtype === "F32" ? Float32Array : Int32Array;
        return [
          name,
          {
            dtype: dtype === "F32" ? "f32" : "i32",
            shape,
            values: new Kind(copy.buffer, 8 + length + from, (to - from) / 4),
          },
        ];
      },
    ),
  );
}
