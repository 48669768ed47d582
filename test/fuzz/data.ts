// Random data files in odd dialects, some of them damaged: read right, or refused with a problem that names the file. Never other values, never a throw of
// another kind. csv, npy, idx through the loaders of a data block, csv, npy and json as inputs of an export.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { UserError } from "../../compiler/cli/problem.ts";
import { inputValue } from "../../compiler/cli/values.ts";
import { compile } from "../../compiler/compile.ts";
import { loadDataset } from "../../runtime/loaders.ts";
import type { PlanPort } from "../../runtime/plan.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { flatten } from "../../runtime/tensor.ts";
import type { Area, Outcome } from "./area.ts";
import { random, type Random } from "./random.ts";

interface DataCase {
  readonly field: string; // of a data block; "" = an input of an export
  readonly shape: readonly number[]; // of a row
  readonly dtype: "f32" | "i32";
  readonly file: string;
  readonly base64: string;
  readonly text?: string; // of base64, for the eye
  readonly want?: readonly number[]; // rows first; absent where the file must be refused
  readonly damage: string;
}
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const made = (c: Omit<DataCase, "base64" | "text">, bytes: Uint8Array, text?: string): DataCase => ({
  ...c,
  base64: Buffer.from(bytes).toString("base64"),
  ...(text === undefined ? {} : { text }),
});

