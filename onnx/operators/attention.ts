// Attention with masks, caches and windows, linear attention, rotary positions.
import { Unsupported } from "../model.ts";
import { float, type Result, type Value } from "../value.ts";
import { at, broadcastIndex, forAll, type Writer } from "../writer.ts";
import { one, type Operator, type Operators } from "./operator.ts";

/** [B, T, H * D] -> [B, H, T, D]; tensors with an axis of heads stay. */
function heads(writer: Writer, x: Value, count: number): Value {
  if (x.shape.length === 4) return x;
  const [b, t, width] = x.shape as [number, number, number];
  const size = width / count;
  const text = `transpose(reshape[${b}, ${t}, ${count}, ${size}](${writer.text(x)}), axes: [0, 2, 1, 3])`;
  return { shape: [b, count, t, size], type: x.type, text: writer.let("heads", text) };
}
/** `query head // group` is the head of key and value. */
const keyHead = (group: number): string => (group === 1 ? "h" : `h // ${group}`);

const attention: Operator = (node, writer) => {
  const [qIn, kIn, vIn] = [node.input(0), node.input(1), node.input(2)];
  const packed = qIn.shape.length === 3;
  const [qHeads, kvHeads] = [node.int("q_num_heads", qIn.shape[1]!), node.int("kv_num_heads", kIn.shape[1]!)];
  const [mask, pastKey, pastValue, lengths] = [3, 4, 5, 6].map((i) => node.optional(i));
  node.ignore("softmax_precision");
  const q = heads(writer, qIn, qHeads);
  const newKey = heads(writer, kIn, kvHeads);
  const newValue = heads(writer, vIn, kvHeads);
  const joined = (past: Value | undefined, now: Value, name: string): Value => {
    if (!past) return now;
    const shape = now.shape.map((n, i) => (i === 2 ? n + past.shape[2]! : n));
    const text = writer.let(name, `concat([${writer.text(past)}, ${writer.text(now)}], axis: 2)`);
    return { shape, type: now.type, text };
  };
  const key = joined(pastKey, newKey, "keys");
  const value = joined(pastValue, newValue, "values");
  const [b, h, queries, size] = q.shape as [number, number, number, number];
  const keys = key.shape[2]!;
  const width = value.shape[3]!;
  const group = h / key.shape[1]!;
  const scale = node.float("scale", 1 / Math.sqrt(size));
  const softcap = node.float("softcap", 0);
  const causal = node.flag("is_causal");
  const [left, right] = [node.int("left_window_size", -1), node.int("right_window_size", -1)];
  const mode = node.int("qk_matmul_output_mode", 0);
  const names = ["b", "h", "i", "j"];
  const shape = [b, h, queries, keys];
  const dot = `(sum over d in 0..${size}: ${writer.text(q)}[b, h, i, d] * ${writer.text(key)}[b, ${keyHead(group)}, j, d])`;
  const raw = writer.let("scores", forAll(names, shape, `${float(scale)} * ${dot}`));
  const capped = softcap > 0 ? writer.let("capped", `${float(softcap)} * tanh(${raw} / ${float(softcap)})`) : raw;
  // a query stands at its place among all keys
  const offset = pastKey ? String(pastKey.shape[2]) : lengths ? `${writer.text(lengths)}[b] - ${queries}` : "0";
  const place = offset === "0" ? "i" : `i + ${offset}`;
  const allowed = [
    ...(causal ? [`j <= ${place}`] : []),
    ...(left >= 0 ? [`j >= ${place} - ${left}`] : []),
    ...(right >= 0 ? [`j <= ${place} + ${right}`] : []),
    ...(lengths ? [`j < ${writer.text(lengths)}[b]`] : []),
  ];
  let added = "";
  if (mask) {
    const index = broadcastIndex(mask.shape, names);
    const covered = mask.shape.at(-1)!;
    if (covered < keys && covered !== 1) {
      // a shorter mask leaves the keys behind it out
      allowed.push(`j < ${covered}`);
      index[index.length - 1] = `min(j, ${covered - 1})`;
    }
    const element = at(writer.text(mask), index);
    if (mask.type === "bool") allowed.push(element);
    else added = ` + ${element}`;
  }
  const biased =
    allowed.length || added
      ? writer.let(
          "biased",
          forAll(
            names,
            shape,
            allowed.length
              ? `where(${allowed.join(" and ")}, ${at(capped, names)}${added}, -inf)`
              : `${at(capped, names)}${added}`,
          ),
        )
      : capped;
  const softened = writer.let("weights", `softmax(${biased})`);
  let weights = softened;
  if (allowed.length || added) {
    // a query that may see no key gets zeros
    const some = writer.let("seen", `max(${biased}, axis: 3, keep: true)`);
    weights = writer.let("weights", `where(expand[${shape.join(", ")}](${some} > -inf), ${softened}, 0.0)`);
  }
  const mixed = `sum over j in 0..${keys}: ${weights}[b, h, i, j] * ${writer.text(value)}[b, ${keyHead(group)}, j, d]`;
  const y = writer.let("attended", `for b in 0..${b}, h in 0..${h}, i in 0..${queries}, d in 0..${width}: ${mixed}`);
  const result: Result = packed
    ? {
        shape: [b, queries, h * width],
        type: "f32",
        text: `reshape[${b}, ${queries}, ${h * width}](transpose(${y}, axes: [0, 2, 1, 3]))`,
      }
    : { shape: [b, h, queries, width], type: "f32", text: y };
  const shown = [raw, capped, biased, weights][mode];
  if (shown === undefined) throw new Unsupported(`Attention with qk_matmul_output_mode ${mode}`);
  return [
    result,
    { shape: key.shape, type: "f32", text: writer.text(key) },
    { shape: value.shape, type: "f32", text: writer.text(value) },
    { shape, type: "f32", text: shown },
  ];
};

