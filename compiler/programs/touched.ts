// States of which only what is touched changes: where a state stays as it is while nothing is added to a sum by data (the gradient of a gather under plain
// gradient descent or Adagrad; not with a momentum or a decay), the places alone that something is added to are read and written. In: a program. Out: the
// same, with updates of places, where all that is made of the sum are such states.
import {
  bodyAt,
  compute,
  indicesOf,
  loadsIn,
  rootsOf,
  sameShape,
  tensorsOf,
  topological,
  withinProgram,
} from "../graph/node.ts";
import { axis, inRange, literal, load, select, substitute, variable } from "../graph/scalar.ts";
import type { Compute, GraphProgram, Integer, Node, Scalar, Update } from "../graph/types.ts";
import { mayBePlaced, placedSum, type PlacedSum } from "../rewrite/places.ts";
import { touchedSum, type TouchedSum } from "../rewrite/sorted.ts";

/** Updates that are made of one sum. */
export interface Touched {
  readonly sum: Node;
  readonly placed: PlacedSum;
  readonly updates: readonly (Update & { readonly element: Scalar })[]; // of whole states; an element over what is read, the sum's own among it
}
/** `outputs`: they are wanted; else only what is updated. */
export function touchPlaces(program: GraphProgram, outputs: boolean, worth: (x: Touched) => boolean): GraphProgram {
  return withinProgram(program, () => {
    let now = program;
    const { made, usersOf, updatesOf } = madeByElement(program);
    for (const x of made) {
      // before all that is made of it is looked at, which every sum of a long chain of layers has much of
      const placed = x.shape.length > 0 && mayBePlaced(x) ? placedSum(x) : undefined;
      if (!placed) continue;
      const above = aboveOf(x, usersOf);
      const numbers = [...above].flatMap((y) => (y === x ? [] : (updatesOf.get(y) ?? []))).sort((a, b) => a - b);
      const touched = touchedBy(x, placed, above, numbers, outputs ? now : { ...now, outputs: [] });
      const sum = touched && worth(touched) && touchedSum(touched.placed, { span: x.span, label: x.label });
      if (!touched || !sum) continue;
      const whole = new Map(touched.updates.map((u) => [u.target, u]));
      const updates = now.updates.map((u) => (whole.has(u.target) ? updateAt(whole.get(u.target)!, x, sum) : u));
      now = { ...now, updates };
    }
    return now;
  });
}
const isPointwise = (x: Node): x is Compute => x.kind === "compute" && !x.reduction;
/** What updates are made of, element by element. */
interface Made {
  readonly made: readonly Node[]; // in the order of its making
  readonly usersOf: ReadonlyMap<Node, readonly Node[]>; // among it
  readonly updatesOf: ReadonlyMap<Node, readonly number[]>; // by their place in the program
}
function madeByElement(program: GraphProgram): Made {
  const values = program.updates.map((u) => u.value).filter(isPointwise);
  const made = topological(values, (x) => !isPointwise(x));
  const usersOf = new Map<Node, Node[]>();
  const updatesOf = new Map<Node, number[]>();
  const add = <T>(map: Map<Node, T[]>, key: Node, x: T): void => {
    const own = map.get(key);
    if (own) own.push(x);
    else map.set(key, [x]);
  };
  for (const y of made.filter(isPointwise))
    for (const x of new Set(loadsIn(y).map((l) => l.tensor))) add(usersOf, x, y);
  for (const [i, u] of program.updates.entries()) add(updatesOf, u.value, i);
  return { made, usersOf, updatesOf };
}
/** It and what is made of it. */
function aboveOf(x: Node, usersOf: Made["usersOf"]): ReadonlySet<Node> {
  const above = new Set<Node>([x]);
  for (const y of above) for (const user of usersOf.get(y) ?? []) above.add(user);
  return above;
}
/** `numbers`: the updates among `above`. */
function touchedBy(
  x: Node,
  placed: PlacedSum,
  above: ReadonlySet<Node>,
  numbers: readonly number[],
  program: GraphProgram,
): Touched | undefined {
  const updates: Touched["updates"][number][] = [];
  for (const u of numbers.map((i) => program.updates[i]!)) {
    if (u.at) continue;
    if (elementOf(u.value, x, above, literal(0)) !== load(u.target, axesOf(u.target))) return undefined;
    updates.push({ ...u, element: elementOf(u.value, x, above, load(x, axesOf(x)))! });
  }
  if (!updates.length) return undefined;
  const others = program.updates.filter((u) => !updates.some((v) => v.target === u.target));
  const read = tensorsOf(updates.map((u) => u.element)).filter((y) => y !== x);
  const isRead = topological([...rootsOf({ ...program, updates: others }), ...read]).includes(x);
  return isRead ? undefined : { sum: x, placed, updates };
}
const axesOf = (x: Node): readonly Integer[] => indicesOf(x.shape.map((n, d) => axis(d, n)));
/** An element of a node over what it is made of beside the sum, whose own element is `value`. Undefined where others of the sum enter it. */
function elementOf(root: Node, sum: Node, above: ReadonlySet<Node>, value: Scalar): Scalar | undefined {
  const own = axesOf(sum);
  let isOwn = true;
  const at = (x: Node, indices: readonly Integer[], outside?: Scalar): Scalar => {
    if (x === sum) {
      isOwn &&= !outside && indices.every((e, d) => e === own[d]);
      return value;
    }
    const inner = substitute(bodyAt(x as Compute, indices), new Map(), (l, indices, outside) =>
      above.has(l.tensor) ? at(l.tensor, indices, outside) : undefined,
    );
    return outside ? select(inRange(x, indices), inner, outside) : inner;
  };
  const element = at(root, own);
  return isOwn && sameShape(root.shape, sum.shape) ? element : undefined;
}
/** The update of the places that the sum has something for. */
function updateAt({ target, value, element }: Touched["updates"][number], sum: Node, made: TouchedSum): Update {
  const axes = made.node.shape.map((n) => variable(n, "i"));
  const own = indicesOf(axes);
  const places = made.at(own);
  const there = new Map(sum.shape.map((n, d) => [axis(d, n) as Scalar, places[d]!] as const));
  const now = substitute(element, there, (l) => (l.tensor === sum ? load(made.node, own) : undefined));
  const body = select(inRange(target, places), now, 0);
  return {
    target,
    value: compute(axes, undefined, body, { span: value.span, label: value.label }),
    at: made.at(axesOf(made.node)),
  };
}
