// Positions that are never negative as unsigned integers: divisions and remainders by powers of two are shifts and masks then, which a signed one
// pays with several instructions. Addresses, too, whose sign nothing asks for: they are read without conversions.
// In: statements, and what is known of their integers. Out: statements that compute the same bits.
import {
  call,
  i32,
  i32Number,
  isComparison,
  mapArgs,
  name,
  numberOf,
  operation,
  u32,
  u32Number,
  type Expr,
} from "../kernel/expr.ts";
import { expressionsOf, type Builtin, type Statement } from "../kernel/ir.ts";
import { isI32, leastI32, mostI32, mostSize } from "../scalar/range.ts";

export interface Range {
  readonly low: number;
  readonly high: number;
  readonly isComputed?: boolean; // as of names (forms.ts)
}
const anything: Range = { low: leastI32, high: mostI32 };
const isPositive = ({ low }: Range): boolean => low >= 0;

/** `known`: bounds of names, where lowering knows more than the statements say; `variables`: of the module, that are u32 and i32 to the statements. */
export function unsigned(
  body: readonly Statement[],
  known: Pick<ReadonlyMap<string, Range>, "get">,
  overrides: readonly string[],
  variables: Iterable<string> = [],
): Statement[] {
  const ranges = new Map<string, Range>(overrides.map((d) => [d, { low: 1, high: mostSize }]));
  return new Unsigned(known, ranges, new Set(variables), signsOf(body)).block(body);
}

/** Names of which some use asks for the sign; sums, differences and products have the same bits without one. */
function signsOf(body: readonly Statement[]): ReadonlySet<string> {
  const found = new Set<string>();
  const any = (e: Expr): void => {
    if (isInt(e)) sign(e);
    else if (e.op === "index" || (e.op === "call" && e.text === "u32" && isInt(e.args[0]!))) e.args.forEach(bits);
    else e.args.forEach(any);
  };
  const sign = (e: Expr): void => {
    if (e.op === "name") found.add(e.text);
    else e.args.forEach(e.op === "index" ? bits : any);
  };
  const bits = (e: Expr): void => {
    if (!isInt(e)) any(e);
    else if (wrapping.has(e.op)) e.args.forEach(bits);
    else if (e.op !== "name") sign(e);
  };
  const walk = (statements: readonly Statement[]): void => {
    // uses before what they use
    for (const s of [...statements].reverse())
      if (s.kind === "let") (isInt(s.value) && !found.has(s.name) ? bits : any)(s.value);
      else if (s.kind === "store") {
        bits(s.at);
        any(s.value);
      } else {
        if ("body" in s) walk(s.body);
        if (s.kind === "exchange") walk(s.direct);
        for (const e of expressionsOf(s)) any(e);
      }
  };
  walk(body);
  return found;
}
const wrapping: ReadonlySet<string> = new Set(["+", "-", "*", "&"]);

class Unsigned {
  private readonly known: Pick<ReadonlyMap<string, Range>, "get">;
  private readonly ranges: Map<string, Range>; // of the i32 names in scope
  private readonly converted: Set<string>; // of these, those that are u32 now
  private readonly signs: ReadonlySet<string>; // those whose sign is asked for

