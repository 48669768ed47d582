// Reductions of a tile: accumulators for all its points, the loops that add up, blocks of long sums, and what the threads that share a
// reduction make of their parts. In: the stages of a nest. Out: statements, and for each stage what later ones see of it.
import { inRangeAlone, isGuarded, linear, termsOf, visit } from "../graph/scalar.ts";
import type { Integer, Local, Variable } from "../graph/types.ts";
import { elements } from "../scalar/dtype.ts";
import { leastI32 } from "../scalar/range.ts";
import { carryRound } from "./carry.ts";
import { join, mostReach, setTo, throughSubgroup, type Part } from "./exchange.ts";
import { addForms, constantForm, nameForm, scaled, shift, type Form } from "../kernel/forms.ts";
import { namesIn, throughMemory, type SetTo, type Statement } from "../kernel/ir.ts";
import type { Stage } from "../kernel/kernel.ts";
import { isLoad, loadsFirst } from "./order.ts";
import { offset, type Axis } from "./places.ts";
import { threadsAlong } from "../schedule/schedule.ts";
import type { Value } from "./emitter.ts";
import {
  bool,
  call,
  choice,
  component,
  element,
  f32,
  i32,
  i32Number,
  isTrue,
  isZero,
  name,
  numberLike,
  numberOf,
  operation,
  splat,
  typeOf,
  vectorOf,
  wide,
  type ElementType,
  type Expr,
} from "../kernel/expr.ts";
import { Staging } from "./staging.ts";
import { zero, type LoopBounds, type Point } from "./tile.ts";

/** A reduction with its accumulators: the sums, and the places of an argmax; `best`: the reduction whose sums an argmax compares with. */
interface Sum {
  readonly stage: Stage;
  readonly own: ElementType;
  readonly names: readonly string[];
  readonly best?: Sum;
}
const shortSum = 1024; // terms of a sum that is not cut
const blockTerms = 128; // that one accumulator of a longer sum takes, about
const mostShared = 64; // elements that all invocations share: a SIMD group of RDNA has 106 scalar registers
/** The largest divisor of n that is not much below `most`. */
function firstDivisor(n: number, most: number): number | undefined {
  for (let d = most; 2 * d > most; d--) if (n % d === 0) return d;
  return undefined;
}
export interface Accumulators {
  readonly names: readonly string[]; // "sum", and "sum_place" of arg reductions
  readonly unit: 1 | 4; // elements of the output vector in one accumulator
  readonly rotating: boolean; // still variables, one for each point
}
/** What a reduction over nothing is, of one element. */
export function identityOf(op: Stage["op"], type: ElementType): Expr {
  const x = elements[type.element].identity[op];
  // 2^31 is no literal
  return type.element === "i32" && x === leastI32
    ? operation("-", i32Number(x + 1), i32Number(1))
    : numberLike(x, type);
}
/** What sums up over the lanes of a subgroup; places of extremes take two calls. */
export const subgroupCall: Readonly<Record<Stage["op"], string>> = {
  sum: "subgroupAdd",
  prod: "subgroupMul",
  max: "subgroupMax",
  min: "subgroupMin",
  argmax: "",
  argmin: "",
};
/** A vector's four put together. */
function across(op: Stage["op"], v: Expr): Expr {
  const [x, y, z, w] = [0, 1, 2, 3].map((k) => component(v, k)) as [Expr, Expr, Expr, Expr];
  if (op === "sum" || op === "prod") {
    const sign = op === "sum" ? "+" : "*";
    return operation(sign, operation(sign, operation(sign, x, y), z), w);
  }
  return call(op, [call(op, [x, y], x.type), call(op, [z, w], x.type)], x.type);
}
const isArg = (op: Stage["op"]): boolean => op === "argmax" || op === "argmin";

/** A tile, and what its stages reduce. */
export class Reductions extends Staging {
  protected readonly accumulators = new Map<Local, Accumulators>();

