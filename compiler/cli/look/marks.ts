// Where things come from, as numbers of one table: places of the user's text and the instances whose calls they are. In: places of nodes. Out: indices.
import type { Origin, Place } from "../../graph/origin.ts";
import type { Mark } from "./types.ts";

export interface Marked {
  readonly at: readonly number[];
  readonly around: readonly number[];
}
export class Marks {
  readonly table: Mark[] = [];
  readonly #known = new Map<string, number>();
  readonly #file: string;
  constructor(file: string) {
    this.#file = file;
  }
  /** Each node's own call, and those around it. */
  of(places: Iterable<Place | undefined>): Marked {
    const at = new Set<number>();
    const around = new Set<number>();
    for (const place of places) {
      if (!place) continue;
      const { origin } = place;
      const own = this.#isOwn(place) ? place : origin && this.#isOwn(origin.span) ? origin.span : undefined;
      if (own) at.add(this.#index(own.start, own.end, origin?.path ?? ""));
      for (let o: Origin | undefined = origin; o; o = o.parent)
        if (this.#isOwn(o.span)) around.add(this.#index(o.span.start, o.span.end, o.path));
    }
    for (const i of at) around.delete(i);
    return { at: [...at], around: [...around] };
  }
  #isOwn({ file }: Place | Origin["span"]): boolean {
    return !file.library && file.name === this.#file;
  }
  #index(start: number, end: number, path: string): number {
    const key = `${start} ${end} ${path}`;
    const known = this.#known.get(key) ?? this.table.push([start, end, path]) - 1;
    this.#known.set(key, known);
    return known;
  }
}
