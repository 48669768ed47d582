// What the parser adds to Chevrotain's: recovery. The first token that does not fit is told once; from then on the reader is *stuck*: it sees no token,
// so every rule around ends on its own with what it has read so far, up to a list or block that knows where to go on. Chevrotain never throws.
import { createTokenInstance, EmbeddedActionsParser, EOF, type ParserMethod } from "chevrotain";
import type * as ast from "./ast.ts";
import type { Diagnostic, SourceFile, Span } from "./diagnostic.ts";
import { tooDeep } from "./errors.ts";
import { explainStuck, statementWords, tokenSpan } from "./mistakes.ts";
import { endOf, kindOf, label, types, type Kind, type Token } from "./tokens.ts";

export const deepest = 200; // brackets, prefixes and bodies in one another
const clauseWords = ["wrt", "by", "every"];
const nothing = createTokenInstance(EOF, "", 0, 0, 0, 0, 0, 0);

export class Reader extends EmbeddedActionsParser {
  diagnostics: Diagnostic[] = [];
  protected source: SourceFile = { name: "", text: "" };
  private tokens: readonly Token[] = [];
  private at = 0;
  private end = 0; // of the declaration: nothing reads or skips beyond it
  private stuck = false;
  private depth = 0;
  private inside = "file"; // the rule that is being read
  private open: Token[] = []; // brackets

  /** `validate`: has Chevrotain look for alternatives that begin alike, and for rules that never end; a test does. */
  constructor(validate = false) {
    super([...types.values()], { maxLookahead: 2, skipValidations: !validate });
  }
  protected reads(source: SourceFile, tokens: readonly Token[]): void {
    [this.source, this.tokens, this.diagnostics] = [source, tokens, []];
  }
  /** Reads tokens `from..to` from now on. */
  protected begin(from: number, to: number): void {
    this.input = this.tokens.slice(from, to);
    [this.at, this.end, this.stuck, this.depth, this.inside, this.open] = [from, to, false, 0, "file", []];
  }
  protected get failed(): boolean {
    return this.stuck;
  }
  /** The number of the token that is read next. */
  protected get place(): number {
    return this.at;
  }

  // ---- looking and taking
  /** What Chevrotain looks at: token `ahead` of the place, the next one is 1; none behind the declaration, and none while the reader is stuck. */
  protected override LA_FAST(ahead: number): Token {
    const i = this.at + ahead - 1;
    return !this.stuck && i < this.end ? this.tokens[i]! : nothing;
  }
  protected override LA(ahead: number): Token {
    return this.LA_FAST(ahead);
  }
  protected is(...kinds: readonly Kind[]): boolean {
    return kinds.includes(kindOf(this.LA(1)));
  }
  protected get isFirstOnLine(): boolean {
    return firstOnLine(this.source.text, this.tokens, this.at);
  }
  /** The token of this kind that must stand here; one of no text where it does not. `index`: tells those of a rule apart. */
  protected expect(kind: Kind, index = 0): Token {
    if (this.RECORDING_PHASE) return this.consume(index, types.get(kind)!);
    if (!this.is(kind)) {
      this.fail(label(kind));
      return { ...nothing, startOffset: this.lastEnd() };
    }
    const t = this.consume(index, types.get(kind)!);
    this.at += 1;
    if (kind === "(" || kind === "[" || kind === "{") this.open.push(t);
    else if (kind === ")" || kind === "]" || kind === "}") this.open.pop();
    return t;
  }
  protected name(index = 0): ast.Name {
    const t = this.expect("name", index);
    return { text: t.image, span: tokenSpan(this.source, t) };
  }

  // ---- places
  protected here(): number {
    return this.at < this.end ? this.tokens[this.at]!.startOffset : this.lastEnd();
  }
  private lastEnd(): number {
    const last = this.tokens[this.at - 1];
    return last ? endOf(last) : 0;
  }
  /** What was read since `start`; of nothing, the place behind the last token that was read. */
  protected from(start: number): Span {
    const end = this.lastEnd();
    return { file: this.source, start: Math.min(start, end), end };
  }
  protected missing(): ast.Expr {
    return { kind: "missing", span: this.from(this.lastEnd()) };
  }
  protected noName(): ast.Name {
    return { text: "", span: this.from(this.lastEnd()) };
  }

