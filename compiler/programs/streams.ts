// Streams in tiles: a workgroup takes a tile of rows and walks the stream tile by tile; what is wide lies in its memory a tile at a time. In: kernels
// with StreamSteps. Out: the same with RowwiseSteps, whose tiles have the sizes of the least price.
import { InternalError } from "../../grammar/diagnostic.ts";
import { source } from "../graph/node.ts";
import {
  call,
  iadd,
  imul,
  integer,
  isub,
  literal,
  load,
  local,
  nonNegative,
  select,
  substitute,
  sub,
  add,
  mul,
  variable,
} from "../graph/scalar.ts";
import type { Integer, Local, Node, Scalar, Scan, Shape, Source, Variable } from "../graph/types.ts";
import type {
  FusedStep,
  KernelGraph,
  KernelStep,
  LoopStep,
  Rounds,
  RowwiseStep,
  Seen,
  Step,
  StreamFold,
  StreamStep,
} from "../kernel/graph.ts";
import type { Stage, Store } from "../kernel/kernel.ts";
import { fusionLimits } from "../kernel/limits.ts";
import type { Layout } from "../kernel/layout.ts";
import type { Target } from "../kernel/target.ts";
import { bodyCost } from "../fuse/storage.ts";
import { fitsWorkgroup, smallestTile } from "../fuse/worth.ts";
import { loadsOf, storesOf } from "../lower/procedures.ts";
import { elements } from "../scalar/dtype.ts";
import { priceGrid } from "../schedule/rowwise.ts";
import { round, roundFor } from "./grid.ts";
import { specKey } from "../kernel/spec-key.ts";

export function placeStreams(kernels: KernelGraph<FusedStep>, target: Target): KernelGraph {
  const chosen = new Map<string, Choice>(); // of streams that differ only in their tensors
  const steps = (list: readonly FusedStep[]): Step[] =>
    list.map((s): Step => {
      if (s.kind === "kernel") return s;
      if (s.kind === "loop") return { ...s, body: steps(s.body) };
      const key = keyOf(s);
      const choice = chosen.get(key) ?? choose(s, target);
      chosen.set(key, choice);
      return { ...inTiles(s, choice.size, target)!, workgroup: choice.workgroup };
    });
  return { ...kernels, steps: steps(kernels.steps) };
}
interface Choice {
  readonly size: TileSize;
  readonly workgroup: number;
  readonly total: number; // ns
}
/** First the length of the steps under a middling number of rows, then the number of rows. */
function choose(s: StreamStep, target: Target): Choice {
  const allRows = sizesUpTo(s.row.extent as number);
  const middle = allRows.filter((n) => n <= middlingRows).at(-1) ?? allRows[0]!;
  let best: Choice | undefined;
  const see = (size: TileSize): void => {
    const made = inTiles(s, size, target);
    if (!made) return;
    for (const workgroup of target.together) {
      const total = priceGrid(made.body, made.grid, { workgroup, inTurn: made.inTurn }, target);
      if (total < (best?.total ?? Infinity)) best = { size, workgroup, total };
    }
  };
  for (const steps of sizesUpTo(s.stream.extent as number)) see({ rows: middle, steps });
  // much that is summed leaves room for few rows
  for (const rows of [smallestTile, 4, 2, 1])
    if (!best && rows <= (s.row.extent as number)) see({ rows, steps: sizesUpTo(s.stream.extent as number)[0]! });
  if (!best) throw new InternalError(`${s.spec.name}: no tile fits in a workgroup's memory`);
  const { steps } = best.size;
  for (const rows of allRows) if (rows !== middle) see({ rows, steps });
  return best;
}
const sizes = [smallestTile, 16, 32, 64, 128];
const middlingRows = 16;
/** Sizes of tiles along an axis of so many elements. */
const sizesUpTo = (n: number): number[] =>
  n <= smallestTile ? [n] : [...sizes.filter((x) => x < n), ...(n <= 128 ? [n] : [])];
/** Streams with equal keys differ only in their tensors. */
function keyOf(s: StreamStep): string {
  const axes = [...s.grid, s.row, ...s.serial, s.stream];
  const stages: Stage[] = [
    ...s.contractions,
    ...s.folds.flatMap((x): Stage[] => [
      { local: x.local, op: x.op, over: x.extras, value: x.wide },
      ...(x.rest ? [{ local: x.local, op: x.op, over: x.extras, value: x.rest }] : []),
    ]),
  ];
  const { key } = specKey({ ...s.spec, axes, stages, stores: s.stores }, plainLayout);
  return `${JSON.stringify(s.seen)}\n${key}`;
}
const plainLayout: Layout = { storageOf: (x) => x.dtype, nameOf: () => "" };