/** A matrix for every head as the state of a loop over time, written by keys and read by queries. */
const linearAttention: Operator = (node, writer) => {
  const [qIn, kIn, vIn] = [node.input(0), node.input(1), node.input(2)];
  const [past, decay, beta] = [node.optional(3), node.optional(4), node.optional(5)];
  const [qHeads, kvHeads] = [node.int("q_num_heads"), node.int("kv_num_heads")];
  const rule = node.word("update_rule", ["linear", "gated", "delta", "gated_delta"], "gated_delta");
  node.ignore("chunk_size");
  const [b, steps] = qIn.shape as [number, number];
  const size = qIn.shape[2]! / qHeads;
  const width = vIn.shape[2]! / kvHeads;
  const group = qHeads / kvHeads;
  const given = node.float("scale", 0);
  const scale = float(given === 0 ? 1 / Math.sqrt(size) : given);
  // time first, for the loop
  const apart = (x: Value, count: number, name: string): string =>
    writer.let(
      name,
      `transpose(reshape[${b}, ${steps}, ${count}, ${x.shape[2]! / count}](${writer.text(x)}), axes: [1, 0, 2, 3])`,
    );
  const items: string[] = [];
  const item = (x: Value, count: number, name: string): string => {
    const local = writer.name(name);
    items.push(`${local} in ${apart(x, count, `${name}s`)} along 0`);
    return local;
  };
  const q = item(qIn, qHeads, "query");
  const k = item(kIn, kvHeads, "key");
  const v = item(vIn, kvHeads, "value");
  const body = writer.block();
  const state = writer.name("state");
  const whole = `for b in 0..${b}, h in 0..${kvHeads}, d in 0..${size}, m in 0..${width}`;
  let old = state;
  if (rule.startsWith("gated")) {
    if (!decay) throw new Unsupported(`LinearAttention with ${rule} without decay`);
    const g = item(decay, kvHeads, "decay");
    const each = decay.shape[2] === kvHeads ? `${g}[b, h, 0]` : `${g}[b, h, d]`;
    old = body.let("decayed", `${whole}: exp(${each}) * ${state}[b, h, d, m]`);
  }
  let written = v;
  if (rule.endsWith("delta")) {
    if (!beta) throw new Unsupported(`LinearAttention with ${rule} without beta`);
    const rate = item(beta, beta.shape[2]!, "rate");
    const own = `${rate}[b, ${beta.shape[2] === 1 ? "0" : "h"}, 0]`;
    const known = `(sum over d in 0..${size}: ${old}[b, h, d, m] * ${k}[b, h, d])`;
    written = body.let(
      "written",
      `for b in 0..${b}, h in 0..${kvHeads}, m in 0..${width}: ${own} * (${v}[b, h, m] - ${known})`,
    );
  }
  const now = body.let("now", `${whole}: ${old}[b, h, d, m] + ${k}[b, h, d] * ${written}[b, h, m]`);
  const read = `sum over d in 0..${size}: ${q}[b, h, d] * ${now}[b, ${keyHead(group)}, d, m]`;
  const output = body.let("read", `for b in 0..${b}, h in 0..${qHeads}, m in 0..${width}: ${scale} * (${read})`);
  body.statements.push(`next ${state} = ${now}`, `yield (${output}, ${now})`);
  const start = past ? writer.text(past) : writer.let("start", `zeros[${b}, ${kvHeads}, ${size}, ${width}]`);
  const [outputs, states] = [writer.name("outputs"), writer.name("states")];
  writer.statements.push(
    `let (${outputs}, ${states}) = scan (${items.join(", ")}; ${state} = ${start}) {
${body.statements.map((line) => `  ${line}`).join("\n")}
}`,
  );
  const shape = [b, steps, qHeads * width];
  return [
    { shape, type: "f32", text: `reshape[${shape.join(", ")}](transpose(${outputs}, axes: [1, 0, 2, 3]))` },
    { shape: [b, kvHeads, size, width], type: "f32", text: `${states}[${steps - 1}]` },
  ];
};

