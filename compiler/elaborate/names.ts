// Names that stand for nothing, found by the text alone. In: the declarations of a file. Out: a diagnostic for every name that no scope around it
// binds. Elaboration finds them too where it evaluates; this finds all of them, also in declarations that nothing uses yet.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { namedFunctions } from "../scalar/table.ts";
import { shapedNames } from "./builtins/arrays.ts";
import { builtinNames, laterNames } from "./builtins/table.ts";
import { unknownName } from "./errors.ts";

const ambient =
  "training step steps epoch epochs batch seed measured pi inf fan_in fan_out shape params row rows all drop".split(
    " ",
  );

interface Frame {
  readonly names: Set<string>;
  readonly parent?: Frame;
}
const frame = (parent: Frame, names: Iterable<string> = []): Frame => ({ names: new Set(names), parent });
function bound(name: string, at: Frame): boolean {
  for (let f: Frame | undefined = at; f; f = f.parent) if (f.names.has(name)) return true;
  return false;
}
function* all(at: Frame): Iterable<string> {
  for (let f: Frame | undefined = at; f; f = f.parent) yield* f.names;
}

/** `library`: the names that it declares. */
export function unboundNames(main: ast.File, library: readonly string[], imported: readonly ast.File[]): Diagnostic[] {
  const found: Diagnostic[] = [];
  const declared = [main, ...imported].flatMap((f) => f.items);
  const holdouts = declared.flatMap((i) =>
    i.kind === "data" ? i.statements.flatMap((s) => (s.kind === "holdout" ? [s.name.text] : [])) : [],
  );
  const namesOf = (file: ast.File): string[] => file.items.flatMap((i) => (i.kind === "import" ? [] : [i.name.text]));
  const top: Frame = {
    names: new Set([
      ...namesOf(main),
      ...library,
      ...imported.flatMap(namesOf),
      ...namedFunctions.keys(),
      ...builtinNames,
      ...shapedNames,
      ...laterNames,
      ...ambient,
      ...holdouts,
    ]),
  };
  for (const item of main.items) visitItem(item, top, declared, found);
  return found;
}
function visitItem(item: ast.Item, top: Frame, declared: readonly ast.Item[], found: Diagnostic[]): void {
  switch (item.kind) {
    case "import":
      return;
    case "const":
      return visitExpression(item.value, top, found);
    case "fn":
    case "model":
      return visitDeclaration(item.params, item.result, item.body, top, found);
    case "init":
      return visitDeclaration(item.params, undefined, item.body, top, found);
    case "layer":
    case "optimizer":
      return visitDeclaration([...item.hyper, ...item.params], item.result, item.body, top, found);
    case "data":
      return visitStatements(item.statements, frame(top), found);
    case "train":
      return visitTrain(item, top, declared, found);
    default:
      item satisfies never;
  }
}
function visitTrain(item: ast.Train, top: Frame, declared: readonly ast.Item[], found: Diagnostic[]): void {
  const on = item.on && (item.on.kind === "call" ? item.on.callee : item.on);
  const data = on?.kind === "name" ? declared.find((i) => i.kind === "data" && i.name.text === on.text) : undefined;
  if (item.on) visitExpression(item.on, top, found);
  if (item.on && data?.kind !== "data") return; // its fields are unknown
  const fields = data?.kind === "data" ? data.statements.flatMap((s) => (s.kind === "field" ? [s.name.text] : [])) : [];
  visitStatements(item.statements, frame(top, fields), found);
}
function visitDeclaration(
  params: readonly ast.Param[],
  result: ast.Type | undefined,
  body: ast.Body,
  top: Frame,
  found: Diagnostic[],
): void {
  const dims = [...params.flatMap((p) => dimsIn(p.type)), ...dimsIn(result)];
  const scope = frame(top, [...params.map((p) => p.name.text), ...dims]);
  for (const p of params) if (p.default) visitExpression(p.default, scope, found);
  if (body.kind === "expression") visitExpression(body.value, scope, found);
  else visitStatements(body.statements, frame(scope), found);
}
function dimsIn(t: ast.Type | undefined): string[] {
  if (!t) return [];
  if (t.kind === "tuple_type") return t.elements.flatMap(dimsIn);
  return (t.dims ?? []).flatMap((d) =>
    d.kind === "dim" ? (d.span.file.text.slice(d.span.start, d.span.end).match(/\b[A-Z]\w*/g) ?? []) : [],
  );
}
/** In order: each binds its name for those below. */
function visitStatements(
  list: readonly (ast.Statement | ast.DataStatement | ast.TrainStatement)[],
  scope: Frame,
  found: Diagnostic[],
): void {
  const all = (...parts: readonly (ast.Expr | undefined)[]): void => {
    for (const x of parts) if (x) visitExpression(x, scope, found);
  };
  for (const s of list) {
    switch (s.kind) {
      case "let":
        all(s.value);
        for (const n of s.names) scope.names.add(n.text);
        break;
      case "param":
        all(s.initial);
        scope.names.add(s.name.text);
        break;
      case "state":
      case "field":
        all(s.value);
        scope.names.add(s.name.text);
        break;
      case "next":
        all(...s.assignments.map((a) => a.value));
        break;
      case "minimize":
        all(s.value, ...s.clauses.flatMap((c) => [c.wrt, c.by, c.every]));
        break;
      case "yield":
      case "return":
      case "holdout":
      case "metric":
        all(s.value);
        break;
      case "setting":
        // stop, save and load name files and measured values, in forms of their own
        if (!["stop", "save", "load"].includes(s.name.text)) all(s.value);
        break;
      default:
        s satisfies never;
    }
  }
}
function visitExpression(root: ast.Expr, scope: Frame, found: Diagnostic[]): void {
  // an explicit stack: chains of operators may be long
  const queue: [ast.Expr, Frame][] = [[root, scope]];
  while (queue.length) {
    const [e, at] = queue.pop()!;
    if (e.kind === "name" && e.text !== "" && !bound(e.text, at))
      found.push(unknownName(e.span, e.text, all(at)).diagnostic);
    const [parts, inner] = binding(e, at, found) ?? [partsOf(e), at];
    for (const x of [...parts].reverse()) if (x) queue.push([x, inner]);
  }
}
/** An expression that binds names: its parts that see them, and the frame of these. Parts that do not are visited. */
function binding(e: ast.Expr, at: Frame, found: Diagnostic[]): [readonly ast.Expr[], Frame] | undefined {
  const names = (list: readonly ast.Name[]): Frame =>
    frame(
      at,
      list.map((n) => n.text),
    );
  switch (e.kind) {
    case "for":
    case "reduce": {
      const inner = frame(at);
      for (const b of e.binders)
        if (b.kind === "binder") {
          if (b.range) visitExpression(b.range, inner, found);
          inner.names.add(b.name.text);
        }
      return [[e.body], inner];
    }
    case "lambda":
      return [[e.body], names(e.params)];
    case "stack":
      visitExpression(e.count, at, found);
      return [[e.of], names(e.index ? [e.index] : [])];
    case "scan":
    case "fold": {
      for (const x of [...e.iterators.flatMap((i) => [i.in, i.along]), ...e.carries.map((c) => c.value)])
        if (x) visitExpression(x, at, found);
      visitStatements(e.body.statements, names([...e.iterators, ...e.carries].map((x) => x.name)), found);
      return [[], at];
    }
    default:
      return undefined;
  }
}
/** The parts of an expression that binds nothing. */
function partsOf(e: ast.Expr): readonly (ast.Expr | undefined)[] {
  switch (e.kind) {
    case "paren":
      return [e.value];
    case "tuple":
    case "list":
      return e.elements;
    case "unary":
    case "member":
      return [e.operand];
    case "binary":
      return [e.left, e.right];
    case "call":
      return [e.callee, ...e.args.map((a) => a.value)];
    case "index":
      return [e.operand, ...e.indices.map((i) => (i.kind === "at" ? i.value : undefined)), e.outside];
    case "if":
      return [e.condition, e.then, e.else];
    default:
      return [];
  }
}
