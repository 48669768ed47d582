// Evaluation over a split, exact and in pieces: the part of the graph that treats every row alone is run chunk by chunk, the tensors where
// rows meet (reductions over them, pairs) are kept for the whole split, and the rest runs once over all rows.
import { InternalError } from "../../grammar/diagnostic.ts";
import { instantiate, source, topological } from "../graph/node.ts";
import { constantOf, load, substitute, visit } from "../graph/scalar.ts";
import type { Dim, GraphProgram, Node, Source } from "../graph/types.ts";
import { levelInputs } from "../grad/grad.ts";
import { rebuildNode } from "../grad/scan.ts";
import type { Evaluation } from "./program.ts";

type Make = (name: string, outputs: readonly { name: string; node: Node }[], updates: readonly []) => GraphProgram;
export function splitEvaluation(outputs: readonly { name: string; node: Node }[], index: Source, rows: Dim, name: string, make: Make): Evaluation {
  const order = topological(outputs.map((o) => o.node), undefined, levelInputs);
  const varying = new Set<Node>(); // depends on the rows
  for (const x of order) if (x === index || levelInputs(x).some((y) => varying.has(y))) varying.add(x);
  const rowAxis = (x: Node): number => (x.shape.filter((n) => n === rows).length === 1 ? x.shape.indexOf(rows) : -1);
  const alone = new Set<Node>(); // every row by itself
  for (const x of order) if (varying.has(x) && isRowWise(x, rows, rowAxis, varying, alone)) alone.add(x);
  // kept: row-wise nodes that something else reads
  const kept = new Map<Node, Source>();
  const keep = (x: Node): void => {
    if (kept.has(x)) return;
    const label = x.label ?? `kept${kept.size}`;
    kept.set(x, source({ role: "input", path: `${name}.kept.${kept.size}`, shape: x.shape, dtype: x.dtype, ...(x.range ? { range: x.range } : {}), label }));
  };
  for (const x of order) if (varying.has(x) && !alone.has(x)) for (const y of levelInputs(x)) if (alone.has(y)) keep(y);
  for (const o of outputs) if (alone.has(o.node)) keep(o.node);
  // rows lead in what is kept, so that a chunk is one range of bytes
  for (const x of kept.keys()) if (rowAxis(x) !== 0) throw new InternalError("evaluation: rows do not lead");
  const memo = new Map<Node, Node>(kept);
  const node = (root: Node): Node => {
    for (const x of topological([root], (y) => memo.has(y) || !varying.has(y), levelInputs)) {
      if (memo.has(x)) continue;
      memo.set(x, varying.has(x) ? rebuildNode(x, (e) => substitute(e, new Map(), (l, indices, outside) => (memo.has(l.tensor) && memo.get(l.tensor) !== l.tensor ? load(memo.get(l.tensor)!, indices, outside) : undefined)), (y) => node(y)) : x);
    }
    return memo.get(root)!;
  };
  const finished = outputs.map((o) => ({ name: o.name, node: node(o.node) }));
  const entries = [...kept].map(([x, s], i) => ({ name: `kept${i}`, node: x, source: s }));
  return {
    index,
    rows: make(`${name}.evaluate.rows`, entries.map((e) => ({ name: e.name, node: e.node })), []),
    kept: entries.map((e) => ({ name: e.name, source: e.source })),
    finish: make(`${name}.evaluate.finish`, finished, []),
    rowsDim: rows,
  };
}
function isRowWise(x: Node, rows: Dim, rowAxis: (x: Node) => number, varying: ReadonlySet<Node>, alone: ReadonlySet<Node>): boolean {
  if (x.kind === "source") return x.shape[0] === rows;
  if (rowAxis(x) !== 0) return false;
  if (x.kind === "reshape") return alone.has(x.operand) && rowAxis(x.operand) === 0;
  if (x.kind !== "compute") return false;
  if (x.reduction?.extents.some((n) => n === rows || (typeof n === "object" && n.kind === "affine"))) return false;
  const { output, body } = instantiate(x);
  let ok = true;
  visit(body, (e) => {
    if (e.kind === "dim" && e === rows) ok = false; // a formula of the number of rows
    if (e.kind === "variable" && e === output[0]) return;
    if (e.kind !== "load" || !varying.has(e.tensor)) return;
    if (!alone.has(e.tensor) || e.indices[0] !== output[0] || e.indices.slice(1).some((i) => i.variables.has(output[0]!) && constantOf(i) === undefined && !isData(i))) ok = false;
  });
  return ok;
}
const isData = (e: { kind: string }): boolean => e.kind === "load";
