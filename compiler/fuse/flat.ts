// Flat buffers: parameters that one optimizer line updates by the same formula lie one behind the other, with their gradients and moments
// in buffers of the same layout, so that the whole update is one kernel over one long axis and a norm over all of them one reduction.
// In: a training step and its optimizer groups. Out: the step with updates of flat sources, and where each tensor lies in them.
// Slices begin at multiples of `alignment` elements; what lies between is zero and stays zero.
import type { View } from "../kernel/graph.ts";
import type { OptimizerGroup } from "../elaborate/program.ts";
import { baseOf, compute, elementCount, inputs, levelInputs, rootsOf, source, topological } from "../graph/node.ts";
import { mapNodes, reading, rebuildNode, type Rewriting } from "../graph/rebuild.ts";
import { add, integer, isCall, literal, load, scalarOrder, substitute, variable } from "../graph/scalar.ts";
import type { Compute, GraphProgram, Integer, Node, Scalar, Source, Variable } from "../graph/types.ts";

export interface Flattened {
  readonly step: GraphProgram;
  readonly views: ReadonlyMap<Node, View>; // parameters, states, gradients, updated parameters
  /** Tensors that are assembled from others, with what writes their parts. */
  readonly assembled: ReadonlyMap<Source, readonly Node[]>;
  /** The updated parameter, read later in the step, comes from the flat update. */
  readonly updatedBy: ReadonlyMap<Node, Node>;
}
/** Elements between the beginnings of slices that are bound by themselves: 256 bytes. */
const bindingAlignment = 64;

interface Member {
  readonly parameter: Source;
  readonly gradient: Node;
  readonly states: readonly Source[]; // of the parameter's shape
  readonly updated: Node;
  readonly formulas: readonly Scalar[]; // of the parameter, then of each state, over `along`
  readonly size: number;
}

