// Recurrent cells and networks, in PyTorch's layout of weights: [gates * hidden, inputs], gates one after another.
import { permute, reshaped, type ReferenceTensor } from "../case.ts";
import { Refused, type CaseReader } from "../reader.ts";
import { range, type Rule, type Rules } from "../translation.ts";
import { matrix } from "./layer.ts";

type Cell = "rnn_tanh" | "rnn_relu" | "lstm" | "gru" | "gru_reset_before";
const gateCount: Readonly<Record<Cell, number>> = { rnn_tanh: 1, rnn_relu: 1, lstm: 4, gru: 3, gru_reset_before: 3 };

/** `weight_ih_l0_reverse` and its companions, as dlm names. */
interface Weights {
  readonly ih: string;
  readonly hh: string;
  readonly biasIh?: string;
  readonly biasHh?: string;
}
/** One step: statements, and the new states; x: [B, I], h (and c): [B, H]. */
export function step(
  cell: Cell,
  hidden: number,
  w: Weights,
  x: string,
  states: readonly string[],
): { lets: string[]; next: string[] } {
  const [h, c] = states;
  const slice = (k: number): string => `${k * hidden}..${(k + 1) * hidden}`;
  const fromInput = (k: number): string => `gi[:, ${slice(k)}]`;
  const fromState = (k: number): string => `gh[:, ${slice(k)}]`;
  const lets = [
    `let gi = ${x} @ transpose(${w.ih})${w.biasIh ? ` + ${w.biasIh}` : ""}`,
    `let gh = ${h} @ transpose(${w.hh})${w.biasHh ? ` + ${w.biasHh}` : ""}`,
  ];
  switch (cell) {
    case "rnn_tanh":
    case "rnn_relu":
      return { lets: [...lets, `let h1 = ${cell.slice(4)}(gi + gh)`], next: ["h1"] };
    case "lstm":
      return {
        lets: [
          ...lets,
          `let input_gate = sigmoid(${fromInput(0)} + ${fromState(0)})`,
          `let forget_gate = sigmoid(${fromInput(1)} + ${fromState(1)})`,
          `let candidate = tanh(${fromInput(2)} + ${fromState(2)})`,
          `let output_gate = sigmoid(${fromInput(3)} + ${fromState(3)})`,
          `let c1 = forget_gate * ${c} + input_gate * candidate`,
          `let h1 = output_gate * tanh(c1)`,
        ],
        next: ["h1", "c1"],
      };
    case "gru":
    case "gru_reset_before": {
      const inner = cell === "gru" ? `reset * ${fromState(2)}` : `(reset * ${h}) @ transpose(${w.hh}[${slice(2)}])`;
      return {
        lets: [
          ...lets,
          `let reset = sigmoid(${fromInput(0)} + ${fromState(0)})`,
          `let update = sigmoid(${fromInput(1)} + ${fromState(1)})`,
          `let candidate = tanh(${fromInput(2)} + ${inner})`,
          `let h1 = (1 - update) * candidate + update * ${h}`,
        ],
        next: ["h1"],
      };
    }
    default:
      return cell satisfies never;
  }
}
/** Sizes that the attributes state again are those of the weights. */
function sizes(c: CaseReader, cell: Cell, weight: string): number {
  const [rows, inputs] = c.shape(weight) as [number, number];
  const hidden = c.number("hidden");
  if (rows !== gateCount[cell] * hidden || inputs !== c.number("input")) throw new Refused("sizes that do not fit");
  return hidden;
}
const layerOf: Readonly<Record<Cell, string>> = {
  rnn_tanh: "RNN",
  rnn_relu: "RNN",
  lstm: "LSTM",
  gru: "GRU",
  gru_reset_before: "GRU",
};
/** The library's names of PyTorch's weights. */
const weightNames = { weight_ih: "wx", weight_hh: "wh", bias_ih: "bx", bias_hh: "bh", weight_hr: "wp" };
const activation = (cell: Cell): string => (cell === "rnn_relu" ? ", act: relu" : "");

