// A .dlm file from the disk to a plan: reads it and its imports, counts rows where the compiler has to know them, compiles, and prints diagnostics.
// In: a path and what the command's options change.   Out: the compiler's result, or a Reported when the text has errors.
import * as fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { position, type Diagnostic, type SourceFile, type Span } from "../../grammar/diagnostic.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import type { DataFiles } from "../../runtime/api.ts";
import { fileReason, readRegular } from "../../runtime/files.ts";
import { decodeInNode, listFolder } from "../../runtime/folders.ts";
import type { Plan } from "../../runtime/plan.ts";
import type { AlternativesWanted } from "../plan/alternatives.ts";
import { overMemoryCode } from "../plan/errors.ts";
import { compileFor, type CompileOptions, type CompileResult } from "../compile.ts";
import type { Target } from "../kernel/target.ts";
import { targets } from "../kernel/target.ts";
import { mostTextBytes, readText, textOf } from "./files.ts";
import { dataSetOf } from "./data-sets.ts";
import { largestBelow, type Tried } from "./largest.ts";
import { nearest } from "./options.ts";
import { fileProblem, Reported, UsageError, UserError } from "./problem.ts";
import { rowsOfWholeBatches } from "./rows.ts";
import type { Tuned } from "../programs/lower.ts";
import { commandLine, self } from "./started.ts";
import { readTuned, schedulesOf, tunedFor, tunePath, unusedText } from "./tuned.ts";
import { openTerminal, type Terminal } from "./terminal.ts";
import { counted } from "../print/text.ts";

/** Options that every command on a model has. */
export interface ModelFlags {
  readonly set?: Readonly<Record<string, string>>;
  readonly seed?: number;
  readonly pedantic?: boolean; // also what is right but looks wrong
  readonly data?: string; // the folder in which data files are looked for first
  readonly maxData?: number; // bytes of one data file after decompression
  readonly memory?: number | "auto"; // bytes that the plan may take on the device
  readonly tuned?: Tuned; // schedules in the place of those beside the model
  readonly adapter?: string; // the name of the device at hand
  readonly alternatives?: boolean | AlternativesWanted; // other kernels for the dearest of a step
  readonly views?: boolean; // with programs that show rows of the data, for a page
  readonly json?: boolean; // what is told is told as events
}
export interface ModelFile {
  readonly path: string; // as the user wrote it
  readonly name: string; // "digits.dlm": what artifacts call it, wherever they are made
  readonly folder: string;
  readonly text: string;
  readonly files?: Set<string>; // that were looked for until now: it, its imports and its data
}
export interface Compilation extends CompileResult {
  readonly told: readonly string[]; // of schedules beside the model
  readonly further: readonly CompileResult[]; // for the targets behind the first
  readonly model: ModelFile;
  readonly seconds: number;
  readonly phases: readonly { readonly name: string; readonly seconds: number }[];
}
export type Planned = Compilation & { readonly plan: Plan };
/** Targets by name, or one. None: software. */
export type Wanted = string | Target | readonly string[] | undefined;

/** A path that begins with a dash bears its folder, so that no command which is printed has it for an option. */
export function openModel(wanted: string): ModelFile {
  const path = wanted.startsWith("-") ? `./${wanted}` : wanted;
  const name = basename(path).replace(/\p{Cc}/gu, "-"); // kernels bear it in their comments
  return { path, name, folder: dirname(path), text: readText(path), files: new Set([path]) };
}

/** Files by their path in the model: in the folder of --data, then in that of the model. Read once. */
export function dataFiles(
  model: ModelFile,
  flags: ModelFlags,
  read: (place: string) => Uint8Array = (place) => readRegular(fs, place, flags.maxData),
): DataFiles {
  if (flags.data !== undefined && !fs.statSync(flags.data, { throwIfNoEntry: false })?.isDirectory())
    throw new UserError(`--data ${flags.data}: there is no such folder`);
  const folders = [...(flags.data === undefined ? [] : [flags.data]), model.folder];
  const firstOf = async <T>(path: string, take: (place: string) => T): Promise<T> => {
    const places = [
      ...new Set(
        folders
          .map((folder) => (folder === "." ? path : join(folder, path)))
          .map((place) => (path.startsWith("/") ? path : place)),
      ),
    ];
    for (const place of places) {
      model.files?.add(place);
      try {
        return take(place);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code !== "ENOENT" && code !== "ENOTDIR")
          throw new Error(place === path ? fileReason(error) : `${place}: ${fileReason(error)}`); // the runtime says what it was to be read for
      }
    }
    const known = dataSetOf(path);
    const into = folders[0] === "." ? [] : ["--into", folders[0]!];
    const hint =
      known === undefined
        ? "--data FOLDER names the folder that the model's paths start from"
        : `${commandLine("fetch", known, ...into)} gets it, and --data FOLDER names another folder that the model's paths start from`;
    throw new Error(`${places.join(" and ")} ${places.length > 1 ? "are" : "is"} not there; ${hint}`);
  };
  return {
    read: (path) => firstOf(path, read),
    list: (path) => firstOf(path, (place) => listFolder(fs, place)),
    picture: decodeInNode,
  };
}