export function flatten(
  step: GraphProgram,
  groups: readonly OptimizerGroup[],
  alignment = bindingAlignment,
): Flattened {
  const padded = (n: number): number => Math.ceil(n / alignment) * alignment;
  const views = new Map<Node, View>();
  const assembled = new Map<Source, Node[]>();
  const updatedBy = new Map<Node, Node>();
  const valueOf = new Map<Source, Node>(step.updates.map((u) => [u.target, u.value]));
  const replaced = new Map<Node, Node>(); // scalars that become one reduction over the flat buffers
  const updates: { target: Source; value: Node }[] = [];
  const gone = new Set<Source>();
  const owners = new Map<Source, number>();
  for (const g of groups) for (const m of g.members) owners.set(m.parameter, (owners.get(m.parameter) ?? 0) + 1);

  for (const group of groups) {
    const along = variable(1 << 30, "i"); // replaced by the flat axis
    const stand: Source[] = []; // stand-ins for parameter, gradient and states
    const standIn = (k: number): Source =>
      (stand[k] ??= source({ role: "state", path: `flat.${k}`, shape: [1 << 30], dtype: "f32" }));
    const members: Member[] = [];
    const taken = new Set<Node>();
    for (const m of group.members) {
      const base = baseOf(m.gradient);
      // the value before the update must be the parameter itself, and the gradient a tensor of this step alone
      if (
        owners.get(m.parameter) !== 1 ||
        valueOf.get(m.parameter) !== m.updated ||
        (base.kind !== "compute" && base.kind !== "scatter") ||
        taken.has(base) ||
        views.has(base)
      )
        continue;
      const states = m.states.filter(
        (s) =>
          s.shape.length === m.parameter.shape.length &&
          s.shape.every((n, i) => n === m.parameter.shape[i]) &&
          s.dtype === "f32",
      );
      const formula = flattener(
        m.parameter,
        new Map<Node, Source>([
          [m.parameter, standIn(0)],
          [m.gradient, standIn(1)],
          ...states.map((s, k) => [s, standIn(2 + k)] as const),
        ]),
        along,
      );
      const formulas = [m.updated, ...states.map((s) => valueOf.get(s))].map((x) => x && formula(x));
      if (formulas.some((f) => f === undefined)) continue;
      taken.add(base);
      members.push({
        parameter: m.parameter,
        gradient: m.gradient,
        states,
        updated: m.updated,
        formulas: formulas as Scalar[],
        size: elementCount(m.parameter.shape),
      });
    }
    if (members.length < 2) continue;
    // one stretch for each formula
    const classes = new Map<string, Member[]>();
    for (const m of members) {
      const key = m.formulas.map((f) => f.id).join(",");
      classes.set(key, [...(classes.get(key) ?? []), m]);
    }
    const most = Math.max(...members.map((m) => m.states.length));
    const total = members.reduce((sum, m) => sum + padded(m.size), 0);
    const flat = ["parameters", "gradients", ...Array.from({ length: most }, (_, k) => stateName(members, k))].map(
      (name, k) =>
        source({
          role: k === 1 ? "input" : "state",
          path: `${group.name}.${name}`,
          shape: [total],
          dtype: "f32",
          label: k === 1 ? "gradients" : name,
        }),
    );
    const stretches: Stretches = new Map();
    let offset = 0;
    const parts: Node[] = [];
    for (const list of classes.values()) {
      const start = offset;
      for (const m of list) {
        const view = (k: number): View => ({ memory: flat[k]!, offset });
        views.set(m.parameter, view(0));
        views.set(baseOf(m.gradient), view(1));
        parts.push(baseOf(m.gradient));
        m.states.forEach((s, k) => views.set(s, view(2 + k)));
        if (m.updated !== baseOf(m.gradient)) views.set(m.updated, view(0));
        offset += padded(m.size);
      }
      // the update of this stretch
      const i = variable(offset - start, "i");
      const first = list[0]!;
      const place = (e: Scalar): Scalar => {
        const map = new Map<Scalar, Scalar>([[along, i]]);
        return substitute(e, map, (l, indices) => {
          const k = stand.indexOf(l.tensor as Source);
          return k < 0 ? undefined : load(stretch(stretches, flat[k]!, start, offset - start, total), indices);
        });
      };
      const targets = [0, ...first.states.map((_, k) => 2 + k)];
      first.formulas.forEach((f, j) => {
        const target = stretch(stretches, flat[targets[j]!]!, start, offset - start, total);
        updates.push({
          target,
          value: compute([i], undefined, place(f), {
            label: j === 0 ? "parameters" : stateName(members, j - 1),
            span: first.updated.span,
          }),
        });
      });
      const update = updates[updates.length - first.formulas.length]!.value;
      for (const m of list) {
        updatedBy.set(m.updated, update);
        gone.add(m.parameter);
        for (const s of m.states) gone.add(s);
      }
    }
    assembled.set(flat[1]!, parts);
    for (const m of stretches.get(flat[1]!)?.values() ?? []) assembled.set(m, parts);
    joinReductions(step, members, standIn, flat, total, along, replaced);
    for (const s of flat) for (const [start, m] of stretches.get(s) ?? []) views.set(m, { memory: s, offset: start });
  }
  if (!updates.length) return { step, views, assembled, updatedBy };
  const swap = replacer(replaced);
  const moved = (x: Node): Node => (x.kind === "source" ? x : swap(x));
  const outputs = step.outputs.map((o) => ({ name: o.name, node: swap(o.node) }));
  const written = [...step.updates.filter((u) => !gone.has(u.target)), ...updates].map((u) => ({
    target: u.target,
    value: swap(u.value),
  }));
  const inputs = topological([...outputs.map((o) => o.node), ...written.map((u) => u.value)]).flatMap((x) =>
    x.kind === "source" && x.role !== "constant" && x.role !== "carry" ? [x] : [],
  );
  return {
    step: { ...step, inputs: [...new Set([...step.inputs, ...inputs])], outputs, updates: written },
    views: new Map([...views].map(([x, v]) => [moved(x), v])),
    assembled: new Map([...assembled].map(([m, parts]) => [m, parts.map(moved)])),
    updatedBy: new Map([...updatedBy].map(([x, y]) => [swap(x), swap(y)])),
  };
}
const stateName = (members: readonly Member[], k: number): string =>
  members
    .find((m) => m.states[k])
    ?.states[k]!.path.split(".")
    .at(-1) ?? `state${k}`;

