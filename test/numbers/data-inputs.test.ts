// Values that go in and out by files: what was written is read back to the bit, what is no value is told with its place.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { rowsOfWholeBatches } from "../../compiler/cli/rows.ts";
import { inputValue, npyBytes, outputBytes } from "../../compiler/cli/values.ts";
import { compile } from "../../compiler/compile.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import type { Tensor } from "../../runtime/api.ts";
import { load } from "../../runtime/index.ts";
import type { PlanPort, Size } from "../../runtime/plan.ts";
import { flatten, jsonText } from "../../runtime/tensor.ts";
import { program } from "../cli/program.ts";
import { testDevice } from "../device.ts";

const folder = mkdtempSync(join(tmpdir(), "dlm-inputs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const rows: Size = { sum: [{ factor: 1, dims: ["B"] }] };
const port = (shape: readonly Size[], more: Partial<PlanPort> = {}): PlanPort => ({
  name: "x",
  dtype: "f32",
  shape,
  buffer: 0,
  offset: 0,
  ...more,
});
/** The numbers that an input of this type gets from a file, or the error without the folder's name. */
function read(name: string, content: string | Uint8Array, p: PlanPort): readonly number[] | string {
  const path = join(folder, name);
  writeFileSync(path, content);
  try {
    return Array.from(flatten(inputValue(path, p, "f"), "x").data);
  } catch (error) {
    return (error as Error).message.replaceAll(`${folder}/`, "");
  }
}

describe("written and read again", () => {
  const bits = fc.oneof(
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((n) => new Float32Array(Int32Array.of(n).buffer)[0]!),
    fc.constantFrom(0, -0, 1, -1, 0.1, 1e-45, -1.1754942e-38, 3.4028234663852886e38, 16777216, 123456789),
  );
  test("every finite f32 to the bit, in csv, json and npy", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }).chain((width) =>
          fc.array(fc.array(bits.filter(Number.isFinite).map(Math.fround), { minLength: width, maxLength: width }), {
            minLength: 1,
            maxLength: 4,
          }),
        ),
        (table) => {
          const t: Tensor = {
            dtype: "f32",
            shape: [table.length, table[0]!.length],
            data: Float32Array.from(table.flat()),
          };
          for (const kind of ["csv", "json", "npy"]) {
            const got = read(`y.${kind}`, outputBytes(`y.${kind}`, { y: t }), port([rows, table[0]!.length]));
            expect(
              typeof got === "string" ? got : Array.from(new Int32Array(Float32Array.from(got).buffer)),
              kind,
            ).toEqual(Array.from(new Int32Array(t.data.slice().buffer)));
          }
        },
      ),
      { seed: 31, numRuns: 150 },
    );
  });
  test("i32 and bool", () => {
    for (const kind of ["csv", "json", "npy"]) {
      expect(
        read(
          `y.${kind}`,
          outputBytes(`y.${kind}`, {
            y: { dtype: "i32", shape: [3], data: Int32Array.of(-2147483648, 0, 2147483647) },
          }),
          port([rows], { dtype: "i32" }),
        ),
        kind,
      ).toEqual([-2147483648, 0, 2147483647]);
      expect(
        read(
          `y.${kind}`,
          outputBytes(`y.${kind}`, { y: { dtype: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) } }),
          port([rows], { dtype: "bool" }),
        ),
        kind,
      ).toEqual([1, 0, 1]);
    }
  });
  test("NaN and the infinities are three things in json and csv, and no input", () => {
    const t: Tensor = { dtype: "f32", shape: [2, 2], data: Float32Array.of(NaN, Infinity, -Infinity, -0) };
    expect(outputBytes("y.json", { y: t })).toBe('{\n  "y": [["NaN","Infinity"],["-Infinity",-0]]\n}\n');
    expect(JSON.parse(outputBytes("y.json", { y: t }) as string)).toEqual({
      y: [
        ["NaN", "Infinity"],
        ["-Infinity", -0],
      ],
    });
    expect(outputBytes("y.csv", { y: t })).toBe("NaN,Infinity\n-Infinity,-0\n");
    expect(jsonText({ a: [NaN, Infinity, -Infinity, 1], b: null })).toBe(
      '{"a":["NaN","Infinity","-Infinity",1],"b":null}',
    );
    const p = port([rows, 2]);
    expect(read("y.json", outputBytes("y.json", { y: t }), p)).toBe('y.json[0][0]: "NaN" is no number');
    expect(read("y.csv", "1,2\nNaN,Infinity\n", p)).toBe("y.csv, line 2, column 1: the value is missing (NaN)");
    expect(read("y.csv", "1,2\n3,-Infinity\n", p)).toBe('y.csv, line 2, column 2: "-Infinity" is no number');
    expect(read("y.npy", npyBytes(t), p)).toBe("y.npy, row 0, column 0: NaN is no number");
    expect(read("y.npy", npyBytes({ ...t, data: Float32Array.of(1, 2, 3, -Infinity) }), p)).toBe(
      "y.npy, row 1, column 1: -Infinity is no finite number",
    );
  });
});

