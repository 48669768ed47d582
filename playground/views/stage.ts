// A stage as text: formulas, kernels, schedules, modules. Each thing can be chosen; beside it stands the stage before, or what has changed since the last
// version. In: a stage's items. Out: a tab.
import { diffArrays } from "diff";
import { box, button, labelled, make } from "../../compiler/cli/page/dom.ts";
import type { Item, Mark, Section, StageName, StageText } from "../../compiler/cli/look/types.ts";
import { codeOf } from "./code.ts";
import { Choices, listbox, type Option } from "./list.ts";
import type { Context, View } from "./view.ts";

export interface StageOptions {
  readonly title: string;
  readonly about: string;
  readonly before?: { readonly stage: StageName; readonly title: string };
  readonly code?: boolean; // coloured
  readonly latex?: boolean; // can be copied as LaTeX
}
const most = 600; // lines of a section that are made at once

export function stageView(context: Context, stage: StageName, options: StageOptions): View {
  const pane = new StagePane(context, stage, options);
  return { node: pane.node, show: () => pane.show(), marks: () => pane.marks };
}
class StagePane {
  readonly node: HTMLElement;
  readonly #context: Context;
  readonly #stage: StageName;
  readonly #options: StageOptions;
  readonly #section = make("select");
  readonly #compare = make("select");
  readonly #body = box("stage-body");
  readonly #choices: Choices;
  readonly #beside: Choices;
  #text: StageText = { marks: [], sections: [], first: "" };

  constructor(context: Context, stage: StageName, options: StageOptions) {
    this.#context = context;
    this.#stage = stage;
    this.#options = options;
    this.#choices = new Choices(context.selection, stage);
    this.#beside = new Choices(context.selection, `${stage} beside`);
    const { before } = options;
    this.#compare.append(
      make("option", "nothing", { value: "" }),
      ...(before ? [make("option", `the stage before: ${before.title}`, { value: "stage" })] : []),
      ...(context.askBefore ? [make("option", "the version before", { value: "version" })] : []),
    );
    this.#compare.addEventListener("change", () => void this.#draw());
    this.#section.addEventListener("change", () => void this.#draw());
    const bar = box("bar", labelled("Part", this.#section), labelled("Compare with", this.#compare));
    if (options.latex) bar.append(button("Copy as LaTeX", () => void this.#copy(), "small"));
    this.node = box("view", make("p", options.about, { className: "note" }), bar, this.#body);
    context.selection.onChange((chosen) => {
      if (!chosen || chosen.from === stage || !this.node.isConnected || this.node.hidden) return;
      this.#showSectionWithLight();
    });
  }
  get marks(): readonly Mark[] {
    return this.#text.marks;
  }
  async show(): Promise<void> {
    const before = this.#section.value;
    this.#text = await this.#context.ask("stage", this.#stage);
    const { value } = this.#section; // a part may have been picked meanwhile: it stays
    const { sections } = this.#text;
    this.#section.replaceChildren(...sections.map(({ name }) => make("option", name, { value: name })));
    this.#section.value = sections.some((s) => s.name === value) ? value : this.#text.first;
    this.#section.parentElement!.hidden = sections.length < 2;
    const isPicked = value !== before && this.#section.value === value;
    if (this.#context.selection.chosen && !isPicked) this.#showSectionWithLight(false);
    await this.#draw();
  }
  #showSectionWithLight(draw = true): void {
    const { sections, marks } = this.#text;
    const { selection } = this.#context;
    const lit = (s: Section): boolean => s.items.some((i) => selection.lights(i, marks));
    const shown = sections.find((s) => s.name === this.#section.value);
    if (shown && lit(shown)) return;
    const other = sections.find(lit);
    if (!other) return;
    this.#section.value = other.name;
    if (draw) void this.#draw();
  }
  #shown(text: StageText = this.#text): Section | undefined {
    return text.sections.find((s) => s.name === this.#section.value) ?? text.sections[0];
  }
  async #draw(): Promise<void> {
    const section = this.#shown();
    const { value } = this.#compare;
    this.#body.classList.toggle("two", value === "stage");
    if (!section) return void this.#body.replaceChildren(make("p", "There is nothing to show.", { className: "note" }));
    if (value === "version") return this.#drawDifference(section);
    const own = this.#list(section, this.#text.marks, this.#choices, this.#options.title, this.#options.code === true);
    if (value !== "stage") return void this.#body.replaceChildren(own);
    const { before } = this.#options;
    const other = await this.#context.ask("stage", before!.stage);
    const same =
      other.sections.find((s) => s.name === section.name) ??
      other.sections.find((s) => section.name.startsWith(s.name)) ??
      other.sections[0];
    const left = same ? this.#list(same, other.marks, this.#beside, before!.title, false) : make("p", "nothing");
    this.#body.replaceChildren(
      box("column", make("h2", before!.title), left),
      box("column", make("h2", this.#options.title), own),
    );
  }
  #list(section: Section, marks: readonly Mark[], choices: Choices, title: string, code: boolean): HTMLElement {
    const list = listbox(`${title}: ${section.name}`, code ? "code" : "");
    const options: Option[] = [];
    const shown = section.items.slice(0, most);
    for (const item of shown) {
      const node = make("div", undefined, { className: "option" });
      if (code) node.append(codeOf(item.text));
      else node.textContent = item.text;
      if (!item.text) node.classList.add("blank");
      else options.push({ node, label: labelOf(item), at: item.at, around: item.around });
      list.append(...(item.text ? [node] : []));
    }
    choices.set(options, marks, list);
    if (shown.length === section.items.length) return list;
    return box("", list, make("p", `${section.items.length - most} more lines are left out.`, { className: "note" }));
  }
  async #drawDifference(section: Section): Promise<void> {
    const before = await this.#context.askBefore?.("stage", this.#stage).catch(() => undefined);
    const linesOf = (s: Section | undefined): string[] => s?.items.flatMap((i) => i.text.split("\n")) ?? [];
    if (!before) {
      const note = "There is no version before this one yet: change the model, and what differs is shown here.";
      return void this.#body.replaceChildren(make("p", note, { className: "note" }));
    }
    const parts = diffArrays(linesOf(before.sections.find((s) => s.name === section.name)), linesOf(section));
    const lines = parts.flatMap(({ added, removed, value }) => {
      const kind = added ? "added" : removed ? "removed" : "same";
      const kept =
        kind === "same" && value.length > 6
          ? [...value.slice(0, 3), `… ${value.length - 6} equal lines`, ...value.slice(-3)]
          : value;
      return kept.map((text) =>
        make("div", `${added ? "+" : removed ? "-" : " "} ${text}`, { className: `diff ${kind}` }),
      );
    });
    const isSame = parts.every((p) => !p.added && !p.removed);
    const view = make(
      "div",
      undefined,
      { className: "difference", tabIndex: 0, role: "region", ariaLabel: "Changes since the version before" },
      lines,
    );
    this.#body.replaceChildren(
      ...(isSame ? [make("p", "Nothing has changed here.", { className: "note" })] : []),
      view,
    );
  }
  async #copy(): Promise<void> {
    const lines = this.#shown()?.items.flatMap((i) => (i.latex ? [`  ${i.latex} \\\\`] : [])) ?? [];
    await navigator.clipboard.writeText(`\\begin{gather*}\n${lines.join("\n")}\n\\end{gather*}\n`);
  }
}
const labelOf = ({ text }: Item): string => text.trim().split("\n", 1)[0]!.slice(0, 80);
