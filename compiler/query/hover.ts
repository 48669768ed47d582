// What stands at an offset: its type with the dims that are named, its value where it is known, its documentation. In: a document with what elaboration knows.
import type * as ast from "../../grammar/ast.ts";
import { isExpression, isName, type Part } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import { summaryOf } from "../elaborate/builtins/table.ts";
import type { Scope, Value } from "../elaborate/context.ts";
import { Fault, Quiet } from "../elaborate/errors.ts";
import type { Knowledge } from "../elaborate/knowledge.ts";
import { namedFunctions } from "../scalar/table.ts";
import type { Document } from "./document.ts";
import { settings } from "./settings.ts";
import { partsAt } from "./tree.ts";
import { headOf, typeOf, type TypeText } from "./types.ts";

export interface TypeAnswer extends TypeText {
  readonly span: Span; // of what the answer is about
  readonly call: string; // the path that it stands in: "net.linear2"; "" outside of calls
  /** The same place in other calls, where the type is another one. */
  readonly others: readonly (TypeText & { readonly call: string })[];
  /** Other names of the same value, with their places. */
  readonly names: readonly { readonly name: string; readonly span: Span }[];
  readonly doc?: string; // of a declaration
}
interface Known {
  readonly value: Value;
  readonly scope: Scope;
  readonly call: string;
}
export function hoverAt(document: Document, offset: number): TypeAnswer | undefined {
  const { file } = document;
  const { knowledge } = document.elaborated();
  const path = partsAt(file, offset).reverse();
  for (const part of knowledge ? path : []) {
    const found = knowledge ? typed(knownOf(part, path, knowledge)) : [];
    const [first] = found;
    if (first && knowledge) {
      const { value, call, type } = first;
      const others = found.slice(1).map((k) => ({ ...k.type, call: k.call }));
      const doc = documentation(value);
      return {
        span: part.span,
        ...type,
        call,
        others: others.filter((o, i) => o.text !== type.text && others.findIndex((x) => x.text === o.text) === i),
        names: otherNames(value, part, knowledge),
        ...(doc === undefined ? {} : { doc }),
      };
    }
    // white space within a block, a declaration: nothing stands there
    if (!isExpression(part) && !isName(part)) break;
  }
  return declaredAt(document, offset) ?? settingAt(path);
}
/** Of a value that is computed when it is asked for, asking may find a mistake that is told elsewhere. */
const typed = (known: readonly Known[]): (Known & { readonly type: TypeText })[] =>
  known.flatMap((k) => {
    try {
      return [{ ...k, type: typeOf(k.value, k.scope) }];
    } catch (error) {
      if (error instanceof Fault || error instanceof Quiet) return [];
      throw error;
    }
  });
/** The values of an expression or a name, in every call that it stands in. */
function knownOf(part: Part, path: readonly Part[], knowledge: Knowledge): Known[] {
  const evaluated = isExpression(part) ? (knowledge.expressions.get(part) ?? []) : [];
  if (evaluated.length) return evaluated.map((e) => ({ value: e.value, scope: e.scope, call: e.origin?.path ?? "" }));
  const bound = isName(part) ? (knowledge.names.get(part) ?? []) : [];
  if (bound.length) return bound.map((b) => ({ value: b.value, scope: b.scope, call: b.origin?.path ?? "" }));
  // a parameter or a dim in a signature: what each call binds it to
  const text = isName(part) || (isExpression(part) && part.kind === "name") ? part.text : undefined;
  const item = path.at(-1);
  if (text === undefined || !isSignature(item) || part === item.name) return [];
  return knowledge.calls.flatMap((c): Known[] => {
    const value = c.declaration === item ? c.scope.find(text) : undefined;
    return value ? [{ value, scope: c.scope, call: c.origin.path }] : [];
  });
}
const isSignature = (item: Part | undefined): item is ast.Fn | ast.LayerDeclaration | ast.ModelDeclaration =>
  item?.kind === "fn" || item?.kind === "layer" || item?.kind === "model";
function otherNames(value: Value, part: Part, knowledge: Knowledge): { name: string; span: Span }[] {
  if (value.kind !== "tensor") return [];
  const found = (knowledge.namesOf.get(value.node) ?? []).filter((b) => !b.name.span.file.library && b.name !== part);
  const distinct = found.filter((b, i) => found.findIndex((x) => x.name === b.name) === i);
  return distinct.map((b) => ({ name: b.name.text, span: b.name.span }));
}
function documentation(v: Value): string | undefined {
  if (v.kind === "fn" || v.kind === "layer" || v.kind === "optimizer") return v.declaration.doc;
  if (v.kind === "builtin" || v.kind === "shaped") return summaryOf(v.name) ?? namedFunctions.get(v.name)?.summary;
  return v.kind === "instance" ? v.instance.declaration.doc : undefined;
}
/** A declaration or an argument that is named here, where nothing was evaluated. */
function declaredAt(document: Document, offset: number): TypeAnswer | undefined {
  const use = document.names.uses.find((u) => u.span.start <= offset && offset <= u.span.end);
  const definition = use?.definition;
  const item = definition?.item;
  if (use && definition?.param) return answer(use.span, textOf(definition.param.span));
  if (use && definition && !item) return writtenAt(document, use.span, definition.span);
  if (!use || !item) return undefined;
  const text = "body" in item ? headOf(item.span, item.body) : `${item.kind} ${use.name}`;
  return answer(use.span, text, item.doc);
}
/** Where no value is known: what binds the name, as it is written. */
function writtenAt({ file }: Document, use: Span, binding: Span): TypeAnswer | undefined {
  if (binding.file !== file.source) return undefined;
  const whole = partsAt(file, binding.start).findLast((p) => !isName(p) && p.span.start <= binding.start);
  const text = whole && textOf(whole.span);
  return text === undefined || text.length > 200 || text.includes("\n") ? undefined : answer(use, text);
}
function settingAt(path: readonly Part[]): TypeAnswer | undefined {
  const [name, setting] = path;
  const block = path.at(-1)?.kind;
  if (!name || !isName(name) || setting?.kind !== "setting" || (block !== "train" && block !== "data"))
    return undefined;
  const known = Object.hasOwn(settings[block], name.text) ? settings[block][name.text] : undefined;
  return known && answer(name.span, known.example, known.about);
}
const textOf = ({ file, start, end }: Span): string => file.text.slice(start, end);
const answer = (span: Span, text: string, doc?: string): TypeAnswer => ({
  span,
  text,
  call: "",
  others: [],
  names: [],
  ...(doc === undefined ? {} : { doc }),
});
