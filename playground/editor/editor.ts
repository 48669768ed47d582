// The editor of the model's text. In: a place on the page, answers to what an editor asks. Out: the text, changes, where the cursor is; lights ranges up.
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
  type CompletionContext,
  type CompletionResult,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, codeFolding, foldGutter, foldKeymap, indentUnit } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, StateEffect, StateField, Transaction, type ChangeSpec } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  hoverTooltip,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { make } from "../../compiler/cli/page/dom.ts";
import type { Fix, Hover, Problem, Suggestion } from "../../compiler/cli/look/types.ts";
import type { Signature } from "../../compiler/query/signatures.ts";
import { dlm } from "./language.ts";
import type { FilePlace } from "../work/protocol.ts";
import { signatures } from "./signatures.ts";
import { shape, shapesShown, type Shape } from "./shapes.ts";
import { theme } from "./theme.ts";

/** What the editor asks; undefined where there is nothing to say, or the text is another one meanwhile. */
export interface Asked {
  readonly hover: (offset: number) => Promise<Hover | undefined>;
  readonly complete: (offset: number) => Promise<readonly Suggestion[] | undefined>;
  readonly definition: (offset: number) => Promise<FilePlace | undefined>;
  readonly references: (offset: number) => Promise<readonly (readonly [number, number])[] | undefined>;
  readonly signature: (offset: number) => Promise<Signature | undefined>;
  readonly format: () => Promise<string | undefined>;
}
export interface Heard {
  readonly changed: (text: string) => void;
  readonly moved: (offset: number) => void; // by the visitor
  readonly goTo: (place: FilePlace) => void;
}
type Range = readonly [start: number, end: number, ...more: unknown[]];

