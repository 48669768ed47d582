// The playground: left the text of a model, right what it becomes. In: the page, a gallery, the address. Out: what people see.
import { button, element, make } from "../compiler/cli/page/dom.ts";
import { changesOf, Editor, type Asked } from "./editor/editor.ts";
import { ask, askFileName, showFiles } from "./files.ts";
import { Gallery, nameOf, sourcesOf, type Example, type Sources } from "./gallery.ts";
import { showProblems } from "./problems.ts";
import { marksOfCalls, rangeAt, Selection } from "./selection.ts";
import { fragmentOf, sharedIn, textsOf } from "./share.ts";
import { Sliders } from "./sliders.ts";
import { tabsOf } from "./tabs-of.ts";
import { Tabs, type Tab } from "./tabs.ts";
import { Tour, type Step } from "./tour.ts";
import { runView } from "./views/run.ts";
import type { Context, View } from "./views/view.ts";
import { Compiler, Outdated } from "./work/client.ts";
import type { Checked, Compiled } from "../compiler/cli/look/types.ts";
import { importsIn, pathFrom } from "./work/paths.ts";
import type { Document, FilePlace, Texts } from "./work/protocol.ts";

const base = location.href.replace(/[?#].*$/s, "").replace(/[^/]*$/, "");
const state = (name: string, value: string): void => void (document.documentElement.dataset[name] = value);
const stored = {
  get: (key: string): string | null => {
    try {
      return sessionStorage.getItem(key);
    } catch {
      return null; // a browser may refuse it
    }
  },
  set: (key: string, value: string): void => {
    try {
      sessionStorage.setItem(key, value);
    } catch {
      // it is forgotten then
    }
  },
};

class Playground {
  readonly selection = new Selection();
  readonly #front = new Compiler(1500); // what is wrong, types, names
  readonly #back = new Compiler(400); // all that is compiled
  #former: Compiler | undefined; // the version before
  #before: string | undefined; // its text
  #steady: { readonly text: string; readonly since: number } | undefined; // that compiled, and since when it was there
  #document: Document = {
    text: "",
    name: "model.dlm",
    texts: {},
    data: base,
    files: {},
    target: "software",
  };
  #path = ""; // of the example that the text began as
  #checked: Checked | undefined;
  #compiled: Compiled | undefined;
  #editor: Editor | undefined;
  #gallery: Gallery | undefined;
  #tabs: Tabs | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #changedAt = 0;
  #sliders: Sliders | undefined;

  async begin(): Promise<void> {
    const context: Context = {
      selection: this.selection,
      document: () => this.#document,
      checked: () => this.#checked,
      compiled: () => this.#compiled,
      ask: (ask, about) => this.#back.ask(ask, about),
      askBefore: this.#askBefore,
      goTo: (place) => this.#goTo(place),
    };
    this.#gallery = await Gallery.read((example) => void this.#choose(example));
    const opened = await this.#opening();
    this.#document = { ...this.#document, texts: opened.texts };
    this.#editor = new Editor(element("editor"), this.#document.name, opened.text, this.#asked(), {
      changed: (text) => this.#changed(text),
      moved: (offset) => this.#moved(offset),
      goTo: (place) => this.#goTo(place),
    });
    this.#tabs = new Tabs(element("tabs"), element("panels"), tabs(context), (view, name) => {
      stored.set("dlm tab", name);
      void this.#show(view);
    });
    this.#sliders = new Sliders(element("sliders"), (from, to, insert) => this.#editor!.change({ from, to, insert }));
    this.#buttons();
    this.selection.onChange((chosen) => {
      if (chosen && chosen.from !== "text") this.#open(this.#document.name); // marks are places of the model's own text
      this.#editor?.light(this.#document.shown === undefined ? (chosen?.marks ?? []) : []);
      if (chosen?.marks[0] && chosen.from !== "text") this.#editor?.show(chosen.marks[0][0]);
      this.#sayChosen();
    });
    this.#tabs.open(stored.get("dlm tab") ?? "calls");
    this.#changed(opened.text, true);
    state("state", "ready");
  }
  /** What the address shares, else what this tab had, else the first model. */
  async #opening(): Promise<Sources> {
    const shared = await sharedIn(location.hash);
    const kept = shared ?? this.#kept();
    if (shared === undefined && location.hash.startsWith("#model="))
      this.message("This link is not whole: it holds no model.");
    const example = this.#gallery!.find(kept?.name ?? "digits.dlm") ?? this.#gallery!.examples[0]!;
    const sources = kept ?? (await sourcesOf(example));
    this.#name(kept && !this.#gallery!.find(kept.name) ? kept.name : example.path, example);
    return sources;
  }
  #kept(): (Sources & { readonly name: string }) | undefined {
    const [name, text, texts] = ["dlm name", "dlm text", "dlm texts"].map(stored.get);
    return typeof name === "string" && typeof text === "string"
      ? { name, text, texts: textsOf(parsed(texts ?? "{}")) }
      : undefined;
  }
  async #choose(example: Example): Promise<void> {
    try {
      const { text, texts } = await sourcesOf(example);
      this.selection.choose(undefined);
      this.#before = this.#steady = undefined;
      this.message(undefined);
      this.#name(example.path, example);
      this.#replace(text, texts);
      history.replaceState(null, "", location.pathname + location.search);
    } catch (error) {
      this.message(error instanceof Error ? error.message : String(error));
    }
  }
  #name(path: string, example: Example | undefined): void {
    const known = this.#gallery?.find(path);
    this.#path = path;
    const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : "";
    this.#document = { ...this.#document, name: path.replace(/^.*\//, ""), data: `${base}examples/${folder}` };
    element("model-name").textContent = nameOf(path);
    element("see").textContent = known ? `${known.title} ${known.see}` : "";
    element("see").title = element("see").textContent;
  }
  message(text: string | undefined): void {
    element("message").hidden = text === undefined;
    element("message").replaceChildren(
      text ?? "",
      button("Close", () => this.message(undefined), "small"),
    );
  }

  // ---- the texts

  /** Another model. */
  #replace(text: string, texts: Texts = {}): void {
    const { shown: _, ...own } = this.#document;
    this.#document = { ...own, files: {}, texts };
    const isSame = this.#editor!.text === text;
    this.#editor!.replace(own.name, text);
    this.#showFiles();
    if (isSame) this.#changed(text, true);
  }
  /** The model's own text, or that of a file beside it. */
  #textOf(path: string): string {
    const { name, text, texts } = this.#document;
    return path === name ? text : (texts[path] ?? "");
  }
  #open(path: string): void {
    const { name, shown, ...rest } = this.#document;
    if (path === (shown ?? name)) return;
    this.#document = { name, ...rest, ...(path === name ? {} : { shown: path }) };
    this.#editor!.open(path, this.#textOf(path));
    this.#showFiles();
    this.#changed(this.#textOf(path), true);
  }
  #goTo({ path, start, end }: FilePlace): void {
    this.#open(path);
    this.#editor!.goTo(start, end);
  }
  #showFiles(): void {
    const { name, texts, shown } = this.#document;
    showFiles(element("files"), [name, ...Object.keys(texts)], shown ?? name, {
      open: (path) => this.#open(path),
      rename: (path, to) => this.#renameFile(path, to),
      remove: (path) => {
        this.#open(name);
        const { [path]: _, ...others } = this.#document.texts;
        this.#withTexts(others);
      },
    });
  }
  #withTexts(texts: Texts): void {
    this.#document = { ...this.#document, texts };
    this.#showFiles();
    this.#changed(this.#textOf(this.#document.shown ?? this.#document.name), true);
  }
  async #newFile(): Promise<void> {
    const { name, text, texts } = this.#document;
    const taken = [name, ...Object.keys(texts)];
    const missing = importsIn(text)
      .map((path) => pathFrom(name, path))
      .find((path) => !taken.includes(path));
    const path = await askFileName("A file that the model imports", "Create", missing ?? "layers.dlm", taken);
    if (path === undefined) return;
    this.#withTexts({ ...this.#document.texts, [path]: "" });
    if (!missing) this.message(`The model brings in what ${path} declares with the line import "${path}".`);
    this.#open(path);
  }
  /** Whatever imports the file imports it by its new name. */
  #renameFile(path: string, to: string): void {
    const { name, text, texts } = this.#document;
    const renamed = (file: string, of: string): string =>
      of.replace(/^import "([^"\n]+)"/gm, (line, written: string) =>
        pathFrom(file, written) === path ? `import "${"../".repeat(file.split("/").length - 1)}${to}"` : line,
      );
    this.#open(name);
    const others = Object.entries(texts).map(([p, t]) => [p === path ? to : p, renamed(p, t)] as const);
    this.#document = { ...this.#document, texts: Object.fromEntries(others) };
    const own = renamed(name, text);
    if (own !== text) this.#editor!.change({ from: 0, to: text.length, insert: own });
    this.#open(to);
  }
  #changed(own: string, atOnce = false): void {
    const { shown } = this.#document;
    if (shown !== undefined) {
      this.#document = { ...this.#document, texts: { ...this.#document.texts, [shown]: own } };
      this.#steady = undefined; // versions are those of the model's own text
    }
    const text = shown === undefined ? own : this.#document.text;

    const now = performance.now();
    if (this.#steady && this.#steady.text !== text && now - this.#steady.since > 2000) this.#before = this.#steady.text;
    if (this.#steady && this.#steady.text !== text) this.#steady = undefined;
    if (!atOnce && location.hash) history.replaceState(null, "", location.pathname + location.search); // the link is of another text
    this.#document = { ...this.#document, text };
    this.#changedAt = now;
    this.#front.open(this.#document);
    this.#back.open(this.#document);
    this.#compiled = undefined;
    this.#sliders?.show(shown === undefined ? text : "");
    state("compiled", "no");
    clearTimeout(this.#timer);
    stored.set("dlm name", this.#path);
    stored.set("dlm text", text);
    stored.set("dlm texts", JSON.stringify(this.#document.texts));
    this.#timer = setTimeout(() => void this.#check(), atOnce || text.length < 20_000 ? 0 : 120);
  }
  async #check(): Promise<void> {
    const opened = this.#document;
    const { name, shown } = opened;
    const checked = await attempt(this.#front.ask("check", undefined));
    if (!checked || this.#document !== opened) return;
    this.#checked = checked;
    const elsewhere = checked.elsewhere ?? 0;
    const errors = checked.problems.filter((p) => p.severity === "error").length + elsewhere;
    const pathOf = (file: string | undefined): string =>
      file === undefined ? (shown ?? name) : pathFrom(shown ?? name, file);
    this.#editor!.problems(checked.problems);
    this.#editor!.shapes(checked.inlays);
    showProblems(
      element("problems"),
      (file) => this.#textOf(pathOf(file)),
      checked.problems,
      (file, start, end) => this.#goTo({ path: pathOf(file), start, end }),
      (fix) => this.#editor!.change(changesOf(fix)),
    );
    const took = Math.round(performance.now() - this.#changedAt);
    state("checked", String(took));
    state("errors", String(errors));
    const count = `${errors} ${errors === 1 ? "error" : "errors"}`;
    element("said").textContent = !errors ? "no errors" : errors === elsewhere ? `${count} in ${name}` : count;
    element("said").title = `told ${took} ms after the change`;
    element("said").className = errors ? "bad" : "good";
    element("right").classList.toggle("broken", errors > 0);
    if (this.#tabs?.name === "calls") void this.#tabs.view?.show();
    if (!errors) await this.#compile(opened);
  }
  async #compile(opened: Document): Promise<void> {
    const { text } = opened;
    const compiled = await attempt(this.#back.ask("compile", undefined), (fault) => this.message(fault));
    if (!compiled || this.#document !== opened) return;
    this.#compiled = compiled;
    if (compiled.ok && this.#steady?.text !== text) this.#steady = { text, since: performance.now() };
    if (this.#tabs?.view) await this.#show(this.#tabs.view);
    state("compiled", compiled.ok ? "yes" : "failed");
  }
  async #show(view: View): Promise<void> {
    const isCalls = this.#tabs?.name === "calls" || this.#tabs === undefined;
    if (!isCalls && !this.#compiled) {
      element("panels").setAttribute("aria-busy", String(document.documentElement.dataset["errors"] === "0"));
      return; // it is shown when it is compiled
    }
    element("panels").setAttribute("aria-busy", "true");
    try {
      await view.show();
      view.node.classList.add("filled");
    } catch (error) {
      if (!(error instanceof Outdated)) this.message(faultOf(error));
    }
    element("panels").removeAttribute("aria-busy");
  }
  readonly #askBefore: NonNullable<Context["askBefore"]> = async (ask, about) => {
    if (this.#before === undefined) return undefined;
    this.#former ??= new Compiler(0);
    this.#former.open({ ...this.#document, text: this.#before });
    return this.#former.ask(ask, about);
  };
  #asked(): Asked {
    const front = this.#front;
    return {
      hover: (offset) => attempt(front.ask("hover", offset)),
      complete: (offset) => attempt(front.ask("complete", offset)),
      definition: (offset) => attempt(front.ask("definition", offset)),
      references: (offset) => attempt(front.ask("references", offset)),
      signature: (offset) => attempt(front.ask("signature", offset)),
      format: () => attempt(front.ask("format", undefined)),
    };
  }

  // ---- the selection

  #moved(offset: number): void {
    if (this.#document.shown !== undefined) return; // what lights up is of the model's own text
    const known = [...marksOfCalls(this.#checked?.calls ?? []), ...(this.#tabs?.view?.marks() ?? [])];
    const { text } = this.#document;
    const mark = rangeAt(text, offset, known);
    const label = text.slice(mark[0], mark[1]).trim();
    this.selection.choose(label ? { marks: [mark], isRange: true, from: "text", label } : undefined);
  }
  #sayChosen(): void {
    const { chosen } = this.selection;
    const bar = element("chosen");
    bar.hidden = chosen === undefined;
    if (!chosen) return;
    const [start] = chosen.marks[0]!;
    const line = this.#document.text.slice(0, start).split("\n").length;
    bar.replaceChildren(
      make("span", `line ${line}`, { className: "path" }),
      make("code", chosen.label.split("\n", 1)[0]!),
      button("Clear", () => this.selection.choose(undefined), "small"),
    );
  }

  // ---- the buttons

  #buttons(): void {
    const gallery = this.#gallery!;
    const go = (step: number): void => {
      const example = gallery.beside(this.#path, step);
      if (example) void this.#choose(example);
    };
    const on = (id: string, act: () => void): void => element(id).addEventListener("click", act);
    on("gallery-open", () => gallery.open());
    on("previous", () => go(-1));
    on("next", () => go(1));
    on("format", () => void this.#editor!.format());
    on("share", () => void this.#share());
    on("download", () => void this.#download());
    const tour = new Tour((step) => this.#tourStep(step));
    on("tour-open", () => tour.begin());
    on("rename", () => void this.#rename());
    on("new-file", () => void this.#newFile());
    this.#showFiles();
    this.#takeDrops();
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.selection.choose(undefined);
    });
  }
  async #tourStep({ example, tab, choose }: Step): Promise<void> {
    const wanted = this.#gallery!.find(example);
    if (wanted && this.#path !== example) await this.#choose(wanted);
    const { text } = this.#document;
    const found = choose?.exec(text);
    this.selection.choose(
      found
        ? { marks: [[found.index, found.index + found[0].length, ""]], isRange: true, from: "tour", label: found[0] }
        : undefined,
    );
    if (found) this.#editor!.show(found.index);
    this.#tabs!.open(tab);
  }
  async #download(): Promise<void> {
    element("download", "button").disabled = true;
    try {
      const { downloadArtifact } = await import("./download.ts");
      await downloadArtifact(this.#back, this.#document);
    } catch (error) {
      if (!(error instanceof Outdated)) this.message(`There is nothing to download yet: ${faultOf(error)}.`);
    }
    element("download", "button").disabled = false;
  }
  async #rename(): Promise<void> {
    const name = await ask("Rename the name at the cursor", "Rename", {
      pattern: "[A-Za-z_][A-Za-z0-9_]*",
      ariaLabel: "New name",
    });
    if (name !== undefined && !(await this.#editor!.rename(name)))
      this.message("There is no name at the cursor that this text defines.");
  }
  /** A model takes the place of the text; other files are the model's data, by their names. */
  #takeDrops(): void {
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      for (const file of event.dataTransfer?.files ?? []) void this.#take(file);
    });
  }
  async #take(file: File): Promise<void> {
    if (file.name.endsWith(".dlm")) {
      const { name, text, texts } = this.#document;
      const wanted = [text, ...Object.values(texts)].flatMap(importsIn).map((path) => pathFrom(name, path));
      const imported = wanted.find((path) => path.split("/").at(-1) === file.name);
      if (imported !== undefined && file.name !== name)
        return this.#withTexts({ ...this.#document.texts, [imported]: await file.text() });
      this.message(undefined);
      this.#name(file.name, undefined);
      return this.#replace(await file.text());
    }
    const all = [this.#document.text, ...Object.values(this.#document.texts)].join("\n");
    const paths = [...all.matchAll(/"([^"\n]+)"/g)].map(([, path]) => path!);
    const path = paths.find((p) => p.split("/").at(-1) === file.name);
    if (path === undefined)
      return this.message(
        `The model reads no file called ${file.name}. It names ${[...new Set(paths)].join(", ") || "none"}.`,
      );
    this.#document = {
      ...this.#document,
      files: { ...this.#document.files, [path]: new Uint8Array(await file.arrayBuffer()) },
    };
    this.message(`${file.name} is read as ${path}. It stays in this browser.`);
    this.#changed(this.#textOf(this.#document.shown ?? this.#document.name), true);
  }
  async #share(): Promise<void> {
    const { text, texts } = this.#document;
    const fragment = await fragmentOf({ name: this.#path, text, texts });
    history.replaceState(null, "", fragment);
    const copied = await navigator.clipboard.writeText(location.href).then(
      () => true,
      () => false,
    );
    this.message(
      copied
        ? "The address of this model is copied. It holds the whole text; nothing was sent anywhere."
        : "The address of this page now holds the whole model: copy it.",
    );
  }
}
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
/** Undefined where nobody waits for the answer any more, or there is none; why not is told to who asks for that. */
async function attempt<T>(asked: Promise<T>, tell: (fault: string) => void = () => {}): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof Outdated)) tell(faultOf(error));
    return undefined;
  }
}
const faultOf = (error: unknown): string => (error instanceof Error ? error.message.split("\n", 1)[0]! : String(error));

const tabs = (context: Context): readonly Tab[] => [
  ...tabsOf(context),
  { name: "run", title: "Run", make: () => runView(context) },
];

try {
  await new Playground().begin();
} catch (error) {
  element("message").hidden = false;
  element("message").textContent = faultOf(error);
  console.error(error);
}