const single =
  (cell: Cell): Rule =>
  (c) => {
    const hidden = sizes(c, cell, "weight_ih");
    const bias = c.flag("bias", true);
    const states = cell === "lstm" ? ["h", "c"] : ["h"];
    const typed = ["x", ...states].map((name) => `${name}: f32[B, ${name === "x" ? c.extent("x", 1) : hidden}]`);
    const path = `net.${layerOf[cell].toLowerCase()}_cell`;
    return {
      declarations: `model net(${typed.join(", ")}) = ${layerOf[cell]}Cell(${hidden}${activation(cell)}, bias: ${bias})(x, ${states.join(", ")})`,
      parameters: Object.fromEntries(Object.entries(weightNames).map(([theirs, own]) => [theirs, `${path}.${own}`])),
      layout: { weight_ih: matrix, weight_hh: matrix },
      lets: `let r = net(x, ${states.join(", ")})`,
      outputs: cell === "lstm" ? { h_next: "r[0]", c_next: "r[1]" } : { h_next: "r" },
    };
  };

const timeFirst = (t: ReferenceTensor): ReferenceTensor => permute(t, [1, 0, 2]);
const network =
  (cell: Cell): Rule =>
  (c) => {
    const hidden = sizes(c, cell, "weight_ih_l0");
    const bias = c.flag("bias", true);
    const first = c.flag("batch_first", false);
    const both = c.flag("bidirectional", false);
    const layers = c.number("layers", 1);
    const given = c.word("initial_state", ["given", "zeros"], "zeros") === "given";
    const rows = layers * (both ? 2 : 1);
    const states = given ? (cell === "lstm" ? ["h0", "c0"] : ["h0"]) : [];
    const parameters: Record<string, string> = {};
    const layout: Record<string, (t: ReferenceTensor) => ReferenceTensor> = first ? {} : { x: timeFirst, y: timeFirst };
    const path = `net.${layerOf[cell].toLowerCase()}`;
    for (const level of range(layers))
      for (const end of both ? ["", "_reverse"] : [""])
        for (const [theirs, own] of Object.entries(weightNames)) {
          const name = `${theirs}_l${level}${end}`;
          parameters[name] = `${path}.recurrence[${level}].${own}${end}`;
          if (theirs.startsWith("weight")) layout[name] = matrix;
        }
    // a single state has no axis of layers in dlm
    const state = (t: ReferenceTensor): ReferenceTensor => (rows === 1 ? reshaped(t, t.shape.slice(1)) : t);
    const projected = c.number("proj_size", 0);
    if (c.number("dropout", 0) !== 0) throw new Refused("dropout");
    const width = (s: string): number => (s === "h0" && projected ? projected : hidden);
    const typed = [`x: f32[B, T, ${c.extent("x", 2)}]`, ...states.map((s) => `${s}: f32[${rows}, B, ${width(s)}]`)];
    const options = `${hidden}, layers: ${layers}, bidirectional: ${both}${activation(cell)}, bias: ${bias}, return_state: true${projected ? `, proj: ${projected}` : ""}`;
    return {
      declarations: `model net(${typed.join(", ")}) = ${layerOf[cell]}(${options})(${["x", ...states].join(", ")})`,
      parameters,
      layout: { ...layout, h_n: state, c_n: state },
      lets: `let r = net(${["x", ...states].join(", ")})`,
      outputs: { y: "r[0]", h_n: "r[1]", ...(cell === "lstm" ? { c_n: "r[2]" } : {}) },
    };
  };

/** One layer with the older place of the reset gate and one bias vector, as formulas: the library has two vectors. */
const resetBefore: Rule = (c) => {
  const hidden = sizes(c, "gru_reset_before", "weight_ih");
  const w: Weights = { ih: "weight_ih", hh: "weight_hh", ...(c.has("bias") ? { biasIh: "bias" } : {}) };
  const first = c.flag("batch_first", false);
  const { lets, next } = step("gru_reset_before", hidden, w, "item", ["h"]);
  const batch = c.extent("x", first ? 0 : 1);
  return {
    lets: `let seq = ${first ? "transpose(x, axes: [1, 0, 2])" : "x"}
  let start = ${c.has("h0") ? "h0[0]" : `zeros[${batch}, ${hidden}]`}
  let hs = scan (item in seq along 0; h = start) {
    ${lets.join("\n    ")}
    next h = ${next[0]}
    yield ${next[0]}
  }`,
    outputs: { y: first ? "transpose(hs, axes: [1, 0, 2])" : "hs" },
  };
};

export const recurrent: Rules = {
  rnn_tanh_cell: single("rnn_tanh"),
  rnn_relu_cell: single("rnn_relu"),
  lstm_cell: single("lstm"),
  gru_cell: single("gru"),
  rnn_tanh: network("rnn_tanh"),
  rnn_relu: network("rnn_relu"),
  lstm: network("lstm"),
  gru: network("gru"),
  gru_reset_before: resetBefore,
};
