// Schedules of one kernel that are worth a measurement: cheap by price, and different in kind. In: a nest. Out: schedules; one by its printed line.
import type { Target } from "../kernel/target.ts";
import { nestOf, type Nest } from "./nest.ts";
import { printSchedule, type Schedule } from "./schedule.ts";
import { cheapest, choose, rank, type Choice } from "./choose.ts";
import { enumerate } from "./space.ts";
import { canSplit, isOpen, partsToTry, splitReduction } from "./split.ts";
import { analyse } from "./access.ts";
import { bytesOf } from "./gpu.ts";

const dearest = 3; // times the price of the chosen one

/** Beside the chosen one, the cheapest of each kind, `most` of them at most. */
export function alternatives(nest: Nest, target: Target, most: number): readonly Schedule[] {
  const chosen = choose(nest, target);
  const seen = new Set([kindOf(chosen.schedule)]);
  const found: Schedule[] = [];
  for (const { schedule, total } of [...rank(nest, target), ...split(nest, target)].sort((a, b) => a.total - b.total)) {
    if (found.length === most || total > dearest * chosen.total) break;
    const kind = kindOf(schedule);
    if (seen.has(kind)) continue;
    seen.add(kind);
    found.push(schedule);
  }
  return found;
}
/** The schedule of this nest that is printed so; undefined where it has none. */
export function scheduleNamed(text: string, nest: Nest, target: Target): Schedule | undefined {
  const [, parts] = text.split("; parts of ");
  if (parts === undefined) return enumerate(nest, target).find((c) => printSchedule(c.schedule) === text)?.schedule;
  const chunk = Number(parts);
  if (!(chunk > 0) || !mayBeSplit(nest, target)) return undefined;
  const first = enumerate(nestOf(splitReduction(nest.spec, chunk, 0).parts), target);
  return first.map((c) => ({ ...c.schedule, split: chunk })).find((s) => printSchedule(s) === text);
}
/** Not by a hair: which axes share the invocations, how large a tile is, in what way it is summed up and fetched. */
function kindOf(s: Schedule): string {
  const size = (list: readonly number[]): number => Math.round(Math.log2(list.reduce((n, m) => n * m, 1)) / 2);
  return [
    s.flat || s.joined,
    s.threads.map(([axis]) => axis).join("+"),
    size(s.threads.map(([, n]) => n)),
    size(Object.values(s.tile)),
    s.vector,
    Object.keys(s.staged).length,
    s.share.length > 0,
    s.split > 0 && size([s.split]),
  ].join();
}
const mayBeSplit = ({ spec }: Nest, target: Target): boolean => canSplit(spec, target.storageBuffers) && !isOpen(spec);
/** The best for some numbers of parts. */
function split(nest: Nest, target: Target): Pick<Choice, "schedule" | "total">[] {
  const { spec } = nest;
  if (!mayBeSplit(nest, target)) return [];
  const [n, ...others] = spec.stages[0]!.over.map((v) => v.extent);
  if (typeof n !== "number" || others.some((m) => typeof m !== "number")) return [];
  return partsToTry(spec, n, bytesOf(analyse(nest)), target).flatMap((chunk) => {
    const { parts, whole } = splitReduction(spec, chunk, 0);
    const [first, second] = [cheapest(nestOf(parts), target), cheapest(nestOf(whole), target)]; // parts are not split again
    return first && second
      ? [{ schedule: { ...first.schedule, split: chunk }, total: first.total + second.total }]
      : [];
  });
}
