// dlm gradcheck: a table of symbolic derivatives beside central differences. Status 1 if one is off by more than the tolerance.
import type { Program } from "../elaborate/program.ts";
import { checkGradients, gradientTargets, type GradientCheck } from "../gradcheck.ts";
import { analyse } from "../front.ts";
import { jsonText } from "../../runtime/tensor.ts";
import { compileOptions, openModel, reportDiagnostics, type ModelFile, type ModelFlags } from "./model.ts";
import { UserError } from "./problem.ts";
import { bar, openTerminal, styles } from "./terminal.ts";
import { counted } from "../print/text.ts";

export interface GradcheckFlags extends ModelFlags {
  readonly tolerance?: number;
  readonly directions?: number;
  readonly json?: boolean;
}
const smallBatch = "3";

export async function gradcheck(path: string, flags: GradcheckFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  const model = openModel(path);
  const program = await programOf(model, flags);
  const targets = gradientTargets(program);
  if (!targets.length) throw new UserError(`${path} minimizes nothing, so it has no derivatives to check`);
  const tolerance = flags.tolerance ?? 1e-5;
  const { bold, dim, green, red } = styles(terminal.color);
  const checks: GradientCheck[] = [];
  let objective = "";
  const width = Math.max(...targets.map((name) => name.length)) + 3;
  if (!flags.json)
    terminal.line(
      dim(`${"".padEnd(width)}${"symbolic".padStart(14)}${"difference".padStart(14)}${"error".padStart(10)}`),
    );
  for (const check of checkGradients(program, {
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    ...(flags.directions === undefined ? {} : { directions: flags.directions }),
  })) {
    checks.push(check);
    const good = check.error <= tolerance;
    if (flags.json) {
      terminal.line(jsonText({ ...check, of: check.kind, kind: "gradient", passed: good }));
      continue;
    }
    if (check.objective !== objective) terminal.line(bold(check.objective));
    objective = check.objective;
    const about = `${check.shape.length ? `[${check.shape.join(", ")}]` : ""}${check.norm < 1e-10 ? " no influence here" : ""}`;
    terminal.line(
      `${`  ${check.tensor}`.padEnd(width)}${figure(check.symbolic)}${figure(check.numeric)}${check.error.toExponential(1).padStart(10)} ${good ? green("✓") : red("✗")} ${dim(about)}`,
    );
    terminal.update(`${bar(checks.length / targets.length, 20)} ${checks.length}/${targets.length}`);
  }
  terminal.endUpdate();
  const bad = checks.filter((c) => !(c.error <= tolerance));
  if (bad.length) process.exitCode = 1;
  const worst = checks.reduce((a, b) => (b.error > a.error ? b : a));
  if (flags.json)
    terminal.line(jsonText({ kind: "done", checks: checks.length, failed: bad.length, tolerance, worst: worst.error }));
  else
    terminal.line(
      bad.length
        ? red(
            `${counted(bad.length, "derivative is", "derivatives are")} off by more than ${tolerance}: a kink at the point (another --seed tells), or a fault of dlm`,
          )
        : `${counted(checks.length, "derivative agrees", "derivatives agree")} with central differences in f64; the largest error is ${worst.error.toExponential(1)} (${worst.tensor})`,
    );
}
const figure = (x: number): string => (Math.abs(x) < 1e-3 && x !== 0 ? x.toExponential(5) : x.toFixed(8)).padStart(14);

/** With small batches where the model can be had with them. */
async function programOf(model: ModelFile, flags: GradcheckFlags): Promise<Program> {
  if (flags.set?.["batch"] === undefined) {
    const small = analyse(
      model.text,
      await compileOptions(model, { ...flags, set: { ...flags.set, batch: smallBatch } }),
    );
    if (small.program) return small.program;
  }
  const whole = analyse(model.text, await compileOptions(model, flags));
  reportDiagnostics(whole.diagnostics, model, whole.program !== undefined, flags);
  return whole.program!; // `reportDiagnostics` throws where there is none
}
