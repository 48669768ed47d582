// Reverse-mode differentiation, Graph to Graph: walks the nodes from the root backwards, sums the cotangents that meet at a node in one
// pointwise body, and turns every load of a wanted tensor into a relation for `solve`. One rule per kind of node.
// Ties and kinks: `max` and `min` share the cotangent among ties or give it to the first, as the reduction says; argmax, comparisons
// and rounding pass nothing on; the rows of the scalar table have the rest.
import { within } from "../graph/compilation.ts";
import {
  compute,
  constant,
  gradientMeta,
  indicesOf,
  levelInputs,
  ownAxes,
  reshape,
  sumNodes,
  topological,
  type Meta,
} from "../graph/node.ts";
import {
  and,
  axis,
  call,
  div,
  equal,
  iadd,
  imul,
  integer,
  literal,
  load,
  mul,
  select,
  substitute,
  variable,
} from "../graph/scalar.ts";
import type { Compute, Integer, Node, Scalar, Scan, Variable } from "../graph/types.ts";
import { adjoints } from "./adjoint.ts";
import { scanVjp, type Level } from "./scan.ts";
import { solve, type Contribution } from "./solve.ts";

/** d root / d each of `wrt` (undefined: no dependence). The root is a scalar unless a seed of its shape is given. A wanted node counts as independent. */
export function gradient(root: Node, wrt: readonly Node[], seed?: Node): (Node | undefined)[] {
  return within(root.compilation, () => {
    const ones = root.shape.map(() => 1);
    const found = backpropagate(new Map([[root, seed ?? constant(ones, [1])]]), new Set(wrt));
    return wrt.map((x) => found.get(x));
  });
}

const whole: Level = { inside: () => true, wantedOutside: () => false, contribute: () => undefined };

/** Cotangents of the wanted nodes, given those of the seeds. */
function backpropagate(seeds: ReadonlyMap<Node, Node>, wrt: ReadonlySet<Node>, level: Level = whole): Map<Node, Node> {
  const order = topological([...seeds.keys()], (x) => !level.inside(x) || wrt.has(x), levelInputs).filter(level.inside);
  const needed = new Set<Node>();
  const isWanted = (x: Node): boolean =>
    x.dtype === "f32" && (wrt.has(x) || needed.has(x) || (!level.inside(x) && level.wantedOutside(x)));
  for (const x of order) if (wrt.has(x) || (x.dtype === "f32" && levelInputs(x).some(isWanted))) needed.add(x);

  const cotangents = new Map<Node, Node[]>();
  const put = (x: Node, g: Node): void => {
    const list = cotangents.get(x);
    if (list) list.push(g);
    else cotangents.set(x, [g]);
  };
  for (const [x, g] of seeds) put(x, g);
  const contribute = (c: Contribution): void => {
    if (!level.inside(c.tensor)) level.contribute(c);
    else put(c.tensor, solve({ ...c, shape: c.tensor.shape }));
  };
  const found = new Map<Node, Node>();
  const finished = new Set<Node>(); // cotangents: each is a value of its own, read where it is passed on (down a residual stream, say)
  // results of one scan are differentiated together, when the first of them in the order (the last one walked) is reached
  const scans = new Map<Scan, { first: Node; seeds: { result: Node & { kind: "result" }; g: Node }[] }>();
  for (const x of order) if (x.kind === "result" && !scans.has(x.scan)) scans.set(x.scan, { first: x, seeds: [] });
  for (let i = order.length - 1; i >= 0; i--) {
    const x = order[i]!;
    const list = cotangents.get(x);
    if (list && needed.has(x)) {
      const g = sumNodes(list, gradientMeta(x), finished);
      finished.add(g);
      if (wrt.has(x)) found.set(x, g);
      else if (x.kind === "result") scans.get(x.scan)!.seeds.push({ result: x, g });
      else vjp(x, g, isWanted, contribute);
    }
    if (x.kind === "result") {
      const group = scans.get(x.scan)!;
      if (group.first === x && group.seeds.length) scanVjp(x.scan, group.seeds, isWanted, contribute, backpropagate);
    }
  }
  return found;
}

