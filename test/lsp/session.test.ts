// `dlm lsp` as an editor has it: a process, the protocol over its standard input and output, 200 edits of three files, and messages that no editor should send.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { format } from "../../compiler/format/format.ts";
import { program } from "../cli/program.ts";
import { openEditor, type Editor } from "./client.ts";

const { main, folder } = program();
const uriOf = (name: string): string => pathToFileURL(join(folder, name)).href;
const start = (): Promise<Editor> => openEditor([main, "lsp", "--stdio"], pathToFileURL(folder).href);
const position = (text: string, at: string, n = 0): { line: number; character: number } => {
  let offset = -1;
  for (let i = 0; i <= n; i++) offset = text.indexOf(at, offset + 1);
  if (offset < 0) throw new Error(`no ${at}`);
  const before = text.slice(0, offset).split("\n");
  return { line: before.length - 1, character: before.at(-1)!.length };
};
const parts = `## Doubles.
fn twice(x: f32[...S]) -> f32[...S] = 2 * x
layer Block(width: int, rate: f32 = 0.1)(x: f32[B, D]) -> f32[B, D] {
  let h = x |> Linear(width, act: relu) |> Dropout(rate)
  return x + (h |> Linear(D))
}
`;
const model = `import "parts.dlm"
data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: i32 in 0..3 = i32(sum(x) > 0)
  holdout valid = 0.2
}
model net(x: f32[B, 4]) -> f32[B, 3] =
  x |> Linear(8, act: tanh)
    |> Block(16)
    |> Linear(3)
train fit on points(batch: 10) {
  let logits = net(x)
  minimize cross_entropy(twice(logits), y) by adam(lr: 1e-2)
  metric acc = accuracy(logits, y)
  epochs: 2
  stop: stalled(max: valid.acc, patience: 3)
}
export fn predict(x: f32[B, 4]) -> f32[B, 3] = softmax(net(x))
`;
const table = `data houses {
  field price: f32 = csv("houses.csv", column: "price")
  rows: 3
}
`;
interface Item {
  readonly label: string;
  readonly detail?: string;
  readonly textEdit?: { readonly newText: string };
}
interface Edit {
  readonly range: {
    readonly start: { line: number; character: number };
    readonly end: { line: number; character: number };
  };
  readonly newText: string;
}
function edited(text: string, edits: readonly Edit[]): string {
  const lines = text.split("\n");
  const offset = (p: { line: number; character: number }): number =>
    lines.slice(0, p.line).reduce((n, l) => n + l.length + 1, 0) + p.character;
  return [...edits]
    .sort((a, b) => offset(b.range.start) - offset(a.range.start))
    .reduce((t, e) => t.slice(0, offset(e.range.start)) + e.newText + t.slice(offset(e.range.end)), text);
}

