// The driver: rules over a graph program to a fixed point. Each round walks the nodes once in topological order, rebuilds what changed through the
// constructors (which number values) and applies rules to every distinct scalar and node; what no root reaches is left behind.
// Linear per round; no recursion over nodes or scalars, except where the result of one rule is the operand of the next.
import {
  finalOf,
  historyOf,
  inputs,
  loadsIn,
  reshape,
  scan as makeScan,
  scatter,
  stackOf,
  topological,
  withBody,
} from "../graph/node.ts";
import { axis, load, operandsOf, rebuild, scalarOrder, substitute, variable } from "../graph/scalar.ts";
import { levelInputs } from "../grad/grad.ts";
import { rebuildNode } from "../grad/scan.ts";
import type { GraphProgram, Integer, Load, Node, Range, Result, Scalar, Scan, Variable } from "../graph/types.ts";
import { neededByCarries, stackOutside, type Body } from "./loops.ts";
import { match, type NodeRule, type ScalarProcedure, type ScalarRule } from "./rule.ts";

export interface Rules {
  readonly scalars: readonly ScalarRule[];
  readonly procedures: readonly ScalarProcedure[];
  readonly nodes: readonly NodeRule[];
  readonly loops: boolean; // stacks leave loops
}
export type Fired = Map<string, number>;
const count = (fired: Fired, name: string): void => void fired.set(name, (fired.get(name) ?? 0) + 1);

/** Rules for one scalar, by what stands at its root. */
export class ScalarRewriter {
  private readonly byFunction = new Map<string, ScalarRule[]>();
  private readonly byKind = new Map<string, ScalarProcedure[]>();
  private readonly memo = new Map<Scalar, Scalar>();
  private readonly fired: Fired;
  private readonly node: (node: Node) => Node;

  /** `node` gives the node that takes the place of a loaded one. */
  constructor(rules: Pick<Rules, "scalars" | "procedures">, fired: Fired, node: (node: Node) => Node = (x) => x) {
    this.fired = fired;
    this.node = node;
    const add = <T>(map: Map<string, T[]>, key: string, rule: T): void =>
      void (map.get(key)?.push(rule) ?? map.set(key, [rule]));
    for (const rule of rules.scalars) {
      let root = rule.match;
      while (root.kind === "where") root = root.of;
      add(this.byFunction, root.kind === "call" ? root.fn : root.kind, rule);
    }
    for (const rule of rules.procedures) for (const kind of rule.kinds) add(this.byKind, kind, rule);
  }
  /** e with all rules applied below and at it. */
  rewrite(e: Scalar): Scalar {
    const { memo } = this;
    const known = memo.get(e);
    if (known) return known;
    for (const x of scalarOrder([e], (y) => (memo.has(y) ? [] : operandsOf(y)))) {
      if (memo.has(x)) continue;
      let y = rebuild(
        x,
        (z) => memo.get(z)!,
        (l, indices, outside) => {
          const to = this.node(l.tensor);
          return to === l.tensor ? undefined : load(to, indices, outside);
        },
      );
      if (y !== x) y = this.memo.get(y) ?? this.settle(y);
      else y = this.applied(y);
      memo.set(x, y);
    }
    return memo.get(e)!;
  }
  /** Has this scalar been met, and does no rule change it? */
  isSettled(e: Scalar): boolean {
    return this.memo.get(e) === e;
  }
  /** A new scalar: its parts may be new too. */
  private settle(y: Scalar): Scalar {
    return operandsOf(y).every((z) => this.memo.get(z) === z || z.kind === "literal" || z.kind === "variable")
      ? this.applied(y)
      : this.rewrite(y);
  }
  /** y, whose operands are settled, after the rules at its root. */
  private applied(y: Scalar): Scalar {
    const next = this.step(y);
    if (next === undefined || next === y) {
      this.memo.set(y, y);
      return y;
    }
    this.memo.set(y, y); // a rule that comes back to y ends here
    const settled = this.rewrite(next);
    this.memo.set(y, settled);
    return settled;
  }
  private step(y: Scalar): Scalar | undefined {
    for (const rule of this.byFunction.get(y.kind === "call" ? y.fn.name : y.kind) ?? []) {
      const bound = match(rule.match, y);
      if (!bound) continue;
      count(this.fired, rule.name);
      return rule.replace(bound);
    }
    for (const rule of this.byKind.get(y.kind) ?? []) {
      const next = rule.rewrite(y);
      if (next === undefined || next === y) continue;
      count(this.fired, rule.name);
      return next;
    }
    return undefined;
  }
}

