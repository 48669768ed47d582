// The weights: load, save, share; the layers that read the model's input as pictures. In: a session. Out: the section of the page.
import type { Tensor } from "../../../runtime/api.ts";
import type { TrainerModel } from "../../../runtime/trainer-api.ts";
import { box, bytes, download, element, labelled, make, noProblem, problem, whole } from "./dom.ts";
import { kindOfField, type PictureKind } from "./kinds.ts";
import { painted, paintSigned } from "./pictures.ts";
import { matrixCanvas, tableOf } from "./results.ts";
import type { Session } from "./session.ts";

/** Longer addresses are cut by what passes them on. */
const longestLink = 60_000;
const mostTiles = 64;

export class WeightsView {
  readonly #session: Session;
  readonly #ready: () => Promise<unknown>;
  readonly #chosen = make("select");
  readonly #shown = box("layer");
  #values: Readonly<Record<string, Tensor>> = {};
  #reading = false;
  #again = false;
  /** Asks the page for a model with its initial weights, if there is none yet. */
  constructor(session: Session, ready: () => Promise<unknown>) {
    this.#session = session;
    this.#ready = ready;
    const input = element("load", "input");
    input.addEventListener("change", () => {
      const [file] = input.files ?? [];
      input.value = "";
      if (file) void this.load(file);
    });
    element("save").addEventListener("click", () => void this.#save());
    element("share").addEventListener("click", () => void this.#share());
    this.#chosen.addEventListener("change", () => this.#show());
    element("layers").append(labelled("parameter", this.#chosen), this.#shown);
  }
  get #name(): string {
    return `${this.#session.plan.name.replace(/\.dlm$/, "").replace(/.*\//, "")}.safetensors`;
  }
  /** What the visitor chose or dropped. */
  async load(file: File): Promise<void> {
    try {
      await this.#ready();
      await this.take(new Uint8Array(await file.arrayBuffer()), file.name);
    } catch (error) {
      problem(`The weights in ${file.name} cannot be taken`, error);
    }
  }
  /** Weights, or a whole checkpoint, of which training goes on. */
  async take(content: Uint8Array, name: string): Promise<boolean> {
    const { model } = this.#session;
    if (!model) return false;
    noProblem();
    try {
      await model.loadWeights(content);
      this.#say(`${name}: loaded`);
      this.#session.weightsChanged();
      return true;
    } catch (error) {
      problem(`The weights in ${name} cannot be taken`, error);
      return false;
    }
  }
  #say(text: string): void {
    element("weights-note").textContent = text;
  }
  async #save(): Promise<void> {
    const { model } = this.#session;
    try {
      if (model) download(this.#name, await model.checkpoint({ weights: true }));
    } catch (error) {
      problem("The weights cannot be saved", error);
    }
  }
  /** As a link that holds them, where they are few; else as a file, where the system passes files on. */
  async #share(): Promise<void> {
    const { model, plan } = this.#session;
    if (!model) return;
    try {
      const content = await model.checkpoint({ weights: true });
      const text = await packed(content);
      if (text.length <= longestLink) {
        const link = `${location.href.replace(/#.*/, "")}#weights=${text}`;
        await navigator.clipboard.writeText(link);
        this.#say(`A link with the weights (${bytes(link.length)}) is on the clipboard.`);
        return;
      }
      const file = new File([content.slice()], this.#name, { type: "application/octet-stream" });
      if (navigator.canShare?.({ files: [file] })) await navigator.share({ files: [file], title: plan.name });
      else {
        download(this.#name, content);
        this.#say(
          `The weights (${bytes(content.length)}) are too many for a link: the file has been saved, to be sent as one.`,
        );
      }
    } catch (error) {
      if (error instanceof DOMException) this.#say(`Nothing was shared: ${error.message}`);
      else problem("The weights cannot be shared", error);
    }
  }
  /** Weights that the page's address holds, else those that lie beside the page, of which nothing was trained yet. */
  async fromPlaces(): Promise<void> {
    if (await this.#fromAddress()) return;
    const { model } = this.#session;
    const isTrained = (): boolean => model !== this.#session.model || isBegun(model);
    const file = document.documentElement.dataset["weights"];
    if (!file || isTrained()) return;
    const content = await fetch(file)
      .then((response) => (response.ok ? response.arrayBuffer() : undefined))
      .catch(() => undefined);
    if (!content || isTrained()) return; // it may have begun meanwhile
    if (await this.take(new Uint8Array(content), file)) this.#say("The page came with these weights.");
  }
  async #fromAddress(): Promise<boolean> {
    const text = /^#weights=([\w-]+)$/.exec(location.hash)?.[1];
    if (text === undefined) return false;
    const content = await unpacked(text).catch(() => undefined);
    if (!content) problem("The weights in the address cannot be taken", "The link is not whole.");
    else if (await this.take(content, "the link")) this.#say("These are the weights of the link.");
    return true;
  }
  refresh(): void {
    if (!this.#session.model || !element("layers-details", "details").open) return;
    if (this.#reading) this.#again = true;
    else void this.#read();
  }
  async #read(): Promise<void> {
    this.#reading = true;
    try {
      this.#values = (await this.#session.model?.parameters()) ?? {};
      this.#list();
      this.#show();
    } catch {
      // the device is lost, which training tells
    }
    this.#reading = false;
    if (!this.#again) return;
    this.#again = false;
    this.refresh();
  }
  #list(): void {
    const names = Object.keys(this.#values);
    if (this.#chosen.options.length === names.length) return;
    this.#chosen.replaceChildren(
      ...names.map((name) => make("option", `${name}  [${this.#values[name]!.shape.join(", ")}]`, { value: name })),
    );
    const first =
      names.find((name) => this.#tiles(this.#values[name]!)) ??
      names.find((name) => this.#values[name]!.shape.length === 2);
    if (first !== undefined) this.#chosen.value = first;
  }
  /** Pictures that a tensor consists of: the weights of each unit that reads a picture's pixels, or the kernels of a convolution. */
  #tiles({
    shape,
  }: Tensor):
    { readonly kind: PictureKind; readonly count: number; readonly at: (k: number, i: number) => number } | undefined {
    const pictures = [
      ...this.#session.uses.flatMap((use) => use.inputs.map((p) => p.kind)),
      ...this.#session.fields.map((f) => kindOfField(f)),
    ].flatMap((kind) => (kind.kind === "picture" ? [kind] : []));
    const [rows = 0, columns = 0, channels = 0, units = 0] = shape;
    if (shape.length === 2) {
      const kind = pictures.find((p) => p.height * p.width * p.channels === rows);
      if (kind)
        return { kind: { ...kind, channels: 1 }, count: columns, at: (k, i) => i * kind.channels * columns + k };
      const out = pictures.find((p) => p.height * p.width * p.channels === columns); // what draws a picture
      return out && { kind: { ...out, channels: 1 }, count: rows, at: (k, i) => k * columns + i * out.channels };
    }
    if (shape.length !== 4 || rows < 2 || columns < 2 || rows > 32 || columns > 32) return undefined;
    return {
      kind: { kind: "picture", height: rows, width: columns, channels: 1 },
      count: channels * units,
      at: (k, i) => (i * channels + Math.floor(k / units)) * units + (k % units),
    };
  }
  #show(): void {
    const name = this.#chosen.value;
    const tensor = this.#values[name];
    if (!tensor) return;
    const { data, shape } = tensor;
    let [largest, squares, sum] = [0, 0, 0];
    for (let i = 0; i < data.length; i++) {
      largest = Math.max(largest, Math.abs(data[i]!));
      squares += data[i]! ** 2;
      sum += data[i]!;
    }
    const mean = sum / data.length;
    const deviation = Math.sqrt(Math.max(0, squares / data.length - mean ** 2));
    const tiles = this.#tiles(tensor);
    const shown: HTMLElement[] = [];
    if (tiles) {
      const pictures = Array.from({ length: Math.min(tiles.count, mostTiles) }, (_, k) => {
        const canvas = make("canvas", undefined, {
          className: "picture",
          role: "img",
          ariaLabel: `${name}, unit ${k}`,
        });
        return painted(canvas, () =>
          paintSigned(canvas, tiles.kind.width, tiles.kind.height, (i) => data[tiles.at(k, i)]!, largest),
        );
      });
      shown.push(box("gallery", ...pictures));
      if (tiles.count > mostTiles)
        shown.push(make("p", `the first ${mostTiles} of ${tiles.count}`, { className: "note" }));
    } else if (shape.length === 2 && shape[0]! > 1 && shape[1]! > 1)
      shown.push(matrixCanvas(shape[0]!, shape[1]!, data, `${name}, a matrix`));
    else
      shown.push(
        make("div", undefined, { className: "scroll", tabIndex: 0, role: "region", ariaLabel: name }, [
          tableOf(tensor),
        ]),
      );
    const facts = `${whole(data.length)} numbers, mean ${mean.toPrecision(2)}, deviation ${deviation.toPrecision(2)}`;
    this.#shown.replaceChildren(...shown, make("p", facts, { className: "note" }));
  }
}

const isBegun = (model: TrainerModel | undefined): boolean =>
  model?.trains.some((name) => model.step(name) > 0) === true;

/** Smaller, and in letters that an address may hold. */
async function packed(content: Uint8Array): Promise<string> {
  const squeezed = new Blob([content.slice()]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const all = new Uint8Array(await new Response(squeezed).arrayBuffer());
  let text = "";
  for (const byte of all) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
async function unpacked(text: string): Promise<Uint8Array> {
  const all = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const whole = new Blob([all]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(whole).arrayBuffer());
}
