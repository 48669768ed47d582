// A formula of one row, for many rows: every node that depends on the row's number gets a leading axis of rows.
import { compute, instantiate, inputs, reshape, topological } from "../graph/node.ts";
import { rebuildNode, rebuildNodes } from "../graph/rebuild.ts";
import { axis, integer, load, random, substitute, variable, visit } from "../graph/scalar.ts";
import type { Extent, Integer, Node, Random, Scalar, Source } from "../graph/types.ts";
import { scatter } from "../graph/scatter.ts";
import { InternalError } from "../../grammar/diagnostic.ts";

/** The node over `count` rows; row(b) is the number of row b. */
export const overRows = (root: Node, rowSource: Source, count: Extent, row: (b: Integer) => Integer): Node =>
  mapOver(root, rowSource, count, row, 0, (d, b) => ({ indices: [b, ...d.indices], extents: [1, ...d.extents] }));
/**
 * The node for every index, as a leading axis. Draws made before `made` are the same for all. The index of the others stands behind their first, whose
 * extent never enters their position.
 */
export const overIndex = (root: Node, index: Source, count: Extent, made: number): Node =>
  mapOver(
    root,
    index,
    count,
    (b) => b,
    made,
    ({ indices: [first, ...indices], extents: [n, ...extents] }, b) => ({
      indices: [first!, b, ...indices],
      extents: [n!, count, ...extents],
    }),
  );
/** Has every node that depends on the index, or holds a draw made since, a form with another axis? */
export const canBeMapped = (root: Node, index: Source, made: number): boolean =>
  [...dependents(root, index, made)].every((x) => x === index || x.kind !== "result");
function dependents(root: Node, index: Source, made: number): ReadonlySet<Node> {
  const found = new Set<Node>();
  // a draw is made once per row, so it depends on the row too
  for (const x of topological([root]))
    if (
      x === index ||
      inputs(x).some((y) => found.has(y)) ||
      (x.kind === "compute" && x.id > made && holdsDraw(x.body))
    )
      found.add(x);
  return found;
}
/** Where the draw of a row stands among those of all rows. */
type Placed = (d: Random, row: Integer) => Pick<Random, "indices" | "extents">;
function mapOver(
  root: Node,
  rowSource: Source,
  count: Extent,
  row: (b: Integer) => Integer,
  made: number,
  placed: Placed,
): Node {
  const depends = dependents(root, rowSource, made);
  const order = topological([root]);
  const mapped = new Map<Node, Node>();
  for (const x of order) {
    if (!depends.has(x) || x === rowSource) continue;
    const b = variable(count, "b");
    const first = count === 1 ? integer(0) : b;
    const lift = (e: Scalar): Scalar =>
      substitute(liftDraws(e, row(first), placed), new Map(), (l, indices, outside) => {
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
    } else if (x.kind === "reshape") {
      const operand = mapped.get(x.operand) ?? compute([b], undefined, row(first)); // else the row itself
      mapped.set(x, reshape(operand, [count, ...x.shape]));
    } else if (x.kind === "scatter") {
      const over = x.over.map((n) => variable(n, "v"));
      const own = new Map(over.map((v, i) => [axis(i, v.extent), v] as const));
      const [at, value] = [x.indices.map((e) => lift(substitute(e, own)) as Integer), lift(substitute(x.value, own))];
      mapped.set(
        x,
        scatter([count, ...x.shape], [b, ...over], [first, ...at], value, { span: x.span, label: x.label }),
      );
    } else throw new InternalError(`a field's formula holds a ${x.kind}`);
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
/** Draws are made once per row. */
function liftDraws(e: Scalar, row: Integer, placed: Placed): Scalar {
  const draws = new Map<Scalar, Scalar>();
  for (const x of drawsIn(e)) {
    const { distribution, site, seed, step } = x;
    draws.set(x, random({ distribution, site, seed, step, ...placed(x, row) }));
  }
  return draws.size ? substitute(e, draws) : e;
}
