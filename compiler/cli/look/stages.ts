// The stages of a compiled text as items that know where they come from. In: what the phases made. Out: sections of items with marks.
import type { SourceFile } from "../../../grammar/diagnostic.ts";
import type { CompileResult } from "../../compile.ts";
import type { Program } from "../../elaborate/program.ts";
import { kernelTexts, type KernelText } from "../../fuse/print.ts";
import { within } from "../../graph/compilation.ts";
import type { Place } from "../../graph/origin.ts";
import { nameNodes, printNode, updateText } from "../../graph/print.ts";
import type { GraphProgram } from "../../graph/types.ts";
import type { Step } from "../../kernel/graph.ts";
import type { KernelSpec } from "../../kernel/kernel.ts";
import type { Compiled } from "../../plan/unit.ts";
import { derivationLines } from "../../print/derivation.ts";
import { scheduleFacts } from "../../print/kernels.ts";
import { programsOf, sizeOf, type Command, type Plan } from "../../../runtime/plan.ts";
import { latexOf } from "./latex.ts";
import { Marks } from "./marks.ts";
import type { Item, Section, StageName, StageText } from "./types.ts";

export interface Made {
  readonly source: SourceFile;
  readonly program: Program;
  readonly plan: Plan;
  readonly programs: readonly Compiled[];
}
export function madeOf({ file, program, plan, programs }: CompileResult): Made | undefined {
  return program && plan ? { source: file.source, program, plan, programs } : undefined;
}
export function stageText(name: Exclude<StageName, "trainer">, made: Made): StageText {
  const marks = new Marks(made.source.name);
  const sections = within(made.program.compilation, () => makers[name](made, marks));
  const shown = sections.filter((s) => s.items.length);
  return { marks: marks.table, sections: shown, first: firstOf(name, made, shown) };
}
const makers: Readonly<Record<Exclude<StageName, "trainer">, (made: Made, marks: Marks) => readonly Section[]>> = {
  formulas,
  simplified,
  fused,
  schedule,
  wgsl,
};

/** What a step of training does. */
function firstOf(name: StageName, { plan, programs }: Made, sections: readonly Section[]): string {
  const step = plan.trains[0]?.step;
  if (name === "wgsl" && step) {
    const own = programs.find((p) => p.name === step.name);
    const costs = own?.lowered.map((l) => [sizeOf(l.kernel.flops), l.module] as const) ?? [];
    const module = costs.sort(([a], [b]) => b - a)[0]?.[1] ?? modulesIn(step.commands)[0];
    if (module !== undefined) return plan.modules[module]!.name;
  }
  return sections.find((s) => s.name === step?.name)?.name ?? sections[0]?.name ?? "";
}
const plain = (text: string): Item => ({ text, at: [], around: [] });
function formulas({ program }: Made, marks: Marks): readonly Section[] {
  return [
    ...program.trains.map((t) => ({
      name: t.name,
      items: derivationLines(t).map(({ text, node }) => ({
        text,
        ...marks.of([node?.span]),
        latex: latexOf(text),
      })),
    })),
    ...program.exports.map((x) => graphSection(x.program, marks, true)),
  ];
}
function simplified({ programs }: Made, marks: Marks): readonly Section[] {
  return programs.map((p) => graphSection(p.simplified, marks, false));
}
function graphSection(graph: GraphProgram, marks: Marks, hasLatex: boolean): Section {
  const { order, names } = nameNodes(graph);
  const lines = order.flatMap((node) =>
    printNode(node, names).map((line) => {
      const text = "  ".repeat(node.scans.size) + line;
      return { text, ...marks.of([node.span]), ...(hasLatex ? { latex: latexOf(line) } : {}) };
    }),
  );
  const ends = [
    ...graph.outputs.map(({ name, node }) => ({
      text: `output ${name} = ${names.node(node)}`,
      ...marks.of([node.span]),
    })),
    ...graph.updates.map((u) => ({ text: `update ${updateText(u, names)}`, ...marks.of([u.value.span]) })),
  ];
  return { name: graph.name, items: [...lines, ...ends] };
}
/** The kernels of a unit in their order, those of a joined launch one by one. */
export function specsOf(steps: readonly Step[]): readonly KernelSpec[] {
  return steps.flatMap((s) => (s.kind === "kernel" ? [s.spec] : specsOf(s.body)));
}
/** The launches of a unit in their order, with the places of all that each does. */
export function placesOfSteps(steps: readonly Step[]): readonly (readonly Place[])[] {
  return steps.flatMap((s) =>
    s.kind === "loop"
      ? placesOfSteps(s.body)
      : [s.kind === "kernel" ? placesOf(s.spec) : specsOf(s.body).flatMap(placesOf)],
  );
}
/** The same launches by name. */
export const namesOfSteps = (steps: readonly Step[]): readonly string[] =>
  steps.flatMap((s) =>
    s.kind === "loop"
      ? namesOfSteps(s.body)
      : [s.kind === "kernel" ? s.spec.name : (specsOf(s.body).at(-1)?.name ?? "")],
  );
