// Fills the cache of the embedded device: SwiftShader, unpacked once from the npm package `@sparticuz/chromium`, an optional dependency that
// `dlm doctor --install` fetches where it was left out.
// In: the file system and, for `installDriver` alone, npm.   Out: the folder of a complete driver, or in words why there is none.
// A folder of the cache is filled beside its final place and renamed: concurrent starts are safe, and what has its final name is complete.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import {
  cachedDriver,
  cacheFolder,
  driverIn,
  hashesFile,
  resolvePackage,
  whyNot,
  type EmbeddedDriver,
} from "../../runtime/embedded.ts";
import { messageOf } from "../../runtime/problem.ts";
import { attempt, fileReason, makeFolders, sweep, temporaryBeside } from "../../runtime/files.ts";

/** The package that carries the driver, as package.json names it, and the SHA-512 of what npm packs of it. */
export const carrier = {
  name: "@sparticuz/chromium",
  version: "143.0.4",
  integrity: "sha512-/6I7uQTRhRDD2/gGPQ1Gkf+Dqk0RYDACPJDZfSzz0OWk4JmUTonNHPXbrn6UIklOHlnDLf8xAAzkOZKB/cJpLA==",
  bytes: 67e6, // to fetch; the driver is 4 MB of it
} as const;
const folderName = (version: string): string => `swiftshader-${version}`;
/** Of the archive `swiftshader.tar.br`: Vulkan alone. */
const isDriver = (name: string): boolean => !/GL/.test(name);

/** The embedded driver, unpacked if it has to be; a string says why there is none. */
export async function embeddedDriver(): Promise<EmbeddedDriver | string> {
  let source: ChromiumPackage | undefined;
  try {
    source = await chromiumPackage();
  } catch (error) {
    return `the package that carries one cannot be read: ${fileReason(error)}`;
  }
  const cached = await cachedDriver(source && folderName(source.version));
  if (typeof cached === "object" || process.platform !== "linux" || process.arch !== "x64") return cached;
  if (!source)
    return `none is in the cache folder that can be trusted, and the package ${carrier.name} that carries one is not installed; \`npx dlm doctor --install\` fetches it`;
  try {
    return driverIn(
      await cachedFolder(folderName(source.version), (folder) =>
        unpack(source.archive("swiftshader.tar.br"), folder, isDriver),
      ),
    );
  } catch (error) {
    return `cannot unpack the driver: ${messageOf(error)}`;
  }
}

/** The same where the package is not installed: npm fetches it into a folder that goes again, and the driver is kept in the cache. */
export async function installDriver(): Promise<EmbeddedDriver | string> {
  const found = await embeddedDriver();
  if (typeof found === "object" || process.platform !== "linux" || process.arch !== "x64") return found;
  const folder = fs.mkdtempSync(join(tmpdir(), "dlm-install-"));
  try {
    const problem = await npm(["pack", `${carrier.name}@${carrier.version}`, "--silent", "--pack-destination", folder]);
    const [file] = fs.readdirSync(folder);
    if (problem !== undefined || file === undefined)
      return `npm cannot fetch ${carrier.name}: ${problem || "it gave no file"}`;
    const packed = fs.readFileSync(join(folder, file));
    if (`sha512-${createHash("sha512").update(packed).digest("base64")}` !== carrier.integrity)
      return `what npm fetched as ${carrier.name} ${carrier.version} is not the package that dlm knows`;
    const archive = join(folder, "swiftshader.tar.br");
    for (const { path, bytes } of entries(gunzipSync(packed)))
      if (path === "package/bin/swiftshader.tar.br") fs.writeFileSync(archive, bytes);
    return driverIn(await cachedFolder(folderName(carrier.version), (place) => unpack(archive, place, isDriver)));
  } catch (error) {
    return `cannot install the driver: ${messageOf(error)}`;
  } finally {
    attempt(() => fs.rmSync(folder, { recursive: true, force: true }));
  }
}
/** What npm says where it fails; with the registry, proxies and accounts of this user. */
function npm(args: readonly string[]): Promise<string | undefined> {
  const own = process.env["npm_execpath"]; // where npm or npx started this
  const [program, before] = own?.endsWith("js") ? [process.execPath, [own]] : ["npm", []];
  return new Promise((resolve) => {
    const child = spawn(program, [...before, ...args], { stdio: ["ignore", "ignore", "pipe"] });
    let text = "";
    child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
    child.on("error", (error) => resolve(messageOf(error)));
    child.on("close", (status) => resolve(status === 0 ? undefined : text.trim() || `it ended with status ${status}`));
  });
}