/** The parts of flat buffers that are sources of their own, by where they begin. */
type Stretches = Map<Source, Map<number, Source>>;
/** A part of a flat buffer as a source; the whole is itself. */
function stretch(stretches: Stretches, memory: Source, start: number, size: number, total: number): Source {
  if (size === total) return memory;
  let all = stretches.get(memory);
  if (!all) stretches.set(memory, (all = new Map()));
  let found = all.get(start);
  if (!found) {
    found = source({
      role: memory.role,
      path: `${memory.path}.${start}`,
      shape: [size],
      dtype: "f32",
      label: memory.label,
    });
    all.set(start, found);
  }
  return found;
}

/** A member's elementwise value as a body over the flat axis, or undefined where an element needs more than its own. */
function flattener(
  parameter: Source,
  stand: ReadonlyMap<Node, Source>,
  along: Variable,
): (x: Node) => Scalar | undefined {
  const memo = new Map<Node, Scalar | undefined>();
  const one = (x: Node): Scalar | undefined => {
    if (memo.has(x)) return memo.get(x);
    let result: Scalar | undefined;
    const own = stand.get(x);
    if (own) result = load(own, [along]);
    else if (x.kind === "compute" && !x.reduction && sameShape(x, parameter)) {
      let failed = false;
      const body = substitute(x.body, new Map(), (l, indices, outside) => {
        if (!outside && sameShape(l.tensor, parameter) && isIdentity(indices, l.tensor)) {
          const inner = one(l.tensor);
          if (inner) return inner;
        } else if (l.tensor.shape.every((n) => n === 1) && !l.tensor.scans.size) return undefined;
        failed = true;
        return undefined;
      });
      if (!failed && [...body.variables].every((v) => v === along) && !hasDraw(body)) result = body;
    }
    memo.set(x, result);
    return result;
  };
  // operands first, so that the recursion above stays shallow
  return (x) => {
    for (const y of topological(
      [x],
      (n) => stand.has(n) || n.kind !== "compute" || n.reduction !== undefined || !sameShape(n, parameter),
    ))
      if (y.kind === "compute" && sameShape(y, parameter)) one(y);
    return one(x);
  };
}
const sameShape = (a: Node, b: Node): boolean =>
  a.shape.length === b.shape.length && a.shape.every((n, d) => n === b.shape[d]);
const isIdentity = (indices: readonly Integer[], x: Node): boolean =>
  indices.every((e, d) => (x.shape[d] === 1 ? e === integer(0) : e.kind === "variable" && e.position === d));
const hasDraw = (e: Scalar): boolean => scalarOrder([e]).some((x) => x.kind === "random");

/**
 * Sums of one formula over every member, added up (a norm of all gradients, a penalty of all parameters), become one sum over the flat
 * buffer. Sound where the formula is 0 for zeros, which is what lies between the slices.
 */
