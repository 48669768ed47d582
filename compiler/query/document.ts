// A text with what is known of it, each thing made when it is first asked for. In: text, imports. Out: tokens, names and the tree at once; what elaboration
// knows when somebody wants types or diagnostics, which takes a hundred times as long.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { parse, type Comment } from "../../grammar/parser.ts";
import type { Lexed } from "../../grammar/tokens.ts";
import type { Knowledge } from "../elaborate/knowledge.ts";
import { resolveNames, type Names } from "../elaborate/names.ts";
import type { Steps } from "../elaborate/steps.ts";
import { defaultName, elaborateInSteps, type Elaborated, type FrontOptions } from "../front.ts";
import { within } from "../graph/compilation.ts";
import { libraryDeclarations } from "../std/declarations.ts";

export interface Document {
  readonly file: ast.File;
  readonly imported: () => void; // sees to it that what the text imports was asked for
  readonly comments: readonly Comment[];
  readonly names: Names;
  readonly lexed: () => Lexed;
  readonly elaborated: () => Known;
  /** A part of that, declaration by declaration until `isDue`; is all of it done? */
  readonly elaborateUntil: (isDue: () => boolean) => boolean;
  readonly isElaborated: () => boolean;
  /** What is known without new work: of this text, or else of an earlier one, whose places are others. */
  readonly nearest: () => Knowledge | undefined;
}
export interface Known {
  readonly diagnostics: readonly Diagnostic[];
  readonly knowledge: Knowledge | undefined;
}

export function openDocument(text: string, options: FrontOptions, earlier?: Document): Document {
  const parsed = once(() => parse({ name: options.name ?? defaultName, text }));
  const imported = once(() =>
    parsed().file.items.flatMap((i): ast.File[] => {
      const found = i.kind === "import" ? options.imports?.(i.path) : undefined;
      return i.kind === "import" && found !== undefined ? [parse({ name: i.path, text: found }).file] : [];
    }),
  );
  const names = once(() => resolveNames(parsed().file, imported(), libraryDeclarations));
  let steps: Steps<Elaborated> | undefined; // begun
  const elaborateUntil = (isDue: () => boolean): boolean => {
    steps ??= elaborateInSteps(parsed().file, { ...options, keep: true });
    while (!known) {
      const step = steps.next();
      if (step.done) {
        const { diagnostics, knowledge } = step.value;
        before = undefined;
        known = { diagnostics: [...parsed().diagnostics, ...diagnostics], knowledge };
      } else if (isDue()) return false;
    }
    return true;
  };
  let known: Known | undefined;
  let before = earlier?.nearest();
  return {
    get file() {
      return parsed().file;
    },
    get comments() {
      return parsed().comments;
    },
    imported: () => void imported(),
    get names() {
      return names();
    },
    lexed: () => parsed().lexed,
    elaborated: () => {
      elaborateUntil(() => false);
      return known!;
    },
    elaborateUntil,
    isElaborated: () => known !== undefined,
    nearest: () => known?.knowledge ?? before,
  };
}
/** Nodes belong to a compilation, which is entered for every look at them. */
export const inside = <T>(knowledge: Knowledge | undefined, run: () => T): T =>
  knowledge ? within(knowledge.compilation, run) : run();

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
