// Library declarations against PyTorch: for every kind of reference case that one call says, that call, its values and its gradients on the f64 evaluator.
// Optimizers and schedules run their steps. Attributes that a row does not read fail its case.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Program } from "../../compiler/elaborate/program.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { programOf } from "../graph/programs.ts";
import type { ReferenceCase as Case, ReferenceTensor as Tensor, Tensors } from "../reference/case.ts";

/** Reads attributes of a case and remembers which. */
interface Reader {
  readonly c: Case;
  readonly text: (name: string) => string; // as dlm writes it
  readonly reduce: () => string;
  readonly extent: (name: string, axis: number) => number;
}
interface Written {
  readonly outputs: Readonly<Record<string, string>>;
  readonly ranges?: Readonly<Record<string, string>>; // of integer inputs
  readonly declarations?: string;
  readonly parameters?: Readonly<Record<string, string>>; // paths, matrices transposed
}
const folder = new URL("../golden/", import.meta.url);
const casesOf = (family: string): Case[] =>
  readdirSync(new URL(`${family}/`, folder)).map(
    (name) => JSON.parse(readFileSync(new URL(`${family}/${name}`, folder), "utf8")) as Case,
  );
const reducers: Readonly<Record<string, string>> = {
  mean: "average",
  sum: "total",
  none: "each",
  batchmean: "batch_mean",
};
function readerOf(c: Case): { reader: Reader; unread: () => string[] } {
  const read = new Set(["source", "axes"]);
  const attr = (name: string): unknown => {
    read.add(name);
    return c.attrs[name];
  };
  const reader: Reader = {
    c,
    text: (name) => {
      const value = attr(name);
      return Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
    },
    reduce: () => `reduce: ${reducers[String(attr("reduction"))]}`,
    extent: (name, axis) => (c.inputs[name] ?? c.params[name])!.shape.at(axis)!,
  };
  return { reader, unread: () => Object.keys(c.attrs).filter((name) => !read.has(name)) };
}
const typeOf = (t: Tensor, range?: string): string =>
  `${t.dtype}${t.shape.length ? `[${t.shape.join(", ")}]` : ""}${range ? ` in ${range}` : ""}`;
const plain = (name: string): string => name.replaceAll(".", "_");
const transposed = (t: Tensor): Tensor => {
  const [rows, columns] = t.shape;
  if (rows === undefined || columns === undefined) return t;
  return {
    ...t,
    shape: [columns, rows],
    data: Array.from({ length: rows * columns }, (_, i) => t.data[(i % rows) * columns + Math.floor(i / rows)]!),
  };
};
function compare(c: Case, what: string, got: ArrayLike<number>, want: Tensor): void {
  expect(got.length, what).toBe(want.data.length);
  const { rtol, atol } = c.tolerance;
  want.data.forEach((w, i) => {
    const off = Math.abs(got[i]! - w);
    if (!(off <= atol + rtol * Math.abs(w))) expect.fail(`${what}: element ${i} is ${got[i]} instead of ${w}`);
  });
}
const sourceOf = (program: Program, path: string): Source =>
  [...program.parameters, ...program.states].find((x) => x.path === path)!.source;

/** Values and gradients of a case by the text that says it. */
function check(c: Case, w: Written): void {
  const given = { ...c.inputs, ...c.params };
  const held = w.parameters ?? {};
  const free = Object.entries(given).filter(([name]) => !held[name]);
  const names = Object.keys(w.outputs);
  const lets = names.map((name) => `let out_${name} = ${w.outputs[name]}\n`).join("");
  const tuple = (texts: readonly string[]): string => (texts.length === 1 ? texts[0]! : `(${texts.join(", ")})`);
  const signature = free.map(([name, t]) => `${plain(name)}: ${typeOf(t, w.ranges?.[name])}`);
  let text = `${w.declarations ?? ""}\nexport fn forward(${signature.join(", ")}) {\n${lets}return ${tuple(names.map((n) => `out_${n}`))}\n}\n`;
  const wrt = Object.keys(c.grads);
  const cotangents = Object.entries(c.grad_of === "cotangent" ? (c.cotangent ?? {}) : {});
  const objective = cotangents.length
    ? cotangents.map(([name]) => `sum(out_${name} * c_${name})`).join(" + ")
    : `out_${c.grad_of}`;
  const all = [...signature, ...cotangents.map(([name, t]) => `c_${name}: ${typeOf(t)}`)];
  if (wrt.length)
    text += `export fn gradient(${all.join(", ")}) {\n${lets}return grad(${objective}, wrt: ${tuple(wrt.map((n) => held[n]?.replace(/\.(\d+)/g, "[$1]") ?? plain(n)))})\n}\n`;
  const program = programOf(text, "case.dlm");
  const values = new Map<Source, readonly number[]>();
  for (const [name, path] of Object.entries(held)) values.set(sourceOf(program, path), transposed(given[name]!).data);
  for (const e of program.exports) {
    for (const i of e.inputs) {
      const [, own] = free.find(([name]) => plain(name) === i.name) ?? [];
      values.set(i.source, (own ?? c.cotangent![i.name.slice(2)]!).data);
    }
    const got = [...evaluate(e.program, values).outputs.values()];
    if (e.name === "forward") names.forEach((name, k) => compare(c, name, got[k]!, c.outputs[name]!));
    else
      wrt.forEach((name, k) =>
        compare(c, `gradient of ${name}`, got[k]!, held[name] ? transposed(c.grads[name]!) : c.grads[name]!),
      );
  }
}
type Rule = (r: Reader) => Written;
const y =
  (text: string): Rule =>
  () => ({ outputs: { y: text } });
