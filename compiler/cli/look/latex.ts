// A formula of the derivation as LaTeX. In: `y[i, j]: f32[4, 2] = sum(k < 3) a[i, k] * w[k, j]`. Out: the same in LaTeX. What is no formula is text.
type Token = readonly [kind: "name" | "number" | "sign", text: string];
const lexical = /\s*(?:([%A-Za-z_][\w%.']*)|(\d+(?:\.\d+)?(?:e[-+]?\d+)?)|(\?\?|<=|>=|==|\S))/gy;

/** `d fit.minimize1 / d net.w = d_net.w` too. */
export function latexOf(line: string): string {
  const text = line.trim();
  if (!text) return "";
  const slope = /^d (\S+) \/ d (\S+) = (.*)$/.exec(text);
  if (slope)
    return `\\frac{\\partial ${nameText(slope[1]!)}}{\\partial ${nameText(slope[2]!)}} = ${expression(slope[3]!)}`;
  const typed = /^(.*?): (f32|i32|bool)(\[[^\]]*\])?(?: = (.*))?$/.exec(text);
  if (!typed) return `\\text{${escaped(text)}}`;
  const [, left = "", dtype = "", shape = "", right] = typed;
  const given = /^(\w+) (.+)$/.exec(left);
  if (right === undefined || given) {
    const set = dtype === "i32" ? "\\mathbb{Z}" : dtype === "bool" ? "\\{0, 1\\}" : "\\mathbb{R}";
    const sizes = shape.slice(1, -1).replaceAll(", ", " \\times ");
    return `${nameText(given?.[2] ?? left)} \\in ${set}${sizes && `^{${sizes}}`}`;
  }
  return `${expression(left)} = ${expression(right)}`;
}
const escaped = (text: string): string => text.replace(/[\\{}$&#_%^~]/g, (c) => `\\${c === "\\" ? "backslash " : c}`);
const greek = new Set(["alpha", "beta", "gamma", "delta", "epsilon", "lambda", "mu", "sigma", "theta", "tau"]);
/** Names of one letter are letters, others upright words. */
function nameText(name: string): string {
  if (greek.has(name)) return `\\${name}`;
  if (/^[A-Za-z]$/.test(name)) return name;
  return `\\mathrm{${escaped(name)}}`;
}
function expression(text: string): string {
  const tokens = tokensOf(text);
  return new Reader(tokens).whole();
}
function tokensOf(text: string): Token[] {
  const found: Token[] = [];
  for (const [, name, number, sign] of text.matchAll(lexical))
    if (name !== undefined) found.push(["name", name]);
    else if (number !== undefined) found.push(["number", number]);
    else if (sign !== undefined) found.push(["sign", sign]);
  return found;
}
const reductions: Readonly<Record<string, string>> = {
  sum: "\\sum",
  prod: "\\prod",
  max: "\\max",
  min: "\\min",
  argmax: "\\operatorname{argmax}",
  argmin: "\\operatorname{argmin}",
};
const known = new Set(["exp", "log", "sin", "cos", "tan", "tanh", "max", "min", "sinh", "cosh"]);
const levels: Readonly<Record<string, number>> = {
  where: 0,
  and: 1,
  "??": 2,
  "<": 2,
  "<=": 2,
  ">=": 2,
  "==": 2,
  "+": 3,
  "-": 3,
  "*": 4,
  "/": 4,
  mod: 4,
};
const signs: Readonly<Record<string, string>> = {
  "<=": "\\le",
  ">=": "\\ge",
  "==": "=",
  and: "\\wedge",
  mod: "\\bmod",
  "??": "\\;\\text{else}\\;",
  where: "\\quad\\text{where}\\quad",
};

/** By precedence. What does not fit is written as it stands. */
class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }
  whole(): string {
    const parts: string[] = [];
    while (this.#at < this.#tokens.length) parts.push(this.#binary(0) || escaped(this.#take()));
    return parts.join(" ");
  }
  #peek(ahead = 0): string {
    return this.#tokens[this.#at + ahead]?.[1] ?? "";
  }
  #take(): string {
    return this.#tokens[this.#at++]?.[1] ?? "";
  }
  #binary(least: number): string {
    let left = this.#unary();
    for (let level = levels[this.#peek()]; level !== undefined && level >= least; level = levels[this.#peek()]) {
      const sign = this.#take();
      const right = this.#binary(level + 1);
      if (sign === "/") left = `\\frac{${bare(left)}}{${bare(right)}}`;
      else if (sign === "*") left = `${left} \\, ${right}`;
      else left = `${left} ${signs[sign] ?? sign} ${right}`;
    }
    return left;
  }
  #unary(): string {
    if (this.#peek() === "-") {
      this.#take();
      return `-${this.#unary()}`;
    }
    if (this.#peek() === "not") {
      this.#take();
      return `\\neg ${this.#unary()}`;
    }
    const base = this.#primary();
    if (this.#peek() !== "^") return base;
    this.#take();
    return `${base}^{${bare(this.#unary())}}`;
  }
  #primary(): string {
    const [kind, text] = this.#tokens[this.#at] ?? ["sign", ""];
    if (kind === "number") {
      this.#take();
      const [digits, power] = text.split("e");
      return power === undefined ? text : `${digits === "1" ? "" : `${digits} \\cdot `}10^{${Number(power)}}`;
    }
    if (text === "(") {
      this.#take();
      return `\\left(${this.#list(")")}\\right)`;
    }
    if (text === "[") {
      this.#take();
      return `[${this.#list("]")}]`;
    }
    if (kind !== "name") return "";
    this.#take();
    if (this.#peek() === "(") return this.#call(text);
    if (this.#peek() !== "[") return nameText(text);
    this.#take();
    return `${nameText(text)}_{${this.#list("]")}}`;
  }
  /** `sum(k < 3) ...` is of all that follows; `sqrt(x)` and the like have signs of their own. */
  #call(name: string): string {
    this.#take();
    const reduction = reductions[name];
    if (reduction && this.#peek(1) === "<") {
      const over = this.#list(")");
      return `${reduction}_{${over}} ${this.#binary(3)}`;
    }
    const inside = this.#list(")");
    if (name === "sqrt") return `\\sqrt{${inside}}`;
    if (name === "abs") return `\\left|${inside}\\right|`;
    if (name === "floor") return `\\left\\lfloor ${inside} \\right\\rfloor`;
    if (name === "square") return `\\left(${inside}\\right)^2`;
    return `${known.has(name) ? `\\${name}` : `\\operatorname{${escaped(name)}}`}\\left(${inside}\\right)`;
  }
  #list(end: string): string {
    const parts: string[] = [];
    while (this.#at < this.#tokens.length && this.#peek() !== end) {
      const part = this.#binary(0) || escaped(this.#take());
      parts.push(part === "," ? ", " : part);
    }
    this.#take();
    return parts.join("");
  }
}
/** Brackets around all of it say nothing in a fraction. */
function bare(text: string): string {
  const inside = /^\\left\((.*)\\right\)$/s.exec(text)?.[1];
  if (inside === undefined) return text;
  let depth = 0;
  for (const [sign] of inside.matchAll(/\\left\(|\\right\)/g)) {
    depth += sign === "\\left(" ? 1 : -1;
    if (depth < 0) return text;
  }
  return inside;
}
