// Files as the command line reads and writes them. A file is written beside its place and renamed: an interrupted write destroys nothing.
import * as fs from "node:fs";
import * as files from "../../runtime/files.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { fileProblem, UserError } from "./problem.ts";

export function readText(path: string, action = "read"): string {
  return textOf(readBytes(path, action, mostTextBytes));
}
export const mostTextBytes = 1 << 28; // of source text
export const textOf = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
/** A checkpoint or weights: as long as dlm wrote it. */
export const readKept = (path: string, action = "read"): Uint8Array<ArrayBuffer> => readBytes(path, action, Infinity);
/** The same for `restoreNewest`: throws a RuntimeProblem. */
export function readGeneration(path: string): Uint8Array<ArrayBuffer> {
  try {
    return readKept(path);
  } catch (error) {
    throw error instanceof UserError ? new RuntimeProblem(error.message) : error;
  }
}
export function readBytes(path: string, action = "read", most?: number): Uint8Array<ArrayBuffer> {
  try {
    return files.readRegular(fs, path, most);
  } catch (error) {
    throw fileProblem(action, path, error);
  }
}

/**
 * The whole file or nothing; missing folders are made, and a link keeps pointing where it points. The file that was there is kept as FILE.1, and so on,
 * up to `keep` files in all. `beside`: told the temporary file once it is whole.
 */
export function writeWhole(
  path: string,
  content: string | Uint8Array,
  keep = 1,
  beside?: (temporary: string) => void,
): void {
  try {
    files.writeWhole(fs, path, content, keep, beside);
  } catch (error) {
    throw fileProblem("write", path, error);
  }
}
/** What is there has a second name from now on: it stays when another file takes its place. */
export function setAside(path: string): void {
  const aside = asideOf(path);
  const beside = files.temporaryBeside(aside);
  try {
    fs.linkSync(fs.realpathSync(path), beside);
    fs.renameSync(beside, aside);
  } catch {
    writeWhole(aside, readKept(path)); // a file system without links, or another one
  } finally {
    files.attempt(() => fs.rmSync(beside, { force: true }));
  }
}
export const asideOf = (path: string): string => `${path}.before`;
/** It has a second name: that of a record of its run, say. */
export const isKept = (path: string): boolean => (fs.statSync(path, { throwIfNoEntry: false })?.nlink ?? 1) > 1;
export const isThere = (path: string): boolean => fs.existsSync(path);

/** Can a file be put here? Asked before an hour of training and not after it. */
export function checkWritable(path: string): void {
  try {
    files.tryToWrite(fs, path);
  } catch (error) {
    throw fileProblem("write", path, error);
  }
}
/** FILE, FILE.1, FILE.2: those that are there, the newest first. */
export const generations = (path: string): readonly string[] => files.generations(fs, path);

/** What the runtime says of a file, with its name. */
export async function ofFile<T>(path: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof RuntimeProblem ? new UserError(`${path}: ${error.message}`) : error;
  }
}
