// The checkpoints of a model that outlives its device: taken up, written, told of. In: a place for them, which may be another page's at the moment.
// Out: a model as its last checkpoint has it; events. Only one of those that have the same place open writes there, and not what is behind what it found there.
import type { CheckpointStore, Model, TrainerEvent } from "./api.ts";
import { messageOf, RuntimeProblem } from "./problem.ts";
import { stepsIn } from "./session.ts";

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
const total = (steps: Readonly<Record<string, number>>): number => Object.values(steps).reduce((sum, n) => sum + n, 0);
const graceMilliseconds = 1000; // in which a page that is loaded anew, or a model that was closed, gives its place back

const stepsOf = (model: Model): Readonly<Record<string, number>> =>
  Object.fromEntries(model.trains.map((name) => [name, model.step(name)]));

export class Kept {
  /** Are checkpoints written there? */
  isOwn: boolean;
  /** Settles when they are. */
  readonly granted: Promise<void>;
  private readonly store: SharedStore;
  private readonly claim: Claim | undefined;
  private isReleased = false;
  private further = 0; // steps of what lies there from before, and stays until this model is further
  private compared: Promise<void> | undefined; // with what lies there
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
  /** Is what this model learns written there? */
  get isKeeping(): boolean {
    return this.isOwn && !this.further;
  }
  /** The page is closed that kept its checkpoints there, and this model has gone on by itself. */
  compare(model: Model): void {
    this.compared = this.store
      .read()
      .then((bytes) => {
        const steps = bytes ? stepsIn(bytes) : {};
        if (total(steps) <= total(stepsOf(model))) return;
        this.further = total(steps);
        this.tell({ kind: "behind", steps });
      })
      .catch(() => {}); // nothing that could be taken up lies there
  }
  /** What cannot be taken up is told, and the model stays as it is. */
  async takeUp(model: Model): Promise<void> {
    const bytes = await this.store.read().catch((error: unknown) => this.fail(error));
    if (!bytes) return;
    try {
      await model.restore(bytes);
      this.tell({ kind: "resumed", steps: stepsOf(model), changed: this.store.isOther ?? false });
    } catch (error) {
      if (error instanceof RuntimeProblem && error.reason) throw error;
      this.tell({ kind: "not kept", message: `what was kept is passed over: ${messageOf(error)}` });
    }
  }
  async put(train: string, step: number, bytes: Uint8Array): Promise<void> {
    if (!this.isOwn) return;
    await this.compared;
    if (this.further && total(stepsIn(bytes)) <= this.further) return;
    this.further = 0;
    try {
      await this.store.write(bytes);
      this.tell({ kind: "kept", train, step, bytes: bytes.length });
    } catch (error) {
      this.fail(error);
    }
  }
  async remove(): Promise<void> {
    if (!this.isOwn) return;
    await this.compared;
    if (!this.further) await this.store.remove().catch((error: unknown) => this.fail(error));
  }
  private fail(error: unknown): undefined {
    this.tell({ kind: "not kept", message: messageOf(error) });
  }
  release(): void {
    this.isOwn = false;
    this.isReleased = true;
    this.claim?.release();
  }
}
