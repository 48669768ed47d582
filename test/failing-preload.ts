// Loaded before a program (node --import): its DLM_FAIL-th operation of the file system fails, as "12:EIO" says, and all of them are written to the file
// DLM_FAIL_LOG. What Node and its packages read for themselves is no operation.
import { createRequire, syncBuiltinESMExports } from "node:module";
import { wrap, type FileSystem } from "./failing.ts";

const fs = createRequire(import.meta.url)("node:fs") as FileSystem;
const { appendFileSync } = fs;
const [at, fault] = (process.env["DLM_FAIL"] ?? "").split(":");
const log = process.env["DLM_FAIL_LOG"];
let n = 0;
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
    if (log) appendFileSync(log, `${[name, on, ...(to ? [to] : [])].join(" ")}\n`);
    return String(n++) === at ? fault : undefined;
  },
  (name, call) => Object.assign(fs, { [name]: Object.assign(call, fs[name as keyof FileSystem]) }),
);
syncBuiltinESMExports();
