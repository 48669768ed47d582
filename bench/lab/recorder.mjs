// A WebGPU implementation that computes nothing and writes down what it is asked: which module is dispatched, how wide, on what memory. Buffers hold
// what the host wrote, so that uniforms and indices are known; what kernels would compute is zero. It poses as a graphics card, so that libraries
// choose the kernels that they would run there.

const limits = {
  maxTextureDimension2D: 16384,
  maxBindGroups: 4,
  maxBindingsPerBindGroup: 1000,
  maxDynamicUniformBuffersPerPipelineLayout: 10,
  maxDynamicStorageBuffersPerPipelineLayout: 8,
  maxStorageBuffersPerShaderStage: 10,
  maxUniformBuffersPerShaderStage: 12,
  maxUniformBufferBindingSize: 65536,
  maxStorageBufferBindingSize: 2147483644,
  minUniformBufferOffsetAlignment: 256,
  minStorageBufferOffsetAlignment: 256,
  maxBufferSize: 4294967296,
  maxComputeWorkgroupStorageSize: 32768,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
  maxComputeWorkgroupSizeY: 1024,
  maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupsPerDimension: 65535,
};
export const recorded = { on: false, dispatches: [], submits: 0, copies: 0, copyBytes: 0, writes: 0, buffers: 0 };
export function begin() {
  Object.assign(recorded, { on: true, dispatches: [], submits: 0, copies: 0, copyBytes: 0, writes: 0, buffers: 0 });
}

let buffers = 0;
class RecordedBuffer {
  constructor({ size, usage, label, mappedAtCreation }) {
    Object.assign(this, {
      size,
      usage,
      label: label ?? "",
      number: buffers++,
      mapState: mappedAtCreation ? "mapped" : "unmapped",
    });
    if (recorded.on) recorded.buffers++;
  }
  /** Bytes are there once the host writes some. */
  get bytes() {
    return (this.held ??= new ArrayBuffer(this.size));
  }
  written = false;
  getMappedRange(offset = 0, size = this.size - offset) {
    this.written ||= this.mapState === "mapped" && !(this.usage & 1); // not of one that is read
    return offset === 0 && size === this.size ? this.bytes : this.bytes.slice(offset, offset + size);
  }
  async mapAsync() {
    this.mapState = "mapped";
  }
  unmap() {
    this.mapState = "unmapped";
  }
  destroy() {
    this.held = undefined;
    this.written = false;
  }
}
const bytesOf = (data, offset, count) => {
  const view = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
  const unit = ArrayBuffer.isView(data) && data.BYTES_PER_ELEMENT ? data.BYTES_PER_ELEMENT : 1;
  return view.subarray(offset * unit, count === undefined ? undefined : (offset + count) * unit);
};

class Pass {
  #groups = [];
  #pipeline;
  setPipeline(pipeline) {
    this.#pipeline = pipeline;
  }
  setBindGroup(index, group, offsets = []) {
    this.#groups[index] = { group, offsets };
  }
  dispatchWorkgroups(x, y = 1, z = 1) {
    if (!recorded.on) return;
    const bindings = this.#groups.flatMap((g, group) => {
      let dynamic = 0;
      return g.group.entries.map(({ binding, resource }) => {
        const { buffer, offset = 0, size } = resource.buffer ? resource : { buffer: resource };
        const moved = g.offsets.length && g.group.layout.dynamic?.has(binding) ? g.offsets[dynamic++] : 0;
        const at = offset + moved;
        const bytes = size ?? buffer.size - at;
        // of what the host never wrote nothing is known
        const content =
          buffer.written && bytes <= 1 << 20 ? new Uint8Array(buffer.bytes).slice(at, at + bytes) : undefined;
        return {
          group,
          binding,
          buffer: buffer.number,
          offset: at,
          bytes,
          label: buffer.label,
          ...(content ? { content } : {}),
        };
      });
    });
    const { code, entry, constants, label } = this.#pipeline;
    recorded.dispatches.push({ label, code, entry, constants, workgroups: [x, y, z], bindings });
  }
  dispatchWorkgroupsIndirect() {
    throw new Error("recorder: an indirect dispatch, whose size nobody knows");
  }
  pushDebugGroup() {}
  popDebugGroup() {}
  insertDebugMarker() {}
  writeTimestamp() {}
  end() {}
}
class Encoder {
  beginComputePass() {
    return new Pass();
  }
  copyBufferToBuffer(from, fromOffset, to, toOffset, size) {
    if (typeof fromOffset === "object") [to, fromOffset, toOffset, size] = [fromOffset, 0, 0, from.size];
    if (recorded.on) recorded.copies++;
    if (recorded.on) recorded.copyBytes += size;
    if (from.written && !(to.usage & 1)) {
      to.written = true;
      new Uint8Array(to.bytes).set(new Uint8Array(from.bytes, fromOffset, size), toOffset);
    }
  }
  clearBuffer() {
    if (recorded.on) recorded.copies++;
  }
  resolveQuerySet() {}
  pushDebugGroup() {}
  popDebugGroup() {}
  finish() {
    return {};
  }
}
class Queue {
  submit(list) {
    if (recorded.on && list.length) recorded.submits++;
  }
  writeBuffer(buffer, offset, data, dataOffset = 0, count) {
    buffer.written = true;
    new Uint8Array(buffer.bytes).set(bytesOf(data, dataOffset, count), offset);
    if (recorded.on) recorded.writes++;
  }
  async onSubmittedWorkDone() {}
}

