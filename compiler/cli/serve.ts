// dlm serve: the page of a model on this machine, with its data, built anew whenever the source changes. In: a model, or a folder that holds a page.
// Out: an address, until Ctrl-C.
import * as fs from "node:fs";
import { constants, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { renderDiagnostics } from "../../grammar/render.ts";
import { classes, writeCompiled } from "./compile.ts";
import { asWritten, compileModel, openModel, reportDiagnostics, type ModelFlags } from "./model.ts";
import { seconds } from "./progress.ts";
import { Reported, UserError } from "./problem.ts";
import { commandLine } from "./started.ts";
import { serveFolder, type StaticServer } from "./static.ts";
import { openTerminal, styles, type Terminal } from "./terminal.ts";
import { again } from "./watch.ts";

export interface ServeFlags extends ModelFlags {
  readonly out?: string; // where to build; default: a temporary folder
  readonly port?: number;
  readonly target?: readonly string[]; // default: every class of devices
  readonly json?: boolean;
}
const usualPort = 4173;

export async function serve(path: string, flags: ServeFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  const isFolder = fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isFolder && !fs.existsSync(join(path, "index.html")))
    throw new UserError(
      `${path} has no index.html: \`${commandLine("compile", "MODEL", "-o", path, "--with-data")}\` puts one there`,
    );
  if (/\.html?$/i.test(path)) {
    const folder = dirname(path);
    const does = fs.existsSync(path) ? "opens it" : "opens the page of a folder";
    throw new UserError(`${path} is no model but a page: \`${commandLine("serve", folder)}\` ${does}`);
  }
  if (!isFolder) openModel(path); // says what is wrong with it before anything is made
  const temporary = isFolder || flags.out !== undefined ? undefined : fs.mkdtempSync(join(tmpdir(), "dlm-serve-"));
  const folder = isFolder ? path : (flags.out ?? temporary!);
  const end = (): void => {
    if (temporary !== undefined) fs.rmSync(temporary, { recursive: true, force: true });
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      end();
      process.exit(128 + constants.signals[signal]);
    });
  try {
    const server = await openServer(folder, flags);
    if (isFolder) await again(async () => served(folder, server, terminal, flags));
    else await again(async () => build(path, folder, flags, server, terminal));
  } finally {
    end();
  }
}
async function openServer(folder: string, { port }: ServeFlags): Promise<StaticServer> {
  try {
    return await serveFolder(folder, { port: port ?? usualPort, otherPort: port === undefined });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UserError(
      code === "EADDRINUSE"
        ? `port ${port} is taken; --port 0 takes any that is free`
        : `no server can be opened: ${message}`,
    );
  }
}
let announced = false;
/** The address, once; then what was built. */
function say(terminal: Terminal, server: StaticServer, flags: ServeFlags, text: string, event: object): void {
  const { bold, dim } = styles(terminal.color);
  if (flags.json) terminal.line(JSON.stringify({ ...event, address: server.address }));
  else terminal.line(announced ? text : `${bold(server.address)}  ${dim(`${text}; Ctrl-C ends it`)}`);
  announced = true;
}
/** A page that somebody else builds. */
function served(folder: string, server: StaticServer, terminal: Terminal, flags: ServeFlags): ReadonlySet<string> {
  server.tell({ built: String(Date.now()) });
  say(terminal, server, flags, folder, { kind: "serving", folder });
  return new Set(["index.html", "plan.json", "trainer.mjs", "page.mjs", "page.css"].map((name) => join(folder, name)));
}
/** Compiles, copies what the page reads, and tells open pages. What is wrong is told here and there. */
async function build(
  path: string,
  folder: string,
  flags: ServeFlags,
  server: StaticServer,
  terminal: Terminal,
): Promise<ReadonlySet<string>> {
  const files = new Set([path]);
  try {
    const model = openModel(path);
    try {
      const compiled = await compileModel(model, { ...flags, views: true }, flags.target ?? classes);
      const { plan, diagnostics, seconds: took } = compiled;
      if (!plan) {
        server.tell({ problem: renderDiagnostics(asWritten(diagnostics, model), { color: false }) });
        reportDiagnostics(diagnostics, model, false, flags);
        return files;
      }
      reportDiagnostics(diagnostics, model, true, flags);
      let missing: readonly string[] = [];
      await writeCompiled({ ...compiled, plan }, { ...flags, withData: true }, folder, (paths) => (missing = paths));
      for (const file of missing) terminal.note(`${file} is not there: the page asks for it`);
      server.tell({ built: String(Date.now()) });
      say(terminal, server, flags, `${path}, built in ${seconds(took)}`, {
        kind: "built",
        model: path,
        seconds: took,
        missing,
      });
    } finally {
      for (const file of model.files ?? []) files.add(file);
    }
  } catch (error) {
    if (error instanceof UserError) {
      terminal.note(`dlm: ${error.message}`);
      server.tell({ problem: error.message });
    } else if (!(error instanceof Reported)) throw error;
  }
  if (!announced) say(terminal, server, flags, `${path} does not compile yet`, { kind: "waiting", model: path });
  return files;
}
