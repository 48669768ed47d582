// What fusion knows of a program while it makes kernels of it: what is stored, in which memory it lies, and who reads it.
// In: a program, a target, what earlier rounds have found. Out: state that the other files of this folder read; only homes.ts writes homes.
import { baseOf, inputs, rootsOf, source, tensorsOf, topological } from "../graph/node.ts";
import type { GraphProgram, Node, Scan, Shape, Source } from "../graph/types.ts";
import { fusionLimits, type FusionLimits } from "../kernel/limits.ts";
import type { Target } from "../kernel/target.ts";
import type { Flattened } from "./flat.ts";
import type { Home } from "./group.ts";
import { findRowUpdates, type RowStore } from "./rows.ts";
import { piecesOf, type Piece } from "./pieces.ts";
import { chooseStored, inlinedReads, Inliner } from "./storage.ts";
import { findStreams, type Streams } from "./streams.ts";
import { isWide } from "./worth.ts";

/** What rounds have found to be impossible. */
export interface Found {
  readonly notInPlace: Set<Source>;
  readonly stored: Set<Node>; // pointwise, but its readers would bind too many buffers if they computed it
  readonly oneHome: Set<Node>; // written to its first home alone, and copied to the others
  readonly uncut: Set<Node>; // not cut into pieces
  readonly rows: Set<Node>; // read by folds, a number for each row: all of a shape lie in one buffer
  readonly whole: Set<Node>; // folds whose kernels would bind too many buffers: what they read is in memory
}
/** A tensor that is written to a place by a kernel of its own. */
export interface CopyOut {
  readonly from: Node;
  readonly home: Home;
  readonly scan: Scan | undefined; // the loop that it happens in
}
/** The memory of a scan: of every carry all values that it takes, of every stacked node one value for each round. */
export interface ScanMemory {
  readonly histories: readonly Source[]; // by carry; [count + 1, ...]
  readonly stacks: Map<Node, Source>; // [count, ...]
}
export interface Fusion {
  readonly program: GraphProgram;
  readonly target: Target;
  readonly limits: FusionLimits;
  readonly flat: Flattened | undefined;
  readonly found: Found;
  readonly isInitial: boolean; // it makes initial values, for the names of kernels
  readonly order: readonly Node[]; // producers first
  readonly rank: ReadonlyMap<Node, number>; // place in `order`
  readonly scans: ReadonlyMap<Scan, ScanMemory>;
  readonly rowUpdates: ReadonlyMap<Source, readonly RowStore[]>; // states of which one row is written
  readonly stored: ReadonlySet<Node>;
  readonly inliner: Inliner;
  readonly streams: Streams;
  readonly pieces: ReadonlyMap<Node, readonly Piece[]>; // of tensors that have no kernel of their own
  readonly ownersOf: ReadonlyMap<Node, readonly Node[]>; // of a piece: the tensors that it is a piece of
  readonly homes: Map<Node, readonly Home[]>;
  readonly aliasOf: Map<Node, Source>; // computed in place of this state
  readonly copies: CopyOut[];
  readonly outputs: { readonly name: string; readonly memory: Node; readonly offset: number }[];
  readonly retry: Set<Source>; // states that could not be updated in place after all
  readers?: ReadonlyMap<Node, ReadonlySet<Node>>; // made when it is asked for
}

