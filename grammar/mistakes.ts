// What a reader says where the text cannot go on. In: the token that does not fit, its neighbours, the rules around it. Out: one diagnostic, with the
// next thing to type where the mistake is one that is often made.
import type { Diagnostic, SourceFile, Span } from "./diagnostic.ts";
import * as errors from "./errors.ts";
import { nearest } from "./nearest.ts";
import type { Kind, Token } from "./tokens.ts";

/** A place where the text cannot go on. */
export interface Stuck {
  readonly source: SourceFile;
  readonly token: Token; // `end` at the end of the file
  readonly before: Token | undefined; // the one before the previous
  readonly previous: Token | undefined;
  readonly next: Token | undefined;
  readonly open: Token | undefined; // the innermost bracket that is open
  readonly rules: readonly string[]; // what is being read, innermost last
  readonly expected: readonly string[]; // what may stand here; empty where that is much
}
export const declarationWords = [
  "import",
  "const",
  "export",
  "fn",
  "layer",
  "model",
  "init",
  "optimizer",
  "data",
  "train",
];
export const statementWords = [
  "let",
  "param",
  "state",
  "next",
  "yield",
  "return",
  "minimize",
  "metric",
  "field",
  "holdout",
];
const operators = new Set("|> >> or and == != < <= > >= .. + - * / // % @ ^ ?? not".split(" "));
/** Rules by their names in messages; all others are parts of expressions. */
const insideText: Readonly<Record<string, string>> = {
  file: "the file",
  item: "a declaration",
  params: "a parameter list",
  type: "a type",
  dim: "a dim",
  body: "a body",
  block: "a block",
  statement: "a statement",
  dataStatement: "a data block",
  trainStatement: "a train block",
  let: "a `let`",
  state: "a `state`",
  next: "a `next`",
  binders: "the list of indices",
  iterator: "the list of iterators",
  argument: "an argument",
  index: "an index",
};
const closingOf: Readonly<Record<string, Kind>> = { "(": ")", "[": "]", "{": "}" };
const isClosing = (t: Token): boolean => t.kind === ")" || t.kind === "]" || t.kind === "}";
const beginsStatement = (t: Token): boolean => declarationWords.includes(t.text) || statementWords.includes(t.text);
export const tokenSpan = (file: SourceFile, t: Token): Span => ({ file, start: t.start, end: t.end });

