// Loops, and what they leave behind.
import { InternalError } from "../../grammar/diagnostic.ts";
import { working } from "./compilation.ts";
import { compute, nothing } from "./compute.ts";
import { iadd } from "./integers.ts";
import { unionScans, variable } from "./leaves.ts";
import { load } from "./loads.ts";
import { placeNow, type Place } from "./origin.ts";
import { metaOf, sameShape } from "./shape.ts";
import { reshape, source } from "./sources.ts";
import type { Node, Range, Result, Scan, ScanSet, Shape, Source, Variable } from "./types.ts";

/**
 * A loop. `build` gets the step variable and the incoming carries and returns the outgoing ones, in order. `ranges`: of the integer carries, at every
 * step; default: those of the initial values.
 */
export function scan(
  of: {
    count: number;
    initial: readonly Node[];
    names?: readonly string[];
    ranges?: readonly (Range | undefined)[];
    reverse?: boolean;
    span?: Place | undefined;
  },
  build: (step: Variable, incoming: readonly Source[]) => readonly Node[],
): Scan {
  const compilation = working();
  const span = placeNow(of.span);
  let body: Pick<Scan, "carries" | "scans"> | undefined;
  const finished = (): Pick<Scan, "carries" | "scans"> => {
    if (!body) throw new InternalError("scan: its carries are asked for while its body is built");
    return body;
  };
  // a loop, its step and its incoming carries name each other: the knot is tied here, and nowhere else is a node incomplete
  const made: Scan = {
    kind: "scan",
    id: compilation.nextId(),
    compilation,
    count: of.count,
    reverse: of.reverse ?? false,
    get step() {
      return step;
    },
    get carries() {
      return finished().carries;
    },
    get scans() {
      return finished().scans;
    },
    ...(span ? { span } : {}),
  };
  const step = variable(of.count, "t", { scan: made });
  const incoming = of.initial.map((x, i) =>
    source({
      role: "carry",
      path: of.names?.[i] ?? `carry${i}`,
      shape: x.shape,
      dtype: x.dtype,
      range: x.dtype === "i32" ? (of.ranges ? of.ranges[i] : x.range) : undefined,
      scan: made,
      reach: x.reach,
      span: of.span,
    }),
  );
  const next = build(step, incoming);
  next.forEach((x, i) => {
    if (!sameShape(x.shape, of.initial[i]!.shape) || x.dtype !== of.initial[i]!.dtype)
      throw new InternalError("scan: a carry changes its type");
  });
  body = {
    carries: of.initial.map((initial, i) => ({ initial, incoming: incoming[i]!, next: next[i]! })),
    scans: withoutScan(
      [...of.initial, ...next].map((x) => x.scans),
      made,
    ),
  };
  return made;
}
const withoutScan = (sets: readonly ScanSet[], own: Scan): ScanSet => {
  const all = unionScans(sets);
  return all.has(own) ? new Set([...all].filter((s) => s !== own)) : all;
};
function result(scanned: Scan, of: Result["of"], key: string, shape: Shape, like: Node): Result {
  const scans = of.kind === "stack" ? withoutScan([scanned.scans, of.node.scans], scanned) : scanned.scans;
  return scanned.compilation.intern<Result>(`P${scanned.id},${key}`, (id) => ({
    kind: "result",
    scan: scanned,
    of,
    shape,
    dtype: like.dtype,
    id,
    compilation: scanned.compilation,
    scans,
    reach: like.reach,
    ...(like.range ? { range: like.range } : {}),
    ...metaOf(like),
  }));
}
export const finalOf = (s: Scan, carry: number): Node =>
  s.count === 0
    ? s.carries[carry]!.initial
    : result(s, { kind: "final", carry }, `f${carry}`, s.carries[carry]!.next.shape, s.carries[carry]!.next);
export const historyOf = (s: Scan, carry: number): Node =>
  s.count === 0
    ? reshape(s.carries[carry]!.initial, [1, ...s.carries[carry]!.initial.shape])
    : result(
        s,
        { kind: "history", carry },
        `h${carry}`,
        [s.count + 1, ...s.carries[carry]!.next.shape],
        s.carries[carry]!.incoming,
      );
/** A node of the body at every step, stacked on a new first axis. */
export function stackOf(s: Scan, node: Node): Node {
  const shape = [s.count, ...node.shape];
  if (s.count === 0)
    return compute(
      shape.map((n) => variable(n)),
      undefined,
      nothing(undefined, node.dtype, 0),
      metaOf(node),
    );
  const carry = s.carries.findIndex((c) => c.incoming === node);
  if (carry >= 0) {
    const output = shape.map((n) => variable(n));
    return compute(
      output,
      undefined,
      load(historyOf(s, carry), [s.reverse ? iadd(output[0]!, 1) : output[0]!, ...output.slice(1)]),
    );
  }
  if (!node.scans.has(s)) {
    const output = shape.map((n) => variable(n));
    return compute(output, undefined, load(node, output.slice(1)));
  }
  return result(s, { kind: "stack", node }, `s${node.id}`, shape, node);
}
