// Exports: inputs by name to results by name. Run-time dims follow from the shapes of the inputs; everything is checked against the types
// of the export before it is written.
import type { Tensor, Value } from "./api.ts";
import type { Dims, Machine, Place } from "./machine.ts";
import type { PlanExport, PlanPort, PlanProgram, Size } from "./plan.ts";
import { sizeOf } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";
import type { Session } from "./session.ts";
import { flatten, fromWords, givenAs, notOfF32, product, shapeText, toWords } from "./tensor.ts";
import type { Flat } from "./tensor.ts";

type Words = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
const sizeText = (size: Size): string =>
  typeof size === "number"
    ? String(size)
    : size.sum
        .map((t) => [...(t.factor === 1 && t.dims.length ? [] : [String(t.factor)]), ...t.dims].join(" * "))
        .join(" + ") || "0";
const typeText = (p: PlanPort): string =>
  shapeText(p.dtype, p.shape.map(sizeText)) + (p.range ? ` in ${p.range[0]}..${sizeText(p.range[1])}` : "");
/** The dim that stands alone in a size. */
const aloneIn = (size: Size): string | undefined =>
  typeof size === "object" && size.sum.length === 1 && size.sum[0]!.factor === 1 && size.sum[0]!.dims.length === 1
    ? size.sum[0]!.dims[0]
    : undefined;
const known = (size: Size, dims: Readonly<Record<string, number>>): boolean =>
  typeof size === "number" || size.sum.every((t) => t.dims.every((d) => dims[d] !== undefined));