function csvCase(r: Random): DataCase {
  const rows = r.int(1, 9);
  const width = r.int(1, 5);
  const dtype = r.pick(["f32", "f32", "i32"] as const);
  const isInput = r.chance(0.25);
  const values = Array.from({ length: rows }, () =>
    Array.from({ length: width }, () =>
      dtype === "i32" ? r.int(0, 9) : r.pick([r.int(-99, 99), Math.fround(r.real(-5, 5)), 1e-7, 3e38, 0.1]),
    ),
  );
  const written = (x: number): string => {
    const plain = String(x);
    const style = r.int(0, 9);
    const text =
      style === 0 && x >= 0
        ? `+${plain}`
        : style === 1 && Number.isInteger(x) && Math.abs(x) < 1e6
          ? `${plain}.0`
          : style === 2
            ? x.toExponential()
            : style === 3 && Math.abs(x) < 1 && plain.includes("0.")
              ? plain.replace("0.", ".")
              : style === 4 && Number.isInteger(x) && Math.abs(x) < 1e6
                ? `${plain}.`
                : plain;
    return style === 5 ? `  ${text}` : style === 6 ? `${text} ` : style === 7 ? `"${text}"` : text;
  };
  const cells = values.map((row) => row.map(written));
  const name = r.pick(["a", "x y", "größe", 'q"uote', "n,m"]);
  const names = Array.from({ length: width }, (_, i) => (i ? `c${i}` : name));
  const quoted = (c: string): string => (/[",\n]/.test(c) ? `"${c.replaceAll('"', '""')}"` : c);
  const first = isInput ? 0 : r.int(0, width - 1);
  const last = isInput ? width : r.int(first + 1, width);
  const read = Array.from({ length: last - first }, (_, i) => first + i);
  const unread = Array.from({ length: width }, (_, i) => i).filter((i) => !read.includes(i));
  // words in columns that nobody reads harm nothing
  const words = unread.filter(() => r.chance(0.5));
  for (const c of words) cells.forEach((row) => (row[c] = r.pick(["", "n/a", "x", '"a, b"', "12"])));
  const byName = !isInput && r.chance(0.3);
  const hasHeader = byName || r.chance(0.4);
  let want: number[] | undefined = values.flatMap((row) => read.map((c) => row[c]!));
  let damage = "none";
  // a first row without a number in what is read is a header, and one row alone has as many cells as it has
  const row = hasHeader || rows === 1 ? r.int(0, rows - 1) : r.int(1, rows - 1);
  const hurt = cells[row]!;
  const at = r.pick(read);
  // words in a column of whole numbers are classes, so one of them alone harms nothing
  const noWord = dtype === "i32" && !isInput && rows * read.length === 1 ? '"1,5"' : "x";
  if (r.chance(0.6) && (hasHeader || rows > 1)) {
    damage = r.pick([
      "many",
      "few",
      "empty",
      "word",
      "huge",
      "hex",
      "nan",
      "inf",
      "underscore",
      "unclosed",
      "bytes",
      "half",
      "wide",
      "tail",
      "space",
    ]);
    if (dtype === "f32" && damage === "half") damage = "word";
    switch (damage) {
      case "many":
        hurt.push("7");
        break;
      case "few":
        if (width > 1) hurt.pop();
        if (hurt.length === 1 && (width === 1 || !hurt[0]!.trim())) hurt[0] = noWord; // a line with nothing at all is none
        break;
      case "empty":
        hurt[at] = r.pick(["", " ", '""']);
        if (width === 1) hurt[at] = '""';
        break;
      case "word":
        hurt[at] = noWord === "x" ? r.pick(["x", "1,5", "1;2", "--1", "1e", "1 2", "0b1", "٣", "−1"]) : noWord;
        break;
      case "huge":
        hurt[at] = r.pick(["1e39", "-4e38", "99999999999999999999999999999999999999999"]);
        break;
      case "hex":
        hurt[at] = "0x1F";
        break;
      case "nan":
        hurt[at] = r.pick(["nan", "NaN"]);
        break;
      case "inf":
        hurt[at] = r.pick(["inf", "Infinity", "-Infinity"]);
        break;
      case "underscore":
        hurt[at] = "1_000";
        break;
      case "unclosed":
        hurt[at] = '"5';
        break;
      case "half":
        hurt[at] = "1.5";
        break;
      case "wide":
        hurt.unshift("8");
        break;
      case "tail":
        hurt[at] = '"5"6';
        break;
      default:
        break;
    }
    if (!["bytes", "space"].includes(damage)) want = undefined;
  }
  const end = r.pick(["\n", "\n", "\r\n", "\r"]);
  const lines = [...(hasHeader ? [names.map(quoted).join(",")] : []), ...cells.map((c) => c.join(","))];
  if (damage === "space") {
    lines.splice(r.int(0, lines.length), 0, "");
    if (width === 1) damage = "blank"; // a line without a cell, or with an empty one
  }
  const text = (r.chance(0.2) ? "\ufeff" : "") + lines.join(end) + (r.chance(0.7) ? end : "");
  let bytes: Uint8Array = bytesOf(text);
  if (damage === "bytes") {
    // a byte that is no UTF-8, in what is read or not
    bytes = Uint8Array.from([...bytes.subarray(0, bytes.length >> 1), 0xff, ...bytes.subarray(bytes.length >> 1)]);
    want = undefined;
  }
  const range = `${first}..${last}`;
  const columns = byName
    ? read.length === 1
      ? `column: ${JSON.stringify(names[first])}`
      : `columns: [${read.map((c) => JSON.stringify(names[c])).join(", ")}]`
    : read.length === 1
      ? `column: ${first}`
      : `columns: ${range}`;
  const shape = read.length === 1 && !isInput ? [] : [read.length];
  if (byName && names.some((n) => n.includes('"'))) return csvCase(r); // a dlm string has no quotes in it
  return made(
    {
      field: isInput ? "" : `csv("f.csv", ${columns})`,
      shape,
      dtype,
      file: "f.csv",
      ...(want ? { want } : {}),
      damage,
    },
    bytes,
    text,
  );
}
const types = { u1: 8, i1: 9, i2: 0xb, i4: 0xc, f4: 0xd, f8: 0xe } as const;
function binaryCase(r: Random): DataCase {
  const isNpy = r.chance(0.6);
  const rows = r.int(1, 6);
  const shape = Array.from({ length: r.int(0, 2) }, () => r.int(1, 3));
  const dtype = r.pick(["f32", "i32"] as const);
  const all = isNpy ? ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8", "f2", "c8"] : Object.keys(types);
  const type = r.pick(all);
  const [kind, width] = [type[0]!, Number(type.slice(1))];
  const isBig = !isNpy || r.chance(0.3);
  const count = shape.reduce((p, n) => p * n, rows);
  let want: number[] | undefined = Array.from({ length: count }, () =>
    kind === "f"
      ? r.pick([r.int(-9, 9), dtype === "f32" ? Math.fround(r.real(-3, 3)) : r.int(0, 9)])
      : kind === "u"
        ? r.int(0, 200)
        : r.int(-100, 100),
  );
  let damage = r.chance(0.6)
    ? "none"
    : r.pick(["cut", "long", "shape", "huge", "nan", "inf", "magic", "beyond", "fortran", "gzip", "random"]);
  if (["nan", "inf", "beyond"].includes(damage) && kind !== "f") damage = "huge";
  if (damage === "huge" && !(width === 8 || (type === "u4" && dtype === "i32"))) damage = "none";
  const at = r.int(0, count - 1);
  if (damage === "huge") want[at] = type === "u4" ? 4e9 : kind === "f" ? 1e300 : 2 ** 40;
  if (damage === "nan") want[at] = NaN;
  if (damage === "inf") want[at] = r.pick([Infinity, -Infinity]);
  if (damage === "beyond") want[at] = width === 8 ? 1e39 : 3e38;
  const data = new DataView(new ArrayBuffer(count * width));
  for (let i = 0; i < count; i++) {
    const x = want[i]!;
    if (kind === "f" && width === 8) data.setFloat64(i * 8, x, !isBig);
    else if (kind === "f" && width === 4) data.setFloat32(i * 4, x, !isBig);
    else if (kind === "c" || (kind === "f" && width === 2)) continue;
    else if (width === 8) data.setBigInt64(i * 8, BigInt(x), !isBig);
    else if (width === 4) data.setInt32(i * 4, x, !isBig);
    else if (width === 2) data.setInt16(i * 2, x, !isBig);
    else data.setInt8(i, x);
  }
  const isFortran = damage === "fortran" && isNpy && shape.length > 0;
  const full = [rows, ...shape];
  let body = new Uint8Array(data.buffer);
  if (damage === "cut") body = body.slice(0, -1);
  if (damage === "long") body = Uint8Array.of(...body, 7);
  const header =
    `{'descr': '${width === 1 ? "|" : isBig ? ">" : "<"}${type}', 'fortran_order': ${isFortran ? "True" : "False"}, 'shape': (${full.join(", ")}${full.length === 1 ? "," : ""}), }`.padEnd(
      117,
    ) + "\n";
  let bytes: Uint8Array = isNpy
    ? Uint8Array.of(0x93, ...bytesOf("NUMPY"), 1, 0, header.length, 0, ...bytesOf(header), ...body)
    : Uint8Array.of(
        0,
        0,
        types[type as keyof typeof types],
        full.length,
        ...full.flatMap((n) => [0, 0, 0, n]),
        ...body,
      );
  if (damage === "magic") bytes[r.int(0, isNpy ? 5 : 1)]! ^= 0x55;
  if (damage === "random")
    for (let k = r.int(1, 4); k > 0; k--) bytes[r.int(0, bytes.length - body.length - 1)] = r.int(0, 255);
  if (damage === "gzip") bytes = gzipSync(bytes).subarray(0, -9);
  else if (r.chance(0.2)) bytes = gzipSync(bytes);
  if (isFortran) {
    // the first index moves fastest in the file
    const stored = want;
    const at = (p: number): number =>
      full.reduce(
        ({ sum, stride, rest }, n, d) => ({
          sum: sum + stride * (Math.floor(rest / full.slice(d + 1).reduce((q, m) => q * m, 1)) % n),
          stride: stride * n,
          rest,
        }),
        { sum: 0, stride: 1, rest: p },
      ).sum;
    want = stored.map((_, p) => stored[at(p)]!);
  }
  const asked = damage === "shape" ? [...shape, 4] : shape;
  if (
    !["none", "beyond", "fortran", "random", "huge"].includes(damage) ||
    kind === "c" ||
    (damage === "beyond" && width === 8)
  )
    want = undefined;
  if (want?.some((x) => (dtype === "i32" && x !== (x | 0)) || !Number.isFinite(Math.fround(x)))) want = undefined;
  if (damage === "beyond" && dtype === "i32") want = undefined;
  const file = isNpy ? "f.npy" : "f.idx";
  return made(
    {
      field: `${isNpy ? "npy" : "idx"}("${file}")`,
      shape: asked,
      dtype,
      file,
      ...(want ? { want } : {}),
      damage: damage === "none" ? type : `${damage} ${type}`,
    },
    bytes,
  );
}
function jsonCase(r: Random): DataCase {
  const width = r.int(1, 3);
  const rows = Array.from({ length: r.int(1, 4) }, () =>
    Array.from({ length: width }, (): unknown => Math.fround(r.real(-3, 3))),
  );
  let want: number[] | undefined = rows.flat() as number[];
  const damage = r.pick(["none", "none", "ragged", "null", "word", "huge", "wide", "cut"]);
  const row = r.pick(rows);
  if (damage === "ragged") row.push(1);
  if (damage === "null") row[0] = null;
  if (damage === "word") row[0] = r.pick(["x", "1", {}]);
  if (damage === "huge") row[0] = 1e39;
  if (damage === "wide") rows.forEach((x) => x.push(2));
  if (damage !== "none" && !(damage === "ragged" && rows.length === 1 && width === 0)) want = undefined;
  const text = JSON.stringify(r.chance(0.4) ? { x: rows } : rows, undefined, r.pick([0, 2]));
  return made(
    { field: "", shape: [width], dtype: "f32", file: "f.json", ...(want ? { want } : {}), damage },
    bytesOf(damage === "cut" ? text.slice(0, -1) : text),
    text,
  );
}
function make(seed: number): DataCase {
  const r = random(seed);
  return r.pick([csvCase, csvCase, csvCase, binaryCase, jsonCase])(r);
}
async function check(c: DataCase): Promise<Outcome> {
  const bytes = Uint8Array.from(Buffer.from(c.base64, "base64"));
  let got: number[];
  try {
    got = c.field ? await fromData(c, bytes) : fromInput(c, bytes);
  } catch (error) {
    if (!(error instanceof RuntimeProblem) && !(error instanceof UserError)) throw error;
    if (c.want && !/random|f2|fortran|blank/.test(c.damage)) throw new Error(`refused (${c.damage}): ${error.message}`);
    if (!error.message.includes(c.file) && c.field)
      throw new Error(`the problem does not name the file: ${error.message}`);
    return "refused";
  }
  const want = c.want?.map(Math.fround);
  if (c.damage.startsWith("random")) return "held"; // what the bytes say now
  if (
    !want ||
    got.length !== want.length ||
    got.some((x, i) => !(x === want[i] || (c.dtype === "f32" && Math.abs(x - want[i]!) <= 1e-6 * Math.abs(want[i]!))))
  )
    throw new Error(
      `read wrongly (${c.damage}) from ${c.file}: [${got.slice(0, 12).join(", ")}] instead of ${want ? `[${want.slice(0, 12).join(", ")}]` : "a problem"}`,
    );
  return "held";
}
async function fromData(c: DataCase, bytes: Uint8Array): Promise<number[]> {
  const type = `${c.dtype}${c.shape.length ? `[${c.shape.join(", ")}]` : ""}`;
  const text = `data d {\n  field x: ${type} = ${c.field}\n}\ntrain fit on d(batch: 1) {\n  param w: f32 ~ zeros\n  minimize sum(${c.dtype === "i32" ? "f32(x)" : "x"}) * 0 by sgd()\n  steps: 1\n}\n`;
  const { plan, diagnostics } = compile(
    text
      .replace("  param w: f32 ~ zeros\n", "")
      .replace(/minimize .* by sgd\(\)/, `minimize (sum(m(${c.dtype === "i32" ? "f32(x)" : "x"}))) by sgd()`)
      .replace(
        "train",
        `layer S()(x: f32[...S]) -> f32[...S] {\n  param w: f32 ~ ones\n  return x * w\n}\nmodel m(x: f32[...S]) = x |> S()\ntrain`,
      ),
    { name: "fuzz.dlm" },
  );
  if (!plan) throw new Error(`the data block has errors: ${diagnostics.map((d) => d.message).join("; ")}`);
  const dataset = plan.datasets[0]!;
  const { columns } = await loadDataset(dataset, { read: async () => bytes, host: {}, files: new Map() });
  return Array.from(columns.get(dataset.columns[0]!.name)!.values);
}
function fromInput(c: DataCase, bytes: Uint8Array): number[] {
  const folder = mkdtempSync(join(tmpdir(), "dlm-fuzz-"));
  try {
    const file = join(folder, c.file);
    writeFileSync(file, bytes);
    const port: PlanPort = {
      name: "x",
      dtype: c.dtype,
      shape: [{ sum: [{ factor: 1, dims: ["B"] }] }, ...c.shape],
      buffer: 0,
      offset: 0,
    };
    const { shape, data } = flatten(inputValue(file, port, "x"), "x");
    if (shape && (shape.length !== 2 || shape[1] !== c.shape[0]))
      throw new RuntimeProblem(`${c.file} has another shape`);
    if (data.length % c.shape[0]!) throw new RuntimeProblem(`${c.file} is no whole number of rows`);
    return Array.from(data, (x) => {
      if (!Number.isFinite(Math.fround(x))) throw new RuntimeProblem(`${c.file}: ${x} is no f32`);
      return Math.fround(x);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
export const dataArea: Area<DataCase> = { name: "data", make, check };
