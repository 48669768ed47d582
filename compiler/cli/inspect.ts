// dlm inspect: what a model is after each phase, for reading (text), for programs (--json) and for Graphviz (--dot).
import { readFileSync, writeFileSync } from "node:fs";
import { listed } from "../../runtime/problem.ts";
import { jsonText } from "../../runtime/tensor.ts";
import { partsOf } from "../pipeline.ts";
import { byteText } from "../print/text.ts";
import { lookHtml, type Viewer } from "./look/html.ts";
import { lookOf } from "./look/look.ts";
import type { Part } from "../print/part.ts";
import { compileOptions, openModel, planModel, type ModelFlags } from "./model.ts";
import { nearest, stages } from "./options.ts";
import { fileProblem, UsageError, UserError } from "./problem.ts";
import { openTerminal, styles } from "./terminal.ts";

export interface InspectFlags extends ModelFlags {
  readonly stage?: string; // one of this and `html`
  readonly html?: string; // a file to write
  readonly only?: string;
  readonly target?: string;
  readonly json?: boolean;
  readonly dot?: boolean;
}
export async function inspect(path: string, flags: InspectFlags): Promise<void> {
  const names = Object.keys(stages);
  if (flags.html !== undefined) return writeHtml(path, flags, flags.html);
  const { stage } = flags;
  if (stage === undefined)
    throw new UsageError(`give --stage NAME, of ${names.join(", ")}; or --html FILE, for all of them`);
  if (!names.includes(stage))
    throw new UsageError(`there is no stage ${stage}; there are ${names.join(", ")}${nearest(stage, names)}`);
  const compiled = await planModel(openModel(path), flags, flags.target);
  const parts = partsOf(stage, compiled);
  const found = flags.only === undefined ? parts : chosen(parts, flags.only);
  if (!found.length)
    throw new UsageError(
      `the stage ${stage} of ${path} has no ${flags.only ?? "part"}; there ${parts.length === 1 ? "is" : "are"} ${listed(parts.map((p) => p.name))}${nearest(
        flags.only ?? "",
        parts.map((p) => p.name),
      )}`,
    );
  const terminal = openTerminal(flags.json === true);
  const { bold } = styles(terminal.color);
  if (flags.dot) {
    const graphs = found.flatMap((p) => (p.dot ? [p.dot()] : []));
    if (!graphs.length) throw new UsageError(`--dot draws graphs: --stage forward, backward or simplified`);
    terminal.line(graphs.join("\n").trimEnd());
  } else if (flags.json)
    terminal.line(
      jsonText(
        found.length === 1 && parts.length === 1
          ? found[0]!.json()
          : Object.fromEntries(found.map((p) => [p.name, p.json()])),
        2,
      ),
    );
  else
    found.forEach((p, i) =>
      terminal.line(`${i ? "\n" : ""}${parts.length > 1 ? bold(`# ${p.name}`) + "\n" : ""}${p.text().trimEnd()}`),
    );
}
/** One file that holds all that it shows. */
async function writeHtml(path: string, flags: InspectFlags, file: string): Promise<void> {
  const model = openModel(path);
  const compiled = await planModel(model, flags, flags.target);
  const look = lookOf(compiled, await compileOptions(model, flags));
  const text = lookHtml(look!, builtViewer()); // `planModel` throws where there is no plan
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw fileProblem("write", file, error);
  }
  openTerminal(flags.json === true).line(
    flags.json
      ? JSON.stringify({ kind: "written", path: file, bytes: Buffer.byteLength(text) })
      : `${file}: ${byteText(Buffer.byteLength(text))}, open it in any browser`,
  );
}
/** By name; else those whose name begins so, as all programs of a train block; else those that have it in their names. */
function chosen(parts: readonly Part[], only: string): readonly Part[] {
  const tests: ((name: string) => boolean)[] = [
    (name) => name === only,
    (name) => name.startsWith(`${only}.`),
    (name) => name.includes(only),
  ];
  for (const test of tests) {
    const found = parts.filter((p) => test(p.name));
    if (found.length) return found;
  }
  return [];
}
/** What `npm run build` left beside the command line. */
function builtViewer(): Viewer {
  try {
    return JSON.parse(readFileSync(new URL("viewer.json", import.meta.url), "utf8")) as Viewer;
  } catch {
    throw new UserError("viewer.json is missing; `npm run build` makes it");
  }
}
