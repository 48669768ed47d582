// RNN, GRU and LSTM as loops over time, and Scan, whose body is a graph of its own.
// W: [directions, gates * H, I], R: [directions, gates * H, H], B: [directions, 2 * gates * H]; tensors are time first unless layout is 1.
import { Unsupported } from "../model.ts";
import type { NodeReader } from "../node.ts";
import { constantOf } from "../types.ts";
import { float, range, type Result, type Value } from "../value.ts";
import { type Writer } from "../writer.ts";
import { type Operator, type Operators, type Surroundings } from "./operator.ts";

/** An activation as a function of text. Alphas and betas are taken from the node's lists in order, by those that have any. */
type Activation = (x: string) => string;
function activation(name: string, alpha: () => number | undefined, beta: () => number | undefined): Activation {
  const a = (absent: number): string => float(alpha() ?? absent);
  const b = (absent: number): string => float(beta() ?? absent);
  switch (name.toLowerCase()) {
    case "tanh":
      return (x) => `tanh(${x})`;
    case "sigmoid":
      return (x) => `sigmoid(${x})`;
    case "relu":
      return (x) => `relu(${x})`;
    case "softsign":
      return (x) => `softsign(${x})`;
    case "softplus":
      return (x) => `softplus(${x})`;
    case "elu": {
      const scale = a(1);
      return (x) => `elu(${x}, ${scale})`;
    }
    case "leakyrelu": {
      const slope = a(0.01);
      return (x) => `leaky_relu(${x}, ${slope})`;
    }
    case "thresholdedrelu": {
      const threshold = a(1);
      return (x) => `where(${x} > ${threshold}, ${x}, 0)`;
    }
    case "affine": {
      const [scale, offset] = [a(1), b(0)];
      return (x) => `${scale} * ${x} + ${offset}`;
    }
    case "scaledtanh": {
      const [scale, inner] = [a(1), b(1)];
      return (x) => `${scale} * tanh(${inner} * ${x})`;
    }
    case "hardsigmoid": {
      const [slope, offset] = [a(0.2), b(0.5)];
      return (x) => `clamp(${slope} * ${x} + ${offset}, lo: 0, hi: 1)`;
    }
    default:
      throw new Unsupported(`the activation ${name}`);
  }
}

/** One step: the states before -> the states after. `gate` is a gate before its activation, of the input and the state h. */
type Step = (
  writer: Writer,
  gate: (k: number, h?: string) => string,
  state: readonly string[],
  acts: readonly Activation[],
) => string[];

