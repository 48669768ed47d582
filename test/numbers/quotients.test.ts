// Quotients that meet a step are right to the last digit: whole ones are whole, and comparisons see what the text says, wherever the quotient stands.
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { topological } from "../../compiler/graph/node.ts";
import { isCall, scalarOrder } from "../../compiler/graph/scalar.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";
import { programOf } from "../graph/programs.ts";
import { expectValues, valuesOf } from "./values.ts";

const multiples = (c: number, n = 200): number[] => Array.from({ length: n }, (_, k) => c * (k + 1));
const divisors = [3, 7, 10, 41, 47, 49, 55, 61, 82, 83, 97, 98, 103, 107, 110, 115, 1001, 65_521];

describe.each(divisors)("divided by %i", (c) => {
  const x = multiples(c);
  const k = x.map((_, i) => i + 1);
  const wants: readonly (readonly [string, number[]])[] = [
    [`floor(x / ${c})`, k],
    [`ceil(x / ${c})`, k],
    [`x // ${c}`, k],
    [`x % ${c}`, k.map(() => 0)],
    [`(x / ${c}) % 1`, k.map(() => 0)],
    [`f32(i32(x / ${c}))`, k],
    [`where(x / ${c} == round(x / ${c}), 1.0, 0.0)`, k.map(() => 1)],
    [`where(x / ${c} >= y, 1.0, 0.0)`, k.map(() => 1)],
    [`where(y <= x / ${c}, 1.0, 0.0)`, k.map(() => 1)],
    [`floor(x / ${c} + 1)`, k.map((v) => v + 1)],
    [`floor(-x / ${c})`, k.map((v) => -v)],
    [`floor(max(x / ${c}, 0.5))`, k],
    [`floor(where(x > 0, x / ${c}, 7))`, k],
    [`floor((2 * x) / ${c})`, k.map((v) => 2 * v)],
    [`floor(abs(x / -${c}))`, k],
    [`floor(x / (y * 0 + ${c}))`, k], // a divisor known at run time
    [`floor(x / y)`, k.map(() => c)],
    [`sign(x / ${c} - y)`, k.map(() => 0)],
  ];
  test("at its multiples", async () => {
    for (const [formula, want] of wants)
      await expectValues(`export fn f(x: f32[B], y: f32[B]) -> f32[B] = ${formula}`, { x, y: k }, want, 0);
  });
});
test("however many stand below one another", () => {
  const x = Array.from({ length: 12 }, (_, i) => `let x${i + 1} = tanh(x${i}) / ${41 + i}`).join("\n  ");
  const text = `export fn f(x0: f32[B]) -> f32[B] {\n  ${x}\n  return floor(x12)\n}`;
  const { program } = programOf(text).exports[0]!;
  const nodes = topological(simplify(program).outputs.map((o) => o.node));
  const called = nodes.flatMap((n) => (n.kind === "compute" ? scalarOrder([n.body]) : []));
  expect(called.filter((e) => isCall(e, "div"))).toEqual([]);
});
test("through names, functions, tensors in memory, views, reductions and loops", async () => {
  const x = multiples(41, 12);
  const k = x.map((_, i) => i + 1);
  const y = [x.slice(0, 6), x.slice(6)];
  const ones = k.map(() => 1);
  await expectValues(
    "fn part(x: f32[B]) = x / 41\nexport fn f(x: f32[B]) -> f32[B] {\n let a = part(x)\n let b = a\n return floor(b)\n}",
    { x },
    k,
    0,
  );
  await expectValues("export fn f(x: f32[12]) -> f32[12] = floor(concat([x[0..6] / 41, x[6..12] / 41]))", { x }, k, 0);
  await expectValues(
    "export fn f(x: f32[2, 6]) -> f32[12] = floor(reshape[12](transpose(transpose(x / 41))))",
    { x: y },
    k,
    0,
  );
  await expectValues(
    "export fn f(x: f32[12]) -> f32[12] = floor(for i in 0..12: x[11 - i] / 41)",
    { x },
    [...k].reverse(),
    0,
  );
  await expectValues("export fn f(x: f32[12]) -> f32 = floor(max(x / 41))", { x }, 12, 0);
  await expectValues("export fn f(x: f32[12]) -> f32 = floor(sum(x / 41))", { x }, 78, 0);
  await expectValues(
    "export fn f(x: f32[12]) -> f32[12] = floor(scan (v in x; h = 0.0) { next h = v / 41  yield v / 41 })",
    { x },
    k,
    0,
  );
  await expectValues(
    "export fn f(x: f32[12]) -> f32[12] {\n let n = fold (v in x; h = zeros[12]) { next h = x / 41 }\n return where(n == floor(n), 1.0, 0.0)\n}",
    { x },
    ones,
    0,
  );
  // a mean is a sum by a count
  const rows = k.map((v) => Array.from({ length: 41 }, () => v));
  await expectValues(
    "export fn f(x: f32[B, 41]) -> f32[B] = for b: where((mean over j: x[b, j]) == x[b, 0], 1.0, 0.0)",
    { x: rows },
    ones,
    0,
  );
  await expectValues("export fn f(x: f32[B, 41]) -> f32[B] = floor(mean(x, axis: 1))", { x: rows }, k, 0);
  // argmax takes the first of equals, and of numbers that are apart the larger
  await expectValues("export fn f(x: f32[B]) -> i32 = argmax(where(x / 41 == 3, 1.0, 0.0))", { x }, 2, 0);
});
test("a stored quotient is divided by what the text says, where its readers may compare it", async () => {
  const x = multiples(41, 64);
  const { device } = await valuesOf("export fn f(x: f32[B]) -> f32[B] = x / 41", { x });
  expect(device[0]).toEqual(x.map((v) => v / 41));
});
test("what the text writes as a product stays one", async () => {
  const x = multiples(10, 50);
  await expectValues(
    "export fn f(x: f32[B]) -> f32[B] = floor(0.5 * x)",
    { x },
    x.map((v) => v / 2),
    0,
  );
  const { device } = await valuesOf("export fn f(x: f32[B]) -> f32[B] = 0.1 * x", { x });
  expect(device[0]).toEqual(x.map((v) => Math.fround(Math.fround(0.1) * v)));
});
test("a remainder is that of the quotient that is not rounded, of any size", async () => {
  const rest = (a: number, b: number): number => (a % b !== 0 && a < 0 !== b < 0 ? (a % b) + b : (a % b) + 0);
  const x = [
    1e8, 2147483648, 1e10, -1e9, 1, 0.7, -0.7, 3e38, -3e38, 1e-30, -1e-30, 0, 82, -41, 123.456, 16_777_217,
  ].map(Math.fround);
  const d = [7, 1000, 0.1, 41, -7, -0.3, 3.14159265, 1, 2, 0.5, 1e30, 3e-38, 1024].map(Math.fround);
  const pairs = x.flatMap((a) => d.map((b) => [a, b] as const));
  let state = 12_345;
  const word = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0);
  const any = (): number => new Float32Array(new Uint32Array([word()]).buffer)[0]!;
  while (pairs.length < 4000) {
    const [a, b] = [any(), any()];
    if (Math.abs(a) > 1e-36 && Math.abs(b) > 1e-36 && Number.isFinite(a + b)) pairs.push([a, b]);
  }
  const given = { a: pairs.map(([a]) => a), b: pairs.map(([, b]) => b) };
  const { device } = await valuesOf("export fn f(a: f32[N], b: f32[N]) -> f32[N] = a % b", given);
  expect(device[0]).toEqual(pairs.map(([a, b]) => Math.fround(rest(a, b))));
  for (const b of [7, 1000, 41, -7, 1, 2, 1024])
    await expectValues(
      `export fn f(x: f32[N]) -> f32[N] = x % ${b}`,
      { x },
      x.map((a) => rest(a, b)),
    );
  const slopes = "export fn f(a: f32[N], b: f32[N]) = (grad(sum(a % b), wrt: a), grad(sum(a % b), wrt: b))";
  await expectValues(slopes, { a: [41, 82, 7.5, -7.5], b: [41, 41, 2, 2] }, [1, 1, 1, 1, -1, -2, -3, 4]);
});
test("schedules by steps decay on time", async () => {
  for (const n of [7, 41, 49]) {
    const text = `data d {\n rows: 4\n field x: f32 = 1.0\n}\nmodel net(x: f32[B]) -> f32[B] {\n param w: f32 ~ zeros\n return w * x\n}
train fit on d(batch: 4) {\n minimize mean(net(x)) by sgd(lr: step_decay(1, step_size: ${n}, gamma: 0.5))\n steps: ${2 * n + 1}\n}`;
    const { plan } = compile(text, { name: "test.dlm" });
    const { device } = await testDevice();
    const model = await load(plan!, { device });
    await model.train("fit");
    const [w] = (await model.parameters({ all: true }))["net.w"]!.data;
    model.close();
    expect(w, `a rate that is halved every ${n} steps`).toBeCloseTo(-(n + 0.5 * n + 0.25), 4);
  }
});

