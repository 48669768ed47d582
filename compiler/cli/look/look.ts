// All that the playground shows of a text, at once: for a file that needs no compiler. In: a text, its compilation, what its front end knows. Out: plain data.
import type { CompileResult } from "../../compile.ts";
import type { FrontOptions } from "../../front.ts";
import { query } from "../../query/query.ts";
import { costsOf, drawnGraph, timelineOf } from "./drawn.ts";
import { checkedOf } from "./front.ts";
import { madeOf, stageText } from "./stages.ts";
import {
  stageNames,
  type Checked,
  type Costs,
  type DrawnGraph,
  type StageName,
  type StageText,
  type Timeline,
} from "./types.ts";

export interface Look {
  readonly name: string;
  readonly text: string;
  readonly compiler: string;
  readonly checked: Checked;
  readonly costs: Costs;
  readonly stages: Readonly<Partial<Record<StageName, StageText>>>;
  readonly graph: DrawnGraph;
  readonly timeline: Timeline;
}
/** Of a text without errors. */
export function lookOf(compiled: CompileResult, options: FrontOptions): Look | undefined {
  const made = madeOf(compiled);
  if (!made) return undefined;
  const { name, text } = made.source;
  const stages = stageNames.flatMap((stage) => (stage === "trainer" ? [] : [[stage, stageText(stage, made)] as const]));
  return {
    name,
    text,
    compiler: made.plan.compiler,
    checked: checkedOf(query(text, options), name, 0),
    costs: costsOf(made),
    stages: Object.fromEntries(stages),
    graph: drawnGraph(made),
    timeline: timelineOf(made),
  };
}
