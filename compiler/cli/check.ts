// dlm check: every diagnostic of some models, and what they are made of where they have no errors. Status 1 on errors.
import { renderDiagnostics } from "../../grammar/render.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import {
  asWritten,
  compileModel,
  diagnosticJson,
  dataFiles,
  openModel,
  type ModelFile,
  type ModelFlags,
} from "./model.ts";
import { openTerminal, styles } from "./terminal.ts";
import { modelSummary } from "./summary.ts";

export async function check(paths: readonly string[], flags: ModelFlags & { readonly json?: boolean }): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  const { green, dim } = styles(terminal.color);
  for (const path of paths) {
    const model = openModel(path);
    const { plan, diagnostics, note } = await compiled(model, flags);
    const shown = asWritten(diagnostics, model);
    if (!plan) process.exitCode = 1;
    if (flags.json) for (const d of shown) terminal.line(JSON.stringify(diagnosticJson(d)));
    else {
      if (shown.length) process.stderr.write(renderDiagnostics(shown, { color: terminal.errorColor }) + "\n");
      if (note) terminal.note(note);
      if (plan) terminal.line(`${green("✓")} ${path}  ${dim(modelSummary(plan))}`);
    }
  }
}
/** Data that cannot be read are no fault of the text: `batch: all` is then checked with two rows. */
async function compiled(
  model: ModelFile,
  flags: ModelFlags,
): Promise<Awaited<ReturnType<typeof compileModel>> & { readonly note?: string }> {
  try {
    return await compileModel(model, { ...flags, pedantic: true }, undefined);
  } catch (error) {
    if (!(error instanceof RuntimeProblem)) throw error;
    const found = await compileModel(
      model,
      { ...flags, pedantic: true, set: { ...flags.set, batch: "2" } },
      undefined,
      dataFiles(model, flags),
    );
    return { ...found, note: `${model.path}: checked with batches of 2 for \`batch: all\`: ${error.message}` };
  }
}
