// DLM2504: two matrices one behind the other whose elements all begin alike: the units between stay alike. A gain or an offset, read element by element,
// is none; nor is a single one: what comes behind it, or its own targets, tell its units apart.
import type { Span } from "../../grammar/diagnostic.ts";
import { baseOf, inputs, loadsIn, topological } from "../graph/node.ts";
import { operandsOf, scalarOrder } from "../graph/scalar.ts";
import type { Compute, Load, Node, Reshape, Scalar, Source } from "../graph/types.ts";
import { commonChoices } from "../std/facts.ts";
import type { Lint, Linted } from "./finding.ts";

export const constantMatrices: Lint = {
  code: "DLM2504",
  severity: "warning",
  check: ({ program }) => {
    const even = program.parameters.flatMap((p) =>
      p.initial.kind === "compute" && p.initial.body.kind === "literal" ? [{ ...p, value: p.initial.body.value }] : [],
    );
    const roots = rootsOf(program);
    const gains = readByElements(roots);
    const found = even.filter((p) => p.source.shape.length >= 2 && !gains.has(p.source));
    if (!found.length) return [];
    const pathOf = new Map(found.map((p) => [p.source, p.path]));
    const behind = nextBehind(roots, new Set(pathOf.keys()), new Set(even.map((p) => p.source)));
    return found.flatMap(({ path, source, value }) => {
      const span = placeOf(source);
      const next = behind.get(source);
      if (!span || !next || source.shape.includes(1)) return [];
      return {
        span,
        message: `all elements of ${path} begin as ${value}, and those of ${pathOf.get(next)} behind it are alike too, so its units stay alike`,
        hint: `draw them: ${[`${source.span?.file.library ? "" : "~ "}normal(0, 0.02)`, ...commonChoices("init").slice(0, 1)].join(", or ")}`,
      };
    });
  },
};
/** In the user's text: the parameter, or the call of the library's layer that has it. */
const placeOf = ({ span }: Source): Span | undefined => (span?.file.library ? span.origin?.span : span);
const rootsOf = ({ trains, exports }: Linted["program"]): Node[] => [
  ...trains.flatMap((t) => t.objectives.map((o) => o.loss)),
  ...exports.flatMap((e) => e.outputs.map((o) => o.node)),
];
/**
 * Of the matrices `among`, those whose products meet another one before anything tells their units apart: inputs, draws, parameters that are drawn, numbers
 * that differ from unit to unit. And that other one. `alike`: all parameters whose elements begin alike.
 */
function nextBehind(
  roots: readonly Node[],
  among: ReadonlySet<Source>,
  alike: ReadonlySet<Source>,
): ReadonlyMap<Source, Source> {
  const reached = new Map<Node, ReadonlySet<Source>>();
  const plain = new Set<Node>(); // all their elements are one number
  const mixed = new Set<Node>(); // the units may lie along other axes than the last
  const behind = new Map<Source, Source>();
  for (const x of topological([...roots])) {
    if (x.kind === "source" ? alike.has(x) : isPlain(x, plain)) plain.add(x);
    if (x.kind !== "compute" && x.kind !== "reshape") continue;
    const varied = inputs(x).filter((i) => !plain.has(i));
    const apart = x.kind === "compute" ? toldApart(x, mixed) : new Set<Node>();
    const read = inputs(x).flatMap((i) => {
      const base = baseOf(i);
      return base.kind === "source" && among.has(base) && !apart.has(i) ? [base] : [];
    });
    const before = [...among].filter(
      (p) => varied.length > 0 && varied.every((i) => reached.get(i)?.has(p) && !apart.has(i)),
    );
    for (const q of read) for (const p of before) if (p !== q && !behind.has(p)) behind.set(p, q);
    reached.set(x, new Set([...(read.length ? [] : before), ...(plain.has(x) ? [] : read)]));
    const carried = inputs(x).filter((i) => reached.get(i)?.size || read.some((p) => p === baseOf(i)));
    if (carried.some((i) => mixed.has(i)) || !keepsLast(x, carried)) mixed.add(x);
  }
  return behind;
}
/** Is it one number everywhere, made of tensors that are? */
const isPlain = (x: Node, plain: ReadonlySet<Node>): boolean =>
  (x.kind === "reshape" && plain.has(x.operand)) ||
  (x.kind === "compute" &&
    inputs(x).every((i) => plain.has(i)) &&
    ownVariables(x.body).size === 0 &&
    loadsIn(x).every((l) => !l.outside));
/** The tensors whose units a formula tells apart: it has numbers of their place, or others where they end. */
function toldApart(x: Compute, mixed: ReadonlySet<Node>): ReadonlySet<Node> {
  const own = ownVariables(x.body);
  const tells = ({ tensor, indices, outside }: Load): boolean =>
    (mixed.has(tensor) ? indices : indices.slice(-1)).some(
      (i) => [...i.variables].some((v) => own.has(v)) || (outside !== undefined && i.kind !== "variable"),
    );
  return new Set(loadsIn(x).flatMap((l) => (tells(l) ? [l.tensor] : [])));
}
/** Variables that are part of a value, not only of where something is read. */
function ownVariables(body: Scalar): ReadonlySet<Scalar> {
  const scalars = scalarOrder([body], (e) => (e.kind === "load" ? (e.outside ? [e.outside] : []) : operandsOf(e)));
  return new Set(scalars.filter((e) => e.kind === "variable"));
}
/** Is the last axis of these that it reads the last of its own, or summed over? */
const keepsLast = (x: Compute | Reshape, of: readonly Node[]): boolean =>
  x.kind === "reshape"
    ? x.shape.at(-1) === x.operand.shape.at(-1)
    : loadsIn(x).every(({ tensor, indices }) => {
        const last = indices.at(-1);
        return !of.includes(tensor) || !last || (last.kind === "variable" && last.position! >= x.shape.length - 1);
      });
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
