// The list of what is wrong, each with its line and a caret, and a button that mends it. In: problems of a text. Out: a list.
import { box, button, make } from "../compiler/cli/page/dom.ts";
import type { Fix, Problem } from "../compiler/cli/look/types.ts";

const most = 50;
export function showProblems(
  node: HTMLElement,
  textOf: (file: string | undefined) => string, // undefined: of the text that is edited
  problems: readonly Problem[],
  goTo: (file: string | undefined, start: number, end: number) => void,
  fix: (fix: Fix) => void,
): void {
  node.hidden = problems.length === 0;
  const lines = problems.slice(0, most).map((p) => {
    const { number, line, column } = placeOf(textOf(p.file), p.start);
    const from = Math.max(0, column - 60);
    const width = Math.max(1, Math.min(p.end - p.start, line.length - column));
    const caret = make(
      "code",
      `${line.slice(from, from + 110)}\n${" ".repeat(column - from)}${"^".repeat(Math.min(width, 50))}`,
    );
    const head = button("", () => goTo(p.file, p.start, p.end), "problem-head");
    head.append(
      make("strong", p.severity, { className: p.severity }),
      make("span", `${p.file === undefined ? "" : `${p.file}:`}${number}:${column + 1}`),
      make("span", p.message),
    );
    const more = [...p.notes, ...(p.hint === undefined ? [] : [`hint: ${p.hint}`])].map((t) => make("p", t));
    const fixes = p.fixes.map((f) => button(f.title, () => fix(f), "small"));
    return make("li", undefined, {}, [head, caret, ...more, ...(fixes.length ? [box("row", ...fixes)] : [])]);
  });
  const left = problems.length > most ? [make("p", `and ${problems.length - most} more`, { className: "note" })] : [];
  node.replaceChildren(make("ul", undefined, {}, lines), ...left);
}
function placeOf(
  text: string,
  offset: number,
): { readonly number: number; readonly line: string; readonly column: number } {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const end = text.indexOf("\n", offset);
  let number = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < offset; i = text.indexOf("\n", i + 1)) number++;
  return { number, line: text.slice(start, end < 0 ? text.length : end), column: offset - start };
}
