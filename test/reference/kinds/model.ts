// The first training steps of whole models: inputs take turns, losses of every step and the weights after the last are compared, and the
// gradient of the first step. The architecture is read from its description.
import { permute, type ReferenceTensor } from "../case.ts";
import { plain, Refused, type CaseReader } from "../reader.ts";
import { channelsLast, num, range, shapeText, type Sequence } from "../translation.ts";
import { block } from "./attention.ts";
import { matrix } from "./layer.ts";
import { step as recurrentStep } from "./recurrent.ts";
import { optimizer } from "./training.ts";

interface Model {
  readonly declarations: string;
  /** Where a parameter lives. */
  readonly paths: Readonly<Record<string, string>>;
  readonly layout?: Readonly<Record<string, (tensor: ReferenceTensor) => ReferenceTensor>>;
  /** Ranges of whole numbers. */
  readonly ranges?: Readonly<Record<string, string>>;
  readonly lets: readonly string[];
  /** What is minimized, in order; the optimizer's attribute; values of steps that are compared stand among the lets. */
  readonly objectives: readonly {
    readonly text: string;
    readonly by: string;
    readonly wrt?: string;
    readonly lets?: readonly string[];
  }[];
  /** Values of every step: output -> expression. */
  readonly series: Readonly<Record<string, string>>;
  /** States beside the parameters: `bn1.running_mean`. */
  readonly states?: Readonly<Record<string, string>>;
}

const picture = (t: ReferenceTensor): ReferenceTensor =>
  permute(t, [0, ...channelsLast(t.shape.length - 1).map((a) => a + 1)]);
const convWeight = (t: ReferenceTensor): ReferenceTensor => permute(t, [2, 3, 1, 0]);

/** The loss at the end of a description, of `out` against what the case has. */
function lossOf(c: CaseReader, text: string): { loss: string; ranges: Record<string, string> } {
  const classes = Object.values(c.case.params).at(-1)!.shape[0]!;
  const found =
    /^(?:cross entropy (mean|sum)(?:, label smoothing ([\d.]+))?|(mse|l1|huber|smooth_l1|bce|bce_with_logits) (mean|sum)( against x)?)$/.exec(
      text,
    );
  if (!found) throw new Refused(`loss ${text}`);
  const [, reduction, smooth, name, same, against] = found;
  const reduce = (reduction ?? same) === "sum" ? ", reduce: total" : "";
  if (name) return { loss: `${name}(out, ${against ? "x" : "y"}${reduce})`, ranges: {} };
  return {
    loss: `cross_entropy(out, y${smooth ? `, smooth: ${smooth}` : ""}${reduce})`,
    ranges: { y: `0..${classes}` },
  };
}
/** `fc1(4->10) tanh -> fc2(10->3) -> cross entropy mean`, with convolutions, pooling and batch norm of pictures. */
function chain(c: CaseReader): Model {
  const parts = c.text("architecture").split(/ -> (?![^(]*\))/);
  const { loss, ranges } = lossOf(c, parts.pop()!);
  const [instances, body]: [string[], string[]] = [[], []];
  const paths: Record<string, string> = {};
  const layout: Record<string, (t: ReferenceTensor) => ReferenceTensor> = {};
  const states: Record<string, string> = {};
  let normCount = 0;
  let images = false;
  const add = (name: string, layer: string): void => {
    instances.push(`let ${name} = ${layer}`);
    body.push(name);
  };
  for (const token of parts.flatMap((part) => part.match(/[^ (]+\([^)]*\)|\S+/g) ?? [])) {
    const dense = /^(fc\d*)\((\d+)->(\d+)\)$/.exec(token);
    const conv = /^(conv\d*)\((\d+)->(\d+),(\d+)x(\d+)(.*)\)$/.exec(token);
    const norm = /^batchnorm\(train,momentum ([\d.]+)\)$/.exec(token);
    const pooled = /^(max|avg)pool(\d+)$/.exec(token);
    if (/^x\[[^\]]*\]$/.test(token)) continue;
    if (dense) {
      const [, name, , out] = dense;
      add(name!, `Linear(${out})`);
      [paths[`${name}.weight`], paths[`${name}.bias`]] = [`net.${name}.w`, `net.${name}.b`];
      layout[`${name}.weight`] = matrix;
    } else if (conv) {
      const [, name, , out, kh, kw, rest] = conv;
      const options: Record<string, number> = { pad: 0, stride: 1, dilation: 1, groups: 1 };
      let bias = true;
      for (const option of rest!.split(",").filter(Boolean)) {
        const given = /^(pad|stride|dilation|groups) (\d+)$/.exec(option);
        if (given) options[given[1]!] = Number(given[2]);
        else if (option === "no bias") bias = false;
        else throw new Refused(`convolution with ${option}`);
      }
      images = true;
      add(
        name!,
        `Conv2d(${out}, k: [${kh}, ${kw}], stride: ${options["stride"]}, pad: ${options["pad"]}, dilate: ${options["dilation"]}, groups: ${options["groups"]}, bias: ${bias})`,
      );
      paths[`${name}.weight`] = `net.${name}.w`;
      layout[`${name}.weight`] = convWeight;
      if (bias) paths[`${name}.bias`] = `net.${name}.b`;
    } else if (norm) {
      const name = `bn${(normCount += 1)}`;
      add(name, `BatchNorm(${norm[1]})`);
      [paths[`${name}.weight`], paths[`${name}.bias`]] = [`net.${name}.g`, `net.${name}.b`];
      [states[`${name}.running_mean`], states[`${name}.running_var`]] = [`net.${name}.mu`, `net.${name}.var`];
    } else if (pooled) add(`pool${instances.length}`, `${pooled[1] === "max" ? "Max" : "Avg"}Pool2d(${pooled[2]})`);
    else if (/^flatten\(\d+\)$/.test(token)) body.push("(|h| flatten(transpose(h, axes: [0, 3, 1, 2])))");
    else if (/^[a-z][a-z_0-9]*$/.test(token)) body.push(token);
    else throw new Refused(`the layer ${token}`);
  }
  if (images) layout["x"] = picture;
  const shape = (layout["x"]?.(c.tensor("x")) ?? c.tensor("x")).shape.slice(1);
  return {
    declarations: `model net(x: f32[B, ${shape.slice(1).join(", ")}]) {\n  ${instances.join("\n  ")}\n  return x |> ${body.join(" |> ")}\n}\n`,
    paths,
    layout,
    ranges,
    states,
    lets: ["let out = net(x)", `let loss = ${loss}`],
    objectives: [{ text: "loss", by: "optimizer" }],
    series: { losses: "loss" },
  };
}

