// A stage of the compiler as text, from source text: for snapshots, and for tests that look for a word in what comes out.
import { compile, type CompileOptions } from "../../compiler/compile.ts";
import { partsOf } from "../../compiler/pipeline.ts";
import type { stages } from "../../compiler/cli/options.ts";

/**
 * What `dlm inspect --stage STAGE` prints of a source text: every part of the stage under its name. Throws with the diagnostics where the text does
 * not compile. `options` are those of `compile`: the target (default "software"), settings, the rows of data whose size the text does not know.
 */
export const check = (source: string, stage: Stage, options: CompileOptions = {}): string =>
  stagesOf(source, options)(stage);

type Stage = keyof typeof stages;
/** The same for several stages of one compilation. */
export function stagesOf(source: string, options: CompileOptions = {}): (stage: Stage) => string {
  const result = compile(source, options);
  const { plan } = result;
  if (!plan) throw new Error(result.diagnostics.map((d) => `${d.code} ${d.message}`).join("\n"));
  return (stage) =>
    partsOf(stage, { ...result, plan })
      .map((part) => `# ${part.name}\n${part.text().trimEnd()}\n`)
      .join("\n");
}
