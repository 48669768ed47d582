// Values of exports on the command line: inputs from files and literals, results to files. npy, json and csv, by the file's ending.
import { extname } from "node:path";
import type { Nested, Tensor, Value } from "../../runtime/api.ts";
import { counted, hasHeader, noNumber, numberOf, parseCsv, textOf } from "../../runtime/csv.ts";
import { parseIdx, parseNpy } from "../../runtime/arrays.ts";
import type { PlanPort } from "../../runtime/plan.ts";
import { writeSafetensors } from "../../runtime/safetensors.ts";
import { bytesOf, flatten, notOfF32, placeIn } from "../../runtime/tensor.ts";
import { readBytes } from "./files.ts";
import { UsageError, UserError } from "./problem.ts";

/** `x=x.npy`, `x=x.csv`, `x=x.json`, `temperature=0.8`, `ids=[[1, 2]]`, `on=true` */
export function inputValue(text: string, port: PlanPort, name: string): Value {
  const literal = literalOf(text);
  const value = literal ?? fileValue(text, port);
  const { shape, data } =
    literal === undefined ? flatten(value, text, port.name) : flatten(value, `${name}, input ${port.name}`);
  for (let i = 0; i < data.length; i++) {
    const wrong = literal === undefined || port.dtype === "f32" ? wrongIn(port, data[i]!) : undefined; // else told by the runtime
    if (wrong !== undefined)
      throw new UserError(
        `${literal === undefined ? text : `--input ${port.name}`}${shape?.length ? `, ${placeIn(shape, i)}` : ""}: ${data[i]} is ${wrong}`,
      );
  }
  return value;
}
/** Why a number is no value of this input, as far as that is known before its sizes are. */
function wrongIn({ dtype, range }: PlanPort, x: number): string | undefined {
  if (dtype === "f32") return notOfF32(x);
  const [low, end] =
    dtype === "bool" ? [0, 2] : [range?.[0] ?? -2147483648, typeof range?.[1] === "number" ? range[1] : 2147483648];
  return !Number.isInteger(x) ? "no whole number" : x < low || x >= end ? `outside of ${low}..${end}` : undefined;
}
function fileValue(text: string, port: PlanPort): Value {
  const bytes = readBytes(text, `read the input ${port.name} from`);
  switch (extname(text).toLowerCase()) {
    case ".npy":
      return parseNpy(bytes, text);
    case ".idx":
    case ".gz":
      if (bytes[0] === 0x1f) throw new UserError(`${text} is compressed: gunzip it first`);
      return parseIdx(bytes, text);
    case ".json":
      return jsonValue(textOf(bytes, text), text, port);
    case ".csv":
      return csvValue(bytes, text, port);
    default:
      throw new UserError(
        `--input ${port.name}=${text}: files are .npy, .json, .csv or .idx; values are written as they are: 0.5, true, [[1, 2], [3, 4]]`,
      );
  }
}
function literalOf(text: string): Value | undefined {
  if (!/^\s*(\[|[-+]?\.?\d|true\s*$|false\s*$)/.test(text)) return undefined;
  try {
    return JSON.parse(
      text
        .trim()
        .replace(/^\+/, "")
        .replace(/^(-?)\./, "$10."),
    ) as Value; // checked by the runtime
  } catch {
    if (/^\s*\[/.test(text)) throw new UserError(`${text} is no list of numbers`);
    return undefined; // a file whose name begins with a digit
  }
}
function jsonValue(text: string, path: string, port: PlanPort): Value {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path} is no JSON: ${(error as Error).message}`);
  }
  // what --output writes: results by name
  if (typeof value === "object" && value !== null && !Array.isArray(value) && !("shape" in value)) {
    const record = value as Readonly<Record<string, unknown>>;
    const names = Object.keys(record);
    const own = record[port.name] ?? (names.length === 1 ? record[names[0]!] : undefined);
    if (own === undefined)
      throw new UserError(`${path} has ${names.join(", ") || "nothing"}, and not the input ${port.name}`);
    value = own;
  }
  return value as Value; // checked by the runtime
}
/** As the csv of a data set is read, all columns of it: what has no number in its first row has a header. */
function csvValue(bytes: Uint8Array, path: string, port: PlanPort): Value {
  const table = parseCsv(bytes, path);
  const { width, line } = table;
  const wide =
    port.shape.slice(1).every((n) => typeof n === "number") && port.shape.length
      ? port.shape.slice(1).reduce<number>((n, size) => n * (size as number), 1)
      : width;
  const storage = port.dtype === "bool" ? "bool" : "f32"; // of whole numbers too: words are no classes here
  const base = Number(
    table.rows > 0 &&
      hasHeader(
        table,
        Array.from({ length: width }, (_, column) => ({ column, storage })),
      ) === true,
  );
  if (table.rows === base) throw new UserError(`${path} has no rows`);
  if (width !== wide)
    throw new UserError(
      `${path}, line ${line(base)} has ${counted(width)}, and a row of the input ${port.name} takes ${wide}`,
    );
  const data = new Float64Array((table.rows - base) * width);
  for (let i = 0; i < data.length; i++) {
    const [row, column] = [base + Math.floor(i / width), i % width];
    const cell = table.cell(row, column);
    const value = numberOf(cell, storage);
    const unfit = wrongIn(port, value);
    const wrong = Number.isNaN(value) ? noNumber(cell) : unfit && `${cell.trim()} is ${unfit}`;
    if (wrong !== undefined)
      throw new UserError(
        `${path}, line ${line(row)}, column ${base ? JSON.stringify(table.cell(0, column).trim()) : column + 1}: ${wrong}`,
      );
    data[i] = value;
  }
  return data;
}

// ---- results

export type Results = Readonly<Record<string, Tensor>>;
const outputKinds = [".npy", ".json", ".csv", ".safetensors"] as const;
/** Told before anything runs: a name that no result can be written to. */
export function checkOutput(path: string, outputs: readonly PlanPort[]): void {
  const kind = extname(path).toLowerCase();
  if (!outputKinds.some((k) => k === kind))
    throw new UsageError(`--output ${path}: the name ends with ${outputKinds.join(", ")}`);
  if ((kind === ".npy" || kind === ".csv") && outputs.length !== 1)
    throw new UsageError(
      `a ${kind} file holds one result, and there are ${outputs.length} (${outputs.map((p) => p.name).join(", ")}): write .json or .safetensors`,
    );
}
export function outputBytes(path: string, results: Results): string | Uint8Array {
  const [only] = Object.values(results);
  switch (extname(path).toLowerCase()) {
    case ".npy":
      return npyBytes(only!);
    case ".csv":
      return csvText(only!);
    case ".safetensors":
      return writeSafetensors({
        tensors: new Map(
          Object.entries(results).map(([name, t]) => [
            name,
            {
              dtype: t.dtype === "f32" ? "F32" : t.dtype === "i32" ? "I32" : "BOOL",
              shape: t.shape,
              bytes: bytesOf(t.data),
            },
          ]),
        ),
        metadata: { format: "dlm" },
      });
    default:
      return `{\n${Object.entries(results)
        .map(([name, t]) => `  ${JSON.stringify(name)}: ${nestedText(t)}`)
        .join(",\n")}\n}\n`;
  }
}
/** Nested lists as deep as the shape. */
export function nested(t: Tensor): number | boolean | Nested {
  const item = (i: number): number | boolean => (t.dtype === "bool" ? t.data[i] === 1 : t.data[i]!);
  const level = (depth: number, from: number, size: number): number | boolean | Nested => {
    if (depth === t.shape.length) return item(from);
    const n = t.shape[depth]!;
    const part = n ? size / n : 0;
    return Array.from({ length: n }, (_, i) => level(depth + 1, from + i * part, part));
  };
  return level(0, 0, t.data.length);
}
/** The shortest text that is this value again, to the bit: -0 keeps its sign. */
const valueText = (t: Tensor, x: number): string =>
  t.dtype === "bool" ? String(x === 1) : Object.is(x, -0) ? "-0" : String(t.dtype === "f32" ? shortest(x) : x);
/** Nested lists as JSON, whose numbers end where f32 goes on: "NaN", "Infinity" and "-Infinity" are strings. */
function nestedText(t: Tensor): string {
  const items = Array.from(t.data, (x) => (Number.isFinite(x) ? valueText(t, x) : JSON.stringify(String(x))));
  const level = (depth: number, from: number, size: number): string => {
    const n = t.shape[depth];
    if (n === undefined) return items[from]!;
    return `[${Array.from({ length: n }, (_, i) => level(depth + 1, from + (i * size) / n, size / n)).join(",")}]`;
  };
  return level(0, 0, items.length);
}
/** The shortest decimal that is this f32 again. */
export function shortest(x: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(x.toPrecision(digits));
    if (Math.fround(short) === x) return short;
  }
  return x;
}
function csvText(t: Tensor): string {
  const width = t.shape.length > 1 ? t.data.length / t.shape[0]! : 1;
  const cells = Array.from(t.data, (x) => valueText(t, x));
  const rows = Array.from({ length: width ? cells.length / width : 0 }, (_, r) =>
    cells.slice(r * width, (r + 1) * width).join(","),
  );
  return rows.join("\n") + "\n";
}
/** Version 1.0 of the format: a header padded to a multiple of 64 bytes, then the values in row-major order. */
export function npyBytes(t: Tensor): Uint8Array {
  const type = { f32: "<f4", i32: "<i4", bool: "|b1" }[t.dtype];
  const head = `{'descr': '${type}', 'fortran_order': False, 'shape': (${t.shape.join(", ")}${t.shape.length === 1 ? "," : ""}), }`;
  const length = Math.ceil((10 + head.length + 1) / 64) * 64;
  const out = new Uint8Array(length + t.data.byteLength);
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(out.buffer).setUint16(8, length - 10, true);
  out.set(new TextEncoder().encode(head.padEnd(length - 11) + "\n"), 10);
  out.set(bytesOf(t.data), length);
  return out;
}
