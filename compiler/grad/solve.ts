// From a relation to a node: dx[p] = sum over W with f(W) = p of a(W). The equations f(W) = p are a small integer system; every step
// below removes an equation or an unknown and is an equivalence on integers, so the order is a matter of cost only.
// What cannot be solved stays a reduction axis under an equality guard; what depends on data becomes a Scatter.
import { working } from "../graph/compilation.ts";
import { compute, scatter, type Meta } from "../graph/node.ts";
import {
  and,
  axis,
  conjuncts,
  constantOf,
  countAtoms,
  equalZero,
  extentInteger,
  fits,
  floorDiv,
  greatestCommonDivisor,
  iadd,
  imul,
  inRange,
  interval,
  isBounded,
  isCall,
  isGuard,
  isub,
  linear,
  load,
  modulo,
  mul,
  nonNegative,
  positiveModulo,
  select,
  dependsOnData,
  substitute,
  termsOf,
  variable,
  visit,
} from "../graph/scalar.ts";
import { tidy } from "../graph/tidy.ts";
import type { Extent, Integer, Load, Node, Scalar, Shape, Variable } from "../graph/types.ts";

export interface Relation {
  readonly shape: Shape; // of the tensor that receives
  readonly unknowns: readonly Variable[];
  readonly indices: readonly Integer[]; // of the element that W contributes to
  readonly value: Scalar;
  readonly meta?: Meta;
}

/** A contribution to a tensor that is solved elsewhere. */
export type Contribution = Omit<Relation, "shape"> & { readonly tensor: Node };

const mentions = (e: Scalar, unknowns: ReadonlySet<Variable>): boolean => {
  for (const v of e.variables) if (unknowns.has(v)) return true;
  return false;
};
function inverse(a: number, m: number): number {
  const r = positiveModulo(a, m);
  for (let x = 1; x < m; x++) if ((r * x) % m === 1) return x;
  return 0;
}
const numeric = (n: Extent): number => (typeof n === "number" ? n : 1e6); // a run-time axis counts as long

