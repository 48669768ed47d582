// The runtime is shipped with every trainer: its size is a promise, and so is that it runs in browsers.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

test("bundled, minified and gzipped it has about the size that README.md states, and needs nothing of Node", async () => {
  const stated = 1000 * Number(/A runtime of about (\d+) kB gzipped/.exec(readFileSync("README.md", "utf8"))![1]);
  const result = await build({
    entryPoints: ["runtime/index.ts"],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "silent",
  });
  const bytes = gzipSync(result.outputFiles[0]!.contents, { level: 9 }).length;
  expect(bytes).toBeLessThan(stated);
  expect(bytes).toBeGreaterThan(0.9 * stated);
});
test("it imports nothing outside of its folder", () => {
  for (const name of readdirSync("runtime"))
    for (const [, from] of readFileSync(`runtime/${name}`, "utf8").matchAll(/^(?:import|export) .*from "([^"]+)"/gm))
      expect(`${name}: ${from}`).toMatch(/: (\.\/[a-z-]+\.ts|node:[a-z_/]+)$/);
});
