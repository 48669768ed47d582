// Fusion: a graph program to kernels in order. A pointwise node is computed where it is read, unless that would repeat work; what is left
// lies in memory, and nodes in memory that can share a launch are grouped: pointwise results join the kernel of the reduction they follow
// (epilogues), rows that are reduced and used again stay in one kernel (softmax, layer norm), small independent results share one.
// Loads in a kernel name memory only: sources, stored nodes, the histories and stacks of scans.
import { InternalError } from "../../grammar/diagnostic.ts";
import { baseOf, tensorsOf, topological } from "../graph/node.ts";
import { integer } from "../graph/scalar.ts";
import type { GraphProgram, Node, Scan } from "../graph/types.ts";
import type { FusedStep, KernelGraph } from "../kernel/graph.ts";
import type { Target } from "../kernel/target.ts";
import { smallestKernelsFit } from "./bindings.ts";
import type { Flattened } from "./flat.ts";
import { link, putInOrder, sorted, type Group } from "./group.ts";
import { makeHomes } from "./homes.ts";
import { antiEdges, unsafeStates, writtenStates } from "./in-place.ts";
import { merge } from "./merge.ts";
import { mergeStreams } from "./merge-streams.ts";
import { specify } from "./spec.ts";
import { specifyStream } from "./stream-spec.ts";
import {
  hasKernel,
  innermost,
  partsOf,
  readsOf,
  readsOfCopy,
  stateOf,
  inputsOf,
  type Found,
  type Fusion,
} from "./state.ts";
import { coreOf, inlinedReads } from "./storage.ts";

/** `flat`: the buffers that hold several tensors, of a step or of other programs over the same parameters. */
export function fuse(
  program: GraphProgram,
  target: Target,
  flat?: Flattened,
  isInitial = false,
): KernelGraph<FusedStep> {
  const found: Found = {
    notInPlace: new Set(),
    stored: new Set(),
    oneHome: new Set(),
    uncut: new Set(),
    rows: new Set(),
    whole: new Set(),
  };
  const size = (): number => Object.values(found).reduce((sum, set: ReadonlySet<unknown>) => sum + set.size, 0);
  // every round but the last adds something
  for (;;) {
    const before = size();
    const f = stateOf(program, target, flat, found, isInitial);
    makeHomes(f);
    if (smallestKernelsFit(f)) {
      const steps = level(f, undefined);
      if (!f.retry.size) return { steps, outputs: f.outputs, views: flat?.views ?? new Map() };
      for (const s of f.retry) found.notInPlace.add(s);
    }
    if (size() === before) throw new InternalError("fuse: no order of the updates was found");
  }
}

/** Kernels of one level in order: of the whole program, or of the body of a scan. Empty where `retry` says why there is none. */
function level(f: Fusion, scan: Scan | undefined): FusedStep[] {
  const { groups, groupOf } = groupsOf(f, scan);
  const readBy = linkReaders(f, groups, groupOf);
  if (!scan) antiEdges(f, groups, readBy);
  putInOrder(groups);
  mergeStreams(f, groups);
  merge(f, groups);
  if (!scan) checkInPlace(f, groups);
  return inOrder(f, groups).map((g): FusedStep =>
    g.kind === "scan" ? scanStep(f, g.scan!) : g.kind === "stream" ? specifyStream(f, g) : specify(f, g),
  );
}
function scanStep(f: Fusion, scan: Scan): FusedStep {
  const body = level(f, scan);
  const union = (of: (x: FusedStep) => ReadonlySet<Node>): Set<Node> => new Set(body.flatMap((x) => [...of(x)]));
  return { kind: "loop", scan, body, reads: union((x) => x.reads), writes: union((x) => x.writes) };
}

// ---- groups

