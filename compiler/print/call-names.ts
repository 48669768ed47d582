// Names of values by the calls that made them: "logits" where the source names it, "cnn.conv_block2.batch_norm.y" in a layer, "cnn.max_pool2d" for
// what a call gives. A gradient has the name of what it is the gradient of behind `d_`.
// In: nodes in order, those that have names. Out: a name for each of these; equal ones are numbered ("x", "x'2").
import { inputs } from "../graph/node.ts";
import type { Names } from "../graph/print.ts";
import type { Origin, Place } from "../graph/origin.ts";
import type { Node, Result, Scan } from "../graph/types.ts";

/** `wanted`: names of losses and of the gradients of parameters; `wordOf`: what is called by its formula where nothing names it. */
export function namesByCall(
  order: readonly Node[],
  isNamed: (x: Node) => boolean,
  wanted: ReadonlyMap<Node, string>,
  wordOf: (x: Node) => string,
): Names {
  const named = order.filter(isNamed);
  const known = new Map<Node, string>();
  const used = new Map<string, number>();
  const fresh = (name: string): string => {
    const count = (used.get(name) ?? 0) + 1;
    used.set(name, count);
    return numbered(name, count);
  };
  const take = (x: Node, name: string): void => void known.set(x, fresh(name));
  for (const x of named) if (x.kind === "source") take(x, x.path || x.label || "constant");
  for (const x of named) if (!known.has(x) && wanted.has(x)) take(x, wanted.get(x)!);

  const isForward = (x: Node): boolean => !x.span?.isDerivative;
  const ids = new Map<Origin, number>();
  const labels = placesOfLabels(order.filter(isForward), ids); // also of what is folded in: its gradient may have a name
  const calls = callNames(order);
  const isResult = resultsOf(order);
  const forwardName = (x: Node): string => {
    const call = callOf(calls, x.span?.origin);
    if (x.kind === "result") return resultName(x, (y) => known.get(y) ?? forwardName(y));
    if (!x.label) return joined(call, isResult(x) && call ? "" : wordOf(x));
    const isAlone =
      labels.get(x.label)?.size === 1 && (!x.span?.file.library || x.span.origin?.kind === "fn" || isResult(x));
    return isAlone || isOfBlock(x) ? x.label : joined(call, x.label);
  };
  for (const x of named) if (!known.has(x) && isForward(x)) take(x, forwardName(x));
  const primals = namesOfPrimals(order.filter(isForward), known, (x) => fresh(forwardName(x)), ids);
  const isPart = partsOfGradients(order, ids);
  for (const x of named) {
    if (known.has(x) || !x.span) continue;
    const { span } = x;
    if (x.kind === "result") {
      take(
        x,
        resultName(x, (y) => known.get(y) ?? wordOf(y)),
      );
      continue;
    }
    const primal =
      primals.get(placeKey(span, span.gradientOf, ids)) ??
      joined(callOf(calls, span.origin), span.gradientOf ?? wordOf(x));
    const name = x.dtype === "f32" ? `d_${primal}` : primal;
    take(x, x.dtype === "f32" && !isPart.has(x) ? name : joined(name, wordOf(x))); // a part, or where a maximum was
  }
  for (const x of named) if (!known.has(x)) take(x, wordOf(x));
  const scans = scansOf(order);
  return {
    node: (x) => known.get(x) ?? x.label ?? wordOf(x),
    step: (scan) => `t${scans.length > 1 ? scans.indexOf(scan) : ""}`,
  };
}
const numbered = (name: string, count: number): string => (count > 1 ? `${name}'${count}` : name);
const joined = (call: string, part: string): string => [call, part].filter(Boolean).join(".");
/** By place; also of what is written out where it is read and has no name of its own. */
function namesOfPrimals(
  nodes: readonly Node[],
  known: ReadonlyMap<Node, string>,
  nameOf: (x: Node) => string,
  ids: Map<Origin, number>,
): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const isNamed of [true, false])
    for (const x of nodes) {
      if (!x.span || known.has(x) !== isNamed) continue;
      const key = placeKey(x.span, x.label ?? (x.kind === "source" ? x.path : undefined), ids);
      if (!names.has(key)) names.set(key, known.get(x) ?? nameOf(x));
    }
  return names;
}
/** "h1.steps", of all steps of a loop. */
function resultName({ of, scan }: Result, nameOf: (x: Node) => string): string {
  if (of.kind === "stack") return `${nameOf(of.node)}.steps`;
  return `${nameOf(scan.carries[of.carry]!.incoming)}.${of.kind}`;
}
function scansOf(order: readonly Node[]): Scan[] {
  const scans: Scan[] = [];
  for (const x of order) if (x.kind === "result" && !scans.includes(x.scan)) scans.push(x.scan);
  return scans;
}
/** Where each label stands. */
function placesOfLabels(nodes: readonly Node[], ids: Map<Origin, number>): ReadonlyMap<string, ReadonlySet<string>> {
  const places = new Map<string, Set<string>>();
  for (const x of nodes)
    if (x.label && x.kind !== "result")
      places.set(x.label, (places.get(x.label) ?? new Set()).add(x.span ? placeKey(x.span, x.label, ids) : ""));
  return places;
}
/** Two forms of one value stand at one place. */
function placeKey({ file, start, end, origin }: Place, label: string | undefined, ids: Map<Origin, number>): string {
  if (origin && !ids.has(origin)) ids.set(origin, ids.size);
  return [file.name, start, end, origin ? ids.get(origin) : "", label ?? ""].join();
}

