// Is this a plan that can be replayed on this device? Everything is looked at before anything is allocated: version, references, sizes, and
// the features and limits that the kernels need.
import { planVersion, sizeOf } from "./plan.ts";
import type { Command, Dispatch, Plan, PlanProgram, Size } from "./plan.ts";
import { messageOf, RuntimeProblem } from "./problem.ts";

type Dims = Readonly<Record<string, number>>;

export function checkPlan(plan: Plan): void {
  if (typeof plan !== "object" || plan === null || typeof plan.version !== "number")
    throw new RuntimeProblem("this is no plan of dlm: it has no version");
  if (plan.version !== planVersion)
    throw new RuntimeProblem(
      `the plan has version ${plan.version}, and this runtime replays version ${planVersion}: compile the model with the same version of dlm`,
    );
  try {
    checkParts(plan);
  } catch (error) {
    if (error instanceof RuntimeProblem) throw error;
    throw new RuntimeProblem(`the plan is damaged: ${messageOf(error)}`); // a missing part
  }
}
/** A plan is made by a machine: what is wrong in it is told by its place alone. */
function checkParts(plan: Plan): void {
  const need = (ok: unknown, where: string): void => {
    if (!ok) throw new RuntimeProblem(`the plan is damaged at ${where}`);
  };
  const isCount = (n: unknown, least = 0): boolean => Number.isSafeInteger(n) && (n as number) >= least;
  const isSize = (s: Size): boolean =>
    typeof s === "number"
      ? isCount(s)
      : s.sum.every((t) => Number.isFinite(t.factor) && t.dims.every((d) => typeof d === "string"));
  /** Inside of its buffer, as far as sizes are known. */
  const place = (
    at: { readonly buffer: number; readonly offset: number },
    where: string,
    bytes: Size = 0,
    alignment = 4,
  ): void => {
    const buffer = plan.buffers[at.buffer];
    need(buffer && isCount(at.offset) && at.offset % alignment === 0 && isSize(bytes), where);
    need(
      typeof bytes !== "number" ||
        typeof buffer!.bytes !== "number" ||
        buffer!.role === "data" ||
        at.offset + bytes <= buffer!.bytes,
      where,
    );
  };
  const tensor = (t: {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly Size[];
    readonly buffer: number;
    readonly offset: number;
  }): void => {
    need(["f32", "i32", "bool"].includes(t.dtype) && t.shape.every(isSize), t.name);
    place(
      t,
      t.name,
      t.shape.every((n) => typeof n === "number") ? t.shape.reduce<number>((a, b) => a * (b as number), 4) : 0,
    );
  };
  const commands = (list: readonly Command[], where: string): void => {
    for (const c of list) {
      if (c.kind === "loop") {
        need(isCount(c.count), where);
        place({ buffer: c.stepBuffer, offset: 0 }, where, c.count && 256 * (c.count - 1) + 4);
        commands(c.body, where);
      } else if (c.kind === "copy") {
        if (c.from) place(c.from, where, c.bytes);
        place(c.to, where, c.bytes);
      } else {
        const at = `${where}, ${c.label}`;
        need(
          c.kind === "dispatch" && plan.modules[c.module] && typeof c.entry === "string" && c.workgroups.length === 2,
          at,
        );
        for (const b of c.bindings) {
          need(["read", "read_write", "uniform"].includes(b.access), at);
          // a buffer is not read and written in one dispatch
          need(
            b.access === "read_write" || !c.bindings.some((o) => o.buffer === b.buffer && o.access === "read_write"),
            at,
          );
          place(b, at, b.bytes, 256);
        }
      }
    }
  };
  const program = (p: PlanProgram): void => {
    commands(p.commands, p.name);
  };
  for (const b of plan.buffers)
    need(
      isSize(b.bytes) &&
        ["state", "scratch", "data", "input", "output", "constant", "steps"].includes(b.role) &&
        (b.role !== "constant" || typeof b.data === "string"),
      `the buffer ${b.label}`,
    );
  plan.states.forEach(tensor);
  need(new Set(plan.states.map((t) => t.name)).size === plan.states.length, "its states");
  for (const d of plan.datasets) {
    for (const c of d.columns)
      need(
        ["f32", "i32", "bool", "u8"].includes(c.storage) &&
          c.shape.every((n) => isCount(n, 1)) &&
          plan.buffers[c.buffer]?.role === "data",
        c.name,
      );
    const c = d.check;
    if (c) {
      need(isCount(c.chunk, 1), d.name);
      place(c.index, d.name);
      if (c.seed) place(c.seed, d.name, 4);
      for (const f of c.fields) [f.at, f.value].forEach(tensor);
      program(c.program);
    }
    for (const h of d.holdouts)
      need(h.dataset === undefined || plan.datasets.some((x) => x.name === h.dataset), h.place);
  }
  if (plan.init) program(plan.init.program);
  for (const t of plan.trains) {
    const size = t.window * t.batch * t.accumulate;
    need(
      [t.batch, t.accumulate, t.window, t.steps ?? t.epochs].every((n) => isCount(n, 1)) &&
        (t.dataset === undefined
          ? t.steps !== undefined
          : t.batchIndex && plan.datasets.some((d) => d.name === t.dataset)),
      t.name,
    );
    need(
      t.ring.columns[0] === "loss" && plan.states.some((s) => s.name === t.stepCounter && s.dtype === "i32"),
      t.name,
    );
    place(t.ring, t.name, 4 * t.window * t.ring.columns.length);
    if (t.batchIndex) place(t.batchIndex, t.name, 4 * size);
    t.scalars.forEach(tensor);
    program(t.init);
    program(t.step);
    const e = t.evaluate;
    if (!e) continue;
    need(
      isCount(e.chunk, 1) &&
        e.kept.every((k) => plan.buffers[k.from] && plan.buffers[k.to] && isCount(k.bytesPerRow / 4)),
      t.name,
    );
    place(e.index, t.name);
    e.metrics.forEach(tensor);
    program(e.rows);
    program(e.finish);
  }
  for (const x of plan.exports) {
    [...x.inputs, ...x.outputs].forEach(tensor);
    program(x.program);
  }
}

/** What the plan needs of the device, and every size that is known by now. */
export function checkDevice(plan: Plan, device: GPUDevice): void {
  const missing = plan.requires.features.filter((f) => !device.features.has(f));
  const hint = "ask the device for it, or compile for another target";
  if (missing.length)
    throw new RuntimeProblem(`the kernels need ${missing.join(", ")}, and this device was made without: ${hint}`);
  const limits = device.limits as unknown as Readonly<Record<string, number>>;
  for (const [name, least] of Object.entries(plan.requires.limits)) {
    const has = limits[name];
    if (has === undefined || has < least)
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
  for (const b of plan.buffers)
    if (typeof b.bytes === "number" && b.role !== "data") checkBytes(device, b.label, b.bytes);
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
  }
}
/** Of data, what one binding may hold. */
export const checkData = (device: GPUDevice, what: string, bytes: number): void =>
  atMost(what, bytes, dataLimit(device));
export const dataLimit = (device: GPUDevice): number =>
  Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
export const megabytes = (bytes: number): string =>
  bytes >= 1 << 20 ? `${(bytes / (1 << 20)).toPrecision(3)} MB` : `${bytes} bytes`;
