// The compiler, phase by phase: from text to plan. Each phase reads what those above it made and adds to it; checks of the verifier, times and
// the stages of `dlm inspect` are loops over this list.
import type * as ast from "../grammar/ast.ts";
import { InternalError, type Diagnostic, type Span } from "../grammar/diagnostic.ts";
import type { Plan, Storage } from "../runtime/plan.ts";
import { Fault } from "./elaborate/errors.ts";
import type { Program } from "./elaborate/program.ts";
import { defaultName, elaborateFile, parseText, type FrontOptions, type Parsed } from "./front.ts";
import { within } from "./graph/compilation.ts";
import type { Node } from "./graph/types.ts";
import { verify } from "./graph/verify.ts";
import type { Layout } from "./kernel/layout.ts";
import type { Target } from "./kernel/target.ts";
import { withAlternatives, type AlternativesWanted } from "./plan/alternatives.ts";
import { fit, type Fit, type MemoryFit } from "./plan/fit.ts";
import { makePlan, type Planned } from "./plan/plan.ts";
import { share } from "./plan/share.ts";
import type { Compiled } from "./plan/unit.ts";
import { verifyPlan } from "./plan/verify.ts";
import { astParts } from "./print/ast.ts";
import { backwardParts, forwardParts, simplifiedParts } from "./print/graphs.ts";
import { fusedParts, scheduleParts } from "./print/kernels.ts";
import { memoryParts, planParts, wgslParts } from "./print/plan.ts";
import { programParts } from "./print/program.ts";
import type { Part } from "./print/part.ts";
import type { Room } from "./plan/again.ts";
import { batchUnits } from "./programs/batch.ts";
import { besideUnits, verifyBeside } from "./programs/beside.ts";
import { chainedUnits } from "./programs/chains.ts";
import { flattenUnits, type FlatModel } from "./programs/flatten.ts";
import { fuseUnits, type FusedUnit } from "./programs/fuse.ts";
import { rowwiseUnits } from "./programs/rowwise.ts";
import { layoutOf, storageOf } from "./programs/layout.ts";
import { lowerUnits, type LoweredModel, type Tuned } from "./programs/lower.ts";
import { sortedUnits } from "./programs/sorted.ts";
import { narrowed, simplified, unitsOf, type Unit } from "./programs/units.ts";
import { version } from "./version.ts";

