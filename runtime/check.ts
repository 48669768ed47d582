// Is this a plan that can be replayed on this device? Everything is looked at before anything is allocated: version, references, sizes, and
// the features and limits that the kernels need.
import { dataRead, dispatchesOf, planVersion, programsOf, sizeOf } from "./plan.ts";
import type {
  Command,
  Dispatch,
  Plan,
  PlanBuffer,
  PlanData,
  PlanPort,
  PlanProgram,
  Size,
  WorkgroupCount,
} from "./plan.ts";
import { listed, RuntimeProblem } from "./problem.ts";
import { isLong, roundBytes } from "./recording.ts";
import { firstFault } from "./schema.ts";

const mostGroups = 65535;
type Dims = Readonly<Record<string, number>>;

export function checkPlan(plan: PlanData): asserts plan is Plan {
  if (typeof plan !== "object" || plan === null || typeof plan.version !== "number")
    throw new RuntimeProblem("this is no plan of dlm: it has no version");
  if (plan.version !== planVersion)
    throw new RuntimeProblem(
      `the plan has version ${plan.version}, and this runtime replays version ${planVersion}: compile the model with the same version of dlm`,
    );
  const fault = firstFault(plan);
  if (fault !== undefined) throw new RuntimeProblem(`the plan is damaged at ${fault}`);
  checkParts(plan as Plan); // `firstFault` found every field as its type says
}
/** What the types do not say: references, places within their buffers. A plan is made by a machine: what is wrong in it is told by its place alone. */
function checkParts(plan: Plan): void {
  const need = (ok: unknown, where: string): void => {
    if (!ok) throw new RuntimeProblem(`the plan is damaged at ${where}`);
  };
  /** Inside of its buffer, as far as sizes are known. */
  const place = (at: { readonly buffer: number; readonly offset: number }, where: string, bytes: Size = 0): void => {
    const buffer = plan.buffers[at.buffer];
    need(buffer, where);
    const isKnown = typeof bytes === "number" && typeof buffer!.bytes === "number" && buffer!.role !== "data";
    need(!isKnown || at.offset + bytes <= (buffer!.bytes as number), where);
  };
  const tensor = (t: Pick<PlanPort, "name" | "shape" | "buffer" | "offset">): void =>
    place(
      t,
      t.name,
      t.shape.every((n) => typeof n === "number") ? t.shape.reduce<number>((a, b) => a * (b as number), 4) : 0,
    );
  const read = dataRead(plan);
  const ofData = new Set(
    read.flatMap((d) => [
      `rows.${d.name}`,
      `training.${d.name}`,
      ...d.columns.flatMap((c) => (c.loader.kind === "windows" ? [`characters.${c.name}`] : [])),
    ]),
  );
  let dims: ReadonlySet<string> = new Set(); // of the program that is looked at
  /** Its dims are, and it is not below 0 whatever they are. */
  const known = (size: Size, where: string): void =>
    need(
      typeof size === "number" ||
        (size.sum.every((t) => t.dims.every((d) => dims.has(d) || ofData.has(d))) &&
          (!size.sum.length || size.sum.some((t) => t.factor > 0))),
      where,
    );
  const uploaded = new Set(read.flatMap((d) => d.columns.map((c) => c.buffer)));
  /** It is there when a program runs that uses it. */
  const buffer = (index: number, where: string): void => {
    const { role, bytes } = plan.buffers[index]!;
    if (role === "data") need(uploaded.has(index), where);
    else known(bytes, where);
  };
  const commands = (list: readonly Command[], where: string): void => {
    for (const [i, c] of list.entries()) {
      if (c.kind === "loop") {
        need(plan.buffers[c.stepBuffer]?.role === "steps", where);
        place({ buffer: c.stepBuffer, offset: 0 }, where, c.count && roundBytes * (c.count - 1) + 4);
        commands(c.body, where);
      } else if (c.kind === "copy") {
        known(c.bytes, where);
        for (const at of [...(c.from ? [c.from] : []), c.to]) {
          place(at, where, c.bytes);
          buffer(at.buffer, where);
        }
      } else {
        const at = `${where}, ${c.label}`;
        need(plan.modules[c.module], at);
        workgroups(c, (n) => (typeof n === "number" ? n : 1));
        need(new Set(c.bindings.map((b) => b.binding)).size === c.bindings.length, at);
        for (const b of c.bindings) {
          // a buffer is not read and written in one dispatch
          const written = c.bindings.some((o) => o.buffer === b.buffer && o.access === "read_write");
          need(b.access === "read_write" || !written, at);
          place(b, at, b.bytes);
          known(b.bytes, at);
          buffer(b.buffer, at);
        }
        for (const w of c.workgroups) if (typeof w === "object") w.tiles.forEach(([size]) => known(size, at));
        for (const d of c.constants ?? []) known({ sum: [{ factor: 1, dims: [d] }] }, at);
        if (c.flops !== undefined) known(c.flops, at);
        if (!c.alternatives) continue;
        const { parts, ways } = c.alternatives;
        need(list.slice(i - parts, i).filter((d) => d.kind === "dispatch").length === parts, at);
        for (const way of ways) commands(way.dispatches, at);
      }
    }
  };
  /** `own`: what the runtime knows of this kind of program beside the data; undefined: whatever the shapes of the inputs say. */
  const program = (p: PlanProgram, own: readonly string[] | undefined): void => {
    dims = new Set(p.dims.map((d) => d.name));
    need(!own || [...dims].every((d) => ofData.has(d) || own.includes(d)), p.name);
    commands(p.commands, p.name);
    const count = writtenOut(p.commands, plan);
    if (count > mostWrittenOut)
      throw new RuntimeProblem(
        `${p.name} has ${count} commands with every round of its loops by itself, and the runtime holds ${mostWrittenOut}: make the inner loops shorter`,
      );
  };
  const unique = (list: readonly { readonly name: string }[], where: string): void =>
    need(new Set(list.map((x) => x.name)).size === list.length, where);
  for (const b of plan.buffers) need(b.role !== "constant" || isBase64(b), `the buffer ${b.label}`);
  unique(plan.states, "its states");
  unique(plan.trains, "its train blocks");
  unique(plan.exports, "its exports");
  unique(plan.datasets, "its data");
  plan.states.forEach(tensor);
  for (const d of plan.datasets) {
    for (const c of d.columns) need(plan.buffers[c.buffer]?.role === "data", c.name);
    if (d.training) place(d.training, d.name);
    const { check, view } = d;
    if (check) {
      place(check.index, d.name);
      if (check.seed) place(check.seed, d.name, 4);
      for (const f of check.fields) [f.at, f.value].forEach(tensor);
      program(check.program, ["rows"]);
    }
    if (view) {
      place(view.index, d.name);
      if (view.seed) place(view.seed, d.name, 4);
      view.fields.forEach(tensor);
      program(view.program, ["rows"]);
    }
    for (const h of d.holdouts)
      need(h.dataset === undefined || plan.datasets.some((x) => x.name === h.dataset), h.place);
  }
  if (plan.init) {
    if (plan.init.seed) place(plan.init.seed, "init", 4);
    program(plan.init.program, []);
  }
  for (const t of plan.trains) {
    const dataset = plan.datasets.find((d) => d.name === t.dataset);
    need(t.dataset === undefined ? t.steps !== undefined : t.batchIndex && dataset, t.name);
    need(t.steps !== undefined || t.epochs !== undefined, t.name);
    need(!t.ring.columns.slice(1).includes("loss"), t.name);
    need(
      plan.states.some((s) => s.name === t.stepCounter && s.dtype === "i32" && !s.shape.length),
      t.name,
    );
    place(t.ring, t.name, 4 * t.window * Math.max(1, t.ring.columns.length));
    if (t.batchIndex) place(t.batchIndex, t.name, 4 * t.window * t.batch * t.accumulate);
    if (t.rounds) place(t.rounds, t.name, 4);
    t.scalars.forEach(tensor);
    program(t.init, []);
    if (t.begin) program(t.begin, []);
    program(t.step, []);
    const e = t.evaluate;
    if (!e) continue;
    need(
      [...e.kept, ...(e.carried?.states ?? [])].every((k) => plan.buffers[k.from] && plan.buffers[k.to]),
      t.name,
    );
    if (e.part) place(e.part, t.name, 8);
    if (e.carried) place(e.carried.begins, t.name, 4);
    place(e.index, t.name);
    e.metrics.forEach(tensor);
    program(e.rows, ["rows"]);
    program(e.finish, ["rows"]);
  }
  for (const x of plan.exports) {
    [...x.inputs, ...x.outputs].forEach(tensor);
    program(x.program, undefined);
    // of the inputs too: their sizes say what the dims are
    for (const p of [...x.inputs, ...x.outputs]) p.shape.forEach((n) => known(n, `${x.name}, ${p.name}`));
  }
}
/** Commands that the runtime holds of a program: those of short loops once for each round. */
const writtenOut = (list: readonly Command[], plan: Plan): number =>
  list.reduce((sum, c) => {
    if (c.kind !== "loop") return sum + 1;
    const steps = plan.buffers[c.stepBuffer];
    return sum + writtenOut(c.body, plan) * (steps && isLong(steps) ? 1 : c.count);
  }, 0);
