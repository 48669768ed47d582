// Translation of reference cases to .dlm source: a rule for each kind (kinds/), which gives expressions for the outputs; the runner writes the
// exports `forward` and `gradient` (or a train block) around them. What a rule does not read of a case refuses it.
import type { ReferenceCase, ReferenceTensor } from "./case.ts";
import { attention } from "./kinds/attention.ts";
import { activation, elementwise } from "./kinds/elementwise.ts";
import { higher } from "./kinds/higher.ts";
import { layers } from "./kinds/layer.ts";
import { losses, metrics } from "./kinds/loss.ts";
import { modelSequence } from "./kinds/model.ts";
import { recurrent } from "./kinds/recurrent.ts";
import { linalg, reductions } from "./kinds/reduction.ts";
import { indexing, shapes } from "./kinds/shape.ts";
import { optimizerSequence, scheduleSequence } from "./kinds/training.ts";
import { CaseReader, plain, Refused } from "./reader.ts";
import { shapeText, type Rules, type Sequence, type Translation } from "./translation.ts";

const families: Readonly<Record<string, Rules>> = {
  activation,
  attention,
  elementwise,
  higher,
  indexing,
  layer: layers,
  linalg,
  loss: losses,
  metric: metrics,
  recurrent,
  reduction: reductions,
  shape: shapes,
};
const sequences: Readonly<Record<string, (c: CaseReader) => Sequence>> = {
  model: modelSequence,
  optimizer: optimizerSequence,
  schedule: scheduleSequence,
};

export type Translated =
  | { readonly kind: "expressions"; readonly translation: Translation }
  | { readonly kind: "steps"; readonly sequence: Sequence };

/** The translation of a case; throws Refused where it has something that its kind's rule does not take. */
export function translate(c: ReferenceCase): Translated {
  const reader = new CaseReader(c);
  const write = sequences[c.family];
  if (write) {
    const sequence = write(reader);
    reader.finish();
    complete(c, sequence);
    return { kind: "steps", sequence };
  }
  const rule = families[c.family]?.[c.kind];
  if (!rule) throw new Refused("kind not translated");
  const translation = rule(reader);
  reader.finish();
  if (translation.training?.on) {
    const sequence = trainingStep(c, translation);
    complete(c, sequence);
    return { kind: "steps", sequence };
  }
  covers(c, translation);
  return { kind: "expressions", translation };
}
/** Every output of the case is compared with a state. */
function complete(c: ReferenceCase, sequence: Sequence): void {
  const compared = new Set(sequence.states.map((s) => s.output));
  const missing = Object.keys(c.outputs).filter((name) => !compared.has(name));
  if (missing.length) throw new Refused(`outputs not compared: ${missing.join(", ")}`);
}
/** Every input stands in the text, every output and gradient is compared. */
function covers(c: ReferenceCase, t: Translation): void {
  const text = [t.declarations, t.lets, ...Object.values(t.outputs)].join("\n");
  for (const name of [...Object.keys(c.inputs), ...Object.keys(c.params)]) {
    const elsewhere = t.parameters?.[name] !== undefined || t.unused?.includes(name);
    if (!elsewhere && !new RegExp(`\\b${plain(name)}\\b`).test(text)) throw new Refused(`input ${name} not read`);
  }
  for (const name of Object.keys(c.outputs))
    if (!(name in t.outputs) && !(name in (t.unchanged ?? {}))) throw new Refused(`output ${name} not compared`);
  for (const [output, input] of Object.entries(t.unchanged ?? {}))
    if (String(c.outputs[output]?.data) !== String(c.inputs[input]?.data))
      throw new Refused(`${output} is not ${input}`);
  for (const name of Object.keys(c.grads))
    if (t.unused?.includes(name)) throw new Refused(`gradient by ${name} not compared`);
}

/**
 * One training step as a sequence of one: the inputs are parameters, the objective is the cotangent's product with the outputs, and
 * sgd with rate 1 leaves old - new = gradient. Values that a step makes are kept in states.
 */
function trainingStep(c: ReferenceCase, t: Translation): Sequence {
  const lay = (name: string, tensor: ReferenceTensor): ReferenceTensor => t.layout?.[name]?.(tensor) ?? tensor;
  const of = (name: string): ReferenceTensor => {
    const tensor = c.inputs[name] ?? c.params[name];
    if (!tensor) throw new Refused(`no input ${name}`);
    return tensor;
  };
  const cotangents = Object.keys(c.cotangent ?? {});
  if (cotangents.join() !== "y") throw new Refused("a training step with other cotangents");
  const x = lay("x", of("x"));
  const y = lay("y", c.outputs["y"]!);
  const cotangent = lay("y", c.cotangent!["y"]!);
  const source = `${t.declarations}
model held() {
  param x: f32${shapeText(x.shape)} ~ zeros
  return x
}
train fit {
  state cotangent: f32${shapeText(y.shape)} = 0
  state seen: f32${shapeText(y.shape)} = 0
  let y = net(held())
  next seen = y
  minimize sum(y * cotangent) by sgd(lr: 1)
  steps: 1
}
`;
  const initial: Record<string, ReferenceTensor> = { "held.x": x, "fit.cotangent": cotangent };
  const initialNames = Object.entries(t.training?.initial ?? {});
  const parameters = Object.entries(t.parameters ?? {});
  const known = new Set(["x", ...initialNames.map(([name]) => name), ...parameters.map(([name]) => name)]);
  for (const name of [...Object.keys(c.inputs), ...Object.keys(c.params)])
    if (!known.has(name)) throw new Refused(`input ${name} not read`);
  for (const [name, path] of initialNames) initial[path] = of(name);
  for (const [name, path] of parameters) initial[path] = lay(name, of(name));
  const after = (name: string, before: ReferenceTensor): ReferenceTensor => {
    const g = lay(name, c.grads[name]!);
    return { ...before, data: before.data.map((v, i) => v - g.data[i]!) };
  };
  const outputs: Record<string, ReferenceTensor> = { y, "held.x": after("x", x) };
  for (const name of Object.keys(t.training?.states ?? {})) outputs[name] = c.outputs[name]!;
  for (const [name, path] of parameters) outputs[path] = after(name, initial[path]!);
  const states = [
    { state: "fit.seen", output: "y", final: true },
    { state: "held.x", output: "held.x", final: true },
    ...Object.entries(t.training?.states ?? {}).map(([output, state]) => ({ state, output, final: true })),
    ...parameters.map(([, path]) => ({ state: path, output: path, final: true })),
  ];
  return { source, steps: 1, initial, states, outputs };
}
