// Compilations of one process know nothing of each other: whatever is done with two programs, in whatever order, gives the bytes that each gives alone.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import type { Program } from "../../compiler/elaborate/program.ts";
import { checkGradients } from "../../compiler/evaluate/gradcheck.ts";
import { analyse } from "../../compiler/front.ts";
import { Compilation, working, within } from "../../compiler/graph/compilation.ts";
import { compute, source } from "../../compiler/graph/node.ts";
import { load, variable } from "../../compiler/graph/scalar.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { makePlan } from "../../compiler/plan/plan.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import { loop, net } from "./two.ts";

type Simplify = typeof simplify;
const planOf = (program: Program, source: string, simplified: Simplify = simplify): string =>
  JSON.stringify(
    makePlan(program, {
      name: "model.dlm",
      source,
      compiler: "test",
      target: targets["software"]!,
      simplify: (p) => simplified(p),
    }).plan,
  );
/** A program on its way: the steps to take one after the other, and what they have given. */
function begun(text: string): { readonly steps: readonly (() => void)[]; readonly results: string[] } {
  const results: string[] = [];
  let program: Program | undefined;
  let checks: Iterator<unknown> | undefined;
  const check = (): void => void results.push(JSON.stringify(checks!.next().value));
  return {
    results,
    steps: [
      () => void (program = analyse(text).program),
      () => {
        checks = checkGradients(program!, { directions: 1 });
        check();
      },
      () => {
        check(); // the generator was left in between
        results.push(planOf(program!, text));
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

test("phase by phase, in every order", () => {
  const wanted = [alone(net), alone(loop)];
  for (const order of orders(3, 3)) {
    const [a, b] = [begun(net), begun(loop)];
    const [one, other] = [[...a.steps], [...b.steps]];
    for (const first of order) (first ? one : other).shift()!();
    expect([a.results, b.results], order.join()).toEqual(wanted);
  }
});
test("from within: while an import is read, and wherever the planner calls back", () => {
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
  const outer = planOf(analyse(loop).program!, loop, (p) => {
    inner.push(JSON.stringify(compile(net).plan));
    return simplify(p);
  });
  expect(outer).toBe(planOf(analyse(loop).program!, loop));
  expect(new Set(inner)).toEqual(new Set([loopPlan, netPlan]));
});
test("a program stays what it is after another was compiled", () => {
  const a = analyse(net).program!;
  const b = analyse(loop).program!;
  const gradients = [...checkGradients(a)];
  expect(gradients.length).toBeGreaterThan(0);
  for (const g of gradients) expect(g.error, g.tensor).toBeLessThan(1e-5);
  expect(planOf(b, loop)).toBe(planOf(analyse(loop).program!, loop));
  expect(planOf(a, net)).not.toBe("");
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
