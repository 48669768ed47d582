// What one compilation owns: the tables by which constructors give equal formulas one object, the ids, and what is remembered of scalars and nodes.
// Constructors take no compilation as an argument: they find the one that is worked on, which whoever takes a program enters (`within`).
import { InternalError } from "../../grammar/diagnostic.ts";
import type { Origin } from "./place.ts";
import { Triples } from "./triples.ts";

/** Optional steps of constructors and of `solve`; property tests switch them off. */
export interface Options {
  readonly factor: boolean; // factors and guards leave sums
  readonly support: boolean; // sums run over the part of an axis that is not guarded away
  readonly compress: boolean; // and through the atoms that they use
  readonly outside: boolean; // range guards become outside values
  readonly rebase: boolean;
  readonly merge: boolean;
  readonly shift: boolean;
  readonly open: boolean;
}
export const allOptions: Options = {
  factor: true,
  support: true,
  compress: true,
  outside: true,
  rebase: true,
  merge: true,
  shift: true,
  open: true,
};

export class Compilation {
  options: Options;
  origin: Origin | undefined; // the call that runs while a program is elaborated
  private lastId = 0;
  private readonly byKey = new Map<string, unknown>();
  private readonly byOperands = new Triples<unknown>();
  private readonly numbers = new Triples<number>();
  private readonly byPlace = new Map<unknown, unknown[]>();
  private readonly among = new Map<unknown, unknown[]>();
  private readonly constants = new Map<number, unknown>();
  private readonly rows = new Map<unknown, number>();
  private readonly memos: (Map<object, unknown> | undefined)[] = [];

  constructor(options: Partial<Options> = {}) {
    this.options = { ...allOptions, ...options };
  }
  nextId(): number {
    return ++this.lastId;
  }
  /** The object of this key, if it has been made. */
  known<T>(key: string): T | undefined {
    return this.byKey.get(key) as T | undefined;
  }
  /** The object of this key, made by `make` if it is new. */
  intern<T>(key: string, make: (id: number) => T): T {
    let found = this.byKey.get(key) as T | undefined;
    if (found === undefined) {
      found = make(++this.lastId);
      this.byKey.set(key, found);
    }
    return found;
  }
  /** As `intern`, for what has one or two operands beside its owner: looked up by three numbers. Owners are ids, or functions' numbers, which are none. */
  internPair<T>(owner: number, a: number, b: number, make: (id: number) => T): T {
    const known = this.byOperands.get(owner, a, b) as T | undefined;
    if (known !== undefined) return known;
    const made = make(++this.lastId);
    this.byOperands.set(owner, a, b, made);
    return made;
  }
  /** As `intern`, for what has a place of its own under its owner. */
  internAt<T>(owner: unknown, place: number, make: (id: number) => T): T {
    let own = this.byPlace.get(owner) as (T | undefined)[] | undefined;
    if (!own) this.byPlace.set(owner, (own = []));
    return (own[place] ??= make(++this.lastId));
  }
  /** The number of a function as an owner: no id. */
  rowNumber(row: unknown): number {
    let found = this.rows.get(row);
    if (found === undefined) this.rows.set(row, (found = -1 - this.rows.size));
    return found;
  }
  /** Has it been asked for? */
  hasRow(row: unknown): boolean {
    return this.rows.has(row);
  }
  /** Two ids as one number. */
  pairNumber(a: number, b: number): number {
    let found = this.numbers.get(0, a, b);
    if (found === undefined) this.numbers.set(0, a, b, (found = this.numbers.size));
    return found;
  }
  /** As `intern`, for the one of an owner's that `same` knows: few have one owner. */
  internAmong<T>(owner: unknown, same: (known: T) => boolean, make: (id: number) => T): T {
    const own = this.among.get(owner) as T[] | undefined;
    let found = own?.find(same);
    if (found === undefined) {
      found = make(++this.lastId);
      if (own) own.push(found);
      else this.among.set(owner, [found]);
    }
    return found;
  }
  /** The object of a number. */
  constant<T>(value: number, make: () => T): T {
    let found = this.constants.get(value) as T | undefined;
    if (found === undefined) this.constants.set(value, (found = make()));
    return found;
  }
  /** What is remembered under number `of`. */
  memo(of: number): Map<object, unknown> {
    return (this.memos[of] ??= new Map());
  }
}
let current: Compilation | undefined;
/** The compilation that is worked on. */
export function working(): Compilation {
  if (!current) throw new InternalError("a graph is built outside of any compilation");
  return current;
}
/** Makes it the one that is worked on, and gives the one before. For tests that build graphs by hand; everything else goes `within` one. */
export function enter(compilation: Compilation | undefined): Compilation | undefined {
  const before = current;
  current = compilation;
  return before;
}
/** Runs with this compilation as the one that is worked on; the one before is back afterwards, however the run ends. */
export function within<T>(compilation: Compilation, run: () => T): T {
  const before = enter(compilation);
  try {
    return run();
  } finally {
    enter(before);
  }
}
/** The same for a generator: what happens between its steps may work on another compilation. */
export function* stepwise<T>(compilation: Compilation, steps: Iterator<T>): Generator<T> {
  for (;;) {
    const step = within(compilation, () => steps.next());
    if (step.done) return;
    yield step.value;
  }
}

let memos = 0;
/** What is remembered of the scalars, nodes or scans of a compilation: by default of the one that is worked on. */
export function remembered<K extends object, V>(): (compilation?: Compilation) => Map<K, V> {
  const own = memos++;
  return (compilation = working()) => compilation.memo(own) as Map<K, V>;
}
/**
 * A function that is computed once for each thing of a compilation: of scalars for the one that is worked on, of what knows its compilation for
 * that one. It never answers with undefined.
 */
export function memoised<K extends object, V>(
  compute: (key: K) => V,
  home: (key: K) => Compilation = working,
): (key: K) => V {
  const answers = remembered<K, V>();
  return (key) => {
    const memo = answers(home(key));
    let found = memo.get(key);
    if (found === undefined) memo.set(key, (found = compute(key)));
    return found;
  };
}
/** Where the answers about nodes and scans are kept. */
export const ownCompilation = (x: { readonly compilation: Compilation }): Compilation => x.compilation;
