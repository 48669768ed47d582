// Groups that become one kernel: whether one follows from another through others, against a walk over all of them.
import fc from "fast-check";
import { expect, test } from "vitest";
import { absorb, link, putInOrder, reaches, type Group } from "../../compiler/fuse/group.ts";

const group = (): Group => ({
  kind: "kernel",
  nodes: [],
  domain: [],
  rank: 0,
  place: NaN,
  before: new Set(),
  after: new Set(),
  alive: true,
  version: 0,
});
/** Is there a way from a to b through a third? */
function goesRound(a: Group, b: Group): boolean {
  const seen = new Set([...a.after].filter((g) => g !== b));
  for (const g of seen) for (const n of g.after) seen.add(n);
  return seen.has(b);
}
test("a way round is found wherever there is one, whatever has been joined before", () => {
  const edge = fc.tuple(fc.nat(19), fc.nat(19));
  const graphs = fc.record({
    edges: fc.array(edge, { minLength: 20, maxLength: 50 }),
    pairs: fc.array(edge, { minLength: 40, maxLength: 80 }),
  });
  let rounds = 0;
  fc.assert(
    fc.property(graphs, ({ edges, pairs }) => {
      const groups = Array.from({ length: 20 }, group);
      for (const [i, j] of edges) if (i !== j) link(groups[Math.min(i, j)]!, groups[Math.max(i, j)]!);
      putInOrder(groups);
      for (const [i, j] of pairs) {
        const [a, b] = [groups[i]!, groups[j]!];
        if (a === b || !a.alive || !b.alive) continue;
        const round = goesRound(a, b);
        expect(reaches(a, b)).toBe(round);
        if (round) rounds++;
        if (!round && !goesRound(b, a)) absorb(a, b);
        for (const g of groups.filter((x) => x.alive)) for (const n of g.after) expect(g.place).toBeLessThan(n.place);
      }
    }),
    { numRuns: 300 },
  );
  expect(rounds).toBeGreaterThan(100);
});
