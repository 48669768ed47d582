// TensorFlow.js: eager, its own Adam; AdamW by hand. Argument: webgpu or wasm.
import { installDevice, nap } from "./device.mjs";
import { meanSquare, serve } from "./side.mjs";

const backend = process.argv[2];
await installDevice();
const { default: imported, ...named } = await import("@tensorflow/tfjs");
const tf = { ...imported, ...named };
if (backend === "webgpu") await import("@tensorflow/tfjs-backend-webgpu");
else await import("@tensorflow/tfjs-backend-wasm");
await tf.setBackend(backend);
await tf.ready();

const linear = (p, path, x) => {
  const y = tf.matMul(x, p[`${path}.w`]);
  const b = p[`${path}.b`];
  return b ? tf.add(y, b) : y;
};
const crossEntropy = (logits, y) =>
  tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), tf.oneHot(y, logits.shape[1])), -1)));
const gelu = (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
const normalised = (x, g, b) => {
  const d = tf.sub(x, tf.mean(x, -1, true));
  return tf.add(tf.mul(tf.mul(d, tf.rsqrt(tf.add(tf.mean(tf.square(d), -1, true), 1e-5))), g), b); // fewer kernels than with tf.moments
};
const layerNorm = (p, path, x) => normalised(x, p[`${path}.g`], p[`${path}.b`]);

let causal; // the attention mask of a transformer
const models = {
  W1: (p, { x }) => {
    for (const path of ["net.linear.0", "net.linear.1"]) x = tf.relu(linear(p, path, x));
    return linear(p, "net.linear2", x);
  },
  W2: (p, { x }) => {
    for (const path of ["net.conv2d", "net.conv2d2"])
      x = tf.maxPool(tf.relu(tf.add(tf.conv2d(x, p[`${path}.w`], 1, "same"), p[`${path}.b`])), 2, 2, "valid");
    x = tf.relu(linear(p, "net.linear", tf.reshape(x, [x.shape[0], -1])));
    return linear(p, "net.linear2", x);
  },
  transformer: (p, { ids }, { gpt: { context: t, width: d, layers, heads, vocabulary } }) => {
    const b = ids.shape[0];
    const first = tf.reshape(ids, [b * t]);
    const table = p["gpt.embedding.table"];
    // on wasm a gather has no gradient
    const found = backend === "wasm" ? tf.matMul(tf.oneHot(first, vocabulary), table) : tf.gather(table, first);
    let x = tf.reshape(tf.add(tf.reshape(found, [b, t, d]), p["gpt.position.p"]), [b * t, d]);
    causal ??= tf.keep(tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([t, t]), -1, 0)), -1e9));
    for (let i = 0; i < layers; i++) {
      const at = `gpt.block.${i}`;
      const qkv = tf.transpose(
        tf.reshape(linear(p, `${at}.attention.linear`, layerNorm(p, `${at}.layer_norm`, x)), [
          b,
          t,
          3,
          heads,
          d / heads,
        ]),
        [2, 0, 3, 1, 4],
      );
      const [q, k, v] = tf.unstack(tf.reshape(qkv, [3, b * heads, t, d / heads]));
      const a = tf.softmax(tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(d / heads)), causal));
      const o = tf.reshape(tf.transpose(tf.reshape(tf.matMul(a, v), [b, heads, t, d / heads]), [0, 2, 1, 3]), [
        b * t,
        d,
      ]);
      x = tf.add(x, linear(p, `${at}.attention.linear2`, o));
      x = tf.add(x, linear(p, `${at}.linear2`, gelu(linear(p, `${at}.linear`, layerNorm(p, `${at}.layer_norm2`, x)))));
    }
    return linear(p, "gpt.linear", layerNorm(p, "gpt.layer_norm", x));
  },
};
const losses = {
  W1: (p, { x, y }) => crossEntropy(models.W1(p, { x }), y),
  W2: (p, { x, y }) => crossEntropy(models.W2(p, { x }), y),
  transformer: (p, { ids }, spec) => {
    const [b, t] = [ids.shape[0], spec.gpt.context];
    const [first, second] = [0, 1].map((from) => tf.slice(ids, [0, from], [b, t]));
    return crossEntropy(models.transformer(p, { ids: first }, spec), tf.reshape(second, [b * t]));
  },
  W6: (p, { x, y }) => {
    const z = linear(p, "net.linear2", tf.tanh(linear(p, "net.linear", x)));
    return tf.mean(tf.sub(tf.softplus(z), tf.mul(z, y)));
  },
  W7: (p, { x, y }) => {
    const [b, t, n] = x.shape;
    const hidden = 128;
    const gates = tf.unstack(
      tf.reshape(tf.add(tf.matMul(tf.reshape(x, [b * t, n]), p["net.lstm.wx"]), p["net.lstm.b"]), [b, t, 4 * hidden]),
      1,
    );
    let h = tf.zeros([b, hidden]);
    let c = tf.zeros([b, hidden]);
    for (let k = 0; k < t; k++) {
      const [i, f, u, o] = tf.split(tf.add(gates[k], tf.matMul(h, p["net.lstm.wh"])), 4, 1);
      c = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(u)));
      h = tf.mul(tf.sigmoid(o), tf.tanh(c));
    }
    return crossEntropy(linear(p, "net.linear", h), y);
  },
  W8: (p, { x, y }, { layers }) => {
    for (let i = 0; i < layers; i++) x = tf.tanh(linear(p, `net.linear.${i}`, x));
    return tf.mean(tf.square(tf.sub(x, y)));
  },
};
const rates = { W3: 1e-3, W8: 1e-4 };
const decays = { W3: 0.1 };

