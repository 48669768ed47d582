// The tabs that a text has everywhere: in the playground and in the file of `dlm inspect --html`. In: what is known of a text. Out: tabs.
import type { StageName } from "../compiler/cli/look/types.ts";
import type { Tab } from "./tabs.ts";
import { callsView } from "./views/calls.ts";
import { graphView } from "./views/graph.ts";
import { stageView, type StageOptions } from "./views/stage.ts";
import { timelineView } from "./views/timeline.ts";
import type { Context } from "./views/view.ts";

export function tabsOf(context: Context): readonly Tab[] {
  const stage = (name: StageName, options: StageOptions): Tab => ({
    name,
    title: options.title,
    make: () => stageView(context, name, options),
  });
  return [
    { name: "calls", title: "Calls", make: () => callsView(context) },
    { name: "graph", title: "Graph", make: () => graphView(context) },
    stage("formulas", {
      title: "Derivative",
      about:
        "The objective and its derivatives as formulas, simplified over the reals: every name in a line is defined above it.",
      latex: true,
    }),
    stage("fused", {
      title: "Fused",
      about: "The training step as kernels in the order of their launches: what each computes, reads and writes.",
      before: { stage: "simplified", title: "simplified graph" },
    }),
    stage("schedule", {
      title: "Schedule",
      about: "How each kernel is cut into workgroups: the cheapest of some hundred schedules.",
      before: { stage: "fused", title: "fused program" },
    }),
    stage("wgsl", {
      title: "WGSL",
      about:
        "The code that runs. Each module begins with the formula that it computes and the lines that it comes from.",
      before: { stage: "schedule", title: "schedule" },
      code: true,
    }),
    { name: "plan", title: "Plan", make: () => timelineView(context) },
    stage("trainer", {
      title: "Trainer",
      about:
        "The module that trains the model anywhere, without the compiler. The runtime, the same for every model, is left out here.",
      code: true,
    }),
  ];
}