test("every request has its answer", async () => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "parts.dlm"), parts);
  writeFileSync(join(folder, "houses.csv"), "area,price,built in\n1,2,3\n4,5,6\n");
  const editor = await start();
  const uri = uriOf("model.dlm");
  const ask = <R>(method: string, params: object = {}): Promise<R> =>
    editor.connection.sendRequest(method, { textDocument: { uri }, ...params });
  const at = (word: string, n = 0): { position: { line: number; character: number } } => ({
    position: position(model, word, n),
  });
  await editor.open(uri, model);
  expect(await editor.diagnostics(uri, 1)).toEqual([]);

  const hover = await ask<{ contents: { value: string } }>("textDocument/hover", at("logits"));
  expect(hover.contents.value).toContain("f32[10, 3]");
  expect((await ask<{ contents: { value: string } }>("textDocument/hover", at("twice"))).contents.value).toContain(
    "Doubles.",
  );

  const definition = await ask<{ uri: string; range: Edit["range"] }[]>("textDocument/definition", at("Block"));
  expect(definition.map((d) => [d.uri, d.range.start.line])).toEqual([[uriOf("parts.dlm"), 2]]);
  const [library] = await ask<{ uri: string; range: Edit["range"] }[]>("textDocument/definition", at("Linear"));
  const text = readFileSync(fileURLToPath(library!.uri), "utf8");
  expect(text.split("\n")[library!.range.start.line]).toContain("layer Linear");

  const references = await ask<{ uri: string }[]>("textDocument/references", {
    ...at("logits"),
    context: { includeDeclaration: true },
  });
  expect(references.length).toBe(3);
  const acrossFiles = await ask<{ uri: string }[]>("textDocument/references", {
    ...at("Block"),
    context: { includeDeclaration: true },
  });
  expect(acrossFiles.map((r) => r.uri).sort()).toEqual([uri, uriOf("parts.dlm")].sort());

  const prepared = await ask<{ placeholder: string }>("textDocument/prepareRename", at("acc ="));
  expect(prepared.placeholder).toBe("acc");
  const renamed = await ask<{ changes: Record<string, Edit[]> }>("textDocument/rename", {
    ...at("acc ="),
    newName: "share",
  });
  expect(edited(model, renamed.changes[uri]!)).toBe(
    model.replace("metric acc", "metric share").replace("valid.acc", "valid.share"),
  );
  const inBoth = await ask<{ changes: Record<string, Edit[]> }>("textDocument/rename", {
    ...at("twice"),
    newName: "double",
  });
  expect(edited(parts, inBoth.changes[uriOf("parts.dlm")]!)).toBe(parts.replace("fn twice", "fn double"));
  for (const [word, name] of [
    ["logits", "let"],
    ["logits", "9x"],
    ["logits", "y"],
    ["net", "twice"],
    ["Linear", "Dense"],
    ["steps", "x"],
  ] as const)
    await expect(
      ask("textDocument/rename", { ...(word === "steps" ? at("rows") : at(word)), newName: name }),
      `${word} as ${name}`,
    ).rejects.toThrow();

  const symbols = await ask<{ name: string; children: { name: string }[] }[]>("textDocument/documentSymbol");
  expect(symbols.map((s) => s.name)).toEqual(["points", "net", "fit", "predict"]);
  expect(symbols[0]!.children.map((s) => s.name)).toEqual(["rows", "x", "y", "valid"]);
  const folds = await ask<{ startLine: number; endLine: number }[]>("textDocument/foldingRange");
  expect(folds).toEqual(expect.arrayContaining([expect.objectContaining({ startLine: 1, endLine: 5 })]));
  const tokens = await ask<{ data: number[] }>("textDocument/semanticTokens/full");
  expect(tokens.data.length % 5).toBe(0);
  const range = { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } };
  const inlays = await ask<{ label: string; position: { line: number } }[]>("textDocument/inlayHint", { range });
  expect(inlays.filter((i) => [8, 9, 10].includes(i.position.line)).map((i) => i.label)).toEqual([
    "[B, 8]",
    "[B, 8]",
    "[B, 3]",
  ]);

  const signature = await ask<{ activeParameter: number; signatures: { label: string }[] }>(
    "textDocument/signatureHelp",
    {
      position: { line: 8, character: model.split("\n")[8]!.indexOf("tanh") },
    },
  );
  expect(signature.signatures[0]!.label).toMatch(/^Linear\(out: int/);
  expect(signature.activeParameter).toBe(1);

  const labels = async (text: string, mark: string): Promise<Item[]> => {
    const name = uriOf("complete.dlm");
    await editor.open(name, text.replace(mark, ""));
    const found = await editor.connection.sendRequest<Item[]>("textDocument/completion", {
      textDocument: { uri: name },
      position: position(text, mark),
    });
    await editor.connection.sendNotification("textDocument/didClose", { textDocument: { uri: name } });
    return found;
  };
  const names = async (text: string): Promise<string[]> => (await labels(text, "¦")).map((i) => i.label);
  expect(await names(model.replace("  epochs: 2", "  ep¦"))).toContain("epochs");
  expect((await names(model.replace("Linear(3)", "Linear(3, ¦")))[0]).toBe("act");
  expect(await names(model.replace("net(x))", "ne¦"))).toContain("net");
  expect(await names(model.replace("valid.acc", "valid.¦"))).toEqual(["loss", "acc"]);
  expect(await names(model.replace("softmax(net(x))", "points.¦"))).toEqual(["x", "y"]);
  expect(await names(model.replace("on points(batch: 10)", "on points(¦"))).toEqual(
    expect.arrayContaining(["batch", "seed", "shuffle"]),
  );
  expect(await names(table.replace('"price")', '"¦"'))).toEqual(["area", "price", "built in"]);
  expect(await names(model.replace("Block(16)", "Blo¦"))).toContain("Block");

  const crooked = model.replace("  epochs: 2", "  epochs:   2");
  await editor.change(uri, 2, crooked);
  const edits = await ask<Edit[]>("textDocument/formatting", { options: { tabSize: 2, insertSpaces: true } });
  expect(edited(crooked, edits)).toBe(format(crooked));

  const wrong = model.replace("softmax(", "sotfmax(");
  await editor.change(uri, 3, wrong);
  const [problem] = await editor.diagnostics(uri, 3);
  expect(problem!.code).toBe("DLM2001");
  const actions = await ask<{ title: string; edit: { changes: Record<string, Edit[]> } }[]>("textDocument/codeAction", {
    range: problem!.range,
    context: { diagnostics: [problem] },
  });
  expect(edited(wrong, actions[0]!.edit.changes[uri]!)).toBe(model);

  // an edit of what is imported is told where it is imported
  await editor.change(uri, 4, model);
  expect(await editor.diagnostics(uri, 4)).toEqual([]);
  await editor.open(uriOf("parts.dlm"), parts.replace("fn twice", "fn thrice"));
  await expect
    .poll(async () => (await editor.diagnostics(uri, 4)).map((d) => d.code), { timeout: 60_000 })
    .toContain("DLM2001");
  expect(editor.told).toEqual([]);
  expect(await editor.close()).toBe(0);
  expect(editor.errorOutput()).toBe("");
}, 300_000);

