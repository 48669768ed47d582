// The one template: a nest and a schedule to loop IR. Output axes become workgroups, invocations and a register tile of accumulators; stages
// become loops over them; stores follow. Nothing here knows an operation by its name.
import { InternalError } from "../../grammar/diagnostic.ts";
import { baseOf } from "../graph/node.ts";
import { greatestCommonDivisor } from "../graph/scalar.ts";
import type { Extent, Node, Scan, Variable } from "../graph/types.ts";
import type { Size } from "../kernel/sizes.ts";
import { addForms, boundsOf, constantForm, formKey, nameForm, type Form } from "../kernel/forms.ts";
import type { Statement } from "../kernel/ir.ts";
import { whenStored, type Store } from "../kernel/kernel.ts";
import type { Layout } from "../kernel/layout.ts";
import type { Nest } from "../schedule/nest.ts";
import type { Axis } from "./places.ts";
import type { Schedule } from "../schedule/schedule.ts";
import type { Value } from "./emitter.ts";
import { canBeWide } from "./values.ts";
import {
  choice,
  component,
  i32,
  i32Number,
  isTrue,
  isFalse,
  isZero,
  name,
  operation,
  same,
  splat,
  u32Number,
  type Expr,
} from "../kernel/expr.ts";
import { always, least, type Point, type Shared } from "./tile.ts";
import type { Range } from "./unsigned.ts";
import { Reductions, type Accumulators } from "./reductions.ts";

export interface Emitted {
  readonly body: readonly Statement[]; // as emitted; `tidy` before printing
  readonly ranges: Pick<ReadonlyMap<string, Range>, "get">; // of its integers
  readonly tensors: readonly {
    readonly node: Node;
    readonly name: string;
    readonly writes: boolean;
    readonly width: 1 | 4;
  }[];
  readonly scans: ReadonlyMap<Scan, string>;
  readonly dims: readonly string[];
  readonly helpers: readonly string[];
  readonly workgroupMemory: readonly Shared[];
  readonly workgroup: number;
  readonly subgroups: boolean;
  readonly tiles: readonly (readonly [size: Size, tile: number])[]; // workgroups: product of ceil(size / tile)
  readonly groups: number; // about
}
/** A store, and when it is done. */
interface Conditional {
  readonly condition: Value;
  readonly statement: Statement;
}
/** `scalarOnly`: tensors that are no arrays of vec4; those that this kernel cannot read so are added. */
export function emitKernel(
  nest: Nest,
  layout: Layout,
  schedule: Schedule,
  scalarOnly: Set<Node> = new Set<Node>(),
): Emitted {
  for (let round = 0; ; round++) {
    const before = scalarOnly.size;
    const template = new Template(nest, layout, schedule, scalarOnly);
    const emitted = template.run();
    // a tensor is an array of vec4 where every access is; what the first pass found out holds for the next
    if (![...template.values.fourWide].some((node) => scalarOnly.has(node))) return emitted;
    if (round > 0 && scalarOnly.size === before)
      throw new InternalError(`kernel ${nest.spec.name}: vector access is not settled`);
  }
}
class Template extends Reductions {
  run(): Emitted {
    const { values, nest } = this;
    const serial = this.axes.filter((a) => a.serial > 1);
    for (const a of serial) this.openSerial(a);
    this.base = values.depth;
    values.localLevel = this.base;
    for (const group of nest.groups) this.stages(group);
    const plain = nest.spec.stores.filter((s) => !s.over.length);
    if (plain.length) this.stores(plain);
    const rows = new Map<readonly Variable[], Store[]>();
    for (const store of nest.spec.stores)
      if (store.over.length) rows.set(store.over, [...(rows.get(store.over) ?? []), store]);
    for (const list of rows.values()) this.rowStores(list);
    serial.forEach(() => this.closeLoop());
    return {
      body: values.blocks[0]!.statements,
      ranges: values.names,
      tensors: [...values.tensors]
        .filter(([, t]) => t.reads || t.writes)
        .map(([node, t]) => ({ node, name: t.name, writes: t.writes, width: values.fourWide.has(node) ? 4 : 1 })),
      scans: values.scans,
      dims: [...values.dims].sort(),
      helpers: [...values.helpers].sort(),
      workgroupMemory: this.workgroupMemory,
      workgroup: this.workgroup,
      subgroups: this.subgroups,
      tiles: this.places.tiles,
      groups: this.places.groups,
    };
  }
  private openSerial(a: Axis): void {
    const { values } = this;
    const start = this.places.starts.get(a.name)!;
    const from = values.sumOfForm(start).expr;
    const own = values.fresh(a.name);
    const end = a.tile * a.serial;
    const known = boundsOf(start, values.names);
    const n = a.extent;
    const whole = typeof n === "number" && n % end === 0 && known.high + end <= n;
    const last = isZero(from) ? i32Number(end) : operation("+", from, i32Number(end));
    const to = whole ? last : least(last, values.sizeOf(n));
    this.loops.push({ variable: own, from, to, step: a.tile, trips: a.serial });
    values.open();
    const multiple = start.terms.size
      ? greatestCommonDivisor(a.tile, values.names.get([...start.terms.keys()][0]!)!.multiple)
      : a.tile;
    const form = values.bind(own, {
      level: values.depth,
      low: 0,
      high: (typeof n === "number" ? Math.ceil(n / a.tile) : Infinity) * a.tile - a.tile,
      multiple,
      varying: true,
    });
    this.places.starts.set(a.name, form);
    values.place(a.variable, form);
  }

