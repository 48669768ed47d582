// What a reader says where the text cannot go on. In: the token that does not fit, its neighbours, the rules around it. Out: one diagnostic, with the
// next thing to type where the mistake is one that is often made.
import type { Diagnostic, Fix, SourceFile, Span } from "./diagnostic.ts";
import * as errors from "./errors.ts";
import { behind, inserting, leavingOut, writing } from "./fixes.ts";
import { nearest } from "./nearest.ts";
import { endOf, kindOf, type Kind, type Token } from "./tokens.ts";

/** A place where the text cannot go on. */
export interface Stuck {
  readonly source: SourceFile;
  readonly token: Token; // `EOF` at the end of the file
  readonly before: Token | undefined; // the one before the previous
  readonly previous: Token | undefined;
  readonly next: Token | undefined;
  readonly open: Token | undefined; // the innermost bracket that is open
  readonly rule: string; // what is being read, the innermost
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
/** What people bring from elsewhere for the words of statements. */
const brought: Readonly<Record<string, string>> = {
  hold: "holdout",
  split: "holdout",
  column: "field",
  feature: "field",
  var: "let",
  val: "let",
  parameter: "param",
  loss: "minimize",
  optimize: "minimize",
  minimise: "minimize",
  measure: "metric",
};
/** Settings of train and data blocks: `epochs = 3` is meant to be one. */
const settingWords = [
  "epochs",
  "steps",
  "seed",
  "accumulate",
  "evaluate",
  "sample",
  "stop",
  "save",
  "load",
  "checkpoint",
  "keep",
  "rows",
  "batch",
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
const isClosing = (t: Token): boolean => kindOf(t) === ")" || kindOf(t) === "]" || kindOf(t) === "}";
const beginsStatement = (t: Token): boolean => declarationWords.includes(t.image) || statementWords.includes(t.image);
export const tokenSpan = (file: SourceFile, t: Token): Span => ({ file, start: t.startOffset, end: endOf(t) });

export function explainStuck(stuck: Stuck): Diagnostic {
  const { source: file, token, before, previous, open, rule, expected } = stuck;
  const span = tokenSpan(file, token);
  const inside = insideText[rule] ?? "an expression";
  const atEnd = kindOf(token) === "EOF";
  const closing = open && closingOf[kindOf(open)]!;
  if (
    previous &&
    operators.has(previous.image) &&
    (atEnd || beginsStatement(token) || isClosing(token) || kindOf(token) === ",")
  )
    return errors.missingOperand(tokenSpan(file, previous), previous.image);
  if (atEnd)
    return open
      ? errors.unclosedBlock(span, tokenSpan(file, open), closing!)
      : errors.unexpected(span, "the end of the file", expected, inside, ...advice(stuck, inside));
  const point = barePoint(stuck);
  if (point) return point;
  if (kindOf(token) === ";") return errors.strayMark(span, ";");
  if (kindOf(token) === "=" && inside === "an expression" && previous?.tokenType.name !== "~" && !isAssignment(stuck))
    return errors.assignedInsteadOfCompared(
      span,
      previous?.tokenType.name === "name" && (before?.tokenType.name === "(" || before?.tokenType.name === ",")
        ? previous.image
        : undefined,
    );
  const found = `\`${token.image.length > 24 ? `${token.image.slice(0, 24)}…` : token.image}\``;
  if (open?.tokenType.name === "{" && expected.includes("`}`") && declarationWords.includes(kindOf(token)))
    return errors.unclosedBefore(tokenSpan(file, open), "}", span, found);
  if (open && kindOf(open) !== "{" && (beginsStatement(token) || (isClosing(token) && kindOf(token) !== closing)))
    return errors.unclosedBefore(tokenSpan(file, open), closing!, span, found);
  return errors.unexpected(span, found, expected, inside, ...advice(stuck, inside));
}
const unchanging = "values do not change; bind a new name with `let`, or write a state with `next`";
/** Does a bracket behind this text index something? */
const isIndexed = (before: string): boolean => /[\w)\]]$/.test(before) && !/\b(?:f32|i32|bool|int)$/.test(before);
/** `x += 1`, `x *= 2`: an operator and `=` without a space. */
const isAssignment = ({ token, previous }: Stuck): boolean =>
  kindOf(token) === "=" && /^[-+*/]$/.test(previous?.image ?? "") && endOf(previous!) === token.startOffset;
