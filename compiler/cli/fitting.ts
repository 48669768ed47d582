// What would fit a device that a model is too large for. In: the model, and what is wrong with its plan.   Out: the same problem with the largest batch that
// fits, found by compiling and not by guessing, or that no batch does.
import type { DataFiles } from "../../runtime/api.ts";
import { checkDevice, TooLarge } from "../../runtime/check.ts";
import type { Plan } from "../../runtime/plan.ts";
import type { Target } from "../kernel/target.ts";
import { largestBelow, type Tried } from "./largest.ts";
import { compileModel, type ModelFlags, type Planned } from "./model.ts";

/** Throws what the device says of the plan, with advice where it is too large. */
export async function checkFits(
  { model, plan }: Planned,
  flags: ModelFlags,
  target: Target,
  device: GPUDevice,
  files: DataFiles,
): Promise<void> {
  try {
    checkDevice(plan, device);
  } catch (error) {
    const batch = Math.max(0, ...plan.trains.map((t) => t.batch));
    if (!(error instanceof TooLarge) || !error.isOfBatch || batch < 2) throw error;
    const at = async (rows: number): Promise<Tried> => {
      const smaller = { ...flags, set: { ...flags.set, batch: String(rows) } };
      const { plan: made } = await compileModel(model, smaller, target, files);
      return {
        rows,
        fits: made !== undefined && isTaken(made, device),
        share: made ? shareOf(made, device) : Infinity,
      };
    };
    const largest = await largestBelow({ rows: batch, fits: false, share: shareOf(plan, device) }, at);
    throw new TooLarge(
      `${error.what}; ${largest.rows ? `--set batch=${largest.rows} fits${largest.isSure ? `, and no larger batch does` : ""}` : "no batch is small enough: make the model smaller"}`,
      true,
    );
  }
}
function isTaken(plan: Plan, device: GPUDevice): boolean {
  try {
    checkDevice(plan, device);
    return true;
  } catch {
    return false;
  }
}
/** Of the largest tensor in what the device allows in one piece; for guesses. */
function shareOf({ buffers, requires }: Plan, { limits }: GPUDevice): number {
  const bytes = buffers.map((b) => (typeof b.bytes === "number" && b.role !== "data" ? b.bytes : 0));
  const bound = (requires.limits["maxStorageBufferBindingSize"] ?? 0) / limits.maxStorageBufferBindingSize;
  return Math.max(bound, Math.max(...bytes) / limits.maxBufferSize);
}