/** What the three have in common: layouts, directions, lengths, initial states, biases. */
function recurrent(
  node: NodeReader,
  writer: Writer,
  gates: number,
  states: number,
  defaults: readonly string[],
  cell: (direction: number, write: CellText) => Step,
): (Result | undefined)[] {
  const hidden = node.int("hidden_size");
  const direction = node.word("direction", ["forward", "reverse", "bidirectional"], "forward");
  const layout = node.opset < 14 ? 0 : node.int("layout", 0);
  const clip = node.int("clip", undefined);
  if (node.opset < 7) node.ignore("output_sequence");
  const x = node.input(0);
  const [w, r] = [node.input(1), node.input(2)];
  const [bias, lengths] = [node.optional(3), node.optional(4)];
  const initial = range(states).map((i) => node.optional(5 + i));
  const directions = direction === "bidirectional" ? 2 : 1;
  const [steps, batch] = layout ? [x.shape[1]!, x.shape[0]!] : [x.shape[0]!, x.shape[1]!];
  const names = node.strings("activations") ?? range(directions).flatMap(() => defaults);
  const alphas = [...(node.numbers("activation_alpha") ?? [])];
  const betas = [...(node.numbers("activation_beta") ?? [])];
  const acts = names.map((name) =>
    activation(
      name,
      () => alphas.shift(),
      () => betas.shift(),
    ),
  );
  const sequence = layout ? writer.let("sequence", `transpose(${writer.text(x)}, axes: [1, 0, 2])`) : writer.text(x);
  const outputs: string[] = [];
  const finals: string[][] = range(states).map(() => []);
  for (const d of range(directions)) {
    const backwards = direction === "reverse" || d === 1;
    const own = backwards ? writer.let("reversed", `flip(${sequence}, axis: 0)`) : sequence;
    const biases = bias && writer.let("bias", `${writer.text(bias)}[${d}]`);
    const projected = writer.let(
      "from_input",
      `${own} @ transpose(${writer.text(w)}[${d}])${biases ? ` + ${biases}[0..${gates * hidden}]` : ""}`,
    );
    const recurrentWeights = writer.let("recurrent", `transpose(${writer.text(r)}[${d}])`);
    const recurrentBias = biases && writer.let("recurrent_bias", `${biases}[${gates * hidden}..${2 * gates * hidden}]`);
    const body = writer.block();
    const item = writer.name("x");
    const counter = writer.name("step");
    const before = range(states).map((i) => writer.name(i ? "c" : "h"));
    const slice = (text: string, k: number): string => `${text}[:, ${k * hidden}..${(k + 1) * hidden}]`;
    const text: CellText = {
      hidden,
      clipped: (t) => (clip === undefined ? t : `clamp(${t}, lo: ${float(-clip)}, hi: ${float(clip)})`),
      input: (k) => slice(item, k),
      recurrent: (k, h) =>
        `(${h} @ ${recurrentWeights}[:, ${k * hidden}..${(k + 1) * hidden}]${recurrentBias ? ` + ${recurrentBias}[${k * hidden}..${(k + 1) * hidden}]` : ""})`,
    };
    const after = cell(d, text)(
      body,
      (k, h = before[0]!) => text.clipped(`${text.input(k)} + ${text.recurrent(k, h)}`),
      before,
      acts.slice(d * defaults.length, (d + 1) * defaults.length),
    );
    let [next, shown] = [after, after[0]!];
    if (lengths) {
      // a sequence that is over keeps its state and gives zeros
      const time = backwards ? `${steps - 1} - ${counter}` : counter;
      const running = body.let(
        "running",
        `for i in 0..${batch}, j in 0..${hidden}: ${time} < ${writer.text(lengths)}[i]`,
      );
      next = after.map((t, i) => `where(${running}, ${t}, ${before[i]})`);
      shown = `where(${running}, ${after[0]}, 0.0)`;
    }
    const start = range(states).map((i) =>
      initial[i]
        ? layout
          ? `${writer.text(initial[i])}[:, ${d}]`
          : `${writer.text(initial[i])}[${d}]`
        : `zeros[${batch}, ${hidden}]`,
    );
    const bound = start.map((t) => writer.let("start", t));
    const kept = next.map((t, i) => body.let(i ? "next_c" : "next_h", t));
    body.statements.push(`next ${before.map((b, i) => `${b} = ${kept[i]}`).join(", ")}`);
    body.statements.push(`yield (${[shown, ...kept].join(", ")})`);
    const loop = `scan (${item} in ${projected} along 0, ${counter} in 0..${steps}; ${before.map((b, i) => `${b} = ${bound[i]}`).join(", ")}) {
${body.statements.map((line) => `  ${line}`).join("\n")}
}`;
    const all = [writer.name("shown"), ...range(states).map((i) => writer.name(i ? "cells" : "states"))];
    writer.statements.push(`let (${all.join(", ")}) = ${loop}`);
    outputs.push(backwards ? `flip(${all[0]}, axis: 0)` : all[0]!);
    for (const i of range(states)) finals[i]!.push(`${all[i + 1]}[${steps - 1}]`);
  }
  const stacked = (texts: readonly string[]): string => `[${texts.join(", ")}]`;
  // [directions, T, B, H] -> [T, directions, B, H], or [B, T, directions, H]
  const y = `transpose(${stacked(outputs)}, axes: ${layout ? "[2, 1, 0, 3]" : "[1, 0, 2, 3]"})`;
  const final = (texts: readonly string[]): string =>
    layout ? `transpose(${stacked(texts)}, axes: [1, 0, 2])` : stacked(texts);
  const shape = layout ? [batch, directions, hidden] : [directions, batch, hidden];
  return [
    { shape: layout ? [batch, steps, directions, hidden] : [steps, directions, batch, hidden], type: "f32", text: y },
    ...finals.map((texts): Result => ({ shape, type: "f32", text: final(texts) })),
  ];
}
interface CellText {
  readonly hidden: number;
  readonly clipped: (text: string) => string;
  /** What the input gives to gate k, and what a state gives: its product with the recurrent weights, and their bias. */
  readonly input: (k: number) => string;
  readonly recurrent: (k: number, h: string) => string;
}

