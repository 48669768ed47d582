// Attention, positions, transformer blocks. Weights are PyTorch's: in_proj_weight [3E, E] stacks q, k, v.
import { plain, Refused, type CaseReader } from "../reader.ts";
import { num, type Rules } from "../translation.ts";

/** Positions of a sequence: sine and cosine of growing wave lengths, feature by feature in turn. */
export const sinusoids = (length: number, width: number): string =>
  `for t in 0..${length}, d in 0..${width}: where(d % 2 == 0, sin(t / 10000.0^(f32(d // 2 * 2) / ${width})), cos(t / 10000.0^(f32(d // 2 * 2) / ${width})))`;

interface Heads {
  readonly heads: number;
  readonly embed: number;
  readonly causal: boolean;
  /** Is a true entry of this mask [B, T] a key to leave out? */
  readonly padding?: string;
}
/** Statements that leave `${tag}y` [B, T, E] and `${tag}attn` [B, heads, T, S]; x and memory have their shapes given. */
export function multiHead(
  tag: string,
  x: string,
  memory: string,
  [batch, queries, keys]: readonly [number, number, number],
  names: { readonly inWeight: string; readonly inBias?: string; readonly outWeight: string; readonly outBias?: string },
  { heads, embed, causal, padding }: Heads,
): string[] {
  const size = embed / heads;
  const part = (k: number, from: string, length: number, name: string): string => {
    const rows = `${k * embed}..${(k + 1) * embed}`;
    const product = `${from} @ transpose(${names.inWeight}[${rows}])${names.inBias ? ` + ${names.inBias}[${rows}]` : ""}`;
    return `let ${tag}${name} = transpose(reshape[${batch}, ${length}, ${heads}, ${size}](${product}), axes: [0, 2, 1, 3])`;
  };
  const allowed = [...(causal ? ["j <= i"] : []), ...(padding ? [`not ${padding}[b, j]`] : [])].join(" and ");
  const score = `${num(1 / Math.sqrt(size))} * (sum over d in 0..${size}: ${tag}q[b, h, i, d] * ${tag}k[b, h, j, d])`;
  return [
    part(0, x, queries, "q"),
    part(1, memory, keys, "k"),
    part(2, memory, keys, "v"),
    `let ${tag}attn = softmax(for b in 0..${batch}, h in 0..${heads}, i in 0..${queries}, j in 0..${keys}: ${allowed ? `where(${allowed}, ${score}, -inf)` : score})`,
    `let ${tag}mixed = reshape[${batch}, ${queries}, ${embed}](transpose(${tag}attn @ ${tag}v, axes: [0, 2, 1, 3]))`,
    `let ${tag}y = ${tag}mixed @ transpose(${names.outWeight})${names.outBias ? ` + ${names.outBias}` : ""}`,
  ];
}
/** A transformer block whose weights begin with `prefix`; leaves `${tag}out`. */
export function block(
  c: CaseReader,
  tag: string,
  x: string,
  prefix: string,
  [batch, length]: readonly [number, number],
  options: { heads: number; embed: number; causal: boolean; activation: string; normFirst: boolean; eps: number },
): string[] {
  const own = (name: string): string => {
    c.tensor(prefix + name);
    return plain(prefix + name);
  };
  const norm = (text: string, k: number): string => {
    const centred = `(${text} - mean(${text}, axis: -1, keep: true))`;
    return `${centred} / sqrt(var(${text}, axis: -1, correction: 0, keep: true) + ${num(options.eps)}) * ${own(`ln${k}.weight`)} + ${own(`ln${k}.bias`)}`;
  };
  const attention = (text: string): string[] =>
    multiHead(
      tag,
      text,
      text,
      [batch, length, length],
      {
        inWeight: own("attn.in_proj_weight"),
        inBias: own("attn.in_proj_bias"),
        outWeight: own("attn.out_proj.weight"),
        outBias: own("attn.out_proj.bias"),
      },
      { ...options },
    );
  const mlp = (text: string): string =>
    `${options.activation}(${text} @ transpose(${own("fc1.weight")}) + ${own("fc1.bias")}) @ transpose(${own("fc2.weight")}) + ${own("fc2.bias")}`;
  if (options.normFirst)
    return [
      `let ${tag}n1 = ${norm(x, 1)}`,
      ...attention(`${tag}n1`),
      `let ${tag}x1 = ${x} + ${tag}y`,
      `let ${tag}n2 = ${norm(`${tag}x1`, 2)}`,
      `let ${tag}out = ${tag}x1 + (${mlp(`${tag}n2`)})`,
    ];
  return [
    ...attention(x),
    `let ${tag}s1 = ${x} + ${tag}y`,
    `let ${tag}x1 = ${norm(`${tag}s1`, 1)}`,
    `let ${tag}s2 = ${tag}x1 + (${mlp(`${tag}x1`)})`,
    `let ${tag}out = ${norm(`${tag}s2`, 2)}`,
  ];
}

