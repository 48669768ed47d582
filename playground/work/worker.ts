// The compiler beside the page: answers questions about the document that was opened last, and computes nothing that is not asked for.
// In: Requests. Out: Answers.
import { compileFor } from "../../compiler/compile.ts";
import { rowsOfWholeBatches } from "../../compiler/cli/rows.ts";
import { artifactTexts } from "../../compiler/cli/artifact-texts.ts";
import { trainerModule } from "../../compiler/cli/trainer.ts";
import { indexText } from "../../compiler/print/shaders.ts";
import { query, type Queries } from "../../compiler/query/query.ts";
import type { CompileOptions, CompileResult } from "../../compiler/compile.ts";
import { targets as known, type Target } from "../../compiler/kernel/target.ts";
import type { Plan } from "../../runtime/plan.ts";
import { costsOf, drawnGraph, timelineOf } from "../../compiler/cli/look/drawn.ts";
import { checkedOf, hoverOf, suggestionsOf } from "../../compiler/cli/look/front.ts";
import { filesAt } from "./files.ts";
import { pathFrom } from "./paths.ts";
import type { Checked, Compiled } from "../../compiler/cli/look/types.ts";
import type { Answer, Document, Questions, Request, TrainerTexts } from "./protocol.ts";
import { madeOf, stageText, type Made } from "../../compiler/cli/look/stages.ts";

let document: Document = { text: "", name: "model.dlm", texts: {}, data: "", files: {}, target: "software" };
let queries: { readonly of: Queries; readonly milliseconds: number } | undefined;
let earlier: Queries | undefined; // of a text before: its types serve completions until this one is elaborated
let rows: Promise<Readonly<Record<string, number>>> | undefined;
let compiled: Promise<{ readonly made: Made | undefined; readonly milliseconds: number }> | undefined;

function open(next: Document): void {
  document = next;
  queries = rows = compiled = undefined;
}
/** What a path in a file stands for. */
const importsOf =
  (file: string) =>
  (path: string): string | undefined => {
    const { name, text, texts } = document;
    const wanted = pathFrom(file, path);
    return wanted === name ? text : Object.hasOwn(texts, wanted) ? texts[wanted] : undefined;
  };
/** Of the text that is edited. */
async function queried(): Promise<{ readonly of: Queries; readonly milliseconds: number }> {
  const { name, text, texts, shown } = document;
  const file = shown ?? name;
  const rows = shown === undefined ? await rowsOf().catch(() => anyRows) : anyRows;
  if (queries) return queries;
  const began = performance.now();
  const known = earlier?.document.file.source.name === file ? earlier : undefined;
  const own = shown === undefined ? text : (texts[shown] ?? "");
  const of = query(own, { name: file, rows, earlier: known, imports: importsOf(file) });
  void of.diagnostics; // elaborated when it is asked for
  earlier = of;
  queries = { of, milliseconds: performance.now() - began };
  return queries;
}
/** What is wrong and called in the text that is edited; where that is not the model, also how many errors the model has with it. */
async function checked(): Promise<Checked> {
  const { name, text, shown } = document;
  const { of, milliseconds } = await queried();
  const own = checkedOf(of, shown ?? name, milliseconds);
  if (shown === undefined) return own;
  const model = query(text, { name, rows: await rowsOf().catch(() => anyRows), imports: importsOf(name) });
  const { calls, problems } = checkedOf(model, name, milliseconds);
  const others = model.diagnostics.filter((d) => d.severity === "error" && d.span.file.name !== shown).length;
  return { ...own, calls, elsewhere: others && problems.length ? others : 0 };
}
/** Where a file is not there, how many rows it has is no matter of what is wrong with the text. */
const anyRows = new Proxy<Record<string, number>>({}, { get: () => 64 });
const rowsOf = (): Promise<Readonly<Record<string, number>>> =>
  (rows ??= rowsOfWholeBatches(
    document.text,
    { name: document.name, imports: importsOf(document.name) },
    filesAt(document),
  ));
