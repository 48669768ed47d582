// Controls for one row of an input: a number, a class, a list with sliders, a sequence, a table, a text. In: a port and what it changes. Out: values.
import { type Frame, horizontalAxis, ticks, verticalAxis } from "./axes.ts";
import { box, button, color, dragged, labelled, make, newId, painter, paper, short } from "./dom.ts";
import type { Control } from "./control.ts";
import { Drawing } from "./drawing.ts";
import { type Extent, isTextLoader, type Port } from "./kinds.ts";
import type { Session } from "./session.ts";
import { readUnits, textOfUnits, type Unit } from "./words.ts";

type Changed = () => void;

export function controlFor(port: Port, session: Session, changed: Changed): Control {
  const { kind, name } = port;
  switch (kind.kind) {
    case "picture":
      return new Drawing(name, kind, changed);
    case "text":
      return new TextLine(port, session, changed);
    case "class":
      return new ClassChoice(name, kind.range, () => session.namesOf(kind.field), changed);
    case "truth":
      return new ClassChoice(name, [0, 2], () => ["false", "true"], changed);
    case "number":
      return new Vector([name], changed);
    case "point":
    case "vector":
    case "scores":
      return new Vector(componentNames(port), changed);
    case "series":
      return new SeriesPlot(name, port.shape[0]!, changed);
    default:
      return new Table(name, port.shape, port.port.dtype, changed);
  }
}
/** By the columns of a table where they have names, else by number. */
function componentNames(port: Port): readonly string[] {
  const count = port.shape.reduce<number>((n, size) => n * (typeof size === "number" ? size : 1), 1);
  return columnNames(port, count) ?? Array.from({ length: count }, (_, i) => `${port.name}[${i}]`);
}
/** Of the table that a port's values come from, where it has so many columns and all have names. */
export function columnNames({ field }: Port, count: number): readonly string[] | undefined {
  const columns = field?.loaders.flatMap((l) => (l.kind === "csv" && "length" in l.columns ? l.columns : [])) ?? [];
  return columns.length === count && columns.every((c) => typeof c === "string") ? columns.map(String) : undefined;
}

// ---- numbers