/** Pairs of features turned by an angle for each place: halves of the features, or neighbours. */
const rotary: Operator = one((node, writer) => {
  const x = node.input(0);
  const [cos, sin, positions] = [node.input(1), node.input(2), node.optional(3)];
  const interleaved = node.flag("interleaved");
  const count = node.int("num_heads", 0);
  const packed = x.shape.length === 3;
  const apart = packed ? heads(writer, x, count) : x;
  const [b, h, t, size] = apart.shape as [number, number, number, number];
  const turned = node.int("rotary_embedding_dim", 0) || size;
  const half = turned / 2;
  const n = cos.shape[0]!;
  const place = positions ? `(${writer.text(positions)}[b, i] + ${n}) % ${n}` : "b, i";
  const text = writer.text(apart);
  const angle = (table: Value, k: string): string => `${writer.text(table)}[${place}, ${k}]`;
  // feature d is the first or the second of pair k
  const [k, first, partner] = interleaved
    ? ["d // 2", "d % 2 == 0", "d // 2 * 2 + (d + 1) % 2"]
    : [`d % ${half}`, `d < ${half}`, `(d + ${half}) % ${turned}`];
  const own = `${text}[b, h, i, d]`;
  const other = `${text}[b, h, i, ${partner}]`;
  const pair = `${angle(cos, k)} * ${own} + where(${first}, -${angle(sin, k)}, ${angle(sin, k)}) * ${other}`;
  const rotated = writer.let("rotated", `for b in 0..${b}, h in 0..${h}, i in 0..${t}, d in 0..${turned}: ${pair}`);
  const all =
    turned === size
      ? rotated
      : writer.let("joined", `concat([${rotated}, ${text}[:, :, :, ${turned}..${size}]], axis: 3)`);
  return packed
    ? { shape: x.shape, type: "f32", text: `reshape[${x.shape.join(", ")}](transpose(${all}, axes: [0, 2, 1, 3]))` }
    : { shape: x.shape, type: "f32", text: all };
});

export const attentions: Operators = {
  Attention: attention,
  LinearAttention: linearAttention,
  RotaryEmbedding: rotary,
};
