// A reference case on a WebGPU device: the case's source compiled and its exports run, or its training steps taken one by one.
import { compile } from "../../compiler/compile.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load, type Model, type Plan, type Tensor } from "../../runtime/index.ts";
import { writeSafetensors, type StoredTensor } from "../../runtime/safetensors.ts";
import type { ReferenceCase, ReferenceTensor } from "./case.ts";
import { prepareCase, type Outcome } from "./evaluator.ts";
import { firstDifference } from "./source.ts";
import { Refused } from "./reader.ts";
import { translate } from "./translate.ts";

export async function runOnDevice(c: ReferenceCase, device: GPUDevice): Promise<Outcome> {
  let model: Model | undefined;
  try {
    const translated = translate(c);
    if (translated.kind === "steps") {
      const steps = translated.sequence;
      model = await open(steps.source, device);
      if (Object.keys(steps.initial).length) await model.loadWeights(stored(steps.initial, model.plan));
      for (let k = 0; k < steps.steps; k++) {
        await model.train(undefined, { stopAfter: 1 });
        const values = await model.parameters({ all: true });
        for (const { state, output, final } of steps.states) {
          const expected = (steps.outputs ?? c.outputs)[output]!;
          if (final && k < steps.steps - 1) continue;
          const size = expected.data.length / expected.shape[0]!;
          const want: ReferenceTensor = final
            ? expected
            : { ...expected, shape: expected.shape.slice(1), data: expected.data.slice(k * size, (k + 1) * size) };
          const difference = values[state]
            ? firstDifference(c, values[state].data, want)
            : `there is no state ${state}`;
          if (difference) return { kind: "failed", reason: `${state} after step ${k + 1}: ${difference}` };
        }
      }
      return { kind: "passed" };
    }
    const p = prepareCase(c, translated.translation);
    model = await open(p.source, device);
    if (Object.keys(p.states).length) await model.loadWeights(stored(p.states, model.plan));
    for (const [name, wanted] of [
      ["forward", p.outputs],
      ["gradient", p.gradients],
    ] as const) {
      if (!wanted.length) continue;
      const ports = model.plan.exports.find((x) => x.name === name)!;
      const inputs: Record<string, { shape: readonly number[]; data: readonly number[] }> = {};
      for (const i of ports.inputs)
        if (p.inputs[i.name]) inputs[i.name] = { shape: p.inputs[i.name]!.shape, data: p.inputs[i.name]!.data };
      const got: Record<string, Tensor> = await model.run(name, inputs);
      for (const [i, w] of wanted.entries()) {
        const difference = firstDifference(c, got[ports.outputs[i]!.name]!.data, w.expected);
        if (difference) return { kind: "failed", reason: `${name} ${w.name}: ${difference}` };
      }
    }
    return { kind: "passed" };
  } catch (error) {
    if (error instanceof Refused) return { kind: "skipped", reason: error.message };
    return {
      kind: "failed",
      reason:
        error instanceof Error ? (error.stack ?? error.message).split("\n").slice(0, 6).join("\n") : String(error),
    };
  } finally {
    model?.close();
  }
}
async function open(source: string, device: GPUDevice): Promise<Model> {
  const { plan, diagnostics } = compile(source, { name: "case.dlm" });
  if (!plan) throw new Error(renderDiagnostics(diagnostics));
  return load(plan, { device });
}
function stored(tensors: Readonly<Record<string, ReferenceTensor>>, plan: Plan): Uint8Array {
  const map = new Map<string, StoredTensor>();
  for (const [name, t] of Object.entries(tensors)) {
    const state = plan.states.find((s) => s.name === name);
    if (!state) continue; // a weight that no program reads
    const words = t.dtype === "i32" ? Int32Array.from(t.data) : Float32Array.from(t.data);
    map.set(name, {
      dtype: t.dtype === "i32" ? "I32" : "F32",
      shape: state.shape as readonly number[],
      bytes: new Uint8Array(words.buffer),
    });
  }
  return writeSafetensors({ tensors: map, metadata: {} });
}
