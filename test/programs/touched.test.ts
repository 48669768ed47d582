// States of which only the touched places change: the same values as with all of them written, on the evaluator wherever it can be and on the device where the
// price chooses; which updates are of such states, and what a step costs then.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { verify } from "../../compiler/graph/verify.ts";
import type { GraphProgram } from "../../compiler/graph/types.ts";
import { targets, type Target } from "../../compiler/kernel/target.ts";
import { touchPlaces } from "../../compiler/programs/touched.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import { targetOf } from "../../compiler/cli/device.ts";
import { testDevice } from "../device.ts";
import { compareTraining } from "../device/training.ts";
import { initialOnEvaluator, stepsOnEvaluator } from "../device/evaluator.ts";
import { made } from "../model.ts";
import { stagesOf } from "../plans/check.ts";

interface Case {
  readonly rows?: number; // of the table
  readonly width?: number;
  readonly words?: number; // of a row of the batch
  readonly ids?: string; // of word k
  readonly batch?: number;
  readonly loss?: string;
  readonly by?: string;
  readonly more?: string; // lines of the train block
  readonly declarations?: string;
}
const model = ({
  rows = 40,
  width = 3,
  words = 4,
  ids = "(row * 7 + k * k) % v",
  batch = 5,
  loss = "mean((bag(x) - y) ^ 2)",
  by = "sgd(lr: 0.1)",
  more = "",
  declarations = "",
}: Case): string => `
const v = ${rows}
data bags {
  rows: ${3 * batch}
  field x: i32[${words}] in 0..v = for k in 0..${words}: ${ids}
  field y: f32[${width}] = normal[${width}]
}
model bag(x: i32[B, L] in 0..v) -> f32[B, ${width}] = x |> EmbeddingBag(v, ${width}, mode: sum)
${declarations}
train fit on bags(batch: ${batch}, seed: 3, shuffle: false) {
  minimize ${loss} by ${by}
  ${more}
  steps: 4
}`;

/** The paths of the states that are touched, where all are that can be; the values of three steps are compared with those of the text as it stands. */
function touchedIn(text: string): string[] {
  const { program } = made(text);
  const [t] = program.trains;
  const step: GraphProgram = simplify({ ...t!.step, outputs: [] });
  const touched = touchPlaces(step, true, () => true);
  verify(touched);
  const [whole, some] = [initialOnEvaluator(t!), initialOnEvaluator(t!)];
  for (let k = 0; k < 3; k++) {
    stepsOnEvaluator(program, t!, 1, whole);
    for (const [source, value] of whole) if (source === t!.index || !some.has(source)) some.set(source, value);
    for (const [target, value] of evaluate(touched, some).updates) some.set(target, value);
    for (const { target } of step.updates) {
      const [want, got] = [whole.get(target)!, some.get(target)!];
      const scale = Math.max(1, ...Array.from(want, Math.abs));
      for (let i = 0; i < want.length; i++)
        expect(Math.abs(want[i]! - got[i]!), `${target.path}[${i}]`).toBeLessThanOrEqual(1e-9 * scale);
    }
  }
  return touched.updates.flatMap((u) => (u.at ? [u.target.path.split(".").at(-1)!] : [])).sort();
}

