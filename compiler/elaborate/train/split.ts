// Evaluation over a split, exact and in pieces: the part of the graph that treats every row alone is run chunk by chunk, the tensors where
// rows meet (reductions over them, pairs) are kept for the whole split, and the rest runs once over all rows.
import { compute, levelInputs, source, topological } from "../../graph/node.ts";
import { rebuildNode, rebuildNodes, type Rewriting } from "../../graph/rebuild.ts";
import { axis, constantOf, iadd, load, substitute, variable, visit } from "../../graph/scalar.ts";
import type { Dim, Extent, GraphProgram, Integer, Node, Scalar, Scan, Source, Variable } from "../../graph/types.ts";
import { mostI32, mostSize } from "../../scalar/range.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { notCompiledYet } from "../errors.ts";
import type { Evaluation } from "../program.ts";

type Make = (name: string, outputs: readonly { name: string; node: Node }[], updates: readonly []) => GraphProgram;
export function splitEvaluation(
  outputs: readonly { name: string; node: Node }[],
  carried: readonly { before: Source; next: Node }[],
  index: Source,
  rows: Dim,
  name: string,
  make: Make,
  span: Span,
): Evaluation {
  const order = topological([...outputs.map((o) => o.node), ...carried.map((c) => c.next)], undefined, levelInputs);
  const begins = order.find((x): x is Source => x.kind === "source" && x.path === "evaluation.begins");
  const given: readonly Node[] = [index, ...carried.map((c) => c.before)];
  const varying = new Set<Node>(given); // depends on the rows
  for (const x of order) if (levelInputs(x).some((y) => varying.has(y))) varying.add(x);
  const counted = new Set<Node>(given); // depends on the rows or on how many there are
  for (const x of order) if (levelInputs(x).some((y) => counted.has(y)) || mentions(x, rows)) counted.add(x);
  const alone = new Set<Node>(given); // every row by itself
  for (const x of order) if (counted.has(x) && isRowWise(x, rows, counted, alone)) alone.add(x);
  // kept: row-wise nodes that something else reads
  const kept = new Map<Node, Source>();
  const keep = (x: Node): void => {
    if (kept.has(x) || given.includes(x)) return;
    const label = x.label ?? `kept${kept.size}`;
    const at = rowAxis(x, rows);
    kept.set(
      x,
      source({
        role: "input",
        path: `${name}.kept.${kept.size}`,
        shape: [rows, ...x.shape.filter((_, d) => d !== at)],
        dtype: x.dtype,
        ...(x.range ? { range: x.range } : {}),
        label,
      }),
    );
  };
  const isKept = (x: Node): boolean => varying.has(x) && alone.has(x);
  for (const x of order) if (varying.has(x) && !alone.has(x)) for (const y of levelInputs(x)) if (isKept(y)) keep(y);
  for (const o of outputs) if (isKept(o.node)) keep(o.node);
  const handed = carried.map(({ before, next }) => {
    if (!alone.has(next)) throw notCompiledYet(span, "carriedTogether");
    return { before, node: rowsFirst(next, rowAxis(next, rows)) };
  });
  const node = rebuildNodes(
    (x, over) => (varying.has(x) && x !== index ? rebuildNode(x, over) : x),
    new Map([...kept].map(([x, s]) => [x, rowsBack(s, x, rowAxis(x, rows))])),
    (x) => !varying.has(x),
  );
  const finished = outputs.map((o) => ({ name: o.name, node: node(o.node) }));
  const entries = [...kept].map(([x, s], i) => ({ name: `kept${i}`, node: rowsFirst(x, rowAxis(x, rows)), source: s }));
  const first = source({
    role: "input",
    path: "evaluation.first",
    shape: [],
    dtype: "i32",
    range: { low: 0, high: mostI32 - mostSize },
  });
  const inPart = numbered(first, rows);
  const part = make(
    `${name}.evaluate.rows`,
    [
      ...entries.map((e) => ({ name: e.name, node: inPart(e.node) })),
      ...handed.map((c, i) => ({ name: `carried${i}`, node: inPart(c.node) })),
    ],
    [],
  );
  return {
    index,
    rows: part,
    ...(part.inputs.includes(first) ? { first } : {}),
    carried: handed.map((c) => c.before),
    ...(begins ? { begins } : {}),
    kept: entries.map((e) => ({ name: e.name, source: e.source })),
    finish: make(`${name}.evaluate.finish`, finished, []),
    rowsDim: rows,
  };
}
/** Has it as many elements, or terms, as there are rows, or computes with their number? */
function mentions(x: Node, rows: Dim): boolean {
  const isOf = (n: Extent): boolean =>
    n === rows || (typeof n !== "number" && n.kind === "affine" && n.atoms.includes(rows));
  if (x.shape.some(isOf) || (x.kind === "compute" && x.reduction?.extents.some(isOf))) return true;
  let found = false;
  for (const e of x.kind === "compute" ? [x.body] : x.kind === "scatter" ? [x.value, ...x.indices] : [])
    visit(e, (y) => void (found ||= y === rows));
  return found;
}
/** Nodes over a part of the rows, the first of which has the number `first`: a row's number is that among all of them, in formulas and draws. */
function numbered(first: Source, rows: Dim): (x: Node) => Node {
  const moved = (e: Scalar, row: Variable): Scalar =>
    substitute(e, new Map([[row, iadd(row, load(first, []) as Integer)]]), (l, indices, outside) => {
      const own = rowAxis(l.tensor, rows);
      if (own < 0 || l.indices[own] !== row) return undefined;
      return load(
        l.tensor,
        indices.map((i, d) => (d === own ? row : i)),
        outside,
      );
    });
  const inRow = (x: Node, over: Rewriting): Node => {
    const at = rowAxis(x, rows);
    const scalar = at < 0 ? over.scalar : (e: Scalar) => over.scalar(moved(e, axis(at, x.shape[at]!)));
    return rebuildNode(x, { ...over, scalar, inBody: inRow });
  };
  return rebuildNodes(inRow, new Map());
}
/** The one axis that runs over the rows, or -1. */
const rowAxis = (x: Node, rows: Dim): number =>
  x.shape.filter((n) => n === rows).length === 1 ? x.shape.indexOf(rows) : -1;
