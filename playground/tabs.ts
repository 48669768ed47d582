// Tabs of what the text becomes: one is open, and it alone is computed. In: views by their names. Out: a tab list.
import { make, newId } from "../compiler/cli/page/dom.ts";
import type { View } from "./views/view.ts";

export interface Tab {
  readonly name: string;
  readonly title: string;
  readonly make: () => View;
}
interface Made {
  readonly tab: Tab;
  readonly head: HTMLButtonElement;
  readonly panel: HTMLElement;
  view: View | undefined;
}
export class Tabs {
  readonly #made: readonly Made[];
  #open: Made;
  readonly #opened: (view: View, name: string) => void;

  constructor(
    list: HTMLElement,
    panels: HTMLElement,
    tabs: readonly Tab[],
    opened: (view: View, name: string) => void,
  ) {
    this.#opened = opened;
    this.#made = tabs.map((tab) => {
      const id = newId("tab");
      const head = make("button", tab.title, { type: "button", id });
      const panel = make("div", undefined, { className: "pane-body", id: `${id}-panel`, hidden: true, tabIndex: 0 });
      head.setAttribute("role", "tab");
      head.setAttribute("aria-controls", panel.id);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", id);
      head.addEventListener("click", () => this.open(tab.name));
      return { tab, head, panel, view: undefined };
    });
    list.append(...this.#made.map((m) => m.head));
    panels.append(...this.#made.map((m) => m.panel));
    list.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (!step) return;
      const { length } = this.#made;
      const next = this.#made[(this.#made.indexOf(this.#open) + step + length) % length]!;
      this.open(next.tab.name);
      next.head.focus();
      event.preventDefault();
    });
    this.#open = this.#made[0]!;
  }
  get name(): string {
    return this.#open.tab.name;
  }
  get view(): View | undefined {
    return this.#open.view;
  }
  open(name: string): void {
    const next = this.#made.find((m) => m.tab.name === name) ?? this.#made[0]!;
    if (!next.view) {
      next.view = next.tab.make();
      next.panel.append(next.view.node);
    }
    this.#open = next;
    for (const m of this.#made) {
      const is = m === next;
      m.head.setAttribute("aria-selected", String(is));
      m.head.tabIndex = is ? 0 : -1;
      m.panel.hidden = !is;
    }
    next.head.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.#opened(next.view, name);
  }
}