export const phases: readonly Phase[] = [
  phase({
    name: "parse",
    reads: [],
    run: ({ text, options }) => parseText(text, options),
    print: [{ stage: "ast", parts: ({ file }) => astParts(file) }],
  }),
  phase({
    name: "elaborate", // and differentiate: a train block's step is one graph with its gradients and updates
    reads: ["file"],
    run: ({ file, options }) => elaborateFile(file, options),
    verify: ({ program }) => program && verifyUnits({ units: unitsOf(program) }),
    print: [
      { stage: "program", parts: ({ program, plan }) => programParts(program, plan) },
      { stage: "forward", parts: ({ program }) => forwardParts(program) },
      { stage: "backward", parts: ({ program }) => backwardParts(program) },
    ],
  }),
  phase({
    name: "simplify",
    reads: ["program"],
    run: ({ program }) => ({ simple: simplified(unitsOf(program)) }),
    verify: ({ simple }) => verifyUnits({ units: simple }),
  }),
  phase({
    name: "sort", // sums whose places are data; from here on, what is made is made for a target
    reads: ["simple"],
    run: ({ simple, target }) => ({ units: sortedUnits(simple, target) }),
    verify: verifyUnits,
  }),
  phase({
    name: "narrow",
    reads: ["units"],
    run: ({ units, target }) => ({ units: narrowed(units, target) }),
    verify: verifyUnits,
  }),
  phase({
    name: "flatten",
    reads: ["program", "units"],
    run: ({ program, units, target }) => {
      const storage = storageOf(program);
      const layout = layoutOf(storage);
      const flat = flattenUnits(units, layout, target);
      return { storage, layout, flat, units: flat.units };
    },
    verify: verifyUnits,
    print: [{ stage: "simplified", parts: ({ programs }) => simplifiedParts(programs) }],
  }),
  phase({
    name: "fuse",
    reads: ["file", "flat"],
    run: ({ file, flat, target }) => ({ fused: fuseUnits(flat, placeOf(file), target) }),
    print: [{ stage: "fused", parts: ({ programs }) => fusedParts(programs) }],
  }),
  phase({
    name: "rowwise", // loops that are one launch
    reads: ["flat", "fused"],
    run: ({ flat, fused, target }) => ({ fused: rowwiseUnits(fused, flat.views, target) }),
  }),
  phase({
    name: "batch", // equal kernels that wait for none of each other
    reads: ["flat", "fused", "layout"],
    run: ({ flat, fused, layout, target }) => ({ apart: fused, fused: batchUnits(fused, flat.views, layout, target) }),
  }),
  phase({
    name: "chain", // kernels over the same rows that are one launch
    reads: ["flat", "fused"],
    run: ({ flat, fused, target }) => ({ fused: chainedUnits(fused, flat.views, target) }),
  }),
  phase({
    name: "beside", // kernels that wait for none of each other
    reads: ["flat", "fused"],
    run: ({ flat, fused, target }) => ({ flat, fused: besideUnits(fused, flat.views, target) }),
    verify: ({ flat, fused }) => verifyBeside(fused, flat.views),
  }),
  phase({
    name: "lower", // each kernel by the cheapest of its schedules
    reads: ["flat", "fused", "layout"],
    run: ({ flat, fused, layout, target, tuned }) => ({
      lowered: lowerUnits(fused, flat.dense, layout, target, tuned),
    }),
    print: [{ stage: "schedule", parts: ({ programs, plan }) => scheduleParts(programs, plan) }],
  }),
  phase({
    name: "plan",
    reads: ["program", "flat", "lowered", "storage"],
    run: (made) => ({ planned: planOf(made, made.lowered) }),
    verify: ({ planned }) => verifyPlan(planned.plan, planned.programs),
    print: [
      { stage: "plan", parts: ({ plan }) => planParts(plan) },
      { stage: "memory", parts: ({ programs, plan }) => memoryParts(programs, plan) },
    ],
  }),
  phase({
    name: "fit", // into a budget of memory, where there is one
    reads: ["file", "program", "flat", "apart", "layout", "storage", "planned"],
    run: (made): Partial<Fit> => {
      const { file, flat, apart, layout, target, planned, room, tuned } = made;
      if (room === undefined) return {};
      return fit(
        {
          ...{ planned, apart, target },
          views: flat.views,
          whole: placeOf(file),
          lower: (units) => lowerUnits(units, flat.dense, layout, target, tuned),
          plan: (lowered, chunk) => planOf(made, lowered, chunk),
        },
        room,
      );
    },
    verify: ({ planned }) => planned && verifyPlan(planned.plan, planned.programs),
  }),
  phase({
    name: "alternatives", // for devices that measure them, where they are asked for
    reads: ["layout", "planned"],
    run: ({ layout, planned, target, room, alternatives }): { readonly planned?: Planned } =>
      alternatives ? { planned: withAlternatives(planned, layout, target, alternatives, room !== undefined) } : {},
  }),
  phase({
    name: "share",
    reads: ["planned"],
    run: ({ planned, target }) => share(planned, target),
    verify: ({ plan, programs }) => verifyPlan(plan, programs),
    print: [{ stage: "wgsl", parts: ({ plan }) => wgslParts(plan) }],
  }),
];

function planOf(
  { program, flat, storage, text, options, target }: Input & Pick<Made, "program" | "flat" | "storage">,
  lowered: LoweredModel,
  chunk?: number,
): Planned {
  return makePlan(program, lowered, flat.views, storage, {
    ...{ name: options.name ?? defaultName, source: text, compiler: `dlm ${version}`, target, chunk },
  });
}

// ---------------------------------------------------------------- what a phase is

export interface Phase {
  readonly name: string;
  /** Is everything there that the phase reads? Behind an error some of it is not. */
  readonly canRun: (made: Input & Partial<Made>) => boolean;
  /** What the phase makes of what was made before it. `verify` throws an InternalError where that is unsound: the fault is ours. */
  readonly run: (made: Input & Partial<Made>) => { readonly out: Partial<Made> & Reports; readonly verify: () => void };
  readonly print: readonly Stage[];
}
export interface Input {
  readonly text: string;
  readonly options: FrontOptions;
  readonly target: Target;
  readonly tuned?: Tuned | undefined; // schedules that were measured
  readonly room?: Room | undefined; // bytes that the plan may take
  readonly alternatives?: AlternativesWanted | undefined; // of the dearest kernels of a step
}
export interface Reports {
  readonly diagnostics?: readonly Diagnostic[];
}
/** What the phases make, in their order. */
export interface Made extends Parsed {
  readonly program: Program;
  readonly simple: readonly Unit[]; // every graph that is run, for any target
  readonly units: readonly Unit[]; // the same as kernels of the target can have them
  readonly storage: ReadonlyMap<Node, Storage>;
  readonly layout: Layout;
  readonly flat: FlatModel;
  readonly fused: readonly FusedUnit[];
  readonly apart: readonly FusedUnit[]; // with a launch for each of equal kernels
  readonly lowered: LoweredModel;
  readonly planned: Planned;
  readonly memory: MemoryFit;
  readonly plan: Plan;
  readonly programs: readonly Compiled[];
}
/** A view of what was made: a stage of `dlm inspect`. */
export interface Stage {
  readonly stage: string;
  readonly parts: (made: Finished) => readonly Part[];
}
export type Finished = Pick<Made, "file" | "program" | "plan" | "programs">;

