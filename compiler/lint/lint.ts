// What is right by the rules but looks wrong. In: a Program without errors, its text. Out: warnings and hints DLM25xx, each from a file of this folder.
// A loss that is no single number (DLM2018) and data whose range is wider than a table (DLM2010) are errors, and not repeated here.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { summaryOf } from "../elaborate/builtins/table.ts";
import type { Program } from "../elaborate/program.ts";
import type { Steps } from "../elaborate/steps.ts";
import { namedFunctions } from "../scalar/table.ts";
import { libraryDeclarations } from "../std/declarations.ts";
import { factsOf, type Facts } from "../std/facts.ts";
import { channelsFirst } from "./channels-first.ts";
import { constantMatrices } from "./constant-matrices.ts";
import { dimsUsedOnce } from "./dims-used-once.ts";
import { doubledSoftmax } from "./doubled-softmax.ts";
import { droppedOutput } from "./dropped-output.ts";
import type { Lint, Linted } from "./finding.ts";
import { flatParameters } from "./flat-parameters.ts";
import { largeRates } from "./large-rates.ts";
import { smallSlopes } from "./small-slopes.ts";
import { unboundedSlopes } from "./unbounded-slopes.ts";
import { unusedFields } from "./unused-fields.ts";
import { unusedParameters } from "./unused-parameters.ts";

const lints: readonly Lint[] = [
  unusedParameters,
  flatParameters,
  dimsUsedOnce,
  constantMatrices,
  doubledSoftmax,
  unboundedSlopes,
  smallSlopes,
  unusedFields,
  droppedOutput,
  largeRates,
  channelsFirst,
];

/** `imported`: the files whose declarations the main file sees. A step is a lint. */
export function* linting(program: Program, file: ast.File, imported: readonly ast.File[] = []): Steps<Diagnostic[]> {
  const items = new Map<string, ast.Item>();
  for (const i of [file, ...imported].flatMap((f) => f.items))
    if (i.kind !== "import" && !items.has(i.name.text)) items.set(i.name.text, i);
  const declaration = (name: string): ast.Item | undefined =>
    items.get(name) ?? libraryDeclarations.find((d) => d.name === name)?.item();
  const known = new Map<string, Facts>();
  const linted: Linted = {
    program,
    file,
    imported,
    declaration,
    facts: (name) => {
      const doc = (): string | undefined =>
        declaration(name)?.doc ?? namedFunctions.get(name)?.summary ?? summaryOf(name);
      const found = known.get(name) ?? factsOf(doc());
      known.set(name, found);
      return found;
    },
  };
  const found = new Map<string, Diagnostic>();
  for (const { code, severity, check } of lints) {
    for (const finding of check(linted)) {
      const key = `${code} ${finding.span.start} ${finding.span.end}`;
      if (!found.has(key)) found.set(key, { code, severity, ...finding });
    }
    yield;
  }
  return [...found.values()];
}
