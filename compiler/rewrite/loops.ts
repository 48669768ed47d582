// Moving work out of loops. A body node that depends on the step alone is one node with the step as its first axis, in front of the loop (`X @ W` for all
// steps at once); one that only stacks read, and that depends on the step, carries and next values alone, is one node over their history, behind the loop.
// Nothing is computed twice: what the carries need stays in the body.
import { memoised, ownCompilation } from "../graph/compilation.ts";
import { compute, historyOf, instantiate, levelInputs, reshape, topological } from "../graph/node.ts";
import { iadd, integer, load, substitute, variable } from "../graph/scalar.ts";
import type { Integer, Load, Node, Scalar, Scan } from "../graph/types.ts";
import type { NodeRule } from "./rule.ts";

/** A body value that is known for all steps: row `row(t)` of a tensor outside. */
interface Known {
  readonly tensor: Node;
  readonly row: (t: Integer) => Integer;
}
const byStepAlone = memoised((_: Scan) => new Map<Node, boolean>(), ownCompilation);
/** Does nothing of the loop but its step enter x? Inner loops are not looked into. */
function dependsOnStepAlone(x: Node, s: Scan): boolean {
  const found = byStepAlone(s);
  const known = (y: Node): boolean | undefined => (y.scans.has(s) ? found.get(y) : true);
  for (const y of topological([x], (z) => known(z) !== undefined, levelInputs)) {
    if (known(y) !== undefined) continue;
    const own =
      (y.kind === "compute" || y.kind === "reshape") &&
      ![...y.scans].some((q) => q !== s && q.scans.has(s)) &&
      levelInputs(y).every((z) => known(z));
    found.set(y, own);
  }
  return known(x)!;
}
/** x for every step, on a new first axis. `leaf`: body values that are known; everything else below x is computed anew. */
function lift(
  root: Node,
  s: Scan,
  memo: Map<Node, Node>,
  leaf: (x: Node) => Known | undefined = () => undefined,
): Node {
  for (const x of topological(
    [root],
    (y) => memo.has(y) || !y.scans.has(s) || (y !== root && leaf(y) !== undefined),
    levelInputs,
  )) {
    if (memo.has(x) || !x.scans.has(s) || (x !== root && leaf(x))) continue;
    if (x.kind === "reshape")
      memo.set(x, reshape(memo.get(x.operand)!, [s.count, ...x.shape], { span: x.span, label: x.label }));
    if (x.kind !== "compute") continue;
    const t = variable(s.count, "t");
    const at = s.count === 1 ? integer(0) : t;
    const { output, over, body } = instantiate(x);
    const read = (l: Load, indices: readonly Integer[], outside: Scalar | undefined): Scalar | undefined => {
      if (!l.tensor.scans.has(s)) return undefined;
      const known = leaf(l.tensor);
      return known
        ? load(known.tensor, [known.row(at), ...indices], outside)
        : load(memo.get(l.tensor)!, [at, ...indices], outside);
    };
    memo.set(
      x,
      compute(
        [t, ...output],
        x.reduction && { op: x.reduction.op, over, ties: x.reduction.ties },
        substitute(body, new Map([[s.step as Scalar, at]]), read),
        { span: x.span, label: x.label, range: x.range },
      ),
    );
  }
  return memo.get(root)!;
}

export const hoisting: NodeRule = {
  name: "reduction-before-loop",
  exact: true,
  rewrite: (x) => {
    if (!x.reduction || !x.scans.size) return undefined;
    for (const s of x.scans) {
      if (!dependsOnStepAlone(x, s)) continue;
      const all = lift(x, s, new Map());
      const p = x.shape.map((n) => variable(n, "p"));
      return compute(p, undefined, load(all, [s.step, ...p]), { span: x.span, label: x.label, range: x.range });
    }
    return undefined;
  },
};

export interface Body {
  readonly scan: Scan; // before its carries were renamed; the nodes are of its body
  readonly made: Scan; // after
  readonly next: readonly Node[];
  readonly needed: ReadonlySet<Node>; // by the next values
  readonly stack: (x: Node) => Node | undefined; // of what is stacked in any case
  readonly lifted: Map<Node, Node>;
}
/** A stack of x without storing it at every step, or undefined. */
export function stackOutside(
  x: Node,
  { scan: s, made, next, needed, stack, lifted }: Body,
): { node: Node; rule: string } | undefined {
  const after = s.reverse ? 0 : 1; // the history's row of a next value at t is t, or t + 1
  const leaf = (y: Node): Known | undefined => {
    const n = next.indexOf(y);
    if (n >= 0) return { tensor: historyOf(made, n), row: (t) => iadd(t, after) };
    const c = s.carries.findIndex((z) => z.incoming === y);
    if (c >= 0) return { tensor: historyOf(made, c), row: (t) => iadd(t, 1 - after) };
    if (y === x || !needed.has(y) || dependsOnStepAlone(y, s)) return undefined;
    const known = stack(y);
    return known && { tensor: known, row: (t) => t };
  };
  const own = leaf(x);
  if (own) {
    const p = [s.count, ...x.shape].map((n) => variable(n, "p"));
    return {
      node: compute(p, undefined, load(own.tensor, [own.row(s.count === 1 ? integer(0) : p[0]!), ...p.slice(1)]), {
        span: x.span,
        label: x.label,
      }),
      rule: "stack-of-carry",
    };
  }
  const stop = (y: Node): boolean => !y.scans.has(s) || leaf(y) !== undefined;
  for (const y of topological([x], stop, levelInputs)) {
    if (stop(y)) continue;
    const inner = [...y.scans].some((q) => q !== s && q.scans.has(s));
    if (inner || (y.kind !== "compute" && y.kind !== "reshape") || (needed.has(y) && !dependsOnStepAlone(y, s)))
      return undefined;
  }
  return { node: lift(x, s, lifted, leaf), rule: dependsOnStepAlone(x, s) ? "stack-before-loop" : "stack-behind-loop" };
}
/** What the next values of a loop need of its body. */
export function neededByCarries(next: readonly Node[], s: Scan): ReadonlySet<Node> {
  return new Set(topological(next, (y) => !y.scans.has(s), levelInputs).filter((y) => y.scans.has(s)));
}
