// What a run shows of its training: a live line on a terminal, plain lines now and then elsewhere, or one event a line (--json).
// In: the runtime's events.   Out: text. Losses are kept as means of a few dozen stretches, for the curve at the end.
import type {
  EvaluationEvent,
  Measured,
  MeasuringEvent,
  ModelEvent,
  ProgressEvent,
  Tensor,
  TrainEvent,
  TrainResult,
} from "../../runtime/api.ts";
import { jsonText } from "../../runtime/tensor.ts";
import { shortest } from "./values.ts";
import { bar, duration, numberText, styles, type Terminal } from "./terminal.ts";
import { counted } from "../print/text.ts";

export interface Progress {
  event(event: TrainEvent): void;
  result(result: TrainResult): void;
}
const plainSeconds = 5; // between lines where no line can be rewritten
const evaluationLines = 12; // of a run: more would only scroll past
const curveWidth = 40;
const [shortBar, longBar] = [10, 20];

export function textProgress(terminal: Terminal, trains: number): Progress {
  const out = styles(terminal.color);
  const live = styles(terminal.errorColor);
  const losses = new Map<string, Curve>();
  const evaluated = new Map<string, { latest: Map<string, EvaluationEvent>; shownAt: number }>();
  let quietUntil = performance.now() + plainSeconds * 1000;
  const labelled = (train: string): string => (trains > 1 ? `${train}  ` : "");

  const progress = (event: ProgressEvent): void => {
    let curve = losses.get(event.train);
    const [told = "", values = []] = Object.entries(event.curves)[0] ?? [];
    if (!curve) losses.set(event.train, (curve = new Curve(told, event.steps, event.step - values.length)));
    curve.add(values);
    const figures = Object.entries(numbersOf(event)).map(([name, value]) => `${name} ${numberText(value)}`);
    const padded = (n: number, of: number): string => String(n).padStart(String(of).length);
    const epoch =
      event.epochs === undefined
        ? undefined
        : `epoch ${padded(Math.min(event.epoch + 1, event.epochs), event.epochs)}/${event.epochs}`;
    const step = `step ${padded(event.step, event.steps)}/${event.steps}`;
    const [pace, left] = [rate(event.stepsPerSecond), `${duration(event.secondsLeft)} left`];
    if (terminal.live) {
      const measured = [...(evaluated.get(event.train)?.latest.values() ?? [])].map(
        (e) => `${e.split} ${headline(e.values)}`,
      );
      // what fits beside a short bar, the most telling first
      const parts = [
        ...(epoch === undefined ? [] : [{ text: epoch, rank: 3 }]),
        { text: step, rank: 0 },
        ...figures.map((text, i) => ({ text, rank: i ? 2 : 0 })),
        ...measured.map((text) => ({ text, rank: 4 })),
        { text: pace.padStart(12), rank: 5 },
        { text: left, rank: 1 },
      ];
      const label = labelled(event.train);
      const room = terminal.width - 1 - label.length;
      let length = -3;
      const chosen = new Set(
        [...parts]
          .sort((x, y) => x.rank - y.rank)
          .filter((part) => {
            const fits = part.rank === 0 || length + part.text.length + 3 + shortBar + 2 <= room;
            if (fits) length += part.text.length + 3;
            return fits;
          }),
      );
      const width = room - length - 2 >= longBar ? longBar : room - length - 2 >= shortBar ? shortBar : 0;
      const texts = parts.filter((part) => chosen.has(part)).map((part) => part.text);
      terminal.update(
        `${live.bold(label)}${width ? `${live.green(bar(event.step / event.steps, width))}  ` : ""}${texts.join(live.dim(" · "))}`,
      );
    } else if (performance.now() >= quietUntil) {
      quietUntil = performance.now() + plainSeconds * 1000;
      terminal.line(
        labelled(event.train) + [...(epoch === undefined ? [] : [epoch]), step, ...figures, pace, left].join("  "),
      );
    }
  };
  const measuring = ({ train, step, split, done, rows }: MeasuringEvent): void => {
    const text = `measuring ${split}: ${done.toLocaleString("en")} of ${counted(rows, "row")}`;
    if (terminal.live)
      terminal.update(`${live.bold(labelled(train))}${live.green(bar(done / rows, longBar))}  ${text}`);
    else if (performance.now() >= quietUntil) {
      quietUntil = performance.now() + plainSeconds * 1000;
      terminal.line(`${labelled(train)}step ${step}  ${text}`);
    }
  };
  const evaluation = (event: EvaluationEvent): void => {
    let known = evaluated.get(event.train);
    if (!known) evaluated.set(event.train, (known = { latest: new Map(), shownAt: -Infinity }));
    known.latest.set(event.split, event);
    const total = losses.get(event.train)?.steps ?? 0;
    const due = event.step === known.shownAt || event.step - known.shownAt >= total / evaluationLines;
    if (!due || (total && event.step >= total)) return; // the last one stands in the result
    known.shownAt = event.step;
    terminal.line(
      out.dim(
        `${labelled(event.train)}step ${String(event.step).padStart(String(total).length)}  ${event.split}: ${figuresOf(event.values)}`,
      ),
    );
  };
  return {
    event(event) {
      if (event.kind === "progress") progress(event);
      else if (event.kind === "evaluation") evaluation(event);
      else if (event.kind === "measuring") measuring(event);
      else
        terminal.line(
          out.dim(
            `${labelled(event.train)}step ${event.step}  saved ${event.path}${event.metric ? `, the ${event.mode === "min" ? "least" : "greatest"} ${event.metric} so far: ${numberText(event.value ?? NaN)}` : ""}`,
          ),
        );
    },
    result(result) {
      terminal.endUpdate();
      const done = losses.get(result.train);
      if (!done && result.reason === "finished")
        return terminal.line(
          `${labelled(result.train)}all ${counted(result.steps, "step")} were done before; --epochs or --steps asks for more`,
        );
      const ended = {
        finished: counted(result.step, "step"),
        stalled: `${result.step} of ${counted(result.steps, "step")}: no longer better`,
        paused: `paused at step ${result.step} of ${result.steps}`,
      }[result.reason];
      const measuring =
        result.measuringSeconds > 0.1 * result.seconds ? `${seconds(result.measuringSeconds)} of it measuring, ` : "";
      terminal.line(
        `${labelled(result.train)}${out.bold(ended)} in ${seconds(result.seconds)} ${out.dim(`(${measuring}${rate(result.stepsPerSecond)})`)}`,
      );
      const last = done && numbersOf(result)[done.name];
      if (done && last !== undefined)
        terminal.line(
          `  ${done.name.padEnd(6)} ${numberText(done.first)} ${out.cyan(done.text())} ${numberText(last)}`,
        );
      const latest = evaluated.get(result.train)?.latest;
      for (const [split, values] of Object.entries(result.measured)) {
        const { rows, of = rows } = latest?.get(split) ?? {};
        terminal.line(
          `  ${out.bold(split.padEnd(6))} ${figuresOf(values)}${rows ? out.dim(`  (${rows === of ? "" : `${rows.toLocaleString("en")} of `}${counted(of!, "row")})`) : ""}`,
        );
        for (const [name, value] of Object.entries(values))
          if (typeof value !== "number") terminal.line(tensorText(`  ${name}`, value));
      }
    },
  };
}

