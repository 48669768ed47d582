// The front end: source text to Program and diagnostics. No I/O: imports come through a function.
import type * as ast from "../grammar/ast.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import { parse } from "../grammar/parser.ts";
import { elaborating } from "./elaborate/elaborate.ts";
import type { Knowledge } from "./elaborate/knowledge.ts";
import type { ElaborateOptions, Program } from "./elaborate/program.ts";
import { finished, type Steps } from "./elaborate/steps.ts";
import { checkSizes } from "./elaborate/sizes.ts";
import { Compilation, within } from "./graph/compilation.ts";
import { linting } from "./lint/lint.ts";
import { libraryDeclarations } from "./std/declarations.ts";

export interface FrontOptions extends ElaborateOptions {
  readonly name?: string; // of the source, for messages. Default: "model.dlm"
  readonly imports?: (path: string) => string | undefined;
  readonly pedantic?: boolean; // also what is right but looks wrong, as warnings and hints
}
export interface Fronted extends Omit<Elaborated, "program"> {
  readonly file: ast.File;
  readonly program: Program | undefined; // undefined where the text has errors
}
export interface Parsed {
  readonly file: ast.File;
}
export interface Elaborated {
  readonly program?: Program; // where the text has no errors
  /** What could be elaborated, also beside errors (`incomplete` then): the declarations without errors that use none with errors. */
  readonly partial: Program;
  readonly diagnostics: readonly Diagnostic[];
  readonly knowledge?: Knowledge; // with the option `keep`, also of a text with errors
}
export const defaultName = "model.dlm";

export function analyse(text: string, options: FrontOptions = {}): Fronted {
  const { file, diagnostics } = parseText(text, options);
  const { program, ...rest } = elaborateFile(file, options);
  return { ...rest, file, program, diagnostics: [...diagnostics, ...rest.diagnostics] };
}
export const parseText = (
  text: string,
  options: FrontOptions,
): Parsed & { readonly diagnostics: readonly Diagnostic[] } => parse({ name: options.name ?? defaultName, text });

/** In a compilation of its own, which the Program names. A file with syntax errors gives no program, and all that can be told beside them. */
export const elaborateFile = (main: ast.File, options: FrontOptions): Elaborated =>
  within(new Compilation(), () => finished(elaborateWithin(main, options)));
/** The same in steps, each as long as a declaration or a lint takes. */
export function* elaborateInSteps(main: ast.File, options: FrontOptions): Steps<Elaborated> {
  const compilation = new Compilation();
  const steps = elaborateWithin(main, options);
  for (;;) {
    const step = within(compilation, () => steps.next());
    if (step.done) return step.value;
    yield;
  }
}
function* elaborateWithin(main: ast.File, options: FrontOptions): Steps<Elaborated> {
  const read: Diagnostic[] = [];
  const imported: ast.File[] = [];
  const imports = (path: string): ast.File | undefined => {
    const found = options.imports?.(path);
    if (found === undefined) return undefined;
    const parsed = parse({ name: path, text: found });
    read.push(...parsed.diagnostics);
    imported.push(parsed.file);
    return withoutFaulty(parsed.file);
  };
  const { program, diagnostics, knowledge } = yield* elaborating(
    { main: withoutFaulty(main), library: libraryDeclarations, imports },
    options,
  );
  const told = [...read, ...diagnostics];
  // what is applied nowhere may be applied in what has errors
  const other = told.filter((d) => d.code !== "DLM2022");
  const found = other.length || main.incomplete ? other : told;
  const isBroken = main.incomplete === true || found.some(isError);
  const sizes = isBroken ? [] : checkSizes(program, { file: main.source, start: 0, end: 0 });
  const all = [...found, ...sizes];
  const kept = knowledge ? { knowledge } : {};
  if (isBroken || all.some(isError)) return { partial: { ...program, incomplete: true }, diagnostics: all, ...kept };
  yield;
  const looksWrong = options.pedantic ? yield* linting(program, main, imported) : [];
  return { program, partial: program, diagnostics: [...all, ...looksWrong], ...kept };
}
const isError = (d: Diagnostic): boolean => d.severity === "error";
/** Declarations with syntax errors are names without a value: what uses them is left out, without a word. */
function withoutFaulty(file: ast.File): ast.File {
  if (!file.incomplete) return file;
  const items = file.items.flatMap((item): ast.Item[] => {
    if (!item.incomplete) return [item];
    if (item.kind === "import" || item.name.text === "") return [];
    const { name, span } = item;
    return [{ kind: "const", name, value: { kind: "missing", span }, span }];
  });
  return { ...file, items };
}
