// Fills the cache of the embedded device: SwiftShader, unpacked once from the npm package `@sparticuz/chromium`.
// In: nothing but the file system.   Out: the folder of a complete driver, or in words why there is none.
// A driver is written beside its final place and renamed: concurrent starts are safe, and a folder with its final name is complete.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { cachedDriver, cacheFolders, driverIn, resolvePackage, trusted, type EmbeddedDriver } from "../../runtime/embedded.ts";
import { messageOf } from "../../runtime/problem.ts";

const files = ["vk_swiftshader_icd.json", "libvulkan.so.1", "libvk_swiftshader.so"] as const;

/** The embedded driver, unpacked if it has to be; a string says why there is none. */
export async function embeddedDriver(): Promise<EmbeddedDriver | string> {
  const source = await sourcePackage();
  const cached = await cachedDriver(source?.version);
  if (typeof cached === "object" || process.platform !== "linux" || process.arch !== "x64") return cached;
  if (!source) return "none is in the cache folder, and the package `@sparticuz/chromium` that carries one is not installed (npm install --save-dev @sparticuz/chromium)";

  let contents: ReadonlyMap<string, Uint8Array>;
  try {
    contents = unpackTar(brotliDecompressSync(readFileSync(source.archive)));
  } catch (error) {
    return `cannot read ${source.archive}: ${messageOf(error)}`;
  }
  const lacking = files.filter((file) => !contents.has(file));
  if (lacking.length) return `${source.archive} holds no ${lacking.join(", ")}`;

  const problems: string[] = [];
  for (const cache of await cacheFolders()) {
    const folder = join(cache, source.version);
    const beside = `${folder}.${process.pid}-${Date.now().toString(36)}`;
    try {
      mkdirSync(cache, { recursive: true, mode: 0o700 });
      if (!(await trusted(cache))) throw new Error("the folder belongs to another user");
      mkdirSync(beside);
      for (const file of files) writeFileSync(join(beside, file), contents.get(file)!, { mode: 0o755, flush: true });
      renameSync(beside, folder);
      return driverIn(folder);
    } catch (error) {
      if (existsSync(beside)) rmSync(beside, { recursive: true, force: true });
      if (existsSync(folder)) return driverIn(folder); // another process was first
      problems.push(`${cache}: ${messageOf(error)}`);
    }
  }
  return `cannot unpack the driver (${problems.join("; ")}); DLM_CACHE=FOLDER names a folder that can be written to`;
}

async function sourcePackage(): Promise<{ readonly archive: string; readonly version: string } | undefined> {
  const entry = await resolvePackage("@sparticuz/chromium");
  if (!entry) return undefined;
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const archive = join(folder, "bin", "swiftshader.tar.br");
    if (!existsSync(archive)) continue;
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
    return { archive, version: `swiftshader-${version}` };
  }
  return undefined;
}

/** A tar archive: 512-byte headers (name at 0, size in octal at 124), contents padded to 512 bytes. */
function unpackTar(tar: Buffer): ReadonlyMap<string, Uint8Array> {
  const text = (from: number, length: number): string => tar.toString("latin1", from, from + length).replace(/\0.*$/s, "");
  const contents = new Map<string, Uint8Array>();
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const length = parseInt(text(at + 124, 12).trim(), 8);
    contents.set(basename(text(at, 100)), tar.subarray(at + 512, at + 512 + length));
    at += 512 + Math.ceil(length / 512) * 512;
  }
  return contents;
}
