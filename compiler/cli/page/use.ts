// A panel for every export: what it is asked with, what it gives, both by their types. In: a session. Out: panels that follow the weights while they change.
import { rangedText } from "../../print/text.ts";
import type { Tensor, Value } from "../../../runtime/api.ts";
import { box, button, labelled, make, newId } from "./dom.ts";
import type { Control } from "./control.ts";
import { columnNames, controlFor, Vector } from "./controls.ts";
import { Drawing } from "./drawing.ts";
import { type Field, goneOnFrom, kindOfField, type PictureKind, type Port, type Use } from "./kinds.ts";
import { toneOf, type Tone, unitTone } from "./pictures.ts";
import { labelsOf, Line, Plane, shadesOf } from "./plane.ts";
import { className, gallery, type Result, resultFor, tableOf, textsOf } from "./results.ts";
import { rowOf, type Session } from "./session.ts";

/** An answer within so many milliseconds keeps up with what is drawn, typed and trained. */
const patience = 150;
const learnedRows = 128;

/** What one way of asking needs of the panel, and gives it. */
interface Asking {
  readonly node: HTMLElement;
  /** Asks the model and shows what it says. */
  ask(run: Run): Promise<void>;
  /** The data are there: fills what is to be filled, but for what somebody has `touched`. */
  learn(touched: boolean): Promise<void>;
}
type Run = (inputs: Readonly<Record<string, Value>>) => Promise<Readonly<Record<string, Tensor>>>;

export class Panel {
  readonly node: HTMLElement;
  readonly #session: Session;
  readonly #use: Use;
  readonly #asking: Asking;
  readonly #note = make("p", "", { className: "note" });
  readonly #settings = new Map<Port, HTMLInputElement>();
  #visible = true;
  #touched = false; // somebody has asked something
  #learned = false; // what the data are like
  #stale = false;
  #running = false;
  #again = false;
  #cost = 0; // milliseconds of the last answer
  /** Of all panels' last answers. */
  static spent = 0;
  /** Training is under way: what is slow waits. */
  static busy = false;

