// Losses and metrics. Classes stand on axis 1 in the cases, on the last axis in dlm.
import { permute, type ReferenceTensor } from "../case.ts";
import { Refused, type CaseReader } from "../reader.ts";
import {
  channelsLast,
  grown,
  normOrder,
  num,
  range,
  reduced,
  reducer,
  shapeText,
  type Rule,
  type Rules,
  type Translation,
} from "../translation.ts";

const classesLast = (t: ReferenceTensor): ReferenceTensor =>
  t.shape.length < 3 ? t : permute(t, channelsLast(t.shape.length));
const loss =
  (write: (c: CaseReader, reduce: string) => string): Rule =>
  (c) => ({ outputs: { loss: write(c, `reduce: ${reducer(c)}`) } });

/** Class numbers; an index that is to be ignored and is no class becomes -100, which the library takes. */
function classes(c: CaseReader): { ignore: number; translation: Pick<Translation, "layout" | "ranges"> } {
  const count = c.shape("x").length === 1 ? c.extent("x", 0) : c.extent("x", 1);
  const given = c.number("ignore_index", -100);
  const inside = given >= -100 && given < count;
  const target = (t: ReferenceTensor): ReferenceTensor =>
    inside ? t : { ...t, data: t.data.map((k) => (k === given ? -100 : k)) };
  return {
    ignore: inside ? given : -100,
    translation: { layout: { x: classesLast, target }, ranges: { target: `-100..${count}` } },
  };
}
/** Targets of sequences as rows of equal length, and that. */
function targetRows(c: CaseReader): { rows: (t: ReferenceTensor) => ReferenceTensor; length: number } {
  if (c.shape("target").length === 2) return { rows: (t) => t, length: c.extent("target", 1) };
  const lengths = c.tensor("target_lengths").data;
  const length = Math.max(1, ...lengths);
  const start = (n: number): number => lengths.slice(0, n).reduce((a, b) => a + b, 0);
  const rows = (t: ReferenceTensor): ReferenceTensor => ({
    ...t,
    shape: [lengths.length, length],
    data: lengths.flatMap((own, n) => range(length).map((k) => (k < own ? t.data[start(n) + k]! : 0))),
  });
  return { rows, length };
}
const weightOf = (c: CaseReader): string => (c.has("class_weight") ? "class_weight" : "1");

