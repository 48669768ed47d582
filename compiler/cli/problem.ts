// Problems of the user's making outside of source text: files, flags, devices. Printed as `dlm: message`, without a stack trace.
import { fileReason } from "../../runtime/files.ts";

/** What the process ends with; docs/command-line.md has the table. */
export const statuses = { done: 0, fault: 1, usage: 2, internal: 70 } as const;

/** The data, a file or the device is at fault. */
export class UserError extends Error {
  override readonly name: string = "UserError";
}
/** The command line itself: a name that is nowhere, a value that is none. */
export class UsageError extends UserError {
  override readonly name = "UsageError";
}
export const fileProblem = (action: string, path: string, error: unknown): UserError =>
  new UserError(`cannot ${action} ${path}: ${fileReason(error)}`);
/** What was wrong has been printed already; the message is a summary, for those who read events. */
export class Reported extends Error {
  override readonly name = "Reported";
}
/** A signal ended the command after it had put its things in order. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly status: number;
  constructor(status: number) {
    super("interrupted");
    this.status = status;
  }
}
