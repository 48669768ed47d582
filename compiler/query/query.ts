// Questions about a text, answered from what elaboration knew: types, definitions, references, completions, calls.
// In: source text and offsets (UTF-16 code units). Out: answers, or nothing where there is nothing to say; no text and no offset makes them throw.
import type * as ast from "../../grammar/ast.ts";
import { isExpression, isName, type Part } from "../../grammar/ast.ts";
import type { Diagnostic, Span } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parser.ts";
import { builtinNames } from "../elaborate/builtins/table.ts";
import type { Instance, Scope, Value } from "../elaborate/context.ts";
import type { Knowledge } from "../elaborate/knowledge.ts";
import { type Definition, givenBy, type Names, resolveNames } from "../elaborate/names.ts";
import { analyse, type FrontOptions } from "../front.ts";
import { within } from "../graph/compilation.ts";
import { namedFunctions } from "../scalar/table.ts";
import { libraryDeclarations } from "../std/declarations.ts";
import { callTree, type CallTree } from "./calls.ts";
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
export interface Completion {
  readonly name: string;
  readonly kind: string;
  readonly text?: string; // a type, or a signature
}
export interface Queries {
  readonly diagnostics: readonly Diagnostic[];
  readonly typeAt: (offset: number) => TypeAnswer | undefined;
  /** Where the name at an offset is bound; in the library too. */
  readonly definitionAt: (offset: number) => Definition | undefined;
  /** Every place in the text that means the same as the name at an offset, its definition first. */
  readonly referencesTo: (offset: number) => readonly Span[];
  readonly completionsAt: (offset: number) => readonly Completion[];
  readonly callTree: () => CallTree;
}

const libraryItems = new Map(libraryDeclarations.map((d) => [d.name, d.item]));

export function query(text: string, options: FrontOptions = {}): Queries {
  const { file, diagnostics, knowledge } = analyse(text, { ...options, keep: true });
  const imported = file.items.flatMap((i): ast.File[] => {
    const found = i.kind === "import" ? options.imports?.(i.path) : undefined;
    return i.kind === "import" && found !== undefined ? [parse({ name: i.path, text: found }).file] : [];
  });
  const names = resolveNames(file, imported, libraryDeclarations);
  const document: Document = { file, names, knowledge };
  const inside = <T>(run: () => T): T => (knowledge ? within(knowledge.compilation, run) : run());
  return {
    diagnostics,
    typeAt: (offset) => inside(() => typeAt(document, offset)),
    definitionAt: (offset) => inside(() => definitionAt(document, offset)),
    referencesTo: (offset) => inside(() => referencesTo(document, offset)),
    completionsAt: (offset) => inside(() => completionsAt(document, offset)),
    callTree: () => inside(() => (knowledge ? callTree(knowledge) : { calls: [], instances: [] })),
  };
}
interface Document {
  readonly file: ast.File;
  readonly names: Names;
  readonly knowledge: Knowledge | undefined;
}
const textOf = (span: Span): string => span.file.text.slice(span.start, span.end);
const covers = (span: Span, offset: number): boolean => span.start <= offset && offset <= span.end;

// ---- types

interface Known {
  readonly value: Value;
  readonly scope: Scope;
  readonly call: string;
}
function typeAt(document: Document, offset: number): TypeAnswer | undefined {
  const { file, knowledge } = document;
  if (!knowledge) return undefined;
  const path = partsAt(file, offset).reverse();
  for (const part of path) {
    const found = knownOf(part, path, knowledge);
    const [first] = found;
    if (first) {
      const type = typeOf(first.value, first.scope);
      const others = found.slice(1).map((k) => ({ ...typeOf(k.value, k.scope), call: k.call }));
      const doc = documentation(first.value);
      return {
        span: part.span,
        ...type,
        call: first.call,
        others: others.filter((o, i) => o.text !== type.text && others.findIndex((x) => x.text === o.text) === i),
        names: otherNames(first.value, part, knowledge),
        ...(doc === undefined ? {} : { doc }),
      };
    }
    // white space within a block, a declaration: nothing stands there
    if (!isExpression(part) && !isName(part)) break;
  }
  return declaredAt(document, offset);
}
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
  return v.kind === "instance" ? v.instance.declaration.doc : undefined;
}
/** A declaration that is named here, where nothing was evaluated. */
function declaredAt(document: Document, offset: number): TypeAnswer | undefined {
  const use = document.names.uses.find((u) => covers(u.span, offset));
  const item = use?.definition?.item;
  if (!use || !item) return undefined;
  const text = "body" in item ? headOf(item.span, item.body) : `${item.kind} ${use.name}`;
  return {
    span: use.span,
    text,
    call: "",
    others: [],
    names: [],
    ...(item.doc === undefined ? {} : { doc: item.doc }),
  };
}

// ---- definitions

