// Loops as one launch: where a launch costs much, whole recurrences with what surrounds them are one kernel, on a device as in the evaluator.
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { targets, type Target } from "../../compiler/kernel/target.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { dispatchesOf, type Command } from "../../runtime/plan.ts";
import { differences } from "./exported.ts";

const cell = `
fn cell(x: f32[B, I], h: f32[B, H], c: f32[B, H], w: f32[I, G], u: f32[H, G]) -> (f32[B, H], f32[B, H]) {
  let (i, f, g, o) = split(x @ w + h @ u, 4, axis: -1)
  let c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
  return (sigmoid(o) * tanh(c1), c1)
}
`;
const lstm = (B: string, T: number, I: number, H: number): string => `${cell}
fn run(x: f32[B, T, I], w: f32[I, G], u: f32[H, G]) -> f32[B, T, H] =
  scan (v in x along T; h = zeros[B, H], c = zeros[B, H]) {
    let (h1, c1) = cell(v, h, c, w, u)
    next h = h1, c = c1
    yield h1
  }
export fn f(x: f32[${B}, ${T}, ${I}], w: f32[${I}, ${4 * H}], u: f32[${H}, ${4 * H}]) -> (f32[${B}, ${T}, ${H}], f32[${I}, ${4 * H}], f32[${H}, ${4 * H}], f32[${B}, ${T}, ${I}]) {
  let y = run(x, w, u)
  let loss = sum(y * y * y)
  return (y, grad(loss, wrt: w), grad(loss, wrt: u), grad(loss, wrt: x))
}`;
interface Case {
  readonly name: string;
  readonly text: string;
  readonly dims?: Readonly<Record<string, number>>;
}
const cases: readonly Case[] = [
  { name: "lstm", text: lstm("8", 6, 4, 8) },
  { name: "lstm of one step", text: lstm("3", 1, 2, 4) },
  { name: "lstm of two steps", text: lstm("5", 2, 3, 4) },
  { name: "lstm of odd sizes", text: lstm("7", 5, 3, 5) },
  { name: "lstm of one row", text: lstm("1", 4, 3, 8) },
  { name: "lstm of many rows", text: lstm("37", 3, 4, 8) },
  {
    name: "lstm of rows that the run knows",
    text: lstm("N", 4, 3, 8)
      .replace(/, f32\[3, 32\], f32\[8, 32\], f32\[N, 4, 3\]\)/, ")")
      .replace(/-> \(f32\[N, 4, 8\]\)/, "-> f32[N, 4, 8]")
      .replace(/let loss[^]*$/, "return y\n}"),
    dims: { N: 11 },
  },
  {
    name: "gru, backwards, with lengths",
    text: `export fn f(x: f32[6, 5, 4], n: i32[6] in 0..6, w: f32[4, 24], u: f32[8, 24]) -> (f32[6, 8], f32[8, 24]) {
  let last = fold (t in 0..5; h = zeros[6, 8]) {
    let v = for b in 0..6, i in 0..4: x[b, 4 - t, i]
    let (zx, rx, nx) = split(v @ w, 3, axis: -1)
    let (zh, rh, nh) = split(h @ u, 3, axis: -1)
    let z = sigmoid(zx + zh)
    let m = tanh(nx + sigmoid(rx + rh) * nh)
    next h = for b in 0..6, j in 0..8: where(4 - t < n[b], (1 - z[b, j]) * m[b, j] + z[b, j] * h[b, j], h[b, j])
  }
  return (last, grad(sum(last * last), wrt: u))
}`,
  },
  {
    name: "carries of several shapes and types",
    text: `export fn f(x: f32[5, 4, 3], w: f32[3, 3]) -> (f32[5, 3], f32[5], f32[5, 2, 3], i32[5], f32[3, 3]) {
  let (h, s, m, k) = fold (v in x along 1; h = zeros[5, 3], s = ones[5], m = zeros[5, 2, 3], k = 0 * i32(x[:, 0, 0])) {
    let a = tanh(v + h @ w)
    next h = a, s = 0.5 * s + sum(a, axis: 1), m = for b in 0..5, q in 0..2, j in 0..3: m[b, q, j] * 0.5 + a[b, j] * s[b] * f32(q + 1), k = (for b in 0..5: k[b] + i32(a[b, 0] > 0))
  }
  return (h, s, m, k, grad(sum(h) + sum(s * s) + sum(m * m), wrt: w))
}`,
  },
  {
    name: "attention over a memory in every step",
    text: `export fn f(memory: f32[4, 7, 6], x: f32[4, 5, 6], w: f32[6, 6], u: f32[6, 6]) -> (f32[4, 5, 6], f32[6, 6], f32[4, 7, 6]) {
  let y = scan (v in x along 1; h = zeros[4, 6]) {
    let q = h @ w + v
    let a = softmax(for b in 0..4, k in 0..7: sum over d in 0..6: q[b, d] * memory[b, k, d])
    let read = for b in 0..4, d in 0..6: sum over k in 0..7: a[b, k] * memory[b, k, d]
    let n = tanh(read @ u + v)
    next h = n
    yield n
  }
  let loss = sum(y * y)
  return (y, grad(loss, wrt: w), grad(loss, wrt: memory))
}`,
  },
  {
    name: "two layers, both ways",
    text: `${cell}
fn run(x: f32[B, T, I], w: f32[I, G], u: f32[H, G]) -> f32[B, T, H] =
  scan (v in x along T; h = zeros[B, H], c = zeros[B, H]) {
    let (h1, c1) = cell(v, h, c, w, u)
    next h = h1, c = c1
    yield h1
  }
fn back(x: f32[B, T, I]) -> f32[B, T, I] = for b in 0..B, t in 0..T, i in 0..I: x[b, T - 1 - t, i]
fn both(x: f32[B, T, I], w: f32[I, G], u: f32[H, G]) -> f32[B, T, 2 * H] = concat([run(x, w, u), back(run(back(x), w, u))], axis: -1)
export fn f(x: f32[6, 4, 3], w: f32[3, 16], u: f32[4, 16], w2: f32[8, 16], u2: f32[4, 16]) -> (f32[6, 4, 8], f32[3, 16], f32[4, 16]) {
  let y = both(both(x, w, u), w2, u2)
  let loss = sum(y * y)
  return (y, grad(loss, wrt: w), grad(loss, wrt: u2))
}`,
  },
  {
    name: "a loop in a loop",
    text: `export fn f(x: f32[5, 3, 4], w: f32[4, 4]) -> (f32[5, 4], f32[4, 4]) {
  let y = fold (v in x along 1; h = zeros[5, 4]) {
    next h = fold (k in 0..3; g = h) { next g = tanh(g @ w + v) }
  }
  return (y, grad(sum(y * y), wrt: w))
}`,
  },
  {
    name: "a derivative of a derivative",
    text: `export fn f(x: f32[5, 3, 4], w: f32[4, 4]) -> f32[4, 4] {
  let y = fold (v in x along 1; h = zeros[5, 4]) { next h = tanh(h @ w + v) }
  let g = grad(sum(y * y), wrt: w)
  return grad(sum(g * g), wrt: w)
}`,
  },
  {
    name: "no rows: a power iteration",
    text: `export fn f(a: f32[6, 6]) -> (f32[6], f32[6, 6]) {
  let v = fold (k in 0..5; v = ones[6]) {
    let y = for i in 0..6: sum over j in 0..6: a[i, j] * v[j]
    next v = y / sqrt(sum(y * y) + 0.01)
  }
  return (v, grad(sum(v * v * v), wrt: a))
}`,
  },
  {
    name: "rows that are the last axis",
    text: `export fn f(x: f32[4, 3, 9], w: f32[3, 3]) -> (f32[3, 9], f32[3, 3]) {
  let y = fold (v in x along 0; h = zeros[3, 9]) { next h = tanh(w @ h + v) }
  return (y, grad(sum(y * y), wrt: w))
}`,
  },
  {
    name: "a scalar that all rows share",
    text: `export fn f(x: f32[6, 4, 3]) -> (f32[6, 3], f32) {
  let (h, s) = fold (v in x along 1; h = zeros[6, 3], s = 1.0) { next h = tanh(h * s + v), s = 0.9 * s + 0.1 }
  return (h, s)
}`,
  },
];
/** Launches cost so much that all is one where it can be. */
const dear = { launchNs: 1e8 };
const on: Readonly<Record<string, Target>> = {
  "of the embedded device": { ...targets["swiftshader"]!, ...dear },
  "with three cores": { ...targets["swiftshader"]!, ...dear, cores: 3 },
  "without subgroups": { ...targets["software"]!, ...dear },
  "with rows of each invocation": { ...targets["swiftshader"]!, ...dear, besideBarriers: 1e6 },
  "of graphics cards": { ...targets["discrete"]!, ...dear },
  "without workgroup memory": { ...targets["discrete"]!, ...dear, cores: 2, workgroupMemory: 0 },
  "with few buffers": { ...targets["software"]!, ...dear, storageBuffers: 6, workgroupMemory: 256 },
};
const hasLoop = (commands: readonly Command[]): boolean => commands.some((c) => c.kind === "loop");

