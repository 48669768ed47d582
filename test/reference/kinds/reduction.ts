// Reductions, statistics and distances over axes.
import { along, grown, normOrder, num, range, shapeText, type Rule, type Rules } from "../translation.ts";
import { Refused, type CaseReader } from "../reader.ts";

/** `, axis: [1], keep: true`, of what the case says. */
function over(c: CaseReader, name = "x"): string {
  const axes = c.axes("axis", c.shape(name).length);
  return `${axes ? `, axis: ${shapeText(axes)}` : ""}${c.flag("keepdim", false) ? ", keep: true" : ""}`;
}
const reduction =
  (name: string): Rule =>
  (c) => ({ outputs: { y: `${name}(x${over(c)})` } });
const spread =
  (name: string): Rule =>
  (c) => ({ outputs: { y: `${name}(x${over(c)}, correction: ${num(c.number("correction", 1))})` } });
const extreme =
  (value: string, place: string): Rule =>
  (c) => {
    const rest = `, axis: ${c.axis("axis", c.shape("x").length)}${c.flag("keepdim", false) ? ", keep: true" : ""}`;
    return { outputs: { values: `${value}(x${rest})`, indices: `${place}(x${rest})` } };
  };
/** One axis, or the place in all elements, row by row. */
const position =
  (name: string): Rule =>
  (c) => {
    const axes = c.axes("axis", c.shape("x").length);
    const keep = c.flag("keepdim", false);
    if (axes) return { outputs: { y: `${name}(x, axis: ${axes[0]}${keep ? ", keep: true" : ""})` } };
    return { outputs: { y: `reshape${shapeText(c.output("y"))}(${name}(x))` } };
  };
const running =
  (name: string): Rule =>
  (c) => {
    const rank = c.shape("x").length;
    return { outputs: { y: along(c.axis("axis", rank), rank, "x", (x) => `${name}(${x})`) } };
  };
/** Two tensors of equal shapes, as they broadcast. */
const paired = (c: CaseReader): [string, string] => {
  const [a, b] = [c.shape("a"), c.shape("b")];
  const rank = Math.max(a.length, b.length);
  const at = (shape: readonly number[], i: number): number => shape[i - rank + shape.length] ?? 1;
  const both = range(rank).map((i) => (at(a, i) === 1 ? at(b, i) : at(a, i)));
  return [grown("a", a, both), grown("b", b, both)];
};

export const reductions: Rules = {
  ...Object.fromEntries(
    ["sum", "mean", "prod", "amax", "amin", "logsumexp", "any", "all"].map((name) => [name, reduction(name)]),
  ),
  argmax: position("argmax"),
  argmin: position("argmin"),
  var: spread("var"),
  std: spread("std"),
  norm: (c) => ({ outputs: { y: `norm(x${over(c)}, p: ${normOrder(c, "p", 2)})` } }),
  max_with_index: extreme("max", "argmax"),
  min_with_index: extreme("min", "argmin"),
  cumsum: running("cumsum"),
  cumprod: running("cumprod"),
  cosine_similarity: (c) => {
    const rank = Math.max(c.shape("a").length, c.shape("b").length);
    const options = `axis: ${c.axis("axis", rank, 1)}, eps: ${num(c.number("eps", 1e-8))}`;
    return { outputs: { y: `cosine_similarity(${paired(c).join(", ")}, ${options})` } };
  },
  l2_normalize: (c) => ({
    outputs: {
      y: `l2_normalize(x, axis: ${c.axis("axis", c.shape("x").length, 1)}, eps: ${num(c.number("eps", 1e-12))})`,
    },
  }),
  pairwise_distance: (c) => {
    const text = `pairwise_distance(${paired(c).join(", ")}, ${num(c.number("eps", 1e-6))}, p: ${normOrder(c, "p", 2)})`;
    return { outputs: { y: c.flag("keepdim", false) ? `unsqueeze(${text}, -1)` : text } };
  },
  expression: (c) => {
    c.says("expr", "-sum(softmax(x)*log_softmax(x), -1)");
    return { outputs: { y: "-sum(softmax(x) * log_softmax(x), axis: -1)" } };
  },
};

