// One case: a model and what it gives for some inputs, run on the f64 evaluator and on a device.
import { compile } from "../../compiler/compile.ts";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { analyse } from "../../compiler/front.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { Unsupported, type OnnxModel, type OnnxTensor } from "../../onnx/model.ts";
import { translate, type Translation } from "../../onnx/translate.ts";
import { load, type Model } from "../../runtime/index.ts";
import { writeSafetensors, type StoredTensor } from "../../runtime/safetensors.ts";

export interface OnnxCase {
  readonly model: OnnxModel;
  /** Values of the graph's inputs and outputs, by name. */
  readonly inputs: ReadonlyMap<string, OnnxTensor>;
  readonly outputs: ReadonlyMap<string, OnnxTensor>;
}
export type Outcome =
  | { readonly kind: "passed" }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string; readonly source?: string };
export interface Prepared {
  readonly translation: Translation;
  readonly test: OnnxCase;
}

/** Relative as the ONNX project's own runs compare; absolute for sums that cancel in f32. */
const tolerance = { relative: 1e-3, absolute: 2e-6 };
const largest = 3.4028234663852886e38;
const finite = (x: number): number => Math.max(-largest, Math.min(largest, x));

/** The translation of a case, or why there is none. */
export function prepare(test: OnnxCase): Prepared | Outcome {
  try {
    for (const [name, tensor] of [...test.inputs, ...test.outputs]) {
      if (tensor.data.some(Number.isNaN)) throw new Unsupported(`${name} has NaN, which dlm has not`);
      if (tensor.elementType === "INT64" && tensor.data.some((x) => x !== (x | 0)))
        throw new Unsupported(`${name} has numbers beyond i32`);
    }
    const translation = translate(test.model, { given: test.inputs });
    for (const output of translation.outputs) {
      const wanted = test.outputs.get(output.name);
      if (wanted && String(wanted.shape) !== String(output.shape))
        return {
          kind: "failed",
          reason: `${output.name} is [${output.shape.join()}] instead of [${wanted.shape.join()}]`,
          source: translation.source,
        };
    }
    return { translation, test };
  } catch (error) {
    if (error instanceof Unsupported) return { kind: "skipped", reason: error.message };
    return { kind: "failed", reason: reasonOf(error) };
  }
}
const reasonOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message).split("\n").slice(0, 8).join("\n") : String(error);

/** The first element that differs, or undefined. Infinity is dlm's largest number. */
export function difference(got: ArrayLike<number>, want: OnnxTensor): string | undefined {
  if (got.length !== want.data.length) return `${got.length} elements instead of ${want.data.length}`;
  for (let i = 0; i < got.length; i++) {
    const expected = finite(want.data[i]!);
    const allowed = want.elementType === "FLOAT" ? tolerance.absolute + tolerance.relative * Math.abs(expected) : 0;
    if (!(Math.abs(finite(got[i]!) - expected) <= allowed)) return `element ${i} is ${got[i]} instead of ${expected}`;
  }
  return undefined;
}

export function runOnEvaluator({ translation, test }: Prepared): Outcome {
  const { source } = translation;
  try {
    const { program, diagnostics } = analyse(source, { name: "case.dlm" });
    if (!program) return { kind: "failed", reason: renderDiagnostics(diagnostics), source };
    const entry = program.exports.find((e) => e.name === "forward")!;
    const values = new Map<Source, readonly number[]>();
    for (const port of translation.inputs)
      values.set(entry.inputs.find((i) => i.name === port.argument)!.source, test.inputs.get(port.name)!.data);
    for (const weight of translation.weights) {
      const held = [...program.parameters, ...program.states].find((p) => p.path === weight.path);
      if (held) values.set(held.source, weight.data);
    }
    const { outputs } = evaluate(entry.program, values);
    return compared(translation, test, [...outputs.values()]);
  } catch (error) {
    return { kind: "failed", reason: reasonOf(error), source };
  }
}
function compared(translation: Translation, test: OnnxCase, got: readonly ArrayLike<number>[]): Outcome {
  for (const [i, output] of translation.outputs.entries()) {
    const wanted = test.outputs.get(output.name);
    const found = wanted && difference(got[i]!, wanted);
    if (found) return { kind: "failed", reason: `${output.name}: ${found}`, source: translation.source };
  }
  return { kind: "passed" };
}

export async function runOnDevice({ translation, test }: Prepared, device: GPUDevice): Promise<Outcome> {
  const { source } = translation;
  let model: Model | undefined;
  try {
    const { plan, diagnostics } = compile(source, { name: "case.dlm" });
    if (!plan) return { kind: "failed", reason: renderDiagnostics(diagnostics), source };
    model = await load(plan, { device });
    if (translation.weights.length) await model.loadWeights(weightsFile(translation));
    const inputs = Object.fromEntries(
      translation.inputs.map((port) => [port.argument, { shape: port.shape, data: test.inputs.get(port.name)!.data }]),
    );
    const got = await model.run("forward", inputs);
    const ports = plan.exports.find((e) => e.name === "forward")!;
    return compared(
      translation,
      test,
      ports.outputs.map((o) => got[o.name]!.data),
    );
  } catch (error) {
    return { kind: "failed", reason: reasonOf(error), source };
  } finally {
    model?.close();
  }
}
/** The weights as a file that the runtime loads. */
export function weightsFile(translation: Translation): Uint8Array {
  const tensors = new Map<string, StoredTensor>();
  for (const { path, shape, data } of translation.weights)
    tensors.set(path, { dtype: "F32", shape, bytes: new Uint8Array(Float32Array.from(data).buffer) });
  return writeSafetensors({ tensors, metadata: {} });
}
