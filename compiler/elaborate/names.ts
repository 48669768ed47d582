// Names that stand for nothing, found by the text alone. In: the declarations of a file. Out: a diagnostic for every name that no scope around it
// binds. Elaboration finds them too where it evaluates; this finds all of them, also in declarations that nothing uses yet.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { namedFunctions } from "../scalar/table.ts";
import { builtinNames, laterNames, shapedNames } from "./builtins.ts";
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

  const expression = (root: ast.Expr, scope: Frame): void => {
    // an explicit stack: chains of operators may be long
    const queue: [ast.Expr, Frame][] = [[root, scope]];
    while (queue.length) {
      const [e, at] = queue.pop()!;
      const add = (...xs: (ast.Expr | undefined)[]): void => {
        for (const x of xs.reverse()) if (x) queue.push([x, at]);
      };
      switch (e.kind) {
        case "name":
          if (!bound(e.text, at)) found.push(unknownName(e.span, e.text, all(at)).diagnostic);
          break;
        case "number":
        case "string":
        case "pattern":
        case "boolean":
        case "missing":
          break;
        case "paren":
          add(e.value);
          break;
        case "tuple":
        case "list":
          add(...e.elements);
          break;
        case "unary":
          add(e.operand);
          break;
        case "binary":
          add(e.left, e.right);
          break;
        case "call":
          add(e.callee, ...e.args.map((a) => a.value));
          break;
        case "index":
          add(e.operand, ...e.indices.map((i) => (i.kind === "at" ? i.value : undefined)), e.outside);
          break;
        case "member":
          add(e.operand);
          break;
        case "if":
          add(e.condition, e.then, e.else);
          break;
        case "for":
        case "reduce": {
          const inner = frame(at);
          for (const b of e.binders)
            if (b.kind === "index") {
              if (b.range) expression(b.range, frame(inner, inner.names));
              inner.names.add(b.name.text);
            }
          queue.push([e.body, inner]);
          break;
        }
        case "lambda":
          queue.push([
            e.body,
            frame(
              at,
              e.params.map((p) => p.text),
            ),
          ]);
          break;
        case "stack":
          add(e.count);
          queue.push([e.of, frame(at, e.index ? [e.index.text] : [])]);
          break;
        case "scan":
        case "fold":
          add(...e.iterators.flatMap((i) => [i.in, i.along]), ...e.carries.map((c) => c.value));
          statements(
            e.body.statements,
            frame(
              at,
              [...e.iterators, ...e.carries].map((x) => x.name.text),
            ),
          );
          break;
        default:
          e satisfies never;
      }
    }
  };
  const statements = (
    list: readonly (ast.Statement | ast.DataStatement | ast.TrainStatement)[],
    scope: Frame,
  ): void => {
    for (const s of list) {
      switch (s.kind) {
        case "let":
          expression(s.value, scope);
          for (const n of s.names) scope.names.add(n.text);
          break;
        case "param":
          expression(s.initial, scope);
          scope.names.add(s.name.text);
          break;
        case "state":
        case "field":
          expression(s.value, scope);
          scope.names.add(s.name.text);
          break;
        case "next":
          for (const a of s.assignments) expression(a.value, scope);
          break;
        case "minimize":
          for (const x of [s.value, ...s.clauses.flatMap((c) => [c.wrt, c.by, c.every])]) if (x) expression(x, scope);
          break;
        case "yield":
        case "return":
        case "holdout":
        case "metric":
          expression(s.value, scope);
          break;
        case "setting":
          // stop, save and load name files and measured values, in forms of their own
          if (!["stop", "save", "load"].includes(s.name.text)) expression(s.value, scope);
          break;
        default:
          s satisfies never;
      }
    }
  };
  const dims = (t: ast.Type | undefined): string[] => {
    if (!t) return [];
    if (t.kind === "tuple_type") return t.elements.flatMap(dims);
    return (t.dims ?? []).flatMap((d) =>
      d.kind === "dim" ? (d.span.file.text.slice(d.span.start, d.span.end).match(/\b[A-Z]\w*/g) ?? []) : [],
    );
  };
  const declaration = (params: readonly ast.Param[], result: ast.Type | undefined, body: ast.Body): void => {
    const scope = frame(top, [
      ...params.map((p) => p.name.text),
      ...params.flatMap((p) => dims(p.type)),
      ...dims(result),
    ]);
    for (const p of params) if (p.default) expression(p.default, scope);
    if (body.kind === "expression") expression(body.value, scope);
    else statements(body.statements, frame(scope));
  };
  for (const item of main.items) {
    switch (item.kind) {
      case "import":
        break;
      case "const":
        expression(item.value, top);
        break;
      case "fn":
      case "model":
        declaration(item.params, item.result, item.body);
        break;
      case "init":
        declaration(item.params, undefined, item.body);
        break;
      case "layer":
      case "optimizer":
        declaration([...item.hyper, ...item.params], item.result, item.body);
        break;
      case "data":
        statements(item.statements, frame(top));
        break;
      case "train": {
        const on = item.on && (item.on.kind === "call" ? item.on.callee : item.on);
        const data =
          on?.kind === "name" ? declared.find((i) => i.kind === "data" && i.name.text === on.text) : undefined;
        if (item.on) expression(item.on, top);
        if (item.on && data?.kind !== "data") break; // its fields are unknown
        statements(
          item.statements,
          frame(
            top,
            data?.kind === "data" ? data.statements.flatMap((s) => (s.kind === "field" ? [s.name.text] : [])) : [],
          ),
        );
        break;
      }
      default:
        item satisfies never;
    }
  }
  return found;
}
