// The device of a command: --device, else DLM_DEVICE, else the best there is (runtime/node.ts). Problems in words.
import type { DeviceFacts } from "../../runtime/device.ts";
import { targetsFor } from "../../runtime/classes.ts";
import { DeviceUnavailable, openDevice, type OpenedDevice } from "../../runtime/node.ts";
import { withoutChatter } from "../../runtime/quiet.ts";
import { targets, type Target } from "../kernel/target.ts";
import { embeddedDriver } from "./embedded.ts";
import { UsageError } from "./problem.ts";

export const deviceOption = [
  "--device <choice>",
  "auto, gpu, system, embedded, or a part of an adapter's name (also DLM_DEVICE)",
] as const;

const classes = ["auto", "gpu", "system", "embedded"];
export async function deviceFor(choice: string | undefined): Promise<OpenedDevice> {
  try {
    return await withoutChatter(() => openDevice(choice, embeddedDriver));
  } catch (error) {
    const wanted = choice || process.env["DLM_DEVICE"] || "auto";
    if (!(error instanceof DeviceUnavailable) || classes.includes(wanted)) throw error;
    throw new UsageError(error.message); // a name that no adapter has
  }
}
/** What kernels for this device are scheduled for. */
export const targetOf = (facts: DeviceFacts): Target => targets[targetsFor(facts)[0]!]!;
