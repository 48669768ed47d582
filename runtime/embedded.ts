// The embedded device: SwiftShader, a Vulkan driver in software, kept in a cache folder that the command line fills (compiler/cli/embedded.ts).
// In: nothing but the file system.   Out: the folder of a complete driver, or in words why there is none.
// Invariant: a folder with its final name is complete.
// Every `node:` module is imported when called: this file is part of trainers that browsers load too.

export interface EmbeddedDriver {
  readonly folder: string;
  readonly manifest: string; // what VK_DRIVER_FILES names
  readonly loader: string; // libvulkan.so.1, for systems that have none
}
export type FindDriver = () => Promise<EmbeddedDriver | string>;

/** Where dlm keeps what it can make again, best first. A home that cannot be written to is common in containers. */
export async function cacheFolders(): Promise<readonly string[]> {
  const [{ join }, { homedir, tmpdir, userInfo }] = await Promise.all([import("node:path"), import("node:os")]);
  if (process.env["DLM_CACHE"]) return [process.env["DLM_CACHE"]];
  return [
    join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "dlm"),
    join(tmpdir(), `dlm-cache-${userInfo().uid}`),
  ];
}

/** The newest driver in the cache, or the one of a version (a folder's name). */
export async function cachedDriver(version?: string): Promise<EmbeddedDriver | string> {
  if (process.platform !== "linux" || process.arch !== "x64")
    return `it runs on Linux x64 only, and this is ${process.platform} ${process.arch}`;
  const { existsSync, readdirSync } = await import("node:fs");
  for (const cache of await cacheFolders()) {
    if (!existsSync(cache) || !(await trusted(cache))) continue;
    const names = readdirSync(cache).filter((name) =>
      version === undefined ? /^swiftshader-[\d.]+$/.test(name) : name === version,
    );
    const newest = names.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
    if (newest) return driverIn(`${cache}/${newest}`);
  }
  return "none is in the cache folder; `npx dlm doctor` puts one there";
}
export const driverIn = (folder: string): EmbeddedDriver => ({
  folder,
  manifest: `${folder}/vk_swiftshader_icd.json`,
  loader: `${folder}/libvulkan.so.1`,
});

/** Code is loaded from the cache: a folder that somebody else could have made is not used. */
export async function trusted(folder: string): Promise<boolean> {
  const { uid } = (await import("node:fs")).statSync(folder);
  return uid === 0 || uid === process.getuid?.();
}

/** The entry file of an installed package, looked for from this file, then from the working folder. */
export async function resolvePackage(name: string): Promise<string | undefined> {
  const [{ createRequire }, { join }] = await Promise.all([import("node:module"), import("node:path")]);
  for (const from of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      return createRequire(from).resolve(name);
    } catch {
      continue;
    }
  }
  return undefined;
}
