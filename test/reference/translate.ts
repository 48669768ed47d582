// Translation of reference cases to .dlm source: one row per kind. A kind without a row counts as skipped.
// A row gives expressions for the outputs; the runner writes the exports `forward` and `gradient` (or a train block) around them.
import { permute, reshaped, type ReferenceCase, type ReferenceTensor } from "./case.ts";

export interface Translation {
  /** Declarations in front: models that hold the parameters. */
  readonly declarations?: string;
  /** Expression of every output that is compared, over the inputs by name. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Statements before the outputs. */
  readonly lets?: string;
  /** Where the parameter lives, as an expression for `wrt`; its dots make the state's path too. Default: an input of that name. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** How a tensor of the case (input, parameter, output, gradient, cotangent) is laid out in dlm. */
  readonly layout?: Readonly<Record<string, (tensor: ReferenceTensor) => ReferenceTensor>>;
  /** `in` ranges of integer inputs. */
  readonly ranges?: Readonly<Record<string, string>>;
  /** Inputs that are not arguments. */
  readonly unused?: readonly string[];
  /** Run with `training` true, as one step of a train block; states that are compared, by output name. */
  readonly training?: {
    readonly states?: Readonly<Record<string, string>>;
    readonly initial?: Readonly<Record<string, string>>;
  };
}
/** A case that is a sequence of steps: an optimizer or a schedule. */
export interface Sequence {
  readonly source: string;
  readonly steps: number;
  readonly initial: Readonly<Record<string, ReferenceTensor>>; // states set before the first step
  /** State compared after every step with row k of the output; `final`: with the whole output after the last step. */
  readonly states: readonly { readonly state: string; readonly output: string; readonly final?: boolean }[];
  /** Expected values by output name, where they are not the case's own. */
  readonly outputs?: Readonly<Record<string, ReferenceTensor>>;
}

type Rule = (c: ReferenceCase) => Translation | undefined;
const nchw = (t: ReferenceTensor): ReferenceTensor => permute(t, [0, 2, 3, 1]);
const ncl = (t: ReferenceTensor): ReferenceTensor => permute(t, [0, 2, 1]);
const matrix = (t: ReferenceTensor): ReferenceTensor => permute(t, [1, 0]);
const kernel = (t: ReferenceTensor): ReferenceTensor => permute(t, [2, 3, 1, 0]);

const number = (x: unknown): string => {
  if (typeof x !== "number") throw new Error(`not a number: ${String(x)}`);
  return String(x);
};
const y =
  (expression: string): Rule =>
  () => ({ outputs: { y: expression } });
const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;
const isDefined = <T>(value: T | null | undefined): value is T => value !== undefined && value !== null;
const input = (c: ReferenceCase, name: string): ReferenceTensor => {
  const tensor = c.inputs[name] ?? c.params[name];
  if (!tensor) throw new Error(`${c.name} has no ${name}`);
  return tensor;
};
const axisOf = (axis: unknown): string =>
  isDefined(axis) ? `, axis: ${Array.isArray(axis) ? `[${axis.join(", ")}]` : number(axis)}` : "";
const reduction =
  (name: string): Rule =>
  (c) => ({
    outputs: { y: `${name}(x${axisOf(c.attrs["axis"])}${c.attrs["keepdim"] ? ", keep: true" : ""})` },
  });
/** A binary operator whose operands broadcast freely in the reference: the smaller one is expanded to the result's rank. */
const binary =
  (write: (a: string, b: string) => string): Rule =>
  (c) => {
    const shape = c.outputs["y"]!.shape;
    const grown = (name: string): string => {
      const own = input(c, name).shape;
      return own.length === shape.length || own.length === 0 ? name : `expand${shapeText(shape)}(${name})`;
    };
    return { outputs: { y: write(grown("a"), grown("b")) } };
  };
const reduceName = (c: ReferenceCase): string =>
  ({ mean: "average", sum: "total", none: "each" })[String(c.attrs["reduction"])] ?? "average";
const loss =
  (write: (c: ReferenceCase, reduce: string) => string, extra: Partial<Translation> = {}): Rule =>
  (c) => ({
    outputs: { loss: write(c, `reduce: ${reduceName(c)}`) },
    ...extra,
  });
const classes = (c: ReferenceCase): Record<string, string> => ({ target: `-100..${columns(c, "x")}` });
const pair = (values: unknown): string => `[${(values as readonly number[]).join(", ")}]`;
const window = (c: ReferenceCase): string =>
  `${pair(c.attrs["kernel"])}, stride: ${pair(c.attrs["stride"])}, pad: ${pair(c.attrs["padding"])}`;
