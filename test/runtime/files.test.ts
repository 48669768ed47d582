// A file is whole or not there: each operation of the file system fails, in every way, or is the last before the process is killed. Also where files may not
// go, what is no file, and files that change while they are read.
import * as fs from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { replaceFiles } from "../../compiler/cli/artifacts.ts";
import { fileReason, generations, makeFolders, readRegular, tryToWrite, writeWhole } from "../../runtime/files.ts";
import { codes, dead, failing, half, type FileSystem, type Operation } from "../failing.ts";

const root = fs.mkdtempSync(join(tmpdir(), "dlm-files-"));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
let folder = root;
let next = 0;
beforeEach(() => void fresh());
const fresh = (): string => fs.mkdirSync((folder = join(root, String(next++)))) ?? folder;
const put = (name: string, text: string): void => fs.writeFileSync(join(folder, name), text);
const isFile = (path: string): boolean => fs.lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
/** What lies in the folder, without temporary files. */
function found(): Record<string, string> {
  const names = fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return Object.fromEntries(
    names
      .filter((name) => !/(^|\/)\.[^/]*\.tmp($|\/)/.test(name) && isFile(join(folder, name)))
      .map((name) => [name, fs.readFileSync(join(folder, name), "utf8")]),
  );
}
const reasonOf = (run: () => void): string => {
  try {
    run();
  } catch (error) {
    return fileReason(error);
  }
  return "";
};

const all = process.env["DLM_FAULTS"] !== undefined; // every code for every operation, and not one code for each

/** Runs in fresh folders, in which each operation in turn fails in each way. */
function everyFault(
  prepare: () => void,
  run: (fs: FileSystem) => void,
  check: (fault: string, where: string, reason: string) => void,
): number {
  fresh();
  prepare();
  const operations: Operation[] = [];
  run(failing(fs, (operation) => void operations.push(operation) as undefined));
  let cases = 0;
  for (const [at, { name }] of operations.entries())
    for (const fault of [...(all ? codes : [codes[at % codes.length]!]), half, dead]) {
      fresh();
      prepare();
      const broken = failing(fs, (_, n) => (n === at ? fault : undefined));
      check(
        fault,
        `operation ${at}, ${name}: ${fault}`,
        reasonOf(() => run(broken)),
      );
      cases++;
    }
  return cases;
}

test("a checkpoint and its elders: whatever fails, all that is there is whole, and the newest is the old or the new one", () => {
  const wrong: string[] = [];
  const prepare = (): void => ["third", "second", "first"].forEach((text, i) => put(`a${i ? `.${i}` : ""}`, text));
  const run = (own: FileSystem): void => writeWhole(own, join(folder, "a"), "fourth".repeat(1000), 3);
  const names: Readonly<Record<string, string>> = { ["fourth".repeat(1000)]: "fourth" };
  const cases = everyFault(prepare, run, (fault, where, reason) => {
    const now = Object.entries(found()).map(([name, text]) => [name, names[text] ?? text] as const);
    const newest = generations(fs, join(folder, "a"))[0];
    const held = newest && (names[fs.readFileSync(newest, "utf8")] ?? fs.readFileSync(newest, "utf8"));
    const isKnown = now.every(([, text]) => ["first", "second", "third", "fourth"].includes(text));
    if (!isKnown || (held !== "third" && held !== "fourth")) wrong.push(`${where}: ${JSON.stringify(now)}`);
    // without links there is a moment without FILE; --resume finds FILE.1
    if (fault !== dead && newest !== join(folder, "a")) wrong.push(`${where}: a is gone`);
    if (reason === "" && held !== "fourth") wrong.push(`${where}: said to be written`);
    if (fault === half && (reason !== "" || held !== "fourth")) wrong.push(`${where}: ${reason}`);
    if (/as the test wants/.test(reason)) wrong.push(`${where}: no words: ${reason}`);
    const left = fs.readdirSync(folder).filter((name) => name.endsWith(".tmp"));
    if (fault !== dead && left.length) wrong.push(`${where}: left behind ${left.join(", ")}`);
  });
  expect(wrong).toEqual([]);
  expect(cases).toBeGreaterThan(50);
});

test("a folder of artifacts: whatever fails, it is as it was or as it is to be; killed, every file is one of both", () => {
  const before = { "plan.json": "old", "shaders/a.wgsl": "old a", "shaders/b.wgsl": "old b", "mine.txt": "mine" };
  const texts = new Map([
    ["plan.json", "new"],
    ["shaders/a.wgsl", "new a"],
    ["shaders/c.wgsl", "new c"],
    ["trainer.mjs", "new"],
  ]);
  const after = { ...Object.fromEntries(texts), "mine.txt": "mine" };
  const wrong: string[] = [];
  const prepare = (): void => {
    fs.mkdirSync(join(folder, "shaders"));
    for (const [name, text] of Object.entries(before)) put(name, text);
  };
  const run = (own: FileSystem): void => replaceFiles(own, folder, texts, ["shaders/b.wgsl"]);
  const sorted = (files: object): string => JSON.stringify(Object.entries(files).sort());
  const cases = everyFault(prepare, run, (fault, where, reason) => {
    const now = found();
    if (fault === dead) {
      for (const [name, text] of Object.entries(now))
        if (![(before as Record<string, string>)[name], texts.get(name)].includes(text))
          wrong.push(`${where}: ${name} holds ${text}`);
      if (now["mine.txt"] !== "mine") wrong.push(`${where}: mine.txt`);
    } else if (sorted(now) !== sorted(reason ? before : after)) wrong.push(`${where}: ${reason} ${sorted(now)}`);
    if (/as the test wants/.test(reason)) wrong.push(`${where}: no words: ${reason}`);
  });
  expect(wrong).toEqual([]);
  expect(cases).toBeGreaterThan(100);
});

