// What the documentation shows is true: every block of dlm in README.md and docs/ elaborates and is in the house style.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { builtinNames } from "../../compiler/elaborate/builtins/table.ts";
import { format } from "../../compiler/format/format.ts";
import { analyse } from "../../compiler/front.ts";
import { libraryReference, undocumented } from "../../compiler/reference.ts";
import { namedFunctions } from "../../compiler/scalar/table.ts";
import { renderDiagnostics } from "../../grammar/render.ts";

const root = new URL("../../", import.meta.url);
const pages = [
  "README.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  ...readdirSync(new URL("docs/", root))
    .filter((f) => f.endsWith(".md"))
    .map((f) => `docs/${f}`),
];
const blocks = pages.flatMap((page) => {
  const text = readFileSync(new URL(page, root), "utf8");
  return [...text.matchAll(/^ *```dlm\n([\s\S]*?)^ *```$/gm)].map((m) => ({
    place: `${page}:${text.slice(0, m.index).split("\n").length}`,
    text: m[1]!.replace(/^ {2}(?=.*$)/gm, (indent) => (m[0].startsWith(" ") ? "" : indent)),
  }));
});
describe("blocks of dlm", () => {
  test.each(blocks)("$place", ({ place, text }) => {
    expect(renderDiagnostics(analyse(text, { name: place }).diagnostics)).toBe("");
    expect(format(text)).toBe(text);
  });
});
describe("links", () => {
  test.each(pages.filter((p) => p.startsWith("docs/")))("%s", (page) => {
    const text = readFileSync(new URL(page, root), "utf8").replace(/^```[\s\S]*?^```$|`[^`\n]*`(?!\])/gm, "");
    const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((m) => m[1]!);
    expect(targets.filter((t) => !existsSync(new URL(t, new URL(page, root))))).toEqual([]);
  });
});
describe("the library's page", () => {
  test("is what the library says", async () => {
    await expect(libraryReference()).toMatchFileSnapshot(new URL("docs/library.md", root).pathname);
  });
  test("names all that is built in", () => {
    const page = libraryReference();
    const names = [...namedFunctions.keys(), ...builtinNames];
    expect(names.filter((name) => !new RegExp(`^- \`+ ?${name}[(\\[]`, "m").test(page))).toEqual([]);
  });
  test("leaves nothing without a word", () => {
    expect(undocumented()).toEqual([]);
  });
});
