// Loaded before a program (node --import): the operation of the file system that DLM_FAIL names fails, as "EIO writeSync runs/#-m/metrics.jsonl 2" says,
// and all of them are written to the file DLM_FAIL_LOG, as they are named there: by what they do, where, and how often that was before. Other runs do the
// same in another order where time has a say (rows are written once a second), so no number of all operations names one. What Node and its packages read
// for themselves is no operation.
import { createRequire, syncBuiltinESMExports } from "node:module";
import { wrap, type FileSystem } from "./failing.ts";

const fs = createRequire(import.meta.url)("node:fs") as FileSystem;
const { appendFileSync } = fs;
const [, fault, named] = /^(\S+) (.*)$/.exec(process.env["DLM_FAIL"] ?? "") ?? [];
const log = process.env["DLM_FAIL_LOG"];
const before = new Map<string, number>();
/** In every run the same: within the folder that the program runs in, without what clocks, processes and chance put into names. */
const plain = (path: string): string =>
  path
    .replace(`${process.cwd()}/`, "")
    .replace(/[\da-f]+(?=\.tmp(\/|$))/, "#")
    .replace(/\d+/g, "#");
/** By the code that called the file system: the first that is not of this file. */
function isForeign(): boolean {
  const callers = (new Error().stack ?? "").split("\n").slice(1);
  const caller = callers.find((line) => !line.includes(import.meta.url)) ?? "";
  return /node:internal\/modules|node_modules\/(?!\.cache)/.test(caller);
}
wrap(
  fs,
  ({ name, on, to }) => {
    if (isForeign()) return undefined;
    const what = [name, plain(on), ...(to ? [plain(to)] : [])].join(" ");
    const times = before.get(what) ?? 0;
    before.set(what, times + 1);
    const line = `${what} ${times}`;
    if (log) appendFileSync(log, `${line}\n`);
    return line === named ? fault : undefined;
  },
  (name, call) => Object.assign(fs, { [name]: Object.assign(call, fs[name as keyof FileSystem]) }),
);
syncBuiltinESMExports();
