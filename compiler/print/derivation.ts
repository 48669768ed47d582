// The derivation of a train block's gradients, as formulas that are read from above: what is given, the objective, then its derivatives. Named
// are sums, what the source names, and what is read more than once; the rest is written out where it is read, and simplified over the reals.
// In: a train block. Out: lines; every name in a line is defined above it.
import type { TrainProgram } from "../elaborate/program.ts";
import { inputs, loadsIn, topological } from "../graph/node.ts";
import { extentText, printNode, shapeText, type Names } from "../graph/print.ts";
import { operandsOf, scalarOrder, visit } from "../graph/scalar.ts";
import type { Call, Compute, Extent, Node, Scalar, Scan } from "../graph/types.ts";
import { add, atom, divide, multiply, number, numberText, scale, sub, text, valueOf, type Poly } from "./algebra.ts";

export function derivationText(t: TrainProgram): string {
  const gradients = t.objectives.flatMap((o) => o.gradients.map((g) => ({ objective: o.name, ...g })));
  const losses = new Map<Node, string>(t.objectives.map((o) => [o.loss, o.name]));
  const order = topological([...losses.keys(), ...gradients.map((g) => g.gradient)]);
  const wanted = new Map([...gradients.map((g) => [g.gradient, `d_${g.parameter.path}`] as const), ...losses]);
  const w = writerOf(order, wanted);
  const lines = order.filter(w.isNamed).flatMap((x) => [
    ...nodeLines(x, w).map((line) => "  ".repeat(x.scans.size) + line),
    ...(losses.has(x) ? [""] : []), // what follows is made of it
  ]);
  return [
    ...lines,
    "",
    ...gradients.map((g) => `d ${g.objective} / d ${g.parameter.path} = ${w.valueText(g.gradient)}`),
  ].join("\n");
}

/** Formulas of one program. */
interface Writer {
  readonly names: Names;
  readonly isNamed: (x: Node) => boolean;
  readonly isConstant: (x: Node) => boolean;
  readonly valueText: (x: Node) => string; // its name, or the number that it is
  /** `bare`: without the axes of what is read. */
  readonly body: (x: Compute, at: Axes, bare: boolean) => Poly;
}
/** What the axes of a node are called, or what is written for them. */
type Axes = (position: number) => Poly;

