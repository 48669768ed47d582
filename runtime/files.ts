// Files that are whole or not there, also when the process or the machine stops in between. Node's `fs` is given by the caller: pages load this file too.
import { messageOf } from "./problem.ts";

type FileSystem = Pick<
  typeof import("node:fs"),
  | "closeSync"
  | "fchmodSync"
  | "fsyncSync"
  | "linkSync"
  | "mkdirSync"
  | "openSync"
  | "readSync"
  | "readdirSync"
  | "realpathSync"
  | "renameSync"
  | "rmSync"
  | "statSync"
  | "writeFileSync"
>;
const staleMilliseconds = 3600_000; // a temporary file this old belongs to no write that is still going on

/** Bytes of one data file, also after decompression, unless somebody says otherwise. */
export const usualMostBytes = 2 ** 31;
const readAtOnce = 1 << 26; // some systems read no more than 2 GB at a time

/** A file system error in the user's words. */
export function fileReason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  const known: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file",
    EACCES: "permission denied",
    EPERM: "permission denied",
    EISDIR: "it is a folder",
    ENOTREG: "it is a pipe or a device, and a regular file is wanted",
    ENOTDIR: "a part of the path is not a folder",
    EEXIST: "a part of the path is not a folder",
    ENOSPC: "the disk is full",
    EROFS: "the file system is read-only",
    ENAMETOOLONG: "the name is too long",
  };
  return known[code ?? ""] ?? messageOf(error);
}
/**
 * All of a regular file. Throws what the file system throws; `code` is ENOTREG for pipes, devices and sockets, which may never end, and EFBIG for what is
 * longer than `most` bytes.
 */
export function readRegular(fs: FileSystem, path: string, most = usualMostBytes): Uint8Array<ArrayBuffer> {
  const found = fs.statSync(path);
  if (found.isDirectory()) throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
  if (!found.isFile()) throw Object.assign(new Error("it is no regular file"), { code: "ENOTREG" });
  if (found.size > most) throw Object.assign(new Error(tooLong(found.size, most)), { code: "EFBIG" });
  const file = fs.openSync(path, "r");
  try {
    return readToEnd(fs, file, found.size, most);
  } finally {
    fs.closeSync(file);
  }
}
/** `expected`: what the file system says, which is 0 for files that are made when they are read, and old for files that grow. */
function readToEnd(fs: FileSystem, file: number, expected: number, most: number): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(expected);
  let length = 0;
  const more = new Uint8Array(1); // whether there is any, where `bytes` are full
  for (;;) {
    const isFull = length === bytes.length;
    const into = isFull ? more : bytes;
    const n = fs.readSync(
      file,
      into,
      isFull ? 0 : length,
      Math.min(readAtOnce, isFull ? 1 : bytes.length - length),
      length,
    );
    if (!n) return isFull ? bytes : bytes.slice(0, length);
    if (length + n > most) throw Object.assign(new Error(tooLong(length + n, most)), { code: "EFBIG" });
    if (isFull) {
      const longer = new Uint8Array(Math.max(4096, 2 * length));
      longer.set(bytes);
      longer.set(more, length);
      bytes = longer;
    }
    length += n;
  }
}
export const tooLong = (bytes: number, most: number): string =>
  `it has ${bytes.toLocaleString("en")} bytes, and the limit is ${most.toLocaleString("en")}`;

const folderOf = (path: string): string => path.replace(/[^/\\]*$/, "") || ".";
const nameOf = (path: string): string => path.replace(/^.*[/\\]/, "");
/** A name beside the file that no other process has, in a container neither. */
function temporaryBeside(path: string): string {
  const random = [...crypto.getRandomValues(new Uint8Array(8))].map((b) => b.toString(16).padStart(2, "0")).join("");
  return `${path.slice(0, path.length - nameOf(path).length)}.${nameOf(path)}.${random}.tmp`;
}

