// Curves by step. A chart keeps every series in at most `most` buckets of (count, mean, least, largest); buckets are joined in pairs when there are more.
// In: a section of page.html, values by step. Out: its canvas, its legend, what is under the pointer.
import { horizontalAxis, ticks, verticalAxis } from "./axes.ts";
import { color, figure, fontFamily, make, painter, paper, whole } from "./dom.ts";

const most = 2048;
export interface Series {
  readonly name: string;
  readonly points: boolean; // measured at some steps, rather than in every one
  readonly color: string;
  perBucket: number;
  filled: number;
  steps: number[];
  mean: number[];
  least: number[];
  largest: number[];
}
export function add(s: Series, step: number, value: number): void {
  if (!Number.isFinite(value)) return;
  const last = s.mean.length - 1;
  if (s.points || last < 0 || s.filled >= s.perBucket) {
    for (const list of [s.mean, s.least, s.largest]) list.push(value);
    s.steps.push(step);
    s.filled = 1;
    if (s.mean.length > most) halve(s);
    return;
  }
  s.filled += 1;
  s.steps[last] = step;
  s.mean[last]! += (value - s.mean[last]!) / s.filled;
  s.least[last] = Math.min(s.least[last]!, value);
  s.largest[last] = Math.max(s.largest[last]!, value);
}
function halve(s: Series): void {
  const pair = (list: readonly number[], join: (a: number, b: number) => number): number[] => {
    const out: number[] = [];
    for (let i = 0; i < list.length; i += 2) out.push(i + 1 < list.length ? join(list[i]!, list[i + 1]!) : list[i]!);
    return out;
  };
  s.steps = pair(s.steps, (_, b) => b);
  s.mean = pair(s.mean, (a, b) => (a + b) / 2);
  s.least = pair(s.least, Math.min);
  s.largest = pair(s.largest, Math.max);
  s.filled = s.mean.length % 2 ? 1 : s.perBucket;
  s.perBucket *= 2;
}
/** What the eye follows: the mean of the neighbourhood, about 2 % of what there is, evenly to both sides. */
function smoothed(s: Series): readonly number[] {
  const count = s.mean.length;
  const reach = Math.ceil(count / 100);
  const sums = [0];
  for (const value of s.mean) sums.push(sums.at(-1)! + value);
  return s.mean.map((_, i) => {
    const r = Math.min(reach, i, count - 1 - i);
    return (sums[i + r + 1]! - sums[i - r]!) / (2 * r + 1);
  });
}
const shownValues = (s: Series): readonly number[] => (s.points ? s.mean : smoothed(s));
function nearest(s: Series, step: number): number {
  let best = 0;
  s.steps.forEach((x, i) => {
    if (Math.abs(x - step) < Math.abs(s.steps[best]! - step)) best = i;
  });
  return best;
}

export interface ChartOptions {
  readonly title: string;
  readonly unit: string; // of the vertical axis
  readonly logarithmic?: boolean; // by itself, where the values reach far
  readonly share?: boolean; // values up to 1 end at 1
}
export class Chart {
  readonly lines = new Map<string, Series>();
  steps = 1;
  log: boolean | undefined;
  readonly draw: () => void;
  readonly #section: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #tip: HTMLElement;
  readonly #legend: HTMLElement;
  readonly #options: ChartOptions;
  #at: number | undefined; // the step under the pointer

