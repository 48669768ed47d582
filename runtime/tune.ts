// Which kernels are the fastest on a device. In: a loaded model whose plan has alternatives. Out: what each takes, and the plan with those that are faster
// beyond doubt. Most programs need none of this, so it stands apart: the rest of the runtime does not import it.
import type { TunedKernel, TuneOptions, Tuner, TuneResult, Tuning } from "./api.ts";
import { boundBy, hashOf, type Command, type Dispatch, type Launch, type Plan, type PlanTrain } from "./plan.ts";
import type { RecordedDispatch, Recording } from "./recording.ts";
import type { OwnTuner, Prepare, Session } from "./session.ts";

const own: OwnTuner = { plan: planBy, tune };
export const tuner: Tuner = own;

// GPUBufferUsage and GPUMapMode by value: Node has no such globals
const usage = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128, uniform: 64, resolve: 512 };
const leastGain = 0.95; // of the median; less is not worth a change
const mostSpread = 0.5; // of a median, between the quartiles: a measurement that says nothing
const leastRounds = 5;
const mostRounds = 25;
const hopeless = 2; // times the first measurement of the kernel that there is
const mostCompared = 1 << 20; // bytes of a result, in so many ...
const pieces = 16;
const tolerance = 1e-3; // of the largest number of a result: sums in another order differ by far less

// ---- which there are

/** Keys of what has alternatives, numbered as they come. */
function choicesOf(plan: Plan): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const walk = (list: readonly Command[]): void => {
    for (const c of list)
      if (c.kind === "loop") walk(c.body);
      else if (c.kind === "dispatch" && c.alternatives && !found.has(c.alternatives.key))
        found.set(c.alternatives.key, found.size);
  };
  for (const t of plan.trains) walk(t.step.commands);
  return found;
}

/** `taken`: a way for every choice; 0 is what stands there. */
function withWays(plan: Plan, taken: readonly number[]): Plan {
  if (!taken.some((n) => n > 0)) return plan;
  const choices = choicesOf(plan);
  const commands = (list: readonly Command[]): Command[] => {
    const out: Command[] = [];
    for (const c of list) {
      const { key, parts, ways } = (c.kind === "dispatch" && c.alternatives) || none;
      const way = ways[(taken[choices.get(key)!] ?? 0) - 1];
      if (c.kind === "loop") out.push({ ...c, body: commands(c.body) });
      else if (way) out.splice(out.length - parts, parts, ...way.dispatches);
      else out.push(c);
    }
    return out;
  };
  const trains = plan.trains.map((t) => ({ ...t, step: { ...t.step, commands: commands(t.step.commands) } }));
  return { ...plan, trains };
}
const none = { key: "", parts: 0, ways: [] } as const;
function planBy(whole: Plan, device: GPUDevice, tuning: Tuning | undefined): Plan {
  return withWays(whole, takenBy(whole, device, tuning));
}
function takenBy(whole: Plan, device: GPUDevice, tuning: Tuning | undefined): readonly number[] {
  return tuning?.device === deviceText(device) && tuning.plan === hashOf(whole) && Array.isArray(tuning.taken)
    ? tuning.taken
    : [];
}
/** As it says of itself. */
function deviceText({ adapterInfo }: GPUDevice): string {
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize } =
    (adapterInfo as Partial<GPUAdapterInfo> | undefined) ?? {}; // young in browsers
  return [vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize].join(" | ");
}
/** The ways that a model has taken. */
const known = new WeakMap<Session, readonly number[]>();

// ---- measuring

interface Choice {
  readonly number: number;
  readonly of: Dispatch;
  readonly from: number; // among the commands of the step: it is measured when those before are done
  readonly ways: readonly (readonly Launch[])[]; // what stands there first
  runs: number; // in a step
}
function choicesIn(commands: readonly Command[], numbers: ReadonlyMap<string, number>): readonly Choice[] {
  const found = new Map<number, Choice>();
  const walk = (list: readonly Command[], around: number | undefined, runs: number): void => {
    for (const [i, c] of list.entries()) {
      if (c.kind === "loop") walk(c.body, around ?? i, runs * c.count);
      if (c.kind !== "dispatch" || !c.alternatives) continue;
      const { key, parts, ways } = c.alternatives;
      const number = numbers.get(key)!;
      const known = found.get(number);
      if (known) known.runs += runs;
      else {
        const own = list.slice(i - parts, i + 1) as Dispatch[]; // `checkPlan` has looked
        const all = [own, ...ways.map((w) => w.dispatches)];
        found.set(number, { number, of: c, from: around ?? i - parts, ways: all, runs });
      }
    }
  };
  walk(commands, undefined, 1);
  return [...found.values()];
}