const loss =
  (write: (r: Reader) => string, ranges?: (r: Reader) => Record<string, string>): Rule =>
  (r) => ({ outputs: { loss: `${write(r)}, ${r.reduce()})` }, ...(ranges ? { ranges: ranges(r) } : {}) });
const classes = (r: Reader): Record<string, string> => ({ target: `0..${r.extent("x", -1)}` });
const scored = (r: Reader): Record<string, string> => ({ target: `0..${r.extent("scores", -1)}` });

const rules: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  activation: {
    glu: (r) => ({ outputs: { y: `glu(x, axis: ${r.text("axis")})` } }),
    softmin: (r) => ({ outputs: { y: `softmin(x, axis: ${r.text("axis")})` } }),
    rrelu_eval: (r) => ({ outputs: { y: `rrelu(x, ${r.text("lower")}, ${r.text("upper")})` } }),
    // channels are the second axis there
    prelu: (r) => ({
      outputs: {
        y: r.extent("weight", 0) === 1 ? "prelu(x, weight[0])" : "move_axis(prelu(move_axis(x, 1, -1), weight), -1, 1)",
      },
    }),
  },
  reduction: {
    cumsum: (r) => ({ outputs: { y: `cumsum(x, axis: ${r.text("axis")})` } }),
    cumprod: (r) => ({ outputs: { y: `cumprod(x, axis: ${r.text("axis")})` } }),
    pairwise_distance: (r) => ({ outputs: { y: `pairwise_distance(a, b, ${r.text("eps")}, ${r.text("p")})` } }),
  },
  shape: {
    diagonal: (r) => ({ outputs: { y: `diagonal(x, ${r.text("offset")})` } }),
    repeat_interleave: (r) => ({ outputs: { y: `repeat_interleave(x, ${r.text("repeats")}, ${r.text("axis")})` } }),
    roll: (r) => {
      const axes = JSON.parse(r.text("axes")) as number[];
      const shifts = JSON.parse(r.text("shifts")) as number[];
      return { outputs: { y: axes.reduce((x, axis, i) => `roll(${x}, ${shifts[i]}, axis: ${axis})`, "x") } };
    },
  },
  linalg: { svdvals: y("svdvals(x)") },
  indexing: {
    take_along: (r) => ({
      outputs: { y: `take_along(x, index, axis: ${r.text("axis")})` },
      ranges: { index: `0..${r.extent("x", Number(r.text("axis")))}` },
    }),
    gather: (r) => ({
      outputs: { y: `take_along(x, index, axis: ${r.text("axis")})` },
      ranges: { index: `0..${r.extent("x", Number(r.text("axis")))}` },
    }),
    sort: (r) => ({
      outputs: {
        values: `sort(x, axis: ${r.text("axis")}, descending: ${r.text("descending")})`,
        indices: `argsort(x, axis: ${r.text("axis")}, descending: ${r.text("descending")})`,
      },
    }),
    topk: (r) => ({
      outputs: {
        values: `top_k(x, ${r.text("k")}, axis: ${r.text("axis")})`,
        indices: `arg_top_k(x, ${r.text("k")}, axis: ${r.text("axis")})`,
      },
    }),
  },
  loss: {
    adaptive_log_softmax: (r) => {
      const count = (JSON.parse(r.text("cutoffs")) as number[]).length;
      r.reduce();
      const layer = `AdaptiveLogSoftmax(${r.text("classes")}, cutoffs: ${r.text("cutoffs")}, div: ${r.text("div_value")}, bias: ${r.text("head_bias")})`;
      const tails = Array.from({ length: count }, (_, i) => [
        [`tail.${i}.0.weight`, `net.head.adaptive_cluster.${i}.linear.w`],
        [`tail.${i}.1.weight`, `net.head.adaptive_cluster.${i}.linear2.w`],
      ]).flat();
      return {
        declarations: `model net(x: f32[B, ${r.text("in")}]) {\n  let head = ${layer}\n  return head(x)\n}`,
        outputs: {
          output: "-net.head(x, target, reduce: each)",
          loss: "net.head(x, target)",
          log_prob: "net(x)",
        },
        ranges: { target: `0..${r.text("classes")}` },
        parameters: Object.fromEntries([
          ["head.weight", "net.head.head.w"],
          ...("head.bias" in r.c.params ? [["head.bias", "net.head.head.b"]] : []),
          ...tails,
        ]) as Record<string, string>,
      };
    },
    contrastive: (r) => ({
      outputs: {
        loss: `contrastive(sqrt(sum((a - b)^2, axis: -1) + ${r.text("eps")}), target, margin: ${r.text("margin")}, ${r.reduce()})`,
      },
    }),
    cosine_embedding: loss((r) => `cosine_embedding(a, b, target, margin: ${r.text("margin")}`),
    cross_entropy_probs: loss(
      (r) =>
        `cross_entropy_probs(x, target, ${r.c.inputs["class_weight"] ? "class_weight" : 1}, ${r.c.attrs["label_smoothing"] === undefined ? 0 : r.text("label_smoothing")}`,
    ),
    ctc: (r) => {
      const each = `ctc_loss(log_softmax(x), target, input_lengths, target_lengths, blank: ${r.text("blank")})`;
      const of = r.reduce();
      const text = of.endsWith("average") ? `mean(${each} / f32(target_lengths))` : `${each.slice(0, -1)}, ${of})`;
      return {
        outputs: { loss: text },
        ranges: {
          target: `0..${r.extent("x", -1)}`,
          input_lengths: `0..${r.extent("x", 0) + 1}`,
          target_lengths: `0..${r.extent("target", 1) + 1}`,
        },
      };
    },
    focal: loss((r) => `focal(x, target, gamma: ${r.text("gamma")}`),
    gaussian_nll: loss((r) => `gaussian_nll(x, target, var, full: ${r.text("full")}, eps: ${r.text("eps")}`),
    hinge: loss((r) => `hinge(x, target, margin: ${r.text("margin")}`),
    squared_hinge: loss((r) => `squared_hinge(x, target, margin: ${r.text("margin")}`),
    hinge_embedding: loss((r) => `hinge_embedding(x, target, margin: ${r.text("margin")}`),
    kl_div: loss((r) => `kl_div(x, target, log_target: ${r.text("log_target")}`),
    log_cosh: loss(() => "log_cosh(x, target"),
    margin_ranking: loss((r) => `margin_ranking(a, b, target, margin: ${r.text("margin")}`),
    multi_margin: loss((r) => `multi_margin(x, target, p: ${r.text("p")}, margin: ${r.text("margin")}`, classes),
    multilabel_soft_margin: loss(() => "multilabel_soft_margin(x, target"),
    poisson_nll: loss(
      (r) => `poisson_nll(x, target, log_input: ${r.text("log_input")}, full: ${r.text("full")}, eps: ${r.text("eps")}`,
    ),
    soft_margin: loss(() => "soft_margin(x, target"),
    triplet_margin: loss(
      (r) =>
        `triplet_margin(anchor, positive, negative, ${r.text("margin")}, p: ${r.text("p")}, eps: ${r.text("eps")}, swap: ${r.text("swap")}`,
    ),
    vae_elbo: (r) => {
      r.reduce();
      return { outputs: { loss: `vae_loss(x, target, mu, logvar, beta: ${r.text("beta")})` } };
    },
  },
  metric: {
    accuracy: (r) => ({ outputs: { accuracy: "accuracy(scores, target)" }, ranges: scored(r) }),
    auroc: () => ({ outputs: { auroc: "auroc(scores, f32(target))" } }),
    binary_classification: (r) => {
      const guess = `i32(scores > ${r.text("threshold")})`;
      const of = (name: string): string => `${name}(${guess}, target, 2, average: positive_class)`;
      return {
        outputs: {
          precision: of("precision"),
          recall: of("recall"),
          f1: of("f1"),
          accuracy: `binary_accuracy(scores, f32(target), ${r.text("threshold")})`,
        },
        ranges: { target: "0..2" },
      };
    },
    precision_recall_f1: (r) => {
      r.text("zero_division");
      const k = r.extent("scores", -1);
      const means = {
        macro: "macro_average",
        micro: "micro_average",
        weighted: "weighted_average",
        per_class: "per_class",
      };
      return {
        outputs: Object.fromEntries(
          ["precision", "recall", "f1"].flatMap((name) =>
            Object.entries(means).map(([suffix, average]) => [
              `${name}_${suffix}`,
              `${name}(argmax(scores, axis: -1), target, ${k}, ${name === "f1" ? "average: " : ""}${average})`,
            ]),
          ),
        ),
        ranges: scored(r),
      };
    },
    confusion_matrix: (r) => ({
      outputs: { matrix: `confusion(argmax(scores, axis: -1), target, ${r.extent("scores", -1)})` },
      ranges: scored(r),
    }),
    top_k_accuracy: (r) => ({
      outputs: { top_k: `top_k_accuracy(scores, target, ${r.text("k")})` },
      ranges: scored(r),
    }),
  },
};
describe.each(Object.keys(rules))("%s", (family) => {
  const cases = casesOf(family).filter((c) => rules[family]![c.kind]);
  test("every row has a case", () => {
    expect(Object.keys(rules[family]!).filter((kind) => !cases.some((c) => c.kind === kind))).toEqual([]);
  });
  test.each(cases.map((c) => [c.name, c] as const))("%s", (_, c) => {
    const { reader, unread } = readerOf(c);
    const written = rules[family]![c.kind]!(reader);
    expect(unread()).toEqual([]);
    check(c, written);
  });
});

