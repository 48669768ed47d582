// Rules of whole nodes.
import { compute, constant, elementCount, indicesOf, inputs, instantiate, ownAxes } from "../graph/node.ts";
import {
  and,
  axis,
  conjuncts,
  iadd,
  imul,
  integer,
  isCall,
  isGuard,
  linear,
  literal,
  load,
  nonNegative,
  select,
  substitute,
  termsOf,
  variable,
  visit,
} from "../graph/scalar.ts";
import { closuresOf } from "../evaluate/closures.ts";
import { evaluateBy } from "../evaluate/order.ts";
import { tidy } from "../graph/tidy.ts";
import type { Compute, Extent, Integer, Load, Node, Scalar, Source, Variable } from "../graph/types.ts";
import { isFormula } from "./loads.ts";
import { look, type NodeRule } from "./rule.ts";

export const metaOf = (x: Compute): { span: Compute["span"]; label: Compute["label"]; range: Compute["range"] } => ({
  span: x.span,
  label: x.label,
  range: x.range,
});
const isConstant = (x: Node): x is Source => x.kind === "source" && x.role === "constant";
const foldedElements = 4096; // larger constants would weigh more in the plan than their computation
const foldedIterations = 1 << 20;

export const nodes: readonly NodeRule[] = [
  {
    // a computation that does not change along an axis is made once and read along it
    name: "broadcast-of-smaller",
    exact: true,
    rewrite: (x) => {
      const isKept = (n: Extent, i: number): boolean => n === 1 || x.body.variables.has(axis(i, n));
      if (x.shape.every(isKept) || (!x.reduction && (x.body.kind === "load" || isFormula(x.body)))) return undefined;
      const kept = x.shape.map(isKept);
      const { output, over, body } = instantiate(x);
      const own = output.filter((_, i) => kept[i]);
      const small = compute(own, x.reduction && { op: x.reduction.op, over, ties: x.reduction.ties }, body, metaOf(x));
      const all = x.shape.map((n) => variable(n));
      return compute(all, undefined, load(small, indicesOf(all.filter((_, i) => kept[i]))), metaOf(x));
    },
  },
  {
    // values of constants alone are data
    name: "constant-node",
    exact: false,
    why: "computed in f64 and rounded once",
    rewrite: (x) => {
      const size = elementCount(x.shape);
      if (
        !(size <= foldedElements) ||
        !(size * elementCount(x.reduction?.extents ?? []) <= foldedIterations) ||
        x.dtype === "bool"
      )
        return undefined;
      if (x.scans.size || !inputs(x).every(isConstant)) return undefined;
      let tensors = 0;
      let open = false;
      visit(x.body, (e) => {
        if (e.kind === "load") tensors += 1;
        else if (e.kind === "random" || e.kind === "dim") open = true;
      });
      if (open || (!tensors && !x.reduction && isFormula(x.body))) return undefined; // masks and iotas say more than their values
      const values = [...evaluateBy(closuresOf, [x], new Map())[0]!];
      if (!values.every(Number.isFinite)) return undefined;
      const data = x.dtype === "f32" ? values.map(Math.fround) : values;
      const shape = x.shape as readonly number[];
      const [first] = data;
      if (data.every((v) => v === first))
        return compute(
          shape.map((n) => variable(n)),
          undefined,
          x.dtype === "f32" ? literal(first!) : integer(first!),
          metaOf(x),
        );
      return constant(shape, data, x.dtype);
    },
  },
  {
    // sum k: select(e - k == 0, u(k), 0) is u(e), where e is a k; also where the guard stands in a tensor that is read (a one-hot)
    name: "one-term-of-a-sum",
    exact: false,
    why: "-0 becomes 0",
    rewrite: (x) => {
      if (x.reduction?.op !== "sum" || x.dtype !== "f32") return undefined;
      const { output, over } = ownAxes(x);
      const [guarded, at] = withEquality(x.body, over) ?? [];
      if (!guarded || !at) return undefined;
      const { condition, then } = guarded;
      const { equality, v, value } = at;
      const others = and(
        ...conjuncts(condition).filter((c) => c !== equality),
        nonNegative(value),
        nonNegative(iadd(limit(v), imul(value, -1))),
      );
      const to = substitute(select(others, then, 0), new Map([[v, value]]));
      return compute(output, { op: "sum", over: over.filter((w) => w !== v) }, to, metaOf(x));
    },
  },
  {
    // a sum that only a sum reads is part of it
    name: "sum-of-sum",
    exact: false,
    why: "sums are reassociated",
    byUses: true,
    rewrite: (x, { uses }) => {
      if (x.reduction?.op !== "sum" || x.body.kind !== "load" || x.body.outside || x.dtype !== "f32") return undefined;
      const inner = x.body.tensor;
      if (inner.kind !== "compute" || inner.reduction?.op !== "sum" || uses(inner) > 1) return undefined;
      const { output, over, body } = instantiate(x);
      const own = instantiate(inner);
      const at = (body as Load).indices;
      const map = new Map<Scalar, Scalar>(own.output.map((v, i) => [v, at[i]!]));
      return compute(output, { op: "sum", over: [...over, ...own.over] }, substitute(own.body, map), metaOf(x));
    },
  },
  {
    // guards by constants shrink an axis; axes that occur everywhere as n t + u are one
    name: "tidy-axes",
    exact: false,
    why: "zeros are left out of the sum",
    rewrite: (x) => {
      if (x.reduction?.op !== "sum") return undefined;
      const { output, over } = ownAxes(x);
      const tidied = tidy(x.body, over);
      if (tidied.body === x.body) return undefined;
      return compute(output, { op: "sum", over: tidied.over }, tidied.body, metaOf(x));
    },
  },
];
/** The body as a guard with an equality that fixes a reduction axis, and that equality. */
function withEquality(
  body: Scalar,
  over: readonly Variable[],
): [Scalar & { readonly kind: "select" }, Fixed] | undefined {
  const own = fixedBy(body, over);
  if (own && isGuard(body)) return [body, own];
  const factors: Scalar[] = [];
  const split = (e: Scalar): void =>
    void (isCall(e, "mul") ? e.operands.forEach(split) : isCall(e, "neg") ? split(e.operands[0]!) : factors.push(e));
  split(isGuard(body) ? body.then : body);
  for (const factor of factors) {
    const behind = look(factor);
    if (behind === factor || !fixedBy(behind, over)) continue;
    const opened = substitute(body, new Map([[factor, behind]]));
    const fixed = fixedBy(opened, over);
    if (fixed && isGuard(opened)) return [opened, fixed];
  }
  return undefined;
}
interface Fixed {
  readonly equality: Scalar;
  readonly v: Variable;
  readonly value: Integer; // of v
}
function fixedBy(body: Scalar, over: readonly Variable[]): Fixed | undefined {
  if (!isGuard(body)) return undefined;
  for (const g of conjuncts(body.condition)) {
    if (g.kind !== "equal_zero") continue;
    for (const [atom, k] of termsOf(g.operand)) {
      if (Math.abs(k) !== 1 || !over.includes(atom as Variable)) continue;
      const value = linear([
        [g.operand, -k],
        [atom, 1],
      ]);
      if (!value.variables.has(atom as Variable)) return { equality: g, v: atom as Variable, value };
    }
  }
  return undefined;
}
const limit = (v: Variable): Integer => (typeof v.extent === "number" ? integer(v.extent - 1) : iadd(v.extent, -1));
