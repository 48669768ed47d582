// The plan: every program of a model fused, scheduled and lowered, its tensors in buffers, as data that the runtime replays.
import { InternalError, place } from "../../grammar/diagnostic.ts";
import {
  planVersion,
  sizeOf as sizeOfDims,
  type Command,
  type Copy,
  type Dispatch,
  type Plan,
  type PlanBuffer,
  type PlanDataset,
  type PlanEvaluation,
  type PlanExport,
  type PlanFieldCheck,
  type PlanModule,
  type PlanPort,
  type PlanProgram,
  type PlanSize,
  type PlanTensor,
  type PlanTrain,
  type Size,
  type Storage,
} from "../../runtime/plan.ts";
import type { FieldCheck, Program, TrainProgram } from "../elaborate/program.ts";
import { checkSize } from "../elaborate/sizes.ts";
import { zeros } from "../grad/grad.ts";
import { baseOf, inputs, source, topological } from "../graph/node.ts";
import { extentText } from "../graph/print.ts";
import { fitsAnySize, interval, isSize, operandsOf, visit } from "../graph/scalar.ts";
import type { Extent, GraphProgram, Node, Scalar, Scan, Shape, Source } from "../graph/types.ts";
import { flatten, type Flattened } from "../fuse/flat.ts";
import { fuse } from "../fuse/fuse.ts";
import type { KernelGraph, KernelStep, Step, View } from "../kernel/graph.ts";
import { loadsOf, lowerWhole, physical, storesOf, type WholeKernel } from "../lower/whole.ts";
import { narrow } from "../fuse/narrow.ts";
import { sizeOf } from "../fuse/storage.ts";
import type { Layout } from "../kernel/layout.ts";
import { sizeOfExtents } from "../kernel/sizes.ts";
import { lowerKernel, type Binding, type LoweredKernel } from "../lower/lower.ts";
import { wgslName } from "../wgsl/names.ts";
import type { Declaration, Module } from "../kernel/ir.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import type { Target } from "../kernel/target.ts";
import { bytesOf, elements } from "../scalar/dtype.ts";
import { mostI32 } from "../scalar/range.ts";
import { encodeBase64 } from "./base64.ts";
import { canonicalModule } from "./canonical.ts";
import { shareModules, type ModuleUse } from "./share.ts";
import { specKey, type SpecKey } from "./spec-key.ts";
import { assignSlots, liveRanges, verifySlots } from "./memory.ts";
import { movesOf } from "./moves.ts";

export interface PlanOptions {
  readonly name: string;
  readonly source: string;
  readonly compiler: string;
  readonly target: Target;
  readonly simplify: (program: GraphProgram) => GraphProgram;
}
/** What the phases made of one program, for dumps. */
export interface Compiled {
  readonly name: string;
  readonly simplified: GraphProgram;
  readonly kernels: KernelGraph;
  readonly lowered: readonly Lowered[];
  readonly memory: readonly {
    readonly label: string;
    readonly first: number;
    readonly last: number;
    readonly bytes: Size;
    readonly buffer: number;
  }[];
}
interface Lowered {
  readonly step: KernelStep;
  readonly kernel: LoweredKernel;
  readonly module: number;
}
interface PreparedStep {
  readonly flat: Flattened;
  readonly kernels: KernelGraph;
  readonly whole: WholeKernel | undefined;
}
interface CompileOptions {
  readonly prepared?: PreparedStep;
  readonly bounds?: ReadonlyMap<string, number>; // of run-time dims
  readonly chunkOf?: (bytesPerRow: number) => number; // of a program that runs in chunks
  readonly runs?: number; // that are expected
}
export interface Planned {
  readonly plan: Plan;
  readonly programs: readonly Compiled[];
}
const bytesOfShape = (shape: Shape, storage: Storage = "f32"): Size => scaled(sizeOfExtents(shape), bytesOf(storage));
const scaled = (size: Size, by: number): Size =>
  typeof size === "number" ? size * by : { sum: size.sum.map((t) => ({ factor: t.factor * by, dims: t.dims })) };
/** A kernel in a loop is worth more of the driver's time, up to so much. */
const mostRounds = 8;
const leastChunkBytes = 4 << 20; // of the largest intermediate value of one chunk of an evaluation

export function makePlan(program: Program, options: PlanOptions): Planned {
  return new Planner(program, options).run();
}

class Planner {
  private readonly program: Program;
  private readonly options: PlanOptions;
  private readonly buffers: PlanBuffer[] = [];
  private readonly modules: PlanModule[] = [];
  private readonly trees: Module[] = []; // of the modules
  private readonly canonicalOf = new Map<Module, string>(); // most kernels are lowered once for many tensors
  private readonly moduleOf = new Map<string, number>();
  private readonly moduleNames = new Map<string, number>();
  private readonly uses = new Map<number, ModuleUse>();
  private readonly memory = new Map<Node, { buffer: number; offset: number }>(); // of what outlives a program
  private readonly views = new Map<Node, View>();
  private readonly dense = new Map<Node, View>(); // slices that begin anywhere
  private readonly storage = new Map<Node, Storage>();
  private readonly pool: { buffer: number; bytes: number }[] = []; // slots shared by all programs of known sizes
  private readonly stepBuffers: number[] = []; // by depth of the loop
  private readonly stepCounts: number[] = [];
  private readonly programs: Compiled[] = [];
  private readonly features = new Set<string>();
  private subgroupSize: number | undefined;