const mostWrittenOut = 2 ** 22;
/** The bytes of a constant, as many as its buffer has. */
function isBase64({ data, bytes }: PlanBuffer): boolean {
  if (data === undefined || !/^[A-Za-z0-9+/]*={0,2}$/.test(data)) return false;
  const length = Math.floor((data.replace(/=+$/, "").length * 3) / 4);
  return typeof bytes !== "number" || length === bytes;
}

/** Workgroups in x and y; throws where they are more than a dispatch has. */
export function workgroups(dispatch: Dispatch, size: (s: Size) => number): readonly [number, number] {
  const count = (w: WorkgroupCount): number =>
    typeof w === "number"
      ? w
      : w === "fold"
        ? 1
        : w.tiles.reduce((product, [s, tile]) => product * Math.ceil(size(s) / tile), 1);
  const [first, second] = dispatch.workgroups;
  const total = count(first);
  const [x, y] =
    second === "fold" ? [Math.min(total, mostGroups), Math.ceil(total / mostGroups)] : [total, count(second)];
  if (x > mostGroups || y > mostGroups)
    throw new RuntimeProblem(`${dispatch.label} takes ${total} workgroups, more than a dispatch has`);
  return [x, y];
}

/** What the plan needs of the device, and every size that is known by now. */
export function checkDevice(plan: Plan, device: GPUDevice): void {
  const missing = plan.requires.features.filter((f) => !device.features.has(f));
  const hint = "ask the device for it, or compile for another target";
  if (missing.length)
    throw new RuntimeProblem(`the kernels need ${missing.join(", ")}, and this device was made without: ${hint}`);
  const limits = device.limits as unknown as Readonly<Record<string, number>>; // GPUSupportedLimits has no index signature
  for (const [name, least] of Object.entries(plan.requires.limits)) {
    const has = limits[name];
    if (has !== undefined && has >= least) continue;
    checkTensors(plan, has ?? 0, name);
    throw new RuntimeProblem(
      `the kernels need ${name} of ${least}, and this device has ${has ?? "no such limit"}: ${hint}`,
    );
  }
  const want = plan.requires.subgroupSize;
  const info = device.adapterInfo as { subgroupMinSize?: number; subgroupMaxSize?: number } | undefined;
  if (want !== undefined && info?.subgroupMinSize && info.subgroupMaxSize) {
    const [least, most] = [info.subgroupMinSize, info.subgroupMaxSize];
    // in smaller ones lanes would be left out without a word from the device; larger ones no test has seen
    if (least !== want || most !== want)
      throw new RuntimeProblem(
        `the kernels were made for subgroups of ${want} lanes, and this device has ${least === most ? most : `${least} to ${most}`}: compile for another target`,
      );
  }
  checkTensors(plan, device.limits.maxBufferSize, "maxBufferSize");
  for (const b of plan.buffers)
    if (typeof b.bytes === "number" && b.role !== "data") checkBytes(device, b.label, b.bytes);
}
/** A model that is too large for a device. */
export class TooLarge extends RuntimeProblem {
  readonly what: string; // the message without advice
  readonly isOfBatch: boolean; // what is too large grows with the batch
  constructor(what: string, isOfBatch: boolean, advice = "") {
    super(what + advice);
    this.what = what;
    this.isOfBatch = isOfBatch;
  }
}
/** Which tensors are larger than a device allows in one piece, and the lines of the kernels that use them. What is kept between runs does not grow with the batch. */
function checkTensors(plan: Plan, most: number, limit: string): void {
  if (limit !== "maxStorageBufferBindingSize" && limit !== "maxBufferSize") return;
  const found = new Map<string, { readonly bytes: number; readonly lines: readonly string[] }>();
  const kept = new Set<string>();
  for (const c of programsOf(plan).flatMap((p) => dispatchesOf(p.commands)))
    for (const b of c.bindings) {
      const { label, bytes: whole, role } = plan.buffers[b.buffer]!;
      const bytes = limit === "maxBufferSize" ? whole : b.bytes;
      if (typeof bytes !== "number" || bytes <= most || role === "data" || found.has(label)) continue;
      found.set(label, { bytes, lines: c.lines ?? [] });
      if (role === "state" || role === "constant") kept.add(label);
    }
  if (!found.size) return;
  const told = [...found].map(
    ([label, { bytes, lines }]) => `${label} takes ${megabytes(bytes)}${lines.length ? ` (${lines.join(", ")})` : ""}`,
  );
  const isOfBatch = !kept.size && plan.trains.some((t) => t.batch > 1);
  throw new TooLarge(
    `${listed(told)}: this device allows ${megabytes(most)} in one piece (${limit})`,
    isOfBatch,
    `; make the ${isOfBatch ? "batch or the model" : "model"} smaller`,
  );
}
/** What a device allows, when it is too little. */
const atMost = (what: string, bytes: number, most: number): void => {
  if (bytes > most)
    throw new RuntimeProblem(
      `${what} takes ${megabytes(bytes)}, and this device allows ${megabytes(most)} in one piece: make the batch or the model smaller`,
    );
};
export const checkBytes = (device: GPUDevice, label: string, bytes: number): void =>
  atMost(label, bytes, device.limits.maxBufferSize);
