// How each construct is laid out, in Prettier's document language. Nothing here looks at comments but to keep lines apart for them: an anchor
// is laid out by `show`, which prints its comments around it. The same functions, run with a `show` that only records, find the anchors.
import type { Doc } from "prettier";
import { builders } from "prettier/doc";
import type * as ast from "../../grammar/ast.ts";
import type { Link, Place } from "./anchors.ts";

const { align, breakParent, conditionalGroup, fill, group, hardline, indent, join, line, softline } = builders;

export interface Show {
  (place: Place): Doc;
  /** Does the place carry comments? */
  readonly commented: (node: Place["node"]) => boolean;
}

export function layout(place: Place, show: Show): Doc {
  switch (place.role) {
    case "file":
      return sequence(
        place.node.items.map((node) => ({ role: "item", node })),
        show,
      );
    case "item":
      return item(place.node, show);
    case "statement":
      return statement(place.node, show);
    case "param": {
      const { name, type: t, default: initial } = place.node;
      return [name.text, t ? [": ", type(t, show)] : "", initial ? [" = ", expression(initial, show)] : ""];
    }
    case "arg":
      return [place.node.name ? `${place.node.name.text}: ` : "", expression(place.node.value, show)];
    case "element":
      return expression(place.node, show);
    case "index": {
      const { node } = place;
      return node.kind === "all"
        ? ":"
        : node.kind === "rest"
          ? `...${node.name?.text ?? ""}`
          : expression(node.value, show);
    }
    case "link":
      return place.node.operator
        ? [place.node.operator, " ", expression(place.node.operand, show)]
        : expression(place.node.operand, show);
    case "assignment":
      return [place.node.name.text, assigned(place.node.value, show)];
    case "iterator": {
      const { name, in: over, along } = place.node;
      return [name.text, " in ", expression(over, show), along ? [" along ", expression(along, show)] : ""];
    }
    case "clause": {
      const { wrt, by, every } = place.node;
      // objective, optimizer and what is optimised begin in one column
      return [
        wrt ? ["wrt ", align(4, expression(wrt, show)), " "] : "",
        "by ",
        align(3, expression(by, show)),
        every ? [" every ", expression(every, show)] : "",
      ];
    }
    default:
      return place satisfies never;
  }
}

/** Items or statements, one below the other; a blank line stays where one was. */
function sequence(places: readonly Extract<Place, { role: "item" | "statement" }>[], show: Show): Doc {
  return places.map((p, i) => {
    const next = places[i + 1];
    if (!next) return show(p);
    const gap = next.node.span.file.text.slice(p.node.span.end, next.node.span.start);
    return [show(p), hardline, /^[^\n]*\n[ \t]*\n/.test(gap) ? hardline : ""];
  });
}
const statements = (nodes: readonly Extract<Place, { role: "statement" }>["node"][], show: Show): Doc =>
  sequence(
    nodes.map((node) => ({ role: "statement", node })),
    show,
  );
