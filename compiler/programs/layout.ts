// How the memory of a model's tensors is typed and named in kernels. In: Program. Out: Layout.
import type { Storage } from "../../runtime/plan.ts";
import type { Program } from "../elaborate/program.ts";
import { source } from "../graph/node.ts";
import type { Node, Source } from "../graph/types.ts";
import type { Layout } from "../kernel/layout.ts";

/** Columns may be stored as bytes. */
export const storageOf = (program: Program): ReadonlyMap<Node, Storage> =>
  new Map(program.datasets.flatMap((d) => d.columns.map((c) => [c.source, c.storage] as const)));

/** Does it live on between the runs of a unit? */
export const isPersistent = (x: Node): boolean => x.kind === "source" && x.role !== "scratch" && x.role !== "carry";

export const layoutOf = (storage: ReadonlyMap<Node, Storage>): Layout => ({
  storageOf: (x) => storage.get(x) ?? x.dtype,
  nameOf: (x) => (x.kind === "source" ? shortName(x.label ?? x.path) || "constants" : (x.label ?? "values")),
});
/** The last words of a dotted path. */
const shortName = (path: string): string => path.split(".").slice(-3).join("_");

/** Of units that run once or seldom: their draws take their sites from memory, so that one kernel does for many of them. */
export function layoutOfSeldom(layout: Layout): {
  readonly layout: Layout;
  readonly sites: ReadonlyMap<Source, number>;
} {
  const sources = new Map<number, Source>();
  const sites = new Map<Source, number>();
  const siteOf = (site: number): Source => {
    let found = sources.get(site);
    if (!found) {
      // no data in it: a load of what is known is folded
      found = source({ role: "input", path: `draw.${site}`, shape: [1], dtype: "i32", label: "draw_site" });
      sources.set(site, found);
      sites.set(found, site);
    }
    return found;
  };
  return { layout: { ...layout, siteOf }, sites };
}
