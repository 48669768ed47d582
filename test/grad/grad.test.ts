// Derivatives of hand-written nodes against finite differences, first and second order.
import { expect, test } from "vitest";
import { compute, constant, finalOf, reshape, scan, scatter, stackOf } from "../../compiler/graph/node.ts";
import {
  add,
  call,
  div,
  floorDiv,
  iadd,
  imul,
  isub,
  lessEqual,
  linear,
  literal,
  load,
  modulo,
  mul,
  select,
  sub,
  variable,
} from "../../compiler/graph/scalar.ts";
import type { Integer, Node, Source, Variable } from "../../compiler/graph/types.ts";
import { gradient } from "../../compiler/grad/grad.ts";
import { checkGradient, numbers, parameter, weighted } from "./check.ts";
import "../graph/by-hand.ts";

const v = (n: number, name = "i"): Variable => variable(n, name);
const at = (x: Node, ...indices: (Integer | number)[]): ReturnType<typeof load> => load(x, indices);
const square = (x: Node): Node => {
  const p = x.shape.map((n) => variable(n));
  return compute(p, undefined, mul(load(x, p), load(x, p)));
};

test("products, broadcast, transposed reads", () => {
  const [x, w, b] = [parameter("x", [3, 4]), parameter("w", [4, 5]), parameter("b", [5])];
  const [i, o, k] = [v(3), v(5), v(4)];
  const y = compute([i, o], { op: "sum", over: [k] }, mul(at(x, i, k), at(w, k, o)));
  const [p, q] = [v(3), v(5)];
  checkGradient(compute([p, q], undefined, call("tanh", add(at(y, p, q), at(b, q)))), [x, w, b]);
});
test("strided convolution and its textbook gradient", () => {
  const [x, w] = [parameter("x", [2, 9, 2]), parameter("w", [3, 2, 3])];
  const [b, i, o, k, c] = [v(2), v(5), v(3), v(3), v(2)];
  const y = compute(
    [b, i, o],
    { op: "sum", over: [k, c] },
    mul(
      load(
        x,
        [
          b,
          linear(
            [
              [i, 2],
              [k, 1],
            ],
            -1,
          ),
          c,
        ],
        0,
      ),
      at(w, k, c, o),
    ),
  );
  checkGradient(square(y), [x, w]);
});
test("dilated, depthwise and overlapping windows", () => {
  const [x, w] = [parameter("x", [11, 2]), parameter("w", [3, 2])];
  for (const [stride, dilate, pad] of [
    [1, 2, 2],
    [2, 2, 1],
    [3, 1, 0],
    [3, 2, 3],
    [2, 3, 0],
  ] as const) {
    const n = Math.floor((11 + 2 * pad - dilate * 2 - 1) / stride) + 1;
    const [i, c, k] = [v(n), v(2), v(3)];
    checkGradient(
      square(
        compute(
          [i, c],
          { op: "sum", over: [k] },
          mul(
            load(
              x,
              [
                linear(
                  [
                    [i, stride],
                    [k, dilate],
                  ],
                  -pad,
                ),
                c,
              ],
              0,
            ),
            at(w, k, c),
          ),
        ),
      ),
      [x, w],
    );
  }
});
test("pooling with overlap, max shared and first, products with zeros", () => {
  const x = parameter("x", [7, 7]);
  const [i, j, r, s] = [v(3), v(3), v(3), v(3)];
  const body = load(x, [
    linear([
      [i, 2],
      [r, 1],
    ]),
    linear([
      [j, 2],
      [s, 1],
    ]),
  ]);
  for (const ties of ["first", "share"] as const)
    checkGradient(square(compute([i, j], { op: "max", over: [r, s], ties }, body)), [x]);
  const z = parameter("z", [3, 4]);
  const [p, q] = [v(3), v(4)];
  const data = numbers(12, 3);
  data[1] = 0;
  data[5] = 0;
  data[6] = 0;
  checkGradient(compute([p], { op: "prod", over: [q] }, at(z, p, q)), [z], 2, new Map([[z, data]]));
});
test("mixed radix, floor and mod, diagonals, prefix sums", () => {
  const x = parameter("x", [4, 6]);
  const [h, t, d] = [v(3), v(4), v(2)];
  checkGradient(
    square(
      compute(
        [h, t, d],
        undefined,
        at(
          x,
          t,
          linear([
            [h, 2],
            [d, 1],
          ]),
        ),
      ),
    ),
    [x],
  );
  const c = v(24);
  checkGradient(square(compute([c], undefined, at(x, floorDiv(c, 6), modulo(c, 6)))), [x]);
  const u = v(12);
  checkGradient(square(compute([u], undefined, at(x, modulo(imul(u, 3), 4), floorDiv(u, 2)))), [x]);
  const m = v(4);
  checkGradient(square(compute([m], undefined, at(x, m, m))), [x]);
  const [e, f] = [v(3), v(3)];
  checkGradient(square(compute([e], { op: "sum", over: [f] }, at(x, isub(iadd(e, 1), imul(e, 1)), iadd(e, f)))), [x]);
  const [a, b, s] = [v(4), v(6), v(6)];
  checkGradient(square(compute([a, b], { op: "sum", over: [s] }, select(lessEqual(s, b), at(x, a, s), 0))), [x]);
});
test("a remainder that is an unknown itself keeps its range", () => {
  // F = floor(-i / 2) is 0 or -1, so (3 F + 1) mod 2 = F + 1: the auxiliary of F must not be replaced by that remainder
  const x = parameter("x", [5, 4]);
  const [i, k] = [v(3), v(5)];
  const F = floorDiv(imul(i, -1), 2);
  const index = floorDiv(linear([[F, 3]], 1), 2);
  checkGradient(square(compute([i, k], undefined, select(lessEqual(0, index), at(x, k, index), 0.25))), [x]);
});
test("gather, pick and scatter", () => {
  const table = parameter("table", [5, 3]);
  const ids = constant([2, 4], [0, 3, 3, 1, 4, 4, 0, 2], "i32");
  const [b, t, d] = [v(2), v(4), v(3)];
  const gathered = compute([b, t, d], undefined, at(table, at(ids, b, t) as Integer, d));
  checkGradient(square(gathered), [table]);
  const y = constant([5], [0, 2, 1, 1, 0], "i32");
  const n = v(5);
  const picked = compute([n], undefined, at(table, n, at(y, n) as Integer));
  const [g] = gradient(weighted(picked), [table]);
  expect(g!.kind).toBe("compute");
  checkGradient(square(picked), [table]);
  const add1 = parameter("add", [4]);
  const k = v(4);
  checkGradient(square(scatter([3], [k], [at(constant([4], [0, 2, 2, 1], "i32"), k) as Integer], at(add1, k))), [add1]);
});
test("softmax, layer norm", () => {
  const x = parameter("x", [3, 5]);
  const [i, k] = [v(3), v(5)];
  const m = compute([i], { op: "max", over: [k] }, at(x, i, k));
  const [i2, k2] = [v(3), v(5)];
  const e = compute([i2, k2], undefined, call("exp", sub(at(x, i2, k2), call("stop", at(m, i2)))));
  const [i3, k3] = [v(3), v(5)];
  const sum = compute([i3], { op: "sum", over: [k3] }, at(e, i3, k3));
  const [i4, k4] = [v(3), v(5)];
  checkGradient(square(compute([i4, k4], undefined, div(at(e, i4, k4), at(sum, i4)))), [x]);
});
test("reshape", () => {
  const x = parameter("x", [4, 6]);
  const r = reshape(x, [3, 8]);
  const [i, j] = [v(3), v(8)];
  checkGradient(square(compute([j, i], undefined, at(r, i, j))), [x]);
});

