// Graphs as text: every node is the formula that a person would write; nodes are named by label or position, never by id.
import { rootsOf, topological } from "./node.ts";
import { operandsOf, scalarOrder } from "./scalar.ts";
import type { ScalarFunction } from "../scalar/functions.ts";
import type { Extent, GraphProgram, Local, Node, Scalar, Scan, Shape, Update, Variable } from "./types.ts";

export function extentText(n: Extent): string {
  if (typeof n === "number") return String(n);
  if (n.kind === "dim") return n.name;
  const terms = n.terms.map(([atom, k]) =>
    k === 1 ? extentText(atom as Extent) : `${k} * ${extentText(atom as Extent)}`,
  );
  return [...terms, ...(n.constant ? [String(n.constant)] : [])].join(" + ").replaceAll("+ -", "- ");
}
export const shapeText = (shape: Shape): string => `[${shape.map(extentText).join(", ")}]`;
const outputLetters = "ijlmnpqr";
const reducedLetters = "kuvwxyz";

export interface Names {
  readonly node: (node: Node) => string;
  readonly step: (scan: Scan) => string;
  readonly scalar?: (e: Variable | Local) => string | undefined; // default: the axis' letter, the scan's step, its own name
}
/** A scalar as text; shared subexpressions of some size are bound first. */
export function scalarText(
  root: Scalar,
  names: Names,
  axisName: (position: number) => string,
): { lets: string[]; text: string } {
  const uses = new Map<Scalar, number>();
  const order = scalarOrder([root]);
  for (const e of order) for (const x of operandsOf(e)) uses.set(x, (uses.get(x) ?? 0) + 1);
  const lets: string[] = [];
  const written = new Map<Scalar, string>();
  for (const e of order) {
    let text = write(e, (x, level) => bracket(written.get(x)!, precedence(x, written.get(x)!), level), names, axisName);
    const shared = (uses.get(e) ?? 0) > 1 && (e.kind === "call" || e.kind === "select" || e.kind === "random");
    if (shared && text.length > 12) {
      lets.push(`e${lets.length} = ${text}`);
      text = `e${lets.length - 1}`;
    }
    written.set(e, text);
  }
  return { lets, text: written.get(root)! };
}
const levels: Readonly<Record<string, number>> = { "<": 2, "<=": 2, "==": 2, "+": 3, "-": 3, "*": 4, "/": 4 };
/** Of a function that is written as an operator. */
export const operatorOf = ({ wgsl }: ScalarFunction): string | undefined =>
  typeof wgsl === "object" && "operator" in wgsl ? wgsl.operator : undefined;
function precedence(e: Scalar, text: string): number {
  if (/^[\w%.]+$/.test(text)) return 9;
  if (e.kind === "call") return levels[operatorOf(e.fn) ?? ""] ?? 9;
  if (e.kind === "affine") return e.terms.length + Number(e.constant !== 0) > 1 ? 3 : 4;
  if (e.kind === "modulo") return 4;
  if (e.kind === "and") return 1;
  if (e.kind === "non_negative" || e.kind === "equal_zero" || (e.kind === "load" && e.outside)) return 2;
  return 9;
}
const bracket = (text: string, own: number, level: number): string => (own < level ? `(${text})` : text);
function write(
  e: Scalar,
  go: (x: Scalar, level: number) => string,
  names: Names,
  axisName: (position: number) => string,
): string {
  switch (e.kind) {
    case "literal":
      return e.dtype === "bool" ? String(e.value === 1) : numberText(e.value);
    case "dim":
      return e.name;
    case "local":
      return names.scalar?.(e) ?? e.name;
    case "variable": {
      const own = names.scalar?.(e);
      if (own !== undefined) return own;
      return e.position !== undefined ? axisName(e.position) : e.scans.size ? names.step([...e.scans][0]!) : e.name;
    }
    case "affine": {
      const terms = e.terms.map(([atom, k]) =>
        k === 1 ? go(atom, 3) : k === -1 ? `-${go(atom, 5)}` : `${k} * ${go(atom, 5)}`,
      );
      return [...terms, ...(e.constant || !terms.length ? [String(e.constant)] : [])]
        .join(" + ")
        .replaceAll("+ -", "- ");
    }
    case "floor_div":
      return `floor(${go(e.operand, 4)} / ${e.divisor})`;
    case "modulo":
      return `${go(e.operand, 5)} mod ${e.divisor}`;
    case "non_negative":
      return comparison(e.operand, ">=", go);
    case "equal_zero":
      return comparison(e.operand, "==", go);
    case "and":
      return e.operands.map((x) => go(x, 2)).join(" and ");
    case "not":
      return `not ${go(e.operand, 9)}`;
    case "select":
      return `select(${go(e.condition, 0)}, ${go(e.then, 0)}, ${go(e.otherwise, 0)})`;
    case "load": {
      const at = `${names.node(e.tensor)}${e.indices.length ? `[${e.indices.map((x) => go(x, 0)).join(", ")}]` : ""}`;
      return e.outside ? `${at} ?? ${go(e.outside, 9)}` : at;
    }
    case "random":
      return `${e.distribution}[${e.indices.map((x) => go(x, 0)).join(", ")}]`;
    case "call": {
      const operator = operatorOf(e.fn);
      const [a, b] = e.operands;
      if (operator && b) {
        const level = levels[operator]!;
        return `${go(a!, level)} ${operator} ${go(b, level + Number(operator === "-" || operator === "/"))}`;
      }
      if (operator) return `${operator}${go(a!, 5)}`;
      return `${e.fn.name}(${e.operands.map((x) => go(x, 0)).join(", ")})`;
    }
    default:
      return e satisfies never;
  }
}
/** a - b >= 0 reads a >= b. */
function comparison(
  e: Scalar & { dtype: "i32" | string },
  sign: string,
  go: (x: Scalar, level: number) => string,
): string {
  if (e.kind !== "affine") return `${go(e, 3)} ${sign} 0`;
  const side = (positive: boolean): string => {
    const terms = e.terms
      .filter(([, k]) => k > 0 === positive)
      .map(([atom, k]) => (Math.abs(k) === 1 ? go(atom, 3) : `${Math.abs(k)} * ${go(atom, 5)}`));
    if (e.constant !== 0 && e.constant > 0 === positive) terms.push(String(Math.abs(e.constant)));
    return terms.join(" + ") || "0";
  };
  return `${side(true)} ${sign} ${side(false)}`;
}
const numberText = (x: number): string =>
  x > 3.4e38
    ? "inf"
    : x < -3.4e38
      ? "-inf"
      : Number.isInteger(x) && Math.abs(x) < 1e6
        ? String(x)
        : String(Number(x.toPrecision(7)));

