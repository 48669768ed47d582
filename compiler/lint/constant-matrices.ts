// DLM2504: two matrices one behind the other whose elements all begin alike: the units between stay alike. A gain or an offset, read element by element,
// is none; nor is a single one: what comes behind it, or its own targets, tell its units apart.
import { baseOf, inputs, topological } from "../graph/node.ts";
import type { Node, Source } from "../graph/types.ts";
import { commonChoices } from "../std/facts.ts";
import type { Lint, Linted } from "./finding.ts";

export const constantMatrices: Lint = {
  code: "DLM2504",
  severity: "warning",
  check: ({ program }) => {
    const even = program.parameters.flatMap((p) =>
      p.initial.kind === "compute" && p.initial.body.kind === "literal" ? [{ ...p, value: p.initial.body.value }] : [],
    );
    const found = even.flatMap((p) => (p.span && p.source.shape.length >= 2 ? [{ ...p, span: p.span }] : []));
    if (found.length < 2) return [];
    const roots = rootsOf(program);
    const gains = readByElements(roots);
    const pathOf = new Map(found.filter((p) => !gains.has(p.source)).map((p) => [p.source, p.path]));
    const behind = nextBehind(roots, new Set(pathOf.keys()), new Set(even.map((p) => p.source)));
    return found.flatMap(({ path, source, span, value }) => {
      const next = behind.get(source);
      if (!next || source.shape.includes(1)) return [];
      return {
        span,
        message: `all elements of ${path} begin as ${value}, and those of ${pathOf.get(next)} behind it are alike too, so its units stay alike`,
        hint: `draw them: ${["~ normal(0, 0.02)", ...commonChoices("init").slice(0, 1)].join(", or ")}`,
      };
    });
  },
};
const rootsOf = ({ trains, exports }: Linted["program"]): Node[] => [
  ...trains.flatMap((t) => t.objectives.map((o) => o.loss)),
  ...exports.flatMap((e) => e.outputs.map((o) => o.node)),
];
/**
 * Of the matrices `among`, those whose products meet another one before anything tells their units apart (of inputs, draws, parameters that are drawn), and
 * that other one. `alike`: all parameters whose elements begin alike.
 */
function nextBehind(
  roots: readonly Node[],
  among: ReadonlySet<Source>,
  alike: ReadonlySet<Source>,
): ReadonlyMap<Source, Source> {
  const reached = new Map<Node, ReadonlySet<Source>>();
  const plain = new Set<Node>(); // of nothing but numbers that are alike
  const behind = new Map<Source, Source>();
  for (const x of topological([...roots])) {
    const own = inputs(x);
    if (x.kind === "source" ? alike.has(x) : own.every((i) => plain.has(i))) plain.add(x);
    const read = own.map(baseOf).filter((i): i is Source => i.kind === "source" && among.has(i));
    const varied = own.filter((i) => !plain.has(i));
    const before = [...among].filter((p) => varied.length > 0 && varied.every((i) => reached.get(i)?.has(p)));
    for (const q of read) for (const p of before) if (p !== q && !behind.has(p)) behind.set(p, q);
    reached.set(x, new Set([...(read.length ? [] : before), ...(plain.has(x) ? [] : read)]));
  }
  return behind;
}
/** Parameters that no sum reads: each of their elements meets one element of something else. */
function readByElements(roots: readonly Node[]): ReadonlySet<Source> {
  const [byElements, others] = [new Set<Source>(), new Set<Source>()];
  for (const x of topological([...roots])) {
    const into = x.kind === "compute" && !x.reduction ? byElements : others;
    if (x.kind === "reshape") continue;
    for (const read of inputs(x).map(baseOf)) if (read.kind === "source") into.add(read);
  }
  return new Set([...byElements].filter((p) => !others.has(p)));
}
