// A plan whose kernels have alternatives that are faster without doubt, and give the same bits: what stands there runs several times.
import type { Command, Dispatch, Plan } from "../runtime/plan.ts";

const times = 6;
/** Of a plan with alternatives: the launches of each forward kernel that has some. */
export function slowed(plan: Plan): Plan {
  const commands = (list: readonly Command[]): Command[] =>
    list.flatMap((c): Command[] => {
      if (c.kind !== "dispatch" || !c.alternatives || c.alternatives.parts || !/forward/.test(c.label)) return [c];
      const { alternatives, ...own } = c;
      const first: Dispatch = {
        ...own,
        alternatives: { ...alternatives, parts: times - 1, ways: [{ schedule: "once", dispatches: [own] }] },
      };
      return [...Array.from({ length: times - 1 }, () => own), first];
    });
  return {
    ...plan,
    trains: plan.trains.map((t) => ({ ...t, step: { ...t.step, commands: commands(t.step.commands) } })),
  };
}
