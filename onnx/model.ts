// ONNX files: bytes -> Model or tensor, and back. Of ONNX's schema only the fields that a translation needs are read; the numbers are
// those of onnx.proto (onnx/onnx, IR version 13).
import protobuf from "protobufjs";

const { root } = protobuf.parse(
  `
syntax = "proto2";
message ModelProto { optional int64 ir_version = 1; optional GraphProto graph = 7; repeated OperatorSet opset_import = 8; repeated FunctionProto functions = 25; }
message OperatorSet { optional string domain = 1; optional int64 version = 2; }
message FunctionProto { optional string name = 1; }
message GraphProto {
  repeated NodeProto node = 1; optional string name = 2; repeated TensorProto initializer = 5;
  repeated ValueInfo input = 11; repeated ValueInfo output = 12; repeated SparseTensor sparse_initializer = 15;
}
message SparseTensor { repeated int64 dims = 3; }
message NodeProto {
  repeated string input = 1; repeated string output = 2; optional string name = 3; optional string op_type = 4;
  repeated AttributeProto attribute = 5; optional string domain = 7;
}
message AttributeProto {
  optional string name = 1; optional float f = 2; optional int64 i = 3; optional bytes s = 4; optional TensorProto t = 5;
  optional GraphProto g = 6; repeated float floats = 7; repeated int64 ints = 8; repeated bytes strings = 9; optional int32 type = 20;
}
message TensorProto {
  repeated int64 dims = 1; optional int32 data_type = 2; repeated float float_data = 4 [packed = true]; repeated int32 int32_data = 5 [packed = true];
  repeated int64 int64_data = 7 [packed = true]; optional string name = 8; optional bytes raw_data = 9; repeated double double_data = 10 [packed = true];
  optional int32 data_location = 14;
}
message ValueInfo { optional string name = 1; optional TypeProto type = 2; }
message TypeProto { optional TensorType tensor_type = 1; }
message TensorType { optional int32 elem_type = 1; optional TensorShape shape = 2; }
message TensorShape { repeated Dimension dim = 1; }
message Dimension { optional int64 dim_value = 1; optional string dim_param = 2; }
`,
  { keepCase: true },
);

/** Element types by their number in TensorProto.DataType. */
export const elementTypes = [
  "UNDEFINED",
  "FLOAT",
  "UINT8",
  "INT8",
  "UINT16",
  "INT16",
  "INT32",
  "INT64",
  "STRING",
  "BOOL",
  "FLOAT16",
  "DOUBLE",
  "UINT32",
  "UINT64",
  "COMPLEX64",
  "COMPLEX128",
  "BFLOAT16",
] as const;

export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elementType: string;
  readonly data: readonly number[];
}
export type AttributeValue = number | string | readonly number[] | readonly string[] | OnnxTensor | OnnxGraph;
export interface OnnxNode {
  readonly op: string;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}
export interface ValueInfo {
  readonly name: string;
  readonly elementType: string;
  /** Extents; a name where the file leaves one open, undefined where it says nothing of the shape. */
  readonly shape: readonly (number | string)[] | undefined;
}
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}
export interface OnnxModel {
  readonly graph: OnnxGraph;
  /** Version of the operator set, by domain; "" is ONNX's own. */
  readonly opsets: ReadonlyMap<string, number>;
}

/** What a model has that a translation does not take; the message is the reason. */
export class Unsupported extends Error {}

// What protobufjs gives for the schema above: absent lists are empty (`arrays`), absent optional fields are missing.
interface RawTensor {
  dims: number[];
  data_type?: number;
  float_data: number[];
  int32_data: number[];
  int64_data: number[];
  double_data: number[];
  name?: string;
  raw_data?: Uint8Array;
  data_location?: number;
}
interface RawAttribute {
  name: string;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: RawTensor;
  g?: RawGraph;
  floats: number[];
  ints: number[];
  strings: Uint8Array[];
  type?: number;
}
interface RawNode {
  input: string[];
  output: string[];
  name?: string;
  op_type?: string;
  attribute: RawAttribute[];
  domain?: string;
}
interface RawValue {
  name: string;
  type?: {
    tensor_type?: { elem_type?: number; shape?: { dim: { dim_value?: number; dim_param?: string }[] } };
  };
}
interface RawGraph {
  node: RawNode[];
  name?: string;
  initializer: RawTensor[];
  input: RawValue[];
  output: RawValue[];
  sparse_initializer: unknown[];
}
interface RawModel {
  ir_version?: number;
  graph?: RawGraph;
  opset_import: { domain?: string; version?: number }[];
  functions: { name?: string }[];
}

