// Windows of steps: each is one submit of one pass over up to `window` steps. The host runs a few windows ahead of the device and reads the ring of
// losses behind it. How many steps a window has follows the device's speed, so that a submit takes about `submitSeconds`.
import { batchStream, type Stream } from "./batches.ts";
import { streamRows } from "./data.ts";
import type { Recording } from "./recording.ts";
import type { PlanTrain } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";
import { nextEpoch, rowsPerStep, trainingRows, writeScalars } from "./session.ts";
import type { Session, TrainState } from "./session.ts";

const submitSeconds = 0.06; // short enough for live progress, other work of the device and its watchdog
const windowsAhead = 2;

interface Pending {
  readonly from: number; // first step
  readonly count: number;
  readonly done: Promise<Float32Array>; // a row of the ring for every step: the loss, if it has one, then the metrics
}
/** Steps that the device has done, with what they measured. */
export interface DoneWindow {
  readonly from: number; // first step
  readonly count: number;
  readonly values: Float32Array; // a row of the ring for every step: the loss, then the metrics
  readonly stepsPerSecond: number;
}

export class Windows {
  submits = 0;
  /** Steps of the next window, from what the last ones took. */
  size = 1;
  lastRow: Float32Array | undefined; // of the last step that is done
  private readonly session: Session;
  private readonly block: PlanTrain;
  private readonly recording: Recording;
  private readonly total: number; // steps
  private readonly told: (done: DoneWindow) => void;
  private readonly state: TrainState;
  private readonly firstStep: number;
  private readonly fillBatches: Stream;
  private readonly index: Int32Array<ArrayBuffer>; // row numbers of the batches of a window
  private readonly pending: Pending[] = [];
  private rate = 0; // steps per second of late
  private lastDone = performance.now();

  /** `told` is called after every window that is done, in order. */
  constructor(s: Session, t: PlanTrain, recording: Recording, total: number, told: (done: DoneWindow) => void) {
    this.session = s;
    this.block = t;
    this.recording = recording;
    this.total = total;
    this.told = told;
    this.state = s.states.get(t.name)!;
    this.firstStep = this.state.step;
    this.fillBatches = batchStream(trainingRows(s, t), this.state.seed, t.shuffle);
    this.index = new Int32Array(t.window * rowsPerStep(t));
  }
  /** Gives the device what the next `count` steps read of the host. */
  prepare(count: number): void {
    writeScalars(this.session, this.block, this.total);
    this.writeBatches(this.state.step % this.block.window, count);
  }
  /** Puts the next `count` steps under way. */
  submit(count: number): void {
    const { session, block, state } = this;
    const { machine } = session;
    this.prepare(count);
    const row = state.step % block.window;
    const encoder = machine.encoder(block.step.name);
    if (block.rounds) machine.writeWord(block.rounds.buffer, block.rounds.offset, Int32Array.of(count));
    machine.replay(encoder, this.recording, block.rounds ? 1 : count);
    const rowBytes = 4 * rowFloats(block);
    const fetched = machine.fetch(encoder, [
      { buffer: block.ring.buffer, offset: block.ring.offset + row * rowBytes, bytes: count * rowBytes },
    ]);
    encoder.submit();
    this.submits++;
    const done = fetched().then(([bytes]) => new Float32Array(bytes!.buffer));
    done.catch(() => {}); // told where it is awaited
    this.pending.push({ from: state.step, count, done });
    state.step += count;
    state.measured = false;
  }
  /** Waits where the host would get too far ahead. */
  async keepUp(): Promise<void> {
    while (this.pending.length >= windowsAhead) await this.take();
  }
  /** Waits until all submitted steps are done and told. */
  async drain(): Promise<void> {
    while (this.pending.length) await this.take();
  }
  /** Time that the device spent on something else does not count. */
  restartClock(): void {
    this.lastDone = performance.now();
  }
  /** Waits for what is under way, whatever becomes of it. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.pending.map((p) => p.done));
  }

  private writeBatches(row: number, count: number): void {
    const { session, block } = this;
    if (!block.batchIndex || block.dataset === undefined) return;
    const perStep = rowsPerStep(block);
    const part = this.index.subarray(0, count * perStep);
    this.fillBatches(this.state.step * perStep, part);
    const { buffer, offset } = block.batchIndex;
    const rows = streamRows(session.data.get(block.dataset)!, part, session.machine);
    session.machine.write(buffer, offset + 4 * row * perStep, rows);
  }
  private async take(): Promise<void> {
    const { from, count, done } = this.pending[0]!;
    const values = await done;
    this.pending.shift();
    const current = this.measureRate(from, count);
    const floats = rowFloats(this.block);
    if (this.block.ring.columns[0] === "loss")
      for (let i = 0; i < count; i++) checkLoss(this.block, from + i, values[i * floats]!);
    this.lastRow = values.subarray((count - 1) * floats);
    this.told({ from, count, values, stepsPerSecond: this.rate || current });
  }
  /** Steps per second of the window that ended now; the size of the next one follows it. */
  private measureRate(from: number, count: number): number {
    const now = performance.now();
    const seconds = Math.max(1e-6, (now - this.lastDone) / 1000);
    this.lastDone = now;
    const current = count / seconds;
    // the first step includes compiling
    if (from === this.firstStep) this.rate = 0;
    else this.rate = this.rate ? this.rate + (current - this.rate) * Math.min(1, seconds / 0.5 + 0.05) : current;
    this.size = Math.max(1, Math.min(this.block.window, this.size * 4, Math.floor(submitSeconds * current)));
    return current;
  }
}

/** How many steps from here on may share a window: they read the same numbers of the host, and lie behind one another in the ring. */
export function stepsAlike(s: Session, t: PlanTrain): number {
  const { step, measured } = s.states.get(t.name)!;
  const reads = (name: string): boolean => t.scalars.some((p) => p.name === name);
  if (measured && reads("measured")) return 1;
  const inRing = t.window - (step % t.window);
  return reads("epoch") ? Math.min(inRing, nextEpoch(step, trainingRows(s, t).length, t) - step) : inRing;
}
/** Of a step in the ring: a block that tells nothing has a number too. */
export const rowFloats = (t: PlanTrain): number => Math.max(1, t.ring.columns.length);
function checkLoss(t: PlanTrain, step: number, loss: number): void {
  if (!Number.isFinite(loss)) throw new NonFiniteLoss(t, step, loss);
}
/** The first number that is not finite, and what made it. */
export interface NonFinite {
  readonly value: number;
  readonly element: number;
  readonly tensor: string; // as the kernel's code calls it
  readonly kernel: string;
  readonly lines: readonly string[]; // "digits.dlm:8"
}
export class NonFiniteLoss extends RuntimeProblem {
  readonly step: number;
  readonly made: NonFinite | undefined;
  readonly with: (made: NonFinite) => NonFiniteLoss;
  constructor(t: PlanTrain, step: number, loss: number, made?: NonFinite) {
    super(
      `the loss of ${t.name} is ${loss} at step ${step}${step ? "" : ", the first"}${made ? `; the first number that is not finite is ${textOf(made)}` : ""}: a smaller learning rate, clip_norm, or an epsilon under a square root, logarithm or division may help`,
    );
    this.step = step;
    this.made = made;
    this.with = (found) => new NonFiniteLoss(t, step, loss, found);
  }
}
const textOf = ({ value, element, tensor, kernel, lines }: NonFinite): string =>
  `${value}, element ${element} of ${tensor} of the kernel ${kernel}${lines.length ? ` (${lines.join(", ")})` : ""}`;
