// Loaders: files and values in, columns or messages out.
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batchStream, generator, splitRows } from "../../runtime/batches.ts";
import { linesOf, parseCsv, textPieces } from "../../runtime/csv.ts";
import { loadColumn, loadDataset } from "../../runtime/loaders.ts";
import type { Loader, PlanColumn } from "../../runtime/plan.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { readSafetensors, writeSafetensors } from "../../runtime/safetensors.ts";
import type { StoredTensor } from "../../runtime/safetensors.ts";

type Files = Readonly<Record<string, string | Uint8Array>>;
const sources = (files: Files, host = {}) => ({
  read: async (path: string) =>
    files[path] === undefined
      ? Promise.reject(new Error("there is no such file"))
      : typeof files[path] === "string"
        ? new TextEncoder().encode(files[path])
        : (files[path] as Uint8Array),
  host,
  files: new Map(),
});
const column = (loader: Loader, more: Partial<PlanColumn> = {}): PlanColumn => ({
  name: "d.x",
  loader,
  storage: "f32",
  shape: [],
  buffer: 0,
  place: "d.dlm:2",
  ...more,
});
const read = async (loader: Loader, more: Partial<PlanColumn>, files: Files = {}, host = {}): Promise<unknown> => {
  try {
    const { values, rows, classes } = await loadColumn(column(loader, more), sources(files, host));
    return { values: [...values], rows, ...(classes ? { classes } : {}) };
  } catch (error) {
    if (error instanceof RuntimeProblem) return error.message;
    throw error;
  }
};
const csv = (
  text: string,
  columns: (number | string)[] | { from: number; to: number },
  more: Partial<PlanColumn> = {},
): Promise<unknown> => read({ kind: "csv", path: "f.csv", columns }, more, { "f.csv": text });