const recurrent = (xs: Source, w: Source, h0: Source, reverse = false, n = 4): { final: Node; stack: Node } => {
  let body: Node | undefined;
  const s = scan({ count: n, initial: [h0], reverse }, (t, [h]) => {
    const [o, k] = [v(3), v(3)];
    const product = compute([o], { op: "sum", over: [k] }, mul(at(h!, k), at(w, k, o)));
    const p = v(3);
    body = compute([p], undefined, call("tanh", add(at(product, p), at(xs, t, p))));
    return [body];
  });
  return { final: finalOf(s, 0), stack: stackOf(s, body!) };
};
test("a recurrent network, to third order", () => {
  const [xs, w, h0] = [parameter("xs", [4, 3]), parameter("w", [3, 3]), parameter("h0", [3])];
  const { final, stack } = recurrent(xs, w, h0);
  checkGradient(final, [xs, w, h0], 3);
  checkGradient(square(stack), [xs, w, h0], 2);
  checkGradient(recurrent(xs, w, h0, true).stack, [xs, w, h0], 2);
});
test("a loop of one round", () => {
  const [xs, w, h0] = [parameter("xs", [1, 3]), parameter("w", [3, 3]), parameter("h0", [3])];
  for (const reverse of [false, true]) checkGradient(recurrent(xs, w, h0, reverse, 1).stack, [xs, w, h0], 3);
});
test("a scan inside a scan, and a gradient inside a body", () => {
  const [w, h0] = [parameter("w", [2, 2]), parameter("h0", [2])];
  const s = scan({ count: 3, initial: [h0] }, (_, [h]) => {
    const inner = scan({ count: 2, initial: [h!] }, (t, [g]) => {
      const [o, k] = [v(2), v(2)];
      const product = compute([o], { op: "sum", over: [k] }, mul(at(g!, k), at(w, k, o)));
      const p = v(2);
      return [compute([p], undefined, call("sin", add(at(product, p), mul(call("to_f32", t), literal(0.1)))))];
    });
    return [finalOf(inner, 0)];
  });
  checkGradient(finalOf(s, 0), [w, h0], 2);
  const descent = scan({ count: 3, initial: [h0] }, (_, [y]) => {
    const [o, k] = [v(2), v(2)];
    const product = compute([o], { op: "sum", over: [k] }, mul(at(y!, k), at(w, k, o)));
    const p = v(2);
    const energy = compute([], { op: "sum", over: [p] }, call("tanh", mul(at(product, p), at(product, p))));
    const [g] = gradient(energy, [y!]);
    const q = v(2);
    return [compute([q], undefined, sub(at(y!, q), mul(at(g!, q), literal(0.3))))];
  });
  checkGradient(finalOf(descent, 0), [w, h0], 2);
});
