// What a line of `dlm train --json` says to somebody who waits. In: a line. Out: how far the training is, or something to keep in the output; nothing where it says nothing.
export interface Told {
  readonly message: string;
  readonly percent?: number; // of a training that goes on
}
interface Event {
  readonly kind?: unknown;
  readonly train?: unknown;
  readonly step?: unknown;
  readonly steps?: unknown;
  readonly loss?: unknown;
  readonly secondsLeft?: unknown;
  readonly split?: unknown;
  readonly values?: unknown;
  readonly path?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
}
export function progressOf(line: string): Told | undefined {
  let event: Event;
  try {
    event = JSON.parse(line) as Event;
  } catch {
    return undefined;
  }
  const { kind, step, steps, loss, secondsLeft } = event;
  if (kind === "progress" && typeof step === "number" && typeof steps === "number") {
    const left = typeof secondsLeft === "number" ? `, ${Math.ceil(secondsLeft)} s left` : "";
    const now = typeof loss === "number" ? `, loss ${loss.toPrecision(4)}` : "";
    return {
      percent: steps ? (100 * step) / steps : 0,
      message: `${String(event.train)}: step ${step} of ${steps}${now}${left}`,
    };
  }
  if (kind === "evaluation")
    return { message: `${String(event.train)}, ${String(event.split)}: ${JSON.stringify(event.values)}` };
  if (kind === "saved") return { message: `saved: ${String(event.path)}` };
  if (kind === "done") return { message: `${String(event.reason)} at step ${String(step)}` };
  return kind === "error" ? { message: String(event.message) } : undefined;
}
