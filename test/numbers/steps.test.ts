// Optimizers with gradients that are zero, constant, huge or tiny: the parameter after some steps against the formula in f64, on the evaluator and the device.
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";

/** Of minus the gradient g at every step: the step that is subtracted. */
type Rule = () => (g: number, k: number) => number;
const rules: readonly (readonly [string, Rule])[] = [
  [
    "sgd(lr: 0.1, momentum: 0.9, nesterov: true)",
    () => {
      let v = 0;
      return (g, k) => {
        v = k ? 0.9 * v + g : g;
        return 0.1 * (g + 0.9 * v);
      };
    },
  ],
  [
    "sgd(lr: 0.1, momentum: 0.9, dampening: 0.5)",
    () => {
      let v = 0;
      return (g, k) => {
        v = k ? 0.9 * v + 0.5 * g : g;
        return 0.1 * v;
      };
    },
  ],
  ...[false, true].map(
    (amsgrad) =>
      [
        `adam(lr: 0.1, amsgrad: ${amsgrad})`,
        () => {
          let [m, v, top] = [0, 0, 0];
          return (g: number, k: number) => {
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            top = Math.max(top, v);
            return (0.1 * m) / (1 - 0.9 ** (k + 1)) / (Math.sqrt((amsgrad ? top : v) / (1 - 0.999 ** (k + 1))) + 1e-8);
          };
        },
      ] as const,
  ),
  [
    "rmsprop(lr: 0.1)",
    () => {
      let v = 0;
      return (g) => {
        v = 0.99 * v + 0.01 * g * g;
        return (0.1 * g) / (Math.sqrt(v) + 1e-8);
      };
    },
  ],
  ...[0.99, 0.5].map(
    (alpha) =>
      [
        `rmsprop(lr: 0.1, alpha: ${alpha}, centered: true, eps: 0.01)`,
        () => {
          let [v, mu] = [0, 0];
          return (g: number) => {
            v = alpha * (v + (1 - alpha) * (g - mu) ** 2); // v - mu^2 without the cancellation
            mu = alpha * mu + (1 - alpha) * g;
            return (0.1 * g) / (Math.sqrt(v) + 0.01);
          };
        },
      ] as const,
  ),
  ["clip_value(0.5) >> sgd(lr: 0.1)", () => (g) => 0.1 * Math.min(Math.max(g, -0.5), 0.5)],
  ["clip_norm(0.5) >> sgd(lr: 0.1)", () => (g) => 0.1 * g * Math.min(1, 0.5 / (Math.abs(g) + 1e-6))],
];
const gradients: Readonly<Record<string, string>> = {
  zero: "f32(step // 1000000)",
  constant: "3.0",
  tiny: "1e-12",
  large: "1e15",
  alternating: "(f32(step % 2) - 0.5)",
};
const valueOf = (name: string, k: number): number =>
  ({ zero: 0, constant: 3, tiny: Math.fround(1e-12), large: Math.fround(1e15), alternating: (k % 2) - 0.5 })[name]!;

// of large constant gradients the spread that remains after many halvings is rounding
const cases = rules
  .flatMap(([use, rule]) => Object.keys(gradients).map((g) => [use, g, rule] as const))
  .filter(([use, g]) => !(g === "large" && use.includes("alpha: 0.5")));
test.each(cases)("%s, gradients %s", async (use, name, rule) => {
  const steps = 200;
  const next = rule();
  let want = 0;
  for (let k = 0; k < steps; k++) want -= next(valueOf(name, k), k);
  const source = `layer Own()(g: f32) -> f32 {\n  param w: f32[1] ~ zeros\n  return w[0] * g\n}\nmodel net(g: f32) = g |> Own()\ntrain fit {\n  minimize net(${gradients[name]}) by ${use}\n  steps: ${steps}\n}\nexport fn w() -> f32 = net(1.0)\n`;
  const { plan, program, diagnostics } = compile(source, { name: "steps.dlm" });
  if (!plan || !program) throw new Error(renderDiagnostics(diagnostics));
  const train = program.trains[0]!;
  const values = new Map<Source, ArrayLike<number>>(
    train.scalars.map((s) => [s.source, [s.name === "steps" ? steps : 0]]),
  );
  for (const [target, value] of evaluate(train.init, values).updates) values.set(target, value);
  for (let k = 0; k < steps; k++)
    for (const [target, value] of evaluate(train.step, values).updates) values.set(target, value);
  const parameter = program.parameters[0]!;
  const { device } = await testDevice();
  const model = await load(plan, { device });
  try {
    await model.train("fit");
    const got = (await model.parameters())[parameter.path]!.data[0]!;
    for (const [who, x] of [
      ["evaluator", values.get(parameter.source)![0]!],
      ["device", got],
    ] as const)
      expect(Math.abs(x - want), `${who}: ${x}, not ${want}`).toBeLessThanOrEqual(
        1e-4 * Math.max(1e-9, Math.abs(want)),
      );
  } finally {
    model.close();
  }
});
