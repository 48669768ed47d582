// Layers that are watched: numbers of every layer's gradient, weights and values, for every step of training. In: a step, the calls that made it.
// Out: columns by the names "KIND LAYER". A layer is an instance with parameters, or an activation: a function that works element by element and bends.
// What lies inside of loops is left out: it has no value outside of them.
import { gradient } from "../../grad/grad.ts";
import { compute, indicesOf, inputs, levelInputs, sameShape, topological } from "../../graph/node.ts";
import { add, call, constantOf, literal, load, mul, select, visit } from "../../graph/scalar.ts";
import type { Integer, Node, Scalar, Source, Variable } from "../../graph/types.ts";
import { functions } from "../../scalar/table.ts";
import type { ScalarFunction } from "../../scalar/functions.ts";
import type { Origin } from "../../graph/origin.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import type { BuiltinRecord, CallRecord } from "../context.ts";
import { axesOf, divideByCount } from "../tensors.ts";
import type { Step } from "./block.ts";

/**
 * `gradient`, `weight`: Euclidean norms over a layer's parameters. `value`: the root of the mean square of what it gives. Of an activation f(z), whose units
 * are the places of the last axis: `dead`, the share of units with f'(z) = 0 for the whole batch; `flat`, the share of values with |f'(z)| < 0.01.
 */
export type WatchedKind = "gradient" | "weight" | "value" | "dead" | "flat";
interface Layer {
  readonly place: number; // in the order in which calls end
  readonly numbers: Map<WatchedKind, Node>;
}
const mostLayers = 24;
const flatSlope = 0.01;

export function watchedColumns(
  step: Step,
  calls: readonly CallRecord[],
  builtins: readonly BuiltinRecord[],
): { name: string; node: Node }[] {
  const gradients = gradientsByInstance(step);
  const isThere = knownOutside(step);
  const ends = new Map(calls.map(({ origin }, i) => [origin, i]));
  const layers = new Map<string, Layer>();
  const numbersOf = (name: string, place: number): Layer["numbers"] => {
    const found = layers.get(name) ?? { place, numbers: new Map() };
    layers.set(name, found);
    return found.numbers;
  };
  calls.forEach(({ instance, result }, place) => {
    if (!instance || !gradients.has(instance.path)) return;
    const numbers = numbersOf(instance.path, place);
    if (result.kind === "tensor" && isThere(result.node) && !numbers.has("value"))
      numbers.set("value", rootMeanSquare(result.node));
  });
  const candidates = [...calls.flatMap(functionOf), ...builtins.flatMap(builtinOf)];
  for (const { name, origin, around, value, slope } of activationsAmong(candidates, isThere)) {
    const { path } = around;
    const isInLayer = around.kind === "layer" && gradients.has(path);
    const isOwn = !isInLayer || layers.get(path)?.numbers.has("dead");
    const place = ends.get(origin ?? around) ?? 0;
    const numbers = numbersOf(isOwn ? unusedName(`${path}.${name}`, layers) : path, place);
    if (isOwn) numbers.set("value", rootMeanSquare(value));
    numbers.set("dead", deadShare(slope)).set("flat", flatShare(slope));
  }
  for (const [path, parameters] of gradients)
    numbersOf(path, calls.length)
      .set("gradient", norm(parameters.map((p) => p.gradient)))
      .set("weight", norm(parameters.map((p) => p.at)));
  return [...layers]
    .sort(([, a], [, b]) => a.place - b.place)
    .slice(0, mostLayers)
    .flatMap(([name, { numbers }]) => [...numbers].map(([kind, node]) => ({ name: `${kind} ${name}`, node })));
}
/** Is a value computed of what the step reads, and not of what a loop or a function of rows is given inside? */
function knownOutside({ objectives }: Step): (x: Node) => boolean {
  const losses = objectives.map((o) => o.loss);
  const known = new Set(topological(losses, undefined, levelInputs));
  return (x) => {
    if (x.scans.size || x.dtype !== "f32") return false;
    const cone = topological([x], (n) => known.has(n), levelInputs).filter((n) => !known.has(n));
    const isThere = cone.every((n) => n.kind !== "source");
    if (isThere) for (const n of cone) known.add(n);
    return isThere;
  };
}
function unusedName(name: string, taken: ReadonlyMap<string, unknown>): string {
  if (!taken.has(name)) return name;
  let k = 2;
  while (taken.has(`${name}${k}`)) k++;
  return `${name}${k}`;
}
interface Known {
  readonly parameter: Source;
  readonly at: Node;
  readonly gradient: Node;
}
/** By the path of the instance that holds them; of what several lines minimize, the first. */
function gradientsByInstance({ objectives }: Step): Map<string, Known[]> {
  const byInstance = new Map<string, Known[]>();
  const seen = new Set<Source>();
  for (const known of objectives.flatMap((o) => o.gradients)) {
    if (seen.has(known.parameter)) continue;
    seen.add(known.parameter);
    const { path } = known.parameter;
    const instance = path.slice(0, Math.max(0, path.lastIndexOf(".")));
    byInstance.set(instance, [...(byInstance.get(instance) ?? []), known]);
  }
  return byInstance;
}