/**
 * The whole file or nothing: written beside its place, flushed to the disk, renamed. Missing folders are made, links and permissions stay as they are,
 * and what writes of this file left behind when they were killed is removed. The file that was there becomes FILE.1, FILE.1 becomes FILE.2, up to
 * `keep` files in all. Throws what the file system throws.
 */
export function writeWhole(fs: FileSystem, path: string, content: string | Uint8Array, keep = 1): void {
  const target = placeFor(fs, path);
  sweep(fs, target);
  const beside = temporaryBeside(target);
  try {
    const file = fs.openSync(beside, "wx");
    try {
      const before = fs.statSync(target, { throwIfNoEntry: false });
      if (before) fs.fchmodSync(file, before.mode);
      fs.writeFileSync(file, content);
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
    rotate(fs, target, keep);
    fs.renameSync(beside, target);
  } catch (error) {
    fs.rmSync(beside, { force: true });
    throw error;
  }
  flushFolder(fs, folderOf(target));
}
/** Can a file be put here? Throws what the file system throws. */
export function tryToWrite(fs: FileSystem, path: string): void {
  const beside = temporaryBeside(placeFor(fs, path));
  fs.closeSync(fs.openSync(beside, "wx"));
  fs.rmSync(beside, { force: true });
}
/** FILE and its elders, the newest first; those that are there. */
export function generations(fs: FileSystem, path: string): string[] {
  const name = nameOf(path);
  const isElder = (other: string): boolean =>
    other.startsWith(`${name}.`) && /^[1-9]\d*$/.test(other.slice(name.length + 1));
  let names: string[] = [];
  try {
    names = fs.readdirSync(folderOf(path));
  } catch {
    return []; // no such folder: the caller's own reading says so
  }
  const ageOf = (other: string): number => Number(other.slice(name.length + 1));
  const elders = names.filter(isElder).sort((a, b) => ageOf(a) - ageOf(b));
  const folder = path.slice(0, path.length - name.length);
  return [...(names.includes(name) ? [path] : []), ...elders.map((other) => folder + other)];
}

/** Where the file itself lies, with its folders made. */
function placeFor(fs: FileSystem, path: string): string {
  fs.mkdirSync(folderOf(path), { recursive: true });
  let target = path;
  try {
    target = fs.realpathSync(path);
  } catch {
    // not there yet
  }
  if (fs.statSync(target, { throwIfNoEntry: false })?.isDirectory())
    throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
  return target;
}
/** FILE itself stays until the new one takes its name, where the file system has links. */
function rotate(fs: FileSystem, target: string, keep: number): void {
  const place = (age: number): string => (age ? `${target}.${age}` : target);
  const isThere = (age: number): boolean => fs.statSync(place(age), { throwIfNoEntry: false }) !== undefined;
  if (keep < 2 || !isThere(0)) return;
  let free = 1; // a gap, or the eldest that goes
  while (free < keep - 1 && isThere(free)) free++;
  for (let age = free - 1; age >= 1; age--) fs.renameSync(place(age), place(age + 1));
  try {
    fs.rmSync(place(1), { force: true });
    fs.linkSync(target, place(1));
  } catch {
    fs.renameSync(target, place(1));
  }
}
function sweep(fs: FileSystem, target: string): void {
  const folder = folderOf(target);
  const [head, tail] = [`.${nameOf(target)}.`, ".tmp"];
  for (const name of fs.readdirSync(folder)) {
    if (!name.startsWith(head) || !name.endsWith(tail)) continue;
    const path = folder === "." ? name : folder + name;
    const found = fs.statSync(path, { throwIfNoEntry: false });
    if (found?.isFile() && Date.now() - found.mtimeMs > staleMilliseconds) fs.rmSync(path, { force: true });
  }
}
/** A rename is on the disk when its folder is; file systems that cannot flush folders do without. */
function flushFolder(fs: FileSystem, folder: string): void {
  try {
    const handle = fs.openSync(folder, "r");
    try {
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
  } catch {
    // Windows, and some file systems over a network
  }
}
