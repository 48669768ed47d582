// Names by the text alone: what each stands for, what may be named at an offset, and what stands for nothing.
// In: a file, its imports and the library. Out: every use with its definition, and frames of names with the text where they hold; a diagnostic for every
// name that nothing binds. Elaboration finds those too where it evaluates; this finds all of them, also in declarations that nothing uses yet.
import type * as ast from "../../grammar/ast.ts";
import { below, isExpression, isName, partsOf } from "../../grammar/ast.ts";
import type { Diagnostic, Span } from "../../grammar/diagnostic.ts";
import { namedFunctions } from "../scalar/table.ts";
import { builtinNames, laterNames } from "./builtins/table.ts";
import { type Fault, mostExplained, unboundDim, unknownName } from "./errors.ts";

export interface Definition {
  readonly name: string;
  readonly kind: string; // in the words of the language: fn, layer, let, parameter, dim, index, ...
  readonly span: Span; // of the name where it is bound
  readonly item?: ast.Item; // a declaration
  readonly param?: ast.Param; // what a named argument is for
}
export interface Use {
  readonly name: string;
  readonly span: Span;
  readonly definition: Definition | undefined; // undefined: below the library, of the run, or unknown
}
export interface Names {
  readonly uses: readonly Use[]; // in the file, definitions themselves too, in the order of the text
  readonly unbound: readonly Diagnostic[]; // uses that stand for nothing
  /** What may be named at an offset, the innermost first. */
  readonly visibleAt: (offset: number) => Definition[];
}
type Library = readonly { readonly name: string; readonly item: () => ast.Item }[];

/** Of the run. */
const ambient =
  "training step steps epoch epochs batch seed measured pi inf fan_in fan_out shape params row rows all drop".split(
    " ",
  );
const belowLibrary: ReadonlySet<string> = new Set([
  ...namedFunctions.keys(),
  ...builtinNames,
  ...laterNames,
  ...ambient,
]);

/** What is found while the text is walked. */
interface Found {
  readonly library: ReadonlyMap<string, () => ast.Item>;
  readonly uses: Use[];
  readonly unbound: Diagnostic[];
  readonly frames: Frame[];
  train?: ast.Train; // that is walked: `valid.acc` is a metric of it
}
interface Frame {
  readonly found: Found;
  readonly parent: Frame | undefined;
  readonly span: Span | undefined; // where it holds; undefined: everywhere
  readonly names: Map<string, Definition>;
  readonly isPartial: boolean; // what it binds is not all known: nothing in it is unbound
}
export function resolveNames(file: ast.File, imported: readonly ast.File[], library: Library): Names {
  const byName = new Map(library.map((d) => [d.name, d.item]));
  const found: Found = { library: byName, uses: [], unbound: [], frames: [] };
  const top = open(undefined, undefined, found);
  for (const f of [file, ...[...imported].reverse()])
    for (const item of f.items)
      if (item.kind !== "import" && item.name.text && !top.names.has(item.name.text))
        top.names.set(item.name.text, definitionOf(item));
  for (const item of file.items) if (item.kind !== "import") resolveItem(item, top);
  return {
    uses: found.uses.sort((a, b) => a.span.start - b.span.start),
    unbound: found.unbound.sort((a, b) => a.span.start - b.span.start),
    visibleAt: (offset) => {
      const holds = (f: Frame): boolean => !f.span || (f.span.start <= offset && offset <= f.span.end);
      const seen = new Map<string, Definition>();
      for (const f of found.frames.filter(holds).reverse())
        for (const [name, d] of f.names) if (!seen.has(name)) seen.set(name, d);
      return [...seen.values()];
    },
  };
}
/** The parameters of a declaration: those in the first parentheses too. */
export const givenBy = (item: ast.Item): readonly ast.Param[] =>
  "params" in item ? [...("hyper" in item ? item.hyper : []), ...item.params] : [];

// ---- frames

type Declaring = Exclude<ast.Item, ast.Import>;
const definitionOf = (item: Declaring): Definition => ({
  name: item.name.text,
  kind: item.kind,
  span: item.name.span,
  item,
});
function open(parent: Frame | undefined, span: Span | undefined, found: Found, isPartial = false): Frame {
  const made = { found, parent, span, names: new Map<string, Definition>(), isPartial };
  found.frames.push(made);
  return made;
}
const within = (parent: Frame, span: Span, isPartial = parent.isPartial): Frame =>
  open(parent, span, parent.found, isPartial);
