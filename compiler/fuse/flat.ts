// Flat buffers: parameters that one optimizer line updates by the same formula lie one behind the other, with their gradients and moments
// in buffers of the same layout, so that the whole update is one kernel over one long axis and a norm over all of them one reduction.
// In: a training step and its optimizer groups. Out: the step with updates of flat sources, and where each tensor lies in them.
// Slices begin at multiples of `alignment` bytes; what lies between is zero and stays zero. No buffer is longer than what every device binds, but for one tensor.
import type { OptimizerGroup } from "../elaborate/program.ts";
import { baseOf, compute, elementCount, rootsOf, sameShape, source, topological } from "../graph/node.ts";
import { rebuildNode, rebuildNodes, updateOver } from "../graph/rebuild.ts";
import { load, substitute, variable } from "../graph/scalar.ts";
import type { DType, GraphProgram, Node, Scalar, Source } from "../graph/types.ts";
import type { View } from "../kernel/graph.ts";
import { bindingAlignment } from "../kernel/sizes.ts";
import { elements } from "../scalar/dtype.ts";
import { flattener, standIns, type Member, type StandIns } from "./formulas.ts";
import { joinSums } from "./joined-sums.ts";

export interface Flattened {
  readonly step: GraphProgram;
  readonly views: ReadonlyMap<Node, View>; // parameters, states, gradients, updated parameters
  /** Tensors that are assembled from others, with what writes their parts. */
  readonly assembled: ReadonlyMap<Source, readonly Node[]>;
  /** The updated parameter, read later in the step, comes from the flat update. */
  readonly updatedBy: ReadonlyMap<Node, Node>;
}
/** `longest`: bytes of a buffer of several tensors. `alignment`: slices begin at multiples of so many bytes; default: where they may be bound by themselves. */
export function flatten(
  step: GraphProgram,
  groups: readonly OptimizerGroup[],
  longest: number,
  alignment = bindingAlignment,
): Flattened {
  const owners = new Map<Source, number>();
  for (const g of groups) for (const m of g.members) owners.set(m.parameter, (owners.get(m.parameter) ?? 0) + 1);
  const made: Making = {
    step,
    alignment,
    longest,
    owners,
    valueOf: new Map(step.updates.map((u) => [u.target, u.value])),
    views: new Map(),
    assembled: new Map(),
    updatedBy: new Map(),
    updates: [],
    gone: new Set(),
    replaced: new Map(),
  };
  for (const group of groups) flattenGroup(group, made);
  return made.updates.length ? rebuilt(made) : made;
}
/** What is found while the groups are flattened one after the other. */
interface Making {
  readonly step: GraphProgram;
  readonly alignment: number;
  readonly longest: number;
  readonly owners: ReadonlyMap<Source, number>; // how many groups want a parameter
  readonly valueOf: ReadonlyMap<Source, Node>; // what a state becomes
  readonly views: Map<Node, View>;
  readonly assembled: Map<Source, readonly Node[]>;
  readonly updatedBy: Map<Node, Node>;
  readonly updates: { target: Source; value: Node }[]; // of flat buffers ...
  readonly gone: Set<Source>; // ... in place of those of what lies in them
  readonly replaced: Map<Node, Node>; // scalars that become one reduction over the flat buffers
}
function flattenGroup(group: OptimizerGroup, made: Making): void {
  const dtype = group.members[0]?.parameter.dtype;
  if (!dtype) return;
  const stand = standIns(dtype);
  const members = membersOf(group, stand, made);
  if (members.length < 2) return;
  const step = Math.max(1, made.alignment / elements[dtype].bytes); // elements
  const padded = (m: Member): number => Math.ceil(m.size / step) * step;
  const sums: [Source, Source][] = [];
  for (const part of cut(members, padded, made.longest / elements[dtype].bytes)) {
    const total = part.reduce((sum, m) => sum + padded(m), 0);
    const buffers = flatBuffers(group, part, total, dtype, sums.length);
    flattenMembers(part, buffers, padded, stand, made);
    sums.push([buffers[0].source, buffers[1].source]);
  }
  for (const [x, y] of joinSums(made.step, members, stand, sums)) made.replaced.set(x, y);
}
/** Members one after another, in buffers of at most so many elements. */
function cut(members: readonly Member[], sizeOf: (m: Member) => number, longest: number): Member[][] {
  const parts: Member[][] = [];
  let room = 0;
  for (const m of members) {
    if (sizeOf(m) > room || !parts.length) {
      parts.push([]);
      room = longest;
    }
    parts.at(-1)!.push(m);
    room -= sizeOf(m);
  }
  return parts;
}
function flattenMembers(
  members: readonly Member[],
  [parameters, gradients, ...states]: ReturnType<typeof flatBuffers>,
  padded: (m: Member) => number,
  stand: StandIns,
  made: Making,
): void {
  const flat = [parameters, gradients, ...states];
  let offset = 0;
  const parts: Node[] = [];
  for (const list of stretchesOf(members)) {
    const start = offset;
    for (const m of list) {
      const gradient = baseOf(m.gradient);
      const view = (b: FlatBuffer): View => ({ memory: b.source, offset });
      made.views.set(m.parameter, view(parameters));
      made.views.set(gradient, view(gradients));
      parts.push(gradient);
      m.states.forEach((s, k) => made.views.set(s, view(states[k]!)));
      if (m.updated !== gradient) made.views.set(m.updated, view(parameters));
      offset += padded(m);
    }
    updateStretch(list, flat, stand, start, offset - start, made);
  }
  for (const buffer of [gradients.source, ...gradients.stretches.values()]) made.assembled.set(buffer, parts);
  for (const { source: memory, stretches } of flat)
    for (const [start, x] of stretches) made.views.set(x, { memory, offset: start });
}