describe("csv", () => {
  test("headers, names, numbers, ranges, quotes, line ends", async () => {
    expect(await csv("a,b\n1,2\n3,4\n", ["b"])).toEqual({ values: [2, 4], rows: 2 });
    expect(await csv("a,b\n1,2\n3,4", ["b", "a"], { shape: [2] })).toEqual({ values: [2, 1, 4, 3], rows: 2 });
    expect(await csv("1,2\r\n3,4\r\n\r\n", { from: 0, to: 2 }, { shape: [2] })).toEqual({
      values: [1, 2, 3, 4],
      rows: 2,
    });
    expect(await csv('\ufeff"a","b ""q"", c"\n"1", 2.5e1 \n', ['b "q", c'])).toEqual({ values: [25], rows: 1 });
    expect(await csv("x,y\n1,2\n", [1])).toEqual({ values: [2], rows: 1 });
    expect(await csv("true,0\nFALSE,1\n", [0], { storage: "bool" })).toEqual({ values: [1, 0], rows: 2 });
  });
  test("words are classes, in sorted order", async () => {
    const more = { storage: "u8", range: [0, 3] } as const;
    expect(await csv("n,species\n1,virginica\n2,setosa\n3,setosa\n", ["species"], more)).toEqual({
      values: [1, 0, 0],
      rows: 3,
      classes: ["setosa", "virginica"],
    });
    expect(await csv("1,b\n2,a\n", [1], { storage: "i32" })).toEqual({ values: [1, 0], rows: 2, classes: ["a", "b"] });
    expect(await csv("1,a\n2,b\n2,c\n2,d\n", [1], more)).toBe(
      'f.csv has 4 classes (a, b, c, d), and the field d.x = csv("f.csv") (d.dlm:2) allows numbers below 3',
    );
  });
  test("problems name file, line and column", async () => {
    expect(await csv("a,b\n1,2\n3,x\n", ["b"])).toBe(
      'f.csv, line 3, column "b": "x" is no number, in the field d.x = csv("f.csv") (d.dlm:2)',
    );
    expect(await csv("1,2\n\n3,\n", [1])).toBe(
      'f.csv, line 3, column 1: the value is missing, in the field d.x = csv("f.csv") (d.dlm:2): missing: 0 or missing: drop in csv(...) says what to do',
    );
    expect(await csv("a,b\n1,2\n", ["c"])).toBe(
      'f.csv has no column "c", for the field d.x = csv("f.csv") (d.dlm:2); its first line names a, b',
    );
    expect(await csv("1,2\n3\n", [1])).toBe("f.csv, line 2 has 1 cell, and line 1 has 2");
    expect(await csv("1,2\n3,4\n", [2])).toBe(
      'f.csv has 2 columns, and column 2 (from 0) is wanted by the field d.x = csv("f.csv") (d.dlm:2)',
    );
    expect(await csv("1,2\n3,4\n", [0, 1], { shape: [3] })).toBe(
      'the field d.x = csv("f.csv") (d.dlm:2): 2 columns do not fill f32[3], which takes 3',
    );
    expect(await csv("1\n12\n", [0], { storage: "u8", range: [0, 10] })).toBe(
      'f.csv, line 2, column 0: 12 is outside of 0..10, which the field declares, in the field d.x = csv("f.csv") (d.dlm:2)',
    );
    expect(await csv("1\n300\n", [0], { storage: "u8" })).toContain("300 is outside of 0..256, which its type allows");
    expect(await csv("1\n1.5\n", [0], { storage: "i32" })).toContain("1.5 is no whole number");
    expect(await csv('1\n"2\n', [0])).toBe("f.csv, line 2: a quoted cell is not closed");
    expect(await csv('1\n"2"3\n', [0])).toBe("f.csv, line 2: text follows a closing quote");
    expect(await csv("", [0])).toContain("f.csv is empty");
    expect(await read({ kind: "csv", path: "g.csv", columns: [0] }, {})).toBe(
      'cannot read g.csv, for the field d.x = csv("g.csv") (d.dlm:2): there is no such file',
    );
    expect(
      await loadColumn(column({ kind: "csv", path: "g.csv", columns: [0] }), {
        read: undefined,
        host: {},
        files: new Map(),
      }).catch((e: Error) => e.message),
    ).toContain("load() needs `read`");
  });
  test("whatever cells hold, written and read again they are the same", () => {
    const cell = fc.string({ unit: fc.constantFrom("a", "1", ",", '"', "\n", "\r\n", " ", "é") });
    const quoted = (c: string, always: boolean): string =>
      always || /[",\r\n]/.test(c) ? `"${c.replaceAll('"', '""')}"` : c;
    fc.assert(
      fc.property(
        fc
          .integer({ min: 2, max: 4 })
          .chain((n) => fc.array(fc.array(cell, { minLength: n, maxLength: n }), { minLength: 1, maxLength: 5 })),
        fc.boolean(),
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        (records, always, end, last) => {
          const text = records.map((r) => r.map((c) => quoted(c, always)).join(",")).join(end) + (last ? end : "");
          const table = parseCsv(new TextEncoder().encode(text), "f");
          expect(Array.from({ length: table.rows }, (_, r) => records[0]!.map((_, c) => table.cell(r, c)))).toEqual(
            records,
          );
        },
      ),
      { seed: 11, numRuns: 500 },
    );
  });
});

const npy = (descr: string, shape: string, data: ArrayBufferView, fortran = "False"): Uint8Array => {
  const header = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`.padEnd(117) + "\n";
  return Buffer.concat([
    Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]),
    Buffer.from(header),
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  ]);
};
describe("npy and idx", () => {
  const open = (file: Uint8Array, more: Partial<PlanColumn> = {}): Promise<unknown> =>
    read({ kind: "npy", path: "f.npy" }, more, { "f.npy": file });
  test("element types", async () => {
    expect(await open(npy("<f4", "(2, 2)", Float32Array.of(1, 2, 3, 4)), { shape: [2] })).toEqual({
      values: [1, 2, 3, 4],
      rows: 2,
    });
    expect(await open(npy("<f8", "(2,)", Float64Array.of(1.5, -2)))).toEqual({ values: [1.5, -2], rows: 2 });
    expect(await open(npy("<i8", "(2,)", BigInt64Array.of(-1n, 7n)), { storage: "i32" })).toEqual({
      values: [-1, 7],
      rows: 2,
    });
    expect(await open(npy(">i2", "(1,)", Uint8Array.of(1, 2)), { storage: "i32" })).toEqual({ values: [258], rows: 1 });
    expect(await open(npy("|b1", "(2,)", Uint8Array.of(1, 0)), { storage: "bool" })).toEqual({
      values: [1, 0],
      rows: 2,
    });
    expect(await open(npy("<f4", "(2, 3)", Float32Array.of(1, 2, 3, 4, 5, 6), "True"), { shape: [3] })).toEqual({
      values: [1, 3, 5, 2, 4, 6],
      rows: 2,
    });
    expect(
      await open(
        npy(
          "<i2",
          "(2, 2, 3)",
          Int16Array.from({ length: 12 }, (_, i) => i),
          "True",
        ),
        { shape: [2, 3] },
      ),
    ).toEqual({ values: [0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11], rows: 2 });
    expect(
      await open(npy("|u1", "(2, 3)", Uint8Array.of(1, 2, 3, 4, 5, 6)), { storage: "u8", shape: [3], range: [0, 256] }),
    ).toEqual({ values: [1, 2, 3, 4, 5, 6], rows: 2 });
  });
  test("problems", async () => {
    expect(await open(npy("<f4", "(2, 2)", Float32Array.of(1, 2, 3, 4)), { shape: [4] })).toBe(
      'f.npy holds 2 rows of shape [2], and the field d.x = npy("f.npy") (d.dlm:2) wants rows of shape [4]',
    );
    expect(await open(npy("<c8", "(1,)", new Float32Array(2)))).toContain("save it as float32 or int32");
    expect(await open(npy("<f4", "(3,)", new Float32Array(2)))).toContain("takes 12 bytes, and 8 follow");
    expect(await open(npy("<f4", "(2,)", Float32Array.of(1, NaN)))).toBe(
      'f.npy, row 1: NaN is no number, in the field d.x = npy("f.npy") (d.dlm:2)',
    );
    expect(await open(npy("<i8", "(1,)", BigInt64Array.of(1n << 40n)), { storage: "i32" })).toContain("outside of");
    expect(await open(Uint8Array.of(1, 2, 3))).toContain("it does not begin as one");
  });
  test("idx, packed or not", async () => {
    const idx = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 9, 8, 7, 6);
    const more = { storage: "u8", shape: [2], range: [0, 256] } as const;
    const open = (file: Uint8Array, m: Partial<PlanColumn> = more): Promise<unknown> =>
      read({ kind: "idx", path: "f.idx" }, m, { "f.idx": file });
    for (const file of [idx, gzipSync(idx)]) expect(await open(file)).toEqual({ values: [9, 8, 7, 6], rows: 2 });
    expect(await open(idx, { ...more, shape: [3] })).toContain("wants rows of shape [3]");
    expect(await open(idx.subarray(0, 18))).toContain("takes 4 bytes, and 2 follow; it may have been cut off");
    expect(await open(idx.subarray(0, 7))).toContain("it ends within its header");
    expect(await open(gzipSync(idx).subarray(0, 20))).toContain("f.idx is a damaged gzip file");
  });
});

describe("text, lists, the host", () => {
  test("characters in order of code point, windows of them", async () => {
    expect(
      await read(
        { kind: "windows", unit: "character", path: "t", window: 3 },
        { storage: "u8", shape: [3] },
        { t: "hé\u{1f600}!h" },
      ),
    ).toEqual({ values: [1, 2, 3, 0, 1], rows: 3, classes: ["!", "h", "é", "\u{1f600}"] });
    expect(await read({ kind: "windows", unit: "character", path: "t", window: 9 }, { shape: [9] }, { t: "abc" })).toBe(
      't has 3 characters, and the field d.x = chars("t") (d.dlm:2) wants windows of 9',
    );
    expect(
      await read(
        { kind: "windows", unit: "character", path: "t", window: 1 },
        { shape: [1], range: [0, 2], storage: "u8" },
        { t: "abc" },
      ),
    ).toContain("has 3 different characters");
  });
  test("tokens, filled up with 0", async () => {
    const t = "3 1\n\n7 7 7\n";
    expect(
      await read({ kind: "lines", unit: "number", path: "t", pad: 3 }, { storage: "i32", shape: [3] }, { t }),
    ).toEqual({
      values: [3, 1, 0, 0, 0, 0, 7, 7, 7],
      rows: 3,
    });
    expect(await read({ kind: "line_lengths", unit: "number", path: "t", pad: 3 }, { storage: "i32" }, { t })).toEqual({
      values: [2, 0, 3],
      rows: 3,
    });
    expect(
      await read({ kind: "line_lengths", unit: "number", path: "t", pad: 3 }, { storage: "i32", range: [1, 4] }, { t }),
    ).toContain("t, line 2, number of tokens: 0 is outside of 1..4");
    expect(
      await read({ kind: "lines", unit: "number", path: "t", pad: 2 }, { storage: "i32", shape: [2] }, { t }),
    ).toContain("t, line 3 has 3 tokens, and");
    expect(
      await read({ kind: "lines", unit: "number", path: "t", pad: 3 }, { storage: "i32", shape: [3] }, { t: "1 two" }),
    ).toContain('line 1: "two" is no whole number');
  });
  test("lines of characters and words, filled up with 0", async () => {
    const lines = { kind: "lines", path: "t", pad: 3 } as const;
    const t = "ba\r\n\nabc";
    expect(await read({ ...lines, unit: "character" }, { storage: "u8", shape: [3] }, { t })).toEqual({
      values: [2, 1, 0, 0, 0, 0, 1, 2, 3],
      rows: 3,
      classes: ["", "a", "b", "c"],
    });
    expect(await read({ ...lines, unit: "character" }, { shape: [3] }, { t: "abcd" })).toContain(
      't, line 1 has 4 characters, and the field d.x = chars("t") (d.dlm:2) pads to 3: a larger pad, or longer: cut',
    );
    expect(
      await read({ ...lines, unit: "character", longer: "cut" }, { storage: "u8", shape: [3] }, { t: "dcba" }),
    ).toEqual({
      values: [4, 3, 2],
      rows: 1,
      classes: ["", "a", "b", "c", "d"],
    });
    expect(
      await read(
        { ...lines, kind: "line_lengths", unit: "word", longer: "cut" },
        { storage: "i32" },
        { t: "a, b's c\n\nd" },
      ),
    ).toEqual({
      values: [3, 0, 1],
      rows: 3,
    });
    // by falling count, then by name; 0 fills up, 1 is every word that is not kept
    const text = { t: "the cat, the dog\nthe end" };
    expect(await read({ ...lines, pad: 5, unit: "word" }, { storage: "i32", shape: [5] }, text)).toEqual({
      values: [2, 4, 3, 2, 5, 2, 6, 0, 0, 0],
      rows: 2,
      classes: ["", "\ufffd", "the", ",", "cat", "dog", "end"],
    });
    expect(await read({ ...lines, pad: 5, unit: "word", most: 4 }, { storage: "i32", shape: [5] }, text)).toEqual({
      values: [2, 1, 3, 2, 1, 2, 1, 0, 0, 0],
      rows: 2,
      classes: ["", "\ufffd", "the", ","],
    });
    expect(await read({ ...lines, pad: 5, unit: "word" }, { shape: [5], range: [0, 4] }, text)).toContain(
      "t has 7 different words (padding and unknown words among them); `most:` keeps the most frequent, and",
    );
    expect(
      await read({ kind: "windows", unit: "word", path: "t", window: 2 }, { storage: "i32", shape: [2] }, text),
    ).toEqual({
      values: [2, 4, 3, 2, 5, 2, 6],
      rows: 6,
      classes: ["", "\ufffd", "the", ",", "cat", "dog", "end"],
    });
  });
  test("lists and values of the program", async () => {
    expect(await read({ kind: "inline", values: [1, 2, 3, 4] }, { shape: [2] })).toEqual({
      values: [1, 2, 3, 4],
      rows: 2,
    });
    const host = (x: unknown, more: Partial<PlanColumn> = {}): Promise<unknown> =>
      read({ kind: "host", name: "x" }, more, {}, { x });
    expect(
      await host(
        [
          [1, 2],
          [3, 4],
        ],
        { shape: [2] },
      ),
    ).toEqual({ values: [1, 2, 3, 4], rows: 2 });
    expect(await host(Uint8Array.of(1, 2), { storage: "i32", range: [0, 3] })).toEqual({ values: [1, 2], rows: 2 });
    expect(await host({ data: [1, 2], shape: [2, 1] }, { shape: [1] })).toEqual({ values: [1, 2], rows: 2 });
    expect(await host([[1, 2]], { shape: [3] })).toBe(
      "host.x has the shape [1, 2], and the field d.x (d.dlm:2) wants [rows, 3]",
    );
    expect(await host([1, 7], { storage: "i32", range: [0, 3] })).toBe(
      "host.x, row 1: 7 is outside of 0..3, which the field declares, in the field d.x (d.dlm:2)",
    );
    expect(await host(new Float32Array(3), { shape: [2] })).toContain("3 values are no whole number of rows of f32[2]");
    expect(await read({ kind: "host", name: "x" }, {})).toContain("give load() { host: { x: ... } }");
  });
  test("the fields of one block have one number of rows", async () => {
    const columns = [
      column({ kind: "inline", values: [1, 2, 3] }),
      column({ kind: "inline", values: [1, 2] }, { name: "d.y", place: "d.dlm:3" }),
    ];
    const dataset = { name: "d", columns, holdouts: [], windowed: false };
    const said = (d: object): Promise<string> =>
      loadDataset({ ...dataset, ...d }, sources({})).then(
        (x) => String(x.rows),
        (e: Error) => e.message,
      );
    expect(await said({})).toBe(
      "the field d.y (d.dlm:3) has 2 rows, but the field d.x (d.dlm:2) has 3: the fields of one data block need one value each for every row",
    );
    expect(await said({ columns: [columns[0]!], rows: 4 })).toBe(
      "the data d declare rows: 4, but the field d.x (d.dlm:2) has 3",
    );
    expect(await said({ columns: [], rows: 7 })).toBe("7");
    expect(await said({ columns: [column({ kind: "host", name: "x" })] })).toContain("is fed by the program");
  });
});

describe("rows", () => {
  test("a stream is a permutation epoch by epoch, the same from any position", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer(),
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 1, max: 100 }),
        (n, seed, position, count) => {
          const rows = Int32Array.from({ length: n }, (_, i) => 10 * i);
          const whole = new Int32Array(n * 10 + 300);
          batchStream(rows, seed, true)(0, whole);
          for (let e = 0; e + n <= whole.length; e += n) expect(whole.slice(e, e + n).sort()).toEqual(rows);
          const part = new Int32Array(count);
          batchStream(rows, seed, true)(position, part);
          expect(part).toEqual(
            whole.slice(position, position + count).length === count ? whole.slice(position, position + count) : part,
          );
        },
      ),
      { seed: 5, numRuns: 200 },
    );
  });
  test("the order depends on seed and epoch, and is even", () => {
    const rows = Int32Array.from({ length: 50 }, (_, i) => i);
    const take = (seed: number): Int32Array => {
      const out = new Int32Array(100);
      batchStream(rows, seed, true)(0, out);
      return out;
    };
    expect(take(1)).not.toEqual(take(2));
    expect(take(1).slice(0, 50)).not.toEqual(take(1).slice(50));
    const next = generator(1, 2);
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 16000; i++) counts[next() >>> 28]!++;
    for (const n of counts) expect(Math.abs(n - 1000)).toBeLessThan(150);
  });
  test("splits share nothing and leave nothing out", () => {
    const place = "d.dlm:3";
    const holdouts = [
      { name: "valid", fraction: 0.1, place },
      { name: "test", fraction: 0.25, place },
      { name: "other", dataset: "o", place },
    ];
    const rowByRow = { window: 1, stride: 1 };
    const splits = splitRows({ name: "d", holdouts, windowed: false }, 41, 3, rowByRow, { o: [41, 50] });
    expect([...splits].map(([name, rows]) => [name, rows.length])).toEqual([
      ["train", 27],
      ["valid", 4],
      ["test", 10],
      ["other", 9],
    ]);
    expect([...splits.values()].flatMap((r) => [...r]).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    );
    expect(splitRows({ name: "d", holdouts, windowed: false }, 41, 4, rowByRow, { o: [41, 50] })).not.toEqual(splits);
    // text of 100 characters in windows of 5: the last 20 are apart, and no window reaches over the border
    const text = splitRows({ name: "d", holdouts: [{ name: "valid", fraction: 0.2, place }], windowed: true }, 96, 3, {
      window: 5,
      stride: 1,
    });
    expect([
      text.get("train")!.length,
      text.get("train")!.at(-1),
      text.get("valid")![0],
      text.get("valid")!.at(-1),
    ]).toEqual([76, 75, 80, 95]);
    // every third of them; none reaches over the border here either
    const apart = splitRows(
      {
        name: "d",
        holdouts: [
          { name: "valid", fraction: 0.2, place },
          { name: "other", dataset: "o", place },
        ],
        windowed: true,
      },
      96,
      3,
      { window: 5, stride: 3 },
      { o: [100, 108] },
    );
    expect([...apart.get("train")!]).toEqual(Array.from({ length: 26 }, (_, i) => 3 * i));
    expect([...apart.get("valid")!]).toEqual([80, 83, 86, 89, 92, 95]);
    expect([...apart.get("other")!]).toEqual([100, 103, 106]);
    expect(() =>
      splitRows({ name: "d", holdouts: [{ name: "valid", fraction: 0.02, place }], windowed: true }, 96, 3, {
        window: 5,
        stride: 1,
      }),
    ).toThrow("leaves none in it (a window is 5 long)");
    expect(() =>
      splitRows({ name: "d", holdouts: [{ name: "valid", fraction: 0.99, place }], windowed: false }, 10, 3),
    ).toThrow("leaves none to train on");
  });
});

test("safetensors: written and read again they are the same", () => {
  const tensor = fc
    .record({
      dtype: fc.constantFrom<StoredTensor["dtype"]>("F32", "I32", "BOOL"),
      shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
    })
    .map(({ dtype, shape }): StoredTensor => ({
      dtype,
      shape,
      bytes: Uint8Array.from({ length: shape.reduce((a, b) => a * b, dtype === "BOOL" ? 1 : 4) }, (_, i) =>
        dtype === "BOOL" ? i % 2 : i,
      ),
    }));
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string().filter((s) => s !== "__metadata__" && s !== "__proto__"),
        tensor,
      ),
      fc.dictionary(
        fc.string().filter((s) => s !== "__proto__"),
        fc.string(),
      ),
      (tensors, metadata) => {
        const file = readSafetensors(writeSafetensors({ tensors: new Map(Object.entries(tensors)), metadata }));
        expect(Object.fromEntries(file.tensors)).toEqual(tensors);
        expect(file.metadata).toEqual({ ...metadata });
      },
    ),
    { seed: 3, numRuns: 200 },
  );
});

test("text is read in pieces that cut no character, and told by its line where it is none", () => {
  const long = "aé漢😀\r\n".repeat(150_000); // over a megabyte, whose ends fall within characters
  for (const shift of ["", "x", "xy", "xyz"]) {
    const bytes = new TextEncoder().encode(shift + long);
    expect([...textPieces(bytes, "f")].join("") === shift + long).toBe(true);
    const lines = [...linesOf(bytes, "f")];
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([150_000, `${shift}aé漢😀`, "aé漢😀"]);
    const damaged = bytes.slice();
    damaged[damaged.length - 4] = 0xff; // in the last line
    expect(() => [...textPieces(damaged, "f")]).toThrow("f, line 150000 is no UTF-8 text: save the file as UTF-8");
    expect(() => parseCsv(damaged, "f")).toThrow("f, line 150000 is no UTF-8 text");
  }
  expect([...linesOf(new TextEncoder().encode("\ufeffa\rb\n\nc"), "f")]).toEqual(["a", "b", "", "c"]);
});