/** The nodes of a program, inputs before users, and a name for each by label or position. */
export function nameNodes(program: GraphProgram): { order: readonly Node[]; names: Names } {
  const order = topological(rootsOf(program));
  const known = new Map<Node, string>();
  const used = new Map<string, number>();
  const scans = new Map<Scan, number>();
  const node = (x: Node): string => {
    let name = known.get(x);
    if (name === undefined) {
      const base = x.kind === "source" ? x.path || "const" : (x.label ?? "");
      const count = used.get(base) ?? 0;
      used.set(base, count + 1);
      name = base === "" ? `%${count}` : count === 0 ? base : `${base}'${count}`;
      known.set(x, name);
    }
    return name;
  };
  for (const x of order) if (x.kind === "result" && !scans.has(x.scan)) scans.set(x.scan, scans.size);
  return { order, names: { node, step: (scan) => `t${scans.size > 1 ? (scans.get(scan) ?? 0) : ""}` } };
}
/** One line per node; the lines of a scan's body are indented below it. */
export function printGraph(program: GraphProgram): string {
  const { order, names } = nameNodes(program);
  const lines: string[] = [];
  for (const node of order) lines.push(...printNode(node, names).map((line) => "  ".repeat(node.scans.size) + line));
  for (const { name, node } of program.outputs) lines.push(`output ${name} = ${names.node(node)}`);
  for (const u of program.updates) lines.push(`update ${updateText(u, names)}`);
  return lines.join("\n") + "\n";
}
/** `table[rows[i], j] = value[i, j]` where some elements alone are written. */
export function updateText({ target, value, at }: Update, names: Names): string {
  if (!at) return `${names.node(target)} = ${names.node(value)}`;
  const axisName = (p: number): string => letter(outputLetters, p);
  const own = value.shape.map((n, i) => (n === 1 ? "0" : axisName(i)));
  const places = at.map((e) => scalarText(e, names, axisName).text);
  return `${names.node(target)}[${places.join(", ")}] = ${names.node(value)}[${own.join(", ")}]`;
}
export function printNode(node: Node, names: Names): string[] {
  const typed = `${node.dtype}${node.shape.length ? shapeText(node.shape) : ""}`;
  switch (node.kind) {
    case "source":
      return [
        `${node.role} ${names.node(node)}: ${typed}${node.data && node.data.length <= 8 ? ` = [${node.data.join(", ")}]` : ""}`,
      ];
    case "reshape":
      return [`${names.node(node)}: ${typed} = reshape(${names.node(node.operand)})`];
    case "compute": {
      const rank = node.shape.length;
      const axisName = (p: number): string => (p < rank ? letter(outputLetters, p) : letter(reducedLetters, p - rank));
      const { lets, text } = scalarText(node.body, names, axisName);
      const own = node.shape.map((n, i) => (n === 1 ? "0" : axisName(i)));
      const reduced = node.reduction
        ? `${node.reduction.op}(${node.reduction.extents.map((n, i) => `${axisName(rank + i)} < ${extentText(n)}`).join(", ")}) `
        : "";
      const where = lets.length ? `  where ${lets.join("; ")}` : "";
      return [`${names.node(node)}${own.length ? `[${own.join(", ")}]` : ""}: ${typed} = ${reduced}${text}${where}`];
    }
    case "scatter": {
      const axisName = (p: number): string => letter(outputLetters, p);
      const at = node.indices.map((e) => scalarText(e, names, axisName).text);
      return [
        `${names.node(node)}: ${typed} += for ${node.over.map((n, i) => `${axisName(i)} < ${extentText(n)}`).join(", ")}: [${at.join(", ")}] ${scalarText(node.value, names, axisName).text}`,
      ];
    }
    case "result": {
      const of =
        node.of.kind === "stack"
          ? `stack of ${names.node(node.of.node)}`
          : `${node.of.kind} of ${node.scan.carries[node.of.carry]!.incoming.path}`;
      return [
        `${names.node(node)}: ${typed} = scan over ${names.step(node.scan)} < ${node.scan.count}${node.scan.reverse ? " downwards" : ""}: ${of}`,
      ];
    }
    default:
      return node satisfies never;
  }
}
const letter = (letters: string, i: number): string => letters[i] ?? `${letters.at(-1)}${i}`;
