// Every declaration of the standard library: it runs, its graphs are sound and simplify to the same values, and its first and second derivatives agree with
// central differences. The library itself says what there is: a declaration without a sample fails.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { libraryModule } from "../../compiler/std/embed.mjs";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { inputs } from "../../compiler/graph/node.ts";
import type { GraphProgram, Node, Source } from "../../compiler/graph/types.ts";
import { libraryFiles } from "../../compiler/std/library.ts";
import type { Item, Param } from "../../grammar/ast.ts";
import { parse } from "../../grammar/parser.ts";
import { checkGradient, numbers } from "../grad/check.ts";
import { programOf } from "../graph/programs.ts";
import { checkSimplify } from "../rewrite/compare.ts";
import { initialisers, optimizers, samples, trained, type Sample } from "./samples.ts";

test("library.ts holds the .dlm files as they are (else: node compiler/std/embed.mjs)", () => {
  const written = readFileSync(new URL("../../compiler/std/library.ts", import.meta.url), "utf8");
  expect(written === libraryModule()).toBe(true);
});

test("the .dlm files have no mistake of grammar", () => {
  expect(libraryFiles.flatMap((f) => parse(f).diagnostics)).toEqual([]);
});

test("no two declarations have one name", () => {
  const names = declarations.map((d) => d.name.text);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});
type Declared = Extract<Item, { kind: "fn" | "layer" | "init" | "optimizer" }>;
const declarations = libraryFiles
  .flatMap((f) => parse(f).file.items)
  .filter((i): i is Declared => i.kind === "fn" || i.kind === "layer" || i.kind === "init" || i.kind === "optimizer");

