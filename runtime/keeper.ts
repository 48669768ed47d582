// What a run keeps while it goes on: checkpoints by time or by steps, and the last good state when it fails.
// In: snapshots of training.   Out: files, through a function of the caller's.
import type { Model, Snapshot, TrainOptions } from "./api.ts";

/** How often a checkpoint is written; undefined: only at the end. */
export type Often = { readonly seconds: number } | { readonly steps: number } | undefined;
export const usualOften: Often = { seconds: 300 };

export class Keeper {
  /** The step that the file holds. */
  savedStep: number | undefined;
  private readonly put: (bytes: Uint8Array, keep: number) => void;
  private readonly often: Often;
  private readonly keep: number;
  private readonly failed: (error: unknown) => void;
  private latest: Snapshot | undefined; // not in the file yet
  private savedAt = performance.now();

  /**
   * `put` writes the checkpoint; the file that was there becomes an elder where `keep`, the number of files in all, is more than 1. Where it throws while
   * training goes on, `failed` is told, and it is tried again at the next one: a full disk is not worth the run.
   */
  constructor(
    put: (bytes: Uint8Array, keep: number) => void,
    often: Often,
    keep: number,
    failed: (error: unknown) => void,
  ) {
    this.put = put;
    this.often = often;
    this.keep = keep;
    this.failed = failed;
  }
  get snapshots(): NonNullable<TrainOptions["snapshots"]> {
    const { often } = this;
    return {
      ...(often && "steps" in often ? { steps: often.steps } : {}),
      ...(often && "seconds" in often ? { seconds: Math.min(10, often.seconds) } : {}),
      take: (snapshot) => {
        this.latest = snapshot;
        if (!this.isDue(snapshot)) return;
        try {
          this.write(snapshot);
        } catch (error) {
          this.savedAt = performance.now(); // not again at every snapshot
          this.failed(error);
        }
      },
    };
  }
  /** The state as it is now, which is good. Returns the bytes written. */
  async save(model: Model, step: number): Promise<number> {
    const bytes = await model.checkpoint();
    this.write({ train: "", step, bytes });
    return bytes.length;
  }
  /** After a failure: the last good state, if it is not in the file. True where the file holds something of this run. */
  rescue(): boolean {
    if (this.latest) this.write(this.latest);
    return this.savedStep !== undefined;
  }

  private isDue({ step }: Snapshot): boolean {
    const { often } = this;
    if (!often) return false;
    return "steps" in often ? step % often.steps === 0 : performance.now() - this.savedAt >= 1000 * often.seconds;
  }
  private write({ step, bytes }: Snapshot): void {
    // the file of another run is replaced, as it would be at the end
    this.put(bytes, this.savedStep === undefined ? 1 : this.keep);
    this.latest = undefined;
    this.savedStep = step;
    this.savedAt = performance.now();
  }
}
