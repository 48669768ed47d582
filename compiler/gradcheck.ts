// Symbolic derivatives against central differences, in f64 on the evaluator: every parameter and every column of real numbers, of every
// objective. In: a program, small random values made here.   Out: for each tensor the two directional derivatives that differ most.
// What stands inside `stop` is held while a tensor moves: its values are recorded at the point and replayed, in the evaluator's order, which
// does not depend on values. Draws depend on seed, step and place alone, so they stay.
import { InternalError } from "../grammar/diagnostic.ts";
import type { Objective, Program, TrainProgram } from "./elaborate/program.ts";
import { gradient } from "./grad/grad.ts";
import { stepwise, within } from "./graph/compilation.ts";
import { levelInputs, topological } from "./graph/node.ts";
import type { Extent, Node, Range, Scan, Source } from "./graph/types.ts";
import { functions } from "./scalar/table.ts";
import { evaluateNodes, extentValue, sizeOfShape, type Dims, type Instead } from "./evaluate/evaluate.ts";

export interface GradientCheck {
  readonly objective: string; // "fit.minimize1"
  readonly tensor: string; // "net.linear.w", "digits.x"
  readonly kind: "parameter" | "input";
  readonly shape: readonly number[];
  readonly norm: number; // of the gradient
  readonly symbolic: number; // derivative in the direction
  readonly numeric: number;
  readonly error: number; // |symbolic - numeric| over the larger, or over what f64 can tell apart
}
export interface GradientCheckOptions {
  readonly seed?: number;
  readonly directions?: number; // of each tensor
}
const rowsOfData = 5;

export const checkGradients = (program: Program, options: GradientCheckOptions = {}): Generator<GradientCheck> =>
  stepwise(program.compilation, checkAll(program, options));
function* checkAll(program: Program, options: GradientCheckOptions): Generator<GradientCheck> {
  for (const t of program.trains) for (const o of t.objectives) yield* checkObjective(program, t, o, options);
}
/** The tensors that will be checked, in this order. */
export const gradientTargets = (program: Program): readonly string[] =>
  within(program.compilation, () =>
    program.trains.flatMap((t) => t.objectives.flatMap((o) => wantedOf(program, o).map((w) => w.name))),
  );

interface Wanted {
  readonly name: string;
  readonly kind: "parameter" | "input";
  readonly at: Node;
  readonly gradient: Node;
}
function wantedOf(program: Program, o: Objective): readonly Wanted[] {
  const reached = new Set(sourcesOf([o.loss]));
  const columns = program.datasets
    .flatMap((d) => d.columns)
    .filter((c) => c.source.dtype === "f32" && reached.has(c.source));
  const derivatives = gradient(
    o.loss,
    columns.map((c) => c.source),
  );
  return [
    ...o.gradients.map((g): Wanted => ({ name: g.parameter.path, kind: "parameter", at: g.at, gradient: g.gradient })),
    ...columns.flatMap((c, i): Wanted[] =>
      derivatives[i] ? [{ name: c.name, kind: "input", at: c.source, gradient: derivatives[i] }] : [],
    ),
  ];
}

function* checkObjective(
  program: Program,
  t: TrainProgram,
  o: Objective,
  options: GradientCheckOptions,
): Generator<GradientCheck> {
  const wanted = wantedOf(program, o);
  const next = generator(options.seed ?? 1);
  const roots = [o.loss, ...wanted.map((w) => w.gradient), ...wanted.map((w) => w.at)];
  const sources = withInitial(program, sourcesOf(roots));
  const dims = dimsOf(program, sources);
  const values = valuesAt(program, t, sources, dims, next);
  const found = evaluateNodes(roots, values, dims);
  const at = wanted.map((_, i) => found[1 + wanted.length + i]!);

  const held: number[] = [];
  const stop = functions.get("stop")!.evaluate as (x: number) => number; // of one operand
  const record: Instead = new Map([[stop, (x) => (held.push(x!), x!)]]);
  const base = evaluateNodes([o.loss], values, dims, record)[0]![0]!;
  /** The objective with the values of one node moved. */
  const objectiveAt = (node: Node, moved: Float64Array): number => {
    let k = 0;
    const replay: Instead = new Map([[stop, (x) => (k < held.length ? held[k++]! : x!)]]);
    return evaluateNodes([o.loss], new Map([...values, [node, moved]]), dims, replay)[0]![0]!;
  };
  for (const [i, w] of wanted.entries()) {
    const g = found[1 + i]!;
    let worst: { symbolic: number; numeric: number; error: number } | undefined;
    for (let k = 0; k < (options.directions ?? 2); k++) {
      const direction = Float64Array.from(g, () => normal(next));
      const length = Math.hypot(...direction) || 1;
      for (let j = 0; j < direction.length; j++) direction[j]! /= length;
      const symbolic = g.reduce((sum, x, j) => sum + x * direction[j]!, 0);
      const along = (h: number): number =>
        objectiveAt(
          w.at,
          at[i]!.map((x, j) => x + h * direction[j]!),
        );
      let best: typeof worst;
      // a kink within reach of a long step, rounding with a short one: the step that suits counts
      for (const h of [1e-5, 1e-6, 1e-4]) {
        const numeric = (along(h) - along(-h)) / (2 * h);
        const error =
          Math.abs(symbolic - numeric) / Math.max(Math.abs(symbolic), Math.abs(numeric), 1e-5 * Math.abs(base), 1e-9);
        if (!best || error < best.error) best = { symbolic, numeric, error };
        if (best.error < 1e-6) break;
      }
      if (!worst || !(best!.error <= worst.error)) worst = best;
    }
    yield {
      objective: o.name,
      tensor: w.name,
      kind: w.kind,
      shape: w.at.shape.map((n) => extentValue(n, dims)),
      norm: Math.hypot(...g),
      ...worst!,
    };
  }
}

