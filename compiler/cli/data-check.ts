// Do a model's data files fit its data blocks? Short files are read whole, of long ones the beginning: header, columns and the first rows.
// In: a plan, a reader of the model's files.   Out: what does not fit, and what could not be looked at because it is not there.
import * as fs from "node:fs";
import { gunzipSync, constants } from "node:zlib";
import { beginning } from "../../runtime/arrays.ts";
import type { Sources } from "../../runtime/columns.ts";
import { readData } from "../../runtime/data.ts";
import { readRegular } from "../../runtime/files.ts";
import { loadColumn } from "../../runtime/loaders.ts";
import { dataRead, type Plan } from "../../runtime/plan.ts";
import { messageOf, RuntimeProblem } from "../../runtime/problem.ts";
import { dataFiles, type ModelFile, type ModelFlags } from "./model.ts";

const wholeBytes = 1 << 24; // files up to here are read whole
const headBytes = 1 << 18; // of longer ones
const mostPictures = 64; // of a folder

export interface DataFaults {
  readonly faults: readonly string[];
  readonly missing: readonly string[];
}
export async function dataFaults(plan: Plan, model: ModelFile, flags: ModelFlags): Promise<DataFaults> {
  const missing = new Set<string>();
  const faults = new Set<string>();
  let cut = false; // was a file read in part?
  const files = dataFiles(model, flags, (place) => {
    if (fs.statSync(place).size <= wholeBytes) return readRegular(fs, place, flags.maxData);
    cut = true;
    return head(place);
  });
  const sources: Sources = {
    read: (path) => files.read(path).catch((error: unknown) => absent(path, error)),
    list: async (folder) => {
      const names = await files.list(folder).catch((error: unknown) => absent(folder, error));
      cut ||= names.length > mostPictures;
      return spread(names, mostPictures);
    },
    picture: files.picture,
    host: {},
    files: new Map(),
    ...(flags.maxData === undefined ? {} : { mostBytes: flags.maxData }),
  };
  const absent = (path: string, error: unknown): never => {
    if (/ not there; --data FOLDER/.test(messageOf(error))) missing.add(path);
    throw error;
  };
  const looked = async (run: () => Promise<unknown>): Promise<void> => {
    const before = missing.size;
    try {
      await run();
    } catch (error) {
      if (!(error instanceof RuntimeProblem)) throw error;
      if (missing.size === before) faults.add(error.message);
    }
  };
  const read = dataRead(plan);
  const holdouts = read.flatMap((d) => d.holdouts.flatMap((h) => (h.dataset === undefined ? [] : [h.dataset])));
  const sets = plan.datasets.filter((d) => read.includes(d) || holdouts.includes(d.name));
  const fed = sets.some((d) => d.columns.some((c) => c.loader.kind === "host"));
  for (const d of sets)
    for (const c of d.columns)
      if (c.loader.kind !== "host") await looked(() => loadColumn(c, sources, undefined, d.columns));
  // numbers of rows, classes and ranges of what stands behind one another
  if (!cut && !fed && !missing.size && !faults.size) await looked(() => readData(plan, sources));
  return { faults: [...faults], missing: [...missing] };
}

/** The beginning of a long file, as a whole file of its kind: fewer rows of an array, whole lines of a text. */
export function head(place: string): Uint8Array {
  const bytes = new Uint8Array(headBytes);
  const file = fs.openSync(place, "r");
  try {
    const read = bytes.subarray(0, fs.readSync(file, bytes, 0, headBytes, 0));
    const isPacked = read[0] === 0x1f && read[1] === 0x8b;
    const plain = isPacked ? gunzipSync(read, { finishFlush: constants.Z_SYNC_FLUSH }) : read;
    const array = beginning(plain, place);
    if (array) return array;
    const end = plain.lastIndexOf(0x0a);
    return end < 0 ? plain : plain.subarray(0, end + 1);
  } finally {
    fs.closeSync(file);
  }
}
/** So many of a list, from all over it. */
const spread = <T>(list: readonly T[], most: number): readonly T[] =>
  list.length <= most ? list : Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]!);
