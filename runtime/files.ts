// Files that are whole or not there, also when the process or the machine stops in between. Node's `fs` is given by the caller: pages load this file too.
import { messageOf, tooLong, usualMostBytes } from "./problem.ts";

export { tooLong, usualMostBytes };

type FileSystem = Pick<
  typeof import("node:fs"),
  | "closeSync"
  | "constants"
  | "fchmodSync"
  | "fstatSync"
  | "fsyncSync"
  | "linkSync"
  | "lstatSync"
  | "mkdirSync"
  | "openSync"
  | "readSync"
  | "readdirSync"
  | "readlinkSync"
  | "renameSync"
  | "rmSync"
  | "statSync"
  | "writeSync"
>;
const staleMilliseconds = 3600_000; // a temporary file this old belongs to no write that is still going on
const mostLinks = 40; // as Linux follows
const atOnce = 1 << 26; // some systems read and write no more than 2 GB at a time

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
    EDQUOT: "the disk is full up to this user's quota",
    EROFS: "the file system is read-only",
    EIO: "the disk reports an error",
    EAGAIN: "there is nothing to be read now",
    EMFILE: "too many files are open",
    ENFILE: "too many files are open",
    ELOOP: "its links lead in a circle",
    ENAMETOOLONG: "the name is too long",
    EXDEV: "a part of the path lies on another file system",
  };
  return known[code ?? ""] ?? messageOf(error);
}
const problem = (code: string, text: string): Error => Object.assign(new Error(text), { code });

/**
 * All of a regular file. Throws what the file system throws; `code` is ENOTREG for pipes, devices and sockets, which may never end, and EFBIG for what is
 * longer than `most` bytes. A file that changes meanwhile is refused: nobody wrote what would have been read of it.
 */
export function readRegular(fs: FileSystem, path: string, most = usualMostBytes): Uint8Array<ArrayBuffer> {
  refuseIrregular(fs.statSync(path)); // opening some devices does something
  const file = fs.openSync(path, fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0)); // what has become a pipe waits for nobody
  try {
    const found = fs.fstatSync(file);
    refuseIrregular(found);
    if (found.size > most) throw problem("EFBIG", tooLong(found.size, most));
    const bytes = readToEnd(fs, file, found.size, most);
    const { size, mtimeMs } = fs.fstatSync(file);
    if (size !== found.size || mtimeMs !== found.mtimeMs) throw changed();
    return bytes;
  } finally {
    fs.closeSync(file);
  }
}
const changed = (): Error => problem("ECHANGED", "it was changed while it was read");
function refuseIrregular(found: import("node:fs").Stats): void {
  if (found.isDirectory()) throw problem("EISDIR", "it is a folder");
  if (!found.isFile()) throw problem("ENOTREG", "it is no regular file");
}
/** `expected`: what the file system says, which is 0 for files that are made when they are read. */
function readToEnd(fs: FileSystem, file: number, expected: number, most: number): Uint8Array<ArrayBuffer> {
  let bytes = allocate(expected);
  let length = 0;
  const more = new Uint8Array(1); // whether there is any, where `bytes` are full
  for (;;) {
    const isFull = length === bytes.length;
    const into = isFull ? more : bytes;
    const n = fs.readSync(
      file,
      into,
      isFull ? 0 : length,
      Math.min(atOnce, isFull ? 1 : bytes.length - length),
      length,
    );
    if (!n) return isFull ? bytes : bytes.slice(0, length);
    if (length + n > most) throw problem("EFBIG", tooLong(length + n, most));
    if (isFull && expected) throw changed();
    if (isFull) {
      const longer = allocate(Math.max(4096, 2 * length));
      longer.set(bytes);
      longer.set(more, length);
      bytes = longer;
    }
    length += n;
  }
}
function allocate(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch {
    throw problem("ENOMEM", `there is no memory for its ${bytes.toLocaleString("en")} bytes`);
  }
}

