// Functions with a helper in kernels that write a loop out many times: drivers take the branches of inlined helpers apart, one in the other, and some never
// came back. Helpers choose by `select`, not by branches.
import { expect, test } from "vitest";
import { namedFunctions } from "../../compiler/scalar/table.ts";
import { valuesOf } from "./values.ts";

const rows = [...namedFunctions.values()].filter(
  (row) => row.helpers?.length && row.operands.every((o) => o === "f32"),
);
const operand = (row: (typeof rows)[number], i: number): string => {
  const [low, high] = row.sample[i]!;
  return row.operands.length > 1 && row.name === "polygamma" && i === 0 ? "1" : `(${low} + ${high - low} * a)`;
};
test.each([
  ...rows.map((row) => `${row.name}(${row.operands.map((_, i) => operand(row, i)).join(", ")})`),
  "a % 0.3",
  "floor(a / 0.3)",
  "where(a / 0.3 >= 0.21, a, 0.5 * a)",
  "f32(i32(9 * a) % 7)",
])("%s over a run-time length", async (formula) => {
  const { device, evaluator } = await valuesOf(
    `export fn f(a: f32[2, B]) = (max(${formula}, axis: 1), sum(${formula}, axis: 1))`,
    {
      a: [
        [0.1, 0.4, 0.9],
        [0.2, 0.3, 0.8],
      ],
    },
  );
  device
    .flat()
    .forEach((v, i) => expect(Math.abs(v - evaluator.flat()[i]!)).toBeLessThan(1e-4 * Math.max(1, Math.abs(v))));
});
