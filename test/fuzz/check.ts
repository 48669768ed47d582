// A program of exports in every way that it can be run: the evaluator before and after simplification, the device, what its generator says the values
// are, central differences. All agree, all targets compile it, and the driver takes every module.
import { compile } from "../../compiler/compile.ts";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { ExportProgram, Program } from "../../compiler/elaborate/program.ts";
import type { GraphProgram, Source } from "../../compiler/graph/types.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { sortSums } from "../../compiler/programs/sorted.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load, type Value } from "../../runtime/index.ts";
import type { Area, On, Outcome } from "./area.ts";
import { launching, otherTarget, shorter } from "./area.ts";
import { random } from "./random.ts";

export interface ProgramCase {
  readonly kind: string; // of generator, for the eye
  readonly text: string;
  readonly inputs: Readonly<Record<string, Tensor>>; // of all exports, by name
  /** By name of a result of the first export, as its `return` lists them: exact but for f32. */
  readonly expected?: Readonly<Record<string, readonly number[]>>;
  readonly tolerance?: number; // of `expected`, as a share of the largest value or 1
  /** `gradient` returns the derivatives of the last result of `forward` by these inputs; `second` first a number, then its derivatives. */
  readonly derivatives?: { readonly wrt: readonly string[]; readonly smooth: boolean };
}
interface Tensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
type Inputs = ProgramCase["inputs"];
type Results = readonly { readonly name: string; readonly dtype: string; readonly values: ArrayLike<number> }[];

const overflows = 1e30; // f32 may, where f64 does not: such values say nothing
const show = (x: number): string => (Number.isInteger(x) ? String(x) : x.toPrecision(7));
/** The first difference of two tensors, in words. */
function difference(
  what: string,
  dtype: string,
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: number,
  slack?: () => ArrayLike<number>,
): string | undefined {
  if (got.length !== want.length) return `${what} has ${got.length} values instead of ${want.length}`;
  let scale = 1;
  if (dtype === "f32")
    for (let i = 0; i < want.length; i++)
      if (Math.abs(want[i]!) < overflows) scale = Math.max(scale, Math.abs(want[i]!));
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [Number(got[i]), Number(want[i])];
    if (g === w || (Number.isNaN(w) && Number.isNaN(g)) || (dtype === "f32" && Math.abs(g - w) <= tolerance * scale))
      continue;
    if (dtype === "f32" && Math.abs(w) >= overflows && (Math.abs(g) >= overflows || Number.isNaN(g))) continue;
    // a comparison of two nearly equal numbers may come out the other way, a difference of them may be all rounding
    const by = slack?.()[i] ?? 0;
    if (by === Infinity || (by > 0 && 30 * by >= Math.abs(g - w))) continue;
    return `${what}, ${dtype} element ${i} of ${want.length}: ${show(g)} instead of ${show(w)}`;
  }
  return undefined;
}
const dimsOf = (e: ExportProgram, inputs: Inputs): Record<string, number> => {
  const dims: Record<string, number> = {};
  for (const { name, source } of e.inputs)
    source.shape.forEach(
      (n, d) => typeof n !== "number" && n.kind === "dim" && inputs[name] && (dims[n.name] = inputs[name].shape[d]!),
    );
  return dims;
};
type Held = ReadonlyMap<Source, readonly number[]>; // parameters and states, as the device holds them
function evaluated(e: ExportProgram, program: GraphProgram, inputs: Inputs, held: Held): Results {
  const values = new Map<Source, readonly number[]>(held);
  for (const { name, source, default: otherwise } of e.inputs) {
    const given = inputs[name];
    if (!given && otherwise === undefined && name !== "seed") throw new Error(`the case has no input ${name}`);
    values.set(source, given?.data ?? [name === "seed" ? 3 : otherwise!]);
  }
  const outputs = [...evaluate(program, values, dimsOf(e, inputs)).outputs.values()];
  return e.outputs.map((o, i) => ({ name: o.name, dtype: o.node.dtype, values: outputs[i]! }));
}
/** How far the results move where inputs move by a few units of the last place: what rounding may do, and more. */
function sensitivity(e: ExportProgram, inputs: Inputs, held: Held): Results {
  const r = random(17);
  const moved = (x: readonly number[]): number[] =>
    x.map((v) => v + Math.max(1e-3, Math.abs(v)) * 1e-6 * (r.chance(0.5) ? 1 : -1));
  const at = evaluated(e, e.program, inputs, held);
  const worst = at.map((o) => new Float64Array(o.values.length));
  for (let k = 0; k < 4; k++) {
    const floats = new Set(e.inputs.flatMap(({ name, source }) => (source.dtype === "f32" ? [name] : [])));
    const near = evaluated(
      e,
      e.program,
      Object.fromEntries(
        Object.entries(inputs).map(([n, x]) => [n, floats.has(n) ? { ...x, data: moved(x.data) } : x]),
      ),
      new Map([...held].map(([s, v]) => [s, s.role === "parameter" ? moved(v) : v])),
    );
    near.forEach((o, i) =>
      worst[i]!.forEach(
        (w, j) =>
          (worst[i]![j] = Number.isNaN(o.values[j]!)
            ? Infinity
            : Math.max(w, Math.abs(o.values[j]! - at[i]!.values[j]!))),
      ),
    );
  }
  return at.map((o, i) => ({ ...o, values: worst[i]! }));
}
function compare(
  what: string,
  e: ExportProgram,
  got: Results,
  want: Results,
  tolerance: number,
  slack?: () => Results,
): void {
  let known: Results | undefined;
  for (const [i, o] of want.entries()) {
    const said = difference(
      `${what}: ${o.name}`,
      o.dtype,
      got[i]!.values,
      o.values,
      tolerance,
      slack && (() => (known ??= slack())[i]!.values),
    );
    if (said) throw new Error(`${e.name}: ${said}`);
  }
}
const returned = (text: string): string[] =>
  /return \(?([^()\n]*)\)?/
    .exec(text)?.[1]
    ?.split(",")
    .map((s) => s.trim()) ?? [];

