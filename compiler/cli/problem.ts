// Problems of the user's making outside of source text: files, flags, devices. Printed without a stack trace; exit status 1.
export class UserError extends Error {
  override readonly name = "UserError";
}
/** A file system error in the user's words. */
export function fileProblem(action: string, path: string, error: unknown): UserError {
  const code = (error as NodeJS.ErrnoException).code;
  const reason =
    { ENOENT: "there is no such file", EACCES: "permission denied", EISDIR: "it is a folder", ENOTDIR: "a part of the path is not a folder", ENOSPC: "the disk is full", EROFS: "the file system is read-only" }[code ?? ""] ??
    (error instanceof Error ? error.message : String(error));
  return new UserError(`dlm: cannot ${action} ${path}: ${reason}`);
}
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
