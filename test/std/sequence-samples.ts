// Arguments for the declarations of recurrent.dlm, attention.dlm, transformer.dlm, sequence.dlm and embedding.dlm: part of samples.ts.
import type { Sample } from "./samples.ts";

/** A layer applied to `x` and to further inputs, in order; with `pick` of what it gives. */
const on = (
  use: string,
  inputs: Readonly<Record<string, string>>,
  pick = "net",
  more: Partial<Sample> = {},
): Sample => {
  const names = Object.keys(inputs);
  const signature = names.map((name) => `${name}: ${inputs[name]}`).join(", ");
  const given = names.map((name) =>
    ["x", "h", "c", "memory", "x2", "values"].includes(name) ? name : `${name}: ${name}`,
  );
  return {
    declarations: `model net(${signature}) = ${use}(${given.join(", ")})`,
    inputs,
    call: pick === "net" ? `net(${names.join(", ")})` : pick.replace("net", `net(${names.join(", ")})`),
    ...more,
  };
};
const x = "f32[2, 3, 2]";
const length = "i32[2] in 0..4";
const qkv = { q: "f32[2, 3, 4]", k: "f32[2, 5, 4]", v: "f32[2, 5, 2]" };
const all = "|r| sum(r[0]) + sum(r[1] * r[1])";
const everything = (names: string): string => `(${all})(net(${names}))`;
const encoder = "TransformerEncoderLayer(2, hidden: 3, act: gelu";
const decoder = "TransformerDecoderLayer(2, hidden: 3, act: gelu";