  constructor(program: Program, options: PlanOptions) {
    this.program = program;
    // simplified, and no body wider than a kernel
    this.options = { ...options, simplify: (p) => narrow(options.simplify(p), options.target.storageBuffers - 2) };
  }

  run(): Planned {
    const { program, options } = this;
    for (const d of program.datasets)
      for (const c of d.columns) {
        this.storage.set(c.source, c.storage);
        const shape = c.source.shape;
        this.memory.set(c.source, {
          buffer: this.buffer({ label: c.name, role: "data", bytes: bytesOfShape(shape, c.storage) }),
          offset: 0,
        });
      }
    const prepared = new Map<TrainProgram, PreparedStep>();
    for (const t of program.trains) {
      const { step, groups } = this.simplifiedStep(t);
      const free = groups.map((g) => ({ ...g, members: g.members.filter((m) => !this.views.has(m.parameter)) }));
      // a step that fits in one launch needs no slices that can be bound by themselves
      const dense = isSmall(step) ? this.prepare(t.step.name, flatten(step, free, 1), true) : undefined;
      const made = dense?.whole ? dense : this.prepare(t.step.name, flatten(step, free), false);
      prepared.set(t, made);
      for (const [x, v] of made.flat.views) this.views.set(x, v);
      if (made.whole) for (const [x, v] of made.flat.views) this.dense.set(x, v);
    }
    for (const h of [...program.parameters, ...program.states]) this.stateMemory(h.source);
    const trains = program.trains.map((t) => this.train(t, prepared.get(t)!));
    const exports = program.exports.map((e): PlanExport => {
      const inputs = e.inputs.map((i): PlanPort => ({
        ...this.port(i.name, i.source),
        ...(i.default !== undefined ? { optional: i.default } : {}),
      }));
      const made = this.compile(options.simplify(e.program), { bounds: e.bounds });
      const sizes = openSizes(e.program);
      return {
        name: e.name,
        program: sizes.length ? { ...made.program, sizes } : made.program,
        inputs,
        outputs: e.outputs.map((o, k) => this.outputPort(o.name, o.node, made.outputs[k]!)),
      };
    });
    const init = this.lateInit();
    const checks = new Map(program.datasets.flatMap((d) => (d.check ? [[d, this.fieldCheck(d.check)] as const] : [])));
    const datasets = program.datasets.map((d): PlanDataset => {
      const check = checks.get(d);
      const training = [...this.memory].find(([x]) => x.kind === "source" && x.path === `data.${d.name}.training`)?.[1];
      return {
        name: d.name,
        columns: d.columns.map((c) => ({
          name: c.name,
          loader: c.loader,
          storage: c.storage,
          shape: c.shape,
          ...(c.range ? { range: c.range } : {}),
          buffer: this.memory.get(c.source)!.buffer,
          place: place(c.span),
        })),
        ...(d.rowCount !== undefined ? { rows: d.rowCount } : {}),
        holdouts: d.holdouts.map((h) => ({
          name: h.name,
          ...(h.fraction !== undefined ? { fraction: h.fraction } : {}),
          ...(h.dataset !== undefined ? { dataset: h.dataset } : {}),
          place: place(h.span),
        })),
        windowed: d.windowed,
        ...(training ? { training } : {}),
        ...(d.columns.length && !training && this.isStreamable(d) ? { streamable: true } : {}),
        ...(check ? { check } : {}),
      };
    });
    const states = [...program.parameters, ...program.states].flatMap((h): PlanTensor[] => {
      const at = this.memory.get(h.source);
      return at && h.path !== ""
        ? [
            {
              name: h.path,
              kind: h.kind,
              dtype: h.source.dtype,
              shape: h.source.shape.map(asSize),
              ...stateRange(h.source),
              ...at,
            },
          ]
        : [];
    });
    const used = new Set(trains.flatMap((t) => [t.ring.buffer]));
    const plan: Plan = {
      version: planVersion,
      name: options.name,
      source: options.source,
      compiler: options.compiler,
      target: options.target.name,
      requires: {
        features: [...this.features].sort(),
        limits: this.limits(),
        ...(this.subgroupSize !== undefined ? { subgroupSize: this.subgroupSize } : {}),
      },
      buffers: this.buffers.map((b) => b),
      modules: this.modules,
      states: states.filter((s) => !used.has(s.buffer)),
      datasets,
      ...(init ? { init } : {}),
      trains,
      exports,
    };
    const shared = shareModules(plan, this.trees, this.uses, options.target);
    return {
      plan: shared.plan,
      programs: this.programs.map((p) => ({
        ...p,
        lowered: p.lowered.map((l) => ({ ...l, module: shared.moduleOf[l.module]! })),
      })),
    };
  }
  /** Initial values of parameters and states that no train block sets. */
  private lateInit(): Plan["init"] {
    const set = new Set(this.program.trains.flatMap((t) => t.init.updates.map((u) => u.target)));
    const rest = [...this.program.parameters, ...this.program.states].filter(
      (h) => !set.has(h.source) && this.memory.has(h.source) && (h.kind === "parameter" || h.kind === "state"),
    );
    if (!rest.length) return undefined;
    const updates = rest.map((h) => ({ target: h.source, value: h.initial }));
    const inputs = topological(updates.map((u) => u.value)).flatMap((x) =>
      x.kind === "source" && x.role === "input" ? [x] : [],
    );
    const made = this.compile(this.options.simplify({ name: "init", inputs, dims: [], outputs: [], updates }), {
      runs: 1,
    });
    const seed = inputs.find((x) => x.path === "seed");
    return { program: made.program, ...(seed ? { seed: this.inputMemory(seed) } : {}) };
  }
  private fieldCheck(c: FieldCheck): PlanFieldCheck {
    let chunk = 1;
    const made = this.compile(this.options.simplify(c.program), {
      runs: 1,
      chunkOf: (bytesPerRow) =>
        (chunk = Math.max(16, Math.min(65536, 2 ** Math.floor(Math.log2(leastChunkBytes / Math.max(1, bytesPerRow)))))),
    });
    const seed = c.program.inputs.find((x) => x.path === "seed");
    const port = (k: number): PlanPort =>
      this.outputPort(c.program.outputs[k]!.name, c.program.outputs[k]!.node, made.outputs[k]!);
    return {
      program: made.program,
      chunk,
      index: this.inputMemory(c.index),
      ...(seed ? { seed: this.inputMemory(seed) } : {}),
      fields: c.fields.map((f, i) => ({
        name: f.name,
        range: f.range,
        at: port(2 * i),
        value: port(2 * i + 1),
        place: place(f.span),
      })),
    };
  }
  /** Row numbers are used to read columns, and for nothing else. */
  private isStreamable(d: Program["datasets"][number]): boolean {
    const columns = new Set<Node>(d.columns.map((c) => c.source));
    for (const t of this.program.trains) {
      if (t.dataset !== d.name) continue;
      const rows = new Set<Node>([t.index, t.evaluation?.index].filter((x): x is Source => x !== undefined));
      for (const p of [t.step, t.evaluation?.rows, t.evaluation?.finish]) {
        if (!p) continue;
        for (const x of topological([...p.outputs.map((o) => o.node), ...p.updates.map((u) => u.value)])) {
          if (!inputs(x).some((y) => rows.has(y))) continue;
          const roots = x.kind === "compute" ? [x.body] : x.kind === "scatter" ? [x.value, ...x.indices] : [];
          if (roots.some((e) => readsOutside(e, rows, columns))) return false;
        }
      }
    }
    return true;
  }
  private limits(): Record<string, number> {
    const largest = Math.max(0, ...this.buffers.map((b) => (typeof b.bytes === "number" ? b.bytes : 0)));
    return {
      maxStorageBuffersPerShaderStage: this.options.target.storageBuffers,
      ...(largest > 134217728 ? { maxStorageBufferBindingSize: largest } : {}),
      ...(largest > 268435456 ? { maxBufferSize: largest } : {}),
    };
  }

