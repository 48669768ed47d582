// Elementwise operators: functions of one tensor, operators of several that broadcast, comparisons, casts.
import { elementTypes, Unsupported } from "../model.ts";
import type { NodeReader } from "../node.ts";
import { elementType } from "../types.ts";
import { broadcast, float, literal, range, sizeOf, type ElementType, type Result, type Value } from "../value.ts";
import { at, broadcastIndex, forAll, indices, type Writer } from "../writer.ts";
import { folds, one, type Operator, type Operators } from "./operator.ts";

const same = (x: Value, text: string): Result => ({ shape: x.shape, type: x.type, text });
/** A function of one f32 tensor, written with the tensor's name. */
const unary = (write: (x: string, node: NodeReader, writer: Writer) => string): Operator =>
  one((node, writer) => {
    const x = node.input(0);
    if (x.type !== "f32") throw new Unsupported(`${node.op} of ${x.type}`);
    return same(x, write(writer.text(x), node, writer));
  });
/** A function of one tensor of numbers. */
const numeric = (write: (x: string, type: ElementType) => string, evaluate?: (x: number) => number): Operator =>
  one((node, writer) => {
    const x = node.input(0);
    if (x.type === "bool") throw new Unsupported(`${node.op} of bool`);
    if (evaluate && x.constant && folds([x], x.constant.length))
      return { shape: x.shape, type: x.type, constant: x.constant.map(evaluate) };
    return same(x, write(writer.text(x), x.type));
  });

/** The operands element by element, stretched to the result's shape. */
export function foldPointwise(
  values: readonly Value[],
  type: ElementType,
  evaluate: (...x: number[]) => number,
): Result | undefined {
  const shape = broadcast(...values.map((v) => v.shape));
  if (!folds(values, sizeOf(shape))) return undefined;
  const constant = range(sizeOf(shape)).map((position) => {
    const index = shape.map((n, axis) => Math.floor(position / sizeOf(shape.slice(axis + 1))) % n);
    return evaluate(
      ...values.map((v) => {
        const own = index.slice(index.length - v.shape.length);
        return v.constant![own.reduce((sum, i, axis) => sum * v.shape[axis]! + (v.shape[axis] === 1 ? 0 : i), 0)]!;
      }),
    );
  });
  return { shape, type, constant };
}
/** Operators of old sets broadcast only where an attribute says so, from an axis on. */
export function aligned(node: NodeReader, writer: Writer): Value[] {
  const [a, b] = [node.input(0), node.input(1)];
  if (node.opset >= 7) return [a, b];
  node.ignore("consumed_inputs");
  const broadcasts = node.flag("broadcast");
  const axis = node.int("axis", undefined);
  if (!broadcasts || axis === undefined) return [a, b];
  const trailing = a.shape.length - (axis < 0 ? axis + a.shape.length : axis) - b.shape.length;
  const shape = [...b.shape, ...range(trailing).map(() => 1)];
  if (b.constant) return [a, { ...b, shape }];
  return [a, { ...b, shape, text: `reshape[${shape.join(", ")}](${writer.text(b)})` }];
}
const arithmetic = (
  write: (a: string, b: string, type: ElementType) => string,
  evaluate: (a: number, b: number, type: ElementType) => number,
): Operator =>
  one((node, writer) => {
    const values = aligned(node, writer);
    const { type } = values[0]!;
    if (values.some((v) => v.type !== type)) throw new Unsupported(`${node.op} of different types`);
    if (type === "bool") throw new Unsupported(`${node.op} of bool`);
    return (
      foldPointwise(values, type, (a, b) => evaluate(a!, b!, type)) ??
      writer.pointwise(values, type, ([a, b]) => write(a!, b!, type))
    );
  });
const comparison = (symbol: string, evaluate: (a: number, b: number) => boolean): Operator =>
  one((node, writer) => {
    const values = aligned(node, writer);
    return (
      foldPointwise(values, "bool", (a, b) => Number(evaluate(a!, b!))) ??
      writer.pointwise(values, "bool", ([a, b]) => `${a} ${symbol} ${b}`)
    );
  });