async function tune(
  s: Session,
  { name }: PlanTrain,
  { milliseconds = 2000, onProgress }: TuneOptions,
  prepare: Prepare,
): Promise<TuneResult> {
  const { machine, whole } = s;
  const { device } = machine;
  const numbers = choicesOf(whole);
  const { commands } = whole.trains.find((t) => t.name === name)!.step;
  const record = (list: readonly Command[]): Promise<Recording> =>
    machine.record({ name: "tuning", dims: [], commands: list }, s.dims);
  const step = await record(commands);
  const began = performance.now();
  const had = whole.buffers.map((_, i) => machine.has(i));
  const choices = choicesIn(commands, numbers);
  const clock = new Clock(s);
  const kernels: TunedKernel[] = [];
  const before = known.get(s) ?? takenBy(whole, device, s.options.tuning);
  const taken = [...numbers.values()].map((i) => before[i] ?? 0); // those of other blocks stay
  const kept = choices.length ? await Copies.of(s, statesOf(commands, whole)) : undefined;
  try {
    if (kept) {
      prepare(step);
      const defaults = await Promise.all(choices.map((c) => record(c.ways[0]!)));
      const budget = new Budget(choices, defaults, milliseconds, record);
      let done = 0;
      for (const [i, c] of choices.entries()) {
        onProgress?.({ kernel: c.of.label, number: i + 1, of: choices.length });
        const hasTurn = budget.hasTurn(i);
        if (hasTurn && c.from > done) {
          const encoder = machine.encoder("tuning");
          machine.replay(encoder, await record(commands.slice(done, c.from)));
          encoder.submit();
          done = c.from;
          await machine.settle(device.queue.onSubmittedWorkDone());
        }
        const found = hasTurn
          ? await budget.measure(
              i,
              (own) => onBench(s, [own], (bench) => bench.firstRun(clock)),
              (ways, share) => onBench(s, ways, (bench) => bench.measure(clock, share)),
            )
          : undefined;
        // what says nothing changes nothing
        if (found?.why === "faster" || found?.why === "best") taken[c.number] = found.taken;
        const { key, schedule, ways } = c.of.alternatives!;
        kernels.push({
          key,
          kernel: c.of.label,
          lines: c.of.lines ?? [],
          schedules: [schedule, ...ways.map((w) => w.schedule)],
          ...(found ?? { microseconds: [], why: "late" }),
          taken: taken[c.number]!,
        });
      }
    }
  } finally {
    clock.end();
    kept?.restore();
    known.set(s, taken);
    s.plan = withWays(whole, taken);
    // memory that ways alone want, but for those that are taken; other programs may have made theirs meanwhile
    const buffersOfWays = (ways: readonly (readonly Launch[])[]): Set<number> =>
      new Set(ways.flat().flatMap((d) => d.bindings.map((b) => b.buffer)));
    const used = buffersOfWays(choices.map((c) => c.ways[taken[c.number]!] ?? []));
    const bound = boundBy(whole);
    for (const i of buffersOfWays(choices.flatMap((c) => c.ways)))
      if (!had[i] && !used.has(i) && !bound.has(i)) machine.release(i);
  }
  const tuning: Tuning = { device: deviceText(device), plan: hashOf(whole), taken };
  const seconds = (performance.now() - began) / 1000;
  const isShort = choices.length > 0 && !kept;
  return { train: name, method: clock.method, kernels, seconds, tuning, ...(isShort ? { noMemory: true } : {}) };
}

type Record = (list: readonly Command[]) => Promise<Recording>;
/**
 * Which kernels are measured, and for how long: those that take most of a step come first, as many as there is time for. What the step itself takes is no
 * part of that time.
 */
