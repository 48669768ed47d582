// What one invocation computes: the tile of output elements, its points, the loops that are open. In: a nest and a schedule. Out: where each axis
// stands, for what reductions and stores write there.
import { InternalError } from "../../grammar/diagnostic.ts";
import { baseOf } from "../graph/node.ts";
import { scalarOrder } from "../graph/scalar.ts";
import type { Node, Variable } from "../graph/types.ts";
import { boundsOf, shift, type Form } from "../kernel/forms.ts";
import type { Declaration, Statement } from "../kernel/ir.ts";
import type { Layout } from "../kernel/layout.ts";
import { elements } from "../scalar/dtype.ts";
import { estimate, type Nest } from "../schedule/nest.ts";
import { define, groupNumber, locate, offset, type Axis, type Places } from "./places.ts";
import { threadsAlong, type Schedule } from "../schedule/schedule.ts";
import type { Value } from "./emitter.ts";
import { Values } from "./values.ts";
import {
  call,
  f32,
  i32,
  i32Number,
  name,
  numberLike,
  operation,
  splat,
  truth,
  type ElementType,
  type Expr,
} from "../kernel/expr.ts";

/** Offsets of one invocation's elements along the axes of its tile. */
export type Point = readonly (readonly [axis: string, element: number])[];
/** Blocks of a loop, and what begins one. */
export interface Cuts {
  readonly sizes: readonly number[];
  readonly cut: () => void;
}
const noCuts: Cuts = { sizes: [], cut: () => {} };
/** Memory of a workgroup. */
export interface Shared extends Declaration {
  readonly of: string; // type of its elements
  readonly bytes: number;
}
/** A loop that is open. */
export interface Loop {
  readonly variable: string;
  readonly from: Expr;
  readonly to: Expr;
  readonly step: number;
  readonly trips: number;
}
export interface LoopBounds {
  readonly low: Expr[];
  readonly high: Expr[];
}
/** Holds at every point. */
export const always: Value = { expr: truth(true), level: 0 };
export const zero = numberLike(0, f32);
export const least = (a: Expr, b: Expr): Expr => call("min", [a, b], i32);

/** A nest under a schedule, as far as reductions and stores have it in common. */
export class Tile {
  readonly values: Values;
  protected readonly nest: Nest;
  protected readonly schedule: Schedule;
  protected readonly axes: readonly Axis[];
  protected readonly places: Places;
  protected readonly workgroupMemory: Shared[] = [];
  protected readonly workgroup: number; // invocations
  protected readonly subgroups: boolean;
  protected readonly reducing: readonly string[]; // inner axes whose elements the threads share
  protected readonly staging: boolean;
  private readonly inTurn: Layout["inTurn"];
  protected base = 0; // depth below which everything lies: 1 inside a serial loop

