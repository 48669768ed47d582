// A whole training step in the registers of one subgroup: for models so small that a tensor is a few elements for each lane. Element e of a
// tensor is held by lane e mod L, in its register e / L; what another lane holds comes by broadcast or shuffle, sums over lanes are the
// subgroup's. All loops are written out, nothing goes through memory but data and losses, and no barrier is needed.
// In: the kernels of a step, over flat memory. Out: the statements of one step and what stands around them, or undefined where it does not fit.
import { commentOf, memoryNames } from "../kernel/formula.ts";
import { baseOf } from "../graph/node.ts";
import { isTrue, positiveModulo } from "../graph/scalar.ts";
import type { Integer, Load, Local, Node, Variable } from "../graph/types.ts";
import { constantForm, nameForm, shift, type Form } from "../kernel/forms.ts";
import {
  call,
  element,
  i32,
  i32Number,
  isNumber,
  name,
  numberLike,
  operation,
  same,
  truth,
  typeOf,
  u32,
  u32Bits,
  u32Number,
  type ElementType,
  type Expr,
} from "../kernel/expr.ts";
import type { SetTo, Statement } from "../kernel/ir.ts";
import { whenStored, type KernelSpec, type Stage, type Store } from "../kernel/kernel.ts";
import type { Layout } from "../kernel/layout.ts";
import { bodyCost, sizeOf } from "../fuse/storage.ts";
import type { Target } from "../kernel/target.ts";
import { identityOf, subgroupCall } from "./reductions.ts";
import type { Value } from "./emitter.ts";
import { Values } from "./values.ts";
import { shortName } from "../wgsl/names.ts";

export interface InLanes {
  readonly statements: readonly Statement[]; // of the whole entry point; the loop over `rounds` is one of them
  readonly helpers: ReadonlySet<string>;
  readonly names: ReadonlyMap<Node, string>; // of tensors in memory
}
interface Register {
  readonly expr: Expr;
  readonly uniform: boolean; // all lanes have the same
}
/** What is evaluated: a tile of points on the lanes; or one point, whose reduction is on the lanes. */
type Place = { readonly kind: "tile"; readonly tile: number } | { readonly kind: "point"; readonly point: number };
/** Something that registers cannot do. */
class Unfit extends Error {}
const mostRegisters = 192; // of all tensors together
// What the driver takes must not be much more than through memory: a statement here by the cost of an operation, a kernel there by that of its
// loads. Rough: from three models on lavapipe (0.6 to 0.8 ms a statement, 30 to 60 a kernel) and one on SwiftShader.
const statementMs = 1.6;
const kernelLoads = 6;

/** `held`: tensors that live in registers; those of `kept` come from memory before the first step and go back after the last. */
export function inLanes(
  kernels: readonly KernelSpec[],
  held: readonly Node[],
  kept: ReadonlySet<Node>,
  memory: readonly Node[],
  layout: Layout,
  target: Target,
): InLanes | undefined {
  const fits = (x: Node): boolean =>
    x.shape.every((n) => typeof n === "number") && x.dtype !== "bool" && layout.storageOf(x) === x.dtype;
  if (!target.lanes || target.lanes > 8 || !held.every(fits)) return undefined;
  if (held.reduce((n, x) => n + Math.ceil(sizeOf(x.shape) / target.lanes), 0) > mostRegisters) return undefined;
  try {
    return new Lanes(kernels, held, kept, memory, layout, target).run();
  } catch (error) {
    if (error instanceof Unfit) return undefined;
    throw error;
  }
}

class Lanes {
  private readonly values: Values;
  private readonly registers = new Map<Node, (Register | undefined)[]>();
  private readonly comments: { readonly spec: KernelSpec; readonly lines: string[] }[] = []; // by kernel; written when all tensors have their names
  private place: Place = { kind: "tile", tile: 0 };
  /** By lane, the variables' values where the lane is used. */
  private lanes: readonly (ReadonlyMap<Variable, number> | undefined)[] = [];
  private readonly kernels: readonly KernelSpec[];
  private readonly held: readonly Node[];
  private readonly kept: ReadonlySet<Node>;
  private readonly memory: readonly Node[];
  private readonly layout: Layout;
  private readonly count: number; // of lanes
  private readonly most: number; // statements of a step

