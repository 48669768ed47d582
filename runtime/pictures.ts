// Pictures as rows: the png and jpeg files of a folder and the folders inside it, in the order of their paths, which name their classes.
// In: a way to list a folder and to read and decode a file. Out: bytes 0 to 255 by row, column and channel.
import type { Picture } from "./api.ts";
import { columnText, once, readFile, store } from "./columns.ts";
import type { LoadedColumn, Sources } from "./columns.ts";
import type { Loader, PlanColumn } from "./plan.ts";
import { listed, messageOf, RuntimeProblem } from "./problem.ts";
import { product } from "./tensor.ts";

type ImageLoader = Extract<Loader, { readonly kind: "images" | "image_class" }>;

export async function imageColumn(
  column: PlanColumn & { readonly loader: ImageLoader },
  sources: Sources,
  known: readonly string[] | undefined,
): Promise<LoadedColumn> {
  const { loader } = column;
  const files = await once(sources, `list:${loader.path}`, () => pictureFiles(column, sources));
  if (loader.kind === "image_class") return classColumn(column, files, known);
  const [height, width, channels = 1] = column.shape as [number, number, number?];
  const size = product(column.shape);
  const { mostBytes = Infinity, picture } = sources;
  if (!picture) throw new RuntimeProblem(`${columnText(column)} needs a decoder of pictures; load() takes \`picture\``);
  if (files.length * size > mostBytes)
    throw new RuntimeProblem(
      `${loader.path} has ${files.length} pictures, ${(files.length * size).toLocaleString("en")} bytes, and the limit is ${mostBytes.toLocaleString("en")}, for ${columnText(column)}`,
    );
  const values = new Uint8Array(files.length * size);
  for (const [row, file] of files.entries()) {
    const path = joined(loader.path, file);
    const bytes = await readFile(column, path, sources);
    const bad = (what: string): RuntimeProblem => new RuntimeProblem(`${path} ${what}, for ${columnText(column)}`);
    const found = sizeOf(bytes);
    if (!found) throw bad("is no png or jpeg file that can be read: it does not begin as one");
    if (found.width * found.height > mostPixels)
      throw bad(
        `is ${found.width} by ${found.height} pixels, more than the limit of ${mostPixels.toLocaleString("en")}`,
      );
    if (!loader.resize && (found.width !== width || found.height !== height))
      throw bad(
        `is ${found.width} by ${found.height} pixels, and ${width} by ${height} are wanted (resize: true averages them)`,
      );
    let decoded: Picture;
    try {
      decoded = await picture(bytes);
    } catch (error) {
      throw bad(`is a damaged picture (${messageOf(error)})`);
    }
    if (
      decoded.width !== found.width ||
      decoded.height !== found.height ||
      decoded.data.length < 4 * found.width * found.height
    )
      throw bad("is a damaged picture");
    if (channels !== 4 && transparent(decoded))
      throw bad(`has transparent pixels: give the field 4 channels, [${height}, ${width}, 4], or save it without`);
    values.set(scaled(pixels(decoded, channels), decoded, { width, height }, channels), row * size);
  }
  return column.storage === "u8" && !column.range
    ? { values, rows: files.length }
    : store(
        column,
        values.length,
        (i) => values[i]!,
        (i) => joined(loader.path, files[Math.floor(i / size)]!),
      );
}
const mostPixels = 1 << 26;
const joined = (folder: string, file: string): string => `${folder.replace(/\/+$/, "")}/${file}`;

