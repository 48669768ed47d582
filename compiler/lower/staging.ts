// The operands of a contraction, or of sums over windows, in workgroup memory, chunk by chunk of a reduced axis. In: operands (contraction.ts, windows.ts)
// and a schedule. Out: statements that fetch a chunk, all loads of an invocation together and four elements at a time, then store it; and boxes for what
// reads it there.
import { scalarOrder } from "../graph/scalar.ts";
import type { Scalar, Variable } from "../graph/types.ts";
import { elements } from "../scalar/dtype.ts";
import { shortName } from "../wgsl/names.ts";
import {
  call,
  choice,
  component,
  i32,
  i32Number,
  isTrue,
  name,
  operation,
  plus,
  splat,
  type Expr,
} from "../kernel/expr.ts";
import { addForms, boundsOf, constantForm, nameForm, scaled, shift, type Form } from "../kernel/forms.ts";
import type { Statement } from "../kernel/ir.ts";
import { contractionOf, sizeOfBox, stagedLayout, type StagedLayout } from "../schedule/contraction.ts";
import { windowLayout, windowsOf } from "../schedule/windows.ts";
import type { Axis } from "./places.ts";
import type { Value } from "./emitter.ts";
import { always, least, Tile, type Cuts, type LoopBounds } from "./tile.ts";
import type { Box } from "./values.ts";

const barrier: Statement = { kind: "barrier", memory: "workgroup" };
/** Where one invocation's fetch of a round lies in its box: quads along the fast axis, and rows. */
interface Fetch {
  readonly quad: Form;
  readonly row: Form;
  readonly offsets: readonly (readonly [Variable, Form])[]; // from where the box begins
  readonly some?: Expr; // the invocations that have one, where not all do
}
/** ... and what it brought. */
interface Fetched {
  readonly box: Box;
  readonly at: Fetch;
  readonly value: Expr;
  readonly guard: Expr; // it counts
}
/** What is to be staged. */
interface Planned {
  readonly value: Scalar;
  readonly fast: Variable;
  readonly layout: StagedLayout;
  readonly of: string; // the short name of what it reads
  readonly low: ReadonlyMap<Variable, Form>; // where it begins, but for the reduced axis
  readonly coordinates: Box["coordinates"];
  readonly shape: string;
  readonly offsets: (row: Form) => readonly (readonly [Variable, Form])[];
}
/** An operand on its way to workgroup memory. */
interface Staged {
  readonly value: Scalar;
  readonly box: Box;
  readonly shape: string; // for people
  readonly fetches: readonly Fetch[];
  readonly isWhole: boolean; // chunks fill the reduced axis
}

const said = (staged: readonly Staged[]): string => staged.map((s) => s.shape).join(", ");

