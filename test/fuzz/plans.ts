// Plans from outside: one to a few fields of a small plan are changed. load() refuses it in words before anything is allocated, or the model trains, is
// measured and used, in words at worst; never an exception of JavaScript, never the end of the process, and no more than 5 s of its time. Kernels' code is
// left as it is: what it may do is WebGPU's to say. Neither do numbers of workgroups and rounds grow: a plan may ask for as much time as the driver lets it.
import { compile } from "../../compiler/compile.ts";
import { load } from "../../runtime/index.ts";
import type { Plan, PlanPort } from "../../runtime/plan.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import type { Area, On, Outcome } from "./area.ts";
import { damage, edited, places, type Edit, type Json, type Path } from "./damage.ts";
import { random } from "./random.ts";

interface PlanCase {
  readonly base: number;
  readonly edits: readonly Edit[];
}
const texts = [
  // one launch does many whole steps
  `data d { rows: 8
  field x: f32[2] = uniform(-1, 1)[2] }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(3, act: tanh) |> Linear(1)
train fit on d(batch: 4, seed: 1) { minimize mean((net(x) - 1)^2) by adam(lr: 1e-2)
  steps: 4 }
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)`,
  // a file, words as classes, standardised by the column, holdout, evaluation, stop, save, checkpoints
  `data d {
  field x: f32[2] = csv("d.csv", columns: 0..2)
  field y: i32 in 0..2 = csv("d.csv", column: "kind")
  holdout test = 0.25 }
model net(x: f32[B, 2]) -> f32[B, 2] = x |> Standardise(d.x) |> Linear(3) |> Dropout(0.2) |> Linear(2)
train fit on d(batch: 3, seed: 2) {
  let logits = net(x)
  minimize cross_entropy(logits, y) by sgd(lr: 0.1, momentum: 0.9)
  metric acc = accuracy(logits, y)
  metric table = confusion(argmax(logits, axis: -1), y, 2)
  evaluate: 2
  stop: stalled(min: test.loss, patience: 2)
  save: best(max: test.acc, "best.safetensors")
  checkpoint: every 2 steps
  steps: 4 }
export fn predict(x: f32[B, 2], k: i32[B] in 0..2 = 0) -> f32[B] = for b: net(x)[b, k[b]]`,
  // text in windows, a loop, two blocks, weights by name
  `data t { field s: i32[6] in 0..30 = chars("t.txt", window: 6) }
layer Cell()(xs: f32[B, T, D]) -> f32[B, D] {
  param w: f32[D, D] ~ normal(0, 0.5)
  return fold (x in xs along T; h = zeros[B, D]) { next h = tanh(x + h @ w) }
}
model net(s: i32[B, 5] in 0..30) -> f32[B, 30] = s |> Embedding(30, 4) |> Cell() |> Linear(30)
train first on t(batch: 2) { minimize cross_entropy(net(s[:, 0..5]), s[:, 5]) by sgd(lr: 0.1)
  steps: 2 }
train second on t(batch: 2) { minimize cross_entropy(net(s[:, 0..5]), s[:, 5]) by adam()
  accumulate: 2
  epochs: 1 }
export fn noise(x: f32[B, T <= 9]) -> f32[B] = sum(x, axis: 1) + normal[B]`,
  // a computed field with a range, rows of other data, what the host gives, states
  `data other { rows: 5
  field x: f32[2] = host("x")
  field k: i32 in 0..9 = i32(3 * abs(x[0])) }
data d { rows: 6
  field x: f32[2] = uniform(-1, 1)[2]
  field k: i32 in 0..9 = i32(3 * abs(x[0]))
  holdout valid = other }
model net(x: f32[B, 2]) -> f32[B] = x |> BatchNorm() |> Linear(1) |> squeeze(-1)
train fit on d(batch: 2) { state calls: i32 in 0..5 = 0
  next calls = (calls + 1) % 5
  minimize mean((net(x) - f32(k))^2) by sgd(lr: 0.1)
  metric size = mean(net(x)^2)
  epochs: 2 }
export fn predict(x: f32[B, 2]) -> f32[B] = net(x)`,
];
const files: Readonly<Record<string, string>> = {
  "d.csv": `a,b,kind\n${Array.from({ length: 12 }, (_, i) => `${i % 5},${i * 0.5},${i % 3 ? "x" : "y"}`).join("\n")}\n`,
  "t.txt": "the quick brown fox jumps over the lazy dog; ".repeat(2),
};
const made = new Map<string, Plan & Json>();
function planOf(base: number, on?: On): Plan & Json {
  const key = `${base} ${on?.target.name}`;
  let plan = made.get(key);
  if (!plan) {
    const result = compile(texts[base]!, {
      name: "plan.dlm",
      ...(on ? { target: on.target.name } : {}),
    });
    if (!result.plan) throw new Error(result.diagnostics.map((d) => d.message).join("\n"));
    made.set(key, (plan = JSON.parse(JSON.stringify(result.plan)) as Plan & Json));
  }
  return plan;
}
const isLeft = (path: Path): boolean => path[0] === "source" || path.at(-1) === "code";
/** How long the device works: not what is tried here. */
const isTime = ({ path, to }: Edit): boolean =>
  path.some((key) => key === "workgroups" || key === "rounds" || key === "count") && typeof to === "number" && to > 64;

