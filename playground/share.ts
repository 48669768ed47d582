// A model in an address: its texts, compressed, behind the #; nothing is sent anywhere. In: a text with its name. Out: a fragment, and back.
import type { Texts } from "./work/protocol.ts";

export interface Shared {
  readonly name: string;
  readonly text: string;
  readonly texts: Texts; // of the files that it imports
}
const mostText = 2_000_000; // characters that a link may unpack to

export async function fragmentOf({ name, text, texts }: Shared): Promise<string> {
  const others = Object.keys(texts).length ? [texts] : [];
  const bytes = new TextEncoder().encode(JSON.stringify([name, text, ...others]));
  const packed = await through(bytes, new CompressionStream("deflate-raw"));
  return `#model=${base64(packed)}`;
}
/** Undefined where the fragment is none, or was cut off on its way. */
export async function sharedIn(fragment: string): Promise<Shared | undefined> {
  const [, code] = /^#model=([\w-]+)$/.exec(fragment) ?? [];
  if (code === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(code.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const read: unknown = JSON.parse(
      new TextDecoder().decode(await through(bytes, new DecompressionStream("deflate-raw"))),
    );
    if (!Array.isArray(read)) return undefined;
    const [name, text, texts] = read as readonly unknown[];
    return typeof name === "string" && typeof text === "string" ? { name, text, texts: textsOf(texts) } : undefined;
  } catch {
    return undefined;
  }
}
/** Texts by their paths, of whatever was read. */
export const textsOf = (read: unknown): Texts =>
  typeof read === "object" && read !== null
    ? Object.fromEntries(Object.entries(read).filter((e): e is [string, string] => typeof e[1] === "string"))
    : {};
async function through(bytes: Uint8Array, stream: CompressionStream | DecompressionStream): Promise<Uint8Array> {
  const reader = new Blob([bytes.slice()]).stream().pipeThrough(stream).getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    parts.push(next.value);
    length += next.value.length;
    if (length > mostText) throw new Error("the text is too long");
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