/** `wanted`: names of losses and of gradients. */
function writerOf(order: readonly Node[], wanted: ReadonlyMap<Node, string>): Writer {
  const constants = new Map<Node, number>();
  const isApart = namedApart(order, (x) => wanted.has(x));
  const isNamed = (x: Node): boolean => isApart(x) && !constants.has(x);
  const draws = new Map<string, string>();
  // two draws are two names
  const draw: DrawName = ({ distribution, site }, place) => {
    const key = `${site} ${place}`;
    const count = [...draws.values()].filter((name) => name.startsWith(distribution)).length;
    if (!draws.has(key)) draws.set(key, count ? `${distribution}'${count}` : distribution);
    return draws.get(key)!;
  };
  let names = namesByPosition();
  const body: Writer["body"] = (x, at, bare) => {
    const memo = new Map<Scalar, Poly>();
    const go = (e: Scalar): Poly => {
      let known = memo.get(e);
      if (!known) memo.set(e, (known = polyOf(e, go, at, names, load, draw)));
      return known;
    };
    const load: LoadText = (l) => {
      const value = constants.get(l.tensor);
      if (value !== undefined) return number(value);
      const indices = l.indices.map(go);
      if (l.tensor.kind === "compute" && !isApart(l.tensor))
        return body(l.tensor, (p) => indices[p] ?? number(0), bare);
      const shown = bare ? [] : indices.filter((_, d) => l.tensor.shape[d] !== 1);
      return atom(
        `${names.node(l.tensor)}${shown.length ? `[${shown.map((i) => unbracketed(text(i))).join(", ")}]` : ""}`,
      );
    };
    for (const e of scalarOrder([x.body])) go(e); // operands first, so that no recursion is deep
    return go(x.body);
  };
  for (const x of order) {
    const value = x.kind === "compute" && !x.scans.size ? constantOf(x, body) : undefined;
    if (value !== undefined) constants.set(x, value);
  }
  draws.clear();
  names = namesOf(order, isNamed, wanted);
  const valueText = (x: Node): string => (constants.has(x) ? numberText(constants.get(x)!) : names.node(x));
  return { names, isNamed, isConstant: (x) => constants.has(x), valueText, body };
}
/** While constants are found: what differs has different names. */
function namesByPosition(): Names {
  const positions = new Map<Node, number>();
  const node = (x: Node): string => {
    if (!positions.has(x)) positions.set(x, positions.size);
    return `%${positions.get(x)!}`;
  };
  return { node, step: () => "t" };
}
/** The number that a node always is: the slope of a mean, a count. */
function constantOf(x: Compute, body: Writer["body"]): number | undefined {
  const value = valueOf(body(x, (p) => atom(`axis${p}`), false));
  if (value === undefined || !x.reduction) return value;
  const count = x.reduction.extents.reduce<number>((n, e) => n * (typeof e === "number" ? e : NaN), 1);
  return x.reduction.op === "sum" && !Number.isNaN(count) ? value * count : undefined;
}
/** Sums, what has a name, and what is read more than once and is more than arithmetic on one value. */
function namedApart(order: readonly Node[], isWanted: (x: Node) => boolean): (x: Node) => boolean {
  const reads = new Map<Node, number>();
  const asTensor = new Set<Node>(); // read as a whole, by scans and views
  for (const x of order) {
    if (x.kind !== "compute") for (const y of inputs(x)) asTensor.add(y);
    else for (const y of inputs(x)) reads.set(y, (reads.get(y) ?? 0) + 1);
  }
  const isArithmetic = (x: Compute): boolean => loadsIn(x).length < 2 && !functionsIn(x.body);
  const depths = new Map<Node, number>(); // of what is written out
  const apart = new Set<Node>();
  for (const x of order) {
    const depth = 1 + Math.max(0, ...inputs(x).map((y) => depths.get(y) ?? 0));
    const isApart =
      x.kind !== "compute" ||
      x.reduction !== undefined ||
      x.label !== undefined ||
      asTensor.has(x) ||
      isWanted(x) ||
      depth > deepest ||
      ((reads.get(x) ?? 0) > 1 && !isArithmetic(x));
    if (isApart) apart.add(x);
    else depths.set(x, depth);
  }
  return (x) => apart.has(x);
}
const deepest = 32;
const arithmetic: ReadonlySet<string> = new Set(["add", "sub", "mul", "div", "neg"]);
function functionsIn(root: Scalar): boolean {
  let found = false;
  visit(root, (e) => void (found ||= (e.kind === "call" && !arithmetic.has(e.fn.name)) || e.kind === "select"));
  return found;
}

// ---- lines

const outputLetters = "ijlmnpqr";
const reducedLetters = "kuvwxyz";
const letterOf = (letters: string, i: number): string => letters[i] ?? `${letters.at(-1)}${i}`;