const rnn: Operator = (node, writer) =>
  recurrent(node, writer, 1, 1, ["Tanh"], () => (body, gate, _, acts) => [body.let("h", acts[0]!(gate(0)))]);
/** Gates z, r, h. */
const gru: Operator = (node, writer) => {
  const after = node.flag("linear_before_reset");
  return recurrent(node, writer, 3, 1, ["Sigmoid", "Tanh"], (_, text) => (body, gate, [h], acts) => {
    const z = body.let("update", acts[0]!(gate(0)));
    const r = body.let("reset", acts[0]!(gate(1)));
    const inner = after ? text.clipped(`${text.input(2)} + ${r} * ${text.recurrent(2, h!)}`) : gate(2, `(${r} * ${h})`);
    const candidate = body.let("candidate", acts[1]!(inner));
    return [body.let("h", `(1 - ${z}) * ${candidate} + ${z} * ${h}`)];
  });
};
/** Gates i, o, f, c; peepholes i, o, f. */
const lstm: Operator = (node, writer) => {
  const peepholes = node.optional(7);
  const coupled = node.flag("input_forget");
  return recurrent(node, writer, 4, 2, ["Sigmoid", "Tanh", "Tanh"], (d, text) => {
    const n = text.hidden;
    const peep = (k: number, c: string): string =>
      peepholes ? ` + ${writer.text(peepholes)}[${d}, ${k * n}..${(k + 1) * n}] * ${c}` : "";
    const sum = (k: number, h: string, c: string, p: number): string =>
      text.clipped(`${text.input(k)} + ${text.recurrent(k, h)}${peep(p, c)}`);
    return (body, gate, [h, c], acts) => {
      const i = body.let("input_gate", acts[0]!(sum(0, h!, c!, 0)));
      const f = body.let("forget_gate", coupled ? `1 - ${i}` : acts[0]!(sum(2, h!, c!, 2)));
      const candidate = body.let("candidate", acts[1]!(gate(3)));
      const cell = body.let("c", `${f} * ${c} + ${i} * ${candidate}`);
      const o = body.let("output_gate", acts[0]!(sum(1, h!, cell, 1)));
      return [body.let("h", `${o} * ${acts[2]!(cell)}`), cell];
    };
  });
};

