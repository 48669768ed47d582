// What a lint is, and what it sees.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic, Severity } from "../../grammar/diagnostic.ts";
import type { Program } from "../elaborate/program.ts";
import type { Facts } from "../std/facts.ts";

export interface Linted {
  readonly program: Program;
  readonly file: ast.File;
  readonly imported: readonly ast.File[]; // whose declarations the file sees
  /** What a name stands for at the top of the file: its own declaration, an imported one or the library's. */
  readonly declaration: (name: string) => ast.Item | undefined;
  /** What the declaration of that name, or the row of a built-in function, states about itself; nothing where there is none. */
  readonly facts: (name: string) => Facts;
}
export type Finding = Omit<Diagnostic, "code" | "severity">;
export interface Lint {
  readonly code: string;
  readonly severity: Severity;
  readonly check: (linted: Linted) => Finding[];
}
