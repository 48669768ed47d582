// Tables by three numbers, against a Map of strings.
import fc from "fast-check";
import { expect, test } from "vitest";
import { Triples } from "../../compiler/graph/triples.ts";

test("a table by three numbers holds what a map holds, however far it has grown", () => {
  const number = fc.oneof(fc.integer({ min: -40, max: 40 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
  const entries = fc.array(fc.tuple(number, number, number), { minLength: 1, maxLength: 3000, size: "max" });
  let most = 0;
  fc.assert(
    fc.property(entries, (keys) => {
      const table = new Triples<number>();
      const map = new Map<string, number>();
      keys.forEach(([a, b, c], i) => {
        const key = `${a} ${b} ${c}`;
        expect(table.get(a, b, c)).toBe(map.get(key));
        if (map.has(key)) return;
        table.set(a, b, c, i); // 0, too
        map.set(key, i);
      });
      for (const [a, b, c] of keys) expect(table.get(a, b, c)).toBe(map.get(`${a} ${b} ${c}`));
      expect(table.size).toBe(map.size);
      most = Math.max(most, map.size);
    }),
    { numRuns: 30 },
  );
  expect(most).toBeGreaterThan(1024);
});