/** `keep`: nodes that stay as they are, with all below them. `changed`: told what becomes of a node, for every round. */
export function rewriteProgram(
  program: GraphProgram,
  rules: Rules,
  fired: Fired,
  keep: ReadonlySet<Node> = new Set(),
  changed?: (from: Node, to: Node) => void,
): GraphProgram {
  let now = program;
  const settled = new WeakSet<Node>();
  for (let round = 0; round < 12; round++) {
    const next = rewriteOnce(now, rules, fired, settled, keep, changed);
    if (next === now) break;
    now = next;
  }
  return now;
}

/** `settled`: nodes that no rule changes, as long as what they load stays. */
function rewriteOnce(
  program: GraphProgram,
  rules: Rules,
  fired: Fired,
  settled: WeakSet<Node>,
  keep: ReadonlySet<Node>,
  changed?: (from: Node, to: Node) => void,
): GraphProgram {
  const roots = rootsOf(program);
  const order = topological(roots, (x) => keep.has(x));
  const oldUses = countUses(order, roots);
  const newUses = new Map<Node, number>();
  const map = new Map<Node, Node>();
  const scans = new Map<Scan, SeenScan>();
  const stacked = stackedNodes(order);
  const scalars = new ScalarRewriter(rules, fired, (x) => map.get(x) ?? x);
  const context = { uses: (x: Node): number => newUses.get(x) ?? Infinity };
  for (const x of order) {
    if (keep.has(x)) {
      map.set(x, x);
      continue;
    }
    const stable = settled.has(x) && inputs(x).every((z) => map.get(z) === z);
    let y = stable ? x : rewriteNode(x, scalars, map, scans, stacked, rules.loops ? fired : undefined);
    const rewritten = y;
    for (const rule of rules.nodes) {
      if (y.kind !== "compute" || (stable && !rule.byUses)) continue;
      const next: Node | undefined = rule.rewrite(y, context);
      if (next === undefined || next === y) continue;
      count(fired, rule.name);
      y = next.kind === "compute" ? rewriteNode(next, scalars, map, scans, stacked, undefined) : next;
    }
    if (
      y === rewritten &&
      (y === x ? x.kind === "compute" || x.kind === "scatter" : y.kind === "compute" && scalars.isSettled(y.body))
    )
      settled.add(y);
    keepRange(x, y);
    map.set(x, y);
    if (y !== x) changed?.(x, y);
    newUses.set(y, (newUses.get(y) ?? 0) + (oldUses.get(x) ?? 0));
  }
  return withRoots(program, map);
}
/** What loops stack, by loop. */
function stackedNodes(order: readonly Node[]): Map<Scan, Node[]> {
  const stacked = new Map<Scan, Node[]>();
  for (const x of order)
    if (x.kind === "result" && x.of.kind === "stack") stacked.set(x.scan, [...(stacked.get(x.scan) ?? []), x.of.node]);
  return stacked;
}
const rootsOf = (program: GraphProgram): Node[] => [
  ...program.outputs.map((o) => o.node),
  ...program.updates.map((u) => u.value),
];
/** The program over the nodes that took the place of its own. */
function withRoots(program: GraphProgram, map: ReadonlyMap<Node, Node>): GraphProgram {
  const at = (x: Node): Node => map.get(x)!;
  if (rootsOf(program).every((x) => at(x) === x)) return program;
  return {
    ...program,
    outputs: program.outputs.map((o) => ({ ...o, node: at(o.node) })),
    updates: program.updates.map((u) => ({ ...u, value: at(u.value) })),
  };
}
/**
 * Every scalar once, at one walk: `replace` gives what stands for a scalar, `go` what stands for its operands; undefined: itself, over these. Unlike a rule,
 * it knows the scalars of the program by identity.
 */
