// The driver: rules over a graph program to a fixed point. Each round walks the nodes once in topological order, rebuilds what changed through the
// constructors (which number values) and applies rules to every distinct scalar and node; what no root reaches is left behind.
// Linear per round; no recursion over nodes or scalars, except where the result of one rule is the operand of the next.
import { finalOf, historyOf, inputs, loadsIn, rootsOf, stackOf, topological, withRange } from "../graph/node.ts";
import { mapProgram, reading, rebuildNode, rebuildScan, type RebuiltScan, type Rewriting } from "../graph/rebuild.ts";
import { bottomUp, operandsOf, rebuild, type OnLoad } from "../graph/scalar.ts";
import type { GraphProgram, Node, Result, Scalar, Scan } from "../graph/types.ts";
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
class ScalarRewriter {
  private readonly byFunction = new Map<string, ScalarRule[]>();
  private readonly byKind = new Map<string, ScalarProcedure[]>();
  private readonly memo = new Map<Scalar, Scalar>();
  private readonly fired: Fired;
  private readonly read: OnLoad;

  /** `node` gives the node that takes the place of a loaded one. */
  constructor(rules: Pick<Rules, "scalars" | "procedures">, fired: Fired, node: (node: Node) => Node = (x) => x) {
    this.fired = fired;
    this.read = reading(node);
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
    return this.memo.get(e) ?? bottomUp(e, this.memo, this.rewritten);
  }
  /** x, over what its operands have become. */
  private readonly rewritten = (x: Scalar): Scalar => {
    const y = rebuild(x, this.known, this.read);
    return y === x ? this.applied(y) : (this.memo.get(y) ?? this.settle(y));
  };
  private readonly known = (x: Scalar): Scalar => this.memo.get(x)!;
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
  const settled = new Set<Node>();
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
  settled: Set<Node>,
  keep: ReadonlySet<Node>,
  changed?: (from: Node, to: Node) => void,
): GraphProgram {
  const roots = rootsOf(program);
  const order = topological(roots, (x) => keep.has(x));
  const oldUses = countUses(order, roots);
  const newUses = new Map<Node, number>();
  const map = new Map<Node, Node>();
  const scalars = new ScalarRewriter(rules, fired, (x) => map.get(x) ?? x);
  const rewriting: NodeRewriting = {
    parts: partsBy(map, (e) => scalars.rewrite(e)),
    map,
    scans: new Map(),
    stacked: stackedNodes(order),
    ...(rules.loops ? { fired } : {}),
  };
  const context = { uses: (x: Node): number => newUses.get(x) ?? Infinity };
  for (const x of order) {
    if (keep.has(x)) {
      map.set(x, x);
      continue;
    }
    const stable = settled.has(x) && inputs(x).every((z) => map.get(z) === z);
    let y = stable ? x : rewriteNode(x, rewriting);
    const rewritten = y;
    for (const rule of rules.nodes) {
      if (y.kind !== "compute" || (stable && !rule.byUses)) continue;
      const next: Node | undefined = rule.rewrite(y, context);
      if (next === undefined || next === y) continue;
      count(fired, rule.name);
      y = next.kind === "compute" ? rewriteNode(next, rewriting) : next;
    }
    if (
      y === rewritten &&
      (y === x ? x.kind === "compute" || x.kind === "scatter" : y.kind === "compute" && scalars.isSettled(y.body))
    )
      settled.add(y);
    y = keepRange(x, y);
    map.set(x, y);
    if (y !== x) changed?.(x, y);
    newUses.set(y, (newUses.get(y) ?? 0) + (oldUses.get(x) ?? 0));
  }
  return mapProgram(program, (x) => map.get(x)!);
}
/** What loops stack, by loop. */
function stackedNodes(order: readonly Node[]): Map<Scan, Node[]> {
  const stacked = new Map<Scan, Node[]>();
  for (const x of order)
    if (x.kind === "result" && x.of.kind === "stack") stacked.set(x.scan, [...(stacked.get(x.scan) ?? []), x.of.node]);
  return stacked;
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
  const read = reading((x) => map.get(x));
  const rebuilt = (x: Scalar): Scalar => replace(x, go) ?? rebuild(x, go, read);
  const rewriting: NodeRewriting = {
    parts: partsBy(map, (e) => bottomUp(e, memo, rebuilt)),
    map,
    scans: new Map(),
    stacked: stackedNodes(order),
  };
  for (const x of order) {
    map.set(x, keepRange(x, rewriteNode(x, rewriting)));
  }
  return mapProgram(program, (x) => map.get(x)!);
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
/** y, which has the values of x, with what was known of those: declared ranges are facts about the data. */
function keepRange(x: Node, y: Node): Node {
  if (x === y || !x.range || x.dtype !== "i32") return y;
  const narrower =
    !y.range ||
    x.range.low > y.range.low ||
    (typeof x.range.high === "number" && typeof y.range.high === "number" && x.range.high < y.range.high);
  if (!narrower) return y;
  return y.kind === "compute" ? withRange(y, x.range) : x;
}

// ---------------------------------------------------------------- scans

/** Nothing changes but the loop's own step and carries. */
const same: Omit<Rewriting, "scans"> = { scalar: (e) => e, node: (x) => x };
interface SeenScan extends RebuiltScan {
  readonly body: Body;
}
/** One walk over the nodes of a program. */
interface NodeRewriting {
  readonly parts: Rewriting; // what nodes are made of
  readonly map: ReadonlyMap<Node, Node>; // what nodes have become so far
  readonly scans: Map<Scan, SeenScan>;
  readonly stacked: ReadonlyMap<Scan, readonly Node[]>;
  readonly fired?: Fired; // where stacks leave loops
}
function rewriteNode(x: Node, rewriting: NodeRewriting): Node {
  if (x.kind === "result") return rewriteResult(x, rewriting);
  return rebuildNode(x, rewriting.parts);
}
const partsBy = (map: ReadonlyMap<Node, Node>, scalar: (e: Scalar) => Scalar): Rewriting => ({
  scalar,
  node: (x) => map.get(x)!,
  scans: new Map(),
});
function rewriteResult(x: Result, { map, scans, stacked, fired }: NodeRewriting): Node {
  let s = scans.get(x.scan);
  if (!s) {
    const changed = x.scan.carries.some((c) => map.get(c.initial) !== c.initial || map.get(c.next) !== c.next);
    const next = x.scan.carries.map((c) => map.get(c.next)!);
    const { scan, node } = changed
      ? rebuildScan(
          x.scan,
          { ...same, scans: new Map() },
          x.scan.carries.map((c, i) => ({ initial: map.get(c.initial)!, next: next[i]! })),
        )
      : { scan: x.scan, node: same.node };
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