export async function checkProgram(c: ProgramCase, on: On): Promise<Outcome> {
  compile(c.text, { name: "fuzz.dlm", target: otherTarget(c.text, on.target.name) });
  const { plan, program, programs, diagnostics } = compile(c.text, {
    name: "fuzz.dlm",
    target: launching(on.target, c.text),
  });
  if (!plan || !program) {
    if (!renderDiagnostics(diagnostics)) throw new Error("no plan, and no diagnostics");
    return "refused";
  }
  for (const g of [...program.exports.map((e) => e.program), ...programs.map((p) => p.simplified)]) verify(g); // before a compilation to come forgets its formulas
  const inputs: Inputs = Object.fromEntries(
    Object.entries(c.inputs).map(([name, x]) => [name, { shape: x.shape, data: x.data.map(Math.fround) }]),
  );
  for (const [name, x] of Object.entries(c.inputs))
    if (program.exports.some((e) => e.inputs.some((i) => i.name === name && i.source.dtype !== "f32")))
      (inputs as Record<string, Tensor>)[name] = x;
  const model = await load(plan, { device: on.device });
  try {
    const parameters = await model.parameters({ all: true });
    const held = new Map(
      [...program.parameters, ...program.states].flatMap((h) =>
        parameters[h.path] ? [[h.source, Array.from(parameters[h.path]!.data)] as const] : [],
      ),
    );
    for (const e of program.exports) {
      const simplified = programs.find((p) => p.name === e.program.name)?.simplified;
      const before = evaluated(e, e.program, inputs, held);
      const slack = (): Results => sensitivity(e, inputs, held);
      if (c.expected && e === program.exports[0]) {
        const names = returned(c.text);
        for (const [i, o] of before.entries()) {
          const said = difference(
            `evaluator: ${names[i]}`,
            o.dtype,
            o.values,
            c.expected[names[i]!]!,
            c.tolerance ?? 1e-5,
          );
          if (said) throw new Error(said);
        }
      }
      if (simplified) {
        compare("simplified", e, evaluated(e, simplified, inputs, held), before, 1e-6, slack);
        const sorted = sortSums(simplified, { mayBe: () => true, is: () => true });
        if (sorted !== simplified) compare("sorted", e, evaluated(e, sorted, inputs, held), before, 1e-6, slack);
      }
      const got = await model.run(
        e.name,
        Object.fromEntries(
          e.inputs.flatMap(({ name }): [string, Value][] =>
            inputs[name] ? [[name, inputs[name]]] : name === "seed" ? [[name, 3]] : [],
          ),
        ),
      );
      const ports = plan.exports.find((x) => x.name === e.name)!.outputs;
      const device = ports.map((p) => ({ name: p.name, dtype: p.dtype, values: got[p.name]!.data }));
      const expected =
        c.expected && e === program.exports[0]
          ? before.map((o, i) => ({ ...o, values: c.expected![returned(c.text)[i]!]! }))
          : undefined;
      compare(
        "device",
        e,
        device,
        expected ?? before,
        c.tolerance ?? (expected ? 1e-5 : 2e-4),
        expected ? undefined : slack,
      );
    }
    if (c.derivatives) differentiate(program, inputs, c.derivatives);
  } finally {
    model.close();
  }
  return "held";
}

