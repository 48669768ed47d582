// The parser. In: text. Out: AST, diagnostics and comments. It never throws and always gives an AST of what could be understood: a mistake stays in its
// declaration, and of that everything is kept that was read (`incomplete`, `missing`). The grammar is that of docs/language.md, a method a rule.
import type * as ast from "./ast.ts";
import type { Diagnostic, SourceFile, Span } from "./diagnostic.ts";
import * as errors from "./errors.ts";
import { declarationWords, tokenSpan } from "./mistakes.ts";
import { parsePattern } from "./pattern.ts";
import { firstOnLine, Reader } from "./reader.ts";
import { reserved, tokenize, type Comment, type Fault, type Token } from "./tokens.ts";

export type { Comment } from "./tokens.ts";
export interface Parsed {
  readonly file: ast.File;
  readonly diagnostics: readonly Diagnostic[];
  readonly comments: readonly Comment[];
}
const longest = 1000; // operators, calls, members and brackets in a row

/** `text`: of the source what is read, at its place. */
export function parse(source: SourceFile, text = source.text): Parsed {
  const { tokens: written, comments, faults } = tokenize(text);
  const { tokens, diagnostics: reservedNames } = reservedAsNames(source, written);
  const parser = new Parser(source, tokens, comments, faults);
  const items = parser.file();
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
  };
}
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
  const diagnostics: Diagnostic[] = [];
  const taken = new Set<string>();
  const tokens = [...written];
  for (let i = 1; i < tokens.length; i++) {
    const t = tokens[i]!;
    if (!reserved.has(t.kind)) continue;
    const [before, after] = [tokens[i - 1]!.kind, tokens[i + 1]?.kind ?? "end"];
    const made = nameMakers.includes(before) && ["=", ":", "(", "{", "on"].includes(after);
    const parameter = (before === "(" || before === ",") && after === ":" && !beginAtoms.includes(t.kind);
    const used = taken.has(t.text) && after !== "name" && !endValues.includes(before);
    if (!made && !parameter && !used) continue;
    if (!used) diagnostics.push(errors.reservedName(tokenSpan(source, t), t.text));
    taken.add(t.text);
    tokens[i] = { ...t, kind: "name" };
  }
  return { tokens, diagnostics };
}
/** Does a declaration begin here? Its words stand nowhere else, but `fn` is a type too. */
function beginsDeclaration(text: string, tokens: readonly Token[], i: number): boolean {
  const { kind } = tokens[i]!;
  if (kind !== "fn") return declarationWords.includes(kind);
  const [before, named] = [tokens[i - 1]?.kind, tokens[i + 1]?.kind === "name"];
  if (before === "export") return false;
  if (before === ":" || before === "->") return named && firstOnLine(text, tokens, i);
  return before === "," || before === "(" ? named : true;
}

// ---------------------------------------------------------------- after reading: trees that are too deep to walk

