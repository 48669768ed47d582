// The device of a command: --device, else DLM_DEVICE, else the best there is (runtime/node.ts). Problems in words.
import type { DeviceFacts } from "../../runtime/device.ts";
import { DeviceUnavailable, openDevice, type OpenedDevice } from "../../runtime/node.ts";
import { targets, type Target } from "../schedule/target.ts";
import { embeddedDriver } from "./embedded.ts";
import { UserError } from "./problem.ts";

export const deviceOption = ["--device <choice>", "auto, gpu, system, embedded, or a part of an adapter's name (also DLM_DEVICE)"] as const;

export async function deviceFor(choice: string | undefined): Promise<OpenedDevice> {
  try {
    return await openDevice(choice, embeddedDriver);
  } catch (error) {
    if (error instanceof DeviceUnavailable) throw new UserError(`dlm: ${error.message}`);
    throw error;
  }
}
/** What kernels for this device are scheduled for. */
export function targetOf(facts: DeviceFacts): Target {
  return facts.class === "gpu" ? targets["discrete"]! : targets["software"]!;
}
