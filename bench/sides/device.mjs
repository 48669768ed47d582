// dawn.node as `navigator.gpu`, and what is done with it, counted: dispatches, submits, buffers made, bytes alive at most.
// In Node the classes of a WebGPU implementation belong to the module that made them, so counting is installed on the classes given.
export const counted = { dispatches: 0, submits: 0, buffers: 0, bytes: 0, peak: 0, device: undefined };

function wrap(prototype, name, around) {
  const original = prototype[name];
  prototype[name] = function (...args) {
    return around.call(this, () => original.apply(this, args), args);
  };
}

export function count({ GPUAdapter, GPUDevice, GPUBuffer, GPUQueue, GPUComputePassEncoder }) {
  const sizes = new WeakMap();
  wrap(GPUDevice.prototype, "createBuffer", function (call, [descriptor]) {
    const buffer = call();
    sizes.set(buffer, descriptor.size);
    counted.buffers++;
    counted.bytes += descriptor.size;
    counted.peak = Math.max(counted.peak, counted.bytes);
    return buffer;
  });
  wrap(GPUBuffer.prototype, "destroy", function (call) {
    counted.bytes -= sizes.get(this) ?? 0;
    sizes.delete(this);
    return call();
  });
  wrap(GPUQueue.prototype, "submit", (call) => {
    counted.submits++;
    return call();
  });
  for (const name of ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"])
    wrap(GPUComputePassEncoder.prototype, name, (call) => {
      counted.dispatches++;
      return call();
    });
  wrap(GPUAdapter.prototype, "requestDevice", function (call) {
    const { vendor, architecture, device, description } = this.info;
    counted.device ??= description || device || `${vendor} ${architecture}`;
    return call();
  });
}

/** For peers: dawn.node as the `navigator.gpu` of a browser. Call it before a library is imported. BENCH_ADAPTER names an adapter. */
export async function installDevice() {
  if (process.env.BENCH_RECORD) return (await import("../lab/recorder.mjs")).install();
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  count(globals);
  const gpu = create(process.env.BENCH_ADAPTER ? [`adapter=${process.env.BENCH_ADAPTER}`] : []);
  const { availableParallelism } = await import("node:os");
  const navigator = {
    gpu,
    userAgent: "node",
    platform: process.platform,
    language: "en",
    hardwareConcurrency: availableParallelism(),
  };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true, writable: true });
}

const cell = new Int32Array(new SharedArrayBuffer(4));
/** Waits for a promise of dawn.node without polling it all the time, which would take a core from a software device: naps of 0.2 ms. */
export async function nap(promise) {
  let open = true;
  const settled = promise.finally(() => (open = false));
  settled.catch(() => {}); // reported by the await below
  while (open) {
    Atomics.wait(cell, 0, 0, 0.2);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return settled;
}