  // ---- memory
  private buffer(b: PlanBuffer): number {
    this.buffers.push(b);
    return this.buffers.length - 1;
  }
  private stateMemory(s: Source): { buffer: number; offset: number } {
    const known = this.memory.get(s);
    if (known) return known;
    const view = this.views.get(s);
    const made = view
      ? { buffer: this.stateMemory(view.memory).buffer, offset: this.stateMemory(view.memory).offset + 4 * view.offset }
      : { buffer: this.buffer({ label: s.path, role: "state", bytes: bytesOfShape(s.shape) }), offset: 0 };
    this.memory.set(s, made);
    return made;
  }
  /** Memory of a source that is not a state: an argument, a host's number, row numbers, a constant. */
  private inputMemory(s: Source): { buffer: number; offset: number } {
    const known = this.memory.get(s);
    if (known) return known;
    const label = s.path || "constant";
    const made = {
      buffer: this.buffer(
        s.role === "constant"
          ? { label, role: "constant", bytes: bytesOfShape(s.shape), data: base64(s) }
          : { label, role: "input", bytes: bytesOfShape(s.shape) },
      ),
      offset: 0,
    };
    this.memory.set(s, made);
    return made;
  }
  private port(name: string, s: Source): PlanPort {
    return { name, dtype: s.dtype, shape: s.shape.map(asSize), ...this.inputMemory(s), ...rangeOf(s) };
  }
  private outputPort(name: string, node: Node, at: { buffer: number; offset: number }): PlanPort {
    return { name, dtype: node.dtype, shape: node.shape.map(asSize), ...at };
  }

