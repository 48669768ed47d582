// What the command line puts into the trainers that it writes: the bundled runtime, the types of its interface, the page.
// Run by `npm run build` (esbuild and Terser are needed there only), for `dist` or the folder given; tests call `trainerParts` for the current sources.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { minify } from "terser";
import { keepPublicDeclarations } from "./declarations.mjs";
import { templates } from "./templates.mjs";

const here = new URL(".", import.meta.url);
const source = (path) => readFileSync(new URL(path, here), "utf8");
/** How whatever runs in browsers is bundled. */
export const forPages = {
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "error",
};
/** What the bundler leaves, in some percent fewer bytes. */
export async function smaller(text) {
  const { code } = await minify(text, { module: true, ecma: 2022, compress: { passes: 3 } });
  return code;
}
/** The colours that every page of dlm has. */
export const colours = source("page/colours.css");

export async function trainerParts() {
  // Two entries and what both need: a page evaluates nothing that only Node needs.
  const result = await build({
    entryPoints: ["trainer", "host"].map((name) => new URL(`../../runtime/${name}.ts`, here).pathname),
    ...forPages,
    splitting: true,
    outdir: "/",
    chunkNames: "shared",
    write: false,
    define: { "import.meta.url": "ownUrl" },
  });
  const part = async (name) =>
    asFunction(await smaller(result.outputFiles.find((file) => file.path.endsWith(`/${name}.js`)).text));
  if (result.outputFiles.length !== 3) throw new Error("the runtime is not in three parts");
  const runtime = `((shared) => ({ shared, ...${await part("trainer")}(shared) }))(${await part("shared")}())`;
  const node = await part("host");
  const { outputFiles } = await build({
    entryPoints: [new URL("../../runtime/tune.ts", here).pathname],
    ...forPages,
    write: false,
  });
  const tuner = `${asFunction(await smaller(outputFiles[0].text))}().tuner`;
  const types = ["platform", "api"]
    .map((name) =>
      source(`../../runtime/${name}.ts`)
        .replace(/^import .*\n/gm, "")
        .replace(/^\/\/.*\n/, ""),
    )
    .join("")
    .concat("\n", /\/\*\* How a compiled trainer [^]*?\n\}\n/.exec(source("../../runtime/trainer-api.ts"))[0]);
  return { runtime, node, tuner, types, page: await pageParts() };
}

/** The page's modules in one small file: a page asks for one script rather than for a dozen. */
async function pageParts() {
  const { outputFiles } = await build({
    entryPoints: [new URL("page/main.ts", here).pathname],
    ...forPages,
    write: false,
  });
  const texts = ["html", "css", "js", "svg"].map((kind) => [kind, source(`page/page.${kind}`)]);
  const { css, ...others } = Object.fromEntries(texts);
  return { ...others, css: colours + css, mjs: await smaller(outputFiles[0].text) };
}
/** The views of `dlm inspect --html`, in one script without imports. */
export async function viewerParts() {
  const { outputFiles } = await build({
    entryPoints: [new URL("../../playground/viewer.ts", here).pathname],
    ...forPages,
    write: false,
  });
  return {
    js: await smaller(outputFiles[0].text),
    css: colours + source("../../playground/views.css") + source("../../playground/playground.css"),
  };
}
/** A module as a function of what it imports from the shared part, so that its names and those of the model's exports cannot meet. */
function asFunction(text) {
  const imports = [];
  const bare = text.replace(/\bimport\s*\{([^{}]*)\}\s*from\s*"\.\/shared\.js";/g, (_, names) => {
    imports.push(...pairs(names).map(([name, local]) => `${name}: ${local}`));
    return "";
  });
  const [, body, names] = /^(.*)\bexport\s*\{([^{}]*)\};\s*$/s.exec(bare) ?? [];
  if (body === undefined || /^import\b/m.test(body)) throw new Error("the bundle does not end with its exports");
  // what is imported by an address is no bundler's business; the minifier drops the words that tell them so
  const told = body.replace(/\bimport\(/g, "import(/* webpackIgnore: true */ /* @vite-ignore */ ");
  const record = pairs(names).map(([local, name]) => `${name}: ${local}`);
  return `(({ ${imports.join(", ")} } = {}, ownUrl) => {\n${told}\nreturn { ${record.join(", ")} };\n})`;
}
const pairs = (names) =>
  names.split(",").map((pair) => {
    const [first, second = first] = pair.trim().split(/\s+as\s+/);
    return [first, second];
  });

/**
 * What the package is made of goes into it without comments, an eighth of its bytes, in short statements, and the compiler
 * without indentation, a fourteenth; names stay. Any formatter makes it readable, and the sources have it all. What becomes of
 * declarations is in declarations.mjs.
 */
async function packed(dist) {
  const names = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  for (const name of names) {
    const path = join(dist, name);
    const short = !name.startsWith("runtime");
    const small = { minifyWhitespace: short, minifySyntax: true, lineLimit: 160 };
    const options = { charset: "utf8", legalComments: "none", ...small };
    const { code } = await transform(readFileSync(path, "utf8"), options);
    writeFileSync(path, code);
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const dist = process.argv[2] ?? fileURLToPath(new URL("../../dist", here));
  keepPublicDeclarations(dist);
  await packed(dist);
  const folder = join(dist, "compiler/cli");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "trainer-parts.json"), JSON.stringify(await trainerParts()));
  writeFileSync(join(folder, "viewer.json"), JSON.stringify(await viewerParts()));
  writeFileSync(join(folder, "templates.json"), JSON.stringify(templates()));
}
