// The address of a playground that opens a model: its name, text and what it imports, as playground/share.ts reads them, behind `#model=`. Nothing of it is
// sent to a server.
import { deflateRawSync } from "node:zlib";
import { importsIn, pathFrom } from "../../../playground/work/paths.ts";

export type Texts = Readonly<Record<string, string>>; // by their paths from the model's folder
export function playgroundAddress(page: string, name: string, text: string, texts: Texts = {}): string {
  const [before = page] = page.split("#");
  const others = Object.keys(texts).length ? [texts] : [];
  return `${before}#model=${deflateRawSync(JSON.stringify([name, text, ...others])).toString("base64url")}`;
}
/** All that a model imports, through others too. What cannot be read is left out: the playground says that it lacks. */
export async function importedBy(
  name: string,
  text: string,
  read: (path: string) => Promise<string | undefined>,
): Promise<Texts> {
  const texts: Record<string, string> = {};
  const look = async (file: string, of: string): Promise<void> => {
    for (const written of importsIn(of)) {
      const path = pathFrom(file, written);
      if (path === name || Object.hasOwn(texts, path)) continue;
      const found = await read(path);
      if (found === undefined) continue;
      texts[path] = found;
      await look(path, found);
    }
  };
  await look(name, text);
  return texts;
}