/** A tile, and what its workgroup brings into its memory. */
export class Staging extends Tile {
  /** Opens the loop over chunks, which begins with bringing what the steps of one read: the chunk's first step. */
  protected openChunks(a: Axis, bounds: LoopBounds | undefined, cuts: Cuts): Form {
    const { values, schedule } = this;
    const n = a.extent;
    const chunk = schedule.staged[a.name]!;
    const isSingle = typeof n === "number" && n <= chunk;
    const staged = this.staged(schedule.joined ? this.planned(a, chunk) : this.plannedWindows(a, chunk), a, chunk);
    const isAhead = schedule.ahead && !isSingle && !bounds && typeof n === "number";
    const told = (what: string): void => values.push({ kind: "comment", lines: [what] });
    if (isAhead) {
      told(`the first ${chunk} steps of ${a.name}: ${said(staged)}`);
      this.store(this.fetch(staged, a, constantForm(0)));
      values.push(barrier);
    }
    const first = isSingle ? constantForm(0) : this.openLoop(a, chunk, bounds, cuts);
    let next: readonly Fetched[] = [];
    if (isAhead) {
      const last = Math.floor((n - 1) / chunk) * chunk;
      told("the next steps, on their way while these are summed up");
      const own = values.fresh(`${a.name}_next`);
      const from = least(plus(values.sumOfForm(first).expr, chunk), i32Number(last));
      values.push({ kind: "let", name: own, value: from, cost: "integer", pinned: true });
      const at = values.bind(own, { level: values.depth, low: 0, high: last, multiple: chunk, varying: false });
      next = this.fetch(staged, a, at);
    } else {
      told(`${chunk} steps of ${a.name}: ${said(staged)}`);
      const fetched = this.fetch(staged, a, first);
      if (!isSingle) values.push(barrier);
      this.store(fetched);
      values.push(barrier);
    }
    values.boxes = new Map(
      staged.map((s) => [s.value, { ...s.box, low: new Map([...s.box.low, [a.variable, first]]) }]),
    );
    this.brought = isAhead ? next : undefined;
    return first;
  }
  private brought: readonly Fetched[] | undefined; // of the next chunk
  /** Opens the loop within a chunk: the position of its first step. */
  protected openSteps(a: Axis, first: Form): Form {
    const { values, schedule, brought } = this;
    const chunk = schedule.staged[a.name]!;
    // steps are counted one by one: browsers prove then that indices of workgroup memory are inside, and leave their checks out
    const own = values.fresh(`${a.name}_step`);
    const trips = chunk / a.tile;
    this.loops.push({ variable: own, from: i32Number(0), to: i32Number(trips), step: 1, trips });
    values.open();
    values.bind(own, { level: values.depth, low: 0, high: trips - 1, multiple: 1, varying: false });
    if (brought) this.afterStep = () => this.storeAfter(brought, operation("==", name(own, i32), i32Number(trips - 1)));
    return addForms(first, nameForm(own, a.tile));
  }
  /** What ends the body of the loop within a chunk. */
  protected afterStep: (() => void) | undefined;
  /**
   * Stands in the loop within a chunk, after the last step: drivers put a load as near to where its value is used as they can without moving it into a
   * loop, so that one whose value is used behind the loop is waited for at once.
   */
  private storeAfter(next: readonly Fetched[], isLast: Expr): void {
    const { values } = this;
    values.open();
    values.push({ kind: "comment", lines: ["when all have read these, the next ones take their place"] });
    values.push(barrier);
    this.store(next);
    values.push(barrier);
    values.push({ kind: "if", condition: isLast, body: values.close().statements });
  }
  /** The operands of a product of matrices. */
  private planned(k: Axis, chunk: number): Planned[] {
    return contractionOf(this.nest)!.operands.map((operand): Planned => {
      const { value, fast } = operand;
      const along = this.axes.find((x) => x.variable === operand.along);
      const layout = stagedLayout(fast === k.variable, chunk, along, this.schedule.padded);
      const of = this.readBy(value, k);
      const slow = layout.isAlongK ? operand.along : k.variable;
      return {
        ...{ value, fast, layout, of },
        low: new Map(along ? [[along.variable, this.cornerOf(along)]] : []),
        coordinates: slow ? [{ terms: [[slow, 1]], apart: 1 }] : [],
        shape: `${layout.rows > 1 ? `${layout.rows} x ` : ""}${layout.length} of ${of}`,
        offsets: (row) => (slow ? [[slow, row]] : []),
      };
    });
  }
  /** All that the windows of a workgroup see, each element once. */
  private plannedWindows(k: Axis, chunk: number): Planned[] {
    const { values, schedule } = this;
    const axisOf = new Map(this.axes.map((a) => [a.variable, a]));
    return windowsOf(this.nest)!.operands.map((operand): Planned => {
      const { value, fast } = operand;
      const along = axisOf.get(fast);
      const { layout, coordinates: counted } = windowLayout(operand, chunk, schedule.padded, (v) => axisOf.get(v)!);
      const several = counted.filter((c) => c.count > 1);
      const low = new Map<Variable, Form>();
      if (along) low.set(fast, this.cornerOf(along));
      for (const { out, over, by } of operand.coordinates) {
        if (out) low.set(out, this.cornerOf(axisOf.get(out)!));
        if (over && over !== k.variable) low.set(over, constantForm(by < 0 ? (over.extent as number) - 1 : 0));
      }
      const of = this.readBy(value, k);
      return {
        ...{ value, fast, layout, of, low },
        coordinates: several.map(({ of: { out, step, over, by }, apart }) => ({
          terms: [...(out ? [[out, step] as const] : []), ...(over ? [[over, by] as const] : [])],
          apart,
        })),
        shape: `${several.map((c) => `${c.count} x `).join("")}${layout.length} of ${of}`,
        // a coordinate is least where its box begins, and goes up one by one with the variable of factor 1 or -1; the others stay
        offsets: (row) =>
          several.map(({ of: { out, step, over, by }, count, apart }, i) => {
            const whole = values.divide("floor_div", row, apart, 0, "at");
            const at = i ? values.divide("modulo", whole, count, 0, "at") : whole;
            return out && step === 1 ? [out, at] : [over!, scaled(at, by)];
          }),
      };
    });
  }
  private cornerOf = (a: Axis): Form => this.places.corners.get(a.name) ?? constantForm(0);
  private readBy(value: Scalar, k: Axis): string {
    const read = scalarOrder([value]).find((e) => e.kind === "load");
    return read?.kind === "load" ? shortName(this.values.tensor(read.tensor).name) : k.name;
  }
  /** Declares the memory of operands, the largest first, which lies where that of another kernel of the launch does; and shares their elements out. */
  private staged(planned: readonly Planned[], k: Axis, chunk: number): Staged[] {
    const bytes = ({ value, layout }: Planned): number =>
      sizeOfBox(layout) * layout.width * elements[value.dtype].bytes;
    const memory = new Map<Planned, string>();
    for (const p of [...planned].sort((x, y) => bytes(y) - bytes(x)))
      memory.set(p, this.shared(`${p.of}_tile`, p.value.dtype, p.layout.width, sizeOfBox(p.layout)));
    const isWhole = typeof k.extent === "number" && k.extent % chunk === 0;
    return planned.map((p): Staged => {
      const { value, of, fast, low, coordinates, layout, shape } = p;
      const { quads, rows, width, rowStride, fourRowStride } = layout;
      const box: Box = { ...{ width, rowStride, fourRowStride, of, fast, low, coordinates }, name: memory.get(p)! };
      const fetches = this.shareOut(quads, rows).map((at): Fetch => ({
        ...at,
        offsets: [[fast, scaled(at.quad, 4)], ...p.offsets(at.row)],
      }));
      return { value, box, shape, fetches, isWhole };
    });
  }
  /** Fours of a box over the invocations, round by round. */
  private shareOut(quads: number, rows: number): Omit<Fetch, "offsets">[] {
    const { values, workgroup } = this;
    const thread = this.lane ? nameForm(this.lane.text) : constantForm(0);
    const apart = (at: Form): Pick<Fetch, "quad" | "row"> => ({
      quad: values.divide("modulo", at, quads, 0, "four"),
      row: values.divide("floor_div", at, quads, 0, "row"),
    });
    const { quad, row } = apart(thread);
    const total = quads * rows;
    return Array.from({ length: Math.ceil(total / workgroup) }, (_, r) => {
      const before = r * workgroup;
      const isPart = before + workgroup > total && this.lane !== undefined;
      const some = isPart ? { some: operation("<", this.lane, i32Number(total - before)) } : {};
      if (before % quads === 0) return { quad, row: shift(row, before / quads), ...some };
      return { ...apart(shift(thread, before)), ...some };
    });
  }
  /** All loads of a chunk that begins here, into registers. */
  private fetch(all: readonly Staged[], k: Axis, first: Form): Fetched[] {
    const { values } = this;
    const kept = (label: string, value: Expr): Expr => {
      const own = values.fresh(label);
      values.push({ kind: "let", name: own, value, cost: "none", pinned: true });
      return name(own, value.type);
    };
    return all.flatMap(({ value: operand, box, fetches, isWhole }) =>
      fetches.map((at, r): Fetched => {
        const read = (from: Form): { readonly raw: Expr; readonly guard: Value } => {
          for (const [v, begin] of box.low) values.place(v, begin);
          for (const [v, by] of at.offsets) values.place(v, addForms(v === k.variable ? from : box.low.get(v)!, by));
          values.vector = box.fast;
          const mask = isWhole ? always : this.mask([k]);
          // the guard is applied when the value is stored: nothing waits for the load before
          const apart = values.loadAndGuard(operand) ?? { raw: values.value(operand), guard: always };
          const guard = values.conjunction([mask, apart.guard]);
          values.vector = undefined;
          return { raw: splat(apart.raw.expr), guard };
        };
        const { raw, guard } = read(first);
        const label = `${box.of}_${r}`;
        const value = at.some ? this.where(at.some, label, k, first, (from) => read(from).raw) : kept(label, raw);
        const isKnown = guard.level < values.depth || isTrue(guard.expr);
        return { box, at, value, guard: isKnown ? guard.expr : kept(`${label}_inside`, guard.expr) };
      }),
    );
  }
  /** A load of some invocations, where it stands: a driver would move one that only a conditional store reads in there, to be waited for alone. */
  private where(some: Expr, label: string, k: Axis, first: Form, read: (first: Form) => Expr): Expr {
    const { values } = this;
    const { low, high } = boundsOf(first, values.names);
    const own = values.fresh(label);
    values.open();
    const here = values.fresh(`${k.name}_here`);
    const from = values.sumOfForm(first).expr;
    values.push({ kind: "let", name: here, value: from, cost: "none", pinned: true });
    const multiple = this.schedule.staged[k.name]!;
    const value = read(values.bind(here, { level: values.depth, low, high, multiple, varying: false }));
    const target = name(own, value.type);
    values.push({ kind: "set", target, operator: "=", value, cost: "none" });
    const body = values.close().statements;
    values.push({ kind: "var", name: own, value: call(elements[value.type.element].vector, [], value.type) });
    values.push({ kind: "if", condition: some, body });
    return target;
  }
  private store(all: readonly Fetched[]): void {
    const { values } = this;
    // the last one first, what some have behind what all have: one wait for all
    const [some, every] = [all.filter((x) => x.at.some), all.filter((x) => !x.at.some)];
    for (const { box, at, value, guard } of [...every.reverse(), ...some.reverse()]) {
      const { type } = value;
      const four = isTrue(guard) ? value : choice(guard, value, call(elements[type.element].vector, [], type), type);
      const place = values.placeInBox(box, box.width === 4 ? at.quad : scaled(at.quad, 4), at.row);
      const to = (where: Form, stored: Expr): Statement => ({
        kind: "store",
        tensor: box.name,
        at: values.sumOfForm(where, `${box.name}_at`).expr,
        value: stored,
      });
      let body: Statement[];
      if (box.width === 4) body = [to(place, four)];
      else {
        const own = isTrue(guard) ? four : values.emit(values.depth, four, "select", `${box.of}_kept`).expr;
        body = [0, 1, 2, 3].map((c) => to(shift(place, c), component(own, c)));
      }
      if (at.some) values.push({ kind: "if", condition: at.some, body });
      else body.forEach((s) => values.push(s));
    }
  }
}