function joinReductions(
  step: GraphProgram,
  members: readonly Member[],
  standIn: (k: number) => Source,
  flat: readonly Source[],
  total: number,
  along: Variable,
  replaced: Map<Node, Node>,
): void {
  const order = topological(rootsOf(step));
  const keyOf = new Map<Node, { member: Member; formula: Scalar }>();
  const byTensor = new Map<Node, Member>();
  for (const m of members) {
    byTensor.set(m.parameter, m);
    byTensor.set(m.gradient, m);
  }
  for (const x of order) {
    if (x.kind !== "compute" || x.reduction?.op !== "sum" || x.shape.length || x.scans.size) continue;
    const member = memberBelow(x, byTensor);
    if (!member || x.reduction.extents.length !== member.parameter.shape.filter((n) => n !== 1).length) continue;
    const core = member.parameter.shape.filter((n) => n !== 1);
    if (x.reduction.extents.some((n, i) => n !== core[i])) continue;
    // the body over the member's axes, as an elementwise node would have it
    const shifted = new Map<Scalar, Scalar>();
    const axes = member.parameter.shape.map((n) => variable(n, "p"));
    const live = axes.filter((v) => v.extent !== 1);
    for (const v of x.body.variables) if (v.position !== undefined) shifted.set(v, live[v.position]!);
    const element = compute(axes, undefined, substitute(x.body, shifted));
    const formula = flattener(
      member.parameter,
      new Map<Node, Source>([
        [member.parameter, standIn(0)],
        [member.gradient, standIn(1)],
      ]),
      along,
    )(element);
    if (formula && isZero(formula)) keyOf.set(x, { member, formula });
  }
  if (!keyOf.size) return;
  const joined = new Map<number, Node>();
  for (const x of order) {
    if (x.kind !== "compute" || x.reduction || x.shape.length || !isCall(x.body, "add")) continue;
    const leaves: Scalar[] = [];
    const expand = (e: Scalar): void => {
      if (isCall(e, "add")) e.operands.forEach(expand);
      else if (
        e.kind === "load" &&
        e.tensor.kind === "compute" &&
        !e.tensor.reduction &&
        !e.tensor.shape.length &&
        isCall(e.tensor.body, "add")
      )
        expand(e.tensor.body);
      else leaves.push(e);
    };
    expand(x.body);
    const found = new Map<number, { formula: Scalar; members: Set<Member>; leaves: Scalar[] }>();
    for (const l of leaves) {
      const k = l.kind === "load" ? keyOf.get(l.tensor) : undefined;
      if (!k) continue;
      const own = found.get(k.formula.id) ?? { formula: k.formula, members: new Set<Member>(), leaves: [] };
      own.members.add(k.member);
      own.leaves.push(l);
      found.set(k.formula.id, own);
    }
    for (const { formula, members: present, leaves: own } of found.values()) {
      if (present.size !== members.length || own.length !== members.length) continue;
      let sum = joined.get(formula.id);
      if (!sum) {
        const k = variable(total, "k");
        const body = substitute(formula, new Map([[along, k]]), (l, indices) =>
          l.tensor === standIn(0)
            ? load(flat[0]!, indices)
            : l.tensor === standIn(1)
              ? load(flat[1]!, indices)
              : undefined,
        );
        joined.set(formula.id, (sum = compute([], { op: "sum", over: [k] }, body, { label: "total" })));
      }
      const rest = leaves.filter((l) => !own.includes(l));
      replaced.set(
        x,
        compute(
          [],
          undefined,
          rest.reduce((a, b) => add(a, b), load(sum, [])),
          { label: x.label, span: x.span },
        ),
      );
    }
  }
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
const isZero = (formula: Scalar): boolean => {
  const zero = substitute(formula, new Map(), () => literal(0));
  return zero.kind === "literal" && zero.value === 0;
};

/** Rewrites nodes so that the replaced ones are read instead. */
function replacer(replaced: ReadonlyMap<Node, Node>): (x: Node) => Node {
  const known = new Map<Node, Node>();
  const swap = mapNodes(
    known,
    () => false,
    (x) => {
      const from = replaced.get(x) ?? x;
      const changed = levelInputs(from).some((y) => (known.get(y) ?? y) !== y);
      return changed ? rebuildNode(from, rewriting) : from;
    },
  );
  const moved = reading((x) => known.get(x));
  const rewriting: Rewriting = { scalar: (e) => substitute(e, new Map(), moved), node: swap, scans: new Map() };
  return swap;
}
