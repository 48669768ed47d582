// Times of a step's dispatches on a device. In: a device on which a step is trained. Out: the step's dispatches as they were encoded, and what each takes:
// by timestamps where these are fine enough for a kernel, by repetition elsewhere (software devices tell time in steps of 65 us).
import type { FlatArray } from "../../runtime/api.ts";
import { generator } from "../../runtime/batches.ts";
import type { Command, Dispatch, Plan } from "../../runtime/plan.ts";
import { bar, type Terminal } from "./terminal.ts";

export interface Recorded {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly offsets: readonly number[];
  readonly x: number;
  readonly y: number;
}
/** Random rows for the fields that a program would feed, by field: whole numbers in their range (0 where none is declared), others in [0, 1). */
export function inventedRows(plan: Plan): Record<string, FlatArray> {
  const next = generator(0, 1);
  const unit = (): number => next() / 2 ** 32;
  const rows: Record<string, FlatArray> = {};
  for (const { name, columns, holdouts, rows: given } of plan.datasets) {
    const inline = columns.flatMap(({ loader, shape }) =>
      loader.kind === "inline" ? [loader.values.length / shape.reduce((n, size) => n * size, 1)] : [],
    );
    const kept = 1 - holdouts.reduce((n, h) => n + (h.fraction ?? 0), 0);
    const wanted = Math.max(
      ...plan.trains.filter((t) => t.dataset === name).map((t) => Math.ceil((t.batch * t.accumulate) / kept) + 1),
      1,
    );
    for (const { name: field, loader, storage, shape, range } of columns) {
      if (loader.kind !== "host") continue;
      const [low, end] = range ?? [0, 1];
      const values = new Float64Array((given ?? inline[0] ?? wanted) * shape.reduce((n, size) => n * size, 1));
      rows[field] = values.map(storage === "f32" ? unit : () => Math.floor(low + unit() * (end - low)));
    }
  }
  return rows;
}

/** The dispatches of the first step that the device is given (the first window has one step, in one submit or several). */
export function record(device: GPUDevice, name: string): Recorded[] {
  const list: Recorded[] = [];
  const create = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (descriptor) => {
    const encoder = create(descriptor);
    if (descriptor?.label !== name) return encoder;
    // all of a window is encoded in one go
    queueMicrotask(() => (device.createCommandEncoder = create));
    const begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (of) => {
      const pass = begin(of);
      let pipeline: GPUComputePipeline | undefined;
      let group: GPUBindGroup | undefined;
      let offsets: readonly number[] = [];
      const [setPipeline, setBindGroup, dispatch] = [
        pass.setPipeline.bind(pass),
        pass.setBindGroup.bind(pass),
        pass.dispatchWorkgroups.bind(pass),
      ];
      pass.setPipeline = (p) => setPipeline((pipeline = p));
      pass.setBindGroup = ((index: number, g: GPUBindGroup, at: readonly number[]) =>
        setBindGroup(index, (group = g), (offsets = at))) as typeof pass.setBindGroup; // the runtime's only way to call it
      pass.dispatchWorkgroups = (x, y = 1) => {
        list.push({ pipeline: pipeline!, group: group!, offsets, x, y });
        dispatch(x, y);
      };
      return pass;
    };
    return encoder;
  };
  return list;
}
export const unrolled = (commands: readonly Command[]): Dispatch[] =>
  commands.flatMap((c) =>
    c.kind === "loop"
      ? Array.from({ length: c.count }, () => unrolled(c.body)).flat()
      : c.kind === "dispatch"
        ? [c]
        : [],
  );

// ---- timing

