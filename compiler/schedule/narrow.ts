// A body that reads more tensors than a kernel can bind is cut: its largest part that fits becomes a node of its own.
import { levelInputs } from "../grad/grad.ts";
import { rebuildNode } from "../grad/scan.ts";
import { baseOf, compute, inputs, topological } from "../graph/node.ts";
import { inRange, isTrue, load, operandsOf, scalarOrder, substitute, variable } from "../graph/scalar.ts";
import type { Compute, GraphProgram, Integer, Load, Node, Scalar } from "../graph/types.ts";

export function narrow(program: GraphProgram, most: number): GraphProgram {
  const roots = [...program.outputs.map((o) => o.node), ...program.updates.map((u) => u.value)];
  if (!topological(roots).some((x) => tooWide(x, most))) return program;
  const memo = new Map<Node, Node>();
  const moved = (l: Load, indices: readonly Integer[], outside: Scalar | undefined): Scalar | undefined => {
    const y = memo.get(l.tensor);
    return y && y !== l.tensor ? load(y, indices, outside) : undefined;
  };
  const swap = (root: Node): Node => {
    for (const x of topological([root], (y) => memo.has(y), levelInputs)) {
      if (memo.has(x)) continue;
      const changed = levelInputs(x).some((y) => (memo.get(y) ?? y) !== y);
      let to = changed || x.kind === "result" ? rebuildNode(x, (e) => substitute(e, new Map(), moved), swap) : x;
      for (let n = 0; n < 100 && tooWide(to, most); n++) {
        const cut = cutBody(to as Compute, most);
        if (!cut || cut === to) break;
        to = cut;
      }
      memo.set(x, to);
    }
    return memo.get(root)!;
  };
  return { ...program, outputs: program.outputs.map((o) => ({ name: o.name, node: swap(o.node) })), updates: program.updates.map((u) => ({ target: u.target, value: swap(u.value) })) };
}
const tooWide = (x: Node, most: number): x is Compute => x.kind === "compute" && new Set(inputs(x).map(baseOf)).size > most;

/** The node with the part of its body that reads most tensors, but no more than fit, as a node. */
function cutBody(x: Compute, most: number): Node | undefined {
  const tensors = new Map<Scalar, Set<Node>>();
  const safe = new Map<Scalar, boolean>(); // no load below needs a guard around it
  let best: Scalar | undefined;
  for (const e of scalarOrder([x.body])) {
    const own = new Set<Node>();
    let ok = e.kind !== "local";
    for (const o of operandsOf(e)) {
      for (const t of tensors.get(o)!) own.add(t);
      ok &&= safe.get(o)!;
    }
    if (e.kind === "load") {
      own.add(baseOf(e.tensor));
      ok &&= e.outside !== undefined || isTrue(inRange(e.tensor, e.indices));
    }
    tensors.set(e, own);
    safe.set(e, ok);
    if (ok && e !== x.body && e.dtype !== "i32" && own.size >= 2 && own.size <= most && own.size > (best ? tensors.get(best)!.size : 0)) best = e;
  }
  if (!best) return undefined;
  const axes = [...best.variables].filter((v) => v.position !== undefined).sort((a, b) => a.position! - b.position!);
  const fresh = axes.map((v) => variable(v.extent, v.name));
  const part = compute(fresh, undefined, substitute(best, new Map(axes.map((v, i) => [v as Scalar, fresh[i]!]))), { span: x.span });
  const output = x.shape.map((n) => variable(n, "i"));
  const over = x.reduction?.extents.map((n) => variable(n, "k")) ?? [];
  const map = new Map<Scalar, Scalar>();
  for (const v of x.body.variables) if (v.position !== undefined) map.set(v, [...output, ...over][v.position]!);
  const read = load(part, axes);
  const body = substitute(substitute(x.body, new Map([[best, read]])), map);
  return compute(output, x.reduction && { op: x.reduction.op, over, ties: x.reduction.ties }, body, { span: x.span, label: x.label, range: x.range });
}
