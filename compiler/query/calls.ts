// The calls of a program as a tree, and the instances that they make: what each is given, gives and holds.
import type { Span } from "../../grammar/diagnostic.ts";
import type { Instance, Scope } from "../elaborate/context.ts";
import type { CallRecord, Knowledge } from "../elaborate/knowledge.ts";
import type { Origin } from "../graph/origin.ts";
import { typeOf, type TypeText } from "./types.ts";

export interface Named {
  readonly name: string;
  readonly type: TypeText;
}
/** A block, an export, or a call in one. */
export interface Call {
  readonly kind: Origin["kind"];
  readonly callee: string; // "Linear"
  readonly path: string; // of the instance that it stands in
  readonly span: Span; // in the user's text
  readonly inputs: readonly Named[];
  readonly output: TypeText | undefined; // undefined for blocks and exports
  readonly calls: readonly Call[]; // within, in order
}
export interface InstanceInfo {
  readonly path: string; // "net.block.3.attention.linear2"
  readonly layer: string; // "Linear"
  readonly hyper: readonly Named[];
  readonly parameters: readonly { readonly name: string; readonly path: string; readonly shape: readonly number[] }[];
  readonly states: readonly { readonly name: string; readonly path: string; readonly shape: readonly number[] }[];
  readonly children: readonly InstanceInfo[];
}
export interface CallTree {
  readonly calls: readonly Call[];
  readonly instances: readonly InstanceInfo[]; // models and train blocks
}
export function callTree(known: Knowledge): CallTree {
  const records = new Map<Origin, CallRecord>(known.calls.map((c) => [c.origin, c]));
  const within = new Map<Origin | undefined, Set<Origin>>();
  for (const c of known.calls)
    for (let o: Origin | undefined = c.origin; o; o = o.parent) {
      const own = within.get(o.parent) ?? new Set<Origin>();
      within.set(o.parent, own.add(o));
    }
  const call = (origin: Origin): Call => {
    const record = records.get(origin);
    return {
      kind: origin.kind,
      callee: origin.callee,
      path: origin.path,
      span: origin.span,
      inputs: record ? inputsOf(record) : [],
      output: record && typeOf(record.result, record.scope),
      calls: [...(within.get(origin) ?? [])].map(call),
    };
  };
  const roots = [...known.models.values(), ...known.trains.values()];
  return {
    calls: [...(within.get(undefined) ?? [])].map(call),
    instances: roots.filter((i) => i.children.size || i.parameters.size).map(instanceInfo),
  };
}
const named = (names: Iterable<string>, scope: Scope): Named[] =>
  [...names].flatMap((name) => {
    const value = scope.find(name);
    return value ? [{ name, type: typeOf(value, scope) }] : [];
  });
const inputsOf = ({ declaration, scope }: CallRecord): Named[] =>
  named(
    declaration.params.map((p) => p.name.text),
    scope,
  );
function instanceInfo(i: Instance): InstanceInfo {
  const d = i.declaration;
  const hyper = "hyper" in d ? d.hyper.map((p) => p.name.text) : [];
  const held = (of: Instance["parameters"]): InstanceInfo["parameters"] =>
    [...of].map(([name, s]) => ({ name, path: s.path, shape: s.shape.map(Number) }));
  return {
    path: i.path,
    layer: d.name.text,
    hyper: named(hyper, i.scope),
    parameters: held(i.parameters),
    states: held(i.states),
    children: [...i.children.values()].map(instanceInfo),
  };
}
