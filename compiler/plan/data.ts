// Data sets in the plan: columns, holdouts, and whether rows may be brought in piece by piece. In: a data set of the Program. Out: PlanDataset.
import { place } from "../../grammar/diagnostic.ts";
import type { PlanDataset, PlanFieldCheck, PlanFieldView } from "../../runtime/plan.ts";
import type { Dataset, Program } from "../elaborate/program.ts";
import { inputs, topological } from "../graph/node.ts";
import { operandsOf } from "../graph/scalar.ts";
import type { Node, Scalar, Source } from "../graph/types.ts";
import type { Buffers } from "./buffers.ts";

export function planDataset(
  d: Dataset,
  program: Program,
  buffers: Buffers,
  check: PlanFieldCheck | undefined,
  view: PlanFieldView | undefined,
): PlanDataset {
  const training = buffers.asked(d.training);
  return {
    name: d.name,
    columns: d.columns.map((c) => ({
      name: c.name,
      loader: c.loader,
      storage: c.storage,
      shape: c.shape,
      ...(c.range ? { range: c.range } : {}),
      buffer: buffers.column(c.source, c.name).buffer,
      place: place(c.span),
    })),
    ...(d.rowCount !== undefined ? { rows: d.rowCount } : {}),
    holdouts: d.holdouts.map((h) => ({
      name: h.name,
      ...(h.fraction !== undefined ? { fraction: h.fraction } : {}),
      ...(h.dataset !== undefined ? { dataset: h.dataset } : {}),
      place: place(h.span),
    })),
    windowed: d.windowed,
    ...(training ? { training } : {}),
    ...(training && d.rowsRead ? { least: { rows: d.rowsRead.least, place: place(d.rowsRead.span) } } : {}),
    ...(d.columns.length && !training && isStreamable(d, program) ? { streamable: true } : {}),
    ...(check ? { check } : {}),
    ...(view ? { view } : {}),
  };
}
/** Row numbers are used to read columns, and for nothing else. */
function isStreamable(d: Dataset, program: Program): boolean {
  const columns = new Set<Node>(d.columns.map((c) => c.source));
  return program.trains
    .filter((t) => t.dataset === d.name)
    .every((t) => {
      const rows = new Set<Node>([t.index, t.evaluation?.index].filter((x): x is Source => x !== undefined));
      const graphs = [t.step, ...(t.evaluation ? [t.evaluation.rows, t.evaluation.finish] : [])];
      return graphs
        .flatMap((p) => topological([...p.outputs.map((o) => o.node), ...p.updates.map((u) => u.value)]))
        .filter((x) => inputs(x).some((y) => rows.has(y)))
        .flatMap((x) => (x.kind === "compute" ? [x.body] : x.kind === "scatter" ? [x.value, ...x.indices] : []))
        .every((e) => !readsOutside(e, rows, columns));
    });
}
/** Is one of `rows` loaded anywhere but in an index of one of `columns`? */
function readsOutside(root: Scalar, rows: ReadonlySet<Node>, columns: ReadonlySet<Node>): boolean {
  const seen = new Set<Scalar>();
  const stack = [root];
  while (stack.length) {
    const e = stack.pop()!;
    if (seen.has(e)) continue;
    seen.add(e);
    if (e.kind === "load" && rows.has(e.tensor)) return true;
    if (e.kind === "load" && columns.has(e.tensor)) continue;
    stack.push(...operandsOf(e));
  }
  return false;
}