/** Each with a slider, between the ends of what the data have. */
export class Vector implements Control {
  readonly node: HTMLElement;
  readonly #parts: readonly { readonly slider: HTMLInputElement; readonly number: HTMLInputElement }[];
  constructor(names: readonly string[], changed: Changed, ends: readonly [number, number] = [-3, 3]) {
    this.#parts = names.map((name) => {
      const slider = make("input", undefined, { type: "range", ariaLabel: `${name}, slider` });
      const number = make("input", undefined, { type: "number", step: "any", ariaLabel: name, value: "0" });
      setEnds(slider, ...ends);
      slider.value = "0";
      slider.addEventListener("input", () => {
        number.value = short(Number(slider.value));
        changed();
      });
      number.addEventListener("input", () => {
        slider.value = number.value;
        changed();
      });
      return { slider, number };
    });
    this.node = box(
      "sliders",
      ...names.flatMap((name, i) => [
        make("span", name, { className: "name" }),
        this.#parts[i]!.slider,
        this.#parts[i]!.number,
      ]),
    );
  }
  value(): number[] | undefined {
    const values = this.#parts.map((p) => (p.number.value.trim() === "" ? NaN : Number(p.number.value)));
    return values.every(Number.isFinite) ? values : undefined;
  }
  fill(values: ArrayLike<number>): void {
    this.#parts.forEach(({ slider, number }, i) => {
      const value = values[i] ?? 0;
      if (value < Number(slider.min) || value > Number(slider.max))
        setEnds(slider, Math.min(value, Number(slider.min)), Math.max(value, Number(slider.max)));
      slider.value = String(value);
      number.value = String(Number(value.toPrecision(6)));
    });
  }
  learn(values: ArrayLike<number>): void {
    const width = this.#parts.length;
    this.#parts.forEach(({ slider }, i) => {
      let [low, high] = [Infinity, -Infinity];
      for (let k = i; k < values.length; k += width) {
        low = Math.min(low, values[k]!);
        high = Math.max(high, values[k]!);
      }
      if (high > low) setEnds(slider, low, high);
    });
  }
}
function setEnds(slider: HTMLInputElement, low: number, high: number): void {
  slider.min = String(low);
  slider.max = String(high);
  slider.step = "any";
}
class ClassChoice implements Control {
  readonly node: HTMLElement;
  readonly #select: HTMLSelectElement;
  readonly #range: readonly [number, number];
  readonly #names: () => readonly string[] | undefined;
  constructor(
    name: string,
    range: readonly [number, number],
    names: () => readonly string[] | undefined,
    changed: Changed,
  ) {
    this.#range = range;
    this.#names = names;
    this.#select = make("select");
    this.#select.addEventListener("change", changed);
    this.node = labelled(name, this.#select);
    this.learn();
  }
  learn(): void {
    const [low, end] = this.#range;
    const names = this.#names();
    const chosen = this.#select.value;
    this.#select.replaceChildren(
      ...Array.from({ length: end - low }, (_, i) =>
        make("option", names?.[low + i] ?? String(low + i), { value: String(low + i) }),
      ),
    );
    if (chosen) this.#select.value = chosen;
  }
  value(): number[] {
    return [Number(this.#select.value)];
  }
  fill(values: ArrayLike<number>): void {
    this.#select.value = String(values[0]);
  }
}
const numbersIn = (text: string): number[] | undefined => {
  const parts = text.split(/[\s,;]+/).filter((part) => part);
  const values = parts.map(Number);
  return values.length && values.every(Number.isFinite) ? values : undefined;
};

/** Numbers one after the other, as a line that is drawn with the pointer or with the arrow keys, and as text. */
class SeriesPlot implements Control {
  readonly node: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #area: HTMLTextAreaElement;
  readonly #draw: () => void;
  readonly #changed: Changed;
  readonly #length: Extent;
  #values: number[];
  #ends: [number, number] = [-1, 1];
  #at = 0;
  constructor(name: string, length: Extent, changed: Changed) {
    this.#length = length;
    this.#changed = changed;
    this.#values = new Array<number>(typeof length === "number" ? length : 32).fill(0);
    this.#canvas = make("canvas", undefined, {
      className: "series",
      tabIndex: 0,
      role: "application",
      ariaLabel: `${name}, ${this.#values.length} numbers: draw with the pointer, or choose one with the left and right arrow keys and change it with up and down`,
    });
    this.#area = make("textarea", undefined, { rows: 3, ariaLabel: `${name}, as numbers`, spellcheck: false });
    this.#draw = painter(this.#canvas, () => this.#paint(name));
    this.node = box("", this.#canvas, make("details", undefined, {}, [make("summary", "as numbers"), this.#area]));
    this.#area.addEventListener("input", () => {
      const values = numbersIn(this.#area.value);
      if (values && (typeof length !== "number" || values.length === length)) this.#take(values);
      this.#changed();
    });
    this.#listen();
    this.#write();
  }
  #listen(): void {
    const set = (event: PointerEvent): void => {
      const place = this.#canvas.getBoundingClientRect();
      const share = (event.clientX - place.left - frameOf(place).left) / (frameOf(place).right - frameOf(place).left);
      const at = Math.round(share * (this.#values.length - 1));
      if (at < 0 || at >= this.#values.length) return;
      const [low, high] = this.#ends;
      const { top, bottom } = frameOf(place);
      this.#at = at;
      this.#values[at] = low + ((bottom - (event.clientY - place.top)) / (bottom - top)) * (high - low);
      this.#write();
      this.#changed();
    };
    dragged(this.#canvas, set);
    this.#canvas.addEventListener("keydown", (event) => {
      const step = (this.#ends[1] - this.#ends[0]) / 20;
      if (event.key === "ArrowLeft") this.#at = Math.max(0, this.#at - 1);
      else if (event.key === "ArrowRight") this.#at = Math.min(this.#values.length - 1, this.#at + 1);
      else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
        this.#values[this.#at]! += event.key === "ArrowUp" ? step : -step;
        this.#write();
        this.#changed();
      } else return;
      event.preventDefault();
      this.#draw();
    });
  }
  #take(values: readonly number[]): void {
    this.#values = [...values];
    this.#at = Math.min(this.#at, values.length - 1);
    this.#draw();
  }
  #write(): void {
    this.#area.value = this.#values.map((v) => short(v)).join(" ");
    this.#draw();
  }
  value(): readonly number[] | undefined {
    return this.#values;
  }
  fill(values: ArrayLike<number>): void {
    const all = Array.from(values);
    this.#take(typeof this.#length === "number" ? all.slice(0, this.#length) : all);
    this.learn(values);
    this.#write();
  }
  learn(values: ArrayLike<number>): void {
    let [low, high] = this.#ends;
    for (let i = 0; i < values.length; i++) {
      low = Math.min(low, values[i]!);
      high = Math.max(high, values[i]!);
    }
    this.#ends = [low, high];
    this.#draw();
  }
  #paint(name: string): void {
    const sheet = paper(this.#canvas);
    if (!sheet) return;
    plotSeries(sheet.g, frameOf(sheet), this.#values, this.#ends, name, this.#at);
  }
}
const frameOf = ({ width, height }: { readonly width: number; readonly height: number }): Frame => ({
  left: 40,
  right: width - 8,
  top: 26,
  bottom: height - 24,
});
export function plotSeries(
  g: CanvasRenderingContext2D,
  frame: Frame,
  values: ArrayLike<number>,
  [low, high]: readonly [number, number],
  title: string,
  at?: number,
): void {
  const last = Math.max(1, values.length - 1);
  const x = (i: number): number => frame.left + ((frame.right - frame.left) * i) / last;
  const y = (v: number): number => frame.bottom - ((frame.bottom - frame.top) * (v - low)) / (high - low || 1);
  verticalAxis(g, frame, { title, marks: ticks(low, high, 4), at: y });
  horizontalAxis(g, frame, { title: "place", marks: ticks(0, last, 6).filter(Number.isInteger), at: x });
  g.strokeStyle = g.fillStyle = color("--curve1");
  g.lineWidth = 2;
  g.lineJoin = "round";
  g.beginPath();
  for (let i = 0; i < values.length; i++) g.lineTo(x(i), y(values[i]!));
  g.stroke();
  if (values.length > 48 && at === undefined) return;
  for (let i = 0; i < values.length; i++) {
    g.beginPath();
    g.arc(x(i), y(values[i]!), i === at ? 5 : 2.5, 0, 7);
    g.fill();
  }
}

