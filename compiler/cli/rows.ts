// `batch: all` needs the number of training rows when the model is compiled: the data are read for it. In: a model's text, its compile options,
// a reader of files.   Out: training rows by data set, for the data sets that some train block takes whole.
import type * as ast from "../../grammar/ast.ts";
import { place } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parser.ts";
import type { LoadOptions } from "../../runtime/api.ts";
import { movesOf, splitRows } from "../../runtime/batches.ts";
import { loadDataset } from "../../runtime/loaders.ts";
import type { PlanDataset } from "../../runtime/plan.ts";
import type { CompileOptions } from "../compile.ts";
import { elaborate } from "../elaborate/elaborate.ts";
import type { Dataset } from "../elaborate/program.ts";
import { Compilation, within } from "../graph/compilation.ts";
import { libraryDeclarations } from "../std/declarations.ts";

export async function rowsOfWholeBatches(
  text: string,
  options: CompileOptions,
  files: Pick<LoadOptions, "read" | "list" | "picture">,
  mostBytes?: number,
): Promise<Record<string, number>> {
  const { file } = parse({ name: options.name ?? "model.dlm", text });
  const wanted = new Set(file.items.flatMap(wholeData));
  const rows: Record<string, number> = {};
  if (!wanted.size) return rows;
  if (options.set?.["batch"] !== undefined) return Object.fromEntries([...wanted].map((name) => [name, 1])); // another batch is taken
  // what is run is left out: its errors are told when the whole is compiled
  const main = {
    ...file,
    items: file.items.filter(
      (item) => !["train", "model", "layer", "optimizer"].includes(item.kind) && !(item.kind === "fn" && item.exported),
    ),
  };
  const imports = (path: string): ast.File | undefined => {
    const found = options.imports?.(path);
    return found === undefined ? undefined : parse({ name: path, text: found }).file;
  };
  const { program } = within(new Compilation(), () =>
    elaborate({ main, library: libraryDeclarations, imports }, options),
  );
  for (const dataset of program.datasets) {
    if (!wanted.has(dataset.name) || dataset.rowCount !== undefined) continue;
    const plan = planOf(dataset);
    const own = await loadDataset(plan, {
      read: files.read,
      list: files.list,
      picture: files.picture,
      host: {},
      files: new Map(),
      ...(mostBytes === undefined ? {} : { mostBytes }),
    });
    rows[dataset.name] = splitRows(plan, own.rows, 0, movesOf(plan.columns)).get("train")!.length; // how many does not depend on the seed
  }
  return rows;
}
/** The data set that a train block takes whole. */
function wholeData(item: ast.Item): string[] {
  if (item.kind !== "train" || item.on?.kind !== "call" || item.on.callee.kind !== "name") return [];
  const all = item.on.args.some(
    (a) => (a.name?.text ?? "batch") === "batch" && a.value.kind === "name" && a.value.text === "all",
  );
  return all ? [item.on.callee.text] : [];
}
/** As much of it as reading needs: nothing lies on a device. */
const planOf = (d: Dataset): PlanDataset => ({
  name: d.name,
  columns: d.columns.map(({ name, loader, storage, shape, range, span }) => ({
    name,
    loader,
    storage,
    shape,
    ...(range ? { range } : {}),
    buffer: 0,
    place: place(span),
  })),
  holdouts: d.holdouts.map(({ span, ...h }) => ({ ...h, place: place(span) })),
  windowed: d.windowed,
});
