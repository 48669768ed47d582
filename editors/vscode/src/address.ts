// The address of a playground that opens a model: its name and text as playground/share.ts reads them, behind `#model=`. Nothing of it is sent to a server.
import { deflateRawSync } from "node:zlib";

export function playgroundAddress(page: string, name: string, text: string): string {
  const [before = page] = page.split("#");
  return `${before}#model=${deflateRawSync(JSON.stringify([name, text])).toString("base64url")}`;
}
