"""PyTorch, eager (or torch.compile with the argument `compile`), on the device named by the first argument (cpu, cuda). Commands as in side.mjs:
JSON lines on standard input, answers on file descriptor 3."""
import functools, json, math, os, struct, sys, time
import torch
import torch.nn.functional as F

place = sys.argv[1] if len(sys.argv) > 1 else "cpu"
compiled = "compile" in sys.argv[2:]
torch.set_num_threads(os.cpu_count() or 1)
sync = torch.cuda.synchronize if place == "cuda" else lambda: None


def safetensors(path):
    with open(path, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
        data = bytearray(f.read())
    kinds = {"F32": torch.float32, "I32": torch.int32}
    out = {}
    for name, t in header.items():
        start, end = t["data_offsets"]
        out[name] = torch.frombuffer(data, dtype=kinds[t["dtype"]], count=(end - start) // 4, offset=start).reshape(t["shape"]).clone().to(place)
    return out


def linear(p, path, x):
    y = x @ p[path + ".w"]
    return y + p[path + ".b"] if path + ".b" in p else y


def layer_norm(p, path, x):
    return F.layer_norm(x, x.shape[-1:], p[path + ".g"], p[path + ".b"])


def w1(p, x, y):
    for path in ["net.linear.0", "net.linear.1"]:
        x = F.relu(linear(p, path, x))
    return F.cross_entropy(linear(p, "net.linear2", x), y)


def w2(p, x, y):  # x: [n, 1, 28, 28], weights [out, in, h, w]
    for path in ["net.conv2d", "net.conv2d2"]:
        x = F.max_pool2d(F.relu(F.conv2d(x, p[path + ".w"], p[path + ".b"], padding=1)), 2)
    return F.cross_entropy(linear(p, "net.linear2", F.relu(linear(p, "net.linear", x.flatten(1)))), y)


def transformer(gpt, p, ids):
    b, t, d, heads = ids.shape[0], gpt["context"], gpt["width"], gpt["heads"]
    x = p["gpt.embedding.table"][ids[:, :-1]] + p["gpt.position.p"]
    mask = torch.ones(t, t, dtype=torch.bool, device=place).tril()
    for i in range(gpt["layers"]):
        at = f"gpt.block.{i}"
        q, k, v = linear(p, at + ".attention.linear", layer_norm(p, at + ".layer_norm", x)).view(b, t, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
        if hasattr(F, "scaled_dot_product_attention"):
            o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            o = (q @ k.transpose(-2, -1) / math.sqrt(d // heads)).masked_fill(~mask, -math.inf).softmax(-1) @ v
        x = x + linear(p, at + ".attention.linear2", o.transpose(1, 2).reshape(b, t, d))
        x = x + linear(p, at + ".linear2", F.gelu(linear(p, at + ".linear", layer_norm(p, at + ".layer_norm2", x))))
    return F.cross_entropy(linear(p, "gpt.linear", layer_norm(p, "gpt.layer_norm", x)).flatten(0, 1), ids[:, 1:].flatten())


def w6(p, x, y):
    return F.binary_cross_entropy_with_logits(linear(p, "net.linear2", torch.tanh(linear(p, "net.linear", x))), y)


class Lstm(torch.nn.Module):
    """torch.nn.LSTM with the weights of the plain formula; its second bias stays zero."""

    def __init__(self, p):
        super().__init__()
        self.cell = torch.nn.LSTM(64, 128, batch_first=True).to(place)
        with torch.no_grad():
            self.cell.weight_ih_l0.copy_(p["net.lstm.wx"].T)
            self.cell.weight_hh_l0.copy_(p["net.lstm.wh"].T)
            self.cell.bias_ih_l0.copy_(p["net.lstm.b"])
            self.cell.bias_hh_l0.zero_()
        self.cell.bias_hh_l0.requires_grad_(False)


def w8(p, x, y):
    for i in range(64):
        x = torch.tanh(linear(p, f"net.linear.{i}", x))
    return F.mse_loss(x, y)


functions = {
    "product": lambda a, b: [a @ b],
    "formula": lambda x, a, b, c: [F.gelu(x * a + b) * c + x],
}


def both(f, inputs, dy):
    inputs = [x.detach().requires_grad_() for x in inputs]
    y = f(*inputs)
    return [y.detach(), *torch.autograd.grad(y, inputs, dy)]


functions["softmax_both"] = lambda x, dy: both(lambda x: x.softmax(-1), [x], dy)
functions["layer_norm_both"] = lambda x, g, b, dy: both(lambda x, g, b: F.layer_norm(x, x.shape[-1:], g, b), [x, g, b], dy)


class Function:
    def __init__(self, spec, tensors):
        self.f = functions[spec["run"].rstrip("0123456789")]
        if compiled:
            self.f = torch.compile(self.f)
        self.inputs = [tensors[t["name"]] for t in spec["inputs"]]

    def step(self, i):
        self.results = self.f(*self.inputs)

    def value(self):
        return sum((r.double() ** 2).sum().item() for r in self.results) / sum(r.numel() for r in self.results)


class Training:
    def __init__(self, name, spec, tensors):
        count = spec.get("batchCount", 4)
        p = {t["name"]: tensors[t["name"]] for t in spec["parameters"]}
        if name == "W2":
            for k in ["net.conv2d.w", "net.conv2d2.w"]:
                p[k] = p[k].permute(3, 2, 0, 1).contiguous()
            p["net.linear.w"] = p["net.linear.w"].view(7, 7, 64, 128).permute(2, 0, 1, 3).reshape(3136, 128).contiguous()
            tensors["x"] = tensors["x"].permute(0, 3, 1, 2).contiguous()
        self.loss_of = {"W1": w1, "W2": w2, "W6": w6, "W8": w8}.get(name)
        if "gpt" in spec:
            self.loss_of = functools.partial(transformer, spec["gpt"])
        learned = p
        if name == "W7":
            net = Lstm(p)
            learned = {**{k: v for k, v in net.named_parameters() if v.requires_grad}, **{k: v for k, v in p.items() if k.startswith("net.linear")}}
            self.loss_of = lambda p, x, y: F.cross_entropy(linear(p, "net.linear", net.cell(x)[0][:, -1]), y)
        for t in learned.values():
            t.requires_grad_()
        self.p = learned
        if compiled:
            self.loss_of = torch.compile(self.loss_of)
        names = [t["name"] for t in spec["batches"]]
        columns = [tensors[n].long() if tensors[n].dtype == torch.int32 else tensors[n] for n in names]
        self.batches = list(zip(*[c.chunk(count) for c in columns]))
        rate = {"W3": 1e-3, "W6": 0.5, "W8": 1e-4}.get(name, 1e-3)
        group = list(learned.values())
        if name == "W6":
            self.optimizer = torch.optim.SGD(group, lr=rate)
        elif name == "W3":
            self.optimizer = torch.optim.AdamW(group, lr=rate, weight_decay=0.1)
        else:
            self.optimizer = torch.optim.Adam(group, lr=rate)

    def step(self, i):
        self.optimizer.zero_grad(set_to_none=True)
        self.loss = self.loss_of(self.p, *self.batches[i % len(self.batches)])
        self.loss.backward()
        self.optimizer.step()

    def value(self):
        return self.loss.item()


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
        sync()
        answer = {"ms": (time.perf_counter() - start) * 1e3}
        answer["device"] = torch.cuda.get_device_name() if place == "cuda" else "CPU"
        if place == "cuda":
            answer["bytes"] = torch.cuda.max_memory_allocated()
        if command.get("read"):
            answer["value"] = side.value()
    except Exception as error:  # reported to the driver, which goes on with the other sides
        answer = {"error": repr(error)[:2000]}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