  constructor(
    kernels: readonly KernelSpec[],
    held: readonly Node[],
    kept: ReadonlySet<Node>,
    memory: readonly Node[],
    layout: Layout,
    target: Target,
  ) {
    this.kernels = kernels;
    this.held = held;
    this.kept = kept;
    this.memory = memory;
    this.layout = layout;
    this.count = target.lanes;
    const { limit, operation, module, load } = target.compile;
    this.most = Math.max(limit, kernels.length * (module + kernelLoads * load)) / (statementMs * operation);
    const written = new Set(kernels.flatMap((k) => k.stores.map((s) => baseOf(s.target))));
    this.values = new Values("step", layout, new Set(), written, memory);
    for (const name of ["round", "rounds"]) this.values.reserve(name);
  }
  run(): InLanes {
    const { values, count } = this;
    values.lane = values.fresh("lane");
    const lane = call("i32", [name("lane_index", u32)], i32);
    values.push({ kind: "let", name: values.lane, value: lane, cost: "none", pinned: true });
    values.bind(values.lane, { level: 0, low: 0, high: count - 1, multiple: 1, varying: true });
    values.held = (e) => this.load(e);
    values.eager = true;
    const variables = new Map<Node, Expr[]>();
    for (const x of this.held) {
      const size = sizeOf(x.shape);
      const slots = Math.ceil(size / count);
      if (!this.kept.has(x)) {
        this.registers.set(x, new Array<undefined>(slots).fill(undefined));
        continue;
      }
      const tensor = values.tensor(x);
      tensor.reads = tensor.writes = true;
      const own = Array.from({ length: slots }, (_, s) =>
        name(values.fresh(slots === 1 ? `${tensor.name}_now` : `${tensor.name}_${s}`), typeOf(x.dtype)),
      );
      own.forEach((variable, s) => {
        const value = element(tensor.name, this.element(size, s), typeOf(x.dtype));
        values.push({ kind: "var", name: variable.text, value });
      });
      variables.set(x, own);
      this.registers.set(
        x,
        own.map((expr) => ({ expr, uniform: size === 1 })),
      );
    }
    values.open();
    for (const kernel of this.kernels) this.kernel(kernel);
    // the next step's values, all of them before the first is overwritten
    const sets: SetTo[] = [];
    for (const [x, own] of variables)
      own.forEach((target, s) => {
        const { expr } = this.registers.get(x)![s]!;
        if (same(expr, target)) return;
        const next = name(values.fresh(`${target.text}_next`), target.type);
        values.push({ kind: "let", name: next.text, value: expr, cost: "none", pinned: true });
        sets.push({ kind: "set", target, operator: "=", value: next, cost: "none" });
      });
    sets.forEach((s) => values.push(s));
    const { statements: body } = values.close();
    const statements: Statement[] = [...values.blocks[0]!.statements, { kind: "for", ...eachRound, trips: 1000, body }];
    for (const [x, own] of variables) {
      const size = sizeOf(x.shape);
      own.forEach((value, s) => {
        if (!sets.some((set) => set.target === value)) return;
        const at = this.element(size, s, false);
        const store: Statement = { kind: "store", tensor: values.tensor(x).name, at, value };
        const rest = Math.min(count, size - s * count);
        const condition =
          rest === 1 ? operation("==", this.lane, i32Number(0)) : operation("<", this.lane, i32Number(rest));
        statements.push(rest === count ? store : { kind: "if", condition, body: [store] });
      });
    }
    const tensors = new Map([...values.tensors].map(([x, t]) => [x, t.name]));
    const names = memoryNames((x) => tensors.get(x) ?? this.layout.nameOf(x));
    this.memory.forEach(names.node); // what is bound has its name in the code
    for (const { spec, lines } of this.comments) lines.push(...commentOf(spec, names));
    return { statements, helpers: values.helpers, names: tensors };
  }
  private nameOf(x: Node): string {
    return shortName(this.layout.nameOf(x));
  }
  private get lane(): Expr {
    return name(this.values.lane, i32);
  }
  /** The index of this lane's element; `within`: not beyond the last. */
  private element(size: number, slot: number, within = true): Expr {
    if (size === 1) return i32Number(0);
    const at = slot ? operation("+", this.lane, i32Number(slot * this.count)) : this.lane;
    return within && (slot + 1) * this.count > size ? call("min", [at, i32Number(size - 1)], i32) : at;
  }

