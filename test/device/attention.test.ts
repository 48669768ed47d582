// Softmaxes between contractions in tiles, without the matrix of scores: on a device against the evaluator, with tiles of many sizes.
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { targets, type Target } from "../../compiler/kernel/target.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import type { Plan } from "../../runtime/plan.ts";
import { testDevice } from "../device.ts";
import { cases, firstSeed, random } from "../fuzz/random.ts";
import { compareTraining } from "./training.ts";

const software = targets["software"]!;
const always: Target = { ...software, wideBytes: 0 };
/** Little memory: tiles are small, and every axis has several. */
const small: Target = { ...always, workgroupMemory: 1536 };

interface Case {
  readonly data?: string; // fields beside x and y
  readonly shape?: readonly [time: number, width: number];
  readonly model: string;
  readonly arguments?: string;
  readonly loss?: string;
  readonly inTiles: boolean;
}
function program({ data = "", shape = [12, 8], model, arguments: more = "", loss = "" }: Case): string {
  const [time, width] = shape;
  return `
const time = ${time}
const width = ${width}
data rows {
  rows: 12
  field x: f32[time, width] = normal[time, width]
  field y: f32[time, width] = normal[time, width]
${data}
}
${model}
train fit on rows(batch: 3, seed: 7, shuffle: false) {
  minimize ${loss || `mse(net(x${more}), y)`} by sgd(lr: 0.3)
  steps: 3
}`;
}
const multihead = (options: string): string => `
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> MultiHeadAttention(${options})`;
const plain = (score: string, weights = "softmax(s)"): string => `
layer Own()(x: f32[B, T, D]) -> f32[B, T, D] {
  let q = x |> Linear(D)
  let k = x |> Linear(D)
  let v = x |> Linear(D)
  let s = ${score}
  let o = ${weights} @ v
  return o |> Linear(D)
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Own()`;

