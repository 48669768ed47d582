// `dlm fmt` as a Prettier plugin: parser, printer and comments of .dlm files. In: source text. Out: the same program in the house style.
// Formatting never changes the AST but for its places, keeps every comment, and formatted text stays as it is.
import type { AstPath, Doc, Plugin } from "prettier";
import { builders } from "prettier/doc";
import { renderDiagnostic } from "../../grammar/render.ts";
import { parse, type Comment } from "../../grammar/parser.ts";
import { anchor, attach, hasComments, type Anchor, type Place } from "./anchors.ts";
import { layout, type Show } from "./layout.ts";

const { breakParent, hardline, lineSuffix } = builders;

/** What Prettier walks: the anchors, from the file down. */
interface Tree extends Anchor {
  readonly text: string;
}

function parseTree(text: string): Tree {
  const { file, diagnostics, comments } = parse({ name: "input.dlm", text });
  const error = diagnostics.find((d) => d.severity === "error");
  if (error) throw new SyntaxError(renderDiagnostic(error));
  const root = anchorsOf({ role: "file", node: file });
  attach(root, comments, text);
  return { ...root, text };
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

function print(path: AstPath<Anchor>, text: string, print: (path: AstPath<Anchor>) => Doc): Doc {
  const own = path.node;
  const position = new Map(own.children.map((c, i) => [c.place.node, i] as const));
  const show: Show = Object.assign((place: Place): Doc => path.call(print, "children", position.get(place.node)!), {
    commented: (node: Place["node"]) => hasComments(own.children[position.get(node)!]),
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

export const plugin: Plugin<Anchor> = {
  languages: [{ name: "dlm", parsers: ["dlm"], extensions: [".dlm"] }],
  parsers: { dlm: { parse: parseTree, astFormat: "dlm", locStart: (x) => x.start, locEnd: (x) => x.end } },
  printers: { dlm: { print: (path, options, inner) => print(path, options.originalText, inner) } },
  defaultOptions: { printWidth: 120, tabWidth: 2 },
};
export const { languages, parsers, printers, defaultOptions } = plugin;
