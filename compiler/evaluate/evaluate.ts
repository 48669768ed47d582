// The reference evaluator: loops over a node's axes and evaluates the scalar body in f64. No fusion, no cleverness beyond turning
// a body into one JavaScript function. It is the oracle of every other phase.
import { InternalError } from "../../grammar/diagnostic.ts";
import { memoised, ownCompilation, within } from "../graph/compilation.ts";
import { compute, rootsOf } from "../graph/node.ts";
import { axis, evaluatorOf, scalarOrder } from "../graph/scalar.ts";
import type {
  Compute,
  Extent,
  GraphProgram,
  Node,
  Scalar,
  Scatter,
  Shape,
  Source,
  Update,
  Variable,
} from "../graph/types.ts";
import { elements } from "../scalar/dtype.ts";
import { staysShort, type Compiled } from "./compiled.ts";
import { evaluateBy, extentValue, type Dims, type Instead, type Values } from "./order.ts";

export { extentValue, sizeOfShape, type Dims, type Instead, type Values } from "./order.ts";

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
    updates: new Map(
      program.updates.map((u, i) => {
        const value = results[program.outputs.length + i]!;
        return [u.target, u.at ? written(u.target, value, placesOf(u, values, dims)) : value];
      }),
    ),
  };
  function written(target: Source, value: Float64Array, places: readonly Float64Array[]): Float64Array {
    const result = Float64Array.from(values.get(target)!);
    const seen = new Set<number>();
    value.forEach((v, k) => {
      let at = 0;
      for (const [d, place] of places.entries()) {
        const n = extentValue(target.shape[d]!, dims);
        if (place[k]! < 0 || place[k]! >= n) return;
        at = at * n + place[k]!;
      }
      if (seen.has(at)) throw new InternalError(`evaluate: element ${at} of ${target.path} is written twice`);
      seen.add(at);
      result[at] = v;
    });
    return result;
  }
}
/** Of every element of the value, by dimension of the target. */
const placesOf = ({ value, at }: Update, values: Values, dims: Dims): readonly Float64Array[] =>
  within(value.compilation, () => {
    const axes = value.shape.map((n, d) => axis(d, n));
    const places = at!.map((e) => compute(axes, undefined, e));
    return evaluateNodes(places, values, dims);
  });

/** `compile`: else by functions made of texts, which the policy of a page may forbid. */
export const evaluateNodes = (
  roots: readonly Node[],
  values: Values,
  dims: Dims = {},
  instead?: Instead,
  compile: (node: Compute | Scatter) => Compiled = functionOf,
): Float64Array[] => evaluateBy(compile, roots, values, dims, instead);

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
