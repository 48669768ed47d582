// An index of a `for`, a reducer or a loop, and the whole numbers of a program (dims, row, step, epoch, batch), with values of rank 0: inputs, reductions, parameters,
// states, draws. Every operator and function between them is an element; what cannot be one is a diagnostic.
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { analyse } from "../../compiler/front.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";
import { programsOf } from "../graph/programs.ts";
import { errorsOf, expectValues } from "./values.ts";

const s = 2.5;
const x = [1, -2, 4, 0.5, 3];
const range5 = [0, 1, 2, 3, 4];

describe("an index with a value of rank 0", () => {
  test.each([
    ["j * 2.0", range5.map((j) => j * 2)],
    ["2.0 - j", range5.map((j) => 2 - j)],
    ["j * s", range5.map((j) => j * s)],
    ["s - j", range5.map((j) => s - j)],
    ["j / s", range5.map((j) => j / s)],
    ["s / (j + 1)", range5.map((j) => s / (j + 1))],
    ["s % (j + 1)", range5.map((j) => s - (j + 1) * Math.floor(s / (j + 1)))],
    ["j // s", range5.map((j) => Math.floor(j / s))],
    ["s^j", range5.map((j) => s ** j)],
    ["min(j, 2) * s", range5.map((j) => Math.min(j, 2) * s)],
    ["abs(j - 2)^2 * s", range5.map((j) => (j - 2) ** 2 * s)],
    ["f32(max(j, n) // 2)", range5.map((j) => Math.floor(Math.max(j, 3) / 2))],
    ["j^2 * s", range5.map((j) => j * j * s)],
    ["f32(j < n)", [1, 1, 1, 0, 0]],
    ["f32(n >= j)", [1, 1, 1, 1, 0]],
    ["f32(j == n or j == 0)", [1, 0, 0, 1, 0]],
    ["f32(j != n and flag)", [1, 1, 1, 0, 1]],
    ["f32(not flag or j < s)", [1, 1, 1, 0, 0]],
    ["f32(j + n)", range5.map((j) => j + 3)],
    ["f32(n - j)", range5.map((j) => 3 - j)],
    ["f32(j * n)", range5.map((j) => j * 3)],
    ["f32(j // n)", range5.map((j) => Math.floor(j / 3))],
    ["f32(j % n)", range5.map((j) => j % 3)],
    ["j / n", range5.map((j) => j / 3)],
    ["f32(-j + n)", range5.map((j) => 3 - j)],
    ["f32(max(j, n))", range5.map((j) => Math.max(j, 3))],
    ["min(j, s)", range5.map((j) => Math.min(j, s))],
    ["where(j < n, s, 0)", range5.map((j) => (j < 3 ? s : 0))],
    ["where(flag, j, s)", range5],
    ["where(flag, s, j)", range5.map(() => s)],
    ["exp(-j * s)", range5.map((j) => Math.exp(-j * s))],
    ["sin(j / 2 * s)", range5.map((j) => Math.sin((j / 2) * s))],
    ["j / 2 + s", range5.map((j) => j / 2 + s)],
    ["abs(j - s)", range5.map((j) => Math.abs(j - s))],
    ["j * mean(x)", range5.map((j) => j * 1.3)],
    ["j * (sum over k: x[k])", range5.map((j) => j * 6.5)],
    ["sum over k: x[k] * j", range5.map((j) => j * 6.5)],
    ["sum over k: where(k <= j, x[k] * s, 0)", [2.5, -2.5, 7.5, 8.75, 16.25]],
    ["mean over k in 0..j + 1: x[k] * s", [2.5, -1.25, 2.5, 2.1875, 3.25]],
    ["x[j] * j", x.map((v, j) => v * j)],
    ["x[min(j + n, 4)]", [0.5, 3, 3, 3, 3]],
    ["x[j - n] ?? s", [s, s, s, 1, -2]],
    ["x[argmax(x)] * j", range5.map((j) => 4 * j)],
    ["f32(j == argmax(x))", [0, 0, 1, 0, 0]],
    ["f32(j < size(x))", [1, 1, 1, 1, 1]],
    ["relu(j - s)", range5.map((j) => Math.max(j - s, 0))],
    ["clamp(j, 1, s)", range5.map((j) => Math.min(Math.max(j, 1), s))],
    ["clamp(s, 0, j)", range5.map((j) => Math.min(s, j))],
    ["lerp(0, s, j / 4)", range5.map((j) => (s * j) / 4)],
    ["relu(j)", range5],
    ["square(j)", range5.map((j) => j * j)],
    ["leaky_relu(-j)", range5.map((j) => -0.01 * j)],
    ["mse(j, s)", range5.map((j) => (j - s) ** 2)],
    ["f(j, s)", range5.map((j) => j * s + 1)],
    ["dotted(x, j)", range5.map((j) => j * 6.5)],
    ["row(x, j) * s", x.map((v) => v * s)],
    ["(|a| a * s)(j)", range5.map((j) => j * s)],
    ["max(s, mean over k: x[k] * j)", range5.map((j) => Math.max(s, 1.3 * j))],
    ["stop(j * s)", range5.map((j) => j * s)],
    ["f32(i32(j * s))", range5.map((j) => Math.trunc(j * s))],
    ["f32(any(j > 1))", [0, 0, 1, 1, 1]],
    ["sum(j) + mean(s)", range5.map((j) => j + s)],
    ["if true then j * s else s", range5.map((j) => j * s)],
    ["f32(bool(n - j))", [1, 1, 1, 0, 1]],
    ["f32(size(s) + rank(s) + j)", range5.map((j) => j + 1)],
    ["[s, 1.0][0] * j", range5.map((j) => j * s)],
  ] as const)("%s", async (body, want) => {
    const text = `fn f(a: f32, b: f32) -> f32 = a * b + 1
fn dotted(a: f32[N], k: f32) -> f32 = sum over i: a[i] * k
fn row(a: f32[N], k: i32 in 0..N) -> f32 = a[k]
export fn probe(s: f32, n: i32 in 1..4, flag: bool, x: f32[5]) -> f32[5] = for j in 0..5: ${body}\n`;
    await expectValues(text, { s, n: 3, flag: 1, x }, [...want], 2e-5);
  });
});
test("as indices, in reducers and with run-time dims", async () => {
  await expectValues(
    "export fn f(x: f32[N], s: f32) -> f32[N] = for j in 0..N: j * s + N * x[j]",
    { x: [1, 2, 3], s },
    [3, 8.5, 14],
  );
  await expectValues("export fn f(s: f32) -> f32 = sum over j in 0..5: j * s", { s }, 25);
  await expectValues("export fn f(s: f32) -> i32 = argmax over j in 0..5: -(j - s)^2 + 0.1 * j", { s }, 3);
  await expectValues("export fn f(n: i32 in 0..4) -> i32 = sum over j in 0..5: j * n", { n: 3 }, 30);
  await expectValues(
    "export fn f(n: i32 in 0..4) -> bool[3] = for j in 0..3: all over k in 0..2: j + k < n",
    { n: 3 },
    [1, 1, 0],
  );
  await expectValues("export fn f(s: f32) -> f32 = grad(sum(for j in 0..5: j * s^2), wrt: s)", { s }, 50);
  await expectValues("export fn f(s: f32) -> f32 = sum(for j in 0..5: j * s^2) |> grad(wrt: s)", { s }, 50);
});
test("in loops", async () => {
  await expectValues(
    "export fn f(s: f32) -> f32[4] = scan (k in 0..4; h = 0.0) { next h = h + k * s\n yield h + k }",
    { s },
    [0, 1, 4.5, 10.5],
  );
  await expectValues(
    "export fn f(s: f32, x: f32[4]) -> f32 = fold (v in x, k in 0..4; h = 0.0) { next h = h + v * k + s }",
    { s, x: [1, 2, 3, 4] },
    30,
  );
  await expectValues(
    "export fn f(s: f32) -> f32[3] = fold (k in 0..4; h = zeros[3]) { next h = h + (for j in 0..3: j * k * s) }",
    { s },
    [0, 15, 30],
  );
  await expectValues(
    "export fn f(n: i32 in 0..3) -> i32 = fold (k in 0..4; c = 0) { next c = where(k < n, k + n, c) }",
    { n: 2 },
    3,
  );
  await expectValues(
    "export fn f(x: f32[4]) -> f32[4] = scan (k in 0..4; h = 0.0) { yield sum over j in 0..k + 1: x[j] * k }",
    { x: [1, 2, 3, 4] },
    [0, 3, 12, 30],
  );
});
test("parameters of rank 0, states, draws, columns and the numbers of a train block", async () => {
  const text = `
data d {
  rows: 12
  let shift = uniform(0, 3)[]
  field a: f32[5] = for j in 0..5: j * shift + row
  field b: f32[5] = for j in 0..5: j * f32(row) / rows + (sum over k in 0..j + 1: k * shift)
  field y: f32 = shift * row
  field k: i32 in 0..5 = randint(0, 5)[]
  field c: f32[5] = for j in 0..5: f32(j < k) + k / 2 * shift
}
layer Scale()(x: f32[...S, N]) -> f32[...S, N] {
  param w: f32 ~ ones
  state seen: f32 = 0
  state count: i32 = 0
  next seen = seen + w, count = count + 1
  return for ..., j: x[..., j] + j * w + j * seen + j * f32(count) + where(j < count, w, 0)
}
model net(x: f32[B, 5]) -> f32[B] = x |> Scale() |> Linear(1) |> squeeze(-1)
train fit on d(batch: 4) {
  state total: f32 = 0
  let decay = normal[]
  let ramp = for j in 0..5: j * step + j / batch + epoch * j + j * total + j * decay + j / steps
  let loss = mse(net(a + b + c + ramp), y)
  minimize loss by sgd(lr: 1e-9 * (for j in 0..1: j * loss + 0.5)[0])
  next total = total + loss
  metric m = sum over j in 0..5: j * loss
  steps: 4
}
export fn predict(x: f32[B, 5]) -> f32[B] {
  let p = net(x)
  return for b: p[b] * b + B * net.scale.w + b * fit.total
}
`;
  const { program, plan, diagnostics } = compile(text, { name: "numbers.dlm" });
  if (!program) throw new Error(renderDiagnostics(diagnostics));
  for (const p of programsOf(program)) verify(p);
  const model = await load(plan!, { device: (await testDevice()).device });
  expect(Number.isFinite((await model.train()).loss)).toBe(true);
  model.close();
});