export class Device {
  queue = new Queue();
  features = new Set();
  limits = limits;
  lost = new Promise(() => {});
  adapterInfo = info;
  addEventListener() {}
  removeEventListener() {}
  destroy() {}
  pushErrorScope() {}
  async popErrorScope() {
    return null;
  }
  createBuffer(descriptor) {
    return new RecordedBuffer(descriptor);
  }
  createShaderModule({ code }) {
    return { code, getCompilationInfo: async () => ({ messages: [] }) };
  }
  createBindGroupLayout({ entries }) {
    return { dynamic: new Set(entries.filter((e) => e.buffer?.hasDynamicOffset).map((e) => e.binding)) };
  }
  createPipelineLayout({ bindGroupLayouts }) {
    return { layouts: bindGroupLayouts };
  }
  createComputePipeline({ label, layout, compute: { module, entryPoint, constants } }) {
    return {
      label: label ?? "",
      code: module.code,
      entry: entryPoint,
      constants: constants ?? {},
      getBindGroupLayout: (i) => layout?.layouts?.[i] ?? {},
    };
  }
  async createComputePipelineAsync(descriptor) {
    return this.createComputePipeline(descriptor);
  }
  createBindGroup({ layout, entries }) {
    return { layout, entries };
  }
  createCommandEncoder() {
    return new Encoder();
  }
  createQuerySet() {
    return { destroy() {} };
  }
}
const info = {
  vendor: "amd",
  architecture: "rdna-2",
  device: "",
  description: "recorder",
  subgroupMinSize: 32,
  subgroupMaxSize: 64,
};
class Adapter {
  features = new Set();
  limits = limits;
  info = info;
  isFallbackAdapter = false;
  async requestDevice() {
    return new Device();
  }
}

/** As the `navigator.gpu` of a browser: for peers, before they are imported. */
export function install() {
  const { hardwareConcurrency = 2 } = globalThis.navigator ?? {};
  const navigator = {
    gpu: { requestAdapter: async () => new Adapter(), getPreferredCanvasFormat: () => "rgba8unorm" },
    userAgent: "node",
    platform: process.platform,
    language: "en",
    hardwareConcurrency,
  };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true, writable: true });
  globalThis.GPUBuffer ??= RecordedBuffer;
  globalThis.GPUTexture ??= class {};
  globalThis.GPUBufferUsage ??= {
    MAP_READ: 1,
    MAP_WRITE: 2,
    COPY_SRC: 4,
    COPY_DST: 8,
    INDEX: 16,
    VERTEX: 32,
    UNIFORM: 64,
    STORAGE: 128,
    INDIRECT: 256,
    QUERY_RESOLVE: 512,
  };
  globalThis.GPUMapMode ??= { READ: 1, WRITE: 2 };
  globalThis.GPUShaderStage ??= { VERTEX: 1, FRAGMENT: 2, COMPUTE: 4 };
}

const mostContent = 256 * 1024; // bytes of a buffer that the host wrote, beyond which only its size is kept
/** What was recorded, equal launches once. */
export function written() {
  const kinds = new Map();
  const bound = new Map();
  for (const d of recorded.dispatches) {
    for (const b of d.bindings) bound.set(`${b.buffer} ${b.offset}`, b.bytes);
    const bindings = d.bindings.map(({ group, binding, bytes, content }) => ({
      group,
      binding,
      bytes,
      ...(content && content.length <= mostContent ? { content: Buffer.from(content).toString("base64") } : {}),
    }));
    const { label, code, entry, constants, workgroups } = d;
    const key = JSON.stringify([code, entry, constants, workgroups, bindings]);
    if (!kinds.has(key)) kinds.set(key, { label, code, entry, constants, workgroups, bindings, count: 0 });
    kinds.get(key).count++;
  }
  const { submits, copies, copyBytes, writes, buffers } = recorded;
  return {
    launches: recorded.dispatches.length,
    submits,
    copies,
    copyBytes,
    writes,
    buffers,
    boundBytes: [...bound.values()].reduce((a, b) => a + b, 0),
    dispatches: [...kinds.values()],
  };
}
