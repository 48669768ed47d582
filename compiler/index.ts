// The compiler as a library: `import { compile } from "dlm"`. Text in, plan and diagnostics out; no I/O, so it runs in a browser too.
// What runs a plan is `dlm/runtime`.
export { compile, compileFor, type CompileOptions, type CompileResult } from "./compile.ts";
export { explanations } from "./explain.ts";
export { checkGradients, type GradientCheck, type GradientCheckOptions } from "./gradcheck.ts";
export { analyse, type FrontOptions, type Fronted } from "./front.ts";
export { printGraph } from "./graph/print.ts";
export { query, type Completion, type Queries, type TypeAnswer } from "./query/query.ts";
export type { Call, CallTree, InstanceInfo } from "./query/calls.ts";
export { targets, type Target } from "./kernel/target.ts";
export { version } from "./version.ts";
export {
  position,
  type Diagnostic,
  type Label,
  type Severity,
  type SourceFile,
  type Span,
} from "../grammar/diagnostic.ts";
export { renderDiagnostic, renderDiagnostics, type RenderOptions } from "../grammar/render.ts";
export type { GraphProgram } from "./graph/types.ts";
export type { Program } from "./elaborate/program.ts";
export type { Plan as CheckedPlan, PlanData as Plan } from "../runtime/plan.ts";
