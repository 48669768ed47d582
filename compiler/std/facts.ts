// Facts that declarations state about themselves: fixed sentences in their `##` comments, read by lints, by messages that suggest a name, and where
// a measured value needs a direction. The compiler knows no declaration by name; a user's own may state the same. Any other sentence is prose.
import type { SourceFile } from "../../grammar/diagnostic.ts";
import { libraryFiles } from "./library.ts";

/** Sentences without a variable part, by the fact that they state. */
const fixed = {
  lessIsBetter: "Less is better.",
  moreIsBetter: "More is better.",
  takesLogits: "Takes logits.", // its first input, where probabilities would be a mistake
  givesProbabilities: "Gives probabilities.",
  smallSlope: "Its slope is at most 1/4.",
  normalises: "Normalises its input.",
  dropsFeatures: "Drops features in training.",
  reshapes: "Changes the shape only.",
  channelsLast: "Takes channels last.", // its first input is [B, ..., C]
} as const;
export type Fact = keyof typeof fixed;

export interface Facts {
  readonly has: (fact: Fact) => boolean;
  /** `Less is better.` or `More is better.`; undefined where the comment says neither, or both. */
  readonly better: "min" | "max" | undefined;
  /** The most of `Usual rates: up to 0.05.` and `Usual rates: 1e-4 to 0.05.`, of its first parameter. */
  readonly usualRate: number | undefined;
  /** Of a schedule, the parameter that is its peak: `` Its largest value is `lr`. `` */
  readonly largest: string | undefined;
  /** Of a layer, the parameter whose result is its own: `` Applies `act` last. `` */
  readonly appliedLast: string | undefined;
  /** What other systems ask for, first and by these names, and the input says here: `` Its input says `in_features`. `` */
  readonly saidByInput: readonly string[];
  /** Arguments of other systems, and what is written instead: `` In place of `need_weights`: `return_weights`. `` */
  readonly inPlaceOf: ReadonlyMap<string, string>;
}
/** A sentence begins a line or follows another. */
const begin = String.raw`(?<=^|[.:] |\n)`;
const usualRates = new RegExp(`${begin}Usual rates: (?:up|\\d[\\d.e-]*) to (\\d[\\d.e-]*?)\\.(?=\\s|$)`);
const largest = new RegExp(`${begin}Its largest value is \`(\\w+)\`\\.`);
const appliedLast = new RegExp(`${begin}Applies \`(\\w+)\` last\\.`);
const saidByInput = new RegExp(`${begin}Its inputs? says? (\`\\w+\`(?:(?:, | and )\`\\w+\`)*)\\.`);
const inPlaceOf = new RegExp(`${begin}In place of (\`\\w+\`(?:(?:, | and )\`\\w+\`)*): (.+?)\\.(?=\\s|$)`, "g");
const quotedNames = (list: string): string[] => [...list.matchAll(/\w+(?=`)/g)].map(([name]) => name);
const alsoCalled = new RegExp(`${begin}(?:Also called|\`(\\w+)\` is also called) ([\\w, ]+)\\.`, "g");
const commonChoice = new RegExp(`${begin}A common choice: (.+?)\\.(?=\\s|$)`);

/** What the text of a `##` comment states. */
export function factsOf(doc = ""): Facts {
  const has = (fact: Fact): boolean => new RegExp(begin + fixed[fact].replace(/[.]/g, "\\.")).test(doc);
  const [less, more] = [has("lessIsBetter"), has("moreIsBetter")];
  const rate = usualRates.exec(doc)?.[1];
  return {
    has,
    better: less === more ? undefined : less ? "min" : "max",
    usualRate: rate === undefined ? undefined : Number(rate),
    largest: largest.exec(doc)?.[1],
    appliedLast: appliedLast.exec(doc)?.[1],
    saidByInput: quotedNames(saidByInput.exec(doc)?.[1] ?? ""),
    inPlaceOf: new Map(
      [...doc.matchAll(inPlaceOf)].flatMap(([, names, instead]) => quotedNames(names!).map((n) => [n, instead!])),
    ),
  };
}

/** A `##` comment and what it documents. */
const documented = /^((?:##.*\n)+)(?:export )?(fn|layer|model|init|optimizer) ([A-Za-z_]\w*)/gm;
interface Documented {
  readonly doc: string;
  readonly kind: string;
  readonly name: string;
}
const documentedIn = (text: string): Documented[] =>
  [...text.matchAll(documented)].map((m) => ({ doc: m[1]!.replace(/^## ?/gm, ""), kind: m[2]!, name: m[3]! }));

/** Names of other systems: for each, the declarations and parameters of this text that are called so elsewhere. */
function aliasesIn(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { doc, name } of documentedIn(text))
    for (const [, parameter, names] of doc.matchAll(alsoCalled))
      for (const alias of names!.split(/, | and /)) found.set(alias, [...(found.get(alias) ?? []), parameter ?? name]);
  return found;
}
let library: Map<string, string[]> | undefined; // a constant of the library's text, made when a name is first missed
const aliasesOf = new WeakMap<SourceFile, Map<string, string[]>>(); // constants of their files
/** What a name of another system stands for in the library and in a file of the user's. */
export function calledElsewhere(name: string, file: SourceFile): readonly string[] {
  library ??= aliasesIn(libraryFiles.map((f) => f.text).join("\n"));
  let own = aliasesOf.get(file);
  if (!own) aliasesOf.set(file, (own = aliasesIn(file.text)));
  return [...(own.get(name) ?? []), ...(library.get(name) ?? [])];
}
/** All that the library declares. */
export const libraryNames = (): string[] =>
  libraryFiles.flatMap((x) => [...x.text.matchAll(/^(?:fn|layer|init|optimizer) ([A-Za-z_]\w*)/gm)].map((m) => m[1]!));
/** For a loss of this name: the losses that take logits beside class numbers. */
export function lossesOfClasses(name: string): readonly string[] {
  const declared = libraryFiles.flatMap((x) => documentedIn(x.text).map((d) => ({ ...d, text: x.text })));
  const own = declared.find((d) => d.name === name);
  if (!own || !factsOf(own.doc).has("lessIsBetter")) return [];
  return declared.flatMap((d) =>
    factsOf(d.doc).has("takesLogits") && new RegExp(`^fn ${d.name}\\([^)]*: i32`, "m").test(d.text) ? [d.name] : [],
  );
}
/** Expressions that the library recommends, in its order: `A common choice: adam(lr: 1e-3).` in comments of this kind that state this fact. */
export function commonChoices(kind: "fn" | "layer" | "init" | "optimizer", fact?: Fact): string[] {
  return libraryFiles.flatMap((f) =>
    documentedIn(f.text).flatMap((d) => {
      const choice = commonChoice.exec(d.doc)?.[1];
      return d.kind === kind && choice && (!fact || factsOf(d.doc).has(fact)) ? [choice] : [];
    }),
  );
}
