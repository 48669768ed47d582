// A picture to draw, to drop or to take from the data. In: its kind, the data's pictures, for what ink and paper are. Out: the pixels that a model gets.
import { box, button, color, labelled, make, painter, paper } from "./dom.ts";
import type { Control } from "./control.ts";
import type { PictureKind } from "./kinds.ts";
import { paintPicture, painted, rgb, type Tone, toneOf, unitTone } from "./pictures.ts";

/** Where the ink of the data's pictures lies, in pixels, and how wide a pen draws as much of it as they have. */
export interface Habits {
  readonly tone: Tone;
  readonly pen: number;
  readonly box?: { readonly top: number; readonly left: number; readonly height: number; readonly width: number };
}
function habitsOf(kind: PictureKind, values: ArrayLike<number>): Habits {
  const { height, width, channels } = kind;
  const tone = toneOf(kind, values);
  const usual = { tone, pen: 0.11 * Math.min(height, width) };
  const size = height * width;
  const count = Math.floor(values.length / size);
  if (channels !== 1 || !count) return usual;
  const sum = { top: 0, left: 0, bottom: 0, right: 0, ink: 0, pictures: 0 };
  for (let k = 0; k < count; k++) {
    const edges = { top: height, left: width, bottom: 0, right: 0, ink: 0 };
    for (let i = 0; i < size; i++) {
      const ink = (values[k * size + i]! - tone.paper) / (tone.ink - tone.paper);
      edges.ink += ink;
      if (ink < 0.25) continue;
      const [y, x] = [Math.floor(i / width), i % width];
      edges.top = Math.min(edges.top, y);
      edges.bottom = Math.max(edges.bottom, y + 1);
      edges.left = Math.min(edges.left, x);
      edges.right = Math.max(edges.right, x + 1);
    }
    if (edges.bottom <= edges.top) continue;
    for (const key of ["top", "left", "bottom", "right", "ink"] as const) sum[key] += edges[key];
    sum.pictures++;
  }
  const n = sum.pictures;
  if (!n) return usual;
  // strokes on paper, not photographs: most of a picture is empty
  if (sum.ink / n > 0.5 * size) return usual;
  const high = (sum.bottom - sum.top) / n;
  const pen = sum.ink / n / (2.3 * high); // the way of a letter is about so often its height
  const side = Math.min(height, width);
  return {
    tone,
    pen: Math.min(0.2 * side, Math.max(0.06 * side, pen)),
    box: { top: sum.top / n, left: sum.left / n, height: high, width: (sum.right - sum.left) / n },
  };
}

interface Stroke {
  readonly points: [x: number, y: number][]; // in shares of the canvas
  readonly color: string; // of pictures with channels
  readonly erases: boolean;
}
export class Drawing implements Control {
  readonly node: HTMLElement;
  readonly #kind: PictureKind;
  readonly #changed: () => void;
  readonly #canvas: HTMLCanvasElement;
  readonly #preview: HTMLCanvasElement;
  readonly #draw: () => void;
  readonly #fit = make("input", undefined, { type: "checkbox", checked: true });
  readonly #erase = make("input", undefined, { type: "checkbox" });
  readonly #ink = make("input", undefined, { type: "color", value: "#000000" });
  readonly #fitField: HTMLElement;
  #habits: Habits;
  #strokes: Stroke[] = [];
  #base: Float32Array | undefined; // what is drawn upon
  #cursor: [x: number, y: number] | undefined; // of the keyboard

