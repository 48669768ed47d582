// Every program of the examples simplifies to a sound program with fewer nodes.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { verify } from "../../compiler/graph/verify.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import { programOf, programsOf } from "../graph/programs.ts";
import { nodesOf } from "./compare.ts";

const folder = new URL("../../examples/", import.meta.url);
test.each(readdirSync(folder).filter((f) => f.endsWith(".dlm")))("%s", (name) => {
  for (const p of programsOf(programOf(readFileSync(new URL(name, folder), "utf8"), name))) {
    const simple = simplify(p);
    verify(simple);
    expect(nodesOf(simple).length).toBeLessThanOrEqual(nodesOf(p).length);
    expect(simplify(simple), "a second time there is nothing left to do").toBe(simple);
  }
});