/** The rows lead in what is kept, so that a chunk is one range of bytes. */
function rowsFirst(x: Node, at: number): Node {
  if (at === 0) return x;
  const v = x.shape.map((n) => variable(n));
  return compute([v[at]!, ...v.filter((_, d) => d !== at)], undefined, load(x, v), { label: x.label });
}
function rowsBack(kept: Source, like: Node, at: number): Node {
  if (at === 0) return kept;
  const v = like.shape.map((n) => variable(n));
  return compute(v, undefined, load(kept, [v[at]!, ...v.filter((_, d) => d !== at)]), {
    label: like.label,
    range: like.range,
  });
}
function isRowWise(x: Node, rows: Dim, varying: ReadonlySet<Node>, alone: ReadonlySet<Node>): boolean {
  const at = rowAxis(x, rows);
  if (at < 0) return false;
  if (x.kind === "source") return true;
  if (x.kind === "reshape") return alone.has(x.operand) && at === 0 && rowAxis(x.operand, rows) === 0;
  if (x.kind === "result") return isRowWiseScan(x.scan, x.of.kind === "stack" ? [x.of.node] : [], rows, varying, alone);
  if (x.kind !== "compute") return false;
  if (x.reduction?.extents.some((n) => n === rows || (typeof n === "object" && n.kind === "affine"))) return false;
  const row = axis(at, x.shape[at]!);
  let ok = true;
  visit(x.body, (e) => {
    if (e.kind === "dim" && e === rows) ok = false; // a formula of the number of rows
    if (e.kind !== "load" || !varying.has(e.tensor)) return;
    const own = rowAxis(e.tensor, rows);
    if (!alone.has(e.tensor) || e.indices[own] !== row) ok = false;
    else if (
      e.indices.some((i, d) => d !== own && i.variables.has(row) && constantOf(i) === undefined && i.kind !== "load")
    )
      ok = false;
  });
  return ok;
}
/** A loop whose every round treats every row by itself. */
function isRowWiseScan(
  s: Scan,
  stacked: readonly Node[],
  rows: Dim,
  varying: ReadonlySet<Node>,
  alone: ReadonlySet<Node>,
): boolean {
  const inner = new Set(varying);
  const single = new Set(alone);
  for (const c of s.carries) {
    if (rowAxis(c.incoming, rows) < 0) {
      if (varying.has(c.initial)) return false;
      continue;
    }
    if (varying.has(c.initial) && !alone.has(c.initial)) return false;
    inner.add(c.incoming);
    single.add(c.incoming);
  }
  const body = topological([...s.carries.map((c) => c.next), ...stacked], (y) => !y.scans.has(s), levelInputs).filter(
    (y) => y.scans.has(s),
  );
  for (const x of body) {
    if (single.has(x)) continue;
    if (!levelInputs(x).some((y) => inner.has(y))) continue;
    inner.add(x);
    if (!isRowWise(x, rows, inner, single)) return false;
    single.add(x);
  }
  return s.carries.every((c) => rowAxis(c.incoming, rows) >= 0 || !inner.has(c.next));
}
