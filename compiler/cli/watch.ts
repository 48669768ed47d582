// --watch: a piece of work done again whenever a file that it looked for changes, comes or goes.
// In: the work, which says what it looked for.   Out: never, until the process is ended.
import { statSync, watch, type FSWatcher } from "node:fs";
import { basename, dirname, resolve } from "node:path";

const quietMilliseconds = 60; // editors write a file in several steps

/** Folders are watched, not files: many programs put a new file in the place of the old one. */
export async function again(work: () => Promise<ReadonlySet<string>>): Promise<never> {
  for (;;) {
    const started = Date.now();
    const files = [...(await work())].map((file) => resolve(file));
    await changeOf(files, started);
  }
}
/** Of one of the files, since a time; or the end of waiting. */
export function changeOf(files: readonly string[], since: number, end?: AbortSignal): Promise<void> {
  const names = new Map<string, Set<string>>(); // by folder
  for (const file of files) {
    const folder = dirname(file);
    names.set(folder, (names.get(folder) ?? new Set()).add(basename(file)));
  }
  return new Promise((done) => {
    if (end?.aborted) return done();
    const watchers: FSWatcher[] = [];
    let timer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      clearTimeout(timer);
      end?.removeEventListener("abort", stop);
      for (const w of watchers) w.close();
      done();
    };
    const changed = (): void => {
      clearTimeout(timer);
      timer = setTimeout(stop, quietMilliseconds);
    };
    end?.addEventListener("abort", stop);
    for (const [folder, wanted] of names)
      try {
        const watcher = watch(folder, (_, name) => void ((name === null || wanted.has(name)) && changed()));
        watchers.push(watcher.on("error", changed)); // the folder is gone
      } catch {
        continue; // a folder that is not there
      }
    if (files.some((file) => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) > since)) changed();
  });
}
