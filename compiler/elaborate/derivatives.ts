// Derivatives as programs ask for them: of a value in its numerically stable form, by nodes of the value as it was written.
// A value may hold derivatives that were taken before, and what those were made of has been brought into a stable form of its own: a node that is
// differentiated by stands in it under several forms. All of them are that node, so its derivative is the sum of theirs.
import { gradient } from "../grad/grad.ts";
import { gradientMeta, sumNodes } from "../graph/node.ts";
import type { Node } from "../graph/types.ts";
import { stabilised } from "../rewrite/simplify.ts";

/** Stable forms of nodes, each made for one derivative. */
export type StableForms = Map<Node, Set<Node>>;
/** The node and all forms of it, also forms of forms. */
function formsOf(node: Node, forms: StableForms): Node[] {
  const found = new Set([node]);
  for (const x of found) for (const y of forms.get(x) ?? []) found.add(y);
  return [...found];
}
/** d root / d node for each of the nodes; undefined where the root does not depend on one. Adds the forms that it makes to those that are known. */
export function derivatives(root: Node, nodes: readonly Node[], forms: StableForms): (Node | undefined)[] {
  const groups = nodes.map((x) => formsOf(x, forms));
  const remember = (from: Node, to: Node): void => {
    const known = forms.get(from);
    if (known) known.add(to);
    else forms.set(from, new Set([to]));
  };
  const all = [...new Set(groups.flat())];
  const found = new Map<Node, Node>();
  gradient(stabilised(root, all, remember), all).forEach((g, i) => g && found.set(all[i]!, g));
  return groups.map((group, i) => {
    const parts = group.flatMap((x) => found.get(x) ?? []);
    return parts.length ? sumNodes(parts, gradientMeta(nodes[i]!)) : undefined;
  });
}