function vjp(x: Node, g: Node, wanted: (node: Node) => boolean, contribute: (c: Contribution) => void): void {
  switch (x.kind) {
    case "source":
    case "result":
      return;
    case "reshape": {
      if (!wanted(x.operand)) return;
      const back = reshape(g, x.operand.shape, gradientMeta(x));
      const p = x.operand.shape.map((n, d) => axis(d, n));
      contribute({ tensor: x.operand, unknowns: p, indices: indicesOf(p), value: load(back, p) });
      return;
    }
    case "compute":
      return computeVjp(x, g, wanted, contribute);
    case "scatter": {
      // y[index(V)] += value(V): the cotangent of value is g at the index, 0 outside
      const v = x.over.map((n) => variable(n, "v"));
      const map = new Map(v.map((w, i) => [axis(i, w.extent), w] as const));
      const at = x.indices.map((e) => substitute(e, map) as Integer);
      for (const [l, a] of adjoints(substitute(x.value, map), load(g, at, 0), wanted))
        contribute({ tensor: l.tensor, unknowns: v, indices: l.indices, value: a, meta: gradientMeta(l.tensor) });
      return;
    }
    default:
      return x satisfies never;
  }
}

function computeVjp(x: Compute, g: Node, wanted: (node: Node) => boolean, contribute: (c: Contribution) => void): void {
  const { output, over } = ownAxes(x); // the unknowns
  const { body } = x;
  const at = indicesOf(output);
  let seed = load(g, at);
  const op = x.reduction?.op;
  if (op === "argmax" || op === "argmin") return;
  if (op === "max" || op === "min") {
    if (x.reduction!.ties === "share") {
      const hit = call("equal", body, load(x, at)); // the same bits as in the forward pass: the constructor sees to it
      const count = compute(output, { op: "sum", over }, select(hit, literal(1), 0), gradientMeta(x));
      seed = select(hit, div(seed, load(count, at)), 0);
    } else {
      seed = select(isFirst(op, output, over, body, gradientMeta(x)), seed, 0);
    }
  } else if (op === "prod") {
    // the product of the other factors, exact with any number of zeros
    const other = over.map((v) => variable(v.extent, "j"));
    const same = over.map((v, i) => equal(v, other[i]!)).reduce((a, b) => and(a, b));
    const rest = compute(
      [...output, ...over],
      { op: "prod", over: other },
      select(same, literal(1), substitute(body, new Map(over.map((v, i) => [v, other[i]!])))),
      gradientMeta(x),
    );
    seed = mul(seed, load(rest, [...at, ...indicesOf(over)]));
  }
  const own = x.reduction ? undefined : load(x, at);
  const unknowns = [...output, ...over].filter((v) => v.extent !== 1);
  for (const [l, a] of adjoints(body, seed, wanted, own))
    contribute({ tensor: l.tensor, unknowns, indices: l.indices, value: a, meta: gradientMeta(l.tensor) });
}
/** Is the element at `over` the first extremum, row by row? Positions are counted where strides are known; else the first of each axis is found, given the axes before it. */
function isFirst(
  op: "max" | "min",
  output: readonly Variable[],
  over: readonly Variable[],
  body: Scalar,
  meta: Meta,
): Scalar {
  const place = op === "max" ? "argmax" : "argmin";
  if (over.slice(1).every((v) => typeof v.extent === "number")) {
    const first = compute(output, { op: place, over }, body, meta);
    return equal(load(first, indicesOf(output)) as Integer, rowMajor(over));
  }
  const conditions = over.map((v, k) => {
    const [before, after] = [[...output, ...over.slice(0, k)], over.slice(k + 1)];
    const best = after.length
      ? load(compute([...before, v], { op, over: after, ties: "first" }, body, meta), indicesOf([...before, v]))
      : body;
    return equal(
      load(compute(before, { op: place, over: [v] }, best, meta), indicesOf(before)) as Integer,
      indicesOf([v])[0]!,
    );
  });
  return and(...conditions);
}
function rowMajor(over: readonly Variable[]): Integer {
  return over.reduce<Integer>(
    (position, v, d) => iadd(d ? imul(position, v.extent as number) : 0, indicesOf([v])[0]!),
    integer(0),
  );
}
