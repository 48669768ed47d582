// What the fuzzer tries: an area makes cases of plain JSON from seeds, checks one, and proposes smaller ones for a case that failed.
import { targets, type Target } from "../../compiler/kernel/target.ts";

export interface On {
  readonly device: GPUDevice;
  readonly target: Target; // the device's own
  readonly lanes: number; // of a subgroup; 0 where they vary or are not offered
}
/** held: everything was compared; refused: the text has errors, as diagnostics say. What is wrong is thrown. */
export type Outcome = "held" | "refused";
export interface Area<C = unknown> {
  readonly name: string;
  make(seed: number): C;
  check(tried: C, on: On): Promise<Outcome>;
  smaller?(failed: C): Iterable<C>;
}
/** What two failures of one kind have in common: the message without numbers. */
export const kindOf = (message: string): string =>
  message
    .split("\n")[0]!
    .replace(/-?\d+(\.\d+)?(e[-+]?\d+)?/g, "#")
    .replace(/\b(NaN|Infinity)\b/g, "#")
    .replace(/\[[^\]]*\]/g, "[…]")
    .slice(0, 160);
/** The target, by the text with launches that cost so much that loops are one launch each. */
export const launching = (target: Target, text: string): Target =>
  text.length % 2 ? { ...target, launchNs: 1e8 } : target;
/** Another target, by the text: over many cases, all of them. */
export const otherTarget = (text: string, own: string): string =>
  ((names) => names[text.length % names.length]!)(Object.keys(targets).filter((name) => name !== own));
/** Texts with one line less, one result less, or one declaration less. */
export function* shorter(text: string): Iterable<string> {
  const blocks = text.split(/\n(?=\S[^\n]*(?:\{|=|\()[^\n]*\n?)/);
  for (let i = 0; i < blocks.length && blocks.length > 1; i++) yield blocks.filter((_, k) => k !== i).join("\n");
  const returned = /return \(([^()]*, [^()]*)\)/.exec(text);
  if (returned) {
    const parts = returned[1]!.split(", ");
    for (let i = 0; i < parts.length; i++) {
      const rest = parts.filter((_, k) => k !== i);
      yield text.replace(returned[0], `return ${rest.length === 1 ? rest[0] : `(${rest.join(", ")})`}`);
    }
  }
  const lines = text.split("\n");
  for (let i = lines.length - 1; i >= 0; i--)
    if (/^ {2}\S/.test(lines[i]!)) yield lines.filter((_, k) => k !== i).join("\n");
}