export const losses: Rules = {
  mse: loss((_, r) => `mse(x, target, ${r})`),
  l1: loss((_, r) => `l1(x, target, ${r})`),
  huber: loss((c, r) => `huber(x, target, ${num(c.number("delta", 1))}, ${r})`),
  smooth_l1: loss((c, r) => `smooth_l1(x, target, ${num(c.number("beta", 1))}, ${r})`),
  bce: loss((c, r) => `bce(x, target, ${c.has("weight") ? "weight" : "1"}, ${r})`),
  bce_logits: (c) => {
    const text = `bce_with_logits(x, target, ${c.has("pos_weight") ? "pos_weight" : "1"}, reduce: ${c.has("weight") ? "each" : reducer(c)})`;
    return {
      outputs: {
        loss: c.has("weight") ? reduced(c, `${text} * ${grown("weight", c.shape("weight"), c.shape("x"))}`) : text,
      },
    };
  },
  nll: (c) => {
    const { ignore, translation } = classes(c);
    return {
      ...translation,
      outputs: { loss: `nll(x, target, ${weightOf(c)}, ${num(ignore)}, reduce: ${reducer(c)})` },
    };
  },
  cross_entropy: (c) => {
    const { ignore, translation } = classes(c);
    const smooth = num(c.number("label_smoothing", 0));
    const text = `cross_entropy(x, target, ${weightOf(c)}, ${smooth}, ${num(ignore)}, reduce: ${reducer(c)})`;
    return { ...translation, outputs: { loss: text } };
  },
  /** Targets are probabilities. */
  cross_entropy_probs: (c) => {
    const smooth = num(c.number("label_smoothing", 0));
    return {
      layout: { x: classesLast, target: classesLast },
      outputs: { loss: `cross_entropy_probs(x, target, ${weightOf(c)}, ${smooth}, reduce: ${reducer(c)})` },
    };
  },
  expression: (c) => {
    c.says("expr", "mse(x W^T, target) + lambda*sum(W^2) + l1*sum|W|");
    const [rows, columns] = c.shape("weight");
    return {
      declarations: `model held() -> f32[${rows}, ${columns}] {\n  param w: f32[${rows}, ${columns}] ~ zeros\n  return w\n}`,
      parameters: { weight: "held.w" },
      outputs: {
        loss: `mse(x @ transpose(held()), target, reduce: ${reducer(c)}) + ${num(c.number("lambda"))} * l2(held) + ${num(c.number("l1"))} * l1_penalty(held)`,
      },
    };
  },
  contrastive: (c) => ({
    lets: `let distance = sqrt(sum((a - b)^2, axis: -1) + ${num(c.number("eps", 1e-12))})`,
    outputs: { loss: `contrastive(distance, target, ${num(c.number("margin", 1))}, reduce: ${reducer(c)})` },
  }),
  cosine_embedding: loss((c, r) => `cosine_embedding(a, b, target, ${num(c.number("margin", 0))}, ${r})`),
  focal: loss((c, r) => {
    const alpha = c.attribute("alpha") === undefined ? "" : `, alpha: ${num(c.number("alpha"))}`;
    return `focal(x, target, ${num(c.number("gamma", 2))}${alpha}, ${r})`;
  }),
  /** The variance may have an axis less or an axis of 1. */
  gaussian_nll: (c) => {
    const [x, own] = [c.shape("x"), c.shape("var")];
    const variance = own.length < x.length ? "unsqueeze(var, -1)" : "var";
    const text = String(own) === String(x) ? variance : `expand${shapeText(x)}(${variance})`;
    const options = `full: ${c.flag("full", false)}, eps: ${num(c.number("eps", 1e-6))}, reduce: ${reducer(c)}`;
    return { lets: `let variance = ${text}`, outputs: { loss: `gaussian_nll(x, target, variance, ${options})` } };
  },
  hinge: loss((c, r) => `hinge(x, target, ${num(c.number("margin", 1))}, ${r})`),
  squared_hinge: loss((c, r) => `squared_hinge(x, target, ${num(c.number("margin", 1))}, ${r})`),
  hinge_embedding: loss((c, r) => `hinge_embedding(x, target, ${num(c.number("margin", 1))}, ${r})`),
  soft_margin: loss((_, r) => `soft_margin(x, target, ${r})`),
  log_cosh: loss((_, r) => `log_cosh(x, target, ${r})`),
  margin_ranking: loss((c, r) => `margin_ranking(a, b, target, ${num(c.number("margin", 0))}, ${r})`),
  multilabel_soft_margin: loss(
    (c, r) => `multilabel_soft_margin(x, target, ${c.has("weight") ? "weight" : "1"}, ${r})`,
  ),
  multi_margin: (c) => ({
    ranges: { target: `0..${c.extent("x", -1)}` },
    outputs: {
      loss: `multi_margin(x, target, p: ${c.number("p", 1)}, margin: ${num(c.number("margin", 1))}, weight: ${c.has("weight") ? "weight" : "1"}, reduce: ${reducer(c)})`,
    },
  }),
  poisson_nll: loss(
    (c, r) =>
      `poisson_nll(x, target, log_input: ${c.flag("log_input", true)}, full: ${c.flag("full", false)}, eps: ${num(c.number("eps", 1e-8))}, ${r})`,
  ),
  kl_div: (c) => {
    const reduction = c.word("reduction", ["mean", "sum", "none", "batchmean"], "mean");
    const reduce = { mean: "average", sum: "total", none: "each", batchmean: "batch_mean" }[reduction];
    return { outputs: { loss: `kl_div(x, target, log_target: ${c.flag("log_target", false)}, reduce: ${reduce})` } };
  },
  triplet_margin: loss((c, r) => {
    const options = `p: ${normOrder(c, "p", 2)}, eps: ${num(c.number("eps", 1e-6))}, swap: ${c.flag("swap", false)}`;
    return `triplet_margin(anchor, positive, negative, ${num(c.number("margin", 1))}, ${options}, ${r})`;
  }),
  vae_elbo: (c) => {
    c.word("reduction", ["mean"], "mean");
    return { outputs: { loss: `vae_loss(x, target, mu, logvar, ${num(c.number("beta", 1))})` } };
  },
  /** Frequent classes in the head, which has an entry for each cluster of the others. */
  adaptive_log_softmax: (c) => {
    const [classCount, cutoffs] = [c.number("classes"), c.numbers("cutoffs")];
    const [ins, divide] = [c.number("in"), c.number("div_value", 4)];
    const edges = [...cutoffs, classCount];
    const short = cutoffs[0]!;
    const clusters = cutoffs.length;
    const bias = c.flag("head_bias", false);
    const [rows] = c.shape("x") as [number];
    c.word("reduction", ["mean"], "mean");
    if (c.extent("head.weight", 0) !== short + clusters || c.extent("head.weight", 1) !== ins)
      throw new Refused("sizes");
    const lets = [`let head = log_softmax(x @ transpose(head_weight)${bias ? " + head_bias" : ""})`];
    let all = `head[n, min(k, ${short - 1})]`;
    for (const i of range(clusters)) {
      if (c.extent(`tail.${i}.0.weight`, 0) !== Math.floor(ins / divide ** (i + 1))) throw new Refused("sizes");
      lets.push(`let tail${i} = log_softmax(x @ transpose(tail_${i}_0_weight) @ transpose(tail_${i}_1_weight))`);
      const size = edges[i + 1]! - edges[i]!;
      all = `where(k >= ${edges[i]}, head[n, ${short + i}] + tail${i}[n, max(0, min(${size - 1}, k - ${edges[i]}))], ${all})`;
    }
    lets.push(
      `let all = for n in 0..${rows}, k in 0..${classCount}: ${all}`,
      `let own = for n in 0..${rows}: all[n, target[n]]`,
    );
    return {
      lets: lets.join("\n  "),
      ranges: { target: `0..${classCount}` },
      outputs: { output: "own", loss: "-mean(own)", log_prob: "all" },
    };
  },
  /** The mean divides every loss by its target's length. Targets are rows, or lie one behind another. */
  ctc: (c) => {
    const [steps, , count] = c.shape("x") as [number, number, number];
    const { rows, length } = targetRows(c);
    const reduction = c.word("reduction", ["mean", "sum", "none"], "mean");
    const options = `blank: ${c.number("blank", 0)}, zero_infinity: ${c.flag("zero_infinity", false)}`;
    return {
      lets: `let losses = ctc_loss(log_softmax(x), target, input_lengths, target_lengths, ${options})`,
      ranges: {
        target: `0..${count}`,
        input_lengths: `0..${steps + 1}`,
        target_lengths: `0..${length + 1}`,
      },
      layout: { target: rows },
      outputs: {
        loss: { none: "losses", sum: "sum(losses)", mean: "mean(losses / f32(max(target_lengths, 1)))" }[reduction],
      },
    };
  },
};

