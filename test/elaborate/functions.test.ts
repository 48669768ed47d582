// Functions as values: compared at compile time, and applied in a stack; and tensors that are one value.
import { expect, test } from "vitest";
import { analyse } from "../../compiler/front.ts";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { programOf } from "../graph/programs.ts";

/** The numbers that an export without inputs gives. */
const valueOf = (text: string): number[] => {
  const { program } = programOf(text).exports[0]!;
  return [...[...evaluate(program, new Map()).outputs.values()][0]!];
};
test("functions are equal that are the same function", () => {
  const text = (a: string, b: string, op = "=="): string => `fn twice(x: f32[...S]) -> f32[...S] = 2 * x
fn same(a: fn, b: fn) -> f32 = if a ${op} b then 1.0 else 0.0
export fn f() = same(${a}, ${b})`;
  expect(valueOf(text("max", "max"))).toEqual([1]);
  expect(valueOf(text("max", "sum"))).toEqual([0]);
  expect(valueOf(text("max", "sum", "!="))).toEqual([1]);
  expect(valueOf(text("twice", "twice"))).toEqual([1]);
  expect(valueOf(text("relu", "relu"))).toEqual([1]);
  expect(valueOf(text("relu", "twice"))).toEqual([0]);
  expect(valueOf(text("relu", "tanh"))).toEqual([0]);
  expect(valueOf(text("|x| x", "relu"))).toEqual([0]);
});
test("a function in a stack makes instances of its own at every position, and sees what is around it", () => {
  const paths = (use: string): string[] =>
    programOf(
      `model net(x: f32[B, 2], y: f32[B, 2]) = x |> ${use}\nexport fn f(x: f32[B, 2]) = net(x, x)`,
    ).parameters.map((p) => p.path);
  expect(paths("stack 2 of |z| Linear(2, bias: false)(z) + y")).toEqual(["net.linear.0.w", "net.linear.1.w"]);
  expect(paths("stack i in 1..3 of |z| z |> stack 2 of Linear(2, bias: false)")).toEqual([
    "net.linear.1.0.w",
    "net.linear.1.1.w",
    "net.linear.2.0.w",
    "net.linear.2.1.w",
  ]);
});
test("one value, or two", () => {
  const text = (call: string): string => `fn same(x: f32[N], y: f32[N] = x) -> f32 = if is_same(x, y) then 1.0 else 0.0
export fn f(a: f32[3], b: f32[3]) = ${call}`;
  const given = (call: string): number[] => {
    const { program } = programOf(text(call)).exports[0]!;
    const values = new Map(program.inputs.map((x) => [x, [1, 2, 3]]));
    return [...[...evaluate(program, values).outputs.values()][0]!];
  };
  expect(given("same(a)")).toEqual([1]);
  expect(given("same(a, a)")).toEqual([1]);
  expect(given("same(a, b)")).toEqual([0]);
  expect(analyse(text("same(a, 2 * a)")).diagnostics).toEqual([]);
});
