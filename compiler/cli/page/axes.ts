// Axes: where their marks are, how they are drawn. In: a range of values, a place on a canvas. Out: marks, lines, titles.
import { color, fontFamily, short } from "./dom.ts";

export function ticks(low: number, high: number, count: number, log = false): number[] {
  const found: number[] = [];
  if (log) {
    const decades = Math.log10(high / low);
    const inside = decades > 3 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 5];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
      for (const m of inside) {
        const t = m * 10 ** e;
        if (t >= low && t <= high) found.push(t);
      }
    return found;
  }
  const raw = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const off = (m: number): number => Math.abs(Math.log((m * unit) / raw));
  const step = unit * [1, 2, 5, 10].reduce((best, m) => (off(m) < off(best) ? m : best));
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(k * step + 0);
  return found;
}

export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}
export interface AxisOptions {
  readonly title: string;
  readonly marks: readonly number[];
  readonly at: (value: number) => number; // on the canvas
  readonly text?: (value: number) => string;
  readonly lines?: boolean; // across the frame
}
/** The vertical axis at the left of the frame, its title over it. */
export function verticalAxis(g: CanvasRenderingContext2D, frame: Frame, axis: AxisOptions): void {
  g.font = `11px ${fontFamily()}`;
  g.lineWidth = 1;
  g.strokeStyle = color("--line");
  g.fillStyle = color("--quiet");
  g.textBaseline = "middle";
  g.textAlign = "right";
  for (const t of axis.marks) {
    const at = Math.round(axis.at(t)) + 0.5;
    if (axis.lines !== false) line(g, frame.left, at, frame.right, at);
    g.fillText((axis.text ?? short)(t), frame.left - 7, at);
  }
  g.textAlign = "left";
  g.textBaseline = "alphabetic";
  g.fillText(axis.title, 2, frame.top - 12);
}
/** The horizontal axis below the frame, its title at its right end. */
export function horizontalAxis(g: CanvasRenderingContext2D, frame: Frame, axis: AxisOptions): void {
  g.font = `11px ${fontFamily()}`;
  g.lineWidth = 1;
  g.fillStyle = color("--quiet");
  g.textBaseline = "top";
  g.textAlign = "center";
  const end = frame.right - g.measureText(axis.title).width - 10;
  for (const t of axis.marks) {
    const text = (axis.text ?? short)(t);
    const at = Math.max(axis.at(t), frame.left + 2);
    if (axis.lines) {
      g.strokeStyle = color("--line");
      line(g, Math.round(at) + 0.5, frame.top, Math.round(at) + 0.5, frame.bottom);
    }
    if (at + g.measureText(text).width / 2 <= end) g.fillText(text, at, frame.bottom + 7);
  }
  g.textAlign = "right";
  g.fillText(axis.title, frame.right, frame.bottom + 7);
  g.strokeStyle = color("--faint");
  line(g, frame.left, Math.round(frame.bottom) + 0.5, frame.right, Math.round(frame.bottom) + 0.5);
}
function line(g: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number): void {
  g.beginPath();
  g.moveTo(x0, y0);
  g.lineTo(x1, y1);
  g.stroke();
}
