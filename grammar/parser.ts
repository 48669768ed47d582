// The parser: text to AST and diagnostics. Always gives an AST of what could be understood; never throws, whatever the text.
// The grammar (docs/language.md) is LL(2). Recovery is Chevrotain's: a rule that fails is skipped to where its caller can go on.
import { EmbeddedActionsParser, EOF, type IRecognitionException, type IToken, type TokenType } from "chevrotain";
import type * as ast from "./ast.ts";
import { position, type Diagnostic, type SourceFile, type Span } from "./diagnostic.ts";
import * as errors from "./errors.ts";
import { parsePattern } from "./pattern.ts";
import { nearest } from "./nearest.ts";
import { allTokens, Id, Num, Pattern, reserved, sign, Str, tokenize, words } from "./tokens.ts";

export interface Comment {
  readonly text: string; // with its marks
  readonly start: number;
  readonly end: number;
}
export interface Parsed {
  readonly file: ast.File;
  readonly diagnostics: readonly Diagnostic[];
  readonly comments: readonly Comment[];
}
const deepest = 200; // brackets in brackets
const longest = 1000; // operators, calls, members and brackets in a row

let parser: DlmParser | undefined;
/** `text`: of the source what is read, at its place. */
export function parse(source: SourceFile, text = source.text): Parsed {
  parser ??= new DlmParser();
  const lexed = tokenize(text);
  const comments = (lexed.groups["comments"] ?? []).map((t) => ({
    text: t.image.trimEnd(),
    start: t.startOffset,
    end: t.startOffset + t.image.trimEnd().length,
  }));
  const diagnostics: Diagnostic[] = [];
  for (const e of lexed.errors) {
    const text = source.text.slice(e.offset, e.offset + e.length);
    const span = { file: source, start: e.offset, end: e.offset + Math.max(1, e.length) };
    if (text.startsWith('"'))
      diagnostics.push(errors.unclosed({ ...span, end: lineEnd(source.text, e.offset) }, "string", '"'));
    else if (text.startsWith("`"))
      diagnostics.push(errors.unclosed({ ...span, end: lineEnd(source.text, e.offset) }, "axis pattern", "`"));
    else diagnostics.push(errors.unexpectedCharacter({ ...span, end: e.offset + 1 }, [...text][0] ?? text));
  }
  const deep = nesting(lexed.tokens);
  if (deep) {
    diagnostics.push(errors.tooDeep(tokenSpan(source, deep), deepest));
    return { file: { kind: "file", source, items: [] }, diagnostics, comments };
  }
  const { tokens, diagnostics: reservedNames } = reservedAsNames(source, lexed.tokens);
  diagnostics.push(...reservedNames);
  parser.begin(source, comments);
  parser.input = tokens;
  let file: ast.File | undefined;
  try {
    file = parser.file();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // deeper than the stack: operators without brackets
    diagnostics.push(errors.tooDeep({ file: source, start: 0, end: 0 }, deepest));
  }
  diagnostics.push(...parser.own);
  const long = file && !parser.errors.length ? tooLong(file) : undefined;
  if (long) diagnostics.push(errors.tooDeep(long, longest));
  for (const e of parser.errors) diagnostics.push(explainError(source, tokens, e));
  // what follows an error on its line mostly follows from it: one message a line, the first (of characters before that of words)
  const lines = new Set<number>();
  const first = diagnostics.filter((d) => {
    const line = position(source, d.span.start).line;
    return lines.has(line) ? false : lines.add(line);
  });
  return {
    file: file ?? { kind: "file", source, items: [] },
    diagnostics: first.sort((a, b) => a.span.start - b.span.start),
    comments,
  };
}
/** Reserved words where a new name is made, and where that name is used, become names: the rest of the text can then be read. */
function reservedAsNames(
  source: SourceFile,
  given: readonly IToken[],
): { tokens: IToken[]; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const taken = new Set<string>();
  const tokens = [...given];
  const type = (i: number): TokenType | undefined => tokens[i]?.tokenType;
  const makers = [
    "let",
    "param",
    "state",
    "next",
    "const",
    "fn",
    "layer",
    "model",
    "init",
    "optimizer",
    "data",
    "train",
    "field",
    "holdout",
    "metric",
  ].map((w) => words[w]);
  const atoms = ["true", "false", "not", "if", "for", "stack", "scan", "fold", "wrt"].map((w) => words[w]);
  for (let i = 1; i < tokens.length; i++) {
    const t = tokens[i]!;
    if (!reserved.includes(t.image) || t.tokenType === Id) continue;
    const [before, after] = [type(i - 1), type(i + 1)];
    const made =
      makers.includes(before) &&
      (after === sign.Assign ||
        after === sign.Colon ||
        after === sign.OpenParen ||
        after === sign.OpenBrace ||
        after === words["on"]);
    const parameter =
      (before === sign.OpenParen || before === sign.Comma) && after === sign.Colon && !atoms.includes(t.tokenType);
    const used =
      taken.has(t.image) &&
      !(after === Id || (before && "Id Num CloseParen CloseBracket CloseBrace".split(" ").includes(before.name)));
    if (!made && !parameter && !used) continue;
    if (!used) diagnostics.push(errors.reservedName(tokenSpan(source, t), t.image));
    taken.add(t.image);
    tokens[i] = { ...t, tokenType: Id, tokenTypeIdx: Id.tokenTypeIdx! };
  }
  return { tokens, diagnostics };
}
/** The place of an expression whose tree is deeper than those who walk it can follow. */
function tooLong(file: ast.File): Span | undefined {
  const queue: { readonly node: unknown; readonly depth: number }[] = [{ node: file.items, depth: 0 }];
  while (queue.length) {
    const { node, depth } = queue.pop()!;
    if (typeof node !== "object" || node === null) continue;
    if (Array.isArray(node)) for (const x of node as unknown[]) queue.push({ node: x, depth });
    else {
      if (depth > longest) return (node as { readonly span?: Span }).span;
      for (const [key, value] of Object.entries(node))
        if (key !== "span" && key !== "operatorSpan") queue.push({ node: value, depth: depth + 1 });
    }
  }
  return undefined;
}
const lineEnd = (text: string, from: number): number =>
  text.indexOf("\n", from) < 0 ? text.length : text.indexOf("\n", from);
