// The extension for Visual Studio Code: its grammar agrees with the lexer on every example and all of the library, its package holds what it names, and the
// server in it answers.
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync, strFromU8 } from "fflate";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import type * as Textmate from "vscode-textmate";
import type * as Oniguruma from "vscode-oniguruma";
import { libraryFiles } from "../../compiler/std/library.ts";
import { vsix } from "../../editors/vscode/pack.mjs";
import { importedBy, playgroundAddress } from "../../editors/vscode/src/address.ts";
import { sharedIn } from "../../playground/share.ts";
import { progressOf, reachedBy } from "../../editors/vscode/src/progress.ts";
import { kindOf, reserved, tokenize } from "../../grammar/tokens.ts";
import { openEditor } from "./client.ts";

const require = createRequire(import.meta.url);
const { Registry, INITIAL, parseRawGrammar } = require("vscode-textmate") as typeof Textmate;
const { loadWASM, OnigScanner, OnigString } = require("vscode-oniguruma") as typeof Oniguruma;
const extension = join(import.meta.dirname, "../../editors/vscode");
const path = join(extension, "syntaxes/dlm.tmLanguage.json");

async function colouring(): Promise<(text: string) => { start: number; end: number; scope: string }[]> {
  await loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")));
  const registry = new Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns: string[]) => new OnigScanner(patterns),
      createOnigString: (s: string) => new OnigString(s),
    }),
    loadGrammar: () => Promise.resolve(parseRawGrammar(readFileSync(path, "utf8"), path)),
  });
  const grammar = (await registry.loadGrammar("source.dlm"))!;
  return (text) => {
    let state = INITIAL;
    let at = 0;
    const found: { start: number; end: number; scope: string }[] = [];
    for (const line of text.split("\n")) {
      const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
      for (const t of tokens)
        found.push({ start: at + t.startIndex, end: at + Math.min(t.endIndex, line.length), scope: t.scopes.at(-1)! });
      state = ruleStack;
      at += line.length + 1;
    }
    return found;
  };
}
/** What the grammar for colours may call a token of the lexer. */
function scopesOf(kind: string, image: string): RegExp {
  if (kind === "string") return /^string\.quoted/;
  if (kind === "pattern") return /^string\.regexp/;
  if (kind === "number") return /^constant\.numeric/;
  if (kind === "name") return /^(variable|entity|support\.type)/;
  if (["and", "or", "not"].includes(kind)) return /^keyword\.operator\.logical/;
  if (kind === "true" || kind === "false") return /^constant\.language/;
  if (reserved.has(kind)) return /^(keyword|storage)/;
  return /^[()[\]{},:;.]$/.test(image) ? /^punctuation/ : /^keyword\.operator/;
}
test("the grammar for colours agrees with the lexer", async () => {
  const colour = await colouring();
  const folder = join(import.meta.dirname, "../../examples");
  const examples = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".dlm"));
  const every =
    [...reserved].join("\n") +
    '\n... .. -> |> >> == != <= >= ?? // < > = | + - * / % @ ^ ( ) [ ] { } , : ; . ~ 1e-3 0.5 x1 "a" `b c` # end';
  const texts = [
    ...examples.map((f) => readFileSync(join(folder, f), "utf8")),
    ...libraryFiles.map((f) => f.text),
    every,
  ];
  for (const text of texts) {
    const scopes = new Map(colour(text).map((t) => [t.start, t]));
    const { tokens, comments } = tokenize(text);
    for (const t of tokens) {
      const found = scopes.get(t.startOffset);
      const kind = kindOf(t);
      const line = text.slice(text.lastIndexOf("\n", t.startOffset) + 1).split("\n")[0];
      expect(found?.scope, `${t.image} in: ${line}`).toMatch(scopesOf(kind, t.image));
      expect(found!.end, `the end of ${t.image} in: ${line}`).toBe(t.startOffset + t.image.length);
    }
    for (const c of comments) expect(scopes.get(c.start)?.scope).toMatch(/^comment/);
  }
});
test("the package holds what it names, and its server answers", async () => {
  const files = unzipSync(await vsix());
  expect(Object.keys(files)).toEqual(
    expect.arrayContaining(["extension.vsixmanifest", "[Content_Types].xml", "extension/dist/extension.cjs"]),
  );
  const manifest = JSON.parse(strFromU8(files["extension/package.json"]!)) as {
    main: string;
    contributes: {
      commands: { command: string }[];
      grammars: { path: string }[];
      languages: { configuration: string }[];
    };
  };
  const { commands, grammars, languages } = manifest.contributes;
  for (const p of [manifest.main, grammars[0]!.path, languages[0]!.configuration])
    expect(files[`extension/${p.replace("./", "")}`], p).toBeDefined();
  const code = strFromU8(files["extension/dist/extension.cjs"]!);
  for (const { command } of commands) expect(code).toContain(`"${command}"`);
  for (const name of ["language-configuration.json", "syntaxes/dlm.tmLanguage.json"])
    JSON.parse(strFromU8(files[`extension/${name}`]!));

  const server = join(mkdtempSync(join(tmpdir(), "dlm-vscode-")), "server.cjs");
  writeFileSync(server, files["extension/dist/server.cjs"]!);
  const editor = await openEditor([server, "--stdio"]);
  const text =
    "model net(x: f32[B, 4]) -> f32[B, 2] = x   |> Linear(2)\nexport fn predict(x: f32[B, 4]) -> f32[B, 2] = softmax(net(x))\n";
  const uri = "untitled:Untitled-1";
  await editor.open(uri, text);
  expect(await editor.diagnostics(uri, 1)).toEqual([]);
  const edits = await editor.connection.sendRequest<unknown[]>("textDocument/formatting", {
    textDocument: { uri },
    options: {},
  });
  expect(edits.length).toBe(1);
  const found = await editor.connection.sendRequest<{ kernels: { code: string }[]; errors: string[] }>("dlm/kernels", {
    uri,
    line: 0,
  });
  expect(found.errors).toEqual([]);
  expect(found.kernels.length).toBeGreaterThan(0);
  expect(found.kernels[0]!.code).toContain("@compute");
  expect(editor.told).toEqual([]);
  expect(await editor.close()).toBe(0);
}, 300_000);
test("addresses of the playground hold what it reads; lines of training say how far it is", async () => {
  const model = { name: "étude.dlm", text: "const a = 1 # 𝛼\n" };
  const address = playgroundAddress("https://example.org/play/#old", model.name, model.text);
  expect(address.startsWith("https://example.org/play/#model=")).toBe(true);
  expect(await sharedIn(new URL(address).hash)).toEqual({ ...model, texts: {} });
  expect(progressOf('{"kind":"progress","train":"fit","step":5,"steps":20,"loss":0.51234}')).toEqual({
    percent: 25,
    message: "fit: step 5 of 20, loss 0.5123",
  });
  expect(progressOf("no event")).toBe(undefined);
});
test("an address holds what the model imports, through others and in a circle too", async () => {
  const files: Record<string, string> = {
    "lib/a.dlm": 'import "b.dlm"\nimport "../gone.dlm"\n',
    "lib/b.dlm": 'import "a.dlm"\nimport "../m.dlm"\nconst b = 1\n',
  };
  const text = 'import "lib/a.dlm"\n';
  const texts = await importedBy("m.dlm", text, async (path) => Promise.resolve(files[path]));
  expect(texts).toEqual(files);
  const address = playgroundAddress("https://example.org/", "m.dlm", text, texts);
  expect(await sharedIn(new URL(address).hash)).toEqual({ name: "m.dlm", text, texts });
});
test("a training that is over says what it reached and where its weights are", () => {
  const evaluation = JSON.stringify({
    kind: "evaluation",
    train: "fit",
    split: "test",
    values: { loss: 0.51729, t: {} },
  });
  const saved = JSON.stringify({ kind: "saved", path: "iris.safetensors" });
  const done = JSON.stringify({ kind: "done", train: "fit", step: 8, loss: 0.5, metrics: { acc: 1 } });
  expect(reachedBy([evaluation, saved, done])).toBe("test: loss 0.5173. Its weights are in iris.safetensors.");
  expect(reachedBy([done])).toBe("the last batch: loss 0.5000, acc 1.000.");
});
