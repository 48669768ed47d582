// Is this a plan that can be replayed on this device? Everything is looked at before anything is allocated: version, references, sizes, and
// the features and limits that the kernels need.
import { planVersion, sizeOf } from "./plan.ts";
import type { Command, Plan, PlanPort, PlanProgram, Size } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";

type Dims = Readonly<Record<string, number>>;

export function checkPlan(plan: Plan): void {
  if (typeof plan !== "object" || plan === null || typeof plan.version !== "number") throw new RuntimeProblem("this is no plan of dlm: it has no version");
  if (plan.version !== planVersion) throw new RuntimeProblem(`the plan has version ${plan.version}, and this runtime replays version ${planVersion}: compile the model with the same version of dlm`);
  try {
    checkParts(plan);
  } catch (error) {
    if (error instanceof RuntimeProblem) throw error;
    throw new RuntimeProblem(`the plan is damaged: ${(error as Error).message}`); // a missing part
  }
}
function checkParts(plan: Plan): void {
  const need = (ok: unknown, what: string): void => {
    if (!ok) throw new RuntimeProblem(`the plan is damaged: ${what}`);
  };
  const isSize = (s: Size): boolean => (typeof s === "number" ? Number.isSafeInteger(s) && s >= 0 : s.sum.every((t) => Number.isFinite(t.factor) && t.dims.every((d) => typeof d === "string")));
  const place = (at: { readonly buffer: number; readonly offset: number }, what: string, bytes?: Size): void => {
    const buffer = plan.buffers[at.buffer];
    need(buffer && Number.isSafeInteger(at.offset) && at.offset >= 0 && at.offset % 4 === 0, `${what} lies in no buffer`);
    if (typeof bytes === "number" && typeof buffer!.bytes === "number" && buffer!.role !== "data") need(at.offset + bytes <= buffer!.bytes, `${what} reaches beyond the buffer ${buffer!.label}`);
  };
  for (const b of plan.buffers) {
    need(isSize(b.bytes) && typeof b.label === "string", "a buffer has no size");
    need(["state", "scratch", "data", "input", "output", "constant"].includes(b.role), `the buffer ${b.label} has the role ${b.role}`);
    need(b.role !== "constant" || typeof b.data === "string", `the constant ${b.label} has no data`);
  }
  for (const m of plan.modules) need(typeof m.name === "string", "a module has no name");
  const commands = (list: readonly Command[], program: string): void => {
    for (const c of list) {
      if (c.kind === "loop") {
        need(Number.isSafeInteger(c.count) && c.count >= 0, `a loop of ${program} has no count`);
        place({ buffer: c.stepBuffer, offset: 0 }, `the step of a loop of ${program}`, c.count && 256 * (c.count - 1) + 4);
        commands(c.body, program);
      } else if (c.kind === "copy") {
        need(isSize(c.bytes), `a copy of ${program} has no size`);
        place(c.from, `the source of a copy of ${program}`, c.bytes);
        place(c.to, `the target of a copy of ${program}`, c.bytes);
      } else {
        need(c.kind === "dispatch", `${program} has a command of kind ${String((c as { kind: unknown }).kind)}`);
        need(plan.modules[c.module] && typeof c.entry === "string", `the dispatch ${c.label} names no module`);
        need(c.workgroups.length === 2 && c.workgroups[0] !== "fold", `the dispatch ${c.label} has no workgroups`);
        const written = new Set(c.bindings.filter((b) => b.access === "read_write").map((b) => b.buffer));
        for (const b of c.bindings) {
          need(["read", "read_write", "uniform"].includes(b.access) && isSize(b.bytes), `a binding of ${c.label} has no access or size`);
          need(b.access === "read_write" || !written.has(b.buffer), `the dispatch ${c.label} reads and writes the buffer ${plan.buffers[b.buffer]?.label}`);
          place(b, `a binding of ${c.label}`, b.bytes);
          need(b.offset % 256 === 0, `a binding of ${c.label} is not aligned`);
        }
      }
    }
  };
  const program = (p: PlanProgram): void => {
    for (const d of p.dims) need(typeof d.name === "string", `${p.name} has a dim without a name`);
    commands(p.commands, p.name);
  };
  const port = (p: PlanPort): void => {
    need(["f32", "i32", "bool"].includes(p.dtype) && p.shape.every(isSize), `${p.name} has no dtype or shape`);
    place(p, p.name);
  };
  const names = new Set<string>();
  for (const s of plan.states) {
    need(["f32", "i32", "bool"].includes(s.dtype) && s.shape.every(isSize), `the tensor ${s.name} has no dtype or shape`);
    need(!names.has(s.name), `two tensors have the name ${s.name}`);
    names.add(s.name);
    place(s, `the tensor ${s.name}`, s.shape.every((n) => typeof n === "number") ? s.shape.reduce<number>((a, b) => a * (b as number), 4) : undefined);
  }
  for (const d of plan.datasets) {
    for (const c of d.columns) {
      need(["f32", "i32", "bool", "u8"].includes(c.storage) && c.shape.every((n) => Number.isSafeInteger(n) && n >= 1), `the column ${c.name} has no storage or shape`);
      need(plan.buffers[c.buffer]?.role === "data", `the column ${c.name} lies in no data buffer`);
    }
    for (const h of d.holdouts) need(h.dataset === undefined || plan.datasets.some((x) => x.name === h.dataset), `the holdout ${h.name} names no data`);
  }
  const positive = (n: number): boolean => Number.isSafeInteger(n) && n >= 1;
  for (const t of plan.trains) {
    need(positive(t.batch) && positive(t.accumulate) && positive(t.window), `${t.name} has no batch or window`);
    need(t.dataset === undefined || (t.batchIndex && plan.datasets.some((d) => d.name === t.dataset)), `${t.name} names no data`);
    need(positive((t.steps ?? t.epochs)!) && (t.steps !== undefined || t.dataset !== undefined), `${t.name} has no number of steps`);
    program(t.init);
    program(t.step);
    if (t.batchIndex) place(t.batchIndex, `the rows of ${t.name}`, 4 * t.window * t.batch * t.accumulate);
    place(t.ring, `the losses of ${t.name}`, 4 * t.window * t.ring.columns.length);
    need(t.ring.columns[0] === "loss", `${t.name} has no loss`);
    need(plan.states.some((s) => s.name === t.stepCounter && s.dtype === "i32"), `${t.name} counts its steps nowhere`);
    t.scalars.forEach(port);
    const e = t.evaluate;
    if (!e) continue;
    need(positive(e.chunk), `the evaluation of ${t.name} has no chunk`);
    program(e.rows);
    program(e.finish);
    place(e.index, `the evaluated rows of ${t.name}`);
    for (const k of e.kept) need(plan.buffers[k.from] && plan.buffers[k.to] && k.bytesPerRow % 4 === 0, `what the evaluation of ${t.name} keeps lies in no buffer`);
    e.metrics.forEach(port);
  }
  for (const x of plan.exports) {
    program(x.program);
    x.inputs.forEach(port);
    x.outputs.forEach(port);
  }
}