export const placesOf = (spec: KernelSpec): readonly Place[] => spec.places ?? [];

function fused({ programs }: Made, marks: Marks): readonly Section[] {
  return programs.map(({ name, kernels }) => {
    const specs = specsOf(kernels.steps);
    const items = kernelTexts(kernels).map((k, i) => ({
      text: kernelText(k, i),
      ...marks.of(specs[i] ? placesOf(specs[i]) : []),
    }));
    return { name, items };
  });
}
function kernelText(k: KernelText, number: number): string {
  const around = [k.launch, k.loop.length ? `loop over ${k.loop.join(", ")}` : ""].filter(Boolean).join(": ");
  return [
    `${number}  ${k.name}${k.domain.length ? `  for ${k.domain.join(", ")}` : ""}${around ? `  (${around})` : ""}`,
    ...k.formulas.map((f) => `   ${f}`),
    ...k.folded.map((f) => `   folded in: ${f}`),
    `   reads ${k.reads.join(", ") || "nothing"}`,
    `   writes ${k.writes.join(", ")}`,
  ].join("\n");
}
function schedule({ programs, plan }: Made, marks: Marks): readonly Section[] {
  return programs.map((p) => {
    const facts = scheduleFacts(p, plan);
    const whole = plain("One launch of one workgroup does all the fused kernels, many steps over.");
    const items = facts.map((f, i) => ({
      text: [
        `${i}  ${f.module}`,
        `   ${f.workgroups}, ${f.flops} flops`,
        `   ${f.schedule}`,
        ...(f.inside ?? []).map((line) => `   ${line}`),
      ].join("\n"),
      ...marks.of(placesOf(p.lowered[i]!.step.spec)),
    }));
    return { name: p.name, items: items.length ? items : p.kernels.steps.length ? [whole] : [] };
  });
}
/** A section for each module: its own lines belong to all that its kernels do. */
function wgsl({ programs, plan }: Made, marks: Marks): readonly Section[] {
  const places = placesOfModules(plan, programs);
  return plan.modules.map((m, i) => ({
    name: m.name,
    items: [{ text: (m.code ?? "").trimEnd(), ...marks.of(places.get(i) ?? []) }],
  }));
}
export function placesOfModules(plan: Plan, programs: readonly Compiled[]): ReadonlyMap<number, readonly Place[]> {
  const found = new Map<number, Place[]>();
  const add = (module: number, places: readonly Place[]): void =>
    void found.set(module, [...(found.get(module) ?? []), ...places]);
  for (const p of programs) {
    for (const l of p.lowered) add(l.module, placesOf(l.step.spec));
    const own = programsOf(plan).find((x) => x.name === p.name);
    if (p.lowered.length || !own) continue;
    for (const module of modulesIn(own.commands)) add(module, specsOf(p.kernels.steps).flatMap(placesOf));
  }
  return found;
}
const modulesIn = (commands: readonly Command[]): readonly number[] =>
  commands.flatMap((c) => (c.kind === "loop" ? modulesIn(c.body) : c.kind === "dispatch" ? [c.module] : []));