const table = "table";
const cases: readonly (readonly [name: string, touched: readonly string[], of: Case])[] = [
  ["gradient descent", [table], {}],
  ["with a schedule", [table], { by: "sgd(lr: cosine(0.1, total: steps))" }],
  ["Adagrad", [table, "v"], { by: "adagrad(lr: 0.1)" }],
  ["the sign of the gradient", [table], { by: "sign_sgd(lr: 0.1)" }],
  ["a limit of every element", [table], { by: "clip_value(0.01) >> sgd(lr: 1)" }],
  ["all updates to one row", [table], { ids: "5 + (row % 2) * (row % 2 - 1)" }],
  ["no row twice", [table, "v"], { ids: "(row % 5) * 4 + k", by: "adagrad(lr: 0.1)" }],
  ["more updates than rows", [table], { rows: 3, words: 9 }],
  ["a long order, in blocks", [table], { rows: 50, words: 70 }],
  ["rows of one number", [table], { width: 1 }],
  ["a padding row", [table], { declarations: "", loss: "mean((padded(x) - y) ^ 2)" }],
  ["a momentum", [], { by: "sgd(lr: 0.1, momentum: 0.9)" }],
  ["a decay", [], { by: "sgd(lr: 0.1, decay: 0.01)" }],
  ["Adam", [], { by: "adam(lr: 0.1)" }],
  ["RMSprop", [], { by: "rmsprop(lr: 0.1)" }],
  ["a penalty", [], { loss: "mean((bag(x) - y) ^ 2) + 1e-3 * l2(bag)" }],
  ["the norm of the gradient", [], { by: "clip_norm(0.1) >> sgd(lr: 1)" }],
  ["a metric of the gradient", [], { more: "metric g = norm(grad(mean((bag(x) - y) ^ 2), wrt: bag))" }],
  ["a mean of the parameters", [], { by: "sgd(lr: 0.1) >> lookahead()" }],
  ["two uses of the table", [], { loss: "mean((bag(x) - y) ^ 2) + mean(bag(x[:, 0..2]) ^ 4)" }],
];
const padded = "model padded(x: i32[B, L] in 0..v) -> f32[B, 3] = x |> EmbeddingBag(v, 3, mode: sum, padding_idx: 7)";
/** A model whose table is read at these places, of word l of row b. */
const lookup = (shape: string, at: string, outside = ""): string =>
  `layer Lookup()(x: i32[B, L] in 0..v) -> f32[B, 3] { param table: f32[${shape}] ~ normal(0, 1)
  return for b, d in 0..3: sum over l in 0..L: table[${at}]${outside} }
model look(x: i32[B, L] in 0..v) -> f32[B, 3] = x |> Lookup()`;
const lookups: readonly (readonly [name: string, shape: string, at: string, outside: string])[] = [
  ["several axes of indices", "40, 6, 3", "x[b, l], x[b, l] % 6, d", ""],
  ["an axis between them", "40, 3, 6", "x[b, l], d, x[b, l] % 6", ""],
  ["an axis before them", "3, 40", "d, x[b, l]", ""],
  ["indices that leave the table", "20, 3", "x[b, l] - 11, d", " ?? 0"],
  ["another value outside", "20, 3", "x[b, l] - 11, d", " ?? 5"],
  ["an index for each place of a row", "4, 40, 3", "l, x[b, l], d", ""],
];
describe("on the evaluator", () => {
  test.each(cases)("%s", (name, touched, of) => {
    const text = model(name === "a padding row" ? { ...of, declarations: padded } : of);
    expect(touchedIn(text)).toEqual(touched);
  });
  test.each(lookups)("%s", (_, shape, at, outside) => {
    const of = { declarations: lookup(shape, at, outside), loss: "mean((look(x) - y) ^ 2)" };
    expect(touchedIn(model({ ...of, by: "adagrad(lr: 0.3)" }))).toEqual(["table", "v"]);
    expect(touchedIn(model({ ...of, by: "adam(lr: 0.3)" }))).toEqual([]);
  });
  test("random tables, batches and optimizers", () => {
    let count = 0;
    fc.assert(
      fc.property(
        fc.record({
          rows: fc.integer({ min: 2, max: 60 }),
          width: fc.integer({ min: 1, max: 4 }),
          words: fc.integer({ min: 1, max: 8 }),
          batch: fc.integer({ min: 2, max: 9 }),
          ids: fc.constantFrom("(row * 7 + k * k) % v", "(row + k) % min(v, 3)", "(row * row * 13 + 5 * k) % v"),
          by: fc.constantFrom(
            "sgd(lr: 0.1)",
            "adagrad(lr: 0.1)",
            "sgd(lr: 0.1, momentum: 0.5)",
            "clip_value(0.1) >> adagrad(lr: 0.1)",
          ),
        }),
        (of) => void (count += touchedIn(model(of)).length),
      ),
      { numRuns: 25, seed: 15 },
    );
    expect(count).toBeGreaterThan(15);
  });
});

