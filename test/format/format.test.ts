// Formatting: keeps the program and every comment, changes nothing the second time, and lays out long constructs as the examples do.
import fc from "fast-check";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { format } from "../../compiler/format/format.ts";
import { place } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parser.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { randomFile, realFiles, respaced, wideFile } from "../fuzz/sources.ts";
import type { ReferenceCase } from "../reference/case.ts";
import { prepare } from "../reference/source.ts";
import { translate } from "../reference/translate.ts";

/** The AST without places. */
function meaning(text: string): unknown {
  const { file, diagnostics } = parse({ name: "x.dlm", text });
  expect(diagnostics.map((d) => d.message)).toEqual([]);
  return JSON.parse(JSON.stringify(file.items, (key, value: unknown) => (key === "span" ? undefined : value)));
}
const commentsOf = (text: string): string[] =>
  parse({ name: "x.dlm", text })
    .comments.map((c) => c.text)
    .sort();
function holds(text: string): void {
  const once = format(text);
  expect(meaning(once)).toEqual(meaning(text));
  expect(commentsOf(once)).toEqual(commentsOf(text));
  expect(format(once)).toBe(once);
}

describe("meaning, comments and idempotence", () => {
  test.each(realFiles)("$name", ({ text }) => {
    holds(text);
  });
  test("respaced examples", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...realFiles),
        fc.array(fc.nat(), { minLength: 7, maxLength: 97 }),
        ({ text }, choices) => holds(respaced(text, choices)),
      ),
      { seed: 1, numRuns: 60 },
    );
  });
  test("random files", () => {
    fc.assert(
      fc.property(randomFile, fc.array(fc.nat(), { minLength: 7, maxLength: 97 }), (text, choices) =>
        holds(respaced(text, choices)),
      ),
      { seed: 2, numRuns: 300 },
    );
  });
  test("several clauses, names, assignments and lists of every width", () => {
    fc.assert(fc.property(wideFile, holds), { seed: 3, numRuns: 200 });
    fc.assert(
      fc.property(wideFile, fc.array(fc.nat(), { minLength: 7, maxLength: 97 }), (text, choices) =>
        holds(respaced(text, choices)),
      ),
      { seed: 4, numRuns: 200 },
    );
  }, 120_000);
  test("the sources of the reference cases", () => {
    const folder = new URL("../golden/", import.meta.url);
    for (const family of readdirSync(folder, { withFileTypes: true })) {
      if (!family.isDirectory()) continue;
      for (const file of readdirSync(new URL(`${family.name}/`, folder)).slice(0, 6)) {
        const c = JSON.parse(readFileSync(new URL(`${family.name}/${file}`, folder), "utf8")) as ReferenceCase;
        const translated = translate(c);
        holds(translated.kind === "steps" ? translated.sequence.source : prepare(c, translated.translation).source);
      }
    }
  });
});

test("every line end is one: LF, CRLF and a CR alone", () => {
  const text =
    '# a\nfn f(x: f32[3]) = x # b\n\n## of g\nfn g(x: f32[3]) =\n  x # c\ndata d {\n  field x: f32[3] = csv("a", column: 0)\n}\n';
  for (const end of ["\r", "\r\n"]) {
    holds(text.replaceAll("\n", end));
    expect(meaning(text.replaceAll("\n", end))).toEqual(meaning(text));
    expect(format(text.replaceAll("\n", end))).toBe(format(text));
  }
  // neither a string nor a pattern goes on behind it
  const open = parse({ name: "x.dlm", text: 'const a = 1\rconst b = "a\rb"\rconst c = `a\r` + true' }).diagnostics;
  expect(open.map((d) => `${d.code} ${place(d.span)}`)).toEqual([
    "DLM1002 x.dlm:2",
    "DLM1002 x.dlm:3",
    "DLM1002 x.dlm:4",
    "DLM1002 x.dlm:5",
  ]);
  expect(renderDiagnostics(open.slice(0, 1))).toContain('2 | const b = "a\n');
});
test.each(realFiles.filter((f) => !f.name.startsWith("std/")))("$name is in the house style", ({ text }) => {
  expect(format(text)).toBe(text);
});

