// dlm doctor: what it says where nothing but the packages is there, with a Vulkan loader and without one, and where what was asked for does not exist.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DoctorReport } from "../../compiler/cli/doctor.ts";
import { embeddedDriver } from "../../compiler/cli/embedded.ts";

const bundle = join(import.meta.dirname, `../../node_modules/.dlm-doctor-${process.pid}.mjs`); // where packages can be resolved
beforeAll(async () => {
  await build({
    entryPoints: [join(import.meta.dirname, "../../compiler/cli/doctor.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: bundle,
    packages: "external",
    logLevel: "error",
  });
});
const folder = mkdtempSync(join(tmpdir(), "dlm-doctor-"));
afterAll(() => {
  rmSync(bundle, { force: true });
  rmSync(folder, { recursive: true, force: true });
});

/** Where a process finds its Vulkan loader first: a file that is no library hides that of the system, if it has one. */
async function loaderIn(world: "with a loader" | "without a loader"): Promise<Readonly<Record<string, string>>> {
  const driver = await embeddedDriver();
  if (typeof driver === "string") throw new Error(driver);
  if (world === "with a loader") return { LD_LIBRARY_PATH: driver.folder };
  writeFileSync(join(folder, "libvulkan.so.1"), "no library");
  return { LD_LIBRARY_PATH: folder };
}

const doctor = (
  options: object,
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly output: string }> =>
  new Promise((resolve) => {
    const program = `const { doctor } = await import(${JSON.stringify(pathToFileURL(bundle).href)}); await doctor(${JSON.stringify(options)});`;
    const environment = {
      ...process.env,
      VK_DRIVER_FILES: "/nonexistent",
      VK_ICD_FILENAMES: "",
      DLM_DEVICE: "",
      COLUMNS: "100",
      ...more,
    };
    execFile(process.execPath, ["--input-type=module", "-e", program], { env: environment }, (error, stdout) =>
      resolve({ status: typeof error?.code === "number" ? error.code : 0, output: stripVTControlCharacters(stdout) }),
    );
  });

const onLinux = test.runIf(process.platform === "linux" && process.arch === "x64");
onLinux.each([
  ["with a loader", "names no driver that is there"],
  ["without a loader", "The system has no Vulkan loader (libvulkan.so.1)"],
] as const)("%s, the embedded device is found, computes, and is explained", async (world, reason) => {
  const loader = await loaderIn(world);
  const [text, json] = await Promise.all([doctor({}, loader), doctor({ json: true }, loader)]);
  expect(text.status).toBe(0);
  expect(text.output).toMatch(
    /^● SwiftShader.*\n {2}embedded software device · google swiftshader · subgroups of 4\n {2}computes · opened in \d+ ms/,
  );
  expect(text.output).toContain(`${reason}; the embedded device comes last`);
  for (const title of ["Why this one", "Tried", "Limits", "Features", "Environment", "A better device"])
    expect(text.output).toContain(`\n\n${title}\n`);
  const report = JSON.parse(json.output) as DoctorReport;
  expect(report.used).toMatchObject({
    computes: true,
    device: { class: "embedded", features: ["subgroups", "timestamp-query"], subgroupSize: { least: 4, most: 4 } },
  });
  expect(report).toMatchObject({ choice: "auto", chosenBy: "default", drivers: [] });
});

test("a device that is not there: said so, with what would work, and status 1", async () => {
  const { status, output } = await doctor({ device: "gpu" });
  expect(status).toBe(1);
  expect(output).toMatch(/^✗ No WebGPU device\n\nWhy\n {2}No "gpu" device was found \(--device gpu\)\./);
  expect(output).toContain("→ Without --device gpu, dlm takes the best device that works.");
});