const table: Record<string, Case> = {
  "one head": { model: plain("q @ transpose(k)"), inTiles: true },
  heads: { model: multihead("heads: 2"), inTiles: true },
  causal: { model: multihead("heads: 2, causal: true"), inTiles: true },
  "a time that no tile divides": { shape: [37, 8], model: multihead("heads: 2, causal: true"), inTiles: true },
  "a time of one": { shape: [1, 8], model: multihead("heads: 2"), inTiles: false },
  "a time of two": { shape: [2, 8], model: multihead("heads: 2, causal: true"), inTiles: true },
  "grouped queries": { shape: [12, 16], model: multihead("heads: 4, kv_heads: 2, causal: true"), inTiles: true },
  "one key for all queries": { shape: [13, 16], model: multihead("heads: 4, kv_heads: 1"), inTiles: true },
  distances: { model: multihead("heads: 2, causal: true, alibi: true"), inTiles: true },
  "turned by places": { model: multihead("heads: 2, causal: true, rotary: true"), inTiles: true },
  dropout: { model: multihead("heads: 2, dropout: 0.3"), inTiles: true },
  "lengths that are data, some of them 0": {
    data: "  field n: i32 in 0..13 = (row * 5) % 13",
    model: `
model net(x: f32[B, T, D], n: i32[B] in 0..T + 1) -> f32[B, T, D] {
  let a = MultiHeadAttention(heads: 2, causal: true)
  return a(x, length: n)
}`,
    arguments: ", n",
    inTiles: true,
  },
  "a mask that is data": {
    data: "  field keep: f32[12] = uniform[12]",
    model: `
model net(x: f32[B, T, D], keep: f32[B, T]) -> f32[B, T, D] {
  let a = MultiHeadAttention(heads: 2)
  return a(x, keep: for b, t: keep[b, t] > 0.4)
}`,
    arguments: ", keep",
    inTiles: true,
  },
  "keys and values of another length": {
    data: "  field z: f32[21, 6] = normal[21, 6]",
    model: `
model net(x: f32[B, T, D], z: f32[B, S, E]) -> f32[B, T, D] {
  let a = MultiHeadAttention(heads: 2)
  return a(x, z)
}`,
    arguments: ", z",
    inTiles: true,
  },
  "masked by infinity": {
    model: plain("for b in 0..B, i in 0..T, j in 0..T: where(j <= i, (q @ transpose(k))[b, i, j], -inf)"),
    inTiles: true,
  },
  "rows that are masked whole": {
    model: plain("for b in 0..B, i in 0..T, j in 0..T: where(i % 3 != 1, (q @ transpose(k))[b, i, j], -inf)"),
    inTiles: true,
  },
  "rows above a band, masked whole": {
    model: plain("for b in 0..B, i in 0..T, j in 0..T: where(j + 4 <= i, (q @ transpose(k))[b, i, j], -inf)"),
    inTiles: true,
  },
  "a mask within a causal one": {
    model: plain(
      "for b in 0..B, i in 0..T, j in 0..T: where(j <= i, (q @ transpose(k))[b, i, j] + where(j > 4, 0.0, -inf), -inf)",
    ),
    inTiles: true,
  },
  "a logarithm of 0 within a causal mask": {
    model: plain(
      "for b in 0..B, i in 0..T, j in 0..T: where(j <= i, (q @ transpose(k))[b, i, j] + log(f32(min(j // 5, 1))), -inf)",
    ),
    inTiles: true,
  },
  "a division by 0 within a causal mask": {
    model: plain(
      "for b in 0..B, i in 0..T, j in 0..T: where(j <= i, (q @ transpose(k))[b, i, j] - 1 / f32(min(j // 5, 1)), -inf)",
    ),
    inTiles: true,
  },
  "a sum that is data, within a causal mask": {
    data: "  field pad: f32[12] = for t in 0..12: where(t < 5, -inf, 0.0)",
    model: `
layer Own()(x: f32[B, T, D], pad: f32[B, T]) -> f32[B, T, D] {
  let q = x |> Linear(D)
  let s = q @ transpose(x |> Linear(D))
  return softmax(for b, i, j: where(j <= i, s[b, i, j] + pad[b, j], -inf)) @ (x |> Linear(D))
}
model net(x: f32[B, T, D], pad: f32[B, T]) -> f32[B, T, D] {
  let a = Own()
  return a(x, pad)
}`,
    arguments: ", pad",
    inTiles: true,
  },
  "a maximum that values are mixed with": {
    model: `
layer Own()(x: f32[B, T, D]) -> f32[B, T, D] {
  let q = x |> Linear(D)
  let v = x |> Linear(D)
  let s = q @ transpose(x |> Linear(D))
  let m = for b in 0..B, i in 0..T: max over j: s[b, i, j]
  return for b, i, d: sum over j: exp(s[b, i, j] - m[b, i]) * tanh(m[b, i] * v[b, j, d])
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Own()`,
    inTiles: true,
  },
  "scores with a slope": { model: plain("tanh(q @ transpose(k)) * 5"), inTiles: true },
  "weights that are more than a softmax": {
    model: plain("q @ transpose(k)", "(softmax(s) + 0.1 * sigmoid(s))"),
    inTiles: true,
  },
  "the same for a time of two": {
    shape: [2, 8],
    model: plain("q @ transpose(k)", "(softmax(s) + 0.1 * sigmoid(s))"),
    inTiles: true,
  },
  "a bias that is learned": {
    model: `
layer Biased()(x: f32[B, T, D]) -> f32[B, T, D] {
  param bias: f32[T, T] ~ normal(0, 1)
  let q = x |> Linear(D)
  let k = x |> Linear(D)
  let s = q @ transpose(k) + bias
  return softmax(s) @ (x |> Linear(D))
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Biased()`,
    inTiles: true,
  },
  "a bias by distance that is learned": {
    model: `
layer Biased()(x: f32[B, T, D]) -> f32[B, T, D] {
  param bias: f32[2 * T - 1] ~ normal(0, 1)
  let q = x |> Linear(D)
  let k = x |> Linear(D)
  let s = for b in 0..B, i in 0..T, j in 0..T: (q @ transpose(k))[b, i, j] + bias[i - j + T - 1]
  return softmax(s) @ (x |> Linear(D))
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Biased()`,
    inTiles: true,
  },
  "a temperature that is learned": {
    model: `
layer Scaled()(x: f32[B, T, D]) -> f32[B, T, D] {
  param scale: f32 ~ 0.5
  let q = x |> Linear(D)
  return softmax(q @ transpose(q) * scale) @ (x |> Linear(D))
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Scaled()`,
    inTiles: true,
  },
  "two of them": {
    model: `
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> stack 2 of MultiHeadAttention(heads: 2, causal: true)`,
    inTiles: true,
  },
  "scores that are used elsewhere": {
    model: `
layer Own()(x: f32[B, T, D]) -> f32[B, T, D] {
  let q = x |> Linear(D)
  let s = q @ transpose(q)
  let more = s[:, :, 0..D]
  return softmax(s) @ x + more
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Own()`,
    inTiles: false,
  },
  "a slope of a slope": {
    model: multihead("heads: 2, causal: true"),
    loss: "mse(net(x), y) + 0.1 * mean(grad(mse(net(x), y), wrt: x)^2)",
    inTiles: true,
  },
  "a loss over many classes": {
    data: "  field c: i32 in 0..50 = (row * 7) % 50",
    model: `
model net(x: f32[B, T, D]) -> f32[B, 50] = x |> flatten |> Linear(50)`,
    loss: "cross_entropy(net(x), c)",
    inTiles: true,
  },
  "a loss over many classes at every place, smoothed and weighed": {
    data: "  field c: i32[12] in 0..50 = for t in 0..12: (row * 7 + t) % 50",
    model: `
const weights = for k in 0..50: 1.0 + k % 3
model net(x: f32[B, T, D]) -> f32[B, T, 50] = x |> Linear(16, act: gelu) |> Linear(50, bias: false)`,
    loss: "cross_entropy(net(x), c, smooth: 0.1, ignore: 3)",
    inTiles: true,
  },
};
const isInTiles = (plan: Plan): boolean =>
  plan.modules.some((m) => m.code?.includes("in one launch, a workgroup for each of"));

