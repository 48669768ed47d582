// A node's formula as closures, one for each scalar: what evaluate.ts makes of it as one JavaScript function, slower, and without one. A page whose policy
// forbids to make functions of texts compiles with these.   In: a node. Out: what runs it.
import { InternalError } from "../../grammar/diagnostic.ts";
import { evaluatorOf, scalarOrder } from "../graph/scalar.ts";
import type { Compute, Extent, Node, Scalar, Scatter, Shape, Variable } from "../graph/types.ts";
import { elements } from "../scalar/dtype.ts";
import { staysShort, type Compiled } from "./compiled.ts";
import { normal, uniform } from "./philox.ts";

/** What a run reads, in the order of the lists of Compiled. */
interface Given {
  calls: readonly ((...x: number[]) => number)[];
  tensors: readonly ArrayLike<number>[];
  steps: readonly number[];
  extents: readonly number[];
}
export function closuresOf(node: Compute | Scatter): Compiled {
  const given: Given = { calls: [], tensors: [], steps: [], extents: [] };
  const [calls, tensors, steps, extents]: [Compiled["calls"], Node[], Variable[], Extent[]] = [[], [], [], []];
  const place = <T>(list: T[], x: T): number => (list.includes(x) ? list.indexOf(x) : list.push(x) - 1);
  const sizeOf = (n: Extent): (() => number) => {
    if (typeof n === "number") return () => n;
    const i = place(extents, n);
    return () => given.extents[i]!;
  };
  const axes: number[] = []; // of the loops around
  const values: number[] = []; // of the scalars so far, in their order; bool is 0 or 1
  const order = new Map<Scalar, number>();
  const of = (e: Scalar): number => order.get(e)!;
  /** The row-major address, -1 outside of the shape. */
  const addressOf = (shape: Shape, indices: readonly Scalar[]): (() => number) => {
    const [sizes, at] = [shape.map(sizeOf), indices.map(of)];
    return () => {
      let address = 0;
      for (let d = 0; d < at.length; d++) {
        const [i, n] = [values[at[d]!]!, sizes[d]!()];
        if (!(i >= 0 && i < n)) return -1;
        address = address * n + i;
      }
      return address;
    };
  };
  const closure = (e: Scalar): (() => number) => {
    switch (e.kind) {
      case "literal": {
        const { value } = e;
        return () => value;
      }
      case "dim":
        return sizeOf(e);
      case "variable": {
        const { position } = e;
        if (position !== undefined) return () => axes[position]!;
        const i = place(steps, e);
        return () => given.steps[i]!;
      }
      case "affine": {
        const [terms, { constant }] = [e.terms.map(([atom, k]) => [of(atom), k] as const), e];
        if (staysShort(e)) return () => terms.reduce((sum, [at, k]) => sum + k * values[at]!, constant);
        return () => terms.reduce((sum, [at, k]) => sum + Math.imul(k, values[at]!), constant | 0) | 0;
      }
      case "floor_div": {
        const [at, { divisor }] = [of(e.operand), e];
        return () => Math.floor(values[at]! / divisor);
      }
      case "modulo": {
        const [at, { divisor }] = [of(e.operand), e];
        return () => ((values[at]! % divisor) + divisor) % divisor;
      }
      case "non_negative": {
        const at = of(e.operand);
        return () => Number(values[at]! >= 0);
      }
      case "equal_zero": {
        const at = of(e.operand);
        return () => Number(values[at]! === 0);
      }
      case "and": {
        const at = e.operands.map(of);
        return () => Number(at.every((i) => values[i]));
      }
      case "not": {
        const at = of(e.operand);
        return () => Number(!values[at]);
      }
      case "select": {
        const [condition, then, otherwise] = [of(e.condition), of(e.then), of(e.otherwise)];
        return () => values[values[condition] ? then : otherwise]!;
      }
      case "call": {
        const [fn, at] = [place(calls, evaluatorOf(e.fn, e.dtype)), e.operands.map(of)];
        const run = (): number => given.calls[fn]!(...at.map((i) => values[i]!));
        return e.dtype === "bool" ? () => Number(run() !== 0) : e.dtype === "i32" ? () => run() | 0 : run;
      }
      case "load": {
        const [tensor, address] = [place(tensors, e.tensor), addressOf(e.tensor.shape, e.indices)];
        const outside = e.outside && of(e.outside);
        const run = (): number => {
          const at = address();
          return at >= 0 ? given.tensors[tensor]![at]! : outside === undefined ? NaN : values[outside]!;
        };
        return e.dtype === "bool" ? () => Number(run() !== 0) : run;
      }
      case "random": {
        const draw = e.distribution === "uniform" ? uniform : normal;
        const [seed, step, { site }] = [of(e.seed), of(e.step), e];
        const [sizes, [first = 0, ...at]] = [e.extents.slice(1).map(sizeOf), e.indices.map(of)];
        const element = (): number => at.reduce((sum, i, d) => sum * sizes[d]!() + values[i]!, values[first] ?? 0);
        return () => draw(values[seed]!, site, values[step]!, element());
      }
      case "local":
        throw new InternalError("evaluate: a local outside of a kernel");
      default:
        return e satisfies never;
    }
  };
  const roots = node.kind === "compute" ? [node.body] : [node.value, ...node.indices];
  const closures = scalarOrder(roots).map((e) => {
    const made = closure(e);
    order.set(e, order.size);
    return made;
  });
  const formula = (): number => {
    for (let i = 0; i < closures.length; i++) values[i] = closures[i]!();
    return values[of(roots[0]!)]!;
  };
  /** Runs for every place of the shape, whose axes begin at a position. */
  const each = (sizes: readonly (() => number)[], from: number, run: () => void, d = 0): void => {
    if (d === sizes.length) return run();
    const n = sizes[d]!();
    for (let i = 0; i < n; i++) {
      axes[from + d] = i;
      each(sizes, from, run, d + 1);
    }
  };
  const { whole } = elements[node.dtype];
  const plus = whole ? (a: number, b: number) => (a + b) | 0 : (a: number, b: number) => a + b;
  let loop: (result: Float64Array) => void;
  if (node.kind === "scatter") {
    const [over, address] = [node.over.map(sizeOf), addressOf(node.shape, roots.slice(1))];
    loop = (result) =>
      each(over, 0, () => {
        const value = formula();
        const at = address();
        if (at >= 0) result[at] = plus(result[at]!, value);
      });
  } else {
    const [shape, { reduction }] = [node.shape.map(sizeOf), node];
    const over = reduction?.extents.map(sizeOf) ?? [];
    const start = reduction ? elements.f32.identity[reduction.op] : 0; // values of every type are numbers here
    loop = (result) => {
      let y = 0;
      each(shape, 0, () => {
        if (!reduction) return void (result[y++] = formula());
        let [acc, best, at] = [start, 0, 0];
        each(over, shape.length, () => {
          const value = formula();
          switch (reduction.op) {
            case "sum":
              acc = plus(acc, value);
              return;
            case "prod":
              acc *= value;
              return;
            case "max":
            case "argmax":
              if (value > acc) [acc, best] = [value, at];
              break;
            case "min":
            case "argmin":
              if (value < acc) [acc, best] = [value, at];
              break;
            default:
              reduction.op satisfies never;
          }
          at++;
        });
        result[y++] = reduction.op.startsWith("arg") ? best : acc;
      });
    };
  }
  const run: Compiled["run"] = (result, ...[, , functions, arrays, rounds, sizes]) => {
    Object.assign(given, { calls: functions, tensors: arrays, steps: rounds, extents: sizes });
    loop(result);
  };
  return { run, calls, tensors, steps, extents };
}