export const attention: Rules = {
  additive_attention: (c) => {
    const [batch, steps, width] = c.shape("keys") as [number, number, number];
    const hidden = c.extent("v", 0);
    return {
      lets: `let query_part = query @ transpose(w_q)
  let key_part = keys @ transpose(w_k)
  let attended = softmax(for b in 0..${batch}, t in 0..${steps}: sum over h in 0..${hidden}: v[h] * tanh(query_part[b, h] + key_part[b, t, h]))`,
      outputs: {
        context: `for b in 0..${batch}, d in 0..${width}: sum over t in 0..${steps}: attended[b, t] * keys[b, t, d]`,
        weights: "attended",
      },
    };
  },
  multi_head_attention: (c) => {
    const first = c.flag("batch_first", true);
    const memory = c.flag("cross") ? "kv" : "x";
    const swap = (name: string): string => (first ? name : `transpose(${name}, axes: [1, 0, 2])`);
    const [time, batch] = first ? [1, 0] : [0, 1];
    const bias = c.flag("bias", true);
    const lets = multiHead(
      "",
      "own",
      "memory",
      [c.extent("x", batch), c.extent("x", time), c.extent(memory, time)],
      {
        inWeight: "in_proj_weight",
        outWeight: "out_proj_weight",
        ...(bias ? { inBias: "in_proj_bias", outBias: "out_proj_bias" } : {}),
      },
      {
        heads: c.number("heads"),
        embed: c.number("embed"),
        causal: c.flag("causal", false),
        ...(c.has("key_padding_mask") ? { padding: "key_padding_mask" } : {}),
      },
    );
    return {
      lets: [`let own = ${swap("x")}`, `let memory = ${swap(memory)}`, ...lets].join("\n  "),
      outputs: { y: swap("y"), attn: "attn" },
    };
  },
  learned_positions: (c) => {
    if (c.number("max_length") !== c.extent("pos", 0)) throw new Refused("another length");
    return { outputs: { y: `x + expand[${c.shape("x").join(", ")}](pos[0..${c.extent("x", 1)}])` } };
  },
  sinusoidal_positions: (c) => ({ outputs: { y: sinusoids(c.number("length"), c.number("embed")) } }),
  sinusoidal_positions_add: (c) => ({
    lets: `let positions = ${sinusoids(c.number("length"), c.number("embed"))}`,
    outputs: { y: "x + positions" },
  }),
  /** Pairs of neighbours, or of halves, turned by angles that fall with the pair's number. */
  rotary_positions: (c) => {
    const base = c.number("base", 10000);
    const interleaved = c.word("pairs", ["interleaved", "halves"]) === "interleaved";
    const shape = c.shape("x");
    const size = shape.at(-1)!;
    const lead = shape.slice(0, -2).map((_, i) => `n${i}`);
    const half = size / 2;
    const [pair, first, other] = interleaved
      ? ["d // 2", "d % 2 == 0", "d // 2 * 2 + (d + 1) % 2"]
      : [`d % ${half}`, `d < ${half}`, `(d + ${half}) % ${size}`];
    const at = (index: string): string => `x[${[...lead, "t", index].join(", ")}]`;
    const angle = `(t / ${num(base)}^(f32(2 * (${pair})) / ${size}))`;
    const binders = [...lead, "t", "d"].map((name, i) => `${name} in 0..${shape[i]}`).join(", ");
    return {
      outputs: {
        y: `for ${binders}: ${at("d")} * cos(${angle}) + where(${first}, -1.0, 1.0) * ${at(other)} * sin(${angle})`,
      },
    };
  },
  scaled_dot_product_attention: (c) => {
    const q = c.shape("q");
    const [queries, size] = q.slice(-2) as [number, number];
    const keys = c.extent("k", -2);
    const lead = q.slice(0, -2).map((_, i) => `n${i}`);
    const own = lead.map((name) => `${name}, `).join("");
    const binders = [...lead.map((name, i) => `${name} in 0..${q[i]}`), `i in 0..${queries}`, `j in 0..${keys}`].join(
      ", ",
    );
    const scale = c.attribute("scale") === undefined ? 1 / Math.sqrt(size) : c.number("scale");
    const score = `${num(scale)} * (sum over d in 0..${size}: q[${own}i, d] * k[${own}j, d])`;
    const text = c.flag("causal", false) ? `where(j <= i, ${score}, -inf)` : score;
    return {
      lets: `let attended = softmax(for ${binders}: ${text})`,
      outputs: { y: "attended @ v", attn: "attended" },
    };
  },
  transformer_block: (c) => {
    const [batch, length] = c.shape("x") as [number, number];
    if (c.number("mlp_hidden") !== c.extent("fc1.bias", 0)) throw new Refused("sizes that do not fit");
    const lets = block(c, "", "x", "", [batch, length], {
      heads: c.number("heads"),
      embed: c.number("embed"),
      causal: c.flag("causal", false),
      activation: c.word("activation", ["gelu", "relu", "gelu_tanh", "silu"]),
      normFirst: c.flag("norm_first"),
      eps: c.number("eps", 1e-5),
    });
    return { lets: lets.join("\n  "), outputs: { y: "out" } };
  },
};
