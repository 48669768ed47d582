// What exports and one training step of a program give on the f64 evaluator.
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { programOf } from "../graph/programs.ts";

/** The outputs of `export fn f(…)`, by the text of its body over inputs whose types and numbers are given. */
export function results(
  body: string,
  inputs: Readonly<Record<string, readonly [type: string, values: readonly number[]]>> = {},
  declarations = "",
): number[][] {
  const signature = Object.entries(inputs).map(([name, [type]]) => `${name}: ${type}`);
  const { exports } = programOf(`${declarations}\nexport fn f(${signature.join(", ")}) ${body}\n`);
  const [e] = exports;
  const values = new Map<Source, readonly number[]>(e!.inputs.map((i) => [i.source, inputs[i.name]?.[1] ?? [5]]));
  for (const x of e!.program.inputs) if (x.path === "seed") values.set(x, [5]);
  return [...evaluate(e!.program, values).outputs.values()].map((v) => [...v]);
}
/** The only output. */
export const result = (...args: Parameters<typeof results>): number[] => results(...args)[0]!;
/** The states of a train block after each of its steps, by the end of their path. */
export function trained(text: string, steps: number, seed = 1): (path: string) => number[][] {
  const program = programOf(text);
  const [train] = program.trains;
  const values = new Map<Source, ArrayLike<number>>(
    [...train!.init.inputs, ...train!.step.inputs].filter((x) => x.path === "seed").map((x) => [x, [seed]]),
  );
  for (const [target, v] of evaluate(train!.init, values).updates) values.set(target, v);
  for (const s of train!.scalars) values.set(s.source, [s.name === "steps" ? steps : 0]);
  const held = [...program.parameters, ...program.states];
  const history: Map<Source, number[]>[] = [];
  for (let k = 0; k < steps; k++) {
    for (const [target, v] of evaluate(train!.step, values).updates) values.set(target, v);
    history.push(new Map(held.map((h) => [h.source, Array.from(values.get(h.source) ?? [])])));
  }
  return (path) => history.map((h) => h.get(held.find((x) => x.path === path)!.source)!);
}
