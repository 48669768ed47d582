// How many rows `batch: all` stands for in open texts: their data files are read, once for each wording of what they read. In: texts as they change.
// Out: training rows by data set, and word when they are others.
import * as fs from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { readRegular } from "../../../runtime/files.ts";
import { decodeInNode, listFolder } from "../../../runtime/folders.ts";
import { rowsOfWholeBatches } from "../rows.ts";

type Rows = Readonly<Record<string, number>>;
interface Known {
  readonly key: string;
  rows: Rows;
}
const mostBytes = 1 << 28; // of a data file that is counted

export interface RowsOfTexts {
  readonly of: (address: string) => Rows | undefined;
  /** `anew`: the files may be others. */
  readonly read: (address: string, text: string, anew?: boolean) => void;
}
export function rowsOfTexts(
  imports: (address: string, path: string) => string | undefined,
  changed: (address: string) => void,
): RowsOfTexts {
  const known = new Map<string, Known>();
  const count = async (address: string, text: string): Promise<Rows> => {
    const folder = dirname(fileURLToPath(address));
    const place = (path: string): string => resolve(folder, path);
    return rowsOfWholeBatches(
      text,
      { imports: (path) => imports(address, path) },
      {
        read: async (path) => readRegular(fs, place(path), mostBytes),
        list: async (path) => listFolder(fs, place(path)),
        picture: decodeInNode,
      },
      mostBytes,
    );
  };
  return {
    of: (address) => known.get(address)?.rows,
    read: (address, text, anew = false) => {
      const key = keyOf(text);
      const before = known.get(address);
      if (key === "" || !address.startsWith("file:")) return void known.delete(address);
      if (before?.key === key && !anew) return;
      const now: Known = { key, rows: before?.rows ?? {} };
      known.set(address, now);
      // what cannot be read, or has errors, is told elsewhere
      const found = count(address, text).catch((): Rows => ({}));
      void found.then((rows) => {
        if (known.get(address) !== now || JSON.stringify(rows) === JSON.stringify(now.rows)) return;
        now.rows = rows;
        changed(address);
      });
    },
  };
}
/** What the number of rows depends on; "" where no block takes all rows. */
function keyOf(text: string): string {
  if (!/^train\b[^{]*\ball\b/m.test(text)) return "";
  return [...text.matchAll(/^(?:data|const|import|train)\b[^{\n]*(?:\{[^}]*\})?/gm)].map(([found]) => found).join("\n");
}