function definitionAt(document: Document, offset: number): Definition | undefined {
  const use = document.names.uses.find((u) => covers(u.span, offset));
  return use ? use.definition : memberAt(document, offset);
}
/** `net.linear2`, `digits.x`: where the member is made. */
function memberAt({ file, knowledge }: Document, offset: number): Definition | undefined {
  const path = partsAt(file, offset).reverse();
  const e = path.find((x): x is Extract<ast.Expr, { kind: "member" }> => isExpression(x) && x.kind === "member");
  if (!e || !covers(e.name.span, offset) || !knowledge) return undefined;
  const name = e.name.text;
  for (const { value } of knowledge.expressions.get(e.operand) ?? []) {
    const span =
      value.kind === "instance"
        ? memberSpan(value.instance, name)
        : value.kind === "dataset"
          ? fieldSpan(file, value.name, name)
          : undefined;
    if (span) return { name, kind: "member", span };
  }
  return undefined;
}
function memberSpan(instance: Instance, name: string): Span | undefined {
  const { declaration: d } = instance;
  const statements = "body" in d && d.body.kind === "block" ? d.body.statements : "statements" in d ? d.statements : [];
  const own = statements.find((s) => (s.kind === "param" || s.kind === "state") && s.name.text === name);
  if (own?.kind === "param" || own?.kind === "state") return own.name.span;
  const source = instance.parameters.get(name) ?? instance.states.get(name);
  if (source?.span) return source.span;
  for (const [place, own] of instance.siteNames) if (own === name) return place;
  return undefined;
}
function fieldSpan(file: ast.File, data: string, name: string): Span | undefined {
  const item = file.items.find((i) => i.kind === "data" && i.name.text === data);
  const field =
    item?.kind === "data" ? item.statements.find((s) => s.kind === "field" && s.name.text === name) : undefined;
  return field?.kind === "field" ? field.name.span : undefined;
}
function referencesTo(document: Document, offset: number): Span[] {
  const definition = definitionAt(document, offset);
  if (!definition) return [];
  const spans = document.names.uses.filter((u) => u.definition?.span === definition.span).map((u) => u.span);
  const own = definition.span.file === document.file.source ? [definition.span] : [];
  const all = [...own, ...spans];
  return all.filter((s, i) => all.findIndex((x) => x.start === s.start && x.file === s.file) === i);
}

// ---- completions

/** Members behind a dot, names of arguments within a call, and everything that may be named. */
function completionsAt(document: Document, offset: number): Completion[] {
  const { file, names, knowledge } = document;
  const before = file.source.text.slice(0, offset);
  const [, chain, prefix] = /((?:[A-Za-z_]\w*\.)*)(\w*)$/.exec(before) ?? ["", "", ""];
  const begins = (c: Completion): boolean => c.name.startsWith(prefix ?? "");
  if (chain) return knowledge ? membersOf(chain.slice(0, -1).split("."), document, knowledge).filter(begins) : [];
  const callee = /([A-Za-z_]\w*)\((?:[^()]|\([^()]*\))*$/.exec(before)?.[1];
  const visible = names.visibleAt(offset);
  const called = visible.find((d) => d.name === callee)?.item ?? (callee ? libraryItems.get(callee)?.() : undefined);
  const found: Completion[] = [
    ...(called ? givenBy(called).map((p) => ({ name: p.name.text, kind: "argument", text: textOf(p.span) })) : []),
    ...visible.map((d) => ({
      name: d.name,
      kind: d.kind,
      ...(d.item && "body" in d.item ? { text: headOf(d.item.span, d.item.body) } : {}),
    })),
    ...[...libraryItems.keys()].map((name) => ({ name, kind: "library" })),
    ...[...builtinNames, ...namedFunctions.keys()].map((name) => ({ name, kind: "function" })),
  ].filter(begins);
  return found.filter((c, i) => found.findIndex((x) => x.name === c.name) === i);
}
/** The members of what a chain of names says, by the last value that the first one had. */
function membersOf(chain: readonly string[], { file }: Document, knowledge: Knowledge): Completion[] {
  const [first, ...more] = chain;
  let value = first === undefined ? undefined : lastValue(first, knowledge);
  for (const name of more) {
    const child: Instance | undefined =
      value?.kind === "instance"
        ? [...value.instance.children.values()].find((c) => c.path.endsWith(`.${name}`))
        : undefined;
    value = child && { kind: "instance", instance: child };
  }
  if (value?.kind === "dataset") {
    const { name } = value;
    const item = file.items.find((i) => i.kind === "data" && i.name.text === name);
    return item?.kind === "data"
      ? item.statements.flatMap((s) => (s.kind === "field" ? [{ name: s.name.text, kind: "field" }] : []))
      : [];
  }
  if (value?.kind !== "instance") return [];
  const { instance } = value;
  const held = (of: Instance["parameters"], kind: string): Completion[] =>
    [...of].map(([name, s]) => ({ name, kind, text: `${s.dtype}[${s.shape.map(String).join(", ")}]` }));
  const children = [...instance.children.values()].map((c) => ({
    name: c.path.slice(instance.path.length + 1).split(".")[0]!,
    kind: "layer",
    text: c.declaration.name.text,
  }));
  const all = [...held(instance.parameters, "param"), ...held(instance.states, "state"), ...children];
  return all.filter((c, i) => all.findIndex((x) => x.name === c.name) === i);
}
function lastValue(name: string, knowledge: Knowledge): Value | undefined {
  let found: Value | undefined;
  for (const [n, list] of knowledge.names)
    if (n.text === name && !n.span.file.library) found = list.at(-1)?.value ?? found;
  if (found) return found;
  const item = [...knowledge.models].find(([d]) => d.name.text === name);
  if (item) return { kind: "instance", instance: item[1] };
  for (const [e, list] of knowledge.expressions)
    if (e.kind === "name" && e.text === name && !e.span.file.library) return list.at(-1)?.value;
  return undefined;
}