/** A program by itself: the host's words, one run, the bytes of its results. */
export async function runOnce(
  machine: Machine,
  program: PlanProgram,
  dims: Dims,
  inputs: readonly (Place & { readonly words: Words | (() => Words) })[], // a function is called right before the submit
  outputs: readonly Place[],
): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  const recording = await machine.record(program, dims);
  const sizes = new Map<number, number>();
  for (const p of [...inputs, ...outputs]) sizes.set(p.buffer, Math.max(sizes.get(p.buffer) ?? 0, p.offset + p.bytes));
  await machine.allocate(sizes);
  // nothing below waits before the submit: other programs may run in between, but not within
  for (const { buffer, offset, words: given } of inputs) {
    const words = typeof given === "function" ? given() : given;
    if (words.length === 1) machine.writeWord(buffer, offset, words);
    else if (words.length) machine.write(buffer, offset, words);
  }
  const encoder = machine.encoder(program.name);
  machine.replay(encoder, recording);
  const fetched = machine.fetch(encoder, outputs);
  encoder.submit();
  return fetched();
}
export async function runExport(
  s: Session,
  x: PlanExport,
  inputs: Readonly<Record<string, Value>>,
): Promise<Record<string, Tensor>> {
  const { machine } = s;
  const signature = `${x.name}(${x.inputs.map((p) => `${p.name}: ${typeText(p)}${p.optional !== undefined ? ` = ${p.optional}` : ""}`).join(", ")})`;
  for (const name of Object.keys(inputs))
    if (!x.inputs.some((p) => p.name === name))
      throw new RuntimeProblem(`${x.name} has no input ${name}: ${signature}`);
  const given = new Map<PlanPort, Flat>();
  for (const p of x.inputs) {
    const value = givenAs(inputs, p.name);
    if (value !== undefined) given.set(p, flatten(value, `${x.name}, input ${p.name}`));
    else if (p.optional === undefined) throw new RuntimeProblem(`${x.name} lacks its input ${p.name}: ${signature}`);
  }
  // ---- dims
  const dims: Record<string, number> = { ...s.dims };
  const fixedBy = new Map<string, string>();
  const wrong = (p: PlanPort, shape: readonly number[], why = ""): RuntimeProblem =>
    new RuntimeProblem(`${x.name}: ${p.name} is ${shapeText(p.dtype, shape)}, and ${typeText(p)} is wanted${why}`);
  const fix = (dim: string, n: number, p: PlanPort, shape: readonly number[]): void => {
    if (dims[dim] === undefined) {
      dims[dim] = n;
      fixedBy.set(dim, p.name);
    } else if (dims[dim] !== n)
      throw wrong(p, shape, `: ${dim} is ${dims[dim]}${fixedBy.has(dim) ? `, by ${fixedBy.get(dim)}` : ""}`);
  };
  for (const [p, { shape }] of given) {
    if (!shape) continue;
    if (shape.length !== p.shape.length) throw wrong(p, shape);
    p.shape.forEach((size, d) => {
      const dim = aloneIn(size);
      if (dim !== undefined) fix(dim, shape[d]!, p, shape);
      else if (typeof size === "number" && size !== shape[d]) throw wrong(p, shape);
    });
  }
  for (const [p, { shape, data }] of given) {
    if (shape) continue;
    const open = new Set(p.shape.filter((size) => !known(size, dims)).map(aloneIn));
    const [dim] = open;
    if (
      open.size > 1 ||
      (open.size === 1 && (dim === undefined || p.shape.filter((size) => aloneIn(size) === dim).length > 1))
    )
      throw new RuntimeProblem(
        `${x.name}: the shape of ${p.name}, ${typeText(p)}, does not follow from ${data.length} values: give { data, shape }`,
      );
    const rest = p.shape.filter((size) => known(size, dims)).reduce<number>((n, size) => n * sizeOf(size, dims), 1);
    if (dim !== undefined) fix(dim, data.length / rest, p, [data.length]);
    if (data.length % rest || (dim === undefined && data.length !== rest)) throw wrong(p, [data.length]);
  }
  for (const d of x.program.dims) {
    const n = dims[d.name];
    if (n === undefined)
      throw new RuntimeProblem(`${x.name}: the size ${d.name} does not follow from the inputs: ${signature}`);
    if (!(n >= 1)) throw new RuntimeProblem(`${x.name}: ${d.name} is ${n}; it must be at least 1`);
    if (d.at_most !== undefined && n > d.at_most)
      throw new RuntimeProblem(`${x.name}: ${d.name} is ${n}, and at most ${d.at_most} is allowed`);
  }
  for (const { size, text, signed } of x.program.sizes ?? []) {
    const n = sizeOf(size, dims);
    if (n >= (signed ? -(2 ** 31) : 0) && n < 2 ** 31) continue;
    const where = x.program.dims.map((d) => `${d.name} is ${dims[d.name]}`).join(" and ");
    throw new RuntimeProblem(
      `${x.name}: a size of ${text} comes out as ${n} where ${where}; it must be ${signed ? "an i32" : n < 0 ? "at least 0" : "below 2^31"}`,
    );
  }
  // ---- values
  const shapeOf = (p: PlanPort): number[] => p.shape.map((size) => machine.size(size, dims, p.name));
  const words = x.inputs.map((p) => {
    const flat = given.get(p);
    const shape = shapeOf(p);
    const count = product(shape);
    if (!flat) return toWords(new Array<number>(count).fill(p.optional!), p.dtype);
    if (flat.shape && flat.shape.some((n, d) => n !== shape[d])) throw wrong(p, flat.shape);
    if (flat.data.length !== count) throw wrong(p, flat.shape ?? [flat.data.length]);
    if (p.dtype !== "f32") {
      const [low, end] =
        p.dtype === "bool"
          ? [0, 2]
          : p.range
            ? [p.range[0], machine.size(p.range[1], dims, p.name)]
            : [-2147483648, 2147483648];
      for (let i = 0; i < count; i++) {
        const v = flat.data[i]!;
        if (!Number.isInteger(v) || v < low || v >= end)
          throw new RuntimeProblem(
            `${x.name}: value ${i} of ${p.name} is ${v}; ${p.dtype === "bool" ? "true or false" : `a whole number in ${low}..${end}`} is wanted`,
          );
      }
    } else if (!(flat.data instanceof Float32Array)) {
      for (let i = 0; i < count; i++)
        if (Number.isFinite(flat.data[i]) && notOfF32(flat.data[i]!))
          throw new RuntimeProblem(`${x.name}: value ${i} of ${p.name} is ${flat.data[i]}, ${notOfF32(flat.data[i]!)}`);
    }
    return toWords(flat.data, p.dtype);
  });
  const place = (p: PlanPort): Place => ({ buffer: p.buffer, offset: p.offset, bytes: 4 * product(shapeOf(p)) });
  const parts = await runOnce(
    machine,
    x.program,
    dims,
    x.inputs.map((p, i) => ({ ...place(p), words: words[i]! })),
    x.outputs.map(place),
  );
  return Object.fromEntries(x.outputs.map((p, i) => [p.name, fromWords(parts[i]!, p.dtype, shapeOf(p))]));
}
