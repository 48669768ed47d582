// Several sums of run-time lengths in one loss: each that others wait for is stored, and the kernel that stores them binds what the device has.
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { expectValues, type Rows } from "./values.ts";

const loss = (n: number): string => {
  const names = [..."abcdefghij"].slice(0, n);
  const sums = names.map((x, i) => `${0.1 * (i + 1)} * sum(${x}^2)`);
  return `export fn f(${names.map((x) => `${x}: f32[B]`).join(", ")}) {\n  let loss = ${sums.join(" + ")}\n  return (a / (1 + loss), loss)\n}\n`;
};
test.each([2, 3, 4, 5, 6, 8, 10])("%i sums", async (n) => {
  for (const target of Object.keys(targets)) expect(compile(loss(n), { name: "sums.dlm", target }).plan).toBeDefined();
  const inputs = Object.fromEntries([..."abcdefghij"].slice(0, n).map((x, i) => [x, [1, 2, i]]));
  const want = Object.values(inputs).reduce((sum, x, i) => sum + 0.1 * (i + 1) * x.reduce((s, v) => s + v * v, 0), 0);
  await expectValues(loss(n), inputs, [1 / (1 + want), 2 / (1 + want), 0, want]);
});
test("a loss of several results, masks and penalties", () => {
  const text = `export fn forward(a: f32[B], b: f32[B, B, 5]) {
  let v0 = grad(sum(a * 0.3 + 0.1 * a), wrt: a)
  let v1 = max(v0)
  let v2 = exp(0.3 * b) / (1.5 + v1^2)
  let v3 = v2 - 0.41 * round(v2 / 0.41 + 0.11)
  let v4 = grad(sum(-(a) * a), wrt: a)
  let loss = sum(tanh(0.5 * v2)) + sum(0.5 * tanh(0.5 * v3)) + sum(0.5 * tanh(0.5 * v4)) + 0.1 * sum(a^2) + 0.1 * sum(b^2)
  return (v2, v3, v4, loss)
}
`;
  for (const target of Object.keys(targets)) expect(compile(text, { name: "sums.dlm", target }).plan).toBeDefined();
});
test("a sum of run-time length and of a known one, for results of run-time number", async () => {
  const text = `export fn slope(c: f32[5, B], ids: i32[B, 5] in 0..5) = grad(sum(tanh(c[ids])) + 0.1 * sum(c^2), wrt: c)
export fn second(c: f32[5, B], ids: i32[B, 5] in 0..5) {
  let v1 = c[ids]
  let v2 = sqrt(v1^2 + 0.1) * -0.75
  let g = grad(sum(0.5 * tanh(0.5 * v1)) + sum(0.5 * tanh(0.5 * v2)) + 0.1 * sum(c^2), wrt: c)
  return grad(0.5 * sum(g^2), wrt: c)
}
`;
  for (const target of Object.keys(targets)) expect(compile(text, { name: "sums.dlm", target }).plan).toBeDefined();
  const c = [
    [0.1, 0.2],
    [0.3, -0.4],
    [0.5, 0.6],
    [-0.7, 0.8],
    [0.9, 1],
  ];
  const ids = [
    [4, 4, 1, 2, 0],
    [1, 1, 3, 4, 4],
  ];
  const counts = c.map((_, i) => ids.flat().filter((k) => k === i).length);
  await expectValues(
    text,
    { c, ids },
    c.map((row, i) => row.map((x) => counts[i]! / Math.cosh(x) ** 2 + 0.2 * x)),
    1e-5,
    "slope",
  );
});
test.each([1, 2, 3, 4])("a reduction over all of %i run-time axes", async (rank) => {
  const type = `f32[${Array.from({ length: rank }, () => "B").join(", ")}]`;
  const rows = (depth: number, at: number): Rows =>
    depth ? [0, 1, 2].map((i) => rows(depth - 1, 3 * at + i)) : Math.sin(at);
  const flat = Array.from({ length: 3 ** rank }, (_, i) => Math.sin(i));
  const most = Math.max(...flat);
  const text =
    `export fn f(b: ${type}) = (max(b), min(b), sum(b), argmax(b))\nexport fn g(b: ${type}) = grad(tanh(0.5 * max(b)) + sum(exp(b)), wrt: b)\n`.replace(
      "argmax(b)",
      rank === 1 ? "argmax(b)" : "mean(b)",
    );
  for (const target of Object.keys(targets)) expect(compile(text, { name: "sums.dlm", target }).plan).toBeDefined();
  const total = flat.reduce((a, b) => a + b, 0);
  await expectValues(
    text,
    { b: rows(rank, 0) },
    [most, Math.min(...flat), total, rank === 1 ? flat.indexOf(most) : total / flat.length],
    1e-5,
    "f",
  );
  await expectValues(
    text,
    { b: rows(rank, 0) },
    flat.map((x) => Math.exp(x) + (x === most ? 0.5 / Math.cosh(0.5 * x) ** 2 : 0)),
    1e-5,
    "g",
  );
});
