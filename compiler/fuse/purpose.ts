// Whose work a kernel is: the one place where kernels get their names and the first line of their code. In: a group of nodes. Out: its name,
// what it does in words, the source lines.
import { place } from "../../grammar/diagnostic.ts";
import { baseOf } from "../graph/node.ts";
import type { Origin } from "../graph/origin.ts";
import type { Node } from "../graph/types.ts";
import { wgslName } from "../wgsl/names.ts";
import type { Group } from "./group.ts";

export interface Purpose {
  readonly name: string; // snake_case: "net_linear2_w_grad", "cross_entropy_backward"
  readonly does: readonly string[]; // "net.linear2 (Linear), gradient of w"
  readonly lines: readonly string[]; // "digits.dlm:9": the user's own lines first, then those of the library
}
/** A node says by its place which call it was made in, and whether it is a derivative of that; by its label what it is. */
export function purposeOf({ nodes, copy }: Pick<Group, "nodes" | "copy">, isInitial: boolean): Purpose {
  if (copy) {
    const label = baseOf(copy.home.memory).label;
    return { name: wgslName(label ?? "copy"), does: [`copy to ${label ?? "memory"}`], lines: [] };
  }
  const works = nodes.flatMap((x) => workOf(x, isInitial) ?? []);
  const labels = nodes.flatMap((x) => (x.label ? [x.label] : []));
  const [first, last] = [labels[0], nodes[nodes.length - 1]!];
  return {
    name: wgslName(works.at(-1)?.name ?? first ?? kindOf(last)),
    does: distinct(works.length ? works.map((w) => w.does) : labels.map(labelText)),
    lines: distinct([...works.map((w) => w.line), ...nodes.flatMap((x) => (x.span ? [place(x.span)] : []))]),
  };
}
const distinct = (texts: readonly string[]): readonly string[] => [...new Set(texts)];
const kindOf = (x: Node): string =>
  x.kind === "compute" && x.reduction ? x.reduction.op : x.kind === "scatter" ? "scatter" : "map";
/** Differentiation names what it makes `d_` and the name of what it is the gradient of. */
const labelText = (label: string): string => (label.startsWith("d_") ? `gradient of ${label.slice(2)}` : label);

/** What a node does for the call that it was made in. */
interface Work {
  readonly name: string;
  readonly does: string;
  readonly line: string; // the user's
}
function workOf({ span, label }: Node, isInitial: boolean): Work | undefined {
  const origin = span?.origin;
  if (!origin) return undefined;
  const line = place(origin.span);
  const called = callOf(origin);
  const make = (role: string, words: string): Work => ({
    name: `${called.name}_${role}`,
    does: words ? `${called.text}, ${words}` : called.text,
    line,
  });
  const parameter = label?.startsWith(`d_${origin.path}.`) ? label.slice(origin.path.length + 3) : undefined;
  if (span.isDerivative)
    return parameter ? make(`${parameter}_grad`, `gradient of ${parameter}`) : make("backward", "backward");
  // what data, initial values and optimizers make has its name where the program gives one
  if (["data", "init", "optimizer"].includes(origin.kind))
    return { ...make(origin.kind, ""), ...(label ? { name: label } : {}) };
  return isInitial ? make("initial", "initial value") : make("forward", "");
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