/** Everything but homes, which are still empty. */
export function stateOf(
  program: GraphProgram,
  target: Target,
  flat: Flattened | undefined,
  found: Found,
  isInitial: boolean,
): Fusion {
  const pieces = new Map<Node, readonly Piece[]>();
  const cutting: Cutting = { program, flat, found, pieces, ownersOf: new Map(), uncut: new Set(found.uncut) };
  const inputsIn = (x: Node): readonly Node[] => inputsOf({ flat, pieces }, x);
  let order: readonly Node[] = topological(rootsOf(program), undefined, inputsIn);
  const scans = scanMemory(order);
  const rowUpdates = findRowUpdates(program, found.notInPlace);
  let stored: ReadonlySet<Node>;
  const kept = mustStore(cutting, order, scans, rowUpdates);
  const streams = findStreams(
    order,
    kept,
    (family) => !family.folds.some((x) => found.whole.has(x.node)) && isWide(family.contractions, target),
  );
  // a piece may be made of pieces
  for (;;) {
    stored = chooseStored(order, mustStore(cutting, order, scans, rowUpdates), inputsIn, target, streams.wide);
    const cut = cutIntoPieces(cutting, order, stored, scans);
    if (!cut) break;
    order = cut;
  }
  return {
    ...{ program, target, limits: fusionLimits[target.class], flat, found, isInitial },
    ...{ order, rank: new Map(order.map((x, i) => [x, i])), scans, rowUpdates, stored, inliner: new Inliner(stored) },
    ...{ streams, pieces, ownersOf: cutting.ownersOf },
    ...{ homes: new Map(), aliasOf: new Map(), copies: [], outputs: [], retry: new Set() },
  };
}
/** Inputs of a node, where the parts of a flat buffer and the pieces of a tensor count as its inputs. */
export function inputsOf({ flat, pieces }: Pick<Fusion, "flat" | "pieces">, x: Node): readonly Node[] {
  const update = flat?.updatedBy.get(x);
  if (update) return [update];
  const own = pieces.get(x);
  if (own) return own.map((p) => p.node);
  return x.kind === "source" ? (flat?.assembled.get(x) ?? []) : inputs(x);
}

// ---- scans

export const memoryLike = (x: Node, shape: Shape, label: string): Source =>
  source({ role: "scratch", path: label, shape, dtype: x.dtype, label, range: x.range, span: x.span });
function scanMemory(order: readonly Node[]): Map<Scan, ScanMemory> {
  const scans = new Map<Scan, ScanMemory>();
  for (const x of order) {
    if (x.kind !== "result") continue;
    const s = x.scan;
    let own = scans.get(s);
    if (!own) {
      const histories = s.carries.map(({ incoming }) =>
        memoryLike(incoming, [s.count + 1, ...incoming.shape], `${incoming.path}_history`),
      );
      scans.set(s, (own = { histories, stacks: new Map() }));
    }
    if (x.of.kind !== "stack") continue;
    const { node } = x.of;
    if (!own.stacks.has(node))
      own.stacks.set(node, memoryLike(node, [s.count, ...node.shape], `${node.label ?? "values"}_steps`));
  }
  return scans;
}
/** The innermost of these scans whose body a node is in. */
export function innermost(x: Node | Scan, scans: ReadonlyMap<Scan, unknown>): Scan | undefined {
  let best: Scan | undefined;
  for (const s of x.scans) if (scans.has(s) && (!best || s.scans.has(best))) best = s;
  return best;
}

// ---- what lies in memory

/** What is stored whatever it costs: what others than kernels read, and what has a place of its own. */
function mustStore(
  { program, flat, found, pieces }: Cutting,
  order: readonly Node[],
  scans: ReadonlyMap<Scan, ScanMemory>,
  rowUpdates: ReadonlyMap<Source, readonly RowStore[]>,
): Set<Node> {
  const forced = new Set<Node>(found.stored);
  for (const x of order) {
    if (x.kind === "reshape") forced.add(baseOf(x));
    if (x.kind === "result" && x.of.kind === "stack") forced.add(baseOf(x.of.node));
  }
  for (const s of scans.keys())
    for (const c of s.carries) {
      forced.add(baseOf(c.next));
      forced.add(baseOf(c.initial));
    }
  for (const o of program.outputs) forced.add(baseOf(o.node));
  for (const u of program.updates) {
    if (!rowUpdates.has(u.target)) forced.add(baseOf(u.value));
    for (const x of tensorsOf(u.at ?? [])) forced.add(baseOf(x));
  }
  for (const x of flat?.assembled.values() ?? []) for (const part of x) forced.add(part);
  for (const [x, own] of pieces) for (const part of [x, ...own.map((p) => p.node)]) forced.add(part);
  for (const x of flat?.updatedBy.keys() ?? []) forced.add(x);
  for (const list of rowUpdates.values())
    for (const r of list) if (r.value.kind === "load") forced.add(baseOf(r.value.tensor));
  return forced;
}

