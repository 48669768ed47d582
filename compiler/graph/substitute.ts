// A scalar with parts of it replaced: everything above them is made anew by the constructors.
import { call, select } from "./arithmetic.ts";
import { and, equalZero, nonNegative, not } from "./conditions.ts";
import { constantPart, fits, termsOf } from "./forms.ts";
import { exactly, floorDiv, linear, modulo } from "./integers.ts";
import { load, random } from "./loads.ts";
import type { Integer, Load, Random, Scalar, ScalarBase, Variable } from "./types.ts";
import { bottomUp, operandsOf } from "./walk.ts";

export type OnLoad = (load: Load, indices: readonly Integer[], outside: Scalar | undefined) => Scalar | undefined;
/**
 * e with the mapped scalars replaced (outermost match wins) and loads rebuilt by `onLoad` where it answers; everything else through the constructors.
 * `memo`: of this map.
 */
export function substitute(
  e: Scalar,
  map: ReadonlyMap<Scalar, Scalar>,
  onLoad?: OnLoad,
  memo: Map<Scalar, Scalar> = new Map(),
): Scalar {
  const replaced = onLoad ? undefined : variablesIn(map);
  if (replaced) return replaced.length ? substituteVariables(e, map, replaced, memo) : e;
  for (const [x, to] of map) memo.set(x, to);
  const go = (x: Scalar): Scalar => memo.get(x)!;
  return bottomUp(e, memo, (x) => rebuild(x, go, onLoad));
}
/** The same where only variables are replaced: what is free of them stays. */
function substituteVariables(
  e: Scalar,
  map: ReadonlyMap<Scalar, Scalar>,
  replaced: readonly Variable[],
  memo: Map<Scalar, Scalar>,
): Scalar {
  const isOpen = (x: Scalar): boolean => x.kind !== "variable" && mentions(x, replaced);
  const go = (x: Scalar): Scalar => (x.kind === "variable" ? map.get(x) : memo.get(x)) ?? x;
  if (!isOpen(e)) return go(e);
  return bottomUp(
    e,
    memo,
    (x) => rebuild(x, go, undefined),
    (x) => operandsOf(x).filter(isOpen),
  );
}
function mentions(e: Scalar, variables: readonly Variable[]): boolean {
  if (!e.variables.size) return false;
  for (const v of variables) if (e.variables.has(v)) return true;
  return false;
}
/** The keys that become something else, if all keys are loop variables. */
function variablesIn(map: ReadonlyMap<Scalar, Scalar>): Variable[] | undefined {
  const found: Variable[] = [];
  for (const [x, to] of map) {
    if (x.kind !== "variable" || x.scans.size) return undefined; // the step of a scan is no free variable
    if (x !== to) found.push(x);
  }
  return found;
}
/** An integer whose sum was its value, with other atoms: a formula in place of an atom that may leave i32 is there as it wraps. */
function again(e: Integer, go: (x: Scalar) => Scalar): Integer {
  const x = go(e) as Integer;
  if (x === e || fits(x) || !fits(e)) return x;
  const terms = termsOf(e).map(([atom, k]) => [go(atom) as Integer, k] as const);
  if (terms.every(([atom]) => fits(atom))) return x;
  const opaque = terms.map(([atom, k]) => [exactly(atom), k] as const);
  return linear(opaque, constantPart(e));
}
export function rebuild(e: Scalar, go: (x: Scalar) => Scalar, onLoad: OnLoad | undefined): Scalar {
  switch (e.kind) {
    case "literal":
    case "dim":
    case "variable":
    case "local":
      return e;
    case "affine": {
      const atoms = rebuilt(e.atoms, go);
      return atoms === e.atoms
        ? e
        : linear(
            e.terms.map(([, k], i) => [atoms[i]!, k] as const),
            e.constant,
          );
    }
    case "floor_div":
    case "modulo":
    case "non_negative":
    case "equal_zero": {
      const x = again(e.operand, go);
      if (x === e.operand) return e;
      return e.kind === "floor_div"
        ? floorDiv(x, e.divisor)
        : e.kind === "modulo"
          ? modulo(x, e.divisor)
          : e.kind === "non_negative"
            ? nonNegative(x)
            : equalZero(x);
    }
    case "not": {
      const x = go(e.operand);
      return x === e.operand ? e : not(x);
    }
    case "and":
    case "call": {
      const xs = rebuilt(e.operands, go);
      return xs === e.operands ? e : e.kind === "and" ? and(...xs) : call(e.fn, ...xs);
    }
    case "select": {
      const [condition, then, otherwise] = [go(e.condition), go(e.then), go(e.otherwise)];
      return condition === e.condition && then === e.then && otherwise === e.otherwise
        ? e
        : select(condition, then, otherwise);
    }
    case "random": {
      const [seed, step, indices] = [go(e.seed), go(e.step), rebuilt(e.indices, go)];
      return seed === e.seed && step === e.step && indices === e.indices
        ? e
        : random({ ...draw(e), seed, step, indices });
    }
    case "load": {
      const indices = rebuilt(e.indices, (x) => again(x as Integer, go));
      const outside = e.outside && go(e.outside);
      const own = onLoad?.(e, indices, outside);
      if (own) return own;
      return outside === e.outside && indices === e.indices ? e : load(e.tensor, indices, outside);
    }
    default:
      return e satisfies never;
  }
}
/** The scalars after `go`: the same list where nothing changes. Integers stay integers. */
function rebuilt<T extends Scalar>(xs: readonly T[], go: (x: Scalar) => Scalar): readonly T[] {
  for (let i = 0; i < xs.length; i++) if (go(xs[i]!) !== xs[i]) return xs.map((x) => go(x) as T);
  return xs;
}
const draw = (e: Random): Omit<Random, keyof ScalarBase | "kind"> => ({
  distribution: e.distribution,
  site: e.site,
  seed: e.seed,
  step: e.step,
  indices: e.indices,
  extents: e.extents,
});
