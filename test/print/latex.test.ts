// Formulas of the derivation as LaTeX, and whole models: brackets that close, nothing left as it was.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { latexOf } from "../../compiler/cli/look/latex.ts";
import { compile } from "../../compiler/compile.ts";
import { partsOf } from "../../compiler/pipeline.ts";

test.each([
  ["parameter net.w: f32[64, 10]", "\\mathrm{net.w} \\in \\mathbb{R}^{64 \\times 10}"],
  ["input y: i32[64]", "y \\in \\mathbb{Z}^{64}"],
  ["y[i, j]: f32[4, 2] = sum(k < 3) x[i, k] * w[k, j]", "y_{i, j} = \\sum_{k < 3} x_{i, k} \\, w_{k, j}"],
  ["p: f32 = (a + b) / (c - 1)", "p = \\frac{a + b}{c - 1}"],
  ["p: f32 = a / b / c", "p = \\frac{\\frac{a}{b}}{c}"],
  ["p: f32 = a - (b - c)", "p = a - \\left(b - c\\right)"],
  ["s: f32 = sqrt(exp(x) + 1e-05)", "s = \\sqrt{\\exp\\left(x\\right) + 10^{-5}}"],
  ["q: f32 = l2_norm^2", "q = \\mathrm{l2\\_norm}^{2}"],
  ["q: f32 = w[k, u]^2 * 3", "q = w_{k, u}^{2} \\, 3"],
  ["m[i]: f32[4] = max(k < 10) z[i, k]", "m_{i} = \\max_{k < 10} z_{i, k}"],
  [
    "d fit.minimize1 / d net.w = d_net.w",
    "\\frac{\\partial \\mathrm{fit.minimize1}}{\\partial \\mathrm{net.w}} = \\mathrm{d\\_net.w}",
  ],
])("%s", (line, latex) => expect(latexOf(line)).toBe(latex));

test.each(["digits.dlm", "iris.dlm", "generative/vae_digits.dlm", "energy/k_means.dlm"])(
  "every formula of %s",
  (path) => {
    const made = compile(readFileSync(new URL(`../../examples/${path}`, import.meta.url), "utf8"), {
      rows: { points: 64 },
    });
    const lines = partsOf("backward", made).flatMap((p) => p.text().split("\n"));
    expect(lines.length).toBeGreaterThan(4);
    for (const line of lines) {
      const latex = latexOf(line);
      const count = (sign: string): number => latex.split(sign).length;
      expect(count("{"), line).toBe(count("}"));
      expect(count("\\left"), line).toBe(count("\\right"));
      expect(latex, line).not.toMatch(/ \/ |undefined/);
    }
  },
);