class Budget {
  private readonly choices: readonly Choice[];
  private readonly defaults: readonly Recording[];
  private readonly record: Record;
  private readonly estimates: readonly number[]; // seconds of one run, in proportion
  private readonly compiled = new Map<number, readonly Promise<Recording>[]>();
  private left: number; // milliseconds
  private readonly known = { milliseconds: 0, estimated: 0 }; // of what was measured

  constructor(choices: readonly Choice[], defaults: readonly Recording[], milliseconds: number, record: Record) {
    this.choices = choices;
    this.defaults = defaults;
    this.record = record;
    this.estimates = defaults.map(({ items }) =>
      (items as readonly RecordedDispatch[]).reduce((sum, d) => sum + d.seconds, 1e-6),
    );
    this.left = milliseconds;
  }
  hasTurn(i: number): boolean {
    return !this.known.estimated || this.needs(i, this.left).has(i);
  }
  /** The i-th choice, if it is its turn. `time`: milliseconds of one run. */
  async measure(
    i: number,
    time: (own: Recording) => Promise<number | undefined>,
    measure: (ways: readonly (Recording | undefined)[], share: number) => Promise<Judged | undefined>,
  ): Promise<Judged | undefined> {
    const began = performance.now();
    const left = (): number => this.left - (performance.now() - began);
    const own = this.defaults[i]!;
    if (!own.items.length) return undefined; // nothing to do
    try {
      const isFirst = !this.known.estimated;
      if (isFirst) this.learn(i, await time(own));
      const needs = this.needs(i, left());
      // compiling takes what a software device computes with
      if (isFirst)
        await inTime(
          [...needs.keys()].flatMap((k) => this.waysOf(k)),
          left() / 2,
        );
      const need = needs.get(i);
      if (need === undefined) return undefined;
      const needed = [...needs.values()].reduce((sum, x) => sum + x, 0);
      const share = (): number => need + (left() - needed) / needs.size;
      const ways = await inTime(this.waysOf(i), share());
      if (share() <= 0) return undefined;
      const found = await measure([own, ...ways], share());
      if (found) this.learn(i, found.microseconds[0]! / 1000);
      return found;
    } finally {
      this.left = left();
    }
  }
  private learn(i: number, milliseconds = 0): void {
    this.known.milliseconds += milliseconds;
    this.known.estimated += this.estimates[i]!;
  }
  /** Milliseconds that those need whose turn comes from the i-th on. */
  private needs(i: number, left: number): ReadonlyMap<number, number> {
    const pace = this.known.milliseconds / this.known.estimated;
    const later = this.estimates.flatMap((x, k) => (k < i ? [] : [[x * this.choices[k]!.runs, k] as const]));
    const needs = new Map<number, number>();
    for (const [, k] of later.sort(([a], [b]) => b - a)) {
      const need = pace * this.estimates[k]! * this.choices[k]!.ways.length * (leastRounds + 3);
      // where there is time for little, the likely ones of the dearest kernel are measured
      if (need > (needs.size ? 1 : 2) * left) continue;
      left -= need;
      needs.set(k, need);
    }
    return needs;
  }
  private waysOf(k: number): readonly Promise<Recording>[] {
    let made = this.compiled.get(k);
    if (!made) {
      const others = this.choices[k]!.ways.slice(1);
      this.compiled.set(k, (made = others.map((list) => this.record(list))));
      for (const r of made) r.catch(() => {}); // a kernel that the device does not take is none to be taken
    }
    return made;
  }
}
/** Those that are ready by then. */
async function inTime(
  waiting: readonly Promise<Recording>[],
  milliseconds: number,
): Promise<readonly (Recording | undefined)[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, milliseconds));
  });
  const ready = await Promise.all(waiting.map((r) => Promise.race([r.catch(() => undefined), late])));
  clearTimeout(timer);
  return ready;
}
/** Everything that lasts and that these commands write. */
function statesOf(commands: readonly Command[], { buffers }: Plan): ReadonlySet<number> {
  const written = (list: readonly Command[]): number[] =>
    list.flatMap((c) =>
      c.kind === "loop"
        ? written(c.body)
        : c.kind === "copy"
          ? [c.to.buffer]
          : c.bindings.flatMap((b) => (b.access === "read_write" ? [b.buffer] : [])),
    );
  return new Set(written(commands).filter((i) => buffers[i]!.role !== "scratch"));
}

