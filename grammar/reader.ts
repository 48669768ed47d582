// What a recursive-descent parser stands on: a place among tokens, and recovery. The first token that does not fit is told once; from then on the
// reader is *stuck*: it sees no token, so every rule around ends on its own with what it has read so far, up to a list or block that knows where to go on.
import type * as ast from "./ast.ts";
import type { Diagnostic, SourceFile, Span } from "./diagnostic.ts";
import { tooDeep } from "./errors.ts";
import { explainStuck, statementWords, tokenSpan } from "./mistakes.ts";
import { label, type Kind, type Token } from "./tokens.ts";

export const deepest = 200; // brackets, prefixes and bodies in one another
const clauseWords = ["wrt", "by", "every"];

export class Reader {
  readonly diagnostics: Diagnostic[] = [];
  protected readonly source: SourceFile;
  private readonly tokens: readonly Token[];
  private readonly last: Token; // behind them
  private at = 0;
  private end = 0; // of the declaration: nothing reads or skips beyond it
  private stuck = false;
  private depth = 0;
  private rules: string[] = [];
  private open: Token[] = []; // brackets

  constructor(source: SourceFile, tokens: readonly Token[]) {
    this.source = source;
    this.tokens = tokens;
    const end = source.text.trimEnd().length;
    this.last = { kind: "end", text: "", start: end, end };
  }
  /** Reads tokens `from..to` from now on. */
  protected begin(from: number, to: number): void {
    [this.at, this.end, this.stuck, this.depth, this.rules, this.open] = [from, to, false, 0, [], []];
  }
  protected get failed(): boolean {
    return this.stuck;
  }
  /** The number of the token that is read next. */
  protected get place(): number {
    return this.at;
  }

  // ---- looking and taking
  /** The token `ahead` of the place; `end` behind the declaration, and while the reader is stuck. */
  protected peek(ahead = 0): Token {
    const i = this.at + ahead;
    return !this.stuck && i < this.end ? this.tokens[i]! : this.nothing("end");
  }
  protected is(...kinds: readonly Kind[]): boolean {
    return kinds.includes(this.peek().kind);
  }
  protected take(...kinds: readonly Kind[]): Token | undefined {
    const t = this.peek();
    if (t.kind === "end" || !kinds.includes(t.kind)) return undefined;
    this.at += 1;
    if (t.kind === "(" || t.kind === "[" || t.kind === "{") this.open.push(t);
    else if (t.kind === ")" || t.kind === "]" || t.kind === "}") this.open.pop();
    return t;
  }
  /** The token of this kind that must stand here; one of no text where it does not. */
  protected expect(kind: Kind): Token {
    return this.take(kind) ?? (this.fail(label(kind)), this.nothing(kind));
  }
  protected name(): ast.Name {
    const { text, start, end } = this.expect("name");
    return { text, span: { file: this.source, start, end } };
  }
  private nothing(kind: Kind): Token {
    const start = this.lastEnd();
    return { kind, text: "", start, end: start };
  }

  // ---- places
  protected here(): number {
    return this.at < this.end ? this.tokens[this.at]!.start : this.lastEnd();
  }
  private lastEnd(): number {
    return this.tokens[this.at - 1]?.end ?? 0;
  }
  protected from(start: number): Span {
    return { file: this.source, start, end: Math.max(start, this.lastEnd()) };
  }
  protected missing(): ast.Expr {
    return { kind: "missing", span: this.from(this.lastEnd()) };
  }

  // ---- rules
  /** Reads a part of the grammar; messages name the innermost. */
  protected within<T>(rule: string, read: () => T): T {
    this.rules.push(rule);
    const value = read();
    this.rules.pop();
    return value;
  }
  /** Reads what stands inside of something else of its kind, `opening` its first token. */
  protected deeper<T>(opening: Token, read: () => T): T {
    this.depth += 1;
    if (this.depth > deepest) this.failWith(tooDeep(tokenSpan(this.source, opening), deepest));
    const value = read();
    this.depth -= 1;
    return value;
  }
  /** The next token does not fit. `expected`: what would, as messages call it. */
  protected fail(...expected: readonly string[]): void {
    if (this.stuck) return;
    this.failWith(
      explainStuck({
        source: this.source,
        token: this.tokens[this.at] ?? this.last,
        before: this.tokens[this.at - 2],
        previous: this.tokens[this.at - 1],
        next: this.tokens[this.at + 1],
        open: this.open.at(-1),
        rules: this.rules,
        expected,
      }),
    );
  }
  protected failWith(diagnostic: Diagnostic): void {
    if (this.stuck) return;
    this.diagnostics.push(diagnostic);
    this.stuck = true;
  }

