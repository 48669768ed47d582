// Recurrent layers, attention, embeddings and positions against PyTorch: the cases of test/golden (families recurrent and attention, three kinds of layer).
// In: cases whose parameters are laid out as a PyTorch state dict says. Forward values and gradients, through the library's layers.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { permute, reshaped, type ReferenceCase, type ReferenceTensor } from "../reference/case.ts";
import { programOf } from "../graph/programs.ts";

const golden = new URL("../golden/", import.meta.url);
const casesOf = (family: string, kinds?: readonly string[]): ReferenceCase[] =>
  readdirSync(new URL(`${family}/`, golden))
    .map((file) => JSON.parse(readFileSync(new URL(`${family}/${file}`, golden), "utf8")) as ReferenceCase)
    .filter((c) => !kinds || kinds.includes(c.kind));

type Layout = (t: ReferenceTensor) => ReferenceTensor;
interface Use {
  readonly model: string; // `model net(...)`, or nothing
  readonly lets?: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string>>; // by their names in the state dict
  readonly layout?: Readonly<Record<string, Layout>>; // default: matrices of parameters are transposed
  readonly ranges?: Readonly<Record<string, string>>;
}
const same: Layout = (t) => t;
const transposed: Layout = (t) => (t.shape.length === 2 ? permute(t, [1, 0]) : t);
const timeFirst: Layout = (t) => permute(t, [1, 0, 2]);

function check(c: ReferenceCase, use: Use): void {
  const lay = (name: string, t: ReferenceTensor): ReferenceTensor =>
    (use.layout?.[name] ?? (use.parameters[name] ? transposed : same))(t);
  const given: Record<string, ReferenceTensor> = {};
  const held: Record<string, ReferenceTensor> = {};
  for (const [name, t] of Object.entries({ ...c.inputs, ...c.params })) {
    const path = use.parameters[name];
    if (path) held[path.replace(/\[(\d+)\]/g, ".$1")] = lay(name, t);
    else given[name] = lay(name, t);
  }
  const cotangents = Object.entries(c.cotangent ?? {}).filter(([name]) => use.outputs[name]);
  for (const [name, t] of cotangents) given[`c_${name}`] = lay(name, t);
  const signature = Object.entries(given)
    .map(([name, t]) => `${name}: ${t.dtype}[${t.shape.join(", ")}]${use.ranges?.[name] ?? ""}`)
    .join(", ");
  const tuple = (texts: readonly string[]): string => (texts.length === 1 ? texts[0]! : `(${texts.join(", ")})`);
  const names = Object.keys(use.outputs);
  const lets = `${use.lets ?? ""}\n${names.map((name) => `  let out_${name} = ${use.outputs[name]}`).join("\n")}`;
  const grads = Object.keys(c.grads);
  const objective = cotangents.map(([name]) => `sum(out_${name} * c_${name})`).join(" + ");
  const derivative = `export fn backward(${signature}) {\n  ${lets}\n  return grad(${objective}, wrt: ${tuple(grads.map((name) => use.parameters[name] ?? name))})\n}\n`;
  const program = programOf(`${use.model}
export fn forward(${signature}) {\n  ${lets}\n  return ${tuple(names.map((name) => `out_${name}`))}\n}
${grads.length ? derivative : ""}`);
  const run = (name: string, expected: readonly (readonly [string, ReferenceTensor])[]): void => {
    const e = program.exports.find((x) => x.name === name)!;
    const values = new Map<Source, readonly number[]>(e.inputs.map((i) => [i.source, given[i.name]!.data]));
    for (const p of program.parameters) values.set(p.source, held[p.path]!.data);
    const got = [...evaluate(e.program, values).outputs.values()];
    const { rtol, atol } = c.tolerance;
    expected.forEach(([label, tensor], i) => {
      const want = lay(label, tensor);
      expect(got[i]!.length, label).toBe(want.data.length);
      want.data.forEach((v, k) =>
        expect(Math.abs(got[i]![k]! - v), `${label}[${k}]`).toBeLessThanOrEqual(atol + rtol * Math.abs(v)),
      );
    });
  };
  run(
    "forward",
    names.map((name) => [name, c.outputs[name]!] as const),
  );
  if (grads.length)
    run(
      "backward",
      grads.map((name) => [name, c.grads[name]!] as const),
    );
}

// ---------------------------------------------------------------- recurrent
const flag = (name: string, value: unknown): string =>
  value === undefined || value === null ? "" : `, ${name}: ${String(value)}`;