/** Enough for targets whose tiles have other sizes. */
const few = ["causal", "a time that no tile divides", "grouped queries", "dropout", "a loss over many classes"];
describe.each<readonly [string, Target, readonly string[]]>([
  ["small tiles", small, Object.keys(table)],
  ["tiles as they come", always, few],
  ["tiles for a graphics card", { ...targets["discrete"]!, wideBytes: 0 }, few],
])("%s", (_name, target, names) => {
  test.each(names)("%s", async (name) => {
    const own = table[name]!;
    const { device } = await testDevice();
    const plan = await compareTraining(program(own), device, { target, steps: 2 });
    expect(isInTiles(plan)).toBe(own.inTiles);
  });
});
/** Heads, lengths, masks and sizes of tiles by chance. */
function randomCase(seed: number): { readonly text: string; readonly target: Target } {
  const { int, chance, pick } = random(seed);
  const [time, other, groups, size] = [int(1, 14), int(1, 14), int(1, 2), pick([4, 5, 8])];
  const heads = groups * int(1, 3);
  const width = heads * size;
  const [isCross, hasLengths] = [chance(0.5), chance(0.5)];
  const keys = isCross ? other : time;
  const options = [
    `heads: ${heads}, kv_heads: ${groups}`,
    ...(chance(0.5) ? ["causal: true"] : []),
    ...(chance(0.3) ? ["alibi: true"] : []),
    ...(chance(0.3) ? ["dropout: 0.2"] : []),
  ];
  const text = `
data rows {
  rows: 8
  field x: f32[${time}, ${width}] = normal[${time}, ${width}]
  field z: f32[${other}, ${width}] = normal[${other}, ${width}]
  field n: i32 in 0..${keys + 1} = (row * 5) % ${keys + 1}
  field y: f32[${time}, ${width}] = normal[${time}, ${width}]
}
model net(x: f32[B, T, D], z: f32[B, S, D], n: i32[B] in 0..${keys + 1}) -> f32[B, T, D] {
  let a = MultiHeadAttention(${options.join(", ")})
  return a(x${isCross ? ", z" : ""}${hasLengths ? ", length: n" : ""})
}
train fit on rows(batch: ${int(1, 4)}, seed: 3, shuffle: false) {
  minimize mse(net(x, z, n), y) by sgd(lr: 0.2)
  steps: 2
}`;
  const device = targets[pick(["software", "discrete"])]!;
  return { text, target: { ...device, wideBytes: 0, workgroupMemory: pick([1200, 2500, 16384]) } };
}
test.each(Array.from({ length: cases(6) }, (_, i) => firstSeed + i))("random attention %i", async (seed) => {
  const { device } = await testDevice();
  const { text, target } = randomCase(seed);
  await compareTraining(text, device, { target, steps: 2 });
});
test("scores that memory has room for are kept there", () => {
  const { plan } = compile(program(table["causal"]!));
  expect(isInTiles(plan!)).toBe(false);
});

