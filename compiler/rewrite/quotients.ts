// How exact a quotient must be. `x / c` as a product by 1 / c may be one off in the last digit, and `x / y` of a device 2.5 of them: enough for floor(x / 41)
// to be 0 at 41. Nobody sees that of a value that is summed up with others, or whose exponential is taken; at a step (floor, a comparison, a cast, argmax)
// everybody does. So every division is looked at from what reads it:
//   - a quotient that may reach a step is rounded correctly on every device, if its operands are what they say: a constant divisor, or numbers that were
//     given or counted (of a root or an exponential there is no last digit to keep);
//   - so is one by a constant that is stored where others may look (an output, a state): drivers make products of such divisions themselves;
//   - one that only products under a sum or functions that round by themselves read is a product, where its divisor is constant;
//   - any other is the device's division.
// In:  a simplified program.   Out: the same with its quotients in one of these forms. What is not proved to meet no step counts as meeting one.
import { baseOf, inputs, rootsOf, topological } from "../graph/node.ts";
import {
  bottomUp,
  call,
  isCall,
  isContracted,
  isGuard,
  isNormal,
  mul,
  operandsOf,
  someScalar,
} from "../graph/scalar.ts";
import type { GraphProgram, Node, Scalar } from "../graph/types.ts";
import { replaceScalars } from "./rewrite.ts";
import { look } from "./rule.ts";

/** Who looks at a value: 0, a function that rounds more than a quotient does; 1, something stored; 2, a step. */
type Seen = 0 | 1 | 2;

export function chooseQuotients(program: GraphProgram): GraphProgram {
  const order = topological(rootsOf(program));
  if (!someScalar(order.flatMap(scalarsOf), (e) => isCall(e, "div"))) return program;
  const seen = observe(program, order);
  let known: ((e: Scalar) => boolean) | undefined;
  const crisp = (e: Scalar): boolean => (known ??= crispness(order))(e); // few programs ask
  return replaceScalars(program, (e, go) => {
    if (!isCall(e, "div")) return undefined;
    const [a, b] = e.operands as [Scalar, Scalar]; // as its row says
    const how = seen.get(e) ?? 0;
    if (how && (b.kind === "literal" || (how === 2 && crisp(a) && crisp(b)))) return call("div_rounded", go(a), go(b));
    if (how || b.kind !== "literal" || !isNormal(b.value) || !isNormal(1 / b.value)) return undefined;
    return mul(go(a), 1 / b.value);
  });
}
const scalarsOf = (x: Node): readonly Scalar[] =>
  x.kind === "compute" ? [x.body] : x.kind === "scatter" ? [x.value, ...x.indices] : [];

/** How every scalar is seen, from the results backwards; what loops and states carry round is seen as where it arrives. */
function observe(program: GraphProgram, order: readonly Node[]): ReadonlyMap<Scalar, Seen> {
  const nodes = new Map<Node, Seen>();
  const scalars = new Map<Scalar, Seen>();
  let changed = true;
  const see = (x: Node, how: Seen): void => {
    if ((nodes.get(x) ?? 0) >= how) return;
    nodes.set(x, how);
    changed = true;
  };
  for (const o of program.outputs) see(o.node, 1);
  for (const u of program.updates) see(u.value, 1);
  /** A scalar and what is below it, as far as they have not been seen so before. */
  const look = (root: Scalar, how: Seen): void => {
    const stack: [e: Scalar, how: Seen][] = [[root, how]];
    while (stack.length) {
      const [e, h] = stack.pop()!;
      const before = scalars.get(e);
      if (before !== undefined && before >= h) continue;
      scalars.set(e, h);
      if (e.kind === "load") {
        see(e.tensor, h);
        for (const i of e.indices) stack.push([i, 2]);
        if (e.outside) stack.push([e.outside, h]);
      } else if (e.kind === "select") stack.push([e.condition, 2], [e.then, h], [e.otherwise, h]);
      else if (e.kind === "call")
        for (const x of e.operands) stack.push([x, e.fn.digits === "read" ? 2 : e.fn.digits ? h : 0]);
      else for (const x of operandsOf(e)) stack.push([x, 2]); // integers and conditions
    }
  };
  const looked = new Map<Node, Seen>(); // bodies, as they were seen last
  for (let round = 0; changed && round < 64; round++) {
    changed = false;
    for (let i = order.length - 1; i >= 0; i--) {
      const x = order[i]!;
      const how = nodes.get(x) ?? 0;
      if (looked.get(x) === how) continue;
      if (x.kind === "compute" || x.kind === "scatter") looked.set(x, how);
      switch (x.kind) {
        case "reshape":
          see(x.operand, how);
          break;
        case "result":
          if (x.of.kind === "stack") see(x.of.node, how);
          else see(x.scan.carries[x.of.carry]!.next, how);
          for (const c of x.scan.carries) {
            const here = Math.max(nodes.get(c.incoming) ?? 0, nodes.get(c.next) ?? 0) as Seen;
            see(c.next, here);
            see(c.initial, here);
          }
          break;
        case "compute": {
          const op = x.reduction?.op;
          look(
            x.body,
            x.dtype !== "f32" || op === "argmax" || op === "argmin"
              ? 2
              : op === "sum" && isContraction(x.body)
                ? 0
                : how,
          );
          break;
        }
        case "scatter":
          look(x.value, how);
          for (const e of x.indices) look(e, 2);
          break;
        case "source":
          break;
        default:
          x satisfies never;
      }
    }
    for (const u of program.updates) see(u.value, nodes.get(u.target) ?? 0);
  }
  return scalars;
}
/** A sum of products, where they stand or in a tensor. */
const isContraction = (body: Scalar): boolean => isContracted(look(isGuard(body) ? body.then : body));

/** Is a scalar a number that was given or counted, or made of such by arithmetic that whole numbers come out of exactly? */
function crispness(order: readonly Node[]): (e: Scalar) => boolean {
  const nodes = new Map<Node, boolean>();
  const scalars = new Map<Scalar, boolean>();
  const own = (e: Scalar): boolean => {
    if (e.dtype !== "f32" || e.kind === "literal") return true;
    if (e.kind === "load") return (nodes.get(baseOf(e.tensor)) ?? false) && (!e.outside || scalars.get(e.outside)!);
    if (e.kind === "select") return scalars.get(e.then)! && scalars.get(e.otherwise)!;
    if (e.kind !== "call") return false;
    if (e.fn.digits === "read" || e.fn.operands.every((d) => d === "i32" || d === "bool")) return true; // whole numbers
    return e.fn.digits === "kept" && e.operands.every((x) => scalars.get(x)!);
  };
  const crisp = (root: Scalar): boolean => bottomUp(root, scalars, own);
  for (const x of order) {
    if (x.kind === "source") nodes.set(x, true);
    else if (x.kind === "compute")
      nodes.set(
        x,
        crisp(x.body) && !(x.reduction?.op === "sum" && isContraction(x.body)) && x.reduction?.op !== "prod",
      );
    else if (x.kind === "scatter") nodes.set(x, crisp(x.value));
    else if (x.kind === "result")
      nodes.set(
        x,
        inputs(x).every((y) => nodes.get(baseOf(y)) ?? false),
      );
  }
  return crisp;
}