function decode<T>(message: string, bytes: Uint8Array): T {
  const type = root.lookupType(message);
  return type.toObject(type.decode(bytes), { longs: Number, arrays: true }) as T; // the fields are those of the schema above
}
function encode(message: string, value: object): Uint8Array {
  const type = root.lookupType(message);
  return type.encode(type.fromObject(value)).finish();
}

export const readModel = (bytes: Uint8Array): OnnxModel => {
  const raw = decode<RawModel>("ModelProto", bytes);
  if (!raw.graph) throw new Unsupported("the file has no graph");
  if (raw.functions.length)
    throw new Unsupported(`functions of the model: ${raw.functions.map((x) => x.name).join(", ")}`);
  return {
    graph: graphOf(raw.graph),
    opsets: new Map(
      raw.opset_import.map((x) => [x.domain === "ai.onnx" ? "" : (x.domain ?? ""), Number(x.version ?? 1)]),
    ),
  };
};
export const readTensor = (bytes: Uint8Array): OnnxTensor => tensorOf(decode<RawTensor>("TensorProto", bytes));

function graphOf(raw: RawGraph): OnnxGraph {
  if (raw.sparse_initializer.length) throw new Unsupported("sparse initialisers");
  return {
    name: raw.name ?? "",
    nodes: raw.node.map((n) => ({
      op: n.op_type ?? "",
      domain: n.domain === "ai.onnx" ? "" : (n.domain ?? ""),
      name: n.name ?? "",
      inputs: n.input,
      outputs: n.output,
      attributes: new Map(n.attribute.map((a) => [a.name, attributeOf(a)])),
    })),
    initializers: raw.initializer.map(tensorOf),
    inputs: raw.input.map(valueOf),
    outputs: raw.output.map(valueOf),
  };
}
function valueOf(raw: RawValue): ValueInfo {
  const tensor = raw.type?.tensor_type;
  return {
    name: raw.name,
    elementType: tensor ? (elementTypes[tensor.elem_type ?? 0] ?? `type ${tensor.elem_type}`) : "no tensor",
    shape: tensor?.shape?.dim.map((d) => (d.dim_value !== undefined ? Number(d.dim_value) : d.dim_param || "?")),
  };
}
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
/** Files without `type` (IR version 1) are read by what is there. */
function attributeOf(a: RawAttribute): AttributeValue {
  const type = a.type || (a.f !== undefined ? 1 : a.i !== undefined ? 2 : a.s ? 3 : a.t ? 4 : a.g ? 5 : 0);
  switch (type) {
    case 1:
      return a.f ?? 0;
    case 2:
      return Number(a.i ?? 0);
    case 3:
      return textOf(a.s ?? new Uint8Array());
    case 4:
      if (a.t) return tensorOf(a.t);
      break;
    case 5:
      if (a.g) return graphOf(a.g);
      break;
    case 8:
      return a.strings.map(textOf);
    case 6:
      return a.floats;
    case 0:
    case 7:
      return a.floats.length ? a.floats : a.strings.length ? a.strings.map(textOf) : a.ints.map(Number);
  }
  throw new Unsupported(`the attribute ${a.name} is of a kind that is not read`);
}

