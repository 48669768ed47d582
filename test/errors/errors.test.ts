// Every mistake of this folder beside the message that its author sees. `NAME.dlm` begins with the code it is about; `NAME.txt` is kept by `vitest -u`.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { explanations } from "../../compiler/explain.ts";
import { analyse } from "../../compiler/front.ts";
import { renderDiagnostics } from "../../grammar/render.ts";

const folder = new URL(".", import.meta.url);
const mistakes = readdirSync(folder).filter((f) => f.endsWith(".dlm"));

describe("messages", () => {
  test.each(mistakes)("%s", async (name) => {
    const text = readFileSync(new URL(name, folder), "utf8");
    const { diagnostics } = /^DLM4/.test(name)
      ? compile(text, { name, memory: 60_000 })
      : analyse(text, { name, pedantic: /^DLM25/.test(name) });
    expect(diagnostics.map((d) => d.code)).toContain(name.slice(0, 7));
    await expect(renderDiagnostics(diagnostics) + "\n").toMatchFileSnapshot(
      new URL(name.replace(/\.dlm$/, ".txt"), folder).pathname,
    );
  });
});
describe("the pedantic pass", () => {
  const examples = new URL("../../examples/", import.meta.url);
  test.each(readdirSync(examples).filter((f) => f.endsWith(".dlm")))("finds nothing in %s", (name) => {
    expect(
      renderDiagnostics(analyse(readFileSync(new URL(name, examples), "utf8"), { name, pedantic: true }).diagnostics),
    ).toBe("");
  });
});
describe("every code", () => {
  /** The codes that the compiler's sources can give. */
  const sources = ["grammar/", "compiler/elaborate/", "compiler/elaborate/errors/", "compiler/lint/", "compiler/plan/"]
    .map((f) => new URL(`../../${f}`, folder))
    .filter((f) => existsSync(f))
    .flatMap((f) => readdirSync(f, { withFileTypes: true }).map((entry) => ({ entry, url: new URL(entry.name, f) })));
  const used = new Set(
    sources
      .flatMap(({ entry, url }) =>
        entry.isFile() && entry.name !== "explain.ts"
          ? (readFileSync(url, "utf8").match(/"DLM[124]\d{3}"/g) ?? [])
          : [],
      )
      .map((code) => code.slice(1, -1)),
  );
  test.each([...used].sort())("%s has an explanation with an example, and a test", (code) => {
    expect(explanations[code], `no explanation of ${code}`).toBeDefined();
    expect(explanations[code]!.split("\n\n").length).toBeGreaterThan(1);
    expect(explanations[code]).toMatch(/#.*right|# wrong/);
    expect(mistakes.some((f) => f.startsWith(code))).toBe(true);
  });
  test("of units that begin alike: its wrong line is told, its right one is not", () => {
    const lines = [...explanations["DLM2504"]!.matchAll(/^ {4}(.*\S) +# (wrong|right)$/gm)];
    const told = lines.map(([, line, is]) => {
      const text = `data d { rows: 10 field x: f32[3] = normal[3] }
model net(x: f32[B, 3]) -> f32[B, 1] = ${line}
train fit on d(batch: 5) {
  minimize mean((net(x) - 1)^2) by adam()
  steps: 2
}`;
      return [is, analyse(text, { pedantic: true }).diagnostics.map((found) => found.code)];
    });
    expect(told).toEqual([
      ["wrong", ["DLM2504"]],
      ["right", []],
    ]);
  });
  test("nothing is explained that does not exist", () => {
    expect(Object.keys(explanations).filter((c) => /^DLM[124]/.test(c) && !used.has(c))).toEqual([]);
  });
});
