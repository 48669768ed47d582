// Whole checkpoints of a run while it goes on. They are taken by time, less often where they would cost more than about 1 % of it, and by steps where that
// is asked for; only of states whose numbers are finite, so the last one is what a run that fails can go on from.
import type { TrainOptions } from "./api.ts";
import type { PlanTrain } from "./plan.ts";
import { readSafetensors } from "./safetensors.ts";
import { writeCheckpoint } from "./session.ts";
import type { Session } from "./session.ts";

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
  /** Steps until the next one that is due by steps. */
  get stepsLeft(): number {
    const every = this.asked?.steps;
    return every ? every - (this.step % every) : Infinity;
  }
  get isDue(): boolean {
    if (!this.asked || this.step === this.lastStep) return false;
    const { steps } = this.asked;
    return (steps && this.step % steps === 0) || performance.now() - this.last >= 1000 * this.interval;
  }
  /** All steps that were submitted are done. */
  async take(): Promise<void> {
    const began = performance.now();
    const bytes = await writeCheckpoint(this.session, false);
    if (areFinite(bytes)) {
      this.newest = bytes;
      await this.asked!.take({ train: this.block.name, step: this.step, bytes });
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
    if (dtype === "F32" && !new Float32Array(bytes.slice().buffer).every(Number.isFinite)) return false;
  return true;
}
