// The largest batch that fits, found by trying. In: what does not fit, and a trial. Out: rows, and whether one more is known not to fit.
const mostSeconds = 30; // of looking for it

export interface Tried {
  readonly rows: number;
  readonly fits: boolean;
  readonly share: number; // of what is allowed
}
/** 0 where not even 1 fits. Sizes are mostly straight lines over the batch, so few are tried. */
export async function largestBelow(
  end: Tried,
  at: (rows: number) => Promise<Tried>,
): Promise<{ readonly rows: number; readonly isSure: boolean }> {
  const began = process.cpuUsage();
  let [least, most] = [await at(1), end]; // the one fits, the other does not
  if (!least.fits) return { rows: 0, isSure: true };
  for (let n = 0; most.rows - least.rows > 1 && process.cpuUsage(began).user < 1e6 * mostSeconds; n++) {
    const slope = n ? (most.share - least.share) / (most.rows - least.rows) : most.share / most.rows; // weights are no part of it
    const guess = n % 4 < 3 ? Math.floor(most.rows - (most.share - 1) / slope) : (least.rows + most.rows) >> 1;
    const rows = Number.isNaN(guess) ? most.rows - 1 : guess;
    const tried = await at(Math.min(most.rows - 1, Math.max(least.rows + 1, rows)));
    if (tried.fits) least = tried;
    else most = tried;
  }
  return { rows: least.rows, isSure: most.rows - least.rows === 1 };
}
