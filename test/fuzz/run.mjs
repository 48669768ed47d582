#!/usr/bin/env node
// The fuzzer (main.ts) from the sources: bundled, then run.   npm run fuzz -- --help
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = new URL("../../", import.meta.url);
const outfile = fileURLToPath(new URL("out/fuzz/main.mjs", root)); // as deep as this folder: files beside the sources are found by the same relative paths
mkdirSync(new URL("out/fuzz/", root), { recursive: true });
await build({
  entryPoints: [fileURLToPath(new URL("main.ts", import.meta.url))],
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  outfile,
  logLevel: "error",
});
await import(outfile);
