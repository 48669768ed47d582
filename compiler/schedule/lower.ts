// Lowering: one KernelSpec to one WGSL module. Every spec is lowered by the same walk: output axes become invocations and a register tile,
// stages become loops over accumulators, values are emitted at the level of the loop that they depend on and memoised by their text, so
// that hoisting, common subexpressions and the sharing of loaded values between the points of a tile are one rule.
import { InternalError } from "../../grammar/diagnostic.ts";
import type { Size, WorkgroupCount } from "../../runtime/plan.ts";
import { baseOf } from "../graph/node.ts";
import { asInteger, constantOf, countAtoms, interval, linear, mul as mulIntegers, termsOf, visit } from "../graph/scalar.ts";
import type { DType, Extent, Integer, Load, Node, Scalar, Scan, Shape, Variable } from "../graph/types.ts";
import { dimName, f32Text, freeName, wgslName } from "../wgsl/names.ts";
import { helperCode } from "../wgsl/prelude.ts";
import type { KernelSpec, Stage, Store } from "./kernel.ts";
import type { Target } from "./target.ts";

export { dimName, wgslName };
export interface Layout {
  readonly storageOf: (base: Node) => DType | "u8";
  readonly nameOf: (base: Node) => string;
}
export interface Binding {
  readonly node: Node | Scan; // a tensor's memory, or the step of a scan
  readonly binding: number;
  readonly access: "read" | "read_write" | "uniform";
}
/** `before`: kernels to run first, in order; what they write is memory of this kernel alone (`Binding.node` is a Source that nobody else knows). */
export interface LoweredKernel {
  readonly before?: readonly LoweredKernel[];
  readonly wgsl: string;
  readonly entry: string;
  readonly bindings: readonly Binding[];
  readonly workgroups: readonly [WorkgroupCount, WorkgroupCount];
  readonly constants: readonly string[];
  readonly schedule: Schedule;
  readonly flops: Size;
}
/** How a spec is lowered; plain data, printed by `inspect`. */
export interface Schedule {
  readonly mode: "points" | "workgroup"; // an invocation per tile of points, or a workgroup per point
  readonly workgroup: number;
  readonly tile: readonly (readonly [axis: number, count: number])[]; // register tile by position of the axis
  readonly unroll: readonly string[]; // reduction loops written out, by stage and position
  readonly vector: readonly string[]; // tensors read or written four at a time
}

// ---------------------------------------------------------------- sizes

export function sizeOfExtents(extents: Shape): Size {
  let terms: { factor: number; dims: string[] }[] = [{ factor: 1, dims: [] }];
  for (const n of extents) {
    const parts = typeof n === "number" ? [{ factor: n, dims: [] as string[] }] : n.kind === "dim" ? [{ factor: 1, dims: [n.name] }] : [...n.terms.map(([atom, k]) => ({ factor: k, dims: [(atom as { name: string }).name] })), { factor: n.constant, dims: [] as string[] }];
    terms = terms.flatMap((t) => parts.filter((p) => p.factor !== 0).map((p) => ({ factor: t.factor * p.factor, dims: [...t.dims, ...p.dims] })));
  }
  if (terms.every((t) => !t.dims.length)) return terms.reduce((sum, t) => sum + t.factor, 0);
  return { sum: terms };
}
const isNumber = (n: Extent): n is number => typeof n === "number";
const estimate = (n: Extent): number => (isNumber(n) ? n : 64);
const count = (shape: Shape): number => shape.reduce<number>((p, n) => p * estimate(n), 1);

// ---------------------------------------------------------------- schedule

export function chooseSchedule(spec: KernelSpec, target: Target): Schedule {
  const points = count(spec.axes.map((v) => v.extent));
  const longest = Math.max(0, ...spec.stages.map((s) => count(s.over.map((v) => v.extent))), ...spec.stores.map((s) => count(s.over.map((v) => v.extent))));
  if (spec.stages.length && points <= target.fewOutputs && longest >= target.longReduction) return { mode: "workgroup", workgroup: target.reductionWorkgroup, tile: [], unroll: [], vector: [] };
  const unroll: string[] = [];
  spec.stages.forEach((s, i) => s.over.forEach((v, k) => isNumber(v.extent) && v.extent <= 5 && s.over.length > 1 && unroll.push(`${i}.${k}`)));
  const tile = spec.stages.length === 1 && spec.stages[0]!.op === "sum" && spec.stores.every((s) => !s.over.length) ? contractionTile(spec, spec.stages[0]!, target) : spec.stages.length === 0 && spec.stores.every((s) => !s.over.length) ? elementwiseTile(spec, target) : [];
  return { mode: "points", workgroup: target.workgroup, tile, unroll: tile.length && bodySize(spec, tile, unroll) > 400 ? [] : unroll, vector: [] };
}
const bodySize = (spec: KernelSpec, tile: Schedule["tile"], unroll: readonly string[]): number => {
  const points = tile.reduce((p, [, n]) => p * n, 1);
  const inner = unroll.reduce((p, name) => {
    const [stage, k] = name.split(".").map(Number) as [number, number];
    return p * estimate(spec.stages[stage]!.over[k]!.extent);
  }, 1);
  return points * inner;
};
/** Two axes along which some load of the stage does not change: every value loaded serves several points. */
function contractionTile(spec: KernelSpec, stage: Stage, target: Target): Schedule["tile"] {
  const loads: Load[] = [];
  visit(stage.value, (e) => void (e.kind === "load" && loads.push(e)));
  if (loads.length < 2 || count(stage.over.map((v) => v.extent)) < 4) return [];
  const reused = spec.axes.map((v, i) => ({ v, i })).filter(({ v }) => isNumber(v.extent) && v.extent >= 2 && loads.some((l) => !l.variables.has(v)));
  if (!reused.length) return [];
  const columns = reused[reused.length - 1]!;
  // the partner reuses what the columns do not
  const partner = [...reused].reverse().find(({ v, i }) => i !== columns.i && loads.some((l) => !l.variables.has(v) && l.variables.has(columns.v)));
  const points = count(spec.axes.map((v) => v.extent));
  const fits = (v: Variable, n: number): boolean => n === 1 || (isNumber(v.extent) && Math.ceil(v.extent / n) * n <= v.extent * 1.25);
  for (const [r, c] of target.registerTile) {
    if (points / (r * c) < target.leastThreads || !fits(columns.v, c) || (partner ? !fits(partner.v, r) : r > 1)) continue;
    return [...(partner && r > 1 ? [[partner.i, r] as const] : []), ...(c > 1 ? [[columns.i, c] as const] : [])];
  }
  return [];
}
function elementwiseTile(spec: KernelSpec, target: Target): Schedule["tile"] {
  const i = spec.axes.length - 1;
  const last = spec.axes[i];
  if (!last || !isNumber(last.extent) || last.extent % target.vector || count(spec.axes.map((v) => v.extent)) < target.vector * 128) return [];
  return [[i, target.vector]];
}

