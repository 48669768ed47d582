// Random well-typed .dlm programs over small shapes: expressions with for, over, where, index arithmetic, reducers, products, softmax, loops, look-ups and
// grad. Each has the exports `forward`, `gradient` and `second` over the same inputs. `harder` ones have order statistics, windows larger than what they
// move over, tensors of one element, empty slices, masks, ties and steps too; with `runTime`, the size 7 is the run-time dim B wherever it is written.
import { random } from "./random.ts";

export interface RandomProgram {
  readonly text: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly dtype: "f32" | "i32";
    readonly end?: number;
  }[];
  /** No maximum, |x| or where on values: central differences of second order mean something. */
  readonly smooth: boolean;
  /** A whole row may be masked: x - inf does not move with x, and by the formula it does. */
  readonly masked: boolean;
}
interface Value {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: "f32" | "i32" | "bool";
  readonly end?: number; // i32: values are in 0..end
}
const letters = ["i", "j", "l", "m"];
const shapeText = (shape: readonly number[]): string => (shape.length ? `[${shape.join(", ")}]` : "");

const sizeB = 7;
const withB = (text: string): string =>
  text.replace(/(?<!\w)(?<!\d\.)\d+(?!\w|\.\d)/g, (n) =>
    Number(n) === sizeB
      ? "B"
      : Number(n) === sizeB - 1
        ? "B - 1"
        : Number(n) === sizeB ** 2
          ? "B * B"
          : Number(n) && Number(n) % sizeB === 0
            ? `${Number(n) / sizeB} * B`
            : n,
  );

