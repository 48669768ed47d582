// Random nodes over random index patterns: affine forms with coefficients up to +-6, floor, mod, data-dependent indices, guards, outside values and
// all reductions. Every load is in range, guarded, or has an outside value.
import { compute, constant } from "../../compiler/graph/node.ts";
import {
  add,
  and,
  asScalar,
  call,
  div,
  equal,
  floorDiv,
  iadd,
  inRange,
  interval,
  isTrue,
  isub,
  lessEqual,
  linear,
  load,
  modulo,
  mul,
  neg,
  not,
  select,
  sub,
  variable,
} from "../../compiler/graph/scalar.ts";
import type { Integer, Node, ReductionOp, Scalar, Source, Variable } from "../../compiler/graph/types.ts";
import { parameter } from "../grad/check.ts";
import { random, type Random } from "./random.ts";

export interface Pattern {
  readonly node: Node;
  readonly sources: readonly Source[];
  readonly smooth: boolean; // finite differences of second order mean something
}
export function pattern(seed: number): Pattern {
  const r = random(seed);
  const output = Array.from({ length: r.int(1, 3) }, (_, i) => variable(r.int(1, 5), "ijl"[i]));
  const over = Array.from({ length: r.int(0, 2) }, (_, i) => variable(r.int(1, 4), "ku"[i]));
  const all = [...output, ...over].filter((v) => v.extent !== 1);
  const sources: Source[] = [];
  const op: ReductionOp = r.pick(["sum", "sum", "sum", "sum", "prod", "max", "min"]);
  const reduced = over.some((v) => v.extent !== 1);
  // a product or an extremum of many factors loses all precision in finite differences
  const tensor = (shape: readonly number[]): Source => {
    const same = sources.filter((s) => s.shape.length === shape.length && s.shape.every((n, d) => n === shape[d]));
    if (same.length && r.chance(0.5)) return r.pick(same);
    const made = parameter("xwzuvabcdefg"[sources.length] ?? `s${sources.length}`, shape);
    sources.push(made);
    return made;
  };
  const read = (): Scalar => {
    const rank = r.int(1, 3);
    const indices: Integer[] = [];
    const shape: number[] = [];
    let open = false;
    for (let d = 0; d < rank; d++) {
      let e = index(r, all);
      const { low, high } = interval(e);
      const span = Math.min(high - low + 1, 24);
      const extent = r.chance(0.7) ? span : Math.max(1, span + r.int(-3, 2));
      e = iadd(e, -low + (extent === span ? (r.chance(0.85) ? 0 : r.int(-2, 2)) : r.int(-1, 1)));
      indices.push(e);
      shape.push(extent);
    }
    const x = tensor(shape);
    const inside = inRange(x, indices);
    open = !isTrue(inside);
    if (!open) return load(x, indices);
    return r.chance(0.6)
      ? load(x, indices, r.chance(0.7) ? 0 : 0.5)
      : select(inside, load(x, indices), r.chance(0.7) ? 0 : 0.25);
  };
  const condition = (): Scalar => {
    const e = index(r, all);
    const { low, high } = interval(e);
    const c = r.int(low, Math.max(low, Math.min(high, low + 12)));
    return r.pick([
      () => lessEqual(e, c),
      () => lessEqual(c, e),
      () => equal(e, c),
      () => not(equal(e, c)),
      () => and(lessEqual(e, c), lessEqual(isub(c, 3), e)),
    ])();
  };
  const expression = (depth: number): Scalar => {
    if (depth === 0 || r.chance(0.2)) return read();
    switch (r.int(0, 9)) {
      case 0:
      case 1:
      case 2:
        return mul(expression(depth - 1), expression(depth - 1));
      case 3:
        return add(expression(depth - 1), expression(depth - 1));
      case 4:
        return sub(expression(depth - 1), mul(asScalar(0.5), expression(depth - 1)));
      case 5:
        return call(r.pick(["tanh", "sin", "sigmoid"]), expression(depth - 1));
      case 6:
        return neg(expression(depth - 1));
      case 7:
        return select(condition(), expression(depth - 1), r.chance(0.6) ? asScalar(0) : expression(depth - 1));
      case 8:
        return div(expression(depth - 1), add(asScalar(2), call("sigmoid", expression(depth - 1))));
      default:
        return r.chance(0.3) ? mul(expression(depth - 1), call("to_f32", index(r, all))) : expression(depth - 1);
    }
  };
  let body = expression(r.int(1, 3));
  if (r.chance(0.25)) body = select(condition(), body, 0);
  if (op === "prod") body = add(asScalar(0.8), mul(asScalar(0.3), body));
  const node = compute(output, over.length ? { op, over, ties: r.pick(["share", "first"]) } : undefined, body);
  return { node, sources, smooth: !reduced || op === "sum" || op === "prod" };
}
/** An integer over the variables. */
function index(r: Random, variables: readonly Variable[]): Integer {
  const terms: [Integer, number][] = [];
  for (let n = r.pick([1, 1, 1, 2, 2, 3]); n > 0; n--)
    if (variables.length)
      terms.push([r.pick(variables), r.chance(0.55) ? 1 : r.chance(0.5) ? r.pick([-1, 2, 2, 3]) : r.int(-6, 6)]);
  let e = linear(terms, r.int(-2, 2));
  if (r.chance(0.12)) e = floorDiv(e, r.int(2, 4));
  else if (r.chance(0.12)) e = modulo(e, r.int(2, 5));
  if (r.chance(0.06) && variables.length)
    e = linear([
      [e, 1],
      [modulo(r.pick(variables), 2), r.pick([1, -1, 2])],
    ]);
  if (r.chance(0.08)) {
    // data decides: a table of integers read at a plain variable
    const v = variables.length ? r.pick(variables) : undefined;
    const n = v ? (v.extent as number) : 1;
    const table = constant(
      [n],
      Array.from({ length: n }, () => r.int(0, 4)),
      "i32",
    );
    e = load(table, [v ?? 0]) as Integer;
  }
  return e;
}
