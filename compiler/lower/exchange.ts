// What invocations that share a reduction make of their parts, two by two. In: variables or places that hold parts. Out: statements.
import { call, choice, i32Number, name, operation, u32Number, type Expr } from "../kernel/expr.ts";
import type { Let, SetTo, Statement } from "../kernel/ir.ts";
import type { Stage } from "../kernel/kernel.ts";

/** What a reduction has come to; of an argmax or argmin, also the place of it. */
export interface Part {
  readonly value: Expr;
  readonly place?: Expr;
}
export const mostReach = 32; // invocations: a subgroup of most GPUs

export const setTo = (target: Expr, operator: SetTo["operator"], value: Expr): Statement => ({
  kind: "set",
  target,
  operator,
  value,
  cost: "none",
});
const letBe = (own: string, value: Expr): Let => ({ kind: "let", name: own, value, cost: "none", pinned: true });

/** Adds another part to one; `better` is free for a name. */
export function join(op: Stage["op"], own: Part, its: Part, better = "better"): Statement[] {
  if (own.place && its.place) {
    const isBetter = operation(
      "||",
      operation(op === "argmax" ? ">" : "<", its.value, own.value),
      operation("&&", operation("==", its.value, own.value), operation("<", its.place, own.place)),
    );
    const is = name(better, isBetter.type);
    return [
      letBe(better, isBetter),
      setTo(own.place, "=", choice(is, its.place, own.place)),
      setTo(own.value, "=", choice(is, its.value, own.value)),
    ];
  }
  if (op === "sum" || op === "prod") return [setTo(own.value, op === "sum" ? "+=" : "*=", its.value)];
  return [setTo(own.value, "=", call(op, [own.value, its.value], own.value.type))];
}
/**
 * The whole of `reach / apart` neighbours that are so far apart, in each of them: by pairs of a subgroup's invocations, the same and in the same order as
 * by halves through memory, so that the bits are those. `self`: the number of the invocation; `fresh`: names like this one that are free.
 */
export function throughSubgroup(
  op: Stage["op"],
  part: Part,
  result: string,
  { reach, apart, self }: { readonly reach: number; readonly apart: number; readonly self: Expr },
  stem: string,
  fresh: (like: string) => string,
): Statement[] {
  const statements: Statement[] = [];
  const held = (value: Expr, of: string): Expr => {
    const own = name(fresh(`${of}_lanes`), value.type);
    statements.push({ kind: "var", name: own.text, value });
    return own;
  };
  const kept = (like: string, value: Expr): Expr => {
    const own = letBe(fresh(like), value);
    statements.push(own);
    return name(own.name, value.type);
  };
  const value = held(part.value, stem);
  const place = part.place && held(part.place, `${stem}_place`);
  for (let far = reach / 2; far >= apart; far /= 2) {
    const from = (e: Expr): Expr => call("subgroupShuffleXor", [e, u32Number(far)], e.type);
    if (op === "sum" || op === "prod") {
      statements.push(...join(op, { value }, { value: from(value) }));
      continue;
    }
    // which of two is taken may depend on their order, of NaN and of zeros: both invocations have the lower one's first
    const isUpper = kept(`${stem}_upper`, operation("!=", operation("&", self, i32Number(far)), i32Number(0)));
    const its = [value, ...(place ? [place] : [])].map((own) => {
      const other = kept(`${own.text}_other`, from(own));
      return { upper: kept(`${own.text}_its`, choice(isUpper, own, other)), lower: choice(isUpper, other, own), own };
    });
    for (const { lower, own } of its) statements.push(setTo(own, "=", lower));
    const [first, second] = its.map((x) => x.upper);
    statements.push(
      ...join(
        op,
        { value, ...(place ? { place } : {}) },
        { value: first!, ...(second ? { place: second } : {}) },
        fresh(`${stem}_lanes_better`),
      ),
    );
  }
  return [...statements, letBe(result, place ?? value)];
}
