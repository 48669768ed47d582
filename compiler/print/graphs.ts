// Graphs as formulas, as data, and for Graphviz: objectives and exports, their derivatives, and what simplification makes of all that is run.
import type { Program, TrainProgram } from "../elaborate/program.ts";
import { toDot, toJson } from "../graph/dump.ts";
import { nameNodes, printGraph, printNode } from "../graph/print.ts";
import type { GraphProgram } from "../graph/types.ts";
import type { Compiled } from "../plan/unit.ts";
import type { Part } from "./part.ts";

const graphPart = (p: GraphProgram, name = p.name): Part => ({
  name,
  text: () => printGraph(p),
  json: () => toJson(p),
  dot: () => toDot(p),
});
export const forwardParts = (program: Program): readonly Part[] => [
  ...program.trains.map((t) => graphPart(forwardOf(t))),
  ...program.exports.map((x) => graphPart(x.program)),
];
export const backwardParts = (program: Program): readonly Part[] =>
  program.trains.map((t) => ({ ...graphPart(backwardOf(t)), text: () => backwardText(t) }));
export const simplifiedParts = (programs: readonly Compiled[]): readonly Part[] =>
  programs.map((p) => graphPart(p.simplified, p.name));

const forwardOf = (t: TrainProgram): GraphProgram => ({
  name: t.name,
  inputs: [],
  dims: [],
  outputs: t.objectives.map((o) => ({ name: o.name, node: o.loss })),
  updates: [],
});
const backwardOf = (t: TrainProgram): GraphProgram => ({
  name: t.name,
  inputs: [],
  dims: [],
  outputs: t.objectives.flatMap((o) => [
    { name: o.name, node: o.loss },
    ...o.gradients.map((g) => ({ name: `d_${g.parameter.path}`, node: g.gradient })),
  ]),
  updates: [],
});
/** Only what the forward graph does not have. */
function backwardText(t: TrainProgram): string {
  const forward = new Set(nameNodes(forwardOf(t)).order);
  const { order, names } = nameNodes(backwardOf(t));
  for (const x of forward) names.node(x); // named first, so that they have the names of that stage
  const lines = order
    .filter((x) => !forward.has(x))
    .flatMap((x) => printNode(x, names).map((line) => "  ".repeat(x.scans.size) + line));
  for (const o of t.objectives)
    for (const g of o.gradients) lines.push(`d ${o.name} / d ${g.parameter.path} = ${names.node(g.gradient)}`);
  return lines.join("\n");
}
