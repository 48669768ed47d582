// The forward graph: a box for every value that has a name in the derivation, drawn in layers; a list where it is huge. In: nodes. Out: a tab.
import type { Graph } from "@dagrejs/dagre";
import { box, labelled, make } from "../../compiler/cli/page/dom.ts";
import type { DrawnGraph, GraphNode, Mark } from "../../compiler/cli/look/types.ts";
import { Choices, listbox, type Option } from "./list.ts";
import { cut, svg } from "./svg.ts";
import type { Context, View } from "./view.ts";

const mostDrawn = 160;
const height = 40;
const widthOf = ({ name, about }: GraphNode): number =>
  Math.min(230, Math.max(64, 24 + 7.3 * Math.max(cut(name, 28).length, 0.86 * cut(about, 32).length)));

export function graphView(context: Context): View {
  const choices = new Choices(context.selection, "graph");
  const body = box("drawing");
  const select = make("select");
  const field = labelled("Train block", select);
  const parameters = make("input", undefined, { type: "checkbox" });
  parameters.addEventListener("change", () => void draw());
  const node = box(
    "view",
    make("p", "What the loss is made of, from the top: what is given, every value with a name, the objective.", {
      className: "note",
    }),
    box("bar", field, make("label", undefined, { className: "field" }, [parameters, "with parameters"])),
    body,
  );
  let drawn: DrawnGraph = { marks: [], graphs: [] };
  const draw = async (): Promise<void> => {
    const graph = drawn.graphs.find((g) => g.name === select.value) ?? drawn.graphs[0];
    if (!graph)
      return void body.replaceChildren(
        make("p", "Without a train block there is no loss to draw.", { className: "note" }),
      );
    const nodes = parameters.checked ? graph.nodes : withoutParameters(graph.nodes);
    if (nodes.length > mostDrawn) return asList(nodes);
    await asDrawing(nodes);
  };
  const asList = (nodes: readonly GraphNode[]): void => {
    const list = listbox("Values of the forward graph");
    const options = nodes.map((n): Option => {
      const from = n.reads.map((i) => nodes[i]!.name).join(", ");
      const row = make("div", `${n.name}: ${n.about}${from ? `  ←  ${from}` : ""}`, { className: "option" });
      list.append(row);
      return { node: row, label: n.name, at: n.at, around: n.around };
    });
    body.replaceChildren(make("p", `${nodes.length} values are too many for a drawing.`, { className: "note" }), list);
    choices.set(options, drawn.marks, list);
  };
  const asDrawing = async (nodes: readonly GraphNode[]): Promise<void> => {
    const { Graph, layout } = await import("@dagrejs/dagre");
    const graph = new Graph();
    graph.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 34, marginx: 12, marginy: 12 });
    graph.setDefaultEdgeLabel(() => ({}));
    nodes.forEach((n, i) => graph.setNode(String(i), { width: widthOf(n), height }));
    nodes.forEach((n, i) => n.reads.forEach((from) => graph.setEdge(String(from), String(i))));
    layout(graph, { customOrder: inOrder });
    const size = graph.graph();
    const [wide, high] = [Math.ceil(Number(size.width)), Math.ceil(Number(size.height))];
    const picture = svg("svg", {
      viewBox: `0 0 ${wide} ${high}`,
      role: "listbox",
      "aria-label": "Forward graph",
      "aria-multiselectable": "true",
    });
    const arrow = svg(
      "marker",
      { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
      [svg("path", { d: "M0 0 8 4 0 8z", class: "head" })],
    );
    picture.style.width = `${wide}px`; // smaller where there is less room, and then scrolled
    picture.style.minWidth = `${Math.min(wide, Math.max(340, 0.62 * wide))}px`;
    picture.append(svg("defs", {}, [arrow]));
    for (const edge of graph.edges()) {
      const points = (graph.edge(edge) as { points: { x: number; y: number }[] }).points;
      picture.append(
        svg("path", { d: curveOf(points), class: "edge", "marker-end": "url(#arrow)", "aria-hidden": "true" }),
      );
    }
    const options = nodes.map((n, i): Option => {
      const { x, y, width } = graph.node(String(i)) as { x: number; y: number; width: number };
      const group = svg(
        "g",
        {
          class: `node ${n.kind}`,
          transform: `translate(${x - width / 2} ${y - height / 2})`,
        },
        [
          svg("rect", { width, height, rx: 8 }),
          svg("text", { x: width / 2, y: 17, class: "name" }, [cut(n.name, 28)]),
          svg("text", { x: width / 2, y: 31, class: "about" }, [cut(n.about, 32)]),
          svg("title", {}, [`${n.name}: ${n.about}`]),
        ],
      );
      picture.append(group);
      return { node: group, label: n.name, at: n.at, around: n.around };
    });
    body.replaceChildren(picture);
    // where there is less room than it takes, what it begins with is seen first
    const top = nodes
      .map((_, i) => graph.node(String(i)) as { x: number; y: number })
      .reduce((a, b) => (b.y < a.y ? b : a));
    body.scrollLeft = (top.x * picture.clientWidth) / wide - body.clientWidth / 2;
    choices.set(options, drawn.marks, picture);
  };
  select.addEventListener("change", () => void draw());
  return {
    node,
    marks: (): readonly Mark[] => drawn.marks,
    show: async () => {
      drawn = await context.ask("graph", undefined);
      const { value } = select;
      select.replaceChildren(...drawn.graphs.map((g) => make("option", g.name, { value: g.name })));
      if (drawn.graphs.some((g) => g.name === value)) select.value = value;
      field.hidden = drawn.graphs.length < 2;
      await draw();
    },
  };
}
function withoutParameters(nodes: readonly GraphNode[]): readonly GraphNode[] {
  const kept = nodes.filter((n) => n.kind !== "parameter");
  const number = new Map(kept.map((n, i) => [n, i]));
  return kept.map((n) => ({ ...n, reads: n.reads.flatMap((i) => number.get(nodes[i]!) ?? []) }));
}
function inOrder(layers: Graph, order: (layers: Graph, options: object) => void): void {
  order(layers, {});
  leavesAround(layers);
}
/** What reads nothing and is read once (the sums of l2) lies on both sides of what is read with it: the way from the data to the loss stays in the middle. */
function leavesAround(layers: Graph): void {
  // between two values stand the points that their arrow passes
  const isPoint = (v: string): boolean => placeOf(layers, v).dummy !== undefined;
  const isLeaf = (v: string): boolean => {
    const [before, ...others] = layers.predecessors(v) ?? [];
    if (layers.successors(v)?.length !== 1 || others.length) return false;
    return before === undefined || (isPoint(v) && isLeaf(before));
  };
  const readerOf = (v: string): string | undefined => {
    let at = layers.successors(v)?.[0];
    while (at !== undefined && isPoint(at)) at = layers.successors(at)?.[0];
    return at;
  };
  const byRank = new Map<number, string[]>();
  for (const v of layers.nodes()) {
    const { rank } = placeOf(layers, v);
    if (rank !== undefined) byRank.set(rank, [...(byRank.get(rank) ?? []), v]);
  }
  for (const row of byRank.values()) {
    let sorted = row.sort((a, b) => (placeOf(layers, a).order ?? 0) - (placeOf(layers, b).order ?? 0));
    for (const reader of new Set(sorted.filter(isLeaf).map(readerOf))) {
      const leaves = sorted.filter((v) => isLeaf(v) && readerOf(v) === reader);
      const rest = sorted.filter((v) => !leaves.includes(v));
      const stem = rest.findIndex((v) => readerOf(v) === reader);
      if (stem < 0 || leaves.length < 2) continue;
      const half = Math.floor(leaves.length / 2);
      const end = rest.findLastIndex((v) => readerOf(v) === reader) + 1;
      const middle = rest.slice(stem, end);
      sorted = [...rest.slice(0, stem), ...leaves.slice(0, half), ...middle, ...leaves.slice(half), ...rest.slice(end)];
    }
    sorted.forEach((v, i) => (placeOf(layers, v).order = i));
  }
}
/** What the layout keeps of a node. */
const placeOf = (layers: Graph, v: string): Placed => layers.node(v) as Placed;
interface Placed {
  readonly rank?: number;
  readonly dummy?: string;
  order?: number;
}
/** Through the middles of the points that the layout gives. */
function curveOf(points: readonly { readonly x: number; readonly y: number }[]): string {
  const [first, ...rest] = points;
  const last = rest.at(-1);
  if (!first || !last) return "";
  const parts = [`M${first.x} ${first.y}`];
  for (let i = 0; i + 1 < rest.length; i++) {
    const [a, b] = [rest[i]!, rest[i + 1]!];
    const end = i + 2 === rest.length ? b : { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    parts.push(`Q${a.x} ${a.y} ${end.x} ${end.y}`);
  }
  if (rest.length === 1) parts.push(`L${last.x} ${last.y}`);
  return parts.join(" ");
}
