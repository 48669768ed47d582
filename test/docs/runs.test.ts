// The commands of docs/runs.md work as written, in their order.
import { readFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { program } from "../cli/program.ts";

const { folder, main, put } = program();
const page = readFileSync(join(import.meta.dirname, "../../docs/runs.md"), "utf8");

test("every block of commands", () => {
  const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((m) => m[1]!);
  expect(blocks).toHaveLength(3);
  // a shell finds files by patterns, and has a program `npx` that knows of one package
  put("npx", `#!/bin/sh\nshift\nexec '${process.execPath}' '${main}' "$@"\n`);
  const { status, stderr, stdout } = spawnSync("sh", ["-ec", `chmod +x npx; PATH="$PWD:$PATH"\n${blocks.join("")}`], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, DLM_DEVICE: process.env["DLM_DEVICE"] || "embedded" },
  });
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/\nacc of test, by step\n/);
  expect(stdout).toMatch(/\n +epochs \\ batch|\nepochs \\ batch/);
  for (const name of ["curves.svg", "both.svg", "sweep.svg"])
    expect(readFileSync(join(folder, name), "utf8")).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
}, 300_000);