async function pictureFiles(
  column: PlanColumn & { readonly loader: ImageLoader },
  { list }: Sources,
): Promise<string[]> {
  const { path } = column.loader;
  if (!list) throw new RuntimeProblem(`${columnText(column)} is read from a folder; load() needs \`list\``);
  let names: readonly string[];
  try {
    names = await list(path);
  } catch (error) {
    throw error instanceof RuntimeProblem
      ? error
      : new RuntimeProblem(`cannot list ${path}, for ${columnText(column)}: ${messageOf(error)}`);
  }
  const files = names.filter((name) => /\.(png|jpe?g)$/i.test(name)).sort((a, b) => (a < b ? -1 : 1));
  if (!files.length)
    throw new RuntimeProblem(`${path} has no files that end in .png, .jpg or .jpeg, for ${columnText(column)}`);
  return files;
}
/** The class of a picture is the first folder of its path, numbered in sorted order. */
function classColumn(column: PlanColumn, files: readonly string[], known: readonly string[] | undefined): LoadedColumn {
  const { path } = column.loader as ImageLoader;
  const names = files.map((file) => {
    const [folder, ...rest] = file.split("/");
    if (!rest.length)
      throw new RuntimeProblem(
        `${joined(path, file)} lies in no folder that would be its class, for ${columnText(column)}`,
      );
    return folder!;
  });
  const classes = known ?? [...new Set(names)].sort();
  if (column.range && classes.length > column.range[1])
    throw new RuntimeProblem(
      `${path} has ${classes.length} classes (${listed(classes)}), and ${columnText(column)} allows numbers below ${column.range[1]}`,
    );
  const ids = new Map(classes.map((name, i) => [name, i]));
  const numbers = names.map((name) => {
    const id = ids.get(name);
    if (id !== undefined) return id;
    throw new RuntimeProblem(
      `${path}: the class ${JSON.stringify(name)} does not occur in the data before, for ${columnText(column)}`,
    );
  });
  const stored = store(
    column,
    numbers.length,
    (i) => numbers[i]!,
    (i) => joined(path, files[i]!),
  );
  return { ...stored, classes };
}

/** Width and height by the header, before anything is decoded: png's first chunk, or the frame of a jpeg. */
function sizeOf(bytes: Uint8Array): { readonly width: number; readonly height: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length > 24 && view.getUint32(0) === 0x89504e47)
    return { width: view.getUint32(16), height: view.getUint32(20) };
  if (bytes.length < 4 || view.getUint16(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1]!;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return undefined;
}
function transparent({ data, width, height }: Picture): boolean {
  for (let i = 3; i < 4 * width * height; i += 4) if (data[i] !== 255) return true;
  return false;
}
/** One channel is brightness, as in television (ITU-R BT.601): 0.299 red + 0.587 green + 0.114 blue. */
function pixels({ data, width, height }: Picture, channels: number): Float32Array {
  const out = new Float32Array(width * height * channels);
  for (let i = 0; i < width * height; i++)
    if (channels === 1) out[i] = 0.299 * data[4 * i]! + 0.587 * data[4 * i + 1]! + 0.114 * data[4 * i + 2]!;
    else for (let c = 0; c < channels; c++) out[i * channels + c] = data[4 * i + c]!;
  return out;
}
interface Size {
  readonly width: number;
  readonly height: number;
}
/** A pixel of the result is the mean of what it covers, rounded. */
function scaled(from: Float32Array, { width, height }: Size, to: Size, channels: number): Uint8Array {
  const out = new Uint8Array(to.width * to.height * channels);
  const across = covered(width, to.width);
  const down = covered(height, to.height);
  for (let y = 0; y < to.height; y++)
    for (let x = 0; x < to.width; x++)
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [i, a] of down[y]!)
          for (const [j, b] of across[x]!) sum += a * b * from[(i * width + j) * channels + c]!;
        out[(y * to.width + x) * channels + c] = Math.round(sum);
      }
  return out;
}
/** Of each of `to` equal parts: the elements of `from` that it covers, with weights whose sum is 1. */
const covered = (from: number, to: number): readonly (readonly (readonly [at: number, weight: number])[])[] =>
  Array.from({ length: to }, (_, i) => {
    const [low, high] = [(i * from) / to, ((i + 1) * from) / to];
    const parts: [number, number][] = [];
    for (let at = Math.floor(low); at < high; at++)
      parts.push([at, ((Math.min(high, at + 1) - Math.max(low, at)) * to) / from]);
    return parts.filter(([at, weight]) => at < from && weight > 1e-9);
  });
