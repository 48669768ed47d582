// Kernels that differ only in which tensors they read and write are lowered once: a specification's structure as text, with variables,
// locals and tensors numbered by first appearance. Tensors count by what lowering sees of them: shape, type, range of their values.
import { baseOf } from "../graph/node.ts";
import { operandsOf, scalarOrder } from "../graph/scalar.ts";
import type { Extent, Node, Scalar, Scan, Shape, Variable } from "../graph/types.ts";
import type { KernelSpec } from "./kernel.ts";
import type { Layout } from "./layout.ts";

export interface SpecKey {
  readonly key: string;
  readonly tensors: readonly Node[]; // bases, in order of first appearance
  readonly scans: readonly Scan[];
}
export function specKey(spec: KernelSpec, layout: Layout = byType): SpecKey {
  const numbers = new Map<object, number>();
  const known = new Map<Scalar, number>();
  const tensors: Node[] = [];
  const scans: Scan[] = [];
  const parts: string[] = [];
  const number = (x: object): number => {
    let n = numbers.get(x);
    if (n === undefined) numbers.set(x, (n = numbers.size));
    return n;
  };
  const shape = (s: Shape): string => s.map(extentText).join(",");
  const tensor = (x: Node): string => {
    const base = baseOf(x);
    if (!numbers.has(base)) {
      tensors.push(base);
      const range = base.range
        ? `${base.range.low}..${typeof base.range.high === "number" ? base.range.high : extentText(base.range.high)}`
        : "";
      parts.push(`T${number(base)}:${layout.storageOf(base)}[${shape(base.shape)}]${range}`);
    }
    return `${number(base)}${x === base ? "" : `[${shape(x.shape)}]`}`;
  };
  const variable = (v: Variable): string => {
    if (!v.scans.size) return `v${number(v)}:${extentText(v.extent)}`;
    const [scan] = v.scans;
    if (!numbers.has(scan!)) scans.push(scan!);
    return `t${number(scan!)}:${scan!.count}`;
  };
  const scalar = (root: Scalar): string => {
    for (const e of known.has(root) ? [] : scalarOrder([root], (x) => (known.has(x) ? [] : operandsOf(x)))) {
      if (known.has(e)) continue;
      const own = operandsOf(e).map((x) => known.get(x));
      let text: string;
      switch (e.kind) {
        case "literal":
          text = `${e.dtype}${Object.is(e.value, -0) ? "-0" : e.value}`;
          break;
        case "dim":
          text = e.name;
          break;
        case "variable":
          text = variable(e);
          break;
        case "affine":
          text = `A${e.terms.map(([a, k]) => `${k}*${known.get(a)}`).join("+")}+${e.constant}`;
          break;
        case "floor_div":
        case "modulo":
          text = `${e.kind}${own[0]},${e.divisor}`;
          break;
        case "call":
          text = `${e.fn.name}(${own.join()})`;
          break;
        case "load":
          text = `L${tensor(e.tensor)}(${own.join()})${e.outside ? "?" : ""}`;
          break;
        case "random":
          text = `R${e.distribution},${layout.siteOf?.(e.site) ? tensor(layout.siteOf(e.site)!) : e.site},${e.extents.map((n) => (typeof n === "number" ? n : "n")).join()}(${own.join()})`;
          break;
        case "local":
          text = `l${number(e)}`;
          break;
        default:
          text = `${e.kind}(${own.join()})`;
      }
      known.set(e, known.size);
      parts.push(`${known.get(e)}=${text}`);
    }
    return String(known.get(root));
  };
  const axes = spec.axes.map(variable).join();
  for (const s of spec.stages)
    parts.push(`S${s.op}(${s.over.map(variable).join()}) l${number(s.local)}:${s.local.dtype}=${scalar(s.value)}`);
  for (const s of spec.stores)
    parts.push(
      `W${tensor(s.target)}(${s.over.map(variable).join()})[${s.indices.map(scalar).join()}]=${scalar(s.value)}`,
    );
  return { key: `${axes}\n${parts.join("\n")}`, tensors, scans };
}
const byType: Layout = { storageOf: (x) => x.dtype, nameOf: () => "" };
/** An extent as keys have it: the same in every compilation. */
export const extentText = (n: Extent): string =>
  typeof n === "number"
    ? String(n)
    : n.kind === "dim"
      ? n.name
      : `${n.terms.map(([a, k]) => `${k}*${(a as { name: string }).name}`).join("+")}+${n.constant}`;
