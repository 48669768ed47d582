// Rows of the data as what they are, with what the model says of them, wrong answers first. In: a session. Out: the section of the page.
import type { Tensor } from "../../../runtime/api.ts";
import { box, element, endsOf, labelled, make, short, whole } from "./dom.ts";
import { type Classifier, classifierOf, type Field, kindOfField, type PictureKind } from "./kinds.ts";
import { pictureCanvas, type Tone, toneOf } from "./pictures.ts";
import { labelsOf, Plane } from "./plane.ts";
import { argmax, className, shareText, areShares, tableOf, textsOf } from "./results.ts";
import { type Rows, rowOf, type Session } from "./session.ts";

const [shownCards, shownLines, askedRows] = [24, 12, 400];
interface Answer {
  readonly answered: number;
  readonly label: number;
  readonly share?: number; // of the class that was answered
}

export class DataView {
  readonly #session: Session;
  readonly #dataset = make("select");
  readonly #split = make("select");
  readonly #note = make("p", "", { className: "note" });
  readonly #rows = box("rows");
  readonly #classifier: Classifier | undefined;
  #showing = false;
  #again = false;
  constructor(session: Session) {
    this.#session = session;
    this.#classifier = classifierOf(session.uses, session.fields);
    const datasets = [...new Set(session.fields.map((f) => f.dataset))];
    element("data").hidden = !datasets.length;
    this.#dataset.append(...datasets.map((name) => make("option", name, { value: name })));
    const dataset = labelled("data", this.#dataset);
    dataset.hidden = datasets.length < 2;
    this.#dataset.addEventListener("change", () => this.learn());
    this.#split.addEventListener("change", () => this.refresh());
    element("data-body").append(box("row", dataset, labelled("split", this.#split)), this.#note, this.#rows);
  }
  learn(): void {
    const splits = Object.entries(this.#session.model?.data[this.#dataset.value]?.splits ?? {});
    this.#split.replaceChildren(
      ...splits.map(([name, rows]) => make("option", `${name} (${whole(rows)} rows)`, { value: name })),
    );
    this.#split.value = this.#session.splitOf(this.#dataset.value);
    this.refresh();
  }
  refresh(): void {
    if (!this.#session.model || element("data").hidden) return;
    if (this.#showing) this.#again = true;
    else void this.#show();
  }
  async #show(): Promise<void> {
    this.#showing = true;
    try {
      const rows = await this.#session.sample(this.#dataset.value, this.#split.value, askedRows);
      if (rows) this.#fill(rows, await this.#answers(rows));
    } catch (error) {
      this.#note.textContent = error instanceof Error ? error.message : String(error);
    }
    this.#showing = false;
    if (!this.#again) return;
    this.#again = false;
    this.refresh();
  }
  async #answers(rows: Rows): Promise<readonly Answer[] | undefined> {
    const [c, { model }] = [this.#classifier, this.#session];
    const label = c && rows.fields[c.label.name];
    const input = c && rows.fields[c.input.name];
    if (!c || !model || !label || !input || c.label.dataset !== this.#dataset.value) return undefined;
    const outputs = await model.run(c.use.plan.name, { [c.use.inputs[0]!.name]: input });
    const result = outputs[c.output.name];
    if (!result) return undefined;
    return rows.places.map((_, i): Answer => {
      const { data } = rowOf(result, i, 0);
      const answered = c.output.kind.kind === "scores" ? argmax(data) : data[0]!;
      const shares = c.output.kind.kind === "scores" && areShares(data);
      return { answered, label: label.data[i]!, ...(shares ? { share: data[answered]! } : {}) };
    });
  }
  #fill(rows: Rows, answers: readonly Answer[] | undefined): void {
    const order = rows.places.map((_, i) => i);
    const wrong = (i: number): boolean => answers !== undefined && answers[i]!.answered !== answers[i]!.label;
    // the surest mistakes first
    const sureness = (i: number): number => (wrong(i) ? 1 + (answers?.[i]?.share ?? 0) : 0);
    if (answers) order.sort((a, b) => sureness(b) - sureness(a) || a - b);
    const count = order.filter(wrong).length;
    const of = `${whole(rows.places.length)} rows`;
    this.#note.textContent = answers
      ? count
        ? `${this.#classifier!.use.plan.name} is wrong in ${count} of ${of}; those come first`
        : `${this.#classifier!.use.plan.name} is right in all of ${of}`
      : "";
    this.#rows.replaceChildren(...this.#pointsOf(rows), this.#rowsOf(rows, order, answers));
  }
  /** All of them at once, where rows are points. */
  #pointsOf(rows: Rows): HTMLElement[] {
    const { fields } = this.#session;
    const point = fields.find((f) => f.dataset === this.#dataset.value && kindOfField(f, fields).kind === "point");
    const values = point && rows.fields[point.name];
    if (!point || !values) return [];
    const plane = new Plane({
      names: [`${point.name}[0]`, `${point.name}[1]`],
      label: `${point.name} of ${rows.places.length} rows`,
    });
    plane.points = { at: values.data, ...labelsOf(this.#session, point, rows.fields) };
    plane.fit(values.data);
    return [plane.node];
  }
  #rowsOf(rows: Rows, order: readonly number[], answers: readonly Answer[] | undefined): HTMLElement {
    const fields = this.#session.fields.filter((f) => f.dataset === this.#dataset.value && rows.fields[f.name]);
    const pictures = fields.flatMap((f) => {
      const kind = kindOfField(f, this.#session.fields);
      return kind.kind === "picture" ? [{ f, kind, tone: toneOf(kind, rows.fields[f.name]!.data) }] : [];
    });
    const [picture] = pictures;
    return picture
      ? this.#cards(rows, order.slice(0, shownCards), answers, picture, fields)
      : this.#table(rows, order.slice(0, shownLines), answers, fields);
  }
  #cards(
    rows: Rows,
    order: readonly number[],
    answers: readonly Answer[] | undefined,
    { f, kind, tone }: { readonly f: Field; readonly kind: PictureKind; readonly tone: Tone },
    fields: readonly Field[],
  ): HTMLElement {
    const others = fields.filter((x) => x !== f && x.shape.length === 0);
    return make(
      "ul",
      undefined,
      { className: "cards" },
      order.map((i) => {
        const said = others.map((x) => `${x.name} ${String(this.#cell(x, rows, i))}`);
        const canvas = pictureCanvas(
          kind,
          rowOf(rows.fields[f.name]!, i, 0).data,
          tone,
          `${f.name}, row ${rows.places[i]}`,
        );
        const answer = answers?.[i];
        const item = make("li", undefined, {}, [canvas]);
        if (answer) item.append(this.#verdict(answer));
        else if (said.length) item.append(make("span", said.join(", "), { className: "note" }));
        return item;
      }),
    );
  }
  #verdict({ answered, label, share }: Answer): HTMLElement {
    const names = this.#session.namesOf(this.#classifier?.label);
    const wrong = answered !== label;
    const sure = share === undefined ? "" : ` (${shareText(share)})`;
    const text = wrong
      ? `${className(names, label)}, not ${className(names, answered)}${sure}`
      : className(names, label);
    return make("span", text, { className: wrong ? "wrong" : "right" });
  }
  #table(
    rows: Rows,
    order: readonly number[],
    answers: readonly Answer[] | undefined,
    fields: readonly Field[],
  ): HTMLElement {
    const head = fields.map((f) => make("th", f.name, { scope: "col" }));
    if (answers) head.push(make("th", this.#classifier!.use.plan.name, { scope: "col" }));
    const body = order.map((i) => {
      const cells = fields.map((f) => make("td", undefined, {}, [this.#cell(f, rows, i)]));
      const answer = answers?.[i];
      if (answer) {
        const names = this.#session.namesOf(this.#classifier?.label);
        const text = `${className(names, answer.answered)}${answer.share === undefined ? "" : ` ${shareText(answer.share)}`}`;
        cells.push(make("td", text, { className: answer.answered === answer.label ? "right" : "wrong" }));
      }
      return make("tr", undefined, {}, cells);
    });
    return make("div", undefined, { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "rows of the data" }, [
      make("table", undefined, { className: "data" }, [
        make("thead", undefined, {}, [make("tr", undefined, {}, head)]),
        make("tbody", undefined, {}, body),
      ]),
    ]);
  }
  #cell(f: Field, rows: Rows, i: number): Element | string {
    const row: Tensor = rowOf(rows.fields[f.name]!, i, 0);
    const kind = kindOfField(f, this.#session.fields);
    if (kind.kind === "class") return className(this.#session.namesOf(f), row.data[0]!);
    if (kind.kind === "text")
      return make("span", textsOf(row, kind.field, this.#session)[0] ?? "", { className: "line" });
    if (kind.kind === "truth") return row.data[0] ? "true" : "false";
    if (row.data.length === 1) return f.dtype === "f32" ? short(row.data[0]!) : String(row.data[0]);
    if (row.data.length <= 8) return Array.from(row.data, short).join("  ");
    return sparkline(row, f.name) ?? tableOf(row);
  }
}
/** Many numbers in little room. */
function sparkline({ data, shape }: Tensor, name: string): SVGElement | undefined {
  if (shape.length !== 1) return undefined;
  const [low, high] = endsOf(data);
  const made = <K extends keyof SVGElementTagNameMap>(tag: K, attributes: Readonly<Record<string, string>>) => {
    const x = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) x.setAttribute(key, value);
    return x;
  };
  const points = Array.from(
    data,
    (v, i) => `${(100 * i) / (data.length - 1)},${18 - (16 * (v - low)) / (high - low || 1)}`,
  );
  const svg = made("svg", {
    class: "spark",
    viewBox: "0 0 100 20",
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": `${name}, ${data.length} numbers from ${short(low)} to ${short(high)}`,
  });
  svg.append(made("polyline", { points: points.join(" ") }));
  return svg;
}
