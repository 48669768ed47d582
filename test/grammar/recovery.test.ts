// A front end that never gives nothing: whatever is missing, the declarations beside it are read, and a program is made of them.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { format } from "../../compiler/format/format.ts";
import { analyse } from "../../compiler/front.ts";
import type * as ast from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import { parse, type Parsed } from "../../grammar/parser.ts";
import { endOf, tokenize } from "../../grammar/tokens.ts";

const root = new URL("../../", import.meta.url);
const files = ["examples/", "test/language/", "test/language/lib/"].flatMap((folder) =>
  readdirSync(new URL(folder, root))
    .filter((f) => f.endsWith(".dlm"))
    .map((f) => ({ name: folder + f, text: readFileSync(new URL(folder + f, root), "utf8") })),
);
const words = (text: string): { start: number; end: number }[] =>
  tokenize(text).tokens.map((t) => ({ start: t.startOffset, end: endOf(t) }));
const read = (text: string): Parsed => parse({ name: "x.dlm", text });
/** What a declaration says, wherever it stands. */
const saying = (item: ast.Item): string =>
  JSON.stringify(item, (key, value: unknown) => (/span$/i.test(key) ? undefined : value));
const nameOf = (item: ast.Item | undefined): string | undefined =>
  item && item.kind !== "import" ? item.name.text : undefined;
/** The words beside it stay apart. */
const without = (text: string, start: number, end: number): string =>
  text.slice(0, start) + " ".repeat(end - start) + text.slice(end);
const nameEnd = (item: ast.Item): number => (item.kind === "import" ? Infinity : item.name.span.end);

interface Declaration {
  readonly item: ast.Item;
  readonly says: string;
}
const declarationsOf = (text: string): Declaration[] =>
  read(text).file.items.map((item) => ({ item, says: saying(item) }));
