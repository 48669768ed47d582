// The fields of rows, for whoever shows data: computed as a train block sees them, in every split, of data held out by name, of text, and streamed.
import { expect, test } from "vitest";
import { made, withModel } from "../model.ts";

const table = (rows: readonly (readonly number[])[]): Uint8Array =>
  new TextEncoder().encode(rows.map((row) => row.join(",")).join("\n") + "\n");
const rows = Array.from({ length: 20 }, (_, i) => [i, 2 * i, i % 3]);
const read = (path: string): Promise<Uint8Array> =>
  Promise.resolve(
    path === "t.txt"
      ? new TextEncoder().encode("abcabcabd".repeat(4))
      : table(path === "other.csv" ? [[100, 7, 2]] : rows),
  );
const text = (more = ""): string => `data d {
  field x: f32[2] = csv("d.csv", columns: 0..2) / 4
  field kind: i32 in 0..3 = csv("d.csv", column: 2)
  field turned: f32[2, 1] = reshape[2, 1](x) + 1
  holdout test = 0.25
  ${more}
}
model net(x: f32[B, 2]) -> f32[B, 3] = x |> Linear(3)
train fit on d(batch: 4) { minimize cross_entropy(net(x), kind) + 0 * sum(turned) by sgd(lr: 0.1)
  steps: 4 }
export fn predict(x: f32[B, 2]) -> i32[B] = argmax(net(x), axis: -1)`;

test("a plan has the program where it is asked for, and not else", () => {
  expect(made(text()).plan.datasets[0]!.view).toBeUndefined();
  const { view } = made(text(), { views: true }).plan.datasets[0]!;
  expect(view!.fields.map(({ name, dtype, range }) => [name, dtype, range])).toEqual([
    ["x", "f32", undefined],
    ["kind", "i32", [0, 3]],
    ["turned", "f32", undefined],
  ]);
});

test("ranges are those that fields declare, whatever their formula is", () => {
  const { view } = made(
    `data d {
  rows: 20
  field n: i32 in 1..5 = randint(1, 5)[]
  field letters: i32[6] in 0..9 = for i: where(i < n, i + n, 0)
  field any: i32 = randint(0, 4)[]
}
train fit on d(batch: 2) { state s = 0\n next s = s + sum(n) + sum(letters) + sum(any)\n metric m = s\n steps: 2 }`,
    { views: true },
  ).plan.datasets[0]!;
  expect(view!.fields.map(({ name, range }) => [name, range])).toEqual([
    ["n", [1, 5]],
    ["letters", [0, 9]],
    ["any", [0, 4]],
  ]);
});

test.each([
  ["resident", {}],
  ["streamed", { residentBytes: 64 }],
])("fields of both splits, %s, also while it trains", async (_, options) => {
  const check = async (of: (split: string, at: number[]) => Promise<Record<string, { data: ArrayLike<number> }>>) => {
    for (const split of ["train", "test"]) {
      const { x, kind, turned } = await of(split, [3, 0]);
      for (const i of [0, 1]) {
        const row = x!.data[2 * i]! * 4;
        expect(x!.data[2 * i + 1]).toBe((2 * row) / 4);
        expect(kind!.data[i]).toBe(row % 3);
        expect(turned!.data[2 * i]).toBe(row / 4 + 1);
      }
    }
  };
  await withModel(
    made(text(), { views: true }),
    async (model) => {
      const of = (split: string, at: number[]) => model.rows("d", split, at);
      await check(of);
      const trained = model.train("fit", { steps: 200 });
      for (let i = 0; i < 5; i++) await check(of);
      await trained;
      const parts = await Promise.all([
        model.rows(
          "d",
          "train",
          Array.from({ length: 4 }, (_, i) => i),
        ),
        model.rows("d", "test", [0, 1, 2, 3, 4]),
      ]);
      expect(parts[0]["x"]!.shape).toEqual([4, 2]);
      expect(new Set([...parts[0]["x"]!.data, ...parts[1]["x"]!.data]).size).toBeGreaterThan(9);
      await expect(model.rows("d", "test", [5])).rejects.toThrow("test of d has 5 rows, and no row 5");
      await expect(model.rows("d", "valid", [0])).rejects.toThrow("no split valid of d");
      await expect(model.rows("e", "test", [0])).rejects.toThrow("no data e");
    },
    { read, ...options },
  );
});

test("rows of data held out by name, and of text", async () => {
  const other = text("holdout more = other").replace(
    "model net",
    `data other {
  field x: f32[2] = csv("other.csv", columns: 0..2) / 4
  field kind: i32 in 0..3 = csv("other.csv", column: 2)
  field turned: f32[2, 1] = reshape[2, 1](x) + 1
}
model net`,
  );
  await withModel(
    made(other, { views: true }),
    async (model) => {
      const { x, turned } = await model.rows("d", "more", [0]);
      expect([...x!.data, ...turned!.data]).toEqual([25, 1.75, 26, 2.75]);
    },
    { read },
  );
  const windows = `data t { field ids: i32[4] in 0..4 = chars("t.txt", window: 4)\n holdout end = 0.3 }
model net(ids: i32[B, 4] in 0..4) -> f32[B, 4] = mean(Embedding(4, 4)(ids), axis: 1)
train fit on t(batch: 2) { minimize cross_entropy(net(ids), ids[:, 0]) by sgd(lr: 0.1)\n steps: 2 }`;
  await withModel(
    made(windows, { views: true }),
    async (model) => {
      const letters = model.data["t"]!.classes["t.ids"]!;
      const { ids } = await model.rows("t", "train", [1, 5]);
      expect(Array.from(ids!.data, (n) => letters[n]).join("")).toBe("bcabcabd");
    },
    { read },
  );
});
