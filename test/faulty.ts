// Loaded before a program (node --import): the devices that it opens are lost at the call that DLM_LOST_AT names, the calls that they get are written to
// the file that DLM_CALLS names, and they say that they have the limits of DLM_LIMITS.
import { appendFileSync } from "node:fs";
import { globals } from "webgpu";
import { lose, observe } from "./observed.ts";

const { DLM_LOST_AT: at, DLM_CALLS: file, DLM_LIMITS: limits } = process.env;
const adapter = (globals as { readonly GPUAdapter: { readonly prototype: GPUAdapter } }).GPUAdapter.prototype;
const open = adapter.requestDevice;
adapter.requestDevice = async function (this: GPUAdapter, descriptor) {
  const device = await open.call(this, descriptor);
  let n = 0;
  if (limits !== undefined) {
    const all: Record<string, unknown> = {};
    for (const name in device.limits) all[name] = (device.limits as unknown as Record<string, unknown>)[name];
    Object.defineProperty(device, "limits", { value: { ...all, ...(JSON.parse(limits) as object) } });
  }
  if (at !== undefined) lose(device, () => n++ === Number(at));
  if (file !== undefined) observe(device, (call) => void appendFileSync(file, `${call}\n`) as undefined);
  return device;
};