/** `loss 0.0712  acc 0.9844`: the numbers; tensors are shown at the end. */
export const figuresOf = (values: Measured): string =>
  Object.entries(values)
    .flatMap(([name, value]) => (typeof value === "number" ? [`${name} ${numberText(value)}`] : []))
    .join("  ");
/** One number of an evaluation: the first metric, else the loss. */
function headline(values: Measured): string {
  const numbers = Object.entries(values).filter(([, value]) => typeof value === "number") as [string, number][];
  const [name, value] = numbers.find(([n]) => n !== "loss") ?? numbers[0] ?? ["", NaN];
  return `${name} ${numberText(value)}`;
}
export const rate = (stepsPerSecond: number): string =>
  `${stepsPerSecond >= 10 ? Math.round(stepsPerSecond).toLocaleString("en") : stepsPerSecond.toPrecision(2)} steps/s`;
export const seconds = (s: number): string => (s < 60 ? `${s.toFixed(1)} s` : duration(s));

/** A small tensor, row by row; of a large one the beginning. */
export function tensorText(name: string, t: Tensor): string {
  const whole = t.dtype !== "f32";
  const show = (x: number): string => (t.dtype === "bool" ? String(x === 1) : whole ? String(x) : numberText(x));
  const title = `${name}: ${t.dtype}${t.shape.length ? `[${t.shape.join(", ")}]` : ""}`;
  const indent = " ".repeat(/^ */.exec(name)![0].length + 2);
  const width = t.shape.at(-1) ?? 1;
  const rows = Math.ceil(t.data.length / Math.max(1, width));
  const [mostRows, mostColumns] = [16, 16];
  const cells = Array.from({ length: Math.min(rows, mostRows) }, (_, r) =>
    Array.from({ length: Math.min(width, mostColumns) }, (_, c) => show(t.data[r * width + c]!)),
  );
  const widths = (cells[0] ?? []).map((_, c) => Math.max(...cells.map((row) => row[c]!.length)));
  const lines = cells.map(
    (row) => indent + row.map((cell, c) => cell.padStart(widths[c]!)).join("  ") + (width > mostColumns ? "  …" : ""),
  );
  return [title, ...lines, ...(rows > mostRows ? [`${indent}… (${rows} rows)`] : [])].join("\n");
}

