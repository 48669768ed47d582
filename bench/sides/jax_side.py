"""JAX, the whole step (loss, gradients, update) in one jit, on its default device. Commands as in side.mjs: JSON lines on standard input, answers on file
descriptor 3. Products at full f32 precision."""
import functools, json, math, os, struct, sys, time
import numpy as np
import jax
import jax.numpy as jnp

jax.config.update("jax_default_matmul_precision", "highest")


def safetensors(path):
    with open(path, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
        data = f.read()
    kinds = {"F32": np.float32, "I32": np.int32}
    out = {}
    for name, t in header.items():
        start, end = t["data_offsets"]
        out[name] = np.frombuffer(data[start:end], dtype=kinds[t["dtype"]]).reshape(t["shape"])
    return out


def linear(p, path, x):
    y = x @ p[path + ".w"]
    return y + p[path + ".b"] if path + ".b" in p else y


def normalised(x, g, b):
    d = x - x.mean(-1, keepdims=True)
    return d * jax.lax.rsqrt((d * d).mean(-1, keepdims=True) + 1e-5) * g + b


def layer_norm(p, path, x):
    return normalised(x, p[path + ".g"], p[path + ".b"])


def cross_entropy(logits, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()


def gelu(x):
    return jax.nn.gelu(x, approximate=False)


def w1(p, x, y):
    for path in ["net.linear.0", "net.linear.1"]:
        x = jax.nn.relu(linear(p, path, x))
    return cross_entropy(linear(p, "net.linear2", x), y)


def w2(p, x, y):
    for path in ["net.conv2d", "net.conv2d2"]:
        x = jax.lax.conv_general_dilated(x, p[path + ".w"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.relu(x + p[path + ".b"])
        n, h, w, c = x.shape
        x = x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))
    x = jax.nn.relu(linear(p, "net.linear", x.reshape(x.shape[0], -1)))
    return cross_entropy(linear(p, "net.linear2", x), y)


def transformer(gpt, p, ids):
    b, t, d, heads = ids.shape[0], gpt["context"], gpt["width"], gpt["heads"]
    x = p["gpt.embedding.table"][ids[:, :-1]] + p["gpt.position.p"]
    mask = jnp.tril(jnp.ones((t, t), bool))
    for i in range(gpt["layers"]):
        at = f"gpt.block.{i}"
        qkv = linear(p, at + ".attention.linear", layer_norm(p, at + ".layer_norm", x)).reshape(b, t, 3, heads, d // heads)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)
        a = jax.nn.softmax(jnp.where(mask, q @ k.swapaxes(-1, -2) / math.sqrt(d // heads), -jnp.inf))
        x = x + linear(p, at + ".attention.linear2", (a @ v).transpose(0, 2, 1, 3).reshape(b, t, d))
        x = x + linear(p, at + ".linear2", gelu(linear(p, at + ".linear", layer_norm(p, at + ".layer_norm2", x))))
    logits = linear(p, "gpt.linear", layer_norm(p, "gpt.layer_norm", x))
    return cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))


def w6(p, x, y):
    z = linear(p, "net.linear2", jnp.tanh(linear(p, "net.linear", x)))
    return (jax.nn.softplus(z) - z * y).mean()


def w7(p, x, y):
    gates = x @ p["net.lstm.wx"] + p["net.lstm.b"]

    def step(state, g):
        h, c = state
        i, f, u, o = jnp.split(g + h @ p["net.lstm.wh"], 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(u)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zero = jnp.zeros((x.shape[0], 128))
    (h, _), _ = jax.lax.scan(step, (zero, zero), gates.swapaxes(0, 1))
    return cross_entropy(linear(p, "net.linear", h), y)


def w8(p, x, y):
    for i in range(64):
        x = jnp.tanh(linear(p, f"net.linear.{i}", x))
    return ((x - y) ** 2).mean()


def both(f, dy, *inputs):
    y, back = jax.vjp(f, *inputs)
    return [y, *back(dy)]


functions = {
    "product": lambda a, b: [a @ b],
    "formula": lambda x, a, b, c: [gelu(x * a + b) * c + x],
    "softmax_both": lambda x, dy: both(jax.nn.softmax, dy, x),
    "layer_norm_both": lambda x, g, b, dy: both(normalised, dy, x, g, b),
}


class Function:
    def __init__(self, spec, tensors):
        self.f = jax.jit(functions[spec["run"].rstrip("0123456789")])
        self.inputs = [jnp.asarray(tensors[t["name"]]) for t in spec["inputs"]]

    def step(self, i):
        self.results = self.f(*self.inputs)

    def drain(self):
        jax.block_until_ready(self.results)

    def value(self):
        return sum(float((np.asarray(r, np.float64) ** 2).sum()) for r in self.results) / sum(r.size for r in self.results)


class Training:
    def __init__(self, name, spec, tensors):
        count = spec.get("batchCount", 4)
        self.p = {t["name"]: jnp.asarray(tensors[t["name"]]) for t in spec["parameters"]}
        columns = [np.split(tensors[t["name"]], count) for t in spec["batches"]]
        self.batches = [tuple(jnp.asarray(c[i]) for c in columns) for i in range(count)]
        loss_of = functools.partial(transformer, spec["gpt"]) if "gpt" in spec else {"W1": w1, "W2": w2, "W6": w6, "W7": w7, "W8": w8}[name]
        rate = {"W6": 0.5, "W8": 1e-4}.get(name, 1e-3)
        decay = 0.1 if name == "W3" else 0.0
        zeros = lambda: {k: jnp.zeros_like(v) for k, v in self.p.items()}
        self.state = (zeros(), zeros(), jnp.zeros(()))

        @functools.partial(jax.jit, donate_argnums=(0, 1))
        def step(p, state, batch):
            loss, g = jax.value_and_grad(lambda p: loss_of(p, *batch))(p)
            if name == "W6":
                return loss, {k: p[k] - rate * g[k] for k in p}, state
            m, v, t = state
            t = t + 1
            m = {k: 0.9 * m[k] + 0.1 * g[k] for k in p}
            v = {k: 0.999 * v[k] + 0.001 * g[k] ** 2 for k in p}
            move = lambda k: m[k] / (1 - 0.9**t) / (jnp.sqrt(v[k] / (1 - 0.999**t)) + 1e-8)
            return loss, {k: p[k] * (1 - rate * decay) - rate * move(k) for k in p}, (m, v, t)

        self.update = step

    def step(self, i):
        self.loss, self.p, self.state = self.update(self.p, self.state, self.batches[i % len(self.batches)])

    def drain(self):
        jax.block_until_ready((self.loss, self.p))

    def value(self):
        return float(self.loss)


side, done = None, 0
answers = os.fdopen(3, "w")
for line in sys.stdin:
    command = json.loads(line)
    try:
        if command["do"] == "prepare":
            spec = command["spec"]
            tensors = safetensors(command["data"])
            side = Function(spec, tensors) if "run" in spec else Training(command["workload"], spec, tensors)
            command = {"steps": 1, "read": True}
        start = time.perf_counter()
        for _ in range(command["steps"]):
            side.step(done)
            done += 1
        side.drain()
        answer = {"ms": (time.perf_counter() - start) * 1e3, "device": jax.devices()[0].device_kind}
        if command.get("read"):
            answer["value"] = side.value()
    except Exception as error:  # reported to the driver, which goes on with the other sides
        answer = {"error": repr(error)[:2000]}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
