// Whole plans of eight examples for two targets, as committed text: kernels as formulas with their schedules, every module's WGSL, buffers and commands.
// A change that alters no kernel shows no difference here; one that does shows a reviewer what became of them.
// Rewrite them with `npx vitest run test/plans -u`.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { check, stagesOf } from "./check.ts";

const examples = [
  "adversarial_digits",
  "digits_cnn",
  "gan_ring",
  "gpt_chars",
  "iris",
  "lstm_chars",
  "representation/siamese_digits",
  "xor",
];
const targets = ["software", "discrete"];

describe.each(examples)("%s", (path) => {
  const name = basename(path);
  test.each(targets)("for %s devices", async (target) => {
    const source = readFileSync(join(import.meta.dirname, `../../examples/${path}.dlm`), "utf8");
    const text = stagesOf(source, { name: `${name}.dlm`, target });
    const file = (kind: string): string => `${name}.${target}.${kind}.txt`;
    await expect(`${text("fused")}\n${text("schedule")}`).toMatchFileSnapshot(file("kernels"));
    await expect(text("wgsl")).toMatchFileSnapshot(file("wgsl"));
    await expect(text("plan")).toMatchFileSnapshot(file("plan"));
  });
});
test("a program of one's own: the mean of a row is one kernel", () => {
  const kernels = check("export fn mean_of(x: f32[B, 8]) -> f32[B] = mean(x, axis: -1)", "fused");
  expect(kernels).toContain("sum = sum(k < 8) x[i, k]");
  expect(kernels.match(/^ +\d+ {2}/gm)).toHaveLength(1);
});
