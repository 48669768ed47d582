// What `dlm compile` writes: plan.json, shaders/*.wgsl with their index, trainer.mjs with its types, index.html. In: a plan with its code, a folder.
// All or nothing: everything is written beside its place and then renamed; if a renaming fails, those before it are undone.
// The same plan, and the same way from the folder to the data, give the same bytes.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import type { Plan } from "../../runtime/plan.ts";
import { embeddedDriver } from "./embedded.ts";
import { fileProblem, UserError } from "./problem.ts";
import { json, trainerModule, trainerTypes, trainingPage, type TrainerParts } from "./trainer.ts";

export interface ArtifactOptions {
  readonly folder: string; // where to write
  readonly data: string; // the folder that the model's paths start from: that of its file
  readonly page?: boolean; // false: without index.html and its parts
  readonly index?: string; // text of shaders/INDEX.md. Default: it is not written
  readonly parts?: TrainerParts; // default: those of the build
}
export interface Artifact {
  readonly path: string; // under the folder: "shaders/map.wgsl"
  readonly bytes: number;
}

export async function writeArtifacts(plan: Plan, options: ArtifactOptions): Promise<readonly Artifact[]> {
  const parts = options.parts ?? builtParts();
  const folder = resolve(options.folder);
  const files = new Map(artifactTexts(plan, relativeUrl(folder, resolve(options.data)), parts, options));
  try {
    replace(folder, files);
  } catch (error) {
    throw fileProblem("write to", options.folder, error);
  }
  await embeddedDriver(); // a trainer finds it in the cache, also where nothing else of dlm is installed; without one there is nothing to do here
  return [...files].map(([path, text]) => ({ path, bytes: Buffer.byteLength(text) }));
}

/** Texts by path, in the order in which they are listed to the user. */
export function artifactTexts(
  plan: Plan,
  data: string,
  parts: TrainerParts,
  { index, page = true }: Pick<ArtifactOptions, "index" | "page"> = {},
): ReadonlyMap<string, string> {
  return new Map([
    ["plan.json", json({ ...plan, modules: plan.modules.map(({ name }) => ({ name })) }) + "\n"],
    ...plan.modules.map((module): [string, string] => [
      `shaders/${module.name}.wgsl`,
      (module.code ?? "").trimEnd() + "\n",
    ]),
    ...(index === undefined ? [] : [["shaders/INDEX.md", index] as const]),
    ["trainer.mjs", trainerModule(plan, data, parts)],
    ["trainer.d.ts", trainerTypes(plan, parts)],
    ["trainer.d.mts", 'export * from "./trainer.js"; // the types of a .mjs file are looked for here\n'],
    ...(page ? Object.entries(trainingPage(plan, parts)) : []),
  ]);
}

/** The way from one folder to another as an address: no absolute path gets into an artifact unless there is no other. */
function relativeUrl(from: string, to: string): string {
  const path = relative(from, to).split(sep).map(encodeURIComponent).join("/");
  return path === "" ? "./" : `${path}/`;
}

function replace(folder: string, files: ReadonlyMap<string, string>): void {
  mkdirSync(folder, { recursive: true });
  const beside = join(folder, `.dlm-${process.pid}-${Date.now().toString(36)}`); // on the same file system
  const [fresh, former] = [join(beside, "new"), join(beside, "old")];
  mkdirSync(former, { recursive: true });
  try {
    for (const [path, text] of files) {
      mkdirSync(dirname(join(fresh, path)), { recursive: true });
      writeFileSync(join(fresh, path), text);
    }
    // `shaders` is exchanged as a whole, so that no kernel of an earlier model stays in it.
    const names = [...new Set([...files.keys()].map((path) => path.split("/")[0]!))];
    const undo: (() => void)[] = [];
    try {
      for (const name of names) {
        const [place, was] = [join(folder, name), join(former, name)];
        if (existsSync(place)) {
          renameSync(place, was);
          undo.push(() => renameSync(was, place));
        }
        renameSync(join(fresh, name), place);
        undo.push(() => rmSync(place, { recursive: true }));
      }
    } catch (error) {
      for (const step of undo.reverse()) step();
      throw error;
    }
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

/** The parts that `npm run build` left beside this file. */
function builtParts(): TrainerParts {
  const path = new URL("trainer-parts.json", import.meta.url);
  try {
    return JSON.parse(readFileSync(path, "utf8")) as TrainerParts;
  } catch {
    throw new UserError(`${basename(path.pathname)} is missing; \`npm run build\` makes it`);
  }
}
