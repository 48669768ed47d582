// Random programs of whole numbers, truth values and look-ups, with the values that they must have: the text and an interpreter of its own are made
// side by side, so that neither the evaluator nor a device is what the other is measured by.
// i32 is two's complement and wraps; `//` floors; `%` has the divisor's sign. f32 values are whole and below 2^22, so exact, or compared within a tolerance.
import type { ProgramCase } from "./check.ts";
import { random } from "./random.ts";

type DType = "f32" | "i32" | "bool";
interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly sizes: readonly string[]; // of the shape, as they are written: "3", "B"
  readonly data: readonly number[];
  readonly whole?: number; // f32: whole numbers of at most this magnitude
  readonly divisor?: boolean; // never 0
}
interface Expr {
  readonly dtype: DType;
  readonly text: string;
  readonly at: (env: readonly number[]) => number; // the loop variables' values
  readonly plain?: boolean; // of literals and loop indices alone: takes the other operand's type
  readonly whole?: number;
}
interface Scope {
  readonly variables: readonly { readonly name: string; readonly size: string; readonly extent: number }[];
  readonly tensorwise?: readonly number[]; // no indices: operands are whole tensors of this shape, and numbers
}
const least = -2147483648;
const most = 2147483647;
const ends = [least, least + 1, -1, 0, 1, most - 1, most];
const floorDiv = (a: number, b: number): number => Math.floor(a / b) | 0;
const modulo = (a: number, b: number): number => a - b * Math.floor(a / b); // exact: |a|, |b| <= 2^31
const literal = (x: number): string => (x < 0 ? `(${x})` : String(x));
const strideOf = (shape: readonly number[], d: number): number => shape.slice(d + 1).reduce((p, n) => p * n, 1);
const count = (shape: readonly number[]): number => shape.reduce((p, n) => p * n, 1);

