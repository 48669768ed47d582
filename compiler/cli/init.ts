// dlm init: a first model with its data. In: a template's name, a folder.   Out: files that train at once, and what to do next.
import * as fs from "node:fs";
import { basename, join } from "node:path";
import { jsonText } from "../../runtime/tensor.ts";
import { readText, writeWhole } from "./files.ts";
import { nearest } from "./options.ts";
import { commandLine, packageFolder } from "./started.ts";
import { UsageError, UserError } from "./problem.ts";
import { lineDifferences } from "./runs/differences.ts";
import { openTerminal, styles } from "./terminal.ts";
import { counted } from "../print/text.ts";

/** A text, or where it lies in the package. */
type Kept = { readonly content: string } | { readonly path: string };
/** By name. */
export type Templates = Readonly<
  Record<
    string,
    {
      readonly summary: string;
      readonly model: Kept;
      readonly data: Readonly<Record<string, Kept & { readonly origin: string }>>; // by its place
    }
  >
>;
/** As the package brings them (templates.mjs). */
export const templates = (): Templates =>
  JSON.parse(fs.readFileSync(new URL("templates.json", import.meta.url), "utf8")) as Templates; // of our own making
export const textOf = (kept: Kept): string =>
  "content" in kept ? kept.content : readText(join(packageFolder() ?? ".", kept.path));

export interface InitFlags {
  readonly into?: string;
  readonly list?: boolean;
  readonly json?: boolean;
}
export function init(name: string, flags: InitFlags): void {
  const terminal = openTerminal(flags.json === true);
  const { bold, dim, cyan } = styles(terminal.color);
  const all = templates();
  if (flags.list) {
    for (const [known, { summary }] of Object.entries(all))
      terminal.line(
        flags.json ? jsonText({ kind: "template", name: known, summary }) : `${bold(known.padEnd(12))}${summary}`,
      );
    return;
  }
  const template = all[name];
  if (!template)
    throw new UsageError(
      `there is no template ${name}; there are ${Object.keys(all).join(", ")}${nearest(name, Object.keys(all))}`,
    );
  const folder = flags.into ?? ".";
  const model = `${name}.dlm`;
  const files = new Map([[model, textOf(template.model)]]);
  for (const [place, data] of Object.entries(template.data)) {
    files.set(place, textOf(data));
    files.set(`${place}.origin.txt`, `${basename(place)}: ${data.origin}.\n`);
  }
  const places = [...files].map(([place, content]) => ({ place: join(folder, place), content }));
  for (const { place, content } of places)
    if (!isSame(place, content))
      throw new UserError(
        `${place} is there already${differenceFrom(place, content)}, and is not replaced; ${commandLine("init", name, "--into", "FOLDER")} puts it elsewhere`,
      );
  for (const { place, content } of places) writeWhole(place, content);
  if (flags.json)
    return terminal.line(jsonText({ kind: "created", template: name, files: places.map(({ place }) => place) }));
  for (const { place } of places) terminal.line(`  ${place}`);
  terminal.line(bold("Next"));
  terminal.line(`  ${cyan(commandLine("train", join(folder, model)))}`);
  terminal.line(dim(`  ${template.summary}; the lines at the top of ${model} say what to try`));
}
/** How many lines are not those of the template, and the first of them. */
function differenceFrom(place: string, content: string): string {
  if (!fs.lstatSync(place).isFile()) return " and is no file";
  const lines = lineDifferences(content, fs.readFileSync(place, "utf8"));
  const first = lines?.find((line) => line.startsWith("+")) ?? lines?.[0];
  if (!lines || first === undefined) return " with other text";
  const [own, gone] = ["+", "-"].map((sign) => lines.filter((line) => line.startsWith(sign)).length);
  const counts = [
    ...(own ? [`${counted(own, "line")} of its own`] : []),
    ...(gone ? [`${gone} of the template missing`] : []),
  ];
  return ` with ${counts.join(" and ")}, as \`${first.slice(0, 60)}\``;
}
/** Nothing is there, or just this. */
function isSame(place: string, content: string): boolean {
  const found = fs.lstatSync(place, { throwIfNoEntry: false });
  return !found || (found.isFile() && fs.readFileSync(place, "utf8") === content);
}