/** `.5`, `2.` and `1.e-3`. */
function barePoint({ source, token, before, previous }: Stuck): Diagnostic | undefined {
  if (kindOf(token) === "." && /\d/.test(source.text[endOf(token)] ?? ""))
    return errors.bareDecimalPoint(tokenSpan(source, token), /^\.\d+/.exec(source.text.slice(token.startOffset))![0]);
  if (kindOf(token) === "." && previous?.tokenType.name === "number")
    return errors.bareDecimalPoint(tokenSpan(source, token), `${previous.image}.`);
  if (previous?.tokenType.name === "." && before?.tokenType.name === "number")
    return errors.bareDecimalPoint(tokenSpan(source, previous), `${before.image}.`);
  return undefined;
}
/** A hint, and the change of the text that it names. */
type Advice = readonly [hint: string, fix?: Fix];
function advice(stuck: Stuck, inside: string): Partial<Advice> {
  const found = hintFor(stuck, inside === "an expression");
  return found === undefined ? [] : typeof found === "string" ? [found] : found;
}
/** The next thing to type, for mistakes that are often made. */
function hintFor(stuck: Stuck, expression: boolean): string | Advice | undefined {
  const { source: file, token, previous, next, open, expected } = stuck;
  const rule = expression ? "expression" : stuck.rule;
  const pair = `${previous?.image ?? ""}${token.image}`;
  const before = file.text.slice(0, token.startOffset);
  const own = tokenSpan(file, token);
  /** The token before this one and this one. */
  const both = { ...own, start: previous?.startOffset ?? own.start };
  const sameLine = previous !== undefined && !file.text.slice(previous.startOffset, token.startOffset).includes("\n");
  const lineStart = before.lastIndexOf("\n") + 1;
  const comment = /(?<=^|\s)\/\/[^\n]*$/.exec(before.slice(lineStart));
  if (kindOf(token) === "//" || comment) {
    const start = comment ? lineStart + comment.index : own.start;
    return ["a comment begins with `#`; `//` divides", writing({ file, start, end: start + 2 }, "#")];
  }
  if (token.image === '""' && next?.image.startsWith('"')) return "a comment begins with `#`, documentation with `##`";
  if (expected.includes("`of`") && /\bstack\s*\([^{}]*\)\s*$/.test(before))
    return "a list is stacked where a tensor is wanted: write `[x, y]`; `stack n of layer` repeats a layer";
  if (expected.includes("`(`") && /\blayer\s+\w+\s*\([^{}]*\)\s*$/.test(before)) {
    const written = [...before.matchAll(/\blayer\s+\w+(?=\s*\()/g)].at(-1)![0];
    return `a layer has two lists, hyper-parameters and inputs: write \`${written}()(...)\``;
  }
  const isSettingAhead = next?.tokenType.name === "number" || next?.tokenType.name === "string";
  if (!isSettingAhead && /^minimize\b(?:(?!\b(?:by|let|state|next|metric)\b)[^{}])*$/.test(since("minimize", before)))
    return "say which optimizer takes the steps: `minimize e by optimizer(...)`";
  if (previous?.tokenType.name === "," && isClosing(token))
    return ["leave the last comma out", leavingOut(tokenSpan(file, previous))];
  if (pair === "**") return ["a power is written x^2", writing(both, "^")];
  /** This token and the one behind it. */
  const further = { ...own, end: next ? endOf(next) : own.end };
  if (pair === "||") return ["write `or`", writing(both, "or")];
  if (kindOf(token) === "|" && next?.tokenType.name === "|") return ["write `or`", writing(further, "or")];
  if (pair === "<>") return ["unequal is written `!=`", writing(both, "!=")];
  if (kindOf(token) === "~" && next?.tokenType.name === "=") return ["unequal is written `!=`", writing(further, "!=")];
  if (pair === "===" || pair === "!==") return ["write `==` or `!=`", writing(both, pair.slice(0, 2))];
  if (isAssignment(stuck)) return unchanging;
  if (pair === "->=" || pair === "=>" || (previous?.image === "lambda" && token.tokenType.name === "name"))
    return "a function without a name is written |x| x + 1";
  if (kindOf(token) === "return" && previous?.image === "=")
    return ["behind `=` stands an expression: leave `return` out", leavingOut(own)];
  const isIndex = open && kindOf(open) === "[" && isIndexed(file.text.slice(lineStart, open.startOffset));
  if (isIndex && (kindOf(token) === ":" || previous?.image === ":")) {
    const slice = "a slice is written x[0..3], with a step `for i in 0..3: x[2 * i]`";
    const isWhole = kindOf(token) === ":" && [previous, next].every((t) => /^\w+$/.test(t?.image ?? ""));
    return isWhole && /^\s*\]/.test(file.text.slice(endOf(next!))) ? [slice, writing(own, "..")] : slice;
  }
  if (kindOf(token) === "for" && open && (kindOf(open) === "(" || kindOf(open) === "["))
    return "indices stand in front: write `sum over i in 0..3: x[i]`, or `for i in 0..3: x[i]` for a tensor";
  if (
    (kindOf(token) === "if" && sameLine) ||
    kindOf(token) === "then" ||
    (kindOf(token) === "{" && previous?.tokenType.name === ")")
  )
    return "a choice is written `if c then a else b`";
  const inBlock = !open || kindOf(open) === "{";
  const meant = (t: Token | undefined): string | undefined =>
    t?.tokenType.name === "name" &&
    /(^|[\n{])\s*$/.test(file.text.slice(Math.max(0, t.startOffset - 200), t.startOffset))
      ? ((open && brought[t.image]) ?? nearest(t.image, open ? statementWords : declarationWords))
      : undefined;
  if (inBlock)
    for (const t of sameLine ? [previous, token] : [token])
      if (t && meant(t))
        return [`did you mean \`${meant(t)}\` instead of \`${t.image}\`?`, writing(tokenSpan(file, t), meant(t)!)];
  const begins = ["name", "number", "string", "pattern", "(", "["].includes(kindOf(token));
  const put = (text: string): Fix => behind(file, token.startOffset, text);
  if (rule === "params" && previous?.tokenType.name === "name" && begins)
    return [
      `write \`${previous.image}: ${token.image}\` to give a parameter its type, or a comma between parameters`,
      put(":"),
    ];
  if (expected.length === 1 && expected[0] === "`:`" && begins)
    return [`write \`:\` before \`${token.image}\``, put(":")];
  if (!inBlock && begins && sameLine) return [`write a comma before \`${token.image}\`, or an operator`, put(",")];
  if (rule === "body" && previous?.tokenType.name !== "=")
    return "a body is written `= expression` or `{ ... return expression }`";
  const bound =
    previous &&
    /\b(holdout|metric|let)\s+$/.exec(file.text.slice(Math.max(0, previous.startOffset - 200), previous.startOffset));
  if (bound && kindOf(token) === ":") return [`write \`${bound[1]} ${previous!.image} = ...\``, writing(own, " =")];
  if (bound?.[1] === "metric" && kindOf(token) === "(")
    return [
      `a metric has a name: write \`metric ${previous!.image} = ${previous!.image}(...)\``,
      inserting(file, previous!.startOffset, `${previous!.image} = `),
    ];
  const settings = rule === "trainStatement" || rule === "dataStatement" || rule === "item";
  if (settings && previous?.tokenType.name === "number" && kindOf(token) === "name" && sameLine)
    return [
      `write \`every ${previous.image} ${token.image}\`, or end the line here`,
      inserting(file, previous.startOffset, "every "),
    ];
  if (settings && previous?.tokenType.name === "name" && open?.tokenType.name === "{" && sameLine) {
    const isSetting = settingWords.includes(previous.image);
    if (kindOf(token) === "=" && !isSetting)
      return [
        `a name is bound with \`let\`: write \`let ${previous.image} = ...\``,
        inserting(file, previous.startOffset, "let "),
      ];
    const colon = { file, start: endOf(previous), end: kindOf(token) === "=" ? own.end : endOf(previous) };
    return [`a setting is written \`${previous.image}: value\``, writing(colon, ":")];
  }
  if (rule === "block" && next && /^[-+*/]$/.test(next.image) && file.text[endOf(next)] === "=") return unchanging;
  const atEnd =
    rule === "block" && ["name", "number", "(", "["].includes(kindOf(token)) && next?.tokenType.name !== "=";
  if (atEnd && (kindOf(token) !== "name" || !next || next.tokenType.name !== "name"))
    return [
      `a block gives its value by a word: write \`return ${token.image}${next && kindOf(next) !== "}" ? " ..." : ""}\`, in a scan \`yield\``,
      inserting(file, own.start, "return "),
    ];
  if (kindOf(token) === "name" && open?.tokenType.name === "{") {
    if (next?.tokenType.name === "number" || next?.tokenType.name === "string")
      return [`a setting is written \`${token.image}: ${next.image}\``, inserting(file, own.end, ":")];
    if (next?.tokenType.name === "=")
      return [`a statement begins with a word: write \`let ${token.image} = ...\``, inserting(file, own.start, "let ")];
    return "a statement begins with a word: let, param, state, next, yield, return; in a train block also minimize, metric or `setting: value`";
  }
  return open ? undefined : hintAtTop(file, token, next, rule);
}
/** From the last place on where the word stands; nothing where it does not. */
function since(word: string, text: string): string {
  let at = text.lastIndexOf(word);
  const isPart = (): boolean => /\w/.test(`${text[at - 1] ?? ""}${text[at + word.length] ?? ""}`);
  while (at > 0 && isPart()) at = text.lastIndexOf(word, at - 1);
  return at < 0 || isPart() ? "" : text.slice(at);
}
function hintAtTop(file: SourceFile, token: Token, next: Token | undefined, rule: string): string | Advice | undefined {
  const own = tokenSpan(file, token);
  if (["def", "function", "func", "define"].includes(token.image))
    return ["a function is declared with `fn`", writing(own, "fn")];
  if (token.image === "class") return ["a network is declared with `model` or `layer`", writing(own, "model")];
  if (kindOf(token) === "name" && next?.tokenType.name === "=")
    return [
      `at the top of a file a name is bound with \`const ${token.image} = ...\``,
      inserting(file, own.start, "const "),
    ];
  if (token.image === "let") return ["at the top of a file a name is bound with `const`", writing(own, "const")];
  return rule === "file" || rule === "item" || kindOf(token) === "name"
    ? `a declaration begins with ${declarationWords.slice(0, -1).join(", ")} or train`
    : undefined;
}
