// Bundles a TypeScript file, since Node 20 does not read it, and runs it with this process's arguments and status.
// In: the file, a name for its bundle in node_modules/.cache.
import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export async function runBundled(entry, name) {
  const out = fileURLToPath(new URL(`../node_modules/.cache/${name}.mjs`, import.meta.url));
  await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    outfile: out,
    logLevel: "error",
  });
  const { status } = spawnSync(process.execPath, [out, ...process.argv.slice(2)], { stdio: "inherit" });
  process.exit(status ?? 1);
}
