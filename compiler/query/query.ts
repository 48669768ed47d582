// Questions about a text: what editors ask. Answered from names and tokens, and where it must be from what elaboration knew.
// In: source text and offsets (UTF-16 code units). Out: answers, or nothing where there is nothing to say; no text and no offset makes them throw.
import type { Diagnostic, Span } from "../../grammar/diagnostic.ts";
import type { Definition } from "../elaborate/names.ts";
import type { FrontOptions } from "../front.ts";
import { callTree, type CallTree } from "./calls.ts";
import { completionsAt, type Columns, type PlacedCompletion } from "./completions.ts";
import { inside, openDocument, type Document } from "./document.ts";
import { highlightsOf, type Highlight } from "./highlights.ts";
import { hoverAt, type TypeAnswer } from "./hover.ts";
import { inlaysOf, type Inlay } from "./inlays.ts";
import { definitionAt, mentionsOf, referencesTo } from "./references.ts";
import { signatureAt, type Signature } from "./signatures.ts";
import { foldsOf, symbolsOf, type DocumentSymbol, type Fold } from "./symbols.ts";

export type { TypeAnswer } from "./hover.ts";
export type { Completion } from "./completions.ts";

export interface QueryOptions extends FrontOptions {
  readonly columns?: Columns; // of data files, for completions
  /** What was asked about the text before: its types serve completions until this one is elaborated. */
  readonly earlier?: Queries | undefined;
}
export interface Queries {
  readonly document: Document;
  readonly diagnostics: readonly Diagnostic[];
  readonly typeAt: (offset: number) => TypeAnswer | undefined;
  /** Where the name at an offset is bound; in the library too. */
  readonly definitionAt: (offset: number) => Definition | undefined;
  /** Every place in the text that means the same as the name at an offset, its definition first. */
  readonly referencesTo: (offset: number) => readonly Span[];
  /** The same, and where comments state facts of it: what a renaming writes anew. */
  readonly renamedWith: (offset: number) => readonly Span[];
  readonly completionsAt: (offset: number) => readonly PlacedCompletion[];
  readonly signatureAt: (offset: number) => Signature | undefined;
  readonly symbols: () => readonly DocumentSymbol[];
  readonly folds: () => readonly Fold[];
  readonly highlights: () => readonly Highlight[];
  /** Shapes behind the steps of pipes between two offsets. */
  readonly inlays: (from?: number, to?: number) => readonly Inlay[];
  readonly callTree: () => CallTree;
}
export function query(text: string, { columns, earlier, ...options }: QueryOptions = {}): Queries {
  const document = openDocument(text, options, earlier?.document);
  const known = <T>(run: () => T): T => inside(document.elaborated().knowledge, run);
  return {
    document,
    get diagnostics() {
      return document.elaborated().diagnostics;
    },
    typeAt: (offset) => known(() => hoverAt(document, offset)),
    definitionAt: (offset) => definitionAt(document, offset),
    referencesTo: (offset) => {
      const definition = definitionAt(document, offset);
      return definition ? referencesTo(document, definition) : [];
    },
    renamedWith: (offset) => {
      const definition = definitionAt(document, offset);
      return definition ? [...referencesTo(document, definition), ...mentionsOf(document, definition)] : [];
    },
    completionsAt: (offset) => completionsAt(document, offset, columns),
    signatureAt: (offset) => signatureAt(document, offset),
    symbols: () => symbolsOf(document),
    folds: () => foldsOf(document),
    highlights: () => highlightsOf(document),
    inlays: (from, to) => inlaysOf(document, from, to),
    callTree: () =>
      known(() => {
        const { knowledge } = document.elaborated();
        return knowledge ? callTree(knowledge) : { calls: [], instances: [] };
      }),
  };
}
