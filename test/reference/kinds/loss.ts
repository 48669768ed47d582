// Losses and metrics. Classes stand on axis 1 in the cases, on the last axis in dlm.
import { permute, type ReferenceTensor } from "../case.ts";
import { Refused, type CaseReader } from "../reader.ts";
import {
  channelsLast,
  grown,
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
/** A loss that is a formula of the elements. */
const formula =
  (write: (c: CaseReader) => string): Rule =>
  (c) => ({ outputs: { loss: reduced(c, write(c)) } });

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
  /** Targets are probabilities; the mean is over samples, also with weights of classes. */
  cross_entropy_probs: (c) => {
    const count = c.shape("x").length === 1 ? c.extent("x", 0) : c.extent("x", 1);
    const smooth = c.number("label_smoothing", 0);
    const target = smooth ? `(target * ${num(1 - smooth)} + ${num(smooth / count)})` : "target";
    const weight = c.has("class_weight") ? "class_weight * " : "";
    return {
      layout: { x: classesLast, target: classesLast },
      outputs: { loss: reduced(c, `(-sum(${weight}${target} * log_softmax(x), axis: -1))`) },
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
    outputs: {
      loss: reduced(
        c,
        `(0.5 * (target * distance^2 + (1 - target) * relu(${num(c.number("margin", 1))} - distance)^2))`,
      ),
    },
  }),
  cosine_embedding: (c) => ({
    lets: `let cosine = sum(a * b, axis: -1) / sqrt((sum(a^2, axis: -1) + 1e-12) * (sum(b^2, axis: -1) + 1e-12))`,
    outputs: { loss: reduced(c, `(where(target > 0, 1 - cosine, relu(cosine - ${num(c.number("margin", 0))})))`) },
  }),
  focal: (c) => {
    const alpha = c.attribute("alpha") === undefined ? undefined : c.number("alpha");
    const share = alpha === undefined ? "" : `(${num(alpha)} * target + ${num(1 - alpha)} * (1 - target)) * `;
    return {
      lets: "let p = sigmoid(x)\n  let right = p * target + (1 - p) * (1 - target)",
      outputs: {
        loss: reduced(
          c,
          `(${share}(1 - right)^${num(c.number("gamma", 2))} * bce_with_logits(x, target, reduce: each))`,
        ),
      },
    };
  },
  /** The variance is bounded below without a change of its slope, and may have an axis less or an axis of 1. */
  gaussian_nll: (c) => {
    const [x, own] = [c.shape("x"), c.shape("var")];
    const eps = num(c.number("eps", 1e-6));
    const full = c.flag("full", false) ? ` + ${0.5 * Math.log(2 * Math.PI)}` : "";
    const variance = own.length < x.length ? "unsqueeze(var, -1)" : "var";
    const text = own.length === x.length && String(own) === String(x) ? variance : `expand${shapeText(x)}(${variance})`;
    return {
      lets: `let v0 = ${text}\n  let v = v0 + stop(max(v0, ${eps}) - v0)`,
      outputs: { loss: reduced(c, `(0.5 * (log(v) + (x - target)^2 / v)${full})`) },
    };
  },
  hinge: formula((c) => `relu(${num(c.number("margin", 1))} - target * x)`),
  squared_hinge: formula((c) => `(relu(${num(c.number("margin", 1))} - target * x)^2)`),
  hinge_embedding: formula((c) => `where(target > 0, x, relu(${num(c.number("margin", 1))} - x))`),
  soft_margin: formula(() => "softplus(-target * x)"),
  log_cosh: formula(() => "(abs(x - target) + log1p(exp(-2 * abs(x - target))) - log(2))"),
  margin_ranking: formula((c) => `relu(${num(c.number("margin", 0))} - target * (a - b))`),
  multilabel_soft_margin: formula((c) => {
    const weight = c.has("weight") ? "weight * " : "";
    return `mean(-${weight}(target * log_sigmoid(x) + (1 - target) * log_sigmoid(-x)), axis: -1)`;
  }),
  multi_margin: (c) => {
    const shape = c.shape("x");
    const [rows, count] = shape.length === 1 ? [undefined, shape[0]!] : [shape[0]!, shape[1]!];
    const [p, margin] = [c.number("p", 1), num(c.number("margin", 1))];
    const row = rows === undefined ? "" : "i, ";
    const own = rows === undefined ? "target" : "target[i]";
    const weight = c.has("weight") ? ` * weight[${own}]` : "";
    const each = `(sum over k in 0..${count}: where(k == ${own}, 0.0, relu(${margin} - x[${row}${own}] + x[${row}k])^${p}${weight})) / ${count}`;
    return {
      ranges: { target: `0..${count}` },
      outputs: { loss: reduced(c, rows === undefined ? `(${each})` : `(for i in 0..${rows}: ${each})`) },
    };
  },
  poisson_nll: (c) => {
    const text = c.flag("log_input", true)
      ? "exp(x) - target * x"
      : `x - target * log(x + ${num(c.number("eps", 1e-8))})`;
    c.number("eps", 1e-8);
    const stirling = c.flag("full", false)
      ? " + where(target > 1, target * log(max(target, 1)) - target + 0.5 * log(2 * pi * max(target, 1)), 0)"
      : "";
    return { outputs: { loss: reduced(c, `(${text}${stirling})`) } };
  },
  kl_div: (c) => {
    const each = c.flag("log_target", false)
      ? "(exp(target) * (target - x))"
      : "(where(target > 0, target * log(where(target > 0, target, 1.0)), 0) - target * x)";
    const reduction = c.word("reduction", ["mean", "sum", "none", "batchmean"], "mean");
    const text =
      reduction === "none"
        ? each
        : reduction === "batchmean"
          ? `sum(${each}) / ${c.extent("x", 0)}`
          : `${reduction}(${each})`;
    return { outputs: { loss: text } };
  },
  triplet_margin: (c) => {
    const [p, eps] = [c.number("p", 2), num(c.number("eps", 1e-6))];
    const distance = (a: string, b: string): string => `norm(${a} - ${b} + ${eps}, axis: -1, p: ${num(p)})`;
    const negative = c.flag("swap", false)
      ? `min(${distance("anchor", "negative")}, ${distance("positive", "negative")})`
      : distance("anchor", "negative");
    return {
      outputs: {
        loss: reduced(c, `relu(${distance("anchor", "positive")} - ${negative} + ${num(c.number("margin", 1))})`),
      },
    };
  },
  vae_elbo: (c) => {
    c.word("reduction", ["mean"], "mean");
    const rows = c.extent("x", 0);
    return {
      outputs: {
        loss: `(bce_with_logits(x, target, reduce: total) + ${num(c.number("beta", 1))} * -0.5 * sum(1 + logvar - mu^2 - exp(logvar))) / ${rows}`,
      },
    };
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
  /** Forward probabilities of all ways through the labels with blanks between them (Graves et al. 2006). */
  ctc: (c) => {
    const [steps, rows, count] = c.shape("x") as [number, number, number];
    if (c.shape("target").length !== 2) throw new Refused("targets in one row");
    const longest = c.extent("target", 1);
    const states = 2 * longest + 1;
    const blank = c.number("blank", 0);
    const reduction = c.word("reduction", ["mean", "sum", "none"], "mean");
    const zero = c.flag("zero_infinity", false);
    const label = `where(s % 2 == 1, target[n, min(s // 2, ${longest - 1})], ${blank})`;
    const lets = [
      "let lp = log_softmax(x)",
      `let label = for n in 0..${rows}, s in 0..${states}: ${label}`,
      // two places further only from label to another label
      `let jumps = for n in 0..${rows}, s in 0..${states}: s % 2 == 1 and s > 1 and label[n, s] != label[n, max(0, s - 2)]`,
      `let before = for n in 0..${rows}, s in 0..${states}: where(s < 2, lp[0, n, label[n, s]], -inf)`,
      `let ways = fold (t in 1..${steps}; a = before) {
    next a = for n in 0..${rows}, s in 0..${states}: where(t < input_lengths[n], lp[t, n, label[n, s]] + logaddexp(logaddexp(a[n, s], a[n, s - 1] ?? -inf), where(jumps[n, s], a[n, s - 2] ?? -inf, -inf)), a[n, s])
  }`,
      `let each = for n in 0..${rows}: -where(target_lengths[n] == 0, ways[n, 0], logaddexp(ways[n, min(${states - 1}, 2 * target_lengths[n])], ways[n, max(0, 2 * target_lengths[n] - 1)]))`,
      ...(zero ? ["let losses = where(each > 1e30, 0.0, each)"] : ["let losses = each"]),
    ];
    const mean = "mean(losses / max(1, f32(target_lengths)))";
    return {
      lets: lets.join("\n  "),
      ranges: { target: `0..${count}`, input_lengths: `0..${steps + 1}`, target_lengths: `0..${longest + 1}` },
      outputs: { loss: reduction === "none" ? "losses" : reduction === "sum" ? "sum(losses)" : mean },
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
  /** The share of pairs of a positive and a negative that the scores order rightly; equal ones count half. */
  auroc: (c) => {
    const n = c.extent("scores", 0);
    const pair = `where(target[i] == 1 and target[j] == 0, where(scores[i] > scores[j], 1.0, where(scores[i] == scores[j], 0.5, 0.0)), 0.0)`;
    return {
      lets: `let right = sum over i in 0..${n}, j in 0..${n}: ${pair}\n  let positive = sum(f32(target))`,
      outputs: { auroc: `right / (positive * (${n} - positive))` },
      ranges: { target: "0..2" },
    };
  },
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
  top_k_accuracy: (c) => {
    const [rows, count] = c.shape("scores") as [number, number];
    const own = "scores[i, target[i]]";
    const above = `(sum over k in 0..${count}: where(scores[i, k] > ${own} or scores[i, k] == ${own} and k < target[i], 1, 0))`;
    return {
      outputs: { top_k: `mean(for i in 0..${rows}: where(${above} < ${c.number("k")}, 1.0, 0.0))` },
      ranges: { target: `0..${count}` },
    };
  },
};
