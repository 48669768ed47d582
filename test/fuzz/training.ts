// Random train blocks: several `minimize` and metrics, accumulation, `every`, states, chains of optimizers, stacks, batches of one row, two blocks over one
// model. A few steps on the device against the evaluator, from the same initial values; then the metrics over all rows. Every target compiles the block.
import { compile } from "../../compiler/compile.ts";
import type { Program, TrainProgram } from "../../compiler/elaborate/program.ts";
import { evaluate, type Instead } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { functions } from "../../compiler/scalar/table.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load, type Model } from "../../runtime/index.ts";
import { initialOnEvaluator, stepsOnEvaluator, type TrainingValues } from "../device/evaluator.ts";
import { programsOf } from "../graph/programs.ts";
import { launching, otherTarget, shorter, type Area, type On, type Outcome } from "./area.ts";
import { random } from "./random.ts";

export interface TrainingCase {
  readonly text: string;
  readonly steps: number;
}
function make(seed: number): TrainingCase {
  const r = random(seed);
  const rows = r.pick([1, 3, 4, 8, 12, 24]);
  const wide = r.pick([1, 2, 3, 6]);
  const classes = r.pick([1, 2, 3, 4]);
  const input = r.pick(["vector", "vector", "vector", "image", "ids"]);
  const target = r.pick(["number", "column", "class", "class", "vector"]);
  const field = {
    vector: `f32[${wide}] = ${r.pick([`normal[${wide}]`, `uniform(-1, 1)[${wide}]`, `0.5 * normal[${wide}] + 1`])}`,
    image: "f32[5, 5, 2] = normal[5, 5, 2]",
    ids: "i32[4] in 0..7 = for k in 0..4: (row * 5 + k * k) % 7",
  }[input]!;
  const y = {
    number: "f32 = normal[]",
    column: "f32[1] = uniform(-1, 1)[1]",
    class: `i32 in 0..${classes} = ${r.pick([`randint(0, ${classes})[]`, `(row * 3 + 1) % ${classes}`])}`,
    vector: "f32[2] = normal[2]",
  }[target]!;
  const out = target === "class" ? classes : target === "vector" ? 2 : 1;
  const act = (): string => r.pick(["tanh", "relu", "gelu", "silu", "softplus", "sigmoid", "|v| v"]);
  const layer = (): string =>
    r.pick([
      `Linear(${r.pick([1, 2, 5, 8])}, act: ${act()})`,
      `Linear(${r.pick([1, 3, 8])}, bias: false)`,
      "LayerNorm()",
      "RMSNorm()",
      "BatchNorm()",
      `Dropout(${r.pick(["0.25", "0.5"])})`,
      `stack ${r.int(1, 3)} of Linear(${r.pick([1, 4])}, act: tanh)`,
      "(|v| v * 0.5)",
    ]);
  const layers = (n: number): string =>
    Array.from({ length: n }, layer)
      .map((l) => ` |> ${l}`)
      .join("");
  const head = {
    vector: "x",
    image: `x |> Conv2d(${r.int(1, 4)}, k: ${r.int(1, 3)}, pad: ${r.int(0, 1)}) |> ${act() === "|v| v" ? "relu" : "tanh"}${r.chance(0.5) ? " |> MaxPool2d(2)" : ""} |> flatten`,
    ids: `x |> Embedding(7, ${r.int(1, 4)}) |> ${r.pick(["flatten", "(|e| mean(e, axis: 1))"])}`,
  }[input]!;
  const type = { vector: `f32[B, ${wide}]`, image: "f32[B, 5, 5, 2]", ids: "i32[B, 4] in 0..7" }[input]!;
  const models = r.chance(0.35) ? ["net", "other"] : ["net"];
  const shared = models.length > 1 && r.chance(0.3) ? "let h = net(x)\n  " : "";
  const squeeze = target === "number" ? " |> squeeze(-1)" : "";
  const declared = models.map(
    (m) => `model ${m}(x: ${type}) = ${head}${layers(r.int(0, 3))} |> Linear(${out})${squeeze}`,
  );
  const loss = (m: string): string => {
    const p = shared && m === "net" ? "h" : `${m}(x)`;
    if (target === "class")
      return r.pick([
        `cross_entropy(${p}, y)`,
        `cross_entropy(${p}, y, smooth: 0.1)`,
        `mean((${p} - one_hot(y, ${classes}))^2)`,
        `nll(log_softmax(${p}), y)`,
      ]);
    return r.pick([
      `mse(${p}, y)`,
      `huber(${p}, y)`,
      `l1(${p}, y)`,
      `mean(softplus(${p} - y))`,
      `bce_logits(${p}, sigmoid(y))`,
      `mse(${p}, y, reduce: total) / batch`,
    ]);
  };
  const optimizer = (): string => {
    const lr = r.pick([
      "0.05",
      "0.01",
      "1e-3",
      "warmup_cosine(0.05, warm: 2, total: steps)",
      "step_decay(0.05, step_size: 2)",
      "exponential(0.05, 0.9)",
    ]);
    // eps: where a gradient is rounding alone, its sign is no one's
    const last = r.pick([
      `sgd(lr: ${lr})`,
      `sgd(lr: ${lr}, momentum: 0.9, nesterov: ${r.chance(0.5)})`,
      `adam(lr: ${lr}, eps: 1e-2, amsgrad: ${r.chance(0.5)})`,
      `adamw(lr: ${lr}, eps: 1e-2, decay: 0.1)`,
      `rmsprop(lr: ${lr}, eps: 1e-2, momentum: ${r.pick(["0", "0.9"])})`,
      "halved(0.05)",
    ]);
    return `${r.pick(["", "", "clip_norm(1) >> ", "clip_norm(0.1) >> ", "clip_value(0.05) >> ", "clip_value(0.5) >> clip_norm(0.5) >> "])}${last}`;
  };
  const clause = (m: string): string =>
    `${loss(m)}${r.chance(0.3) ? ` + 1e-3 * l2(${m})` : ""}${r.chance(0.1) ? ` + 0.01 * sum(grad(mean(${m}(x)), wrt: x)^2)` : ""}`;
  const block = (name: string): string => {
    const minimizes = models.flatMap((m) => Array.from({ length: r.pick([1, 1, 1, 2]) }, () => m));
    const first = minimizes.map(
      (m, i) =>
        `minimize ${clause(m)} ${models.length > 1 || r.chance(0.3) ? `wrt ${m} ` : ""}by ${optimizer()}${i && r.chance(0.4) ? ` every ${r.int(2, 3)}` : ""}`,
    );
    const metrics = [
      target === "class" ? "metric acc = accuracy(net(x), y)" : "metric off = mean(abs(net(x) - y))",
      "metric size = sqrt(l2(net))",
      "metric both = mean(net(x)) + mean(net(x)^2)",
      "metric spread = max(net(x)) - min(net(x))",
    ];
    const states = r.chance(0.4) ? ["state smooth = net", "next smooth = 0.9 * smooth + 0.1 * net"] : [];
    const counts = r.chance(0.2)
      ? ["state kept = 0.0", `next kept = 0.5 * kept + ${r.pick(["1", "mean(net(x))"])}`]
      : [];
    const body = [
      ...(shared ? ["let h = net(x)"] : []),
      ...first,
      ...states,
      ...counts,
      ...metrics.filter(() => r.chance(0.35)),
      ...(r.chance(0.3) ? [`accumulate: ${r.int(2, 3)}`] : []),
      "steps: 6",
    ];
    return `train ${name} on points(batch: ${Math.min(rows, r.pick([1, 1, 2, 4, 8]))}, seed: 5, shuffle: false) {\n${body.map((l) => `  ${l}`).join("\n")}\n}`;
  };
  const own =
    "optimizer halved(lr: f32)(p: f32[...P], g: f32[...P]) {\n  state m = 0 * p\n  next m = 0.5 * m + g\n  return lr * m / (1 + 0.1 * step)\n}";
  const blocks = ["fit", ...(r.chance(0.25) ? ["again"] : [])].map(block);
  const text = [
    `data points {\n  rows: ${rows}\n  field x: ${field}\n  field y: ${y}\n}`,
    ...(blocks.some((b) => b.includes("halved")) ? [own] : []),
    ...declared,
    ...blocks,
  ].join("\n");
  return { text: text + "\n", steps: r.int(2, 4) };
}