/** The equation with its axes as words; a missing output has the letters that come once, in order of the alphabet. */
function equation(c: CaseReader): { inputs: string[]; output: string } {
  const text = c.text("equation").replaceAll(" ", "");
  const [left = "", right] = text.split("->");
  const inputs = left.split(",");
  const letters = inputs.join("").replaceAll(".", "");
  const once = [...new Set(letters)].filter((x) => letters.split(x).length === 2).sort();
  return { inputs, output: right ?? `${left.includes("...") ? "..." : ""}${once.join("")}` };
}
const words = (term: string): string =>
  (term.replaceAll("...", "*").match(/./g) ?? [])
    .map((x) => (x === "*" ? "..." : /[A-Z]/.test(x) ? `u${x.toLowerCase()}` : x))
    .join(" ");

const operand = (i: number): string => String.fromCharCode(97 + i);
/** The letter of every axis of a term; those of `...` have none. */
function lettersOf(term: string, rank: number): string[] {
  const [before = "", after] = term.split("...");
  if (after === undefined) return [...before];
  return [...before, ...range(rank - before.length - after.length).map(() => ""), ...after];
}
/** A term and its operand without the axes of extent 1 that are longer in another operand. */
function stretched(c: CaseReader, terms: readonly string[], i: number): [string, string] {
  const [term, name] = [terms[i]!, operand(i)];
  const shape = c.shape(name);
  const longest: Record<string, number> = {};
  for (const [k, other] of terms.entries()) {
    const extents = c.shape(operand(k));
    for (const [axis, letter] of lettersOf(other, extents.length).entries())
      longest[letter] = Math.max(longest[letter] ?? 0, extents[axis]!);
  }
  const gone = lettersOf(term, shape.length).map((letter, axis) => shape[axis] === 1 && letter && longest[letter]! > 1);
  if (!gone.some(Boolean)) return [term, name];
  const left = lettersOf(term, shape.length).filter((_, axis) => gone[axis]);
  const kept = [...term].filter((letter) => !left.includes(letter)).join("");
  return [kept, `reshape${shapeText(shape.filter((_, axis) => !gone[axis]))}(${name})`];
}

export const linalg: Rules = {
  matmul: (c) => {
    const [a, b] = [c.shape("a"), c.shape("b")];
    const lead = c.output("y").slice(0, -2);
    const stretched = a.length > 2 && b.length > 2 && String(a.slice(0, -2)) !== String(b.slice(0, -2));
    const text = (name: string): string =>
      stretched ? `expand${shapeText([...lead, ...c.shape(name).slice(-2)])}(${name})` : name;
    return { outputs: { y: `${text("a")} @ ${text("b")}` } };
  },
  outer: () => ({ outputs: { y: "outer(a, b)" } }),
  pairwise_sqdist: (c) => {
    c.says("expr", "sum_k (a[i,k]-b[j,k])^2");
    return { outputs: { y: "pairwise_sqdist(a, b)" } };
  },
  nearest_prototype: () => ({ outputs: { y: "argmin(pairwise_sqdist(x, w), axis: -1)" } }),
  einsum: (c) => {
    const { inputs, output } = equation(c);
    if (inputs.some((_, i) => !c.has(operand(i)))) throw new Refused("operands of other names");
    const terms = inputs.map((_, i) => stretched(c, inputs, i));
    const pattern = `${terms.map(([term]) => words(term)).join(", ")} -> ${words(output)}`;
    return { outputs: { y: `einsum(\`${pattern}\`, ${terms.map(([, text]) => text).join(", ")})` } };
  },
  /** Of each matrix, where there are axes in front. */
  svdvals: (c) => {
    const lead = c.shape("x").slice(0, -2);
    const each = (index: readonly number[]): string =>
      index.length < lead.length
        ? `[${range(lead[index.length]!)
            .map((i) => each([...index, i]))
            .join(", ")}]`
        : `svdvals(x${index.length ? shapeText(index) : ""})`;
    return { outputs: { y: each([]) } };
  },
};
