// Recurrent cells and networks, in PyTorch's layout of weights: [gates * hidden, inputs], gates one after another.
import { plain, Refused, type CaseReader } from "../reader.ts";
import { range, type Rule, type Rules } from "../translation.ts";

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
function weights(c: CaseReader, suffix: string, bias: boolean): Weights {
  const name = (kind: string): string => {
    c.tensor(`${kind}${suffix}`);
    return plain(`${kind}${suffix}`);
  };
  return {
    ih: name("weight_ih"),
    hh: name("weight_hh"),
    ...(bias ? { biasIh: name("bias_ih"), biasHh: name("bias_hh") } : {}),
  };
}
/** Sizes that the attributes state again are those of the weights. */
function sizes(c: CaseReader, cell: Cell, weight: string): number {
  const [rows, inputs] = c.shape(weight) as [number, number];
  const hidden = c.number("hidden");
  if (rows !== gateCount[cell] * hidden || inputs !== c.number("input")) throw new Refused("sizes that do not fit");
  return hidden;
}

const single =
  (cell: Cell): Rule =>
  (c) => {
    const hidden = sizes(c, cell, "weight_ih");
    const states = cell === "lstm" ? ["h", "c"] : ["h"];
    const { lets, next } = step(cell, hidden, weights(c, "", c.flag("bias", true)), "x", states);
    return {
      lets: lets.join("\n  "),
      outputs: cell === "lstm" ? { h_next: next[0]!, c_next: next[1]! } : { h_next: next[0]! },
    };
  };

const network =
  (cell: Cell): Rule =>
  (c) => {
    const hidden = sizes(c, cell, "weight_ih_l0");
    const bias = c.flag("bias", true);
    const first = c.flag("batch_first", false);
    const directions = c.flag("bidirectional", false) ? 2 : 1;
    const layers = c.number("layers", 1);
    const given = c.word("initial_state", ["given", "zeros"], "zeros") === "given";
    const [steps, batch] = first ? [c.extent("x", 1), c.extent("x", 0)] : [c.extent("x", 0), c.extent("x", 1)];
    const states = cell === "lstm" ? ["h", "c"] : ["h"];
    const lets: string[] = [`let seq0 = ${first ? "transpose(x, axes: [1, 0, 2])" : "x"}`];
    const finals: string[][] = states.map(() => []);
    for (const layer of range(layers)) {
      const outputs: string[] = [];
      for (const d of range(directions)) {
        const tag = `${layer}_${d}`;
        const w = weights(c, `_l${layer}${d ? "_reverse" : ""}`, bias);
        const { lets: body, next } = step(cell, hidden, w, "item", states);
        const start = states.map((s) => (given ? `${s}0[${layer * directions + d}]` : `zeros[${batch}, ${hidden}]`));
        const source = d ? `flip(seq${layer}, axis: 0)` : `seq${layer}`;
        const all = states.map((s) => `${s}s${tag}`);
        lets.push(
          ...start.map((text, i) => `let ${states[i]}_start${tag} = ${text}`),
          `let source${tag} = ${source}`,
          `let ${all.length > 1 ? `(${all.join(", ")})` : all[0]} = scan (item in source${tag} along 0; ${states.map((s) => `${s} = ${s}_start${tag}`).join(", ")}) {
    ${body.join("\n    ")}
    next ${states.map((s, i) => `${s} = ${next[i]}`).join(", ")}
    yield ${next.length > 1 ? `(${next.join(", ")})` : next[0]}
  }`,
        );
        outputs.push(d ? `flip(${all[0]}, axis: 0)` : all[0]!);
        for (const [i, name] of all.entries()) finals[i]!.push(`${name}[${steps - 1}]`);
      }
      lets.push(
        `let seq${layer + 1} = ${outputs.length > 1 ? `concat([${outputs.join(", ")}], axis: 2)` : outputs[0]}`,
      );
    }
    const y = first ? `transpose(seq${layers}, axes: [1, 0, 2])` : `seq${layers}`;
    return {
      lets: lets.join("\n  "),
      outputs: { y, ...Object.fromEntries(states.map((s, i) => [`${s}_n`, `[${finals[i]!.join(", ")}]`])) },
    };
  };

/** One layer with the older place of the reset gate and one bias vector. */
const resetBefore: Rule = (c) => {
  const hidden = sizes(c, "gru_reset_before", "weight_ih");
  const first = c.flag("batch_first", false);
  // the state's product of the candidate is made from the gated state
  const w: Weights = { ih: "weight_ih", hh: "weight_hh", ...(c.has("bias") ? { biasIh: "bias" } : {}) };
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
