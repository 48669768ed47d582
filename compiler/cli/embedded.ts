// Fills the cache of the embedded device: SwiftShader, unpacked once from the npm package `@sparticuz/chromium`.
// In: nothing but the file system.   Out: the folder of a complete driver, or in words why there is none.
// A folder of the cache is filled beside its final place and renamed: concurrent starts are safe, and what has its final name is complete.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import {
  cachedDriver,
  cacheFolders,
  driverIn,
  resolvePackage,
  trusted,
  type EmbeddedDriver,
} from "../../runtime/embedded.ts";
import { messageOf } from "../../runtime/problem.ts";

/** The embedded driver, unpacked if it has to be; a string says why there is none. */
export async function embeddedDriver(): Promise<EmbeddedDriver | string> {
  const source = await chromiumPackage();
  const cached = await cachedDriver(source && `swiftshader-${source.version}`);
  if (typeof cached === "object" || process.platform !== "linux" || process.arch !== "x64") return cached;
  if (!source)
    return "none is in the cache folder, and the package `@sparticuz/chromium` that carries one is not installed (npm install --save-dev @sparticuz/chromium)";
  try {
    return driverIn(
      await cachedFolder(`swiftshader-${source.version}`, (folder) =>
        unpack(source.archive("swiftshader.tar.br"), folder, (name) => !/GL/.test(name)),
      ),
    );
  } catch (error) {
    return `cannot unpack the driver: ${messageOf(error)}`;
  }
}

export interface ChromiumPackage {
  readonly version: string;
  readonly archive: (name: string) => string;
}
/** The installed package that carries SwiftShader. */
export async function chromiumPackage(): Promise<ChromiumPackage | undefined> {
  const entry = await resolvePackage("@sparticuz/chromium");
  if (!entry) return undefined;
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    if (!existsSync(join(folder, "bin", "swiftshader.tar.br"))) continue;
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
    return { version, archive: (name) => join(folder, "bin", name) };
  }
  return undefined;
}

/** A folder of the cache by name, filled if it is not there. */
export async function cachedFolder(name: string, fill: (folder: string) => void): Promise<string> {
  const caches = await cacheFolders();
  for (const cache of caches) if (existsSync(join(cache, name)) && (await trusted(cache))) return join(cache, name);
  const problems: string[] = [];
  for (const cache of caches) {
    const folder = join(cache, name);
    const beside = `${folder}.${process.pid}-${Date.now().toString(36)}`;
    try {
      mkdirSync(cache, { recursive: true, mode: 0o700 });
      if (!(await trusted(cache))) throw new Error("the folder belongs to another user");
      mkdirSync(beside);
      fill(beside);
      renameSync(beside, folder);
      return folder;
    } catch (error) {
      if (existsSync(beside)) rmSync(beside, { recursive: true, force: true });
      if (existsSync(folder)) return folder; // another process was first
      problems.push(`${cache}: ${messageOf(error)}`);
    }
  }
  throw new Error(`${problems.join("; ")}; DLM_CACHE=FOLDER names a folder that can be written to`);
}

/** Unpacks a brotli-compressed file, or what is wanted of a brotli-compressed tar archive, into a folder. */
export function unpack(archive: string, folder: string, wanted: (name: string) => boolean = () => true): void {
  const bytes = brotliDecompressSync(readFileSync(archive));
  const name = /([^/\\]+?)(\.tar)?\.br$/.exec(archive);
  if (!name?.[2]) return writeFileSync(join(folder, name?.[1] ?? "file"), bytes, { mode: 0o755, flush: true });
  // tar: 512-byte headers (name at 0, size in octal at 124, kind at 156), contents padded to 512 bytes
  const text = (from: number, length: number): string =>
    bytes.toString("latin1", from, from + length).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0;) {
    const length = parseInt(text(at + 124, 12).trim(), 8);
    const [path, kind] = [text(at, 100), text(at + 156, 1)];
    if ((kind === "0" || kind === "") && wanted(path)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), bytes.subarray(at + 512, at + 512 + length), { mode: 0o755, flush: true });
    }
    at += 512 + Math.ceil(length / 512) * 512;
  }
}
