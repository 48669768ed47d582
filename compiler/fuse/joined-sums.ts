// Sums of one formula over every member of a group, added up (a norm of all gradients, a penalty of all parameters), become one sum over the
// flat buffer, or one over each where they are several. Sound where the formula is 0 for zeros, which is what lies between the slices.
// In: a step, the members, their flat buffers. Out: by which node each such addition is replaced.
import { compute, inputs, rootsOf, topological } from "../graph/node.ts";
import { add, isCall, load, substitute, variable } from "../graph/scalar.ts";
import type { Compute, GraphProgram, Node, Scalar, Source } from "../graph/types.ts";
import { flattener, isZeroForZeros, type Member, type StandIns } from "./formulas.ts";

type Flat = readonly [parameters: Source, gradients: Source];
/** A sum over all elements of a member. */
interface MemberSum {
  readonly member: Member;
  readonly formula: Scalar; // of one element
}

/** `flat`: the buffers of the parameters and of the gradients, for each part of the members. */
export function joinSums(
  step: GraphProgram,
  members: readonly Member[],
  stand: StandIns,
  flat: readonly Flat[],
): Map<Node, Node> {
  const order = topological(rootsOf(step));
  const sumOf = memberSums(order, members, stand);
  const replaced = new Map<Node, Node>();
  if (!sumOf.size) return replaced;
  const joined = new Map<Scalar, readonly Node[]>();
  for (const x of order) {
    if (x.kind !== "compute" || x.reduction || x.shape.length || !isCall(x.body, "add")) continue;
    const terms = termsOf(x.body);
    for (const { formula, terms: own, members: present } of byFormula(terms, sumOf)) {
      if (present.size !== members.length || own.length !== members.length) continue;
      let sums = joined.get(formula);
      if (!sums) joined.set(formula, (sums = flat.map((part) => sumOverAll(formula, stand, part, x.span))));
      const rest = terms.filter((t) => !own.includes(t));
      const body = [...sums.map((sum) => load(sum, [])), ...rest].reduce((a, b) => add(a, b));
      replaced.set(x, compute([], undefined, body, { label: x.label, span: x.span }));
    }
  }
  return replaced;
}
function memberSums(order: readonly Node[], members: readonly Member[], stand: StandIns): ReadonlyMap<Node, MemberSum> {
  const byTensor = new Map<Node, Member>(members.flatMap((m) => [[m.parameter, m] as const, [m.gradient, m] as const]));
  const found = new Map<Node, MemberSum>();
  for (const x of order) {
    if (x.kind !== "compute" || x.reduction?.op !== "sum" || x.shape.length || x.scans.size) continue;
    const member = memberBelow(x, byTensor);
    const core = member?.parameter.shape.filter((n) => n !== 1);
    if (!member || !core || x.reduction.extents.length !== core.length) continue;
    if (x.reduction.extents.some((n, i) => n !== core[i])) continue;
    const formula = flattener(
      member.parameter,
      new Map<Node, Source>([
        [member.parameter, stand.buffer(0)],
        [member.gradient, stand.buffer(1)],
      ]),
      stand.along,
    )(elementwise(x, member));
    if (formula && isZeroForZeros(formula)) found.set(x, { member, formula });
  }
  return found;
}
/** What is summed, as a node over the member's axes. */
function elementwise(x: Compute, member: Member): Node {
  const axes = member.parameter.shape.map((n) => variable(n, "p"));
  const live = axes.filter((v) => v.extent !== 1);
  const shifted = new Map<Scalar, Scalar>();
  for (const v of x.body.variables) if (v.position !== undefined) shifted.set(v, live[v.position]!);
  return compute(axes, undefined, substitute(x.body, shifted));
}
function memberBelow(x: Compute, byTensor: ReadonlyMap<Node, Member>): Member | undefined {
  const stack: Node[] = [...inputs(x)];
  for (let n = 0; stack.length && n < 16; n++) {
    const y = stack.pop()!;
    const m = byTensor.get(y);
    if (m) return m;
    if (y.kind === "compute" && !y.reduction) stack.push(...inputs(y));
  }
  return undefined;
}
/** The terms of an addition, through nodes that only add numbers. */
function termsOf(root: Scalar): Scalar[] {
  const terms: Scalar[] = [];
  const expand = (e: Scalar): void => {
    const inner = e.kind === "load" && e.tensor.kind === "compute" ? e.tensor : undefined;
    if (isCall(e, "add")) e.operands.forEach(expand);
    else if (inner && !inner.reduction && !inner.shape.length && isCall(inner.body, "add")) expand(inner.body);
    else terms.push(e);
  };
  expand(root);
  return terms;
}
interface Terms {
  readonly formula: Scalar;
  readonly members: Set<Member>;
  readonly terms: Scalar[];
}
function byFormula(terms: readonly Scalar[], sumOf: ReadonlyMap<Node, MemberSum>): Iterable<Terms> {
  const found = new Map<Scalar, Terms>();
  for (const t of terms) {
    const sum = t.kind === "load" ? sumOf.get(t.tensor) : undefined;
    if (!sum) continue;
    const own = found.get(sum.formula) ?? { formula: sum.formula, members: new Set<Member>(), terms: [] };
    own.members.add(sum.member);
    own.terms.push(t);
    found.set(sum.formula, own);
  }
  return found.values();
}
function sumOverAll(formula: Scalar, stand: StandIns, flat: Flat, span: Node["span"]): Node {
  const k = variable(flat[0].shape[0]!, "k");
  const body = substitute(formula, new Map([[stand.along, k]]), (l, indices) => {
    const buffer = flat[stand.indexOf(l.tensor)];
    return buffer && load(buffer, indices);
  });
  return compute([], { op: "sum", over: [k] }, body, { label: "total", span });
}
