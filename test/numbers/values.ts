// Source text in, numbers out: an export's results by the evaluator and on the device, for tests of the kinds of silent fault.
import { expect } from "vitest";
import { compile } from "../../compiler/compile.ts";
import type { ExportProgram } from "../../compiler/elaborate/program.ts";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { verify } from "../../compiler/graph/verify.ts";
import type { Model } from "../../runtime/index.ts";
import { made, withModel, type Made } from "../model.ts";

/** A number, a row of numbers, rows of rows: as they are written in `--input x=[[0, 1], [1, 1]]`. */
export type Rows = number | readonly Rows[];
export interface Values {
  readonly evaluator: readonly (readonly number[])[]; // one for each result, row-major
  readonly device: readonly (readonly number[])[];
}
const flat = (x: Rows): number[] => (typeof x === "number" ? [x] : x.flatMap(flat));
const shapeOf = (x: Rows): number[] => (typeof x === "number" ? [] : [x.length, ...(x.length ? shapeOf(x[0]!) : [])]);

/** The codes of the errors that the text has. */
export const errorsOf = (text: string): string[] =>
  compile(text, { name: "test.dlm" })
    .diagnostics.filter((d) => d.severity === "error")
    .map((d) => d.code);

/** Every result of an export (default: the first) of a text without errors, for parameters and states as they are initialised. */
export async function valuesOf(
  text: string,
  inputs: Readonly<Record<string, Rows>> = {},
  name?: string,
): Promise<Values> {
  const sound = soundly(text);
  const { exports } = sound.program;
  const exported = exports.find((e) => e.name === name) ?? exports[0]!;
  return withModel(sound, (model) => resultsOf(model, exported, inputs));
}
/** The same of every export by name, of one compilation. */
export async function valuesOfAll(
  text: string,
  inputs: Readonly<Record<string, Rows>> = {},
): Promise<Record<string, Values>> {
  return (await valuesOfEach(text, [inputs]))[0]!;
}
/** The same for several inputs. */
export async function valuesOfEach(
  text: string,
  inputs: readonly Readonly<Record<string, Rows>>[],
): Promise<Record<string, Values>[]> {
  const sound = soundly(text);
  return withModel(sound, async (model) => {
    const all: Record<string, Values>[] = [];
    for (const given of inputs) {
      const found: Record<string, Values> = {};
      for (const e of sound.program.exports) found[e.name] = await resultsOf(model, e, given);
      all.push(found);
    }
    return all;
  });
}
/** Compiled, and sound as it was written and simplified. */
function soundly(text: string): Made {
  const result = made(text);
  for (const graph of [...result.program.exports.map((e) => e.program), ...result.programs.map((p) => p.simplified)])
    verify(graph);
  return result;
}
async function resultsOf(
  model: Model,
  exported: ExportProgram,
  inputs: Readonly<Record<string, Rows>>,
): Promise<Values> {
  const given = Object.fromEntries(
    exported.inputs.map(({ name }) => [name, { shape: shapeOf(inputs[name]!), data: flat(inputs[name]!) }]),
  );
  const got = await model.run(exported.name, given);
  const ports = model.plan.exports.find((e) => e.name === exported.name)!.outputs;
  const device = ports.map((port) => Array.from(got[port.name]!.data as ArrayLike<number>));
  const dims: Record<string, number> = {};
  const sources = new Map<Source, ArrayLike<number>>();
  const held = await model.parameters({ all: true });
  for (const source of exported.program.inputs) {
    const data = held[source.path]?.data;
    if (data) sources.set(source, data);
  }
  for (const { name, source } of exported.inputs) {
    sources.set(source, source.dtype === "f32" ? given[name]!.data.map(Math.fround) : given[name]!.data);
    source.shape.forEach((n, d) => {
      if (typeof n !== "number" && n.kind === "dim") dims[n.name] = given[name]!.shape[d]!;
    });
  }
  const evaluator = [...evaluate(exported.program, sources, dims).outputs.values()].map((x) => [...x]);
  return { evaluator, device };
}
/** Both the evaluator and the device give `want`, within `tolerance` of each number's size or 1. */
export async function expectValues(
  text: string,
  inputs: Readonly<Record<string, Rows>>,
  want: Rows,
  tolerance = 1e-5,
  name?: string,
): Promise<void> {
  const { evaluator, device } = await valuesOf(text, inputs, name);
  const numbers = flat(want);
  for (const [who, got] of [
    ["evaluator", evaluator.flat()],
    ["device", device.flat()],
  ] as const) {
    expect(got.length, `${who}: how many numbers of ${text}`).toBe(numbers.length);
    numbers.forEach((w, i) => {
      const close =
        Object.is(got[i], w) || got[i] === w || Math.abs(got[i]! - w) <= tolerance * Math.max(1, Math.abs(w));
      expect(close, `${who}: element ${i} of\n${text}\nis ${got[i]}, not ${w}`).toBe(true);
    });
  }
}
