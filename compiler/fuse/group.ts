// A group of nodes that one launch computes, while fusion grows it.
import type { Integer, Node, Scan, Shape } from "../graph/types.ts";

/** A place that a node's value is written to; `at` turns the node's own indices into the memory's. */
export interface Home {
  readonly memory: Node;
  readonly at: (own: readonly Integer[]) => readonly Integer[];
}
export interface Group {
  readonly kind: "kernel" | "scan" | "copy";
  readonly scan?: Scan;
  readonly copy?: { readonly from: Node; readonly home: Home };
  nodes: Node[]; // in topological order
  domain: Shape; // without axes of extent 1
  rank: number; // of the first node in the order of the program
  readonly before: Set<Group>; // must run earlier
  readonly after: Set<Group>;
  alive: boolean;
  version: number; // rises with every merge
}
