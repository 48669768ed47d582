// `dlm fmt` as its user runs it: files, standard input, --check, files with errors.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

// beside node_modules, so that the bundle finds its packages
const bundle = new URL("../../node_modules/.cache/dlm-fmt-test/", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "dlm-fmt-"));
beforeAll(() => {
  mkdirSync(bundle, { recursive: true });
  buildSync({
    entryPoints: [new URL("../../compiler/cli/main.ts", import.meta.url).pathname],
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    splitting: true,
    outdir: bundle,
    outExtension: { ".js": ".mjs" },
  });
});
afterAll(() => {
  rmSync(bundle, { recursive: true });
  rmSync(folder, { recursive: true });
});
function dlm(args: readonly string[], input = ""): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(bundle, "main.mjs"), ...args], {
    cwd: folder,
    input,
    encoding: "utf8",
  });
  return { status, out: stdout, err: stderr };
}
const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const get = (name: string): string => readFileSync(join(folder, name), "utf8");

test("formats in place and names what it changed", () => {
  put("a.dlm", "const   a=1");
  put("b.dlm", "const b = 2\n");
  expect(dlm(["fmt", "a.dlm", "b.dlm"])).toEqual({ status: 0, out: "a.dlm\n", err: "" });
  expect(get("a.dlm")).toBe("const a = 1\n");
});
test("follows a link to its file and leaves nothing behind", () => {
  put("target.dlm", "const   a=1");
  symlinkSync(join(folder, "target.dlm"), join(folder, "link.dlm"));
  dlm(["fmt", "link.dlm"]);
  expect(get("target.dlm")).toBe("const a = 1\n");
  expect(readdirSync(folder).filter((f) => f.includes("tmp"))).toEqual([]);
});
test("standard input to standard output", () => {
  expect(dlm(["fmt", "-"], "const   a=1")).toEqual({ status: 0, out: "const a = 1\n", err: "" });
});
test("--check writes nothing", () => {
  put("a.dlm", "const   a=1");
  expect(dlm(["fmt", "--check", "a.dlm", "b.dlm"])).toEqual({
    status: 1,
    out: "a.dlm\n",
    err: "1 of 2 files are not formatted; `npx dlm fmt a.dlm` formats it\n",
  });
  expect(get("a.dlm")).toBe("const   a=1");
  expect(dlm(["fmt", "--check", "b.dlm"]).status).toBe(0);
});
test("a file with errors stays as it is, others are formatted", () => {
  put("bad.dlm", "const   = 1\nconst b == 2\n");
  put("a.dlm", "const   a=1");
  const { status, err } = dlm(["fmt", "bad.dlm", "a.dlm"]);
  expect(status).toBe(1);
  expect(err).toContain("bad.dlm:1:9");
  expect(err).toContain("bad.dlm:2:9");
  expect(get("bad.dlm")).toBe("const   = 1\nconst b == 2\n");
  expect(get("a.dlm")).toBe("const a = 1\n");
});
test("a file that is not there", () => {
  expect(dlm(["fmt", "none.dlm"])).toEqual({
    status: 1,
    out: "",
    err: "dlm: cannot read none.dlm: there is no such file\n",
  });
});
