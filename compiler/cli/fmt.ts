// dlm fmt: files in the house style, written in place; `-` is standard input. Files with errors are left as they are, with their diagnostics.
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parser.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { tooLong } from "../../runtime/files.ts";
import { format } from "../format/format.ts";
import { mostTextBytes, readText, textOf, writeWhole } from "./files.ts";
import { fileProblem } from "./problem.ts";
import { commandLine, self } from "./started.ts";
import { openTerminal } from "./terminal.ts";

const standardInputName = "(standard input)";
export async function fmt(paths: readonly string[], options: { readonly check?: boolean }): Promise<void> {
  const terminal = openTerminal(false);
  const unformatted: string[] = [];
  const broken: Diagnostic[] = [];
  for (const path of paths) {
    const stdin = path === "-";
    const text = stdin ? await standardInput() : readText(path);
    const errors = parse({ name: stdin ? standardInputName : path, text }).diagnostics;
    if (errors.length) {
      broken.push(...errors);
      continue;
    }
    const formatted = format(text);
    if (options.check) {
      if (formatted !== text) unformatted.push(stdin ? standardInputName : path);
    } else if (stdin) process.stdout.write(formatted);
    else if (formatted !== text) {
      writeWhole(path, formatted);
      terminal.line(path);
    }
  }
  if (broken.length)
    process.stderr.write(renderDiagnostics(broken, { color: terminal.errorColor, program: self }) + "\n");
  for (const path of unformatted) terminal.line(path);
  if (unformatted.length)
    terminal.note(
      `${unformatted.length} of ${paths.length} ${paths.length === 1 ? "file is" : "files are"} not formatted; \`${commandLine("fmt", ...unformatted.filter((path) => path !== standardInputName))}\` formats ${unformatted.length === 1 ? "it" : "them"}`,
    );
  if (broken.length || unformatted.length) process.exitCode = 1;
}

async function standardInput(): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of process.stdin as AsyncIterable<Buffer>) {
      pieces.push(piece);
      if ((length += piece.length) > mostTextBytes)
        throw Object.assign(new Error(tooLong(length, mostTextBytes)), { code: "EFBIG" });
    }
  } catch (error) {
    throw fileProblem("read", "standard input", error);
  }
  return textOf(Buffer.concat(pieces));
}
