// Columns: what a loader reads of every row, as a source of the graph.
import type { Span } from "../../../grammar/diagnostic.ts";
import type { Loader, Storage } from "../../../runtime/plan.ts";
import { compute, indicesOf, source } from "../../graph/node.ts";
import { asExtent, iadd, load, toF32, variable } from "../../graph/scalar.ts";
import type { DType, Integer, Node, Range, Shape } from "../../graph/types.ts";
import { leastI32, mostI32 } from "../../scalar/range.ts";
import { pictureShape } from "../errors.ts";
import { axesOf } from "../tensors.ts";
import type { Block, Bounds } from "./dataset.ts";

/** Adds the column that a loader reads to a block. `declared`: the range of its numbers. Returns its value at one row. */
export function addColumn(
  name: string,
  loader: Loader,
  shape: readonly number[],
  dtype: DType,
  declared: Bounds | undefined,
  span: Span,
  block: Block,
): Node {
  // pictures are bytes, and a file says by its name that it holds bytes (train-images-idx3-ubyte.gz): they stay bytes
  const inFile = loader.kind === "images" || (loader.kind === "idx" && /ubyte/.test(loader.path));
  const bytes = inFile && dtype !== "bool" && !declared;
  const known = bytes ? ([0, 256] as const) : (declared ?? rangeOfRows(loader, dtype));
  const rawType: DType = bytes ? "i32" : dtype;
  const range: Range = known ? { low: known[0], high: known[1] - 1 } : { low: leastI32, high: mostI32 };
  const extents: Shape =
    loader.kind === "windows" ? [asExtent(iadd(block.rows, loader.window - 1))] : [block.rows, ...shape];
  const raw = source({
    role: "input",
    path: `data.${name}`,
    shape: extents,
    dtype: rawType,
    ...(rawType === "i32" ? { range } : {}),
    span,
    label: name,
  });
  block.columns.set(name, {
    name,
    source: raw,
    loader,
    storage: storageOf(loader, rawType, known),
    shape,
    ...(known && !bytes ? { range: known } : {}),
    span,
  });
  const at = load(block.row, []) as Integer;
  if (loader.kind === "windows") {
    block.windowed = true;
    const k = variable(loader.window, "k");
    return compute([k], undefined, load(raw, [iadd(at, k)]), { span });
  }
  const axes = axesOf(shape);
  const element = load(raw, [at, ...indicesOf(axes)]);
  return compute(axes, undefined, dtype === "f32" ? toF32(element) : element, { span });
}
/** Whole numbers that are written in the file say their range. */
const rangeOfRows = (loader: Loader, dtype: DType): Bounds | undefined =>
  loader.kind === "inline" && dtype === "i32"
    ? [Math.min(...loader.values), Math.max(...loader.values) + 1]
    : undefined;
/** Small numbers of a file are kept as bytes. */
function storageOf(loader: Loader, dtype: DType, range: Bounds | undefined): Storage {
  const fromFile = loader.kind !== "host" && loader.kind !== "inline";
  return dtype === "i32" && range && range[0] >= 0 && range[1] <= 256 && fromFile ? "u8" : dtype;
}
/** What a loader reads of one row, for a field of this shape. */
export function shapeOfLoader(loader: Loader, field: readonly number[], span: Span): readonly number[] {
  switch (loader.kind) {
    case "csv": {
      const { columns } = loader;
      const n = "from" in columns ? columns.to - columns.from : columns.length;
      return field.length === 0 && n === 1 ? [] : [n];
    }
    case "windows":
      return [loader.window];
    case "lines":
      return [loader.pad];
    case "line_lengths":
      return [];
    case "images":
      if ((field.length === 2 || (field.length === 3 && [1, 3, 4].includes(field[2]!))) && field.every((n) => n > 0))
        return field;
      throw pictureShape(span, field);
    case "image_class":
      return [];
    case "idx":
      return field.length ? [field.reduce((a, b) => a * b, 1)] : [];
    default:
      return field;
  }
}