const order = (c: ReferenceCase): string => (c.attrs["order"] as readonly string[]).join(", ");
/** Two dense layers named fc1 and fc2, as parameters of the model `net`. */
const dense = (
  activation: string,
): { declarations: string; parameters: Record<string, string>; layout: NonNullable<Translation["layout"]> } => ({
  declarations: activation,
  parameters: {
    "fc1.weight": "net.fc1.w",
    "fc1.bias": "net.fc1.b",
    "fc2.weight": "net.fc2.w",
    "fc2.bias": "net.fc2.b",
  },
  layout: { "fc1.weight": matrix, "fc2.weight": matrix },
});
const twoLayers = (inputs: number, hidden: number, outputs: number, activation: string): string =>
  `model net(x: f32[N, ${inputs}]) -> f32[N, ${outputs}] {\n  let fc1 = Linear(${hidden})\n  let fc2 = Linear(${outputs})\n  return fc2(${activation}(fc1(x)))\n}`;
const rows = (c: ReferenceCase, name: string): number => input(c, name).shape[0]!;
const columns = (c: ReferenceCase, name: string): number => input(c, name).shape[1]!;

const unary = (names: readonly string[]): Record<string, Rule> =>
  Object.fromEntries(names.map((name) => [name, y(`${name}(x)`)]));

