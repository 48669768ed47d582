// Graphs as formulas, as data, and for Graphviz: objectives and exports, their derivatives, and what simplification makes of all that is run.
import type { Program, TrainProgram } from "../elaborate/program.ts";
import { toDot, toJson } from "../graph/dump.ts";
import { printGraph } from "../graph/print.ts";
import type { GraphProgram } from "../graph/types.ts";
import type { Compiled } from "../plan/unit.ts";
import { derivationText } from "./derivation.ts";
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
  program.trains.map((t) => ({ ...graphPart(backwardOf(t)), text: () => derivationText(t) }));
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