const logical = (symbol: string, evaluate: (a: boolean, b: boolean) => boolean): Operator =>
  one((node, writer) => {
    const values = aligned(node, writer);
    return (
      foldPointwise(values, "bool", (a, b) => Number(evaluate(a !== 0, b !== 0))) ??
      writer.pointwise(values, "bool", ([a, b]) => `${a} ${symbol} ${b}`)
    );
  });
/** Max, Min, Sum, Mean: of any number of tensors. */
const variadic = (join: (texts: readonly string[]) => string, evaluate: (...x: number[]) => number): Operator =>
  one((node, writer) => {
    const values = node.inputs();
    const { type } = values[0]!;
    if (type === "bool") throw new Unsupported(`${node.op} of bool`);
    node.ignore("consumed_inputs");
    return foldPointwise(values, type, evaluate) ?? writer.pointwise(values, type, join);
  });
const nested =
  (name: string) =>
  (texts: readonly string[]): string =>
    texts.reduce((a, b) => `${name}(${a}, ${b})`);

// Beyond 1e9 both are log(2 |x|), and the square of x may be beyond f32: what x is more than 1e9 is a factor under the logarithm.
const inverseSine = (writer: Writer): string =>
  writer.helper(
    "inverse_sinh",
    `## log(x + sqrt(x^2 + 1)), accurate near 0.
fn inverse_sinh(x: f32[...S]) -> f32[...S] {
  let s = min(abs(x), 1e9)
  return sign(x) * (log1p(s + s^2 / (1 + sqrt(s^2 + 1))) + log(max(abs(x), 1e9) / 1e9))
}`,
  );
const inverseCosine = (writer: Writer): string =>
  writer.helper(
    "inverse_cosh",
    `## log(x + sqrt(x^2 - 1)) for x at least 1, accurate near 1.
fn inverse_cosh(x: f32[...S]) -> f32[...S] {
  let s = min(x, 1e9)
  return log1p((s - 1) + sqrt((s - 1) * (s + 1))) + log(max(x, 1e9) / 1e9)
}`,
  );
/** i32 quotients and remainders; the divisor may be anything but 0. */
const truncatedQuotient = (writer: Writer): string =>
  writer.helper(
    "truncated_quotient",
    `## a / b, cut towards 0.
fn truncated_quotient(a: i32[...S], b: i32[...S]) -> i32[...S] {
  let q = where(b > 0, a // max(b, 1), a // min(b, -1))
  return where(q * b != a and (a < 0) != (b < 0), q + 1, q)
}`,
  );
const flooredRemainder = (writer: Writer): string =>
  writer.helper(
    "floored_remainder",
    `## a % b, which has the sign of b.
fn floored_remainder(a: i32[...S], b: i32[...S]) -> i32[...S] = where(b > 0, a % max(b, 1), a % min(b, -1))`,
  );
const truncatedRemainder = (writer: Writer): string => {
  const floored = flooredRemainder(writer);
  return writer.helper(
    "truncated_remainder",
    `## What a / b, cut towards 0, leaves: it has the sign of a.
fn truncated_remainder(a: i32[...S], b: i32[...S]) -> i32[...S] {
  let r = ${floored}(a, b)
  return where(r != 0 and (a < 0) != (b < 0), r - b, r)
}`,
  );
};
const wholePower = (writer: Writer): string =>
  writer.helper(
    "whole_power",
    `## a^b of whole numbers, 0 <= b < 32, modulo 2^32: the product of the powers that b has in base 2.
fn whole_power(a: i32[...S], b: i32[...S]) -> i32[...S] =
  where(b % 2 == 1, a, 1) * where(b // 2 % 2 == 1, a^2, 1) * where(b // 4 % 2 == 1, a^4, 1)
    * where(b // 8 % 2 == 1, a^8, 1) * where(b // 16 % 2 == 1, a^16, 1)`,
  );