export function solve(relation: Relation): Node {
  const plain = sumOfOthers(relation);
  if (plain) return plain;
  const output = relation.shape.map((n) => variable(n, "p"));
  const unknowns = new Set(relation.unknowns.filter((v) => v.extent !== 1));
  const [placed, open] = placeBare(relation, output, unknowns);
  let { value } = placed;
  let equations = open.map((d) => isub(placed.indices[d]!, output[d]!));
  let guards: Scalar[] = [];
  let late: Integer[] = []; // equalities that hold data: solved last
  let ranges: [Integer, Extent][] = []; // obligations 0 <= e < n, unsimplified until the end
  if (isGuard(value)) {
    for (const g of conjuncts(value.condition)) {
      if (g.kind === "equal_zero" && fits(g.operand) && mentions(g.operand, unknowns))
        (dependsOnData(g.operand) ? late : equations).push(g.operand);
      else guards.push(g);
    }
    value = value.then;
  }
  if (working().options.open) value = openBareFactors(value, guards);

  const apply = (map: ReadonlyMap<Scalar, Scalar>): void => {
    const memo = new Map<Scalar, Scalar>();
    const go = <T extends Scalar>(e: T): T => substitute(e, map, undefined, memo) as T;
    equations = equations.map(go);
    late = late.map(go);
    guards = guards.map(go);
    ranges = ranges.map(([e, n]) => [go(e), n]);
    value = go(value);
  };
  const drop = (v: Variable): void => {
    unknowns.delete(v);
    if (!v.implied) ranges.push([v, v.extent]);
  };
  // an equation that is gone but for its floor or mod implies no range any more: their normal form may have used it
  const divide = (e: Integer): void => {
    for (const v of e.variables) if (v.implied && unknowns.has(v)) ranges.push([v, v.extent]);
  };

  // 1: quotient and remainder of every floor and mod atom in an equation become unknowns
  for (let again = true; again;) {
    again = false;
    for (const equation of equations) {
      const atom = termsOf(equation)
        .map(([x]) => x)
        .find((x) => (x.kind === "floor_div" || x.kind === "modulo") && mentions(x, unknowns));
      if (!atom || (atom.kind !== "floor_div" && atom.kind !== "modulo")) continue;
      const { operand, divisor } = atom;
      const range = interval(operand);
      const low = Math.floor(range.low / divisor);
      const high = Math.floor(range.high / divisor);
      if (!isBounded(range) || !Number.isFinite(high)) break;
      const q = variable(high - low + 1, "q", { implied: true });
      unknowns.add(q);
      const quotient = floorDiv(operand, divisor);
      let remainder = modulo(operand, divisor);
      const map = new Map<Scalar, Scalar>();
      // in normal form either may be an expression, even another unknown: only an atom may be replaced, or that unknown would lose its range
      if (quotient.kind === "floor_div") map.set(quotient, iadd(q, low));
      if (remainder.kind === "modulo") {
        const r = variable(divisor, "r");
        unknowns.add(r);
        map.set(remainder, r);
        remainder = r;
      }
      apply(map);
      equations.push(
        linear(
          [
            [operand, 1],
            [q, -divisor],
            [remainder, -1],
          ],
          -divisor * low,
        ),
      );
      again = true;
      break;
    }
  }

  // 2: eliminate
  for (let round = 0; round < 500; round++) {
    equations = equations.filter((e) => {
      if (mentions(e, unknowns)) return true;
      guards.push(equalZero(e));
      return false;
    });
    const step = bestStep(equations, unknowns);
    if (step) {
      step(equations, { apply, drop, divide, unknowns, guard: (g) => guards.push(g) });
      continue;
    }
    // 3: a late equation with a free unknown of coefficient +-1
    const found = late.findIndex((e) => solvable(e, unknowns));
    if (found < 0) break;
    const [equation] = late.splice(found, 1) as [Integer];
    const [v, k] = solvable(equation, unknowns)!;
    drop(v);
    apply(
      new Map([
        [
          v,
          linear([
            [equation, -k],
            [v, 1],
          ]),
        ],
      ]),
    );
  }

  // 4: leftovers
  if (equations.some((e) => dependsOnData(e))) return push(relation);
  for (const e of [...equations, ...late]) guards.push(equalZero(e));
  const build = (): Scalar =>
    select(
      and(
        ...guards,
        ...ranges.flatMap(([e, n]) =>
          e.kind === "variable" && e.extent === n
            ? []
            : [nonNegative(e), nonNegative(iadd(extentInteger(n), -1, imul(e, -1)))],
        ),
      ),
      value,
      0,
    );
  let body = build();
  let over = [...unknowns];
  if (working().options.shift) {
    for (let shifted = shiftOnce(body, over); shifted; shifted = shiftOnce(body, over)) {
      const { from, to, expression } = shifted;
      const before = { guards, ranges, value };
      apply(new Map([[from, expression]]));
      const moved = build();
      if (countAtoms(moved) >= countAtoms(body)) {
        ({ guards, ranges, value } = before);
        break;
      }
      body = moved;
      over = over.map((v) => (v === from ? to : v));
    }
  }
  ({ body, over } = tidy(body, over));
  return compute(output, { op: "sum", over }, body, relation.meta);
}

/** Where every index is an unknown by itself and nothing guards the value: the sum over the other unknowns. Its axes need no renaming. */
function sumOfOthers({ shape, unknowns, indices, value, meta }: Relation): Node | undefined {
  if (isGuard(value) || factorsOf(value).some(isZeroOutside)) return undefined;
  const others = new Set(unknowns.filter((v) => v.extent !== 1));
  const map = new Map<Scalar, Scalar>();
  const name = (v: Variable, position: number): Variable => {
    const own = axis(position, v.extent);
    if (own !== v) map.set(v, own);
    return own;
  };
  const output: Variable[] = [];
  for (const [d, e] of indices.entries()) {
    if (shape[d] === 1 && constantOf(e) === 0) output.push(axis(d, 1));
    else if (e.kind === "variable" && e.extent === shape[d] && others.delete(e)) output.push(name(e, d));
    else return undefined;
  }
  const over = [...others].map((v, i) => name(v, shape.length + i));
  const tidied = tidy(map.size ? substitute(value, map) : value, over);
  return compute(output, { op: "sum", over: tidied.over }, tidied.body, meta);
}
/** An index that is an unknown by itself is the output's axis: all of these are put in at once. Also the dimensions that are left. */
function placeBare(
  { shape, indices, value }: Relation,
  output: readonly Variable[],
  unknowns: Set<Variable>,
): [Pick<Relation, "indices" | "value">, number[]] {
  const map = new Map<Scalar, Scalar>();
  const open: number[] = [];
  indices.forEach((e, d) => {
    if (e.kind === "variable" && e.extent === shape[d] && unknowns.delete(e)) map.set(e, output[d]!);
    else open.push(d);
  });
  const memo = new Map<Scalar, Scalar>();
  const go = <T extends Scalar>(e: T): T => substitute(e, map, undefined, memo) as T;
  return [{ indices: indices.map(go), value: go(value) }, open];
}

