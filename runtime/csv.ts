// csv: text to a table, cells to numbers, and whether the first row names the columns.
// Nothing is guessed that would lose or shift a value: what can be read in two ways is an error that says what to write.
import type { Storage } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";

/** Rectangular: every row has `width` cells. */
export interface Table {
  readonly width: number;
  readonly rows: number; // the header among them
  readonly cell: (row: number, column: number) => string;
  readonly line: (row: number) => number; // where the row begins, from 1, as an editor counts
}

/** UTF-8, without its byte order mark. */
export function textOf(bytes: Uint8Array, path: string): string {
  const decode = (part: Uint8Array): string => new TextDecoder("utf-8", { fatal: true }).decode(part);
  try {
    return decode(bytes);
  } catch (error) {
    const [a, b] = bytes;
    if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff))
      throw new RuntimeProblem(`${path} is UTF-16 text: save it as UTF-8`);
    let line = 1;
    for (let i = 0, start = 0; i <= bytes.length; i++) {
      if (i < bytes.length && bytes[i] !== 10 && (bytes[i] !== 13 || bytes[i + 1] === 10)) continue;
      try {
        decode(bytes.subarray(start, i));
      } catch {
        throw new RuntimeProblem(`${path}, line ${line} is no UTF-8 text: save the file as UTF-8`);
      }
      line++;
      start = i + 1;
    }
    // every line is text: together they are more than a string holds
    throw new RuntimeProblem(`${path} is too long (${bytes.length} bytes): numbers may be saved as npy`);
  }
}

const lineEnds = /\r\n?|\n/g;
/** RFC 4180: quoted cells may hold delimiters, line ends and doubled quotes. Blank lines are no rows, unless rows have a single cell: that is missing there. */
export function parseCsv(text: string, path: string, delimiter = delimiterOf(text, path)): Table {
  if (text.includes("\0"))
    throw new RuntimeProblem(`${path} holds zero characters: it is no text, or UTF-16; save it as UTF-8`);
  const separator = delimiter.charCodeAt(0);
  const isBlank = (c: number): boolean => (c === 32 || c === 9) && c !== separator;
  const length = text.length;
  let most = 1;
  for (let i = 0; i < length; i++) {
    const c = text.charCodeAt(i);
    if (c === separator || c === 10 || c === 13) most++;
  }
  const [from, to] = [new Uint32Array(most), new Uint32Array(most)];
  const doubled = new Set<number>(); // cells with doubled quotes
  const lines: number[] = [];
  let [width, cells, line, trailing] = [0, 0, 1, 0];
  for (let i = 0; i < length;) {
    const [first, start] = [cells, line];
    let blank = true;
    for (;;) {
      let at = i;
      while (isBlank(text.charCodeAt(at))) at++;
      if (text.charCodeAt(at) === 34) {
        blank = false;
        const [opened, begin] = [line, at + 1];
        for (i = begin; ; i += 2) {
          i = text.indexOf('"', i);
          if (i < 0) throw new RuntimeProblem(`${path}, line ${opened}: a quoted cell is not closed`);
          if (text.charCodeAt(i + 1) !== 34) break;
          doubled.add(cells);
        }
        from[cells] = begin;
        to[cells] = i++;
        line += text.slice(begin, i).match(lineEnds)?.length ?? 0;
        while (isBlank(text.charCodeAt(i))) i++;
      } else {
        from[cells] = i;
        for (i = at; i < length; i++) {
          const c = text.charCodeAt(i);
          if (c === separator || c === 10 || c === 13) break;
          blank = false;
        }
        to[cells] = i;
      }
      cells++;
      const next = text.charCodeAt(i);
      if (i === length || next === 10 || next === 13) break;
      if (next !== separator) throw new RuntimeProblem(`${path}, line ${line}: text follows a closing quote`);
      blank = false;
      i++;
    }
    if (text.charCodeAt(i) === 13 && text.charCodeAt(i + 1) === 10) i++;
    i++;
    line++;
    if (blank && width !== 1) {
      cells = first;
      continue;
    }
    trailing = blank ? trailing + 1 : 0;
    const n = cells - first;
    width ||= n;
    if (n !== width)
      throw new RuntimeProblem(
        `${path}, line ${start} has ${counted(n)}, and line ${lines[0]} has ${width}${n > width ? `: a cell that holds ${JSON.stringify(delimiter)} is written in quotes` : ""}`,
      );
    lines.push(start);
  }
  const cell = (row: number, column: number): string => {
    const at = row * width + column;
    const own = text.slice(from[at], to[at]);
    return doubled.has(at) ? own.replaceAll('""', '"') : own;
  };
  return { width, rows: lines.length - trailing, cell, line: (row) => lines[row]! };
}
export const counted = (n: number): string => `${n} cell${n === 1 ? "" : "s"}`;