const functions = {
  product: ({ a, b }) => [tf.matMul(a, b)],
  formula: ({ x, a, b, c }) => [tf.add(tf.mul(gelu(tf.add(tf.mul(x, a), b)), c), x)],
  softmax_both: ({ x, dy }) => {
    let y;
    const dx = tf.grad((x) => {
      y = tf.keep(tf.softmax(x));
      return y;
    })(x, dy);
    return [y, dx];
  },
  layer_norm_both: ({ x, g, b, dy }) => {
    let y;
    const d = tf.grads((x, g, b) => {
      y = tf.keep(normalised(x, g, b));
      return y;
    })([x, g, b], dy);
    return [y, ...d];
  },
};

/** Between steps it submits every 15 dispatches of its own accord; what is left is lost unless submitted here. */
const drain = async () => {
  if (backend !== "webgpu") return;
  tf.backend().endComputePassEncoder();
  if (tf.backend().commandEncoder) tf.backend().submitQueue();
  await nap(tf.backend().device.queue.onSubmittedWorkDone());
};
const device = ({ dtype, shape, values }) => tf.tensor(values, shape, dtype === "f32" ? "float32" : "int32");

await serve(async (workload, tensors) => {
  const name = workload.model.replace(".dlm", "").toUpperCase();
  if (workload.run) {
    const f = workload.of
      ? (all) => [models[workload.gpt ? "transformer" : workload.of](all, all, workload)]
      : functions[workload.run.replace(/\d+$/, "")];
    const inputs = Object.fromEntries(Object.entries(tensors).map(([k, t]) => [k, device(t)]));
    let results = [];
    return {
      step: () => {
        tf.dispose(results);
        results = tf.tidy(() => f(inputs));
      },
      drain,
      value: async () => meanSquare(await Promise.all(results.map((r) => r.data()))),
    };
  }
  const p = Object.fromEntries(workload.parameters.map(({ name: k }) => [k, tf.variable(device(tensors[k]), true, k)]));
  const variables = Object.values(p);
  const count = workload.batchCount ?? 4;
  const batches = Array.from({ length: count }, (_, i) =>
    Object.fromEntries(
      workload.batches.map(({ name: k }) => {
        const { dtype, shape, values } = tensors[k];
        const size = values.length / count;
        return [
          k,
          device({
            dtype,
            shape: [shape[0] / count, ...shape.slice(1)],
            values: values.slice(i * size, (i + 1) * size),
          }),
        ];
      }),
    ),
  );
  const rate = rates[name] ?? 1e-3;
  const optimizer = name === "W6" ? tf.train.sgd(0.5) : tf.train.adam(rate, 0.9, 0.999, 1e-8);
  let loss;
  return {
    step: (i) => {
      loss?.dispose();
      loss = tf.tidy(() => {
        const { value, grads } = tf.variableGrads(
          () => losses[workload.gpt ? "transformer" : name](p, batches[i % count], workload),
          variables,
        );
        if (decays[name]) for (const v of variables) v.assign(tf.mul(v, 1 - rate * decays[name]));
        optimizer.applyGradients(grads);
        return value;
      });
    },
    drain,
    value: async () => (await loss.data())[0],
  };
});
