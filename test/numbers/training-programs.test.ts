// Small training programs of many kinds, step by step against plain arithmetic in f64: the gradient there is a central difference of the loss.
import { describe, test } from "vitest";
import { expectNear, trained, type Trained } from "./trained.ts";

type Vector = readonly number[];
/** Parameters by path. */
type Params = Readonly<Record<string, Vector>>;
interface Row {
  readonly x: Vector;
  readonly y: number;
  readonly k: number;
}
const rows: readonly Row[] = Array.from({ length: 12 }, (_, r) => ({
  x: [0.3 * r - 1.5, ((r * 5) % 7) / 3 - 1],
  y: 0.25 * ((r * 3) % 5) - 0.5,
  k: r % 3,
}));
const data = `
data d {
  rows: 12
  field x: f32[2] = [0.3 * f32(row) - 1.5, f32(row * 5 % 7) / 3 - 1]
  field y: f32 = 0.25 * f32(row * 3 % 5) - 0.5
  field k: i32 in 0..3 = row % 3
}`;
const batch = (step: number, width: number): Row[] =>
  Array.from({ length: width }, (_, b) => rows[(step * width + b) % 12]!);
const sum = (v: Vector): number => v.reduce((a, b) => a + b, 0);
const mean = (v: Vector): number => sum(v) / v.length;
/** x W + b, W row-major [in, out]. */
const linear = (x: Vector, w: Vector, b: Vector): number[] =>
  b.map((c, o) => c + sum(x.map((v, i) => v * w[i * b.length + o]!)));
