// Where a number became infinite or NaN. In: a checkpoint from before it, the step whose loss shows it. The steps in between are run again; the last two of
// them kernel by kernel, each with a look at what it wrote; what the run before left in shared memory is cleared.   Out: the first kernel that made one.
import type { Machine } from "./machine.ts";
import type { PlanTrain } from "./plan.ts";
import type { Recording } from "./recording.ts";
import { readCheckpoint } from "./session.ts";
import type { Session } from "./session.ts";
import { stepsAlike, Windows, type NonFinite } from "./windows.ts";

/** Undefined where it cannot be told: one launch does whole steps, or the numbers are finite this time. Leaves the model at the checkpoint. */
export async function firstNonFinite(
  s: Session,
  t: PlanTrain,
  recording: Recording,
  total: number,
  from: Uint8Array,
  step: number,
): Promise<NonFinite | undefined> {
  const state = (): number => s.states.get(t.name)!.step;
  readCheckpoint(s, from, true);
  if (t.rounds) return undefined;
  try {
    const windows = new Windows(s, t, recording, total, () => {});
    while (state() < step - 1) {
      windows.submit(Math.min(windows.size, step - 1 - state(), stepsAlike(s, t)));
      await windows.keepUp();
    }
    await windows.drain();
    // the step before may have made a parameter infinite, after its loss
    while (state() <= step) {
      windows.prepare(1);
      const found = await firstIn(s.machine, recording);
      if (found) return found;
      s.states.get(t.name)!.step++;
    }
    return undefined;
  } finally {
    readCheckpoint(s, from, true);
  }
}
async function firstIn(machine: Machine, recording: Recording): Promise<NonFinite | undefined> {
  let text = "";
  const wanted = (code: string): Map<string, number> => floatsWritten((text = code));
  for await (const { of, after } of machine.oneByOne(recording, wanted))
    for (const [tensor, now] of after) {
      const element = now.findIndex((v) => !Number.isFinite(v));
      if (element < 0) continue;
      const lines = [...new Set([...(of.lines ?? []), ...linesIn(text)])];
      return { value: now[element]!, element, tensor, kernel: of.label, lines };
    }
  return undefined;
}
/** That a kernel's code names above its declarations: of what is folded into it, too. */
const linesIn = (code: string): string[] => /^(?:\/\/.*\n)*/.exec(code)![0].match(/[^\s(]+\.dlm:\d+/g) ?? [];
/** The bindings of a kernel that it writes f32 to, by their names in its code. */
function floatsWritten(code: string): Map<string, number> {
  const declared = /@binding\((\d+)\) var<storage, read_write> (\w+): array<(?:f32|vec4f|vec4<f32>)>/g;
  return new Map([...code.matchAll(declared)].map(([, binding, name]) => [name!, Number(binding)]));
}
