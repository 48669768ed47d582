// A plan within so many bytes: launches of equal kernels apart, so that their tensors need not be there together, then values computed again instead of
// being kept, and evaluations of fewer rows at a time. In: a model for a target with its plan, and a budget. Out: a plan that keeps to it, or what is in
// the way.
import type { Diagnostic, Span } from "../../grammar/diagnostic.ts";
import type { Plan } from "../../runtime/plan.ts";
import { shapeText } from "../graph/print.ts";
import type { Node } from "../graph/types.ts";
import type { View } from "../kernel/graph.ts";
import { byteText } from "../kernel/sizes.ts";
import type { Target } from "../kernel/target.ts";
import type { FusedUnit, Trade } from "../programs/fuse.ts";
import type { LoweredModel } from "../programs/lower.ts";
import { computeAgain, type Room } from "./again.ts";
import { bytesOfShape } from "./buffers.ts";
import { overMemory, type Kept } from "./errors.ts";
import type { Planned } from "./plan.ts";
import { share } from "./share.ts";

export interface ToFit {
  readonly planned: Planned;
  readonly apart: readonly FusedUnit[]; // before equal kernels became one launch
  readonly views: ReadonlyMap<Node, View>;
  readonly target: Target;
  readonly whole: Span;
  readonly lower: (units: readonly FusedUnit[]) => LoweredModel;
  /** `chunk`: bytes of the largest value in a chunk of an evaluation. */
  readonly plan: (lowered: LoweredModel, chunk: number | undefined) => Planned;
}
/** What a budget came to. */
export interface MemoryFit {
  readonly budget: number; // Infinity: none, as little as little brings
  readonly bytes: readonly [before: number, after: number]; // of the plan
  readonly trades: readonly (Trade & { readonly name: string })[]; // of units in which anything changed
}
export interface Fit {
  readonly planned: Planned;
  readonly memory: MemoryFit;
  readonly diagnostics: readonly Diagnostic[];
}
/** With the numbers that kernels share. */
const bytesOf = (planned: Planned, target: Target): number => bytesOfPlan(share(planned, target).plan);
/** Bytes of all buffers whose size is known. */
export const bytesOfPlan = ({ buffers }: Plan): number =>
  buffers.reduce((sum, b) => sum + (typeof b.bytes === "number" ? b.bytes : 0), 0);

const mostTries = 5;
const leastChunk = 1024;

export function fit(model: ToFit, memory: Room): Fit {
  const { planned } = model;
  const before = bytesOf(planned, model.target);
  const done = (made: Tried, diagnostics: readonly Diagnostic[] = []): Fit => ({
    planned: made.planned,
    memory: { budget: memory === "auto" ? Infinity : memory, bytes: [before, made.bytes], trades: made.trades },
    diagnostics,
  });
  const asIs: Tried = { planned, bytes: before, trades: [], reached: 0, peak: [] };
  if (memory === "auto") {
    const made = tried(model, "auto", Infinity);
    return done(made.bytes < before ? made : asIs);
  }
  if (before <= memory) return done(asIs);
  let least = asIs;
  let room = Math.max(0, memory - (before - planned.pool));
  for (let k = 1; ; k++) {
    const made = tried(model, room, memory);
    if (made.bytes < least.bytes || !least.peak.length) least = made;
    if (made.bytes <= memory) return done(made);
    if (room === 0 || made.reached > room) break;
    // parts of reductions, evaluations and the slots of other units are in no step's room; 0: as little as there is
    room = k < mostTries ? Math.max(0, room - (made.bytes - memory)) : 0;
  }
  return done(least, [overMemory(model.whole, factsOf(least, memory))]);
}

interface Tried {
  readonly planned: Planned;
  readonly bytes: number;
  readonly trades: MemoryFit["trades"];
  readonly reached: number; // bytes of the unit that takes most ...
  readonly peak: readonly Node[]; // ... and of what
}
function tried({ apart, views, target, lower, plan }: ToFit, room: Room, memory: number): Tried {
  const trades: (Trade & { readonly name: string })[] = [];
  let [peak, most]: [readonly Node[], number] = [[], -1];
  const fitted = apart.map((u): FusedUnit => {
    if (u.oneLaunch) return u;
    const made = computeAgain(u.kernels, views, room, target.storageBuffers);
    if (made.trade.bytes[1] > most) [peak, most] = [made.peak, made.trade.bytes[1]];
    if (made.trade.bytes[1] < made.trade.bytes[0]) trades.push({ ...made.trade, name: u.graph.name });
    return { ...u, kernels: made.kernels, trade: made.trade };
  });
  const lowered = lower(fitted);
  let planned = plan(lowered, undefined);
  let bytes = bytesOf(planned, target);
  const largest = Math.max(leastChunk, Math.min(memory, planned.pool) / 2);
  for (let chunk = largest; bytes > memory; chunk = Math.max(leastChunk, chunk / 2)) {
    const smaller = plan(lowered, chunk);
    const now = bytesOf(smaller, target);
    if (now < bytes) [planned, bytes] = [smaller, now];
    if (chunk === leastChunk) break;
  }
  return { planned, bytes, trades, reached: most, peak };
}

const told = 6;
function factsOf({ bytes, peak, planned }: Tried, memory: number): Parameters<typeof overMemory>[1] {
  const tensors = peak.slice(0, told).map((x): Kept => {
    const size = bytesOfShape(x.shape, x.dtype);
    const { span: at } = x;
    const owner = at?.origin?.path ? ` of ${at.origin.path}` : "";
    return {
      text: `${at?.isDerivative ? "a derivative" : "a value"} ${x.dtype}${shapeText(x.shape)}${owner}, ${byteText(typeof size === "number" ? size : 0)}`,
      span: at?.file.library ? at.origin?.span : at,
    };
  });
  return { budget: byteText(memory), least: byteText(bytes), lasting: byteText(bytes - planned.pool), tensors };
}
