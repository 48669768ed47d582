// dlm inspect: what a model is after each phase, for reading (text), for programs (--json) and for Graphviz (--dot).
import { listed } from "../../runtime/problem.ts";
import { jsonText } from "../../runtime/tensor.ts";
import { partsOf } from "../pipeline.ts";
import type { Part } from "../print/part.ts";
import { openModel, planModel, type ModelFlags } from "./model.ts";
import { nearest, stages } from "./options.ts";
import { UsageError } from "./problem.ts";
import { openTerminal, styles } from "./terminal.ts";

export interface InspectFlags extends ModelFlags {
  readonly stage: string;
  readonly only?: string;
  readonly target?: string;
  readonly json?: boolean;
  readonly dot?: boolean;
}
export async function inspect(path: string, flags: InspectFlags): Promise<void> {
  const names = Object.keys(stages);
  if (!names.includes(flags.stage))
    throw new UsageError(
      `there is no stage ${flags.stage}; there are ${names.join(", ")}${nearest(flags.stage, names)}`,
    );
  const compiled = await planModel(openModel(path), flags, flags.target);
  const parts = partsOf(flags.stage, compiled);
  const found = flags.only === undefined ? parts : chosen(parts, flags.only);
  if (!found.length)
    throw new UsageError(
      `the stage ${flags.stage} of ${path} has no ${flags.only ?? "part"}; there ${parts.length === 1 ? "is" : "are"} ${listed(parts.map((p) => p.name))}${nearest(
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
