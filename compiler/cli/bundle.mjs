// What the command line puts into the trainers that it writes: the bundled runtime, the types of its interface, the page.
// Run by `npm run build` (esbuild is needed there only), for `dist` or the folder given; tests call `trainerParts` for the current sources.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { keepPublicDeclarations } from "./declarations.mjs";
import { templates } from "./templates.mjs";

const here = new URL(".", import.meta.url);
const source = (path) => readFileSync(new URL(path, here), "utf8");

export async function trainerParts() {
  const result = await build({
    entryPoints: [new URL("../../runtime/trainer.ts", here).pathname],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    external: ["node:*"],
    minify: true,
    charset: "utf8",
    legalComments: "none",
    logLevel: "error",
  });
  // An expression, so that its names and those of the model's exports cannot meet.
  const [, body, names] = /^(.*)\bexport\s*\{([^{}]*)\};\s*$/s.exec(result.outputFiles[0].text) ?? [];
  if (body === undefined) throw new Error("the bundle does not end with its exports");
  const record = names
    .split(",")
    .map((pair) => pair.trim().split(/\s+as\s+/))
    .map(([local, name]) => `${name ?? local}: ${local}`)
    .join(", ");
  const runtime = `(() => {\n${body}\nreturn { ${record} };\n})()`;
  const types = ["platform", "api"]
    .map((name) =>
      source(`../../runtime/${name}.ts`)
        .replace(/^import .*\n/gm, "")
        .replace(/^\/\/.*\n/, ""),
    )
    .join("");
  return { runtime, types, page: await pageParts() };
}

/** The page's modules in one small file: a page asks for one script rather than for a dozen. */
async function pageParts() {
  const { outputFiles } = await build({
    entryPoints: [new URL("page/main.ts", here).pathname],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    charset: "utf8",
    legalComments: "none",
    logLevel: "error",
  });
  const texts = ["html", "css", "js", "svg"].map((kind) => [kind, source(`page/page.${kind}`)]);
  return { ...Object.fromEntries(texts), mjs: outputFiles[0].text };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const dist = process.argv[2] ?? fileURLToPath(new URL("../../dist", here));
  keepPublicDeclarations(dist);
  const folder = join(dist, "compiler/cli");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "trainer-parts.json"), JSON.stringify(await trainerParts()));
  writeFileSync(join(folder, "templates.json"), JSON.stringify(templates()));
}
