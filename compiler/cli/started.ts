// How dlm was started, and where the package lies: every command that dlm prints runs as it is written, in the folder in which it is read.
// In: the process.   Out: text for a shell.
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** A word of a command line, quoted where a shell would make something else of it. */
export function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word) || (process.platform === "win32" && /^[\w@%+=:,./\\-]+$/.test(word))) return word;
  return process.platform === "win32" ? `"${word.replaceAll('"', '\\"')}"` : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `npx dlm`, `dlm` where it is installed for every folder, or `node` with the file that was started. */
export const self: string = startedAs();
function startedAs(): string {
  const script = process.argv[1] ?? "";
  if (process.env["npm_command"] !== undefined) return "npx dlm"; // npx, npm exec, npm run
  const above = script.split(sep).indexOf("node_modules");
  if (above >= 0) {
    const project = script.split(sep).slice(0, above).join(sep);
    return `${process.cwd()}${sep}`.startsWith(`${project}${sep}`) ? "npx dlm" : "dlm";
  }
  return basename(script).startsWith("dlm") ? "dlm" : `node ${quoted(shown(script))}`;
}
/** `dlm WORDS` as whoever reads it can run it. */
export const commandLine = (...words: readonly string[]): string => [self, ...words.map(quoted)].join(" ");

/** A path as seen from the working folder, where that is shorter. */
function shown(path: string): string {
  const near = relative(process.cwd(), resolve(path));
  return near.length < path.length ? near : path;
}
/** The folder of the package, if it is not bundled into something else. */
export function packageFolder(): string | undefined {
  const here = fileURLToPath(import.meta.url);
  for (let folder = dirname(here); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (!existsSync(manifest)) continue;
    const { name } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly name?: string };
    if (name === "dlm") return folder;
  }
  return undefined;
}
/** The folder of the examples that come with the package, as seen from the working folder. */
function examplesFolder(): string {
  const folder = packageFolder();
  return folder === undefined ? "examples" : shown(join(folder, "examples"));
}
/**
 * Examples of a help text, a line each, what it does behind two spaces: with `dlm` as it was started, and the paths of the models that come with the package.
 */
export function exampleLines(text: string): string {
  const folder = examplesFolder();
  const model = (name: string): string =>
    /\*/.test(name) || existsSync(join(folder, name)) ? join(quoted(folder), name) : name;
  const lines = text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/ {2,}/))
    .map(([command = "", about = ""]) => ({
      command: command.replace(/^dlm\b/, self).replace(/(?<=\s)[\w/*]+\.dlm\b/g, model),
      about,
    }));
  const width = Math.max(...lines.map(({ command, about }) => (about ? command.length : 0)));
  return lines.map(({ command, about }) => `  ${about ? `${command.padEnd(width)}  ${about}` : command}`).join("\n");
}