const light = StateEffect.define<readonly Range[]>();
const lit = Decoration.mark({ class: "cm-lit" });
const lights = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (found, { changes, effects, newDoc }) => {
    for (const e of effects)
      if (e.is(light)) {
        const ranges = e.value
          .filter(([start, end]) => start < end && end <= newDoc.length)
          .map(([start, end]) => lit.range(start, end));
        return Decoration.set(ranges, true);
      }
    return found.map(changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

export const changesOf = ({ edits }: Fix): ChangeSpec =>
  edits.map(({ start, end, text }) => ({ from: start, to: end, insert: text }));

export class Editor {
  readonly #view: EditorView;
  readonly #asked: Asked;
  readonly #heard: Heard;
  readonly #fresh: (text: string) => EditorState;
  readonly #states = new Map<string, EditorState>(); // of files that are not shown, with what can be undone
  #file: string;

  constructor(parent: HTMLElement, file: string, text: string, asked: Asked, heard: Heard) {
    this.#asked = asked;
    this.#heard = heard;
    this.#file = file;
    // style sheets of a shadow tree are objects, which the page's policy allows; those of a document would be inline
    const root = parent.attachShadow({ mode: "open" });
    const extensions = [
      lineNumbers(),
      foldGutter(),
      lintGutter(),
      history(),
      drawSelection(),
      codeFolding(),
      bracketMatching(),
      closeBrackets(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      highlightSelectionMatches(),
      search({ top: true }),
      indentUnit.of("  "),
      EditorState.tabSize.of(2),
      autocompletion({ override: [(context) => completions(context, asked)] }),
      hoverTooltip(async (_, offset) => {
        const found = await asked.hover(offset);
        return found ? { pos: found.start, end: found.end, create: () => ({ dom: hoverBox(found) }) } : null;
      }),
      EditorView.lineWrapping,
      dlm,
      theme,
      lights,
      shapesShown,
      EditorView.contentAttributes.of({ "aria-label": "Model", spellcheck: "false", tabindex: "0" }),
      keymap.of([
        { key: "Shift-Alt-f", run: () => (void this.format(), true) },
        { key: "F12", run: () => (void this.goToDefinition(), true) },
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...defaultKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...foldKeymap,
        ...lintKeymap,
        indentWithTab,
      ]),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) heard.changed(this.text);
        const isOwn = update.transactions.some((t) => t.isUserEvent("select"));
        if (isOwn && update.selectionSet && !update.docChanged) heard.moved(this.offset);
      }),
      signatures(asked.signature), // behind the listener: what is asked is asked of the changed text
    ];
    this.#fresh = (doc) => EditorState.create({ doc, extensions });
    this.#view = new EditorView({ parent: root, root, state: this.#fresh(text) });
  }
  get text(): string {
    return this.#view.state.doc.toString();
  }
  get offset(): number {
    return this.#view.state.selection.main.head;
  }
  /** Another file of the model. */
  open(file: string, text: string): void {
    if (file === this.#file) return;
    this.#states.set(this.#file, this.#view.state);
    const known = this.#states.get(file);
    this.#states.delete(file);
    this.#file = file;
    this.#view.setState(known?.doc.toString() === text ? known : this.#fresh(text));
  }
  /** Another model, under this name: of its former files nothing is left. */
  replace(file: string, text: string): void {
    this.#states.clear();
    this.#file = file;
    const changes = { from: 0, to: this.#view.state.doc.length, insert: text };
    this.#view.dispatch({
      changes,
      selection: { anchor: 0 },
      annotations: Transaction.addToHistory.of(true),
      scrollIntoView: true,
    });
  }
  change(changes: ChangeSpec): void {
    this.#view.dispatch({ changes, userEvent: "input.fix" });
  }
  problems(problems: readonly Problem[]): void {
    const { length } = this.#view.state.doc;
    const shown = problems
      .filter((p) => p.file === undefined && p.start <= length)
      .map((p): Diagnostic => ({
        from: p.start,
        to: Math.min(length, p.end),
        severity: p.severity,
        message: p.message,
        renderMessage: () => problemBox(p),
        actions: p.fixes.map((fix) => ({
          name: fix.title,
          apply: () => this.change(changesOf(fix)),
        })),
      }));
    this.#view.dispatch(setDiagnostics(this.#view.state, shown));
  }
  /** Short texts behind the steps of pipes, which are none of the text. */
  shapes(shapes: readonly Shape[]): void {
    this.#view.dispatch({ effects: shape.of(shapes) });
  }
  light(ranges: readonly Range[]): void {
    this.#view.dispatch({ effects: light.of(ranges) });
  }
  /** Puts a place where it can be seen. */
  show(offset: number): void {
    const at = Math.min(offset, this.#view.state.doc.length);
    this.#view.dispatch({ effects: EditorView.scrollIntoView(at, { y: "nearest", yMargin: 60 }) });
  }
  goTo(start: number, end = start): void {
    const { length } = this.#view.state.doc;
    const selection = { anchor: Math.min(start, length), head: Math.min(end, length) };
    this.#view.dispatch({ selection, userEvent: "select", scrollIntoView: true });
    this.#view.focus();
  }
  async format(): Promise<void> {
    const before = this.text;
    const after = await this.#asked.format();
    if (after === undefined || after === before || this.text !== before) return;
    let [start, end] = [0, 0];
    while (before[start] === after[start]) start++;
    const most = Math.min(before.length, after.length) - start;
    while (end < most && before.at(-1 - end) === after.at(-1 - end)) end++;
    this.#view.dispatch({
      changes: { from: start, to: before.length - end, insert: after.slice(start, after.length - end) },
      userEvent: "input.format",
    });
  }
  async goToDefinition(): Promise<void> {
    const found = await this.#asked.definition(this.offset);
    if (found) this.#heard.goTo(found);
  }
  /** Gives the name at the cursor another one, wherever it means the same. */
  async rename(name: string): Promise<boolean> {
    const before = this.text;
    const places = await this.#asked.references(this.offset);
    if (!places?.length || this.text !== before) return false;
    this.#view.dispatch({
      changes: places.map(([from, to]) => ({ from, to, insert: name })),
      userEvent: "input.rename",
    });
    return true;
  }
}
async function completions(context: CompletionContext, asked: Asked): Promise<CompletionResult | null> {
  const word = context.matchBefore(/\w*/);
  const afterDot = context.matchBefore(/\.\w*/) !== null;
  if (!context.explicit && !afterDot && (!word || word.from === word.to || /^\d/.test(word.text))) return null;
  const found = await asked.complete(context.pos);
  if (!found?.length) return null;
  const options = found.map(({ name, kind, text, doc }) => ({
    label: name,
    detail: text || kind,
    ...(doc === undefined ? {} : { info: doc }),
    ...(kind === "argument" ? { apply: `${name}: `, boost: 2 } : {}),
  }));
  return { from: found[0]!.start, options, validFor: /^\w*$/ };
}
function hoverBox({ type, value, doc, call, others, alsoNamed }: Hover): HTMLElement {
  const box = make("div", undefined, { className: "cm-hover" });
  box.append(make("code", value === undefined || value === type ? type : `${type} = ${value}`));
  if (call) box.append(make("p", `in ${call}`));
  if (others.length) box.append(make("p", others.slice(0, 4).join("; ")));
  if (alsoNamed.length) box.append(make("p", `also ${alsoNamed.slice(0, 4).join(", ")}`));
  if (doc !== undefined) box.append(make("p", doc));
  return box;
}
function problemBox({ code, message, notes, hint }: Problem): HTMLElement {
  const box = make("div");
  box.append(make("strong", `${code} `), message);
  for (const line of [...notes, ...(hint === undefined ? [] : [hint])]) box.append(make("div", line));
  return box;
}