/** What stands in memory, to be put back. */
class Copies {
  private readonly s: Session;
  private readonly of: readonly (readonly [index: number, copy: GPUBuffer])[];
  private constructor(s: Session, of: Copies["of"]) {
    this.s = s;
    this.of = of;
  }
  /** Undefined where there is no memory for it. */
  static async of(s: Session, buffers: ReadonlySet<number>): Promise<Copies | undefined> {
    const { machine } = s;
    const wanted = [...buffers].filter((i) => machine.has(i));
    const made = await buffersOf(
      s,
      wanted.map((i) => machine.at(i).size),
    );
    const copies =
      made &&
      new Copies(
        s,
        wanted.map((i, k) => [i, made[k]!]),
      );
    copies?.copy((own, copy) => [own, copy]);
    return copies;
  }
  restore(): void {
    this.copy((own, copy) => [copy, own]);
    for (const [, copy] of this.of) copy.destroy();
  }
  private copy(way: (own: GPUBuffer, copy: GPUBuffer) => readonly [from: GPUBuffer, to: GPUBuffer]): void {
    submit(this.s, (encoder) => {
      for (const [i, copy] of this.of) {
        const [from, to] = way(this.s.machine.at(i), copy);
        encoder.copyBufferToBuffer(from, 0, to, 0, copy.size);
      }
    });
  }
}
function submit({ machine }: Session, build: (encoder: GPUCommandEncoder) => void): void {
  machine.ask(() => {
    const encoder = machine.device.createCommandEncoder();
    build(encoder);
    machine.device.queue.submit([encoder.finish()]);
  });
}
async function buffersOf({ machine }: Session, sizes: readonly number[]): Promise<readonly GPUBuffer[] | undefined> {
  const { device } = machine;
  const flags = usage.storage | usage.uniform | usage.copySource | usage.copyTarget;
  device.pushErrorScope("out-of-memory");
  const made = machine.ask(() =>
    sizes.map((size) => device.createBuffer({ size: Math.ceil(size / 16) * 16, usage: flags })),
  );
  if (!(await machine.settle(device.popErrorScope()))) return made;
  for (const b of made) b.destroy();
  return undefined;
}

type Items = readonly { readonly item: RecordedDispatch; readonly group: GPUBindGroup }[];
type Judged = Pick<TunedKernel, "microseconds" | "taken" | "why">;
/** Of a buffer, in bytes. */
interface Range {
  readonly from: number;
  readonly end: number;
}
/** Ways of one kernel, on copies of the buffers that they write: of all that they bind of these. Undefined where there is no memory for these. */
async function onBench<T>(
  s: Session,
  recordings: readonly (Recording | undefined)[],
  run: (bench: Bench) => Promise<T>,
): Promise<T | undefined> {
  const lists = recordings.map((r) => (r?.items ?? []) as readonly RecordedDispatch[]); // of dispatches alone
  const bound = lists.flat().flatMap((item) => item.group.entries.map((e) => ({ item, ...e })));
  const written = new Map<number, Range>();
  for (const { item, binding, buffer } of bound)
    if (isWritten(item, binding)) written.set(buffer, { from: Infinity, end: 0 });
  for (const { buffer, offset, bytes } of bound) {
    const range = written.get(buffer);
    if (!range) continue;
    const end = bytes === undefined ? s.machine.at(buffer).size : offset + Math.max(4, bytes);
    written.set(buffer, { from: Math.min(range.from, offset), end: Math.max(range.end, end) });
  }
  const made = await buffersOf(
    s,
    [...written.values()].map((r) => r.end - r.from),
  );
  try {
    return (
      made &&
      (await run(new Bench(s, lists, new Map([...written].map(([buffer, of], i) => [buffer, { of, copy: made[i]! }])))))
    );
  } finally {
    for (const b of made ?? []) b.destroy();
  }
}
/** As much of it as is compared: a binding may hold many tensors. */
function piecesOf({ from, end }: Range): readonly Range[] {
  if (end - from <= mostCompared) return [{ from, end }];
  const each = mostCompared / pieces;
  const step = Math.floor((end - from - each) / (pieces - 1) / 4) * 4;
  return Array.from({ length: pieces }, (_, k) => ({ from: from + k * step, end: from + k * step + each }));
}
const isWritten = ({ of }: RecordedDispatch, binding: number): boolean =>
  of.bindings.some((b) => b.binding === binding && b.access === "read_write");
