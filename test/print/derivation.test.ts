// dlm inspect --stage backward: a derivation that is read from above.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { evaluateNodes, sizeOfShape } from "../../compiler/evaluate/evaluate.ts";
import { analyse } from "../../compiler/front.ts";
import { gradient } from "../../compiler/grad/grad.ts";
import { topological } from "../../compiler/graph/node.ts";
import type { Node } from "../../compiler/graph/types.ts";
import {
  add,
  atom,
  divide,
  loose,
  multiply,
  number,
  operandText,
  scale,
  sub,
  text,
} from "../../compiler/print/algebra.ts";
import { derivationOf, derivationText } from "../../compiler/print/derivation.ts";
import { check } from "../plans/check.ts";

const example = (name: string): string =>
  readFileSync(join(import.meta.dirname, "../../examples", `${name}.dlm`), "utf8");

test("exclusive or: the loss by its logit, whole", () => {
  expect(check(example("xor"), "backward", { name: "xor.dlm", rows: { table: 4 } })).toMatchInlineSnapshot(`
    "# fit
    input data.table.x: f32[rows.table, 2]
    input fit.index: i32[1024, 4]
    state fit.step: i32
    input data.table.y: f32[rows.table, 1]
    parameter net.linear.w: f32[2, 8]
    parameter net.linear.b: f32[8]
    parameter net.linear2.w: f32[8, 1]
    parameter net.linear2.b: f32[1]

    x[i, j]: f32[4, 2] = data.table.x[fit.index[fit.step mod 1024, i], j]
    net.linear.y[i, j]: f32[4, 8] = sum(k < 2) x[i, k] * net.linear.w[k, j]
    net.linear[i, j]: f32[4, 8] = tanh(net.linear.y[i, j] + net.linear.b[j])
    net.linear2.y[i]: f32[4, 1] = sum(k < 8) net.linear[i, k] * net.linear2.w[k]
    z: f32[4, 1] = net.linear2.b + net.linear2.y
    y[i]: f32[4, 1] = data.table.y[fit.index[fit.step mod 1024, i]]
    l: f32[4, 1] = (1 - y) * z + logaddexp(-z, 0)
    fit.minimize1: f32 = sum(k < 4) l[k] / 4

    d_z: f32[4, 1] = (sigmoid(z) - y) / 4
    d_net.linear.add[i, j]: f32[4, 8] = d_z[i] * net.linear2.w[j] * (1 - net.linear[i, j]^2)
    d_net.linear.w[i, j]: f32[2, 8] = sum(k < 4) x[k, i] * d_net.linear.add[k, j]
    d_net.linear.b[i]: f32[8] = sum(k < 4) d_net.linear.add[k, i]
    d_net.linear2.w[i]: f32[8, 1] = sum(k < 4) net.linear[k, i] * d_z[k]
    d_net.linear2.b: f32[1] = sum(k < 4) d_z[k]

    d fit.minimize1 / d net.linear.w = d_net.linear.w
    d fit.minimize1 / d net.linear.b = d_net.linear.b
    d fit.minimize1 / d net.linear2.w = d_net.linear2.w
    d fit.minimize1 / d net.linear2.b = d_net.linear2.b
    "
  `);
});