function nodeLines(x: Node, w: Writer): string[] {
  if (x.kind !== "compute") return printNode(x, w.names);
  const rank = x.shape.length;
  const axisName = (p: number): string => letterOf(p < rank ? outputLetters : reducedLetters, p < rank ? p : p - rank);
  const extents = x.reduction?.extents ?? [];
  const bare = !x.reduction && isElementwise(x, w);
  const typed = `${x.dtype}${rank ? shapeText(x.shape) : ""}`;
  const own = x.shape.flatMap((n, i) => (n === 1 ? [] : [axisName(i)]));
  const left = `${w.names.node(x)}${own.length && !bare ? `[${own.join(", ")}]` : ""}`;
  const value = text(w.body(x, (p) => (x.shape[p] === 1 ? number(0) : atom(axisName(p))), bare));
  const over = extents.map((n, i) => `${axisName(rank + i)} < ${extentText(n)}`).join(", ");
  // a reduction is of all that follows it
  return [`${left}: ${typed} = ${x.reduction ? `${x.reduction.op}(${over}) ` : ""}${value}`];
}
/** Does every tensor in it have the node's own axes, so that none need be written? */
function isElementwise(x: Compute, w: Writer): boolean {
  const core = (shape: readonly Extent[]): readonly Extent[] => shape.filter((n) => n !== 1);
  const axes = core(x.shape);
  if (!axes.length) return true;
  const seen = new Set<Node>();
  const stack: Compute[] = [x];
  for (let y = stack.pop(); y; y = stack.pop()) {
    if (usesAxes(y.body)) return false;
    for (const l of loadsIn(y)) {
      const own = core(l.tensor.shape);
      const aligned =
        !l.outside &&
        own.length === axes.length &&
        own.every((n, i) => n === axes[i]) &&
        l.indices.every((e, d) => l.tensor.shape[d] === 1 || (e.kind === "variable" && e.position !== undefined)) &&
        isSorted(l.indices.flatMap((e, d) => (l.tensor.shape[d] === 1 || e.kind !== "variable" ? [] : [e.position!])));
      if (!aligned && own.length && !w.isConstant(l.tensor)) return false;
      if (!w.isNamed(l.tensor) && l.tensor.kind === "compute" && !seen.has(l.tensor)) {
        seen.add(l.tensor);
        stack.push(l.tensor);
      }
    }
  }
  return true;
}
const isSorted = (positions: readonly number[]): boolean => positions.every((p, i) => !i || positions[i - 1]! < p);
/** Is an axis itself part of the value (a mask, a draw)? */
function usesAxes(root: Scalar): boolean {
  const stack = [root];
  const seen = new Set<Scalar>();
  for (let e = stack.pop(); e; e = stack.pop()) {
    if (seen.has(e)) continue;
    seen.add(e);
    if ((e.kind === "variable" && e.position !== undefined) || e.kind === "random") return true;
    stack.push(...(e.kind === "load" ? (e.outside ? [e.outside] : []) : operandsOf(e)));
  }
  return false;
}

// ---- names

/**
 * By label, plain where only one has it or the user's own text does; else behind the instance whose parameters are read ("net.linear.y"). What has
 * none is its layer's value, or on the way back g1, g2, ...
 */
function namesOf(order: readonly Node[], isNamed: (x: Node) => boolean, wanted: ReadonlyMap<Node, string>): Names {
  const known = new Map<Node, string>();
  const used = new Map<string, number>();
  const scans: Scan[] = [];
  for (const x of order) if (x.kind === "result" && !scans.includes(x.scan)) scans.push(x.scan);
  const take = (x: Node, wanted: string): void => {
    const count = used.get(wanted) ?? 0;
    used.set(wanted, count + 1);
    known.set(x, count ? `${wanted}'${count}` : wanted);
  };
  const named = order.filter(isNamed);
  for (const x of named) if (x.kind === "source") take(x, x.path || x.label || "constant");
  for (const x of named) if (!known.has(x) && wanted.has(x)) take(x, wanted.get(x)!);
  const isUsers = (x: Node): boolean => x.label !== undefined && x.span?.file.library !== true;
  for (const x of named) if (!known.has(x) && isUsers(x)) take(x, x.label!);
  const isBackward = backward(order);
  let count = 0;
  for (const x of named) {
    if (known.has(x)) continue;
    const instance = instanceOf(x, isNamed);
    if (x.label && (!used.has(x.label) || !instance || x.span?.isDerivative)) take(x, x.label);
    else if (x.label) take(x, `${instance}.${x.label}`);
    else if (isBackward.has(x)) take(x, `g${++count}`);
    else take(x, x.kind === "compute" && !x.reduction && instance ? instance : wordFor(x));
  }
  return {
    node: (x) => known.get(x) ?? x.label ?? wordFor(x),
    step: (scan) => `t${scans.length > 1 ? scans.indexOf(scan) : ""}`,
  };
}
/** Derivatives, and what is made of them. */
function backward(order: readonly Node[]): ReadonlySet<Node> {
  const found = new Set<Node>();
  for (const x of order) if (x.span?.isDerivative || inputs(x).some((y) => found.has(y))) found.add(x);
  return found;
}
/** The layer whose parameter a node reads: "net.linear" of net.linear.w. */
function instanceOf(x: Node, isNamed: (x: Node) => boolean): string | undefined {
  for (const y of inputs(x)) {
    if (y.kind === "source" && y.role === "parameter" && y.path.includes("."))
      return y.path.slice(0, y.path.lastIndexOf("."));
    const below = isNamed(y) ? undefined : instanceOf(y, isNamed);
    if (below) return below;
  }
  return undefined;
}
const wordFor = (x: Node): string =>
  x.kind === "compute" ? (x.reduction?.op ?? (x.body.kind === "call" ? x.body.fn.name : "value")) : x.kind;

