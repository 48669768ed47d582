// Fused kernels as text: for every kernel its domain, what it computes stage by stage, what it reads and what it writes.
// In: a kernel graph.   Out: the same facts as data, and as lines. Tensors are named by path or label, by position where they have neither.
import { within } from "../graph/compilation.ts";
import { extentText, scalarText, shapeText, type Names } from "../graph/print.ts";
import { baseOf } from "../graph/node.ts";
import { axis, local, substitute } from "../graph/scalar.ts";
import type { Node, Scalar, Scan, Variable } from "../graph/types.ts";
import type { KernelGraph, KernelStep, Step } from "../kernel/graph.ts";

export interface KernelText {
  readonly name: string;
  readonly lines: readonly string[]; // "digits.dlm:9"
  readonly domain: readonly string[]; // "i < 64"
  readonly formulas: readonly string[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly loop: readonly string[]; // the scans around it, outer to inner: "t < 32"
}

export function kernelTexts(graph: KernelGraph): readonly KernelText[] {
  const names = memoryNames(graph);
  const texts: KernelText[] = [];
  const walk = (steps: readonly Step[], loop: readonly string[]): void => {
    for (const s of steps) {
      if (s.kind === "loop")
        walk(s.body, [...loop, `${names.step(s.scan)} < ${s.scan.count}${s.scan.reverse ? " downwards" : ""}`]);
      else texts.push(within(s.spec.stores[0]!.target.compilation, () => kernelText(s, names, loop)));
    }
  };
  walk(graph.steps, []);
  return texts;
}
export function printKernels(graph: KernelGraph): string {
  const lines: string[] = [];
  let loop = "";
  for (const [i, k] of kernelTexts(graph).entries()) {
    const own = k.loop.join(", ");
    if (own !== loop && own) lines.push(`loop over ${own}`);
    loop = own;
    lines.push(
      `${String(i).padStart(3)}  ${k.name}${k.domain.length ? `  for ${k.domain.join(", ")}` : ""}${k.lines.length ? `   # ${k.lines.join(", ")}` : ""}`,
    );
    lines.push(
      ...k.formulas.map((f) => `       ${f}`),
      `     reads ${k.reads.join(", ") || "nothing"}; writes ${k.writes.join(", ")}`,
    );
  }
  return lines.join("\n") + "\n";
}

function memoryNames(graph: KernelGraph): Names {
  const known = new Map<Node, string>();
  const used = new Map<string, number>();
  const scans = new Map<Scan, number>();
  const collect = (steps: readonly Step[]): void => {
    for (const s of steps) {
      if (s.kind === "loop") {
        scans.set(s.scan, scans.size);
        collect(s.body);
      }
    }
  };
  collect(graph.steps);
  return {
    node: (x) => {
      const base = baseOf(x);
      if (base !== x) return `(${nameOf(base)} as ${shapeText(x.shape)})`;
      return nameOf(x);
    },
    step: (scan) => `t${scans.size > 1 ? (scans.get(scan) ?? 0) : ""}`,
  };
  function nameOf(x: Node): string {
    let name = known.get(x);
    if (name === undefined) {
      const base = (x.kind === "source" ? x.path : x.label) || "%";
      const count = used.get(base) ?? 0;
      used.set(base, count + 1);
      known.set(x, (name = base === "%" ? `%${count}` : count ? `${base}'${count}` : base));
    }
    return name;
  }
}
const outputLetters = "ijlmnpqr";
const innerLetters = "kuvwxyz";
/** The axes of a kernel have names of their own, the loops of a stage or a store others. */
function kernelText({ spec, reads, writes }: KernelStep, names: Names, loop: readonly string[]): KernelText {
  const rank = spec.axes.length;
  const letter = (position: number): string =>
    position < rank
      ? (outputLetters[position] ?? `i${position}`)
      : (innerLetters[position - rank] ?? `k${position - rank}`);
  const locals = spec.stages.map(
    (s, i) => [s.local, local(`${s.op}${spec.stages.length > 1 ? i : ""}`, s.local.dtype)] as const,
  );
  const writer = (
    over: readonly Variable[],
  ): { text: (e: Scalar) => { lets: readonly string[]; text: string }; bounds: string } => {
    const own = new Map<Scalar, Scalar>([
      ...[...spec.axes, ...over].map((v, i) => [v, axis(i, v.extent)] as const),
      ...locals,
    ]);
    return {
      text: (e) => scalarText(substitute(e, own), names, letter),
      bounds: over.map((v, i) => `${letter(rank + i)} < ${extentText(v.extent)}`).join(", "),
    };
  };
  const where = (lets: readonly string[]): string => (lets.length ? `  where ${lets.join("; ")}` : "");
  return {
    name: spec.name,
    lines: spec.lines ?? [],
    domain: spec.axes.map((v, i) => `${letter(i)} < ${extentText(v.extent)}`),
    formulas: [
      ...spec.stages.map((s, i) => {
        const { text, bounds } = writer(s.over);
        const value = text(s.value);
        return `${locals[i]![1].name} = ${s.op}(${bounds}) ${value.text}${where(value.lets)}`;
      }),
      ...spec.stores.map((s) => {
        const { text, bounds } = writer(s.over);
        const value = text(s.value);
        return `${names.node(s.target)}${s.indices.length ? `[${s.indices.map((e) => text(e).text).join(", ")}]` : ""} = ${value.text}${bounds ? ` for ${bounds}` : ""}${where(value.lets)}`;
      }),
    ],
    reads: [...reads].map((x) => `${names.node(x)}${x.shape.length ? ` ${shapeText(x.shape)}` : ""}`),
    writes: [...writes].map((x) => `${names.node(x)}${x.shape.length ? ` ${shapeText(x.shape)}` : ""}`),
    loop,
  };
}