  // ---- kernels
  private kernel(spec: KernelSpec): void {
    const { values, count } = this;
    const lines: string[] = [];
    values.push({ kind: "comment", lines });
    this.comments.push({ spec, lines });
    const points = sizeOf(spec.axes.map((v) => v.extent));
    const tiles = Math.ceil(points / count);
    values.locals = new Map();
    for (const stage of spec.stages) this.stage(spec, stage, points, tiles);
    // what a kernel reads is what was there before it
    const writes: (() => void)[] = [];
    for (const store of spec.stores) {
      // axes of a store's own go on the lanes, too, unless each point has its own sums
      const all = points === 1 || !spec.stages.length ? [...spec.axes, ...store.over] : spec.axes;
      const total = sizeOf(all.map((v) => v.extent));
      for (let t = 0; t < Math.ceil(total / count); t++)
        for (const over of combinations(all === spec.axes ? store.over : []))
          this.at(
            all,
            total,
            { kind: "tile", tile: t },
            over,
            undefined,
            () => void writes.push(this.store(store, total)),
          );
    }
    for (const write of writes) write();
    values.blocks[values.depth]!.scalars.clear(); // loads may find something new
  }
  private stage(spec: KernelSpec, stage: Stage, points: number, tiles: number): void {
    const { values, count } = this;
    const steps = sizeOf(stage.over.map((v) => v.extent));
    const cost = bodyCost(stage.value) + 0.3;
    const isArg = stage.op === "argmax" || stage.op === "argmin";
    const together =
      !isArg && stage.over.length > 0 && points * (Math.ceil(steps / count) * cost + 1.2) < tiles * steps * cost;
    const combine = (a: Value | undefined, b: Value): Value => {
      if (!a) return b;
      const value =
        stage.op === "sum" || stage.op === "prod"
          ? operation(stage.op === "sum" ? "+" : "*", a.expr, b.expr)
          : call(stage.op, [a.expr, b.expr], a.expr.type);
      return values.emit(Math.max(a.level, b.level), value, "alu", stage.local.name);
    };
    const results: Value[] = [];
    if (together) {
      for (let n = 0; n < points; n++) {
        let own: Value | undefined;
        for (let first = 0; first < steps; first += count)
          this.at(spec.axes, points, { kind: "point", point: n }, new Map(), { over: stage.over, first, steps }, () => {
            const v = values.value(stage.value);
            const identity: Value = { expr: identityOf(stage.op, v.expr.type), level: 0 };
            own = combine(own, first + count <= steps ? v : values.select(this.mask(steps - first), v, identity, "v"));
          });
        const all = call(subgroupCall[stage.op], [own!.expr], own!.expr.type);
        results.push(values.emit(values.depth, all, "reduce", stage.local.name));
      }
    } else
      for (let t = 0; t < tiles; t++) {
        let own: Value | undefined;
        let where: Value = { expr: i32Number(0), level: 0 };
        combinations(stage.over).forEach((over, n) =>
          this.at(spec.axes, points, { kind: "tile", tile: t }, over, undefined, () => {
            const v = values.value(stage.value);
            if (!isArg || !own) return void (own = combine(own, v));
            const more = operation(stage.op === "argmax" ? ">" : "<", v.expr, own.expr);
            const better = values.emit(values.depth, more, "compare", "better");
            where = values.select(better, { expr: i32Number(n), level: 0 }, where, stage.local.name);
            own = values.select(better, v, own, "best");
          }),
        );
        results.push(isArg ? where : own!);
      }
    this.know(stage.local, results, together, points);
  }
  /** What later stages and stores see of a stage. */
  private know(local: Local, results: readonly Value[], together: boolean, points: number): void {
    const { values, count } = this;
    const known = new Map<number, Value>();
    values.locals.set(local, () => {
      const { place } = this;
      const n = place.kind === "tile" ? place.tile : place.point;
      if (points === 1) return results[0]!;
      if (together === (place.kind === "point")) return results[n]!;
      let v = known.get(n);
      if (v) return v;
      if (!together) v = this.broadcast(results[Math.floor(n / count)]!, n % count);
      else
        for (let l = 0; l < count && n * count + l < points; l++) {
          const own = results[n * count + l]!;
          v = v ? values.select(this.among([l]), own, v, local.name) : own;
        }
      known.set(n, v!);
      return v!;
    });
  }
  /** Runs f at a place: axes, and a reduction's variables, bound to forms of the lane, and known number by number for each lane. */
  private at(
    axes: readonly Variable[],
    points: number,
    place: Place,
    over: ReadonlyMap<Variable, number>,
    reduced: { readonly over: readonly Variable[]; readonly first: number; readonly steps: number } | undefined,
    f: () => void,
  ): void {
    const { values, count } = this;
    if (values.blocks[values.depth]!.statements.length > this.most) throw new Unfit();
    this.place = place;
    values.point = `${this.comments.length}.${place.kind}${place.kind === "tile" ? place.tile : place.point}`;
    const lane = nameForm(values.lane);
    const start = place.kind === "tile" ? place.tile * count : place.point;
    this.decode(axes, place.kind === "tile" && points > 1 ? shift(lane, start) : constantForm(start));
    for (const [v, n] of over) values.place(v, constantForm(n));
    if (reduced) this.decode(reduced.over, shift(lane, reduced.first));
    this.lanes = Array.from({ length: count }, (_, l) => {
      const position = place.kind === "tile" && points > 1 ? start + l : start;
      if (position >= points || (reduced && reduced.first + l >= reduced.steps)) return undefined;
      return new Map([
        ...numbers(axes, position),
        ...over,
        ...(reduced ? numbers(reduced.over, reduced.first + l) : []),
      ]);
    });
    f();
  }
  private decode(axes: readonly Variable[], position: Form): void {
    let rest = position;
    for (let i = axes.length - 1; i >= 0; i--) {
      const n = axes[i]!.extent as number;
      this.values.place(axes[i]!, i === 0 ? rest : this.values.divide("modulo", rest, n));
      if (i > 0) rest = this.values.divide("floor_div", rest, n);
    }
  }

