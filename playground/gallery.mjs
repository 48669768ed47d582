// The examples by chapter, in the order of examples/README.md. In: that table, the comments that models begin with. Out: chapters, files by their places.
import { readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const examples = fileURLToPath(new URL("../examples", import.meta.url));

export function gallery() {
  const readme = readFileSync(join(examples, "README.md"), "utf8");
  const rows = [...readme.matchAll(/^\| \[[^\]]*\]\(([\w/]+\.dlm)\) \|[^|]*\| ([^|]*) \|/gm)];
  const data = readdirSync(join(examples, "data")).filter((name) => !name.endsWith(".md"));
  const chapters = new Map();
  for (const [, path, reached] of rows) {
    const text = readFileSync(join(examples, path), "utf8");
    const chapter = path.includes("/") ? path.slice(0, path.indexOf("/")) : "first models";
    chapters.set(chapter, [
      ...(chapters.get(chapter) ?? []),
      { path, ...about(text), reached, missing: missing(text, data), imports: imports(path) },
    ]);
  }
  const files = new Map([
    ...rows
      .flatMap(([, path]) => [path, ...imports(path).map((i) => normal(dirname(path), i))])
      .map((path) => [path, join(examples, path)]),
    ...data.map((name) => [`data/${name}`, join(examples, "data", name)]),
  ]);
  return { chapters: [...chapters].map(([name, models]) => ({ name, models })), files };
}
/** The first sentence, and the rest: what to see. */
function about(text) {
  const comment = /^(?:#.*\n)+/.exec(text)?.[0] ?? "";
  const words = comment.replace(/^#+ ?/gm, "").replace(/\s+/g, " ").trim();
  const [, title = words, see = ""] = /^(.*?[.!?])(?: (.*))?$/.exec(words) ?? [];
  return { title, see };
}
/** What a model imports, through others too; paths count from its folder. */
function imports(path) {
  const found = new Set();
  const look = (file) => {
    const text = readFileSync(join(examples, dirname(path), file), "utf8");
    for (const [, written] of text.matchAll(/^import "([^"\n]+)"/gm)) {
      const own = normal(dirname(file), written);
      if (found.has(own)) continue;
      found.add(own);
      look(own);
    }
  };
  look(basename(path));
  return [...found];
}
const normal = (folder, path) => posix.normalize(posix.join(folder, path));
/** Data files that are too large for the repository. */
function missing(text, data) {
  const paths = [...text.matchAll(/"(?:\.\.\/)?data\/([^"]+)"/g)].map(([, name]) => name);
  return [...new Set(paths)].filter((name) => !data.includes(name));
}
