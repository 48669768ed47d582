// Every reference case that has a translation, on the f64 evaluator.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ReferenceCase } from "./case.ts";
import { runOnEvaluator } from "./evaluator.ts";

const folder = new URL("../golden/", import.meta.url);
const families = readdirSync(folder, { withFileTypes: true })
  .filter((x) => x.isDirectory())
  .map((x) => x.name);
describe.each(families)("%s", (family) => {
  test("agrees with PyTorch", () => {
    const failures: string[] = [];
    for (const name of readdirSync(new URL(`${family}/`, folder))) {
      const c = JSON.parse(readFileSync(new URL(`${family}/${name}`, folder), "utf8")) as ReferenceCase;
      const outcome = runOnEvaluator(c);
      if (outcome.kind !== "passed") failures.push(`${c.name}: ${outcome.reason}`);
    }
    expect(failures).toEqual([]);
  });
});
