// The embedded device: SwiftShader, a Vulkan driver in software, kept in a cache folder that the command line fills (compiler/cli/embedded.ts).
// In: nothing but the file system.   Out: the folder of a complete driver, or in words why there is none.
// Invariant: a folder with its final name is complete, and only this user could have written it.
// No `node:` module is imported: this file is part of trainers that browsers load and bundlers read.
import { fileReason } from "./files.ts";

export interface EmbeddedDriver {
  readonly folder: string;
  readonly manifest: string; // what VK_DRIVER_FILES names
  readonly loader: string; // libvulkan.so.1, for systems that have none
}
export type FindDriver = () => Promise<EmbeddedDriver | string>;

/** Where dlm keeps what it can make again: the user's own cache, or the folder that DLM_CACHE names. */
export async function cacheFolder(): Promise<string> {
  const { join, resolve } = process.getBuiltinModule("node:path");
  if (process.env["DLM_CACHE"]) return resolve(process.env["DLM_CACHE"]);
  return join(process.env["XDG_CACHE_HOME"] || join(process.getBuiltinModule("node:os").homedir(), ".cache"), "dlm");
}

/** The newest driver in the cache, or the one of a version (a folder's name). */
export async function cachedDriver(version?: string): Promise<EmbeddedDriver | string> {
  if (process.platform !== "linux" || process.arch !== "x64")
    return `it runs on Linux x64 only, and this is ${process.platform} ${process.arch}`;
  const { readdirSync } = process.getBuiltinModule("node:fs");
  const cache = await cacheFolder();
  let inside: readonly string[] = [];
  try {
    inside = readdirSync(cache);
  } catch {
    // not there, no folder, or not to be read: whoever fills it says which
  }
  const names = inside.filter((name) => (version === undefined ? /^swiftshader-[\d.]+$/.test(name) : name === version));
  const newest = names.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  if (!newest) return `none is in the cache folder ${cache}; \`npx dlm doctor --install\` puts one there`;
  const reason = await whyNot(`${cache}/${newest}`);
  return reason === undefined
    ? driverIn(`${cache}/${newest}`)
    : `${reason}; \`npx dlm doctor --install\` puts another one there`;
}
export const driverIn = (folder: string): EmbeddedDriver => ({
  folder,
  manifest: `${folder}/vk_swiftshader_icd.json`,
  loader: `${folder}/libvulkan.so.1`,
});

/** In every folder of the cache: what it was filled with, as names to SHA-256 in hexadecimal. */
export const hashesFile = "hashes.json";
/**
 * Code is loaded from the cache. Why what lies in this folder must not be: it, or a folder on the way to it, could be changed by somebody else, or a file
 * is not what it was when the folder was filled. Undefined where all is well.
 */
export async function whyNot(folder: string): Promise<string | undefined> {
  try {
    return await faultOf(folder);
  } catch (error) {
    return `${folder}: ${fileReason(error)}`;
  }
}
async function faultOf(folder: string): Promise<string | undefined> {
  const fs = process.getBuiltinModule("node:fs");
  const { createHash } = process.getBuiltinModule("node:crypto");
  const { dirname, join } = process.getBuiltinModule("node:path");
  const lstat = (path: string): import("node:fs").Stats | undefined => fs.lstatSync(path, { throwIfNoEntry: false });
  // the way to the cache may have links; what lies in it may not
  let above: string;
  try {
    above = fs.realpathSync(dirname(folder));
  } catch {
    return `${folder} is not there`;
  }
  for (let path = above; ; path = dirname(path)) {
    const reason = openTo(path, lstat(path), true);
    if (reason !== undefined) return reason;
    if (path === dirname(path)) break;
  }
  let hashes: Readonly<Record<string, string>>;
  try {
    hashes = JSON.parse(fs.readFileSync(join(folder, hashesFile), "utf8")) as typeof hashes;
  } catch {
    return `${folder} is not complete`;
  }
  const names = Object.keys(hashes);
  const inside = new Set(["", hashesFile, ...names, ...names.map((name) => dirname(name))]);
  for (const name of inside) {
    const path = join(folder, name);
    const reason = openTo(path, lstat(path), false);
    if (reason !== undefined) return reason;
  }
  for (const [name, hash] of Object.entries(hashes))
    if (
      createHash("sha256")
        .update(fs.readFileSync(join(folder, name)))
        .digest("hex") !== hash
    )
      return `${join(folder, name)} is damaged`;
  return undefined;
}
/** Who but this user and the system's own could change what is there? A sticky folder lets nobody replace what is not theirs. */
function openTo(path: string, found: import("node:fs").Stats | undefined, isAbove: boolean): string | undefined {
  if (!found) return `${path} is not there`;
  if (found.isSymbolicLink()) return `${path} is a link`;
  const own = process.getuid?.();
  if (found.uid !== 0 && found.uid !== own) return `${path} belongs to another user`;
  const sticky = isAbove && (found.mode & 0o1000) !== 0;
  // a group of one's own, as many systems give every user, is no other user
  const others = 0o002 | (found.gid === 0 || found.gid === process.getgid?.() ? 0 : 0o020);
  return !sticky && (found.mode & others) !== 0 ? `${path} may be written by other users` : undefined;
}

/** The entry file of an installed package, looked for from this file, then from the working folder. */
export async function resolvePackage(name: string): Promise<string | undefined> {
  const { createRequire } = process.getBuiltinModule("node:module");
  const { join } = process.getBuiltinModule("node:path");
  for (const from of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      return createRequire(from).resolve(name);
    } catch {
      continue;
    }
  }
  return undefined;
}
