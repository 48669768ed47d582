// Problems in words for whom they concern, and how lists of names are told.
/** What is wrong with a plan, its data, a checkpoint or the device, in words for whom it concerns. Everything else that the runtime throws is a fault of its own. */
export class RuntimeProblem extends Error {
  override readonly name = "RuntimeProblem";
}
/** The message of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
/** Some of many names. */
export const listed = (names: readonly string[]): string =>
  names.slice(0, 8).join(", ") + (names.length > 8 ? `, ... (${names.length})` : "");
