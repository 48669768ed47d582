// dlm explain: what a diagnostic means.
import { explanations } from "../explain.ts";
import { nearest } from "./options.ts";
import { UsageError } from "./problem.ts";
import { commandLine } from "./started.ts";

export function explain(code: string | undefined): void {
  if (!code) {
    for (const [name, text] of Object.entries(explanations))
      process.stdout.write(`${name}  ${text.split("\n")[0]!.slice(0, 90)}\n`);
    return;
  }
  const name = code.toUpperCase().replace(/^(DLM)?[ -]?(?=\d)/, "DLM");
  const text = explanations[name];
  if (!text)
    throw new UsageError(
      `there is no diagnostic ${code}${nearest(name, Object.keys(explanations))}; \`${commandLine("explain")}\` lists them`,
    );
  process.stdout.write(`${name}\n\n${text}\n`);
}