/** Scan: states first, then sequences, in the inputs of node and body; before set 9 there is a batch axis in front and an input of lengths. */
const scan: Operator = (node, writer, { environment, context }: Surroundings) => {
  const body = node.graph("body");
  const count = node.int("num_scan_inputs");
  const old = node.opset < 9;
  const all = old ? node.inputs(1) : node.inputs();
  if (old && node.optional(0)) throw new Unsupported("Scan with lengths");
  const states = all.slice(0, all.length - count);
  const items = all.slice(all.length - count);
  if (old && all.some((v) => v.shape[0] !== 1)) throw new Unsupported("Scan over a batch");
  const drop = (v: Value): Value =>
    old ? { shape: v.shape.slice(1), type: v.type, text: writer.let("row", `${writer.text(v)}[0]`) } : v;
  const directions = node.numbers(old ? "directions" : "scan_input_directions") ?? items.map(() => 0);
  const axes = node.numbers("scan_input_axes") ?? items.map(() => 0);
  const outputCount = body.outputs.length - states.length;
  const outputDirections = node.numbers("scan_output_directions") ?? range(outputCount).map(() => 0);
  const outputAxes = node.numbers("scan_output_axes") ?? range(outputCount).map(() => 0);
  const inner = writer.block();
  const inside = new Map(environment);
  for (const t of body.initializers) inside.set(t.name, constantOf(t, `the initialiser ${t.name}`));
  const before = states.map(drop).map((v, i) => {
    const name = writer.name(body.inputs[i]!.name);
    inside.set(body.inputs[i]!.name, { shape: v.shape, type: v.type, text: name });
    return { name, start: writer.text(v), value: v };
  });
  let steps = 0;
  const sequences = items.map(drop).map((v, i) => {
    const info = body.inputs[states.length + i]!;
    const axis = axes[i]! < 0 ? axes[i]! + v.shape.length : axes[i]!;
    const order = [axis, ...range(v.shape.length).filter((a) => a !== axis)];
    steps = v.shape[axis]!;
    const moved = axis ? `transpose(${writer.text(v)}, axes: [${order.join(", ")}])` : writer.text(v);
    const source = directions[i] ? `flip(${moved}, axis: 0)` : moved;
    const name = writer.name(info.name);
    inside.set(info.name, { shape: order.slice(1).map((a) => v.shape[a]!), type: v.type, text: name });
    return `${name} in ${writer.let("sequence", source)} along 0`;
  });
  context.run(
    body,
    inside,
    inner,
    context,
    body.outputs.map((o) => o.name),
  );
  const results = body.outputs.map((o) => inside.get(o.name)!);
  const next = before.map(({ name }, i) => `${name} = ${inner.text(results[i]!)}`);
  const yielded = results.map((v) => inner.let("result", inner.text(v)));
  inner.statements.push(`next ${next.join(", ")}`, `yield (${yielded.join(", ")})`);
  const names = results.map((_, i) => writer.name(i < states.length ? "states" : "results"));
  const target = names.length === 1 ? names[0] : `(${names.join(", ")})`;
  writer.statements.push(
    `let ${target} = scan (${sequences.join(", ")}${before.length ? `; ${before.map((b) => `${b.name} = ${b.start}`).join(", ")}` : ""}) {
${inner.statements.map((line) => `  ${line}`).join("\n")}
}`,
  );
  return results.map((v, i): Result => {
    const final = i < states.length;
    const k = i - states.length;
    let [shape, text] = final ? [[...v.shape], `${names[i]}[${steps - 1}]`] : [[steps, ...v.shape], names[i]!];
    if (!final && outputDirections[k]) text = `flip(${text}, axis: 0)`;
    const axis = final ? 0 : (outputAxes[k]! + shape.length) % shape.length;
    if (axis) {
      const order = range(shape.length - 1, 1);
      order.splice(axis, 0, 0);
      text = `transpose(${text}, axes: [${order.join(", ")}])`;
      shape = order.map((a) => shape[a]!);
    }
    return old
      ? { shape: [1, ...shape], type: v.type, text: `reshape[${[1, ...shape].join(", ")}](${text})` }
      : { shape, type: v.type, text };
  });
};

