// Normalising and dropping layers against plain numbers: statistics over the groups of elements that each names, running ones, masks and what they leave.
import { describe, expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { numbers } from "../grad/check.ts";
import { programOf } from "../graph/programs.ts";
import * as naive from "./naive.ts";
import type { Tensor } from "./naive.ts";

interface Applied {
  readonly y: Tensor;
  readonly parameters: Readonly<Record<string, Tensor>>; // by the last name of their paths
}
/** What `use` makes of x, with parameters drawn. */
function applied(use: string, x: Tensor): Applied {
  const type = `f32[${x.shape.join(", ")}]`;
  const { program } = programOf(`model net(x: ${type}) = x |> ${use}\nexport fn probe(x: ${type}) = net(x)\n`)
    .exports[0]!;
  const parameters: Record<string, Tensor> = {};
  const values = new Map<Source, readonly number[]>();
  for (const [i, s] of program.inputs.entries()) {
    const shape = s.shape as number[];
    const positive = (v: number): number => (s.path.endsWith(".var") ? Math.abs(v) : v);
    const own =
      s.path === "x" ? x : { shape, data: s.path === "seed" ? [5] : numbers(naive.count(shape), 30 + i).map(positive) };
    parameters[s.path.split(".").at(-1)!] = own;
    values.set(s, own.data);
  }
  const [output] = program.outputs;
  return {
    y: { shape: output!.node.shape as number[], data: [...evaluate(program, values).outputs.get(output!.name)!] },
    parameters,
  };
}
/** The states of `use` after steps of training on x, by the last name of their paths. */
function trained(use: string, x: Tensor, steps = 1): Map<string, number[]> {
  const text = `model net(x: f32[${x.shape.join(", ")}]) = x |> ${use}
train fit {
  minimize sum(net(reshape[${x.shape.join(", ")}](f32([${x.data.join(", ")}])))) by sgd(lr: 0.0)
  steps: ${steps}
}
`;
  const train = programOf(text).trains[0]!;
  const values = new Map<Source, ArrayLike<number>>();
  for (const s of [...train.init.inputs, ...train.step.inputs]) if (s.path === "seed") values.set(s, [1]);
  for (const [target, v] of evaluate(train.init, values).updates) values.set(target, v);
  for (const s of train.scalars) values.set(s.source, [steps]);
  for (let k = 0; k < steps; k++) for (const [target, v] of evaluate(train.step, values).updates) values.set(target, v);
  return new Map([...values].map(([s, v]) => [s.path.split(".").at(-1)!, Array.from(v)]));
}
function same(got: Tensor, want: Tensor): void {
  expect(got.shape).toEqual(want.shape);
  for (const [i, v] of got.data.entries()) expect(v).toBeCloseTo(want.data[i]!, 6);
}
const drawn = (...shape: number[]): Tensor => ({ shape, data: numbers(naive.count(shape), 3) });

describe("groups of elements", () => {
  const last =
    (n: number) =>
    (at: number[]): string =>
      at.slice(0, at.length - n).join();
  test.each<[string, number[], (at: number[]) => string, number, number]>([
    ["LayerNorm()", [3, 4, 5], last(1), 1e-5, 1],
    ["LayerNorm(0.1, axes: 2)", [3, 4, 5], last(2), 0.1, 2],
    ["LayerNorm(axes: 3)", [2, 3, 2, 4], last(3), 1e-5, 3],
    ["LayerNorm(axes: 3)", [3, 2, 4], last(3), 1e-5, 3],
    ["GroupNorm(2)", [3, 5, 4, 6], (at) => [at[0], Math.floor(at[3]! / 3)].join(), 1e-5, 1],
    ["GroupNorm(3, eps: 0.2)", [4, 6], (at) => [at[0], Math.floor(at[1]! / 2)].join(), 0.2, 1],
    ["GroupNorm(4)", [2, 3, 4], (at) => [at[0], at[2]].join(), 1e-5, 1],
    ["InstanceNorm1d(affine: true)", [3, 5, 2], (at) => [at[0], at[2]].join(), 1e-5, 1],
    ["InstanceNorm3d(eps: 0.3, affine: true)", [2, 2, 3, 2, 3], (at) => [at[0], at[4]].join(), 0.3, 1],
    ["BatchNorm2d(track: false)", [2, 3, 2, 3], (at) => String(at[3]), 1e-5, 1],
  ])("%s of %j", (use, shape, group, eps, axes) => {
    const x = drawn(...shape);
    const { y, parameters } = applied(use, x);
    const { g, b } = parameters;
    expect(g!.shape).toEqual(shape.slice(-axes));
    const z = naive.normalised(x, group, eps);
    same(
      y,
      naive.made(shape, (at) => naive.read(z, at) * naive.read(g!, at.slice(-axes)) + naive.read(b!, at.slice(-axes))),
    );
  });
  test("without gains", () => {
    const x = drawn(3, 5, 2);
    const { y, parameters } = applied("InstanceNorm()", x);
    expect(Object.keys(parameters)).toEqual(["x"]);
    same(
      y,
      naive.normalised(x, (at) => [at[0], at[2]].join(), 1e-5),
    );
    expect(Object.keys(applied("GroupNorm(1, affine: false)", x).parameters)).toEqual(["x"]);
    expect(Object.keys(applied("LayerNorm(affine: false, axes: 2)", x).parameters)).toEqual(["x"]);
    expect(Object.keys(applied("LayerNorm(bias: false)", x).parameters).sort()).toEqual(["g", "x"]);
    expect(Object.keys(applied("RMSNorm(affine: false)", x).parameters)).toEqual(["x"]);
  });
  test("values far from 0 keep their digits", () => {
    const x = naive.made([2, 4, 2], ([b, i, c]) => 4096 + ((b! + 3 * i! + 5 * c!) % 7));
    for (const use of ["LayerNorm(axes: 2, affine: false)", "GroupNorm(2, affine: false)", "InstanceNorm()"])
      expect(applied(use, x).y.data.every(Number.isFinite)).toBe(true);
  });
  test("root mean square over two axes", () => {
    const x = drawn(3, 2, 4);
    const { y, parameters } = applied("RMSNorm(0.1, axes: 2)", x);
    const rms = naive.made([3], ([b]) =>
      Math.sqrt(x.data.slice(b! * 8, b! * 8 + 8).reduce((s, v) => s + v * v, 0) / 8 + 0.1),
    );
    same(
      y,
      naive.made(
        x.shape,
        (at) => (naive.read(x, at) / naive.read(rms, [at[0]!])) * naive.read(parameters["g"]!, at.slice(1)),
      ),
    );
  });
  test.each([1, 2, 3, 4, 5])("local response over %i channels", (n) => {
    const x = drawn(2, 3, 5);
    same(
      applied(`LocalResponseNorm(${n}, alpha: 0.3, beta: 0.6, k: 2)`, x).y,
      naive.made(x.shape, (at) => {
        let s = 0;
        // PyTorch pads n // 2 channels before and (n - 1) // 2 after
        for (let c = at[2]! - Math.floor(n / 2); c <= at[2]! + Math.floor((n - 1) / 2); c++)
          if (c >= 0 && c < 5) s += naive.read(x, [at[0]!, at[1]!, c]) ** 2;
        return naive.read(x, at) / (2 + (0.3 * s) / n) ** 0.6;
      }),
    );
  });
});
describe("running statistics", () => {
  test("InstanceNorm takes the mean over rows of what each has, the variance unbiased", () => {
    const x = drawn(2, 3, 1);
    const rows = [x.data.slice(0, 3), x.data.slice(3)];
    const means = rows.map((r) => r.reduce((a, b) => a + b, 0) / 3);
    const variances = rows.map((r, i) => r.reduce((a, b) => a + (b - means[i]!) ** 2, 0) / 2);
    const states = trained("InstanceNorm(momentum: 0.25, affine: true, track: true)", x);
    expect(states.get("mu")![0]).toBeCloseTo(0.25 * ((means[0]! + means[1]!) / 2), 6);
    expect(states.get("var")![0]).toBeCloseTo(0.75 + 0.25 * ((variances[0]! + variances[1]!) / 2), 6);
  });
  test("and uses them outside training", () => {
    const x = drawn(2, 3, 2);
    const { y, parameters } = applied("InstanceNorm(track: true)", x);
    const { mu } = parameters;
    const variance = parameters["var"]!;
    same(
      y,
      naive.made(x.shape, (at) => (naive.read(x, at) - mu!.data[at[2]!]!) / Math.sqrt(variance.data[at[2]!]! + 1e-5)),
    );
  });
});
describe("weights", () => {
  test("WeightNorm gives every output the length g", () => {
    const x = drawn(2, 3);
    const { y, parameters } = applied("Linear(2, bias: false, normalise: WeightNorm())", x);
    const w = parameters["w"]!;
    const length = [0, 1].map((o) => Math.hypot(...[0, 1, 2].map((i) => naive.read(w, [i, o]))));
    same(
      y,
      naive.made([2, 2], ([b, o]) =>
        [0, 1, 2].reduce(
          (s, i) => s + (naive.read(x, [b!, i]) * naive.read(w, [i, o!]) * parameters["g"]!.data[o!]!) / length[o!]!,
          0,
        ),
      ),
    );
  });
  test("SpectralNorm follows the largest singular value", () => {
    const x = naive.made([3, 3], ([b, i]) => Number(b === i));
    const states = trained(
      "Linear(3, bias: false, weights: [[3, 0, 0], [0, 4, 0], [0, 0, 1]], normalise: SpectralNorm(3))",
      x,
      10,
    );
    const u = states.get("u")!;
    expect(Math.abs(u[1]!)).toBeCloseTo(1, 4);
    expect(Math.hypot(...u)).toBeCloseTo(1, 6);
  });
});
describe("dropping", () => {
  const rate = (use: string, shape: number[], same: (at: number[]) => string): void => {
    const { y } = applied(
      use,
      naive.made(shape, () => 1),
    );
    const units = new Map<string, Set<number>>();
    for (const at of naive.places(shape))
      units.set(same(at), (units.get(same(at)) ?? new Set()).add(naive.read(y, at)));
    expect([...units.values()].every((values) => values.size === 1)).toBe(true);
    const values = [...units.values()].map(([v]) => v!);
    expect([...new Set(values)].sort((a, b) => a - b)).toEqual(
      [0, 1 / Math.fround(0.75)].map((v) => expect.closeTo(v, 6)),
    );
    expect(values.filter((v) => v === 0).length / values.length).toBeCloseTo(0.25, 1);
  };
  test("whole channels", () => rate("Dropout2d(0.25, always: true)", [20, 3, 2, 20], (at) => [at[0], at[3]].join()));
  test("whole rows", () => rate("DropPath(0.25, always: true)", [800, 2, 2], (at) => String(at[0])));
  test("nothing outside training", () => {
    const x = drawn(2, 3, 2);
    for (const use of ["Dropout1d(0.5)", "DropPath(0.5)", "AlphaDropout(0.5)", "FeatureAlphaDropout(0.5)"])
      same(applied(use, x).y, x);
  });
  test.each(["AlphaDropout", "FeatureAlphaDropout"])("%s keeps mean and variance", (use) => {
    // as many values of mean 0 and variance 1 in every channel
    const x = naive.made([200, 2, 100], ([, i]) => (i ? 1 : -1));
    const { y } = applied(`${use}(0.3, always: true)`, x);
    const mean = y.data.reduce((a, b) => a + b, 0) / y.data.length;
    expect(mean).toBeCloseTo(0, 1);
    expect(y.data.reduce((a, b) => a + (b - mean) ** 2, 0) / y.data.length).toBeCloseTo(1, 1);
    // PyTorch: a = (q (1 + p alpha^2))^-1/2 with alpha = -1.7580993408473766
    const alpha = 1.7580993408473766;
    const a = 1 / Math.sqrt(0.7 * (1 + 0.3 * alpha ** 2));
    const wanted = [-alpha * a + alpha * a * 0.3, a + alpha * a * 0.3, -a + alpha * a * 0.3].sort((p, q) => p - q);
    const found = [...new Set(y.data.map((v) => v.toFixed(5)))].map(Number).sort((p, q) => p - q);
    expect(found).toEqual(wanted.map((v) => expect.closeTo(v, 4)));
  });
  test("all of it", () => {
    for (const use of ["Dropout2d", "DropPath", "AlphaDropout"])
      same(
        applied(
          `${use}(1.0, always: true)`,
          naive.made([2, 2, 3, 2], () => 2),
        ).y,
        naive.made([2, 2, 3, 2], () => 0),
      );
  });
});