const rules: Readonly<Record<string, Record<string, Rule>>> = {
  activation: {
    ...unary([
      "gelu",
      "gelu_tanh",
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
      "glu",
    ]),
    celu: (c) => ({ outputs: { y: `celu(x, ${number(c.attrs["alpha"])})` } }),
    elu: (c) => ({ outputs: { y: `elu(x, ${number(c.attrs["alpha"])})` } }),
    hardshrink: (c) => ({ outputs: { y: `hardshrink(x, ${number(c.attrs["lambd"])})` } }),
    softshrink: (c) => ({ outputs: { y: `softshrink(x, ${number(c.attrs["lambd"])})` } }),
    hardtanh: (c) => ({ outputs: { y: `hardtanh(x, ${number(c.attrs["min_val"])}, ${number(c.attrs["max_val"])})` } }),
    heaviside: (c) => ({ outputs: { y: `heaviside(x, ${number(c.attrs["value_at_zero"])})` } }),
    leaky_relu: (c) => ({ outputs: { y: `leaky_relu(x, ${number(c.attrs["negative_slope"])})` } }),
    rrelu_eval: (c) => ({
      outputs: { y: `leaky_relu(x, ${(Number(c.attrs["lower"]) + Number(c.attrs["upper"])) / 2})` },
    }),
    softplus: (c) => ({
      outputs: { y: `softplus(x, ${number(c.attrs["beta"] ?? 1)}, ${number(c.attrs["threshold"] ?? 20)})` },
    }),
    softmax: (c) => ({ outputs: { y: `softmax(x, ${number(c.attrs["axis"])})` } }),
    softmin: (c) => ({ outputs: { y: `softmin(x, ${number(c.attrs["axis"])})` } }),
    log_softmax: (c) => ({ outputs: { y: `log_softmax(x, ${number(c.attrs["axis"])})` } }),
    prelu: (c) => ({
      outputs: {
        y:
          input(c, "weight").shape[0] === 1
            ? "where(x > 0, x, reshape[](weight) * x)"
            : `(${input(c, "x").shape.length === 3 ? "for b, k, t: where(x[b, k, t] > 0, x[b, k, t], weight[k] * x[b, k, t])" : "where(x > 0, x, weight * x)"})`,
      },
    }),
  },
  elementwise: {
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
    clamp: (c) => ({
      outputs: {
        y: `clamp(x${isDefined(c.attrs["min"]) ? `, lo: ${number(c.attrs["min"])}` : ""}${isDefined(c.attrs["max"]) ? `, hi: ${number(c.attrs["max"])}` : ""})`,
      },
    }),
    const_add: (c) => ({ outputs: { y: `x + ${number(c.attrs["c"])}` } }),
    const_mul: (c) => ({ outputs: { y: `x * ${number(c.attrs["c"])}` } }),
    const_rsub: (c) => ({ outputs: { y: `${number(c.attrs["c"])} - x` } }),
    pow_const: (c) => ({ outputs: { y: `x^${number(c.attrs["exponent"])}` } }),
    expression: (c) => ({
      outputs: { y: "exp(-a * a / (2 * b)) * sin(wide) + log(1 + b) / (1 + wide * wide)" },
      lets: `let wide = expand${shapeText(c.outputs["y"]!.shape)}(c)`,
    }),
    lerp: (c) => ({ outputs: { y: `lerp(a, b, expand${shapeText(c.outputs["y"]!.shape)}(weight))` } }),
    masked_fill: (c) => ({
      outputs: { y: `where(expand${shapeText(c.outputs["y"]!.shape)}(mask), ${number(c.attrs["value"])}, x)` },
    }),
    where: (c) => ({
      outputs: {
        y:
          input(c, "b").shape.length === 1
            ? `where(cond, a, expand${shapeText(c.outputs["y"]!.shape)}(b))`
            : "where(cond, a, b)",
      },
    }),
  },
  reduction: {
    ...Object.fromEntries(
      ["sum", "mean", "prod", "amax", "amin", "logsumexp", "argmax", "argmin", "any", "all"].map((name) => [
        name,
        reduction(name),
      ]),
    ),
    var: (c) => ({
      outputs: {
        y: `var(x${axisOf(c.attrs["axis"])}, correction: ${number(c.attrs["correction"])}${c.attrs["keepdim"] ? ", keep: true" : ""})`,
      },
    }),
    std: (c) => ({
      outputs: {
        y: `std(x${axisOf(c.attrs["axis"])}, correction: ${number(c.attrs["correction"])}${c.attrs["keepdim"] ? ", keep: true" : ""})`,
      },
    }),
    norm: (c) => ({
      outputs: {
        y: `norm(x${axisOf(c.attrs["axis"])}, p: ${String(c.attrs["p"])}${c.attrs["keepdim"] ? ", keep: true" : ""})`,
      },
    }),
    max_with_index: (c) => {
      const rest = `${axisOf(c.attrs["axis"])}${c.attrs["keepdim"] ? ", keep: true" : ""}`;
      return { outputs: { values: `max(x${rest})`, indices: `argmax(x${rest})` } };
    },
    min_with_index: (c) => {
      const rest = `${axisOf(c.attrs["axis"])}${c.attrs["keepdim"] ? ", keep: true" : ""}`;
      return { outputs: { values: `min(x${rest})`, indices: `argmin(x${rest})` } };
    },
    cumsum: (c) => ({ outputs: { y: c.attrs["axis"] === 0 ? "transpose(cumsum(transpose(x)))" : "cumsum(x)" } }),
    cumprod: y("cumprod(x)"),
    cosine_similarity: (c) => ({
      outputs: { y: `cosine_similarity(a, b, axis: ${number(c.attrs["axis"])}, eps: ${number(c.attrs["eps"])})` },
    }),
    l2_normalize: (c) => ({
      outputs: { y: `l2_normalize(x, axis: ${number(c.attrs["axis"])}, eps: ${number(c.attrs["eps"])})` },
    }),
    pairwise_distance: (c) => ({ outputs: { y: `pairwise_distance(a, b, ${number(c.attrs["eps"])})` } }),
    expression: y("-sum(softmax(x) * log_softmax(x), axis: -1)"),
  },
  linalg: {
    matmul: (c) => {
      const [a, b] = [input(c, "a").shape, input(c, "b").shape];
      const lead = c.outputs["y"]!.shape.slice(0, -2);
      const stretched = a.length > 2 && b.length > 2 && a.length !== b.length;
      return {
        outputs: {
          y: stretched
            ? `expand${shapeText([...lead, ...a.slice(-2)])}(a) @ expand${shapeText([...lead, ...b.slice(-2)])}(b)`
            : "a @ b",
        },
      };
    },
    outer: y("outer(a, b)"),
    pairwise_sqdist: y("pairwise_sqdist(a, b)"),
    nearest_prototype: y("argmin(pairwise_sqdist(x, w), axis: -1)"),
    einsum: (c) => {
      const [inputs = "", output = ""] = String(c.attrs["equation"]).split("->");
      const spaced = (text: string): string =>
        (text.replaceAll("...", "*").match(/./g) ?? []).join(" ").replaceAll("*", "...");
      const operands = inputs.split(",");
      return {
        outputs: {
          y: `einsum(\`${operands.map(spaced).join(", ")} -> ${spaced(output)}\`, ${operands.map((_, i) => "abc"[i]).join(", ")})`,
        },
      };
    },
  },
  shape: {
    arange: (c) => ({
      outputs: {
        arange: `for i in 0..${c.outputs["arange"]!.shape[0]}: ${number(c.attrs["start"])} + ${number(c.attrs["step"])} * i`,
        linspace: `for i in 0..${number(c.attrs["n"])}: ${number(c.attrs["lo"])} + ${Number(c.attrs["hi"]) - Number(c.attrs["lo"])} * i / ${Number(c.attrs["n"]) - 1}`,
      },
    }),
    causal_mask_fill: y("softmax(where(expand[2, 4, 4](causal_mask(4)), x, -inf))"),
    concat: (c) => ({ outputs: { y: `concat([${order(c)}], axis: ${number(c.attrs["axis"])})` } }),
    stack: (c) => ({
      outputs: {
        y:
          c.attrs["axis"] === 0
            ? `[${order(c)}]`
            : `concat([${(c.attrs["order"] as string[]).map((name) => `unsqueeze(${name}, -1)`).join(", ")}], axis: -1)`,
      },
    }),
    diagonal: y("diagonal(x)"),
    expand: (c) => ({ outputs: { y: `expand${shapeText(c.attrs["shape"] as number[])}(x)` } }),
    flatten: y("flatten(x)"),
    flip: (c) => ({
      outputs: { y: (c.attrs["axes"] as number[]).reduce((text, axis) => `flip(${text}, axis: ${axis})`, "x") },
    }),
    im2col: y(
      "reshape[1, 12, 6](for n, c in 0..2, r in 0..2, s in 0..3, i in 0..3, j in 0..2: x[n, c, i * 2 + r - 1, j * 2 + s - 1] ?? 0)",
    ),
    pad: (c) => {
      const pads = c.attrs["pad"] as [number, number][];
      const shape = input(c, "x").shape;
      const names = "abcd".slice(0, shape.length).split("");
      const binders = names.map((name, i) => `${name} in 0..${shape[i]! + pads[i]![0] + pads[i]![1]}`).join(", ");
      const index = (name: string, i: number): string => {
        const [low] = pads[i]!;
        const shifted = low ? `${name} - ${low}` : name;
        if (c.attrs["mode"] === "constant") return shifted;
        const last = shape[i]! - 1;
        if (c.attrs["mode"] === "replicate") return `max(0, min(${last}, ${shifted}))`;
        return `${last} - abs(${last} - abs(${shifted}))`;
      };
      const load = `x[${names.map(index).join(", ")}]`;
      return {
        outputs: {
          y: `for ${binders}: ${c.attrs["mode"] === "constant" ? `${load} ?? ${number(c.attrs["value"])}` : load}`,
        },
      };
    },
    permute: (c) => ({ outputs: { y: `transpose(x, axes: ${pair(c.attrs["perm"])})` } }),
    transpose: y("transpose(x)"),
    repeat_interleave: (c) => ({ outputs: { y: `repeat_interleave(x, ${number(c.attrs["repeats"])})` } }),
    reshape: (c) => ({ outputs: { y: `reshape${shapeText(c.outputs["y"]!.shape)}(x)` } }),
    roll: (c) => {
      const shifts = c.attrs["shifts"] as number[];
      const axes = c.attrs["axes"] as number[];
      return {
        outputs: {
          y: axes.reduce(
            (text, axis, i) =>
              axis === 0 ? `transpose(roll(transpose(${text}), ${shifts[i]}))` : `roll(${text}, ${shifts[i]})`,
            "x",
          ),
        },
      };
    },
    select: (c) => ({
      outputs: { y: c.attrs["axis"] === 1 ? `x[:, ${number(c.attrs["index"])}]` : `x[${number(c.attrs["index"])}]` },
    }),
    slice: (c) => {
      const starts = c.attrs["starts"] as number[];
      const steps = c.attrs["steps"] as number[];
      const stops = c.attrs["stops"] as number[];
      if (steps.every((step) => step === 1))
        return { outputs: { y: `x[${starts.map((start, i) => `${start}..${stops[i]}`).join(", ")}]` } };
      const [n, m] = c.outputs["y"]!.shape;
      return {
        outputs: {
          y: `for i in 0..${n}, j in 0..${m}: x[${steps[0]} * i + ${starts[0]}, ${steps[1]} * j + ${starts[1]}]`,
        },
      };
    },
    split: (c) => {
      const sizes = c.attrs["sizes"] as number[];
      let start = 0;
      return {
        outputs: Object.fromEntries(
          sizes.map((size, i) => {
            const text = `x[${c.attrs["axis"] === 1 ? ":, " : ""}${start}..${start + size}]`;
            start += size;
            return [`y${i}`, text];
          }),
        ),
      };
    },
    squeeze: (c) => ({ outputs: { y: `squeeze(x, ${number(c.attrs["axis"])})` } }),
    unsqueeze: (c) => ({ outputs: { y: `unsqueeze(x, ${number(c.attrs["axis"])})` } }),
    tile: (c) => {
      const [n, m] = input(c, "x").shape;
      const [a, b] = c.outputs["y"]!.shape;
      return { outputs: { y: `for i in 0..${a}, j in 0..${b}: x[i % ${n}, j % ${m}]` } };
    },
    tril: (c) => ({ outputs: { y: `tril(x, ${number(c.attrs["diagonal"])})` } }),
    triu: (c) => ({ outputs: { y: `triu(x, ${number(c.attrs["diagonal"])})` } }),
  },
  indexing: {
    gather: (c) => ({
      outputs: { y: c.attrs["axis"] === 1 ? "take_along(x, index)" : "for i, j: x[index[i, j], j]" },
      ranges: { index: `0..${c.attrs["axis"] === 1 ? columns(c, "x") : rows(c, "x")}` },
    }),
    take_along: (c) => ({ outputs: { y: "take_along(x, index)" }, ranges: { index: `0..${columns(c, "x")}` } }),
    index_select: (c) => ({
      outputs: { y: c.attrs["axis"] === 0 ? "x[index]" : "x[:, index]" },
      ranges: { index: `0..${c.attrs["axis"] === 0 ? rows(c, "x") : columns(c, "x")}` },
    }),
    one_hot: (c) => ({
      outputs: { y: `i32(one_hot(index, ${number(c.attrs["classes"])}))` },
      ranges: { index: `0..${number(c.attrs["classes"])}` },
    }),
    scatter_add: (c) => ({
      outputs: { y: "for n, d: x[n, d] + sum over k: where(index[k, d] == n, src[k, d], 0)" },
      ranges: { index: `0..${rows(c, "x")}` },
    }),
    sort: () => ({ outputs: { values: "sort_descending(x)", indices: "order_descending(x)" } }),
    topk: (c) => ({
      outputs: {
        values: `top_k(x, ${number(c.attrs["k"])})`,
        indices: `order_descending(x)[:, 0..${number(c.attrs["k"])}]`,
      },
    }),
  },
  higher: {
    gradient_penalty: (c) => ({
      ...dense(twoLayers(columns(c, "x"), rows(c, "fc1.bias"), 1, "tanh")),
      lets: "let f = net(x)\n  let g = grad(sum(f), wrt: x)",
      outputs: { loss: "mean(f) + 0.5 * mean((sqrt(sum(g^2, axis: -1) + 1e-12) - 1)^2)" },
    }),
    hessian_vector_product: () => ({
      declarations: "fn f(w: f32[4]) -> f32 = sum over i in 0..3: sin(w[i] * w[i + 1]) + w[i + 1]^4 / 4 + exp(-w[i]^2)",
      outputs: { f: "f(w)", grad: "grad(f(w), wrt: w)", hvp: "grad(sum(grad(f(w), wrt: w) * v), wrt: w)" },
    }),
    hyper_network: (c) => ({
      ...dense(twoLayers(columns(c, "task"), rows(c, "fc1.bias"), rows(c, "fc2.bias"), "tanh")),
      lets: "let w = reshape[4, 4, 3](net(task))",
      outputs: { y: "for b, o: sum over i: x[b, i] * w[b, i, o]" },
    }),
    unrolled_descent: (c) => ({
      ...dense(twoLayers(4, rows(c, "fc1.bias"), 1, "softplus")),
      lets: `let found = descend(|v| net(concat([x, v], axis: -1)), y0, iters: ${number(c.attrs["iters"])}, lr: ${number(c.attrs["lr"])})`,
      outputs: { y: "found", loss: "mse(found, target)" },
    }),
    input_gradient: (c) => ({
      ...dense(twoLayers(columns(c, "x"), rows(c, "fc1.bias"), rows(c, "fc2.bias"), "tanh")),
      lets: "let clean = cross_entropy(net(x), y)\n  let g = grad(clean, wrt: x)",
      outputs: { clean: "clean", input_grad: "g", loss: "0.5 * clean + 0.5 * sum(g^2)" },
      ranges: { y: `0..${rows(c, "fc2.bias")}` },
    }),
    maml_step: (c) => ({
      ...dense(twoLayers(columns(c, "x_support"), rows(c, "fc1.bias"), 1, "tanh")),
      lets: `let inner = mse(net(x_support), y_support)\n  let fast = net - ${number(c.attrs["inner_lr"])} * grad(inner, wrt: net)`,
      outputs: { inner: "inner", loss: "mse(fast(x_query), y_query)" },
    }),
    second_derivative: (c) => {
      const f = String(c.attrs["function"]);
      const first = `grad(sum(${f}(x)), wrt: x)`;
      return { outputs: { y: `${f}(x)`, d1: first, d2: `grad(sum(${first}), wrt: x)` } };
    },
    stop_gradient: y("x * stop(x) + sin(x)"),
    straight_through: y("x + stop(where(x >= 0, 1.0, 0.0) - x)"),
  },
  loss: {
    mse: loss((_, r) => `mse(x, target, ${r})`),
    l1: loss((_, r) => `l1(x, target, ${r})`),
    huber: loss((c, r) => `huber(x, target, ${number(c.attrs["delta"])}, ${r})`),
    smooth_l1: loss((c, r) => `smooth_l1(x, target, ${number(c.attrs["beta"])}, ${r})`),
    bce: loss((c, r) => `bce(x, target, ${c.inputs["weight"] ? "weight" : "1"}, ${r})`),
    bce_logits: loss((c, r) => `bce_with_logits(x, target, ${c.inputs["pos_weight"] ? "pos_weight" : "1"}, ${r})`),
    nll: (c) => ({
      ranges: classes(c),
      outputs: {
        loss: `nll(x, target, ${c.inputs["class_weight"] ? "class_weight" : "1"}, ${number(c.attrs["ignore_index"] ?? -100)}, reduce: ${reduceName(c)})`,
      },
    }),
    cross_entropy: (c) => {
      const image = input(c, "x").shape.length === 4;
      const text = `cross_entropy(x, target, ${c.inputs["class_weight"] ? "class_weight" : "1"}, ${number(c.attrs["label_smoothing"] ?? 0)}, ${number(c.attrs["ignore_index"] ?? -100)}, reduce: ${reduceName(c)})`;
      const layout: Translation["layout"] = image ? { x: nchw } : input(c, "x").shape.length === 3 ? { x: ncl } : {};
      return { outputs: { loss: text }, layout, ranges: classes(c) };
    },
    expression: (c) => ({
      declarations: `model held() -> f32[2, 2] {\n  param w: f32[2, 2] ~ zeros\n  return w\n}`,
      parameters: { weight: "held.w" },
      layout: {},
      outputs: {
        loss: `mse(x @ transpose(held()), target) + ${number(c.attrs["lambda"])} * l2(held) + ${number(c.attrs["l1"])} * l1_penalty(held)`,
      },
    }),
  },
  metric: {
    accuracy: (c) => ({
      outputs: { accuracy: "accuracy(scores, target)" },
      ranges: { target: `0..${columns(c, "scores")}` },
    }),
    confusion_matrix: (c) => ({
      outputs: { matrix: `confusion(argmax(scores, axis: -1), target, ${columns(c, "scores")})` },
      ranges: { target: `0..${columns(c, "scores")}` },
    }),
    perplexity: (c) => ({
      outputs: { perplexity: "perplexity(logits, target)" },
      ranges: { target: `0..${columns(c, "logits")}` },
    }),
    regression: (c) => {
      const all: Record<string, string> = {
        r2: "r2(pred, target)",
        mae: "mae(pred, target)",
        mse: "mse(pred, target)",
        rmse: "rmse(pred, target)",
      };
      return { outputs: Object.fromEntries(Object.keys(c.outputs).map((name) => [name, all[name]!])) };
    },
  },
  layer: {
    linear: (c) => ({
      declarations: `model net(x: f32[...S, ${number(c.attrs["in"])}]) = x |> Linear(${number(c.attrs["out"])}, bias: ${String(c.attrs["bias"])})`,
      parameters: { weight: "net.linear.w", bias: "net.linear.b" },
      layout: { weight: matrix },
      outputs: { y: "net(x)" },
    }),
    embedding: (c) => ({
      declarations: `model net(index: i32[...S] in 0..${number(c.attrs["vocab"])}) = index |> Embedding(${number(c.attrs["vocab"])}, ${number(c.attrs["dim"])}${isDefined(c.attrs["padding_idx"]) ? `, padding_idx: ${number(c.attrs["padding_idx"])}` : ""})`,
      parameters: { weight: "net.embedding.table" },
      ranges: { index: `0..${number(c.attrs["vocab"])}` },
      outputs: { y: "net(index)" },
    }),
    dropout_eval: (c) => ({
      declarations: `model net(x: f32[...S]) = x |> Dropout(${number(c.attrs["p"])})`,
      outputs: { y: "net(x)" },
    }),
    layer_norm: (c) => {
      const shape = c.attrs["normalized_shape"] as number[];
      const size = shape.reduce((a, b) => a * b, 1);
      const flat = (t: ReferenceTensor): ReferenceTensor =>
        reshaped(t, [...t.shape.slice(0, t.shape.length - shape.length), size]);
      return {
        declarations: `model net(x: f32[...S, ${size}]) = x |> LayerNorm(${number(c.attrs["eps"])}, affine: ${String(c.attrs["affine"])})`,
        parameters: { weight: "net.layer_norm.g", bias: "net.layer_norm.b" },
        layout: { x: flat, y: flat, weight: flat, bias: flat },
        outputs: { y: "net(x)" },
      };
    },
    rms_norm: (c) => ({
      declarations: `model net(x: f32[...S, ${input(c, "x").shape.at(-1)}]) = x |> RMSNorm(${number(c.attrs["eps"])})`,
      parameters: { weight: "net.rms_norm.g" },
      outputs: { y: "net(x)" },
    }),
    batch_norm: (c) => {
      const rank = input(c, "x").shape.length;
      const last = rank === 4 ? nchw : rank === 3 ? ncl : undefined;
      const affine = Boolean(c.attrs["affine"]);
      const translation: Translation = {
        declarations: `model net(x: f32[...S, ${columns(c, "x")}]) = x |> BatchNorm(${number(c.attrs["momentum"])}, ${number(c.attrs["eps"])}, affine: ${affine})`,
        parameters: affine ? { weight: "net.batch_norm.g", bias: "net.batch_norm.b" } : {},
        layout: last ? { x: last, y: last } : {},
        unused: ["running_mean", "running_var", ...(affine ? [] : ["weight", "bias"])],
        outputs: { y: "net(x)" },
        training: {
          initial: { running_mean: "net.batch_norm.mu", running_var: "net.batch_norm.var" },
          states: { new_running_mean: "net.batch_norm.mu", new_running_var: "net.batch_norm.var" },
        },
      };
      return translation;
    },
    conv2d: (c) => {
      const a = c.attrs;
      return {
        declarations: `model net(x: f32[N, H, W, ${number(a["in"])}]) = x |> Conv2d(${number(a["out"])}, k: ${pair(a["kernel"])}, stride: ${pair(a["stride"])}, pad: ${pair(a["padding"])}, dilate: ${pair(a["dilation"])}, groups: ${number(a["groups"])}, bias: ${String(a["bias"])})`,
        parameters: { weight: "net.conv2d.w", bias: "net.conv2d.b" },
        layout: { x: nchw, y: nchw, weight: kernel },
        outputs: { y: "net(x)" },
      };
    },
    max_pool2d: (c) => ({
      declarations: `model net(x: f32[N, H, W, C]) = x |> MaxPool2d(${window(c)}, ceil_mode: ${String(c.attrs["ceil_mode"])})`,
      layout: { x: nchw, y: nchw },
      outputs: { y: "net(x)" },
    }),
    avg_pool2d: (c) => ({
      declarations: `model net(x: f32[N, H, W, C]) = x |> AvgPool2d(${window(c)}, ceil_mode: ${String(c.attrs["ceil_mode"])}, count_include_pad: ${String(c.attrs["count_include_pad"])})`,
      layout: { x: nchw, y: nchw },
      outputs: { y: "net(x)" },
    }),
    // the mask is given: the layer's formula without its draw
    dropout_mask: (c) => ({ outputs: { y: `where(mask, x / (1 - ${number(c.attrs["p"])}), 0)` } }),
  },
};

