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
import { largestF32, leastI32, mostI32, mostSize } from "../scalar/range.ts";
import { dimName, f32Text, freeName, i32Text } from "../wgsl/names.ts";
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
} from "./forms.ts";
import type { Cost } from "../kernel/target.ts";
import { precedence, type ElementType, type Let, type Statement } from "./ir.ts";
import type { Layout } from "../kernel/layout.ts";

export interface Value {
  readonly text: string; // an identifier, a component of one, or a literal
  readonly level: number;
  readonly type: ElementType;
}
interface Text {
  readonly text: string;
  readonly level: number;
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

export const f32: ElementType = { element: "f32", width: 1 };
export const i32: ElementType = { element: "i32", width: 1 };
export const bool: ElementType = { element: "bool", width: 1 };
export const wide = (t: ElementType): ElementType => ({ element: t.element, width: 4 });
const typeOf = (d: DType): ElementType => ({ element: d, width: 1 });
export const vectorName = { f32: "vec4f", i32: "vec4i", u32: "vec4u", bool: "vec4<bool>" } as const;
export const components = ["x", "y", "z", "w"] as const;
export const component = (v: Value, k: number): string => (v.type.width === 4 ? `${v.text}.${components[k]}` : v.text);
/** The value four times. */
export const splat = (v: Value): string => (v.type.width === 4 ? v.text : `${vectorName[v.type.element]}(${v.text})`);
export const vectorOf = (element: ElementType["element"], texts: readonly string[]): string =>
  texts.every((t) => t === texts[0])
    ? `${vectorName[element]}(${texts[0]})`
    : `${vectorName[element]}(${texts.join(", ")})`;
const isName = (text: string): boolean => /^[a-z]\w*$/i.test(text) && text !== "true" && text !== "false";

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
    const stem = own.replace(/_$/, "");
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
  emit(
    level: number,
    type: ElementType,
    code: string,
    binding: number,
    cost: Cost,
    base: string,
    more: { pinned?: boolean; load?: Let["load"] } = {},
  ): Value {
    const block = this.blocks[level]!;
    const key = `${type.element}${type.width}:${code}`;
    const known = block.known.get(key);
    if (known) return known;
    const name = this.fresh(base);
    block.statements.push({
      kind: "let",
      name,
      type,
      code,
      binding,
      cost,
      pinned: more.pinned ?? false,
      ...(more.load ? { load: more.load } : {}),
    });
    const value = { text: name, level, type };
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
        const v = this.value(e);
        if (!isName(v.text)) return constantForm(Number(v.text));
        if (!this.names.has(v.text))
          this.names.set(v.text, { level: v.level, ...interval(e), multiple: 1, varying: true });
        return nameForm(v.text);
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
    const text = this.formText(lifted);
    const whole = isName(text.text) ? text.text : `(${text.text})`;
    const code = `${whole} ${operator} ${m}`;
    const value =
      lift && kind === "floor_div"
        ? this.emit(text.level, i32, `${code} - ${lift}`, precedence.add, "divide", base)
        : this.emit(text.level, i32, code, precedence.multiply, "divide", base);
    const own =
      kind === "floor_div"
        ? { low: Math.floor(low / m), high: Math.floor(bounds.high / m), multiple: 1 }
        : { low: 0, high: m - step, multiple: step };
    this.names.set(value.text, { level: value.level, ...own, varying: isVarying(even, this.names) });
    return kind === "floor_div" ? nameForm(value.text) : shift(nameForm(value.text), rest);
  }
  /** The same for any i32, by a helper. */
  private divideAnything(kind: "floor_div" | "modulo", form: Form, m: number): Form {
    const helper = kind === "floor_div" ? "dlm_floor_div" : "dlm_modulo";
    this.helpers.add(helper);
    const { text, level } = this.formText(form);
    const value = this.emit(
      level,
      i32,
      `${helper}(${text}, ${m})`,
      precedence.atom,
      "divide",
      kind === "floor_div" ? "q" : "r",
    );
    const own =
      kind === "floor_div" ? { low: Math.floor(leastI32 / m), high: Math.floor(mostI32 / m) } : { low: 0, high: m - 1 };
    this.names.set(value.text, { level, ...own, multiple: 1, varying: isVarying(form, this.names) });
    return nameForm(value.text);
  }
  /** The same by more than any i32: floor is 0 or -1. */
  private divideByMore(kind: "floor_div" | "modulo", form: Form, m: number): Form {
    const { text, level } = this.formText(form);
    const below = this.emit(level, i32, `select(0, -1, ${text} < 0)`, precedence.atom, "select", "q");
    this.names.set(below.text, { level, low: -1, high: 0, multiple: 1, varying: isVarying(form, this.names) });
    return kind === "floor_div" ? nameForm(below.text) : addForms(form, nameForm(below.text), -m);
  }
  /** Text of a form: what outer loops know of it is a value of its own there, the constant comes last. */
  formText(form: Form, base = "at"): Text {
    const byLevel = new Map<number, [string, number][]>();
    for (const [name, k] of form.terms) {
      const level = this.names.get(name)!.level;
      const list = byLevel.get(level);
      if (list) list.push([name, k]);
      else byLevel.set(level, [[name, k]]);
    }
    let text = "";
    let level = 0;
    const levels = [...byLevel.keys()].sort((a, b) => a - b);
    for (const own of levels) {
      if (text && !isName(text)) text = this.emit(level, i32, text, sumBinding(text), "integer", base).text;
      const parts = byLevel
        .get(own)!
        .sort(([a, j], [b, k]) => k - j || (a < b ? -1 : 1))
        .map(([name, k]) => (k === 1 ? name : k === -1 ? `-${name}` : `${name} * ${i32Text(k)}`));
      if (text) parts.unshift(text);
      text = parts.join(" + ").replaceAll("+ -", "- ");
      level = own;
    }
    const constant = wrapped(form.constant);
    if (!text) return { text: String(constant), level: 0 };
    if (!isName(text)) {
      // the sum without its constant serves the neighbours too
      text = this.emit(level, i32, text, sumBinding(text), "integer", base).text;
    }
    if (constant) text += constant > 0 || constant === leastI32 ? ` + ${constant}` : ` - ${-constant}`; // 2^31 is no i32
    return { text, level };
  }
  private formValue(form: Form): Value {
    const { text, level } = this.formText(form);
    if (isName(text) || /^-?\d+$/.test(text)) return { text, level, type: i32 };
    return this.emit(level, i32, text, sumBinding(text), "integer", "n");
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
        const term = ({ v, k }: (typeof parts)[number]): string =>
          k === 1 ? v.text : k === -1 ? `-${v.text}` : `${v.text} * ${i32Text(k)}`;
        const code = [
          ...parts.filter((p) => p.k > 0).map(term),
          ...(rest.text === "0" ? [] : [rest.text]),
          ...parts.filter((p) => p.k < 0).map(term),
        ]
          .join(" + ")
          .replaceAll("+ -", "- ");
        const four = parts.some(({ v }) => v.type.width === 4) || rest.type.width === 4;
        return this.emit(
          Math.max(rest.level, ...parts.map(({ v }) => v.level)),
          four ? wide(i32) : i32,
          code,
          precedence.add,
          "integer",
          "n",
        );
      }
    }
    const forms = this.forms4(e);
    const apart = differences(forms);
    if (apart?.every((d) => d === 0)) return this.formValue(forms[0]!);
    if (apart) {
      const first = this.formValue(forms[0]!);
      return this.emit(
        first.level,
        wide(i32),
        `${first.text} + ${vectorOf("i32", apart.map(String))}`,
        precedence.add,
        "integer",
        "n",
      );
    }
    const each = forms.map((f) => this.formValue(f));
    return this.emit(
      Math.max(...each.map((v) => v.level)),
      wide(i32),
      vectorOf(
        "i32",
        each.map((v) => v.text),
      ),
      precedence.atom,
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
      own.type,
      `subgroupBroadcast(${own.text}, ${r - whole}u)`,
      precedence.atom,
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
    if (values.every((v) => v.text === values[0]!.text)) return values[0]!;
    return this.emit(
      Math.max(...values.map((v) => v.level)),
      wide(typeOf(dtype)),
      vectorOf(
        dtype,
        values.map((v) => v.text),
      ),
      precedence.atom,
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
        if (v?.type.width === 4)
          return this.emit(
            v.level,
            wide(bool),
            `${v.text} ${e.kind === "non_negative" ? ">=" : "=="} vec4i(0)`,
            precedence.compare,
            "compare",
            "inside",
          );
        return this.compared(e.kind, this.formOf(e.operand));
      }
      case "and":
        return this.conjunction(e.operands.map((x) => this.value(x)));
      case "not": {
        const v = this.value(e.operand);
        if (v.text === "true" || v.text === "false") return truth(v.text === "false");
        return this.emit(v.level, v.type, `!${v.text}`, precedence.unary, "compare", "outside");
      }
      case "select": {
        const c = this.value(e.condition);
        if (c.text === "true") return this.value(e.then);
        if (c.text === "false") return this.value(e.otherwise);
        return this.select(c, this.value(e.then), this.value(e.otherwise), "v");
      }
      case "call": {
        if (e.fn.name === "stop") return this.value(e.operands[0]!);
        return this.call(
          e.fn,
          e.operands.map((x) => this.value(x)),
          e.dtype,
        );
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
      if (high < 0 || (kind === "equal_zero" && low > 0)) return truth(false);
      if (kind === "non_negative" ? low >= 0 : low === 0 && high === 0) return truth(true);
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
      const whole = this.formText(form);
      return this.emit(whole.level, bool, `${whole.text} >= 0`, precedence.compare, "compare", "inside");
    }
    const [left, right] = [this.formText(sides[0]), this.formText(sides[1])];
    const sign = kind === "equal_zero" ? "==" : flipped ? "<=" : ">=";
    return this.emit(
      Math.max(left.level, right.level),
      bool,
      `${left.text} ${sign} ${right.text}`,
      precedence.compare,
      "compare",
      kind === "equal_zero" ? "here" : "inside",
    );
  }
  conjunction(parts: readonly Value[]): Value {
    if (parts.some((p) => p.text === "false")) return truth(false);
    const live = parts.filter((p, i) => p.text !== "true" && parts.findIndex((q) => q.text === p.text) === i);
    if (live.length <= 1) return live[0] ?? truth(true);
    const level = Math.max(...live.map((p) => p.level));
    if (live.every((p) => p.type.width === 1))
      return this.emit(
        level,
        bool,
        live.map((p) => p.text).join(this.eager ? " & " : " && "),
        this.eager ? precedence.bits : precedence.and,
        "compare",
        "inside",
      );
    return this.emit(level, wide(bool), live.map(splat).join(" & "), precedence.bits, "compare", "inside");
  }
  select(condition: Value, then: Value, otherwise: Value, base: string): Value {
    const level = Math.max(condition.level, then.level, otherwise.level);
    const type =
      condition.type.width === 4 || then.type.width === 4 || otherwise.type.width === 4 ? wide(then.type) : then.type;
    const arm = (v: Value): string => (type.width === 4 ? splat(v) : v.text);
    return this.emit(
      level,
      type,
      `select(${arm(otherwise)}, ${arm(then)}, ${condition.text})`,
      precedence.atom,
      "select",
      base,
    );
  }
  private constant(x: number, dtype: DType): Value {
    if (dtype === "bool") return truth(x !== 0);
    if (!Number.isNaN(x)) return { text: f32Text(x), level: 0, type: f32 };
    this.helpers.add("dlm_nan");
    return this.emit(0, f32, "dlm_nan()", precedence.atom, "none", "v");
  }
  call(
    fn: {
      readonly name: string;
      readonly evaluate?: (...x: number[]) => number;
      readonly wgsl: (xs: readonly string[], dtype: DType) => string;
      readonly helpers?: readonly string[];
      readonly cost: "alu" | "div" | "fn";
    },
    xs: readonly Value[],
    dtype: DType,
  ): Value {
    // A constant expression whose value is no number of its type is an error of the shader: none is left to the driver, calls of our own functions are none.
    const numbers = xs.map(numberOf);
    if (fn.evaluate && !fn.helpers && dtype !== "i32" && numbers.every((n) => n !== undefined))
      return this.constant(fn.evaluate(...(numbers as number[])), dtype);
    fn.helpers?.forEach((h) => this.helpers.add(h));
    const level = Math.max(0, ...xs.map((x) => x.level));
    const cost = fn.cost === "fn" ? "function" : fn.cost === "div" ? "divide" : "alu";
    const shape = shapeOf(fn, dtype, xs.length);
    const base = dtype === "bool" ? "holds" : "v";
    if (xs.every((x) => x.type.width === 1))
      return this.emit(
        level,
        typeOf(dtype),
        fn.wgsl(
          xs.map((x) => x.text),
          dtype,
        ),
        shape.binding,
        cost,
        base,
      );
    const type = wide(typeOf(dtype));
    // arithmetic takes a vector and a number; comparisons and built-in functions want both wide; anything else goes component by component
    if (shape.kind === "arithmetic")
      return this.emit(
        level,
        type,
        fn.wgsl(
          xs.map((x) => x.text),
          dtype,
        ),
        shape.binding,
        cost,
        base,
      );
    if (shape.kind === "wide") return this.emit(level, type, fn.wgsl(xs.map(splat), dtype), shape.binding, cost, base);
    return this.emit(
      level,
      type,
      vectorOf(
        dtype,
        [0, 1, 2, 3].map((k) =>
          fn.wgsl(
            xs.map((x) => component(x, k)),
            dtype,
          ),
        ),
      ),
      precedence.atom,
      cost,
      base,
    );
  }
  private site(e: Random): string {
    const from = this.layout.siteOf?.(e.site);
    if (!from) return `${e.site}u`;
    const t = this.tensor(from);
    t.reads = true;
    return `u32(${t.name}[0])`;
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
    const one = (): Value => {
      const at = this.formText(this.formOf(position));
      const helper = `dlm_${e.distribution}`;
      this.helpers.add(helper);
      return this.emit(
        Math.max(seed.level, step.level, at.level),
        f32,
        `${helper}(${seed.text}, ${this.site(e)}, ${step.text}, u32(${at.text}))`,
        precedence.atom,
        "random",
        "draw",
      );
    };
    if (!this.alongVector(position)) return one();
    const forms = this.forms4(position);
    if (!this.aligned(forms)) return this.each("f32", one);
    // four neighbours come from the same block of the stream
    const at = this.quarter(forms[0]!);
    const helper = `dlm_${e.distribution}4`;
    this.helpers.add(helper);
    return this.emit(
      Math.max(seed.level, step.level, at.level),
      wide(f32),
      `${helper}(${seed.text}, ${this.site(e)}, ${step.text}, u32(${at.text}))`,
      precedence.atom,
      "random",
      "draw",
    );
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
    let symbolic = ""; // text of a run-time stride
    for (let d = shape.length - 1; d >= 0; d--) {
      const at = indices[d]!;
      if (!symbolic) form = addForms(form, at, stride);
      else if (at.terms.size || at.constant) {
        const v = this.formText(at);
        const product = this.emit(
          v.level,
          i32,
          `${isName(v.text) ? v.text : `(${v.text})`} * ${symbolic}`,
          precedence.multiply,
          "integer",
          "row",
        );
        this.names.set(product.text, {
          level: product.level,
          ...boundsOf(at, this.names),
          multiple: 1,
          varying: isVarying(at, this.names),
          high: Infinity,
        });
        form = addForms(form, nameForm(product.text));
      }
      const n = shape[d]!;
      if (typeof n === "number" && !symbolic) stride *= n;
      else if (d > 0) {
        const text = this.extentText(n);
        const own = isName(text) || /^\d+$/.test(text) ? text : `(${text})`;
        const code = symbolic ? `${symbolic} * ${own}` : stride === 1 ? text : `${own} * ${stride}`;
        symbolic = isName(code) ? code : this.emit(0, i32, code, precedence.multiply, "integer", "stride").text;
      }
    }
    return form;
  }
  extentText(n: Extent): string {
    return typeof n === "number" ? String(n) : this.formText(this.formOf(n)).text;
  }
  /** Where an index may leave the tensor, one comparison: below 0 is far above as an unsigned number. */
  private inside(shape: Shape, indices: readonly Form[]): Value {
    return this.conjunction(
      indices.map((form, d) => {
        const n = shape[d]!;
        const { low, high } = boundsOf(form, this.names);
        if (staysI32(form, this.names) && (high < 0 || (typeof n === "number" && low >= n))) return truth(false);
        if (low >= 0 && typeof n === "number" && high < n) return truth(true);
        const alone = { terms: form.terms, constant: typeof n === "number" ? 0 : form.constant };
        if (
          low >= 0 &&
          staysI32(alone, this.names, mostSize) &&
          (typeof n !== "number" || n - form.constant <= mostI32)
        ) {
          const whole = this.formText(alone);
          return this.emit(
            whole.level,
            bool,
            `${whole.text} < ${typeof n === "number" ? n - form.constant : this.extentText(n)}`,
            precedence.compare,
            "compare",
            "inside",
          );
        }
        const text = this.formText(form);
        const bound = typeof n === "number" ? `${n}u` : `u32(${this.extentText(n)})`;
        return this.emit(text.level, bool, `u32(${text.text}) < ${bound}`, precedence.compare, "compare", "inside");
      }),
    );
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
    const at = this.formText(place, `${box.name}_at`);
    return this.emit(
      at.level,
      typeOf(e.dtype),
      `${box.name}[${at.text}]`,
      precedence.atom,
      "workgroup",
      shortName(box.name),
    );
  }
  /** One element of a tensor. */
  loadAt(
    of: { readonly tensor: Node; readonly dtype: DType },
    indices: readonly Form[],
    address: () => Form,
    outside: (() => Value) | undefined,
  ): Value {
    const guard = outside ? this.inside(of.tensor.shape, indices) : truth(true);
    if (guard.text === "false") return outside!();
    const base = baseOf(of.tensor);
    const tensor = this.tensor(of.tensor);
    tensor.reads = true;
    const storage = this.storageOf(base);
    const short = shortName(tensor.name);
    const pinned = this.written.has(base);
    const at = this.formText(address(), `${short}_at`);
    if (storage !== "u8") this.scalarOnly.add(base);
    let code: string;
    if (storage === "u8") {
      const whole = isName(at.text)
        ? at.text
        : this.emit(at.level, i32, at.text, precedence.add, "integer", `${short}_at`).text;
      code = `i32((${tensor.name}[${whole} >> 2u] >> (8u * u32(${whole} & 3))) & 255u)`;
    } else code = storage === "bool" ? `${tensor.name}[${at.text}] != 0u` : `${tensor.name}[${at.text}]`;
    const binding = storage === "bool" ? precedence.compare : precedence.atom;
    if (guard.text === "true")
      return this.emit(at.level, typeOf(of.dtype), code, binding, "load", short, {
        pinned,
        load: { tensor: of.tensor, indices, outside: undefined },
      });
    const beyond = outside!();
    const raw = this.emit(at.level, typeOf(of.dtype), code, binding, "load", short, { pinned });
    const level = Math.max(at.level, guard.level, beyond.level);
    return this.emit(
      level,
      typeOf(of.dtype),
      `select(${beyond.text}, ${raw.text}, ${guard.text})`,
      precedence.atom,
      "select",
      short,
      { pinned, load: { tensor: of.tensor, indices, outside: beyond.text } },
    );
  }
  private load4(e: Load): Value {
    const base = baseOf(e.tensor);
    const one = (): Value => this.load(e);
    const shape = e.tensor.shape;
    const forms = [0, 1, 2, 3].map((k) => this.atComponent(k, () => this.address(shape, e.indices, e)));
    const apart = differences(forms);
    const same = apart?.every((d) => d === 0) ?? false;
    const storage = this.storageOf(base);
    if (!same && (!this.aligned(forms) || (storage !== "u8" && (this.scalarOnly.has(base) || !canBeWide(base)))))
      return this.each(e.dtype, one);
    let guard = truth(true);
    if (e.outside) {
      const guards = [0, 1, 2, 3].map((k) =>
        this.atComponent(k, () =>
          this.inside(
            shape,
            e.indices.map((x) => this.formOf(x)),
          ),
        ),
      );
      if (guards.some((g) => g.text !== guards[0]!.text)) return this.each(e.dtype, one);
      guard = guards[0]!;
    }
    if (same) return this.atComponent(0, one);
    if (guard.text === "false") return this.value(e.outside!);
    const tensor = this.tensor(e.tensor);
    tensor.reads = true;
    if (storage !== "u8") this.fourWide.add(base);
    const short = shortName(tensor.name);
    const pinned = this.written.has(base);
    const at = this.quarter(forms[0]!, `${short}_at`);
    const type = wide(typeOf(e.dtype));
    const raw =
      storage === "u8"
        ? this.emit(
            at.level,
            type,
            `vec4i((vec4u(${tensor.name}[${at.text}]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u))`,
            precedence.atom,
            "load",
            short,
            { pinned },
          )
        : this.emit(
            at.level,
            type,
            storage === "bool" ? `${tensor.name}[${at.text}] != vec4u(0u)` : `${tensor.name}[${at.text}]`,
            storage === "bool" ? precedence.compare : precedence.atom,
            "load4",
            short,
            { pinned },
          );
    return guard.text === "true" ? raw : this.select(guard, raw, this.value(e.outside!), short);
  }
  /** Four neighbours from a multiple of four on. */
  aligned(forms: readonly Form[]): boolean {
    const apart = differences(forms);
    return (
      !!apart && apart.every((d, k) => d === k) && forms[0]!.constant % 4 === 0 && isMultiple(forms[0]!, 4, this.names)
    );
  }
  /** form / 4, exactly. */
  quarter(form: Form, base = "at"): Text {
    let result = constantForm(form.constant / 4);
    for (const [name, k] of form.terms) {
      if (k % 4 === 0) {
        result = addForms(result, nameForm(name), k / 4);
        continue;
      }
      // the name itself is even enough
      const named = this.names.get(name)!;
      const g = 4 / greatestCommonDivisor(k, 4);
      const part = this.emit(
        named.level,
        i32,
        (g === 4 && named.fourth) || `${name} / ${g}`,
        g === 4 && named.fourth ? precedence.add : precedence.multiply,
        "integer",
        `${name}_${g === 4 ? "fourth" : "half"}`,
      );
      this.names.set(part.text, {
        level: named.level,
        low: named.low / g,
        high: named.high / g,
        multiple: Math.max(1, named.multiple / g),
        varying: named.varying,
      });
      result = addForms(result, nameForm(part.text), (k * g) / 4);
    }
    return this.formText(result, base);
  }
}
const sumBinding = (text: string): number =>
  / [-+] /.test(text) || text.startsWith("-") ? precedence.add : precedence.multiply;
