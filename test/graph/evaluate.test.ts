// The constructors and the evaluator on cases done by hand.
import { expect, test } from "vitest";
import { evaluateNodes } from "../../compiler/evaluate/evaluate.ts";
import { philox } from "../../compiler/evaluate/philox.ts";
import { compute, constant, finalOf, scan, scatter, stackOf } from "../../compiler/graph/node.ts";
import {
  add,
  floorDiv,
  iadd,
  imul,
  interval,
  lessEqual,
  linear,
  literal,
  load,
  modulo,
  mul,
  select,
  variable,
} from "../../compiler/graph/scalar.ts";
import type { Integer, Node } from "../../compiler/graph/types.ts";
import "./by-hand.ts";

const values = (node: Node): number[] => [...evaluateNodes([node], new Map())[0]!];

test("philox of the published test vectors", () => {
  expect(philox([0, 0, 0, 0], [0, 0]).map((x) => x.toString(16))).toEqual([
    "6627e8d5",
    "e169c58d",
    "bc57ac4c",
    "9b00dbd8",
  ]);
  expect(
    philox([0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff]).map((x) => x.toString(16)),
  ).toEqual(["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"]);
});
test("matrix product and prefix sum", () => {
  const a = constant([2, 2], [1, 2, 3, 4]);
  const [i, j, k] = [variable(2, "i"), variable(2, "j"), variable(2, "k")];
  expect(values(compute([i, j], { op: "sum", over: [k] }, mul(load(a, [i, k]), load(a, [k, j]))))).toEqual([
    7, 10, 15, 22,
  ]);
  const x = constant([4], [1, 2, 3, 4]);
  const [p, q] = [variable(4), variable(4)];
  expect(values(compute([p], { op: "sum", over: [q] }, select(lessEqual(q, p), load(x, [q]), 0)))).toEqual([
    1, 3, 6, 10,
  ]);
});
test("a factor leaves the sum and an unused axis multiplies", () => {
  const x = constant([3], [1, 2, 3]);
  const w = constant([2], [10, 20]);
  const [i, k, l] = [variable(2, "i"), variable(3, "k"), variable(5, "l")];
  const node = compute([i], { op: "sum", over: [k, l] }, mul(load(w, [i]), load(x, [k])));
  expect(node.kind === "compute" && node.reduction).toBe(undefined);
  expect(values(node)).toEqual([300, 600]);
});
test("normal form of integers against brute force", () => {
  const v = variable(24, "v");
  const u = variable(5, "u");
  const at = (e: Integer, a: number, b: number): number => {
    switch (e.kind) {
      case "variable":
        return e === v ? a : b;
      case "affine":
        return e.terms.reduce((sum, [x, k]) => sum + k * at(x, a, b), e.constant);
      case "floor_div":
        return Math.floor(at(e.operand, a, b) / e.divisor);
      case "modulo":
        return ((at(e.operand, a, b) % e.divisor) + e.divisor) % e.divisor;
      default:
        throw new Error(e.kind);
    }
  };
  for (let c = -6; c <= 6; c++)
    for (const m of [2, 3, 4, 6]) {
      const inner = linear(
        [
          [v, c],
          [u, 2 * m],
        ],
        7 - c,
      );
      const forms = [
        floorDiv(inner, m),
        modulo(inner, m),
        floorDiv(floorDiv(inner, 2), m),
        iadd(imul(floorDiv(inner, m), m), modulo(inner, m)),
      ];
      for (let a = 0; a < 24; a += 5)
        for (let b = 0; b < 5; b++) {
          const x = c * a + 2 * m * b + 7 - c;
          const q = Math.floor(x / m);
          const expected = [q, x - q * m, Math.floor(Math.floor(x / 2) / m), x];
          forms.forEach((e, i) => {
            expect(at(e, a, b)).toBe(expected[i]);
            expect(interval(e).low).toBeLessThanOrEqual(expected[i]!);
            expect(interval(e).high).toBeGreaterThanOrEqual(expected[i]!);
          });
        }
    }
});
test("scatter, scan, history and stacks", () => {
  const index = constant([3], [1, 1, 0], "i32");
  const v = variable(3);
  expect(values(scatter([2], [v], [load(index, [v]) as Integer], literal(2)))).toEqual([2, 4]);
  const start = constant([], [1]);
  const xs = constant([3], [1, 2, 3]);
  let product: Node | undefined;
  const loop = scan({ count: 3, initial: [start] }, (t, [h]) => {
    product = compute([], undefined, mul(load(h!, []), load(xs, [t])));
    return [compute([], undefined, add(load(product, []), literal(1)))];
  });
  expect(values(finalOf(loop, 0))).toEqual([((1 * 1 + 1) * 2 + 1) * 3 + 1]);
  expect(values(stackOf(loop, product!))).toEqual([1, 4, 15]);
  expect(values(stackOf(loop, loop.carries[0]!.incoming))).toEqual([1, 2, 5]);
});