test.each(["i", "j", "k", "m", "n", "r", "q", "c", "l", "row", "step"])(
  "a whole number called %s, as loops of kernels are",
  async (name) => {
    const x = Array.from({ length: 6 }, (_, b) => Array.from({ length: 40 }, (_, q) => ((b * 7 + q) % 5) - 2));
    const w = Array.from({ length: 40 }, (_, q) => (q % 3) - 1);
    const text = `export fn f(x: f32[6, 40], w: f32[40], ${name}: i32 in 0..700) -> f32[6] = for a: (sum over z: x[a, z] * w[z]) + f32((${name} + 1) % 3) + where(${name} >= 2, 10.0, 0) + x[${name} % 6, ${name} // 20]\n`;
    for (const v of [0, 5, 699])
      await expectValues(
        text,
        { x, w, [name]: v },
        x.map(
          (xs) =>
            xs.reduce((sum, y, q) => sum + y * w[q]!, 0) +
            ((v + 1) % 3) +
            (v >= 2 ? 10 : 0) +
            x[v % 6]![Math.floor(v / 20)]!,
        ),
      );
    const block = `model net(x: f32[B, 3]) = x |> Linear(1)\ntrain fit {\n  state ${name}: i32 in 0..3 = 0\n  let t = [1.0, 2.0, 3.0]\n  minimize mean(net(ones[2, 3])^2) * t[${name}] by sgd()\n  next ${name} = (${name} + 1) % 3\n  metric c = ${name}\n  steps: 7\n}\nexport fn f() -> f32 = [5.0, 6.0, 7.0][fit.${name}]\n`;
    if (name === "step" || name === "row") return;
    const { plan, diagnostics } = compile(block, { name: "names.dlm" });
    if (!plan) throw new Error(renderDiagnostics(diagnostics));
    const model = await load(plan, { device: (await testDevice()).device });
    const { metrics } = await model.train();
    expect(metrics["c"]).toBe(1); // after the update of the seventh step
    expect([...(await model.run("f"))["f"]!.data]).toEqual([6]);
    model.close();
  },
);

