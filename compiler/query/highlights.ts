// What every word of a text is, for colours. In: a document. Out: tokens in the order of the text, each on one line.
import { below } from "../../grammar/ast.ts";
import { endOf, kindOf, reserved } from "../../grammar/tokens.ts";
import { builtinNames } from "../elaborate/builtins/table.ts";
import { namedFunctions } from "../scalar/table.ts";
import type { Document } from "./document.ts";

export interface Highlight {
  readonly start: number;
  readonly end: number;
  readonly kind: HighlightKind;
  readonly isDeclaration: boolean;
  readonly isLibrary: boolean; // comes with the compiler
}
/** As editors call them. */
export const highlightKinds = [
  ...["keyword", "comment", "string", "regexp", "number", "operator", "type", "typeParameter"],
  ...["class", "function", "parameter", "variable", "property", "namespace"],
] as const;
export type HighlightKind = (typeof highlightKinds)[number];

/** By what a name is, in the words of the language. */
const ofDefinition: Readonly<Record<string, HighlightKind>> = {
  fn: "function",
  init: "function",
  optimizer: "function",
  layer: "class",
  model: "class",
  data: "namespace",
  train: "namespace",
  dim: "typeParameter",
  parameter: "parameter",
  field: "property",
  holdout: "property",
  metric: "property",
  split: "property",
};
const brackets = new Set("( ) [ ] { } , : ; .".split(" "));

export function highlightsOf({ file, comments, names, lexed }: Document): Highlight[] {
  const uses = new Map(names.uses.map((u) => [u.span.start, u]));
  const types = new Set<number>();
  const members = new Set<number>();
  for (const part of below(file)) {
    if (part.kind === "tensor_type" && "element" in part) types.add(part.span.start);
    if (part.kind === "member" || part.kind === "setting") {
      const name = "name" in part ? (part.name as { span: { start: number } }) : undefined;
      if (name) members.add(name.span.start);
    }
  }
  const plain = (kind: HighlightKind, isLibrary = false): Omit<Highlight, "start" | "end"> => ({
    kind,
    isDeclaration: false,
    isLibrary,
  });
  const found: Highlight[] = comments.map((c) => ({ start: c.start, end: c.end, ...plain("comment") }));
  for (const t of lexed().tokens) {
    const [kind, start, end] = [kindOf(t), t.startOffset, endOf(t)];
    const put = (x: Omit<Highlight, "start" | "end">): number => found.push({ start, end, ...x });
    if (kind === "name" || reserved.has(kind)) {
      const use = uses.get(start);
      const definition = use?.definition;
      if (types.has(start)) put(plain("type", true));
      else if (definition)
        put({
          kind: ofDefinition[definition.kind] ?? "variable",
          isDeclaration: definition.span.start === start && definition.span.file === file.source,
          isLibrary: definition.span.file.library === true,
        });
      else if (reserved.has(kind) && !members.has(start)) put(plain("keyword"));
      else if (members.has(start)) put(plain("property"));
      else if (builtinNames.has(t.image) || namedFunctions.has(t.image)) put(plain("function", true));
      else put(plain("variable", use !== undefined));
    } else if (kind === "string") put(plain("string"));
    else if (kind === "pattern") put(plain("regexp"));
    else if (kind === "number") put(plain("number"));
    else if (!brackets.has(kind)) put(plain("operator"));
  }
  return found.sort((a, b) => a.start - b.start);
}
