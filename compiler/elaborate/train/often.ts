// How often a checkpoint is written. In: the setting `checkpoint: every 5 minutes`, `every 500 steps`, `every 2 epochs` or `off`. Out: the same for the plan.
import type * as ast from "../../../grammar/ast.ts";
import type { Often } from "../../../runtime/plan.ts";
import type { Value } from "../context.ts";
import * as errors from "../errors.ts";
import { kindText } from "../values.ts";

const seconds: Readonly<Record<string, number>> = { seconds: 1, minutes: 60, hours: 3600 };
const units = [...Object.keys(seconds), "steps", "epochs"];

/** `hasEpochs`: there are rows to count them by. */
export function readOften(s: ast.Setting, evaluate: (e: ast.Expr) => Value, hasEpochs: boolean): Often {
  const [setting, example] = [s.name.text, "every 5 minutes"];
  const forms = `${example}, every 500 steps, or off`;
  if (!s.every) {
    if (s.value.kind === "name" && s.value.text === "off") return "off";
    throw errors.settingForm(
      s.value.span,
      setting,
      forms,
      s.value.kind === "number" ? `every ${s.value.text} steps` : example,
    );
  }
  const { unit } = s.every;
  if (!unit) throw errors.settingForm(s.every.span, setting, `with a unit: ${units.join(", ")}`, example);
  const known = units.find((u) => u === unit.text || u === `${unit.text}s`); // every 1 minute
  if (!known) throw errors.unknownName(unit.span, unit.text, units, { kind: "unit", place: "of `every`" });
  const v = evaluate(s.value);
  const factor = seconds[known];
  const isRight = v.kind === "number" && v.value > 0 && (factor !== undefined || Number.isSafeInteger(v.value));
  if (!isRight || !Number.isFinite(v.value))
    throw errors.settingNeeds(s.value.span, setting, factor === undefined ? "positive" : "above", kindText(v));
  if (known === "epochs" && !hasEpochs) throw errors.epochsOfNothing(unit.span, setting);
  return factor === undefined
    ? known === "steps"
      ? { steps: v.value }
      : { epochs: v.value }
    : { seconds: factor * v.value };
}
