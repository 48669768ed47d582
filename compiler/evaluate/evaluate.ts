// The reference evaluator: loops over a node's axes and evaluates the scalar body in f64. No fusion, no cleverness beyond turning
// a body into one JavaScript function. It is the oracle of every other phase.
import { InternalError } from "../../grammar/diagnostic.ts";
import { memoised, ownCompilation } from "../graph/compilation.ts";
import { inputs, rootsOf, topological } from "../graph/node.ts";
import { evaluatorOf, scalarOrder } from "../graph/scalar.ts";
import type {
  Compute,
  Extent,
  GraphProgram,
  Node,
  Scalar,
  Scan,
  Scatter,
  Shape,
  Source,
  Variable,
} from "../graph/types.ts";
import { staysShort, type Compiled } from "./compiled.ts";
import { normal, uniform } from "./philox.ts";
import { elements } from "../scalar/dtype.ts";

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

/** Outputs by name and the new values of the updated states. */
export function evaluate(
  program: GraphProgram,
  values: Values,
  dims: Dims = {},
  instead?: Instead,
): { outputs: Map<string, Float64Array>; updates: Map<Source, Float64Array> } {
  const results = evaluateNodes(rootsOf(program), values, dims, instead);
  return {
    outputs: new Map(program.outputs.map((o, i) => [o.name, results[i]!])),
    updates: new Map(program.updates.map((u, i) => [u.target, results[program.outputs.length + i]!])),
  };
}

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

