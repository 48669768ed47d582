// Paths of the model's files, which count from the folder of the file that holds the model. In: a path as it is written in a file. Out: one form of each.
/** "./layers.dlm" in "lib/blocks.dlm" is "lib/layers.dlm". */
export function pathFrom(file: string, path: string): string {
  const parts: string[] = [];
  for (const part of [...file.split("/").slice(0, -1), ...path.split("/")])
    if (part === ".." && parts.length && parts.at(-1) !== "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  return parts.join("/");
}
/** What a text brings in, as it is written; a quick look, for texts with errors too. */
export const importsIn = (text: string): string[] =>
  [...text.matchAll(/^import "([^"\n]+)"/gm)].map(([, path]) => path!);
