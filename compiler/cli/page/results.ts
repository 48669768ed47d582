// What an export gives, as what it is: bars, a class, a picture, a text, a sequence, numbers, a table. In: a port, values. Out: elements.
import type { Tensor } from "../../../runtime/api.ts";
import { box, endsOf, figure, make, painter, paper, short } from "./dom.ts";
import { plotSeries } from "./controls.ts";
import { type Field, isTextLoader, type Kind, type PictureKind, type Port } from "./kinds.ts";
import { paintPicture, painted, paintSigned, pictureCanvas, type Tone } from "./pictures.ts";
import type { Session } from "./session.ts";
import { textOfUnits } from "./words.ts";

export interface Result {
  readonly node: HTMLElement;
  /** `before`: a text that goes on with it. */
  show(row: Tensor, before?: string): void;
}
export function resultFor(port: Port, session: Session, toneOf: (kind: PictureKind) => Tone): Result {
  const { kind } = port;
  switch (kind.kind) {
    case "scores":
      return new Bars(kind, session);
    case "class":
      return plain((row) => className(session.namesOf(kind.field), row.data[0]!), "answer");
    case "truth":
      return plain((row) => (row.data[0] ? "true" : "false"), "answer");
    case "number":
      return plain((row) => (row.dtype === "f32" ? figure(row.data[0]!) : String(row.data[0])), "answer");
    case "picture":
      return pictureResult(port.name, kind, toneOf);
    case "text":
      return textResult(kind.field, session);
    case "series":
      return seriesResult(port.name);
    default:
      return tableResult(port.name);
  }
}
export const className = (names: readonly string[] | undefined, n: number): string => names?.[n] || String(n);
/** Lines of a tensor whose last axis is a text. */
export function textsOf({ shape, data }: Tensor, field: Field | undefined, session: Session): string[] {
  const unit = field?.loaders.find(isTextLoader)?.unit ?? "number";
  const width = shape.at(-1) ?? 1;
  const names = session.namesOf(field);
  const all = Array.from(data);
  return Array.from({ length: all.length / (width || 1) }, (_, i) =>
    textOfUnits(all.slice(i * width, (i + 1) * width), unit, names),
  );
}
function plain(text: (row: Tensor) => string, name: string): Result {
  const node = make("output", "–", { className: name });
  return { node, show: (row) => void (node.textContent = text(row)) };
}
function textResult(field: Field | undefined, session: Session): Result {
  const node = make("output", "–", { className: "text" });
  const between = field?.loaders.find(isTextLoader)?.unit === "character" ? "" : " ";
  return {
    node,
    show: (row, before) =>
      node.replaceChildren(
        ...(before ? [make("span", before, { className: "before", title: "what it goes on with" }), between] : []),
        textsOf(row, field, session).join("\n"),
      ),
  };
}
function pictureResult(name: string, kind: PictureKind, toneOf: (kind: PictureKind) => Tone): Result {
  const canvas = make("canvas", undefined, {
    className: "picture large",
    role: "img",
    ariaLabel: `${name}, a picture`,
  });
  canvas.style.aspectRatio = `${kind.width} / ${kind.height}`;
  return {
    node: canvas,
    show: ({ data }) => void painted(canvas, () => paintPicture(canvas, kind, data, toneOf(kind))),
  };
}
function seriesResult(name: string): Result {
  const canvas = make("canvas", undefined, { className: "series", role: "img", ariaLabel: `${name}, a sequence` });
  let values: ArrayLike<number> = [];
  const draw = painter(canvas, () => {
    const sheet = paper(canvas);
    if (!sheet || !values.length) return;
    const [least, high] = endsOf(values);
    const low = Math.min(0, least);
    plotSeries(
      sheet.g,
      { left: 46, right: sheet.width - 8, top: 26, bottom: sheet.height - 24 },
      values,
      [low, high],
      name,
    );
  });
  return {
    node: canvas,
    show: ({ data }) => {
      values = data;
      canvas.setAttribute("aria-label", `${name}, ${data.length} numbers from ${endsOf(data).map(short).join(" to ")}`);
      draw();
    },
  };
}
const mostCells = 400;
function tableResult(name: string): Result {
  const node = make("div", undefined, { className: "scroll", tabIndex: 0, role: "region", ariaLabel: name });
  return { node, show: (row) => node.replaceChildren(tableOf(row)) };
}
export function tableOf({ shape, data, dtype }: Tensor): HTMLElement {
  const width = Math.max(1, shape.at(-1) ?? 1);
  const rows: HTMLElement[] = [];
  for (let i = 0; i < Math.min(data.length, mostCells); i += width)
    rows.push(
      make(
        "tr",
        undefined,
        {},
        Array.from(data.slice(i, i + width), (v) => make("td", dtype === "f32" ? short(v) : String(v))),
      ),
    );
  const table = make("table", undefined, { className: "cells" }, [make("tbody", undefined, {}, rows)]);
  return data.length > mostCells
    ? box("", table, make("p", `and ${data.length - mostCells} more`, { className: "note" }))
    : table;
}

