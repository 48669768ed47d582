// For bench/gpu.sh: everything that a bench on a bare machine runs, as single files in out/gpu, and on standard output the folders of node_modules that the
// device tests need beside the production dependencies (vitest with what it depends on).
import { build } from "esbuild";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..");
const out = join(root, "out", "gpu");
mkdirSync(out, { recursive: true });
const common = { bundle: true, platform: "node", format: "esm", logLevel: "error", ignoreAnnotations: true };
const external = ["webgpu", "@sparticuz/chromium", "@tensorflow/tfjs-backend-wasm", "onnxruntime-node"];
const stdin = (contents) => ({ contents, resolveDir: root, loader: "ts" });
const { runtimeText, compilerText } = await import("./texts.mjs");
// libraries that were written for CommonJS ask for it
const banner = {
  js: 'import { createRequire as createRequire_ } from "node:module"; const require = createRequire_(import.meta.url);',
};
for (const [name, entry] of [
  ["runtime", { stdin: stdin(runtimeText) }],
  ["compiler", { stdin: stdin(compilerText) }],
  ["sweep", { entryPoints: [join(here, "sweep.ts")] }],
  ["jax-js", { entryPoints: [join(here, "sides/jax-js.mjs")], banner }],
  ["tfjs", { entryPoints: [join(here, "sides/tfjs.mjs")], banner }],
])
  await build({ ...common, ...entry, external, outfile: join(out, `${name}.mjs`) });

const packages = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
/** Where a package finds another: in its own node_modules, else in those around it. */
function found(from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const path = `${at ? `${at}/` : ""}node_modules/${name}`;
    if (packages[path]) return path;
    if (!at) return undefined;
  }
}
const needed = new Set();
function need(path) {
  if (!path || needed.has(path) || !existsSync(join(root, path))) return;
  needed.add(path);
  const { dependencies = {}, optionalDependencies = {} } = packages[path];
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) need(found(path, name));
}
for (const name of ["vitest", "fast-check", "esbuild", "@webgpu/types"]) need(`node_modules/${name}`);
console.log([...needed].join("\n"));