export interface ChromiumPackage {
  readonly version: string;
  readonly archive: (name: string) => string;
}
/** The installed package that carries SwiftShader. */
export async function chromiumPackage(): Promise<ChromiumPackage | undefined> {
  const entry = await resolvePackage(carrier.name);
  if (!entry) return undefined;
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    if (!fs.existsSync(join(folder, "bin", "swiftshader.tar.br"))) continue;
    const { version } = JSON.parse(fs.readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
    return { version, archive: (name) => join(folder, "bin", name) };
  }
  return undefined;
}

/**
 * A folder of the cache by name, filled if it is not there or cannot be trusted. Where the user's cache cannot be written to, as in some containers, or lies below
 * folders of others, it is a new folder that goes when the process ends.
 */
export async function cachedFolder(name: string, fill: (folder: string) => void): Promise<string> {
  const folder = join(await cacheFolder(), name);
  let reason = await whyNot(folder);
  if (reason === undefined) return folder;
  try {
    await refill(folder, fill);
    reason = await whyNot(folder);
  } catch (error) {
    reason = (await whyNot(folder)) && `${dirname(folder)}: ${fileReason(error)}`; // another process may have been first
  }
  if (reason === undefined) return folder;
  if (process.env["DLM_CACHE"])
    throw new Error(`${reason}; DLM_CACHE=FOLDER names a folder that you and nobody else can write to`);
  return passingFolder(name, fill);
}
/** Fills a folder beside it, which then takes its name. */
async function refill(folder: string, fill: (folder: string) => void): Promise<void> {
  makeFolders(fs, dirname(folder), 0o700);
  sweep(fs, folder);
  const [beside, old] = [temporaryBeside(folder), temporaryBeside(folder)];
  try {
    fs.mkdirSync(beside, 0o700);
    fillWhole(beside, fill);
    // another process may have mended it meanwhile, and be using it
    if ((await whyNot(folder)) === undefined) return;
    if (fs.lstatSync(folder, { throwIfNoEntry: false })) fs.renameSync(folder, old);
    fs.renameSync(beside, folder);
  } finally {
    for (const left of [beside, old]) attempt(() => fs.rmSync(left, { recursive: true, force: true }));
  }
}
function fillWhole(folder: string, fill: (folder: string) => void): void {
  fill(folder);
  const names = fs.readdirSync(folder, { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => fs.statSync(join(folder, name)).isFile());
  const hashOf = (name: string): string =>
    createHash("sha256")
      .update(fs.readFileSync(join(folder, name)))
      .digest("hex");
  const hashes = files.map((name) => [name, hashOf(name)] as const);
  fs.writeFileSync(join(folder, hashesFile), JSON.stringify(Object.fromEntries(hashes)), { flush: true });
}
function passingFolder(name: string, fill: (folder: string) => void): string {
  const folder = fs.mkdtempSync(join(tmpdir(), `dlm-${name}-`)); // for this user alone
  fillWhole(folder, fill);
  process.once("exit", () => attempt(() => fs.rmSync(folder, { recursive: true, force: true })));
  return folder;
}

/** Unpacks a brotli-compressed file, or what is wanted of a brotli-compressed tar archive, into a folder. */
export function unpack(archive: string, folder: string, wanted: (name: string) => boolean = () => true): void {
  const bytes = brotliDecompressSync(fs.readFileSync(archive));
  const name = /([^/\\]+?)(\.tar)?\.br$/.exec(archive);
  if (!name?.[2]) return fs.writeFileSync(join(folder, name?.[1] ?? "file"), bytes, { mode: 0o755, flush: true });
  for (const { path, bytes: content } of entries(bytes)) {
    if (!wanted(path)) continue;
    makeFolders(fs, dirname(join(folder, path)));
    fs.writeFileSync(join(folder, path), content, { mode: 0o755, flush: true });
  }
}
/** The files of a tar archive: 512-byte headers (name at 0, size in octal at 124, kind at 156), contents padded to 512 bytes. */
function* entries(bytes: Buffer): Generator<{ readonly path: string; readonly bytes: Buffer }> {
  const text = (from: number, length: number): string =>
    bytes.toString("latin1", from, from + length).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0;) {
    const length = parseInt(text(at + 124, 12).trim(), 8);
    const [path, kind] = [text(at, 100), text(at + 156, 1)];
    if (kind === "0" || kind === "") yield { path, bytes: bytes.subarray(at + 512, at + 512 + length) };
    at += 512 + Math.ceil(length / 512) * 512;
  }
}