// ---- activations

/** A call of a function of one tensor. */
interface Candidate {
  readonly name: string;
  readonly origin: Origin | undefined; // its own, where the library or the user declares it
  readonly around: Origin | undefined;
  readonly span: Span;
  readonly z: Node;
  readonly value: Node;
}
interface Activation extends Candidate {
  readonly around: Origin;
  readonly slope: Node; // f'(z), element by element
}
function functionOf({ origin, declaration, scope, result }: CallRecord): Candidate[] {
  const [first] = declaration.params;
  const given = first && scope.find(first.name.text);
  if (given?.kind !== "tensor" || result.kind !== "tensor") return [];
  const { callee: name, parent: around, span } = origin;
  return [{ name, origin, around, span, z: given.node, value: result.node }];
}
/** Functions of the scalar table that end in two levels, as tanh does; and, where users write it, the larger or smaller of a value and a number. */
function builtinOf({ name, origin: around, span, given, result }: BuiltinRecord): Candidate[] {
  const row = functions.get(name);
  const tensors = given.flatMap((v) => (v.kind === "tensor" ? [v.node] : []));
  const [z] = tensors;
  if (!row || !z || tensors.length > 1 || result.kind !== "tensor") return [];
  const isBend = row.picks !== undefined && !span.file.library;
  const ends = [far, -far].map((x) => row.evaluate(x));
  const isStep = given.length === 1 && row.atMost !== undefined && ends[0] !== ends[1] && isLevel(row);
  return isBend || isStep ? [{ name, origin: undefined, around, span, z, value: result.node }] : [];
}
const far = 1e4;
const isLevel = ({ evaluate }: ScalarFunction): boolean =>
  [far, -far].every((x) => Math.abs(evaluate(x) - evaluate(2 * x)) < 1e-3);

