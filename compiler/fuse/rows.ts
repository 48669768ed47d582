// States of which a step writes one row. In: the updates of a program. Out: for such a state, its elements that are written.
import { constantOf, imul, integer, substitute } from "../graph/scalar.ts";
import type { Compute, GraphProgram, Integer, Scalar, Source } from "../graph/types.ts";
import { sizeOf } from "./storage.ts";

/** target[indices] = value, for one element of a state. */
export interface RowStore {
  readonly indices: readonly Integer[];
  readonly value: Scalar;
}
/** States of which a step writes one row: target[e, ...] = value, the others stay. */
export function findRowUpdates(
  program: GraphProgram,
  notInPlace: ReadonlySet<Source>,
): Map<Source, readonly RowStore[]> {
  const found = new Map<Source, readonly RowStore[]>();
  for (const u of program.updates) {
    if (notInPlace.has(u.target) || u.value.kind !== "compute" || u.value.reduction) continue;
    const stores = rowStores(u.value, u.target);
    if (stores) found.set(u.target, stores);
  }
  return found;
}
/**
 * `select(i == e, value, target[i, j])` for all i, j, with e and value the same for all i: one row is written. Later axes are few and
 * written out. Undefined where the body has another form.
 */
function rowStores(x: Compute, target: Source): RowStore[] | undefined {
  const { body } = x;
  if (
    body.kind !== "select" ||
    body.otherwise.kind !== "load" ||
    body.otherwise.tensor !== target ||
    body.otherwise.outside
  )
    return undefined;
  if (
    !body.otherwise.indices.every((e, d) =>
      x.shape[d] === 1 ? constantOf(e) === 0 : e.kind === "variable" && e.position === d,
    )
  )
    return undefined;
  if (body.condition.kind !== "equal_zero" || typeof x.shape[0] !== "number" || x.shape[0] === 1) return undefined;
  const rest = x.shape.slice(1);
  if (rest.some((n) => typeof n !== "number") || sizeOf(rest) > 16) return undefined;
  // a0 - e == 0
  const { operand } = body.condition;
  const terms = operand.kind === "affine" ? operand.terms : [[operand, 1] as const];
  const [first, step] = terms.find(([atom]) => atom.kind === "variable" && atom.position === 0) ?? [];
  if (first?.kind !== "variable" || Math.abs(step!) !== 1) return undefined;
  const row = substitute(operand, new Map<Scalar, Scalar>([[first, integer(0)]])) as Integer;
  const e = step === 1 ? imul(row, -1) : row;
  if (e.variables.size || body.then.variables.has(first)) return undefined;
  const result: RowStore[] = [];
  const axes = [...body.variables].filter((v) => v.position !== undefined && v.position > 0);
  const walk = (d: number, at: number[]): void => {
    if (d < rest.length) {
      for (let k = 0; k < (rest[d] as number); k++) walk(d + 1, [...at, k]);
      return;
    }
    const value = substitute(body.then, new Map(axes.map((v) => [v as Scalar, integer(at[v.position! - 1]!)])));
    result.push({ indices: [e, ...at.map((k) => integer(k))], value });
  };
  walk(0, []);
  return result;
}
