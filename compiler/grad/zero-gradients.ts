// A tensor of zeros whose own zeros keep its gradient 0: one that is applied again to what it gave.
// In: losses and a source that begins as 0. Out: does no gradient reach it, which would if it were not 0?
import { baseOf, inputs, topological } from "../graph/node.ts";
import { isCall, operandsOf, scalarOrder } from "../graph/scalar.ts";
import type { Node, Scalar, Source } from "../graph/types.ts";

export function staysZero(p: Source, losses: readonly Node[]): boolean {
  const order = topological([...losses]);
  const readers = order.filter((x) => x.kind !== "reshape" && inputs(x).some((i) => baseOf(i) === p));
  if (readers.length < 2) return false;
  const reachedIf = (zero: Source | undefined): boolean => isReached(p, losses, order, zerosBy(order, zero));
  return !reachedIf(p) && reachedIf(undefined);
}
type IsZero = (e: Scalar) => boolean;
/** Tells scalars that are 0 where `zero` is. */
function zerosBy(order: readonly Node[], zero: Source | undefined): IsZero {
  const nodes = new Set<Node>(zero && [zero]);
  const scalars = new Set<Scalar>();
  for (const x of order) {
    if (x.kind === "reshape" && nodes.has(x.operand)) nodes.add(x);
    if (x.kind !== "compute") continue;
    for (const e of scalarOrder([x.body])) if (isZeroBy(e, nodes, scalars)) scalars.add(e);
    if (scalars.has(x.body) && !x.reduction?.op.startsWith("arg")) nodes.add(x);
  }
  return (e) => scalars.has(e);
}
/** Of the nodes and scalars that it reads, those that are 0 are known. */
function isZeroBy(e: Scalar, nodes: ReadonlySet<Node>, scalars: ReadonlySet<Scalar>): boolean {
  switch (e.kind) {
    case "literal":
      return e.value === 0;
    case "load":
      return nodes.has(e.tensor) && (!e.outside || scalars.has(e.outside));
    case "select":
      return scalars.has(e.otherwise) && (scalars.has(e.condition) || scalars.has(e.then));
    case "call":
      return isCall(e, "mul")
        ? e.operands.some((x) => scalars.has(x))
        : e.operands.every((x) => scalars.has(x)) && e.fn.evaluate(...e.operands.map(() => 0)) === 0;
    default:
      return false;
  }
}
/** Does a gradient of the losses get to it? None passes a product whose other factor is 0. */
function isReached(p: Source, losses: readonly Node[], order: readonly Node[], isZero: IsZero): boolean {
  const reached = new Set<Node>(losses);
  for (const x of order.toReversed()) {
    if (!reached.has(x)) continue;
    const passing = x.kind === "compute" ? scalarOrder([x.body], passed(isZero)) : undefined;
    for (const i of passing?.flatMap((e) => (e.kind === "load" ? [e.tensor] : [])) ?? inputs(x)) reached.add(i);
  }
  return reached.has(p);
}
const passed =
  (isZero: IsZero) =>
  (e: Scalar): readonly Scalar[] => {
    if (!isCall(e, "mul")) return operandsOf(e);
    const [a, b] = e.operands as [Scalar, Scalar];
    return [...(isZero(b) ? [] : [a]), ...(isZero(a) ? [] : [b])];
  };
