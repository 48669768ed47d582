// Formulas as a person would write them, over the reals: sums are collected, constants folded and taken out of brackets. For reading alone:
// what is computed is in the graph. In: scalars. Out: polynomials over atoms that are text, and their text.

/** A sum of products. */
export type Poly = ReadonlyMap<string, Product>; // by the atoms of the product
export interface Product {
  readonly factor: number;
  readonly powers: ReadonlyMap<string, number>; // of atoms; the text of an atom needs no brackets
}

const sumOf = (products: Iterable<Product>): Poly => {
  const terms = new Map<string, Product>();
  for (const p of products) {
    const key = [...p.powers]
      .map(([atom, n]) => `${atom}^${n}`)
      .sort()
      .join(" ");
    const factor = p.factor + (terms.get(key)?.factor ?? 0);
    if (Math.abs(factor) < 1e-12) terms.delete(key);
    else terms.set(key, { ...p, factor });
  }
  return terms;
};
const noPowers: ReadonlyMap<string, number> = new Map();
export const number = (x: number): Poly => sumOf([{ factor: x, powers: noPowers }]);
export const atom = (text: string): Poly => sumOf([{ factor: 1, powers: new Map([[text, 1]]) }]);
export const scale = (a: Poly, by: number): Poly =>
  sumOf([...a.values()].map((p) => ({ ...p, factor: p.factor * by })));
export const add = (a: Poly, b: Poly): Poly => sumOf([...a.values(), ...b.values()]);
export const sub = (a: Poly, b: Poly): Poly => add(a, scale(b, -1));
/** The value of a polynomial without atoms. */
export function valueOf(a: Poly): number | undefined {
  const [first] = a.values();
  return !first ? 0 : a.size === 1 && !first.powers.size ? first.factor : undefined;
}
/** One product: a sum becomes an atom in brackets, its common factor before it. */
function productOf(a: Poly): Product {
  const [first] = a.values();
  if (!first) return { factor: 0, powers: noPowers };
  if (a.size === 1) return first;
  const common = commonFactor(a);
  return { factor: common, powers: new Map([[`(${text(scale(a, 1 / common))})`, 1]]) };
}
export function multiply(a: Poly, b: Poly): Poly {
  const [x, y] = [valueOf(a), valueOf(b)];
  if (x !== undefined) return scale(b, x);
  if (y !== undefined) return scale(a, y);
  const [p, q] = [productOf(a), productOf(b)];
  const powers = new Map(p.powers);
  for (const [name, n] of q.powers) {
    const sum = n + (powers.get(name) ?? 0);
    if (sum) powers.set(name, sum);
    else powers.delete(name);
  }
  return sumOf([{ factor: p.factor * q.factor, powers }]);
}
export function divide(a: Poly, b: Poly): Poly {
  const { factor, powers } = productOf(b);
  if (factor === 0) return atom(`(${text(a)} / 0)`);
  return multiply(a, sumOf([{ factor: 1 / factor, powers: new Map([...powers].map(([name, n]) => [name, -n])) }]));
}

/** Of a sum whose terms differ in sign alone, else 1; negative where all of them are. */
function commonFactor(a: Poly): number {
  const factors = [...a.values()].map((p) => p.factor);
  const size = Math.abs(factors[0]!);
  const sign = factors.every((x) => x < 0) ? -1 : 1;
  return factors.every((x) => Math.abs(Math.abs(x) - size) < 1e-9 * size) ? sign * size : sign;
}
export function text(a: Poly): string {
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
function productText({ factor, powers }: Product): string {
  const power = ([name, n]: readonly [string, number]): string => (n === 1 ? name : `${name}^${n}`);
  const above = [...powers].filter(([, n]) => n > 0).map(power);
  const below = [...powers].filter(([, n]) => n < 0).map(([name, n]) => power([name, -n]));
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
