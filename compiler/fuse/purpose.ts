// Whose work a kernel is: the one place where kernels get their names and the first line of their code. In: a group of nodes. Out: its name,
// what it does in words, the source lines.
import { place } from "../../grammar/diagnostic.ts";
import { baseOf } from "../graph/node.ts";
import type { Origin } from "../graph/origin.ts";
import type { Node } from "../graph/types.ts";
import { wgslName } from "../wgsl/names.ts";
import type { Group } from "./group.ts";
import type { Fusion } from "./state.ts";

export interface Purpose {
  readonly name: string; // snake_case: "net_linear2_w_grad", "cross_entropy_backward"
  readonly does: readonly string[]; // "net.linear2 (Linear), gradient of w"
  readonly lines: readonly string[]; // "digits.dlm:9": the user's own lines first, then those of the library
}
type Known = Pick<Fusion, "isInitial" | "aliasOf">;
/** A node says by its place which call it was made in, and whether it is a derivative of that; memory says whose it is. */
export function purposeOf(f: Known, { nodes, copy }: Pick<Group, "nodes" | "copy">): Purpose {
  const memory = copy && baseOf(copy.home.memory);
  const works = memory ? copyWorks(f, memory) : nodes.flatMap((x) => workOf(f, x) ?? []);
  const labels = (memory ? [memory] : nodes).flatMap((x) => x.label ?? []);
  const last = nodes.at(-1);
  return {
    name: wgslName(
      (works.findLast((w) => !isAside(w)) ?? works.at(-1))?.name ?? labels[0] ?? (last ? kindOf(last) : "copy"),
    ),
    does: works.length ? doneBy(works) : distinct(memory ? labels.map(copyText) : labels),
    lines: distinct([
      ...works.map((w) => place(w.origin.span)),
      ...nodes.flatMap((x) => (x.span ? [place(x.span)] : [])),
    ]),
  };
}
const distinct = (texts: readonly string[]): readonly string[] => [...new Set(texts)];
const kindOf = (x: Node): string =>
  x.kind === "compute" && x.reduction ? x.reduction.op : x.kind === "scatter" ? "scatter" : "map";
const copyText = (label: string): string => `copy to ${label}`;

/** What a node does for the call that it was made in. */
interface Work {
  readonly origin: Origin;
  readonly name: string;
  readonly words: string; // "gradient of w"; "" where the call says it all
}
/** A number that an optimizer needs, or the count of steps, computed in passing. */
const isAside = ({ origin, words }: Work): boolean =>
  origin.kind === "train" || (origin.kind === "optimizer" && !words);
function workFor(origin: Origin, role: string, words: string): Work {
  const { name } = callOf(origin);
  return { origin, name: role === name ? name : `${name}_${role}`, words };
}
function workOf(f: Known, x: Node): Work | undefined {
  const state = f.aliasOf.get(x);
  const initial = state && f.isInitial ? initialWork(state) : undefined;
  const origin = x.span?.origin;
  if (initial || !origin) return initial;
  if (x.span.isDerivative) {
    const parameter = withinCall(origin, x.span.gradientOf);
    return parameter
      ? workFor(origin, `${parameter}_grad`, `gradient of ${parameter}`)
      : workFor(origin, "backward", "backward");
  }
  if (state && (origin.kind === "optimizer" || origin.kind === "train"))
    return workFor(
      origin,
      origin.kind === "optimizer" ? "update" : `${partOf(origin, state)}_update`,
      `update of ${partOf(origin, state)}`,
    );
  // what data, initial values and optimizers make has its name where the program gives one
  if (origin.kind === "data" || origin.kind === "init" || origin.kind === "optimizer")
    return workFor(origin, x.label ?? origin.kind, "");
  return f.isInitial ? workFor(origin, "initial", "initial value") : workFor(origin, "forward", "");
}
function initialWork(memory: Node): Work | undefined {
  const origin = memory.span?.origin;
  const part = origin && partOf(origin, memory);
  return origin && workFor(origin, `${part}_initial`, `initial value of ${part}`);
}
function copyWorks(f: Known, memory: Node): readonly Work[] {
  const origin = memory.span?.origin;
  if (!origin) return [];
  const part = partOf(origin, memory);
  return [(f.isInitial && initialWork(memory)) || workFor(origin, part, copyText(part))];
}
/** A memory's name, within its call. */
const partOf = (origin: Origin, { label = "memory" }: Node): string => withinCall(origin, label) ?? label;
/** "w" of "net.linear.w" in net.linear. */
const withinCall = ({ path }: Origin, label: string | undefined): string | undefined =>
  label?.startsWith(`${path}.`) ? label.slice(path.length + 1) : undefined;
/** "net.linear (Linear), gradient of w, gradient of b": each call once. */
function doneBy(works: readonly Work[]): readonly string[] {
  const byCall = new Map<string, Set<string>>();
  for (const { origin, words } of works) {
    const { text } = callOf(origin);
    byCall.set(text, (byCall.get(text) ?? new Set()).add(words));
  }
  return [...byCall].map(([text, words]) => [text, ...[...words].filter(Boolean)].join(", "));
}
/** An instance by its path; a function by its name and where it is called, the outermost one in a train block or an export. */
function callOf(origin: Origin): { readonly name: string; readonly text: string } {
  if (origin.kind !== "fn") {
    const isNamed = origin.path === origin.callee;
    return { name: origin.path || origin.callee, text: isNamed ? origin.path : `${origin.path} (${origin.callee})` };
  }
  let outermost = origin;
  while (outermost.parent?.kind === "fn") outermost = outermost.parent;
  const around = outermost.parent?.kind;
  const isInInstance = around === "layer" || around === "model";
  return isInInstance
    ? { name: `${origin.path}_${outermost.callee}`, text: `${outermost.callee} in ${origin.path}` }
    : { name: outermost.callee, text: outermost.callee };
}

/** One line: the user's own lines, what is done, the lines of the library. */
export function purposeText({ name, does, lines }: Purpose): string {
  const isLibrary = (line: string): boolean => line.startsWith("std/");
  const own = listed(lines.filter((x) => !isLibrary(x)));
  const library = listed(lines.filter(isLibrary));
  const said = does.length ? listed(does, "; ") : name;
  return `${own ? `${own}: ` : ""}${said}${library ? ` (${library})` : ""}`;
}
const most = 6;
const listed = (texts: readonly string[], between = ", "): string =>
  [...texts.slice(0, most), ...(texts.length > most ? ["..."] : [])].join(between);
