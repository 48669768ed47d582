// A group of nodes as one kernel specification: reductions become stages over the group's domain, stored values become stores to their homes.
import { place as placeOf } from "../../grammar/diagnostic.ts";
import { baseOf, bodyAt, tensorsOf } from "../graph/node.ts";
import { printNode } from "../graph/print.ts";
import { and, axis, equal, integer, load, local, scalarOrder, select, substitute, variable } from "../graph/scalar.ts";
import type { Integer, Load, Node, Scalar, Shape, Variable } from "../graph/types.ts";
import type { KernelStep } from "../kernel/graph.ts";
import type { Group, Home } from "./group.ts";
import type { KernelSpec, Stage, Store } from "../kernel/kernel.ts";
import { wgslName } from "../wgsl/names.ts";
import { keepRoundings } from "./rounding.ts";
import type { Inliner } from "./storage.ts";

/** What emission asks of fusion. */
export interface Reader {
  readonly inliner: Inliner;
  readonly homesOf: (x: Node) => readonly Home[];
  readonly place: (e: Scalar) => Scalar;
  readonly isRead: (x: Node, group: Group) => boolean;
}
const letters = "ijlmnpqr";

export function emitKernel(g: Group, reader: Reader): KernelStep {
  const axes = g.domain.map((n, i) => variable(n, letters[i] ?? "i"));
  /** A node's own indices: its leading axes are the kernel's, later ones are loops of a row. */
  const indicesOf = (shape: Shape): { at: Integer[]; extra: Variable[] } => {
    const extra: Variable[] = [];
    let next = 0;
    const at = shape.map((n): Integer => {
      if (n === 1) return integer(0);
      if (next < axes.length) return axes[next++]!;
      const v = variable(n, "w");
      extra.push(v);
      return v;
    });
    return { at, extra };
  };
  const stages: Stage[] = [];
  const stores: Store[] = [];
  const reductionAxes = new Map<string, Variable[]>(); // reductions of one extent share their loop
  const put = (x: Node, own: readonly Integer[], over: readonly Variable[], value: Scalar): void => {
    if (g.kind === "kernel" && !reader.isRead(x, g)) return; // only this kernel reads it
    for (const h of reader.homesOf(x)) stores.push({ target: h.memory, over, indices: h.at(own), value });
  };
  // values of the group at a position: results of stages, or computed again
  const values = new Map<Node, (indices: readonly Integer[]) => Scalar>();
  const computed = (l: Load, indices: readonly Integer[], outside: Scalar | undefined): Scalar | undefined =>
    outside ? undefined : values.get(l.tensor)?.(indices);
  const inner = (e: Scalar): Scalar => reader.place(values.size ? substitute(e, new Map(), computed) : e);
  for (const x of g.nodes) {
    const { at, extra } = indicesOf(x.shape);
    if (x.kind === "scatter") {
      const s = reader.inliner.scatter(x);
      // an axis that is an index by itself is the output's axis; the others are searched
      const fixed = new Map<Scalar, Scalar>();
      s.indices.forEach((e, i) => {
        if (e.kind === "variable" && e.position !== undefined && !fixed.has(e) && e.extent === x.shape[i])
          fixed.set(e, at[i]!);
      });
      const all = s.over.map((n, i) => axis(i, n)).filter((v) => !fixed.has(v) && v.extent !== 1);
      const over = all.map((v) => variable(v.extent, "u"));
      const map = new Map<Scalar, Scalar>([...fixed, ...all.map((v, i) => [v as Scalar, over[i]!] as const)]);
      const hits = s.indices.map((e, i) => equal(substitute(e, map) as Integer, at[i]!));
      const sum = local(wgslName(x.label ?? "sum"), "f32");
      stages.push({ local: sum, op: "sum", over, value: inner(select(and(...hits), substitute(s.value, map), 0)) });
      put(x, at, [], sum);
    } else if (x.kind === "compute" && x.reduction) {
      const { extents } = x.reduction;
      const key = extents.map((n) => (typeof n === "number" ? n : `#${n.id}`)).join(",");
      const over = reductionAxes.get(key) ?? extents.map((n) => variable(n, "k"));
      reductionAxes.set(key, over);
      const own = [...at, ...over];
      const map = new Map([...x.shape, ...extents].map((n, i) => [axis(i, n) as Scalar, own[i]!] as const));
      const result = local(wgslName(x.label ?? x.reduction.op), x.dtype);
      stages.push({
        local: result,
        op: x.reduction.op,
        over,
        value: inner(substitute(reader.inliner.compute(x).body, map)),
      });
      values.set(x, () => result);
      put(x, at, [], result);
    } else if (x.kind === "compute") {
      const written = reader.inliner.compute(x);
      values.set(x, (indices) => inner(bodyAt(written, indices)));
      put(x, at, extra, inner(bodyAt(written, at)));
    }
  }
  if (g.copy) {
    const { at, extra } = indicesOf(g.copy.from.shape);
    stores.push({
      target: g.copy.home.memory,
      over: extra,
      indices: g.copy.home.at(at),
      value: inner(reader.inliner.scalar(load(g.copy.from, at))),
    });
  }
  const used = liveStages(stages, stores);
  const reads = new Set(
    tensorsOf([...used.map((s) => s.value), ...stores.flatMap((s) => [s.value, ...s.indices])]).map(baseOf),
  );
  const writes = new Set(stores.map((s) => baseOf(s.target)));
  const asWritten = {
    stages: used.map((s) => ({ ...s, value: keepRoundings(s.value) })),
    stores: stores.map((s) => ({ ...s, value: keepRoundings(s.value) })),
  };
  const spec: KernelSpec = {
    name: nameOf(g),
    comment: () => commentOf(g),
    lines: linesOf(g),
    places: g.nodes.flatMap((x) => x.span ?? []),
    axes,
    ...asWritten,
  };
  return { kind: "kernel", spec, reads, writes };
}
function nameOf(g: Group): string {
  if (g.copy) return wgslName(baseOf(g.copy.home.memory).label ?? "copy");
  const labels = g.nodes.flatMap((x) => (x.label ? [x.label] : []));
  const last = g.nodes[g.nodes.length - 1]!;
  return wgslName(
    labels.at(-1) ??
      (last.kind === "compute" && last.reduction ? last.reduction.op : last.kind === "scatter" ? "scatter" : "map"),
  );
}
/** Stages whose result reaches a store. */
function liveStages(stages: readonly Stage[], stores: readonly Store[]): Stage[] {
  const used = new Set<Scalar>();
  for (const s of stores) for (const e of scalarOrder([s.value, ...s.indices])) used.add(e);
  const result: Stage[] = [];
  for (let i = stages.length - 1; i >= 0; i--) {
    const s = stages[i]!;
    if (!used.has(s.local)) continue;
    result.unshift(s);
    for (const e of scalarOrder([s.value])) used.add(e);
  }
  return result;
}
const linesOf = (g: Group): string[] => [...new Set(g.nodes.flatMap((x) => (x.span ? [placeOf(x.span)] : [])))];
function commentOf(g: Group): string[] {
  const names = new Map<Node, string>();
  const name = (x: Node): string => {
    let own = names.get(x);
    if (own === undefined)
      names.set(
        x,
        (own =
          x.kind === "source"
            ? x.path || "const"
            : (x.label ?? (x.kind === "reshape" ? name(baseOf(x)) : `v${names.size}`))),
      );
    return own;
  };
  if (g.copy) return [`${baseOf(g.copy.home.memory).label ?? "memory"} = ${name(g.copy.from)}`];
  const lines = g.nodes.map((x) => {
    const [text = ""] = printNode(x, { node: name, step: () => "t" });
    return text.length > 160 ? `${text.slice(0, 157)}...` : text;
  });
  const places = linesOf(g);
  return [
    ...(places.length ? [`from ${places.slice(0, 6).join(", ")}${places.length > 6 ? ", ..." : ""}`] : []),
    ...lines,
  ];
}