const divide: Operator = one((node, writer) => {
  const values = aligned(node, writer);
  const { type } = values[0]!;
  const folded = foldPointwise(values, type, (a, b) => (type === "f32" ? a! / b! : Math.trunc(a! / b!)));
  if (folded) return folded;
  if (type === "f32") return writer.pointwise(values, type, ([a, b]) => `${a} / ${b}`);
  const shape = broadcast(...values.map((v) => v.shape));
  return {
    shape,
    type,
    text: `${truncatedQuotient(writer)}(${values.map((v) => expanded(writer, v, shape)).join(", ")})`,
  };
});
const expanded = (writer: Writer, value: Value, shape: readonly number[]): string =>
  value.shape.length || !shape.length
    ? writer.stretched(value, shape)
    : `expand[${shape.join(", ")}](${writer.text(value)})`;

const modulo: Operator = one((node, writer) => {
  const values = [node.input(0), node.input(1)];
  const { type } = values[0]!;
  const truncated = node.flag("fmod");
  const shape = broadcast(...values.map((v) => v.shape));
  const folded = foldPointwise(values, type, (p, q) => (truncated ? p! % q! : p! - q! * Math.floor(p! / q!)));
  if (folded) return folded;
  const [a, b] = values.map((v) => expanded(writer, v, shape));
  if (type === "f32") {
    if (!truncated) return { shape, type, text: `${a} % ${b}` };
    return { shape, type, text: `sign(${a}) * (abs(${a}) % abs(${b}))` };
  }
  const remainder = truncated ? truncatedRemainder(writer) : flooredRemainder(writer);
  return { shape, type, text: `${remainder}(${a}, ${b})` };
});
const power: Operator = one((node, writer) => {
  const values = aligned(node, writer);
  const [base, exponent] = values as [Value, Value];
  const whole = exponent.constant?.length === 1 && Number.isInteger(exponent.constant[0]) ? exponent.constant[0]! : NaN;
  if (whole >= 0 && whole <= 16) {
    const shape = broadcast(base.shape, exponent.shape);
    return { shape, type: base.type, text: `${writer.stretched(base, shape)}^${whole}` };
  }
  if (base.type === "f32")
    return writer.pointwise(values, "f32", ([a, b]) => `${a}^${exponent.type === "f32" ? b : `f32(${b})`}`);
  const shape = broadcast(base.shape, exponent.shape);
  const [a, b] = values.map((v) => expanded(writer, v, shape));
  if (exponent.type === "i32") return { shape, type: "i32", text: `${wholePower(writer)}(${a}, ${b})` };
  return { shape, type: "i32", text: `i32(f32(${a})^${b})` };
});

/** A slope or bound of old operator sets: the attribute, or input i. */
const bounded: Operator = one((node, writer) => {
  const x = node.input(0);
  const bound = (i: number, name: string): string | undefined => {
    if (node.opset < 11) {
      const value = node.int(name, undefined);
      return value === undefined ? undefined : float(value);
    }
    const value = node.optional(i);
    return value && writer.text(value);
  };
  const [lo, hi] = [bound(1, "min"), bound(2, "max")];
  if (x.type === "f32" && (lo ?? hi))
    return same(x, `clamp(${[writer.text(x), ...(lo ? [`lo: ${lo}`] : []), ...(hi ? [`hi: ${hi}`] : [])].join(", ")})`);
  const above = lo ? `max(${writer.text(x)}, ${lo})` : writer.text(x);
  return same(x, hi ? `min(${above}, ${hi})` : above);
});

const cast: Operator = one((node, writer) => {
  const x = node.input(0);
  node.ignore("saturate", "round_mode");
  const to =
    node.op === "CastLike"
      ? node.input(1).type
      : elementType(
          node.opset < 6 ? node.string("to", "") : (elementTypes[node.int("to")] ?? "a type that is not known"),
          "Cast",
        );
  if (x.constant && folds([x], x.constant.length)) {
    const convert = (v: number): number => (to === "bool" ? Number(v !== 0) : to === "i32" ? Math.trunc(v) : v);
    return { shape: x.shape, type: to, constant: x.constant.map(convert) };
  }
  return { shape: x.shape, type: to, text: to === x.type ? writer.text(x) : `${to}(${writer.text(x)})` };
});