export function replaceScalars(
  program: GraphProgram,
  replace: (e: Scalar, go: (x: Scalar) => Scalar) => Scalar | undefined,
): GraphProgram {
  const order = topological(rootsOf(program));
  const map = new Map<Node, Node>();
  const memo = new Map<Scalar, Scalar>();
  const go = (x: Scalar): Scalar => memo.get(x)!;
  const read = (l: Load, indices: readonly Integer[], outside: Scalar | undefined): Scalar | undefined => {
    const to = map.get(l.tensor) ?? l.tensor;
    return to === l.tensor ? undefined : load(to, indices, outside);
  };
  const rewrite = (e: Scalar): Scalar => {
    for (const x of scalarOrder([e], (y) => (memo.has(y) ? [] : operandsOf(y))))
      if (!memo.has(x)) memo.set(x, replace(x, go) ?? rebuild(x, go, read));
    return go(e);
  };
  const scans = new Map<Scan, SeenScan>();
  const stacked = stackedNodes(order);
  for (const x of order) {
    const y = rewriteNode(x, { rewrite }, map, scans, stacked, undefined);
    keepRange(x, y);
    map.set(x, y);
  }
  return withRoots(program, map);
}
/** Readers of every node: a node whose scalars load it counts once per distinct load. */
function countUses(order: readonly Node[], roots: readonly Node[]): Map<Node, number> {
  const uses = new Map<Node, number>();
  const use = (x: Node, n = 1): void => void uses.set(x, (uses.get(x) ?? 0) + n);
  for (const x of roots) use(x);
  const scans = new Set<Scan>();
  for (const x of order) {
    if (x.kind === "compute" || x.kind === "scatter") for (const l of loadsIn(x)) use(l.tensor);
    else if (x.kind === "result") {
      if (x.of.kind === "stack") use(x.of.node);
      if (scans.has(x.scan)) continue;
      scans.add(x.scan);
      for (const c of x.scan.carries) {
        use(c.initial);
        use(c.next);
      }
    } else for (const y of inputs(x)) use(y, 2); // what is reshaped lies in memory
  }
  return uses;
}
/** What is known of the values of x is known of y, which has the same: declared ranges are facts about the data. */
function keepRange(x: Node, y: Node): void {
  if (x === y || !x.range || x.dtype !== "i32") return;
  const narrower =
    !y.range ||
    x.range.low > y.range.low ||
    (typeof x.range.high === "number" && typeof y.range.high === "number" && x.range.high < y.range.high);
  if (narrower) (y as { range?: Range }).range = x.range; // the one field of a node that may be learnt later; never part of equality
}

// ---------------------------------------------------------------- nodes

function rewriteNode(
  x: Node,
  scalars: Pick<ScalarRewriter, "rewrite">,
  map: ReadonlyMap<Node, Node>,
  scans: Map<Scan, SeenScan>,
  stacked: ReadonlyMap<Scan, readonly Node[]>,
  fired: Fired | undefined,
): Node {
  const meta = { span: x.span, label: x.label, range: x.range };
  switch (x.kind) {
    case "source":
      return x;
    case "reshape": {
      const to = map.get(x.operand)!;
      return to === x.operand ? x : reshape(to, x.shape, meta);
    }
    case "compute": {
      const body = scalars.rewrite(x.body);
      return body === x.body ? x : withBody(x, body);
    }
    case "scatter": {
      const value = scalars.rewrite(x.value);
      const indices = x.indices.map((e) => scalars.rewrite(e) as Integer);
      if (value === x.value && indices.every((e, d) => e === x.indices[d])) return x;
      const over = x.over.map((n) => variable(n, "v"));
      const own = new Map(over.map((v, i) => [axis(i, v.extent), v] as const));
      return scatter(
        x.shape,
        over,
        indices.map((e) => substitute(e, own) as Integer),
        substitute(value, own),
        meta,
      );
    }
    case "result":
      return rewriteResult(x, map, scans, stacked, fired);
    default:
      return x satisfies never;
  }
}
// ---------------------------------------------------------------- scans