function tensorOf(raw: RawTensor): OnnxTensor {
  if (raw.data_location) throw new Unsupported("tensors in files of their own");
  const elementType = elementTypes[raw.data_type ?? 0] ?? `type ${raw.data_type}`;
  const shape = raw.dims.map(Number);
  const size = shape.reduce((a, b) => a * b, 1);
  const data = raw.raw_data?.length ? rawData(raw.raw_data, elementType) : listedData(raw, elementType);
  if (data.length !== size)
    throw new Unsupported(`the tensor ${raw.name ?? ""} has ${data.length} of ${size} elements`);
  return { name: raw.name ?? "", shape, elementType, data };
}
function listedData(raw: RawTensor, elementType: string): number[] {
  if (elementType === "FLOAT") return raw.float_data;
  if (elementType === "DOUBLE") return raw.double_data;
  if (elementType === "INT64") return raw.int64_data.map(Number);
  if (["INT32", "INT16", "INT8", "UINT16", "UINT8", "BOOL"].includes(elementType)) return raw.int32_data;
  if (!raw.dims.every((n) => Number(n) !== 0)) return [];
  throw new Unsupported(`tensors of ${elementType}`);
}
function rawData(bytes: Uint8Array, elementType: string): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all = (width: number, read: (offset: number) => number): number[] =>
    Array.from({ length: Math.floor(bytes.byteLength / width) }, (_, i) => read(i * width));
  switch (elementType) {
    case "FLOAT":
      return all(4, (i) => view.getFloat32(i, true));
    case "DOUBLE":
      return all(8, (i) => view.getFloat64(i, true));
    case "INT64":
      return all(8, (i) => Number(view.getBigInt64(i, true)));
    case "INT32":
      return all(4, (i) => view.getInt32(i, true));
    case "INT16":
      return all(2, (i) => view.getInt16(i, true));
    case "UINT16":
      return all(2, (i) => view.getUint16(i, true));
    case "INT8":
      return all(1, (i) => view.getInt8(i));
    case "UINT8":
    case "BOOL":
      return all(1, (i) => view.getUint8(i));
    default:
      throw new Unsupported(`tensors of ${elementType}`);
  }
}

/** A model as the bytes of a file; tests make theirs with it. */
export const writeModel = (model: OnnxModel): Uint8Array =>
  encode("ModelProto", {
    ir_version: 8,
    opset_import: [...model.opsets].map(([domain, version]) => ({ domain, version })),
    graph: rawGraph(model.graph),
  });
const rawGraph = (graph: OnnxGraph): object => ({
  name: graph.name,
  node: graph.nodes.map((n) => ({
    op_type: n.op,
    domain: n.domain,
    name: n.name,
    input: n.inputs,
    output: n.outputs,
    attribute: [...n.attributes].map(([name, value]) => rawAttribute(name, value)),
  })),
  initializer: graph.initializers.map(rawTensor),
  input: graph.inputs.map(rawValue),
  output: graph.outputs.map(rawValue),
});
const numberOf = (type: string): number => elementTypes.findIndex((x) => x === type);
const rawTensor = (t: OnnxTensor): object => ({
  name: t.name,
  dims: t.shape,
  data_type: numberOf(t.elementType),
  ...(t.elementType === "FLOAT"
    ? { float_data: t.data }
    : t.elementType === "INT64"
      ? { int64_data: t.data }
      : { int32_data: t.data }),
});
const rawValue = (v: ValueInfo): object => ({
  name: v.name,
  type: {
    tensor_type: {
      elem_type: numberOf(v.elementType),
      ...(v.shape
        ? { shape: { dim: v.shape.map((d) => (typeof d === "number" ? { dim_value: d } : { dim_param: d })) } }
        : {}),
    },
  },
});
function rawAttribute(name: string, value: AttributeValue): object {
  if (typeof value === "number")
    return Number.isInteger(value) ? { name, type: 2, i: value } : { name, type: 1, f: value };
  if (typeof value === "string") return { name, type: 3, s: new TextEncoder().encode(value) };
  if ("nodes" in value) return { name, type: 5, g: rawGraph(value) };
  if ("elementType" in value) return { name, type: 4, t: rawTensor(value) };
  if (value.every((x) => typeof x === "number"))
    return value.every(Number.isInteger) ? { name, type: 7, ints: value } : { name, type: 6, floats: value };
  return { name, type: 8, strings: value.map((x) => new TextEncoder().encode(String(x))) };
}
