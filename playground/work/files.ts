// Data files of a model: those that the visitor gave, else those beside the model's own. In: a document. Out: a reader.
import type { LoadOptions } from "../../runtime/api.ts";
import { filesOnPage } from "../../runtime/page.ts";
import type { Document } from "./protocol.ts";

export function filesAt({ data, files }: Document): Pick<LoadOptions, "read" | "list" | "picture"> {
  const found = filesOnPage({ url: data }, undefined);
  return { ...found, read: async (path) => files[path] ?? found.read(path) };
}