/** What the front end is told, whatever comes after it. */
export async function compileOptions(
  model: ModelFile,
  flags: ModelFlags,
  files = dataFiles(model, flags),
): Promise<CompileOptions> {
  const options: CompileOptions = {
    name: model.name,
    imports: (path) => importText(model, path),
    ...(flags.set ? { set: flags.set } : {}),
    ...(flags.pedantic ? { pedantic: true } : {}),
    ...(flags.views ? { views: true } : {}),
    ...(flags.memory === undefined ? {} : { memory: flags.memory }),
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    ...(flags.alternatives ? { alternatives: flags.alternatives === true ? {} : flags.alternatives } : {}),
  };
  return { ...options, rows: await rowsOfWholeBatches(model.text, options, files, flags.maxData) };
}
/** Compiles whatever the text is; diagnostics are not printed. */
export async function compileModel(
  model: ModelFile,
  flags: ModelFlags,
  target: Wanted,
  files = dataFiles(model, flags),
): Promise<Compilation> {
  const started = performance.now();
  const options = await compileOptions(model, flags, files);
  const phases = new Map<string, number>(); // seconds, for all targets
  let last = performance.now();
  const watch = (name: string): void => {
    const now = performance.now();
    phases.set(name, (phases.get(name) ?? 0) + (now - last) / 1000);
    last = now;
  };
  const wanted = typeof target === "object" && "name" in target ? [target] : targetsNamed(target);
  const path = tunePath(model);
  const { devices, problem } = flags.tuned ? { devices: [] } : readTuned(path);
  const told = problem === undefined ? [] : [`${path} is not used: ${problem}`];
  const tuned = (of: Target): Tuned => flags.tuned ?? schedulesOf(tunedFor(devices, of, flags.adapter));
  const [made, ...further] = compileFor(model.text, wanted, { ...options, watch, tuned });
  [made!, ...further].forEach((one, k) => {
    const of = tunedFor(devices, wanted[k]!, flags.adapter);
    const unused = of && one.plan ? unusedText(path, model.path, of, one.tuned) : undefined;
    if (unused !== undefined) told.push(unused);
  });
  const first = await withBatchThatFits(
    made!,
    (rows) => compileFor(model.text, wanted.slice(0, 1), { ...options, set: { ...options.set, batch: rows } })[0]!,
  );
  return {
    ...first,
    told,
    further,
    model,
    phases: [...phases].map(([name, taken]) => ({ name, seconds: taken })),
    seconds: (performance.now() - started) / 1000,
  };
}
/** Where no plan keeps to the budget, its diagnostic says which batch would. */
async function withBatchThatFits(made: CompileResult, at: (rows: number) => CompileResult): Promise<CompileResult> {
  const over = made.diagnostics.find((d) => d.code === overMemoryCode);
  const batch = Math.max(0, ...(made.program?.trains.map((t) => t.batch) ?? []));
  if (!over || batch < 2) return made;
  const tried = (rows: number, { plan, memory }: CompileResult): Tried => ({
    rows,
    fits: plan !== undefined,
    share: memory ? memory.bytes[1] / memory.budget : Infinity,
  });
  const largest = await largestBelow(tried(batch, made), async (rows) => tried(rows, at(rows)));
  const hint = largest.rows
    ? `--set batch=${largest.rows} fits${largest.isSure ? ", and no larger batch does" : ""}`
    : "no batch is small enough: make the model smaller";
  return { ...made, diagnostics: made.diagnostics.map((d) => (d === over ? { ...d, hint } : d)) };
}
function targetsNamed(names: string | readonly string[] = "software"): readonly Target[] {
  return [...new Set([names].flat())].map(targetNamed);
}
function targetNamed(name: string): Target {
  const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
  if (target) return target;
  throw new UsageError(
    `there is no target ${name}; there are ${Object.keys(targets).join(", ")}${nearest(name, Object.keys(targets))}`,
  );
}

