// The workloads: what every side starts from (parameters by their dlm paths, batches or inputs), and what a step costs.
// A training workload has `parameters` and `batches`; a workload of one function has `inputs` and names the function of its .dlm file.
// Initial values: `scale` times uniform(-1, 1), plus `shift`. FLOPs count contractions, a multiply-add as two.
import { elementCount, uniform } from "./tensors.mjs";

export const batchCount = 4; // different batches, in turn

const weight = (name, shape, scale) => ({ name, shape, scale });
const bias = (name, n) => ({ name, shape: [n], scale: 0.01 });
const linear = (path, i, o, withBias = true) => [
  weight(`${path}.w`, [i, o], 1 / Math.sqrt(i)),
  ...(withBias ? [bias(`${path}.b`, o)] : []),
];
const layerNorm = (path, n) => [{ name: `${path}.g`, shape: [n], scale: 0.1, shift: 1 }, bias(`${path}.b`, n)];
const product = (m, n, k) => 2 * m * n * k;
/** Forward, weight gradient and, but for the first layer, input gradient. */
const trained = (m, n, k, first = false) => product(m, n, k) * (first ? 2 : 3);

const gptBlock = (path, d, mlp) => [
  ...layerNorm(`${path}.layer_norm`, d),
  ...linear(`${path}.attention.linear`, d, 3 * d, false),
  ...linear(`${path}.attention.linear2`, d, d),
  ...layerNorm(`${path}.layer_norm2`, d),
  ...linear(`${path}.linear`, d, mlp),
  ...linear(`${path}.linear2`, mlp, d),
];
/** A transformer of characters: W3 and W10. */
function transformer(batch, gpt) {
  const { vocabulary, context, width, layers, heads, mlp } = gpt;
  const rows = batch * context;
  return {
    batch,
    gpt,
    parameters: [
      weight("gpt.embedding.table", [vocabulary, width], 0.5),
      weight("gpt.position.p", [context, width], 0.05),
      ...Array.from({ length: layers }, (_, i) => gptBlock(`gpt.block.${i}`, width, mlp)).flat(),
      ...layerNorm("gpt.layer_norm", width),
      ...linear("gpt.linear", width, vocabulary, false),
    ],
    batches: [{ name: "ids", shape: [context + 1], below: vocabulary }],
    // per block: qkv, output, two of the feed-forward part, scores and weighted sums
    flops:
      layers *
        (trained(rows, 3 * width, width) +
          trained(rows, width, width) +
          2 * trained(rows, mlp, width) +
          2 * trained(batch * heads * context, context, width / heads)) +
      trained(rows, vocabulary, width),
  };
}
const square = (n) => ({
  model: "w4.dlm",
  run: `product${n}`,
  title: `product of ${n} squares`,
  inputs: [
    { name: "a", shape: [n, n], scale: 1 },
    { name: "b", shape: [n, n], scale: 1 },
  ],
  flops: product(n, n, n),
});
const rows = [4096, 1024];

/**
 * `best` is the best figure that hand-written kernels reached on lavapipe for the shapes that dominate (KERNELS.md of the project's notes): GFLOP/s for
 * contractions, else ms. `told`: figures of others on other machines, for the table's text.
 */
