// Recurrent layers, attention and bags against loops written out in the plainest way, over neighbours: one row or several, one time, rows of length 0,
// layers, directions, heads that share keys, queries that see nothing.
import { describe, expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import type { Tensor } from "../../runtime/api.ts";
import { programOf } from "../graph/programs.ts";
import { made, withModel } from "../model.ts";

type Vector = readonly number[];
type Matrix = readonly Vector[];
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
/** Numbers in -1..1, the same for the same name. */
function numbers(count: number, name: string): number[] {
  let state = [...name].reduce((a, ch) => (a * 31 + ch.charCodeAt(0)) % 65521, 7);
  return Array.from({ length: count }, () => {
    state = (state * 75 + 74) % 65537;
    return Math.fround(state / 32768 - 1);
  });
}
const rows = (flat: Vector, width: number): number[][] =>
  Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width) as number[]);
const times = (x: Vector, w: Matrix, bias?: Vector): number[] =>
  w[0]!.map((_, j) => x.reduce((sum, v, i) => sum + v * w[i]![j]!, bias?.[j] ?? 0));
const plus = (a: Vector, b: Vector): number[] => a.map((v, i) => v + b[i]!);
const dot = (a: Vector, b: Vector): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

/** What the first export gives, of inputs by name and parameters by the end of their path. */
function run(
  text: string,
  inputs: Readonly<Record<string, Vector>>,
  held: (path: string, size: number) => Vector,
): Float64Array[] {
  const program = programOf(text);
  const e = program.exports[0]!;
  const values = new Map<Source, Vector>(e.inputs.map((i) => [i.source, inputs[i.name]!]));
  for (const { path, source } of program.parameters)
    values.set(
      source,
      held(
        path,
        (source.shape as number[]).reduce((a, b) => a * b, 1),
      ),
    );
  return [...evaluate(e.program, values).outputs.values()];
}
function close(got: Float64Array | undefined, want: Vector): void {
  expect(got).toHaveLength(want.length);
  want.forEach((v, i) => expect(Math.abs(got![i]! - v), `element ${i}`).toBeLessThan(1e-6));
}