/** All of the exponents, whole quotients and their neighbours. */
function pairs(seed: number, count: number): { x: number[]; y: number[] } {
  let state = seed >>> 0;
  const word = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const high = state >>> 16;
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((high << 16) | (state >>> 16)) >>> 0;
  };
  const view = new DataView(new ArrayBuffer(4));
  const float = (bits: number): number => (view.setUint32(0, bits), view.getFloat32(0));
  const bits = (value: number): number => (view.setFloat32(0, value), view.getUint32(0));
  const any = (): number => {
    const v = float(word());
    return Number.isFinite(v) && Math.abs(v) >= 2 ** -126 ? v : 1;
  };
  const x: number[] = [];
  const y: number[] = [];
  for (let k = 0; k < count; k++) {
    const whole = Math.fround(word() % 4096) + 1;
    const b = k % 3 === 0 ? any() : Math.fround((word() % 8_388_608) + 1);
    const a = k % 3 === 0 ? any() : Math.fround(whole * b);
    x.push(k % 3 === 2 ? float((bits(a) + (word() % 3) - 1) >>> 0) : a);
    y.push(b);
  }
  return { x, y };
}
/** Both are rounded to f32 once; a quotient of two f32 is never so near to the middle of two that f64 decides it wrongly. */
const wanted = (x: number, y: number): number => Math.fround(x / y);
const isNormal = (v: number): boolean => Math.abs(v) >= 2 ** -126 && Math.abs(v) <= 3.4028234663852886e38;

