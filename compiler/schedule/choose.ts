// The schedule of a kernel: the cheapest of its space. In: a nest, a target. Out: the schedule, with its price.
import { remembered } from "../graph/compilation.ts";
import { specKey } from "../kernel/spec-key.ts";
import type { Target } from "../kernel/target.ts";
import { analyse } from "./access.ts";
import { bytesOf } from "./gpu.ts";
import { nestOf, type Nest } from "./nest.ts";
import { cheapestOf, type Priced } from "./least.ts";
import { leastPrice, priceOf, type Price } from "./price.ts";
import { plainSchedule, type Schedule } from "./schedule.ts";
import type { Candidate, Corner } from "./corner.ts";
import { corners, enumerate } from "./space.ts";
import { canSplit, isOpen, openParts, partsToTry, splitReduction } from "./split.ts";

export type Choice = Candidate & Price;
/** The schedules of the space, cheapest first. */
export function rank(nest: Nest, target: Target): Choice[] {
  return enumerate(nest, target)
    .map(({ nest: own, schedule }): Choice => ({ nest: own, schedule, ...priceOf(own, schedule, target) }))
    .sort((a, b) => a.total - b.total);
}
/** The first of `rank`, if it costs less than `most` ns. */
export function cheapest(nest: Nest, target: Target, most = Infinity): Choice | undefined {
  const bound = ({ nest: own, least, atOnce }: Corner): number =>
    least ? leastPrice(own, least, target, atOnce).total : 0;
  const priced = function* ({ candidates }: Corner, limit: number): Generator<Priced<Choice>> {
    for (const { nest: own, schedule } of candidates()) {
      const price = priceOf(own, schedule, target, limit);
      yield { of: { nest: own, schedule, ...price }, total: price.total };
    }
  };
  return cheapestOf(corners(nest, target), bound, priced, most)?.of;
}
const leastGain = 0.95; // a second launch must pay
/** The best schedule; where few results take a long reduction, maybe that of its parts. */
export const chooseSchedule = (nest: Nest, target: Target): Schedule => choose(nest, target).schedule;
/** ... with its price, or Infinity where there is no schedule but the plain one. */
export function choose(nest: Nest, target: Target): Chosen {
  const known = choices();
  let ofTarget = known.get(target);
  if (!ofTarget) known.set(target, (ofTarget = new Map()));
  const key = `${nest.outer.join()};${nest.inner.join()}\n${specKey(nest.spec).key}`;
  let chosen = ofTarget.get(key);
  if (!chosen) ofTarget.set(key, (chosen = found(nest, target)));
  return chosen;
}
type Chosen = Pick<Choice, "schedule" | "total">;
/** Of kernels that differ in their tensors alone, one is looked at. */
const choices = remembered<Target, Map<string, Chosen>>();
function found(nest: Nest, target: Target): Chosen {
  const best = cheapest(nest, target);
  if (!best) return { schedule: plainSchedule, total: Infinity };
  const merged = nest.spec; // neighbouring axes in one: the outermost is as long as it can be
  if (best.groups > 8 * target.cores || !canSplit(merged, target.storageBuffers)) return best;
  if (isOpen(merged)) {
    // the length is not known: many workgroups where it is long cost a launch where it is not
    const { chunk, count } = openParts(merged, target);
    if (count < 2) return best;
    const first = cheapest(nestOf(splitReduction(merged, chunk, count).parts), target);
    return first ? { schedule: { ...first.schedule, split: chunk }, total: best.total } : best;
  }
  let schedule = best.schedule;
  let least = best.total;
  const [n, ...others] = merged.stages[0]!.over.map((v) => v.extent);
  if (typeof n !== "number" || others.some((m) => typeof m !== "number")) return best; // run-time lengths under run-time axes
  const bytes = bytesOf(analyse(nest));
  for (const chunk of partsToTry(merged, n, bytes, target)) {
    const { parts, whole } = splitReduction(merged, chunk, 0);
    const first = cheapest(nestOf(parts), target, leastGain * least);
    const second = first && cheapest(nestOf(whole), target, leastGain * least - first.total);
    if (!second) continue;
    least = first.total + second.total;
    schedule = { ...first.schedule, split: chunk };
  }
  return { schedule, total: least };
}
