// The padding row of an embedding: zeros from the start, and zeros after any training, whatever decays, penalises or averages the table.
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";
import { errorsOf } from "./values.ts";
import { expectNear, expectTraining, trained } from "./trained.ts";

const file = (embedding: string, by = "sgd(lr: 0.1)", more = "", loss = "mse(net(ids), y)"): string => `
data d {
  rows: 6
  field ids: i32[3] in 0..5 = [row % 5, (row * 2) % 5, 0]
  field y: f32[2] = [f32(row), 1.0]
}
model net(ids: i32[B, T] in 0..5) -> f32[B, 2] = ids |> ${embedding} |> sum(axis: 1)
train fit on d(batch: 6, shuffle: false) { minimize ${loss} by ${by}
${more}
steps: 4 }`;
const table = (t: Readonly<Record<string, readonly number[]>>): readonly number[] => t["net.embedding.table"]!;
const row = (t: readonly number[], r: number): number[] => t.slice(2 * r, 2 * r + 2).map((x) => x + 0);

describe("the padding row is zero before and after", () => {
  test.each([
    ["sgd(lr: 0.1, momentum: 0.9, decay: 0.1)"],
    ["adam(lr: 0.1)"],
    ["adam(lr: 0.1, decay: 0.1)"],
    ["adamw(lr: 0.1, decay: 0.5)"],
    ["rmsprop(lr: 0.1)"],
    ["clip_norm(0.1) >> adamw(lr: 0.1)"],
  ])("%s", async (by) => {
    for (const [index, at] of [
      ["0", 0],
      ["3", 3],
      ["-1", 4],
      ["-5", 0],
    ] as const) {
      const { first, held } = await trained(file(`Embedding(5, 2, padding_idx: ${index})`, by));
      expect(row(table(first), at)).toEqual([0, 0]);
      expect(row(table(held), at)).toEqual([0, 0]);
      for (const r of [0, 1, 2, 3, 4]) if (r !== at) expect(row(table(held), r)).not.toEqual(row(table(first), r));
    }
  });
  test("with a penalty and with smoothed weights", async () => {
    const { held } = await trained(
      file(
        "Embedding(5, 2, padding_idx: 0)",
        "adamw(lr: 0.1)",
        "state ema = net\nnext ema = 0.5 * ema + 0.5 * net",
        "mse(net(ids), y) + 0.1 * l2(net) + 0.1 * l1_penalty(net)",
      ),
    );
    expect(row(table(held), 0)).toEqual([0, 0]);
    expect(row(held["fit.ema.net.embedding.table"]!, 0)).toEqual([0, 0]);
  });
  test.each([
    ["ones", [1, 1]],
    ["0.25", [0.25, 0.25]],
    ["[[5, 5], [1, 2], [3, 4], [5, 6], [7, 8]]", [1, 2]],
  ] as const)("begun as %s", async (weights, want) => {
    const { first } = await trained(file(`Embedding(5, 2, padding_idx: 0, weights: ${weights})`));
    expect(row(table(first), 0)).toEqual([0, 0]);
    expectNear(row(table(first), 1), want, "row 1");
  });
  test("every other row begins as it does without padding, and without it none is zero", async () => {
    const plain = table((await trained(file("Embedding(5, 2)"))).first);
    const padded = table((await trained(file("Embedding(5, 2, padding_idx: 2)"))).first);
    for (const r of [0, 1, 3, 4]) expect(row(padded, r)).toEqual(row(plain, r));
    expect(row(padded, 2)).toEqual([0, 0]);
    expect(plain.every((x) => x !== 0)).toBe(true);
    for (const weights of ["glorot_uniform()", "2 * glorot_uniform", "normal"])
      expect(
        row(
          table(
            (
              await trained(
                file(
                  `Embedding(5, 2, padding_idx: 2, weights: ${weights.replace("2 * glorot_uniform", "2 * glorot_uniform()")})`,
                ),
              )
            ).first,
          ),
          2,
        ),
      ).toEqual([0, 0]);
  });
});
test("two steps against plain arithmetic, the row tied to the output", async () => {
  // the row is read as zeros, its gradient comes from the output side alone, as in PyTorch
  const text = file(
    "Embedding(5, 2, padding_idx: 0, weights: [[9, 9], [1, 2], [3, 4], [5, 6], [7, 8]])",
    "sgd(lr: 0.001)",
    "",
    "mse(net(ids), y) + mean(net(ids) @ transpose(net.embedding.table))",
  ).replace("steps: 4", "steps: 2");
  let t = [
    [0, 0],
    [1, 2],
    [3, 4],
    [5, 6],
    [7, 8],
  ];
  const losses: number[] = [];
  for (let k = 0; k < 2; k++) {
    const ids = [0, 1, 2, 3, 4, 5].map((r) => [r % 5, (r * 2) % 5, 0]);
    const out = ids.map((own) => [0, 1].map((d) => own.reduce((s, i) => s + t[i]![d]!, 0)));
    const want = [0, 1, 2, 3, 4, 5].map((r) => [r, 1]);
    const g = t.map(() => [0, 0]);
    let loss = 0;
    out.forEach((o, b) => {
      const go = [0, 1].map((d) => (2 * (o[d]! - want[b]![d]!)) / 12 + t.reduce((s, v) => s + v[d]!, 0) / 30);
      for (const d of [0, 1]) {
        loss += (o[d]! - want[b]![d]!) ** 2 / 12 + (o[d]! * t.reduce((s, v) => s + v[d]!, 0)) / 30;
        for (const i of ids[b]!) if (i !== 0) g[i]![d]! += go[d]!;
        for (const v of g) v[d]! += o[d]! / 30;
      }
    });
    losses.push(loss);
    t = t.map((v, i) => v.map((x, d) => x - 0.001 * g[i]![d]!));
  }
  await expectTraining(text, { loss: losses }, { "net.embedding.table": t.flat() });
});
test("what a checkpoint holds goes before the zeros", async () => {
  const { plan } = compile(file("Embedding(5, 2, padding_idx: 0)", "adamw(lr: 0.1)"), { name: "test.dlm" });
  const { device } = await testDevice();
  const model = await load(plan!, { device });
  await model.train("fit", { stopAfter: 2 });
  const half = await model.checkpoint();
  await model.train("fit");
  const whole = Array.from((await model.parameters())["net.embedding.table"]!.data);
  await model.restore(half);
  await model.train("fit");
  expect(Array.from((await model.parameters())["net.embedding.table"]!.data)).toEqual(whole);
  model.close();
});
test("a row that is not there is an error", () => {
  for (const index of ["7", "-6"])
    expect(errorsOf(file(`Embedding(5, 2, padding_idx: ${index})`))).toEqual(["DLM2009"]);
});
