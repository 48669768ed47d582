// What the page and its worker say to one another. In: a document and questions. Out: answers as plain data, with places of the text.
import type {
  Checked,
  Compiled,
  DrawnGraph,
  Hover,
  StageName,
  StageText,
  Suggestion,
  Timeline,
} from "../../compiler/cli/look/types.ts";
import type { Signature } from "../../compiler/query/signatures.ts";
import type { Plan } from "../../runtime/plan.ts";

/** The model's files by their paths from its folder; the others are those that it imports. */
export type Texts = Readonly<Record<string, string>>;
/** The model's text, under which name, what it imports, and where its data are. */
export interface Document {
  readonly text: string;
  readonly name: string;
  readonly texts: Texts; // of the files beside it
  readonly shown?: string; // the one of these that is edited, and asked about; else the model itself
  readonly data: string; // an address
  readonly files: Readonly<Record<string, Uint8Array>>; // that the visitor gave
  readonly target: string;
}
export interface FilePlace {
  readonly path: string; // of the model, or a file beside it
  readonly start: number;
  readonly end: number;
}
/** Questions about the document that was opened last. */
export interface Questions {
  readonly check: { readonly give: undefined; readonly take: Checked };
  readonly hover: { readonly give: number; readonly take: Hover | undefined };
  readonly definition: { readonly give: number; readonly take: FilePlace | undefined };
  readonly references: { readonly give: number; readonly take: readonly (readonly [number, number])[] };
  readonly complete: { readonly give: number; readonly take: readonly Suggestion[] };
  readonly signature: { readonly give: number; readonly take: Signature | undefined };
  readonly format: { readonly give: undefined; readonly take: string };
  readonly compile: { readonly give: undefined; readonly take: Compiled };
  readonly stage: { readonly give: StageName; readonly take: StageText };
  readonly graph: { readonly give: undefined; readonly take: DrawnGraph };
  readonly timeline: { readonly give: undefined; readonly take: Timeline };
  /** For these targets, with alternatives to their kernels; `watch`: with numbers of every layer; `apart`: every kernel is a launch of its own. */
  readonly plans: {
    readonly give: { readonly targets: readonly string[]; readonly watch: boolean; readonly apart?: boolean };
    readonly take: readonly Plan[];
  };
  readonly artifact: { readonly give: TrainerTexts; readonly take: ReadonlyMap<string, string | Uint8Array> };
}
export interface TrainerTexts {
  readonly runtime: string;
  readonly node: string;
  readonly types: string;
  readonly page: Readonly<Record<"html" | "css" | "js" | "mjs" | "svg", string>>;
}
export type Request =
  { readonly open: Document } | { readonly number: number; readonly ask: keyof Questions; readonly about: unknown };
export type Answer =
  { readonly number: number; readonly answer: unknown } | { readonly number: number; readonly fault: string };
