// The library's declarations by name. A model uses few of them: each is parsed when it is first asked for.
import type * as ast from "../../grammar/ast.ts";
import { parse } from "../../grammar/parser.ts";
import { libraryFiles } from "./library.ts";

export interface LibraryDeclaration {
  readonly name: string;
  readonly item: () => ast.Item;
}
const head = /^(?:##.*\n)*(?:fn|layer|init|optimizer|const) ([A-Za-z_]\w*)/gm;

/** In the order of the files. */
export const libraryDeclarations: readonly LibraryDeclaration[] = libraryFiles.flatMap(({ name, text }) => {
  const source = { name, text, library: true };
  const heads = [...text.matchAll(head)];
  return heads.map((found, i): LibraryDeclaration => {
    let item: ast.Item | undefined;
    // what stands before it as spaces, so that places stay those of the file
    const own = (): string => " ".repeat(found.index) + text.slice(found.index, heads[i + 1]?.index);
    return { name: found[1]!, item: () => (item ??= parse(source, own()).file.items[0]!) };
  });
});