/** The translation of a case, or undefined where its kind has none yet. */
export function translate(c: ReferenceCase): Translation | undefined {
  return rules[c.family]?.[c.kind]?.(c);
}

const optimizers: Readonly<Record<string, (a: Readonly<Record<string, unknown>>) => string>> = {
  sgd: (a) =>
    `sgd(lr: ${number(a["lr"])}, momentum: ${number(a["momentum"])}, dampening: ${number(a["dampening"])}, nesterov: ${String(a["nesterov"])}, decay: ${number(a["weight_decay"])})`,
  adam: (a) =>
    `adam(lr: ${number(a["lr"])}, ${betas(a)}, eps: ${number(a["eps"])}, decay: ${number(a["weight_decay"])}, amsgrad: ${String(a["amsgrad"])})`,
  adamw: (a) =>
    `adamw(lr: ${number(a["lr"])}, ${betas(a)}, eps: ${number(a["eps"])}, decay: ${number(a["weight_decay"])}, amsgrad: ${String(a["amsgrad"])})`,
  rmsprop: (a) =>
    `rmsprop(lr: ${number(a["lr"])}, alpha: ${number(a["alpha"])}, eps: ${number(a["eps"])}, momentum: ${number(a["momentum"])}, centered: ${String(a["centered"])}, decay: ${number(a["weight_decay"])})`,
};
const betas = (a: Readonly<Record<string, unknown>>): string => {
  const [b1, b2] = a["betas"] as [number, number];
  return `b1: ${b1}, b2: ${b2}`;
};
const schedules: Readonly<Record<string, (a: Readonly<Record<string, unknown>>) => string>> = {
  constant: (a) => `constant(${number(a["lr"])})`,
  exponential: (a) => `exponential(${number(a["lr"])}, ${number(a["gamma"])})`,
  step: (a) => `step_decay(${number(a["lr"])}, ${number(a["step_size"])}, ${number(a["gamma"])})`,
  warmup_cosine: (a) =>
    `warmup_cosine(${number(a["lr"])}, ${number(a["warmup"])}, ${number(a["total"])}, ${number(a["min_lr"])})`,
};

