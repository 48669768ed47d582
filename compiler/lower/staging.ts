// The operands of a contraction in workgroup memory, chunk by chunk of the reduced axis. In: operands (contraction.ts) and a schedule. Out: statements
// that fetch a chunk, all loads of an invocation together and four elements at a time, then store it; and boxes for what reads it there.
import { scalarOrder } from "../graph/scalar.ts";
import type { Variable } from "../graph/types.ts";
import { elements } from "../scalar/dtype.ts";
import { shortName } from "../wgsl/names.ts";
import {
  call,
  choice,
  component,
  i32Number,
  isTrue,
  name,
  operation,
  plus,
  same,
  splat,
  typeOf,
  wide,
  type Expr,
} from "../kernel/expr.ts";
import { addForms, constantForm, nameForm, scaled, shift, type Form } from "../kernel/forms.ts";
import type { Statement } from "../kernel/ir.ts";
import { contractionOf, stagedLayout, type Operand } from "../schedule/contraction.ts";
import type { Value } from "./emitter.ts";
import type { Axis } from "./places.ts";
import { always, least, Tile, type Cuts, type LoopBounds } from "./tile.ts";
import type { Box } from "./values.ts";

const barrier: Statement = { kind: "barrier", memory: "workgroup" };
/** Where one invocation's fetch of a round lies in its box: quads along the fast axis, elements along the other. */
interface Fetch {
  readonly quad: Form;
  readonly row: Form;
  readonly register: string;
  readonly some?: Expr; // the invocations that have one, where not all do
}
/** An operand on its way to workgroup memory. */
interface Staged {
  readonly operand: Operand;
  readonly box: Box;
  readonly shape: string; // for people
  readonly fetches: readonly Fetch[];
  readonly isWhole: boolean; // chunks fill the reduced axis
  readonly guards: Map<string, Expr>; // of these registers
}

const said = (staged: readonly Staged[]): string => staged.map((s) => s.shape).join(", ");

