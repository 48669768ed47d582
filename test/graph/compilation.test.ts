// Compilations of one process know nothing of each other: whatever is done with two programs, in whatever order, gives the bytes that each gives alone.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { analyse } from "../../compiler/front.ts";
import { checkGradients } from "../../compiler/gradcheck.ts";
import { Compilation, working, within } from "../../compiler/graph/compilation.ts";
import { compute, source } from "../../compiler/graph/node.ts";
import { load, variable } from "../../compiler/graph/scalar.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { phases, runPhases } from "../../compiler/pipeline.ts";
import { loop, net } from "./two.ts";

/** The plan, phase by phase: what is done between them must not matter. */
function planOf(text: string, between: () => void = () => {}): string {
  const { plan } = runPhases({ text, options: {}, target: targets["software"]! }, { watch: between });
  return JSON.stringify(plan);
}
/** A program on its way: the steps to take one after the other, and what they have given. */
function begun(text: string): { readonly steps: readonly (() => void)[]; readonly results: string[] } {
  const results: string[] = [];
  let made: Parameters<(typeof phases)[number]["run"]>[0] = { text, options: {}, target: targets["software"]! };
  let checks: Iterator<unknown> | undefined;
  const check = (): void => void results.push(JSON.stringify(checks!.next().value));
  const run = (...names: string[]): void => {
    for (const phase of phases.filter((p) => names.includes(p.name))) made = { ...made, ...phase.run(made).out };
  };
  return {
    results,
    steps: [
      () => run("parse", "elaborate"),
      () => {
        checks = checkGradients(made.program!, { directions: 1 });
        check();
        run("simplify", "sort", "narrow", "flatten");
      },
      () => {
        run("fuse", "rowwise", "batch", "lower");
        check(); // the generator was left in between
      },
      () => {
        run("plan", "share");
        results.push(JSON.stringify(made.plan));
      },
    ],
  };
}
function alone(text: string): readonly string[] {
  const { steps, results } = begun(text);
  for (const step of steps) step();
  return results;
}
/** All orders of m and n steps: true where the next one is of the first. */
function* orders(m: number, n: number): Generator<readonly boolean[]> {
  if (!m && !n) yield [];
  if (m) for (const rest of orders(m - 1, n)) yield [true, ...rest];
  if (n) for (const rest of orders(m, n - 1)) yield [false, ...rest];
}

test("phase by phase: every step of one after every number of steps of the other", () => {
  const wanted = [alone(net), alone(loop)];
  const met = new Set<string>(); // a step, and how far both are
  for (const order of orders(4, 4)) {
    const steps = order.map((first, at) => `${first}, ${order.slice(0, at).filter(Boolean).length} of ${at}`);
    if (steps.every((step) => met.has(step))) continue;
    for (const step of steps) met.add(step);
    const [a, b] = [begun(net), begun(loop)];
    const [one, other] = [[...a.steps], [...b.steps]];
    for (const first of order) (first ? one : other).shift()!();
    expect([a.results, b.results], order.join()).toEqual(wanted);
  }
  expect(met.size).toBe(2 * 4 * 5);
});
test("from within: while an import is read, and between all phases", () => {
  const [netPlan, loopPlan] = [JSON.stringify(compile(net).plan), JSON.stringify(compile(loop).plan)];
  const inner: string[] = [];
  const text = `import "parts.dlm"\n${net.replace("act: tanh", "act: own")}`;
  const parts = "fn own(x) = tanh(x)\n";
  const compiled = (imports: () => string): string => JSON.stringify(compile(text, { imports }).plan);
  const plain = compiled(() => parts);
  const disturbed = compiled(() => {
    inner.push(JSON.stringify(compile(loop).plan));
    return parts;
  });
  expect(disturbed).toBe(plain);
  const outer = planOf(loop, () => void inner.push(JSON.stringify(compile(net).plan)));
  expect(outer).toBe(loopPlan);
  expect(new Set(inner)).toEqual(new Set([loopPlan, netPlan]));
});
test("a program stays what it is after another was compiled", () => {
  const a = analyse(net).program!;
  const b = analyse(loop).program!;
  const gradients = [...checkGradients(a)];
  expect(gradients.length).toBeGreaterThan(0);
  for (const g of gradients) expect(g.error, g.tensor).toBeLessThan(1e-5);
  expect([...checkGradients(b)].every((g) => g.error < 1e-5)).toBe(true);
});
test("an error leaves no compilation behind, and nothing is built outside of one", () => {
  const input = (): Source => source({ role: "input", path: "x", shape: [3], dtype: "f32" });
  expect(() =>
    analyse('import "a.dlm"', {
      imports: () => {
        throw new Error("unreadable");
      },
    }),
  ).toThrow("unreadable");
  expect(working).toThrow("outside of any compilation");
  expect(input).toThrow("outside of any compilation");
  const other = within(new Compilation(), input);
  within(new Compilation(), () => {
    const i = variable(3);
    expect(() => compute([i], undefined, load(other, [i]))).toThrow("another compilation");
  });
});

test("no module of the graph's rooms keeps state but the compilation that is worked on", () => {
  const kept = ["graph", "grad", "rewrite", "evaluate"].flatMap((room) => {
    const folder = new URL(`../../compiler/${room}/`, import.meta.url);
    return readdirSync(folder).flatMap((name) =>
      readFileSync(new URL(name, folder), "utf8")
        .split("\n")
        .filter((line) => /^(export )?(let |const \w+[^=]*= new (Weak)?(Map|Set)\b[^(]*\(\);)/.test(line))
        .map((line) => `${room}/${name}: ${line}`),
    );
  });
  expect(kept).toEqual([
    "graph/compilation.ts: let current: Compilation | undefined;",
    "graph/compilation.ts: let memos = 0;", // numbers functions as modules are loaded
    "graph/leaves.ts: const noVariables: VariableSet = new Set();",
    "graph/leaves.ts: const noScans: ScanSet = new Set();",
  ]);
});