  constructor(nest: Nest, layout: Layout, schedule: Schedule, scalarOnly: Set<Node>) {
    this.nest = nest;
    this.schedule = schedule;
    this.inTurn = layout.inTurn;
    const known = new Set(["", "fused", ...nest.outer, ...nest.inner]);
    for (const name of [
      ...schedule.threads.flatMap(([axis]) => axis.split("+")),
      ...schedule.fuse,
      ...Object.keys(schedule.tile),
      ...Object.keys(schedule.serial),
      ...Object.keys(schedule.staged),
      ...schedule.quads,
      schedule.vector,
      ...schedule.share,
      schedule.rows,
    ]) {
      if (!known.has(name)) throw new InternalError(`schedule of ${nest.spec.name}: there is no axis ${name}`);
    }
    this.values = new Values(
      nest.spec.name,
      layout,
      scalarOnly,
      new Set(nest.spec.stores.map((s) => baseOf(s.target))),
      tensorsIn(nest),
    );
    this.axes = nest.spec.axes.map((v) => this.axisOf(v));
    this.workgroup = schedule.threads.reduce((p, [, n]) => p * n, 1);
    this.reducing = schedule.threads
      .filter(([, n]) => n > 1)
      .flatMap(([axis]) => axis.split("+"))
      .filter((axis) => nest.inner.includes(axis));
    this.staging = Object.keys(schedule.staged).length > 0;
    this.subgroups = schedule.share.length > 0 || (this.reducing.length > 0 && schedule.together === "subgroup");
    this.places = locate(this.values, this.axes, schedule, this.subgroups);
  }
  /** An array in workgroup memory of so many elements, or vectors of four of them; gives its name. */
  protected shared(label: string, element: ElementType["element"], width: 1 | 4, count: number): string {
    const of = width === 4 ? elements[element].vector : element;
    const before = this.workgroupMemory.filter((x) => x.of === of).length;
    const own = this.inTurn?.(of, before) ?? this.values.fresh(label);
    this.values.reserve(own);
    const bytes = count * width * elements[element].bytes;
    this.workgroupMemory.push({ name: own, space: "workgroup", of, type: `array<${of}, ${count}>`, bytes });
    return own;
  }
  protected axisOf(v: Variable): Axis {
    const { schedule } = this;
    const name = this.nest.nameOf.get(v)!;
    const tile = schedule.tile[name] ?? 1;
    const threads = threadsAlong(schedule, name);
    const run = threads === 1 ? tile : schedule.vector === name || schedule.quads.includes(name) ? 4 : 1;
    return { name, variable: v, extent: v.extent, tile, threads, run, serial: schedule.serial[name] ?? 1 };
  }

  // ---- loops
  protected readonly loops: Loop[] = [];
  protected readonly folds: { readonly loop: number; readonly statements: readonly Statement[] }[] = []; // after the loop of this number
  protected openLoop(a: Axis, step: number, bounds: LoopBounds | undefined, { sizes, cut }: Cuts = noCuts): Form {
    const { values } = this;
    const trips = Math.ceil(estimate(a.extent) / step);
    const n = values.sizeOf(a.extent);
    const opaque = this.schedule.keepLoops && trips <= 32 && typeof a.extent === "number";
    const zero = opaque ? this.opaqueZero() : i32Number(0);
    let from = bounds?.low.reduce((sum, e) => call("max", [sum, e], i32), zero) ?? zero;
    // whole steps: a chunk that begins between two ends beyond the axis
    if (step > 1 && bounds?.low.length) from = operation("*", operation("/", from, i32Number(step)), i32Number(step));
    let to = bounds?.high.reduce((sum, e) => least(sum, e), n) ?? n;
    const expected = bounds?.high.length || bounds?.low.length ? (trips + 1) / 2 : trips;
    let around = expected; // steps of one run of the loop that is opened
    for (const size of sizes.filter((s) => s > 0)) {
      const block = values.fresh(`${a.name}_block`);
      this.loops.push({ variable: block, from, to, step: step * size, trips: Math.max(1, around / size) });
      values.open();
      around = Math.min(around, size);
      values.bind(block, { level: values.depth, low: 0, high: Infinity, multiple: step, varying: false });
      from = name(block, i32);
      to = values.emit(
        values.depth,
        least(operation("+", from, i32Number(step * size)), to),
        "integer",
        `${a.name}_end`,
        { pinned: true },
      ).expr;
      cut();
    }
    const own = values.fresh(a.name);
    this.loops.push({ variable: own, from, to, step, trips: around });
    values.open();
    if (sizes.includes(0)) cut();
    return values.bind(own, {
      level: values.depth,
      low: 0,
      high: typeof a.extent === "number" ? (Math.ceil(a.extent / step) - 1) * step : Infinity,
      multiple: step,
      varying: false,
    });
  }
  protected closeLoop(): void {
    const { statements } = this.values.close();
    const loop = this.loops.pop()!;
    this.values.release(loop.variable);
    this.values.push({ kind: "for", ...loop, step: i32Number(loop.step), body: statements });
    while (this.folds.at(-1)?.loop === this.loops.length)
      for (const s of this.folds.pop()!.statements) this.values.push(s);
  }
  /** A zero that only the run knows: drivers that unroll short loops into slow code leave one alone that starts there. */
  protected opaqueZero(): Expr {
    this.zero ??= define(
      this.values,
      "zero",
      least(groupNumber, i32Number(0)),
      "none",
      "unknown to the driver, which would write short loops out",
    );
    return this.zero;
  }
  protected zero: Expr | undefined;