/** Those that are not there, by name; those next to the change also if they say something else. */
function lost(declarations: readonly Declaration[], near: (d: Declaration) => boolean, file: ast.File): string[] {
  const names = new Set(file.items.map(nameOf));
  return declarations
    .filter(
      (d) =>
        !names.has(nameOf(d.item)) ||
        (near(d) && !file.items.some((i) => nameOf(i) === nameOf(d.item) && saying(i) === d.says)),
    )
    .map((d) => nameOf(d.item) ?? "an import");
}
/** Spans in a file that are not where what was read of them stands: between the words of it, in the span around. */
function misplaced(file: ast.File): string[] {
  const { text } = file.source;
  const [starts, ends] = [new Set(words(text).map((w) => w.start)), new Set(words(text).map((w) => w.end))];
  const wrong: string[] = [];
  const walk = (node: object, outer: Span): void => {
    const span = "span" in node ? (node.span as Span) : outer;
    const begins = span.start === span.end || starts.has(span.start);
    const within = span.start >= outer.start && span.end <= outer.end;
    if (span !== outer && !(begins && (span.end === 0 || ends.has(span.end)) && within))
      wrong.push(`${"kind" in node ? String(node.kind) : "a part"} ${span.start}..${span.end}`);
    for (const [key, value] of Object.entries(node))
      if (typeof value === "object" && value !== null && !/span$/i.test(key)) walk(value, span);
  };
  walk(file.items, { file: file.source, start: 0, end: text.length });
  return wrong;
}
// one expectation a file: there are thousands of words
describe("the text ends anywhere", () => {
  test.each(files)("$name", ({ text }) => {
    const whole = declarationsOf(text);
    const wrong: string[] = [];
    for (const { start: cut } of words(text)) {
      const rest = text.slice(0, cut);
      const say = (what: string): void => void wrong.push(`${what}: ${rest.slice(-30)}|`);
      const { file, diagnostics } = read(rest);
      const before = whole.filter((d) => d.item.span.end <= cut);
      for (const name of lost(before, (d) => d === before.at(-1), file)) say(`${name} is lost`);
      // what is unfinished is there by its name, and nothing else is
      const unfinished = whole[before.length]?.item;
      if (unfinished && nameEnd(unfinished) <= cut && nameOf(file.items[before.length]) !== nameOf(unfinished))
        say(`${nameOf(unfinished)} is not begun`);
      if (file.items.length > before.length + 1) say("there is more than was written");
      const from = Math.min(unfinished?.span.start ?? cut, rest.trimEnd().length);
      if (diagnostics.some((d) => d.span.start < from || d.span.end > cut)) say("an error is elsewhere");
      if ((file.incomplete === true) !== diagnostics.length > 0) say("it does not say whether it is complete");
      for (const place of misplaced(file)) say(`${place} is elsewhere`);
    }
    expect(wrong).toEqual([]);
  });
});
describe("any word is left out", () => {
  test.each(files)("$name", ({ text }) => {
    const whole = declarationsOf(text);
    const wrong: string[] = [];
    for (const { start, end } of words(text)) {
      const say = (what: string): void =>
        void wrong.push(`${what}: ${text.slice(start - 30, start)}|${text.slice(start, end)}|`);
      const { file, diagnostics } = read(without(text, start, end));
      const at = whole.findIndex((d) => d.item.span.end > start && d.item.span.start < end);
      const other = whole.filter((_, i) => i !== at);
      for (const name of lost(other, (d) => d === whole[at - 1] || d === whole[at + 1], file)) say(`${name} is lost`);
      const [from, to] = [whole[at]!.item.span.start, whole[at + 1]?.item.span.start ?? text.length];
      if (diagnostics.some((d) => d.span.start < from || d.span.start > to)) say("an error is elsewhere");
      for (const place of misplaced(file)) say(`${place} is elsewhere`);
    }
    expect(wrong).toEqual([]);
  });
});
describe("a word too many", () => {
  test.each(files)("$name", ({ text }) => {
    const wrong: string[] = [];
    for (const { start } of words(text).filter((_, i) => i % 5 === 0)) {
      const { file } = read(`${text.slice(0, start)}stray ${text.slice(start)}`);
      for (const place of misplaced(file)) wrong.push(`${place} is elsewhere: ${text.slice(start - 30, start)}|`);
    }
    expect(wrong).toEqual([]);
  });
  test("before the bracket of a fold", () => {
    const [item] = read("const a = fold x (i in 0..3; c = 0) { next c = i }").file.items;
    const nothing = { start: "const a = fold".length, end: "const a = fold".length };
    expect(item).toMatchObject({
      value: { kind: "fold", span: { end: nothing.end }, iterators: [{ name: { span: nothing }, span: nothing }] },
    });
  });
});
describe("what is unfinished is kept as far as it goes", () => {
  const only = (text: string): ast.Item => read(text).file.items[0]!;
  test("a model without the end of its body", () => {
    const model = only("model net(x: f32[B, 4]) = x |> Lin");
    expect(model).toMatchObject({ kind: "model", name: { text: "net" }, params: [{ name: { text: "x" } }] });
    expect(model.incomplete).toBeUndefined();
    expect(only("model net(x: f32[B, 4]) = x |>")).toMatchObject({
      incomplete: true,
      params: [{ name: { text: "x" } }],
      body: { value: { kind: "binary", left: { kind: "name", text: "x" }, right: { kind: "missing" } } },
    });
    expect(only("model net(x: f32[B, 4]) = x |> Linear(8, act: ")).toMatchObject({
      body: { value: { right: { kind: "call", args: [{}, { name: { text: "act" }, value: { kind: "missing" } }] } } },
    });
  });
  test("a declaration that has hardly begun", () => {
    expect(only("model net(x: f32[B")).toMatchObject({ name: { text: "net" }, params: [{ name: { text: "x" } }] });
    expect(only("layer")).toMatchObject({ kind: "layer", name: { text: "" }, hyper: [], params: [] });
    expect(read("export").file.items).toHaveLength(1);
  });
  test("statements around a faulty one", () => {
    const text =
      "model net(x: f32[B, 4]) {\n  let a = x |> Linear(3\n  let b = a +\n  let = 4\n  return a\n}\nconst k = 1";
    const [net, k] = read(text).file.items;
    expect(net).toMatchObject({
      body: {
        statements: [{ names: [{ text: "a" }] }, { names: [{ text: "b" }] }, { kind: "let" }, { kind: "return" }],
      },
    });
    expect(k).toMatchObject({ kind: "const", name: { text: "k" } });
  });
  test("a block below a faulty head", () => {
    const block = "{\n  let a = x |> Linear(3)\n  return a\n}";
    for (const head of ["model net(x: f32[B ", "model net(x: f32[B, 4] ", "layer L(n: int = )(x ", "fn f(x: ) -> "])
      expect(only(head + block), head).toMatchObject({
        incomplete: true,
        body: { statements: [{ kind: "let" }, { kind: "return" }] },
      });
    expect(only("train fit on d(batch: 4 {\n  steps: 3\n}")).toMatchObject({
      statements: [{ name: { text: "steps" } }],
    });
    expect(only("data {\n  rows: 3\n}")).toMatchObject({ statements: [{ name: { text: "rows" } }] });
  });
  test("elements around a faulty one", () => {
    expect(only("const a = f(1, 2 3, 4)")).toMatchObject({ value: { args: [{}, { value: { text: "2" } }, {}] } });
  });
  test("a word that begins no declaration still makes its name known", () => {
    expect(read("def f(x) = x\nconst a = 1\ng(x) = x").file.items.map(nameOf)).toEqual(["f", "a", "g"]);
  });
  test("what nests too deep is left out, and nothing else", () => {
    const deep = `const a = ${"(".repeat(300)}1${")".repeat(300)}\nconst b = 2\nconst c = ${"1 + ".repeat(3000)}1`;
    const { file, diagnostics } = read(deep);
    expect(diagnostics.map((d) => d.code)).toEqual(["DLM1008", "DLM1008"]);
    expect(file.items.map(nameOf)).toEqual(["a", "b", "c"]);
    expect(JSON.stringify(file.items[2], (key, value: unknown) => (key === "file" ? "" : value)).length).toBeLessThan(
      1000,
    );
  });
});
// `(` and the like are in test/errors; the stack of a process that has just begun holds 100 of each
test.each([
  ["a stack's count", "stack ", "2", " of a"],
  ["a stack's element", "stack 2 of f(", "a", ")"],
  ["a range of indices", "for i in ", "2", ": a"],
  ["a range of a reducer", "sum over i in ", "2", ": a"],
  ["what is outside", "a[0] ?? ", "a", ""],
  ["what a loop runs over", "fold (i in ", "a", "; c = 0) { next c = 1 }"],
  ["what a loop carries", "fold (i in a; c = 0) { next c = ", "c", " }"],
])("depth is counted in %s", (_, before, middle, after) => {
  const nested = (depth: number): string => `const a = ${before.repeat(depth)}${middle}${after.repeat(depth)}`;
  expect(read(nested(100)).diagnostics).toEqual([]);
  const { file, diagnostics } = read(nested(300));
  expect(diagnostics.map((d) => d.code)).toEqual(["DLM1008"]);
  // where it was counted, and not where the stack was used up
  expect(diagnostics[0]!.span.start).toBeGreaterThanOrEqual("const a = ".length + 100 * before.length);
  expect(file.items.map(nameOf)).toEqual(["a"]);
});
test("a file of nothing but mistakes is read to its end", () => {
  const lines = 5000;
  const text = `train t {\n${"  minimize ((( by 3 +\n  epochs 3\n".repeat(lines)}`;
  expect(read(text).diagnostics.length).toBeGreaterThan(lines);
});
test("a mistake is told in the same way, whatever the names around it", () => {
  const mistakes = readdirSync(new URL("test/errors/", root)).filter((f) => /^DLM1.*\.dlm$/.test(f));
  const codes = (text: string): string => {
    try {
      return read(text)
        .diagnostics.map((d) => d.code)
        .join(" ");
    } catch (e) {
      return String(e);
    }
  };
  const wrong = mistakes.flatMap((name) => {
    const text = readFileSync(new URL(`test/errors/${name}`, root), "utf8");
    const names = [...new Set(tokenize(text).tokens.flatMap((t) => (t.tokenType.name === "name" ? [t.image] : [])))];
    return names.flatMap((own) =>
      ["layer", "minimize", "let", "stack", "holdout", "train"].flatMap((word) => {
        const found = codes(text.replaceAll(new RegExp(`\\b${own}\\b`, "g"), `${word}${own}`));
        return found === codes(text) ? [] : [`${name} with ${word}${own}: ${found}, not ${codes(text)}`];
      }),
    );
  });
  expect(wrong).toEqual([]);
});
describe("a program beside errors", () => {
  const text = `const rate = 0.1
model net(x: f32[B, 2]) = x |> Linear(3) |>
fn twice(x: f32[B]) = 2 * x
export fn uses_net(x: f32[B, 2]) = net(x)
export fn good(x: f32[B]) = twice(x) * rate
export fn wrong(x: f32[B]) = tvice(x)
train fit {
  minimize mean(net(ones[4, 2])) by sgd(lr: rate)
  steps: 3
}
`;
  test("holds what uses nothing with errors", () => {
    const { program, partial, diagnostics } = analyse(text);
    expect(program).toBeUndefined();
    expect(partial.incomplete).toBe(true);
    expect(partial.exports.map((e) => e.name)).toEqual(["good"]);
    // what follows from an error is not told again
    expect(diagnostics.map((d) => `${d.code} ${d.hint}`)).toEqual([
      "DLM1003 write the right side of `|>`, or leave it out",
      "DLM2001 did you mean `twice`?",
    ]);
  });
  test("is no plan", () => {
    expect(compile(text).plan).toBeUndefined();
    expect(compile(text).program).toBeUndefined();
  });
  test("is the whole program where there are none", () => {
    const { program, partial } = analyse("export fn f(x: f32[B]) = x");
    expect(partial).toBe(program);
    expect(partial.incomplete).toBeUndefined();
  });
  test("is not formatted", () => {
    expect(() => format(text)).toThrow("DLM1003");
  });
  const small = files.filter(
    (f) => f.name.startsWith("test/language/") && f.text.length < 3000 && !/^import/m.test(f.text),
  );
  test.each(small)("no word that is left out of $name makes other declarations wrong", ({ text }) => {
    for (const { start, end } of words(text).filter((_, i) => i % 23 === 0)) {
      const { file, partial, diagnostics } = analyse(without(text, start, end));
      const nameless = file.items.some((i) => i.kind !== "import" && i.name.text === "");
      if (!file.incomplete || nameless) continue;
      // members of a train block that could not be elaborated are not known
      const others = diagnostics.filter(
        (d) => !d.code.startsWith("DLM1") && !d.message.startsWith("there is no member"),
      );
      expect(others.map((d) => `${d.code} ${d.message}`)).toEqual([]);
      expect(partial.incomplete).toBe(true);
    }
  });
});
