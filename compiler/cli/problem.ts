// Problems of the user's making outside of source text: files, flags, devices. Printed as `dlm: message`, without a stack trace; exit status 1.
import { fileReason } from "../../runtime/files.ts";

export class UserError extends Error {
  override readonly name: string = "UserError";
}
/** The command line itself is at fault; exit status 2. */
export class UsageError extends UserError {
  override readonly name = "UsageError";
}
export const fileProblem = (action: string, path: string, error: unknown): UserError =>
  new UserError(`cannot ${action} ${path}: ${fileReason(error)}`);
/** What was wrong has been printed already. */
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
