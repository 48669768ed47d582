// Statements and names: every value is emitted into the block of the innermost loop that it depends on and remembered there, so that equal
// expressions are one.
import { freeName, stemOf } from "../wgsl/names.ts";
import { keyOf, name, type Expr } from "../kernel/expr.ts";
import type { Named } from "../kernel/forms.ts";
import type { Cost } from "../kernel/target.ts";
import type { LoadOf, Statement } from "../kernel/ir.ts";

export interface Value {
  readonly expr: Expr; // a name, a component of one, or a literal; of a position also a sum
  readonly level: number; // depth of the innermost loop that it depends on; 0 outside of all loops
}
export interface Block {
  readonly statements: Statement[];
  readonly known: Map<string, Value>; // by type and expression
  readonly scalars: Map<string, Value>; // by scalar and position
}
export const newBlock = (): Block => ({ statements: [], known: new Map(), scalars: new Map() });

/** "a_b_1": "a", "a_b". */
function beginnings(name: string): string[] {
  const found: string[] = [];
  for (let at = name.indexOf("_"); at >= 0; at = name.indexOf("_", at + 1)) found.push(name.slice(0, at));
  return found;
}

/** The blocks of a kernel that is being written, from the outermost to the innermost open one. */
export class Emitter {
  readonly names = new Map<string, Named>(); // what is known of integers
  blocks: Block[] = [newBlock()];
  private readonly used = new Set<string>();
  private readonly begun = new Map<string, number>(); // how many used names begin with this and `_`
  private readonly next = new Map<string, number>(); // by stem: all lower numbers are used

  constructor() {
    for (const own of ["main", "group", "local_index", "lane_index"]) this.reserve(own);
  }
  fresh(base: string): string {
    const own = freeName(base);
    const stem = stemOf(own);
    let name = own;
    if (this.used.has(name)) {
      let n = this.next.get(stem) ?? 1;
      do name = `${stem}_${n++}`;
      while (this.used.has(name));
      this.next.set(stem, n);
    }
    this.reserve(name);
    this.names.delete(name); // of a loop that has ended: its level and bounds are not the new one's
    return name;
  }
  /** A name that no other begins with: of accumulators, which are numbered by their point. */
  freshFamily(base: string): string {
    const own = freeName(base);
    let name = own;
    for (let n = this.next.get(`${own} of points`) ?? 2; this.used.has(name) || this.begun.has(name); n++) {
      name = `${own}${n}`;
      this.next.set(`${own} of points`, n + 1);
    }
    this.reserve(name);
    return name;
  }
  reserve(name: string): void {
    if (this.used.has(name)) return;
    this.used.add(name);
    for (const begin of beginnings(name)) this.begun.set(begin, (this.begun.get(begin) ?? 0) + 1);
  }
  /** The name of a loop's variable is free again after the loop, and what was known of it is forgotten: a value may have it next. */
  release(name: string): void {
    this.names.delete(name);
    if (!this.used.delete(name)) return;
    for (const begin of beginnings(name)) {
      const left = this.begun.get(begin)! - 1;
      if (left) this.begun.set(begin, left);
      else this.begun.delete(begin);
      this.next.delete(begin);
    }
    this.next.delete(stemOf(name));
  }
  get depth(): number {
    return this.blocks.length - 1;
  }
  push(statement: Statement): void {
    this.blocks[this.depth]!.statements.push(statement);
  }
  open(): void {
    this.blocks.push(newBlock());
  }
  close(): Block {
    return this.blocks.pop()!;
  }
  /** Another order of what the innermost block has. */
  reorder(order: (statements: readonly Statement[]) => Statement[]): void {
    const { statements } = this.blocks[this.depth]!;
    statements.splice(0, statements.length, ...order(statements));
  }
  /** A value of the loop at this depth, the same for equal expressions. */
  emit(level: number, expr: Expr, cost: Cost, base: string, more: { pinned?: boolean; load?: LoadOf } = {}): Value {
    const block = this.blocks[level]!;
    const { type } = expr;
    const key = `${type.element}${type.width}:${keyOf(expr)}`;
    const known = block.known.get(key);
    if (known) return known;
    const own = this.fresh(base);
    block.statements.push({
      kind: "let",
      name: own,
      value: expr,
      cost,
      pinned: more.pinned ?? false,
      ...(more.load ? { load: more.load } : {}),
    });
    const value = { expr: name(own, type), level };
    block.known.set(key, value);
    return value;
  }
}
