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
  readonly values?: object;
  readonly metrics?: object;
  readonly path?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
}
/** What a training that is over reached, of the lines that say something to keep: the last figures, and where the weights are. */
export function reachedBy(lines: readonly string[]): string {
  const events = lines.map((line) => JSON.parse(line) as Event);
  const done = events.findLast((e) => e.kind === "done");
  const figures = events.findLast((e) => e.kind === "evaluation") ?? {
    split: "the last batch",
    values: { loss: done?.loss, ...(done?.metrics ?? {}) },
  };
  const values = Object.entries(figures.values ?? {}).flatMap(([name, value]) =>
    typeof value === "number" ? [`${name} ${value.toPrecision(4)}`] : [],
  );
  const saved = events.findLast((e) => e.kind === "saved");
  return [
    ...(values.length ? [`${String(figures.split)}: ${values.join(", ")}.`] : []),
    ...(saved ? [`Its weights are in ${String(saved.path)}.`] : []),
  ].join(" ");
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
