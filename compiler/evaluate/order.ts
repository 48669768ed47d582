// The order of an evaluation: what is computed before what, loops round by round. In: nodes, values of what they read, what makes a formula run.
// Out: their values.
import { InternalError } from "../../grammar/diagnostic.ts";
import { inputs, topological } from "../graph/node.ts";
import type { Compute, Extent, Node, Scan, Scatter, Shape, Variable } from "../graph/types.ts";
import type { Compiled } from "./compiled.ts";
import { normal, uniform } from "./philox.ts";

/** Of every source that is read; of other nodes where they count as given. */
export type Values = ReadonlyMap<Node, ArrayLike<number>>;
/** Scalar functions to be taken for others, by their `evaluate`. */
export type Instead = ReadonlyMap<(...x: number[]) => number, (...x: number[]) => number>;
export type Dims = Readonly<Record<string, number>>;

export function extentValue(extent: Extent, dims: Dims): number {
  if (typeof extent === "number") return extent;
  if (extent.kind === "dim") {
    const value = dims[extent.name];
    if (value === undefined) throw new InternalError(`evaluate: the dim ${extent.name} has no value`);
    return value;
  }
  return extent.terms.reduce((sum, [atom, k]) => sum + k * extentValue(atom as Extent, dims), extent.constant);
}
export const sizeOfShape = (shape: Shape, dims: Dims): number =>
  shape.reduce<number>((product, n) => product * extentValue(n, dims), 1);

interface Frame {
  readonly scan?: Scan;
  readonly t: number;
  readonly values: Map<Node, Float64Array>;
  readonly parent?: Frame;
  readonly scans: Map<Scan, ScanValues>;
}
interface ScanValues {
  readonly histories: Float64Array[]; // one per carry, count + 1 rows
  readonly stacks: Map<Node, Float64Array>;
}

/** `compile` makes a node's formula something that runs. */
export function evaluateBy(
  compile: (node: Compute | Scatter) => Compiled,
  roots: readonly Node[],
  values: Values,
  dims: Dims = {},
  instead?: Instead,
): Float64Array[] {
  const wanted = stackedNodes(roots);
  const top: Frame = { t: 0, values: new Map(), scans: new Map() };
  for (const [x, given] of values) if (x.kind !== "source") top.values.set(x, Float64Array.from(given));
  const size = (shape: Shape): number => sizeOfShape(shape, dims);
  /** The outermost frame that knows all scans of a node. */
  const home = (scans: ReadonlySet<Scan>, frame: Frame): Frame => {
    let at = frame;
    while (at.parent && !(at.scan && scans.has(at.scan))) at = at.parent;
    return at;
  };
  const stepOf = (v: Variable, frame: Frame): number => {
    const [own] = v.scans;
    for (let at: Frame | undefined = frame; at; at = at.parent) if (at.scan === own) return at.t;
    throw new InternalError("evaluate: a step outside of its scan");
  };
  const get = (node: Node, frame: Frame): Float64Array => {
    const at = home(node.scans, frame);
    const known = at.values.get(node);
    if (known) return known;
    for (const x of topological([node], (y) => home(y.scans, frame).values.has(y), inputsBefore)) {
      const place = home(x.scans, frame);
      if (!place.values.has(x)) place.values.set(x, compute(x, place));
    }
    return at.values.get(node)!;
  };
  const compute = (node: Node, frame: Frame): Float64Array => {
    switch (node.kind) {
      case "source": {
        const data = values.get(node) ?? node.data;
        if (!data) throw new InternalError(`evaluate: ${node.role} ${node.path} has no value`);
        if (data.length !== size(node.shape))
          throw new InternalError(`evaluate: ${node.path} has ${data.length} values instead of ${size(node.shape)}`);
        return Float64Array.from(data);
      }
      case "reshape":
        return get(node.operand, frame);
      case "compute":
      case "scatter": {
        const compiled = compile(node);
        const result = new Float64Array(size(node.shape));
        compiled.run(
          result,
          uniform,
          normal,
          instead ? compiled.calls.map((f) => instead.get(f) ?? f) : compiled.calls,
          compiled.tensors.map((x) => get(x, frame)),
          compiled.steps.map((v) => stepOf(v, frame)),
          compiled.extents.map((n) => extentValue(n, dims)),
        );
        return result;
      }
      case "result": {
        const place = home(node.scan.scans, frame);
        let known = place.scans.get(node.scan);
        if (!known) place.scans.set(node.scan, (known = runScan(node.scan, place)));
        if (node.of.kind === "stack") return known.stacks.get(node.of.node)!;
        const history = known.histories[node.of.carry]!;
        if (node.of.kind === "history") return history;
        const row = history.length / (node.scan.count + 1);
        return node.scan.reverse ? history.slice(0, row) : history.slice(history.length - row);
      }
      default:
        return node satisfies never;
    }
  };
  const runScan = (scan: Scan, frame: Frame): ScanValues => {
    let carried = scan.carries.map((c) => get(c.initial, frame));
    const histories = carried.map((x) => new Float64Array(x.length * (scan.count + 1)));
    const stacks = new Map(
      [...(wanted.get(scan) ?? [])].map((node) => [node, new Float64Array(scan.count * size(node.shape))]),
    );
    const store = (row: number): void => carried.forEach((x, j) => histories[j]!.set(x, row * x.length));
    store(scan.reverse ? scan.count : 0);
    for (let k = 0; k < scan.count; k++) {
      const t = scan.reverse ? scan.count - 1 - k : k;
      const inner: Frame = { scan, t, values: new Map(), parent: frame, scans: new Map() };
      scan.carries.forEach((c, j) => inner.values.set(c.incoming, carried[j]!));
      for (const [node, stack] of stacks) {
        const x = get(node, inner);
        stack.set(x, t * x.length);
      }
      carried = scan.carries.map((c) => get(c.next, inner));
      store(scan.reverse ? t : t + 1);
    }
    return { histories, stacks };
  };
  return roots.map((root) => get(root, top));
}
/** What is computed before a node: of a Result what its scan reads from outside is found when the scan runs. */
const inputsBefore = (node: Node): readonly Node[] =>
  node.kind === "result" ? node.scan.carries.map((c) => c.initial) : inputs(node);
/** Which body nodes of every scan are read as stacks. */
function stackedNodes(roots: readonly Node[]): Map<Scan, Set<Node>> {
  const found = new Map<Scan, Set<Node>>();
  for (const node of topological(roots))
    if (node.kind === "result" && node.of.kind === "stack") {
      if (!found.has(node.scan)) found.set(node.scan, new Set());
      found.get(node.scan)!.add(node.of.node);
    }
  return found;
}