  // ---- registers
  /** An element of a tensor in registers, where each lane wants it. */
  private load(e: Load): Value | undefined {
    const registers = this.registers.get(baseOf(e.tensor));
    if (!registers) return undefined;
    const { values } = this;
    const base = this.nameOf(baseOf(e.tensor));
    const type = typeOf(e.dtype);
    const wanted = this.wanted(e.tensor, e.indices);
    if (!wanted) {
      if (e.outside) throw new Unfit();
      return this.search(registers, values.sumOfForm(values.address(e.tensor.shape, e.indices)), type, base);
    }
    const outside =
      e.outside === undefined ? [] : wanted.flatMap((n, l) => (n === undefined && this.lanes[l] ? [l] : []));
    const used = wanted.filter((n) => n !== undefined).length;
    if (!used) return e.outside ? values.value(e.outside) : { expr: numberLike(0, type), level: 0 };
    const v = this.fetch(registers, wanted, base);
    return outside.length ? values.select(this.among(outside), values.value(e.outside!), v, "v") : v;
  }
  /** An element whose number the device alone knows: every register is asked. */
  private search(registers: readonly (Register | undefined)[], at: Value, type: ElementType, base: string): Value {
    const { values, count } = this;
    const whole = values.emit(at.level, at.expr, "integer", `${base}_at`).expr;
    let v: Value | undefined;
    registers.forEach((register, slot) => {
      if (!register) throw new Unfit();
      const lane = operation("%", call("u32", [whole], u32), u32Number(count));
      const own: Value = register.uniform
        ? { expr: register.expr, level: values.depth }
        : values.emit(values.depth, call("subgroupShuffle", [register.expr, lane], type), "broadcast", base);
      const here = (): Value =>
        values.emit(values.depth, operation(">=", whole, i32Number(slot * count)), "compare", "here");
      v = v ? values.select(here(), own, v, base) : own;
    });
    return v!;
  }
  /** For each lane the element that it asks for (undefined: none), or undefined where it depends on what the device reads. */
  private wanted(tensor: Node, indices: readonly Integer[]): (number | undefined)[] | undefined {
    const all = this.lanes.map((known): number | undefined => {
      if (!known) return undefined;
      let at = 0;
      for (const [d, index] of indices.entries()) {
        const i = numberOf(index, known);
        if (Number.isNaN(i)) return NaN;
        const n = tensor.shape[d] as number;
        if (i < 0 || i >= n) return undefined;
        at = at * n + i;
      }
      return at;
    });
    return all.some(Number.isNaN) ? undefined : all;
  }
  private fetch(
    registers: readonly (Register | undefined)[],
    wanted: readonly (number | undefined)[],
    base: string,
  ): Value {
    const { values, count } = this;
    const bySlot = new Map<number, { lane: number; from: number }[]>();
    wanted.forEach((n, lane) => {
      if (n === undefined) return;
      const slot = Math.floor(n / count);
      const list = bySlot.get(slot);
      if (list) list.push({ lane, from: n % count });
      else bySlot.set(slot, [{ lane, from: n % count }]);
    });
    let v: Value | undefined;
    for (const [slot, moves] of bySlot) {
      const register = registers[slot];
      if (!register) throw new Unfit(); // read before it is written: nothing that a step may do
      const own: Value = register.uniform
        ? { expr: register.expr, level: values.depth }
        : this.moved({ expr: register.expr, level: values.depth }, moves, base);
      v = v ? values.select(this.among(moves.map((m) => m.lane)), own, v, base) : own;
    }
    return v!;
  }
  /** The value that lane `from` has, in `lane`. */
  private moved(v: Value, moves: readonly { readonly lane: number; readonly from: number }[], base: string): Value {
    const { values } = this;
    if (moves.every((m) => m.from === m.lane)) return v;
    if (moves.every((m) => m.from === moves[0]!.from)) return this.broadcast(v, moves[0]!.from, base);
    // four bits for each lane
    const code = moves.reduce((bits, m) => bits + m.from * 2 ** (4 * m.lane), 0);
    const bits = operation(">>", u32Bits(code), operation("*", name("lane_index", u32), u32Number(4)));
    const from = values.emit(0, operation("&", bits, u32Number(15)), "integer", "source");
    const own = call("subgroupShuffle", [v.expr, from.expr], v.expr.type);
    return values.emit(values.depth, own, "broadcast", base);
  }
  private broadcast(v: Value, lane: number, base = "v"): Value {
    const { values } = this;
    return isNumber(v.expr)
      ? v
      : values.emit(values.depth, call("subgroupBroadcast", [v.expr, u32Number(lane)], v.expr.type), "broadcast", base);
  }
  /** Evaluates a store; the result writes it. */
  private store(store: Store, points: number): () => void {
    const { values, count } = this;
    const base = baseOf(store.target);
    if (!isTrue(whenStored(store))) throw new Unfit();
    const v = values.value(store.value);
    const registers = this.registers.get(base);
    if (!registers) {
      const at = values.sumOfForm(values.address(store.target.shape, store.indices));
      const tensor = values.tensor(base);
      tensor.writes = true;
      const used = this.lanes.flatMap((known, l) => (known ? [l] : []));
      const condition = points === 1 ? this.among([0]) : used.length === count ? undefined : this.among(used);
      // outside of the condition: lanes may have to meet for it
      const outside = (value: Expr, base: string): Expr => {
        if (isNumber(value)) return value;
        const own = values.fresh(base);
        values.push({ kind: "let", name: own, value, cost: "none", pinned: true });
        return name(own, value.type);
      };
      const one: Statement = {
        kind: "store",
        tensor: tensor.name,
        at: outside(at.expr, `${tensor.name}_at`),
        value: outside(v.expr, `new_${shortName(tensor.name)}`),
      };
      return () => values.push(condition ? { kind: "if", condition: condition.expr, body: [one] } : one);
    }
    const size = sizeOf(base.shape);
    const wanted = this.wanted(store.target, store.indices);
    if (!wanted) throw new Unfit();
    const moves = wanted.flatMap((n, from) =>
      n === undefined || (points === 1 && from > 0) ? [] : [{ from, slot: Math.floor(n / count), lane: n % count }],
    );
    const own = this.nameOf(base);
    return () => {
      for (const slot of new Set(moves.map((m) => m.slot))) {
        const here = moves.filter((m) => m.slot === slot);
        const whole = here.length === Math.min(count, size - slot * count);
        const arrived = points === 1 ? v : this.moved(v, here, own);
        const before = registers[slot];
        const held =
          whole || !before
            ? arrived
            : values.select(
                this.among(here.map((m) => m.lane)),
                arrived,
                { expr: before.expr, level: values.depth },
                own,
              );
        registers[slot] = { expr: held.expr, uniform: size === 1 && points === 1 };
      }
    };
  }

