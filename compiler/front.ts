// The front end: source text to Program and diagnostics. No I/O: imports come through a function.
import type * as ast from "../grammar/ast.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import { parse } from "../grammar/parser.ts";
import { elaborate } from "./elaborate/elaborate.ts";
import type { Knowledge } from "./elaborate/knowledge.ts";
import { pedantic } from "./elaborate/pedantic.ts";
import { checkSizes } from "./elaborate/sizes.ts";
import type { ElaborateOptions, Program } from "./elaborate/program.ts";
import { Compilation, within } from "./graph/compilation.ts";
import { libraryDeclarations } from "./std/declarations.ts";

export interface FrontOptions extends ElaborateOptions {
  readonly name?: string; // of the source, for messages. Default: "model.dlm"
  readonly imports?: (path: string) => string | undefined;
  readonly pedantic?: boolean; // also what is right but looks wrong, as warnings and hints
}
export interface Fronted {
  readonly file: ast.File;
  readonly program: Program | undefined; // undefined where the text has errors
  readonly diagnostics: readonly Diagnostic[];
  readonly knowledge?: Knowledge; // with the option `keep`, also of a text with errors
}
export interface Parsed {
  readonly file: ast.File;
}
export interface Elaborated {
  readonly program?: Program; // where the text has no errors
  readonly diagnostics: readonly Diagnostic[];
  readonly knowledge?: Knowledge;
}
export const defaultName = "model.dlm";

export function analyse(text: string, options: FrontOptions = {}): Fronted {
  const { file, diagnostics } = parseText(text, options);
  const isBroken = diagnostics.some(isError);
  if (isBroken && !options.keep) return { file, program: undefined, diagnostics };
  const { program, diagnostics: more, knowledge } = elaborateFile(file, options);
  const kept = knowledge ? { knowledge } : {};
  if (isBroken) return { file, program: undefined, diagnostics, ...kept };
  return { file, program, diagnostics: [...diagnostics, ...more], ...kept };
}
export function parseText(
  text: string,
  options: FrontOptions,
): Parsed & { readonly diagnostics: readonly Diagnostic[] } {
  return parse({ name: options.name ?? defaultName, text });
}
/** In a compilation of its own, which the Program names. */
export const elaborateFile = (main: ast.File, options: FrontOptions): Elaborated =>
  within(new Compilation(), () => elaborateWithin(main, options));
function elaborateWithin(main: ast.File, options: FrontOptions): Elaborated {
  const read: Diagnostic[] = [];
  const imports = (path: string): ast.File | undefined => {
    const found = options.imports?.(path);
    if (found === undefined) return undefined;
    const parsed = parse({ name: path, text: found });
    read.push(...parsed.diagnostics);
    return parsed.file;
  };
  const { program, diagnostics, knowledge } = elaborate({ main, library: libraryDeclarations, imports }, options);
  const sizes = diagnostics.some(isError) ? [] : checkSizes(program, { file: main.source, start: 0, end: 0 });
  const all = [...read, ...diagnostics, ...sizes];
  const kept = knowledge ? { knowledge } : {};
  if (all.some(isError)) return { diagnostics: all, ...kept };
  return { program, diagnostics: options.pedantic ? [...all, ...pedantic(program, main)] : all, ...kept };
}
const isError = (d: Diagnostic): boolean => d.severity === "error";
