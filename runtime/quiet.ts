// What native libraries write to standard error by themselves (Dawn's warnings about limits that nobody asked for), kept from whoever runs a model.
// In: what is to be done meanwhile.   Out: its result.
// Node cannot duplicate a file descriptor; Linux opens what one stands for once more, by its name in /proc. Where that cannot be (a socket, as between a
// program of Node's and its child, or another system), nothing is changed. For programs that are dlm's own: between closing and opening the descriptor, a
// thread that opens a file would take its place.
// Every `node:` module is imported when called: this file is part of trainers that browsers load too.
const standardError = 2;

export async function withoutChatter<T>(run: () => Promise<T>): Promise<T> {
  const { isMainThread } = await import("node:worker_threads");
  if (process.platform !== "linux" || !isMainThread) return run();
  const fs = await import("node:fs");
  const again = fs.constants.O_WRONLY | fs.constants.O_APPEND | fs.constants.O_NOCTTY;
  let kept: number;
  try {
    kept = fs.openSync(`/proc/self/fd/${standardError}`, again);
  } catch {
    return run();
  }
  /** The lowest descriptor that is free is taken. */
  const put = (path: string): void => {
    fs.closeSync(standardError);
    fs.openSync(path, again);
  };
  put("/dev/null");
  try {
    return await run();
  } finally {
    put(`/proc/self/fd/${kept}`);
    fs.closeSync(kept);
  }
}