// ---- scalars

type LoadText = (l: Extract<Scalar, { kind: "load" }>) => Poly;
type DrawName = (e: Extract<Scalar, { kind: "random" }>, seedAndStep: string) => string;

function polyOf(e: Scalar, go: (x: Scalar) => Poly, at: Axes, names: Names, load: LoadText, draw: DrawName): Poly {
  const list = (xs: readonly Scalar[]): string => xs.map((x) => unbracketed(text(go(x)))).join(", ");
  switch (e.kind) {
    case "literal":
      return e.dtype === "bool" ? atom(String(e.value === 1)) : number(e.value);
    case "dim":
    case "local":
      return atom(e.name);
    case "variable":
      return e.position !== undefined ? at(e.position) : atom(e.scans.size ? names.step([...e.scans][0]!) : e.name);
    case "affine":
      return e.terms.reduce((sum, [x, k]) => add(sum, scale(go(x), k)), number(e.constant));
    case "floor_div":
      return atom(`floor(${text(divide(go(e.operand), number(e.divisor)))})`);
    case "modulo":
      return atom(`(${bracketed(go(e.operand))} mod ${e.divisor})`);
    case "non_negative":
      return comparison(go(e.operand), ">=");
    case "equal_zero":
      return comparison(go(e.operand), "==");
    case "and":
      return atom(`(${e.operands.map((x) => text(go(x))).join(" and ")})`);
    case "not":
      return atom(`not ${bracketed(go(e.operand))}`);
    case "select":
      return atom(`select(${list([e.condition, e.then, e.otherwise])})`);
    case "load": {
      const value = load(e);
      return e.outside ? atom(`(${text(value)} ?? ${text(go(e.outside))})`) : value;
    }
    case "random":
      return atom(`${draw(e, list([e.seed, e.step]))}[${list(e.indices)}]`);
    case "call":
      return callOf(e, go);
    default:
      return e satisfies never;
  }
}
const infix: Readonly<Record<string, string>> = { less: "<", less_equal: "<=", equal: "==" };
function callOf({ fn, operands: xs }: Call, go: (x: Scalar) => Poly): Poly {
  const [a = number(0), b = number(0)] = xs.map(go);
  switch (fn.name) {
    case "add":
      return add(a, b);
    case "sub":
      return sub(a, b);
    case "mul":
      return multiply(a, b);
    case "div":
      return divide(a, b);
    case "neg":
      return scale(a, -1);
    case "sigmoid": // sigmoid(-x) = 1 - sigmoid(x)
      return isNegative(a) ? sub(number(1), atom(`sigmoid(${text(scale(a, -1))})`)) : atom(`sigmoid(${text(a)})`);
    default: {
      const sign = infix[fn.name];
      if (sign) return atom(`(${text(a)} ${sign} ${text(b)})`);
      return atom(`${fn.name}(${xs.map((x) => unbracketed(text(go(x)))).join(", ")})`);
    }
  }
}
const isNegative = (a: Poly): boolean => a.size > 0 && [...a.values()].every((p) => p.factor < 0);
const bracketed = (a: Poly): string => (/^[\w.%']+$/.test(text(a)) || isBracketed(text(a)) ? text(a) : `(${text(a)})`);
const unbracketed = (t: string): string => (isBracketed(t) ? t.slice(1, -1) : t);
/** Does its first bracket close with its last character? */
function isBracketed(t: string): boolean {
  let depth = 0;
  for (let i = 0; i < t.length; i++) {
    if (t[i] === "(") depth++;
    else if (t[i] === ")") depth--;
    if (!depth) return i > 0 && i === t.length - 1;
  }
  return false;
}
/** a - b >= 0 reads a >= b. */
function comparison(a: Poly, sign: string): Poly {
  const [left, right] = [true, false].map((positive) =>
    text(
      new Map(
        [...a].filter(([, p]) => p.factor > 0 === positive).map(([k, p]) => [k, { ...p, factor: Math.abs(p.factor) }]),
      ),
    ),
  );
  return atom(`(${left} ${sign} ${right})`);
}
