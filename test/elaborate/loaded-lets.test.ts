// A `let` of a data block that reads files: what fields see of it. In: blocks with and without lets. Out: the same rows, or what is wrong.
import { expect, test } from "vitest";
import { analyse } from "../../compiler/front.ts";
import { made, withModel } from "../model.ts";

const read = (): Promise<Uint8Array> => Promise.resolve(new TextEncoder().encode("1,2,0\n3,4,2\n5,6,1\n7,9,2\n"));
const program = (lines: string): string => `data d {
  ${lines}
}
train fit on d(batch: 4, shuffle: false) {
  let place = for b in 0..batch: 16.0^f32(b)
  metric left = dot(x[:, 0], place)
  metric right = dot(x[:, 1], place)
  metric classes = dot(f32(y), place)
  steps: 1
}`;
const rows = async (lines: string): Promise<unknown> => {
  let found: Readonly<Record<string, number>> = {};
  await withModel(
    made(program(lines)),
    async (model) => {
      found = (await model.train("fit")).metrics;
    },
    { read },
  );
  return found;
};
const plain = `field x: f32[2] = csv("a.csv", columns: 0..2) / 4
  field y: i32 in 0..3 = csv("a.csv", column: 2)`;

test.each([
  `let raw = csv("a.csv", columns: 0..2)
  field x: f32[2] = raw / 4
  field y: i32 in 0..3 = csv("a.csv", column: 2)`,
  `let raw = csv("a.csv", columns: 0..2) / 2
  let half = raw / 2
  let class = csv("a.csv", column: 2)
  field x: f32[2] = half
  field y: i32 in 0..3 = class`,
  `let raw: f32[2] = csv("a.csv", columns: 0..2)
  let class: i32 in 0..3 = csv("a.csv", column: 2)
  field x: f32[2] = for i: raw[i] / 4
  field y: i32 in 0..3 = class`,
  `let all: f32[3] = csv("a.csv", columns: 0..3)
  field x: f32[2] = all[0..2] / 4
  field y: i32 in 0..3 = i32(all[2])`,
])("the same rows: %s", async (lines) => {
  const found = await rows(lines);
  expect(found).toEqual(await rows(plain));
  expect(found).toMatchObject({ classes: 2 * 16 + 256 + 2 * 4096 });
});
test.each([
  ['let t: i32 in 0..3 = csv("a.csv", column: 2) - 1', "DLM2010"],
  ['let t: f32[3] = csv("a.csv", columns: 0..2)', "DLM2003"],
  ['let t = csv("a.csv", column: 2) let t = 1', "DLM2002"],
  ['let (t, u) = csv("a.csv", columns: 0..2)', "DLM2006"],
])("%s", (line, code) => {
  const { diagnostics } = analyse(program(`${line}\n  ${plain}`), { name: "d.dlm" });
  expect(diagnostics.map((d) => d.code)).toContain(code);
});
