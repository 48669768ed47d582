// The evaluator's two ways of running a formula, as a function made of a text and as closures, give the same bits for everything that models compute.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { closuresOf } from "../../compiler/evaluate/closures.ts";
import { evaluateNodes, sizeOfShape } from "../../compiler/evaluate/evaluate.ts";
import { compile } from "../../compiler/compile.ts";
import { analyse } from "../../compiler/front.ts";
import { within } from "../../compiler/graph/compilation.ts";
import { rootsOf, topological } from "../../compiler/graph/node.ts";
import type { GraphProgram, Node } from "../../compiler/graph/types.ts";

const examples = join(import.meta.dirname, "../../examples");
const small = `data d { rows: 12
  field x: f32[6] = normal(0, 1)[6]
  field ids: i32[5] in 0..7 = i32(uniform(0, 6.9)[5])
  field y: i32 in 0..3 = i32(uniform(0, 2.9)[1])[0] }
model net(x: f32[B, 6], ids: i32[B, 5] in 0..7) -> f32[B, 3] {
  let words = ids |> Embedding(7, 4) |> Conv1d(3, 3, padding: 1) |> flatten
  let sums = cumsum(x, axis: 1)
  let best = max(x, axis: 1, keep: true) + f32(argmax(x, axis: 1, keep: true)) + f32(argmin(sort(x), axis: 1, keep: true))
  return concat([words, sums, best, x - prod(x, axis: 1, keep: true), where(x > 0 and not (x < 1), x, -x)], axis: 1) |> Dropout(0.3) |> Linear(3)
}
train fit on d(batch: 4) {
  let out = net(x, ids)
  minimize cross_entropy(out, y) by adamw(lr: 0.01)
  metric acc = accuracy(out, y)
  steps: 3 }
export fn last(x: f32[B, 6], ids: i32[B, 5] in 0..7) = any(net(x, ids) > 0.1, axis: 1)
`;
/** Some value of every source, of its type and range. */
function given(programs: readonly GraphProgram[]): Map<Node, number[]> {
  let state = 1;
  const next = (): number => (state = (state * 16807) % 2147483647) / 2147483647;
  const found = new Map<Node, number[]>();
  for (const x of topological(programs.flatMap(rootsOf))) {
    if (x.kind !== "source" || x.data) continue;
    const { low = 0, high = 3 } = x.range ?? {};
    const whole = (): number =>
      Math.floor(Math.max(low, -5) + next() * (Math.min(Number(high), 40) - Math.max(low, -5) + 0.999));
    const one = (): number =>
      x.dtype === "f32" ? Math.fround(2 * next() - 1) : x.dtype === "bool" ? Number(next() > 0.5) : whole();
    found.set(x, Array.from({ length: sizeOfShape(x.shape, dims) }, one));
  }
  return found;
}
const dims = new Proxy<Record<string, number>>({}, { get: () => 3 });

test.each<[string, string]>([
  ["a bit of everything", small],
  ...["xor", "depth/saddle", "regularisation/lasso"].map((name): [string, string] => [
    name,
    readFileSync(join(examples, `${name}.dlm`), "utf8"),
  ]),
])("%s", (_, text) => {
  const { program } = analyse(text, { rows: new Proxy({}, { get: () => 12 }) });
  if (!program) throw new Error("the text has errors");
  within(program.compilation, () => {
    const programs = [...program.trains.flatMap((t) => [t.init, t.step]), ...program.exports.map((e) => e.program)];
    const values = given(programs);
    const roots = programs.flatMap(rootsOf);
    const as = (compile?: typeof closuresOf): Float64Array[] => evaluateNodes(roots, values, dims, undefined, compile);
    const [one, other] = [as(), as(closuresOf)];
    expect(roots.length).toBeGreaterThan(1);
    other.forEach((x, i) => expect(x).toEqual(one[i]));
  });
});

test("what is folded makes no function of a text: pages whose policy forbids it compile all the same", () => {
  const { Function: kept } = globalThis;
  globalThis.Function = new Proxy(kept, {
    construct: () => {
      throw new EvalError("the policy forbids it");
    },
  });
  try {
    for (const name of ["depth/deep_linear", "energy/pca"]) {
      const text = readFileSync(join(examples, `${name}.dlm`), "utf8");
      const { plan, diagnostics } = compile(text, { rows: { iris: 150 } });
      expect(diagnostics.filter((d) => d.severity === "error")).toEqual([]);
      expect(plan).toBeDefined();
    }
  } finally {
    globalThis.Function = kept;
  }
});
