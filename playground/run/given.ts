// What the frame is given. In: nothing. Out: a type.
import type { Plan } from "../../runtime/plan.ts";

export interface Given {
  readonly plans: readonly Plan[]; // of one model, for each class of devices
  readonly data: string; // the address of the model's folder
  readonly files: Readonly<Record<string, Uint8Array>>; // that the visitor gave
}
