// What a compiled trainer adds to the runtime's public types; generated trainers write the like into their own declarations.
import type { LoadOptions, Model } from "./api.ts";
import type { DeviceFacts } from "./device.ts";

/** How a compiled trainer loads its model. */
export interface TrainerOptions extends Partial<LoadOptions> {
  /** In Node, which device: auto, gpu, system, embedded, or a part of an adapter's name. */
  readonly choose?: string;
  /** A folder, or its address, in which data files are looked for first. */
  readonly data?: string;
}
/** A model that a compiled trainer loaded. */
export interface TrainerModel extends Model {
  readonly device: DeviceFacts | undefined; // undefined where the caller gave the device
}
