// The derivation of a train block's gradients, as formulas that are read from above: what is given, the objective, then its derivatives, simplified
// over the reals. In: a train block. Out: lines; every name in a line is defined above it.
import type { Objective, TrainProgram } from "../elaborate/program.ts";
import { loadsIn, topological } from "../graph/node.ts";
import { extentText, printNode, shapeText, type Names } from "../graph/print.ts";
import { operandsOf, scalarOrder } from "../graph/scalar.ts";
import type { Call, Compute, Node, Reshape, Scalar } from "../graph/types.ts";
import { coreOf, countOf, isUpdated, layoutOf, wordOf, type ScaledSum } from "./apart.ts";
import { namesByCall } from "./call-names.ts";
import {
  add,
  atom,
  divide,
  loose,
  multiply,
  number,
  numberText,
  operandText,
  scale,
  sub,
  sumText,
  text,
  valueOf,
  type Poly,
} from "./algebra.ts";

/** A line, and the node that it is the formula of. */
export interface FormulaLine {
  readonly text: string;
  readonly node?: Node;
}
export const derivationText = (t: TrainProgram): string =>
  derivationLines(t)
    .map((line) => line.text)
    .join("\n");
export function derivationLines(t: TrainProgram): readonly FormulaLine[] {
  const { order, writer: w } = derivationOf(t);
  const gradients = t.objectives.flatMap((o) => o.gradients.map((g) => ({ objective: o.name, ...g })));
  const losses = new Set(t.objectives.map((o) => o.loss));
  const place = new Map<Node, number>(gradients.map((g, i) => [g.parameter, i]));
  const given = order
    .filter((x) => w.isNamed(x) && x.kind === "source" && x.role !== "carry")
    .sort((a, b) => (place.get(a) ?? -1) - (place.get(b) ?? -1));
  const written = new Set<Node>(given);
  const linesOf = (x: Node, indent: string): FormulaLine[] =>
    nodeLines(x, w).map((line) => ({ text: indent + line, node: x }));
  const sections = t.objectives.map((o) =>
    topological(rootsOf(o), isUpdated).flatMap((x) => {
      if (!w.isNamed(x) || written.has(x)) return [];
      written.add(x);
      const lines = linesOf(x, "  ".repeat(x.scans.size));
      return losses.has(x) ? [...lines, blank] : lines; // what follows is made of it
    }),
  );
  return [
    ...given.flatMap((x) => linesOf(x, "")),
    blank,
    ...sections.flatMap((lines) => [...lines, blank]),
    ...gradients.map((g) => ({
      text: `d ${g.objective} / d ${g.parameter.path} = ${w.valueText(g.gradient)}`,
      node: g.gradient,
    })),
  ];
}
const blank: FormulaLine = { text: "" };
const rootsOf = (o: Objective): Node[] => [o.loss, ...o.gradients.map((g) => g.gradient)];
/** The nodes of the objectives and their gradients, and how they are written. */
export function derivationOf({ objectives }: TrainProgram): {
  readonly order: readonly Node[];
  readonly writer: Writer;
} {
  const order = topological(objectives.flatMap(rootsOf), isUpdated);
  const wanted = new Map<Node, string>(
    objectives.flatMap((o) => [
      ...o.gradients.map((g) => [g.gradient, `d_${g.parameter.path}`] as const),
      [o.loss, o.name] as const,
    ]),
  );
  return { order, writer: writerOf(order, wanted) };
}
/** Formulas of one program. */
export interface Writer {
  readonly names: Names;
  readonly sums: ReadonlyMap<Node, ScaledSum>;
  readonly isNamed: (x: Node) => boolean;
  readonly isConstant: (x: Node) => boolean;
  readonly valueText: (x: Node) => string; // its name, or the number that it is
  /** `bare`: without the axes of what is read. */
  readonly scalar: (e: Scalar, at: Axes, bare: boolean) => Poly;
}
/** What the axes of a node are called, or what is written for them. */
type Axes = (position: number) => Poly;

