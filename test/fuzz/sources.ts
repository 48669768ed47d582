// Random sources that parse: from the grammar, with random spacing and comments. Names are unknown and shapes do not fit; only the text is right.
import fc from "fast-check";
import { readdirSync, readFileSync } from "node:fs";
import { libraryFiles } from "../../compiler/std/library.ts";

type Text = fc.Arbitrary<string>;
const join = (separator: string, min: number, max: number, x: Text): Text =>
  fc.array(x, { minLength: min, maxLength: max }).map((xs) => xs.join(separator));
const seq = (...parts: readonly (Text | string)[]): Text =>
  fc.tuple(...parts.map((p) => (typeof p === "string" ? fc.constant(p) : p))).map((xs) => xs.join(" "));
const maybe = (x: Text): Text => fc.oneof({ weight: 2, arbitrary: fc.constant("") }, x);
const name = fc.constantFrom(
  "a",
  "b",
  "net",
  "x1",
  "logits",
  "B",
  "T",
  "Linear",
  "some_longer_name",
  "sum",
  "where",
  "_",
);
const number = fc.constantFrom("0", "1", "12", "0.5", "1e-3", "3.25E+4");

const grammar = fc.letrec<
  Record<"expr" | "range" | "add" | "unary" | "postfix" | "atom" | "binders" | "block" | "loop" | "stmt", string>
