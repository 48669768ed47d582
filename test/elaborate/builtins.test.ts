// Functions below the library: what a call may give, where one name has several meanings.
import { expect, test } from "vitest";
import { evaluateNodes } from "../../compiler/evaluate/evaluate.ts";
import { analyse } from "../../compiler/front.ts";
import { topological } from "../../compiler/graph/node.ts";

const told = (text: string): string[] =>
  analyse(text).diagnostics.map((d) => [d.code, d.message, ...(d.notes ?? [])].join(" | "));

// of two by position it is elementwise, and takes no axis
test.each([
  ["max(x, x)", []],
  ["min(x, 1)", []],
  ["max(x, axis: 0)", []],
  ["max(x, x, axis: 0)", ["DLM2001 | there is no argument `axis` of max"]],
  ["max(x, y: 1)", ["DLM2001 | there is no argument `y` of max | known arguments: axis, keep"]],
  ["min(x, 0, 1)", ["DLM2007 | min takes its axis by name"]],
  ["min()", ["DLM2007 | min needs 1 argument, 0 are given"]],
  ["sum(x, 0)", ["DLM2007 | sum takes its axis by name"]],
])("%s", (call, expected) => expect(told(`export fn f(x: f32[3]) = ${call}`)).toEqual(expected));

test.each(["zeros", "ones", "normal", "uniform"])(
  "%s: with a shape, and by its name alone where parameters begin",
  (name) => {
    expect(told(`export fn f(x: f32[3]) = x + ${name}[3]`)).toEqual([]);
    const layer = `layer L()(x: f32[B, D]) {\n  param a: f32[D] ~ ${name}\n  return x + a\n}\n`;
    expect(told(`${layer}model net(x: f32[B, 3]) = x |> L()\nexport fn f(x: f32[2, 3]) = net(x)`)).toEqual([]);
  },
);

test.each([
  ["callable(relu)", 1],
  ["callable(zeros)", 1],
  ["callable(|v| v)", 1],
  ["callable(1)", 0],
  ["callable([1, 2])", 0],
  ["callable(x)", 0],
])("%s is known at compile time", (call, wanted) => {
  const { program } = analyse(`fn g(x: f32[3]) = if ${call} then 1.0 else 0.0\nexport fn f(x: f32[3]) = x + g(x)`);
  const { node } = program!.exports[0]!.program.outputs[0]!;
  const [got] = evaluateNodes([node], new Map([[program!.exports[0]!.program.inputs[0]!, [0, 0, 0]]]));
  expect([...got!]).toEqual([wanted, wanted, wanted]);
});
test.each([
  ["move_axis(x, 0, -1)", [3, 4, 2]],
  ["move_axis(x, -1, 0)", [4, 2, 3]],
  ["move_axis(x, 1, 1)", [2, 3, 4]],
  ["move_axis(x, 2, 1)", [2, 4, 3]],
])("%s", (call, shape) => {
  const { program } = analyse(`export fn f(x: f32[2, 3, 4]) = ${call}`);
  expect(program!.exports[0]!.program.outputs[0]!.node.shape).toEqual(shape);
});
test("move_axis of an axis that there is not", () => {
  expect(told("export fn f(x: f32[2, 3]) = move_axis(x, 0, 2)")[0]).toContain("2");
});
test("a name of the library by const is the layer itself, its path too", () => {
  const { program } = analyse(
    "model net(x: f32[B, 4, 4, 2]) = x |> BatchNorm2d()\nexport fn f(x: f32[B, 4, 4, 2]) = net(x)",
  );
  expect(program!.parameters.map((p) => p.path)).toEqual(["net.batch_norm.g", "net.batch_norm.b"]);
});
test("a layer says its fans, and initialisers of all of its parameters take them", () => {
  const layer =
    "layer L()(x: f32[B, D]) {\n  let fan_in = 16\n  param a: f32[D] ~ linear_default()\n  return x + a\n}\n";
  const { program } = analyse(`${layer}model net(x: f32[B, 3]) = x |> L()\nexport fn f(x: f32[B, 3]) = net(x)`);
  const { initial } = program!.parameters[0]!;
  const seed = topological([initial]).find((x) => x.kind === "source")!;
  const [got] = evaluateNodes([initial], new Map([[seed, [7]]]));
  expect(Math.max(...got!.map(Math.abs))).toBeLessThan(0.25);
});
