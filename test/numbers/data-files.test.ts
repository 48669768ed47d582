// Data files: the right values, or an error that names file, row and column. Never other values.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadDataset } from "../../runtime/loaders.ts";
import type { Loader, PlanColumn, Storage } from "../../runtime/plan.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { csvText, damaged, damages, dialects, tables } from "./tables.ts";

type Csv = Partial<Omit<Extract<Loader, { kind: "csv" }>, "kind">>;
interface Field extends Csv {
  readonly storage?: Storage;
  readonly range?: readonly [number, number];
}
/** What a data block with these fields of one csv file holds: values by field, or the error. */
async function block(
  file: string | Uint8Array,
  ...fields: readonly Field[]
): Promise<readonly (readonly number[])[] | string> {
  const columns = fields.map(({ storage = "f32", range, columns: wanted = [0], ...rest }, i): PlanColumn => {
    const width = "from" in wanted ? wanted.to - wanted.from : wanted.length;
    return {
      name: `d.f${i}`,
      loader: { kind: "csv", path: "f.csv", columns: wanted, ...rest },
      storage,
      shape: width === 1 ? [] : [width],
      ...(range ? { range } : {}),
      buffer: i,
      place: "d.dlm:2",
    };
  });
  return load(columns, file);
}
async function load(
  columns: readonly PlanColumn[],
  file: string | Uint8Array,
): Promise<readonly (readonly number[])[] | string> {
  const bytes = typeof file === "string" ? new TextEncoder().encode(file) : file;
  try {
    const loaded = await loadDataset(
      { name: "d", columns, holdouts: [], windowed: false },
      { read: async () => bytes, host: {}, files: new Map() },
    );
    return columns.map((c) => [...loaded.columns.get(c.name)!.values]);
  } catch (error) {
    if (error instanceof RuntimeProblem) return error.message;
    throw error;
  }
}
const latin = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const words = { storage: "i32" } as const;
const f32 = (x: number): number => Math.fround(x);

/** file, fields, the values by field or what the error says. */
type Row = readonly [
  file: string | Uint8Array,
  fields: readonly Field[],
  want: readonly (readonly number[])[] | RegExp,
];
const check = async (rows: readonly Row[]): Promise<void> => {
  for (const [file, fields, want] of rows) {
    const got = await block(file, ...fields);
    if (want instanceof RegExp) expect(got, `of ${JSON.stringify(file)}`).toMatch(want);
    else expect(got, `of ${JSON.stringify(file)}`).toEqual(want);
  }
};

