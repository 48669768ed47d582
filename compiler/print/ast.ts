// The syntax tree as text and as data. In: ast.File. Out: one part.
import type * as ast from "../../grammar/ast.ts";
import type { Part } from "./part.ts";

export const astParts = (file: ast.File): readonly Part[] => [
  { name: "ast", text: () => treeLines(file).join("\n"), json: () => plainTree(file) },
];
/** A line for every node: its kind and what is short, then its children, indented. Spans are left out. */
function treeLines(node: unknown, label = "", depth = 0): string[] {
  if (Array.isArray(node)) return node.flatMap((x) => treeLines(x, label, depth));
  const indent = "  ".repeat(depth) + (label ? `${label}: ` : "");
  const short = shortText(node);
  if (short !== undefined) return [indent + short];
  const record = node as Readonly<Record<string, unknown>>;
  const fields = Object.entries(record).filter(
    ([key, value]) =>
      key !== "kind" &&
      key !== "source" &&
      !/span$/i.test(key) &&
      value !== undefined &&
      !(Array.isArray(value) && !value.length),
  );
  const inline = fields.flatMap(([key, value]) =>
    shortText(value) === undefined
      ? []
      : [/^(name|text|value|operator|callee|element)$/.test(key) ? shortText(value)! : `${key} = ${shortText(value)!}`],
  );
  const kind = typeof record["kind"] === "string" ? record["kind"] : "";
  return [
    (indent + [kind, ...inline].filter(Boolean).join(" ")).trimEnd(),
    ...fields.flatMap(([key, value]) => (shortText(value) === undefined ? treeLines(value, key, depth + 1) : [])),
  ];
}
/** Words and numbers, and nodes that are no more than that. */
function shortText(value: unknown): string | undefined {
  if (typeof value === "string") return /^[\w.]+$|^[^\w\s]{1,2}$/.test(value) ? value : JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  const { kind, span, ...rest } = value as Readonly<Record<string, unknown>>;
  void span;
  const fields = Object.values(rest);
  if (kind === "string") return JSON.stringify(rest["value"]);
  if (kind === undefined || kind === "name" || kind === "number" || kind === "bool" || kind === "dim") {
    if (kind === "number" || fields.length === 1)
      return typeof fields[0] === "object"
        ? kind === "dim"
          ? shortText(fields[0])
          : undefined
        : String(rest["text"] ?? fields[0]);
  }
  return undefined;
}
/** Spans as [start, end] of the file's text. */
function plainTree(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(plainTree);
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      /span$/i.test(key)
        ? [(value as ast.Name["span"]).start, (value as ast.Name["span"]).end]
        : key === "source"
          ? (value as { name: string }).name
          : plainTree(value),
    ]),
  );
}
