// The same kernel for a reader: a value that is used once, in the block that makes it, is written where it is used; unused ones go.
// In: statements as emitted. Out: statements to print.
import { substitute, type Expr } from "../kernel/expr.ts";
import { countNames, mapExpressions, namesIn, type Statement } from "../kernel/ir.ts";
import { printExpr } from "../wgsl/print.ts";

const longest = 96; // characters of a value that is written where it is used

export function tidy(block: readonly Statement[]): Statement[] {
  const uses = new Map<string, number>();
  countNames(block, uses);
  return inlineOnce(withoutUnused(block, uses), uses);
}
/** From the last statement to the first: what uses a value stands behind it. */
function withoutUnused(block: readonly Statement[], uses: Map<string, number>): readonly Statement[] {
  const live: Statement[] = [];
  for (let i = block.length - 1; i >= 0; i--) {
    const s = block[i]!;
    if (s.kind === "let" && !uses.get(s.name)) for (const used of namesIn(s)) uses.set(used, uses.get(used)! - 1);
    else if ("body" in s) {
      const body = withoutUnused(s.body, uses);
      live.push(body.length === s.body.length && body.every((x, k) => x === s.body[k]) ? s : { ...s, body });
    } else live.push(s);
  }
  return live.reverse();
}
function inlineOnce(
  block: readonly Statement[],
  uses: ReadonlyMap<string, number>,
  outer: ReadonlyMap<string, Expr> = new Map(),
): Statement[] {
  const inLoops = new Map<string, number>(); // uses from loops below: they must not repeat the work
  for (const s of block) {
    if (s.kind === "for") countNames(s.body, inLoops);
    else if ("body" in s) forEachLoop(s.body, (body) => countNames(body, inLoops));
  }
  const pending = new Map(outer);
  const result: Statement[] = [];
  for (const s of block) {
    const own = pending.size ? mapExpressions(s, (e) => substitute(e, pending)) : s;
    if (
      own.kind === "let" &&
      !own.pinned &&
      uses.get(own.name) === 1 &&
      !inLoops.get(own.name) &&
      printExpr(own.value).length <= longest
    )
      pending.set(own.name, own.value);
    else if (own.kind === "for") result.push({ ...own, body: inlineOnce(own.body, uses) });
    else if (own.kind === "if") result.push({ ...own, body: inlineOnce(own.body, uses, pending) });
    else if (own.kind === "exchange") {
      const form = (block: readonly Statement[]): Statement[] => inlineOnce(block, uses, pending);
      result.push({ ...own, body: form(own.body), direct: form(own.direct) });
    } else result.push(own);
  }
  return result;
}
function forEachLoop(block: readonly Statement[], f: (body: readonly Statement[]) => void): void {
  for (const s of block) {
    if (s.kind === "for") f(s.body);
    else if ("body" in s) forEachLoop(s.body, f);
  }
}
