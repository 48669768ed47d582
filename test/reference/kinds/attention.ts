// Attention, positions, transformer blocks. Weights are PyTorch's: in_proj_weight [3E, E] stacks q, k, v.
import { permute, type ReferenceTensor } from "../case.ts";
import { plain, Refused, type CaseReader } from "../reader.ts";
import { num, shapeText, type Rules } from "../translation.ts";
import { matrix } from "./layer.ts";

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

/** A mask [B * heads, T, S] as [B, heads, T, S]; one [T, S] stays. */
const headed = (c: CaseReader, name: string, heads: number): string => {
  if (!c.has(name) || c.shape(name).length < 3) return name;
  const [both, ...rest] = c.shape(name) as [number, number, number];
  return `reshape${shapeText([both / heads, heads, ...rest])}(${name})`;
};
const sizes = (c: CaseReader, name: string): string => c.shape(name).slice(1).join(", ");
export const attention: Rules = {
  additive_attention: (c) => ({
    declarations: `model net(q: f32[B, ${sizes(c, "query")}], k: f32[B, ${sizes(c, "keys")}]) = AdditiveAttention(${c.extent("v", 0)}, return_weights: true)(q, k)`,
    parameters: {
      W_q: "net.additive_attention.wq",
      W_k: "net.additive_attention.wk",
      v: "net.additive_attention.w",
    },
    layout: { W_q: matrix, W_k: matrix },
    lets: "let r = net(query, keys)",
    outputs: { context: "r[0]", weights: "r[1]" },
  }),
  /** True entries of both masks leave out. Memory of another width has projections of its own. */
  multi_head_attention: (c) => {
    const names = ["x", ...(c.flag("cross") ? ["kv"] : [])];
    const swap = (t: ReferenceTensor): ReferenceTensor => permute(t, [1, 0, 2]);
    const order = c.flag("batch_first", true) ? {} : { x: swap, kv: swap, y: swap };
    const [heads, embed] = [c.number("heads"), c.number("embed")];
    if (c.extent("x", -1) !== embed) throw new Refused("sizes that do not fit");
    const typed = names.map((name) => `${name}: f32[B, ${name === "x" ? "T" : "S"}, ${c.extent(name, -1)}]`);
    const keys = names.length > 1 ? "S" : "T";
    const masks = [
      ["key_padding_mask", "keep", `[B, ${keys}]`, "key_padding_mask"],
      ["attn_mask", "mask", `[...M, T, ${keys}]`, headed(c, "attn_mask", heads)],
    ].filter(([name]) => c.has(name!));
    const path = "net.multi_head_attention";
    const options = `${heads}, causal: ${c.flag("causal", false)}, bias: ${c.flag("bias", true)}, return_weights: true`;
    return {
      declarations: `model net(${[...typed, ...masks.map(([, own, shape]) => `${own}: bool${shape}`)].join(", ")}) = MultiHeadAttention(${options})(${[...names, ...masks.map(([, own]) => `${own}: ${own}`)].join(", ")})`,
      parameters: {
        in_proj_weight: `${path}.w`,
        q_proj_weight: `${path}.wq`,
        k_proj_weight: `${path}.wk`,
        v_proj_weight: `${path}.wv`,
        in_proj_bias: `${path}.b`,
        "out_proj.weight": `${path}.wo`,
        "out_proj.bias": `${path}.bo`,
      },
      layout: {
        ...Object.fromEntries(
          ["in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"].map((name) => [
            name,
            matrix,
          ]),
        ),
        ...order,
      },
      lets: `let r = net(${[...names, ...masks.map(([, , , text]) => `not ${text}`)].join(", ")})`,
      outputs: { y: "r[0]", attn: "r[1]" },
    };
  },
  learned_positions: (c) => ({
    declarations: `model net(x: f32[B, ${sizes(c, "x")}]) = x |> LearnedPositions(${c.number("max_length")})`,
    parameters: { pos: "net.learned_positions.table" },
    outputs: { y: "net(x)" },
  }),
  sinusoidal_positions: (c) => ({
    outputs: { y: `sinusoidal_positions(${c.number("length")}, ${c.number("embed")})` },
  }),
  sinusoidal_positions_add: (c) => {
    if (c.number("length") !== c.extent("x", -2) || c.number("embed") !== c.extent("x", -1)) throw new Refused("sizes");
    return {
      declarations: `model net(x: f32[B, ${sizes(c, "x")}]) = x |> SinusoidalPositions()`,
      outputs: { y: "net(x)" },
    };
  },
  rotary_positions: (c) => {
    const interleaved = c.word("pairs", ["interleaved", "halves"]) === "interleaved";
    return {
      outputs: { y: `rotary_positions(x, base: ${num(c.number("base", 10000))}, interleaved: ${interleaved})` },
    };
  },
  scaled_dot_product_attention: (c) => {
    const scale = c.attribute("scale") === undefined ? "" : `, scale: ${num(c.number("scale"))}`;
    // a mask of truth values says what may be seen, one of numbers is added
    const mask = c.has("attn_mask") ? `, ${c.tensor("attn_mask").dtype === "bool" ? "mask" : "bias"}: attn_mask` : "";
    const options = `causal: ${c.flag("causal", false)}${scale}${mask}`;
    return {
      outputs: {
        y: `scaled_dot_product_attention(q, k, v, ${options})`,
        attn: `attention_weights(q, k, ${options})`,
      },
    };
  },
  transformer_block: (c) => {
    if (c.number("mlp_hidden") !== c.extent("fc1.bias", 0)) throw new Refused("sizes that do not fit");
    if (c.number("embed") !== c.extent("x", -1)) throw new Refused("sizes that do not fit");
    const options = [
      `hidden: ${c.number("mlp_hidden")}`,
      `act: ${c.word("activation", ["gelu", "relu", "gelu_tanh", "silu"])}`,
      `norm_first: ${c.flag("norm_first")}`,
      `causal: ${c.flag("causal", false)}`,
      `eps: ${num(c.number("eps", 1e-5))}`,
    ];
    const path = "net.transformer_encoder_layer";
    const both = (theirs: string, own: string, weight: string): [string, string][] => [
      [`${theirs}.weight`, `${path}.${own}.${weight}`],
      [`${theirs}.bias`, `${path}.${own}.b`],
    ];
    const matrices = ["attn.in_proj_weight", "attn.out_proj.weight", "fc1.weight", "fc2.weight"];
    return {
      declarations: `model net(x: f32[B, ${sizes(c, "x")}]) = x |> TransformerEncoderLayer(${c.number("heads")}, ${options.join(", ")})`,
      parameters: Object.fromEntries([
        ["attn.in_proj_weight", `${path}.self_attention.w`],
        ["attn.in_proj_bias", `${path}.self_attention.b`],
        ["attn.out_proj.weight", `${path}.self_attention.wo`],
        ["attn.out_proj.bias", `${path}.self_attention.bo`],
        ...both("ln1", "norm1", "g"),
        ...both("ln2", "norm2", "g"),
        ...both("fc1", "linear1", "w"),
        ...both("fc2", "linear2", "w"),
      ]),
      layout: Object.fromEntries(matrices.map((name) => [name, matrix])),
      outputs: { y: "net(x)" },
    };
  },
};
