// The order of a loop's body. Drivers for CPUs load every lane under a condition of its own: such a load cuts the code apart where it stands,
// and sums that lay in registers before it are put away for what comes after.
import { namesIn, type Let, type Statement } from "../kernel/ir.ts";

/**
 * The loads, and what their addresses take, before the first sum; what waits for a sum or for another lane stays, and nothing crosses other statements.
 * `late`: loads that stay, too.
 */
export function loadsFirst(body: readonly Statement[], late: ReadonlySet<Statement> = new Set()): Statement[] {
  const start = body.findIndex((s) => s.kind === "set");
  if (start < 0) return [...body];
  const end = body.findIndex((s) => s.kind !== "let" && s.kind !== "set");
  const rest = body.slice(start, end < 0 ? undefined : end);
  const made = new Map(rest.flatMap((s) => (s.kind === "let" ? [[s.name, s] as const] : [])));
  const sums = new Set(rest.flatMap((s) => (s.kind === "set" ? [s.target.text] : [])));
  const free = new Map<Let, boolean>();
  const isFree = (s: Let): boolean => {
    let is = free.get(s);
    if (is === undefined)
      free.set(
        s,
        (is = !s.pinned && namesIn(s).every((name) => !sums.has(name) && (!made.has(name) || isFree(made.get(name)!)))),
      );
    return is;
  };
  const moved = new Set<Statement>();
  const move = (s: Let): void => {
    if (moved.has(s)) return;
    moved.add(s);
    for (const name of namesIn(s)) if (made.has(name)) move(made.get(name)!);
  };
  for (const s of rest) if (isLoad(s) && !late.has(s) && isFree(s)) move(s);
  const first = rest.filter((s) => moved.has(s)).map((s) => (isLoad(s) ? { ...s, pinned: true } : s)); // pinned: not written where it is used
  return [...body.slice(0, start), ...first, ...body.slice(start).filter((s) => !moved.has(s))];
}
export const isLoad = (s: Statement): s is Let => s.kind === "let" && (s.cost === "load" || s.cost === "load4");