export function randomProgram(seed: number, { harder = false, runTime = false } = {}): RandomProgram {
  const r = random(seed);
  const dims = runTime ? [r.pick([2, 4]), sizeB, 5] : [r.int(2, 3), r.int(2, 4), r.int(3, 5)];
  const dim = (): number => r.pick(dims);
  const shapeOf = (low: number, high: number): number[] => Array.from({ length: r.int(low, high) }, dim);
  const inputs: Value[] = [];
  for (let i = 0; i < r.int(2, 3); i++) inputs.push({ name: "abc"[i]!, shape: shapeOf(1, 3), dtype: "f32" });
  if (r.chance(0.4)) inputs.push({ name: "ids", shape: shapeOf(1, 2), dtype: "i32", end: dim() });
  const values: Value[] = [...inputs];
  const lines: string[] = [];
  const floats: string[] = []; // names of f32 results
  let smooth = true;
  let masked = false;
  const kinky = <T>(x: T): T => ((smooth = false), x);

  const add = (text: string, shape: readonly number[], dtype: Value["dtype"] = "f32", end?: number): void => {
    const name = `v${lines.length}`;
    lines.push(`  let ${name} = ${text}`);
    values.push({ name, shape, dtype, ...(end !== undefined ? { end } : {}) });
    if (dtype === "f32") floats.push(name);
  };
  const tensor = (rank: (n: number) => boolean = () => true): Value => {
    const fit = values.filter((v) => v.dtype === "f32" && rank(v.shape.length));
    if (fit.length) return r.chance(0.6) ? fit[fit.length - 1 - r.int(0, Math.min(2, fit.length - 1))]! : r.pick(fit);
    const x = r.pick(inputs.filter((v) => v.dtype === "f32"));
    const flat = x.shape.reduce((p, n) => p * n, 1);
    const shape = rank(1) ? [flat] : rank(2) ? [1, flat] : rank(0) ? [] : [1, 1, flat];
    add(shape.length ? `reshape[${shape.join(", ")}](${x.name})` : `sum(${x.name})`, shape);
    return values[values.length - 1]!;
  };
  /** A value that fits x by the rules of operators: the same shape, 1s in it, or fewer axes aligned at the right. */
  const partner = (x: Value): string => {
    const fit = values.filter(
      (v) =>
        v.dtype === "f32" &&
        v.shape.length <= x.shape.length &&
        v.shape.every((n, d) => n === x.shape[x.shape.length - v.shape.length + d] || n === 1),
    );
    return fit.length && r.chance(0.8) ? r.pick(fit).name : r.pick(["0.5", "1.25", "-0.75"]);
  };
  const unary = (x: string): string => {
    const f = r.pick([
      "tanh",
      "sin",
      "sigmoid",
      "exp",
      "square",
      "root",
      "log",
      "cube",
      "relu",
      "abs",
      "gelu",
      "silu",
      "neg",
      "softplus",
      "scale",
    ]);
    switch (f) {
      case "exp":
        return `exp(0.3 * ${x})`;
      case "root":
        return `sqrt(${x}^2 + 0.1)`;
      case "log":
        return `log(1.2 + ${x}^2)`;
      case "cube":
        return `(0.5 * ${x})^3`;
      case "neg":
        return `-(${x})`;
      case "scale":
        return `${x} * 0.3 + 0.1`;
      case "relu":
      case "abs":
        return kinky(`${f}(${x})`);
      default:
        return `${f}(${x})`;
    }
  };
  const binary = (a: string, b: string): string => {
    switch (r.int(0, 6)) {
      case 0:
        return `${a} + ${b}`;
      case 1:
        return `${a} - ${b}`;
      case 2:
      case 3:
        return `${a} * ${b}`;
      case 4:
        return `${a} / (1.5 + ${b}^2)`;
      case 5:
        return kinky(`max(${a}, ${b})`);
      default:
        return kinky(`where(${a} > ${b}, ${a}, 0.5 * ${b})`);
    }
  };
  const bind = (shape: readonly number[]): { names: string[]; binders: string } => {
    const names = shape.map((_, d) => letters[d]!);
    return { names, binders: names.map((n, d) => `${n} in 0..${shape[d]}`).join(", ") };
  };
  const at = (x: Value, indices: readonly string[]): string =>
    indices.length ? `${x.name}[${indices.join(", ")}]` : x.name;

  const makers: (() => void)[] = [
    () => {
      const x = tensor();
      add(unary(x.name), x.shape);
    },
    () => {
      const x = tensor();
      add(binary(x.name, partner(x)), x.shape);
    },
    () => {
      const x = tensor();
      add(binary(unary(x.name), partner(x)), x.shape);
    },
    () => {
      // a reduction over one axis
      const x = tensor((n) => n >= 1);
      const axis = r.int(0, x.shape.length - 1);
      const keep = r.chance(0.4);
      const f = r.pick(["sum", "mean", "max", "amax", "min", "prod", "logsumexp", "std"]);
      if (["max", "amax", "min"].includes(f)) kinky(0);
      const call =
        f === "std"
          ? `sqrt(var(${x.name}, axis: ${axis}, correction: 0, keep: ${keep}) + 0.1)`
          : `${f}(${x.name}, axis: ${axis}${keep ? ", keep: true" : ""})`;
      add(call, keep ? x.shape.map((n, d) => (d === axis ? 1 : n)) : x.shape.filter((_, d) => d !== axis));
    },
    () => {
      const x = tensor((n) => n >= 1);
      add(`${r.pick(["softmax", "log_softmax"])}(${x.name})`, x.shape);
    },
    () => {
      // a product
      const x = tensor((n) => n >= 2);
      const k = x.shape[x.shape.length - 1]!;
      const w = values.filter((v) => v.dtype === "f32" && v.shape.length === 2 && v.shape[0] === k);
      if (w.length) {
        const y = r.pick(w);
        add(`${x.name} @ ${y.name}`, [...x.shape.slice(0, -1), y.shape[1]!]);
      } else if (x.shape.length === 2) add(`${x.name} @ transpose(${x.name})`, [x.shape[0]!, x.shape[0]!]);
    },
    () => {
      // shifted windows, strides, flips and wrapped reads along the last axis
      const x = tensor((n) => n >= 1);
      const n = x.shape[x.shape.length - 1]!;
      const { names, binders } = bind(x.shape);
      const last = names[names.length - 1]!;
      const lead = names.slice(0, -1);
      const read = (e: string, outside = ""): string => `${x.name}[${[...lead, e].join(", ")}]${outside}`;
      switch (r.int(0, 6)) {
        case 0:
          return add(`for ${binders}: ${read(`(${last} + ${r.int(1, 7)}) % ${n}`)}`, x.shape);
        case 1:
          return add(`for ${binders}: ${read(`${n - 1} - ${last}`)} * ${read(last)}`, x.shape);
        case 2:
          return add(
            `for ${binders}: sum over k in 0..3: (${read(`${last} + k - 1`, " ?? 0")}) * ${read(last)}`,
            x.shape,
          );
        case 3:
          return add(`for ${binders}: sum over k in 0..${last} + 1: ${read("k")} * f32(k + 1)`, x.shape);
        case 4:
          return add(
            `for ${[...lead.map((v, d) => `${v} in 0..${x.shape[d]}`), `${last} in 0..${2 * n}`].join(", ")}: ${read(`${last} // 2`)}`,
            [...x.shape.slice(0, -1), 2 * n],
          );
        case 5:
          return add(
            `for ${binders}: ${read(`2 * ${last} - 1`, " ?? 0.5")} + ${read(`(${last} - 1) / 2`, " ?? 0")}`,
            x.shape,
          );
        default:
          return add(kinky(`for ${binders}: max over k in 0..2: ${read(`${last} + k`, " ?? -1.5")}`), x.shape);
      }
    },
    () => {
      // masks by position and comparisons
      const x = tensor((n) => n >= 2);
      const { names, binders } = bind(x.shape);
      const [p, q] = [names[names.length - 2]!, names[names.length - 1]!];
      const condition = r.pick([
        `${q} <= ${p}`,
        `${q} > ${p}`,
        `${p} == ${q}`,
        `(${p} + ${q}) % 2 == 0`,
        `${p} + ${q} < 3 and ${q} > 0`,
        `not (${q} <= ${p}) or ${p} == 1`,
      ]);
      add(
        `for ${binders}: where(${condition}, ${at(x, names)}, ${r.pick(["0", "-2", `0.5 * ${at(x, names)}`])})`,
        x.shape,
      );
    },
    () => {
      // shapes
      const x = tensor((n) => n >= 1);
      const axis = r.int(0, x.shape.length - 1);
      const n = x.shape[axis]!;
      switch (r.int(0, 6)) {
        case 0:
          if (x.shape.length === 2) return add(`transpose(${x.name})`, [x.shape[1]!, x.shape[0]!]);
          return add(`flip(${x.name}, axis: ${axis})`, x.shape);
        case 1:
          return add(`reshape[${x.shape.reduce((p, m) => p * m, 1)}](${x.name})`, [x.shape.reduce((p, m) => p * m, 1)]);
        case 2:
          if (n > 1)
            return add(
              `${x.name}[${[...Array.from({ length: axis }, () => ":"), `1..${n}`].join(", ")}]`,
              x.shape.map((m, d) => (d === axis ? m - 1 : m)),
            );
          return;
        case 3:
          return add(
            `${x.name}[${[...Array.from({ length: axis }, () => ":"), r.pick(["0", "-1"])].join(", ")}]`,
            x.shape.filter((_, d) => d !== axis),
          );
        case 4:
          return add(
            `concat([${x.name}, 2 * ${x.name}], axis: ${axis})`,
            x.shape.map((m, d) => (d === axis ? 2 * m : m)),
          );
        case 5:
          return add(`expand[${[2, ...x.shape].join(", ")}](${x.name})`, [2, ...x.shape]);
        default:
          return add(`roll(${x.name}, ${r.int(1, 3)})`, x.shape);
      }
    },
    () => {
      // look-ups at data
      const ids = values.filter((v) => v.dtype === "i32");
      if (!ids.length) {
        const x = tensor((n) => n >= 1);
        return add(`argmax(${x.name}, axis: -1)`, x.shape.slice(0, -1), "i32", x.shape[x.shape.length - 1]!);
      }
      const id = r.pick(ids);
      const tables = values.filter((v) => v.dtype === "f32" && v.shape.length >= 1 && v.shape[0]! >= id.end!);
      if (tables.length && id.shape.length && r.chance(0.6)) {
        const t = r.pick(tables);
        if (id.shape.length + t.shape.length - 1 <= 4)
          return add(`${t.name}[${id.name}]`, [...id.shape, ...t.shape.slice(1)]);
      }
      if (r.chance(0.5)) return add(`one_hot(${id.name}, ${id.end})`, [...id.shape, id.end!]);
      const t = tensor((n) => n === 1);
      const { names, binders } = bind(id.shape);
      add(
        id.shape.length
          ? `for ${binders}: ${t.name}[${at(id, names)} + ${r.int(-1, 2)}] ?? 0.25`
          : `${t.name}[${id.name}] ?? 0.25`,
        id.shape,
      );
    },
    () => {
      // loops
      /** Rows that a batch has, a product in every round, perhaps a number for each row and rows that end early. */
      const recurrence = (): void => {
        const xs = tensor((n) => n === 3);
        const [rows, , width] = xs.shape as [number, number, number];
        const square = values.filter(
          (v) => v.dtype === "f32" && v.shape.length === 2 && v.shape[0] === width && v.shape[1] === width,
        );
        const product = square.length ? `h @ ${r.pick(square).name}` : "h * h";
        const masked = r.chance(0.3);
        const own = masked ? `for b in 0..${rows}, j in 0..${width}: where(t < b + 1, m[b, j], h[b, j])` : "m";
        const count = masked ? `, t = 0` : "";
        const next = masked ? ", t = t + 1" : "";
        if (r.chance(0.5))
          return add(
            `scan (x in ${xs.name} along 1; h = zeros[${rows}, ${width}]${count}) {\n    let m = tanh(x + 0.5 * (${product}))\n    let n = ${own}\n    next h = n${next}\n    yield ${r.pick(["n", "n * h", "h"])}\n  }`,
            xs.shape,
          );
        const n = lines.length;
        lines.push(
          `  let (p${n}, q${n}) = fold (x in ${xs.name} along 1; h = zeros[${rows}, ${width}], s = ones[${rows}]) {\n    let m = tanh(x + 0.5 * (${product}) * unsqueeze(s, -1))\n    next h = m, s = 0.5 * s + mean(m, axis: 1)\n  }`,
        );
        return add(`p${n} + unsqueeze(q${n}, -1)`, [rows, width]);
      };
      const x = tensor((n) => n >= 1);
      const item = x.shape.slice(1);
      const w = values.filter(
        (v) =>
          v.dtype === "f32" &&
          v.shape.length === 2 &&
          item.length === 1 &&
          v.shape[0] === item[0] &&
          v.shape[1] === item[0],
      );
      const step = w.length
        ? `tanh(x + 0.5 * (reshape[1, ${item[0]}](h) @ ${r.pick(w).name})[0])`
        : `tanh(0.7 * h + x${r.chance(0.5) ? " * h" : ""})`;
      switch (r.int(0, 5)) {
        case 4:
        case 5:
          return recurrence();
        case 0:
          return add(
            `scan (x in ${x.name} along 0; h = zeros${shapeText(item) || "[]"}) {\n    let n = ${step}\n    next h = n\n    yield ${r.pick(["n", "n * n", "h", "n - h"])}\n  }`,
            x.shape,
          );
        case 1: {
          const n = lines.length;
          lines.push(
            `  let (p${n}, q${n}) = fold (x in ${x.name} along 0; h = zeros${shapeText(item) || "[]"}, c = ones${shapeText(item) || "[]"}) {\n    next h = sin(h + x * c), c = 0.5 * c + h\n  }`,
          );
          return add(`p${n} + 0.5 * q${n}`, item);
        }
        case 2:
          return add(`fold (k in 0..3; y = ${x.name}) {\n    next y = 0.8 * sin(y) + 0.1 * f32(k)\n  }`, x.shape);
        default:
          return add(`descend(|v| sum(tanh(v)^2 + 0.1 * v * ${x.name}), ${x.name}, iters: 2, lr: 0.3)`, x.shape);
      }
    },
    () => {
      // a derivative as a value
      const x = r.pick(inputs.filter((v) => v.dtype === "f32"));
      const e = unary(x.name);
      add(`grad(sum(${e} * ${x.name}), wrt: ${x.name})`, x.shape);
    },
    () => {
      // a contraction in index notation
      const x = tensor((n) => n === 2);
      const y = values.filter((v) => v.dtype === "f32" && v.shape.length === 2 && v.shape[0] === x.shape[0]);
      const z = y.length ? r.pick(y) : x;
      add(
        `for i in 0..${x.shape[1]}, j in 0..${z.shape[1]}: sum over k in 0..${x.shape[0]}: ${r.pick([`${x.name}[k, i] * ${z.name}[k, j]`, `(${x.name}[k, i] - ${z.name}[k, j])^2`, `where(k <= i, ${x.name}[k, i] * ${z.name}[k, j], 0)`, `tanh(${x.name}[k, i]) * ${z.name}[k, j]`])}`,
        [x.shape[1]!, z.shape[1]!],
      );
    },
  ];
  const harderMakers: (() => void)[] = [
    () => {
      // windows larger than what they move over, with strides
      const x = tensor((n) => n >= 1);
      const [n, k, stride] = [x.shape[x.shape.length - 1]!, r.pick([5, 9, 11]), r.int(1, 3)];
      const { names, binders } = bind([...x.shape.slice(0, -1), r.pick([n, 4])]);
      const last = names[names.length - 1]!;
      const op = r.pick(["sum", "mean", "max"]);
      if (op === "max") kinky(0);
      const read = `${x.name}[${[...names.slice(0, -1), `${stride > 1 ? `${stride} * ` : ""}${last} + k - ${k >> 1}`].join(", ")}] ?? ${op === "max" ? "-9" : r.pick(["0", "10", "0.5"])}`;
      add(`for ${binders}: ${op} over k in 0..${k}: ${read}`, [
        ...x.shape.slice(0, -1),
        Number(/in 0\.\.(\d+)$/.exec(binders)![1]),
      ]);
    },
    () => {
      // order statistics, over all axes and over the last
      const x = tensor((n) => n >= 1);
      const n = x.shape[x.shape.length - 1]!;
      kinky(0);
      const f = r.pick(["min", "max", "amin", "spread", "sort", "best", "top", "second"]);
      if (f === "sort") return add(`sort_descending(${x.name})`, x.shape);
      if (f === "top" && n > 1) return add(`top_k(${x.name}, 2)`, [...x.shape.slice(0, -1), 2]);
      if (f === "spread") return add(`max(${x.name}) - min(${x.name})`, []);
      if (f === "best" && x.shape.length === 1) return add(`${x.name}[argmax(${x.name})]`, []);
      if (f === "second" && x.shape.length === 2)
        return add(`for i in 0..${x.shape[0]}: ${x.name}[i, argmin over k: ${x.name}[i, k]] * ${x.name}[i, 0]`, [
          x.shape[0]!,
        ]);
      add(`${["min", "max", "amin"].includes(f) ? f : "amax"}(${x.name})`, []);
    },
    () => {
      // one element, read at a constant, at a loop index and at data
      const x = tensor((n) => n === 1);
      const name = `v${lines.length}`;
      add(`${r.pick(["sum", "mean", "logsumexp"])}(${x.name}, axis: 0, keep: true)`, [1]);
      const ids = values.filter((v) => v.dtype === "i32" && v.shape.length === 1);
      const id = ids.length && r.chance(0.5) ? r.pick(ids) : undefined;
      const n = id ? id.shape[0]! : r.int(1, 3);
      add(
        `for i in 0..${n}: sum over k in 0..3: (${name}[${r.pick(["k - 1", "i - 1", "0", "i + k", ...(id ? [`${id.name}[i] - k`, `${id.name}[i]`] : [])])}] ?? 10) * 0.1`,
        [n],
      );
    },
    () => {
      // nothing at all
      const x = tensor((n) => n >= 1);
      const n = x.shape[0]!;
      const none = r.pick([`${x.name}[0..0]`, `${x.name}[${n}..${n}]`, `${x.name}[1..1]`]);
      if (r.chance(0.5)) return add(`${r.pick(["sum", "mean"])}(${none}, axis: 0)`, x.shape.slice(1));
      add(`concat([${none}, ${x.name}], axis: 0)`, x.shape);
    },
    () => {
      // masks: one, two, whole rows of them
      const x = tensor((n) => n >= 1);
      const { names, binders } = bind(x.shape);
      const at = names.length ? `[${names.join(", ")}]` : "";
      const last = names[names.length - 1]!;
      kinky(0);
      masked = true;
      const mask = `(for ${binders}: where(${r.pick([`${last} < 1`, `${last} % 2 == 0`, `${x.name}${at} > 0.2`, `${last} < 0`])}, 0.0, -inf))`;
      const scores = r.pick([
        `${x.name} + ${mask}`,
        `${x.name} + ${mask} + ${mask}`,
        `(${x.name} + ${mask}) / 0.5`,
        `for ${binders}: where(${last} > 0, ${x.name}${at}, -inf)`,
        `max(${x.name} + ${mask}, -inf)`,
      ]);
      add(`${r.pick(["softmax", "softmax", "log_softmax"])}(${scores})`, x.shape);
      if (lines.at(-1)!.includes("log_softmax")) add(`max(v${lines.length - 1}, -20)`, x.shape);
    },
    () => {
      // ties, and functions at 0
      const x = tensor();
      const z = `(${x.name} - ${x.name})`;
      add(
        kinky(
          r.pick([
            `max(${x.name}, ${x.name})`,
            `abs${z} + ${x.name}`,
            `relu${z}`,
            `norm${z} * ${x.name}`,
            `softplus${z} * ${x.name}`,
            `log_sigmoid(${z} * 2) + ${x.name}`,
            `std${z} + ${x.name}`,
            `logaddexp(${x.name}, ${x.name})`,
            `sqrt(${z} + 1) * ${x.name}`,
          ]),
        ),
        x.shape,
      );
    },
    () => {
      // steps, and quotients that meet them
      const x = tensor();
      const c = r.pick(["0.41", "0.3", "3"]);
      add(
        kinky(
          r.pick([
            `${x.name} * floor(${x.name} / ${c} + 0.37)`,
            `where(${x.name} / ${c} >= 0.21, ${x.name}, 0.5 * ${x.name})`,
            `${x.name} * sign(${x.name} - 0.13)`,
            `${x.name} - ${c} * round(${x.name} / ${c} + 0.11)`,
          ]),
        ),
        x.shape,
      );
    },
    () => {
      const x = tensor((n) => n >= 1);
      const n = r.pick(x.shape);
      add(r.pick([`${x.name} / ${n}`, `${x.name} * ${n} / (${n} + 2)`, `${x.name}^2 / (1 + f32(${n}))`]), x.shape);
    },
    () => {
      // data decides what is read, or nothing
      const x = tensor((n) => n === 1);
      const y = tensor((n) => n >= 1);
      const { names, binders } = bind(y.shape);
      kinky(0);
      add(
        `for ${binders}: ${x.name}[i32(${at(y, names)} * ${r.pick([1, 2, 9])}) + ${r.int(-1, 2)}] ?? ${at(y, names)}`,
        y.shape,
      );
    },
  ];
  for (let n = r.int(3, 7); n > 0; n--) {
    const before = lines.length;
    r.pick(harder && r.chance(0.5) ? harderMakers : makers)();
    if (lines.length > before && values[values.length - 1]!.shape.reduce((p, m) => p * m, 1) > 400) break;
  }
  if (!floats.length) add(`tanh(${inputs[0]!.name})`, inputs[0]!.shape);
  const wanted = inputs.filter((v) => v.dtype === "f32").map((v) => v.name);
  const signature = inputs
    .map((v) => `${v.name}: ${v.dtype}${shapeText(v.shape)}${v.end ? ` in 0..${v.end}` : ""}`)
    .join(", ");
  const results = floats.slice(-3);
  const objective = [
    ...results.map((x, i) => `sum(${i ? "0.5 * " : ""}tanh(0.5 * ${x}))`),
    ...wanted.map((x) => `0.1 * sum(${x}^2)`),
  ].join(" + ");
  const tuple = (xs: readonly string[]): string => (xs.length === 1 ? xs[0]! : `(${xs.join(", ")})`);
  const body = lines.join("\n");
  const second = wanted.map((x) => `0.5 * sum(g_${x}^2)`).join(" + ");
  const gradients =
    wanted.length === 1
      ? `let g_${wanted[0]} = grad(${objective}, wrt: ${wanted[0]})`
      : `let (${wanted.map((x) => `g_${x}`).join(", ")}) = grad(${objective}, wrt: ${tuple(wanted)})`;
  const text = [
    `export fn forward(${signature}) {\n${body}\n  return ${tuple([...results, "loss"])}\n}`.replace(
      "  return",
      `  let loss = ${objective}\n  return`,
    ),
    `export fn gradient(${signature}) {\n${body}\n  return grad(${objective}, wrt: ${tuple(wanted)})\n}`,
    `export fn second(${signature}) {\n${body}\n  ${gradients}\n  let slope = ${second}\n  return (slope, ${wanted.length === 1 ? `grad(slope, wrt: ${wanted[0]})` : wanted.map((_, i) => `d.${i}`).join(", ")})\n}`,
  ];
  if (wanted.length > 1)
    text[2] = text[2]!.replace(
      /  return \(slope[^\n]*/,
      `  let (${wanted.map((x) => `d_${x}`).join(", ")}) = grad(slope, wrt: ${tuple(wanted)})\n  return (slope, ${wanted.map((x) => `d_${x}`).join(", ")})`,
    );
  const known = runTime && inputs.some((v) => v.shape.includes(sizeB));
  return {
    text: (known ? withB(text.join("\n")) : text.join("\n")) + "\n",
    inputs: inputs.map((v) => ({
      name: v.name,
      shape: v.shape,
      dtype: v.dtype as "f32" | "i32",
      ...(v.end ? { end: v.end } : {}),
    })),
    smooth,
    masked,
  };
}
