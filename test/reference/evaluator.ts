// A reference case on the f64 evaluator.
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { analyse } from "../../compiler/front.ts";
import type { GraphProgram, Source } from "../../compiler/graph/types.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import type { Program } from "../../compiler/elaborate/program.ts";
import type { ReferenceCase, ReferenceTensor } from "./case.ts";
import { firstDifference, prepare, type Prepared } from "./source.ts";
import { Refused } from "./reader.ts";
import { translate } from "./translate.ts";
import type { Translation } from "./translation.ts";

export type Outcome =
  | { readonly kind: "passed" }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

export function compileCase(source: string): Program {
  const { program, diagnostics } = analyse(source, { name: "case.dlm" });
  if (!program) throw new Error(renderDiagnostics(diagnostics));
  return program;
}
/** The case as a program, with what it is given. */
export function prepareCase(c: ReferenceCase, t: Translation): Prepared & { readonly program: Program } {
  const p = prepare(c, t);
  const { program, diagnostics } = analyse(p.source, { name: "case.dlm" });
  if (program) return { ...p, program };
  const apart = prepare(
    c,
    t,
    diagnostics.some((d) => d.code === "DLM2012"),
  );
  return { ...apart, program: compileCase(apart.source) };
}
/** Decimals stand for the nearest f32. */
const given = ({ dtype, data }: ReferenceTensor): readonly number[] => (dtype === "f32" ? data.map(Math.fround) : data);
export function runOnEvaluator(c: ReferenceCase): Outcome {
  try {
    const translated = translate(c);
    if (translated.kind === "steps") {
      const steps = translated.sequence;
      const program = compileCase(steps.source);
      const train = program.trains[0]!;
      const values = initialValues(program, train.init, train.seed);
      for (const [path, tensor] of Object.entries(steps.initial)) values.set(sourceOf(program, path), given(tensor));
      for (let k = 0; k < steps.steps; k++) {
        for (const s of train.scalars) values.set(s.source, [s.name === "steps" ? steps.steps : 0]);
        const { updates } = evaluate(train.step, values);
        for (const [target, value] of updates) values.set(target, value);
        for (const { state, output, final } of steps.states) {
          const expected = (steps.outputs ?? c.outputs)[output]!;
          const size = expected.data.length / expected.shape[0]!;
          if (final && k < steps.steps - 1) continue;
          const want: ReferenceTensor = final
            ? expected
            : { ...expected, shape: expected.shape.slice(1), data: expected.data.slice(k * size, (k + 1) * size) };
          const difference = firstDifference(c, Float64Array.from(values.get(sourceOf(program, state))!), want);
          if (difference) return { kind: "failed", reason: `${state} after step ${k + 1}: ${difference}` };
        }
      }
      return { kind: "passed" };
    }
    const p = prepareCase(c, translated.translation);
    const { program } = p;
    for (const [name, wanted] of [
      ["forward", p.outputs],
      ["gradient", p.gradients],
    ] as const) {
      if (!wanted.length) continue;
      const e = program.exports.find((x) => x.name === name)!;
      const values = new Map<Source, readonly number[]>();
      for (const i of e.inputs) values.set(i.source, given(p.inputs[i.name]!));
      for (const [path, tensor] of Object.entries(p.states)) values.set(sourceOf(program, path), given(tensor));
      const { outputs } = evaluate(e.program, values);
      const got = [...outputs.values()];
      for (const [i, w] of wanted.entries()) {
        const difference = firstDifference(c, got[i]!, w.expected);
        if (difference) return { kind: "failed", reason: `${name} ${w.name}: ${difference}` };
      }
    }
    return { kind: "passed" };
  } catch (error) {
    if (error instanceof Refused) return { kind: "skipped", reason: error.message };
    return {
      kind: "failed",
      reason:
        error instanceof Error ? (error.stack ?? error.message).split("\n").slice(0, 8).join("\n") : String(error),
    };
  }
}
export function sourceOf(program: Program, path: string): Source {
  const found = [...program.parameters, ...program.states].find((x) => x.path === path);
  if (!found)
    throw new Error(
      `no state ${path}; there are ${[...program.parameters, ...program.states].map((x) => x.path).join(" ")}`,
    );
  return found.source;
}
export function initialValues(program: Program, init: GraphProgram, seed: number): Map<Source, ArrayLike<number>> {
  const values = new Map<Source, ArrayLike<number>>();
  for (const i of init.inputs) if (i.path === "seed") values.set(i, [seed]);
  const { updates } = evaluate(init, values);
  for (const [target, value] of updates) values.set(target, value);
  return values;
}
