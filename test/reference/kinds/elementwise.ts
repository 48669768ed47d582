// Activations and elementwise functions.
import { grown, num, shapeText, type Rule, type Rules } from "../translation.ts";
import { Refused, type CaseReader } from "../reader.ts";

const y =
  (expression: string): Rule =>
  () => ({ outputs: { y: expression } });
const unary = (names: readonly string[]): Rules => Object.fromEntries(names.map((name) => [name, y(`${name}(x)`)]));
/** An operator whose operands broadcast freely in the reference. */
const binary =
  (write: (a: string, b: string) => string): Rule =>
  (c) => ({ outputs: { y: write(whole(c, "a"), whole(c, "b")) } });
const whole = (c: CaseReader, name: string): string => grown(name, c.shape(name), c.output("y"));
const onAxis =
  (name: string): Rule =>
  (c) => ({ outputs: { y: `${name}(x, ${c.axis("axis", c.shape("x").length, -1)})` } });

export const activation: Rules = {
  ...unary([
    "hardsigmoid",
    "hardswish",
    "log_sigmoid",
    "mish",
    "quick_gelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softsign",
    "square",
    "tanh",
    "tanhshrink",
  ]),
  gelu: (c) => ({
    outputs: { y: c.word("approximate", ["none", "tanh"], "none") === "tanh" ? "gelu_tanh(x)" : "gelu(x)" },
  }),
  gelu_tanh: (c) => (c.word("approximate", ["tanh"], "tanh"), { outputs: { y: "gelu_tanh(x)" } }),
  celu: (c) => ({ outputs: { y: `celu(x, ${num(c.number("alpha", 1))})` } }),
  elu: (c) => ({ outputs: { y: `elu(x, ${num(c.number("alpha", 1))})` } }),
  hardshrink: (c) => ({ outputs: { y: `hardshrink(x, ${num(c.number("lambd", 0.5))})` } }),
  softshrink: (c) => ({ outputs: { y: `softshrink(x, ${num(c.number("lambd", 0.5))})` } }),
  hardtanh: (c) => ({ outputs: { y: `hardtanh(x, ${num(c.number("min_val", -1))}, ${num(c.number("max_val", 1))})` } }),
  heaviside: (c) => ({ outputs: { y: `heaviside(x, ${num(c.number("value_at_zero"))})` } }),
  leaky_relu: (c) => ({ outputs: { y: `leaky_relu(x, ${num(c.number("negative_slope", 0.01))})` } }),
  rrelu_eval: (c) => ({
    outputs: { y: `leaky_relu(x, ${num((c.number("lower", 1 / 8) + c.number("upper", 1 / 3)) / 2)})` },
  }),
  softplus: (c) => ({ outputs: { y: `softplus(x, ${num(c.number("beta", 1))}, ${num(c.number("threshold", 20))})` } }),
  softmax: onAxis("softmax"),
  softmin: onAxis("softmin"),
  log_softmax: onAxis("log_softmax"),
  glu: (c) => ({
    lets: `let (value, gate) = split(x, 2, axis: ${c.axis("axis", c.shape("x").length, -1)})`,
    outputs: { y: "value * sigmoid(gate)" },
  }),
  /** One slope, or one for every channel (axis 1). */
  prelu: (c) => {
    const rank = c.shape("x").length;
    const count = c.extent("weight", 0);
    if (count === 1) return { outputs: { y: "where(x > 0, x, reshape[](weight) * x)" } };
    if (rank < 2 || c.extent("x", 1) !== count) throw new Refused(`${count} slopes for ${shapeText(c.shape("x"))}`);
    const slopes = `reshape${shapeText([
      count,
      ...c
        .shape("x")
        .slice(2)
        .map(() => 1),
    ])}(weight)`;
    return {
      lets: `let slope = expand${shapeText(c.shape("x"))}(${slopes})`,
      outputs: { y: "where(x > 0, x, slope * x)" },
    };
  },
};

export const elementwise: Rules = {
  ...unary([
    "abs",
    "acos",
    "asin",
    "atan",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "log",
    "log10",
    "log1p",
    "log2",
    "reciprocal",
    "round",
    "rsqrt",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
  ]),
  neg: y("-x"),
  add: binary((a, b) => `${a} + ${b}`),
  sub: binary((a, b) => `${a} - ${b}`),
  mul: binary((a, b) => `${a} * ${b}`),
  div: binary((a, b) => `${a} / ${b}`),
  pow: binary((a, b) => `${a}^${b}`),
  maximum: binary((a, b) => `max(${a}, ${b})`),
  minimum: binary((a, b) => `min(${a}, ${b})`),
  atan2: binary((a, b) => `atan2(${a}, ${b})`),
  eq: binary((a, b) => `${a} == ${b}`),
  gt: binary((a, b) => `${a} > ${b}`),
  le: binary((a, b) => `${a} <= ${b}`),
  lt: binary((a, b) => `${a} < ${b}`),
  clamp: (c) => {
    const bound = (attribute: string, name: string): string =>
      c.attribute(attribute) === undefined ? "" : `, ${name}: ${num(c.number(attribute))}`;
    return { outputs: { y: `clamp(x${bound("min", "lo")}${bound("max", "hi")})` } };
  },
  const_add: (c) => ({ outputs: { y: `x + ${num(c.number("c"))}` } }),
  const_mul: (c) => ({ outputs: { y: `x * ${num(c.number("c"))}` } }),
  const_rsub: (c) => ({ outputs: { y: `${num(c.number("c"))} - x` } }),
  pow_const: (c) => ({ outputs: { y: `x^${num(c.number("exponent"))}` } }),
  expression: (c) => {
    c.says("expr", "exp(-a*a/(2*b))*sin(c) + log(1+b)/(1+c*c)");
    const [a, b, d] = ["a", "b", "c"].map((name) => whole(c, name));
    return {
      lets: `let (u, v, w) = (${a}, ${b}, ${d})`,
      outputs: { y: "exp(-u * u / (2 * v)) * sin(w) + log(1 + v) / (1 + w * w)" },
    };
  },
  lerp: (c) => ({ outputs: { y: `lerp(${whole(c, "a")}, ${whole(c, "b")}, ${whole(c, "weight")})` } }),
  masked_fill: (c) => ({ outputs: { y: `where(${whole(c, "mask")}, ${num(c.number("value"))}, ${whole(c, "x")})` } }),
  where: (c) => ({ outputs: { y: `where(${whole(c, "cond")}, ${whole(c, "a")}, ${whole(c, "b")})` } }),
};
