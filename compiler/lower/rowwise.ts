// Many kernels, and loops of kernels, as one launch: each workgroup does all of them for its own rows, with barriers between; or its part of one of them,
// where none waits for another. In: a RowwiseStep whose memory is final. Out: its module with its bindings.
import { InternalError } from "../../grammar/diagnostic.ts";
import type { Extent, Node, Scan, Shape } from "../graph/types.ts";
import { call, i32, i32Number, name, operation, plus, sumOf, type Expr } from "../kernel/expr.ts";
import type { KernelStep, RowwiseStep, View } from "../kernel/graph.ts";
import { builtinsIn, type Declaration, type Module, type Statement } from "../kernel/ir.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import type { Layout } from "../kernel/layout.ts";
import { mostGroups, sizeOfExtents, sumOfSizes } from "../kernel/sizes.ts";
import type { Target } from "../kernel/target.ts";
import { elements } from "../scalar/dtype.ts";
import { cheapestBeside, groupsBeside } from "../schedule/beside.ts";
import { cheapestInChain } from "../schedule/chain.ts";
import { estimate, type Nest } from "../schedule/nest.ts";
import { kernelsIn } from "../schedule/rows.ts";
import { bytesInTurn, cheapest, gridWaves, runsIn, turnsOf, type Chosen, type Placement } from "../schedule/rowwise.ts";
import { plainSchedule } from "../schedule/schedule.ts";
import { dimName } from "../wgsl/names.ts";
import { entryPoint } from "../wgsl/print.ts";
import type { Binding, LoweredKernel } from "./lower.ts";
import { foldedNumber, groupNumber } from "./places.ts";
import {
  callAll,
  callOf,
  fresh,
  loadsOf,
  proceduresOf,
  roundNames,
  scansIn,
  storesOf,
  type Call,
  type Placed,
  type Tiles,
} from "./procedures.ts";
import type { Emitted } from "./template.ts";
import { unsigned } from "./unsigned.ts";
import { flopsOfSteps, physical } from "./whole.ts";

