// Facts about sizes: nodes of a forward graph and of its derivative, before and after simplification; growth with depth is linear.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { topological } from "../../compiler/graph/node.ts";
import { scalarOrder } from "../../compiler/graph/scalar.ts";
import type { GraphProgram, Node, Scalar } from "../../compiler/graph/types.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import { programOf } from "../graph/programs.ts";

interface Size {
  readonly nodes: number;
  readonly reductions: number;
  readonly scalars: number;
}
function sizeOf(p: GraphProgram): Size {
  const nodes = topological(p.outputs.map((o) => o.node)).filter((x: Node) => x.kind !== "source");
  const scalars = new Set<Scalar>();
  for (const x of nodes)
    if (x.kind === "compute")
      for (const e of scalarOrder([x.body], (y) => (scalars.has(y) ? [] : [...operands(y)]))) scalars.add(e);
  return {
    nodes: nodes.length,
    reductions: nodes.filter((x) => x.kind === "compute" && x.reduction).length,
    scalars: scalars.size,
  };
}
const operands = (e: Scalar): readonly Scalar[] =>
  "operands" in e ? e.operands : e.kind === "select" ? [e.condition, e.then, e.otherwise] : [];
/** Sizes of the exports `loss` and `gradient`, simplified. */
function sizes(text: string): Record<string, Size> {
  return Object.fromEntries(programOf(text).exports.map((e) => [e.name, sizeOf(simplify(e.program))]));
}
const exportsOf = (arguments_: string, loss: string, wrt = "net", second = ""): string =>
  `export fn loss(${arguments_}) = ${loss}\nexport fn gradient(${arguments_}) = grad(${loss}, wrt: ${wrt})\n${second}`;

test("a perceptron of three layers with cross entropy", () => {
  const text = `model net(x: f32[16, 8]) = x |> Linear(32) |> relu |> Linear(32) |> relu |> Linear(10)\n${exportsOf("x: f32[16, 8], y: i32[16] in 0..10", "cross_entropy(net(x), y)")}`;
  expect(sizes(text)).toMatchInlineSnapshot(`
    {
      "gradient": {
        "nodes": 27,
        "reductions": 13,
        "scalars": 65,
      },
      "loss": {
        "nodes": 19,
        "reductions": 6,
        "scalars": 43,
      },
    }
  `);
});
test("a convolutional net with strides and overlapping pools, two orders", () => {
  const layers =
    "x |> Conv2d(4, stride: 2, pad: 1) |> BatchNorm() |> relu |> MaxPool2d(3, stride: 2) |> flatten |> Linear(10)";
  const second =
    "export fn second(x: f32[2, 17, 17, 1], y: i32[2] in 0..10) {\n  let g = grad(cross_entropy(net(x), y), wrt: x)\n  return grad(sum(g^2), wrt: net)\n}\n";
  expect(
    sizes(
      `model net(x: f32[2, 17, 17, 1]) = ${layers}\n${exportsOf("x: f32[2, 17, 17, 1], y: i32[2] in 0..10", "cross_entropy(net(x), y)", "net", second)}`,
    ),
  ).toMatchInlineSnapshot(`
    {
      "gradient": {
        "nodes": 35,
        "reductions": 14,
        "scalars": 84,
      },
      "loss": {
        "nodes": 25,
        "reductions": 6,
        "scalars": 52,
      },
      "second": {
        "nodes": 61,
        "reductions": 24,
        "scalars": 150,
      },
    }
  `);
});
const gpt = readFileSync(new URL("../../examples/gpt_chars.dlm", import.meta.url), "utf8").split("train lm")[0]!;
const depth = (n: number): Record<string, Size> =>
  sizes(
    `${gpt.replace("stack 4 of", `stack ${n} of`)}\n${exportsOf("ids: i32[2, 8] in 0..vocab, y: i32[2, 8] in 0..vocab", "cross_entropy(gpt(ids), y)", "gpt")}`,
  );
test("a transformer grows linearly", () => {
  const [two, four, eight] = [depth(2), depth(4), depth(8)];
  for (const name of ["loss", "gradient"])
    for (const what of ["nodes", "reductions"] as const)
      expect(eight[name]![what] - four[name]![what]).toBe(2 * (four[name]![what] - two[name]![what]));
  const block = (name: string): Record<string, number> => ({
    nodes: (four[name]!.nodes - two[name]!.nodes) / 2,
    reductions: (four[name]!.reductions - two[name]!.reductions) / 2,
  });
  expect({ forward: block("loss"), both: block("gradient") }).toMatchInlineSnapshot(`
    {
      "both": {
        "nodes": 103,
        "reductions": 36,
      },
      "forward": {
        "nodes": 49,
        "reductions": 12,
      },
    }
  `);
});
test("an LSTM and its second order", () => {
  const lstm = readFileSync(new URL("../../examples/lstm_chars.dlm", import.meta.url), "utf8").match(
    /layer LSTM[\s\S]*?\n}\n/,
  )![0];
  const second =
    "export fn second(x: f32[2, 5, 3]) {\n  let g = grad(sum(net(x)^2), wrt: x)\n  return grad(sum(g^2), wrt: net)\n}\n";
  expect(
    sizes(
      `${lstm}model net(x: f32[2, 5, 3]) = x |> LSTM(4)\n${exportsOf("x: f32[2, 5, 3]", "sum(net(x)^2)", "net", second)}`,
    ),
  ).toMatchInlineSnapshot(`
    {
      "gradient": {
        "nodes": 46,
        "reductions": 6,
        "scalars": 114,
      },
      "loss": {
        "nodes": 17,
        "reductions": 3,
        "scalars": 38,
      },
      "second": {
        "nodes": 126,
        "reductions": 13,
        "scalars": 352,
      },
    }
  `);
});
test("a chain of tanh(e) * sigmoid(e) stays a graph to third order", () => {
  const chain = Array.from({ length: 8 }, (_, i) => `  let e${i + 1} = tanh(e${i}) * sigmoid(e${i})`).join("\n");
  const text = `export fn third(e0: f32[3]) {\n${chain}\n  let a = grad(sum(e8), wrt: e0)\n  let b = grad(sum(a), wrt: e0)\n  return grad(sum(b), wrt: e0)\n}\n`;
  expect(sizes(text)["third"]!.scalars).toBeLessThan(3000);
});