describe("--input", () => {
  const p = port([rows, 2]);
  test("csv: as the csv of a data block", () => {
    for (const [text, want] of [
      ["1,2\n3,4\n5,6\n", [1, 2, 3, 4, 5, 6]],
      ["a,b\n1,2\n", [1, 2]],
      ["\ufeffa;b\r\n1;2\r\n", [1, 2]],
      // three rows are three rows
      ["1,\n3,4\n5,6\n", "x.csv, line 1, column 2: the value is missing"],
      ["x,2\n3,4\n5,6\n", 'x.csv, line 1, column 1: "x" is no number'],
      ["?,?\n3,4\n", "x.csv, line 1, column 1: the value is missing (?)"],
      ["1,2\n3,NA\n5,6\n", "x.csv, line 2, column 2: the value is missing (NA)"],
      ["a,b\n1,2\n3,x\n", 'x.csv, line 3, column "b": "x" is no number'],
      ["1,2\n3,4,5\n", 'x.csv, line 2 has 3 cells, and line 1 has 2: a cell that holds "," is written in quotes'],
      ["1,2\n3\n", "x.csv, line 2 has 1 cell, and line 1 has 2"],
      ["1,2,3\n", "x.csv, line 1 has 3 cells, and a row of the input x takes 2"],
      ["a,b\n", "x.csv has no rows"],
      ["", "x.csv has no rows"],
      ["1,2\n0x10,4\n", 'x.csv, line 2, column 1: "0x10" is no number'],
      ["1,2\n1e39,4\n", "x.csv, line 2, column 1: 1e39 is beyond f32, which ends at 3.4028235e38"],
      ["1,2\ntrue,4\n", 'x.csv, line 2, column 1: "true" is no number'],
      [
        Uint8Array.of(0x31, 0x2c, 0x32, 0x0a, 0xe9, 0x2c, 0x34),
        "x.csv, line 2 is no UTF-8 text: save the file as UTF-8",
      ],
    ] as const)
      expect(read("x.csv", text, p), JSON.stringify(text)).toEqual(want);
    expect(read("x.csv", "1\n2.5\n", port([rows], { dtype: "i32" }))).toBe(
      "x.csv, line 2, column 1: 2.5 is no whole number",
    );
    expect(read("x.csv", "1\n9\n", port([rows], { dtype: "i32", range: [0, 9] }))).toBe(
      "x.csv, line 2, column 1: 9 is outside of 0..9",
    );
    expect(read("x.csv", "true\nfalse\n1\n", port([rows], { dtype: "bool" }))).toEqual([1, 0, 1]);
  });
  test("json", () => {
    for (const [text, want] of [
      ["[[1,2],[3,4]]", [1, 2, 3, 4]],
      ['\ufeff{"x": [[1,2]]}', [1, 2]],
      ['{"shape": [1, 2], "data": [1, 2]}', [1, 2]],
      ["[[1,2],[3]]", "x.json: the rows of a nested array differ in length: 2 and 1, in x[1]"],
      ["[[1,2],3]", "x.json: a nested array has rows and numbers side by side, in x"],
      ['[[1,2],[3,"4"]]', 'x.json[1][1]: "4" is no number'],
      ["[[1,2],[null,4]]", "x.json[1][0]: null is no number"],
      ["[[1,2],[3,{}]]", "x.json[1][1]: {} is no number"],
      ["[[1,2],[3,1e39]]", "x.json, row 1, column 1: 1e+39 is beyond f32, which ends at 3.4028235e38"],
      ["[[1,2],[3,1e999]]", "x.json, row 1, column 1: Infinity is no finite number"],
      ['{"shape": [1, 2], "data": [1, null]}', "x.json.data[1]: null is no number"],
      ['{"shape": [1, 2], "data": ["1", 2]}', 'x.json.data[0]: "1" is no number'],
      ['{"shape": [1, 2], "data": [1]}', "x.json: 1 values do not fill the shape [1, 2]"],
      ['"a"', "x.json: give a number, nested arrays, a typed array or { data, shape }"],
    ] as const)
      expect(read("x.json", text, p), text).toEqual(want);
    expect(read("x.json", "[[1,2],[3,", p)).toMatch(/^x\.json is no JSON: /);
    expect(read("x.json", "[1, 2.5]", port([rows], { dtype: "i32" }))).toBe("x.json, row 1: 2.5 is no whole number");
  });
  test("values as they are written", () => {
    const literal = (text: string): unknown => {
      try {
        return flatten(inputValue(text, p, "f"), "x").data;
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(literal("[[1,-0.5]]")).toEqual([1, -0.5]);
    expect(literal("[[1,1e39]]")).toBe("--input x, row 0, column 1: 1e+39 is beyond f32, which ends at 3.4028235e38");
    expect(literal("1e39")).toBe("--input x: 1e+39 is beyond f32, which ends at 3.4028235e38");
    expect(literal("[[1,null]]")).toBe("f, input x[0][1]: null is no number");
    expect(literal("[[1],[2,3]]")).toBe("f, input x: the rows of a nested array differ in length: 1 and 2");
    expect(literal("[0x10]")).toBe("[0x10] is no list of numbers");
  });
});

describe("what a data block declares", () => {
  // what a training run reads, summed up: 1000 x + y over the rows
  const model = (fields: string): string => `data d {\n${fields}\n}
model net(x: f32[B]) -> f32[B] {
  param w: f32 ~ normal(0, 1)
  return w + 0 * x
}
train fit on d(batch: 1) {
  state sum = 0.0
  next sum = sum + x[0] * 1000 + f32(y[0])
  minimize mean(net(x)^2) by sgd(lr: 0.1)
  epochs: 1
}`;
  const said = (fields: string): string =>
    renderDiagnostics(compile(model(fields), { name: "m.dlm" }).diagnostics.filter((d) => d.severity === "error"));
  async function total(fields: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<number | string> {
    const { plan, diagnostics } = compile(model(fields), { name: "m.dlm" });
    if (!plan) throw new Error(renderDiagnostics(diagnostics));
    const { device } = await testDevice();
    try {
      const loaded = await load(plan, {
        device,
        read: async (path) =>
          typeof files[path] === "string" ? Buffer.from(files[path]) : (files[path] as Uint8Array),
      });
      await loaded.train("fit");
      const found = Object.entries(await loaded.parameters({ all: true })).find(([name]) => name.endsWith("sum"))!;
      loaded.close();
      return found[1].data[0]!;
    } catch (error) {
      return (error as Error).message;
    }
  }
  test("header, missing and delimiter", async () => {
    const csv = (x: string, y: string): string =>
      `  field x: f32 = csv("a.csv", column: 0${x})\n  field y: i32 in 0..4 = csv("a.csv", column: 1${y})`;
    expect(await total(csv("", ""), { "a.csv": "1,2\n3,1\n" })).toBe(4003);
    expect(await total(csv(", header: true", ""), { "a.csv": "1,2\n3,1\n" })).toBe(3001);
    expect(await total(csv(", header: false", ""), { "a.csv": "1,2\n3,1\n" })).toBe(4003);
    expect(await total(csv(', delimiter: "tab"', ""), { "a.csv": "1\t2\n3\t1\n" })).toBe(4003);
    expect(await total(csv(', delimiter: "|"', ""), { "a.csv": "1|2\n3|1\n" })).toBe(4003);
    expect(await total(csv(", missing: 5", ""), { "a.csv": "1,2\nNA,1\n" })).toBe(6003);
    expect(await total(csv(", missing: -5", ""), { "a.csv": "1,2\n,1\n" })).toBe(-4000 + 3);
    expect(await total(csv(", missing: drop", ""), { "a.csv": "1,2\n?,3\n5,1\n" })).toBe(6003);
    expect(await total(csv("", ", missing: drop"), { "a.csv": "1,2\n7,\n5,1\n" })).toBe(6003);
    expect(await total(csv("", ""), { "a.csv": "1,2\n?,3\n" })).toBe(
      'a.csv, line 2, column 0: the value is missing (?), in the field d.x = csv("a.csv") (m.dlm:2): missing: 0 or missing: drop in csv(...) says what to do',
    );
    // rows are left out of every file of the block
    expect(
      await total(
        '  field x: f32 = csv("a.csv", column: 0, missing: drop)\n  field y: i32 in 0..4 = csv("b.csv", column: 0)',
        { "a.csv": "1\nNA\n5\n", "b.csv": "2\n3\n1\n" },
      ),
    ).toBe(6003);
  });
  test("`batch: all` is told the rows that are left", async () => {
    const text =
      'data d { field x: f32 = csv("a.csv", column: 0, missing: drop) }\nmodel net(x: f32[B]) -> f32[B] { param w: f32 ~ normal(0, 1)\n return w * x }\ntrain fit on d(batch: all) { minimize mean(net(x)^2) by sgd()\n epochs: 1 }';
    expect(await rowsOfWholeBatches(text, {}, { read: async () => Buffer.from("1\n\nNA\n4\n5\n") })).toEqual({ d: 3 });
  });
  test("what csv(...) does not take", () => {
    const field = (args: string): string =>
      said(`  field x: f32 = csv("a.csv", ${args})\n  field y: i32 = csv("a.csv", column: 0)`);
    expect(field("column: 0, header: 1")).toContain("header: true or header: false");
    expect(field('column: 0, missing: "mean"')).toContain("missing: drop, or a number");
    expect(field('column: 0, delimiter: ", "')).toContain('delimiter: ",", ";", "tab" or another character');
    expect(field("column: -1")).toContain("a column's name, or its number from 0");
    expect(field("column: 0.5")).toContain("a column's name, or its number from 0");
    expect(field('column: "a", header: false')).toContain("has no header to find a name in");
    expect(field("column: 0, columns: 0..1")).toContain("takes one of column: and columns:");
    expect(field("columns: 2..1")).toContain("needs column: or columns:");
    expect(field("column: 0, headers: true")).toContain("headers");
  });
  test("idx of every element type", async () => {
    const idx = (type: number, bytes: readonly number[], count: number): Uint8Array =>
      Uint8Array.of(0, 0, type, 1, 0, 0, 0, count, ...bytes);
    const y = idx(0x08, [2, 1], 2);
    const fields = (path: string): string => `  field x: f32 = idx("${path}")\n  field y: i32 in 0..4 = idx("y.idx")`;
    expect(await total(fields("x.idx"), { "x.idx": idx(0x08, [200, 7], 2), "y.idx": y })).toBe(207003);
    expect(await total(fields("x.idx"), { "x.idx": idx(0x09, [251, 7], 2), "y.idx": y })).toBe(2003);
    expect(await total(fields("x.idx"), { "x.idx": idx(0x0b, [255, 251, 1, 44], 2), "y.idx": y })).toBe(295003); // -5, 300
    expect(await total(fields("x.idx"), { "x.idx": idx(0x0d, [0xc0, 0xa0, 0, 0, 0x3f, 0, 0, 0], 2), "y.idx": y })).toBe(
      -4497,
    ); // -5, 0.5
    // bytes that stay bytes, by the file's name
    expect(await total(fields("x-idx1-ubyte"), { "x-idx1-ubyte": idx(0x08, [200, 7], 2), "y.idx": y })).toBe(207003);
    expect(
      await total(fields("x-idx1-ubyte"), { "x-idx1-ubyte": idx(0x0b, [255, 251, 1, 44], 2), "y.idx": y }),
    ).toContain("x-idx1-ubyte does not hold bytes, though its name says so (ubyte)");
    expect(
      await total(fields("x.idx"), { "x.idx": idx(0x08, [200, 7], 2), "y.idx": idx(0x0b, [0, 2, 255, 251], 2) }),
    ).toContain("y.idx, row 1: -5 is outside of 0..4, which the field declares");
    // without a declared range any whole number
    expect(
      await total('  field x: f32 = idx("x.idx")\n  field y: i32 = idx("y.idx")', {
        "x.idx": idx(0x08, [0, 0], 2),
        "y.idx": idx(0x0b, [255, 251, 1, 44], 2),
      }),
    ).toBe(295);
  });
});

describe("the command line", () => {
  const { dlm, put, bytes } = program();
  test("NaN and infinities in --json and --output", { timeout: 300_000 }, async () => {
    put("m.dlm", "export fn f(x: f32[B], y: f32[B]) -> f32[B] = x / y\n");
    const out = await dlm([
      "run",
      "m.dlm",
      "f",
      "--input",
      "x=[-1, 0, 1, 3]",
      "--input",
      "y=[0, 0, 0, 2]",
      "--output",
      "y.json",
      "--json",
    ]);
    expect(out.status).toBe(0);
    const event = JSON.parse(out.out) as { outputs: { f: { values: unknown } } };
    expect(event.outputs.f.values).toEqual(["-Infinity", "NaN", "Infinity", 1.5]);
    expect(JSON.parse(bytes("y.json").toString())).toEqual({ f: ["-Infinity", "NaN", "Infinity", 1.5] });
    put("x.csv", "1\nx\n3\n");
    expect(await dlm(["run", "m.dlm", "f", "--input", "x=x.csv", "--input", "y=[1]"])).toEqual({
      status: 1,
      out: "",
      err: expect.stringMatching(/dlm: x\.csv, line 2, column 1: "x" is no number\n$/) as string,
    });
  });
});
