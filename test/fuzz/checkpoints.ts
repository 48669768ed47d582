// Checkpoints and weights from outside: the header's length, its JSON, offsets, dtypes, shapes, the record of progress, the numbers, a cut, bytes at the end.
// The model takes the file and trains on, or refuses it in words, with nothing of the device asked for and its state as it was. Never an exception of
// JavaScript, and no more than 5 s of the process's time.
import { compile } from "../../compiler/compile.ts";
import { load, type Model } from "../../runtime/index.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import type { Area, On, Outcome } from "./area.ts";
import { damage, edited, places, type Edit, type Json } from "./damage.ts";
import { random, type Random } from "./random.ts";

interface CheckpointCase {
  readonly base: number;
  readonly weights: boolean; // weights alone, by name
  readonly header: readonly Edit[]; // its parts
  readonly progress: readonly Edit[]; // of the record in it
  readonly length: number; // added to what is told of the header's length
  readonly bytes: readonly (readonly [place: number, value: number])[]; // of the whole file; places as shares of it
  readonly cut: number; // a share of the file that is left
  readonly more: number; // bytes at the end
}
const texts = [
  `data d { rows: 8
  field x: f32[2] = uniform(-1, 1)[2]
  holdout test = 0.25 }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(3, act: tanh) |> Dropout(0.1) |> Linear(1)
train fit on d(batch: 2, seed: 1) { minimize mean((net(x) - 1)^2) by adam(lr: 1e-2)
  evaluate: 3
  stop: stalled(min: test.loss, patience: 9)
  steps: 100000 }`,
  `model net(x: f32[B, 2]) -> f32[B] = x |> BatchNorm() |> Linear(1) |> squeeze(-1)
train first { state calls: i32 in 0..5 = 0
  state odd = false
  next calls = (calls + 1) % 5, odd = not odd
  minimize mean((net(normal[3, 2]) - where(odd, 1.0, 0.0))^2) by sgd(lr: 0.1)
  steps: 100000 }
train second { minimize mean(net(normal[4, 2])^2) by adam() every 2
  steps: 100000 }`,
];

/** A model of this process, and the checkpoint and weights that it begins every case with. */
interface Base {
  readonly model: Model;
  readonly files: Readonly<Record<"whole" | "weights", Uint8Array>>;
}
const bases = new Map<number, Promise<Base>>();
async function made(base: number, { device, target }: On): Promise<Base> {
  const { plan, diagnostics } = compile(texts[base]!, { name: "checkpoint.dlm", target: target.name });
  if (!plan) throw new Error(diagnostics.map((d) => d.message).join("\n"));
  const model = await load(plan, { device });
  for (const name of model.trains) await model.train(name, { stopAfter: 4 });
  return { model, files: { whole: await model.checkpoint(), weights: await model.checkpoint({ weights: true }) } };
}

