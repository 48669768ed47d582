// What a compiled trainer has in Node: a device through the package `webgpu`, files, checkpoints in a file; and its program, `node trainer.mjs`.
import type { CheckpointStore, DataFiles } from "./api.ts";
import { fileReason, generations, readRegular, writeWhole } from "./files.ts";
import { decodeInNode, listFolder } from "./folders.ts";
import { openDevice } from "./node.ts";
import type { Plan } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";
import { run } from "./program.ts";
import { MissingFile, type Host, type Origin, type Trainer } from "./lasting.ts";

export const host: Host = { open: openDevice, files: filesInNode, read: readPlace, weights: readWeights, store };

/** The command line, if the program that Node was started with is the trainer itself, whatever its name, and no bundle that has it in. */
export function start(plan: Plan, { url }: Origin, load: Trainer["load"]): void {
  const started = process.argv[1];
  if (started && url?.startsWith("file:") && isTrainer(plan, url, started)) void run(plan, load);
}
function isTrainer(plan: Plan, url: string, started: string): boolean {
  const { readFileSync, realpathSync } = process.getBuiltinModule("node:fs");
  const { dirname, join, resolve } = process.getBuiltinModule("node:path");
  const folder = process.getBuiltinModule("node:url").fileURLToPath(url);
  try {
    const file = realpathSync(started);
    if (dirname(file) !== realpathSync(folder)) return false;
    const [begin] = `// ${plan.name}, compiled by `.split(/[\n\v\f\r\x85\u2028\u2029]/); // none of these is in the comment
    return readFileSync(file, "utf8").startsWith(begin!);
  } catch {
    return resolve(started) === join(folder, "trainer.mjs"); // it cannot be looked at: by its name
  }
}

/** Files by their path in the model: under the folder given, the working folder, the trainer's folder, and where the model lay when it was compiled. */
function filesInNode(origin: Origin, data: string | undefined, most: number | undefined): DataFiles {
  const fs = process.getBuiltinModule("node:fs");
  const { resolve } = process.getBuiltinModule("node:path");
  const own = origin.url?.startsWith("file:") ? [process.getBuiltinModule("node:url").fileURLToPath(origin.url)] : [];
  const compiled = origin.data;
  const folders = [
    ...(data === undefined ? [] : [data]),
    process.cwd(),
    ...own,
    ...(compiled === undefined ? [] : own.map((folder) => resolve(folder, compiled))),
  ];
  const firstOf = async <T>(path: string, take: (place: string) => T): Promise<T> => {
    const moved = origin.files?.[path];
    const places = [
      ...new Set([...folders.map((folder) => resolve(folder, path)), ...(moved === undefined ? [] : [resolve(moved)])]),
    ];
    for (const place of places) {
      try {
        return take(place);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== "ENOENT" && code !== "ENOTDIR")
          throw new RuntimeProblem(`cannot read ${place}: ${fileReason(error)}`);
      }
    }
    throw new MissingFile(path, places, "--data FOLDER names the folder that the model's paths start from");
  };
  return {
    read: (path) => firstOf(path, (place) => readRegular(fs, place, most)),
    list: (path) => firstOf(path, (place) => listFolder(fs, place)),
    picture: decodeInNode,
  };
}

/** Beside the trainer and nowhere else: others may have files of the same name. */
async function readWeights({ url, files }: Origin, path: string): Promise<Uint8Array> {
  const moved = files?.[path];
  return readPlace(moved ?? (url === undefined ? path : new URL(path, url)));
}
async function readPlace(place: string | URL): Promise<Uint8Array> {
  if (/^https?:/.test(String(place))) {
    const response = await fetch(place);
    if (!response.ok) throw new RuntimeProblem(`${String(place)} is not to be had: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  }
  const path = String(place).startsWith("file:")
    ? process.getBuiltinModule("node:url").fileURLToPath(place)
    : String(place);
  return readKept(path);
}
function readKept(path: string): Uint8Array {
  try {
    return readRegular(process.getBuiltinModule("node:fs"), path, Infinity); // as long as it was written
  } catch (error) {
    throw new RuntimeProblem(`cannot read ${path}: ${fileReason(error)}`);
  }
}

/** One file, of the model's name in the working folder where no path is given. */
function store(plan: Plan, path = `${plan.name.replace(/\.dlm$/, "")}.checkpoint.safetensors`): CheckpointStore {
  const fs = process.getBuiltinModule("node:fs");
  return {
    read: async () => (generations(fs, path).includes(path) ? readKept(path) : undefined),
    write: async (bytes) => {
      try {
        writeWhole(fs, path, bytes);
      } catch (error) {
        throw new RuntimeProblem(`cannot write ${path}: ${fileReason(error)}`);
      }
    },
    remove: async () => fs.rmSync(path, { force: true }),
  };
}