  // ---- recovery
  /** Elements between commas, up to the closing bracket. A faulty one ends at the next comma or bracket of this list. */
  protected list<T>(close: Kind, element: () => T, atLeastOne = false): T[] {
    const found: T[] = [];
    if (!atLeastOne && this.take(close)) return found;
    const depth = this.open.length;
    for (;;) {
      found.push(element());
      if (!this.is(",", close)) this.fail(label(close));
      if (this.stuck && !this.resumeInList(close, depth)) return found;
      if (this.take(close)) return found;
      this.take(",");
    }
  }
  /** To the next comma or closing bracket of the list that is open at `depth`, if it comes before anything that begins a statement. */
  private resumeInList(close: Kind, depth: number): boolean {
    let nested = this.open.length - depth;
    for (let i = this.at; i < this.end; i++) {
      const { kind } = this.tokens[i]!;
      if (kind === "{" || kind === "}" || statementWords.includes(kind)) return false;
      if (clauseWords.includes(kind) && this.tokens[i + 1]?.kind !== ":") return false;
      if (nested === 0 && (kind === "," || kind === close)) {
        this.resumeAt(i, depth);
        return true;
      }
      if (kind === "(" || kind === "[") nested += 1;
      else if ((kind === ")" || kind === "]") && --nested < 0) return false;
    }
    return false;
  }
  /** Statements up to the closing brace. A faulty one ends where the next begins. `settings`: a name begins one too. */
  protected statements<T>(begin: readonly Kind[], settings: boolean, statement: () => T): T[] {
    const found: T[] = [];
    const depth = this.open.length;
    for (;;) {
      const start = this.at;
      if (this.take("}")) return found;
      if (this.is(...begin) || (settings && this.is("name"))) found.push(statement());
      else this.fail(label("}"));
      if (this.stuck && !this.resumeAtStatement(begin, settings, start, depth)) return found;
    }
  }
  private resumeAtStatement(begin: readonly Kind[], settings: boolean, start: number, depth: number): boolean {
    let [braces, brackets] = [0, 0];
    for (let b = depth; b < this.open.length; b++) if (this.open[b]!.kind === "{") braces += 1;
    for (let i = this.at; i < this.end; i++) {
      const { kind } = this.tokens[i]!;
      const nameBegins = settings && kind === "name" && brackets === 0 && firstOnLine(this.source.text, this.tokens, i);
      // a token that nothing could be read of, at the start, is skipped
      if (i > start && braces === 0 && (kind === "}" || begin.includes(kind) || nameBegins)) {
        this.resumeAt(i, depth);
        return true;
      }
      if (kind === "{") braces += 1;
      else if (kind === "}") braces -= 1;
      else if (kind === "(" || kind === "[") brackets += 1;
      else if (kind === ")" || kind === "]") brackets = Math.max(0, brackets - 1);
    }
    return false;
  }
  /** Behind what a head is stuck at, its block may still be read. */
  protected resumeAtBlock(): void {
    if (!this.stuck) return;
    for (let i = this.at; i < this.end; i++) if (this.tokens[i]!.kind === "{") return this.resumeAt(i, 0);
  }
  private resumeAt(i: number, depth: number): void {
    [this.at, this.stuck, this.open.length] = [i, false, depth];
  }
}
export const firstOnLine = (text: string, tokens: readonly Token[], i: number): boolean =>
  i === 0 || text.slice(tokens[i - 1]!.end, tokens[i]!.start).includes("\n");
