// Optimizers and schedules: one train block, whose state after every step is compared.
import { Refused, type CaseReader } from "../reader.ts";
import { num, shapeText, type Sequence } from "../translation.ts";

export interface Call {
  /** Declarations of optimizers that the library does not have. */
  readonly declarations: string;
  readonly call: string;
}
type Optimizer = (a: CaseReader, rate: string) => Call;

const betas = (a: CaseReader): [number, number] => {
  const list = a.attribute("betas") === undefined ? [0.9, 0.999] : a.numbers("betas", 2);
  return [list[0]!, list[1]!];
};
const momenta = (a: CaseReader): string => {
  const [b1, b2] = betas(a);
  return `b1: ${num(b1)}, b2: ${num(b2)}`;
};
const decay = (a: CaseReader, absent = 0): string => num(a.number("weight_decay", absent));
const library = (call: string): Call => ({ declarations: "", call });
/** An optimizer of its own; the body's parameters are written into it. */
const own = (name: string, body: string): Call => ({
  declarations: `optimizer own_${name}(lr: f32)(p: f32[...P], g: f32[...P]) {\n${body
    .trim()
    .split("\n")
    .map((line) => `  ${line.trim()}`)
    .join("\n")}\n}\n`,
  call: `own_${name}`,
});

const kinds: Readonly<Record<string, Optimizer>> = {
  sgd: (a, lr) =>
    library(
      `sgd(lr: ${lr}, momentum: ${num(a.number("momentum", 0))}, dampening: ${num(a.number("dampening", 0))}, nesterov: ${a.flag("nesterov", false)}, decay: ${decay(a)})`,
    ),
  adam: (a, lr) =>
    library(
      `adam(lr: ${lr}, ${momenta(a)}, eps: ${num(a.number("eps", 1e-8))}, decay: ${decay(a)}, amsgrad: ${a.flag("amsgrad", false)})`,
    ),
  adamw: (a, lr) =>
    library(
      `adamw(lr: ${lr}, ${momenta(a)}, eps: ${num(a.number("eps", 1e-8))}, decay: ${decay(a, 0.01)}, amsgrad: ${a.flag("amsgrad", false)})`,
    ),
  rmsprop: (a, lr) =>
    library(
      `rmsprop(lr: ${lr}, alpha: ${num(a.number("alpha", 0.99))}, eps: ${num(a.number("eps", 1e-8))}, momentum: ${num(a.number("momentum", 0))}, centered: ${a.flag("centered", false)}, decay: ${decay(a)})`,
    ),
  adagrad: (a) =>
    own(
      "adagrad",
      `state s: f32[...P] = ${num(a.number("initial_accumulator_value", 0))}
      let g1 = g + ${decay(a)} * p
      let s1 = s + g1^2
      next s = s1
      return lr / (1 + step * ${num(a.number("lr_decay", 0))}) * g1 / (sqrt(s1) + ${num(a.number("eps", 1e-10))})`,
    ),
  adadelta: (a) => {
    const [rho, eps] = [num(a.number("rho", 0.9)), num(a.number("eps", 1e-6))];
    return own(
      "adadelta",
      `state v: f32[...P] = 0
      state u: f32[...P] = 0
      let g1 = g + ${decay(a)} * p
      let v1 = ${rho} * v + (1 - ${rho}) * g1^2
      let d = sqrt(u + ${eps}) / sqrt(v1 + ${eps}) * g1
      let u1 = ${rho} * u + (1 - ${rho}) * d^2
      next v = v1, u = u1
      return lr * d`,
    );
  },
  adamax: (a) => {
    const [b1, b2] = betas(a).map(num);
    return own(
      "adamax",
      `state m: f32[...P] = 0
      state u: f32[...P] = 0
      let g1 = g + ${decay(a)} * p
      let m1 = ${b1} * m + (1 - ${b1}) * g1
      let u1 = max(${b2} * u, abs(g1) + ${num(a.number("eps", 1e-8))})
      next m = m1, u = u1
      return lr / (1 - ${b1}^(step + 1)) * m1 / u1`,
    );
  },
  nadam: (a) => {
    const [b1, b2] = betas(a).map(num);
    const slow = num(a.number("momentum_decay", 0.004));
    return own(
      "nadam",
      `state m: f32[...P] = 0
      state v: f32[...P] = 0
      state product: f32 = 1
      let g1 = g + ${decay(a)} * p
      let mu = ${b1} * (1 - 0.5 * 0.96^((step + 1) * ${slow}))
      let ahead = ${b1} * (1 - 0.5 * 0.96^((step + 2) * ${slow}))
      let product1 = product * mu
      let m1 = ${b1} * m + (1 - ${b1}) * g1
      let v1 = ${b2} * v + (1 - ${b2}) * g1^2
      next m = m1, v = v1, product = product1
      return lr * ((1 - mu) / (1 - product1) * g1 + ahead / (1 - product1 * ahead) * m1) / (sqrt(v1 / (1 - ${b2}^(step + 1))) + ${num(a.number("eps", 1e-8))})`,
    );
  },
  radam: (a) => {
    const [b1, b2] = betas(a);
    const limit = 2 / (1 - b2!) - 1;
    return own(
      "radam",
      `state m: f32[...P] = 0
      state v: f32[...P] = 0
      let g1 = g + ${decay(a)} * p
      let m1 = ${num(b1!)} * m + (1 - ${num(b1!)}) * g1
      let v1 = ${num(b2!)} * v + (1 - ${num(b2!)}) * g1^2
      next m = m1, v = v1
      let bias = 1 - ${num(b2!)}^(step + 1)
      let length = ${num(limit)} - 2 * (step + 1) * ${num(b2!)}^(step + 1) / bias
      let safe = max(length, 5.0)
      let r = sqrt((safe - 4) * (safe - 2) * ${num(limit)} / (${num((limit - 4) * (limit - 2))} * safe))
      let mean = m1 / (1 - ${num(b1!)}^(step + 1))
      return lr * where(length > 5, mean * r * sqrt(bias) / (sqrt(v1) + ${num(a.number("eps", 1e-8))}), mean)`,
    );
  },
  lion: (a) => {
    const [b1, b2] = a.attribute("betas") === undefined ? [0.9, 0.99] : betas(a);
    return own(
      "lion",
      `state m: f32[...P] = 0
      let u = sign(${num(b1!)} * m + (1 - ${num(b1!)}) * g)
      next m = ${num(b2!)} * m + (1 - ${num(b2!)}) * g
      return lr * (u + ${decay(a)} * p)`,
    );
  },
  lamb: (a) => {
    const [b1, b2] = betas(a).map(num);
    return own(
      "lamb",
      `state m: f32[...P] = 0
      state v: f32[...P] = 0
      let m1 = ${b1} * m + (1 - ${b1}) * g
      let v1 = ${b2} * v + (1 - ${b2}) * g^2
      next m = m1, v = v1
      let u = (m1 / (1 - ${b1}^(step + 1))) / (sqrt(v1 / (1 - ${b2}^(step + 1))) + ${num(a.number("eps", 1e-6))}) + ${decay(a)} * p
      let size = sqrt(sum(p^2))
      let length = sqrt(sum(u^2))
      return lr * where(size > 0 and length > 0, size / max(length, 1e-30), 1.0) * u`,
    );
  },
};