  /** Reductions that share their loops. */
  protected stages(group: readonly Stage[]): void {
    const { values, schedule } = this;
    const inner = group[0]!.over.map((v) => this.axisOf(v));
    const found = this.vectorAxis(inner);
    const innerVector = found && inner.includes(found) ? found : undefined;
    const vector = innerVector ?? (schedule.sums === "vector" ? found : undefined);
    const unit = vector !== undefined && !innerVector ? 4 : 1;
    const outerPoints = this.points(this.axes, vector);
    // along a reduced vector: one point keeps four sums, several add their four up at once
    const fourSums = innerVector !== undefined && outerPoints.length <= 2 && !group.some((s) => isArg(s.op));
    const width = unit === 4 || fourSums ? 4 : 1;
    const totals = this.declare(group, outerPoints, unit, width);
    // loops
    const bounds = group.length === 1 ? this.loopBounds(group[0]!, inner) : new Map<Variable, LoopBounds>();
    const bound = new Map<string, { axis: Axis; start: Form }>();
    const outside = this.loops.length;
    // a chunk is brought before the loops within it
    const staged = inner.find((a) => schedule.staged[a.name]);
    const nested = staged ? [staged, ...inner.filter((a) => a !== staged)] : inner;
    const blocks = this.blocksOf(nested, fourSums || innerVector !== undefined ? 4 : 1);
    let sums: readonly Sum[] = totals;
    const cut = (): void => void (sums = this.openBlock(sums, outerPoints, unit, width));
    const chunk =
      staged && this.openChunks(staged, bounds.get(staged.variable), { sizes: blocks.get(staged.name) ?? [], cut });
    for (const a of inner) {
      if (a === staged) continue;
      const step = a.tile * a.threads;
      const thread = this.places.thread.get(a.name);
      const part = thread ? nameForm(thread, a.run) : constantForm(0);
      const cuts = { sizes: blocks.get(a.name) ?? [], cut };
      if (typeof a.extent === "number" && a.extent <= step) bound.set(a.name, { axis: a, start: part });
      else bound.set(a.name, { axis: a, start: addForms(this.openLoop(a, step, bounds.get(a.variable), cuts), part) });
      values.place(a.variable, bound.get(a.name)!.start);
    }
    if (staged) {
      bound.set(staged.name, { axis: staged, start: this.openSteps(staged, chunk!) });
      values.place(staged.variable, bound.get(staged.name)!.start);
    }
    const opened = this.loops.length - outside;
    const { afterStep } = this;
    this.afterStep = undefined;
    // a tail of a reduced axis counts nothing; in workgroup memory it is zero
    const masked = inner.filter(
      (a) =>
        !this.schedule.staged[a.name] &&
        (typeof a.extent === "number" ? a.extent % (a.tile * a.threads) !== 0 : a.tile * a.threads > 1),
    );
    const shared = schedule.share
      .map((n) => this.axes.find((a) => a.name === n))
      .filter((a): a is Axis => !!a && a.tile > 1);
    values.carriers = shared.map((a) => ({ variable: a.variable, start: this.places.starts.get(a.name)! }));
    const partly = inner.filter((a) => a.tile > 1 && !(typeof a.extent === "number" && a.extent <= a.tile * a.threads));
    const wholly = inner.filter((a) => a.tile > 1 && !partly.includes(a));
    const rest = this.axes.filter((a) => !shared.includes(a));
    for (const p of this.points([...shared, ...wholly, ...rest, ...partly], vector))
      this.atPoint(p, vector, bound, () => {
        const suffix = this.suffix(p, unit);
        for (const sum of sums) {
          if (isArg(sum.stage.op) && innerVector)
            for (let k = 0; k < 4; k++) values.atComponent(k, () => this.accumulate(sum, suffix, inner, masked, 1));
          else this.accumulate(sum, suffix, inner, masked, width);
        }
      });
    values.carriers = [];
    values.boxes = new Map();
    if (opened) values.reorder((body) => loadsFirst(body, schedule.sharedLate ? this.lateOf(body) : undefined));
    afterStep?.();
    for (let k = 0; k < opened; k++) {
      const loop = this.loops[this.loops.length - 1]!;
      if (k === 0 && schedule.slide && (isZero(loop.from) || loop.from === this.zero)) carryRound(values, loop);
      this.closeLoop();
    }
    for (const { stage, names, own } of totals) this.finish(stage, names, own, unit, fourSums, inner);
  }
  /** Loads that are the same for all invocations, where they are too many to be held at once. */
  private lateOf(body: readonly Statement[]): ReadonlySet<Statement> {
    const { values } = this;
    const all = values.blocks.flatMap((b) => throughMemory(b.statements));
    const madeBy = new Map(all.flatMap((s) => (s.kind === "let" ? [[s.name, s] as const] : [])));
    const known = new Map<string, boolean>();
    const isShared = (name: string): boolean => {
      let is = known.get(name);
      if (is !== undefined) return is;
      const named = values.names.get(name);
      const made = madeBy.get(name);
      is = named ? !named.varying : !made || namesIn(made).every(isShared);
      known.set(name, is);
      return is;
    };
    const shared = body.filter((s) => isLoad(s) && namesIn(s).every(isShared));
    const size = shared.reduce((n, s) => n + (s.kind === "let" ? s.value.type.width : 0), 0);
    return new Set(size > mostShared ? shared : []);
  }
  /** Accumulators of all points; places of an argmax beside the maxima of the same values, where these are wanted too. Places come first: they compare with the best so far. */
  private declare(group: readonly Stage[], points: readonly Point[], unit: 1 | 4, width: 1 | 4): Sum[] {
    const { values } = this;
    const result: Sum[] = [];
    for (const stage of group.filter((s) => !isArg(s.op)))
      result.push({
        stage,
        own: typeOf(stage.local.dtype),
        names: [values.freshFamily(stage.local.name)],
      });
    const places = group
      .filter((s) => isArg(s.op))
      .map((stage): Sum => {
        const best = result.find(
          (x) => x.stage.value === stage.value && x.own.element === "f32" && stage.op === `arg${x.stage.op}`,
        );
        const name = best?.names[0] ?? values.freshFamily(stage.local.name);
        return {
          stage,
          own: f32,
          names: [name, values.freshFamily(best ? stage.local.name : `${name}_place`)],
          ...(best ? { best } : {}),
        };
      });
    for (const { stage, own, names, best } of [...result, ...places])
      for (const p of points)
        names.forEach((n, k) => {
          if (best && k === 0) return;
          const start = k === 1 ? i32Number(0) : identityOf(stage.op, own);
          const { vector } = elements[start.type.element];
          const value = width === 1 ? start : call(vector, numberOf(start) === 0 ? [] : [start], wide(start.type));
          const variable = `${n}${this.suffix(p, unit)}`;
          values.reserve(variable);
          values.push({ kind: "var", name: variable, value });
        });
    return [...places, ...result];
  }
  /**
   * Where a long sum is cut, so that no accumulator takes many terms: for each reduced axis with a loop the steps of its blocks, outer to inner; 0: what
   * the loops inside of this one add up is a block. Blocks of blocks, whatever the length: with the lanes and parts that meet afterwards the rounding
   * stays below 2^-13 of the sum of the magnitudes (docs/language.md says so, test/numbers/sums.test.ts holds it). No compensation: drivers may
   * reassociate it away.
   */
  private blocksOf(inner: readonly Axis[], width: 1 | 4): Map<string, number[]> {
    const result = new Map<string, number[]>();
    const loops = inner.flatMap((a) => {
      const step = a.tile * a.threads;
      const chunk = this.schedule.staged[a.name];
      if (typeof a.extent === "number" && (chunk ? a.extent <= chunk : a.extent <= step)) return [];
      return [{ name: a.name, trips: typeof a.extent === "number" ? Math.ceil(a.extent / (chunk ?? step)) : Infinity }];
    });
    const within =
      inner.reduce(
        (n, a) =>
          n * (this.schedule.staged[a.name] ? Math.min(this.schedule.staged[a.name]!, a.extent as number) : a.tile),
        1,
      ) / width;
    const length = inner.reduce((n, a) => n * (typeof a.extent === "number" ? a.extent : Infinity), 1);
    if (length <= shortSum || within * loops.reduce((n, x) => n * x.trips, 1) <= 2 * blockTerms) return result;
    let terms = Math.max(1, within); // of the accumulator that is open
    let nested = false; // does a loop stand inside?
    for (const { name, trips } of [...loops].reverse()) {
      const sizes: number[] = [];
      let rest = trips;
      let steps = 1; // of the loop, in one of `rest`
      if (terms * rest > blockTerms && nested && 2 * terms > blockTerms) {
        sizes.unshift(0);
        terms = 1;
      }
      // run-time lengths: blocks of blocks up to any length that memory has
      for (let level = 0; terms * rest > blockTerms && level < 3; level++) {
        const most = Math.max(2, Math.floor(blockTerms / terms));
        const size = Number.isFinite(rest) ? (firstDivisor(rest, most) ?? most) : most;
        steps *= size;
        sizes.unshift(steps);
        rest = Math.ceil(rest / size);
        terms = 1;
      }
      terms = Math.min(blockTerms, terms * rest);
      if (sizes.length) result.set(name, sizes);
      nested = true;
    }
    return result;
  }
  /** New accumulators for sums, whose values the loop that is opened next adds to those outside when it ends. */
  private openBlock(sums: readonly Sum[], points: readonly Point[], unit: 1 | 4, width: 1 | 4): readonly Sum[] {
    const { values } = this;
    return sums.map((sum): Sum => {
      if (sum.stage.op !== "sum" || elements[sum.own.element].whole) return sum;
      const own = values.freshFamily("part");
      const type = width === 4 ? wide(f32) : f32;
      const after: Statement[] = [];
      for (const p of points) {
        const suffix = this.suffix(p, unit);
        const part = name(`${own}${suffix}`, type);
        values.reserve(part.text);
        values.push({ kind: "var", name: part.text, value: width === 4 ? call("vec4f", [], type) : zero });
        const target = name(`${sum.names[0]}${suffix}`, type);
        after.push({ kind: "set", target, operator: "+=", value: part, cost: "alu" });
      }
      this.folds.push({ loop: this.loops.length, statements: after });
      return { ...sum, names: [own] };
    });
  }
  private accumulate(
    { stage, names, best }: Sum,
    suffix: string,
    inner: readonly Axis[],
    masked: readonly Axis[],
    width: 1 | 4,
  ): void {
    const { values } = this;
    const arg = isArg(stage.op);
    let v = values.value(stage.value);
    const mask = this.mask(masked);
    if (!isTrue(mask.expr)) {
      const { element } = v.expr.type;
      v = values.select(mask, v, { expr: identityOf(stage.op, { element, width: 1 }), level: 0 }, "v");
    }
    const variable = (text: string, of: ElementType): Expr => name(`${text}${suffix}`, width === 4 ? wide(of) : of);
    const set = (target: Expr, operator: SetTo["operator"], value: Expr, cost: SetTo["cost"]): void =>
      values.push({ kind: "set", target, operator, value, cost });
    const acc = variable(names[0]!, { element: v.expr.type.element, width: 1 });
    if (arg) {
      const place = variable(names[1]!, i32);
      const value = width === 4 ? splat(v.expr) : v.expr;
      const position = values.sumOfForm(this.placeOf(inner.map((a) => a.variable))).expr;
      const better = name(values.fresh("better"), width === 4 ? wide(bool) : bool);
      values.push({
        kind: "let",
        name: better.text,
        value: operation(stage.op === "argmax" ? ">" : "<", value, acc),
        cost: "compare",
        pinned: true,
      });
      set(place, "=", choice(better, width === 4 ? splat(position) : position, place), "select");
      if (!best) set(acc, "=", choice(better, value, acc), "select");
      return;
    }
    let value = v.expr;
    if (value.type.width === 4 && width === 1) {
      // a reduced vector into one sum
      const product = stage.op === "sum" ? this.productOf(v) : undefined;
      value = product ?? across(stage.op, value);
    } else if (width === 4 && (stage.op === "max" || stage.op === "min")) value = splat(value);
    if (stage.op === "sum" || stage.op === "prod") set(acc, stage.op === "sum" ? "+=" : "*=", value, "alu");
    else set(acc, "=", call(stage.op, [acc, value], acc.type), "alu");
  }
  /** The position of the loops' values, counted row by row. */
  private placeOf(axes: readonly Variable[]): Form {
    const { values } = this;
    if (axes.slice(1).every((v) => typeof v.extent === "number")) return values.formOf(rowMajor(axes));
    return values.addressOfForms(
      axes.map((v) => v.extent),
      axes.map((v) => values.formOf(v)),
    );
  }
  /** dot(a, b) for the vector a * b. */
  private productOf(v: Value): Expr | undefined {
    const valueOf = (own: string, statements: readonly Statement[]): Expr | undefined => {
      const made = statements.findLast((s) => s.kind === "let" && s.name === own);
      return made?.kind === "let" ? made.value : undefined;
    };
    const made = valueOf(v.expr.text, this.values.blocks[v.level]!.statements);
    if (made?.op !== "*" || !made.args.every((a) => a.op === "name")) return undefined;
    const all = this.values.blocks.flatMap((b) => throughMemory(b.statements));
    const isVector = (a: Expr): boolean => {
      const type = valueOf(a.text, all)?.type;
      return type?.width === 4 && !elements[type.element].whole;
    };
    return made.args.every(isVector) ? call("dot", made.args, f32) : undefined;
  }
  /** What later stages and stores see of a stage: its accumulators, summed up over a vector and over the threads that share the reduction. */
  private finish(
    stage: Stage,
    names: readonly string[],
    own: ElementType,
    unit: 1 | 4,
    fourSums: boolean,
    inner: readonly Axis[],
  ): void {
    const { values } = this;
    const arg = isArg(stage.op);
    const shared = inner.some((a) => a.threads > 1);
    const type = unit === 4 ? wide(own) : own;
    const result: ElementType = arg ? { element: "i32", width: type.width } : type;
    this.accumulators.set(stage.local, { names, unit, rotating: !fourSums && !shared });
    const finals = new Map<string, Expr>();
    const outerVector = unit === 4 ? this.vectorAxis([]) : undefined;
    const pinned = { pinned: true };
    if (fourSums || shared)
      for (const p of this.points(this.axes, outerVector)) {
        const suffix = this.suffix(p, unit);
        let sum = name(`${names[0]}${suffix}`, fourSums ? wide(own) : type);
        if (fourSums) sum = values.emit(this.base, across(stage.op, sum), "alu", names[0]!).expr;
        if (shared && this.schedule.together === "workgroup") sum = this.tree(stage, names, suffix, sum, result);
        else if (shared && arg) {
          const most = call(stage.op === "argmax" ? "subgroupMax" : "subgroupMin", [sum], type);
          const best = values.emit(this.base, most, "reduce", "best", pinned).expr;
          const none = numberLike(elements.i32.identity.min, i32);
          const place = name(`${names[1]}${suffix}`, result);
          const own = choice(operation("==", sum, best), place, type.width === 4 ? splat(none) : none);
          sum = values.emit(this.base, call("subgroupMin", [own], result), "reduce", names[1]!, pinned).expr;
        } else if (shared) {
          const all = call(subgroupCall[stage.op], [sum], result);
          sum = values.emit(this.base, all, "reduce", `${names[0]}_all`, pinned).expr;
        }
        finals.set(suffix, sum);
      }
    const last = names[names.length - 1]!;
    const vector = this.vectorAxis([])?.variable;
    values.locals.set(stage.local, () => {
      const element =
        (by: number) =>
        (a: Axis): number =>
          (values.element.get(a.variable) ?? 0) + (a.variable === vector ? by : 0);
      const at = (by: number): Expr => {
        const suffix = this.suffixAt(element(by), unit);
        return finals.get(suffix) ?? name(`${last}${suffix}`, result);
      };
      const level = values.localLevel;
      const along = vector !== undefined && values.vector === vector;
      if (unit === 4) return { expr: along ? at(0) : component(at(0), (values.element.get(vector!) ?? 0) % 4), level };
      return along
        ? values.emit(level, vectorOf(result.element, [0, 1, 2, 3].map(at)), "none", last)
        : { expr: at(0), level };
    });
  }
  /** The sum over the threads that share it by halves, in workgroup memory; or, of few neighbours, also by operations of subgroups. */
  private tree(stage: Stage, names: readonly string[], suffix: string, sum: Expr, result: ElementType): Expr {
    const { values } = this;
    const arg = isArg(stage.op);
    const axis = this.nest.nameOf.get(stage.over.find((v) => this.reducing.includes(this.nest.nameOf.get(v)!))!)!;
    const thread = name(this.places.thread.get(axis)!, i32);
    const count = threadsAlong(this.schedule, axis);
    const array = (of: string, type: ElementType): ((at: Expr) => Expr) => {
      const own = this.shared(`${of}_parts`, type.element, type.width, this.workgroup);
      return (at) => element(own, at, type);
    };
    const parts = array(stage.local.name, sum.type);
    const places = arg ? array(`${stage.local.name}_place`, result) : undefined;
    const self = this.lane!;
    const half = name("half", i32);
    const { threads } = this.schedule;
    const faster = threads.slice(threads.findIndex(([a]) => a.split("+").includes(axis)) + 1);
    const apart = faster.reduce((n, [, m]) => n * m, 1); // neighbours along the axis
    const far = (of: Expr): Expr => (apart === 1 ? of : operation("*", of, i32Number(apart)));
    const other = operation("+", self, far(half));
    const barrier: Statement = { kind: "barrier", memory: "workgroup" };
    const part = { value: sum, ...(arg ? { place: name(`${names[1]}${suffix}`, result) } : {}) };
    const at = (of: Expr): Part => ({ value: parts(of), ...(places ? { place: places(of) } : {}) });
    const own = at(self);
    const first = this.workgroup === count ? i32Number(0) : operation("-", self, far(thread));
    const whole = values.fresh(`${names[0]}${suffix}_all`);
    const body: Statement[] = [
      setTo(own.value, "=", part.value),
      ...(own.place && part.place ? [setTo(own.place, "=", part.place)] : []),
      barrier,
      {
        kind: "for",
        variable: half.text,
        from: i32Number(count / 2),
        to: i32Number(0),
        step: "halve",
        trips: Math.log2(count),
        body: [{ kind: "if", condition: operation("<", thread, half), body: join(stage.op, own, at(other)) }, barrier],
      },
      { kind: "let", name: whole, value: (places ?? parts)(first), cost: "workgroup", pinned: true },
    ];
    const reach = count * apart;
    if (reach > mostReach || !Number.isInteger(Math.log2(reach))) body.forEach((s) => values.push(s));
    else {
      const stem = `${names[0]}${suffix}`;
      const direct = throughSubgroup(stage.op, part, whole, { reach, apart, self }, stem, (like) => values.fresh(like));
      values.push({ kind: "exchange", body, direct, reach });
    }
    return name(whole, result);
  }

