// Scalars to statements. Every value is emitted into the block of the innermost loop that it depends on and remembered there by its text:
// hoisting, common subexpressions and the sharing of loaded values between the points of a tile are this one rule.
// Values are one or four wide: along the vector axis four neighbouring positions are one vec4.
import { InternalError } from "../../grammar/diagnostic.ts";
import { baseOf } from "../graph/node.ts";
import { asInteger, greatestCommonDivisor, interval, linear, positiveModulo, visit } from "../graph/scalar.ts";
import type {
  DType,
  Extent,
  Integer,
  Load,
  Local,
  Node,
  Random,
  Scalar,
  Scan,
  Shape,
  Variable,
} from "../graph/types.ts";
import { leastI32, mostI32, mostSize } from "../scalar/range.ts";
import type { ScalarFunction, WrittenAs } from "../scalar/functions.ts";
import { dimName, freeName, shortName, stemOf } from "../wgsl/names.ts";
import {
  bracketed,
  call,
  choice,
  component,
  element,
  f32,
  f32Number,
  i32,
  i32Number,
  isComparison,
  isFalse,
  isName,
  isNumber,
  isTrue,
  isZero,
  keyOf,
  name,
  negate,
  not,
  numberOf,
  operation,
  plus,
  same,
  splat,
  sumOf,
  truth,
  typeOf,
  typedNumber,
  u32,
  u32Number,
  vectorOf,
  wide,
  type ElementType,
  type Expr,
} from "../kernel/expr.ts";
import {
  addForms,
  boundsOf,
  constantForm,
  isMultiple,
  isVarying,
  linearKey,
  nameForm,
  shift,
  staysI32,
  wrapped,
  type Form,
  type Named,
} from "../kernel/forms.ts";
import type { Cost } from "../kernel/target.ts";
import type { LoadOf, Statement } from "../kernel/ir.ts";
import type { Layout } from "../kernel/layout.ts";

export interface Value {
  readonly expr: Expr; // a name, a component of one, or a literal; of a position also a sum
  readonly level: number; // of the innermost loop that it depends on
}
export interface Block {
  readonly statements: Statement[];
  readonly known: Map<string, Value>; // by code
  readonly scalars: Map<string, Value>; // by scalar and position
}
export interface TensorUse {
  readonly name: string;
  reads: boolean;
  writes: boolean;
}
/** What of a tensor a workgroup has in its own memory: a box that begins at `low`. */
export interface Box {
  readonly name: string;
  readonly low: readonly Form[];
  readonly strides: readonly number[];
}
/** A register axis along which the lanes hold different elements of what is the same for all of them. */
export interface Carrier {
  readonly variable: Variable;
  readonly start: Form; // the axis's first element in the tile
}

const facts = new WeakMap<Scalar, { loads: boolean; locals: boolean }>();
function factsOf(e: Scalar): { loads: boolean; locals: boolean } {
  let found = facts.get(e);
  if (!found) {
    found = { loads: false, locals: false };
    const own = found;
    visit(e, (x) => {
      if (x.kind === "load") own.loads = true;
      if (x.kind === "local") own.locals = true;
    });
    facts.set(e, found);
  }
  return found;
}
export const sizeOfShape = (shape: Shape): number =>
  shape.reduce<number>((p, n) => p * (typeof n === "number" ? n : NaN), 1);

export class Values {
  readonly names = new Map<string, Named>();
  readonly tensors = new Map<Node, TensorUse>();
  readonly scans = new Map<Scan, string>();
  readonly dims = new Set<string>();
  readonly helpers = new Set<string>();
  readonly scalarOnly: Set<Node>; // tensors that some access cannot read or write four at a time
  readonly fourWide = new Set<Node>(); // and those that some access does
  blocks: Block[] = [newBlock()];
  /** Position of every loop variable at the point that is evaluated. */
  readonly at = new Map<Variable, { readonly form: Form; readonly key: string }>();
  vector: Variable | undefined;
  point = ""; // names the point of the tile, for what depends on accumulators
  locals = new Map<Local, () => Value>(); // at the current point, wide where the vector is
  localsVary = false; // along the vector
  localLevel = 0;
  carriers: readonly Carrier[] = [];
  boxes: ReadonlyMap<Scalar, Box> = new Map();
  held: (e: Load) => Value | undefined = () => undefined; // what is in registers
  eager = false; // all parts of a conjunction are evaluated: lanes may have to meet for one
  lanes = 0;
  lane = ""; // the name of the lane's index
  /** Register elements of carriers at the current point. */
  readonly element = new Map<Variable, number>();
  private readonly used = new Set<string>(["main", "group", "local_index", "lane_index"]);
  private readonly layout: Layout;
  private readonly kernel: string;
  private readonly written: ReadonlySet<Node>;
  private readonly addresses = new Map<Scalar, Integer>();

