// A body that reads more tensors than a kernel can bind is cut, in loops too: its largest part that fits becomes a node of its own.
import { baseOf, compute, inputs, rootsOf, topological } from "../graph/node.ts";
import { mapProgram, rebuildNode, rebuildNodes, type Rewriting } from "../graph/rebuild.ts";
import {
  and,
  inRange,
  integer,
  isTrue,
  linear,
  load,
  operandsOf,
  scalarOrder,
  substitute,
  variable,
} from "../graph/scalar.ts";
import type { GraphProgram, Integer, Node, Scalar } from "../graph/types.ts";

export function narrow(program: GraphProgram, most: number): GraphProgram {
  if (!topological(rootsOf(program)).some((x) => tooWide(x, most))) return program;
  const inBody = (x: Node, over: Rewriting): Node => {
    let to = rebuildNode(x, { ...over, inBody });
    while (tooWide(to, most)) {
      const from = to; // every cut reads fewer tensors
      to = rebuildNode(from, { ...over, scalar: (e) => cut(e, most, from) });
      if (to === from) break;
    }
    return to;
  };
  const swap = rebuildNodes((x, over) =>
    x.kind === "result" || over.moves(x) || tooWide(x, most) ? inBody(x, over) : x,
  );
  return mapProgram(program, swap);
}
const tooWide = (x: Node, most: number): boolean =>
  (x.kind === "compute" || x.kind === "scatter") && new Set(inputs(x).map(baseOf)).size > most;

/** A part of a scalar: `part` stands for it, and `rest` makes the scalar it is cut from of what replaces the part. */
interface Part {
  readonly of: Scalar;
  readonly part: Scalar;
  readonly rest: (read: Scalar) => Scalar;
  readonly tensors: number;
}
/** The scalar with the part that reads most tensors, but no more than fit, as a load of a node; itself where it has no such part. */
function cut(root: Scalar, most: number, from: Node): Scalar {
  const tensors = new Map<Scalar, ReadonlySet<Node>>(); // one more than fit where there are more
  const safe = new Map<Scalar, boolean>(); // no load below needs a guard around it
  // numbers first; an index only where nothing else helps; last what lies under guards, whose loads then say what is outside
  const best: (Part | undefined)[] = [undefined, undefined, undefined];
  const offer = (of: Scalar, part: Scalar, own: ReadonlySet<Node>, rest: (read: Scalar) => Scalar): void => {
    if (own.size < 2 || own.size > most) return;
    const rank = !safe.get(of) ? 2 : part.dtype === "i32" ? 1 : 0;
    if (own.size > (best[rank]?.tensors ?? 0)) best[rank] = { of, part, rest, tensors: own.size };
  };
  for (const e of scalarOrder([root])) {
    const own = new Set<Node>();
    let ok = e.kind !== "local";
    for (const o of operandsOf(e)) {
      for (const t of tensors.get(o)!) if (own.size <= most) own.add(t);
      ok &&= safe.get(o)!;
    }
    if (e.kind === "load") {
      if (own.size <= most) own.add(baseOf(e.tensor));
      ok &&= e.outside !== undefined || isTrue(inRange(e.tensor, e.indices));
    }
    tensors.set(e, own);
    safe.set(e, ok);
    if (e !== root) offer(e, e, own, (read) => read);
    if (own.size <= most && e !== root) continue;
    // some of the operands of a long sum or conjunction
    const whole = e.kind === "affine" ? e.atoms : e.kind === "and" ? e.operands : [];
    const some = new Set<Node>();
    const taken = whole.filter((o) => {
      const more = [...tensors.get(o)!].filter((t) => !some.has(t));
      if (!more.length || some.size + more.length > most) return false;
      more.forEach((t) => some.add(t));
      return true;
    });
    if (taken.length < 2 || taken.length === whole.length) continue;
    if (e.kind === "affine") {
      const left = e.terms.filter(([atom]) => !taken.includes(atom));
      const sum = linear(e.terms.filter(([atom]) => taken.includes(atom)));
      offer(e, sum, some, (read) => linear([...left, [read as Integer, 1]], e.constant));
    } else if (e.kind === "and")
      offer(e, and(...taken), some, (read) => and(...e.operands.filter((o) => !taken.includes(o)), read));
  }
  const found = best.find((x) => x);
  if (!found) return root;
  const axes = [...found.part.variables].filter((v) => !v.scans.size).sort((a, b) => a.id - b.id); // steps of loops are no axes
  const fresh = axes.map((v) => variable(v.extent, v.name));
  const node = compute(
    fresh,
    undefined,
    substitute(total(found.part), new Map(axes.map((v, i) => [v as Scalar, fresh[i]!]))),
    { span: from.span },
  );
  return substitute(root, new Map([[found.of, found.rest(load(node, axes))]]));
}
/** The same under its guards, and a value everywhere. */
function total(e: Scalar): Scalar {
  return substitute(e, new Map(), (l, indices, outside) =>
    outside || isTrue(inRange(l.tensor, indices)) ? undefined : load(l.tensor, indices, filler(l.tensor)),
  );
}
/** A value of the tensor's range, which it does not widen. */
function filler(x: Node): Scalar | number {
  const low = x.range?.low;
  if (x.dtype !== "i32" || low === undefined || !Number.isFinite(low)) return 0;
  const high = typeof x.range!.high === "number" ? x.range!.high : low;
  return integer(Math.max(low, Math.min(0, high)));
}
