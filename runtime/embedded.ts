// The embedded device: SwiftShader, a Vulkan driver in software, unpacked once from the npm package `@sparticuz/chromium` into a cache folder.
// In: nothing but the file system.   Out: the folder of a complete driver, or in words why there is none.
// Invariant: a folder with its final name is complete: it is written beside and renamed, so concurrent starts are safe.
// Every `node:` module is imported when called: this file is part of trainers that browsers load too.
import { messageOf } from "./problem.ts";

export interface EmbeddedDriver {
  readonly folder: string;
  readonly manifest: string; // what VK_DRIVER_FILES names
  readonly loader: string; // libvulkan.so.1, for systems that have none
  readonly unpacked: boolean; // by this call
}

const manifestName = "vk_swiftshader_icd.json";
const loaderName = "libvulkan.so.1";
const files = [manifestName, loaderName, "libvk_swiftshader.so"] as const;

/** Where dlm keeps what it can make again, best first. */
async function cacheFolders(): Promise<readonly string[]> {
  const [{ join }, { homedir, tmpdir, userInfo }] = await Promise.all([import("node:path"), import("node:os")]);
  if (process.env["DLM_CACHE"]) return [process.env["DLM_CACHE"]];
  const home = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return [join(home, "dlm"), join(tmpdir(), `dlm-cache-${userInfo().uid}`)]; // a home that cannot be written to is common in containers
}

/** The embedded driver, unpacked if it has to be; a string says why there is none. */
export async function embeddedDriver(): Promise<EmbeddedDriver | string> {
  if (process.platform !== "linux" || process.arch !== "x64") return `the embedded device runs on Linux x64 only, this is ${process.platform} ${process.arch}`;
  const [fs, { join }] = await Promise.all([import("node:fs"), import("node:path")]);
  const folders = await cacheFolders();
  const source = await sourcePackage();
  const described = (folder: string, unpacked: boolean): EmbeddedDriver => ({ folder, manifest: join(folder, manifestName), loader: join(folder, loaderName), unpacked });

  for (const cache of folders) {
    if (!trusted(fs, cache)) continue;
    const names = source ? [source.version] : newestFirst(fs, cache); // without the package any driver that an earlier run left will do
    for (const name of names) if (fs.existsSync(join(cache, name, manifestName))) return described(join(cache, name), false);
  }
  if (!source) return "no driver in the cache folder, and the package `@sparticuz/chromium` that carries one is not installed (npm install --save-dev @sparticuz/chromium)";

  const problems: string[] = [];
  let contents: ReadonlyMap<string, Uint8Array>;
  try {
    contents = await unpackTar(source.archive);
  } catch (error) {
    return `cannot read ${source.archive}: ${messageOf(error)}`;
  }
  for (const cache of folders) {
    const folder = join(cache, source.version);
    const beside = `${folder}.${process.pid}-${Date.now().toString(36)}`;
    try {
      fs.mkdirSync(cache, { recursive: true, mode: 0o700 });
      if (!trusted(fs, cache)) throw new Error("the folder belongs to another user");
      fs.mkdirSync(beside);
      for (const file of files) {
        const bytes = contents.get(file);
        if (!bytes) return `${source.archive} holds no ${file}`;
        fs.writeFileSync(join(beside, file), bytes, { mode: 0o755, flush: true });
      }
      fs.renameSync(beside, folder);
      return described(folder, true);
    } catch (error) {
      remove(fs, beside);
      if (fs.existsSync(join(folder, manifestName))) return described(folder, false); // another process was first
      problems.push(`${cache}: ${messageOf(error)}`);
    }
  }
  return `cannot unpack the driver (${problems.join("; ")}); DLM_CACHE=FOLDER names a folder that can be written to`;
}

/** Code is loaded from the cache: a folder that somebody else could have made is not used. */
function trusted(fs: typeof import("node:fs"), folder: string): boolean {
  try {
    return fs.statSync(folder).uid === process.getuid?.() || fs.statSync(folder).uid === 0;
  } catch {
    return true; // not there yet
  }
}

function remove(fs: typeof import("node:fs"), folder: string): void {
  try {
    fs.rmSync(folder, { recursive: true, force: true });
  } catch {
    return; // what could not be made cannot be removed
  }
}

function newestFirst(fs: typeof import("node:fs"), cache: string): readonly string[] {
  try {
    return fs
      .readdirSync(cache)
      .filter((name) => /^swiftshader-[\d.]+$/.test(name))
      .sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  } catch {
    return [];
  }
}

async function sourcePackage(): Promise<{ readonly archive: string; readonly version: string } | undefined> {
  const [fs, { dirname, join }] = await Promise.all([import("node:fs"), import("node:path")]);
  const entry = await resolvePackage("@sparticuz/chromium");
  if (!entry) return undefined;
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const archive = join(folder, "bin", "swiftshader.tar.br");
    if (!fs.existsSync(archive)) continue;
    const { version } = JSON.parse(fs.readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
    return { archive, version: `swiftshader-${version}` };
  }
  return undefined;
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

/** A brotli-compressed tar archive: 512-byte headers (name at 0, size in octal at 124), contents padded to 512 bytes. */
async function unpackTar(archive: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const [fs, zlib, { basename }] = await Promise.all([import("node:fs"), import("node:zlib"), import("node:path")]);
  const tar = zlib.brotliDecompressSync(fs.readFileSync(archive));
  const text = (from: number, length: number): string => tar.toString("latin1", from, from + length).replace(/\0.*$/s, "");
  const contents = new Map<string, Uint8Array>();
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const length = parseInt(text(at + 124, 12).trim(), 8);
    contents.set(basename(text(at, 100)), tar.subarray(at + 512, at + 512 + length));
    at += 512 + Math.ceil(length / 512) * 512;
  }
  return contents;
}