  // ---- train blocks
  /** The step, simplified, with its optimizer groups in the new nodes. Metrics that are no numbers are measured over splits only. */
  private simplifiedStep(t: TrainProgram): { step: GraphProgram; groups: TrainProgram["groups"] } {
    const gradients = t.groups.flatMap((g) => g.members.map((m) => m.gradient));
    const step = this.options.simplify({
      ...t.step,
      outputs: gradients.map((node, i) => ({ name: `gradient${i}`, node })),
    });
    const valueOf = new Map(step.updates.map((u) => [u.target, u.value]));
    let at = 0;
    const groups = t.groups.map((g) => ({
      ...g,
      members: g.members.map((m) => ({
        ...m,
        gradient: step.outputs[at++]!.node,
        updated: valueOf.get(m.parameter) ?? m.updated,
      })),
    }));
    return { step: { ...step, outputs: [] }, groups };
  }
  private train(t: TrainProgram, prepared: PreparedStep): PlanTrain {
    const { simplify } = this.options;
    const init = this.compile(simplify({ ...t.init, updates: this.joinZeros(t.init.updates) }), { runs: 1 });
    const step = this.compile(prepared.flat.step, { prepared });
    const ring = this.memory.get(t.ring)!;
    const evaluation = t.evaluation && this.evaluation(t);
    return {
      name: t.name,
      ...(t.dataset !== undefined ? { dataset: t.dataset } : {}),
      batch: t.batch,
      accumulate: t.accumulate,
      shuffle: t.shuffle,
      seed: t.seed,
      ...(t.epochs !== undefined ? { epochs: t.epochs } : {}),
      ...(t.steps !== undefined ? { steps: t.steps } : {}),
      init: init.program,
      step: step.program,
      ...(step.rounds ? { rounds: step.rounds } : {}),
      window: t.window,
      ...(t.index ? { batchIndex: this.inputMemory(t.index) } : {}),
      ring: { ...ring, columns: t.columns },
      stepCounter: t.counter.path,
      scalars: t.scalars.map((s) => this.port(s.name, s.source)),
      ...(evaluation ? { evaluate: evaluation } : {}),
      ...(t.evaluateEvery !== undefined ? { evaluateEvery: t.evaluateEvery } : {}),
      ...(t.stop ? { stop: t.stop } : {}),
      ...(t.save ? { save: t.save } : {}),
      ...(t.load.length ? { load: t.load } : {}),
    };
  }
  /** States that begin as zeros and share a flat buffer begin together. */
  private joinZeros(updates: GraphProgram["updates"]): GraphProgram["updates"] {
    const zero = (x: Node): boolean =>
      x.kind === "compute" && !x.reduction && x.body.kind === "literal" && x.body.value === 0;
    const byMemory = new Map<Source, { target: Source; value: Node }[]>();
    for (const u of updates) {
      const v = this.views.get(u.target);
      if (v) byMemory.set(v.memory, [...(byMemory.get(v.memory) ?? []), u]);
    }
    const joined = new Set<Source>();
    const result: { target: Source; value: Node }[] = [];
    for (const [memory, list] of byMemory) {
      if (!list.every((u) => zero(u.value))) continue;
      for (const u of list) joined.add(u.target);
      result.push({ target: memory, value: zeros(memory.shape) });
    }
    return [...updates.filter((u) => !joined.has(u.target)), ...result];
  }
  private evaluation(t: TrainProgram): PlanEvaluation {
    const e = t.evaluation!;
    const { simplify } = this.options;
    // a chunk is as large as the memory of a training step allows
    const room = Math.max(leastChunkBytes, ...this.pool.map((x) => x.bytes));
    let chunk = 1;
    const rows = this.compile(simplify(e.rows), {
      chunkOf: (bytesPerRow) =>
        (chunk = Math.max(16, Math.min(1024, 2 ** Math.floor(Math.log2(room / Math.max(1, bytesPerRow)))))),
    });
    for (const k of e.kept) this.inputMemory(k.source);
    const finish = this.compile(simplify(e.finish));
    return {
      chunk,
      rows: rows.program,
      index: this.inputMemory(e.index),
      kept: e.kept.map((k, i) => {
        const bytes = bytesOfShape(k.source.shape.slice(1));
        if (typeof bytes !== "number") throw new InternalError("evaluation: a kept tensor has a second run-time axis");
        return {
          name: k.name,
          bytesPerRow: bytes,
          from: rows.outputs[i]!.buffer,
          to: this.inputMemory(k.source).buffer,
        };
      }),
      finish: finish.program,
      metrics: e.finish.outputs.map((o, k) => this.outputPort(o.name, o.node, finish.outputs[k]!)),
    };
  }

