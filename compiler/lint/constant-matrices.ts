// DLM2504: a matrix whose elements all begin alike: its units stay alike. A gain or an offset, read element by element, is none.
import { baseOf, inputs, topological } from "../graph/node.ts";
import type { Node, Source } from "../graph/types.ts";
import { commonChoices } from "../std/facts.ts";
import type { Lint, Linted } from "./finding.ts";

export const constantMatrices: Lint = {
  code: "DLM2504",
  severity: "warning",
  check: ({ program }) => {
    const found = program.parameters.flatMap((p) => {
      const { initial, source, span } = p;
      const alike = initial.kind === "compute" && initial.body.kind === "literal" ? initial.body : undefined;
      return span && alike && source.shape.length >= 2 && !source.shape.includes(1) ? [{ ...p, span, alike }] : [];
    });
    const gains = found.length ? readByElements(program) : undefined;
    return found
      .filter((p) => !gains?.has(p.source))
      .map(({ path, span, alike }) => ({
        span,
        message: `all elements of ${path} begin as ${alike.value}, so its units stay alike`,
        hint: `draw them: ${["~ normal(0, 0.02)", ...commonChoices("init").slice(0, 1)].join(", or ")}`,
      }));
  },
};
/** Parameters that no sum reads: each of their elements meets one element of something else. */
function readByElements({ trains, exports }: Linted["program"]): ReadonlySet<Source> {
  const roots: Node[] = [
    ...trains.flatMap((t) => t.objectives.map((o) => o.loss)),
    ...exports.flatMap((e) => e.outputs.map((o) => o.node)),
  ];
  const [byElements, others] = [new Set<Source>(), new Set<Source>()];
  for (const x of topological(roots)) {
    const into = x.kind === "compute" && !x.reduction ? byElements : others;
    if (x.kind === "reshape") continue;
    for (const read of inputs(x).map(baseOf)) if (read.kind === "source") into.add(read);
  }
  return new Set([...byElements].filter((p) => !others.has(p)));
}
