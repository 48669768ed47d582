// One reference case: numbers computed by PyTorch in float64 (test/golden/README.md has the schema).
export interface ReferenceTensor {
  readonly shape: readonly number[];
  readonly dtype: "f32" | "i32" | "bool";
  readonly data: readonly number[];
}
export type Tensors = Readonly<Record<string, ReferenceTensor>>;
export interface ReferenceCase {
  readonly name: string;
  readonly family: string;
  readonly kind: string;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly inputs: Tensors;
  readonly params: Tensors;
  readonly outputs: Tensors;
  readonly grad_of?: string;
  readonly cotangent?: Tensors;
  readonly grads: Tensors;
  readonly tolerance: { readonly rtol: number; readonly atol: number };
  readonly note?: string;
}

/** The tensor with its axes in another order: axis i of the result is axis order[i] of the tensor. */
export function permute(tensor: ReferenceTensor, order: readonly number[]): ReferenceTensor {
  const shape = order.map((axis) => tensor.shape[axis]!);
  const strides = tensor.shape.map((_, axis) => tensor.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const data: number[] = [];
  const walk = (depth: number, offset: number): void => {
    if (depth === order.length) data.push(tensor.data[offset]!);
    else for (let i = 0; i < shape[depth]!; i++) walk(depth + 1, offset + i * strides[order[depth]!]!);
  };
  walk(0, 0);
  return { shape, dtype: tensor.dtype, data };
}

export const reshaped = (tensor: ReferenceTensor, shape: readonly number[]): ReferenceTensor => ({ ...tensor, shape });
