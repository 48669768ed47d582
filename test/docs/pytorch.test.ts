// docs/pytorch.md: its programs train and give what it says, what its tables show is accepted, what it warns of happens, and its script of weights brings a network over.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { analyse } from "../../compiler/front.ts";
import { readSafetensors, writeSafetensors, type StoredTensor } from "../../runtime/safetensors.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { made, withModel } from "../model.ts";
import { permute, reshaped, type ReferenceTensor } from "../reference/case.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/pytorch.md"), "utf8");
const blocks = [...page.matchAll(/^```dlm\n([^]*?)^```$/gm)].map(([, text]) => text!);
const read = (path: string): Promise<Uint8Array> =>
  Promise.resolve(new Uint8Array(readFileSync(join(root, "examples", path))));
/** The block with `steps` in place of its epochs and without its files. */
const trained = (text: string, steps: number): string =>
  text
    .replace(/^ {2}(save|epochs): .*$/gm, "")
    .replace(/^train [^]*?^}$/m, (block) => `${block.slice(0, -1)}  steps: ${steps}\n}`);
const numbers = <T>(n: number, from: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => from(i));

test("there are three programs", () => expect(blocks).toHaveLength(3));
test("the same program", async () => {
  await withModel(
    made(trained(blocks[0]!, 60)),
    async (model) => {
      const { measured } = await model.train("fit");
      expect(measured["test"]!["acc"]).toBeGreaterThan(0.7);
      const x = [numbers(8, (i) => numbers(8, (j) => [(i * j) % 2]))];
      const { predict } = await model.run("predict", { x });
      expect(predict!.shape).toEqual([1, 10]);
    },
    { read },
  );
}, 120_000);
test("parts of a network", async () => {
  await withModel(made(trained(blocks[1]!, 40)), async (model) => {
    const { measured, metrics } = await model.train("fit");
    expect(measured["valid"]!["loss"]).toBeLessThan(0.8);
    expect(metrics["slope"]).toBeGreaterThan(0);
    const results = await model.run("predict", { x: [[0, 1]] });
    expect(Object.values(results).map((t) => t.shape)).toEqual([[1], [1, 16]]);
  });
}, 60_000);
test("derivatives of one's own", async () => {
  await withModel(made(blocks[2]!), async (model) => {
    const slopes = Object.values(await model.run("slopes", { x: [0.3, -2, 5] }));
    expect(slopes.map((t) => [...t.data])).toEqual([
      [1, 1, 1],
      [-2, -2, -2],
    ]);
    expect([...(await model.run("root", { x: [0, 4, -1] }))["root"]!.data]).toEqual([0, 0.25, 0]);
    expect((await model.run("jacobian", { x: [1, 2, 3] }))["jacobian"]!.shape).toEqual([3, 3]);
  });
}, 60_000);

const codes = (text: string): readonly string[] =>
  analyse(text, { name: "test.dlm" }).diagnostics.flatMap((d) => (d.severity === "error" ? [d.code] : []));
const data = `data digits {
  rows: 64
  field image: f32[8, 8, 1] = uniform[8, 8, 1]
  field x: f32[4] = normal[4]
  field t: f32 = sum(x)
  field y: i32 in 0..3 = row % 3
  holdout valid = 0.25
}
model body(x: f32[B, 4]) -> f32[B, 8] = x |> Linear(8)
model head(h: f32[B, 8]) -> f32[B, 3] = h |> Linear(3)
`;
const inTrain = (line: string, optimizer = "adam(lr: 1e-3)"): string =>
  `${data}train fit on digits(batch: 4) {
  let h = body(x)
  let z = head(h)
  let loss = cross_entropy(z, y)
  ${line.includes("minimize") ? line : `minimize loss by ${optimizer}\n  ${line}`}
  steps: 4
}`;
const applied = (shape: string, text: string): string =>
  `model net(x: f32[${shape}]) = x |> ${text}\nexport fn p(x: f32[${shape}]) = net(x)`;
