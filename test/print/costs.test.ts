// What calls cost, as the playground and `dlm inspect --html` show it: of a step in one launch as of one in many.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { costsOf } from "../../compiler/cli/look/drawn.ts";
import { madeOf } from "../../compiler/cli/look/stages.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { made } from "../model.ts";

test.each(["xor.dlm", "regularisation/lasso.dlm"])("%s", (path) => {
  const text = readFileSync(join(import.meta.dirname, "../../examples", path), "utf8");
  const [one, many] = [targets["software"]!, { ...targets["software"]!, apart: true as const }].map((target) => {
    const result = made(text, { target });
    return { rounds: result.plan.trains[0]!.rounds, ...costsOf(madeOf(result)!) };
  });
  expect(one!.rounds).toBeDefined();
  expect(many!.rounds).toBeUndefined();
  expect(one!.total).toBeGreaterThan(0);
  expect(one!.total / many!.total).toBeGreaterThan(0.4);
  expect(one!.total / many!.total).toBeLessThan(2.5);
  expect(Object.keys(one!.flops).sort()).toEqual(Object.keys(many!.flops).sort());
});
