// A plane to click on, with what the model says of every point of it, and a line along which it is asked. In: which numbers are asked for, a way to ask for
// many at once, the data's points. Out: a canvas, the point that was chosen.
import type { Tensor } from "../../../runtime/api.ts";
import { type Frame, horizontalAxis, ticks, verticalAxis } from "./axes.ts";
import { box, color, dragged, endsOf, make, painter, paper, short } from "./dom.ts";
import { classColor } from "./drawing.ts";
import type { Field, Port } from "./kinds.ts";
import { mix, paintPicture, rgb, type Tone } from "./pictures.ts";
import { areShares, argmax, className } from "./results.ts";
import type { Session } from "./session.ts";

export interface Points {
  readonly at: ArrayLike<number>; // pairs on a plane; single numbers along a line
  readonly values?: ArrayLike<number>; // one each
  readonly classes?: boolean; // values are numbers of classes
}
/** Colours of what the model says of many points. */
export interface Shades {
  readonly pixels: (i: number) => readonly [number, number, number];
  readonly legend: readonly { readonly text: string; readonly color: string }[];
}
/** `component`: of results of several numbers, that which is shown. */
export function shadesOf(
  port: Port,
  { data, shape }: Tensor,
  component: number,
  names: readonly string[] | undefined,
): Shades {
  const count = shape[0] ?? 0;
  const width = count ? data.length / count : 1;
  const card = rgb("--card");
  const { kind } = port;
  if (kind.kind === "scores" && kind.field) {
    const shares = areShares(data.slice(0, width));
    const strength = (row: ArrayLike<number>, best: number): number => {
      if (shares) return row[best]!;
      let sum = 0;
      for (let k = 0; k < width; k++) sum += Math.exp(row[k]! - row[best]!);
      return 1 / sum;
    };
    return {
      pixels: (i) => {
        const row = data.subarray(i * width, (i + 1) * width);
        const best = argmax(row);
        return mix(card, classColor(best), 0.12 + 0.5 * Math.max(0, strength(row, best) - 0.2));
      },
      legend: classLegend(width, names),
    };
  }
  if (kind.kind === "class" || kind.kind === "truth") {
    const [low, end] = kind.kind === "class" ? kind.range : [0, 2];
    return { pixels: (i) => mix(card, classColor(data[i]! - low), 0.4), legend: classLegend(end - low, names, low) };
  }
  let [low, high] = [Infinity, -Infinity];
  for (let i = component; i < data.length; i += width) {
    low = Math.min(low, data[i]!);
    high = Math.max(high, data[i]!);
  }
  // of numbers between 0 and 1 the middle is a half
  const unit = low >= 0 && high <= 1;
  const [from, to] = unit ? [0, 1] : [low, high];
  const [less, more] = [rgb("--curve1"), rgb("--curve2")]; // as classes 0 and 1
  return {
    pixels: (i) => {
      const t = (2 * (data[i * width + component]! - from)) / (to - from || 1) - 1;
      return mix(card, t > 0 ? more : less, 0.65 * Math.abs(t));
    },
    legend: [
      { text: short(from), color: "--curve1" },
      { text: short(to), color: "--curve2" },
    ],
  };
}
const classLegend = (count: number, names: readonly string[] | undefined, low = 0): Shades["legend"] =>
  Array.from({ length: Math.min(count, 10) }, (_, i) => ({
    text: className(names, low + i),
    color: `--curve${(i % 5) + 1}`,
  }));

/** What the points of a field are coloured by: a label of the same rows, else a number. */
export function labelsOf(
  session: Session,
  field: Field,
  fields: Readonly<Record<string, Tensor>>,
  except: readonly Field[] = [field],
): Pick<Points, "values" | "classes"> {
  const others = session.fields.filter((f) => f.dataset === field.dataset && !except.includes(f));
  const size = (f: Field): number => f.shape.reduce((n, k) => n * k, 1);
  const label =
    others.find((f) => f.dtype === "i32" && f.shape.length === 0 && f.range) ??
    others.find((f) => f.dtype === "f32" && size(f) === 1);
  const values = label && fields[label.name];
  return values ? { values: values.data, classes: label.dtype === "i32" } : {};
}

