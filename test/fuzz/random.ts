// Deterministic choices from one seed, so that a failing case is named by a number.
export interface Random {
  /** A whole number, both ends included. */
  readonly int: (low: number, high: number) => number;
  readonly real: (low: number, high: number) => number;
  readonly chance: (p: number) => boolean;
  readonly pick: <T>(list: readonly T[]) => T;
}
export function random(seed: number): Random {
  let state = (Math.imul(seed, 0x9e3779b9) ^ 0x85ebca6b) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const int = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    int,
    real: (low, high) => low + next() * (high - low),
    chance: (p) => next() < p,
    pick: (list) => list[int(0, list.length - 1)]!,
  };
}
/** How many cases to run: the suite's number, or more by DLM_FUZZ (a factor). */
export const cases = (usual: number): number => Math.round(usual * Number(process.env["DLM_FUZZ"] ?? 1));
/** Where to begin, so that longer runs do not repeat: DLM_FUZZ_SEED. */
export const firstSeed = Number(process.env["DLM_FUZZ_SEED"] ?? 1);