test("on the disk before it has its name: written, flushed, closed, renamed, the folder flushed", () => {
  const log: string[] = [];
  const logged = failing(fs, ({ name, on, to }) => {
    const short = (path: string): string =>
      path.replace(`${folder}/`, "").replace(/\.[0-9a-f]{16}\.tmp/, ".tmp") || "folder";
    if (/^(open|write|fsync|close|rename|link|mkdir)/.test(name))
      log.push([name.replace("Sync", ""), short(on), ...(to ? [short(to)] : [])].join(" "));
    return undefined;
  });
  put("a", "one");
  writeWhole(logged, join(folder, "a"), "two", 2);
  expect(log).toEqual([
    "open .a.tmp",
    "write .a.tmp",
    "fsync .a.tmp",
    "close .a.tmp",
    "link a a.1",
    "rename .a.tmp a",
    "open folder",
    "fsync folder",
    "close folder",
  ]);
  log.length = 0;
  writeWhole(logged, join(folder, "new/b"), "one");
  expect(log).toEqual([
    ...["mkdir new/", "open folder", "fsync folder", "close folder"], // the new folder is in its own
    ...["open new/.b.tmp", "write new/.b.tmp", "fsync new/.b.tmp", "close new/.b.tmp", "rename new/.b.tmp new/b"],
    ...["open new/", "fsync new/", "close new/"],
  ]);
});

test("two writers of one file: whatever one does between two operations of the other, the file is whole and nobody fails", () => {
  const wrong: string[] = [];
  const prepare = (): void => ["third", "second", "first"].forEach((text, i) => put(`a${i ? `.${i}` : ""}`, text));
  let operations = 0;
  for (let at = 0; at < 60; at++) {
    fresh();
    prepare();
    const between = failing(fs, (_, n) => {
      operations = n;
      if (n === at) writeWhole(fs, join(folder, "a"), "the other's", 3);
      return undefined;
    });
    const reason = reasonOf(() => writeWhole(between, join(folder, "a"), "one's", 3));
    const now = Object.values(found());
    if (reason || !["one's", "the other's"].includes(found()["a"]!)) wrong.push(`${at}: ${reason}`);
    if (now.some((text) => !["one's", "the other's", "third", "second", "first"].includes(text)))
      wrong.push(`${at}: ${now.join()}`);
  }
  expect(wrong).toEqual([]);
  expect(operations).toBeLessThan(60);
});

test("what killed writes left behind goes when it is old, and its names are short enough for any name", () => {
  const long = "é".repeat(120); // 240 bytes of the 255 that a name may have
  writeWhole(fs, join(folder, long), "one", 3);
  writeWhole(fs, join(folder, long), "two", 3);
  expect(found()).toEqual({ [long]: "two", [`${long}.1`]: "one" });
  const stale = [`.${"é".repeat(48)}.0123456789abcdef.tmp`, ".a.0123456789abcdef.tmp", ".a.b.0123456789abcdef.tmp"];
  for (const name of stale) {
    put(name, "half");
    fs.utimesSync(join(folder, name), 0, 0);
  }
  put(".a.00000000000000ff.tmp", "still written");
  writeWhole(fs, join(folder, long), "three");
  writeWhole(fs, join(folder, "a"), "three");
  const left = fs.readdirSync(folder).filter((name) => name.endsWith(".tmp"));
  expect(left.sort()).toEqual([".a.00000000000000ff.tmp", ".a.b.0123456789abcdef.tmp"]); // of a.b, nobody wrote anything
});

