// What the language server reads from the disk: imported files, headers of data files, the files of a workspace; and the library as files to jump into.
import * as fs from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { readRegular } from "../../../runtime/files.ts";
import { numberOf, parseCsv } from "../../../runtime/csv.ts";
import type { Host } from "../../query/workspace.ts";
import { libraryFiles } from "../../std/library.ts";
import { version } from "../../version.ts";
import { head } from "../data-check.ts";
import { textOf } from "../files.ts";

const mostBytes = 1 << 24; // of a text that is imported
const mostFiles = 500; // of a workspace that are searched
const mostFolders = 2000;

export function diskHost(folders: () => readonly string[]): Host {
  let listed: readonly string[] | undefined;
  return {
    read: (address) => tried(() => textOf(readRegular(fs, fileURLToPath(address), mostBytes))),
    columns: (address) =>
      tried(() => {
        const table = parseCsv(head(fileURLToPath(address)), address);
        const cells = Array.from({ length: table.rows ? table.width : 0 }, (_, c) => table.cell(0, c).trim());
        return cells.some((c) => c !== "" && !Number.isNaN(numberOf(c))) ? undefined : cells; // numbers are no names
      }),
    files: () => (listed ??= folders().flatMap((f) => modelsIn(tried(() => fileURLToPath(f))))),
  };
}
/** Nothing, where the disk does not give it. */
function tried<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
/** The models of a folder and those inside it; what is hidden or comes from packages is left out. */
function modelsIn(folder: string | undefined): string[] {
  const found: string[] = [];
  const waiting = folder === undefined ? [] : [folder];
  for (let seen = 0; waiting.length && seen < mostFolders && found.length < mostFiles; seen++) {
    const at = waiting.shift()!;
    for (const entry of tried(() => fs.readdirSync(at, { withFileTypes: true })) ?? []) {
      if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
      if (entry.isDirectory()) waiting.push(join(at, entry.name));
      else if (entry.isFile() && entry.name.endsWith(".dlm")) found.push(pathToFileURL(join(at, entry.name)).href);
    }
  }
  return found.slice(0, mostFiles);
}

/** Where the library lies as files, of this version: they are written when somebody first jumps there, and are not to be changed. */
const libraryFolder = (): string =>
  join(process.env["XDG_CACHE_HOME"] ?? process.env["LOCALAPPDATA"] ?? join(homedir(), ".cache"), "dlm", version);
/** The address of a file of the library ("std/layer.dlm"); undefined where nothing can be written. */
export function libraryAddress(name: string): string | undefined {
  const text = libraryFiles.find((f) => f.name === name)?.text;
  if (text === undefined) return undefined;
  const path = join(libraryFolder(), name);
  return tried(() => {
    if (tried(() => fs.readFileSync(path, "utf8")) !== text) {
      fs.mkdirSync(join(path, ".."), { recursive: true });
      fs.rmSync(path, { force: true });
      fs.writeFileSync(path, text, { mode: 0o444 });
    }
    return pathToFileURL(path).href;
  });
}
export const isLibraryAddress = (address: string): boolean => address.startsWith(pathToFileURL(libraryFolder()).href);
