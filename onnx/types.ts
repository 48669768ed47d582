// Element types and tensors of a file as dlm has them.
import { Unsupported, type OnnxTensor } from "./model.ts";
import type { ElementType, Value } from "./value.ts";

const types: Readonly<Record<string, ElementType>> = { FLOAT: "f32", INT32: "i32", INT64: "i32", BOOL: "bool" };
export function elementType(onnx: string, what: string): ElementType {
  const type = types[onnx];
  if (!type) throw new Unsupported(`${what} is of type ${onnx}; dlm has f32, i32 and bool`);
  return type;
}
/** A tensor of the file as a constant; whole numbers have to be within i32. */
export function constantOf(tensor: OnnxTensor, what: string): Value {
  const type = elementType(tensor.elementType, what);
  return { shape: tensor.shape, type, constant: tensor.data };
}