interface Result extends Range {
  readonly copy: GPUBuffer;
}
interface Outcome {
  readonly took: number; // milliseconds
  readonly results: readonly Float32Array[];
}
class Bench {
  private readonly s: Session;
  private readonly ways: readonly Items[];
  private readonly copies: ReadonlyMap<number, { readonly of: Range; readonly copy: GPUBuffer }>; // by their buffers
  private readonly results: readonly Result[]; // of the last of its launches

  constructor(s: Session, lists: readonly (readonly RecordedDispatch[])[], copies: Bench["copies"]) {
    this.s = s;
    this.copies = copies;
    this.ways = lists.map((list) => list.map((item) => ({ item, group: this.groupOf(item) })));
    const last = lists[0]!.at(-1)!;
    this.results = last.group.entries.flatMap(({ binding, buffer, offset, bytes }) => {
      const { of, copy } = copies.get(buffer) ?? {};
      if (!of || !copy || !isWritten(last, binding)) return [];
      const from = offset - of.from;
      return piecesOf({ from, end: bytes === undefined ? copy.size : from + bytes }).map((r) => ({ ...r, copy }));
    });
  }
  private groupOf({ group }: RecordedDispatch): GPUBindGroup {
    const { machine } = this.s;
    const entries = group.entries.map(({ binding, buffer, offset, bytes }) => {
      const { of, copy } = this.copies.get(buffer) ?? {};
      const size = bytes === undefined ? {} : { size: Math.max(4, bytes) };
      return { binding, resource: { buffer: copy ?? machine.at(buffer), offset: offset - (of?.from ?? 0), ...size } };
    });
    return machine.ask(() => machine.device.createBindGroup({ layout: group.layout, entries }));
  }
  /** Milliseconds of what there is, when it has run before. */
  async firstRun(clock: Clock): Promise<number> {
    await clock.time(this.ways[0]!, 1);
    return clock.time(this.ways[0]!, 1);
  }
  async measure(clock: Clock, share: number): Promise<Judged> {
    const until = performance.now() + share;
    const first: number[] = []; // milliseconds; Infinity: of no use
    let right: readonly Float32Array[] | undefined;
    for (const list of this.ways) {
      const made = list.length ? await this.outcomeOf(list, clock) : undefined;
      right ??= made?.results;
      first.push(made && areNear(right!, made.results) ? made.took : Infinity);
    }
    // as many of the likely ones as there is time for
    const each = (leastRounds + 1) * Math.min(...first);
    const most = Math.max(2, Math.floor((until - performance.now()) / each));
    const likely = new Set([0, ...[...first.keys()].slice(1).sort((a, b) => first[a]! - first[b]!)].slice(0, most));
    const runs = await clock.runsOf(this.ways[0]!, Math.min(10, share / (10 * this.ways.length)));
    const times = this.ways.map((): number[] => []);
    for (let round = 0; round < mostRounds && (round === 0 || performance.now() < until); round++)
      for (const [k, list] of times.entries())
        if (likely.has(k) && first[k]! < Infinity && !(list[0]! > hopeless * times[0]![0]!))
          list.push((1000 * (await clock.time(this.ways[k]!, runs))) / runs);
    return judged(times);
  }
  /** What a way makes of what stands there now. */
  private async outcomeOf(list: Items, clock: Clock): Promise<Outcome> {
    const { machine } = this.s;
    submit(this.s, (encoder) => {
      for (const [buffer, { of, copy }] of this.copies)
        encoder.copyBufferToBuffer(machine.at(buffer), of.from, copy, 0, of.end - of.from);
    });
    const took = await clock.time(list, 1);
    const results = await Promise.all(this.results.map((r) => clock.read(r)));
    return { took, results };
  }
}
function areNear(right: readonly Float32Array[], other: readonly Float32Array[]): boolean {
  return right.every((a, k) => {
    const b = other[k]!;
    const most = tolerance * a.reduce((m, x) => (Math.abs(x) < Infinity ? Math.max(m, Math.abs(x)) : m), 0);
    return a.every((x, i) => Object.is(x, b[i]) || Math.abs(x - b[i]!) <= most);
  });
}
/** By the medians and quartiles of each. */
function judged(times: readonly (readonly number[])[]): Judged {
  const sorted = times.map((list) => [...list].sort((a, b) => a - b));
  const quantile = (k: number, q: number): number => {
    const list = sorted[k]!;
    return list.length ? list[Math.round(q * (list.length - 1))]! : Infinity;
  };
  const microseconds = sorted.map((_, k) => quantile(k, 0.5));
  const enough = sorted.map((list, k) => (list.length < leastRounds ? Infinity : microseconds[k]!));
  const best = enough.indexOf(Math.min(...enough));
  const spread = (k: number): number => (quantile(k, 0.75) - quantile(k, 0.25)) / quantile(k, 0.5);
  const why = sorted[0]!.length < leastRounds ? "late" : Math.max(spread(0), spread(best)) > mostSpread ? "noisy" : "";
  const isFaster = microseconds[best]! < leastGain * microseconds[0]! && quantile(best, 0.75) < quantile(0, 0.25);
  return { microseconds, taken: isFaster && !why ? best : 0, why: why || (isFaster ? "faster" : "best") };
}

