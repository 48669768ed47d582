// What the playground and the frame with the page of a model say to one another. In: nothing. Out: types.
import type { Plan } from "../../runtime/plan.ts";

export interface Given {
  readonly plans: readonly Plan[]; // of one model, for each class of devices
  readonly data: string; // the address of the model's folder
  readonly files: Readonly<Record<string, Uint8Array>>; // that the visitor gave
}
/** What the frame asks for: the model; its places in the text, by a line ("digits.dlm:8") or an instance ("net.linear"); the plan with every kernel apart. */
export type Asked =
  | { readonly ask: "model" }
  | { readonly ask: "place"; readonly line: string }
  | { readonly ask: "place"; readonly layer: string }
  | { readonly ask: "apart"; readonly target: string };
/** What it is answered. */
export type Told =
  { readonly tell: "model"; readonly given: Given } | { readonly tell: "apart"; readonly plan: Plan | undefined }; // undefined: the text is another one by now