  constructor(
    known: Pick<ReadonlyMap<string, Range>, "get">,
    ranges: Map<string, Range>,
    converted: Set<string>,
    signs: ReadonlySet<string>,
  ) {
    this.known = known;
    this.ranges = ranges;
    this.converted = converted;
    this.signs = signs;
  }
  block(body: readonly Statement[]): Statement[] {
    const inner = new Unsigned(this.known, new Map(this.ranges), new Set(this.converted), this.signs);
    return body.map((s) => inner.statement(s));
  }
  private declare(own: string, range: Range, isUnsigned: boolean): void {
    this.ranges.set(own, range);
    if (isUnsigned) this.converted.add(own);
    else this.converted.delete(own);
  }
  private statement(s: Statement): Statement {
    switch (s.kind) {
      case "let": {
        if (!isInt(s.value)) {
          this.ranges.delete(s.name);
          return { ...s, value: this.any(s.value) };
        }
        const range = within(this.rangeOf(s.value), this.known.get(s.name));
        const isUnsigned = isPositive(range) || !this.signs.has(s.name);
        const value = isUnsigned ? this.bits(s.value) : this.signed(s.value);
        this.declare(s.name, range, isUnsigned);
        return { ...s, value };
      }
      case "var":
        if (isInt(s.value)) this.declare(s.name, anything, false);
        return { ...s, value: this.any(s.value) };
      case "set":
        return this.converted.has(s.target.text)
          ? { ...s, target: name(s.target.text, u32), value: this.bits(s.value) }
          : { ...s, target: this.any(s.target), value: this.any(s.value) };
      case "store":
        return { ...s, at: this.bits(s.at), value: this.any(s.value) };
      case "if":
        return { ...s, condition: this.any(s.condition), body: this.block(s.body) };
      case "exchange": {
        const direct = this.block(s.direct);
        return { ...s, body: s.body.map((own) => this.statement(own)), direct };
      }
      case "invoke":
        return { ...s, call: this.any(s.call) };
      case "for": {
        const [from, to] = [this.rangeOf(s.from), this.rangeOf(s.to)];
        const range =
          s.step === "down" ? { low: to.low, high: from.high } : { low: from.low, high: Math.max(from.high, to.high) };
        const isUnsigned = s.step !== "down" && isPositive(from) && isPositive(to);
        const own = (e: Expr): Expr => (isUnsigned ? this.bits(e) : this.signed(e));
        const step = typeof s.step === "string" ? s.step : own(s.step);
        const [start, end] = [own(s.from), own(s.to)];
        const inner = new Unsigned(this.known, new Map(this.ranges), new Set(this.converted), this.signs);
        inner.declare(s.variable, range, isUnsigned);
        return { ...s, from: start, to: end, step, body: inner.block(s.body) };
      }
      case "moves":
      case "barrier":
      case "comment":
        return s;
      default:
        return s satisfies never;
    }
  }

  // ---- expressions
  /** Any expression, of the type that it had. */
  private any(e: Expr): Expr {
    if (isInt(e)) return this.signed(e);
    if (e.op === "index") return mapArgs(e, (at) => this.bits(at));
    if (e.op === "call" && e.text === "u32" && isInt(e.args[0]!)) return this.bits(e.args[0]!);
    if (e.op === "call" && e.text === "f32" && isInt(e.args[0]!) && isPositive(this.rangeOf(e.args[0]!)))
      return mapArgs(e, (a) => this.bits(a));
    if (isComparison(e.op) && e.args.every(isInt)) {
      const isSame = e.op === "==" || e.op === "!=";
      if (isSame || e.args.every((a) => isPositive(this.rangeOf(a)))) return mapArgs(e, (a) => this.bits(a));
    }
    return mapArgs(e, (a) => this.any(a));
  }
  /** An i32 as i32. */
  private signed(e: Expr): Expr {
    if (e.op === "name") return this.converted.has(e.text) ? call("i32", [name(e.text, u32)], i32) : e;
    if (e.op === "index") return mapArgs(e, (at) => this.bits(at));
    if (arithmetic.has(e.op) && isPositive(this.rangeOf(e)) && this.hasUnsigned(e))
      return call("i32", [this.bits(e)], i32);
    return mapArgs(e, (a) => this.any(a));
  }
  /** The bits of an i32 as u32. */
  private bits(e: Expr): Expr {
    if (e.type.element === "u32") return this.any(e);
    switch (e.op) {
      case "number":
        return u32Number(numberOf(e)! >>> 0); // WGSL refuses the conversion of a negative constant
      case "name":
        return this.converted.has(e.text) ? name(e.text, u32) : call("u32", [e], u32);
      case "+": {
        const [a, b] = e.args as [Expr, Expr];
        const [fewer, less] = [negated(a), negated(b)];
        if (less) return operation("-", this.bits(a), this.bits(less));
        if (fewer) return operation("-", this.bits(b), this.bits(fewer));
        return operation("+", this.bits(a), this.bits(b));
      }
      case "-":
      case "*":
      case "&":
        return operation(e.op, ...e.args.map((a) => this.bits(a)));
      case "<<":
        return operation(e.op, this.bits(e.args[0]!), this.any(e.args[1]!));
      case ">>":
        if (isPositive(this.rangeOf(e.args[0]!))) return operation(e.op, this.bits(e.args[0]!), this.any(e.args[1]!));
        break;
      case "/":
      case "%":
        if (e.args.every((a) => isPositive(this.rangeOf(a))))
          return operation(e.op, ...e.args.map((a) => this.bits(a)));
        break;
      case "call": {
        const [first] = e.args;
        if (e.text === "i32" && first!.type.element === "u32") return this.any(first!);
        if ((e.text === "min" || e.text === "max") && e.args.every((a) => isPositive(this.rangeOf(a))))
          return call(
            e.text,
            e.args.map((a) => this.bits(a)),
            u32,
          );
        if (e.text === "select")
          return call(
            e.text,
            e.args.map((a) => (isInt(a) ? this.bits(a) : this.any(a))),
            u32,
          );
        break;
      }
    }
    return call("u32", [this.signed(e)], u32);
  }
  private hasUnsigned(e: Expr): boolean {
    return e.op === "name" ? this.converted.has(e.text) : e.op !== "index" && e.args.some((a) => this.hasUnsigned(a));
  }

