// The checkpoints of a model that outlives its device: taken up, written, told of. In: a place for them, which may be another page's at the moment.
// Out: a model as its last checkpoint has it; events. Only one of those that have the same place open writes there.
import type { CheckpointStore, Model, TrainerEvent } from "./api.ts";
import { messageOf, RuntimeProblem } from "./problem.ts";

/** A place that several may have open at once. */
export interface SharedStore extends CheckpointStore {
  /** What was read last is of another text of the model. */
  readonly isOther?: boolean;
  /** Asks for the place, which stays one's own until it is given back. */
  readonly claim?: () => Claim;
}
export interface Claim {
  readonly granted: Promise<void>; // settles when nobody else has it
  readonly release: () => void;
}
const graceMilliseconds = 1000; // in which a page that is loaded anew, or a model that was closed, gives its place back

export class Kept {
  /** Are checkpoints written there? */
  isOwn: boolean;
  /** Settles when they are. */
  readonly granted: Promise<void>;
  private readonly store: SharedStore;
  private readonly claim: Claim | undefined;
  private isReleased = false;
  private readonly tell: (event: TrainerEvent) => void;

  constructor(store: SharedStore, tell: (event: TrainerEvent) => void) {
    this.store = store;
    this.tell = tell;
    this.claim = store.claim?.();
    this.isOwn = this.claim === undefined;
    this.granted = (this.claim?.granted ?? Promise.resolve()).then(() => void (this.isOwn = !this.isReleased));
  }
  /** Waits for the place for a moment, and tells when somebody else keeps it for longer. */
  async begin(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise((resolve) => (timer = setTimeout(resolve, graceMilliseconds)));
    await Promise.race([this.granted, patience]);
    clearTimeout(timer);
    if (!this.isOwn) this.tell({ kind: "elsewhere" });
  }
  /** What cannot be taken up is told, and the model stays as it is. */
  async takeUp(model: Model): Promise<void> {
    try {
      const bytes = await this.store.read();
      if (!bytes) return;
      await model.restore(bytes);
      const steps = Object.fromEntries(model.trains.map((name) => [name, model.step(name)]));
      this.tell({ kind: "resumed", steps, changed: this.store.isOther ?? false });
    } catch (error) {
      if (error instanceof RuntimeProblem && error.reason) throw error;
      this.tell({ kind: "not kept", message: `what was kept is passed over: ${messageOf(error)}` });
    }
  }
  async put(train: string, step: number, bytes: Uint8Array): Promise<void> {
    if (!this.isOwn) return;
    try {
      await this.store.write(bytes);
      this.tell({ kind: "kept", train, step, bytes: bytes.length });
    } catch (error) {
      this.tell({ kind: "not kept", message: messageOf(error) });
    }
  }
  async remove(): Promise<void> {
    if (this.isOwn) await this.store.remove();
  }
  release(): void {
    this.isOwn = false;
    this.isReleased = true;
    this.claim?.release();
  }
}