const pytorchNames = { wx: "weight_ih", wh: "weight_hh", bx: "bias_ih", bh: "bias_hh" };
function recurrent(c: ReferenceCase): Use {
  const isCell = c.kind.endsWith("_cell") || c.name.startsWith("cell_");
  const before = c.kind === "gru_reset_before";
  const kind = c.kind.startsWith("rnn") ? "RNN" : c.kind.startsWith("gru") ? "GRU" : "LSTM";
  const act = kind === "RNN" ? flag("act", c.kind.includes("relu") ? "relu" : "tanh") : "";
  const { hidden, input } = c.attrs;
  const own = `${kind.toLowerCase()}${isCell ? "_cell" : ""}`;
  if (isCell) {
    const states = kind === "LSTM" ? ["h", "c"] : ["h"];
    const parameters = Object.fromEntries(
      Object.entries(pytorchNames).map(([name, theirs]) => [theirs, `net.${own}.${name}`]),
    );
    const typed = ["x", ...states].map((name) => `${name}: f32[B, ${name === "x" ? input : hidden}]`).join(", ");
    return {
      model: `model net(${typed}) = ${kind}Cell(${hidden}${act}${flag("bias", c.attrs["bias"])})(x, ${states.join(", ")})`,
      lets: `  let r = net(x, ${states.join(", ")})`,
      outputs: kind === "LSTM" ? { h_next: "r[0]", c_next: "r[1]" } : { h_next: "r" },
      parameters,
    };
  }
  const layers = Number(c.attrs["layers"] ?? 1);
  const directions = c.attrs["bidirectional"] === true ? 2 : 1;
  const parameters: Record<string, string> = {};
  for (let level = 0; level < layers; level++)
    for (const end of directions === 2 ? ["", "_reverse"] : [""])
      for (const [name, theirs] of Object.entries(pytorchNames))
        parameters[before ? theirs : `${theirs}_l${level}${end}`] = `net.${own}.recurrence[${level}].${name}${end}`;
  if (before) parameters["bias"] = `net.${own}.recurrence[0].bx`;
  const states = ["h0", "c0"].filter((name) => c.inputs[name]);
  const one = layers * directions === 1;
  const seen: Record<string, string> = { y: "r[0]" };
  if (c.outputs["h_n"]) seen["h_n"] = "r[1]";
  if (c.outputs["c_n"]) seen["c_n"] = "r[2]";
  const order: Record<string, Layout> = c.attrs["batch_first"] === false ? { x: timeFirst, y: timeFirst } : {};
  const state: Layout = (t) => (one ? reshaped(t, t.shape.slice(1)) : t);
  return {
    model: `model net(x: f32[B, ${(order["x"] ?? same)(c.inputs["x"]!).shape[1]}, ${input}]${states.map((s) => `, ${s}: f32[${layers * directions}, B, ${hidden}]`).join("")}) =
  ${kind}(${hidden}, layers: ${layers}, bidirectional: ${directions === 2}${act}${flag("bias", c.attrs["bias"])}${before ? ", reset_after: false" : ""}, return_state: true)(x${states.map((s) => `, ${s}`).join("")})`,
    lets: `  let r = net(${["x", ...states].join(", ")})`,
    outputs: seen,
    parameters,
    layout: { ...order, h_n: state, c_n: state },
  };
}
/** One bias vector: the other one is 0. */
function withBothBiases(c: ReferenceCase): ReferenceCase {
  const own = c.params["bias"];
  if (!own) return c;
  return { ...c, params: { ...c.params, bias_hh: { ...own, data: own.data.map(() => 0) } } };
}
describe("recurrent", () => {
  const cases = casesOf("recurrent");
  test("all of them", () => expect(cases.length).toBe(27));
  test.each(cases.map((c) => [c.name, c] as const))("%s", (_, c) => check(withBothBiases(c), recurrent(c)));
});