test("200 edits of three files: never a crash, and the end is as if nothing had been", async () => {
  const editor = await start();
  const texts = new Map([
    ["model.dlm", model],
    ["parts.dlm", parts],
    ["table.dlm", table],
  ]);
  const versions = new Map<string, number>();
  for (const [name, text] of texts) {
    await editor.open(uriOf(name), text);
    versions.set(name, 1);
  }
  let seed = 7;
  const chance = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n;
  const pieces = [
    "(",
    ")",
    "{",
    "}",
    "|> ",
    "let h = ",
    '"',
    "`",
    "\r\n",
    "\t",
    "𝒳",
    "# ",
    "x.",
    "\uFEFF",
    "0..",
    "fn ",
    ",",
    "Linear(",
  ];
  const methods = ["hover", "completion", "signatureHelp", "definition", "prepareRename", "documentHighlight"];
  for (let i = 0; i < 200; i++) {
    const name = [...texts.keys()][i % 3]!;
    const uri = uriOf(name);
    const before = texts.get(name)!;
    const from = chance(before.length + 1);
    const cut = chance(3) ? 0 : chance(40);
    const piece = chance(3) ? pieces[chance(pieces.length)]! : "";
    const lines = before.slice(0, from).split(/\r\n|\r|\n/);
    const ends = before.slice(0, from + cut).split(/\r\n|\r|\n/);
    // between the halves of a line end there is no place
    const between = (at: number): boolean => before[at - 1] === "\r" && before[at] === "\n";
    if (between(from) || between(Math.min(before.length, from + cut))) continue;
    texts.set(name, before.slice(0, from) + piece + before.slice(from + cut));
    versions.set(name, versions.get(name)! + 1);
    const place = { line: lines.length - 1, character: lines.at(-1)!.length };
    await editor.connection.sendNotification("textDocument/didChange", {
      textDocument: { uri, version: versions.get(name)! },
      contentChanges: [
        { range: { start: place, end: { line: ends.length - 1, character: ends.at(-1)!.length } }, text: piece },
      ],
    });
    const method = methods[i % methods.length]!;
    await editor.connection
      .sendRequest(`textDocument/${method}`, { textDocument: { uri }, position: place })
      .catch((e: Error) => {
        expect(method).toBe("prepareRename"); // it may be refused
        expect(e.message).not.toBe("");
      });
    if (i % 10 === 0)
      for (const whole of ["documentSymbol", "foldingRange", "semanticTokens/full", "formatting"])
        await editor.connection.sendRequest(`textDocument/${whole}`, {
          textDocument: { uri },
          options: { tabSize: 2, insertSpaces: true },
        });
    if (i % 20 === 0) await editor.diagnostics(uri, versions.get(name)!);
  }
  for (const [name, text] of [
    ["parts.dlm", parts],
    ["model.dlm", model],
    ["table.dlm", table],
  ] as const) {
    const version = versions.get(name)! + 1;
    await editor.change(uriOf(name), version, text);
    const found = await editor.diagnostics(uriOf(name), version);
    if (name !== "table.dlm") expect(found.filter((d) => d.severity === 1)).toEqual([]);
  }
  expect(editor.told).toEqual([]);
  expect(await editor.close()).toBe(0);
  expect(editor.errorOutput()).toBe("");
}, 300_000);