/** A train block on the evaluator: states that are set before, and what is looked at after every step. */
function steps(
  text: string,
  count: number,
  initial: Tensors,
  after: (values: (path: string) => ArrayLike<number>, k: number) => void,
): void {
  const program = programOf(text, "case.dlm");
  const [train] = program.trains;
  const values = new Map<Source, ArrayLike<number>>(
    [...train!.init.inputs, ...train!.step.inputs].filter((x) => x.path === "seed").map((x) => [x, [1]]),
  );
  for (const [target, v] of evaluate(train!.init, values).updates) values.set(target, v);
  for (const [path, t] of Object.entries(initial)) values.set(sourceOf(program, path), t.data);
  for (const s of train!.scalars) values.set(s.source, [s.name === "steps" ? count : 0]);
  for (let k = 0; k < count; k++) {
    for (const [target, v] of evaluate(train!.step, values).updates) values.set(target, v);
    after((path) => values.get(sourceOf(program, path))!, k);
  }
}
const betas = (r: Reader): string => {
  const [b1, b2] = JSON.parse(r.text("betas")) as [number, number];
  return `b1: ${b1}, b2: ${b2}`;
};
const rates = (r: Reader): string => `lr: ${r.text("lr")}, decay: ${r.text("weight_decay")}`;
const optimizers: Readonly<Record<string, (r: Reader) => string>> = {
  adagrad: (r) =>
    `adagrad(${rates(r)}, lr_decay: ${r.text("lr_decay")}, start: ${r.text("initial_accumulator_value")}, eps: ${r.text("eps")})`,
  adadelta: (r) => `adadelta(${rates(r)}, rho: ${r.text("rho")}, eps: ${r.text("eps")})`,
  adamax: (r) => `adamax(${rates(r)}, ${betas(r)}, eps: ${r.text("eps")})`,
  nadam: (r) => `nadam(${rates(r)}, ${betas(r)}, eps: ${r.text("eps")}, momentum_decay: ${r.text("momentum_decay")})`,
  radam: (r) => `radam(${rates(r)}, ${betas(r)}, eps: ${r.text("eps")})`,
  lion: (r) => `lion(${rates(r)}, ${betas(r)})`,
  lamb: (r) => `lamb(${rates(r)}, ${betas(r)}, eps: ${r.text("eps")})`,
};
describe("optimizer", () => {
  const cases = casesOf("optimizer").filter((c) => optimizers[c.kind]);
  test.each(cases.map((c) => [c.name, c] as const))("%s", (_, c) => {
    const { reader, unread } = readerOf(c);
    const [w, b] = [c.params["w"]!, c.params["b"]!];
    const count = Number(reader.text("steps"));
    const text = `model net() -> f32 {
  param w: ${typeOf(w)} ~ zeros
  param b: ${typeOf(b)} ~ zeros
  return sum(w) + sum(b)
}
train fit {
  state gw: f32[${[count, ...w.shape].join(", ")}] = 0
  state gb: f32[${[count, ...b.shape].join(", ")}] = 0
  let made = net()
  minimize sum(net.w * gw[step % ${count}]) + sum(net.b * gb[step % ${count}]) by ${optimizers[c.kind]!(reader)}
  steps: ${count}
}
`;
    expect(unread()).toEqual([]);
    const initial = { "net.w": w, "net.b": b, "fit.gw": c.inputs["grad.w"]!, "fit.gb": c.inputs["grad.b"]! };
    steps(text, count, initial, (state, k) => {
      for (const name of ["w", "b"]) {
        const { shape, data } = c.outputs[name]!;
        const size = data.length / shape[0]!;
        compare(c, `${name} after step ${k + 1}`, state(`net.${name}`), {
          ...c.outputs[name]!,
          data: data.slice(k * size, (k + 1) * size),
        });
      }
    });
  });
});
const schedules: Readonly<Record<string, (r: Reader) => string>> = {
  constant: (r) => `constant(${r.text("lr")})`,
  cosine: (r) => `cosine(${r.text("lr")}, total: ${r.text("t_max")}, floor: ${r.text("eta_min")})`,
  cosine_warm_restarts: (r) =>
    `cosine_warm_restarts(${r.text("lr")}, ${r.text("t_0")}, factor: ${r.text("t_mult")}, floor: ${r.text("eta_min")})`,
  exponential: (r) => `exponential(${r.text("lr")}, ${r.text("gamma")})`,
  inverse_sqrt: (r) => `noam(${r.text("d_model")}, ${r.text("warmup")}, ${r.text("factor")})`,
  linear: (r) => `linear(${r.text("lr")}, ${r.text("total")}, ${r.text("start_factor")}, ${r.text("end_factor")})`,
  multistep: (r) => `multi_step(${r.text("lr")}, ${r.text("milestones")}, ${r.text("gamma")})`,
  one_cycle: (r) =>
    `one_cycle(${r.text("max_lr")}, ${r.text("total")}, ${r.text("pct_start")}, ${r.text("div_factor")}, ${r.text("final_div_factor")}, linear: ${r.text("anneal") === "linear"}, three_phase: ${r.text("three_phase").toLowerCase()})`,
  polynomial: (r) => `polynomial(${r.text("lr")}, ${r.text("total")}, ${r.text("power")})`,
  reduce_on_plateau: (r) =>
    `reduce_on_plateau(${r.text("lr")}, value: seen_metric[max(step - 1, 0) % ${r.text("steps")}], factor: ${r.text("factor")}, patience: ${r.text("patience")}, threshold: ${r.text("threshold")}, absolute: ${r.text("threshold_mode") === "abs"}, more_is_better: ${r.text("mode") === "max"}, cooldown: ${r.text("cooldown")}, floor: ${r.text("min_lr")}, when: step > 0)`,
  step: (r) => `step_decay(${r.text("lr")}, ${r.text("step_size")}, ${r.text("gamma")})`,
  warmup_cosine: (r) => `warmup_cosine(${r.text("lr")}, ${r.text("warmup")}, ${r.text("total")}, ${r.text("min_lr")})`,
  warmup_linear: (r) => `warmup_linear(${r.text("lr")}, ${r.text("warmup")}, ${r.text("total")})`,
};
describe("schedule", () => {
  const cases = casesOf("schedule");
  test("every kind has a row", () => expect(cases.filter((c) => !schedules[c.kind]).map((c) => c.kind)).toEqual([]));
  test.each(cases.map((c) => [c.name, c] as const))("%s", (_, c) => {
    const { reader, unread } = readerOf(c);
    const count = Number(reader.text("steps"));
    const { metric } = c.inputs;
    const text = `model net() -> f32 {
  param w: f32 ~ zeros
  return w
}
train fit {
  state seen: f32 = 0
  ${metric ? `state seen_metric: ${typeOf(metric)} = 0` : ""}
  let rate = ${schedules[c.kind]!(reader)}
  next seen = rate
  minimize net()^2 by sgd(lr: rate)
  steps: ${count}
}
`;
    expect(unread()).toEqual([]);
    steps(text, count, metric ? { "fit.seen_metric": metric } : {}, (state, k) =>
      compare(c, `step ${k}`, state("fit.seen"), { shape: [], dtype: "f32", data: [c.outputs["lr"]!.data[k]!] }),
    );
  });
});
