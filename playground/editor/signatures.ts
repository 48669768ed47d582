// What a call takes, above the line while it is written: the parameter at the cursor stands out. In: answers to what stands at an offset. Out: an extension.
import { Prec, StateEffect, StateField, type Extension } from "@codemirror/state";
import { EditorView, keymap, showTooltip, type Tooltip } from "@codemirror/view";
import { make } from "../../compiler/cli/page/dom.ts";
import type { Signature } from "../../compiler/query/signatures.ts";

type Ask = (offset: number) => Promise<Signature | undefined>;
const show = StateEffect.define<Tooltip | null>();
const shown = StateField.define<Tooltip | null>({
  create: () => null,
  update: (tooltip, { changes, effects }) => {
    for (const e of effects) if (e.is(show)) return e.value;
    return tooltip && { ...tooltip, pos: changes.mapPos(tooltip.pos) };
  },
  provide: (field) => showTooltip.from(field),
});

export function signatures(ask: Ask): Extension {
  let asked = 0;
  const look = async (view: EditorView): Promise<void> => {
    const number = ++asked;
    const { main } = view.state.selection;
    const found = main.empty ? await ask(main.head) : undefined;
    if (number !== asked) return;
    const isShown = view.state.field(shown) !== null;
    if (found)
      view.dispatch({ effects: show.of({ pos: main.head, above: true, create: () => ({ dom: boxOf(found) }) }) });
    else if (isShown) hide(view);
  };
  const hide = (view: EditorView): void => {
    asked++;
    if (view.state.field(shown)) view.dispatch({ effects: show.of(null) });
  };
  return [
    shown,
    EditorView.updateListener.of(({ view, transactions, docChanged, selectionSet, state }) => {
      if (!docChanged && !selectionSet) return;
      const isTyped = transactions.some((t) => t.isUserEvent("input.type") || t.isUserEvent("input.complete"));
      const isOpen = state.field(shown) !== null;
      if (
        isOpen ||
        (isTyped &&
          /[(,]\s*$/.test(state.sliceDoc(Math.max(0, state.selection.main.head - 40), state.selection.main.head)))
      )
        void look(view);
    }),
    EditorView.domEventHandlers({ blur: (_, view) => hide(view) }),
    // before the completions, which take the key while they are asked for
    Prec.highest(
      keymap.of([
        { key: "Ctrl-Shift-Space", run: (view) => (void look(view), true) },
        { key: "Escape", run: (view) => (hide(view), false) },
      ]),
    ),
  ];
}
function boxOf({ label, parameters, active, doc }: Signature): HTMLElement {
  const at = parameters[active];
  const parts = at
    ? [label.slice(0, at.start), make("strong", label.slice(at.start, at.end)), label.slice(at.end)]
    : [label];
  const box = make("div", undefined, { className: "cm-hover cm-signature" }, [make("code", undefined, {}, parts)]);
  if (doc !== undefined) box.append(make("p", firstSentence(doc)));
  return box;
}
const firstSentence = (doc: string): string => /^.*?[.:](?=\s|$)/s.exec(doc)?.[0] ?? doc;
