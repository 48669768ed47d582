// Formulas as a person would write them, over the reals: sums are collected, constants folded and taken out of brackets. For reading alone:
// what is computed is in the graph. In: scalars. Out: polynomials over atoms that are text, and their text. An atom
// knows how it binds, so that brackets stand where they must.

/** A sum of products. */
export type Poly = ReadonlyMap<string, Product>; // by the atoms of the product
export interface Product {
  readonly factor: number;
  readonly powers: ReadonlyMap<string, Power>; // by the texts of atoms
}
interface Power {
  readonly count: number;
  readonly isLoose: boolean; // the atom binds less than a product: in one it stands in brackets
}

const sumOf = (products: Iterable<Product>): Poly => {
  const terms = new Map<string, Product>();
  for (const p of products) {
    const key = [...p.powers]
      .map(([atom, { count }]) => `${atom}^${count}`)
      .sort()
      .join(" ");
    const factor = p.factor + (terms.get(key)?.factor ?? 0);
    if (Math.abs(factor) < 1e-12) terms.delete(key);
    else terms.set(key, { ...p, factor });
  }
  return terms;
};
const noPowers: ReadonlyMap<string, Power> = new Map();
const atomOf = (text: string, isLoose: boolean): Product => ({
  factor: 1,
  powers: new Map([[text, { count: 1, isLoose }]]),
});
export const number = (x: number): Poly => sumOf([{ factor: x, powers: noPowers }]);
/** A name, a call. */
export const atom = (text: string): Poly => sumOf([atomOf(text, false)]);
/** A comparison, a remainder: what has an operator of its own. */
export const loose = (text: string): Poly => sumOf([atomOf(text, true)]);
export const scale = (a: Poly, by: number): Poly =>
  sumOf([...a.values()].map((p) => ({ ...p, factor: p.factor * by })));
export const add = (a: Poly, b: Poly): Poly => sumOf([...a.values(), ...b.values()]);
export const sub = (a: Poly, b: Poly): Poly => add(a, scale(b, -1));
/** The value of a polynomial without atoms. */
export function valueOf(a: Poly): number | undefined {
  const [first] = a.values();
  return !first ? 0 : a.size === 1 && !first.powers.size ? first.factor : undefined;
}
/** One product: a sum becomes an atom, its common factor before it. */
function productOf(a: Poly): Product {
  const [first] = a.values();
  if (!first) return { factor: 0, powers: noPowers };
  if (a.size === 1) return first;
  const common = commonFactor(a);
  return { ...atomOf(text(scale(a, 1 / common)), true), factor: common };
}
export function multiply(a: Poly, b: Poly): Poly {
  const [x, y] = [valueOf(a), valueOf(b)];
  if (x !== undefined) return scale(b, x);
  if (y !== undefined) return scale(a, y);
  const [p, q] = [productOf(a), productOf(b)];
  const powers = new Map(p.powers);
  for (const [name, { count, isLoose }] of q.powers) {
    const sum = count + (powers.get(name)?.count ?? 0);
    if (sum) powers.set(name, { count: sum, isLoose });
    else powers.delete(name);
  }
  return sumOf([{ factor: p.factor * q.factor, powers }]);
}
export function divide(a: Poly, b: Poly): Poly {
  const { factor, powers } = productOf(b);
  if (factor === 0) return loose(`${operandText(a)} / 0`);
  const inverse = [...powers].map(([name, p]) => [name, { ...p, count: -p.count }] as const);
  return multiply(a, sumOf([{ factor: 1 / factor, powers: new Map(inverse) }]));
}

/** Of a sum whose terms differ in sign alone, else 1; negative where all of them are. */
function commonFactor(a: Poly): number {
  const factors = [...a.values()].map((p) => p.factor);
  const size = Math.abs(factors[0]!);
  const sign = factors.every((x) => x < 0) ? -1 : 1;
  return factors.every((x) => Math.abs(Math.abs(x) - size) < 1e-9 * size) ? sign * size : sign;
}
/** As a whole: between brackets, commas or the ends of a line. */
export function text(a: Poly): string {
  const only = onlyAtom(a);
  return only ? only[0] : sumText(a);
}
/** As what an operator takes that binds less than a sum. */
export function sumText(a: Poly): string {
  if (!a.size) return "0";
  const common = a.size > 1 ? commonFactor(a) : 1;
  if (common !== 1) return productText(productOf(a));
  // what is added comes first
  const terms = [...a.values()].sort((p, q) => Number(p.factor < 0) - Number(q.factor < 0));
  return terms
    .map((p, i) => {
      if (!i) return productText(p);
      return p.factor < 0 ? ` - ${productText({ ...p, factor: -p.factor })}` : ` + ${productText(p)}`;
    })
    .join("");
}
/** As what an operator takes that binds like a product. */
export function operandText(a: Poly): string {
  const only = onlyAtom(a);
  const isPlain = only ? !only[1].isLoose : (valueOf(a) ?? -1) >= 0;
  return isPlain ? text(a) : `(${text(a)})`;
}
/** The atom that it is. */
function onlyAtom(a: Poly): readonly [string, Power] | undefined {
  const [first] = a.values();
  if (!first || a.size > 1 || first.factor !== 1 || first.powers.size !== 1) return undefined;
  const [only] = first.powers;
  return only?.[1].count === 1 ? only : undefined;
}
function productText({ factor, powers }: Product): string {
  const power = ([name, { count, isLoose }]: readonly [string, Power]): string =>
    `${isLoose ? `(${name})` : name}${Math.abs(count) === 1 ? "" : `^${Math.abs(count)}`}`;
  const above = [...powers].filter(([, p]) => p.count > 0).map(power);
  const below = [...powers].filter(([, p]) => p.count < 0).map(power);
  const size = Math.abs(factor);
  const inverse = Math.round(1 / size);
  if (inverse > 1 && Math.abs(inverse * size - 1) < 1e-9) below.unshift(String(inverse));
  else if (size !== 1 || !above.length) above.unshift(numberText(size));
  const under = below.length > 1 ? `(${below.join(" * ")})` : below[0];
  return `${factor < 0 ? "-" : ""}${above.join(" * ") || "1"}${under ? ` / ${under}` : ""}`;
}
export const numberText = (x: number): string =>
  Math.abs(x) > 3.4e38
    ? x < 0
      ? "-inf"
      : "inf"
    : Number.isInteger(x) && Math.abs(x) < 1e6
      ? String(x)
      : String(Number(x.toPrecision(7)));
