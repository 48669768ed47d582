// Texts as whole numbers and back, as the runtime reads them (runtime/texts.ts). In: a text, the names of the numbers. Out: numbers; a text.
export type Unit = "character" | "word" | "number";

/** A word is a run of letters, digits and apostrophes; every other mark that is no space stands by itself. */
const wordPattern = /[\p{L}\p{M}\p{N}'’]+|[^\s\p{L}\p{M}\p{N}'’]/gu;
export function readUnits(
  text: string,
  unit: Unit,
  names: readonly string[] | undefined,
  [low, end]: readonly [number, number],
): { readonly units: readonly number[]; readonly skipped: readonly string[] } {
  const asNumbers = unit === "number" || !names;
  const parts = asNumbers
    ? text.split(/[\s,;]+/).filter((part) => part)
    : unit === "character"
      ? [...text]
      : (text.match(wordPattern) ?? []);
  const ids = new Map(names?.map((name, i) => [name, i]));
  const units: number[] = [];
  const skipped: string[] = [];
  for (const part of parts) {
    const id = asNumbers ? Number(part) : ids.get(part);
    if (id !== undefined && Number.isInteger(id) && id >= low && id < end) units.push(id);
    else skipped.push(part);
  }
  return { units, skipped: [...new Set(skipped)] };
}
export function textOfUnits(units: readonly number[], unit: Unit, names: readonly string[] | undefined): string {
  if (unit === "number" || !names) return units.join(" ");
  const parts = units.map((n) => names[n] ?? "\ufffd").filter((name) => name !== "");
  return parts.join(unit === "word" ? " " : "");
}
