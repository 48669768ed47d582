// Diagnostics of plans, DLM4xxx: what is right by itself and does not fit. Facts in, a Diagnostic out.
import type { Diagnostic, Label, Span } from "../../grammar/diagnostic.ts";

export const overMemoryCode = "DLM4001";
export interface Kept {
  readonly text: string; // "f32[12, 64, 512] in net_linear_gelu, 1.5 MB"
  readonly span: Span | undefined;
}
/** `tensors`: those that are in memory together where most is needed, the largest first. */
export function overMemory(
  whole: Span,
  {
    budget,
    least,
    lasting,
    tensors,
  }: {
    readonly budget: string;
    readonly least: string;
    readonly lasting: string; // of the least
    readonly tensors: readonly Kept[];
  },
): Diagnostic {
  // a line of its own for every place that is in the text itself
  const labels = new Map<number, Label>();
  for (const { span, text } of tensors)
    if (span && !span.file.library && span.file === whole.file) {
      const known = labels.get(span.start);
      labels.set(span.start, { span, text: known ? `${known.text}; ${text}` : text });
    }
  return {
    code: overMemoryCode,
    severity: "error",
    span: whole,
    message: `this takes ${least} at least, more than the ${budget} that are allowed`,
    labels: [...labels.values()],
    notes: [
      `${lasting} of them last from step to step: parameters, gradients, what the optimizer keeps, data`,
      ...tensors.filter((t) => !t.span || t.span.file !== whole.file).map((t) => t.text),
    ],
    hint: "a smaller batch takes less",
  };
}
