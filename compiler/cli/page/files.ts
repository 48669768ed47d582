// Data files: fetched by the trainer, or given by hand. In: a plan, files that visitors choose or drop. Out: their bytes by path, and columns for `host()` fields.
import type { Value } from "../../../runtime/api.ts";
import type { Plan } from "../../../runtime/plan.ts";
import { element, make, noProblem, problem } from "./dom.ts";

export class Files {
  readonly #given = new Map<string, Uint8Array>();
  readonly #host = new Map<string, Value>();
  readonly #wanted = new Map<string, "file" | "host">(); // what is asked of the visitor
  readonly #plan: Plan;
  readonly #complete: () => void;
  readonly #weights: (file: File) => void;
  #note = "Choose them here or drop them on the page; nothing is uploaded.";
  /** `complete` is called when all that was asked for is there, `weights` for a file of weights that is dropped. */
  constructor(plan: Plan, complete: () => void, weights: (file: File) => void) {
    this.#plan = plan;
    this.#complete = complete;
    this.#weights = weights;
    for (const set of plan.datasets)
      for (const { loader } of set.columns) if (loader.kind === "host") this.#wanted.set(loader.name, "host");
    if (this.#wanted.size)
      this.#list(
        "The model's data come from the program that runs it: on this page from JSON files, nested lists with rows first.",
      );
    this.#takeDrops();
  }
  get(path: string): Uint8Array | undefined {
    return this.#given.get(path);
  }
  get host(): Readonly<Record<string, Value>> {
    return Object.fromEntries(this.#host);
  }
  get isComplete(): boolean {
    return this.#lacking() === undefined;
  }
  /** A file that could not be fetched. False where it was given already. */
  ask(path: string): boolean {
    if (this.#given.has(path)) return false;
    this.#wanted.set(path, "file");
    this.#list();
    return true;
  }
  #list(note = this.#note): void {
    this.#note = note;
    element("files").hidden = this.#wanted.size === 0;
    element("files-note").textContent = note;
    element("file-list").replaceChildren(
      ...[...this.#wanted].map(([path, kind]) => {
        const input = make("input", undefined, { type: "file", ariaLabel: `file for ${path}` });
        if (kind === "host") input.accept = ".json,application/json";
        input.addEventListener("change", () => input.files?.[0] && void this.#take(path, input.files[0]));
        const has = (kind === "host" ? this.#host : this.#given).has(path);
        const name = make("code", path);
        return make("div", undefined, { className: "file" }, [
          name,
          has ? make("span", "given", { className: "ok" }) : input,
        ]);
      }),
    );
  }
  async #take(path: string, file: File): Promise<void> {
    noProblem();
    try {
      if (this.#wanted.get(path) === "host")
        this.#host.set(path, JSON.parse(await file.text()) as Value); // the runtime checks what it is
      else this.#given.set(path, new Uint8Array(await file.arrayBuffer()));
    } catch (error) {
      problem(`${file.name} cannot be read`, error instanceof Error ? error.message : String(error));
    }
    this.#list();
    if (this.isComplete) this.#complete();
  }
  /** What is asked of the visitor, and not there yet: another name will do. */
  #lacking(): string | undefined {
    return [...this.#wanted].find(([path, kind]) => !(kind === "host" ? this.#host : this.#given).has(path))?.[0];
  }
  #takeDrops(): void {
    const paths = this.#plan.datasets.flatMap((set) =>
      set.columns.flatMap(({ loader }) => ("path" in loader ? [loader.path] : [])),
    );
    addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) document.body.classList.remove("dropping");
    });
    addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("dropping");
      for (const file of event.dataTransfer?.files ?? []) {
        const all = [...new Set([...this.#wanted.keys(), ...paths])];
        const named = all.find((name) => name.split("/").at(-1) === file.name);
        const isWeights = /\.safetensors$/i.test(file.name);
        const path = named ?? (isWeights ? undefined : this.#lacking());
        if (path !== undefined) {
          if (!this.#wanted.has(path)) this.#wanted.set(path, "file");
          void this.#take(path, file);
        } else if (isWeights) this.#weights(file);
        else problem(`${file.name} is no file of this model`, `It reads ${all.join(", ") || "none"}.`);
      }
    });
  }
}