describe("csv", () => {
  test("every row has as many cells as the first", () =>
    check([
      [
        "1,2,3\n3,1,234,20\n5,6,7\n",
        [{ columns: [0, 1, 2] }],
        /^f\.csv, line 2 has 4 cells, and line 1 has 3: a cell that holds "," is written in quotes$/,
      ],
      ["1,2,3\n3,1\n5,6,7\n", [{ columns: [0] }], /^f\.csv, line 2 has 2 cells, and line 1 has 3$/],
      ["a,b\n1,2,\n", [{ columns: ["a"] }], /line 2 has 3 cells, and line 1 has 2/],
      ["a;b\n1;2\n3\n", [{ columns: ["a"] }], /line 3 has 1 cell, and line 1 has 2/],
      ["1,2,\n3,4,\n", [{ columns: { from: 0, to: 2 } }], [[1, 2, 3, 4]]],
      ["# made by hand\n1,2\n", [{ columns: [0] }], /line 2 has 2 cells, and line 1 has 1/],
    ]));
  test("a header has no number in any column that is read", () =>
    check([
      // one cell that nobody reads says nothing
      ["x,1\n2,3\n4,5\n", [{ columns: [1] }], [[1, 3, 5]]],
      [",1\n2,3\n4,5\n", [{ columns: [1] }], [[1, 3, 5]]],
      ["NA,1,2\n2,3,4\n", [{ columns: [1, 2] }], [[1, 2, 3, 4]]],
      ["2024-01-01,1\n2024-01-02,3\n", [{ columns: [1] }], [[1, 3]]],
      ["a,b\n2,3\n4,5\n", [{ columns: [1] }], [[3, 5]]],
      ["a,7\n2,3\n", [{ columns: [0] }], [[2]]],
      // what any field of the block reads says it for all
      [
        "x,1\n2,3\n",
        [{ columns: [1] }, { columns: [0] }],
        /line 1, column 0: "x" is no number.*; if this line names the columns, write header: true/,
      ],
      [
        "5.1,setosa\n6,virginica\n",
        [{ columns: [0] }, { columns: [1], ...words }],
        [
          [f32(5.1), 6],
          [0, 1],
        ],
      ],
      [
        "len,species\n6,virginica\n5,setosa\n",
        [{ columns: [0] }, { columns: [1], ...words }],
        [
          [6, 5],
          [1, 0],
        ],
      ],
      [
        "len,species\n6,virginica\n5,setosa\n",
        [{ columns: ["len"] }, { columns: [1], ...words }],
        [
          [6, 5],
          [1, 0],
        ],
      ],
      ["a,b\n1,2\n", [{ columns: [0] }, { columns: [1], header: true }], [[1], [2]]],
      // declared
      ["1990,1991\n1,2\n", [{ columns: [0, 1], header: true }], [[1, 2]]],
      ["1990,1991\n1,2\n", [{ columns: [0, 1], header: false }], [[1990, 1991, 1, 2]]],
      [
        "a,b\n1,2\n",
        [{ columns: [0, 1], header: false }],
        /line 1, column 0: "a" is no number, in the field d\.f0 = csv\("f\.csv"\) \(d\.dlm:2\)$/,
      ],
      [
        "a,b\n1,2\n",
        [
          { columns: [0], header: false },
          { columns: [1], header: true },
        ],
        /f\.csv is read with header: false and with header: true/,
      ],
      ["a,b\n1,2\n", [{ columns: [0], header: false }, { columns: ["b"] }], /header: false and with header: true/],
      // nothing that could tell
      [
        "?\n1\n2\n",
        [{ columns: [0] }],
        /line 1 \(\?\) may name the columns or be a row: write header: true or header: false/,
      ],
      ...["0x10", "1_000", "50%", "$3", "-1,5", "1e", ".5.5"].map((cell): Row => [
        `"${cell}"\n1\n2\n`,
        [{ columns: [0] }],
        /line 1 .* may name the columns or be a row/,
      ]),
      ["x1,rose\n2,rose\n", [{ columns: [0] }, { columns: [1], ...words }], /line 1 \(x1, rose\) may name/],
      ["x1,2nd\n2,3\n", [{ columns: [0, 1] }], [[2, 3]]],
      ["NA,,x\n1,2,3\n", [{ columns: [0, 1] }], /line 1 \(NA, , x\) may name/],
      // no rows
      ["a,b\n", [{ columns: [0] }], /f\.csv has no rows below its header \(a, b\)/],
      ["a,b\n", [{ columns: ["a"] }], /no rows below its header/],
      ["", [{ columns: [0] }], /f\.csv is empty/],
      ["\n\r\n \n", [{ columns: [0] }], /f\.csv is empty/],
      ["7", [{ columns: [0] }], [[7]]],
      ["true\nfalse\n", [{ columns: [0], storage: "bool" }], [[1, 0]]],
      ["on\ntrue\n", [{ columns: [0], storage: "bool" }], [[1]]],
      ["yes\nno\n", [{ columns: [0], storage: "bool", header: false }], /line 1, column 0: "yes" is no number/],
    ]));
  test("words: a header is told by what stands beside, by repetition, by the range, or has to be declared", () =>
    check([
      ["species\nb\na\nb\n", [{ ...words, header: true }], [[1, 0, 1]]],
      ["species\nb\na\nb\n", [{ ...words, header: false }], [[2, 1, 0, 1]]],
      ["species\nb\na\nb\n", [words], /line 1 \(species\) may name the columns or be a row/],
      ["species\nb\na\nb\n", [{ ...words, range: [0, 2] }], [[1, 0, 1]]],
      ["b\na\nb\n", [words], [[1, 0, 1]]],
      ["b\na\nb\n", [{ ...words, range: [0, 2] }], [[1, 0, 1]]],
      ["b\na\n", [{ ...words, range: [0, 2] }], /may name the columns or be a row/],
      ["n,species\n1,b\n2,a\n", [{ ...words, columns: [1] }], [[1, 0]]],
      ["1,b\n2,a\n", [{ ...words, columns: [1] }], [[1, 0]]],
      ["1,b\n2,a\n3,c\n", [{ ...words, columns: [1], range: [0, 2] }], /f\.csv has 3 classes \(a, b, c\)/],
      [",b\n2,a\n3,b\n", [{ ...words, columns: [1] }], [[1, 0, 1]]],
      // numbers and words side by side are neither
      ["y\na\n3\n", [{ ...words, header: true }], /line 3, column "y": 3 is a number among words/],
      ["y\n3\na\n", [{ ...words, header: true }], /line 3, column "y": "a" is no number/],
    ]));
  test("missing values", () =>
    check([
      ...["", " ", "NA", "NaN", "nan", "?", "N/A", "#N/A", "null"].flatMap((cell): Row[] => [
        [
          `a,b\n1,2\n${cell},4\n5,6\n`,
          [{ columns: ["a"] }],
          /f\.csv, line 3, column "a": the value is missing.*: missing: 0 or missing: drop in csv\(\.\.\.\) says what to do/,
        ],
        [`a,b\n1,2\n${cell},4\n5,6\n`, [{ columns: ["a"], missing: 0 }], [[1, 0, 5]]],
        [
          `a,b\n1,2\n${cell},4\n5,6\n`,
          [{ columns: ["a"], missing: -1 }, { columns: ["b"] }],
          [
            [1, -1, 5],
            [2, 4, 6],
          ],
        ],
        [
          `a,b\n1,2\n${cell},4\n5,6\n`,
          [{ columns: ["a"], missing: "drop" }, { columns: ["b"] }],
          [
            [1, 5],
            [2, 6],
          ],
        ],
        [`a,b\n1,2\n${cell},4\n5,6\n`, [{ columns: ["b"] }], [[2, 4, 6]]],
        [`a,b\nx,2\n${cell},4\nw,6\n`, [{ columns: ["a"], ...words }], /line 3, column "a": the value is missing/],
        [
          `a,b\nx,2\n${cell},4\nw,6\n`,
          [{ columns: ["a"], ...words, missing: "drop" }, { columns: ["b"] }],
          [
            [1, 0],
            [2, 6],
          ],
        ],
        [
          `a,b\nx,2\n${cell},4\nw,6\n`,
          [{ columns: ["a"], ...words, missing: 0 }],
          /line 3, column "a": the value is missing.*missing: 0 would be a class.*write missing: drop/,
        ],
      ]),
      ["a,b\n1,2\nx,4\n", [{ columns: ["a"], missing: 0 }], /line 3, column "a": "x" is no number/],
      [
        "a,b\n1,\nNA,4\n5,6\n",
        [
          { columns: ["a"], missing: "drop" },
          { columns: ["b"], missing: "drop" },
        ],
        [[5], [6]],
      ],
      ["a,b\n1,\nNA,4\n5,6\n", [{ columns: ["a", "b"], missing: "drop" }], [[5, 6]]],
      ["a\n?\nNA\n", [{ columns: ["a"], missing: "drop" }], /the data d have no rows: in every one a value is missing/],
      [
        "a,b\n1,2\n,4\n",
        [{ columns: ["a"], ...words, missing: 7, range: [0, 5] }],
        /line 3, column "a": 7 is outside of 0\.\.5/,
      ],
      // where a row has one cell, a blank line between rows is one; at the end it is none
      ["1\n\n3\n", [{}], /f\.csv, line 2, column 0: the value is missing/],
      ["1\n\n3\n\n\n", [{ missing: 0 }], [[1, 0, 3]]],
      ['1\n""\n', [{ missing: 0 }], [[1, 0]]],
      ["1,2\n\n3,4\n   \n", [{ columns: [1] }], [[2, 4]]],
    ]));
  test("numbers are decimal, and f32 and i32 hold them", () =>
    check([
      ["x\n +1.50 \n-.5\n5.\n1E3\n2e-3\n-0\n", [{}], [[1.5, -0.5, 5, 1000, f32(0.002), -0]]],
      ...[
        "0x10",
        "0b1",
        "0o7",
        "1_000",
        "Infinity",
        "-Infinity",
        "inf",
        "1e",
        "e5",
        ".",
        "+",
        "--1",
        "50%",
        "$3",
        "3 4",
        "1.2.3",
        "١",
      ].map((cell): Row => [`x\n1\n${cell}\n`, [{ columns: ["x"] }], /f\.csv, line 3, column "x": ".+" is no number/]),
      ['x\n"1,5"\n', [{ columns: ["x"] }], /line 2, column "x": "1,5" is no number \(a decimal comma: write 1\.5\)/],
      ['x\n"1,234,567"\n', [{ columns: ["x"] }], /"1,234,567" is no number/],
      ["x\n3.4028234e38\n1e-45\n", [{}], [[f32(3.4028234e38), f32(1e-45)]]],
      ...["1e39", "-1e39", "3.4028236e38"].map((cell): Row => [
        `x\n1\n${cell}\n`,
        [{}],
        /f\.csv, line 3, column "x": -?[\de+.]+ is beyond f32/,
      ]),
      ["x\n1e999\n", [{}], /line 2, column "x": Infinity is no finite number/],
      ["x\n2147483647\n-2147483648\n16777217\n", [words], [[2147483647, -2147483648, 16777217]]],
      [
        "x\n2147483648\n",
        [words],
        /line 2, column "x": 2147483648 is outside of -2147483648\.\.2147483648, which its type allows/,
      ],
      ["x\n1.5\n", [words], /line 2, column "x": 1\.5 is no whole number/],
      ["x\n1e39\n", [words], /1e\+39 is outside of/],
      ["x\n3.0\n1e2\n", [words], [[3, 100]]],
      ["x\n1\n2\n", [{ storage: "bool" }], /line 3, column "x": 2 is outside of 0\.\.2/],
      ["x\ntrue\n", [{ columns: ["x"] }], /"true" is no number/],
    ]));
  test("words that are numbers in another notation are no classes, whatever stands beside them", () =>
    check(
      ["0x10", "1_000", "-inf", "Infinity", "1,5", "-1,5", "\u22121", "\u0661", "\u22121,5"].flatMap((cell): Row[] =>
        [`x\n"${cell}"\n`, `x\n"${cell}"\n"${cell}"\n`, `x\nrose\n"${cell}"\n`, `x\n"${cell}"\nrose\n`].map(
          (text): Row => [
            text,
            [{ ...words, columns: ["x"], header: true }],
            /is no number.*, and it is no name of a class/,
          ],
        ),
      ),
    ));
  test("delimiters, line ends, quotes, encodings", () =>
    check([
      ...[",", ";", "\t"].flatMap((d): Row[] =>
        ["\n", "\r\n", "\r"].flatMap((end): Row[] => [
          [["a,b", "1,2", "3,4"].join(end).replaceAll(",", d), [{ columns: ["b"] }], [[2, 4]]],
          [
            ["\ufeffa,b", '"1"," 2"', '"3", "4" ', ""].join(end).replaceAll(",", d),
            [{ columns: [0, 1] }],
            [[1, 2, 3, 4]],
          ],
          [
            ['"a,\nb",b', "1,2", "x,4"].join(end).replaceAll(/(?<!"a),/g, d),
            [{ columns: [0] }],
            /line 4, column "a,\\nb": "x" is no number/,
          ],
        ]),
      ),
      ["a|b\n1|2\n", [{ columns: ["b"], delimiter: "|" }], [[2]]],
      ["a|b\n1|2\n", [{ columns: [1] }], /f\.csv has 1 column, and column 1 \(from 0\) is wanted/],
      [
        "1,5;2\n2,5;3\n",
        [{ columns: [0] }],
        /its first line holds commas and semicolons: which separate the cells\? Write delimiter:/,
      ],
      ["1,5;2\n2,5;3\n", [{ columns: [0], delimiter: ";" }], /line 1 \(1,5, 2\) may name the columns or be a row/],
      [
        "1,5;2\n2,5;3\n",
        [{ columns: [0], delimiter: ";", header: false }],
        /line 1, column 0: "1,5" is no number \(a decimal comma: write 1\.5\)/,
      ],
      ["1,5;2\n2,5;3\n", [{ columns: [0], delimiter: "," }], [[1, 2]]],
      ["x;y\n1,5;2\n", [{ columns: ["x"] }], /line 2, column "x": "1,5" is no number \(a decimal comma/],
      ["1,2\n", [{ columns: [0], delimiter: "," }, { columns: [1] }], [[1], [2]]],
      [
        "1,2\n",
        [
          { columns: [0], delimiter: "," },
          { columns: [1], delimiter: ";" },
        ],
        /read with delimiter: , and with delimiter: ;/,
      ],
      ['a,b\n1,"x\n2,y\n', [{ columns: ["a"] }], /f\.csv, line 2: a quoted cell is not closed/],
      ['a,b\n1,"x"y\n', [{ columns: ["a"] }], /f\.csv, line 2: text follows a closing quote/],
      ['a,b\n1,"x\r\ny\rz\nw"\n?,q\n', [{ columns: ["a"] }], /f\.csv, line 6, column "a": the value is missing/],
      [
        latin("name,x\ncaf\xe9,1\nth\xe9,2\n"),
        [{ columns: [0], ...words }],
        /^f\.csv, line 2 is no UTF-8 text: save the file as UTF-8$/,
      ],
      [latin("a,b\r1,2\r\xff,3\r"), [{ columns: [1] }], /^f\.csv, line 3 is no UTF-8 text/],
      [latin("\xff\xfea\0,\0b\0\n\0"), [{ columns: [1] }], /f\.csv is UTF-16 text: save it as UTF-8/],
      [latin("a\0,\0b\0\n\0"), [{ columns: [1] }], /f\.csv holds zero characters/],
      ["name,x\ncafé,1\nthé,2\ncafé,3\n", [{ columns: [0], ...words }], [[0, 1, 0]]],
    ]));
  test("columns by name and by number", () =>
    check([
      ["age, size ,age\n1,2,3\n", [{ columns: ["size"] }], [[2]]],
      [
        "age,size,age\n1,2,3\n",
        [{ columns: ["age"] }],
        /f\.csv has 2 columns "age" \(0, 2\), for the field d\.f0.*: name one by its number/,
      ],
      ["age,size,age\n1,2,3\n", [{ columns: [2] }, { columns: ["size"] }], [[3], [2]]],
      [
        "age,size\n1,2\n",
        [{ columns: ["Age"] }],
        /f\.csv has no column "Age", for the field d\.f0.*; its first line names age, size/,
      ],
      ["1,2\n", [{ columns: { from: 1, to: 4 } }], /f\.csv has 2 columns, and column 2 \(from 0\) is wanted/],
    ]));
});

describe("csv, whatever it holds", () => {
  const fieldsOf = (width: number, more: Field = {}): Field[] => [
    { columns: { from: 0, to: width }, ...more },
    { columns: [width], storage: "i32" },
  ];
  test("written in any dialect it is read back equal", async () => {
    await fc.assert(
      fc.asyncProperty(tables, dialects, async (t, d) => {
        const classes = [...new Set(t.rows.map((r) => r.word))].sort();
        expect(await block(csvText(t, d), ...fieldsOf(t.width))).toEqual([
          t.rows.flatMap((r) => r.numbers.map(f32)),
          t.rows.map((r) => classes.indexOf(r.word)),
        ]);
      }),
      { seed: 22, numRuns: 400 },
    );
  });
  test("damaged it is an error, or the values are the same", async () => {
    await fc.assert(
      fc.asyncProperty(tables, dialects, fc.constantFrom(...damages), fc.nat(), async (t, d, kind, at) => {
        const text = csvText(t, d);
        const fields = fieldsOf(t.width, { header: d.header }); // by itself a name above numbers is a header
        const whole = await block(text, ...fields);
        const file = damaged(text, d, kind, at);
        if (!file) return;
        const got = await block(file, ...fields);
        if (typeof got !== "string") expect(got, `${kind} in ${JSON.stringify(text)}`).toEqual(whole);
        else expect(got).toMatch(/f\.csv/);
      }),
      { seed: 23, numRuns: 600 },
    );
  });
});

// ---- npy and idx

const npy = (
  descr: string,
  shape: readonly number[],
  data: ArrayBufferView,
  { fortran = false, version = 1, raw = `'${descr}'` } = {},
): Uint8Array => {
  const text = `{'descr': ${raw}, 'fortran_order': ${fortran ? "True" : "False"}, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const prefix = version > 1 ? 12 : 10;
  const header = text.padEnd(Math.ceil((prefix + text.length + 1) / 64) * 64 - prefix - 1) + "\n";
  const size =
    version > 1 ? [header.length & 255, header.length >> 8, 0, 0] : [header.length & 255, header.length >> 8];
  return Buffer.concat([
    Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, ...size]),
    Buffer.from(header),
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  ]);
};
const swapped = (data: ArrayBufferView, width: number): Uint8Array => {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  for (let i = 0; i < bytes.length; i += width) bytes.subarray(i, i + width).reverse();
  return bytes;
};
const column = (kind: "npy" | "idx", more: Partial<PlanColumn> = {}): PlanColumn => ({
  name: "d.x",
  loader: { kind, path: `f.${kind}` },
  storage: "f32",
  shape: [],
  buffer: 0,
  place: "d.dlm:2",
  ...more,
});
const array = (
  kind: "npy" | "idx",
  file: Uint8Array,
  more: Partial<PlanColumn> = {},
): Promise<readonly (readonly number[])[] | string> => load([column(kind, more)], file);

describe("npy", () => {
  test("element types, orders of bytes and of elements, versions of the header", async () => {
    const values = [1, -2, 3, 100, -5, 6];
    const types = [
      ["i1", Int8Array],
      ["i2", Int16Array],
      ["i4", Int32Array],
      ["f4", Float32Array],
      ["f8", Float64Array],
    ] as const;
    for (const [type, Type] of types) {
      const data = Type.from(values);
      const width = Number(type[1]);
      for (const storage of ["f32", "i32"] as const) {
        const more = { storage, shape: [3] };
        for (const version of [1, 2, 3])
          expect(await array("npy", npy(`<${type}`, [2, 3], data, { version }), more)).toEqual([values]);
        expect(await array("npy", npy(`>${type}`, [2, 3], swapped(data, width)), more)).toEqual([values]);
        expect(
          await array("npy", npy(`<${type}`, [2, 3], Type.of(1, 100, -2, -5, 3, 6), { fortran: true }), more),
        ).toEqual([values]);
      }
    }
    expect(await array("npy", npy("|u1", [3], Uint8Array.of(0, 200, 255)))).toEqual([[0, 200, 255]]);
    expect(await array("npy", npy("|b1", [3], Uint8Array.of(0, 1, 1)), { storage: "bool" })).toEqual([[0, 1, 1]]);
    expect(await array("npy", npy("<u4", [2], Uint32Array.of(7, 2147483647)), { storage: "i32" })).toEqual([
      [7, 2147483647],
    ]);
    expect(await array("npy", npy("<u8", [1], BigUint64Array.of(9n)), { storage: "i32" })).toEqual([[9]]);
  });
  test("what a column cannot hold, with row and column", async () => {
    for (const [file, more, want] of [
      [npy("<f4", [2, 2], Float32Array.of(1, 2, 3, NaN)), { shape: [2] }, "f.npy, row 1, column 1: NaN is no number"],
      [
        npy("<f4", [2, 2], Float32Array.of(1, Infinity, 3, 4)),
        { shape: [2] },
        "f.npy, row 0, column 1: Infinity is no finite number",
      ],
      [
        npy("<f4", [2, 2], Float32Array.of(1, 2, -Infinity, 4)),
        { shape: [2] },
        "f.npy, row 1, column 0: -Infinity is no finite number",
      ],
      [npy("<f8", [2], Float64Array.of(1, 1e39)), {}, "f.npy, row 1: 1e+39 is beyond f32, which ends at 3.4028235e38"],
      [
        npy("<f8", [1, 2, 2], Float64Array.of(1, 2, -3e300, 4)),
        { shape: [2, 2] },
        "f.npy, row 0, element [1, 0]: -3e+300 is beyond f32",
      ],
      [npy("<f8", [2], Float64Array.of(1, 2.5)), { storage: "i32" }, "f.npy, row 1: 2.5 is no whole number"],
      [npy("<f8", [1], Float64Array.of(NaN)), { storage: "i32" }, "f.npy, row 0: NaN is no number"],
      [npy("<i8", [1], BigInt64Array.of(1n << 40n)), { storage: "i32" }, "f.npy, row 0: 1099511627776 is outside of"],
      [npy("<u8", [1], BigUint64Array.of((1n << 64n) - 1n)), { storage: "i32" }, "outside of"],
      [npy("<u4", [1], Uint32Array.of(4294967295)), { storage: "i32" }, "f.npy, row 0: 4294967295 is outside of"],
      [npy("|b1", [1], Uint8Array.of(3)), { storage: "bool" }, "3 is outside of 0..2"],
      [npy("<f4", [2, 2], new Float32Array(4)), {}, "f.npy holds 2 rows of shape [2], and"],
      [npy("<f4", [4], new Float32Array(4)), { shape: [2] }, "f.npy holds 4 rows of shape [], and"],
      [npy("<f4", [], new Float32Array(1)), {}, "f.npy holds no rows of shape []"],
      [npy("<f4", [0], new Float32Array(0)), {}, "the data d have no rows"],
    ] as const)
      expect(await array("npy", file, more)).toContain(want);
  });
  test("what is no array of numbers, or not whole", async () => {
    for (const descr of ["<c8", "<c16", "|O", "<U4", "|S3", "<f2", "<f16", "<M8[ns]", "<m8", "|V8"])
      expect(await array("npy", npy(descr, [1], new Uint8Array(16)))).toContain(
        `its elements are ${descr}; save it as float32 or int32`,
      );
    expect(await array("npy", npy("", [1], new Uint8Array(8), { raw: "[('a', '<f4'), ('b', '<i4')]" }))).toContain(
      "its elements are [(a, <f4), (b, <i4)]",
    );
    const whole = npy("<f4", [3], Float32Array.of(1, 2, 3));
    for (let n = 0; n < whole.length; n++)
      expect(await array("npy", whole.subarray(0, n)), `the first ${n} bytes`).toMatch(
        /^f\.npy is no npy file that can be read/,
      );
    expect(await array("npy", Buffer.concat([whole, Buffer.of(0)]))).toContain("takes 12 bytes, and 13 follow");
    expect(await array("npy", npy("<f4", [3], new Float32Array(3), { version: 4 }))).toContain("it has version 4");
    expect(await array("npy", Buffer.from("PK\x03\x04 and more than that"))).toContain("it is a zip archive (npz?)");
    expect(await array("npy", Buffer.from("1,2,3\n4,5,6\n7,8,9"))).toContain("it does not begin as one");
  });
});

describe("idx", () => {
  const idx = (type: number, shape: readonly number[], data: Uint8Array): Uint8Array =>
    Buffer.concat([
      Buffer.from([0, 0, type, shape.length]),
      ...shape.map((n) => Buffer.from([n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255])),
      data,
    ]);
  const types = [
    ["u8", 0x08, Uint8Array, [0, 200, 255]],
    ["i8", 0x09, Int8Array, [-128, 5, 127]],
    ["i16", 0x0b, Int16Array, [-32768, -5, 32767]],
    ["i32", 0x0c, Int32Array, [-100000, 7, 100000]],
    ["f32", 0x0d, Float32Array, [-5, 256, 0.5]],
    ["f64", 0x0e, Float64Array, [-5, 1e30, 0.25]],
  ] as const;
  test("every element type, as it is", async () => {
    for (const [name, code, Type, values] of types) {
      const file = idx(code, [3], swapped(Type.from(values as readonly number[]), Type.BYTES_PER_ELEMENT));
      expect(await array("idx", file), name).toEqual([values.map(f32)]);
      const whole = values.every(Number.isInteger) && Math.max(...values) < 2 ** 31;
      if (whole) expect(await array("idx", file, { storage: "i32" }), name).toEqual([values]);
      else
        expect(await array("idx", file, { storage: "i32" }), name).toMatch(
          /f\.idx, row [12]: .* is (no whole number|outside of)/,
        );
    }
  });
  test("what it cannot hold, and damaged files", async () => {
    const doubles = (...x: number[]): Uint8Array => idx(0x0e, [x.length], swapped(Float64Array.from(x), 8));
    expect(await array("idx", doubles(1, 1e39))).toContain("f.idx, row 1: 1e+39 is beyond f32");
    expect(await array("idx", doubles(1, 2, NaN))).toContain("f.idx, row 2: NaN is no number");
    expect(await array("idx", idx(0x0b, [2], Uint8Array.of(255, 251, 0, 1)), { storage: "u8" })).toMatch(
      /f\.idx does not hold bytes, though its name says so \(ubyte\)/,
    );
    expect(
      await array("idx", idx(0x0b, [2], Uint8Array.of(255, 251, 0, 1)), { storage: "i32", range: [0, 10] }),
    ).toContain("f.idx, row 0: -5 is outside of 0..10, which the field declares");
    const whole = idx(0x08, [2, 2], Uint8Array.of(1, 2, 3, 4));
    for (let n = 0; n < whole.length; n++)
      expect(await array("idx", whole.subarray(0, n), { shape: [2] }), `the first ${n} bytes`).toMatch(
        /^f\.idx is no idx file that can be read/,
      );
    expect(await array("idx", Buffer.concat([whole, Buffer.of(9)]), { shape: [2] })).toContain(
      "takes 4 bytes, and 5 follow",
    );
    expect(await array("idx", idx(0x0a, [1], Uint8Array.of(1)))).toContain("no known type of elements (10)");
    expect(await array("idx", Buffer.from("P5 28 28 255 "))).toContain("it does not begin as one");
  });
});

test("text: bytes that are no UTF-8, line ends of every kind, nothing at all", async () => {
  const chars = column("npy", {
    loader: { kind: "windows", unit: "character", path: "t", window: 2 },
    shape: [2],
    storage: "i32",
  });
  expect(await load([chars], latin("abc\nd\xe9f\n"))).toBe("t, line 2 is no UTF-8 text: save the file as UTF-8");
  expect(await load([chars], "\ufeffbab")).toEqual([[1, 0, 1]]);
  const tokens = column("npy", {
    loader: { kind: "lines", unit: "number", path: "t", pad: 3 },
    shape: [3],
    storage: "i32",
  });
  for (const end of ["\n", "\r\n", "\r"])
    expect(await load([tokens], `1 2${end}3${end}`)).toEqual([[1, 2, 0, 3, 0, 0]]);
  expect(await load([tokens], "")).toContain("t is empty");
  expect(await load([tokens], "1 2\n3 0x4\n")).toContain('t, line 2: "0x4" is no whole number');
  expect(await load([tokens], "1 2\n3 4000000000\n")).toContain("t, line 2, token 2: 4000000000 is outside of");
});