/** The optimizer of a kind, its attributes read through `a`; \`rate\` is the rate's expression. */
export function optimizer(kind: string, a: CaseReader, rate: string): Call {
  const write = kinds[kind];
  if (!write) throw new Refused(`optimizer ${kind}`);
  const { declarations, call } = write(a, rate);
  return { declarations, call: declarations ? `${call}(${rate})` : call };
}
/** `clip_norm(0.5) >> `, of an attribute of mode and bound. */
function clipping(c: CaseReader): { text: string; norm: boolean } {
  const clip = c.attribute("clip");
  if (clip === undefined) return { text: "", norm: false };
  const { mode, max_norm, value, ...rest } = clip as Record<string, unknown>; // plain JSON of the case
  if (Object.keys(rest).length) throw new Refused(`clip with ${Object.keys(rest).join(", ")}`);
  if (mode === "norm" && typeof max_norm === "number") return { text: `clip_norm(${num(max_norm)}) >> `, norm: true };
  if (mode === "value" && typeof value === "number") return { text: `clip_value(${num(value)}) >> `, norm: false };
  throw new Refused(`clip ${JSON.stringify(clip)}`);
}

/** Gradients are given for every step: the objective is their product with the parameters. */
export function optimizerSequence(c: CaseReader): Sequence {
  const steps = c.number("steps");
  const [w, b] = [c.tensor("w"), c.tensor("b")];
  const clip = clipping(c);
  const { declarations, call } = optimizer(c.case.kind, c, num(c.number("lr")));
  const norm = c.case.outputs["grad_norm"]
    ? ["state seen: f32 = 0", "next seen = sqrt(sum(gw[step % N]^2) + sum(gb[step % N]^2))"]
    : [];
  const source = `${declarations}model net() -> f32 {
  param w: f32${shapeText(w.shape)} ~ zeros
  param b: f32${shapeText(b.shape)} ~ zeros
  return sum(w) + sum(b)
}
train fit {
  state gw: f32${shapeText([steps, ...w.shape])} = 0
  state gb: f32${shapeText([steps, ...b.shape])} = 0
  ${norm.map((line) => line.replaceAll("N]", `${steps}]`)).join("\n  ")}
  let made = net()
  minimize sum(net.w * gw[step % ${steps}]) + sum(net.b * gb[step % ${steps}]) by ${clip.text}${call}
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
  /** States and their next values, for rates that depend on what was measured. */
  readonly statements?: readonly string[];
}
const cosine = (from: string, to: string, share: string): string =>
  `(${to} + (${from} - ${to}) * 0.5 * (1 + cos(pi * ${share})))`;
const schedules: Readonly<Record<string, (a: CaseReader) => Rate>> = {
  constant: (a) => ({ rate: `constant(${num(a.number("lr"))})` }),
  exponential: (a) => ({ rate: `exponential(${num(a.number("lr"))}, ${num(a.number("gamma"))})` }),
  step: (a) => ({
    rate: `step_decay(${num(a.number("lr"))}, ${a.number("step_size")}, ${num(a.number("gamma", 0.1))})`,
  }),
  multistep: (a) => {
    const passed = a.numbers("milestones").map((m) => `where(step >= ${m}, 1, 0)`);
    return { rate: `${num(a.number("lr"))} * ${num(a.number("gamma", 0.1))}^f32(${passed.join(" + ") || "0"})` };
  },
  cosine: (a) => ({
    rate: cosine(num(a.number("lr")), num(a.number("eta_min", 0)), `step / ${a.number("t_max")}`),
  }),
  cosine_warm_restarts: (a) => {
    const [first, factor, steps] = [a.number("t_0"), a.number("t_mult", 1), a.number("steps")];
    // the round that a step lies in: its start and length
    let [start, length] = [0, first];
    const rounds: { start: number; length: number }[] = [];
    while (start < steps) {
      rounds.push({ start, length });
      start += length;
      length *= factor;
    }
    const share = rounds.reduce(
      (text, r) => `where(step >= ${r.start}, (step - ${r.start}) / ${r.length}, ${text})`,
      "0.0",
    );
    return { rate: cosine(num(a.number("lr")), num(a.number("eta_min", 0)), share) };
  },
  linear: (a) => {
    const [from, to, total] = [a.number("start_factor", 1 / 3), a.number("end_factor", 1), a.number("total")];
    return { rate: `${num(a.number("lr"))} * (${num(from)} + ${num(to - from)} * min(step, ${total}) / ${total})` };
  },
  polynomial: (a) => {
    const [total, power] = [a.number("total"), a.number("power", 1)];
    return { rate: `${num(a.number("lr"))} * (1 - min(step, ${total}) / ${total})^${num(power)}` };
  },
  inverse_sqrt: (a) => {
    const scale = a.number("factor", 1) * a.number("d_model") ** -0.5;
    return { rate: `${num(scale)} * min((step + 1)^(-0.5), (step + 1) * ${num(a.number("warmup") ** -1.5)})` };
  },
  warmup_cosine: (a) => ({
    rate: `warmup_cosine(${num(a.number("lr"))}, ${a.number("warmup")}, ${a.number("total")}, ${num(a.number("min_lr", 0))})`,
  }),
  warmup_linear: (a) => {
    const [lr, warm, total] = [num(a.number("lr")), a.number("warmup"), a.number("total")];
    return {
      rate: `where(step < ${warm}, ${lr} * (step + 1) / ${Math.max(warm, 1)}, ${lr} * max(0.0, (${total} - step) / ${Math.max(total - warm, 1)}))`,
    };
  },
  one_cycle: (a) => {
    const [top, total, share] = [a.number("max_lr"), a.number("total"), a.number("pct_start", 0.3)];
    const low = top / a.number("div_factor", 25);
    const end = low / a.number("final_div_factor", 1e4);
    const rise = share * total - 1;
    const phases = a.flag("three_phase", false)
      ? [
          { until: rise, from: low, to: top },
          { until: 2 * rise, from: top, to: low },
          { until: total - 1, from: low, to: end },
        ]
      : [
          { until: rise, from: low, to: top },
          { until: total - 1, from: top, to: end },
        ];
    const straight = a.word("anneal", ["cos", "linear"], "cos") === "linear";
    let start = 0;
    const texts = phases.map(({ until, from, to }) => {
      const part = `((step - ${num(start)}) / ${num(until - start)})`;
      start = until;
      return {
        until,
        text: straight ? `(${num(from)} * (1 - ${part}) + ${num(to)} * ${part})` : cosine(num(from), num(to), part),
      };
    });
    const last = texts.pop()!;
    return {
      rate: texts.reduceRight((rest, { until, text }) => `where(step <= ${num(until)}, ${text}, ${rest})`, last.text),
    };
  },
  /** The metric of a step is reported after it. */
  reduce_on_plateau: (a) => {
    const least = a.word("mode", ["min", "max"], "min") === "min";
    const relative = a.word("threshold_mode", ["rel", "abs"], "rel") === "rel";
    const threshold = a.number("threshold", 1e-4);
    const n = a.number("steps");
    const bound = relative
      ? `best * ${num(least ? 1 - threshold : 1 + threshold)}`
      : `best ${least ? "-" : "+"} ${num(threshold)}`;
    const lowest = num(a.number("min_lr", 0));
    return {
      rate: "current",
      statements: [
        `state metric_values: f32[${n}] = 0`,
        `state current: f32 = ${num(a.number("lr"))}`,
        `state best: f32 = ${least ? "inf" : "-inf"}`,
        "state bad: i32 = 0",
        "state cool: i32 = 0",
        `let value = metric_values[step % ${n}]`,
        `let better = value ${least ? "<" : ">"} ${bound}`,
        "let cooling = cool > 0",
        "let bad1 = where(cooling or better, 0, bad + 1)",
        `let drops = bad1 > ${a.number("patience", 10)}`,
        `let lower = max(current * ${num(a.number("factor", 0.1))}, ${lowest})`,
        `next best = where(better, value, best)`,
        `next bad = where(drops, 0, bad1)`,
        `next cool = where(drops, ${a.number("cooldown", 0)}, max(cool - 1, 0))`,
        `next current = where(drops and current - lower > ${num(a.number("eps", 1e-8))}, lower, current)`,
      ],
    };
  },
};
export function scheduleSequence(c: CaseReader): Sequence {
  const write = schedules[c.case.kind];
  if (!write) throw new Refused("kind not translated");
  const steps = c.number("steps");
  const { rate, statements = [] } = write(c);
  const [declared, moved] = [
    statements.filter((x) => !x.startsWith("next ")),
    statements.filter((x) => x.startsWith("next ")),
  ];
  const source = `model net() -> f32 {
  param w: f32 ~ zeros
  return w
}
train fit {
  state seen: f32[${steps}] = 0
  ${declared.join("\n  ")}
  let rate = ${rate}
  next seen = for i in 0..${steps}: where(i == step, rate, seen[i])
  ${moved.join("\n  ")}
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
