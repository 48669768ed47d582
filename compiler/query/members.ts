// What stands behind a point. In: a document with what elaboration knows. Out: members of instances, data and train blocks, and where they are made.
import type * as ast from "../../grammar/ast.ts";
import { isExpression } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import type { Instance, Value } from "../elaborate/context.ts";
import type { Knowledge } from "../elaborate/knowledge.ts";
import { statementsOf, type Definition } from "../elaborate/names.ts";
import type { Document } from "./document.ts";
import { partsAt } from "./tree.ts";

export interface Completion {
  readonly name: string;
  readonly kind: string;
  readonly text?: string; // a type, or a signature
  readonly insert?: string; // what is written, where it is more than the name: "epochs: 20"
  readonly doc?: string;
}
/** `net.linear2`: where a member of an instance is made. */
export function memberAt(document: Document, offset: number): Definition | undefined {
  const path = partsAt(document.file, offset).reverse();
  const e = path.find((x): x is Member => isExpression(x) && x.kind === "member");
  return e && e.name.span.start <= offset && offset <= e.name.span.end ? memberOf(document, e) : undefined;
}
export type Member = Extract<ast.Expr, { kind: "member" }>;
export function memberOf(document: Document, e: Member): Definition | undefined {
  const name = e.name.text;
  for (const { value } of document.elaborated().knowledge?.expressions.get(e.operand) ?? []) {
    const span = value.kind === "instance" ? memberSpan(value.instance, name) : undefined;
    if (span) return { name, kind: "member", span };
  }
  return undefined;
}
function memberSpan(instance: Instance, name: string): Span | undefined {
  const own = statementsOf(instance.declaration).find(
    (s) => (s.kind === "param" || s.kind === "state") && s.name.text === name,
  );
  if (own?.kind === "param" || own?.kind === "state") return own.name.span;
  const source = instance.parameters.get(name) ?? instance.states.get(name);
  if (source?.span) return source.span;
  for (const [place, own] of instance.siteNames) if (own === name) return place;
  return undefined;
}

/** The members of what a chain of names says, by the last value that the first one had. */
export function membersOf(chain: readonly string[], document: Document, offset: number): Completion[] {
  const [first = "", ...more] = chain;
  const definition = document.names.visibleAt(offset).find((d) => d.name === first);
  if (!more.length && (definition?.kind === "holdout" || definition?.kind === "split"))
    return measured(document, offset);
  const item = definition?.item;
  if (!more.length && item?.kind === "data")
    return item.statements.flatMap((s) =>
      s.kind === "field" ? [{ name: s.name.text, kind: "field", text: typeText(s.type) }] : [],
    );
  const knowledge = document.nearest();
  let value = knowledge && lastValue(first, knowledge);
  for (const name of more) {
    const child: Instance | undefined =
      value?.kind === "instance"
        ? [...value.instance.children.values()].find((c) => c.path.endsWith(`.${name}`))
        : undefined;
    value = child && { kind: "instance", instance: child };
  }
  const instance = value?.kind === "instance" ? value.instance : trainInstance(value, knowledge);
  if (!instance) return [];
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
const typeText = ({ span }: ast.Type): string => span.file.text.slice(span.start, span.end);
const trainInstance = (value: Value | undefined, knowledge: Knowledge | undefined): Instance | undefined =>
  value?.kind === "train" ? [...(knowledge?.trains ?? [])].find(([t]) => t.name.text === value.name)?.[1] : undefined;
/** What the train block around measures on a split. */
function measured({ file }: Document, offset: number): Completion[] {
  const train = file.items.findLast((i): i is ast.Train => i.kind === "train" && i.span.start <= offset);
  const metrics = train?.statements.flatMap((s) => (s.kind === "metric" ? [s.name.text] : [])) ?? [];
  return ["loss", ...metrics].map((name) => ({ name, kind: "metric" }));
}
export function lastValue(name: string, knowledge: Knowledge): Value | undefined {
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
