// A train block on a device and on the f64 evaluator, from the same initial values: every state after a few steps must agree.
import { expect } from "vitest";
import { compile } from "../../compiler/compile.ts";
import type { Target } from "../../compiler/kernel/target.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import type { Plan } from "../../runtime/plan.ts";
import { initialOnEvaluator, stepsOnEvaluator } from "./evaluator.ts";

/** Data blocks must be formulas with `rows`, train blocks `shuffle: false`, so that both sides see the same rows. */
export async function compareTraining(
  source: string,
  device: GPUDevice,
  options: { steps?: number; tolerance?: number; target?: Target; only?: string } = {},
): Promise<Plan> {
  const steps = options.steps ?? 3;
  const tolerance = options.tolerance ?? 2e-4;
  const { plan, program, diagnostics } = compile(source, {
    name: "model.dlm",
    ...(options.target ? { target: options.target } : {}),
  });
  if (!plan || !program) throw new Error(renderDiagnostics(diagnostics));
  const model = await load(plan, { device });
  try {
    for (const t of program.trains) {
      if (options.only && t.name !== options.only) continue;
      const values = initialOnEvaluator(t);
      stepsOnEvaluator(program, t, steps, values);
      const result = await model.train(t.name, { stopAfter: steps });
      expect(result.step).toBe(steps);
      const got = await model.parameters({ all: true });
      for (const h of [...program.parameters, ...program.states]) {
        const want = values.get(h.source);
        if (!want || !got[h.path] || h.source === t.ring) continue;
        const data = got[h.path]!.data;
        let worst = 0;
        let scale = 1e-3;
        for (let i = 0; i < want.length; i++) scale = Math.max(scale, Math.abs(want[i]!));
        for (let i = 0; i < want.length; i++)
          worst = Math.max(worst, Number.isNaN(data[i]!) ? Infinity : Math.abs(data[i]! - want[i]!) / scale);
        expect(worst, `${h.path} after ${steps} steps of ${t.name}`).toBeLessThanOrEqual(tolerance);
      }
      t.columns.forEach((column, k) => {
        const want = values.get(t.ring)![((steps - 1) % t.window) * t.columns.length + k]!;
        expect(
          Math.abs((k ? result.metrics[column]! : result.loss) - want),
          `${column} of step ${steps} of ${t.name}`,
        ).toBeLessThanOrEqual(tolerance * (1 + Math.abs(want)));
      });
    }
  } finally {
    model.close();
  }
  return plan;
}
