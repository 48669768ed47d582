// Formatting as a function: text to text. The text must parse; see plugin.ts.
import { format as prettier } from "prettier/standalone";
import { plugin } from "./plugin.ts";

export function format(text: string): Promise<string> {
  return prettier(text, { parser: "dlm", plugins: [plugin], ...plugin.defaultOptions });
}
