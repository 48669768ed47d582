// The device's side of a plan: buffers by number, pipelines, recorded programs, reading back.
import { checkBindings, workgroups, checkBytes, megabytes } from "./check.ts";
import { dispatchesOf, overrideName, programsOf, sizeOf, withSubgroups } from "./plan.ts";
import type { Command, Copy, Dispatch, Plan, PlanProgram, Size } from "./plan.ts";
import { messageOf, RuntimeProblem } from "./problem.ts";
import type { Kernels, LoadOptions } from "./api.ts";
import {
  Encoding,
  isLong,
  roundBytes,
  secondsOf,
  type Recorded,
  type RecordedCopy,
  type RecordedDispatch,
  type RecordedGroup,
  type Recording,
} from "./recording.ts";
import { areTogether } from "./subgroups.ts";

// GPUBufferUsage, GPUMapMode and GPUShaderStage by value: Node has no such globals
const usage = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128 };
const mapRead = 1;
const mostReadBack = 1 << 28; // bytes of one buffer, a multiple of 4
const mostlyStarting = 0.01; // seconds: of shorter ones, the time is that of submitting and mapping
const computeStage = 4;
const longestCompilation = 60_000; // milliseconds

export type Dims = Readonly<Record<string, number>>;
export interface Place {
  readonly buffer: number;
  readonly offset: number;
  readonly bytes: number;
}
interface Layout {
  readonly key: string;
  readonly group: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}