/** What separates the cells, by the first line: a comma where nothing does. */
function delimiterOf(text: string, path: string): string {
  const found = new Set<string>();
  let quoted = false;
  let seen = false;
  for (const c of text) {
    if (c === '"') quoted = !quoted;
    if (!quoted && seen && (c === "\n" || c === "\r")) break;
    if (!quoted && (c === "," || c === ";" || c === "\t")) found.add(c);
    seen ||= c.trim() !== "";
  }
  if (found.size > 1)
    throw new RuntimeProblem(
      `${path}: its first line holds ${[...found].map((c) => ({ ",": "commas", ";": "semicolons" })[c] ?? "tabs").join(" and ")}: which separate the cells? Write delimiter: ",", ";" or "tab" in csv(...)`,
    );
  return [...found][0] ?? ",";
}

// ---------------------------------------------------------------- cells

const decimal = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/;
/** NaN for what is no decimal number (hexadecimal, 1_000, Infinity and the like are none); infinite beyond f64. */
export const numberOf = (cell: string, storage: Storage = "f32"): number =>
  decimal.test(cell)
    ? Number(cell)
    : storage === "bool" && /^\s*(true|false)\s*$/i.test(cell)
      ? Number(/t/i.test(cell))
      : NaN;
export const isMissing = (cell: string): boolean => /^\s*(\?|#?n\/?a|nan|null)?\s*$/i.test(cell);
/** Why a cell is no number, in words. */
export const noNumber = (cell: string): string =>
  isMissing(cell)
    ? `the value is missing${cell.trim() && ` (${cell.trim()})`}`
    : `${JSON.stringify(cell)} is no number${/^\s*[+-]?\d*,\d+\s*$/.test(cell) ? ` (a decimal comma: write ${cell.trim().replace(",", ".")})` : ""}`;

// ---------------------------------------------------------------- the header

/** A column that is read. In i32 and u8 there may be words, which are classes. */
export interface ReadColumn {
  readonly column: number;
  readonly storage: Storage;
  readonly range?: readonly [low: number, end: number] | undefined;
}
/** Whole numbers or words? By the first cell from `row` on that is not missing. */
export function holdsWords(table: Table, { column, storage }: ReadColumn, row: number): boolean {
  if (storage !== "i32" && storage !== "u8") return false;
  while (row < table.rows && isMissing(table.cell(row, column))) row++;
  return row < table.rows && Number.isNaN(numberOf(table.cell(row, column)));
}
/**
 * A first row with a number in a column that is read is no header; one with a name above a column of numbers is. Where only words are read:
 * no header if its words occur again or it has a number above numbers elsewhere; a header if it has a name above numbers elsewhere, or with
 * it there would be more classes than the range allows. Else, and where both hold, undefined: it may be either.
 */
export function hasHeader(table: Table, read: readonly ReadColumn[]): boolean | undefined {
  const first = (column: number): string => table.cell(0, column).trim();
  const isNumber = (row: number, column: number): boolean => !Number.isNaN(numberOf(table.cell(row, column)));
  if (read.some((r) => !Number.isNaN(numberOf(first(r.column), r.storage)))) return false;
  const below = Array.from({ length: table.rows - 1 }, (_, r) => r + 1);
  const isName = (column: number): boolean => !isMissing(first(column)) && !/^\W*\d/.test(first(column)); // not 0x10, 50% or 1,5
  const words = read.filter((r) => holdsWords(table, r, Math.min(1, table.rows - 1)));
  const named = read.some((r) => !words.includes(r) && isName(r.column));
  const found = words
    .filter((r) => !isMissing(first(r.column)))
    .map(({ column, range }) => ({ column, range, has: new Set(below.map((r) => table.cell(r, column).trim())) }));
  if (found.some((r) => r.has.has(first(r.column)))) return named ? undefined : false;
  if (named || !found.length) return named || undefined;
  const numbers = Array.from({ length: table.width }, (_, c) => c).filter(
    (c) => table.rows > 1 && !read.some((r) => r.column === c) && isNumber(1, c),
  );
  if (numbers.some((c) => isNumber(0, c))) return false;
  const beside = numbers.some((c) => isName(c) && below.every((r) => isNumber(r, c)));
  return (
    beside ||
    found.some((r) => r.range && [...r.has].filter((word) => !isMissing(word)).length >= r.range[1]) ||
    undefined
  );
}
