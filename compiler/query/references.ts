// Where a name is bound, where it is used, and what a text is when it has another name. In: a document and an offset. Out: spans; edits, or why there are none.
import * as ast from "../../grammar/ast.ts";
import { isExpression } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import { reserved } from "../../grammar/tokens.ts";
import type { Definition, Use } from "../elaborate/names.ts";
import type { Document } from "./document.ts";
import { memberAt, memberOf, type Member } from "./members.ts";

const covers = (span: Span, offset: number): boolean => span.start <= offset && offset <= span.end;

export function definitionAt(document: Document, offset: number): Definition | undefined {
  const use = useAt(document, offset);
  return use ? use.definition : memberAt(document, offset);
}
function useAt({ names }: Document, offset: number): Use | undefined {
  const found = names.uses.filter((u) => covers(u.span, offset));
  return found.find((u) => u.span.start === offset) ?? found.at(-1); // where two meet, the one that begins here
}
/** Every name of the text with what it stands for, members of instances too. */
function usesOf(document: Document): Use[] {
  const known = new Set(document.names.uses.map((u) => u.span.start));
  const isOpen = (x: ast.Part): x is Member => isExpression(x) && x.kind === "member" && !known.has(x.name.span.start);
  const members = [...ast.below(document.file)].filter(isOpen);
  const further = members.map((e): Use => ({
    name: e.name.text,
    span: e.name.span,
    definition: memberOf(document, e),
  }));
  return [...document.names.uses, ...further];
}
/** The spans that stand for what is bound at a place, the place itself first where it is in this text. `path`: of its file, as this text calls it. */
export function referencesTo(document: Document, target: Pick<Definition, "name" | "span">): Span[] {
  const isIt = (span: Span): boolean =>
    span === target.span ||
    (span.start === target.span.start && span.end === target.span.end && span.file.name === target.span.file.name);
  const own = target.span.file.name === document.file.source.name && !target.span.file.library ? [target.span] : [];
  const spans = usesOf(document).flatMap((u) =>
    u.definition && isIt(u.definition.span) && u.name === target.name ? [u.span] : [],
  );
  const all = [...own, ...spans];
  return all.filter((s, i) => all.findIndex((x) => x.start === s.start) === i);
}

// ---- renaming

/** Where the `##` comment of a declaration names one of its parameters in backticks, as the sentences do that state facts of it. */
export function mentionsOf({ file }: Document, { name, span }: Pick<Definition, "name" | "span">): Span[] {
  const { source } = file;
  if (span.file.name !== source.name || span.file.library) return [];
  const isParameter = (p: ast.Param): boolean => p.name.span.start === span.start;
  const item = file.items.find((i) =>
    [...("params" in i ? i.params : []), ...("hyper" in i ? i.hyper : [])].some(isParameter),
  );
  if (!item) return [];
  const [comment = ""] = /(?:^[ \t]*##.*\n)+$/m.exec(source.text.slice(0, item.span.start)) ?? [];
  const start = item.span.start - comment.length;
  return [...comment.matchAll(new RegExp(`(?<=\`)${name}(?=\`)`, "g"))].map((m) => ({
    file: source,
    start: start + m.index,
    end: start + m.index + name.length,
  }));
}
export interface Refusal {
  readonly refused: string; // why, in a sentence
}
/** What would be renamed: the name at the offset; or why it cannot be. */
export function renamableAt(
  document: Document,
  offset: number,
): { readonly span: Span; readonly name: string } | Refusal {
  const definition = definitionAt(document, offset);
  const span = spanAt(document, offset);
  if (!span) return { refused: "there is no name here" };
  if (!definition)
    return { refused: `\`${textOf(span)}\` is a name of the language, or of nothing that this file binds` };
  if (definition.span.file.library) return { refused: `\`${definition.name}\` belongs to the library` };
  return { span, name: definition.name };
}
const textOf = ({ file, start, end }: Span): string => file.text.slice(start, end);
function spanAt(document: Document, offset: number): Span | undefined {
  return (
    useAt(document, offset)?.span ??
    [...ast.below(document.file)].find((x) => ast.isName(x) && covers(x.span, offset))?.span
  );
}
/** May the definition be called so, whatever stands around it? */
export function refusedName(definition: Definition, name: string): Refusal | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return { refused: `\`${name}\` is no name: letters, digits and _ make one` };
  if (reserved.has(name)) return { refused: `\`${name}\` is a word of the language` };
  if (name === "_") return { refused: "`_` names nothing" };
  const isCapital = (x: string): boolean => /^[A-Z]/.test(x);
  const wanted = definition.kind === "dim" || definition.kind === "layer";
  if (isCapital(definition.name) === wanted && isCapital(name) !== wanted)
    return {
      refused: wanted ? `a ${definition.kind} begins with a capital` : "only layers and dims begin with a capital",
    };
  return undefined;
}
/** Do all names of the text stand for what they stood for, when these spans are called so? If not, what is in the way. */
export function clash(
  before: Document,
  after: Document,
  renamed: readonly Span[],
  name: string,
  definition: Definition,
): Refusal | undefined {
  const refused: Refusal = { refused: `\`${name}\` means something else there already` };
  if (renamed.some((s) => before.names.visibleAt(s.start).some((d) => d.name === name && d.span !== definition.span)))
    return refused;
  if (after.file.incomplete && !before.file.incomplete) return { refused: `\`${name}\` cannot stand there` };
  const starts = renamed.map((s) => s.start).sort((a, b) => a - b);
  const by = name.length - definition.name.length;
  /** An offset before the renaming as one behind it. */
  const moved = (offset: number): number => offset + by * starts.filter((s) => s < offset).length;
  const { source } = before.file;
  const key = (u: Use, move: (offset: number) => number, file: ast.File): string => {
    const d = u.definition?.span;
    const at = d && (d.file === file.source ? move(d.start) : `${d.file.name}:${d.file.library ? d.start : ""}`);
    return `${move(u.span.start)} ${at ?? "-"}`;
  };
  const was = before.names.uses.map((u) => key(u, moved, before.file));
  const is = after.names.uses.map((u) => key(u, (x) => x, after.file));
  const same = source.text.length + by * starts.length === after.file.source.text.length;
  return same && was.length === is.length && was.every((k, i) => k === is[i]) ? undefined : refused;
}
/** The text where each of these spans is written so. */
export function replaced(text: string, spans: readonly Span[], by: string): string {
  let [result, at] = ["", 0];
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    result += text.slice(at, start) + by;
    at = end;
  }
  return result + text.slice(at);
}