// ---------------------------------------------------------------- everything with everything

const numbers = [
  "j",
  "j + 1",
  "j / 2",
  "-j",
  "n",
  "s",
  "flag",
  "x[j]",
  "i[j]",
  "x[j] > 0",
  "mean(x)",
  "argmax(x)",
  "(sum over k: x[k] * j)",
  "B",
  "2",
  "1.5",
  "true",
  "x",
  "i",
  "[j, s]",
  "(j, s)",
  "relu",
  "0..j",
];
const binary = ["+", "-", "*", "/", "//", "%", "^", "@", "==", "<", ">=", "and", "or"];
const functions = [
  "exp",
  "abs",
  "sign",
  "floor",
  "f32",
  "i32",
  "bool",
  "stop",
  "not ",
  "-",
  "sum",
  "mean",
  "argmax",
  "any",
  "logsumexp",
  "relu",
  "softmax",
  "square",
  "cumsum",
  "size",
  "rank",
  "len",
  "flip",
  "transpose",
  "unsqueeze",
  "squeeze",
  "categorical",
  "softplus",
  "norm",
  "std",
  "frozen",
  "reshape[1]",
  "expand[3]",
  "zeros",
  "eye",
];
const bodies = [
  ...numbers.flatMap((a) =>
    numbers.flatMap((b) => [
      ...binary.map((o) => `(${a}) ${o} (${b})`),
      `max(${a}, ${b})`,
      `where(flag, ${a}, ${b})`,
      `where(${a}, ${b}, 0)`,
      `concat([${a}, ${b}])`,
      `mse(${a}, ${b})`,
      `clamp(${a}, ${b})`,
      `take(${a}, ${b})`,
      `huber(${a}, ${b}, delta: 0.5)`,
    ]),
  ),
  ...numbers.flatMap((a) => [
    ...functions.map((f) => `${f}(${a})`),
    `zeros[${a}]`,
    `x[${a}]`,
    `x[${a}] ?? 0`,
    `x[0..${a}]`,
    `normal[${a}]`,
    `normal(${a}, 1)[]`,
    `expand[${a}](x)`,
    `(for k in 0..3: x[k] * (${a}))`,
    `sum(for k in 0..3: k)`,
    `trace(eye(3)) * (${a})`,
    `total(x, ${a})`,
    `(sum over k in 0..${a}: x[k])`,
    `(if ${a} then 1 else 0)`,
    `grad(${a}, wrt: s)`,
    `one_hot(${a}, 3)`,
    `(fold (v in x; h = 0.0) { next h = h + v * (${a}) })`,
    `(scan (v in x; h = ${a}) { next h = h + v\n yield h })`,
  ]),
];
const contexts: readonly (readonly [string, (body: string) => string])[] = [
  ["for", (b) => `for j in 0..3: ${b}`],
  ["a reducer", (b) => `sum over j in 0..3: ${b}`],
  ["a for over a run-time dim", (b) => `for j in 0..B: ${b}`],
  ["scan", (b) => `scan (j in 0..3; h0 = 0.0) { yield ${b} }`],
];
test.each(contexts.map(([name, context], i) => [name, context, i] as const))(
  "in %s: a value or a diagnostic, never an internal error",
  (_name, context, which) => {
    const head = "fn take(a: f32[N], k: i32 in 0..N) -> f32 = a[k]\n";
    const lines = bodies
      .filter((_, i) => which === 0 || i % 4 === which)
      .map(
        (b, i) =>
          `export fn p${i}(s: f32, n: i32 in 1..4, flag: bool, x: f32[3], i: i32[3] in 0..3, unused: f32[B]) = ${context(b).replaceAll("\n", " ")}`,
      );
    const name = { name: "index.dlm" };
    /** Diagnostics of all lines; where it throws, halves tell which line does. */
    const look = (part: readonly string[]): ReturnType<typeof analyse> => {
      try {
        return analyse(head + part.join("\n"), name);
      } catch (error) {
        if (part.length === 1)
          throw new Error(`internal error in\n${part[0]}\n${String((error as Error).stack)}`, { cause: error });
        const half = part.length >> 1;
        look(part.slice(0, half));
        look(part.slice(half));
        throw error;
      }
    };
    let good = 0;
    const piece = 1500;
    for (let from = 0; from < lines.length; from += piece) {
      let part = lines.slice(from, from + piece);
      let found = look(part);
      // faults of reading come before those of meaning
      for (let round = 0; round < 3 && !found.program; round++) {
        const starts = new Set(
          found.diagnostics.map((d) => d.span.file.text.slice(0, d.span.start).split("\n").length - 2),
        );
        part = part.filter((_, i) => !starts.has(i));
        found = look(part);
      }
      if (!found.program) throw new Error(renderDiagnostics(found.diagnostics));
      good += part.length;
      for (const e of found.program.exports) {
        try {
          verify(e.program);
        } catch (error) {
          throw new Error(`in\n${lines[Number(e.name.slice(1))]}\n${String((error as Error).stack)}`, { cause: error });
        }
      }
    }
    expect(good).toBeGreaterThan(lines.length / 20);
  },
  300_000,
);
test("a body that is made of tensors is taken for every index", () => {
  const body = (b: string): string => `export fn f(x: f32[3], s: f32) = for j in 0..3: ${b}`;
  for (const b of ["sum(x * j)", "mean([j * s, s])", "mse(x, j)", "unsqueeze(j)"])
    expect(errorsOf(body(b)), b).toEqual([]);
  expect(errorsOf(`fn nested(a: f32) -> f32 = sum(for k in 0..3: k * a)\n${body("nested(j)")}`)).toEqual([]);
});