type Grouping = ReadonlyMap<Node, Group>;
/** A group for every node of the level that has a kernel, for every scan, and for every copy. */
function groupsOf(f: Fusion, scan: Scan | undefined): { readonly groups: Group[]; readonly groupOf: Grouping } {
  const groups: Group[] = [];
  const groupOf = new Map<Node, Group>();
  const scanGroups = new Map<Scan, Group>();
  const make = (g: Pick<Group, "kind" | "scan" | "copy" | "nodes" | "domain" | "rank">): Group => {
    const made: Group = { ...g, before: new Set(), after: new Set(), alive: true, place: NaN, version: 0 };
    groups.push(made);
    return made;
  };
  const here = f.order.filter((x) => innermost(x, f.scans) === scan);
  for (const x of here) {
    const rank = f.rank.get(x)!;
    if (x.kind === "result") {
      let g = scanGroups.get(x.scan);
      if (!g) scanGroups.set(x.scan, (g = make({ kind: "scan", scan: x.scan, nodes: [], domain: [], rank })));
      groupOf.set(x, g);
    } else if (hasKernel(f, x) && !isEmpty(x))
      groupOf.set(
        x,
        make({ kind: f.streams.folds.has(x) ? "stream" : "kernel", nodes: [x], domain: coreOf(x.shape), rank }),
      );
  }
  for (const x of here) {
    const update = f.flat?.updatedBy.get(x);
    if (update) groupOf.set(x, groupOf.get(update)!);
  }
  for (const copy of f.copies) {
    if (copy.scan !== scan || isEmpty(copy.from)) continue;
    // a carry's first value belongs in front of its loop, with it
    const memory = baseOf(copy.home.memory);
    const loop = [...scanGroups].find(([s]) => f.scans.get(s)!.histories.some((h) => h === memory))?.[1];
    const rank = loop ? loop.rank - 0.5 : (f.rank.get(copy.from) ?? 0) + 0.5;
    const g = make({ kind: "copy", copy, nodes: [], domain: coreOf(copy.from.shape), rank });
    if (loop) link(g, loop);
  }
  return { groups, groupOf };
}
const isEmpty = (x: Node): boolean => x.shape.includes(0);

// ---- edges

/** What is read comes before what reads it. Copies out of a body run after all that read the row they overwrite: rows differ, so nothing is needed. */
function linkReaders(f: Fusion, groups: readonly Group[], groupOf: Grouping): ReadonlyMap<Group, readonly Node[]> {
  const readBy = new Map(groups.map((g) => [g, [...readsOfGroup(f, g), ...readsOfPlaces(f, g)]]));
  for (const [g, reads] of readBy)
    for (const y of reads)
      for (const part of partsOf(f, y) ?? [y]) {
        const p = groupOf.get(part);
        if (p && p !== g) link(p, g);
      }
  return readBy;
}
const readsOfGroup = (f: Fusion, g: Group): readonly Node[] =>
  g.kind === "scan"
    ? readsOfScan(f, g.scan!)
    : g.kind === "copy"
      ? readsOfCopy(f, g.copy!.from)
      : g.nodes.flatMap((x) => readsOf(f, x));
/** Where it is written may be data. */
function readsOfPlaces(f: Fusion, g: Group): readonly Node[] {
  const placed = g.copy
    ? [[g.copy.from, g.copy.home] as const]
    : g.nodes.flatMap((x) => (f.homes.get(x) ?? []).map((h) => [x, h] as const));
  return placed.flatMap(([x, h]) => tensorsOf(h.at(x.shape.map(() => integer(0)))));
}
/** What a loop reads from outside of it. */
function readsOfScan(f: Fusion, s: Scan): Node[] {
  const found = new Set<Node>();
  const roots = [...s.carries.map((c) => c.next), ...f.scans.get(s)!.stacks.keys()];
  for (const x of topological(
    roots,
    (y) => !y.scans.has(s),
    (y) => inputsOf(f, y),
  )) {
    const base = baseOf(x);
    if (base.scans.has(s)) continue;
    if (base.kind === "source" || base.kind === "result" || f.stored.has(base)) found.add(base);
    else for (const y of inlinedReads(base, f.stored)) found.add(y);
  }
  return [...found];
}

// ---- order

/** A kernel that writes a state may read only the element that it writes. */
function checkInPlace(f: Fusion, groups: readonly Group[]): void {
  for (const g of groups)
    if (g.alive && (g.kind === "kernel" || g.kind === "stream"))
      for (const s of unsafeStates(f, g.nodes, g.domain)) f.retry.add(s);
}
/** The earliest in the program first. A cycle is broken by giving up an update in place. */
function inOrder(f: Fusion, groups: readonly Group[]): readonly Group[] {
  const alive = groups.filter((g) => g.alive);
  const result = sorted(alive);
  if (result.length === alive.length) return result;
  const stuck = alive.filter((g) => !result.includes(g));
  const [state] = stuck.flatMap((g) => writtenStates(f, g)).filter((s) => !f.found.notInPlace.has(s));
  if (!state)
    throw new InternalError(
      `fuse: the kernels ${stuck.map((g) => g.nodes.at(-1)?.label ?? g.kind).join(", ")} wait for each other`,
    );
  f.retry.add(state);
  return [];
}