export function explainStuck(stuck: Stuck): Diagnostic {
  const { source: file, token, before, previous, open, rules, expected } = stuck;
  const span = tokenSpan(file, token);
  const inside = insideText[rules.at(-1) ?? "file"] ?? "an expression";
  const atEnd = token.kind === "end";
  const closing = open && closingOf[open.kind]!;
  if (
    previous &&
    operators.has(previous.text) &&
    (atEnd || beginsStatement(token) || isClosing(token) || token.kind === ",")
  )
    return errors.missingOperand(tokenSpan(file, previous), previous.text);
  if (atEnd)
    return open
      ? errors.unclosedBlock(span, tokenSpan(file, open), closing!)
      : errors.unexpected(span, "the end of the file", expected, inside);
  const point = barePoint(stuck);
  if (point) return point;
  if (token.kind === ";") return errors.strayMark(span, ";");
  if (token.kind === "=" && inside === "an expression" && previous?.kind !== "~")
    return errors.assignedInsteadOfCompared(
      span,
      previous?.kind === "name" && (before?.kind === "(" || before?.kind === ",") ? previous.text : undefined,
    );
  const found = `\`${token.text.length > 24 ? `${token.text.slice(0, 24)}…` : token.text}\``;
  if (open?.kind === "{" && expected.includes("`}`") && declarationWords.includes(token.kind))
    return errors.unclosedBefore(tokenSpan(file, open), "}", span, found);
  if (open && open.kind !== "{" && (beginsStatement(token) || (isClosing(token) && token.kind !== closing)))
    return errors.unclosedBefore(tokenSpan(file, open), closing!, span, found);
  return errors.unexpected(span, found, expected, inside, hintFor(stuck, inside === "an expression"));
}
/** `.5`, `2.` and `1.e-3`. */
function barePoint({ source, token, before, previous }: Stuck): Diagnostic | undefined {
  if (token.kind === "." && /\d/.test(source.text[token.end] ?? ""))
    return errors.bareDecimalPoint(tokenSpan(source, token), /^\.\d+/.exec(source.text.slice(token.start))![0]);
  if (token.kind === "." && previous?.kind === "number")
    return errors.bareDecimalPoint(tokenSpan(source, token), `${previous.text}.`);
  if (previous?.kind === "." && before?.kind === "number")
    return errors.bareDecimalPoint(tokenSpan(source, previous), `${before.text}.`);
  return undefined;
}
/** The next thing to type, for mistakes that are often made. */
function hintFor(stuck: Stuck, expression: boolean): string | undefined {
  const { source: file, token, previous, next, open, expected } = stuck;
  const rule = expression ? "expression" : (stuck.rules.at(-1) ?? "file");
  const pair = `${previous?.text ?? ""}${token.text}`;
  if (previous?.kind === "," && isClosing(token)) return "leave the last comma out";
  if (pair === "**") return "a power is written x^2";
  if (pair === "||" || (token.kind === "|" && next?.kind === "|")) return "write `or`";
  if (pair === "<>" || (token.kind === "~" && next?.kind === "=")) return "unequal is written `!=`";
  if (pair === "===" || pair === "!==") return "write `==` or `!=`";
  if (pair === "+=" || pair === "-=")
    return "values do not change; bind a new name with `let`, or write a state with `next`";
  if (pair === "->=" || pair === "=>") return "a function without a name is written |x| x + 1";
  if (token.kind === "then" || (token.kind === "{" && previous?.kind === ")"))
    return "a choice is written `if c then a else b`";
  const sameLine = previous !== undefined && !file.text.slice(previous.start, token.start).includes("\n");
  const inBlock = !open || open.kind === "{";
  const meant = (t: Token | undefined): string | undefined =>
    t?.kind === "name" && /(^|[\n{])\s*$/.test(file.text.slice(Math.max(0, t.start - 200), t.start))
      ? nearest(t.text, open ? statementWords : declarationWords)
      : undefined;
  if (inBlock)
    for (const t of sameLine ? [previous, token] : [token])
      if (meant(t)) return `did you mean \`${meant(t)}\` instead of \`${t!.text}\`?`;
  const begins = ["name", "number", "string", "pattern", "(", "["].includes(token.kind);
  if (rule === "params" && previous?.kind === "name" && begins)
    return `write \`${previous.text}: ${token.text}\` to give a parameter its type, or a comma between parameters`;
  if (expected.length === 1 && expected[0] === "`:`" && begins) return `write \`:\` before \`${token.text}\``;
  if (!inBlock && begins && sameLine) return `write a comma before \`${token.text}\`, or an operator`;
  if (rule === "body" && previous?.kind !== "=")
    return "a body is written `= expression` or `{ ... return expression }`";
  const bound =
    previous && /\b(holdout|metric|let)\s+$/.exec(file.text.slice(Math.max(0, previous.start - 200), previous.start));
  if (bound && token.kind === ":") return `write \`${bound[1]} ${previous!.text} = ...\``;
  const settings = rule === "trainStatement" || rule === "dataStatement" || rule === "item";
  if (settings && previous?.kind === "name" && open?.kind === "{" && sameLine)
    return `a setting is written \`${previous.text}: value\``;
  if (token.kind === "name" && open?.kind === "{") {
    if (next?.kind === "number" || next?.kind === "string")
      return `a setting is written \`${token.text}: ${next.text}\``;
    if (next?.kind === "=") return `a statement begins with a word: write \`let ${token.text} = ...\``;
    return "a statement begins with a word: let, param, state, next, yield, return; in a train block also minimize, metric or `setting: value`";
  }
  return open ? undefined : hintAtTop(token, next, rule);
}
function hintAtTop(token: Token, next: Token | undefined, rule: string): string | undefined {
  if (["def", "function", "func", "define"].includes(token.text)) return "a function is declared with `fn`";
  if (token.text === "class") return "a network is declared with `model` or `layer`";
  if (token.kind === "name" && next?.kind === "=")
    return `at the top of a file a name is bound with \`const ${token.text} = ...\``;
  if (token.text === "let") return "at the top of a file a name is bound with `const`";
  return rule === "file" || rule === "item" || token.kind === "name"
    ? `a declaration begins with ${declarationWords.slice(0, -1).join(", ")} or train`
    : undefined;
}