// ---- the point

function sourcesOf(roots: readonly Node[]): Source[] {
  const found = new Set<Source>();
  const carried = new Set<Scan>();
  const walk = (nodes: readonly Node[]): void => {
    for (const x of topological(nodes)) {
      if (x.kind === "source" && x.role !== "carry") found.add(x);
      if (x.kind === "result" && !carried.has(x.scan)) {
        carried.add(x.scan);
        walk(levelInputs(x));
      }
    }
  };
  walk(roots);
  return [...found];
}
/** Also what their initial values are made of. */
function withInitial(program: Program, sources: readonly Source[]): Source[] {
  const initial = new Map([...program.parameters, ...program.states].map((h) => [h.source, h.initial]));
  const all = new Set(sources);
  for (const s of all) for (const x of initial.has(s) ? sourcesOf([initial.get(s)!]) : []) all.add(x); // the set grows while it is walked
  return [...all];
}
/** Rows of data and what follows from them; every other run-time size is small. */
function dimsOf(program: Program, sources: readonly Source[]): Dims {
  const dims: Record<string, number> = {};
  for (const d of program.datasets)
    dims[d.rows.name] =
      d.rowCount ??
      Math.max(
        rowsOfData,
        ...d.columns.map((c) =>
          c.loader.kind === "inline" ? c.loader.values.length / c.shape.reduce((a, b) => a * b, 1) : 0,
        ),
      );
  const visit = (n: Extent): void => {
    if (typeof n === "number") return;
    if (n.kind === "affine") n.terms.forEach(([atom]) => visit(atom as Extent));
    else if (dims[n.name] === undefined) {
      const column = program.datasets
        .flatMap((d) => d.columns.map((c) => ({ c, rows: dims[d.rows.name]! })))
        .find(({ c }) => c.source.shape.includes(n));
      dims[n.name] = column?.c.loader.kind === "windows" ? column.rows + column.c.loader.window - 1 : rowsOfData;
    }
  };
  for (const d of program.datasets) for (const c of d.columns) c.source.shape.forEach(visit);
  for (const s of sources) s.shape.forEach(visit);
  return dims;
}
function valuesAt(
  program: Program,
  t: TrainProgram,
  sources: readonly Source[],
  dims: Dims,
  next: () => number,
): Map<Source, Float64Array> {
  const values = new Map<Source, Float64Array>();
  const held = new Map([...program.parameters, ...program.states].map((h) => [h.source, h]));
  const columns = new Map(program.datasets.flatMap((d) => d.columns.map((c) => [c.source, c] as const)));
  const training = new Set(program.datasets.map((d) => d.training));
  const host = new Map(t.scalars.map((s) => [s.source, { seed: 1, steps: 100, epochs: 10 }[s.name] ?? 0]));
  const fill = (s: Source): void => {
    if (values.has(s) || s.data) return;
    const size = sizeOfShape(s.shape, dims);
    const make = (f: (i: number) => number): void =>
      void values.set(
        s,
        Float64Array.from({ length: size }, (_, i) => f(i)),
      );
    const whole = (range: Range | undefined, cap = 4): (() => number) => {
      const high = range && (typeof range.high === "number" ? range.high : extentValue(range.high, dims));
      const low = range && range.low > -(2 ** 31) ? range.low : 0;
      const end = high !== undefined && high < 2 ** 31 - 1 ? high : low + cap - 1;
      return () => low + Math.floor(next() * (end - low + 1));
    };
    const h = held.get(s);
    const column = columns.get(s);
    if (h) {
      const inner = sourcesOf([h.initial]);
      inner.forEach(fill);
      const [initial] = evaluateNodes([h.initial], values, dims);
      make((i) => initial![i]! + (h.kind === "parameter" && s.dtype === "f32" ? 0.1 * normal(next) : 0));
    } else if (host.has(s)) make(() => host.get(s)!);
    else if (column?.loader.kind === "inline") {
      const given = column.loader.values;
      make((i) => given[i]!);
    } else if (training.has(s)) make((i) => i);
    else if (s.dtype === "bool") make(() => Number(next() < 0.5));
    else if (column?.range && (column.storage === "u8" || column.storage === "i32"))
      make(whole({ low: column.range[0], high: column.range[1] - 1 }));
    else if (column?.storage === "u8") make(whole({ low: 0, high: 255 }));
    else if (s.dtype === "i32") make(whole(s.range));
    else if (s.role === "parameter" || s.role === "state")
      throw new InternalError(`gradient check: ${s.path} has no initial value`);
    else make(() => 2 * next() - 1);
  };
  sources.forEach(fill);
  return values;
}
/** mulberry32: values of a check need no more. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}
const normal = (next: () => number): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
