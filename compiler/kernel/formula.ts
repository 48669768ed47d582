// What a kernel computes, as formulas over the memory that it reads and writes. In: KernelSpec, names. Out: text, without making new scalars:
// it is asked for while kernels are lowered.
import { baseOf } from "../graph/node.ts";
import { printNode, scalarText, shapeText, type Names } from "../graph/print.ts";
import type { Local, Node, Scalar, Scan, Variable } from "../graph/types.ts";
import type { KernelSpec } from "./kernel.ts";

const outputLetters = "ijlmnpqr";
const innerLetters = "kuvwxyz";

/** Names of memory, each its own. `wanted` gives "" for what has no name; `scans` have numbers where they are several. */
export function memoryNames(wanted: (base: Node) => string, scans: readonly Scan[] = []): Names {
  const known = new Map<Node, string>();
  const used = new Map<string, number>();
  const nameOf = (base: Node): string => {
    let name = known.get(base);
    if (name === undefined) {
      const own = wanted(base) || "%";
      const count = used.get(own) ?? 0;
      used.set(own, count + 1);
      known.set(base, (name = own === "%" ? `%${count}` : count ? `${own}'${count}` : own));
    }
    return name;
  };
  return {
    node: (x) => {
      const base = baseOf(x);
      return base === x ? nameOf(x) : `(${nameOf(base)} as ${shapeText(x.shape)})`;
    },
    step: (scan) => `t${scans.length > 1 ? scans.indexOf(scan) : ""}`,
  };
}

export interface Formulas {
  readonly domain: readonly string[]; // "i < 64"
  readonly formulas: readonly Formula[]; // of the stages, then of what is stored
}
export interface Formula {
  readonly text: string; // "sum = sum(k < 8) x[i, k] * w[k, j]"
  readonly where: readonly string[]; // "e0 = ...": what is used in it several times
}
/** The axes of a kernel have names of their own, the loops of a stage or a store others. */
export function formulasOf({ axes, stages, stores }: KernelSpec, names: Names): Formulas {
  const letter = (position: number): string =>
    position < axes.length
      ? (outputLetters[position] ?? `i${position}`)
      : (innerLetters[position - axes.length] ?? `k${position - axes.length}`);
  // the turns of a split reduction are a quotient, which no tensor's extent is
  const bound = (v: Variable, position: number): string =>
    `${letter(position)} < ${typeof v.extent === "number" ? v.extent : scalarText(v.extent, names, letter).text}`;
  const locals = new Map<Scalar, string>(
    stages.map((s, i) => [s.local, `${s.op}${stages.length > 1 ? i : ""}`] as const),
  );
  const writer = (over: readonly Variable[]): { text: (e: Scalar) => Text; bounds: string } => {
    const own = new Map<Scalar, string>([...axes, ...over].map((v, i) => [v, letter(i)] as const));
    const scalar = (e: Variable | Local): string | undefined => own.get(e) ?? locals.get(e);
    return {
      text: (e) => scalarText(e, { ...names, scalar }, letter),
      bounds: over.map((v, i) => bound(v, axes.length + i)).join(", "),
    };
  };
  return {
    domain: axes.map(bound),
    formulas: [
      ...stages.map((s): Formula => {
        const { text, bounds } = writer(s.over);
        const value = text(s.value);
        return { text: `${locals.get(s.local)!} = ${s.op}(${bounds}) ${value.text}`, where: value.lets };
      }),
      ...stores.map((s): Formula => {
        const { text, bounds } = writer(s.over);
        const value = text(s.value);
        const at = s.indices.length ? `[${s.indices.map((e) => text(e).text).join(", ")}]` : "";
        return {
          text: `${names.node(s.target)}${at} = ${value.text}${bounds ? ` for ${bounds}` : ""}`,
          where: value.lets,
        };
      }),
    ],
  };
}
type Text = ReturnType<typeof scalarText>;
export const inOneLine = ({ text, where }: Formula): string =>
  `${text}${where.length ? `  where ${where.join("; ")}` : ""}`;

/** What was written out in a kernel though the source has it apart: by its formula where that names memory alone, and its line. */
export function foldedText({ folded = [] }: KernelSpec, names: Names): string[] {
  return folded.map(({ node, line, isPlain }) => {
    const text = isPlain
      ? printNode(node, { ...names, node: (x) => (x === node ? (x.label ?? "") : names.node(x)) })
      : [];
    return `${text[0] ?? node.label ?? ""} (${line})`;
  });
}
/** The comment over a kernel's code. */
export function commentOf(spec: KernelSpec, names: Names): string[] {
  const lines = formulasOf(spec, names).formulas.flatMap(({ text, where }) => [
    text,
    ...where.map((own, i) => `  ${i ? "     " : "where"} ${own}`),
  ]);
  const folded = foldedText(spec, names);
  return [...spec.comment(), ...lines, ...folded.map((text) => `folded in: ${text}`)];
}