/** `wanted`: names of losses and of gradients. */
function writerOf(order: readonly Node[], wanted: ReadonlyMap<Node, string>): Writer {
  const constants = new Map<Node, number>();
  const { isApart, sums } = layoutOf(order, (x) => wanted.has(x));
  const first = new Map<Node, Node>(); // of the nodes that are one formula
  const isNamed = (x: Node): boolean => isApart(x) && !constants.has(x) && !first.has(x);
  const draws = new Map<string, string>();
  // two draws are two names
  const draw: DrawName = ({ distribution, site }, place) => {
    const key = `${site} ${place}`;
    const count = [...draws.values()].filter((name) => name.startsWith(distribution)).length;
    if (!draws.has(key)) draws.set(key, count ? `${distribution}'${count + 1}` : distribution);
    return draws.get(key)!;
  };
  let names = namesByPosition(first);
  const valueOfNode = (x: Node, indices: readonly Poly[], bare: boolean): Poly => {
    const value = constants.get(x);
    if (value !== undefined) return number(value);
    if (x.kind === "reshape" && !isApart(x)) return valueOfNode(x.operand, throughView(x, indices), bare);
    if (x.kind === "compute" && !isApart(x)) return scalar(x.body, (p) => indices[p] ?? number(0), bare);
    const shown = bare ? [] : indices.filter((_, d) => x.shape[d] !== 1);
    return atom(`${names.node(x)}${shown.length ? `[${shown.map((i) => text(i)).join(", ")}]` : ""}`);
  };
  const scalar: Writer["scalar"] = (root, at, bare) => {
    const memo = new Map<Scalar, Poly>();
    const go = (e: Scalar): Poly => {
      let known = memo.get(e);
      if (!known) memo.set(e, (known = polyOf(e, go, at, names, load, draw)));
      return known;
    };
    const load: LoadText = (l) => valueOfNode(l.tensor, l.indices.map(go), bare);
    for (const e of scalarOrder([root])) go(e); // operands first, so that no recursion is deep
    return go(root);
  };
  const formulas = new Map<string, Node>();
  for (const x of order) {
    const value = x.kind === "compute" && !x.scans.size ? constantOf(x, scalar) : undefined;
    if (value !== undefined) constants.set(x, value);
    else if (isApart(x) && !x.scans.size && !wanted.has(x)) {
      const formula = formulaOf(x, scalar, names);
      const same = formula && formulas.get(formula);
      if (same) first.set(x, same);
      else if (formula) formulas.set(formula, x);
    }
  }
  draws.clear();
  const { node, step } = namesByCall(order, isNamed, wanted, (x) => wordOf(x, sums.get(x)));
  names = { node: (x) => node(first.get(x) ?? x), step };
  const valueText = (x: Node): string => (constants.has(x) ? numberText(constants.get(x)!) : names.node(x));
  return { names, sums, isNamed, isConstant: (x) => constants.has(x), valueText, scalar };
}
/** The places in its operand. */
function throughView({ shape, operand }: Reshape, indices: readonly Poly[]): readonly Poly[] {
  const own = indices.filter((_, d) => shape[d] !== 1);
  return operand.shape.map((n) => (n === 1 ? number(0) : own.shift()!));
}
/** Equal for what is the same over the reals. */
function formulaOf(x: Node, scalar: Writer["scalar"], names: Names): string | undefined {
  const shape = shapeText(x.shape);
  if (x.kind === "reshape") return `${shape} of ${names.node(x.operand)}`;
  if (x.kind !== "compute") return undefined;
  if (isUpdated(x)) return `${x.span?.origin?.path} ${x.label}`;
  const over = x.reduction ? `${x.reduction.op} ${shapeText(x.reduction.extents)}` : "";
  return `${shape} ${over} ${text(scalar(x.body, (p) => atom(`axis${p}`), false))}`;
}
/** While constants are found: what differs has different names. */
function namesByPosition(first: ReadonlyMap<Node, Node>): Names {
  const positions = new Map<Node, number>();
  const node = (given: Node): string => {
    const x = first.get(given) ?? given;
    if (!positions.has(x)) positions.set(x, positions.size);
    return `%${positions.get(x)!}`;
  };
  return { node, step: () => "t" };
}
/** The number that a node always is: the slope of a mean, a count. */
function constantOf(x: Compute, scalar: Writer["scalar"]): number | undefined {
  const value = valueOf(scalar(x.body, (p) => atom(`axis${p}`), false));
  if (value === undefined || !x.reduction) return value;
  const count = countOf(x);
  return x.reduction.op === "sum" && !Number.isNaN(count) ? value * count : undefined;
}
// ---- lines

const outputLetters = "ijlmnpqr";
const reducedLetters = "kuvwxyz";
const letterOf = (letters: string, i: number): string => letters[i] ?? `${letters.at(-1)}${i}`;

