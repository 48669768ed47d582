// Changes to JSON from outside: a value that is gone, of another type, too large, that of another place. In: a value, seeds.   Out: edits by path, so that a
// case stays small and readable; and the value with them applied.
import type { Random } from "./random.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type Path = readonly (string | number)[];
/** Without `to` the value goes. */
export interface Edit {
  readonly path: Path;
  readonly to?: Json;
}

/** Every place below, but those that `isLeft` leaves out with all that is in them. */
export function* places(value: Json, isLeft: (path: Path) => boolean = () => false, path: Path = []): Generator<Path> {
  if (isLeft(path)) return;
  if (path.length) yield path;
  if (typeof value !== "object" || value === null) return;
  for (const [key, own] of Object.entries(value))
    yield* places(own as Json, isLeft, [...path, Array.isArray(value) ? Number(key) : key]);
}
export const valueAt = (value: Json, path: Path): Json | undefined =>
  path.reduce<Json | undefined>(
    (at, key) =>
      typeof at === "object" && at !== null && Object.hasOwn(at, key)
        ? (at as Readonly<Record<string | number, Json>>)[key]
        : undefined,
    value,
  );
/** What is not there is not edited. */
export function edited(whole: Json, edits: readonly Edit[]): Json {
  let all = structuredClone(whole);
  for (const { path, to: value } of edits) {
    const to = structuredClone(value);
    const last = path.at(-1);
    if (last === undefined) {
      all = to ?? null;
      continue;
    }
    const holder = valueAt(all, path.slice(0, -1));
    if (typeof holder !== "object" || holder === null) continue;
    if (Array.isArray(holder)) {
      if (to === undefined) holder.splice(Number(last), 1);
      else holder.splice(Number(last), 1, to);
    } else if (to === undefined) delete (holder as Record<string, Json>)[last];
    // a key as __proto__ is one like others
    else Object.defineProperty(holder, last, { value: to, enumerable: true, configurable: true, writable: true });
  }
  return all;
}

const words = ["", "__proto__", "constructor", "toString", "length", "a".repeat(300), "\0", "ß∀", "../../etc/passwd"];
/** At one of the places. Numbers become small ones, or far too large for any memory. */
export function damage(value: Json, all: readonly Path[], r: Random): Edit {
  const path = r.pick(all);
  const old = valueAt(value, path);
  const elsewhere = (): Json =>
    r.chance(0.5)
      ? (valueAt(value, r.pick(all.filter((p) => p.at(-1) === path.at(-1)))) ?? null) // another of its kind
      : (valueAt(value, r.pick(all)) ?? null);
  switch (r.int(0, 9)) {
    case 0:
      return { path };
    case 1:
      return { path, to: r.pick<Json>([null, true, false, 0, "", [], {}, [[]], "7", { length: 3 }]) };
    case 2:
    case 3:
    case 4:
      return { path, to: elsewhere() };
    case 5:
      if (Array.isArray(old) && old.length)
        return { path, to: r.pick([[...old, r.pick(old)], old.slice(1), [...old].reverse(), [r.pick(old)]]) as Json };
      break;
    case 6:
      return { path: [...path.slice(0, -1), r.pick(words)], to: old ?? null }; // a key too many
    default:
  }
  if (typeof old === "number")
    return {
      path,
      to: r.pick([
        ...[0, 1, -1, 2, 3, 4, 256, old + 1, old - 1, old + 4, old + 256, 2 * old, -old, old + 0.5],
        ...[2 ** 31 - 1, 2 ** 32, 2 ** 40, 2 ** 53, 1e308],
      ]),
    };
  if (typeof old === "string") return { path, to: r.pick([...words, `${old}x`, old.slice(1), old.toUpperCase()]) };
  return { path, to: elsewhere() };
}