interface RebuiltScan {
  readonly scan: Scan;
  readonly node: (x: Node) => Node; // of the rewritten body, in the new scan
}
interface SeenScan extends RebuiltScan {
  readonly body: Body;
}
function rewriteResult(
  x: Result,
  map: ReadonlyMap<Node, Node>,
  scans: Map<Scan, SeenScan>,
  stacked: ReadonlyMap<Scan, readonly Node[]>,
  fired: Fired | undefined,
): Node {
  let s = scans.get(x.scan);
  if (!s) {
    const changed = x.scan.carries.some((c) => map.get(c.initial) !== c.initial || map.get(c.next) !== c.next);
    const next = x.scan.carries.map((c) => map.get(c.next)!);
    const { scan, node } = changed
      ? rebuildScan(x.scan, (y) => map.get(y) ?? y)
      : { scan: x.scan, node: (y: Node) => y };
    const stack = (y: Node): Node | undefined =>
      stacked.get(x.scan)?.some((z) => map.get(z) === y) ? stackOf(scan, node(y)) : undefined;
    scans.set(
      x.scan,
      (s = {
        scan,
        node,
        body: { scan: x.scan, made: scan, next, needed: neededByCarries(next, x.scan), stack, lifted: new Map() },
      }),
    );
  }
  if (x.of.kind === "stack") {
    const to = map.get(x.of.node)!;
    const outside = fired && to.scans.has(x.scan) ? stackOutside(to, s.body) : undefined;
    if (outside) count(fired!, outside.rule);
    return outside?.node ?? (s.scan === x.scan && to === x.of.node ? x : stackOf(s.scan, s.node(to)));
  }
  if (s.scan === x.scan) return x;
  return x.of.kind === "final" ? finalOf(s.scan, x.of.carry) : historyOf(s.scan, x.of.carry);
}
/** A scan over rewritten initial and next values: `map` gives them over the old step and carries. */
export function rebuildScan(s: Scan, map: (x: Node) => Node): RebuiltScan {
  let node: (x: Node) => Node = (x) => x;
  const ranges = s.carries.map((c) => c.incoming.range);
  const made = makeScan(
    {
      count: s.count,
      initial: s.carries.map((c) => map(c.initial)),
      names: s.carries.map((c) => c.incoming.path),
      ranges,
      reverse: s.reverse,
      span: s.span,
    },
    (t, incoming) => {
      const memo = new Map<Node, Node>(s.carries.map((c, j) => [c.incoming as Node, incoming[j] as Node]));
      const step = new Map<Scalar, Scalar>([[s.step as Variable, t]]);
      const shared = new Map<Scalar, Scalar>(); // bodies name their axes alike
      const read = (l: Load, indices: readonly Integer[], outside: Scalar | undefined): Scalar | undefined => {
        const to = node(l.tensor);
        return to === l.tensor ? undefined : load(to, indices, outside);
      };
      const clone = (x: Node): Node => {
        if (!x.scans.has(s)) return x;
        if (x.kind !== "compute") return rebuildNode(x, (e) => substitute(e, step, read), node);
        const body = substitute(x.body, step, read, shared);
        return body === x.body ? x : withBody(x, body);
      };
      node = (root) => {
        for (const x of topological([root], (y) => memo.has(y) || !y.scans.has(s), levelInputs))
          if (!memo.has(x)) memo.set(x, clone(x));
        return memo.get(root)!;
      };
      return s.carries.map((c) => node(map(c.next)));
    },
  );
  return { scan: made, node };
}
