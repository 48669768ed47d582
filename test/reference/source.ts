// From a translated case to .dlm source: the exports `forward` and `gradient`, or one training step.
import type { ReferenceCase, ReferenceTensor } from "./case.ts";
import { plain } from "./reader.ts";
import type { Translation } from "./translation.ts";

export interface Prepared {
  readonly source: string;
  /** Arguments of the exports (or states of the train block), by dlm name. */
  readonly inputs: Readonly<Record<string, ReferenceTensor>>;
  /** States set before the run: parameters by path. */
  readonly states: Readonly<Record<string, ReferenceTensor>>;
  /** What `forward` returns, in order. */
  readonly outputs: readonly { readonly name: string; readonly expected: ReferenceTensor }[];
  /** What `gradient` returns, in order; empty: there is no such export. */
  readonly gradients: readonly { readonly name: string; readonly expected: ReferenceTensor }[];
}

export function typeOf(tensor: ReferenceTensor, range?: string): string {
  return `${tensor.dtype}${tensor.shape.length ? `[${tensor.shape.join(", ")}]` : ""}${range ? ` in ${range}` : ""}`;
}

/**
 * dlm refuses a derivative by what the value does not depend on. With `apart`, inputs whose gradient is expected to be 0 everywhere join the
 * objective, rounded, which has slope 0.
 */
export function prepare(c: ReferenceCase, t: Translation, apart = false): Prepared {
  const lay = (name: string, tensor: ReferenceTensor): ReferenceTensor => t.layout?.[name]?.(tensor) ?? tensor;
  const parameters = t.parameters ?? {};
  const inputs: Record<string, ReferenceTensor> = {};
  const states: Record<string, ReferenceTensor> = {};
  for (const [name, tensor] of [...Object.entries(c.inputs), ...Object.entries(c.params)]) {
    const held = t.training?.initial?.[name];
    if (held) states[held] = lay(name, tensor);
    if (t.unused?.includes(name)) continue;
    // a stack's copies are numbered in brackets in a program, with dots in paths
    if (parameters[name]) states[parameters[name].replace(/\[(\d+)\]/g, ".$1")] = lay(name, tensor);
    else inputs[plain(name)] = lay(name, tensor);
  }
  const expected = (name: string): ReferenceTensor => lay(name, c.outputs[name]!);
  const names = Object.keys(t.outputs);
  const outputs = names.map((name) => ({ name, expected: expected(name) }));
  const signature = (extra: readonly string[]): string =>
    [...Object.entries(inputs).map(([name, tensor]) => `${name}: ${typeOf(tensor, t.ranges?.[name])}`), ...extra].join(
      ", ",
    );
  const tuple = (texts: readonly string[]): string => (texts.length === 1 ? texts[0]! : `(${texts.join(", ")})`);
  const lets = [...(t.lets ? [t.lets] : []), ...names.map((name) => `let out_${name} = ${t.outputs[name]}`)].join(
    "\n  ",
  );
  let source = `${t.declarations ? t.declarations + "\n" : ""}export fn forward(${signature([])}) {\n  ${lets}\n  return ${tuple(names.map((name) => `out_${name}`))}\n}\n`;
  const gradients = Object.keys(c.grads).map((name) => ({ name, expected: lay(name, c.grads[name]!) }));
  if (gradients.length) {
    const placeOf = (name: string): string => parameters[name] ?? plain(name);
    const wanted = tuple(gradients.map(({ name }) => placeOf(name)));
    const flat = apart ? gradients.filter(({ expected }) => expected.data.every((v) => v === 0)) : [];
    const cotangents = c.grad_of === "cotangent" ? Object.entries(c.cotangent ?? {}) : [];
    for (const [name, tensor] of cotangents) inputs[`c_${name}`] = lay(name, tensor);
    const objective = [
      ...(cotangents.length ? cotangents.map(([name]) => `sum(out_${name} * c_${name})`) : [`out_${c.grad_of}`]),
      ...flat.map(({ name }) => `sum(floor(${placeOf(name)}))`),
    ].join(" + ");
    const arguments_ = Object.entries(inputs).filter(([name]) => !cotangents.some(([own]) => `c_${own}` === name));
    const all = [
      ...arguments_.map(([name, tensor]) => `${name}: ${typeOf(tensor, t.ranges?.[name])}`),
      ...cotangents.map(([name, tensor]) => `c_${name}: ${typeOf(lay(name, tensor))}`),
    ];
    source += `export fn gradient(${all.join(", ")}) {\n  ${lets}\n  return grad(${objective}, wrt: ${wanted})\n}\n`;
  }
  return { source, inputs, states, outputs, gradients };
}

/** The first element that differs by more than the case's tolerance, or undefined. */
export function firstDifference(
  c: ReferenceCase,
  got: ArrayLike<number>,
  expected: ReferenceTensor,
): string | undefined {
  if (got.length !== expected.data.length) return `${got.length} elements instead of ${expected.data.length}`;
  const { rtol, atol } = c.tolerance;
  for (let i = 0; i < got.length; i++) {
    const want = expected.data[i]!;
    if (!(Math.abs(got[i]! - want) <= atol + rtol * Math.abs(want)))
      return `element ${i} is ${got[i]} instead of ${want}`;
  }
  return undefined;
}
