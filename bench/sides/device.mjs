// dawn.node as `navigator.gpu`, and what is done with it, counted: dispatches, submits, buffers made, bytes alive at most.
import { create, globals } from "webgpu";

export const counted = { dispatches: 0, submits: 0, buffers: 0, bytes: 0, peak: 0, device: undefined };

function wrap(prototype, name, before) {
  const original = prototype[name];
  prototype[name] = function (...args) {
    return before.call(this, () => original.apply(this, args), args);
  };
}

/** Installs the globals that a browser has; call it before a library is imported. Returns the GPU object, whose lifetime is the process's. */
export function installDevice() {
  Object.assign(globalThis, globals);
  const gpu = create([]);
  Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "node", platform: "linux", language: "en", hardwareConcurrency: 2 }, configurable: true, writable: true });
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
  wrap(globals.GPUAdapter.prototype, "requestDevice", function (call) {
    const { vendor, architecture, device, description } = this.info;
    counted.device ??= device || description || `${vendor} ${architecture}`;
    return call();
  });
  return gpu;
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
