// The parser. In: text. Out: AST, diagnostics and comments. It never throws and always gives an AST of what could be understood: a mistake stays in its
// declaration, and of that everything is kept that was read (`incomplete`, `missing`).
import * as ast from "./ast.ts";
import type { Diagnostic, SourceFile, Span } from "./diagnostic.ts";
import * as errors from "./errors.ts";
import { declarationWords, tokenSpan } from "./mistakes.ts";
import { Grammar } from "./grammar.ts";
import { deepest, firstOnLine } from "./reader.ts";
import {
  endOf,
  kindOf,
  reserved,
  tokenize,
  types,
  type Comment,
  type Fault,
  type Lexed,
  type Token,
} from "./tokens.ts";

export type { Comment } from "./tokens.ts";
export interface Parsed {
  readonly file: ast.File;
  readonly diagnostics: readonly Diagnostic[];
  readonly comments: readonly Comment[];
  readonly lexed: Lexed;
}
const longest = 1000; // operators, calls, members and brackets in a row

let parser: Parser | undefined;
/** `part`: of the source what is read, at its place. */
export function parse(given: SourceFile, part = given.text): Parsed {
  const text = withLineFeeds(part);
  const source = text === part ? given : { ...given, text: withLineFeeds(given.text) };
  const lexed = tokenize(text);
  const { comments, faults } = lexed;
  const { tokens, diagnostics: reservedNames } = reservedAsNames(source, lexed.tokens);
  parser ??= new Parser();
  const items = parser.file(source, tokens, comments, faults);
  const found = [...faults.map((f) => faultOf(source, f)), ...reservedNames, ...parser.diagnostics];
  // what follows an error on its line mostly follows from it: one message a line, the first (of characters before that of words)
  const lines = new Set<number>();
  const diagnostics = found.filter((d) => {
    const before = source.text.lastIndexOf("\n", d.span.start - 1);
    return lines.has(before) ? false : lines.add(before);
  });
  return {
    file: { kind: "file", source, items, ...(diagnostics.length ? { incomplete: true } : {}) },
    diagnostics: diagnostics.sort((a, b) => a.span.start - b.span.start),
    comments,
    lexed,
  };
}
/** A CR alone ends a line too. It becomes a LF, which is as long, so that every place stays. */
const withLineFeeds = (text: string): string => text.replace(/\r(?!\n)/g, "\n");
function faultOf(file: SourceFile, { kind, start, end }: Fault): Diagnostic {
  if (kind === "string") return errors.unclosed({ file, start, end }, "string", '"');
  if (kind === "pattern") return errors.unclosed({ file, start, end }, "axis pattern", "`");
  return errors.unexpectedCharacter(
    { file, start, end: start + 1 },
    String.fromCodePoint(file.text.codePointAt(start)!),
  );
}

// ---------------------------------------------------------------- before reading: words that are names, and where declarations begin

const nameMakers = "let param state next const fn layer model init optimizer data train field holdout metric".split(
  " ",
);
const beginAtoms = "true false not if for stack scan fold wrt".split(" ");
const endValues = ["name", "number", ")", "]", "}"];
/** Reserved words where a new name is made, and where that name is used, become names: the rest of the text can then be read. */
function reservedAsNames(
  source: SourceFile,
  written: readonly Token[],
): { tokens: Token[]; diagnostics: Diagnostic[] } {
  const found: { readonly span: Span; readonly word: string; readonly uses: readonly Span[] }[] = [];
  const name = types.get("name")!;
  const taken = new Map<string, Span[]>(); // the words, with the places that mean them
  const tokens = [...written];
  for (let i = 1; i < tokens.length; i++) {
    const t = tokens[i]!;
    if (!reserved.has(kindOf(t))) continue;
    const [before, after] = [kindOf(tokens[i - 1]!), tokens[i + 1]?.tokenType.name ?? "EOF"];
    const asName: Token = { ...t, tokenType: name, tokenTypeIdx: name.tokenTypeIdx! };
    // `train.loss`: measured on the rows that are trained on
    if (kindOf(t) === "train" && after === ".") {
      tokens[i] = asName;
      continue;
    }
    const made = nameMakers.includes(before) && ["=", ":", "(", "{", "on"].includes(after);
    const parameter = (before === "(" || before === ",") && after === ":" && !beginAtoms.includes(kindOf(t));
    const used = taken.has(t.image) && after !== "name" && !endValues.includes(before);
    if (!made && !parameter && !used) continue;
    const uses = taken.get(t.image) ?? [];
    if (used) uses.push(tokenSpan(source, t));
    else found.push({ span: tokenSpan(source, t), word: t.image, uses });
    taken.set(t.image, uses);
    tokens[i] = asName;
  }
  return { tokens, diagnostics: found.map(({ span, word, uses }) => errors.reservedName(span, word, uses)) };
}
/** Does a declaration begin here? Its words stand nowhere else, but `fn` is a type too. */
function beginsDeclaration(text: string, tokens: readonly Token[], i: number): boolean {
  const kind = kindOf(tokens[i]!);
  if (kind !== "fn") return declarationWords.includes(kind);
  const [before, named] = [tokens[i - 1]?.tokenType.name, tokens[i + 1]?.tokenType.name === "name"];
  if (before === "export") return false;
  if (before === ":" || before === "->") return named && firstOnLine(text, tokens, i);
  return before === "," || before === "(" ? named : true;
}