// ---------------------------------------------------------------- emission

/** An integer as an affine form over names of the kernel, with the loop level at which it is known. */
interface Form {
  readonly terms: ReadonlyMap<string, number>;
  readonly constant: number;
}
interface Block {
  readonly lines: string[];
  readonly memo: Map<string, string>;
}
interface Value {
  readonly text: string;
  readonly level: number;
}
const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
export function lowerKernel(spec: KernelSpec, layout: Layout, target: Target, options: { schedule?: Schedule } = {}): LoweredKernel {
  const schedule = options.schedule ?? chooseSchedule(spec, target);
  // vector access: a first emission finds the addresses, a second one uses what they allow
  const first = new Emitter(spec, layout, schedule, new Set());
  const vectors = first.run().vectors;
  if (!vectors.size) return first.finish(schedule);
  const second = new Emitter(spec, layout, schedule, vectors);
  second.run();
  return second.finish({ ...schedule, vector: [...vectors].map((n) => layout.nameOf(n)).sort() });
}

class Emitter {
  private readonly spec: KernelSpec;
  private readonly layout: Layout;
  private readonly schedule: Schedule;
  private readonly vectors: ReadonlySet<Node>;
  private blocks: Block[] = [{ lines: [], memo: new Map() }];
  private readonly levelOf = new Map<string, number>(); // of a name
  private readonly multiple = new Map<string, number>(); // a name is a multiple of this
  private readonly positive = new Set<string>();
  private readonly forms = new Map<Variable, Form>();
  private readonly tensors = new Map<Node, { name: string; reads: boolean; writes: boolean }>();
  private readonly scans = new Map<Scan, string>();
  private readonly dims = new Set<string>();
  private readonly helpers = new Set<string>();
  private readonly locals = new Map<Scalar, (point: string) => string>();
  private readonly used = new Set<string>();
  private readonly accesses = new Map<Node, { form: Form; store: boolean; width: number }[]>();
  private readonly declarations: string[] = [];
  private point = "";
  private total: Extent[] = [];

  constructor(spec: KernelSpec, layout: Layout, schedule: Schedule, vectors: ReadonlySet<Node>) {
    this.spec = spec;
    this.layout = layout;
    this.schedule = schedule;
    this.vectors = vectors;
  }

  // ---- names and lines
  private fresh(base: string): string {
    let name = freeName(base);
    const own = name;
    for (let n = 2; this.used.has(name); n++) name = `${own}${n}`;
    this.used.add(name);
    return name;
  }
  private emit(level: number, type: string, code: string, base = "v"): Value {
    const block = this.blocks[level]!;
    const key = `${type}:${code}`;
    const known = block.memo.get(key);
    if (known) return { text: known, level };
    const name = this.fresh(base);
    block.lines.push(`let ${name} = ${code};`);
    block.memo.set(key, name);
    this.levelOf.set(name, level);
    return { text: name, level };
  }
  private line(text: string): void {
    this.blocks[this.blocks.length - 1]!.lines.push(text);
  }

