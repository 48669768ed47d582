// A plan in a few words.
import { sizeOf, type Plan } from "../../runtime/plan.ts";

/** "10,442 parameters · fit: 11 kernels a step · predict" */
export function modelSummary(plan: Plan): string {
  return [
    parameterText(plan),
    ...plan.trains.map(
      (t) => `${t.name}: ${counted(dispatchesPerStep(t.step.commands), "dispatch", "dispatches")} a step`,
    ),
    ...(plan.exports.length ? [`exports ${plan.exports.map((x) => x.name).join(", ")}`] : []),
  ].join(" · ");
}
export const parameterCount = (plan: Plan): number =>
  plan.states.reduce(
    (n, t) => n + (t.kind === "parameter" ? t.shape.reduce<number>((product, size) => product * sizeOf(size), 1) : 0),
    0,
  );
export const parameterText = (plan: Plan): string => counted(parameterCount(plan), "parameter");
export const counted = (n: number, one: string, several = `${one}s`): string =>
  `${n.toLocaleString("en")} ${n === 1 ? one : several}`;
export function dispatchesPerStep(commands: Plan["trains"][number]["step"]["commands"]): number {
  return commands.reduce(
    (n, c) => n + (c.kind === "loop" ? c.count * dispatchesPerStep(c.body) : c.kind === "dispatch" ? 1 : 0),
    0,
  );
}