  // ---- stores
  private storeName(store: Store): string {
    const tensor = this.values.tensor(store.target);
    tensor.writes = true;
    return tensor.name;
  }
  private stored(store: Store, v: Expr, width: 1 | 4): Expr {
    const value = width === 4 ? splat(v) : v;
    if (store.target.dtype !== "bool") return value;
    const [one, zero] = [u32Number(1), u32Number(0)];
    return width === 4 ? choice(value, splat(one), splat(zero)) : choice(value, one, zero);
  }
  /** The value of a store at the current point: its statements, with the condition that the point exists. */
  private storeAt(store: Store, exists: () => Value, vectorExtent: Extent | undefined): Conditional[] {
    const { values } = this;
    const base = baseOf(store.target);
    const v = values.value(store.value);
    const isThere = (): Value => values.conjunction([exists(), values.value(whenStored(store))]);
    const name = this.storeName(store);
    const address = (): Form => values.address(store.target.shape, store.indices);
    const one = (value: Expr): Conditional => {
      values.scalarOnly.add(base);
      const condition = isThere();
      const at = values.sumOfForm(address(), `${name}_at`).expr;
      return { condition, statement: { kind: "store", tensor: name, at, value: this.stored(store, value, 1) } };
    };
    if (!values.vector) return [one(v.expr)];
    const forms = [0, 1, 2, 3].map((k) => values.atComponent(k, address));
    if (forms.every((f) => formKey(f) === formKey(forms[0]!)))
      return [values.atComponent(0, () => one(component(v.expr, 0)))];
    const whole = typeof vectorExtent === "number" && vectorExtent % 4 === 0;
    if (whole && !values.scalarOnly.has(base) && canBeWide(base) && values.aligned(forms)) {
      values.fourWide.add(base);
      const condition = values.atComponent(0, isThere);
      const at = values.quarter(forms[0]!, `${name}_at`).expr;
      return [{ condition, statement: { kind: "store", tensor: name, at, value: this.stored(store, v.expr, 4) } }];
    }
    return [0, 1, 2, 3].map((k) => values.atComponent(k, () => one(component(v.expr, k))));
  }
  /** Positions beyond the end of an axis are computed but not stored. */
  private exists(rolled: string, more: readonly Value[] = [], once = true): Value {
    const { values } = this;
    const first = (once ? this.reducing : []).map((axis) => this.firstThread(axis));
    const tails = this.axes
      .filter((a) => a.name !== rolled)
      .map((a) => {
        const { form } = values.at.get(a.variable)!;
        const { high } = boundsOf(form, values.names);
        if (
          typeof a.extent === "number"
            ? high < a.extent && !this.schedule.anySize
            : a !== this.places.beyond && a.threads * a.tile * a.serial === 1 && !this.schedule.fuse.includes(a.name)
        )
          return always;
        const n = a.extent;
        return typeof n === "number" && form.terms.size
          ? values.below({ terms: form.terms, constant: 0 }, n - form.constant)
          : values.below(form, n);
      });
    return values.conjunction([...more, ...first, ...tails]);
  }
  /** Of the threads that share a reduction, one. */
  private firstThread(axis: string): Value {
    const thread = name(this.places.thread.get(axis)!, i32);
    return this.values.emit(0, operation("==", thread, i32Number(0)), "compare", "first");
  }
  private pushStores(list: readonly Conditional[]): void {
    for (let i = 0; i < list.length;) {
      const { condition } = list[i]!;
      let j = i;
      while (j < list.length && same(list[j]!.condition.expr, condition.expr)) j++;
      const body = list.slice(i, j).map((x) => x.statement);
      if (isTrue(condition.expr)) body.forEach((s) => this.values.push(s));
      else if (!isFalse(condition.expr)) this.values.push({ kind: "if", condition: condition.expr, body });
      i = j;
    }
  }
  private stores(list: readonly Store[]): void {
    const { schedule } = this;
    const rows = this.axes.find((a) => a.name === schedule.rows && a.tile > 1 && a.threads === 1);
    const rotating = [...this.accumulators.values()];
    if (rows && rotating.every((x) => x.rotating)) return this.rolledStores(list, rows, rotating);
    const vector = this.vectorAxis([]);
    const made: Conditional[] = [];
    for (const p of this.points(this.axes, vector))
      this.atPoint(p, vector, new Map(), () => {
        for (const store of list) made.push(...this.storeAt(store, () => this.exists(""), vector?.extent));
      });
    this.pushStores(made);
  }
  /**
   * Row by row: the first row of the tile is stored, then the others move up. One row's code serves all, which drivers compile much faster
   * than a tile of stores. The loop starts at a position that only the run knows, so none of them unrolls it again.
   */
  private rolledStores(list: readonly Store[], rows: Axis, rotating: readonly Accumulators[]): void {
    const { values } = this;
    const vector = this.vectorAxis([]);
    const unit = vector === rows ? 4 : 1;
    const start = this.places.starts.get(rows.name)!;
    const from = start.terms.size || !this.schedule.keepLoops ? values.sumOfForm(start).expr : this.opaqueZero();
    const n = rows.extent;
    const bounds = boundsOf(start, values.names);
    const whole = typeof n === "number" && bounds.high + rows.tile <= n;
    const tile = i32Number(rows.tile);
    const last = start.terms.size ? operation("+", from, tile) : tile;
    const own = values.fresh(rows.name);
    const to = whole ? last : least(last, values.sizeOf(n));
    this.loops.push({ variable: own, from, to, step: unit, trips: rows.tile / unit });
    values.open();
    const multiple = greatestCommonDivisor(
      unit,
      start.terms.size ? values.names.get([...start.terms.keys()][0]!)!.multiple : 0,
    );
    const form = values.bind(own, {
      level: values.depth,
      low: 0,
      high: typeof n === "number" ? n - unit : bounds.high + rows.tile - 1,
      multiple,
      varying: true,
    });
    values.localLevel = values.depth;
    const before = this.places.starts.get(rows.name)!;
    this.places.starts.set(rows.name, form);
    const others = this.axes.filter((a) => a !== rows);
    const made: Conditional[] = [];
    for (const p of this.points(others, vector))
      this.atPoint(p, vector, new Map(), () => {
        for (const store of list) made.push(...this.storeAt(store, () => this.exists(rows.name), vector?.extent));
      });
    this.pushStores(made);
    const units = new Map(rotating.flatMap((x) => x.names.map((name) => [name, x.unit] as const))); // an argmax shares its sums with a maximum
    for (const [sum, sumUnit] of units) {
      const step = sumUnit === 4 && vector === rows ? 4 : 1;
      const at = (p: Point, r: number): string => `${sum}${this.suffix([...p, [rows.name, r]], sumUnit)}`;
      for (let r = 0; r + unit < rows.tile; r += step) {
        const moves = this.points(others, sumUnit === 4 ? vector : undefined).map(
          (p) => [at(p, r), at(p, r + unit)] as const,
        );
        for (let k = 0; k < moves.length; k += 4) values.push({ kind: "moves", moves: moves.slice(k, k + 4) });
      }
    }
    this.places.starts.set(rows.name, before);
    this.closeLoop();
    values.localLevel = this.base;
  }
  /** Stores over further axes: their loops stand inside the condition that the row exists. */
  private rowStores(list: readonly Store[]): void {
    const { values } = this;
    const inner = list[0]!.over.map((v) => this.axisOf(v));
    const vector = this.vectorAxis(inner);
    const outer = vector && this.axes.includes(vector) ? vector : undefined;
    for (const p of this.points(this.axes, outer))
      this.atPoint(p, outer, new Map(), () => {
        values.vector = undefined;
        const walking = new Set(inner.map((a) => this.places.thread.get(a.name))); // reductions may share their threads
        const first = this.reducing.filter((name) => !walking.has(this.places.thread.get(name)));
        const row = values.conjunction([this.exists("", [], false), ...first.map((axis) => this.firstThread(axis))]);
        const guarded = !isTrue(row.expr);
        if (guarded) values.open();
        const bound = new Map<string, { axis: Axis; start: Form }>();
        let opened = 0;
        for (const a of inner) {
          const step = a.tile * a.threads;
          const thread = this.places.thread.get(a.name);
          const part = thread ? nameForm(thread, a.run) : constantForm(0);
          let start = part;
          if (!(typeof a.extent === "number" && a.extent <= step)) {
            opened++;
            start = addForms(this.openLoop(a, step, undefined), part);
          }
          bound.set(a.name, { axis: a, start });
        }
        const masked = inner.filter((a) =>
          typeof a.extent === "number" ? a.extent % (a.tile * a.threads) !== 0 : a.tile * a.threads > 1,
        );
        const made: Conditional[] = [];
        for (const q of this.points(inner, vector))
          this.atPoint([...p, ...q], vector, bound, () =>
            list.forEach((store) => made.push(...this.storeAt(store, () => this.mask(masked), vector?.extent))),
          );
        this.pushStores(made);
        for (let k = 0; k < opened; k++) this.closeLoop();
        if (guarded) {
          const { statements } = values.close();
          values.push({ kind: "if", condition: row.expr, body: statements });
        }
      });
  }
}
