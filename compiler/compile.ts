// The compiler as a function: source text to a plan and diagnostics. No I/O; the same text, options and version give the same bytes.
import type * as ast from "../grammar/ast.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import type { Plan } from "../runtime/plan.ts";
import { Fault } from "./elaborate/errors.ts";
import type { Program } from "./elaborate/program.ts";
import { analyse, type FrontOptions } from "./front.ts";
import { makePlan, type Compiled } from "./plan/plan.ts";
import { simplify } from "./rewrite/simplify.ts";
import { targets, type Target } from "./kernel/target.ts";
import { version } from "./version.ts";

export interface CompileOptions extends FrontOptions {
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
  const { file, program, diagnostics } = analyse(text, options);
  if (!program) return { plan: undefined, diagnostics, file, program, programs: [] };
  const target = typeof options.target === "object" ? options.target : targets[options.target ?? "software"];
  if (!target)
    throw new RangeError(`there is no target ${String(options.target)}; there are ${Object.keys(targets).join(", ")}`);
  try {
    const { plan, programs } = makePlan(program, {
      name: options.name ?? "model.dlm",
      source: text,
      compiler: `dlm ${version}`,
      target,
      simplify,
    });
    return { plan, diagnostics, file, program, programs };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { plan: undefined, diagnostics: [...diagnostics, error.diagnostic], file, program, programs: [] }; // a tensor too large to store
  }
}
