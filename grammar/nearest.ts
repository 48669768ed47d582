// What was probably meant: the known word that differs least.

const lettersOf = (name: string): string => [...name.toLowerCase()].sort().join("");
/** The nearest known name, when it is near enough; of several the first, or one of the same letters. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const own = name.toLowerCase();
  const letters = lettersOf(name);
  let best: string | undefined;
  // a name of one letter is near to every other; of five, one letter may be wrong
  let least = (name.length <= 1 ? 0 : name.length <= 5 ? 1 : Math.max(2, Math.floor(name.length / 3))) + 1;
  for (const candidate of known) {
    if (candidate.length < 2 || Math.abs(candidate.length - name.length) > least) continue;
    const d = distance(own, candidate.toLowerCase(), least + 1);
    const isSame = best !== undefined && d === least && lettersOf(candidate) === letters && lettersOf(best) !== letters;
    if (d < least || isSame) [best, least] = [candidate, d];
  }
  return best;
}
/** Letters left out, added, changed, or two neighbours swapped. What is `most` or more may be told as `most`. */
function distance(a: string, b: string, most: number): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      let d = row[j - 1]!;
      if (a[i - 1] !== b[j - 1]) d = 1 + Math.min(d, row[j]!, next[j - 1]!);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, before[j - 2]! + 1);
      next.push(d);
      if (d < least) least = d;
    }
    if (least >= most) return most;
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
