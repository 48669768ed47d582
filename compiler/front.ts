// The front end: source text to Program and diagnostics. No I/O: imports come through a function.
import type * as ast from "../grammar/ast.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import { parse } from "../grammar/parser.ts";
import { elaborate } from "./elaborate/elaborate.ts";
import type { Knowledge } from "./elaborate/knowledge.ts";
import { pedantic } from "./elaborate/pedantic.ts";
import { checkSizes } from "./elaborate/sizes.ts";
import type { ElaborateOptions, Program } from "./elaborate/program.ts";
import { resetTable } from "./graph/scalar.ts";
import { libraryDeclarations } from "./std/declarations.ts";

export interface FrontOptions extends ElaborateOptions {
  readonly name?: string;
  readonly imports?: (path: string) => string | undefined;
  readonly pedantic?: boolean; // also what is right but looks wrong, as warnings and hints
}
export interface Fronted {
  readonly file: ast.File;
  readonly program: Program | undefined; // undefined where the text has errors
  readonly diagnostics: readonly Diagnostic[];
  readonly knowledge?: Knowledge; // with the option `keep`, also of a text with errors
}
export function analyse(text: string, options: FrontOptions = {}): Fronted {
  resetTable();
  const parsed = parse({ name: options.name ?? "model.dlm", text });
  const isBroken = parsed.diagnostics.some((d) => d.severity === "error");
  if (isBroken && !options.keep) return { file: parsed.file, program: undefined, diagnostics: parsed.diagnostics };
  const read: Diagnostic[] = [];
  const { program, diagnostics, knowledge } = elaborate(
    {
      main: parsed.file,
      library: libraryDeclarations,
      imports: (path) => {
        const found = options.imports?.(path);
        if (found === undefined) return undefined;
        const file = parse({ name: path, text: found });
        read.push(...file.diagnostics);
        return file.file;
      },
    },
    options,
  );
  const kept = knowledge ? { knowledge } : {};
  if (isBroken) return { file: parsed.file, program: undefined, diagnostics: parsed.diagnostics, ...kept };
  const errors = diagnostics.some((d) => d.severity === "error");
  const sizes = errors ? [] : checkSizes(program, { file: parsed.file.source, start: 0, end: 0 });
  const all = [...parsed.diagnostics, ...read, ...diagnostics, ...sizes];
  if (all.some((d) => d.severity === "error"))
    return { file: parsed.file, program: undefined, diagnostics: all, ...kept };
  return {
    file: parsed.file,
    program,
    diagnostics: options.pedantic ? [...all, ...pedantic(program, parsed.file)] : all,
    ...kept,
  };
}
