// Where an invocation stands: workgroups and threads decoded into the first element of every output axis.
import { InternalError } from "../../grammar/diagnostic.ts";
import { greatestCommonDivisor } from "../graph/scalar.ts";
import type { Extent, Variable } from "../graph/types.ts";
import { call, i32, i32Number, member, name, operation, sumOf, u32, u32Number, type Expr } from "../kernel/expr.ts";
import { addForms, constantForm, nameForm, type Form } from "../kernel/forms.ts";
import type { Cost } from "../kernel/target.ts";
import { estimate } from "../schedule/nest.ts";
import type { Schedule } from "../schedule/schedule.ts";
import { mostGroups, sizeOfExtents, type Size } from "../kernel/sizes.ts";
import type { Values } from "./values.ts";

/** An output axis, or one of a reduction, under a schedule. */
export interface Axis {
  readonly name: string;
  readonly variable: Variable;
  readonly extent: Extent;
  readonly tile: number;
  readonly threads: number;
  readonly run: number; // neighbours of one invocation before the next one's
  readonly serial: number;
}
/** The element r of an invocation's tile lies so far from its first. */
export const offset = (axis: Axis, r: number): number =>
  axis.threads === 1 ? r : Math.floor(r / axis.run) * axis.threads * axis.run + (r % axis.run);

export interface Places {
  readonly starts: Map<string, Form>; // first element of an axis in this invocation
  readonly corners: Map<string, Form>; // first element of an axis in this workgroup, where boxes are used
  readonly thread: ReadonlyMap<string, string>; // names of the threads' positions along their axes
  readonly tiles: readonly (readonly [size: Size, tile: number])[]; // workgroups: product of ceil(size / tile)
  readonly groups: number; // about
  readonly beyond: Axis | undefined; // the axis that workgroups of a folded launch may lie beyond
}

/** A value of the whole kernel under a name of its own. */
export function define(values: Values, base: string, value: Expr, cost: Cost = "integer", comment?: string): Expr {
  const own = values.fresh(base);
  values.blocks[0]!.statements.push({
    kind: "let",
    name: own,
    value,
    cost,
    pinned: comment !== undefined,
    ...(comment === undefined ? {} : { comment }),
  });
  return name(own, i32);
}
/** i32(group.x), the number of the workgroup where a launch is not folded. */
export const groupNumber: Expr = call("i32", [member(name("group", u32), "x", u32)], i32);
export const foldedNumber: Expr = call(
  "i32",
  [
    operation(
      "+",
      operation("*", member(name("group", u32), "y", u32), u32Number(mostGroups)),
      member(name("group", u32), "x", u32),
    ),
  ],
  i32,
);
const times = (e: Expr, k: number): Expr => (k === 1 ? e : operation("*", e, i32Number(k)));
const over = (e: Expr, k: number | Expr): Expr => (k === 1 ? e : operation("/", e, sizeOf(k)));
const sizeOf = (n: number | Expr): Expr => (typeof n === "number" ? i32Number(n) : n);
interface Factor {
  readonly axis: Axis | undefined; // undefined: the fused axes
  readonly count: number | Expr; // of tiles
}
/** A factor of the workgroup's number. */
interface Part {
  readonly expr: Expr;
  readonly count: number;
}