  // ---- integers
  private formOf(e: Integer): Form {
    switch (e.kind) {
      case "affine": {
        const terms = new Map<string, number>();
        let constant = e.constant;
        for (const [atom, k] of e.terms) {
          const f = this.formOf(atom);
          constant += k * f.constant;
          for (const [name, c] of f.terms) terms.set(name, (terms.get(name) ?? 0) + k * c);
        }
        for (const [name, c] of terms) if (c === 0) terms.delete(name);
        return { terms, constant };
      }
      case "variable": {
        const known = this.forms.get(e);
        if (known) return known;
        const [scan] = e.scans;
        if (scan) return this.named(this.stepName(scan), 0);
        throw new InternalError(`kernel ${this.spec.name}: the variable ${e.name} is not bound`);
      }
      case "dim":
        this.dims.add(e.name);
        return this.named(dimName(e.name), 0);
      case "floor_div":
      case "modulo": {
        const inner = this.formOf(e.operand);
        const m = e.divisor;
        // a constant operand after substitution of a tile's point
        if (!inner.terms.size) return { terms: new Map(), constant: e.kind === "floor_div" ? Math.floor(inner.constant / m) : ((inner.constant % m) + m) % m };
        // m (a t) + b: quotient and remainder of what the names' multiples leave
        if ([...inner.terms].every(([name, k]) => (k * (this.multiple.get(name) ?? 1)) % m === 0)) {
          const low = ((inner.constant % m) + m) % m;
          if (e.kind === "modulo") return { terms: new Map(), constant: low };
          if ([...inner.terms].every(([, k]) => k % m === 0)) return { terms: new Map([...inner.terms].map(([name, k]) => [name, k / m])), constant: (inner.constant - low) / m };
        }
        const { low } = interval(e.operand);
        const lift = low >= 0 ? 0 : Number.isFinite(low) ? Math.ceil(-low / m) : NaN;
        const operand = this.formText({ terms: inner.terms, constant: inner.constant + (Number.isNaN(lift) ? 0 : lift * m) });
        let code: string;
        if (Number.isNaN(lift)) {
          const name = e.kind === "floor_div" ? "dlm_floor_div" : "dlm_modulo";
          this.helpers.add(name);
          code = `${name}(${operand.text}, ${m})`;
        } else code = e.kind === "floor_div" ? `(${operand.text}) / ${m}${lift ? ` - ${lift}` : ""}` : `(${operand.text}) % ${m}`;
        return this.named(this.emit(operand.level, "i32", code, e.kind === "floor_div" ? "q" : "r").text, operand.level);
      }
      default: {
        const v = this.value(e);
        if (/^\w+$/.test(v.text) && this.levelOf.has(v.text)) return this.named(v.text, v.level);
        return this.named(this.emit(v.level, "i32", v.text, "n").text, v.level);
      }
    }
  }
  private named(name: string, level: number): Form {
    if (!this.levelOf.has(name)) this.levelOf.set(name, level);
    return { terms: new Map([[name, 1]]), constant: 0 };
  }
  /** Text of a form; its part in outer loops is a name of its own. */
  private formText(form: Form): Value {
    const byLevel = new Map<number, [string, number][]>();
    for (const [name, k] of form.terms) {
      const level = this.levelOf.get(name) ?? 0;
      byLevel.set(level, [...(byLevel.get(level) ?? []), [name, k]]);
    }
    let text = "";
    let level = 0;
    for (const own of [...byLevel.keys()].sort((a, b) => a - b)) {
      const parts = byLevel.get(own)!.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, k]) => (k === 1 ? name : k === -1 ? `-${name}` : `${k} * ${name}`));
      if (text) parts.unshift(text);
      const joined = parts.join(" + ").replaceAll("+ -", "- ");
      text = parts.length === 1 && /^\w+$/.test(joined) ? joined : this.emit(own, "i32", joined, "a").text;
      level = own;
    }
    if (!text) return { text: String(form.constant), level: 0 };
    if (form.constant) text += form.constant > 0 ? ` + ${form.constant}` : ` - ${-form.constant}`;
    return { text, level };
  }
  private stepName(scan: Scan): string {
    let name = this.scans.get(scan);
    if (!name) {
      name = this.fresh("step");
      this.scans.set(scan, name);
      this.levelOf.set(name, 0);
    }
    return name;
  }

  // ---- scalars
  private value(e: Scalar): Value {
    switch (e.kind) {
      case "literal":
        return { text: e.dtype === "bool" ? String(e.value === 1) : f32Text(e.value), level: 0 };
      case "dim":
      case "variable":
      case "affine":
      case "floor_div":
      case "modulo": {
        const v = this.formText(this.formOf(e));
        return /^-?\w+$/.test(v.text) ? v : { text: `(${v.text})`, level: v.level };
      }
      case "local": {
        const of = this.locals.get(e);
        if (!of) throw new InternalError(`kernel ${this.spec.name}: the local ${e.name} is not known`);
        return { text: of(this.point), level: this.localLevel };
      }
      case "non_negative":
      case "equal_zero": {
        const form = this.formOf(e.operand);
        if (!form.terms.size) return { text: String(e.kind === "non_negative" ? form.constant >= 0 : form.constant === 0), level: 0 };
        const v = this.formText({ terms: form.terms, constant: 0 });
        const bound = -form.constant;
        return this.emit(v.level, "bool", `${v.text} ${e.kind === "non_negative" ? ">=" : "=="} ${bound}`, "c");
      }
      case "and": {
        const parts = e.operands.map((x) => this.value(x));
        if (parts.some((p) => p.text === "false")) return { text: "false", level: 0 };
        const live = parts.filter((p) => p.text !== "true");
        if (!live.length) return { text: "true", level: 0 };
        if (live.length === 1) return live[0]!;
        return this.emit(Math.max(...live.map((p) => p.level)), "bool", live.map((p) => p.text).join(" && "), "c");
      }
      case "not": {
        const v = this.value(e.operand);
        if (v.text === "true" || v.text === "false") return { text: String(v.text === "false"), level: 0 };
        return this.emit(v.level, "bool", `!${v.text}`, "c");
      }
      case "select": {
        const c = this.value(e.condition);
        if (c.text === "true") return this.value(e.then);
        if (c.text === "false") return this.value(e.otherwise);
        const a = this.value(e.then);
        const b = this.value(e.otherwise);
        return this.emit(Math.max(a.level, b.level, c.level), e.dtype, `select(${b.text}, ${a.text}, ${c.text})`, "s");
      }
      case "call": {
        if (e.fn.name === "stop") return this.value(e.operands[0]!);
        const xs = e.operands.map((x) => this.value(x));
        e.fn.helpers?.forEach((h) => this.helpers.add(h));
        const texts = xs.map((x) => (/^[\w.]+$/.test(x.text) || x.text.startsWith("(") ? x.text : `(${x.text})`));
        return this.emit(Math.max(0, ...xs.map((x) => x.level)), e.dtype, e.fn.wgsl(texts, e.dtype), e.dtype === "bool" ? "c" : "v");
      }
      case "random": {
        const helper = e.distribution === "normal" ? "dlm_normal" : "dlm_uniform";
        this.helpers.add(helper);
        const seed = this.value(e.seed);
        const step = this.value(e.step);
        const position = this.formText(this.formOf(e.indices.reduce<Integer>((sum, x, d) => linear([[sum, e.extents[d]!], [x, 1]]), asInteger(0))));
        return this.emit(Math.max(seed.level, step.level, position.level), "f32", `${helper}(${seed.text}, ${e.site}u, ${step.text}, u32(${position.text}))`, "draw");
      }
      case "load":
        return this.load(e);
      default:
        return e satisfies never;
    }
  }
  private localLevel = 0;

  private tensor(node: Node): { name: string; reads: boolean; writes: boolean } {
    const base = baseOf(node);
    let found = this.tensors.get(base);
    if (!found) this.tensors.set(base, (found = { name: this.fresh(this.layout.nameOf(base)), reads: false, writes: false }));
    return found;
  }
  /** The element's position in row-major order. */
  private address(shape: Shape, indices: readonly Integer[]): Form {
    let form: Form = { terms: new Map(), constant: 0 };
    let stride: number | undefined = 1;
    let symbolic = "";
    for (let d = shape.length - 1; d >= 0; d--) {
      const at = this.formOf(indices[d]!);
      if (stride !== undefined && !symbolic) form = addForms(form, at, stride);
      else if (at.terms.size || at.constant) {
        const v = this.formText(at);
        const product = this.emit(v.level, "i32", `(${v.text}) * ${symbolic}`, "o");
        form = addForms(form, this.named(product.text, product.level), 1);
      }
      const n = shape[d]!;
      if (isNumber(n) && !symbolic) stride = stride! * n;
      else {
        const text = isNumber(n) ? String(n) : this.formText(this.formOf(n)).text;
        symbolic = symbolic ? this.emit(0, "i32", `${symbolic} * (${text})`, "stride").text : this.emit(0, "i32", stride === 1 ? text : `${stride} * (${text})`, "stride").text;
      }
    }
    return form;
  }
  private guardOf(e: Load): Value | undefined {
    const parts: Value[] = [];
    e.indices.forEach((x, d) => {
      const form = this.formOf(x);
      const n = e.tensor.shape[d]!;
      const { low, high } = interval(x);
      if (low >= 0 && isNumber(n) && high < n) return;
      if (!form.terms.size && isNumber(n)) {
        if (form.constant < 0 || form.constant >= n) parts.push({ text: "false", level: 0 });
        return;
      }
      const v = this.formText(form);
      const bound = isNumber(n) ? `${n}u` : `u32(${this.formText(this.formOf(n)).text})`;
      parts.push(this.emit(v.level, "bool", `u32(${v.text}) < ${bound}`, "c"));
    });
    if (!parts.length) return undefined;
    if (parts.some((p) => p.text === "false")) return { text: "false", level: 0 };
    if (parts.length === 1) return parts[0]!;
    return this.emit(Math.max(...parts.map((p) => p.level)), "bool", parts.map((p) => p.text).join(" && "), "c");
  }
  private load(e: Load): Value {
    const guard = e.outside ? this.guardOf(e) : undefined;
    if (guard?.text === "false") return this.value(e.outside!);
    const tensor = this.tensor(e.tensor);
    const base = baseOf(e.tensor);
    tensor.reads = true;
    const storage = this.layout.storageOf(base);
    const form = this.address(e.tensor.shape, e.indices);
    this.note(base, form, false, 1);
    let v: Value;
    if (storage === "u8") {
      const a = this.formText(form);
      const at = this.emit(a.level, "i32", a.text, "a");
      v = this.emit(at.level, "i32", `i32((${tensor.name}[${at.text} >> 2u] >> (8u * u32(${at.text} & 3))) & 255u)`, "x");
    } else if (this.vectors.has(base)) {
      const q = Math.floor(form.constant / 4);
      const outer = this.formText(this.quarter(form));
      const a = q === 0 ? outer.text : `${outer.text} + ${q}`;
      const whole = this.emit(outer.level, "vec4", `${tensor.name}[${outer.text === "0" && q ? q : a}]`, "x");
      v = { text: `${whole.text}.${"xyzw"[form.constant - 4 * q]}`, level: whole.level };
    } else {
      const a = this.formText(form);
      v = this.emit(a.level, e.dtype, storage === "bool" ? `${tensor.name}[${a.text}] != 0u` : `${tensor.name}[${a.text}]`, "x");
    }
    if (!guard) return v;
    const outside = this.value(e.outside!);
    return this.emit(Math.max(v.level, guard.level, outside.level), e.dtype, `select(${outside.text}, ${v.text}, ${guard.text})`, "x");
  }
  private quarter(form: Form): Form {
    if ([...form.terms.values()].every((k) => k % 4 === 0)) return { terms: new Map([...form.terms].map(([name, k]) => [name, k / 4])), constant: 0 };
    const whole = this.formText({ terms: form.terms, constant: 0 });
    const v = this.emit(whole.level, "i32", `(${whole.text}) / 4`, "a");
    return this.named(v.text, v.level);
  }
  private note(base: Node, form: Form, store: boolean, width: number): void {
    if (!this.accesses.has(base)) this.accesses.set(base, []);
    this.accesses.get(base)!.push({ form, store, width });
  }

  // ---- the kernel
  run(): { vectors: Set<Node> } {
    const { spec, schedule } = this;
    const tile = new Map(schedule.tile);
    const tiles = spec.axes.map((v, i): Extent => (tile.has(i) ? Math.ceil((v.extent as number) / tile.get(i)!) : v.extent));
    this.total = tiles;
    const totalText = (): string => this.formText(this.formOf(tiles.reduce<Integer>((p, n) => multiply(p, n), asInteger(1)))).text;
    const shared = schedule.mode === "workgroup";
    if (tiles.length && !tiles.every((n) => n === 1)) {
      const id = this.fresh("id");
      const group = `i32(group.y * 65535u + group.x)`;
      this.blocks[0]!.lines.push(`let ${id} = ${shared ? group : `${group} * ${schedule.workgroup} + i32(local)`};`);
      this.levelOf.set(id, 0);
      // the last axis runs fastest
      let rest = id;
      for (let i = tiles.length - 1; i >= 0; i--) {
        const n = tiles[i]!;
        const v = spec.axes[i]!;
        const t = tile.get(i) ?? 1;
        if (n === 1) {
          this.forms.set(v, { terms: new Map(), constant: 0 });
          continue;
        }
        const outermost = tiles.slice(0, i).every((m) => m === 1);
        const text = isNumber(n) ? String(n) : this.formText(this.formOf(n)).text;
        const name = outermost ? rest : this.emit(0, "i32", `${rest} % (${text})`, v.name).text;
        if (!outermost) rest = this.emit(0, "i32", `${rest} / (${text})`, "rest").text;
        this.forms.set(v, { terms: new Map([[name, t]]), constant: 0 });
      }
      for (const v of spec.axes) if (v.extent === 1) this.forms.set(v, { terms: new Map(), constant: 0 });
      this.guard = shared ? undefined : `${id} < ${totalText()}`;
    } else {
      for (const v of spec.axes) this.forms.set(v, { terms: new Map(), constant: 0 });
      this.guard = shared ? undefined : `local == 0u`;
    }
    const points = pointsOf(spec, tile);
    spec.stages.forEach((stage, i) => (shared ? this.sharedStage(stage) : this.stage(stage, i, points)));
    spec.stores.forEach((store) => (shared ? this.sharedStore(store) : this.store(store, points)));
    if (!shared) this.flushStores();
    return { vectors: this.vectorCandidates(tile.size > 0) };
  }
  private guard: string | undefined;

  /** Binds the tile's axes to one of its points while `f` runs. */
  private at<T>(point: readonly (readonly [Variable, number])[], f: () => T): T {
    const before = point.map(([v]) => this.forms.get(v)!);
    point.forEach(([v, n]) => {
      const form = this.forms.get(v)!;
      this.forms.set(v, { terms: form.terms, constant: form.constant + n });
    });
    const outer = this.point;
    this.point = point.map(([, n]) => `_${n}`).join("");
    try {
      return f();
    } finally {
      point.forEach(([v], i) => this.forms.set(v, before[i]!));
      this.point = outer;
    }
  }
  private stage(stage: Stage, index: number, points: readonly Point[]): void {
    const dtype = stage.op === "argmax" || stage.op === "argmin" ? "f32" : stage.local.dtype;
    const name = this.fresh(stage.local.name);
    const start = startOf(stage.op, dtype);
    const isArg = stage.op === "argmax" || stage.op === "argmin";
    for (const p of points) {
      const s = suffix(p);
      this.blocks[0]!.lines.push(`var ${name}${s} = ${start};`);
      if (isArg) this.blocks[0]!.lines.push(`var ${name}_at${s} = 0;`);
    }
    const rolled = stage.over.filter((_, k) => !this.schedule.unroll.includes(`${index}.${k}`));
    const unrolled = stage.over.filter((_, k) => this.schedule.unroll.includes(`${index}.${k}`));
    const bounds = points.length > 1 ? undefined : loopBounds(stage.value, rolled); // the points of a tile differ in their bounds
    this.openLoops(rolled, bounds);
    for (const inner of productOf(unrolled)) {
      for (const [v, n] of inner) this.forms.set(v, { terms: new Map(), constant: n });
      for (const p of points)
        this.at(p, () => {
          const s = suffix(p);
          const v = this.value(stage.value);
          const target = `${name}${s}`;
          if (stage.op === "sum") this.line(`${target} += ${v.text};`);
          else if (stage.op === "prod") this.line(`${target} *= ${v.text};`);
          else if (stage.op === "max" || stage.op === "min") this.line(`${target} = ${stage.op}(${target}, ${v.text});`);
          else {
            const better = stage.op === "argmax" ? ">" : "<";
            const position = this.formText(this.formOf(rowMajor(stage.over)));
            this.line(`${name}_at${s} = select(${name}_at${s}, ${position.text}, ${v.text} ${better} ${target});`);
            this.line(`${target} = ${stage.op === "argmax" ? "max" : "min"}(${target}, ${v.text});`);
          }
        });
    }
    this.closeLoops(rolled.length);
    this.locals.set(stage.local, (point) => `${name}${isArg ? "_at" : ""}${point}`);
  }
  private loopNames: string[] = [];
  private openLoops(axes: readonly Variable[], bounds: ReadonlyMap<Variable, { low: Integer[]; high: Integer[] }> = new Map()): void {
    for (const v of axes) {
      const level = this.blocks.length;
      const name = this.fresh(v.name);
      const extent = isNumber(v.extent) ? String(v.extent) : this.formText(this.formOf(v.extent)).text;
      const own = bounds.get(v);
      const low = own?.low.reduce((text, e) => `max(${text}, ${this.formText(this.formOf(e)).text})`, "0") ?? "0";
      const high = own?.high.reduce((text, e) => `min(${text}, ${this.formText(this.formOf(e)).text})`, extent) ?? extent;
      this.levelOf.set(name, level);
      this.forms.set(v, { terms: new Map([[name, 1]]), constant: 0 });
      this.loopNames.push(`for (var ${name} = ${low}; ${name} < ${high}; ${name}++) {`);
      this.blocks.push({ lines: [], memo: new Map() });
    }
  }
  private closeLoops(n: number): void {
    for (let i = 0; i < n; i++) {
      const block = this.blocks.pop()!;
      this.blocks[this.blocks.length - 1]!.lines.push(this.loopNames.pop()!, ...indent(block.lines), "}");
    }
  }

  private pending: { target: Node; form: Form; text: string; tail: string }[] = [];
  private store(store: Store, points: readonly Point[]): void {
    if (store.over.length) {
      this.flushStores();
      // the loops of a store run inside the guard
      const outer = this.blocks;
      this.blocks = [...outer, { lines: [], memo: new Map() }];
      this.openLoops(store.over);
      this.at(points[0] ?? [], () => {
        const v = this.value(store.value);
        const form = this.address(store.target.shape, store.indices);
        this.note(baseOf(store.target), form, true, 1);
        this.line(`${this.written(store.target)}[${this.formText(form).text}] = ${this.stored(store.target, v.text)};`);
      });
      this.closeLoops(store.over.length);
      const block = this.blocks.pop()!;
      this.blocks = outer;
      this.blocks[0]!.lines.push(...(this.guard ? [`if (${this.guard}) {`, ...indent(block.lines), "}"] : block.lines));
      return;
    }
    for (const p of points)
      this.at(p, () => {
        const v = this.value(store.value);
        const form = this.address(store.target.shape, store.indices);
        this.note(baseOf(store.target), form, true, 1);
        // points of the tile beyond the axis are not stored
        const tail = p
          .filter(([axis, n]) => n > 0 && isNumber(axis.extent) && axis.extent % this.tileOf(axis) !== 0)
          .map(([axis]) => `${this.formText(this.forms.get(axis)!).text} < ${axis.extent as number}`)
          .join(" && ");
        this.pending.push({ target: store.target, form, text: v.text, tail });
      });
  }
  private tileOf(axis: Variable): number {
    return this.schedule.tile.find(([i]) => this.spec.axes[i] === axis)?.[1] ?? 1;
  }
  private written(node: Node): string {
    const t = this.tensor(node);
    t.writes = true;
    return t.name;
  }
  private stored(node: Node, text: string): string {
    return node.dtype === "bool" ? `select(0u, 1u, ${text})` : text;
  }
  private flushStores(): void {
    const lines: string[] = [];
    const pending = this.pending;
    this.pending = [];
    const done = new Set<number>();
    pending.forEach((s, i) => {
      if (done.has(i)) return;
      const name = this.written(s.target);
      if (this.vectors.has(baseOf(s.target))) {
        const key = formKey(s.form);
        const four = [0, 1, 2, 3].map((k) => pending.findIndex((o, j) => !done.has(j) && o.target === s.target && formKey(o.form) === key && o.form.constant === s.form.constant + k));
        if (four.every((j) => j >= 0)) {
          four.forEach((j) => done.add(j));
          const q = s.form.constant / 4;
          const a = this.formText({ ...this.quarter(s.form), constant: q });
          lines.push(`${name}[${a.text}] = vec4(${four.map((j) => this.stored(s.target, pending[j]!.text)).join(", ")});`);
          return;
        }
      }
      const code = `${name}[${this.formText(s.form).text}] = ${this.stored(s.target, s.text)};`;
      lines.push(...(s.tail ? [`if (${s.tail}) {`, `  ${code}`, "}"] : [code]));
    });
    if (!lines.length) return;
    this.blocks[0]!.lines.push(...(this.guard ? [`if (${this.guard}) {`, ...indent(lines), "}"] : lines));
  }

  // ---- one workgroup for each point: threads share the loops
  private sharedStage(stage: Stage): void {
    const width = this.schedule.workgroup;
    const isArg = stage.op === "argmax" || stage.op === "argmin";
    const dtype = isArg ? "f32" : stage.local.dtype;
    const name = this.fresh(stage.local.name);
    const start = startOf(stage.op, dtype);
    const parts = this.fresh(`${name}_parts`);
    this.declarations.push(`var<workgroup> ${parts}: array<${dtype}, ${width}>;`);
    const at = isArg ? this.fresh(`${name}_places`) : "";
    if (isArg) this.declarations.push(`var<workgroup> ${at}: array<i32, ${width}>;`);
    this.blocks[0]!.lines.push(`var ${name}_own = ${start};`, ...(isArg ? [`var ${name}_place = 0x7fffffff;`] : []));
    const position = this.openShared(stage.over);
    const v = this.value(stage.value);
    if (stage.op === "sum") this.line(`${name}_own += ${v.text};`);
    else if (stage.op === "prod") this.line(`${name}_own *= ${v.text};`);
    else if (!isArg) this.line(`${name}_own = ${stage.op}(${name}_own, ${v.text});`);
    else {
      this.line(`if (${v.text} ${stage.op === "argmax" ? ">" : "<"} ${name}_own) {`);
      this.line(`  ${name}_own = ${v.text};`);
      this.line(`  ${name}_place = ${position};`);
      this.line("}");
    }
    this.closeLoops(1);
    const lines = this.blocks[0]!.lines;
    const half = this.fresh("half");
    const join = (a: string, b: string): string => (stage.op === "sum" ? `${a} + ${b}` : stage.op === "prod" ? `${a} * ${b}` : `${stage.op}(${a}, ${b})`);
    lines.push(`${parts}[local] = ${name}_own;`, ...(isArg ? [`${at}[local] = ${name}_place;`] : []), "workgroupBarrier();");
    lines.push(`for (var ${half} = ${width / 2}u; ${half} > 0u; ${half} >>= 1u) {`, `  if (local < ${half}) {`);
    if (isArg) {
      const better = stage.op === "argmax" ? ">" : "<";
      lines.push(`    let other = local + ${half};`, `    if (${parts}[other] ${better} ${parts}[local] || (${parts}[other] == ${parts}[local] && ${at}[other] < ${at}[local])) {`, `      ${parts}[local] = ${parts}[other];`, `      ${at}[local] = ${at}[other];`, "    }");
    } else lines.push(`    ${parts}[local] = ${join(`${parts}[local]`, `${parts}[local + ${half}]`)};`);
    lines.push("  }", "  workgroupBarrier();", "}");
    const result = this.emit(0, stage.local.dtype, `${isArg ? at : parts}[0]`, name);
    this.locals.set(stage.local, () => result.text);
  }
  /** A strided loop of the workgroup over the row-major positions of these axes. */
  private openShared(axes: readonly Variable[]): string {
    const name = this.fresh("at");
    const total = axes.reduce<Integer>((p, v) => multiply(p, v.extent), asInteger(1));
    const text = this.formText(this.formOf(total)).text;
    this.levelOf.set(name, this.blocks.length);
    this.loopNames.push(`for (var ${name} = i32(local); ${name} < ${text}; ${name} += ${this.schedule.workgroup}) {`);
    this.blocks.push({ lines: [], memo: new Map() });
    const level = this.blocks.length - 1;
    let rest = name;
    for (let i = axes.length - 1; i >= 0; i--) {
      const v = axes[i]!;
      if (v.extent === 1) {
        this.forms.set(v, { terms: new Map(), constant: 0 });
        continue;
      }
      const outermost = axes.slice(0, i).every((w) => w.extent === 1);
      const n = isNumber(v.extent) ? String(v.extent) : `(${this.formText(this.formOf(v.extent)).text})`;
      const own = outermost ? rest : this.emit(level, "i32", `${rest} % ${n}`, v.name).text;
      if (!outermost) rest = this.emit(level, "i32", `${rest} / ${n}`, "rest").text;
      this.forms.set(v, { terms: new Map([[own, 1]]), constant: 0 });
    }
    return name;
  }
  private sharedStore(store: Store): void {
    const code = (): string => {
      const v = this.value(store.value);
      const form = this.address(store.target.shape, store.indices);
      return `${this.written(store.target)}[${this.formText(form).text}] = ${this.stored(store.target, v.text)};`;
    };
    if (store.over.length) {
      this.openShared(store.over);
      this.line(code());
      this.closeLoops(1);
      return;
    }
    const text = code();
    this.blocks[0]!.lines.push("if (local == 0u) {", `  ${text}`, "}");
  }

  // ---- vectors
  /** Tensors whose every access lies in aligned fours: what a thread loads or stores comes as vec4. */
  private vectorCandidates(tiled: boolean): Set<Node> {
    const result = new Set<Node>();
    if (!tiled || this.schedule.mode !== "points") return result;
    for (const [base, list] of this.accesses) {
      if (this.layout.storageOf(base) !== "f32" || base.shape.some((n) => !isNumber(n)) || count(base.shape) % 4) continue;
      const aligned = list.every(({ form }) => [...form.terms].every(([name, k]) => (k * (this.multiple.get(name) ?? 1)) % 4 === 0));
      if (!aligned) continue;
      const groups = new Map<string, Set<number>>();
      for (const { form } of list) {
        const key = formKey(form);
        if (!groups.has(key)) groups.set(key, new Set());
        groups.get(key)!.add(form.constant);
      }
      const whole = [...groups.values()].every((set) => [...set].every((c) => [0, 1, 2, 3].every((k) => set.has(4 * Math.floor(c / 4) + k))));
      const plain = list.some((x) => x.store) ? this.plainStores(base) : true;
      if (whole && plain) result.add(base);
    }
    return result;
  }
  /** A tensor that is written by vectors must not have a partial tile. */
  private plainStores(base: Node): boolean {
    return this.spec.stores.filter((s) => baseOf(s.target) === base).every((s) => !s.over.length) && this.schedule.tile.every(([i, n]) => (this.spec.axes[i]!.extent as number) % n === 0);
  }

  // ---- the module
  finish(schedule: Schedule): LoweredKernel {
    const bindings: Binding[] = [];
    const header: string[] = [];
    for (const [node, t] of this.tensors) {
      const access = t.writes ? "read_write" : "read";
      const storage = this.layout.storageOf(node);
      const element = storage === "u8" || storage === "bool" ? "u32" : this.vectors.has(node) ? "vec4f" : storage;
      header.push(`@group(0) @binding(${bindings.length}) var<storage, ${access}> ${t.name}: array<${element}>;`);
      bindings.push({ node, binding: bindings.length, access });
    }
    for (const [scan, name] of this.scans) {
      header.push(`@group(0) @binding(${bindings.length}) var<uniform> ${name}: i32;`);
      bindings.push({ node: scan, binding: bindings.length, access: "uniform" });
    }
    const constants = [...this.dims].sort();
    const overrides = constants.map((name) => `override ${dimName(name)}: i32;`);
    const helpers = helperCode(this.helpers);
    const entry = "main";
    const shared = schedule.mode === "workgroup";
    const usesGroup = this.blocks[0]!.lines.some((l) => l.includes("group."));
    const parameters = [...(usesGroup ? ["@builtin(workgroup_id) group: vec3u"] : []), "@builtin(local_invocation_index) local: u32"];
    const wgsl = [
      ...this.spec.comment.map((line) => `// ${line}`.trimEnd()),
      ...header,
      ...overrides,
      ...this.declarations,
      ...(helpers.length ? ["", helpers.join("\n\n")] : []),
      "",
      `@compute @workgroup_size(${schedule.workgroup})`,
      `fn ${entry}(${parameters.join(", ")}) {`,
      ...indent(this.blocks[0]!.lines),
      "}",
      "",
    ].join("\n");
    const tiles = sizeOfExtents(this.total);
    const workgroups: LoweredKernel["workgroups"] = [{ tiles: [[tiles, shared ? 1 : schedule.workgroup]] }, "fold"];
    const work = this.spec.stages.map((s) => sizeOfExtents([...this.spec.axes, ...s.over].map((v) => v.extent)));
    const flops = work.length === 1 && typeof work[0] === "number" ? 2 * work[0] : sizeOfExtents(this.spec.axes.map((v) => v.extent));
    return { wgsl, entry, bindings, workgroups, constants, schedule, flops };
  }
}
type Point = readonly (readonly [Variable, number])[];
function pointsOf(spec: KernelSpec, tile: ReadonlyMap<number, number>): Point[] {
  let result: (readonly [Variable, number])[][] = [[]];
  for (const [i, n] of tile) result = result.flatMap((p) => Array.from({ length: n }, (_, k) => [...p, [spec.axes[i]!, k] as const]));
  return result;
}
const suffix = (p: Point): string => p.map(([, n]) => `_${n}`).join("");
function productOf(axes: readonly Variable[]): Point[] {
  let result: (readonly [Variable, number])[][] = [[]];
  for (const v of axes) result = result.flatMap((p) => Array.from({ length: v.extent as number }, (_, k) => [...p, [v, k] as const]));
  return result;
}
const formKey = (form: Form): string => [...form.terms].map(([name, k]) => `${k}*${name}`).sort().join("+");
function addForms(a: Form, b: Form, k: number): Form {
  const terms = new Map(a.terms);
  for (const [name, c] of b.terms) {
    const sum = (terms.get(name) ?? 0) + k * c;
    if (sum) terms.set(name, sum);
    else terms.delete(name);
  }
  return { terms, constant: a.constant + k * b.constant };
}
function startOf(op: Stage["op"], dtype: DType): string {
  if (dtype === "i32") return op === "prod" ? "1" : op === "max" ? "-2147483647 - 1" : op === "min" ? "2147483647" : "0";
  return { sum: "0.0", prod: "1.0", max: f32Text(-3.5e38), min: f32Text(3.5e38), argmax: f32Text(-3.5e38), argmin: f32Text(3.5e38) }[op];
}
function rowMajor(axes: readonly Variable[]): Integer {
  return axes.reduce<Integer>((sum, v) => (isNumber(v.extent) ? linear([[sum, v.extent], [v.extent === 1 ? asInteger(0) : v, 1]]) : axes.length === 1 ? v : fail()), asInteger(0));
}
const fail = (): never => {
  throw new InternalError("a position over several run-time axes");
};
/** Product of sizes; of several run-time ones it is an integer call. */
function multiply(a: Integer, n: Extent): Integer {
  if (isNumber(n)) return linear([[a, n]]);
  const k = constantOf(a);
  return k !== undefined ? linear([[n, k]]) : (mulIntegers(a, n) as Integer);
}
/** Guards of a sum that bound one rolled axis linearly become bounds of its loop: select(k <= i, e, 0) runs k to i. */
function loopBounds(value: Scalar, axes: readonly Variable[]): Map<Variable, { low: Integer[]; high: Integer[] }> {
  const result = new Map<Variable, { low: Integer[]; high: Integer[] }>();
  if (value.kind !== "select" || value.otherwise.kind !== "literal" || value.otherwise.value !== 0) return result;
  const guards = value.condition.kind === "and" ? value.condition.operands : [value.condition];
  for (const g of guards) {
    if (g.kind !== "non_negative") continue;
    const inner = axes.filter((v) => g.variables.has(v));
    const v = inner[0];
    if (inner.length !== 1 || !v || v !== axes[axes.length - 1]) continue;
    const k = termsOf(g.operand).find(([atom]) => atom === v)?.[1];
    if (k !== 1 && k !== -1) continue;
    if (countAtoms(g.operand) || hasData(g.operand)) continue;
    // k v + rest >= 0
    const rest = linear([[g.operand, 1], [v, -k]]);
    if (!result.has(v)) result.set(v, { low: [], high: [] });
    if (k === 1) result.get(v)!.low.push(linear([[rest, -1]]));
    else result.get(v)!.high.push(linear([[rest, 1]], 1));
  }
  return result;
}
const hasData = (e: Integer): boolean => {
  let found = false;
  visit(e, (x) => void (x.kind === "load" && (found = true)));
  return found;
};