  /** `tensors`: all that the kernel touches: their names come first. */
  constructor(
    kernel: string,
    layout: Layout,
    scalarOnly: Set<Node>,
    written: ReadonlySet<Node>,
    tensors: Iterable<Node>,
  ) {
    this.kernel = kernel;
    this.layout = layout;
    this.scalarOnly = scalarOnly;
    this.written = written;
    for (const node of tensors) this.tensor(node);
  }

  // ---- names and statements
  fresh(base: string): string {
    const own = freeName(base);
    const stem = stemOf(own);
    let name = own;
    for (let n = 1; this.used.has(name); n++) name = `${stem}_${n}`;
    this.used.add(name);
    this.names.delete(name); // of a loop that has ended: its level and bounds are not the new one's
    return name;
  }
  /** A name that no other begins with: of accumulators, which are numbered by their point. */
  freshFamily(base: string): string {
    const own = freeName(base);
    let name = own;
    const taken = (): boolean => [...this.used].some((u) => u === name || u.startsWith(`${name}_`));
    for (let n = 2; taken(); n++) name = `${own}${n}`;
    this.used.add(name);
    return name;
  }
  reserve(name: string): void {
    this.used.add(name);
  }
  /** The name of a loop's variable is free again after the loop, and what was known of it is forgotten: a value may have it next. */
  release(name: string): void {
    this.used.delete(name);
    this.names.delete(name);
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
  bind(name: string, named: Named): Form {
    this.names.set(name, named);
    return nameForm(name);
  }
  place(v: Variable, form: Form): void {
    this.at.set(v, { form, key: `${linearKey(form)}|${form.constant}` });
  }
  /** Runs f with v at this position. */
  with<T>(v: Variable, form: Form, f: () => T): T {
    const before = this.at.get(v);
    this.place(v, form);
    try {
      return f();
    } finally {
      if (before) this.at.set(v, before);
      else this.at.delete(v);
    }
  }
  /** Runs f at one of the four positions of the vector, one wide. */
  atComponent<T>(k: number, f: () => T): T {
    const v = this.vector!;
    const e = this.element.get(v);
    const point = this.point;
    this.vector = undefined;
    this.point = `${point}.${k}`;
    if (e !== undefined) this.element.set(v, e + k);
    try {
      return this.with(v, shift(this.at.get(v)!.form, k), f);
    } finally {
      this.vector = v;
      this.point = point;
      if (e !== undefined) this.element.set(v, e);
    }
  }

  // ---- integers
  formOf(e: Integer): Form {
    switch (e.kind) {
      case "affine": {
        let form = constantForm(wrapped(e.constant));
        for (const [atom, k] of e.terms) form = addForms(form, this.formOf(atom), wrapped(k));
        return form;
      }
      case "variable": {
        const known = this.at.get(e);
        if (known) return known.form;
        const [scan] = e.scans;
        if (scan) return this.stepOf(scan);
        throw new InternalError(`kernel ${this.kernel}: the variable ${e.name} is not bound`);
      }
      case "dim":
        this.dims.add(e.name);
        return this.bind(dimName(e.name), { level: 0, low: 1, high: Infinity, multiple: 1, varying: false });
      case "floor_div":
      case "modulo":
        return this.divide(e.kind, this.formOf(e.operand), e.divisor, interval(e.operand).low);
      default: {
        const { expr, level } = this.value(e);
        if (!isName(expr)) return constantForm(numberOf(expr)!);
        if (!this.names.has(expr.text))
          this.names.set(expr.text, { level, ...interval(e), multiple: 1, varying: true });
        return nameForm(expr.text);
      }
    }
  }
  /** floor(form / m) or form mod m. What the names' multiples leave over stays outside: neighbours in an aligned run share one division. */
  divide(kind: "floor_div" | "modulo", form: Form, m: number, least = -Infinity): Form {
    const operator = kind === "floor_div" ? "/" : "%";
    const base = kind === "floor_div" ? "q" : "r";
    if (m > mostI32) return this.divideByMore(kind, form, m);
    if (!staysI32(form, this.names, mostSize)) return this.divideAnything(kind, form, m); // a sum that may wrap is taken apart nowhere
    const step = [...form.terms].reduce(
      (g, [name, k]) => greatestCommonDivisor(g, k * this.names.get(name)!.multiple),
      m,
    );
    const rest = positiveModulo(form.constant, step);
    const even = shift(form, -rest);
    if (!even.terms.size)
      return constantForm(
        kind === "floor_div" ? Math.floor(even.constant / m) : positiveModulo(even.constant, m) + rest,
      );
    if (kind === "modulo" && step === m) return constantForm(rest);
    if (kind === "floor_div" && [...even.terms.values()].every((k) => k % m === 0) && even.constant % m === 0)
      return { terms: new Map([...even.terms].map(([name, k]) => [name, k / m])), constant: even.constant / m };
    const bounds = boundsOf(even, this.names);
    const low = Math.max(bounds.low, least - rest);
    if (Math.floor(low / m) === Math.floor(bounds.high / m) && Number.isFinite(low))
      return kind === "floor_div" ? constantForm(Math.floor(low / m)) : shift(form, -Math.floor(low / m) * m);
    // a multiple of m makes it non-negative, where there is room for one
    const lift = low >= 0 ? 0 : Math.ceil(-low / m);
    const lifted = shift(even, lift * m);
    if (!staysI32(lifted, this.names, mostSize)) return this.divideAnything(kind, form, m);
    const whole = this.sumOfForm(lifted);
    const part = operation(operator, whole.expr, i32Number(m));
    const { expr, level } = this.emit(
      whole.level,
      lift && kind === "floor_div" ? operation("-", part, i32Number(lift)) : part,
      "divide",
      base,
    );
    const own =
      kind === "floor_div"
        ? { low: Math.floor(low / m), high: Math.floor(bounds.high / m), multiple: 1 }
        : { low: 0, high: m - step, multiple: step };
    this.names.set(expr.text, { level, ...own, varying: isVarying(even, this.names) });
    return kind === "floor_div" ? nameForm(expr.text) : shift(nameForm(expr.text), rest);
  }
  /** The same for any i32, by a helper. */
  private divideAnything(kind: "floor_div" | "modulo", form: Form, m: number): Form {
    const helper = kind === "floor_div" ? "dlm_floor_div" : "dlm_modulo";
    this.helpers.add(helper);
    const whole = this.sumOfForm(form);
    const { expr, level } = this.emit(
      whole.level,
      call(helper, [whole.expr, i32Number(m)], i32),
      "divide",
      kind === "floor_div" ? "q" : "r",
    );
    const own =
      kind === "floor_div" ? { low: Math.floor(leastI32 / m), high: Math.floor(mostI32 / m) } : { low: 0, high: m - 1 };
    this.names.set(expr.text, { level, ...own, multiple: 1, varying: isVarying(form, this.names) });
    return nameForm(expr.text);
  }
  /** The same by more than any i32: floor is 0 or -1. */
  private divideByMore(kind: "floor_div" | "modulo", form: Form, m: number): Form {
    const whole = this.sumOfForm(form);
    const negative = operation("<", whole.expr, i32Number(0));
    const { expr, level } = this.emit(whole.level, choice(negative, i32Number(-1), i32Number(0)), "select", "q");
    this.names.set(expr.text, { level, low: -1, high: 0, multiple: 1, varying: isVarying(form, this.names) });
    return kind === "floor_div" ? nameForm(expr.text) : addForms(form, nameForm(expr.text), -m);
  }
  /** The sum that a form is: what outer loops know of it is a value of its own there, the constant comes last. */
  sumOfForm(form: Form, base = "at"): Value {
    const byLevel = new Map<number, [string, number][]>();
    for (const [name, k] of form.terms) {
      const level = this.names.get(name)!.level;
      const list = byLevel.get(level);
      if (list) list.push([name, k]);
      else byLevel.set(level, [[name, k]]);
    }
    let sum: Value | undefined;
    // the sum of a level, and the sum without its constant, serve the neighbours too
    const named = (v: Value): Value => (isName(v.expr) ? v : this.emit(v.level, v.expr, "integer", base));
    for (const level of [...byLevel.keys()].sort((a, b) => a - b)) {
      const terms = byLevel
        .get(level)!
        .sort(([a, j], [b, k]) => k - j || (a < b ? -1 : 1))
        .map(([text, k]) => [name(text, i32), k] as const);
      sum = { expr: sumOf(sum ? [[named(sum).expr, 1], ...terms] : terms), level };
    }
    const constant = wrapped(form.constant);
    if (!sum) return { expr: i32Number(constant), level: 0 };
    const { expr, level } = named(sum);
    if (!constant) return { expr, level };
    return { expr: plus(expr, constant), level };
  }
  private formValue(form: Form): Value {
    const sum = this.sumOfForm(form);
    return isName(sum.expr) || isNumber(sum.expr) ? sum : this.emit(sum.level, sum.expr, "integer", "n");
  }
  private stepOf(scan: Scan): Form {
    let name = this.scans.get(scan);
    if (!name) this.scans.set(scan, (name = this.fresh("step")));
    return this.bind(name, { level: 0, low: 0, high: scan.count - 1, multiple: 1, varying: false });
  }
  private integer(e: Integer): Value {
    if (!this.alongVector(e)) return this.formValue(this.formOf(e));
    if (e.kind === "affine") {
      // data among positions: four of them at once
      const data = e.terms.filter(
        ([atom]) =>
          atom.kind !== "variable" &&
          atom.kind !== "dim" &&
          atom.kind !== "floor_div" &&
          atom.kind !== "modulo" &&
          this.alongVector(atom),
      );
      if (data.length) {
        const parts = data.map(([atom, k]) => ({ v: this.value(atom), k }));
        const rest = this.integer(
          linear(
            e.terms.filter((t) => !data.includes(t)),
            e.constant,
          ),
        );
        const [more, less] = [parts.filter((p) => p.k > 0), parts.filter((p) => p.k < 0)];
        const sum = sumOf([
          ...more.map(({ v, k }) => [v.expr, k] as const),
          ...(isZero(rest.expr) ? [] : [[rest.expr, 1] as const]),
          ...less.map(({ v, k }) => [v.expr, k] as const),
        ]);
        return this.emit(Math.max(rest.level, ...parts.map(({ v }) => v.level)), sum, "integer", "n");
      }
    }
    const forms = this.forms4(e);
    const apart = differences(forms);
    if (apart?.every((d) => d === 0)) return this.formValue(forms[0]!);
    if (apart) {
      const first = this.formValue(forms[0]!);
      return this.emit(first.level, operation("+", first.expr, vectorOf("i32", apart.map(i32Number))), "integer", "n");
    }
    const each = forms.map((f) => this.formValue(f));
    return this.emit(
      Math.max(...each.map((v) => v.level)),
      vectorOf(
        "i32",
        each.map((v) => v.expr),
      ),
      "none",
      "n",
    );
  }
  private forms4(e: Integer): Form[] {
    return [0, 1, 2, 3].map((k) => this.atComponent(k, () => this.formOf(e)));
  }

  // ---- scalars
  value(e: Scalar): Value {
    if (e.kind === "literal") return this.constant(e.value, e.dtype);
    if (e.kind === "local") {
      const of = this.locals.get(e);
      if (!of) throw new InternalError(`kernel ${this.kernel}: the local ${e.name} is not known`);
      return of();
    }
    let key = `${e.id}`;
    for (const v of e.variables) key += `,${this.at.get(v)!.key}`;
    if (factsOf(e).locals) key += `;${this.point}`;
    if (this.alongVector(e)) key += "v";
    if (this.carriers.length) key += "c";
    for (let l = this.depth; l >= 0; l--) {
      const known = this.blocks[l]!.scalars.get(key);
      if (known) return known;
    }
    const v = this.carried(e) ?? this.plain(e);
    this.blocks[v.level]!.scalars.set(key, v);
    return v;
  }
  private alongVector(e: Scalar): boolean {
    return this.vector !== undefined && (e.variables.has(this.vector) || (this.localsVary && factsOf(e).locals));
  }
  /** What is the same for all lanes is loaded by one lane for each element of the carrier and passed round. */
  private carried(e: Scalar): Value | undefined {
    const carrier = this.carriers.find((c) => e.variables.has(c.variable));
    if (!carrier || e.dtype === "bool" || !factsOf(e).loads || factsOf(e).locals) return undefined;
    for (const v of e.variables) if (isVarying(this.at.get(v)!.form, this.names)) return undefined;
    if (this.vector === carrier.variable) return this.each(e.dtype, () => this.value(e));
    const r = this.element.get(carrier.variable)!;
    const whole = Math.floor(r / this.lanes) * this.lanes;
    const carriers = this.carriers;
    this.carriers = [];
    const own = this.with(carrier.variable, addForms(shift(carrier.start, whole), nameForm(this.lane)), () =>
      this.value(e),
    );
    this.carriers = carriers;
    return this.emit(
      own.level,
      call("subgroupBroadcast", [own.expr, u32Number(r - whole)], own.expr.type),
      "broadcast",
      this.baseName(e),
    );
  }
  private baseName(e: Scalar): string {
    return e.kind === "load" ? shortName(this.layout.nameOf(baseOf(e.tensor))) : "v";
  }
  /** Four values one by one, as one vector. */
  private each(dtype: DType, f: () => Value): Value {
    const values = [0, 1, 2, 3].map((k) => this.atComponent(k, f));
    if (values.every((v) => same(v.expr, values[0]!.expr))) return values[0]!;
    return this.emit(
      Math.max(...values.map((v) => v.level)),
      vectorOf(
        dtype,
        values.map((v) => v.expr),
      ),
      "none",
      "v",
    );
  }
  private plain(e: Exclude<Scalar, { kind: "literal" | "local" }>): Value {
    switch (e.kind) {
      case "dim":
      case "variable":
      case "affine":
      case "floor_div":
      case "modulo":
        return this.integer(e);
      case "non_negative":
      case "equal_zero": {
        const v = this.alongVector(e.operand) ? this.integer(e.operand) : undefined;
        if (v?.expr.type.width === 4) {
          const zeros = splat(i32Number(0));
          const holds = operation(e.kind === "non_negative" ? ">=" : "==", v.expr, zeros);
          return this.emit(v.level, holds, "compare", "inside");
        }
        return this.compared(e.kind, this.formOf(e.operand));
      }
      case "and":
        return this.conjunction(e.operands.map((x) => this.value(x)));
      case "not": {
        const v = this.value(e.operand);
        if (isTrue(v.expr) || isFalse(v.expr)) return known(isFalse(v.expr));
        return this.emit(v.level, not(v.expr), "compare", "outside");
      }
      case "select": {
        const c = this.value(e.condition);
        if (isTrue(c.expr)) return this.value(e.then);
        if (isFalse(c.expr)) return this.value(e.otherwise);
        return this.select(c, this.value(e.then), this.value(e.otherwise), "v");
      }
      case "call": {
        const xs = e.operands.map((x) => this.value(x));
        return e.fn.wgsl === "operand" ? xs[0]! : this.call(e.fn, e.fn.wgsl, xs, e.dtype);
      }
      case "random":
        return this.draw(e);
      case "load":
        return this.load(e);
      default:
        return e satisfies never;
    }
  }
  /** form >= 0, or form == 0: what is subtracted goes to the other side. */
  private compared(kind: "non_negative" | "equal_zero", form: Form): Value {
    const { low, high } = boundsOf(form, this.names);
    if (staysI32(form, this.names)) {
      if (high < 0 || (kind === "equal_zero" && low > 0)) return known(false);
      if (kind === "non_negative" ? low >= 0 : low === 0 && high === 0) return known(true);
    }
    const part = (sign: 1 | -1): Form => ({
      terms: new Map([...form.terms].filter(([, k]) => k * sign > 0).map(([name, k]) => [name, k * sign])),
      constant: 0,
    });
    const [more, less] = [part(1), part(-1)];
    // the constant stands on the right, unless only the left has room for it
    const flipped = !more.terms.size;
    const sides = [flipped ? less : more, flipped ? constantForm(form.constant) : shift(less, -form.constant)] as const;
    if (kind === "non_negative" && !sides.every((side) => staysI32(side, this.names))) {
      const whole = this.sumOfForm(form);
      return this.emit(whole.level, operation(">=", whole.expr, i32Number(0)), "compare", "inside");
    }
    const [left, right] = [this.sumOfForm(sides[0]), this.sumOfForm(sides[1])];
    return this.emit(
      Math.max(left.level, right.level),
      operation(kind === "equal_zero" ? "==" : flipped ? "<=" : ">=", left.expr, right.expr),
      "compare",
      kind === "equal_zero" ? "here" : "inside",
    );
  }
  conjunction(parts: readonly Value[]): Value {
    if (parts.some((p) => isFalse(p.expr))) return known(false);
    const live = parts.filter((p, i) => !isTrue(p.expr) && parts.findIndex((q) => same(q.expr, p.expr)) === i);
    if (live.length <= 1) return live[0] ?? known(true);
    const level = Math.max(...live.map((p) => p.level));
    const single = live.every((p) => p.expr.type.width === 1);
    const holds = single
      ? operation(this.eager ? "&" : "&&", ...live.map((p) => p.expr))
      : operation("&", ...live.map((p) => splat(p.expr)));
    return this.emit(level, holds, "compare", "inside");
  }
  select(condition: Value, then: Value, otherwise: Value, base: string): Value {
    const level = Math.max(condition.level, then.level, otherwise.level);
    const four = [condition, then, otherwise].some((v) => v.expr.type.width === 4);
    const arm = ({ expr }: Value): Expr => (four ? splat(expr) : expr);
    return this.emit(level, choice(condition.expr, arm(then), arm(otherwise)), "select", base);
  }
  private constant(x: number, dtype: DType): Value {
    if (dtype === "bool") return known(x !== 0);
    if (!Number.isNaN(x)) return { expr: f32Number(x), level: 0 };
    this.helpers.add("dlm_nan");
    return this.emit(0, call("dlm_nan", [], f32), "none", "v");
  }
  private call(fn: ScalarFunction, wgsl: WrittenAs, xs: readonly Value[], dtype: DType): Value {
    // A constant expression whose value is no number of its type is an error of the shader: none is left to the driver, calls of our own functions are none.
    const numbers = xs.map((x) => numberOf(x.expr));
    if (!fn.helpers && dtype !== "i32" && numbers.every((n): n is number => n !== undefined))
      return this.constant(fn.evaluate(...numbers), dtype);
    fn.helpers?.forEach((h) => this.helpers.add(h));
    const cost = fn.cost === "fn" ? "function" : fn.cost === "div" ? "divide" : "alu";
    return this.emit(
      Math.max(0, ...xs.map((x) => x.level)),
      callOf(
        wgsl,
        xs.map((x) => x.expr),
        typeOf(dtype),
      ),
      cost,
      dtype === "bool" ? "holds" : "v",
    );
  }
  private site(e: Random): Expr {
    const from = this.layout.siteOf?.(e.site);
    if (!from) return u32Number(e.site);
    const t = this.tensor(from);
    t.reads = true;
    return call("u32", [element(t.name, i32Number(0), i32)], u32);
  }
  private draw(e: Random): Value {
    const position = e.indices.reduce<Integer>(
      (sum, x, d) =>
        linear([
          [sum, e.extents[d]!],
          [x, 1],
        ]),
      asInteger(0),
    );
    const seed = this.value(e.seed);
    const step = this.value(e.step);
    const drawn = (at: Value, helper: string, type: ElementType): Value => {
      this.helpers.add(helper);
      return this.emit(
        Math.max(seed.level, step.level, at.level),
        call(helper, [seed.expr, this.site(e), step.expr, call("u32", [at.expr], u32)], type),
        "random",
        "draw",
      );
    };
    const one = (): Value => drawn(this.sumOfForm(this.formOf(position)), `dlm_${e.distribution}`, f32);
    if (!this.alongVector(position)) return one();
    const forms = this.forms4(position);
    if (!this.aligned(forms)) return this.each("f32", one);
    // four neighbours come from the same block of the stream
    return drawn(this.quarter(forms[0]!), `dlm_${e.distribution}4`, wide(f32));
  }

  // ---- memory
  tensor(node: Node): TensorUse {
    const base = baseOf(node);
    let found = this.tensors.get(base);
    if (!found)
      this.tensors.set(base, (found = { name: this.fresh(this.layout.nameOf(base)), reads: false, writes: false }));
    return found;
  }
  storageOf(node: Node): DType | "u8" {
    return this.layout.storageOf(baseOf(node));
  }
  /** The element's position in row-major order. */
  address(shape: Shape, indices: readonly Integer[], key?: Scalar): Form {
    if (shape.every((n) => typeof n === "number")) {
      let whole = key && this.addresses.get(key);
      if (!whole) {
        whole = indices.reduce<Integer>(
          (sum, x, d) =>
            linear([
              [sum, shape[d] as number],
              [x, 1],
            ]),
          asInteger(0),
        );
        if (key) this.addresses.set(key, whole);
      }
      return this.formOf(whole);
    }
    return this.addressOfForms(
      shape,
      indices.map((e) => this.formOf(e)),
    );
  }
  addressOfForms(shape: Shape, indices: readonly Form[]): Form {
    let form = constantForm(0);
    let stride = 1;
    let symbolic: Expr | undefined; // a run-time stride
    for (let d = shape.length - 1; d >= 0; d--) {
      const at = indices[d]!;
      if (!symbolic) form = addForms(form, at, stride);
      else if (at.terms.size || at.constant) {
        const v = this.sumOfForm(at);
        const own = isNumber(v.expr) ? bracketed(v.expr) : v.expr;
        const { expr, level } = this.emit(v.level, operation("*", own, symbolic), "integer", "row");
        this.names.set(expr.text, {
          level,
          ...boundsOf(at, this.names),
          multiple: 1,
          varying: isVarying(at, this.names),
          high: Infinity,
        });
        form = addForms(form, nameForm(expr.text));
      }
      const n = shape[d]!;
      if (typeof n === "number" && !symbolic) stride *= n;
      else if (d > 0) {
        const own = this.sizeOf(n);
        const product: Expr = symbolic
          ? operation("*", symbolic, own)
          : stride === 1
            ? own
            : operation("*", own, i32Number(stride));
        symbolic = isName(product) ? product : this.emit(0, product, "integer", "stride").expr;
      }
    }
    return form;
  }
  sizeOf(n: Extent): Expr {
    return typeof n === "number" ? i32Number(n) : this.sumOfForm(this.formOf(n)).expr;
  }
  /** Where an index may leave the tensor, one comparison: below 0 is far above as an unsigned number. */
  private inside(shape: Shape, indices: readonly Form[]): Value {
    return this.conjunction(
      indices.map((form, d) => {
        const n = shape[d]!;
        const { low, high } = boundsOf(form, this.names);
        if (staysI32(form, this.names) && (high < 0 || (typeof n === "number" && low >= n))) return known(false);
        if (low >= 0 && typeof n === "number" && high < n) return known(true);
        const alone = { terms: form.terms, constant: typeof n === "number" ? 0 : form.constant };
        if (
          low >= 0 &&
          staysI32(alone, this.names, mostSize) &&
          (typeof n !== "number" || n - form.constant <= mostI32)
        )
          return this.below(alone, typeof n === "number" ? n - form.constant : n);
        const whole = this.sumOfForm(form);
        const bound = typeof n === "number" ? u32Number(n) : call("u32", [this.sizeOf(n)], u32);
        return this.emit(whole.level, operation("<", call("u32", [whole.expr], u32), bound), "compare", "inside");
      }),
    );
  }
  /** form < n */
  below(form: Form, n: Extent): Value {
    const whole = this.sumOfForm(form);
    return this.emit(whole.level, operation("<", whole.expr, this.sizeOf(n)), "compare", "inside");
  }
  private load(e: Load): Value {
    const held = this.held(e);
    if (held) return held;
    const box = this.boxes.get(e);
    if (box) return this.alongVector(e) ? this.each(e.dtype, () => this.load(e)) : this.fromBox(e, box);
    if (this.alongVector(e)) return this.load4(e);
    return this.loadAt(
      e,
      e.indices.map((x) => this.formOf(x)),
      () => this.address(e.tensor.shape, e.indices, e),
      e.outside && (() => this.value(e.outside!)),
    );
  }
  private fromBox(e: Load, box: Box): Value {
    const place = e.indices.reduce(
      (sum, x, d) => addForms(sum, addForms(this.formOf(x), box.low[d]!, -1), box.strides[d]!),
      constantForm(0),
    );
    const at = this.sumOfForm(place, `${box.name}_at`);
    return this.emit(at.level, element(box.name, at.expr, typeOf(e.dtype)), "workgroup", shortName(box.name));
  }
  /** One element of a tensor. */
  loadAt(
    of: { readonly tensor: Node; readonly dtype: DType },
    indices: readonly Form[],
    address: () => Form,
    outside: (() => Value) | undefined,
  ): Value {
    const guard = outside ? this.inside(of.tensor.shape, indices) : known(true);
    if (isFalse(guard.expr)) return outside!();
    const base = baseOf(of.tensor);
    const tensor = this.tensor(of.tensor);
    tensor.reads = true;
    const storage = this.storageOf(base);
    const short = shortName(tensor.name);
    const pinned = this.written.has(base);
    const at = this.sumOfForm(address(), `${short}_at`);
    if (storage !== "u8") this.scalarOnly.add(base);
    const whole = storage !== "u8" || isName(at.expr) ? at : this.emit(at.level, at.expr, "integer", `${short}_at`);
    const code = read(storage, tensor.name, whole.expr, typeOf(of.dtype));
    const load = { tensor: of.tensor, indices };
    if (isTrue(guard.expr))
      return this.emit(at.level, code, "load", short, { pinned, load: { ...load, outside: undefined } });
    const beyond = outside!();
    const raw = this.emit(at.level, code, "load", short, { pinned });
    return this.emit(
      Math.max(at.level, guard.level, beyond.level),
      choice(guard.expr, raw.expr, beyond.expr),
      "select",
      short,
      { pinned, load: { ...load, outside: beyond.expr } },
    );
  }
  private load4(e: Load): Value {
    const base = baseOf(e.tensor);
    const one = (): Value => this.load(e);
    const shape = e.tensor.shape;
    const forms = [0, 1, 2, 3].map((k) => this.atComponent(k, () => this.address(shape, e.indices, e)));
    const apart = differences(forms);
    const equal = apart?.every((d) => d === 0) ?? false;
    const storage = this.storageOf(base);
    if (!equal && (!this.aligned(forms) || (storage !== "u8" && (this.scalarOnly.has(base) || !canBeWide(base)))))
      return this.each(e.dtype, one);
    let guard = known(true);
    if (e.outside) {
      const guards = [0, 1, 2, 3].map((k) =>
        this.atComponent(k, () =>
          this.inside(
            shape,
            e.indices.map((x) => this.formOf(x)),
          ),
        ),
      );
      if (guards.some((g) => !same(g.expr, guards[0]!.expr))) return this.each(e.dtype, one);
      guard = guards[0]!;
    }
    if (equal) return this.atComponent(0, one);
    if (isFalse(guard.expr)) return this.value(e.outside!);
    const tensor = this.tensor(e.tensor);
    tensor.reads = true;
    if (storage !== "u8") this.fourWide.add(base);
    const short = shortName(tensor.name);
    const at = this.quarter(forms[0]!, `${short}_at`);
    const code = read(storage, tensor.name, at.expr, wide(typeOf(e.dtype)));
    const raw = this.emit(at.level, code, storage === "u8" ? "load" : "load4", short, {
      pinned: this.written.has(base),
    });
    return isTrue(guard.expr) ? raw : this.select(guard, raw, this.value(e.outside!), short);
  }
  /** Four neighbours from a multiple of four on. */
  aligned(forms: readonly Form[]): boolean {
    const apart = differences(forms);
    return (
      !!apart && apart.every((d, k) => d === k) && forms[0]!.constant % 4 === 0 && isMultiple(forms[0]!, 4, this.names)
    );
  }
  /** form / 4, exactly. */
  quarter(form: Form, base = "at"): Value {
    let result = constantForm(form.constant / 4);
    for (const [text, k] of form.terms) {
      if (k % 4 === 0) {
        result = addForms(result, nameForm(text), k / 4);
        continue;
      }
      // the name itself is even enough
      const named = this.names.get(text)!;
      const g = 4 / greatestCommonDivisor(k, 4);
      const part = this.emit(
        named.level,
        (g === 4 && named.fourth) || operation("/", name(text, i32), i32Number(g)),
        "integer",
        `${text}_${g === 4 ? "fourth" : "half"}`,
      ).expr.text;
      this.names.set(part, {
        level: named.level,
        low: named.low / g,
        high: named.high / g,
        multiple: Math.max(1, named.multiple / g),
        varying: named.varying,
      });
      result = addForms(result, nameForm(part), (k * g) / 4);
    }
    return this.sumOfForm(result, base);
  }
}
export const newBlock = (): Block => ({ statements: [], known: new Map(), scalars: new Map() });
const known = (b: boolean): Value => ({ expr: truth(b), level: 0 });
/** What memory has at an address, counted in elements, or in fours of them. */
function read(storage: DType | "u8", array: string, at: Expr, type: ElementType): Expr {
  const four = type.width === 4;
  const words = four ? wide(u32) : u32;
  const vector = (parts: readonly number[]): Expr => vectorOf("u32", parts.map(u32Number));
  if (storage === "bool") return operation("!=", element(array, at, words), four ? vector([0]) : u32Number(0));
  if (storage !== "u8") return element(array, at, type);
  if (four) {
    const bytes = operation(">>", splat(element(array, at, u32)), vector([0, 8, 16, 24]));
    return call("vec4i", [operation("&", bytes, vector([255]))], type);
  }
  const shift = operation("*", u32Number(8), call("u32", [operation("&", at, i32Number(3))], u32));
  const word = element(array, operation(">>", at, u32Number(2)), u32);
  return call("i32", [operation("&", operation(">>", word, shift), u32Number(255))], type);
}
/** How far forms lie from the first, or undefined where they differ by more than a constant. */
function differences(forms: readonly Form[]): number[] | undefined {
  const key = linearKey(forms[0]!);
  return forms.every((f) => linearKey(f) === key) ? forms.map((f) => f.constant - forms[0]!.constant) : undefined;
}
/** Memory of a known size in whole fours. */
export const canBeWide = (base: Node): boolean => sizeOfShape(base.shape) % 4 === 0;
/** A scalar function of numbers or vectors. */
export function callOf(wgsl: WrittenAs, xs: readonly Expr[], type: ElementType): Expr {
  if (xs.every((x) => x.type.width === 1)) return written(wgsl, xs, type);
  switch (overVectors(wgsl)) {
    case "mixed":
      return written(wgsl, xs, wide(type));
    case "wide":
      return written(wgsl, xs.map(splat), wide(type));
    case "each":
      return vectorOf(
        type.element,
        [0, 1, 2, 3].map((k) =>
          written(
            wgsl,
            xs.map((x) => component(x, k)),
            type,
          ),
        ),
      );
  }
}
/** Arithmetic takes a vector and a number; comparisons and built-in functions want all wide; anything else goes component by component. */
function overVectors(wgsl: WrittenAs): "mixed" | "wide" | "each" {
  if ("operator" in wgsl) return isComparison(wgsl.operator) ? "wide" : "mixed";
  return "builtin" in wgsl ? "wide" : "each";
}
function written(wgsl: WrittenAs, xs: readonly Expr[], type: ElementType): Expr {
  if ("operator" in wgsl) return xs.length === 1 ? negate(xs[0]!) : operation(wgsl.operator, ...xs);
  if ("builtin" in wgsl) return call(wgsl.builtin, xs, type);
  if ("call" in wgsl) return call(wgsl.call, xs, type);
  const [otherwise, then] = wgsl.select;
  return choice(xs[0]!, typedNumber(then, type), typedNumber(otherwise, type), type);
}