/** The same, for commands that cannot go on with errors: all diagnostics are printed to standard error. */
export async function planModel(
  model: ModelFile,
  flags: ModelFlags,
  target: Wanted,
  files = dataFiles(model, flags),
): Promise<Planned> {
  const compilation = await compileModel(model, flags, target, files);
  for (const { plan, diagnostics } of compilation.further)
    if (!plan && compilation.plan) reportDiagnostics(diagnostics, model, false, flags); // wrong for this target alone
  for (const text of compilation.told) openTerminal(flags.json === true).note(text);
  reportDiagnostics(compilation.diagnostics, model, compilation.plan !== undefined, flags);
  return compilation as Planned; // `reportDiagnostics` throws where there is no plan
}
/** Errors are printed, remarks counted; Reported is thrown where the text is not `sound`. */
export function reportDiagnostics(
  diagnostics: readonly Diagnostic[],
  model: ModelFile,
  sound: boolean,
  flags: ModelFlags,
): void {
  const shown = sound ? diagnostics.filter((d) => d.severity === "error") : diagnostics;
  const terminal = openTerminal(flags.json === true);
  const outside = shown.filter(isOutside);
  if (outside.length)
    throw new UsageError(
      outside.map((d) => [d.message, ...(d.notes ?? []), ...(d.hint ? [d.hint] : [])].join("; ")).join("\n"),
    );
  const written = asWritten(shown, model);
  if (flags.json) for (const d of written) terminal.line(JSON.stringify(diagnosticJson(d)));
  if (written.length) process.stderr.write(rendered(written, terminal) + "\n");
  const remarks = diagnostics.length - shown.length;
  if (remarks)
    terminal.note(
      `${remarks} ${remarks === 1 ? "remark" : "remarks"} on ${model.path}; \`${commandLine("check", model.path)}\` shows ${remarks === 1 ? "it" : "them"}`,
    );
  if (!sound) throw new Reported(errorsText(model, shown));
}
/** `digits.dlm has 2 errors` */
function errorsText({ path }: ModelFile, diagnostics: readonly Diagnostic[]): string {
  return `${path} has ${counted(diagnostics.filter((d) => d.severity === "error").length, "error")}`;
}
export const rendered = (diagnostics: readonly Diagnostic[], terminal: Terminal): string =>
  renderDiagnostics(diagnostics, { color: terminal.errorColor, program: self });

/** About what was said on the command line, not in the text. */
const isOutside = (d: Diagnostic): boolean => / from outside$/.test(d.message);

/** Imports lie beside the importing file. What is not there is told at the import. */
function importText(model: ModelFile, path: string): string | undefined {
  const place = resolve(model.folder, path);
  model.files?.add(place);
  try {
    return textOf(readRegular(fs, place, mostTextBytes));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw fileProblem("read", place, error);
  }
}

/** Diagnostics with the files' paths as seen from the working folder. */
export function asWritten(diagnostics: readonly Diagnostic[], model: ModelFile): readonly Diagnostic[] {
  const files = new Map<SourceFile, SourceFile>();
  const file = (f: SourceFile): SourceFile => {
    let found = files.get(f);
    if (!found)
      files.set(
        f,
        (found = f.library ? f : { ...f, name: f.name === model.name ? model.path : join(model.folder, f.name) }),
      );
    return found;
  };
  const span = (s: Span): Span => ({ ...s, file: file(s.file) });
  return diagnostics.map((d) => ({
    ...d,
    span: span(d.span),
    ...(d.labels ? { labels: d.labels.map((l) => ({ ...l, span: span(l.span) })) } : {}),
  }));
}
/** A diagnostic as one flat object. */
export function diagnosticJson(d: Diagnostic): object {
  const [from, to] = [position(d.span.file, d.span.start), position(d.span.file, d.span.end)];
  const labels = d.labels?.map((l) => ({
    file: l.span.file.name,
    ...position(l.span.file, l.span.start),
    text: l.text,
  }));
  return {
    kind: "diagnostic",
    code: d.code,
    severity: d.severity,
    file: d.span.file.name,
    line: from.line,
    column: from.column,
    endLine: to.line,
    endColumn: to.column,
    message: d.message,
    ...(labels?.length ? { labels } : {}),
    ...(d.notes?.length ? { notes: d.notes } : {}),
    ...(d.hint ? { hint: d.hint } : {}),
  };
}
