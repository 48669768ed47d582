// Homes: the memory that a value is written to. An updated state is written in place, a carry's next value into the next row of its history,
// a number into the shared vector of numbers, a piece into its tensor. What cannot be written where it belongs is copied there. Readers read
// the first home. In: state without homes. Out: the same with homes, copies and outputs.
import { baseOf, compute, reshape, source, sameShape } from "../graph/node.ts";
import { axis, boolean, iadd, inRange, integer, isTrue, literal, load, select, substitute } from "../graph/scalar.ts";
import type { OnLoad } from "../graph/substitute.ts";
import type { Integer, Load, Node, Scalar, Scan, Shape, Source } from "../graph/types.ts";
import type { Home } from "./group.ts";
import { stateIn } from "./in-place.ts";
import { innermost, isCopied, isOutput, memoryLike, readersOf, type Fusion } from "./state.ts";
import { coreOf, sizeOf } from "./storage.ts";

export function makeHomes(f: Fusion): void {
  placeUpdates(f);
  placeScans(f);
  placeOutputs(f);
  placeNumbers(f);
  placeRows(f);
  placePieces(f);
  copyOtherHomes(f);
}
const own = (memory: Node): Home => ({ memory, at: (indices) => indices });
export const homesOf = (f: Fusion, x: Node): readonly Home[] => f.homes.get(x) ?? [own(x)];
function addHome(f: Fusion, x: Node, home: Home): void {
  f.homes.set(x, [...(f.homes.get(x) ?? []), home]);
}
/** May it be written to another home than its own? */
const isMovable = (f: Fusion, x: Node): boolean =>
  (x.kind === "compute" || x.kind === "scatter") && f.stored.has(x) && !f.flat?.updatedBy.has(x);

function placeUpdates(f: Fusion): void {
  for (const u of f.program.updates) {
    const rows = f.rowUpdates.get(u.target);
    for (const { indices, value } of rows ?? []) {
      const home: Home = { memory: u.target, at: () => indices };
      // a number of the step that is computed anyway is written there too
      if (value.kind === "load" && isMovable(f, value.tensor) && value.tensor.shape.length === 0)
        addHome(f, value.tensor, home);
      else f.copies.push({ from: compute([], undefined, value, { span: u.value.span }), home, scan: undefined });
    }
    if (rows) continue;
    const base = baseOf(u.value);
    const home = u.at
      ? { memory: u.target, at: placesOf(u.value, u.at) }
      : own(sameShape(base.shape, u.target.shape) ? u.target : reshape(u.target, base.shape));
    // who reads what goes to some places reads it by itself
    const isFree = !u.at || (base === u.value && !f.homes.has(base) && !readersOf(f, base).size && !isOutput(f, base));
    if (isMovable(f, base) && !f.found.notInPlace.has(u.target) && !f.aliasOf.has(base) && isFree) {
      f.aliasOf.set(base, u.target);
      addHome(f, base, home);
    } else f.copies.push({ from: base, home, scan: undefined });
  }
}
const placesOf =
  (x: Node, at: readonly Integer[]): Home["at"] =>
  (indices) => {
    const own = new Map(x.shape.map((n, d) => [axis(d, n) as Scalar, indices[d]!] as const));
    return at.map((e) => substitute(e, own) as Integer);
  };
function placeScans(f: Fusion): void {
  for (const [s, { histories, stacks }] of f.scans) {
    const t = s.step;
    const isInside = (x: Node): boolean => isMovable(f, x) && innermost(x, f.scans) === s;
    const first = integer(s.reverse ? s.count : 0);
    s.carries.forEach((c, j) => {
      const [next, initial] = [baseOf(c.next), baseOf(c.initial)];
      const home = rowHome(histories[j]!, next, s.reverse ? t : iadd(t, 1));
      if (isInside(next) && !f.homes.has(next)) addHome(f, next, home);
      else f.copies.push({ from: next, home, scan: s });
      f.copies.push({ from: initial, home: rowHome(histories[j]!, initial, first), scan: innermost(s, f.scans) });
    });
    for (const [node, memory] of stacks) {
      const base = baseOf(node);
      const home = rowHome(memory, base, t);
      if (isInside(base)) addHome(f, base, home);
      else f.copies.push({ from: base, home, scan: s });
    }
  }
}
/** Row `row` of a memory of rows, for a node that may have another shape than they. */
function rowHome(memory: Source, node: Node, row: Integer): Home {
  const shape: Shape = [memory.shape[0]!, ...node.shape];
  const view = sameShape(shape, memory.shape) ? memory : reshape(memory, shape);
  return { memory: view, at: (indices) => [row, ...indices] };
}
/** An output is read as a whole: from its first home, if nothing else lies there. */
function placeOutputs(f: Fusion): void {
  for (const o of f.program.outputs) {
    const base = baseOf(o.node);
    if (base.kind === "result") {
      const memory = memoryLike(base, base.shape, o.name);
      f.copies.push({ from: base, home: own(memory), scan: undefined });
      f.outputs.push({ name: o.name, memory, offset: 0 });
      continue;
    }
    const homes = f.homes.get(base) ?? [];
    const memory = homes[0]?.memory;
    const isAlone = !memory || sizeOf(memory.shape) === sizeOf(base.shape);
    if (!isAlone) f.homes.set(base, [own(base), ...homes]);
    f.outputs.push({ name: o.name, memory: isAlone && memory ? baseOf(memory) : base, offset: 0 });
  }
}
/** Numbers share one vector, so that a kernel binds many of them at once. */
function placeNumbers(f: Fusion): void {
  const isInRows = (x: Node): boolean => f.homes.get(x)?.some((h) => isScratch(h.memory)) === true;
  const numbers = f.order.filter(
    (x) =>
      x.dtype === "f32" &&
      x.shape.every((n) => n === 1) &&
      isMovable(f, x) &&
      !f.flat?.views.has(x) &&
      !isOutput(f, x) &&
      !f.aliasOf.has(x) &&
      !isInRows(x),
  );
  if (numbers.length < 2) return;
  const memory = source({
    role: "scratch",
    path: numbersPath,
    shape: [numbers.length],
    dtype: "f32",
    label: numbersPath,
  });
  numbers.forEach((x, slot) => f.homes.set(x, [{ memory, at: () => [integer(slot)] }, ...(f.homes.get(x) ?? [])]));
}
/** What folds read of a row lies in one buffer for every shape, where they would bind too many. */
function placeRows(f: Fusion): void {
  const byShape = new Map<string, Node[]>();
  for (const x of f.order) {
    if (!f.found.rows.has(x) || !isMovable(f, x) || f.homes.has(x) || f.flat?.views.has(x) || isOutput(f, x)) continue;
    const key = coreOf(x.shape).join();
    byShape.set(key, [...(byShape.get(key) ?? []), x]);
  }
  for (const own of byShape.values()) {
    const shape = [own.length, ...coreOf(own[0]!.shape)];
    const memory = source({ role: "scratch", path: "rows", shape, dtype: "f32", label: "rows" });
    own.forEach((x, slot) => f.homes.set(x, [rowHome(memory, x, integer(slot))]));
  }
}
const numbersPath = "numbers";
const isScratch = (x: Node): x is Source => x.kind === "source" && x.role === "scratch";
export const isAmongNumbers = (h: Home): boolean => isScratch(h.memory) && h.memory.path === numbersPath;

