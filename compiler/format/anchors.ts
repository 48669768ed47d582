// Where comments go. In: the AST and the comments that the lexer kept aside. Out: a tree of anchors, the places of the text that may carry
// comments (declarations, statements, parameters, arguments, elements, operands of a chain), each with the comments before, beside and after it.
// Invariant: every comment lands at exactly one anchor, and formatted text puts it at the same one again.
import type * as ast from "../../grammar/ast.ts";
import type { Comment } from "../../grammar/parser.ts";

/** An operand of a chain of equally strong operators, with the operator before it. */
export interface Link {
  readonly operator?: ast.BinaryOperator; // none before the first operand
  readonly operand: ast.Expr;
  readonly last: boolean;
}
export type Place =
  | { readonly role: "file"; readonly node: ast.File }
  | { readonly role: "item"; readonly node: ast.Item }
  | { readonly role: "statement"; readonly node: ast.Statement | ast.DataStatement | ast.TrainStatement }
  | { readonly role: "param"; readonly node: ast.Param }
  | { readonly role: "arg"; readonly node: ast.Arg }
  | { readonly role: "element"; readonly node: ast.Expr }
  | { readonly role: "index"; readonly node: ast.IndexExpr }
  | { readonly role: "link"; readonly node: Link }
  | { readonly role: "assignment"; readonly node: ast.Next["assignments"][number] }
  | { readonly role: "iterator"; readonly node: ast.Loop["iterators"][number] }
  | { readonly role: "clause"; readonly node: ast.Minimize["clauses"][number] };

export interface Anchor {
  readonly place: Place;
  readonly start: number;
  readonly end: number;
  readonly children: readonly Anchor[];
  readonly before: Comment[]; // own lines before it
  readonly beside: Comment[]; // at the end of its line; one at most
  readonly after: Comment[]; // own lines after it, where nothing follows
  readonly inside: Comment[]; // met where no anchor is near: written before all others
}
export const hasComments = (a: Anchor | undefined): boolean =>
  a !== undefined && a.before.length + a.beside.length + a.after.length + a.inside.length > 0;

export function anchor(place: Place, children: readonly Anchor[]): Anchor {
  const [start, end] = extent(place);
  return {
    place,
    start,
    end,
    children: [...children].sort((a, b) => a.start - b.start),
    before: [],
    beside: [],
    after: [],
    inside: [],
  };
}
function extent({ role, node }: Place): readonly [number, number] {
  switch (role) {
    case "file":
      return [0, node.source.text.length];
    case "assignment":
      return [node.name.span.start, node.value.span.end];
    case "link":
      return [node.operand.span.start, node.operand.span.end]; // `attach` looks for the operator itself
    default:
      return [node.span.start, node.span.end];
  }
}

/** Gives every comment to an anchor of the tree. */
export function attach(root: Anchor, comments: readonly Comment[], text: string): void {
  const bare = (from: number, to: number): string => text.slice(from, to).replace(/#[^\n]*/g, "");
  for (const c of comments) {
    let enclosing = root;
    let holder = root; // where a comment without a place of its own goes: anything but the first operand of a chain
    for (;;) {
      const inner = childAt(enclosing.children, c);
      if (!inner) break;
      enclosing = inner;
      if (inner.place.role !== "link" || inner.place.node.operator) holder = inner;
    }
    const i = enclosing.children.findIndex((x) => x.start >= c.end);
    const following = i < 0 ? undefined : enclosing.children[i];
    const preceding = enclosing.children[(i < 0 ? enclosing.children.length : i) - 1];
    const ownLine = /^[ \t]*$/.test(text.slice(text.lastIndexOf("\n", c.start - 1) + 1, c.start));
    const touchesPreceding =
      preceding !== undefined &&
      /^[\s,;]*$/.test(bare(preceding.end, c.start)) &&
      !(preceding.place.role === "link" && preceding.place.node.last);
    const follower = following?.place;
    const operator = follower?.role === "link" ? follower.node.operator : undefined;
    const toFollowing = following && bare(c.end, following.start).trim();
    const touchesFollowing =
      follower?.role === "link"
        ? operator !== undefined && toFollowing === operator
        : ["", ",", ";"].includes(toFollowing ?? "none");
    if (!ownLine && touchesPreceding && !preceding.beside.length) preceding.beside.push(c);
    else if (touchesFollowing) following!.before.push(c);
    else if (touchesPreceding && preceding.place.role !== "link") preceding.after.push(c);
    else holder.inside.push(c);
  }
}
function childAt(children: readonly Anchor[], c: Comment): Anchor | undefined {
  let low = 0;
  let high = children.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const x = children[middle]!;
    if (x.end <= c.start) low = middle + 1;
    else if (x.start >= c.end) high = middle;
    else return x;
  }
  return undefined;
}