/** What edits of the header may name: the header is known when the model is there, its form is always the same. */
const form = (key: string): Json => ({
  [key]: { dtype: "F32", shape: [3, 2], data_offsets: [0, 24] },
  __metadata__: { format: "dlm", kind: "checkpoint", progress: "{}" },
});
const record: Json = {
  version: 1,
  rows: { d: 8 },
  trains: {
    fit: {
      seed: 1,
      step: 4,
      due: false,
      measured: false,
      values: { "test.loss": 1 },
      best: {},
      bad: 0,
      stalled: false,
    },
  },
};
function headerEdits(r: Random): Edit[] {
  const key = r.pick(["#0", "#1", "#2", "#3"]); // the n-th tensor
  const edit = damage(form(key), [...places(form(key))], r);
  return [edit];
}
function make(seed: number): CheckpointCase {
  const r = random(seed);
  const kind = r.int(0, 9);
  return {
    base: r.int(0, texts.length - 1),
    weights: r.chance(0.25),
    header: kind < 4 ? Array.from({ length: r.int(1, 3) }, () => headerEdits(r)).flat() : [],
    progress:
      kind === 4 || kind === 5 ? Array.from({ length: r.int(1, 2) }, () => damage(record, [...places(record)], r)) : [],
    length: kind === 6 ? r.pick([-1, 1, -8, 8, 2 ** 31, 2 ** 52, r.int(-200, 200)]) : 0,
    bytes:
      kind >= 7 && kind <= 8
        ? Array.from(
            { length: r.pick([1, 1, 2, 8]) },
            () => [r.chance(0.5) ? r.real(0, 1) : r.real(0, 0.3), r.int(0, 255)] as const,
          )
        : [],
    cut: kind === 9 ? r.pick([0, r.real(0, 1), r.real(0, 1), 0.999]) : 1,
    more: kind === 9 && r.chance(0.4) ? r.int(1, 64) : 0,
  };
}
function damaged(whole: Uint8Array, c: CheckpointCase): Uint8Array {
  const view = new DataView(whole.buffer, whole.byteOffset);
  const size = Number(view.getBigUint64(0, true));
  let header = JSON.parse(new TextDecoder().decode(whole.subarray(8, 8 + size))) as { readonly [key: string]: Json };
  const names = Object.keys(header).filter((name) => name !== "__metadata__");
  const named = ({ path, ...to }: Edit): Edit => ({
    ...to,
    path: path.map((key) => (/^#\d$/.test(String(key)) ? names[Number(String(key).slice(1)) % names.length]! : key)),
  });
  header = edited(header, c.header.map(named)) as typeof header;
  const metadata = header["__metadata__"] as { readonly progress?: Json } | undefined;
  if (c.progress.length && typeof metadata?.progress === "string") {
    const all = JSON.parse(metadata.progress) as { readonly trains: object };
    const first = Object.keys(all.trains)[0]!;
    const own = ({ path, ...to }: Edit): Edit => ({ ...to, path: path.map((key) => (key === "fit" ? first : key)) });
    header = {
      ...header,
      __metadata__: { ...metadata, progress: JSON.stringify(edited(all as Json, c.progress.map(own))) },
    };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + whole.length - 8 - size + c.more);
  const told = BigInt(text.length + c.length);
  new DataView(file.buffer).setBigUint64(0, told < 0n ? 0n : told, true);
  file.set(text, 8);
  file.set(whole.subarray(8 + size), 8 + text.length);
  for (const [share, value] of c.bytes) file[Math.floor(share * (file.length - 1))] = value;
  return file.subarray(0, c.cut < 1 ? Math.floor(c.cut * file.length) : file.length);
}
async function check(c: CheckpointCase, on: On): Promise<Outcome> {
  let base = bases.get(c.base);
  if (!base) bases.set(c.base, (base = made(c.base, on)));
  const { model, files } = await base;
  await model.restore(files.whole);
  const file = damaged(c.weights ? files.weights : files.whole, c);
  const began = process.cpuUsage();
  try {
    await (c.weights ? model.loadWeights(file) : model.restore(file));
  } catch (error) {
    if (!(error instanceof RuntimeProblem)) throw error;
    if (!same(await model.checkpoint(), files.whole))
      throw new Error(`refused, and the model is another one: ${error.message}`);
    return "refused";
  } finally {
    const taken = process.cpuUsage(began).user / 1e6;
    if (taken > 5) throw new Error(`reading takes ${Math.round(taken)} s`);
  }
  // numbers may be any; that none of them is finite any more is told in words
  try {
    for (const name of model.trains) await model.train(name, { stopAfter: 1 });
    await model.checkpoint();
  } catch (error) {
    if (!(error instanceof RuntimeProblem)) throw error;
  }
  return "held";
}
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

export const checkpointArea: Area<CheckpointCase> = {
  name: "checkpoints",
  make,
  check,
  smaller: function* (c) {
    for (const part of ["header", "progress", "bytes"] as const)
      if (c[part].length > 1)
        for (let i = 0; i < c[part].length; i++) yield { ...c, [part]: c[part].filter((_, k) => k !== i) };
  },
};