export const sequenceSamples: Readonly<Record<string, readonly Sample[]>> = {
  rnn_step: [{ inputs: { z: "f32[2, 3]", h: "f32[2, 3]", w: "f32[3, 3]" }, call: "rnn_step(z, h, w)" }],
  lstm_step: [
    {
      inputs: { z: "f32[2, 12]", h: "f32[2, 2]", c: "f32[2, 3]", w: "f32[2, 12]" },
      call: "(|s| s[0] + s[1]^2)(lstm_step(z, h, c, w))",
    },
  ],
  gru_step: [true, false].map((after) => ({
    inputs: { z: "f32[2, 9]", h: "f32[2, 3]", w: "f32[3, 9]", b: "f32[3]" },
    call: `gru_step(z, h, w, b, reset_after: ${after})`,
  })),
  gru_bias: [true, false].map((after) => ({
    inputs: { a: "f32[6]", b: "f32[6]" },
    call: `gru_bias(a, b, ${after})`,
  })),
  recur: [
    {
      inputs: { z: "f32[2, 3, 2]", h: "f32[2, 2]", n: length },
      call: "recur(z, h, |z, h| tanh(z + 2 * h), n, reverse: true)",
    },
  ],
  recur_cell: [
    {
      inputs: { z: "f32[2, 3, 4]", h: "f32[2, 1]", c: "f32[2, 1]", w: "f32[1, 4]", n: length },
      call: "(|s| s[0] + s[1]^2)(recur_cell(z, h, c, |z, h, c| lstm_step(z, h, c, w), n))",
    },
  ],
  Recurrence: [
    on(
      "Recurrence(0, 1, 2, 1, |z, h, w, b| rnn_step(z, h, w), |a, b| a + b, false, 0, true, 0, true, normal(0, 1), normal(0, 1), 0)",
      { x, h: "f32[2, 2, 2]", c: "f32[2, 2, 1]", length },
      "",
      { call: everything("x, h, c, length") },
    ),
  ],
  RNN: [
    on("RNN(2)", { x }),
    on("RNN(2, layers: 2, act: |z| sin(z), bias: false)", { x: "f32[2, 1, 2]" }),
    on("RNN(2, layers: 2, bidirectional: true, return_state: true)", { x, h: "f32[4, 2, 2]", length }, "", {
      call: everything("x, h, length"),
    }),
  ],
  GRU: [
    on("GRU(2)", { x, h: "f32[2, 2]" }),
    on("GRU(2, bidirectional: true, bias: false)", { x, length }),
    on("GRU(2, layers: 2, reset_after: false, return_state: true)", { x, h: "f32[2, 2, 2]", length }, "", {
      call: everything("x, h, length"),
    }),
  ],
  LSTM: [
    on("LSTM(2)", { x, h: "f32[2, 2]", c: "f32[2, 2]" }),
    on("LSTM(3, bidirectional: true, proj: 2)", { x, length }),
    on(
      "LSTM(2, layers: 2, bidirectional: true, return_state: true)",
      { x: "f32[1, 2, 2]", length: "i32[1] in 0..3" },
      "",
      {
        call: "(|r| sum(r[0]) + sum(r[1] * r[2]))(net(x, length))",
        orders: 1,
      },
    ),
  ],
  RNNCell: [on("RNNCell(3)", { x: "f32[2, 2]", h: "f32[2, 3]" }), on("RNNCell(3, bias: false)", { x: "f32[2]" })],
  GRUCell: [
    on("GRUCell(3)", { x: "f32[2, 2]", h: "f32[2, 3]" }),
    on("GRUCell(3, bias: false, reset_after: false)", { x: "f32[2, 2]", h: "f32[2, 3]" }),
  ],
  LSTMCell: [
    on("LSTMCell(3)", { x: "f32[2, 2]", h: "f32[2, 3]", c: "f32[2, 3]" }, "", {
      call: "(|s| s[0] + s[1]^2)(net(x, h, c))",
    }),
    on("LSTMCell(3, bias: false)", { x: "f32[2, 2]" }, "", { call: "(|s| s[0] + s[1]^2)(net(x))" }),
  ],

  attention_weights: [
    { inputs: { q: qkv.q, k: qkv.k }, call: "attention_weights(q, k, causal: true)" },
    {
      inputs: { q: "f32[2, 2, 3, 4]", k: "f32[2, 1, 5, 4]", b: "f32[3, 5]" },
      call: "attention_weights(q, k, scale: 0.3, bias: b)",
    },
  ],
  scaled_dot_product_attention: [
    { inputs: qkv, call: "scaled_dot_product_attention(q, k, v)" },
    {
      inputs: { ...qkv, n: "i32[2] in 0..6" },
      call: "scaled_dot_product_attention(q, k, v, mask: unsqueeze(length_mask(n, 5), 1), causal: true, scale: 2)",
    },
  ],
  MultiHeadAttention: [
    on("MultiHeadAttention(2)", { x: "f32[2, 3, 4]" }),
    on("MultiHeadAttention(2, causal: true, rotary: true, bias: false)", { x: "f32[2, 3, 4]" }),
    on(
      "MultiHeadAttention(4, kv_heads: 2, head_dim: 2, alibi: true, return_weights: true)",
      { x: "f32[2, 3, 4]", memory: "f32[2, 2, 3]", length: "i32[2] in 0..3" },
      "",
      { call: everything("x, memory, length") },
    ),
  ],
  AdditiveAttention: [
    on("AdditiveAttention(3)", { x: "f32[2, 2]", memory: "f32[2, 4, 3]", length: "i32[2] in 0..5" }),
    on(
      "AdditiveAttention(3, return_weights: true)",
      { x: "f32[2, 2]", memory: "f32[2, 4, 3]", values: "f32[2, 4, 1]" },
      "",
      { call: everything("x, memory, values") },
    ),
  ],
  rotary_positions: [
    { inputs: { x: "f32[2, 3, 4]" }, call: "rotary_positions(x, base: 10, start: 2, interleaved: false)" },
  ],
  rotary: [
    { inputs: { x: "f32[2, 3, 4]" }, call: "rotary(x)" },
    { inputs: { x: "f32[2, 3, 5]" }, call: "rotary(x, size: 2)" },
  ],
  sinusoidal_positions: [{ call: "sinusoidal_positions(3, 5)" }],
  SinusoidalPositions: [on("SinusoidalPositions()", { x })],
  LearnedPositions: [on("LearnedPositions(4)", { x })],
  alibi_slopes: [{ call: "alibi_slopes(6)" }],
  alibi_bias: [{ call: "alibi_bias(2, 3, 4)" }],

  TransformerEncoderLayer: [
    on(`${encoder}, causal: true)`, { x: "f32[2, 3, 4]" }),
    on(`${encoder}, norm_first: true, bias: false)`, { x: "f32[2, 3, 4]", length }),
  ],
  TransformerDecoderLayer: [
    on(`${decoder}, causal: true)`, { x: "f32[1, 3, 4]", memory: "f32[1, 2, 3]" }),
    on(`${decoder}, norm_first: true)`, { x: "f32[2, 2, 4]", memory: "f32[2, 3, 4]", length }, "net", { orders: 1 }),
  ],
  TransformerEncoder: [
    on("TransformerEncoder(2, 2, hidden: 3, act: gelu, norm_first: true)", { x: "f32[1, 2, 4]" }, "net", { orders: 1 }),
  ],
  TransformerDecoder: [
    on("TransformerDecoder(2, 2, hidden: 3, act: gelu)", { x: "f32[1, 2, 4]", memory: "f32[1, 2, 3]" }, "net", {
      orders: 1,
    }),
  ],
  Experts: [on("Experts(3, biases: 0.1)", { x: "f32[2, 4, 2]" })],
  MixtureOfExperts: [
    on("MixtureOfExperts(3, 2, act: tanh)", { x: "f32[4, 2]" }),
    on("MixtureOfExperts(3, 2, k: 1, act: tanh, return_balance: true)", { x: "f32[2, 2, 2]" }, "", {
      call: "(|r| sum(r[0]^2) + r[1])(net(x))",
    }),
  ],

  length_mask: [{ inputs: { n: length }, call: "where(length_mask(n, 4), 1.0, 0.0)" }],
  masked_softmax: [{ inputs: { x: "f32[2, 3]", n: length }, call: "masked_softmax(x, length_mask(n, 3))" }],
  masked_sum: [{ inputs: { x, n: length }, call: "masked_sum(x, length_mask(n, 3))" }],
  masked_mean: [{ inputs: { x, n: length }, call: "masked_mean(x, length_mask(n, 3))" }],
  masked_max: [{ inputs: { x, n: length }, call: "masked_max(x, length_mask(n, 3))" }],
  last_at: [{ inputs: { x, n: length }, call: "last_at(x, n)" }],
  reverse_sequence: [{ inputs: { x, n: length }, call: "reverse_sequence(x, n)" }],

  Embedding: [on("Embedding(5, 3)", { x: "i32[2, 4] in 0..5" })],
  EmbeddingBag: [
    on("EmbeddingBag(5, 3)", { x: "i32[2, 4] in 0..5" }),
    on("EmbeddingBag(5, 3, mode: sum, padding_idx: 1)", { x: "i32[2, 4] in 0..5", factor: "f32[2, 4]" }),
    on("EmbeddingBag(5, 3, mode: max, padding_idx: 0)", { x: "i32[2, 4] in 0..5", length: "i32[2] in 0..5" }),
  ],
  Bilinear: [
    on("Bilinear(2)", { x: "f32[2, 3]", x2: "f32[2, 2]" }),
    on("Bilinear(2, bias: false, act: tanh)", { x: "f32[3]", x2: "f32[2]" }),
  ],
};
/** Layers that do something else in training. */
export const trainedSequences = {
  LSTM: [{ use: "LSTM(2, layers: 2, dropout: 0.4)", type: "[2, 3, 2]" }],
  MultiHeadAttention: [{ use: "MultiHeadAttention(2, causal: true, dropout: 0.3)", type: "[2, 3, 4]" }],
  TransformerEncoderLayer: [{ use: `${encoder})`, type: "[2, 2, 4]" }],
} as const;
