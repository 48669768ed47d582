// What ARCHITECTURE.md promises of the code base: imports point one way, no I/O in the compiler, the same text gives the same bytes.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { compile } from "../compiler/compile.ts";
import { verify } from "../compiler/graph/verify.ts";

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

describe("imports point one way", () => {
  test("grammar imports nothing of ours", () => {
    expect(offending("grammar", (_, to) => to.startsWith("grammar/") || to === "chevrotain")).toEqual([]);
  });
  test("the runtime imports nothing of ours", () => {
    const inNode = /^runtime\/(node|embedded|program|trainer)\.ts$/;
    expect(
      offending(
        "runtime",
        (file, to) => to.startsWith("runtime/") || (inNode.test(file) && (to.startsWith("node:") || to === "webgpu")),
      ),
    ).toEqual([]);
  });
  test("the compiler does no I/O and sees of the runtime the plan only", () => {
    const core = (file: string): boolean => !file.startsWith("compiler/cli/") && file !== "compiler/std/reference.ts";
    expect(
      offending(
        "compiler",
        (file, to) =>
          !core(file) ||
          (to.startsWith("compiler/") && !to.startsWith("compiler/cli/")) ||
          to.startsWith("grammar/") ||
          to === "runtime/plan.ts" ||
          to.startsWith("prettier"),
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

const examples = readdirSync(join(root, "examples")).filter((f) => f.endsWith(".dlm"));
describe("examples", () => {
  test.each(examples.filter((f) => !/gpt|mnist/.test(f)))(
    "%s compiles to the same bytes twice, from sound graphs",
    (name) => {
      const text = readFileSync(join(root, "examples", name), "utf8");
      const once = compile(text, { name, rows: { table: 4 } });
      const twice = compile(text, { name, rows: { table: 4 } });
      expect(once.diagnostics).toEqual([]);
      expect(JSON.stringify(once.plan) === JSON.stringify(twice.plan)).toBe(true);
      for (const p of twice.programs) verify(p.simplified);
    },
  );
});