interface TileSize {
  readonly rows: number;
  readonly steps: number; // of the stream
}
type Placed = RowwiseStep & { readonly grid: readonly Scan[] };
/** The step with tiles of this size, unless they do not fit in a workgroup's memory. */
function inTiles(s: StreamStep, { rows, steps }: TileSize, target: Target): Placed | undefined {
  const tiler = new Tiler(s, rows, steps, target);
  const body = tiler.body();
  const bytes = [...tiler.local].reduce((n, x) => n + bytesOf(x), 0);
  const bound = s.reads.size + s.writes.size + tiler.sums.size;
  if (bytes > target.workgroupMemory || (tiler.sums.size && bound > target.storageBuffers)) return undefined;
  return {
    kind: "rowwise",
    name: s.spec.name,
    body,
    rows: undefined,
    grid: tiler.grid,
    workgroup: target.simd,
    own: false,
    inTurn: Math.min(target.inTurn, target.workgroupMemory - bytes),
    local: tiler.local,
    views: new Map(),
    reads: s.reads,
    writes: new Set([...s.writes, ...tiler.sums]),
  };
}
const bytesOf = (x: Source): number => x.shape.reduce<number>((n, e) => n * (e as number), 1) * elements[x.dtype].bytes;
/** A tensor of the workgroup: of its rows, at the places of this tile. */
class Tiler {
  readonly local = new Set<Source>();
  readonly sums = new Set<Source>(); // that are too large for the workgroup's memory
  readonly grid: readonly Scan[];
  private readonly s: StreamStep;
  private readonly target: Target;
  private readonly rowCount: number;
  private readonly steps: number;
  private readonly serial: readonly Scan[];
  private readonly tiles: Scan; // of the stream
  private readonly rowTile: Scan;
  private readonly isOne: boolean; // the whole stream is one tile
  private readonly row: Variable;
  private readonly step: Variable;
  private readonly places: Map<Scalar, Scalar>;
  private readonly inside: Scalar | undefined; // is this step of the tile not one of the tile before?
  private readonly results = new Map<Local, Source>(); // of folds, so far
  private readonly rescales = new Map<Local, Source>(); // by maximum: what sums under the last maximum are multiplied by
  private kernels: KernelStep[] = [];

  constructor(s: StreamStep, rows: number, steps: number, target: Target) {
    const [n, m] = [s.row.extent as number, s.stream.extent as number];
    this.s = s;
    this.target = target;
    this.rowCount = rows;
    this.steps = steps;
    this.rowTile = round(Math.ceil(n / rows));
    this.serial = s.serial.map((v) => round(v.extent as number));
    this.tiles = round(Math.ceil(m / steps));
    const outer = s.grid.map((v) => roundFor(v.extent));
    this.grid = [...outer, this.rowTile];
    this.isOne = this.tiles.count === 1 && !this.serial.length;
    this.row = variable(rows, "i");
    this.step = variable(steps, "k");
    // the last tile begins earlier where it would not be full: its rows are computed twice, its steps count once
    const firstRow = start(this.rowTile, rows, n);
    const firstStep = start(this.tiles, steps, m);
    this.inside =
      m % steps ? nonNegative(isub(iadd(firstStep, this.step), imul(roundOf(this.tiles), steps))) : undefined;
    this.places = new Map<Scalar, Scalar>([
      ...s.grid.map((v, i) => [v, roundOf(outer[i]!)] as const),
      ...s.serial.map((v, i) => [v, roundOf(this.serial[i]!)] as const),
      [s.row, iadd(firstRow, this.row)],
      [s.stream, iadd(firstStep, this.step)],
    ]);
  }
  body(): Step[] {
    const before = this.made(() => this.begin());
    const within = this.made(() => this.walk());
    const after = this.made(() => this.finish());
    if (this.isOne) return [...within, ...after];
    const rounds = this.s.seen && this.roundsOf(this.s.seen);
    let loop: LoopStep = { ...this.loop(this.tiles, within), ...(rounds ? { within: rounds } : {}) };
    for (const scanned of [...this.serial].reverse()) loop = this.loop(scanned, [loop]);
    return [...before, loop, ...after];
  }
  /** The tiles that have an element which counts. */
  private roundsOf({ row, stream, constant }: Seen): Rounds {
    const { rowCount: rows, steps, rowTile: of } = this;
    // of the last tile, which may begin earlier, no row is later than is said here
    const early = (this.s.row.extent as number) % rows ? rows - 1 : 0;
    const most = constant + (row > 0 ? row * (rows - 1) : -row * early); // of row * (its row) + constant, beyond row * rows * round
    const divisor = Math.abs(stream) * steps;
    return stream < 0
      ? { of, high: { scale: row * rows, constant: most, divisor } }
      : { of, low: { scale: -row * rows, constant: divisor - 1 - most - stream * (steps - 1), divisor } };
  }
  private made(work: () => void): KernelStep[] {
    this.kernels = [];
    work();
    return this.kernels;
  }
  private loop(scanned: Scan, body: readonly Step[]): LoopStep {
    const union = (of: (x: Step) => ReadonlySet<Node>): Set<Node> => new Set(body.flatMap((x) => [...of(x)]));
    return { kind: "loop", scan: scanned, body, reads: union((x) => x.reads), writes: union((x) => x.writes) };
  }

