// Watched layers: their numbers are those that the language gives where a text asks for them, dead and flat units those that the text makes so.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { made, withModel } from "../model.ts";

const data = `data d { rows: 24
  field x: f32[3] = uniform(0.5, 1)[3]
  field y: f32[3] = normal(0, 1)[3] }
`;
/** Every column of the last of some steps. */
async function lastOf(text: string, steps = 3): Promise<Record<string, number>> {
  const model = made(data + text, { watchLayers: true });
  return withModel(model, async (m) => {
    let seen: Record<string, number> = {};
    await m.train("fit", { steps, onProgress: (e) => e.kind === "progress" && (seen = { ...e.metrics }) });
    return seen;
  });
}
const train = (net: string, more = ""): string => `train fit on d(batch: 8, seed: 1) {
  let out = ${net}
${more}  minimize mse(out, y) by sgd(lr: 0.1)
  steps: 100 }\n`;

test("norms of gradients and weights, and the size of values, are those that a text asks for", async () => {
  const text = `model net(x: f32[B, 3]) -> f32[B, 3] {
  let first = Linear(5, act: tanh)
  let inner = x |> first
  return inner |> Linear(3)
}
`;
  const asked = `  let g = grad(mse(out, y), wrt: net.first)
  metric g1 = sqrt(dot(g, g))
  metric w1 = sqrt(l2(net.first))
  metric v2 = sqrt(mean(out^2))
`;
  const seen = await lastOf(text + train("net(x)", asked));
  expect(seen["gradient net.first"]).toBeCloseTo(seen["g1"]!, 5);
  expect(seen["weight net.first"]).toBeCloseTo(seen["w1"]!, 5);
  expect(seen["value net.linear"]).toBeCloseTo(seen["v2"]!, 5);
  expect(seen["g1"]).toBeGreaterThan(0);
  expect(seen["dead net.first"]).toBe(0);
});

test.each([
  ["of three, one never fires", "relu(x * [1, -1, 1])", 1 / 3, 1 / 3],
  ["as an argument of a layer", "x |> Sign(relu)", 1 / 3, 1 / 3],
  ["written out", "max(x * [1, -1, 1], 0)", 1 / 3, 1 / 3],
  ["as a lambda's function", "(|v| relu(v))(x * [1, -1, -1])", 2 / 3, 2 / 3],
  ["a clipped one, above", "relu6(x * [1, 20, 1])", 1 / 3, 1 / 3],
  ["tanh far out", "tanh(x * [1, 9, -9])", 0, 2 / 3],
  ["sigmoid far out", "sigmoid(x * [0.1, 20, 1])", 0, 1 / 3],
  ["a slope on both sides", "leaky_relu(x * [1, -1, 1])", 0, 0],
  ["elu", "elu(x * [1, -1, 1])", 0, 0],
  ["tanh beyond f32", "tanh(x * [1, 90, 1])", 1 / 3, 1 / 3],
])("dead and flat units: %s", async (_, formula, dead, flat) => {
  const seen = await lastOf(`layer Sign(act: fn)(x: f32[B, 3]) -> f32[B, 3] {
  param s: f32[3] ~ constant(1)
  return act(x * s * [1, -1, 1])
}
model net(x: f32[B, 3]) -> f32[B, 3] = ${formula}
model whole(x: f32[B, 3]) -> f32[B, 3] = net(x) |> Linear(3)
${train("whole(x)")}`);
  const name = Object.keys(seen).find((key) => key.startsWith("dead "))!;
  expect(seen[name]).toBeCloseTo(dead, 5);
  expect(seen[name.replace("dead", "flat")]).toBeCloseTo(flat, 5);
});

test("what bends nothing, what is drawn, what is no function of each element, and a loss are no activations", async () => {
  const seen = await lastOf(`fn twice(x: f32[...S]) = 2 * x
fn centred(x: f32[B, C]) = x - mean(x, axis: 0, keep: true)
model net(x: f32[B, 3]) -> f32[B, 3] = x |> twice |> centred |> Dropout(0.5) |> LayerNorm() |> Linear(3) |> log_softmax
${train("net(x)", "  metric h = mean(relu(out))\n")}`);
  expect(Object.keys(seen).filter((key) => /^(dead|flat) /.test(key))).toEqual([]);
});

test("a function made of others is one activation; a layer that is applied twice is one layer", async () => {
  const seen = await lastOf(`fn own(x: f32[...S]) = x * sigmoid(2 * x) + tanh(x)
model net(x: f32[B, 3]) -> f32[B, 3] {
  let f = Linear(3, act: own)
  return x |> f |> f |> own |> Linear(3)
}
${train("net(x)")}`);
  const kinds = (layer: string): string[] =>
    Object.keys(seen).flatMap((key) => (key.endsWith(` ${layer}`) ? [key.split(" ")[0]!] : []));
  expect(kinds("net.f")).toEqual(["value", "dead", "flat", "gradient", "weight"]);
  expect(kinds("net.own")).toEqual(["value", "dead", "flat"]);
  expect(kinds("net.linear")).toEqual(["value", "gradient", "weight"]);
  expect(Object.keys(seen)).toHaveLength(11);
});

const examples = join(import.meta.dirname, "../../examples");
test.each(["xor", "lstm_chars", "energy/k_means", "transfer/maml"].map((name) => `${name}.dlm`))(
  "%s: what is watched changes nothing else",
  (path) => {
    const text = readFileSync(join(examples, path), "utf8");
    const options = { name: path, rows: { points: 64, d: 64, iris: 64 } };
    const [plain, watched] = [compile(text, options), compile(text, { ...options, watchLayers: true })];
    expect(watched.diagnostics).toEqual(plain.diagnostics);
    for (const [i, t] of plain.plan?.trains.entries() ?? []) {
      const columns = watched.plan!.trains[i]!.ring.columns;
      expect(columns.slice(0, t.ring.columns.length)).toEqual(t.ring.columns);
      expect(new Set(columns).size).toBe(columns.length);
    }
  },
);