/**
 * f32 arithmetic, as one device may do it. Parameters that are moved a little do not show what a rounding does where a derivative is 0 for all of them,
 * as that of a shift before a normalisation is: optimizers divide what is left of it by next to nothing.
 */
const rounding: Instead = new Map(
  [...functions.values()].map(({ evaluate: f }) => [f, (...x: number[]) => Math.fround(f(...x))]),
);
const isSmall = (got: number, want: number, scale: number, slack: number): boolean =>
  got === want || Math.abs(got - want) <= Math.max(2e-4 * scale, 30 * slack);
/** `moved`: the same from parameters near by. `rounded`: with roundings, which hit one element or another of those that are alike. */
function same(
  what: string,
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  moved: ArrayLike<number> = want,
  rounded: ArrayLike<number> = want,
): void {
  const scale = Array.from(want).reduce((m, x) => Math.max(m, Math.abs(x)), 1e-2);
  const roundings = Array.from(want).reduce((m, x, i) => Math.max(m, Math.abs(x - rounded[i]!)), 0);
  for (let i = 0; i < want.length; i++)
    if (!isSmall(got[i]!, want[i]!, scale, Math.max(roundings, Math.abs(want[i]! - moved[i]!))))
      throw new Error(`${what}, element ${i} of ${want.length}: ${got[i]} instead of ${want[i]}`);
}
async function check(c: TrainingCase, on: On): Promise<Outcome> {
  compile(c.text, { name: "fuzz.dlm", target: otherTarget(c.text, on.target.name) });
  const { plan, program, diagnostics } = compile(c.text, { name: "fuzz.dlm", target: launching(on.target, c.text) });
  if (!plan || !program) {
    if (!renderDiagnostics(diagnostics)) throw new Error("no plan, and no diagnostics");
    return "refused";
  }
  programsOf(program).forEach(verify);
  const model = await load(plan, { device: on.device });
  try {
    const read = async (): Promise<TrainingValues> => {
      const values = await model.parameters({ all: true });
      return new Map<Source, ArrayLike<number>>(
        [...program.parameters, ...program.states].flatMap((h) =>
          values[h.path] ? [[h.source, values[h.path]!.data] as const] : [],
        ),
      );
    };
    const initial = await read();
    for (const [source, value] of initialOnEvaluator(program.trains[0]!))
      if (initial.has(source)) same(`the initial ${source.path}`, initial.get(source)!, value);
    for (const t of program.trains) await checkBlock(program, t, model, await read(), read, c.steps);
  } finally {
    model.close();
  }
  return "held";
}
async function checkBlock(
  program: Program,
  t: TrainProgram,
  model: Model,
  before: TrainingValues,
  read: () => Promise<TrainingValues>,
  steps: number,
): Promise<void> {
  const values = new Map([...initialOnEvaluator(t), ...before]);
  const ring = stepsOnEvaluator(program, t, steps, values);
  // what a rounding may change
  const r = random(3);
  const near: TrainingValues = new Map(
    [...initialOnEvaluator(t), ...before].map(([s, x]) => [
      s,
      s.role === "parameter" ? Array.from(x, (v) => v * (1 + r.pick([-1, 1]) * 1e-6) + r.pick([-1, 1]) * 1e-9) : x,
    ]),
  );
  const ringNear = stepsOnEvaluator(program, t, steps, near);
  const rounded = new Map([...initialOnEvaluator(t), ...before]);
  const ringRounded = stepsOnEvaluator(program, t, steps, rounded, rounding);
  const curves: Record<string, number[]> = {};
  const { step } = await model.train(t.name, {
    stopAfter: steps,
    onProgress: (e) =>
      e.kind === "progress" && Object.entries(e.curves).forEach(([name, x]) => (curves[name] ??= []).push(...x)),
  });
  if (step !== steps) throw new Error(`${t.name}: ${step} steps instead of ${steps}`);
  t.columns.forEach((name, k) =>
    same(
      `${t.name}: ${name} of the steps`,
      curves[name]!,
      ring.map((row) => row[k]!),
      ringNear.map((row) => row[k]!),
      ringRounded.map((row) => row[k]!),
    ),
  );
  const after = await read();
  for (const [source, want] of values)
    if (after.has(source) && source !== t.ring)
      same(
        `${t.name}: ${source.path} after ${steps} steps`,
        after.get(source)!,
        want,
        near.get(source)!,
        rounded.get(source)!,
      );
  if (!t.evaluation) return;
  const rows = program.datasets.find((d) => d.name === t.dataset)!.rowCount!;
  const got = await model.evaluate(t.name, "train");
  const [want, moved, roundly] = [values, near, rounded].map((states) => measured(t, rows, states));
  for (const [name, x] of want!)
    if (typeof got[name] === "number" && !(name === "loss" && rows % t.batch))
      same(`${t.name}: ${name} over all rows`, [got[name]], x, moved!.get(name), roundly!.get(name));
}
function measured(t: TrainProgram, rows: number, states: TrainingValues): Map<string, ArrayLike<number>> {
  const e = t.evaluation!;
  const dims = { [e.rowsDim.name]: rows };
  const values = new Map<Source, ArrayLike<number>>([...states, [e.index, Array.from({ length: rows }, (_, i) => i)]]);
  if (e.part) values.set(e.part, [0, rows]); // all at once
  const outputs = evaluate(e.rows, values, dims).outputs;
  for (const k of e.kept) values.set(k.source, outputs.get(k.name)!);
  return evaluate(e.finish, values, dims).outputs;
}
export const trainingArea: Area<TrainingCase> = {
  name: "training",
  make,
  check,
  smaller: function* (c) {
    if (c.steps > 1) yield { ...c, steps: 1 };
    for (const text of shorter(c.text)) yield { ...c, text };
    // one layer less, one link of a chain less
    for (const part of c.text.matchAll(
      / \|> (?:stack \d+ of )?(?:\w+\([^()]*\)|\(\|v\|[^()]*\)|\w+)|\w+\([^()]*\) >> | \+ [^\n]*?(?= by | wrt )|(?<=x: f32\[)\d, /g,
    ))
      yield { ...c, text: c.text.slice(0, part.index) + c.text.slice(part.index + part[0].length) };
  },
};