/** A branch that is known is taken; else both are computed, which have to be alike, and one is chosen. */
const conditional: Operator = (node, writer, { environment, context }: Surroundings) => {
  const condition = node.input(0);
  const branch = (name: "then_branch" | "else_branch", into: Writer): Value[] => {
    const graph = node.graph(name);
    const inside = new Map(environment);
    for (const t of graph.initializers) inside.set(t.name, constantOf(t, `the initialiser ${t.name}`));
    const names = graph.outputs.map((o) => o.name);
    context.run(graph, inside, into, context, names);
    return names.map((name) => inside.get(name)!);
  };
  const result = (v: Value): Result =>
    v.constant
      ? { shape: v.shape, type: v.type, constant: v.constant }
      : { shape: v.shape, type: v.type, text: writer.text(v), ...(v.given ? { given: v.given } : {}) };
  if (condition.constant ?? condition.given) {
    node.graph("then_branch");
    node.graph("else_branch");
    return branch(node.constant(condition, "the condition")[0] ? "then_branch" : "else_branch", writer).map(result);
  }
  const [yes, no] = [branch("then_branch", writer), branch("else_branch", writer)];
  return yes.map((v, i): Result => {
    const other = no[i]!;
    if (String(v.shape) !== String(other.shape) || v.type !== other.type)
      throw new Unsupported("If whose branches give different shapes");
    const chosen = condition.shape.length ? `reshape[](${writer.text(condition)})` : writer.text(condition);
    return { shape: v.shape, type: v.type, text: `where(${chosen}, ${writer.text(v)}, ${writer.text(other)})` };
  });
};
/** A loop of a known number of rounds. One that may end before keeps its states from then on, and can give no sequences. */
const loop: Operator = (node, writer, { environment, context }: Surroundings) => {
  const body = node.graph("body");
  const rounds = node.optionalConstant(0, "the number of rounds")?.[0];
  if (rounds === undefined) throw new Unsupported("Loop whose number of rounds depends on values");
  const start = node.optional(1);
  const states = node.inputs(2);
  const inner = writer.block();
  const inside = new Map(environment);
  for (const t of body.initializers) inside.set(t.name, constantOf(t, `the initialiser ${t.name}`));
  const counter = writer.name(body.inputs[0]!.name);
  const going = writer.name("going");
  inside.set(body.inputs[0]!.name, { shape: [], type: "i32", text: counter });
  const condition = body.inputs[1]!.name;
  inside.set(condition, { shape: [], type: "bool", text: going });
  const before = states.map((v, i) => {
    const name = writer.name(body.inputs[2 + i]!.name);
    inside.set(body.inputs[2 + i]!.name, { shape: v.shape, type: v.type, text: name });
    return name;
  });
  const names = body.outputs.map((o) => o.name);
  context.run(body, inside, inner, context, names);
  const [proceeds, ...results] = names.map((name) => inside.get(name)!) as [Value, ...Value[]];
  const known =
    start && (start.constant ?? start.given) ? node.constant(start, "the condition")[0] : start ? undefined : 1;
  const fixed = known !== undefined && (proceeds.text === going || Boolean(proceeds.constant?.[0]));
  const after = results.slice(0, states.length);
  const shown = results.slice(states.length);
  if (!fixed && shown.length) throw new Unsupported("Loop whose number of results depends on values");
  if (after.some((v, i) => String(v.shape) !== String(states[i]!.shape)))
    throw new Unsupported("Loop whose states grow");
  const count = fixed && !known ? 0 : rounds;
  if (!count && shown.length) throw new Unsupported("Loop without rounds");
  if (!count) return states.map((v) => ({ shape: v.shape, type: v.type, text: writer.text(v) }));
  const kept = after.map((v, i) =>
    inner.let("result", fixed ? inner.text(v) : `where(${going}, ${inner.text(v)}, ${before[i]})`),
  );
  const last = fixed ? [] : [`${going} = ${going} and ${inner.text(proceeds)}`];
  const yielded = shown.map((v) => inner.let("result", inner.text(v)));
  const next = [...before.map((name, i) => `${name} = ${kept[i]}`), ...last];
  inner.statements.push(
    ...(next.length ? [`next ${next.join(", ")}`] : []),
    `yield (${[...kept, ...yielded].join(", ")})`,
  );
  const found = [...kept, ...yielded].map((_, i) => writer.name(i < states.length ? "states" : "results"));
  const starts = [
    ...before.map((name, i) => `${name} = ${writer.let("start", writer.text(states[i]!))}`),
    ...(fixed ? [] : [`${going} = ${start ? writer.text(start) : "true"}`]),
  ];
  writer.statements.push(
    `let ${found.length === 1 ? found[0] : `(${found.join(", ")})`} = scan (${counter} in 0..${count}${starts.length ? `; ${starts.join(", ")}` : ""}) {
${inner.statements.map((line) => `  ${line}`).join("\n")}
}`,
  );
  return [...after, ...shown].map((v, i): Result =>
    i < states.length
      ? { shape: v.shape, type: v.type, text: `${found[i]}[${count - 1}]` }
      : { shape: [count, ...v.shape], type: v.type, text: found[i]! },
  );
};

export const recurrences: Operators = { RNN: rnn, GRU: gru, LSTM: lstm, Scan: scan, If: conditional, Loop: loop };
