// Optimizers and schedules: one train block, whose state after every step is compared.
import { Refused, type CaseReader } from "../reader.ts";
import { normOrder, num, shapeText, type Sequence } from "../translation.ts";

type Optimizer = (a: CaseReader, rate: string) => string;

const momenta = (a: CaseReader, absent = 0.999): string => {
  const [b1, b2] = a.attribute("betas") === undefined ? [0.9, absent] : a.numbers("betas", 2);
  return `b1: ${num(b1!)}, b2: ${num(b2!)}`;
};
const decay = (a: CaseReader, absent = 0): string => num(a.number("weight_decay", absent));

const kinds: Readonly<Record<string, Optimizer>> = {
  sgd: (a, lr) =>
    `sgd(lr: ${lr}, momentum: ${num(a.number("momentum", 0))}, dampening: ${num(a.number("dampening", 0))}, nesterov: ${a.flag("nesterov", false)}, decay: ${decay(a)})`,
  adam: (a, lr) =>
    `adam(lr: ${lr}, ${momenta(a)}, eps: ${num(a.number("eps", 1e-8))}, decay: ${decay(a)}, amsgrad: ${a.flag("amsgrad", false)})`,
  adamw: (a, lr) =>
    `adamw(lr: ${lr}, ${momenta(a)}, eps: ${num(a.number("eps", 1e-8))}, decay: ${decay(a, 0.01)}, amsgrad: ${a.flag("amsgrad", false)})`,
  rmsprop: (a, lr) =>
    `rmsprop(lr: ${lr}, alpha: ${num(a.number("alpha", 0.99))}, eps: ${num(a.number("eps", 1e-8))}, momentum: ${num(a.number("momentum", 0))}, centered: ${a.flag("centered", false)}, decay: ${decay(a)})`,
  adagrad: (a, lr) =>
    `adagrad(lr: ${lr}, lr_decay: ${num(a.number("lr_decay", 0))}, decay: ${decay(a)}, start: ${num(a.number("initial_accumulator_value", 0))}, eps: ${num(a.number("eps", 1e-10))})`,
  adadelta: (a, lr) =>
    `adadelta(lr: ${lr}, rho: ${num(a.number("rho", 0.9))}, eps: ${num(a.number("eps", 1e-6))}, decay: ${decay(a)})`,
  adamax: (a, lr) => `adamax(lr: ${lr}, ${momenta(a)}, eps: ${num(a.number("eps", 1e-8))}, decay: ${decay(a)})`,
  nadam: (a, lr) =>
    `nadam(lr: ${lr}, ${momenta(a)}, eps: ${num(a.number("eps", 1e-8))}, decay: ${decay(a)}, momentum_decay: ${num(a.number("momentum_decay", 0.004))}, decoupled: ${a.flag("decoupled_weight_decay", false)})`,
  radam: (a, lr) =>
    `radam(lr: ${lr}, ${momenta(a)}, eps: ${num(a.number("eps", 1e-8))}, decay: ${decay(a)}, decoupled: ${a.flag("decoupled_weight_decay", false)})`,
  lion: (a, lr) => `lion(lr: ${lr}, ${momenta(a, 0.99)}, decay: ${decay(a)})`,
  lamb: (a, lr) => `lamb(lr: ${lr}, ${momenta(a)}, eps: ${num(a.number("eps", 1e-6))}, decay: ${decay(a)})`,
};

/** The optimizer of a kind, its attributes read through `a`; `rate` is the rate's expression. */
export function optimizer(kind: string, a: CaseReader, rate: string): string {
  const write = kinds[kind];
  if (!write) throw new Refused(`optimizer ${kind}`);
  return write(a, rate);
}
/** `clip_norm(0.5) >> `, of an attribute of mode and bound. */
function clipping(c: CaseReader): { text: string; order: string | undefined } {
  if (c.attribute("clip") === undefined) return { text: "", order: undefined };
  const clip = c.nested("clip");
  if (clip.word("mode", ["norm", "value"]) === "value")
    return { text: `clip_value(${num(clip.number("value"))}) >> `, order: undefined };
  const order = normOrder(clip, "norm_type", 2);
  return { text: `clip_norm(${num(clip.number("max_norm"))}, ${order}) >> `, order };
}
/** The norm of the gradients of w and b, as formulas of elements. */
function normText(order: string, parts: readonly string[]): string {
  if (order === "inf") return parts.map((part) => `max(abs(${part}))`).reduce((a, b) => `max(${a}, ${b})`);
  return `(${parts.map((part) => `sum(abs(${part})^${order})`).join(" + ")})^(1 / ${order})`;
}