  // ---- points of the tile
  /** The axis whose neighbours are one vec4, among these. */
  protected vectorAxis(inner: readonly Axis[]): Axis | undefined {
    return [...this.axes, ...inner].find((a) => a.name === this.schedule.vector && a.tile >= 4);
  }
  protected points(axes: readonly Axis[], vector: Axis | undefined): Point[] {
    let result: Point[] = [[]];
    for (const a of axes) {
      const step = a === vector ? 4 : 1;
      result = result.flatMap((p) =>
        Array.from({ length: Math.ceil(a.tile / step) }, (_, k) => [...p, [a.name, k * step] as const]),
      );
    }
    return result;
  }
  /** Every axis at its element of this point of the tile: at its first one outside of `atPoint`. */
  private placeAxes(element: ReadonlyMap<string, number>): void {
    const { values } = this;
    for (const a of this.axes) {
      const r = element.get(a.name) ?? 0;
      values.place(a.variable, shift(this.places.starts.get(a.name)!, offset(a, r)));
      values.element.set(a.variable, r);
    }
  }
  /** Runs f with every axis at its element of this point; `inner` binds the axes of a stage. */
  protected atPoint(
    point: Point,
    vector: Axis | undefined,
    inner: ReadonlyMap<string, { readonly axis: Axis; readonly start: Form }>,
    f: () => void,
  ): void {
    const { values } = this;
    const element = new Map(point);
    this.placeAxes(element);
    for (const { axis, start } of inner.values())
      values.place(axis.variable, shift(start, offset(axis, element.get(axis.name) ?? 0)));
    values.point = this.suffix(point, 1);
    values.vector = vector?.variable;
    values.localsVary = vector !== undefined && this.axes.includes(vector);
    f();
    values.vector = undefined;
    this.placeAxes(new Map());
  }
  /** The point's name, in units of an accumulator. */
  protected suffix(point: Point, unit: 1 | 4): string {
    const element = new Map(point);
    return this.suffixAt((a) => element.get(a.name) ?? 0, unit);
  }
  protected suffixAt(element: (a: Axis) => number, unit: 1 | 4): string {
    const step = (a: Axis): number => (a.name === this.schedule.vector ? unit : 1);
    return this.axes
      .filter((a) => a.tile > step(a))
      .map((a) => `_${Math.floor(element(a) / step(a))}`)
      .join("");
  }

  // ---- conditions
  protected get lane(): Expr | undefined {
    return this.values.lane ? name(this.values.lane, i32) : undefined;
  }
  /** What counts at this point of the reduction. */
  protected mask(masked: readonly Axis[]): Value {
    const { values } = this;
    return values.conjunction(
      masked.map((a) => {
        const { form } = values.at.get(a.variable)!;
        if (typeof a.extent === "number") {
          const most = values.vector === a.variable ? 3 : 0;
          if (boundsOf(form, values.names).high + most < a.extent) return always;
        }
        if (values.vector !== a.variable || (typeof a.extent === "number" && a.extent % 4 === 0))
          return values.below(form, a.extent);
        const v = values.value(a.variable);
        return values.emit(v.level, operation("<", v.expr, splat(values.sizeOf(a.extent))), "compare", "inside");
      }),
    );
  }
}
/** Memory that a nest touches, in order: read by the stages, then by the stores, then written. */
function tensorsIn(nest: Nest): Node[] {
  const found = new Set<Node>();
  const roots = [...nest.spec.stages.map((s) => s.value), ...nest.spec.stores.flatMap((s) => [s.value, ...s.indices])];
  for (const e of scalarOrder(roots)) if (e.kind === "load") found.add(baseOf(e.tensor));
  for (const s of nest.spec.stores) found.add(baseOf(s.target));
  return [...found];
}