/** The loss, where something is minimized, and the metrics. */
const numbersOf = ({ loss, metrics }: Pick<ProgressEvent, "loss" | "metrics">): Readonly<Record<string, number>> =>
  Number.isNaN(loss) ? metrics : { loss, ...metrics };
/** Means of the losses of equal stretches of a run, or of its first metric where it minimizes nothing. */
class Curve {
  readonly name: string;
  readonly steps: number;
  first = NaN;
  readonly #sums = new Float64Array(curveWidth);
  readonly #counts = new Uint32Array(curveWidth);
  #at: number;
  constructor(name: string, steps: number, from: number) {
    this.name = name;
    this.steps = steps;
    this.#at = from;
  }
  add(losses: ArrayLike<number>): void {
    if (Number.isNaN(this.first)) this.first = losses[0] ?? NaN;
    for (let i = 0; i < losses.length; i++) {
      const bin = Math.min(curveWidth - 1, Math.floor((this.#at++ / this.steps) * curveWidth));
      this.#sums[bin]! += losses[i]!;
      this.#counts[bin]! += 1;
    }
  }
  text(): string {
    const means = [...this.#sums].flatMap((sum, i) => (this.#counts[i] ? [sum / this.#counts[i]!] : []));
    const [least, most] = [Math.min(...means), Math.max(...means)];
    return means.map((m) => "▁▂▃▄▅▆▇█"[most > least ? Math.round((7 * (m - least)) / (most - least)) : 0]!).join("");
  }
}

// ---- one event a line

const eventSeconds = 0.1; // between events of progress

/** Events as they come, of progress not too many; `losses` has those of every step since the event before. */
export function jsonProgress(write: (event: object) => void): Progress {
  let losses: number[] = [];
  let quietUntil = 0;
  return {
    event(event) {
      if (event.kind === "evaluation") return write({ ...event, values: measuredJson(event.values) });
      if (event.kind === "saved" || event.kind === "measuring") return write(event);
      const { curves, loss, ...rest } = event;
      losses.push(...(curves["loss"] ?? []));
      if (performance.now() < quietUntil && event.step < event.steps) return;
      quietUntil = performance.now() + 1000 * eventSeconds;
      const minimized = "loss" in curves;
      write({ ...rest, ...(minimized ? { loss, losses: losses.map(shortest) } : {}) });
      losses = [];
    },
    result: () => undefined,
  };
}
export const measuredJson = (values: Measured): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === "number" ? value : tensorJson(value)]),
  );
const tensorJson = (t: Tensor): object => ({ dtype: t.dtype, shape: t.shape, data: [...t.data] });
export function resultJson({ saved, measured, loss, ...result }: TrainResult): Record<string, unknown> {
  return {
    ...result,
    ...(Number.isNaN(loss) ? {} : { loss }), // there was no step to do, or nothing is minimized
    measured: Object.fromEntries(Object.entries(measured).map(([split, values]) => [split, measuredJson(values)])),
    ...(saved ? { saved: saved.path } : {}),
  };
}

/** `w.safetensors: 4 tensors of BF16 were converted to f32`. `path`: of the file that the command was given. */
export const tellEvents =
  (terminal: Terminal, json: boolean, path?: string) =>
  (event: ModelEvent): void => {
    const { file, from, tensors } = { ...event, file: path ?? event.file };
    if (json) return terminal.line(jsonText({ ...event, file }));
    terminal.note(
      `${file}: ${counted(tensors, "tensor")} of ${from} ${tensors === 1 ? "was" : "were"} converted to f32`,
    );
  };