const prelu: Operator = one((node, writer) => {
  const x = node.input(0);
  let slope = node.input(1);
  // before set 7 one slope, or one for each channel
  if (node.opset < 7 && slope.shape.length === 1 && x.shape.length > 2)
    slope = { ...slope, shape: [slope.shape[0]!, ...x.shape.slice(2).map(() => 1)], ...reshapedText(writer, slope, x) };
  const names = indices(x.shape.length);
  const value = at(writer.text(x), names);
  const factor = slope.shape.length ? at(writer.text(slope), broadcastIndex(slope.shape, names)) : writer.text(slope);
  return same(x, forAll(names, x.shape, `where(${value} < 0, ${factor} * ${value}, ${value})`));
});
const reshapedText = (writer: Writer, slope: Value, x: Value): { text?: string; constant?: never } => ({
  text: `reshape[${[slope.shape[0], ...x.shape.slice(2).map(() => 1)].join(", ")}](${writer.text(slope)})`,
});

const where: Operator = one((node, writer) => {
  const [condition, a, b] = [node.input(0), node.input(1), node.input(2)];
  const folded = foldPointwise([condition, a, b], a.type, (c, x, y) => (c ? x! : y!));
  if (folded) return folded;
  const shape = broadcast(condition.shape, a.shape, b.shape);
  const texts = [condition, a, b].map((v) => writer.stretched(v, shape));
  return { shape, type: a.type, text: `where(${texts.join(", ")})` };
});

const selu = { alpha: 1.6732632423543772, gamma: 1.0507009873554805 };