  constructor(name: string, kind: PictureKind, changed: () => void) {
    this.#kind = kind;
    this.#changed = changed;
    this.#habits = { tone: unitTone, pen: 0.11 * Math.min(kind.height, kind.width) };
    this.#canvas = make("canvas", undefined, {
      className: "drawing",
      tabIndex: 0,
      role: "application",
      ariaLabel: `${name}, a picture of ${kind.height} by ${kind.width}: draw with the pointer, or move with the arrow keys and draw with the space bar`,
    });
    this.#canvas.style.aspectRatio = `${kind.width} / ${kind.height}`;
    this.#preview = make("canvas", undefined, {
      className: "picture preview",
      role: "img",
      ariaLabel: `${name} as the model gets it`,
    });
    this.#draw = painter(this.#canvas, () => this.#paint());
    this.#fitField = make("label", undefined, { className: "check", hidden: true }, [
      this.#fit,
      "as large as those of the data",
    ]);
    const file = make("input", undefined, { type: "file", accept: "image/*", className: "visually-hidden" });
    file.addEventListener("change", () => file.files?.[0] && void this.open(file.files[0]));
    const open = make("label", "Picture …", { className: "button small" });
    open.prepend(file);
    this.#fit.addEventListener("change", () => this.#update());
    const eraser = make("label", undefined, { className: "check" }, [this.#erase, "eraser"]);
    const tools = box(
      "row",
      button("Clear", () => this.clear(), "small"),
      open,
      eraser,
    );
    if (kind.channels > 1) tools.append(labelled("ink", this.#ink));
    const seen = box("seen", this.#preview, make("span", "what the model gets", { className: "note" }));
    this.node = box("draw", box("row nowrap", this.#canvas, seen), tools, this.#fitField);
    painted(this.#preview, () => this.#show());
    this.#listen();
  }
  #listen(): void {
    const canvas = this.#canvas;
    const place = (event: PointerEvent): [number, number] => {
      const rect = canvas.getBoundingClientRect();
      return [(event.clientX - rect.left) / rect.width, (event.clientY - rect.top) / rect.height];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      canvas.focus({ preventScroll: true });
      this.#cursor = undefined;
      this.#begin(place(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      for (const e of event.getCoalescedEvents?.() ?? [event]) this.#strokes.at(-1)?.points.push(place(e));
      this.#update();
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => {
      this.#cursor = undefined;
      this.#draw();
    });
    canvas.addEventListener("dragover", (event) => event.preventDefault());
    canvas.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation();
      const [dropped] = event.dataTransfer?.files ?? [];
      if (dropped) void this.open(dropped);
    });
  }
  #begin(at: [number, number]): void {
    this.#strokes.push({ points: [at], color: this.#ink.value, erases: this.#erase.checked });
    this.#update();
  }
  #key(event: KeyboardEvent): void {
    const { height, width } = this.#kind;
    const moves: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const move = moves[event.key];
    const at = this.#cursor ?? [0.5 + 0.5 / width, 0.5 + 0.5 / height];
    const within = (x: number): number => Math.min(0.999, Math.max(0.001, x));
    if (move) {
      const to: [number, number] = [within(at[0] + move[0] / width), within(at[1] + move[1] / height)];
      if (event.shiftKey && this.#strokes.length) this.#strokes.at(-1)!.points.push(to);
      this.#cursor = to;
      if (event.shiftKey) this.#update();
    } else if (event.key === " " || event.key === "Enter") {
      this.#cursor = [at[0], at[1]];
      this.#begin([at[0], at[1]]);
    } else if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else return;
    event.preventDefault();
    this.#draw();
  }
  clear(): void {
    this.#strokes = [];
    this.#base = undefined;
    this.#update();
  }
  get isEmpty(): boolean {
    return !this.#strokes.length && !this.#base;
  }
  /** What the data's pictures look like. */
  learn(values: ArrayLike<number>): void {
    this.#habits = habitsOf(this.#kind, values);
    this.#fitField.hidden = this.#habits.box === undefined;
    this.#update(false);
  }
  fill(values: ArrayLike<number>): void {
    this.#strokes = [];
    this.#base = Float32Array.from(values);
    this.#update();
  }
  /** A picture file, cut to the shape and made as small. */
  async open(file: Blob): Promise<void> {
    const { height, width, channels } = this.#kind;
    const picture = await createImageBitmap(file).catch(() => undefined);
    if (!picture) return;
    const scale = Math.max(width / picture.width, height / picture.height);
    const [w, h] = [picture.width * scale, picture.height * scale];
    const g = make("canvas", undefined, { width, height }).getContext("2d", { willReadFrequently: true })!;
    g.imageSmoothingQuality = "high";
    g.fillStyle = "#fff";
    g.fillRect(0, 0, width, height);
    g.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
    const { data } = g.getImageData(0, 0, width, height);
    const { paper: from, ink: to } = this.#habits.tone;
    const at = (i: number, c: number): number => data[4 * i + c]! / 255;
    const grey = Array.from({ length: width * height }, (_, i) => 0.3 * at(i, 0) + 0.59 * at(i, 1) + 0.11 * at(i, 2));
    // what lies around the edges is paper: dark on white and white on dark are the same picture
    const edge = grey.filter((_, i) => i < width || i >= grey.length - width || i % width === 0).sort((a, b) => a - b);
    const light = edge[Math.floor(edge.length / 2)]! > 0.5;
    this.fill(
      channels === 1
        ? grey.map((v) => from + (to - from) * (light ? 1 - v : v))
        : Array.from({ length: width * height * channels }, (_, i) => {
            const c = i % channels;
            return from + (to - from) * (c === 3 ? 1 : at(Math.floor(i / channels), c));
          }),
    );
  }
  value(): Float32Array {
    const { height, width, channels } = this.#kind;
    const { tone } = this.#habits;
    const out = new Float32Array(height * width * channels).fill(channels === 1 ? tone.paper : tone.ink);
    if (this.#base) out.set(this.#base);
    const fitted = this.#fitting();
    for (const stroke of this.#strokes) {
      const cover = this.#cover(stroke, fitted);
      const goal = stroke.erases
        ? new Array<number>(channels).fill(channels === 1 ? tone.paper : tone.ink)
        : this.#inkOf(stroke);
      for (let i = 0; i < out.length; i++) {
        const share = cover[Math.floor(i / channels)]!;
        out[i]! += (goal[i % channels]! - out[i]!) * share;
      }
    }
    return out;
  }
  #inkOf(stroke: Stroke): readonly number[] {
    const { tone } = this.#habits;
    if (this.#kind.channels === 1) return [tone.ink];
    const parts = [1, 3, 5].map((at) => parseInt(stroke.color.slice(at, at + 2), 16) / 255);
    return [...parts, 1].map((v) => tone.paper + (tone.ink - tone.paper) * v);
  }
  /** From shares of the canvas to pixels: as drawn, or so that the drawing lies where those of the data do. */
  #fitting(): (point: readonly [number, number]) => readonly [number, number] {
    const { height, width } = this.#kind;
    const { box: usual, pen } = this.#habits;
    const points = this.#strokes.filter((s) => !s.erases).flatMap((s) => s.points);
    if (!usual || this.#base || !this.#fit.checked || !points.length) return ([x, y]) => [x * width, y * height];
    const ends = (d: 0 | 1, side: number): [number, number] => {
      const all = points.map((p) => p[d] * side);
      return [Math.min(...all), Math.max(...all)];
    };
    const [[x0, x1], [y0, y1]] = [ends(0, width), ends(1, height)];
    const [high, wide] = [Math.max(y1 - y0, 0.02 * height), Math.max(x1 - x0, 0.02 * width)];
    const scale = Math.min((usual.height - pen) / high, Math.max(1.35 * usual.width - pen, 1) / wide, 6);
    const [cx, cy] = [usual.left + usual.width / 2, usual.top + usual.height / 2];
    return ([x, y]) => [cx + (x * width - (x0 + x1) / 2) * scale, cy + (y * height - (y0 + y1) / 2) * scale];
  }
  /** How much of each pixel a stroke covers. */
  #cover(stroke: Stroke, fitted: (point: readonly [number, number]) => readonly [number, number]): Float32Array {
    const { height, width } = this.#kind;
    const fine = Math.max(2, Math.ceil(224 / Math.max(height, width)));
    const canvas = make("canvas", undefined, { width: width * fine, height: height * fine });
    const g = canvas.getContext("2d", { willReadFrequently: true })!;
    g.scale(fine, fine);
    trace(g, stroke.points.map(fitted), this.#habits.pen * (stroke.erases ? 2 : 1));
    const { data } = g.getImageData(0, 0, canvas.width, canvas.height);
    const out = new Float32Array(width * height);
    for (let y = 0; y < canvas.height; y++)
      for (let x = 0; x < canvas.width; x++)
        out[Math.floor(y / fine) * width + Math.floor(x / fine)]! += data[4 * (y * canvas.width + x) + 3]! / 255;
    return out.map((sum) => sum / fine ** 2);
  }
  #update(tell = true): void {
    this.#draw();
    this.#show();
    if (tell) this.#changed();
  }
  #show(): void {
    paintPicture(this.#preview, this.#kind, this.value(), this.#habits.tone);
  }
  #paint(): void {
    const sheet = paper(this.#canvas);
    if (!sheet) return;
    const { g, width, height } = sheet;
    const kind = this.#kind;
    g.fillStyle = kind.channels === 1 ? color("--paper") : "#fff";
    g.fillRect(0, 0, width, height);
    if (this.#base) {
      const small = make("canvas");
      paintPicture(small, kind, this.#base, this.#habits.tone);
      g.imageSmoothingEnabled = false;
      g.drawImage(small, 0, 0, width, height);
    }
    const [ground, ink] = [color("--paper"), color("--ink")];
    for (const s of this.#strokes) {
      g.strokeStyle = g.fillStyle = s.erases ? ground : kind.channels === 1 ? ink : s.color;
      const pen = (this.#habits.pen / kind.width) * width * (s.erases ? 2 : 1);
      trace(
        g,
        s.points.map(([x, y]) => [x * width, y * height] as const),
        pen,
      );
    }
    if (this.isEmpty) {
      g.fillStyle = color("--quiet");
      g.textAlign = "center";
      g.textBaseline = "middle";
      g.font = `14px ${getComputedStyle(document.body).fontFamily}`;
      g.fillText("draw here", width / 2, height / 2);
    }
    if (this.#cursor) {
      const [w, h] = [width / kind.width, height / kind.height];
      g.strokeStyle = color("--accent");
      g.lineWidth = 2;
      g.strokeRect(this.#cursor[0] * width - w / 2, this.#cursor[1] * height - h / 2, w, h);
    }
  }
}
function trace(g: CanvasRenderingContext2D, points: readonly (readonly [number, number])[], pen: number): void {
  const [first] = points;
  if (!first) return;
  g.lineWidth = pen;
  g.lineCap = g.lineJoin = "round";
  g.beginPath();
  g.moveTo(...first);
  for (const point of points) g.lineTo(...point);
  if (points.length === 1) g.lineTo(first[0] + 1e-3, first[1]);
  g.stroke();
}
/** The colour of a class, of five. */
export const classColor = (i: number): readonly [number, number, number] => rgb(`--curve${(i % 5) + 1}`);