/** Along one random direction, in f64. */
function differentiate(
  program: Program,
  inputs: Inputs,
  { wrt, smooth }: NonNullable<ProgramCase["derivatives"]>,
): void {
  const run = (name: string, at: Inputs): Results | undefined => {
    const e = program.exports.find((x) => x.name === name);
    return e && evaluated(e, e.program, at, new Map());
  };
  const r = random(5);
  const direction = Object.fromEntries(wrt.map((name) => [name, inputs[name]!.data.map(() => r.real(-1, 1))]));
  const shifted = (h: number): Inputs => ({
    ...inputs,
    ...Object.fromEntries(
      wrt.map((n) => [n, { ...inputs[n]!, data: inputs[n]!.data.map((v, k) => v + h * direction[n]![k]!) }]),
    ),
  });
  const check = (what: string, gradients: Results, value: (at: Inputs) => number): void => {
    const along = wrt.reduce(
      (sum, n, i) => Array.from(gradients[i]!.values).reduce((s, g, k) => s + g * direction[n]![k]!, sum),
      0,
    );
    const slope = (h: number): number => (value(shifted(h)) - value(shifted(-h))) / (2 * h);
    const [near, far] = [slope(1e-5), slope(1e-4)];
    // a kink between the points moves the two apart: nothing to compare
    if (Math.abs(near) > 1e6 || (!smooth && Math.abs(near - far) > 1e-5 * (1 + Math.abs(near)))) return;
    if (!(Math.abs(along - near) <= Math.max(1e-5 * (1 + Math.abs(near)), 3 * Math.abs(near - far))))
      throw new Error(`${what} derivative: ${show(along)} instead of ${show(near)}`);
  };
  const [first, second] = [run("gradient", inputs), smooth ? run("second", inputs) : undefined];
  if (first && run("forward", inputs)) check("first", first, (at) => Number(run("forward", at)!.at(-1)!.values[0]));
  if (second) check("second", second.slice(1), (at) => Number(run("second", at)![0]!.values[0]));
}
export const programArea = (make: Area<ProgramCase>["make"]): Area<ProgramCase> => ({
  name: "programs",
  make,
  check: checkProgram,
  smaller: function* (c) {
    for (const text of shorter(c.text)) yield { ...c, text };
    // an operand for the whole: what the generator knows of the values is lost
    const { expected: _, ...rest } = c;
    for (const m of c.text.matchAll(/\(([^(),]+) (?:[-+*%<>=!/]{1,2}|and|or) ([^(),]+)\)/g))
      for (const operand of [m[1]!, m[2]!])
        yield { ...rest, text: c.text.slice(0, m.index) + operand + c.text.slice(m.index + m[0].length) };
  },
});
