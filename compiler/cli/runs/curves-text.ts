// Curves of runs on a terminal. In: series of one panel.   Out: lines: a letter for each run, with the axes; colours where there are any.
import { stepScale, tickText, valueScale, type Series } from "./curves.ts";
import { styles } from "../terminal.ts";

const height = 14; // lines
const several = "*"; // of runs at one place

const further = "+"; // a run of those for which there is no letter

/** A to Z, a to z, then numbers. */
export const letterOf = (run: number): string =>
  run < 52 ? String.fromCharCode((run < 26 ? 65 : 71) + run) : String(run + 1);
/** Of the run that bears the letter. */
export function paint(color: boolean, run: number): (text: string) => string {
  const { cyan, yellow, green, red, bold } = styles(color);
  return [cyan, yellow, green, red, bold][run % 5]!;
}

export function curveLines(series: readonly Series[], width: number, color: boolean): readonly string[] {
  const points = series.flatMap((s) => s.points);
  if (!points.some(([, value]) => Number.isFinite(value))) return ["  nothing was measured"];
  const y = valueScale(
    points.map(([, value]) => value),
    4,
  );
  const labels = new Map(y.ticks.map((t) => [Math.round((height - 1) * (1 - y.at(t))), tickText(t)]));
  const left = Math.max(...[...labels.values()].map((text) => text.length));
  const columns = Math.max(20, width - left - 4);
  const x = stepScale(
    points.map(([step]) => step),
    Math.max(2, Math.floor(columns / 16)),
  );
  const cells = Array.from({ length: height }, () => new Array<number>(columns).fill(-1)); // a run; -2: several
  for (const { run, points: line } of series)
    for (let column = 0; column < columns; column++) {
      const value = valueAt(line, column, (step) => (columns - 1) * x.at(step));
      const row = Math.round((height - 1) * (1 - Math.max(0, Math.min(1, y.at(value)))));
      const cell = cells[row]?.[column];
      if (cell !== undefined) cells[row]![column] = cell === -1 || cell === run ? run : -2;
    }
  const drawn = cells.map((row, r) => {
    const label = (labels.get(r) ?? "").padStart(left);
    const text = row
      .map((run) => (run === -1 ? " " : run === -2 ? several : paint(color, run)(run < 52 ? letterOf(run) : further)))
      .join("");
    return `  ${label} ${labels.has(r) ? "┤" : "│"}${text}`.trimEnd();
  });
  const axis = new Array<string>(columns).fill("─");
  let names = "";
  for (const t of x.ticks) {
    const at = Math.round((columns - 1) * x.at(t));
    const text = tickText(t);
    const from = Math.min(columns - text.length, Math.max(0, at - (text.length >> 1)));
    if (from < names.length + (names ? 1 : 0)) continue;
    axis[at] = "┬";
    names = names.padEnd(from) + text;
  }
  return [...drawn, `  ${" ".repeat(left)} └${axis.join("")}`, `  ${" ".repeat(left)}  ${names}`];
}
/** Between the points around a column; NaN where there are none. */
function valueAt(points: Series["points"], column: number, columnOf: (step: number) => number): number {
  const after = points.findIndex(([step]) => columnOf(step) >= column - 0.5);
  if (after < 0) return NaN;
  const [step, value] = points[after]!;
  const to = columnOf(step);
  if (to < column + 0.5) return meanWithin(points, after, column, columnOf);
  if (!after) return NaN;
  const [before, first] = points[after - 1]!;
  const from = columnOf(before);
  return first + ((value - first) * (column - from)) / (to - from);
}
function meanWithin(
  points: Series["points"],
  first: number,
  column: number,
  columnOf: (step: number) => number,
): number {
  let [sum, count] = [0, 0];
  for (let i = first; i < points.length && columnOf(points[i]![0]) < column + 0.5; i++) {
    sum += points[i]![1];
    count++;
  }
  return sum / count;
}