function make(seed: number): PlanCase {
  const r = random(seed);
  const base = r.int(0, texts.length - 1);
  const plan = planOf(base);
  const all = [...places(plan, isLeft)];
  const edits: Edit[] = [];
  for (let n = r.pick([1, 1, 1, 2, 4]); n > 0; n--) {
    const edit = damage(plan, all, r);
    if (!isTime(edit)) edits.push(edit);
  }
  return { base, edits };
}
async function check({ base, edits }: PlanCase, on: On): Promise<Outcome> {
  const whole = planOf(base, on);
  const plan = edited(whole, edits) as unknown as Plan; // it may be anything
  let allocated = 0;
  const own = on.device.createBuffer.bind(on.device);
  on.device.createBuffer = (...args) => (allocated++, own(...args));
  const began = process.cpuUsage();
  try {
    return await use(plan, whole, on.device, () => allocated);
  } finally {
    Reflect.deleteProperty(on.device, "createBuffer");
    const taken = process.cpuUsage(began).user / 1e6;
    if (taken > 5) throw new Error(`the plan takes ${Math.round(taken)} s`);
  }
}
async function use(plan: Plan, whole: Plan, device: GPUDevice, allocated: () => number): Promise<Outcome> {
  let model;
  try {
    const read = async (path: string): Promise<Uint8Array> => {
      if (!Object.hasOwn(files, path)) throw new Error("there is no such file");
      return Buffer.from(files[path]!);
    };
    model = await load(plan, { device, read, host: { x: { data: new Float32Array(10), shape: [5, 2] } } });
  } catch (error) {
    if (!(error instanceof RuntimeProblem)) throw error;
    if (allocated() && error.message.startsWith("the plan is damaged"))
      throw new Error(`after ${allocated()} buffers: ${error.message}`);
    return "refused";
  }
  try {
    for (const t of whole.trains) await inWords(model.train(t.name, { stopAfter: 3 }));
    for (const t of whole.trains) await inWords(model.evaluate(t.name, "train"));
    for (const x of whole.exports)
      await inWords(model.run(x.name, Object.fromEntries(x.inputs.map((p) => [p.name, inputOf(p)]))));
    const kept = await inWords(model.checkpoint());
    if (kept) await inWords(model.restore(kept));
    return "held";
  } finally {
    model.close();
  }
}
/** What the model says in words is an answer, too. */
async function inWords<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof RuntimeProblem) return undefined;
    throw error;
  }
}
function inputOf(p: PlanPort): { readonly data: ArrayLike<number>; readonly shape: readonly number[] } {
  const shape = p.shape.map((n) => (typeof n === "number" ? n : 3));
  return { data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape };
}
export const planArea: Area<PlanCase> = {
  name: "plans",
  make,
  check,
  smaller: function* ({ base, edits }) {
    if (edits.length > 1) for (const edit of edits) yield { base, edits: edits.filter((e) => e !== edit) };
  },
};