/** Rows of numbers, as text. */
class Table implements Control {
  readonly node: HTMLElement;
  readonly #area: HTMLTextAreaElement;
  readonly #shape: readonly Extent[];
  readonly #whole: boolean;
  constructor(name: string, shape: readonly Extent[], dtype: string, changed: Changed) {
    this.#shape = shape;
    this.#whole = dtype !== "f32";
    this.#area = make("textarea", undefined, { rows: 8, spellcheck: false, className: "numbers", wrap: "off" });
    this.#area.addEventListener("input", changed);
    this.node = labelled(`${name}, ${shape.join(" × ")} numbers, a line for each of the last axis but one`, this.#area);
    this.node.classList.add("wide");
    this.fill(new Array<number>(this.#count()).fill(0));
  }
  #count(): number {
    return this.#shape.reduce<number>((n, size) => n * (typeof size === "number" ? size : 4), 1);
  }
  value(): number[] | undefined {
    const values = numbersIn(this.#area.value);
    const open = this.#shape.some((size) => typeof size !== "number");
    const fits =
      values && (open || values.length === this.#count()) && (!this.#whole || values.every(Number.isInteger));
    return fits ? values : undefined;
  }
  fill(values: ArrayLike<number>): void {
    const last = this.#shape.at(-1);
    const width = typeof last === "number" ? last : values.length;
    const lines: string[] = [];
    for (let i = 0; i < values.length; i += width)
      lines.push(Array.from({ length: Math.min(width, values.length - i) }, (_, k) => short(values[i + k]!)).join(" "));
    this.#area.value = lines.join("\n");
  }
}

// ---- texts

const mostButtons = 40;
/** A line to type; what stands before it where the model reads more; buttons for units that are few. */
class TextLine implements Control {
  readonly node: HTMLElement;
  readonly #port: Port;
  readonly #session: Session;
  readonly #area: HTMLTextAreaElement;
  readonly #note = make("p", undefined, { className: "note" });
  readonly #palette = box("palette");
  readonly #range: readonly [number, number];
  #context: readonly number[] = []; // of the data, for what is shorter than the model reads
  constructor(port: Port, session: Session, changed: Changed) {
    this.#port = port;
    this.#session = session;
    this.#range = port.kind.kind === "text" ? port.kind.range : [0, 1];
    const id = newId("text");
    this.#note.id = id;
    this.#area = make("textarea", undefined, { rows: 2, spellcheck: false });
    this.#area.setAttribute("aria-describedby", id);
    this.#area.addEventListener("input", changed);
    this.node = labelled(port.name, this.#area);
    this.node.classList.add("wide");
    this.node = box("", this.node, this.#palette, this.#note);
    this.#palette.addEventListener("click", (event) => {
      const unit = event.target instanceof HTMLButtonElement ? event.target.dataset["unit"] : undefined;
      if (unit === undefined) return;
      const units = [...this.#ids(), Number(unit)];
      const { length } = this;
      this.#area.value = this.#textOf(length === undefined ? units : units.slice(-length));
      changed();
    });
    this.learn();
  }
  /** How many the model reads at a time. */
  get length(): number | undefined {
    const [length] = this.#port.shape;
    return typeof length === "number" ? length : undefined;
  }
  get #loader() {
    const { kind } = this.#port;
    return kind.kind === "text" ? kind.field?.loaders.find(isTextLoader) : undefined;
  }
  get #unit(): Unit {
    return this.#loader?.unit ?? "number";
  }
  get #names(): readonly string[] | undefined {
    const { kind } = this.#port;
    return kind.kind === "text" ? this.#session.namesOf(kind.field) : undefined;
  }
  #textOf(units: readonly number[]): string {
    return textOfUnits(units, this.#unit, this.#names);
  }
  #ids(): readonly number[] {
    return readUnits(this.#area.value, this.#unit, this.#names, this.#range).units;
  }
  text(): string {
    return this.#textOf(this.#ids());
  }
  learn(values: ArrayLike<number> = []): void {
    const width = this.#port.field?.shape[0] ?? 0;
    if (!this.#context.length && values.length) this.#context = Array.from(values).slice(0, this.length ?? width);
    const names = this.#names;
    const [low, end] = this.#range;
    const all = Array.from({ length: end - low }, (_, i) => low + i);
    const shown = all.filter((n) => !names || (names[n] ?? "").trim() !== "");
    this.#palette.hidden = this.#unit !== "number" || end - low > mostButtons;
    this.#palette.replaceChildren(
      ...(this.#palette.hidden ? [] : shown).map((n) => {
        const made = button(names?.[n] ?? String(n), () => undefined, "small");
        made.dataset["unit"] = String(n);
        made.ariaLabel = `add ${names?.[n] ?? n}`;
        return made;
      }),
    );
  }
  value(): readonly number[] | undefined {
    const { units, skipped } = readUnits(this.#area.value, this.#unit, this.#names, this.#range);
    const notes = skipped.length
      ? [`not among what the data have, and left out: ${skipped.slice(0, 8).join(" ")}`]
      : [];
    const { length } = this;
    if (!units.length && !this.#context.length) return undefined;
    let row = [...units];
    if (length !== undefined && row.length !== length) {
      const missing = length - row.length;
      if (missing < 0) {
        notes.push(`the model reads the ${this.#loader?.kind === "lines" ? "first" : "last"} ${length}`);
        row = this.#loader?.kind === "lines" ? row.slice(0, length) : row.slice(-length);
      } else if (this.#loader?.kind === "lines") row.push(...new Array<number>(missing).fill(0));
      else {
        const before = this.#context.slice(-missing);
        row = [...new Array<number>(missing - before.length).fill(this.#range[0]), ...before, ...row];
        notes.push(
          before.length
            ? `the model reads ${length}: before yours stands a row of the data`
            : `the model reads ${length}: the first ones are ${this.#range[0]}`,
        );
      }
    }
    this.#note.textContent = notes.join("; ");
    this.#note.hidden = !notes.length;
    return row.length ? row : undefined;
  }
  fill(values: ArrayLike<number>): void {
    const { length } = this;
    const all = Array.from(values);
    this.#context = length === undefined ? all : all.slice(0, length);
    this.#area.value = this.#textOf(length === undefined ? all : this.#context);
  }
}
