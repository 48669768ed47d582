// Curves of runs as a picture. In: names and rows of metrics.   Out: an SVG file that stands alone: a panel for each metric, thin lines of batches, thick ones
// of what was held out, in the colours of the reader's dark or light theme.
import {
  heldOut,
  panelsOf,
  stepScale,
  tickText,
  valueScale,
  type Named,
  type Panel,
  type Scale,
  type Series,
} from "./curves.ts";

const [panelWidth, panelHeight, gap] = [440, 260, 16];
const margin = { left: 58, right: 14, top: 34, bottom: 42 };
const mostPoints = 400; // of a line: more cannot be told apart

export const escaped = (text: string): string =>
  text
    .replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
    .replace(/[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "?");
const n = (x: number): string => String(Math.round(x * 10) / 10);

/** Hues far apart for neighbours; as many as there are runs. */
const hueOf = (i: number): number => Math.round((244 + i * 137.508) % 360);
export const style = (count: number): string => {
  const colors = (lightness: number, saturation: number): string =>
    Array.from({ length: count }, (_, i) => `--c${i}:hsl(${hueOf(i)} ${saturation}% ${lightness}%)`).join(";");
  return `<style>
:root{--page:#fff;--text:#16191f;--quiet:#5c6470;--line:#e2e5ea;${colors(46, 68)}}
@media(prefers-color-scheme:dark){:root{--page:#0e1014;--text:#e8eaee;--quiet:#a0a8b4;--line:#2a2f38;${colors(68, 75)}}}
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--quiet)}
.title{font-weight:600;font-size:13px;fill:var(--text)}
.grid{stroke:var(--line)}
.batch{fill:none;stroke-width:1;opacity:.45}
.split{fill:none;stroke-width:2;stroke-linejoin:round}
${Array.from({ length: count }, (_, i) => `.s${i}{stroke:var(--c${i})}.f${i}{fill:var(--c${i})}`).join("")}
</style>`;
};
export const frame = (width: number, height: number, title: string, style: string, body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${n(width)} ${n(height)}" width="${n(width)}" height="${n(height)}" role="img"><title>${escaped(title)}</title>
${style}
<rect width="100%" height="100%" fill="var(--page)"/>
${body}</svg>
`;

export function curvesSvg(runs: readonly Named[]): string {
  const { width, height, svg, colors } = curvesPart(runs);
  const title = runs.length === 1 ? "Curves of a run" : `Curves of ${runs.map((r) => r.name).join(", ")}`;
  return frame(width, height, title, style(colors), svg);
}
/** Without the frame around it. */
export function curvesPart(runs: readonly Named[]): {
  readonly width: number;
  readonly height: number;
  readonly svg: string;
  readonly colors: number;
} {
  const panels = panelsOf(runs);
  const splits = [...new Set(panels.flatMap((p) => p.series.flatMap((s) => (s.split === undefined ? [] : [s.split]))))];
  const isOne = runs.length === 1;
  const groupOf = (run: number): number => runs[run]!.group ?? run;
  const names = new Map(runs.map((r, i) => [groupOf(i), r.name]));
  // of one run, splits have the colours; of several, runs have
  const looks: Looks = {
    colorOf: (s) => (isOne ? (s.split === undefined ? 0 : 1 + splits.indexOf(s.split)) : groupOf(s.run)),
    dashOf: (s) => (isOne || s.split === undefined ? 0 : splits.indexOf(s.split)),
    withBatches: isOne,
  };
  const columns = Math.min(2, Math.max(1, panels.length));
  const width = 2 * gap + columns * (panelWidth + gap) - gap;
  const known = isOne ? ["batches", ...splits].map((name, i) => [i, name] as const) : [...names];
  const legend = legendOf(known, width - 2 * gap);
  const top = legend.height + gap;
  const place = (i: number): string =>
    `translate(${gap + (i % columns) * (panelWidth + gap)} ${top + Math.floor(i / columns) * (panelHeight + gap)})`;
  const drawn = panels.map((p, i) => `<g transform="${place(i)}">${panelSvg(p, looks, panels)}</g>`);
  const nothing = `<text x="${gap}" y="${top + 20}">nothing was measured</text>`;
  return {
    width,
    height: top + Math.max(1, Math.ceil(panels.length / columns)) * (panelHeight + gap),
    svg: `<g transform="translate(${gap} ${gap})">${legend.svg}</g>\n${drawn.join("\n") || nothing}\n`,
    colors: 1 + Math.max(...known.map(([color]) => color)),
  };
}
interface Looks {
  readonly colorOf: (s: Series) => number;
  readonly dashOf: (s: Series) => number;
  readonly withBatches: boolean; // also where something was held out
}
/** Names beside their colours, in lines as wide as the picture. */
function legendOf(
  names: readonly (readonly [color: number, name: string])[],
  width: number,
): { readonly svg: string; readonly height: number } {
  let [x, y] = [0, 0];
  const items = names.map(([color, name]) => {
    const own = 26 + 7 * name.length + 18; // about: letters of the reader's font
    if (x && x + own > width) [x, y] = [0, y + 20];
    const item = `<rect x="${x}" y="${y + 3}" width="18" height="4" rx="2" class="f${color}"/><text x="${x + 24}" y="${y + 9}">${escaped(name)}</text>`;
    x += own;
    return item;
  });
  return { svg: items.join(""), height: y + 22 };
}
function panelSvg(panel: Panel, { colorOf, dashOf, withBatches }: Looks, all: readonly Panel[]): string {
  const series = withBatches ? panel.series : heldOut(panel.series);
  const points = series.flatMap((s) => s.points);
  const [x, y] = [
    stepScale(
      points.map(([step]) => step),
      5,
    ),
    valueScale(
      points.map(([, value]) => value),
      5,
    ),
  ];
  const [width, height] = [panelWidth - margin.left - margin.right, panelHeight - margin.top - margin.bottom];
  const px = (step: number): number => margin.left + width * x.at(step);
  const py = (value: number): number => margin.top + height * (1 - Math.max(-0.02, Math.min(1.02, y.at(value))));
  const label = (text: string, at: string, anchor = "middle"): string =>
    `<text ${at} text-anchor="${anchor}">${escaped(text)}</text>`;
  const several = new Set(all.map((p) => p.train)).size > 1;
  const grid = [
    ...y.ticks.map(
      (t) =>
        `<path class="grid" d="M${margin.left} ${n(py(t))}h${width}"/>${label(tickText(t), `x="${margin.left - 8}" y="${n(py(t) + 4)}"`, "end")}`,
    ),
    ...x.ticks.map((t) => label(tickText(t), `x="${n(px(t))}" y="${margin.top + height + 17}"`)),
  ];
  const lines = series.map((s) => {
    const kind = s.split === undefined ? "batch" : "split";
    const dash = dashOf(s) ? ` stroke-dasharray="${6 / dashOf(s)} 4"` : "";
    const thin = thinned(s.points);
    const alone = thin.length === 1 && Number.isFinite(thin[0]![1]);
    const color = colorOf(s);
    return alone
      ? `<circle class="f${color}" cx="${n(px(thin[0]![0]))}" cy="${n(py(thin[0]![1]))}" r="3"/>`
      : `<path class="${series.some((o) => o.split !== undefined) ? kind : "split"} s${color}"${dash} d="${pathOf(thin, px, py, y)}"/>`;
  });
  return `<text class="title" x="${margin.left}" y="16">${escaped(several ? `${panel.train}: ${panel.metric}` : panel.metric)}</text>${grid.join("")}${lines.join("")}${label("step", `x="${margin.left + width / 2}" y="${panelHeight - 8}"`)}${label(panel.metric + (y.isLog ? ", logarithmic" : ""), `transform="translate(12 ${margin.top + height / 2}) rotate(-90)"`)}`;
}
/** A new piece after every gap. */
function pathOf(
  points: Series["points"],
  px: (x: number) => number,
  py: (y: number) => number,
  { isLog }: Scale,
): string {
  let pen = "M";
  return points
    .map(([step, value]) => {
      const isDrawn = Number.isFinite(value) && (!isLog || value > 0);
      const text = isDrawn ? `${pen}${n(px(step))} ${n(py(value))}` : "";
      pen = isDrawn ? "L" : "M";
      return text;
    })
    .join("");
}
/** Means of neighbours where there are more points than can be seen. */
function thinned(points: Series["points"]): Series["points"] {
  const every = Math.ceil(points.length / mostPoints);
  if (every === 1) return points;
  return Array.from({ length: Math.ceil(points.length / every) }, (_, i) => {
    const group = points.slice(i * every, (i + 1) * every);
    return [group.at(-1)![0], group.reduce((sum, [, value]) => sum + value, 0) / group.length] as const;
  });
}
