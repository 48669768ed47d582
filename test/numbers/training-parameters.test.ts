// An instance stands for all its parameters, whatever the order of text: a penalty, a norm or an export above the line that first applies a layer.
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { errorsOf } from "./values.ts";
import { expectNear, expectTraining, trained } from "./trained.ts";

const data = `
data d {
  rows: 4
  field x: f32[2] = [f32(row) - 1.5, 0.5 * f32(row)]
  field y: f32[1] = [0.3 * f32(row) + 0.1]
}`;
const net = `
layer Part(start: f32)(x: f32[...S, I]) -> f32[...S, 1] {
  param w: f32[I, 1] ~ zeros[I, 1] + start
  param b: f32[1] ~ ones
  return x @ w + b
}
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Part(2)`;
const on = "train fit on d(batch: 4, shuffle: false)";
const xs = [0, 1, 2, 3].map((r) => [r - 1.5, 0.5 * r]);
const ys = [0, 1, 2, 3].map((r) => 0.3 * r + 0.1);
/** The parameters [w0, w1, b] after three steps on mse + decay * l2, and the loss of each. */
function simulated(decay: number, lr = 0.1): { losses: number[]; p: number[]; penalties: number[] } {
  let p = [2, 2, 1];
  const [losses, penalties]: [number[], number[]] = [[], []];
  for (let k = 0; k < 3; k++) {
    const errors = xs.map((x, b) => x[0]! * p[0]! + x[1]! * p[1]! + p[2]! - ys[b]!);
    const penalty = p.reduce((s, v) => s + v * v, 0);
    losses.push(errors.reduce((s, e) => s + e * e, 0) / 4 + decay * penalty);
    penalties.push(penalty);
    const g = [0, 1, 2].map((i) => errors.reduce((s, e, b) => s + 2 * e * (xs[b]![i] ?? 1), 0) / 4 + 2 * decay * p[i]!);
    p = p.map((v, i) => v - lr * g[i]!);
  }
  return { losses, p, penalties };
}
const held = (p: readonly number[]) => ({ "net.part.w": p.slice(0, 2), "net.part.b": p.slice(2) });

