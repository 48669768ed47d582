// What ARCHITECTURE.md promises of the code base: imports point one way and in no circle, no I/O in the compiler, no declaration of the
// library named in it, the same text gives the same bytes.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { compile } from "../compiler/compile.ts";
import { stages } from "../compiler/cli/options.ts";
import { partsOf, phases } from "../compiler/pipeline.ts";

const root = join(import.meta.dirname, "..");
const files = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((f) => f.endsWith(".ts"))
    .map((f) => join(folder, f));
const importsOf = (file: string): string[] =>
  [
    ...readFileSync(join(root, file), "utf8").matchAll(
      /^(?:import|export)\b[^"';]*?from "([^"\n]+)"|^import "([^"\n]+)"|\bimport\("([^"\n]+)"\)/gm,
    ),
  ].map((m) => m[1] ?? m[2] ?? m[3]!);
const target = (file: string, specifier: string): string =>
  specifier.startsWith(".") ? relative(root, join(root, file, "..", specifier)) : specifier;
const offending = (folder: string, allowed: (file: string, to: string) => boolean): string[] =>
  files(folder).flatMap((file) =>
    importsOf(file)
      .map((s) => target(file, s))
      .filter((to) => !allowed(file, to))
      .map((to) => `${file} imports ${to}`),
  );

/** Folders of compiler/, and the files beside them: each imports those before it only. ARCHITECTURE.md has the same list. */
const order = [
  ...["version.ts", "scalar", "std", "graph", "evaluate", "grad", "rewrite", "elaborate", "lint", "front.ts", "query"],
  ...["kernel", "wgsl", "fuse", "schedule", "lower", "programs", "plan", "print"],
  ...["pipeline.ts", "compile.ts", "gradcheck.ts", "explain.ts", "reference.ts", "index.ts", "format", "cli"],
];
/** Files that import one another, as sorted lists. */
function circles(all: readonly string[]): string[] {
  const imports = new Map(
    all.map((file) => [
      file,
      importsOf(file)
        .map((s) => target(file, s))
        .filter((to) => all.includes(to)),
    ]),
  );
  const reached = (from: string): Set<string> => {
    const found = new Set(imports.get(from));
    for (const file of found) for (const to of imports.get(file)!) found.add(to);
    return found;
  };
  const reach = new Map(all.map((file) => [file, reached(file)]));
  const found = all
    .filter((file) => reach.get(file)!.has(file))
    .map((file) => [...reach.get(file)!].filter((to) => reach.get(to)!.has(file)).sort());
  return [...new Set(found.map((circle) => circle.join(" ")))];
}

describe("imports point one way", () => {
  test("inside compiler/ in the order of its folders", () => {
    const place = (file: string): number => order.indexOf(file.split("/")[1]!);
    expect(files("compiler").filter((file) => place(file) < 0)).toEqual([]);
    const found = offending("compiler", (file, to) => !to.startsWith("compiler/") || place(to) <= place(file));
    expect(found).toEqual([]);
  });
  test("in no circle", () => {
    const all = ["grammar", "compiler", "runtime"].flatMap(files);
    expect(circles(all)).toEqual([]);
  });
  test("ARCHITECTURE.md has the order of the folders", () => {
    const folders = order.filter((name) => !name.endsWith(".ts"));
    expect(readFileSync(join(root, "ARCHITECTURE.md"), "utf8")).toContain(folders.join(" < "));
  });
  test("grammar imports nothing of ours", () => {
    expect(offending("grammar", (_, to) => to.startsWith("grammar/") || to === "chevrotain")).toEqual([]);
  });
  test("the runtime imports nothing of ours", () => {
    const inNode = /^runtime\/(node|embedded|program|trainer|files|folders|quiet)\.ts$/;
    expect(
      offending(
        "runtime",
        (file, to) => to.startsWith("runtime/") || (inNode.test(file) && (to.startsWith("node:") || to === "webgpu")),
      ),
    ).toEqual([]);
  });
  test("the compiler does no I/O and sees of the runtime the plan only", () => {
    const core = (file: string): boolean => !file.startsWith("compiler/cli/");
    expect(
      offending(
        "compiler",
        (file, to) =>
          !core(file) ||
          (to.startsWith("compiler/") && !to.startsWith("compiler/cli/")) ||
          to.startsWith("grammar/") ||
          to === "runtime/plan.ts" ||
          to === "prettier" ||
          to === "prettier/doc",
      ),
    ).toEqual([]);
  });
  test("the compiler reads no clock, no environment and no chance", () => {
    const found = files("compiler").filter(
      (f) =>
        !f.startsWith("compiler/cli/") &&
        /\b(Date\.now|performance\.now|Math\.random|process\.env)\b/.test(readFileSync(join(root, f), "utf8")),
    );
    expect(found).toEqual([]);
  });
});

/** Regular expressions of a file: a literal after what no operand comes before, or one that is made. */
const pattern =
  /(?:[(,=:[!&|?;]|=>|\breturn)\s*\/(?![/*\s])(?:\\.|\[(?:\\.|[^\]\n])*\]|[^/\\\n[])+\/[dgimsuvy]*|\bRegExp\b/g;
const patternsIn = (file: string): string[] =>
  [...readFileSync(join(root, file), "utf8").matchAll(pattern)].map(([text]) => `${file}: ${text}`);
test("kernels are trees: no regular expression looks at WGSL", () => {
  const folders = ["scalar", "kernel", "fuse", "schedule", "lower", "wgsl", "plan"].map((f) => `compiler/${f}`);
  const names = "compiler/wgsl/names.ts"; // makes identifiers of what a program calls its things
  expect(folders.flatMap(files).flatMap((file) => (file === names ? [] : patternsIn(file)))).toEqual([]);
  expect(patternsIn(names)).not.toEqual([]); // they would be found
});

/** Where formulas are matched: normal forms, rules, what drivers may not reassociate, how derivations read. Elsewhere fields of a row answer. */
const matching = /^compiler\/(scalar|graph|grad|rewrite|fuse|print)\//;
/** It prints functions by their names. */
const printer = "compiler/print/derivation.ts";
/** Questions for the name of a row: of any, and by the one who asks for a formula. */
const asked =
  /\b(?:fn|row)\.name (?:===|!==) "|\b(?:has|get|switch) ?\([\w.]*\b(?:fn|row)\.name\)|\[[\w.]*\b(?:fn|row)\.name\]/g;
const matched = /\bisCall\(/g;
test("a pass that needs a fact about a scalar function reads a field of its row", () => {
  const found = (file: string, what: RegExp): string[] =>
    [...readFileSync(join(root, file), "utf8").matchAll(what)].map(([text]) => `${file}: ${text}`);
  const passes = files("compiler").filter((file) => file !== printer);
  expect(passes.flatMap((file) => found(file, asked))).toEqual([]);
  const stop = "compiler/elaborate/expression/gradients.ts"; // `stop` is a word of the language
  expect(passes.filter((f) => !matching.test(f) && f !== stop).flatMap((file) => found(file, matched))).toEqual([]);
  expect(found(printer, asked)).not.toEqual([]); // they would be found
});

const examples = readdirSync(join(root, "examples")).filter((f) => f.endsWith(".dlm"));
const large = /gpt|mnist/; // compiled once
describe("examples", () => {
  test.each(examples.filter((f) => large.test(f)))("%s is sound after every phase", (name) => {
    const { plan } = compile(readFileSync(join(root, "examples", name), "utf8"), { name, verify: true });
    expect(plan).toBeDefined();
  });
  test.each(examples.filter((f) => !large.test(f)))(
    "%s compiles to the same bytes twice, from sound graphs",
    (name) => {
      const text = readFileSync(join(root, "examples", name), "utf8");
      const seen: string[] = [];
      const once = compile(text, { name, rows: { table: 4 }, verify: true, watch: (phase) => seen.push(phase) });
      const twice = compile(text, { name, rows: { table: 4 } });
      expect(once.diagnostics).toEqual([]);
      expect(JSON.stringify(once.plan) === JSON.stringify(twice.plan)).toBe(true);
      expect(seen).toEqual(phases.map((p) => p.name));
    },
  );
});
test("every stage of inspect is printed by one phase", () => {
  expect(
    phases
      .flatMap((p) => p.print)
      .map((s) => s.stage)
      .sort(),
  ).toEqual(Object.keys(stages).sort());
  const nothing = { file: undefined, program: undefined, plan: undefined, programs: undefined };
  expect(() => partsOf("tokens", nothing)).toThrow("there is no stage tokens");
});

test("folders are made by one function: Node's recursive one never returns below /proc", () => {
  const made = [...files("compiler"), ...files("runtime")].filter((f) =>
    /mkdir(Sync)?\([^)]*recursive/.test(readFileSync(join(root, f), "utf8")),
  );
  expect(made).toEqual([]);
});
test("SECURITY.md names tests that there are", () => {
  const named = [...readFileSync(join(root, "SECURITY.md"), "utf8").matchAll(/`(test\/[\w/.-]+)`/g)].map(
    ([, path]) => path!,
  );
  expect(named.length).toBeGreaterThan(8);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});
