import { test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { valuesOf } from "./values.ts";
test.each([["fn log2(x: f32[...S]) -> f32[...S] = 2 * x\nexport fn f(x: f32[2]) -> f32[2] = log2(x)", { x: [1, 2] }],
["fn logaddexp(a: f32[...S], b: f32[...S]) -> f32[...S] = a\nexport fn f(x: f32[2]) -> f32[2] = logaddexp(x, x)", { x: [1, 2] }],
["export fn f(x: f32[2]) -> f32[2] = logaddexp(a: x, b: 0)", { x: [1, 2] }],
["export fn f(x: f32[2]) -> f32[2] = x |> log2", { x: [1, 2] }],
["export fn f(x: f32[N]) -> f32 = mean(x)", { x: [] }],
["export fn f(x: f32[N]) -> f32 = logsumexp(x)", { x: [] }],
["export fn f(x: f32[2, 0]) -> f32[2] = mean(x, axis: 1)", { x: [[], []] }],
["export fn f(x: f32[2]) -> f32[2] = x * log2(8) + log10(1000)", { x: [1, 2] }],
["const k = log2(64)\nexport fn f(x: f32[2]) -> f32[2, 6] = expand[2, 6](unsqueeze(x, 1) + k)", { x: [1, 2] }],
["export fn f(p: f32[3], y: f32[3]) -> (f32, f32[3]) = (bce(p, y), grad(bce(p, y), wrt: p))", { p: [0, 1, 0.5], y: [1, 0, 1] }],
["export fn f(p: f32[2, 3], y: f32[2, 3], w: f32[3]) -> (f32, f32[2, 3]) = (bce(p, y, weight: w), grad(bce(p, y, weight: w), wrt: p))", { p: [[0, 1, 0.5], [0.1, 0.2, 0.3]], y: [[1, 0, 1], [0, 0, 0]], w: [1, 2, 3] }],
["export fn f(x: f32[4]) -> (f32, f32[4]) = (std(x), grad(std(x), wrt: x))", { x: [3, 3, 3, 3] }],
["export fn f(x: f32[4]) -> (f32, f32[4]) = (norm(x, p: 0.5), grad(norm(x, p: 0.5), wrt: x))", { x: [0, 0, 0, 0] }],
["export fn f(x: f32) -> f32 = exp(x)", { x: 100 }],
] as const)("%s", async (t, inputs) => {
  try { const v = await valuesOf(t, inputs as never); console.log(t, JSON.stringify(v)); } catch (e) { console.log(t, String(e).slice(0, 400)); }
});