/** `net.linear.y[i, j]: f32[4, 8] = ...`, or what is given: `parameter net.linear.w: f32[2, 8]` */
const definition =
  /^ *(?:(?:parameter|input|state|carry|constant|updated) )?([\w.%']+)(?:\[[^\]]*\])?: [^=]*(?:\+?= (.*))?$/;
test.each(["xor", "digits", "digits_cnn", "lstm_chars", "gpt_chars", "gan_ring"])(
  "every name that %s uses is defined above",
  (name) => {
    const defined = new Set<string>();
    const lines = check(example(name), "backward", { name: `${name}.dlm`, rows: { table: 4 } }).split("\n");
    const missing: string[] = [];
    for (const line of lines) {
      const [, left, right = ""] = definition.exec(line) ?? [];
      if (left === undefined) continue;
      // what has a dot or an index is no function, axis or number
      for (const [, used] of right.matchAll(/(?<![\w.%'])([A-Za-z_%][\w.%']*\.[\w.%']+|[A-Za-z_%][\w.%']*(?=\[))/g))
        if (!defined.has(used!) && !/^(uniform|normal)('\d+)?$/.test(used!)) missing.push(`${left} uses ${used}`);
      defined.add(left);
    }
    expect(defined.size).toBeGreaterThan(10);
    expect(missing).toEqual([]);
  },
);

test("values are named by the calls that made them, gradients after what they are of", () => {
  const text = check(example("digits_cnn"), "backward", { name: "digits_cnn.dlm" });
  const names = text.split("\n").flatMap((line) => definition.exec(line)?.[1] ?? []);
  for (const name of [
    "y",
    "logits",
    "cnn.conv_block.relu",
    "cnn.conv_block2.batch_norm",
    "cnn.conv_block2.batch_norm.y",
    "cnn.max_pool2d.max_windows.y",
    "cnn.max_pool2d.max_windows.max.argmax",
    "log_softmax.max",
    "d_z",
    "d_cnn.conv_block2.batch_norm.y",
  ])
    expect(names).toContain(name);
  expect(names.filter((name) => name.includes("'"))).toEqual([]);
  expect(text).toContain("d_cnn.conv_block.batch_norm: f32[64, 8, 8, 16] = select(0 < cnn.conv_block.batch_norm, ");
});
test("several calls of a model are numbered, and an earlier update of its parameters is given", () => {
  const text = check(example("gan_ring"), "backward", { name: "gan_ring.dlm" });
  expect(text).toContain("disc.linear.y[i, j]: f32[256, 64] = sum(k < 2) x[i, k] * disc.linear.w[k, j]\n");
  expect(text).toContain("disc'2.linear.y[i, j]: f32[256, 64] = sum(k < 2) disc.linear.w[k, j] * stop[i, k]\n");
  expect(text).toContain("updated gan.minimize1.disc.linear.w: f32[2, 64]\n");
  expect(text).toContain(
    "disc'3.linear.y[i, j]: f32[256, 64] = sum(k < 2) fake[i, k] * gan.minimize1.disc.linear.w[k, j]\n",
  );
  expect(text).not.toContain(".adam.");
});

test.each(["backward", "wgsl", "plan"] as const)("a name of one's own may begin with d_ (%s)", (stage) => {
  const source = (
    name: string,
  ): string => `data table { field x: f32[2] = [[1, 2], [3, 4]]  field y: f32[1] = [[0], [1]] }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(8, act: tanh) |> Linear(1)
train fit on table(batch: 2) {
  let ${name} = x - 1
  minimize mean((net(${name}) - y)^2) by sgd(lr: 0.1)
  accumulate: 2
  steps: 1
}`;
  const own = check(source("d_x"), stage);
  expect(own.replaceAll("d_x", "e_x")).toBe(check(source("e_x"), stage));
  expect(own).not.toContain("gradient of x");
});

/** Small versions of examples; how many gradients they name at the least. */
const small: readonly { name: string; least: number; changes: readonly (readonly [from: string, to: string])[] }[] = [
  {
    name: "digits_cnn",
    least: 25,
    changes: [
      ["batch: 64", "batch: 3"],
      ["Block(16)", "Block(2)"],
      ["Block(32)", "Block(2)"],
    ],
  },
  {
    name: "gpt_chars",
    least: 50,
    changes: [
      ["batch: 12", "batch: 2"],
      ["ctx = 64", "ctx = 5"],
      ["width = 128", "width = 8"],
      ["stack 4", "stack 2"],
    ],
  },
  {
    name: "lstm_chars",
    least: 6,
    changes: [
      ["batch: 32", "batch: 2"],
      ["ctx = 32", "ctx = 4"],
      ["LSTM(128)", "LSTM(6)"],
    ],
  },
  {
    name: "gan_ring",
    least: 20,
    changes: [
      ["batch: 256", "batch: 4"],
      ["Linear(64", "Linear(5"],
    ],
  },
];
test.each(small)("what $name calls d_x is the gradient of x", ({ name, least, changes }) => {
  const source = changes.reduce((text, [from, to]) => text.replaceAll(from, to), example(name));
  const { program } = analyse(source);
  const [train] = program!.trains;
  const { order, writer } = derivationOf(train!);
  const dims = new Proxy({}, { get: () => 40 });
  let state = 1;
  const draw = (): number => (state = (state * 16807) % 2147483647) / 2147483647; // 0..1
  const values = new Map<Node, Float64Array>();
  for (const x of topological(order))
    if (x.kind === "source" && !x.data && x.role !== "carry")
      values.set(
        x,
        Float64Array.from({ length: sizeOfShape(x.shape, dims) }, () =>
          x.dtype === "i32" ? Math.floor(4 * draw()) : x.role === "parameter" ? 2 * draw() - 1 : draw(),
        ),
      );
  const shown = order.filter((x) => writer.isNamed(x) && !x.scans.size && x.dtype === "f32");
  const byName = new Map(shown.map((x) => [writer.names.node(x), x]));
  let count = 0;
  for (const [own, x] of byName) {
    const primal = own.startsWith("d_") ? byName.get(own.slice(2)) : undefined;
    if (!primal) continue;
    const found = train!.objectives.flatMap((o) => gradient(o.loss, [primal])[0] ?? []);
    const [value, ...wanted] = evaluateNodes([x, ...found], values, dims);
    const distance = (g: Float64Array): number =>
      Math.max(...g.map((v, i) => Math.abs(v - value![i]!))) / (1e-9 + Math.max(...g.map(Math.abs)));
    expect(Math.min(...wanted.map(distance)), own).toBeLessThan(1e-5);
    count++;
  }
  expect(count).toBeGreaterThan(least);
});
test("a long chain is no deep recursion", () => {
  const chain = Array.from({ length: 3000 }, (_, i) => `  let a${i + 1} = sin(a${i} * ${1 + i / 1e4}) + 1\n`).join("");
  const source = `data d { field x: f32[2] = [[1, 2], [3, 4]] }
model net(x: f32[B, 2]) -> f32[B, 2] {
  let a0 = x |> Linear(2)
${chain}  return a3000
}
train fit on d(batch: 2) { minimize mean(net(x)) by sgd(lr: 0.1)
  steps: 1 }`;
  const { program } = analyse(source);
  expect(derivationText(program!.trains[0]!).split("\n").length).toBeGreaterThan(100);
});
test("two draws do not cancel each other", () => {
  const source = `data d { field x: f32[2] = [[1, 2], [3, 4]] }
model net(x: f32[B, 2]) -> f32[B, 2] { return x * (uniform(0, 1)[B, 2] - uniform(0, 1)[B, 2]) |> Linear(2, bias: false) }
train fit on d(batch: 2) { minimize mean(net(x)) by sgd(lr: 0.1)
  steps: 1 }`;
  expect(check(source, "backward")).toContain("(uniform[i, j] - uniform'2[i, j])");
});

const [x, y, z] = ["x", "y", "z"].map(atom) as [
  ReturnType<typeof atom>,
  ReturnType<typeof atom>,
  ReturnType<typeof atom>,
];
test.each([
  ["(x - y) / 4", scale(sub(x, y), 0.25)],
  ["(x + y) / 4", add(scale(x, 0.25), scale(y, 0.25))],
  ["-(x + y)", scale(add(x, y), -1)],
  ["2 * x", add(x, x)],
  ["0", sub(multiply(x, y), multiply(y, x))],
  ["x^2 * (1 - y)", multiply(multiply(x, x), sub(number(1), y))],
  ["x + z / 2 - y", add(sub(x, y), scale(z, 0.5))],
  ["x / (y * z)", divide(x, multiply(y, z))],
  ["x / (2 * (y + z))", divide(x, scale(add(y, z), 2))],
  ["(x - y) / z", divide(sub(x, y), z)],
  ["y", divide(multiply(x, y), x)],
  ["x / 3 - 1", sub(divide(x, number(3)), number(1))],
  ["y < z", loose("y < z")],
  ["x * (y < z)", multiply(x, loose("y < z"))],
  ["1 - (y < z)", sub(number(1), loose("y < z"))],
  ["(x + y)^2 / (x - y)", divide(multiply(add(x, y), add(x, y)), sub(x, y))],
])("%s", (expected, value) => {
  expect(text(value)).toBe(expected);
});
test("an operand has brackets where it binds less than a product", () => {
  expect([x, number(2), add(x, y), loose("y < z"), scale(x, -1), atom("f(x, y)[i]")].map(operandText)).toEqual([
    "x",
    "2",
    "(x + y)",
    "(y < z)",
    "(-x)",
    "f(x, y)[i]",
  ]);
});
