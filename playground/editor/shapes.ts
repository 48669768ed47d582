// Shapes behind the steps of pipes, shown in the editor as hints. In: offsets and texts. Out: an extension, an effect that sets them.
import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, WidgetType } from "@codemirror/view";
import { make } from "../../compiler/cli/page/dom.ts";

export interface Shape {
  readonly offset: number;
  readonly text: string;
}
class ShapeHint extends WidgetType {
  readonly #text: string;
  constructor(text: string) {
    super();
    this.#text = text;
  }
  override eq(other: ShapeHint): boolean {
    return other.#text === this.#text;
  }
  override toDOM(): HTMLElement {
    const node = make("span", this.#text, { className: "cm-shape" });
    node.setAttribute("aria-hidden", "true");
    return node;
  }
}
export const shape = StateEffect.define<readonly Shape[]>();
export const shapesShown = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (found, { changes, effects, newDoc }) => {
    for (const e of effects)
      if (e.is(shape)) {
        const hints = e.value.filter(({ offset }) => offset <= newDoc.length);
        const widget = (text: string): Decoration => Decoration.widget({ widget: new ShapeHint(text), side: 1 });
        return Decoration.set(
          hints.map(({ offset, text }) => widget(text).range(offset)),
          true,
        );
      }
    return found.map(changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});