/** A model that holds all parameters of the case as they are, with a body over them. */
function held(
  c: CaseReader,
  inputs: string,
  body: readonly string[],
  result: string,
): Pick<Model, "declarations" | "paths"> {
  const names = Object.keys(c.case.params);
  const lines = [
    ...names.map((name) => `param ${plain(name)}: f32${shapeText(c.shape(name))} ~ zeros`),
    ...body,
    `return ${result}`,
  ];
  return {
    declarations: `model net(${inputs}) {\n  ${lines.join("\n  ")}\n}\n`,
    paths: Object.fromEntries(names.map((name) => [name, `net.${plain(name)}`])),
  };
}
const dense = (
  c: CaseReader,
  names: readonly string[],
  write: (layers: readonly string[]) => string,
  inputs: string,
): Model => ({
  declarations: `model net(${inputs}) {\n  ${names.map((n) => `let ${n} = Linear(${c.extent(`${n}.weight`, 0)}${c.has(`${n}.bias`) ? "" : ", bias: false"})`).join("\n  ")}\n  return ${write(names)}\n}\n`,
  paths: Object.fromEntries(
    names.flatMap((n) => [[`${n}.weight`, `net.${n}.w`], ...(c.has(`${n}.bias`) ? [[`${n}.bias`, `net.${n}.b`]] : [])]),
  ),
  layout: Object.fromEntries(names.map((n) => [`${n}.weight`, matrix])),
  lets: [],
  objectives: [{ text: "loss", by: "optimizer" }],
  series: { losses: "loss" },
});

