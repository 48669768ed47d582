// A plan in a few words.
import type { Plan } from "../../runtime/plan.ts";
import { counted, dispatchesPerStep, parameterText } from "../print/text.ts";

/** "10,442 parameters · 36 kernels · fit: 20 dispatches a step · exports predict" */
export function modelSummary(plan: Plan): string {
  return [
    parameterText(plan),
    counted(plan.modules.length, "kernel"),
    ...plan.trains.map(
      (t) => `${t.name}: ${counted(dispatchesPerStep(t.step.commands), "dispatch", "dispatches")} a step`,
    ),
    ...(plan.exports.length ? [`exports ${plan.exports.map((x) => x.name).join(", ")}`] : []),
  ].join(" · ");
}