export function exactProgram(seed: number): ProgramCase {
  const r = random(seed);
  const runTime = r.chance(0.4) ? r.int(1, 6) : undefined; // the size B
  const tensors: Tensor[] = [];
  const lines: string[] = [];
  const signature: string[] = [];
  const size = (): [number, string] => {
    if (runTime !== undefined && r.chance(0.35)) return [runTime, "B"];
    const n = r.pick([1, 1, 2, 3, 4, 5, 7]);
    return [n, String(n)];
  };
  const input = (name: string, dtype: DType, rank: number, range?: readonly [number, number]): void => {
    const axes = Array.from({ length: rank }, size);
    if (name === "a" && runTime !== undefined) axes[0] = [runTime, "B"]; // bound where it stands alone
    const shape = axes.map(([n]) => n);
    const [low, end] = range ?? [least, most + 1];
    const value = (): number => {
      if (dtype === "bool") return Number(r.chance(0.5));
      if (dtype === "f32")
        return name === "w"
          ? r.pick([41, 49, 55, 7, 10]) * r.int(-9, 9) + r.pick([0, 0, 1, -1])
          : Math.fround(r.real(-2, 2));
      if (r.chance(0.4)) return Math.max(low, Math.min(end - 1, r.pick([...ends, low, end - 1])));
      return r.chance(0.4) ? Math.max(low, Math.min(end - 1, r.int(-50, 50))) : r.int(low, end - 1);
    };
    const data = Array.from({ length: count(shape) }, value);
    tensors.push({
      name,
      dtype,
      shape,
      sizes: axes.map(([, text]) => text),
      data,
      ...(name === "w" ? { whole: 500 } : {}),
      ...(range && (low > 0 || end <= 0) ? { divisor: true } : {}),
    });
    signature.push(
      `${name}: ${dtype}${rank ? `[${axes.map(([, text]) => text).join(", ")}]` : ""}${range ? ` in ${low}..${end}` : ""}`,
    );
  };
  const ranges: readonly (readonly [number, number] | undefined)[] = [
    undefined,
    undefined,
    [0, 100_000],
    [-5, most],
    [0, 3],
    [-3, 4],
    [most - 600, most],
    [least, 0],
    [-50, 46341],
  ];
  input("a", "i32", r.int(1, 2), r.pick(ranges));
  input(
    "d",
    "i32",
    r.int(0, 1),
    r.pick([
      [1, 9],
      [-7, 0],
      [-3, 0],
      [1, most],
      [40, 42],
    ] as const),
  );
  input("t", "f32", r.int(1, 2));
  if (r.chance(0.5)) input("w", "f32", r.int(1, 2));
  if (r.chance(0.5)) input("m", "bool", r.int(0, 2));
  if (r.chance(0.5)) input("n", "i32", r.int(0, 1), r.pick(ranges));
  if (r.chance(0.4)) input("s", "f32", 0);
  const inputs = [...tensors];

  // ---- expressions
  const flat = (t: Tensor, at: readonly number[]): number => at.reduce((sum, i, d) => sum * t.shape[d]! + i, 0);
  const variable = (s: Scope, v: number): Expr => ({
    dtype: "i32",
    plain: true,
    text: s.variables[v]!.name,
    at: (env) => env[v]!,
  });
  const number = (x: number, text = literal(x)): Expr => ({ dtype: "i32", plain: true, text, at: () => x });
  const binary = (
    dtype: DType,
    text: string,
    a: Expr,
    b: Expr,
    value: (x: number, y: number) => number,
    whole?: number,
  ): Expr => ({ dtype, text, at: (env) => value(a.at(env), b.at(env)), ...(whole === undefined ? {} : { whole }) });
  /** An index into an axis of n; undefined outside where only `??` makes it right. */
  const index = (s: Scope, n: number, written: string, depth: number): { readonly e: Expr; readonly open: boolean } => {
    const same = s.variables.flatMap((v, i) => (v.size === written ? [i] : []));
    const kind = r.int(0, 9);
    if (same.length && kind < 5) {
      const v = variable(s, r.pick(same));
      return {
        e: kind < 4 ? v : { ...v, text: `${written} - 1 - ${v.text}`, at: (env) => n - 1 - v.at(env) },
        open: false,
      };
    }
    if (depth < 0) return { e: number(written === String(n) ? r.int(0, Math.max(0, n - 1)) : 0), open: n === 0 };
    const e = i32(s, depth);
    if (n === 0 || kind === 5 || kind === 6) return { e, open: true };
    if (kind === 7)
      return {
        e: {
          dtype: "i32",
          text: `max(min(${e.text}, ${written} - 1), 0)`,
          at: (env) => Math.max(Math.min(e.at(env), n - 1), 0),
        },
        open: false,
      };
    return { e: { dtype: "i32", text: `${e.text} % ${written}`, at: (env) => modulo(e.at(env), n) }, open: false };
  };
  const load = (s: Scope, dtype: DType, depth: number, fits: (t: Tensor) => boolean = () => true): Expr | undefined => {
    const found = tensors.filter(
      (t) =>
        t.dtype === dtype && fits(t) && (!s.tensorwise || !t.shape.length || t.shape.join() === s.tensorwise.join()),
    );
    if (!found.length) return undefined;
    const t = r.chance(0.6) ? found[found.length - 1 - r.int(0, Math.min(2, found.length - 1))]! : r.pick(found);
    const whole = t.whole === undefined ? {} : { whole: t.whole };
    if (!t.shape.length) return { dtype, text: t.name, at: () => t.data[0]!, ...whole };
    if (s.tensorwise) return { dtype, text: t.name, at: (env) => t.data[flat(t, env)]!, ...whole };
    const indices = t.shape.map((n, d) => index(s, n, t.sizes[d]!, depth - 1));
    const inside = (at: readonly number[]): boolean => at.every((i, d) => i >= 0 && i < t.shape[d]!);
    const open = indices.some((i) => i.open) || t.shape.includes(0);
    const outside = dtype === "bool" ? Number(r.chance(0.5)) : r.pick([0, 10, -3]);
    const written =
      dtype === "bool"
        ? outside
          ? "true"
          : "false"
        : dtype === "f32"
          ? literal(outside).replace(/(\d+)/, "$1.0")
          : literal(outside);
    const text = `${t.name}[${indices.map((i) => i.e.text).join(", ")}]`;
    return {
      dtype,
      text: open ? `(${text} ?? ${written})` : text,
      at: (env) => {
        const at = indices.map((i) => i.e.at(env));
        return inside(at) ? t.data[flat(t, at)]! : outside;
      },
      ...whole,
    };
  };
  const data = (s: Scope, depth: number): Expr =>
    load(s, "i32", depth) ?? load(s, "i32", depth, (t) => !t.shape.length) ?? number(r.int(1, 9));
  const reduced = (s: Scope, dtype: DType, ops: readonly string[], body: (inner: Scope) => Expr): Expr => {
    const [extent, written] = r.chance(0.1) ? ([0, "0"] as const) : size();
    const name = "kuvz"[s.variables.length % 4]! + (s.variables.length > 3 ? "1" : "");
    const bounded = s.variables.length > 0 && r.chance(0.2) ? s.variables.length - 1 : undefined; // sum over k in 0..i + 1
    const longest = bounded === undefined ? extent : s.variables[bounded]!.extent;
    const inner: Scope = {
      variables: [...s.variables, { name, size: bounded === undefined ? written : "", extent: longest }],
    };
    const e = body(inner);
    const op = r.pick(extent || bounded !== undefined ? ops : ops.filter((o) => !o.startsWith("arg")));
    const until = bounded === undefined ? written : `${s.variables[bounded]!.name} + 1`;
    const rounds = (env: readonly number[]): number => (bounded === undefined ? extent : env[bounded]! + 1);
    const values = (env: readonly number[]): number[] =>
      Array.from({ length: rounds(env) }, (_, k) => e.at([...env, k]));
    return {
      dtype: op === "argmax" || op === "argmin" || (op === "sum" && e.dtype === "bool") ? "i32" : dtype,
      text: `(${op} over ${name} in 0..${until}: ${e.text})`,
      at: (env) => reduce(op, values(env), e.dtype),
    };
  };
  const i32 = (s: Scope, depth: number): Expr => {
    if (depth <= 0 || r.chance(0.15))
      return s.variables.length && !s.tensorwise && r.chance(0.3)
        ? variable(s, r.int(0, s.variables.length - 1))
        : data(s, 0);
    const other = (): Expr =>
      r.chance(0.45)
        ? number(r.pick([1, 2, 3, -1, 7, 1000, 46341, 48271, 65536, most, least + 1, 1_000_000_007, -40]))
        : i32(s, depth - 1);
    const divisor = (): Expr =>
      r.chance(0.6)
        ? number(r.pick([1, 2, 3, 4, 7, 10, 41, 64, 97, 1000, most, -1, -2, -3, -4, -7, -64]))
        : (load(s, "i32", 1, (t) => t.divisor === true && t.shape.length < 2) ?? number(r.pick([5, -5])));
    const a = ((e) => (e.plain ? data(s, depth - 1) : e))(i32(s, depth - 1));
    switch (r.int(0, 13)) {
      case 0:
      case 1: {
        const b = other();
        return binary("i32", `(${a.text} + ${b.text})`, a, b, (x, y) => (x + y) | 0);
      }
      case 2: {
        const b = other();
        return binary("i32", `(${a.text} - ${b.text})`, a, b, (x, y) => (x - y) | 0);
      }
      case 3:
      case 4: {
        const b = r.chance(0.3) ? a : other();
        return binary("i32", `(${a.text} * ${b.text})`, a, b, Math.imul);
      }
      case 5:
      case 6: {
        const b = guarded(divisor());
        return binary("i32", `(${a.text} % ${b.text})`, a, b, modulo);
      }
      case 7:
      case 8: {
        const b = guarded(divisor());
        return binary("i32", `(${a.text} // ${b.text})`, a, b, floorDiv);
      }
      case 9: {
        const b = other();
        const op = r.pick(["min", "max"] as const);
        return binary("i32", `${op}(${a.text}, ${b.text})`, a, b, Math[op]);
      }
      case 10: {
        const c = bool(s, depth - 1);
        const b = other();
        return {
          dtype: "i32",
          text: `where(${c.text}, ${a.text}, ${b.text})`,
          at: (env) => (c.at(env) ? a.at(env) : b.at(env)),
        };
      }
      case 11:
        return r.chance(0.5)
          ? { dtype: "i32", text: `abs(${a.text})`, at: (env) => Math.abs(a.at(env)) | 0 }
          : { dtype: "i32", text: `(-${a.text})`, at: (env) => -a.at(env) | 0 };
      case 12:
        if (!s.tensorwise && s.variables.length < 4)
          return reduced(s, "i32", ["sum", "sum", "sum", "argmax", "argmin"], (inner) =>
            r.chance(0.2) ? bool(inner, depth - 1) : ((e) => (e.plain ? data(inner, 0) : e))(i32(inner, depth - 1)),
          );
        return a;
      default: {
        const w = whole(s, depth - 1);
        return { dtype: "i32", text: `i32(${w.text})`, at: (env) => w.at(env) };
      }
    }
  };
  /** A divisor that is read with `??` may be what stands there: not 0. */
  const guarded = (e: Expr): Expr => (/\?\? \(?0\)?\)?$/.test(e.text) ? number(3) : e);
  const comparisons: readonly [string, (x: number, y: number) => boolean][] = [
    ["<", (x, y) => x < y],
    ["<=", (x, y) => x <= y],
    [">", (x, y) => x > y],
    [">=", (x, y) => x >= y],
    ["==", (x, y) => x === y],
    ["!=", (x, y) => x !== y],
  ];
  const bool = (s: Scope, depth: number): Expr => {
    const given = r.chance(0.2) ? load(s, "bool", depth) : undefined;
    if (given) return given;
    const kind = depth <= 0 ? 0 : r.int(0, 9);
    if (kind === 6) {
      const a = bool(s, depth - 1);
      return { dtype: "bool", text: `(not ${a.text})`, at: (env) => Number(!a.at(env)) };
    }
    if (kind === 7) {
      const [a, b] = [bool(s, depth - 1), bool(s, depth - 1)];
      const op = r.pick(["and", "or"]);
      return binary("bool", `(${a.text} ${op} ${b.text})`, a, b, (x, y) => (op === "and" ? x && y : x || y));
    }
    if (kind === 8 && !s.tensorwise && s.variables.length < 4)
      return reduced(s, "bool", ["any", "all"], (inner) => bool(inner, depth - 1));
    const [op, holds] = r.pick(comparisons);
    if (kind === 9) {
      const [a, c] = [whole(s, depth - 1), r.pick([41, 49, 7, 3])];
      const k = r.int(-3, 3);
      return {
        dtype: "bool",
        text: `(${a.text} / ${c} ${op} ${literal(k)})`,
        at: (env) => Number(holds(a.at(env), c * k)),
      };
    }
    const a = ((e) => (e.plain && s.tensorwise ? data(s, 0) : e))(i32(s, depth));
    const b = r.chance(0.5)
      ? number(r.pick([...ends, 3, 7]))
      : r.chance(0.3)
        ? { ...binary("i32", `(${a.text} + 1)`, a, a, (x) => (x + 1) | 0), ...(a.plain ? { plain: true } : {}) }
        : i32(s, depth - 1);
    return binary("bool", `(${a.text} ${op} ${b.text})`, a, b, (x, y) => Number(holds(x, y)));
  };
  /** Whole f32 numbers. */
  const whole = (s: Scope, depth: number): Expr => {
    const given = r.chance(0.4) ? load(s, "f32", depth, (t) => t.whole !== undefined && t.whole < 1e6) : undefined;
    if (given) return { ...given, whole: Math.max(10, given.whole!) };
    const small = (): Expr => {
      const e = data(s, depth - 1);
      const c = r.pick([3, 10, 100, -41, 1000]);
      const inner = e.plain ? e : { ...e, text: `${e.text} % ${literal(c)}` };
      return {
        dtype: "f32",
        text: `f32(${inner.text})`,
        at: (env) => (e.plain ? e.at(env) : modulo(e.at(env), c)),
        whole: 1000,
      };
    };
    if (depth <= 0 || r.chance(0.3)) return small();
    const [a, b] = [whole(s, depth - 1), r.chance(0.5) ? whole(s, depth - 1) : small()];
    const c = r.pick([41, 49, 7, 3, 10, 64]);
    switch (r.int(0, 5)) {
      case 0:
        return binary("f32", `(${a.text} + ${b.text})`, a, b, (x, y) => x + y, a.whole! + b.whole!);
      case 1:
        return binary("f32", `(${a.text} - ${b.text})`, a, b, (x, y) => x - y, a.whole! + b.whole!);
      case 2:
        return a.whole! * b.whole! < 4e6
          ? binary("f32", `(${a.text} * ${b.text})`, a, b, (x, y) => x * y, a.whole! * b.whole!)
          : a;
      case 3:
        return { ...a, text: `floor(${a.text} / ${c})`, at: (env) => Math.floor(a.at(env) / c) };
      case 4:
        return { ...a, text: `ceil(${a.text} / ${literal(-c)})`, at: (env) => Math.ceil(a.at(env) / -c) };
      default: {
        const k = bool(s, depth - 1);
        return {
          ...binary("f32", "", a, b, () => 0, Math.max(a.whole!, b.whole!)),
          text: `where(${k.text}, ${a.text}, ${b.text})`,
          at: (env) => (k.at(env) ? a.at(env) : b.at(env)),
        };
      }
    }
  };
  const f32 = (s: Scope, depth: number): Expr => {
    const read = load(s, "f32", depth) ?? whole(s, depth);
    switch (r.int(0, 6)) {
      case 0:
        if (s.variables.length && !s.tensorwise) {
          const v = variable(s, r.int(0, s.variables.length - 1));
          const x = load(s, "f32", 0, (t) => !t.shape.length) ?? read;
          return binary("f32", `(${v.text} * ${x.text})`, v, x, (p, q) => p * q);
        }
        return read;
      case 1: {
        const [a, b] = [read, load(s, "f32", depth - 1) ?? read];
        return binary("f32", `(${a.text} + ${b.text})`, a, b, (x, y) => x + y);
      }
      case 2: {
        const [c, b] = [bool(s, depth - 1), whole(s, 0)];
        return {
          dtype: "f32",
          text: `where(${c.text}, ${read.text}, ${b.text})`,
          at: (env) => (c.at(env) ? read.at(env) : b.at(env)),
        };
      }
      case 3:
        if (!s.tensorwise && s.variables.length < 4)
          return reduced(
            s,
            "f32",
            ["sum", "max", "min", "mean"],
            (inner) => load(inner, "f32", depth - 1) ?? whole(inner, depth - 1),
          );
        return read;
      case 4:
        return whole(s, depth);
      default:
        return read;
    }
  };

  // ---- lines
  const add = (
    text: string,
    dtype: DType,
    shape: readonly number[],
    sizes: readonly string[],
    values: readonly number[],
    more: Partial<Tensor> = {},
  ): void => {
    const name = `v${lines.length}`;
    lines.push(`  let ${name} = ${text}`);
    tensors.push({ name, dtype, shape, sizes, data: values, ...more });
  };
  const kinds = { i32, bool, f32 };
  const tabulate = (shape: readonly number[], e: Expr): number[] =>
    Array.from({ length: count(shape) }, (_, p) => e.at(shape.map((n, d) => Math.floor(p / strideOf(shape, d)) % n)));
  const makers: (() => void)[] = [
    () => {
      const axes = Array.from({ length: r.int(1, 2) }, () =>
        r.chance(0.08) ? ([0, "0"] as [number, string]) : size(),
      );
      const scope: Scope = { variables: axes.map(([extent, text], d) => ({ name: "ij"[d]!, size: text, extent })) };
      const dtype = r.pick(["i32", "i32", "i32", "bool", "f32"] as const);
      const e = kinds[dtype](scope, r.int(1, 3));
      add(
        `for ${scope.variables.map((v) => `${v.name} in 0..${v.size}`).join(", ")}: ${e.text}`,
        dtype,
        axes.map(([n]) => n),
        axes.map(([, text]) => text),
        tabulate(
          axes.map(([n]) => n),
          e,
        ),
        e.whole === undefined ? {} : { whole: e.whole },
      );
    },
    () => {
      // whole tensors
      const t = r.pick(tensors.filter((x) => x.dtype === "i32"));
      const dtype = r.pick(["i32", "i32", "bool"] as const);
      const e = kinds[dtype](
        { variables: t.shape.map((extent) => ({ name: "", size: "", extent })), tensorwise: t.shape },
        r.int(1, 3),
      );
      if (!new RegExp(`\\b${t.name}\\b`).test(e.text)) return; // fewer axes than it must have
      add(e.text, dtype, t.shape, t.sizes, tabulate(t.shape, e));
    },
    () => {
      // a reduction over one axis, or over all
      const t = r.pick(tensors.filter((x) => x.shape.length));
      const op = r.pick(
        t.dtype === "bool"
          ? ["sum", "any", "all"]
          : t.dtype === "i32"
            ? ["sum", "max", "min", "argmax", "argmin"]
            : ["sum", "max", "min", "mean", "argmin"],
      );
      const dtype = op === "argmax" || op === "argmin" || (op === "sum" && t.dtype === "bool") ? "i32" : t.dtype;
      const axis = r.int(0, t.shape.length - 1);
      const keep = r.chance(0.5);
      const [n, stride] = [t.shape[axis]!, strideOf(t.shape, axis)];
      if (n === 0 && /arg|max|min/.test(op)) return;
      const without = <T>(xs: readonly T[], one: T): T[] =>
        keep ? xs.map((x, d) => (d === axis ? one : x)) : xs.filter((_, d) => d !== axis);
      const shape = without(t.shape, 1);
      const outer = n ? count(t.shape) / n : count(t.shape.filter((_, d) => d !== axis));
      const values = Array.from({ length: outer }, (_, p) =>
        reduce(
          op,
          Array.from({ length: n }, (_, k) => t.data[Math.floor(p / stride) * stride * n + k * stride + (p % stride)]!),
          t.dtype,
        ),
      );
      if (dtype === "i32" && op.startsWith("arg") && keep) return;
      add(`${op}(${t.name}, axis: ${axis}${keep ? ", keep: true" : ""})`, dtype, shape, without(t.sizes, "1"), values);
    },
    () => {
      // slices of any bounds, empty ones too
      const found = tensors.filter((x) => x.shape.length && x.sizes[0] !== "B");
      if (!found.length) return;
      const t = r.pick(found);
      const [n, stride] = [t.shape[0]!, strideOf(t.shape, 0)];
      const from = r.int(0, n);
      const to = r.int(from, n);
      add(
        `${t.name}[${from}..${to}]`,
        t.dtype,
        [to - from, ...t.shape.slice(1)],
        [String(to - from), ...t.sizes.slice(1)],
        t.data.slice(from * stride, to * stride),
        t.whole === undefined ? {} : { whole: t.whole },
      );
    },
    () => {
      const found = tensors.filter(
        (x) => x.dtype === "i32" && x.shape.length === 1 && x.sizes[0] !== "B" && x.shape[0]! > 0,
      );
      if (!found.length) return;
      const t = r.pick(found);
      const k = r.pick([31, 48271, -3]);
      const start = r.int(-2, 2);
      add(
        `fold (x in ${t.name} along 0; h = ${literal(start)}) {\n    next h = h * ${literal(k)} + x\n  }`,
        "i32",
        [],
        [],
        [t.data.reduce((h, x) => (Math.imul(h, k) + x) | 0, start)],
      );
    },
  ];
  for (let n = r.int(2, 6); n > 0; n--) r.pick([...makers, makers[0]!, makers[0]!, makers[1]!])();
  if (!lines.length) add("a", "i32", inputs[0]!.shape, inputs[0]!.sizes, inputs[0]!.data);
  const results = tensors.slice(inputs.length).slice(-4);
  const used = signature.filter((s, i) => i === 0 || lines.some((l) => new RegExp(`\\b${s.split(":")[0]}\\b`).test(l)));
  return {
    kind: "exact",
    text: `export fn f(${used.join(", ")}) {\n${lines.join("\n")}\n  return ${results.length === 1 ? results[0]!.name : `(${results.map((x) => x.name).join(", ")})`}\n}\n`,
    inputs: Object.fromEntries(inputs.map((t) => [t.name, { shape: t.shape, data: t.data }])),
    expected: Object.fromEntries(results.map((t) => [t.name, t.data])),
  };
}
function reduce(op: string, xs: readonly number[], dtype: DType): number {
  const wrap = (x: number): number => (dtype === "i32" ? x | 0 : x);
  switch (op) {
    case "sum":
      return wrap(xs.reduce((a, b) => wrap(a + b), 0));
    case "mean":
      return xs.length ? xs.reduce((a, b) => a + b, 0) / xs.length : 0;
    case "max":
      return xs.reduce((a, b) => Math.max(a, b), dtype === "i32" ? least : -3.4028234663852886e38);
    case "min":
      return xs.reduce((a, b) => Math.min(a, b), dtype === "i32" ? most : 3.4028234663852886e38);
    case "any":
      return Number(xs.some((x) => x !== 0));
    case "all":
      return Number(xs.every((x) => x !== 0));
    case "argmax":
      return xs.reduce((best, x, i) => (x > xs[best]! ? i : best), 0);
    default:
      return xs.reduce((best, x, i) => (x < xs[best]! ? i : best), 0);
  }
}