const tokenSpan = (file: SourceFile, t: IToken): Span =>
  Number.isNaN(t.startOffset) || t.tokenType === EOF
    ? { file, start: file.text.trimEnd().length, end: file.text.trimEnd().length }
    : { file, start: t.startOffset, end: t.startOffset + Math.max(1, t.image.length) };

/** The first token that is nested too deep for a recursive parser. */
function nesting(tokens: readonly IToken[]): IToken | undefined {
  let depth = 0;
  let prefixes = 0;
  for (const t of tokens) {
    const name = t.tokenType;
    if (name === sign.OpenParen || name === sign.OpenBracket || name === sign.OpenBrace) depth += 1;
    else if (name === sign.CloseParen || name === sign.CloseBracket || name === sign.CloseBrace)
      depth = Math.max(0, depth - 1);
    prefixes =
      name === sign.Minus ||
      name === words["not"] ||
      name === sign.Caret ||
      name === words["if"] ||
      name === words["else"] ||
      name === sign.Bar ||
      name === words["for"]
        ? prefixes + 1
        : /^(Id|Num|Word_then|Colon)$/.test(name.name)
          ? prefixes
          : 0;
    if (depth > deepest || prefixes > deepest) return t;
  }
  return undefined;
}

const insideText: Readonly<Record<string, string>> = {
  file: "the file",
  item: "a declaration",
  params: "a parameter list",
  type: "a type",
  dim: "a dim",
  body: "a body",
  block: "a block",
  stmt: "a statement",
  dataStmt: "a data block",
  trainStmt: "a train block",
  letStmt: "a `let`",
  stateStmt: "a `state`",
  nextStmt: "a `next`",
  binders: "the list of indices",
  iter: "the list of iterators",
  arg: "an argument",
  index: "an index",
};
const operators = new Set("|> >> or and == != < <= > >= .. + - * / // % @ ^ ?? not".split(" "));
const declarationWords = ["import", "const", "export", "fn", "layer", "model", "init", "optimizer", "data", "train"];
const statementWords = ["let", "param", "state", "next", "yield", "return", "minimize", "metric", "field", "holdout"];
function explainError(file: SourceFile, tokens: readonly IToken[], e: IRecognitionException): Diagnostic {
  const { token } = e;
  const span = tokenSpan(file, token);
  const stack = e.context.ruleStack;
  const rule = [...stack].reverse().find((r) => insideText[r]) ?? "file";
  const inside = insideText[rule] ?? "an expression";
  const expression = !insideText[stack.at(-1) ?? ""] ? "an expression" : inside;
  const expected = expectedOf(e);
  const atEnd = token.tokenType === EOF;
  const i = atEnd ? tokens.length : tokens.findIndex((t) => t.startOffset === token.startOffset);
  const [before, previous, next] = [tokens[i - 2], tokens[i - 1], tokens[i + 1]];
  const open = lastOpen(tokens.slice(0, i));
  const closing = open && ({ "(": ")", "[": "]", "{": "}" }[open.image] ?? "}");
  if (
    previous &&
    operators.has(previous.image) &&
    (atEnd ||
      declarationWords.includes(token.image) ||
      statementWords.includes(token.image) ||
      ")]},".includes(token.image))
  )
    return errors.missingOperand(tokenSpan(file, previous), previous.image);
  if (atEnd)
    return open
      ? errors.unclosedBlock(span, tokenSpan(file, open), closing!)
      : errors.unexpected(span, "the end of the file", expected, expression);
  const at = token.startOffset;
  const following = file.text[at + token.image.length] ?? "";
  if (token.tokenType === sign.Dot && /\d/.test(following))
    return errors.bareDecimalPoint(span, file.text.slice(at).match(/^\.\d+/)?.[0] ?? ".5");
  if (token.tokenType === sign.Dot && previous?.tokenType === Num)
    return errors.bareDecimalPoint(span, `${previous.image}.`);
  if (previous?.tokenType === sign.Dot && before?.tokenType === Num && stack.includes("postfix"))
    return errors.bareDecimalPoint(tokenSpan(file, previous), `${before.image}.`);
  if (token.tokenType === sign.Semicolon) return errors.strayMark(span, ";");
  if (token.tokenType === sign.Assign && expression === "an expression" && previous?.tokenType !== sign.Tilde)
    return errors.assignedInsteadOfCompared(
      span,
      previous?.tokenType === Id && (before?.tokenType === sign.OpenParen || before?.tokenType === sign.Comma)
        ? previous.image
        : undefined,
    );
  const word = token.image.length > 24 ? `${token.image.slice(0, 24)}…` : token.image;
  const found = `\`${word}\``;
  if (
    open &&
    open.image !== "{" &&
    (declarationWords.includes(token.image) ||
      statementWords.includes(token.image) ||
      (")]}".includes(token.image) && token.image !== closing))
  )
    return errors.unclosedBefore(tokenSpan(file, open), closing!, span, found);
  return errors.unexpected(
    span,
    found,
    expected,
    expression,
    hintFor(token, previous, next, expression === "an expression" ? "expression" : rule, open, expected, file),
  );
}
/** The next thing to type, for mistakes that are often made. */
function hintFor(
  token: IToken,
  previous: IToken | undefined,
  next: IToken | undefined,
  rule: string,
  open: IToken | undefined,
  expected: readonly string[],
  file: SourceFile,
): string | undefined {
  const pair = `${previous?.image ?? ""}${token.image}`;
  if (previous?.tokenType === sign.Comma && ")]}".includes(token.image)) return "leave the last comma out";
  if (pair === "**") return "a power is written x^2";
  if (pair === "||" || (token.tokenType === sign.Bar && next?.tokenType === sign.Bar)) return "write `or`";
  if (pair === "<>" || (token.tokenType === sign.Tilde && next?.tokenType === sign.Assign))
    return "unequal is written `!=`";
  if (pair === "===" || pair === "!==") return "write `==` or `!=`";
  if (pair === "+=" || pair === "-=")
    return "values do not change; bind a new name with `let`, or write a state with `next`";
  if (pair === "->=" || pair === "=>") return "a function without a name is written |x| x + 1";
  if (
    token.tokenType === words["then"] ||
    (token.tokenType === sign.OpenBrace && previous?.tokenType === sign.CloseParen)
  )
    return "a choice is written `if c then a else b`";
  const sameLine = previous !== undefined && !file.text.slice(previous.startOffset, token.startOffset).includes("\n");
  const meant = (t: IToken | undefined): string | undefined =>
    t?.tokenType === Id && /(^|[\n{])\s*$/.test(file.text.slice(0, t.startOffset))
      ? nearest(t.image, open ? statementWords : declarationWords)
      : undefined;
  for (const t of sameLine ? [previous, token] : [token])
    if (!open || open.image === "{") if (meant(t)) return `did you mean \`${meant(t)}\` instead of \`${t!.image}\`?`;
  const begins = [Id, Num, Str, Pattern, sign.OpenParen, sign.OpenBracket].includes(token.tokenType);
  if (rule === "params" && previous?.tokenType === Id && begins)
    return `write \`${previous.image}: ${token.image}\` to give a parameter its type, or a comma between parameters`;
  if (expected.length === 1 && expected[0] === "`:`" && begins) return `write \`:\` before \`${token.image}\``;
  if (open && open.image !== "{" && begins && sameLine)
    return `write a comma before \`${token.image}\`, or an operator`;
  if (rule === "body" && previous?.tokenType !== sign.Assign)
    return "a body is written `= expression` or `{ ... return expression }`";
  const before = previous && /\b(holdout|metric|let)\s+$/.exec(file.text.slice(0, previous.startOffset));
  if (before && token.tokenType === sign.Colon) return `write \`${before[1]} ${previous!.image} = ...\``;
  if (
    (rule === "trainStmt" || rule === "dataStmt" || rule === "item") &&
    previous?.tokenType === Id &&
    open?.image === "{" &&
    sameLine
  )
    return `a setting is written \`${previous.image}: value\``;
  if (token.tokenType === Id && open?.image === "{") {
    if (next?.tokenType === Num || next?.tokenType === Str)
      return `a setting is written \`${token.image}: ${next.image}\``;
    if (next?.tokenType === sign.Assign) return `a statement begins with a word: write \`let ${token.image} = ...\``;
    return "a statement begins with a word: let, param, state, next, yield, return; in a train block also minimize, metric or `setting: value`";
  }
  if (!open) {
    if (["def", "function", "func", "define"].includes(token.image)) return "a function is declared with `fn`";
    if (token.image === "class") return "a network is declared with `model` or `layer`";
    if (token.tokenType === Id && next?.tokenType === sign.Assign)
      return `at the top of a file a name is bound with \`const ${token.image} = ...\``;
    if (token.image === "let") return "at the top of a file a name is bound with `const`";
    if (rule === "file" || rule === "item" || token.tokenType === Id)
      return `a declaration begins with ${declarationWords.slice(0, -1).join(", ")} or train`;
  }
  return undefined;
}
function lastOpen(tokens: readonly IToken[]): IToken | undefined {
  const open: IToken[] = [];
  for (const t of tokens) {
    if ("([{".includes(t.image)) open.push(t);
    else if (")]}".includes(t.image)) open.pop();
  }
  return open.at(-1);
}
function expectedOf(e: IRecognitionException): string[] {
  // Chevrotain says what it wanted only in its message; token names are ours, labels are what people read
  const names = [...e.message.matchAll(/\[([A-Za-z_, ]+)\]|-->\s*(\S+)\s*<--/g)].flatMap((m) =>
    (m[1] ?? m[2] ?? "").split(/,\s*/).slice(0, 1),
  );
  const byLabel = [...e.message.matchAll(/--> (.+?) <--/g)].map((m) => m[1]!).filter((x) => !x.startsWith("EOF"));
  const labels = new Set(
    [...byLabel, ...names]
      .map((n) => allTokens.find((t) => t.name === n)?.LABEL ?? n)
      .map((n) => (n === "Id" ? "a name" : n)),
  );
  const known = [...labels].filter((n) => n === "a name" || allTokens.some((t) => t.LABEL === n));
  return known.length > 8 ? [] : known;
}

type Placed = { readonly span: Span } | undefined;

class DlmParser extends EmbeddedActionsParser {
  private source: SourceFile = { name: "", text: "" };
  private comments: readonly Comment[] = [];
  own: Diagnostic[] = [];

  constructor() {
    super(allTokens, { maxLookahead: 2, recoveryEnabled: true, skipValidations: true });
    this.performSelfAnalysis();
  }
  begin(source: SourceFile, comments: readonly Comment[]): void {
    this.source = source;
    this.comments = comments;
    this.own = [];
  }

  // ---- places; robust against what recovery and grammar recording leave undefined
  private from(start: number): Span {
    const last = this.LA(0);
    const end =
      last && !Number.isNaN(last.startOffset) && last.startOffset !== undefined
        ? last.startOffset + (last.image?.length ?? 0)
        : start;
    return { file: this.source, start, end: Math.max(start, end) };
  }
  private here(): number {
    const next = this.LA(1);
    return next && next.tokenType !== EOF && !Number.isNaN(next.startOffset)
      ? next.startOffset
      : this.source.text.length;
  }
  private startOf(x: Placed): number {
    return x?.span?.start ?? this.here();
  }
  private nameOf(t: IToken): ast.Name {
    const start = Number.isNaN(t.startOffset) || t.startOffset === undefined ? this.here() : t.startOffset;
    return { text: t.image ?? "", span: { file: this.source, start, end: start + (t.image?.length ?? 0) } };
  }
  private clean<T>(xs: readonly (T | undefined)[]): T[] {
    return xs.filter(
      (x): x is T => x !== undefined && x !== null && typeof x === "object" && !("isInsertedInRecovery" in x),
    );
  }
  private missing(start: number): ast.Expr {
    return { kind: "name", text: "", span: { file: this.source, start, end: start } };
  }
  private value(x: ast.Expr | undefined): ast.Expr {
    return x && typeof x === "object" && "kind" in x ? x : this.missing(this.here());
  }
  private docBefore(start: number): string | undefined {
    const lines: string[] = [];
    let end = start;
    for (let i = this.comments.length - 1; i >= 0; i--) {
      const c = this.comments[i]!;
      if (c.end > end) continue;
      const ownLine = /^[ \t]*$/.test(
        this.source.text.slice(this.source.text.lastIndexOf("\n", c.start - 1) + 1, c.start),
      );
      if (
        !ownLine ||
        !c.text.startsWith("##") ||
        !/^\s*$/.test(this.source.text.slice(c.end, end)) ||
        /\n\s*\n/.test(this.source.text.slice(c.end, end))
      )
        break;
      lines.unshift(c.text.slice(2).trim());
      end = c.start;
    }
    return lines.length ? lines.join("\n") : undefined;
  }

  file = this.RULE("file", (): ast.File => {
    const items: (ast.Item | undefined)[] = [];
    this.MANY(() => items.push(this.SUBRULE(this.item)));
    return { kind: "file", source: this.source, items: this.clean(items) };
  });

  private item = this.RULE("item", (): ast.Item => {
    const start = this.here();
    const finish = (): { span: Span; doc?: string } =>
      this.ACTION(() => {
        const doc = this.docBefore(start);
        return { span: this.from(start), ...(doc ? { doc } : {}) };
      }) ?? { span: this.from(start) };
    return this.OR([
      {
        ALT: (): ast.Item => {
          this.CONSUME(words["import"]!);
          const path = this.CONSUME(Str);
          return { kind: "import", path: (path.image ?? "").slice(1, -1), ...finish() };
        },
      },
      {
        ALT: (): ast.Item => {
          this.CONSUME(words["const"]!);
          const name = this.nameOf(this.CONSUME(Id));
          this.CONSUME(sign.Assign);
          const value = this.value(this.SUBRULE(this.expr));
          return { kind: "const", name, value, ...finish() };
        },
      },
      {
        ALT: (): ast.Item => {
          let exported = false;
          this.OPTION(() => {
            this.CONSUME(words["export"]!);
            exported = true;
          });
          this.CONSUME(words["fn"]!);
          const name = this.nameOf(this.CONSUME1(Id));
          const params = this.SUBRULE(this.params);
          const result = this.SUBRULE(this.ret);
          const body = this.SUBRULE(this.body);
          return {
            kind: "fn",
            exported,
            name,
            params: params ?? [],
            ...(result?.type ? { result: result.type } : {}),
            body: body!,
            ...finish(),
          };
        },
      },
      {
        ALT: (): ast.Item => {
          this.CONSUME(words["layer"]!);
          const name = this.nameOf(this.CONSUME2(Id));
          const hyper = this.SUBRULE1(this.params);
          const params = this.SUBRULE2(this.params);
          const result = this.SUBRULE1(this.ret);
          const body = this.SUBRULE1(this.body);
          return {
            kind: "layer",
            name,
            hyper: hyper ?? [],
            params: params ?? [],
            ...(result?.type ? { result: result.type } : {}),
            body: body!,
            ...finish(),
          };
        },
      },
      {
        ALT: (): ast.Item => {
          this.CONSUME(words["model"]!);
          const name = this.nameOf(this.CONSUME3(Id));
          const params = this.SUBRULE3(this.params);
          const result = this.SUBRULE3(this.ret);
          const body = this.SUBRULE3(this.body);
          return {
            kind: "model",
            name,
            params: params ?? [],
            ...(result?.type ? { result: result.type } : {}),
            body: body!,
            ...finish(),
          };
        },
      },
      {
        ALT: (): ast.Item => {
          this.CONSUME(words["init"]!);
          const name = this.nameOf(this.CONSUME4(Id));
          const params = this.SUBRULE4(this.params);
          const body = this.SUBRULE4(this.body);
          return { kind: "init", name, params: params ?? [], body: body!, ...finish() };
        },
      },
      {
        ALT: (): ast.Item => {
          this.CONSUME(words["optimizer"]!);
          const name = this.nameOf(this.CONSUME5(Id));
          const hyper = this.SUBRULE5(this.params);
          const params = this.SUBRULE6(this.params);
          const result = this.SUBRULE5(this.ret);
          const body = this.SUBRULE5(this.body);
          return {
            kind: "optimizer",
            name,
            hyper: hyper ?? [],
            params: params ?? [],
            ...(result?.type ? { result: result.type } : {}),
            body: body!,
            ...finish(),
          };
        },
      },
      {
        ALT: (): ast.Item => {
          this.CONSUME(words["data"]!);
          const name = this.nameOf(this.CONSUME6(Id));
          const statements: (ast.DataStatement | undefined)[] = [];
          this.CONSUME(sign.OpenBrace);
          this.MANY(() => statements.push(this.SUBRULE(this.dataStmt)));
          this.CONSUME(sign.CloseBrace);
          return { kind: "data", name, statements: this.clean(statements), ...finish() };
        },
      },
      {
        ALT: (): ast.Item => {
          this.CONSUME(words["train"]!);
          const name = this.nameOf(this.CONSUME7(Id));
          let on: ast.Expr | undefined;
          this.OPTION1(() => {
            this.CONSUME(words["on"]!);
            on = this.value(this.SUBRULE2(this.expr));
          });
          const statements: (ast.TrainStatement | undefined)[] = [];
          this.CONSUME1(sign.OpenBrace);
          this.MANY1(() => statements.push(this.SUBRULE(this.trainStmt)));
          this.CONSUME1(sign.CloseBrace);
          return { kind: "train", name, ...(on ? { on } : {}), statements: this.clean(statements), ...finish() };
        },
      },
    ]);
  });

  private params = this.RULE("params", (): ast.Param[] => {
    const params: ast.Param[] = [];
    this.CONSUME(sign.OpenParen);
    this.MANY_SEP({
      SEP: sign.Comma,
      DEF: () => {
        const name = this.nameOf(this.CONSUME(Id));
        let type: ast.Type | undefined;
        let initial: ast.Expr | undefined;
        this.OPTION(() => {
          this.CONSUME(sign.Colon);
          type = this.SUBRULE(this.type);
        });
        this.OPTION1(() => {
          this.CONSUME(sign.Assign);
          initial = this.value(this.SUBRULE(this.expr));
        });
        params.push({
          name,
          ...(type ? { type } : {}),
          ...(initial ? { default: initial } : {}),
          span: this.from(name.span.start),
        });
      },
    });
    this.CONSUME(sign.CloseParen);
    return params;
  });
  private ret = this.RULE("ret", (): { type?: ast.Type } => {
    let type: ast.Type | undefined;
    this.OPTION(() => {
      this.CONSUME(sign.Arrow);
      type = this.SUBRULE(this.type);
    });
    return type ? { type } : {};
  });
  private type = this.RULE("type", (): ast.Type => {
    const start = this.here();
    return this.OR([
      {
        ALT: (): ast.Type => {
          const element = this.OR1([
            { ALT: () => this.nameOf(this.CONSUME(Id)) },
            { ALT: () => this.nameOf(this.CONSUME(words["fn"]!)) },
          ]);
          let dims: (ast.DimExpr | undefined)[] | undefined;
          let range: ast.Expr | undefined;
          this.OPTION(() => {
            dims = [];
            this.CONSUME(sign.OpenBracket);
            this.MANY_SEP({ SEP: sign.Comma, DEF: () => dims!.push(this.SUBRULE(this.dim)) });
            this.CONSUME(sign.CloseBracket);
          });
          this.OPTION1(() => {
            this.CONSUME(words["in"]!);
            range = this.value(this.SUBRULE(this.range));
          });
          return {
            kind: "tensor_type",
            element,
            ...(dims ? { dims: this.clean(dims) } : {}),
            ...(range ? { range } : {}),
            span: this.from(start),
          };
        },
      },
      {
        ALT: (): ast.Type => {
          const elements: (ast.Type | undefined)[] = [];
          this.CONSUME(sign.OpenParen);
          this.AT_LEAST_ONE_SEP({ SEP: sign.Comma, DEF: () => elements.push(this.SUBRULE(this.type)) });
          this.CONSUME(sign.CloseParen);
          return { kind: "tuple_type", elements: this.clean(elements), span: this.from(start) };
        },
      },
    ]);
  });
  private dim = this.RULE("dim", (): ast.DimExpr => {
    const start = this.here();
    return this.OR([
      {
        ALT: (): ast.DimExpr => {
          this.CONSUME(sign.Rest);
          return { kind: "spread", name: this.nameOf(this.CONSUME(Id)), span: this.from(start) };
        },
      },
      { ALT: (): ast.DimExpr => ({ kind: "dim", value: this.value(this.SUBRULE(this.cmp)), span: this.from(start) }) },
    ]);
  });

  private body = this.RULE("body", (): ast.Body =>
    this.OR([
      {
        ALT: (): ast.Body => {
          this.CONSUME(sign.Assign);
          return { kind: "expression", value: this.value(this.SUBRULE(this.expr)) };
        },
      },
      { ALT: (): ast.Body => this.SUBRULE(this.block) },
    ]),
  );
  private block = this.RULE("block", (): ast.Block => {
    const start = this.here();
    const statements: (ast.Statement | undefined)[] = [];
    this.CONSUME(sign.OpenBrace);
    this.MANY(() => statements.push(this.SUBRULE(this.stmt)));
    this.CONSUME(sign.CloseBrace);
    return { kind: "block", statements: this.clean(statements), span: this.from(start) };
  });
  private stmt = this.RULE("stmt", (): ast.Statement => {
    const start = this.here();
    return this.OR([
      {
        ALT: (): ast.Statement => {
          this.CONSUME(words["param"]!);
          const name = this.nameOf(this.CONSUME(Id));
          this.CONSUME(sign.Colon);
          const type = this.SUBRULE(this.type);
          this.CONSUME(sign.Tilde);
          const initial = this.value(this.SUBRULE(this.expr));
          return { kind: "param", name, type, initial, span: this.from(start) };
        },
      },
      { ALT: (): ast.Statement => this.SUBRULE(this.letStmt) },
      { ALT: (): ast.Statement => this.SUBRULE(this.stateStmt) },
      { ALT: (): ast.Statement => this.SUBRULE(this.nextStmt) },
      {
        ALT: (): ast.Statement => {
          this.CONSUME(words["yield"]!);
          return { kind: "yield", value: this.value(this.SUBRULE1(this.expr)), span: this.from(start) };
        },
      },
      {
        ALT: (): ast.Statement => {
          this.CONSUME(words["return"]!);
          return { kind: "return", value: this.value(this.SUBRULE2(this.expr)), span: this.from(start) };
        },
      },
    ]);
  });
  private letStmt = this.RULE("letStmt", (): ast.Let => {
    const start = this.here();
    const names: ast.Name[] = [];
    let tuple = false;
    let type: ast.Type | undefined;
    this.CONSUME(words["let"]!);
    this.OR([
      { ALT: () => names.push(this.nameOf(this.CONSUME(Id))) },
      {
        ALT: () => {
          tuple = true;
          this.CONSUME(sign.OpenParen);
          this.AT_LEAST_ONE_SEP({ SEP: sign.Comma, DEF: () => names.push(this.nameOf(this.CONSUME1(Id))) });
          this.CONSUME(sign.CloseParen);
        },
      },
    ]);
    this.OPTION(() => {
      this.CONSUME(sign.Colon);
      type = this.SUBRULE(this.type);
    });
    this.CONSUME(sign.Assign);
    const value = this.value(this.SUBRULE(this.expr));
    return { kind: "let", names, tuple, ...(type ? { type } : {}), value, span: this.from(start) };
  });
  private stateStmt = this.RULE("stateStmt", (): ast.State => {
    const start = this.here();
    let type: ast.Type | undefined;
    this.CONSUME(words["state"]!);
    const name = this.nameOf(this.CONSUME(Id));
    this.OPTION(() => {
      this.CONSUME(sign.Colon);
      type = this.SUBRULE(this.type);
    });
    this.CONSUME(sign.Assign);
    const value = this.value(this.SUBRULE(this.expr));
    return { kind: "state", name, ...(type ? { type } : {}), value, span: this.from(start) };
  });
  private nextStmt = this.RULE("nextStmt", (): ast.Next => {
    const start = this.here();
    const assignments: { name: ast.Name; value: ast.Expr }[] = [];
    this.CONSUME(words["next"]!);
    this.AT_LEAST_ONE_SEP({
      SEP: sign.Comma,
      DEF: () => {
        const name = this.nameOf(this.CONSUME(Id));
        this.CONSUME(sign.Assign);
        assignments.push({ name, value: this.value(this.SUBRULE(this.expr)) });
      },
    });
    return { kind: "next", assignments, span: this.from(start) };
  });
  private dataStmt = this.RULE("dataStmt", (): ast.DataStatement => {
    const start = this.here();
    return this.OR([
      {
        ALT: (): ast.DataStatement => {
          this.CONSUME(words["field"]!);
          const name = this.nameOf(this.CONSUME(Id));
          this.CONSUME(sign.Colon);
          const type = this.SUBRULE(this.type);
          this.CONSUME(sign.Assign);
          return { kind: "field", name, type, value: this.value(this.SUBRULE(this.expr)), span: this.from(start) };
        },
      },
      {
        ALT: (): ast.DataStatement => {
          this.CONSUME(words["holdout"]!);
          const name = this.nameOf(this.CONSUME1(Id));
          this.CONSUME1(sign.Assign);
          return { kind: "holdout", name, value: this.value(this.SUBRULE1(this.expr)), span: this.from(start) };
        },
      },
      { ALT: (): ast.DataStatement => this.SUBRULE(this.letStmt) },
      {
        ALT: (): ast.DataStatement => {
          const name = this.nameOf(this.CONSUME2(Id));
          this.CONSUME2(sign.Colon);
          return { kind: "setting", name, value: this.value(this.SUBRULE2(this.expr)), span: this.from(start) };
        },
      },
    ]);
  });
  private trainStmt = this.RULE("trainStmt", (): ast.TrainStatement => {
    const start = this.here();
    return this.OR([
      { ALT: (): ast.TrainStatement => this.SUBRULE(this.letStmt) },
      { ALT: (): ast.TrainStatement => this.SUBRULE(this.stateStmt) },
      { ALT: (): ast.TrainStatement => this.SUBRULE(this.nextStmt) },
      {
        ALT: (): ast.TrainStatement => {
          const clauses: ast.Minimize["clauses"][number][] = [];
          this.CONSUME(words["minimize"]!);
          const value = this.value(this.SUBRULE(this.expr));
          this.AT_LEAST_ONE(() => {
            const at = this.here();
            let wrt: ast.Expr | undefined;
            let every: ast.Expr | undefined;
            this.OPTION(() => {
              this.CONSUME(words["wrt"]!);
              wrt = this.value(this.SUBRULE1(this.expr));
            });
            this.CONSUME(words["by"]!);
            const by = this.value(this.SUBRULE2(this.expr));
            this.OPTION1(() => {
              this.CONSUME(words["every"]!);
              every = this.value(this.SUBRULE3(this.expr));
            });
            clauses.push({ ...(wrt ? { wrt } : {}), by, ...(every ? { every } : {}), span: this.from(at) });
          });
          return { kind: "minimize", value, clauses, span: this.from(start) };
        },
      },
      {
        ALT: (): ast.TrainStatement => {
          this.CONSUME(words["metric"]!);
          const name = this.nameOf(this.CONSUME(Id));
          this.CONSUME(sign.Assign);
          return { kind: "metric", name, value: this.value(this.SUBRULE4(this.expr)), span: this.from(start) };
        },
      },
      {
        ALT: (): ast.TrainStatement => {
          const name = this.nameOf(this.CONSUME1(Id));
          this.CONSUME1(sign.Colon);
          return { kind: "setting", name, value: this.value(this.SUBRULE5(this.expr)), span: this.from(start) };
        },
      },
    ]);
  });

  // ---- expressions, loosest first
  private binary(left: ast.Expr, operator: IToken, right: ast.Expr | undefined): ast.Expr {
    const own = this.value(right);
    const span = {
      file: this.source,
      start: this.startOf(left),
      end: Math.max(own.span?.end ?? 0, left.span?.end ?? 0),
    };
    return {
      kind: "binary",
      operator: operator.image as ast.BinaryOperator,
      operatorSpan: this.nameOf(operator).span,
      left,
      right: own,
      span,
    };
  }
  private chain(name: string, next: () => ast.Expr, again: () => ast.Expr, operators: readonly TokenType[]): ast.Expr {
    let left = this.value(next());
    this.MANY(() => {
      const operator = this.OR(operators.map((t) => ({ ALT: () => this.CONSUME(t) })));
      left = this.binary(left, operator, again());
    });
    return left;
  }
  expr = this.RULE("expr", (): ast.Expr =>
    this.chain(
      "expr",
      () => this.SUBRULE(this.orExpr),
      () => this.SUBRULE1(this.orExpr),
      [sign.Pipe, sign.Compose],
    ),
  );
  private orExpr = this.RULE("orExpr", (): ast.Expr =>
    this.chain(
      "orExpr",
      () => this.SUBRULE(this.andExpr),
      () => this.SUBRULE1(this.andExpr),
      [words["or"]!],
    ),
  );
  private andExpr = this.RULE("andExpr", (): ast.Expr =>
    this.chain(
      "andExpr",
      () => this.SUBRULE(this.cmp),
      () => this.SUBRULE1(this.cmp),
      [words["and"]!],
    ),
  );
  private cmp = this.RULE("cmp", (): ast.Expr => {
    let left = this.value(this.SUBRULE(this.range));
    this.OPTION(() => {
      const operator = this.OR(
        [sign.Equal, sign.NotEqual, sign.Less, sign.LessEqual, sign.Greater, sign.GreaterEqual].map((t) => ({
          ALT: () => this.CONSUME(t),
        })),
      );
      left = this.binary(left, operator, this.SUBRULE1(this.range));
    });
    return left;
  });
  private range = this.RULE("range", (): ast.Expr => {
    let left = this.value(this.SUBRULE(this.add));
    this.OPTION(() => {
      const operator = this.CONSUME(sign.Range);
      left = this.binary(left, operator, this.SUBRULE1(this.add));
    });
    return left;
  });
  private add = this.RULE("add", (): ast.Expr =>
    this.chain(
      "add",
      () => this.SUBRULE(this.mul),
      () => this.SUBRULE1(this.mul),
      [sign.Plus, sign.Minus],
    ),
  );
  private mul = this.RULE("mul", (): ast.Expr =>
    this.chain(
      "mul",
      () => this.SUBRULE(this.unary),
      () => this.SUBRULE1(this.unary),
      [sign.Times, sign.Divide, sign.FloorDivide, sign.Percent, sign.At],
    ),
  );
  private unary = this.RULE("unary", (): ast.Expr => {
    const start = this.here();
    return this.OR([
      {
        ALT: (): ast.Expr => {
          const operator = this.OR1([
            { ALT: () => this.CONSUME(sign.Minus) },
            { ALT: () => this.CONSUME(words["not"]!) },
          ]);
          return {
            kind: "unary",
            operator: operator.image as "-" | "not",
            operand: this.value(this.SUBRULE(this.unary)),
            span: this.from(start),
          };
        },
      },
      { ALT: (): ast.Expr => this.SUBRULE(this.power) },
    ]);
  });
  private power = this.RULE("power", (): ast.Expr => {
    let left = this.value(this.SUBRULE(this.postfix));
    this.OPTION(() => {
      const operator = this.CONSUME(sign.Caret);
      left = this.binary(left, operator, this.SUBRULE(this.unary));
    });
    return left;
  });
  private postfix = this.RULE("postfix", (): ast.Expr => {
    let left = this.value(this.SUBRULE(this.atom));
    const start = this.startOf(left);
    this.MANY(() => {
      this.OR([
        {
          ALT: () => {
            const args: (ast.Arg | undefined)[] = [];
            this.CONSUME(sign.OpenParen);
            this.MANY_SEP({ SEP: sign.Comma, DEF: () => args.push(this.SUBRULE(this.arg)) });
            this.CONSUME(sign.CloseParen);
            left = { kind: "call", callee: left, args: this.clean(args), span: this.from(start) };
          },
        },
        {
          ALT: () => {
            const indices: (ast.IndexExpr | undefined)[] = [];
            let outside: ast.Expr | undefined;
            this.CONSUME(sign.OpenBracket);
            this.MANY_SEP1({ SEP: sign.Comma, DEF: () => indices.push(this.SUBRULE(this.indexRule)) });
            this.CONSUME(sign.CloseBracket);
            this.OPTION(() => {
              this.CONSUME(sign.Outside);
              outside = this.value(this.SUBRULE(this.unary));
            });
            left = {
              kind: "index",
              operand: left,
              indices: this.clean(indices),
              ...(outside ? { outside } : {}),
              span: this.from(start),
            };
          },
        },
        {
          ALT: () => {
            const dot = this.CONSUME(sign.Dot);
            if (left.kind === "number") {
              const number = left.text;
              this.ACTION(() => this.own.push(errors.bareDecimalPoint(this.nameOf(dot).span, `${number}.`)));
            }
            left = { kind: "member", operand: left, name: this.nameOf(this.CONSUME(Id)), span: this.from(start) };
          },
        },
      ]);
    });
    return left;
  });
  private arg = this.RULE("arg", (): ast.Arg => {
    const start = this.here();
    let name: ast.Name | undefined;
    this.OPTION(() => {
      name = this.OR([
        { ALT: () => this.nameOf(this.CONSUME(Id)) },
        { ALT: () => this.nameOf(this.CONSUME(words["wrt"]!)) },
      ]);
      this.CONSUME(sign.Colon);
    });
    return { ...(name ? { name } : {}), value: this.value(this.SUBRULE(this.expr)), span: this.from(start) };
  });
  private indexRule = this.RULE("index", (): ast.IndexExpr => {
    const start = this.here();
    return this.OR([
      {
        ALT: (): ast.IndexExpr => {
          this.CONSUME(sign.Colon);
          return { kind: "all", span: this.from(start) };
        },
      },
      {
        ALT: (): ast.IndexExpr => {
          let name: ast.Name | undefined;
          this.CONSUME(sign.Rest);
          this.OPTION(() => {
            name = this.nameOf(this.CONSUME(Id));
          });
          return { kind: "rest", ...(name ? { name } : {}), span: this.from(start) };
        },
      },
      {
        ALT: (): ast.IndexExpr => ({ kind: "at", value: this.value(this.SUBRULE(this.expr)), span: this.from(start) }),
      },
    ]);
  });
  private binders = this.RULE("binders", (): ast.Binder[] => {
    const binders: ast.Binder[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: sign.Comma,
      DEF: () => {
        const start = this.here();
        this.OR([
          {
            ALT: () => {
              this.CONSUME(sign.Rest);
              binders.push({ kind: "rest", span: this.from(start) });
            },
          },
          {
            ALT: () => {
              const name = this.nameOf(this.CONSUME(Id));
              let range: ast.Expr | undefined;
              this.OPTION(() => {
                this.CONSUME(words["in"]!);
                range = this.value(this.SUBRULE(this.range));
              });
              binders.push({ kind: "index", name, ...(range ? { range } : {}), span: this.from(start) });
            },
          },
        ]);
      },
    });
    return binders;
  });
  private iter = this.RULE("iter", (): ast.Loop["iterators"][number] => {
    const start = this.here();
    let along: ast.Expr | undefined;
    const name = this.nameOf(this.CONSUME(Id));
    this.CONSUME(words["in"]!);
    const over = this.value(this.SUBRULE(this.expr));
    this.OPTION(() => {
      this.CONSUME(words["along"]!);
      along = this.value(this.SUBRULE1(this.add));
    });
    return { name, in: over, ...(along ? { along } : {}), span: this.from(start) };
  });
  private atom = this.RULE("atom", (): ast.Expr => {
    const start = this.here();
    return this.OR([
      {
        ALT: (): ast.Expr => {
          const t = this.CONSUME(Num);
          return { kind: "number", value: Number(t.image), text: t.image ?? "0", span: this.from(start) };
        },
      },
      {
        ALT: (): ast.Expr => {
          const t = this.CONSUME(Str);
          return { kind: "string", value: (t.image ?? "").slice(1, -1), span: this.from(start) };
        },
      },
      {
        ALT: (): ast.Expr => {
          const t = this.CONSUME(Pattern);
          const text = (t.image ?? "").slice(1, -1);
          const read = this.ACTION(() => parsePattern(text)) ?? { pattern: { inputs: [], output: [] } };
          if ("problem" in read) {
            const at = start + 1 + read.offset;
            this.ACTION(() =>
              this.own.push(errors.badPattern({ file: this.source, start: at, end: at + 1 }, read.problem)),
            );
          }
          return {
            kind: "pattern",
            pattern: "pattern" in read ? read.pattern : { inputs: [], output: [] },
            text,
            span: this.from(start),
          };
        },
      },
      {
        ALT: (): ast.Expr => {
          this.CONSUME(words["true"]!);
          return { kind: "boolean", value: true, span: this.from(start) };
        },
      },
      {
        ALT: (): ast.Expr => {
          this.CONSUME(words["false"]!);
          return { kind: "boolean", value: false, span: this.from(start) };
        },
      },
      {
        ALT: (): ast.Expr => {
          const name = this.nameOf(this.CONSUME1(Id));
          let result: ast.Expr = { kind: "name", text: name.text, span: name.span };
          this.OPTION(() => {
            this.CONSUME(words["over"]!);
            const binders = this.SUBRULE(this.binders);
            this.CONSUME(sign.Colon);
            const body = this.value(this.SUBRULE(this.expr));
            result = { kind: "reduce", reducer: name, binders: binders ?? [], body, span: this.from(start) };
          });
          return result;
        },
      },
      {
        ALT: (): ast.Expr => {
          const elements: ast.Expr[] = [];
          this.CONSUME(sign.OpenParen);
          this.AT_LEAST_ONE_SEP({ SEP: sign.Comma, DEF: () => elements.push(this.value(this.SUBRULE1(this.expr))) });
          this.CONSUME(sign.CloseParen);
          const span = this.from(start);
          return elements.length === 1
            ? { kind: "paren", value: elements[0]!, span }
            : { kind: "tuple", elements, span };
        },
      },
      {
        ALT: (): ast.Expr => {
          const elements: ast.Expr[] = [];
          this.CONSUME(sign.OpenBracket);
          this.MANY_SEP({ SEP: sign.Comma, DEF: () => elements.push(this.value(this.SUBRULE2(this.expr))) });
          this.CONSUME(sign.CloseBracket);
          return { kind: "list", elements, span: this.from(start) };
        },
      },
      {
        ALT: (): ast.Expr => {
          this.CONSUME(words["for"]!);
          const binders = this.SUBRULE1(this.binders);
          this.CONSUME1(sign.Colon);
          const body = this.value(this.SUBRULE3(this.expr));
          return { kind: "for", binders: binders ?? [], body, span: this.from(start) };
        },
      },
      {
        ALT: (): ast.Expr => {
          const params: ast.Name[] = [];
          this.CONSUME(sign.Bar);
          this.AT_LEAST_ONE_SEP1({ SEP: sign.Comma, DEF: () => params.push(this.nameOf(this.CONSUME2(Id))) });
          this.CONSUME1(sign.Bar);
          const body = this.value(this.SUBRULE4(this.expr));
          return { kind: "lambda", params, body, span: this.from(start) };
        },
      },
      {
        ALT: (): ast.Expr => {
          this.CONSUME(words["if"]!);
          const condition = this.value(this.SUBRULE5(this.expr));
          this.CONSUME(words["then"]!);
          const then = this.value(this.SUBRULE6(this.expr));
          this.CONSUME(words["else"]!);
          const otherwise = this.value(this.SUBRULE7(this.expr));
          return { kind: "if", condition, then, else: otherwise, span: this.from(start) };
        },
      },
      {
        ALT: (): ast.Expr => {
          let index: ast.Name | undefined;
          this.CONSUME(words["stack"]!);
          this.OPTION1(() => {
            index = this.nameOf(this.CONSUME3(Id));
            this.CONSUME(words["in"]!);
          });
          const count = this.value(this.SUBRULE(this.range));
          this.CONSUME(words["of"]!);
          const of = this.value(this.SUBRULE(this.postfix));
          return { kind: "stack", ...(index ? { index } : {}), count, of, span: this.from(start) };
        },
      },
      {
        ALT: (): ast.Expr => {
          const iterators: (ast.Loop["iterators"][number] | undefined)[] = [];
          const carries: { name: ast.Name; value: ast.Expr }[] = [];
          const word = this.OR1([
            { ALT: () => this.CONSUME(words["scan"]!) },
            { ALT: () => this.CONSUME(words["fold"]!) },
          ]);
          this.CONSUME1(sign.OpenParen);
          this.AT_LEAST_ONE_SEP2({ SEP: sign.Comma, DEF: () => iterators.push(this.SUBRULE(this.iter)) });
          this.OPTION2(() => {
            this.CONSUME(sign.Semicolon);
            this.AT_LEAST_ONE_SEP3({
              SEP: sign.Comma,
              DEF: () => {
                const name = this.nameOf(this.CONSUME4(Id));
                this.CONSUME(sign.Assign);
                carries.push({ name, value: this.value(this.SUBRULE8(this.expr)) });
              },
            });
          });
          this.CONSUME1(sign.CloseParen);
          const body = this.SUBRULE(this.block);
          return {
            kind: word.image === "fold" ? "fold" : "scan",
            iterators: this.clean(iterators),
            carries,
            body,
            span: this.from(start),
          };
        },
      },
    ]);
  });
}
