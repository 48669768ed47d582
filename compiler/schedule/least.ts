// The first of the cheapest of candidates that come in parts. In: the parts, each with a price that none of its candidates is below. Out: one candidate.
export interface Priced<T> {
  readonly of: T;
  readonly total: number; // ns
}
/**
 * The cheapest candidate below `most`. Parts whose bound is no less than that, or beyond the best found, are not looked at. `priced`: the candidates of a
 * part; what costs more than `limit` may be left out.
 */
export function cheapestOf<P, T>(
  parts: readonly P[],
  bound: (part: P) => number,
  priced: (part: P, limit: number) => Iterable<Priced<T>>,
  most = Infinity,
): Priced<T> | undefined {
  const order = parts.map((part, at) => ({ part, at, least: bound(part) })).sort((a, b) => a.least - b.least);
  let best: Priced<T> | undefined;
  let bestAt = -1;
  for (const { part, at, least } of order) {
    if (least >= most || (best && least > best.total)) break;
    for (const one of priced(part, best?.total ?? most)) {
      if (best ? one.total > best.total || (one.total === best.total && at >= bestAt) : one.total >= most) continue;
      best = one;
      bestAt = at;
    }
  }
  return best;
}
