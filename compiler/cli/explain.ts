// dlm explain: what a diagnostic means.
import { explanations } from "../explain.ts";
import { UserError } from "./problem.ts";

export function explain(code: string | undefined): void {
  if (!code) {
    for (const [name, text] of Object.entries(explanations))
      process.stdout.write(`${name}  ${text.split("\n")[0]!.slice(0, 90)}\n`);
    return;
  }
  const text = explanations[code.toUpperCase()];
  if (!text) throw new UserError(`there is no diagnostic ${code}; \`dlm explain\` lists them`);
  process.stdout.write(`${code.toUpperCase()}\n\n${text}\n`);
}
