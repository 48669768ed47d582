// Reductions, statistics and distances over axes.
import { along, num, shapeText, type Rule, type Rules } from "../translation.ts";
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
const order = (c: CaseReader, absent?: number): number => {
  const p = c.attribute("p");
  return p === "inf" ? Infinity : p === "-inf" ? -Infinity : c.number("p", absent);
};

export const reductions: Rules = {
  ...Object.fromEntries(
    ["sum", "mean", "prod", "amax", "amin", "logsumexp", "any", "all"].map((name) => [name, reduction(name)]),
  ),
  argmax: position("argmax"),
  argmin: position("argmin"),
  var: spread("var"),
  std: spread("std"),
  norm: (c) => {
    const p = order(c, 2);
    const rest = over(c);
    if (p === 0) return { outputs: { y: `sum(where(x != 0, 1.0, 0.0)${rest})` } };
    if (p === -Infinity) return { outputs: { y: `amin(abs(x)${rest})` } };
    return { outputs: { y: `norm(x${rest}, p: ${p === Infinity ? "inf" : num(p)})` } };
  },
  max_with_index: extreme("max", "argmax"),
  min_with_index: extreme("min", "argmin"),
  cumsum: running("cumsum"),
  cumprod: running("cumprod"),
  cosine_similarity: (c) => ({
    outputs: {
      y: `cosine_similarity(a, b, axis: ${c.axis("axis", c.shape("a").length, 1)}, eps: ${num(c.number("eps", 1e-8))})`,
    },
  }),
  l2_normalize: (c) => ({
    outputs: {
      y: `l2_normalize(x, axis: ${c.axis("axis", c.shape("x").length, 1)}, eps: ${num(c.number("eps", 1e-12))})`,
    },
  }),
  pairwise_distance: (c) => {
    const [p, eps] = [order(c, 2), num(c.number("eps", 1e-6))];
    const keep = c.flag("keepdim", false);
    if (p === 2 && !keep) return { outputs: { y: `pairwise_distance(a, b, ${eps})` } };
    return {
      outputs: {
        y: `norm(a - b + ${eps}, axis: -1, p: ${p === Infinity ? "inf" : num(p)}${keep ? ", keep: true" : ""})`,
      },
    };
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
    const names = inputs.map((_, i) => String.fromCharCode(97 + i));
    if (names.some((name) => !c.has(name))) throw new Refused("operands of other names");
    return { outputs: { y: `einsum(\`${inputs.map(words).join(", ")} -> ${words(output)}\`, ${names.join(", ")})` } };
  },
  svdvals: () => ({ outputs: { y: "svdvals(x)" } }),
};
