// Fused kernels as text: for every kernel its domain, what it computes stage by stage, what it reads and what it writes.
// In: a kernel graph.   Out: the same facts as data, and as lines. Tensors are named by path or label, by position where they have neither.
import { extentText, shapeText, type Names } from "../graph/print.ts";
import type { Node, Scan } from "../graph/types.ts";
import { foldedText, formulasOf, inOneLine, memoryNames } from "../kernel/formula.ts";
import type { KernelGraph, KernelStep, RowwiseStep, Step } from "../kernel/graph.ts";

export interface KernelText {
  readonly name: string;
  readonly lines: readonly string[]; // "digits.dlm:9"
  readonly domain: readonly string[]; // "i < 64"
  readonly formulas: readonly string[];
  readonly folded: readonly string[]; // named values that are written out in them
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly loop: readonly string[]; // the scans around it, outer to inner: "t < 32"
  readonly launch: string; // that does other kernels, too: "launch 2 (workgroups of 16 rows)"; else ""
}

export function kernelTexts(graph: KernelGraph): readonly KernelText[] {
  const names = memoryNames((x) => (x.kind === "source" ? x.path : x.label) ?? "", scansOf(graph.steps));
  const texts: KernelText[] = [];
  let launches = 0;
  const walk = (steps: readonly Step[], loop: readonly string[], launch = ""): void => {
    for (const s of steps) {
      if (s.kind === "loop")
        walk(s.body, [...loop, `${names.step(s.scan)} < ${s.scan.count}${s.scan.reverse ? " downwards" : ""}`], launch);
      else if (s.kind === "rowwise") walk(s.body, loop, rowsText(s, ++launches));
      else texts.push(kernelText(s, names, loop, launch));
    }
  };
  walk(graph.steps, []);
  return texts;
}
export function printKernels(graph: KernelGraph): string {
  const lines: string[] = [];
  let loop = "";
  for (const [i, k] of kernelTexts(graph).entries()) {
    const own = [k.launch, ...(k.loop.length ? [`loop over ${k.loop.join(", ")}`] : [])].filter((x) => x).join(": ");
    if (own !== loop) lines.push(own || "launches of one kernel each");
    loop = own;
    lines.push(
      `${String(i).padStart(3)}  ${k.name}${k.domain.length ? `  for ${k.domain.join(", ")}` : ""}${k.lines.length ? `   # ${k.lines.join(", ")}` : ""}`,
    );
    lines.push(
      ...k.formulas.map((f) => `       ${f}`),
      ...k.folded.map((f) => `     folded in: ${f}`),
      `     reads ${k.reads.join(", ") || "nothing"}; writes ${k.writes.join(", ")}`,
    );
  }
  return lines.join("\n") + "\n";
}

function scansOf(steps: readonly Step[]): Scan[] {
  return steps.flatMap((s) =>
    s.kind === "kernel" ? [] : [...(s.kind === "loop" ? [s.scan] : []), ...scansOf(s.body)],
  );
}
function rowsText({ rows, grid, beside, body }: RowwiseStep, number: number): string {
  const whose = beside
    ? `${body.length} kernels, a workgroup does its part of one`
    : grid
      ? `a workgroup for each of ${grid.map((g) => extentText(g.step.extent)).join(" x ")} tiles`
      : rows && rows.each < Infinity
        ? `workgroups of ${rows.each} ${rows.each === 1 ? "row" : "rows"}`
        : "one workgroup";
  return `launch ${number} (${whose})`;
}
function kernelText(
  { spec, reads, writes }: KernelStep,
  names: Names,
  loop: readonly string[],
  launch: string,
): KernelText {
  const { domain, formulas } = formulasOf(spec, names);
  const typed = (x: Node): string => `${names.node(x)}${x.shape.length ? ` ${shapeText(x.shape)}` : ""}`;
  return {
    name: spec.name,
    lines: spec.lines ?? [],
    domain,
    formulas: formulas.map(inOneLine),
    folded: foldedText(spec, names),
    reads: [...reads].map(typed),
    writes: [...writes].map(typed),
    loop,
    launch,
  };
}
