// A declared range is proved, or checked by the host before anything reads by it: fields of every kind of formula, other data behind them, states, weights,
// checkpoints, defaults, inputs and arguments. No program reads outside of a tensor.
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { analyse } from "../../compiler/front.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load, type Model } from "../../runtime/index.ts";
import { readSafetensors, writeSafetensors } from "../../runtime/safetensors.ts";
import { testDevice } from "../device.ts";
import { programsOf } from "../graph/programs.ts";
import { expectValues } from "./values.ts";

type Files = Readonly<Record<string, string | Uint8Array>>;
interface Options {
  readonly residentBytes?: number;
  readonly seed?: number;
  readonly host?: Record<string, readonly number[]>;
}
async function open(text: string, files: Files = {}, options: Options = {}): Promise<Model> {
  const { plan, program, diagnostics } = compile(text, { name: "ranges.dlm" });
  if (!plan) throw new Error(renderDiagnostics(diagnostics));
  for (const p of programsOf(program!)) verify(p);
  const read = async (path: string): Promise<Uint8Array> =>
    typeof files[path] === "string" ? new TextEncoder().encode(files[path]) : (files[path] as Uint8Array);
  return load(plan, { device: (await testDevice()).device, read, ...options });
}
/** The message with which loading, and one training step, end; "" where they do not. */
async function messageOf(text: string, files: Files = {}, options: Options = {}): Promise<string> {
  let model: Model | undefined;
  try {
    model = await open(text, files, options);
    const { loss } = await model.train();
    expect(Number.isFinite(loss)).toBe(true);
    return "";
  } catch (error) {
    return (error as Error).message;
  } finally {
    model?.close();
  }
}
const diagnosticsOf = (text: string): string[] =>
  analyse(text, { name: "ranges.dlm" }).diagnostics.map((d) => `${d.code} ${d.message}`);
const idx = (values: readonly number[]): Uint8Array => Uint8Array.from([0, 0, 8, 1, 0, 0, 0, values.length, ...values]);
const npy = (values: readonly number[]): Uint8Array => {
  const header = `{'descr': '<i4', 'fortran_order': False, 'shape': (${values.length},), }`.padEnd(53) + "\n";
  return Uint8Array.from([
    0x93,
    ...new TextEncoder().encode("NUMPY"),
    1,
    0,
    header.length,
    0,
    ...new TextEncoder().encode(header),
    ...new Uint8Array(Int32Array.from(values).buffer),
  ]);
};
const training = (data: string, more = ""): string => `data d {
${data}
}
${more}
model net(x: f32[B, 1]) -> f32[B, 3] = x |> Linear(3)
train fit on d(batch: 2) {
  minimize cross_entropy(net(x), y) by sgd(lr: 0.1)
  metric acc = accuracy(net(x), y)
  steps: 2
}
`;
const columns = (y: string, more = ""): string =>
  training(`  field x: f32[1] = csv("lab.csv", columns: 0..1)\n  field y: i32 in 0..3 = ${y}${more}`);
const csv = (labels: readonly number[]): string => labels.map((y, i) => `${i / 10},${y}\n`).join("");