const whole = new Set(["lstm of odd sizes"]); // on all of them; the others on two each
for (const [at, { name, text, dims }] of cases.entries())
  test(name, { timeout: 300_000 }, async () => {
    const all = Object.entries(on);
    for (const [k, [which, target]] of all.entries()) {
      if (!whole.has(name) && ![0, 3].some((d) => (at + d) % all.length === k)) continue;
      const { plan, program, diagnostics } = compile(text, { name: "rows.dlm", target });
      if (!plan || !program) throw new Error(renderDiagnostics(diagnostics));
      const { commands } = plan.exports[0]!.program;
      if (which !== "with few buffers" && which !== "with rows of each invocation") {
        expect(hasLoop(commands), which).toBe(false);
        expect(dispatchesOf(commands).length, which).toBeLessThan(12);
      }
      const apart = await differences(plan, program, dims);
      expect(Math.max(...apart), `${which}: ${apart.map((d) => d.toExponential(1)).join(" ")}`).toBeLessThan(2e-5);
    }
  });

test("the same bits however it is done", async () => {
  const text = lstm("6", 5, 4, 8);
  const codes = ["embedded", "again"].map(() =>
    JSON.stringify(compile(text, { target: on["of the embedded device"]! }).plan),
  );
  expect(codes[0]).toBe(codes[1]);
});