describe("a penalty above the first application", () => {
  const { losses, p, penalties } = simulated(0.5);
  const minimize = (e: string): string => `minimize ${e} by sgd(lr: 0.1)`;
  test.each([
    ["in a let", `let penalty = l2(net)\n${minimize("mse(net(x), y) + 0.5 * penalty")}`],
    ["on the left of the sum", minimize("0.5 * l2(net) + mse(net(x), y)")],
    ["a parameter by its path", minimize("0.5 * (sum(net.part.w^2) + sum(net.part.b^2)) + mse(net(x), y)")],
    [
      "paths in lets",
      `let w = net.part.w\nlet b = net.part.b\n${minimize("0.5 * (sum(w^2) + sum(b^2)) + mse(net(x), y)")}`,
    ],
    ["the layer within", minimize("0.5 * l2(net.part) + mse(net(x), y)")],
    ["in a fn", minimize("penalty(0.5) + mse(net(x), y)"), "fn penalty(k: f32) -> f32 = k * l2(net)"],
    [
      "in a fn that is given the loss",
      minimize("regularised(net, mse(net(x), y))"),
      "fn regularised(m: fn, e: f32) -> f32 = 0.5 * l2(m) + e",
    ],
    [
      "in a fn with a block",
      minimize("regularised(x, y)"),
      "fn regularised(x: f32[B, 2], y: f32[B, 1]) -> f32 {\n let w = net.part.w\n let b = sum(net.part.b^2)\n return 0.5 * (sum(w^2) + b) + mse(net(x), y)\n}",
    ],
    ["arithmetic of instances", `let half = 0.5 * net\n${minimize("2 * l2(half) + mse(net(x), y)")}`],
    [
      "the sum of two models' penalties",
      minimize("0.5 * (l2(net) + l2(idle)) + mse(net(x), y) + 0 * sum(idle(x))"),
      "model idle(x: f32[B, 2]) -> f32[B, 1] = x |> Part(0)",
    ],
  ])("%s", async (_, block, more = "") => {
    const idle = more.includes("idle");
    const shift = idle ? 0.5 : 0; // its b begins as 1
    const text = `${data}${net}\n${more}\n${on} {\n${block}\nmetric size = l2(net)\nsteps: 3 }`;
    if (idle) return void expectNear((await trained(text)).curves["loss"]!.slice(0, 1), [losses[0]! + shift], "loss");
    await expectTraining(
      text,
      { loss: losses, size: [...penalties.slice(1), p.reduce((s, v) => s + v * v, 0)] },
      held(p),
    );
  });
  test("a model that only a later objective applies", async () => {
    let w = [2, 2, 1];
    const want: number[] = [];
    for (let k = 0; k < 3; k++) {
      want.push(0.5 * w.reduce((s, v) => s + v * v, 0));
      w = w.map((v) => v - 0.1 * v);
      const errors = xs.map((x, b) => x[0]! * w[0]! + x[1]! * w[1]! + w[2]! - ys[b]!);
      w = w.map((v, i) => v - (0.1 * errors.reduce((s, e, b) => s + 2 * e * (xs[b]![i] ?? 1), 0)) / 4);
    }
    await expectTraining(
      `${data}${net}\n${on} { minimize 0.5 * l2(net) by sgd(lr: 0.1)\nminimize mse(net(x), y) by sgd(lr: 0.1)\nsteps: 3 }`,
      { loss: want },
      held(w),
    );
  });
  test("wrt, smoothed weights and the norm of the gradient", async () => {
    const plain = simulated(0);
    let s = [2, 2, 1];
    const smooth = [0, 1, 2].map((k) => (s = s.map((v, i) => 0.5 * v + 0.5 * simulatedAfter(k)[i]!)));
    await expectTraining(
      `${data}${net}\n${on} {\nstate ema = net\nlet e = mse(net(x), y)\nminimize e wrt net by sgd(lr: 0.1)\nnext ema = 0.5 * ema + 0.5 * net\nsteps: 3 }`,
      { loss: plain.losses },
      { ...held(plain.p), "fit.ema.net.part.w": smooth[2]!.slice(0, 2), "fit.ema.net.part.b": smooth[2]!.slice(2) },
    );
    function simulatedAfter(k: number): number[] {
      let q = [2, 2, 1];
      for (let n = 0; n <= k; n++) {
        const errors = xs.map((x, b) => x[0]! * q[0]! + x[1]! * q[1]! + q[2]! - ys[b]!);
        q = q.map((v, i) => v - (0.1 * errors.reduce((t, e, b) => t + 2 * e * (xs[b]![i] ?? 1), 0)) / 4);
      }
      return q;
    }
  });
});
test("exports above the block, and of a model that a later export applies", async () => {
  const text = (exports: string, block: string): string => `${data}${net}\n${exports}\n${block}`;
  const block = `${on} { minimize mse(net(x), y) by sgd(lr: 0.1)\nsteps: 3 }`;
  const { p } = simulated(0);
  const size = p.reduce((s, v) => s + v * v, 0);
  const both = await trained(
    text(
      "export fn size() -> f32 = l2(net)\nexport fn weights() -> f32[2, 1] = net.part.w\nexport fn all() = net",
      block,
    ),
  );
  expectNear(both.results["size"], [size], "size");
  expectNear(both.results["weights"], p.slice(0, 2), "weights");
  expectNear(both.results["all.net.part.b"], p.slice(2), "all");
  const alone = await trained(
    text(
      "export fn size() -> f32 = l2(net)\nexport fn first() -> f32 = net.part.w[0, 0]\nexport fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)",
      "",
    ),
  );
  expectNear(alone.results["size"], [9], "size");
  expectNear(alone.results["first"], [2], "first");
});
test("layers of the block itself, stacks, states and nested models", async () => {
  const twice = await trained(
    `${data}${net}\nmodel outer(x: f32[B, 2]) -> f32[B, 1] = net(x) + (x |> stack 2 of Keep() |> Part(0))
layer Keep()(x: f32[B, I]) -> f32[B, I] { param g: f32[I] ~ ones
 return x * g }
${on} {
  metric size = l2(outer)
  metric one = sum(outer.keep[1].g)
  metric mean = outer.norm.mu[0]
  let body = Part(3)
  metric own = l2(body)
  minimize mse(outer(x), y) + mse(body(x), y) by sgd(lr: 0)
  steps: 1 }`
      .replace("net(x) + (x", "net(x |> BatchNorm() ) + (x")
      .replace("|> BatchNorm() )", "|> norm)")
      .replace("= net(x |> norm)", "{\n let norm = BatchNorm()\n return net(x |> norm)")
      .replace("Part(0))\n", "Part(0))\n}\n"),
  );
  expectNear(twice.curves["size"], [9 + 2 + 2 + 1 + 2], "size"); // net, two gains, Part(0) and the normalisation's gain
  expectNear(twice.curves["one"], [2], "one");
  expectNear(twice.curves["mean"], [0], "mean");
  expectNear(twice.curves["own"], [19], "own");
});
test("no gradient reaches the parameters of a frozen instance, by no way", async () => {
  const text = (e: string): string =>
    `${data}${net}\n${on} { minimize mse(net(x), y) + ${e} by sgd(lr: 0.1)\nsteps: 3 }`;
  const { p } = simulated(0);
  for (const e of [
    "l2(frozen(net))",
    "sum(frozen(net).part.w^2)",
    "l2(2 * frozen(net))",
    "l2(frozen(2 * net))",
    "l2(stop(net))",
  ])
    await expectTraining(text(e), {}, held(p));
});
test("a model that nothing applies has the parameters that the types of its inputs say", async () => {
  const { results, curves } = await trained(`${data}${net}
model idle(x: f32[B, 3]) -> f32[B, 1] = x |> Part(2)
export fn size() -> f32 = l2(idle)
export fn path() -> f32[3, 1] = idle.part.w
${on} { minimize mse(net(x), y) + l2(idle) by sgd(lr: 0.25)\nsteps: 1 }`);
  expectNear(results["path"], [1, 1, 1], "w"); // 2 - 0.25 * 4
  expectNear(results["size"], [3.25], "size");
  expectNear([curves["loss"]![0]! - simulated(0).losses[0]!], [13], "penalty");
});
test("parameters whose shapes nothing says are an error, not nothing", () => {
  const text = (block: string): string =>
    `${data}${net}\nmodel idle(x: f32[B, D]) -> f32[B, 1] = x |> Part(2)\n${on} { ${block}\nsteps: 3 }`;
  expect(errorsOf(text("minimize mse(net(x), y) + l2(idle) by sgd()"))).toEqual(["DLM2022"]);
  expect(errorsOf(text("let part = Part(1)\nminimize mse(net(x), y) + l2(part) by sgd()"))).toEqual(["DLM2022"]);
  expect(errorsOf(text("state ema = idle\nminimize mse(net(x), y) by sgd()\nnext ema = 0.5 * ema"))).toEqual([
    "DLM2022",
  ]);
  expect(errorsOf(text("minimize mse(net(x), y) + sum(idle.part.w) by sgd()"))).toEqual(["DLM2001"]);
  expect(errorsOf(text("minimize l2(net) + mse(net(x), y) + wrong by sgd()"))).toEqual(["DLM2001"]);
  const bare = "layer Same()(x: f32[B, 2]) -> f32[B, 2] = x\nmodel bare(x: f32[B, 2]) -> f32[B, 2] = x |> Same()";
  expect(errorsOf(`${bare}\nexport fn f(x: f32[B, 2]) -> f32[B, 2] = bare(x) * l2(bare)`)).toEqual([]);
});
test("where nothing is asked for early the text is read once, and the same artifacts come of both orders", () => {
  const text = (above: string, below: string): string =>
    `${data}${net}\n${on} {\n${above}\nminimize mse(net(x), y) by sgd(lr: 0.1)\n${below}\nsteps: 3 }`;
  const plan = (t: string): unknown => compile(t, { name: "test.dlm" }).plan?.states;
  expect(plan(text("let early = l2(net)", "metric size = early"))).toEqual(plan(text("", "metric size = l2(net)")));
});