/** `compile`: by closures in the compiler itself, where a page's policy may forbid to make a function of a text. */
export function evaluateNodes(
  roots: readonly Node[],
  values: Values,
  dims: Dims = {},
  instead?: Instead,
  compile: (node: Compute | Scatter) => Compiled = functionOf,
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

// ---------------------------------------------------------------- a body as a JavaScript function

const functionOf = memoised(makeFunction, ownCompilation);
function makeFunction(node: Compute | Scatter): Compiled {
  const calls: Compiled["calls"] = [];
  const tensors: Node[] = [];
  const steps: Variable[] = [];
  const extents: Extent[] = [];
  const place = <T>(list: T[], x: T): number => (list.includes(x) ? list.indexOf(x) : list.push(x) - 1);
  const extentText = (n: Extent): string => (typeof n === "number" ? String(n) : `N[${place(extents, n)}]`);
  const names = new Map<Scalar, string>();
  const lines: string[] = [];
  const roots = node.kind === "compute" ? [node.body] : [node.value, ...node.indices];
  const address = (shape: Shape, indices: readonly string[]): string =>
    indices.reduce((sum, e, d) => (d === 0 ? e : `(${sum}) * ${extentText(shape[d]!)} + ${e}`), "0");
  const inside = (shape: Shape, indices: readonly string[]): string =>
    indices.map((e, d) => `${e} >= 0 && ${e} < ${extentText(shape[d]!)}`).join(" && ") || "true";
  // under a condition only the arm taken is evaluated: arms are safe to evaluate in any case, since loads answer NaN out of range
  const text = (e: Scalar): string => {
    const x = (y: Scalar): string => names.get(y)!;
    switch (e.kind) {
      case "literal":
        return e.dtype === "bool"
          ? String(e.value === 1)
          : e.value < 0 || Object.is(e.value, -0)
            ? `(${Object.is(e.value, -0) ? "-0" : e.value})`
            : String(e.value);
      case "dim":
        return extentText(e);
      case "variable":
        return e.position !== undefined ? `a${e.position}` : `T[${place(steps, e)}]`;
      case "affine": // in f64 where the sum stays in i32, else as it wraps
        return staysShort(e)
          ? [...e.terms.map(([atom, k]) => `${k} * ${x(atom)}`), String(e.constant)].join(" + ")
          : `(${[...e.terms.map(([atom, k]) => `Math.imul(${k}, ${x(atom)})`), String(e.constant | 0)].join(" + ")}) | 0`;
      case "floor_div":
        return `Math.floor(${x(e.operand)} / ${e.divisor})`;
      case "modulo":
        return `((${x(e.operand)} % ${e.divisor}) + ${e.divisor}) % ${e.divisor}`;
      case "non_negative":
        return `${x(e.operand)} >= 0`;
      case "equal_zero":
        return `${x(e.operand)} === 0`;
      case "and":
        return e.operands.map(x).join(" && ");
      case "not":
        return `!${x(e.operand)}`;
      case "select":
        return `${x(e.condition)} ? ${x(e.then)} : ${x(e.otherwise)}`;
      case "call": {
        const value = `F[${place(calls, evaluatorOf(e.fn, e.dtype))}](${e.operands.map((y) => (y.dtype === "bool" ? `+${x(y)}` : x(y))).join(", ")})`;
        return e.dtype === "bool" ? `${value} !== 0` : e.dtype === "i32" ? `${value} | 0` : value;
      }
      case "load": {
        const at = e.indices.map(x);
        const value = `A${place(tensors, e.tensor)}[${address(e.tensor.shape, at)}]`;
        const guarded = `${inside(e.tensor.shape, at)} ? ${value} : ${e.outside ? `+${x(e.outside)}` : "NaN"}`;
        return e.dtype === "bool" ? `(${guarded}) !== 0` : guarded;
      }
      case "random":
        return `${e.distribution}(${x(e.seed)}, ${e.site}, ${x(e.step)}, ${address(e.extents, e.indices.map(x))})`;
      case "local":
        throw new InternalError("evaluate: a local outside of a kernel");
      default:
        return e satisfies never;
    }
  };
  for (const e of scalarOrder(roots)) {
    const written = text(e);
    if (e.kind === "literal" || e.kind === "variable" || e.kind === "dim") names.set(e, written);
    else {
      lines.push(`const x${lines.length} = ${written};`);
      names.set(e, `x${lines.length - 1}`);
    }
  }
  const value = names.get(roots[0]!)!;
  const loops = (shape: Shape, from: number): string =>
    shape.map((n, i) => `for (let a${from + i} = 0; a${from + i} < ${extentText(n)}; a${from + i}++)`).join("\n");
  let source: string;
  if (node.kind === "scatter") {
    const at = roots.slice(1).map((e) => names.get(e)!);
    source = `${loops(node.over, 0)} {\n${lines.join("\n")}\nif (${inside(node.shape, at)}) Y[${address(node.shape, at)}] ${elements[node.dtype].whole ? `= (Y[${address(node.shape, at)}] + ${value}) | 0` : `+= ${value}`};\n}`;
  } else if (node.reduction) {
    const { op, extents: over } = node.reduction;
    const start = elements.f32.identity[op]; // values of every type are numbers here
    const step = {
      sum: elements[node.dtype].whole ? `acc = (acc + ${value}) | 0;` : `acc += +${value};`,
      prod: `acc *= ${value};`,
      max: `if (${value} > acc) acc = ${value};`,
      min: `if (${value} < acc) acc = ${value};`,
      argmax: `if (+${value} > acc) { acc = +${value}; best = at; } at++;`,
      argmin: `if (+${value} < acc) { acc = +${value}; best = at; } at++;`,
    }[op];
    source = `${loops(node.shape, 0)} {\nlet acc = ${start}, best = 0, at = 0;\n${loops(over, node.shape.length)} {\n${lines.join("\n")}\n${step}\n}\nY[y++] = ${op.startsWith("arg") ? "best" : "acc"};\n}`;
  } else source = `${loops(node.shape, 0)} {\n${lines.join("\n")}\nY[y++] = ${value};\n}`;
  const arrays = tensors.map((_, i) => `const A${i} = A[${i}];`).join(" ");
  const run = new Function(
    "Y",
    "uniform",
    "normal",
    "F",
    "A",
    "T",
    "N",
    `${arrays}\nlet y = 0;\n${source}`,
  ) as Compiled["run"];
  return { run, calls, tensors, steps, extents };
}
