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

const chunkBytes = 1 << 20; // decoded at once: a string holds less than a file
const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;
/** The text in pieces, without its byte order mark; no character is cut. Bytes that are no UTF-8 are told with their line. */
export function* textPieces(bytes: Uint8Array, path: string): Generator<string> {
  checkMark(bytes, path);
  let start = bomLength(bytes);
  while (start < bytes.length) {
    let end = Math.min(bytes.length, start + chunkBytes);
    while (end > start + chunkBytes - 4 && isContinuation(bytes[end])) end--;
    yield decoded(bytes, start, end, path);
    start = end;
  }
}
/** UTF-8, without its byte order mark. */
export function textOf(bytes: Uint8Array, path: string): string {
  if (bytes.length > mostStringBytes)
    throw new RuntimeProblem(`${path} is too long for text in one piece (${bytes.length} bytes)`);
  return [...textPieces(bytes, path)].join("");
}
const mostStringBytes = 500_000_000; // engines differ: V8 has strings of 2^29 - 24 units
const bomLength = (bytes: Uint8Array): number => (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0);
function checkMark([a, b]: Uint8Array, path: string): void {
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff))
    throw new RuntimeProblem(`${path} is UTF-16 text: save it as UTF-8`);
}
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
function decoded(bytes: Uint8Array, start: number, end: number, path: string): string {
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    throw new RuntimeProblem(`${path}, line ${lineOfBad(bytes, start, end)} is no UTF-8 text: save the file as UTF-8`);
  }
}
/** The line in which the text stops being UTF-8. */
function lineOfBad(bytes: Uint8Array, start: number, end: number): number {
  let line = 1;
  let from = 0;
  const isEnd = (i: number): boolean => bytes[i] === 10 || (bytes[i] === 13 && bytes[i + 1] !== 10);
  for (let i = 0; i < start; i++) if (isEnd(i)) [line, from] = [line + 1, i + 1];
  for (let i = start; i <= end; i++) {
    if (i < end && !isEnd(i)) continue;
    try {
      decoder.decode(bytes.subarray(Math.max(from, start), i));
    } catch {
      break;
    }
    [line, from] = [line + 1, i + 1];
  }
  return line;
}
/** The lines of a text, one after another; a last line without an end is one, an empty last one is none. */
export function* linesOf(bytes: Uint8Array, path: string): Generator<string> {
  checkMark(bytes, path);
  for (let start = bomLength(bytes); start < bytes.length;) {
    let end = start;
    while (end < bytes.length && bytes[end] !== 10 && bytes[end] !== 13) end++;
    yield decoded(bytes, start, end, path);
    start = end + (bytes[end] === 13 && bytes[end + 1] === 10 ? 2 : 1);
  }
}

/** RFC 4180: quoted cells may hold delimiters, line ends and doubled quotes. Blank lines are no rows, unless rows have a single cell: that is missing there. */
export function parseCsv(bytes: Uint8Array, path: string, delimiter?: string): Table {
  for (const piece of textPieces(bytes, path)) if (piece.includes("\0")) throw zeroCharacters(path);
  delimiter ??= delimiterOf(bytes, path);
  const separator = delimiter.charCodeAt(0);
  const isBlank = (c: number): boolean => (c === 32 || c === 9) && c !== separator;
  const { length } = bytes;
  let most = 1;
  for (let i = 0; i < length; i++) {
    const c = bytes[i]!;
    if (c === separator || c === 10 || c === 13) most++;
  }
  const [from, to] = [new Uint32Array(most), new Uint32Array(most)];
  const doubled = new Set<number>(); // cells with doubled quotes
  const lines: number[] = [];
  let [width, cells, line, trailing] = [0, 0, 1, 0];
  for (let i = bomLength(bytes); i < length;) {
    const [first, start] = [cells, line];
    let blank = true;
    for (;;) {
      let at = i;
      while (isBlank(bytes[at]!)) at++;
      if (bytes[at] === 34) {
        blank = false;
        const [opened, begin] = [line, at + 1];
        for (i = begin; ; i += 2) {
          i = bytes.indexOf(34, i);
          if (i < 0) throw new RuntimeProblem(`${path}, line ${opened}: a quoted cell is not closed`);
          if (bytes[i + 1] !== 34) break;
          doubled.add(cells);
        }
        from[cells] = begin;
        to[cells] = i++;
        line += lineEnds(bytes, begin, i);
        while (isBlank(bytes[i]!)) i++;
      } else {
        from[cells] = i;
        for (i = at; i < length; i++) {
          const c = bytes[i]!;
          if (c === separator || c === 10 || c === 13) break;
          blank = false;
        }
        to[cells] = i;
      }
      cells++;
      const next = bytes[i];
      if (i === length || next === 10 || next === 13) break;
      if (next !== separator) throw new RuntimeProblem(`${path}, line ${line}: text follows a closing quote`);
      blank = false;
      i++;
    }
    if (bytes[i] === 13 && bytes[i + 1] === 10) i++;
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
    const own = decoder.decode(bytes.subarray(from[at], to[at]));
    return doubled.has(at) ? own.replaceAll('""', '"') : own;
  };
  return { width, rows: lines.length - trailing, cell, line: (row) => lines[row]! };
}
const zeroCharacters = (path: string): RuntimeProblem =>
  new RuntimeProblem(`${path} holds zero characters: it is no text, or UTF-16; save it as UTF-8`);
function lineEnds(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to; i++) if (bytes[i] === 10 || (bytes[i] === 13 && bytes[i + 1] !== 10)) count++;
  return count;
}
export const counted = (n: number): string => `${n} cell${n === 1 ? "" : "s"}`;

/** What separates the cells, by the first line: a comma where nothing does. */
function delimiterOf(bytes: Uint8Array, path: string): string {
  const found = new Set<string>();
  let quoted = false;
  let seen = false;
  for (let i = bomLength(bytes); i < bytes.length; i++) {
    const c = String.fromCharCode(bytes[i]!); // separators, quotes and line ends are ASCII
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
