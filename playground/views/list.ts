// A list of things that light up and can be chosen, by pointer and by keys. In: elements with their marks. Out: a listbox.
import { make } from "../../compiler/cli/page/dom.ts";
import type { Lightable, Selection } from "../selection.ts";
import type { Mark } from "../../compiler/cli/look/types.ts";

export interface Option extends Lightable {
  readonly node: HTMLElement | SVGElement;
  readonly label: string;
}
/** Options in the order of the arrow keys; one of them can be reached by Tab. */
export class Choices {
  readonly #selection: Selection;
  readonly #name: string;
  #options: readonly Option[] = [];
  #marks: readonly Mark[] = [];
  #current = 0;
  onLit: ((option: Option) => void) | undefined;

  constructor(selection: Selection, name: string) {
    this.#selection = selection;
    this.#name = name;
    selection.onChange(() => this.light());
  }
  get marks(): readonly Mark[] {
    return this.#marks;
  }
  get lit(): number {
    return this.#options.filter((o) => this.#selection.lights(o, this.#marks)).length;
  }
  set(options: readonly Option[], marks: readonly Mark[], parent: HTMLElement | SVGElement): void {
    this.#options = options;
    this.#marks = marks;
    this.#current = 0;
    options.forEach(({ node }, i) => {
      node.setAttribute("role", "option");
      node.setAttribute("tabindex", i === 0 ? "0" : "-1");
      node.dataset["option"] = String(i);
    });
    parent.onclick = (event) => this.#press(event.target);
    parent.onkeydown = (event) => this.#key(event as KeyboardEvent);
    this.light();
  }
  /** Lights up what belongs to what is chosen; brings the first of it into view when somebody else chose. */
  light(): void {
    let first: Option | undefined;
    for (const option of this.#options) {
      const is = this.#selection.lights(option, this.#marks);
      option.node.classList.toggle("lit", is);
      option.node.setAttribute("aria-selected", String(is));
      if (is) first ??= option;
    }
    if (!first || this.#selection.chosen?.from === this.#name) return;
    this.onLit?.(first);
    scrollTo(first.node);
  }
  #press(target: EventTarget | null): void {
    const node = target instanceof Element ? target.closest<HTMLElement>("[data-option]") : null;
    if (node && !getSelection()?.toString()) this.#choose(Number(node.dataset["option"]));
  }
  #key(event: KeyboardEvent): void {
    const { key } = event;
    const step = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
    if (key === "Enter" || key === " ") this.#choose(this.#current);
    else if (step || key === "Home" || key === "End") {
      const last = this.#options.length - 1;
      const next = key === "Home" ? 0 : key === "End" ? last : this.#current + step;
      this.#focus(Math.min(last, Math.max(0, next)));
    } else return;
    event.preventDefault();
  }
  #focus(i: number): void {
    this.#options[this.#current]?.node.setAttribute("tabindex", "-1");
    this.#current = i;
    const { node } = this.#options[i]!;
    node.setAttribute("tabindex", "0");
    node.focus();
  }
  #choose(i: number): void {
    const option = this.#options[i];
    if (!option) return;
    this.#options[this.#current]?.node.setAttribute("tabindex", "-1");
    this.#current = i;
    option.node.setAttribute("tabindex", "0");
    this.onLit?.(option);
    this.#selection.chooseItem(option, this.#marks, this.#name, option.label);
  }
}
/** Within its own pane alone. */
function scrollTo(node: Element): void {
  const pane = node.closest(".pane-body");
  if (!pane) return;
  const [own, all] = [node.getBoundingClientRect(), pane.getBoundingClientRect()];
  if (own.top >= all.top && own.top < all.bottom - 24) return;
  pane.scrollBy({ top: own.top - all.top - all.height / 4 });
}
export const listbox = (label: string, className = ""): HTMLDivElement => {
  const node = make("div", undefined, { className: `options ${className}`.trim() });
  node.setAttribute("role", "listbox");
  node.setAttribute("aria-multiselectable", "true");
  node.setAttribute("aria-label", label);
  return node;
};