/** `views`: slices that are no bindings of their own. */
export function lowerRowwise(
  step: RowwiseStep,
  views: ReadonlyMap<Node, View>,
  layout: Layout,
  target: Target,
): LoweredKernel {
  const { rows, workgroup, local, grid = [] } = step;
  const kernels = kernelsIn(step.body);
  const chosen = inRoom(step, views, target);
  const placed = new Map<KernelStep, Placed>();
  const inside: { readonly name: string; readonly schedule: Placement["schedule"] }[] = [];
  let ns = target.launchNs;
  const part = name("part", i32);
  const beside = new Map<KernelStep, readonly [from: number, to: number]>(); // workgroups that do each
  let total = 0; // of these
  for (const [k, { placement, total: own }] of chosen) {
    const { nest, schedule } = placement;
    ns += own - (step.beside ? target.launchNs : 0);
    const tiles = ({ groups }: Emitted): Tiles => {
      if (!step.beside) return tilesOf(step, placement, groups, part);
      const { threads } = placement;
      const first = total;
      total += groupsBeside(groups, threads, workgroup);
      beside.set(k, [first, total]);
      return tilesBeside(first ? plus(part, -first) : part, workgroup / threads, groups);
    };
    const { spec } = k;
    placed.set(k, { spec: physical(spec, views), source: spec, nest: physicalNest(nest, views), schedule, tiles });
    inside.push({ name: spec.name, schedule });
  }
  const used = new Set(["main", "tile", "part"]);
  const tensors = new Set([...placed.values()].flatMap(({ spec }) => [...loadsOf(spec), ...storesOf(spec)]));
  const names = new Map([...tensors].map((x) => [x, fresh(layout.nameOf(x), used)] as const));
  const loops = [...grid, ...scansIn(step.body)];
  const around = [...scansRead([...placed.values()].map((p) => p.spec))].filter((s) => !loops.includes(s)); // told by the host
  const scans = roundNames([...loops, ...around], used);
  const own = new Set(target.unsigned ? loops.map((s) => scans.get(s)!) : []);
  const procedures = proceduresOf(placed, { names, scans, used, own }, layout, target);
  if (!procedures) throw new InternalError(`${kernels[0]!.spec.name}: a kernel is no function`);
  if (procedures.memory.reduce((n, x) => n + x.bytes, 0) > roomOf(step, target))
    throw new InternalError(`${kernels[0]!.spec.name}: a launch has more workgroup memory than its schedules say`);
  const rounds = roundsOf(grid, part);
  const calls = step.beside
    ? [...beside].flatMap(([k, range]) => callBeside(procedures.calls.get(k)!, range, total, part, workgroup))
    : callAll(step.body, procedures, (k) => placed.get(k)!.spec, local, workgroup, used, step.own, rounds);
  const extents = step.beside ? [total] : grid.map((s) => s.step.extent);
  const groups = extents.reduce<number>((n, e) => n * (typeof e === "number" ? e : Infinity), 1);
  const roundsOfGrid = grid.reduce((n, { step: { extent } }) => n * (typeof extent === "number" ? extent : 1), 1);
  const folds =
    groups > mostGroups ||
    (rows !== undefined && (typeof rows.extent !== "number" || rows.extent > mostGroups * rows.each));
  const dims = [...new Set([...procedures.dims, ...(rows ? [rows.extent] : extents).flatMap(dimsIn)])].sort();
  const signed: Statement[] = [
    {
      kind: "let",
      name: part.text,
      value: folds ? foldedNumber : groupNumber,
      cost: "none",
      pinned: true,
      ...(rows && rows.each < Infinity
        ? {
            comment:
              rows.each === 1
                ? "the workgroup's row"
                : `the workgroup's rows are ${rows.each} from ${rows.each} * part on`,
          }
        : {}),
    },
    ...grid.flatMap((s): Statement[] => {
      const own = procedures.scans.get(s);
      const value = rounds.get(s)!;
      return own === undefined ? [] : [{ kind: "set", target: name(own, i32), operator: "=", value, cost: "integer" }];
    }),
    ...(groups > mostGroups
      ? [{ kind: "if", condition: operation("<", part, productOf(extents)), body: calls } as const]
      : calls),
  ];
  const body = target.unsigned ? unsigned(signed, new Map(), dims.map(dimName), own) : signed;
  const bound = [...tensors].filter((x) => !local.has(x));
  const declare = (x: Node): string => {
    const storage = layout.storageOf(x);
    const word = storage === "u8" ? "u32" : elements[storage].word;
    return procedures.wide.has(x) && storage !== "u8" ? elements[word].vector : word;
  };
  const outer = [...procedures.scans].filter(([scan]) => around.includes(scan));
  const bindings: Binding[] = [
    ...bound.map((node, binding): Binding => ({
      node,
      binding,
      access: procedures.written.has(node) ? "read_write" : "read",
    })),
    ...outer.map(([scan], i): Binding => ({ node: scan, binding: bound.length + i, access: "uniform" })),
  ];
  const module: Module = {
    comment: regionSpec(step).comment(),
    enables: procedures.subgroups ? ["subgroups"] : [],
    overrides: dims.map(dimName),
    bindings: [
      ...bound.map((x, i): Declaration => ({
        name: names.get(x)!,
        space: `storage, ${bindings[i]!.access === "read_write" ? "read_write" : "read"}`,
        type: `array<${declare(x)}>`,
      })),
      ...outer.map(([, own]): Declaration => ({ name: own, space: "uniform", type: "i32" })),
    ],
    memory: [
      ...loops.flatMap((scan): Declaration[] => {
        const own = procedures.scans.get(scan);
        return own === undefined ? [] : [{ name: own, space: "private", type: target.unsigned ? "u32" : "i32" }];
      }),
      ...[...local]
        .filter((x) => tensors.has(x))
        .map((x): Declaration => {
          const count = x.shape.reduce<number>((n, e) => n * (e as number), 1);
          return {
            name: names.get(x)!,
            space: "workgroup",
            type: `array<${declare(x)}, ${procedures.wide.has(x) ? count / 4 : count}>`,
          };
        }),
      ...procedures.memory,
    ],
    helpers: [...procedures.helpers].sort(),
    functions: [...procedures.calls.values()].map((c) => c.of),
    workgroup,
    parameters: builtinsIn(body),
    body,
  };
  return {
    module,
    entry: entryPoint,
    bindings,
    workgroups:
      rows && rows.each < Infinity
        ? [{ tiles: [[sizeOfExtents([rows.extent]), rows.each]] }, "fold"]
        : grid.length || step.beside
          ? [{ tiles: [[sizeOfExtents(extents), 1]] }, "fold"]
          : [1, 1],
    constants: dims,
    schedule: { ...plainSchedule, threads: [["", workgroup]] },
    inside,
    flops: sumOfSizes([[flopsOfSteps(step.body), roundsOfGrid]]),
    price: { compileMs: 0, starts: 0, ns },
  };
}
/** The tiles of a kernel that the `number`-th of its workgroups does. */
function tilesBeside(number: Expr, each: number, tiles: number): Tiles {
  const from = times(number, each);
  const to = plus(from, each);
  return { from, to: tiles % each ? call("min", [to, i32Number(tiles)], i32) : to, count: each };
}
/** By the workgroups from one to another, of so many. */
function callBeside(
  of: Call,
  [from, to]: readonly [number, number],
  total: number,
  part: Expr,
  workgroup: number,
): Statement[] {
  const bounds = [
    ...(from > 0 ? [operation(">=", part, i32Number(from))] : []),
    ...(to < total ? [operation("<", part, i32Number(to))] : []),
  ];
  const body = callOf({ ...of, meets: false }, workgroup); // no other kernel has its memory behind it
  const [first, second] = bounds;
  if (!first) return body;
  return [{ kind: "if", condition: second ? operation("&&", first, second) : first, body }];
}
const leastInTurn = 512; // bytes
/** The schedule of each kernel: all of them have room in turn. */
function inRoom(step: RowwiseStep, views: ReadonlyMap<Node, View>, target: Target): ReadonlyMap<KernelStep, Chosen> {
  const { body, rows, workgroup, own, grid = [] } = step;
  const groups = grid.reduce((n, s) => n * estimate(s.step.extent), 1);
  const isChain = grid.length > 0 && target.gpu !== undefined && body.every((s) => s.kind === "kernel");
  const runs = runsIn(body, grid.length ? gridWaves(grid, target) : 1);
  const room = roomOf(step, target);
  for (let { inTurn } = step; ;) {
    const launch = { rows: rows?.each ?? Infinity, workgroup, own, inTurn };
    const chosen = new Map<KernelStep, Chosen>();
    for (const [k, times] of runs) {
      const found = step.beside
        ? cheapestBeside(k.spec, launch, target)
        : isChain
          ? cheapestInChain(k.spec, { ...launch, groups }, target)
          : cheapest(k.spec, rows?.axisOf.get(k), launch, times, target);
      if (!found) throw new InternalError(`${k.spec.name} has no schedule for a launch of rows`);
      chosen.set(k, found);
    }
    const had = bytesInTurn(
      [...chosen.values()].map(({ placement }) => turnsOf(physicalNest(placement.nest, views), placement.schedule)),
    );
    if (had <= room || inTurn === 0) return chosen;
    const share = Math.min(0.8, Math.max(0.5, room / had)); // what each may have alone, of several types there is more at a time
    inTurn = inTurn < leastInTurn ? 0 : Math.floor(share * inTurn);
  }
}
/** Of a workgroup, for what kernels have in turn. */
const roomOf = ({ local }: RowwiseStep, { workgroupMemory }: Target): number =>
  workgroupMemory - [...local].reduce((n, x) => n + bytesOf(x), 0);
