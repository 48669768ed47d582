// Source text in, numbers out: an export's results by the evaluator and on the device, for tests of the kinds of silent fault.
import { expect } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";

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
  const { plan, program, programs, diagnostics } = compile(text, { name: "test.dlm" });
  if (!plan || !program) throw new Error(renderDiagnostics(diagnostics));
  for (const graph of [...program.exports.map((e) => e.program), ...programs.map((p) => p.simplified)]) verify(graph);
  const exported = program.exports.find((e) => e.name === name) ?? program.exports[0]!;
  const { device } = await testDevice();
  const model = await load(plan, { device });
  try {
    const given = Object.fromEntries(
      Object.entries(inputs).map(([key, x]) => [key, { shape: shapeOf(x), data: flat(x) }]),
    );
    const got = await model.run(exported.name, given);
    const ports = plan.exports.find((e) => e.name === exported.name)!.outputs;
    const results = ports.map((port) => Array.from(got[port.name]!.data as ArrayLike<number>));
    const dims: Record<string, number> = {};
    const sources = new Map<Source, readonly number[]>();
    for (const { name: key, source } of exported.inputs) {
      sources.set(source, source.dtype === "f32" ? given[key]!.data.map(Math.fround) : given[key]!.data);
      source.shape.forEach((n, d) => {
        if (typeof n !== "number" && n.kind === "dim") dims[n.name] = given[key]!.shape[d]!;
      });
    }
    const want = [...evaluate(exported.program, sources, dims).outputs.values()].map((x) => [...x]);
    return { evaluator: want, device: results };
  } finally {
    model.close();
  }
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
