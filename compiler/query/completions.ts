// What may be written at an offset. In: a document. Out: names with what they are, those first that are meant most: members behind a point, arguments within
// a call, settings and words where statements begin, columns of a data file within its quotes, then all that may be named.
import type * as ast from "../../grammar/ast.ts";
import { declarationWords, statementWords } from "../../grammar/mistakes.ts";
import { firstOnLine } from "../../grammar/reader.ts";
import { kindOf, reserved } from "../../grammar/tokens.ts";
import { builtins, builtinNames, summaryOf } from "../elaborate/builtins/table.ts";
import { givenBy } from "../elaborate/names.ts";
import { namedFunctions } from "../scalar/table.ts";
import { libraryDeclarations } from "../std/declarations.ts";
import { inside, type Document } from "./document.ts";
import { membersOf, type Completion } from "./members.ts";
import { placeAt, type OpenCall, type Place } from "./place.ts";
import { settings } from "./settings.ts";
import { declarationOf } from "./signatures.ts";
import { headOf } from "./types.ts";

export type { Completion } from "./members.ts";
export interface PlacedCompletion extends Completion {
  readonly start: number; // of what is replaced, up to the offset
}
/** Names of the columns of a data file, by its path in the model. */
export type Columns = (path: string) => readonly string[] | undefined;

const libraryItems = new Map(libraryDeclarations.map((d) => [d.name, d.item]));
const elements = ["f32", "i32", "bool", "int", "fn", "dist"];

export function completionsAt(document: Document, offset: number, columns?: Columns): PlacedCompletion[] {
  const place = placeAt(document, offset);
  if (place.inside === "comment" || place.inside === "pattern") return [];
  if (place.inside === "string") return columnsAt(document, place, offset, columns);
  const chain = chainBefore(place);
  const found = inside(document.nearest(), () =>
    chain.length
      ? membersOf(chain, document, offset)
      : [...meantAt(document, place, offset), ...namesAt(document, place, offset)],
  );
  const seen = new Set<string>();
  const isNew = (name: string): boolean => !seen.has(name) && seen.add(name) !== undefined;
  return found
    .filter(({ name }) => name.startsWith(place.word) && isNew(name))
    .map((c) => ({ ...c, start: place.start }));
}
/** The library's declarations are read when somebody wants to see one. */
export function completionDetail(name: string): Pick<Completion, "text" | "doc"> {
  const item = libraryItems.get(name)?.();
  if (item)
    return {
      text: "body" in item ? headOf(item.span, item.body) : item.span.file.text.slice(item.span.start, item.span.end),
      ...(item.doc === undefined ? {} : { doc: item.doc }),
    };
  const doc = summaryOf(name) ?? namedFunctions.get(name)?.summary;
  return doc === undefined ? {} : { doc };
}
/** `net.block.` */
function chainBefore({ before }: Place): string[] {
  const chain: string[] = [];
  for (let i = before.length - 1; i > 0 && kindOf(before[i]!) === "."; i -= 2) chain.unshift(before[i - 1]!.image);
  return chain;
}
/** What the place asks for. */
function meantAt(document: Document, place: Place, offset: number): Completion[] {
  const { before, calls, block } = place;
  const last = before.at(-1);
  const inner = calls[0];
  const isArgument = inner && last && (kindOf(last) === "," || (kindOf(last) === "(" && before.at(-2) !== undefined));
  const isType = last !== undefined && (kindOf(last) === "->" || (kindOf(last) === ":" && isTyped(place)));
  if (isType) return elements.map((name) => ({ name, kind: "type" }));
  if (isArgument) return argumentsOf(document, inner, offset);
  if (beginsStatement(document, place)) return statements(block);
  return [];
}
/** Behind the `:` of a parameter, field, param, let or state a type follows. */
function isTyped({ before, calls, block }: Place): boolean {
  const word = before.at(-3)?.tokenType.name ?? "";
  if (["field", "param", "let", "state"].includes(word)) return true;
  return !calls.length && (word === "(" || word === ",") && block === undefined;
}
function beginsStatement({ file, lexed }: Document, { start, block, before, item }: Place): boolean {
  const { text } = file.source;
  const line = text.slice(text.lastIndexOf("\n", start - 1) + 1, start);
  if (/\S/.test(line)) return before.at(-1)?.tokenType.name === "{" && block !== undefined;
  return block !== undefined || item === undefined || !line.length || firstOnLine(text, lexed().tokens, 0);
}
function statements(block: string | undefined): Completion[] {
  const words = (list: readonly string[]): Completion[] => list.map((name) => ({ name, kind: "keyword" }));
  const set = (of: "train" | "data"): Completion[] =>
    Object.entries(settings[of]).map(([name, { example, about }]) => ({
      name,
      kind: "setting",
      insert: example,
      text: example,
      doc: about,
    }));
  if (block === "train") return [...set("train"), ...words(["minimize", "metric", "let", "state", "next"])];
  if (block === "data") return [...words(["field", "holdout", "let"]), ...set("data")];
  if (block === "scan" || block === "fold") return words(["let", "next", "yield"]);
  if (block !== undefined) return words(["let", "param", "state", "next", "return"]);
  return words([...declarationWords]);
}
/** Names of arguments that are not given yet. */
function argumentsOf(document: Document, call: OpenCall, offset: number): Completion[] {
  const named = (name: string, text: string, doc?: string): Completion[] =>
    call.named.includes(name)
      ? []
      : [{ name, kind: "argument", text, insert: `${name}: `, ...(doc === undefined ? {} : { doc }) }];
  if (call.isData) return Object.entries(settings.on).flatMap(([name, s]) => named(name, s.example, s.about));
  const item = declarationOf(document, call, offset);
  if (item) {
    const piped = call.isPiped && !("hyper" in item) ? 1 : 0;
    const placed = call.index - call.named.length + piped; // those that are given by their place
    return parametersOf(item, call)
      .slice(Math.max(0, placed))
      .flatMap((p) => named(p.name.text, textOf(p)));
  }
  return builtins
    .flatMap((g) => g.rows[call.callee.image]?.takes?.[2] ?? [])
    .flatMap((name) => named(name, `${name}: ...`));
}
function parametersOf(item: ast.Item, call: OpenCall): readonly ast.Param[] {
  if (!("hyper" in item)) return givenBy(item);
  return call.list === 0 ? item.hyper : item.params;
}
const textOf = ({ span }: ast.Param): string => span.file.text.slice(span.start, span.end);

