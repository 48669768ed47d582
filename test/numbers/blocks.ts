// Random train blocks: small models of every layer, losses, chains of optimizers, several `minimize`, metrics, accumulation, smoothed copies. `odd`: with
// hyper-parameters at 0, 1, below 0, huge or fractional, of which most must end in a diagnostic or compile.
import { random, type Random } from "../fuzz/random.ts";

const number = (r: Random, usual: readonly (number | string)[], odd: boolean): number | string =>
  odd && r.chance(0.25) ? r.pick([0, 1, -1, 0.5, 2, 7, 1e-30, 1e30, 1e39, "inf", -0.5]) : r.pick(usual);

export function randomBlock(seed: number, odd = false): string {
  const r = random(seed);
  const n = (...usual: (number | string)[]): number | string => number(r, usual, odd);
  const image = r.chance(0.25);
  const batch = r.pick([1, 1, 2, 3, 5, 8]);
  const width = (): number | string => n(1, 1, 1, 2, 3, 4, 8);
  const act = (): string =>
    r.pick([
      "tanh",
      "relu",
      "sigmoid",
      "gelu",
      "silu",
      "softplus",
      `|y| leaky_relu(y, ${n(0.1)})`,
      `|y| elu(y, ${n(1)})`,
      `|y| celu(y, ${n(1)})`,
      `|y| softplus(y, ${n(1)}, ${n(20)})`,
    ]);
  const flat = (): string =>
    r.pick([
      `Linear(${width()})`,
      `Linear(${width()}, act: ${act()})`,
      `Linear(${width()}, bias: false)`,
      `LayerNorm(${r.chance(0.3) ? `eps: ${n(1e-5)}` : ""})`,
      `LayerNorm(affine: false)`,
      `RMSNorm(${r.chance(0.3) ? `eps: ${n(1e-6)}` : ""})`,
      `BatchNorm(${r.chance(0.3) ? `momentum: ${n(0.1)}` : ""})`,
      `Dropout(${n(0.1, 0.5)})`,
      `stack ${n(1, 2, 3)} of Linear(${width()}, act: ${act()})`,
      `softmax`,
      `l2_normalize`,
      `|y| y * sigmoid(y)`,
    ]);
  const pair = (f: () => number | string): string => (r.chance(0.3) ? `[${f()}, ${f()}]` : String(f()));
  const deep = (): string =>
    r.pick([
      `Conv2d(${n(1, 2, 3)}, k: ${pair(() => n(1, 2, 3, 5))}${r.chance(0.4) ? `, stride: ${pair(() => n(1, 2, 3))}` : ""}${r.chance(0.4) ? `, pad: ${pair(() => n(0, 1, 2))}` : ""}${r.chance(0.2) ? `, dilate: ${n(1, 2)}` : ""})`,
      `MaxPool2d(${pair(() => n(1, 2, 3))}${r.chance(0.3) ? `, stride: ${n(1, 2)}` : ""}${r.chance(0.2) ? `, ceil_mode: true` : ""})`,
      `AvgPool2d(${pair(() => n(1, 2, 3))}${r.chance(0.3) ? `, pad: ${n(0, 1)}, count_include_pad: false` : ""})`,
      `BatchNorm()`,
      `relu`,
      `LayerNorm()`,
      `Dropout(${n(0.2)})`,
    ]);
  const layers = image
    ? [...Array.from({ length: r.int(1, 3) }, deep), "flatten", `Linear(${width()})`]
    : [`Linear(${width()})`, ...Array.from({ length: r.int(1, 4) }, flat)];
  const input = image ? `f32[B, ${r.int(3, 8)}, ${r.int(3, 8)}, ${r.int(1, 2)}]` : `f32[B, ${r.int(1, 4)}]`;
  const field = input.replace("B, ", "");
  const optimizer = (): string => {
    const rate = (): string =>
      r.pick([
        `${n(0.01, 0.1)}`,
        `warmup_cosine(${n(0.1)}, ${n(2, 3)}, ${n("steps", 5)})`,
        `step_decay(${n(0.1)}, step_size: ${n(2, 41)})`,
        `exponential(${n(0.1)}, ${n(0.9)})`,
      ]);
    const last = r.pick([
      `sgd(lr: ${rate()}${r.chance(0.5) ? `, momentum: ${n(0.9)}, nesterov: ${r.chance(0.5)}, decay: ${n(0, 0.1)}` : ""})`,
      `adam(lr: ${rate()}${r.chance(0.5) ? `, amsgrad: true` : ""}${r.chance(0.3) ? `, b1: ${n(0.9)}, b2: ${n(0.99)}, eps: ${n(1e-8)}` : ""})`,
      `adamw(lr: ${rate()}, decay: ${n(0.01)}${r.chance(0.3) ? `, amsgrad: true` : ""})`,
      `rmsprop(lr: ${rate()}${r.chance(0.5) ? `, centered: true, momentum: ${n(0.5)}` : ""})`,
    ]);
    return [...(r.chance(0.4) ? [r.pick([`clip_norm(${n(1)})`, `clip_value(${n(1)})`])] : []), last].join(" >> ");
  };
  const losses = (out: string): string =>
    r.pick([
      `mse(${out}, y)`,
      `l1(${out}, y)`,
      `huber(${out}, y, delta: ${n(1)})`,
      `smooth_l1(${out}, y, beta: ${n(1)})`,
      `bce_logits(${out}, sigmoid(y))`,
      `mse(${out}, y) + ${n(0.1)} * l2(net)`,
      `mean(max(${out}, y))`,
      `logsumexp(${out} - y)`,
      `mse(${out}, y, reduce: total)`,
    ]);
  const out = "head(net(x))";
  const lines = [`  minimize ${losses(out)} by ${optimizer()}${r.chance(0.15) ? ` every ${n(2)}` : ""}`];
  if (r.chance(0.5)) lines.push(`  minimize ${losses(out)} by ${optimizer()}`);
  if (r.chance(0.6)) lines.push(`  metric m = ${r.pick(["mae", "rmse", "r2"])}(${out}, y)`);
  if (r.chance(0.3)) lines.push(`  metric most = max(abs(${out} - y))`);
  if (r.chance(0.4)) lines.push(`  state smooth = net`, `  next smooth = ${n(0.9)} * smooth + ${n(0.1)} * net`);
  if (r.chance(0.4)) lines.push(`  accumulate: ${n(2, 3)}`);
  lines.push(`  ${r.chance(0.8) ? `steps: ${n(3, 6)}` : `epochs: ${n(1, 2)}`}`);
  return [
    `data d {`,
    `  rows: ${n(12, 30)}`,
    `  field x: ${field} = ${r.pick(["normal", "uniform(-1, 1)"])}${field.slice(3)}`,
    `  field y: f32 = sum(x)`,
    ...(r.chance(0.3) ? [`  holdout valid = ${n(0.25)}`] : []),
    `}`,
    `model net(x: ${input}) = x |> ${layers.join(" |> ")}`,
    `fn head(z: f32[B, ...S]) -> f32[B] = mean(z, axis: 1..rank(z))`,
    `train fit on d(batch: ${odd ? n(batch) : batch}) {`,
    ...lines,
    `}`,
    `export fn predict(x: ${input}) = net(x)`,
    `export fn slope(x: ${input}) = grad(sum(head(net(x))^2), wrt: x)`,
  ].join("\n");
}
