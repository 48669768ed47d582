// A file system that fails where a test says. In: Node's own, and what is to happen before each operation.   Out: the like of it, all operations counted.
import type * as node from "node:fs";

export type FileSystem = typeof node;
export interface Operation {
  readonly name: string; // "renameSync"
  readonly on: string; // the path, of open files the one that they were opened by
  readonly to: string; // the second path of renameSync and linkSync; else ""
}
/** An error's code: the operation fails. half: as many bytes are read or written as fit. dead: half of a write is done, and nothing from here on. */
export type Fault = string | undefined;
export const dead = "dead";
export const half = "half";

/** What fails with words of its own, whatever the operation is. */
export const codes = ["EIO", "ENOSPC", "EACCES", "EROFS", "EDQUOT", "EMFILE"];

type Call = (...args: unknown[]) => unknown;
/** Names of synchronous operations, by which the code that is tested works. */
const counted = (fs: FileSystem): string[] => Object.keys(fs).filter((name) => /Sync$/.test(name));

export function failing(fs: FileSystem, before: (operation: Operation, n: number) => Fault): FileSystem {
  const copy: Record<string, unknown> = { ...fs };
  wrap(fs, before, (name, call) => (copy[name] = call));
  return copy as unknown as FileSystem; // the same functions, wrapped
}
/** Every operation by its name, so that it asks first. What an operation does by others is no operation. */
export function wrap(
  fs: FileSystem,
  before: (operation: Operation, n: number) => Fault,
  put: (name: string, call: Call) => void,
): void {
  const opened = new Map<number, string>();
  const own = { ...fs } as unknown as Record<string, Call>;
  let n = 0;
  let within = false;
  let isDead = false;
  const failed = (code: string, { name, on }: Operation): Error =>
    Object.assign(new Error(`${code}: as the test wants it, ${name.replace("Sync", "")} '${on}'`), { code });
  const run = (name: string, args: unknown[]): unknown => {
    const [on, to] = args;
    const operation = {
      name,
      on: typeof on === "number" ? (opened.get(on) ?? `file ${on}`) : String(on),
      to: /^(rename|link|symlink|copyFile)/.test(name) ? String(to) : "",
    };
    const fault = isDead ? "EIO" : before(operation, n++);
    const isPiece = /^(read|write)Sync$/.test(name);
    if (fault === dead) {
      isDead = true;
      if (name === "writeSync") own[name]!(...shortened(args));
    }
    // a file whose closing fails is closed
    if (name === "closeSync") own[name]!(...args);
    if (fault !== undefined && fault !== half) {
      if (name === "existsSync") return false;
      throw failed(fault === dead ? "EIO" : fault, operation);
    }
    if (name === "closeSync") return undefined;
    const result = own[name]!(...(fault === half && isPiece ? shortened(args) : args));
    if (name === "openSync") opened.set(result as number, String(on));
    return result;
  };
  for (const name of counted(fs))
    put(name, (...args) => {
      if (within) return own[name]!(...args);
      within = true;
      try {
        return run(name, args);
      } finally {
        within = false;
      }
    });
}
/** `readSync(file, bytes, offset, length, ...)` of half the length, and of one byte at least. */
function shortened([file, bytes, offset, length, ...rest]: unknown[]): unknown[] {
  if (!(bytes instanceof Uint8Array)) return [file, bytes, offset, length, ...rest];
  const start = typeof offset === "number" ? offset : 0;
  const whole = typeof length === "number" ? length : bytes.length - start;
  return [file, bytes, start, Math.min(whole, Math.max(1, whole >> 1)), ...rest];
}