// ---------------------------------------------------------------- recurrent
interface Network {
  readonly kind: "RNN" | "GRU" | "LSTM";
  readonly batch: number;
  readonly time: number;
  readonly width: number;
  readonly hidden: number;
  readonly layers?: number;
  readonly both?: boolean;
  readonly length?: Vector;
  readonly bias?: boolean;
  readonly proj?: number;
  readonly resetBefore?: boolean;
  readonly start?: "one" | "each"; // first states: none, one for all layers, one for each
}
type Held = (name: string, size: number) => Vector;
/** One step: the next [h, c]. */
function stepOf(
  n: Network,
  own: (name: string, size: number) => Vector,
  input: number,
): (x: Vector, h: Vector, c: Vector) => [Vector, Vector] {
  const gates = { RNN: 1, GRU: 3, LSTM: 4 }[n.kind] * n.hidden;
  const state = n.proj ?? n.hidden;
  const wx = rows(own("wx", input * gates), gates);
  const wh = rows(own("wh", state * gates), gates);
  const none = new Array<number>(gates).fill(0);
  const bx = n.bias === false ? none : own("bx", gates);
  const bh = n.bias === false ? none : own("bh", gates);
  const wp = n.proj ? rows(own("wp", n.hidden * n.proj), n.proj) : undefined;
  const part = (v: Vector, k: number): Vector => v.slice(k * n.hidden, (k + 1) * n.hidden);
  return (x, h, c) => {
    const a = times(x, wx, bx);
    const b = times(h, wh, bh);
    if (n.kind === "RNN") return [plus(a, b).map(Math.tanh), c];
    if (n.kind === "GRU") {
      const r = plus(part(a, 0), part(b, 0)).map(sigmoid);
      const u = plus(part(a, 1), part(b, 1)).map(sigmoid);
      const reset = n.resetBefore
        ? part(
            times(
              h.map((v, i) => v * r[i]!),
              wh,
              bh,
            ),
            2,
          )
        : part(b, 2).map((v, i) => v * r[i]!);
      const fresh = plus(part(a, 2), reset).map(Math.tanh);
      return [fresh.map((v, i) => (1 - u[i]!) * v + u[i]! * h[i]!), c];
    }
    const z = plus(a, b);
    const [i, f, o] = [part(z, 0).map(sigmoid), part(z, 1).map(sigmoid), part(z, 3).map(sigmoid)];
    const c1 = part(z, 2).map((v, k) => f[k]! * c[k]! + i[k]! * Math.tanh(v));
    const h1 = c1.map((v, k) => o[k]! * Math.tanh(v));
    return [wp ? times(h1, wp) : h1, c1];
  };
}
function network(n: Network, held: Held, x: Vector, h0: Vector, c0: Vector): { y: number[]; h: number[]; c: number[] } {
  const [layers, directions] = [n.layers ?? 1, n.both ? 2 : 1];
  const state = n.proj ?? n.hidden;
  const first = (all: Vector, row: number, b: number, width: number): Vector => {
    const many = all.length === layers * directions * n.batch * width;
    return all.length ? rows(all, width)[(many ? row * n.batch : 0) + b]! : new Array<number>(width).fill(0);
  };
  let sequence = rows(x, n.width); // [B * T] of features
  const finals: { h: Vector; c: Vector }[] = [];
  for (let level = 0; level < layers; level++) {
    const outputs = sequence.map((): number[] => []);
    for (let d = 0; d < directions; d++) {
      const end = d ? "_reverse" : "";
      const step = stepOf(n, (name, size) => held(`recurrence.${level}.${name}${end}`, size), sequence[0]!.length);
      for (let b = 0; b < n.batch; b++) {
        let [h, c] = [first(h0, level * directions + d, b, state), first(c0, level * directions + d, b, n.hidden)];
        const long = n.length?.[b] ?? n.time;
        for (let k = 0; k < long; k++) {
          const t = d ? long - 1 - k : k;
          [h, c] = step(sequence[b * n.time + t]!, h, c);
          outputs[b * n.time + t]!.push(...h);
        }
        for (let t = long; t < n.time; t++) outputs[b * n.time + t]!.push(...h.map(() => 0));
        finals.push({ h, c });
      }
    }
    sequence = outputs;
  }
  return { y: sequence.flat(), h: finals.flatMap((f) => f.h), c: finals.flatMap((f) => f.c) };
}
function checkNetwork(n: Network): void {
  const { kind, batch, time, width, hidden } = n;
  const rowsOfStates = (n.layers ?? 1) * (n.both ? 2 : 1);
  const state = n.proj ?? hidden;
  const typeOf = (size: number): string =>
    n.start === "each" ? `f32[${rowsOfStates}, ${batch}, ${size}]` : `f32[${batch}, ${size}]`;
  const count = (n.start === "each" ? rowsOfStates : 1) * batch;
  const inputs: Record<string, Vector> = { x: numbers(batch * time * width, "x") };
  const types: string[] = [`x: f32[${batch}, ${time}, ${width}]`];
  const given = ["x"];
  const add = (name: string, type: string, values: Vector): void => {
    inputs[name] = values;
    types.push(`${name}: ${type}`);
    given.push(name === "length" ? "length: length" : name);
  };
  if (n.start) add("h0", typeOf(state), numbers(count * state, "h0"));
  if (n.start && kind === "LSTM") add("c0", typeOf(hidden), numbers(count * hidden, "c0"));
  if (n.length) add("length", `i32[${batch}] in 0..${time + 1}`, n.length);
  const settings = [
    hidden,
    ...(n.layers ? [`layers: ${n.layers}`] : []),
    ...(n.both ? ["bidirectional: true"] : []),
    ...(n.bias === false ? ["bias: false"] : []),
    ...(n.proj ? [`proj: ${n.proj}`] : []),
    ...(n.resetBefore ? ["reset_after: false"] : []),
    "return_state: true",
  ];
  const held: Held = (path, size) => numbers(size, path.replace(/.*recurrence/, "recurrence"));
  const got = run(
    `model net(${types.join(", ")}) = ${kind}(${settings.join(", ")})(${given.join(", ")})\nexport fn f(${types.join(", ")}) = net(${Object.keys(inputs).join(", ")})\n`,
    inputs,
    held,
  );
  const want = network(n, held, inputs["x"]!, inputs["h0"] ?? [], inputs["c0"] ?? []);
  close(got[0], want.y);
  close(got[1], want.h);
  if (kind === "LSTM") close(got[2], want.c);
}
const small = { batch: 3, time: 4, width: 2, hidden: 3 };
const networks: readonly Network[] = (["RNN", "GRU", "LSTM"] as const).flatMap((kind) => [
  { kind, ...small },
  { kind, ...small, time: 1, batch: 1, both: true, start: "each" as const },
  { kind, ...small, length: [0, 1, 4], both: true, start: "one" as const },
  { kind, ...small, length: [2, 4, 0], layers: 2, start: "each" as const, bias: false },
  { kind, ...small, length: [3, 0, 4], layers: 3, both: true, hidden: 2, start: "each" as const },
]);
describe("recurrent networks", () => {
  test.each([
    ...networks,
    { kind: "GRU", ...small, resetBefore: true, length: [1, 3, 0], both: true } as const,
    { kind: "LSTM", ...small, proj: 2, layers: 2, both: true, length: [4, 0, 2], start: "each" } as const,
    { kind: "LSTM", ...small, proj: 4, bias: false } as const,
  ])("%j", checkNetwork);
});