  // ---- ranges
  /** Bounds of an i32: of the number that it is, sums that wrap included. */
  private rangeOf(e: Expr): Range {
    const n = numberOf(e);
    if (n !== undefined) return { low: n, high: n };
    const of = (i: number): Range => this.rangeOf(e.args[i]!);
    switch (e.op) {
      case "name":
        return this.ranges.get(e.text) ?? within(anything, this.known.get(e.text));
      case "+":
        return exact(of(0).low + of(1).low, of(0).high + of(1).high);
      case "-":
        return exact(of(0).low - of(1).high, of(0).high - of(1).low);
      case "*": {
        const [a, b] = [of(0), of(1)];
        const corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
        return exact(Math.min(...corners), Math.max(...corners));
      }
      case "/":
        return isPositive(of(0)) && of(1).low > 0
          ? { low: Math.floor(of(0).low / of(1).high), high: Math.floor(of(0).high / of(1).low) }
          : anything;
      case "%":
        return isPositive(of(0)) && of(1).low > 0 ? { low: 0, high: Math.min(of(0).high, of(1).high - 1) } : anything;
      case "&": {
        const [a, b] = [of(0), of(1)];
        return isPositive(a) || isPositive(b)
          ? { low: 0, high: Math.min(isPositive(a) ? a.high : mostI32, isPositive(b) ? b.high : mostI32) }
          : anything;
      }
      case "call":
        if (e.text === "min") return { low: Math.min(of(0).low, of(1).low), high: Math.min(of(0).high, of(1).high) };
        if (e.text === "max") return { low: Math.max(of(0).low, of(1).low), high: Math.max(of(0).high, of(1).high) };
        if (e.text === "select") return { low: Math.min(of(0).low, of(1).low), high: Math.max(of(0).high, of(1).high) };
        if (e.text === "i32" && e.args[0]!.type.element === "u32" && isSmall(e.args[0]!))
          return { low: 0, high: mostSize };
        return anything;
      default:
        return anything;
    }
  }
}
/** What `e` is the negative of, where it is a number below 0 or a multiple by one. */
function negated(e: Expr): Expr | undefined {
  const n = numberOf(e);
  if (n !== undefined) return n < 0 && n > leastI32 ? i32Number(-n) : undefined;
  const factor = e.op === "*" ? numberOf(e.args[1]!) : undefined;
  if (factor === undefined || factor >= 0 || factor === leastI32) return undefined;
  return factor === -1 ? e.args[0]! : operation("*", e.args[0]!, i32Number(-factor));
}
const arithmetic: ReadonlySet<string> = new Set(["+", "-", "*", "/", "%", "&"]);
const isInt = ({ type }: Expr): boolean => type.element === "i32" && type.width === 1;
/** What the device counts: workgroups, invocations. */
function isSmall(e: Expr): boolean {
  if (e.op === "name") return counted.has(e.text);
  return e.op === "number" || ((e.op === "member" || e.op === "+" || e.op === "*") && e.args.every(isSmall));
}
const counted: ReadonlySet<string> = new Set<Builtin>(["group", "local_index", "lane_index"]);
/** A position along a size that only the run knows: no more than this, with what the last workgroups have of it beyond. */
const farthest = 2 * mostSize;
function within(a: Range, b: Range | undefined): Range {
  if (!b) return a;
  const high = b.high === Infinity && b.low >= 0 && !b.isComputed ? farthest : b.high;
  return { low: Math.max(a.low, b.low), high: Math.min(a.high, high) };
}
const exact = (low: number, high: number): Range => (isI32(low) && isI32(high) ? { low, high } : anything);
