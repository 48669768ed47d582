// Values of options, checked: numbers, --set, names out of a list with the nearest one told.
import { InvalidArgumentError } from "commander";
import { nearest as nearestOf } from "../../grammar/nearest.ts";
import { oftenOf } from "../../runtime/keeper.ts";
import type { Often } from "../../runtime/plan.ts";

export function wholeNumber(least = -(2 ** 31) + 1, most = 2 ** 31 - 1): (text: string) => number {
  const bounds = most < 2 ** 31 - 1 ? `, ${least} to ${most}` : least >= 0 ? `, ${least} or more` : "";
  return (text) => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text.trim()) || value < least || value > most)
      throw new InvalidArgumentError(`It is a whole number${bounds}.`);
    return value;
  };
}
export function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError("It is a number above 0.");
  return value;
}
/** `500M`, `4G`: bytes. */
export function byteCount(text: string): number {
  const [, count, unit] = /^\s*(\d+(?:\.\d+)?)\s*([kMG]?)B?\s*$/.exec(text) ?? [];
  const value = Number(count) * { "": 1, k: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[(unit ?? "") as "" | "k" | "M" | "G"];
  if (count === undefined || !(value >= 1)) throw new InvalidArgumentError("It is a number of bytes, as 500M or 4G.");
  return Math.floor(value);
}
/** `2GB`, or `auto`. */
export const memoryBudget = (text: string): number | "auto" => (text.trim() === "auto" ? "auto" : byteCount(text));
/** `5m`, `1000` steps, `2epochs`, `off`. */
export function often(text: string): Often {
  const found = oftenOf(text);
  if (found === undefined)
    throw new InvalidArgumentError("It is a time (5m, 30s, 2h), a number of steps (1000) or epochs (2epochs), or off.");
  return found;
}
/** `--set lr=3e-4`, as often as wanted. */
export function assignment(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, name, value] = /^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/s.exec(text) ?? [];
  if (name === undefined || value === undefined || value === "")
    throw new InvalidArgumentError("It is written name=value, as --set lr=3e-4.");
  return { ...before, [name]: value };
}
/** Several values of one option. */
export const list = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/** `; did you mean NAME?`, where one of the names is near. */
export function nearest(given: string, names: readonly string[]): string {
  const best = nearestOf(given, names);
  return best === undefined ? "" : `; did you mean ${best}?`;
}

/** What `dlm inspect --stage` shows, in the order of the phases. */
export const stages: Readonly<Record<string, string>> = {
  ast: "the text as a tree",
  program: "names, shapes and instances: parameters, data, train blocks, exports",
  forward: "objectives and exports as formulas",
  backward: "how the gradient of every parameter follows, as formulas",
  simplified: "every program as it is scheduled",
  fused: "kernels: domain, formulas, what each reads and writes",
  schedule: "how each kernel is laid over invocations, registers and loops",
  wgsl: "the kernels' code",
  plan: "buffers, states, and what runs when",
  memory: "which tensors live when, and in which buffers",
};
