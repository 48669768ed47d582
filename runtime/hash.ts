// A plan by a short text: what was measured of one is of no use to another. In: a plan. Out: 16 digits.
import type { Plan } from "./plan.ts";

/** FNV-1a, twice 32 bits. */
export function hashOf(plan: Plan): string {
  const text = JSON.stringify(plan);
  return [0x811c9dc5, 0x01234567]
    .map((basis) => {
      let h = basis;
      for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
      return (h >>> 0).toString(16).padStart(8, "0");
    })
    .join("");
}