const recurrentClassifier =
  (cell: "lstm" | "rnn_tanh", description: RegExp): ((c: CaseReader) => Model) =>
  (c) => {
    const found = description.exec(c.text("architecture"));
    if (!found) throw new Refused(`architecture ${c.text("architecture")}`);
    const hidden = c.extent("weight_hh_l0", 1);
    const rows = c.extent("x", 1);
    const states = cell === "lstm" ? ["h", "c"] : ["h"];
    const weights = { ih: "weight_ih_l0", hh: "weight_hh_l0", biasIh: "bias_ih_l0", biasHh: "bias_hh_l0" };
    const { lets, next } = recurrentStep(cell, hidden, weights, "item", states);
    const body = [
      `let sequence = transpose(x, axes: [1, 0, 2])`,
      ...states.map((s) => `let ${s}_start = zeros[${rows}, ${hidden}]`),
      `let ${states.length > 1 ? "(last_h, last_c)" : "last_h"} = fold (item in sequence along 0; ${states.map((s) => `${s} = ${s}_start`).join(", ")}) {
    ${lets.join("\n    ")}
    next ${states.map((s, i) => `${s} = ${next[i]}`).join(", ")}
  }`,
    ];
    return {
      ...held(c, `x: f32[${c.shape("x").slice(1).join(", ")}]`, body, "last_h @ transpose(fc_weight) + fc_bias"),
      ranges: { y: `0..${c.extent("fc.weight", 0)}` },
      lets: [`let out = net(x)`, "let loss = cross_entropy(out, y)"],
      objectives: [{ text: "loss", by: "optimizer" }],
      series: { losses: "loss" },
    };
  };

function gpt(c: CaseReader): Model {
  const text = c.text("architecture");
  const found =
    /^tokens\[B,\d+\](?:: inputs are the first \d+, targets the last \d+; tok embedding \+ pos, |; as a GPT with )(\d+) pre-LN blocks? \((\d+) heads?, mlp (\d+), gelu (erf|tanh), causal\), (?:ln_f, head without bias, mean cross entropy over all positions|output head tied to the token embedding; lr\[t\] given by lr_schedule)$/.exec(
      text,
    );
  if (!found) throw new Refused(`architecture ${text}`);
  const [, rows, length] = c.shape("tokens") as [number, number, number];
  const [vocabulary, embed] = c.shape("tok") as [number, number];
  const steps = length - 1;
  const blocks = Number(found[1]);
  if (Number(found[3]) !== c.extent("block0.fc1.bias", 0)) throw new Refused("sizes that do not fit");
  const body = [
    `let start = for b in 0..${rows}, t in 0..${steps}, d in 0..${embed}: tok[ids[b, t], d] + pos[t, d]`,
    ...range(blocks).flatMap((k) =>
      block(c, `a${k}_`, k ? `a${k - 1}_out` : "start", `block${k}.`, [rows, steps], {
        heads: Number(found[2]),
        embed,
        causal: true,
        activation: found[4] === "tanh" ? "gelu_tanh" : "gelu",
        normFirst: true,
        eps: 1e-5,
      }),
    ),
    `let last = ${blocks ? `a${blocks - 1}_out` : "start"}`,
    `let centred = last - mean(last, axis: -1, keep: true)`,
    `let final = centred / sqrt(var(last, axis: -1, correction: 0, keep: true) + 1e-5) * ln_f_weight + ln_f_bias`,
  ];
  const out = c.has("head.weight") ? "head_weight" : "tok";
  return {
    ...held(c, `ids: i32[${rows}, ${steps}] in 0..${vocabulary}`, body, `final @ transpose(${out})`),
    ranges: { tokens: `0..${vocabulary}` },
    lets: [`let out = net(tokens[:, 0..${steps}])`, `let loss = cross_entropy(out, tokens[:, 1..${length}])`],
    objectives: [{ text: "loss", by: "optimizer" }],
    series: { losses: "loss" },
  };
}

