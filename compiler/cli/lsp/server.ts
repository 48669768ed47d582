// dlm lsp: a language server over stdio. In: messages of an editor. Out: answers of the query module, in the protocol's words; it decides nothing itself.
// Texts are elaborated when nobody has typed for a moment, the newest only; until then types are those of the text before, at their places of now. Whatever a
// message says, the server stays: a fault of an answer is told to the editor's log, and the answer is none.
import {
  CodeActionKind,
  createConnection,
  ErrorCodes,
  LSPErrorCodes,
  ResponseError,
  TextDocuments,
  TextDocumentSyncKind,
  type CancellationToken,
  type CodeAction,
  type CodeActionParams,
  type Connection,
  type Range,
  type ServerCapabilities,
  type TextDocumentIdentifier,
  type TextDocumentPositionParams,
  type TextEdit,
  type WorkspaceEdit,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import type { Diagnostic, Span } from "../../../grammar/diagnostic.ts";
import { messageOf } from "../../../runtime/problem.ts";
import { completionDetail } from "../../query/completions.ts";
import { highlightKinds } from "../../query/highlights.ts";
import type { Queries } from "../../query/query.ts";
import { renamableAt } from "../../query/references.ts";
import { openWorkspace, type Earlier, type Located, type Workspace } from "../../query/workspace.ts";
import { version } from "../../version.ts";
import * as convert from "./convert.ts";
import { diskHost, isLibraryAddress, libraryAddress } from "./disk.ts";
import { rowsOfTexts } from "./rows.ts";

const quiet = 120; // milliseconds without an edit before a text is elaborated
const mostQuiet = 600; // of a text that takes long
const longText = 100_000; // characters
const nothingYet: Earlier = { diagnostics: [], inlays: () => [], typeAt: () => undefined };
const slice = 40; // milliseconds of elaboration between messages
const swift = 80; // milliseconds: what takes less is elaborated when it is asked for

const capabilities: ServerCapabilities = {
  positionEncoding: "utf-16",
  textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental, save: true },
  hoverProvider: true,
  completionProvider: { triggerCharacters: [".", '"', "("], resolveProvider: true },
  signatureHelpProvider: { triggerCharacters: ["(", ","], retriggerCharacters: [":"] },
  definitionProvider: true,
  referencesProvider: true,
  documentHighlightProvider: true,
  renameProvider: { prepareProvider: true },
  documentSymbolProvider: true,
  foldingRangeProvider: true,
  inlayHintProvider: true,
  documentFormattingProvider: true,
  codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix] },
  semanticTokensProvider: {
    legend: { tokenTypes: [...highlightKinds], tokenModifiers: convert.tokenModifiers },
    full: true,
    range: true,
  },
};

/** A text that is open, as the editor has it and as the compiler sees it. */
interface Opened {
  readonly document: TextDocument;
  readonly address: string;
  readonly queries: Queries;
}

