// One unit in memory: its tensors share slots where they are never alive at once. In: a lowered unit. Out: its program, with where its outputs lie.
import { InternalError } from "../../grammar/diagnostic.ts";
import type { PlanProgram, Size } from "../../runtime/plan.ts";
import type { GraphProgram, Node } from "../graph/types.ts";
import type { KernelGraph, View } from "../kernel/graph.ts";
import type { Target } from "../kernel/target.ts";
import type { Trade } from "../programs/fuse.ts";
import { isPersistent } from "../programs/layout.ts";
import type { LoweredUnit } from "../programs/lower.ts";
import {
  bytesOfChunk,
  bytesOfShape,
  bytesPerRow,
  shifted,
  type Address,
  type AddressOf,
  type Buffers,
} from "./buffers.ts";
import { commandsOf, wholeDispatch, type Launched } from "./commands.ts";
import { assignSlots, liveRanges, verifySlots, type LiveRange } from "./memory.ts";
import type { Modules } from "./modules.ts";

/** What the phases made of one unit, for dumps. */
export interface Compiled {
  readonly name: string;
  readonly simplified: GraphProgram;
  readonly kernels: KernelGraph;
  readonly lowered: readonly Launched[];
  readonly memory: readonly Lifetime[];
  readonly trade?: Trade;
}
export interface Lifetime {
  readonly label: string;
  readonly first: number; // among the dispatches, loops once
  readonly last: number;
  readonly bytes: Size;
  readonly buffer: number;
}
export interface PlannedUnit {
  readonly program: PlanProgram;
  readonly outputs: readonly Address[];
  readonly rounds?: Address; // of many steps in one launch
  readonly compiled: Compiled;
}
export interface UnitOptions {
  readonly bounds?: ReadonlyMap<string, number>; // of run-time dims
  readonly chunkOf?: (bytesPerRow: number) => number; // of a unit that runs in chunks
}
/** What all units share. */
export interface Shared {
  readonly buffers: Buffers;
  readonly modules: Modules;
  readonly views: ReadonlyMap<Node, View>;
  readonly target: Target;
}

export function planUnit(unit: LoweredUnit, shared: Shared, { bounds, chunkOf }: UnitOptions = {}): PlannedUnit {
  const { kernels, graph } = unit;
  const { name } = graph;
  const joined = kernels.joined ?? new Map<Node, View>();
  const ranges = joinRanges(liveRanges(kernels.steps), joined).filter(
    (r) => !isPersistent(r.node) && !shared.views.has(r.node),
  );
  const own = ownMemory(unit, ranges, shared.buffers, chunkOf);
  const addressOf: AddressOf = (x) => {
    const view = joined.get(x);
    if (view) return shifted(addressOf(view.memory), view.offset, x.dtype);
    const found = own.get(x) ?? shared.buffers.of(x);
    if (!found) throw new InternalError(`plan: ${x.label ?? x.kind} has no memory`);
    return found;
  };
  const places = { ...shared, addressOf };
  if (unit.oneLaunch) {
    const { dispatch, rounds } = wholeDispatch(name, unit.oneLaunch.whole, places);
    const compiled = { name, simplified: graph, kernels, lowered: [], memory: [] };
    return { program: { name, dims: [], commands: [dispatch] }, outputs: [], rounds, compiled };
  }
  const { commands, launched } = commandsOf(unit.steps, places);
  const dims = graph.dims.map((d) => ({
    name: d.name,
    ...(bounds?.has(d.name) ? { at_most: bounds.get(d.name)! } : {}),
  }));
  const memory = ranges.map((r) => ({
    label: r.node.label ?? r.node.kind,
    first: r.first,
    last: r.last,
    bytes: bytesOfShape(r.node.shape, r.node.dtype),
    buffer: own.get(r.node)!.buffer,
  }));
  return {
    program: { name, dims, commands },
    outputs: kernels.outputs.map((o) => shifted(addressOf(o.memory), o.offset, o.memory.dtype)),
    compiled: {
      name,
      simplified: graph,
      kernels,
      lowered: launched,
      memory,
      ...(unit.trade ? { trade: unit.trade } : {}),
    },
  };
}
/** What lies in one buffer lives as one. */
function joinRanges(ranges: readonly LiveRange[], joined: ReadonlyMap<Node, View>): readonly LiveRange[] {
  const whole = new Map<Node, LiveRange>();
  const memories = new Set<Node>([...joined.values()].map((v) => v.memory));
  for (const r of ranges) {
    const node = joined.get(r.node)?.memory ?? r.node;
    const known = whole.get(node);
    whole.set(node, {
      node,
      first: Math.min(r.first, known?.first ?? r.first),
      last: Math.max(r.last, known?.last ?? r.last),
      // who reads all of it at once reads what its parts say of themselves
      written: (r.written || memories.has(r.node)) && known?.written !== false,
    });
  }
  return [...whole.values()];
}
/** Memory of every tensor that lives within the unit alone: a slot where its size is known, a buffer where it is not or the host reads it. */
function ownMemory(
  { kernels, graph }: LoweredUnit,
  ranges: readonly LiveRange[],
  buffers: Buffers,
  chunkOf: UnitOptions["chunkOf"],
): ReadonlyMap<Node, Address> {
  const outputs = new Set(kernels.outputs.map((o) => o.memory));
  const inner = ranges.filter((r) => !outputs.has(r.node));
  // of a unit that runs in chunks the largest size is known: its tensors share the slots of all
  const chunk = chunkOf?.(Math.max(0, ...inner.map((r) => bytesPerRow(r.node))));
  const known = new Map(
    inner.flatMap((r) => {
      const bytes = bytesOfChunk(r.node, chunk);
      return typeof bytes === "number" ? [[r, bytes] as const] : [];
    }),
  );
  const byNode = new Map([...known].map(([r, bytes]) => [r.node, bytes]));
  const { slotOf, bytes } = assignSlots([...known.keys()], (x) => byNode.get(x)!);
  verifySlots(ranges, slotOf);
  const slots = buffers.slots(bytes);
  const own = new Map<Node, Address>([...slotOf].map(([x, slot]) => [x, { buffer: slots[slot]!, offset: 0 }]));
  const add = (x: Node, role: "output" | "scratch", bytes: Size): void =>
    void own.set(x, buffers.at({ label: `${graph.name}.${x.label ?? "value"}`, role, bytes }));
  for (const { node: x } of ranges)
    if (!own.has(x)) add(x, outputs.has(x) ? "output" : "scratch", bytesOfShape(x.shape, x.dtype));
  // no kernel writes what has no elements
  for (const x of outputs) if (x.shape.includes(0) && !isPersistent(x)) add(x, "output", 0);
  return own;
}
