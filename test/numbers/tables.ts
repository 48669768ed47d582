// Random tables, the dialects of csv that they are written in, and what befalls files: for tests of reading.
import fc from "fast-check";

/** Rows of numbers with a word behind them. */
export interface Table {
  readonly width: number; // numbers
  readonly rows: readonly { readonly numbers: readonly number[]; readonly word: string }[];
}
export interface Dialect {
  readonly delimiter: string;
  readonly end: string;
  readonly header: boolean;
  readonly last: boolean; // a line end behind the last row
  readonly bom: boolean;
  readonly quotes: boolean; // around every cell
  readonly blanks: boolean; // around cells without quotes
}
const number = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -1e6, max: 1e6 }),
  fc.constant(-0),
);
const word = fc.constantFrom("rose", "tulip", 'a "b"', "x\ny", "é, è");
export const tables: fc.Arbitrary<Table> = fc.integer({ min: 1, max: 4 }).chain((width) =>
  fc.record({
    width: fc.constant(width),
    rows: fc.array(fc.record({ numbers: fc.array(number, { minLength: width, maxLength: width }), word }), {
      minLength: 1,
      maxLength: 6,
    }),
  }),
);
export const dialects: fc.Arbitrary<Dialect> = fc.record({
  delimiter: fc.constantFrom(",", ";", "\t"),
  end: fc.constantFrom("\n", "\r\n", "\r"),
  header: fc.boolean(),
  last: fc.boolean(),
  bom: fc.boolean(),
  quotes: fc.boolean(),
  blanks: fc.boolean(),
});

export function csvText({ width, rows }: Table, d: Dialect): string {
  const quoted = (cell: string): string =>
    d.quotes || /[",;\t\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : d.blanks ? ` ${cell} ` : cell;
  const text = (x: number): string => (Object.is(x, -0) ? "-0" : String(x));
  const lines = rows.map((r) => [...r.numbers.map(text), r.word].map(quoted).join(d.delimiter));
  const head = Array.from({ length: width + 1 }, (_, i) => quoted(`c${i}`)).join(d.delimiter);
  return (d.bom ? "\ufeff" : "") + [...(d.header ? [head] : []), ...lines].join(d.end) + (d.last ? d.end : "");
}

export const damages = [
  "delimiter",
  "cell",
  "quote",
  "byte",
  "letter",
  "empty",
  "hex",
  "huge",
  "blank line",
  "end",
] as const;
/** The file with something wrong at the beginning of a row, outside of quotes; undefined where no row offers a place. Only a blank line does not matter. */
export function damaged(
  text: string,
  d: Dialect,
  damage: (typeof damages)[number],
  at: number,
): Uint8Array | undefined {
  const lines = text.split(d.end);
  const places = lines.flatMap((l, i) =>
    i >= Number(d.header) && /^"?\s?[-\d]/.test(l) && lines.slice(0, i).join("").split('"').length % 2 ? [i] : [],
  );
  if (!places.length) return undefined;
  const i = places[at % places.length]!;
  const l = lines[i]!;
  const first = l.indexOf(d.delimiter);
  const changed = {
    delimiter: l.replace(d.delimiter, d.delimiter + d.delimiter),
    cell: l.slice(first + 1),
    quote: l.startsWith('"') ? `""x${l.slice(1)}` : `"${l}`,
    byte: `\ufffe${l}`,
    letter: `z${l.slice(1)}`,
    empty: l.slice(first),
    hex: `0x1${l.slice(first)}`,
    huge: `9e99${l.slice(first)}`,
    "blank line": `${d.end}${l}`,
    end: l.replace(d.delimiter, d.end),
  }[damage];
  const bytes = Buffer.from(lines.map((own, j) => (j === i ? changed : own)).join(d.end));
  // U+FFFE is ef bf be: with ff before, no UTF-8
  return damage === "byte"
    ? Uint8Array.from(bytes, (b, k) => (b === 0xef && bytes[k + 1] === 0xbf && bytes[k + 2] === 0xbe ? 0xff : b))
    : bytes;
}
