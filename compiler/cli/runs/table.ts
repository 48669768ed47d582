// Tables of the command line. In: rows of cells.   Out: lines, columns as wide as their longest cell; numbers to the right.

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}
/** These names as titles beside those that are taken: with the prefix where they are. */
export function titlesBeside(taken: readonly string[], names: readonly string[], prefix: string): readonly string[] {
  const isTaken = new Set(taken);
  const used = new Set([...taken, ...names]);
  return names.map((name) => {
    if (!isTaken.has(name)) return name;
    let title = prefix + name;
    while (used.has(title)) title = prefix + title;
    used.add(title);
    return title;
  });
}
/** Without colours. */
export function tableLines(columns: readonly Column[], given: readonly (readonly string[])[]): readonly string[] {
  const rows = given.map((row) => row.map((cell) => cell.replaceAll(/\p{Cc}/gu, " "))); // names of files may have line breaks
  const widths = columns.map(({ title }, c) => Math.max(title.length, ...rows.map((row) => row[c]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, c) => (columns[c]!.right ? cell.padStart(widths[c]!) : cell.padEnd(widths[c]!)))
      .join("  ")
      .trimEnd();
  return [line(columns.map((c) => c.title)), ...rows.map(line)];
}
