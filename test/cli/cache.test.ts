// The cache that the embedded driver is loaded from: what somebody else could have written, and what is damaged, is not used but made anew.
// Linux x64 only, like the driver.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cachedFolder } from "../../compiler/cli/embedded.ts";
import { writeFileSync } from "node:fs";
import { whyNot } from "../../runtime/embedded.ts";
import { program } from "./program.ts";

const { dlm, put } = program();
const base = mkdtempSync(join(tmpdir(), "dlm-cache-test-"));
const cache = join(base, "cache");
afterAll(() => rmSync(base, { recursive: true, force: true }));

describe.runIf(process.platform === "linux")("a folder of the cache", () => {
  const before = process.env["DLM_CACHE"];
  beforeAll(() => void (process.env["DLM_CACHE"] = cache));
  afterAll(() => {
    if (before === undefined) delete process.env["DLM_CACHE"];
    else process.env["DLM_CACHE"] = before;
  });
  let fills = 0;
  const fill = (folder: string): void => {
    fills++;
    mkdirSync(join(folder, "lib"));
    writeFileSync(join(folder, "lib/driver.so"), "a driver");
    writeFileSync(join(folder, "driver.json"), "{}");
  };
  const folder = join(cache, "driver-1");
  const refilled = async (): Promise<boolean> => {
    const was = fills;
    expect(await cachedFolder("driver-1", fill)).toBe(folder);
    expect(await whyNot(folder)).toBeUndefined();
    return fills > was;
  };
  test("is filled once, and used again", async () => {
    expect(await refilled()).toBe(true);
    expect(await refilled()).toBe(false);
    expect(readdirSync(cache)).toEqual(["driver-1"]);
  });
  const damages: readonly (readonly [string, (path: string) => void, RegExp])[] = [
    ["a truncated file", (path) => truncateSync(join(path, "lib/driver.so"), 3), /driver\.so is damaged$/],
    ["another text", (path) => writeFileSync(join(path, "driver.json"), "[]"), /driver\.json is damaged$/],
    ["a file that is gone", (path) => rmSync(join(path, "driver.json")), /driver\.json is not there$/],
    ["no record of what was put there", (path) => rmSync(join(path, "hashes.json")), /driver-1 is not complete$/],
    [
      "a file that others may write",
      (path) => chmodSync(join(path, "lib/driver.so"), 0o666),
      /may be written by other/,
    ],
    ["a folder that others may write", (path) => chmodSync(path, 0o777), /driver-1 may be written by other users$/],
    ["a folder in it that others may write", (path) => chmodSync(join(path, "lib"), 0o777), /lib may be written by/],
    [
      "a link for a file",
      (path) => {
        renameSync(join(path, "driver.json"), join(base, "elsewhere.json"));
        symlinkSync(join(base, "elsewhere.json"), join(path, "driver.json"));
      },
      /driver\.json is a link$/,
    ],
    [
      "a link for the folder",
      (path) => {
        rmSync(join(base, "elsewhere"), { recursive: true, force: true });
        renameSync(path, join(base, "elsewhere"));
        symlinkSync(join(base, "elsewhere"), path);
      },
      /driver-1 is a link$/,
    ],
  ];
  test.each(damages)("with %s is not used but made anew", async (_, damage, reason) => {
    damage(folder);
    expect(await whyNot(folder)).toMatch(reason);
    expect(await refilled()).toBe(true);
  });
  test("below a folder in which anybody may replace it is an error", async () => {
    chmodSync(cache, 0o777);
    await expect(cachedFolder("driver-1", fill)).rejects.toThrow(
      /cache may be written by other users; DLM_CACHE=FOLDER/,
    );
    chmodSync(cache, 0o1777); // sticky: a temporary folder's, in which names are safe
    expect(await refilled()).toBe(false);
    chmodSync(cache, 0o700);
  });
});

describe.runIf(process.platform === "linux" && process.arch === "x64")("the command line", () => {
  test("unpacks the driver again where its library is cut off: no bus error", async () => {
    const env = { DLM_CACHE: join(base, "driver"), DLM_DEVICE: "embedded" };
    const found = await dlm(["doctor", "--json"], { env });
    expect(found.status).toBe(0);
    const [folder] = readdirSync(join(base, "driver"));
    const library = join(base, "driver", folder!, "libvk_swiftshader.so");
    expect(existsSync(library)).toBe(true);
    truncateSync(library, 100_000);
    expect(await dlm(["doctor", "--json"], { env })).toMatchObject({ status: 0 });
  });
  test("says so where DLM_CACHE names a file", async () => {
    const file = join(base, "a file");
    writeFileSync(file, "");
    put("m.dlm", "export fn f(x: f32[B]) = x\n");
    const given = ["run", "m.dlm", "f", "--input", "x=[1]"];
    const { status, err } = await dlm(given, { env: { DLM_CACHE: file, DLM_DEVICE: "embedded" } });
    expect(status).toBe(1);
    expect(err).toContain("a file: a part of the path is not a folder; DLM_CACHE=FOLDER names a folder that");
  });
});