describe("computed fields", () => {
  test.each([
    ['csv("lab.csv", column: 1) - 1', [1, 2, 3, 1], [1, 2, 9, -50], 8, 2],
    ['max(csv("lab.csv", column: 1), -99) // 2', [0, 3, 5, 1], [0, 1, 2, 6], 3, 3],
    ['2 - csv("lab.csv", column: 1)', [0, 1, 2, 0], [3, 1, 2, 0], -1, 0],
    ['max(csv("lab.csv", column: 1), 0)', [-7, 1, 2, 0], [-7, 1, 2, 3], 3, 3],
    ['abs(csv("lab.csv", column: 1))', [-2, 1, 2, 0], [1, 2, -3, 0], 3, 2],
    ['where(csv("lab.csv", column: 1) > 5, 2, csv("lab.csv", column: 1))', [7, 1, 2, 0], [7, 1, 4, 0], 4, 2],
    ['csv("lab.csv", column: 1) * csv("lab.csv", column: 1)', [0, 1, -1, 0], [0, 1, -1, -2], 4, 3],
    ['i32(30 * x[0]) - csv("lab.csv", column: 1)', [0, 2, 5, 7], [0, 2, 5, 3], 6, 3],
    ['sum(csv("lab.csv", columns: 1..2))', [0, 2, 1, 1], [0, 2, 1, 3], 3, 3],
  ] as const)("%s", async (formula, inside, outside, value, row) => {
    const text = columns(formula);
    expect(await messageOf(text, { "lab.csv": csv(inside) })).toBe("");
    expect(await messageOf(text, { "lab.csv": csv(outside) })).toMatch(
      new RegExp(
        `^the field d\\.y \\(ranges\\.dlm:3\\) is ${value} in row ${row} of d, outside of 0\\.\\.3, which it declares; it is computed from lab\\.csv`,
      ),
    );
  });
  test("of other loaders, bare or not", async () => {
    const from = (y: string): string =>
      training(`  field x: f32[1] = csv("lab.csv", columns: 0..1)\n  field y: i32 in 0..3 = ${y}`);
    const files = (f: Files): Files => ({ "lab.csv": csv([0, 0, 0, 0]), ...f });
    for (const [name, make] of [
      ["idx", idx],
      ["npy", npy],
    ] as const) {
      expect(await messageOf(from(`${name}("l")`), files({ l: make([0, 1, 2, 0]) })), name).toBe("");
      expect(await messageOf(from(`${name}("l")`), files({ l: make([0, 1, 200, 0]) })), name).toMatch(
        /200 is outside of 0\.\.3/,
      );
      expect(await messageOf(from(`${name}("l") - 1`), files({ l: make([1, 2, 3, 1]) })), name).toBe("");
      expect(await messageOf(from(`${name}("l") - 1`), files({ l: make([1, 2, 3, 0]) })), name).toMatch(
        /is -1 in row 3 of d, outside of 0\.\.3.*computed from l /,
      );
    }
    expect(await messageOf(from('token_count("t", pad: 4)'), files({ t: "1\n1 2\n1\n1 2 3\n" }))).toMatch(
      /3 is outside of 0\.\.3/,
    );
    const host = from("host() - 1");
    expect(await messageOf(host, files({}), { host: { y: [1, 2, 3, 1] } })).toBe("");
    expect(await messageOf(host, files({}), { host: { y: [1, 2, 3, 4] } })).toMatch(/is 3 in row 3 of d/);
  });
  test("of draws, for the seed of each run", async () => {
    const text = (low: number, high: number): string =>
      training(`  rows: 40\n  field x: f32[1] = uniform(${low}, ${high})[1]\n  field y: i32 in 0..3 = i32(3 * x[0])`);
    expect(await messageOf(text(0, 0.99))).toBe("");
    for (const seed of [0, 1, 7])
      expect(await messageOf(text(-4, 4), {}, { seed })).toMatch(
        /the field d\.y .* is -?\d+ in row \d+ of d, outside of 0\.\.3/,
      );
  });
  test("of rows, lists and several axes", async () => {
    const two = (
      y: string,
    ): string => `data d {\n  rows: 8\n  field x: f32[2] = for j in 0..2: f32(row + j)\n  field y: i32[2] in 0..5 = ${y}\n}
train fit on d(batch: 2) {\n  state w: f32 = 0\n  let t = [1.0, 2.0, 3.0, 4.0, 5.0]\n  minimize mean((t[y] - m(x))^2) by sgd(lr: 0.001)\n  steps: 3\n}\nmodel m(x: f32[B, 2]) -> f32[B, 2] = x |> Linear(2)\n`;
    expect(await messageOf(two("for j in 0..2: row // 2 + j"))).toBe("");
    expect(await messageOf(two("for j in 0..2: row - j"))).toMatch(/is -1 in row 0 of d, outside of 0\.\.5/);
    expect(await messageOf(two("for j in 0..2: row // 2 + 2 * j"))).toMatch(/is 5 in row 6 of d/);
    expect(diagnosticsOf(two("for j in 0..2: j + 7"))).toEqual([
      "DLM2010 the field y may be in 7..9, but must lie in 0..5",
    ]);
    const list = (y: string): string =>
      training(`  field x: f32[1] = [[0.0], [1.0], [2.0]]\n  field y: i32 in 0..3 = ${y}`);
    expect(await messageOf(list("[0, 1, 2]"))).toBe("");
    expect(diagnosticsOf(list("[0, 1, 5]"))).toEqual(["DLM2010 the field y may be 5, but must lie in 0..3"]);
  });
  test("in holdouts, of the own rows and of other data", async () => {
    const own = columns('csv("lab.csv", column: 1) - 1', "\n  holdout valid = 0.5");
    expect(await messageOf(own, { "lab.csv": csv([1, 2, 3, 1, 1, 1, 1, 2]) })).toBe("");
    for (let bad = 0; bad < 8; bad++)
      expect(
        await messageOf(own, { "lab.csv": csv(Array.from({ length: 8 }, (_, i) => (i === bad ? 11 : 1))) }),
      ).toMatch(new RegExp(`is 10 in row ${bad} of d`));
    const other = (y: string, range: string): string =>
      columns(y, "\n  holdout test = more") +
      `data more {\n  field x: f32[1] = csv("more.csv", columns: 0..1)\n  field y: i32 ${range} = ${y.replace("lab", "more")}\n}\n`;
    const files = { "lab.csv": csv([1, 2, 1, 1]), "more.csv": csv([1, 2, 9]) };
    expect(await messageOf(other('csv("lab.csv", column: 1)', "in 0..100"), files)).toMatch(
      /row 2 of more\.y .* has 9, outside of 0\.\.3, which d\.y .* declares/,
    );
    expect(
      await messageOf(other('csv("lab.csv", column: 1)', "in 0..100"), { ...files, "more.csv": csv([1, 2, 0]) }),
    ).toBe("");
    expect(await messageOf(other('csv("lab.csv", column: 1) - 1', "in 0..100"), files)).toMatch(
      /is 8 in row 2 of more, outside of 0\.\.3/,
    );
  });
  test("of streamed data", async () => {
    const labels = Array.from({ length: 3000 }, () => 1);
    const text = columns('csv("lab.csv", column: 1) - 1');
    expect(await messageOf(text, { "lab.csv": csv(labels) }, { residentBytes: 64 })).toBe("");
    labels[2998] = 4;
    expect(await messageOf(text, { "lab.csv": csv(labels) }, { residentBytes: 64 })).toMatch(/is 3 in row 2998 of d/);
    expect(await messageOf(text, { "lab.csv": csv(labels) })).toMatch(/is 3 in row 2998 of d/);
  });
  test("a checked field is one of known range to fields and initial values that use it", async () => {
    const text = training(
      '  field x: f32[1] = csv("lab.csv", columns: 0..1)\n  field y: i32 in 0..3 = csv("lab.csv", column: 1) - 1\n  field z: i32 in 0..6 = 2 * y + 1',
      "export fn counts() -> i32[3] = for k in 0..3: sum over n: d.y[n] == k",
    );
    const { program } = compile(text, { name: "ranges.dlm" });
    expect(program!.datasets[0]!.check!.fields.map((f) => f.name)).toEqual(["y"]);
    const model = await open(text, { "lab.csv": csv([1, 2, 3, 1]) });
    expect([...(await model.run("counts"))["counts"]!.data]).toEqual([2, 1, 1]);
    model.close();
    await expect(open(text, { "lab.csv": csv([1, 2, 4, 1]) })).rejects.toThrow("is 3 in row 2 of d");
  });
  test("what is proved is not checked", () => {
    for (const y of [
      "randint(0, 3)[]",
      "row % 3",
      "i32(x[0] > 0)",
      'max(0, min(csv("lab.csv", column: 1), 2))',
      "2",
      'csv("lab.csv", column: 1)',
    ]) {
      const { program, diagnostics } = compile(columns(y), { name: "ranges.dlm" });
      if (!program) throw new Error(renderDiagnostics(diagnostics));
      expect(program.datasets[0]!.check, y).toBeUndefined();
    }
  });
});

