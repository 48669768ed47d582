// Gradient checks in f64: symbolic derivatives of first and second order against central differences along one random direction.
import { expect } from "vitest";
import { evaluateNodes } from "../../compiler/evaluate/evaluate.ts";
import { gradient } from "../../compiler/grad/grad.ts";
import { within } from "../../compiler/graph/compilation.ts";
import { compute, source } from "../../compiler/graph/node.ts";
import { add, load, mul, variable } from "../../compiler/graph/scalar.ts";
import type { Node, Source } from "../../compiler/graph/types.ts";

/** Deterministic numbers in -1..1. */
export function numbers(count: number, seed = 1): number[] {
  let state = seed >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 4294967296) * 2 - 1;
  });
}
const size = (node: Node): number => (node.shape as number[]).reduce((a, b) => a * b, 1);
export const parameter = (path: string, shape: readonly number[]): Source =>
  source({ role: "parameter", path, shape, dtype: "f32" });
/** A scalar that weighs every element of a node differently. */
export const weighted = (node: Node, seed = 7): Node => within(node.compilation, () => weightedSum(node, seed));
function weightedSum(node: Node, seed: number): Node {
  const weights = source({
    role: "constant",
    path: "",
    shape: node.shape,
    dtype: "f32",
    data: numbers(size(node), seed),
  });
  const over = node.shape.map((n) => variable(n, "w"));
  return compute([], { op: "sum", over }, mul(load(node, over), load(weights, over)));
}

/** Checks d f / d wrt, and the derivative of a weighted sum of that, `orders` times. Values of `wrt` are drawn. */
export function checkGradient(
  root: Node,
  wrt: readonly Source[],
  orders = 2,
  given: ReadonlyMap<Source, readonly number[]> = new Map(),
): void {
  within(root.compilation, () => checkOrders(root, wrt, orders, given));
}
function checkOrders(
  root: Node,
  wrt: readonly Source[],
  orders: number,
  given: ReadonlyMap<Source, readonly number[]>,
): void {
  const values = new Map<Source, number[]>(wrt.map((x, i) => [x, [...(given.get(x) ?? numbers(size(x), 11 + i))]]));
  for (const [x, v] of given) if (!values.has(x)) values.set(x, [...v]);
  let f = root.shape.length ? weighted(root) : root;
  for (let order = 1; order <= orders; order++) {
    const gradients = gradient(f, wrt);
    const present = gradients.filter((g): g is Node => g !== undefined);
    if (!present.length) return;
    const results = evaluateNodes(present, values);
    const directions = wrt.map((x, i) => numbers(size(x), 101 + i + order));
    let along = 0;
    let at = 0;
    gradients.forEach((g, i) => {
      if (g) results[at++]!.forEach((v, k) => (along += v * directions[i]![k]!));
    });
    const h = 1e-5;
    const shifted = (sign: number): number =>
      evaluateNodes(
        [f],
        new Map([
          ...values,
          ...wrt.map((x, i) => [x, values.get(x)!.map((v, k) => v + sign * h * directions[i]![k]!)] as const),
        ]),
      )[0]![0]!;
    const difference = (shifted(1) - shifted(-1)) / (2 * h);
    expect(Math.abs(along - difference), `order ${order}: ${along} against ${difference}`).toBeLessThanOrEqual(
      2e-6 * (1 + Math.abs(difference)),
    );
    f = present.map((g, i) => weighted(g, 31 + i)).reduce((a, b) => compute([], undefined, addLoads(a, b)));
  }
}
const addLoads = (a: Node, b: Node): ReturnType<typeof add> => add(load(a, []), load(b, []));
