// MODEL.tune.json: the schedules that `dlm tune` measured, by device. In: the file beside a model. Out: schedules for a target, by the keys of their
// kernels; what does not fit the model any more is told and passed over.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Target } from "../kernel/target.ts";
import { counted } from "../print/text.ts";
import type { Tuned } from "../programs/lower.ts";
import { readText } from "./files.ts";
import { commandLine } from "./started.ts";

export const tuneFormat = 1;
export interface TunedSchedule {
  readonly key: string; // of what it computes
  readonly kernel: string; // its name, for people
  readonly schedule: string;
  readonly microseconds: readonly [before: number, after: number]; // medians
}
export interface TunedDevice {
  readonly device: string; // as its driver names it
  readonly target: string;
  readonly kernels: readonly TunedSchedule[];
}
export interface TuneFile {
  readonly format: number;
  readonly devices: readonly TunedDevice[]; // the last measured last
}

export const tunePath = (model: { readonly folder: string; readonly name: string }): string =>
  join(model.folder, model.name.replace(/\.dlm$/, "") + ".tune.json");

/** What lies beside a model; `problem`: why it is not used. */
export function readTuned(path: string): { readonly devices: readonly TunedDevice[]; readonly problem?: string } {
  if (!existsSync(path)) return { devices: [] };
  let found: unknown;
  try {
    found = JSON.parse(readText(path));
  } catch {
    return { devices: [], problem: "it is no JSON" };
  }
  const { format, devices } = isRecord(found) ? found : {};
  if (format !== tuneFormat) return { devices: [], problem: `its format is not ${tuneFormat}` };
  if (!Array.isArray(devices) || !devices.every(isDevice)) return { devices: [], problem: "it is not what dlm writes" };
  return { devices };
}
const isRecord = (x: unknown): x is Readonly<Record<string, unknown>> => typeof x === "object" && x !== null;
const isDevice = (x: unknown): x is TunedDevice =>
  isRecord(x) &&
  typeof x["device"] === "string" &&
  typeof x["target"] === "string" &&
  Array.isArray(x["kernels"]) &&
  x["kernels"].every((k) => isRecord(k) && ["key", "kernel", "schedule"].every((name) => typeof k[name] === "string"));

/** For this device; where none is at hand, of the last device of this target that was measured. */
export const tunedFor = (
  devices: readonly TunedDevice[],
  target: Target,
  device: string | undefined,
): TunedDevice | undefined =>
  devices.findLast((d) => d.target === target.name && (device === undefined || d.device === device));
export const schedulesOf = (of: TunedDevice | undefined): Tuned =>
  Object.fromEntries((of?.kernels ?? []).map((k) => [k.key, k.schedule]));

/** "digits.tune.json: 2 of its 5 schedules are of kernels that the model has no more; `dlm tune digits.dlm` measures anew" */
export function unusedText(
  path: string,
  model: string,
  of: TunedDevice,
  used: ReadonlySet<string>,
): string | undefined {
  const unused = of.kernels.filter((k) => !used.has(k.key)).length;
  if (!unused) return undefined;
  const all = of.kernels.length;
  return `${path}: ${unused === all ? (all === 1 ? "its schedule is" : `its ${all} schedules are`) : `${unused} of its ${counted(all, "schedule")} ${unused === 1 ? "is" : "are"}`} of kernels that the model has no more; \`${commandLine("tune", model)}\` measures anew`;
}