describe("exports of any batch", () => {
  const source = (result: string, type: string): string => `
model net(x: f32[B, 20, 8]) -> f32[B, 20, 8] {
  let (y, weights) = x |> MultiHeadAttention(heads: 2, causal: true, return_weights: true)
  return y
}
model seen(x: f32[B, 20, 8]) -> f32[B, 2, 20, 20] {
  let (y, weights) = x |> MultiHeadAttention(heads: 2, causal: true, return_weights: true)
  return weights
}
export fn result(x: f32[B, 20, 8]) -> ${type} = ${result}`;
  test.each([
    ["the result", source("net(x)", "f32[B, 20, 8]"), true],
    [
      "the result of many rounds",
      source("scan (k in 0..3; h = x) { next h = net(h) yield h } |> sum(axis: 0)", "f32[B, 20, 8]"),
      true,
    ],
    ["the weights, which are then in memory", source("seen(x)", "f32[B, 2, 20, 20]"), false],
  ])("%s", async (_title, text, inTiles) => {
    const { device } = await testDevice();
    const { plan, program: made, diagnostics } = compile(text, { target: small });
    if (!plan || !made) throw new Error(renderDiagnostics(diagnostics));
    expect(isInTiles(plan)).toBe(inTiles);
    const model = await load(plan, { device });
    try {
      const parameters = await model.parameters();
      for (const batch of [1, 3]) {
        const x = Array.from({ length: batch * 160 }, (_, i) => Math.fround(Math.sin(i * 1.7)));
        const [e] = made.exports;
        const values = new Map<Source, ArrayLike<number>>([[e!.inputs[0]!.source, x]]);
        for (const p of made.parameters) values.set(p.source, parameters[p.path]!.data);
        const [want] = [...evaluate(e!.program, values, { B: batch }).outputs.values()];
        const got = await model.run("result", { x: { shape: [batch, 20, 8], data: x } });
        const [own] = Object.values(got);
        want!.forEach((v, i) => expect(Math.abs(own!.data[i]! - v)).toBeLessThan(1e-4));
      }
    } finally {
      model.close();
    }
  });
});

describe("memory", () => {
  const gpt = (time: number): string => `
data texts {
  rows: 8
  field ids: i32[${time + 1}] in 0..65 = for k in 0..${time + 1}: (row * 5 + k * k) % 65
}
layer Block()(x: f32[B, T, D]) -> f32[B, T, D] {
  let h = x + (x |> LayerNorm() |> MultiHeadAttention(heads: 4, causal: true))
  return h + (h |> LayerNorm() |> Linear(4 * D, act: gelu) |> Linear(D))
}
model gpt(ids: i32[B, T] in 0..65) -> f32[B, T, 65] = ids |> Embedding(65, 128) |> stack 4 of Block() |> LayerNorm() |> Linear(65)
train lm on texts(batch: 4, seed: 1) {
  minimize cross_entropy(gpt(ids[:, 0..-1]), ids[:, 1..${time + 1}]) by adamw(lr: 1e-3)
  steps: 10
}`;
  const bytesOf = (time: number): number =>
    compile(gpt(time))
      .plan!.buffers.flatMap((b) => (typeof b.bytes === "number" ? [b.bytes] : []))
      .reduce((sum, n) => sum + n, 0);
  test("a GPT of context 1,024 trains in 400 MB, and one of 2,048 in twice that", () => {
    const [once, twice] = [bytesOf(1024), bytesOf(2048)];
    expect(once).toBeLessThan(400e6);
    expect(twice).toBeLessThan(2.1 * once);
  }, 120_000);
  test("a loss over 20,000 classes has neither its logits nor their gradient in memory", () => {
    const { plan } = compile(`
data rows {
  rows: 600
  field x: f32[32] = normal[32]
  field c: i32 in 0..20000 = (row * 7) % 20000
}
model net(x: f32[B, D]) -> f32[B, 20000] = x |> Linear(16, act: tanh) |> Linear(20000)
train fit on rows(batch: 600) {
  minimize cross_entropy(net(x), c) by adamw(lr: 1e-3)
  steps: 10
}`);
    const logits = 600 * 20000 * 4;
    const scratch = plan!.buffers.flatMap((b) =>
      b.role === "scratch" && typeof b.bytes === "number" ? [b.bytes] : [],
    );
    expect(Math.max(...scratch)).toBeLessThan(logits / 10);
  });
});
