// Every question at every place of every example has an answer, and none is an exception: on the query module, in this process.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { completionDetail } from "../../compiler/query/completions.ts";
import { highlightKinds } from "../../compiler/query/highlights.ts";
import { openWorkspace } from "../../compiler/query/workspace.ts";
import { tokenize } from "../../grammar/tokens.ts";

const folder = join(import.meta.dirname, "../../examples");
const examples = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".dlm"));
const most = 1200; // characters of a text that is asked at every place; a longer one at the ends and in the middle of every token
const slow = 12; // renaming reads the whole text anew: so many names of a text

test("every question at every place of every example", () => {
  for (const name of examples) {
    const text = readFileSync(join(folder, name), "utf8");
    const address = `file:///examples/${name}`;
    const workspace = openWorkspace({
      read: (a) =>
        a.endsWith(".dlm") ? readFileSync(join(folder, a.slice("file:///examples/".length)), "utf8") : undefined,
      columns: () => ["a", "b c"],
    });
    workspace.put(address, text);
    const asked = workspace.ask(address)!;
    expect(
      workspace.diagnostics(address).filter((d) => d.severity === "error"),
      name,
    ).toEqual([]);
    const { tokens } = tokenize(text);
    const starts = tokens.flatMap((t) => [t.startOffset, t.startOffset + t.image.length]);
    const middles = tokens.map((t) => t.startOffset + (t.image.length >> 1));
    const everywhere = Array.from({ length: text.length + 2 }, (_, i) => i - 1);
    const places = text.length <= most ? everywhere : [...starts, ...middles, -1, text.length + 1];
    for (const offset of places) {
      asked.typeAt(offset);
      asked.definitionAt(offset);
      asked.signatureAt(offset);
    }
    for (const offset of starts) {
      expect(asked.completionsAt(offset).every((c) => c.start <= offset)).toBe(true);
      expect(asked.referencesTo(offset).every((s) => s.start < s.end)).toBe(true);
    }
    const every = Math.ceil(starts.length / slow);
    starts.forEach((offset, i) => {
      if (i % every) return;
      workspace.references(address, offset);
      workspace.rename(address, offset, "renamed_");
      workspace.rename(address, offset, "Renamed");
    });
    expect(asked.symbols().length).toBeGreaterThan(0);
    const highlights = asked.highlights();
    expect(highlights.every((h) => highlightKinds.includes(h.kind))).toBe(true);
    highlights.slice(1).forEach((h, i) => {
      if (h.start < highlights[i]!.end) throw new Error(`${name}: two highlights at ${h.start}`);
    });
    for (const f of asked.folds()) expect(text.slice(f.start, f.end)).toContain("\n");
    for (const i of asked.inlays()) expect(i.text).toMatch(/^\[.*\]$/);
  }
});
test("what resolves completions has a text for everything of the library", () => {
  const workspace = openWorkspace({ read: () => undefined });
  workspace.put("untitled:1", "fn f(x: f32[B]) = ");
  for (const c of workspace.ask("untitled:1")!.completionsAt(18))
    if (c.kind === "library") expect(completionDetail(c.name).text, c.name).toBeTruthy();
});
