// What a call takes, while it is written. In: a document and an offset. Out: the signature of the innermost call and which of its parameters stands there.
import type * as ast from "../../grammar/ast.ts";
import { builtins, builtinNames, summaryOf } from "../elaborate/builtins/table.ts";
import { namedFunctions } from "../scalar/table.ts";
import { libraryDeclarations } from "../std/declarations.ts";
import type { Document } from "./document.ts";
import { lastValue } from "./members.ts";
import { placeAt, type OpenCall } from "./place.ts";
import { settings } from "./settings.ts";

export interface Signature {
  readonly label: string; // "Linear(out: int, act: fn = identity)"
  readonly parameters: readonly { readonly name: string; readonly start: number; readonly end: number }[]; // in the label
  readonly active: number; // -1: none of them
  readonly doc?: string;
}
const libraryItems = new Map(libraryDeclarations.map((d) => [d.name, d.item]));

export function signatureAt(document: Document, offset: number): Signature | undefined {
  const place = placeAt(document, offset);
  const call = place.calls[0];
  if (!call || place.inside === "comment") return undefined;
  const made = signatureOf(document, call, offset);
  return made && { ...made, active: activeOf(call, made) };
}
type Unplaced = Omit<Signature, "active"> & { readonly isPipeable?: boolean };

function signatureOf(document: Document, call: OpenCall, offset: number): Unplaced | undefined {
  const name = call.callee.image;
  const item = declarationOf(document, call, offset);
  const doc = item?.doc === undefined ? {} : { doc: item.doc };
  if (call.isData || item?.kind === "data") {
    const parts = Object.values(settings.on).map((s) => s.example);
    return call.isData ? { ...labelled(name, parts), ...doc } : undefined;
  }
  if (item && "params" in item) {
    const hyper = "hyper" in item ? item.hyper : undefined;
    const list = hyper && call.list === 0 ? hyper : item.params;
    if (!hyper && call.list === 1) return undefined;
    const before = hyper && call.list === 1 ? `${name}(...)` : name;
    return { ...labelled(before, texts(list)), ...doc, isPipeable: list === item.params };
  }
  return builtin(name);
}
/** The declaration that a call applies: by its name, or that of the instance that the name holds. */
export function declarationOf(document: Document, { callee, chain }: OpenCall, offset: number): ast.Item | undefined {
  if (chain.length) return undefined;
  const name = callee.image;
  const visible = document.names.visibleAt(offset).find((d) => d.name === name);
  if (visible?.item) return visible.item;
  if (!visible) return libraryItems.get(name)?.();
  const knowledge = document.nearest();
  const value = knowledge && lastValue(name, knowledge);
  if (value?.kind === "fn" || value?.kind === "layer") return value.declaration;
  const d = value?.kind === "instance" ? value.instance.declaration : undefined;
  return d?.kind === "layer" || d?.kind === "model" ? inputsOnly(d) : undefined;
}
/** An instance is applied to inputs. */
const inputsOnly = (d: ast.LayerDeclaration | ast.ModelDeclaration): ast.ModelDeclaration => ({
  kind: "model",
  name: d.name,
  params: d.params,
  body: d.body,
  span: d.span,
  ...(d.doc === undefined ? {} : { doc: d.doc }),
});
/** How a function below the library is called: as its row tells it. */
function builtin(name: string): Unplaced | undefined {
  const row = namedFunctions.get(name);
  const summary = summaryOf(name);
  if (summary !== undefined && builtinNames.has(name)) {
    const shown = /^`\w+(?:\[[^\]]*\])?\((.*?)\)`/.exec(summary)?.[1];
    if (shown === undefined) return undefined;
    const names = builtins.flatMap((g) => g.rows[name]?.takes?.[2] ?? []);
    const parts = parameterTexts(shown);
    const missing = names.filter((n) => !parts.some((p) => p.startsWith(`${n}:`))).map((n) => `${n}: ...`);
    return { ...labelled(name, [...parts, ...missing]), doc: summary, isPipeable: true };
  }
  if (!row) return undefined;
  const operands = row.operands.map((_, i) => "abc"[i] ?? `x${i}`);
  return { ...labelled(name, row.operands.length === 1 ? ["x"] : operands), doc: row.summary, isPipeable: true };
}
/** What stands between commas that are in no brackets and no quotes. */
function parameterTexts(list: string): string[] {
  const found: string[] = [];
  let [depth, from, quote] = [0, 0, ""];
  for (let i = 0; i < list.length; i++) {
    const c = list[i]!;
    if (quote) quote = c === quote ? "" : quote;
    else if (c === '"' || c === "`") quote = c;
    else if ("([{".includes(c)) depth += 1;
    else if (")]}".includes(c)) depth -= 1;
    else if (c === "," && depth === 0) {
      found.push(list.slice(from, i).trim());
      from = i + 1;
    }
  }
  return [...found, list.slice(from).trim()].filter((x) => x !== "");
}
const texts = (params: readonly ast.Param[]): string[] =>
  params.map(({ span, byName }, i) => {
    const text = span.file.text.slice(span.start, span.end).replace(/\s+/g, " ").trim();
    return byName && !params[i - 1]?.byName ? `*, ${text}` : text;
  });
function labelled(name: string, parts: readonly string[]): Unplaced {
  let label = `${name}(`;
  const parameters = parts.map((text, i) => {
    label += i ? ", " : "";
    const own = text.replace(/^\*, /, "");
    const start = label.length + text.length - own.length;
    label += text;
    return { name: /^\w+/.exec(own)?.[0] ?? own, start, end: label.length };
  });
  return { label: `${label})`, parameters };
}
function activeOf(call: OpenCall, { parameters, isPipeable }: Unplaced): number {
  if (call.current !== undefined) return parameters.findIndex((p) => p.name === call.current);
  const index = call.index + (call.isPiped && isPipeable && call.list === 0 ? 1 : 0);
  return index < parameters.length ? index : -1;
}
