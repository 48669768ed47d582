// The compiled model as a zip that runs anywhere: what `dlm compile --with-data` writes. In: a question to the compiler, the parts beside the frame's page.
// Out: a file that the browser saves.
import { download } from "../compiler/cli/page/dom.ts";
import type { Compiler } from "./work/client.ts";
import type { Document, TrainerTexts } from "./work/protocol.ts";

const readMe = (name: string): string => `${name}, compiled by the dlm playground; the text lies beside.

npx dlm serve .         opens its page (any static server will do)
npm i webgpu && node trainer.mjs     trains it in Node 20.16 or newer
shaders/INDEX.md        says what each kernel is for
`;
export async function downloadArtifact(compiler: Compiler, { name, text, texts }: Document): Promise<void> {
  const [parts, { zipSync, strToU8 }] = await Promise.all([trainerTexts(), import("./zip.ts")]);
  const files = await compiler.ask("artifact", parts);
  const folder = name.replace(/\.dlm$/, "").replace(/[^\w.-]+/g, "_") || "model";
  const sources = Object.entries({ [name]: text, ...texts });
  const entries = [...files, ...sources, ["README.txt", readMe(name)] as const].map(
    ([path, content]) => [`${folder}/${path}`, typeof content === "string" ? strToU8(content) : content] as const,
  );
  download(`${folder}.zip`, zipSync(Object.fromEntries(entries), { level: 6 }));
}
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