// ---- members

function membersOf(group: OptimizerGroup, stand: StandIns, { owners, valueOf, views }: Making): Member[] {
  const members: Member[] = [];
  const taken = new Set<Node>();
  for (const { parameter, gradient, states: all, updated } of group.members) {
    const base = baseOf(gradient);
    // the value before the update must be the parameter itself, and the gradient a tensor of this step alone
    const isAlone =
      parameter.dtype === stand.dtype &&
      owners.get(parameter) === 1 &&
      valueOf.get(parameter) === updated &&
      (base.kind === "compute" || base.kind === "scatter") &&
      !taken.has(base) &&
      !views.has(base);
    if (!isAlone) continue;
    const states = all.filter((s) => sameShape(s.shape, parameter.shape) && s.dtype === stand.dtype);
    const standFor = new Map<Node, Source>([
      [parameter, stand.buffer(0)],
      [gradient, stand.buffer(1)],
      ...states.map((s, k) => [s, stand.buffer(2 + k)] as const),
    ]);
    const formula = flattener(parameter, standFor, stand.along);
    const values = [updated, ...states.map((s) => valueOf.get(s))];
    const formulas = values.flatMap((x) => (x && formula(x)) ?? []);
    if (formulas.length < values.length) continue;
    taken.add(base);
    members.push({ parameter, gradient, states, updated, formulas, size: elementCount(parameter.shape) });
  }
  return members;
}
/** One stretch for each formula. */
function stretchesOf(members: readonly Member[]): Iterable<readonly Member[]> {
  const stretches = new Map<string, Member[]>();
  for (const m of members) {
    const key = m.formulas.map((f) => f.id).join(",");
    stretches.set(key, [...(stretches.get(key) ?? []), m]);
  }
  return stretches.values();
}

// ---- buffers

