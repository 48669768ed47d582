// A file that grows. In: pieces.   Out: all of them in order, or those up to some piece; a write that fails is done again, whole, with the next one.
import * as fs from "node:fs";
import { fileProblem } from "../problem.ts";

export class Log {
  readonly path: string;
  #file: number | undefined;
  length: number; // bytes that are whole pieces
  #pending: Uint8Array[] = [];

  /** `length`: of what is there already, if the file goes on. */
  constructor(path: string, length = 0) {
    this.path = path;
    this.length = length;
  }
  add(piece: string | Uint8Array): void {
    this.#pending.push(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
  }
  /** Throws a UserError where the disk takes no more; what was to be written waits. */
  flush(): void {
    try {
      this.#file ??= fs.openSync(this.path, this.length ? "r+" : "w");
      for (let piece = this.#pending[0]; piece; piece = this.#pending[0]) {
        // over what is left of a piece that could not be written
        for (let at = 0; at < piece.length;)
          at += fs.writeSync(this.#file, piece, at, piece.length - at, this.length + at);
        this.length += piece.length;
        this.#pending.shift();
      }
    } catch (error) {
      throw fileProblem("write", this.path, error);
    }
  }
  /** What was flushed outlives a power cut. */
  sync(): void {
    try {
      if (this.#file !== undefined) fs.fsyncSync(this.#file);
    } catch (error) {
      throw fileProblem("write", this.path, error);
    }
  }
  /** What is there is on the disk. */
  close(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      fs.ftruncateSync(file, this.length);
      fs.fsyncSync(file);
    } catch (error) {
      throw fileProblem("write", this.path, error);
    } finally {
      fs.closeSync(file);
    }
  }
}
