// Files as the command line reads and writes them. A file is written beside its place and renamed: an interrupted write destroys nothing.
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { fileProblem, UserError } from "./problem.ts";

export function readText(path: string, action = "read"): string {
  return readBytes(path, action).toString("utf8");
}
export function readBytes(path: string, action = "read"): Buffer<ArrayBuffer> {
  try {
    return readFileSync(path);
  } catch (error) {
    throw fileProblem(action, path, error);
  }
}

/** The whole file or nothing; missing folders are made, and a link keeps pointing where it points. */
export function writeWhole(path: string, content: string | Uint8Array): void {
  let beside: string | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const target = resolved(path);
    if (statSync(target, { throwIfNoEntry: false })?.isDirectory())
      throw Object.assign(new Error(), { code: "EISDIR" });
    beside = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
    writeFileSync(beside, content, { flag: "wx" });
    renameSync(beside, target);
  } catch (error) {
    if (beside !== undefined) rmSync(beside, { force: true });
    throw fileProblem("write", path, error);
  }
}
/** Can a file be put here? Asked before an hour of training and not after it. */
export function checkWritable(path: string): void {
  const beside = `${path}.${process.pid}.tmp`;
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(beside, "", { flag: "wx" });
    rmSync(beside);
  } catch (error) {
    throw fileProblem("write", path, error);
  }
}
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** What the runtime says of a file, with its name. */
export async function ofFile<T>(path: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof RuntimeProblem ? new UserError(`${path}: ${error.message}`) : error;
  }
}