const factorsOf = (x: Scalar): Scalar[] => (isCall(x, "mul") ? x.operands.flatMap(factorsOf) : [x]);
/** `x[..] ?? 0` as a factor becomes x[..] under range guards: only guards can be solved, tightened and merged. */
function openBareFactors(value: Scalar, guards: Scalar[]): Scalar {
  const factors = factorsOf(value);
  if (!factors.some(isZeroOutside)) return value;
  return factors
    .map((x) => {
      if (!isZeroOutside(x)) return x;
      guards.push(...conjuncts(inRange(x.tensor, x.indices)));
      return load(x.tensor, x.indices);
    })
    .reduce((a, b) => mul(a, b));
}
const isZeroOutside = (x: Scalar): x is Load =>
  x.kind === "load" && x.dtype === "f32" && x.outside?.kind === "literal" && x.outside.value === 0;

type Step = (
  equations: Integer[],
  system: {
    apply: (map: ReadonlyMap<Scalar, Scalar>) => void;
    drop: (v: Variable) => void;
    divide: (e: Integer) => void;
    unknowns: Set<Variable>;
    guard: (g: Scalar) => void;
  },
) => void;

/** An unknown with coefficient +-1 that stands in no opaque atom of the equation. */
function solvable(equation: Integer, unknowns: ReadonlySet<Variable>): [Variable, number] | undefined {
  const opaque = new Set<Variable>();
  for (const [atom] of termsOf(equation))
    if (!(atom.kind === "variable" && unknowns.has(atom))) for (const v of atom.variables) opaque.add(v);
  for (const [atom, k] of termsOf(equation))
    if (atom.kind === "variable" && unknowns.has(atom) && Math.abs(k) === 1 && !opaque.has(atom)) return [atom, k];
  return undefined;
}