/** A flat buffer, and its parts that are updated by themselves, by their first element. */
interface FlatBuffer {
  readonly source: Source;
  readonly stretches: Map<number, Source>;
}
/** Of the parameters, the gradients, and each state. */
function flatBuffers(
  group: OptimizerGroup,
  members: readonly Member[],
  total: number,
  dtype: DType,
  part: number, // of those of the group
): [FlatBuffer, FlatBuffer, ...FlatBuffer[]] {
  const buffer = (role: "state" | "input", name: string): FlatBuffer => ({
    source: source({
      role,
      path: `${group.name}.${name}${part ? part + 1 : ""}`,
      shape: [total],
      dtype,
      label: name,
      span,
    }),
    stretches: new Map(),
  });
  const { span } = members[0]!.updated;
  const most = Math.max(...members.map((m) => m.states.length));
  return [
    buffer("state", "parameters"),
    buffer("input", "gradients"),
    ...Array.from({ length: most }, (_, k) => buffer("state", stateName(members, k))),
  ];
}
const stateName = (members: readonly Member[], k: number): string =>
  members
    .find((m) => m.states[k])
    ?.states[k]!.path.split(".")
    .at(-1) ?? `state${k}`;

/** A part of a flat buffer as a source of its own; the whole is itself. */
function stretch({ source: memory, stretches }: FlatBuffer, start: number, size: number): Source {
  if (size === memory.shape[0]) return memory;
  let found = stretches.get(start);
  if (!found) {
    const { role, path, dtype, label, span } = memory;
    found = source({ role, path: `${path}.${start}`, shape: [size], dtype, label, span });
    stretches.set(start, found);
  }
  return found;
}
/** The update of a stretch: all its members have the first one's formulas. */
function updateStretch(
  list: readonly Member[],
  flat: readonly FlatBuffer[],
  stand: StandIns,
  start: number,
  size: number,
  { updates, updatedBy, gone }: Making,
): void {
  const i = variable(size, "i");
  const first = list[0]!;
  const inFlat = (e: Scalar): Scalar =>
    substitute(e, new Map<Scalar, Scalar>([[stand.along, i]]), (l, indices) => {
      const buffer = flat[stand.indexOf(l.tensor)];
      return buffer && load(stretch(buffer, start, size), indices);
    });
  const [parameters, , ...states] = flat;
  const values = first.formulas.map((formula, k) => {
    const buffer = k ? states[k - 1]! : parameters!;
    const target = stretch(buffer, start, size);
    const meta = { label: buffer.source.label, span: first.updated.span };
    return { target, value: compute([i], undefined, inFlat(formula), meta) };
  });
  updates.push(...values);
  for (const m of list) {
    updatedBy.set(m.updated, values[0]!.value);
    for (const x of [m.parameter, ...m.states]) gone.add(x);
  }
}

// ---- the step

/** The step with the flat updates, and sums over flat buffers in place of sums over each tensor. */
function rebuilt({ step, views, assembled, updatedBy, updates, gone, replaced }: Making): Flattened {
  const swap = replacer(replaced);
  const moved = (x: Node): Node => (x.kind === "source" ? x : swap(x));
  const outputs = step.outputs.map((o) => ({ name: o.name, node: swap(o.node) }));
  const written = [...step.updates.filter((u) => !gone.has(u.target)), ...updates].map((u) => updateOver(u, swap));
  const inputs = topological(rootsOf({ ...step, outputs, updates: written })).flatMap((x) =>
    x.kind === "source" && x.role !== "constant" && x.role !== "carry" ? [x] : [],
  );
  return {
    step: { ...step, inputs: [...new Set([...step.inputs, ...inputs])], outputs, updates: written },
    views: new Map([...views].map(([x, v]) => [moved(x), v])),
    assembled: new Map([...assembled].map(([m, parts]) => [m, parts.map(moved)])),
    updatedBy: new Map([...updatedBy].map(([x, y]) => [swap(x), swap(y)])),
  };
}
/** Rewrites nodes so that the replaced ones are read instead. */
const replacer = (replaced: ReadonlyMap<Node, Node>): ((x: Node) => Node) =>
  rebuildNodes((x, over) => {
    const from = replaced.get(x) ?? x;
    return over.moves(from) ? rebuildNode(from, over) : from;
  });