test("where nothing may be written: words, and what is there stays", () => {
  put("file", "mine");
  fs.mkdirSync(join(folder, "sub"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
  fs.symlinkSync("loop-b", join(folder, "loop-a"));
  fs.symlinkSync("loop-a", join(folder, "loop-b"));
  fs.symlinkSync("nowhere/at-all", join(folder, "dangling"));
  const cases: [string, RegExp][] = [
    ["sub", /^it is a folder$/],
    ["sub/", /^it is a folder$/],
    ["file/x", /is not a folder$/],
    ["file/x/y", /is not a folder$/],
    ["pipe", /^it is a pipe or a device, and a regular file is wanted$/],
    ["loop-a", /^its links lead in a circle$/],
    ["loop-a/x", /^its links lead in a circle$/],
    ["dangling", /^it is a link to .*nowhere\/at-all, whose folder is not there$/],
    ["dangling/x", /^a part of the path is not a folder$/],
    ["x".repeat(300), /^the name is too long$/],
    [`${"x".repeat(300)}/y`, /^the name is too long$/],
    [`${"y/".repeat(2500)}x`, /^the name is too long$/],
  ];
  for (const [name, words] of cases)
    for (const write of [writeWhole, tryToWrite])
      expect(
        reasonOf(() => write(fs, join(folder, name), "")),
        `${write.name} ${name.slice(0, 20)}`,
      ).toMatch(words);
  expect(found()).toEqual({ file: "mine" });
  for (const [path, words] of [
    ["/dev/null", /^it is a pipe or a device/],
    ["/dev/full", /^it is a pipe or a device/],
    ["/proc/dlm/x", /^no folder can be made in \/proc\/$|^the file system is read-only$|^permission denied$/],
    ["/sys/dlm/x", /^no folder can be made in \/sys\/$|^the file system is read-only$|^permission denied$/],
  ] as const)
    if (process.platform === "linux")
      expect(
        reasonOf(() => tryToWrite(fs, path)),
        path,
      ).toMatch(words);
});

test("links are followed to their end, also where there is nothing yet; odd names are names", () => {
  fs.mkdirSync(join(folder, "there"));
  fs.symlinkSync("there/new", join(folder, "one"));
  fs.symlinkSync(join(folder, "one"), join(folder, "two"));
  for (const name of ["two", "a b", "it's", '"x"', "größe", "$(x)", "-n", "new\nline", "*?", "\\", "no utf: \ufffd"]) {
    tryToWrite(fs, join(folder, name));
    writeWhole(fs, join(folder, name), name);
    writeWhole(fs, join(folder, name), name, 2);
    expect(new TextDecoder().decode(readRegular(fs, join(folder, name)))).toBe(name);
    expect(generations(fs, join(folder, name)).length, name).toBe(name === "two" ? 1 : 2);
  }
  expect(fs.lstatSync(join(folder, "two")).isSymbolicLink()).toBe(true);
  expect(fs.readFileSync(join(folder, "there/new"), "utf8")).toBe("two");
  fs.chmodSync(join(folder, "a b"), 0o600);
  writeWhole(fs, join(folder, "a b"), "secret");
  expect(fs.statSync(join(folder, "a b")).mode & 0o777).toBe(0o600);
});

test("folders: made one by one, found where another process was first", () => {
  expect(makeFolders(fs, join(folder, "a/b/c"))).toEqual([
    join(folder, "a/"),
    join(folder, "a/b/"),
    join(folder, "a/b/c"),
  ]);
  expect(makeFolders(fs, join(folder, "a/b/c/"))).toEqual([]);
  const race = failing(fs, ({ name, on }) => {
    if (name === "mkdirSync") fs.mkdirSync(on);
    return undefined;
  });
  expect(makeFolders(race, join(folder, "x/y"))).toEqual([]);
});

test("a file that changes while it is read is refused; one that has become a pipe holds nobody up", () => {
  const path = join(folder, "data.csv");
  const reading = (change: () => void, at = "readSync"): string => {
    put("data.csv", "1\n2\n3\n");
    fs.utimesSync(path, 1, 1);
    let done = false;
    const own = failing(fs, ({ name }) => {
      if (name === at && !done) change();
      done ||= name === at;
      return undefined;
    });
    return reasonOf(() => readRegular(own, path));
  };
  const changed = "it was changed while it was read";
  expect(reading(() => undefined)).toBe("");
  expect(reading(() => fs.appendFileSync(path, "4\n"))).toBe(changed);
  expect(reading(() => fs.truncateSync(path, 3))).toBe(changed);
  expect(reading(() => fs.writeFileSync(path, "3\n2\n1\n"))).toBe(changed);
  const becomesPipe = (): void => {
    fs.rmSync(path);
    execFileSync("mkfifo", [path]);
  };
  expect(reading(becomesPipe, "openSync")).toBe("it is a pipe or a device, and a regular file is wanted");
});

test("limits: by what the file system says, and by what is read where it says nothing", () => {
  put("long", "x".repeat(1000));
  expect(reasonOf(() => readRegular(fs, join(folder, "long"), 999))).toBe("it has 1,000 bytes, and the limit is 999");
  fs.truncateSync(join(folder, "long"), 2 ** 40); // 1 TB of holes
  expect(reasonOf(() => readRegular(fs, join(folder, "long")))).toBe(
    "it has 1,099,511,627,776 bytes, and the limit is 2,147,483,648",
  );
  expect(reasonOf(() => readRegular(fs, join(folder, "long"), Infinity))).toBe(
    "there is no memory for its 1,099,511,627,776 bytes",
  );
  if (process.platform !== "linux") return;
  expect(readRegular(fs, "/proc/self/status").length).toBeGreaterThan(100); // of which it says that it has 0 bytes
  expect(reasonOf(() => readRegular(fs, "/proc/self/status", 100))).toMatch(
    /^it has [\d,]+ bytes, and the limit is 100$/,
  );
});
