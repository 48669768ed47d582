// What native libraries write to standard error by themselves (Dawn's warnings about limits that nobody asked for), kept from whoever runs a model.
// In: what is to be done meanwhile.   Out: its result.
// Node cannot duplicate a file descriptor; Linux opens what one stands for once more, by its name in /proc: terminals, pipes, and files that are appended
// to. Elsewhere nothing is changed: a socket (a program of Node's above this one) cannot be opened, and in a file that others write to as well, `> log 2>&1`,
// a second place to write at would overwrite theirs.
// For programs that are dlm's own: between closing and opening the descriptor, a thread that opens a file would take its place.
// No `node:` module is imported: this file is part of trainers that bundlers read.
const standardError = 2;

export async function withoutChatter<T>(run: () => Promise<T>): Promise<T> {
  const { isMainThread } = process.getBuiltinModule("node:worker_threads");
  if (process.platform !== "linux" || !isMainThread) return run();
  const fs = process.getBuiltinModule("node:fs");
  const opened = openAgain(fs);
  if (!opened) return run();
  const { kept, flags } = opened;
  /** The lowest descriptor that is free is taken. */
  const put = (path: string): void => {
    fs.closeSync(standardError);
    fs.openSync(path, flags);
  };
  put("/dev/null");
  try {
    return await run();
  } finally {
    try {
      put(`/proc/self/fd/${kept}`);
    } catch {
      fs.openSync("/dev/null", flags); // nobody reads it any more
    }
    fs.closeSync(kept);
  }
}
/** Another descriptor of what standard error is, where that does no harm. */
function openAgain(fs: typeof import("node:fs")): { readonly kept: number; readonly flags: number } | undefined {
  const { O_APPEND, O_NOCTTY, O_NONBLOCK, O_WRONLY } = fs.constants;
  try {
    const found = fs.fstatSync(standardError);
    const about = fs.readFileSync(`/proc/self/fdinfo/${standardError}`, "utf8");
    const isAppended = (parseInt(/^flags:\s*([0-7]+)/m.exec(about)?.[1] ?? "0", 8) & O_APPEND) !== 0;
    if (found.isFile() && !isAppended) return undefined;
    const flags = O_WRONLY | O_APPEND | O_NOCTTY | (found.isFIFO() ? O_NONBLOCK : 0); // opening waits for a reader otherwise
    return { kept: fs.openSync(`/proc/self/fd/${standardError}`, flags), flags };
  } catch {
    return undefined;
  }
}
