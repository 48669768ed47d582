// Where a node comes from: a place in text, and the call that it was made in. A library function is inlined where it is called, so its lines are
// those of many calls; the origin tells them apart. Never part of equality: of equal nodes the first one's place stays.
import type { Span } from "../../grammar/diagnostic.ts";

export interface Origin {
  readonly kind: "layer" | "model" | "fn" | "init" | "optimizer" | "data" | "train" | "export";
  readonly path: string; // of the instance that it stands in: "net.block.3.linear2"; of a block or export: its name
  readonly callee: string; // "Linear", "softmax"; the name of a block or export
  readonly span: Span; // in the user's text: the innermost call around that the user wrote
  readonly parent?: Origin;
}
export interface Place extends Span {
  readonly origin?: Origin;
  readonly isDerivative?: true; // of what stands there
  readonly gradientOf?: string; // the label of what a derivative is the gradient of: a parameter's path, a value's name
}
