// Tables of the command line. In: rows of cells.   Out: lines, columns as wide as their longest cell; numbers to the right.

export interface Column {
  readonly title: string;
  readonly right?: boolean;
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