// ---------------------------------------------------------------- attention
interface Heads {
  readonly heads: number;
  readonly kv?: number;
  readonly size?: number;
  readonly batch: number;
  readonly time: number;
  readonly keys?: number; // of a memory
  readonly width: number;
  readonly memoryWidth?: number;
  readonly causal?: boolean;
  readonly alibi?: boolean;
  readonly rotary?: boolean;
  readonly length?: Vector;
  readonly keep?: Vector;
}
const turned = (v: Vector, t: number): number[] =>
  v.map((_, d) => {
    const j = d >> 1;
    const angle = t / 10000 ** ((2 * j) / v.length);
    const [a, b] = [v[2 * j]!, v[2 * j + 1]!];
    return d % 2 ? a * Math.sin(angle) + b * Math.cos(angle) : a * Math.cos(angle) - b * Math.sin(angle);
  });
function attend(n: Heads, held: Held, x: Vector, memory: Vector): number[] {
  const kv = n.kv ?? n.heads;
  const size = n.size ?? n.width / n.heads;
  const keys = n.keys ?? n.time;
  const [wide, narrow] = [n.heads * size, kv * size];
  const wOther = n.memoryWidth ?? n.width;
  const packed = wOther === n.width;
  const b = held("b", wide + 2 * narrow);
  /** Columns from..to of w, or the matrix of its own where widths differ. */
  const project = (name: string, of: Vector, width: number, from: number, to: number): number[][] => {
    const matrix = packed
      ? rows(held("w", n.width * (wide + 2 * narrow)), wide + 2 * narrow).map((r) => r.slice(from, to))
      : rows(held(name, width * (to - from)), to - from);
    return rows(of, width).map((v) => times(v, matrix, b.slice(from, to)));
  };
  const q = project("wq", x, n.width, 0, wide);
  const k = project("wk", memory, wOther, wide, wide + narrow);
  const v = project("wv", memory, wOther, wide + narrow, wide + 2 * narrow);
  const part = (of: number[][], row: number, head: number): Vector => of[row]!.slice(head * size, (head + 1) * size);
  const wo = rows(held("wo", n.heads * size * n.width), n.width);
  const out: number[] = [];
  for (let row = 0; row < n.batch; row++)
    for (let t = 0; t < n.time; t++) {
      const joined: number[] = [];
      for (let h = 0; h < n.heads; h++) {
        const shared = Math.floor((h * kv) / n.heads);
        const place = (u: Vector, at: number): Vector => (n.rotary ? turned(u, at) : u);
        const own = place(part(q, row * n.time + t, h), t);
        const seen = Array.from({ length: keys }, (_, j) => j).filter(
          (j) => (!n.causal || j <= t) && j < (n.length?.[row] ?? keys) && (n.keep?.[row * keys + j] ?? 1) === 1,
        );
        const score = seen.map(
          (j) =>
            dot(own, place(part(k, row * keys + j, shared), j)) / Math.sqrt(size) -
            (n.alibi ? 2 ** ((-8 * (h + 1)) / n.heads) * Math.abs(t - j) : 0),
        );
        const total = score.reduce((a, s) => a + Math.exp(s), 0);
        for (let d = 0; d < size; d++)
          joined.push(
            seen.reduce((a, j, i) => a + (Math.exp(score[i]!) / total) * part(v, row * keys + j, shared)[d]!, 0),
          );
      }
      out.push(...times(joined, wo, held("bo", n.width)));
    }
  return out;
}
describe("multi-head attention", () => {
  const plain = { batch: 2, time: 4, width: 8, heads: 2 };
  test.each<Heads>([
    plain,
    { ...plain, heads: 1, time: 1, batch: 1 },
    { ...plain, heads: 4, causal: true, rotary: true },
    { ...plain, heads: 4, kv: 2, length: [0, 3], causal: true },
    { ...plain, heads: 4, kv: 1, keys: 3, alibi: true, length: [1, 3] },
    { ...plain, heads: 2, size: 3, keys: 5, keep: [0, 1, 1, 0, 1, 0, 0, 0, 0, 0] },
    { ...plain, heads: 4, kv: 2, keys: 3, memoryWidth: 5, length: [2, 3] },
    { ...plain, heads: 2, keys: 1, rotary: true, causal: true },
    { ...plain, heads: 8, alibi: true, causal: true, keep: [0, 1, 1, 1, 1, 0, 1, 1] },
  ])("%j", (n) => {
    const keys = n.keys ?? n.time;
    const inputs: Record<string, Vector> = { x: numbers(n.batch * n.time * n.width, "x") };
    const types = [`x: f32[${n.batch}, ${n.time}, ${n.width}]`];
    const given = ["x"];
    const add = (name: string, type: string, values: Vector): void => {
      inputs[name] = values;
      types.push(`${name}: ${type}`);
      given.push(`${name}: ${name}`);
    };
    if (n.keys)
      add(
        "memory",
        `f32[${n.batch}, ${keys}, ${n.memoryWidth ?? n.width}]`,
        numbers(n.batch * keys * (n.memoryWidth ?? n.width), "memory"),
      );
    if (n.length) add("length", `i32[${n.batch}] in 0..${keys + 1}`, n.length);
    if (n.keep) add("keep", `bool[${n.batch}, ${keys}]`, n.keep);
    const settings = `${n.heads}${n.kv ? `, kv_heads: ${n.kv}` : ""}${n.size ? `, head_dim: ${n.size}` : ""}, causal: ${n.causal === true}, rotary: ${n.rotary === true}, alibi: ${n.alibi === true}`;
    const held: Held = (path, size) => numbers(size, path.split(".").at(-1)!);
    const [got] = run(
      `model net(${types.join(", ")}) = MultiHeadAttention(${settings})(${given.join(", ")})\nexport fn f(${types.join(", ")}) = net(${Object.keys(inputs).join(", ")})\n`,
      inputs,
      held,
    );
    close(got, attend(n, held, inputs["x"]!, inputs["memory"] ?? inputs["x"]!));
  });
  test("a mask of its own, and a query that sees nothing: zeros, and no gradient", () => {
    const [y, slope] = run(
      `export fn f(q: f32[2, 3], k: f32[4, 3], v: f32[4, 2], seen: bool[2, 4]) {
  let y = scaled_dot_product_attention(q, k, v, mask: seen)
  return (y, grad(sum(y * y), wrt: q))
}`,
      { q: numbers(6, "q"), k: numbers(12, "k"), v: numbers(8, "v"), seen: [0, 0, 0, 0, 0, 1, 0, 0] },
      () => [],
    );
    close(y, [0, 0, ...numbers(8, "v").slice(2, 4)]);
    close(slope, [0, 0, 0, 0, 0, 0]);
  });
  test("scores far from 0 stay numbers", () => {
    const [y] = run(
      "export fn f(q: f32[1, 1], k: f32[3, 1], v: f32[3, 1]) = scaled_dot_product_attention(q, k, v, scale: 1e30)",
      { q: [1e4], k: [-1, 2, 1], v: [5, 7, 9] },
      () => [],
    );
    close(y, [7]);
  });
});