>((tie) => {
  const e = tie("expr");
  const depth = { maxDepth: 3, depthIdentifier: "expr" } as const;
  const chain = (x: Text, ...operators: string[]): Text =>
    fc
      .array(fc.tuple(fc.constantFrom(...operators), x), { maxLength: 3 })
      .chain((rest) => x.map((first) => [first, ...rest.flat()].join(" ")));
  const binary = (x: Text, ...operators: string[]): Text =>
    fc.oneof({ weight: 3, arbitrary: x }, seq(x, fc.constantFrom(...operators), x));
  const mul = chain(tie("unary"), "*", "/", "//", "%", "@");
  const cmp = binary(tie("range"), "==", "!=", "<", "<=", ">", ">=");
  const and = chain(cmp, "and");
  const or = chain(and, "or");
  return {
    expr: fc.oneof(
      depth,
      { weight: 3, arbitrary: tie("atom") },
      { weight: 2, arbitrary: tie("add") },
      chain(or, "|>", ">>"),
    ),
    add: chain(mul, "+", "-"),
    range: fc.oneof({ weight: 4, arbitrary: tie("add") }, seq(tie("add"), "..", tie("add"))),
    unary: fc.oneof(
      depth,
      { weight: 4, arbitrary: tie("postfix") },
      seq(fc.constantFrom("-", "not"), tie("unary")),
      seq(tie("postfix"), "^", tie("unary")),
    ),
    postfix: fc.oneof(
      depth,
      { weight: 3, arbitrary: tie("atom") },
      seq(tie("postfix"), "(", join(",", 0, 3, seq(maybe(fc.constantFrom("axis:", "wrt:", "lr:")), e)), ")"),
      seq(
        tie("postfix"),
        "[",
        join(",", 0, 3, fc.oneof(fc.constant(":"), fc.constant("..."), fc.constant("...S"), e)),
        "]",
        maybe(seq("??", tie("unary"))),
      ),
      seq(tie("postfix"), ".", name),
    ),
    atom: fc.oneof(
      depth,
      { weight: 4, arbitrary: name },
      { weight: 2, arbitrary: number },
      fc.constantFrom('"file name.csv"', "`b t (h d) -> b h t d`", "true", "false"),
      seq("(", e, ")"),
      seq("(", e, ",", e, ")"),
      seq("[", join(",", 0, 4, e), "]"),
      seq("(", fc.constantFrom("sum", "mean", "argmax"), "over", tie("binders"), ":", e, ")"),
      seq("(", "for", tie("binders"), ":", e, ")"),
      seq("(", "|", join(",", 1, 2, name), "|", e, ")"),
      seq("(", "if", e, "then", e, "else", e, ")"),
      seq("(", "stack", maybe(fc.constant("i in")), tie("range"), "of", tie("postfix"), ")"),
      tie("loop"),
    ),
    binders: join(",", 1, 3, fc.oneof(fc.constant("..."), name, seq(name, "in", tie("range")))),
    loop: seq(
      fc.constantFrom("scan", "fold"),
      "(",
      join(",", 1, 2, seq(name, "in", e, maybe(seq("along", tie("add"))))),
      maybe(seq(";", join(",", 1, 2, seq(name, "=", e)))),
      ")",
      tie("block"),
    ),
    block: seq("{", join("\n", 0, 3, tie("stmt")), "}"),
    stmt: fc.oneof(
      seq("let", name, "=", e),
      seq("let", "(", join(",", 1, 3, name), ")", "=", e),
      seq("state", name, ": f32[...S, 2 * C]", "=", e),
      seq("next", join(",", 1, 2, seq(name, "=", e))),
      seq("param", name, ": f32[I, out]", "~", e),
      seq("yield", e),
      seq("return", e),
    ),
  };
});
const type = fc.constantFrom(
  "f32",
  "f32[B, T <= 512, ...S]",
  "i32[...S] in 0..10",
  "(f32[B], i32)",
  "fn",
  "int[2]",
  "f32[2 * C, C / groups]",
  "f32 in 0..1",
  "(i32[B] in 0..n - 1, (f32, fn))",
);
const param = seq(name, maybe(seq(":", type)), maybe(seq("=", grammar.expr)));
const params = fc.oneof(
  { weight: 4, arbitrary: seq("(", join(",", 0, 3, param), ")") },
  seq("(", join(" ", 0, 2, seq(param, ",")), "*,", join(",", 1, 3, param), ")"),
);
const result = maybe(seq("->", type));
const body = fc.oneof(seq("=", grammar.expr), grammar.block);
const clause = seq(maybe(seq("wrt", grammar.expr)), "by", grammar.expr, maybe(seq("every", grammar.expr)));
const item = fc.oneof(
  fc.constant('import "lib/blocks.dlm"'),
  seq("const", name, "=", grammar.expr),
  seq(fc.constantFrom("", "export"), "fn", name, params, result, body),
  seq("layer", name, params, params, result, body),
  seq("model", name, params, result, body),
  seq("init", name, params, body),
  seq("optimizer", name, params, params, result, body),
  seq(
    "data",
    name,
    "{",
    join(
      "\n",
      0,
      4,
      fc.oneof(
        seq("field", name, ":", type, "=", grammar.expr),
        seq("holdout", name, "=", grammar.expr),
        seq("rows", ":", grammar.expr),
        seq("let", name, "=", grammar.expr),
      ),
    ),
    "}",
  ),
  seq(
    "train",
    name,
    maybe(seq("on", grammar.expr)),
    "{",
    join(
      "\n",
      0,
      4,
      fc.oneof(
        seq("minimize", grammar.expr, join(" ", 1, 3, clause)),
        seq("metric", name, maybe(fc.constant("every evaluation")), "=", grammar.expr),
        seq("state", name, maybe(fc.constant(": f32[3]")), "=", grammar.expr),
        seq("next", join(",", 1, 3, seq(name, "=", grammar.expr))),
        seq("epochs", ":", grammar.expr),
        seq("checkpoint : every", grammar.expr, maybe(name)),
        seq("let", name, maybe(fc.constant(": f32[B]")), "=", grammar.expr),
        seq("let (", join(",", 2, 3, name), ") =", grammar.expr),
      ),
    ),
    "}",
  ),
);
/** Files of the grammar. */
export const randomFile: Text = join("\n", 0, 4, item);

const word = fc.integer({ min: 1, max: 50 }).map((n) => "w".repeat(n));
const words = (of: (a: string, b: string, c: string) => string): Text =>
  fc.tuple(word, word, word).map(([a, b, c]) => of(a, b, c));
