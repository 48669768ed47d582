// Loaded before a program (node --import): the devices that it opens are lost at the call that DLM_LOST_AT names, or the calls that they get are written to
// the file that DLM_CALLS names.
import { appendFileSync } from "node:fs";
import { globals } from "webgpu";
import { lose, observe } from "./observed.ts";

const { DLM_LOST_AT: at, DLM_CALLS: file } = process.env;
const adapter = (globals as { readonly GPUAdapter: { readonly prototype: GPUAdapter } }).GPUAdapter.prototype;
const open = adapter.requestDevice;
adapter.requestDevice = async function (this: GPUAdapter, descriptor) {
  const device = await open.call(this, descriptor);
  let n = 0;
  if (at !== undefined) lose(device, () => n++ === Number(at));
  if (file !== undefined) observe(device, (call) => void appendFileSync(file, `${call}\n`) as undefined);
  return device;
};
