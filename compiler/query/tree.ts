// What stands at an offset of the text.
import { type File, type Part, partsOf } from "../../grammar/ast.ts";

/** From the file's item down to the smallest part that holds the offset; a part ends behind its last character. */
export function partsAt(file: File, offset: number): Part[] {
  const path: Part[] = [];
  const holds = (x: Part): boolean => x.span.start <= offset && offset <= x.span.end;
  let at: readonly Part[] = partsOf(file);
  for (;;) {
    const holding = at.filter(holds);
    // where two meet, the one that begins here
    const next = holding.find((x) => x.span.start === offset) ?? holding.at(-1);
    if (!next) return path;
    path.push(next);
    at = partsOf(next);
  }
}
