// The gallery: examples by chapter, the one before and after, what to see in each. In: gallery.json beside the page. Out: a dialog, models by their paths.
import { box, button, make } from "../compiler/cli/page/dom.ts";
import type { Texts } from "./work/protocol.ts";

export interface Example {
  readonly path: string; // "history/perceptron.dlm"
  readonly title: string;
  readonly see: string;
  readonly reached: string;
  readonly missing: readonly string[]; // data files that the page does not have
  readonly imports: readonly string[]; // from its folder
}
interface Chapter {
  readonly name: string;
  readonly models: readonly Example[];
}
export class Gallery {
  readonly examples: readonly Example[];
  readonly #chapters: readonly Chapter[];
  readonly #dialog: HTMLDialogElement;

  constructor(chapters: readonly Chapter[], choose: (example: Example) => void) {
    this.#chapters = chapters;
    this.examples = chapters.flatMap((c) => c.models);
    this.#dialog = make("dialog", undefined, { className: "gallery", ariaLabel: "Gallery" });
    const filter = make("input", undefined, {
      type: "search",
      placeholder: "Search the gallery",
      ariaLabel: "Search the gallery",
      autocomplete: "off",
    });
    const list = box("chapters");
    filter.addEventListener("input", () => list.replaceChildren(...this.#list(filter.value, choose)));
    list.replaceChildren(...this.#list("", choose));
    const close = button("Close", () => this.#dialog.close(), "small");
    this.#dialog.append(box("dialog-head", make("h2", "Gallery"), filter, close), list);
    document.body.append(this.#dialog);
  }
  static async read(choose: (example: Example) => void): Promise<Gallery> {
    const response = await fetch("gallery.json");
    return new Gallery((await response.json()) as Chapter[], choose); // build.mjs wrote it
  }
  open(): void {
    this.#dialog.showModal();
  }
  find(path: string): Example | undefined {
    return this.examples.find((e) => e.path === path);
  }
  /** So many further on, in a circle. */
  beside(path: string, step: number): Example | undefined {
    const at = this.examples.findIndex((e) => e.path === path);
    const { length } = this.examples;
    return this.examples[(Math.max(at, 0) + step + length) % length];
  }
  #list(words: string, choose: (example: Example) => void): HTMLElement[] {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (e: Example): boolean =>
      wanted.every((word) => `${e.path} ${e.title} ${e.see}`.toLowerCase().includes(word));
    const found = this.#chapters.flatMap(({ name, models }) => {
      const shown = models.filter(fits);
      if (!shown.length) return [];
      const items = shown.map((e) => {
        const card = button("", () => (this.#dialog.close(), choose(e)), "example");
        card.append(
          make("strong", nameOf(e.path)),
          make("span", e.title),
          make("small", e.missing.length ? `needs ${e.missing.join(", ")}` : e.reached ? `reaches ${e.reached}` : ""),
        );
        return make("li", undefined, {}, [card]);
      });
      return [make("section", undefined, {}, [make("h3", name), make("ul", undefined, {}, items)])];
    });
    return found.length ? found : [make("p", "No model fits these words.", { className: "note" })];
  }
}
export const nameOf = (path: string): string =>
  path
    .replace(/^.*\//, "")
    .replace(/\.dlm$/, "")
    .replaceAll("_", " ");
export interface Sources {
  readonly text: string;
  readonly texts: Texts; // that it imports
}
export async function sourcesOf({ path, imports }: Example): Promise<Sources> {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const read = async (file: string): Promise<string> => {
    const response = await fetch(`examples/${file}`);
    if (!response.ok) throw new Error(`${file} could not be read`);
    return response.text();
  };
  const entries = imports.map(async (own) => [own, await read(`${folder}${own}`)] as const);
  return { text: await read(path), texts: Object.fromEntries(await Promise.all(entries)) };
}
