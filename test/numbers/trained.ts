// A file with one train block, trained on the device: what every step told, and what is left. For comparison with plain arithmetic.
import { expect } from "vitest";
import { verify } from "../../compiler/graph/verify.ts";
import type { Value } from "../../runtime/api.ts";
import { testDevice } from "../device.ts";
import { compareTraining } from "../device/training.ts";
import { made, withModel } from "../model.ts";

export interface Trained {
  readonly curves: Readonly<Record<string, readonly number[]>>; // of every step: loss and metrics
  readonly held: Readonly<Record<string, readonly number[]>>; // parameters and states by path
  readonly first: Readonly<Record<string, readonly number[]>>; // the same before the first step
  readonly results: Readonly<Record<string, readonly number[]>>; // of the exports without inputs
}
export async function trained(text: string, host: Readonly<Record<string, readonly number[]>> = {}): Promise<Trained> {
  const result = made(text);
  for (const { simplified } of result.programs) verify(simplified);
  return withModel(
    result,
    async (model) => {
      const held = async (): Promise<Record<string, number[]>> =>
        Object.fromEntries(
          Object.entries(await model.parameters({ all: true })).map(([path, x]) => [path, Array.from(x.data)]),
        );
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
      for (const e of result.plan.exports)
        if (!e.inputs.length)
          for (const [name, x] of Object.entries(await model.run(e.name))) results[name] = Array.from(x.data);
      return { curves, held: await held(), first, results };
    },
    { host: Object.fromEntries(Object.entries(host).map(([name, x]) => [name, Float32Array.from(x)])) },
  );
}
/** The first export's results on the device, of a model as it begins. */
export async function expectResult(
  text: string,
  inputs: Readonly<Record<string, Value>>,
  want: readonly number[],
): Promise<void> {
  const result = made(text);
  const got = await withModel(result, (model) => model.run(result.plan.exports[0]!.name, inputs));
  expectNear(
    Object.values(got).flatMap((x) => Array.from(x.data)),
    want,
    text,
  );
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
