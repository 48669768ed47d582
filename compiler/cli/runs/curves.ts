// Curves of runs, as numbers. In: rows of metrics.   Out: panels (one for each block and metric), their series, scales and ticks; pictures are made of them
// by curves-svg.ts and curves-text.ts.
import type { MetricRow } from "./metrics.ts";

export interface Named {
  readonly name: string;
  readonly rows: readonly MetricRow[];
  readonly group?: number; // runs of one group have one colour and one name; default: each its own
}
export interface Series {
  readonly run: number; // its place among the runs
  readonly split: string | undefined; // undefined: batches
  readonly points: readonly (readonly [step: number, value: number])[]; // NaN: a gap
}
export interface Panel {
  readonly train: string;
  readonly metric: string;
  readonly series: readonly Series[];
}
/** "loss" first, then as they came; blocks in their order. */
export function panelsOf(runs: readonly Named[]): readonly Panel[] {
  const panels = new Map<
    string,
    { train: string; metric: string; series: Map<string, Series & { points: [number, number][] }> }
  >();
  runs.forEach(({ rows }, run) => {
    for (const { train, step, split, values } of rows)
      for (const [metric, value] of Object.entries(values)) {
        const key = `${train} ${metric}`;
        let panel = panels.get(key);
        if (!panel) panels.set(key, (panel = { train, metric, series: new Map() }));
        const place = `${run} ${split ?? ""}`;
        let series = panel.series.get(place);
        if (!series) panel.series.set(place, (series = { run, split, points: [] }));
        series.points.push([step, value]);
      }
  });
  const trains = [...new Set([...panels.values()].map((p) => p.train))];
  const rank = (p: { train: string; metric: string }): number =>
    2 * trains.indexOf(p.train) + Number(p.metric !== "loss");
  return [...panels.values()].sort((a, b) => rank(a) - rank(b)).map((p) => ({ ...p, series: [...p.series.values()] }));
}
/** Lines of what was held out, where there are any; else of the batches. One point is no line. */
export const heldOut = (series: readonly Series[]): readonly Series[] => {
  const measured = series.filter((s) => s.split !== undefined && s.split !== "train");
  return measured.some((s) => s.points.length > 1) ? measured : series;
};

export interface Scale {
  readonly isLog: boolean;
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
  /** 0 at `low`, 1 at `high`. */
  readonly at: (x: number) => number;
}
const logarithmicFrom = 30; // times the smallest, and everything above 0

export function valueScale(values: readonly number[], ticks: number): Scale {
  const finite = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (!finite.length) return linear(0, 1, ticks);
  const quantile = (q: number): number => finite[Math.round(q * (finite.length - 1))]!;
  // what shoots up for a moment would leave nothing to be seen of the rest
  const [low, most, high] = [finite[0]!, finite.at(-1)!, quantile(0.98)];
  if (low > 0 && most / low > logarithmicFrom) return logarithmic(low, most);
  const end = most - low > 4 * (high - low) && high > low ? high : most;
  return linear(low, end > low ? end : low + (Math.abs(low) || 1), ticks);
}
export const stepScale = (steps: readonly number[], ticks: number): Scale => {
  let [low, high] = [0, 1];
  for (const step of steps) [low, high] = [Math.min(low, step), Math.max(high, step)]; // there may be more than a call takes
  return { ...scaleOf(low, high, ticksOf(low, high, ticks).filter(Number.isInteger)) };
};
function linear(low: number, high: number, count: number): Scale {
  const ticks = ticksOf(low, high, count);
  const step = ticks.length > 1 ? ticks[1]! - ticks[0]! : high - low;
  // to the tick below and above, so that lines do not end on the frame
  const [from, to] = [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
  return scaleOf(from, to, ticksOf(from, to, count));
}
const scaleOf = (low: number, high: number, ticks: readonly number[]): Scale => ({
  isLog: false,
  low,
  high,
  ticks,
  at: (x) => (x - low) / (high - low),
});
function logarithmic(low: number, high: number): Scale {
  const [from, to] = [Math.floor(Math.log10(low) * 2) / 2, Math.ceil(Math.log10(high) * 2) / 2];
  const decades = Array.from({ length: Math.floor(to) - Math.floor(from) + 1 }, (_, i) => Math.floor(from) + i);
  const every = Math.ceil(decades.length / 6);
  return {
    isLog: true,
    low: 10 ** from,
    high: 10 ** to,
    ticks: decades
      .filter((d) => d % every === 0)
      .flatMap((d) => (decades.length > 3 ? [1] : [1, 2, 5]).map((digit) => Number(`${digit}e${d}`)))
      .filter((t) => Math.log10(t) >= from - 1e-9 && Math.log10(t) <= to + 1e-9),
    at: (x) => (Math.log10(x) - from) / (to - from),
  };
}
/** Multiples of 1, 2 or 5 times a power of ten: about `count` of them. */
function ticksOf(low: number, high: number, count: number): readonly number[] {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((s) => s >= rough * 0.999) ?? rough;
  const first = Math.ceil(low / step - 1e-9);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) =>
    Number(((first + i) * step).toFixed(Math.min(100, digits))),
  );
}
/** As short as it is told from its neighbours. */
export function tickText(x: number): string {
  const size = Math.abs(x);
  if (size >= 1e6 || (x && size < 1e-3)) return x.toExponential().replace("e+", "e");
  return size >= 1e4 ? `${Number((x / 1e3).toPrecision(4))}k` : String(Number(x.toPrecision(6)));
}
