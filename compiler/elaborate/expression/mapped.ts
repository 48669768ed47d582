// Bodies of `for` and of reducers that are whole tensors. In: a body and the indices around it. Out: what it is for all of them, the indices as leading axes:
// one graph over a number for each index, which then gets an axis; or, where that cannot be (loops, states, indices that must be known), one for every index.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { working } from "../../graph/compilation.ts";
import { compute, indicesOf, reshape, source } from "../../graph/node.ts";
import { asExtent, extentInteger, iadd, integer, load, substitute, variable } from "../../graph/scalar.ts";
import type { Integer, Node, Source, Variable } from "../../graph/types.ts";
import { type Context, evaluate, Scope, type Value } from "../context.ts";
import * as errors from "../errors.ts";
import { axesOf } from "../tensors.ts";
import { asTensor, int, isBundle, tensor } from "../values.ts";
import { canBeMapped, overIndex } from "../vmap.ts";

/** The indices that a `for` or reducer opens. */
export interface Indices {
  readonly variables: readonly Variable[];
  readonly scope: Scope; // binds their names
}
/** The body's tensors, `indices` as their first axes, and the value that they make without these. */
export interface Mapped {
  readonly nodes: readonly Node[];
  readonly of: (nodes: readonly Node[]) => Value;
}
export function mappedBody(
  body: ast.Expr,
  indices: Indices,
  scope: Scope,
  ctx: Context,
  span: Span,
  as: (v: Value) => Value = (v) => v,
): Mapped {
  const read = (inner: Scope, own: Context): Mapped => leavesOf(as(evaluate(body, inner, own)), body.span);
  const extents = indices.variables.map((v) => v.extent);
  const isKnown = extents.every((n) => typeof n === "number");
  try {
    const found = overSources(read, indices, scope, ctx, span);
    if (found) return found;
    if (!isKnown) throw errors.notCompiledYet(span, "loopOverIndices");
  } catch (error) {
    const isLong = isKnown && extents.reduce((a, b) => a * b, 1) > errors.mostRounds;
    if (!isKnown || isLong || !(error instanceof errors.Fault)) throw error;
  }
  return writtenOut(read, indices, scope, ctx, span);
}
/** Undefined where the graph cannot get another axis. */
type Read = (inner: Scope, ctx: Context) => Mapped;
function overSources(
  read: Read,
  { variables, scope: opened }: Indices,
  scope: Scope,
  ctx: Context,
  span: Span,
): Mapped | undefined {
  const depth = (ctx.mapped ?? 0) + 1;
  const sources = variables.map((v, k): Source | undefined =>
    v.extent === 1
      ? undefined
      : source({
          role: "input",
          path: `%for.${span.file.name}.${span.start}.${depth}.${k}`,
          shape: [],
          dtype: "i32",
          range: {
            low: 0,
            high:
              typeof v.extent === "number" ? Math.max(0, v.extent - 1) : asExtent(iadd(extentInteger(v.extent), -1)),
          },
        }),
  );
  const at = new Map(variables.map((v, k) => [v, sources[k] ? (load(sources[k], []) as Integer) : integer(0)]));
  const states = new Map(ctx.current);
  const made = working().nextId(); // draws that are older are the same for all indices
  const { nodes, of } = read(namesAt(opened, at, scope), { ...ctx, mapped: depth });
  if ([...ctx.current].some(([held, now]) => states.get(held) !== now)) {
    ctx.current.clear();
    for (const [held, before] of states) ctx.current.set(held, before);
    return undefined;
  }
  const result: Node[] = [];
  for (const node of nodes) {
    let x = node;
    for (let k = variables.length - 1; k >= 0; k--) {
      const own = sources[k];
      if (!own) x = withLeadingOne(x);
      else if (canBeMapped(x, own, made)) x = overIndex(x, own, variables[k]!.extent, made);
      else return undefined;
    }
    result.push(x);
  }
  return { nodes: result, of };
}
function withLeadingOne(x: Node): Node {
  const axes = axesOf(x.shape);
  return compute([variable(1), ...axes], undefined, load(x, indicesOf(axes)), { span: x.span, range: x.range });
}
function writtenOut(read: Read, { variables, scope: opened }: Indices, scope: Scope, ctx: Context, span: Span): Mapped {
  const extents = variables.map((v) => v.extent as number);
  const count = extents.reduce((a, b) => a * b, 1);
  if (count > errors.mostRounds) throw errors.beyondLimit(span, "rounds", count);
  const all = Array.from({ length: count }, (_, i) => {
    let rest = i;
    const at = new Map<Variable, Integer>();
    for (let k = variables.length - 1; k >= 0; k--) {
      at.set(variables[k]!, integer(rest % extents[k]!));
      rest = Math.floor(rest / extents[k]!);
    }
    return read(namesAt(opened, at, scope), ctx);
  });
  const [first] = all;
  if (!first) throw errors.emptyList(span, "tensor");
  const nodes = first.nodes.map((_, j) => {
    const stacked = asTensor({ kind: "list", elements: all.map((x) => tensor(x.nodes[j]!)) }, span);
    return variables.length === 1 ? stacked : reshape(stacked, [...extents, ...stacked.shape.slice(1)], { span });
  });
  return { nodes, of: first.of };
}
/** The names of indices, as numbers at this place. */
function namesAt(opened: Scope, at: ReadonlyMap<Variable, Integer>, scope: Scope): Scope {
  const inner = new Scope(scope);
  const placed = (v: Value): Value =>
    v.kind === "int"
      ? int(substitute(v.value, at) as Integer)
      : v.kind === "list"
        ? { kind: "list", elements: v.elements.map(placed) }
        : v;
  for (const name of opened.ownNames()) if (name !== "%for") inner.bind(name, placed(opened.own(name)!));
  return inner;
}
/** A tensor; or one for every parameter of an instance. */
function leavesOf(v: Value, span: Span): Mapped {
  if (!isBundle(v) || !v.values) return { nodes: [asTensor(v, span)], of: ([x]) => tensor(x!) };
  const { kind, instance } = v;
  const parameters = [...v.values.keys()];
  const of = (nodes: readonly Node[]): Value => ({
    kind,
    instance,
    values: new Map(parameters.map((p, i) => [p, nodes[i]!])),
  });
  return { nodes: [...v.values.values()], of };
}