describe("states", () => {
  const text = (state: string, next: string): string => `
layer Turn()(x: f32[...S, 2]) -> f32[...S, 2] {
  ${state}
  param t: f32[2] ~ ones
  next k = ${next}
  return x * t[k]
}
model net(x: f32[B, 2]) -> f32[B, 2] = x |> Turn()
train fit {
  minimize mean(net(ones[3, 2])^2) by sgd(lr: 0.1)
  steps: 5
}
export fn f(x: f32[B, 2]) -> f32[B, 2] = net(x)
`;
  test.each([
    ["state k: i32 in 0..2 = 7", "k", "the state net.turn.k may be 7, but must lie in 0..2"],
    ["state k: i32 in 0..2 = -1", "k", "the state net.turn.k may be -1, but must lie in 0..2"],
    ["state k: i32 in 0..2 = 0", "k + 1", "the next value of k may be in 1..3, but must lie in 0..2"],
    ["state k: i32 in 0..2 = 0", "k - 1", "the next value of k may be in -1..1, but must lie in 0..2"],
    ["state k: i32 in 0..2 = 0", "5", "the next value of k may be in 5..6, but must lie in 0..2"],
    ["state k: i32 in 0..2 = 0", "i32(sum(x))", "the next value of k may be any i32, but must lie in 0..2"],
  ])("%s, next k = %s", (state, next, message) =>
    expect(diagnosticsOf(text(state, next))).toEqual([`DLM2010 ${message}`]),
  );
  test.each(["(k + 1) % 2", "min(k + 1, 1)", "1 - k", "max(0, min(i32(sum(x)), 1))", "k"])(
    "next k = %s is proved",
    async (next) => {
      const model = await open(text("state k: i32 in 0..2 = 0", next));
      expect((await model.train()).reason).toBe("finished");
      model.close();
    },
  );
  test("in a train block", () => {
    const block = (next: string): string =>
      `model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)\ntrain fit {\n  state k: i32 in 0..3 = 2\n  minimize mean(net(ones[3, 2])^2) by sgd(lr: [0.1, 0.2, 0.3][k])\n  next k = ${next}\n  steps: 3\n}\n`;
    expect(diagnosticsOf(block("k + 1"))).toEqual(["DLM2010 the next value of k may be in 1..4, but must lie in 0..3"]);
    expect(diagnosticsOf(block("(k + 1) % 3"))).toEqual([]);
  });
  test("the hint can be followed", () => {
    const [d] = analyse(text("state k: i32 in 0..2 = 0", "k + 1"), { name: "ranges.dlm" }).diagnostics;
    expect(d!.hint).toBe("keep it in its range: (k + 1) % 2, or max(0, min(k + 1, 1))");
  });
  test("weights and checkpoints outside of the range are refused", async () => {
    const model = await open(text("state k: i32 in 0..2 = 0", "(k + 1) % 2"));
    await model.train();
    const changed = (bytes: Uint8Array, k: number): Uint8Array => {
      const file = readSafetensors(bytes);
      const tensors = new Map(file.tensors);
      const name = "net.turn.k";
      tensors.set(name, { ...tensors.get(name)!, bytes: new Uint8Array(Int32Array.of(k).buffer) });
      return writeSafetensors({ tensors, metadata: file.metadata });
    };
    const [weights, checkpoint] = [await model.checkpoint({ weights: true }), await model.checkpoint()];
    await model.loadWeights(changed(weights, 1));
    await model.restore(changed(checkpoint, 0));
    for (const k of [2, -1, 1 << 30]) {
      await expect(model.loadWeights(changed(weights, k))).rejects.toThrow(
        `net.turn.k is ${k} in the file, outside of 0..2, which the state declares`,
      );
      await expect(model.restore(changed(checkpoint, k))).rejects.toThrow(`net.turn.k is ${k} in the file`);
    }
    model.close();
  });
});

