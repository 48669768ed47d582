// How long `dlm lsp` takes to answer, on the GPT: each request at places all over the text, right after an edit and when all is known. Medians in milliseconds.
// node bench/lsp.mjs [MODEL] [EDITS]
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  createProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-languageserver-protocol/node";

const path = process.argv[2] ?? fileURLToPath(new URL("../examples/gpt_chars.dlm", import.meta.url));
const edits = Number(process.argv[3] ?? 20);
const main = fileURLToPath(new URL("../dist/compiler/cli/main.js", import.meta.url));
const server = spawn(process.execPath, [main, "lsp"], { stdio: ["pipe", "pipe", "inherit"] });
const c = createProtocolConnection(new StreamMessageReader(server.stdout), new StreamMessageWriter(server.stdin));
let settled = () => undefined;
c.onNotification("textDocument/publishDiagnostics", (p) => settled(p));
c.onNotification("window/logMessage", ({ message }) => console.log(message));
c.onRequest("workspace/inlayHint/refresh", () => null);
c.listen();
await c.sendRequest("initialize", { processId: process.pid, rootUri: null, capabilities: {} });
await c.sendNotification("initialized", {});

const uri = pathToFileURL(path).href;
const text = readFileSync(path, "utf8");
const lines = text.split("\n");
const diagnosed = () => new Promise((done) => (settled = done));
let first = diagnosed();
await c.sendNotification("textDocument/didOpen", { textDocument: { uri, languageId: "dlm", version: 1, text } });
await first;

const places = [...text.matchAll(/[A-Za-z_]\w*/g)].map(({ index }) => {
  const before = text.slice(0, index).split("\n");
  return { line: before.length - 1, character: before.at(-1).length + 1 };
});
const whole = { start: { line: 0, character: 0 }, end: { line: lines.length, character: 0 } };
const doc = { textDocument: { uri } };
const requests = {
  hover: (position) => c.sendRequest("textDocument/hover", { ...doc, position }),
  completion: (position) => c.sendRequest("textDocument/completion", { ...doc, position }),
  signatureHelp: (position) => c.sendRequest("textDocument/signatureHelp", { ...doc, position }),
  definition: (position) => c.sendRequest("textDocument/definition", { ...doc, position }),
  references: (position) =>
    c.sendRequest("textDocument/references", { ...doc, position, context: { includeDeclaration: true } }),
  prepareRename: (position) => c.sendRequest("textDocument/prepareRename", { ...doc, position }).catch(() => null),
  rename: (position) =>
    c.sendRequest("textDocument/rename", { ...doc, position, newName: "Renamed" }).catch(() => null),
  documentSymbol: () => c.sendRequest("textDocument/documentSymbol", doc),
  foldingRange: () => c.sendRequest("textDocument/foldingRange", doc),
  semanticTokens: () => c.sendRequest("textDocument/semanticTokens/full", doc),
  inlayHint: () => c.sendRequest("textDocument/inlayHint", { ...doc, range: whole }),
  formatting: () => c.sendRequest("textDocument/formatting", { ...doc, options: { tabSize: 2, insertSpaces: true } }),
  codeAction: (position) =>
    c.sendRequest("textDocument/codeAction", {
      ...doc,
      range: { start: position, end: position },
      context: { diagnostics: [] },
    }),
};
const median = (xs) => xs.sort((a, b) => a - b)[xs.length >> 1];
const timed = async (run) => {
  const began = performance.now();
  await run();
  return performance.now() - began;
};
const known = {};
for (const [name, ask] of Object.entries(requests)) {
  known[name] = [];
  for (let i = 0; i < 60; i++) known[name].push(await timed(() => ask(places[Math.floor((i * places.length) / 60)])));
}
const typing = Object.fromEntries(Object.keys(requests).map((name) => [name, []]));
const diagnostics = [];
let version = 1;
const edit = (i) =>
  c.sendNotification("textDocument/didChange", {
    textDocument: { uri, version: ++version },
    contentChanges: [
      { range: { start: { line: 5 + (i % 3), character: 0 }, end: { line: 5 + (i % 3), character: 0 } }, text: " " },
    ],
  });
for (let i = 0; i < edits; i++) {
  for (const [name, ask] of Object.entries(requests)) {
    await edit(i);
    typing[name].push(await timed(() => ask(places[(i * 7) % places.length])));
  }
  await edit(i);
  diagnostics.push(await timed(diagnosed));
}
const table = Object.keys(requests).map((name) => [
  name,
  median(known[name]).toFixed(1),
  median(typing[name]).toFixed(1),
]);
console.log(`${path.split("/").at(-1)}: medians in ms`);
console.log("request".padEnd(16), "known".padStart(8), "after an edit".padStart(14));
for (const [name, a, b] of table) console.log(name.padEnd(16), a.padStart(8), b.padStart(14));
console.log("diagnostics".padEnd(16), "".padStart(8), median(diagnostics).toFixed(0).padStart(14));
await c.sendRequest("shutdown");
await c.sendNotification("exit");
