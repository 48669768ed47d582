// Compiled models through the runtime: what needs a compiler to be said. Data of every kind, the same bits again, streamed and resumed.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { load, RuntimeProblem } from "../../runtime/index.ts";
import type { LoadOptions, Model, Plan } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";

const planOf = (text: string): Plan => {
  const { plan, diagnostics } = compile(text, { name: "model.dlm" });
  expect(diagnostics.filter((d) => d.severity === "error").map((d) => d.message)).toEqual([]);
  return JSON.parse(JSON.stringify(plan)) as Plan; // as it is written and read
};
const open = async (
  plan: Plan,
  files: Readonly<Record<string, string>> = {},
  options: Partial<LoadOptions> = {},
): Promise<Model> =>
  load(plan, {
    device: (await testDevice()).device,
    read: async (path) =>
      files[path] === undefined
        ? new Uint8Array(await readFile(`examples/${path}`))
        : new TextEncoder().encode(files[path]),
    ...options,
  });
const bits = async (model: Model): Promise<string> => Buffer.from(await model.checkpoint()).toString("base64");

test("digits: the same bits after 200 steps, streamed, and interrupted and resumed", async () => {
  const plan = planOf(await readFile("examples/digits.dlm", "utf8"));
  const first = await open(plan);
  await first.train("fit", { stopAfter: 200 });
  const end = await bits(first);
  const streamed = await open(plan, {}, { residentBytes: 1000 });
  await streamed.train("fit", { stopAfter: 77 });
  const resumed = await open(plan, {}, { seed: 99 });
  await resumed.restore(await streamed.checkpoint());
  await resumed.train("fit", { stopAfter: 123 });
  expect((await bits(resumed)) === end).toBe(true);
  // streamed rows are measured as resident ones are
  await streamed.restore(await first.checkpoint());
  expect(await streamed.evaluate("fit", "test")).toEqual(await first.evaluate("fit", "test"));
  expect((await first.evaluate("fit", "test"))["acc"]).toBeGreaterThan(0.9);
  for (const m of [first, streamed, resumed]) m.close();
});

const words = `
data text {
  field ids: i32[5] in 0..4 = chars("text", window: 5)
  holdout valid = 0.25
}
model follow(ids: i32[B, T] in 0..4) -> f32[B, T, 4] = ids |> Embedding(4, 4)
train lm on text(batch: 8, seed: 2) {
  minimize cross_entropy(follow(ids[:, 0..-1]), ids[:, 1..5]) by adam(lr: 0.2)
  steps: 60
}
export fn logits(ids: i32[B, T] in 0..4) -> f32[B, T, 4] = follow(ids)
`;
test("text in windows, resident and streamed", async () => {
  const files = { text: "abcd".repeat(50) };
  const plan = planOf(words);
  const [resident, streamed] = [await open(plan, files), await open(plan, files, { residentBytes: 16 })];
  // 200 characters: 50 at the end are kept apart, windows over the border are left out
  expect(resident.data["text"]).toEqual({
    rows: 196,
    splits: { train: 146, valid: 46 },
    classes: { "text.ids": ["a", "b", "c", "d"] },
  });
  const [a, b] = [await resident.train(), await streamed.train()];
  expect(a.measured["valid"]!["loss"]).toBeLessThan(0.05);
  expect(b.measured).toEqual(a.measured);
  expect((await bits(streamed)) === (await bits(resident))).toBe(true);
  const { logits } = await resident.run("logits", { ids: [[0, 3]] });
  const best = [0, 1].map((t) =>
    [0, 1, 2, 3].reduce((i, k) => (logits!.data[4 * t + k]! > logits!.data[4 * t + i]! ? k : i), 0),
  );
  expect(best).toEqual([1, 0]);
  await expect(open(plan, { text: "abcde".repeat(9) })).rejects.toThrow("text has 5 different characters");
  resident.close();
  streamed.close();
});

const species = (more: string): string => `
data flowers {
  field x: f32[2] = csv("a.csv", columns: ["u", "v"])
  field y: i32 in 0..3 = csv("a.csv", column: "kind")
  holdout test = others
}
data others {
  field x: f32[2] = csv("b.csv", columns: ["u", "v"])
  field y: i32 in 0..3 = csv("b.csv", column: "kind")
}
model net(x: f32[B, 2]) -> f32[B, 3] = x |> Standardise(flowers.x) |> Linear(3)
train fit on flowers(batch: 6, seed: 2) {
  let z = net(x)
  minimize cross_entropy(z, y) by adam(lr: 0.3)
  metric acc = accuracy(z, y)
  metric table = confusion(argmax(z, axis: -1), y, 3)
  epochs: 20
  ${more}
}
export fn kind(x: f32[B, 2]) -> i32[B] = argmax(net(x), axis: -1)
`;
const rows = (n: number, from = 0): string =>
  [
    "kind,u,v",
    ...Array.from(
      { length: n },
      (_, k) =>
        ["rose", "iris", "tulip"][(k + from) % 3]! +
        `,${100 + 10 * ((k + from) % 3) + (k % 4)},${[0, 5, 0][(k + from) % 3]! + (k % 5) / 5}`,
    ),
  ].join("\n");
test("classes by name, other data as the holdout, whole training columns", async () => {
  const files = { "a.csv": rows(31), "b.csv": rows(10, 1) };
  const model = await open(planOf(species("")), files);
  expect(model.data["flowers"]).toEqual({
    rows: 31,
    splits: { train: 31, test: 10 },
    classes: { "flowers.y": ["iris", "rose", "tulip"] },
  });
  const result = await model.train();
  expect(result).toMatchObject({ reason: "finished", step: Math.ceil((20 * 31) / 6) });
  const { acc, table } = result.measured["test"] as unknown as { acc: number; table: { data: Int32Array } };
  expect(acc).toBe(1);
  expect([...table.data].reduce((sum, n) => sum + n)).toBe(10);
  // standardised by the training rows, not by those of the holdout
  const u = rows(31)
    .split("\n")
    .slice(1)
    .map((line) => Number(line.split(",")[1]));
  const state = Object.entries(await model.parameters({ all: true })).find(([name]) =>
    name.endsWith("standardise.mu"),
  )![1];
  expect(state.data[0]).toBeCloseTo(u.reduce((a, b) => a + b) / 31, 3);
  const { kind } = await model.run("kind", {
    x: [
      [100, 0],
      [110, 5],
      [120, 0],
    ],
  });
  expect([...kind!.data].map((k) => model.data["flowers"]!.classes["flowers.y"]![k])).toEqual([
    "rose",
    "iris",
    "tulip",
  ]);
  model.close();
  await expect(open(planOf(species("")), { ...files, "b.csv": rows(10).replace("tulip", "daisy") })).rejects.toThrow(
    'b.csv, line 4, column "kind": the class "daisy" does not occur in the data before',
  );
  await expect(open(planOf(species("")), { ...files, "b.csv": "u,v\n1,2\n" })).rejects.toThrow(
    'b.csv has no column "kind"',
  );
  await expect(
    open(planOf(species("")), files, { read: async () => Promise.reject(new RuntimeProblem("it is not here")) }),
  ).rejects.toThrow("it is not here");
});
