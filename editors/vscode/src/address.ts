// The address of a playground that opens a source: the text, deflated, in base64 for addresses, behind `#source=`. Nothing of it is sent to a server.
import { deflateRawSync } from "node:zlib";

export function playgroundAddress(page: string, source: string): string {
  const [before = page] = page.split("#");
  return `${before}#source=${deflateRawSync(source).toString("base64url")}`;
}