type Ends = readonly [low: number, high: number];
export interface PlaneOptions {
  readonly names: readonly [string, string];
  readonly label: string;
  readonly chosen?: () => void; // absent: nothing is to be chosen
}
export class Plane {
  readonly node: HTMLElement;
  ends: readonly [Ends, Ends] = [
    [-3, 3],
    [-3, 3],
  ];
  point: [number, number] = [0, 0];
  points: Points | undefined;
  /** What the model gave, over the data's points. */
  cloud: ArrayLike<number> | undefined;
  readonly #canvas: HTMLCanvasElement;
  readonly #legend = box("legend");
  readonly #options: PlaneOptions;
  readonly draw: () => void;
  #marked = false;
  #map: { readonly side: number; readonly shades: Shades } | undefined;
  #tiles: ((g: CanvasRenderingContext2D, frame: Frame) => void) | undefined;
  constructor(options: PlaneOptions) {
    this.#options = options;
    const { chosen } = options;
    this.#canvas = make("canvas", undefined, {
      className: "plane",
      role: chosen ? "application" : "img",
      ariaLabel: chosen ? `${options.label}: click a point, or move it with the arrow keys` : options.label,
      ...(chosen ? { tabIndex: 0 } : {}),
    });
    this.draw = painter(this.#canvas, () => this.#paint());
    this.node = box("", this.#canvas, this.#legend);
    if (chosen) this.#listen(chosen);
  }
  #frame(): Frame {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    return { left: 44, right: width - 10, top: 28, bottom: height - 26 };
  }
  #listen(chosen: () => void): void {
    const set = (event: PointerEvent): void => {
      const place = this.#canvas.getBoundingClientRect();
      const { left, right, top, bottom } = this.#frame();
      const share = [
        (event.clientX - place.left - left) / (right - left),
        (bottom - event.clientY + place.top) / (bottom - top),
      ];
      this.point = [0, 1].map((d) => {
        const [low, high] = this.ends[d]!;
        return low + Math.min(1, Math.max(0, share[d]!)) * (high - low);
      }) as [number, number]; // two, of two
      this.draw();
      chosen();
    };
    dragged(this.#canvas, set);
    this.#canvas.addEventListener("keydown", (event) => {
      const moves: Readonly<Record<string, readonly [0 | 1, number]>> = {
        ArrowLeft: [0, -1],
        ArrowRight: [0, 1],
        ArrowDown: [1, -1],
        ArrowUp: [1, 1],
      };
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      const [d, sign] = move;
      const [low, high] = this.ends[d];
      this.point[d] = Math.min(high, Math.max(low, this.point[d] + (sign * (high - low)) / (event.shiftKey ? 10 : 40)));
      this.draw();
      chosen();
    });
  }
  /** One point among them. */
  mark(point: [number, number]): void {
    this.point = point;
    this.#marked = true;
    this.draw();
  }
  /** The plane holds all of these points, with room around them. */
  fit(pairs: ArrayLike<number>): void {
    const ends = [0, 1].map((d): Ends => {
      let [low, high] = [Infinity, -Infinity];
      for (let i = d; i < pairs.length; i += 2) {
        if (!Number.isFinite(pairs[i]!)) continue;
        low = Math.min(low, pairs[i]!);
        high = Math.max(high, pairs[i]!);
      }
      if (!(high >= low)) return [-1, 1];
      const margin = 0.15 * (high - low) || 1;
      return [low - margin, high + margin];
    });
    this.ends = [ends[0]!, ends[1]!];
    this.draw();
  }
  /** Points of a grid of side x side, from the lower left on, row by row. */
  grid(side: number): Float32Array {
    const out = new Float32Array(2 * side * side);
    for (let i = 0; i < side * side; i++)
      for (const d of [0, 1] as const) {
        const [low, high] = this.ends[d];
        const k = d === 0 ? i % side : Math.floor(i / side);
        out[2 * i + d] = low + ((k + 0.5) / side) * (high - low);
      }
    return out;
  }
  showMap(side: number, shades: Shades): void {
    this.#map = { side, shades };
    this.#tiles = undefined;
    this.#legend.replaceChildren(
      ...shades.legend.map(({ text, color: of }) => {
        const key = make("span", text, { className: "area" });
        key.style.setProperty("--key", `var(${of})`);
        return key;
      }),
    );
    this.draw();
  }
  /** Pictures instead of colours. */
  showTiles(side: number, port: Port, values: ArrayLike<number>, tone: Tone): void {
    const { kind } = port;
    if (kind.kind !== "picture") return;
    const size = kind.height * kind.width * kind.channels;
    const all = Array.from(values);
    this.#map = undefined;
    this.#tiles = (g, { left, right, top, bottom }) => {
      const small = make("canvas");
      const [w, h] = [(right - left) / side, (bottom - top) / side];
      g.imageSmoothingEnabled = false;
      for (let i = 0; i < side * side; i++) {
        paintPicture(small, kind, all.slice(i * size, (i + 1) * size), tone);
        const inner = Math.min(w, h) - 2;
        g.drawImage(
          small,
          left + (i % side) * w + (w - inner) / 2,
          bottom - (Math.floor(i / side) + 1) * h + (h - inner) / 2,
          inner,
          inner,
        );
      }
    };
    this.draw();
  }
  #paint(): void {
    const sheet = paper(this.#canvas);
    if (!sheet) return;
    const { g } = sheet;
    const frame = this.#frame();
    const [[x0, x1], [y0, y1]] = this.ends;
    const x = (v: number): number => frame.left + ((frame.right - frame.left) * (v - x0)) / (x1 - x0);
    const y = (v: number): number => frame.bottom - ((frame.bottom - frame.top) * (v - y0)) / (y1 - y0);
    if (this.#map) paintMap(g, frame, this.#map.side, this.#map.shades);
    this.#tiles?.(g, frame);
    const lines = !this.#map && !this.#tiles;
    verticalAxis(g, frame, { title: this.#options.names[1], marks: ticks(y0, y1, 5), at: y, lines });
    horizontalAxis(g, frame, { title: this.#options.names[0], marks: ticks(x0, x1, 5), at: x, lines });
    g.save();
    g.beginPath();
    g.rect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
    g.clip();
    if (!this.#tiles) this.#paintPoints(g, x, y);
    if (this.#options.chosen || this.#marked) marker(g, x(this.point[0]), y(this.point[1]));
    g.restore();
  }
  #paintPoints(g: CanvasRenderingContext2D, x: (v: number) => number, y: (v: number) => number): void {
    const { points, cloud } = this;
    const dot = (at: ArrayLike<number>, i: number, radius: number): void => {
      g.beginPath();
      g.arc(x(at[2 * i]!), y(at[2 * i + 1]!), radius, 0, 7);
      g.fill();
    };
    if (points) {
      const colors = pointColors(points);
      g.strokeStyle = color("--card");
      g.lineWidth = 1;
      for (let i = 0; i < points.at.length / 2; i++) {
        g.fillStyle = cloud ? color("--faint") : colors(i);
        g.globalAlpha = cloud ? 0.5 : 1;
        dot(points.at, i, cloud ? 2 : 3.2);
        if (!cloud) g.stroke();
      }
      g.globalAlpha = 1;
    }
    if (!cloud) return;
    g.fillStyle = color("--curve1");
    g.globalAlpha = 0.75;
    for (let i = 0; i < cloud.length / 2; i++) dot(cloud, i, 2.4);
    g.globalAlpha = 1;
  }
}
function paintMap(g: CanvasRenderingContext2D, frame: Frame, side: number, { pixels }: Shades): void {
  const small = make("canvas", undefined, { width: side, height: side });
  const inner = small.getContext("2d")!;
  const image = inner.createImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    const at = (side - 1 - Math.floor(i / side)) * side + (i % side);
    image.data.set([...pixels(i), 255], 4 * at);
  }
  inner.putImageData(image, 0, 0);
  g.imageSmoothingEnabled = true;
  g.imageSmoothingQuality = "high";
  g.drawImage(small, frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
}
function marker(g: CanvasRenderingContext2D, x: number, y: number): void {
  for (const [radius, of, width] of [
    [8, "--card", 5],
    [8, "--text", 2.5],
  ] as const) {
    g.beginPath();
    g.arc(x, y, radius, 0, 7);
    g.strokeStyle = color(of);
    g.lineWidth = width;
    g.stroke();
  }
}
/** Classes have a colour each, numbers one between two. */
function pointColors({ values, classes }: Points): (i: number) => string {
  if (!values) return () => color("--curve1");
  const css = ([r, g, b]: readonly number[]): string => `rgb(${r} ${g} ${b})`;
  if (classes) return (i) => css(classColor(values[i]!));
  const [low, high] = endsOf(values);
  const [less, more] = [rgb("--curve1"), rgb("--curve2")]; // as classes 0 and 1
  return (i) => css(mix(less, more, (values[i]! - low) / (high - low || 1)));
}

/** What the model says along one number, with the data's points. */
export class Line {
  readonly node: HTMLElement;
  ends: Ends = [-3, 3];
  at = 0;
  points: Points | undefined;
  curves: readonly { readonly name: string; readonly values: ArrayLike<number> }[] = [];
  readonly draw: () => void;
  readonly #canvas: HTMLCanvasElement;
  readonly #legend = box("legend");
  readonly #name: string;
  constructor(name: string, label: string, chosen: () => void) {
    this.#name = name;
    this.#canvas = make("canvas", undefined, {
      className: "plane",
      role: "application",
      tabIndex: 0,
      ariaLabel: `${label}: click a place, or move it with the left and right arrow keys`,
    });
    this.draw = painter(this.#canvas, () => this.#paint());
    this.node = box("", this.#canvas, this.#legend);
    const set = (event: PointerEvent): void => {
      const place = this.#canvas.getBoundingClientRect();
      const share = (event.clientX - place.left - 46) / (place.width - 56);
      this.at = this.ends[0] + Math.min(1, Math.max(0, share)) * (this.ends[1] - this.ends[0]);
      this.draw();
      chosen();
    };
    dragged(this.#canvas, set);
    this.#canvas.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      event.preventDefault();
      const step = (this.ends[1] - this.ends[0]) / (event.shiftKey ? 10 : 60);
      this.at = Math.min(this.ends[1], Math.max(this.ends[0], this.at + (event.key === "ArrowLeft" ? -step : step)));
      this.draw();
      chosen();
    });
  }
  fit(values: ArrayLike<number>): void {
    const all = Array.from(values).filter(Number.isFinite);
    if (!all.length) return;
    const [low, high] = endsOf(all);
    const margin = 0.15 * (high - low) || 1;
    this.ends = [low - margin, high + margin];
    this.draw();
  }
  grid(count: number): Float32Array {
    return Float32Array.from(
      { length: count },
      (_, i) => this.ends[0] + ((this.ends[1] - this.ends[0]) * i) / (count - 1),
    );
  }
  show(curves: Line["curves"]): void {
    this.curves = curves;
    this.#legend.replaceChildren(
      ...(curves.length > 1 ? curves : []).map(({ name }, i) => {
        const key = make("span", name);
        key.style.setProperty("--key", `var(--curve${(i % 5) + 1})`);
        return key;
      }),
    );
    this.draw();
  }
  #paint(): void {
    const sheet = paper(this.#canvas);
    if (!sheet) return;
    const { g, width, height } = sheet;
    const frame = { left: 46, right: width - 10, top: 28, bottom: height - 26 };
    const { points, curves, ends } = this;
    const all = [...curves.flatMap((c) => Array.from(c.values)), ...Array.from(points?.values ?? [])].filter(
      Number.isFinite,
    );
    let [low, high] = all.length ? endsOf(all) : [0, 1];
    const margin = 0.06 * (high - low) || 0.5;
    [low, high] = [low - margin, high + margin];
    const x = (v: number): number => frame.left + ((frame.right - frame.left) * (v - ends[0])) / (ends[1] - ends[0]);
    const y = (v: number): number => frame.bottom - ((frame.bottom - frame.top) * (v - low)) / (high - low);
    verticalAxis(g, frame, { title: curves.length === 1 ? curves[0]!.name : "", marks: ticks(low, high, 5), at: y });
    horizontalAxis(g, frame, { title: this.#name, marks: ticks(...ends, 6), at: x });
    if (points?.values) {
      g.fillStyle = color("--faint");
      g.globalAlpha = 0.6;
      for (let i = 0; i < points.at.length; i++) {
        g.beginPath();
        g.arc(x(points.at[i]!), y(points.values[i]!), 2.4, 0, 7);
        g.fill();
      }
      g.globalAlpha = 1;
    }
    curves.forEach(({ values }, k) => {
      g.strokeStyle = g.fillStyle = color(`--curve${(k % 5) + 1}`);
      g.lineWidth = 2.2;
      g.lineJoin = "round";
      g.beginPath();
      for (let i = 0; i < values.length; i++)
        g.lineTo(frame.left + ((frame.right - frame.left) * i) / (values.length - 1), y(values[i]!));
      g.stroke();
      const place = Math.round(((this.at - ends[0]) / (ends[1] - ends[0])) * (values.length - 1));
      if (values.length) marker(g, x(this.at), y(values[Math.min(values.length - 1, Math.max(0, place))]!));
    });
  }
}