export interface PhaseOptions {
  readonly verify?: boolean; // default false: look for faults of the compiler after every phase
  readonly watch?: (phase: string) => void; // told after every phase
}
export type Result = Partial<Made> & Required<Reports>;
/** Everything that was made, up to the first error. Target-dependent faults of the text (a tensor too large to store) are errors too. */
export const runPhases = (input: Input, options: PhaseOptions = {}): Result => runOf(phases, input, [], options);
/** The same text for another target: what is made for any is taken from `made`. */
export function runForTarget(made: Result, input: Input, options: PhaseOptions = {}): Result {
  const { file, program, simple, diagnostics } = made;
  if (!file || !program || !simple || !made.plan || diagnostics.some(isError)) return made; // the text has errors
  const first = phases.findIndex((p) => p.name === "sort");
  return runOf(phases.slice(first), { ...input, file, program, simple }, diagnostics, options);
}
function runOf(
  phases: readonly Phase[],
  input: Input & Partial<Made>,
  known: readonly Diagnostic[],
  { verify = false, watch }: PhaseOptions,
): Result {
  let made = input;
  const diagnostics = [...known];
  const isBroken = (): boolean => diagnostics.some(isError);
  for (const phase of phases) {
    if (isBroken() && !phase.canRun(made)) break; // a text with syntax errors is elaborated, for what else is wrong with it
    try {
      const { out, verify: check } = phase.run(made);
      made = { ...made, ...out };
      diagnostics.push(...(out.diagnostics ?? []));
      if (verify && !isBroken()) check();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      diagnostics.push(error.diagnostic);
      break;
    }
    watch?.(phase.name);
  }
  return { ...made, diagnostics };
}
const isError = (d: Diagnostic): boolean => d.severity === "error";
/** What a stage of `dlm inspect` shows of a text without errors. */
export function partsOf(
  stage: string,
  made: { readonly [K in keyof Finished]: Finished[K] | undefined },
): readonly Part[] {
  const { file, program, plan, programs } = made;
  const found = phases.flatMap((p) => p.print).find((s) => s.stage === stage);
  if (!found) throw new RangeError(`there is no stage ${stage}`);
  if (!file || !program || !plan || !programs) return [];
  const inside = <T>(run: () => T): T => within(program.compilation, run);
  return inside(() => found.parts({ file, program, plan, programs })).map(({ name, text, json, dot }) => ({
    name,
    text: () => inside(text),
    json: () => inside(json),
    ...(dot ? { dot: () => inside(dot) } : {}),
  }));
}

function phase<K extends keyof Made, Out extends Partial<Made>>(of: {
  readonly name: string;
  readonly reads: readonly K[];
  readonly run: (made: Input & Pick<Made, K>) => Out & Reports;
  readonly verify?: (out: Out) => void;
  readonly print?: readonly Stage[];
}): Phase {
  return {
    name: of.name,
    print: of.print ?? [],
    canRun: (made) => has(made, of.reads),
    run: (made) => {
      if (!has(made, of.reads)) throw new InternalError(`pipeline: ${of.name} before ${of.reads.join(", ")}`);
      // everything behind the front end belongs to the program's compilation
      const inside = <T>(run: () => T): T => (made.program ? within(made.program.compilation, run) : run());
      const out = inside(() => of.run(made));
      return { out, verify: () => inside(() => of.verify?.(out)) };
    },
  };
}
const has = <T extends Partial<Made>, K extends keyof Made>(made: T, keys: readonly K[]): made is T & Pick<Made, K> =>
  keys.every((k) => made[k] !== undefined);
function verifyUnits({ units }: { readonly units: readonly Unit[] }): void {
  for (const u of units) verify(u.graph);
}
const placeOf = (file: ast.File): Span => ({ file: file.source, start: 0, end: 0 });