// ---------------------------------------------------------------- attention
const attentionNames = (path: string, prefix = ""): Record<string, string> => ({
  [`${prefix}in_proj_weight`]: `${path}.w`,
  [`${prefix}in_proj_bias`]: `${path}.b`,
  [`${prefix}out_proj.weight`]: `${path}.wo`,
  [`${prefix}out_proj.bias`]: `${path}.bo`,
});
const sizes = (c: ReferenceCase, name: string): string => c.inputs[name]!.shape.slice(1).join(", ");
const attention: Readonly<Record<string, (c: ReferenceCase) => Use>> = {
  multi_head_attention: (c) => {
    const others = c.attrs["cross"] === true ? ["kv"] : [];
    const masked = c.inputs["key_padding_mask"];
    const typed = ["x", ...others].map((name) => `${name}: f32[B, ${sizes(c, name)}]`);
    if (masked) typed.push(`keep: bool[B, ${sizes(c, "key_padding_mask")}]`);
    return {
      model: `model net(${typed.join(", ")}) = MultiHeadAttention(${c.attrs["heads"]}, causal: ${c.attrs["causal"]}, bias: ${c.attrs["bias"]}, return_weights: true)(x${others.length ? ", kv" : ""}${masked ? ", keep: keep" : ""})`,
      lets: `  let r = net(${["x", ...others, ...(masked ? ["not key_padding_mask"] : [])].join(", ")})`,
      outputs: { y: "r[0]", attn: "r[1]" },
      parameters: attentionNames("net.multi_head_attention"),
    };
  },
  scaled_dot_product_attention: (c) => ({
    model: "",
    outputs: {
      y: `scaled_dot_product_attention(q, k, v, causal: ${c.attrs["causal"] === true})`,
      attn: `attention_weights(q, k, causal: ${c.attrs["causal"] === true})`,
    },
    parameters: {},
  }),
  additive_attention: (c) => ({
    model: `model net(q: f32[B, ${sizes(c, "query")}], k: f32[B, ${sizes(c, "keys")}]) = AdditiveAttention(${c.params["v"]!.shape[0]}, return_weights: true)(q, k)`,
    lets: "  let r = net(query, keys)",
    outputs: { context: "r[0]", weights: "r[1]" },
    parameters: { W_q: "net.additive_attention.wq", W_k: "net.additive_attention.wk", v: "net.additive_attention.w" },
  }),
  learned_positions: (c) => ({
    model: `model net(x: f32[B, ${sizes(c, "x")}]) = x |> LearnedPositions(${c.attrs["max_length"]})`,
    outputs: { y: "net(x)" },
    parameters: { pos: "net.learned_positions.table" },
    layout: { pos: same },
  }),
  rotary_positions: (c) => ({
    model: "",
    outputs: { y: `rotary(x, base: ${c.attrs["base"]}, interleaved: ${c.attrs["pairs"] === "interleaved"})` },
    parameters: {},
  }),
  sinusoidal_positions: (c) => ({
    model: "",
    outputs: { y: `sinusoidal_positions(${c.attrs["length"]}, ${c.attrs["embed"]})` },
    parameters: {},
  }),
  sinusoidal_positions_add: (c) => ({
    model: `model net(x: f32[B, ${sizes(c, "x")}]) = x |> SinusoidalPositions()`,
    outputs: { y: "net(x)" },
    parameters: {},
  }),
  transformer_block: (c) => {
    const path = "net.transformer_encoder_layer";
    const both = (theirs: string, own: string, w = "w"): [string, string][] => [
      [`${theirs}.weight`, `${path}.${own}.${w}`],
      [`${theirs}.bias`, `${path}.${own}.b`],
    ];
    return {
      model: `model net(x: f32[B, ${sizes(c, "x")}]) = x |> TransformerEncoderLayer(${c.attrs["heads"]}, hidden: ${c.attrs["mlp_hidden"]}, act: ${c.attrs["activation"]}, norm_first: ${c.attrs["norm_first"]}, causal: ${c.attrs["causal"]}, eps: ${c.attrs["eps"]})`,
      outputs: { y: "net(x)" },
      parameters: {
        ...attentionNames(`${path}.self_attention`, "attn."),
        ...Object.fromEntries([
          ...both("ln1", "norm1", "g"),
          ...both("ln2", "norm2", "g"),
          ...both("fc1", "linear1"),
          ...both("fc2", "linear2"),
        ]),
      },
    };
  },
};
describe("attention", () => {
  const cases = casesOf("attention");
  test("all of them", () => expect(cases.length).toBe(17));
  test.each(cases.map((c) => [c.name, c] as const))("%s", (_, c) => check(c, attention[c.kind]!(c)));
});

// ---------------------------------------------------------------- layers
const layers: Readonly<Record<string, (c: ReferenceCase) => Use>> = {
  bilinear: (c) => ({
    model: `model net(a: f32[B, ${sizes(c, "a")}], b: f32[B, ${sizes(c, "b")}]) = Bilinear(${c.params["weight"]!.shape[0]})(a, b)`,
    outputs: { y: "net(a, b)" },
    parameters: { weight: "net.bilinear.w", bias: "net.bilinear.b" },
    layout: { weight: (t) => permute(t, [1, 2, 0]) },
  }),
  embedding: (c) => table(c, "Embedding", flag("padding_idx", c.attrs["padding_idx"])),
  embedding_bag: (c) => table(c, "EmbeddingBag", flag("mode", c.attrs["mode"])),
};
function table(c: ReferenceCase, name: string, settings: string): Use {
  const [n, dim] = c.params["weight"]!.shape;
  const { shape } = c.inputs["index"]!;
  return {
    model: `model net(i: i32[${["B", ...shape.slice(1)].join(", ")}] in 0..${n}) = ${name}(${n}, ${dim}${settings})(i)`,
    outputs: { y: "net(index)" },
    parameters: { weight: `net.${name === "Embedding" ? "embedding" : "embedding_bag"}.table` },
    layout: { weight: same },
    ranges: { index: ` in 0..${n}` },
  };
}
describe("layers", () => {
  const cases = casesOf("layer", Object.keys(layers));
  test("all of them", () => expect(cases.length).toBe(6));
  test.each(cases.map((c) => [c.name, c] as const))("%s", (_, c) => check(c, layers[c.kind]!(c)));
});
