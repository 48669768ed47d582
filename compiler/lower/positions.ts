// Positions: integers of the graph as affine forms over named integers, forms as sums of the loops' variables, and what follows for addresses
// and conditions.
import { InternalError } from "../../grammar/diagnostic.ts";
import { asInteger, greatestCommonDivisor, interval, linear, positiveModulo } from "../graph/scalar.ts";
import type { Extent, Integer, Scalar, Scan, Shape, Variable } from "../graph/types.ts";
import { leastI32, mostI32, mostSize } from "../scalar/range.ts";
import { dimName } from "../wgsl/names.ts";
import {
  call,
  choice,
  i32,
  i32Number,
  isFalse,
  isName,
  isNumber,
  isTrue,
  name,
  numberOf,
  operation,
  plus,
  same,
  splat,
  sumOf,
  truth,
  u32,
  u32Number,
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
import { Emitter, type Value } from "./emitter.ts";

/** What is decided before the kernel runs. */
export const known = (b: boolean): Value => ({ expr: truth(b), level: 0 });

/** Where the point stands that is evaluated; `value` evaluates what is data. */
export abstract class Positions extends Emitter {
  readonly scans = new Map<Scan, string>();
  readonly dims = new Set<string>();
  readonly helpers = new Set<string>();
  /** Position of every loop variable at the point that is evaluated. */
  readonly at = new Map<Variable, { readonly form: Form; readonly key: string }>();
  vector: Variable | undefined;
  point = ""; // names the point of the tile, for what depends on accumulators
  eager = false; // all parts of a conjunction are evaluated: lanes may have to meet for one
  /** Register elements of carriers at the current point. */
  readonly element = new Map<Variable, number>();
  protected readonly addresses = new Map<Scalar, Integer>();
  protected readonly kernel: string;

  constructor(kernel: string) {
    super();
    this.kernel = kernel;
  }
  abstract value(e: Scalar): Value;
  /** The module's variable for the round of a loop, where it has one. */
  protected abstract nameOfStep(scan: Scan): string | undefined;

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

  // ---- forms
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
        const found = this.value(e);
        const constant = numberOf(found.expr);
        if (constant !== undefined) return constantForm(constant);
        // a component of four has no name yet
        const { expr, level } = isName(found.expr) ? found : this.emit(found.level, found.expr, "integer", "n");
        if (!this.names.has(expr.text))
          this.names.set(expr.text, {
            ...{ level, multiple: 1, varying: true },
            ...interval(e),
            ...(e.kind === "load" ? {} : { isComputed: true }),
          });
        return nameForm(expr.text);
      }
    }
  }
  /** floor(form / m) or form mod m. What the names' multiples leave over stays outside: neighbours in an aligned run share one division. */
  divide(
    kind: "floor_div" | "modulo",
    form: Form,
    m: number,
    least = -Infinity,
    base = kind === "floor_div" ? "q" : "r",
  ): Form {
    const operator = kind === "floor_div" ? "/" : "%";
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
  protected divideAnything(kind: "floor_div" | "modulo", form: Form, m: number): Form {
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
  protected divideByMore(kind: "floor_div" | "modulo", form: Form, m: number): Form {
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
  protected formValue(form: Form): Value {
    const sum = this.sumOfForm(form);
    return isName(sum.expr) || isNumber(sum.expr) ? sum : this.emit(sum.level, sum.expr, "integer", "n");
  }
  protected stepOf(scan: Scan): Form {
    let name = this.scans.get(scan);
    if (!name) this.scans.set(scan, (name = this.nameOfStep(scan) ?? this.fresh("step")));
    return this.bind(name, { level: 0, low: 0, high: scan.count - 1, multiple: 1, varying: false });
  }
  protected forms4(e: Integer): Form[] {
    return [0, 1, 2, 3].map((k) => this.atComponent(k, () => this.formOf(e)));
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
    return this.sumOfForm(this.quarterForm(form), base);
  }
  quarterForm(form: Form): Form {
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
    return result;
  }

  // ---- addresses
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
        const { expr, level } = this.emit(v.level, operation("*", v.expr, symbolic), "integer", "row");
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

  // ---- conditions
  /** Where an index may leave the tensor, one comparison: below 0 is far above as an unsigned number. */
  protected inside(shape: Shape, indices: readonly Form[]): Value {
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
  /** form >= 0, or form == 0: what is subtracted goes to the other side. */
  protected compared(kind: "non_negative" | "equal_zero", form: Form): Value {
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
}
/** How far forms lie from the first, or undefined where they differ by more than a constant. */
export function differences(forms: readonly Form[]): number[] | undefined {
  const key = linearKey(forms[0]!);
  return forms.every((f) => linearKey(f) === key) ? forms.map((f) => f.constant - forms[0]!.constant) : undefined;
}