/** `{ ... }`: on one line only with one statement that was there already. */
function block(nodes: readonly Extract<Place, { role: "statement" }>["node"][], show: Show): Doc {
  const [only] = nodes;
  if (!only) return "{}";
  const oneLine = nodes.length === 1 && /\{[ \t]*$/.test(only.span.file.text.slice(0, only.span.start));
  return group(["{", indent([line, statements(nodes, show)]), line, oneLine ? "" : breakParent, "}"]);
}

function item(node: ast.Item, show: Show): Doc {
  switch (node.kind) {
    case "import":
      return `import "${node.path}"`;
    case "const":
      return [`const ${node.name.text}`, assigned(node.value, show)];
    case "fn":
      return [
        header(`${node.exported ? "export " : ""}fn ${node.name.text}`, [node.params], node.result, show),
        body(node.body, show),
      ];
    case "model":
    case "init":
      return [
        header(`${node.kind} ${node.name.text}`, [node.params], node.kind === "model" ? node.result : undefined, show),
        body(node.body, show),
      ];
    case "layer":
    case "optimizer":
      return [
        header(`${node.kind} ${node.name.text}`, [node.hyper, node.params], node.result, show),
        body(node.body, show),
      ];
    case "data":
      return [`data ${node.name.text} `, block(node.statements, show)];
    case "train":
      return [
        `train ${node.name.text}`,
        node.on ? [" on ", expression(node.on, show)] : "",
        " ",
        block(node.statements, show),
      ];
    default:
      return node satisfies never;
  }
}
/** The second list of a layer stands below the first where both do not fit on a line. */
function header(
  start: string,
  lists: readonly (readonly ast.Param[])[],
  result: ast.Type | undefined,
  show: Show,
): Doc {
  const [first, second] = lists;
  return group([
    start,
    params(first!, start.length + 1, show),
    second ? align(start.length, [softline, params(second, 1, show)]) : "",
    result ? [" -> ", type(result, show)] : "",
  ]);
}
/** Filled lines that begin below the first parameter. */
function params(list: readonly ast.Param[], column: number, show: Show): Doc {
  if (!list.length) return "()";
  const star = list.findIndex((p) => p.byName);
  const shown = list.flatMap((node, i) => [...(i === star ? ["*"] : []), show({ role: "param", node })]);
  if (list.some((p) => show.commented(p)))
    return ["(", indent([hardline, join([",", hardline], shown)]), hardline, ")"];
  return ["(", align(column, listed(shown)), ")"];
}
function body(b: ast.Body, show: Show): Doc {
  if (b.kind === "block") return [" ", block(b.statements, show)];
  // a body that was on the next line stays there
  const before = b.value.span.file.text.slice(0, b.value.span.start);
  const own = /=[ \t]*\n\s*$/.test(before);
  return [" =", group(indent([line, own ? breakParent : "", expression(b.value, show)]))];
}
/** ` = value`: the line may break after `=` where the value has no bracket to break in. */
function assigned(e: ast.Expr, show: Show): Doc {
  return hugs(e) ? [" = ", expression(e, show)] : [" =", group(indent([line, expression(e, show)]))];
}
const hugs = (e: ast.Expr): boolean => e.kind !== "binary" && e.kind !== "if";

function statement(node: ast.Statement | ast.DataStatement | ast.TrainStatement, show: Show): Doc {
  switch (node.kind) {
    case "param":
      return [`param ${node.name.text}: `, type(node.type, show), " ~ ", expression(node.initial, show)];
    case "let":
      return [
        "let ",
        node.tuple ? `(${node.names.map((n) => n.text).join(", ")})` : node.names[0]!.text,
        node.type ? [": ", type(node.type, show)] : "",
        assigned(node.value, show),
      ];
    case "state":
      return [`state ${node.name.text}`, node.type ? [": ", type(node.type, show)] : "", assigned(node.value, show)];
    case "next":
      return group([
        "next ",
        align(
          5,
          join(
            [",", line],
            node.assignments.map((a) => show({ role: "assignment", node: a })),
          ),
        ),
      ]);
    case "yield":
    case "return":
      return [node.kind, " ", expression(node.value, show)];
    case "field":
      return [`field ${node.name.text}: `, type(node.type, show), assigned(node.value, show)];
    case "holdout":
      return [`holdout ${node.name.text}`, assigned(node.value, show)];
    case "metric":
      return [`metric ${node.name.text}${node.every ? ` every ${node.every.text}` : ""}`, assigned(node.value, show)];
    case "setting":
      return [
        `${node.name.text}: ${node.every ? "every " : ""}`,
        expression(node.value, show),
        node.every?.unit ? ` ${node.every.unit.text}` : "",
      ];
    case "minimize": {
      const first = node.clauses[0]!;
      const apart = node.span.file.text.slice(node.value.span.end, first.span.start).includes("\n");
      const column = (c: ast.Minimize["clauses"][number]): number => (c.wrt ? 5 : 6); // wrt, by: right below `minimize`
      return group([
        "minimize ",
        align(9, expression(node.value, show)),
        node.clauses.map((c) => align(column(c), [line, show({ role: "clause", node: c })])),
        apart ? breakParent : "",
      ]);
    }
    default:
      return node satisfies never;
  }
}

function type(t: ast.Type, show: Show): Doc {
  if (t.kind === "tuple_type")
    return [
      "(",
      join(
        ", ",
        t.elements.map((x) => type(x, show)),
      ),
      ")",
    ];
  const dims = t.dims?.map((d) => (d.kind === "spread" ? `...${d.name.text}` : expression(d.value, show)));
  return [t.element.text, dims ? ["[", join(", ", dims), "]"] : "", t.range ? [" in ", expression(t.range, show)] : ""];
}

const strength: Readonly<Partial<Record<ast.BinaryOperator, number>>> = {
  "|>": 1,
  ">>": 1,
  or: 2,
  and: 3,
  "+": 4,
  "-": 4,
  "*": 5,
  "/": 5,
  "//": 5,
  "%": 5,
  "@": 5,
};
const chains = new WeakMap<ast.Expr, readonly Link[]>();
/** a + b - c as its operands. The same expression always gives the same links. */
function chain(e: Extract<ast.Expr, { kind: "binary" }>): readonly Link[] {
  const known = chains.get(e);
  if (known) return known;
  const level = strength[e.operator];
  const reversed: Link[] = [];
  let left: ast.Expr = e;
  for (; left.kind === "binary" && strength[left.operator] === level; left = left.left)
    reversed.push({ operator: left.operator, operand: left.right, last: left === e });
  const links = [{ operand: left, last: false }, ...reversed.reverse()];
  chains.set(e, links);
  return links;
}

export function expression(e: ast.Expr, show: Show): Doc {
  const inner = (x: ast.Expr): Doc => expression(x, show);
  switch (e.kind) {
    case "number":
    case "name":
      return e.text;
    case "string":
      return `"${e.value}"`;
    case "pattern":
      return `\`${e.text}\``;
    case "boolean":
      return String(e.value);
    case "paren":
      return bracketed("(", [inner(e.value)], ")");
    case "tuple":
    case "list":
      return bracketed(
        e.kind === "tuple" ? "(" : "[",
        e.elements.map((node) => show({ role: "element", node })),
        e.kind === "tuple" ? ")" : "]",
      );
    case "unary":
      return [e.operator, e.operator === "not" ? " " : "", inner(e.operand)];
    case "binary": {
      if (e.operator === "^" || e.operator === "..") return [inner(e.left), e.operator, inner(e.right)];
      if (strength[e.operator] === undefined)
        return group([inner(e.left), " ", e.operator, indent([line, inner(e.right)])]);
      const links = chain(e);
      const shown = links.map((node) => show({ role: "link", node }));
      // a line of its own for every operand with comments
      const gap = (i: number): Doc => (show.commented(links[i]!) || show.commented(links[i + 1]!) ? hardline : line);
      return indent(fill(shown.flatMap((x, i) => (i < shown.length - 1 ? [x, gap(i)] : [x]))));
    }
    case "call": {
      const [only] = e.args;
      const args = e.args.map((node) => show({ role: "arg", node }));
      const hug =
        e.args.length === 1 &&
        !show.commented(only!) &&
        ["call", "list", "tuple", "scan", "fold", "for", "reduce", "lambda"].includes(only!.value.kind);
      return [inner(e.callee), hug ? ["(", args, ")"] : bracketed("(", args, ")")];
    }
    case "index":
      return [
        inner(e.operand),
        bracketed(
          "[",
          e.indices.map((node) => show({ role: "index", node })),
          "]",
        ),
        e.outside ? [" ?? ", inner(e.outside)] : "",
      ];
    case "member":
      return [inner(e.operand), ".", e.name.text];
    case "for":
    case "reduce":
      return [
        `${e.kind === "for" ? "for" : `${e.reducer.text} over`} `,
        indent(
          listed(
            e.binders.map((b) => (b.kind === "rest" ? "..." : [b.name.text, b.range ? [" in ", inner(b.range)] : ""])),
          ),
        ),
        ":",
        after(e.body, show),
      ];
    case "lambda":
      return [`|${e.params.map((p) => p.text).join(", ")}| `, inner(e.body)];
    case "if":
      return group(branches(e, show));
    case "stack":
      return ["stack ", e.index ? `${e.index.text} in ` : "", inner(e.count), " of ", inner(e.of)];
    case "scan":
    case "fold":
      return [e.kind, " ", loopHead(e, show), " ", block(e.body.statements, show)];
    case "missing":
      return ""; // files with errors are not formatted
    default:
      return e satisfies never;
  }
}
/** if a then b / else if c then d / else e: all on one line, or one below the other. */
function branches(e: Extract<ast.Expr, { kind: "if" }>, show: Show): Doc[] {
  const shown: Doc[] = [];
  let at: ast.Expr = e;
  for (; at.kind === "if"; at = at.else)
    shown.push(["if ", expression(at.condition, show), " then ", expression(at.then, show)], line, "else ");
  return [...shown, expression(at, show)];
}
/** The body of `for` and `over`: on the next line where it does not fit; one that is nested stays beside it as long as its indices fit. */
function after(e: ast.Expr, show: Show): Doc {
  const shown = expression(e, show);
  const below = indent([line, shown]);
  const beside: Doc = [" ", shown];
  return e.kind === "for" || e.kind === "reduce" ? conditionalGroup([beside, beside, below]) : group(below);
}
function loopHead(e: ast.Loop, show: Show): Doc {
  const list = (shown: readonly Doc[]): Doc => join([",", line], [...shown]);
  const carries = e.carries.map((node) => show({ role: "assignment", node }));
  return group([
    "(",
    indent([
      softline,
      list(e.iterators.map((node) => show({ role: "iterator", node }))),
      carries.length ? [";", line, list(carries)] : "",
    ]),
    softline,
    ")",
  ]);
}
const listed = (parts: readonly Doc[]): Doc =>
  fill(parts.flatMap((x, i) => (i < parts.length - 1 ? [[x, ","], line] : [x])));
const bracketed = (open: string, parts: readonly Doc[], close: string): Doc =>
  parts.length ? group([open, indent([softline, join([",", line], [...parts])]), softline, close]) : open + close;
