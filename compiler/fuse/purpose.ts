// Whose work a kernel is: the one place where kernels get their names and the first line of their code. In: a group of nodes. Out: its name,
// what it does in words, the source lines.
import { place } from "../../grammar/diagnostic.ts";
import { baseOf } from "../graph/node.ts";
import type { Node } from "../graph/types.ts";
import { wgslName } from "../wgsl/names.ts";
import type { Group } from "./group.ts";

export interface Purpose {
  readonly name: string; // snake_case: "d_net_linear_w"
  readonly does: readonly string[]; // "gradient of net.linear.w"
  readonly lines: readonly string[]; // "digits.dlm:9", in the order of the nodes
}
/** A node says by its label what it is, and by its span which line asked for it. */
export function purposeOf({ nodes, copy }: Pick<Group, "nodes" | "copy">): Purpose {
  if (copy) {
    const label = baseOf(copy.home.memory).label;
    return { name: wgslName(label ?? "copy"), does: [`copy to ${label ?? "memory"}`], lines: [] };
  }
  const labels = nodes.flatMap((x) => (x.label ? [x.label] : []));
  return {
    name: wgslName(labels.at(-1) ?? kindOf(nodes[nodes.length - 1]!)),
    does: [...new Set(labels)].map(roleOf),
    lines: [...new Set(nodes.flatMap((x) => (x.span ? [place(x.span)] : [])))],
  };
}
const kindOf = (x: Node): string =>
  x.kind === "compute" && x.reduction ? x.reduction.op : x.kind === "scatter" ? "scatter" : "map";
/** Differentiation names what it makes `d_` and the name of what it is the gradient of. */
const roleOf = (label: string): string => (label.startsWith("d_") ? `gradient of ${label.slice(2)}` : label);

/** One line: the user's own lines first, then those of the library. */
export function purposeText({ name, does, lines }: Purpose): string {
  const isLibrary = (line: string): boolean => line.startsWith("std/");
  const all = [...lines.filter((x) => !isLibrary(x)), ...lines.filter(isLibrary)];
  const listed = all.slice(0, mostLines).join(", ") + (all.length > mostLines ? ", ..." : "");
  const said = does.length ? does.join(", ") : name;
  return listed ? `${listed}: ${said}` : said;
}
const mostLines = 6;