/** What the plan needs of the device, and every size that is known by now. */
export function checkDevice(plan: Plan, device: GPUDevice, dims: Dims): void {
  const missing = plan.requires.features.filter((f) => !device.features.has(f));
  if (missing.length) throw new RuntimeProblem(`the kernels need ${missing.join(", ")}, which this device does not offer or was not asked for: compile for another target`);
  const limits = device.limits as unknown as Readonly<Record<string, number>>;
  for (const [name, least] of Object.entries(plan.requires.limits)) {
    const has = limits[name];
    if (has === undefined || has < least) throw new RuntimeProblem(`the kernels need ${name} of ${least}, and this device has ${has ?? "no such limit"}: ask for the device with that limit, or compile for another target`);
  }
  const want = plan.requires.subgroupSize;
  const info = device.adapterInfo as { subgroupMinSize?: number; subgroupMaxSize?: number } | undefined;
  if (want !== undefined && info?.subgroupMinSize && info.subgroupMaxSize && (want < info.subgroupMinSize || want > info.subgroupMaxSize)) throw new RuntimeProblem(`the kernels were made for subgroups of ${want} lanes, and this device has ${info.subgroupMinSize} to ${info.subgroupMaxSize}: compile for another target`); // prettier-ignore
  for (const b of plan.buffers) if (typeof b.bytes === "number" && b.role !== "data") checkBytes(device, b.label, b.bytes);
  for (const p of plan.trains.flatMap((t) => [t.init, t.step])) checkBindings(device, p.commands, plan, dims);
}
export function checkBytes(device: GPUDevice, label: string, bytes: number): void {
  if (bytes > device.limits.maxBufferSize) throw new RuntimeProblem(`${label} takes ${megabytes(bytes)}, and this device allows ${megabytes(device.limits.maxBufferSize)} in one buffer`);
}
export function checkBindings(device: GPUDevice, commands: readonly Command[], plan: Plan, dims: Dims): void {
  const most = device.limits.maxStorageBufferBindingSize;
  for (const c of commands) {
    if (c.kind === "loop") checkBindings(device, c.body, plan, dims);
    if (c.kind !== "dispatch") continue;
    for (const b of c.bindings) {
      const bytes = plan.buffers[b.buffer]!.role === "data" ? 0 : sizeOf(b.bytes, dims);
      if (bytes > most) throw new RuntimeProblem(`${c.label} reads or writes ${megabytes(bytes)} of ${plan.buffers[b.buffer]!.label} at once, and this device allows ${megabytes(most)}`);
    }
    const storage = c.bindings.filter((b) => b.access !== "uniform").length;
    if (storage > device.limits.maxStorageBuffersPerShaderStage) throw new RuntimeProblem(`${c.label} uses ${storage} buffers, and this device allows ${device.limits.maxStorageBuffersPerShaderStage} in a kernel: compile for another target`);
  }
}
export const megabytes = (bytes: number): string => (bytes >= 1 << 20 ? `${(bytes / (1 << 20)).toPrecision(3)} MB` : `${bytes} bytes`);
