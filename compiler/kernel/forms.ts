// Affine forms over the named integers of a kernel (loop variables, first elements of tiles, lanes), and what is known about each name.
// Guards, hoisting, vector access, windows and sliding all stand on them.
import { isI32 } from "../scalar/range.ts";
import type { Expr } from "./expr.ts";

export interface Form {
  readonly terms: ReadonlyMap<string, number>; // name -> coefficient, never 0
  readonly constant: number;
}
export interface Named {
  readonly level: number; // depth of the loop that binds it; 0 outside of all loops
  readonly low: number; // inclusive bounds
  readonly high: number; // Infinity: a size that only the run knows, or a position below one
  readonly isComputed?: boolean; // by the text, which may go beyond any size
  readonly multiple: number; // every value is a multiple of this
  readonly fourth?: Expr; // its fourth, where that is simpler than a division
  readonly varying: boolean; // differs between the invocations of a workgroup
}

export const constantForm = (constant: number): Form => ({ terms: new Map(), constant });
export const nameForm = (name: string, coefficient = 1): Form => ({
  terms: new Map([[name, coefficient]]),
  constant: 0,
});
/** a + k b */
export function addForms(a: Form, b: Form, k = 1): Form {
  if (!b.terms.size) return { terms: a.terms, constant: a.constant + k * b.constant };
  const terms = new Map(a.terms);
  for (const [name, c] of b.terms) {
    const sum = (terms.get(name) ?? 0) + k * c;
    if (sum) terms.set(name, sum);
    else terms.delete(name);
  }
  return { terms, constant: a.constant + k * b.constant };
}
export const shift = (form: Form, by: number): Form =>
  by ? { terms: form.terms, constant: form.constant + by } : form;
export const scaled = (form: Form, k: number): Form => ({
  terms: new Map([...form.terms].map(([name, c]) => [name, c * k])),
  constant: form.constant * k,
});
/** Equal for forms that differ by a constant. */
export const linearKey = (form: Form): string =>
  [...form.terms]
    .map(([name, k]) => `${k}*${name}`)
    .sort()
    .join("+");
export const formKey = (form: Form): string => `${linearKey(form)}|${form.constant}`;
export function boundsOf(form: Form, names: Pick<ReadonlyMap<string, Named>, "get">): { low: number; high: number } {
  let low = form.constant;
  let high = form.constant;
  for (const [name, k] of form.terms) {
    const x = names.get(name)!;
    low += k > 0 ? k * x.low : k * x.high;
    high += k > 0 ? k * x.high : k * x.low;
  }
  return { low, high };
}
/** Is the form's sum its value: does it stay within i32? What depends on run-time sizes alone counts by `size` of them. */
export function staysI32(form: Form, names: ReadonlyMap<string, Named>, size = 0): boolean {
  const { low, high } = boundsOf(form, {
    get: (name) => {
      const named = names.get(name)!;
      return named.high === Infinity ? { ...named, high: Math.max(size, named.low) } : named;
    },
  });
  return isI32(low) && isI32(high);
}
/** A number as i32 arithmetic has it. */
export const wrapped = (x: number): number => (isI32(x) ? x : x | 0);
export const isVarying = (form: Form, names: ReadonlyMap<string, Named>): boolean =>
  [...form.terms.keys()].some((name) => names.get(name)!.varying);
/** Is the part without the constant a multiple of m? */
export const isMultiple = (form: Form, m: number, names: ReadonlyMap<string, Named>): boolean =>
  [...form.terms].every(([name, k]) => (k * names.get(name)!.multiple) % m === 0);
