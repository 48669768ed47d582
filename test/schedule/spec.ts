// Kernel specifications in few words, for tests and measurements.
import { source } from "../../compiler/graph/node.ts";
import { asInteger, integer, load, local, variable } from "../../compiler/graph/scalar.ts";
import type {
  DType,
  Extent,
  Integer,
  Load,
  Node,
  Range,
  ReductionOp,
  Scalar,
  Source,
  Variable,
} from "../../compiler/graph/types.ts";
import { enter } from "../../compiler/graph/compilation.ts";
import type { KernelSpec, Stage, Store } from "../../compiler/kernel/kernel.ts";
import { byHand } from "../graph/by-hand.ts";

enter(byHand); // bundlers leave a module out that is imported for what it does

export const tensor = (path: string, shape: readonly Extent[], dtype: DType = "f32", range?: Range): Source =>
  source({ role: "input", path, shape, dtype, range });
export const at = (node: Node, ...indices: (Integer | number)[]): Load => load(node, indices.map(asInteger)) as Load;
export const atOr = (node: Node, outside: number, ...indices: (Integer | number)[]): Scalar =>
  load(node, indices.map(asInteger), outside);

/** Collects the stages and stores of one kernel. Axes of extent 1 are the constant 0 in every formula, as fusion writes them. */
export class SpecBuilder {
  readonly axes: Variable[];
  readonly i: Integer[];
  private readonly stages: Stage[] = [];
  private readonly stores: Store[] = [];
  private readonly name: string;
  constructor(name: string, extents: readonly Extent[], names = "ijlmnpq") {
    this.name = name;
    this.axes = extents.map((n, d) => variable(n, names[d]!));
    this.i = positions(this.axes);
  }
  reduce(
    op: ReductionOp,
    extents: readonly Extent[],
    body: (...k: Integer[]) => Scalar,
    name: string = op,
    dtype?: DType,
  ): Scalar {
    const over = extents.map((n, d) => variable(n, "kruv"[d]!));
    const value = body(...positions(over));
    const result = local(name, dtype ?? (op === "argmax" || op === "argmin" ? "i32" : value.dtype));
    this.stages.push({ local: result, op, over, value });
    return result;
  }
  sum(extents: readonly Extent[], body: (...k: Integer[]) => Scalar, name = "sum"): Scalar {
    return this.reduce("sum", extents, body, name);
  }
  store(target: Node, value: Scalar, indices: readonly Integer[] = this.i): this {
    this.stores.push({ target, over: [], indices, value });
    return this;
  }
  storeRow(target: Node, extents: readonly Extent[], value: (...k: Integer[]) => Scalar): this {
    const over = extents.map((n) => variable(n, "w"));
    this.stores.push({ target, over, indices: [...this.i, ...positions(over)], value: value(...positions(over)) });
    return this;
  }
  done(): KernelSpec {
    return { name: this.name, comment: () => [this.name], axes: this.axes, stages: this.stages, stores: this.stores };
  }
}
const positions = (axes: readonly Variable[]): Integer[] => axes.map((v) => (v.extent === 1 ? integer(0) : v));