  constructor(section: HTMLElement, options: ChartOptions) {
    const part = <T extends HTMLElement>(selector: string): T => section.querySelector<T>(selector)!;
    this.#section = section;
    this.#canvas = part("canvas");
    this.#tip = part(".tip");
    this.#legend = part(".legend");
    this.#options = options;
    this.draw = painter(this.#canvas, () => this.#paint());
    const point = (event: PointerEvent): void => {
      const place = this.#canvas.getBoundingClientRect();
      const share = (event.clientX - place.left - left) / (place.width - left - 8);
      this.#at = share < 0 || share > 1 ? undefined : share * Math.max(this.steps, 1);
      this.draw();
    };
    this.#canvas.addEventListener("pointermove", point);
    this.#canvas.addEventListener("pointerdown", point);
    this.#canvas.addEventListener("pointerleave", () => {
      this.#at = undefined;
      this.draw();
    });
  }
  line(name: string, points = false): Series {
    const known = this.lines.get(name);
    if (known) return known;
    const of = `--curve${(this.lines.size % 5) + 1}`;
    const key = make("span", name, { className: points ? "points" : "" });
    key.style.setProperty("--key", `var(${of})`);
    this.#legend.append(key);
    const made: Series = {
      name,
      points,
      color: of,
      perBucket: 1,
      filled: 0,
      steps: [],
      mean: [],
      least: [],
      largest: [],
    };
    this.lines.set(name, made);
    return made;
  }
  clear(): void {
    this.lines.clear();
    this.#legend.replaceChildren();
    this.#at = undefined;
    this.#tip.hidden = true;
    this.steps = 1;
    this.draw();
  }
  isLog(): boolean {
    const filled = [...this.lines.values()].filter((s) => s.mean.length);
    const least = Math.min(...filled.map((s) => Math.min(...s.least)));
    const largest = Math.max(...filled.map((s) => Math.max(...s.largest)));
    return filled.length > 0 && least > 0 && (this.log ?? (this.#options.logarithmic === true && largest > 12 * least));
  }

  #paint(): void {
    const sheet = paper(this.#canvas);
    if (!sheet) return;
    const { g, width, height } = sheet;
    const frame = { left, right: width - 8, top: 26, bottom: height - 24 };
    const lines = [...this.lines.values()].filter((s) => s.mean.length);
    const log = this.isLog();
    const [low, high] = this.#range(lines, log);
    const steps = Math.max(this.steps, ...lines.map((s) => s.steps.at(-1)!), 1);
    const x = (step: number): number => left + ((frame.right - left) * step) / steps;
    const share = (v: number): number =>
      log ? Math.log(Math.max(v, low) / low) / Math.log(high / low) : (v - low) / (high - low);
    const y = (value: number): number => frame.bottom - (frame.bottom - frame.top) * share(value);
    if (lines.length) {
      verticalAxis(g, frame, { title: this.#options.unit, marks: ticks(low, high, 5, log), at: y });
      const marks = ticks(0, steps, Math.max(3, Math.min(8, width / 90))).filter(Number.isInteger);
      horizontalAxis(g, frame, { title: "step", marks, at: x, text: whole });
    } else {
      g.fillStyle = color("--quiet");
      g.textBaseline = "middle";
      g.textAlign = "center";
      g.font = `13px ${fontFamily()}`;
      g.fillText("the curve appears here", width / 2, height / 2);
    }
    g.save();
    g.beginPath();
    g.rect(left, frame.top - 4, frame.right - left + 8, frame.bottom - frame.top + 8);
    g.clip();
    for (const s of lines) paintSeries(g, s, x, y);
    g.restore();
    this.#showTip(g, lines, x, frame, width);
    const texts = lines.map((s) => `${s.name} ${figure(s.mean.at(-1)!)}`);
    this.#canvas.setAttribute(
      "aria-label",
      `${this.#options.title} by step: ${texts.length ? `${texts.join(", ")} at step ${lines[0]!.steps.at(-1)}` : "nothing yet"}`,
    );
  }
  /** The range follows the means: a few wild batches are cut off rather than everything else flattened. */
  #range(lines: readonly Series[], log: boolean): [low: number, high: number] {
    let [low, high] = [Infinity, -Infinity];
    for (const s of lines)
      for (const value of s.mean) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    if (!lines.length) return [0, 1];
    if (low === high) {
      low -= Math.abs(low) / 2 || 0.5;
      high += Math.abs(high) / 2 || 0.5;
    }
    if (log) return [low / 1.15, high * 1.15];
    const margin = (high - low) * 0.06;
    const most = this.#options.share && high <= 1 && low >= 0 ? Math.min(1, high + margin) + 0.01 : high + margin;
    return [low >= 0 && low < margin ? 0 : low - margin, most];
  }
  #showTip(
    g: CanvasRenderingContext2D,
    lines: readonly Series[],
    x: (step: number) => number,
    frame: { readonly top: number; readonly bottom: number },
    width: number,
  ): void {
    const step = this.#at;
    const [first] = lines;
    this.#tip.hidden = step === undefined || !first;
    if (step === undefined || !first) return;
    const at = Math.round(x(step)) + 0.5;
    g.strokeStyle = color("--faint");
    g.lineWidth = 1;
    g.beginPath();
    g.moveTo(at, frame.top);
    g.lineTo(at, frame.bottom);
    g.stroke();
    this.#tip.textContent = [
      `step ${whole(first.steps[nearest(first, step)]!)}`,
      ...lines.map((s) => `${s.name} ${figure(shownValues(s)[nearest(s, step)]!)}`),
    ].join("\n");
    this.#tip.style.left = `${Math.max(0, Math.min(at + 12, width - this.#tip.offsetWidth - 4))}px`;
    this.#tip.style.top = "10px";
  }
  /** Shown where there is something to show. */
  set hidden(hidden: boolean) {
    this.#section.hidden = hidden;
  }
}
const left = 44;

function paintSeries(
  g: CanvasRenderingContext2D,
  s: Series,
  x: (step: number) => number,
  y: (value: number) => number,
): void {
  g.strokeStyle = g.fillStyle = color(s.color);
  g.lineJoin = "round";
  if (!s.points) {
    g.globalAlpha = 0.18;
    g.beginPath();
    s.steps.forEach((step, i) => g.lineTo(x(step), y(s.largest[i]!)));
    for (let i = s.steps.length - 1; i >= 0; i--) g.lineTo(x(s.steps[i]!), y(s.least[i]!));
    g.fill();
    if (s.perBucket === 1) {
      g.globalAlpha = 0.28;
      g.lineWidth = 1;
      g.beginPath();
      s.steps.forEach((step, i) => g.lineTo(x(step), y(s.mean[i]!)));
      g.stroke();
    }
  }
  g.globalAlpha = 1;
  g.lineWidth = 2;
  g.beginPath();
  shownValues(s).forEach((value, i) => g.lineTo(x(s.steps[i]!), y(value)));
  g.stroke();
  if (!s.points) return;
  for (let i = 0; i < s.steps.length; i++) {
    g.beginPath();
    g.arc(x(s.steps[i]!), y(s.mean[i]!), s.steps.length > 60 ? 2 : 3.5, 0, 7);
    g.fill();
  }
}