/** Are these shares of one? Else they are whatever a model weighs classes by. */
export const areShares = (values: ArrayLike<number>): boolean => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    if (!(values[i]! >= -1e-6)) return false;
    sum += values[i]!;
  }
  return Math.abs(sum - 1) < 1e-3;
};
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
export const shareText = (p: number): string => `${(100 * p).toFixed(p > 0.0995 ? 0 : 1)} %`;
const mostBars = 12;
/** A bar for each class, the largest marked; of many classes the largest ones. */
class Bars implements Result {
  readonly node: HTMLElement;
  readonly #answer = make("output", "–", { className: "answer" });
  readonly #body = make("tbody");
  readonly #note = make("p", "softmax of what it gives", { className: "note", hidden: true });
  readonly #kind: Extract<Kind, { readonly kind: "scores" }>;
  readonly #session: Session;
  constructor(kind: Extract<Kind, { readonly kind: "scores" }>, session: Session) {
    this.#kind = kind;
    this.#session = session;
    this.node = box("", this.#answer, make("table", undefined, { className: "bars" }, [this.#body]), this.#note);
  }
  show({ data }: Tensor): void {
    const names = this.#session.namesOf(this.#kind.field);
    const given = areShares(data);
    const shares = given || this.#kind.field !== undefined;
    const values = given || !shares ? Array.from(data) : probabilitiesOf(data);
    const best = argmax(values);
    const all = values.map((value, i) => ({ value, i }));
    const shown = all.length > mostBars ? all.sort((a, b) => b.value - a.value).slice(0, mostBars) : all;
    const largest = shares ? 1 : Math.max(endsOf(values.map(Math.abs))[1], 1e-9);
    const name = (i: number): string => visible(className(names, i));
    this.#answer.textContent = shares ? name(best) : "";
    this.#answer.hidden = !shares;
    this.#note.hidden = given || !shares;
    while (this.#body.rows.length < shown.length) this.#body.append(barRow());
    shown.forEach(({ value, i }, k) => {
      const [head, cell, figureCell] = this.#body.rows[k]!.cells;
      head!.textContent = name(i);
      const bar = cell!.firstElementChild;
      if (bar instanceof HTMLElement) bar.style.width = `${Math.max(0, (100 * Math.abs(value)) / largest)}%`;
      bar?.classList.toggle("less", value < 0);
      this.#body.rows[k]!.classList.toggle("best", i === best);
      figureCell!.textContent = shares ? shareText(value) : short(value);
    });
  }
}
/** Shares of classes that are weighed by logits. */
export function probabilitiesOf(logits: ArrayLike<number>): number[] {
  const [, largest] = endsOf(logits);
  const powers = Array.from(logits, (x) => Math.exp(x - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}
function barRow(): HTMLTableRowElement {
  return make("tr", undefined, {}, [
    make("th", "", { scope: "row" }),
    make("td", undefined, { className: "bar" }, [make("div")]),
    make("td", ""),
  ]);
}
/** Spaces and line breaks as words that are seen. */
const visible = (text: string): string =>
  ({ " ": "space", "\n": "new line", "\t": "tab", "": "nothing" })[text] ?? text;

// ---- many rows at once

/** Pictures side by side. */
export function gallery(kind: PictureKind, values: ArrayLike<number>, tone: Tone, name: string): HTMLElement {
  const size = kind.height * kind.width * kind.channels;
  const all = Array.from(values);
  return box(
    "gallery",
    ...Array.from({ length: all.length / size }, (_, i) =>
      pictureCanvas(kind, all.slice(i * size, (i + 1) * size), tone, `${name} ${i + 1}`),
    ),
  );
}
/** A matrix as a picture of both signs. */
export function matrixCanvas(rows: number, columns: number, data: ArrayLike<number>, label: string): HTMLCanvasElement {
  const canvas = make("canvas", undefined, { className: "picture matrix", role: "img", ariaLabel: label });
  canvas.style.aspectRatio = `${columns} / ${rows}`;
  let largest = 0;
  for (let i = 0; i < data.length; i++) largest = Math.max(largest, Math.abs(data[i]!));
  return painted(canvas, () => paintSigned(canvas, columns, rows, (i) => data[i]!, largest));
}