export const elementwise: Operators = {
  Abs: numeric((x) => `abs(${x})`, Math.abs),
  Neg: numeric(
    (x) => `-${x}`,
    (x) => -x,
  ),
  Sign: numeric((x) => `sign(${x})`, Math.sign),
  Relu: numeric(
    (x, type) => (type === "f32" ? `relu(${x})` : `max(${x}, 0)`),
    (x) => Math.max(0, x),
  ),
  Identity: one((node, writer) => {
    const x = node.input(0);
    return x.constant ? { shape: x.shape, type: x.type, constant: x.constant } : same(x, writer.text(x));
  }),
  Floor: numeric((x) => `floor(${x})`, Math.floor),
  Ceil: numeric((x) => `ceil(${x})`, Math.ceil),
  Round: unary((x) => `round(${x})`),
  Sqrt: numeric((x) => `sqrt(${x})`, Math.sqrt),
  Reciprocal: unary((x) => `1 / ${x}`),
  Exp: unary((x) => `exp(${x})`),
  Log: unary((x) => `log(${x})`),
  Erf: unary((x) => `erf(${x})`),
  Sin: unary((x) => `sin(${x})`),
  Cos: unary((x) => `cos(${x})`),
  Tan: unary((x) => `tan(${x})`),
  Asin: unary((x) => `asin(${x})`),
  Acos: unary((x) => `acos(${x})`),
  Atan: unary((x) => `atan(${x})`),
  Sinh: unary((x) => `sinh(${x})`),
  Cosh: unary((x) => `cosh(${x})`),
  Tanh: unary((x) => `tanh(${x})`),
  Asinh: unary((x, _, writer) => `${inverseSine(writer)}(${x})`),
  Acosh: unary((x, _, writer) => `${inverseCosine(writer)}(${x})`),
  Atanh: unary((x) => `0.5 * log1p(2 * ${x} / (1 - ${x}))`),
  Sigmoid: unary((x) => `sigmoid(${x})`),
  Softplus: unary((x) => `max(${x}, 0) + log1p(exp(-abs(${x})))`),
  Softsign: unary((x) => `softsign(${x})`),
  Mish: unary((x) => `mish(${x})`),
  HardSwish: unary((x) => `hardswish(${x})`),
  Swish: unary((x, node) => {
    const alpha = node.float("alpha", 1);
    return alpha === 1 ? `silu(${x})` : `${x} * sigmoid(${float(alpha)} * ${x})`;
  }),
  Gelu: unary((x, node) =>
    node.word("approximate", ["none", "tanh"], "none") === "tanh" ? `gelu_tanh(${x})` : `gelu(${x})`,
  ),
  Elu: unary((x, node) => (node.ignore("consumed_inputs"), `elu(${x}, ${float(node.float("alpha", 1))})`)),
  Celu: unary((x, node) => `celu(${x}, ${float(node.float("alpha", 1))})`),
  Selu: unary((x, node) => {
    node.ignore("consumed_inputs");
    const old = node.opset < 6;
    const alpha = node.float("alpha", old ? 1.6732 : selu.alpha);
    const gamma = node.float("gamma", old ? 1.0507 : selu.gamma);
    const standard = Math.fround(alpha) === Math.fround(selu.alpha) && Math.fround(gamma) === Math.fround(selu.gamma);
    return standard ? `selu(${x})` : `${float(gamma)} * elu(${x}, ${float(alpha)})`;
  }),
  LeakyRelu: unary(
    (x, node) => (node.ignore("consumed_inputs"), `leaky_relu(${x}, ${float(node.float("alpha", 0.01))})`),
  ),
  ThresholdedRelu: unary((x, node) => `where(${x} > ${float(node.float("alpha", 1))}, ${x}, 0)`),
  HardSigmoid: unary((x, node) => {
    node.ignore("consumed_inputs");
    return `clamp(${float(node.float("alpha", 0.2))} * ${x} + ${float(node.float("beta", 0.5))}, lo: 0, hi: 1)`;
  }),
  Shrink: unary((x, node) => {
    const [lambda, bias] = [node.float("lambd", 0.5), node.float("bias", 0)];
    return `where(${x} < ${float(-lambda)}, ${x} + ${float(bias)}, where(${x} > ${float(lambda)}, ${x} - ${float(bias)}, 0))`;
  }),
  PRelu: prelu,
  Clip: bounded,
  Cast: cast,
  CastLike: cast,
  Add: arithmetic(
    (a, b) => `${a} + ${b}`,
    (a, b) => a + b,
  ),
  Sub: arithmetic(
    (a, b) => `${a} - ${b}`,
    (a, b) => a - b,
  ),
  Mul: arithmetic(
    (a, b) => `${a} * ${b}`,
    (a, b) => a * b,
  ),
  Div: divide,
  Mod: modulo,
  Pow: power,
  SwiGLU: one((node, writer) => {
    const [a, b] = [node.input(0), node.input(1)];
    const alpha = node.float("alpha", 1);
    const gate = writer.text(a);
    const swish = alpha === 1 ? `silu(${gate})` : `${gate} * sigmoid(${float(alpha)} * ${gate})`;
    return same(a, `${swish} * ${writer.text(b)}`);
  }),
  Max: variadic(nested("max"), Math.max),
  Min: variadic(nested("min"), Math.min),
  Sum: variadic(
    (texts) => texts.join(" + "),
    (...x) => x.reduce((a, b) => a + b, 0),
  ),
  Mean: variadic(
    (texts) => `(${texts.join(" + ")}) / ${literal(texts.length, "f32")}`,
    (...x) => x.reduce((a, b) => a + b, 0) / x.length,
  ),
  And: logical("and", (a, b) => a && b),
  Or: logical("or", (a, b) => a || b),
  Xor: logical("!=", (a, b) => a !== b),
  Not: one((node, writer) => {
    const x = node.input(0);
    return (
      foldPointwise([x], "bool", (v) => Number(!v)) ?? { shape: x.shape, type: "bool", text: `not ${writer.text(x)}` }
    );
  }),
  Equal: comparison("==", (a, b) => a === b),
  Less: comparison("<", (a, b) => a < b),
  LessOrEqual: comparison("<=", (a, b) => a <= b),
  Greater: comparison(">", (a, b) => a > b),
  GreaterOrEqual: comparison(">=", (a, b) => a >= b),
  Where: where,
};
