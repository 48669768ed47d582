// Data made by formulas, in every place where data stand: batches, whole columns, slices of them, initial values of states, exports, holdouts.
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";
import { errorsOf } from "./values.ts";
import { expectNear, expectResult, trained } from "./trained.ts";

const net = "model net(x: f32[B, 2]) -> f32[B] = x |> Linear(1, weights: 0.5, bias: false) |> squeeze(-1)";
const block = (body: string, on = "d(batch: 4, shuffle: false)"): string =>
  `train fit on ${on} {\n${body}\nminimize mse(net(x), y) by sgd(lr: 0)\nsteps: 1 }`;
const rows8 = (more = ""): string => `
data d {
  rows: 8
  let odd = row % 2 == 1
  field x: f32[2] = [f32(row), 2 * f32(row)]
  field y: f32 = where(odd, 1.0, -1.0)
  field z: f32 = x[0] * y
  field k: i32 in 0..3 = row % 3
  field b: bool = odd
  field one: f32 = 3.0
${more}
}
${net}`;
const values = {
  x: [0, 1, 2, 3, 4, 5, 6, 7].flatMap((r) => [r, 2 * r]),
  y: [-1, 1, -1, 1, -1, 1, -1, 1],
  z: [-0, 1, -2, 3, -4, 5, -6, 7],
  k: [0, 1, 2, 0, 1, 2, 0, 1],
};
const sum = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0);

