// Whatever compiles fits the limits of its target by construction: a kernel that would bind too many buffers is cut.
import { expect, test } from "vitest";
import { targets } from "../../compiler/kernel/target.ts";
import { cases, firstSeed } from "../fuzz/random.ts";
import { expectAccepted, outcomeOf } from "../accepted.ts";
import { randomBlock } from "./blocks.ts";
import { errorsOf, expectValues, valuesOf } from "./values.ts";

const names = Object.keys(targets);
const data = `data d {\n  rows: 12\n  field x: f32[2] = normal[2]\n  field y: f32 = sum(x)\n}\n`;
const narrow = `model net(x: f32[B, 2]) -> f32[B] = x |> Linear(1) |> RMSNorm() |> stack 2 of Linear(1, act: tanh) |> Linear(1) |> squeeze(-1)\n`;
const blocks = {
  "one-element parameters under a norm": `${data}${narrow}train fit on d(batch: 4) {
  minimize mse(net(x), y) by clip_norm(1) >> adam(amsgrad: true)
  state smooth = net
  next smooth = 0.99 * smooth + 0.01 * net
  steps: 4
}`,
  "two objectives, a metric, accumulated": `${data}${narrow}train fit on d(batch: 1) {
  minimize mse(net(x), y) by sgd(lr: 0.01)
  minimize l1(net(x), y) by adam(lr: 0.01)
  metric m = mae(net(x), y)
  accumulate: 3
  steps: 4
}`,
};
test.each(Object.entries(blocks).flatMap(([name, text]) => names.map((target) => [name, target, text] as const)))(
  "%s for %s",
  async (_, target, text) => {
    await expectAccepted(text, target);
  },
);

const many = (f: (i: number) => string, sep = ", "): string => Array.from({ length: 12 }, (_, i) => f(i)).join(sep);
const given = (dtype: string): string => many((i) => `a${i}: ${dtype}`);
const numbers = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`a${i}`, [i, i + 0.5]]));
const whole = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`a${i}`, [i % 2, (i + 1) % 2]]));
const table = Array.from({ length: 64 }, (_, i) => i * i);
test("a sum of an index over more tensors than a kernel binds", () =>
  expectValues(
    `export fn f(${given("i32[B] in 0..2")}, x: f32[64]) -> f32[B] = for b: x[${many((i) => `a${i}[b] * ${i + 1 > 5 ? 1 : i + 1}`, " + ")}]`,
    { ...whole, x: table },
    [(2 + 4 + 1 + 1 + 1 + 1) ** 2, (1 + 3 + 5 + 1 + 1 + 1) ** 2],
  ));
test("its gradient", () => {
  const hit = (k: number): number[] => Array.from({ length: 64 }, (_, i) => (i === k ? 2 : 0));
  return expectValues(
    `export fn f(${given("i32[B] in 0..2")}, x: f32[64]) -> f32[64] = grad(sum(for b: x[${many((i) => `a${i}[b]`, " + ")}]), wrt: x)`,
    { ...whole, x: table },
    hit(6),
  );
});
test("a conjunction over more tensors than a kernel binds", () =>
  expectValues(
    `export fn f(${given("i32[B] in 0..2")}) -> bool[B] = for b: ${many((i) => `a${i}[b] < ${i === 7 ? 1 : 2}`, " and ")}`,
    whole,
    [0, 1],
  ));
test("parts under guards: concat of twelve", () =>
  expectValues(
    `export fn f(${given("f32[B]")}) = concat([${many((i) => `a${i}`)}]) * 2`,
    numbers,
    Array.from({ length: 24 }, (_, k) => 2 * ((k >> 1) + 0.5 * (k % 2))),
  ));
test("parts under guards: shifted windows of twelve", () =>
  expectValues(
    `export fn f(${given("f32[2]")}) = for i in 0..2: ${many((k) => `(a${k}[i - ${k % 2}] ?? 3)`, " + ")}`,
    numbers,
    [
      [0, 2, 4, 6, 8, 10].reduce((a, b) => a + b) + 18,
      [0, 2, 4, 6, 8, 10].reduce((a, b) => a + b + 0.5, 0) + [1, 3, 5, 7, 9, 11].reduce((a, b) => a + b),
    ],
  ));