/** What a cell of the first table says, and a program with it. */
const accepted: readonly (readonly [string, string])[] = [
  ["~ normal(0, 0.02)", "layer L(O: int)(x: f32[B, I]) { param w: f32[I, O] ~ normal(0, 0.02) return x @ w }"],
  [
    "`stack 6 of Block(8)`",
    `layer Block(n: int)(x: f32[B, n]) = Linear(n)(x)\n${applied("B, 8", "stack 6 of Block(8)")}`,
  ],
  [
    "`let tower = Block(8)`, then `tower(x)` and `tower(y)`",
    "layer Block(n: int)(x: f32[B, 4]) = Linear(n)(x)\nmodel net(x: f32[B, 4], y: f32[B, 4]) { let tower = Block(8) return tower(x) - tower(y) }\nexport fn p(x: f32[B, 4]) = net(x, x)",
  ],
  ["`Linear(64, act: relu)`", applied("B, 4", "Linear(64, act: relu) |> relu")],
  ["`reshape[B, 8, 5](x)`", "export fn p(x: f32[B, 40]) = reshape[B, 8, 5](x)"],
  ["`transpose(x, axes: [0, 2, 1])`", "export fn p(x: f32[B, 2, 3]) -> f32[B, 3, 2] = transpose(x, axes: [0, 2, 1])"],
  ["`x[:, -1]` |", "export fn p(x: f32[B, 3]) -> f32[B] = x[:, -1]"],
  ["`sum(x, axis: 1, keep: true)`", "export fn p(x: f32[B, 3]) -> f32[B, 1] = sum(x, axis: 1, keep: true)"],
  ["`concat(l, axis: 1)`", "export fn p(x: f32[B, 3]) -> f32[B, 6] { let l = [x, x] return concat(l, axis: 1) }"],
  ["the list itself", "export fn p(x: f32[3]) -> f32[2, 3] = [x, x]"],
  [
    "`for b, o: sum over i: x[b, i] * w[i, o]`, or `einsum`",
    "export fn p(x: f32[B, 3], w: f32[3, 2]) = (for b, o: sum over i: x[b, i] * w[i, o], einsum(`b i, i o -> b o`, x, w))",
  ],
  [
    "`normal[B, 64]`, `uniform[...S]`",
    "fn f(x: f32[...S]) = x + uniform[...S]\nexport fn p(x: f32[B, 64]) = f(x) + normal[B, 64]",
  ],
  ...["total", "each", "batch_mean"].map((reduce): [string, string] => [
    "`reduce: total`, `each`, `batch_mean`",
    `export fn p(x: f32[B, 3], y: f32[B, 3]) = mse(x, y, reduce: ${reduce})`,
  ]),
  [
    "`smooth:`, `ignore:`",
    "export fn p(z: f32[B, 3], y: i32[B] in 0..3) = cross_entropy(z, y, smooth: 0.1, ignore: 0)",
  ],
  ["`positive:`", "export fn p(z: f32[B], y: f32[B]) = bce_with_logits(z, y, positive: 2)"],
  ["`minimize loss by sgd(lr: 0.1, momentum: 0.9)`", inTrain("minimize loss by sgd(lr: 0.1, momentum: 0.9)")],
  [
    "`minimize loss wrt head by adam(lr: 1e-3) wrt body by adam(lr: 1e-5)`",
    inTrain("minimize loss wrt head by adam(lr: 1e-3) wrt body by adam(lr: 1e-5)"),
  ],
  ["`frozen(body)(x)`", inTrain("minimize cross_entropy(head(frozen(body)(x)), y) by sgd(lr: 0.1)")],
  ["`decay:`", inTrain("minimize loss by adam(lr: 1e-3, decay: 0.1)")],
  ["`clip_norm(1) >> adam(…)`, `clip_value(1) >> …`", inTrain("", "clip_norm(1) >> clip_value(1) >> adam(lr: 1e-3)")],
  ["`lr: cosine(1e-3, total: steps)`", inTrain("", "adam(lr: cosine(1e-3, total: steps))")],
  ["`lr: 0.1 * 0.5^(epoch // 30)`", inTrain("", "sgd(lr: 0.1 * 0.5^(epoch // 30))")],
  ["`0.1 * 0.1^(epoch // 30)`", inTrain("", "sgd(lr: 0.1 * 0.1^(epoch // 30))")],
  ["`step_decay(0.1, 30)`", inTrain("", "sgd(lr: step_decay(0.1, 30))")],
  ["`accumulate: 4`", inTrain("accumulate: 4")],
  ["`Dropout(0.5, always: true)`", applied("B, 4", "Linear(3) |> Dropout(0.5, always: true) |> Linear(2)")],
  ["`random_shift(x, 2)`", inTrain("metric m = mean(random_shift(image, 2))")],
  [
    "`state smooth = net`, `next smooth = 0.99 * smooth + 0.01 * net`",
    inTrain("state smooth = head\n  next smooth = 0.99 * smooth + 0.01 * head"),
  ],
  ["`stop: stalled(min: valid.loss, patience: 3)`", inTrain("stop: stalled(min: valid.loss, patience: 3)")],
  [
    '`save: best(max: valid.acc, "f")`',
    inTrain('metric acc = accuracy(z, y)\n  save: best(max: valid.acc, "f.safetensors")'),
  ],
  ["`metric slope = norm(grad(loss, wrt: h))`", inTrain("metric slope = norm(grad(loss, wrt: h))")],
  ["a `metric`, of any shape", inTrain("metric seen every evaluation = mean(h, axis: 0)")],
  ["`0.5 * decay * l2(net)`", inTrain("minimize loss + 0.5 * 0.01 * l2(head) by sgd(lr: 0.1)")],
  ['`load: from("torch.safetensors")`', inTrain('load: from("torch.safetensors")')],
  ["`into: body`", inTrain('load: from("torch.safetensors", into: body)')],
  ["`on digits(batch: 64)`", inTrain("seed: 1")],
  ...["Conv2d(16, 3)", "BatchNorm2d()", "GroupNorm(3)", "LayerNorm()"].map((layer): [string, string] => [
    layer.replace("3)", layer.startsWith("Group") ? "4)" : "3)"),
    applied("B, 8, 8, 3", layer),
  ]),
  ["`LSTM(64)`", applied("B, 5, 28", "LSTM(64)")],
];
test.each(accepted)("%s", (said, text) => {
  expect({ said, there: page.includes(said), errors: codes(text) }).toEqual({ said, there: true, errors: [] });
});

