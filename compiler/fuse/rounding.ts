// Roundings that the text wrote stay. WGSL allows drivers to reassociate and to factor ("the same if computed exactly"), and they do: (x + 12582912) - 12582912
// becomes x, Kahan's correction (a + b) - a becomes b, 0.5 * a + 0.5 * b becomes 0.5 * (a + b), which overflows. Where terms of one sum would cancel or share
// a factor, and where factors would be multiplied to what f32 does not hold, a part is marked to be rounded as it stands.
// In:  a value of a kernel, all that is fused in it.   Out: the same with such parts in `keep_rounding`, which changes no value.
import { call, isCall, isNormal, rebuild, scalarOrder } from "../graph/scalar.ts";
import type { Call, Literal, Scalar } from "../graph/types.ts";

const mostTerms = 24; // of a sum that are looked at: what cancels lies near

export function keepRoundings(root: Scalar): Scalar {
  const order = scalarOrder([root]);
  const kept = new Set<Scalar>();
  for (const e of order) {
    if (isCall(e, "add") || isCall(e, "sub")) keepTerms(e, kept);
    else if (isCall(e, "mul") || isCall(e, "div")) keepFactors(e, kept);
  }
  if (!kept.size) return root;
  const memo = new Map<Scalar, Scalar>();
  for (const e of order) {
    const own = rebuild(e, (x) => memo.get(x)!, undefined);
    memo.set(e, kept.has(e) ? call("keep_rounding", own) : own);
  }
  return memo.get(root)!;
}
/** Sums inside of a sum with equal or constant terms, and all but one of the products that share a factor. */
function keepTerms(root: Call, kept: Set<Scalar>): void {
  const parts: Scalar[] = [];
  const terms: Scalar[] = [];
  const queue: Scalar[] = [...root.operands];
  for (let i = 0; i < queue.length; i++) {
    const e = queue[i]!;
    if (isCall(e, "neg")) queue.push(e.operands[0]!);
    else if (isCall(e, "add") || isCall(e, "sub")) {
      parts.push(e);
      queue.push(...e.operands);
    } else terms.push(e);
    if (terms.length + parts.length >= mostTerms) break;
  }
  const products = terms.filter((e): e is Call => isCall(e, "mul") || isCall(e, "div"));
  if (parts.length) {
    const bases = terms
      .map((e) => (isScaled(e) ? e.operands[0]! : e))
      .map((e) => (e.kind === "literal" ? "number" : e));
    if (new Set(bases).size < bases.length) for (const e of [...parts, ...products]) kept.add(e);
  }
  const factors = new Set<Scalar>();
  for (const e of products) {
    const own = isCall(e, "div")
      ? [e.operands[1]!]
      : e.operands.filter((x) => x.kind !== "literal" || Math.abs(x.value) < 1);
    if (own.some((x) => factors.has(x))) kept.add(e);
    for (const x of own) factors.add(x);
  }
}
type Scaled = Call & { readonly operands: readonly [Scalar, Literal] };
const isScaled = (e: Scalar): e is Scaled =>
  (isCall(e, "mul") || isCall(e, "div")) && e.operands[1]!.kind === "literal";
const scaleOf = (e: Scaled): number => (isCall(e, "div") ? 1 / e.operands[1].value : e.operands[1].value);
/** Constants that one after the other are bearable and together are not. */
function keepFactors(e: Call, kept: Set<Scalar>): void {
  if (!isScaled(e)) return;
  let scale = scaleOf(e);
  for (let of = e.operands[0]!; isScaled(of); of = of.operands[0]!) {
    scale *= scaleOf(of);
    if (!isNormal(scale)) kept.add(of);
  }
}
