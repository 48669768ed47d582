// Where a node comes from: a place in text, and the call that it was made in. A library function is inlined where it is called, so its lines are
// those of many calls; the origin tells them apart. Never part of equality: of equal nodes the first one's place stays.
// Constructors add the running call to the places they are given; whatever keeps a node's `span` keeps its origin with it.
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
}

let running: Origin | undefined;
/** Runs a call; nodes that are made in it are its own, unless a call within makes them. */
export function withOrigin<T>(origin: Origin, run: () => T): T {
  const before = running;
  running = origin;
  try {
    return run();
  } finally {
    running = before;
  }
}
/** The running call. */
export const originNow = (): Origin | undefined => running;
/** The call of something, within the running one. */
export function callOrigin(kind: Origin["kind"], callee: string, path: string | undefined, span: Span): Origin {
  const parent = running;
  return {
    kind,
    path: path ?? parent?.path ?? "",
    callee,
    span: parent && span.file.library ? parent.span : span,
    ...(parent ? { parent } : {}),
  };
}
/** A place with its call: its own, or else the running one. */
export function placeNow(span: Place): Place {
  if (span.origin || !running) return span;
  return { file: span.file, start: span.start, end: span.end, origin: running };
}
/** The same place, of a derivative. */
export const derivativeOf = (place: Place | undefined): Place | undefined => place && { ...place, isDerivative: true };
