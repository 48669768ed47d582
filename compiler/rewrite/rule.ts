// What a rewrite rule is: data. Patterns over scalars, and the rules of scalars and of nodes.
// Invariant: the right side is never worse than the left by the measure (nodes, then cost, then canonical order), which is why the driver
// stops; a rule that costs more for stability says so in `worse`.
//
// What may be reordered. `exact: true` is the same bits for every float. What is not exact must still hold what f32 promises to who wrote the formula:
//   1. Range: wherever every intermediate value of the left side is finite, the right side's are. So no common factor leaves a sum (y + z may overflow where
//      x y + x z does not), divisors are not multiplied with each other, and constants are only put together where f32 holds their product.
//   2. Accuracy: the right side is at least as near to the value of the formula in real numbers: one rounding fewer, a cancellation or an overflow avoided.
//   3. Sums are as written: no rule adds or takes away what another term cancels, and none moves a constant through a sum. (x + c) - c is how a program
//      rounds, (a + b) - a how it finds what was lost (Kahan, Dekker). Drivers would do it too: fuse/rounding.ts keeps them from it.
// Sums over an axis have no order, and what does not change along the axis may stand outside of them: that is what makes a derivative a contraction. A
// constant below 1 stays inside, since the sum may need it; factors that are data may go, and a sum of products near the end of f32 may so overflow.
// Divisions are left as they are; quotients.ts says which become products.
import { remembered } from "../graph/compilation.ts";
import { bodyAt } from "../graph/node.ts";
import { call as makeCall } from "../graph/scalar.ts";
import type { Compute, Load, Node, Scalar } from "../graph/types.ts";

export type Bindings = Readonly<Record<string, Scalar>>;
export type Pattern =
  | { readonly kind: "any"; readonly name: string }
  | { readonly kind: "number"; readonly name?: string; readonly value?: number } // a literal of f32
  | { readonly kind: "call"; readonly fn: string; readonly operands: readonly Pattern[] }
  | { readonly kind: "select"; readonly condition: Pattern; readonly then: Pattern; readonly otherwise: Pattern }
  | { readonly kind: "through"; readonly of: Pattern } // as it stands, or behind the load of a pointwise node
  | { readonly kind: "where"; readonly of: Pattern; readonly test: (bound: Bindings) => boolean };

export const any = (name: string): Pattern => ({ kind: "any", name });
export const number = (name: string): Pattern => ({ kind: "number", name });
export const value = (x: number): Pattern => ({ kind: "number", value: x });
export const call = (fn: string, ...operands: readonly Pattern[]): Pattern => ({ kind: "call", fn, operands });
export const select = (condition: Pattern, then: Pattern, otherwise: Pattern): Pattern => ({
  kind: "select",
  condition,
  then,
  otherwise,
});
export const through = (of: Pattern): Pattern => ({ kind: "through", of });
export const where = (of: Pattern, test: (bound: Bindings) => boolean): Pattern => ({ kind: "where", of, test });

const behind = remembered<Load, Scalar>(); // many rules look at the same load
/** The scalar that a load of a pointwise node stands for; anything else is itself. */
export function look(x: Scalar): Scalar {
  if (x.kind !== "load" || x.outside || x.tensor.kind !== "compute" || x.tensor.reduction) return x;
  const known = behind();
  let found = known.get(x);
  if (!found) known.set(x, (found = bodyAt(x.tensor, x.indices)));
  return found;
}
/** Does a load stand for a call of another function than the pattern's? Read at variables alone, a body only names its axes otherwise: one need not look. */
function isOfOther({ tensor, indices }: Load, pattern: Pattern): boolean {
  return (
    pattern.kind === "call" &&
    tensor.kind === "compute" &&
    tensor.body.kind === "call" &&
    tensor.body.fn.name !== pattern.fn &&
    indices.every(
      (e, d) =>
        tensor.shape[d] === 1 || (e.kind === "variable" && e.extent === tensor.shape[d] && indices.indexOf(e) === d),
    )
  );
}
/** Bindings under which the pattern is x; a name that occurs twice stands for one scalar. Commutative operands match in both orders. */
export function match(pattern: Pattern, x: Scalar, bound: Bindings = {}): Bindings | undefined {
  switch (pattern.kind) {
    case "any": {
      const before = bound[pattern.name];
      return before === undefined ? { ...bound, [pattern.name]: x } : before === x ? bound : undefined;
    }
    case "number":
      if (x.kind !== "literal" || x.dtype !== "f32" || (pattern.value !== undefined && x.value !== pattern.value))
        return undefined;
      return pattern.name === undefined ? bound : match({ kind: "any", name: pattern.name }, x, bound);
    case "call": {
      if (x.kind !== "call" || x.fn.name !== pattern.fn) return undefined;
      const found = matchAll(pattern.operands, x.operands, bound);
      if (found || !x.fn.commutative || x.operands.length !== 2) return found;
      return matchAll(pattern.operands, [x.operands[1]!, x.operands[0]!], bound);
    }
    case "select":
      return x.kind === "select"
        ? matchAll([pattern.condition, pattern.then, pattern.otherwise], [x.condition, x.then, x.otherwise], bound)
        : undefined;
    case "through": {
      const direct = match(pattern.of, x, bound);
      if (direct || x.kind !== "load" || isOfOther(x, pattern.of)) return direct;
      const behind = look(x);
      return behind === x ? undefined : match(pattern, behind, bound);
    }
    case "where": {
      const found = match(pattern.of, x, bound);
      return found && pattern.test(found) ? found : undefined;
    }
    default:
      return pattern satisfies never;
  }
}
/** Do the kind or the function of x itself tell that the pattern is another one? Asked of all operands before any is bound. */
function fails(pattern: Pattern, x: Scalar): boolean {
  switch (pattern.kind) {
    case "any":
      return false;
    case "number":
      return x.kind !== "literal";
    case "call":
      return x.kind !== "call" || x.fn.name !== pattern.fn;
    case "select":
      return x.kind !== "select";
    case "through":
      return x.kind === "load" ? isOfOther(x, pattern.of) : fails(pattern.of, x);
    case "where":
      return fails(pattern.of, x);
    default:
      return pattern satisfies never;
  }
}
function matchAll(patterns: readonly Pattern[], xs: readonly Scalar[], bound: Bindings): Bindings | undefined {
  for (let i = 0; i < patterns.length; i++) if (fails(patterns[i]!, xs[i]!)) return undefined;
  let found: Bindings | undefined = bound;
  for (let i = 0; i < patterns.length && found; i++) found = match(patterns[i]!, xs[i]!, found);
  return found;
}

interface RuleBase {
  readonly name: string;
  /** true: the same bits for every float, NaN, infinities and -0 included. false: `why` says why training can bear it. */
  readonly exact: boolean;
  readonly why?: string;
  readonly worse?: string; // why it may cost more
}
export interface ScalarRule extends RuleBase {
  readonly match: Pattern;
  readonly replace: (bound: Bindings) => Scalar;
}
/** A rule for a scalar that a pattern cannot describe: of a kind other than calls and selects, or over a whole chain. */
export interface ScalarProcedure extends RuleBase {
  readonly kinds: readonly Scalar["kind"][];
  readonly rewrite: (x: Scalar) => Scalar | undefined;
}
export interface NodeContext {
  /** Loads of the node, roots and scans that need it: 1 is a single use. */
  readonly uses: (node: Node) => number;
}
export interface NodeRule extends RuleBase {
  readonly byUses?: boolean; // looks at uses: tried again when nothing else has changed
  readonly rewrite: (node: Compute, context: NodeContext) => Node | undefined;
}

export const build = makeCall;