/** The place of an expression whose tree is deeper than those who walk it can follow. */
function tooLong(item: ast.Item): Span | undefined {
  const queue: object[] = [item];
  const depths = [0];
  while (queue.length) {
    const node = queue.pop()!;
    const depth = depths.pop()!;
    if (depth > longest && "span" in node) return node.span as Span;
    for (const key in node) {
      const value: unknown = node[key as keyof typeof node];
      if (typeof value !== "object" || value === null || key === "span" || key === "operatorSpan") continue;
      queue.push(value);
      depths.push(Array.isArray(node) ? depth : depth + 1);
    }
  }
  return undefined;
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

type Operators = readonly ast.BinaryOperator[];
const comparisons: Operators = ["==", "!=", "<", "<=", ">", ">="];

class Parser extends Reader {
  private readonly all: readonly Token[];
  private readonly comments: readonly Comment[];
  private readonly faults: readonly Fault[];

  constructor(source: SourceFile, tokens: readonly Token[], comments: readonly Comment[], faults: readonly Fault[]) {
    super(source, tokens);
    this.all = tokens;
    this.comments = comments;
    this.faults = faults;
  }

  // ---- declarations

  /** The text is cut where declarations begin, before any is read: none takes another with it. */
  file(): ast.Item[] {
    const { text } = this.source;
    const begins = this.all.flatMap((_, i) => (beginsDeclaration(text, this.all, i) ? [i] : []));
    const items: ast.Item[] = [];
    if (begins[0] !== 0 && this.all.length) items.push(...this.stray(0, begins[0] ?? this.all.length));
    for (const [k, from] of begins.entries()) {
      const to = begins[k + 1] ?? this.all.length;
      const before = this.diagnostics.length;
      this.begin(from, to);
      const item = this.within("item", () => this.item());
      // what follows on a line of its own is a declaration that cannot be read, and no part of this one
      const rest = this.failed ? to : this.place;
      if (rest < to && !firstOnLine(text, this.all, rest)) this.fail();
      const stray = rest < to && !this.failed;
      const end = this.all[rest - 1]!.end;
      const faulty = this.faults.some((f) => f.start >= item.span.start && f.start < end);
      const long = tooLong(item);
      if (long) this.diagnostics.push(errors.tooDeep(long, longest));
      const whole = !faulty && this.diagnostics.length === before;
      items.push(whole ? item : { ...(long ? headOf(item) : item), incomplete: true });
      if (stray) items.push(...this.stray(rest, to));
    }
    return items;
  }
  /** Tokens that begin no declaration. `def f(x) = ...` and `f(x) = ...` mean to declare f, so its name is kept. */
  private stray(from: number, to: number): ast.Item[] {
    this.begin(from, to);
    this.fail();
    const [first, second] = [this.all[from]!, this.all[from + 1]];
    const meant = second?.kind === "name" && from + 1 < to ? second : first;
    if (meant.kind !== "name") return [];
    const span = { file: this.source, start: first.start, end: this.all[to - 1]!.end };
    const value: ast.Expr = { kind: "missing", span: { ...span, start: span.end } };
    const name = { text: meant.text, span: tokenSpan(this.source, meant) };
    return [{ kind: "const", name, value, span, incomplete: true }];
  }
  /** The `##` comment lines right before a declaration. */
  private docBefore(start: number): { doc?: string } {
    const { text } = this.source;
    const lines: string[] = [];
    let end = start;
    for (let i = this.comments.length - 1; i >= 0; i--) {
      const c = this.comments[i]!;
      if (c.end > end) continue;
      const between = text.slice(c.end, end);
      const ownLine = /^[ \t]*$/.test(text.slice(text.lastIndexOf("\n", c.start - 1) + 1, c.start));
      if (!ownLine || !c.text.startsWith("##") || !/^\s*$/.test(between) || /\n\s*\n/.test(between)) break;
      lines.unshift(c.text.slice(2).trim());
      end = c.start;
    }
    return lines.length ? { doc: lines.join("\n") } : {};
  }
  private item(): ast.Item {
    const start = this.here();
    const ends = (): { span: Span; doc?: string } => ({ span: this.from(start), ...this.docBefore(start) });
    switch (this.peek().kind) {
      case "import": {
        this.expect("import");
        return { kind: "import", path: inside(this.expect("string")), ...ends() };
      }
      case "const": {
        this.expect("const");
        const name = this.name();
        this.expect("=");
        return { kind: "const", name, value: this.expression(), ...ends() };
      }
      case "data": {
        this.expect("data");
        const name = this.name();
        this.resumeAtBlock();
        this.expect("{");
        const statements = this.statements(["field", "holdout", "let"], true, () => this.dataStatement());
        return { kind: "data", name, statements, ...ends() };
      }
      case "train": {
        this.expect("train");
        const name = this.name();
        const on = this.take("on") ? this.expression() : undefined;
        this.resumeAtBlock();
        this.expect("{");
        const begin = ["let", "state", "next", "minimize", "metric"];
        const statements = this.statements(begin, true, () => this.trainStatement());
        return { kind: "train", name, ...(on ? { on } : {}), statements, ...ends() };
      }
      case "layer":
      case "optimizer": {
        const kind = this.take("layer") ? "layer" : (this.expect("optimizer"), "optimizer");
        const [name, hyper, params] = [this.name(), this.params(), this.params()];
        return { kind, name, hyper, params, ...this.result(), body: this.body(), ...ends() };
      }
      case "init": {
        this.expect("init");
        return { kind: "init", name: this.name(), params: this.params(), body: this.body(), ...ends() };
      }
      case "model": {
        this.expect("model");
        const [name, params] = [this.name(), this.params()];
        return { kind: "model", name, params, ...this.result(), body: this.body(), ...ends() };
      }
      default: {
        const exported = this.take("export") !== undefined;
        this.expect("fn");
        const [name, params] = [this.name(), this.params()];
        return { kind: "fn", exported, name, params, ...this.result(), body: this.body(), ...ends() };
      }
    }
  }
  private params(): ast.Param[] {
    return this.within("params", () => {
      this.expect("(");
      if (this.failed) return [];
      return this.list(")", () => {
        const name = this.name();
        const type = this.take(":") ? this.type() : undefined;
        const initial = this.take("=") ? this.expression() : undefined;
        const span = this.from(name.span.start);
        return { name, ...(type ? { type } : {}), ...(initial ? { default: initial } : {}), span };
      });
    });
  }
  private result(): { result?: ast.Type } {
    return this.take("->") ? { result: this.type() } : {};
  }

  // ---- types

  private type(): ast.Type {
    return this.within("type", () => {
      const start = this.here();
      const opening = this.take("(");
      if (opening) {
        const elements = this.deeper(opening, () => this.list(")", () => this.type(), true));
        return { kind: "tuple_type", elements, span: this.from(start) };
      }
      const element = this.take("name", "fn");
      if (!element) this.fail("a name", "`fn`", "`(`");
      const bracket = this.take("[");
      const dims = bracket && this.deeper(bracket, () => this.list("]", () => this.dim()));
      const range = this.take("in") ? this.range() : undefined;
      return {
        kind: "tensor_type",
        element: { text: element?.text ?? "", span: element ? tokenSpan(this.source, element) : this.from(start) },
        ...(dims ? { dims } : {}),
        ...(range ? { range } : {}),
        span: this.from(start),
      };
    });
  }
  private dim(): ast.DimExpr {
    return this.within("dim", () => {
      const start = this.here();
      if (this.take("...")) return { kind: "spread", name: this.name(), span: this.from(start) };
      return { kind: "dim", value: this.comparison(), span: this.from(start) };
    });
  }

  // ---- bodies and statements

  private body(): ast.Body {
    this.resumeAtBlock();
    return this.within("body", () => {
      if (this.is("{")) return this.block();
      if (!this.take("=")) this.fail("`=`", "`{`");
      return { kind: "expression", value: this.expression() };
    });
  }
  private block(): ast.Block {
    return this.within("block", () => {
      const start = this.here();
      this.expect("{");
      const begin = ["param", "let", "state", "next", "yield", "return"];
      const statements = this.failed ? [] : this.statements(begin, false, () => this.statement());
      return { kind: "block", statements, span: this.from(start) };
    });
  }
  private statement(): ast.Statement {
    const start = this.here();
    if (this.is("let")) return this.letStatement();
    if (this.is("state")) return this.stateStatement();
    if (this.is("next")) return this.nextStatement();
    return this.within("statement", () => {
      if (this.take("param")) {
        const name = this.name();
        this.expect(":");
        const type = this.type();
        this.expect("~");
        return { kind: "param", name, type, initial: this.expression(), span: this.from(start) };
      }
      const kind = this.take("yield") ? "yield" : (this.expect("return"), "return");
      return { kind, value: this.expression(), span: this.from(start) };
    });
  }
  private letStatement(): ast.Let {
    return this.within("let", () => {
      const start = this.here();
      this.expect("let");
      const tuple = this.take("(") !== undefined;
      if (!tuple && !this.is("name")) this.fail("a name", "`(`");
      const names = tuple ? this.list(")", () => this.name(), true) : [this.name()];
      return { kind: "let", names, tuple, ...this.typed(), value: this.assigned(), span: this.from(start) };
    });
  }
  private stateStatement(): ast.State {
    return this.within("state", () => {
      const start = this.here();
      this.expect("state");
      return { kind: "state", name: this.name(), ...this.typed(), value: this.assigned(), span: this.from(start) };
    });
  }
  private nextStatement(): ast.Next {
    return this.within("next", () => {
      const start = this.here();
      this.expect("next");
      const assignments = this.several(() => ({ name: this.name(), value: this.assigned() }));
      return { kind: "next", assignments, span: this.from(start) };
    });
  }
  private dataStatement(): ast.DataStatement {
    if (this.is("let")) return this.letStatement();
    return this.within("dataStatement", () => {
      const start = this.here();
      if (this.take("field")) {
        const name = this.name();
        this.expect(":");
        return { kind: "field", name, type: this.type(), value: this.assigned(), span: this.from(start) };
      }
      if (this.take("holdout"))
        return { kind: "holdout", name: this.name(), value: this.assigned(), span: this.from(start) };
      return this.setting();
    });
  }
  private trainStatement(): ast.TrainStatement {
    if (this.is("let")) return this.letStatement();
    if (this.is("state")) return this.stateStatement();
    if (this.is("next")) return this.nextStatement();
    return this.within("trainStatement", () => {
      const start = this.here();
      if (this.take("metric"))
        return { kind: "metric", name: this.name(), value: this.assigned(), span: this.from(start) };
      if (!this.take("minimize")) return this.setting();
      const value = this.expression();
      const clauses: ast.Minimize["clauses"][number][] = [];
      do clauses.push(this.clause());
      while (this.is("wrt", "by"));
      return { kind: "minimize", value, clauses, span: this.from(start) };
    });
  }
  private clause(): ast.Minimize["clauses"][number] {
    const start = this.here();
    if (!this.is("wrt", "by")) this.fail("`wrt`", "`by`");
    const wrt = this.take("wrt") ? this.expression() : undefined;
    this.expect("by");
    const by = this.expression();
    const every = this.take("every") ? this.expression() : undefined;
    return { ...(wrt ? { wrt } : {}), by, ...(every ? { every } : {}), span: this.from(start) };
  }
  private setting(): ast.Setting {
    const start = this.here();
    const name = this.name();
    this.expect(":");
    return { kind: "setting", name, value: this.expression(), span: this.from(start) };
  }
  private typed(): { type?: ast.Type } {
    return this.take(":") ? { type: this.type() } : {};
  }
  private assigned(): ast.Expr {
    this.expect("=");
    return this.expression();
  }
  /** One or more between commas, without brackets. */
  private several<T>(read: () => T): T[] {
    const found = [read()];
    while (this.take(",")) found.push(read());
    return found;
  }

  // ---- expressions, loosest first

  private expression(): ast.Expr {
    return this.within("expression", () => this.chain(["|>", ">>"], () => this.or()));
  }
  private or(): ast.Expr {
    return this.chain(["or"], () => this.chain(["and"], () => this.comparison()));
  }
  private comparison(): ast.Expr {
    return this.once(comparisons, () => this.range());
  }
  private range(): ast.Expr {
    return this.within("expression", () => this.once([".."], () => this.sum()));
  }
  private sum(): ast.Expr {
    return this.chain(["+", "-"], () => this.chain(["*", "/", "//", "%", "@"], () => this.unary()));
  }
  private unary(): ast.Expr {
    const operator = this.take("-", "not");
    if (!operator) return this.power();
    return {
      kind: "unary",
      operator: operator.kind === "-" ? "-" : "not",
      operand: this.deeper(operator, () => this.unary()),
      span: this.from(operator.start),
    };
  }
  private power(): ast.Expr {
    const left = this.postfix();
    const operator = this.take("^");
    return operator
      ? this.binary(
          left,
          "^",
          operator,
          this.deeper(operator, () => this.unary()),
        )
      : left;
  }
  /** `a + b + c`, from the left. */
  private chain(operators: Operators, next: () => ast.Expr): ast.Expr {
    let left = next();
    for (let operator; (operator = this.take(...operators));)
      left = this.binary(left, operator.kind as ast.BinaryOperator, operator, next());
    return left;
  }
  /** `a < b`: one operator at most. */
  private once(operators: Operators, next: () => ast.Expr): ast.Expr {
    const left = next();
    const operator = this.take(...operators);
    return operator ? this.binary(left, operator.kind as ast.BinaryOperator, operator, next()) : left;
  }
  private binary(left: ast.Expr, operator: ast.BinaryOperator, written: Token, right: ast.Expr): ast.Expr {
    const span = { file: this.source, start: left.span.start, end: Math.max(left.span.end, right.span.end) };
    return { kind: "binary", operator, operatorSpan: tokenSpan(this.source, written), left, right, span };
  }
  private postfix(): ast.Expr {
    let left = this.atom();
    const { start } = left.span;
    for (let t; (t = this.take("(", "[", "."));) {
      if (t.kind === "(") {
        const args = this.deeper(t, () => this.list(")", () => this.argument()));
        left = { kind: "call", callee: left, args, span: this.from(start) };
      } else if (t.kind === "[") {
        const indices = this.deeper(t, () => this.list("]", () => this.index()));
        const outside = this.take("??") ? this.unary() : undefined;
        left = { kind: "index", operand: left, indices, ...(outside ? { outside } : {}), span: this.from(start) };
      } else {
        if (left.kind === "number") this.failWith(errors.bareDecimalPoint(tokenSpan(this.source, t), `${left.text}.`));
        left = { kind: "member", operand: left, name: this.name(), span: this.from(start) };
      }
    }
    return left;
  }
  private argument(): ast.Arg {
    return this.within("argument", () => {
      const start = this.here();
      const named = this.is("name", "wrt") && this.peek(1).kind === ":" ? this.take("name", "wrt") : undefined;
      if (named) this.expect(":");
      return {
        ...(named ? { name: { text: named.text, span: tokenSpan(this.source, named) } } : {}),
        value: this.expression(),
        span: this.from(start),
      };
    });
  }
  private index(): ast.IndexExpr {
    return this.within("index", () => {
      const start = this.here();
      if (this.take(":")) return { kind: "all", span: this.from(start) };
      if (!this.take("...")) return { kind: "at", value: this.expression(), span: this.from(start) };
      const name = this.is("name") ? this.name() : undefined;
      return { kind: "rest", ...(name ? { name } : {}), span: this.from(start) };
    });
  }
  private binders(): ast.Binder[] {
    return this.within("binders", () =>
      this.several((): ast.Binder => {
        const start = this.here();
        if (this.take("...")) return { kind: "rest", span: this.from(start) };
        if (!this.is("name")) this.fail("`...`", "a name");
        const name = this.name();
        const range = this.take("in") ? this.range() : undefined;
        return { kind: "index", name, ...(range ? { range } : {}), span: this.from(start) };
      }),
    );
  }
  /** The part of `for` and reducers behind their indices. */
  private bodyOf(opening: Token): ast.Expr {
    this.expect(":");
    return this.deeper(opening, () => this.expression());
  }
  private atom(): ast.Expr {
    const t = this.peek();
    const start = t.start;
    switch (t.kind) {
      case "number":
        this.take("number");
        return { kind: "number", value: Number(t.text), text: t.text, span: this.from(start) };
      case "string":
        this.take("string");
        return { kind: "string", value: inside(t), span: this.from(start) };
      case "pattern":
        return this.pattern();
      case "true":
      case "false":
        this.take(t.kind);
        return { kind: "boolean", value: t.kind === "true", span: this.from(start) };
      case "name": {
        const reducer = this.name();
        if (!this.take("over")) return { kind: "name", ...reducer };
        const binders = this.binders();
        return { kind: "reduce", reducer, binders, body: this.bodyOf(t), span: this.from(start) };
      }
      case "(": {
        this.take("(");
        const elements = this.deeper(t, () => this.list(")", () => this.expression(), true));
        const span = this.from(start);
        return elements.length === 1 ? { kind: "paren", value: elements[0]!, span } : { kind: "tuple", elements, span };
      }
      case "[": {
        this.take("[");
        const elements = this.deeper(t, () => this.list("]", () => this.expression()));
        return { kind: "list", elements, span: this.from(start) };
      }
      case "for": {
        this.take("for");
        const binders = this.binders();
        return { kind: "for", binders, body: this.bodyOf(t), span: this.from(start) };
      }
      case "|": {
        this.take("|");
        const params = this.several(() => this.name());
        this.expect("|");
        const body = this.deeper(t, () => this.expression());
        return { kind: "lambda", params, body, span: this.from(start) };
      }
      case "if":
        return this.deeper(t, () => this.choice());
      case "stack":
        return this.stack();
      case "scan":
      case "fold":
        return this.deeper(t, () => this.loop(t.kind === "scan" ? "scan" : "fold"));
      default:
        this.fail();
        return this.missing();
    }
  }
  private pattern(): ast.Expr {
    const written = this.expect("pattern");
    const text = inside(written);
    const read = parsePattern(text);
    const at = written.start + 1 + ("problem" in read ? read.offset : 0);
    if ("problem" in read)
      this.diagnostics.push(errors.badPattern({ file: this.source, start: at, end: at + 1 }, read.problem));
    const pattern = "pattern" in read ? read.pattern : { inputs: [], output: [] };
    return { kind: "pattern", pattern, text, span: this.from(written.start) };
  }
  private choice(): ast.Expr {
    const { start } = this.expect("if");
    const condition = this.expression();
    this.expect("then");
    const then = this.expression();
    this.expect("else");
    return { kind: "if", condition, then, else: this.expression(), span: this.from(start) };
  }
  private stack(): ast.Expr {
    const word = this.expect("stack");
    const index = this.is("name") && this.peek(1).kind === "in" ? this.name() : undefined;
    if (index) this.expect("in");
    const count = this.range();
    this.expect("of");
    const of = this.deeper(word, () => this.postfix());
    return { kind: "stack", ...(index ? { index } : {}), count, of, span: this.from(word.start) };
  }
  private loop(kind: "scan" | "fold"): ast.Expr {
    const { start } = this.expect(kind);
    this.expect("(");
    const iterators = this.several(() => this.within("iterator", () => this.iterator()));
    const carries = this.take(";") ? this.several(() => ({ name: this.name(), value: this.assigned() })) : [];
    this.expect(")");
    return { kind, iterators, carries, body: this.block(), span: this.from(start) };
  }
  private iterator(): ast.Loop["iterators"][number] {
    const { start } = this.peek();
    const name = this.name();
    this.expect("in");
    const over = this.expression();
    const along = this.take("along") ? this.within("expression", () => this.sum()) : undefined;
    return { name, in: over, ...(along ? { along } : {}), span: this.from(start) };
  }
}
/** The text between the marks; the last one may be missing. */
const inside = ({ text }: Token): string => text.slice(1, text.length > 1 && text.at(-1) === text[0] ? -1 : undefined);
