// Scalars to statements. A value is emitted once where it is the same: hoisting, common subexpressions and the
// sharing of loaded values between the points of a tile are this one rule.
// Values are one or four wide: along the vector axis four neighbouring positions are one vec4.
import { InternalError } from "../../grammar/diagnostic.ts";
import { baseOf } from "../graph/node.ts";
import { linear, load, operandsOf, positiveModulo, bottomUp } from "../graph/scalar.ts";
import type { DType, Integer, Load, Local, Node, Random, Scalar, Scan, Shape, Variable } from "../graph/types.ts";
import type { ScalarFunction, WrittenAs } from "../scalar/functions.ts";
import { shortName } from "../wgsl/names.ts";
import {
  call,
  choice,
  component,
  element,
  f32,
  numberLike,
  i32,
  i32Number,
  isComparison,
  isFalse,
  isName,
  isTrue,
  isZero,
  negate,
  not,
  numberOf,
  operation,
  same,
  splat,
  sumOf,
  typeOf,
  typedNumber,
  u32,
  u32Number,
  vectorOf,
  wide,
  type ElementType,
  type Expr,
} from "../kernel/expr.ts";
import { addForms, constantForm, isMultiple, isVarying, nameForm, shift, type Form } from "../kernel/forms.ts";
import type { Layout } from "../kernel/layout.ts";
import type { Value } from "./emitter.ts";
import { Positions, known, differences } from "./positions.ts";

export interface TensorUse {
  readonly name: string;
  reads: boolean;
  writes: boolean;
}
/** What a workgroup has of a value in its own memory: rows along `fast`, one for each element of the coordinates. */
export interface Box {
  readonly name: string;
  readonly of: string; // the short name of what it holds
  readonly fast: Variable;
  readonly low: ReadonlyMap<Variable, Form>; // where it begins
  readonly coordinates: readonly BoxCoordinate[];
  readonly width: 1 | 4; // elements of a row lie one by one, or in fours
  readonly rowStride: number; // elements or fours
  readonly fourRowStride: number; // of four rows together, where they have padding of their own; 0: none
}
/** A sum of multiples of variables, from its value where the box begins on. */
export interface BoxCoordinate {
  readonly terms: readonly (readonly [Variable, number])[];
  readonly apart: number; // rows from one element to the next
}
/** A register axis along which the lanes hold different elements of what is the same for all of them. */
export interface Carrier {
  readonly variable: Variable;
  readonly start: Form; // the axis's first element in the tile
}

/** What a scalar reads: of its parts first, so that each is looked at once. */
const facts = new WeakMap<Scalar, { readonly loads: boolean; readonly locals: boolean }>();
function factsOf(e: Scalar): { readonly loads: boolean; readonly locals: boolean } {
  return bottomUp(e, facts, (x) => {
    const parts = operandsOf(x).map((y) => facts.get(y)!);
    return {
      loads: x.kind === "load" || parts.some((f) => f.loads),
      locals: x.kind === "local" || parts.some((f) => f.locals),
    };
  });
}
export const sizeOfShape = (shape: Shape): number =>
  shape.reduce<number>((p, n) => p * (typeof n === "number" ? n : NaN), 1);

export class Values extends Positions {
  readonly tensors = new Map<Node, TensorUse>();
  readonly scalarOnly: Set<Node>; // tensors that some access cannot read or write four at a time
  readonly fourWide = new Set<Node>(); // and those that some access does
  locals = new Map<Local, () => Value>(); // at the current point, wide where the vector is
  localsVary = false; // along the vector
  localLevel = 0;
  carriers: readonly Carrier[] = [];
  boxes: ReadonlyMap<Scalar, Box> = new Map();
  held: (e: Load) => Value | undefined = () => undefined; // what is in registers
  lanes = 0;
  lane = ""; // the name of the lane's index
  private readonly layout: Layout;
  private readonly written: ReadonlySet<Node>;

  /** `tensors`: all that the kernel touches: their names come first. */
  constructor(
    kernel: string,
    layout: Layout,
    scalarOnly: Set<Node>,
    written: ReadonlySet<Node>,
    tensors: Iterable<Node>,
  ) {
    super(kernel);
    this.layout = layout;
    this.scalarOnly = scalarOnly;
    this.written = written;
    for (const own of layout.steps?.values() ?? []) this.reserve(own);
    for (const node of tensors) this.tensor(node);
  }
  protected nameOfStep(scan: Scan): string | undefined {
    return this.layout.steps?.get(scan);
  }