function nodeLines(x: Node, w: Writer): string[] {
  if (x.kind !== "compute") return printNode(x, w.names);
  const typed = `${x.dtype}${x.shape.length ? shapeText(x.shape) : ""}`;
  if (isUpdated(x)) return [`updated ${w.names.node(x)}: ${typed}`];
  const sum = w.sums.get(x);
  const { reduction } = sum?.of ?? x;
  const bare = !reduction && isElementwise(x, w);
  const own = x.shape.flatMap((n, i) => (n === 1 ? [] : [letterOf(outputLetters, i)]));
  const left = `${w.names.node(x)}${own.length && !bare ? `[${own.join(", ")}]` : ""}`;
  const at = (p: number): Poly => (x.shape[p] === 1 ? number(0) : atom(letterOf(outputLetters, p)));
  const value = sum ? scale(bodyOfSum(sum, at, w), sum.factor) : w.scalar(x.body, inner(x, at), bare);
  const over = reduction?.extents.map((n, i) => `${letterOf(reducedLetters, i)} < ${extentText(n)}`).join(", ");
  // a reduction is of all that follows it
  return [`${left}: ${typed} = ${reduction ? `${reduction.op}(${over}) ` : ""}${text(value)}`];
}
/** Axes beyond the node's own are those of its reduction. */
const inner =
  ({ shape }: Node, at: Axes): Axes =>
  (p) =>
    p < shape.length ? at(p) : atom(letterOf(reducedLetters, p - shape.length));
/** Of one element of what is summed, for the element of the sum that is read. */
function bodyOfSum({ of, load }: ScaledSum, at: Axes, w: Writer): Poly {
  const indices = load.indices.map((e) => w.scalar(e, at, false));
  return w.scalar(
    of.body,
    inner(of, (p) => indices[p]!),
    false,
  );
}
/** Does every tensor in it have the node's own axes, so that none need be written? */
function isElementwise(x: Compute, w: Writer): boolean {
  const axes = coreOf(x.shape);
  if (!axes.length) return true;
  const seen = new Set<Node>();
  const stack: Compute[] = [x];
  for (let y = stack.pop(); y; y = stack.pop()) {
    if (usesAxes(y.body)) return false;
    for (const l of loadsIn(y)) {
      const own = coreOf(l.tensor.shape);
      const aligned =
        !l.outside &&
        own.length === axes.length &&
        own.every((n, i) => n === axes[i]) &&
        l.indices.every((e, d) => l.tensor.shape[d] === 1 || (e.kind === "variable" && e.position !== undefined)) &&
        isSorted(l.indices.flatMap((e, d) => (l.tensor.shape[d] === 1 || e.kind !== "variable" ? [] : [e.position!])));
      if (!aligned && own.length && !w.isConstant(l.tensor)) return false;
      let tensor = l.tensor;
      while (tensor.kind === "reshape" && !w.isNamed(tensor)) tensor = tensor.operand;
      if (!w.isNamed(tensor) && tensor.kind === "compute" && !seen.has(tensor)) {
        seen.add(tensor);
        stack.push(tensor);
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

// ---- scalars

type LoadText = (l: Extract<Scalar, { kind: "load" }>) => Poly;
type DrawName = (e: Extract<Scalar, { kind: "random" }>, seedAndStep: string) => string;

function polyOf(e: Scalar, go: (x: Scalar) => Poly, at: Axes, names: Names, load: LoadText, draw: DrawName): Poly {
  const list = (xs: readonly Scalar[]): string => xs.map((x) => text(go(x))).join(", ");
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
      return loose(`${operandText(go(e.operand))} mod ${e.divisor}`);
    case "non_negative":
      return comparison(go(e.operand), ">=");
    case "equal_zero":
      return comparison(go(e.operand), "==");
    case "and":
      return loose(e.operands.map((x) => sumText(go(x))).join(" and "));
    case "not":
      return atom(`not ${operandText(go(e.operand))}`);
    case "select":
      return atom(`select(${list([e.condition, e.then, e.otherwise])})`);
    case "load": {
      const value = load(e);
      return e.outside ? loose(`${sumText(value)} ?? ${sumText(go(e.outside))}`) : value;
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
      if (sign) return loose(`${sumText(a)} ${sign} ${sumText(b)}`);
      return atom(`${fn.name}(${xs.map((x) => text(go(x))).join(", ")})`);
    }
  }
}
const isNegative = (a: Poly): boolean => a.size > 0 && [...a.values()].every((p) => p.factor < 0);
/** a - b >= 0 reads a >= b. */
function comparison(a: Poly, sign: string): Poly {
  const [left, right] = [true, false].map((positive) =>
    sumText(
      new Map(
        [...a].filter(([, p]) => p.factor > 0 === positive).map(([k, p]) => [k, { ...p, factor: Math.abs(p.factor) }]),
      ),
    ),
  );
  return loose(`${left} ${sign} ${right}`);
}
