// What a run keeps while it goes on: checkpoints by time, by steps or by epochs, and the last good state when it fails.
// In: snapshots of training, how often the model or a flag wants one.   Out: files, through a function of the caller's.
import type { Model, Snapshot, TrainOptions } from "./api.ts";
import type { Often, Plan } from "./plan.ts";

/** What is asked of a run from outside; what is not given is as the train block says, or as usual. */
export interface Keeping {
  readonly often?: Often | undefined;
  readonly keep?: number | undefined; // checkpoints
}
const usual = { often: { seconds: 300 }, keep: 3 } as const;

/** `5m`, `30s`, `2h`, `1000` or `1000 steps`, `2 epochs`, `off`; undefined for other texts. */
export function oftenOf(text: string): Often | undefined {
  if (text.trim() === "off") return "off";
  const [, count, unit = "step"] = /^\s*(\d+(?:\.\d+)?)\s*(s|m|h|steps?|epochs?)?\s*$/.exec(text) ?? [];
  const value = Number(count);
  if (!(value > 0)) return undefined;
  const seconds = { s: 1, m: 60, h: 3600 }[unit];
  if (seconds !== undefined) return { seconds: value * seconds };
  if (!Number.isSafeInteger(value)) return undefined;
  return unit.startsWith("step") ? { steps: value } : { epochs: value };
}

export class Keeper {
  /** The step that the file holds. */
  savedStep: number | undefined;
  private readonly put: (bytes: Uint8Array, keep: number) => void;
  private readonly plan: Plan;
  private readonly asked: Keeping;
  private readonly failed: (error: unknown) => void;
  private latest: Snapshot | undefined; // not in the file yet
  private savedAt = performance.now();

  /**
   * `put` writes the checkpoint; the file that was there becomes an elder where `keep`, the number of files in all, is more than 1. Where it throws while
   * training goes on, `failed` is told, and it is tried again at the next one: a full disk is not worth the run.
   */
  constructor(
    put: (bytes: Uint8Array, keep: number) => void,
    plan: Plan,
    asked: Keeping,
    failed: (error: unknown) => void,
  ) {
    this.put = put;
    this.plan = plan;
    this.asked = asked;
    this.failed = failed;
  }
  /** For training this block. */
  snapshotsOf(train: string): NonNullable<TrainOptions["snapshots"]> {
    const { often } = this.rules(train);
    return {
      ...(often === "off" ? {} : "seconds" in often ? { seconds: Math.min(10, often.seconds) } : often),
      take: (snapshot) => {
        this.latest = snapshot;
        if (!this.isDue(snapshot, often)) return;
        try {
          this.write(snapshot);
        } catch (error) {
          this.savedAt = performance.now(); // not again at every snapshot
          this.failed(error);
        }
      },
    };
  }
  /** The state as it is now, which is good; `train` is the block that came to it, if any. Returns the bytes written. */
  async save(model: Model, train: string | undefined): Promise<number> {
    const bytes = await model.checkpoint();
    const step = train === undefined ? 0 : model.step(train);
    this.write({ train: train ?? "", step, bytes, regular: false });
    return bytes.length;
  }
  /** After a failure: the last good state, if it is not in the file. True where the file holds something of this run. */
  rescue(): boolean {
    if (this.latest) this.write(this.latest);
    return this.savedStep !== undefined;
  }

  private rules(train: string): { readonly often: Often; readonly keep: number } {
    const block = this.plan.trains.find((t) => t.name === train);
    return {
      often: this.asked.often ?? block?.checkpoint ?? usual.often,
      keep: this.asked.keep ?? block?.keep ?? usual.keep,
    };
  }
  private isDue({ regular }: Snapshot, often: Often): boolean {
    if (often === "off") return false;
    return "seconds" in often ? performance.now() - this.savedAt >= 1000 * often.seconds : regular;
  }
  private write({ train, step, bytes }: Snapshot): void {
    // the file of another run is replaced, as it would be at the end
    this.put(bytes, this.savedStep === undefined ? 1 : this.rules(train).keep);
    this.latest = undefined;
    this.savedStep = step;
    this.savedAt = performance.now();
  }
}
