// Text files to whole numbers: windows that move over a whole text, or its lines, filled up. Units are characters, words, or numbers as they are written.
import { columnText, store } from "./columns.ts";
import type { LoadedColumn } from "./columns.ts";
import { linesOf, textPieces } from "./csv.ts";
import type { Loader, PlanColumn, TextUnit } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";
import { product, shapeText } from "./tensor.ts";

type WindowLoader = Extract<Loader, { readonly kind: "windows" }>;
type LineLoader = Extract<Loader, { readonly kind: "lines" | "line_lengths" }>;

const counted: Readonly<Record<TextUnit, string>> = { character: "character", word: "word", number: "token" };
/** A word is a run of letters, digits and apostrophes; every other mark that is no space stands by itself. */
const wordPattern = /[\p{L}\p{M}\p{N}'’]+|[^\s\p{L}\p{M}\p{N}'’]/gu;
const unitsOf: Readonly<Record<TextUnit, (line: string) => string[]>> = {
  character: (line) => [...line],
  word: (line) => line.match(wordPattern) ?? [],
  number: (line) => line.split(/\s+/).filter((t) => t),
};
/** Numbers of words that no text has: what fills a line up, and what a vocabulary does not hold. */
const [padding, unknown] = ["", "\ufffd"];

/** Names by number. Characters lie in the order of their code points, words by falling count; lines begin with what fills them up. */
function classesOf(
  counts: ReadonlyMap<string, number>,
  { unit, most }: WindowLoader | LineLoader,
  padded: boolean,
): string[] {
  if (unit === "character") {
    const found = [...counts.keys()].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
    return padded ? [padding, ...found] : found;
  }
  const byCount = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([word]) => word);
  return [padding, unknown, ...byCount.slice(0, most === undefined ? undefined : Math.max(0, most - 2))];
}
function numbersOf(
  classes: readonly string[],
  loader: WindowLoader | LineLoader,
  column: PlanColumn,
): (unit: string, where: () => string) => number {
  const { path, unit } = loader;
  if (column.range && classes.length > column.range[1])
    throw new RuntimeProblem(
      `${path} has ${classes.length} different ${unit === "word" ? "words (padding and unknown words among them); `most:` keeps the most frequent" : "characters"}, and ${columnText(column)} allows numbers below ${column.range[1]}`,
    );
  const ids = new Map(classes.map((name, i) => [name, i]));
  return (name, where) => {
    const id = ids.get(name) ?? (unit === "word" ? ids.get(unknown) : undefined);
    if (id !== undefined) return id;
    throw new RuntimeProblem(
      `${where()}: the character ${JSON.stringify(name)} does not occur in the text before, for ${columnText(column)}`,
    );
  };
}

// ---------------------------------------------------------------- windows

/** A whole text: its units by number, and what the numbers stand for. */
interface NumberedText {
  readonly units: Int32Array; // numbers of first occurrence
  readonly names: readonly string[]; // by those numbers
  readonly counts: ReadonlyMap<string, number>;
}
export function numberedText(bytes: Uint8Array, path: string, unit: TextUnit): NumberedText {
  const counts = new Map<string, number>();
  const first = new Map<string, number>();
  let units = new Int32Array(1 << 16);
  let length = 0;
  const add = (name: string): void => {
    let id = first.get(name);
    if (id === undefined) first.set(name, (id = first.size));
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (length === units.length) {
      const longer = new Int32Array(2 * length);
      longer.set(units);
      units = longer;
    }
    units[length++] = id;
  };
  if (unit === "character") for (const piece of textPieces(bytes, path)) for (const c of piece) add(c);
  else for (const line of linesOf(bytes, path)) for (const name of unitsOf[unit](line)) add(name);
  return { units: units.subarray(0, length), names: [...first.keys()], counts };
}
/** The column is the whole text; every place where a window fits is a row. */
export function windowColumn(
  column: PlanColumn,
  loader: WindowLoader,
  { units, names, counts }: NumberedText,
  known: readonly string[] | undefined,
): LoadedColumn {
  const { path, unit, window } = loader;
  const rows = units.length - window + 1;
  if (rows < 1)
    throw new RuntimeProblem(
      `${path} has ${units.length} ${counted[unit]}s, and ${columnText(column)} wants windows of ${window}`,
    );
  const classes = known ?? classesOf(counts, loader, false);
  const numberOf = numbersOf(classes, loader, column);
  const numbers = names.map((name, i) => numberOf(name, () => `${path}, ${unit} ${units.indexOf(i)}`));
  const whole = store(
    { ...column, shape: [] },
    units.length,
    (i) => numbers[units[i]!]!,
    (i) => `${path}, ${unit} ${i}`,
  );
  return { values: whole.values, rows, classes };
}

// ---------------------------------------------------------------- lines

export function lineColumn(
  column: PlanColumn,
  loader: LineLoader,
  bytes: Uint8Array,
  known: readonly string[] | undefined,
): LoadedColumn {
  const { path, pad, unit, longer } = loader;
  if (!bytes.length) throw new RuntimeProblem(`${path} is empty, for ${columnText(column)}`);
  if (loader.kind === "lines" && product(column.shape) !== pad)
    throw new RuntimeProblem(
      `${columnText(column)}: ${pad} ${counted[unit]}s do not fill ${shapeText(column.storage, column.shape)}`,
    );
  const lengths: number[] = [];
  const vocabulary = new Map<string, number>();
  const named = unit !== "number" && loader.kind === "lines" && !known;
  for (const line of linesOf(bytes, path)) {
    const units = unitsOf[unit](line);
    if (units.length > pad && longer !== "cut")
      throw new RuntimeProblem(
        `${path}, line ${lengths.length + 1} has ${units.length} ${counted[unit]}s, and ${columnText(column)} pads to ${pad}: a larger pad, or longer: cut`,
      );
    lengths.push(Math.min(pad, units.length));
    if (named) for (const name of units) vocabulary.set(name, (vocabulary.get(name) ?? 0) + 1);
  }
  const rows = lengths.length;
  if (loader.kind === "line_lengths")
    return store(
      column,
      rows,
      (i) => lengths[i]!,
      (i) => `${path}, line ${i + 1}, number of ${counted[unit]}s`,
    );
  const classes = unit === "number" ? undefined : (known ?? classesOf(vocabulary, loader, true));
  const numberOf = classes ? numbersOf(classes, loader, column) : numberWritten(column);
  const filled = new Float64Array(rows * pad); // numbers that no i32 holds are told by `store`
  let row = 0;
  for (const line of linesOf(bytes, path)) {
    const at = row++ * pad;
    for (const [i, name] of unitsOf[unit](line).slice(0, pad).entries())
      filled[at + i] = numberOf(name, () => `${path}, line ${row}`);
  }
  const stored = store(
    column,
    filled.length,
    (i) => filled[i]!,
    (i) => `${path}, line ${Math.floor(i / pad) + 1}, ${counted[unit]} ${(i % pad) + 1}`,
  );
  return classes ? { ...stored, classes } : stored;
}
const numberWritten =
  (column: PlanColumn) =>
  (text: string, where: () => string): number => {
    if (/^[+-]?\d+$/.test(text)) return Number(text);
    throw new RuntimeProblem(`${where()}: ${JSON.stringify(text)} is no whole number, for ${columnText(column)}`);
  };