test("`batch: all` is as many rows as the data have, also when they change", async () => {
  const editor = await start();
  const uri = uriOf("whole.dlm");
  writeFileSync(join(folder, "whole.csv"), "1\n2\n3\n4\n5\n6\n7\n");
  const text = `data d { field x: f32[1] = csv("whole.csv", columns: 0..1) }
train fit on d(batch: all) {
  let y = x |> Linear(2)
  minimize mean(y^2) by sgd(lr: 0.1)
  steps: 2
}
`;
  await editor.open(uri, text);
  const hover = async (): Promise<string> => {
    const found = await editor.connection.sendRequest<{ contents: { value: string } } | null>("textDocument/hover", {
      textDocument: { uri },
      position: position(text, "y ="),
    });
    return found?.contents.value ?? "";
  };
  await expect.poll(hover, { timeout: 20_000 }).toMatch(/f32\[(B = )?7, 2\]/);
  writeFileSync(join(folder, "whole.csv"), "1\n2\n3\n");
  await editor.connection.sendNotification("workspace/didChangeWatchedFiles", {
    changes: [{ uri: uriOf("whole.csv"), type: 2 }],
  });
  await expect.poll(hover, { timeout: 20_000 }).toMatch(/f32\[(B = )?3, 2\]/);
  expect(await editor.close()).toBe(0);
}, 60_000);

test("a parameter is renamed in the comment that states facts of it", async () => {
  const editor = await start();
  const uri = uriOf("facts.dlm");
  const text = `## Falls to 0. Its largest value is \`peak\`. \`peak\` is also called max_lr; peak rates differ, \`peak_rate\` too.
fn falling(peak: f32) -> f32 = peak * 0.5

## \`peak\` of another.
fn other(peak: f32) -> f32 = falling(peak: peak)
`;
  await editor.open(uri, text);
  const { changes } = await editor.connection.sendRequest<{ changes: Record<string, Edit[]> }>("textDocument/rename", {
    textDocument: { uri },
    position: position(text, "peak: f32"),
    newName: "top",
  });
  expect(edited(text, changes[uri]!)).toBe(
    text
      .replace("value is `peak`. `peak` is", "value is `top`. `top` is")
      .replace("falling(peak: f32) -> f32 = peak", "falling(top: f32) -> f32 = top")
      .replace("falling(peak: peak)", "falling(top: peak)"),
  );
  expect(await editor.close()).toBe(0);
}, 60_000);

