// The kernels that a line of a model becomes. In: a text, a line (from 0). Out: for each kernel its name, what it is part of and its WGSL.
import { position, type Diagnostic, type Span } from "../../../grammar/diagnostic.ts";
import { compile } from "../../compile.ts";
import type { FrontOptions } from "../../front.ts";
import type { Place } from "../../graph/origin.ts";
import type { FusedStep, Step } from "../../kernel/graph.ts";

export interface LineKernel {
  readonly program: string; // "fit.step"
  readonly kernel: string;
  readonly code: string;
}
export interface LineKernels {
  readonly kernels: readonly LineKernel[];
  readonly errors: readonly Diagnostic[]; // of a text that has none, no kernels
}
export function kernelsOfLine(text: string, line: number, options: FrontOptions): LineKernels {
  const { plan, programs, file, diagnostics } = compile(text, options);
  if (!plan) return { kernels: [], errors: diagnostics.filter((d) => d.severity === "error") };
  const isHere = (place: Place): boolean => {
    if (place.file === file.source && lineOf(place) === line) return true;
    const call = place.origin;
    return call !== undefined && call.span.file === file.source && lineOf(call.span) === line;
  };
  const kernels = programs.flatMap((p): LineKernel[] => {
    const code = (module: number): string => plan.modules[module]?.code ?? "";
    if (p.lowered.length)
      return p.lowered.flatMap(({ step, module }) =>
        (step.spec.places ?? []).some(isHere)
          ? [{ program: p.name, kernel: plan.modules[module]?.name ?? step.spec.name, code: code(module) }]
          : [],
      );
    // one launch does all of it
    const whole = p.kernels.steps.flatMap(placesOf).some(isHere)
      ? plan.modules.find((m) => m.name.startsWith(p.name.replaceAll(".", "_")))
      : undefined;
    return whole ? [{ program: p.name, kernel: whole.name, code: whole.code ?? "" }] : [];
  });
  return { kernels: kernels.filter((k, i) => kernels.findIndex((x) => x.kernel === k.kernel) === i), errors: [] };
}
/** A step of a pipe begins where the pipe does, and ends on its own line; a block is known by the line that it begins on. */
const lineOf = ({ file, start, end }: Span): number =>
  position(file, file.text[end - 1] === "}" ? start : end).line - 1;
const placesOf = (step: Step | FusedStep): readonly Place[] =>
  "body" in step ? step.body.flatMap(placesOf) : "spec" in step ? (step.spec.places ?? []) : [];
