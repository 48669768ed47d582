// Every model of examples/: it compiles without an error or a warning, its derivatives agree with central differences, and it trains for a few steps.
// Models of files that are not in the repository are compiled and checked; they train where ../shared/data has the files.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { dataFiles } from "../compiler/cli/model.ts";
import { rowsOfWholeBatches } from "../compiler/cli/rows.ts";
import { analyse } from "../compiler/front.ts";
import { checkGradients, gradientTargets } from "../compiler/gradcheck.ts";
import { renderDiagnostics } from "../grammar/render.ts";
import type { Plan } from "../runtime/plan.ts";
import { made, withModel } from "./model.ts";

const root = join(import.meta.dirname, "../examples");
const models = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".dlm"));
const steps = 3;
/** Too large for differences in a test, and why that is no loss. */
const withoutGradcheck: Readonly<Record<string, string>> = {
  "gpt_chars.dlm": "its parts are those of attention/numbers_gpt.dlm; `dlm gradcheck` takes minutes",
};

describe.each(models.map((f) => f.replaceAll("\\", "/")).sort())("%s", (name) => {
  const path = join(root, name);
  const text = readFileSync(path, "utf8");
  const model = { path, name: basename(path), folder: dirname(path), text };
  const files = dataFiles(model, {});
  const imports = (file: string): string => readFileSync(join(model.folder, file), "utf8");
  const isWhole = (): boolean =>
    [...text.matchAll(/\b(?:csv|chars|words|tokens|npy|idx|images)\("([^"]+)"/g)].every(([, file]) =>
      existsSync(join(model.folder, file!)),
    );
  const rows = async (): Promise<Record<string, number>> =>
    isWhole() ? rowsOfWholeBatches(text, { imports }, files) : {};

  test("says at its top what to see", () => {
    expect(text).toMatch(/^# .{40}/);
  });
  test("compiles without a warning", async () => {
    const result = analyse(text, { name: model.name, imports, rows: await rows(), pedantic: true });
    expect(renderDiagnostics(result.diagnostics)).toBe("");
  });
  test.skipIf(name in withoutGradcheck)("has the derivatives that central differences give", async () => {
    const { program } = analyse(text, { name: model.name, imports, rows: await rows(), ...smaller(text) });
    if (!program || !gradientTargets(program).length) return;
    for (const { objective, tensor, error } of checkGradients(program, { directions: 1 }))
      expect(error, `${objective} by ${tensor}`).toBeLessThan(1e-4);
  });
  test.skipIf(!isWhole())("trains for a few steps", async () => {
    const whole = made(text, { name: model.name, imports, rows: await rows(), verify: true });
    const { plan } = whole;
    await withModel(
      { ...whole, plan: withoutEvaluation(plan) },
      async (m) => {
        for (const t of plan.trains) {
          const { step, loss } = await m.train(t.name, { stopAfter: steps });
          expect(step).toBeGreaterThan(0);
          // a block that minimizes nothing has no loss
          expect(Number.isFinite(loss)).toBe(t.ring.columns[0] === "loss");
        }
        for (const { data } of Object.values(await m.parameters())) expect(data.every(Number.isFinite)).toBe(true);
      },
      files,
    );
  });
});
/** Gradients of three rows tell as much as those of many. */
const smaller = (text: string): { readonly set?: Record<string, string> } =>
  /\bbatch: \d/.test(text) ? { set: { batch: "3" } } : {};
const withoutEvaluation = (plan: Plan): Plan => ({
  ...plan,
  trains: plan.trains.map(({ load, save, stop, ...t }) => {
    void [load, save, stop]; // files and whole evaluations are for real runs
    return t;
  }),
});
