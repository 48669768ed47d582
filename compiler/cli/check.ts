// dlm check: every diagnostic of some models, whether their data files fit, and what they are made of where they have no errors. Status 1 on errors.
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { counted } from "../print/text.ts";
import { dataFaults } from "./data-check.ts";
import {
  asWritten,
  compileModel,
  diagnosticJson,
  dataFiles,
  openModel,
  rendered,
  type ModelFile,
  type ModelFlags,
} from "./model.ts";
import { statuses, UserError } from "./problem.ts";
import { openTerminal, styles, type Terminal } from "./terminal.ts";
import { modelSummary } from "./summary.ts";
import { again } from "./watch.ts";

export interface CheckFlags extends ModelFlags {
  readonly watch?: boolean; // again whenever a file changes
}
export async function check(paths: readonly string[], flags: CheckFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  if (!flags.watch) {
    for (const path of paths) if (!(await checked(openModel(path), flags, terminal))) process.exitCode = statuses.fault;
    return;
  }
  await again(async () => {
    const files = new Set(paths);
    for (const path of paths)
      try {
        const model = openModel(path);
        await checked(model, flags, terminal);
        for (const file of model.files ?? []) files.add(file);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        terminal.note(`dlm: ${error.message}`); // it may come back
      }
    terminal.note(
      `watching ${counted(files.size, "file")} (${new Date().toLocaleTimeString("en", { hour12: false })})`,
    );
    return files;
  });
}

/** Is all well with it? */
async function checked(model: ModelFile, flags: ModelFlags, terminal: Terminal): Promise<boolean> {
  const { green, dim } = styles(terminal.color);
  const { plan, diagnostics, note } = await compiled(model, flags);
  const { faults, missing } = plan ? await dataFaults(plan, model, flags) : { faults: [], missing: [] };
  const shown = asWritten(diagnostics, model);
  const isSound = plan !== undefined && !faults.length;
  if (flags.json) {
    for (const d of shown) terminal.line(JSON.stringify(diagnosticJson(d)));
    for (const message of faults) terminal.line(JSON.stringify({ kind: "data", file: model.path, message }));
    terminal.line(JSON.stringify({ kind: "checked", file: model.path, sound: isSound, ...countsOf(shown), missing }));
    return isSound;
  }
  if (shown.length) process.stderr.write(rendered(shown, terminal) + "\n");
  if (note !== undefined) terminal.note(note);
  for (const message of faults) terminal.note(`${model.path}: ${message}`);
  if (missing.length && note === undefined)
    terminal.note(
      `${model.path}: without a look at ${missing.join(", ")}, which ${missing.length === 1 ? "is" : "are"} not there (--data FOLDER)`,
    );
  if (isSound) terminal.line(`${green("✓")} ${model.path}  ${dim(modelSummary(plan))}`);
  return isSound;
}
const countsOf = (diagnostics: readonly Diagnostic[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    (["error", "warning", "hint"] as const).map((severity) => [
      `${severity}s`,
      diagnostics.filter((d) => d.severity === severity).length,
    ]),
  );
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
