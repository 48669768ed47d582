// Every graph program of an elaborated file.
import type { Program } from "../../compiler/elaborate/program.ts";
import { analyse } from "../../compiler/front.ts";
import type { GraphProgram } from "../../compiler/graph/types.ts";
import { renderDiagnostics } from "../../grammar/render.ts";

export const programsOf = (p: Program): GraphProgram[] => [
  ...p.trains.flatMap((t) => [t.init, t.step, ...(t.evaluation ? [t.evaluation.rows, t.evaluation.finish] : [])]),
  ...p.exports.map((e) => e.program),
];
export function programOf(text: string, name = "model.dlm"): Program {
  const { program, diagnostics } = analyse(text, { name });
  if (!program) throw new Error(renderDiagnostics(diagnostics));
  return program;
}
