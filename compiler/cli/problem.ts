// Problems of the user's making outside of source text: files, flags, devices. Printed as `dlm: message`, without a stack trace; exit status 1.
import { messageOf } from "../../runtime/problem.ts";

export class UserError extends Error {
  override readonly name = "UserError";
}
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
