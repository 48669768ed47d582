// `dlm/runtime/node`: a WebGPU device for programs in Node. In: a choice, as `--device` takes it.   Out: a device and what it is; the embedded software
// device is unpacked when it is first needed.
import { openDevice as open, type OpenedDevice } from "../../runtime/node.ts";
import { embeddedDriver } from "./embedded.ts";

export type { DeviceClass, DeviceFacts } from "../../runtime/device.ts";
export { DeviceUnavailable, systemAdapterNames, type Attempt, type OpenedDevice } from "../../runtime/node.ts";

/** auto (the best there is), gpu, system, embedded, or a part of an adapter's name. Default: DLM_DEVICE, else auto. Close it: Node does not exit while it is open. */
export const openDevice = (wanted?: string): Promise<OpenedDevice> => open(wanted, embeddedDriver);
