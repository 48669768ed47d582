// Names by the text alone: what each stands for, and what may be named at an offset.
// In: a file, its imports and the library. Out: every use with its definition, and frames of names with the text where they hold.
import type * as ast from "../../grammar/ast.ts";
import { isExpression, isName, partsOf, type Part } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";

export interface Definition {
  readonly name: string;
  readonly kind: string; // in the words of the language: fn, layer, let, parameter, dim, index, ...
  readonly span: Span; // of the name where it is bound
  readonly item?: ast.Item; // a declaration
}
export interface Use {
  readonly name: string;
  readonly span: Span;
  readonly definition: Definition | undefined; // undefined: below the library, of the run, or unknown
}
interface Frame {
  readonly parent: Frame | undefined;
  readonly span: Span | undefined; // where it holds; undefined: everywhere
  readonly names: Map<string, Definition>;
}
export interface Names {
  readonly uses: readonly Use[]; // in the file, definitions themselves too
  /** What may be named at an offset, the innermost first. */
  readonly visibleAt: (offset: number) => Definition[];
}

type Declaring = Exclude<ast.Item, ast.Import>;
export const definitionOf = (item: Declaring): Definition => ({
  name: item.name.text,
  kind: item.kind,
  span: item.name.span,
  item,
});
/** `library`: gives a declaration by its name. */
export function resolveNames(
  file: ast.File,
  imported: readonly ast.File[],
  library: (name: string) => ast.Item | undefined,
): Names {
  const uses: Use[] = [];
  const frames: Frame[] = [];
  const open = (parent: Frame | undefined, span: Span | undefined): Frame => {
    const made = { parent, span, names: new Map<string, Definition>() };
    frames.push(made);
    return made;
  };
  const top = open(undefined, undefined);
  for (const f of [...imported, file])
    for (const item of f.items)
      if (item.kind !== "import" && item.name.text) top.names.set(item.name.text, definitionOf(item));
  const find = (name: string, at: Frame): Definition | undefined => {
    for (let f: Frame | undefined = at; f; f = f.parent) {
      const found = f.names.get(name);
      if (found) return found;
    }
    const item = library(name);
    return item && item.kind !== "import" ? definitionOf(item) : undefined;
  };
  const use = (name: string, span: Span, at: Frame): void => void uses.push({ name, span, definition: find(name, at) });
  const bind = (name: ast.Name, kind: string, at: Frame): void => {
    if (name.text === "" || name.text === "_") return;
    const definition = { name: name.text, kind, span: name.span };
    at.names.set(name.text, definition);
    uses.push({ name: name.text, span: name.span, definition });
  };
  /** Whatever binds nothing: its parts, in order. */
  const walkParts = (of: object, at: Frame): void => {
    for (const x of partsOf(of)) walk(x, at);
  };
  const walk = (x: Part, at: Frame): void => {
    if (!isExpression(x)) return isName(x) ? undefined : walkParts(x, at);
    switch (x.kind) {
      case "name":
        return use(x.text, x.span, at);
      case "call":
        walk(x.callee, at);
        for (const a of x.args) {
          if (a.name) argument(a.name, x.callee, at);
          walk(a.value, at);
        }
        return;
      case "member":
        return walk(x.operand, at);
      case "for":
      case "reduce": {
        const inner = open(at, x.span);
        for (const b of x.binders)
          if (b.kind === "binder") {
            if (b.range) walk(b.range, inner);
            bind(b.name, "index", inner);
          }
        return walk(x.body, inner);
      }
      case "lambda": {
        const inner = open(at, x.span);
        for (const p of x.params) bind(p, "parameter", inner);
        return walk(x.body, inner);
      }
      case "stack": {
        walk(x.count, at);
        const inner = open(at, x.span);
        if (x.index) bind(x.index, "index", inner);
        return walk(x.of, inner);
      }
      case "scan":
      case "fold": {
        for (const i of x.iterators) walkParts({ in: i.in, along: i.along }, at);
        for (const c of x.carries) walk(c.value, at);
        const inner = open(at, x.span);
        for (const i of x.iterators) bind(i.name, "iterator", inner);
        for (const c of x.carries) bind(c.name, "carry", inner);
        return statements(x.body.statements, inner);
      }
      default:
        return walkParts(x, at);
    }
  };
  /** The name before the `:` of an argument is a parameter of what is called. */
  const argument = (name: ast.Name, callee: ast.Expr, at: Frame): void => {
    const item = callee.kind === "name" ? find(callee.text, at)?.item : undefined;
    const p = item && givenBy(item).find((x) => x.name.text === name.text);
    const definition = p && { name: name.text, kind: "parameter", span: p.name.span };
    uses.push({ name: name.text, span: name.span, definition });
  };
  const statements = (list: readonly (ast.Statement | ast.DataStatement | ast.TrainStatement)[], at: Frame): void => {
    for (const s of list) {
      walkParts(s, at);
      switch (s.kind) {
        case "let":
          for (const n of s.names) bind(n, "let", at);
          break;
        case "param":
        case "state":
        case "field":
        case "holdout":
        case "metric":
          bind(s.name, s.kind, at);
          break;
        case "next":
          for (const a of s.assignments) use(a.name.text, a.name.span, at);
          break;
      }
    }
  };
  /** Dims are bound where they first stand in a type; other names in it are used. */
  const type = (t: ast.Type | undefined, at: Frame): void => {
    if (!t) return;
    if (t.kind === "tuple_type") return t.elements.forEach((x) => type(x, at));
    for (const d of t.dims ?? []) {
      if (d.kind === "spread") dim(d.name, at);
      else dimsIn(d.value, at);
    }
    if (t.range) walk(t.range, at);
  };
  const dim = (name: ast.Name, at: Frame): void => {
    if (find(name.text, at)) use(name.text, name.span, at);
    else bind(name, "dim", at);
  };
  const dimsIn = (e: Part, at: Frame): void => {
    if (!isExpression(e)) return;
    if (e.kind !== "name") return partsOf(e).forEach((x) => dimsIn(x, at));
    if (/^[A-Z]/.test(e.text)) dim(e, at);
    else use(e.text, e.span, at);
  };
  const declaration = (item: Declaring): void => {
    bind(item.name, item.kind, { parent: undefined, span: undefined, names: new Map() });
    const at = open(top, item.span);
    if ("params" in item) {
      for (const p of [...("hyper" in item ? item.hyper : []), ...item.params]) {
        type(p.type, at);
        if (p.default) walk(p.default, at);
        bind(p.name, "parameter", at);
      }
      if ("result" in item) type(item.result, at);
      if (item.body.kind === "expression") walk(item.body.value, at);
      else statements(item.body.statements, at);
      return;
    }
    if (item.kind === "const") return walk(item.value, at);
    if (item.kind === "train" && item.on) {
      walk(item.on, top);
      const on = item.on.kind === "call" ? item.on.callee : item.on;
      const data = on.kind === "name" ? find(on.text, top)?.item : undefined;
      if (data?.kind === "data")
        for (const s of data.statements)
          if (s.kind === "field" || s.kind === "holdout")
            at.names.set(s.name.text, { name: s.name.text, kind: s.kind, span: s.name.span });
    }
    statements(item.statements, at);
  };
  for (const item of file.items) if (item.kind !== "import") declaration(item);
  return {
    uses: linked(uses, top),
    visibleAt: (offset) => {
      const holds = (f: Frame): boolean => !f.span || (f.span.start <= offset && offset <= f.span.end);
      const seen = new Map<string, Definition>();
      for (const f of frames.filter(holds).reverse())
        for (const [name, d] of f.names) if (!seen.has(name)) seen.set(name, d);
      return [...seen.values()];
    },
  };
}
/** The name of a declaration is a use of what the file's names say, which hides what has the same name. */
const linked = (uses: readonly Use[], top: Frame): Use[] =>
  uses.map((u) => {
    const own = top.names.get(u.name);
    return own && u.definition && own.span === u.definition.span ? { ...u, definition: own } : u;
  });
/** The parameters of a declaration: those in the first parentheses too. */
export const givenBy = (item: ast.Item): readonly ast.Param[] =>
  "params" in item ? [...("hyper" in item ? item.hyper : []), ...item.params] : [];
