// A graph program for other programs: JSON, and the DOT language of Graphviz. Names are those of the printed form.
import { position } from "../../grammar/diagnostic.ts";
import { inputs } from "./node.ts";
import { extentText, nameNodes, printNode, updateText } from "./print.ts";
import type { GraphProgram, Node, Range, Scan } from "./types.ts";

export interface JsonGraph {
  readonly name: string;
  readonly dims: readonly string[];
  readonly nodes: readonly JsonNode[];
  readonly scans: readonly {
    readonly id: string;
    readonly count: number;
    readonly reverse: boolean;
    readonly inside: readonly string[];
    readonly carries: readonly { readonly initial: string; readonly incoming: string; readonly next: string }[];
  }[];
  readonly outputs: readonly { readonly name: string; readonly node: string }[];
  readonly updates: readonly { readonly target: string; readonly value: string; readonly formula?: string }[]; // where some elements alone are written
}
export interface JsonNode {
  readonly name: string;
  readonly kind: Node["kind"];
  readonly dtype: string;
  readonly shape: readonly (number | string)[]; // run-time extents as formulas of dims
  readonly inputs: readonly string[];
  readonly formula: string; // the printed line
  readonly role?: string; // of a source
  readonly reduction?: { readonly op: string; readonly extents: readonly (number | string)[]; readonly ties: string };
  readonly range?: { readonly low: number | string; readonly high: number | string }; // "-inf" and "inf" where unbounded
  readonly scans?: readonly string[]; // loops whose body it belongs to
  readonly of?: { readonly scan: string; readonly kind: string }; // what a result reads
  readonly data?: readonly number[];
  readonly span?: { readonly file: string; readonly line: number; readonly start: number; readonly end: number };
}

export function toJson(program: GraphProgram): JsonGraph {
  const { order, names } = nameNodes(program);
  const name = names.node;
  const scans = new Map<Scan, string>();
  for (const x of order) if (x.kind === "result" && !scans.has(x.scan)) scans.set(x.scan, `scan${scans.size}`);
  const extent = (n: Node["shape"][number]): number | string => (typeof n === "number" ? n : extentText(n));
  const bound = (n: number | string): number | string =>
    typeof n === "string" || Number.isFinite(n) ? n : n < 0 ? "-inf" : "inf";
  const range = ({ low, high }: Range): NonNullable<JsonNode["range"]> => ({
    low: bound(low),
    high: bound(extent(high)),
  });
  const inside = (set: ReadonlySet<Scan>): string[] => [...set].map((s) => scans.get(s)!);
  const nodes = order.map((x): JsonNode => ({
    name: name(x),
    kind: x.kind,
    dtype: x.dtype,
    shape: x.shape.map(extent),
    inputs: inputs(x).map(name),
    formula: printNode(x, names).join("\n"),
    ...(x.kind === "source" ? { role: x.role } : {}),
    ...(x.kind === "source" && x.data ? { data: x.data } : {}),
    ...(x.kind === "compute" && x.reduction
      ? { reduction: { op: x.reduction.op, extents: x.reduction.extents.map(extent), ties: x.reduction.ties } }
      : {}),
    ...(x.kind === "result" ? { of: { scan: scans.get(x.scan)!, kind: x.of.kind } } : {}),
    ...(x.range ? { range: range(x.range) } : {}),
    ...(x.scans.size ? { scans: inside(x.scans) } : {}),
    ...(x.span
      ? {
          span: {
            file: x.span.file.name,
            line: position(x.span.file, x.span.start).line,
            start: x.span.start,
            end: x.span.end,
          },
        }
      : {}),
  }));
  return {
    name: program.name,
    dims: program.dims.map((d) => d.name),
    nodes,
    scans: [...scans].map(([s, id]) => ({
      id,
      count: s.count,
      reverse: s.reverse,
      inside: inside(s.scans),
      carries: s.carries.map((c) => ({ initial: name(c.initial), incoming: name(c.incoming), next: name(c.next) })),
    })),
    outputs: program.outputs.map((o) => ({ name: o.name, node: name(o.node) })),
    updates: program.updates.map((u) => ({
      target: name(u.target),
      value: name(u.value),
      ...(u.at ? { formula: updateText(u, names) } : {}),
    })),
  };
}

/** Boxes by kind, a cluster for the body of every scan, an edge for every tensor read. */
export function toDot(program: GraphProgram): string {
  const { order, names } = nameNodes(program);
  const id = new Map(order.map((x, i) => [x, `n${i}`]));
  const scans = new Map<Scan, Node[]>();
  const lines = [
    "digraph {",
    "  rankdir=TB;",
    '  node [shape=box, fontname="monospace", fontsize=10];',
    `  label=${quote(program.name)};`,
  ];
  const box = (x: Node): string => {
    const [line = ""] = printNode(x, names);
    const style =
      x.kind === "source"
        ? "shape=oval"
        : x.kind === "compute" && x.reduction
          ? "style=filled, fillcolor=lightblue"
          : x.kind === "compute"
            ? "style=rounded"
            : "shape=hexagon";
    return `${id.get(x)} [label=${quote(line.length > 100 ? `${line.slice(0, 99)}…` : line)}, ${style}];`;
  };
  const innermost = (x: Node): Scan | undefined => [...x.scans].sort((a, b) => b.scans.size - a.scans.size)[0];
  for (const x of order) {
    const own = innermost(x);
    if (!own) lines.push(`  ${box(x)}`);
    else if (scans.has(own)) scans.get(own)!.push(x);
    else scans.set(own, [x]);
  }
  const cluster = (s: Scan, depth: number): void => {
    const pad = "  ".repeat(depth);
    lines.push(
      `${pad}subgraph cluster_${s.id} {`,
      `${pad}  label=${quote(`${names.step(s)} < ${s.count}${s.reverse ? " downwards" : ""}`)};`,
    );
    for (const x of scans.get(s) ?? []) lines.push(`${pad}  ${box(x)}`);
    for (const inner of scans.keys())
      if (inner !== s && inner.scans.has(s) && inner.scans.size === s.scans.size + 1) cluster(inner, depth + 1);
    lines.push(`${pad}}`);
  };
  for (const s of scans.keys()) if (!s.scans.size) cluster(s, 1);
  for (const x of order) for (const y of inputs(x)) lines.push(`  ${id.get(y)} -> ${id.get(x)};`);
  const carries = new Set(order.flatMap((x) => (x.kind === "result" ? [x.scan] : [])));
  for (const s of carries)
    for (const c of s.carries)
      if (id.has(c.incoming))
        lines.push(`  ${id.get(c.next)} -> ${id.get(c.incoming)} [style=dashed, constraint=false];`);
  program.outputs.forEach((o, i) =>
    lines.push(`  o${i} [label=${quote(o.name)}, shape=plaintext];`, `  ${id.get(o.node)} -> o${i};`),
  );
  program.updates.forEach((u, i) =>
    lines.push(`  u${i} [label=${quote(`new ${u.target.path}`)}, shape=plaintext];`, `  ${id.get(u.value)} -> u${i};`),
  );
  return [...lines, "}", ""].join("\n");
}
const quote = (text: string): string => JSON.stringify(text);