/** Launches cost nothing, so that what moves fewer bytes is taken. */
const eager = (target: Target): Target => ({ ...target, launchNs: 1, cores: 1, apart: true });
describe("on the device", () => {
  const large = { rows: 40_000, width: 4, words: 6, batch: 7 };
  const outside = {
    declarations: lookup("40000, 3", "x[b, l] - 900, d", " ?? 0"),
    loss: "mean((look(x) - y) ^ 2)",
    width: 3,
  };
  const texts: readonly (readonly [name: string, text: string])[] = [
    ["gradient descent", model({ ...large, by: "sgd(lr: 0.3)" })],
    ["Adagrad, many updates of few rows", model({ ...large, ids: "(row * k) % 9", by: "adagrad(lr: 0.3)" })],
    ["rows of one number, in blocks", model({ ...large, rows: 200_000, width: 1, words: 60, by: "adagrad(lr: 0.3)" })],
    ["indices that leave the table", model({ ...large, ...outside, by: "sgd(lr: 0.3)" })],
    [
      "behind a loop",
      model({
        ...large,
        declarations: `model words(x: i32[B, L] in 0..v) -> f32[B, 4] {
  let h = x |> Embedding(v, 8) |> GRU(4)
  return h[:, -1, :]
}`,
        loss: "mean((words(x) - y) ^ 2)",
        by: "sgd(lr: 0.3)",
      }),
    ],
    [
      "an axis before the indices",
      model({ ...large, ...outside, declarations: lookup("3, 40000", "d, x[b, l]"), by: "adagrad(lr: 0.3)" }),
    ],
  ];
  test.each(texts)("%s", async (_, text) => {
    const { device } = await testDevice();
    for (const name of ["software", "integrated", "discrete"]) {
      const target = eager(targets[name]!);
      expect(stagesOf(text, { target })("simplified")).toMatch(/update .*table\[/);
      await compareTraining(text, device, { target });
    }
  });
  test("a small step in one launch", async () => {
    const { device, facts } = await testDevice();
    const text = model({ ...large, rows: 900, words: 3, batch: 4, by: "adagrad(lr: 0.3)" });
    await compareTraining(text, device, { target: { ...targetOf(facts), launchNs: 1e6 } });
  });
  test("a table that another train block has in a flat buffer", async () => {
    const { device } = await testDevice();
    const text = model({ ...large, by: "sgd(lr: 0.3)" });
    const both = `${text.replace("train fit", "train first").replace("sgd(lr: 0.3)", "adam(lr: 0.1)").replace("EmbeddingBag(v, 4, mode: sum)", "EmbeddingBag(v, 4, mode: sum) |> Linear(4)")}
train fit on bags(batch: 7, seed: 3, shuffle: false) { minimize mean((bag(x) - y) ^ 2) by sgd(lr: 0.3) steps: 4 }`;
    const target = eager(targets["software"]!);
    expect(stagesOf(both, { target })("simplified")).toMatch(/update .*table\[/);
    await compareTraining(both, device, { target, only: "fit" });
  });
});
describe("by price", () => {
  const of = { rows: 50_000, width: 64, words: 16, batch: 64 };
  const updates = (text: string, target: Target): boolean =>
    /update .*table\[/.test(stagesOf(text, { target })("simplified"));
  test.each(["software", "integrated", "discrete"])("a large table on %s devices, not a small one", (name) => {
    const target = targets[name]!;
    expect(updates(model({ ...of, by: "sgd(lr: 0.1)" }), target)).toBe(true);
    expect(updates(model({ ...of, by: "adagrad(lr: 0.1)" }), target)).toBe(true);
    expect(updates(model({ ...of, by: "adam(lr: 0.1)" }), target)).toBe(false);
    expect(updates(model({ ...of, rows: 500, by: "sgd(lr: 0.1)" }), target)).toBe(false);
  });
});