/** The outermost ones in layers and models that are computed element by element and bend, a place in text once, however often it is applied. */
function activationsAmong(candidates: readonly Candidate[], isThere: (x: Node) => boolean): Activation[] {
  const found = candidates.flatMap((c) => {
    const slope = isThere(c.value) && c.z.dtype === "f32" ? slopeOf(c.value, c.z) : undefined;
    return slope ? [{ ...c, slope }] : [];
  });
  const origins = new Set(found.flatMap(({ origin }) => origin ?? []));
  const sites = new Map<string, Activation>();
  const numbers = new Map<Origin, Map<string, number>>(); // of activations of a name, in one call
  for (const c of found) {
    const { name, around } = c;
    const outer = [...chain(around)];
    if (!around || outer.some((o) => origins.has(o)) || !outer.some((o) => o.kind === "layer" || o.kind === "model"))
      continue;
    const number = numbers.get(around)?.get(name) ?? 0;
    numbers.set(around, new Map(numbers.get(around)).set(name, number + 1));
    const site = `${placeOf(outer)} ${name} ${number}`;
    if (!sites.has(site)) sites.set(site, { ...c, around });
  }
  return [...sites.values()];
}
/** The instance, and the calls of functions in it. */
function placeOf(outer: readonly Origin[]): string {
  const instance = outer.findIndex((o) => o.kind === "layer" || o.kind === "model");
  const functions = outer.slice(0, instance).map((o) => `${o.callee}@${o.span.file.name}:${o.span.start}`);
  return [outer[0]!.path, ...functions].join(" ");
}
function* chain(origin: Origin | undefined): Iterable<Origin> {
  for (let o = origin; o; o = o.parent) yield o;
}
/** f'(z); undefined where the function is not one of each element, or bends nowhere. */
function slopeOf(value: Node, z: Node): Node | undefined {
  if (!sameShape(value.shape, z.shape) || !isElementwise(value, z)) return undefined;
  const [slope] = gradient(value, [z], compute(axesOf(value.shape), undefined, literal(1)));
  return slope && dependsOn(slope, z) ? slope : undefined;
}
const dependsOn = (x: Node, z: Node): boolean => topological([x]).includes(z);

/** Is every element made of the same element of z, and of nothing else that depends on z? What is drawn (dropout) is no function. */
function isElementwise(value: Node, z: Node): boolean {
  const nodes = topological([value], (x) => x === z);
  const dependent = new Set<Node>([z]);
  for (const x of nodes) {
    if (x === z || !inputs(x).some((y) => dependent.has(y))) continue;
    if (x.kind !== "compute" || x.reduction || !sameShape(x.shape, z.shape)) return false;
    let isSame = true;
    visit(x.body, (e) => {
      if (e.kind === "random") isSame = false;
      if (e.kind === "load" && dependent.has(e.tensor)) isSame &&= !e.outside && e.indices.every(isAxis);
    });
    if (!isSame) return false;
    dependent.add(x);
  }
  return dependent.has(value);
}
const isAxis = (e: Integer, d: number): boolean => (e.kind === "variable" ? e.position === d : constantOf(e) === 0);

// ---- numbers

const elementOf = (x: Node, axes: readonly Variable[]): Scalar => load(x, indicesOf(axes));
function sumOver(x: Node, of: (element: Scalar) => Scalar): Node {
  const axes = axesOf(x.shape);
  return compute([], { op: "sum", over: axes }, of(elementOf(x, axes)));
}
const root = (sum: Scalar): Node => compute([], undefined, call("sqrt", sum));
const scalarOf = (x: Node): Scalar => load(x, []);
const squares = (x: Node): Scalar => scalarOf(sumOver(x, (e) => mul(e, e)));
const norm = (xs: readonly Node[]): Node => root(xs.map(squares).reduce((a, b) => add(a, b)));
const rootMeanSquare = (x: Node): Node => root(divideByCount(squares(x), x.shape));
function share(of: Node, holds: (element: Scalar) => Scalar): Node {
  const count = sumOver(of, (e) => select(holds(e), 1, 0));
  return compute([], undefined, divideByCount(scalarOf(count), of.shape));
}
const flatShare = (slope: Node): Node => share(slope, (e) => call("less", call("abs", e), flatSlope));
/** Of a tensor with one axis, the batch, all is one unit. */
function deadShare(slope: Node): Node {
  const axes = axesOf(slope.shape);
  const units = axes.length > 1 ? axes.slice(-1) : [];
  const over = axes.slice(0, axes.length - units.length);
  const steepest = compute(units, { op: "max", over }, call("abs", elementOf(slope, axes)));
  return share(steepest, (e) => call("equal", e, 0));
}
