// The call that runs while a program is elaborated. Constructors add it to the places they are given; whatever keeps a node's `span` keeps its origin.
import type { Span } from "../../grammar/diagnostic.ts";
import { working } from "./compilation.ts";
import type { Origin, Place } from "./place.ts";

export type { Origin, Place };
/** Runs a call; nodes that are made in it are its own, unless a call within makes them. */
export function withOrigin<T>(origin: Origin, run: () => T): T {
  const compilation = working();
  const before = compilation.origin;
  compilation.origin = origin;
  try {
    return run();
  } finally {
    compilation.origin = before;
  }
}
/** The running call. */
export const originNow = (): Origin | undefined => working().origin;
/** The call of something, within the running one. */
export function callOrigin(kind: Origin["kind"], callee: string, path: string | undefined, span: Span): Origin {
  const parent = originNow();
  return {
    kind,
    path: path ?? parent?.path ?? "",
    callee,
    span: parent && span.file.library ? parent.span : span,
    ...(parent ? { parent } : {}),
  };
}
/** A place with its call: its own, or else the running one. What has no place stands where its call does. */
export function placeNow(place: Place | undefined): Place | undefined {
  const origin = originNow();
  if (place?.origin || !origin) return place;
  const { file, start, end } = place ?? origin.span;
  return { file, start, end, origin };
}
/** The same place, of a derivative; `label`: of what it is the gradient of. */
export const derivativeOf = (place: Place | undefined, label?: string): Place | undefined =>
  place && { ...place, isDerivative: true, ...(label ? { gradientOf: label } : {}) };
