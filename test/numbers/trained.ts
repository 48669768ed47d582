// A file with one train block, trained on the device: what every step told, and what is left. For comparison with plain arithmetic.
import { expect } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import type { Value } from "../../runtime/api.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";
import { compareTraining } from "../device/training.ts";

export interface Trained {
  readonly curves: Readonly<Record<string, readonly number[]>>; // of every step: loss and metrics
  readonly held: Readonly<Record<string, readonly number[]>>; // parameters and states by path
  readonly first: Readonly<Record<string, readonly number[]>>; // the same before the first step
  readonly results: Readonly<Record<string, readonly number[]>>; // of the exports without inputs
}
export async function trained(text: string, host: Readonly<Record<string, readonly number[]>> = {}): Promise<Trained> {
  const { plan, programs, diagnostics } = compile(text, { name: "test.dlm" });
  if (!plan) throw new Error(renderDiagnostics(diagnostics));
  for (const { simplified } of programs) verify(simplified);
  const { device } = await testDevice();
  const model = await load(plan, {
    device,
    host: Object.fromEntries(Object.entries(host).map(([name, x]) => [name, Float32Array.from(x)])),
  });
  const held = async (): Promise<Record<string, number[]>> =>
    Object.fromEntries(
      Object.entries(await model.parameters({ all: true })).map(([path, x]) => [path, Array.from(x.data)]),
    );
  try {
    const first = await held();
    const curves: Record<string, number[]> = {};
    for (const name of model.trains)
      await model.train(name, {
        onProgress: (e) => {
          if (e.kind === "progress")
            for (const [column, values] of Object.entries(e.curves)) (curves[column] ??= []).push(...values);
        },
      });
    const results: Record<string, number[]> = {};
    for (const e of plan.exports)
      if (!e.inputs.length)
        for (const [name, x] of Object.entries(await model.run(e.name))) results[name] = Array.from(x.data);
    return { curves, held: await held(), first, results };
  } finally {
    model.close();
  }
}
/** The first export's results on the device, of a model as it begins. */
export async function expectResult(
  text: string,
  inputs: Readonly<Record<string, Value>>,
  want: readonly number[],
): Promise<void> {
  const { plan, diagnostics } = compile(text, { name: "test.dlm" });
  if (!plan) throw new Error(renderDiagnostics(diagnostics));
  const model = await load(plan, { device: (await testDevice()).device });
  try {
    expectNear(
      Object.values(await model.run(plan.exports[0]!.name, inputs)).flatMap((x) => Array.from(x.data)),
      want,
      text,
    );
  } finally {
    model.close();
  }
}
export function expectNear(
  got: readonly number[] | undefined,
  want: readonly number[],
  what: string,
  tolerance = 2e-5,
): void {
  expect(got?.length, `${what}: how many numbers`).toBe(want.length);
  want.forEach((w, i) =>
    expect(
      Math.abs(got![i]! - w) <= tolerance * Math.max(1, Math.abs(w)),
      `${what}, number ${i}: ${got![i]} for ${w}`,
    ).toBe(true),
  );
}
/** Columns of steps and final values as wanted; the evaluator is made to agree with the device too. */
export async function expectTraining(
  text: string,
  curves: Readonly<Record<string, readonly number[]>>,
  held: Readonly<Record<string, readonly number[]>> = {},
  tolerance = 2e-5,
): Promise<Trained> {
  const got = await trained(text);
  for (const [name, want] of Object.entries(curves))
    expectNear(got.curves[name], want, `${name} of\n${text}\n`, tolerance);
  for (const [path, want] of Object.entries(held)) expectNear(got.held[path], want, `${path} of\n${text}\n`, tolerance);
  await compareTraining(text, (await testDevice()).device, { steps: 2 });
  return got;
}