  // ---- memory

  private tensor(label: string, shape: Shape, isLocal = true): Source {
    const memory = source({ role: "scratch", path: label, shape, dtype: "f32", label });
    (isLocal ? this.local : this.sums).add(memory);
    return memory;
  }
  /** Where a fold's result grows, and the place of a row's element there. */
  private sum(fold: StreamFold): Source {
    let own = this.results.get(fold.local);
    if (!own) {
      const extents = fold.extras.map((v) => v.extent as number);
      const shape = [this.rowCount, ...extents];
      const isLocal = fitsWorkgroup(shape, this.target);
      const name = `${fold.local.name}_here`;
      own = isLocal
        ? this.tensor(name, shape)
        : this.tensor(name, [...this.grid.map((g) => g.step.extent), this.rowCount, ...extents], false);
      this.results.set(fold.local, own);
    }
    return own;
  }
  private placeIn(x: Source, rest: readonly Integer[]): Integer[] {
    return this.local.has(x) ? [this.row, ...rest] : [...this.grid.map(roundOf), this.row, ...rest];
  }
  private result(fold: StreamFold, extras: readonly Integer[] = fold.extras): Scalar {
    const x = this.sum(fold);
    return load(x, this.placeIn(x, extras));
  }
  private own<T extends Scalar>(e: T): T {
    return substitute(e, this.places) as T;
  }

  // ---- kernels

