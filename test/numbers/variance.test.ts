import { test } from "vitest";
import { onDevice } from "./long.ts";
const gen = (seed: number) => { let x = seed; return () => { x = (Math.imul(x, 1664525) + 1013904223) >>> 0; return x / 2 ** 32; }; };
test("try", async () => {
  for (const centre of [1e3, 1e4, 1e5, 1e6]) for (const c of [64, 256, 1024]) {
    const rows = 32;
    const next = gen(5);
    for (let i = 0; i < 10; i++) next();
    const x = Float32Array.from({ length: rows * c }, () => centre + Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
    const text = `model ln(x: f32[B, ${c}]) -> f32[B, ${c}] = x |> LayerNorm(affine: false)
export fn f(x: f32[B, ${c}]) -> f32[B, ${c}] = ln(x)
export fn v(x: f32[B, ${c}]) -> f32[B] = var(x, axis: 1)
export fn g(x: f32[B, ${c}]) -> f32[B, ${c}] = grad(sum(ln(x)[:, 0..3]), wrt: x)
export fn h(x: f32[${rows}, ${c}]) -> f32[${c}] = var(x, axis: 0)
`;
    const got = await onDevice(text, { x: { data: x, shape: [rows, c] } });
    let ey = 0, ev = 0, eg = 0, eh = 0;
    for (let r = 0; r < rows; r++) {
      const own = Array.from(x.slice(r * c, r * c + c));
      const m = own.reduce((a, b) => a + b, 0) / c;
      const s2 = own.reduce((a, b) => a + (b - m) ** 2, 0);
      const s = Math.sqrt(s2 / c + 1e-5);
      own.forEach((a, i) => (ey = Math.max(ey, Math.abs(got.f![r * c + i]! - (a - m) / s))));
      ev = Math.max(ev, Math.abs(got.v![r]! / (s2 / (c - 1)) - 1));
      const y = own.map((a) => (a - m) / s);
      const w = own.map((_, i) => (i < 3 ? 1 : 0));
      const mw = 3 / c, mwy = y.reduce((a, b, i) => a + b * w[i]!, 0) / c;
      own.forEach((_, i) => (eg = Math.max(eg, Math.abs(got.g![r * c + i]! - (w[i]! - mw - y[i]! * mwy) / s))));
    }
    for (let j = 0; j < c; j++) {
      const own = Array.from({ length: rows }, (_, r) => x[r * c + j]!);
      const m = own.reduce((a, b) => a + b, 0) / rows;
      eh = Math.max(eh, Math.abs(got.h![j]! / (own.reduce((a, b) => a + (b - m) ** 2, 0) / (rows - 1)) - 1));
    }
    console.log(centre, c, "y", ey.toExponential(1), "var", ev.toExponential(1), "grad", eg.toExponential(1), "var0", eh.toExponential(1));
  }
}, 100000);