test("bad input: no text, no place, no message and no end makes it fall", async () => {
  const editor = await start();
  const { connection } = editor;
  const nowhere = { textDocument: { uri: "file:///nowhere.dlm" } };
  const place = { position: { line: 3, character: 9 } };
  for (const method of [
    "hover",
    "completion",
    "signatureHelp",
    "definition",
    "references",
    "documentSymbol",
    "foldingRange",
    "formatting",
    "inlayHint",
    "codeAction",
    "semanticTokens/full",
  ])
    await connection.sendRequest(`textDocument/${method}`, { ...nowhere, ...place });
  await editor.change("file:///nowhere.dlm", 2, "x");
  const uri = "untitled:Untitled-1";
  for (const [version, text] of [
    "\uFEFFconst a = 1\r\nconst b = a\r\n",
    "const a = 1\rconst b = a",
    "\tconst 𝒳 = 1\n",
    "",
    'import "../..%"\n',
    "\0",
  ].entries()) {
    if (version === 0) await editor.open(uri, text);
    else await editor.change(uri, version + 1, text);
    for (const [line, character] of [
      [0, 0],
      [0, 8],
      [1, 11],
      [99, 0],
      [0, 9999],
      [-1, -5],
    ] as const)
      for (const method of ["hover", "completion", "definition", "signatureHelp"])
        await connection.sendRequest(`textDocument/${method}`, {
          textDocument: { uri },
          position: { line, character },
        });
  }
  for (const params of [
    {},
    { textDocument: null },
    { textDocument: { uri: 7 } },
    { textDocument: { uri }, position: null },
  ])
    await connection.sendRequest("textDocument/hover", params).catch(() => undefined);
  await expect(connection.sendRequest("dlm/nothing", {})).rejects.toThrow();
  const cancelled = connection.sendRequest("textDocument/documentSymbol", { textDocument: { uri } });
  await connection.sendNotification("$/cancelRequest", { id: 999 });
  await cancelled;
  await connection.sendNotification("textDocument/didClose", { textDocument: { uri } });
  expect(await connection.sendRequest("textDocument/hover", { textDocument: { uri }, ...place })).toBe(null);
  await connection.sendNotification("exit");
  expect(await editor.ended).toBe(1); // without a shutdown
  expect(editor.errorOutput()).toBe("");

  const server = spawn(process.execPath, [main, "lsp"], { stdio: ["pipe", "pipe", "pipe"] });
  let out = "";
  server.stdout.on("data", (b: Buffer) => (out += b.toString()));
  const ended = new Promise((done) => server.on("exit", done));
  const message = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: { capabilities: {} } });
  server.stdin.write('Content-Length: 9\r\n\r\n{"broken"');
  server.stdin.write(`Content-Length: ${message.length}\r\n\r\n${message}`);
  await expect.poll(() => out, { timeout: 60_000 }).toContain("capabilities");
  expect(out).not.toMatch(/^\s+at .*:\d+:\d+/m);
  server.stdin.end();
  expect([0, 1]).toContain(await ended);
}, 300_000);

test("a paste of 20,000 lines is answered", async () => {
  const editor = await start();
  const uri = "untitled:large";
  const many = Array.from({ length: 20_000 }, (_, i) => `fn f${i}(x: f32[B, 4]) -> f32[B, 4] = tanh(x + ${i})\n`).join(
    "",
  );
  await editor.open(uri, "const a = 1\n");
  await editor.change(uri, 2, many);
  const found = await editor.connection.sendRequest<unknown[]>("textDocument/documentSymbol", {
    textDocument: { uri },
  });
  expect(found.length).toBe(20_000);
  await editor.diagnostics(uri, 2);
  expect(await editor.close()).toBe(0);
}, 300_000);

test("20,000 lines keep nobody waiting while they are elaborated, and the newest text wins", async () => {
  const editor = await start();
  const told: number[] = [];
  const [large, small] = ["untitled:large", uriOf("small.dlm")];
  editor.connection.onNotification(
    "textDocument/publishDiagnostics",
    ({ uri, version }: { uri: string; version?: number }) => void (uri === large && told.push(version ?? -1)),
  );
  const many = Array.from({ length: 10_000 }, (_, i) => `fn f${i}(x: f32[B, 4]) -> f32[B, 4] =\n  tanh(x + ${i})\n`);
  const text = "fn twice(x: f32[B]) -> f32[B] = 2 * x\n";
  await editor.open(small, text);
  const hover = (): Promise<unknown> =>
    editor.connection.sendRequest("textDocument/hover", {
      textDocument: { uri: small },
      position: position(text, "x: f32"),
    });
  await hover();
  await editor.open(large, many.join(""));
  const waits: number[] = [];
  const began = performance.now();
  let edited = false;
  while (!told.length && performance.now() - began < 120_000) {
    const asked = performance.now();
    expect(await hover()).not.toBeNull();
    waits.push(performance.now() - asked);
    if (edited || waits.length < 12) continue; // it is being elaborated now
    edited = true;
    await editor.change(large, 2, many.slice(1).join(""));
  }
  expect(edited).toBe(true);
  expect(told).toEqual([2]);
  // reading the text holds others up, checking its ten thousand declarations does not
  expect(waits.length).toBeGreaterThan(24);
  expect(waits.sort((a, b) => a - b)[waits.length >> 1]).toBeLessThan(200);
  expect(await editor.close()).toBe(0);
}, 300_000);
