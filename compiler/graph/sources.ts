// Tensors that are given, and the same bytes under another shape.
import { InternalError } from "../../grammar/diagnostic.ts";
import type { Reach } from "../scalar/functions.ts";
import { working } from "./compilation.ts";
import { unionScans } from "./leaves.ts";
import { metaOf, sameShape, shapeKey, type Meta } from "./shape.ts";
import type { DType, Node, Reshape, Scan, Shape, Source } from "./types.ts";

export function source(
  of: {
    role: Source["role"];
    path: string;
    shape: Shape;
    dtype: DType;
    data?: readonly number[];
    scan?: Scan;
    reach?: Reach | undefined;
  } & Meta,
): Source {
  const compilation = working();
  return {
    kind: "source",
    role: of.role,
    path: of.path,
    shape: of.shape,
    dtype: of.dtype,
    id: compilation.nextId(),
    compilation,
    scans: of.scan ? new Set([of.scan]) : unionScans([]),
    reach: of.reach,
    ...(of.range ? { range: of.range } : {}),
    ...(of.data ? { data: of.data } : {}),
    ...metaOf(of),
  };
}
/** A tensor of known values. */
export function constant(shape: readonly number[], data: readonly number[], dtype: DType = "f32"): Source {
  if (data.length !== shape.reduce((a, b) => a * b, 1)) throw new InternalError("constant: shape and data differ");
  const compilation = working();
  return compilation.intern(`K${dtype}${shape.join(",")}|${data.join(",")}`, (id) => {
    const range = dtype === "i32" && data.length ? { range: { low: Math.min(...data), high: Math.max(...data) } } : {};
    return {
      kind: "source",
      role: "constant",
      path: "",
      shape,
      dtype,
      data,
      id,
      compilation,
      scans: unionScans([]),
      ...range,
    };
  });
}
export function reshape(node: Node, shape: Shape, meta: Meta = {}): Node {
  const base = node.kind === "reshape" ? node.operand : node;
  if (sameShape(base.shape, shape)) return base;
  return working().intern<Reshape>(`H${base.id}:${shapeKey(shape)}`, (id) => ({
    kind: "reshape",
    operand: base,
    shape,
    dtype: base.dtype,
    id,
    compilation: base.compilation,
    scans: base.scans,
    reach: base.reach,
    ...(base.range ? { range: base.range } : {}),
    ...metaOf(meta),
  }));
}