/** Runs the helper on its own, its first guess moved by so much. */
async function divide(x: readonly number[], y: readonly number[], off: number): Promise<number[]> {
  const { plan } = compile("export fn f(x: f32[B], y: f32[B]) {\n  let q = x / y\n  return (q, floor(q))\n}", {
    name: "test.dlm",
  });
  let moved = 0;
  const modules = plan!.modules.map((m) => {
    const code = m.code!.replace("- 3u;", () => (moved++, `- ${3 - off}u;`));
    return { ...m, code };
  });
  expect(moved).toBe(1);
  const { device } = await testDevice();
  const model = await load({ ...plan!, modules }, { device });
  const got = await model.run("f", { x: { shape: [x.length], data: [...x] }, y: { shape: [y.length], data: [...y] } });
  model.close();
  return Array.from(Object.values(got)[0]!.data as ArrayLike<number>);
}
test("the helper rounds correctly, whatever a device's division is off by", async () => {
  for (const off of [0, -3, -2, -1, 1, 2]) {
    const { x, y } = pairs(77 + off, off ? 6000 : 120_000);
    const got = await divide(x, y, off);
    const wrong = got.flatMap((q, i) =>
      isNormal(wanted(x[i]!, y[i]!)) && q !== wanted(x[i]!, y[i]!) ? [`${x[i]} / ${y[i]} is ${q}`] : [],
    );
    expect(wrong.slice(0, 5), `guess moved by ${off}`).toEqual([]);
  }
});
test("zeros, and what leaves the range of f32, are as a division gives them", async () => {
  const x = [0, -0, 1, -1, 3e38, 1e-38, 5];
  const y = [3, 3, 3e38, 3e38, 1e38, 1e38, 3.4028234663852886e38];
  const got = await divide(x, y, 0);
  got.forEach((q, i) =>
    expect(Math.abs(q - x[i]! / y[i]!), `${x[i]} / ${y[i]}`).toBeLessThanOrEqual(
      2 ** -126 + 2 ** -24 * Math.abs(x[i]! / y[i]!),
    ),
  );
});
test("what a normalisation, a softmax or an optimizer divides by is divided as before", () => {
  const text = `export fn f(x: f32[B, 100], w: f32[100, 10]) -> f32[B, 10] = softmax((x / 255 - mean(x / 255, axis: 1, keep: true)) / sqrt(var(x, axis: 1, keep: true) + 1e-5) @ w)`;
  const code = compile(text, { name: "test.dlm" })
    .plan!.modules.map((m) => m.code)
    .join("\n");
  expect(code).not.toContain("dlm_div_rounded");
});
