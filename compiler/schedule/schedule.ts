// A schedule: how a kernel is laid over invocations, registers and loops. Plain data, printed by `inspect`; what is computed does not depend on it.
// Axes are named as in the nest (nest.ts); "flat" is all output axes in one, "fused" the thread axis made of several.

export interface Schedule {
  readonly flat: boolean; // all output axes are one, in row-major order
  readonly threads: readonly (readonly [axis: string, count: number])[]; // of a workgroup, outer to inner; "a+b": reductions over a and over b, one after the other, share these threads
  readonly fuse: readonly string[]; // these output axes, flattened, are the thread axis "fused"
  readonly tile: Readonly<Record<string, number>>; // elements of one invocation: registers of an output axis, unrolling of a reduction axis
  readonly serial: Readonly<Record<string, number>>; // tiles of an output axis that one invocation computes after one another
  readonly vector: string; // four neighbours along this axis are one vec4; "" = none
  readonly sums: "vector" | "scalar"; // accumulators along an output vector: vec4, or single ones that only the stores put together
  readonly share: readonly string[]; // tiled axes whose elements are loaded by one lane each and broadcast
  readonly rows: string; // a rolled loop along this axis of the tile stores; "" = every store written out
  readonly together: "subgroup" | "workgroup"; // how threads that share a reduction sum up
  readonly slide: boolean; // values of a window are carried round the innermost loop
  readonly keepLoops: boolean; // short loops start at a zero that the driver cannot know: some unroll them at great cost
  readonly sharedLate: boolean; // many values that all invocations share are loaded where they are used: GPUs have registers of their own for them, but few
  readonly joined: boolean; // of a contraction: its axes are joined to those of a product of matrices (contraction.ts)
  readonly staged: Readonly<Record<string, number>>; // its reduced axis -> chunk: what the workgroup reads of a chunk is fetched into its memory first
  readonly quads: readonly string[]; // four neighbours along these axes belong to one invocation, where it has several
  readonly ahead: boolean; // the fetches of the next chunk are on their way while this one is summed up
  readonly padded: boolean; // rows of a chunk begin in different banks of workgroup memory
  readonly anySize: boolean; // of a flat kernel: written as for an extent that its workgroups do not fill, so that kernels of other sizes have the same text
  readonly split: number; // steps of one part of a reduction whose parts a second kernel sums up; 0 = whole
}
export const plainSchedule: Schedule = {
  flat: false,
  threads: [["", 1]],
  fuse: [],
  tile: {},
  serial: {},
  vector: "",
  sums: "vector",
  share: [],
  rows: "",
  together: "subgroup",
  slide: false,
  keepLoops: false,
  sharedLate: false,
  joined: false,
  staged: {},
  quads: [],
  ahead: false,
  padded: false,
  anySize: false,
  split: 0,
};

/** Threads along an axis. */
export function threadsAlong(s: Pick<Schedule, "threads">, axis: string): number {
  for (const [name, count] of s.threads)
    if (name === axis || (name.includes("+") && name.split("+").includes(axis))) return count;
  return 1;
}

/** One line for people. */
export function printSchedule(s: Schedule): string {
  const record = (r: Readonly<Record<string, number>>): string =>
    Object.entries(r)
      .map(([axis, n]) => `${axis}:${n}`)
      .join(" ");
  return [
    `threads ${s.threads.map(([axis, n]) => `${axis}:${n}`).join(" ")}`,
    ...(s.flat ? ["flat"] : []),
    ...(s.fuse.length ? [`fuse ${s.fuse.join(" ")}`] : []),
    ...(Object.keys(s.tile).length ? [`tile ${record(s.tile)}`] : []),
    ...(Object.keys(s.serial).length ? [`serial ${record(s.serial)}`] : []),
    ...(s.vector ? [`vec4 ${s.vector}`] : []),
    ...(s.vector && s.sums === "scalar" ? ["scalar sums"] : []),
    ...(s.share.length ? [`share ${s.share.join(" ")}`] : []),
    ...(s.rows ? [`rows ${s.rows}`] : []),
    ...(s.together === "workgroup" ? ["sums in workgroup memory"] : []),
    ...(s.slide ? ["slide"] : []),
    ...(s.joined ? ["joined"] : []),
    ...(Object.keys(s.staged).length
      ? [`staged ${record(s.staged)}${s.ahead ? " ahead" : ""}${s.padded ? " padded" : ""}`]
      : []),
    ...(s.quads.length ? [`quads ${s.quads.join(" ")}`] : []),
    ...(s.anySize ? ["any size"] : []),
    ...(s.split ? [`parts of ${s.split}`] : []),
  ].join("; ");
}
