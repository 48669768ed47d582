// A derivative inside of what is differentiated: by values on the way, whatever stable form the inner one has given them.
import { test } from "vitest";
import { expectValues } from "./values.ts";

const x = [0.7, -0.4];
/** Central differences of the total over what a is moved by. */
const slopes = (f: (a: readonly number[]) => number, at: readonly number[], h = 1e-4): number[] =>
  at.map((_, i) => (f(at.map((v, k) => (k === i ? v + h : v))) - f(at.map((v, k) => (k === i ? v - h : v)))) / (2 * h));
const softplus = (v: number): number => Math.log1p(Math.exp(v));
const total = (xs: readonly number[]): number => xs.reduce((s, v) => s + v, 0);

/** Values on the way that a stable form is known for, with the value as a function of x. */
const ways: readonly [text: string, value: (v: number) => number][] = [
  ["log(1 + exp(x))", softplus],
  ["exp(x) / (1 + exp(x))", (v) => 1 / (1 + Math.exp(-v))],
  ["max(x, 0) + log1p(exp(-abs(x)))", softplus],
  ["exp(x) * exp(2 * x)", (v) => Math.exp(3 * v)],
  ["x * x + 1", (v) => v * v + 1],
];
test.each(ways)("by a = %s, of a formula that holds a derivative made through a", async (text, value) => {
  const a = x.map(value);
  // g = d sum(sin(a b)) / db at b = x: cos(a x) a
  const want = slopes((p) => total(p.map((v, i) => Math.cos(v * x[i]!) * v * v)), a);
  await expectValues(
    `export fn f(x: f32[2]) {
  let a = ${text}
  let b = stop(x)
  let g = grad(sum(sin(a * b)), wrt: b)
  return grad(sum(g * a), wrt: a)
}`,
    { x },
    want,
    2e-4,
  );
  // the inner derivative is by x: through a, and a third one is by a again
  const slope = (v: number, h = 1e-4): number => (value(v + h) - value(v - h)) / (2 * h);
  const through = slopes((p) => total(p.map((v, i) => Math.cos(v) * slope(x[i]!) * v)), a);
  await expectValues(
    `export fn f(x: f32[2]) {
  let a = ${text}
  let g = grad(sum(sin(a)), wrt: a)
  let d = grad(sum(a), wrt: x)
  return grad(sum(g * stop(d) * a), wrt: a)
}`,
    { x },
    through,
    2e-4,
  );
});
test("a model's parameters, by an objective that holds the slope of the model at its input", async () => {
  const w = [0.9, 0.7];
  const rows = [
    [-1.5, 0],
    [-0.5, 0.5],
    [0.5, 1],
    [1.5, 1.5],
  ];
  const y = [0.1, 0.4, 0.7, 1];
  const net = (v: readonly number[], r: readonly number[]): number => softplus(v[0]! * r[0]! + v[1]! * r[1]!);
  const loss = (v: readonly number[]): number =>
    total(
      rows.map((r, i) => {
        const z = v[0]! * r[0]! + v[1]! * r[1]!;
        const g = v.map((c) => (2 * softplus(z) * c) / (1 + Math.exp(-z)));
        return (
          (net(
            v,
            r.map((c, k) => c + 0.3 * g[k]!),
          ) -
            y[i]!) **
          2
        );
      }),
    ) / 4;
  await expectValues(
    `export fn f(v: f32[2], x: f32[4, 2], y: f32[4]) {
  let w = log(exp(v) + exp(v)) - 0.6931471805599453
  let g = grad(sum(log(1 + exp(x @ w))^2), wrt: x)
  let l = mean((log(1 + exp((x + 0.3 * g) @ w)) - y)^2)
  return (l, grad(l, wrt: w))
}`,
    { v: w, x: rows, y },
    [loss(w), ...slopes(loss, w)],
    5e-4,
  );
});
