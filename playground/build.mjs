// Builds the playground into a folder of static files: the page, the compiler as a worker, the page of a model in a frame, the examples with their data.
// In: sources; FOLDER as argument (default: playground/dist). Out: files that any server can give.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { colours, forPages, smaller, trainerParts } from "../compiler/cli/bundle.mjs";
import { gallery } from "./gallery.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const source = (path) => readFileSync(join(here, path), "utf8");

export async function buildPlayground(folder = join(here, "dist")) {
  rmSync(folder, { recursive: true, force: true });
  const write = (path, text) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const parts = await trainerParts();
  const { outputFiles } = await build({
    ...forPages,
    entryPoints: { playground: join(here, "main.ts"), worker: join(here, "work/worker.ts") },
    splitting: true,
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    chunkNames: "parts/[name]-[hash]",
    write: false,
  });
  for (const { path, text } of outputFiles) write(relative(folder, path), await smaller(text));
  const run = await build({
    ...forPages,
    entryPoints: [join(here, "run/trainer.ts")],
    external: ["./runtime.mjs"],
    write: false,
  });
  write("run/trainer.mjs", await smaller(run.outputFiles[0].text));
  for (const name of ["index.html", "icon.svg"]) write(name, source(name));
  write("playground.css", colours + source("views.css") + source("playground.css"));
  const { html, css, js, mjs, svg } = parts.page;
  const ownStyle = '<link rel="stylesheet" href="page.css">';
  const frame = html.replace(ownStyle, `${ownStyle}\n<link rel="stylesheet" href="run.css">`);
  if (frame === html) throw new Error("the page of a model has another link to its style");
  write("run/index.html", frame.replaceAll("{{title}}", "Run").replaceAll("{{weights}}", ""));
  write("run/page.css", css);
  write("run/run.css", source("run/run.css"));
  write("run/page.js", js);
  write("run/page.mjs", mjs);
  write("run/page.svg", svg);
  // as trainer.mjs of a compiled model has it, so that the download of a model needs no second copy
  write(
    "run/runtime.mjs",
    `export const { createTrainer, fetchFile, browserDevice, host, shared } = ${parts.runtime};\n`,
  );
  write("run/node.json", JSON.stringify({ node: parts.node, types: parts.types, html }));
  const { chapters, files } = gallery();
  write("gallery.json", JSON.stringify(chapters));
  for (const [path, place] of files) {
    mkdirSync(dirname(join(folder, "examples", path)), { recursive: true });
    cpSync(place, join(folder, "examples", path));
  }
  return folder;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPlayground(process.argv[2]);