/**
 * One training step as a sequence of one: the inputs are parameters, the objective is the cotangent's product with the outputs, and
 * sgd with rate 1 leaves old - new = gradient. Values that a step makes are kept in states.
 */
function trainingStep(c: ReferenceCase): Sequence | undefined {
  const t = c.family === "layer" && c.attrs["training"] === true ? translate(c) : undefined;
  if (!t?.training) return undefined;
  const lay = (name: string, tensor: ReferenceTensor): ReferenceTensor => t.layout?.[name]?.(tensor) ?? tensor;
  const x = lay("x", input(c, "x"));
  const y = lay("y", c.outputs["y"]!);
  const cotangent = lay("y", c.cotangent!["y"]!);
  const source = `${t.declarations}
model held() {
  param x: f32${shapeText(x.shape)} ~ zeros
  return x
}
train fit {
  state cotangent: f32${shapeText(y.shape)} = 0
  state seen: f32${shapeText(y.shape)} = 0
  let y = net(held())
  next seen = y
  minimize sum(y * cotangent) by sgd(lr: 1)
  steps: 1
}
`;
  const initial: Record<string, ReferenceTensor> = { "held.x": x, "fit.cotangent": cotangent };
  for (const [name, path] of Object.entries(t.training.initial ?? {})) initial[path] = input(c, name);
  for (const [name, path] of Object.entries(t.parameters ?? {})) initial[path] = lay(name, input(c, name));
  const after = (name: string, before: ReferenceTensor): ReferenceTensor => {
    const g = lay(name, c.grads[name]!);
    return { ...before, data: before.data.map((v, i) => v - g.data[i]!) };
  };
  const outputs: Record<string, ReferenceTensor> = { y, "held.x": after("x", x) };
  for (const name of Object.keys(t.training.states ?? {})) outputs[name] = c.outputs[name]!;
  for (const [name, path] of Object.entries(t.parameters ?? {})) outputs[path] = after(name, initial[path]!);
  const states = [
    { state: "fit.seen", output: "y", final: true },
    { state: "held.x", output: "held.x", final: true },
    ...Object.entries(t.training.states ?? {}).map(([output, state]) => ({ state, output, final: true })),
    ...Object.values(t.parameters ?? {}).map((path) => ({ state: path, output: path, final: true })),
  ];
  return { source, steps: 1, initial, states, outputs };
}

