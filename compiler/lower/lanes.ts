// A whole training step in the registers of one subgroup: for models so small that a tensor is a few elements for each lane. Element e of a
// tensor is held by lane e mod L, in its register e / L; what another lane holds comes by broadcast or shuffle, sums over lanes are the
// subgroup's. All loops are written out, nothing goes through memory but data and losses, and no barrier is needed.
// In: the kernels of a step, over flat memory. Out: the statements of one step and what stands around them, or undefined where it does not fit.
import { baseOf } from "../graph/node.ts";
import { positiveModulo } from "../graph/scalar.ts";
import type { Integer, Load, Local, Node, Variable } from "../graph/types.ts";
import { constantForm, nameForm, shift, type Form } from "./forms.ts";
import { precedence, type Statement } from "./ir.ts";
import type { KernelSpec, Stage, Store } from "../kernel/kernel.ts";
import type { Layout } from "../kernel/layout.ts";
import { bodyCost, sizeOf } from "../fuse/storage.ts";
import type { Target } from "../kernel/target.ts";
import { identityOf, subgroupCall } from "./template.ts";
import { bool, f32, i32, shortName, Values, type Value } from "./values.ts";

export interface InLanes {
  readonly statements: readonly Statement[]; // of the whole entry point; the loop over `rounds` is one of them
  readonly comments: readonly KernelSpec[]; // that begin at the lines `//#n`
  readonly helpers: ReadonlySet<string>;
  readonly names: ReadonlyMap<Node, string>; // of tensors in memory
}
interface Register {
  readonly text: string;
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
  private readonly comments: KernelSpec[] = [];
  private place: Place = { kind: "tile", tile: 0 };
  /** By lane, the variables' values where the lane is used. */
  private lanes: readonly (ReadonlyMap<Variable, number> | undefined)[] = [];
  private readonly kernels: readonly KernelSpec[];
  private readonly held: readonly Node[];
  private readonly kept: ReadonlySet<Node>;
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
    values.push({
      kind: "let",
      name: values.lane,
      type: i32,
      code: "i32(lane_index)",
      binding: precedence.atom,
      cost: "none",
      pinned: true,
    });
    values.bind(values.lane, { level: 0, low: 0, high: count - 1, multiple: 1, varying: true });
    values.held = (e) => this.load(e);
    values.eager = true;
    const variables = new Map<Node, string[]>();
    for (const x of this.held) {
      const size = sizeOf(x.shape);
      const slots = Math.ceil(size / count);
      if (!this.kept.has(x)) {
        this.registers.set(x, new Array<undefined>(slots).fill(undefined));
        continue;
      }
      const tensor = values.tensor(x);
      tensor.reads = tensor.writes = true;
      const names = Array.from({ length: slots }, (_, s) =>
        values.fresh(slots === 1 ? `${tensor.name}_now` : `${tensor.name}_${s}`),
      );
      names.forEach((name, s) =>
        values.push({ kind: "var", name, code: `${tensor.name}[${this.element(size, s)}]`, width: 1 }),
      );
      variables.set(x, names);
      this.registers.set(
        x,
        names.map((text) => ({ text, uniform: size === 1 })),
      );
    }
    values.open();
    for (const kernel of this.kernels) this.kernel(kernel);
    // the next step's values, all of them before the first is overwritten
    const sets: Statement[] = [];
    for (const [x, names] of variables)
      names.forEach((name, s) => {
        const { text } = this.registers.get(x)![s]!;
        if (text === name) return;
        const next = values.fresh(`${name}_next`);
        values.push({
          kind: "let",
          name: next,
          type: x.dtype === "i32" ? i32 : f32,
          code: text,
          binding: precedence.atom,
          cost: "none",
          pinned: true,
        });
        sets.push({ kind: "set", name, operator: "=", code: next, cost: "none", width: 1 });
      });
    sets.forEach((s) => values.push(s));
    const { statements: body } = values.close();
    const statements: Statement[] = [
      ...values.blocks[0]!.statements,
      { kind: "for", variable: "round", from: "0u", below: "rounds", step: 1, trips: 1000, body },
    ];
    for (const [x, names] of variables) {
      const size = sizeOf(x.shape);
      names.forEach((name, s) => {
        if (!sets.some((set) => set.kind === "set" && set.name === name)) return;
        const store: Statement = {
          kind: "store",
          tensor: values.tensor(x).name,
          at: this.element(size, s, false),
          code: name,
          width: 1,
        };
        const rest = Math.min(count, size - s * count);
        statements.push(
          rest === count
            ? store
            : { kind: "if", condition: rest === 1 ? `${values.lane} == 0` : `${values.lane} < ${rest}`, body: [store] },
        );
      });
    }
    return {
      statements,
      comments: this.comments,
      helpers: values.helpers,
      names: new Map([...values.tensors].map(([x, t]) => [x, t.name])),
    };
  }
  private nameOf(x: Node): string {
    return shortName(this.layout.nameOf(x));
  }
  /** The index of this lane's element; `within`: not beyond the last. */
  private element(size: number, slot: number, within = true): string {
    if (size === 1) return "0";
    const at = slot ? `${this.values.lane} + ${slot * this.count}` : this.values.lane;
    return within && (slot + 1) * this.count > size ? `min(${at}, ${size - 1})` : at;
  }

  // ---- kernels
  private kernel(spec: KernelSpec): void {
    const { values, count } = this;
    values.push({ kind: "line", code: `//#${this.comments.length}`, cost: "none", count: 0 });
    this.comments.push(spec);
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
      const infix = stage.op === "sum" ? "+" : stage.op === "prod" ? "*" : "";
      const code = infix ? `${a.text} ${infix} ${b.text}` : `${stage.op}(${a.text}, ${b.text})`;
      return values.emit(
        Math.max(a.level, b.level),
        a.type,
        code,
        infix ? (infix === "+" ? precedence.add : precedence.multiply) : precedence.atom,
        "alu",
        stage.local.name,
      );
    };
    const results: Value[] = [];
    if (together) {
      for (let n = 0; n < points; n++) {
        let own: Value | undefined;
        for (let first = 0; first < steps; first += count)
          this.at(spec.axes, points, { kind: "point", point: n }, new Map(), { over: stage.over, first, steps }, () => {
            const v = values.value(stage.value);
            const identity: Value = {
              text: identityOf(stage.op, v.type.element as "f32" | "i32"),
              level: 0,
              type: v.type,
            };
            own = combine(own, first + count <= steps ? v : values.select(this.mask(steps - first), v, identity, "v"));
          });
        results.push(
          values.emit(
            values.depth,
            own!.type,
            `${subgroupCall[stage.op]}(${own!.text})`,
            precedence.atom,
            "reduce",
            stage.local.name,
          ),
        );
      }
    } else
      for (let t = 0; t < tiles; t++) {
        let own: Value | undefined;
        let where: Value = { text: "0", level: 0, type: i32 };
        combinations(stage.over).forEach((over, n) =>
          this.at(spec.axes, points, { kind: "tile", tile: t }, over, undefined, () => {
            const v = values.value(stage.value);
            if (!isArg || !own) return void (own = combine(own, v));
            const better = values.emit(
              values.depth,
              bool,
              `${v.text} ${stage.op === "argmax" ? ">" : "<"} ${own.text}`,
              precedence.compare,
              "compare",
              "better",
            );
            where = values.select(better, { text: String(n), level: 0, type: i32 }, where, stage.local.name);
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
    const type = e.dtype === "i32" ? i32 : f32;
    const wanted = this.wanted(e.tensor, e.indices);
    if (!wanted) {
      if (e.outside) throw new Unfit();
      return this.search(registers, values.formText(values.address(e.tensor.shape, e.indices)), type, base);
    }
    const outside =
      e.outside === undefined ? [] : wanted.flatMap((n, l) => (n === undefined && this.lanes[l] ? [l] : []));
    const used = wanted.filter((n) => n !== undefined).length;
    if (!used) return e.outside ? values.value(e.outside) : { text: type === i32 ? "0" : "0.0", level: 0, type };
    const v = this.fetch(registers, wanted, type, base);
    return outside.length ? values.select(this.among(outside), values.value(e.outside!), v, "v") : v;
  }
  /** An element whose number the device alone knows: every register is asked. */
  private search(
    registers: readonly (Register | undefined)[],
    at: { readonly text: string; readonly level: number },
    type: Value["type"],
    base: string,
  ): Value {
    const { values, count } = this;
    const whole = values.emit(at.level, i32, at.text, precedence.add, "integer", `${base}_at`).text;
    let v: Value | undefined;
    registers.forEach((register, slot) => {
      if (!register) throw new Unfit();
      const own: Value = register.uniform
        ? { text: register.text, level: values.depth, type }
        : values.emit(
            values.depth,
            type,
            `subgroupShuffle(${register.text}, u32(${whole}) % ${count}u)`,
            precedence.atom,
            "broadcast",
            base,
          );
      v = v
        ? values.select(
            values.emit(values.depth, bool, `${whole} >= ${slot * count}`, precedence.compare, "compare", "here"),
            own,
            v,
            base,
          )
        : own;
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
    type: Value["type"],
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
        ? { text: register.text, level: values.depth, type }
        : this.moved({ text: register.text, level: values.depth, type }, moves, base);
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
    const from = values.emit(
      0,
      { element: "u32", width: 1 },
      `(0x${code.toString(16)}u >> (lane_index * 4u)) & 15u`,
      precedence.bits,
      "integer",
      "source",
    );
    return values.emit(
      values.depth,
      v.type,
      `subgroupShuffle(${v.text}, ${from.text})`,
      precedence.atom,
      "broadcast",
      base,
    );
  }
  private broadcast(v: Value, lane: number, base = "v"): Value {
    return v.level === 0 && /^[-\d]/.test(v.text)
      ? v
      : this.values.emit(
          this.values.depth,
          v.type,
          `subgroupBroadcast(${v.text}, ${lane}u)`,
          precedence.atom,
          "broadcast",
          base,
        );
  }
  /** Evaluates a store; the result writes it. */
  private store(store: Store, points: number): () => void {
    const { values, count } = this;
    const base = baseOf(store.target);
    const v = values.value(store.value);
    const registers = this.registers.get(base);
    if (!registers) {
      const at = values.formText(values.address(store.target.shape, store.indices));
      const tensor = values.tensor(base);
      tensor.writes = true;
      const used = this.lanes.flatMap((known, l) => (known ? [l] : []));
      const condition = points === 1 ? this.among([0]) : used.length === count ? undefined : this.among(used);
      // outside of the condition: lanes may have to meet for it
      const outside = (text: string, type: Value["type"], name: string): string => {
        if (/^-?[\d.]+$/.test(text)) return text;
        const own = values.fresh(name);
        values.push({ kind: "let", name: own, type, code: text, binding: precedence.add, cost: "none", pinned: true });
        return own;
      };
      const one: Statement = {
        kind: "store",
        tensor: tensor.name,
        at: outside(at.text, i32, `${tensor.name}_at`),
        code: outside(v.text, v.type, `new_${shortName(tensor.name)}`),
        width: 1,
      };
      return () => values.push(condition ? { kind: "if", condition: condition.text, body: [one] } : one);
    }
    const size = sizeOf(base.shape);
    const wanted = this.wanted(store.target, store.indices);
    if (!wanted) throw new Unfit();
    const moves = wanted.flatMap((n, from) =>
      n === undefined || (points === 1 && from > 0) ? [] : [{ from, slot: Math.floor(n / count), lane: n % count }],
    );
    const name = this.nameOf(base);
    return () => {
      for (const slot of new Set(moves.map((m) => m.slot))) {
        const own = moves.filter((m) => m.slot === slot);
        const whole = own.length === Math.min(count, size - slot * count);
        const arrived = points === 1 ? v : this.moved(v, own, name);
        const before = registers[slot];
        const held =
          whole || !before
            ? arrived
            : values.select(
                this.among(own.map((m) => m.lane)),
                arrived,
                { text: before.text, level: values.depth, type: v.type },
                name,
              );
        registers[slot] = { text: held.text, uniform: size === 1 && points === 1 };
      }
    };
  }

  // ---- which lanes
  private mask(below: number): Value {
    return this.values.emit(0, bool, `${this.values.lane} < ${below}`, precedence.compare, "compare", `below_${below}`);
  }
  private among(lanes: readonly number[]): Value {
    const { values, count } = this;
    const sorted = [...lanes].sort((a, b) => a - b);
    const [first = 0] = sorted;
    if (sorted.length === count) return { text: "true", level: 0, type: bool };
    if (sorted.length === 1)
      return values.emit(0, bool, `${values.lane} == ${first}`, precedence.compare, "compare", `lane_${first}`);
    if (sorted[sorted.length - 1] === sorted.length - 1) return this.mask(sorted.length);
    if (first === count - sorted.length)
      return values.emit(0, bool, `${values.lane} >= ${first}`, precedence.compare, "compare", `from_${first}`);
    return values.emit(
      0,
      bool,
      `((0x${sorted.reduce((bits, l) => bits | (1 << l), 0).toString(16)}u >> lane_index) & 1u) == 1u`,
      precedence.compare,
      "compare",
      "some",
    );
  }
}
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
