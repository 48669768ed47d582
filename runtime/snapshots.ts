// Whole checkpoints of a run while it goes on. They are taken by time, less often where they would cost more than about 1 % of it, and by steps or epochs where
// that is asked for; only of states whose numbers are finite, so the last one is what a run that fails can go on from.
import type { TrainOptions } from "./api.ts";
import type { PlanTrain } from "./plan.ts";
import { readSafetensors } from "./safetensors.ts";
import { nextEpoch, trainingRows, writeCheckpoint } from "./session.ts";
import type { Session } from "./session.ts";
import { floatsOf } from "./tensor.ts";

const mostShare = 0.01; // of the time
const firstSeconds = 0.5; // the first ones come sooner than the others: a run that fails early has one too

export class Snapshots {
  private readonly session: Session;
  private readonly block: PlanTrain;
  private readonly asked: NonNullable<TrainOptions["snapshots"]> | undefined;
  newest: Uint8Array | undefined;
  private interval = 0; // seconds until the next
  private last = performance.now();
  private lastStep: number;

  constructor(s: Session, t: PlanTrain, asked: TrainOptions["snapshots"]) {
    this.session = s;
    this.block = t;
    this.asked = asked;
    this.lastStep = this.step;
  }
  private get step(): number {
    return this.session.states.get(this.block.name)!.step;
  }
  /** The next step after this one that is due by steps or epochs. */
  private dueAfter(step: number): number {
    const { steps = Infinity, epochs = Infinity } = this.asked ?? {};
    const bySteps = steps < Infinity ? (Math.floor(step / steps) + 1) * steps : Infinity;
    return Math.min(bySteps, nextEpoch(step, trainingRows(this.session, this.block).length, this.block, epochs));
  }
  /** Steps until the next one that is due by steps or epochs. */
  get stepsLeft(): number {
    return this.dueAfter(this.step) - this.step;
  }
  private get isRegular(): boolean {
    return this.step > 0 && this.dueAfter(this.step - 1) === this.step;
  }
  get isDue(): boolean {
    if (!this.asked || this.step === this.lastStep) return false;
    return this.isRegular || this.asked.wanted?.() || performance.now() - this.last >= 1000 * this.interval;
  }
  /** What a run that fails in its first steps goes back to. */
  async begin(): Promise<void> {
    if (!this.asked || (this.step && this.asked.seconds !== 0)) return; // else one is due soon
    const bytes = await writeCheckpoint(this.session, false);
    if (areFinite(bytes)) this.newest = bytes;
  }
  /** All steps that were submitted are done. */
  async take(): Promise<void> {
    const began = performance.now();
    const bytes = await writeCheckpoint(this.session, false);
    if (areFinite(bytes)) {
      this.newest = bytes;
      await this.asked!.take({ train: this.block.name, step: this.step, bytes, regular: this.isRegular });
    }
    this.last = performance.now();
    this.lastStep = this.step;
    const wanted = this.asked!.seconds ?? 10;
    this.interval = Math.max(
      Math.min(wanted, this.interval ? 2 * this.interval : firstSeconds),
      (this.last - began) / 1000 / mostShare,
    );
  }
}
function areFinite(checkpoint: Uint8Array): boolean {
  for (const { dtype, bytes } of readSafetensors(checkpoint).tensors.values())
    if (dtype === "F32" && !floatsOf(bytes).every(Number.isFinite)) return false;
  return true;
}