function find(name: string, at: Frame): Definition | undefined {
  for (let f: Frame | undefined = at; f; f = f.parent) {
    const found = f.names.get(name);
    if (found) return found;
  }
  const item = at.found.library.get(name)?.();
  return item && item.kind !== "import" ? definitionOf(item) : undefined;
}
/** Everything that may be named, the innermost first. */
function* visible(at: Frame): Iterable<string> {
  for (let f: Frame | undefined = at; f; f = f.parent) yield* f.names.keys();
  yield* at.found.library.keys();
  yield* belowLibrary;
}
function bind(name: ast.Name, kind: string, at: Frame, key = name.text): void {
  if (name.text === "" || name.text === "_") return;
  const definition = { name: name.text, kind, span: name.span };
  at.names.set(key, definition);
  record(name, definition, at);
}
function record({ text: name, span }: ast.Name, definition: Definition | undefined, at: Frame): void {
  if (name !== "") at.found.uses.push({ name, span, definition });
}
/** A name as a value, which something must bind. */
function use(name: ast.Name, at: Frame, fault: (name: ast.Name, at: Frame) => Fault = noSuchName): void {
  const definition = find(name.text, at);
  record(name, definition, at);
  if (definition || at.isPartial || name.text === "" || belowLibrary.has(name.text)) return;
  at.found.unbound.push(fault(name, at).diagnostic);
}
const noSuchName = ({ span, text }: ast.Name, at: Frame): Fault =>
  unknownName(span, text, at.found.unbound.length < mostExplained ? visible(at) : []);
const noSuchSize = ({ span, text }: ast.Name): Fault => unboundDim(span, text);

// ---- declarations

function resolveItem(item: Declaring, top: Frame): void {
  record(item.name, definitionOf(item), top);
  switch (item.kind) {
    case "const":
      return resolve(item.value, top);
    case "data":
      return resolveStatements(item.statements, within(top, item.span));
    case "train":
      top.found.train = item;
      return resolveTrain(item, top);
    default:
      return resolveDeclaration(item, within(top, item.span));
  }
}
function resolveDeclaration(item: Exclude<Declaring, ast.Const | ast.Data | ast.Train>, at: Frame): void {
  const params = givenBy(item);
  for (const p of params) bind(p.name, "parameter", at);
  resolveTypes([...params.map((p) => p.type), "result" in item ? item.result : undefined], at, true);
  resolve(
    params.map((p) => p.default),
    at,
  );
  if (item.body.kind === "expression") resolve(item.body.value, at);
  else resolveStatements(item.body.statements, at);
}
/** Behind `on` stand the fields of the data, and its parts. */
function resolveTrain(item: ast.Train, top: Frame): void {
  const on = item.on?.kind === "call" ? item.on.callee : item.on;
  const data = on?.kind === "name" ? find(on.text, top)?.item : undefined;
  if (item.on) resolve(item.on, top);
  const at = within(top, item.span, item.on !== undefined && data?.kind !== "data");
  if (item.on) at.names.set("train", { name: "train", kind: "split", span: item.on.span });
  if (data?.kind === "data")
    for (const s of data.statements)
      if (s.kind === "field" || s.kind === "holdout")
        at.names.set(s.name.text, { name: s.name.text, kind: s.kind, span: s.name.span });
  resolveStatements(item.statements, at);
}
/** Names in types. A signature binds the dims that it names (`binds`). */
function resolveTypes(types: readonly (ast.Type | undefined)[], at: Frame, binds: boolean): void {
  const tensors = types.flatMap(tensorTypes);
  const isNewDim = (name: ast.Name, key: string): boolean => binds && !find(key, at) && /^[A-Z]/.test(name.text);
  for (const d of tensors.flatMap((t) => t.dims ?? [])) {
    if (d.kind === "dim")
      for (const n of namesIn(d.value))
        if (isNewDim(n, n.text)) bind(n, "dim", at);
        else use(n, at, noSuchSize);
    else if (isNewDim(d.name, spread(d.name))) bind(d.name, "dim", at, spread(d.name));
    else record(d.name, find(spread(d.name), at) ?? find(d.name.text, at), at);
  }
  // where no input has a dim of a range, elaboration tells of the range
  for (const n of tensors.flatMap((t) => (t.range ? namesIn(t.range) : []))) record(n, find(n.text, at), at);
}
const tensorTypes = (t: ast.Type | undefined): readonly ast.TensorType[] =>
  t?.kind === "tuple_type" ? t.elements.flatMap(tensorTypes) : t ? [t] : [];
const namesIn = (e: ast.Expr): ast.Name[] =>
  [...below([e])].flatMap((x) => (isExpression(x) && x.kind === "name" ? [x] : []));
/** What `...S` is bound as: `S` alone is no value. */
const spread = (name: ast.Name): string => `...${name.text}`;

// ---- statements and expressions

