// The front door never breaks: whatever the text, analysis ends soon and gives diagnostics; it throws nothing.
import fc from "fast-check";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { analyse } from "../../compiler/front.ts";
import { parse } from "../../grammar/parser.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { randomFile, realFiles } from "./sources.ts";

const errors = new URL("../errors/", import.meta.url);
const languages = new URL("../language/", import.meta.url);
const small = [
  ...readdirSync(errors)
    .filter((f) => f.endsWith(".dlm"))
    .map((f) => readFileSync(new URL(f, errors), "utf8")),
  ...readdirSync(languages)
    .filter((f) => f.endsWith(".dlm"))
    .map((f) => readFileSync(new URL(f, languages), "utf8"))
    .filter((t) => t.length < 1500),
];
/** Analyses within the time, and renders what it finds. */
function survives(text: string): void {
  const start = performance.now();
  const { program, diagnostics } = analyse(text, { pedantic: true });
  const rendered = renderDiagnostics(diagnostics);
  expect(program !== undefined || rendered !== "").toBe(true);
  expect(performance.now() - start).toBeLessThan(10_000);
}
/** A text with some of its parts changed: deleted, doubled, exchanged or replaced. */
function edited(parts: readonly string[], edits: readonly (readonly [number, number, number, string])[]): string {
  const result = [...parts];
  for (const [kind, i, j, by] of edits) {
    if (!result.length) break;
    const at = i % result.length;
    if (kind === 0) result.splice(at, 1);
    else if (kind === 1) result.splice(at, 0, result[j % result.length]!);
    else if (kind === 2) result[at] = by;
    else [result[at], result[j % result.length]] = [result[j % result.length]!, result[at]!];
  }
  return result.join("");
}
const tokensOf = (text: string): string[] =>
  text.match(
    /\s+|"[^"\n]*"|`[^`\n]*`|#[^\n]*|[A-Za-z_]\w*|\d+(\.\d+)?([eE][-+]?\d+)?|\.\.\.|\.\.|->|\|>|>>|==|!=|<=|>=|\?\?|\/\/|\S/g,
  ) ?? [];
const edits = (by: fc.Arbitrary<string>): fc.Arbitrary<(readonly [number, number, number, string])[]> =>
  fc.array(fc.tuple(fc.nat(3), fc.nat(), fc.nat(), by), { minLength: 1, maxLength: 6 });
const words =
  'let param state next return yield fn layer model train data field minimize wrt by every metric holdout for over in if then else stack of scan fold along x y B T ...S 0 1 -1 0.5 1e9 999999999999 [ ] ( ) { } : , ; = == |> >> + - * / // % @ ^ .. ?? ~ -> . f32 i32 bool sum normal grad stop Linear relu adam true "s" `a -> a`'.split(
    " ",
  );

describe("no text breaks the front end", () => {
  test("random characters", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), survives), { seed: 1, numRuns: 200 });
  });
  test("random words", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...words), { maxLength: 80 }).map((w) => w.join(" ")),
        survives,
      ),
      { seed: 2, numRuns: 400 },
    );
  });
  test("random files of the grammar", () => {
    fc.assert(fc.property(randomFile, survives), { seed: 3, numRuns: 120 });
  });
  test("edited characters of small programs", () => {
    fc.assert(
      fc.property(fc.constantFrom(...small), edits(fc.string({ minLength: 1, maxLength: 2 })), (text, e) =>
        survives(edited([...text], e)),
      ),
      { seed: 4, numRuns: 300 },
    );
  });
  test("edited tokens of small programs", () => {
    fc.assert(
      fc.property(fc.constantFrom(...small), edits(fc.constantFrom(...words)), (text, e) =>
        survives(edited(tokensOf(text), e)),
      ),
      { seed: 5, numRuns: 500 },
    );
  });
  test("edited tokens of the examples and the library, read only", () => {
    fc.assert(
      fc.property(fc.constantFrom(...realFiles.map((f) => f.text)), edits(fc.constantFrom(...words)), (text, e) => {
        renderDiagnostics(parse({ name: "x.dlm", text: edited(tokensOf(text), e) }).diagnostics);
      }),
      { seed: 6, numRuns: 300 },
    );
  });
  test.each([
    ["a long chain of operators", "const a = " + "1 + ".repeat(5000) + "1"],
    ["a long chain of calls", "export fn f(x: f32) = x" + " |> exp".repeat(3000)],
    ["a long chain of brackets after a name", "const a = f" + "(1)".repeat(5000)],
    ["a long chain of members", "const a = f" + ".b".repeat(5000)],
    ["deep brackets", "const a = " + "(".repeat(5000)],
    ["deep lists", "const a = " + "[".repeat(190) + "]".repeat(190)],
    [
      "deep functions",
      "export fn f0(x: f32) = x\n" +
        Array.from({ length: 600 }, (_, i) => `fn f${i + 1}(x: f32) = f${i}(x)`).join("\n") +
        "\nexport fn g(x: f32) = f600(x)",
    ],
    [
      "functions that double",
      "fn f0(x: f32) = x\n" +
        Array.from({ length: 40 }, (_, i) => `fn f${i + 1}(x: f32) = f${i}(f${i}(x))`).join("\n") +
        "\nexport fn g(x: f32) = f40(x)",
    ],
    [
      "stacks of stacks",
      "model m(x: f32[B, 2]) = x |> stack 4000 of (stack 4000 of (stack 4000 of (|v| v)))\nexport fn f(x: f32[B, 2]) = m(x)",
    ],
    ["a long exponent", "export fn f(x: f32) = x" + "^2".repeat(300)],
    ["a large stack", "model m(x: f32[B, 2]) = x |> stack 100000000 of Linear(2)\nexport fn f(x: f32[B, 2]) = m(x)"],
    [
      "a large list of ints",
      "model m(x: f32[B, 8, 8, 1]) = x |> g(1)\nfn g(x: f32[B, 8, 8, 1], k: int[1000000000]) = x\nexport fn f(x: f32[B, 8, 8, 1]) = m(x)",
    ],
    ["a large split", "export fn f(x: f32[1000000000]) {\n  let a = split(x, 1000000000)\n  return x\n}"],
    ["a large rank", "export fn f(x: f32[2]) = sum(x, axis: 0..1000000000)"],
    ["a large rank of brackets", "export fn f(x: f32) = zeros[" + "2, ".repeat(2000) + "2]"],
    ["numbers beyond f64", "const a = 1e999\nexport fn f(x: f32) = x * a"],
    ["a huge tensor", "export fn f(x: f32[1000000000, 1000000000, 1000000000]) = sum(x)"],
    [
      "a large accumulate",
      "data d {\n  rows: 10\n  field x: f32[2] = normal[2]\n}\nmodel m(x: f32[B, 2]) = x |> Linear(1)\ntrain t on d(batch: 2) {\n  minimize mean(m(x)) by adam()\n  accumulate: 100000000\n  steps: 1\n}",
    ],
    ["a data block of many rows", `data d {\n  field x: f32 = [${"1, ".repeat(20000)}1]\n}`],
    ["names of Object.prototype", "export fn f(x: f32) = x + constructor + toString(x) + __proto__ + hasOwnProperty"],
    ["settings of Object.prototype", "train t {\n  constructor: 1\n  minimize toString by valueOf\n}"],
  ])("%s", (_, text) => survives(text));
});
