// The data of a model beside its page, so that the folder of the page is all that a server needs. In: a plan, where its files are looked for, a folder.
// Out: the plan with the paths that its files have there, and the files to be copied.
import * as fs from "node:fs";
import { basename, dirname, join, posix, resolve } from "node:path";
import { makeFolders } from "../../runtime/files.ts";
import { listFolder } from "../../runtime/folders.ts";
import { dataRead, type Loader, type Plan } from "../../runtime/plan.ts";
import type { Artifact } from "./artifacts.ts";
import type { ModelFile, ModelFlags } from "./model.ts";
import { fileProblem } from "./problem.ts";

export interface Beside {
  readonly plan: Plan;
  /** Where each file comes from, by its path under the folder. */
  readonly files: ReadonlyMap<string, string>;
  /** Texts that belong to them: the lists of folders, which no server gives. */
  readonly texts: ReadonlyMap<string, string>;
  /** What the plan reads and nobody has. */
  readonly missing: readonly string[];
}
/** What lies in the folder of a page already. */
const taken = /^(plan\.(\w+\.)?json|trainer\.[\w.]+|index\.html|page\.\w+|weights\.safetensors|shaders)(\/|$)/;

export function besidePage(plan: Plan, model: ModelFile, flags: Pick<ModelFlags, "data">): Beside {
  const folders = [...(flags.data === undefined ? [] : [flags.data]), model.folder];
  const files = new Map<string, string>();
  const texts = new Map<string, string>();
  const missing: string[] = [];
  const known = new Map<string, string>();
  const move = (path: string, isFolder: boolean): string => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const place = folders.map((folder) => resolve(folder, path)).find((at) => is(at, isFolder));
    if (place === undefined) {
      missing.push(path);
      return path;
    }
    const to = freePlace(path, new Set(known.values()));
    known.set(path, to);
    if (!isFolder) files.set(to, place);
    else {
      const names = listFolder(fs, place);
      for (const name of names) files.set(`${to}/${name}`, join(place, name));
      if (!names.includes("index.json")) texts.set(`${to}/index.json`, JSON.stringify(names) + "\n");
    }
    return to;
  };
  const read = new Set(dataRead(plan).flatMap((d) => [d.name, ...d.holdouts.map((h) => h.dataset)]));
  const moved = <L extends Loader>(loader: L): L =>
    "path" in loader
      ? { ...loader, path: move(loader.path, loader.kind === "images" || loader.kind === "image_class") }
      : loader;
  const relocated: Plan = {
    ...plan,
    datasets: plan.datasets.map((d) =>
      read.has(d.name) ? { ...d, columns: d.columns.map((c) => ({ ...c, loader: moved(c.loader) })) } : d,
    ),
    trains: plan.trains.map((t) =>
      t.load ? { ...t, load: t.load.map((l) => ({ ...l, path: move(l.path, false) })) } : t,
    ),
  };
  return { plan: relocated, files, texts, missing };
}
const is = (place: string, isFolder: boolean): boolean => {
  const found = fs.statSync(place, { throwIfNoEntry: false });
  return isFolder ? found?.isDirectory() === true : found?.isFile() === true;
};
/** Where the model has it, unless that is outside of the folder or something else has that name; then under `data`. */
function freePlace(path: string, used: ReadonlySet<string>): string {
  const plain = posix.normalize(path.replaceAll("\\", "/")).replace(/\/$/, "");
  const inside = !plain.startsWith("..") && !posix.isAbsolute(plain) && !/^\w:/.test(plain) && !/(^|\/)\./.test(plain);
  if (inside && !taken.test(plain) && !used.has(plain)) return plain;
  const name = basename(plain).replace(/^\.+/, "") || "file";
  for (let n = 1; ; n++) {
    const to = n === 1 ? `data/${name}` : `data/${n}-${name}`;
    if (!used.has(to)) return to;
  }
}

/** Copies what is not there yet, or has another age or size there. Each file is whole or not there. */
export function copyBeside(folder: string, { files, texts }: Beside): readonly Artifact[] {
  const copied: Artifact[] = [];
  for (const [path, source] of files) {
    const place = join(folder, path);
    try {
      const [from, to] = [fs.statSync(source), fs.statSync(place, { throwIfNoEntry: false })];
      copied.push({ path, bytes: from.size });
      if (to?.isFile() && to.size === from.size && Math.abs(to.mtimeMs - from.mtimeMs) < 2) continue;
      makeFolders(fs, dirname(place));
      const beside = `${place}.${process.pid}.new`;
      try {
        fs.copyFileSync(source, beside, fs.constants.COPYFILE_FICLONE);
        fs.utimesSync(beside, from.atime, from.mtime);
        fs.renameSync(beside, place);
      } finally {
        fs.rmSync(beside, { force: true });
      }
    } catch (error) {
      throw fileProblem("copy to", place, error);
    }
  }
  for (const [path, text] of texts)
    try {
      makeFolders(fs, dirname(join(folder, path)));
      fs.writeFileSync(join(folder, path), text);
    } catch (error) {
      throw fileProblem("write to", join(folder, path), error);
    }
  return copied;
}