describe("whole columns", () => {
  test.each([
    ["d.x", values.x],
    ["d.y", values.y],
    ["d.z", values.z],
    ["f32(d.k)", values.k],
    ["d.x[0..2]", [0, 0, 1, 2]],
    ["d.x[-2..8]", [6, 12, 7, 14]],
    ["d.x[-1]", [7, 14]],
    ["d.x[3, 1]", [6]],
    ["d.z[2..5]", [-2, 3, -4]],
    ["f32(size(d.x, axis: 0))", [8]],
    ["mean(d.x, axis: 0)", [3.5, 7]],
    ["sum(one_hot(d.k, 3), axis: 0)", [3, 3, 2]],
    ["d.one", [3, 3, 3, 3, 3, 3, 3, 3]],
    ["f32(d.b)", [0, 1, 0, 1, 0, 1, 0, 1]],
    ["d.x[d.k[0..3]]", [0, 0, 1, 2, 2, 4]],
    ["std(d.y, correction: 0)", [1]],
    ["sort_descending(d.z)", [7, 5, 3, 1, 0, -2, -4, -6]],
    ["net(d.x)", [0, 1.5, 3, 4.5, 6, 7.5, 9, 10.5]],
  ] as const)("%s", async (e, want) => {
    const { results, curves, held } = await trained(
      `${rows8()}\n${block(`state s = ${e}\nmetric m = sum(${e})\nmetric t = sum(s)`)}\nexport fn f() = ${e}`,
    );
    expectNear(results["f"], want, `the export of ${e}`);
    expectNear(curves["m"], [sum(want)], `the metric of ${e}`);
    expectNear(curves["t"], [sum(want)], `the state of ${e}`);
    expectNear(held["fit.s"], want, `the state of ${e}`);
  });
  test("without a train block, of rows written in the file, and of data that are only measured", async () => {
    await expectResult(`${rows8()}\nexport fn f() = d.x[1..3]`, {}, [1, 2, 2, 4]);
    await expectResult(
      `data d { field x: f32[2] = [[1, 2], [3, 4], [5, 6]]\nfield y: f32 = x[0] - x[1] }\nexport fn f() = concat([d.x[1..3], d.x[0..1]])`,
      {},
      [3, 4, 5, 6, 1, 2],
    );
    const { curves } = await trained(
      `${rows8()}\ndata other { rows: 3\nfield v: f32 = f32(row)\nfield w: f32 = 2.0 }\n${block("metric m = sum(other.w) + sum(other.v)")}`,
    );
    expectNear(curves["m"], [9], "other data");
  });
  test("with holdouts: the training rows, in rising order", async () => {
    const { plan } = compile(
      `${rows8("holdout valid = 0.25")}\n${block("metric m = 0.0")}\nexport fn f() = d.x[0..6, 0]\nexport fn g() = d.x[-1, 0]`,
      { name: "test.dlm" },
    );
    const model = await load(plan!, { device: (await testDevice()).device });
    const got = Array.from((await model.run("f"))["f"]!.data);
    expect(model.data["d"]!.splits).toEqual({ train: 6, valid: 2 });
    expect(got).toEqual([...got].sort((a, b) => a - b));
    expect(new Set(got).size).toBe(6);
    expect(Array.from((await model.run("g"))["g"]!.data)).toEqual(got.slice(-1));
    model.close();
  });
  test("a draw is one value for every row, in batches and columns", async () => {
    const { curves } =
      await trained(`data d { rows: 8\nlet u = normal[2]\nfield x: f32[2] = u\nfield y: f32 = u[0] + 1\nfield k: i32 in 0..5 = randint(0, 5)[]\nfield c: i32 in 0..3 = categorical([1.0, 2.0, 3.0]) }\n${net}
${block("metric a = sum(d.x[:, 0] + 1 - d.y)\nmetric b = sum(x) - sum(d.x)\nmetric c = f32(sum(k) - sum(d.k)) + f32(sum(c) - sum(d.c))", "d(batch: 8, shuffle: false)")}`);
    expectNear([...curves["a"]!, ...curves["b"]!, ...curves["c"]!], [0, 0, 0], "differences");
  });
});
describe("data that are another's holdout", () => {
  test("are measured by their own formulas, ranges, draws and numbers of rows", async () => {
    const { plan } = compile(
      `
data d { rows: 4\nfield x: f32[2] = [f32(row), 1.0]\nfield y: f32 = f32(row) / f32(rows)\nfield k: i32 in 0..4 = row\nholdout near = e\nholdout far = g }
data e { rows: 3\nfield x: f32[2] = [f32(row) + 100, 1.0]\nfield y: f32 = f32(row) / f32(rows)\nfield k: i32 in 0..2 = row % 2 }
data g { rows: 2\nfield x: f32[2] = normal[2]\nfield y: f32 = f32(row) - 5\nfield k: i32 in 3..4 = 3 }
${net}
${block("metric mx = mean(x[:, 0])\nmetric my = mean(y)\nmetric mk = mean(f32(k))\nmetric counts = sum(one_hot(k, 4), axis: 0)")}
export fn gx() -> f32 = mean(g.x[:, 0])`,
      { name: "test.dlm" },
    );
    const model = await load(plan!, { device: (await testDevice()).device });
    const of = async (split: string): Promise<number[]> => {
      const v = await model.evaluate("fit", split);
      return [v["mx"] as number, v["my"] as number, v["mk"] as number, ...(v["counts"] as { data: Float32Array }).data];
    };
    expectNear(await of("train"), [1.5, 0.375, 1.5, 1, 1, 1, 1], "train");
    expectNear(await of("near"), [101, 1 / 3, 1 / 3, 2, 1, 0, 0], "near");
    expectNear(await of("far"), [(await model.run("gx", { seed: 0 }))["gx"]!.data[0]!, -4.5, 3, 0, 0, 0, 2], "far");
    model.close();
  });
  test("of one's own range only, and with as many rows as are known", () => {
    const text = (
      range: string,
      own = "rows: 3",
    ): string => `data d { rows: 4\nfield x: f32[2] = [f32(row), 1.0]\nfield y: f32 = f32(row)\nfield k: i32 in 0..2 = row % 2\nholdout other = e }
data e { ${own}\nfield x: f32[2] = [f32(row), 1.0]\nfield y: f32 = f32(row)\nfield k: i32 in ${range} = row % 2 + 1 }\n${net}\n${block("metric m = sum(one_hot(k, 2))")}`;
    expect(errorsOf(text("0..3"))).toEqual(["DLM2015"]);
    const file = (f: string): string =>
      `data d { field x: f32[2] = csv("a.csv", columns: 0..2)\nfield y: f32 = csv("a.csv", column: 2) / 2\nholdout other = e }\ndata e { field x: f32[2] = csv("b.csv", columns: 0..2)\nfield y: f32 = ${f} }\n${net}\n${block("metric m = sum(y)")}`;
    expect(errorsOf(file('csv("b.csv", column: 2) / 2'))).toEqual([]);
    expect(errorsOf(file('csv("b.csv", column: 2) / 4'))).toEqual(["DLM2015"]);
  });
});
test("an i32 let keeps its range and may state it; what it states is checked", () => {
  const head =
    "data d { rows: 8\nfield x: f32[3] = normal[3]\nfield y: i32 in 0..3 = row % 3 }\nmodel net(x: f32[B, 3]) -> f32[B, 3] = x |> Linear(3)\nfn same(a: i32[B] in 0..3) -> i32[B] in 0..3 {\nlet b = a\nlet c: i32[B] in 0..5 = b\nlet e: i32[B] in 0..3 = c\nreturn e }";
  const text = (lets: string): string =>
    `${head}\ntrain fit on d(batch: 8) {\n${lets}\nminimize cross_entropy(net(x), v) by sgd()\nsteps: 1 }`;
  for (const e of [
    "y",
    "y2",
    "(y + 1) % 3",
    "2 - y",
    "max(y, 1)",
    "where(x[:, 0] > 0, y, 2 - y)",
    "flip(y, axis: 0)",
    "same(y)",
    "argmax(x, axis: -1)",
    "for b: 2 - y[b]",
    "i32(x[:, 0] > 0)",
    "stop(y)",
  ]) {
    expect(errorsOf(text(`let y2 = y\nlet v = ${e}`)), e).toEqual([]);
    expect(errorsOf(text(`let y2 = y\nlet v: i32[batch] in 0..3 = ${e}`)), e).toEqual([]);
    expect(errorsOf(text(`let y2 = y\nlet v: i32[batch] in 1..2 = ${e}`)), e).toEqual(["DLM2010"]);
  }
  expect(errorsOf(text("let v = y + 1"))).toEqual(["DLM2010"]);
  expect(errorsOf(text("let v = y\nlet n: i32 in 0..3 = 7"))).toEqual(["DLM2010"]);
  expect(errorsOf(text("let v = y\nlet n: i32 in 0..3 = 2\nlet first: i32 in 0..3 = y[0]"))).toEqual([]);
  const own = (e: string): string =>
    `fn pick(t: f32[4], k: i32 in 0..4) -> f32 = t[k]\nexport fn f(t: f32[4]) -> f32[4] = for i in 0..4: pick(t, ${e})`;
  expect(errorsOf(own("3 - i"))).toEqual([]);
  expect(errorsOf(own("i + 1"))).toEqual(["DLM2010"]);
});
test("int[M] binds M", async () => {
  const fns =
    "fn pick(x: f32[N], at: int[M]) -> f32[M] = for j in 0..M: x[at[j]]\nfn total(l: int[M]) -> int = M * l[M - 1] + l[0]\nfn both(a: int[M], b: int[M] = [1, 2]) -> int = a[0] + b[M - 1]\nconst widths = [2, 0, 1]";
  await expectResult(`${fns}\nexport fn f(x: f32[3]) -> f32[2] = pick(x, [2, 0])`, { x: [5, 6, 7] }, [7, 5]);
  await expectResult(
    `${fns}\nexport fn f(x: f32[3]) -> f32[3] = pick(x, widths) * total(widths) + both([4, 4])`,
    { x: [5, 6, 7] },
    [41, 31, 36],
  );
  await expectResult(`${fns}\nexport fn f(x: f32[3]) -> f32[1] = pick(x, 1) + total(7)`, { x: [5, 6, 7] }, [20]);
  expect(errorsOf(`${fns}\nexport fn f(x: f32[3]) -> f32[3] = x * both([1, 2, 3], [1, 2])`)).toEqual(["DLM2006"]);
  const layers =
    "layer Mlp(sizes: int[M] = [4, 1])(x: f32[B, I]) -> f32[B, sizes[M - 1]] = x |> stack i in 0..M of Linear(sizes[i], weights: ones, bias: false)";
  await expectResult(
    `${layers}\nmodel net(x: f32[B, 2]) = x |> Mlp([3, 2])\nexport fn f(x: f32[B, 2]) = net(x)`,
    { x: [[1, 2]] },
    [9, 9],
  );
  await expectResult(
    `${layers}\nmodel net(x: f32[B, 2]) = x |> Mlp()\nexport fn f(x: f32[B, 2]) = net(x)`,
    { x: [[1, 2]] },
    [12],
  );
});
describe("what parameters begin as", () => {
  const one = (
    w: string,
  ): string => `init threes() = 3 * ones[shape[0], shape[1]]\ninit twos(k: f32 = 2) = k\nlayer My(out: int, start: dist = zeros, off: dist = 0.5)(x: f32[B, I]) -> f32[B, out] {\nparam w: f32[I, out] ~ start\nparam b: f32[out] ~ off\nreturn x @ w + b }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> ${w}\nexport fn f(x: f32[B, 2]) = net(x)`;
  test.each([
    ["Linear(1, weights: zeros, bias: false)", 0],
    ["Linear(1, weights: ones, bias: false)", 3],
    ["Linear(1, weights: 0.5, bias: false)", 1.5],
    ["Linear(1, weights: 1 / 3, bias: false)", 1],
    ["Linear(1, weights: [[1.0], [5.0]], bias: false)", 11],
    ["Linear(1, weights: threes, bias: false)", 9],
    ["Linear(1, weights: threes(), bias: false)", 9],
    ["Linear(1, weights: 2 * threes() - 1, bias: false)", 15],
    ["Linear(1, weights: -threes(), bias: false)", -9],
    ["Linear(1, weights: twos, bias: false)", 6],
    ["Linear(1, weights: twos(5), bias: false)", 15],
    ["Linear(1, weights: uniform(2, 2), bias: false)", 6],
    ["My(1)", 0.5],
    ["My(1, ones)", 3.5],
    ["My(1, start: ones, off: ones)", 4],
    ["My(1, off: zeros)", 0],
    ["My(3) |> My(1, 2, 0)", 3],
  ] as const)("%s", (w, want) => expectResult(one(w), { x: [[1, 2]] }, [want]));
  test("names and calls of one initialiser draw alike", async () => {
    const head = `data d { rows: 4\nfield x: f32[2] = normal[2]\nfield y: f32[1] = normal[1] }`;
    const begun = async (w: string) =>
      (
        await trained(
          `${head}\nmodel net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1, weights: ${w})\ntrain fit on d(batch: 4) { minimize mse(net(x), y) by sgd()\nsteps: 1 }`,
        )
      ).first["net.linear.w"];
    for (const name of ["normal", "uniform", "glorot_uniform", "he_normal", "linear_default"])
      expect(await begun(name)).toEqual(await begun(`${name}()`));
    expect(await begun("linear_default")).toEqual(await begun("linear_default() * 1"));
  });
  test("others are errors", () => {
    for (const w of ["relu", "|i| 1.0", '"zeros"', "bernoulli", "true"])
      expect(errorsOf(one(`Linear(1, weights: ${w})`)), w).toEqual([w === "bernoulli" ? "DLM2006" : "DLM2006"]);
  });
});
test("a loop in a field's formula is not compiled yet, and says so", () => {
  expect(
    errorsOf(
      `data d { rows: 4\nfield x: f32[2] = fold (k in 0..3; h = [f32(row), 1.0]) { next h = 2 * h } }\nexport fn f() = d.x`,
    )[0],
  ).toBe("DLM2901");
});