export function serve(connection: Connection = createConnection(process.stdin, process.stdout)): void {
  const documents = new TextDocuments(TextDocument);
  const folders: string[] = [];
  const rows = rowsOfTexts(
    (address, path) => workspace.textOf(address, path),
    (address) => {
      workspace.renew(address);
      pending.add(address);
    },
  );
  const workspace: Workspace = openWorkspace({ ...diskHost(() => folders), rows: rows.of });
  const pending = pendingDiagnostics(connection, workspace, documents);
  let refreshesInlays = false;

  connection.onInitialize(({ workspaceFolders, rootUri, capabilities: client }) => {
    folders.push(...(workspaceFolders?.map((f) => f.uri) ?? (rootUri ? [rootUri] : [])));
    refreshesInlays = client?.workspace?.inlayHint?.refreshSupport === true;
    pending.onDone(() => {
      if (refreshesInlays) connection.languages.inlayHint.refresh().catch(() => undefined);
    });
    return { capabilities, serverInfo: { name: "dlm", version } };
  });

  // ---- texts
  const put = ({ document }: { readonly document: TextDocument }): void => {
    guarded(connection, undefined, () => {
      workspace.put(document.uri, document.getText());
      rows.read(document.uri, document.getText());
      pending.add(document.uri);
      for (const address of workspace.importersOf(document.uri)) pending.add(address);
    });
  };
  documents.onDidChangeContent(put); // opened ones too
  documents.onDidClose(({ document: { uri } }) => {
    workspace.close(uri);
    pending.drop(uri);
    connection.sendDiagnostics({ uri, diagnostics: [] }).catch(() => undefined);
    for (const address of workspace.importersOf(uri)) pending.add(address);
  });
  const touched = (uri: string): void => {
    for (const address of workspace.importersOf(uri)) pending.add(address);
  };
  const countAnew = (): void => documents.all().forEach((d) => rows.read(d.uri, d.getText(), true));
  documents.onDidSave(({ document }) => touched(document.uri));
  connection.onDidChangeWatchedFiles(({ changes }) => {
    changes.forEach((c) => touched(c.uri));
    countAnew();
  });

  // ---- questions
  const opened = (id: TextDocumentIdentifier | undefined): Opened | undefined => {
    const uri = id?.uri;
    const document = uri === undefined ? undefined : documents.get(uri);
    const queries = uri === undefined ? undefined : workspace.ask(uri);
    return document && queries ? { document, address: document.uri, queries } : undefined;
  };
  /** An answer about an open text; nothing where it is not open, or where answering fails. */
  const about = <P extends { readonly textDocument: TextDocumentIdentifier }, R>(
    answer: (o: Opened, params: P, token: CancellationToken) => R | Promise<R>,
    nothing: R,
  ): ((params: P, token: CancellationToken) => Promise<R>) => {
    return async (params, token) => {
      // what came in with this message is read first: a request that was cancelled by then costs nothing
      await new Promise((done) => setImmediate(done));
      if (token.isCancellationRequested) throw new ResponseError(LSPErrorCodes.RequestCancelled, "cancelled");
      const o = opened(params.textDocument);
      return o ? guarded(connection, nothing, () => answer(o, params, token)) : nothing;
    };
  };
  const at = ({ document }: Opened, { position }: TextDocumentPositionParams): number => document.offsetAt(position);
  /** Of a long text that nobody has elaborated yet nothing is known: it would keep everybody waiting. */
  const types = ({ document, address, queries }: Opened): Earlier => {
    if (queries.document.isElaborated() || pending.isSwift(address)) return queries;
    return workspace.askEarlier(address) ?? (document.getText().length < longText ? queries : nothingYet);
  };
  const uriOf = ({ address, isLibrary }: Located): string | undefined =>
    isLibrary ? libraryAddress(address) : (documents.get(address)?.uri ?? address);
  const locations = (found: readonly Located[]): { uri: string; range: Range }[] =>
    found.flatMap((l) => {
      const uri = uriOf(l);
      return uri === undefined ? [] : [convert.locationOf(l, uri)];
    });

  connection.onHover(
    about((o, params) => {
      const found = types(o).typeAt(at(o, params));
      return found ? convert.hoverOf(o.document, found) : null;
    }, null),
  );
  connection.onCompletion(
    about((o, params) => {
      const offset = at(o, params);
      return o.queries.completionsAt(offset).map((c, i) => convert.completionOf(o.document, c, offset, i));
    }, []),
  );
  connection.onCompletionResolve((item) =>
    guarded(connection, item, () => {
      const { data } = item as { data?: { name?: unknown } };
      return typeof data?.name === "string" ? convert.resolvedOf(item, completionDetail(data.name)) : item;
    }),
  );
  connection.onSignatureHelp(
    about((o, params) => {
      const found = o.queries.signatureAt(at(o, params));
      return found ? convert.signatureOf(found) : null;
    }, null),
  );
  connection.onDefinition(
    about((o, params) => {
      const found = workspace.definition(o.address, at(o, params));
      return found ? locations([found]) : null;
    }, null),
  );
  connection.onReferences(
    about((o, params) => {
      const offset = at(o, params);
      const found = workspace.references(o.address, offset);
      const target = params.context?.includeDeclaration === false ? workspace.definition(o.address, offset) : undefined;
      const isTarget = (l: Located): boolean => l.address === target?.address && l.span.start === target.span.start;
      return locations(found.filter((l) => !isTarget(l)));
    }, []),
  );
  connection.onDocumentHighlight(
    about(
      (o, params) =>
        o.queries
          .referencesTo(at(o, params))
          .filter((s) => s.file === o.queries.document.file.source)
          .map((s) => ({ range: convert.rangeIn(o.document, s.start, s.end) })),
      [],
    ),
  );
  connection.onPrepareRename(
    about((o, params) => {
      const found = renamableAt(o.queries.document, at(o, params));
      if ("refused" in found) throw refusal(found.refused);
      return { range: convert.rangeIn(o.document, found.span.start, found.span.end), placeholder: found.name };
    }, null),
  );
  connection.onRenameRequest(
    about((o, params): WorkspaceEdit | null => {
      const found = workspace.rename(o.address, at(o, params), String(params.newName));
      if ("refused" in found) throw refusal(found.refused);
      const changes: Record<string, TextEdit[]> = {};
      for (const { uri, range } of locations(found)) (changes[uri] ??= []).push({ range, newText: params.newName });
      return { changes };
    }, null),
  );
  connection.onDocumentSymbol(about((o) => o.queries.symbols().map((s) => convert.symbolOf(o.document, s)), []));
  connection.onFoldingRanges(about((o) => convert.foldingOf(o.document, o.queries.folds()), []));
  connection.languages.semanticTokens.on(
    about((o) => ({ data: convert.tokensOf(o.document, o.queries.highlights()) }), { data: [] }),
  );
  connection.languages.semanticTokens.onRange(
    about(
      (o, { range }) => ({
        data: convert.tokensOf(o.document, o.queries.highlights(), ...offsets(o.document, range)),
      }),
      { data: [] },
    ),
  );
  connection.languages.inlayHint.on(
    about(
      (o, { range }) =>
        types(o)
          .inlays(...offsets(o.document, range))
          .map((i) => convert.inlayOf(o.document, i)),
      [],
    ),
  );
  connection.onDocumentFormatting(
    about(async (o) => {
      const { format } = await import("../../format/format.ts");
      const text = o.document.getText();
      if (o.queries.document.file.incomplete) return []; // what cannot be read stays as it is
      return convert.editTo(o.document, format(text));
    }, []),
  );
  connection.onCodeAction(about((o, params) => actions(o, params, types(o).diagnostics), []));
  connection.onRequest("dlm/kernels", async (params: { uri?: unknown; line?: unknown } | undefined) => {
    const o = opened({ uri: String(params?.uri) });
    if (!o) return { kernels: [], errors: ["this file is not open"] };
    const { kernelsOfLine } = await import("./kernels.ts");
    return guarded(connection, { kernels: [], errors: ["the kernels could not be made"] }, () => {
      const found = kernelsOfLine(o.document.getText(), Number(params?.line), {
        name: o.queries.document.file.source.name,
        imports: (path) => workspace.textOf(o.address, path),
      });
      return { kernels: found.kernels, errors: found.errors.map((d) => d.message) };
    });
  });
  documents.listen(connection);
  connection.listen();
}