  // ---- which lanes
  private lanesWith(holds: Expr, base: string): Value {
    return this.values.emit(0, holds, "compare", base);
  }
  private mask(below: number): Value {
    return this.lanesWith(operation("<", this.lane, i32Number(below)), `below_${below}`);
  }
  private among(lanes: readonly number[]): Value {
    const { count } = this;
    const sorted = [...lanes].sort((a, b) => a - b);
    const [first = 0] = sorted;
    if (sorted.length === count) return { expr: truth(true), level: 0 };
    if (sorted.length === 1) return this.lanesWith(operation("==", this.lane, i32Number(first)), `lane_${first}`);
    if (sorted[sorted.length - 1] === sorted.length - 1) return this.mask(sorted.length);
    if (first === count - sorted.length)
      return this.lanesWith(operation(">=", this.lane, i32Number(first)), `from_${first}`);
    const mask = u32Bits(sorted.reduce((bits, l) => bits | (1 << l), 0));
    const own = operation("&", operation(">>", mask, name("lane_index", u32)), u32Number(1));
    return this.lanesWith(operation("==", own, u32Number(1)), "some");
  }
}
/** The loop over whole steps. */
export const eachRound = {
  variable: "round",
  from: u32Number(0),
  to: name("rounds", u32),
  step: i32Number(1),
} as const;
/** All values of loop variables, the last fastest. */
function combinations(over: readonly Variable[]): ReadonlyMap<Variable, number>[] {
  const total = sizeOf(over.map((v) => v.extent));
  return Array.from({ length: total }, (_, n) => new Map(numbers(over, n)));
}
function numbers(axes: readonly Variable[], position: number): [Variable, number][] {
  const result: [Variable, number][] = [];
  let rest = position;
  for (let i = axes.length - 1; i >= 0; i--) {
    const n = axes[i]!.extent as number;
    result.unshift([axes[i]!, rest % n]);
    rest = Math.floor(rest / n);
  }
  return result;
}
/** NaN where the device alone knows. */
function numberOf(e: Integer, known: ReadonlyMap<Variable, number>): number {
  switch (e.kind) {
    case "affine":
      return e.terms.reduce((sum, [atom, k]) => sum + k * numberOf(atom, known), e.constant);
    case "floor_div":
      return Math.floor(numberOf(e.operand, known) / e.divisor);
    case "modulo":
      return positiveModulo(numberOf(e.operand, known), e.divisor);
    case "variable":
      return known.get(e) ?? NaN;
    default:
      return NaN;
  }
}
