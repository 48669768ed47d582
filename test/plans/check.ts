// A stage of the compiler as text, from source text: for snapshots, and for tests that look for a word in what comes out.
import { compile, type CompileOptions } from "../../compiler/compile.ts";
import { partsOf } from "../../compiler/pipeline.ts";
import type { stages } from "../../compiler/cli/options.ts";

/**
 * What `dlm inspect --stage STAGE` prints of a source text: every part of the stage under its name. Throws with the diagnostics where the text does
 * not compile. `options` are those of `compile`: the target (default "software"), settings, the rows of data whose size the text does not know.
 */
export function check(source: string, stage: keyof typeof stages, options: CompileOptions = {}): string {
  const result = compile(source, options);
  const { plan } = result;
  if (!plan) throw new Error(result.diagnostics.map((d) => `${d.code} ${d.message}`).join("\n"));
  return partsOf(stage, { ...result, plan })
    .map((part) => `# ${part.name}\n${part.text().trimEnd()}\n`)
    .join("\n");
}