/** What another node of the same gradient reads: a sum that has yet to be multiplied, one of several that are added. */
function partsOfGradients(order: readonly Node[], ids: Map<Origin, number>): ReadonlySet<Node> {
  const keyOf = (x: Node): string | undefined =>
    x.span?.isDerivative ? placeKey(x.span, x.span.gradientOf, ids) : undefined;
  const keys = new Map(order.map((x) => [x, keyOf(x)]));
  const isPart = (y: Node, x: Node): boolean => keys.get(y) !== undefined && keys.get(y) === keys.get(x);
  return new Set(order.flatMap((x) => (x.kind === "compute" ? inputs(x).filter((y) => isPart(y, x)) : [])));
}

// ---- calls

/** Named by a block of the user's: a field, a `let` of training. */
const isOfBlock = ({ span }: Node): boolean =>
  !span?.file.library && (span?.origin?.kind === "train" || span?.origin?.kind === "data");
/** Several calls of one instance, or of one function, are numbered: "disc", "disc'2", and "disc'2.linear" within. */
function callNames(order: readonly Node[]): ReadonlyMap<Origin, string> {
  const names = new Map<Origin, string>();
  const used = new Map<string, number>();
  const nameOf = (origin: Origin): string => {
    const known = names.get(origin);
    if (known !== undefined) return known;
    const around = origin.parent && nameOf(origin.parent);
    const name = isBlock(origin)
      ? ""
      : around
        ? within(origin, around)
        : origin.kind === "fn"
          ? origin.callee
          : origin.path;
    const count = (used.get(name) ?? 0) + 1;
    if (name) used.set(name, count);
    names.set(origin, numbered(name, count));
    return names.get(origin)!;
  };
  for (const x of order) if (x.span?.origin) nameOf(x.span.origin);
  return names;
}
const isBlock = ({ kind }: Origin): boolean => kind === "train" || kind === "export";
function within(origin: Origin, around: string): string {
  const outer = origin.parent!;
  if (origin.kind === "fn")
    return outer.kind === "fn"
      ? around.slice(0, around.lastIndexOf(".") + 1) + origin.callee
      : `${around}.${origin.callee}`;
  return origin.path.startsWith(`${outer.path}.`) ? around + origin.path.slice(outer.path.length) : origin.path;
}
const callOf = (calls: ReadonlyMap<Origin, string>, origin: Origin | undefined): string =>
  (origin && calls.get(origin)) ?? "";
/** What a call gives: others read it, and nothing else that it computes does. */
function resultsOf(order: readonly Node[]): (x: Node) => boolean {
  const inner = new Set<Node>();
  const read = new Set<Node>();
  for (const x of order)
    if (!x.span?.isDerivative)
      for (const y of inputs(x)) (y.span?.origin && holds(y.span.origin, x.span?.origin) ? inner : read).add(y);
  return (x) => read.has(x) && !inner.has(x);
}
function holds(outer: Origin, origin: Origin | undefined): boolean {
  for (let at = origin; at; at = at.parent) if (at === outer) return true;
  return false;
}
