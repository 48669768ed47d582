// Files of a tar archive. In: its bytes (POSIX ustar, as npm packs).   Out: names and contents of its regular files; what is no archive throws.

const block = 512;
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replace(/\0[\s\S]*$/, "");

export function tarFiles(
  archive: Uint8Array<ArrayBuffer>,
): readonly { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }[] {
  const files: { name: string; bytes: Uint8Array<ArrayBuffer> }[] = [];
  for (let at = 0; at + block <= archive.length;) {
    const head = archive.subarray(at, at + block);
    if (head.every((byte) => byte === 0)) break; // the end
    checkSum(head);
    const size = parseInt(text(head.subarray(124, 136)).trim() || "0", 8);
    if (!(size >= 0) || at + block + size > archive.length) throw new Error("it ends within a file");
    const kind = text(head.subarray(156, 157));
    const prefix = text(head.subarray(345, 500));
    const name = (prefix ? `${prefix}/` : "") + text(head.subarray(0, 100));
    if (kind === "" || kind === "0") files.push({ name, bytes: archive.slice(at + block, at + block + size) });
    at += block + Math.ceil(size / block) * block;
  }
  return files;
}
/** The sum of the header's bytes, its own field as spaces. */
function checkSum(head: Uint8Array): void {
  const told = parseInt(text(head.subarray(148, 156)).trim(), 8);
  const sum = head.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (sum !== told) throw new Error("it is no tar archive");
}
