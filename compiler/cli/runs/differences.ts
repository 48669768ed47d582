// What is different between runs. In: runs.   Out: settings by name with a value for each run, where they are not all equal; lines of two texts.
import type { KeptRun } from "./record.ts";

/** Names as `set.lr`, `fit.batch`, `device.name`; "" where a run has no such setting. */
function settingsOf({ record }: KeptRun): ReadonlyMap<string, string> {
  const { settings, versions, device, plan, imports, rows } = record;
  const found = new Map<string, string>([["model", record.model]]);
  const put = (path: string, values: object): void => {
    for (const [name, value] of Object.entries(values))
      if (typeof value === "object" && value !== null) put(`${path}${name}.`, value);
      else if (value !== null) found.set(path + name, String(value));
  };
  put("", settings.set);
  put("", settings.trains);
  put("rows.", rows);
  for (const [path, hash] of Object.entries(imports)) found.set(`import ${path}`, hash.slice(0, 12));
  put("device.", device);
  put("versions.", versions);
  put("plan.", plan);
  if (settings.data !== null) found.set("data", settings.data);
  if (record.resumed) found.set("resumed at step", String(record.resumed.step));
  return found;
}
export function settingDifferences(runs: readonly KeptRun[]): ReadonlyMap<string, readonly string[]> {
  const all = runs.map(settingsOf);
  const names = [...new Set(all.flatMap((settings) => [...settings.keys()]))];
  const rows = names.map((name) => [name, all.map((settings) => settings.get(name) ?? "")] as const);
  return new Map(rows.filter(([, values]) => values.some((value) => value !== values[0])));
}

const mostLines = 2000; // of a text: the table below is their product

/** `- line` of the first text only, `+ line` of the second only; what they share is left out. Undefined where they are too long. */
export function lineDifferences(first: string, second: string): readonly string[] | undefined {
  const [a, b] = [first.split("\n"), second.split("\n")];
  if (a.length > mostLines || b.length > mostLines) return undefined;
  // the length of the longest common part of what follows
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i]![j] = a[i] === b[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
  const lines: string[] = [];
  for (let [i, j] = [0, 0]; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && a[i] === b[j]) [i, j] = [i + 1, j + 1];
    else if (j >= b.length || (i < a.length && common[i + 1]![j]! >= common[i]![j + 1]!)) lines.push(`- ${a[i++]}`);
    else lines.push(`+ ${b[j++]}`);
  }
  return lines;
}
