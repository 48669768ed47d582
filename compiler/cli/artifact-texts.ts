// The texts of a compiled model by their paths, for whoever writes them: a folder, an archive. In: plans with their code, the parts made by bundle.mjs.
// Out: texts; no I/O.
import type { Plan } from "../../runtime/plan.ts";
import { json, trainerModule, trainerTypes, trainingPage, type Plans, type TrainerParts } from "./trainer.ts";

export interface TextOptions {
  readonly page?: boolean; // false: without index.html and its parts
  readonly weights?: Uint8Array | "there"; // beside the trainer, which loads them by default; put there unless they are
  readonly index?: (plan: Plan) => string; // text of INDEX.md beside the shaders of a plan. Default: it is not written
}
export const weightsFile = "weights.safetensors";

/**
 * Texts by path, in the order in which they are listed to the user. The first plan is plan.json, its kernels lie in `shaders`; another is plan.TARGET.json, and
 * its kernels lie in shaders/TARGET, but for those that are the same under the same name.
 */
export function artifactTexts(
  plans: Plans,
  data: string | undefined,
  parts: TrainerParts,
  { index, page = true, weights }: TextOptions = {},
): ReadonlyMap<string, string> {
  const [plan] = plans;
  const texts = plans.map((p): readonly (readonly [string, string])[] => {
    const [file, folder] = p === plan ? ["plan.json", "shaders"] : [`plan.${p.target}.json`, `shaders/${p.target}`];
    const own = p.modules.filter(
      (m) => p === plan || plan.modules.every((o) => o.name !== m.name || o.code !== m.code),
    );
    return [
      [file, json({ ...p, modules: p.modules.map(({ code: _, ...m }) => m) }) + "\n"],
      ...own.map(({ name, code = "" }) => [`${folder}/${name}.wgsl`, code.trimEnd() + "\n"] as const),
      ...(index === undefined ? [] : [[`${folder}/INDEX.md`, index(p)] as const]),
    ];
  });
  return new Map([
    ...texts.flat(),
    ["trainer.mjs", trainerModule(plans, { data, weights: weights && weightsFile }, parts)],
    ["trainer.d.ts", trainerTypes(plan, parts)],
    ["trainer.d.mts", 'export * from "./trainer.js"; // the types of a .mjs file are looked for here\n'],
    ...(page ? Object.entries(trainingPage(plan, parts, weights && weightsFile)) : []),
  ]);
}
