// The compiler as a function: source text to a plan and diagnostics. No I/O; the same text, options and version give the same bytes.
import type * as ast from "../grammar/ast.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import type { Plan } from "../runtime/plan.ts";
import type { Program } from "./elaborate/program.ts";
import type { FrontOptions } from "./front.ts";
import { targets, type Target } from "./kernel/target.ts";
import { runPhases, type PhaseOptions } from "./pipeline.ts";
import type { Compiled } from "./plan/unit.ts";

export interface CompileOptions extends FrontOptions, PhaseOptions {
  /** What kernels are scheduled for: a name of `targets` or a target of one's own. Default: "software". */
  readonly target?: string | Target;
}
export interface CompileResult {
  readonly plan: Plan | undefined; // undefined where the text has errors
  readonly diagnostics: readonly Diagnostic[];
  readonly file: ast.File;
  readonly program: Program | undefined;
  /** Every program after each phase, in the order of their making. */
  readonly programs: readonly Compiled[];
}
export function compile(text: string, options: CompileOptions = {}): CompileResult {
  const target = typeof options.target === "object" ? options.target : targets[options.target ?? "software"];
  if (!target)
    throw new RangeError(`there is no target ${String(options.target)}; there are ${Object.keys(targets).join(", ")}`);
  const { file, program, plan, programs = [], diagnostics } = runPhases({ text, options, target }, options);
  return { plan, diagnostics, file: file!, program, programs };
}