const refusal = (message: string): ResponseError<void> => new ResponseError(ErrorCodes.InvalidParams, message);
const offsets = (document: TextDocument, range: Range | undefined): [number, number] =>
  range ? [document.offsetAt(range.start), document.offsetAt(range.end)] : [0, Infinity];

/** What answers, or nothing and a line in the editor's log. What is told to the user passes. */
function guarded<R>(connection: Connection, nothing: R, answer: () => R): R;
function guarded<R>(connection: Connection, nothing: R, answer: () => R | Promise<R>): R | Promise<R>;
function guarded<R>(connection: Connection, nothing: R, answer: () => R | Promise<R>): R | Promise<R> {
  const failed = (error: unknown): R => {
    if (error instanceof ResponseError) throw error;
    connection.console.error(
      `a fault of dlm: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}`,
    );
    return nothing;
  };
  try {
    const found = answer();
    return found instanceof Promise ? found.catch(failed) : found;
  } catch (error) {
    return failed(error);
  }
}

/** Quick fixes: the changes that the hints of diagnostics in the range name. */
function actions(o: Opened, { range, context }: CodeActionParams, diagnostics: readonly Diagnostic[]): CodeAction[] {
  const only = context?.only;
  if (only && !only.some((kind) => kind === CodeActionKind.QuickFix || kind === "")) return [];
  const [from, to] = offsets(o.document, range);
  const isHere = (span: Span): boolean => span.file.text === o.queries.document.file.source.text;
  return diagnostics.flatMap((d) => {
    if (!isHere(d.span) || d.span.start > to || d.span.end < from) return [];
    const told = convert.diagnosticOf(o.document, { ...d, labels: [] }, () => o.address);
    return (d.fixes ?? []).flatMap(({ title, edits }, i): CodeAction[] => {
      if (!edits.every((e) => isHere(e.span))) return [];
      const changes = edits.map(({ span, text }) => ({
        range: convert.rangeIn(o.document, span.start, span.end),
        newText: text,
      }));
      return [
        {
          title,
          kind: CodeActionKind.QuickFix,
          diagnostics: [told],
          edit: { changes: { [o.document.uri]: changes } },
          ...(i === 0 ? { isPreferred: true } : {}),
        },
      ];
    });
  });
}

