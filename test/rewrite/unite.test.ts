// Loops that compute the same are one loop after simplification, whatever made them two.
import { expect, test } from "vitest";
import type { GraphProgram } from "../../compiler/graph/types.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import { programOf } from "../graph/programs.ts";
import { checkSimplify, drawn, nodesOf } from "./compare.ts";

const loops = (p: GraphProgram): number =>
  new Set(nodesOf(p).flatMap((x) => (x.kind === "result" ? [x.scan] : []))).size;
const exported = (text: string): GraphProgram => programOf(text).exports[0]!.program;
const walk = (name: string, next: string, more = ""): string =>
  `let ${name} = scan (x in xs along 0; h = h0) {\n    let n = ${next}\n    next h = n\n    yield n${more}\n  }`;
const two = (a: string, b: string): GraphProgram =>
  exported(`export fn f(xs: f32[5, 3], h0: f32[3], w: f32[3]) {\n  ${a}\n  ${b}\n  return (p, q)\n}`);

test("two loops of the same rounds are one, and stack what either of them stacked", () => {
  const p = two(walk("p", "sin(h * w + x)"), walk("q", "sin(x + w * h)", " + 2 * h"));
  expect(loops(p)).toBe(2);
  const { program, fired } = checkSimplify(p, drawn(p));
  expect(fired.get("equal-loops")).toBe(1);
  expect(loops(program)).toBe(1);
});
test.each([
  ["other rounds", walk("p", "sin(h * w + x)"), walk("q", "sin(h * w - x)")],
  ["other first values", walk("p", "sin(h + x)"), walk("q", "sin(h + x)").replace("h = h0", "h = 2 * h0")],
  ["the other direction", walk("p", "sin(h + x)"), walk("q", "sin(h + x)").replace("in xs", "in flip(xs, axis: 0)")],
  ["what is stacked waits for the first loop", walk("p", "sin(h + x)"), walk("q", "sin(h + x)", " + sum(p)")],
])("not with %s", (_, a, b) => {
  const p = two(a, b);
  const { program } = checkSimplify(p, drawn(p));
  expect(loops(program)).toBeLessThanOrEqual(2);
  expect(checkSimplify(p, drawn(p, 7)).program.outputs).toHaveLength(2);
});
test("a loop runs forward once in training, also where its derivative is taken of a simpler form", () => {
  // of a constant in the body, of one that it begins with, of a stable form of what it computes
  for (const [first, round] of [
    ["zeros[2]", "tanh(x + h + zero[0..2])"],
    ["expand[2](zero[0])", "tanh(x + h)"],
    ["zeros[2]", "log(exp(x) + exp(h)) - h"],
  ]) {
    const { trains } = programOf(`layer Loop()(xs: f32[4, 2]) -> f32[4, 2] {
  param w: f32[2] ~ normal(0, 1)
  let zero = zeros[3]
  return scan (x in xs * w along 0; h = ${first}) {
    let n = ${round}
    next h = n
    yield n
  }
}
model net(xs: f32[4, 2]) = Loop()(xs)
train fit {
  minimize mean(net(ones[4, 2])^2) by sgd(lr: 0.1)
  steps: 1
}
`);
    expect(loops(simplify(trains[0]!.step))).toBe(2); // one forward, one backward
  }
});