test("no name is declared twice", () => {
  const names = declarations.map((d) => d.name.text);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

/** A sample for a function of tensors of any shape. */
function ownSample(d: Declared): Sample | undefined {
  if (d.kind !== "fn") return undefined;
  const needed = d.params.filter((p) => !p.default);
  if (!needed.length || !needed.every(isAnyTensor)) return undefined;
  return {
    inputs: Object.fromEntries(needed.map((p) => [p.name.text, "f32[2, 3]"])),
    call: `${d.name.text}(${needed.map((p) => p.name.text).join(", ")})`,
  };
}
const isAnyTensor = (p: Param): boolean =>
  p.type?.kind === "tensor_type" &&
  p.type.element.text === "f32" &&
  p.type.dims?.length === 1 &&
  p.type.dims[0]!.kind === "spread";

const size = (x: Node): number => (x.shape as number[]).reduce((a, b) => a * b, 1);
function draw(program: GraphProgram, sample: Sample): Map<Source, number[]> {
  const values = new Map<Source, number[]>();
  for (const x of program.inputs) {
    const state = Object.entries(sample.states ?? {}).find(([end]) => x.path.endsWith(`.${end}`))?.[1];
    const [low, high] =
      x.dtype === "i32" ? [x.range!.low, x.range!.high as number] : (state ?? sample.domain?.[x.path] ?? [-1, 1]);
    values.set(
      x,
      numbers(size(x), 40 + values.size).map((v) =>
        x.dtype === "i32"
          ? Math.min(high, low + Math.floor(((v + 1) / 2) * (high - low + 1)))
          : low + ((v + 1) / 2) * (high - low),
      ),
    );
  }
  for (const x of program.inputs) if (x.path === "seed") values.set(x, [3]);
  return values;
}
function check(sample: Sample): void {
  const signature = Object.entries(sample.inputs ?? {})
    .map(([name, type]) => `${name}: ${type}`)
    .join(", ");
  const { exports } = programOf(`${sample.declarations ?? ""}\nexport fn probe(${signature}) = ${sample.call}\n`);
  const { program } = exports[0]!;
  const values = draw(program, sample);
  for (const x of evaluate(program, values).outputs.values()) expect([...x].every(Number.isFinite)).toBe(true);
  checkSimplify(program, values);
  checkSimplify(program, values, { inexact: false });
  const wrt = program.inputs.filter((x) => x.dtype === "f32" && x.role !== "state");
  for (const o of program.outputs)
    if (o.node.dtype === "f32" && wrt.length) checkGradient(o.node, wrt, sample.orders ?? 2, values);
}
/** The loss of a step is what the ring of losses takes. */
function lossOf(step: GraphProgram): Node {
  const ring = step.updates.find((u) => u.target.path.endsWith(".ring"))!.value;
  const [loss] = inputs(ring).filter((x) => x.shape.length === 0 && x.dtype === "f32");
  return loss!;
}

const of = (kind: Declared["kind"]): Declared[] => declarations.filter((d) => d.kind === kind);
const isSchedule = (d: Declared): boolean => d.name.text in optimizers;
describe.each(
  of("fn")
    .filter((d) => !isSchedule(d))
    .map((d) => [d.name.text, d] as const),
)("fn %s", (name, d) => {
  const own = ownSample(d);
  const all = samples[name] ?? (own ? [own] : []);
  test("has a sample", () => expect(all.length, `write a sample of ${name} in samples.ts`).toBeGreaterThan(0));
  if (all.length) test.each(all)("$call", check);
});
describe.each(of("layer").map((d) => [d.name.text] as const))("layer %s", (name) => {
  test("has a sample", () => expect(samples[name], `write a sample of ${name} in samples.ts`).toBeDefined());
  if (samples[name]) test.each(samples[name])("$declarations", check);
});
test.each(Object.values(trained).flat())("in training: $use", ({ use, type }) => {
  const count = type
    .slice(1, -1)
    .split(",")
    .reduce((a, b) => a * Number(b), 1);
  const x = `reshape${type}(for i in 0..${count}: sin(f32(i * i)))`;
  const { trains } = programOf(
    `model net(x: f32${type}) = x |> ${use}\ntrain fit {\n  minimize mean((net(${x}) - 0.3)^2) by sgd(lr: 0.1)\n  steps: 1\n}\n`,
  );
  const { step } = trains[0]!;
  const values = draw(step, { call: "", states: { var: [0.5, 2], step: [0, 0], ring: [0, 0] } });
  checkSimplify(step, values);
  checkGradient(
    lossOf(step),
    step.inputs.filter((p) => p.role === "parameter"),
    2,
    values,
  );
});
const learners = [...of("optimizer"), ...of("fn").filter(isSchedule)];
test.each(learners.map((d) => [d.name.text] as const))("optimizer or schedule %s: the loss falls", (name) => {
  expect(optimizers[name], `write a use of ${name} in samples.ts`).toBeDefined();
  for (const use of optimizers[name]!) {
    const program = programOf(
      `model net(x: f32[4, 3]) = x |> Linear(2)\ntrain fit {\n  let x = for i in 0..4, j in 0..3: sin(f32(i + 2 * j))\n  minimize mean((net(x) - 0.5)^2) by ${use}\n  steps: 20\n}\n`,
    );
    const train = program.trains[0]!;
    const values = new Map<Source, ArrayLike<number>>(
      [...train.init.inputs, ...train.step.inputs].filter((x) => x.path === "seed").map((x) => [x, [1]]),
    );
    for (const [target, v] of evaluate(train.init, values).updates) values.set(target, v);
    for (const s of train.scalars) if (s.name === "steps") values.set(s.source, [20]);
    for (let k = 0; k < 20; k++) for (const [target, v] of evaluate(train.step, values).updates) values.set(target, v);
    checkSimplify(train.step, values);
    const ring = Array.from(values.get(train.ring)!);
    expect(ring.slice(0, 20).every(Number.isFinite)).toBe(true);
    expect(ring[19]!, use).toBeLessThan(0.7 * ring[0]!);
  }
});
test.each(of("init").map((d) => [d.name.text] as const))("init %s", (name) => {
  const entry = initialisers[name];
  expect(entry, `write a use of ${name} in samples.ts`).toBeDefined();
  const program = programOf(
    `layer Own()(x: f32[2, 64]) {\n  param w: f32[64, 32] ~ ${entry!.use}\n  return x @ w\n}\nmodel net(x: f32[2, 64]) = x |> Own()\ntrain fit {\n  minimize mean(net(ones[2, 64])^2) by sgd(lr: 0.1)\n  steps: 1\n}\n`,
  );
  const { init } = program.trains[0]!;
  const values = new Map<Source, number[]>(init.inputs.map((x) => [x, [7]]));
  checkSimplify(init, values);
  const w = [...evaluate(init, values).updates].find(([target]) => target.role === "parameter")![1];
  const mean = w.reduce((a, b) => a + b, 0) / w.length;
  const deviation = Math.sqrt(w.reduce((a, b) => a + (b - mean) ** 2, 0) / w.length);
  expect(Math.abs(mean - (entry!.mean ?? 0))).toBeLessThan(0.05 * entry!.deviation * 2);
  expect(Math.abs(deviation / entry!.deviation - 1)).toBeLessThan(0.05);
});