const inLoops: Readonly<Record<string, string>> = {
  "a sum": `next s = for i in 0..2: ${many((k) => `tanh(a${k}[i] * s[i] * ${k}.5)`, " + ")}`,
  "a product": `next s = for i in 0..2: ${many((k) => `(1 + 0.1 * a${k}[i] * s[i])`, " * ")}`,
  "the step, and rows that it picks": `next s = for i in 0..2: s[i] + f32(t) * (${many((k) => `a${k}[(t + ${k}) % 2] * s[1 - i]`, " + ")})`,
  guards: `next s = for i in 0..2: ${many((k) => `(a${k}[i - ${k % 2}] ?? 0.1) * s[i]`, " + ")}`,
  "a reduction": `next s = for i in 0..2: 0.1 * sum over j in 0..2: ${many((k) => `a${k}[j] * s[i]`, " + ")}`,
  "a loop in a loop": `next s = fold (u in 0..2; r = s) { next r = for i in 0..2: 0.5 * s[i] + 0.2 * r[i] * (${many((k) => `sin(a${k}[i] * s[i] + f32(u + t))`, " + ")}) }`,
  "two states": `let y = for i in 0..2: ${many((k) => `sin(a${k}[i] + s[i])`, " + ")}\n  next s = 0.5 * y + s`,
};
test.each(Object.entries(inLoops))("in the step of a loop: %s", async (_, step) => {
  const f = (result: string): string =>
    `export fn f(${given("f32[2]")}) = ${result}\nfn g(${given("f32[2]")}) -> f32[2] = fold (t in 0..3; s = a1 * 0.1) {\n  ${step}\n}\n`;
  const all = many((k) => `a${k}`);
  const small = Object.fromEntries(
    Array.from({ length: 12 }, (_, k) => [`a${k}`, [Math.sin(k), Math.cos(k)].map(Math.fround)]),
  );
  for (const result of [`g(${all})`, `grad(sum(g(${all})), wrt: (${all}))`]) {
    const { evaluator, device } = await valuesOf(f(result), small);
    evaluator.forEach((row, r) =>
      row.forEach((v, i) => {
        expect(Math.abs(device[r]![i]! - v), `${result}[${r}][${i}]: ${device[r]![i]}, not ${v}`).toBeLessThan(
          5e-5 * Math.max(1, Math.abs(v)),
        );
      }),
    );
  }
  for (const target of names) await expectAccepted(f(`grad(sum(g(${all})), wrt: (${all}))`), target);
});
test("reductions whose parts lie in memory of their own", () =>
  expectAccepted(
    `export fn f(x: f32[300000]) = (${many((i) => `max(sin(x * ${i + 0.5}))`)}, ${many((i) => `sum(exp(x * ${i + 0.5}))`)})`,
    "lavapipe",
  ));
test("loops with twelve carries", () =>
  expectAccepted(
    `export fn f(xs: f32[7, 4], ${given("f32[4]")}) = fold (x in xs; ${many((i) => `h${i} = a${i}`)}) {\n${many((i) => `next h${i} = h${(i + 1) % 12} * x + ${many((k) => `h${k}`, " * ")}`, "\n")}\n}`,
  ));

test("tensors whose positions are no i32 are an error", () => {
  expect(errorsOf("export fn f() = zeros[70000, 70000]")).toEqual(["DLM2021"]);
  expect(errorsOf("export fn f() = zeros[3000000000]")).toEqual(["DLM2021"]);
  expect(errorsOf("export fn f() = zeros[1e39]")).toEqual(["DLM2021"]);
  expect(errorsOf("export fn f() = for i in 0..3000000000: 1.0")).toEqual(["DLM2021"]);
  expect(errorsOf("export fn f(x: f32[70000, 70000]) = sum(x)")).toEqual(["DLM2021"]);
  expect(errorsOf("model net(x: f32[B, 70000]) = x |> Linear(70000)\nexport fn f(x: f32[B, 70000]) = net(x)")).toEqual([
    "DLM2021",
  ]);
  // stored on the way
  const outer = "(for a in 0..70000, b in 0..70000: x[a] * x[b])";
  for (const e of [`sum((${outer} @ ${outer})^2)`, `sum(cumprod(${outer}))`])
    expect(errorsOf(`export fn f(x: f32[70000]) = ${e}`), e).not.toEqual([]);
});
test("long loops are walked axis by axis", () =>
  expectAccepted("export fn f(x: f32[4]) = sum over i in 0..4, j in 0..100000, k in 0..100000: x[i] * j * k"));

const perTest = 2;
test.each(Array.from({ length: Math.ceil(cases(12) / perTest) }, (_, i) => firstSeed + i * perTest))(
  "random training blocks from %i",
  { timeout: 300_000 },
  async (from) => {
    for (let seed = from; seed < from + perTest; seed++) {
      const odd = seed % 2 === 1;
      const { errors, refused } = await outcomeOf(randomBlock(seed, odd), names[seed % names.length]!);
      expect(refused, `block ${seed}`).toEqual([]);
      if (!odd) expect(errors, `block ${seed}`).toEqual([]);
    }
  },
);