/** A run-time size is at most this: kernels count elements in i32. */
const mostElements = 2 ** 28;
export function checkBindings(device: GPUDevice, dispatches: readonly Dispatch[], plan: Plan, dims: Dims): void {
  for (const [name, n] of Object.entries(dims))
    if (n > mostElements)
      throw new RuntimeProblem(
        `the size ${name} is ${n}, and a run-time size is at most ${mostElements}: give fewer elements at a time`,
      );
  const { maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage: buffers } = device.limits;
  const { maxDynamicUniformBuffersPerPipelineLayout: loops } = device.limits;
  for (const c of dispatches) {
    for (const b of c.bindings) {
      const { role, label } = plan.buffers[b.buffer]!;
      if (role !== "data")
        atMost(`${label}, which ${c.label} uses,`, sizeOf(b.bytes, dims), maxStorageBufferBindingSize);
    }
    const storage = c.bindings.filter((b) => b.access !== "uniform").length;
    if (storage > buffers)
      throw new RuntimeProblem(
        `${c.label} uses ${storage} buffers, and this device allows ${buffers} in a kernel: compile for another target`,
      );
    const rounds = c.bindings.filter((b) => isLong(plan.buffers[b.buffer]!)).length;
    if (rounds > loops)
      throw new RuntimeProblem(
        `${c.label} needs the rounds of ${rounds} loops, one within the other, and this device tells a kernel ${loops}`,
      );
  }
}
/** Of data, what one binding may hold. */
export const checkData = (device: GPUDevice, what: string, bytes: number): void =>
  atMost(what, bytes, dataLimit(device));
export const dataLimit = (device: GPUDevice): number =>
  Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
export const megabytes = (bytes: number): string =>
  bytes >= 2 ** 30
    ? `${(bytes / 2 ** 30).toPrecision(3)} GB`
    : bytes >= 2 ** 20
      ? `${(bytes / 2 ** 20).toPrecision(3)} MB`
      : `${bytes} bytes`;
