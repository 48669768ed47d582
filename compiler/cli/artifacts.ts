// What `dlm compile` writes: plan.json, shaders/*.wgsl with their index, trainer.mjs with its types, index.html. In: a plan with its code, a folder.
// All or nothing: everything is written beside its place and flushed, then renamed; if a renaming fails, those before it are undone.
// The same plan, and the same way from the folder to the data, give the same bytes.
import * as fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import {
  attempt,
  flushFolder,
  makeFolders,
  readRegular,
  sweep,
  temporaryBeside,
  writeFlushed,
} from "../../runtime/files.ts";
import type { Plan } from "../../runtime/plan.ts";
import { targets } from "../kernel/target.ts";
import { artifactTexts, weightsFile, type TextOptions } from "./artifact-texts.ts";
import { embeddedDriver } from "./embedded.ts";
import { textOf } from "./files.ts";
import { fileProblem, UserError } from "./problem.ts";
import type { Plans, TrainerParts } from "./trainer.ts";
import { wayTo } from "./ways.ts";

type FileSystem = typeof fs;

export interface ArtifactOptions extends TextOptions {
  readonly folder: string; // where to write
  readonly data: string; // the folder that the model's paths start from: that of its file
  readonly parts?: TrainerParts; // default: those of the build
}
export interface Artifact {
  readonly path: string; // under the folder: "shaders/map.wgsl"
  readonly bytes: number;
}

/** `plans`: of one model, for the classes of devices that it is to run on. */
export async function writeArtifacts(plans: Plans, options: ArtifactOptions): Promise<readonly Artifact[]> {
  const parts = options.parts ?? builtParts();
  const folder = resolve(options.folder);
  const files = new Map<string, string | Uint8Array>(
    artifactTexts(plans, wayTo(folder, resolve(options.data)), parts, options),
  );
  if (typeof options.weights === "object") files.set(weightsFile, options.weights);
  try {
    replaceFiles(
      fs,
      folder,
      files,
      formerKernels(folder).filter((path) => !files.has(path)),
    );
  } catch (error) {
    throw fileProblem("write to", options.folder, error);
  }
  for (const target of Object.keys(targets)) attempt(() => fs.rmdirSync(join(folder, "shaders", target))); // where nothing is left
  await embeddedDriver(); // a trainer finds it in the cache, also where nothing else of dlm is installed; without one there is nothing to do here
  return [...files].map(([path, text]) => ({
    path,
    bytes: typeof text === "string" ? Buffer.byteLength(text) : text.length,
  }));
}

/** Plans and kernels that an earlier compilation left in the folder. Other files in `shaders` are not ours. */
function formerKernels(folder: string): readonly string[] {
  const kernelsOf = (file: string, shaders: string): readonly string[] => {
    try {
      const { modules } = JSON.parse(textOf(readRegular(fs, join(folder, file)))) as Partial<Plan>;
      return [file, ...modules!.flatMap(({ name }) => (/^\w+$/.test(name) ? [`${shaders}/${name}.wgsl`] : []))];
    } catch {
      return []; // none, or of something else
    }
  };
  return [
    ...kernelsOf("plan.json", "shaders"),
    ...Object.keys(targets).flatMap((target) => {
      const former = kernelsOf(`plan.${target}.json`, `shaders/${target}`);
      return former.length ? [...former, `shaders/${target}/INDEX.md`] : [];
    }),
  ];
}
/**
 * Puts texts into a folder by their paths, and takes the obsolete ones out. Each is whole or not there, and what was there keeps its name until the new one
 * takes it. All or nothing: after a failure, the folder is as it was. Throws what the file system throws.
 */
export function replaceFiles(
  fs: FileSystem,
  folder: string,
  texts: ReadonlyMap<string, string | Uint8Array>,
  obsolete: readonly string[] = [],
): void {
  const undo: (() => void)[] = [];
  const make = (path: string): void =>
    makeFolders(fs, path).forEach((made) => undo.push(() => attempt(() => fs.rmdirSync(made)))); // another process may use it
  const beside = temporaryBeside(join(folder, "dlm")); // on the same file system
  const [fresh, former] = ["new", "old"].map(
    (kind) =>
      (i: number): string =>
        join(beside, `${kind}${i}`),
  ) as [At, At];
  const places = [...texts.keys()].map((path) => join(folder, path));
  let undone = true;
  try {
    make(folder);
    sweep(fs, join(folder, "dlm"));
    make(beside);
    [...texts.values()].forEach((text, i) =>
      writeFlushed(fs, fresh(i), text, fs.statSync(places[i]!, { throwIfNoEntry: false })?.mode),
    );
    places.forEach((place, i) => {
      make(dirname(place));
      undo.push(setAside(fs, place, former(i)));
      fs.renameSync(fresh(i), place);
    });
    obsolete.forEach((path, i) => {
      const [place, was] = [join(folder, path), former(places.length + i)];
      if (!fs.lstatSync(place, { throwIfNoEntry: false })?.isFile()) return;
      fs.renameSync(place, was);
      undo.push(() => fs.renameSync(was, place));
    });
    for (const changed of new Set([...places, ...obsolete.map((path) => join(folder, path))].map(dirname)))
      flushFolder(fs, changed);
  } catch (error) {
    for (const step of undo.reverse())
      try {
        step();
      } catch {
        undone = false;
      }
    throw error;
  } finally {
    if (undone) attempt(() => fs.rmSync(beside, { recursive: true, force: true })); // else it has what could not be put back
  }
}
type At = (i: number) => string;
/** What is there gets a second name, or another one where the file system has no links. Gives what puts it back. */
function setAside(fs: FileSystem, place: string, aside: string): () => void {
  const found = fs.lstatSync(place, { throwIfNoEntry: false });
  if (!found) return () => fs.rmSync(place, { force: true });
  if (found.isDirectory()) throw Object.assign(new Error(`${place} is a folder`), { code: "ERR_FOLDER" });
  try {
    fs.linkSync(place, aside);
  } catch {
    fs.renameSync(place, aside);
  }
  return () => fs.renameSync(aside, place);
}

/** The parts that `npm run build` left beside this file. */
export function builtParts(): TrainerParts {
  const path = new URL("trainer-parts.json", import.meta.url);
  try {
    return JSON.parse(fs.readFileSync(path, "utf8")) as TrainerParts;
  } catch {
    throw new UserError(`${basename(path.pathname)} is missing; \`npm run build\` makes it`);
  }
}
