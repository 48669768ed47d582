// Texts as rows through a model: windows with a stride, padded lines, and a sample of a split that training measures.
import { expect, test } from "vitest";
import type { TrainEvent } from "../../runtime/api.ts";
import { made, withModel } from "../model.ts";

const text = Array.from({ length: 40 }, (_, i) => "abcdefghij"[i % 10]).join("");
const net = `model net(x: f32[B]) -> f32[B] {
  param w: f32 ~ zeros
  return x - w
}`;
const reading = { read: async () => new TextEncoder().encode(text) };

test("windows with a stride: only those places are rows, in training and in evaluation", async () => {
  const model = made(`${net}
    data book {
      field window: i32[4] in 0..10 = chars("book.txt", window: 4, stride: 4)
      holdout valid = 0.25
    }
    train fit on book(batch: 7, seed: 1) {
      minimize mean(net(f32(window[:, 0]))^2) by sgd(lr: 0.1)
      metric first = sum(f32(window[:, 0]))
      metric last = max(f32(window[:, 3]))
      epochs: 2
    }`);
  await withModel(
    model,
    async (m) => {
      // 30 characters to train on, of which windows at 0, 4, ... 24 lie inside; 10 held out: windows at 30, 34
      expect(m.data["book"]).toMatchObject({ rows: 37, splits: { train: 7, valid: 2 } });
      const { step } = await m.train();
      expect(step).toBe(2);
      expect(await m.evaluate("fit", "train")).toMatchObject({ first: 0 + 4 + 8 + 2 + 6 + 0 + 4, last: 9 });
      expect(await m.evaluate("fit", "valid")).toMatchObject({ first: 0 + 4, last: 7 });
    },
    reading,
  );
});
test("two strides in one block are an error with both", () => {
  expect(() =>
    made(`
    data book {
      field a: i32[4] = chars("a.txt", window: 4, stride: 4)
      field b: i32[4] = chars("b.txt", window: 4, stride: 2)
    }`),
  ).toThrow("moves windows by a stride of 4 and of 2");
});
test.each([
  ["chars", "", "needs window: or pad:"],
  ["chars", ", window: 4, pad: 4", "takes one of window: and pad:"],
  ["chars", ", pad: 4, stride: 2", "takes stride: with window: only"],
  ["words", ", window: 4, longer: cut", "takes longer: with pad: only"],
  ["words", ", pad: 4, most: 2", "needs most: a whole number, 3 or more"],
  ["tokens", ", pad: 0", "needs pad: a whole number, 1 or more"],
  ["tokens", ", pad: 4, longer: 3", "longer: cut"],
])("%s(%s): %s", (loader, rest, message) => {
  expect(() => made(`data book { field a: i32[4] = ${loader}("a.txt"${rest}) }`)).toThrow(message);
});

test("lines of a text and their lengths, of words too", async () => {
  const model = made(
    `${net}
    data names {
      field name: i32[5] in 0..27 = chars("names.txt", pad: 5)
      field length: i32 in 1..6 = char_count("names.txt", pad: 5)
      field said: i32[2] in 0..9 = words("names.txt", pad: 2)
    }
    train fit on names(batch: all) {
      minimize mean(net(f32(length))^2) by sgd(lr: 0.1)
      metric numbers = sum(f32(name))
      metric lengths = sum(f32(length))
      metric said = max(f32(said))
      steps: 1
    }`,
    { rows: { names: 3 } },
  );
  await withModel(
    model,
    async (m) => {
      expect(m.data["names"]!.classes).toEqual({
        "names.name": ["", "a", "b", "d", "e", "m"],
        "names.said": ["", "\ufffd", "abe", "ada", "emma"],
      });
      expect(await m.evaluate("fit", "train")).toMatchObject({
        numbers: 1 + 3 + 1 + 4 + 5 + 5 + 1 + 1 + 2 + 4,
        lengths: 10,
        said: 4,
      });
    },
    { read: async () => new TextEncoder().encode("ada\nemma\nabe\n") },
  );
});

test("training measures a sample of a split: the same rows every time, and says of how many", async () => {
  const model = made(`${net}
    data line {
      rows: 1000
      field x: f32 = f32(row)
      holdout valid = 0.5
    }
    train fit on line(batch: 10, seed: 4) {
      minimize mean(net(x)^2) by sgd(lr: 0)
      metric total = sum(x)
      metric rows = sum(0 * x + 1)
      steps: 6
      evaluate: 2
      sample: 100
    }`);
  await withModel(model, async (m) => {
    const events: TrainEvent[] = [];
    await m.train("fit", { onProgress: (e) => void events.push(e) });
    const seen = events.flatMap((e) => (e.kind === "evaluation" ? [e] : []));
    expect(seen.map((e) => [e.split, e.rows, e.of, e.values["rows"]])).toEqual(Array(3).fill(["valid", 100, 500, 100]));
    expect(new Set(seen.map((e) => e.values["total"])).size).toBe(1);
    const whole = (await m.evaluate("fit", "valid"))["rows"];
    expect(whole).toBe(500);
    // evaluations that overlap wait for each other
    const both = await Promise.all([m.evaluate("fit", "valid"), m.evaluate("fit", "train")]);
    expect(both.map((v) => v["rows"])).toEqual([500, 500]);
    expect(both[0]!["total"]).not.toBe(both[1]!["total"]);
  });
});