test("defaults of optimizers are those of PyTorch's reference cases", () => {
  const library = readFileSync(join(root, "compiler/std/optimizer.dlm"), "utf8");
  const own: Readonly<Record<string, string>> = { weight_decay: "decay", initial_accumulator_value: "start" };
  for (const kind of ["adam", "adamw", "adamax", "nadam", "radam", "rmsprop", "adagrad", "adadelta", "sgd"]) {
    const file = `test/golden/optimizer/opt_${kind}_${kind === "sgd" ? "plain" : "default"}.json`;
    const { attrs } = JSON.parse(readFileSync(join(root, file), "utf8")) as { attrs: Record<string, unknown> };
    const signature = new RegExp(`^optimizer ${kind}\\(([^]*?)\\)\\s*\\(p:`, "m").exec(library)![1]!;
    const said = Object.fromEntries(
      [...signature.matchAll(/(\w+): \w+(?: in [^=,]+)? = ([^,]+)/g)].map(([, name, value]) => [name!, value!]),
    );
    const { betas, lr: _rate, steps: _steps, ...rest } = attrs;
    const wanted = { ...rest, ...(Array.isArray(betas) ? { b1: betas[0] as number, b2: betas[1] as number } : {}) };
    for (const [name, value] of Object.entries(wanted))
      expect([kind, name, JSON.parse(said[own[name] ?? name] ?? "null")]).toEqual([kind, name, value]);
  }
});

const parameters = (text: string): Readonly<Record<string, readonly unknown[]>> => {
  const { plan } = made(text);
  return Object.fromEntries(plan.states.filter((t) => t.kind === "parameter").map((t) => [t.name, t.shape]));
};
const hints = (text: string): readonly string[] =>
  analyse(text, { name: "test.dlm", pedantic: true }).diagnostics.flatMap((d) => (d.hint ? [d.hint] : []));
