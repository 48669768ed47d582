// Computed fields: checked against their declared ranges in all rows before anything reads them, and read for whoever shows data. In: a session with
// its data uploaded.   Out: nothing, or the problem that names the row; the fields of some rows.
import type { Tensor } from "./api.ts";
import { join, streamRows } from "./data.ts";
import type { Place } from "./machine.ts";
import type { PlanPort } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";
import { runOnce } from "./run.ts";
import type { Session } from "./session.ts";
import { fromWords, product } from "./tensor.ts";

/** Computed fields are in their declared ranges, in all rows of all splits: programs read by them without a guard. */
export async function checkFields(s: Session): Promise<void> {
  for (const [name, d] of s.data) {
    const check = d.plan.check;
    if (!check) continue;
    const rows = join([...s.splits.get(name)!.values()]).sort();
    const chunk = Math.min(check.chunk, d.streamed?.rows ?? Infinity);
    const seeds = check.seed
      ? new Set(s.plan.trains.filter((t) => t.dataset === name).map((t) => s.states.get(t.name)!.seed))
      : new Set([0]);
    const place = (p: PlanPort): Place => ({
      buffer: p.buffer,
      offset: p.offset,
      bytes: 4 * product(p.shape as number[]),
    });
    for (const seed of seeds.size ? seeds : [s.options.seed ?? 0])
      for (let from = 0; from < rows.length; from += chunk) {
        const part = rows.slice(from, from + chunk);
        const inputs = [
          { ...check.index, bytes: 4 * part.length, words: streamRows(d, part, s.machine) },
          ...(check.seed ? [{ ...check.seed, bytes: 4, words: Int32Array.of(seed) }] : []),
        ];
        const words = (
          await runOnce(
            s.machine,
            check.program,
            { ...s.dims, rows: part.length },
            inputs,
            check.fields.flatMap((f) => [place(f.at), place(f.value)]),
          )
        ).map((bytes) => [...new Int32Array(bytes.slice().buffer)]);
        check.fields.forEach(({ name: field, place: where, range: [low, end] }, i) => {
          const bad = words[2 * i + 1]!.find((x) => x < low || x >= end);
          if (bad === undefined) return;
          const row = part[words[2 * i]![0]!]!;
          const other = Object.entries(d.others).find(([, [first, end]]) => row >= first && row < end);
          const files = d.columns.flatMap(({ plan: { loader: l, name: c } }) =>
            !other && c.split(".")[1] === field && "path" in l
              ? [`${l.path}${"columns" in l && !("from" in l.columns) ? `, column ${l.columns.join(", ")}` : ""}`]
              : [],
          );
          throw new RuntimeProblem(
            `the field ${name}.${field} (${where}) is ${bad} in row ${other ? `${row - other[1][0]} of ${other[0]}` : `${row} of ${name}`}, outside of ${low}..${end}, which it declares${files.length ? `; it is computed from ${[...new Set(files)].join(" and ")}` : ""} (rows count from 0)`,
          );
        });
      }
  }
}

/** Every field of rows of a split, by their places in it, as a train block with the model's seed sees them. */
export async function readRows(
  s: Session,
  name: string,
  split: string,
  places: readonly number[],
): Promise<Record<string, Tensor>> {
  const d = s.data.get(name);
  const view = d?.plan.view;
  const rows = s.splits.get(name)?.get(split);
  if (!d || !rows) throw new RuntimeProblem(`the model has no ${d ? `split ${split} of ${name}` : `data ${name}`}`);
  if (!view) throw new RuntimeProblem(`the plan has no program that shows the data ${name}`);
  const bad = places.find((at) => rows[at] === undefined);
  const most = d.streamed?.rows ?? 65536;
  if (bad !== undefined || !places.length || places.length > most)
    throw new RuntimeProblem(
      bad !== undefined
        ? `${split} of ${name} has ${rows.length} rows, and no row ${bad}`
        : `1 to ${most} rows are shown`,
    );
  const dims = { ...s.dims, rows: places.length };
  const shapeOf = (p: PlanPort): number[] => p.shape.map((size) => s.machine.size(size, dims, p.name));
  const part = Int32Array.from(places, (at) => rows[at]!);
  const first = s.plan.trains.find((t) => t.dataset === name);
  const seed = first ? s.states.get(first.name)!.seed : (s.options.seed ?? 0);
  const parts = await runOnce(
    s.machine,
    view.program,
    dims,
    [
      // rows of a streamed data set are brought in between two submits of a training that is under way
      { ...view.index, bytes: 4 * part.length, words: () => streamRows(d, part, s.machine) },
      ...(view.seed ? [{ ...view.seed, bytes: 4, words: Int32Array.of(seed) }] : []),
    ],
    view.fields.map((p): Place => ({ buffer: p.buffer, offset: p.offset, bytes: 4 * product(shapeOf(p)) })),
  );
  return Object.fromEntries(view.fields.map((p, i) => [p.name, fromWords(parts[i]!, p.dtype, shapeOf(p))]));
}