/** Gradients are given for every step: the objective is their product with the parameters. */
export function optimizerSequence(c: CaseReader): Sequence {
  const steps = c.number("steps");
  const [w, b] = [c.tensor("w"), c.tensor("b")];
  const clip = clipping(c);
  const call = optimizer(c.case.kind, c, num(c.number("lr")));
  const way = c.flag("maximize", false) ? "-" : "";
  c.ignore("foreach", "fused", "capturable", "differentiable"); // ways to compute the same
  const slopes = ["w", "b"].map((name) => `g${name}[step % ${steps}]`);
  const norm =
    c.case.outputs["grad_norm"] && clip.order
      ? ["state seen: f32 = 0", `next seen = ${normText(clip.order, slopes)}`]
      : [];
  const source = `model net() -> f32 {
  param w: f32${shapeText(w.shape)} ~ zeros
  param b: f32${shapeText(b.shape)} ~ zeros
  return sum(w) + sum(b)
}
train fit {
  state gw: f32${shapeText([steps, ...w.shape])} = 0
  state gb: f32${shapeText([steps, ...b.shape])} = 0
  ${norm.join("\n  ")}
  let made = net()
  minimize ${way}(sum(net.w * ${slopes[0]}) + sum(net.b * ${slopes[1]})) by ${clip.text}${call}
  steps: ${steps}
}
`;
  return {
    source,
    steps,
    initial: { "net.w": w, "net.b": b, "fit.gw": c.tensor("grad.w"), "fit.gb": c.tensor("grad.b") },
    states: [
      { state: "net.w", output: "w" },
      { state: "net.b", output: "b" },
      ...(norm.length ? [{ state: "fit.seen", output: "grad_norm" }] : []),
    ],
  };
}

interface Rate {
  /** The rate at `step`. */
  readonly rate: string;
  /** States that it reads. */
  readonly statements?: readonly string[];
}
const schedules: Readonly<Record<string, (a: CaseReader) => Rate>> = {
  constant: (a) => ({ rate: `constant(${num(a.number("lr"))})` }),
  exponential: (a) => ({ rate: `exponential(${num(a.number("lr"))}, ${num(a.number("gamma"))})` }),
  step: (a) => ({
    rate: `step_decay(${num(a.number("lr"))}, ${a.number("step_size")}, ${num(a.number("gamma", 0.1))})`,
  }),
  multistep: (a) => ({
    rate: `multi_step(${num(a.number("lr"))}, [${a.numbers("milestones").join(", ")}], ${num(a.number("gamma", 0.1))})`,
  }),
  cosine: (a) => ({
    rate: `cosine(${num(a.number("lr"))}, ${a.number("t_max")}, ${num(a.number("eta_min", 0))})`,
  }),
  cosine_warm_restarts: (a) => ({
    rate: `cosine_warm_restarts(${num(a.number("lr"))}, ${a.number("t_0")}, ${a.number("t_mult", 1)}, ${num(a.number("eta_min", 0))})`,
  }),
  linear: (a) => ({
    rate: `linear(${num(a.number("lr"))}, ${a.number("total", 5)}, ${num(a.number("start_factor", 1 / 3))}, ${num(a.number("end_factor", 1))})`,
  }),
  polynomial: (a) => ({
    rate: `polynomial(${num(a.number("lr"))}, ${a.number("total", 5)}, ${num(a.number("power", 1))})`,
  }),
  inverse_sqrt: (a) => ({
    rate: `noam(${a.number("d_model")}, ${a.number("warmup")}, ${num(a.number("factor", 1))})`,
  }),
  warmup_cosine: (a) => ({
    rate: `warmup_cosine(${num(a.number("lr"))}, ${a.number("warmup")}, ${a.number("total")}, ${num(a.number("min_lr", 0))})`,
  }),
  warmup_linear: (a) => ({
    rate: `warmup_linear(${num(a.number("lr"))}, ${a.number("warmup")}, ${a.number("total")}, ${num(a.number("min_lr", 0))})`,
  }),
  one_cycle: (a) => ({
    rate: `one_cycle(${num(a.number("max_lr"))}, ${a.number("total")}, ${num(a.number("pct_start", 0.3))}, ${num(a.number("div_factor", 25))}, ${num(a.number("final_div_factor", 1e4))}, linear: ${a.word("anneal", ["cos", "linear"], "cos") === "linear"}, three_phase: ${a.flag("three_phase", false)})`,
  }),
  /** The metric of a step is reported after it. */
  reduce_on_plateau: (a) => {
    const n = a.number("steps");
    const options = [
      `factor: ${num(a.number("factor", 0.1))}`,
      `patience: ${a.number("patience", 10)}`,
      `threshold: ${num(a.number("threshold", 1e-4))}`,
      `absolute: ${a.word("threshold_mode", ["rel", "abs"], "rel") === "abs"}`,
      `more_is_better: ${a.word("mode", ["min", "max"], "min") === "max"}`,
      `cooldown: ${a.number("cooldown", 0)}`,
      `floor: ${num(a.number("min_lr", 0))}`,
      `eps: ${num(a.number("eps", 1e-8))}`,
    ];
    return {
      rate: `reduce_on_plateau(${num(a.number("lr"))}, value: metric_values[max(step - 1, 0) % ${n}], ${options.join(", ")}, when: step > 0)`,
      statements: [`state metric_values: f32[${n}] = 0`],
    };
  },
};
export function scheduleSequence(c: CaseReader): Sequence {
  const write = schedules[c.case.kind];
  if (!write) throw new Refused("kind not translated");
  const steps = c.number("steps");
  const { rate, statements = [] } = write(c);
  const source = `model net() -> f32 {
  param w: f32 ~ zeros
  return w
}
train fit {
  state seen: f32[${steps}] = 0
  ${statements.join("\n  ")}
  let rate = ${rate}
  next seen = for i in 0..${steps}: where(i == step, rate, seen[i])
  minimize net()^2 by sgd(lr: rate)
  steps: ${steps}
}
`;
  return {
    source,
    steps,
    initial: c.has("metric")
      ? { "fit.metric_values": c.tensor("metric"), "net.w": { shape: [], dtype: "f32", data: [0] } }
      : {},
    states: [{ state: "fit.seen", output: "lr", final: true }],
  };
}
