// Bundles run.ts, since Node 20 does not read TypeScript, and runs it.
import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const here = new URL("./", import.meta.url);
const out = fileURLToPath(new URL("../../node_modules/.cache/dlm-onnx.mjs", here));
await build({
  entryPoints: [fileURLToPath(new URL("run.ts", here))],
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  outfile: out,
  logLevel: "error",
});
const { status } = spawnSync(process.execPath, [out, ...process.argv.slice(2)], { stdio: "inherit" });
process.exit(status ?? 1);