/** A tile, and what its workgroup brings into its memory. */
export class Staging extends Tile {
  /** Opens the loop over chunks and the one within a chunk: the position of the latter's first step. */
  protected openChunks(a: Axis, bounds: LoopBounds | undefined, cuts: Cuts): Form {
    const { values, schedule } = this;
    const n = a.extent;
    const chunk = schedule.staged[a.name]!;
    const isSingle = typeof n === "number" && n <= chunk;
    const staged = contractionOf(this.nest)!.operands.map((operand) => this.staged(operand, a, chunk));
    const isAhead = schedule.ahead && !isSingle && !bounds && typeof n === "number";
    if (isAhead) {
      values.push({ kind: "comment", lines: [`the first ${chunk} steps of ${a.name}: ${said(staged)}`] });
      this.fetch(staged, a, constantForm(0), "var");
    }
    const first = isSingle ? constantForm(0) : this.openLoop(a, chunk, bounds, cuts);
    if (!isAhead) {
      values.push({ kind: "comment", lines: [`${chunk} steps of ${a.name}: ${said(staged)}`] });
      this.fetch(staged, a, first, "let");
    }
    if (!isSingle) values.push(barrier);
    for (const s of [...staged].reverse()) this.store(s); // the last one first: one wait for all
    values.push(barrier);
    if (isAhead) {
      const last = Math.floor((n - 1) / chunk) * chunk;
      values.push({ kind: "comment", lines: ["the next steps, on their way while these are summed up"] });
      const own = values.fresh(`${a.name}_next`);
      const next = least(plus(values.sumOfForm(first).expr, chunk), i32Number(last));
      values.push({ kind: "let", name: own, value: next, cost: "integer", pinned: true });
      const at = values.bind(own, { level: values.depth, low: 0, high: last, multiple: chunk, varying: false });
      this.fetch(staged, a, at, "set");
    }
    values.boxes = new Map(
      staged.map((s) => [s.operand.value, { ...s.box, low: new Map([...s.box.low, [a.variable, first]]) }]),
    );
    // steps are counted one by one: browsers prove then that indices of workgroup memory are inside, and leave their checks out
    const own = values.fresh(`${a.name}_step`);
    const trips = chunk / a.tile;
    this.loops.push({ variable: own, from: i32Number(0), to: i32Number(trips), step: 1, trips });
    values.open();
    values.bind(own, { level: values.depth, low: 0, high: trips - 1, multiple: 1, varying: false });
    return addForms(first, nameForm(own, a.tile));
  }
  /** Declares an operand's memory and shares its elements out. */
  private staged(operand: Operand, k: Axis, chunk: number): Staged {
    const { values, schedule } = this;
    const along = this.axes.find((x) => x.variable === operand.along);
    const layout = stagedLayout(operand.fast === k.variable, chunk, along, schedule.padded);
    const { isAlongK, length, quads, rows, width, rowStride, fourRowStride } = layout;
    const read = scalarOrder([operand.value]).find((e) => e.kind === "load")!;
    const short = read.kind === "load" ? shortName(values.tensor(read.tensor).name) : k.name;
    const size = fourRowStride ? Math.ceil(rows / 4) * fourRowStride : rows * rowStride;
    const { dtype } = operand.value;
    const own = this.shared(`${short}_tile`, dtype, width, size);
    const box: Box = {
      ...{ width, rowStride, fourRowStride },
      name: own,
      of: short,
      fast: operand.fast,
      slow: isAlongK ? operand.along : k.variable,
      low: new Map(along ? [[along.variable, this.places.corners.get(along.name) ?? constantForm(0)]] : []),
    };
    const isWhole = typeof k.extent === "number" && k.extent % chunk === 0;
    const shape = `${rows > 1 ? `${rows} x ` : ""}${length} of ${short}`;
    return { operand, box, shape, fetches: this.shareOut(short, quads, rows), isWhole, guards: new Map() };
  }
  /** Fours of a box over the invocations, round by round. */
  private shareOut(short: string, quads: number, rows: number): Fetch[] {
    const { values, workgroup } = this;
    const thread = this.lane ? nameForm(this.lane.text) : constantForm(0);
    const apart = (at: Form): Pick<Fetch, "quad" | "row"> => ({
      quad: values.divide("modulo", at, quads, 0, "four"),
      row: values.divide("floor_div", at, quads, 0, "row"),
    });
    const { quad, row } = apart(thread);
    const total = quads * rows;
    return Array.from({ length: Math.ceil(total / workgroup) }, (_, r): Fetch => {
      const before = r * workgroup;
      const register = values.fresh(`${short}_${r}`);
      const isPart = before + workgroup > total && this.lane !== undefined;
      const some = isPart ? { some: operation("<", this.lane, i32Number(total - before)) } : {};
      if (before % quads === 0) return { quad, row: shift(row, before / quads), register, ...some };
      return { ...apart(shift(thread, before)), register, ...some };
    });
  }
  /** All loads of a chunk that begins here, into registers. */
  private fetch(all: readonly Staged[], k: Axis, first: Form, into: "let" | "var" | "set"): void {
    const { values } = this;
    const keep = (register: string, value: Expr): void => {
      if (into === "let") values.push({ kind: "let", name: register, value, cost: "none", pinned: true });
      else if (into === "var") values.push({ kind: "var", name: register, value });
      else values.push({ kind: "set", target: name(register, value.type), operator: "=", value, cost: "none" });
    };
    const chunk = this.schedule.staged[k.name]!;
    const any = (high: number): Form =>
      values.bind(values.fresh(`${k.name}_any`), { level: 0, low: 0, high, multiple: chunk, varying: false });
    const anywhere = into === "var" ? any(k.extent as number) : undefined;
    for (const { operand, box, fetches, guards, isWhole } of all)
      for (const { quad, row, register } of fetches) {
        // a guard is applied when the value is stored: nothing waits for the load before
        const read = (from: Form): { readonly raw: Expr; readonly guard: Value } => {
          const at = (v: Variable, by: Form): void =>
            values.place(v, addForms(v === k.variable ? from : box.low.get(v)!, by));
          at(box.fast, scaled(quad, 4));
          if (box.slow) at(box.slow, row);
          values.vector = box.fast;
          const mask = isWhole ? always : this.mask([k]);
          const apart = values.loadAndGuard(operand.value) ?? { raw: values.value(operand.value), guard: always };
          const guard = values.conjunction([mask, apart.guard]);
          values.vector = undefined;
          return { raw: splat(apart.raw.expr), guard };
        };
        const { raw, guard } = read(first);
        keep(register, raw);
        const own = name(`${register}_inside`, guard.expr.type);
        if (into === "let") {
          if (guard.level < values.depth || isTrue(guard.expr)) guards.set(register, guard.expr);
          else {
            keep(own.text, guard.expr);
            guards.set(register, own);
          }
        } else if (into === "set") {
          const known = guards.get(register);
          if (known?.text === own.text) keep(own.text, known.type.width === 4 ? splat(guard.expr) : guard.expr);
        } else {
          const later = read(anywhere!).guard.expr; // as it will be in the loop
          if (isTrue(later) || same(later, guard.expr)) guards.set(register, later);
          else {
            values.reserve(own.text);
            keep(own.text, later.type.width === 4 ? splat(guard.expr) : guard.expr);
            guards.set(register, name(own.text, later.type));
          }
        }
      }
  }
  private store({ box, fetches, operand, guards }: Staged): void {
    const { values } = this;
    const type = wide(typeOf(operand.value.dtype));
    for (const { quad, row, register, some } of [...fetches].reverse()) {
      const guard = guards.get(register);
      const fetched = name(register, type);
      const isKept = guard === undefined || isTrue(guard);
      const four = isKept ? fetched : choice(guard, fetched, call(elements[type.element].vector, [], type), type);
      const place = values.placeInBox(box, box.width === 4 ? quad : scaled(quad, 4), row);
      const to = (at: Form, value: Expr): Statement => ({
        kind: "store",
        tensor: box.name,
        at: values.sumOfForm(at, `${box.name}_at`).expr,
        value,
      });
      let body: Statement[];
      if (box.width === 4) body = [to(place, four)];
      else {
        const own = isKept ? four : values.emit(values.depth, four, "select", register).expr;
        body = [0, 1, 2, 3].map((c) => to(shift(place, c), component(own, c)));
      }
      if (some) values.push({ kind: "if", condition: some, body });
      else body.forEach((s) => values.push(s));
    }
  }
}
