// What a sweep tries. In: `--grid lr=1e-3,3e-3`, `--seeds 3`.   Out: every combination of the values with every seed, in the order in which they were written.
import { InvalidArgumentError } from "commander";
import { UsageError } from "../problem.ts";

export type Grid = Readonly<Record<string, readonly string[]>>;
export interface Cell {
  readonly values: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly point: number; // cells of the same values have the same one
}
const mostCells = 10_000;

/** `--grid lr=1e-3,3e-3,1e-2`, as often as wanted; commas within brackets do not part. */
export function gridOption(text: string, before: Grid = {}): Grid {
  const [, name, list] = /^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/s.exec(text) ?? [];
  if (name === undefined || !list)
    throw new InvalidArgumentError("It is written name=value,value, as --grid lr=1e-3,3e-3,1e-2.");
  const values = parted(list);
  if (values.some((value) => value === "")) throw new InvalidArgumentError(`A value of ${name} is empty.`);
  if (Object.hasOwn(before, name))
    throw new InvalidArgumentError(`${name} has its values already: ${before[name]!.join(", ")}.`);
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice !== undefined) throw new InvalidArgumentError(`${twice} stands twice among the values of ${name}.`);
  return { ...before, [name]: values };
}
function parted(list: string): readonly string[] {
  const parts = [""];
  let depth = 0;
  for (const c of list) {
    if ("[(".includes(c)) depth++;
    if ("])".includes(c)) depth--;
    if (c === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += c;
  }
  return parts.map((part) => part.trim());
}
/** `3`: so many; `1,5,9`: these. */
export function seedsOption(text: string): number | readonly number[] {
  const numbers = text.split(",").map((part) => (/^\s*[+-]?\d+\s*$/.test(part) ? Number(part) : NaN));
  const [count] = numbers;
  if (numbers.some((n) => !(Math.abs(n) < 2 ** 31)) || (numbers.length === 1 && !(count! >= 1)))
    throw new InvalidArgumentError("It is how many, as --seeds 3, or which, as --seeds 1,5,9.");
  if (new Set(numbers).size < numbers.length) throw new InvalidArgumentError("A seed stands twice.");
  if (numbers.length === 1 && count! > mostCells) throw new InvalidArgumentError(`At most ${mostCells} are tried.`);
  return numbers.length === 1 ? count! : numbers;
}
/** The last name changes first, seeds before it. Throws where there are too many. */
export function cellsOf(grid: Grid, seeds: readonly number[]): readonly Cell[] {
  const entries = Object.entries(grid);
  const count = entries.reduce((n, [, values]) => n * values.length, seeds.length);
  if (count > mostCells) throw new UsageError(`${count} runs are too many: at most ${mostCells} are tried.`);
  let points: readonly Readonly<Record<string, string>>[] = [{}];
  for (const [name, values] of entries)
    points = points.flatMap((point) => values.map((value) => ({ ...point, [name]: value })));
  return points.flatMap((values, point) => seeds.map((seed) => ({ values, seed, point })));
}
export const cellText = ({ values, seed }: Cell, withSeed: boolean): string =>
  [...Object.entries(values).map(([name, value]) => `${name}=${value}`), ...(withSeed ? [`seed=${seed}`] : [])].join(
    " ",
  );