/** Texts that wait to be elaborated and told of: each a moment after its last edit, the newest text only. */
interface Pending {
  readonly add: (address: string) => void;
  readonly drop: (address: string) => void;
  readonly isSwift: (address: string) => boolean; // as far as is known
  readonly onDone: (run: () => void) => void;
}
function pendingDiagnostics(
  connection: Connection,
  workspace: Workspace,
  documents: TextDocuments<TextDocument>,
): Pending {
  const timers = new Map<string, NodeJS.Timeout>();
  const costs = new Map<string, number>(); // milliseconds that a text took last
  let done = (): void => undefined;
  /** In slices, between which messages are answered; what is typed meanwhile begins anew. */
  const tell = (address: string, spent = 0): void => {
    const document = documents.get(address);
    if (document && !isLibraryAddress(address)) {
      const began = performance.now();
      const isDue = (): boolean => performance.now() - began > slice;
      const isDone = guarded(connection, true, () => workspace.elaborateUntil(address, isDue));
      if (!isDone) {
        timers.set(address, setTimeout(tell, 0, address, spent + performance.now() - began));
        return;
      }
      const found = guarded<readonly Diagnostic[]>(connection, [], () => workspace.diagnostics(address));
      costs.set(address, spent + performance.now() - began);
      const uriOf = (span: Span): string => {
        const located = workspace.locate(address, span);
        return (located.isLibrary ? libraryAddress(located.address) : located.address) ?? address;
      };
      const diagnostics = found.map((d) => convert.diagnosticOf(document, d, uriOf));
      connection.sendDiagnostics({ uri: document.uri, version: document.version, diagnostics }).catch(() => undefined);
    }
    timers.delete(address);
    done();
  };
  return {
    add: (address) => {
      clearTimeout(timers.get(address));
      const moment = Math.min(mostQuiet, Math.max(quiet, costs.get(address) ?? 0));
      timers.set(address, setTimeout(tell, moment, address));
    },
    drop: (address) => {
      clearTimeout(timers.get(address));
      timers.delete(address);
      costs.delete(address);
    },
    isSwift: (address) => (costs.get(address) ?? Infinity) < swift,
    onDone: (run) => (done = run),
  };
}