export const newBlock = (): Block => ({ statements: [], known: new Map(), scalars: new Map() });
/** The number that a text is, or undefined for what is computed. */
function numberOf(v: Value): number | undefined {
  if (v.type.width !== 1) return undefined;
  if (v.text === "true" || v.text === "false") return Number(v.text === "true");
  const largest = /^(-?)0x1\.fffffep\+127f$/.exec(v.text);
  if (largest) return largest[1] ? -largestF32 : largestF32;
  return /^-?\d/.test(v.text) && !Number.isNaN(Number(v.text)) ? Number(v.text) : undefined;
}
const truth = (b: boolean): Value => ({ text: String(b), level: 0, type: bool });
/** The last part of a name: what the value of `net_linear1_w` is called. */
export const shortName = (name: string): string => /([a-z]+\d*)_?$/i.exec(name)?.[1] ?? name;
/** How far forms lie from the first, or undefined where they differ by more than a constant. */
function differences(forms: readonly Form[]): number[] | undefined {
  const key = linearKey(forms[0]!);
  return forms.every((f) => linearKey(f) === key) ? forms.map((f) => f.constant - forms[0]!.constant) : undefined;
}
/** Memory of a known size in whole fours. */
export const canBeWide = (base: Node): boolean => sizeOfShape(base.shape) % 4 === 0;
/** How the code of a function is made, from its text alone. */
function shapeOf(
  fn: { readonly wgsl: (xs: readonly string[], dtype: DType) => string },
  dtype: DType,
  operands: number,
): { kind: "arithmetic" | "wide" | "componentwise"; binding: number } {
  const text = fn.wgsl(["a", "b", "c"].slice(0, operands), dtype);
  if (/^a [-+] b$/.test(text)) return { kind: "arithmetic", binding: precedence.add };
  if (/^a [*/] b$/.test(text)) return { kind: "arithmetic", binding: precedence.multiply };
  if (/^-a$/.test(text)) return { kind: "wide", binding: precedence.unary };
  if (/^a (<|<=|==) b$/.test(text)) return { kind: "wide", binding: precedence.compare };
  if (/^(?!dlm_|[fi]32|select)\w+\(a(, b)*\)$/.test(text)) return { kind: "wide", binding: precedence.atom };
  return { kind: "componentwise", binding: precedence.atom };
}
