// `dlm fmt` as a function. In: source text that parses. Out: the same program in the house style, laid out by Prettier's printer of documents.
// Formatting never changes the AST but for its places, keeps every comment, and formatted text stays as it is.
import type { Doc } from "prettier";
import { builders, printer } from "prettier/doc";
import { renderDiagnostic } from "../../grammar/render.ts";
import { parse, type Comment } from "../../grammar/parser.ts";
import { anchor, attach, hasComments, type Anchor, type Place } from "./anchors.ts";
import { layout, type Show } from "./layout.ts";

const { breakParent, hardline, lineSuffix } = builders;
const byteOrderMark = "\uFEFF";

export function format(given: string): string {
  const mark = given.startsWith(byteOrderMark) ? byteOrderMark : "";
  const text = given.slice(mark.length).replace(/\r\n?/g, "\n");
  const { file, diagnostics, comments } = parse({ name: "input.dlm", text });
  const error = diagnostics.find((d) => d.severity === "error");
  if (error) throw new SyntaxError(renderDiagnostic(error));
  const root = anchorsOf({ role: "file", node: file });
  attach(root, comments, text);
  return mark + printer.printDocToString(docOf(root, text), { printWidth: 120, tabWidth: 2 }).formatted;
}
/** The anchors in a place: a layout whose `show` records instead of printing. */
function anchorsOf(place: Place): Anchor {
  const children: Anchor[] = [];
  const seen = new Set<Place["node"]>();
  const record = (inner: Place): Doc => {
    if (!seen.has(inner.node)) children.push(anchorsOf(inner));
    seen.add(inner.node);
    return "";
  };
  layout(place, Object.assign(record, { commented: () => false }));
  return anchor(place, children);
}
/** An anchor as a document, its comments around it. */
function docOf(own: Anchor, text: string): Doc {
  const children = new Map(own.children.map((c) => [c.place.node, c] as const));
  const show: Show = Object.assign((place: Place): Doc => docOf(children.get(place.node)!, text), {
    commented: (node: Place["node"]) => hasComments(children.get(node)),
  });
  const blankAfter = (c: Comment): boolean => /^[ \t]*\n[ \t]*\n/.test(text.slice(c.end));
  // a `##` comment from inside must not become the documentation of what follows
  const inside = own.inside.map((c) => [
    c.text,
    hardline,
    c.text.startsWith("##") || (own.place.role === "file" && blankAfter(c)) ? hardline : "",
  ]);
  const before = own.before.map((c) => [c.text, hardline, blankAfter(c) ? hardline : ""]);
  const beside = own.beside.map((c) => [lineSuffix([" ", c.text]), breakParent]);
  const after = own.after.map((c) => [
    lineSuffix([hardline, /\n[ \t]*\n[ \t]*$/.test(text.slice(0, c.start)) ? hardline : "", c.text]),
    breakParent,
  ]);
  const shown = layout(own.place, show);
  if (own.place.role !== "file") return [inside, before, shown, beside, after];
  return own.children.length ? [inside, shown, hardline] : inside;
}
