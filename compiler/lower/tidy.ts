// The same kernel for a reader: a value that is used once, in the block that makes it, is written where it is used; unused ones go.
// In: statements as emitted. Out: statements to print.
import { substitute, type Expr } from "../kernel/expr.ts";
import { countNames, mapExpressions, type Statement } from "../kernel/ir.ts";
import { printExpr } from "../wgsl/print.ts";

const longest = 96; // characters of a value that is written where it is used

export function tidy(block: readonly Statement[]): Statement[] {
  for (;;) {
    const uses = new Map<string, number>();
    countNames(block, uses);
    const live = dropUnused(block, uses);
    if (live === block) return inlineOnce(block, uses);
    block = live;
  }
}
function dropUnused(block: readonly Statement[], uses: ReadonlyMap<string, number>): readonly Statement[] {
  let changed = false;
  const result: Statement[] = [];
  for (const s of block) {
    if (s.kind === "let" && !uses.get(s.name)) {
      changed = true;
      continue;
    }
    if (s.kind === "for" || s.kind === "if") {
      const body = dropUnused(s.body, uses);
      if (body !== s.body) changed = true;
      result.push(body === s.body ? s : { ...s, body });
    } else result.push(s);
  }
  return changed ? result : block;
}
function inlineOnce(
  block: readonly Statement[],
  uses: ReadonlyMap<string, number>,
  outer: ReadonlyMap<string, Expr> = new Map(),
): Statement[] {
  const inLoops = new Map<string, number>(); // uses from loops below: they must not repeat the work
  for (const s of block) {
    if (s.kind === "for") countNames(s.body, inLoops);
    else if (s.kind === "if") forEachLoop(s.body, (body) => countNames(body, inLoops));
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
    else result.push(own);
  }
  return result;
}
function forEachLoop(block: readonly Statement[], f: (body: readonly Statement[]) => void): void {
  for (const s of block) {
    if (s.kind === "for") f(s.body);
    else if (s.kind === "if") forEachLoop(s.body, f);
  }
}