/** Microseconds of every dispatch. */
export async function timesOf(
  device: GPUDevice,
  dispatches: readonly Dispatch[],
  recorded: readonly Recorded[],
  terminal: Terminal,
): Promise<{ times: number[]; how: { method: "timestamps" | "repetition"; text: string } }> {
  const stamps = device.features.has("timestamp-query") ? await timestamps(device, recorded) : undefined;
  if (stamps && stamps.resolution <= 0.02 * (stamps.times.reduce((a, b) => a + b, 0) / stamps.times.length))
    return { times: stamps.times, how: { method: "timestamps", text: "by timestamps" } };
  const why = stamps ? `its timestamps come in steps of ${timeText(stamps.resolution)}` : "it has no timestamps";
  // a kernel in a loop is timed once
  const once = new Map<Dispatch, number>();
  let done = 0;
  const times: number[] = [];
  for (const [i, d] of dispatches.entries()) {
    let time = once.get(d);
    if (time === undefined) once.set(d, (time = await repeated(device, recorded[i]!)));
    times.push(time);
    terminal.update(`${bar(++done / dispatches.length, 20)} timing ${d.label}`);
  }
  return { times, how: { method: "repetition", text: `by repetition: ${why}` } };
}
/** A pass for each dispatch, with the time at its beginning and its end; least of a few rounds. */
async function timestamps(
  device: GPUDevice,
  recorded: readonly Recorded[],
): Promise<{ times: number[]; resolution: number } | undefined> {
  const count = Math.min(recorded.length, 2048);
  if (count < recorded.length) return undefined;
  const set = device.createQuerySet({ type: "timestamp", count: 2 * count });
  const resolved = device.createBuffer({
    size: 16 * count,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const staging = device.createBuffer({ size: 16 * count, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const times = new Array<number>(count).fill(Infinity);
  let resolution = Infinity;
  for (let round = 0; round < 10; round++) {
    const encoder = device.createCommandEncoder();
    recorded.forEach((r, i) => {
      const pass = encoder.beginComputePass({
        timestampWrites: { querySet: set, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
      });
      dispatch(pass, r);
      pass.end();
    });
    encoder.resolveQuerySet(set, 0, 2 * count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16 * count);
    device.queue.submit([encoder.finish()]);
    await settled(device); // a pending map would poll, and take a core from a software device
    await staging.mapAsync(GPUMapMode.READ);
    const at = new BigUint64Array(staging.getMappedRange().slice(0));
    staging.unmap();
    const sorted = [...at].sort((a, b) => (a < b ? -1 : 1));
    for (let i = 1; i < sorted.length; i++)
      if (sorted[i] !== sorted[i - 1]) resolution = Math.min(resolution, Number(sorted[i]! - sorted[i - 1]!) / 1000);
    for (let i = 0; i < count; i++) times[i] = Math.min(times[i]!, Number(at[2 * i + 1]! - at[2 * i]!) / 1000);
  }
  for (const b of [resolved, staging]) b.destroy();
  set.destroy();
  return { times, resolution };
}
function dispatch(pass: GPUComputePassEncoder, { pipeline, group, offsets, x, y }: Recorded): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group, offsets);
  pass.dispatchWorkgroups(x, y);
}
/** Many runs in one submit, less what an empty submit takes; least of a few rounds. Waiting polls, and naps leave the core to a software device. */
export async function repeated(device: GPUDevice, r: Recorded, seconds = 0.02): Promise<number> {
  const run = async (times: number): Promise<number> => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(r.pipeline);
    pass.setBindGroup(0, r.group, r.offsets);
    for (let i = 0; i < times; i++) pass.dispatchWorkgroups(r.x, r.y);
    pass.end();
    const commands = encoder.finish();
    const start = performance.now();
    device.queue.submit([commands]);
    await settled(device);
    return performance.now() - start;
  };
  let times = 1;
  let took = await run(1);
  while (took < 1000 * seconds && times < 20_000) {
    times = Math.min(20_000, Math.ceil(Math.max(2 * times, (1.2 * 1000 * seconds * times) / Math.max(0.05, took))));
    took = await run(times);
  }
  const [many, one] = [[took], []] as [number[], number[]];
  for (let round = 0; round < 3; round++) {
    many.push(await run(times));
    one.push(await run(1));
  }
  const least = Math.min(...many);
  return times > 1 ? (1000 * Math.max(least - Math.min(...one), 0.5 * least)) / (times - 1) : 1000 * least;
}
export async function settled(device: GPUDevice): Promise<void> {
  let open = true;
  const done = device.queue.onSubmittedWorkDone().then(() => (open = false));
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const nap = (): void => {
    if (!open) return;
    Atomics.wait(cell, 0, 0, 0.2);
    setImmediate(nap);
  };
  nap();
  await done;
}

export const timeText = (microseconds: number): string =>
  microseconds >= 1000
    ? `${(microseconds / 1000).toPrecision(3)} ms`
    : `${microseconds >= 100 ? Math.round(microseconds) : microseconds.toPrecision(3)} us`;