const softmax = (z: Vector): number[] => z.map((v) => Math.exp(v) / sum(z.map(Math.exp)));
const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));
function gradient(
  loss: (p: Params) => number,
  p: Params,
  paths: readonly string[] = Object.keys(p),
): Record<string, number[]> {
  return Object.fromEntries(
    paths.map((path) => [
      path,
      p[path]!.map((_, i) => {
        const at = (h: number): number => loss({ ...p, [path]: p[path]!.map((v, j) => (j === i ? v + h : v)) });
        return (8 * (at(1e-4) - at(-1e-4)) - (at(2e-4) - at(-2e-4))) / 12e-4; // the error is of the fourth order
      }),
    ]),
  );
}
type Update = (path: string, p: Vector, g: Vector, t: number) => Vector; // t counts from 1; the step that is subtracted
function sgd(lr: number, { momentum = 0, nesterov = false, decay = 0 } = {}): Update {
  const v: Record<string, number[]> = {};
  return (path, p, g0, t) => {
    const g = g0.map((x, i) => x + decay * p[i]!);
    v[path] = t === 1 ? g : g.map((x, i) => momentum * v[path]![i]! + x);
    return v[path].map((x, i) => lr * (nesterov ? g[i]! + momentum * x : x));
  };
}
function adam(lr: number | ((t: number) => number), { decay = 0, l2 = 0, amsgrad = false } = {}): Update {
  const state: Record<string, { m: number[]; v: number[]; top: number[] }> = {};
  return (path, p, g0, t) => {
    const s = (state[path] ??= { m: p.map(() => 0), v: p.map(() => 0), top: p.map(() => 0) });
    const rate = typeof lr === "number" ? lr : lr(t);
    return p.map((x, i) => {
      const g = g0[i]! + l2 * x;
      s.m[i] = 0.9 * s.m[i]! + 0.1 * g;
      s.v[i] = 0.999 * s.v[i]! + 0.001 * g * g;
      s.top[i] = Math.max(s.top[i]!, s.v[i]!);
      return (
        rate *
        (s.m[i]! / (1 - 0.9 ** t) / (Math.sqrt((amsgrad ? s.top[i]! : s.v[i]!) / (1 - 0.999 ** t)) + 1e-8) + decay * x)
      );
    });
  };
}
interface Line {
  readonly loss: (p: Params, step: number) => number;
  readonly by: Update;
  readonly wrt?: readonly string[];
  readonly clip?: number;
  readonly every?: number;
}
const steps = 5;
/** Runs the text, then the same lines in plain arithmetic from the same initial values. */
async function same(
  text: string,
  lines: readonly Line[],
  metrics: Readonly<Record<string, (p: Params, step: number) => number>> = {},
  after?: (p: Params, t: Trained) => void,
): Promise<void> {
  const got = await trained(`${data}\n${text.replace("STEPS", `steps: ${steps}`)}`);
  const names = Object.keys(got.first).filter((path) => /^(net|other)\./.test(path) && !/\.(mu|var)$/.test(path));
  let p: Params = Object.fromEntries(names.map((path) => [path, got.first[path]!]));
  const curves: Record<string, number[]> = { loss: [] };
  for (let k = 0; k < steps; k++) {
    lines.forEach(({ loss, by, wrt = names, clip, every = 1 }, i) => {
      if (i === 0) curves["loss"]!.push(loss(p, k));
      if (k % every !== every - 1) return;
      const g = gradient((q) => loss(q, k), p, wrt);
      const norm = Math.sqrt(
        sum(
          Object.values(g)
            .flat()
            .map((x) => x * x),
        ),
      );
      const scale = clip === undefined ? 1 : Math.min(1, clip / (norm + 1e-6));
      const t = Math.floor(k / every) + 1;
      p = {
        ...p,
        ...Object.fromEntries(
          wrt.map((path) => [
            path,
            p[path]!.map(
              (v, j) =>
                v -
                by(
                  path,
                  p[path]!,
                  g[path]!.map((x) => x * scale),
                  t,
                )[j]!,
            ),
          ]),
        ),
      };
    });
    for (const [name, f] of Object.entries(metrics)) (curves[name] ??= []).push(f(p, k));
  }
  for (const [name, want] of Object.entries(curves)) expectNear(got.curves[name], want, `${name} of\n${text}\n`, 2e-4);
  for (const path of names) expectNear(got.held[path], p[path]!, `${path} of\n${text}\n`, 2e-4);
  after?.(p, got);
}
/** A step is asked for once for each parameter, so that its state moves once. */
const once = (by: Update): Update => {
  const seen = new Map<string, Vector>();
  return (path, p, g, t) => {
    const key = `${path} ${t}`;
    if (!seen.has(key)) seen.set(key, by(path, p, g, t));
    return seen.get(key)!;
  };
};
const [w, b] = ["net.linear.w", "net.linear.b"];
const line1 = (p: Params, x: Vector): number => linear(x, p[w!]!, p[b!]!)[0]!;
const mse = (p: Params, step: number, width = 4): number =>
  mean(batch(step, width).map((r) => (line1(p, r.x) - r.y) ** 2));
const regression = (more: string, on = "batch: 4"): string => `
model net(x: f32[B, 2]) -> f32[B] = x |> Linear(1) |> squeeze(-1)
train fit on d(${on}, shuffle: false) { ${more}
STEPS }`;
const mlp = (p: Params, x: Vector): number[] =>
  linear(linear(x, p["net.linear.w"]!, p["net.linear.b"]!).map(Math.tanh), p["net.linear2.w"]!, p["net.linear2.b"]!);
const crossEntropy = (z: Vector, k: number): number => -Math.log(softmax(z)[k]!);
const classifier = (more: string): string => `
model net(x: f32[B, 2]) -> f32[B, 3] = x |> Linear(4, act: tanh) |> Linear(3)
train fit on d(batch: 4, shuffle: false) { ${more}
STEPS }`;
const ce = (p: Params, step: number): number => mean(batch(step, 4).map((r) => crossEntropy(mlp(p, r.x), r.k)));

