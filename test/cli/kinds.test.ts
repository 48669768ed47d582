// What the page takes exports and fields for, by their types alone (compiler/cli/page/kinds.ts).
import { expect, test } from "vitest";
import { classifierOf, fieldsOf, kindOfField, useOf } from "../../compiler/cli/page/kinds.ts";
import { made } from "../model.ts";

/** The kinds of an export's inputs and outputs, and how it is asked. */
function shown(exported: string, fields = ""): string {
  const data = fields
    ? `data d {\n rows: 100\n ${fields}\n }\ntrain fit on d(batch: 4) { state n = 0.0\n next n = n + 1.0\n metric m = n\n steps: 2 }\n`
    : "";
  const { plan } = made(`${data}export fn f${exported}`, { views: true });
  const all = fieldsOf(plan);
  const use = useOf(plan.exports[0]!, all);
  const names = (ports: typeof use.inputs): string => ports.map((p) => p.kind.kind).join(", ");
  return `${names(use.inputs)} -> ${names(use.outputs)}: ${use.asked}`;
}

test.each([
  ["(x: f32[B, 28, 28]) -> f32[B, 10] = zeros[B, 10] + sum(x)", "", "picture -> scores: controls"],
  ["(x: f32[28, 28]) -> f32[10] = zeros[10] + sum(x)", "", "picture -> scores: controls"],
  ["(x: f32[B, 32, 24, 3]) -> f32[B] = sum(x, axis: [1, 2, 3])", "", "picture -> number: controls"],
  ["(x: f32[B, 12, 9, 1]) -> f32[B] = sum(x, axis: [1, 2, 3])", "", "picture -> number: controls"],
  ["(x: f32[B, 12, 9]) -> f32[B] = sum(x, axis: [1, 2])", "", "table -> number: controls"],
  ["(x: f32[B, 64]) -> f32[B, 64] = x", "field a: f32[64] = uniform[64]", "picture -> picture: controls"],
  [
    "(x: f32[B, 784]) -> i32[B] = argmax(x[:, 0..10], axis: -1)",
    "field a: f32[784] = uniform[784]",
    "picture -> class: controls",
  ],
  ["(z: f32[B, 49]) -> f32[B, 8, 8, 1] = reshape[B, 8, 8, 1](zeros[B, 64]) + z[0, 0]", "", "series -> picture: draw"],
  ["(z: f32[B, 5]) -> f32[B, 2] = z[:, 0..2]", "field a: f32[2] = uniform[2]", "vector -> point: draw"],
  ["(x: f32[B, 5]) -> f32[B, 2] = x[:, 0..2]", "field a: f32[5] = uniform[5]", "vector -> point: controls"],
  ["(p: f32[B, 2]) -> f32[B] = sum(p, axis: 1)", "", "point -> number: plane"],
  ["(a: f32[N], b: f32[N]) -> bool[N] = a > b", "", "number, number -> truth: plane"],
  ["(a: f32[N, 1], b: f32[N]) -> f32[N, 3] = zeros[N, 3] + sum(a) + sum(b)", "", "number, number -> scores: plane"],
  ["(x: f32[B, 1]) -> f32[B, 1] = x", "", "number -> number: line"],
  ["(x: f32[B]) -> f32[B, 40] = zeros[B, 40] + sum(x)", "", "number -> series: line"],
  ["(x: f32[B, 24]) -> f32[B, 24] = x", "field w: f32[24] = uniform[24]", "series -> series: controls"],
  ["(l: i32[B, 5] in 0..6) -> i32[B, 5] = for b, i: l[b, 4 - i]", "", "text -> text: controls"],
  ["(l: i32[B, T] in 0..6, n: i32[B] in 0..4) -> i32[B] = n", "", "text, class -> class: controls"],
  ["(l: i32[T] in 0..6) -> i32 = sum(l)", "field l: i32[9] in 0..6 = randint(0, 6)[9]", "text -> number: controls"],
  [
    "(l: i32[B] in 0..6) -> f32[B, 6] = zeros[B, 6] + f32(sum(l))",
    "field c: i32 in 0..6 = randint(0, 6)[]",
    "class -> scores: controls",
  ],
  ["(x: f32[B, 7, 5, 2]) -> f32[B, 7, 5, 2] = x", "", "table -> table: controls"],
  ["(temperature: f32 = 1) -> i32[8, 5] = categorical(zeros[8, 5, 4] / temperature)", "", " -> table: button"],
  ["() -> f32[30] = uniform[30]", "", " -> series: button"],
])("f%s", (exported, fields, expected) => expect(shown(exported, fields)).toBe(expected));

test("rows along another axis than the first, and a text that goes on", () => {
  const { plan } = made(`export fn write(ids: i32[B, 8] in 0..20) -> i32[30, B] = for t in 0..30, b: ids[b, t % 8]`);
  const use = useOf(plan.exports[0]!, []);
  expect(use.outputs.map((p) => [p.axis, p.shape, p.kind.kind])).toEqual([[1, [30], "text"]]);
});

test("a field that fits: of its type, its range, its shape; of its name where there are several; longer for a text", () => {
  const { plan } = made(
    `data d {
  rows: 50
  field a: f32[4] = uniform[4]
  field b: f32[4] = uniform[4]
  field ids: i32[9] in 0..12 = randint(0, 12)[9]
  field kind: i32 in 0..3 = randint(0, 3)[]
}
train fit on d(batch: 4) { state n = 0.0\n next n = n + 1.0\n metric m = n\n steps: 2 }
export fn f(b: f32[B, 4], other: f32[B, 4], ids: i32[B, 8] in 0..12, more: i32[B, T] in 0..13, k: i32[B] in 0..3, none: f32[B, 3]) -> f32[B, 3] = none`,
    { views: true },
  );
  const fields = fieldsOf(plan);
  const use = useOf(plan.exports[0]!, fields);
  expect(use.inputs.map((p) => p.field?.name)).toEqual(["b", "a", "ids", "ids", "kind", undefined]);
  expect(fields.map((f) => kindOfField(f, fields).kind)).toEqual(["vector", "vector", "text", "class"]);
  expect(classifierOf([use], fields)).toBeUndefined();
});

test("an export that classifies what the data have a label for", () => {
  const { plan } = made(
    `data d {
  rows: 50
  field x: f32[4] = uniform[4]
  field other: i32 in 0..5 = randint(0, 5)[]
  field kind: i32 in 0..3 = randint(0, 3)[]
}
train fit on d(batch: 4) { state n = 0.0\n next n = n + 1.0\n metric m = n\n steps: 2 }
export fn code(x: f32[B, 4]) -> f32[B, 2] = x[:, 0..2]
export fn f(x: f32[B, 4]) -> f32[B, 3] = softmax(x[:, 0..3])`,
    { views: true },
  );
  const fields = fieldsOf(plan);
  const found = classifierOf(
    plan.exports.map((x) => useOf(x, fields)),
    fields,
  );
  expect([found?.use.plan.name, found?.input.name, found?.label.name]).toEqual(["f", "x", "kind"]);
});
