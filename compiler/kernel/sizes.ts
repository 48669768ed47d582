// Extents as sizes of the plan: numbers, or polynomials in the run-time dims.
import type { Size } from "../../runtime/plan.ts";
import type { Shape } from "../graph/types.ts";
export type { Size };

export const mostGroups = 65535; // workgroups in one dimension of a launch
export const bindingAlignment = 256; // bytes: where a part of a buffer that is bound by itself may begin

export function sizeOfExtents(extents: Shape): Size {
  if (extents.every((n) => typeof n === "number")) return extents.reduce((product, n) => product * n, 1);
  let terms: { factor: number; dims: string[] }[] = [{ factor: 1, dims: [] }];
  for (const n of extents) {
    const parts =
      typeof n === "number"
        ? [{ factor: n, dims: [] as string[] }]
        : n.kind === "dim"
          ? [{ factor: 1, dims: [n.name] }]
          : [
              ...n.terms.map(([atom, k]) => ({ factor: k, dims: [(atom as { name: string }).name] })),
              { factor: n.constant, dims: [] as string[] },
            ];
    terms = terms.flatMap((t) =>
      parts.filter((p) => p.factor !== 0).map((p) => ({ factor: t.factor * p.factor, dims: [...t.dims, ...p.dims] })),
    );
  }
  if (terms.every((t) => !t.dims.length)) return terms.reduce((sum, t) => sum + t.factor, 0);
  return { sum: terms };
}
/** Each so many times; products of the same dims are one term, the longest first. */
export function sumOfSizes(sizes: readonly (readonly [size: Size, times: number])[]): Size {
  const terms = new Map<string, { readonly factor: number; readonly dims: readonly string[] }>();
  for (const [size, times] of sizes)
    for (const { factor, dims } of typeof size === "number" ? [{ factor: size, dims: [] }] : size.sum) {
      const key = [...dims].sort().join(" * ");
      terms.set(key, { factor: (terms.get(key)?.factor ?? 0) + times * factor, dims });
    }
  const sum = [...terms.values()].filter((t) => t.factor).sort((a, b) => b.dims.length - a.dims.length);
  return sum.some((t) => t.dims.length) ? { sum } : (sum[0]?.factor ?? 0);
}

export function byteText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} kB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}
