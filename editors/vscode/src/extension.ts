// The extension: starts the bundled language server, and has commands that train, show kernels and open a playground.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import * as vscode from "vscode";
import { LanguageClient, TransportKind } from "vscode-languageclient/node";
import { importedBy, playgroundAddress } from "./address.ts";
import { progressOf, reachedBy } from "./progress.ts";

let client: LanguageClient | undefined;
/** Kernels are shown as documents that nobody edits, so that none has to be saved. */
const shown = {
  scheme: "dlm-kernels",
  texts: new Map<string, string>(),
  changed: new vscode.EventEmitter<vscode.Uri>(),
};

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const module = context.asAbsolutePath(join("dist", "server.cjs"));
  const watcher = vscode.workspace.createFileSystemWatcher("**/*.dlm");
  client = new LanguageClient(
    "dlm",
    "dlm",
    { module, transport: TransportKind.stdio },
    {
      documentSelector: [
        { language: "dlm", scheme: "file" },
        { language: "dlm", scheme: "untitled" },
      ],
      synchronize: { fileEvents: watcher },
    },
  );
  const output = vscode.window.createOutputChannel("dlm training");
  context.subscriptions.push(
    watcher,
    output,
    shown.changed,
    vscode.workspace.registerTextDocumentContentProvider(shown.scheme, {
      onDidChange: shown.changed.event,
      provideTextDocumentContent: (uri) => shown.texts.get(uri.path) ?? "",
    }),
    vscode.commands.registerCommand("dlm.train", () => train(output)),
    vscode.commands.registerCommand("dlm.kernels", kernels),
    vscode.commands.registerCommand("dlm.playground", playground),
    vscode.commands.registerCommand("dlm.restart", () => client?.restart()),
  );
  await client.start();
}
export const deactivate = (): Promise<void> | undefined => client?.stop();

const model = (): vscode.TextDocument | undefined => {
  const document = vscode.window.activeTextEditor?.document;
  return document?.languageId === "dlm" ? document : undefined;
};

/** `dlm train --json` in the model's folder, with its progress in a notification that can end it; what it says is in the output. */
async function train(output: vscode.OutputChannel): Promise<void> {
  const document = model();
  if (!document || document.isUntitled)
    return void vscode.window.showInformationMessage("Save the model first: training reads its file.");
  await document.save();
  const [program = "dlm", ...words] = command(document);
  const args = [...words, "train", basename(document.fileName), "--json"];
  output.appendLine(`${program} ${args.join(" ")}`);
  await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: `Training ${basename(document.fileName)}`,
      cancellable: true,
    },
    (progress, token) =>
      new Promise<void>((done) => {
        const child = spawn(program, args, { cwd: dirname(document.fileName), shell: process.platform === "win32" });
        token.onCancellationRequested(() => child.kill("SIGINT")); // it keeps a checkpoint
        let percent = 0;
        const lines: string[] = [];
        createInterface({ input: child.stdout }).on("line", (line) => {
          const told = progressOf(line);
          if (!told) return;
          if (told.percent === undefined) {
            output.appendLine(told.message);
            lines.push(line);
          } else {
            progress.report({ message: told.message, increment: Math.max(0, told.percent - percent) });
            percent = Math.max(percent, told.percent);
          }
        });
        child.stderr.on("data", (text: Buffer) => output.append(text.toString()));
        child.on("error", (error) => {
          void vscode.window.showErrorMessage(
            `${program} cannot be started (${error.message}): \`npm i dlm\` in the workspace, or the setting dlm.command.`,
          );
          done();
        });
        child.on("close", (status) => {
          const { showInformationMessage, showWarningMessage } = vscode.window;
          void (
            status
              ? showWarningMessage(`Training ended with status ${status}.`, "Output")
              : showInformationMessage(`Trained ${basename(document.fileName)}. ${reachedBy(lines)}`, "Output")
          ).then((x) => x && output.show());
          done();
        });
      }),
  );
}
function command(document: vscode.TextDocument): readonly string[] {
  const set = vscode.workspace.getConfiguration("dlm", document).get<string[]>("command") ?? [];
  if (set.length) return set;
  const folder = vscode.workspace.getWorkspaceFolder(document.uri)?.uri.fsPath;
  const own = folder && join(folder, "node_modules", ".bin", process.platform === "win32" ? "dlm.cmd" : "dlm");
  return [own && vscode.workspace.isTrusted && existsSync(own) ? own : "dlm"];
}

interface Kernels {
  readonly kernels: readonly { readonly program: string; readonly kernel: string; readonly code: string }[];
  readonly errors: readonly string[];
}
/** The WGSL of all that the line becomes, beside it. */
async function kernels(): Promise<void> {
  const document = model();
  const line = vscode.window.activeTextEditor?.selection.active.line ?? 0;
  if (!document || !client) return;
  const found = await client.sendRequest<Kernels>("dlm/kernels", { uri: document.uri.toString(), line });
  const [error] = found.errors;
  if (error !== undefined) return void vscode.window.showWarningMessage(`No kernels: ${error}`);
  if (!found.kernels.length)
    return void vscode.window.showInformationMessage("This line becomes no kernel of its own.");
  const content = found.kernels.map((k) => `// ${k.kernel}, of ${k.program}\n${k.code}`).join("\n\n");
  const uri = vscode.Uri.from({ scheme: shown.scheme, path: `/${basename(document.fileName)}, line ${line + 1}.wgsl` });
  shown.texts.set(uri.path, content);
  shown.changed.fire(uri);
  await vscode.window.showTextDocument(uri, { viewColumn: vscode.ViewColumn.Beside, preview: true });
}
async function playground(): Promise<void> {
  const document = model();
  const address = vscode.workspace.getConfiguration("dlm").get<string>("playground") ?? "";
  if (!document) return;
  if (!/^https?:\/\//.test(address))
    return void vscode.window.showInformationMessage("The setting dlm.playground has the address of a playground.");
  const [name, text] = [basename(document.fileName), document.getText()];
  const read = (path: string): Thenable<string | undefined> =>
    vscode.workspace.openTextDocument(vscode.Uri.joinPath(document.uri, "..", path)).then(
      (file) => file.getText(),
      () => undefined,
    );
  const texts = document.isUntitled ? {} : await importedBy(name, text, async (path) => read(path));
  await vscode.env.openExternal(vscode.Uri.parse(playgroundAddress(address, name, text, texts), true));
}