test.each([
  ["B, 64", "Linear(64, 128)", "Linear(128)"],
  ["B, 31, 31, 3", "Conv2d(3, 16, 3)", "Conv2d(16, 3)"],
  ["B, 5, 28", "LSTM(28, 64)", "LSTM(64)"],
  ["B, 5, 64", "MultiHeadAttention(64, 8)", "MultiHeadAttention(8)"],
  ["B, 8, 8, 32", "LayerNorm(32)", "LayerNorm()"],
  ["B, 8, 8, 32", "BatchNorm2d(32)", "BatchNorm2d()"],
])("the size of an input first: %s |> %s", (shape, wrong, right) => {
  for (const text of [wrong, right]) expect(page).toContain(`\`${text}\``);
  expect(hints(applied(shape, wrong)).join()).toContain(`write ${right}`);
  expect(codes(applied(shape, right))).toEqual([]);
});
test("sizes of inputs elsewhere in the list", () => {
  expect(page).toContain("`GroupNorm(4, 32)`");
  expect(codes(applied("B, 8, 8, 32", "GroupNorm(4, 32)"))).toEqual(["DLM2010"]);
  for (const [shape, layer] of [
    ["B, 8, 8, 3", "Conv2d(16, 3, stride: 2)"],
    ["B, 5, 28", "LSTM(64, layers: 2)"],
  ] as const) {
    expect(page).toContain(`\`${layer}\``);
    expect(codes(applied(shape, layer))).toEqual([]);
  }
});
test("channels first", () => {
  expect(parameters(applied("B, 3, 32, 32", "Conv2d(8, 3)"))["net.conv2d.w"]).toEqual([3, 3, 32, 8]);
  expect(hints(applied("B, 3, 32, 32", "Conv2d(8, 3)")).join()).toContain("[B, 32, 32, 3]");
  expect(hints(applied("B, 32, 32, 3", "Conv2d(8, 3)"))).toEqual([]);
  expect(hints(applied("B, 3, 32, 32", "Conv2d(8, 5)")).join()).toContain("channels are the last axis");
});
test.each([
  ["`AdamW`", inTrain("", "AdamW(lr: 1e-3)"), "adamw"],
  ["`weight_decay:`", inTrain("", "adamw(lr: 1e-3, weight_decay: 0.1)"), "decay"],
  ["`out_features:`", applied("B, 4", "Linear(out_features: 3)"), "out"],
  ["`dim:`", "export fn p(x: f32[B, 4]) = sum(x, dim: 1)", "axis"],
  ["`ReLU`", applied("B, 4", "ReLU()"), "relu"],
])("PyTorch's name %s", (said, text, name) => {
  expect(page).toContain(said);
  const { diagnostics } = analyse(text, { name: "test.dlm" });
  expect(renderDiagnostics(diagnostics)).toContain(`did you mean \`${name}\`?`);
});
test("masks of attention are true where a key is seen", async () => {
  const text = `model net(x: f32[1, 3, 4], keep: bool[1, 3], mask: bool[3, 3]) = MultiHeadAttention(1, return_weights: true)(x, keep: keep, mask: mask)
export fn p(x: f32[1, 3, 4], keep: f32[1, 3], mask: f32[3, 3]) -> f32[1, 1, 3, 3] {
  let (_, w) = net(x, keep > 0, mask > 0)
  return w
}`;
  await withModel(made(text), async (model) => {
    const x = [numbers(3, (t) => numbers(4, (d) => Math.sin(t * 4 + d)))];
    const all = numbers(3, () => [1, 1, 1]);
    const kept = (await model.run("p", { x, keep: [[1, 1, 0]], mask: all }))["p"]!.data;
    expect(numbers(9, (i) => kept[i]! > 0)).toEqual([true, true, false, true, true, false, true, true, false]);
    const lower = numbers(3, (i) => numbers(3, (j) => (j <= i ? 1 : 0)));
    const seen = (await model.run("p", { x, keep: [[1, 1, 1]], mask: lower }))["p"]!.data;
    expect(numbers(9, (i) => seen[i]! > 0)).toEqual(lower.flat().map((v) => v === 1));
  });
}, 60_000);
test("what does not fit", () => {
  expect(codes("export fn p(x: f32[B, 1], y: f32[B]) = mse(x, y)")).toEqual(["DLM2003"]);
  expect(codes("export fn p(x: f32[B], n: i32[B]) = x + n")).not.toEqual([]);
});
test("names of weights", () => {
  const named = (shape: string, layer: string): Readonly<Record<string, readonly unknown[]>> =>
    parameters(applied(shape, layer));
  expect(named("B, 6", "Linear(4)")).toEqual({ "net.linear.w": [6, 4], "net.linear.b": [4] });
  expect(named("B, 5, 5, 6", "Conv2d(4, 3, groups: 2)")["net.conv2d.w"]).toEqual([3, 3, 3, 4]);
  expect(named("B, 5, 5, 6", "ConvTranspose2d(4, 3, groups: 2)")["net.conv_transpose2d.w"]).toEqual([3, 3, 6, 2]);
  expect(Object.keys(named("B, 6", "LayerNorm()"))).toEqual(["net.layer_norm.g", "net.layer_norm.b"]);
  expect(named("B, 5, 3", "LSTM(2, layers: 2, bidirectional: true)")).toMatchObject({
    "net.lstm.recurrence.0.wx": [3, 8],
    "net.lstm.recurrence.0.wh": [2, 8],
    "net.lstm.recurrence.0.bx": [8],
    "net.lstm.recurrence.1.bh_reverse": [8],
  });
  expect(named("B, 5, 8", "MultiHeadAttention(2)")).toEqual({
    "net.multi_head_attention.w": [8, 24],
    "net.multi_head_attention.b": [24],
    "net.multi_head_attention.wo": [8, 8],
    "net.multi_head_attention.bo": [8],
  });
  const table = "model net(i: i32[B] in 0..7) = Embedding(7, 2)(i)\nexport fn p(i: i32[B] in 0..7) = net(i)";
  expect(parameters(table)).toEqual({ "net.embedding.table": [7, 2] });
});