/** An expression of any width, of the kinds that lay their parts out over several lines. */
const wide: Text = fc.oneof(
  { weight: 3, arbitrary: word },
  fc.constantFrom("+", "*", ">>", "|>").chain((o) => join(` ${o} `, 2, 5, word)),
  seq("f(", join(",", 1, 5, word), ")"),
  words((a, b) => `${a} == ${b}`),
  words((a, b, c) => `if ${a} then ${b} else ${c}`),
  words((a, b, c) => `f(${a}: ${b}) >> g(${b}, ${c})`),
  words((a, b, c) => `sum over ${a}, ${b} in 0..3: ${a} * ${c}`),
  words((a, b, c) => `(${a}, ${b}, [${c}])`),
  words((a, b, c) => `${a}[${a}, ${b}] ?? ${c}`),
  words((a, b, c) => `scan (x in ${a}; h = ${b}) { next h = ${c} yield ${a} }`),
  words((a, b) => `stack ${a} of ${b}`),
  words((a, b) => `|${a}| ${b}`),
);
const wideClause = seq(maybe(seq("wrt", wide)), "by", wide, maybe(seq("every", wide)));
/** Files whose declarations and statements have several clauses, names, assignments or lists, of every width around that of a line. */
export const wideFile: Text = fc
  .tuple(
    seq(
      "layer",
      word,
      "(",
      join(",", 0, 5, seq(word, ":", word, maybe(seq("=", wide)))),
      ")(",
      join(",", 0, 5, word),
      ")",
      maybe(seq("-> f32[", word, "]")),
      "=",
      wide,
    ),
    join(
      "\n",
      1,
      4,
      fc.oneof(
        { weight: 5, arbitrary: seq("minimize", wide, join(" ", 1, 3, wideClause)) },
        seq("next", join(",", 1, 4, seq(word, "=", wide))),
        seq("metric", word, "every evaluation =", wide),
        seq("save:", wide),
        seq("let (", join(",", 2, 4, word), ") =", wide),
        seq("state", word, ": f32[", word, "] =", wide),
      ),
    ),
  )
  .map(([layer, statements]) => `${layer}\ntrain fit {\n${statements}\n}\n`);

/** The text with other spacing and with comments between its tokens. Its tokens are those of the text. */
export function respaced(text: string, choices: readonly number[]): string {
  const tokens =
    text.match(
      /"[^"\n]*"|`[^`\n]*`|#[^\n]*|[A-Za-z_][A-Za-z0-9_]*|\d+(\.\d+)?([eE][-+]?\d+)?|\.\.\.|\.\.|->|\|>|>>|==|!=|<=|>=|\?\?|\/\/|\S/g,
    ) ?? [];
  let k = 0;
  let count = 0;
  const choice = (): number => choices[k++ % Math.max(1, choices.length)] ?? 0;
  return tokens
    .map((t) => {
      if (t.startsWith("#")) return `${t}\n`;
      const c = choice() % 40;
      const space =
        c < 24
          ? " "
          : c < 30
            ? "\n"
            : c < 32
              ? "\n\n\n"
              : c < 34
                ? ` # note ${count++}\n`
                : c < 36
                  ? `\n# own ${count++}\n`
                  : c === 36
                    ? `\n## doc ${count++}\n`
                    : c === 37
                      ? `\n\n# far ${count++}\n\n`
                      : "   ";
      return t + space;
    })
    .join("");
}

const examples = new URL("../../examples/", import.meta.url);
/** The examples and the library. */
export const realFiles: readonly { readonly name: string; readonly text: string }[] = [
  ...readdirSync(examples, { recursive: true, encoding: "utf8" })
    .filter((f) => f.endsWith(".dlm"))
    .map((f) => f.replaceAll("\\", "/"))
    .sort()
    .map((name) => ({ name, text: readFileSync(new URL(name, examples), "utf8") })),
  ...libraryFiles,
];
