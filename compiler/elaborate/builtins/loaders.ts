// Loaders: where the columns of a data block come from.
import { constantOf } from "../../graph/scalar.ts";
import type { Loader, TextLines, TextUnit } from "../../../runtime/plan.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import type { Value } from "../context.ts";
import {
  csvColumns,
  longerWindows,
  needed,
  noFileName,
  noHeader,
  strideOfLines,
  wholeArgument,
  windowOrPad,
} from "../errors.ts";
import { kindText, knownBool } from "../values.ts";
import type { Builtin, Builtins, Call } from "./call.ts";

const loader = (summary: string, most: number, names: readonly string[], make: (call: Call) => Loader): Builtin => ({
  summary,
  takes: [0, most, names],
  apply: (call) => ({ kind: "loader", loader: make(call), span: call.span }),
});
const textArguments = ["path", "pad", "longer"];
export const loaders: Builtins = {
  csv: loader(
    '`csv("d.csv", columns: 0..4)`: columns of a table; `column`, `columns`, `header`, `missing`, `delimiter`',
    1,
    ["path", "column", "columns", "header", "missing", "delimiter"],
    csv,
  ),
  npy: loader('`npy("d.npy")`: an array of NumPy, rows first', 1, ["path"], (call) => ({
    kind: "npy",
    path: pathOf(call),
  })),
  idx: loader('`idx("d.idx")`: an array in the format of MNIST', 1, ["path"], (call) => ({
    kind: "idx",
    path: pathOf(call),
  })),
  chars: loader(
    '`chars("d.txt", window: 64)`: windows of a text, as character numbers; `stride`. `pad: 64`: its lines, padded; `longer`',
    1,
    [...textArguments, "window", "stride"],
    (call) => windowsOrLines(call, "character"),
  ),
  char_count: loader(
    '`char_count("d.txt", pad: 64)`: how many characters each line has; `longer`',
    1,
    textArguments,
    (call) => ({ kind: "line_lengths", ...lines(call, "character") }),
  ),
  words: loader(
    '`words("d.txt", pad: 64)`: the words of each line by number, padded; `longer`, `most`. `window: 64`: windows; `stride`',
    1,
    [...textArguments, "window", "stride", "most"],
    (call) => windowsOrLines(call, "word"),
  ),
  word_count: loader(
    '`word_count("d.txt", pad: 64)`: how many words each line has; `longer`',
    1,
    textArguments,
    (call) => ({
      kind: "line_lengths",
      ...lines(call, "word"),
    }),
  ),
  tokens: loader(
    '`tokens("d.txt", pad: 64)`: the numbers of each line, padded; `longer`',
    1,
    textArguments,
    (call) => ({
      kind: "lines",
      ...lines(call, "number"),
    }),
  ),
  token_count: loader(
    '`token_count("d.txt", pad: 64)`: how many numbers each line has; `longer`',
    1,
    textArguments,
    (call) => ({ kind: "line_lengths", ...lines(call, "number") }),
  ),
  images: loader(
    '`images("folder")`: the png and jpeg files of a folder and those inside it, bytes 0 to 255; `resize`',
    1,
    ["path", "resize"],
    (call) => {
      const resize = call.option("resize");
      const known = resize && knownBool(resize);
      if (resize && known === undefined) throw needed(call.span, "resize", kindText(resize));
      return { kind: "images", path: pathOf(call), ...(known ? { resize: true } : {}) };
    },
  ),
  image_class: loader('`image_class("folder")`: the folder that each picture lies in', 1, ["path"], (call) => ({
    kind: "image_class",
    path: pathOf(call),
  })),
  host: loader('`host("name")`: what the caller of the runtime gives', 1, [], ({ positional }) => {
    const name = positional[0]?.value;
    return { kind: "host", name: name?.kind === "string" ? name.value : "" };
  }),
};
function pathOf({ name, positional, named, span }: Call): string {
  const v = (positional[0] ?? named.get("path"))?.value;
  if (v?.kind !== "string") throw noFileName(span, name, "path", v ? kindText(v) : "nothing");
  return v.value;
}
function positive({ name, option, span }: Call, own: string, least = 1): number {
  const v = option(own);
  if (v?.kind !== "number" || !Number.isInteger(v.value) || v.value < least)
    throw wholeArgument(span, name, own, least);
  return v.value;
}
/** Windows of the whole text, or its lines: by the argument that is given. */
function windowsOrLines(call: Call, unit: TextUnit): Loader {
  const { name, option, span } = call;
  const [window, stride, most] = [option("window"), option("stride"), option("most")];
  if ((window === undefined) === (option("pad") === undefined)) throw windowOrPad(span, name, window !== undefined);
  const kept = most ? { most: positive(call, "most", 3) } : {};
  if (window === undefined) {
    if (stride) throw strideOfLines(span, name);
    return { kind: "lines", ...lines(call, unit), ...kept };
  }
  if (option("longer")) throw longerWindows(span, name);
  const moves = stride ? { stride: positive(call, "stride") } : {};
  return { kind: "windows", path: pathOf(call), unit, window: positive(call, "window"), ...moves, ...kept };
}
function lines(call: Call, unit: TextUnit): TextLines {
  const longer = call.option("longer");
  if (longer && !(longer.kind === "string" && longer.value === "cut"))
    throw needed(call.span, "longer", kindText(longer));
  return { path: pathOf(call), unit, pad: positive(call, "pad"), ...(longer ? { longer: "cut" } : {}) };
}
function csv(call: Call): Loader {
  const { option, span } = call;
  const path = pathOf(call);
  const columns = columnsOf(option("column"), option("columns"), span);
  const [header, missing, delimiter] = [option("header"), option("missing"), option("delimiter")];
  const named = header ? knownBool(header) : undefined;
  if (header && named === undefined) throw needed(span, "header", kindText(header));
  if (named === false && Array.isArray(columns) && columns.some((c) => typeof c === "string")) throw noHeader(span);
  const instead =
    missing?.kind === "number"
      ? missing.value
      : missing?.kind === "string" && missing.value === "drop"
        ? "drop"
        : undefined;
  if (missing && instead === undefined) throw needed(span, "missing", kindText(missing));
  const separator = delimiter?.kind === "string" ? (delimiter.value === "tab" ? "\t" : delimiter.value) : undefined;
  if (delimiter && (separator?.length !== 1 || /["\r\n]/.test(separator)))
    throw needed(span, "delimiter", kindText(delimiter));
  return {
    kind: "csv",
    path,
    columns,
    ...(named === undefined ? {} : { header: named }),
    ...(separator === undefined ? {} : { delimiter: separator }),
    ...(instead === undefined ? {} : { missing: instead }),
  };
}
/** One column, or several: a list of names and numbers, or a range of numbers. */
function columnsOf(
  one: Value | undefined,
  many: Value | undefined,
  span: Span,
): Extract<Loader, { kind: "csv" }>["columns"] {
  const column = (v: Value): number | string => {
    if (v.kind === "string" || (v.kind === "number" && Number.isInteger(v.value) && v.value >= 0)) return v.value;
    throw needed(span, "column", kindText(v));
  };
  const [from, to] = many?.kind === "range" ? [constantOf(many.low), constantOf(many.end)] : [];
  const columns = one
    ? [column(one)]
    : many?.kind === "list"
      ? many.elements.map(column)
      : from !== undefined && to !== undefined && from >= 0 && from < to
        ? { from, to }
        : undefined;
  if (columns === undefined || (one && many)) throw csvColumns(span, one !== undefined);
  return columns;
}