// ---------------------------------------------------------------- after reading: trees that are too deep to walk

/** The place of an expression whose tree is deeper than those who walk it can follow. */
function tooLong(item: ast.Item): Span | undefined {
  let level: ast.Part[] = [item];
  for (let depth = 0; depth <= longest && level.length; depth++) level = level.flatMap(ast.partsOf);
  return level[0]?.span;
}
/** The declaration without anything that may be deep. */
function headOf(item: ast.Item): ast.Item {
  const nothing: ast.Expr = { kind: "missing", span: { ...item.span, start: item.span.end } };
  switch (item.kind) {
    case "import":
      return item;
    case "const":
      return { ...item, value: nothing };
    case "data":
      return { ...item, statements: [] };
    case "train":
      return { kind: "train", name: item.name, statements: [], span: item.span };
    case "layer":
    case "optimizer":
      return { ...item, hyper: [], params: [], body: { kind: "expression", value: nothing } };
    default:
      return { ...item, params: [], body: { kind: "expression", value: nothing } };
  }
}

class Parser extends Grammar {
  private all: readonly Token[] = [];
  private faults: readonly Fault[] = [];

  constructor() {
    super();
    this.performSelfAnalysis();
  }

  // ---- declarations

  /** The text is cut where declarations begin, before any is read: none takes another with it. */
  file(
    source: SourceFile,
    tokens: readonly Token[],
    comments: readonly Comment[],
    faults: readonly Fault[],
  ): ast.Item[] {
    this.reads(source, tokens);
    [this.all, this.comments, this.faults] = [tokens, comments, faults];
    const { text } = source;
    const begins = this.all.flatMap((_, i) => (beginsDeclaration(text, this.all, i) ? [i] : []));
    const items: ast.Item[] = [];
    if (begins[0] !== 0 && this.all.length) items.push(...this.stray(0, begins[0] ?? this.all.length));
    for (const [k, from] of begins.entries()) {
      const to = begins[k + 1] ?? this.all.length;
      const before = this.diagnostics.length;
      this.begin(from, to);
      const item = this.readItem(from, to);
      // what follows on a line of its own is a declaration that cannot be read, and no part of this one
      const rest = this.failed ? to : this.place;
      if (rest < to && !firstOnLine(text, this.all, rest)) this.fail();
      const stray = rest < to && !this.failed;
      const end = endOf(this.all[rest - 1]!);
      const faulty = this.faults.some((f) => f.start >= item.span.start && f.start < end);
      const long = tooLong(item);
      if (long) this.diagnostics.push(errors.tooDeep(long, longest));
      const whole = !faulty && this.diagnostics.length === before;
      items.push(whole ? item : { ...(long ? headOf(item) : item), incomplete: true });
      if (stray) items.push(...this.stray(rest, to));
    }
    return items;
  }
  private readItem(from: number, to: number): ast.Item {
    try {
      return this.item();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // the caller left too little of the stack
      let depth = 0;
      const isDeep = (t: Token): boolean => (depth += +/^[([{]$/.test(t.image) - +/^[)\]}]$/.test(t.image)) > deepest;
      const span = tokenSpan(this.source, this.all.slice(from, to).find(isDeep) ?? this.all[from]!);
      this.diagnostics.push(errors.tooDeep(span, deepest));
      this.begin(to, to);
      const name = { text: this.all[from + 1]?.image ?? "", span };
      return { kind: "const", name, value: { kind: "missing", span }, span };
    }
  }
  /** Tokens that begin no declaration. `def f(x) = ...` and `f(x) = ...` mean to declare f, so its name is kept. */
  private stray(from: number, to: number): ast.Item[] {
    this.begin(from, to);
    this.fail();
    const [first, second] = [this.all[from]!, this.all[from + 1]];
    const meant = second?.tokenType.name === "name" && from + 1 < to ? second : first;
    if (kindOf(meant) !== "name") return [];
    const span = { file: this.source, start: first.startOffset, end: endOf(this.all[to - 1]!) };
    const value: ast.Expr = { kind: "missing", span: { ...span, start: span.end } };
    const name = { text: meant.image, span: tokenSpan(this.source, meant) };
    return [{ kind: "const", name, value, span, incomplete: true }];
  }
}
