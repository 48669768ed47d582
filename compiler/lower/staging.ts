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
import { contractionOf, sizeOfBox, stagedLayout, type Operand } from "../schedule/contraction.ts";
import type { Axis } from "./places.ts";
import type { Value } from "./emitter.ts";
import { always, least, Tile, type Cuts, type LoopBounds } from "./tile.ts";
import type { Box } from "./values.ts";

const barrier: Statement = { kind: "barrier", memory: "workgroup" };
/** Where one invocation's fetch of a round lies in its box: quads along the fast axis, elements along the other. */
interface Fetch {
  readonly quad: Form;
  readonly row: Form;
  readonly some?: Expr; // the invocations that have one, where not all do
}
/** ... and what it brought. */
interface Fetched {
  readonly box: Box;
  readonly at: Fetch;
  readonly value: Expr;
  readonly guard: Expr; // it counts
}
/** An operand on its way to workgroup memory. */
interface Staged {
  readonly operand: Operand;
  readonly box: Box;
  readonly shape: string; // for people
  readonly fetches: readonly Fetch[];
  readonly isWhole: boolean; // chunks fill the reduced axis
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
    const staged = this.staged(contractionOf(this.nest)!.operands, a, chunk);
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
      staged.map((s) => [s.operand.value, { ...s.box, low: new Map([...s.box.low, [a.variable, first]]) }]),
    );
    // steps are counted one by one: browsers prove then that indices of workgroup memory are inside, and leave their checks out
    const own = values.fresh(`${a.name}_step`);
    const trips = chunk / a.tile;
    this.loops.push({ variable: own, from: i32Number(0), to: i32Number(trips), step: 1, trips });
    values.open();
    values.bind(own, { level: values.depth, low: 0, high: trips - 1, multiple: 1, varying: false });
    if (isAhead) this.afterStep = () => this.storeAfter(next, operation("==", name(own, i32), i32Number(trips - 1)));
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
  /** Declares the memory of operands, the largest first, which lies where that of another kernel of the launch does; and shares their elements out. */
  private staged(operands: readonly Operand[], k: Axis, chunk: number): Staged[] {
    const { values, schedule } = this;
    const planned = operands.map((operand) => {
      const along = this.axes.find((x) => x.variable === operand.along);
      const layout = stagedLayout(operand.fast === k.variable, chunk, along, schedule.padded);
      const read = scalarOrder([operand.value]).find((e) => e.kind === "load")!;
      const of = read.kind === "load" ? shortName(values.tensor(read.tensor).name) : k.name;
      return { operand, along, layout, of };
    });
    const bytes = ({ operand, layout }: (typeof planned)[number]): number =>
      sizeOfBox(layout) * layout.width * elements[operand.value.dtype].bytes;
    const memory = new Map<Operand, string>();
    for (const { operand, layout, of } of [...planned].sort((x, y) => bytes(y) - bytes(x)))
      memory.set(operand, this.shared(`${of}_tile`, operand.value.dtype, layout.width, sizeOfBox(layout)));
    const isWhole = typeof k.extent === "number" && k.extent % chunk === 0;
    return planned.map(({ operand, along, layout, of }): Staged => {
      const { isAlongK, length, quads, rows, width, rowStride, fourRowStride } = layout;
      const box: Box = {
        ...{ width, rowStride, fourRowStride, of },
        name: memory.get(operand)!,
        fast: operand.fast,
        slow: isAlongK ? operand.along : k.variable,
        low: new Map(along ? [[along.variable, this.places.corners.get(along.name) ?? constantForm(0)]] : []),
      };
      const shape = `${rows > 1 ? `${rows} x ` : ""}${length} of ${of}`;
      return { operand, box, shape, fetches: this.shareOut(quads, rows), isWhole };
    });
  }
  /** Fours of a box over the invocations, round by round. */
  private shareOut(quads: number, rows: number): Fetch[] {
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
    return all.flatMap(({ operand, box, fetches, isWhole }) =>
      fetches.map((at, r): Fetched => {
        const read = (from: Form): { readonly raw: Expr; readonly guard: Value } => {
          const place = (v: Variable, by: Form): void =>
            values.place(v, addForms(v === k.variable ? from : box.low.get(v)!, by));
          place(box.fast, scaled(at.quad, 4));
          if (box.slow) place(box.slow, at.row);
          values.vector = box.fast;
          const mask = isWhole ? always : this.mask([k]);
          // the guard is applied when the value is stored: nothing waits for the load before
          const apart = values.loadAndGuard(operand.value) ?? { raw: values.value(operand.value), guard: always };
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
