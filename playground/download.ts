// The compiled model as a zip that runs anywhere: what `dlm compile --with-data` writes. In: a question to the compiler, the parts beside the frame's page.
// Out: a file that the browser saves.
import { strToU8, zipSync } from "fflate";
import { download } from "../compiler/cli/page/dom.ts";
import type { Compiler } from "./work/client.ts";
import { pathFrom } from "./work/paths.ts";
import type { Document, Texts, TrainerTexts } from "./work/protocol.ts";

const readMe = (name: string): string => `${name}, compiled by the dlm playground; the text lies beside.

npx dlm serve .         opens its page (any static server will do)
npm i webgpu && node trainer.mjs     trains it in Node 20.16 or newer
shaders/INDEX.md        says what each kernel is for
`;
export async function downloadArtifact(compiler: Compiler, { name, text, texts }: Document): Promise<void> {
  const files = await compiler.ask("artifact", await trainerTexts());
  const folder = name.replace(/\.dlm$/, "").replace(/[^\w.-]+/g, "_") || "model";
  const entries = [...sourcesIn(name, { [name]: text, ...texts }), ...files, ["README.txt", readMe(name)] as const].map(
    ([path, content]) =>
      [`${folder}/${fileName(path)}`, typeof content === "string" ? strToU8(content) : content] as const,
  );
  download(`${folder}.zip`, zipSync(Object.fromEntries(entries), { level: 6 }));
}
/** The texts by where they lie in the archive: as many folders down as the highest of those that are imported stands above the model. */
export function sourcesIn(name: string, texts: Texts): (readonly [path: string, text: string])[] {
  const above = Object.keys(texts).map((path) => /^(?:\.\.\/)*/.exec(path)![0].length / 3);
  const own = "model/".repeat(Math.max(...above)) + name;
  return Object.entries(texts).map(([path, text]) => [pathFrom(own, path), text]);
}
/** What no system takes for a part of a file's name is left out of it. */
const fileName = (path: string): string => path.replace(/[<>:"|?*\\\p{Cc}]/gu, "_");
/** The parts of a trainer lie beside the page already, for the frame. */
async function trainerTexts(): Promise<TrainerTexts> {
  const read = async (name: string): Promise<string> => {
    const response = await fetch(`run/${name}`);
    if (!response.ok) throw new Error(`run/${name} could not be read`);
    return response.text();
  };
  const [runtime, own, css, js, mjs, svg] = (await Promise.all(
    ["runtime.mjs", "node.json", "page.css", "page.js", "page.mjs", "page.svg"].map(read),
  )) as [string, string, string, string, string, string];
  const { node, types, html } = JSON.parse(own) as Record<"node" | "types" | "html", string>; // build.mjs wrote it
  return {
    runtime: runtime.replace(/^export const \{[^}]*\} = /, "").replace(/;\n$/, ""),
    node,
    types,
    page: { html, css, js, mjs, svg },
  };
}