async function results(
  targets: readonly (string | Target)[],
  more: Pick<CompileOptions, "watchLayers" | "alternatives"> = {},
): Promise<readonly CompileResult[]> {
  const { text, name } = document;
  return compileFor(text, targets, { name, rows: await rowsOf(), imports: importsOf(name), views: true, ...more });
}
async function make(): Promise<{ readonly made: Made | undefined; readonly milliseconds: number }> {
  await rowsOf();
  const began = performance.now();
  const [first] = await results([document.target]);
  return { made: first && madeOf(first), milliseconds: performance.now() - began };
}
const making = (): ReturnType<typeof make> => (compiled ??= make());
async function made(): Promise<Made> {
  const { made: found } = await making();
  if (!found) throw new Error("the text does not compile");
  return found;
}
async function plansFor(...asked: Parameters<typeof results>): Promise<readonly CompileResult[]> {
  const found = await results(...asked);
  if (found.some((r) => !r.plan)) throw new Error("the text does not compile");
  return found;
}
async function compiledNow(): Promise<Compiled> {
  const { made: found, milliseconds } = await making();
  return { ok: found !== undefined, milliseconds, ...(found ? { costs: costsOf(found) } : {}) };
}
const classes = ["software", "integrated", "discrete"] as const;
/** What `dlm compile --with-data` writes. */
async function artifact(parts: TrainerTexts): Promise<ReadonlyMap<string, string | Uint8Array>> {
  const found = await plansFor(classes);
  const moved = new Map<string, string>();
  const [first, ...others] = found.map((r) => withDataBeside(r.plan!, moved));
  const programs = new Map(found.map((r) => [r.plan!.target, r.programs]));
  const index = (plan: Plan): string => indexText(plan, programs.get(plan.target)!);
  const files = new Map<string, string | Uint8Array>(
    artifactTexts([first!, ...others], ".", { ...parts, tuner: "" }, { index }),
  );
  for (const [from, to] of moved) {
    const bytes = await Promise.resolve(filesAt(document).read?.(from)).catch(() => undefined);
    if (bytes) files.set(to, bytes); // else its user has to put it there
  }
  return files;
}
/** Data files lie in the artifact's own folder. */
function withDataBeside(plan: Plan, moved: Map<string, string>): Plan {
  const place = (path: string): string => {
    const to = path.replace(/^(\.\.?\/)+/, "");
    moved.set(path, to);
    return to;
  };
  const datasets = plan.datasets.map((d) => ({
    ...d,
    columns: d.columns.map((c) =>
      "path" in c.loader ? { ...c, loader: { ...c.loader, path: place(c.loader.path) } } : c,
    ),
  }));
  return { ...plan, datasets };
}
/** Without the runtime, which is the same for every model. */
function trainerText(plan: Plan): string {
  const elsewhere = {
    runtime: "theRuntime",
    node: "theRuntimeInNode",
    tuner: "theTuner",
    types: "",
    page: { html: "", css: "", js: "", mjs: "", svg: "" },
  };
  return trainerModule([plan], { data: "." }, elsewhere);
}

type Answers = {
  readonly [K in keyof Questions]: (
    about: Questions[K]["give"],
  ) => Questions[K]["take"] | Promise<Questions[K]["take"]>;
};
const answers: Answers = {
  check: checked,
  hover: async (offset) => hoverOf((await queried()).of, offset),
  definition: async (offset) => {
    const { of } = await queried();
    const span = of.definitionAt(offset)?.span;
    if (!span || span.file.library) return undefined;
    const from = of.document.file.source.name;
    const path = span.file === of.document.file.source ? from : pathFrom(from, span.file.name);
    return { path, start: span.start, end: span.end };
  },
  references: async (offset) => {
    const { of } = await queried();
    const isHere = of.definitionAt(offset)?.span.file === of.document.file.source; // else other files would have to change
    return isHere ? of.renamedWith(offset).map((s) => [s.start, s.end] as const) : [];
  },
  complete: async (offset) => suggestionsOf((await queried()).of, offset),
  signature: async (offset) => (await queried()).of.signatureAt(offset),
  format: async () =>
    (await import("../../compiler/format/format.ts")).format(
      document.shown === undefined ? document.text : (document.texts[document.shown] ?? ""),
    ),
  compile: compiledNow,
  stage: async (name) => {
    const found = await made();
    if (name !== "trainer") return stageText(name, found);
    return {
      marks: [],
      first: "trainer.mjs",
      sections: [{ name: "trainer.mjs", items: [{ text: trainerText(found.plan), at: [], around: [] }] }],
    };
  },
  graph: async () => drawnGraph(await made()),
  timeline: async () => timelineOf(await made()),
  plans: async ({ targets, watch, apart }) => {
    const wanted = apart ? targets.map((name) => ({ ...known[name]!, apart: true as const })) : targets;
    const more = { watchLayers: watch, ...(apart ? {} : { alternatives: {} }) };
    return (await plansFor(wanted, more)).map((r) => r.plan!);
  },
  artifact,
};
async function answer({ number, ask, about }: Extract<Request, { ask: unknown }>): Promise<void> {
  const tell = (said: Answer): void => postMessage(said);
  try {
    const run = answers[ask] as (about: unknown) => unknown; // what belongs to which question is in the type of Questions
    tell({ number, answer: await run(about) });
  } catch (error) {
    tell({ number, fault: faultOf(error) });
  }
}
/** In words where the program has them; else with where it happened, for it is a fault of the compiler. */
function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === "RuntimeProblem" ? error.message : (error.stack ?? error.message);
}
addEventListener("message", ({ data }: MessageEvent<Request>) => {
  if ("open" in data) open(data.open);
  else void answer(data);
});