export const workloads = {
  W1: {
    model: "w1.dlm",
    title: "MLP 784-512-512-10, batch 128, Adam",
    batch: 128,
    parameters: [
      ...linear("net.linear.0", 784, 512),
      ...linear("net.linear.1", 512, 512),
      ...linear("net.linear2", 512, 10),
    ],
    batches: [
      { name: "x", shape: [784], scale: 0.5, shift: 0.5 },
      { name: "y", shape: [], below: 10 },
    ],
    flops: trained(128, 512, 784, true) + trained(128, 512, 512) + trained(128, 10, 512),
    best: { gflops: 23.1 },
  },
  W2: {
    model: "w2.dlm",
    title: "CNN 28x28x1, conv 32, conv 64, dense 128, batch 64, Adam",
    batch: 64,
    parameters: [
      weight("net.conv2d.w", [3, 3, 1, 32], 1 / 3),
      bias("net.conv2d.b", 32),
      weight("net.conv2d2.w", [3, 3, 32, 64], 1 / Math.sqrt(288)),
      bias("net.conv2d2.b", 64),
      ...linear("net.linear", 3136, 128),
      ...linear("net.linear2", 128, 10),
    ],
    batches: [
      { name: "x", shape: [28, 28, 1], scale: 0.5, shift: 0.5 },
      { name: "y", shape: [], below: 10 },
    ],
    flops: trained(64 * 784, 32, 9, true) + trained(64 * 196, 64, 288) + trained(64, 128, 3136) + trained(64, 10, 128),
    best: { gflops: 48 },
  },
  W3: {
    model: "w3.dlm",
    title: "GPT, 4 layers, width 128, context 64, batch 12, AdamW",
    ...transformer(12, { vocabulary: 65, context: 64, width: 128, layers: 4, heads: 4, mlp: 512 }),
    best: { gflops: 25.5 },
  },
  "W4-512": { ...square(512), best: { gflops: 33.9 } },
  "W4-1024": { ...square(1024), best: { gflops: 36 } },
  "W4-2048": { ...square(2048), best: { gflops: 24 } },
  W5: {
    model: "w5.dlm",
    run: "formula",
    title: "gelu(x*a+b)*c+x over 2^22",
    inputs: [
      { name: "x", shape: [1 << 22], scale: 2 },
      ...["a", "b", "c"].map((name) => ({ name, shape: [], scale: 1 })),
    ],
    best: { ms: 11.3 }, // 0.37 G elements/s of gelu
  },
  W6: {
    model: "w6.dlm",
    title: "XOR 2-8-1, batch 4, gradient descent",
    batch: 4,
    batchCount: 1,
    recordSteps: { dlm: 1000 }, // many steps are one launch
    parameters: [
      weight("net.linear.w", [2, 8], 0.7),
      weight("net.linear.b", [8], 0.7),
      weight("net.linear2.w", [8, 1], 0.5),
      weight("net.linear2.b", [1], 0.3),
    ],
    batches: [
      { name: "x", shape: [2], values: [0, 0, 0, 1, 1, 0, 1, 1] },
      { name: "y", shape: [1], values: [0, 1, 1, 0] },
    ],
    best: { ms: 2e-4 }, // 5 million steps/s, the whole step in one launch
  },
  W7: {
    model: "w7.dlm",
    title: "LSTM, sequence 32, batch 32, 64 -> 128, Adam",
    batch: 32,
    parameters: [
      weight("net.lstm.wx", [64, 512], 0.0884),
      weight("net.lstm.wh", [128, 512], 0.0884),
      bias("net.lstm.b", 512),
      ...linear("net.linear", 128, 10),
    ],
    batches: [
      { name: "x", shape: [32, 64], scale: 1 },
      { name: "y", shape: [], below: 10 },
    ],
    flops: trained(32 * 32, 512, 64, true) + trained(32 * 32, 512, 128) + trained(32, 10, 128),
    best: { gflops: 23.1 },
  },
  W8: {
    model: "w8.dlm",
    title: "64 layers of width 64, batch 32, Adam",
    batch: 32,
    layers: 64,
    parameters: Array.from({ length: 64 }, (_, i) => [
      weight(`net.linear.${i}.w`, [64, 64], Math.sqrt(3 / 64)),
      bias(`net.linear.${i}.b`, 64),
    ]).flat(),
    batches: [
      { name: "x", shape: [64], scale: 1 },
      { name: "y", shape: [64], scale: 1 },
    ],
    flops: 64 * trained(32, 64, 64) - product(32, 64, 64),
    best: { gflops: 23.1 },
  },
  "W9-softmax": {
    model: "w9.dlm",
    run: "softmax_both",
    title: "softmax forward and backward, 4096x1024",
    inputs: [
      { name: "x", shape: rows, scale: 3 },
      { name: "dy", shape: rows, scale: 1 },
    ],
    best: { ms: 16.4 }, // 4.1 GB/s over four tensors of 16.8 MB
  },
  "W9-layernorm": {
    model: "w9.dlm",
    run: "layer_norm_both",
    title: "layer norm forward and backward, 4096x1024",
    inputs: [
      { name: "x", shape: rows, scale: 3 },
      { name: "g", shape: [1024], scale: 0.1, shift: 1 },
      { name: "b", shape: [1024], scale: 0.1 },
      { name: "dy", shape: rows, scale: 1 },
    ],
    best: { ms: 14 }, // 4.8 GB/s
  },
  W10: {
    model: "w10.dlm",
    title: "small transformer, 3 blocks, width 96, MLP 192, context 64, batch 16, Adam",
    ...transformer(16, { vocabulary: 65, context: 64, width: 96, layers: 3, heads: 4, mlp: 192 }),
    best: { gflops: 25.5 },
    // told of a model of these sizes, elsewhere; where it was published was not found again, nor its vocabulary
    told: "Apple M2 Max: 1.85 ms native, 3.3 to 4.1 ms in Chrome with 99 dispatches a step (source not found again, not measured here)",
  },
};

/** The forward pass of a training workload alone, on one batch. */
const used = (name, inputs, flops) => {
  const { title, parameters, gpt, batch } = workloads[name];
  return {
    model: `${name.toLowerCase()}-forward.dlm`,
    of: name,
    run: "forward",
    title: `forward pass of ${title}`,
    ...(gpt ? { gpt } : {}),
    parameters,
    inputs: inputs.map((t) => ({ ...t, shape: [batch, ...t.shape] })),
    flops,
  };
};
workloads["W1-forward"] = used(
  "W1",
  [{ name: "x", shape: [784], scale: 0.5, shift: 0.5 }],
  product(128, 512, 784) + product(128, 512, 512) + product(128, 10, 512),
);
workloads["W2-forward"] = used(
  "W2",
  [{ name: "x", shape: [28, 28, 1], scale: 0.5, shift: 0.5 }],
  product(64 * 784, 32, 9) + product(64 * 196, 64, 288) + product(64, 128, 3136) + product(64, 10, 128),
);
workloads["W3-forward"] = used("W3", [{ name: "ids", shape: [64], below: 65 }], workloads.W3.flops / 3);

/** Names, shapes and values of everything a workload starts from; batches are one after the other, rows first. */
export function tensorsOf(workload) {
  const tensors = {};
  const add = ({ name, shape, scale = 1, shift = 0, below, values }) => {
    const raw = values ?? uniform(name, elementCount(shape));
    const scaled = values
      ? Float32Array.from(values)
      : below !== undefined
        ? Int32Array.from(raw, (u) => Math.min(below - 1, Math.floor(((u + 1) / 2) * below)))
        : raw.map((u) => u * scale + shift);
    tensors[name] = { dtype: below !== undefined ? "i32" : "f32", shape, values: scaled };
  };
  const { parameters = [], inputs = [], batches = [], batch = 1 } = workload;
  for (const t of [...parameters, ...inputs]) add(t);
  for (const t of batches) add({ ...t, shape: [(workload.batchCount ?? batchCount) * batch, ...t.shape] });
  return tensors;
}
