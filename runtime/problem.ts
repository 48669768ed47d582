// Problems in words for whom they concern, and how lists of names are told.
/** What is wrong with a plan, its data, a checkpoint or the device, in words for whom it concerns. Everything else that the runtime throws is a fault of its own. */
export class RuntimeProblem extends Error {
  override readonly name = "RuntimeProblem";
  /** What the model was on is gone: the device, or its memory. Loaded anew, it can go on from a checkpoint. */
  readonly reason: "lost" | "memory" | undefined;
  constructor(message: string, reason?: "lost" | "memory") {
    super(message);
    this.reason = reason;
  }
}
/** The message of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
/** Bytes of one data file, also after decompression, unless somebody says otherwise. */
export const usualMostBytes = 2 ** 31;
export const tooLong = (bytes: number, most: number): string =>
  `it has ${bytes.toLocaleString("en")} bytes, and the limit is ${most.toLocaleString("en")}`;
/** Some of many names. */
export const listed = (names: readonly string[]): string =>
  names.slice(0, 8).join(", ") + (names.length > 8 ? `, ... (${names.length})` : "");
