// The compiler as a function: source text to a plan and diagnostics. No I/O; the same text, options and version give the same bytes.
import type * as ast from "../grammar/ast.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import type { Plan } from "../runtime/plan.ts";
import type { Program } from "./elaborate/program.ts";
import type { FrontOptions } from "./front.ts";
import { targets, type Target } from "./kernel/target.ts";
import { runForTarget, runPhases, type PhaseOptions, type Result } from "./pipeline.ts";
import type { AlternativesWanted } from "./plan/alternatives.ts";
import type { MemoryFit } from "./plan/fit.ts";
import type { Tuned } from "./programs/lower.ts";
import type { Room } from "./plan/again.ts";
import type { Compiled } from "./plan/unit.ts";

export interface CompileOptions extends FrontOptions, PhaseOptions {
  /** What kernels are scheduled for: a name of `targets` or a target of one's own. Default: "software". */
  readonly target?: string | Target;
  /**
   * Bytes that a plan's buffers may take together: values are computed again instead of being kept until it does, else that is an error. "auto": as few as
   * 5 % more arithmetic brings. Default: everything is kept.
   */
  readonly memory?: Room | undefined;
  /** Also other kernels, for the dearest of a step, which a runtime may measure on its device. Default: none. */
  readonly alternatives?: AlternativesWanted | undefined;
  /** Schedules that `dlm tune` measured, by target: of kernels by what they compute. Those of other kernels are passed over. */
  readonly tuned?: ((target: Target) => Tuned) | undefined;
}
export interface CompileResult {
  readonly plan: Plan | undefined; // undefined where the text has errors
  readonly diagnostics: readonly Diagnostic[];
  readonly file: ast.File;
  readonly program: Program | undefined;
  /** Every program after each phase, in the order of their making. */
  readonly programs: readonly Compiled[];
  /** What a budget of memory came to, also where it is not met. */
  readonly memory: MemoryFit | undefined;
  /** The kernels that have measured schedules. */
  readonly tuned: ReadonlySet<string>;
}
export function compile(text: string, { target = "software", ...options }: CompileOptions = {}): CompileResult {
  return compileFor(text, [target], options)[0]!;
}
/** For each of these targets; what does not depend on it is done once. Where the text has errors for one, those behind it have the same result. */
export function compileFor(
  text: string,
  wanted: readonly (string | Target)[],
  options: Omit<CompileOptions, "target"> = {},
): readonly CompileResult[] {
  let made: Result | undefined;
  return wanted.map(targetNamed).map((target) => {
    const input = {
      text,
      options,
      target,
      room: options.memory,
      tuned: options.tuned?.(target),
      alternatives: options.alternatives,
    };
    made = made ? runForTarget(made, input, options) : runPhases(input, options);
    const { file, program, plan, programs = [], diagnostics, memory, lowered } = made;
    const isSound = !diagnostics.some((d) => d.severity === "error");
    return {
      plan: isSound ? plan : undefined,
      diagnostics,
      file: file!,
      program,
      programs,
      memory,
      tuned: lowered?.tuned ?? new Set(),
    };
  });
}
function targetNamed(target: string | Target): Target {
  const found = typeof target === "object" ? target : targets[target];
  if (!found)
    throw new RangeError(`there is no target ${String(target)}; there are ${Object.keys(targets).join(", ")}`);
  return found;
}