describe("regression", () => {
  test("momentum", () =>
    same(regression("minimize mse(net(x), y) by sgd(lr: 0.1, momentum: 0.9)"), [
      { loss: mse, by: once(sgd(0.1, { momentum: 0.9 })) },
    ]));
  test("nesterov with decay", () =>
    same(regression("minimize mse(net(x), y) by sgd(lr: 0.1, momentum: 0.9, nesterov: true, decay: 0.1)"), [
      { loss: mse, by: once(sgd(0.1, { momentum: 0.9, nesterov: true, decay: 0.1 })) },
    ]));
  test("adam with an L2 penalty, amsgrad", () =>
    same(regression("minimize mse(net(x), y) by adam(lr: 0.05, decay: 0.1, amsgrad: true)"), [
      { loss: mse, by: once(adam(0.05, { l2: 0.1, amsgrad: true })) },
    ]));
  test("adamw, a schedule, clipping", () =>
    same(
      regression(
        "minimize mse(net(x), y) by clip_norm(0.1) >> adamw(lr: warmup_cosine(0.1, warm: 2, total: steps), decay: 0.2)",
      ),
      [
        {
          loss: mse,
          clip: 0.1,
          by: once(
            adam(
              (t) =>
                t - 1 < 2 ? (0.1 * t) / 2 : 0.05 * (1 + Math.cos(Math.PI * Math.min(1, (t - 1 - 2) / (steps - 2)))),
              { decay: 0.2 },
            ),
          ),
        },
      ],
    ));
  test("step_decay", () => {
    const by = once((path, p, g, t) => sgd(0.2 * 0.1 ** Math.floor((t - 1) / 3))(path, p, g, 1));
    return same(regression("minimize mse(net(x), y) by sgd(lr: step_decay(0.2, step_size: 3))"), [{ loss: mse, by }]);
  });
  test("accumulated batches, momentum", () =>
    same(regression("minimize mse(net(x), y) by sgd(lr: 0.1, momentum: 0.5)\naccumulate: 3", "batch: 2"), [
      { loss: (p, k) => mse(p, k, 6), by: once(sgd(0.1, { momentum: 0.5 })) },
    ]));
  test("a lasso and a metric after it", () =>
    same(
      regression(
        "minimize mse(net(x), y) + 0.1 * l1_penalty(net) by sgd(lr: 0.1)\nmetric size = l1_penalty(net)\nmetric now = mse(net(x), y)",
      ),
      [{ loss: (p, k) => mse(p, k) + 0.1 * sum([...p[w!]!, ...p[b!]!].map(Math.abs)), by: sgd(0.1) }],
      { size: (p) => sum([...p[w!]!, ...p[b!]!].map(Math.abs)), now: mse },
    ));
  test("two rates", () =>
    same(regression("minimize mse(net(x), y) wrt net.linear.w by sgd(lr: 0.1) by adam(lr: 0.05)"), [
      {
        loss: mse,
        by: (
          (a, c): Update =>
          (path, ...x) =>
            (path === w ? a : c)(path, ...x)
        )(sgd(0.1), once(adam(0.05))),
      },
    ]));
  test("huber by rmsprop with a momentum", () => {
    const state: Record<string, { v: number[]; b: number[] }> = {};
    const by = once((path, p, g) => {
      const s = (state[path] ??= { v: p.map(() => 0), b: p.map(() => 0) });
      return p.map((_, i) => {
        s.v[i] = 0.99 * s.v[i]! + 0.01 * g[i]! ** 2;
        s.b[i] = 0.5 * s.b[i]! + g[i]! / (Math.sqrt(s.v[i]!) + 1e-8);
        return 0.01 * s.b[i]!;
      });
    });
    const huber = (e: number): number => (Math.abs(e) <= 0.3 ? 0.5 * e * e : 0.3 * (Math.abs(e) - 0.15));
    return same(regression("minimize huber(net(x), y, delta: 0.3) by rmsprop(lr: 0.01, momentum: 0.5)"), [
      { loss: (p, k) => mean(batch(k, 4).map((r) => huber(line1(p, r.x) - r.y))), by },
    ]);
  });
  test("an optimizer of one's own, with state: signs of a running mean", () => {
    const m: Record<string, number[]> = {};
    const by = once((path, _, g) => {
      const before = m[path] ?? g.map(() => 0);
      m[path] = before.map((v, i) => 0.9 * v + 0.1 * g[i]!);
      return before.map((v, i) => 0.02 * Math.sign(0.8 * v + 0.2 * g[i]!));
    });
    return same(
      `optimizer lion(lr: f32)(p: f32[...P], g: f32[...P]) {\nstate m: f32[...P] = 0\nnext m = 0.9 * m + 0.1 * g\nreturn lr * sign(0.8 * m + 0.2 * g) }${regression("minimize mse(net(x), y) by lion(lr: 0.02)")}`,
      [{ loss: mse, by }],
    );
  });
  test("a loss weighed by a state that follows it", () => {
    let scale = 1;
    let at = -1;
    let now = 1;
    const loss = (p: Params, k: number): number => {
      if (k !== at) {
        now = scale;
        scale = 0.5 * scale + 0.5 * mse(p, k);
        at = k;
      }
      return mse(p, k) / (now + 0.1);
    };
    return same(
      regression(
        "state s: f32 = 1\nlet e = mse(net(x), y)\nminimize e / (s + 0.1) by sgd(lr: 0.05)\nnext s = 0.5 * s + 0.5 * e",
      ),
      [{ loss, by: sgd(0.05) }],
    );
  });
});
describe("classification", () => {
  test("two layers, adam", () =>
    same(
      classifier(
        "let z = net(x)\nminimize cross_entropy(z, k) by adam(lr: 0.05)\nmetric before = accuracy(z, k)\nmetric now = cross_entropy(net(x), k)",
      ),
      [{ loss: ce, by: once(adam(0.05)) }],
      { now: ce },
    ));
  test("class weights and label smoothing", () => {
    const weight = [1, 2, 0.5];
    const loss = (p: Params, k: number): number => {
      const own = batch(k, 4);
      const l = own.map((r) => {
        const lp = softmax(mlp(p, r.x)).map(Math.log);
        return -0.9 * weight[r.k]! * lp[r.k]! - (0.1 / 3) * sum(lp.map((v, j) => v * weight[j]!));
      });
      return sum(l) / sum(own.map((r) => weight[r.k]!));
    };
    return same(classifier("minimize cross_entropy(net(x), k, weight: [1.0, 2.0, 0.5], smooth: 0.1) by sgd(lr: 0.3)"), [
      { loss, by: sgd(0.3) },
    ]);
  });
  test("logits of one class against the others, with a positive weight", () => {
    const loss = (p: Params, k: number): number =>
      mean(
        batch(k, 4).map((r) => {
          const q = sigmoid(line1(p, r.x));
          return r.k === 0 ? -3 * Math.log(q) : -Math.log(1 - q);
        }),
      );
    return same(regression("minimize bce_with_logits(net(x), f32(k == 0), positive: 3) by sgd(lr: 0.2)"), [
      { loss, by: sgd(0.2) },
    ]);
  });
  test("a penalty on the slope by the input", () => {
    const loss = (p: Params, k: number): number => {
      const own = batch(k, 4);
      const slope = (x: Vector): number[] =>
        [0, 1].map((i) => {
          const at = (h: number): number =>
            sum(
              mlp(
                p,
                x.map((v, j) => (j === i ? v + h : v)),
              ).map((v) => v * v),
            );
          return (8 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3;
        });
      return ce(p, k) + 0.1 * mean(own.map((r) => sum(slope(r.x).map((g) => g * g))));
    };
    return same(
      classifier(
        "let g = grad(sum(net(x)^2), wrt: x)\nminimize cross_entropy(net(x), k) + 0.1 * mean(sum(g^2, axis: -1)) by sgd(lr: 0.1)",
      ),
      [{ loss, by: sgd(0.1) }],
    );
  });
  test("words: an embedding, the mean of two, a shared table", () => {
    const table = "net.embedding.table";
    const loss = (p: Params, k: number): number =>
      mean(
        batch(k, 4).map((r) => {
          const row = (i: number): Vector => p[table]!.slice(3 * i, 3 * i + 3);
          const h = [0, 1, 2].map((i) => (row(r.k)[i]! + row((r.k + 1) % 3)[i]!) / 2);
          return crossEntropy(
            [0, 1, 2].map((j) => sum(h.map((v, i) => v * row(j)[i]!))),
            (r.k + 2) % 3,
          );
        }),
      );
    return same(
      `
model net(a: i32[B] in 0..3, c: i32[B] in 0..3) -> f32[B, 3] {
  let embedding = Embedding(3, 3)
  let h = (embedding(a) + embedding(c)) / 2
  return h @ transpose(embedding.table)
}
train fit on d(batch: 4, shuffle: false) { minimize cross_entropy(net(k, (k + 1) % 3), (k + 2) % 3) by sgd(lr: 0.2)\nSTEPS }`,
      [{ loss, by: sgd(0.2) }],
    );
  });
});
test("what a field is called changes no number", async () => {
  const text = (name: string): string =>
    `${data}\n${classifier(`let g = grad(sum(net(x)^2), wrt: x)
minimize cross_entropy(net(x), k) + 0.1 * mean(sum(g^2, axis: -1)) by sgd(lr: 0.1)`)}`
      .replace("STEPS", "steps: 3")
      .replace("field k:", `field ${name}:`)
      .replace("net(x), k)", `net(x), ${name})`);
  const want = (await trained(text("label"))).curves["loss"]!;
  for (const name of ["i", "j", "k"]) expectNear((await trained(text(name))).curves["loss"], want, name, 1e-6);
});
describe("several lines and models", () => {
  const models = `
model net(x: f32[B, 2]) -> f32[B] = x |> Linear(1) |> squeeze(-1)
model other(x: f32[B, 2]) -> f32[B] = x |> Linear(1) |> squeeze(-1)
train fit on d(batch: 4, shuffle: false) {`;
  const of = (p: Params, name: string, x: Vector): number =>
    linear(x, p[`${name}.linear.w`]!, p[`${name}.linear.b`]!)[0]!;
  const paths = (name: string): string[] => [`${name}.linear.w`, `${name}.linear.b`];
  test("one learns from the other's new values, every second step", () =>
    same(
      `${models}
  minimize mse(net(x), y) wrt net by sgd(lr: 0.2)
  minimize mse(other(x), stop(net(x))) wrt other by adam(lr: 0.1) every 2
  metric gap = mse(other(x), net(x))
STEPS }`,
      [
        {
          loss: (p, k) => mean(batch(k, 4).map((r) => (of(p, "net", r.x) - r.y) ** 2)),
          by: sgd(0.2),
          wrt: paths("net"),
        },
        {
          loss: (p, k) => mean(batch(k, 4).map((r) => (of(p, "other", r.x) - of(p, "net", r.x)) ** 2)),
          by: once(adam(0.1)),
          wrt: paths("other"),
          every: 2,
        },
      ],
      { gap: (p, k) => mean(batch(k, 4).map((r) => (of(p, "other", r.x) - of(p, "net", r.x)) ** 2)) },
    ));
  test("a frozen teacher", () => {
    const loss = (p: Params, k: number): number =>
      mean(batch(k, 4).map((r) => (of(p, "net", r.x) - of(p, "other", r.x)) ** 2));
    return same(
      `${models} minimize mse(net(x), frozen(other)(x)) by sgd(lr: 0.2)\nmetric size = l2(other)\nSTEPS }`,
      [{ loss, by: sgd(0.2), wrt: paths("net") }],
      { size: (p) => sum(paths("other").flatMap((q) => p[q]!.map((v) => v * v))) },
    );
  });
  test("one step of gradient descent within the objective (MAML)", () => {
    const loss = (p: Params, k: number): number => {
      const inner = (q: Params): number => mean(batch(k, 4).map((r) => (of(q, "net", r.x) - r.y) ** 2));
      const g = gradient(inner, p, paths("net"));
      const q = {
        ...p,
        ...Object.fromEntries(paths("net").map((path) => [path, p[path]!.map((v, i) => v - 0.1 * g[path]![i]!)])),
      };
      return mean(batch(k, 4).map((r) => (of(q, "net", r.x) - r.x[0]! * r.y) ** 2));
    };
    return same(
      `${models.replace(/model other.*\n/, "")}
  let fast = net - 0.1 * grad(mse(net(x), y), wrt: net)
  minimize mse(fast(x), x[:, 0] * y) by sgd(lr: 0.1)\nSTEPS }`,
      [{ loss, by: sgd(0.1), wrt: paths("net") }],
    );
  });
  test("normalisation by the batch, running statistics by two applications a step", () => {
    const normal = (p: Params, own: readonly Vector[]): number[] => {
      const m = [0, 1].map((i) => mean(own.map((x) => x[i]!)));
      const v = [0, 1].map((i) => mean(own.map((x) => (x[i]! - m[i]!) ** 2)));
      return own.map(
        (x) =>
          linear(
            x.map(
              (c, i) =>
                ((c - m[i]!) / Math.sqrt(v[i]! + 1e-5)) * p["net.batch_norm.g"]![i]! + p["net.batch_norm.b"]![i]!,
            ),
            p["net.linear.w"]!,
            p["net.linear.b"]!,
          )[0]!,
      );
    };
    const loss = (p: Params, k: number): number => {
      const own = batch(k, 4);
      return (
        mean(
          normal(
            p,
            own.map((r) => r.x),
          ).map((z, i) => (z - own[i]!.y) ** 2),
        ) +
        mean(
          normal(
            p,
            own.map((r) => r.x.map((c) => 2 * c + 1)),
          ).map((z) => z * z),
        )
      );
    };
    return same(
      `model net(x: f32[B, 2]) -> f32[B] = x |> BatchNorm() |> Linear(1) |> squeeze(-1)
train fit on d(batch: 4, shuffle: false) { minimize mse(net(x), y) + mean(net(2 * x + 1)^2) by sgd(lr: 0.1)\nSTEPS }`,
      [{ loss, by: sgd(0.1) }],
      {},
      (_, t) => {
        let [mu, va] = [
          [0, 0],
          [1, 1],
        ];
        for (let k = 0; k < steps; k++)
          for (const own of [batch(k, 4).map((r) => r.x), batch(k, 4).map((r) => r.x.map((c) => 2 * c + 1))]) {
            const m = [0, 1].map((i) => mean(own.map((x) => x[i]!)));
            va = va.map((v, i) => 0.9 * v + (0.1 * (mean(own.map((x) => (x[i]! - m[i]!) ** 2)) * 4)) / 3);
            mu = mu.map((v, i) => 0.9 * v + 0.1 * m[i]!);
          }
        expectNear(t.held["net.batch_norm.mu"], mu, "mu");
        expectNear(t.held["net.batch_norm.var"], va, "var");
      },
    );
  });
  test("a recurrent cell over three rounds", () => {
    const loss = (p: Params, k: number): number =>
      mean(
        batch(k, 4).map((r) => {
          let h = [0, 0];
          for (const t of [0, 1, 2]) {
            const a = linear([r.x[0]! + t, r.x[1]! - t], p["net.cell.wx"]!, [0, 0]);
            h = linear(h, p["net.cell.wh"]!, a).map(Math.tanh);
          }
          return (h[0]! + h[1]! - r.y) ** 2;
        }),
      );
    return same(
      `
layer Cell(n: int)(xs: f32[B, T, I]) -> f32[B, n] {
  param wx: f32[I, n] ~ glorot_uniform
  param wh: f32[n, n] ~ normal(0, 0.5)
  return fold (x in xs along 1; h = zeros[B, n]) { next h = tanh(x @ wx + h @ wh) }
}
model net(x: f32[B, 2]) -> f32[B] {
  let xs = for b, t in 0..3, i: x[b, i] + f32(t) * (1 - 2 * f32(i))
  return sum(xs |> Cell(2), axis: -1)
}
train fit on d(batch: 4, shuffle: false) { minimize mse(net(x), y) by sgd(lr: 0.1)\nSTEPS }`,
      [{ loss, by: sgd(0.1) }],
    );
  });
});