// ---------------------------------------------------------------- the rest
describe("bags", () => {
  const ids = [1, 0, 2, 2, 0, 0, 0, 0, 3, 1, 4, 0];
  const factor = numbers(12, "factor");
  test.each([
    ["sum", undefined, undefined],
    ["mean", 0, undefined],
    ["max", -5, [2, 4, 3]],
    ["mean", 2, [3, 0, 1]],
    ["max", undefined, [0, 1, 4]],
  ] as const)("%s, padding row %s, lengths %j", (mode, padding, length) => {
    const table = rows(numbers(10, "table"), 2);
    const pad = padding === undefined ? -1 : padding < 0 ? padding + 5 : padding;
    const want: number[] = [];
    for (let b = 0; b < 3; b++) {
      const kept = [0, 1, 2, 3].filter((l) => l < (length?.[b] ?? 4) && ids[4 * b + l] !== pad);
      for (let d = 0; d < 2; d++) {
        const values = kept.map((l) => factor[4 * b + l]! * table[ids[4 * b + l]!]![d]!);
        const total = values.reduce((a, v) => a + v, 0);
        want.push(
          !values.length ? 0 : mode === "max" ? Math.max(...values) : mode === "mean" ? total / values.length : total,
        );
      }
    }
    const types = `i: i32[3, 4] in 0..5, w: f32[3, 4], n: i32[3] in 0..5`;
    const [got] = run(
      `model net(${types}) = EmbeddingBag(5, 2, mode: ${mode}${padding === undefined ? "" : `, padding_idx: ${padding}`})(i, w, n)\nexport fn f(${types}) = net(i, w, n)\n`,
      { i: ids, w: factor, n: length ?? [4, 4, 4] },
      () => table.flat(),
    );
    close(got, want);
  });
});
test("the padding row begins at 0, and neither a gradient nor decay moves it, whatever it is drawn from", () => {
  for (const use of [
    "Embedding(4, 2, padding_idx: 1, weights: normal(3, 1))",
    "EmbeddingBag(4, 2, mode: sum, padding_idx: -3)",
  ]) {
    const { trains } = programOf(
      `model net(i: i32[B, 3] in 0..4) = i |> ${use}\ntrain fit {\n  minimize sum((net([[1, 1, 2], [3, 1, 0]]) - 1)^2) by adamw(lr: 0.1, decay: 0.1)\n  steps: 3\n}\n`,
    );
    const { init, step } = trains[0]!;
    const values = new Map<Source, ArrayLike<number>>(
      [...init.inputs, ...step.inputs].filter((x) => x.path === "seed").map((x) => [x, [3]]),
    );
    for (const [target, v] of evaluate(init, values).updates) values.set(target, v);
    const table = (): number[] => Array.from(values.get([...values.keys()].find((x) => x.path.endsWith(".table"))!)!);
    const before = table();
    for (let k = 0; k < 3; k++) for (const [target, v] of evaluate(step, values).updates) values.set(target, v);
    expect(before.slice(2, 4)).toEqual([0, 0]);
    expect(table().slice(2, 4)).toEqual([0, 0]);
    expect(before.every((v, i) => i === 2 || i === 3 || Math.abs(v - table()[i]!) > 1e-3)).toBe(true);
  }
});
test("a mixture of experts: the k preferred ones, and how evenly they are used", () => {
  const held: Held = (path, size) => numbers(size, path.split(".").slice(2).join("."));
  const x = numbers(10, "x");
  for (const k of [1, 2, 3]) {
    const [got, balance] = run(
      `model net(x: f32[5, 2]) = MixtureOfExperts(3, 4, k: ${k}, act: tanh, return_balance: true)(x)\nexport fn f(x: f32[5, 2]) = net(x)\n`,
      { x },
      held,
    );
    const [w1, w2] = [rows(held("a.b.up.w", 24), 4), rows(held("a.b.down.w", 24), 2)];
    const [b1, b2] = [rows(held("a.b.up.b", 12), 4), rows(held("a.b.down.b", 6), 2)];
    const shares = [0, 0, 0];
    const means = [0, 0, 0];
    const want = rows(x, 2).flatMap((v) => {
      const e = times(v, rows(held("a.b.router", 6), 3)).map(Math.exp);
      const p = e.map((u) => u / (e[0]! + e[1]! + e[2]!));
      const chosen = [0, 1, 2].sort((a, b) => p[b]! - p[a]!).slice(0, k);
      const whole = k > 1 ? chosen.reduce((a, i) => a + p[i]!, 0) : 1;
      p.forEach((u, i) => (means[i]! += u / 5));
      const y = [0, 0];
      for (const i of chosen) {
        shares[i]! += 1 / (5 * k);
        const inner = times(v, w1.slice(2 * i, 2 * i + 2), b1[i]).map(Math.tanh);
        times(inner, w2.slice(4 * i, 4 * i + 4), b2[i]).forEach((u, d) => (y[d]! += (u * p[i]!) / whole));
      }
      return y;
    });
    close(got, want);
    close(balance, [3 * dot(shares, means)]);
  }
});
test("experts begin as layers of their own: by the fans of one expert, and as weights and biases say", async () => {
  const parametersOf = (args: string): Promise<Record<string, Tensor>> =>
    withModel(
      made(`model net(x: f32[B, 50]) = MixtureOfExperts(4, 200, ${args})(x)\nexport fn f(x: f32[B, 50]) = net(x)\n`),
      (model) => model.parameters(),
    );
  const largest = (x: Tensor | undefined): number => Math.max(...Array.from(x!.data).map(Math.abs));
  const own = await parametersOf("k: 1");
  for (const [name, fan] of [
    ["up", 50],
    ["down", 200],
  ] as const)
    for (const part of ["w", "b"]) {
      const most = largest(own[`net.mixture_of_experts.${name}.${part}`]);
      expect(most).toBeLessThanOrEqual(1 / Math.sqrt(fan));
      expect(most).toBeGreaterThan(0.95 / Math.sqrt(fan));
    }
  const given = await parametersOf("weights: he_normal(), biases: zeros");
  for (const [name, fan] of [
    ["up", 50],
    ["down", 200],
  ] as const) {
    expect(largest(given[`net.mixture_of_experts.${name}.b`])).toBe(0);
    const w = Array.from(given[`net.mixture_of_experts.${name}.w`]!.data);
    const deviation = Math.sqrt(w.reduce((a, v) => a + v * v, 0) / w.length);
    expect(Math.abs(deviation / Math.sqrt(2 / fan) - 1)).toBeLessThan(0.03);
  }
});
test("rows of different lengths", () => {
  const x = numbers(12, "x");
  const length = [0, 2, 3];
  const got = run(
    `export fn f(x: f32[3, 4], n: i32[3] in 0..5) {
  let z = unsqueeze(x, 2)
  let m = length_mask(n, 4)
  return (masked_sum(x, m), masked_mean(z, m), masked_max(x, m), last_at(x, n), reverse_sequence(x, n), masked_softmax(x, m))
}`,
    { x, n: length },
    () => [],
  );
  const parts = rows(x, 4).map((r, b) => r.slice(0, length[b]));
  const sum = (r: Vector): number => r.reduce((a, v) => a + v, 0);
  close(got[0], parts.map(sum));
  close(
    got[1],
    parts.map((r) => (r.length ? sum(r) / r.length : 0)),
  );
  close(
    got[2],
    parts.map((r) => (r.length ? Math.max(...r) : 0)),
  );
  close(
    got[3],
    parts.map((r) => r.at(-1) ?? 0),
  );
  close(
    got[4],
    parts.flatMap((r, b) => [...r.toReversed(), ...rows(x, 4)[b]!.slice(r.length)]),
  );
  close(
    got[5],
    parts.flatMap((r) => [
      ...r.map((v) => Math.exp(v) / sum(r.map(Math.exp))),
      ...new Array<number>(4 - r.length).fill(0),
    ]),
  );
});
test("slopes of ALiBi for a number of heads that is no power of 2", () => {
  const [six] = run("export fn f() = alibi_slopes(6)", {}, () => []);
  close(six, [2 ** -2, 2 ** -4, 2 ** -6, 2 ** -8, 2 ** -1, 2 ** -3]);
  const [three] = run("export fn f() = alibi_slopes(3)", {}, () => []);
  close(three, [2 ** -4, 2 ** -8, 2 ** -2]);
});