/** Everything that may be named. */
function namesAt({ names }: Document, place: Place, offset: number): Completion[] {
  const visible = names.visibleAt(offset).map((d): Completion => ({
    name: d.name,
    kind: d.kind,
    ...(d.item && "body" in d.item ? { text: headOf(d.item.span, d.item.body) } : {}),
    ...(d.item?.doc === undefined ? {} : { doc: d.item.doc }),
  }));
  const library = [...libraryItems.keys()].map((name) => ({ name, kind: "library" }));
  const functions = [...builtinNames, ...namedFunctions.keys()].map((name) => ({ name, kind: "function" }));
  const words = [...reserved].filter((w) => !declarationWords.includes(w) && !statementWords.includes(w));
  const keywords = place.word === "" ? [] : words.map((name) => ({ name, kind: "keyword" }));
  return [...visible, ...library, ...functions, ...keywords];
}
/** `column: "la`: the header of the file that the call reads. */
function columnsAt(
  { file, lexed }: Document,
  { before, calls }: Place,
  offset: number,
  columns?: Columns,
): PlacedCompletion[] {
  const call = calls[0];
  const { text } = file.source;
  const start = lexed().tokens.find(
    (t) => t.startOffset < offset && offset <= t.startOffset + t.image.length,
  )?.startOffset;
  if (!call || start === undefined || (call.current !== "column" && call.current !== "columns")) return [];
  const path = before.findLast(
    (t, i) => kindOf(t) === "string" && before[i - 1]?.startOffset !== undefined && kindOf(before[i - 1]!) === "(",
  );
  const known = path && columns?.(path.image.slice(1, -1));
  const word = text.slice(start + 1, offset);
  const found = (known ?? []).filter((name) => name.startsWith(word));
  return found.map((name) => ({ name, kind: "column", start: start + 1 }));
}