const bytesOf = (x: Node): number => x.shape.reduce<number>((n, e) => n * (e as number), elements[x.dtype].bytes);
function productOf(extents: Shape): Expr {
  const known = i32Number(extents.reduce<number>((p, n) => (typeof n === "number" ? p * n : p), 1));
  const sizes = extents.flatMap((n) => (typeof n === "number" ? [] : [sizeOf(n)]));
  return sizes.reduce((product, n) => (product.text === "1" ? n : operation("*", product, n)), known);
}
/** The rounds of the grid that a workgroup does, the last fastest. */
function roundsOf(grid: readonly Scan[], part: Expr): ReadonlyMap<Scan, Expr> {
  const extents = grid.map((s) => s.step.extent);
  return new Map(
    grid.map((s, i) => {
      const inner = productOf(extents.slice(i + 1));
      const quotient = inner.text === "1" ? part : operation("/", part, inner);
      return [s, i === 0 ? quotient : operation("%", quotient, productOf([s.step.extent]))] as const;
    }),
  );
}
/** Scheduled as tensors, written as slices of their buffers. */
function physicalNest(nest: Nest, views: ReadonlyMap<Node, View>): Nest {
  if (!views.size) return nest;
  const spec = physical(nest.spec, views);
  const stages = new Map(nest.spec.stages.map((s, i) => [s, spec.stages[i]!] as const));
  return { ...nest, spec, groups: nest.groups.map((g) => g.map((s) => stages.get(s)!)) };
}
/** The loops whose round may be read: those that values belong to. */
function scansRead(specs: readonly KernelSpec[]): Set<Scan> {
  const roots = specs.flatMap((s) => [
    ...s.stages.map((x) => x.value),
    ...s.stores.flatMap((x) => [x.value, ...x.indices]),
  ]);
  return new Set(roots.flatMap((e) => [...e.scans]));
}
/** A region as one kernel, for names and comments. */
export function regionSpec(step: RowwiseStep): KernelSpec {
  const kernels = kernelsIn(step.body);
  const { rows, grid, beside } = step;
  const loops = scansIn(step.body).map((s) => `${s.count} rounds${s.reverse ? " backwards" : ""}`);
  const whose = [...new Set(kernels.flatMap((k) => k.spec.comment()))];
  const rowsText = beside
    ? `a workgroup does its part of one of ${kernels.length} kernels`
    : grid?.length
      ? `a workgroup for each of ${grid.map((g) => (g.count < Infinity ? g.count : "every")).join(" x ")} tiles`
      : !rows || rows.each === Infinity
        ? "one workgroup does all"
        : `a workgroup does ${rows.each === 1 ? "one row" : `${rows.each} rows`}`;
  const waits = beside
    ? "none waits for another"
    : step.own
      ? "each invocation has rows of its own and waits for none"
      : "with a barrier where a kernel needs what another has written";
  return {
    name: nameOfRegion(step),
    comment: () => [...whose, `in one launch, ${rowsText}: ${[...loops, waits].join(", ")}`],
    lines: [...new Set(kernels.flatMap((k) => k.spec.lines ?? []))],
    places: kernels.flatMap((k) => k.spec.places ?? []),
    axes: rows ? [rows.axisOf.get(kernels[0]!)!] : [],
    stages: [],
    stores: [],
  };
}
/** After its first loop, where it has no name. */
function nameOfRegion({ name, body }: RowwiseStep): string {
  const loop = body.find((s) => s.kind !== "kernel");
  return name ?? `${kernelsIn(loop ? [loop] : body)[0]!.spec.name}_loop`;
}
/** The workgroups of a kernel that part number `part` does: those of its rows, which lie together. */
function tilesOf({ rows }: RowwiseStep, { span, others }: Placement, groups: number, part: Expr): Tiles {
  const whole = { from: i32Number(0), to: i32Number(groups), count: groups };
  if (!rows || !span) return whole;
  const { extent, each } = rows;
  if (each === Infinity) return whole;
  const count = (each / span) * others;
  const from = times(part, count);
  const to = times(operation("+", part, i32Number(1)), count);
  if (typeof extent === "number" && extent % each === 0) return { from, to, count };
  // the last workgroup has fewer rows
  const all =
    typeof extent === "number"
      ? i32Number(Math.ceil(extent / span) * others)
      : times(rowGroups(sizeOf(extent), span), others);
  return { from, to: call("min", [to, all], i32), count };
}
const times = (e: Expr, k: number): Expr => (k === 1 ? e : operation("*", e, i32Number(k)));
/** ceil(n / span) */
const rowGroups = (n: Expr, span: number): Expr =>
  span === 1 ? n : operation("/", operation("+", n, i32Number(span - 1)), i32Number(span));
const dimsIn = (n: Extent): string[] =>
  typeof n === "number"
    ? []
    : n.kind === "dim"
      ? [n.name]
      : n.terms.flatMap(([atom]) => (atom.kind === "dim" ? [atom.name] : []));
function sizeOf(n: Exclude<Extent, number>): Expr {
  if (n.kind === "dim") return name(dimName(n.name), i32);
  const terms = n.terms.map(
    ([atom, k]) => [atom.kind === "dim" ? name(dimName(atom.name), i32) : i32Number(0), k] as const,
  );
  return plus(sumOf(terms), n.constant);
}
