// Single kernels on the device of the tests.
import type { Source } from "../../compiler/graph/types.ts";
import { baseOf } from "../../compiler/graph/node.ts";
import { sizeOfShape, type Dims } from "../../compiler/evaluate/evaluate.ts";
import type { Module } from "../../compiler/kernel/ir.ts";
import type { LoweredKernel } from "../../compiler/lower/lower.ts";
import { sizeOf, type DType, type WorkgroupCount } from "../../runtime/plan.ts";
import { printModule } from "../../compiler/wgsl/print.ts";
import { dimName } from "../../compiler/wgsl/names.ts";

export interface TestDevice {
  readonly device: GPUDevice;
  readonly name: string;
  readonly lanes: number; // of a subgroup; 0 where they vary or are not offered
}
export interface Prepared {
  readonly encode: (pass: GPUComputePassEncoder) => void;
  readonly read: (source: Source) => Promise<Float64Array>;
  readonly destroy: () => void;
}
const usage = { storage: 0x80, uniform: 0x40, source: 4, destination: 8, mapRead: 1 };
export function countOf(of: readonly [WorkgroupCount, WorkgroupCount], dims: Dims): [number, number] {
  const number = (n: WorkgroupCount): number =>
    typeof n === "number"
      ? n
      : n === "fold"
        ? 1
        : n.tiles.reduce((p, [size, tile]) => p * Math.ceil(sizeOf(size, dims) / tile), 1);
  const [x, y] = of;
  if (y !== "fold") return [number(x), number(y)];
  const total = number(x);
  return [Math.min(total, 65535), Math.ceil(total / 65535)];
}
const words = (values: ArrayLike<number>, storage: DType | "u8"): Uint8Array<ArrayBuffer> => {
  if (storage === "u8") return Uint8Array.from(values);
  const typed =
    storage === "f32"
      ? Float32Array.from(values)
      : storage === "i32"
        ? Int32Array.from(values)
        : Uint32Array.from(values);
  return new Uint8Array(typed.buffer);
};
/** Buffers filled, pipelines made, validation errors and compiler messages thrown. */
export async function prepare(
  on: TestDevice,
  lowered: LoweredKernel,
  values: ReadonlyMap<Source, ArrayLike<number>>,
  options: { dims?: Dims; storage?: (source: Source) => DType | "u8"; code?: (module: Module) => string } = {},
): Promise<Prepared> {
  const { device } = on;
  const dims = options.dims ?? {};
  const storageOf = options.storage ?? ((s: Source) => s.dtype);
  const buffers = new Map<unknown, GPUBuffer>();
  const bufferOf = (node: unknown): GPUBuffer => {
    let own = buffers.get(node);
    if (!own) {
      const of = node as Source;
      const given = values.get(of);
      const bytes = given ? words(given, storageOf(of)) : new Uint8Array(4 * sizeOfShape(of.shape, dims));
      own = device.createBuffer({
        size: Math.max(4, (bytes.byteLength + 3) & ~3),
        usage: usage.storage | usage.source | usage.destination,
      });
      const padded = bytes.byteLength % 4 ? new Uint8Array((bytes.byteLength + 3) & ~3) : bytes;
      if (padded !== bytes) padded.set(bytes);
      device.queue.writeBuffer(own, 0, padded);
      buffers.set(node, own);
    }
    return own;
  };
  const made: { pipeline: GPUComputePipeline; group: GPUBindGroup; count: [number, number] }[] = [];
  for (const kernel of [...(lowered.before ?? []), lowered]) {
    device.pushErrorScope("validation");
    const code = (options.code ?? printModule)(kernel.module);
    const module = device.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    const constants = Object.fromEntries(kernel.constants.map((name) => [dimName(name), dims[name]!]));
    const pipeline = messages.length
      ? undefined
      : device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: kernel.entry, constants } });
    const group =
      pipeline &&
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: kernel.bindings.map((b) => ({
          binding: b.binding,
          resource: { buffer: bufferOf(b.node.kind === "scan" ? b.node : baseOf(b.node)) },
        })),
      });
    const error = await device.popErrorScope();
    if (messages.length || error)
      throw new Error(
        `${messages.map((m) => `${m.lineNum}:${m.linePos} ${m.message}`).join("\n")}${error?.message ?? ""}\n${code}`,
      );
    made.push({ pipeline: pipeline!, group: group!, count: countOf(kernel.workgroups, dims) });
  }
  return {
    encode: (pass) => {
      for (const { pipeline, group, count } of made) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...count);
      }
    },
    read: async (source) => {
      const from = bufferOf(source);
      const copy = device.createBuffer({ size: from.size, usage: usage.destination | usage.mapRead });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(from, 0, copy, 0, from.size);
      device.queue.submit([encoder.finish()]);
      await copy.mapAsync(1);
      const raw = copy.getMappedRange().slice(0);
      copy.destroy();
      return Float64Array.from(
        source.dtype === "f32"
          ? new Float32Array(raw)
          : source.dtype === "i32"
            ? new Int32Array(raw)
            : new Uint32Array(raw),
      ).slice(0, sizeOfShape(source.shape, dims));
    },
    destroy: () => buffers.forEach((b) => b.destroy()),
  };
}
export async function runOnce(on: TestDevice, prepared: Prepared): Promise<void> {
  const encoder = on.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  prepared.encode(pass);
  pass.end();
  on.device.queue.submit([encoder.finish()]);
  await finished(on);
}
const sleeper = new Int32Array(new SharedArrayBuffer(4));
/** Waits without keeping a core busy: a pending promise makes the binding poll, which takes a core from the software device. */
export async function finished(on: TestDevice): Promise<void> {
  let done = false;
  void on.device.queue.onSubmittedWorkDone().then(() => (done = true));
  while (!done) {
    Atomics.wait(sleeper, 0, 0, 0.2);
    await new Promise(setImmediate);
  }
}
