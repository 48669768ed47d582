// jax-js: the whole training step (loss, gradients, Adam) in one `jit`. Arguments: webgpu or wasm, the workload's name.
// Ownership: a function consumes its arguments; `.ref` keeps one. The optimizer is written by hand, since @jax-js/optax is not on npm.
import { Worker as Thread } from "node:worker_threads";
import { resolveObjectURL } from "node:buffer";
import { installDevice, nap } from "./device.mjs";
import { meanSquare, serve } from "./side.mjs";

const [backend, workloadName] = process.argv.slice(2);
await installDevice();
// Both cores, as in a browser: its thread pool wants web workers. Models of many small kernels are faster without: no messages.
const threaded = backend === "wasm" && /^W[2459]/.test(workloadName);
if (threaded)
  globalThis.Worker = class {
    #waiting = [];
    #thread;
    constructor(url) {
      void resolveObjectURL(url)
        .text()
        .then((text) => {
          const head = `const { parentPort } = require("node:worker_threads"); globalThis.self = globalThis; globalThis.postMessage = (m) => parentPort.postMessage(m); parentPort.on("message", (data) => self.onmessage({ data }));\n`;
          this.#thread = new Thread(head + text, { eval: true });
          this.#thread.on("message", (data) => this.onmessage?.({ data }));
          this.#thread.on("error", (e) => this.onerror?.(e));
          this.#thread.unref();
          for (const m of this.#waiting) this.#thread.postMessage(m);
        });
    }
    postMessage(m) {
      if (this.#thread) this.#thread.postMessage(m);
      else this.#waiting.push(m);
    }
  };
// Its einsum uses iterator helpers, which Node has from version 22 on.
const iterators = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
for (const name of ["map", "filter"]) {
  iterators[name] ??= function (f) {
    return [...this][name](f).values();
  };
}
const {
  blockUntilReady,
  defaultDevice,
  getWebGPUDevice,
  init,
  jit,
  lax,
  nn,
  numpy: np,
  tree,
  valueAndGrad,
} = await import("@jax-js/jax");
await init(backend);
defaultDevice(backend);

const gelu = (x) => nn.gelu(x, { approximate: false });
const linear = (p, path, x) => {
  const y = np.matmul(x, p[`${path}.w`]);
  const b = p[`${path}.b`];
  return b ? y.add(b) : y;
};
const oneHot = (y, n) => nn.oneHot(y, n);
const crossEntropy = (logits, y) => {
  const [count, classes] = logits.shape;
  return logSoftmaxOf(logits)
    .mul(oneHot(y, classes))
    .sum()
    .mul(-1 / count);
};
const logSoftmaxOf = (x) => nn.logSoftmax(x, -1);
const layerNorm = (p, path, x) => nn.standardize(x, -1).mul(p[`${path}.g`]).add(p[`${path}.b`]);
const pool = (x) => {
  const [n, c, h, w] = x.shape;
  return np.max(x.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5]);
};
const conv = (p, path, x) => lax.conv(x, p[`${path}.w`], [1, 1], "SAME").add(p[`${path}.b`].reshape([1, -1, 1, 1]));

const models = {
  W1: (p, { x }) => {
    for (const path of ["net.linear.0", "net.linear.1"]) x = nn.relu(linear(p, path, x));
    return linear(p, "net.linear2", x);
  },
  W2: (p, { x }) => {
    for (const path of ["net.conv2d", "net.conv2d2"]) x = pool(nn.relu(conv(p, path, x)));
    x = nn.relu(linear(p, "net.linear", x.reshape([x.shape[0], -1])));
    return linear(p, "net.linear2", x);
  },
  transformer: (p, { ids }, { gpt: { vocabulary, context: t, width: d, layers, heads } }) => {
    const b = ids.shape[0];
    let x = np
      .matmul(oneHot(ids.reshape([b * t]), vocabulary), p["gpt.embedding.table"])
      .reshape([b, t, d])
      .add(p["gpt.position.p"]);
    for (let i = 0; i < layers; i++) {
      const at = `gpt.block.${i}`;
      const qkv = linear(p, `${at}.attention.linear`, layerNorm(p, `${at}.layer_norm`, x.ref)).reshape([
        b,
        t,
        3,
        heads,
        d / heads,
      ]);
      const [q, k, v] = [0, 1, 2].map((n) => (n < 2 ? qkv.ref : qkv).slice([], [], n));
      x = x.add(
        linear(p, `${at}.attention.linear2`, nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([b, t, d])),
      );
      x = x.ref.add(linear(p, `${at}.linear2`, gelu(linear(p, `${at}.linear`, layerNorm(p, `${at}.layer_norm2`, x)))));
    }
    return linear(p, "gpt.linear", layerNorm(p, "gpt.layer_norm", x)).reshape([b * t, vocabulary]);
  },
};
const losses = {
  W1: (p, { x, y }) => crossEntropy(models.W1(p, { x }), y),
  W2: (p, { x, y }) => crossEntropy(models.W2(p, { x }), y),
  transformer: (p, { ids }, spec) => {
    const [b, t] = [ids.shape[0], spec.gpt.context];
    const [first, second] = [ids.ref.slice([], [0, t]), ids.slice([], [1, t + 1])];
    return crossEntropy(models.transformer(p, { ids: first }, spec), second.reshape([b * t]));
  },
  W6: (p, { x, y }) => {
    const z = linear(p, "net.linear2", np.tanh(linear(p, "net.linear", x)));
    return np.mean(nn.softplus(z.ref).sub(z.mul(y)));
  },
  W7: (p, { x, y }) => {
    const [b, t, n] = x.shape;
    const hidden = 128;
    const gates = np
      .matmul(x.reshape([b * t, n]), p["net.lstm.wx"])
      .add(p["net.lstm.b"])
      .reshape([b, t, 4 * hidden]);
    let h = np.zeros([b, hidden]);
    let c = np.zeros([b, hidden]);
    for (let k = 0; k < t; k++) {
      const g = gates.ref.slice([], k).add(np.matmul(h, p["net.lstm.wh"].ref));
      const [i, f, u, o] = [0, 1, 2, 3].map((m) => g.ref.slice([], [m * hidden, (m + 1) * hidden]));
      g.dispose();
      c = nn
        .sigmoid(f)
        .mul(c)
        .add(nn.sigmoid(i).mul(np.tanh(u)));
      h = nn.sigmoid(o).mul(np.tanh(c.ref));
    }
    c.dispose();
    gates.dispose();
    p["net.lstm.wh"].dispose();
    return crossEntropy(linear(p, "net.linear", h), y);
  },
  W8: (p, { x, y }, { layers }) => {
    for (let i = 0; i < layers; i++) x = np.tanh(linear(p, `net.linear.${i}`, x));
    return np.mean(np.square(x.sub(y)));
  },
};
const adam =
  (decay) =>
  (p, g, m, v, [power1, power2], lr = decay.lr) => {
    const m1 = m.mul(0.9).add(g.ref.mul(0.1));
    const v1 = v.mul(0.999).add(np.square(g).mul(0.001));
    const step = m1.ref.div(np.subtract(1, power1)).div(np.sqrt(v1.ref.div(np.subtract(1, power2))).add(1e-8));
    return [p.mul(1 - lr * decay.decay).sub(step.mul(lr)), m1, v1];
  };
const optimizers = { W3: { lr: 1e-3, decay: 0.1 }, W8: { lr: 1e-4, decay: 0 } };

function trainingStep(name, workload) {
  const lossOf = (p, batch) => losses[workload.gpt ? "transformer" : name](p, batch, workload);
  if (name === "W6")
    return jit((p, state, batch) => {
      const [loss, g] = valueAndGrad(lossOf)(tree.ref(p), batch);
      return [loss, Object.fromEntries(Object.keys(p).map((k) => [k, p[k].sub(g[k].mul(0.5))])), state];
    });
  const update = adam(optimizers[name] ?? { lr: 1e-3, decay: 0 });
  return jit((p, { m, v, powers }, batch) => {
    const [loss, g] = valueAndGrad(lossOf)(tree.ref(p), batch);
    const next = { p: {}, m: {}, v: {}, powers: [powers[0].mul(0.9), powers[1].mul(0.999)] };
    for (const k of Object.keys(p))
      [next.p[k], next.m[k], next.v[k]] = update(p[k], g[k], m[k], v[k], tree.ref(next.powers));
    return [loss, next.p, { m: next.m, v: next.v, powers: next.powers }];
  });
}

const functions = {
  product: ({ a, b }) => [np.matmul(a, b)],
  formula: ({ x, a, b, c }) => [gelu(x.ref.mul(a).add(b)).mul(c).add(x)],
  softmax_both: ({ x, dy }) => {
    const [[, y], dx] = valueAndGrad(
      (x) => {
        const y = nn.softmax(x, -1);
        return [y.ref.mul(dy).sum(), y];
      },
      { hasAux: true },
    )(x);
    return [y, dx];
  },
  layer_norm_both: ({ x, g, b, dy }) => {
    const [[, y], d] = valueAndGrad(
      (x, g, b) => {
        const y = nn.standardize(x, -1).mul(g).add(b);
        return [y.ref.mul(dy).sum(), y];
      },
      { hasAux: true, argnums: [0, 1, 2] },
    )(x, g, b);
    return [y, ...d];
  },
};

/** Puts the pending work of an array under way; on WebGPU without waiting for it. */
const flush = (a) => (backend === "webgpu" ? a.ref.gpuBuffer() : threaded ? blockUntilReady(a) : a.ref.dataSync());
/** All results, not the first alone: what it does not need may still be to do. */
const drain = async (arrays) => {
  if (backend !== "webgpu") return blockUntilReady(arrays);
  await Promise.all(tree.leaves(arrays).map((a) => a.ref.gpuBuffer()));
  await nap(getWebGPUDevice().queue.onSubmittedWorkDone());
};
const device = ({ dtype, shape, values }) =>
  np.array(values, { dtype: dtype === "f32" ? np.float32 : np.int32 }).reshape(shape);
const permuted = ({ shape, values }, order) => np.array(values).reshape(shape).transpose(order);
/** A parameter in the layout that jax-js wants: convolutions [out, in, h, w], images channels first, and the dense layer after them likewise. */
function layout(name, key, t) {
  if (name === "W2" && key.startsWith("net.conv") && t.shape.length === 4) return permuted(t, [3, 2, 0, 1]);
  if (name === "W2" && key === "net.linear.w")
    return permuted({ shape: [7, 7, 64, 128], values: t.values }, [2, 0, 1, 3]).reshape([3136, 128]);
  return device(t);
}

await serve(async (workload, tensors) => {
  const name = workload.model.replace(".dlm", "").toUpperCase();
  if (workload.run) {
    const of = workload.of;
    const forward = (all) => [models[workload.gpt ? "transformer" : of](all, all, workload)];
    const f = jit(of ? forward : functions[workload.run.replace(/\d+$/, "")]);
    const image = (t) => device({ ...t, shape: [t.shape[0], 1, 28, 28] }); // of one channel, which may come first
    const inputs = Object.fromEntries(
      Object.entries(tensors).map(([k, t]) => [
        k,
        !t.shape.length ? np.array(t.values).reshape([]) : of === "W2" && k === "x" ? image(t) : layout(of, k, t),
      ]),
    );
    let results = [];
    return {
      step: async () => {
        for (const r of results) r.dispose();
        results = f(tree.ref(inputs));
        await flush(results[0]);
      },
      drain: () => drain(results),
      value: async () => meanSquare(await Promise.all(results.map((r) => r.ref.data()))),
    };
  }
  let p = Object.fromEntries(workload.parameters.map(({ name: k }) => [k, layout(name, k, tensors[k])]));
  const zeros = () => Object.fromEntries(workload.parameters.map(({ name: k }) => [k, np.zeros(p[k].shape)]));
  let state = name === "W6" ? {} : { m: zeros(), v: zeros(), powers: [np.ones([]), np.ones([])] };
  const count = workload.batchCount ?? 4;
  const batches = Array.from({ length: count }, (_, i) =>
    Object.fromEntries(
      workload.batches.map(({ name: k }) => {
        const { dtype, shape, values } = tensors[k];
        const size = values.length / count;
        const rows = [shape[0] / count, ...shape.slice(1)];
        return [
          k,
          device({
            dtype,
            shape: name === "W2" && k === "x" ? [rows[0], 1, 28, 28] : rows,
            values: values.slice(i * size, (i + 1) * size),
          }),
        ];
      }),
    ),
  );
  const step = trainingStep(name, workload);
  let loss;
  return {
    step: async (i) => {
      loss?.dispose();
      [loss, p, state] = step(p, state, tree.ref(batches[i % count]));
      await flush(loss);
    },
    drain: () => drain([loss, p, state]),
    value: async () => (await loss.ref.data())[0],
  };
});
