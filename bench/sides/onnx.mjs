// An ONNX model as bytes, for what the benchmark needs of the format (field numbers of onnx.proto): nodes, f32 and i64 tensors, inputs, outputs.

/** Negative numbers as the 64 bits of their two's complement. */
const varint = (n) => {
  const bytes = [];
  for (n = BigInt.asUintN(64, BigInt(n)); n > 127n; n >>= 7n) bytes.push(Number(n & 127n) | 128);
  return [...bytes, Number(n)];
};
const join = (parts) => Buffer.concat(parts.map((p) => (p instanceof Uint8Array ? p : Buffer.from(p))));
const number = (field, value) => Buffer.from([...varint(field << 3), ...varint(value)]);
const bytes = (field, value) => {
  const data = typeof value === "string" ? Buffer.from(value) : value;
  return join([varint((field << 3) | 2), varint(data.length), data]);
};
const real = (field, value) => {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return join([varint((field << 3) | 5), data]);
};

const kinds = { f32: 1, i32: 6, i64: 7 };
function tensor(name, { dtype, shape, values }) {
  const raw = dtype === "i64" ? new BigInt64Array(Array.from(values, BigInt)) : values;
  return join([
    ...shape.map((n) => number(1, n)),
    number(2, kinds[dtype]),
    bytes(8, name),
    bytes(9, new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength)),
  ]);
}
const port = ({ name, dtype = "f32", shape }) =>
  join([
    bytes(1, name),
    bytes(2, bytes(1, join([number(1, kinds[dtype]), bytes(2, join(shape.map((n) => bytes(1, number(1, n)))))]))),
  ]);
/** An attribute: a whole number, a real one ({ real }), whole numbers or a text. */
function attribute(name, value) {
  const own =
    typeof value === "string"
      ? [bytes(4, value), number(20, 3)]
      : Array.isArray(value)
        ? [...value.map((n) => number(8, n)), number(20, 7)]
        : typeof value === "object"
          ? [real(2, value.real), number(20, 1)]
          : [number(3, value), number(20, 2)];
  return join([bytes(1, name), ...own]);
}

/** A graph that grows: `add` gives the name of what a node computes. Opset 20. */
export class Graph {
  #nodes = [];
  #tensors = [];
  constant(name, t) {
    this.#tensors.push(tensor(name, t));
    return name;
  }
  /** A constant that no workload names. */
  literal(values, shape = [], dtype = "f32") {
    return this.constant(`c${this.#tensors.length}`, {
      dtype,
      shape,
      values: dtype === "f32" ? Float32Array.from(values) : values,
    });
  }
  add(op, inputs, attributes = {}, outputs = 1) {
    const names = Array.from({ length: outputs }, (_, i) => `n${this.#nodes.length}_${i}`);
    const fields = Object.entries(attributes).map(([k, v]) => bytes(5, attribute(k, v)));
    this.#nodes.push(
      join([...inputs.map((x) => bytes(1, x)), ...names.map((x) => bytes(2, x)), bytes(4, op), ...fields]),
    );
    return outputs === 1 ? names[0] : names;
  }
  /** `outputs`: [{ name, shape }]. */
  model(inputs, outputs) {
    const graph = join([
      ...this.#nodes.map((n) => bytes(1, n)),
      bytes(2, "bench"),
      ...this.#tensors.map((t) => bytes(5, t)),
      ...inputs.map((x) => bytes(11, port(x))),
      ...outputs.map((x) => bytes(12, port(x))),
    ]);
    return join([number(1, 9), bytes(7, graph), bytes(8, join([bytes(1, ""), number(2, 20)]))]);
  }
}
