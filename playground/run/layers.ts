// The card of the layers that are watched: a table with signs of what goes wrong, a chart. In: events of training. Out: a card; the events without these numbers.
import type { TrainEvent } from "../../runtime/api.ts";
import { add, Chart } from "../../compiler/cli/page/chart.ts";
import { button, element, make, newId } from "../../compiler/cli/page/dom.ts";
import { showLayer } from "./around.ts";
import { meanings, signsOf, watchedName, type Numbers } from "./signs.ts";
import type { WatchedKind } from "../../compiler/elaborate/train/watch.ts";

const columns: Readonly<Record<WatchedKind, string>> = {
  gradient: "gradient",
  weight: "weights",
  value: "values",
  dead: "dead",
  flat: "flat",
};
const about = {
  "gradient, weights": "the Euclidean norm over a layer’s parameters",
  values: "the root of the mean square of what it gives",
  dead: "units of an activation with slope 0 for the whole batch",
  flat: "values of an activation where its slope is below 0.01; half of them behind a relu",
};
const kinds = Object.keys(columns) as WatchedKind[]; // the keys of columns
const number = (x: number): string =>
  !Number.isFinite(x) ? String(x) : x !== 0 && (x < 1e-2 || x >= 1e4) ? x.toExponential(1) : x.toPrecision(3);
const share = (x: number): string => (Number.isFinite(x) ? `${Math.round(100 * x)} %` : String(x));
const textOf = (kind: WatchedKind, x: number | undefined): string =>
  x === undefined ? "–" : kind === "dead" || kind === "flat" ? share(x) : number(x);

export class Layers {
  readonly #card = make("div", undefined, { className: "card", id: "watched", hidden: true });
  readonly #head = make("div", undefined, { className: "chart-head" });
  readonly #select = make("select", undefined, { ariaLabel: "What the chart shows", autocomplete: "off" });
  readonly #table = make("table");
  readonly #numbers = new Map<string, Numbers>();
  readonly #charts = new Map<WatchedKind, { readonly chart: Chart; readonly node: HTMLElement }>();

  constructor() {
    const title = make("h3", "Layers", { id: newId("layers") });
    this.#head.append(title, this.#select);
    this.#select.append(...kinds.map((kind) => make("option", columns[kind], { value: kind })));
    this.#select.addEventListener("change", () => this.#draw());
    const notes = [...Object.entries(about), ...Object.entries(meanings)];
    const scroll = make("div", undefined, { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Layers" });
    scroll.append(this.#table);
    const legend = make("details", undefined, {}, [
      make("summary", "What the columns and signs mean"),
      make(
        "dl",
        undefined,
        {},
        notes.flatMap(([name, meaning]) => [make("dt", name), make("dd", meaning)]),
      ),
    ]);
    this.#card.append(this.#head, scroll, legend);
    element("metric-chart").after(this.#card);
  }
  clear(): void {
    this.#numbers.clear();
    for (const { node } of this.#charts.values()) node.remove();
    this.#charts.clear();
    this.#card.hidden = true;
  }
  /** Takes what is watched out of an event. */
  take(event: TrainEvent): TrainEvent {
    if (event.kind !== "progress") return event;
    const [metrics, curves] = [{ ...event.metrics }, { ...event.curves }];
    for (const [name, value] of Object.entries(event.metrics)) {
      const watched = watchedName(name);
      if (!watched) continue;
      const { kind, layer } = watched;
      this.#numbers.set(layer, { ...this.#numbers.get(layer), [kind]: value });
      const { chart } = this.#chartOf(kind);
      const line = chart.line(layer);
      chart.steps = event.steps;
      const values = curves[name] ?? [];
      values.forEach((v, i) => add(line, event.step - values.length + i + 1, v));
      delete metrics[name];
      delete curves[name];
    }
    if (this.#numbers.size) this.#draw();
    return { ...event, metrics, curves };
  }
  #chartOf(kind: WatchedKind): { readonly chart: Chart; readonly node: HTMLElement } {
    const known = this.#charts.get(kind);
    if (known) return known;
    const canvas = make("canvas", undefined, { role: "img", ariaLabel: `${columns[kind]} by step: nothing yet` });
    const plot = make("div", undefined, { className: "plot" }, [
      canvas,
      make("div", undefined, { className: "tip", hidden: true }),
    ]);
    const node = make("div", undefined, { hidden: true }, [make("div", undefined, { className: "legend" }), plot]);
    this.#head.after(node);
    const isShare = kind === "dead" || kind === "flat";
    const chart = new Chart(node, { title: columns[kind], unit: columns[kind], logarithmic: !isShare, share: isShare });
    const made = { chart, node };
    this.#charts.set(kind, made);
    return made;
  }
  #draw(): void {
    this.#card.hidden = false;
    for (const [kind, { chart }] of this.#charts) {
      chart.hidden = kind !== this.#select.value;
      chart.draw();
    }
    const largest = Math.max(0, ...[...this.#numbers.values()].map((n) => n.gradient ?? 0));
    const heads = ["layer", ...Object.values(columns)];
    const rows = [...this.#numbers].map(([layer, numbers]) => {
      const signs = signsOf(numbers, largest);
      const said = signs.map((sign) => make("span", sign, { className: "sign", title: meanings[sign] }));
      const name = button(layer, () => showLayer(layer), "link");
      name.title = "Show it in the text";
      return make("tr", undefined, {}, [
        make("th", undefined, { scope: "row" }, [name, ...(said.length ? [make("div", undefined, {}, said)] : [])]),
        ...kinds.map((kind) => make("td", textOf(kind, numbers[kind]))),
      ]);
    });
    const focused = this.#table.contains(document.activeElement) ? document.activeElement?.textContent : undefined;
    const head = make(
      "tr",
      undefined,
      {},
      heads.map((text) => make("th", text, { scope: "col" })),
    );
    this.#table.replaceChildren(make("thead", undefined, {}, [head]), make("tbody", undefined, {}, rows));
    if (focused) [...this.#table.querySelectorAll("button")].find((b) => b.textContent === focused)?.focus();
  }
}