describe("inputs of an export", () => {
  const text =
    "export fn f(ids: i32[N] in 0..5, t: f32[5], k: i32 in 1..3 = 2) -> f32[N] = for n: t[ids[n]] * f32(k)\n";
  test("typed arrays, lists, fractions and numbers that are none", async () => {
    const model = await open(text);
    const t = [1, 2, 3, 4, 5];
    const run = async (ids: unknown, more: object = {}): Promise<unknown> => {
      try {
        return [...(await model.run("f", { ids: ids as number[], t, ...more }))["f"]!.data];
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(await run([4, 0])).toEqual([10, 2]);
    for (const make of [Int32Array, Float32Array, Float64Array, Uint8Array, Int16Array])
      expect(await run(make.from([4, 0]))).toEqual([10, 2]);
    for (const bad of [7, 5, -1, 0.5, NaN, Infinity, 2 ** 31, -(2 ** 31)]) {
      for (const ids of [[0, bad], Float64Array.from([0, bad]), { shape: [2], data: [0, bad] }])
        expect(await run(ids)).toBe(`f: value 1 of ids is ${bad}; a whole number in 0..5 is wanted`);
    }
    expect(await run(Int32Array.from([0, 7]))).toContain("value 1 of ids is 7");
    expect(await run(BigInt64Array.from([1n]))).toContain("a whole number in 0..5 is wanted");
    expect(await run([1], { k: 1 })).toEqual([2]);
    expect(await run([1], { k: 3 })).toContain("value 0 of k is 3");
    model.close();
  });
  test("ranges by run-time sizes", async () => {
    const model = await open(
      "export fn f(x: f32[T], i: i32[K] in 0..T, j: i32 in 0..T + 1) -> f32[K] = for k: x[i[k]] + (x[j] ?? 100)\n",
    );
    const run = async (x: number[], i: number[], j: number): Promise<unknown> =>
      model.run("f", { x, i, j }).then(
        (r) => [...r["f"]!.data],
        (e: Error) => e.message,
      );
    expect(await run([1, 2, 3], [2, 0], 3)).toEqual([103, 101]);
    expect(await run([1, 2, 3], [3], 0)).toContain("value 0 of i is 3; a whole number in 0..3 is wanted");
    expect(await run([1, 2], [1], 3)).toContain("value 0 of j is 3; a whole number in 0..3 is wanted");
    model.close();
  });
  test("a run-time size in every row is at most that size", async () => {
    const model = await open(`
fn first(x: f32[B, T], length: i32[B] in 0..T + 1 = T) -> f32[B] = for b: sum over t in 0..length[b]: x[b, t]
fn handed_on(x: f32[B, T], length: i32[B] in 0..T + 1 = T) -> f32[B] = first(x, length)
export fn whole(x: f32[B, T]) -> f32[B] = handed_on(x)
export fn shorter(x: f32[B, T]) -> f32[B] = handed_on(x, for b in 0..B: T - 1)
`);
    const x = { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] };
    expect([...(await model.run("whole", { x }))["whole"]!.data]).toEqual([6, 15]);
    expect([...(await model.run("shorter", { x }))["shorter"]!.data]).toEqual([3, 9]);
    model.close();
  });
  test("an integer made of one number for all elements is that number", async () => {
    const model = await open(`
fn pick(x: f32[5], i: i32[B] in 0..5) -> f32[B] = for b: x[i[b]]
export fn f(x: f32[5]) -> f32[2, 3] = [pick(x, i32(zeros[3])), pick(x, i32(ones[3]))]
`);
    expect([...(await model.run("f", { x: [1, 2, 3, 4, 5] }))["f"]!.data]).toEqual([1, 1, 1, 2, 2, 2]);
    model.close();
  });
  test("and one above it is too much", () => {
    const { diagnostics } = compile(`
fn first(x: f32[B, T], length: i32[B] in 0..T + 1 = T) -> f32[B] = for b: sum over t in 0..length[b]: x[b, t]
export fn longer(x: f32[B, T]) -> f32[B] = first(x, for b in 0..B: T + 1)
`);
    expect(diagnostics.map((d) => d.code)).toEqual(["DLM2010"]);
  });
  test.each([
    ["k: i32 in 0..3 = 7", "DLM2010 the default of k may be 7, but must lie in 0..3"],
    ["k: i32 in 0..3 = -1", "DLM2010 the default of k may be -1, but must lie in 0..3"],
    ["k: i32 = 1.5", "DLM2006 a whole number is needed here, this is the number 1.5"],
    ["k: i32 in 3..0", "DLM2006 a range that holds a number is needed here, this is 3..0"],
    ["k: i32 in 2..2", "DLM2006 a range that holds a number is needed here, this is 2..2"],
    [
      "k: i32 in 0..3000000000",
      "DLM2006 a range of i32, between -2147483648 and 2147483648 is needed here, this is 0..3000000000",
    ],
    [
      "x: f32[T], k: i32 in T..10",
      "DLM2006 a range from a known number to a known number or size is needed here, this is one that depends on more",
    ],
    [
      "n: i32 in 1..9, k: i32 in 0..n",
      "DLM2006 a range from a known number to a known number or size is needed here, this is one that depends on more",
    ],
    ["k: f32 in 0..3", "DLM2006 i32 before `in` is needed here, this is f32"],
    ["k: i32 in 5", "DLM2006 a range, as 0..10 is needed here, this is the number 5"],
  ])("%s", (params, message) => expect(diagnosticsOf(`export fn f(${params}) = k\n`)).toEqual([message]));
});

describe("arguments, results and names", () => {
  const at = (body: string, more = ""): string => `fn pick(x: f32[N], k: i32 in 0..N) -> f32 = x[k]
fn three(k: i32 in 0..3) -> i32 in 0..3 = k
fn outer(k: i32 in 0..5) -> i32 = three(k)
${more}
export fn f(x: f32[4], i: i32 in 0..4, j: i32 in 0..6, any: i32) = ${body}
`;
  test.each([
    ["pick(x, i)", undefined],
    ["pick(x, 3)", undefined],
    ["pick(x, j)", "pick's k may be in 0..6, but must lie in 0..4"],
    ["pick(x, any)", "pick's k may be any i32, but must lie in 0..4"],
    ["pick(x, 4)", "pick's k may be 4, but must lie in 0..4"],
    ["pick(x, -1)", "pick's k may be -1, but must lie in 0..4"],
    ["for n in 0..4: pick(x, n)", undefined],
    ["for n in 0..5: pick(x, n)", "pick's k may be in 0..5, but must lie in 0..4"],
    ["for n in 0..4: pick(x, n - 1)", "pick's k may be in -1..3, but must lie in 0..4"],
    ["sum over n in 0..4: pick(x, min(n + 2, 3))", undefined],
    ["three(min(i, 2))", undefined],
    ["three(i)", "three's k may be in 0..4, but must lie in 0..3"],
    ["outer(1)", undefined],
    ["outer(4)", "three's k may be 4, but must lie in 0..3"],
    ["accuracy(reshape[1, 4](x), 7)", "accuracy's y may be 7, but must lie in 0..4"],
    ["one_hot(j, 6)", undefined],
    ["one_hot(j, 5)", "one_hot's i may be in 0..6, but must lie in 0..5"],
    ["x[clamped(any)]", undefined],
  ])("%s", (body, message) =>
    expect(diagnosticsOf(at(body, "fn clamped(k: i32) -> i32 in 0..4 = max(0, min(k, 3))"))).toEqual(
      message === undefined ? [] : [`DLM2010 ${message}`],
    ),
  );
  test.each([
    ["let y: i32 in 0..3 = any % 3", undefined],
    ["let y: i32 in 0..3 = i", "y may be in 0..4, but must lie in 0..3"],
    ["let y: i32 in 0..3 = 5", "y may be 5, but must lie in 0..3"],
    ["let y: i32[3] in 0..3 = [0, 1, 7]", "y may be in 0..8, but must lie in 0..3"],
    ["let y: i32[3] in 0..8 = [0, 1, 7]", undefined],
  ])("%s", (text, message) =>
    expect(
      diagnosticsOf(`export fn f(i: i32 in 0..4, any: i32 in -1000..1000) -> i32 {\n  ${text}\n  return sum(y)\n}\n`),
    ).toEqual(message === undefined ? [] : [`DLM2010 ${message}`]),
  );
  test("a result outside of its range", () => {
    expect(diagnosticsOf("fn g(k: i32 in 0..9) -> i32 in 0..3 = k\nexport fn f(k: i32 in 0..9) = g(k)\n")).toEqual([
      "DLM2010 the result of g may be in 0..9, but must lie in 0..3",
    ]);
    expect(diagnosticsOf("fn g(k: i32 in 3..1) = k\nexport fn f(k: i32 in 0..9) = g(k)\n")).toEqual([
      "DLM2006 a range that holds a number is needed here, this is 3..1",
    ]);
  });
  test("values", () => expectValues(at("pick(x, i)"), { x: [1, 2, 3, 4], i: 3, j: 5, any: -7 }, 4));
});
test("a range of a list of whole numbers holds every one of them, also where one number stands for all", () => {
  const errors = (k: string): string[] =>
    analyse(
      `layer Own(k: int[2] in 1..4 = 3)(x: f32[B, 4]) -> f32[B, 4] = x * k[0] * k[1]\nmodel net(x: f32[B, 4]) = x |> Own(${k})\nexport fn f(x: f32[B, 4]) = net(x)`,
    ).diagnostics.map((d) => d.code);
  for (const k of ["", "1", "[3, 1]", "k: [1, 3]"]) expect(errors(k), k).toEqual([]);
  for (const k of ["0", "4", "-1", "[1, 0]", "[4, 1]", "k: [3, 9]"]) expect(errors(k), k).toEqual(["DLM2010"]);
});
test.each([
  ["a wider range than what is known", "randint(2, 5)[]", "0..5", [2, 4]],
  ["the same range", "randint(2, 5)[]", "2..5", [2, 4]],
  ["a narrower one, which the host checks", "2 + 0 * randint(2, 5)[]", "2..4", [2, 2]],
])(
  "%s of a field does not take proofs away that were made before it was declared",
  async (_, formula, range, [low, high]) => {
    const model = await open(`data d { rows: 12
  let count = ${formula}
  let heard = for t in 0..3: sum over k in 0..4: where(k < count and t < 2, k, 0)
  field x: f32[10] = normal[10]
  field n: i32 in ${range} = count
  field w: f32[3] = for t: f32(heard[t])
  holdout test = 0.25 }
model net(x: f32[B, 10]) -> f32[B, 10] = x |> Linear(10)
train fit on d(batch: 3, shuffle: false) {
  let y = net(x)
  minimize mean(w[:, 0] + for b: y[b, 2 * n[b] - 1] ?? 99) by sgd(lr: 0)
  metric least = min(n)
  metric most = max(n)
  metric outside = mean(w[:, 0]) + max(for b: abs(y[b, 2 * n[b] - 1] ?? 99))
  steps: 1
}`);
    const { least, most, outside } = await model.evaluate("fit", "test");
    expect(Number(least)).toBeGreaterThanOrEqual(low!);
    expect(Number(most)).toBeLessThanOrEqual(high!);
    expect(Number(outside)).toBeLessThan(90);
    model.close();
  },
);