/** PyTorch's state_dict of the page's network, with values of no pattern that a wrong order would keep. */
const random = (shape: readonly number[], seed: number, lo = -0.5, hi = 0.5): ReferenceTensor => ({
  dtype: "f32",
  shape,
  data: numbers(
    shape.reduce((a, b) => a * b, 1),
    (i) => lo + (hi - lo) * (Math.abs(Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 43758.5453) % 1),
  ),
});
const norm = (at: string, n: number, seed: number): Readonly<Record<string, ReferenceTensor>> => ({
  [`${at}.weight`]: random([n], seed),
  [`${at}.bias`]: random([n], seed + 1),
  [`${at}.running_mean`]: random([n], seed + 2),
  [`${at}.running_var`]: random([n], seed + 3, 0.5, 2),
});
const state: Readonly<Record<string, ReferenceTensor>> = {
  "0.conv.weight": random([16, 1, 3, 3], 1),
  ...norm("0.norm", 16, 2),
  "2.conv.weight": random([32, 16, 3, 3], 7),
  ...norm("2.norm", 32, 8),
  "5.weight": random([10, 512], 13),
  "5.bias": random([10], 14),
};
/** `sd["5.weight"].reshape(10, 32, 4, 4).permute(2, 3, 1, 0)` and the like. */
function evaluated(text: string): ReferenceTensor {
  const [, key, calls] = /^sd\["([^"]+)"\](.*)$/.exec(text)!;
  return [...calls!.matchAll(/\.(\w+)\(([^)]*)\)/g)].reduce((t, [, name, args]) => {
    const list = args!.split(",").map(Number);
    if (name !== "permute" && name !== "reshape") throw new Error(text);
    return name === "permute" ? permute(t, list) : reshaped(t, list);
  }, state[key!]!);
}
/** The network as PyTorch computes it, of one image [8, 8]: channels first. */
function expected(image: readonly number[]): number[] {
  const block = (x: number[][][], at: string): number[][][] => {
    const [outs, ins] = state[`${at}.conv.weight`]!.shape as [number, number];
    const w = state[`${at}.conv.weight`]!.data;
    const n = x[0]!.length;
    const of = (name: string, o: number): number => state[`${at}.norm.${name}`]!.data[o]!;
    return numbers(outs, (i) => i).map((o) =>
      numbers(n, (r) => r).map((r) =>
        numbers(n, (s) => {
          let sum = 0;
          for (let c = 0; c < ins; c++)
            for (let a = 0; a < 3; a++)
              for (let b = 0; b < 3; b++)
                sum += (x[c]![r + a - 1]?.[s + b - 1] ?? 0) * w[((o * ins + c) * 3 + a) * 3 + b]!;
          const normal = (sum - of("running_mean", o)) / Math.sqrt(of("running_var", o) + 1e-5);
          return Math.max(0, normal * of("weight", o) + of("bias", o));
        }),
      ),
    );
  };
  const first = block([numbers(8, (r) => r).map((r) => image.slice(8 * r, 8 * r + 8))], "0");
  const pooled = first.map((m) =>
    numbers(4, (r) => r).map((r) =>
      numbers(4, (s) => Math.max(...[0, 1, 2, 3].map((k) => m[2 * r + (k >> 1)]![2 * s + (k & 1)]!))),
    ),
  );
  const flat = block(pooled, "2").flat(2);
  const z = numbers(10, (o) => flat.reduce((a, v, i) => a + v * state["5.weight"]!.data[512 * o + i]!, 0)).map((v, o) =>
    Math.exp(v + state["5.bias"]!.data[o]!),
  );
  const all = z.reduce((a, b) => a + b);
  return z.map((v) => v / all);
}
const stored = (t: ReferenceTensor, dtype: "F32" | "F64" = "F32"): StoredTensor => {
  const values = dtype === "F32" ? Float32Array.from(t.data) : Float64Array.from(t.data);
  return { dtype, shape: t.shape, bytes: new Uint8Array(values.buffer) };
};
test("weights from PyTorch", async () => {
  const script = /^own = \{\n([^]*?)^\}$/m.exec(page)![1]!;
  const lines = [...script.matchAll(/^ +"([^"]+)": (.*),$/gm)];
  const tensors = new Map(lines.map(([, name, text]) => [name!, stored(evaluated(text!))]));
  const image = random([64], 20, 0, 1).data;
  const x = [numbers(8, (r) => r).map((r) => image.slice(8 * r, 8 * r + 8).map((v) => [v]))];
  const program = made(blocks[0]!);
  const weights = writeSafetensors({ metadata: {}, tensors });
  await withModel(
    program,
    async (model) => {
      const { predict } = await model.run("predict", { x });
      const wanted = expected(image);
      expect(Math.max(...wanted)).toBeLessThan(0.999);
      for (const [k, p] of wanted.entries()) expect(predict!.data[k]).toBeCloseTo(p, 4);
    },
    { weights },
  );
  const refused = async (change: (all: Map<string, StoredTensor>) => void): Promise<string> => {
    const all = new Map(tensors);
    change(all);
    const bytes = writeSafetensors({ metadata: {}, tensors: all });
    return withModel(program, () => Promise.resolve("taken"), { weights: bytes }).catch((e: Error) => e.message);
  };
  expect(await refused((all) => all.set("num_batches_tracked", stored(random([], 1))))).toBe("taken");
  expect(await refused((all) => all.delete("net.linear.b"))).toContain("lacks net.linear.b");
  expect(await refused((all) => all.set("net.linear.w", stored(state["5.weight"]!)))).toContain("F32[512, 10]");
  expect(await refused((all) => all.set("net.linear.b", stored(state["5.bias"]!, "F64")))).toContain("F64");
}, 60_000);
test("a checkpoint has the names of the script", async () => {
  const names = [...page.matchAll(/^ +"(net\.[^"]+)": sd/gm)].map(([, name]) => name!);
  await withModel(
    made(trained(blocks[0]!, 1)),
    async (model) => {
      const file = readSafetensors(await model.checkpoint({ weights: true }));
      expect([...file.tensors.keys()].sort()).toEqual(names.sort());
    },
    { read },
  );
});