/** The step that removes most of the iteration space; ties go to the first found. */
function bestStep(equations: readonly Integer[], unknowns: ReadonlySet<Variable>): Step | undefined {
  const occurrences = new Map<Variable, number>();
  for (const e of equations) for (const v of e.variables) occurrences.set(v, (occurrences.get(v) ?? 0) + 1);
  const alone = (v: Variable): boolean => occurrences.get(v) === 1;
  let best: { score: number; step: Step } | undefined;
  const offer = (score: number, step: Step): void => {
    if (!best || score > best.score + 1e-9) best = { score, step };
  };
  equations.forEach((equation, at) => {
    const own: [Variable, number][] = [];
    const opaque = new Set<Variable>();
    for (const [atom, k] of termsOf(equation)) {
      if (atom.kind === "variable" && unknowns.has(atom)) own.push([atom, k]);
      else for (const v of atom.variables) opaque.add(v);
    }
    const usable = own.filter(([v]) => !opaque.has(v));
    const rest = (...without: Variable[]): Integer =>
      linear([[equation, 1], ...own.filter(([v]) => without.includes(v)).map(([v, k]) => [v, -k] as const)]);
    for (const [v, c] of usable) {
      const n = numeric(v.extent);
      const s = Math.abs(c);
      if (s === 1) {
        // a, c: substitute
        offer(own.length === 1 ? 1e20 : n * 2, (list, system) => {
          list.splice(at, 1);
          system.drop(v);
          system.apply(new Map([[v, imul(rest(v), -c)]]));
        });
        continue;
      }
      if (typeof v.extent !== "number") continue;
      for (const [u, d] of usable) {
        if (u === v || typeof u.extent !== "number" || !alone(u) || !alone(v)) continue;
        const extent = u.extent;
        // b: mixed radix
        if (working().options.merge && c === d * extent)
          offer(1e18, (list, system) => {
            const merged = variable((v.extent as number) * extent, "m", { implied: v.implied && u.implied });
            list[at] = linear([
              [rest(v, u), 1],
              [merged, d],
            ]);
            system.unknowns.delete(v);
            system.unknowns.delete(u);
            system.unknowns.add(merged);
            system.apply(
              new Map([
                [v, floorDiv(merged, extent)],
                [u, modulo(merged, extent)],
              ]),
            );
          });
        // d: rebase, u = (-K d^-1 mod s) + s t, v = -(K + d u) / c
        if (working().options.rebase && greatestCommonDivisor(s, d) === 1) {
          const count = Math.ceil(extent / s);
          offer(((n * extent) / count) * 2 - 0.5, (list, system) => {
            list.splice(at, 1);
            const t = variable(count, "t");
            system.drop(v);
            system.drop(u);
            system.unknowns.add(t);
            const K = rest(v, u);
            system.divide(K);
            const residue = modulo(imul(K, -inverse(d, s)), s);
            const sign = c > 0 ? 1 : -1;
            // K + d * residue is a multiple of s; for d = 1 and -1 it is written without the residue
            const quotient =
              d === 1
                ? imul(floorDiv(imul(K, -1), s), -1)
                : d === -1
                  ? floorDiv(K, s)
                  : floorDiv(
                      linear([
                        [K, 1],
                        [residue, d],
                      ]),
                      s,
                    );
            system.apply(
              new Map([
                [u, iadd(residue, imul(t, s))],
                [
                  v,
                  linear([
                    [quotient, -sign],
                    [t, -d * sign],
                  ]),
                ],
              ]),
            );
          });
        }
      }
      // e, f: divide
      const divisor = own.reduce((g, [, k]) => greatestCommonDivisor(g, k), 0);
      const exact = own.length === 1 || divisor === s;
      offer(n * 2 - (exact ? 0.6 : 1.1), (list, system) => {
        list.splice(at, 1);
        const others = rest(v);
        const checked = exact ? rest(...own.map(([w]) => w)) : others;
        system.guard(equalZero(modulo(checked, s)));
        system.drop(v);
        system.divide(others);
        system.apply(new Map([[v, c > 0 ? floorDiv(imul(others, -1), s) : floorDiv(others, s)]]));
      });
    }
  });
  return best?.step;
}

/** An implied unknown u that occurs as x[u + E] with floor or mod in E, the index known to be in range: u becomes u' - E. */
function shiftOnce(
  body: Scalar,
  over: readonly Variable[],
): { from: Variable; to: Variable; expression: Integer } | undefined {
  if (!over.some((u) => u.implied)) return undefined;
  const guards = new Set(isGuard(body) ? conjuncts(body.condition) : []);
  const proved = (g: Scalar): boolean => conjuncts(g).every((c) => guards.has(c));
  const loads: Load[] = [];
  visit(body, (x) => {
    if (x.kind === "load") loads.push(x);
  });
  for (const u of over) {
    if (!u.implied) continue;
    for (const l of loads)
      for (const [d, e] of l.indices.entries()) {
        if (termsOf(e).find(([atom]) => atom === u)?.[1] !== 1) continue;
        const E = isub(e, u);
        if (E.variables.has(u) || countAtoms(E) === 0 || dependsOnData(E) || over.some((v) => E.variables.has(v)))
          continue;
        const n = l.tensor.shape[d]!;
        if (typeof n !== "number") continue;
        if (!proved(nonNegative(e)) || !proved(nonNegative(isub(n - 1, e)))) continue;
        const to = variable(n, "s", { implied: true });
        return { from: u, to, expression: isub(to, E) };
      }
  }
  return undefined;
}

/** Push form over the original relation. */
const push = ({ shape, unknowns, indices, value, meta }: Relation): Node =>
  scatter(
    shape,
    unknowns.filter((v) => v.extent !== 1),
    indices,
    value,
    meta,
  );
