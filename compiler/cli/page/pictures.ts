// Pictures of numbers: grey ones as ink on paper, in the page's colours, coloured ones as they are. In: values, rows first, with their kind. Out: canvases.
import { color, make } from "./dom.ts";
import type { PictureKind } from "./kinds.ts";

/** What values mean as brightness: `paper` is the page's own colour. */
export interface Tone {
  readonly paper: number;
  readonly ink: number;
}
export const unitTone: Tone = { paper: 0, ink: 1 };

/** What lies around the edges of most pictures is paper, the extreme that is farther from it ink. */
export function toneOf(kind: PictureKind, values: ArrayLike<number>): Tone {
  const { height, width, channels } = kind;
  const size = height * width * channels;
  let [low, high] = [Infinity, -Infinity];
  const edge: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    low = Math.min(low, value);
    high = Math.max(high, value);
    const pixel = Math.floor((i % size) / channels);
    const [row, column] = [Math.floor(pixel / width), pixel % width];
    if (row === 0 || column === 0 || row === height - 1 || column === width - 1) edge.push(value);
  }
  if (!(high > low)) return unitTone;
  if (channels > 1) return { paper: low, ink: high };
  edge.sort((a, b) => a - b);
  const around = edge[Math.floor(edge.length / 2)]!;
  return around - low > high - around ? { paper: high, ink: low } : { paper: low, ink: high };
}
type Rgb = readonly [number, number, number];
const known = new Map<string, Rgb>();
/** A colour of the style sheet, as three numbers of 0 to 255. */
export function rgb(name: string): Rgb {
  const text = color(name).trim();
  const found = known.get(text);
  if (found) return found;
  const g = make("canvas", undefined, { width: 1, height: 1 }).getContext("2d")!;
  g.fillStyle = text;
  g.fillRect(0, 0, 1, 1);
  const [red, green, blue] = g.getImageData(0, 0, 1, 1).data;
  const made: Rgb = [red!, green!, blue!];
  known.set(text, made);
  return made;
}
export const mix = (a: Rgb, b: Rgb, t: number): Rgb => [
  a[0] + (b[0] - a[0]) * t,
  a[1] + (b[1] - a[1]) * t,
  a[2] + (b[2] - a[2]) * t,
];

/** Into a canvas of one pixel for each of the picture's. */
export function paintPicture(
  canvas: HTMLCanvasElement,
  { height, width, channels }: PictureKind,
  values: ArrayLike<number>,
  tone: Tone,
): void {
  canvas.width = width;
  canvas.height = height;
  const g = canvas.getContext("2d")!;
  const image = g.createImageData(width, height);
  const [paper, ink] = [rgb("--paper"), rgb("--ink")];
  const share = (v: number): number => Math.min(1, Math.max(0, (v - tone.paper) / (tone.ink - tone.paper)));
  for (let i = 0; i < width * height; i++) {
    const pixel = image.data.subarray(4 * i, 4 * i + 4);
    if (channels === 1) pixel.set(mix(paper, ink, share(values[i]!)));
    else for (let c = 0; c < 3; c++) pixel[c] = 255 * share(values[channels * i + c]!);
    pixel[3] = 255;
  }
  g.putImageData(image, 0, 0);
}
/** Values of both signs, as a picture of two colours about nothing. */
export function paintSigned(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
  at: (i: number) => number,
  largest: number,
): void {
  canvas.width = width;
  canvas.height = height;
  const g = canvas.getContext("2d")!;
  const image = g.createImageData(width, height);
  const [none, more, less] = [rgb("--card"), rgb("--curve1"), rgb("--curve2")];
  for (let i = 0; i < width * height; i++) {
    const t = Math.max(-1, Math.min(1, at(i) / (largest || 1)));
    image.data.set([...mix(none, t > 0 ? more : less, Math.abs(t)), 255], 4 * i);
  }
  g.putImageData(image, 0, 0);
}
const repainted = new Map<HTMLCanvasElement, () => void>();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [canvas, paint] of repainted)
    if (canvas.isConnected) paint();
    else repainted.delete(canvas);
});
/** Paints now, and again when the theme changes. */
export function painted(canvas: HTMLCanvasElement, paint: () => void): HTMLCanvasElement {
  repainted.set(canvas, paint);
  paint();
  return canvas;
}
export function pictureCanvas(
  kind: PictureKind,
  values: ArrayLike<number>,
  tone: Tone,
  label: string,
  className = "picture",
): HTMLCanvasElement {
  const canvas = make("canvas", undefined, { className, role: "img", ariaLabel: label });
  return painted(canvas, () => paintPicture(canvas, kind, values, tone));
}
