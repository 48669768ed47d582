// Training as a program that nobody need watch: block after block, ended from outside at a step and not within one, and begun again from the newest whole
// checkpoint. Shared by `dlm train` and by generated trainers; Node only.
import type { Model, TrainOptions, TrainResult } from "./api.ts";
import type { Keeper } from "./keeper.ts";
import { messageOf, RuntimeProblem } from "./problem.ts";

/** Every block in turn, until one is paused. `stopAfter` counts the steps of all. `told` is called after each. */
export async function trainBlocks(
  model: Model,
  names: readonly string[],
  { stopAfter, ...options }: Omit<TrainOptions, "snapshots">,
  keeper: Keeper | undefined,
  told: (result: TrainResult) => void,
): Promise<readonly TrainResult[]> {
  const results: TrainResult[] = [];
  let left = stopAfter;
  for (const name of names) {
    const from = model.step(name);
    const result = await model.train(name, {
      ...options,
      ...(left === undefined ? {} : { stopAfter: left }),
      ...(keeper ? { snapshots: keeper.snapshotsOf(name) } : {}),
    });
    results.push(result);
    told(result);
    if (result.reason === "paused") break;
    if (left !== undefined) left -= result.step - from;
  }
  return results;
}

/** A checkpoint that cannot be written is told, and is not worth the run. */
export const notKept = (error: unknown): string =>
  `${messageOf(error)}; training goes on, and the next checkpoint is tried as well`;
/** A checkpoint that is not whole. */
export const passedOver = (reason: string): string => `${reason}; the one before it is taken`;

/** What stopped a run: a signal, or a standard output that takes no more. */
export type Cause = "SIGINT" | "SIGTERM" | "SIGHUP" | "output";
/** The status that says so. */
export const statusOf: Readonly<Record<Cause, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, output: 1 };
export interface Interruption {
  readonly signal: AbortSignal;
  readonly cause: Cause | undefined;
  /** Standard output takes no more. */
  outputLost(): void;
  /** Signals end the process again. */
  end(): void;
}
const againMilliseconds = 1000; // a Ctrl-C this soon after the first signal is the same one, passed on by a program in between

/**
 * Signals stop a run at the next step: nothing is lost. Ctrl-C once more stops it at once; other signals come several at a time (a dropped connection sends
 * SIGHUP twice, systemd SIGTERM and SIGHUP) and mean no more than one. `told` is called for the first.
 */
export function interruptible(told: () => void = () => {}): Interruption {
  const controller = new AbortController();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  let cause: Cause | undefined;
  let signalledAt: number | undefined;
  const stop = (why: Cause): void => {
    cause ??= why;
    controller.abort();
  };
  const onSignal = (name: NodeJS.Signals): void => {
    const known = name as (typeof signals)[number]; // one of those it is registered for
    if (signalledAt === undefined) {
      signalledAt = performance.now();
      stop(known);
      told();
    } else if (known === "SIGINT" && performance.now() - signalledAt > againMilliseconds) process.exit(statusOf[known]);
  };
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    get cause() {
      return cause;
    },
    outputLost: () => stop("output"),
    end: () => {
      for (const name of signals) process.removeListener(name, onSignal);
    },
  };
}

/**
 * The model as the newest whole one of these checkpoints has it. Gives the file that was taken, and why newer ones were refused; throws what is wrong with
 * the newest where none is whole. `read` throws a RuntimeProblem where it cannot.
 */
export async function restoreNewest(
  model: Model,
  files: readonly string[],
  read: (file: string) => Uint8Array,
): Promise<{ readonly file: string; readonly refused: readonly string[] }> {
  const refused: string[] = [];
  const attempt = async (file: string): Promise<boolean> => {
    let where = ""; // errors of reading name the file
    try {
      const bytes = read(file);
      where = `${file}: `;
      await model.restore(bytes);
      return true;
    } catch (error) {
      if (!(error instanceof RuntimeProblem)) throw error;
      refused.push(where + error.message);
      return false;
    }
  };
  for (const file of files) if (await attempt(file)) return { file, refused };
  throw new RuntimeProblem(refused[0] ?? "there is no checkpoint");
}
