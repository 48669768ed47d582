// A text as a model on the tests' device: compiled, loaded, used, closed. A text with errors ends the test with its diagnostics.
import { compile, type CompileOptions, type CompileResult } from "../compiler/compile.ts";
import type { Program } from "../compiler/elaborate/program.ts";
import { renderDiagnostics } from "../grammar/render.ts";
import { load, type LoadOptions, type Model } from "../runtime/index.ts";
import type { Plan } from "../runtime/plan.ts";
import { testDevice } from "./device.ts";

export interface Made extends CompileResult {
  readonly plan: Plan;
  readonly program: Program;
}
export function made(text: string, options: CompileOptions = {}): Made {
  const result = compile(text, { name: "test.dlm", ...options });
  const { plan, program } = result;
  if (!plan || !program) throw new Error(renderDiagnostics(result.diagnostics));
  return { ...result, plan, program };
}
export async function withModel<T>(
  { plan }: Made,
  use: (model: Model) => Promise<T>,
  options: Omit<LoadOptions, "device"> = {},
): Promise<T> {
  const { device } = await testDevice();
  const model = await load(plan, { device, ...options });
  try {
    return await use(model);
  } finally {
    model.close();
  }
}