// elsewhere than on Windows, a name may have \ in it
const isWindows = (): boolean => process.platform === "win32";
const nameOf = (path: string): string => path.replace(isWindows() ? /^.*[/\\]/s : /^.*\//s, "");
const folderOf = (path: string): string => path.slice(0, path.length - nameOf(path).length) || ".";
/** What temporary names beside the file begin with: not all of a long name, so that theirs are no longer than a name may be. */
const temporaryHead = (path: string): string => `.${[...nameOf(path)].slice(0, 48).join("")}.`;
/** A name beside the file (or folder) that no other process has, in a container neither. */
export function temporaryBeside(path: string): string {
  const random = [...crypto.getRandomValues(new Uint8Array(8))].map((b) => b.toString(16).padStart(2, "0")).join("");
  return `${path.slice(0, path.length - nameOf(path).length)}${temporaryHead(path)}${random}.tmp`;
}
/** What must not keep anything else from being done. */
export function attempt(run: () => void): void {
  try {
    run();
  } catch {
    // it stays as it is
  }
}

/**
 * The whole file or nothing: written beside its place, flushed to the disk, renamed. Missing folders are made, links and permissions stay as they are,
 * and what writes of this file left behind when they were killed is removed. The file that was there becomes FILE.1, FILE.1 becomes FILE.2, up to
 * `keep` files in all. Pipes and devices are not replaced. Throws what the file system throws. `beside` is called with the temporary file once it is on
 * the disk and nobody else knows it.
 */
export function writeWhole(
  fs: FileSystem,
  path: string,
  content: string | Uint8Array,
  keep = 1,
  beside?: (temporary: string) => void,
): void {
  replaceWhole(fs, path, keep, (temporary, mode) => {
    writeFlushed(fs, temporary, content, mode);
    beside?.(temporary);
  });
}
/** The same with a second name of a file that is on the disk already. */
export function linkWhole(fs: FileSystem, path: string, from: string, keep = 1): void {
  replaceWhole(fs, path, keep, (temporary) => fs.linkSync(from, temporary));
}
function replaceWhole(
  fs: FileSystem,
  path: string,
  keep: number,
  make: (temporary: string, mode: number | undefined) => void,
): void {
  const target = placeFor(fs, path);
  sweep(fs, target);
  const beside = temporaryBeside(target);
  try {
    make(beside, fs.statSync(target, { throwIfNoEntry: false })?.mode);
    const undo = rotate(fs, target, keep);
    try {
      fs.renameSync(beside, target);
    } catch (error) {
      attempt(undo);
      throw error;
    }
  } catch (error) {
    attempt(() => fs.rmSync(beside, { force: true }));
    throw error;
  }
  flushFolder(fs, folderOf(target));
}
/** A new file, which is on the disk afterwards. `mode`: of the file that it is to replace. */
export function writeFlushed(fs: FileSystem, path: string, content: string | Uint8Array, mode?: number): void {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const file = fs.openSync(path, "wx", mode === undefined ? 0o666 : mode & 0o777);
  try {
    if (mode !== undefined) attempt(() => fs.fchmodSync(file, mode)); // some file systems have one mode for all
    for (let at = 0; at < bytes.length;) at += fs.writeSync(file, bytes, at, Math.min(atOnce, bytes.length - at));
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}
/** Can a file be put here? Throws what the file system throws. */
export function tryToWrite(fs: FileSystem, path: string): void {
  const beside = temporaryBeside(placeFor(fs, path));
  fs.closeSync(fs.openSync(beside, "wx"));
  attempt(() => fs.rmSync(beside, { force: true }));
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

/**
 * The folder and those above it, made where they are missing. Gives those that were made. Node's own way never returns where a folder refuses new ones
 * as if it were not there, as /proc does.
 */
export function makeFolders(fs: FileSystem, folder: string, mode?: number): string[] {
  const found = fs.statSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory()) return [];
  if (found) throw problem("ENOTDIR", `${folder} is not a folder`);
  const above = folderOf(folder.replace(isWindows() ? /[/\\]+$/ : /\/+$/, ""));
  if (above === folder) throw problem("ENOENT", `${folder} is not there`);
  const made = makeFolders(fs, above, mode);
  try {
    fs.mkdirSync(folder, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw problem("ENOFOLDER", `no folder can be made in ${above}`);
    if (code === "EEXIST" && fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return made; // another process was first
    throw error;
  }
  flushFolder(fs, above);
  return [...made, folder];
}
/** Where the file itself lies, with its folder made: at the end of links, also where there is nothing yet. */
function placeFor(fs: FileSystem, path: string): string {
  makeFolders(fs, folderOf(path));
  let target = path;
  for (let links = 0; fs.lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink(); links++) {
    if (links === mostLinks) throw problem("ELOOP", "links lead in a circle");
    const to = fs.readlinkSync(target);
    target = (isWindows() ? /^([/\\]|[A-Za-z]:)/ : /^\//).test(to)
      ? to
      : target.slice(0, target.length - nameOf(target).length) + to;
  }
  const found = fs.statSync(target, { throwIfNoEntry: false });
  if (found) refuseIrregular(found);
  else if (target !== path && !fs.statSync(folderOf(target), { throwIfNoEntry: false }))
    throw problem("ENOFOLDER", `it is a link to ${target}, whose folder is not there`);
  return target;
}
/**
 * FILE itself stays until the new one takes its name, where the file system has links. What cannot be kept does not stop the new one. Gives what undoes the
 * change of FILE.
 */
function rotate(fs: FileSystem, target: string, keep: number): () => void {
  const place = (age: number): string => (age ? `${target}.${age}` : target);
  const isThere = (age: number): boolean => fs.statSync(place(age), { throwIfNoEntry: false }) !== undefined;
  let undo = (): void => {};
  if (keep < 2 || !isThere(0)) return undo;
  attempt(() => {
    let free = 1; // a gap, or the eldest that goes
    while (free < keep - 1 && isThere(free)) free++;
    for (let age = free - 1; age >= 1; age--) fs.renameSync(place(age), place(age + 1));
    fs.rmSync(place(1), { force: true });
    try {
      fs.linkSync(target, place(1));
    } catch {
      fs.renameSync(target, place(1));
      undo = () => fs.renameSync(place(1), target);
    }
  });
  return undo;
}
/** Removes what writes to this place left behind when they were killed. */
export function sweep(fs: FileSystem, target: string): void {
  const folder = folderOf(target);
  const head = temporaryHead(target);
  attempt(() => {
    for (const name of fs.readdirSync(folder)) {
      if (!name.startsWith(head) || !/^[0-9a-f]+\.tmp$/.test(name.slice(head.length))) continue;
      const path = folder === "." ? name : folder + name;
      const found = fs.lstatSync(path, { throwIfNoEntry: false });
      if (found && Date.now() - found.mtimeMs > staleMilliseconds) fs.rmSync(path, { force: true, recursive: true });
    }
  });
}
/** A rename is on the disk when its folder is; file systems that cannot flush folders do without. */
export function flushFolder(fs: FileSystem, folder: string): void {
  try {
    const handle = fs.openSync(folder, "r");
    try {
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
  } catch (error) {
    // Windows, some file systems over a network, and folders that may be written and not read
    if (["EIO", "ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}
