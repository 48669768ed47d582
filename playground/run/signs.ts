// Signs of what goes wrong in a layer. In: its numbers, as compiler/elaborate/train/watch.ts names them. Out: words.
import type { WatchedKind } from "../../compiler/elaborate/train/watch.ts";

export type Numbers = { readonly [K in WatchedKind]?: number };
export type Sign = "not finite" | "exploding" | "vanishing" | "dead units" | "saturated";
const manyDead = 0.05; // of a layer's units
const mostFlat = 0.9; // of its values: half of them is what a relu does
const largeGradient = 1e3;
const largeValue = 1e4;
const smallGradient = 1e-6; // of the largest gradient of any layer

/** `largest`: the largest norm of a gradient among all layers. */
export function signsOf(n: Numbers, largest: number): Sign[] {
  const { gradient = NaN, weight = NaN, value = NaN, dead = 0, flat = 0 } = n;
  const all = Object.values(n);
  if (all.some((x) => !Number.isFinite(x))) return ["not finite"];
  return [
    ...(gradient >= largeGradient || value >= largeValue || weight >= largeValue ? (["exploding"] as const) : []),
    ...(gradient <= smallGradient * largest && largest > 0 ? (["vanishing"] as const) : []),
    ...(dead >= manyDead ? (["dead units"] as const) : []),
    ...(flat >= mostFlat ? (["saturated"] as const) : []),
  ];
}
/** What the signs mean, for people. */
export const meanings: Readonly<Record<Sign, string>> = {
  "not finite": "NaN or infinite",
  exploding: `a gradient of ${largeGradient} or more, values or weights of ${largeValue} or more`,
  vanishing: "a gradient below a millionth of the largest",
  "dead units": "a twentieth of the units or more: no gradient reaches them",
  saturated: "nine tenths of the values are flat",
};
/** The numbers of the layers among the names of metrics, "gradient net.linear". */
export function watchedName(name: string): { readonly kind: WatchedKind; readonly layer: string } | undefined {
  const [, kind, layer] = /^(gradient|weight|value|dead|flat) (.+)$/s.exec(name) ?? [];
  return kind && layer ? { kind: kind as WatchedKind, layer } : undefined; // the pattern has these alone
}