/** Of scores [N, K] and true classes. */
const classCount = (c: CaseReader, name = "scores"): number => c.extent(name, 1);
const shares = (k: number, rows: number): string[] => {
  const count = (name: string, test: string): string =>
    `let ${name} = for k in 0..${k}: sum over n in 0..${rows}: where(${test}, 1.0, 0.0)`;
  return [
    count("hits", "guess[n] == k and target[n] == k"),
    count("guessed", "guess[n] == k"),
    count("wanted", "target[n] == k"),
  ];
};
export const metrics: Rules = {
  accuracy: (c) => ({
    outputs: { accuracy: "accuracy(scores, target)" },
    ranges: { target: `0..${classCount(c)}` },
  }),
  confusion_matrix: (c) => ({
    outputs: { matrix: `confusion(argmax(scores, axis: -1), target, ${classCount(c)})` },
    ranges: { target: `0..${classCount(c)}` },
  }),
  perplexity: (c) => ({
    outputs: { perplexity: "perplexity(logits, target)" },
    ranges: { target: `0..${classCount(c, "logits")}` },
  }),
  regression: (c) => {
    const all: Readonly<Record<string, string>> = {
      r2: "r2(pred, target)",
      mae: "mae(pred, target)",
      mse: "mse(pred, target)",
      rmse: "rmse(pred, target)",
    };
    const names = Object.keys(c.case.outputs);
    return {
      outputs: Object.fromEntries(
        names.map((name) => {
          const text = all[name];
          if (!text) throw new Refused(`output ${name}`);
          return [name, text];
        }),
      ),
    };
  },
  auroc: () => ({ outputs: { auroc: "auroc(scores, f32(target))" }, ranges: { target: "0..2" } }),
  binary_classification: (c) => {
    const threshold = num(c.number("threshold", 0));
    return {
      lets: `let guess = scores > ${threshold}
  let hits = sum(where(guess and target == 1, 1.0, 0.0))
  let guessed = sum(where(guess, 1.0, 0.0))
  let wanted = sum(f32(target))
  let right = mean(where(guess == (target == 1), 1.0, 0.0))`,
      outputs: {
        precision: "hits / max(guessed, 1)",
        recall: "hits / max(wanted, 1)",
        f1: "2 * hits / max(guessed + wanted, 1)",
        accuracy: "right",
      },
      ranges: { target: "0..2" },
    };
  },
  precision_recall_f1: (c) => {
    const k = classCount(c);
    const absent = `${c.number("zero_division", 0)}.0`;
    const ratio = (top: string, bottom: string): string =>
      `where(${bottom} > 0, ${top} / max(${bottom}, 1), ${absent})`;
    const lets = [
      "let guess = argmax(scores, axis: -1)",
      ...shares(k, c.extent("scores", 0)),
      `let precision = ${ratio("hits", "guessed")}`,
      `let recall = ${ratio("hits", "wanted")}`,
      `let f1 = ${ratio("2 * hits", "(guessed + wanted)")}`,
      "let micro = sum(hits) / sum(wanted)",
    ];
    const outputs: Record<string, string> = {};
    for (const name of ["precision", "recall", "f1"]) {
      outputs[`${name}_macro`] = `mean(${name})`;
      outputs[`${name}_micro`] = "micro";
      outputs[`${name}_weighted`] = `sum(${name} * wanted) / sum(wanted)`;
      outputs[`${name}_per_class`] = name;
    }
    return { lets: lets.join("\n  "), outputs, ranges: { target: `0..${k}` } };
  },
  top_k_accuracy: (c) => ({
    outputs: { top_k: `top_k_accuracy(scores, target, ${c.number("k")})` },
    ranges: { target: `0..${classCount(c)}` },
  }),
};