const models: Readonly<Record<string, (c: CaseReader) => Model>> = {
  linear_regression: chain,
  softmax_regression: chain,
  mlp_classifier: chain,
  xor_mlp: chain,
  autoencoder: chain,
  cnn_classifier: chain,
  lstm_classifier: recurrentClassifier(
    "lstm",
    /^x\[B,\d+,\d+\] -> LSTM\(\d+->\d+, zero initial state, gates i,f,g,o\) -> last hidden state -> fc\(\d+->\d+\) -> cross entropy mean(; gradients clipped to global norm [\d.]+)?$/,
  ),
  rnn_classifier: recurrentClassifier(
    "rnn_tanh",
    /^x\[B,\d+,\d+\] -> RNN\(tanh, \d+->\d+\) -> last hidden state -> fc\(\d+->\d+\) -> cross entropy mean(; gradients clipped to global norm [\d.]+)?$/,
  ),
  gpt_lm: gpt,
  deep_linear: (c) => {
    const names = Object.keys(c.case.params);
    const said =
      /^y = W_(\d+) \.\.\. W_1 x without bias or activation; loss = mean over the batch of 0\.5\*\|\|y - target\|\|\^2$/;
    if (Number(said.exec(c.text("architecture"))?.[1]) !== names.length) throw new Refused("another architecture");
    const product = names.reduce((text, name) => `${text} @ transpose(${name})`, "x");
    return {
      ...held(c, `x: f32[${c.shape("x").slice(1).join(", ")}]`, [], product),
      lets: ["let loss = 0.5 * mean(sum((net(x) - y)^2, axis: -1))"],
      objectives: [{ text: "loss", by: "optimizer" }],
      series: { losses: "loss" },
    };
  },
  siamese: (c) => {
    const said =
      /^shared branch fc1\(\d+->\d+\) tanh -> fc2\(\d+->\d+\) applied to a and b; d = sqrt\(sum \(ea-eb\)\^2 \+ 1e-6\); mean of 0\.5\*\(y d\^2 \+ \(1-y\) max\(0,margin-d\)\^2\)$/;
    if (!said.test(c.text("architecture"))) throw new Refused("another architecture");
    return {
      ...dense(c, ["fc1", "fc2"], () => "x |> fc1 |> tanh |> fc2", `x: f32[B, ${c.extent("a", -1)}]`),
      lets: [
        "let distance = sqrt(sum((net(a) - net(b))^2, axis: -1) + 1e-6)",
        `let loss = mean(0.5 * (y * distance^2 + (1 - y) * relu(${num(c.number("margin"))} - distance)^2))`,
      ],
    };
  },
  skipgram: (c) => {
    c.says("architecture", "skip-gram with given negatives: -mean[log sigmoid(v.u) + sum_k log sigmoid(-v.n_k)]");
    const [words, width] = c.shape("inp") as [number, number];
    const [, rows, negatives] = c.shape("negatives") as [number, number, number];
    const dot = (other: string): string => `(sum over d in 0..${width}: net.inp[center[i], d] * net.out[${other}, d])`;
    return {
      ...held(c, "", [], "sum(inp) + sum(out)"),
      ranges: { center: `0..${words}`, context: `0..${words}`, negatives: `0..${words}` },
      lets: [
        "let made = net()",
        `let near = log_sigmoid(for i in 0..${rows}: ${dot("context[i]")})`,
        `let far = log_sigmoid(for i in 0..${rows}, k in 0..${negatives}: -${dot("negatives[i, k]")})`,
        "let loss = -mean(near + sum(far, axis: 1))",
      ],
      objectives: [{ text: "loss", by: "optimizer" }],
      series: { losses: "loss" },
    };
  },
  vae: (c) => {
    const said =
      /^enc\(\d+->\d+\) tanh -> mu, logvar \(->\d+\); z = mu \+ exp\(logvar\/2\)\*eps with eps given; dec1 tanh, dec2; loss = \(BCE with logits summed\)\/B \+ beta\*KL\/B$/;
    if (!said.test(c.text("architecture"))) throw new Refused("another architecture");
    const [, rows, width] = c.shape("x") as [number, number, number];
    const latent = c.extent("eps", -1);
    return {
      ...dense(c, ["enc", "mu", "logvar", "dec1", "dec2"], () => "x", "x: f32[B, 1]"),
      declarations: `model net(x: f32[B, ${width}], eps: f32[B, ${latent}]) {
  let enc = Linear(${c.extent("enc.weight", 0)})
  let mu = Linear(${latent})
  let logvar = Linear(${latent})
  let dec1 = Linear(${c.extent("dec1.weight", 0)})
  let dec2 = Linear(${width})
  let h = tanh(enc(x))
  let m = mu(h)
  let v = logvar(h)
  return (dec2(tanh(dec1(m + exp(v / 2) * eps))), m, v)
}
`,
      lets: [
        "let (out, m, v) = net(x, eps)",
        `let loss = (bce_with_logits(out, x, reduce: total) - ${num(0.5 * c.number("beta"))} * sum(1 + v - m^2 - exp(v))) / ${rows}`,
      ],
    };
  },
  wide_deep: (c) => {
    c.says(
      "architecture",
      "logit = wide(no bias)(wide) + fc2(relu(fc1(concat[emb[cat], dense]))); bce_with_logits mean",
    );
    const [words, width] = c.shape("emb") as [number, number];
    const [wide, deep] = [c.extent("wide", -1), c.extent("dense", -1)];
    return {
      declarations: `model net(features: f32[B, ${wide}], dense: f32[B, ${deep}], cat: i32[B] in 0..${words}) {
  let wide = Linear(1, bias: false)
  let emb = Embedding(${words}, ${width})
  let fc1 = Linear(${c.extent("fc1.bias", 0)})
  let fc2 = Linear(1)
  return wide(features) + (concat([emb(cat), dense], axis: -1) |> fc1 |> relu |> fc2)
}
`,
      paths: {
        "wide.weight": "net.wide.w",
        emb: "net.emb.table",
        "fc1.weight": "net.fc1.w",
        "fc1.bias": "net.fc1.b",
        "fc2.weight": "net.fc2.w",
        "fc2.bias": "net.fc2.b",
      },
      layout: { "wide.weight": matrix, "fc1.weight": matrix, "fc2.weight": matrix },
      ranges: { cat: `0..${words}` },
      lets: ["let loss = bce_with_logits(net(wide, dense, cat), y)"],
      objectives: [{ text: "loss", by: "optimizer" }],
      series: { losses: "loss" },
    };
  },
  adversarial_training: (c) => ({
    ...dense(c, ["fc1", "fc2"], () => "x |> fc1 |> tanh |> fc2", `x: f32[B, ${c.extent("x", -1)}]`),
    ranges: { y: `0..${c.extent("fc2.bias", 0)}` },
    lets: [
      "let clean = cross_entropy(net(x), y)",
      `let moved = stop(clamp(x + ${num(c.number("epsilon"))} * sign(grad(clean, wrt: x)), ${num(-c.number("bound"))}, ${num(c.number("bound"))}))`,
      "let loss = 0.5 * clean + 0.5 * cross_entropy(net(moved), y)",
    ],
    series: { losses: "loss", clean: "clean" },
  }),
  energy_model: (c) => ({
    ...dense(
      c,
      ["fc1", "fc2"],
      () => "concat([x, y], axis: -1) |> fc1 |> softplus |> fc2",
      `x: f32[B, ${c.extent("x", -1)}], y: f32[B, ${c.extent("y", -1)}]`,
    ),
    lets: [
      `let far = stop(descend(|v| net(x, v), y0, iters: ${c.number("iters")}, lr: ${num(c.number("inner_lr"))}))`,
      "let low = net(x, y)",
      "let high = net(x, far)",
      "let gap = mean(high - low)",
      `let loss = mean(softplus(low - high)) + ${num(c.number("reg"))} * mean(low^2)`,
    ],
    series: { losses: "loss", gap: "gap" },
  }),
  transfer: (c) => ({
    ...dense(c, ["body", "head"], () => "x |> body |> tanh |> head", `x: f32[B, ${c.extent("x", -1)}]`),
    ranges: { y: `0..${c.extent("head.bias", 0)}` },
    lets: ["let loss = cross_entropy(net(x), y)"],
    objectives: [{ text: "loss", by: "optimizer", wrt: "net.head" }],
  }),
  gan: (c) => {
    const layers = (name: string, activation: string, width: number): string =>
      `model ${name}(x: f32[B, ${width}]) {\n  let l1 = Linear(${c.extent(`${name}1.bias`, 0)})\n  let l2 = Linear(${c.extent(`${name}2.bias`, 0)})\n  return l2(${activation})\n}\n`;
    const names = ["gen1", "gen2", "disc1", "disc2"];
    const path = (name: string): string => `${name.slice(0, -1)}.l${name.at(-1)}`;
    return {
      declarations:
        layers("gen", "tanh(l1(x))", c.extent("z", -1)) + layers("disc", "leaky_relu(l1(x), 0.2)", c.extent("x", -1)),
      paths: Object.fromEntries(
        names.flatMap((n) => [
          [`${n}.weight`, `${path(n)}.w`],
          [`${n}.bias`, `${path(n)}.b`],
        ]),
      ),
      layout: Object.fromEntries(names.map((n) => [`${n}.weight`, matrix])),
      lets: [],
      objectives: [
        {
          lets: [
            "let fake = gen(z)",
            `let first = bce_with_logits(disc(x), ${num(c.number("real_label"))} * ones[${c.extent("x", 1)}, 1]) + bce_with_logits(disc(stop(fake)), zeros[${c.extent("x", 1)}, 1])`,
          ],
          text: "first",
          by: "optimizer_disc",
          wrt: "disc",
        },
        {
          lets: [`let second = bce_with_logits(disc(fake), ones[${c.extent("z", 1)}, 1])`],
          text: "second",
          by: "optimizer_gen",
          wrt: "gen",
        },
      ],
      series: { losses_disc: "first", losses_gen: "second" },
    };
  },
};

