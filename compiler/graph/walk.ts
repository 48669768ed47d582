// Walks over scalars and nodes, operands before users, each thing once. None of them recurses: graphs are deep.
import { memoised, ownCompilation, remembered, within } from "./compilation.ts";
import type { GraphProgram, Load, Node, Scalar, Scan } from "./types.ts";

// ---------------------------------------------------------------- scalars

const leaf: readonly Scalar[] = [];
export function operandsOf(e: Scalar): readonly Scalar[] {
  switch (e.kind) {
    case "literal":
    case "dim":
    case "variable":
    case "local":
      return leaf;
    case "affine":
      return e.atoms;
    case "floor_div":
    case "modulo":
    case "non_negative":
    case "equal_zero":
    case "not":
      return [e.operand];
    case "and":
    case "call":
      return e.operands;
    case "select":
      return [e.condition, e.then, e.otherwise];
    case "load":
      return e.outside ? [...e.indices, e.outside] : e.indices;
    case "random":
      return [e.seed, e.step, ...e.indices, ...e.extents.filter((n) => typeof n !== "number")];
    default:
      return e satisfies never;
  }
}
/** Every distinct scalar below e, e included, each once. */
export function visit(e: Scalar, f: (x: Scalar) => void, seen: Set<Scalar> = new Set()): void {
  const stack = [e];
  while (stack.length) {
    const x = stack.pop()!;
    if (seen.has(x)) continue;
    seen.add(x);
    f(x);
    for (const y of operandsOf(x)) if (!seen.has(y)) stack.push(y);
  }
}
/** Is one of the scalars below these, themselves included, such? */
export function someScalar(roots: readonly Scalar[], is: (x: Scalar) => boolean): boolean {
  const seen = new Set<Scalar>();
  const stack = [...roots];
  while (stack.length) {
    const x = stack.pop()!;
    if (seen.has(x)) continue;
    if (is(x)) return true;
    seen.add(x);
    stack.push(...operandsOf(x));
  }
  return false;
}
export const contains = (e: Scalar, part: Scalar): boolean => someScalar([e], (x) => x === part);
interface Memo<T> {
  has(e: Scalar): boolean;
  get(e: Scalar): T | undefined;
  set(e: Scalar, value: T): unknown;
}
/** What `make` gives for e and, before it, for all below that `memo` does not hold yet. */
export function bottomUp<T>(
  e: Scalar,
  memo: Memo<T>,
  make: (x: Scalar) => T,
  operands: (x: Scalar) => readonly Scalar[] = operandsOf,
): T {
  const stack = [e];
  while (stack.length) {
    const x = stack[stack.length - 1]!;
    if (!memo.has(x)) {
      const size = stack.length;
      const own = operands(x);
      for (let i = own.length - 1; i >= 0; i--) if (!memo.has(own[i]!)) stack.push(own[i]!);
      if (stack.length > size) continue; // operands first
      memo.set(x, make(x));
    }
    stack.pop();
  }
  return memo.get(e)!;
}
/** Does it depend on memory or draws? A formula of sizes alone is known before the run. */
export const dependsOnData = (e: Scalar): boolean => someScalar([e], (x) => x.kind === "load" || x.kind === "random");
const withLoads = remembered<Scalar, boolean>();
/** Does it read memory? */
export function holdsLoad(e: Scalar): boolean {
  const known = withLoads();
  return bottomUp(e, known, (x) => x.kind === "load" || operandsOf(x).some((y) => known.get(y)));
}
/** Operands before users. */
export function scalarOrder(
  roots: readonly Scalar[],
  operands: (e: Scalar) => readonly Scalar[] = operandsOf,
): Scalar[] {
  const done = new Map<Scalar, true>();
  for (const root of roots) bottomUp(root, done, () => true, operands);
  return [...done.keys()];
}
/** The tensors that a node reads. For a Result: what the whole scan reads, its body included. */
export const inputs = memoised((node: Node): readonly Node[] => {
  switch (node.kind) {
    case "source":
      return [];
    case "reshape":
      return [node.operand];
    case "compute":
    case "scatter":
      return tensorsRead(loadsIn(node));
    case "result": {
      const own = node.of.kind === "stack" ? [node.of.node] : [];
      return [...new Set([...node.scan.carries.flatMap((c) => [c.initial, c.next]), ...own])];
    }
    default:
      return node satisfies never;
  }
}, ownCompilation);
/** The distinct loads of a node's scalars. */
export const loadsIn = memoised(
  (node: Node): readonly Load[] =>
    node.kind === "compute"
      ? loadsOf([node.body])
      : node.kind === "scatter"
        ? loadsOf([...node.indices, node.value])
        : [],
  ownCompilation,
);
function loadsOf(roots: readonly Scalar[]): Load[] {
  const found: Load[] = [];
  const seen = new Set<Scalar>();
  for (const root of roots)
    visit(
      root,
      (x) => {
        if (x.kind === "load") found.push(x);
      },
      seen,
    );
  return found;
}
/** Distinct tensors loaded by these scalars. */
export const tensorsOf = (roots: readonly Scalar[]): readonly Node[] => tensorsRead(loadsOf(roots));
function tensorsRead(loads: readonly Load[]): readonly Node[] {
  const tensors = loads.map((l) => l.tensor);
  return tensors.length > 1 ? [...new Set(tensors)] : tensors;
}
/** Inputs before users; `stop` does not look below a node. */
export function topological(
  roots: readonly Node[],
  stop: (node: Node) => boolean = () => false,
  inputsOf: (node: Node) => readonly Node[] = inputs,
): Node[] {
  const done = new Set<Node>();
  const order: Node[] = [];
  const stack: { node: Node; next: number; inputs: readonly Node[] }[] = [];
  const push = (node: Node): void => {
    if (done.has(node)) return;
    done.add(node);
    stack.push({ node, next: 0, inputs: stop(node) ? [] : inputsOf(node) });
  };
  for (const root of roots) {
    push(root);
    while (stack.length) {
      const top = stack[stack.length - 1]!;
      if (top.next < top.inputs.length) push(top.inputs[top.next++]!);
      else {
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order;
}
/** What a program computes: outputs, then the values of updates, then the tensors that say where these go. */
export const rootsOf = (program: GraphProgram): Node[] => [
  ...program.outputs.map((o) => o.node),
  ...program.updates.map((u) => u.value),
  ...program.updates.flatMap((u) => tensorsOf(u.at ?? [])),
];
/** Works on the compilation that the program's nodes belong to. */
export function withinProgram<T>(program: GraphProgram, run: () => T): T {
  const [root] = rootsOf(program);
  return root ? within(root.compilation, run) : run();
}
/** The node read by whatever reads a chain of reshapes. */
export function baseOf(node: Node): Node {
  while (node.kind === "reshape") node = node.operand;
  return node;
}

/** What a node reads at its own level: of a Result the initial carries and what its scan's body reads from outside. */
export function levelInputs(node: Node): readonly Node[] {
  return node.kind === "result"
    ? scanInputs(node.scan, node.of.kind === "stack" ? node.of.node : undefined)
    : inputs(node);
}
function scanInputs(scan: Scan, stacked?: Node): readonly Node[] {
  const nodes = carriedInputs(scan);
  return stacked ? [...new Set([...nodes, ...outsideOf(scan, [stacked])])] : nodes;
}
const carriedInputs = memoised(
  (scan: Scan): readonly Node[] =>
    outsideOf(
      scan,
      scan.carries.flatMap((c) => [c.initial, c.next]),
    ),
  ownCompilation,
);
const outsideOf = (scan: Scan, roots: readonly Node[]): Node[] =>
  topological(roots, (x) => !x.scans.has(scan), levelInputs).filter((x) => !x.scans.has(scan));