/** Decodes the workgroup and the thread; emits a name for the first element of every axis. `lanes`: threads are a subgroup. */
export function locate(values: Values, axes: readonly Axis[], schedule: Schedule, lanes: boolean): Places {
  const starts = new Map<string, Form>();
  const corners = new Map<string, Form>();
  const tiles: (readonly [Size, number])[] = [];
  let groups = 1;
  const staging = Object.keys(schedule.staged).length > 0;
  const fused = axes.filter((a) => schedule.fuse.includes(a.name));
  const fusedThreads = schedule.threads.find(([axis]) => axis === "fused")?.[1] ?? 1;
  const factors: Factor[] = [];
  for (const a of axes) {
    if (fused.includes(a)) continue;
    const span = a.threads * a.tile * a.serial;
    tiles.push([sizeOfExtents([a.extent]), span]);
    groups *= Math.ceil(estimate(a.extent) / span);
    if (typeof a.extent === "number") factors.push({ axis: a, count: Math.ceil(a.extent / span) });
    else {
      const n = values.sizeOf(a.extent);
      factors.push({ axis: a, count: span === 1 ? n : over(operation("+", n, i32Number(span - 1)), span) });
    }
  }
  if (fused.length) {
    const extents = fused.map((a): Extent =>
      a.tile * a.serial === 1 ? a.extent : Math.ceil((a.extent as number) / (a.tile * a.serial)),
    );
    tiles.push([sizeOfExtents(extents), fusedThreads]);
    const total = extents.reduce<number>((p, n) => p * estimate(n), 1);
    groups *= Math.ceil(total / fusedThreads);
    // a run-time number of them comes first: nothing is divided by it
    if (extents.every((n) => typeof n === "number"))
      factors.push({ axis: undefined, count: Math.ceil(total / fusedThreads) });
    else factors.unshift({ axis: undefined, count: i32Number(0) }); // the outermost's count is not asked
  }
  const threadOf = locateThreads(values, schedule, lanes);
  const { part, folds } = locateGroup(values, factors, schedule.anySize, groups);
  const beyond = folds ? factors.find((f) => part.has(f))?.axis : undefined;
  for (const f of factors) {
    const own = part.get(f);
    if (f.axis) start(values, f.axis, own, threadOf.get(f.axis.name), staging, starts, corners);
    else startFused(values, fused, own, fusedThreads, threadOf.get("fused"), starts);
  }
  for (const a of axes) values.place(a.variable, starts.get(a.name)!);
  return { starts, corners, thread: threadOf, tiles, groups, beyond };
}
/** Decodes the thread; emits a name for its position along each axis that has threads. */
function locateThreads(values: Values, schedule: Schedule, lanes: boolean): Map<string, string> {
  const threadOf = new Map<string, string>();
  const workgroup = schedule.threads.reduce((p, [, n]) => p * n, 1);
  let inner = 1;
  const id =
    workgroup > 1
      ? define(
          values,
          lanes ? "lane" : "thread",
          call("i32", [name(lanes ? "lane_index" : "local_index", u32)], i32),
          "none",
        )
      : undefined;
  if (id) values.bind(id.text, { level: 0, low: 0, high: workgroup - 1, multiple: 1, varying: true });
  for (const [axis, n] of [...schedule.threads].reverse()) {
    if (id && n > 1) {
      const quotient = over(id, inner);
      const whole = inner * n === workgroup;
      const own =
        inner === 1 && whole
          ? id
          : define(
              values,
              `${axis.replaceAll("+", "_")}_thread`,
              whole ? quotient : operation("%", quotient, i32Number(n)),
            );
      values.bind(own.text, { level: 0, low: 0, high: n - 1, multiple: 1, varying: true });
      for (const one of axis.split("+")) threadOf.set(one, own.text);
    }
    inner *= n;
  }
  values.lanes = workgroup;
  values.lane = id?.text ?? "";
  return threadOf;
}
/** Decodes the workgroup's number, the last factor fastest. `folds`: more may be launched than there are tiles, which lie beyond the first factor. */
function locateGroup(
  values: Values,
  factors: readonly Factor[],
  anySize: boolean,
  groups: number,
): { readonly part: ReadonlyMap<Factor, Part>; readonly folds: boolean } {
  const live = factors.filter((f) => f.count !== 1 || anySize);
  const runtime = live.some((f) => typeof f.count !== "number");
  // a folded launch may have more workgroups than there are tiles: they lie beyond the first axis
  const folds = runtime || groups > mostGroups;
  const launched = runtime ? Infinity : folds ? Math.ceil(groups / mostGroups) * mostGroups : groups;
  const part = new Map<Factor, Part>();
  if (live.length) {
    const group = define(values, "tile", folds ? foldedNumber : groupNumber, "none");
    let product: number | Expr = 1;
    for (const [i, f] of [...live].reverse().entries()) {
      const outermost = i === live.length - 1;
      const quotient = over(group, product);
      const count =
        outermost && folds
          ? Math.ceil(launched / (typeof product === "number" ? product : 1))
          : typeof f.count === "number"
            ? f.count
            : Infinity;
      part.set(f, { expr: outermost ? quotient : operation("%", quotient, sizeOf(f.count)), count });
      product =
        typeof product === "number" && typeof f.count === "number"
          ? product * f.count
          : product === 1
            ? f.count
            : operation("*", sizeOf(product), sizeOf(f.count));
    }
  }
  return { part, folds };
}
function start(
  values: Values,
  a: Axis,
  group: Part | undefined,
  thread: string | undefined,
  staging: boolean,
  starts: Map<string, Form>,
  corners: Map<string, Form>,
): void {
  const span = a.threads * a.tile * a.serial;
  const run = a.serial > 1 ? a.tile * a.serial : a.run; // a serial axis is contiguous for each invocation
  const sum = (of: number): Expr[] => [
    ...(group ? [times(group.expr, span / of)] : []),
    ...(thread ? [times(name(thread, i32), run / of)] : []),
  ];
  const parts = sum(1);
  if (!parts.length) return void starts.set(a.name, constantForm(0));
  const groups = group?.count ?? 1;
  if (staging) {
    // the workgroup's part is a name of its own: boxes begin there
    const tile = group
      ? values.bind(define(values, `${a.name}0`, times(group.expr, span)).text, {
          level: 0,
          low: 0,
          high: (groups - 1) * span,
          multiple: span,
          varying: false,
        })
      : constantForm(0);
    corners.set(a.name, tile);
    return void starts.set(a.name, thread ? addForms(tile, nameForm(thread, run)) : tile);
  }
  const single = span === a.threads && parts.length > 0; // one element
  const own = define(values, single ? a.name : `${a.name}0`, sumOf(parts.map((e) => [e, 1]))).text;
  const multiple = greatestCommonDivisor(group ? span : 0, thread ? run : 0);
  starts.set(
    a.name,
    values.bind(own, {
      level: 0,
      low: 0,
      high: (groups - 1) * span + (thread ? (a.threads - 1) * run : 0),
      multiple,
      varying: thread !== undefined,
      ...(multiple % 4 === 0 ? { fourth: sumOf(sum(4).map((e) => [e, 1])) } : {}),
    }),
  );
}
function startFused(
  values: Values,
  fused: readonly Axis[],
  group: Part | undefined,
  threads: number,
  thread: string | undefined,
  starts: Map<string, Form>,
): void {
  const parts = [...(group ? [times(group.expr, threads)] : []), ...(thread ? [name(thread, i32)] : [])];
  const position = define(values, "position", sumOf(parts.map((e) => [e, 1])));
  const high = (group?.count ?? 1) * threads - 1;
  values.bind(position.text, {
    ...{ level: 0, low: 0, multiple: 1, varying: thread !== undefined },
    high: Number.isNaN(high) ? Infinity : high,
  });
  let product = 1;
  [...fused].reverse().forEach((a, i) => {
    const outermost = i === fused.length - 1;
    const step = a.tile * a.serial;
    const count = typeof a.extent === "number" ? Math.ceil(a.extent / step) : Infinity;
    if (count === 1 && !outermost) return void starts.set(a.name, constantForm(0));
    const quotient = over(position, product);
    const own = outermost ? quotient : operation("%", quotient, i32Number(count));
    if (!outermost && !Number.isFinite(count)) throw new InternalError("a run-time axis is fused only as the first");
    const first = define(values, step === 1 ? a.name : `${a.name}0`, times(own, step), "divide").text;
    const most = outermost ? Math.max(Math.floor(high / product), count - 1) : count - 1;
    starts.set(
      a.name,
      values.bind(first, {
        level: 0,
        low: 0,
        high: (Number.isNaN(most) ? Infinity : most) * step,
        multiple: step,
        varying: true,
      }),
    );
    product *= count;
  });
}