  // ---- one program
  /** The step's kernels, and the one launch that does them all, where the step is small enough for it. */
  private prepare(name: string, flat: Flattened, tryWhole: boolean): PreparedStep {
    const { target } = this.options;
    const kernels = fuse(flat.step, target, flat);
    const isScratch = (x: Node): boolean => x.kind !== "source" || x.role === "carry" || flat.assembled.has(x);
    const comment = [`${name}: as many whole steps as \`rounds\` says, in one launch`];
    const whole = tryWhole
      ? lowerWhole(kernels.steps, this.layout, target, {
          name,
          comment,
          views: new Map([...this.views, ...flat.views]),
          isScratch,
        })
      : undefined;
    return { flat, kernels, whole };
  }
  private readonly layout: Layout = {
    storageOf: (x) => this.storage.get(x) ?? x.dtype,
    nameOf: (x) => (x.kind === "source" ? shortName(x.label ?? x.path) || "constants" : (x.label ?? "values")),
  };
  /** Of programs that run once or seldom: their draws take their sites from memory. */
  private readonly siteSources = new Map<number, Source>();
  private readonly layoutOfOnce: Layout = {
    ...this.layout,
    siteOf: (site) => {
      let found = this.siteSources.get(site);
      if (!found) {
        this.siteSources.set(
          site,
          (found = source({ role: "input", path: `draw.${site}`, shape: [1], dtype: "i32", label: "draw_site" })),
        );
        this.memory.set(found, {
          buffer: this.buffer({
            label: `draw.${site}`,
            role: "constant",
            bytes: 4,
            data: encodeBase64(new Uint8Array(Int32Array.of(site | 0).buffer)),
          }),
          offset: 0,
        });
      }
      return found;
    },
  };
  private compile(
    program: GraphProgram,
    { prepared, bounds, chunkOf, runs = this.options.target.runs }: CompileOptions = {},
  ): {
    program: PlanProgram;
    outputs: { buffer: number; offset: number }[];
    rounds?: { buffer: number; offset: number };
  } {
    const kernels =
      prepared?.kernels ??
      fuse(program, this.options.target, {
        step: program,
        views: this.views,
        assembled: new Map(),
        updatedBy: new Map(),
      });
    const lowered: Lowered[] = [];
    const outputs = new Set(kernels.outputs.map((o) => o.memory));
    // no kernel writes what has no elements
    const empty = [...outputs].filter((x) => x.shape.includes(0) && !(x.kind === "source" && x.role !== "carry"));
    // every tensor of this program alone gets a slot
    const own = new Map<Node, { buffer: number; offset: number }>();
    const persistent = (x: Node): boolean => x.kind === "source" && x.role !== "carry";
    const ranges = liveRanges(kernels.steps).filter((r) => !persistent(r.node) && !this.views.has(r.node));
    for (const { node } of ranges)
      checkSize(
        node.shape,
        node.span ?? { file: { name: this.options.name, text: this.options.source }, start: 0, end: 0 },
      );
    // of a program that runs in chunks the largest size is known: its tensors share the slots of all
    const perRow = (x: Node): number => {
      const size = bytesOfShape(x.shape);
      return typeof size === "number" ? 0 : size.sum.reduce((sum, t) => sum + t.factor, 0);
    };
    const chunk = chunkOf?.(Math.max(0, ...ranges.filter((r) => !outputs.has(r.node)).map((r) => perRow(r.node))));
    const mostBytes = (x: Node): Size => {
      const size = bytesOfShape(x.shape);
      return typeof size === "number" ||
        chunk === undefined ||
        size.sum.some((t) => t.dims.some((d) => d !== "rows") || t.dims.length > 1)
        ? size
        : sizeOfDims(size, { rows: chunk });
    };
    const known = ranges.filter((r) => !outputs.has(r.node) && typeof mostBytes(r.node) === "number");
    const { slotOf, bytes } = assignSlots(known, (x) => mostBytes(x) as number);
    verifySlots(ranges, slotOf);
    const slots = this.slots(bytes);
    for (const [x, slot] of slotOf) own.set(x, { buffer: slots[slot]!, offset: 0 });
    for (const r of ranges) {
      if (own.has(r.node)) continue;
      own.set(r.node, {
        buffer: this.buffer({
          label: `${program.name}.${r.node.label ?? "value"}`,
          role: outputs.has(r.node) ? "output" : "scratch",
          bytes: bytesOfShape(r.node.shape),
        }),
        offset: 0,
      });
    }
    for (const x of empty)
      own.set(x, {
        buffer: this.buffer({ label: `${program.name}.${x.label ?? "value"}`, role: "output", bytes: 0 }),
        offset: 0,
      });
    const addressOf = (x: Node): { buffer: number; offset: number } => {
      const found = own.get(x) ?? this.memory.get(x);
      if (found) return found;
      const view = this.views.get(x);
      if (view) {
        const at = addressOf(view.memory);
        return { buffer: at.buffer, offset: at.offset + 4 * view.offset };
      }
      if (x.kind !== "source") throw new InternalError(`plan: ${x.label ?? x.kind} has no memory`);
      // a flat buffer of gradients is not a state, but what lies between its slices must stay zero
      if (x.role === "state" || x.role === "parameter" || [...this.views.values()].some((v) => v.memory === x))
        return this.stateMemory(x);
      return this.inputMemory(x);
    };
    if (prepared?.whole) {
      const { dispatch, rounds } = this.wholeDispatch(program.name, prepared.whole, addressOf);
      this.programs.push({ name: program.name, simplified: program, kernels, lowered: [], memory: [] });
      return { program: { name: program.name, dims: [], commands: [dispatch] }, outputs: [], rounds };
    }
    const commands = (steps: readonly Step[], depth: number, rounds: number): Command[] =>
      steps.flatMap((s): Command[] => {
        if (s.kind === "loop") {
          const stepBuffer = this.stepBuffer(depth, s.scan.count);
          this.scanDepth.set(s.scan, depth);
          return [
            {
              kind: "loop",
              count: s.scan.count,
              reverse: s.scan.reverse,
              stepBuffer,
              body: commands(s.body, depth + 1, Math.min(mostRounds, rounds * s.scan.count)),
            },
          ];
        }
        // a dense slice cannot be bound by itself: its elements are read in the flat buffer
        const spec = this.dense.size ? physical(s.spec, this.dense) : s.spec;
        const step = spec === s.spec ? s : { kind: s.kind, spec, reads: loadsOf(spec), writes: storesOf(spec) };
        return (
          this.moves(spec, addressOf) ??
          this.dispatches(
            step,
            this.lower(spec, prepared ? this.layout : this.layoutOfOnce, runs * rounds),
            addressOf,
            runs * rounds,
            lowered,
          )
        );
      });
    const made = commands(kernels.steps, 0, 1);
    this.programs.push({
      name: program.name,
      simplified: program,
      kernels,
      lowered,
      memory: ranges.map((r) => ({
        label: r.node.label ?? r.node.kind,
        first: r.first,
        last: r.last,
        bytes: bytesOfShape(r.node.shape),
        buffer: own.get(r.node)!.buffer,
      })),
    });
    return {
      program: {
        name: program.name,
        dims: program.dims.map((d) => ({
          name: d.name,
          ...(bounds?.has(d.name) ? { at_most: bounds.get(d.name)! } : {}),
        })),
        commands: made,
      },
      outputs: kernels.outputs.map((o) => {
        const at = addressOf(o.memory);
        return { buffer: at.buffer, offset: at.offset + 4 * o.offset };
      }),
    };
  }
  private wholeDispatch(
    name: string,
    made: WholeKernel,
    addressOf: (x: Node) => { buffer: number; offset: number },
  ): { dispatch: Dispatch; rounds: { buffer: number; offset: number } } {
    const rounds = { buffer: this.buffer({ label: `${name}.rounds`, role: "input", bytes: 4 }), offset: 0 };
    const bindings: Dispatch["bindings"] = [
      ...made.bindings.map((b) => ({
        binding: b.binding,
        ...addressOf(b.node),
        bytes: bytesOfShape(b.node.shape, this.storage.get(b.node) ?? "f32"),
        access: b.access,
      })),
      { binding: made.rounds, ...rounds, bytes: 4, access: "uniform" as const },
    ];
    const dispatch: Dispatch = {
      kind: "dispatch",
      label: wgslName(name),
      module: this.module(wgslName(name), made.module),
      entry: made.entry,
      bindings,
      workgroups: [1, 1],
      flops: made.flops,
      lines: made.lines,
    };
    return { dispatch, rounds };
  }
  private readonly loweredSpecs = new Map<string, { key: SpecKey; kernel: LoweredKernel }>();
  private lower(spec: KernelSpec, wanted: Layout, runs: number): LoweredKernel {
    let layout = wanted;
    let key = specKey(spec, layout);
    // sites in memory take bindings, too
    if (layout.siteOf && key.tensors.length > this.options.target.storageBuffers)
      key = specKey(spec, (layout = this.layout));
    const name = `${runs}|${key.key}`;
    const known = this.loweredSpecs.get(name);
    if (!known) {
      const { target } = this.options;
      const kernel = lowerKernel(spec, layout, runs === target.runs ? target : { ...target, runs });
      const bindsTooMany = (k: LoweredKernel): boolean =>
        k.bindings.filter((b) => b.access !== "uniform").length > target.storageBuffers ||
        (k.before ?? []).some(bindsTooMany);
      if (layout.siteOf && bindsTooMany(kernel)) return this.lower(spec, this.layout, runs); // so do the parts of a split reduction
      this.loweredSpecs.set(name, { key, kernel });
      return kernel;
    }
    const moved = new Map<Node | Scan, Node | Scan>([
      ...known.key.tensors.map((x, i) => [x, key.tensors[i]!] as const),
      ...known.key.scans.map((x, i) => [x, key.scans[i]!] as const),
    ]);
    const again = (k: LoweredKernel): LoweredKernel => ({
      ...k,
      bindings: k.bindings.map((b) => ({
        ...b,
        node: moved.get(b.node.kind === "scan" ? b.node : baseOf(b.node)) ?? b.node,
      })),
      ...(k.before ? { before: k.before.map(again) } : {}),
    });
    return again(known.kernel);
  }
  private readonly scanDepth = new Map<Scan, number>();
  private slots(bytes: readonly number[]): number[] {
    // slots of one size after the other: the largest of this program take the largest of the pool
    return bytes.map((size, k) => {
      const have = this.pool[k];
      if (have) {
        if (size > have.bytes) {
          have.bytes = size;
          this.buffers[have.buffer] = { ...this.buffers[have.buffer]!, bytes: size };
        }
        return have.buffer;
      }
      const buffer = this.buffer({ label: `scratch${k}`, role: "scratch", bytes: size });
      this.pool.push({ buffer, bytes: size });
      return buffer;
    });
  }
  private stepBuffer(depth: number, count: number): number {
    const most = Math.max(count, this.stepCounts[depth] ?? 0);
    this.stepCounts[depth] = most;
    const b: PlanBuffer = { label: `steps${depth || ""}`, role: "steps", bytes: 256 * most };
    const known = this.stepBuffers[depth];
    if (known !== undefined) {
      this.buffers[known] = b;
      return known;
    }
    return (this.stepBuffers[depth] = this.buffer(b));
  }
  /** A kernel as commands that need no code. Memory that is bytes, and copies inside one buffer or of what the kernel itself writes, stay with kernels. */
  private moves(spec: KernelSpec, addressOf: (x: Node) => { buffer: number; offset: number }): Copy[] | undefined {
    const words = (x: Node): boolean => this.storage.get(x) !== "u8";
    return movesOf(spec)?.reduce<Copy[] | undefined>((list, { target, at, count, from }) => {
      const place = (x: Node, element: number): { buffer: number; offset: number } => ({
        buffer: addressOf(x).buffer,
        offset: addressOf(x).offset + 4 * element,
      });
      const to = place(target, at);
      const source = from && { from: place(from.node, from.at) };
      if (
        !list ||
        !words(target) ||
        (from &&
          (!words(from.node) ||
            source!.from.buffer === to.buffer ||
            list.some((c) => c.to.buffer === source!.from.buffer)))
      )
        return undefined;
      return [...list, { kind: "copy", ...source, to, bytes: 4 * count }];
    }, []);
  }
  private dispatches(
    step: KernelStep,
    kernel: LoweredKernel,
    addressOf: (x: Node) => { buffer: number; offset: number },
    runs: number,
    lowered: Lowered[],
  ): Command[] {
    const partials = new Map<Node, { buffer: number; offset: number }>();
    const at = (x: Node): { buffer: number; offset: number } => partials.get(x) ?? addressOf(x);
    const result: Command[] = [];
    for (const k of [...(kernel.before ?? []), kernel]) {
      for (const b of k.bindings) {
        const x = b.node;
        if (x.kind === "scan" || this.memory.has(x) || step.reads.has(x) || step.writes.has(x) || partials.has(x))
          continue;
        partials.set(x, { buffer: this.partialBuffer(bytesOfShape(x.shape), partials.size), offset: 0 });
      }
      result.push(this.dispatch(step, k, at, runs, lowered));
    }
    return result;
  }
  /** Partial results of one kernel, used up by the next dispatch. */
  private readonly partialPool: number[] = [];
  private partialBuffer(bytes: Size, k: number): number {
    if (typeof bytes !== "number") return this.buffer({ label: "partial", role: "scratch", bytes });
    const known = this.partialPool[k];
    if (known === undefined)
      return (this.partialPool[k] = this.buffer({ label: `partial${k || ""}`, role: "scratch", bytes }));
    if ((this.buffers[known]!.bytes as number) < bytes) this.buffers[known] = { ...this.buffers[known]!, bytes };
    return known;
  }
  private dispatch(
    step: KernelStep,
    kernel: LoweredKernel,
    addressOf: (x: Node) => { buffer: number; offset: number },
    runs: number,
    lowered: Lowered[],
  ): Dispatch {
    const bindings = kernel.bindings.map((b) => this.binding(b, addressOf));
    // a buffer is bound for writing or for reading in one dispatch, not both
    const written = new Set(bindings.filter((b) => b.access === "read_write").map((b) => b.buffer));
    let module = kernel.module;
    for (const [i, b] of bindings.entries()) {
      if (b.access !== "read" || !written.has(b.buffer)) continue;
      const overlap = bindings.some(
        (o) =>
          o !== b &&
          o.buffer === b.buffer &&
          typeof o.bytes === "number" &&
          typeof b.bytes === "number" &&
          o.offset < b.offset + b.bytes &&
          b.offset < o.offset + o.bytes,
      );
      if (overlap)
        throw new InternalError(
          `plan: ${step.spec.name} reads and writes the same memory under two names: ${kernel.bindings.map((x) => `${x.node.kind === "scan" ? "step" : layoutName(x.node)} ${x.access}`).join(", ")}`,
        );
      const declared = (d: Declaration, k: number): Declaration =>
        k === b.binding ? { ...d, space: "storage, read_write" } : d;
      module = { ...module, bindings: module.bindings.map(declared) };
      bindings[i] = { ...b, access: "read_write" };
    }
    const storage = bindings.filter((b) => b.access !== "uniform").length;
    if (storage > this.options.target.storageBuffers)
      throw new InternalError(
        `plan: ${step.spec.name} binds ${storage} buffers: ${kernel.bindings.map((b) => (b.node.kind === "scan" ? "step" : layoutName(b.node))).join(", ")}`,
      );
    const number = this.module(step.spec.name, module);
    lowered.push({ step, kernel, module: number });
    const { compileMs, starts } = kernel.price;
    this.uses.set(number, { compileMs, starts: starts * runs + (this.uses.get(number)?.starts ?? 0) });
    if (module.enables.includes("subgroups")) {
      this.features.add("subgroups");
      this.subgroupSize = this.options.target.lanes;
    }
    const lines = step.spec.lines;
    return {
      kind: "dispatch",
      label: step.spec.name,
      module: number,
      entry: kernel.entry,
      ...(kernel.constants.length ? { constants: kernel.constants } : {}),
      bindings,
      workgroups: kernel.workgroups,
      flops: kernel.flops,
      ...(lines?.length ? { lines } : {}),
    };
  }
  private binding(
    b: Binding,
    addressOf: (x: Node) => { buffer: number; offset: number },
  ): Dispatch["bindings"][number] {
    if (b.node.kind === "scan")
      return {
        binding: b.binding,
        buffer: this.stepBuffers[this.scanDepth.get(b.node)!]!,
        offset: 0,
        bytes: 4,
        access: b.access,
      };
    const base = baseOf(b.node);
    const at = addressOf(base);
    return {
      binding: b.binding,
      buffer: at.buffer,
      offset: at.offset,
      bytes: bytesOfShape(base.shape, this.storage.get(base) ?? "f32"),
      access: b.access,
    };
  }
  private module(name: string, module: Module): number {
    let canonical = this.canonicalOf.get(module);
    if (canonical === undefined) this.canonicalOf.set(module, (canonical = canonicalModule(module)));
    const known = this.moduleOf.get(canonical);
    if (known !== undefined) return known;
    const base = wgslName(name);
    const n = (this.moduleNames.get(base) ?? 0) + 1;
    this.moduleNames.set(base, n);
    this.modules.push({ name: n === 1 ? base : `${base}_${n}` });
    this.trees.push(module);
    this.moduleOf.set(canonical, this.modules.length - 1);
    return this.modules.length - 1;
  }
}
/** Could all of it be done by one workgroup in less time than launches take? A rough look, before any kernel is made. */
function isSmall(program: GraphProgram): boolean {
  let iterations = 0;
  for (const x of topological(program.updates.map((u) => u.value))) {
    if (x.kind === "compute") iterations += sizeOf([...x.shape, ...(x.reduction?.extents ?? [])]);
    if (iterations > 1 << 20) return false;
  }
  return true;
}
/** Is one of `rows` loaded anywhere but in an index of one of `columns`? */
function readsOutside(root: Scalar, rows: ReadonlySet<Node>, columns: ReadonlySet<Node>): boolean {
  const seen = new Set<Scalar>();
  const stack = [root];
  while (stack.length) {
    const e = stack.pop()!;
    if (seen.has(e)) continue;
    seen.add(e);
    if (e.kind === "load" && rows.has(e.tensor)) return true;
    if (e.kind === "load" && columns.has(e.tensor)) continue;
    stack.push(...operandsOf(e));
  }
  return false;
}
const asSize = (n: Shape[number]): Size => sizeOfExtents([n]);
/** Sizes of an export's tensors that some dims make negative (x[3..B] where B is 2), and numbers made of sizes that some take out of i32 (100000 * B). */
function openSizes(program: GraphProgram): PlanSize[] {
  const found = new Map<string, PlanSize>();
  const add = (n: Exclude<Extent, number>, signed: boolean): void => {
    const text = extentText(n);
    if (!found.has(text)) found.set(text, { size: asSize(n), text, ...(signed ? { signed } : {}) });
  };
  const seen = new Set<Scalar>();
  for (const x of topological(program.outputs.map((o) => o.node))) {
    for (const n of x.shape) if (typeof n !== "number" && interval(n).low < 0) add(n, false);
    for (const e of x.kind === "compute" ? [x.body] : x.kind === "scatter" ? [x.value, ...x.indices] : [])
      visit(e, (y) => y.kind === "affine" && y.terms.length && isSize(y) && !fitsAnySize(y) && add(y, true), seen);
  }
  return [...found.values()];
}
/** Of a state that declares a range: the counters' own is no declaration. */
function stateRange(s: Source): { range?: readonly [number, number] } {
  const range = rangeOf(s).range;
  return range && typeof range[1] === "number" ? { range: [range[0], range[1]] } : {};
}
function rangeOf(s: Source): { range?: readonly [number, Size] } {
  if (
    s.dtype !== "i32" ||
    !s.range ||
    s.range.low === -Infinity ||
    (typeof s.range.high === "number" && s.range.high >= mostI32)
  )
    return {};
  const high = s.range.high;
  if (typeof high === "number") return { range: [s.range.low, high + 1] };
  const end = sizeOfExtents([high]);
  return { range: [s.range.low, typeof end === "number" ? end + 1 : { sum: [...end.sum, { factor: 1, dims: [] }] }] };
}
const layoutName = (x: Node): string => (x.kind === "source" ? x.path : (x.label ?? x.kind));
/** The last words of a dotted path. */
const shortName = (path: string): string => path.split(".").slice(-3).join("_");
function base64(s: Source): string {
  const data = s.data ?? [];
  return encodeBase64(new Uint8Array(Int32Array.from(data, elements[s.dtype].bits).buffer));
}
