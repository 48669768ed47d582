// Every program of the examples simplifies to a sound program with fewer nodes.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { verify } from "../../compiler/graph/verify.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import { programOf, programsOf } from "../graph/programs.ts";
import { checkSimplify, drawn, nodesOf } from "./compare.ts";

const folder = new URL("../../examples/", import.meta.url);
test.each(readdirSync(folder).filter((f) => f.endsWith(".dlm")))("%s", (name) => {
  for (const p of programsOf(programOf(readFileSync(new URL(name, folder), "utf8"), name))) {
    const simple = simplify(p);
    verify(simple);
    expect(nodesOf(simple).length).toBeLessThanOrEqual(nodesOf(p).length);
    expect(simplify(simple), "a second time there is nothing left to do").toBe(simple);
  }
});
test.each(readdirSync(folder).filter((f) => f.endsWith(".dlm")))("exports of %s, for a batch of two", (name) => {
  const text = readFileSync(new URL(name, folder), "utf8").replace("const width = 128", "const width = 16");
  for (const { program } of programOf(text, name).exports) {
    const dims = Object.fromEntries(program.dims.map((d) => [d.name, 2]));
    if (program.name !== "write") checkSimplify(program, drawn(program, 5, dims), {}, dims); // 200 rounds of a transformer take long in f64
  }
});
test.each(["xor.dlm", "linear_regression.dlm", "iris.dlm", "gan_ring.dlm"])("the training step of %s", (name) => {
  for (const { step } of programOf(readFileSync(new URL(name, folder), "utf8"), name).trains) {
    const dims = Object.fromEntries(step.dims.map((d) => [d.name, 8]));
    const values = drawn(step, 9, dims);
    for (const x of step.inputs) if (/\.v$/.test(x.path)) values.set(x, values.get(x)!.map(Math.abs)); // second moments
    checkSimplify(step, values, {}, dims);
  }
});
