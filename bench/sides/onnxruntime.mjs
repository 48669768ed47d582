// ONNX Runtime for Node with its WebGPU provider: forward passes alone. Weights are constants of the model, results stay on the device. It opens a device of
// its own (the first adapter there is), whose launches nobody counts.
import ort from "onnxruntime-node";
import { nap } from "./device.mjs";
import { Graph } from "./onnx.mjs";
import { meanSquare, serve } from "./side.mjs";

/** With its axes in another order. */
function permuted({ dtype, shape, values }, order) {
  const to = order.map((a) => shape[a]);
  const strides = shape.map((_, a) => shape.slice(a + 1).reduce((p, n) => p * n, 1));
  const result = new values.constructor(values.length);
  for (let i = 0; i < result.length; i++) {
    let rest = i;
    let from = 0;
    for (let a = order.length - 1; a >= 0; a--) {
      from += (rest % to[a]) * strides[order[a]];
      rest = Math.floor(rest / to[a]);
    }
    result[i] = values[from];
  }
  return { dtype, shape: to, values: result };
}

function linear(g, t, path, x) {
  const y = g.add("MatMul", [x, g.constant(`${path}.w`, t[`${path}.w`])]);
  const b = t[`${path}.b`];
  return b ? g.add("Add", [y, g.constant(`${path}.b`, b)]) : y;
}
const models = {
  product: (g, { a, b }) => g.add("MatMul", [g.constant("a", a), g.constant("b", b)]),
  formula: (g, t) => {
    const [x, a, b, c] = ["x", "a", "b", "c"].map((k) => g.constant(k, t[k]));
    return g.add("Add", [g.add("Mul", [g.add("Gelu", [g.add("Add", [g.add("Mul", [x, a]), b])]), c]), x]);
  },
  W1: (g, t) => {
    let x = "x";
    for (const path of ["net.linear.0", "net.linear.1"]) x = g.add("Relu", [linear(g, t, path, x)]);
    return linear(g, t, "net.linear2", x);
  },
  W2: (g, t) => {
    let x = "x";
    for (const path of ["net.conv2d", "net.conv2d2"]) {
      const w = g.constant(`${path}.w`, permuted(t[`${path}.w`], [3, 2, 0, 1]));
      x = g.add("Conv", [x, w, g.constant(`${path}.b`, t[`${path}.b`])], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] });
      x = g.add("MaxPool", [g.add("Relu", [x])], { kernel_shape: [2, 2], strides: [2, 2] });
    }
    const dense = permuted({ ...t["net.linear.w"], shape: [7, 7, 64, 128] }, [2, 0, 1, 3]);
    const own = { ...t, "net.linear.w": { ...dense, shape: [3136, 128] } };
    return linear(g, own, "net.linear2", g.add("Relu", [linear(g, own, "net.linear", g.add("Flatten", [x]))]));
  },
  W3: (g, t, { gpt: { context: n, width: d, layers, heads } }, batch) => {
    const sizes = (list) => g.literal(list, [list.length], "i64");
    const norm = (path, x) => {
      const [scale, shift] = ["g", "b"].map((k) => g.constant(`${path}.${k}`, t[`${path}.${k}`]));
      return g.add("LayerNormalization", [x, scale, shift], { axis: -1, epsilon: { real: 1e-5 } });
    };
    let x = g.add("Gather", [g.constant("gpt.embedding.table", t["gpt.embedding.table"]), "ids"]);
    x = g.add("Add", [x, g.constant("gpt.position.p", t["gpt.position.p"])]);
    const hidden = Array.from({ length: n * n }, (_, i) => (i % n <= Math.floor(i / n) ? 0 : -1e9));
    const mask = g.literal(hidden, [n, n]);
    const scale = g.literal([1 / Math.sqrt(d / heads)]);
    for (let i = 0; i < layers; i++) {
      const at = `gpt.block.${i}`;
      const qkv = linear(g, t, `${at}.attention.linear`, norm(`${at}.layer_norm`, x));
      const parts = g.add("Split", [qkv], { axis: 2, num_outputs: 3 }, 3);
      const headed = (part, perm) =>
        g.add("Transpose", [g.add("Reshape", [part, sizes([batch, n, heads, d / heads])])], { perm });
      const [q, k, v] = [
        headed(parts[0], [0, 2, 1, 3]),
        headed(parts[1], [0, 2, 3, 1]),
        headed(parts[2], [0, 2, 1, 3]),
      ];
      const scores = g.add("Add", [g.add("Mul", [g.add("MatMul", [q, k]), scale]), mask]);
      const o = g.add("MatMul", [g.add("Softmax", [scores], { axis: -1 }), v]);
      const joined = g.add("Reshape", [g.add("Transpose", [o], { perm: [0, 2, 1, 3] }), sizes([batch, n, d])]);
      x = g.add("Add", [x, linear(g, t, `${at}.attention.linear2`, joined)]);
      const wide = g.add("Gelu", [linear(g, t, `${at}.linear`, norm(`${at}.layer_norm2`, x))]);
      x = g.add("Add", [x, linear(g, t, `${at}.linear2`, wide)]);
    }
    return linear(g, t, "gpt.linear", norm("gpt.layer_norm", x));
  },
};

await serve(async (workload, tensors) => {
  const g = new Graph();
  const batch = workload.of && workload.inputs[0].shape[0];
  const y = models[workload.of ?? workload.run.replace(/\d+$/, "")](g, tensors, workload, batch);
  const fed = (workload.of ? workload.inputs : []).map(({ name }) => ({
    name,
    ...tensors[name],
    ...(workload.of === "W2" ? { shape: [batch, 1, 28, 28] } : {}), // one channel, which may come first
  }));
  const classes = workload.gpt ? [64, workload.gpt.vocabulary] : [10];
  const shape = workload.of ? [batch, ...classes] : tensors[workload.inputs[0].name].shape;
  const bytes = g.model(fed, [{ name: y, shape }]);
  const open = (model, preferredOutputLocation, graphOptimizationLevel) =>
    ort.InferenceSession.create(model, {
      executionProviders: ["webgpu"],
      graphOptimizationLevel,
      preferredOutputLocation,
      logSeverityLevel: 3,
    });
  const level = workload.of ? "all" : "disabled"; // a model of constants alone would be computed before it runs
  const session = await open(bytes, "gpu-buffer", level);
  // Results on the device cannot be read from Node: one more session gives values, and a sum of two numbers, read after them, waits for what came before.
  const reading = await open(bytes, "cpu", level);
  const two = new Graph();
  const sum = two.add("Add", [two.literal([1], [1]), two.literal([2], [1])]);
  const waiting = await open(two.model([], [{ name: sum, shape: [1] }]), "cpu", "disabled");
  const feeds = Object.fromEntries(
    fed.map(({ name, dtype, shape: of, values }) => [
      name,
      new ort.Tensor(dtype === "f32" ? "float32" : "int32", values, of),
    ]),
  );
  let result;
  return {
    step: async () => {
      result?.dispose();
      result = (await session.run(feeds))[y];
    },
    drain: () => nap(waiting.run({})),
    value: async () => meanSquare([(await reading.run(feeds))[y].data]),
  };
});
