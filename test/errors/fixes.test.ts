// Every hint that names a replacement has it as a change of the text, and the change does away with what it is for.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { analyse } from "../../compiler/front.ts";
import type { Diagnostic, Fix } from "../../grammar/diagnostic.ts";

const folder = new URL(".", import.meta.url);
const mistakes = readdirSync(folder).filter((f) => f.endsWith(".dlm"));
const told = (text: string, name: string): readonly Diagnostic[] =>
  analyse(text, { name, pedantic: /^DLM25/.test(name) }).diagnostics;

function fixed(text: string, { edits }: Fix): string {
  let result = text;
  for (const { span, text: by } of [...edits].sort((a, b) => b.span.start - a.span.start))
    result = result.slice(0, span.start) + by + result.slice(span.end);
  return result;
}
/** The same mistake at the same line, or anywhere. */
const isSame = (a: Diagnostic, b: Diagnostic): boolean =>
  a.code === b.code && a.message === b.message && a.hint === b.hint;

describe("fixes", () => {
  test.each(mistakes)("%s", (name) => {
    const text = readFileSync(new URL(name, folder), "utf8");
    const before = told(text, name);
    for (const d of before)
      for (const fix of d.fixes ?? []) {
        expect(fix.title).not.toBe("");
        expect(fix.edits.length).toBeGreaterThan(0);
        for (const { span } of fix.edits) expect(span.file.text).toBe(text);
        const after = told(fixed(text, fix), name);
        const same = (list: readonly Diagnostic[]): number => list.filter((x) => isSame(x, d)).length;
        expect(same(after), `${fix.title} leaves: ${d.message}\n${fixed(text, fix)}`).toBeLessThan(same(before));
      }
  });
});
test("hints that name no replacement, which could be typed as it stands", () => {
  const hints = mistakes.flatMap((name) =>
    told(readFileSync(new URL(name, folder), "utf8"), name).flatMap((d) =>
      d.hint && !d.fixes?.length ? [d.hint] : [],
    ),
  );
  expect([...new Set(hints)].sort()).toMatchSnapshot();
});
