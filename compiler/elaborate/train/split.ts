// Evaluation over a split, exact and in pieces: the part of the graph that treats every row alone is run chunk by chunk, the tensors where
// rows meet (reductions over them, pairs) are kept for the whole split, and the rest runs once over all rows.
import { compute, levelInputs, source, topological } from "../../graph/node.ts";
import { rebuildNode, rebuildNodes } from "../../graph/rebuild.ts";
import { axis, constantOf, load, variable, visit } from "../../graph/scalar.ts";
import type { Dim, GraphProgram, Node, Scan, Source } from "../../graph/types.ts";
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
  const alone = new Set<Node>(given); // every row by itself
  for (const x of order) if (varying.has(x) && isRowWise(x, rows, varying, alone)) alone.add(x);
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
  for (const x of order) if (varying.has(x) && !alone.has(x)) for (const y of levelInputs(x)) if (alone.has(y)) keep(y);
  for (const o of outputs) if (alone.has(o.node)) keep(o.node);
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
  return {
    index,
    rows: make(
      `${name}.evaluate.rows`,
      [
        ...entries.map((e) => ({ name: e.name, node: e.node })),
        ...handed.map((c, i) => ({ name: `carried${i}`, node: c.node })),
      ],
      [],
    ),
    carried: handed.map((c) => c.before),
    ...(begins ? { begins } : {}),
    kept: entries.map((e) => ({ name: e.name, source: e.source })),
    finish: make(`${name}.evaluate.finish`, finished, []),
    rowsDim: rows,
  };
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
