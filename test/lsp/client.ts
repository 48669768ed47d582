// An editor for tests: `dlm lsp` in a process of its own, and a client of the protocol over its standard input and output.
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import {
  createProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type Diagnostic,
  type InitializeResult,
  type ProtocolConnection,
} from "vscode-languageserver-protocol/node";

export interface Editor {
  readonly connection: ProtocolConnection;
  readonly process: ChildProcess;
  readonly capabilities: InitializeResult["capabilities"];
  /** The diagnostics of a text, once those of this version or a later one have come. */
  readonly diagnostics: (uri: string, version: number) => Promise<readonly Diagnostic[]>;
  readonly told: readonly string[]; // in the editor's log
  readonly errorOutput: () => string;
  readonly ended: Promise<number | null>; // the status
  readonly open: (uri: string, text: string, version?: number) => Promise<void>;
  readonly change: (uri: string, version: number, text: string) => Promise<void>;
  readonly close: () => Promise<number | null>;
}
export const main = join(import.meta.dirname, "../../compiler/cli/main.ts");
export const runSource = ["--experimental-strip-types", "--no-warnings", main, "lsp", "--stdio"];

export async function openEditor(args: readonly string[], rootUri: string | null = null): Promise<Editor> {
  const server = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
  const connection = createProtocolConnection(
    new StreamMessageReader(server.stdout),
    new StreamMessageWriter(server.stdin),
  );
  const found = new Map<string, { version: number; diagnostics: readonly Diagnostic[] }>();
  const waiting = new Set<() => void>();
  const told: string[] = [];
  let errorOutput = "";
  server.stderr.on("data", (text: Buffer) => (errorOutput += text.toString()));
  const ended = new Promise<number | null>((done) => server.on("exit", done));
  connection.onNotification(
    "textDocument/publishDiagnostics",
    (p: { uri: string; version?: number; diagnostics: Diagnostic[] }) => {
      found.set(p.uri, { version: p.version ?? -1, diagnostics: p.diagnostics });
      for (const go of [...waiting]) go();
    },
  );
  connection.onNotification("window/logMessage", ({ message }: { message: string }) => void told.push(message));
  connection.onRequest("workspace/inlayHint/refresh", () => null);
  connection.listen();
  const { capabilities } = await connection.sendRequest<InitializeResult>("initialize", {
    processId: process.pid,
    rootUri,
    capabilities: { workspace: { inlayHint: { refreshSupport: true } } },
    workspaceFolders: rootUri === null ? null : [{ uri: rootUri, name: "root" }],
  });
  await connection.sendNotification("initialized", {});
  return {
    connection,
    process: server,
    capabilities,
    told,
    errorOutput: () => errorOutput,
    ended,
    diagnostics: (uri, version) =>
      new Promise((done) => {
        const look = (): void => {
          const known = found.get(uri);
          if (!known || known.version < version) return;
          waiting.delete(look);
          done(known.diagnostics);
        };
        waiting.add(look);
        look();
      }),
    open: (uri, text, version = 1) =>
      connection.sendNotification("textDocument/didOpen", { textDocument: { uri, languageId: "dlm", version, text } }),
    change: (uri, version, text) =>
      connection.sendNotification("textDocument/didChange", {
        textDocument: { uri, version },
        contentChanges: [{ text }],
      }),
    close: async () => {
      await connection.sendRequest("shutdown");
      await connection.sendNotification("exit");
      return ended;
    },
  };
}