/** Times dispatches: by timestamps where they agree with the clock on the wall, else by that clock. */
class Clock {
  method: TuneResult["method"];
  private isKnown = false; // whether its timestamps are true
  private readonly s: Session;
  private readonly queries: GPUQuerySet | undefined;
  private readonly resolved: GPUBuffer | undefined;

  constructor(s: Session) {
    const { device } = s.machine;
    this.s = s;
    this.method = "repetition";
    if (!device.features.has("timestamp-query")) return;
    this.method = "timestamps";
    this.queries = device.createQuerySet({ type: "timestamp", count: 2 });
    this.resolved = device.createBuffer({ size: 16, usage: usage.resolve | usage.copySource });
  }
  end(): void {
    this.queries?.destroy();
    this.resolved?.destroy();
  }
  /** Milliseconds of so many runs. */
  async time(list: Items, runs: number): Promise<number> {
    const { machine } = this.s;
    const { queries, resolved } = this;
    const stamps =
      queries && resolved && this.method === "timestamps"
        ? { timestampWrites: { querySet: queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } }
        : undefined;
    let started = 0;
    submit(this.s, (encoder) => {
      const pass = encoder.beginComputePass(stamps);
      for (let n = 0; n < runs; n++)
        for (const { item, group } of list) {
          pass.setPipeline(item.pipeline);
          pass.setBindGroup(
            0,
            group,
            item.steps.map(() => 0),
          );
          pass.dispatchWorkgroups(item.x, item.y);
        }
      pass.end();
      if (stamps) encoder.resolveQuerySet(stamps.timestampWrites.querySet, 0, 2, resolved!, 0);
      started = performance.now();
    });
    await machine.settle(machine.device.queue.onSubmittedWorkDone());
    const wall = performance.now() - started;
    if (!stamps) return wall;
    const [from, to] = new BigUint64Array((await this.read({ copy: resolved!, from: 0, end: 16 })).buffer);
    const stamped = Number(to! - from!) / 1e6;
    if (!this.isKnown && wall > 3) {
      this.isKnown = true;
      if (!(stamped > 0.05 * wall && stamped < 1.1 * wall)) this.method = "repetition";
    }
    return stamped;
  }
  /** How many runs take so many milliseconds, about. */
  async runsOf(list: Items, milliseconds: number): Promise<number> {
    for (let runs = 1; ;) {
      const took = await this.time(list, runs);
      if (took > milliseconds / 2 || runs >= 2000) return runs;
      runs = Math.ceil(runs * Math.min(8, Math.max(2, milliseconds / Math.max(took, 0.01))));
    }
  }
  async read({ copy, from, end }: Result): Promise<Float32Array<ArrayBuffer>> {
    const { machine } = this.s;
    const flags = usage.mapRead | usage.copyTarget;
    const bytes = end - from;
    const staging = machine.ask(() => machine.device.createBuffer({ size: bytes, usage: flags }));
    submit(this.s, (encoder) => encoder.copyBufferToBuffer(copy, from, staging, 0, bytes));
    await machine.settle(staging.mapAsync(usage.mapRead));
    const values = new Float32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return values;
  }
}
