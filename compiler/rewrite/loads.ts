// Rules of loads: a value that costs nothing is written where it is read. What is inlined here is never worth memory: constants, formulas of the
// axes alone (masks, iotas), and views (slices, transposed and broadcast reads), whose indices compose in normal form.
import { memoised } from "../graph/compilation.ts";
import { bodyAt } from "../graph/node.ts";
import { countAtoms, isCall, load, operandsOf, someScalar } from "../graph/scalar.ts";
import type { Compute, Integer, Load, Node, Scalar } from "../graph/types.ts";
import type { ScalarProcedure } from "./rule.ts";

const isPlain = (x: Scalar): x is Load & { readonly tensor: Compute } =>
  x.kind === "load" && !x.outside && x.tensor.kind === "compute" && !x.tensor.reduction;

/** A few integer operations, comparisons and constants: no load, no draw, no function. */
export const isFormula = memoised((body: Scalar): boolean => {
  let size = 0;
  return !someScalar([body], (x) => {
    size += x.kind === "literal" || x.kind === "variable" ? 0 : 1;
    return size > 8 || x.kind === "load" || x.kind === "random" || (x.kind === "call" && x.fn.cost !== "alu");
  });
});
const readOrCall = (indices: readonly Integer[]): boolean =>
  someScalar(indices, (x) => x.kind === "load" || x.kind === "random" || x.kind === "call");
/** A tensor that is another one read at other indices. */
export function isView(node: Node): node is Compute & { readonly body: Load } {
  return (
    node.kind === "compute" &&
    !node.reduction &&
    node.body.kind === "load" &&
    !readOrCall(node.body.indices) &&
    (!node.body.outside || operandsOf(node.body.outside).length === 0)
  );
}
const isNegation = ({ body }: Compute): boolean =>
  isCall(body, "neg") &&
  body.operands[0]!.kind === "load" &&
  !body.operands[0]!.outside &&
  !readOrCall(body.operands[0]!.indices);
const atomsOf = (indices: readonly Integer[]): number => indices.reduce((sum, e) => sum + countAtoms(e), 0);

/** What remains of a derivative's seed: the rules of stability match no `1 * x`. */
export const constants: ScalarProcedure = {
  name: "load-of-constant",
  exact: true,
  kinds: ["load"],
  rewrite: (x) => (isPlain(x) && x.tensor.body.kind === "literal" ? x.tensor.body : undefined),
};
export const loads: readonly ScalarProcedure[] = [
  {
    name: "load-of-formula",
    exact: true,
    kinds: ["load"],
    rewrite: (x) => (isPlain(x) && isFormula(x.tensor.body) ? bodyAt(x.tensor, x.indices) : undefined),
  },
  {
    // a sign costs nothing where it is read
    name: "load-of-negation",
    exact: true,
    kinds: ["load"],
    rewrite: (x) => (isPlain(x) && isNegation(x.tensor) ? bodyAt(x.tensor, x.indices) : undefined),
  },
  {
    // only where the indices stay as simple as they were: a read of merged heads by an index that is not split stays a tensor
    name: "load-of-view",
    exact: true,
    kinds: ["load"],
    rewrite: (x) => {
      if (!isPlain(x) || !isView(x.tensor)) return undefined;
      const to = bodyAt(x.tensor, x.indices);
      return to.kind !== "load" || atomsOf(to.indices) <= atomsOf(x.indices) ? to : undefined;
    },
  },
  {
    // where the load may leave the view but then leaves the tensor behind it too, both answer alike
    name: "load-of-shifted-view",
    exact: true,
    kinds: ["load"],
    rewrite: (x) => {
      if (x.kind !== "load" || !x.outside || !isView(x.tensor) || x.tensor.body.outside) return undefined;
      const to = bodyAt(x.tensor, x.indices);
      if (to.kind !== "load" || to.outside || atomsOf(to.indices) > atomsOf(x.indices)) return undefined;
      return sameBox(x, to) ? load(to.tensor, to.indices, x.outside) : undefined;
    },
  },
];
/** Every index that may leave the view is the index of one axis of the same extent behind it. */
function sameBox(from: Load, to: Load): boolean {
  return (
    from.indices.every((e, d) => {
      const n = from.tensor.shape[d]!;
      return to.indices.some((f, k) => f === e && to.tensor.shape[k] === n);
    }) && to.indices.length === from.indices.length
  );
}