  private kernel(name: string, axes: readonly Variable[], stages: readonly Stage[], stores: readonly Store[]): void {
    if (!stores.length) return;
    const spec = {
      name: `${this.s.spec.name}_${name}`,
      comment: this.s.spec.comment,
      lines: this.s.spec.lines ?? [],
      axes,
      stages,
      stores,
    };
    this.kernels.push({ kind: "kernel", spec, reads: loadsOf(spec), writes: storesOf(spec) });
  }
  private store(target: Source, value: Scalar, extras: readonly Variable[] = []): Store {
    return { target, over: [], indices: this.placeIn(target, extras), value };
  }
  private begin(): void {
    for (const fold of this.s.folds) {
      const axes = [this.row, ...fold.extras];
      this.kernel("begin", axes, [], [this.store(this.sum(fold), literal(empty(fold)), fold.extras)]);
    }
  }
  private walk(): void {
    const { folds } = this.s;
    const own = folds.filter((x) => !this.waits(x));
    const raw = new Map<Scalar, Scalar>(); // locals of contractions as they lie in tiles
    const tiles = new Map<Scalar, Source>(); // by what they hold
    this.scores(own, raw, tiles);
    for (const fold of own.filter((x) => x.op === "max")) this.maximum(fold, raw);
    const late = folds.filter((x) => this.waits(x));
    for (const wide of new Set(late.map((x) => x.wide))) this.pointwise(wide, raw, tiles);
    for (const fold of folds) if (fold.op === "sum") this.add(fold, tiles.get(fold.wide)!);
  }
  private waits(fold: StreamFold): boolean {
    return fold.follows !== undefined;
  }
  /** Contractions, and what is cheaply made of them at once. */
  private scores(own: readonly StreamFold[], raw: Map<Scalar, Scalar>, tiles: Map<Scalar, Source>): void {
    const { contractions, folds } = this.s;
    const wides = [...new Set(own.filter((x) => x.op === "sum").map((x) => x.wide))];
    const isCheap = wides.reduce((sum, e) => sum + bodyCost(e), 0) <= fusionLimits[this.target.class].longestEpilogue;
    const needsRaw = !isCheap || folds.some((x) => x.op === "max");
    const stages = contractions.map((c): Stage => ({
      ...c,
      local: local(c.local.name, "f32"),
      value: this.own(c.value),
    }));
    const here = new Map<Scalar, Scalar>(contractions.map((c, i) => [c.local as Scalar, stages[i]!.local]));
    const stores: Store[] = [];
    const tile = (name: string, value: Scalar): Source => {
      const x = this.tensor(name, [this.rowCount, this.steps]);
      stores.push({ target: x, over: [], indices: [this.row, this.step], value });
      return x;
    };
    if (needsRaw)
      for (const c of contractions)
        raw.set(c.local, load(tile(`${c.local.name}_tile`, here.get(c.local)!), [this.row, this.step]));
    if (isCheap)
      for (const [i, e] of wides.entries())
        tiles.set(e, tile(`weights${i}_tile`, this.masked(substitute(this.own(e), here), 0)));
    this.kernel("scores", [this.row, this.step], stages, stores);
    if (!isCheap) for (const e of wides) this.pointwise(e, raw, tiles);
  }
  private masked(e: Scalar, beyond: number): Scalar {
    return this.inside ? select(this.inside, e, beyond) : e;
  }
  private pointwise(wide: Scalar, raw: ReadonlyMap<Scalar, Scalar>, tiles: Map<Scalar, Source>): void {
    if (tiles.has(wide)) return;
    const target = this.tensor(`weights${tiles.size}_tile`, [this.rowCount, this.steps]);
    const value = this.masked(this.withResults(substitute(this.own(wide), raw)), 0);
    this.kernel("weights", [this.row, this.step], [], [{ target, over: [], indices: [this.row, this.step], value }]);
    tiles.set(wide, target);
  }
  /** Maxima that are followed are read where they lie. */
  private withResults(e: Scalar): Scalar {
    return substitute(
      e,
      new Map(this.s.folds.flatMap((x) => (x.extras.length ? [] : [[x.local as Scalar, this.result(x)] as const]))),
    );
  }
  private maximum(fold: StreamFold, raw: ReadonlyMap<Scalar, Scalar>): void {
    const most = local(fold.local.name, "f32");
    const over = [this.step];
    const value = this.masked(substitute(this.own(fold.wide), raw), -Infinity);
    const stage: Stage = { local: most, op: "max", over, value };
    const before = this.result(fold);
    const now = this.isOne ? most : call("max", before, most);
    const stores = [this.store(this.sum(fold), now)];
    if (!this.isOne && this.s.folds.some((x) => x.follows === fold.local)) {
      const rescale = this.tensor("rescale_here", [this.rowCount]);
      this.rescales.set(fold.local, rescale);
      stores.unshift(this.store(rescale, call("exp", sub(before, now))));
    }
    this.kernel("largest", [this.row], [stage], stores);
  }
  private add(fold: StreamFold, tile: Source): void {
    const sum = local(fold.local.name, "f32");
    const weight = load(tile, [this.row, this.step]);
    const value = fold.rest ? mul(weight, this.own(fold.rest)) : weight;
    const rescale = fold.follows && this.rescales.get(fold.follows);
    const before = this.result(fold);
    const scaled = rescale ? mul(before, load(rescale, [this.row])) : before;
    const total = this.isOne ? sum : add(scaled, sum);
    this.kernel(
      "sum",
      [this.row, ...fold.extras],
      [{ local: sum, op: "sum", over: [this.step], value }],
      [this.store(this.sum(fold), total, fold.extras)],
    );
  }
  private finish(): void {
    const byAxes = new Map<readonly Variable[], Store[]>();
    for (const s of this.s.stores) byAxes.set(s.over, [...(byAxes.get(s.over) ?? []), s]);
    const results = new Map(this.s.folds.map((x) => [x.local as Scalar, this.result(x)] as const));
    for (const [extras, list] of byAxes)
      this.kernel(
        "end",
        [this.row, ...extras],
        [],
        list.map((s) => ({
          ...s,
          over: [],
          indices: s.indices.map((e) => this.own(e)),
          value: this.own(substitute(s.value, results)),
        })),
      );
  }
}
const roundOf = (s: Scan): Variable => s.step;
const empty = (fold: StreamFold): number => (fold.op === "max" ? -Infinity : 0);
/** The first element of a tile, so that none lies outside. */
function start(tile: Scan, size: number, extent: number): Integer {
  if (tile.count === 1) return integer(0);
  const first = imul(roundOf(tile), size);
  return extent % size ? (call("min", first, integer(extent - size)) as Integer) : first;
}
