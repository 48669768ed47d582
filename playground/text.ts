// The text of a model to be read: coloured, lit up, chosen by pointer or by keys. In: a text. Out: an element; tells where it was pressed.
import { make } from "../compiler/cli/page/dom.ts";
import type { Mark } from "../compiler/cli/look/types.ts";
import { patterns, reserved } from "../grammar/words.ts";

const lexical = new RegExp(
  [patterns.comment, patterns.pattern, patterns.string, patterns.number, patterns.name, /\s+/, /[^]/]
    .map((p) => `(${p.source})`)
    .join("|"),
  "g",
);
const kinds = ["comment", "string", "string", "number", "name"] as const;

export class TextPane {
  readonly node = make("div", undefined, { className: "text", tabIndex: 0, role: "group", ariaLabel: "Model" });
  readonly #tokens: { readonly node: HTMLElement; readonly start: number; readonly end: number }[] = [];
  #line = 0;
  constructor(text: string, pressed: (offset: number) => void) {
    let at = 0;
    for (const line of text.split("\n")) {
      const row = make("div", undefined, { className: "line" });
      for (const match of line.matchAll(lexical)) {
        const kind = kinds[match.slice(1).findIndex((part) => part !== undefined)];
        const isWord = kind === "name" && reserved.has(match[0]);
        const isType = kind === "name" && /^([A-Z]|f32$|i32$|bool$)/.test(match[0]);
        const node = make("span", match[0], {
          className: isWord ? "code-keyword" : isType ? "code-type" : kind === "name" || !kind ? "" : `code-${kind}`,
        });
        const start = at + match.index;
        this.#tokens.push({ node, start, end: start + match[0].length });
        row.append(node);
      }
      this.node.append(row);
      at += line.length + 1;
    }
    const lines = text.split("\n");
    const startOf = (n: number): number => lines.slice(0, n).reduce((sum, l) => sum + l.length + 1, 0);
    this.node.addEventListener("click", ({ target }) => {
      const token = this.#tokens.find((t) => t.node === target);
      if (token) pressed(token.start);
    });
    this.node.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (!step) return;
      event.preventDefault();
      this.#line = Math.min(lines.length - 1, Math.max(0, this.#line + step));
      pressed(startOf(this.#line));
    });
  }
  light(marks: readonly Mark[]): void {
    let first: HTMLElement | undefined;
    for (const { node, start, end } of this.#tokens) {
      const is = marks.some(([from, to]) => from < end && start < to);
      node.classList.toggle("lit", is);
      if (is) first ??= node;
    }
    first?.scrollIntoView({ block: "nearest" });
  }
}