describe("layout", () => {
  const formatted = (text: string, expected: string): void => expect(format(text)).toBe(expected);
  test("spaces and blank lines", () =>
    formatted(
      `const   a=1\n\n\n\nconst b = [ 1,2 ]\nfn f( x :f32[ ...S ] , n:int=-1)->f32[...S]=x^ 2+n*( x-1 )`,
      `const a = 1\n\nconst b = [1, 2]\nfn f(x: f32[...S], n: int = -1) -> f32[...S] = x^2 + n * (x - 1)\n`,
    ));
  test("pipes go on below", () =>
    formatted(
      `model cnn(x: f32[B, 28, 28, 1]) -> f32[B, 10] = x |> Conv2d(16, k: 3) |> relu |> MaxPool2d(2) |> Conv2d(32, k: 3) |> relu |> MaxPool2d(2) |> flatten |> Linear(64, act: relu) |> Linear(10)`,
      `model cnn(x: f32[B, 28, 28, 1]) -> f32[B, 10] =
  x |> Conv2d(16, k: 3) |> relu |> MaxPool2d(2) |> Conv2d(32, k: 3) |> relu |> MaxPool2d(2) |> flatten
    |> Linear(64, act: relu) |> Linear(10)
`,
    ));
  test("what is given by name stands behind a star", () =>
    formatted(
      "layer L(out:int,*,k:int=3,act:fn=relu) (x: f32[B, C], *, y: f32[B, C]) = x",
      "layer L(out: int, *, k: int = 3, act: fn = relu)(x: f32[B, C], *, y: f32[B, C]) = x\n",
    ));
  test("the second list of a layer stands below the first", () =>
    formatted(
      `layer Conv2d(out: int, k: int[2] = 3, stride: int[2] = 1, pad: int[2] = 0, groups: int = 1, bias: bool = true) (x: f32[B, H, W, C]) { return x }`,
      `layer Conv2d(out: int, k: int[2] = 3, stride: int[2] = 1, pad: int[2] = 0, groups: int = 1, bias: bool = true)
            (x: f32[B, H, W, C]) { return x }
`,
    ));
  test("a train block", () =>
    formatted(
      `train fit on digits(batch: 64, seed: 1) { minimize cross_entropy(logits, y) + 1e-4 * l2(net) by clip_norm(1) >> adamw(lr: warmup_cosine(3e-3, warm: 50, total: steps))
minimize a
  wrt disc by adam(lr: 2e-4) every 5 wrt gen by sgd()   # two rates
epochs: 30 checkpoint : every   5 minutes keep:2 }`,
      `train fit on digits(batch: 64, seed: 1) {
  minimize cross_entropy(logits, y) + 1e-4 * l2(net)
        by clip_norm(1) >> adamw(lr: warmup_cosine(3e-3, warm: 50, total: steps))
  minimize a
       wrt disc by adam(lr: 2e-4) every 5
       wrt gen by sgd() # two rates
  epochs: 30
  checkpoint: every 5 minutes
  keep: 2
}
`,
    ));
  test("calls, loops, choices", () =>
    formatted(
      `fn f(x: f32) = where(step < warm, peak * (step + 1) / max(warm, 1), floor + 0.5 * (peak - floor) * (1 + cos(pi * min(1, (step - warm) / total))))
fn g(x: f32) = if p == infinity then amax(abs(x), axis: axis, keep: keep) else if p == 1 then sum(abs(x), axis: axis, keep: keep) else x
fn h(x: f32) { return scan (x in xs along T; h = 0, c = 0) { next h = x   yield h } }`,
      `fn f(x: f32) =
  where(
    step < warm,
    peak * (step + 1) / max(warm, 1),
    floor + 0.5 * (peak - floor) * (1 + cos(pi * min(1, (step - warm) / total)))
  )
fn g(x: f32) =
  if p == infinity then amax(abs(x), axis: axis, keep: keep)
  else if p == 1 then sum(abs(x), axis: axis, keep: keep)
  else x
fn h(x: f32) {
  return scan (x in xs along T; h = 0, c = 0) {
    next h = x
    yield h
  }
}
`,
    ));
  test("comments stay at their places", () =>
    formatted(
      `# head
## doc
fn f(a: f32, # first
  b: f32) { # why
  let y = a # left
    + b
  # before
  return g(y, # one
    2)
  # end
}
# tail`,
      `# head
## doc
fn f(
  a: f32, # first
  b: f32
) {
  # why
  let y =
    a # left
      + b
  # before
  return g(
    y, # one
    2
  )
  # end
}
# tail
`,
    ));
  test("a file of comments only, and an empty one", () => {
    formatted("# one\n\n# two\n", "# one\n\n# two\n");
    formatted("", "");
  });
});
