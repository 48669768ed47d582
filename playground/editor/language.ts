// The language for the editor: colours and folds, from the words and signs that the lexer is made of. In: lines of text. Out: an extension.
import { foldService, HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import type { EditorState, Extension } from "@codemirror/state";
import { tags } from "@lezer/highlight";
import { patterns, reserved, signs } from "../../grammar/words.ts";

const declares = new Set(["fn", "layer", "model", "init", "optimizer", "data", "train", "const"]);
const language = StreamLanguage.define<{ readonly declares?: boolean } & { after: string }>({
  name: "dlm",
  startState: () => ({ after: "" }),
  token: (stream, state) => {
    if (stream.eatSpace()) return null;
    const { after } = state;
    state.after = "";
    if (stream.match(patterns.comment)) return /^##/.test(stream.current()) ? "docComment" : "comment";
    if (stream.match(patterns.pattern)) return "regexp";
    if (stream.match(patterns.string)) return "string";
    if (stream.match(patterns.number)) return "number";
    if (stream.match(patterns.name)) {
      const word = stream.current();
      state.after = word;
      if (word === "true" || word === "false") return "bool";
      if (reserved.has(word)) return "keyword";
      if (declares.has(after)) return "variableName.definition";
      if (/^(f32|i32|bool)$/.test(word)) return "typeName";
      if (stream.peek() === "(") return /^[A-Z]/.test(word) ? "className" : "variableName.function";
      if (stream.match(/^\s*:(?!:)/, false)) return "propertyName";
      return /^[A-Z]\w?$/.test(word) ? "typeName" : "variableName";
    }
    if (signs.some((sign) => stream.match(sign))) return "operator";
    stream.next();
    return "invalid";
  },
  languageData: { commentTokens: { line: "#" }, closeBrackets: { brackets: ["(", "[", "{", '"', "`"] } },
});
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--code-keyword)" },
  { tag: [tags.comment, tags.docComment], color: "var(--code-comment)" },
  { tag: [tags.string, tags.regexp], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool], color: "var(--code-number)" },
  { tag: [tags.className, tags.typeName], color: "var(--code-type)" },
  { tag: tags.function(tags.variableName), color: "var(--code-function)" },
  { tag: tags.definition(tags.variableName), color: "var(--text)", fontWeight: "600" },
  { tag: tags.propertyName, color: "var(--code-property)" },
  { tag: tags.operator, color: "var(--quiet)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);
/** From a line that opens a brace to the one that closes it; a run of comments. */
const folds = foldService.of((state, start, end) => foldAt(state, start, end));
function foldAt(state: EditorState, start: number, end: number): { from: number; to: number } | null {
  const { doc } = state;
  const line = doc.lineAt(start);
  if (/^\s*#/.test(line.text)) {
    if (line.number > 1 && /^\s*#/.test(doc.line(line.number - 1).text)) return null;
    let last = line.number;
    while (last < doc.lines && /^\s*#/.test(doc.line(last + 1).text)) last++;
    return last > line.number ? { from: end, to: doc.line(last).to } : null;
  }
  let depth = 0;
  let from = -1;
  for (let n = line.number; n <= Math.min(doc.lines, line.number + 5000); n++) {
    const { text, from: at } = doc.line(n);
    for (const { 0: sign, index } of text.matchAll(/"[^"]*"?|#.*|[{}]/g)) {
      if (sign === "{") {
        if (depth++ === 0) from = at + index + 1;
      } else if (sign === "}" && depth > 0 && --depth === 0 && n > line.number) return { from, to: at + index };
    }
    if (depth === 0) return null;
  }
  return null;
}
export const dlm: Extension = [language, syntaxHighlighting(colours), folds];