  constructor(session: Session, use: Use) {
    this.#session = session;
    this.#use = use;
    const changed = (): void => {
      this.#touched = true;
      this.refresh(true);
    };
    this.#asking = askingFor(session, use, changed);
    const title = make("h3", use.plan.name, { id: newId("use") });
    const type = `(${use.plan.inputs.map((p) => `${p.name}: ${rangedText(p)}`).join(", ")}) -> ${use.plan.outputs.map(rangedText).join(", ")}`;
    const bar = box("row");
    for (const port of use.settings) bar.append(this.#setting(port));
    const verb = use.asked === "draw" ? "Draw others" : use.asked === "button" ? "Run" : undefined;
    if (verb ?? use.settings.length) bar.append(button(verb ?? "Run", () => this.#press(), verb ? "accent" : ""));
    this.node = make("section", undefined, { className: "card use" });
    this.node.setAttribute("aria-labelledby", title.id);
    this.node.append(box("use-head", title, make("code", type, { className: "type" })), this.#asking.node);
    if (bar.childElementCount) this.node.append(bar);
    this.#note.setAttribute("role", "status");
    this.node.append(this.#note);
    new IntersectionObserver((entries) => {
      this.#visible = entries.some((e) => e.isIntersecting);
      if (this.#visible && this.#stale) this.refresh();
    }).observe(this.node);
  }
  #setting(port: Port): HTMLElement {
    const real = port.port.dtype === "f32";
    const input = make("input", undefined, {
      type: "number",
      step: real ? "any" : "1",
      value: String(port.port.optional ?? 0),
    });
    input.addEventListener("change", () => this.refresh(true));
    this.#settings.set(port, input);
    return labelled(port.name, input);
  }
  /** Other draws: an i32 of an export that draws is its seed. */
  #press(): void {
    for (const [port, input] of this.#settings)
      if (port.name === "seed" && port.port.dtype === "i32") input.value = String(Number(input.value) + 1);
    if (this.#asking instanceof Drawn) this.#asking.drawOthers();
    this.refresh(true);
  }
  /** Asks again, if the panel is seen and it is not too slow for that. `wanted`: by hand. */
  refresh(wanted = false): void {
    if (!this.#session.model || !(this.#learned || this.#touched)) return;
    if (!wanted && (!this.#visible || (Panel.busy && this.#cost > patience))) {
      this.#stale = true;
      return;
    }
    if (this.#running) {
      this.#again = true;
      return;
    }
    void this.#ask();
  }
  async #ask(): Promise<void> {
    this.#running = true;
    this.#stale = false;
    const { model } = this.#session;
    let spent = 0;
    // the first answer waits for its kernels to be compiled
    const waiting = setTimeout(() => (this.#note.textContent = "computing …"), 700);
    try {
      await this.#asking.ask(async (inputs) => {
        if (!model || model !== this.#session.model) throw new Superseded();
        const started = performance.now();
        const outputs = await model.run(this.#use.plan.name, { ...this.#given(), ...inputs });
        spent += performance.now() - started;
        return outputs;
      });
      Panel.spent += spent - this.#cost;
      this.#cost = spent;
      this.#note.textContent = "";
      this.node.dataset["asked"] = String(Number(this.node.dataset["asked"] ?? 0) + 1);
    } catch (error) {
      if (!(error instanceof Superseded) && model === this.#session.model)
        this.#note.textContent = error instanceof Error ? error.message : String(error);
    }
    clearTimeout(waiting);
    this.#running = false;
    if (this.#again) {
      this.#again = false;
      this.refresh(true);
    }
  }
  #given(): Record<string, Value> {
    const given: Record<string, Value> = {};
    for (const [port, input] of this.#settings) {
      const value = Number(input.value);
      if (input.value.trim() !== "" && Number.isFinite(value))
        given[port.name] = { data: new Array<number>(portCount(port)).fill(value), shape: fixedShape(port) };
    }
    return given;
  }
  async learn(): Promise<void> {
    const { model } = this.#session;
    await this.#asking.learn(this.#touched).catch((error: unknown) => {
      if (model === this.#session.model) console.error(error); // of one that another took the place of it is no news
    });
    this.#learned = true;
    this.node.dataset["learned"] = "yes";
    this.refresh();
  }
}
class Superseded extends Error {} // by another model
const fixedShape = (port: Port): number[] => port.port.shape.map((n) => (typeof n === "number" ? n : 1));
const portCount = (port: Port): number => fixedShape(port).reduce((n, size) => n * size, 1);

function askingFor(session: Session, use: Use, changed: () => void): Asking {
  if (use.asked === "plane") return new OnPlane(session, use, changed);
  if (use.asked === "line") return new AlongLine(session, use, changed);
  if (use.asked === "draw") return new Drawn(session, use);
  return new WithControls(session, use, changed);
}
/** Brightness as in the data's pictures of this kind. */
async function toneFor(session: Session, kind: PictureKind): Promise<Tone> {
  for (const f of session.fields) {
    const of = kindOfField(f);
    if (of.kind !== "picture" || of.height !== kind.height || of.width !== kind.width) continue;
    const values = (await session.sample(f.dataset, "train", learnedRows))?.fields[f.name];
    if (values) return toneOf(kind, values.data);
  }
  return unitTone;
}
class Results {
  readonly node: HTMLElement;
  readonly #results: readonly { readonly port: Port; readonly result: Result }[];
  readonly #tones = new Map<string, Tone>();
  readonly #session: Session;
  constructor(session: Session, outputs: readonly Port[]) {
    this.#session = session;
    const tone = (kind: PictureKind): Tone => this.#tones.get(JSON.stringify(kind)) ?? unitTone;
    this.#results = outputs.map((port) => ({ port, result: resultFor(port, session, tone) }));
    this.node = box(
      "results",
      ...this.#results.map(({ port, result }) =>
        outputs.length > 1 ? box("result", make("h4", port.name), result.node) : result.node,
      ),
    );
    this.node.setAttribute("aria-live", "polite");
  }
  async learn(): Promise<void> {
    for (const { port } of this.#results)
      if (port.kind.kind === "picture")
        this.#tones.set(JSON.stringify(port.kind), await toneFor(this.#session, port.kind));
  }
  show(
    outputs: Readonly<Record<string, Tensor>>,
    row = 0,
    before: (port: Port) => string | undefined = () => undefined,
  ): void {
    for (const { port, result } of this.#results) {
      const tensor = outputs[port.name];
      if (tensor) result.show(rowOf(tensor, row, port.axis), before(port));
    }
  }
}

// ---- with controls: one row

class WithControls implements Asking {
  readonly node: HTMLElement;
  readonly #session: Session;
  readonly #use: Use;
  readonly #controls: readonly { readonly port: Port; readonly control: Control }[];
  readonly #results: Results;
  readonly #cloud: { readonly plane: Plane; readonly output: Port } | undefined;
  readonly #another: HTMLButtonElement;
  #row = 0;
  constructor(session: Session, use: Use, changed: () => void) {
    this.#session = session;
    this.#use = use;
    this.#controls = use.inputs.map((port) => ({ port, control: controlFor(port, session, changed) }));
    const points = use.outputs.find((p) => p.kind.kind === "point" && p.axis === 0);
    if (points && this.#single()) {
      const plane = new Plane({
        names: [`${points.name}[0]`, `${points.name}[1]`],
        label: `${points.name} of rows of the data, and of this one`,
      });
      this.#cloud = { plane, output: points };
    }
    this.#results = new Results(session, this.#cloud ? use.outputs.filter((p) => p !== points) : use.outputs);
    this.#another = button("Row of the data", () => void this.#fillNext().then(changed), "small");
    this.#another.hidden = true;
    const given = box("given");
    for (const { port, control } of this.#controls)
      given.append(
        this.#controls.length > 1 && port.kind.kind === "picture"
          ? box("", make("h4", port.name), control.node)
          : control.node,
      );
    if (use.inputs.length) given.append(box("row", this.#another));
    const gives = box("gives", ...(this.#cloud ? [this.#cloud.plane.node] : []), this.#results.node);
    this.node = use.inputs.length ? box("asking", given, gives) : gives;
  }
  /** The only input, where the data have rows of it. */
  #single(): Port | undefined {
    const [only, ...others] = this.#use.inputs;
    return only?.field && !others.length && only.axis === 0 && only.field.shape.join() === only.shape.join()
      ? only
      : undefined;
  }
  async learn(touched: boolean): Promise<void> {
    await this.#results.learn();
    for (const { port, control } of this.#controls) {
      const rows = port.field && (await this.#session.sample(port.field.dataset, "train", learnedRows));
      const values = port.field && rows?.fields[port.field.name];
      if (values) control.learn?.(values.data);
      else if (!port.field) control.learn?.([]);
      if (values) this.#another.hidden = false;
    }
    this.#row = 0;
    if (!touched) await this.#fillNext();
  }
  /** All inputs from one row where the data have a field for each of them; else those of one field from several. */
  async #fillNext(): Promise<void> {
    const row = this.#row++;
    const uses = new Map<Field, number>();
    for (const { port, control } of this.#controls) {
      const { field } = port;
      if (!field) continue;
      const split = this.#session.splitOf(field.dataset);
      const rows = await this.#session.sample(field.dataset, split, learnedRows);
      const values = rows?.fields[field.name];
      if (!values || !rows) continue;
      const before = uses.get(field) ?? 0; // the same field again: another row
      uses.set(field, before + 1);
      control.fill(rowOf(values, (row + 7 * before) % rows.places.length, 0).data);
    }
  }
  async ask(run: Run): Promise<void> {
    const inputs: Record<string, Value> = {};
    for (const { port, control } of this.#controls) {
      if (control instanceof Drawing && control.isEmpty && !port.field) return;
      const data = control.value();
      if (!data) return;
      inputs[port.name] = { data, shape: rowShape(port, data.length) };
    }
    const typed = new Map(this.#controls.map(({ port, control }) => [port, control.text?.()]));
    const outputs = await run(inputs);
    this.#results.show(outputs, 0, (output) => {
      const before = goneOnFrom(this.#use, output);
      return before && typed.get(before);
    });
    await this.#showCloud(run, outputs);
  }
  async #showCloud(run: Run, outputs: Readonly<Record<string, Tensor>>): Promise<void> {
    const only = this.#single();
    if (!this.#cloud || !only?.field) return;
    const { plane, output } = this.#cloud;
    const rows = await this.#session.sample(only.field.dataset, this.#session.splitOf(only.field.dataset), 300);
    const values = rows?.fields[only.field.name];
    const own = outputs[output.name];
    if (!values || !rows || !own) return;
    const all = (await run({ [only.name]: values }))[output.name]!;
    plane.points = { at: all.data, ...labelsOf(this.#session, only.field, rows.fields) };
    plane.cloud = undefined;
    plane.fit(all.data);
    plane.mark([own.data[0]!, own.data[1]!]);
  }
}
/** The shape of one row as the export takes it; an open extent is as long as what is given. */
function rowShape(port: Port, count: number): number[] {
  const known = port.shape.reduce<number>((n, size) => n * (typeof size === "number" ? size : 1), 1);
  const shape = port.shape.map((size) => (typeof size === "number" ? size : count / known));
  return port.axis === 0 ? [1, ...shape] : shape;
}
// ---- two numbers: a plane

/** The fields whose rows are points of what is asked: one of two numbers, or two of one. */
function pointFields(use: Use): readonly Field[] | undefined {
  const fields = use.inputs.flatMap((p) => (p.field ? [p.field] : []));
  const one = new Set(fields.map((f) => f.dataset)).size === 1;
  return one && fields.length === use.inputs.length && new Set(fields).size === fields.length ? fields : undefined;
}
/** Rows of points, for inputs of one number or of several. */
function inputsOf(use: Use, points: ArrayLike<number>, width: number): Record<string, Value> {
  const count = points.length / width;
  let from = 0;
  const inputs: Record<string, Value> = {};
  for (const port of use.inputs) {
    const own = port.shape.reduce<number>((n, size) => n * Number(size), 1);
    const start = from;
    const data = Float32Array.from(
      { length: count * own },
      (_, i) => points[Math.floor(i / own) * width + start + (i % own)]!,
    );
    inputs[port.name] = { data, shape: [count, ...port.shape.map(Number)] };
    from += own;
  }
  return inputs;
}
const coordinateNames = (use: Use): string[] =>
  use.inputs.flatMap((p) => {
    const count = p.shape.reduce<number>((n, size) => n * Number(size), 1);
    const columns = columnNames(p, count);
    if (columns) return [...columns];
    return count === 1 ? [p.name] : Array.from({ length: count }, (_, i) => `${p.name}[${i}]`);
  });
function joined(fields: readonly Field[], rows: Readonly<Record<string, Tensor>>, count: number): Float32Array {
  const parts = fields.map((f) => rows[f.name]!);
  const widths = parts.map((t) => t.data.length / count);
  const width = widths.reduce((a, b) => a + b, 0);
  const out = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    let at = i * width;
    parts.forEach((t, k) => {
      for (let j = 0; j < widths[k]!; j++) out[at++] = t.data[i * widths[k]! + j]!;
    });
  }
  return out;
}

class OnPlane implements Asking {
  readonly node: HTMLElement;
  readonly #session: Session;
  readonly #use: Use;
  readonly #plane: Plane;
  readonly #results: Results;
  readonly #exact: Vector;
  readonly #shown = make("select");
  readonly #mapped: readonly { readonly port: Port; readonly component: number; readonly text: string }[];
  #side = 48;
  #tone: Tone = unitTone;
  constructor(session: Session, use: Use, changed: () => void) {
    this.#session = session;
    this.#use = use;
    const [x = "x", y = "y"] = coordinateNames(use);
    this.#exact = new Vector([x, y], () => {
      const value = this.#exact.value();
      if (!value) return;
      this.#plane.point = [value[0]!, value[1]!];
      this.#plane.draw();
      changed();
    });
    this.#plane = new Plane({
      names: [x, y],
      label: `${use.plan.name} over ${x} and ${y}`,
      chosen: () => {
        this.#exact.fill(this.#plane.point);
        changed();
      },
    });
    this.#results = new Results(session, use.outputs);
    this.#mapped = use.outputs.flatMap((port) => mapsOf(port));
    this.#shown.append(...this.#mapped.map(({ text }, i) => make("option", text, { value: String(i) })));
    this.#shown.addEventListener("change", changed);
    const given = box("given", this.#plane.node);
    if (this.#mapped.length > 1) given.append(labelled("shown", this.#shown));
    this.node = box("asking", given, box("gives", this.#results.node, this.#exact.node));
  }
  async learn(touched: boolean): Promise<void> {
    await this.#results.learn();
    const picture = this.#use.outputs.find((p) => p.kind.kind === "picture");
    if (picture?.kind.kind === "picture") this.#tone = await toneFor(this.#session, picture.kind);
    const fields = pointFields(this.#use);
    const [first] = fields ?? [];
    if (fields && first) {
      const rows = await this.#session.sample(first.dataset, "train", 400);
      if (rows) {
        const at = joined(fields, rows.fields, rows.places.length);
        this.#plane.points = { at, ...labelsOf(this.#session, first, rows.fields, fields) };
        this.#plane.fit(at);
        if (!touched) this.#plane.point = [at[0]!, at[1]!];
      }
    }
    const [[x0, x1], [y0, y1]] = this.#plane.ends;
    this.#exact.learn([x0, y0, x1, y1]);
    this.#exact.fill(this.#plane.point);
  }
  async ask(run: Run): Promise<void> {
    const outputs = await run(inputsOf(this.#use, this.#plane.point, 2));
    this.#results.show(outputs);
    const map = this.#mapped[Number(this.#shown.value) || 0];
    if (!map) return;
    const { port, component } = map;
    const side = port.kind.kind === "picture" ? 10 : this.#side;
    const started = performance.now();
    const all = (await run(inputsOf(this.#use, this.#plane.grid(side), 2)))[port.name]!;
    // as fine as keeps up
    const took = performance.now() - started;
    if (took > patience && this.#side > 16) this.#side = Math.round(this.#side / 1.5);
    else if (took < patience / 6 && this.#side < 96) this.#side = Math.round(this.#side * 1.5);
    if (port.kind.kind === "picture") this.#plane.showTiles(side, port, all.data, this.#tone);
    else this.#plane.showMap(side, shadesOf(port, all, component, this.#names(port)));
  }
  #names(port: Port): readonly string[] | undefined {
    return port.kind.kind === "class" || port.kind.kind === "scores"
      ? this.#session.namesOf(port.kind.field)
      : undefined;
  }
}
/** What of an output can be shown over a plane. */
function mapsOf(port: Port): { readonly port: Port; readonly component: number; readonly text: string }[] {
  if (port.axis !== 0) return [];
  const { kind } = port;
  const whole = { port, component: 0, text: port.name };
  if (["class", "number", "truth", "picture"].includes(kind.kind)) return [whole];
  if (kind.kind === "scores" && kind.field) return [whole];
  const [count] = port.shape;
  if (port.shape.length !== 1 || typeof count !== "number" || port.port.dtype !== "f32") return [];
  return Array.from({ length: Math.min(count, 16) }, (_, i) => ({ port, component: i, text: `${port.name}[${i}]` }));
}

// ---- one number: a line

class AlongLine implements Asking {
  readonly node: HTMLElement;
  readonly #session: Session;
  readonly #use: Use;
  readonly #line: Line;
  readonly #results: Results;
  readonly #exact: Vector;
  constructor(session: Session, use: Use, changed: () => void) {
    this.#session = session;
    this.#use = use;
    const [name = "x"] = coordinateNames(use);
    this.#line = new Line(name, `${use.plan.name} over ${name}`, () => {
      this.#exact.fill([this.#line.at]);
      changed();
    });
    this.#exact = new Vector([name], () => {
      const value = this.#exact.value();
      if (!value) return;
      this.#line.at = value[0]!;
      this.#line.draw();
      changed();
    });
    this.#results = new Results(session, use.outputs);
    const drawn = this.#drawn();
    const gives = box("gives", this.#results.node, this.#exact.node);
    this.node = box(drawn.length ? "asking" : "", ...(drawn.length ? [box("given", this.#line.node)] : []), gives);
  }
  #drawn(): { readonly port: Port; readonly component: number; readonly text: string }[] {
    return this.#use.outputs
      .filter((p) => p.port.dtype === "f32" && p.axis === 0 && p.shape.length <= 1 && Number(p.shape[0] ?? 1) <= 8)
      .flatMap((port) =>
        Array.from({ length: Number(port.shape[0] ?? 1) }, (_, component) => ({
          port,
          component,
          text: Number(port.shape[0] ?? 1) > 1 ? `${port.name}[${component}]` : port.name,
        })),
      );
  }
  async learn(touched: boolean): Promise<void> {
    await this.#results.learn();
    const [field] = pointFields(this.#use) ?? [];
    const rows = field && (await this.#session.sample(field.dataset, "train", 400));
    const at = field && rows?.fields[field.name];
    if (field && rows && at) {
      const labels = labelsOf(this.#session, field, rows.fields);
      this.#line.points = { at: at.data, ...(labels.classes ? {} : labels) };
      this.#line.fit(at.data);
      if (!touched) this.#line.at = at.data[0]!;
    }
    this.#exact.learn(this.#line.ends);
    this.#exact.fill([this.#line.at]);
  }
  async ask(run: Run): Promise<void> {
    this.#results.show(await run(inputsOf(this.#use, [this.#line.at], 1)));
    const drawn = this.#drawn();
    if (!drawn.length) return;
    const outputs = await run(inputsOf(this.#use, this.#line.grid(201), 1));
    this.#line.show(
      drawn.map(({ port, component, text }) => {
        const { data } = outputs[port.name]!;
        const width = data.length / 201;
        return { name: text, values: Array.from({ length: 201 }, (_, i) => data[i * width + component]!) };
      }),
    );
  }
}

// ---- numbers that no data have: drawn at random, many at a time

class Drawn implements Asking {
  readonly node: HTMLElement;
  readonly #session: Session;
  readonly #use: Use;
  readonly #shown = box("drawn");
  readonly #plane: Plane | undefined;
  #draws = new Map<Port, Float32Array>();
  #count = 16;
  #tone: Tone = unitTone;
  #seed = 1;
  constructor(session: Session, use: Use) {
    this.#session = session;
    this.#use = use;
    const [only] = use.outputs;
    if (use.outputs.length === 1 && only?.kind.kind === "point" && only.axis === 0) {
      const [x, y] = [`${only.name}[0]`, `${only.name}[1]`];
      this.#plane = new Plane({ names: [x, y], label: `${only.name} of numbers drawn at random, over the data` });
      this.#count = 400;
    }
    const what = use.inputs.map((p) => p.name).join(" and ");
    this.node = box(
      "",
      this.#plane?.node ?? this.#shown,
      make("p", `${what}: ${this.#count} rows drawn from the normal distribution`, { className: "note" }),
    );
    this.drawOthers();
  }
  drawOthers(): void {
    const next = normals(this.#seed++);
    this.#draws = new Map(
      this.#use.inputs.map((p) => [p, Float32Array.from({ length: this.#count * Number(p.shape[0]) }, next)]),
    );
  }
  async learn(): Promise<void> {
    const [only] = this.#use.outputs;
    if (only?.kind.kind === "picture") this.#tone = await toneFor(this.#session, only.kind);
    // what is made beside what it is made after
    const like = this.#plane && this.#session.fields.find((f) => f.dtype === "f32" && f.shape.join() === "2");
    const rows = like && (await this.#session.sample(like.dataset, "train", 400));
    const values = like && rows?.fields[like.name];
    if (!this.#plane || !values) return;
    this.#plane.points = { at: values.data };
    this.#plane.fit(values.data);
  }
  async ask(run: Run): Promise<void> {
    const inputs = Object.fromEntries(
      [...this.#draws].map(([p, data]) => [p.name, { data, shape: [this.#count, Number(p.shape[0])] }]),
    );
    const outputs = await run(inputs);
    const [only] = this.#use.outputs;
    if (this.#plane && only) {
      this.#plane.cloud = outputs[only.name]!.data;
      if (!this.#plane.points) this.#plane.fit(this.#plane.cloud);
      this.#plane.draw();
      return;
    }
    this.#shown.replaceChildren(...this.#use.outputs.map((port) => this.#manyOf(port, outputs[port.name]!)));
  }
  #manyOf(port: Port, tensor: Tensor): HTMLElement {
    const { kind } = port;
    if (kind.kind === "picture" && port.axis === 0) return gallery(kind, tensor.data, this.#tone, port.name);
    if (kind.kind === "text" && kind.field)
      return make("output", textsOf(tensor, kind.field, this.#session).join("\n"), { className: "text" });
    if (kind.kind === "class") {
      const names = this.#session.namesOf(kind.field);
      return make("output", Array.from(tensor.data, (n) => className(names, n)).join(", "), { className: "text" });
    }
    return make("div", undefined, { className: "scroll", tabIndex: 0, role: "region", ariaLabel: port.name }, [
      tableOf(tensor),
    ]);
  }
}
/** Normal numbers by Box and Muller, the same for the same seed. */
function normals(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b9) >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
    return (((x ^ (x >>> 15)) >>> 0) + 0.5) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
