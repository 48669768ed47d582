// dlm fmt: formats files in place, never one with a syntax error.
import { readFile, rename, writeFile } from "node:fs/promises";
import { format } from "../../grammar/format.ts";
import { parse } from "../../grammar/parser.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { fileProblem, UserError } from "./problem.ts";

export async function fmt(files: readonly string[], options: { check?: boolean }): Promise<void> {
  let changed = 0;
  for (const name of files) {
    const text = await (name === "-" ? readStandardInput() : readFile(name, "utf8")).catch((error: unknown) => {
      throw fileProblem("read", name, error);
    });
    const { diagnostics } = parse({ name, text });
    const errors = diagnostics.filter((d) => d.severity === "error");
    if (errors.length) throw new UserError(renderDiagnostics(errors));
    const formatted = await format(text, name);
    if (name === "-") process.stdout.write(formatted);
    else if (formatted !== text) {
      changed += 1;
      process.stdout.write(`${options.check ? "not formatted: " : "formatted "}${name}\n`);
      if (!options.check) {
        const beside = `${name}.${process.pid}.tmp`;
        await writeFile(beside, formatted).then(() => rename(beside, name)).catch((error: unknown) => {
          throw fileProblem("write", name, error);
        });
      }
    }
  }
  if (options.check && changed) process.exitCode = 1;
}
async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