  // ---- rules
  /** A rule of the grammar. `inside`: how messages name it. */
  protected rule<T>(name: string, read: () => T, inside = name): ParserMethod<[], T> {
    return this.RULE(name, (): T => {
      const outer = this.enter(inside);
      const value = read();
      this.enter(outer);
      return value;
    });
  }
  /** The rule that messages name from here on; returns the one before. */
  protected enter(rule: string): string {
    const outer = this.inside;
    this.inside = rule;
    return outer;
  }
  /** One of several parts, by their first tokens. Where none of them begins, this is told and `otherwise` stands there. */
  protected choose<T>(index: number, parts: readonly (() => T)[], otherwise: () => T, ...expected: string[]): T {
    const none = (): T =>
      this.ACTION(() => {
        this.fail(...expected);
        return otherwise();
      });
    return this.or(index, [...parts.map((ALT) => ({ ALT })), { ALT: none }]);
  }
  /** One of several parts, by their first tokens. Where none of them begins, the last tells what is wrong. */
  protected chooseOrLast<T>(index: number, parts: readonly (() => T)[]): T {
    const last = { ALT: () => this.ACTION(parts.at(-1)!) };
    return this.or(index, [...parts.map((ALT) => ({ ALT })), last]);
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
    if (this.stuck || this.RECORDING_PHASE) return;
    this.failWith(
      explainStuck({
        source: this.source,
        token: this.tokens[this.at] ?? { ...nothing, startOffset: this.source.text.trimEnd().length },
        before: this.tokens[this.at - 2],
        previous: this.tokens[this.at - 1],
        next: this.tokens[this.at + 1],
        open: this.open.at(-1),
        rule: this.inside,
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
  protected list<T>(index: number, close: Kind, element: (index: number) => T, atLeastOne = false): T[] {
    const found: T[] = [];
    const depth = this.open.length;
    const one = (i: number): void => {
      found.push(element(i));
      if (this.RECORDING_PHASE) return;
      if (!this.is(",", close)) this.fail(label(close));
      if (this.stuck) this.resumeInList(close, depth);
    };
    const more = (): void => {
      this.expect(",", index);
      one(index + 1);
    };
    const all = (): void => {
      one(index);
      this.many(index, more);
    };
    // whatever does not close the list is read as an element, so that what is wrong with it is told
    if (this.RECORDING_PHASE && !atLeastOne) this.option(index, all);
    else if (atLeastOne || !this.is(close)) all();
    this.expect(close, index);
    return found;
  }
  /** One or more between commas, without brackets. */
  protected several<T>(index: number, read: (index: number) => T): T[] {
    const found = [read(index)];
    this.many(index, () => {
      this.expect(",", index);
      found.push(read(index + 1));
    });
    return found;
  }
  /** To the next comma or closing bracket of the list that is open at `depth`, if it comes before anything that begins a statement. */
  private resumeInList(close: Kind, depth: number): boolean {
    let nested = this.open.length - depth;
    for (let i = this.at; i < this.end; i++) {
      const kind = kindOf(this.tokens[i]!);
      if (kind === "{" || kind === "}" || statementWords.includes(kind)) return false;
      if (clauseWords.includes(kind) && this.tokens[i + 1]?.tokenType.name !== ":") return false;
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
    let start = this.at;
    const resumed = (): boolean => this.stuck && this.resumeAtStatement(begin, settings, start, depth);
    do {
      start = this.at;
      this.many(0, () => {
        start = this.at;
        found.push(statement());
        resumed();
        start = this.at;
      });
      if (this.RECORDING_PHASE) break;
      if (!this.is("}")) this.fail(label("}"));
    } while (resumed());
    this.expect("}");
    return found;
  }
  private resumeAtStatement(begin: readonly Kind[], settings: boolean, start: number, depth: number): boolean {
    let [braces, brackets] = [0, 0];
    for (let b = depth; b < this.open.length; b++) if (kindOf(this.open[b]!) === "{") braces += 1;
    for (let i = this.at; i < this.end; i++) {
      const kind = kindOf(this.tokens[i]!);
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
    for (let i = this.at; i < this.end; i++) if (kindOf(this.tokens[i]!) === "{") return this.resumeAt(i, 0);
  }
  private resumeAt(i: number, depth: number): void {
    [this.at, this.stuck, this.open.length] = [i, false, depth];
  }
}
export const firstOnLine = (text: string, tokens: readonly Token[], i: number): boolean =>
  i === 0 || text.slice(endOf(tokens[i - 1]!), tokens[i]!.startOffset).includes("\n");
