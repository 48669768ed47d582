// Simplification: a graph program to one that computes the same with fewer nodes and operations. What the program names (inputs, outputs, updates) stays.
import { withinProgram } from "../graph/node.ts";
import type { GraphProgram, Node } from "../graph/types.ts";
import { arithmetic } from "./arithmetic.ts";
import { hoisting } from "./loops.ts";
import { constants, loads } from "./loads.ts";
import { nodes } from "./nodes.ts";
import { chooseQuotients } from "./quotients.ts";
import { sums } from "./sums.ts";
import { rewriteProgram, type Fired, type Rules } from "./rewrite.ts";
import type { ScalarProcedure } from "./rule.ts";
import { smooth, stability } from "./stability.ts";
import { uniteLoops } from "./unite.ts";

export const rules: Rules = {
  scalars: [...stability, ...arithmetic],
  procedures: [...loads, smooth],
  nodes: [...nodes, ...sums, hoisting],
  loops: true,
};

export interface SimplifyOptions {
  readonly inexact?: boolean; // default true: also rules that change rounding
  readonly without?: readonly string[]; // names of rules that do not apply; "loops": those that take stacks out of loops, and equal loops as one
}
export interface Simplified {
  readonly program: GraphProgram;
  readonly fired: ReadonlyMap<string, number>; // how often each rule applied
}
function chosen(all: Rules, options: SimplifyOptions): Rules {
  const on = (rule: { name: string; exact: boolean }): boolean =>
    (rule.exact || options.inexact !== false) && !options.without?.includes(rule.name);
  return {
    scalars: all.scalars.filter(on),
    procedures: all.procedures.filter(on),
    nodes: all.nodes.filter(on),
    loops: !options.without?.includes("loops"),
  };
}
export function simplifyWithReport(program: GraphProgram, options: SimplifyOptions = {}): Simplified {
  const fired: Fired = new Map();
  return withinProgram(program, () => {
    const own = chosen(rules, options);
    const rewritten = rewriteProgram(program, own, fired);
    const united = own.loops ? uniteLoops(rewritten, fired) : rewritten;
    const simple = united === rewritten ? united : rewriteProgram(united, own, fired);
    return { program: options.inexact === false ? simple : chooseQuotients(simple), fired };
  });
}
export const simplify = (program: GraphProgram, options: SimplifyOptions = {}): GraphProgram =>
  simplifyWithReport(program, options).program;

/**
 * The node in its numerically stable form, before it is differentiated: the gradient of log(softmax(x)) as it stands divides by what underflows. `keep`:
 * what it is differentiated by. `changed` is told what becomes of nodes. Simplification makes the same of the forward graph, so nothing is computed twice.
 */
export function stabilised(root: Node, keep: readonly Node[], changed?: (from: Node, to: Node) => void): Node {
  const program: GraphProgram = { name: "", inputs: [], dims: [], outputs: [{ name: "", node: root }], updates: [] };
  const kept = new Set(keep);
  // what is differentiated by counts as independent, a constant too: it is read as it stands
  const otherConstants: ScalarProcedure = {
    ...constants,
    rewrite: (x) => (x.kind === "load" && kept.has(x.tensor) ? undefined : constants.rewrite(x)),
  };
  // the slope of log(cosh(x)) as it stands becomes tanh(x), which has all its digits near 0
  return rewriteProgram(
    program,
    {
      scalars: stability.filter((rule) => rule.name !== "log-cosh"),
      procedures: [otherConstants, smooth],
      nodes: [],
      loops: false,
    },
    new Map(),
    kept,
    changed,
  ).outputs[0]!.node;
}