  // ---- scalars
  value(e: Scalar): Value {
    if (e.kind === "literal") return this.constant(e.value, e.dtype);
    const box = this.boxes.get(e);
    if (box) return this.fromBox(e, box);
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
  select(condition: Value, then: Value, otherwise: Value, base: string): Value {
    const level = Math.max(condition.level, then.level, otherwise.level);
    const four = [condition, then, otherwise].some((v) => v.expr.type.width === 4);
    const arm = ({ expr }: Value): Expr => (four ? splat(expr) : expr);
    return this.emit(level, choice(condition.expr, arm(then), arm(otherwise)), "select", base);
  }
  private constant(x: number, dtype: DType): Value {
    if (dtype === "bool") return known(x !== 0);
    if (!Number.isNaN(x)) return { expr: numberLike(x, typeOf(dtype)), level: 0 };
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
    const position = (): Form => this.address(e.extents, e.indices, e);
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
    const one = (): Value => drawn(this.sumOfForm(position()), `dlm_${e.distribution}`, f32);
    if (!this.alongVector(e)) return one();
    const forms = [0, 1, 2, 3].map((k) => this.atComponent(k, position));
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
  private load(e: Load): Value {
    const held = this.held(e);
    if (held) return held;
    if (this.alongVector(e)) return this.load4(e);
    return this.loadAt(
      e,
      e.indices.map((x) => this.formOf(x)),
      () => this.address(e.tensor.shape, e.indices, e),
      e.outside && (() => this.value(e.outside!)),
    );
  }
  /** What memory has, and whether it counts: apart, so that nothing waits for the load before it is used. Undefined: e is more than a load. */
  loadAndGuard(e: Scalar): { readonly raw: Value; readonly guard: Value } | undefined {
    if (
      e.kind !== "load" ||
      e.dtype === "bool" ||
      (e.outside && !(e.outside.kind === "literal" && e.outside.value === 0))
    )
      return undefined;
    const raw = this.value(load(e.tensor, e.indices));
    if (!e.outside) return { raw, guard: known(true) };
    const inside = (): Value =>
      this.inside(
        e.tensor.shape,
        e.indices.map((x) => this.formOf(x)),
      );
    if (!this.alongVector(e)) return { raw, guard: inside() };
    const guards = [0, 1, 2, 3].map((k) => this.atComponent(k, inside));
    const [first] = guards as [Value];
    if (guards.every((g) => same(g.expr, first.expr))) return { raw, guard: first };
    const parts = guards.map((g) => g.expr);
    return { raw, guard: { expr: vectorOf("bool", parts), level: Math.max(...guards.map((g) => g.level)) } };
  }
  private fromBox(e: Scalar, box: Box): Value {
    const { fast } = box;
    const within = (v: Variable): Form => addForms(this.at.get(v)!.form, box.low.get(v)!, -1);
    if (this.vector !== undefined && e.variables.has(this.vector)) {
      const isWhole =
        box.width === 4 &&
        this.vector === fast &&
        this.aligned([0, 1, 2, 3].map((k) => this.atComponent(k, () => within(fast))));
      if (!isWhole) return this.each(e.dtype, () => this.fromBox(e, box));
    }
    const at = within(fast);
    const row = box.coordinates.reduce<Form>(
      (sum, { terms, apart }) => terms.reduce((form, [v, k]) => addForms(form, within(v), k * apart), sum),
      constantForm(0),
    );
    const type = typeOf(e.dtype);
    const read = (place: Form, of: ElementType): Value => {
      const { expr, level } = this.sumOfForm(place, `${box.name}_at`);
      return this.emit(level, element(box.name, expr, of), "workgroup", box.of);
    };
    if (box.width === 1) return read(this.placeInBox(box, at, row), type);
    const k = positiveModulo(at.constant, 4);
    const four = read(this.placeInBox(box, this.quarterForm(shift(at, -k)), row), wide(type));
    return this.vector === fast ? four : { expr: component(four.expr, k), level: four.level };
  }
  /** Where something lies in a box: counted in elements, or in fours. */
  placeInBox({ rowStride, fourRowStride }: Box, at: Form, row: Form): Form {
    if (!fourRowStride) return addForms(at, row, rowStride);
    const k = positiveModulo(row.constant, 4);
    const even = shift(row, -k);
    if (isMultiple(even, 4, this.names))
      return shift(addForms(at, this.quarterForm(even), fourRowStride), k * rowStride);
    const start = k ? row : shift(row, -row.constant);
    const fours = shift(this.divide("floor_div", start, 4), k ? 0 : row.constant / 4);
    return addForms(addForms(at, fours, fourRowStride), this.divide("modulo", start, 4), rowStride);
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
}
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
