// What came of a sweep. In: cells and what each measured.   Out: a row for each combination of values (means over its seeds), the best one, a heat map of it
// as lines and as a picture.
import { numberText } from "../terminal.ts";
import { escaped } from "./curves-svg.ts";
import type { Cell, Grid } from "./grid.ts";
import type { RunStatus } from "./record.ts";
import { tableLines, titlesBeside } from "./table.ts";

export interface CellOutcome {
  readonly cell: Cell;
  readonly state: RunStatus;
  readonly values: Readonly<Record<string, number>>; // that were measured last
  readonly seconds: number;
  readonly error?: string;
}
/** What is best. */
export interface Goal {
  readonly metric: string;
  readonly mode: "min" | "max";
}
export interface Point {
  readonly values: Readonly<Record<string, string>>;
  readonly runs: number;
  readonly failed: readonly CellOutcome[];
  readonly means: Readonly<Record<string, number>>;
  readonly deviations: Readonly<Record<string, number>>; // of single runs, where there are two or more
  readonly seconds: number; // of all
}
export const isGood = ({ state }: CellOutcome): boolean => state === "finished" || state === "stalled";

export function pointsOf(outcomes: readonly CellOutcome[]): readonly Point[] {
  const groups = new Map<number, CellOutcome[]>();
  for (const o of outcomes) groups.set(o.cell.point, [...(groups.get(o.cell.point) ?? []), o]);
  return [...groups.entries()]
    .sort(([a], [b]) => a - b)
    .map(([, group]) => {
      const good = group.filter(isGood);
      const names = [...new Set(good.flatMap((o) => Object.keys(o.values)))];
      const of = (name: string): number[] => good.flatMap((o) => o.values[name] ?? []);
      return {
        values: group[0]!.cell.values,
        runs: group.length,
        failed: group.filter((o) => !isGood(o)),
        means: Object.fromEntries(names.map((name) => [name, mean(of(name))])),
        deviations: Object.fromEntries(
          names.flatMap((name) => (of(name).length > 1 ? [[name, deviation(of(name))] as const] : [])),
        ),
        seconds: group.reduce((sum, o) => sum + o.seconds, 0),
      };
    });
}
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (values.length - 1));
}
/** Of those of which every run came to its end; undefined where there is none. */
export function bestOf(points: readonly Point[], { metric, mode }: Goal): Point | undefined {
  const value = (p: Point): number => p.means[metric] ?? NaN;
  const whole = points.filter((p) => !p.failed.length && Number.isFinite(value(p)));
  const sign = mode === "min" ? 1 : -1;
  return whole.reduce<Point | undefined>((a, b) => (a && sign * value(a) <= sign * value(b) ? a : b), undefined);
}

export function pointLines(points: readonly Point[], grid: Grid, best: Point | undefined): readonly string[] {
  const metrics = [...new Set(points.flatMap((p) => Object.keys(p.means)))];
  const figure = (p: Point, name: string): string => {
    const value = p.means[name];
    const spread = p.deviations[name];
    if (value === undefined) return "-";
    return numberText(value) + (spread === undefined ? "" : ` ± ${numberText(spread)}`);
  };
  const note = (p: Point): string =>
    [
      ...(p === best ? ["best"] : []),
      ...(p.failed.length ? [`${p.failed.length} of ${p.runs} ${p.failed[0]!.state}`] : []),
    ].join(", ");
  const heads = headsOf(grid, ["runs"], metrics);
  return tableLines(
    [...heads.map((title) => ({ title, right: true })), { title: "" }],
    points.map((p) => [
      ...Object.keys(grid).map((name) => p.values[name]!),
      String(p.runs - p.failed.length),
      ...metrics.map((name) => figure(p, name)),
      note(p),
    ]),
  );
}
/** Values, what every run has, what was measured: a const may bear the name of either of the others, a metric that of either, too. */
function headsOf(grid: Grid, fixed: readonly string[], metrics: readonly string[]): readonly string[] {
  const values = titlesBeside(fixed, Object.keys(grid), "set_");
  return [...values, ...fixed, ...titlesBeside([...fixed, ...values], metrics, "metric_")];
}
export const csvOf = (outcomes: readonly CellOutcome[], grid: Grid): string => {
  const metrics = [...new Set(outcomes.flatMap((o) => Object.keys(o.values)))];
  const quoted = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = outcomes.map((o) =>
    [
      ...Object.keys(grid).map((name) => quoted(o.cell.values[name]!)),
      o.cell.seed,
      o.state,
      o.seconds.toFixed(3),
      ...metrics.map((name) => o.values[name] ?? ""),
    ].join(),
  );
  return `${headsOf(grid, ["seed", "state", "seconds"], metrics).join()}\n${lines.map((line) => `${line}\n`).join("")}`;
};

