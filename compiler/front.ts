// The front end: source text to Program and diagnostics. No I/O: imports come through a function.
import type * as ast from "../grammar/ast.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import { parse } from "../grammar/parser.ts";
import { elaborate, type ElaborateOptions } from "./elaborate/elaborate.ts";
import { checkSizes } from "./elaborate/sizes.ts";
import type { Program } from "./elaborate/program.ts";
import { lint } from "./lint/lint.ts";
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
  /** What could be elaborated, also beside errors (`incomplete` then): the declarations without errors that use none with errors. */
  readonly partial: Program;
  readonly diagnostics: readonly Diagnostic[];
}
export function analyse(text: string, options: FrontOptions = {}): Fronted {
  resetTable();
  const parsed = parse({ name: options.name ?? "model.dlm", text });
  const read: Diagnostic[] = [];
  const imports: ast.File[] = [];
  const { program, diagnostics } = elaborate(
    {
      main: withoutFaulty(parsed.file),
      library: libraryDeclarations,
      imports: (path) => {
        const found = options.imports?.(path);
        if (found === undefined) return undefined;
        const imported = parse({ name: path, text: found });
        read.push(...imported.diagnostics);
        imports.push(imported.file);
        return withoutFaulty(imported.file);
      },
    },
    options,
  );
  const { file } = parsed;
  const told = [...parsed.diagnostics, ...read, ...diagnostics];
  // what is applied nowhere may be applied in what has errors
  const other = told.filter((d) => d.code !== "DLM2022");
  const found = other.length ? other : told;
  const sizes = found.some(isError) ? [] : checkSizes(program, { file: file.source, start: 0, end: 0 });
  const all = [...found, ...sizes];
  if (all.some(isError))
    return { file, program: undefined, partial: { ...program, incomplete: true }, diagnostics: all };
  const looksWrong = options.pedantic ? lint(program, file, imports) : [];
  return { file, program, partial: program, diagnostics: [...all, ...looksWrong] };
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