/** In order: each binds its name for those below. */
function resolveStatements(list: readonly Statement[], at: Frame): void {
  for (const s of list) {
    if ("type" in s) resolveTypes([s.type], at, false);
    switch (s.kind) {
      case "let":
        resolve(s.value, at);
        for (const n of s.names) bind(n, s.kind, at);
        break;
      case "param":
        resolve(s.initial, at);
        bind(s.name, s.kind, at);
        break;
      case "state":
      case "field":
        resolve(s.value, at);
        bind(s.name, s.kind, at);
        break;
      case "next":
        for (const a of s.assignments) {
          record(a.name, find(a.name.text, at), at);
          resolve(a.value, at);
        }
        break;
      case "holdout":
      case "metric":
        // named behind a dot, or by a train block on the data
        record(s.name, { name: s.name.text, kind: s.kind, span: s.name.span }, at);
        resolve(s.value, at);
        break;
      case "minimize":
      case "yield":
      case "return":
        resolve(s, at);
        break;
      case "setting":
        // these name files and measured values, and `off`, in forms of their own
        resolve(s.value, ["stop", "save", "load", "checkpoint"].includes(s.name.text) ? within(at, s.span, true) : at);
        break;
      default:
        s satisfies never;
    }
  }
}
/** What stands in an expression, a statement that binds nothing, or a list of such. */
function resolve(root: object, at: Frame): void {
  const stack = partsOf([root]); // chains of operators may be long; what binds names nests less deep
  for (let x = stack.pop(); x; x = stack.pop()) {
    if (isName(x)) continue; // of members, and of what is bound
    if (isExpression(x)) {
      if (resolveBinding(x, at)) continue;
      resolveOwnNames(x, at);
    }
    stack.push(...partsOf(x));
  }
}
/** The names that an expression uses beside those of its parts. */
function resolveOwnNames(x: ast.Expr, at: Frame): void {
  if (x.kind === "name") use(x, at);
  if (x.kind === "call")
    for (const { name } of x.args) if (name) record(name, parameterOf(name.text, x.callee, at), at);
  if (x.kind === "member") {
    const member = memberOf(x.name.text, x.operand, at);
    if (member) record(x.name, member, at); // others are members of instances, which elaboration knows
  }
  if (x.kind === "index")
    for (const i of x.indices)
      if (i.kind === "rest" && i.name) record(i.name, find(spread(i.name), at) ?? find(i.name.text, at), at);
}
/** An expression that binds names for some of its parts; false if it is none. */
function resolveBinding(x: ast.Expr, at: Frame): boolean {
  switch (x.kind) {
    case "for":
    case "reduce": {
      const inner = within(at, x.span);
      for (const b of x.binders)
        if (b.kind === "binder") {
          if (b.range) resolve(b.range, inner);
          bind(b.name, "index", inner);
        }
      resolve(x.body, inner);
      return true;
    }
    case "lambda": {
      const inner = within(at, x.span);
      for (const p of x.params) bind(p, "parameter", inner);
      resolve(x.body, inner);
      return true;
    }
    case "stack": {
      resolve(x.count, at);
      const inner = within(at, x.span);
      if (x.index) bind(x.index, "index", inner);
      resolve(x.of, inner);
      return true;
    }
    case "scan":
    case "fold":
      resolveLoop(x, at);
      return true;
    default:
      return false;
  }
}
function resolveLoop({ iterators, carries, body, span }: ast.Loop, at: Frame): void {
  const outside = [...iterators.flatMap((i) => [i.in, i.along]), ...carries.map((c) => c.value)];
  resolve(outside, at);
  const inner = within(at, span);
  for (const i of iterators) bind(i.name, "iterator", inner);
  for (const c of carries) bind(c.name, "carry", inner);
  resolveStatements(body.statements, inner);
}
/** What is named behind a dot: `digits.x`, `fit.centres`, `net.w`, `valid.acc`. */
function memberOf(name: string, operand: ast.Expr, at: Frame): Definition | undefined {
  const of = operand.kind === "name" ? find(operand.text, at) : undefined;
  const owner = of?.kind === "holdout" || of?.kind === "split" ? at.found.train : of?.item;
  for (const s of owner ? statementsOf(owner) : [])
    for (const made of "names" in s ? s.names : "name" in s ? [s.name] : [])
      if (made.text === name && s.kind !== "setting") return { name, kind: s.kind, span: made.span };
  return undefined;
}
type Statement = ast.Statement | ast.DataStatement | ast.TrainStatement;
/** Of a block, or of a declaration with one. */
export const statementsOf = (item: ast.Item): readonly Statement[] =>
  "statements" in item ? item.statements : "body" in item && item.body.kind === "block" ? item.body.statements : [];
/** What the name before the `:` of an argument stands for: a parameter of what is called. */
function parameterOf(name: string, callee: ast.Expr, at: Frame): Definition | undefined {
  const item = callee.kind === "name" ? find(callee.text, at)?.item : undefined;
  const p = item && givenBy(item).find((x) => x.name.text === name);
  return p && { name, kind: "parameter", span: p.name.span, param: p };
}