// ---- heat maps: the values of the last name from left to right, all others from top to bottom

interface Heat {
  readonly across: string;
  readonly down: string; // "" where there is one name only
  readonly columns: readonly string[];
  readonly rows: readonly { readonly name: string; readonly cells: readonly (Point | undefined)[] }[];
}
function heatOf(points: readonly Point[], grid: Grid): Heat {
  const names = Object.keys(grid);
  const across = names.at(-1) ?? "";
  const others = names.slice(0, -1);
  const nameOf = (p: Point): string => others.map((name) => p.values[name]!).join(" ");
  const rows = [...new Set(points.map(nameOf))];
  const columns = grid[across] ?? [""];
  const at = (row: string, column: string): Point | undefined =>
    points.find((p) => nameOf(p) === row && (across === "" || p.values[across] === column));
  return {
    across,
    down: others.join(" "),
    columns,
    rows: rows.map((name) => ({ name, cells: columns.map((column) => at(name, column)) })),
  };
}
/** 0 for the worst, 1 for the best; NaN where nothing was measured. */
function ranking(points: readonly Point[], { metric, mode }: Goal): (p: Point | undefined) => number {
  const values = points.map((p) => p.means[metric] ?? NaN).filter(Number.isFinite);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return (p) => {
    const value = p?.means[metric] ?? NaN;
    const share = most > least ? (value - least) / (most - least) : Number.isFinite(value) ? 1 : NaN;
    return mode === "min" && most > least ? 1 - share : share;
  };
}
const valueText = (p: Point | undefined, { metric }: Goal): string => {
  const value = p?.means[metric];
  return value === undefined ? (p?.failed[0]?.state ?? "-") : numberText(value);
};

export function heatLines(points: readonly Point[], grid: Grid, goal: Goal): readonly string[] {
  const heat = heatOf(points, grid);
  const rank = ranking(points, goal);
  const shade = (p: Point | undefined): string => {
    const share = rank(p);
    return Number.isNaN(share) ? "  " : "░▒▓█"[Math.min(3, Math.floor(4 * share))]!.repeat(2);
  };
  return tableLines(
    [
      { title: heat.down ? `${heat.down} \\ ${heat.across}` : heat.across, right: true },
      ...heat.columns.map((title) => ({ title, right: true })),
    ],
    heat.rows.map(({ name, cells }) => [name, ...cells.map((p) => `${valueText(p, goal)} ${shade(p)}`)]),
  );
}

const [cellWidth, cellHeight] = [96, 44];
/** Without the frame around it. */
export function heatSvg(
  points: readonly Point[],
  grid: Grid,
  goal: Goal,
): { readonly width: number; readonly height: number; readonly svg: string } {
  const heat = heatOf(points, grid);
  const rank = ranking(points, goal);
  const left = heat.down ? Math.max(60, 40 + 7 * Math.max(...heat.rows.map((r) => r.name.length))) : 16;
  const top = 34;
  const text = (x: number, y: number, content: string, anchor = "middle", more = ""): string =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}"${more}>${escaped(content)}</text>`;
  const cells = heat.rows.flatMap(({ cells: row }, r) =>
    row.map((p, c) => {
      const [x, y] = [left + c * cellWidth, top + r * cellHeight];
      const share = rank(p);
      const missing = Number.isNaN(share);
      const fill = missing ? "var(--line)" : `hsl(${Math.round(260 - 90 * share)} 60% ${Math.round(28 + 40 * share)}%)`;
      const color = missing ? "var(--text)" : share > 0.6 ? "#111" : "#fff";
      return `<rect x="${x + 1}" y="${y + 1}" width="${cellWidth - 2}" height="${cellHeight - 2}" rx="4" fill="${fill}"/>${text(x + cellWidth / 2, y + cellHeight / 2 + 4, valueText(p, goal), "middle", ` style="fill:${color}"`)}`;
    }),
  );
  const bottom = top + heat.rows.length * cellHeight;
  const [width, height] = [left + heat.columns.length * cellWidth + 16, bottom + 44];
  const axes = [
    ...heat.columns.map((name, c) => text(left + (c + 0.5) * cellWidth, bottom + 17, name)),
    ...(heat.down ? heat.rows.map(({ name }, r) => text(left - 8, top + (r + 0.5) * cellHeight + 4, name, "end")) : []),
    text(left + (heat.columns.length * cellWidth) / 2, bottom + 36, heat.across),
    ...(heat.down
      ? [
          `<text transform="translate(12 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(heat.down)}</text>`,
        ]
      : []),
  ];
  const title = `${goal.metric}, the ${goal.mode === "min" ? "least" : "greatest"} is best`;
  return {
    width,
    height,
    svg: `<text class="title" x="${left}" y="16">${escaped(title)}</text>${cells.join("")}${axes.join("")}`,
  };
}