/** A piece that others read too is theirs first: what they read is not strided. What is made of pieces comes before them: its places are theirs. */
function placePieces(f: Fusion): void {
  const viewed = new Set(f.order.flatMap((x) => (x.kind === "reshape" ? [baseOf(x)] : [])));
  const isWanted = (x: Node): boolean => viewed.has(x) || readersOf(f, x).size > 0 || isOutput(f, x) || isCopied(f, x);
  for (const x of [...f.order].reverse())
    for (const { node, at } of f.pieces.get(x) ?? []) {
      const homes = homesOf(f, x).map((h): Home => ({ memory: h.memory, at: (indices) => h.at(at(indices)) }));
      f.homes.set(node, [...(f.homes.get(node) ?? (isWanted(node) ? homesOf(f, node) : [])), ...homes]);
    }
}
/** Where a kernel would bind too much, it writes one home, and copies fill the others. */
function copyOtherHomes(f: Fusion): void {
  for (const x of f.found.oneHome) {
    const [first, ...rest] = f.homes.get(x) ?? [];
    if (!first || !rest.length) continue;
    const owners = f.ownersOf.get(x);
    if (owners) {
      for (const y of owners) f.found.uncut.add(y);
      continue;
    }
    const alias = f.aliasOf.get(x);
    if (alias && rest.some((h) => stateIn(h).includes(alias))) f.found.notInPlace.add(alias);
    f.homes.set(x, [first]);
    for (const home of rest) f.copies.push({ from: x, home, scan: innermost(x, f.scans) });
  }
}

// ---------------------------------------------------------------- reading from homes

/** Where a tensor is read, if not as itself. */
export function homeOf(f: Fusion, base: Node): Home | undefined {
  if (base.kind === "result") return resultHome(f, base.scan, base);
  if (base.kind === "source" && base.role === "carry") {
    for (const [s, { histories }] of f.scans) {
      const j = s.carries.findIndex((c) => c.incoming === base);
      if (j >= 0) return rowHome(histories[j]!, base, s.reverse ? iadd(s.step, 1) : s.step);
    }
  }
  return f.homes.get(base)?.[0];
}
function resultHome(f: Fusion, s: Scan, x: Extract<Node, { kind: "result" }>): Home {
  const { histories, stacks } = f.scans.get(s)!;
  if (x.of.kind === "stack") return own(stacks.get(x.of.node)!);
  const memory = histories[x.of.carry]!;
  return x.of.kind === "history" ? own(memory) : rowHome(memory, x, integer(s.reverse ? 0 : s.count));
}
/**
 * An expression over memory: a load of a node becomes one of the memory that holds it, unless `computed` gives its value, which is over memory already. What
 * lies outside of the node may be inside of the memory: the guard is the node's.
 */
export function fromMemory(f: Fusion, e: Scalar, computed: OnLoad = () => undefined): Scalar {
  return substitute(e, new Map(), (l, indices, outside) => {
    const own = computed(l, indices, outside);
    if (own) return own;
    const base = baseOf(l.tensor);
    const home = homeOf(f, base);
    if (!home) return undefined;
    // the same elements under the shape that is read
    const probe = home.at(base.shape.map(() => integer(0)));
    const lead = probe.slice(0, Math.max(0, probe.length - base.shape.length));
    const read = (memory: Node, at: readonly Integer[]): Scalar => {
      const inside = inRange(l.tensor, indices);
      if (!outside || inRange(memory, at) === inside) return load(memory, at, outside);
      return select(inside, load(memory, at, isTrue(inRange(memory, at)) ? undefined : noElement(l)), outside);
    };
    if (!base.shape.length || probe.length < base.shape.length) return read(home.memory, probe);
    if (l.tensor === base) return read(home.memory, home.at(indices));
    const view = reshape(home.memory, [...home.memory.shape.slice(0, lead.length), ...l.tensor.shape]);
    return read(view, [...lead, ...indices]);
  });
}
/** What is read where the choice of what is outside discards it. */
const noElement = (l: Load): Scalar =>
  l.dtype === "i32" ? integer(0) : l.dtype === "bool" ? boolean(false) : literal(0);
