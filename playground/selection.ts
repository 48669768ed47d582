// One selection everywhere: what is chosen in the text or in a stage, and what lights up with it. In: marks of what is chosen. Out: told to whoever listens.
import type { CallNode, Mark } from "../compiler/cli/look/types.ts";

export interface Chosen {
  readonly marks: readonly Mark[];
  /** A range of the text is all that lies in it; a thing of a stage is what has the same place. */
  readonly isRange: boolean;
  readonly from: string; // who chose
  readonly label: string;
}
export interface Lightable {
  readonly at: readonly number[];
  readonly around: readonly number[];
}
export class Selection {
  chosen: Chosen | undefined;
  readonly #listeners: ((chosen: Chosen | undefined) => void)[] = [];
  onChange(listener: (chosen: Chosen | undefined) => void): void {
    this.#listeners.push(listener);
  }
  choose(chosen: Chosen | undefined): void {
    this.chosen = chosen;
    for (const listener of this.#listeners) listener(chosen);
  }
  /** The thing of a stage by its marks; the same again chooses nothing. */
  chooseItem(item: Lightable, marks: readonly Mark[], from: string, label: string): void {
    const own = item.at.length ? item.at : item.around;
    this.choose(own.length ? { marks: own.map((i) => marks[i]!), isRange: false, from, label } : undefined);
  }
  lights({ at, around }: Lightable, marks: readonly Mark[]): boolean {
    const { chosen } = this;
    if (!chosen) return false;
    const hits = (i: number): boolean =>
      chosen.marks.some((m) => (chosen.isRange ? isWithin(marks[i]!, m) : isSame(marks[i]!, m)));
    return at.some(hits) || around.some(hits);
  }
}
const isWithin = ([start, end]: Mark, [from, to]: Mark): boolean => from <= start && end <= to;
const isSame = ([start, end, path]: Mark, [from, to, own]: Mark): boolean =>
  start === from && end === to && (!path || !own || path === own || path.startsWith(`${own}.`));

/** Of all calls, those within included. */
export const marksOfCalls = (calls: readonly CallNode[]): readonly Mark[] =>
  calls.flatMap((c) => [c.mark, ...marksOfCalls(c.calls)]);
/** The smallest of these ranges that the cursor is in; else its line. */
export function rangeAt(text: string, offset: number, known: Iterable<Mark>): Mark {
  let best: Mark | undefined;
  for (const mark of known) {
    const [start, end] = mark;
    if (start > offset || offset > end || start === end) continue;
    if (!best || end - start < best[1] - best[0]) best = mark;
  }
  const from = text.lastIndexOf("\n", offset - 1) + 1;
  const to = text.indexOf("\n", offset);
  const line: Mark = [from, to < 0 ? text.length : to, ""];
  return best && (best[1] - best[0] <= line[1] - line[0] || !text.slice(from, line[1]).trim())
    ? [best[0], best[1], ""]
    : line;
}
