// Tensors that no device can hold, and those of no elements where a model keeps something.
import type { Diagnostic, Span } from "../../grammar/diagnostic.ts";
import { elementCount } from "../graph/node.ts";
import { shapeText } from "../graph/print.ts";
import type { Shape } from "../graph/types.ts";
import { Fault, mostElements, noElements, tensorTooLarge } from "./errors.ts";
import type { Program } from "./program.ts";

export function checkSize(shape: Shape, span: Span): void {
  const known = elementCount(shape.filter((n) => typeof n === "number"));
  if (known > mostElements) throw tensorTooLarge(span, shapeText(shape), known);
}
/** Of what a program keeps, takes and gives. What lies in between is checked when it is known to be stored. */
export function checkSizes(program: Program, whole: Span): Diagnostic[] {
  const found: Diagnostic[] = [];
  const check = (shape: Shape, span: Span | undefined, kept?: string): void => {
    try {
      checkSize(shape, span ?? whole);
      if (kept && shape.includes(0)) throw noElements(span ?? whole, kept, shapeText(shape));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      found.push(error.diagnostic);
    }
  };
  for (const h of [...program.parameters, ...program.states])
    if (h.kind === "parameter" || h.kind === "state") check(h.source.shape, h.source.span ?? h.span, h.path);
  for (const d of program.datasets) for (const c of d.columns) check(c.source.shape, c.span, c.name);
  for (const e of program.exports) {
    for (const i of e.inputs) check(i.source.shape, i.source.span ?? e.span);
    for (const o of e.outputs) check(o.node.shape, o.node.span ?? e.span);
  }
  return found;
}
