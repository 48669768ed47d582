// A formula of one row, for many rows: every node that depends on the row's number gets a leading axis of rows.
import { compute, instantiate, inputs, reshape, topological } from "../graph/node.ts";
import { rebuildNode, rebuildNodes } from "../graph/rebuild.ts";
import { integer, load, random, substitute, variable, visit } from "../graph/scalar.ts";
import type { Extent, Integer, Node, Random, Scalar, Source } from "../graph/types.ts";
import { InternalError } from "../../grammar/diagnostic.ts";

/** The node over `count` rows; row(b) is the number of row b. */
export function overRows(root: Node, rowSource: Source, count: Extent, row: (b: Integer) => Integer): Node {
  const depends = new Set<Node>();
  const order = topological([root]);
  // a draw is made once per row, so it depends on the row too
  for (const x of order)
    if (x === rowSource || inputs(x).some((y) => depends.has(y)) || (x.kind === "compute" && holdsDraw(x.body)))
      depends.add(x);
  const mapped = new Map<Node, Node>();
  for (const x of order) {
    if (!depends.has(x) || x === rowSource) continue;
    const b = variable(count, "b");
    const first = count === 1 ? integer(0) : b;
    const lift = (e: Scalar): Scalar =>
      substitute(liftDraws(e, row(first)), new Map(), (l, indices, outside) => {
        if (l.tensor === rowSource) return row(first);
        const to = mapped.get(l.tensor);
        return to && load(to, [first, ...indices], outside);
      });
    if (x.kind === "compute") {
      const { output, over, body } = instantiate(x);
      mapped.set(
        x,
        compute([b, ...output], x.reduction && { op: x.reduction.op, over, ties: x.reduction.ties }, lift(body), {
          span: x.span,
          label: x.label,
          range: x.range,
        }),
      );
    } else if (x.kind === "reshape") mapped.set(x, reshape(mapped.get(x.operand)!, [count, ...x.shape]));
    else throw new InternalError(`a field's formula holds a ${x.kind}`);
  }
  if (mapped.has(root)) return mapped.get(root)!;
  const b = variable(count, "b");
  if (root === rowSource) return compute([b], undefined, row(count === 1 ? integer(0) : b));
  const axes = root.shape.map((n) => variable(n));
  return compute([b, ...axes], undefined, load(root, axes));
}
/** The same graph over other sources; with `draws` false every draw is the same one, for comparison. */
export function overSources(root: Node, sources: ReadonlyMap<Node, Node>, draws = true): Node {
  const alike = (e: Scalar): Scalar => substitute(e, new Map(drawsIn(e).map((d) => [d, random({ ...d, site: 0 })])));
  const map = rebuildNodes(
    (x, over) => rebuildNode(x, draws ? over : { ...over, scalar: (e) => over.scalar(alike(e)) }),
    new Map(sources),
  );
  return map(root);
}
const drawsIn = (body: Scalar): Random[] => {
  const found: Random[] = [];
  visit(body, (e) => void (e.kind === "random" && found.push(e)));
  return found;
};
const holdsDraw = (body: Scalar): boolean => {
  let found = false;
  visit(body, (e) => void (e.kind === "random" && (found = true)));
  return found;
};
/** Draws are made once per row: the row's number leads their position. */
function liftDraws(e: Scalar, row: Integer): Scalar {
  const draws = new Map<Scalar, Scalar>();
  for (const x of drawsIn(e))
    draws.set(
      x,
      random({
        distribution: x.distribution,
        site: x.site,
        seed: x.seed,
        step: x.step,
        indices: [row, ...x.indices],
        extents: [1, ...x.extents],
      }),
    );
  return draws.size ? substitute(e, draws) : e;
}
