// Sizes, types and counts of a plan in a few words.
import { byteText } from "../kernel/sizes.ts";
import type { Trade } from "../programs/fuse.ts";
import { sizeOf, type Plan, type PlanPort, type Size, type WorkgroupCount } from "../../runtime/plan.ts";

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

export { byteText };
/** What memory costs: "39.3 MB to 25.6 MB for 0.2 % more arithmetic, 9 kernels again". */
export function tradeText({ bytes, flops, again }: Trade): string {
  const [before, after] = bytes;
  if (!again) return `${byteText(before)} to ${byteText(after)} by the order of kernels`;
  const more = (100 * (flops[1] - flops[0])) / Math.max(1, flops[0]);
  return `${byteText(before)} to ${byteText(after)} for ${more.toFixed(1)} % more arithmetic, ${counted(again, "kernel")} again`;
}
export const sizeText = (size: PlanPort["shape"][number]): string =>
  typeof size === "number"
    ? String(size)
    : size.sum
        .map((t) => [...(t.factor === 1 && t.dims.length ? [] : [String(t.factor)]), ...t.dims].join(" * "))
        .join(" + ") || "0";
/** `f32[B, 64]` */
export const typeText = (p: PlanPort): string =>
  `${p.dtype}${p.shape.length ? `[${p.shape.map(sizeText).join(", ")}]` : ""}`;
/** `i32[B] in 0..10` */
export const rangedText = (p: PlanPort): string =>
  typeText(p) + (p.range ? ` in ${p.range[0]}..${sizeText(p.range[1])}` : "");
export const portText = (p: PlanPort): string =>
  `${p.name}: ${rangedText(p)}${p.optional === undefined ? "" : ` = ${p.optional}`}`;

export function workgroupsText([x, y]: readonly [WorkgroupCount, WorkgroupCount]): string {
  const one = (w: WorkgroupCount): string =>
    typeof w === "number"
      ? String(w)
      : w === "fold"
        ? ""
        : w.tiles.every(([size]) => typeof size === "number")
          ? String(w.tiles.reduce((n, [size, tile]) => n * Math.ceil((size as number) / tile), 1))
          : w.tiles.map(([size, tile]) => (tile === 1 ? sizeText(size) : `⌈${sizeText(size)} / ${tile}⌉`)).join(" · ");
  const parts = [one(x), one(y)].filter((text) => text && text !== "1");
  return `${parts.join(" × ") || "1"} wg`;
}
export const numberOf = (size: Size): string => (typeof size === "number" ? size.toLocaleString("en") : sizeText(size));