interface Cutting {
  readonly program: GraphProgram;
  readonly flat: Flattened | undefined;
  readonly found: Found;
  readonly pieces: Map<Node, readonly Piece[]>;
  readonly ownersOf: Map<Node, Node[]>;
  readonly uncut: Set<Node>; // what is looked at no more
}
/** Tensors whose pieces are computed where they fit. The order with the pieces in it, or undefined where there was nothing to cut. */
function cutIntoPieces(
  { program, flat, pieces, ownersOf, uncut }: Cutting,
  order: readonly Node[],
  stored: ReadonlySet<Node>,
  scans: ReadonlyMap<Scan, unknown>,
): readonly Node[] | undefined {
  const before = pieces.size;
  const updated = new Set(program.updates.map((u) => baseOf(u.value)));
  const hasPlace = (x: Node): boolean => updated.has(x) || flat?.views.has(x) === true;
  const known = new Set(order);
  const result: Node[] = [];
  for (const x of order) {
    const isOpen = stored.has(x) && !pieces.has(x) && !uncut.has(x);
    const own = isOpen && !hasPlace(x) ? piecesOf(x) : undefined;
    if (own?.every(({ node }) => innermost(node, scans) === innermost(x, scans) && !hasPlace(node))) {
      pieces.set(x, own);
      for (const { node } of own) {
        ownersOf.set(node, [...(ownersOf.get(node) ?? []), x]);
        if (!known.has(node)) result.push(node);
        known.add(node);
      }
    } else if (isOpen) uncut.add(x);
    result.push(x);
  }
  return pieces.size > before ? result : undefined;
}

// ---- who reads what

/** Memory nodes that a stored node reads once its pointwise inputs are written out. */
export const readsOf = (f: Fusion, x: Node): readonly Node[] =>
  f.flat?.updatedBy.has(x) ? [] : inlinedReads(x, f.stored);
export const readsOfCopy = (f: Fusion, from: Node): readonly Node[] =>
  f.stored.has(from) || from.kind === "source" || from.kind === "result" ? [from] : inlinedReads(from, f.stored);
/** Is it computed by kernels of its own? Not what is a view of others, and not what its pieces make. */
export const hasKernel = (f: Fusion, x: Node): boolean =>
  (x.kind === "compute" || x.kind === "scatter") && f.stored.has(x) && !f.pieces.has(x) && !f.flat?.updatedBy.has(x);
export function readersOf(f: Fusion, x: Node): ReadonlySet<Node> {
  f.readers ??= readerTable(f);
  return f.readers.get(x) ?? noNodes;
}
const noNodes: ReadonlySet<Node> = new Set();
function readerTable(f: Fusion): ReadonlyMap<Node, ReadonlySet<Node>> {
  const table = new Map<Node, Set<Node>>();
  for (const y of f.order) {
    if (!(y.kind === "compute" || y.kind === "scatter") || !f.stored.has(y) || f.pieces.has(y)) continue;
    for (const z of readsOf(f, y)) table.set(z, (table.get(z) ?? new Set()).add(y));
  }
  return table;
}
/** Read by a copy, be it under another shape. */
export const isCopied = (f: Fusion, x: Node): boolean => f.copies.some((c) => readsOfCopy(f, c.from).includes(x));
export const isOutput = (f: Fusion, x: Node): boolean => f.program.outputs.some((o) => baseOf(o.node) === x);
/** What is written to the memory of this node, where the node is not computed itself. */
export const partsOf = (f: Fusion, y: Node): readonly Node[] | undefined =>
  f.pieces.get(y)?.flatMap(({ node }) => partsOf(f, node) ?? [node]) ??
  (y.kind === "source" ? f.flat?.assembled.get(y) : undefined);