  // ---- loop bounds by guards
  /** Guards of a sum that bound a rolled axis linearly become bounds of its loop: select(k <= i, e, 0) runs k to i, for a tile to its last i. */
  private loopBounds(stage: Stage, inner: readonly Axis[]): Map<Variable, LoopBounds> {
    const { values } = this;
    const result = new Map<Variable, LoopBounds>();
    const { value } = stage;
    if (stage.op !== "sum" || !isGuarded(value)) return result;
    const last = inner[inner.length - 1];
    if (!last || last.threads > 1 || (typeof last.extent === "number" && last.extent <= last.tile)) return result;
    for (const g of value.condition.kind === "and" ? value.condition.operands : [value.condition]) {
      if (g.kind !== "non_negative" || !g.operand.variables.has(last.variable)) continue;
      const terms = termsOf(g.operand);
      const k = terms.find(([atom]) => atom === last.variable)?.[1];
      if ((k !== 1 && k !== -1) || (k === 1 && last.tile > 1)) continue;
      if (inner.some((a) => terms.some(([x]) => x !== last.variable && x.variables.has(a.variable)))) continue;
      const isPlain = terms.every(([atom]) => atom.kind === "variable" || atom.kind === "dim");
      if (!isPlain && !this.isKnownBefore(terms.map(([atom]) => atom).filter((atom) => atom !== last.variable)))
        continue;
      // k v + rest >= 0, at the point of the tile that asks for most: axes are at their first elements here
      let rest = values.formOf(
        linear([
          [g.operand, 1],
          [last.variable, -k],
        ]),
      );
      let known = true;
      for (const [atom, c] of terms) {
        const a = this.axes.find((x) => x.variable === atom);
        if (!a) continue;
        if (c > 0) rest = shift(rest, c * offset(a, a.tile - 1));
        // subgroup operations want the same bound for all lanes
        if (
          (this.subgroups || this.staging) &&
          [...this.places.starts.get(a.name)!.terms.keys()].some((name) => values.names.get(name)!.varying)
        )
          known = false;
      }
      if (!known) continue;
      if (!result.has(last.variable)) result.set(last.variable, { low: [], high: [] });
      const own = result.get(last.variable)!;
      if (k === 1) own.low.push(values.sumOfForm(scaled(rest, -1)).expr);
      else own.high.push(values.sumOfForm(shift(rest, 1)).expr);
    }
    return result;
  }
  /** Data that an invocation may read before its loop, the same for all its points. */
  private isKnownBefore(atoms: readonly Integer[]): boolean {
    if (this.subgroups || this.staging) return false;
    const tiled = this.axes.filter((a) => a.tile > 1);
    return atoms.every((atom) => {
      let known = inRangeAlone(atom) && !tiled.some((a) => atom.variables.has(a.variable));
      visit(atom, (x) => void (known &&= x.kind !== "local"));
      return known && (atom.kind === "load" || atom.kind === "variable" || atom.kind === "dim");
    });
  }
}
function rowMajor(axes: readonly Variable[]): Integer {
  return (
    axes.reduce<Integer | undefined>(
      (sum, v) =>
        sum === undefined
          ? v
          : linear([
              [sum, v.extent as number],
              [v, 1],
            ]),
      undefined,
    ) ?? linear([])
  );
}
