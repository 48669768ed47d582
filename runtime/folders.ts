// Folders and pictures in Node. No `node:` module is imported, and decoders when they are called: bundlers for pages read this file too.
import { resolvePackage } from "./embedded.ts";
import type { Picture } from "./api.ts";
import { RuntimeProblem } from "./problem.ts";

/** The regular files below a folder, by their paths from there, with `/` between the parts. Throws what the file system throws. */
export function listFolder(fs: Pick<typeof import("node:fs"), "readdirSync" | "statSync">, folder: string): string[] {
  const found: string[] = [];
  const open = [""];
  for (let at = open.pop(); at !== undefined; at = open.pop())
    for (const entry of fs.readdirSync(`${folder}/${at}`, { withFileTypes: true })) {
      const path = at + entry.name;
      if (entry.isDirectory()) open.push(`${path}/`);
      else if (entry.isFile() || (entry.isSymbolicLink() && fs.statSync(`${folder}/${path}`).isFile()))
        found.push(path);
    }
  return found;
}

/** png and jpeg, by the packages `pngjs` and `jpeg-js`. */
export async function decodeInNode(bytes: Uint8Array): Promise<Picture> {
  if (bytes[0] === 0x89) {
    const { PNG } = await imported<{ readonly PNG: { readonly sync: { read(bytes: Uint8Array): Picture } } }>("pngjs");
    return PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
  const { decode } = await imported<{ decode(bytes: Uint8Array, options: object): Picture }>("jpeg-js");
  return decode(bytes, { useTArray: true, formatAsRGBA: true, maxMemoryUsageInMB: 1024 });
}
async function imported<T>(name: string): Promise<T> {
  const entry = await resolvePackage(name);
  if (!entry) throw new RuntimeProblem(`the package \`${name}\` is not installed here: npm install ${name}`);
  const { pathToFileURL } = process.getBuiltinModule("node:url");
  const found = (await import(/* @vite-ignore */ /* webpackIgnore: true */ pathToFileURL(entry).href)) as {
    default?: T;
  } & T;
  return found.default ?? found;
}
