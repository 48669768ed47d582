// Simplification of reduction axes: extent 1 is 0; constant guards shrink an axis (tighten); two axes that occur everywhere as
// n * t + u become one (merge). Takes and gives a body with its reduction axes; the sum is the same.
import {
  conjuncts,
  constantBounds,
  floorDiv,
  iadd,
  integer,
  isGuard,
  modulo,
  operandsOf,
  substitute,
  variable,
  visit,
} from "./scalar.ts";
import type { Scalar, Variable } from "./types.ts";

export function tidy(body: Scalar, over: readonly Variable[]): { body: Scalar; over: Variable[] } {
  let axes = [...over];
  for (let again = true; again;) {
    again = false;
    for (const v of axes) {
      if (v.extent === 1) {
        body = substitute(body, new Map([[v, integer(0)]]));
        axes = axes.filter((x) => x !== v);
        again = true;
        break;
      }
      if (typeof v.extent !== "number" || !isGuard(body)) continue;
      const [low, high] = constantBounds(conjuncts(body.condition), v);
      if ((low === 0 && high === v.extent - 1) || high < low) continue;
      const w = variable(high - low + 1, v.name);
      body = substitute(body, new Map([[v, iadd(w, low)]]));
      axes = axes.map((x) => (x === v ? w : x));
      again = true;
      break;
    }
    if (again) continue;
    const pair = mergeable(body, axes);
    if (!pair) break;
    const [outer, inner] = pair;
    const merged = variable((outer.extent as number) * (inner.extent as number), outer.name);
    body = substitute(
      body,
      new Map([
        [outer, floorDiv(merged, inner.extent as number)],
        [inner, modulo(merged, inner.extent as number)],
      ]),
    );
    axes = [...axes.filter((x) => x !== outer && x !== inner), merged];
    again = true;
  }
  return { body, over: axes };
}

function mergeable(body: Scalar, axes: readonly Variable[]): [Variable, Variable] | undefined {
  if (axes.length < 2) return undefined;
  // for every pair: all users are affine forms with coefficients k * n_u and k
  const users = new Map<Variable, { coefficients: Map<Scalar, number>; bare: boolean }>(
    axes.map((v) => [v, { coefficients: new Map(), bare: body === v }]),
  );
  visit(body, (x) => {
    if (x.kind === "affine") for (const [atom, k] of x.terms) users.get(atom as Variable)?.coefficients.set(x, k);
    else
      for (const y of operandsOf(x)) {
        const user = users.get(y as Variable);
        if (user) user.bare = true;
      }
  });
  for (const t of axes)
    for (const u of axes) {
      if (t === u || typeof t.extent !== "number" || typeof u.extent !== "number") continue;
      const a = users.get(t)!;
      const b = users.get(u)!;
      if (a.bare || b.bare || a.coefficients.size === 0 || a.coefficients.size !== b.coefficients.size) continue;
      if ([...a.coefficients].every(([form, k]) => k === (b.coefficients.get(form) ?? NaN) * (u.extent as number)))
        return [t, u];
    }
  return undefined;
}