export function modelSequence(c: CaseReader): Sequence {
  const write = models[c.case.kind];
  if (!write) throw new Refused("kind not translated");
  const model = write(c);
  const steps = c.number("steps");
  const lay = (name: string, tensor: ReferenceTensor): ReferenceTensor => model.layout?.[name]?.(tensor) ?? tensor;
  const initial: Record<string, ReferenceTensor> = {};
  const outputs: Record<string, ReferenceTensor> = {};
  const states: { state: string; output: string; final: true }[] = [];
  const [declared, read, kept]: [string[], string[], string[]] = [[], [], []];
  for (const [name, tensor] of Object.entries(c.case.inputs)) {
    const held = model.states?.[name];
    if (held) {
      initial[held] = tensor;
      continue;
    }
    const own = lay(name, tensor);
    const range = model.ranges?.[name];
    declared.push(`state all_${plain(name)}: ${own.dtype}${shapeText(own.shape)}${range ? ` in ${range}` : ""} = 0`);
    read.push(`let ${plain(name)} = all_${plain(name)}[step % ${own.shape[0]}]`);
    initial[`fit.all_${plain(name)}`] = own;
  }
  const compare = (state: string, output: string, tensor: ReferenceTensor): void => {
    outputs[output] = tensor;
    states.push({ state, output, final: true });
  };
  for (const [name, tensor] of Object.entries(c.case.params)) {
    const path = model.paths[name];
    if (!path) throw new Refused(`parameter ${name}`);
    initial[path] = lay(name, tensor);
  }
  const series = Object.entries(model.series);
  for (const [output] of series) {
    declared.push(`state series_${output}: f32[${steps}] = 0`);
    compare(`fit.series_${output}`, output, c.case.outputs[output]!);
  }
  if (c.case.outputs["loss"]) {
    declared.push("state first_loss: f32 = 0");
    kept.push("next first_loss = where(step == 0, loss, first_loss)");
    compare("fit.first_loss", "loss", c.case.outputs["loss"]);
  }
  for (const [i, [name, tensor]] of Object.entries(c.case.grads).entries()) {
    const path = model.paths[name];
    if (!path) throw new Refused(`gradient by ${name}`);
    const own = lay(name, tensor);
    declared.push(`state slope${i}: f32${shapeText(own.shape)} = 0`);
    kept.push(`next slope${i} = where(step == 0, grad(loss, wrt: ${path}), slope${i})`);
    compare(`fit.slope${i}`, `gradient by ${name}`, own);
  }
  for (const [output, tensor] of Object.entries(c.case.outputs)) {
    if (output in outputs) continue;
    const name = output.replace(/^final\./, "");
    const path = model.paths[name] ?? model.states?.[name];
    if (!output.startsWith("final.") || !path) throw new Refused(`output ${output}`);
    compare(path, output, lay(name, tensor));
  }
  const clip = c.attribute("clip_norm") === undefined ? "" : `clip_norm(${num(c.number("clip_norm"))}) >> `;
  const rates = c.attribute("lr_schedule") === undefined ? undefined : c.numbers("lr_schedule", steps);
  const minimized = model.objectives.flatMap(({ text, by, wrt, lets }) => {
    const a = c.nested(by);
    const kind = a.text("kind");
    const rate = num(a.number("lr"));
    const found = optimizer(kind, a, rates ? `rates[step % ${steps}]` : rate);
    const keep = series
      .filter(([, value]) => value === text || by === "optimizer")
      .map(
        ([output, value]) =>
          `next series_${output} = for i in 0..${steps}: where(i == step, ${value}, series_${output}[i])`,
      );
    return [...(lets ?? []), ...keep, `minimize ${text}${wrt ? ` wrt ${wrt}` : ""} by ${clip}${found}`];
  });
  const source = `${model.declarations}train fit {
  ${[
    ...declared,
    ...read,
    ...(rates ? [`let rates = [${rates.map(num).join(", ")}]`] : []),
    ...model.lets,
    ...kept,
    ...minimized,
  ].join("\n  ")}
  steps: ${steps}
}
`;
  return { source, steps, initial, states, outputs };
}