export class Machine {
  readonly device: GPUDevice;
  readonly plan: Plan;
  readonly #code: ((name: string) => Promise<string>) | undefined;
  readonly #buffers: (GPUBuffer | undefined)[];
  readonly #uniform = new Set<number>(); // buffers bound as such
  #generation = 0;
  readonly #layouts = new Map<string, Layout>();
  readonly #shaders = new Map<string, Promise<GPUShaderModule>>();
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #compiling = new Set<Promise<unknown>>();
  readonly #shared: Kernels | undefined;
  #subgroups: boolean;
  readonly #texts = new Set<string>(); // of the modules that run
  readonly #recordings = new Map<PlanProgram, Map<string, Promise<Recording>>>();
  #staging: { buffer: GPUBuffer; free: boolean }[] = [];
  readonly #held = new Map<string, string>(); // small values last written by the host, by place
  #failure: RuntimeProblem | undefined;
  readonly #waiting = new Set<(problem: RuntimeProblem) => void>();
  #pace = 1; // seconds of this device for one of the estimate, at most
  #napping = false;
  #since = 0; // the last time that the device answered, or was asked something while nothing was on its way
  #closed = false;
  /** Settles with the first failure of the device. */
  readonly lost: Promise<RuntimeProblem>;
  #tellLost: (problem: RuntimeProblem) => void = () => {};
  readonly #onError = (event: GPUUncapturedErrorEvent): void => {
    event.preventDefault?.();
    const text = event.error.message.trim();
    this.#fail(
      event.error.constructor.name === "GPUOutOfMemoryError"
        ? new RuntimeProblem(`the device has no memory left: ${text}`, "memory")
        : new RuntimeProblem(`the device refuses what the plan asks for: ${text}`),
    );
  };

  constructor(
    plan: Plan,
    device: GPUDevice,
    { code, kernels, subgroups = true }: Pick<LoadOptions, "code" | "kernels" | "subgroups"> = {},
  ) {
    this.plan = plan;
    this.device = device;
    this.#code = code;
    this.#shared = kernels;
    this.#subgroups = subgroups;
    this.#buffers = plan.buffers.map(() => undefined);
    this.lost = new Promise((resolve) => (this.#tellLost = resolve));
    device.addEventListener("uncapturederror", this.#onError);
    void device.lost.then((info) => {
      if (!this.#closed)
        this.#fail(
          new RuntimeProblem(
            `the device is lost${info.message ? ` (${info.message.trim()})` : ""}: what was not saved is gone; load the model anew and restore its last checkpoint`,
            "lost",
          ),
        );
    });
    for (const p of programsOf(plan))
      for (const c of dispatchesOf(p.commands))
        for (const b of c.bindings) if (b.access === "uniform") this.#uniform.add(b.buffer);
  }

  // ---- failures: whoever waits learns of them

  #fail(problem: RuntimeProblem): void {
    this.#failure ??= problem;
    this.#tellLost(this.#failure);
    for (const stop of [...this.#waiting]) stop(this.#failure);
  }
  /** What calls on the device throw, in words; from then on nothing more is asked of it. A TypeError is a fault of ours. */
  readonly ask = <T>(call: () => T): T => {
    try {
      return call();
    } catch (error) {
      if (error instanceof RuntimeProblem || error instanceof TypeError) throw error;
      this.#fail(new RuntimeProblem(`the device gave up: ${messageOf(error)}`, "lost"));
      throw this.#failure!;
    }
  };
  check(): void {
    if (this.#closed) throw closed();
    if (this.#failure) throw this.#failure;
  }
  /** Waits for the device. In Node its promises are polled for, which takes a core: naps leave the core to a software device. */
  settle<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = (problem: RuntimeProblem): void => {
        this.#waiting.delete(stop);
        reject(problem);
      };
      if (!this.#waiting.size) this.#since = performance.now();
      this.#waiting.add(stop);
      promise.then(
        (value) => {
          this.#waiting.delete(stop);
          this.#since = performance.now();
          if (this.#failure) reject(this.#failure);
          else resolve(value);
        },
        // a loss is told in the next turns, in better words than "aborted"
        (error: unknown) =>
          void setTimeout(
            () =>
              stop(
                this.#failure ??
                  (this.#closed ? closed() : new RuntimeProblem(`the device gave up: ${messageOf(error)}`, "lost")),
              ),
            20,
          ),
      );
      if (this.#failure) stop(this.#failure);
      this.#nap();
    });
  }
  #nap(): void {
    const host = globalThis as { process?: { versions?: { node?: string } }; setImmediate?: (f: () => void) => void };
    const immediate = host.setImmediate;
    if (this.#napping || !host.process?.versions?.node || !immediate) return;
    const cell = new Int32Array(new SharedArrayBuffer(4));
    const turn = (): void => {
      this.#napping = this.#waiting.size > 0;
      if (!this.#napping) return;
      // a twentieth of the wait so far: what is quick is not slowed down, what is slow costs no core
      Atomics.wait(cell, 0, 0, Math.min(1, 0.02 + (performance.now() - this.#since) / 20));
      immediate(turn);
    };
    this.#napping = true;
    immediate(turn);
  }
  /** Errors of what `make` calls on the device, in words. */
  async #scoped<T>(what: string, make: () => T): Promise<T> {
    this.device.pushErrorScope("out-of-memory");
    this.device.pushErrorScope("validation");
    let made: { readonly value: T } | { readonly thrown: unknown };
    try {
      made = { value: this.ask(make) };
    } catch (thrown) {
      made = { thrown };
    }
    const [validation, memory] = await this.settle(
      Promise.all([this.device.popErrorScope(), this.device.popErrorScope()]),
    );
    if ("thrown" in made) throw made.thrown;
    if (memory)
      throw new RuntimeProblem(
        `the device has no memory left for ${what} (${megabytes(this.bytes)} are in use): make the batch or the model smaller`,
        "memory",
      );
    if (validation) throw new RuntimeProblem(`${what}: ${validation.message.trim()}`);
    return made.value;
  }

  // ---- memory

  get bytes(): number {
    return (
      this.#buffers.reduce((sum, b) => sum + (b?.size ?? 0), 0) +
      this.#staging.reduce((sum, s) => sum + s.buffer.size, 0)
    );
  }
  /** Makes a buffer, or a larger one with the old one's content. */
  #ensure(index: number, bytes: number): void {
    const old = this.#buffers[index];
    if (old && old.size >= bytes) return;
    const { label, role, data } = this.plan.buffers[index]!;
    const size = Math.ceil(Math.max(bytes, 16) / 16) * 16; // a kernel may read four words at a time
    checkBytes(this.device, label, size);
    const constant = role === "constant" && data !== undefined ? fromBase64(data) : undefined;
    const flags = usage.storage | usage.copySource | usage.copyTarget | (this.#uniform.has(index) ? usage.uniform : 0);
    const buffer = this.device.createBuffer({ label, size, usage: flags });
    if (constant) this.device.queue.writeBuffer(buffer, 0, padded(constant));
    if (role === "steps")
      this.device.queue.writeBuffer(
        buffer,
        0,
        Int32Array.from({ length: size / 4 }, (_, i) => (4 * i) / roundBytes),
      );
    if (old) {
      const encoder = this.device.createCommandEncoder({ label: `enlarge ${label}` });
      encoder.copyBufferToBuffer(old, 0, buffer, 0, old.size);
      this.device.queue.submit([encoder.finish()]);
      old.destroy();
      this.#generation++;
    }
    this.#buffers[index] = buffer;
  }
  /** Buffers and their least sizes, all made before anything is written. */
  async allocate(wanted: ReadonlyMap<number, number>): Promise<void> {
    const list = [...wanted].filter(([i, bytes]) => (this.#buffers[i]?.size ?? -1) < bytes);
    if (!list.length) return;
    const largest = list.reduce((a, b) => (b[1] > a[1] ? b : a));
    await this.#scoped(`${this.plan.buffers[largest[0]]!.label} (${megabytes(largest[1])})`, () =>
      list.forEach(([i, bytes]) => this.#ensure(i, bytes)),
    );
  }
  /** Bytes that a program touches, by buffer. Data buffers are made where the data are read. */
  sizesOf(program: PlanProgram, dims: Dims, into = new Map<number, number>()): Map<number, number> {
    const touch = (buffer: number, end: number): void => {
      const b = this.plan.buffers[buffer]!;
      if (b.role !== "data") into.set(buffer, Math.max(into.get(buffer) ?? 0, end, this.size(b.bytes, dims, b.label)));
    };
    const walk = (list: readonly Command[]): void => {
      for (const c of list) {
        if (c.kind === "loop") {
          touch(c.stepBuffer, 0);
          walk(c.body);
        } else if (c.kind === "copy") {
          const bytes = this.size(c.bytes, dims, program.name);
          if (c.from) touch(c.from.buffer, c.from.offset + bytes);
          touch(c.to.buffer, c.to.offset + bytes);
        } else for (const b of c.bindings) touch(b.buffer, b.offset + this.size(b.bytes, dims, c.label));
      }
    };
    walk(program.commands);
    return into;
  }
  size(size: Size, dims: Dims, what: string): number {
    if (typeof size !== "number")
      for (const t of size.sum)
        for (const d of t.dims)
          if (dims[d] === undefined)
            throw new RuntimeProblem(`the plan is damaged: the size ${d} of ${what} is not known`);
    const n = sizeOf(size, dims);
    if (!Number.isSafeInteger(n) || n < 0) throw new RuntimeProblem(`the plan is damaged: ${what} has the size ${n}`);
    return n;
  }
  write(buffer: number, offset: number, data: ArrayBufferView<ArrayBuffer>): void {
    for (const key of this.#held.keys()) if (key.startsWith(`${buffer}:`)) this.#held.delete(key);
    const whole = data.byteLength % 4 ? padded(data) : (data as ArrayBufferView<ArrayBuffer>);
    this.ask(() => this.device.queue.writeBuffer(this.at(buffer), offset, whole));
  }
  /** The same for a single word, left out when the device has it already. */
  writeWord(buffer: number, offset: number, word: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>): void {
    const key = `${buffer}:${offset}`;
    const text = String(new Int32Array(word.buffer, word.byteOffset, 1)[0]);
    if (this.#held.get(key) === text) return;
    this.ask(() => this.device.queue.writeBuffer(this.at(buffer), offset, word));
    this.#held.set(key, text);
  }
  at(index: number): GPUBuffer {
    const buffer = this.#buffers[index];
    if (!buffer)
      throw new RuntimeProblem(
        `the plan is damaged: ${this.plan.buffers[index]!.label} is used, and nothing says how large it is`,
      );
    return buffer;
  }
  release(buffer: number): void {
    this.#buffers[buffer]?.destroy();
    this.#buffers[buffer] = undefined;
  }
  has(buffer: number): boolean {
    return this.#buffers[buffer] !== undefined;
  }

  // ---- pipelines

  #isLong(buffer: number): boolean {
    return isLong(this.plan.buffers[buffer]!);
  }
  #layoutOf(dispatch: Dispatch): Layout {
    const key = dispatch.bindings
      .map((b) => `${b.binding}${b.access}${this.#isLong(b.buffer) ? " of rounds" : ""}`)
      .join();
    let found = this.#layouts.get(key);
    if (!found) {
      const types = { read: "read-only-storage", read_write: "storage", uniform: "uniform" } as const;
      const group = this.ask(() =>
        this.device.createBindGroupLayout({
          entries: dispatch.bindings.map((b) => ({
            binding: b.binding,
            visibility: computeStage,
            buffer: { type: types[b.access], hasDynamicOffset: this.#isLong(b.buffer) },
          })),
        }),
      );
      this.#layouts.set(
        key,
        (found = {
          key,
          group,
          pipeline: this.ask(() => this.device.createPipelineLayout({ bindGroupLayouts: [group] })),
        }),
      );
    }
    return found;
  }
  async #textOf(index: number): Promise<string> {
    const { subgroups } = this.plan.modules[index]!;
    const code = await this.#codeOf(index);
    const { device } = this;
    return subgroups && this.#subgroups && (await areTogether(device, subgroups.lanes))
      ? withSubgroups(code, subgroups)
      : code;
  }
  async #codeOf(index: number): Promise<string> {
    const { name, code } = this.plan.modules[index]!;
    if (code !== undefined) return code;
    if (!this.#code) throw new RuntimeProblem(`the plan does not carry the module ${name}; load() needs \`code\``);
    try {
      return await this.#code(name);
    } catch (error) {
      throw error instanceof RuntimeProblem
        ? error
        : new RuntimeProblem(`cannot read the module ${name}.wgsl: ${messageOf(error)}`);
    }
  }
  async #shader(index: number): Promise<GPUShaderModule> {
    const { name } = this.plan.modules[index]!;
    const source = await this.#textOf(index);
    let found = this.#shaders.get(source);
    if (!found)
      this.#shaders.set(
        source,
        (found = this.#scoped(`the module ${name}.wgsl`, () =>
          this.device.createShaderModule({ label: name, code: source }),
        )),
      );
    return found;
  }
  #pipeline(dispatch: Dispatch, layout: Layout, dims: Dims): Promise<GPUComputePipeline> {
    const constants = Object.fromEntries(
      (dispatch.constants ?? []).map((d) => [
        overrideName(d),
        this.size({ sum: [{ factor: 1, dims: [d] }] }, dims, dispatch.label),
      ]),
    );
    const key = `${dispatch.module}|${dispatch.entry}|${layout.key}|${JSON.stringify(constants)}`;
    let found = this.#pipelines.get(key);
    if (!found) {
      found = this.#textOf(dispatch.module).then((text) => {
        this.#texts.add(text);
        const own = `${dispatch.entry}|${layout.key}|${JSON.stringify(constants)}|${text}`;
        const made = this.#shared?.get(own) ?? this.#newPipeline(dispatch, layout, constants);
        this.#shared?.set(own, made);
        made.catch(() => this.#shared?.delete(own));
        return made;
      });
      found.catch(() => {}); // told to who waits for it, who may have failed before
      this.#pipelines.set(key, found);
    }
    return found;
  }
  async #newPipeline(...of: [Dispatch, Layout, Readonly<Record<string, number>>]): Promise<GPUComputePipeline> {
    const isEdited = this.#subgroups && this.plan.modules[of[0].module]!.subgroups;
    try {
      return await this.#attempt(...of);
    } catch (error) {
      if (!isEdited) throw error;
      this.#subgroups = false; // the device has them and takes no kernel with them
      return this.#attempt(...of);
    }
  }
  async #attempt(
    dispatch: Dispatch,
    layout: Layout,
    constants: Readonly<Record<string, number>>,
  ): Promise<GPUComputePipeline> {
    const where = dispatch.lines?.length ? ` (${dispatch.lines.join(", ")})` : "";
    const module = await this.#shader(dispatch.module);
    this.check(); // what is begun on a device that is closed meanwhile, nobody waits for
    try {
      const compiling = this.device.createComputePipelineAsync({
        label: dispatch.label,
        layout: layout.pipeline,
        compute: { module, entryPoint: dispatch.entry, constants },
      });
      this.#compiling.add(compiling);
      const over = (): void => void this.#compiling.delete(compiling);
      compiling.then(over, over);
      return await this.settle(compiling);
    } catch (error) {
      this.check();
      throw new RuntimeProblem(
        `the device does not accept the kernel ${dispatch.label}${where}: ${messageOf(error)
          .replace(/^the device gave up: /, "")
          .trim()}`,
      );
    }
  }
  get moduleCount(): number {
    return this.#texts.size;
  }

  /** Starts to compile what does not depend on run-time sizes. What goes wrong is told by who records. */
  warm(program: PlanProgram): void {
    for (const c of dispatchesOf(program.commands))
      if (!c.constants?.length) void this.#pipeline(c, this.#layoutOf(c), {});
  }

  /** Nothing is being compiled any more: a device that is destroyed meanwhile may take the process with it. */
  async compiled(): Promise<void> {
    await Promise.allSettled(this.#pipelines.values());
    // a failure is told while they still go on; some that were begun on a lost device never end
    if (!this.#compiling.size) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise((resolve) => (timer = setTimeout(resolve, longestCompilation)));
    await Promise.race([patience, Promise.allSettled(this.#compiling)]);
    clearTimeout(timer);
  }

  // ---- recordings

  /** The program at these dims, with its buffers made; recorded once. */
  async record(program: PlanProgram, dims: Dims): Promise<Recording> {
    this.check();
    checkBindings(this.device, dispatchesOf(program.commands), this.plan, dims);
    await this.allocate(this.sizesOf(program, dims));
    const key = JSON.stringify(dims);
    const made = this.#recordings.get(program) ?? new Map<string, Promise<Recording>>();
    this.#recordings.set(program, made);
    let found = made.get(key);
    if (!found) {
      made.set(key, (found = this.#compile(program, dims)));
      found.catch(() => made.delete(key));
    }
    return found;
  }
  async #compile(program: PlanProgram, dims: Dims): Promise<Recording> {
    const waiting = dispatchesOf(program.commands).map((c) => [c, this.#pipeline(c, this.#layoutOf(c), dims)] as const);
    const pipelines = new Map<Dispatch, GPUComputePipeline>();
    const settled = await Promise.allSettled(waiting.map(async ([c, p]) => pipelines.set(c, await p)));
    for (const s of settled) if (s.status === "rejected") throw s.reason;
    const groups = new Map<string, RecordedGroup>();
    const rounds = new Map<number, number>(); // of the loops around that are written out, by their buffers
    const groupOf = (c: Dispatch): RecordedGroup => {
      const layout = this.#layoutOf(c);
      const entries = c.bindings.map((b) => {
        const isWhole = this.plan.buffers[b.buffer]!.role === "data"; // as long as the data are
        const { binding, buffer } = b;
        const offset = b.offset + roundBytes * (rounds.get(buffer) ?? 0);
        return { binding, buffer, offset, ...(isWhole ? {} : { bytes: this.size(b.bytes, dims, c.label) }) };
      });
      const key = `${layout.key}|${entries.map((e) => `${e.buffer}:${e.offset}:${e.bytes}`).join()}`;
      let group = groups.get(key);
      if (!group) groups.set(key, (group = { label: c.label, layout: layout.group, entries }));
      return group;
    };
    const recorded = (c: Command): readonly Recorded[] => {
      if (c.kind === "loop") {
        if (this.#isLong(c.stepBuffer)) return [{ ...c, body: c.body.flatMap(recorded) }];
        const all = Array.from({ length: c.count }, (_, k) => {
          rounds.set(c.stepBuffer, c.reverse ? c.count - 1 - k : k);
          return c.body.flatMap(recorded);
        });
        rounds.delete(c.stepBuffer);
        return all.flat();
      }
      if (c.kind === "copy") {
        const bytes = this.size(c.bytes, dims, program.name);
        return bytes ? [{ ...c, bytes }] : [];
      }
      const [x, y] = workgroups(c, (s) => this.size(s, dims, c.label));
      if (!x || !y) return [];
      const group = groupOf(c);
      const inOrder = [...c.bindings].sort((a, b) => a.binding - b.binding);
      const steps = inOrder.flatMap((b) => (this.#isLong(b.buffer) ? [b.buffer] : []));
      const bytes = group.entries.reduce((sum, e) => sum + (e.bytes ?? 0), 0);
      const seconds = secondsOf(this.size(c.flops ?? 0, dims, c.label), bytes);
      return [{ kind: "dispatch", of: c, pipeline: pipelines.get(c)!, group, steps, x, y, seconds }];
    };
    const items = program.commands.flatMap(recorded);
    const recording: Recording = { name: program.name, items, groups: [...groups.values()], generation: -1 };
    await this.#scoped(`the bindings of ${program.name}`, () => this.#bind(recording));
    return recording;
  }
  #bind(recording: Recording): void {
    if (recording.generation === this.#generation) return;
    for (const g of recording.groups) {
      g.group = this.device.createBindGroup({
        label: g.label,
        layout: g.layout,
        entries: g.entries.map((e) => ({
          binding: e.binding,
          resource: {
            buffer: this.at(e.buffer),
            offset: e.offset,
            ...(e.bytes === undefined ? {} : { size: Math.max(4, e.bytes) }),
          },
        })),
      });
    }
    recording.generation = this.#generation;
  }
  encoder(label: string): Encoding {
    this.check();
    return this.ask(() => new Encoding(this.device, label, this.#pace, this.ask));
  }
  /** The recording `times` times. */
  replay(encoder: Encoding, recording: Recording, times = 1): void {
    this.ask(() => {
      this.#bind(recording);
      for (let n = 0; n < times; n++)
        for (const [item, offsets] of unrolled(recording.items))
          if (item.kind === "copy") this.copy(encoder, item.from, item.to, item.bytes);
          else encoder.dispatch(item, offsets);
    });
  }
  /** The recording once, a dispatch at a time: what stands then in those of its bindings that `wanted` names. What is not finite there before is cleared. */
  async *oneByOne(
    recording: Recording,
    wanted: (code: string) => ReadonlyMap<string, number>, // by name, the number of the binding
  ): AsyncGenerator<{ readonly of: Dispatch; readonly after: Contents }> {
    for (const [item, offsets] of unrolled(recording.items)) {
      const encoder = this.encoder(recording.name);
      this.ask(() => this.#bind(recording));
      if (item.kind === "copy") {
        this.copy(encoder, item.from, item.to, item.bytes);
        encoder.submit();
        continue;
      }
      const names = [...wanted(await this.#textOf(item.of.module))];
      const places = names.flatMap(([, binding]) => item.group.entries.filter((e) => e.binding === binding));
      const contents = async (): Promise<Float32Array<ArrayBuffer>[]> =>
        (await this.read(places.map((e) => ({ ...e, bytes: e.bytes ?? 0 })))).map((p) => new Float32Array(p.buffer));
      const before = await contents();
      places.forEach(({ buffer, offset }, i) => {
        const values = before[i]!.map((v) => (Number.isFinite(v) ? v : 0));
        if (values.some((v, k) => !Object.is(v, before[i]![k]))) this.write(buffer, offset, values);
      });
      this.ask(() => encoder.dispatch(item, offsets));
      encoder.submit();
      const after = await contents();
      yield { of: item.of, after: new Map(names.map(([name], i) => [name, after[i]!])) };
    }
  }
  copy(encoder: Encoding, from: Copy["from"], to: Copy["to"], bytes: number): void {
    this.ask(() => encoder.copy(from && this.at(from.buffer), from?.offset ?? 0, this.at(to.buffer), to.offset, bytes));
  }

  // ---- reading back

  /** Copies out what stands there when the encoder's commands are done. Call the result after the submit. */
  fetch(encoder: Encoding, places: readonly Place[]): () => Promise<readonly Uint8Array<ArrayBuffer>[]> {
    const total = places.reduce((sum, p) => sum + p.bytes, 0);
    let slot = this.#staging.find((s) => s.free && s.buffer.size >= total);
    if (!slot) {
      checkBytes(this.device, "what is read back", total);
      const size = Math.max(256, total);
      const flags = usage.mapRead | usage.copyTarget;
      const buffer = this.ask(() => this.device.createBuffer({ label: "read back", size, usage: flags }));
      slot = { buffer, free: false };
      this.#staging.push(slot);
    }
    const used = slot;
    used.free = false;
    let at = 0;
    for (const p of places) {
      if (!p.bytes) continue;
      const to = at;
      this.ask(() => encoder.copy(this.at(p.buffer), p.offset, used.buffer, to, p.bytes));
      at += p.bytes;
    }
    return async () => {
      await this.settle(this.ask(() => used.buffer.mapAsync(mapRead, 0, Math.max(4, total))));
      // waiting counts too, so that the device is never taken for faster than it is
      if (encoder.seconds > mostlyStarting)
        this.#pace = Math.min(this.#pace, (performance.now() - encoder.began) / 1000 / encoder.seconds);
      const mapped = new Uint8Array(this.ask(() => used.buffer.getMappedRange(0, Math.max(4, total))));
      let from = 0;
      const parts = places.map((p) => mapped.slice(from, (from += p.bytes)));
      used.buffer.unmap();
      used.free = true;
      if (used.buffer.size > 1 << 22) {
        // too large to keep
        used.buffer.destroy();
        this.#staging = this.#staging.filter((s) => s !== used);
      }
      return parts;
    };
  }
  async read(places: readonly Place[]): Promise<readonly Uint8Array<ArrayBuffer>[]> {
    if (!places.length) return [];
    const encoder = this.encoder("read");
    // all are copied at once, in as many buffers as the device needs for them: training goes on meanwhile
    const most = Math.min(mostReadBack, this.device.limits.maxBufferSize) & ~3;
    const waiting = pieces(places, most).map((list) => [list, this.fetch(encoder, list)] as const);
    encoder.submit();
    const results = places.map((p) => new Uint8Array(p.bytes));
    for (const [list, fetched] of waiting) {
      const parts = await fetched();
      list.forEach((piece, i) => results[piece.of]!.set(parts[i]!, piece.at));
    }
    return results;
  }
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.device.removeEventListener("uncapturederror", this.#onError);
    for (const b of this.#buffers) b?.destroy();
    for (const s of this.#staging) s.buffer.destroy();
    for (const stop of [...this.#waiting]) stop(closed());
    await this.compiled();
  }
}

export const closed = (): RuntimeProblem => new RuntimeProblem("this model is closed");

interface Piece extends Place {
  readonly of: number; // which place
  readonly at: number; // bytes from its beginning
}
/** Lists of at most so many bytes; what is longer by itself is cut. */
function pieces(places: readonly Place[], most: number): readonly Piece[][] {
  const lists: Piece[][] = [[]];
  let left = most;
  for (const [of, p] of places.entries())
    for (let at = 0; at < p.bytes;) {
      if (!left) {
        lists.push([]);
        left = most;
      }
      const bytes = Math.min(left, p.bytes - at);
      lists.at(-1)!.push({ of, at, buffer: p.buffer, offset: p.offset + at, bytes });
      at += bytes;
      left -= bytes;
    }
  return lists;
}
/** Values of tensors by their names in a kernel's code. */
export type Contents = ReadonlyMap<string, Float32Array>;
/** Rounds of loops one after the other; with a dispatch the offsets of `steps`. */
function* unrolled(
  list: readonly Recorded[],
  rounds = new Map<number, number>(), // of the loops around, by their buffers
): Generator<readonly [item: RecordedDispatch | RecordedCopy, offsets: readonly number[]]> {
  for (const item of list) {
    if (item.kind === "loop")
      for (let k = 0; k < item.count; k++) {
        rounds.set(item.stepBuffer, item.reverse ? item.count - 1 - k : k);
        yield* unrolled(item.body, rounds);
      }
    else if (item.kind === "copy") yield [item, []];
    else yield [item, item.steps.map((buffer) => roundBytes * (rounds.get(buffer) ?? 0))];
  }
}
function padded(data: ArrayBufferView): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return out;
}
function fromBase64(text: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    throw new RuntimeProblem("the plan is damaged: a constant is no base64");
  }
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}