/** The step sequence of a case, or undefined where it has none. */
export function sequence(c: ReferenceCase): Sequence | undefined {
  const training = trainingStep(c);
  if (training) return training;
  if (c.family === "optimizer") {
    const write = optimizers[c.kind];
    if (!write) return undefined;
    const steps = Number(c.attrs["steps"]);
    const w = input(c, "w");
    const b = input(c, "b");
    const clip = c.attrs["clip"] as { mode: string; max_norm?: number; value?: number } | undefined;
    const chain = clip
      ? `${clip.mode === "norm" ? `clip_norm(${clip.max_norm})` : `clip_value(${clip.value})`} >> `
      : "";
    const source = `model net() -> f32 {
  param w: f32${shapeText(w.shape)} ~ zeros
  param b: f32${shapeText(b.shape)} ~ zeros
  return sum(w) + sum(b)
}
train fit {
  state gw: f32${shapeText([steps, ...w.shape])} = 0
  state gb: f32${shapeText([steps, ...b.shape])} = 0
  let made = net()
  minimize sum(net.w * gw[step % ${steps}]) + sum(net.b * gb[step % ${steps}]) by ${chain}${write(c.attrs)}
  steps: ${steps}
}
`;
    return {
      source,
      steps,
      initial: { "net.w": w, "net.b": b, "fit.gw": input(c, "grad.w"), "fit.gb": input(c, "grad.b") },
      states: [
        { state: "net.w", output: "w" },
        { state: "net.b", output: "b" },
      ],
    };
  }
  if (c.family === "schedule") {
    const write = schedules[c.kind];
    if (!write) return undefined;
    const steps = Number(c.attrs["steps"]);
    const source = `model net() -> f32 {
  param w: f32 ~ zeros
  return w
}
train fit {
  state seen: f32[${steps}] = 0
  let rate = ${write(c.attrs)}
  next seen = for i in 0..${steps}: where(i == step, rate, seen[i])
  minimize net()^2 by sgd(lr: rate)
  steps: ${steps}
}
`;
    return { source, steps, initial: {}, states: [{ state: "fit.seen", output: "lr", final: true }] };
  }
  return undefined;
}
